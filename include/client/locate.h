/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Finding the fosterd that is meant, and connecting to it.
 */
#ifndef FOSTER_CLIENT_LOCATE_H
#define FOSTER_CLIENT_LOCATE_H

#include "base/compiler.h"
#include "base/runtime.h"
#include "foster/foster.h"

/** Connects to the socket PATH, or with NULL to the one that foster_connect() tells of. Returns the descriptor, which
 * is non-blocking and close-on-exec, with the path in RET_PATH (RUNTIME_PATH_MAX + 1 bytes); -1 with *E. */
int locate_connect(const char *path, char *ret_path, struct foster_error *e) MUST_CHECK NONNULL(2, 3);

#endif
