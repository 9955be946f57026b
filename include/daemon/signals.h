/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The signals that people send us. All are blocked for the whole life of the daemon and taken from a
 * signalfd, so none can interrupt anything, and none that we do not know can end us.
 */
#ifndef FOSTER_DAEMON_SIGNALS_H
#define FOSTER_DAEMON_SIGNALS_H

#include "base/compiler.h"
#include "base/err.h"

#include <ev.h>
#include <stdbool.h>

/** What a signal asks for. */
enum signals_request {
    SIGNALS_STOP,   /**< TERM, INT, PWR, RTMIN+3: orderly stop; again: at once */
    SIGNALS_KILL,   /**< QUIT: at once */
    SIGNALS_RELOAD, /**< HUP */
    SIGNALS_STATUS, /**< USR1: say how everything is */
    SIGNALS_REEXEC, /**< USR2 */
    SIGNALS_IGNORE, /**< any other */
};

/** The watcher of our signals. */
struct signals {
    struct ev_loop *loop; /**< borrowed */
    int fd;               /**< owned; -1: none */
    bool all;             /**< listen to the faults too, as they may be sent by kill(2); set before signals_start() */
    struct ev_io io;
    void (*on_request)(enum signals_request request, int sig, void *data); /**< set before signals_start() */
    void *data;
};

/** Sets SIGCHLD to its default and blocks every signal that can be blocked, save the faults. First thing in main: a
 *  SIGCHLD inherited as ignored would make the kernel reap behind our back, and one inherited as blocked or not is
 *  all the same to us then. False with *E. */
bool signals_block(struct err *e) MUST_CHECK NONNULL();

/** Blocks the faults too, and the signals that the C library keeps for itself: for whoever passes signals on. A fault
 * of our own ends us all the same, since the kernel does not wait for a blocked one. False with *E. */
bool signals_block_all(struct err *e) MUST_CHECK NONNULL();

/** Starts to listen on LOOP to everything but SIGCHLD, which is the reaper's. False with *E. */
bool signals_start(struct signals *s, struct ev_loop *loop, struct err *e) MUST_CHECK NONNULL();

/** Stops listening and closes what S owns; signals stay blocked. */
void signals_stop(struct signals *s) NONNULL();

#endif
