/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Threads that do not come to a stop in time are let go when they do, whoever's child they are; what is made of them
 * meanwhile does not get lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/sys_ptrace.h"
#include "sys/unzombie_impl.h"

#include "unit/sys/unzombie_kit.h"

enum { N_HOLDS = 8 };

/* A look as the reaper has it. */
static siginfo_t look(void)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT), 0);
    return info;
}

/* Cannot be stopped before a byte comes: its child has its memory. Then it waits for the next one. */
static int in_vfork(const struct zk_world *w)
{
    pid_t child = vfork();
    if (child == 0) {
        char c;
        _exit(read(w->go_fd, &c, 1) == 1 ? 0 : 1);
    }
    return kit_wait(child) == 0 ? zk_read_go(w) : 1;
}

static int above_vfork(const struct zk_world *w)
{
    pid_t child = fork();
    if (child == 0)
        _exit(in_vfork(w));
    REQUIRE(write(w->say_fd, &child, sizeof child) == (ssize_t)sizeof child);
    int code = kit_wait(child);
    return code == 0 || code == -SIGKILL ? 0 : 1;
}

/* Traces PID and gives up before it can have stopped. */
static void hold_and_give_up(pid_t pid)
{
    zk_await_state(pid, 'D');
    struct unzombie_hold *h = unzombie_hold_begin(&(struct unzombie_target){.pid = pid, .tid = pid});
    assert_non_null(h);
    int errnum = 0;
    assert_int_equal(unzombie_hold_stop(h, 0, &errnum), UNZOMBIE_LATER);
    unzombie_hold_end(h, 0);
    assert_true(unzombie_is_pending());
    assert_ptr_equal(unzombie_hold_find(pid), h);
    unzombie_settle();
    assert_true(unzombie_is_pending());
}

static enum unzombie_verdict verdict_on(pid_t pid)
{
    struct unzombie_result r;
    unzombie(pid, &(const pid_t){ZK_NO_PID}, 1, ZK_BUDGET_US, &r);
    return r.verdict;
}

static void who_stops_later_is_let_go_then(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 0, in_vfork);
    hold_and_give_up(p.pid);
    assert_int_equal(verdict_on(p.pid), UNZOMBIE_LATER);
    zk_go(&p);
    siginfo_t info = look();
    assert_int_equal(info.si_pid, p.pid);
    assert_int_equal(info.si_code, CLD_TRAPPED);
    assert_true(unzombie_take(&info));
    assert_false(unzombie_is_pending());
    assert_false(unzombie_take(&info));
    zk_await_call(p.pid, SYS_read, SYS_read);
    zk_assert_free(p.pid);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static pid_t start_above(struct zk_parent *p)
{
    pid_t inner = 0;
    zk_start(p, 0, above_vfork);
    assert_int_equal(read(p->said_fd, &inner, sizeof inner), (ssize_t)sizeof inner);
    return inner;
}

static void who_is_no_child_of_ours_is_so_too(void **state UNUSED)
{
    struct zk_parent p;
    pid_t inner = start_above(&p);
    hold_and_give_up(inner);
    zk_go(&p);
    zk_settle();
    zk_await_call(inner, SYS_read, SYS_read);
    zk_assert_free(inner);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

/* Our own child is left to whoever reaps; another's is handed on, or its parent would never hear of it. */
static void who_dies_instead_is_told_to_its_parent(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 0, in_vfork);
    hold_and_give_up(p.pid);
    assert_int_equal(kill(p.pid, SIGKILL), 0);
    siginfo_t info = look();
    assert_int_equal(info.si_code, CLD_KILLED);
    assert_false(unzombie_take(&info));
    assert_false(unzombie_is_pending());
    assert_int_equal(zk_end(&p), -SIGKILL);

    pid_t inner = start_above(&p);
    hold_and_give_up(inner);
    assert_int_equal(kill(inner, SIGKILL), 0);
    info = look();
    assert_int_equal(info.si_pid, inner);
    assert_true(unzombie_take(&info));
    assert_false(unzombie_is_pending());
    assert_int_equal(zk_end(&p), 0);
}

static void only_so_many_are_held(void **state UNUSED)
{
    struct zk_parent p[N_HOLDS], more;
    for (size_t i = 0; i < N_HOLDS; i++) {
        zk_start(&p[i], 0, in_vfork);
        hold_and_give_up(p[i].pid);
    }
    zk_start(&more, 1, zk_read_go);
    zk_await_call(more.pid, SYS_read, SYS_read);
    assert_int_equal(verdict_on(more.pid), UNZOMBIE_LATER);
    for (size_t i = 0; i < N_HOLDS; i++)
        zk_go(&p[i]);
    zk_settle();
    zk_cure(&more);
    zk_go(&more);
    assert_int_equal(zk_end(&more), 0);
    for (size_t i = 0; i < N_HOLDS; i++) {
        zk_go(&p[i]);
        assert_int_equal(zk_end(&p[i]), 0);
    }
}

/* Should the instruction not be where it was found, the fault is ours, and the program never hears of it. */
static void a_fault_that_we_have_caused_is_not_told(void **state UNUSED)
{
    struct zk_parent p;
    sigset_t old;
    int errnum = 0;
    long result = 0;
    int64_t deadline_us = sys_now_us() + ZK_BUDGET_US;
    struct unzombie_target target;
    zk_start(&p, 0, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    unzombie_hold_block(&old);
    assert_int_equal(unzombie_target_choose(p.pid, &target, &errnum), UNZOMBIE_DONE);
    struct unzombie_hold *h = unzombie_hold_begin(&target);
    assert_non_null(h);
    assert_int_equal(unzombie_hold_stop(h, deadline_us, &errnum), UNZOMBIE_DONE);
    assert_int_equal(unzombie_hold_wait4(h, 8, ZK_NO_PID, deadline_us, &result, &errnum), UNZOMBIE_LATER);
    unzombie_hold_end(h, deadline_us);
    unzombie_hold_unblock(&old);
    assert_false(unzombie_is_pending());
    zk_await_call(p.pid, SYS_read, SYS_read);
    zk_assert_free(p.pid);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_stops_later_is_let_go_then),          cmocka_unit_test(who_is_no_child_of_ours_is_so_too),
        cmocka_unit_test(who_dies_instead_is_told_to_its_parent),  cmocka_unit_test(only_so_many_are_held),
        cmocka_unit_test(a_fault_that_we_have_caused_is_not_told),
    };
    if (unzombie_probe() != 0) {
        printf("SKIP: %s\n", strerror(unzombie_probe()));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
