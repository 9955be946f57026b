/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is done at a shell's prompt again and again, see pty.h.
 */
#include "init/pty_support/pty.h"

#include <string.h>

const char *pty_prompt(struct pty *p)
{
    const char *before = pty_expect(p, PTY_PROMPT);
    pty_check(p, pty_foreground(p) == pty_leader(p));
    return before;
}

const char *pty_ask(struct pty *p, const char *line)
{
    pty_line(p, line);
    return pty_prompt(p);
}

void pty_check_code(struct pty *p, int code)
{
    pty_line(p, "echo code=$?.");
    int got = pty_expect_number(p, "code=");
    if (got != code) {
        pty_fail(p, "the shell says %d instead of %d", got, code);
    }
    (void)pty_prompt(p);
}

void pty_wait_job(struct pty *p, const char *word)
{
    while (!strstr(pty_ask(p, "jobs"), word)) {
    }
}

void pty_repeats(struct pty *p, const char *line)
{
    pty_line(p, line);
    (void)pty_expect(p, line);
    (void)pty_expect(p, "\n");
}

pid_t pty_start_repeater(struct pty *p)
{
    pty_line(p, "$INIT sh -c 'echo ready.$$.; exec cat'");
    pid_t pid = pty_expect_number(p, "ready.");
    pty_repeats(p, "first");
    return pid;
}

void pty_suspend(struct pty *p, pid_t pid)
{
    pty_key(p, PTY_SUSP);
    (void)pty_prompt(p);
    pty_wait_state(p, pid, "T");
    pty_wait_job(p, "Stopped");
}

void pty_resume(struct pty *p)
{
    pty_line(p, "fg");
    pty_repeats(p, "resumed");
}

void pty_foreground_job(struct pty *p)
{
    pty_line(p, "fg");
    pty_wait_not_foreground(p, pty_leader(p));
    pty_wait_state(p, pty_leader(p), "S");
}

void pty_interrupt(struct pty *p)
{
    pty_key(p, PTY_INTR);
    (void)pty_prompt(p);
    pty_check_code(p, 130);
}

void pty_finish(struct pty *p)
{
    pty_line(p, "exit 0");
    pty_check(p, pty_wait_end(p) == 0);
    pty_check_nobody(p);
}
