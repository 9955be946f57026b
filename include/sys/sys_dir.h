/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers, as in sys.h, of the calls about what is in a directory that is open.
 */
#ifndef FOSTER_SYS_SYS_DIR_H
#define FOSTER_SYS_SYS_DIR_H

#include "base/compiler.h"

#include <dirent.h>
#include <sys/types.h>

/** mkdirat(2). */
int sys_mkdirat(int dir_fd, const char *name, mode_t mode) MUST_CHECK NONNULL();
/** unlinkat(2) of a directory. */
int sys_rmdirat(int dir_fd, const char *name) MUST_CHECK NONNULL();
/** fdopendir(3): takes FD over when it succeeds. */
DIR *sys_fdopendir(int fd) MUST_CHECK;
/** fgetxattr(2). */
ssize_t sys_fgetxattr(int fd, const char *name, void *buf, size_t size) MUST_CHECK NONNULL();
/** inotify_rm_watch(2). */
int sys_inotify_rm_watch(int fd, int watch) MUST_CHECK;

#endif
