/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Jobs in slices. The first job that is ready is worked on until it rests or is done, a little in each turn of the
 * loop.
 */
#include "daemon/zombie_jobs.h"

#include "base/mem.h"
#include "daemon/engine.h"
#include "daemon/zombies.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <errno.h>

enum {
    /* Nobody is told when a process further down has waited for its children, so it is looked at again, as long as that
     * goes on. */
    JOBS_REVIEW_MS = 100,
    JOBS_REVIEWS_MIN = 2,
    JOBS_REVIEWS_MAX = 10,
    /* For who runs to get to its next call; each time in vain it is twice as long. */
    JOBS_BUSY_MS = 10,
};

static void zombie_jobs_go_on(struct zombie_jobs *j)
{
    if (!list_is_empty(&j->ready))
        ev_timer_start(j->engine->loop, &j->turn);
}

static struct zombie_jobs *zombie_jobs_of(const struct zombie_job *job)
{
    return &job->engine->zombies->jobs;
}

static void zombie_job_make_ready(struct zombie_job *job)
{
    list_remove(&job->link);
    list_append(&zombie_jobs_of(job)->ready, &job->link);
    zombie_jobs_go_on(zombie_jobs_of(job));
}

static void zombie_job_on_rested(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    zombie_job_make_ready(w->data);
}

/* Goes on with JOB at PHASE after MS milliseconds. */
static void zombie_job_rest(struct zombie_job *job, int64_t ms, enum zombie_phase phase)
{
    job->phase = phase;
    job->at = 0;
    if (ms <= 0)
        return;
    list_remove(&job->link);
    list_append(&zombie_jobs_of(job)->resting, &job->link);
    loop_arm(job->engine->loop, &job->rest, (double)ms / 1000.);
}

static void zombie_job_finish(struct zombie_job *job)
{
    list_remove(&job->link);
    if (job->on_done != NULL)
        job->on_done(job);
    zombie_job_free(job);
}

/* All units have been looked at for the first time. */
static void zombie_job_surveyed(struct zombie_job *job)
{
    int64_t now = sys_now_ms();
    job->n_left = zombie_cure_assess(&job->cure, job->engine);
    if (job->task == ZOMBIE_LOOK || job->cure.n == 0) {
        zombie_job_finish(job);
        return;
    }
    job->cure.since_ms = now;
    if (job->task == ZOMBIE_NUDGE) {
        zombie_cure_nudge(&job->cure);
        zombie_job_rest(job, JOBS_REVIEW_MS, ZOMBIE_REVIEW);
        return;
    }
    int errnum = unzombie_probe();
    if (errnum != 0) {
        zombie_cure_refuse(&job->cure, errnum == ENOSYS ? UNZOMBIE_UNSUPPORTED : UNZOMBIE_REFUSED, errnum);
        zombie_job_finish(job);
        return;
    }
    zombie_job_rest(job, job->cure.ripe_ms - now, ZOMBIE_TREATMENT);
}

/* They have been looked at again. */
static void zombie_job_reviewed(struct zombie_job *job)
{
    size_t before = job->n_left;
    job->n_left = zombie_cure_assess(&job->cure, job->engine);
    job->n_reviews++;
    bool moves = job->n_left < before || job->n_reviews < JOBS_REVIEWS_MIN;
    if (job->task == ZOMBIE_NUDGE && job->n_left > 0 && moves && job->n_reviews < JOBS_REVIEWS_MAX)
        zombie_job_rest(job, JOBS_REVIEW_MS, ZOMBIE_REVIEW);
    else
        zombie_job_finish(job);
}

static bool zombie_unit_is_there(const struct engine *g, const struct zombie_unit *u)
{
    return u->unit == SUPER_NO_UNIT || engine_at_id(g, u->unit, u->id) != NULL;
}

/* The unit at which JOB is has been looked at. */
static void zombie_job_take(struct zombie_job *job)
{
    struct zombie_jobs *j = zombie_jobs_of(job);
    const struct zombie_unit u = job->units[job->at];
    struct zombie_note *note = zombie_note_of(job->engine, u.unit, j->look.n_tasks > 0);
    j->looker = NULL;
    if (note == NULL) {
        zombie_look_done(&j->look);
        return;
    }
    zombie_look_take(&j->look, &note->record, sys_now_ms());
    if (job->phase != ZOMBIE_SURVEY)
        return;
    if (job->task != ZOMBIE_LOOK)
        zombie_cure_admit(&job->cure, &note->record, u.unit, u.id);
    if (job->on_unit != NULL)
        job->on_unit(job);
}

static void zombie_job_look(struct zombie_job *job)
{
    struct zombie_jobs *j = zombie_jobs_of(job);
    bool more = job->at < job->n_units;
    if (!more && job->phase == ZOMBIE_SURVEY)
        zombie_job_surveyed(job);
    else if (!more)
        zombie_job_reviewed(job);
    if (!more)
        return;
    if (!zombie_unit_is_there(job->engine, &job->units[job->at])) {
        if (j->looker == job)
            zombie_look_done(&j->look);
        j->looker = NULL;
        job->at++;
        return;
    }
    if (j->looker == NULL)
        zombie_look_begin(&j->look, job->engine, job->units[job->at].unit);
    j->looker = job;
    if (zombie_look_step(&j->look))
        return;
    zombie_job_take(job);
    job->at++;
}

static void zombie_job_treat(struct zombie_job *job, int64_t budget_us)
{
    switch (zombie_cure_treat(&job->cure, job->engine, budget_us)) {
    case ZOMBIE_TREATING:
        break;
    case ZOMBIE_TREAT_BUSY:
        zombie_job_rest(job, JOBS_BUSY_MS << job->cure.n_vain, ZOMBIE_TREATMENT);
        break;
    case ZOMBIE_TREATED:
        zombie_job_rest(job, 0, ZOMBIE_REVIEW);
        break;
    }
}

static void zombie_jobs_on_turn(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct zombie_jobs *j = w->data;
    int64_t began = sys_now_ms(), now = began;
    bool stops = false;
    (void)revents;
    ev_timer_stop(loop, w);
    while (!list_is_empty(&j->ready) && now - began < (stops ? ZOMBIE_STOP_MS : ZOMBIE_SLICE_MS)) {
        struct zombie_job *job = CONTAINER_OF(j->ready.next, struct zombie_job, link);
        if (job->phase == ZOMBIE_TREATMENT) {
            stops = true;
            zombie_job_treat(job, (ZOMBIE_STOP_MS - (now - began)) * 1000);
        } else {
            zombie_job_look(job);
        }
        now = sys_now_ms();
    }
    zombie_jobs_go_on(j);
}

void zombie_jobs_init(struct zombie_jobs *j, struct engine *g)
{
    *j = (struct zombie_jobs){.engine = g};
    list_init(&j->ready);
    list_init(&j->resting);
    ev_timer_init(&j->turn, zombie_jobs_on_turn, 0., 0.);
    j->turn.data = j;
}

void zombie_jobs_done(struct zombie_jobs *j)
{
    LIST_EACH (it, &j->ready)
        zombie_job_free(CONTAINER_OF(it, struct zombie_job, link));
    LIST_EACH (it, &j->resting)
        zombie_job_free(CONTAINER_OF(it, struct zombie_job, link));
    ev_timer_stop(j->engine->loop, &j->turn);
    zombie_look_done(&j->look);
}

struct zombie_job *zombie_job_new(struct engine *g, enum zombie_task task, const unsigned *units, size_t n)
{
    struct zombie_job *job = mem_alloc(sizeof *job);
    if (job == NULL)
        return NULL;
    *job = (struct zombie_job){.engine = g, .task = task, .units = mem_array(n, sizeof *job->units), .n_units = n};
    list_init(&job->link);
    ev_timer_init(&job->rest, zombie_job_on_rested, 0., 0.);
    job->rest.data = job;
    if (job->units == NULL) {
        zombie_job_free(job);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const struct engine_unit *u = engine_at(g, units[i]);
        job->units[i] = (struct zombie_unit){.unit = units[i], .id = u != NULL ? u->id : 0};
    }
    /* What is found by the survey is what is to be cured, however long the survey takes. */
    job->cure.since_ms = INT64_MAX;
    return job;
}

void zombie_job_begin(struct zombie_job *job)
{
    zombie_job_make_ready(job);
}

void zombie_job_free(struct zombie_job *job)
{
    struct zombie_jobs *j = zombie_jobs_of(job);
    if (j->looker == job) {
        zombie_look_done(&j->look);
        j->looker = NULL;
    }
    list_remove(&job->link);
    ev_timer_stop(job->engine->loop, &job->rest);
    zombie_cure_done(&job->cure);
    mem_free(job->units);
    mem_free(job);
}
