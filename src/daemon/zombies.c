/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The policy about zombies of negligent parents. See zombies.h, doc/zombies.md.
 *
 * DIAGNOSTICS: all that a policy does or cannot do is an event `zombies`. A number of zombies is told once, and again
 * only when it has doubled or was below the limit in between; a parent that cannot be made to wait once for each
 * reason.
 */
#include "daemon/zombies.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/report.h"
#include "daemon/census.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { ZOMBIES_TEXT_MAX = 256, ZOMBIES_TELLING_MS = 1000 /* a shorter time says nothing */ };

static struct spec_zombies zombies_policy(const struct engine_unit *u)
{
    return spec_zombies_of(u->spec, &u->engine->set->supervisor);
}

/* Those who hold the zombies of one unit. */
struct zombies_holders {
    size_t n;
    pid_t pid; /* the one that holds most */
    uint64_t start_ticks;
    size_t n_of_it;
    int64_t seen_ms; /* when the oldest zombie of all was first seen */
};

static struct zombies_holders zombies_holders_of(const struct zombie_record *r)
{
    struct zombies_holders h = {.seen_ms = INT64_MAX};
    struct zombie_family f = {0};
    while (zombie_record_next(r, &f)) {
        h.seen_ms = f.oldest_ms < h.seen_ms ? f.oldest_ms : h.seen_ms;
        h.n += f.n_unwaited > 0;
        if (f.n_unwaited > h.n_of_it) {
            h.n_of_it = f.n_unwaited;
            h.pid = f.list->parent;
            h.start_ticks = f.list->parent_start;
        }
    }
    return h;
}

/* "1000 zombies held by 4711 (python3), for at least 12 s" into BUF of ZOMBIES_TEXT_MAX bytes; returns it. */
static const char *zombies_text(const struct zombie_record *r, const struct zombies_holders *h, char *buf)
{
    char age[REPORT_DURATION_MAX], most[64] = "", since[REPORT_DURATION_MAX + 16] = "";
    int64_t ms = sys_now_ms() - h->seen_ms;
    struct procstat st;
    bool seen = procfs_stat(h->pid, &st) && st.start_ticks == h->start_ticks;
    if (h->n > 1)
        snprintf(most, sizeof most, "%zu processes, %zu of them by ", h->n, h->n_of_it);
    if (ms >= ZOMBIES_TELLING_MS)
        snprintf(since, sizeof since, ", for at least %s", report_duration(ms, age));
    snprintf(buf, ZOMBIES_TEXT_MAX, "%zu zombie%s held by %s%d (%s)%s", r->n_unwaited, r->n_unwaited == 1 ? "" : "s",
             most, (int)h->pid, seen ? st.comm : "gone", since);
    return buf;
}

PRINTF_LIKE(4, 5)
static void zombies_say(const struct engine_unit *u, enum log_level level, pid_t pid, const char *fmt, ...)
{
    struct log_about about = {.service = u->name, .event = "zombies", .pid = pid};
    va_list ap;
    va_start(ap, fmt);
    log_vwrite(level, &about, fmt, ap);
    va_end(ap);
}

static void zombies_warn(const struct engine_unit *u, struct zombie_note *note)
{
    const struct zombies_holders h = zombies_holders_of(&note->record);
    char text[ZOMBIES_TEXT_MAX];
    if (note->told > 0 && note->record.n_unwaited / 2 < note->told)
        return;
    note->told = note->record.n_unwaited;
    zombies_say(u, LOG_LEVEL_WARN, h.pid, "%s; it does not wait for its children; fosterctl zombies %s says what helps",
                zombies_text(&note->record, &h, text), u->name);
}

/* The first time SIGCHLD is enough; what that has left is told at the next look, and tried again. */
static void zombies_nudge(const struct engine_unit *u, struct zombie_note *note)
{
    struct zombie_family f = {0};
    if (note->is_nudged)
        zombies_warn(u, note);
    while (zombie_record_next(&note->record, &f)) {
        pid_t parent = f.list->parent;
        if (f.n_unwaited > 0 && zombie_cure_send(parent, f.list->parent_start) && !note->is_nudged)
            zombies_say(u, LOG_LEVEL_INFO, parent, "%zu zombie%s held by %d; sent it SIGCHLD", f.n_unwaited,
                        f.n_unwaited == 1 ? "" : "s", (int)parent);
    }
    note->is_nudged = true;
}

static void zombies_restart(struct engine_unit *u, struct zombie_note *note)
{
    struct engine *g = u->engine;
    const struct zombies_holders h = zombies_holders_of(&note->record);
    struct event ev = {.kind = EVENT_RESTART, .unit = u->index, .no_deps = true};
    struct unit_view v;
    char text[ZOMBIES_TEXT_MAX];
    int64_t now = sys_now_ms();
    bool too_soon = note->restarted_ms != 0 && now - note->restarted_ms < g->set->supervisor.zombies.check_ms;
    /* One that is being stopped, or waits to be started, will have no zombies soon. */
    if (too_soon || !super_view(g->super, u->index, &v) || !v.want_up || v.pending ||
        (v.state != UNIT_RUNNING && v.state != UNIT_READY))
        return;
    note->restarted_ms = now;
    zombies_say(u, LOG_LEVEL_WARN, h.pid, "%s; restarting", zombies_text(&note->record, &h, text));
    engine_post(g, &ev);
}

static void zombies_say_cured(const struct engine_unit *u, struct zombie_note *note, const struct zombie_patient *p)
{
    size_t n = p->n_before - p->n_left;
    if (n > 0)
        zombies_say(u, LOG_LEVEL_INFO, p->pid, "made %d (%s) wait for %zu zombie%s", (int)p->pid, p->name, n,
                    n == 1 ? "" : "s");
    if (p->n_left == 0 || !zombie_note_refusal(note, p->pid, p->start_ticks, p->verdict))
        return;
    const char *why = unzombie_verdict_text(p->verdict);
    if (p->verdict == UNZOMBIE_LATER || p->verdict == UNZOMBIE_BUSY)
        zombies_say(u, LOG_LEVEL_WARN, p->pid,
                    "%zu zombies held by %d (%s) could not be reaped: %s; fosterctl zombies --reap %s tries again",
                    p->n_left, (int)p->pid, p->name, why, u->name);
    else
        zombies_say(u, LOG_LEVEL_WARN, p->pid,
                    "%zu zombies held by %d (%s) cannot be reaped: %s; fosterctl restart %s ends them", p->n_left,
                    (int)p->pid, p->name, why, u->name);
}

static void zombies_on_cured(struct zombie_job *job)
{
    const struct engine_unit *u = engine_at_id(job->engine, job->units[0].unit, job->units[0].id);
    if (u == NULL || u->zombies == NULL)
        return;
    u->zombies->is_cured = false;
    for (size_t i = 0; i < job->cure.n; i++)
        zombies_say_cured(u, u->zombies, &job->cure.list[i]);
}

static void zombies_cure(const struct engine_unit *u, struct zombie_note *note)
{
    struct zombie_job *job = note->is_cured ? NULL : zombie_job_new(u->engine, ZOMBIE_REAP, &u->index, 1);
    if (job == NULL)
        return; /* without memory the next look tries again */
    note->is_cured = true;
    job->on_done = zombies_on_cured;
    zombie_job_begin(job);
}

/* A unit has been looked at: does what its policy says. */
static void zombies_judge(struct zombie_job *job)
{
    struct engine *g = job->engine;
    struct engine_unit *u = engine_at(g, job->units[job->at].unit);
    if (u == NULL || g->over || g->said_stopping)
        return;
    const struct spec_zombies policy = zombies_policy(u);
    struct zombie_note *note = u->zombies;
    if (policy.action == SPEC_ZOMBIES_OFF || note->record.n_unwaited < (size_t)policy.limit) {
        note->told = 0;
        note->is_nudged = false;
        return;
    }
    switch (policy.action) {
    case SPEC_ZOMBIES_WARN:
        zombies_warn(u, note);
        break;
    case SPEC_ZOMBIES_NUDGE:
        zombies_nudge(u, note);
        break;
    case SPEC_ZOMBIES_RESTART:
        zombies_restart(u, note);
        break;
    case SPEC_ZOMBIES_REAP:
        zombies_cure(u, note);
        break;
    case SPEC_ZOMBIES_OFF:
    case SPEC_ZOMBIES_N:
        break;
    }
}

/* The units that have processes and a policy, or with ALL all there are, behind them the unclaimed; *RET_N of them. To
 * be freed. NULL without memory. */
static unsigned *zombies_units(const struct engine *g, bool all, size_t *ret_n)
{
    bool *has_members = mem_array(g->n_units + 1, sizeof *has_members);
    unsigned *units = mem_array(g->n_units + 1, sizeof *units);
    size_t n = 0;
    if (has_members == NULL || units == NULL) {
        mem_free(has_members);
        mem_free(units);
        return NULL;
    }
    LIST_EACH (it, &g->attrib.runs) {
        const struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        if (run->n_members > 0 && run->unit < g->n_units)
            has_members[run->unit] = true;
    }
    for (unsigned i = 0; i < g->n_units; i++) {
        const struct engine_unit *u = engine_at(g, i);
        if (u != NULL && (all || (has_members[i] && zombies_policy(u).action != SPEC_ZOMBIES_OFF)))
            units[n++] = i;
    }
    if (all)
        units[n++] = SUPER_NO_UNIT;
    mem_free(has_members);
    *ret_n = n;
    return units;
}

/* Begins a look at units that carries out their policies. False: no memory; *RET_ANY: there are such units. */
static bool zombies_look(struct engine *g, bool all, zombie_job_fn *on_done, bool *ret_any)
{
    size_t n = 0;
    unsigned *units = zombies_units(g, all, &n);
    struct zombie_job *job = n > 0 ? zombie_job_new(g, ZOMBIE_LOOK, units, n) : NULL;
    bool ok = units != NULL && (n == 0 || job != NULL);
    mem_free(units);
    *ret_any = n > 0;
    if (job == NULL)
        return ok;
    /* What a process has left behind a moment ago is not in the tables yet. */
    census_refresh_once(g);
    job->on_unit = zombies_judge;
    job->on_done = on_done;
    zombie_job_begin(job);
    return true;
}

static void zombies_arm(struct engine *g)
{
    loop_arm(g->loop, &g->zombies->check, (double)g->set->supervisor.zombies.check_ms / 1000.);
}

static void zombies_on_looked(struct zombie_job *job)
{
    zombies_arm(job->engine);
}

static void zombies_on_check(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct engine *g = w->data;
    bool any;
    (void)revents;
    ev_timer_stop(loop, w);
    if (!zombies_look(g, false, zombies_on_looked, &any))
        zombies_arm(g);
}

bool zombies_look_now(struct engine *g, zombie_job_fn *on_done)
{
    bool any;
    return zombies_look(g, true, on_done, &any);
}

void zombies_watch(const struct engine_unit *u)
{
    struct engine *g = u->engine;
    if (g->zombies != NULL && !ev_is_active(&g->zombies->check) && zombies_policy(u).action != SPEC_ZOMBIES_OFF)
        zombies_arm(g);
}

void zombies_renew(struct engine *g)
{
    if (g->zombies != NULL)
        zombies_arm(g);
}

void zombies_start(struct engine *g)
{
    g->zombies = mem_alloc(sizeof *g->zombies);
    if (g->zombies == NULL) {
        log_warn("no memory to look for zombies of services");
        return;
    }
    g->zombies->engine = g;
    zombie_jobs_init(&g->zombies->jobs, g);
    ev_timer_init(&g->zombies->check, zombies_on_check, 0., 0.);
    g->zombies->check.data = g;
}

void zombies_stop(struct engine *g)
{
    if (g->zombies == NULL)
        return;
    zombie_jobs_done(&g->zombies->jobs);
    ev_timer_stop(g->loop, &g->zombies->check);
    zombie_record_done(&g->zombies->unclaimed.record);
    mem_free(g->zombies);
    g->zombies = NULL;
}
