/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One run of fosterctl: what was asked for, the connection, what is to be printed, and how to fail.
 */
#ifndef FOSTER_CTL_CTL_H
#define FOSTER_CTL_CTL_H

#include "base/buf.h"
#include "base/compiler.h"
#include "ctl/args.h"
#include "ctl/view.h"
#include "foster/foster.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** Exit statuses. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
    CTL_NOT_UP = 3, /**< not running, not healthy, or not yet when the time was over */
    CTL_NOBODY = 4, /**< no such service, or no fosterd */
};

/** One run. */
struct ctl {
    struct args args;
    struct foster *foster; /**< owned; NULL: not connected yet */
    int64_t deadline;      /**< of call_now_ms(); -1: none */
    struct view view;
    bool is_terminal; /**< standard output is one */
    struct buf out;   /**< what waits to be printed */
    bool deaf;        /**< nobody reads standard output any more: the end is near, and quiet */
    bool lost;        /**< output could not be written, which was told: the run has failed, whatever its verb says */
    int code;         /**< of what has failed last */
};

/** The whole program: what main() returns. ARGV may be reordered. */
int ctl_main(int argc, char **argv) NONNULL();

/** Milliseconds until C's deadline, not below 0; -1: there is none. As poll(2) takes it. */
int ctl_left(const struct ctl *c) MUST_CHECK NONNULL();

/** Prints what is in C->out and empties it. False when that failed (C->code) or nobody reads any more (C->deaf). */
bool ctl_flush(struct ctl *c) NONNULL();

/** Says on standard error what is no failure. */
void ctl_note(const struct ctl *c, const char *fmt, ...) PRINTF_LIKE(2, 3) NONNULL(1, 2);

/** From here on Ctrl-C makes the descriptor that is returned (owned by the caller) readable, so that it ends this
 * between two lines, never in the middle of one. -1: it does what it did before, as for whoever has it ignored. */
int ctl_take_interrupt(void) MUST_CHECK;

/** Waits until the connection has something, somebody has pressed Ctrl-C (*RET_ENOUGH; SIGNAL_FD as of
 * ctl_take_interrupt(), or -1), or nobody would see it any more (C->deaf). False when the time is over. */
bool ctl_await(struct ctl *c, int signal_fd, bool *ret_enough) MUST_CHECK NONNULL();

/** Appends VALUE as JSON and a newline to C->out: over several lines on a terminal, unless ONE_LINE. */
void ctl_put_json(struct ctl *c, const json_t *value, bool one_line) NONNULL();

/** Tells of an error as C's options want it: a line on standard error, or with --json an object on standard output,
 * with ERROR_CODE (0: null) of the protocol and DATA (may be NULL). Returns STATUS, which C->code becomes. */
int ctl_fail(struct ctl *c, int status, int error_code, const json_t *data, const char *fmt, ...) PRINTF_LIKE(5, 6)
    NONNULL(1, 5);

/** The same for an error of libfoster. */
int ctl_fail_foster(struct ctl *c, const struct foster_error *e, const json_t *data) NONNULL(1, 2);

/** Calls METHOD with PARAMS (taken over; NULL: memory was short) and waits for its result until C's deadline; a verb
 * that waits for an outcome a little longer, since it is fosterd that counts its time. NULL when that failed: C->code.
 * The caller owns the result. */
json_t *ctl_call(struct ctl *c, const char *method, json_t *params) MUST_CHECK NONNULL(1, 2);

/** As ctl_call(), and appends the result to C->out: as JSON with --json, else by SHOW. Returns the exit status. */
int ctl_show(struct ctl *c, const char *method, json_t *params,
             void (*show)(struct buf *out, const struct view *v, const json_t *result)) MUST_CHECK NONNULL(1, 2, 4);

/** C's operands as the parameter `services`; NULL when there are none. Without memory it is null,
 * which fosterd refuses, rather than no parameter, which would mean all. */
json_t *ctl_services(const struct ctl *c) MUST_CHECK NONNULL();

/** N as a parameter, or NULL when it is negative: not given. */
json_t *ctl_number(int64_t n) MUST_CHECK;

#endif
