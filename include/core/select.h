/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Which instances are meant by the names and patterns that somebody has given.
 */
#ifndef FOSTER_CORE_SELECT_H
#define FOSTER_CORE_SELECT_H

#include "base/compiler.h"
#include "core/super.h"

#include <stdbool.h>
#include <stddef.h>

/** A selection: numbers of units in the order of the configuration, each once. Zero-initialised is empty. */
struct select {
    unsigned *units; /**< owned */
    size_t n;
};

/** Why there is no selection. */
enum select_result { SELECT_OK, SELECT_NO_MATCH, SELECT_NOMEM };

/** Whether NAME is a pattern of glob(7): it has a character that no name can have. */
bool select_is_pattern(const char *name) MUST_CHECK NONNULL();

/** Whether PATTERN (fnmatch(3)) stands for UNIT, by its own name or that of its SERVICE. */
bool select_pattern_fits(const char *pattern, const char *unit, const char *service) MUST_CHECK NONNULL();

/** Resolves the N names or patterns (fnmatch(3)) NAMES among the units of S into RET. N = 0: every unit that is not
 * SKIPPED. With SELECT_NO_MATCH, *RET_WRONG is the index of the name that fits nothing, and *RET_SIMILAR that of
 * select_similar(). */
enum select_result select_units(const struct super *s, const char *const *names, size_t n, struct select *ret,
                                size_t *ret_wrong, const char **ret_similar) MUST_CHECK NONNULL(1, 4, 5, 6);

/** The nearest name of a service or instance of S to WRONG (borrowed from S), or NULL when none is near. */
const char *select_similar(const struct super *s, const char *wrong) NONNULL();

/** Frees what SEL owns. */
void select_done(struct select *sel) NONNULL();

#endif
