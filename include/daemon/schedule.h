/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The schedules of units, on the clocks of this machine: tells super when a unit is due. What follows from that is
 * super's to decide, and which time counts is told in core/schedule.h.
 *
 * A schedule counts while its unit is wanted: stopping the unit suspends it, and starting it begins it anew. Nothing
 * polls: a unit has a timer, and the kernel tells us when somebody sets the clock or the machine has slept. A new
 * /etc/localtime is noticed when the next run is due, or the configuration is read again.
 */
#ifndef FOSTER_DAEMON_SCHEDULE_H
#define FOSTER_DAEMON_SCHEDULE_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <stdint.h>

/** Brings what is known of U's schedule in line with its configuration: begins, goes on, goes by another one, or ends.
 * Without memory U is not due before the next reload, which the log says. */
void schedule_watch(struct engine_unit *u) NONNULL();

/** U has entered the state TO. */
void schedule_on_state(struct engine_unit *u, enum unit_state to) NONNULL();

/** Forgets U's schedule. */
void schedule_forget(struct engine_unit *u) NONNULL();

/** Ends all that concerns the whole daemon; the units' schedules are forgotten already. */
void schedules_stop(struct engine *g) NONNULL();

/** When U is due next, in seconds since 1970; 0: never, for it has no schedule or is not wanted. */
int64_t schedule_next_s(const struct engine_unit *u) NONNULL();

#endif
