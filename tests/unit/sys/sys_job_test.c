/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The wrappers for job control: groups, sessions, terminals, stopping, and signals that wait to be taken.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/sys.h"

#include "unit/sys/pty_kit.h"

#include <sys/prctl.h>

static void killing_a_group_spares_our_own(void **state UNUSED)
{
    const pid_t cases[] = {0, 1, -1, -2, INT_MIN, getpgrp()};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        errno = 0;
        assert_int_equal(sys_kill_group(cases[i], 0), -1);
        assert_int_equal(errno, EINVAL);
    }
    errno = 0;
    assert_int_equal(sys_kill_group(INT_MAX, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* A group of two: its leader, and a process that says with GO where it is and waits to be killed. */
static void group_is_signalled_as_a_whole(void **state UNUSED)
{
    int alive[2];
    char c;
    assert_int_equal(sys_pipe(alive, 0), 0);
    pid_t leader = sys_fork();
    assert_int_not_equal(leader, -1);
    if (leader == 0) {
        REQUIRE(sys_setpgid(0, 0) == 0);
        REQUIRE(sys_fork() != -1);
        REQUIRE(write(alive[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    close(alive[1]);
    assert_int_equal(sys_read(alive[0], &c, 1), 1);
    assert_int_equal(sys_read(alive[0], &c, 1), 1);
    assert_int_equal(sys_getpgid(leader), leader);
    assert_int_equal(sys_getsid(leader), getsid(0));
    assert_int_equal(sys_kill_group(leader, 0), 0);
    assert_int_equal(sys_kill_group(leader, SIGKILL), 0);
    assert_int_equal(kit_wait(leader), -SIGKILL);
    /* The end of the pipe is the end of the last of them. */
    assert_int_equal(sys_read(alive[0], &c, 1), 0);
    close(alive[0]);
}

static void own_group_includes_ourselves(void **state UNUSED)
{
    pid_t pid = sys_fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        REQUIRE(sys_setpgid(0, 0) == 0);
        int r = sys_kill_own_group(SIGKILL);
        _exit(r == 0 ? 3 : 4);
    }
    assert_int_equal(kit_wait(pid), -SIGKILL);
}

static void group_is_set_from_outside(void **state UNUSED)
{
    int go[2];
    char c;
    assert_int_equal(sys_pipe(go, 0), 0);
    pid_t pid = sys_fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        close(go[1]);
        REQUIRE(sys_read(go[0], &c, 1) == 0);
        _exit(sys_getpgid(0) == sys_getpid() ? 6 : 7);
    }
    close(go[0]);
    assert_int_equal(sys_getpgid(pid), getpgrp());
    assert_int_equal(sys_setpgid(pid, pid), 0);
    close(go[1]);
    assert_int_equal(kit_wait(pid), 6);
    errno = 0;
    assert_int_equal(sys_setpgid(pid, pid), -1);
    assert_int_equal(errno, ESRCH);
}

static void stopping_ourselves(void **state UNUSED)
{
    siginfo_t info;
    pid_t pid = sys_fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        sys_raise(SIGSTOP);
        _exit(5);
    }
    assert_int_equal(sys_waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED), 0);
    assert_int_equal(info.si_code, CLD_STOPPED);
    assert_int_equal(info.si_status, SIGSTOP);
    assert_int_equal(sys_kill(pid, SIGCONT), 0);
    assert_int_equal(kit_wait(pid), 5);
}

static void parent_and_its_death(void *arg UNUSED)
{
    int sig = -1;
    pid_t parent = sys_getpid();
    REQUIRE(sys_set_parent_death_signal(SIGUSR2) == 0);
    REQUIRE(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == SIGUSR2);
    REQUIRE(sys_set_parent_death_signal(0) == 0);
    REQUIRE(prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == 0);
    pid_t pid = sys_fork();
    if (pid == 0)
        _exit(sys_getppid() == parent ? 0 : 1);
    REQUIRE(pid != -1 && kit_wait(pid) == 0);
}

static void parents(void **state UNUSED)
{
    assert_true(kit_isolated(parent_and_its_death, NULL));
}

static void signals_are_taken_one_by_one(void *arg UNUSED)
{
    const int signals[] = {SIGUSR1, SIGTERM, SIGRTMIN, SIGRTMAX};
    sigset_t set, pending;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaddset(&set, signals[i]);
    REQUIRE(sys_sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    REQUIRE(sys_take_signal(&set) == -1 && errno == EAGAIN);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        REQUIRE(sys_sigpending(&pending) == 0 && sigismember(&pending, signals[i]) == 0);
        REQUIRE(kill(getpid(), signals[i]) == 0);
        REQUIRE(sys_sigpending(&pending) == 0 && sigismember(&pending, signals[i]) == 1);
        REQUIRE(sys_take_signal(&set) == signals[i]);
    }
    REQUIRE(sys_take_signal(&set) == -1 && errno == EAGAIN);
}

static void pending_signals(void **state UNUSED)
{
    assert_true(kit_isolated(signals_are_taken_one_by_one, NULL));
}

static void terminal_is_taken_and_dropped(void *arg UNUSED)
{
    int master, slave;
    REQUIRE(pty_kit_open(&master, &slave));
    REQUIRE(sys_setsid() == getpid() && sys_getsid(0) == getpid());
    REQUIRE(sys_tcgetpgrp(slave) == -1 && errno == ENOTTY);
    REQUIRE(sys_take_terminal(slave) == 0);
    REQUIRE(sys_tcgetpgrp(slave) == getpid());

    pid_t pid = sys_fork();
    if (pid == 0) {
        /* Another session cannot take what this one has, not even as root. */
        REQUIRE(sys_setsid() != -1);
        REQUIRE(sys_take_terminal(slave) == -1 && errno == EPERM);
        _exit(0);
    }
    REQUIRE(pid != -1 && kit_wait(pid) == 0);

    pid = sys_fork();
    if (pid == 0) {
        sigset_t ttou;
        sigemptyset(&ttou);
        sigaddset(&ttou, SIGTTOU);
        REQUIRE(sys_sigprocmask(SIG_BLOCK, &ttou, NULL) == 0);
        REQUIRE(sys_setpgid(0, 0) == 0);
        REQUIRE(sys_tcsetpgrp(slave, getpid()) == 0 && sys_tcgetpgrp(slave) == getpid());
        REQUIRE(sys_tcsetpgrp(slave, getppid()) == 0 && sys_tcgetpgrp(slave) == getppid());
        _exit(0);
    }
    REQUIRE(pid != -1 && kit_wait(pid) == 0);

    /* We lead the session and are in its foreground. */
    sigset_t hup;
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    REQUIRE(sys_sigprocmask(SIG_BLOCK, &hup, NULL) == 0);
    REQUIRE(sys_drop_terminal(slave) == 0);
    REQUIRE(sys_take_signal(&hup) == SIGHUP);
    REQUIRE(sys_tcgetpgrp(slave) == -1 && errno == ENOTTY);
    REQUIRE(sys_drop_terminal(slave) == -1 && errno == ENOTTY);
    REQUIRE(sys_take_terminal(STDIN_FILENO) == -1 || isatty(STDIN_FILENO));
}

static void terminals(void **state UNUSED)
{
    if (pty_kit_available("terminals"))
        assert_true(kit_isolated(terminal_is_taken_and_dropped, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killing_a_group_spares_our_own),
        cmocka_unit_test(group_is_signalled_as_a_whole),
        cmocka_unit_test(own_group_includes_ourselves),
        cmocka_unit_test(group_is_set_from_outside),
        cmocka_unit_test(stopping_ourselves),
        cmocka_unit_test(parents),
        cmocka_unit_test(pending_signals),
        cmocka_unit_test(terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
