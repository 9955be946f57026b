/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Parents that cannot be cured are left as they are, and it is said why.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/sys/unzombie_kit.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>

enum { OTHER_UID = 65533 };

/* The verdict on parent PID, for a zombie that is not there. */
static enum unzombie_verdict verdict_on(pid_t pid, int *errnum)
{
    const pid_t nobody = ZK_NO_PID;
    struct unzombie_result r;
    unzombie(pid, &nobody, 1, ZK_BUDGET_US, &r);
    if (errnum != NULL)
        *errnum = r.errnum;
    return r.verdict;
}

static void assert_refused(struct zk_parent *p, enum unzombie_verdict want)
{
    struct unzombie_result r;
    int errnum;
    assert_int_equal(unzombie_outlook(p->pid, &errnum), want);
    unzombie(p->pid, p->zombies, p->n, ZK_BUDGET_US, &r);
    if (r.verdict != want)
        fail_msg("%s (errno %d)", unzombie_verdict_text(r.verdict), r.errnum);
    assert_int_equal(r.n_tried, 0);
    assert_int_equal(r.n_reaped, 0);
    assert_false(unzombie_is_pending());
    for (size_t i = 0; i < p->n; i++)
        assert_true(zk_is_there(p->zombies[i]));
}

static void every_verdict_has_its_words(void **state UNUSED)
{
    for (int i = 0; i < UNZOMBIE_VERDICT_N; i++) {
        assert_non_null(unzombie_verdict_text((enum unzombie_verdict)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(unzombie_verdict_text((enum unzombie_verdict)i),
                                    unzombie_verdict_text((enum unzombie_verdict)j));
    }
}

static void what_no_parent_can_be_is_a_mistake(void **state UNUSED)
{
    const pid_t parents[] = {-1, 0, 1, getpid()}, zombies[] = {-1, 0, 1};
    static pid_t many[UNZOMBIE_MAX + 1];
    struct unzombie_result r;
    int errnum;
    for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
        assert_int_equal(verdict_on(parents[i], &errnum), UNZOMBIE_FAILED);
        assert_int_equal(errnum, EINVAL);
    }
    for (size_t i = 0; i < ARRAY_LEN(zombies); i++) {
        unzombie(ZK_NO_PID, &zombies[i], 1, ZK_BUDGET_US, &r);
        assert_int_equal(r.verdict, UNZOMBIE_FAILED);
        assert_int_equal(r.errnum, EINVAL);
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = ZK_NO_PID;
    unzombie(ZK_NO_PID, many, ARRAY_LEN(many), ZK_BUDGET_US, &r);
    assert_int_equal(r.verdict, UNZOMBIE_FAILED);
}

static int at_once(const struct zk_world *w UNUSED)
{
    return 0;
}

static void who_has_ended_is_gone(void **state UNUSED)
{
    struct zk_parent p;
    assert_int_equal(verdict_on(ZK_NO_PID, NULL), UNZOMBIE_GONE);
    zk_start(&p, 1, at_once);
    zk_await_state(p.pid, 'Z');
    assert_int_equal(verdict_on(p.pid, NULL), UNZOMBIE_GONE);
    assert_int_equal(zk_end(&p), 0);
}

static int busy(const struct zk_world *w)
{
    const volatile int *word = w->word;
    while (*word == 0)
        continue;
    return 0;
}

static void who_runs_is_left_alone(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 1, busy);
    zk_await_state(p.pid, 'R');
    assert_refused(&p, UNZOMBIE_BUSY);
    zk_assert_free(p.pid);
    *p.word = 1;
    assert_int_equal(zk_end(&p), 0);
}

/* Its child has its memory, until that ends: state D. */
static int in_vfork(const struct zk_world *w)
{
    pid_t child = vfork();
    if (child == 0) {
        char c;
        _exit(read(w->go_fd, &c, 1) == 1 ? 0 : 1);
    }
    return child > 0 ? 0 : 1;
}

static void who_cannot_be_interrupted_is_left_alone(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 1, in_vfork);
    zk_await_state(p.pid, 'D');
    assert_refused(&p, UNZOMBIE_BUSY);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void who_is_stopped_stays_stopped(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 1, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    assert_int_equal(kill(p.pid, SIGSTOP), 0);
    zk_await_state(p.pid, 'T');
    assert_refused(&p, UNZOMBIE_SUSPENDED);
    assert_int_equal(zk_state(p.pid), 'T');
    assert_int_equal(kill(p.pid, SIGCONT), 0);
    zk_await_call(p.pid, SYS_read, SYS_read);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void who_is_traced_stays_with_the_tracer(void **state UNUSED)
{
    struct zk_parent p;
    int told[2];
    char c;
    zk_start(&p, 1, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t tracer = fork();
    if (tracer == 0) {
        REQUIRE(ptrace(PTRACE_SEIZE, p.pid, NULL, NULL) == 0);
        REQUIRE(write(told[1], "t", 1) == 1);
        pause();
    }
    close(told[1]);
    assert_int_equal(read(told[0], &c, 1), 1);
    close(told[0]);
    assert_refused(&p, UNZOMBIE_TRACED);
    assert_int_equal(kill(tracer, SIGKILL), 0);
    assert_int_equal(kit_wait(tracer), -SIGKILL);
    zk_cure(&p);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

/* ------------------------------------------------------------------ seccomp */

/* Installs a filter for the calling thread that gives system call NUMBER the errno ERRNUM, and allows all others. */
static void filter(long number, int errnum)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
}

static int with_a_filter(const struct zk_world *w)
{
    filter(SYS_wait4, EPERM);
    return zk_read_go(w);
}

static void who_has_more_filters_is_left_alone(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 1, with_a_filter);
    zk_await_call(p.pid, SYS_read, SYS_read);
    assert_refused(&p, UNZOMBIE_SECCOMP);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

/* Cures the parent that ARG is; with a filter of our own that is as many as it has. */
static void cure_with_as_many_filters(void *arg)
{
    struct zk_parent *p = arg;
    struct unzombie_result r;
    filter(SYS_getppid, EPERM);
    unzombie(p->pid, p->zombies, p->n, ZK_BUDGET_US, &r);
    REQUIRE(r.verdict == UNZOMBIE_FAILED && r.errnum == EPERM && r.n_tried == 1 && r.n_reaped == 0);
    REQUIRE(!unzombie_is_pending());
}

static void what_a_filter_answers_is_told(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 1, with_a_filter);
    zk_await_call(p.pid, SYS_read, SYS_read);
    assert_true(kit_isolated(cure_with_as_many_filters, &p));
    zk_assert_free(p.pid);
    assert_true(zk_is_there(p.zombies[0]));
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void cure_without_ptrace(void *arg)
{
    struct zk_parent *p = arg;
    struct unzombie_result r;
    filter(SYS_ptrace, EPERM);
    REQUIRE(unzombie_probe() == EPERM);
    unzombie(p->pid, p->zombies, p->n, ZK_BUDGET_US, &r);
    REQUIRE(r.verdict == UNZOMBIE_REFUSED && r.errnum == EPERM && r.n_tried == 0);
    REQUIRE(!unzombie_is_pending());
}

static void without_ptrace_the_kernel_refuses(void **state UNUSED)
{
    struct zk_parent p;
    zk_start(&p, 1, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    assert_true(kit_isolated(cure_without_ptrace, &p));
    zk_assert_free(p.pid);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

/* ------------------------------------------------------------------ whose it is */

static int not_dumpable(const struct zk_world *w)
{
    REQUIRE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    return zk_read_go(w);
}

/* Cures ARG as another user, or as the one that we are if that is not root, without any privilege. */
static void cure_unprivileged(void *arg)
{
    struct zk_parent *p = arg;
    struct unzombie_result r;
    if (geteuid() == 0)
        REQUIRE(setresuid(OTHER_UID, OTHER_UID, OTHER_UID) == 0);
    unzombie(p->pid, p->zombies, p->n, ZK_BUDGET_US, &r);
    REQUIRE(r.verdict == UNZOMBIE_REFUSED && (r.errnum == EPERM || r.errnum == EACCES) && r.n_tried == 0);
}

static void who_is_not_ours_to_trace_is_left_alone(void **state UNUSED)
{
    static zk_body *const bodies[] = {not_dumpable, zk_read_go};
    /* The parents are ours otherwise: that of an ordinary user cannot be another's. */
    for (size_t i = 0; i < (geteuid() == 0 ? 2 : 1); i++) {
        struct zk_parent p;
        zk_start(&p, 1, bodies[i]);
        if (geteuid() == 0)
            zk_await_call(p.pid, SYS_read, SYS_read);
        else
            zk_await_state(p.pid, 'S');
        assert_true(kit_isolated(cure_unprivileged, &p));
        zk_go(&p);
        assert_int_equal(zk_end(&p), 0);
    }
}

/* Makes its child the parent, as the first process of a new pid namespace. */
static int in_a_namespace(const struct zk_world *w)
{
    int flags = geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWPID;
    pid_t child = unshare(flags) == 0 ? fork() : -1;
    if (child == 0)
        _exit(zk_read_go(w));
    REQUIRE(write(w->say_fd, &child, sizeof child) == (ssize_t)sizeof child);
    return child < 0 || kit_wait(child) == 0 ? 0 : 1;
}

static void who_counts_processes_differently_is_left_alone(void **state UNUSED)
{
    struct zk_parent p;
    pid_t inner = 0;
    zk_start(&p, 0, in_a_namespace);
    assert_int_equal(read(p.said_fd, &inner, sizeof inner), (ssize_t)sizeof inner);
    if (inner < 0) {
        assert_int_equal(zk_end(&p), 0);
        print_message("SKIP: no new pid namespaces here\n");
        skip();
    }
    zk_await_state(inner, 'S');
    assert_int_equal(verdict_on(inner, NULL), UNZOMBIE_NAMESPACE);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict_has_its_words),
        cmocka_unit_test(what_no_parent_can_be_is_a_mistake),
        cmocka_unit_test(who_has_ended_is_gone),
        cmocka_unit_test(who_runs_is_left_alone),
        cmocka_unit_test(who_cannot_be_interrupted_is_left_alone),
        cmocka_unit_test(who_is_stopped_stays_stopped),
        cmocka_unit_test(who_is_traced_stays_with_the_tracer),
        cmocka_unit_test(who_has_more_filters_is_left_alone),
        cmocka_unit_test(what_a_filter_answers_is_told),
        cmocka_unit_test(without_ptrace_the_kernel_refuses),
        cmocka_unit_test(who_is_not_ours_to_trace_is_left_alone),
        cmocka_unit_test(who_counts_processes_differently_is_left_alone),
    };
    if (unzombie_probe() != 0) {
        printf("SKIP: %s\n", strerror(unzombie_probe()));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
