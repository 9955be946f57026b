/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Looks and cures as jobs, carried out one after another in small slices, between which all other events have their
 * turn.
 */
#ifndef FOSTER_DAEMON_ZOMBIE_JOBS_H
#define FOSTER_DAEMON_ZOMBIE_JOBS_H

#include "base/compiler.h"
#include "base/list.h"
#include "daemon/zombie_cure.h"
#include "daemon/zombie_look.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZOMBIE_SLICE_MS = 5, /**< of looking, in one turn of the loop */
    ZOMBIE_STOP_MS = 10, /**< for so long one turn of the loop keeps parents stopped, at most */
};

struct engine;
struct zombie_job;

/** Called by a job. */
typedef void zombie_job_fn(struct zombie_job *job);

/** What is to be done. */
enum zombie_task {
    ZOMBIE_LOOK,  /**< look */
    ZOMBIE_NUDGE, /**< look, send SIGCHLD to the parents, and look what has come of it */
    ZOMBIE_REAP,  /**< look, wait until what was found is ripe, make the parents wait, and look what has come of it */
};

/** What a job does next. */
enum zombie_phase { ZOMBIE_SURVEY, ZOMBIE_TREATMENT, ZOMBIE_REVIEW };

/** A unit, known again by its id. */
struct zombie_unit {
    unsigned unit; /**< SUPER_NO_UNIT: the unclaimed */
    uint64_t id;
};

/** One job. */
struct zombie_job {
    struct engine *engine; /**< borrowed */
    struct list link;      /**< in struct zombie_jobs.ready or .resting */
    enum zombie_task task;
    enum zombie_phase phase;
    struct zombie_unit *units; /**< owned */
    size_t n_units;
    size_t at;            /**< of them, the one that is looked at */
    struct ev_timer rest; /**< until it goes on */
    unsigned n_reviews;
    size_t n_left; /**< by the last review */
    struct zombie_cure cure;
    zombie_job_fn *on_unit; /**< called when the unit at `at` has been surveyed; NULL: nobody */
    zombie_job_fn *on_done; /**< called when all is over, before it is freed; NULL: nobody */
    void *data;             /**< of whoever has made it */
};

/** The jobs of one engine. */
struct zombie_jobs {
    struct engine *engine;     /**< borrowed */
    struct list ready;         /**< owned; the first of them is worked on */
    struct list resting;       /**< owned; wait for their timers */
    struct ev_timer turn;      /**< goes on in the next turn of the loop */
    struct zombie_job *looker; /**< the one that `look` is of; NULL: none */
    struct zombie_look look;
};

/** Makes J empty. */
void zombie_jobs_init(struct zombie_jobs *j, struct engine *g) NONNULL();

/** Frees all jobs, unfinished. */
void zombie_jobs_done(struct zombie_jobs *j) NONNULL();

/** A job for the N units whose numbers are UNITS, to be begun when its maker has set what it wants to be called. NULL
 * without memory. */
struct zombie_job *zombie_job_new(struct engine *g, enum zombie_task task, const unsigned *units, size_t n) MUST_CHECK
    NONNULL(1);

/** Has JOB done; it frees itself at its end. */
void zombie_job_begin(struct zombie_job *job) NONNULL();

/** Frees JOB, wherever it is. Not from within its own calls. */
void zombie_job_free(struct zombie_job *job) NONNULL();

#endif
