/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What fosterctl shows: results of the control protocol (doc/protocol.md) as text for people. Pure: JSON in, text out.
 */
#ifndef FOSTER_CTL_VIEW_H
#define FOSTER_CTL_VIEW_H

#include "base/buf.h"
#include "base/compiler.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How to show it. */
struct view {
    bool color; /**< SGR sequences may be used */
    bool utf8;  /**< lines may be drawn with box characters; else with ASCII */
    int width;  /**< columns of the terminal, to which tables and trees are cut; 0: nothing is cut (no terminal) */
};

/** Each appends to OUT; a member that is missing or of another type shows as "-". OUT says itself when it is full. */

/** `ps`: the table of RESULT of `status`. Without WIDE every line fits the terminal; with it none of the columns asked
 * for is given up, so that a narrow terminal shows long lines. */
void view_ps(struct buf *out, const struct view *v, const json_t *result, bool wide) NONNULL();

/** `ps` of one service by name: everything about it, with its last lines of output. */
void view_service(struct buf *out, const struct view *v, const json_t *result) NONNULL();

/** `tree`: RESULT of `tree`. */
void view_tree(struct buf *out, const struct view *v, const json_t *result) NONNULL();

/** `graph`: RESULT of `graph`, as text, as input for dot(1), or as a self-contained SVG. */
void view_graph(struct buf *out, const struct view *v, const json_t *result) NONNULL();
void view_dot(struct buf *out, const struct view *v, const json_t *result) NONNULL();
void view_svg(struct buf *out, const struct view *v, const json_t *result) NONNULL();

/** `plot`: RESULT of `timeline`, as a self-contained SVG, or with --text for a terminal. */
void view_plot(struct buf *out, const struct view *v, const json_t *result) NONNULL();
void view_plot_text(struct buf *out, const struct view *v, const json_t *result) NONNULL();

/** `zombies`: RESULT of `zombies`, by parent; and RESULT of `cure`. */
void view_zombies(struct buf *out, const struct view *v, const json_t *result) NONNULL();
void view_cure(struct buf *out, const struct view *v, const json_t *result) NONNULL();

/** `doctor`: RESULT of `doctor`. */
void view_doctor(struct buf *out, const struct view *v, const json_t *result) NONNULL();

/** One line for an outcome ("web: ready in 0.4 s"), and below it, indented, its last lines of output. */
void view_outcome(struct buf *out, const struct view *v, const json_t *outcome) NONNULL();

/** The plan in RESULT of `reload`: a line for each change, what needs a restart of fosterd, warnings. */
void view_plan(struct buf *out, const struct view *v, const json_t *result) NONNULL();

/** A line that a service has written, or a piece of one. */
struct view_log {
    const char *name; /**< of the unit */
    uint64_t id;      /**< of the stream, after which its colour is chosen */
    const char *text; /**< a NUL behind it */
    size_t len;
    int64_t us;     /**< when it came, microseconds since 1970; -1: not known */
    bool continues; /**< it is not the beginning of its line */
    bool partial;   /**< its line does not end here */
};

/** How they are shown. */
struct view_logs {
    size_t width; /**< columns that names are padded to; 0: there are no names */
    bool times;
    bool raw; /**< bytes as they are; else what could command the terminal is escaped: \x1b */
};

/** `logs`: "name | text", the rest of a line "name + text"; where there is nothing but raw text, exactly that. */
void view_log(struct buf *out, const struct view *v, const struct view_logs *how, const struct view_log *line)
    NONNULL();

/** One line for EVENT: local time, service, event, text. */
void view_event(struct buf *out, const struct view *v, const json_t *event) NONNULL();

#endif
