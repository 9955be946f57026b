/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When each unit came how far in its present start: what `fosterctl plot` draws. A start begins when the unit is wanted
 * and lasts, over attempts that fail, until it is up; what it goes through later changes nothing but whether it is
 * still up. A record has a fixed size.
 */
#ifndef FOSTER_DAEMON_TIMELINE_H
#define FOSTER_DAEMON_TIMELINE_H

#include "base/compiler.h"
#include "core/super.h"

#include <jansson.h>
#include <stdint.h>

struct engine;
struct engine_unit;

enum { TIMELINE_TRIES_MAX = 4 };

/** An attempt that has failed. */
struct timeline_try {
    int64_t starting_ms;
    int64_t ended_ms;
};

/** One start. Times are of CLOCK_MONOTONIC; -1: it has not come to that. */
struct timeline {
    int64_t waiting_ms;  /**< when it was wanted; 0: it never was */
    int64_t starting_ms; /**< when its present or last attempt began, commands of `pre_start` included */
    int64_t started_ms;  /**< when the program ran */
    int64_t ready_ms;    /**< when it was ready for the first time */
    int64_t healthy_ms;  /**< when its health check had first succeeded */
    int64_t ended_ms;    /**< since when that attempt is over, or it is not up any more */
    struct timeline_try tries[TIMELINE_TRIES_MAX]; /**< earlier attempts: the first, and behind it the last ones */
    unsigned n_tries;                              /**< how many of them are kept */
    unsigned blocker;                              /**< the unit that it has waited for last */
    uint64_t blocker_id;                           /**< its id, for its number may be used again; 0: for none */
};

/** Notes in T that its unit, which goes by SPEC, went from the state FROM to TO at NOW_MS. Whoever was ready, but not
 * for long enough to count as steady, before it failed has not come up. */
void timeline_note(struct timeline *t, const struct spec *spec, enum unit_state from, enum unit_state to,
                   int64_t now_ms) NONNULL();

/** U has gone from the state FROM to TO. */
void timeline_on_state(struct engine_unit *u, enum unit_state from, enum unit_state to) NONNULL();

/** Somebody has found out that U's health is HEALTH. */
void timeline_on_health(struct engine_unit *u, enum unit_health health) NONNULL();

/** Unit number UNIT as an element of the result of `timeline`. NULL without memory, or when there is none. */
json_t *timeline_json(const struct engine *g, unsigned unit) MUST_CHECK NONNULL();

#endif
