/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Closing what was inherited, with whatever the kernel offers for it.
 *
 * BUGS: the child calls this between fork and exec, so all that child.c says about such code holds here too.
 */
#include "sys/fds.h"

#include "base/compiler.h"
#include "sys/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

enum { CLOSE_LOOP_MAX = 65536 }; /* how far descriptors are closed blindly */

/* Which descriptors are to be closed. */
struct selection {
    int spared;
    bool inherited_only; /* those without close-on-exec */
};

static void close_selected(const struct selection *s, int fd)
{
    if (fd < FDS_FIRST_FREE || fd == s->spared)
        return;
    if (s->inherited_only) {
        int flags = sys_fcntl(fd, F_GETFD, 0);
        if (flags == -1 || (flags & FD_CLOEXEC) != 0)
            return;
    }
    sys_close(fd);
}

/* The number that NAME is, or -1. */
static int fd_of_name(const char *name)
{
    int fd = 0;
    if (*name == '\0')
        return -1;
    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9' || fd > (INT_MAX - 9) / 10)
            return -1;
        fd = fd * 10 + (*name - '0');
    }
    return fd;
}

/* Closes what /proc lists, without opendir(3). False when there is no /proc. */
static bool close_listed(const struct selection *s)
{
    /* struct linux_dirent64 of getdents64(2) */
    enum { LENGTH_AT = 16, NAME_AT = 19 };
    _Alignas(uint64_t) char buf[2048];
    ssize_t n;

    int dir = sys_open("/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
    if (dir == -1)
        return false;
    while ((n = sys_getdents(dir, buf, sizeof buf)) > 0) {
        uint16_t length;
        for (ssize_t at = 0; at < n; at += length) {
            memcpy(&length, buf + at + LENGTH_AT, sizeof length);
            int fd = fd_of_name(buf + at + NAME_AT);
            if (fd != dir)
                close_selected(s, fd);
        }
    }
    sys_close(dir);
    return n == 0;
}

/* The last resort: every descriptor that can be open under the present limit, up to a bound. */
static bool close_blindly(const struct selection *s)
{
    struct rlimit limit;
    if (sys_prlimit_get(0, RLIMIT_NOFILE, &limit) != 0)
        return false;
    int end = limit.rlim_cur < CLOSE_LOOP_MAX ? (int)limit.rlim_cur : CLOSE_LOOP_MAX;
    for (int fd = FDS_FIRST_FREE; fd < end; fd++)
        close_selected(s, fd);
    return true;
}

bool fds_close_all(int spared)
{
    unsigned hole = (unsigned)spared;
    if ((hole == FDS_FIRST_FREE || sys_close_range(FDS_FIRST_FREE, hole - 1) == 0) &&
        sys_close_range(hole + 1, UINT_MAX) == 0)
        return true;
    const struct selection selection = {.spared = spared};
    return close_listed(&selection) || close_blindly(&selection);
}

bool fds_close_inherited(void)
{
    const struct selection selection = {.spared = -1, .inherited_only = true};
    return close_listed(&selection) || close_blindly(&selection);
}
