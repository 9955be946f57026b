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

/** The colours, by what they say. */
enum text_color { TEXT_PLAIN, TEXT_GOOD, TEXT_BUSY, TEXT_BAD, TEXT_FAINT, TEXT_STRONG };

/** The string NAME of OBJECT, or OTHERWISE when it is none. Borrowed from OBJECT. */
const char *text_member(const json_t *object, const char *name, const char *otherwise) NONNULL(2, 3);

/** The number NAME of OBJECT, or OTHERWISE. */
long long text_number(const json_t *object, const char *name, long long otherwise) NONNULL(2);

/** Whether the member NAME of OBJECT is true. */
bool text_is_true(const json_t *object, const char *name) NONNULL(2);

/** How many columns TEXT takes, as text_put() shows it. */
size_t text_columns(const char *text) NONNULL();

/** Appends TEXT, at most COLUMNS columns of it (0: all), cut with "..." where it is longer. Control characters, which
 * could command the terminal, become "?". Returns how many columns it took. */
size_t text_put(struct buf *out, const char *text, size_t columns) NONNULL();

/** As text_put(), in COLOR. */
size_t text_paint(struct buf *out, const struct view *v, enum text_color color, const char *text, size_t columns)
    NONNULL();

/** Appends N blanks. */
void text_pad(struct buf *out, size_t n) NONNULL();

/** The colour of a state. */
enum text_color text_state_color(const char *state) NONNULL();

/** BYTES for a column: "512", "31.0M", into BUF of SIZE (at least 16); returns it. */
char *text_size(long long bytes, char *buf, size_t size) NONNULL();

#endif
