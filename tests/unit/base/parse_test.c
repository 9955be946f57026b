/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Numbers and what stands for them: what is read, what is refused, and that a refusal changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"

#include "support/seed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNTOUCHED = -77 };

struct int_case {
    const char *text;
    bool ok;
    int64_t value;
};

static void check_ints(const struct int_case *cases, size_t n, bool (*parse)(const char *s, int64_t *ret))
{
    for (size_t i = 0; i < n; i++) {
        int64_t value = UNTOUCHED, expected = cases[i].ok ? cases[i].value : UNTOUCHED;
        if (parse(cases[i].text, &value) != cases[i].ok || value != expected)
            fail_msg("\"%s\": %" PRId64, cases[i].text, value);
    }
}

static void integers(void **state)
{
    static const struct int_case cases[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"-1", true, -1},
        {"-0", true, 0},
        {"65536", true, 65536},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"--1", false, 0},
        {"+1", false, 0},
        {"01", false, 0},
        {"-01", false, 0},
        {"00", false, 0},
        {"0x1", false, 0},
        {"1e3", false, 0},
        {"1.0", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1\n", false, 0},
        {"1_000", false, 0},
        {"\xd9\xa1", false, 0},
    };

    (void)state;
    check_ints(cases, ARRAY_LEN(cases), parse_int);
}

static void random_integers_are_read_back(void **state)
{
    uint64_t rand = test_seed();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t n = (int64_t)(test_rand(&rand) >> test_rand_below(&rand, 64)), value = 0;
        char text[32];
        if (i % 2 && n > INT64_MIN)
            n = -n;
        snprintf(text, sizeof(text), "%" PRId64, n);
        if (!parse_int(text, &value) || value != n)
            fail_msg("%s: %" PRId64, text, value);
    }
}

static void decimals(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        double value;
    } cases[] = {
        {"0", true, 0},
        {"2", true, 2},
        {"0.1", true, 0.1},
        {"1.5", true, 1.5},
        {"10.25", true, 10.25},
        {"0.30000", true, 0.3},
        {"123456789012345", true, 123456789012345.0},
        {"0.333333333333333", true, 0.333333333333333},
        {"1234567890123456", false, 0},
        {"", false, 0},
        {".", false, 0},
        {".5", false, 0},
        {"1.", false, 0},
        {"1..2", false, 0},
        {"1.2.3", false, 0},
        {"1,5", false, 0},
        {"00.1", false, 0},
        {"01", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {"1e3", false, 0},
        {"1.5s", false, 0},
        {"nan", false, 0},
        {"inf", false, 0},
        {"0x1p3", false, 0},
        {" 1", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double value = UNTOUCHED, expected = cases[i].ok ? cases[i].value : UNTOUCHED;
        if (parse_decimal(cases[i].text, &value) != cases[i].ok || value < expected || value > expected)
            fail_msg("\"%s\": %.17g", cases[i].text, value);
    }
}

static void random_decimals_are_read_as_strtod_does(void **state)
{
    uint64_t rand = test_seed();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[40];
        double value = 0, expected;
        snprintf(text, sizeof(text), "%" PRIu64 ".%0*" PRIu64, test_rand_below(&rand, 100000),
                 (int)test_rand_below(&rand, 10) + 1, test_rand_below(&rand, 10));
        expected = strtod(text, NULL);
        if (!parse_decimal(text, &value) || value < expected || value > expected)
            fail_msg("%s: %.17g, not %.17g", text, value, expected);
    }
}

static void digits_beyond_precision_are_left_out(void **state)
{
    double value = 0;

    (void)state;
    assert_true(parse_decimal("0.3333333333333333333333333333333", &value));
    assert_true(value > 0.33333333333333 && value < 0.33333333333334);
    assert_true(parse_decimal("0.0000000000000000000000000000000000001", &value));
    assert_true(value >= 0 && value < 1e-21);
    assert_true(parse_decimal("123456789012345.99999999999999999999", &value));
    assert_true(value >= 123456789012345.0 && value <= 123456789012346.0);
}

static void durations(void **state)
{
    static const struct int_case cases[] = {
        {"0", true, 0},
        {"0s", true, 0},
        {"10", true, 10000},
        {"1.5", true, 1500},
        {"500ms", true, 500},
        {"10s", true, 10000},
        {"40s", true, 40000},
        {"1m30s", true, 90000},
        {"2h", true, 7200000},
        {"1d", true, 86400000},
        {"1h5m30s20ms", true, 3930020},
        {"1d2h3m4s5ms", true, 93784005},
        {"1.5s", true, 1500},
        {"1m1.25s", true, 61250},
        {"0.001s", true, 1},
        {"1.000000000s", true, 1000},
        {"1.0000000000000000s", true, 1000},
        {"1.5s500ms", true, 2000},
        {"90m", true, 5400000},
        {"1m05s", true, 65000},
        {"1000us", true, 1},
        {"2500us", false, 0},
        {"1ms999us1000ns", true, 2},
        {"1000000ns", true, 1},
        {"1ns", false, 0},
        {"0ns", true, 0},
        {"0.0005s", false, 0},
        {"0.0005s500us", true, 1},
        {"1.0000000001s", false, 0},
        {"9223372036854775807ms", true, INT64_MAX},
        {"9223372036854775808ms", false, 0},
        {"9223372036854775s807ms", true, INT64_MAX},
        {"9223372036854775s808ms", false, 0},
        {"9223372036854775s807ms1000us", false, 0},
        {"9223372036854776s", false, 0},
        {"9223372036854775807d", false, 0},
        {"9223372036854775807", false, 0},
        {"106751991167d", true, 106751991167 * INT64_C(86400000)},
        {"106751991168d", false, 0},
        {"", false, 0},
        {"s", false, 0},
        {"ms", false, 0},
        {".5s", false, 0},
        {"1.s", false, 0},
        {"1.5m", false, 0},
        {"1.5ms", false, 0},
        {"1.5h", false, 0},
        {"1..5s", false, 0},
        {"-1s", false, 0},
        {"-0", false, 0},
        {"+1s", false, 0},
        {"010", false, 0},
        {"1 s", false, 0},
        {"1s ", false, 0},
        {" 1s", false, 0},
        {"1m 30s", false, 0},
        {"1S", false, 0},
        {"1M", false, 0},
        {"1w", false, 0},
        {"1y", false, 0},
        {"1sec", false, 0},
        {"1min", false, 0},
        {"1s1m", false, 0},
        {"1s1s", false, 0},
        {"1ms1s", false, 0},
        {"1ms2ms", false, 0},
        {"1m30", false, 0},
        {"1e3s", false, 0},
        {"0x10s", false, 0},
        {"forever", false, 0},
    };

    (void)state;
    check_ints(cases, ARRAY_LEN(cases), parse_duration);
}

static void duration_texts(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ms"},
        {500, "500ms"},
        {1000, "1s"},
        {1500, "1.5s"},
        {1001, "1.001s"},
        {1010, "1.01s"},
        {60000, "1m"},
        {60500, "1m500ms"},
        {90000, "1m30s"},
        {3600000, "1h"},
        {3600001, "1h1ms"},
        {86400000, "1d"},
        {93784005, "1d2h3m4.005s"},
        {-1500, "-1.5s"},
        {INT64_MAX, "106751991167d7h12m55.807s"},
        {INT64_MIN, "-106751991167d7h12m55.808s"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[32];
        assert_ptr_equal(parse_duration_text(cases[i].ms, buf, sizeof(buf)), buf);
        assert_string_equal(buf, cases[i].text);
    }
}

static void duration_text_stays_within_its_buffer(void **state)
{
    char buf[8] = "#######";

    (void)state;
    parse_duration_text(93784005, buf, 4);
    assert_string_equal(buf, "1d2");
    assert_string_equal(buf + 4, "###");
}

static void random_durations_are_read_back(void **state)
{
    static const int64_t steps[] = {1, 10, 500, 1000, 60000, 3600000, 86400000};
    uint64_t rand = test_seed();

    (void)state;
    for (int i = 0; i < 50000; i++) {
        int64_t ms = (int64_t)(test_rand(&rand) >> (1 + test_rand_below(&rand, 63))), value = UNTOUCHED;
        int64_t step = steps[test_rand_below(&rand, ARRAY_LEN(steps))];
        char text[32];
        ms -= ms % step;
        parse_duration_text(ms, text, sizeof(text));
        if (!parse_duration(text, &value) || value != ms)
            fail_msg("%" PRId64 " ms is shown as %s and read as %" PRId64, ms, text, value);
    }
}

static void sizes(void **state)
{
    static const struct int_case cases[] = {
        {"0", true, 0},
        {"1024", true, 1024},
        {"2b", true, 2},
        {"1024b", true, 1024},
        {"1024B", true, 1024},
        {"64k", true, 65536},
        {"64K", true, 65536},
        {"10kb", true, 10240},
        {"10KB", true, 10240},
        {"10KiB", true, 10240},
        {"10m", true, 10485760},
        {"10mb", true, 10485760},
        {"1g", true, 1073741824},
        {"1Gb", true, 1073741824},
        {"1t", true, INT64_C(1099511627776)},
        {"1.5g", true, 1610612736},
        {"0.5k", true, 512},
        {"1.000000g", true, 1073741824},
        {"0.000001t", false, 0},
        {"0.3k", false, 0},
        {"1.5", false, 0},
        {"1.5b", false, 0},
        {"1.0", true, 1},
        {"8388607t", true, INT64_C(8388607) << 40},
        {"8388608t", false, 0},
        {"8388607.999999t", false, 0},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775807b", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"9007199254740992k", false, 0},
        {"", false, 0},
        {"k", false, 0},
        {"b", false, 0},
        {"-1", false, 0},
        {"-1k", false, 0},
        {"+1k", false, 0},
        {"010", false, 0},
        {"1 k", false, 0},
        {"1k ", false, 0},
        {" 1k", false, 0},
        {"1kk", false, 0},
        {"1bk", false, 0},
        {"1kbb", false, 0},
        {"1ib", false, 0},
        {"1ki", false, 0},
        {"1p", false, 0},
        {"1.k", false, 0},
        {".5k", false, 0},
        {"1+", false, 0},
        {"1\v", false, 0},
        {"1e3", false, 0},
        {"0x10", false, 0},
        {"unlimited", false, 0},
    };

    (void)state;
    check_ints(cases, ARRAY_LEN(cases), parse_size);
}

static void size_texts(void **state)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {1023, "1023"},
        {1024, "1k"},
        {1536, "1536"},
        {1 << 20, "1m"},
        {3 << 19, "1536k"},
        {512 << 20, "512m"},
        {1 << 30, "1g"},
        {INT64_C(1) << 50, "1024t"},
        {INT64_MAX, "9223372036854775807"},
    };
    char buf[32] = "########";

    (void)state;
    parse_size_text(INT64_C(12345) << 10, buf, 4);
    assert_string_equal(buf, "123");
    assert_string_equal(buf + 4, "####");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t back = -1;
        assert_ptr_equal(parse_size_text(cases[i].bytes, buf, sizeof buf), buf);
        assert_string_equal(buf, cases[i].text);
        assert_true(parse_size(buf, &back) && back == cases[i].bytes);
    }
}

static void booleans(void **state)
{
    static const char *const yes[] = {"true", "True", "TRUE"}, *const no[] = {"false", "False", "FALSE"};
    static const char *const neither[] = {"",  "yes",  "no",   "on",    "off",   "y",      "n",    "1",
                                          "0", "tRUE", "trUE", "true ", " true", "falsee", "fals", "null"};
    bool value;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        value = false;
        assert_true(parse_bool(yes[i], &value) && value);
        value = true;
        assert_true(parse_bool(no[i], &value) && !value);
    }
    for (size_t i = 0; i < ARRAY_LEN(neither); i++) {
        value = true;
        assert_false(parse_bool(neither[i], &value));
        assert_true(value);
        value = false;
        assert_false(parse_bool(neither[i], &value));
        assert_false(value);
    }
}

static void modes(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        unsigned value;
    } cases[] = {
        {"022", true, 022},
        {"0o022", true, 022},
        {"0022", true, 022},
        {"22", true, 022},
        {"0", true, 0},
        {"000", true, 0},
        {"777", true, 0777},
        {"7777", true, 07777},
        {"0o7777", true, 07777},
        {"10000", false, 0},
        {"0o10000", false, 0},
        {"8", false, 0},
        {"0o8", false, 0},
        {"0o", false, 0},
        {"o22", false, 0},
        {"0O22", false, 0},
        {"0x1f", false, 0},
        {"", false, 0},
        {"-22", false, 0},
        {"22 ", false, 0},
        {" 22", false, 0},
        {"0o0o22", false, 0},
        {"u=rwx", false, 0},
        {"0b11", false, 0},
        {"37777777777777777777777777", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned value = 12345;
        if (parse_mode(cases[i].text, &value) != cases[i].ok || value != (cases[i].ok ? cases[i].value : 12345))
            fail_msg("\"%s\": 0%o", cases[i].text, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(random_integers_are_read_back),
        cmocka_unit_test(decimals),
        cmocka_unit_test(random_decimals_are_read_as_strtod_does),
        cmocka_unit_test(digits_beyond_precision_are_left_out),
        cmocka_unit_test(durations),
        cmocka_unit_test(duration_texts),
        cmocka_unit_test(duration_text_stays_within_its_buffer),
        cmocka_unit_test(random_durations_are_read_back),
        cmocka_unit_test(sizes),
        cmocka_unit_test(size_texts),
        cmocka_unit_test(booleans),
        cmocka_unit_test(modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
