/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Health checks of services: while a unit runs, its probe is made again and again by the clock of core/health.h, and
 * every change is told to super. One check of a unit at a time, never two.
 *
 * DIAGNOSTICS: an event `health` when a service becomes healthy or unhealthy, and for each failing check at level
 * debug. A check that could not even be begun (no memory, no descriptor, no process) says nothing about the service: it
 * is told once, counts neither way, and is tried again at the next time.
 */
#ifndef FOSTER_DAEMON_HEALTH_H
#define FOSTER_DAEMON_HEALTH_H

#include "base/compiler.h"
#include "core/super.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine_unit;

/** What is known of the checks of a unit's present run, or of its last one when it does not run. */
struct health_view {
    enum unit_health status; /**< what they have come to; UNIT_HEALTH_NONE when it does not run */
    bool is_checking;        /**< one is under way */
    int64_t due_ms;        /**< when the next one begins (CLOCK_MONOTONIC); -1: one is under way, or it does not run */
    int64_t streak;        /**< so many in a row have failed and counted; 0: none, or the last one succeeded */
    int64_t retries;       /**< so many make it unhealthy */
    uint64_t n_checks;     /**< how many have ended in this run */
    uint64_t n_failures;   /**< how many of them have failed, whether that counted or not */
    bool last_ok;          /**< whether the last one succeeded; without meaning while n_checks is 0 */
    int64_t last_ended_ms; /**< when it ended (CLOCK_MONOTONIC); -1: none has */
    int64_t last_took_ms;  /**< how long it took; 0: none has ended */
    const char *last_text; /**< how it ended, for people: "HTTP 503"; "" while none has */
    const char *last_output; /**< what it printed, or the body of the answer, cut to 4 KiB: any bytes; never NULL */
    size_t n_last_output;    /**< bytes of it */
};

/** Fills *RET with what is known of U's checks; its pointers are good until the loop goes on. False: it has none, or
 * has not run since it has. */
bool health_view(const struct engine_unit *u, struct health_view *ret) NONNULL();

/** U has entered the state TO: begins to check when it runs, ends when it does not. */
void health_on_state(struct engine_unit *u, enum unit_state to) NONNULL();

/** U's spec may be another one now: its checks go by that from now on. */
void health_renew(struct engine_unit *u) NONNULL();

/** Ends U's checks and frees what is known of them. */
void health_free(struct engine_unit *u) NONNULL();

#endif
