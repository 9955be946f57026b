/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The messages between fosterd and its logger: packets on a socket of theirs. Both are the same program at the same
 * version, so the numbers in them are as the machine has them.
 */
#ifndef FOSTER_LOGGER_MESSAGE_H
#define FOSTER_LOGGER_MESSAGE_H

#include "base/compiler.h"
#include "base/log.h"
#include "logger/logger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_MAX = 96 << 10, MESSAGE_FDS_MAX = 2 };

enum message_kind {
    /* From fosterd. */
    MESSAGE_OPEN,  /**< a new stream: stream.*; fds: the pipe's end to read from, the ring's memory */
    MESSAGE_SET,   /**< stream.name, .log, .match and .match_from of the stream `id` are now these */
    MESSAGE_CLOSE, /**< drain the stream `id`, let it go, answer CLOSED */
    MESSAGE_SYNC, /**< take in what is in the pipe of `id`, send it out with what of a line there is, answer SYNCED with
                     `seq` */
    MESSAGE_TAKE, /**< the same, but what there is of a line waits for its end */
    MESSAGE_SERVE, /**< fds: a client's connection; text: its request for lines, see serve.h */
    MESSAGE_WIDTH, /**< seq: names in front of lines are padded to so many bytes */
    /* From the logger. */
    MESSAGE_UP,      /**< it has taken over what there was */
    MESSAGE_CLOSED,  /**< of `id` */
    MESSAGE_SYNCED,  /**< of `id` and `seq` */
    MESSAGE_MATCHED, /**< a line of `id` has matched; it is not matched further. seq: its match_from; text: the line */
    MESSAGE_SAY, /**< a message for the log: about `id` (0: the logger), at `level`, with the event `event` ("" none),
                    text */
    MESSAGE_N
};

/** One message. Strings are borrowed: by the sender for the call, of a received one from the buffer in it. */
struct message {
    enum message_kind kind;
    uint64_t id;
    uint64_t seq;
    enum log_level level;
    const char *event;
    const char *text;
    struct logger_stream stream; /**< of OPEN and SET; service not of SET */
    struct spec_log log;         /**< what stream.log points to in a received one */
    int fds[MESSAGE_FDS_MAX];    /**< -1: none; of a received one owned by whoever received it */
};

/** A received message and what it is kept in. */
struct message_in {
    struct message m;
    char bytes[MESSAGE_MAX];
};

/** Sends M on FD, without waiting. -1 with errno: EAGAIN when there is no room now, EMSGSIZE, EPIPE … */
int message_send(int fd, const struct message *m) MUST_CHECK NONNULL();

/** Receives one on FD, without waiting. 1; 0: the other side has gone; -1 with errno (EAGAIN: there is none; EBADMSG:
 * it is none of ours; EMFILE: all of it is there but its descriptors, for which there is no room). The descriptors of M
 * that are not taken (set to -1) by the caller have to be closed by message_close_fds(). */
int message_receive(int fd, struct message_in *ret) MUST_CHECK NONNULL();

/** Closes the descriptors that are left in M. */
void message_close_fds(struct message *m) NONNULL();

#endif
