/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Parents to whom something happens while they are cured: signals come, they are suspended, killed, or execute another
 * program. Nothing of it is lost, and they are let go. A helper does these things at random moments.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/unzombie_impl.h"

#include "support/seed.h"
#include "unit/sys/unzombie_kit.h"

enum { N_SIGNALS = 400, N_ROUNDS = 12, SPIN_MAX = 20000 };

static uint64_t seed;

/* Lets a random time pass in which nothing can be waited for, for it is to be no particular moment. */
static void spin(uint64_t *state)
{
    for (volatile uint64_t n = test_rand_below(state, SPIN_MAX); n > 0; n--)
        continue;
}

/* Waits for nobody, as long as PID is there to do so. */
static void cure_for_nothing(pid_t pid)
{
    const pid_t nobody = ZK_NO_PID;
    struct unzombie_result r;
    unzombie(pid, &nobody, 1, ZK_BUDGET_US, &r);
    assert_int_not_equal(r.verdict, UNZOMBIE_FAILED);
}

/* Whether PID has ended. It stays a zombie. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid != 0;
}

/* ------------------------------------------------------------------ signals */

static volatile sig_atomic_t n_caught, sum;

static void add(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    n_caught++;
    sum += info->si_value.sival_int;
}

/* Between the look at the count and the call signals are blocked, so none can be missed by the program's own fault. */
static int count_signals(const struct zk_world *w)
{
    const struct sigaction act = {.sa_sigaction = add, .sa_flags = SA_SIGINFO};
    sigset_t none, blocked;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    REQUIRE(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    REQUIRE(sigaction(SIGRTMIN, &act, NULL) == 0);
    REQUIRE(write(w->say_fd, "r", 1) == 1);
    while (n_caught < N_SIGNALS)
        REQUIRE(sigsuspend(&none) == -1 && errno == EINTR);
    return sum == N_SIGNALS * (N_SIGNALS - 1) / 2 ? 0 : 1;
}

/* As many programs do it: each signal ends a read, or comes outside of one. The last one writes the byte. */
static int count_signals_while_reading(const struct zk_world *w)
{
    const struct sigaction act = {.sa_sigaction = add, .sa_flags = SA_SIGINFO};
    char c;
    REQUIRE(sigaction(SIGRTMIN, &act, NULL) == 0);
    REQUIRE(write(w->say_fd, "r", 1) == 1);
    while (read(w->go_fd, &c, 1) != 1)
        REQUIRE(errno == EINTR);
    return n_caught == N_SIGNALS && sum == N_SIGNALS * (N_SIGNALS - 1) / 2 ? 0 : 1;
}

/* Who has ended by the last signal does not read any more. */
static void say_that_is_all(const struct zk_parent *p)
{
    signal(SIGPIPE, SIG_IGN);
    REQUIRE(write(p->go_fd, "g", 1) == 1 || errno == EPIPE);
}

static void send_signals(const struct zk_parent *p, uint64_t state)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        REQUIRE(sigqueue(p->pid, SIGRTMIN, (union sigval){.sival_int = i}) == 0);
        spin(&state);
    }
    say_that_is_all(p);
}

static void send_stops(const struct zk_parent *p, uint64_t state)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        REQUIRE(kill(p->pid, test_rand_below(&state, 2) == 0 ? SIGSTOP : SIGTSTP) == 0);
        spin(&state);
        REQUIRE(kill(p->pid, SIGCONT) == 0);
        spin(&state);
    }
    say_that_is_all(p);
}

static void with_signals(zk_body *body, void (*disturb)(const struct zk_parent *p, uint64_t state))
{
    struct zk_parent p;
    char c;
    zk_start(&p, 0, body);
    if (body != zk_read_go)
        assert_int_equal(read(p.said_fd, &c, 1), 1);
    pid_t helper = fork();
    if (helper == 0) {
        disturb(&p, test_rand(&seed));
        _exit(0);
    }
    test_rand(&seed);
    for (int64_t end = zk_now_s() + ZK_GUARD_S; !has_ended(p.pid);) {
        assert_true(zk_now_s() <= end);
        cure_for_nothing(p.pid);
        unzombie_settle();
    }
    zk_settle();
    assert_int_equal(kit_wait(helper), 0);
    assert_int_equal(zk_end(&p), 0);
}

static void no_signal_is_lost(void **state UNUSED)
{
    with_signals(count_signals, send_signals);
    with_signals(count_signals_while_reading, send_signals);
}

static void who_is_suspended_and_continued_goes_on(void **state UNUSED)
{
    with_signals(zk_read_go, send_stops);
}

/* ------------------------------------------------------------------ deaths */

static pid_t kill_soon(pid_t pid, int sig)
{
    uint64_t state = test_rand(&seed);
    pid_t helper = fork();
    if (helper == 0) {
        spin(&state);
        spin(&state);
        REQUIRE(kill(pid, sig) == 0);
        _exit(0);
    }
    return helper;
}

static void a_child_that_is_killed_can_be_waited_for(void **state UNUSED)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        struct zk_parent p;
        zk_start(&p, 0, zk_read_go);
        zk_await_call(p.pid, SYS_read, SYS_read);
        pid_t helper = kill_soon(p.pid, SIGKILL);
        while (!has_ended(p.pid)) {
            cure_for_nothing(p.pid);
            unzombie_settle();
        }
        zk_settle();
        assert_int_equal(zk_end(&p), -SIGKILL);
        assert_int_equal(kit_wait(helper), 0);
    }
}

/* Says the number of its child, and then what became of that. */
static int with_a_child(const struct zk_world *w)
{
    pid_t child = fork();
    if (child == 0)
        _exit(zk_read_go(w));
    REQUIRE(write(w->say_fd, &child, sizeof child) == (ssize_t)sizeof child);
    return kit_wait(child) == -SIGKILL ? 0 : 1;
}

static void who_is_killed_is_told_to_its_own_parent(void **state UNUSED)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        struct zk_parent p;
        pid_t inner = 0;
        zk_start(&p, 0, with_a_child);
        assert_int_equal(read(p.said_fd, &inner, sizeof inner), (ssize_t)sizeof inner);
        zk_await_call(inner, SYS_read, SYS_read);
        pid_t helper = kill_soon(inner, SIGKILL);
        while (!has_ended(p.pid)) {
            cure_for_nothing(inner);
            unzombie_settle();
        }
        zk_settle();
        assert_int_equal(zk_end(&p), 0);
        assert_int_equal(kit_wait(helper), 0);
    }
}

/* ------------------------------------------------------------------ exec */

static void execute(int sig)
{
    (void)sig;
    execl("/bin/cat", "cat", (char *)NULL);
    _exit(127);
}

static int will_execute(const struct zk_world *w)
{
    const struct sigaction act = {.sa_handler = execute};
    REQUIRE(dup2(w->go_fd, STDIN_FILENO) == STDIN_FILENO);
    REQUIRE(sigaction(SIGUSR1, &act, NULL) == 0);
    (void)pause();
    return 1;
}

static void who_executes_a_program_goes_on_with_that(void **state UNUSED)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        struct zk_parent p;
        zk_start(&p, 0, will_execute);
        zk_await_state(p.pid, 'S');
        pid_t helper = kill_soon(p.pid, SIGUSR1);
        for (int end = i + 2; i < end; end--)
            cure_for_nothing(p.pid);
        while (zk_call(p.pid) != SYS_read) {
            cure_for_nothing(p.pid);
            unzombie_settle();
        }
        cure_for_nothing(p.pid);
        zk_settle();
        zk_assert_free(p.pid);
        assert_int_equal(kit_wait(helper), 0);
        close(p.go_fd);
        p.go_fd = -1;
        assert_int_equal(zk_end(&p), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_signal_is_lost),
        cmocka_unit_test(who_is_suspended_and_continued_goes_on),
        cmocka_unit_test(a_child_that_is_killed_can_be_waited_for),
        cmocka_unit_test(who_is_killed_is_told_to_its_own_parent),
        cmocka_unit_test(who_executes_a_program_goes_on_with_that),
    };
    if (unzombie_probe() != 0) {
        printf("SKIP: %s\n", strerror(unzombie_probe()));
        return 77;
    }
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
