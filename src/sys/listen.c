/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Listening sockets: addresses of either version of IP, and paths that may be in use, stale, or a trap.
 */
#include "sys/listen.h"

#include "base/runtime.h"
#include "sys/sys.h"
#include "sys/sys_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PERMISSIONS = 0777, PRIVILEGED_PORTS = 1024, FD_PATH_MAX = 32, REMEDY_MAX = RUNTIME_PATH_MAX + 64 };

/* An address of any family. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    } to;
    socklen_t len;
};

static const int types[] = {
    [LISTEN_TCP] = SOCK_STREAM,     [LISTEN_UDP] = SOCK_DGRAM,           [LISTEN_UNIX] = SOCK_STREAM,
    [LISTEN_DATAGRAM] = SOCK_DGRAM, [LISTEN_SEQPACKET] = SOCK_SEQPACKET,
};

/* Sets E to what the kernel said, and the remedy ("": none is known). */
static bool refuse(struct err *e, int errnum, const char *remedy)
{
    err_set(e, errnum == ENOMEM ? ERR_NOMEM : ERR_SYS, "%s%s%s", err_errno_text(errnum), *remedy != '\0' ? "; " : "",
            remedy);
    e->errnum = errnum;
    return false;
}

/* ------------------------------------------------------------------ TCP and UDP */

static bool refuse_inet(const struct listen_request *req, int errnum, struct err *e)
{
    if (errnum == EACCES && req->port < PRIVILEGED_PORTS)
        return refuse(e, errnum,
                      "ports below 1024 are for root and CAP_NET_BIND_SERVICE, or for all from the sysctl "
                      "net.ipv4.ip_unprivileged_port_start on");
    if (errnum == EADDRNOTAVAIL)
        return refuse(e, errnum, "no network interface has this address");
    if (errnum == EAFNOSUPPORT)
        return refuse(e, errnum, "the kernel does not have this version of IP");
    return refuse(e, errnum, "");
}

static struct address address_v4(struct in_addr host, unsigned port)
{
    struct address a = {.len = sizeof a.to.v4};
    a.to.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = host, .sin_port = htons((uint16_t)port)};
    return a;
}

static struct address address_v6(struct in6_addr host, unsigned port)
{
    struct address a = {.len = sizeof a.to.v6};
    a.to.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = host, .sin6_port = htons((uint16_t)port)};
    return a;
}

/* A socket bound to A, or -1 with errno. */
static int bound(const struct listen_request *req, const struct address *a)
{
    const int on = 1, v6only = req->host != NULL;
    int fd = sys_socket(a->to.any.sa_family, types[req->kind], 0);
    if (fd == -1)
        return -1;
    /* Connections of the one before, that are only remembered, are not in the way of a TCP socket; for UDP the option
     * would let two have the same port. */
    if ((req->kind == LISTEN_TCP && sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) ||
        (a->to.any.sa_family == AF_INET6 &&
         sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) != 0) ||
        sys_bind(fd, &a->to.any, a->len) != 0) {
        int errnum = errno;
        sys_close(fd);
        errno = errnum;
        return -1;
    }
    return fd;
}

/* One socket for every address of ours. */
static int bound_to_any(const struct listen_request *req)
{
    struct address a = address_v6(in6addr_any, req->port);
    int fd = bound(req, &a);
    if (fd != -1 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return fd;
    a = address_v4((struct in_addr){.s_addr = htonl(INADDR_ANY)}, req->port);
    return bound(req, &a);
}

static int bound_to_host(const struct listen_request *req)
{
    struct in_addr v4;
    struct in6_addr v6;
    struct address a;
    if (inet_pton(AF_INET, req->host, &v4) == 1) {
        a = address_v4(v4, req->port);
    } else if (inet_pton(AF_INET6, req->host, &v6) == 1) {
        a = address_v6(v6, req->port);
    } else {
        errno = EINVAL;
        return -1;
    }
    return bound(req, &a);
}

static bool open_inet(const struct listen_request *req, struct listener *l, struct err *e)
{
    l->fd = req->host != NULL ? bound_to_host(req) : bound_to_any(req);
    return l->fd != -1 || refuse_inet(req, errno, e);
}

/* ------------------------------------------------------------------ paths */

static bool refuse_path(const struct listen_request *req, int errnum, struct err *e)
{
    char dir[RUNTIME_PATH_MAX + 1], remedy[REMEDY_MAX] = "";
    usock_dir(req->path, dir, sizeof dir);
    if (errnum == ENOENT || errnum == ENOTDIR)
        snprintf(remedy, sizeof remedy, "the directory %s has to be there first", dir);
    else if (errnum == EACCES)
        snprintf(remedy, sizeof remedy, "fosterd has to be allowed to write into %s", dir);
    else if (errnum == EEXIST)
        snprintf(remedy, sizeof remedy, "somebody has put something else there");
    return refuse(e, errnum, remedy);
}

/* Whether somebody has the socket open that A names. Asked for datagrams, a socket of any type says so without noticing
 * it. */
static bool is_served(const struct address *a, int *ret_errnum)
{
    int fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd == -1) {
        *ret_errnum = errno;
        return true;
    }
    *ret_errnum = sys_connect(fd, &a->to.any, a->len) == 0 || errno == EPROTOTYPE ? EADDRINUSE : errno;
    sys_close(fd);
    return *ret_errnum != ECONNREFUSED && *ret_errnum != ENOENT;
}

/* Takes a socket away that a process which is gone has left. */
static bool make_way(const struct listen_request *req, const struct address *a, struct err *e)
{
    struct stat st;
    int errnum;
    if (sys_lstat(req->path, &st) != 0)
        return errno == ENOENT || refuse_path(req, errno, e);
    if (!S_ISSOCK(st.st_mode))
        return refuse(e, EEXIST, "what is there is no socket; remove it, or choose another path");
    if (is_served(a, &errnum))
        return refuse(e, errnum, errnum == EADDRINUSE ? "" : "whether the socket that is there is in use is not known");
    return sys_unlink(req->path) == 0 || errno == ENOENT || refuse_path(req, errno, e);
}

/* What lies at the path of REQ, to be changed however the path is changed meanwhile: only what bind(2) can just have
 * made there for us. -1 with errno. */
static int hold(const struct listen_request *req, struct usock_place *ret)
{
    struct stat st;
    int fd = sys_open(req->path, O_PATH | O_NOFOLLOW, 0);
    if (fd == -1)
        return -1;
    if (sys_fstat(fd, &st) != 0) {
        int errnum = errno;
        sys_close(fd);
        errno = errnum;
        return -1;
    }
    if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1) {
        sys_close(fd);
        errno = EEXIST;
        return -1;
    }
    *ret = (struct usock_place){st.st_dev, st.st_ino};
    return fd;
}

static bool give_away(int path_fd, const struct listen_request *req, struct err *e)
{
    if (req->uid == (uid_t)-1 && req->gid == (gid_t)-1)
        return true;
    return sys_chown_path(path_fd, req->uid, req->gid) == 0 ||
           refuse(e, errno, errno == EPERM ? "giving the socket to another user needs root or CAP_CHOWN" : "");
}

/* bind(2) makes the file with all permissions but those in the umask. */
static bool bind_with_mode(int fd, const struct address *a, const struct listen_request *req, struct err *e)
{
    mode_t before = sys_umask(PERMISSIONS & ~req->mode);
    int r = sys_bind(fd, &a->to.any, a->len);
    int errnum = errno;
    sys_umask(before);
    return r == 0 || refuse_path(req, errnum, e);
}

/* Notes what was bound, and gives it its owner. */
static bool take_place(const struct listen_request *req, struct listener *l, struct err *e)
{
    int path_fd = hold(req, &l->place);
    if (path_fd == -1) {
        int errnum = errno;
        /* Should that fail as well, a stale socket is left, which the next one replaces. */
        int removed = errnum != EEXIST ? sys_unlink(req->path) : 0;
        (void)removed;
        return refuse_path(req, errnum, e);
    }
    bool ok = give_away(path_fd, req, e);
    sys_close(path_fd);
    return ok;
}

static bool open_path(const struct listen_request *req, struct listener *l, struct err *e)
{
    struct address a = {.to.un.sun_family = AF_UNIX, .len = sizeof a.to.un};
    size_t len = strlen(req->path);
    if (len > RUNTIME_PATH_MAX)
        return refuse(e, ENAMETOOLONG, "choose a shorter path");
    memcpy(a.to.un.sun_path, req->path, len + 1);
    if (!make_way(req, &a, e))
        return false;
    l->fd = sys_socket(AF_UNIX, types[req->kind], 0);
    if (l->fd == -1)
        return refuse(e, errno, "");
    return bind_with_mode(l->fd, &a, req, e) && take_place(req, l, e);
}

/* ------------------------------------------------------------------ all */

/* Makes FD what servers expect: blocking, unless they change that themselves, and with connections in it. */
static bool begin(const struct listen_request *req, int fd, struct err *e)
{
    int flags = sys_fcntl(fd, F_GETFL, 0);
    if (flags == -1 || sys_fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1)
        return refuse(e, errno, "");
    return types[req->kind] == SOCK_DGRAM || sys_listen(fd, req->backlog) == 0 || refuse(e, errno, "");
}

bool listen_open(const struct listen_request *req, struct listener *ret, struct err *e)
{
    struct listener l = {.fd = -1};
    bool ok = (req->path != NULL ? open_path(req, &l, e) : open_inet(req, &l, e)) && begin(req, l.fd, e);
    if (!ok) {
        listen_close(&l, req->path);
        return false;
    }
    *ret = l;
    return true;
}

bool listen_change(const struct listener *l, const struct listen_request *req, struct err *e)
{
    char self[FD_PATH_MAX];
    struct usock_place place;
    if (types[req->kind] != SOCK_DGRAM && sys_listen(l->fd, req->backlog) != 0)
        return refuse(e, errno, "");
    if (req->path == NULL)
        return true;
    int path_fd = hold(req, &place);
    if (path_fd == -1)
        return refuse_path(req, errno, e);
    bool ok = place.dev == l->place.dev && place.ino == l->place.ino;
    if (!ok) {
        (void)refuse_path(req, EEXIST, e);
    } else {
        /* chmod(2) has no other way to what O_PATH has opened. */
        snprintf(self, sizeof self, "/proc/self/fd/%d", path_fd);
        ok = give_away(path_fd, req, e) && (sys_chmod(self, req->mode) == 0 || refuse(e, errno, ""));
    }
    sys_close(path_fd);
    return ok;
}

void listen_close(struct listener *l, const char *path)
{
    if (l->fd < 0)
        return;
    if (path != NULL && l->place.ino != 0 && usock_is_at(&l->place, path)) {
        /* Should that fail, a stale socket is left, which the next one replaces. */
        int removed = sys_unlink(path);
        (void)removed;
    }
    sys_close_fd(&l->fd);
}
