/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Where a running fosterd and those who talk to it meet.
 */
#ifndef FOSTER_BASE_RUNTIME_H
#define FOSTER_BASE_RUNTIME_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The name of the control socket in the runtime directory. Its lock file has ".lock" behind it. */
#define RUNTIME_SOCKET "control.sock"

/** Where fosterd is found when it runs as a service of the machine. */
#define RUNTIME_SYSTEM_DIR "/run/foster"

/** The longest path that a Unix socket can have, without the NUL (unix(7)). */
enum { RUNTIME_PATH_MAX = 107 };

/** Puts the runtime directory of the user UID into BUF: $FOSTER_RUNTIME_DIR, else /run/foster for root, else
 * $XDG_RUNTIME_DIR/foster, else /tmp/foster-UID; variables that are empty or no absolute path do not count. GETENV_FN
 * as getenv(3). *RET_SHARED says whether others can write where it lies (/tmp): its owner has to be checked then. False
 * when it does not fit. */
bool runtime_dir(uid_t uid, char *(*getenv_fn)(const char *), char *buf, size_t size, bool *ret_shared) MUST_CHECK
    NONNULL();

#endif
