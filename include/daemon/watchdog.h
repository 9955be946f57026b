/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The watchdog: a service that has to send WATCHDOG=1 now and then, and does not, is stopped.
 *
 * Our own stalls are not held against it: what has been sent is read before anything is judged, and when our timer is
 * late, because we, or everybody here, did not run, a new period begins.
 */
#ifndef FOSTER_DAEMON_WATCHDOG_H
#define FOSTER_DAEMON_WATCHDOG_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <ev.h>
#include <stdint.h>

/** That of one unit. Embedded; zero is off. */
struct watchdog {
    struct engine_unit *unit; /**< borrowed: the owner; NULL: never begun */
    struct ev_timer timer;
    int64_t period_ms; /**< 0: off */
    int64_t due_ms;    /**< on the monotonic clock */
    unsigned n_late;   /**< how often in a row a new period was given because we were late */
};

/** Watches U from now on: every PERIOD_MS at most (0: not at all). */
void watchdog_set(struct watchdog *w, struct engine_unit *u, int64_t period_ms) NONNULL();

/** WATCHDOG=1 has come: a new period begins. */
void watchdog_fed(struct watchdog *w) NONNULL();

#endif
