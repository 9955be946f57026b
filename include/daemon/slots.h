/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The engine's units, by the numbers that super gives: made, renewed and freed as the configuration changes. Each is
 * memory of its own, since watchers live in it.
 */
#ifndef FOSTER_DAEMON_SLOTS_H
#define FOSTER_DAEMON_SLOTS_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <stdbool.h>

/** Sets memory aside for N more units than there are, so that the next slots_sync() cannot fail as long as there are no
 * more new ones. False without memory. */
bool slots_reserve(struct engine *g, size_t n) MUST_CHECK NONNULL();

/** Brings the units in line with super's: new ones are made, those that are gone are freed, and all others renewed from
 * super_view(). What a unit that is gone has left behind belongs to nobody then. What was set aside and is not needed
 * is freed. False without memory: those that could not be made are missing. */
bool slots_sync(struct engine *g) MUST_CHECK NONNULL();

/** Finds how wide the longest name is, for lines of output that align. */
void slots_measure(struct engine *g) NONNULL();

/** Frees all units. */
void slots_done(struct engine *g) NONNULL();

#endif
