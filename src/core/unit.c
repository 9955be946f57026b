/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The run-time record of one unit: keeping its books, and answering questions about it.
 */
#include "core/unit.h"

#include <string.h>

const char *unit_health_name(enum unit_health v)
{
    static const char *const names[] = {
        [UNIT_HEALTH_NONE] = "-",
        [UNIT_HEALTH_STARTING] = "starting",
        [UNIT_HEALTH_HEALTHY] = "healthy",
        [UNIT_HEALTH_UNHEALTHY] = "unhealthy",
    };
    static_assert(ARRAY_LEN(names) == UNIT_HEALTH_N, "every word is there");

    return (unsigned)v < UNIT_HEALTH_N ? names[v] : names[UNIT_HEALTH_NONE];
}

void unit_init(struct unit *u, enum unit_state state)
{
    u->timer_ms = -1;
    u->stop_grace_ms = -1;
    u->stop_back = UNIT_STATE_N;
    u->hook = SPEC_HOOK_N;
    list_init(&u->in_waiting);
    list_init(&u->in_due);
    unit_set_state(u, state);
}

void unit_set_spec(struct unit *u, const struct spec *spec)
{
    u->spec = spec;
    /* A stop that is under way may have come further than there are steps now. */
    if (u->stop_step >= spec->n_stop_signal)
        u->stop_step = spec->n_stop_signal - 1;
}

void unit_set_state(struct unit *u, enum unit_state to)
{
    /* The member is constant so that no other line can write it; the object it lives in is not. */
    memcpy((void *)&u->state, &to, sizeof to);
}

void unit_note(struct unit *u, const struct event *e, int64_t now_ms)
{
    switch ((int)e->kind) {
    case EVENT_SPAWNED:
        u->phase = UNIT_BORN;
        u->main_pid = e->pid;
        u->acted = true;
        break;
    case EVENT_EXEC_OK:
        u->phase = UNIT_EXECED;
        u->exec_ms = now_ms;
        u->ever_execed = true;
        u->health = u->spec->healthcheck.probe.kind != SPEC_PROBE_NONE ? UNIT_HEALTH_STARTING : UNIT_HEALTH_NONE;
        backoff_reset(&u->spawn_backoff);
        break;
    case EVENT_SPAWN_FAILED:
        u->phase = UNIT_ENDED;
        u->end = (struct policy_end){.cause = POLICY_NO_EXEC, .errnum = e->errnum};
        break;
    case EVENT_EXEC_FAILED:
        u->end = (struct policy_end){.cause = POLICY_NO_EXEC, .errnum = e->errnum, .forked = true};
        break;
    case EVENT_MAIN_EXITED:
        if (u->phase == UNIT_EXECED) {
            u->last_wstatus = e->wstatus;
            u->has_last_wstatus = true;
            u->ended_known = true;
        }
        u->phase = UNIT_ENDED;
        u->main_pid = 0;
        u->health = UNIT_HEALTH_NONE;
        break;
    case EVENT_HOOKS_DONE:
        u->hook = SPEC_HOOK_N;
        break;
    case EVENT_HEALTH:
        u->health = e->health;
        u->was_healthy = u->was_healthy || e->health == UNIT_HEALTH_HEALTHY;
        break;
    case EVENT_MAIN_PID:
        u->main_pid = e->pid;
        break;
    default:
        break;
    }
}

void unit_forget_failures(struct unit *u)
{
    u->n_attempts = 0;
    u->n_restarts = 0;
    backoff_reset(&u->backoff);
    backoff_reset(&u->spawn_backoff);
}

void unit_begin_anew(struct unit *u)
{
    unit_forget_failures(u);
    u->ever_execed = false;
    u->start_settled = false;
}

void unit_begin_run(struct unit *u, uint64_t run)
{
    u->run = run;
    u->n_starts++;
    u->end = (struct policy_end){.cause = POLICY_ASKED};
    u->followed = u->acted = u->ended_known = u->shown_ready = u->wound_up = u->was_healthy = false;
    u->extended_ms = 0;
    u->due = u->lost = false;
}

void unit_end_run(struct unit *u)
{
    u->phase = UNIT_NO_RUN;
    u->main_pid = 0;
    u->exec_ms = 0;
    u->health = UNIT_HEALTH_NONE;
}

void unit_note_steady(struct unit *u, int64_t until_ms)
{
    if (u->state != UNIT_READY || !policy_is_steady(u->spec, until_ms - u->since_ms))
        return;
    u->n_attempts = 0;
    backoff_reset(&u->backoff);
}

bool unit_is_ready_by_type(const struct unit *u)
{
    if (spec_ready_kind(u->spec) != SPEC_READY_TYPE)
        return false;
    return u->followed || u->spec->type == SPEC_TYPE_AUTO || u->spec->type == SPEC_TYPE_SIMPLE;
}

bool unit_awaits_schedule(const struct unit *u)
{
    return u->state == UNIT_WAITING && spec_is_scheduled(u->spec) && !u->due;
}

int64_t unit_grace_ms(const struct unit *u)
{
    return u->stop_grace_ms >= 0 ? u->stop_grace_ms : u->spec->stop_grace_period_ms;
}

bool unit_has_main(const struct unit *u)
{
    return u->phase == UNIT_BORN || u->phase == UNIT_EXECED;
}

bool unit_clears_orphans(const struct unit *u)
{
    return u->spec->orphans == SPEC_ORPHANS_KILL && u->spec->kill_mode != SPEC_KILL_MAIN;
}

bool unit_stops_members(const struct unit *u)
{
    return u->spec->orphans != SPEC_ORPHANS_IGNORE && u->spec->kill_mode != SPEC_KILL_MAIN;
}

bool unit_is_active(const struct unit *u)
{
    switch (u->state) {
    case UNIT_STARTING:
    case UNIT_RUNNING:
    case UNIT_READY:
    case UNIT_STOPPING:
        return true;
    default:
        return false;
    }
}

bool unit_can_stop(const struct unit *u)
{
    return unit_is_active(u) && u->state != UNIT_STOPPING;
}

bool unit_has_strays(const struct unit *u)
{
    return u->strays && unit_stops_members(u);
}

/* Whether U is on its way down by request. */
static bool is_leaving(const struct unit *u)
{
    return u->stop_due || (u->state == UNIT_STOPPING && (!u->want_up || u->again));
}

/* Whether condition C of a dependency on U holds. A run that is about to be stopped fulfils none. */
static bool is_met(const struct unit *u, enum spec_condition c)
{
    bool stays = !is_leaving(u);

    switch (c) {
    case SPEC_COND_STARTED:
        return u->state == UNIT_DONE || (stays && (u->state == UNIT_RUNNING || u->state == UNIT_READY)) ||
               (stays && u->want_up && u->ever_execed && u->state != UNIT_FAILED);
    case SPEC_COND_READY:
        return u->state == UNIT_DONE || (stays && u->state == UNIT_READY);
    case SPEC_COND_HEALTHY:
        return u->state == UNIT_DONE || (stays && u->state == UNIT_READY && u->health == UNIT_HEALTH_HEALTHY);
    case SPEC_COND_COMPLETED_OK:
        return u->state == UNIT_DONE;
    case SPEC_COND_COMPLETED:
        return u->state == UNIT_DONE || u->state == UNIT_FAILED;
    case SPEC_COND_N:
        break;
    }
    return false;
}

/* Whether U may still be on its way to condition C, which does not hold. */
static bool is_open(const struct unit *u, enum spec_condition c, bool unsettled)
{
    return unsettled || (c == SPEC_COND_HEALTHY && u->want_up && u->health == UNIT_HEALTH_STARTING);
}

static bool is_idle(const struct unit *u)
{
    switch (u->state) {
    case UNIT_STOPPED:
    case UNIT_SKIPPED:
    case UNIT_FAILED:
        return true;
    case UNIT_DONE:
        return false;
    default:
        return !u->want_up;
    }
}

unsigned unit_facts(const struct unit *u)
{
    bool later = u->held && u->want_after;
    bool unsettled = (u->want_up || (later && !u->goes)) && !u->start_settled && !unit_awaits_schedule(u);
    bool to_run = u->state == UNIT_WAITING || u->state == UNIT_BACKOFF;
    bool up = unit_is_active(u) || unit_has_strays(u);
    bool to_run_by_schedule = u->want_up && spec_is_scheduled(u->spec);
    unsigned facts = 0;

    for (unsigned c = 0; c < SPEC_COND_N; c++) {
        bool met = is_met(u, (enum spec_condition)c);
        facts |= (unsigned)met << (UNIT_MET + c) | (unsigned)(!met && is_open(u, (enum spec_condition)c, unsettled))
                                                       << (UNIT_OPEN + c);
    }
    facts |= (unsigned)(u->state == UNIT_FAILED) << UNIT_LOST;
    facts |= (unsigned)up << UNIT_UP;
    facts |= (unsigned)is_leaving(u) << UNIT_LEAVING;
    facts |= (unsigned)(u->held && (up || to_run || u->phase != UNIT_NO_RUN)) << UNIT_HELD_UP;
    facts |= (unsigned)((u->want_up && (up || to_run)) || later) << UNIT_KEPT;
    facts |= (unsigned)(unit_is_active(u) || to_run || u->strays || u->asked_down || to_run_by_schedule) << UNIT_BUSY;
    facts |= (unsigned)is_idle(u) << UNIT_IDLE;
    facts |= (unsigned)unsettled << UNIT_UNSETTLED;
    return facts;
}
