/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From no path, or one, to a connection; or to an error that says where was looked and why there was nobody.
 */
#include "client/locate.h"

#include "base/err.h"
#include "client/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A fosterd that was suspended accepts nobody; connect(2) would wait for it without end once its queue is full. */
enum { LOCATE_WAIT_S = 10 };

#define LOCATE_REMEDY "name another socket with FOSTER_SOCKET"

/* Why connecting to PATH failed. */
static void locate_explain(struct foster_error *e, const char *path, int errnum)
{
    const char *text = err_errno_text(errnum);
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        message_error(e, FOSTER_ERR_NO_DAEMON, errnum, "nobody listens at %s (%s); start fosterd, or " LOCATE_REMEDY,
                      path, text);
        break;
    case EACCES:
    case EPERM:
        message_error(e, FOSTER_ERR_NO_DAEMON, errnum,
                      "no permission to connect to %s (%s); be the user that fosterd runs as, or " LOCATE_REMEDY, path,
                      text);
        break;
    case EAGAIN:
        message_error(e, FOSTER_ERR_NO_DAEMON, errnum,
                      "nobody has accepted at %s for %d s; see whether that fosterd is suspended, or " LOCATE_REMEDY,
                      path, LOCATE_WAIT_S);
        break;
    default:
        message_error(e, FOSTER_ERR_NO_DAEMON, errnum, "connecting to %s: %s; " LOCATE_REMEDY, path, text);
    }
}

static int locate_socket(struct foster_error *e)
{
    const struct timeval wait = {.tv_sec = LOCATE_WAIT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        message_error(e, FOSTER_ERR_SYSTEM, errno, "making a socket: %s", err_errno_text(errno));
    else
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait); /* without it connecting works as well */
    return fd;
}

static int locate_try(const char *path, struct foster_error *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len > RUNTIME_PATH_MAX) {
        int errnum = len == 0 ? ENOENT : ENAMETOOLONG;
        message_error(e, FOSTER_ERR_NO_DAEMON, errnum,
                      "the path of a socket has 1 to %d bytes, not %zu; " LOCATE_REMEDY, RUNTIME_PATH_MAX, len);
        return -1;
    }
    memcpy(at.sun_path, path, len + 1);
    int fd = locate_socket(e);
    if (fd < 0)
        return -1;
    int got;
    do
        got = connect(fd, (const struct sockaddr *)&at, sizeof at);
    while (got < 0 && errno == EINTR);
    if (got == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    locate_explain(e, path, errno);
    close(fd);
    return -1;
}

/* Where anybody can write, anybody can have made our directory; one that is not there yet may be somebody's next. */
static bool locate_is_trusted(const char *dir, struct foster_error *e)
{
    struct stat st;
    if (lstat(dir, &st) < 0) {
        locate_explain(e, dir, errno);
        return false;
    }
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return true;
    message_error(e, FOSTER_ERR_NO_DAEMON, EPERM,
                  "%s is no directory that only you can write to; remove it, or " LOCATE_REMEDY, dir);
    return false;
}

static bool locate_is_absent(const struct foster_error *e)
{
    return e->errnum == ENOENT || e->errnum == ENOTDIR || e->errnum == ECONNREFUSED;
}

static bool locate_join(char *path, const char *dir)
{
    int len = snprintf(path, RUNTIME_PATH_MAX + 1, "%s/%s", dir, RUNTIME_SOCKET);
    return len > 0 && len <= RUNTIME_PATH_MAX;
}

/* The caller's own fosterd, and when that is not there, the machine's. */
static int locate_default(char *path, struct foster_error *e)
{
    char dir[RUNTIME_PATH_MAX + 1], own[RUNTIME_PATH_MAX + 1];
    bool shared;
    if (!runtime_dir(geteuid(), secure_getenv, dir, sizeof dir, &shared) || !locate_join(own, dir)) {
        message_error(
            e, FOSTER_ERR_NO_DAEMON, ENAMETOOLONG,
            "the runtime directory's path is too long for a socket; set FOSTER_RUNTIME_DIR, or " LOCATE_REMEDY);
        return -1;
    }
    snprintf(path, RUNTIME_PATH_MAX + 1, "%s", own);
    int fd = shared && !locate_is_trusted(dir, e) ? -1 : locate_try(path, e);
    if (fd >= 0 || !locate_is_absent(e) || strcmp(dir, RUNTIME_SYSTEM_DIR) == 0 ||
        !locate_join(path, RUNTIME_SYSTEM_DIR))
        return fd;
    struct foster_error second;
    fd = locate_try(path, &second);
    if (fd < 0 && locate_is_absent(&second))
        message_error(e, FOSTER_ERR_NO_DAEMON, e->errnum,
                      "nobody listens at %s, nor at %s; start fosterd, or " LOCATE_REMEDY, own, path);
    else if (fd < 0)
        *e = second;
    return fd;
}

int locate_connect(const char *path, char *ret_path, struct foster_error *e)
{
    if (path == NULL)
        path = secure_getenv("FOSTER_SOCKET");
    if (path == NULL || path[0] == '\0')
        return locate_default(ret_path, e);
    int fd = locate_try(path, e);
    if (fd >= 0)
        snprintf(ret_path, RUNTIME_PATH_MAX + 1, "%s", path);
    return fd;
}
