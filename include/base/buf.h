/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A byte buffer that grows up to a stated maximum, and printing into it. An append that does not fit
 * sets a sticky flag instead of failing each call, so that a writer checks once at the end.
 */
#ifndef FOSTER_BASE_BUF_H
#define FOSTER_BASE_BUF_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/** A growing byte buffer. Initialise with buf_init(), free with buf_done(). */
struct buf {
    char *data;  /**< owned; always NUL-terminated when not NULL */
    size_t len;  /**< bytes in use, without the NUL */
    size_t cap;  /**< bytes allocated */
    size_t max;  /**< never grow beyond this many bytes in use */
    bool failed; /**< an append was refused (maximum or memory); sticky until buf_reset() */
};

/** Makes B an empty buffer that holds at most MAX bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max) NONNULL();

/** Frees what B owns; B is as after buf_init(). */
void buf_done(struct buf *b) NONNULL();

/** Empties B and clears its failure flag; keeps the memory. */
void buf_reset(struct buf *b) NONNULL();

/** Appends LEN bytes. False (and b->failed) when they do not fit or memory is refused; then nothing
 *  was appended. */
bool buf_add(struct buf *b, const void *data, size_t len) NONNULL(1);

/** Appends the string S. As buf_add(). */
bool buf_puts(struct buf *b, const char *s) NONNULL();

/** Appends the byte C. As buf_add(). */
bool buf_putc(struct buf *b, char c) NONNULL();

/** Appends formatted text. As buf_add(). */
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3) NONNULL(1, 2);

/** Makes room for MORE bytes behind data[len] and returns that place, or NULL (and b->failed). The
 *  caller adds what it wrote to b->len. */
char *buf_reserve(struct buf *b, size_t more) NONNULL();

/** Removes the first LEN bytes (LEN <= b->len). */
void buf_consume(struct buf *b, size_t len) NONNULL();

/** Removes all but the first LEN bytes; nothing when there are no more. */
void buf_truncate(struct buf *b, size_t len) NONNULL();

/** The contents as a string: data, or "" when nothing was ever appended. Borrowed. */
const char *buf_str(const struct buf *b) NONNULL();

/** Appends S as a JSON string with quotes, LEN bytes; invalid UTF-8 becomes U+FFFD (RFC 8259). */
bool buf_json_string(struct buf *b, const char *s, size_t len) NONNULL();

/** Appends LEN bytes in base64 (RFC 4648), padded. As buf_add(). */
bool buf_base64(struct buf *b, const void *data, size_t len) NONNULL();

#endif
