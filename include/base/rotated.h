/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The names that log files get when they are full: "BASE.20261122T081530.123456Z", by the time (UTC) of that, and
 * ".gz" behind it once one is compressed. In the order of their names they are in that of time.
 */
#ifndef FOSTER_BASE_ROTATED_H
#define FOSTER_BASE_ROTATED_H

#include "base/compiler.h"

#include <stdbool.h>

enum { ROTATED_STAMP_LEN = 23 };

/** The stamp in NAME, ROTATED_STAMP_LEN bytes (borrowed from it), when NAME begins with BASE, a dot and a stamp;
 * *RET_END is what stands behind that. NULL: it does not. */
const char *rotated_stamp(const char *name, const char *base, const char **ret_end) MUST_CHECK NONNULL();

/** Whether NAME ends as those of compressed files do. */
bool rotated_is_compressed(const char *name) MUST_CHECK NONNULL();

#endif
