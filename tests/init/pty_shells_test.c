/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * An interactive shell as the command of init mode, below another one: each has its own jobs, and the terminal goes
 * back to the outer one however the inner one ends.
 */
#include "init/pty_support/pty.h"

#include "scenario/support/procs.h"

#include <signal.h>
#include <string.h>

/** Waits for the inner shell's prompt; what came out before. */
static const char *inner_prompt(struct pty *p)
{
    return pty_expect(p, PTY_INNER_PROMPT);
}

/** Types LINE at the inner prompt; what comes out until the next one. */
static const char *inner_ask(struct pty *p, const char *line)
{
    pty_line(p, line);
    return inner_prompt(p);
}

/** An inner shell at its first prompt, which may not miss job control. */
static struct pty *start(const struct pty_case *c)
{
    struct pty *p = pty_shell(c);
    pty_line(p, PTY_INNER);
    const char *said = inner_prompt(p);
    pty_check(p, !strstr(said, "job control") && !strstr(said, "terminal process group"));
    return p;
}

/** Starts a command in the foreground of the inner shell; its process. */
static pid_t start_inner_job(struct pty *p)
{
    pty_line(p, "$ACTOR print ready.%p. exec cat");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    return pid;
}

static void leave(struct pty *p)
{
    pty_line(p, "exit 7");
    (void)pty_prompt(p);
    pty_check_code(p, 7);
    pty_finish(p);
}

static void ctrl_c_and_ctrl_z_concern_the_inner_job_only(void **state)
{
    struct pty *p = start(*state);
    pid_t pid = start_inner_job(p);
    pty_key(p, PTY_SUSP);
    (void)inner_prompt(p);
    pty_check(p, procs_state(pid) == 'T');
    pty_check(p, strstr(inner_ask(p, "jobs"), "Stopped"));
    pty_line(p, "fg");
    pty_repeats(p, "resumed");
    pty_key(p, PTY_INTR);
    (void)inner_prompt(p);
    pty_check(p, !*inner_ask(p, "jobs"));
    leave(p);
}

/* Ctrl-C at a prompt is the inner shell's: it goes on. */
static void ctrl_c_at_the_inner_prompt_ends_nothing(void **state)
{
    struct pty *p = start(*state);
    pty_key(p, PTY_INTR);
    (void)inner_prompt(p);
    pty_check(p, !strcmp(inner_ask(p, "echo here"), "here\n"));
    leave(p);
}

/* `suspend` and the like: the shell stops itself, by SIGSTOP, having put the terminal back as it found it or not. */
static void an_inner_shell_that_is_stopped_is_a_stopped_job(void **state)
{
    struct pty *p = start(*state);
    pty_line(p, "kill -STOP $$");
    (void)pty_prompt(p);
    pty_wait_job(p, "Stopped");
    pty_line(p, "fg");
    (void)inner_prompt(p);
    (void)start_inner_job(p);
    pty_key(p, PTY_INTR);
    (void)inner_prompt(p);
    leave(p);
}

/* The inner job still has the foreground, and its group is not the command's. */
static void a_killed_inner_shell_gives_the_terminal_back(void **state)
{
    struct pty *p = start(*state);
    pid_t pid = start_inner_job(p);
    pty_check(p, kill(procs_parent(pid), SIGKILL) == 0);
    (void)pty_prompt(p);
    pty_check_code(p, 137);
    pty_check(p, !strcmp(pty_ask(p, "echo here"), "here\n"));
}

/* A script reads on after an inner shell whose jobs had the terminal. */
static void a_script_reads_on_after_an_inner_shell(void **state)
{
    struct pty *p = pty_shell(*state);
    pty_line(p, "PS1='" PTY_INNER_PROMPT "' sh -c '$INIT $SHELL_I; read x; echo got $x.'");
    (void)inner_prompt(p);
    (void)start_inner_job(p);
    pty_key(p, PTY_INTR);
    (void)inner_prompt(p);
    pty_line(p, "exit");
    pty_line(p, "word");
    (void)pty_expect(p, "got word.\n");
    (void)pty_prompt(p);
    pty_finish(p);
}

static const struct CMUnitTest tests[] = {
    PTY_GROUP(ctrl_c_and_ctrl_z_concern_the_inner_job_only),
    PTY_BOTH(ctrl_c_and_ctrl_z_concern_the_inner_job_only, DUMB_INIT_SINGLE),
    PTY_GROUP(ctrl_c_at_the_inner_prompt_ends_nothing),
    PTY_BOTH(ctrl_c_at_the_inner_prompt_ends_nothing, DUMB_INIT_SINGLE),
    PTY_GROUP(an_inner_shell_that_is_stopped_is_a_stopped_job),
    PTY_GROUP(a_killed_inner_shell_gives_the_terminal_back),
    PTY_BOTH(a_killed_inner_shell_gives_the_terminal_back, DUMB_INIT_SINGLE),
    PTY_GROUP(a_script_reads_on_after_an_inner_shell),
    PTY_BOTH(a_script_reads_on_after_an_inner_shell, DUMB_INIT_SINGLE),
};

int main(void)
{
    return PTY_RUN("terminal shells", tests);
}
