/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a process is doing: the call that it is blocked in, its tracer, and what it does about SIGCHLD.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/procwait.h"

#include "unit/sys/unzombie_kit.h"

#include <poll.h>
#include <sys/ptrace.h>

enum { OTHER_UID = 65533 };

static struct procwait what_of(pid_t pid)
{
    struct procwait w;
    assert_true(procwait_read(pid, &w));
    return w;
}

static int in_poll(const struct zk_world *w)
{
    struct pollfd fd = {.fd = w->go_fd, .events = POLLIN};
    REQUIRE(poll(&fd, 1, -1) == 1);
    return 0;
}

static void tells_the_call(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 0, in_poll);
    zk_await_state(p.pid, 'S');
    struct procwait w = what_of(p.pid);
    assert_int_equal(w.state, 'S');
    assert_int_equal(w.call, zk_call(p.pid));
    assert_string_equal(w.call_name, procwait_call_name(w.call));
    assert_non_null(strstr(w.call_name, "poll"));
    assert_int_equal(w.n_threads, 1);
    assert_int_equal(w.tracer, 0);
    assert_false(w.ignores_sigchld || w.catches_sigchld || w.blocks_sigchld);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void calls_have_names(void **state UNUSED)
{
    assert_string_equal(procwait_call_name(SYS_read), "read");
    assert_string_equal(procwait_call_name(SYS_futex), "futex");
    assert_string_equal(procwait_call_name(SYS_clock_nanosleep), "clock_nanosleep");
    assert_null(procwait_call_name(SYS_getpid));
    assert_null(procwait_call_name(PROCWAIT_RUNNING));
    assert_null(procwait_call_name(PROCWAIT_UNKNOWN));
}

static int busy(const struct zk_world *w)
{
    const volatile int *word = w->word;
    while (*word == 0)
        continue;
    return 0;
}

static void who_runs_is_in_no_call(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 0, busy);
    zk_await_state(p.pid, 'R');
    struct procwait w = what_of(p.pid);
    assert_int_equal(w.state, 'R');
    assert_int_equal(w.call, PROCWAIT_RUNNING);
    assert_string_equal(w.call_name, "-");
    *p.word = 1;
    assert_int_equal(zk_end(&p), 0);
}

static void on_child(int sig UNUSED)
{
}

static int ignoring(const struct zk_world *w)
{
    signal(SIGCHLD, SIG_IGN);
    return zk_read_go(w);
}

static int catching_and_blocking(const struct zk_world *w)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    signal(SIGCHLD, on_child);
    REQUIRE(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    return zk_read_go(w);
}

static void tells_of_sigchld(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 0, ignoring);
    zk_await_call(p.pid, SYS_read, SYS_read);
    struct procwait w = what_of(p.pid);
    assert_true(w.ignores_sigchld && !w.catches_sigchld && !w.blocks_sigchld);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);

    zk_start(&p, 0, catching_and_blocking);
    zk_await_call(p.pid, SYS_read, SYS_read);
    w = what_of(p.pid);
    assert_true(!w.ignores_sigchld && w.catches_sigchld && w.blocks_sigchld);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void tells_the_tracer(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 0, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    assert_int_equal(ptrace(PTRACE_SEIZE, p.pid, NULL, NULL), 0);
    assert_int_equal(what_of(p.pid).tracer, getpid());
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

/* As another user, and a process that lets nobody look into it: both are refused. */
static void look_unprivileged(void *arg)
{
    const struct zk_parent *p = arg;
    struct procwait w;
    if (geteuid() == 0)
        REQUIRE(setresuid(OTHER_UID, OTHER_UID, OTHER_UID) == 0);
    REQUIRE(procwait_read(p->pid, &w));
    REQUIRE(w.state == 'S' && w.call == PROCWAIT_UNKNOWN && w.call_name[0] != '\0');
}

static int hidden(const struct zk_world *w)
{
    REQUIRE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    return zk_read_go(w);
}

static void what_may_not_be_known_is_unknown(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 0, hidden);
    zk_await_state(p.pid, 'S');
    assert_true(kit_isolated(look_unprivileged, &p));
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static int at_once(const struct zk_world *w UNUSED)
{
    return 0;
}

static void the_dead_do_nothing(void **state UNUSED)
{
    struct zk_parent p;
    struct procwait w;
    zk_start(&p, 0, at_once);
    zk_await_state(p.pid, 'Z');
    w = what_of(p.pid);
    assert_int_equal(w.state, 'Z');
    assert_null(procwait_call_name(w.call));
    assert_int_equal(zk_end(&p), 0);
    assert_false(procwait_read(ZK_NO_PID, &w));
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_call),         cmocka_unit_test(calls_have_names),
        cmocka_unit_test(who_runs_is_in_no_call), cmocka_unit_test(tells_of_sigchld),
        cmocka_unit_test(tells_the_tracer),       cmocka_unit_test(what_may_not_be_known_is_unknown),
        cmocka_unit_test(the_dead_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
