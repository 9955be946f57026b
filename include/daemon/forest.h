/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The processes of services as trees: which were adopted, and from whom.
 */
#ifndef FOSTER_DAEMON_FOREST_H
#define FOSTER_DAEMON_FOREST_H

#include "base/compiler.h"

#include <jansson.h>
#include <stdint.h>

struct engine;

/** What the processes of one unit come to. */
struct forest_sums {
    unsigned processes;
    unsigned adopted;
    unsigned zombies;
    int64_t rss_bytes;
    int64_t cpu_ms;
};

/** The processes of unit number UNIT (SUPER_NO_UNIT: the unclaimed) as a JSON array of process; see doc/protocol.md.
 * NULL without memory. Call census_refresh() before. */
json_t *forest_processes(struct engine *g, unsigned unit) MUST_CHECK NONNULL();

/** Adds up the processes of unit number UNIT into RET. */
void forest_sum(struct engine *g, unsigned unit, struct forest_sums *ret) NONNULL();

#endif
