/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What can be done about zombies without ending their parent: SIGCHLD for it, in case it has missed one, or making it
 * wait for them (sys/unzombie.h).
 */
#ifndef FOSTER_DAEMON_ZOMBIE_CURE_H
#define FOSTER_DAEMON_ZOMBIE_CURE_H

#include "base/compiler.h"
#include "core/attrib.h"
#include "daemon/zombie_look.h"
#include "sys/unzombie.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    ZOMBIE_RIPE_MS = 5000,     /**< a younger zombie is not taken from its parent, which may be about to wait for it */
    ZOMBIE_PATIENTS_MAX = 4096 /**< so many parents are treated by one cure at most */
};

/** One parent under treatment. */
struct zombie_patient {
    pid_t pid;
    uint64_t start_ticks;
    char name[ATTRIB_NAME_MAX];
    unsigned unit;   /**< SUPER_NO_UNIT: unclaimed */
    uint64_t id;     /**< of that unit */
    size_t n_before; /**< zombies that are to be cured */
    size_t n_left;   /**< of them, those that are still there */
    pid_t tried;     /**< its zombies up to this number have been gone through */
    bool is_busy;    /**< it could not be stopped just now */
    bool is_over;    /**< nothing more is done with it, or not before the next round */
    enum unzombie_verdict verdict;
    int errnum;
};

/** A cure. Zero-initialised: of nobody. */
struct zombie_cure {
    struct zombie_patient *list; /**< owned */
    size_t n;
    size_t cap;
    size_t at;         /**< the one that is treated */
    size_t n_left_out; /**< zombies of parents for which there was no room */
    unsigned n_vain;   /**< rounds in a row in which nothing was achieved */
    bool has_moved;    /**< something was, in the present one */
    int64_t since_ms;  /**< zombies that were seen later are none of its business */
    int64_t ripe_ms;   /**< when the youngest of the others is old enough */
};

/** What zombie_cure_treat() has come to. */
enum zombie_treatment {
    ZOMBIE_TREATED,    /**< there is nothing more to do */
    ZOMBIE_TREATING,   /**< there is */
    ZOMBIE_TREAT_BUSY, /**< some could not be stopped just now; a little later they may */
};

/** Admits to C the parents of the zombies in R, the record of unit number UNIT with ID. */
void zombie_cure_admit(struct zombie_cure *c, const struct zombie_record *r, unsigned unit, uint64_t id) NONNULL();

/** Sends SIGCHLD to each parent in C. */
void zombie_cure_nudge(struct zombie_cure *c) NONNULL();

/** Sends SIGCHLD to the parent PID that was started at START_TICKS. False when that is not possible. */
bool zombie_cure_send(pid_t pid, uint64_t start_ticks) NONNULL();

/** Says of all in C that they cannot be treated. */
void zombie_cure_refuse(struct zombie_cure *c, enum unzombie_verdict verdict, int errnum) NONNULL();

/** Stops the next parent once, for BUDGET_US microseconds at most, and makes it wait for those of its zombies that are
 * ripe. */
enum zombie_treatment zombie_cure_treat(struct zombie_cure *c, struct engine *g, int64_t budget_us) MUST_CHECK
    NONNULL();

/** Counts what is left of each parent's zombies after another look. The sum. */
size_t zombie_cure_assess(struct zombie_cure *c, struct engine *g) NONNULL();

/** Frees what C owns. */
void zombie_cure_done(struct zombie_cure *c) NONNULL();

#endif
