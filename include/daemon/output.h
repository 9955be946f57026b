/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What units write: one stream for both outputs of a unit, or one for each (`stderr` in `logging`). A stream is a pipe,
 * both ends of which are kept, and a ring in memory that is shared with the logger, who reads that pipe; here nobody
 * ever does. All of it outlives the loggers.
 *
 * A stream that is closed lingers, without its unit, until the logger has drained it.
 */
#ifndef FOSTER_DAEMON_OUTPUT_H
#define FOSTER_DAEMON_OUTPUT_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/list.h"
#include "core/logring.h"
#include "core/spec.h"
#include "logger/logger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct engine_unit;
struct logger_host;

/** Is told that a line of U has matched; see output_match(). It may do anything but close the stream. */
typedef void output_match_fn(struct engine_unit *u);

/** What the logger is still to be told of a stream. */
enum { OUTPUT_TELL_OPEN = 1, OUTPUT_TELL_SET = 2, OUTPUT_TELL_SYNC = 4, OUTPUT_TELL_TAKE = 8, OUTPUT_TELL_CLOSE = 16 };

/** One stream. Owned by the list of the logger's host. */
struct output_stream {
    struct logger_host *host; /**< borrowed */
    struct engine_unit *unit; /**< borrowed; NULL: it is closing */
    struct list link;
    struct list in_unsent;
    unsigned unsent; /**< of OUTPUT_TELL_… */
    uint64_t id;
    char name[SPEC_NAME_MAX + 8];
    char service[SPEC_NAME_MAX + 8];
    enum spec_stream which;
    struct spec_log log; /**< owned, see logger_copy_log() */
    int read_fd;         /**< owned; non-blocking; the logger's */
    int write_fd; /**< owned; handed to each run; can be read from, too, so that no writer ever is without reader */
    int ring_fd;  /**< owned; its memory, until a logger that runs has got it; -1: all have */
    void *base;   /**< owned; its mapping */
    struct logring ring;
    char *match;               /**< owned; NULL: no line is looked for */
    uint64_t match_from;       /**< where */
    output_match_fn *on_match; /**< whoever is told */
    uint64_t sync;             /**< the last one that was asked for; 0: none */
    int64_t sync_ms;           /**< when */
    bool is_synced;            /**< and it has come */
};

/** A position in each stream of a unit. */
struct output_place {
    uint64_t at[SPEC_STREAM_N];
};

/** Opens the streams that the drivers of U want and that are not open. While none of its processes runs (FRESH), those
 * that do not suit it any more are closed, or made anew, before. False with *E (descriptors, memory). */
bool output_open(struct engine_unit *u, bool fresh, struct err *e) MUST_CHECK NONNULL();

/** Closes the streams of U, which go when the logger has drained them. */
void output_close(struct engine_unit *u) NONNULL();

/** What standard output (or error) of a process of U is to be: a descriptor; -1: /dev/null. */
int output_fd(const struct engine_unit *u, enum spec_stream which) NONNULL();

/** The settings of U or its main process have changed. */
void output_renew(struct engine_unit *u) NONNULL();

/** The present run of U, or its next, begins: what is written from now on is its. */
void output_begin_run(struct engine_unit *u) NONNULL();

/** Where the output of the present run of U begins. */
struct output_place output_run_began(const struct engine_unit *u) NONNULL();

/** Has the children that are forked from now on share the ring of S, or not. -1 with errno. */
int output_share(const struct output_stream *s, bool with_children) NONNULL();

/** Where in memory that the next child shares it is to enter its number, so that the logger knows it before the first
 * line comes; RET[0] up to the number returned. output_end_lending() is to be called when the child is there. */
size_t output_lend_pids(const struct engine_unit *u, _Atomic pid_t *ret[static SPEC_STREAM_N]) NONNULL();

/** Children do not share the memory any more. */
void output_end_lending(const struct engine_unit *u) NONNULL();

/** Has the logger take in what processes of U have written so far, and send it on; with FLUSH also what there is of a
 * line. Our own messages wait for that for a moment, so that they come behind it. Where a line is looked for, what was
 * found is known, too, when it has come, as far as its log takes what it writes. */
void output_sync(struct engine_unit *u, bool flush) NONNULL();

/** Whether all that was asked for by output_sync() of U is there. */
bool output_is_settled(const struct engine_unit *u) NONNULL();

/** Until when (sys_now_ms()) what was asked for by output_sync() is worth waiting for; 0: it is there. */
int64_t output_unsettled_until(const struct engine_unit *u) NONNULL();

/** Has FN called once, when a line that is written to U from now on matches the regular expression PATTERN; NULL:
 * nobody is told. While one is looked for already, PATTERN takes its place, and counts from where that did. False
 * without memory. */
bool output_match(struct engine_unit *u, const char *pattern, output_match_fn *fn) NONNULL(1);

/** S as the logger is to know it. */
struct logger_stream output_describe(const struct output_stream *s) NONNULL();

/** How much of S has not gone out, and how much was dropped. */
uint64_t output_lost(const struct output_stream *s) NONNULL();

/** Frees S and what it owns. */
void output_free(struct output_stream *s) NONNULL();

#endif
