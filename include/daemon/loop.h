/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The libev default loop, made safe for a process that must not die: libev by itself aborts when memory
 * or a system call is refused.
 */
#ifndef FOSTER_DAEMON_LOOP_H
#define FOSTER_DAEMON_LOOP_H

#include "base/compiler.h"
#include "base/err.h"

#include <ev.h>

/** The default loop on epoll (poll where epoll is refused), whatever LIBEV_FLAGS says. SIGCHLD must be blocked already.
 * NULL with *E. Called while descriptors are plentiful, since libev needs some of its own. */
struct ev_loop *loop_new(struct err *e) MUST_CHECK NONNULL();

/** Starts the timer W, anew if it runs: it passes once, AFTER seconds from now on. */
void loop_arm(struct ev_loop *loop, struct ev_timer *w, double after) NONNULL();

/** Destroys LOOP and frees the reserve. */
void loop_free(struct ev_loop *loop);

#endif
