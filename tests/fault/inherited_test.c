/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Taking over what was inherited while each call is refused in turn: what the kernel does not tell counts as usual, and
 * no descriptor that is ours is ever closed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fault/support/fault.h"
#include "sys/inherited.h"
#include "unit/sys/kit.h"

#include <sys/resource.h>

enum { ALL = 1000 };

static const int ignored[] = {SIGPIPE, SIGUSR2, 63};

static void take(void *arg UNUSED, const struct fault_rule *rule)
{
    struct inherited got;
    memset(&got, 0xff, sizeof got);
    inherited_take(&got);

    bool no_mask = rule != NULL && rule->call == FAULT_sys_sigprocmask;
    assert_int_equal(sigismember(&got.signals.mask, SIGUSR1), !no_mask);
    assert_int_equal(sigismember(&got.signals.mask, SIGTERM), 0);
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        bool untold = rule != NULL && rule->call == FAULT_sys_signal_is_ignored && rule->nth == (unsigned)ignored[i];
        assert_int_equal(sigismember(&got.signals.ignored, ignored[i]), !untold);
    }
    assert_int_equal(sigismember(&got.signals.ignored, SIGTERM), 0);
    for (int fd = 0; fd < 3; fd++)
        assert_false(got.closed[fd]);
}

static void what_is_not_told_is_as_usual(void **state UNUSED)
{
    struct sigaction old_actions[ARRAY_LEN(ignored)];
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t usr1, old_mask;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    assert_int_equal(sigprocmask(SIG_SETMASK, &usr1, &old_mask), 0);
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        assert_int_equal(sigaction(ignored[i], &ignore, &old_actions[i]), 0);
    fault_each(NULL, 0, ALL, take, NULL);
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        assert_int_equal(sigaction(ignored[i], &old_actions[i], NULL), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old_mask, NULL), 0);
}

/* The first ones are ours, the others come from elsewhere. */
enum { FIRST = 300, N_OURS = 2, N_STRAYS = 3, N = N_OURS + N_STRAYS };

/* How many of the strays may be left when the call of RULE is refused. */
static int n_left(const struct fault_rule *rule)
{
    if (rule != NULL && rule->call == FAULT_sys_fcntl)
        return 1; /* at most the one that was asked about */
    return rule != NULL && rule->call == FAULT_sys_prlimit_get ? N_STRAYS : 0;
}

static void close_strays(void *arg UNUSED, const struct fault_rule *rule)
{
    int left = 0;
    for (int i = 0; i < N; i++)
        assert_int_equal(fcntl(STDERR_FILENO, i < N_OURS ? F_DUPFD_CLOEXEC : F_DUPFD, FIRST + i), FIRST + i);
    inherited_close_fds();
    for (int fd = 0; fd < 3; fd++)
        assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    for (int i = 0; i < N; i++) {
        bool is_open = close(FIRST + i) == 0;
        if (i < N_OURS)
            assert_true(is_open);
        else
            left += is_open;
    }
    assert_in_range(left, 0, n_left(rule));
}

/* Who started this program may have left something open that is not to be counted. */
static void mark_others(void)
{
    for (int fd = 3; fd < 4096; fd++) {
        if (fcntl(fd, F_GETFD) != -1)
            assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    }
}

static void ours_stay_open(void **state UNUSED)
{
    mark_others();
    fault_each(NULL, 0, ALL, close_strays, NULL);
}

static void ours_stay_open_without_a_list(void **state UNUSED)
{
    static const struct fault_rule no_getdents = {FAULT_PARENT, FAULT_sys_getdents, 1, true, ENOSYS};
    struct rlimit old, low;

    mark_others();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = FIRST + N + 10;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    fault_each(&no_getdents, 1, ALL, close_strays, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_not_told_is_as_usual, fault_teardown),
        cmocka_unit_test_teardown(ours_stay_open, fault_teardown),
        cmocka_unit_test_teardown(ours_stay_open_without_a_list, fault_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
