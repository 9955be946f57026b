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
    const int *spared;
    size_t n_spared;
    bool inherited_only; /* those without close-on-exec */
};

static bool is_spared(const struct selection *s, int fd)
{
    for (size_t i = 0; i < s->n_spared; i++)
        if (s->spared[i] == fd)
            return true;
    return false;
}

static void close_selected(const struct selection *s, int fd)
{
    if (fd < FDS_FIRST_FREE || is_spared(s, fd))
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

/* The lowest of the spared from FROM on; UINT_MAX: there is none. */
static unsigned next_spared(const struct selection *s, unsigned from)
{
    unsigned next = UINT_MAX;
    for (size_t i = 0; i < s->n_spared; i++) {
        unsigned fd = (unsigned)s->spared[i];
        if (fd >= from && fd < next)
            next = fd;
    }
    return next;
}

/* Closes what lies between the spared, piece by piece. False where the kernel cannot. */
static bool close_pieces(const struct selection *s)
{
    for (unsigned from = FDS_FIRST_FREE;;) {
        unsigned hole = next_spared(s, from);
        unsigned last = hole == UINT_MAX ? UINT_MAX : hole - 1;
        if (hole > from && sys_close_range(from, last) != 0)
            return false;
        if (hole == UINT_MAX)
            return true;
        from = hole + 1;
    }
}

bool fds_close_all(const int *spared, size_t n)
{
    const struct selection selection = {.spared = spared, .n_spared = n};
    return close_pieces(&selection) || close_listed(&selection) || close_blindly(&selection);
}

bool fds_close_inherited(void)
{
    const struct selection selection = {.inherited_only = true};
    return close_listed(&selection) || close_blindly(&selection);
}
