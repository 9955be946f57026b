/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The checkers of the commands around a run, of what a run shows of itself, and of schedules.
 */
#include "sim.h"

#include <sys/wait.h>

/* Whether a stop of UNIT may follow from E by itself, without anybody having asked for it. */
bool check_follows_on(const struct event *e, unsigned unit)
{
    if (e->unit != unit)
        return false;
    switch (e->kind) {
    case EVENT_SPAWN_FAILED:
    case EVENT_EXEC_FAILED:
    case EVENT_MAIN_EXITED:
    case EVENT_MEMBER_EXITED:
    case EVENT_MEMBERS_GONE:
    case EVENT_UNREADY:
    case EVENT_HOOKS_DONE:
    case EVENT_HEALTH:
    case EVENT_WATCHDOG:
    case EVENT_TIMER:
        return true;
    default:
        return false;
    }
}

void check_open_run(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];

    if (f->run <= m->last_run)
        sim_fail(m, "%s: run %llu is not a new one", check_name(m, f->unit), (unsigned long long)f->run);
    if (spec_is_scheduled(u->spec) && !u->ticket && !u->queued)
        sim_fail(m, "%s: runs though it was not due", check_name(m, f->unit));
    u->run = u->last_run = m->last_run = f->run;
    u->end_errno = 0;
    u->has_wstatus = u->ended_unready = u->exec_confirmed = false;
    u->acted = u->prepared = u->wound_up = u->shown = u->followed = u->ended_early = u->was_healthy = false;
    u->queued = u->queued && u->ticket;
    u->ticket = u->turn = false;
    u->extended_ms = 0;
}

/* Nobody may be left for whom the commands of post_stop would come too early. */
static void check_winding_up(struct sim *m, const struct effect *f)
{
    const struct sim_unit *u = &m->units[f->unit];
    bool clears = u->spec->orphans == SPEC_ORPHANS_KILL && u->spec->kill_mode != SPEC_KILL_MAIN;
    int status = u->end_wstatus;

    if (u->state != UNIT_STOPPING || u->main_told || u->main_serial || !u->acted || u->wound_up)
        sim_fail(m, "%s: post_stop at the wrong time", check_name(m, f->unit));
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS && clears; pid++) {
        const struct sim_proc *p = sim_proc(m, pid);
        if (p->used && !p->zombie && !p->homeless && !p->spared && p->unit == f->unit)
            sim_fail(m, "%s: post_stop while %d lives", check_name(m, f->unit), (int)pid);
    }
    if (!u->has_wstatus ? f->code_kind != '\0'
                        : f->code_kind != (WIFSIGNALED(status) ? 's' : 'e') ||
                              f->code != (WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)))
        sim_fail(m, "%s: post_stop is told of %c%d, not of 0x%x", check_name(m, f->unit),
                 f->code_kind ? f->code_kind : '-', f->code, (unsigned)status);
}

static void check_leaving(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];

    if (u->state != UNIT_STOPPING || !u->owes_pre_stop || u->signal_ms >= 0 || !u->main_told)
        sim_fail(m, "%s: pre_stop at the wrong time", check_name(m, f->unit));
    u->owes_pre_stop = false;
}

void check_hooks(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];
    const char *name = check_name(m, f->unit);

    if (u->hook)
        sim_fail(m, "%s: commands of %s begin while others run", name, spec_hook_point_name(f->hook));
    if (u->spec->hooks[f->hook].n == 0 || m->killing)
        sim_fail(m, "%s: there is nothing to run at %s", name, spec_hook_point_name(f->hook));
    switch (f->hook) {
    case SPEC_HOOK_PRE_START:
        if (u->run != 0)
            sim_fail(m, "%s: pre_start in the middle of run %llu", name, (unsigned long long)u->run);
        check_start_allowed(m, f);
        check_open_run(m, f);
        break;
    case SPEC_HOOK_POST_START:
        u->shown = u->shown || spec_ready_kind(u->spec) == SPEC_READY_TYPE;
        if (u->state != UNIT_RUNNING || !u->main_told || !u->exec_confirmed || !u->shown)
            sim_fail(m, "%s: post_start at the wrong time", name);
        break;
    case SPEC_HOOK_PRE_STOP:
        check_leaving(m, f);
        break;
    case SPEC_HOOK_POST_STOP:
        check_winding_up(m, f);
        u->wound_up = true;
        break;
    case SPEC_HOOK_N:
        break;
    }
    if (f->run != u->run)
        sim_fail(m, "%s: commands for run %llu in run %llu", name, (unsigned long long)f->run,
                 (unsigned long long)u->run);
    u->hook = (unsigned)f->hook + 1;
    u->acted = true;
}

void check_hooks_over(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];

    if (!u->hook)
        sim_fail(m, "%s: commands that do not run are ended", check_name(m, f->unit));
    u->hook = 0;
}

void check_run_over(struct sim *m, unsigned unit)
{
    struct sim_unit *u = &m->units[unit];

    if (u->hook)
        sim_fail(m, "%s: run %llu is left while its commands run", check_name(m, unit), (unsigned long long)u->run);
    if (u->acted && !u->wound_up && !m->killing && u->spec->hooks[SPEC_HOOK_POST_STOP].n > 0)
        sim_fail(m, "%s: run %llu is left without its post_stop", check_name(m, unit), (unsigned long long)u->run);
    u->run = 0;
    u->wound_up = false;
    u->health = UNIT_HEALTH_NONE;
}

/* U has been ready until UNTIL_MS: if that was long, it has proved that it works. */
void check_note_steady(struct sim_unit *u, int64_t until_ms)
{
    int64_t steady = u->spec->restart.reset_after_ms;

    if (u->spec->restart.delay_ms == 0 && steady < 1000)
        steady = 1000;
    if (u->state != UNIT_READY || until_ms - u->ready_ms < steady)
        return;
    u->n_backoffs = 0;
    u->mixed = false;
}

/* UNIT goes from FROM to STOPPING because of the event that is being posted, which is about itself. */
void check_own_stop(struct sim *m, unsigned unit, enum unit_state from)
{
    struct sim_unit *u = &m->units[unit];
    const struct event *e = m->posting;
    int64_t limit = u->exec_ms + u->spec->start_timeout_ms;

    if (!check_is_up(from) || m->shutting)
        return;
    switch (e->kind) {
    case EVENT_TIMER:
        if (u->shown || u->spec->start_timeout_ms == 0 || m->now_ms < limit || m->now_ms < u->extended_ms)
            sim_fail(m, "%s: its start has not timed out", check_name(m, unit));
        break;
    case EVENT_UNREADY:
        if (u->shown)
            sim_fail(m, "%s: is not ready though it has shown that it is", check_name(m, unit));
        break;
    case EVENT_HEALTH:
        if (e->health != UNIT_HEALTH_UNHEALTHY || u->spec->on_unhealthy != SPEC_UNHEALTHY_RESTART)
            sim_fail(m, "%s: stopped because of its health", check_name(m, unit));
        if (u->was_healthy)
            check_note_steady(u, m->now_ms);
        break;
    case EVENT_WATCHDOG:
        check_note_steady(u, m->now_ms - u->spec->watchdog_ms);
        break;
    case EVENT_HOOKS_DONE:
        if (e->ok && !u->cycle && from != UNIT_STARTING)
            sim_fail(m, "%s: stopped though its commands have gone well", check_name(m, unit));
        break;
    default:
        return;
    }
    u->ended_unready = true;
}

void check_shown(struct sim *m, unsigned unit)
{
    struct sim_unit *u = &m->units[unit];
    const struct event *e = m->posting;
    bool by_type = spec_ready_kind(u->spec) == SPEC_READY_TYPE && u->spec->type != SPEC_TYPE_ONESHOT &&
                   (u->spec->type != SPEC_TYPE_FORKING || u->followed);
    bool behind_hooks = e && e->unit == unit && e->kind == EVENT_HOOKS_DONE && e->hook == SPEC_HOOK_POST_START && e->ok;

    if (!u->shown && !by_type)
        sim_fail(m, "%s: is ready but has not shown that", check_name(m, unit));
    if (!behind_hooks && u->spec->hooks[SPEC_HOOK_POST_START].n > 0)
        sim_fail(m, "%s: is ready without its post_start", check_name(m, unit));
    if (u->hook)
        sim_fail(m, "%s: is ready while commands run", check_name(m, unit));
    u->shown = true;
    u->ready_ms = m->now_ms;
}

/* What is known from E before super hears of it. */
void check_sign(struct sim *m, const struct event *e)
{
    struct sim_unit *u = &m->units[e->unit];
    struct unit_view v;

    if (e->kind == EVENT_DUE) {
        super_view(m->super, e->unit, &v);
        if (check_is_up(u->state) || u->state == UNIT_BACKOFF)
            u->queued = u->queued || (v.want_up && u->spec->schedule.overlap == SPEC_OVERLAP_QUEUE);
        else
            u->ticket = u->ticket || v.want_up || u->held;
        u->turn = u->turn || (v.want_up && u->state == UNIT_WAITING && !u->held);
        return;
    }
    if (u->run == 0 || e->run != u->run)
        return;
    switch (e->kind) {
    case EVENT_READY:
        u->shown = u->shown || u->state == UNIT_STARTING || u->state == UNIT_RUNNING;
        break;
    case EVENT_HEALTH:
        if (!u->main_told)
            break;
        u->health = e->health;
        u->was_healthy = u->was_healthy || e->health == UNIT_HEALTH_HEALTHY;
        if (e->health == UNIT_HEALTH_UNHEALTHY && u->spec->on_unhealthy == SPEC_UNHEALTHY_SHUTDOWN &&
            (u->state == UNIT_RUNNING || u->state == UNIT_READY) && super_view(m->super, e->unit, &v) &&
            (!v.pending || u->held))
            check_note_shutdown(m, 1);
        break;
    case EVENT_HOOKS_DONE:
        if (u->hook != (unsigned)e->hook + 1)
            break;
        u->hook = 0;
        u->prepared = u->prepared || (e->hook == SPEC_HOOK_PRE_START && e->ok);
        u->ended_unready = u->ended_unready || (e->hook == SPEC_HOOK_PRE_START && !e->ok);
        break;
    case EVENT_EXTEND:
        if (u->state == UNIT_RUNNING)
            u->extended_ms = m->now_ms + e->extend_ms;
        else if (u->state == UNIT_STOPPING && u->timer_ms >= 0 && u->kill_ms < m->now_ms + e->extend_ms)
            u->kill_ms = m->now_ms + e->extend_ms;
        break;
    default:
        break;
    }
}
