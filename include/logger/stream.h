/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One stream of output in the logger: from its ring to its sink, and whether its pipe is read.
 *
 * A pipe is not read while its ring is full of what waits to go out and its mode is `blocking` and its sink only takes
 * its time: then the service waits. In mode `drop`, or when the sink fails, the oldest lines are dropped instead,
 * counted, and told of when the sink takes something again.
 */
#ifndef FOSTER_LOGGER_STREAM_H
#define FOSTER_LOGGER_STREAM_H

#include "base/compiler.h"
#include "base/list.h"
#include "core/logring.h"
#include "core/spec.h"
#include "logger/logger.h"
#include "logger/shared.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct stream;
struct matcher;
struct intake;
struct outlet;
struct server;

/** Where lines go: one table of functions a driver. None of them waits. */
struct sink {
    bool defers; /**< it sends at the end of the turn, and calls stream_settle() then */
    /** Begins with S; its settings are s->log. Allocates s->sink_data when it needs some; what cannot be opened now is
     * tried again later. False without memory: the stream then goes nowhere, and drops. */
    bool (*open)(struct stream *s);
    /** Sends what waits in the ring of S, as far as that goes, and what there is of a line without end when s->flush;
     * when s->closing, without waiting for the time at which it would have been tried again. Moves the ring's `sent`,
     * keeps its `line`, says by stream_set_trouble() how it went. When the trouble is over it calls stream_pump(). */
    void (*send)(struct stream *s);
    /** The settings have changed (s->log), or files are to be opened anew. */
    void (*reopen)(struct stream *s);
    /** Lets go; frees s->sink_data. */
    void (*close)(struct stream *s);
    /** What `logs` is told of where older lines are: the path of a file, or NULL. */
    const char *(*path)(const struct stream *s);
};

/** The whole logger. */
struct logger {
    struct ev_loop *loop; /**< owned */
    struct shared *shared;
    int control_fd; /**< owned; -1: fosterd is gone */
    struct ev_io control_io;
    struct list streams;   /**< of struct stream.link */
    struct intake *intake; /**< owned */
    struct outlet *outlet; /**< owned; standard output */
    struct server *server; /**< owned; clients that read lines; NULL: none yet */
    struct ev_timer partial_timer;
    struct list partials;     /**< of struct stream.in_partials: oldest first */
    struct list ended;        /**< of struct stream.in_ended */
    struct list unsent;       /**< messages to fosterd for which there was no room */
    int width;                /**< names in front of lines are padded to so many bytes */
    const char *journal_path; /**< borrowed; where the journal listens */
    char host[256];           /**< our host's name, or "-" */
};

/** One stream. Owned by the logger's list. */
struct stream {
    struct logger *logger; /**< borrowed */
    struct list link;
    uint64_t id;
    char *name, *service; /**< owned */
    enum spec_stream which;
    struct spec_log log; /**< strings owned (stream_own_log()) */
    struct logring ring; /**< mapping owned */
    void *ring_base;
    int pipe_fd; /**< owned; -1 at its end */
    struct ev_io readable;
    int pipe_size;           /**< its capacity */
    struct list in_ready;    /**< link in the intake's list of those that can be read */
    bool wants_more;         /**< its pipe is being read */
    bool closing;            /**< goes when it is drained */
    bool flush;              /**< what there is of a line is to go out, too: nothing has come since */
    const struct sink *sink; /**< NULL: none could be opened */
    void *sink_data;         /**< owned by the sink */
    uint64_t lost_before;    /**< bytes that had been lost when its sink began to fail */
    uint64_t lost_lines_before;
    const char *why;       /**< borrowed; what is wrong, in place of the errno's text; NULL: nothing else */
    struct list in_outlet; /**< link in the queue of standard output */
    struct list in_ended;  /**< link in the list of those that go at the end of the turn */
    struct list in_partials;
    uint64_t partial_from;   /**< where that line begins in the ring */
    double partial_at;       /**< when (ev_now()) what there is of a line goes out */
    struct matcher *matcher; /**< owned; NULL: nobody waits for a line */
};

/** Makes a stream of D, whose pipe_fd and mapping are taken over in any case. NULL without memory. */
struct stream *stream_new(struct logger *l, const struct logger_stream *d) MUST_CHECK NONNULL();

/** The stream with ID, or NULL. */
struct stream *stream_find(const struct logger *l, uint64_t id) NONNULL();

/** The settings of S are now those of D. */
void stream_set(struct stream *s, const struct logger_stream *d) NONNULL();

/** Sends what can be sent, then decides whether the pipe is read. To be called whenever something has changed for S:
 * new bytes, a sink that takes again. */
void stream_pump(struct stream *s) NONNULL();

/** Decides whether the pipe of S is read, whether the beginning of a line waits for its end, and whether S is over:
 * after something has gone out. */
void stream_settle(struct stream *s) NONNULL();

/** Says how the sink of S fares: T with ERRNUM (0 unless LOGRING_FAILING). A change into and out of LOGRING_FAILING is
 * told to fosterd, once. */
void stream_set_trouble(struct stream *s, enum logring_trouble t, int errnum) NONNULL();

/** The callback of struct logger.partial_timer. */
void stream_on_partial_timer(struct ev_loop *loop, struct ev_timer *w, int revents);

/** Makes room for at least one page, if the mode or the trouble of S allows that anything is dropped. */
void stream_make_room(struct stream *s) NONNULL();

/** Nobody writes to the pipe of S any more, or it cannot be read: it goes when all of it is out. */
void stream_end(struct stream *s) NONNULL();

/** Takes in and sends what there is, with what there is of a line. */
void stream_sync(struct stream *s) NONNULL();

enum { STREAM_GAP_MAX = 128 };

/** The line that tells how much was lost since the last one ("[foster: 123 lines (4567 bytes) were dropped here]"),
 * with its text in BUF; false when nothing was. */
bool stream_gap(const struct stream *s, char buf[static STREAM_GAP_MAX], struct logline_piece *ret) MUST_CHECK
    NONNULL();

/** What lines of S are marked with, but for the process. */
struct logline_label stream_label(const struct stream *s) NONNULL();

/** Frees S; what has not gone out is lost. */
void stream_free(struct stream *s);

/** Puts a message for fosterd's log: about S (NULL: the logger itself), EVENT ("" none). */
void logger_say(struct logger *l, const struct stream *s, enum log_level level, const char *event, const char *fmt, ...)
    PRINTF_LIKE(5, 6) NONNULL(1, 4, 5);

extern const struct sink sink_stdout;  /* outlet.c */
extern const struct sink sink_file;    /* file.c */
extern const struct sink sink_syslog;  /* dgram.c */
extern const struct sink sink_journal; /* dgram.c */

#endif
