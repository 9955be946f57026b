/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The words of reports: time spans and wait statuses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/super_impl.h"

#include <signal.h>

static void test_durations(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0 ms"},
        {999, "999 ms"},
        {1000, "1 s"},
        {1099, "1 s"},
        {1100, "1.1 s"},
        {12345, "12.3 s"},
        {60000, "60 s"},
        {119999, "119.9 s"},
        {120000, "2 min 0 s"},
        {123000, "2 min 3 s"},
        {7199999, "119 min 59 s"},
        {7200000, "2 h 0 min"},
        {172799999, "47 h 59 min"},
        {172800000, "2 days 0 h"},
        {INT64_MAX, "106751991167 days 7 h"},
    };
    char buf[REPORT_DURATION_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(report_duration(cases[i].ms, buf), cases[i].text);
}

static void test_statuses(void **state)
{
    static const struct {
        int wstatus;
        const char *text;
    } cases[] = {
        {0, "exited with code 0"},      {255 << 8, "exited with code 255"},
        {SIGSEGV, "killed by SIGSEGV"}, {SIGSEGV | 0x80, "killed by SIGSEGV (core dumped)"},
        {SIGKILL, "killed by SIGKILL"}, {SIGSTOP << 8 | 0x7f, "ended with wait status 0x137f"},
    };
    char buf[REPORT_STATUS_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(report_status(cases[i].wstatus, buf), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
