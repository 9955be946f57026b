/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How one message of the log looks, as text and as JSON. Private to the log and its tests.
 */
#ifndef FOSTER_BASE_LOG_LINE_H
#define FOSTER_BASE_LOG_LINE_H

#include "base/log.h"

#include <stddef.h>
#include <time.h>

/* A line is at most what a pipe takes in one piece (PIPE_BUF). */
enum { LOG_LINE_MAX = 4096, LOG_LINE_TEXT_MAX = 3072 };

/** One line, with its newline; not NUL-terminated. */
struct log_line {
    size_t len;
    char data[LOG_LINE_MAX];
};

/** Composes LINE: "fosterd: SERVICE: error: TEXT". With JOURNAL "<3>" comes before; with NOW the local
 *  time of day. A text that does not fit is cut and ends with "…". */
void log_line_text(struct log_line *line, enum log_level level, const struct log_about *about, const char *text,
                   bool journal, const struct timespec *now) NONNULL(1, 3, 4);

/** Composes LINE: "PREFIXSERVICE: TEXT". A text that does not fit is cut and ends with "…". */
void log_line_prefixed(struct log_line *line, const char *prefix, const struct log_about *about, const char *text)
    NONNULL();

/** Composes LINE as a JSON object with the time NOW. A text that does not fit is cut and ends with "…". */
void log_line_json(struct log_line *line, enum log_level level, const struct log_about *about, const char *text,
                   const struct timespec *now) NONNULL();

/** Puts a newline before the line, to end what an earlier one left unfinished. */
void log_line_break_before(struct log_line *line) NONNULL();

#endif
