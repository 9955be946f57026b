/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The last lines of output of one service, in memory: what `status` shows, and why something failed. Bounded in bytes
 * and lines; the oldest go first.
 */
#ifndef FOSTER_DAEMON_TAIL_H
#define FOSTER_DAEMON_TAIL_H

#include "base/compiler.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** Bytes of lines that are kept of one service, at most; memory is taken as they come. */
enum { TAIL_BYTES_MAX = 8 << 10, TAIL_LINE_MAX = 1024 };

/** The last lines. Zero-initialised is valid and empty. */
struct tail {
    char *bytes;     /**< owned; a ring: each line is followed by a newline */
    size_t cap;      /**< of bytes; 0 before the first line */
    size_t head;     /**< where the oldest line begins */
    size_t len;      /**< bytes in use */
    size_t n_of_run; /**< lines since tail_begin_run(), those forgotten included */
};

/** A new run of the service begins. */
void tail_begin_run(struct tail *t) NONNULL();

/** Appends the line TEXT of LEN bytes (without its newline); beyond TAIL_LINE_MAX it is cut. Without memory it is not
 * kept. */
void tail_add(struct tail *t, const char *text, size_t len) NONNULL();

/** Calls FN with each of the last N lines, oldest first; TEXT is borrowed for the call. Stops when FN returns false. */
void tail_each(const struct tail *t, size_t n, bool (*fn)(const char *text, size_t len, void *data), void *data)
    NONNULL(1, 3);

/** The last N lines as a JSON array of strings, oldest first. NULL without memory. */
json_t *tail_json(const struct tail *t, size_t n) MUST_CHECK NONNULL();

/** Frees what T owns; empty again. */
void tail_done(struct tail *t) NONNULL();

#endif
