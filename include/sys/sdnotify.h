/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Our side of sd_notify(3): telling whoever supervises us (systemd) how we are. One datagram a message, never
 * blocking. The protocol: freedesktop.org, sd_notify(3), "Notes".
 */
#ifndef FOSTER_SYS_SDNOTIFY_H
#define FOSTER_SYS_SDNOTIFY_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/** Where our notifications go. Zero-initialised with fd -1: nowhere. */
struct sdnotify {
    int fd; /**< owned; -1: nobody wants to hear */
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t watchdog_ms; /**< interval that is asked of us, 0: none */
    uint64_t n_failed;   /**< messages that could not be sent */
};

/** Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment, REMOVES them from it (they are not our
 *  services'), and opens the socket. Paths and abstract names ("@…") are known. False with *E when a socket
 *  is named that cannot be used; N is then "nowhere". Without NOTIFY_SOCKET: true, nowhere. */
bool sdnotify_open(struct sdnotify *n, struct err *e) MUST_CHECK NONNULL();

/** Sends the formatted message (at most 1 KiB; newline-separated KEY=VALUE). Never blocks; failures are counted. */
void sdnotify_send(struct sdnotify *n, const char *fmt, ...) PRINTF_LIKE(2, 3) NONNULL(1, 2);

/** Closes it. */
void sdnotify_done(struct sdnotify *n) NONNULL();

#endif
