/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One call each.
 */
#include "sys/sys_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

int sys_mkdirat(int dir_fd, const char *name, mode_t mode)
{
    return mkdirat(dir_fd, name, mode);
}

int sys_rmdirat(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, AT_REMOVEDIR);
}

DIR *sys_fdopendir(int fd)
{
    return fdopendir(fd);
}

ssize_t sys_fgetxattr(int fd, const char *name, void *buf, size_t size)
{
    return fgetxattr(fd, name, buf, size);
}

int sys_inotify_rm_watch(int fd, int watch)
{
    return inotify_rm_watch(fd, watch);
}

int sys_fchmod(int fd, mode_t mode)
{
    return fchmod(fd, mode);
}

int sys_fstatat(int dir_fd, const char *name, struct stat *ret)
{
    return fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW);
}

int sys_rename_new(int dir_fd, const char *from, const char *to)
{
    return renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE);
}

int sys_renameat(int dir_fd, const char *from, const char *to)
{
    return renameat(dir_fd, from, dir_fd, to);
}

ssize_t sys_readlinkat(int dir_fd, const char *name, char *buf, size_t size)
{
    return readlinkat(dir_fd, name, buf, size);
}

int sys_unlinkat(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, 0);
}

int64_t sys_birth_s(int fd)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) != 0 || (st.stx_mask & STATX_BTIME) == 0)
        return 0;
    return st.stx_btime.tv_sec;
}

bool sys_set_fs_ids(uid_t uid, gid_t gid)
{
    /* They say what was before and nothing else; with an id that cannot be, they change nothing. */
    setfsgid(gid);
    setfsuid(uid);
    return (gid_t)setfsgid((gid_t)-1) == gid && (uid_t)setfsuid((uid_t)-1) == uid;
}
