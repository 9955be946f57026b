/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Standard output, which many streams share: line by line, in batches, through the outbox (shared.h).
 *
 * DIAGNOSTICS: while it takes nothing, streams wait or drop as their mode says; an error of it is one message at its
 * beginning and one at its end.
 */
#ifndef FOSTER_LOGGER_OUTLET_H
#define FOSTER_LOGGER_OUTLET_H

#include "base/compiler.h"
#include "base/list.h"
#include "logger/stream.h"

/** Standard output. */
struct outlet {
    struct logger *logger;
    int fd;        /**< owned when own_fd, else borrowed (1) */
    bool own_fd;   /**< a description of our own, so that O_NONBLOCK harms nobody */
    bool can_wait; /**< may be full for a while, and can be watched */
    bool is_socket;
    bool by_write;    /**< splice(2) cannot go there */
    bool has_colours; /**< names are coloured */
    struct logline_clock clock;
    int box_read_fd, box_write_fd; /**< the outbox; owned */
    struct ev_io writable;
    struct ev_timer retry;
    struct stream *composed[SHARED_STREAMS_MAX]; /**< whose the parts of the batch are, while it is composed */
    struct list queue;                           /**< of struct stream.in_outlet */
    int trouble_errno;                           /**< what failed last; 0: nothing */
};

/** Makes the outlet of L. NULL without memory. */
struct outlet *outlet_new(struct logger *l, const int outbox[2]) MUST_CHECK NONNULL();

/** Ends what a logger before us was in the middle of: all streams are there. */
void outlet_recover(struct outlet *o) NONNULL();

/** Writes what the streams in the queue have, as far as that goes. */
void outlet_flush(struct outlet *o) NONNULL();

/** Whether nothing waits to be written. */
bool outlet_is_empty(const struct outlet *o) NONNULL();

/** Frees O; NULL is fine. */
void outlet_free(struct outlet *o);

#endif
