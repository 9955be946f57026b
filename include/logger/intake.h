/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Taking in what services write: from their pipes to the stage, from there to their rings, all pipes of one turn of the
 * loop with one read. See shared.h for why there is a stage.
 *
 * Wake-ups cost more than bytes do: after a turn that brought something the loop sleeps for up to a millisecond before
 * it looks again, so that a service that writes a line at a time is read many lines at a time. How long, is learned
 * from how full the pipes were: no writer is to wait.
 */
#ifndef FOSTER_LOGGER_INTAKE_H
#define FOSTER_LOGGER_INTAKE_H

#include "base/compiler.h"
#include "base/list.h"
#include "core/pace.h"
#include "logger/stream.h"

/** The stage, and who is to be read. */
struct intake {
    struct logger *logger;                  /**< borrowed */
    int read_fd, write_fd;                  /**< the stage; owned */
    struct list ready;                      /**< of struct stream.in_ready */
    struct stream *moved[SHARED_STAGE_MAX]; /**< whose the moves in struct shared are */
    struct ev_prepare turn;
    double fullest; /**< how full the fullest pipe was in this turn: 0 to 1 */
    struct pace pace;
    double nap; /**< seconds that the loop sleeps between two turns */
};

/** Makes the intake of L. NULL without memory. */
struct intake *intake_new(struct logger *l, const int stage[2]) MUST_CHECK NONNULL();

/** Ends what a logger before us was in the middle of: all streams are there. */
void intake_recover(struct intake *in) NONNULL();

/** S can be read. */
void intake_on_readable(struct intake *in, struct stream *s) NONNULL();

/** Takes in what is in the pipe of S now, as far as its ring has room (1 MiB at most), and pumps it. */
void intake_drain(struct intake *in, struct stream *s) NONNULL();

/** Frees IN; NULL is fine. */
void intake_free(struct intake *in);

#endif
