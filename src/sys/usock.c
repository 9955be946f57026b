/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Unix stream sockets with a place in the file system.
 */
#include "sys/usock.h"

#include "base/mem.h"
#include "base/runtime.h"
#include "sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

_Static_assert(RUNTIME_PATH_MAX + 1 == sizeof((struct sockaddr_un *)0)->sun_path, "a path and its NUL fill an address");

/* Kernel headers may be older than the kernel. */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

enum {
    PERMISSIONS = 0777,
    GROUPS_USUAL = 64, /* of a user; more need memory */
};

void usock_dir(const char *path, char *buf, size_t size)
{
    size_t len = (size_t)(strrchr(path, '/') - path);
    snprintf(buf, size, "%.*s", len == 0 ? 1 : (int)len, path);
}

static bool set_address(struct sockaddr_un *to, const char *path, struct err *e)
{
    size_t len = strlen(path);

    if (len > RUNTIME_PATH_MAX) {
        err_set(e, ERR_INPUT, "its path has %zu bytes, that of a socket at most %d; choose a shorter one", len,
                RUNTIME_PATH_MAX);
        return false;
    }
    memcpy(to->sun_path, path, len + 1);
    return true;
}

/* Removes a socket that nobody listens to any more from PATH. */
static bool make_way(const char *path, struct err *e)
{
    struct stat st;

    if (sys_lstat(path, &st) != 0) {
        if (errno == ENOENT)
            return true;
        err_set_errno(e, errno, "looking what is there");
        return false;
    }
    if (!S_ISSOCK(st.st_mode)) {
        err_set(e, ERR_BUSY, "something else than a socket is there; remove it, or choose another path");
        return false;
    }
    if (sys_unlink(path) == 0 || errno == ENOENT)
        return true;
    err_set_errno(e, errno, "removing the old socket");
    return false;
}

/* bind(2) makes the file with all permissions but those in the umask. */
static bool bind_with_mode(int fd, const struct sockaddr_un *to, mode_t mode, struct err *e)
{
    mode_t before = sys_umask(PERMISSIONS & ~mode);
    bool ok = sys_bind(fd, (const struct sockaddr *)to, sizeof *to) == 0;
    int errnum = errno;

    sys_umask(before);
    if (!ok)
        err_set_errno(e, errnum, "binding a socket");
    return ok;
}

/* Nobody can connect before it listens, so the group is right in time. */
static bool hand_over(int fd, const char *path, gid_t group, struct usock_place *ret_place, struct err *e)
{
    struct stat st;

    if (group != (gid_t)-1 && sys_lchown(path, (uid_t)-1, group) != 0) {
        err_set_errno(e, errno, "giving the socket to group %lu (only a member of it, or root, can)",
                      (unsigned long)group);
        return false;
    }
    if (sys_lstat(path, &st) != 0 || sys_listen(fd, SOMAXCONN) != 0) {
        err_set_errno(e, errno, "listening");
        return false;
    }
    *ret_place = (struct usock_place){st.st_dev, st.st_ino};
    return true;
}

bool usock_listen(const char *path, mode_t mode, gid_t group, int *ret_fd, struct usock_place *ret_place, struct err *e)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (!set_address(&to, path, e) || !make_way(path, e))
        return false;
    int fd = sys_socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd == -1) {
        err_set_errno(e, errno, "making a socket");
        return false;
    }
    if (!bind_with_mode(fd, &to, mode, e)) {
        sys_close(fd);
        return false;
    }
    if (!hand_over(fd, path, group, ret_place, e)) {
        /* Should that fail as well, a stale socket is left, which the next one replaces. */
        int removed = sys_unlink(path);
        (void)removed;
        sys_close(fd);
        return false;
    }
    *ret_fd = fd;
    return true;
}

bool usock_accept(int listen_fd, int *ret_fd, struct usock_peer *ret_peer)
{
    struct ucred cred = {0};
    socklen_t len = sizeof cred;
    int fd;

    do
        fd = sys_accept(listen_fd);
    while (fd == -1 && errno == ECONNABORTED);
    if (fd == -1)
        return false;
    if (sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
        sys_close(fd);
        return false;
    }
    *ret_fd = fd;
    *ret_peer = (struct usock_peer){.pid = cred.pid, .uid = cred.uid, .gid = cred.gid};
    return true;
}

/* The LEN bytes of GROUPS. */
static bool is_among(gid_t group, const gid_t *groups, socklen_t len)
{
    for (size_t i = 0; i < len / sizeof *groups; i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool usock_peer_has_group(int fd, const struct usock_peer *peer, gid_t group)
{
    gid_t usual[GROUPS_USUAL];
    socklen_t len = sizeof usual;

    if (peer->gid == group)
        return true;
    if (sys_getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, usual, &len) == 0)
        return is_among(group, usual, len);
    if (errno != ERANGE)
        return false;
    /* LEN is what it takes now, and they are those of the time of connecting. */
    gid_t *all = mem_alloc(len);
    bool found =
        all != NULL && sys_getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, all, &len) == 0 && is_among(group, all, len);
    mem_free(all);
    return found;
}

int usock_unread(int fd)
{
    int unread;

    return sys_get_unread(fd, &unread) == 0 ? unread : INT_MAX;
}

bool usock_await_hangup(int fd, int *ret_fd)
{
    /* A hang-up is told without being asked for, and nothing else then. */
    int epoll_fd = sys_epoll_create();
    if (epoll_fd == -1)
        return false;
    if (sys_epoll_add(epoll_fd, fd, 0) != 0) {
        sys_close(epoll_fd);
        return false;
    }
    *ret_fd = epoll_fd;
    return true;
}

bool usock_is_at(const struct usock_place *place, const char *path)
{
    struct stat st;

    return sys_lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_dev == place->dev && st.st_ino == place->ino;
}
