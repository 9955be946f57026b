/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Both ends of a connection in one process: what the daemon says waits in the socket until libfoster reads it.
 */
#ifndef FOSTER_TESTS_CLIENT_KIT_H
#define FOSTER_TESTS_CLIENT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "foster/foster.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KIT_PATH_MAX = 108, KIT_LINE_MAX = 128 << 10, KIT_GUARD_MS = 60000 };

/** A connection and who is at its other end. */
struct kit {
    char dir[32];
    char path[KIT_PATH_MAX];
    int listen_fd;
    int fd; /**< the daemon's end; -1 when it has closed it */
    struct foster *f;
};

/** The number of open descriptors. */
static inline size_t kit_count_fds(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/** Listens in a directory of its own. */
static inline void kit_listen(struct kit *k)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    *k = (struct kit){.dir = "/tmp/foster-client.XXXXXX", .fd = -1};
    assert_non_null(mkdtemp(k->dir));
    snprintf(k->path, sizeof k->path, "%s/control.sock", k->dir);
    memcpy(at.sun_path, k->path, sizeof at.sun_path);
    k->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(k->listen_fd >= 0);
    assert_int_equal(bind(k->listen_fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(k->listen_fd, 8), 0);
}

/** Connects libfoster to it. */
static inline void kit_connect(struct kit *k)
{
    struct foster_error e;
    k->f = foster_connect(k->path, &e);
    if (k->f == NULL)
        fail_msg("%s", e.text);
    k->fd = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(k->fd >= 0);
}

/** The daemon's end says TEXT. */
static inline void kit_say(const struct kit *k, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(k->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/** The daemon's end closes. */
static inline void kit_hang_up(struct kit *k)
{
    close(k->fd);
    k->fd = -1;
}

/** What the daemon's end has heard until now, at most a line; "" when there is nothing. The next call overwrites it. */
static inline const char *kit_heard(const struct kit *k)
{
    static char line[KIT_LINE_MAX + 1];
    size_t n = 0;
    while (n < KIT_LINE_MAX && recv(k->fd, line + n, 1, MSG_DONTWAIT) == 1)
        if (line[n++] == '\n')
            break;
    line[n] = '\0';
    return line;
}

/** Closes both ends and removes the directory. */
static inline void kit_done(struct kit *k)
{
    foster_free(k->f);
    if (k->fd >= 0)
        close(k->fd);
    close(k->listen_fd);
    unlink(k->path);
    assert_int_equal(rmdir(k->dir), 0);
}

#endif
