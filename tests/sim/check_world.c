/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The checkers of the world: what must hold of each signal and each reaping, after every step, when nothing moves
 * any more, and at the end.
 */
#include "sim.h"

void check_signal(struct sim *m, unsigned unit, pid_t pid)
{
    const struct sim_proc *p = sim_proc(m, pid);

    if (pid < SIM_FIRST_PID || !p->used || p->homeless || p->unit != unit)
        sim_fail(m, "%s: a signal hits process %d, which is not its own", check_name(m, unit), (int)pid);
}

void check_reap(struct sim *m, pid_t pid, const struct attrib_run *believed, bool as_main)
{
    const struct sim_proc *p = sim_proc(m, pid);
    struct sim_unit *u = &m->units[p->unit];
    bool is_main = p->serial == u->main_serial;

    sim_trace(m, "%8lld reap %d of %s run %llu%s", (long long)m->now_ms, (int)pid, check_name(m, p->unit),
              (unsigned long long)p->run, is_main ? " (main)" : "");
    if (!believed || believed->run != p->run || believed->unit != p->unit)
        sim_fail(m, "process %d of %s is given to the wrong run", (int)pid, check_name(m, p->unit));
    if (as_main && !is_main && !p->was_main)
        sim_fail(m, "the end of process %d is taken for the end of %s", (int)pid, check_name(m, p->unit));
    if (!is_main || p->homeless)
        return;
    u->main_serial = 0;
    u->last_main = pid;
    u->main_died_as_member = !as_main;
}

void check_step(struct sim *m)
{
    struct unit_view v;

    for (unsigned i = 0; i < m->n_units && !m->failed; i++) {
        const struct sim_unit *u = &m->units[i];
        unsigned n = 0;
        if (super_view(m->super, i, &v) != u->used)
            sim_fail(m, "number %u should %s", i, u->used ? "be there" : "be free");
        if (!u->used)
            continue;
        for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
            const struct sim_proc *p = sim_proc(m, pid);
            n += p->used && !p->homeless && p->unit == i && !p->zombie && (p->born_main || p->serial == u->main_serial);
        }
        if (n > 1)
            sim_fail(m, "%s has %u live main processes", v.name, n);
        if (v.state != u->state)
            sim_fail(m, "%s is %s but was told to be %s", v.name, unit_state_name(v.state), unit_state_name(u->state));
        if (u->timer_ms < 0 &&
            (u->state == UNIT_BACKOFF || (u->state == UNIT_RUNNING && u->spec->start_timeout_ms > 0 && !u->shown)))
            sim_fail(m, "%s is %s without a timer", v.name, unit_state_name(u->state));
        if (v.health != u->health)
            sim_fail(m, "%s: its health is %s, not %s", v.name, unit_health_name(v.health),
                     unit_health_name(u->health));
        if (v.has_last_wstatus && v.last_wstatus != u->last_wstatus)
            sim_fail(m, "%s: last status 0x%x is not that of its main process, 0x%x", v.name, (unsigned)v.last_wstatus,
                     (unsigned)u->last_wstatus);
    }
}

/* Where UNIT stands when nothing moves any more. */
static void check_rest(struct sim *m, unsigned unit)
{
    const struct sim_unit *u = &m->units[unit];
    bool spares = u->spec->orphans != SPEC_ORPHANS_KILL || u->spec->kill_mode == SPEC_KILL_MAIN;
    bool main_lives = false;
    struct unit_view v;

    super_view(m->super, unit, &v);
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        const struct sim_proc *p = sim_proc(m, pid);
        if (!p->used || p->zombie || p->homeless || p->unit != unit)
            continue;
        main_lives = main_lives || p->serial == u->main_serial;
        if (p->serial == u->main_serial && v.main_pid != pid)
            sim_fail(m, "%s: main process is %d, not %d", v.name, (int)pid, (int)v.main_pid);
        if (p->serial != u->main_serial && !spares && !p->spared && v.state != UNIT_READY)
            sim_fail(m, "%s: left-over %d lives at rest, while %s", v.name, (int)pid, unit_state_name(v.state));
    }
    if (main_lives != (v.state == UNIT_READY))
        sim_fail(m, "%s is %s at rest, its main process %s", v.name, unit_state_name(v.state),
                 main_lives ? "lives" : "does not");
    if (v.state == UNIT_WAITING ? !(spec_is_scheduled(u->spec) && !u->turn) && !check_may_wait(m, u->service)
                                : check_is_up(v.state) && !main_lives)
        sim_fail(m, "%s is still %s", v.name, unit_state_name(v.state));
    if (v.state == UNIT_BACKOFF || (v.want_up && (v.state == UNIT_STOPPED || v.state == UNIT_SKIPPED)))
        sim_fail(m, "%s is %s at rest though it is wanted", v.name, unit_state_name(v.state));
    if (!v.want_up && v.state == UNIT_READY)
        sim_fail(m, "%s is ready at rest though it is not wanted", v.name);
}

void check_quiet(struct sim *m)
{
    if (super_is_replacing(m->super))
        sim_fail(m, "the next configuration does not come into force");
    for (unsigned i = 0; i < m->n_units && !m->failed; i++)
        if (m->units[i].used)
            check_rest(m, i);
}

void check_end(struct sim *m)
{
    int64_t budget = 1000;

    if (!m->over)
        sim_fail(m, "the shutdown did not end");
    if (m->n_main_deaths != m->n_obituaries)
        sim_fail(m, "%llu main processes died, %llu obituaries were told", (unsigned long long)m->n_main_deaths,
                 (unsigned long long)m->n_obituaries);
    for (unsigned i = 0; i < m->n_units; i++)
        if (m->units[i].used)
            budget += m->units[i].spec->stop_grace_period_ms;
    if (m->config->set.supervisor.stop_timeout_ms > 0 && m->config->set.supervisor.stop_timeout_ms + 1000 < budget)
        budget = m->config->set.supervisor.stop_timeout_ms + 1000;
    if (m->hold_budget && m->now_ms - m->shutdown_ms > budget)
        sim_fail(m, "the shutdown took %lld ms", (long long)(m->now_ms - m->shutdown_ms));
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        const struct sim_proc *p = sim_proc(m, pid);
        const struct spec *s = p->used && !p->homeless ? m->units[p->unit].spec : NULL;
        if (s && !p->zombie && !p->spared && s->orphans != SPEC_ORPHANS_IGNORE && s->kill_mode != SPEC_KILL_MAIN)
            sim_fail(m, "process %d of %s outlives the end", (int)pid, s->name);
    }
}
