/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files of serving lines share: serve.c (connections and turns), serve_cursor.c (what one client reads of one
 * stream). Nobody else includes it.
 */
#ifndef FOSTER_LOGGER_SERVE_IMPL_H
#define FOSTER_LOGGER_SERVE_IMPL_H

#include "base/buf.h"
#include "base/compiler.h"
#include "core/logline.h"
#include "logger/stream.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVE_PARTIAL_US = 1000000 };

/** What a client has asked for. Zero-initialised: everything there is. */
struct serve_wish {
    json_t *names; /**< owned; array of names and patterns; NULL: of all services */
    json_t *after; /**< owned; object: from the id of a stream to the position to go on from; NULL: the client has just
                      come */
    int64_t lines; /**< the last so many of each stream; -1: all */
    int64_t since_us; /**< those that came since then (microseconds since 1970); -1: all */
    bool follow;      /**< and those to come */
};

/** Reads REQUEST, as daemon/logs.c makes it. */
void serve_wish_init(struct serve_wish *w, const json_t *request) NONNULL(1);

/** Frees what W owns. */
void serve_wish_done(struct serve_wish *w) NONNULL();

/** Whether W wants the lines of S. */
bool serve_wish_has(const struct serve_wish *w, const struct stream *s) MUST_CHECK NONNULL();

/** What one client reads of one stream. */
struct cursor {
    struct stream *stream;      /**< borrowed */
    uint64_t at;                /**< position of what it reads next */
    uint64_t until;             /**< the end of what was there when it asked */
    struct logline_state line;  /**< where `at` stands within its line */
    size_t n;                   /**< bytes of the piece that is next; 0: not known, or there is none */
    struct logline_piece piece; /**< that piece */
    int64_t us;                 /**< when it came */
    bool waits;                 /**< there is a line that has not ended yet */
};

/** Sets C, whose stream is set, to where W has it begin, and returns what the client is told of that; NULL without
 * memory. */
json_t *cursor_begin(struct cursor *c, const struct serve_wish *w) MUST_CHECK NONNULL();

/** What a client is told of the stream of C, which it reads from its beginning; NULL without memory. */
json_t *serve_stream(struct cursor *c) MUST_CHECK NONNULL();

/** Passes over what has been overwritten, and puts a `gap` for it to OUT. FOLLOW: also behind `until`. */
void cursor_skip_lost(struct cursor *c, bool follow, struct buf *out) NONNULL();

/** Looks which piece is next, unless that is known. FOLLOW: also behind `until`; then the beginning of a line waits for
 * its end, until it is older than SERVE_PARTIAL_US at NOW_US. */
void cursor_look(struct cursor *c, bool follow, int64_t now_us) NONNULL();

/** Puts the piece that is next to OUT, and goes on behind it. */
void cursor_put(struct cursor *c, struct logline_clock *clock, struct buf *out) NONNULL();

/** Puts a `gap` for all that is left until `until`. */
void cursor_give_up(struct cursor *c, struct buf *out) NONNULL();

#endif
