/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Lines of log files: PATH.STAMP and PATH.STAMP.gz, which were rotated, in the order of their names, then PATH up to
 * the byte from which on fosterd has the lines in memory.
 */
#ifndef FOSTER_CTL_HISTORY_H
#define FOSTER_CTL_HISTORY_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How lines are in a file. */
enum history_format { HISTORY_RAW, HISTORY_TIMESTAMPS, HISTORY_JSON };

/** What is to be read. */
struct history_wish {
    const char *path;
    uint64_t inode; /**< of the file that fosterd writes to, whatever its name has become since */
    uint64_t size;  /**< how much of that */
    enum history_format format;
    int64_t lines;    /**< the last so many; -1: all */
    int64_t since_us; /**< those that came since then; -1: all */
};

/** One line, or a piece of one. */
struct history_line {
    const char *text; /**< borrowed until the next one is asked for; a NUL behind it */
    size_t len;
    int64_t us;     /**< when it came, microseconds since 1970; -1: the file does not say */
    bool continues; /**< it is not the beginning of its line */
    bool partial;   /**< its line does not end here */
};

/** The files of one stream. */
struct history;

/** Opens what W wants. NULL with *E: no file, or not the one that fosterd writes to, or no permission. */
struct history *history_open(const struct history_wish *w, struct err *e) MUST_CHECK NONNULL();

/** The next line, oldest first; false when there are no more. */
bool history_next(struct history *h, struct history_line *ret) MUST_CHECK NONNULL();

/** Why a file had to be passed over: it has been removed meanwhile, or there is no permission, or no gzip(1). NULL:
 * none had to be. */
const char *history_trouble(const struct history *h) NONNULL();

/** Closes and frees H; NULL is fine. */
void history_free(struct history *h);

#endif
