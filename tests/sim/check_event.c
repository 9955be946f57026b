/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the checkers know from events, before super hears of them.
 */
#include "sim.h"

/* The operator wants U up: nothing that it needs is held down by him any more, and nothing is counted. */
static void note_start(struct sim *m, struct sim_unit *wanted, const struct event *e)
{
    wanted->no_deps = e->no_deps;
    wanted->ticket = true;
    wanted->turn = wanted->turn || wanted->state == UNIT_WAITING;
    if (e->kind == EVENT_RESTART) {
        wanted->may_stop = true;
        wanted->cycle =
            wanted->cycle || (!wanted->held && check_is_up(wanted->state) && wanted->state != UNIT_STOPPING);
    }
    for (unsigned i = 0; i < m->n_units; i++) {
        struct sim_unit *u = &m->units[i];
        if (!u->used ||
            (u != wanted && (e->no_deps || wanted->held || !check_requires(m, wanted->service, u->service))))
            continue;
        u->op_down = false;
        if (u->state != UNIT_STOPPING && !u->cycle && !u->held)
            u->op_grace_ms = -1;
        u->n_backoffs = u->n_retries = 0;
        u->fuzzy = true;
        u->backoff_ms = 0;
    }
}

/* The operator wants U down, with all that requires it. */
static void note_stop(struct sim *m, struct sim_unit *down, const struct event *e)
{
    down->op_down = true;
    for (unsigned i = 0; i < m->n_units; i++) {
        struct sim_unit *u = &m->units[i];
        if (!u->used || (u != down && (e->no_deps || !check_requires(m, u->service, down->service))))
            continue;
        u->may_stop = true;
        u->cycle = false;
    }
}

/* Somebody restarts UP: those that have `restart` on it and run go with it, and theirs. */
static void note_cycle(struct sim *m, const struct sim_unit *up)
{
    bool seen[SIM_SERVICES_MAX] = {false};
    unsigned todo[SIM_SERVICES_MAX], n = 0;
    struct unit_view v;

    seen[up->service] = true;
    todo[n++] = up->service;
    for (unsigned at = 0; at < n; at++)
        for (unsigned i = 0; i < m->config->set.n_services; i++) {
            const struct spec *s = &m->config->specs[i];
            bool any = false, depends = false;
            for (size_t k = 0; k < s->n_depends_on; k++)
                depends = depends || (s->depends_on[k].restart && check_find(m, s->depends_on[k].service) == todo[at]);
            for (unsigned k = 0; depends && !seen[i] && k < m->n_units; k++) {
                struct sim_unit *u = &m->units[k];
                if (!u->used || u->service != i || u->held || !super_view(m->super, k, &v) || !v.want_up)
                    continue;
                any =
                    any || (check_is_up(u->state) && u->state != UNIT_STOPPING) || (u->state == UNIT_FAILED && u->lost);
                if (!check_is_up(u->state) || u->state == UNIT_STOPPING)
                    continue;
                if (!u->cycle)
                    u->op_grace_ms = -1;
                u->may_stop = u->cycle = u->ticket = true;
            }
            seen[i] = seen[i] || depends;
            if (any)
                todo[n++] = i;
        }
}

/* The operator has his own idea of how long that stop may take. */
static void note_grace(struct sim *m, struct sim_unit *u, const struct event *e)
{
    if (e->kind == EVENT_RESTART && u->held)
        return;
    if (check_is_up(u->state) && e->kind == EVENT_RESTART && u->state != UNIT_STOPPING)
        u->op_grace_ms = -1;
    if (!e->has_grace || (e->kind == EVENT_RESTART && !check_is_up(u->state)))
        return;
    u->op_grace_ms = e->grace_ms;
    u->kill_ms = m->now_ms + e->grace_ms;
}

static void note_main_exit(struct sim *m, struct sim_unit *u, const struct event *e)
{
    u->main_told = false;
    u->end_wstatus = e->wstatus;
    u->has_wstatus = u->exec_confirmed;
    u->ended_unready = u->ended_unready || (u->spec->type == SPEC_TYPE_FORKING && u->state == UNIT_RUNNING &&
                                            !u->shown && !u->followed && e->wstatus == 0 && e->n_left == 0);
    u->ended_early = u->state == UNIT_RUNNING && !u->shown && spec_ready_kind(u->spec) != SPEC_READY_TYPE;
    u->health = UNIT_HEALTH_NONE;
    if (u->exec_confirmed)
        u->last_wstatus = e->wstatus;
    if (u->exec_confirmed && !m->over)
        m->n_main_deaths++;
}

void check_note_shutdown(struct sim *m, int code)
{
    if (m->shutting)
        return;
    m->shutting = true;
    m->want_code = code;
    m->shutdown_ms = m->now_ms;
    m->hold_budget = m->calm;
}

/* What is known from EVENT before super hears of it. */
void check_event(struct sim *m, const struct event *e)
{
    struct sim_unit *u = check_unit(m, e->unit);

    sim_trace(m, "%8lld event %d for %s run %llu pid %d status 0x%x left %zu errno %d", (long long)m->now_ms,
              (int)e->kind, check_name(m, e->unit), (unsigned long long)e->run, (int)e->pid, (unsigned)e->wstatus,
              e->n_left, e->errnum);
    if (!u && e->unit != SUPER_NO_UNIT)
        return;
    switch (e->kind) {
    case EVENT_START:
    case EVENT_RESTART:
        if (m->shutting || u->goes)
            break;
        note_start(m, u, e);
        note_grace(m, u, e);
        if (e->kind == EVENT_RESTART && !e->no_deps)
            note_cycle(m, u);
        break;
    case EVENT_STOP:
        if (m->shutting)
            break;
        note_stop(m, u, e);
        note_grace(m, u, e);
        break;
    case EVENT_RESET:
        if (u->state == UNIT_SKIPPED)
            break;
        u->n_backoffs = u->n_retries = 0;
        u->mixed = false;
        break;
    case EVENT_SPAWN_FAILED:
    case EVENT_EXEC_FAILED:
        u->end_errno = e->errnum;
        u->end_forked = e->kind == EVENT_EXEC_FAILED;
        break;
    case EVENT_EXEC_OK:
        u->exec_ms = m->now_ms;
        u->exec_confirmed = true;
        u->n_retries = 0;
        u->health = u->spec->healthcheck.probe.kind != SPEC_PROBE_NONE ? UNIT_HEALTH_STARTING : UNIT_HEALTH_NONE;
        break;
    case EVENT_MAIN_EXITED:
        /* Not of one that had named another in its place. */
        if (e->run == u->run && e->pid == u->last_main && u->main_serial == 0)
            note_main_exit(m, u, e);
        break;
    case EVENT_MEMBER_EXITED:
        if (u->main_serial == 0 && u->run == e->run && u->last_main == e->pid && u->main_died_as_member) {
            struct event as_main = *e;
            as_main.n_left = 1;
            u->main_died_as_member = false;
            note_main_exit(m, u, &as_main);
        }
        break;
    case EVENT_TIMER:
        if (u && u->timer_ms <= m->now_ms)
            u->timer_ms = -1;
        break;
    case EVENT_SHUTDOWN:
    case EVENT_KILL_NOW:
        check_note_shutdown(m, e->exit_code);
        m->killing = m->killing || e->kind == EVENT_KILL_NOW;
        break;
    case EVENT_SPAWNED:
        u->main_told = u->acted = true;
        break;
    case EVENT_READY:
    case EVENT_UNREADY:
    case EVENT_HOOKS_DONE:
    case EVENT_HEALTH:
    case EVENT_EXTEND:
    case EVENT_DUE:
        check_sign(m, e);
        break;
    case EVENT_MAIN_STOPPED:
    case EVENT_MAIN_CONTINUED:
    case EVENT_MEMBERS_GONE:
    case EVENT_WATCHDOG:
    case EVENT_MAIN_PID:
    case EVENT_N:
        break;
    }
    if (e->kind == EVENT_TIMER && !u && m->super_timer_ms >= 0 && m->super_timer_ms <= m->now_ms) {
        m->killing = true;
        m->super_timer_ms = -1;
    }
}
