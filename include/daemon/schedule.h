/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When services with a schedule are due: `every` by the monotonic clock, `cron` by the clock on the wall. What follows
 * is super's to decide.
 *
 * Nothing polls. Cron schedules share one timer of the kernel that also wakes us when somebody sets the clock or the
 * machine has slept. A due time that has passed unseen meanwhile counts, once, if that is less than three hours ago;
 * else it is left out. A clock that is put back by less than three hours makes nothing due twice.
 */
#ifndef FOSTER_DAEMON_SCHEDULE_H
#define FOSTER_DAEMON_SCHEDULE_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <stdint.h>

/** Brings what is known of U's schedule in line with its configuration: begins, goes on, begins anew where the schedule
 * is another one, or ends. Without a descriptor or memory U is not due before the next reload, which the log says. */
void schedule_watch(struct engine_unit *u) NONNULL();

/** Forgets U's schedule. */
void schedule_forget(struct engine_unit *u) NONNULL();

/** Ends all that concerns the whole daemon; the units' schedules are forgotten already. */
void schedules_stop(struct engine *g) NONNULL();

/** When U is due next, in seconds since 1970; 0: never. */
int64_t schedule_next_s(const struct engine_unit *u) NONNULL();

#endif
