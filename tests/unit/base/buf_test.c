/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The byte buffer: contents, its maximum and sticky failure, and JSON strings of any bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"

#include "support/seed.h"

#include <string.h>

static void starts_empty_without_memory(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_str(&b), "");
    buf_reset(&b);
    buf_consume(&b, 0);
    assert_string_equal(buf_str(&b), "");
    buf_done(&b);
    buf_done(&b);
}

static void appends(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_true(buf_puts(&b, "a"));
    assert_true(buf_putc(&b, 'b'));
    assert_true(buf_add(&b, "cde", 2));
    assert_true(buf_add(&b, NULL, 0));
    assert_true(buf_printf(&b, "-%s-%d", "x", 7));
    assert_true(buf_printf(&b, "%s", ""));
    assert_string_equal(buf_str(&b), "abcd-x-7");
    assert_int_equal(b.len, 8);
    buf_consume(&b, 5);
    assert_string_equal(buf_str(&b), "x-7");
    buf_consume(&b, 3);
    assert_string_equal(buf_str(&b), "");
    assert_true(buf_puts(&b, "again"));
    assert_string_equal(buf_str(&b), "again");
    buf_done(&b);
    assert_null(b.data);
}

static void takes_back_its_end(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_truncate(&b, 0);
    assert_true(buf_puts(&b, "abcdef"));
    buf_truncate(&b, 7);
    buf_truncate(&b, 6);
    assert_string_equal(buf_str(&b), "abcdef");
    buf_truncate(&b, 2);
    assert_string_equal(buf_str(&b), "ab");
    assert_true(buf_puts(&b, "x"));
    assert_string_equal(buf_str(&b), "abx");
    buf_truncate(&b, 0);
    assert_string_equal(buf_str(&b), "");
    buf_done(&b);
}

static void holds_exactly_its_maximum(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_true(buf_puts(&b, "12345"));
    assert_false(b.failed);
    assert_false(buf_putc(&b, '6'));
    assert_true(b.failed);
    assert_string_equal(buf_str(&b), "12345");
    buf_done(&b);
    assert_int_equal(b.max, 5);
}

static void failure_is_sticky_until_reset(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_true(buf_puts(&b, "123"));
    assert_false(buf_printf(&b, "%d", 456));
    /* It would fit, but the text would have a hole. */
    assert_false(buf_putc(&b, '7'));
    assert_false(buf_add(&b, NULL, 0));
    assert_null(buf_reserve(&b, 1));
    assert_false(buf_json_string(&b, "", 0));
    assert_string_equal(buf_str(&b), "123");
    buf_reset(&b);
    assert_false(b.failed);
    assert_true(buf_puts(&b, "45678"));
    assert_string_equal(buf_str(&b), "45678");
    buf_done(&b);
}

static void refused_memory_fails_the_append(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_true(buf_puts(&b, "kept"));
    assert_null(buf_reserve(&b, SIZE_MAX - 100));
    assert_true(b.failed);
    assert_string_equal(buf_str(&b), "kept");
    buf_reset(&b);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_done(&b);
}

static void reserve_then_add_to_len(void **state)
{
    struct buf b;
    char *place;

    (void)state;
    buf_init(&b, 20);
    assert_true(buf_puts(&b, "x"));
    place = buf_reserve(&b, 19);
    assert_non_null(place);
    memcpy(place, "read", 4);
    b.len += 4;
    assert_string_equal(buf_str(&b), "xread");
    assert_null(buf_reserve(&b, 16));
    buf_done(&b);
}

static void grows_to_large_contents(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 20000; i++)
        assert_true(buf_printf(&b, "%06d\n", i));
    assert_int_equal(b.len, 20000 * 7);
    assert_memory_equal(b.data + 7 * 12345, "012345\n", 7);
    buf_done(&b);
}

struct json_case {
    const char *in;
    size_t len;
    const char *out;
};

#define J(in, out)                                                                                                     \
    {                                                                                                                  \
        in, sizeof(in) - 1, out                                                                                        \
    }
#define BAD "\xef\xbf\xbd"

static const struct json_case json_cases[] = {
    J("", "\"\""),
    J("plain", "\"plain\""),
    J("say \"hi\" \\ /", "\"say \\\"hi\\\" \\\\ /\""),
    J("a\nb\tc", "\"a\\u000ab\\u0009c\""),
    J("\x00\x1f\x7f", "\"\\u0000\\u001f\\u007f\""),
    J("\x1b[31m", "\"\\u001b[31m\""),
    J("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""),
    J("\xff", "\"" BAD "\""),
    J("a\x80z", "\"a" BAD "z\""),
    /* Cut short: one mark for the part that is there. */
    J("\xe2\x82", "\"" BAD "\""),
    J("\xe2\x82z", "\"" BAD "z\""),
    J("\xf0\x9f\x98z", "\"" BAD "z\""),
    /* Overlong forms of '/' and NUL. */
    J("\xc0\xaf", "\"" BAD BAD "\""),
    J("\xe0\x80\xaf", "\"" BAD BAD BAD "\""),
    J("\xf0\x80\x80\xaf", "\"" BAD BAD BAD BAD "\""),
    /* Surrogates, and what is beyond Unicode. */
    J("\xed\xa0\x80", "\"" BAD BAD BAD "\""),
    J("\xed\x9f\xbf", "\"\xed\x9f\xbf\""),
    J("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""),
    J("\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""),
    J("\xf5\x80", "\"" BAD BAD "\""),
};

static void json_strings(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
        buf_reset(&b);
        assert_true(buf_json_string(&b, json_cases[i].in, json_cases[i].len));
        assert_string_equal(buf_str(&b), json_cases[i].out);
    }
    buf_done(&b);
}

static void json_string_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    /* "ab\u0001" in quotes has ten bytes. */
    for (size_t max = 3; max < 13; max++) {
        struct buf b;
        buf_init(&b, max);
        assert_true(buf_puts(&b, "xyz"));
        assert_false(buf_json_string(&b, "ab\x01", 3));
        assert_true(b.failed);
        assert_string_equal(buf_str(&b), "xyz");
        buf_done(&b);
    }
    struct buf b;
    buf_init(&b, 13);
    assert_true(buf_puts(&b, "xyz"));
    assert_true(buf_json_string(&b, "ab\x01", 3));
    assert_string_equal(buf_str(&b), "xyz\"ab\\u0001\"");
    buf_done(&b);
}

/* What must hold for a JSON string of any bytes: no control byte, quotes only at the ends or escaped. */
static void assert_is_json_string(const char *s, size_t len)
{
    assert_true(len >= 2 && s[0] == '"' && s[len - 1] == '"');
    for (size_t i = 1; i < len - 1; i++) {
        assert_true((unsigned char)s[i] >= 0x20);
        assert_true(s[i] != '"');
        if (s[i] == '\\') {
            i++;
            assert_true(i < len - 1 && strchr("\"\\u", s[i]));
        }
    }
}

static void json_strings_of_random_bytes(void **state)
{
    uint64_t rand = test_seed();
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (int round = 0; round < 5000; round++) {
        char bytes[40];
        size_t len = test_rand_below(&rand, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)test_rand(&rand);
        buf_reset(&b);
        assert_true(buf_json_string(&b, bytes, len));
        assert_is_json_string(b.data, b.len);
        for (size_t i = 0; i < b.len;) {
            bool valid;
            i += utf8_step(b.data + i, b.len - i, &valid);
            assert_true(valid);
        }
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty_without_memory),
        cmocka_unit_test(appends),
        cmocka_unit_test(takes_back_its_end),
        cmocka_unit_test(holds_exactly_its_maximum),
        cmocka_unit_test(failure_is_sticky_until_reset),
        cmocka_unit_test(refused_memory_fails_the_append),
        cmocka_unit_test(reserve_then_add_to_len),
        cmocka_unit_test(grows_to_large_contents),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(json_string_that_does_not_fit_leaves_nothing),
        cmocka_unit_test(json_strings_of_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
