/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The restart policy: every policy against every kind of end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/policy.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { CODE = 8 }; /* an exit code c is c << 8 in a wait status */

/* Successes are 0, 3 and SIGHUP; 4, 5 and SIGABRT are never restarted, and 5 is a success as well. */
static struct spec make_spec(enum spec_restart_policy policy, int64_t max_attempts)
{
    struct spec s;

    memset(&s, 0, sizeof s);
    spec_defaults(&s);
    s.restart.policy = policy;
    s.restart.max_attempts = max_attempts;
    spec_exits_add_code(&s.success_exit_codes, 0);
    spec_exits_add_code(&s.success_exit_codes, 3);
    spec_exits_add_code(&s.success_exit_codes, 5);
    spec_exits_add_signal(&s.success_exit_codes, SIGHUP);
    spec_exits_add_code(&s.no_restart_exit_codes, 4);
    spec_exits_add_code(&s.no_restart_exit_codes, 5);
    spec_exits_add_signal(&s.no_restart_exit_codes, SIGABRT);
    return s;
}

static void test_policies_and_ends(void **state)
{
    enum { R = POLICY_RESTART, D = POLICY_DONE, F = POLICY_FAILED, T = POLICY_RETRY };
    static const struct {
        struct policy_end end;
        int verdicts[SPEC_RESTART_N]; /* no, on-failure, always, unless-stopped */
        bool success;
    } cases[] = {
        {{.cause = POLICY_EXITED, .wstatus = 0}, {D, D, R, R}, true},
        {{.cause = POLICY_EXITED, .wstatus = 3 << CODE}, {D, D, R, R}, true},
        {{.cause = POLICY_EXITED, .wstatus = SIGHUP}, {D, D, R, R}, true},
        {{.cause = POLICY_EXITED, .wstatus = 1 << CODE}, {F, R, R, R}, false},
        {{.cause = POLICY_EXITED, .wstatus = 255 << CODE}, {F, R, R, R}, false},
        {{.cause = POLICY_EXITED, .wstatus = SIGTERM}, {F, R, R, R}, false},
        {{.cause = POLICY_EXITED, .wstatus = SIGSEGV | 0x80}, {F, R, R, R}, false},
        {{.cause = POLICY_EXITED, .wstatus = 4 << CODE}, {F, F, F, F}, false},
        {{.cause = POLICY_EXITED, .wstatus = 5 << CODE}, {F, F, F, F}, true},
        {{.cause = POLICY_EXITED, .wstatus = SIGABRT}, {F, F, F, F}, false},
        {{.cause = POLICY_TIMED_OUT}, {F, R, R, R}, false},
        {{.cause = POLICY_NO_DAEMON}, {F, R, R, R}, false},
        {{.cause = POLICY_NO_EXEC, .errnum = ENOENT}, {F, F, F, F}, false},
        {{.cause = POLICY_NO_EXEC, .errnum = EAGAIN}, {T, T, T, T}, false},
        {{.cause = POLICY_NO_EXEC, .errnum = EAGAIN, .forked = true}, {F, F, F, F}, false},
        {{.cause = POLICY_NO_EXEC, .errnum = ENOMEM, .forked = true}, {T, T, T, T}, false},
        {{.cause = POLICY_ASKED, .wstatus = SIGKILL}, {D, D, D, D}, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int p = 0; p < SPEC_RESTART_N; p++) {
            struct spec s = make_spec((enum spec_restart_policy)p, 0);
            assert_int_equal(policy_decide(&s, &cases[i].end, 1000), cases[i].verdicts[p]);
            assert_int_equal(policy_is_success(&s, &cases[i].end), cases[i].success);
        }
}

static void test_attempts(void **state)
{
    static const struct {
        int64_t max;
        uint64_t done;
        enum policy_verdict verdict;
    } cases[] = {
        {0, 0, POLICY_RESTART}, {0, UINT64_MAX, POLICY_RESTART}, {1, 0, POLICY_RESTART}, {1, 1, POLICY_GAVE_UP},
        {5, 4, POLICY_RESTART}, {5, 5, POLICY_GAVE_UP},          {5, 6, POLICY_GAVE_UP}, {INT64_MAX, 7, POLICY_RESTART},
    };
    struct policy_end end = {.cause = POLICY_EXITED, .wstatus = 1 << CODE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec s = make_spec(SPEC_RESTART_ON_FAILURE, cases[i].max);
        assert_int_equal(policy_decide(&s, &end, cases[i].done), cases[i].verdict);
    }
}

static void test_temporary_errors(void **state)
{
    static const int temporary[] = {EAGAIN, ENOMEM, EMFILE, ENFILE, EINTR, ETXTBSY, EIO, EBUSY, ENOSPC};
    unsigned n = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(temporary); i++)
        assert_true(policy_errno_is_temporary(temporary[i], false));
    for (int e = -1; e < 200; e++) {
        n += policy_errno_is_temporary(e, false);
        assert_int_equal(policy_errno_is_temporary(e, true), e != EAGAIN && policy_errno_is_temporary(e, false));
    }
    assert_int_equal(n, ARRAY_LEN(temporary));
}

static void test_steadiness(void **state)
{
    static const struct {
        int64_t delay_ms, reset_after_ms, uptime_ms;
        bool steady;
    } cases[] = {
        {500, 10000, 9999, false}, {500, 10000, 10000, true}, {500, 0, 0, true},      {0, 0, 0, false},
        {0, 0, 999, false},        {0, 0, 1000, true},        {0, 5000, 4999, false}, {0, 5000, 5000, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec s = make_spec(SPEC_RESTART_ALWAYS, 0);
        s.restart.delay_ms = cases[i].delay_ms;
        s.restart.reset_after_ms = cases[i].reset_after_ms;
        assert_int_equal(policy_is_steady(&s, cases[i].uptime_ms), cases[i].steady);
    }
}

static void test_exit_codes(void **state)
{
    static const struct {
        struct policy_end end;
        bool success;
        int code;
    } cases[] = {
        {{.cause = POLICY_EXITED, .wstatus = 0}, true, 0},
        {{.cause = POLICY_EXITED, .wstatus = 0}, false, 1}, /* gave up after an end that was a success */
        {{.cause = POLICY_EXITED, .wstatus = 3 << CODE}, true, 3},
        {{.cause = POLICY_EXITED, .wstatus = 3 << CODE}, false, 3},
        {{.cause = POLICY_EXITED, .wstatus = SIGTERM}, true, 143},
        {{.cause = POLICY_EXITED, .wstatus = SIGSEGV | 0x80}, false, 139},
        {{.cause = POLICY_NO_EXEC, .errnum = ENOENT}, false, 127},
        {{.cause = POLICY_NO_EXEC, .errnum = EACCES}, false, 126},
        {{.cause = POLICY_TIMED_OUT, .wstatus = SIGTERM}, false, 1},
        {{.cause = POLICY_NO_DAEMON, .wstatus = 0}, false, 1},
        {{.cause = POLICY_ASKED}, false, 1},
        {{.cause = POLICY_ASKED}, true, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(policy_exit_code(&cases[i].end, cases[i].success), cases[i].code);
    assert_int_equal(policy_status_code(SIGSTOP << CODE | 0x7f), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies_and_ends), cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_temporary_errors),  cmocka_unit_test(test_steadiness),
        cmocka_unit_test(test_exit_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
