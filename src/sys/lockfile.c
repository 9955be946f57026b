/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A lock file that goes away with its holder. Whoever waits between opening and locking may hold the lock of a file
 * that has been removed meanwhile, which keeps nobody out: only the lock of the file that is at the path counts.
 */
#include "sys/lockfile.h"

#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { TRIES_MAX = 100 };

/* Whether the open file FD is the one at PATH: 1 or 0, or -1 with errno. */
static int is_at(int fd, const char *path)
{
    struct stat own, there;

    if (sys_fstat(fd, &own) != 0)
        return -1;
    if (sys_lstat(path, &there) != 0)
        return errno == ENOENT ? 0 : -1;
    return own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

static bool set_errno(struct err *e, const char *what)
{
    err_set_errno(e, errno, "%s", what);
    return false;
}

/* Locks FD. True with whether it is still the file at PATH then. */
static bool lock(int fd, const char *path, bool *ret_counts, struct err *e)
{
    if (sys_flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return set_errno(e, "locking");
        err_set(e, ERR_BUSY, "another process holds the lock");
        return false;
    }
    int at = is_at(fd, path);
    if (at == -1)
        return set_errno(e, "looking at the lock file");
    *ret_counts = at == 1;
    return true;
}

bool lockfile_take(const char *path, int *ret_fd, struct err *e)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        bool counts = false;
        int fd = sys_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, S_IRUSR | S_IWUSR);
        if (fd == -1)
            return set_errno(e, "opening the lock file");
        bool ok = lock(fd, path, &counts, e);
        if (counts) {
            *ret_fd = fd;
            return true;
        }
        sys_close(fd);
        if (!ok)
            return false;
    }
    err_set(e, ERR_BUSY, "other processes take the lock and leave it all the time");
    return false;
}

bool lockfile_is_at(const char *path, int fd)
{
    return fd != -1 && is_at(fd, path) == 1;
}

void lockfile_drop(const char *path, int *fd)
{
    /* Where somebody has removed the file under us, the one there now may be the lock of another. */
    if (lockfile_is_at(path, *fd)) {
        /* A file that stays is in nobody's way. */
        int removed = sys_unlink(path);
        (void)removed;
    }
    sys_close_fd(fd);
}
