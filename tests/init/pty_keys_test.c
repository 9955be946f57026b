/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode under an interactive shell: Ctrl-C, and Ctrl-Z with what the shell does about it.
 */
#include "init/pty_support/pty.h"

#include "scenario/support/procs.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static void ctrl_c_ends_the_command_and_the_shell_goes_on(void **state)
{
    struct pty *p = pty_shell(*state);
    (void)pty_start_repeater(p);
    pty_interrupt(p);
    pty_check(p, !strcmp(pty_ask(p, "echo here"), "here\n"));
    pty_finish(p);
}

/* Once a key: neither lost nor passed on beside what the terminal has sent. */
static void ctrl_c_reaches_the_command_once(void **state)
{
    struct pty *p = pty_shell(*state);
    enum { KEYS = 5 };
    pty_line(p, "$INIT $ACTOR on INT [ print int. ] on QUIT [ print quit. exit 3 ] print ready. wait");
    (void)pty_expect(p, "ready.\n");
    for (int i = 0; i < KEYS; i++) {
        pty_key(p, PTY_INTR);
        pty_check(p, !*pty_expect(p, "int.\n"));
    }
    pty_key(p, PTY_QUIT);
    pty_check(p, !*pty_expect(p, "quit.\n"));
    (void)pty_prompt(p);
    pty_check_code(p, 3);
    pty_finish(p);
}

static void ctrl_z_suspends_and_fg_resumes_twice(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = pty_start_repeater(p);
    for (int round = 0; round < 2; round++) {
        pty_suspend(p, pid);
        pty_check(p, !strcmp(pty_ask(p, "echo here"), "here\n"));
        pty_resume(p);
    }
    pty_interrupt(p);
    pty_check(p, !*pty_ask(p, "jobs"));
    pty_finish(p);
}

/* A shell that prompted earlier would see the command take what is typed next. */
static void the_prompt_comes_when_the_command_has_stopped(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = pty_start_repeater(p);
    pty_key(p, PTY_SUSP);
    (void)pty_prompt(p);
    pty_check(p, procs_state(pid) == 'T');
    pty_resume(p);
    pty_interrupt(p);
    pty_finish(p);
}

/* The one that reads is not the one that is waited for. */
static void ctrl_z_suspends_and_fg_resumes_the_whole_group(void **state)
{
    struct pty *p = pty_shell(*state);
    pty_line(p, "$INIT sh -c '$ACTOR print ready.%p. exec cat; exit $?'");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    for (int round = 0; round < 2; round++) {
        pty_suspend(p, pid);
        pty_resume(p);
    }
    pty_interrupt(p);
    pty_finish(p);
}

static void ctrl_z_then_bg_goes_on_in_the_background(void **state)
{
    struct pty *p = pty_shell(*state);
    scenario_gate(pty_scenario(p), "gate");
    pty_line(p, "$INIT $ACTOR print ready.%p. await gate print through. exec cat");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_suspend(p, pid);
    (void)pty_ask(p, "bg");
    pty_wait_state(p, pid, "SR");
    pty_wait_job(p, "Running");
    scenario_open_gate(pty_scenario(p), "gate");
    (void)pty_expect(p, "through.");
    /* It reads the terminal now, which is the shell's. */
    pty_wait_state(p, pid, "T");
    pty_wait_job(p, "Stopped");
    pty_resume(p);
    pty_interrupt(p);
    pty_finish(p);
}

/* It had the foreground once; at its end it is another's. */
static void what_ends_in_the_background_leaves_the_terminal_to_the_shell(void **state)
{
    struct pty *p = pty_shell(*state);
    scenario_gate(pty_scenario(p), "gate");
    pty_line(p, "$INIT $ACTOR print ready.%p. await gate exit 3");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_suspend(p, pid);
    (void)pty_ask(p, "bg");
    scenario_open_gate(pty_scenario(p), "gate");
    (void)pty_ask(p, "wait %1");
    pty_check_code(p, 3);
    pty_finish(p);
}

static void what_is_killed_while_suspended_ends_with_fg(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = pty_start_repeater(p);
    pty_suspend(p, pid);
    pty_check(p, kill(pid, SIGKILL) == 0);
    (void)pty_ask(p, "fg");
    pty_check_code(p, 128 + SIGKILL);
    pty_finish(p);
}

static void what_is_stopped_by_kill_stop_is_a_stopped_job(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = pty_start_repeater(p);
    pty_check(p, kill(pid, SIGSTOP) == 0);
    (void)pty_prompt(p);
    pty_wait_job(p, "Stopped");
    pty_resume(p);
    pty_interrupt(p);
    pty_finish(p);
}

static void ctrl_c_ends_a_pipeline(void **state)
{
    struct pty *p = pty_shell(*state);
    pty_line(p, "$INIT cat | cat");
    pty_repeats(p, "first");
    pty_key(p, PTY_INTR);
    (void)pty_prompt(p);
    pty_finish(p);
}

static void ctrl_z_suspends_a_pipeline(void **state)
{
    struct pty *p = pty_shell(*state);
    pty_line(p, "$INIT sh -c 'echo ready.$$.; exec cat' | cat");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    for (int round = 0; round < 2; round++) {
        pty_suspend(p, pid);
        pty_resume(p);
    }
    pty_key(p, PTY_EOF);
    (void)pty_prompt(p);
    pty_check_code(p, 0);
    pty_finish(p);
}

/* The command has the foreground and is stopped, the shell waits for an init that sleeps: no key is of any use. */
static void peer_ctrl_z_freezes_the_terminal(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = pty_start_repeater(p);
    pid_t init = procs_parent(pid);
    pty_key(p, PTY_SUSP);
    pty_wait_state(p, pid, "T");
    pty_wait_idle(p, init);
    pty_wait_state(p, pty_leader(p), "S");
    pty_check(p, pty_foreground(p) == getpgid(pid));
    pty_check(p, getpgid(init) != getpgid(pid));
}

/* The terminal's signals do not stop a command that has inherited them blocked: catatonit's has. */
static void peer_ctrl_z_is_not_noticed(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = pty_start_repeater(p);
    pty_key(p, PTY_SUSP);
    pty_repeats(p, "not suspended");
    pty_check(p, pty_foreground(p) == getpgid(pid));
    pty_interrupt(p);
}

static const struct CMUnitTest tests[] = {
    PTY_EACH(ctrl_c_ends_the_command_and_the_shell_goes_on),
    PTY_GROUP(ctrl_c_reaches_the_command_once),
    PTY_BOTH(ctrl_c_reaches_the_command_once, DUMB_INIT),
    PTY_EACH(ctrl_z_suspends_and_fg_resumes_twice),
    PTY_GROUP(the_prompt_comes_when_the_command_has_stopped),
    PTY_EACH(ctrl_z_suspends_and_fg_resumes_the_whole_group),
    PTY_GROUP(ctrl_z_then_bg_goes_on_in_the_background),
    PTY_BOTH(ctrl_z_then_bg_goes_on_in_the_background, DUMB_INIT_SINGLE),
    PTY_EACH(what_ends_in_the_background_leaves_the_terminal_to_the_shell),
    PTY_EACH(what_is_killed_while_suspended_ends_with_fg),
    PTY_GROUP(what_is_stopped_by_kill_stop_is_a_stopped_job),
    PTY_EACH(ctrl_c_ends_a_pipeline),
    PTY_EACH(ctrl_z_suspends_a_pipeline),
    PTY_PEER(peer_ctrl_z_freezes_the_terminal, TINI),
    PTY_PEER(peer_ctrl_z_is_not_noticed, CATATONIT),
};

int main(void)
{
    return PTY_RUN("terminal keys", tests);
}
