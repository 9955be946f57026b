/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The logger as fosterd has it: a child that moves what services write (logger/logger.h), forked with the first stream
 * and again whenever it has ended.
 *
 * What it is told is kept here as a state that is wanted, stream by stream: what finds no room in its socket, or nobody
 * at the other end, is sent later, and the next logger inherits all of it. So nothing that fosterd does waits for it.
 *
 * DIAGNOSTICS: each end of a logger that nobody has asked for is a warning. One that has moved nothing is replaced
 * after a pause, from 10 ms up to 5 s. So is the attempt to start one repeated when that fails; the first failure and
 * the end of them are one message each.
 */
#ifndef FOSTER_DAEMON_LOGGER_H
#define FOSTER_DAEMON_LOGGER_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/list.h"
#include "logger/logger.h"
#include "logger/message.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;
struct output_stream;

/** The logger, and what it is given. Zero-initialised: not set up. */
struct logger_host {
    struct ev_loop *loop;    /**< borrowed; NULL: not set up */
    struct shared *shared;   /**< owned; NULL: there has been no stream yet */
    int stage[2], outbox[2]; /**< owned; see shared.h */
    pid_t pid;               /**< 0: none runs */
    int fd;                  /**< owned; our end of its socket; -1: none */
    struct ev_io io;
    struct list streams;     /**< of struct output_stream.link: all that it has not let go of */
    struct list unsent;      /**< of struct output_stream.in_unsent: those that it is to be told something of */
    bool width_unsent;       /**< and so is the width */
    int width;               /**< names in front of lines are padded to so many bytes */
    uint64_t n_streams;      /**< that there ever were */
    uint64_t n_syncs;        /**< that were asked for */
    uint64_t n_restarts;     /**< loggers beyond the first */
    uint64_t n_lost;         /**< bytes of streams that are gone that never went out */
    uint64_t moved_before;   /**< bytes that had been moved (shared.h) when this one was started */
    int64_t started_ms;      /**< when */
    int64_t pause_ms;        /**< before the next one, if this one does nothing */
    struct ev_timer retry;   /**< ends that pause */
    struct ev_timer release; /**< ends the wait of our own messages for the output before them */
    bool is_refused;         /**< the last one could not be started, and that has been said */
    bool is_leaving;         /**< it is to end when all streams are gone */
    bool died;               /**< its end has been reaped in the present slice of deaths */
    /** Something that was asked for by output_sync() is there, or all is over. NULL: nobody cares. */
    void (*on_synced)(struct engine *g);
    struct engine *engine; /**< borrowed; for on_synced */
};

/** Sets H up; starts nothing. */
void logger_host_init(struct logger_host *h, struct engine *g) NONNULL();

/** Makes what a logger needs, unless that is there. False with *E (descriptors, memory). */
bool logger_host_prepare(struct logger_host *h, struct err *e) MUST_CHECK NONNULL();

/** There is something to do for a logger: starts one, unless there is one or the pause before the next has not passed;
 * tells it what it has to know. */
void logger_host_wake(struct logger_host *h) NONNULL();

/** Sends M, which is about no stream, to the logger that runs, starting one if need be. -1 with errno: EAGAIN when its
 * socket is full, ENOTCONN when there is none. The descriptors in M stay the caller's. */
int logger_host_send(struct logger_host *h, const struct message *m) MUST_CHECK NONNULL();

/** Names in front of lines are padded to WIDTH bytes from now on. */
void logger_host_set_width(struct logger_host *h, int width) NONNULL();

/** Our own messages wait for what S has, for a moment, if both may go to the same place. */
void logger_host_hold(struct logger_host *h, const struct output_stream *s) NONNULL();

/** Takes in what the logger has said by now. */
void logger_host_hear(struct logger_host *h) NONNULL();

/** Whether PID is the logger's. */
static inline bool logger_host_is(const struct logger_host *h, pid_t pid)
{
    return h->pid != 0 && h->pid == pid;
}

/** The logger has ended with WSTATUS: takes in what it has said, and forgets it. */
void logger_host_died(struct logger_host *h, int wstatus) NONNULL();

/** Starts the next one in place of one that has died in the present slice of deaths, whose numbers are free by now. */
void logger_host_replace(struct logger_host *h) NONNULL();

/** Ends the logger when it has let go of all streams, which have been closed. True: there is nothing to wait for. */
bool logger_host_leave(struct logger_host *h) MUST_CHECK NONNULL();

/** Bytes that all loggers have moved so far, each counted at each step of its way: it grows while output goes on. */
uint64_t logger_host_moved(const struct logger_host *h) MUST_CHECK NONNULL();

/** Kills the logger, if there is one, and frees all streams; what they have is lost. */
void logger_host_give_up(struct logger_host *h) NONNULL();

/** The same, and frees everything else, and says how much was lost. */
void logger_host_done(struct logger_host *h) NONNULL();

#endif
