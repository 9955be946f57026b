/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Sockets that somebody else is to serve: opened here, so that they outlive whoever serves them.
 */
#ifndef FOSTER_SYS_LISTEN_H
#define FOSTER_SYS_LISTEN_H

#include "base/compiler.h"
#include "base/err.h"
#include "sys/usock.h"

#include <stdbool.h>
#include <sys/types.h>

/** Kinds of sockets. */
enum listen_kind {
    LISTEN_TCP,
    LISTEN_UDP,
    LISTEN_UNIX,      /**< a stream, by path */
    LISTEN_DATAGRAM,  /**< by path */
    LISTEN_SEQPACKET, /**< by path */
};

/** What to open. All pointers are borrowed for the call. */
struct listen_request {
    enum listen_kind kind;
    const char *host; /**< of TCP and UDP: a numeric address, of which an IPv6 one takes no IPv4; NULL: any, both
                           versions by one socket, and IPv4 alone where there is no IPv6 */
    unsigned port;
    const char *path; /**< of the others: absolute */
    mode_t mode;      /**< of the path */
    uid_t uid;        /**< of the path; (uid_t)-1: as it comes */
    gid_t gid;        /**< of the path; (gid_t)-1: as it comes */
    int backlog;      /**< as of listen(2); not for UDP and DATAGRAM */
};

/** An open one. */
struct listener {
    int fd;                   /**< owned; blocking, close-on-exec; -1: not open */
    struct usock_place place; /**< of those with a path */
};

/** Opens REQ, so that clients can reach it from now on. A socket at the path that nobody has open any more is replaced;
 * one that somebody has (EADDRINUSE), and whatever else is there (EEXIST), is left alone, and no symbolic link is
 * followed. False with *E: errnum is set, and the text does not name the address, but has the remedy where one is
 * known. Not for threads: the umask changes for a moment. */
bool listen_open(const struct listen_request *req, struct listener *ret, struct err *e) MUST_CHECK NONNULL();

/** Gives L, which is open at the address of REQ, the backlog, permissions and owner that REQ has now. False with *E as
 * above: what could not be changed is as it was. */
bool listen_change(const struct listener *l, const struct listen_request *req, struct err *e) MUST_CHECK NONNULL();

/** Closes L, if it is open, and takes PATH (NULL: it has none) away, unless what is there now is somebody else's. */
void listen_close(struct listener *l, const char *path) NONNULL(1);

#endif
