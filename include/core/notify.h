/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a service says of itself by sd_notify(3): one datagram of lines KEY=VALUE. Reading it; what follows is the
 * daemon's.
 */
#ifndef FOSTER_CORE_NOTIFY_H
#define FOSTER_CORE_NOTIFY_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    NOTIFY_SIZE_MAX = 4096,   /**< of a datagram; longer ones are dropped, as by systemd */
    NOTIFY_STATUS_MAX = 256,  /**< bytes of STATUS= that are kept */
    NOTIFY_FDNAME_MAX = 255,  /**< bytes of FDNAME= (sd_pid_notify_with_fds(3)) */
    NOTIFY_WATCHDOG_MIN = 10, /**< milliseconds; a shorter WATCHDOG_USEC= is raised to that */
};

/** Times that a service asks for are cut to a day, in milliseconds: a mistake of units must not last for ever. */
#define NOTIFY_TIME_MAX INT64_C(86400000)

/** From whom of a run messages are taken (NotifyAccess= of systemd.service(5)). */
enum notify_access {
    NOTIFY_ACCESS_ALL,  /**< every member; the default */
    NOTIFY_ACCESS_MAIN, /**< the main process only; `exec` is the same here */
    NOTIFY_ACCESS_NONE, /**< nobody */
    NOTIFY_ACCESS_N     /**< nothing was said of that */
};

/** One datagram. Of a key that comes twice the last one counts. */
struct notify_message {
    bool ready;
    bool reloading;
    bool has_monotonic;
    uint64_t monotonic_us; /**< MONOTONIC_USEC: when the reload began */
    bool stopping;
    bool has_status;
    char status[NOTIFY_STATUS_MAX + 1]; /**< valid UTF-8 without control characters, cut */
    bool has_errno;
    int errnum;            /**< 0 or more */
    pid_t main_pid;        /**< MAINPID; 0: not given */
    bool watchdog;         /**< WATCHDOG=1 */
    bool watchdog_trigger; /**< WATCHDOG=trigger */
    bool has_watchdog_ms;
    int64_t watchdog_ms; /**< WATCHDOG_USEC, rounded up; 0: no watchdog any more */
    bool has_extend_ms;
    int64_t extend_ms; /**< EXTEND_TIMEOUT_USEC, rounded up */
    bool fd_store;
    bool fd_remove;
    bool fd_poll_off;                    /**< FDPOLL=0 */
    char fd_name[NOTIFY_FDNAME_MAX + 1]; /**< FDNAME; "": none was given, or one that is not allowed */
    bool barrier;
    enum notify_access access;
};

/** Reads the N bytes at DATA: any bytes, none at all included. Lines without `=`, keys that are not known and values
 * that make no sense are passed over. */
void notify_parse(const char *data, size_t n, struct notify_message *ret) NONNULL();

#endif
