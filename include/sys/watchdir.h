/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Being told when something is removed from a directory (inotify(7)).
 */
#ifndef FOSTER_SYS_WATCHDIR_H
#define FOSTER_SYS_WATCHDIR_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>

/** Begins to watch the directory DIR: *RET_FD, non-blocking, owned by the caller, becomes readable when an entry was
 * removed, moved away or replaced, or the directory itself. False with *E, whose text does not name DIR. */
bool watchdir_open(const char *dir, int *ret_fd, struct err *e) MUST_CHECK NONNULL();

/** Takes all that FD has to tell. *RET_GONE says whether the directory itself is gone, and FD with it of no more use.
 */
void watchdir_drain(int fd, bool *ret_gone) NONNULL();

#endif
