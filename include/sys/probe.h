/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What works here: calls tried in a way that changes nothing, and what the kernel says of our surroundings.
 */
#ifndef FOSTER_SYS_PROBE_H
#define FOSTER_SYS_PROBE_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The system calls that not every kernel has, or that a seccomp filter may refuse. */
enum probe_call {
    PROBE_PIDFD_OPEN,
    PROBE_PIDFD_SEND_SIGNAL,
    PROBE_CLONE3,
    PROBE_CLOSE_RANGE,
    PROBE_WAITID_PIDFD,
    PROBE_SIGNALFD,
    PROBE_TIMERFD,
    PROBE_INOTIFY,
    PROBE_CALL_N
};

/** Tries CALL. 0 when it works, else the errno. */
int probe_call(enum probe_call call) MUST_CHECK;

/** What a descriptor leads to. */
enum probe_stream {
    PROBE_STREAM_CLOSED,
    PROBE_STREAM_TERMINAL,
    PROBE_STREAM_PIPE,
    PROBE_STREAM_SOCKET,
    PROBE_STREAM_FILE,
    PROBE_STREAM_NULL, /**< /dev/null */
    PROBE_STREAM_OTHER,
    PROBE_STREAM_N
};

/** What FD leads to. */
enum probe_stream probe_stream(int fd);

/** The directory of our control group, into DIR: of the hierarchy of version 1 that has CONTROLLER, or, with NULL, of
 * version 2. Where the path that the kernel names is not there (a container without a cgroup namespace of its own), it
 * is the top of the hierarchy. False when there is none, or when it does not fit. */
bool probe_cgroup(const char *controller, char *dir, size_t size) MUST_CHECK NONNULL(2);

/** The number that the file FILE of the directory DIR begins with; UINT64_MAX for "max". False when there is no such
 * file, or no number in it. */
bool probe_number(const char *dir, const char *file, uint64_t *ret) MUST_CHECK NONNULL();

/** The number in FILE of our control group, of version 2 or else of version 1 with CONTROLLER; its directory into DIR.
 * False when neither has it. */
bool probe_group_number(const char *controller, const char *file, char *dir, size_t size, uint64_t *ret) MUST_CHECK
    NONNULL();

/** How many processes and threads this machine has now, by /proc/loadavg. False without it. */
bool probe_tasks(uint64_t *ret) MUST_CHECK NONNULL();

#endif
