/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Closing descriptors by the thousand, of which nobody kept a list. Async-signal-safe.
 */
#ifndef FOSTER_SYS_FDS_H
#define FOSTER_SYS_FDS_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/** The lowest descriptor that is not a standard one. */
enum { FDS_FIRST_FREE = 3 };

/** Closes each descriptor from FDS_FIRST_FREE on but the N SPARED, in any order. False with errno when there is no way
 * to know them. */
bool fds_close_all(const int *spared, size_t n) MUST_CHECK;

/** Closes each descriptor from FDS_FIRST_FREE on that has no close-on-exec flag. False as above. */
bool fds_close_inherited(void) MUST_CHECK;

#endif
