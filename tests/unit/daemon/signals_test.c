/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Every signal there is: what is blocked, what each asks for, and that SIGCHLD works however it was inherited.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/signals.h"
#include "sys/sys.h"

#include "unit/daemon/rig.h"
#include "unit/sys/kit.h"

enum { TOLD_MAX = 128, FIRST_REAL_TIME_POSSIBLE = 32 };

static struct signals signals;

static struct {
    struct {
        enum signals_request request;
        int sig;
        bool has_data;
    } items[TOLD_MAX];
    size_t n;
} told;

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};

static bool is_fault(int sig)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (faults[i] == sig)
            return true;
    return false;
}

/* The C libraries keep a few behind the classic ones for themselves, and valgrind the last one. */
static bool is_real(int sig)
{
    return sig < FIRST_REAL_TIME_POSSIBLE || (sig >= SIGRTMIN && sig <= SIGRTMAX - kit_under_valgrind());
}

static void on_request(enum signals_request request, int sig, void *data)
{
    if (told.n == TOLD_MAX)
        return;
    told.items[told.n].request = request;
    told.items[told.n].sig = sig;
    told.items[told.n].has_data = data == &told;
    told.n++;
}

static void start(void)
{
    struct err e = {0};
    told.n = 0;
    signals = (struct signals){.fd = -1, .on_request = on_request, .data = &told};
    assert_true(signals_start(&signals, rig.loop, &e));
}

static int begin(void **state)
{
    struct err e = {0};
    if (!signals_block(&e))
        return -1;
    return rig_begin(state);
}

static int end(void **state)
{
    signals_stop(&signals);
    return rig_end(state);
}

static void assert_told(size_t i, enum signals_request request, int sig)
{
    assert_true(i < told.n);
    assert_int_equal(told.items[i].sig, sig);
    assert_int_equal(told.items[i].request, request);
    assert_true(told.items[i].has_data);
}

static void all_but_the_faults_are_blocked(void **state)
{
    sigset_t mask;
    (void)state;
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        if (!is_real(sig))
            continue;
        bool expected = sig != SIGKILL && sig != SIGSTOP && !is_fault(sig);
        if (sigismember(&mask, sig) != expected)
            fail_msg("signal %d is%s blocked", sig, expected ? " not" : "");
    }
}

static enum signals_request expected_request(int sig)
{
    switch (sig) {
    case SIGTERM:
    case SIGINT:
    case SIGPWR:
        return SIGNALS_STOP;
    case SIGQUIT:
        return SIGNALS_KILL;
    case SIGHUP:
        return SIGNALS_RELOAD;
    case SIGUSR1:
        return SIGNALS_STATUS;
    case SIGUSR2:
        return SIGNALS_REEXEC;
    default:
        return sig == SIGRTMIN + 3 ? SIGNALS_STOP : SIGNALS_IGNORE;
    }
}

static void each_asks_for_one_thing(void **state)
{
    (void)state;
    start();
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        if (!is_real(sig) || is_fault(sig) || sig == SIGKILL || sig == SIGSTOP || sig == SIGCHLD)
            continue;
        told.n = 0;
        assert_int_equal(raise(sig), 0);
        assert_int_equal(rig_turns(1), 1);
        assert_int_equal(told.n, 1);
        assert_told(0, expected_request(sig), sig);
    }
    assert_int_equal(rig_turns(3), 0);
}

static void many_at_once_are_all_told(void **state)
{
    static const int sent[] = {SIGTERM, SIGUSR1, SIGHUP, SIGTERM, SIGQUIT};
    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_LEN(sent); i++)
        assert_int_equal(kill(getpid(), sent[i]), 0);
    /* Real-time signals are queued, one record each; the others are not. */
    assert_int_equal(kill(getpid(), SIGRTMIN + 3), 0);
    assert_int_equal(kill(getpid(), SIGRTMIN + 3), 0);
    assert_int_equal(rig_turns(1), 1);
    assert_int_equal(told.n, 6);
    assert_told(0, SIGNALS_RELOAD, SIGHUP);
    assert_told(1, SIGNALS_KILL, SIGQUIT);
    assert_told(2, SIGNALS_STATUS, SIGUSR1);
    assert_told(3, SIGNALS_STOP, SIGTERM);
    assert_told(4, SIGNALS_STOP, SIGRTMIN + 3);
    assert_told(5, SIGNALS_STOP, SIGRTMIN + 3);
    assert_int_equal(rig_turns(3), 0);
}

static int leave(void *data)
{
    return *(int *)data;
}

static void deaths_are_left_to_the_reaper(void **state)
{
    int code = 0;
    sigset_t pending;
    (void)state;
    start();
    pid_t pid = rig_fork(leave, &code);
    rig_await_zombie(pid);
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(told.n, 0);
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGCHLD), 1);
    rig_reap(pid);
}

/* Ignored, the kernel would reap behind our back, and no exit status would ever be seen. */
static void an_ignored_sigchld_is_put_right(void **state)
{
    static void (*const dispositions[])(int) = {SIG_IGN, SIG_DFL};
    int code = 11;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(dispositions); i++) {
        struct err e = {0};
        struct sigaction now;
        assert_true(signal(SIGCHLD, dispositions[i]) != SIG_ERR);
        assert_true(signals_block(&e));
        assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
        assert_true(now.sa_handler == SIG_DFL);
        assert_int_equal(now.sa_flags & (SA_NOCLDWAIT | SA_NOCLDSTOP), 0);
        pid_t pid = rig_fork(leave, &code);
        assert_int_equal(rig_reap(pid), 11 << 8);
    }
}

static void it_makes_no_difference_what_was_blocked(void **state)
{
    sigset_t masks[2], now;
    (void)state;
    sigemptyset(&masks[0]);
    sigfillset(&masks[1]);
    for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
        struct err e = {0};
        assert_int_equal(sigprocmask(SIG_SETMASK, &masks[i], NULL), 0);
        assert_true(signals_block(&e));
        assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
        assert_int_equal(sigismember(&now, SIGTERM), 1);
        assert_int_equal(sigismember(&now, SIGCHLD), 1);
        assert_int_equal(sigismember(&now, SIGSEGV), 0);
    }
}

static void what_came_before_the_start_is_told(void **state)
{
    (void)state;
    assert_int_equal(raise(SIGTERM), 0);
    start();
    rig_turns(1);
    assert_int_equal(told.n, 1);
    assert_told(0, SIGNALS_STOP, SIGTERM);
}

static void stopping_is_harmless_at_any_time(void **state)
{
    int n = rig_fds();
    (void)state;
    signals_stop(&(struct signals){.fd = -1});
    start();
    assert_int_equal(rig_fds(), n + 1);
    signals_stop(&signals);
    signals_stop(&signals);
    assert_int_equal(signals.fd, -1);
    assert_int_equal(rig_fds(), n);
    /* Still blocked: what comes now ends nobody. */
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(rig_turns(2), 0);
    start();
    rig_turns(1);
    assert_int_equal(told.n, 1);
}

static void without_descriptors_it_does_not_start(void **state)
{
    struct err e = {0};
    (void)state;
    signals = (struct signals){.fd = -1, .on_request = on_request};
    rlim_t before = rig_limit_fds(0);
    bool ok = signals_start(&signals, rig.loop, &e);
    rig_limit_fds(before);
    assert_false(ok);
    assert_int_equal(e.errnum, EMFILE);
    assert_non_null(strstr(e.text, "signalfd"));
}

static void all_means_all(void **state)
{
    struct err e = {0};
    sigset_t mask;
    (void)state;
    assert_true(signals_block_all(&e));
    assert_int_equal(sys_sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    for (int sig = 1; sig <= SIGRTMAX; sig++)
        if (sigismember(&mask, sig) != (sig != SIGKILL && sig != SIGSTOP))
            fail_msg("signal %d is%s blocked", sig, sigismember(&mask, sig) ? "" : " not");
}

/* Those of the C library, 32 and 33 with glibc, and faults that somebody sends. */
static void all_of_them_are_told(void **state)
{
    struct err e = {0};
    (void)state;
    if (kit_under_valgrind()) {
        kit_skip("every signal", "valgrind takes faults for itself");
        return;
    }
    assert_true(signals_block_all(&e));
    told.n = 0;
    signals = (struct signals){.fd = -1, .on_request = on_request, .data = &told, .all = true};
    assert_true(signals_start(&signals, rig.loop, &e));
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        if (sig == SIGKILL || sig == SIGSTOP || sig == SIGCHLD)
            continue;
        told.n = 0;
        assert_int_equal(kill(getpid(), sig), 0);
        assert_int_equal(rig_turns(1), 1);
        assert_int_equal(told.n, 1);
        assert_told(0, expected_request(sig), sig);
    }
    assert_int_equal(rig_turns(3), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(all_but_the_faults_are_blocked),
        TEST(each_asks_for_one_thing),
        TEST(many_at_once_are_all_told),
        TEST(deaths_are_left_to_the_reaper),
        TEST(an_ignored_sigchld_is_put_right),
        TEST(it_makes_no_difference_what_was_blocked),
        TEST(what_came_before_the_start_is_told),
        TEST(stopping_is_harmless_at_any_time),
        TEST(without_descriptors_it_does_not_start),
        TEST(all_means_all),
        TEST(all_of_them_are_told),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
