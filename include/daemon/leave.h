/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The last act: from super's last word to the end of the loop. PID 1 first ends, and waits for, whoever is left in its
 * namespace.
 */
#ifndef FOSTER_DAEMON_LEAVE_H
#define FOSTER_DAEMON_LEAVE_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <stdbool.h>

/** Makes the timer of G ready. */
void leave_init(struct engine *g) NONNULL();

/** Everything is over: kills the helpers that are left, and leaves the loop when they are gone. PID 1 (and, in init
 * mode, whoever has no /proc to see who is left by) waits until nobody at all is left; a grace period of 0 in init mode
 * means not at all. Last the output goes out: as long as it goes on, and what is left of the time for the whole stop
 * (10 s without one), but never 2 s for nothing. */
void leave_begin(struct engine *g) NONNULL();

/** While G is clearing: leaves when nobody is left, and goes on with whatever has been begun. Called behind each slice
 * of deaths. */
void leave_check(struct engine *g) NONNULL();

/** While G is clearing: somebody wants it to end. Those who are left are asked to; with KILL, or for the second time,
 * they are killed. Output goes out all the same. */
void leave_hurry(struct engine *g, bool kill) NONNULL();

#endif
