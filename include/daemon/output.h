/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What services write: one pipe a unit, read line by line and written to our standard output with the
 * unit's name before each line.
 *
 * Nothing is lost and nothing blocks: while our own output is full, the pipes are not read (a service that goes
 * on writing then waits), and the loop waits for room. Output that fails for good is counted and dropped.
 */
#ifndef FOSTER_DAEMON_OUTPUT_H
#define FOSTER_DAEMON_OUTPUT_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/list.h"
#include "daemon/tail.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OUTPUT_READ_MAX = 16384, OUTPUT_LINE_MAX = 16384 };

/** Our standard output and what waits to be written to it. */
struct output {
    struct ev_loop *loop; /**< borrowed */
    int fd;               /**< owned when own_fd, else borrowed (1) */
    bool own_fd;          /**< a description of our own, so O_NONBLOCK harms nobody */
    bool can_wait;        /**< may be full for a while, and can be watched */
    struct ev_io writable;
    struct buf pending;  /**< lines that did not go out yet */
    struct list streams; /**< of struct output_stream.link */
    int name_width;      /**< names are padded to this, so that lines align */
    uint64_t n_dropped;  /**< bytes that could not be written at all */
    bool failing;        /**< said so already */
};

/** Is told of a line, its LEN bytes without the newline, long ones in parts. It may not touch the stream. */
typedef void output_line_fn(const char *line, size_t len, void *data);

/** The pipe of one unit. Zero-initialised with read_fd and write_fd -1: closed. */
struct output_stream {
    struct output *output; /**< borrowed */
    const char *name;      /**< borrowed */
    struct tail *tail;     /**< borrowed; keeps its last lines; NULL: nobody does */
    int read_fd;           /**< owned; non-blocking */
    int write_fd;          /**< owned; handed to each run; kept open so that the pipe never ends */
    struct ev_io readable;
    struct buf partial;      /**< the beginning of a line that has not ended yet */
    output_line_fn *on_line; /**< see output_listen() */
    void *on_line_data;      /**< borrowed */
    size_t n_stale;          /**< bytes still in the pipe that earlier runs have written */
    bool is_stale;           /**< what was taken in last was one of them */
    struct list link;
};

/** Makes O ready to write to standard output. */
void output_init(struct output *o, struct ev_loop *loop) NONNULL();

/** Takes in and writes what is left in all pipes, waiting for room up to BUDGET_MS: for the end, when there is nothing
 *  left to supervise and waiting harms nobody. */
void output_settle(struct output *o, int64_t budget_ms) NONNULL();

/** Writes what can be written without waiting and closes what O owns. All streams are closed before. */
void output_done(struct output *o) NONNULL();

/** Opens the pipe of S for lines of NAME (borrowed). False with *E (descriptors). */
bool output_open(struct output *o, struct output_stream *s, const char *name, struct err *e) MUST_CHECK NONNULL();

/** Takes in all that is in the pipe now (up to 1 MiB), and an unfinished line too when FLUSH: called when a process
 *  has ended, so that its last words come before its obituary. */
void output_drain(struct output_stream *s, bool flush) NONNULL();

/** Has FN called with DATA (borrowed) for each line that ends from now on, but not for what is in the pipe already:
 * that is of earlier runs. FN NULL: nobody is told. */
void output_listen(struct output_stream *s, output_line_fn *fn, void *data) NONNULL(1);

/** Drains, flushes and closes S; harmless when it is closed. */
void output_close(struct output_stream *s) NONNULL();

#endif
