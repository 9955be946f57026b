/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A file whose lock says that somebody is there. The kernel drops the lock with its holder, so it is never stale.
 */
#ifndef FOSTER_SYS_LOCKFILE_H
#define FOSTER_SYS_LOCKFILE_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>

/** Takes the lock of the file PATH (made when it is missing, 0600) by flock(2): *RET_FD, owned by the caller. False
 * with *E: ERR_BUSY when somebody else has it; its text does not name PATH. */
bool lockfile_take(const char *path, int *ret_fd, struct err *e) MUST_CHECK NONNULL();

/** Whether FD holds what keeps others out: it is the file that is at PATH now. False with -1. */
bool lockfile_is_at(const char *path, int fd) MUST_CHECK NONNULL();

/** Removes the file PATH and gives its lock *FD up; *FD is -1 then. Harmless with -1. */
void lockfile_drop(const char *path, int *fd) NONNULL();

#endif
