/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The checkers of replacements: who is held, that all of them are down when the next configuration counts, and that
 * nothing else has changed then. The configuration that was in force is destroyed at that moment.
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A unit that has come to be where V is. */
static void move_in(struct sim *m, unsigned slot, const struct unit_view *v)
{
    struct sim_unit *u = &m->units[slot];

    *u = (struct sim_unit){.used = true, .id = v->id, .instance = v->instance, .born_run = m->last_run};
    u->state = v->spec->enabled ? UNIT_STOPPED : UNIT_SKIPPED;
    u->timer_ms = u->wake_ms = u->signal_ms = u->op_grace_ms = -1;
}

/* Every instance of every service is there once, at its place, under its name. */
static void check_places(struct sim *m)
{
    const struct spec_set *set = &m->config->set;
    unsigned order = 0;
    struct unit_view v;
    char name[SPEC_NAME_MAX + 8];

    if (super_set(m->super) != set)
        sim_fail(m, "another configuration is in force");
    m->n_units = super_slots(m->super);
    for (unsigned i = 0; i < set->n_services && !m->failed; i++)
        for (unsigned k = 1; k <= (unsigned)set->services[i].scale && !m->failed; k++, order++) {
            unsigned slot = order < super_count(m->super) ? super_at(m->super, order) : (unsigned)SUPER_NO_UNIT;
            if (slot >= SIM_UNITS_MAX || !super_view(m->super, slot, &v)) {
                sim_fail(m, "there is nothing at place %u", order);
                return;
            }
            snprintf(name, sizeof name, set->services[i].scale == 1 ? "%s" : "%s.%u", set->services[i].name, k);
            if (v.spec != &set->services[i] || v.instance != k || v.order != order || strcmp(v.name, name) != 0 ||
                super_find(m->super, name) != slot)
                sim_fail(m, "%s is not where %s should be", v.name, name);
            if (!m->units[slot].used)
                move_in(m, slot, &v);
            if (m->units[slot].id != v.id || m->units[slot].instance != k)
                sim_fail(m, "%s is not who it was", v.name);
            m->units[slot].spec = v.spec;
            m->units[slot].service = i;
        }
    if (order != super_count(m->super))
        sim_fail(m, "super has %u units, not %u", super_count(m->super), order);
}

void check_start(struct sim *m)
{
    check_places(m);
}

/* Whether the service that NEXT describes is one that is there already and has to restart, by itself or with what it
 * depends on. */
static bool restarts(const struct sim *m, const struct spec *next)
{
    const struct spec *now = spec_find(&m->config->set, next->name);

    if (!now || now->enabled != next->enabled)
        return false;
    if (strcmp(next->command[0], now->command[0]) != 0)
        return true;
    for (size_t k = 0; k < next->n_depends_on; k++) {
        const struct spec *on = spec_find(&m->next->set, next->depends_on[k].service);
        if (on && next->depends_on[k].restart && restarts(m, on))
            return true;
    }
    return false;
}

/* Marks who has to be down before the next configuration counts. */
static void hold(struct sim *m)
{
    for (unsigned i = 0; i < m->n_units; i++) {
        struct sim_unit *u = &m->units[i];
        const struct spec *now = u->spec, *next;
        if (!u->used)
            continue;
        next = spec_find(&m->next->set, now->name);
        u->goes = !next || next->enabled != now->enabled || u->instance > (unsigned)next->scale;
        u->held = u->goes || restarts(m, next);
        u->cycle = u->cycle && !u->held;
        sim_trace(m, "  %s%s", check_name(m, i), u->goes ? " goes" : u->held ? " restarts" : " stays");
    }
}

void check_replace(struct sim *m, bool begun, int errnum)
{
    int want = m->shutting || m->over ? ESHUTDOWN : m->next ? EBUSY : 0;

    if (begun != (want == 0) || errnum != want)
        sim_fail(m, "super_replace gives %d, not %d", errnum, want);
}

static void check_down(struct sim *m, unsigned unit)
{
    const struct sim_unit *u = &m->units[unit];
    bool spares = u->spec->orphans == SPEC_ORPHANS_IGNORE || u->spec->kill_mode == SPEC_KILL_MAIN;

    if (check_is_up(u->state) || u->state == UNIT_WAITING || u->state == UNIT_BACKOFF || u->run || u->main_serial)
        sim_fail(m, "replaced while %s is %s", u->spec->name, unit_state_name(u->state));
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        const struct sim_proc *p = sim_proc(m, pid);
        if (p->used && !p->zombie && !p->homeless && !p->spared && p->unit == unit && !spares)
            sim_fail(m, "replaced while left-over %d of %s lives", (int)pid, u->spec->name);
    }
}

/* What is left of the processes of a unit that is gone, and what is still to be carried out for it, is nobody's. */
static void move_out(struct sim *m, unsigned unit)
{
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++)
        if (m->procs[pid].used && m->procs[pid].unit == unit)
            m->procs[pid].homeless = true;
    for (unsigned i = 0; i < m->queue_n; i++) {
        struct effect *f = &m->queue[(m->queue_head + i) % SIM_EFFECTS_MAX];
        if (f->unit == unit && f->kind != EFFECT_CLOSE_RUN)
            f->kind = EFFECT_N;
    }
    memset(&m->units[unit], 0, sizeof m->units[unit]);
    m->units[unit].timer_ms = m->units[unit].wake_ms = -1;
}

/* A unit that stays goes by the keys of NEXT from now on. */
static void stay(struct sim *m, unsigned unit, const struct spec *next)
{
    struct sim_unit *u = &m->units[unit];
    bool other_care = next->orphans != u->spec->orphans || next->kill_mode != u->spec->kill_mode;

    u->fuzzy = u->mixed = true;
    u->ticket = u->ticket || u->held;
    if (u->main_told && (next->healthcheck.probe.kind != SPEC_PROBE_NONE) != (u->health != UNIT_HEALTH_NONE))
        u->health = next->healthcheck.probe.kind != SPEC_PROBE_NONE ? UNIT_HEALTH_STARTING : UNIT_HEALTH_NONE;
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS && other_care; pid++)
        if (m->procs[pid].used && m->procs[pid].unit == unit && m->procs[pid].serial != u->main_serial)
            m->procs[pid].spared = true;
}

/* A unit that is raised now takes with it what it requires, also what the operator has stopped. */
static void note_raised(struct sim *m, unsigned unit)
{
    struct unit_view v;

    super_view(m->super, unit, &v);
    if (!v.want_up)
        return;
    for (unsigned i = 0; i < m->n_units; i++)
        if (m->units[i].used && (i == unit || check_requires(m, m->units[unit].service, m->units[i].service)))
            m->units[i].op_down = false;
}

void check_replaced(struct sim *m)
{
    bool raised[SIM_UNITS_MAX] = {false};

    if (!m->next || m->shutting) {
        sim_fail(m, "replaced by nothing");
        return;
    }
    for (unsigned i = 0; i < m->n_units; i++) {
        struct sim_unit *u = &m->units[i];
        raised[i] = u->used && u->held;
        if (!u->used)
            continue;
        if (u->held)
            check_down(m, i);
        if (u->goes)
            move_out(m, i);
        else
            stay(m, i, spec_find(&m->next->set, u->spec->name));
        u->held = u->goes = false;
    }
    sim_plan_done(m->config);
    m->config = m->next;
    m->next = NULL;
    for (unsigned i = 0; i < SIM_UNITS_MAX; i++)
        raised[i] = raised[i] || !m->units[i].used;
    check_places(m);
    for (unsigned i = 0; i < m->n_units && !m->failed; i++)
        if (m->units[i].used && raised[i])
            note_raised(m, i);
    m->n_replaced++;
}

void check_replace_over(struct sim *m)
{
    if (!m->next || !m->shutting)
        return;
    if (super_is_replacing(m->super))
        sim_fail(m, "still replacing in a shutdown");
    for (unsigned i = 0; i < m->n_units; i++)
        m->units[i].held = m->units[i].goes = false;
    sim_plan_done(m->next);
    m->next = NULL;
}

void check_replace_begun(struct sim *m, struct sim_config *next)
{
    m->next = next;
    hold(m);
}
