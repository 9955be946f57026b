/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The terminal itself, which the two files of this harness share and tests need not know.
 */
#ifndef FOSTER_TESTS_TTY_H
#define FOSTER_TESTS_TTY_H

#include "init/pty_support/pty.h"

/** See pty.h. */
struct pty {
    struct scenario *s;       /**< borrowed */
    const struct pty_case *c; /**< borrowed */
    int master;               /**< owned; -1: hung up */
    int slave;                /**< owned */
    pid_t leader;
    int leader_fd; /**< owned; a pidfd; -1: it has ended */
    int64_t guard_at_ms;
    char *out; /**< owned; all that has come out, NUL behind it */
    size_t n;
    size_t cap;
    size_t seen; /**< how much of it has been waited for */
};

/** Makes the terminal of P. */
void tty_open(struct pty *p);

/** Closes both sides of it, if they are open. */
void tty_close(struct pty *p);

/** Reads what there is; waits up to TIMEOUT_MS (-1: until the guard) for output or for the end of the leader. */
void tty_pump(struct pty *p, int timeout_ms);

#endif
