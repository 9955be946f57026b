/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Unix stream sockets: listening where only the right ones can connect, and who has connected.
 */
#ifndef FOSTER_SYS_USOCK_H
#define FOSTER_SYS_USOCK_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/** Who is at the other end, as of its connect(2). */
struct usock_peer {
    pid_t pid; /**< 0: in another pid namespace */
    uid_t uid;
    gid_t gid;
};

/** What tells a socket from any other that is made at the same path later, as long as it is open. */
struct usock_place {
    dev_t dev;
    ino_t ino;
};

/** The directory that the absolute PATH of a socket is in, into BUF of SIZE bytes, cut where it does not fit. */
void usock_dir(const char *path, char *buf, size_t size) NONNULL();

/** Listens at PATH, non-blocking, with permissions MODE from the first moment on, owned by group GROUP ((gid_t)-1: as
 * it comes). A socket that is there already is replaced: the caller holds the lock that says that nobody listens.
 * Anything else than a socket is left alone (ERR_BUSY). *RET_FD is owned by the caller; *RET_PLACE is for
 * usock_is_at(). False with *E, whose text does not name PATH. Not for threads: the umask changes for a moment. */
bool usock_listen(const char *path, mode_t mode, gid_t group, int *ret_fd, struct usock_place *ret_place,
                  struct err *e) MUST_CHECK NONNULL();

/** Takes one connection from LISTEN_FD: *RET_FD, non-blocking, owned by the caller. False with errno; EAGAIN: there is
 * none. One that is gone already (ECONNABORTED) is passed over. */
bool usock_accept(int listen_fd, int *ret_fd, struct usock_peer *ret_peer) MUST_CHECK NONNULL();

/** Whether the peer of the connection FD had GROUP among its groups, the supplementary ones included (SO_PEERGROUPS,
 * Linux 4.13). */
bool usock_peer_has_group(int fd, const struct usock_peer *peer, gid_t group) MUST_CHECK NONNULL();

/** How much memory of what was written to FD its peer has not read yet; INT_MAX when that cannot be told. */
int usock_unread(int fd) MUST_CHECK;

/** Makes *RET_FD, owned by the caller, readable as soon as the peer of FD is wholly gone, and not when it has only shut
 * its own side down. False with errno. */
bool usock_await_hangup(int fd, int *ret_fd) MUST_CHECK NONNULL();

/** Whether the socket PLACE, which is still open, is what lies at PATH now: false when somebody has removed or replaced
 * it. */
bool usock_is_at(const struct usock_place *place, const char *path) MUST_CHECK NONNULL();

#endif
