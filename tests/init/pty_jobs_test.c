/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode where it has not, or not alone, the terminal's foreground: in the background, in a script, with another
 * standard input, within another init.
 */
#include "init/pty_support/pty.h"

#include "scenario/support/procs.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/** The process that has written the pid file. */
static pid_t read_pid(struct pty *p)
{
    return scenario_read_pid(pty_scenario(p), "pid");
}

/** Starts LINE, which says ready.PID. at once, in the background; that process. */
static pid_t start_in_background(struct pty *p, const char *line)
{
    char typed[256];
    (void)snprintf(typed, sizeof(typed), "%s &", line);
    pty_line(p, typed);
    pty_expect_both(p, "ready.\n", PTY_PROMPT);
    return read_pid(p);
}

static void a_background_start_leaves_the_terminal_alone(void **state)
{
    struct pty *p = pty_shell(*state);
    scenario_gate(pty_scenario(p), "gate");
    (void)start_in_background(p, "$INIT $ACTOR print ready. await gate");
    pty_check(p, pty_foreground(p) == pty_leader(p));
    pty_check(p, !strcmp(pty_ask(p, "echo here"), "here\n"));
    scenario_open_gate(pty_scenario(p), "gate");
    (void)pty_ask(p, "wait");
    pty_finish(p);
}

static void peer_background_start_takes_the_terminal(void **state)
{
    struct pty *p = pty_shell(*state);
    scenario_gate(pty_scenario(p), "gate");
    pid_t pid = start_in_background(p, "$INIT $ACTOR pidfile pid print ready. await gate");
    pty_check(p, pty_foreground(p) == getpgid(pid));
}

static void a_reader_in_the_background_is_stopped_until_fg(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = start_in_background(p, "$INIT $ACTOR pidfile pid print ready. exec cat");
    pty_wait_state(p, pid, "T");
    pty_wait_job(p, "Stopped");
    pty_resume(p);
    pty_suspend(p, pid);
    pty_resume(p);
    pty_interrupt(p);
    pty_finish(p);
}

/* `fg` of a running job: bash gives the foreground to our group and sends nothing. */
static void fg_of_a_running_job_lets_it_read(void **state)
{
    struct pty *p = pty_shell(*state);
    scenario_gate(pty_scenario(p), "gate");
    pid_t pid = start_in_background(p, "$INIT $ACTOR pidfile pid print ready. await gate exec cat");
    pty_foreground_job(p);
    scenario_open_gate(pty_scenario(p), "gate");
    pty_repeats(p, "first");
    pty_suspend(p, pid);
    pty_resume(p);
    pty_interrupt(p);
    pty_finish(p);
}

static void keys_reach_a_running_job_after_fg(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = start_in_background(p, "$INIT $ACTOR pidfile pid on INT [ print int. ] print ready. wait");
    pty_foreground_job(p);
    pty_key(p, PTY_INTR);
    (void)pty_expect(p, "int.\n");
    pty_suspend(p, pid);
    pty_foreground_job(p);
    pty_wait_state(p, pid, "S");
    pty_key(p, PTY_QUIT);
    (void)pty_prompt(p);
    pty_check_code(p, 128 + SIGQUIT);
    pty_finish(p);
}

static void keys_reach_all_of_a_running_job_after_fg(void **state)
{
    struct pty *p = pty_shell(*state);
    scenario_gate(pty_scenario(p), "gate");
    pid_t pid = start_in_background(p, "$INIT sh -c '$ACTOR pidfile pid print ready. await gate exec cat; exit $?'");
    pty_foreground_job(p);
    pty_suspend(p, pid);
    scenario_open_gate(pty_scenario(p), "gate");
    pty_resume(p);
    pty_interrupt(p);
    pty_finish(p);
}

static void run_script(struct pty *p)
{
    pty_line(p, "sh -c '$INIT $ACTOR exit 0; echo after.; read x; echo got $x.'");
    (void)pty_expect(p, "after.\n");
}

static void a_script_reads_on_after_the_command(void **state)
{
    struct pty *p = pty_shell(*state);
    run_script(p);
    pty_line(p, "word");
    (void)pty_expect(p, "got word.\n");
    (void)pty_prompt(p);
    pty_finish(p);
}

/* The foreground is a group that is gone: to the script this is the background. */
static void peer_stops_a_script_that_reads_on(void **state)
{
    struct pty *p = pty_shell(*state);
    run_script(p);
    (void)pty_prompt(p);
    pty_wait_job(p, "Stopped");
}

static void a_script_goes_on_after_ctrl_c_and_ctrl_z(void **state)
{
    struct pty *p = pty_shell(*state);
    pty_line(p,
             "sh -c 'trap : INT; $INIT sh -c \"echo ready.\\$\\$.; exec cat\"; echo after $?.; read x; echo got $x.'");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    pty_suspend(p, pid);
    pty_resume(p);
    pty_key(p, PTY_INTR);
    (void)pty_expect(p, "after 130.\n");
    pty_line(p, "word");
    (void)pty_expect(p, "got word.\n");
    (void)pty_prompt(p);
    pty_finish(p);
}

static pid_t start_reader_of_the_terminal(struct pty *p)
{
    pty_line(p, "echo word | $INIT sh -c 'read a; echo $a. $$.; exec cat /dev/tty'");
    return pty_expect_number(p, "word. ");
}

static void a_pipe_as_input_leaves_the_terminal_to_be_read(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = start_reader_of_the_terminal(p);
    pty_repeats(p, "first");
    pty_suspend(p, pid);
    pty_resume(p);
    pty_interrupt(p);
    pty_finish(p);
}

static void peer_with_a_pipe_as_input_freezes_when_the_terminal_is_read(void **state)
{
    struct pty *p = pty_shell(*state);
    pid_t pid = start_reader_of_the_terminal(p);
    pty_wait_state(p, pid, "T");
    pty_wait_idle(p, procs_parent(pid));
    pty_wait_state(p, pty_leader(p), "S");
    pty_check(p, pty_foreground(p) != pty_leader(p));
}

/** How each says that there is no such command. */
static const int missing_code[PTY_INITS] = {
    [PTY_TINI] = 127, [PTY_DUMB_INIT] = 2, [PTY_DUMB_INIT_SINGLE] = 2, [PTY_CATATONIT] = 1, [PTY_FOSTER] = 127,
};

/* An init's own words are written in the background, where `stty tostop` stops others. */
static void tostop_does_not_stop_the_init_itself(void **state)
{
    struct pty *p = pty_shell(*state);
    (void)pty_ask(p, "stty tostop");
    pty_line(p, "$INIT ./missing & wait $!");
    (void)pty_expect(p, "missing");
    (void)pty_prompt(p);
    pty_check_code(p, missing_code[pty_case(p)->init]);
    pty_finish(p);
}

static void a_writer_in_the_background_is_stopped_by_tostop_until_fg(void **state)
{
    struct pty *p = pty_shell(*state);
    scenario_gate(pty_scenario(p), "gate");
    pid_t pid = start_in_background(p, "$INIT $ACTOR pidfile pid print ready. await gate print written. exec cat");
    (void)pty_ask(p, "stty tostop");
    scenario_open_gate(pty_scenario(p), "gate");
    pty_wait_state(p, pid, "T");
    pty_wait_job(p, "Stopped");
    pty_line(p, "fg");
    (void)pty_expect(p, "written.\n");
    pty_repeats(p, "first");
    pty_interrupt(p);
    pty_finish(p);
}

/** Inits within inits, as PREFIX says. */
static void nested(struct pty *p, const char *prefix)
{
    char line[128];
    (void)snprintf(line, sizeof(line), "%s $ACTOR pidfile pid exec cat", prefix);
    for (int round = 0; round < 2; round++) {
        pty_line(p, line);
        pty_repeats(p, "first");
        pty_suspend(p, read_pid(p));
        pty_resume(p);
        pty_interrupt(p);
    }
    pty_finish(p);
}

static void an_init_within_an_init(void **state)
{
    nested(pty_shell(*state), "$INIT $INIT");
}

static void three_inits(void **state)
{
    nested(pty_shell(*state), "$INIT $INIT $INIT");
}

static void within_a_script(void **state)
{
    nested(pty_shell(*state), "$INIT sh -c '$INIT \"$@\"; exit $?' sh");
}

static const struct CMUnitTest tests[] = {
    PTY_EACH(a_background_start_leaves_the_terminal_alone),
    PTY_PEER(peer_background_start_takes_the_terminal, TINI),
    PTY_PEER(peer_background_start_takes_the_terminal, CATATONIT),
    PTY_GROUP(a_reader_in_the_background_is_stopped_until_fg),
    PTY_BOTH(a_reader_in_the_background_is_stopped_until_fg, DUMB_INIT_SINGLE),
    PTY_EACH(fg_of_a_running_job_lets_it_read),
    PTY_EACH(keys_reach_a_running_job_after_fg),
    PTY_EACH(keys_reach_all_of_a_running_job_after_fg),
    PTY_EACH(a_script_reads_on_after_the_command),
    PTY_PEER(peer_stops_a_script_that_reads_on, TINI),
    PTY_PEER(peer_stops_a_script_that_reads_on, CATATONIT),
    PTY_EACH(a_script_goes_on_after_ctrl_c_and_ctrl_z),
    PTY_GROUP(a_pipe_as_input_leaves_the_terminal_to_be_read),
    PTY_BOTH(a_pipe_as_input_leaves_the_terminal_to_be_read, DUMB_INIT_SINGLE),
    PTY_PEER(peer_with_a_pipe_as_input_freezes_when_the_terminal_is_read, TINI),
    PTY_EACH(tostop_does_not_stop_the_init_itself),
    PTY_GROUP(a_writer_in_the_background_is_stopped_by_tostop_until_fg),
    PTY_BOTH(a_writer_in_the_background_is_stopped_by_tostop_until_fg, DUMB_INIT_SINGLE),
    PTY_GROUP(an_init_within_an_init),
    PTY_GROUP(three_inits),
    PTY_GROUP(within_a_script),
};

int main(void)
{
    return PTY_RUN("terminal jobs", tests);
}
