/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One inotify instance with one watch. What exactly was removed is not told: a queue that overflows would not tell it
 * either, so whoever asks has to look in any case.
 */
#include "sys/watchdir.h"

#include "sys/sys.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/inotify.h>

enum { EVENTS_BYTES = 4096 };

bool watchdir_open(const char *dir, int *ret_fd, struct err *e)
{
    int fd = sys_inotify_init();
    if (fd == -1) {
        err_set_errno(e, errno, "making an inotify instance (fs.inotify.max_user_instances limits them)");
        return false;
    }
    /* Something that is moved here may replace what was there, which is not told in any other way. */
    if (sys_inotify_add_watch(
            fd, dir, IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) == -1) {
        err_set_errno(e, errno, "watching the directory%s",
                      errno == ENOSPC ? " (fs.inotify.max_user_watches limits that)" : "");
        sys_close(fd);
        return false;
    }
    *ret_fd = fd;
    return true;
}

/* Whether one of the LEN bytes of EVENTS says that the directory is gone. */
static bool says_gone(const char *events, size_t len)
{
    bool gone = false;

    for (size_t at = 0; at < len;) {
        struct inotify_event event;
        memcpy(&event, events + at, sizeof event);
        /* IN_IGNORED follows both its removal and an unmount. */
        gone = gone || (event.mask & (IN_IGNORED | IN_MOVE_SELF)) != 0;
        at += sizeof event + event.len;
    }
    return gone;
}

void watchdir_drain(int fd, bool *ret_gone)
{
    alignas(struct inotify_event) char events[EVENTS_BYTES];
    bool gone = false;
    ssize_t n;

    while ((n = sys_read(fd, events, sizeof events)) > 0)
        gone = says_gone(events, (size_t)n) || gone;
    *ret_gone = gone;
}
