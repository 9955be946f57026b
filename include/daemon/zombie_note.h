/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is remembered of the zombies of one unit between two looks.
 */
#ifndef FOSTER_DAEMON_ZOMBIE_NOTE_H
#define FOSTER_DAEMON_ZOMBIE_NOTE_H

#include "base/compiler.h"
#include "daemon/zombie_look.h"
#include "sys/unzombie.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { ZOMBIE_REFUSALS_MAX = 8 };

struct engine;
struct engine_unit;

/** What was told of a parent that could not be made to wait. */
struct zombie_refusal {
    pid_t pid;
    uint64_t start_ticks;
    enum unzombie_verdict verdict;
};

/** One unit's, or that of the unclaimed. */
struct zombie_note {
    struct zombie_record record;
    size_t told;          /**< how many there were when that was told last; 0: fewer than the limit since */
    bool is_nudged;       /**< the parents have had their SIGCHLD since */
    bool is_cured;        /**< the policy has a cure under way */
    int64_t restarted_ms; /**< when the policy has restarted the unit last; 0: never */
    struct zombie_refusal refusals[ZOMBIE_REFUSALS_MAX]; /**< the last ones */
    unsigned n_refusals;                                 /**< in all */
};

/** The note of unit number UNIT of G (SUPER_NO_UNIT: of the unclaimed). NULL: there is none, or with MAKE no memory for
 * one. Owned by the unit. */
struct zombie_note *zombie_note_of(struct engine *g, unsigned unit, bool make) NONNULL();

/** Frees the note of U. */
void zombie_note_free(struct engine_unit *u) NONNULL();

/** Notes that VERDICT is told of the parent PID that was started at START_TICKS. False: it was told before. */
bool zombie_note_refusal(struct zombie_note *note, pid_t pid, uint64_t start_ticks, enum unzombie_verdict verdict)
    NONNULL();

#endif
