/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When one unit with a schedule is due. Pure: what the clocks say goes in, and whoever holds the clocks looks again
 * when schedule_wait_ms() has passed, and whenever the time of day is set.
 *
 * `every` goes by the monotonic clock, from the start of the last run or from when one was last due, whichever is
 * later. `cron` goes by the time of day. What has passed unseen (the clock was put forward, the machine slept, we were
 * suspended) is made up for by one run where any of it lies in the last three hours, and left out otherwise. Where the
 * clock is put back by up to three hours, nothing that was dealt with is due again; where by more, the new time counts
 * alone. Schedules whose hour begins with `*` go by the new time at once, but are not due twice in the same minute.
 */
#ifndef FOSTER_CORE_SCHEDULE_H
#define FOSTER_CORE_SCHEDULE_H

#include "base/compiler.h"
#include "core/cron.h"
#include "core/spec.h"

#include <stdint.h>

enum { SCHEDULE_STEP_MAX_S = 3 * 3600 };

/** What the clocks say. */
struct schedule_now {
    int64_t mono_ms;              /**< CLOCK_MONOTONIC */
    int64_t unix_ms;              /**< the time of day, since 1970 in UTC */
    const struct cron_zone *zone; /**< borrowed; local time */
};

/** The schedule of one unit. */
struct schedule {
    struct spec_schedule spec; /**< its text is read no more */
    int64_t began_ms;          /**< of `every`: since when it counts */
    int64_t due_s;             /**< of `cron`: when it is due next, since 1970 in UTC; 0: never */
    int64_t served_s;          /**< of `cron`: what was due until then has been dealt with; 0: nothing has been due */
};

/** What a look comes to. */
enum schedule_verdict {
    SCHEDULE_NOT_YET,
    SCHEDULE_DUE,    /**< it is to run now; the next look says so of the next time */
    SCHEDULE_MISSED, /**< it was due, but too long ago */
};

/** S begins by SPEC now. */
void schedule_begin(struct schedule *s, const struct spec_schedule *spec, const struct schedule_now *now) NONNULL();

/** S goes by SPEC from now on: as before where that is the same. */
void schedule_set(struct schedule *s, const struct spec_schedule *spec, const struct schedule_now *now) NONNULL();

/** A run starts, by this schedule or not. */
void schedule_started(struct schedule *s, const struct schedule_now *now) NONNULL();

/** Whether S is due. */
enum schedule_verdict schedule_look(struct schedule *s, const struct schedule_now *now) MUST_CHECK NONNULL();

/** How long until the next look is worth while, as long as nobody sets the clock: 0 or more; -1: for ever. */
int64_t schedule_wait_ms(const struct schedule *s, const struct schedule_now *now) NONNULL();

/** The time of day at which S is due next, in seconds since 1970; 0: never. */
int64_t schedule_due_s(const struct schedule *s, const struct schedule_now *now) NONNULL();

#endif
