/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Text for a terminal, safely: members of JSON objects, columns, colours.
 */
#ifndef FOSTER_CTL_TEXT_H
#define FOSTER_CTL_TEXT_H

#include "base/buf.h"
#include "base/compiler.h"
#include "ctl/view.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { TEXT_CELL_MAX = 32 /**< room for a number, an age or a size */ };

/** The colours, by what they say. */
enum text_color { TEXT_PLAIN, TEXT_GOOD, TEXT_BUSY, TEXT_BAD, TEXT_FAINT, TEXT_STRONG };

/** The string NAME of OBJECT, or OTHERWISE when it is none. Borrowed from OBJECT. */
const char *text_member(const json_t *object, const char *name, const char *otherwise) NONNULL(2, 3);

/** The string VALUE, or OTHERWISE when it is none. Borrowed from VALUE. */
const char *text_value(const json_t *value, const char *otherwise) NONNULL(2);

/** The number NAME of OBJECT, or OTHERWISE. */
long long text_number(const json_t *object, const char *name, long long otherwise) NONNULL(2);

/** Whether the member NAME of OBJECT is true. */
bool text_is_true(const json_t *object, const char *name) NONNULL(2);

/** The count, the milliseconds ("0.4s", "12s", "3m05s", "2h10m", "3d4h") or the bytes ("31.0M") NAME of OBJECT; "-"
 * when it is no number or below zero. In BUF of TEXT_CELL_MAX bytes, which is returned. */
const char *text_count(const json_t *object, const char *name, char *buf) NONNULL(2, 3);
const char *text_age(const json_t *object, const char *name, char *buf) NONNULL(2, 3);
const char *text_size(const json_t *object, const char *name, char *buf) NONNULL(2, 3);

/** Takes one character from *TEXT, which has one, and moves it on. Returns the bytes to show, *RET_LEN of them, and in
 * *RET_COLUMNS how many columns they take (0 to 2). A tab becomes a blank; what could command the terminal or turn the
 * direction of writing, and what is no character, becomes "?". */
const char *text_step(const char **text, size_t *ret_len, size_t *ret_columns) NONNULL();

/** How many columns TEXT takes, as text_put() shows it. */
size_t text_columns(const char *text) NONNULL();

/** Appends TEXT by text_step(), at most COLUMNS columns of it (0: all), cut with "..." where it is longer. Returns how
 * many columns it took. */
size_t text_put(struct buf *out, const char *text, size_t columns) NONNULL();

/** As text_put(), for XML. */
void text_xml(struct buf *out, const char *text, size_t columns) NONNULL();

/** As text_put(), in COLOR. */
size_t text_paint(struct buf *out, const struct view *v, enum text_color color, const char *text, size_t columns)
    NONNULL();

/** As text_paint(), within the *ROOM columns that are left of a line, and takes from them what it took. Returns that.
 */
size_t text_fit(struct buf *out, const struct view *v, enum text_color color, const char *text, size_t *room) NONNULL();

/** The room of a whole line, for text_fit(). */
size_t text_room(const struct view *v) NONNULL();

/** Appends N blanks. */
void text_pad(struct buf *out, size_t n) NONNULL();

/** The colour of a state. */
enum text_color text_state_color(const char *state) NONNULL();

/** The colour of what health checks have come to. */
enum text_color text_health_color(const char *health) NONNULL();

#endif
