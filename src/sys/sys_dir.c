/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One call each.
 */
#include "sys/sys_dir.h"

#include <fcntl.h>
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
