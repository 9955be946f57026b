/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Signals by name and number, both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"

#include <signal.h>
#include <string.h>

static void read_names_and_numbers(void **state)
{
    const struct {
        const char *text;
        int sig;
    } cases[] = {
        {"SIGTERM", SIGTERM},
        {"TERM", SIGTERM},
        {"term", SIGTERM},
        {"SigTerm", SIGTERM},
        {"15", SIGTERM},
        {"1", SIGHUP},
        {"HUP", SIGHUP},
        {"SIGWINCH", SIGWINCH},
        {"POLL", SIGPOLL},
        {"SIGIO", SIGIO},
        {"IOT", SIGABRT},
        {"RTMIN", SIGRTMIN},
        {"SIGRTMIN", SIGRTMIN},
        {"SIGRTMIN+0", SIGRTMIN},
        {"SIGRTMIN+3", SIGRTMIN + 3},
        {"sigrtmin+3", SIGRTMIN + 3},
        {"RTMAX-1", SIGRTMAX - 1},
        {"SIGRTMAX", SIGRTMAX},
        {"64", 64},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int sig = 0;
        if (!parse_signal(cases[i].text, &sig) || sig != cases[i].sig)
            fail_msg("\"%s\": %d", cases[i].text, sig);
    }
}

static void refuse_everything_else(void **state)
{
    static const char *const cases[] = {
        "",       "SIG",        "0",        "-1",         "65",        "015",
        "+15",    "TERM ",      " TERM",    "SIGSIGTERM", "SIGFOO",    "TERMINATE",
        "15s",    "RTMIN-1",    "RTMAX+1",  "RTMIN+",     "RTMIN+31x", "RTMIN+-1",
        "RTMIN3", "RTMIN+01",   "RTMIN+99", "RTMAX--1",   "RTMIN+ 1",  "RTMIN+9223372036854775807",
        "SIG15",  "4294967311",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int sig = -77;
        if (parse_signal(cases[i], &sig) || sig != -77)
            fail_msg("\"%s\": %d", cases[i], sig);
    }
}

static void every_name_is_read_back(void **state)
{
    int n_named = 0;

    (void)state;
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        const char *name = parse_signal_name(sig);
        int read_back = 0;
        /* The C library keeps the first real-time ones for itself. */
        if (!name) {
            assert_true(sig > 31 && sig < SIGRTMIN);
            continue;
        }
        n_named++;
        assert_int_equal(strncmp(name, "SIG", 3), 0);
        assert_true(parse_signal(name, &read_back));
        assert_int_equal(read_back, sig);
        assert_true(parse_signal(name + 3, &read_back));
        assert_int_equal(read_back, sig);
    }
    assert_int_equal(n_named, 31 + SIGRTMAX - SIGRTMIN + 1);
}

static void names_that_are_printed(void **state)
{
    (void)state;
    assert_string_equal(parse_signal_name(SIGTERM), "SIGTERM");
    assert_string_equal(parse_signal_name(SIGABRT), "SIGABRT");
    assert_string_equal(parse_signal_name(SIGIO), "SIGIO");
    assert_string_equal(parse_signal_name(SIGRTMIN), "SIGRTMIN");
    assert_string_equal(parse_signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
    assert_null(parse_signal_name(0));
    assert_null(parse_signal_name(-1));
    assert_null(parse_signal_name(SIGRTMAX + 1));
    assert_null(parse_signal_name(INT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_names_and_numbers),
        cmocka_unit_test(refuse_everything_else),
        cmocka_unit_test(every_name_is_read_back),
        cmocka_unit_test(names_that_are_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
