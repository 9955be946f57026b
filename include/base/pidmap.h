/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A map from a positive process id to a record. Open addressing; the map does not own the records.
 */
#ifndef FOSTER_BASE_PIDMAP_H
#define FOSTER_BASE_PIDMAP_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The map. Zero-initialised is a valid empty one. */
struct pidmap {
    struct pidmap_slot *slots; /**< owned */
    size_t cap;                /**< a power of two, or 0 */
    size_t n;                  /**< records in the map */
};

/** Frees the table (not the records); M is a valid empty map afterwards. */
void pidmap_done(struct pidmap *m) NONNULL();

/** Makes sure that the next pidmap_put() cannot fail. False with ENOMEM. Called before a fork, so that
 *  a started process can always be entered. */
bool pidmap_reserve(struct pidmap *m) MUST_CHECK NONNULL();

/** Enters PID (> 0), replacing an earlier record. False with ENOMEM. */
bool pidmap_put(struct pidmap *m, pid_t pid, void *record) MUST_CHECK NONNULL();

/** The record of PID, or NULL. */
void *pidmap_get(const struct pidmap *m, pid_t pid) NONNULL();

/** Takes PID out and returns its record, or NULL when it was not there. */
void *pidmap_remove(struct pidmap *m, pid_t pid) NONNULL();

/** Calls FN for each record; FN must not change the map. */
void pidmap_each(const struct pidmap *m, void (*fn)(pid_t pid, void *record, void *data), void *data) NONNULL(1, 2);

#endif
