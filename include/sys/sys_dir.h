/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers, as in sys.h, of the calls about what is in a directory that is open.
 */
#ifndef FOSTER_SYS_SYS_DIR_H
#define FOSTER_SYS_SYS_DIR_H

#include "base/compiler.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
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

/** fchmod(2). */
int sys_fchmod(int fd, mode_t mode) MUST_CHECK;
/** fstatat(2) of NAME itself. */
int sys_fstatat(int dir_fd, const char *name, struct stat *ret) MUST_CHECK NONNULL();
/** renameat2(2) with RENAME_NOREPLACE: EEXIST when TO is there; EINVAL where the file system cannot tell. */
int sys_rename_new(int dir_fd, const char *from, const char *to) MUST_CHECK NONNULL();
/** renameat(2) within a directory. */
int sys_renameat(int dir_fd, const char *from, const char *to) MUST_CHECK NONNULL();
/** readlinkat(2); NAME "": of the link that DIR_FD (O_PATH) is. */
ssize_t sys_readlinkat(int dir_fd, const char *name, char *buf, size_t size) MUST_CHECK NONNULL();
/** unlinkat(2) of a file. */
int sys_unlinkat(int dir_fd, const char *name) MUST_CHECK NONNULL();
/** statx(2) of FD: when it was born, in seconds since 1970; 0 where that is not known. */
int64_t sys_birth_s(int fd);
/** setfsgid(2) and setfsuid(2): whose rights our next look at files has. False when we cannot have those. */
bool sys_set_fs_ids(uid_t uid, gid_t gid) MUST_CHECK;

#endif
