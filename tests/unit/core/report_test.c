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

static void test_sizes(void **state)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {1, "1 bytes"},
        {1023, "1023 bytes"},
        {1024, "1.0K"},
        {64 << 20, "64.0M"},
        {(64 << 20) + (512 << 10), "64.5M"},
        {INT64_C(3) << 30, "3.0G"},
        {INT64_MAX, "8.0E"},
    };
    char buf[REPORT_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(report_size(cases[i].bytes, buf), cases[i].text);
}

static void test_ends(void **state)
{
    struct spec spec;
    struct unit u = {.spec = &spec};
    struct policy_end end = {.wstatus = SIGKILL};
    char buf[REPORT_END_MAX];

    (void)state;
    spec_defaults(&spec);
    assert_string_equal(report_end(&u, &end, buf), "killed by SIGKILL");
    end.oom_killed = true;
    assert_string_equal(report_end(&u, &end, buf), "killed by SIGKILL (out of memory)");
    spec.mem_limit = 64 << 20;
    assert_string_equal(report_end(&u, &end, buf), "killed by SIGKILL (out of memory, limit 64.0M)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
