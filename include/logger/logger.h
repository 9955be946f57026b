/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The logger: the process that moves what services write. fosterd forks it and keeps both ends of every pipe, the rings
 * and the two pipes in between (shared.h), so that its death loses nothing, and never touches a byte of output itself.
 *
 * It is forked, not executed: so it needs no program file and no /proc, is there in less than a millisecond, shares
 * fosterd's memory pages, and speaks fosterd's version of everything, whatever lies on disk meanwhile.
 */
#ifndef FOSTER_LOGGER_LOGGER_H
#define FOSTER_LOGGER_LOGGER_H

#include "base/compiler.h"
#include "core/spec.h"
#include "logger/shared.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One stream of output, as fosterd knows it. Everything in it is borrowed. */
struct logger_stream {
    uint64_t id;         /**< never used again for another one */
    const char *name;    /**< of the unit */
    const char *service; /**< of its service */
    enum spec_stream which;
    const struct spec_log *log;
    int pipe_fd; /**< the end to read from; non-blocking */
    void *ring;  /**< its mapping, see sys/ring.h */
    size_t ring_size;
    bool closing;      /**< it is to be drained and let go of */
    const char *match; /**< regular expression that a line from match_from on may match; NULL: none */
    uint64_t match_from;
};

/** What a logger begins with. */
struct logger_boot {
    int control_fd; /**< a socket of SOCK_SEQPACKET to fosterd; messages as in message.h */
    struct shared *shared;
    int stage[2];             /**< read end, write end; non-blocking */
    int outbox[2];            /**< the same */
    int width;                /**< names in front of lines are padded to so many bytes */
    const char *journal_path; /**< where the journal listens; NULL: where systemd-journald(8) does */
    /** Calls FN for each stream there is. */
    void (*each)(void (*fn)(const struct logger_stream *s, void *fn_data), void *fn_data, void *data);
    void *data; /**< for each() */
};

/** Is the logger until its control socket ends and every stream has, then returns its exit code. Called in a process
 * that has just been forked and has nothing left to clean up: it is to leave by _exit(2). Closes all other descriptors
 * but 0 to 2; leaves the session; ignores the signals that ask processes to end. */
int logger_run(const struct logger_boot *boot) MUST_CHECK NONNULL();

/** Makes *RET a copy of LOG with strings of its own, of what a logger needs of it. False without memory. */
bool logger_copy_log(struct spec_log *ret, const struct spec_log *log) MUST_CHECK NONNULL();

/** Frees the strings of LOG. */
void logger_free_log(struct spec_log *log) NONNULL();

#endif
