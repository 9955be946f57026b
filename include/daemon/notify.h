/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The server side of sd_notify(3): one socket a run, messages of members of that run only, what they say, and the
 * descriptors that they leave with us. The watchdog is watchdog.c's.
 */
#ifndef FOSTER_DAEMON_NOTIFY_H
#define FOSTER_DAEMON_NOTIFY_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "daemon/engine.h"
#include "sys/spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a unit has said of itself, for views. */
struct notify_view {
    const char *status;  /**< STATUS; borrowed until the loop turns; NULL: none */
    int errnum;          /**< ERRNO; -1: none */
    bool reloading;      /**< RELOADING=1, and no READY=1 since */
    bool stopping;       /**< STOPPING=1 */
    int64_t watchdog_ms; /**< the longest time between two WATCHDOG=1; 0: nobody watches */
    size_t n_stored;     /**< descriptors that are kept for it */
};

/** Makes ready what the program of U needs to speak: its run is there. Nothing for those that have nothing to say.
 * False with *E. */
bool notify_prepare(struct engine_unit *u, struct err *e) MUST_CHECK NONNULL();

/** Adds NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID to REQ, as far as they are for U; new memory from A. False:
 * ENOMEM. */
bool notify_request(const struct engine_unit *u, struct arena *a, struct spawn_request *req) MUST_CHECK NONNULL();

/** U has entered the state TO. */
void notify_on_state(struct engine_unit *u, enum unit_state to) NONNULL();

/** Reads what has been sent to U and says who is to be believed, while its senders are still known. Nothing is posted:
 * that is notify_deliver()'s. */
void notify_collect(struct engine_unit *u) NONNULL();

/** Does what has been collected says. */
void notify_deliver(struct engine_unit *u) NONNULL();

/** The present run of U is closed: nobody can speak for it any more. */
void notify_close_run(struct engine_unit *u) NONNULL();

/** What U has said, into *RET. False: nothing, and it is not expected to. */
bool notify_view(const struct engine_unit *u, struct notify_view *ret) MUST_CHECK NONNULL();

/** A descriptor that is kept for a unit. */
struct notify_stored {
    int fd;     /**< owned */
    char *name; /**< owned; for LISTEN_FDNAMES */
};

/** The descriptors that are kept for U and still good, oldest first, into *RET (borrowed until the loop turns); how
 * many there are. Those whose other end is gone are closed here, unless they came with FDPOLL=0. */
size_t notify_stored(struct engine_unit *u, const struct notify_stored **ret) NONNULL();

/** Frees all that is kept of U. */
void notify_free(struct engine_unit *u) NONNULL();

#endif
