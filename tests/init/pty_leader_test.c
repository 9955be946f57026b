/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode with nobody above it on the terminal, as in `docker run -it`: it leads the session, or is PID 1 too. And a
 * terminal that goes away, or is not there at all.
 */
#include "init/pty_support/pty.h"

#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/** Makes COMMAND under $INIT the leader of the session, as PID 1 of a new PID namespace when AS_INIT. */
static struct pty *lead(const struct pty_case *c, const char *command, bool as_init)
{
    char line[256];
    struct pty *p = pty_new(c);
    int flags = as_init ? world_pid_namespace() : 0;
    if (as_init && !flags) {
        scenario_skip("no pid namespaces here");
    }
    (void)snprintf(line, sizeof(line), "exec $INIT %s", command);
    pty_lead(p, line, flags);
    return p;
}

static void check_end(struct pty *p, int code)
{
    int got = pty_wait_end(p);
    if (got != code) {
        pty_fail(p, "it has ended with %d instead of %d", got, code);
    }
    pty_check_nobody(p);
}

/* Nobody could continue what Ctrl-Z would stop. */
static void keys_of_a_plain_command(const struct pty_case *c, bool as_init)
{
    struct pty *p = lead(c, "cat", as_init);
    pty_repeats(p, "first");
    for (int round = 0; round < 3; round++) {
        pty_key(p, PTY_SUSP);
        pty_repeats(p, "goes on");
    }
    pty_key(p, PTY_INTR);
    check_end(p, 130);
}

static void a_leader_is_not_frozen_by_ctrl_z(void **state)
{
    keys_of_a_plain_command(*state, false);
}

static void pid_1_is_not_frozen_by_ctrl_z(void **state)
{
    keys_of_a_plain_command(*state, true);
}

static void peer_leader_is_frozen_by_ctrl_z(void **state)
{
    struct pty *p = lead(*state, "sh -c 'echo ready.$$.; exec cat'", false);
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    pty_key(p, PTY_SUSP);
    pty_wait_state(p, pid, "T");
    pty_wait_idle(p, pty_leader(p));
    pty_check(p, pty_foreground(p) == getpgid(pid) && procs_state(pid) == 'T');
}

/* A command that asks for a stop of its own by SIGSTOP has it; the terminal is no part of that. */
static void what_kill_stop_stops_stays_so_until_it_is_continued(void **state)
{
    struct pty *p = lead(*state, "sh -c 'echo ready.$$.; exec cat'", false);
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    pty_check(p, kill(pid, SIGSTOP) == 0);
    pty_wait_state(p, pid, "T");
    pty_wait_idle(p, pty_leader(p));
    pty_check(p, procs_state(pid) == 'T');
    pty_check(p, kill(pid, SIGCONT) == 0);
    pty_repeats(p, "second");
    pty_key(p, PTY_INTR);
    check_end(p, 130);
}

/* No shell may say that it has no job control. */
static void inner_prompt(struct pty *p)
{
    const char *before = pty_expect(p, PTY_INNER_PROMPT);
    pty_check(p, !strstr(before, "job control") && !strstr(before, "terminal process group"));
}

static void job_control_inside(const struct pty_case *c, bool as_init)
{
    struct pty *p = lead(c, "env PS1='" PTY_INNER_PROMPT "' $SHELL_I", as_init);
    inner_prompt(p);
    pty_line(p, "cat");
    pty_repeats(p, "first");
    pty_key(p, PTY_SUSP);
    inner_prompt(p);
    pty_line(p, "fg");
    pty_repeats(p, "second");
    pty_key(p, PTY_INTR);
    inner_prompt(p);
    pty_line(p, "exit 7");
    check_end(p, 7);
}

static void a_shell_under_a_leader_has_job_control(void **state)
{
    job_control_inside(*state, false);
}

static void a_shell_under_pid_1_has_job_control(void **state)
{
    job_control_inside(*state, true);
}

/* Giving a terminal up sends SIGHUP and SIGCONT, which are not meant for the command; a later one is. */
static void giving_the_terminal_up_is_no_hangup(void **state)
{
    struct pty *p =
        lead(*state, "$ACTOR on HUP [ print hup. ] on CONT [ print cont. ] on USR1 [ print usr1. ] print ready. wait",
             false);
    (void)pty_expect(p, "ready.\n");
    pty_check(p, kill(pty_leader(p), SIGUSR1) == 0);
    pty_check(p, !*pty_expect(p, "usr1.\n"));
    pty_check(p, kill(pty_leader(p), SIGHUP) == 0);
    pty_check(p, !*pty_expect(p, "hup.\n"));
    pty_check(p, kill(pty_leader(p), SIGCONT) == 0);
    pty_check(p, !*pty_expect(p, "cont.\n"));
    pty_key(p, PTY_INTR);
    check_end(p, 130);
}

static void the_command_acquires_the_terminal_given_up(void **state)
{
    struct pty *p = lead(*state, "sh -c 'echo ready.$$.; exec cat /dev/tty'", false);
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    pty_check(p, procs_session(pid) == pid && pty_foreground(p) == pid);
    pty_key(p, PTY_INTR);
    check_end(p, 130);
}

/** The command's last words are in a file: the terminal cannot be heard any more. */
#define ON_HANGUP "$ACTOR on HUP [ append last hup exit 5 ] print ready. wait"

static void check_hangup(struct pty *p)
{
    (void)pty_expect(p, "ready.\n");
    pty_hang_up(p);
    pty_wait_nobody(p);
    pty_check(p, !strcmp(scenario_read(pty_scenario(p), "last"), "hup"));
}

static void a_hangup_reaches_the_command_of_a_shell(void **state)
{
    struct pty *p = pty_shell(*state);
    pty_line(p, "$INIT " ON_HANGUP);
    check_hangup(p);
}

static void a_hangup_reaches_the_command_of_a_leader(void **state)
{
    check_hangup(lead(*state, ON_HANGUP, false));
}

/* bash sends a stopped job SIGTERM as well. */
static void a_hangup_reaches_a_suspended_job(void **state)
{
    struct pty *p = pty_shell(*state);
    pty_line(p, "$INIT $ACTOR ignore TERM on HUP [ append last hup exit 5 ] print ready.%p. wait");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_suspend(p, pid);
    pty_hang_up(p);
    pty_wait_nobody(p);
    pty_check(p, !strcmp(scenario_read(pty_scenario(p), "last"), "hup"));
}

/* Each with an exit code, so that a failure of the init itself shows. */
static void without_a_terminal_nothing_is_tried_and_nothing_fails(void **state)
{
    static const char *const lines[] = {
        "$INIT $ACTOR exit 3 <&- >&- 2>&-",
        "$INIT $ACTOR exit 3 <&-",
        "$INIT $ACTOR exit 3 </dev/null >/dev/null 2>&1",
        /* Somebody else's controlling terminal. */
        "sh -c '$ACTOR setsid exec $INIT $ACTOR exit 3; exit $?'",
        "sh -c '$ACTOR setsid exec $INIT $ACTOR exit 3 </dev/null >/dev/null 2>&1; exit $?'",
        "sh -c '$ACTOR setsid exec $INIT $ACTOR exit 3 <&- >&- 2>&-; exit $?'",
    };
    struct pty *p = pty_shell(*state);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        const char *said = pty_ask(p, lines[i]);
        if (*said) {
            pty_fail(p, "%s: \"%s\"", lines[i], said);
        }
        pty_check_code(p, 3);
    }
    pty_finish(p);
}

static void peer_fails_when_its_input_is_closed(void **state)
{
    struct pty *p = pty_shell(*state);
    (void)pty_ask(p, "$INIT $ACTOR exit 3 <&-");
    pty_check_code(p, 1);
}

static const struct CMUnitTest tests[] = {
    PTY_GROUP(a_leader_is_not_frozen_by_ctrl_z),
    PTY_BOTH(a_leader_is_not_frozen_by_ctrl_z, DUMB_INIT),
    PTY_EACH(pid_1_is_not_frozen_by_ctrl_z),
    PTY_PEER(peer_leader_is_frozen_by_ctrl_z, TINI),
    PTY_GROUP(what_kill_stop_stops_stays_so_until_it_is_continued),
    PTY_EACH(a_shell_under_a_leader_has_job_control),
    PTY_EACH(a_shell_under_pid_1_has_job_control),
    PTY_BOTH(giving_the_terminal_up_is_no_hangup, DUMB_INIT),
    PTY_BOTH(the_command_acquires_the_terminal_given_up, DUMB_INIT),
    PTY_EACH(a_hangup_reaches_the_command_of_a_shell),
    PTY_EACH(a_hangup_reaches_the_command_of_a_leader),
    PTY_EACH(a_hangup_reaches_a_suspended_job),
    PTY_EACH(without_a_terminal_nothing_is_tried_and_nothing_fails),
    PTY_PEER(peer_fails_when_its_input_is_closed, TINI),
};

int main(void)
{
    return PTY_RUN("terminal leaders", tests);
}
