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

/** Brings the units in line with super's: new ones are made, those that are gone are freed, and all others renewed from
 *  super_view(). False without memory: those that could not be made are missing. */
bool slots_sync(struct engine *g) MUST_CHECK NONNULL();

/** Finds how wide the longest name is, for lines of output that align. */
void slots_measure(struct engine *g) NONNULL();

/** Frees all units. */
void slots_done(struct engine *g) NONNULL();

#endif
