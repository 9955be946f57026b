/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The event loops of fosterd and of the logger: libev's, made safe for a process that must not die. By itself libev
 * aborts when memory or a system call is refused, and wakes up once a minute.
 */
#ifndef FOSTER_LOGGER_LOOP_H
#define FOSTER_LOGGER_LOOP_H

#include "base/compiler.h"
#include "base/err.h"

struct ev_loop;
struct ev_timer;

/** The default loop on epoll (poll where epoll is refused), whatever LIBEV_FLAGS says. SIGCHLD must be blocked already.
 * NULL with *E. Called while descriptors are plentiful, since libev needs some of its own. */
struct ev_loop *loop_new(struct err *e) MUST_CHECK NONNULL();

/** Another loop like that, for a child of fork(2) that has closed the descriptors of the first one. NULL when neither
 * epoll nor poll can be had. */
struct ev_loop *loop_new_beside(void) MUST_CHECK;

/** Starts the timer W, anew if it runs: it passes once, AFTER seconds from now on. */
void loop_arm(struct ev_loop *loop, struct ev_timer *w, double after) NONNULL();

/** Destroys LOOP and frees the reserve. */
void loop_free(struct ev_loop *loop);

#endif
