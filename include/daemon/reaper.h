/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The one place where deaths enter: SIGCHLD by signalfd, a look at each zombie while it can still be
 * asked, the wait, and one libev child watcher on pid 0 that everything above sees.
 *
 * libev's own SIGCHLD handling waits first and calls later, when the body is gone; so SIGCHLD stays
 * blocked (libev's handler never runs) and the watcher is invoked from here, which libev's manual provides for.
 */
#ifndef FOSTER_DAEMON_REAPER_H
#define FOSTER_DAEMON_REAPER_H

#include "base/compiler.h"
#include "base/err.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { REAPER_SLICE = 1024 };

/** One change of a child: ended (and reaped), stopped or continued; see wait(2) for WSTATUS. */
struct reaper_note {
    pid_t pid;
    int wstatus;
};

/** The reaper. Callbacks must not start or stop it. */
struct reaper {
    struct ev_loop *loop; /**< borrowed; the default loop */
    int signal_fd;        /**< owned; -1: none */
    struct ev_io signal_io;
    struct ev_child child; /**< pid 0: every child */
    struct ev_timer again; /**< goes on after a full slice, when other events have had their turn */
    struct reaper_note notes[REAPER_SLICE];
    size_t n_notes;
    uint64_t n_reaped;                        /**< children reaped since the start */
    void (*on_zombie)(pid_t pid, void *data); /**< called for each ended child before it is reaped */
    void (*on_slice)(const struct reaper_note *notes, size_t n,
                     void *data); /**< called behind each slice that found something */
    void *data;
};

/** Starts reaping on LOOP, which must be the default loop, with SIGCHLD blocked already. Sweeps once at the first
 *  turn of the loop, for zombies inherited through exec. R's callbacks and data are set before. False with *E. */
bool reaper_start(struct reaper *r, struct ev_loop *loop, struct err *e) MUST_CHECK NONNULL();

/** Reaps whoever has ended by now, all of them, without waiting for the loop: the last thing before we go, so that we
 *  leave no zombie to anybody. */
void reaper_drain(struct reaper *r) NONNULL();

/** Stops reaping and closes what R owns. */
void reaper_stop(struct reaper *r) NONNULL();

#endif
