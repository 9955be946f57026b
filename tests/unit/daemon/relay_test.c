/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whom a signal reaches in init mode, as what, and when it means the end instead. The command here is real processes
 * that block all signals and never take them, so that what they were sent can be read as pending.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/relay.h"

#include "unit/daemon/bench.h"
#include "unit/sys/kit.h"

enum { DELAY_MS = 20, SIGNAL_LAST = 64, REAL_TIME = 40 };

/* The command's main process, one in its group, and one of another group, which is left when the command has ended. */
enum { MAIN, FELLOW, LEFT, PROCESSES };

static struct initargs args;
static struct terminal terminal;
static struct relay relay;
static struct rig_gate gate;
static pid_t pids[PROCESSES];
static size_t n_shutdowns;
static bool posted_something_else;
static uint64_t terminal_takes; /* bit N-1 is signal N, as everywhere here */
static unsigned n_handed_on;
static uint64_t sent_when_handed_on;

void engine_post(struct engine *g, const struct event *ev)
{
    bool is_shutdown = g == &bench && ev->kind == EVENT_SHUTDOWN && ev->unit == SUPER_NO_UNIT;
    n_shutdowns += is_shutdown;
    posted_something_else = posted_something_else || !is_shutdown;
}

static int block_and_wait(void *data)
{
    sigset_t all;
    (void)data;
    sys_all_signals(&all);
    if (sys_sigprocmask(SIG_SETMASK, &all, NULL) != 0)
        return 1;
    rig_gate_wait(&gate);
    return 0;
}

/* Starts a process in the group of LEADER (0: its own; -1: ours), which has its signals blocked before it is there. */
static pid_t start(pid_t leader)
{
    sigset_t all, old;
    sys_all_signals(&all);
    assert_int_equal(sys_sigprocmask(SIG_SETMASK, &all, &old), 0);
    pid_t pid = rig_fork(block_and_wait, NULL);
    sys_restore_mask(&old);
    if (leader >= 0)
        assert_int_equal(setpgid(pid, leader), 0);
    return pid;
}

static void set_persona(enum persona_id id)
{
    args = (struct initargs){.persona = persona_get(id), .group = persona_get(id)->group};
    for (int sig = 0; sig < _NSIG; sig++)
        args.rewrite[sig] = sig;
    relay_init(&relay, &args, &terminal);
}

static int begin(void **state)
{
    int r = bench_begin(state);
    rig_gate_close(&gate);
    n_shutdowns = 0;
    posted_something_else = false;
    terminal = (struct terminal){.fd = -1};
    terminal_takes = sent_when_handed_on = 0;
    n_handed_on = 0;
    pids[MAIN] = start(0);
    pids[FELLOW] = start(pids[MAIN]);
    pids[LEFT] = start(0);
    bench_run(0, 1);
    for (size_t i = 0; i < PROCESSES; i++)
        assert_non_null(attrib_add(&bench.attrib, pids[i], bench_units[0].run, i == MAIN ? ATTRIB_MAIN : ATTRIB_MEMBER,
                                   ATTRIB_BORN, 0));
    bench_units[0].main_pid = pids[MAIN];
    bench.n_units = 1;
    set_persona(PERSONA_TINI);
    return r;
}

static int end(void **state)
{
    rig_gate_open(&gate);
    ev_timer_stop(rig.loop, &relay.delay);
    for (size_t i = 0; i < PROCESSES; i++)
        bench_reap(pids[i]);
    attrib_run_close(&bench.attrib, bench_units[0].run);
    assert_false(posted_something_else);
    return bench_end(state);
}

/* The signals that process I was sent; bit N-1 is signal N. */
static uint64_t sent(size_t i)
{
    char path[64], line[128];
    uint64_t set = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pids[i]);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "SigPnd:", 7) == 0 || strncmp(line, "ShdPnd:", 7) == 0)
            set |= strtoull(line + 7, NULL, 16);
    fclose(f);
    return set;
}

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

/* The terminal's part. */
bool terminal_key(struct terminal *t, int sig)
{
    assert_ptr_equal(t, &terminal);
    return sig != SIGCONT && (terminal_takes & BIT(sig)) != 0;
}

bool terminal_continued(struct terminal *t)
{
    assert_ptr_equal(t, &terminal);
    return (terminal_takes & BIT(SIGCONT)) != 0;
}

bool terminal_hand_on(struct terminal *t)
{
    assert_ptr_equal(t, &terminal);
    n_handed_on++;
    sent_when_handed_on = sent(MAIN);
    return true;
}

/* SIGCONT comes with signals to those who are left, so that they take them though they were stopped. */
static void assert_sent(uint64_t to_main, uint64_t to_fellow, uint64_t to_left)
{
    assert_int_equal(sent(MAIN), to_main);
    assert_int_equal(sent(FELLOW), to_fellow);
    assert_int_equal(sent(LEFT), to_left);
}

static void receive(int sig)
{
    relay_signal(&relay, &bench, sig);
}

static void the_command_gets_it(void **state)
{
    (void)state;
    receive(SIGUSR1);
    receive(SIGTERM);
    receive(REAL_TIME);
    assert_sent(BIT(SIGUSR1) | BIT(SIGTERM) | BIT(REAL_TIME), 0, 0);
    assert_int_equal(n_shutdowns, 0);
}

static void its_group_gets_it(void **state)
{
    (void)state;
    args.group = true;
    receive(SIGUSR1);
    assert_sent(BIT(SIGUSR1), BIT(SIGUSR1), 0);
}

static void single_means_no_group(void **state)
{
    (void)state;
    args.group = args.single = true;
    receive(SIGUSR1);
    assert_sent(BIT(SIGUSR1), 0, 0);
}

/* We are in that group ourselves. */
static void our_own_group_is_no_group(void **state)
{
    (void)state;
    args.group = true;
    assert_int_equal(setpgid(pids[FELLOW], pids[FELLOW]), 0);
    assert_int_equal(setpgid(pids[MAIN], getpgrp()), 0);
    receive(SIGUSR1);
    assert_sent(BIT(SIGUSR1), 0, 0);
}

static void the_group_is_the_one_it_is_in_now(void **state)
{
    (void)state;
    args.group = true;
    assert_int_equal(setpgid(pids[MAIN], pids[LEFT]), 0);
    receive(SIGUSR1);
    assert_sent(BIT(SIGUSR1), 0, BIT(SIGUSR1));
}

static void a_rewritten_signal_is_another_one(void **state)
{
    (void)state;
    set_persona(PERSONA_DUMB_INIT);
    args.rewrite[SIGTERM] = SIGQUIT;
    args.rewrite[SIGHUP] = 0;
    assert_int_equal(relay_rewritten(&relay, SIGTERM), SIGQUIT);
    assert_int_equal(relay_rewritten(&relay, SIGHUP), 0);
    assert_int_equal(relay_rewritten(&relay, SIGUSR1), SIGUSR1);
    receive(SIGTERM);
    receive(SIGHUP);
    assert_sent(BIT(SIGQUIT), BIT(SIGQUIT), 0);
    assert_int_equal(n_shutdowns, 0);
}

static void each_personality_passes_its_signals_on(void **state)
{
    static const struct {
        enum persona_id id;
        uint64_t not_passed;
    } rows[] = {
        {PERSONA_FOSTER, BIT(SIGCHLD) | BIT(SIGTTIN) | BIT(SIGTTOU) | BIT(SIGTERM)},
        {PERSONA_TINI, BIT(SIGCHLD) | BIT(SIGTTIN) | BIT(SIGTTOU)},
        {PERSONA_CATATONIT, BIT(SIGCHLD) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU)},
    };
    size_t i = (size_t)(uintptr_t)*state;
    if (kit_under_valgrind()) {
        kit_skip("every signal", "valgrind takes some for itself");
        return;
    }
    set_persona(rows[i].id);
    args.grace_ms = 1000;
    /* A stopping signal takes a SIGCONT away that is pending, and the other way round. */
    for (int sig = 1; sig <= SIGNAL_LAST; sig++)
        if (sig != SIGKILL && sig != SIGSTOP && sig != SIGCONT)
            receive(sig);
    uint64_t never = BIT(SIGKILL) | BIT(SIGSTOP) | BIT(SIGCONT);
    assert_sent(~(rows[i].not_passed | never), 0, 0);
    receive(SIGCONT);
    assert_true(sent(MAIN) & BIT(SIGCONT));
    assert_int_equal(n_shutdowns, rows[i].id == PERSONA_FOSTER);
}

static void a_term_begins_a_stop_once(void **state)
{
    (void)state;
    set_persona(PERSONA_FOSTER);
    args.grace_ms = 1000;
    receive(SIGTERM);
    assert_int_equal(n_shutdowns, 1);
    assert_sent(0, 0, 0);
    receive(SIGTERM);
    assert_int_equal(n_shutdowns, 1);
    assert_sent(BIT(SIGTERM), 0, 0);
}

static void what_a_term_is(void **state)
{
    static const struct {
        enum persona_id id;
        int64_t grace_ms;
        bool grace_set;
        enum spec_restart_policy policy;
        bool stops;
    } rows[] = {
        {PERSONA_FOSTER, 1000, false, SPEC_RESTART_NO, true}, {PERSONA_FOSTER, 0, true, SPEC_RESTART_NO, false},
        {PERSONA_TINI, 1000, false, SPEC_RESTART_NO, false},  {PERSONA_TINI, 1000, true, SPEC_RESTART_NO, true},
        {PERSONA_TINI, 0, true, SPEC_RESTART_NO, false},      {PERSONA_TINI, 0, true, SPEC_RESTART_ALWAYS, true},
        {PERSONA_FOSTER, 0, true, SPEC_RESTART_ALWAYS, true}, {PERSONA_DUMB_INIT, 9, false, SPEC_RESTART_NO, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        set_persona(rows[i].id);
        args.grace_ms = rows[i].grace_ms;
        args.grace_set = rows[i].grace_set;
        args.restart.policy = rows[i].policy;
        assert_int_equal(relay_stops(&args), rows[i].stops);
    }
}

static void who_is_left_gets_it_when_the_command_has_ended(void **state)
{
    (void)state;
    bench_units[0].main_pid = 0;
    receive(SIGUSR1);
    receive(SIGTERM);
    assert_int_equal(n_shutdowns, 0);
    assert_sent(BIT(SIGUSR1) | BIT(SIGTERM) | BIT(SIGCONT), BIT(SIGUSR1) | BIT(SIGTERM) | BIT(SIGCONT),
                BIT(SIGUSR1) | BIT(SIGTERM) | BIT(SIGCONT));
}

/* As between two runs. */
static void leave_nobody(void)
{
    bench_units[0].main_pid = 0;
    for (size_t i = 0; i < PROCESSES; i++)
        attrib_remove(&bench.attrib, attrib_find(&bench.attrib, pids[i]));
}

static void with_nobody_there_a_request_to_end_is_for_us(void **state)
{
    static const int requests[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    (void)state;
    leave_nobody();
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        set_persona(PERSONA_TINI);
        n_shutdowns = 0;
        receive(SIGUSR1);
        receive(SIGWINCH);
        assert_int_equal(n_shutdowns, 0);
        receive(requests[i]);
        assert_int_equal(n_shutdowns, 1);
        receive(requests[i]);
        assert_int_equal(n_shutdowns, 1);
    }
    assert_sent(0, 0, 0);
}

static void a_dropped_request_asks_nobody(void **state)
{
    (void)state;
    set_persona(PERSONA_DUMB_INIT);
    leave_nobody();
    args.rewrite[SIGTERM] = 0;
    receive(SIGTERM);
    assert_int_equal(n_shutdowns, 0);
}

static void a_pause_ends_by_term_and_int_only(void **state)
{
    static const int others[] = {SIGHUP, SIGQUIT, SIGUSR1, SIGALRM};
    (void)state;
    set_persona(PERSONA_CATATONIT);
    args.pause = true;
    bench.n_units = 0;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        receive(others[i]);
    assert_int_equal(n_shutdowns, 0);
    receive(*(const int *)*state);
    assert_int_equal(n_shutdowns, 1);
}

static bool main_has_a_term(void *data)
{
    (void)data;
    return (sent(MAIN) & BIT(SIGTERM)) != 0;
}

static void a_term_is_held_back_for_the_delay(void **state)
{
    (void)state;
    args.pre_stop_delay_ms = DELAY_MS;
    receive(SIGTERM);
    receive(SIGUSR1);
    assert_sent(BIT(SIGUSR1), 0, 0);
    rig_run_until(main_has_a_term, NULL);
    assert_sent(BIT(SIGUSR1) | BIT(SIGTERM), 0, 0);
    assert_false(ev_is_active(&relay.delay));
}

static void a_second_term_is_not_held_back(void **state)
{
    (void)state;
    args.pre_stop_delay_ms = 3600 * 1000;
    receive(SIGTERM);
    assert_sent(0, 0, 0);
    assert_true(ev_is_active(&relay.delay));
    receive(SIGTERM);
    assert_sent(BIT(SIGTERM), 0, 0);
    assert_false(ev_is_active(&relay.delay));
}

static void a_delayed_term_begins_a_stop_once(void **state)
{
    (void)state;
    set_persona(PERSONA_FOSTER);
    args.grace_ms = 1000;
    args.pre_stop_delay_ms = 3600 * 1000;
    receive(SIGTERM);
    assert_int_equal(n_shutdowns, 0);
    receive(SIGTERM);
    receive(SIGTERM);
    assert_int_equal(n_shutdowns, 1);
    assert_sent(BIT(SIGTERM), 0, 0);
}

static int receive_in_child(void *data)
{
    close(gate.fds[1]);
    receive(*(const int *)data);
    return 7;
}

static void dumb_init_stops_itself_behind_a_stopping_signal(void **state)
{
    siginfo_t info;
    int sig = *(const int *)*state;
    set_persona(PERSONA_DUMB_INIT);
    args.rewrite[sig] = SIGURG;
    pid_t pid = rig_fork(receive_in_child, &sig);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED), 0);
    assert_int_equal(info.si_code, CLD_STOPPED);
    assert_int_equal(info.si_status, SIGSTOP);
    assert_sent(BIT(SIGURG), BIT(SIGURG), 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(rig_reap(pid), 7 << 8);
}

static void what_the_terminal_takes_goes_nowhere_else(void **state)
{
    (void)state;
    terminal_takes = BIT(SIGINT) | BIT(SIGCONT);
    receive(SIGINT);
    receive(SIGCONT);
    assert_sent(0, 0, 0);
    assert_int_equal(n_handed_on, 0);
}

/* The other way round it would undo a Ctrl-Z. */
static void the_foreground_is_handed_on_behind_a_cont(void **state)
{
    (void)state;
    receive(SIGUSR1);
    assert_int_equal(n_handed_on, 0);
    receive(SIGCONT);
    assert_int_equal(n_handed_on, 1);
    assert_int_equal(sent_when_handed_on, BIT(SIGUSR1) | BIT(SIGCONT));
}

static void others_do_not_stop_themselves(void **state)
{
    int sig = SIGTSTP;
    (void)state;
    assert_int_equal(rig_reap(rig_fork(receive_in_child, &sig)), 7 << 8);
    assert_sent(BIT(SIGTSTP), 0, 0);
}

int main(void)
{
    static const int tstp = SIGTSTP, ttin = SIGTTIN, ttou = SIGTTOU, term = SIGTERM, interrupt = SIGINT;
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define ROW(name, index)                                                                                               \
    {                                                                                                                  \
#name " (" #index ")", name, begin, end, (void *)(uintptr_t)(index)                                            \
    }
    const struct CMUnitTest tests[] = {
        TEST(the_command_gets_it),
        TEST(its_group_gets_it),
        TEST(single_means_no_group),
        TEST(our_own_group_is_no_group),
        TEST(the_group_is_the_one_it_is_in_now),
        TEST(a_rewritten_signal_is_another_one),
        ROW(each_personality_passes_its_signals_on, 0),
        ROW(each_personality_passes_its_signals_on, 1),
        ROW(each_personality_passes_its_signals_on, 2),
        TEST(a_term_begins_a_stop_once),
        TEST(what_a_term_is),
        TEST(who_is_left_gets_it_when_the_command_has_ended),
        TEST(with_nobody_there_a_request_to_end_is_for_us),
        TEST(a_dropped_request_asks_nobody),
        ROW(a_pause_ends_by_term_and_int_only, &term),
        ROW(a_pause_ends_by_term_and_int_only, &interrupt),
        TEST(a_term_is_held_back_for_the_delay),
        TEST(a_second_term_is_not_held_back),
        TEST(a_delayed_term_begins_a_stop_once),
        ROW(dumb_init_stops_itself_behind_a_stopping_signal, &tstp),
        ROW(dumb_init_stops_itself_behind_a_stopping_signal, &ttin),
        ROW(dumb_init_stops_itself_behind_a_stopping_signal, &ttou),
        TEST(others_do_not_stop_themselves),
        TEST(what_the_terminal_takes_goes_nowhere_else),
        TEST(the_foreground_is_handed_on_behind_a_cont),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
