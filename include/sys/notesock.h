/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The receiving end of sd_notify(3): a datagram socket that says who has sent, and takes descriptors along.
 *
 * Its name is an abstract one (unix(7)): services reach it as any user, from any root, on read-only file systems, and
 * nothing is left behind. Everybody in the network namespace may send to it, so nothing may be believed without a look
 * at the sender.
 */
#ifndef FOSTER_SYS_NOTESOCK_H
#define FOSTER_SYS_NOTESOCK_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    NOTESOCK_DATA_MAX = 4096, /**< bytes of a datagram; longer ones are dropped */
    NOTESOCK_FDS_MAX = 253,   /**< as many as a datagram can bear (SCM_MAX_FD) */
};

/** One datagram. */
struct notesock_note {
    char data[NOTESOCK_DATA_MAX]; /**< any bytes */
    size_t n;                     /**< 0, too */
    pid_t pid;                    /**< of the sender, as the kernel vouches for it */
    uid_t uid;                    /**< and its user */
    int fds[NOTESOCK_FDS_MAX];    /**< owned; close-on-exec */
    size_t n_fds;
};

/** What notesock_receive() has found. */
enum notesock_got {
    NOTESOCK_NOTE,    /**< a datagram */
    NOTESOCK_DROPPED, /**< one that is too long, bears too much or has no sender: it is gone, and its descriptors closed
                       */
    NOTESOCK_NOTHING, /**< nothing is there, or nothing can be read now */
};

/** Opens *RET_FD, owned by the caller, non-blocking and close-on-exec, under the abstract name NAME (without the `@`).
 * False with *E. */
bool notesock_open(const char *name, int *ret_fd, struct err *e) MUST_CHECK NONNULL();

/** Takes one datagram from FD into *RET. */
enum notesock_got notesock_receive(int fd, struct notesock_note *ret) MUST_CHECK NONNULL();

/** Closes the descriptors of NOTE that it still has. */
void notesock_close_fds(struct notesock_note *note) NONNULL();

/** Closes *FD, which somebody has sent us, if it is open, and sets it to -1. Does not wait, whatever SO_LINGER says. */
void notesock_close(int *fd) NONNULL();

#endif
