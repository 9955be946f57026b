/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Problems found in a configuration: each with its place, all collected in one run.
 */
#ifndef FOSTER_CORE_DIAG_H
#define FOSTER_CORE_DIAG_H

#ifdef EV_H_
#error "the core knows no event loop"
#endif

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

/** A place in a file. Zero means unknown. */
struct diag_pos {
    const char *file; /**< borrowed from the configuration's arena; NULL: no file (command line) */
    unsigned line;    /**< counted from 1 */
    unsigned column;  /**< counted from 1, in characters */
};

/** How bad a problem is. */
enum diag_severity { DIAG_ERROR, DIAG_WARNING };

/** One problem. */
struct diag {
    enum diag_severity severity;
    struct diag_pos pos;
    const char *text; /**< "what is wrong; what would be right"; in the list's arena */
};

enum { DIAG_MAX = 100 };

/** The problems of one run, in the order found; diag_sort() orders them by place. Zero-initialised is
 *  empty; free with diag_done(). */
struct diag_list {
    struct arena arena; /**< owns the texts and copies of the file names */
    struct diag items[DIAG_MAX];
    size_t n;        /**< problems kept */
    size_t n_errors; /**< errors seen, kept or not */
    size_t n_lost;   /**< problems beyond DIAG_MAX, or without memory for their text */
};

/** Adds an error at POS. The file name is copied. Control characters and invalid UTF-8 become '?', a long
 *  text is cut. What is in the list already, at the same place with the same text, is counted only. In a
 *  full list an error takes the place of a warning. */
void diag_error(struct diag_list *d, struct diag_pos pos, const char *fmt, ...) PRINTF_LIKE(3, 4) NONNULL(1, 3);

/** Adds a warning at POS. */
void diag_warning(struct diag_list *d, struct diag_pos pos, const char *fmt, ...) PRINTF_LIKE(3, 4) NONNULL(1, 3);

/** Orders the problems by file (in order of first appearance), line and column; stable. */
void diag_sort(struct diag_list *d) NONNULL();

/** Appends each problem as "FILE:LINE:COLUMN: text" ("warning: " before a warning's text) and a newline
 *  to OUT, and a line "and N more" when some were lost. */
void diag_print(const struct diag_list *d, struct buf *out) NONNULL();

/** Frees what D owns; D is empty afterwards. */
void diag_done(struct diag_list *d) NONNULL();

#endif
