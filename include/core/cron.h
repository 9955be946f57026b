/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules of five fields as in crontab(5): reading them, and when they are due next.
 *
 * Times of day are local ones. Where clocks are put forward, a time that is skipped is due right after the gap; where
 * they are put back, a time that comes twice is due the first time only. Schedules whose hour begins with `*` go by
 * elapsed time instead: what is skipped is left out, and what comes twice is due twice. (cron(8) of Vixie and of Debian
 * does the same.)
 */
#ifndef FOSTER_CORE_CRON_H
#define FOSTER_CORE_CRON_H

#include "base/compiler.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Local time: how far it is ahead of UTC. */
struct cron_zone {
    /** Seconds by which local time is ahead of UTC at the instant UNIX_S; between -1 and 1 days. */
    int64_t (*offset_s)(int64_t unix_s, const void *data);
    const void *data; /**< borrowed; for offset_s */
};

/** Reads TEXT (borrowed by *RET): five fields, or `@hourly` and the like. False, with what is wrong and what would be
 * right in WHY of SIZE bytes; *RET is untouched then. A schedule that is never due is wrong, too. */
bool cron_parse(const char *text, struct spec_cron *ret, char *why, size_t size) MUST_CHECK NONNULL();

/** The first instant (seconds since 1970 in UTC) after AFTER_S at which C is due in ZONE, into *RET_S. False: there is
 * none within 60 years. Costs a few steps, and one more for each day until then. */
bool cron_next(const struct spec_cron *c, int64_t after_s, const struct cron_zone *zone, int64_t *ret_s) MUST_CHECK
    NONNULL();

#endif
