/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The bytes of a connection: lines out, lines in, and never a wait.
 */
#ifndef FOSTER_CLIENT_WIRE_H
#define FOSTER_CLIENT_WIRE_H

#include "base/buf.h"
#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    WIRE_LINE_MAX = 64 << 20, /**< bytes in a line from fosterd */
    WIRE_OUT_MAX = 1 << 20,   /**< bytes that may wait to go out */
};

/** A connected, non-blocking stream socket and what is on its way. */
struct wire {
    int fd;         /**< owned */
    struct buf in;  /**< what has come and was not compacted away yet */
    size_t taken;   /**< bytes at the front of it that were handed out as lines */
    size_t scanned; /**< behind those, so many have no newline */
    struct buf out; /**< what waits to go out */
    bool deaf;      /**< the other side takes no more; what it has said can still be read */
};

/** What wire_fill() has found. */
enum wire_fill {
    WIRE_SOME,    /**< bytes have come */
    WIRE_NOTHING, /**< not now */
    WIRE_END,     /**< the other side has closed, or cut us off */
    WIRE_NOMEM,
    WIRE_ERROR, /**< errno */
};

/** Makes W the owner of FD. */
void wire_init(struct wire *w, int fd) NONNULL();

/** Closes and frees what W owns. */
void wire_done(struct wire *w) NONNULL();

/** Queues LEN bytes. False when they do not fit or memory is refused: none of them was queued. */
bool wire_queue(struct wire *w, const char *data, size_t len) MUST_CHECK NONNULL();

/** Writes what can be written now. False with errno when that failed for another reason than the other side's being
 * gone, which sets w->deaf. */
bool wire_flush(struct wire *w) MUST_CHECK NONNULL();

/** Reads what has come, a limited part of it. */
enum wire_fill wire_fill(struct wire *w) MUST_CHECK NONNULL();

/** Takes the next whole line, without its newline, into *RET (borrowed until the next wire_fill()). */
bool wire_line(struct wire *w, const char **ret, size_t *ret_len) MUST_CHECK NONNULL();

/** The number of bytes of the line that has begun and not ended. */
size_t wire_rest(const struct wire *w) MUST_CHECK NONNULL();

#endif
