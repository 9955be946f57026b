/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Looking for zombies below one unit: those whose parent lives and does not wait for them, and those whose first thread
 * has ended while others live on. A look goes down from list of children to list of children, a small step a call, so
 * that it can stop whenever others are to have their turn; it costs time in proportion to the unit's processes.
 *
 * Zombies that are our own children are not looked for: the reaper has them.
 */
#ifndef FOSTER_DAEMON_ZOMBIE_LOOK_H
#define FOSTER_DAEMON_ZOMBIE_LOOK_H

#include "base/compiler.h"
#include "core/super.h"
#include "sys/procfs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;

/** So many processes of one unit are looked at, and so many zombies remembered, at most. */
enum { ZOMBIE_NODES_MAX = 65536, ZOMBIE_LIST_MAX = 32768 };

/** One that has ended. */
struct zombie {
    pid_t pid;
    uint64_t start_ticks;  /**< of its start: tells it from a later one with its number */
    pid_t parent;          /**< whose child it is; of a leader perhaps ours */
    uint64_t parent_start; /**< clock ticks at the start of that */
    int64_t seen_ms;       /**< when it was first seen: it has been a zombie for at least as long */
    unsigned n_threads;    /**< more than 1: only its first thread has ended */
    char name[ATTRIB_NAME_MAX];
};

/** Whether only the first thread of Z has ended, so that nobody can wait for it yet. */
static inline bool zombie_is_leader(const struct zombie *z)
{
    return z->n_threads > 1;
}

/** What the last look at a unit has found. Zero-initialised: there was none. */
struct zombie_record {
    struct zombie *list; /**< owned; by parent and pid */
    size_t n;
    size_t n_unwaited; /**< of them, those that are no leaders: their parent could wait */
    size_t n_tasks;    /**< processes and threads of the unit: all that counts for a limit */
    bool is_cut;       /**< there are more, or some could not be seen */
};

/** The zombies of one parent in a record. Zero-initialised: before the first. */
struct zombie_family {
    const struct zombie *list; /**< borrowed from the record */
    size_t n;
    size_t n_unwaited;   /**< of them, those that are no leaders; the times are of these */
    int64_t oldest_ms;   /**< when the first was first seen; INT64_MAX: there is none */
    int64_t youngest_ms; /**< the last; INT64_MIN */
};

/** A process that lives, to go down from. */
struct zombie_node {
    pid_t pid;
    uint64_t start_ticks;
    unsigned n_threads;
};

/** A look under way. Zero-initialised: there is none. */
struct zombie_look {
    struct engine *engine; /**< borrowed */
    struct zombie_node parent;
    struct pidlist children;   /**< of parent; at first those of ours that are in the unit */
    size_t next_child;         /**< of them, the next one to look at */
    struct zombie_node *nodes; /**< owned; whoever lives */
    size_t n_nodes;
    size_t nodes_cap;
    size_t next_node;     /**< of them, the next one whose children are to be listed */
    struct zombie *found; /**< owned */
    size_t n_found;
    size_t found_cap;
    size_t n_tasks;
    bool is_cut;
};

/** Begins L, which holds nothing, at unit number UNIT of G; SUPER_NO_UNIT: at the unclaimed. */
void zombie_look_begin(struct zombie_look *l, struct engine *g, unsigned unit) NONNULL();

/** Takes one step. False when nothing is left to look at. */
bool zombie_look_step(struct zombie_look *l) MUST_CHECK NONNULL();

/** Puts what L has found in the place of what is in R; who was there already keeps the time when it was first seen, for
 * others that is NOW_MS. L holds nothing then. */
void zombie_look_take(struct zombie_look *l, struct zombie_record *r, int64_t now_ms) NONNULL();

/** Frees what L holds. */
void zombie_look_done(struct zombie_look *l) NONNULL();

/** Frees what R owns; it is as before the first look then. */
void zombie_record_done(struct zombie_record *r) NONNULL();

/** The place in R->list of the first zombie whose parent is PARENT, and how many there are of them in *RET_N. */
size_t zombie_record_of(const struct zombie_record *r, pid_t parent, size_t *ret_n) NONNULL();

/** Makes *F the family behind it in R. False: it was the last. */
bool zombie_record_next(const struct zombie_record *r, struct zombie_family *f) MUST_CHECK NONNULL();

#endif
