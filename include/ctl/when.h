/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Points in time, as people write them and as logs have them.
 */
#ifndef FOSTER_CTL_WHEN_H
#define FOSTER_CTL_WHEN_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/** Reads TEXT: how long before NOW_US (a duration), a time of that day ("08:15", "08:15:30"), or a date with or without
 * a time ("2026-11-22", "2026-11-22 08:15", "2026-11-22T08:15:30.5Z", "...+01:00"), local time where no zone is given.
 * In microseconds since 1970. False when it is none of these. */
bool when_parse(const char *text, int64_t now_us, int64_t *ret) MUST_CHECK NONNULL();

enum { WHEN_LEN = 27 /**< of "2026-11-22T08:15:30.123456Z" */ };

/** Writes US, microseconds since 1970, in that form, with a NUL; blanks where it is below zero. */
void when_write(int64_t us, char out[WHEN_LEN + 1]) NONNULL();

/** Reads the time at the beginning of TEXT as logs have it, "2026-11-22T08:15:30.123456Z". False when there is none. */
bool when_of_line(const char *text, int64_t *ret) MUST_CHECK NONNULL();

#endif
