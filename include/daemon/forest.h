/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The processes of services as trees: which were adopted, and from whom.
 *
 * All of them are looked at together, once in a turn of the loop (unless some have come or gone since), so that a
 * thousand services cost one walk. Who is seen below whom is remembered until the next look (attrib_remember()).
 */
#ifndef FOSTER_DAEMON_FOREST_H
#define FOSTER_DAEMON_FOREST_H

#include "base/compiler.h"
#include "core/super.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

/** So many processes are looked at, and shown, at most; and nested so deep: what is below is beside each other. */
enum { FOREST_MAX = 16384, FOREST_DEPTH_MAX = 64 };

/** In place of the number of a unit: the processes of fosterd's own, which are the logger and what is below it. */
enum { FOREST_OWN = SUPER_NO_UNIT - 1 };

/** What the processes of one unit come to: its main process, its members, and what is below them. */
struct forest_sums {
    unsigned processes; /**< those that live */
    unsigned adopted;   /**< of them, those that were re-parented to us */
    unsigned zombies;   /**< those that have ended and whose parent does not wait for them */
    int64_t rss_bytes;  /**< of those that live; memory that they share is counted for each */
    int64_t cpu_ms;     /**< of those that live, without children that they have waited for */
};

/** The processes of unit number UNIT (SUPER_NO_UNIT: the unclaimed; FOREST_OWN) as a JSON array of process; see
 * doc/protocol.md. NULL without memory. Call census_refresh() before. */
json_t *forest_processes(struct engine *g, unsigned unit) MUST_CHECK NONNULL();

/** Adds up the processes of unit number UNIT into RET. Call census_refresh() before. */
void forest_sum(struct engine *g, unsigned unit, struct forest_sums *ret) NONNULL();

/** Whether there are more than FOREST_MAX processes below us, or memory was refused, so that some are missing in what
 * the others say. */
bool forest_is_cut(struct engine *g) MUST_CHECK NONNULL();

#endif
