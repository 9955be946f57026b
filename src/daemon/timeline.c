/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Records of starts. Whom a unit has waited for last is settled when it stops waiting: later its dependencies may have
 * been restarted, and nobody could tell any more.
 *
 * DIAGNOSTICS: none.
 */
#include "daemon/timeline.h"

#include "core/policy.h"
#include "core/snapshot.h"
#include "daemon/engine.h"
#include "sys/sys.h"

#include <string.h>

static const struct timeline timeline_none = {
    .starting_ms = -1, .started_ms = -1, .ready_ms = -1, .healthy_ms = -1, .ended_ms = -1};

/* Keeps the attempt of T that has ended. Of many, the first says when the trouble began, and the last ones how it is.
 */
static void timeline_keep_try(struct timeline *t)
{
    if (t->n_tries == TIMELINE_TRIES_MAX) {
        memmove(&t->tries[1], &t->tries[2], (TIMELINE_TRIES_MAX - 2) * sizeof t->tries[0]);
        t->n_tries--;
    }
    t->tries[t->n_tries++] = (struct timeline_try){.starting_ms = t->starting_ms, .ended_ms = t->ended_ms};
}

static void timeline_begin_try(struct timeline *t, int64_t now_ms)
{
    if (t->starting_ms >= 0)
        timeline_keep_try(t);
    t->starting_ms = now_ms;
    t->started_ms = t->healthy_ms = t->ended_ms = -1;
}

static void timeline_end(struct timeline *t, const struct spec *spec, enum unit_state to, int64_t now_ms)
{
    if (t->ended_ms < 0)
        t->ended_ms = now_ms;
    if ((to == UNIT_BACKOFF || to == UNIT_FAILED) && t->ready_ms >= 0 &&
        !policy_is_steady(spec, t->ended_ms - t->ready_ms))
        t->ready_ms = t->healthy_ms = -1;
}

void timeline_note(struct timeline *t, const struct spec *spec, enum unit_state from, enum unit_state to,
                   int64_t now_ms)
{
    if (to == UNIT_WAITING && from != UNIT_BACKOFF) {
        *t = timeline_none;
        t->waiting_ms = now_ms;
    }
    /* Nobody has wanted it, and what ends then is no start. */
    if (t->waiting_ms == 0)
        return;
    bool was_up = t->ready_ms >= 0;
    switch (to) {
    case UNIT_STARTING:
        if (!was_up)
            timeline_begin_try(t, now_ms);
        break;
    case UNIT_RUNNING:
        if (!was_up)
            t->started_ms = now_ms;
        break;
    case UNIT_READY:
        if (!was_up)
            t->ready_ms = now_ms;
        t->ended_ms = -1;
        break;
    case UNIT_STOPPING:
    case UNIT_BACKOFF:
    case UNIT_STOPPED:
    case UNIT_DONE:
    case UNIT_FAILED:
        timeline_end(t, spec, to, now_ms);
        break;
    case UNIT_WAITING:
    case UNIT_SKIPPED:
    case UNIT_STATE_N:
        break;
    }
}

/* Since when unit D is as CONDITION wants it; -1: it is not, or that is not known. */
static int64_t timeline_met_ms(const struct engine *g, unsigned d, const struct unit_view *u, enum spec_condition cond)
{
    const struct engine_unit *eu = engine_at(g, d);
    if (u->state == UNIT_DONE || (u->state == UNIT_FAILED && cond == SPEC_COND_COMPLETED))
        return u->since_ms;
    switch (cond) {
    case SPEC_COND_STARTED:
        return u->started_ms > 0 ? u->started_ms : -1;
    case SPEC_COND_READY:
        return u->state == UNIT_READY ? u->since_ms : -1;
    case SPEC_COND_HEALTHY:
        return eu != NULL ? eu->timeline.healthy_ms : -1;
    case SPEC_COND_COMPLETED_OK:
    case SPEC_COND_COMPLETED:
    case SPEC_COND_N:
        break;
    }
    return -1;
}

/* Finds which of what U depends on was there last, if it was not there before U was wanted. */
static void timeline_find_blocker(struct engine_unit *u)
{
    const struct engine *g = u->engine;
    int64_t latest_ms = u->timeline.waiting_ms;
    for (size_t i = 0; i < u->spec->n_depends_on; i++) {
        const struct spec_dep *dep = &u->spec->depends_on[i];
        unsigned order, n;
        if (!super_instances(g->super, dep->service, &order, &n))
            continue;
        for (unsigned k = 0; k < n; k++) {
            unsigned d = super_at(g->super, order + k);
            struct unit_view v;
            int64_t met_ms = super_view(g->super, d, &v) ? timeline_met_ms(g, d, &v, dep->condition) : -1;
            if (met_ms <= latest_ms)
                continue;
            latest_ms = met_ms;
            u->timeline.blocker = d;
            u->timeline.blocker_id = v.id;
        }
    }
}

void timeline_on_state(struct engine_unit *u, enum unit_state from, enum unit_state to)
{
    bool first = to == UNIT_STARTING && u->timeline.starting_ms < 0;
    timeline_note(&u->timeline, u->spec, from, to, sys_now_ms());
    if (first && u->timeline.waiting_ms != 0)
        timeline_find_blocker(u);
}

void timeline_on_health(struct engine_unit *u, enum unit_health health)
{
    if (health == UNIT_HEALTH_HEALTHY && u->timeline.waiting_ms != 0 && u->timeline.healthy_ms < 0)
        u->timeline.healthy_ms = sys_now_ms();
}

/* AT_MS from the start of fosterd on, or null. */
static json_t *timeline_since_begin(const struct engine *g, int64_t at_ms)
{
    return at_ms > 0 ? json_integer(at_ms > g->began_ms ? at_ms - g->began_ms : 0) : json_null();
}

static json_t *timeline_tries(const struct engine *g, const struct timeline *t)
{
    json_t *tries = json_array();
    for (unsigned i = 0; i < t->n_tries; i++)
        tries = snapshot_append(tries,
                                json_pack("{s:o, s:o}", "starting_ms", timeline_since_begin(g, t->tries[i].starting_ms),
                                          "ended_ms", timeline_since_begin(g, t->tries[i].ended_ms)));
    return tries;
}

static const char *timeline_blocker_name(const struct engine *g, const struct timeline *t)
{
    const struct engine_unit *u = engine_at_id(g, t->blocker, t->blocker_id);
    return u != NULL ? u->name : NULL;
}

json_t *timeline_json(const struct engine *g, unsigned unit)
{
    const struct engine_unit *u = engine_at(g, unit);
    struct unit_view v;
    if (u == NULL || !super_view(g->super, unit, &v))
        return NULL;
    const struct timeline *t = &u->timeline;
    json_t *reason = u->reason != NULL ? snapshot_text(u->reason, strlen(u->reason)) : json_null();
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s?, s:o, s:I, s:o}", "name", v.name,
                     "service", v.spec->name, "state", unit_state_name(v.state), "scheduled", spec_is_scheduled(v.spec),
                     "waiting_ms", timeline_since_begin(g, t->waiting_ms), "starting_ms",
                     timeline_since_begin(g, t->starting_ms), "started_ms", timeline_since_begin(g, t->started_ms),
                     "ready_ms", timeline_since_begin(g, t->ready_ms), "healthy_ms",
                     timeline_since_begin(g, t->healthy_ms), "ended_ms", timeline_since_begin(g, t->ended_ms), "tries",
                     timeline_tries(g, t), "blocked_by", timeline_blocker_name(g, t), "depends_on",
                     snapshot_deps(v.spec), "restarts", (json_int_t)v.n_restarts, "reason", reason);
}
