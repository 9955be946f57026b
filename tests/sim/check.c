/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The checkers of effects: what must hold of each, stated a second time and independently of the code under test, on
 * the ground of the kernel's truth and of what the effects have said so far.
 */
#include "sim.h"

#include "core/fsm.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

const char *check_name(const struct sim *m, unsigned unit)
{
    struct unit_view v;

    return super_view(m->super, unit, &v) ? v.name : unit == SUPER_NO_UNIT ? "all" : "nobody";
}

struct sim_unit *check_unit(struct sim *m, unsigned unit)
{
    return unit < m->n_units && m->units[unit].used ? &m->units[unit] : NULL;
}

bool check_is_up(enum unit_state v)
{
    return v == UNIT_STARTING || v == UNIT_RUNNING || v == UNIT_READY || v == UNIT_STOPPING;
}

/* Whether the failed start of U may go well another time. A process that is there already lacks no process. */
static bool is_temporary(const struct sim_unit *u)
{
    return u->end_errno == ENOMEM || u->end_errno == ETXTBSY || (u->end_errno == EAGAIN && !u->end_forked);
}

unsigned check_find(const struct sim *m, const char *service)
{
    unsigned i = 0;

    while (i < m->config->set.n_services && strcmp(m->config->specs[i].name, service) != 0)
        i++;
    return i;
}

/* Whether service I requires service K, directly or not. */
bool check_requires(const struct sim *m, unsigned i, unsigned k)
{
    for (size_t d = 0; d < m->config->specs[i].n_depends_on; d++) {
        unsigned to = check_find(m, m->config->specs[i].depends_on[d].service);
        if (to < m->config->set.n_services && m->config->specs[i].depends_on[d].required &&
            (to == k || check_requires(m, to, k)))
            return true;
    }
    return false;
}

/* The exit status that the final state FROM -> TO of U stands for. */
static int code_of(const struct sim_unit *u, enum unit_state from, enum unit_state to)
{
    int code = 1;

    if (from == UNIT_WAITING || u->ended_unready)
        return 1;
    if (u->end_errno)
        return u->end_errno == ENOENT ? 127 : 126;
    if (WIFEXITED(u->end_wstatus))
        code = WEXITSTATUS(u->end_wstatus);
    else if (WIFSIGNALED(u->end_wstatus))
        code = 128 + WTERMSIG(u->end_wstatus);
    return to == UNIT_FAILED && code == 0 ? 1 : code;
}

static bool listed(const struct spec_exits *x, int wstatus)
{
    if (WIFEXITED(wstatus))
        return x->codes[WEXITSTATUS(wstatus) / 64] >> WEXITSTATUS(wstatus) % 64 & 1;
    return WIFSIGNALED(wstatus) && (x->signals[WTERMSIG(wstatus) / 64] >> WTERMSIG(wstatus) % 64 & 1);
}

/* Does the restart policy allow that U, whose run ended as noted, goes to TO? */
static void check_verdict(struct sim *m, unsigned unit, enum unit_state to)
{
    const struct sim_unit *u = &m->units[unit];
    const struct spec_restart *r = &u->spec->restart;
    bool good =
        !u->end_errno && !u->ended_unready && !u->ended_early && listed(&u->spec->success_exit_codes, u->end_wstatus);
    bool no_restart = !u->end_errno && !u->ended_unready && listed(&u->spec->no_restart_exit_codes, u->end_wstatus);
    bool again = r->policy >= SPEC_RESTART_ALWAYS || (r->policy == SPEC_RESTART_ON_FAILURE && !good);

    if (u->end_errno) {
        if ((to == UNIT_BACKOFF) != is_temporary(u) || to == UNIT_DONE)
            sim_fail(m, "%s: errno %d led to %s", check_name(m, unit), u->end_errno, unit_state_name(to));
        return;
    }
    if (to == UNIT_BACKOFF && (!again || no_restart))
        sim_fail(m, "%s: restarted against its policy", check_name(m, unit));
    if (to == UNIT_DONE && (!good || again || no_restart))
        sim_fail(m, "%s: done against its policy", check_name(m, unit));
    if (to == UNIT_FAILED && !no_restart && (again ? r->max_attempts == 0 : good))
        sim_fail(m, "%s: failed against its policy", check_name(m, unit));
    if (to == UNIT_FAILED && again && !no_restart && !u->fuzzy && u->n_backoffs < (unsigned)r->max_attempts)
        sim_fail(m, "%s: gave up after %u restarts", check_name(m, unit), u->n_backoffs);
    if (to == UNIT_BACKOFF && r->max_attempts > 0 && u->n_backoffs >= (unsigned)r->max_attempts)
        sim_fail(m, "%s: restarted more often than max_attempts", check_name(m, unit));
}

static void note_final(struct sim *m, unsigned unit, enum unit_state from, enum unit_state to)
{
    struct sim_unit *u = &m->units[unit];
    const struct spec *s = u->spec;
    enum spec_end_action action = to == UNIT_DONE ? s->on_success : s->on_failure;

    u->n_final = ++m->n_final;
    u->final_code = code_of(u, from, to);
    if (s->essential || action == SPEC_END_SHUTDOWN)
        check_note_shutdown(m, u->final_code);
}

/* Nothing may begin to stop before what stands on it is down, as far as that is to go down. */
static void check_stop_order(struct sim *m, unsigned unit)
{
    const struct sim_unit *u = &m->units[unit];
    struct unit_view v;

    for (unsigned i = 0; i < m->n_units; i++) {
        const struct sim_unit *d = &m->units[i];
        for (size_t k = 0; d->used && k < d->spec->n_depends_on; k++) {
            const struct spec_dep *dep = &d->spec->depends_on[k];
            if (strcmp(dep->service, u->spec->name) != 0 || (!m->shutting && !dep->required && !dep->restart))
                continue;
            super_view(m->super, i, &v);
            if ((check_is_up(d->state) || d->main_serial) && (!v.want_up || d->cycle))
                sim_fail(m, "%s begins to stop while %s, which depends on it and is to go first, is %s",
                         check_name(m, unit), check_name(m, i), unit_state_name(d->state));
        }
    }
}

/* UNIT goes from UP to STOPPING, not because of what it did itself: has it to? */
static void check_stop(struct sim *m, unsigned unit)
{
    struct sim_unit *u = &m->units[unit];
    const struct event *e = m->posting;
    bool alone = e && e->unit == unit && (e->kind == EVENT_STOP || e->kind == EVENT_RESTART) && e->no_deps;
    struct unit_view v;

    super_view(m->super, unit, &v);
    if (!m->shutting && !u->may_stop && !u->held)
        sim_fail(m, "%s is stopped though nobody has asked for it", v.name);
    if (!m->killing && !alone && (!v.want_up || u->cycle))
        check_stop_order(m, unit);
}

/* Whether something that S requires can never come. */
bool check_is_lost(const struct sim *m, const struct spec *s)
{
    for (size_t k = 0; k < s->n_depends_on; k++) {
        const struct spec_dep *d = &s->depends_on[k];
        unsigned service = check_find(m, d->service);
        for (unsigned i = 0; i < m->n_units; i++)
            if (m->units[i].used && d->required && d->condition != SPEC_COND_COMPLETED &&
                m->units[i].service == service && m->units[i].state == UNIT_FAILED)
                return true;
    }
    return false;
}

static void check_state(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];
    const struct event *e = m->posting;
    bool own = e && check_follows_on(e, f->unit);
    struct unit_view v;

    super_view(m->super, f->unit, &v);
    if (f->from != u->state || !fsm_may_enter(f->to, f->from))
        sim_fail(m, "%s: %s -> %s while %s", v.name, unit_state_name(f->from), unit_state_name(f->to),
                 unit_state_name(u->state));
    if (u->timer_ms >= 0)
        sim_fail(m, "%s: leaves %s with its timer armed", v.name, unit_state_name(f->from));
    if (f->from == UNIT_BACKOFF && f->to == UNIT_WAITING && m->now_ms < u->backoff_ms)
        sim_fail(m, "%s: back %lld ms too early", v.name, (long long)(u->backoff_ms - m->now_ms));
    if (f->to == UNIT_WAITING && f->from != UNIT_BACKOFF) {
        u->n_backoffs = u->n_retries = 0;
        u->fuzzy = u->mixed = false;
    }
    if (f->from == UNIT_WAITING && f->to == UNIT_FAILED && !check_is_lost(m, u->spec))
        sim_fail(m, "%s: gives up a dependency that may still come", v.name);
    if (own && (e->kind == EVENT_MAIN_EXITED || e->kind == EVENT_MEMBER_EXITED))
        check_note_steady(u, m->now_ms);
    if (f->to == UNIT_STOPPING && own)
        check_own_stop(m, f->unit, f->from);
    if (f->to == UNIT_STOPPING && check_is_up(f->from) && !own)
        check_stop(m, f->unit);
    if (f->to == UNIT_BACKOFF || ((f->to == UNIT_DONE || f->to == UNIT_FAILED) && f->from != UNIT_WAITING && !u->back))
        check_verdict(m, f->unit, f->to);
    if (f->to == UNIT_STOPPING) {
        u->signal_ms = -1;
        u->bitten = own && e->kind == EVENT_WATCHDOG;
        u->killed = false;
        u->owes_pre_stop = f->from == UNIT_READY && u->main_told && !u->bitten && !m->killing &&
                           (u->op_grace_ms >= 0 ? u->op_grace_ms : u->spec->stop_grace_period_ms) > 0 &&
                           u->spec->hooks[SPEC_HOOK_PRE_STOP].n > 0;
        u->back = f->from == UNIT_DONE || f->from == UNIT_FAILED || f->from == UNIT_STOPPED;
    }
    u->state = f->to;
    if (f->to == UNIT_STOPPING || !check_is_up(f->to))
        u->cycle = false;
    if (!check_is_up(f->to))
        u->op_grace_ms = -1;
    if (f->to == UNIT_STARTING)
        u->may_stop = false;
    if (f->to == UNIT_FAILED)
        u->lost = f->from == UNIT_WAITING;
    if (f->to == UNIT_READY)
        check_shown(m, f->unit);
    if (f->to == UNIT_WAITING && f->from == UNIT_BACKOFF)
        u->ticket = true;
    if (f->to != UNIT_WAITING)
        u->turn = false;
    if ((f->to == UNIT_DONE || f->to == UNIT_FAILED) && !u->back)
        note_final(m, f->unit, f->from, f->to);
    if (f->from == UNIT_STOPPING)
        u->back = false;
}

static bool holds(const struct sim *m, unsigned service, enum spec_condition c)
{
    for (unsigned i = 0; i < m->n_units; i++) {
        const struct sim_unit *u = &m->units[i];
        bool over = u->state == UNIT_DONE || (c == SPEC_COND_COMPLETED && u->state == UNIT_FAILED);
        if (!u->used || u->service != service || over)
            continue;
        if (c == SPEC_COND_READY     ? u->state != UNIT_READY
            : c == SPEC_COND_HEALTHY ? u->state != UNIT_READY || u->health != UNIT_HEALTH_HEALTHY
            : c == SPEC_COND_STARTED ? u->exec_ms == 0 || u->state == UNIT_STOPPED || u->state == UNIT_SKIPPED
                                     : true)
            return false;
    }
    return true;
}

/* Whether service I has a reason to wait: a dependency that does not hold, or, where order is all that is asked for,
 * one that is still on its way. */
bool check_may_wait(const struct sim *m, unsigned i)
{
    if (check_is_lost(m, &m->config->specs[i]))
        return false;
    if (!check_deps_hold(m, i))
        return true;
    for (size_t k = 0; k < m->config->specs[i].n_depends_on; k++)
        for (unsigned n = 0; n < m->n_units; n++)
            if (m->units[n].used && m->units[n].state == UNIT_WAITING &&
                m->units[n].service == check_find(m, m->config->specs[i].depends_on[k].service))
                return true;
    return false;
}

/* Whether every dependency of service I that it requires holds. */
bool check_deps_hold(const struct sim *m, unsigned i)
{
    for (size_t k = 0; k < m->config->specs[i].n_depends_on; k++) {
        const struct spec_dep *d = &m->config->specs[i].depends_on[k];
        if (d->required && !holds(m, check_find(m, d->service), d->condition))
            return false;
    }
    return true;
}

/* Whether a required dependency of service I is met by a run that is about to be stopped for a restart. */
static bool stands_on_cycle(const struct sim *m, unsigned i)
{
    for (size_t k = 0; k < m->config->specs[i].n_depends_on; k++) {
        const struct spec_dep *d = &m->config->specs[i].depends_on[k];
        for (unsigned n = 0; n < m->n_units; n++)
            if (m->units[n].used && m->units[n].cycle && d->required && d->condition <= SPEC_COND_HEALTHY &&
                m->units[n].service == check_find(m, d->service))
                return true;
    }
    return false;
}

/* May a run of its unit begin, or go on to its program, now? */
void check_start_allowed(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];
    bool clears = u->spec->orphans == SPEC_ORPHANS_KILL && u->spec->kill_mode != SPEC_KILL_MAIN;
    struct unit_view v;

    super_view(m->super, f->unit, &v);
    /* The view is of after the event: a shutdown that came behind this start, within one event, is no fault. */
    if (m->shutting || u->op_down || (!v.want_up && !super_is_shutting_down(m->super)))
        sim_fail(m, "%s: started although %s", v.name,
                 m->shutting  ? "everything is to end"
                 : u->op_down ? "the operator stopped it"
                              : "it is wanted down");
    if (u->state != UNIT_STARTING)
        sim_fail(m, "%s: started while %s", v.name, unit_state_name(u->state));
    /* While the commands before the program run, dependencies may go. */
    if (u->run == 0 && !u->no_deps && !check_deps_hold(m, u->service))
        sim_fail(m, "%s: started before its dependencies hold", v.name);
    if (u->run == 0 && !u->no_deps && stands_on_cycle(m, u->service))
        sim_fail(m, "%s: started on a run that is about to be stopped", v.name);
    if (m->next && u->held)
        sim_fail(m, "%s: started though it is held", v.name);
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        const struct sim_proc *p = sim_proc(m, pid);
        if (!p->used || p->homeless || p->unit != f->unit)
            continue;
        if (p->serial == u->main_serial || (p->born_main && !p->zombie))
            sim_fail(m, "%s: started while its main process %d is there", v.name, (int)pid);
        if (clears && !p->zombie && !p->spared)
            sim_fail(m, "%s: started while left-over %d lives", v.name, (int)pid);
    }
}

static void check_spawn(struct sim *m, const struct effect *f)
{
    const struct sim_unit *u = &m->units[f->unit];

    check_start_allowed(m, f);
    if (u->run == 0 && u->spec->hooks[SPEC_HOOK_PRE_START].n > 0)
        sim_fail(m, "%s: started without its pre_start", check_name(m, f->unit));
    if (u->run != 0 && (f->run != u->run || !u->prepared || u->hook))
        sim_fail(m, "%s: started before its pre_start has gone well", check_name(m, f->unit));
    if (u->run == 0)
        check_open_run(m, f);
}

static void check_backoff(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];
    const struct spec_restart *r = &u->spec->restart;
    double delay = r->delay_ms > 0 ? (double)r->delay_ms : 10;
    double jitter = r->jitter, max = (double)r->max_delay_ms;
    unsigned steps = u->n_backoffs;

    if (u->end_errno) {
        delay = 100;
        max = 5000;
        jitter = 0;
        steps = u->n_retries++;
    } else {
        u->n_backoffs++;
        if (r->delay_ms == 0 && max < 10)
            max = 10;
        if (r->delay_ms == 0 && steps-- == 0)
            delay = steps = 0;
    }
    while (steps-- > 0 && delay < max)
        delay *= u->end_errno ? 2 : r->factor;
    if (delay > max)
        delay = max;
    if (!u->mixed && (double)(f->at_ms - m->now_ms) < delay * (1 - jitter) - 1)
        sim_fail(m, "%s: back-off of %lld ms, at least %.0f expected", check_name(m, f->unit),
                 (long long)(f->at_ms - m->now_ms), delay * (1 - jitter));
    if (!u->fuzzy && !u->mixed && (double)(f->at_ms - m->now_ms) > delay * (1 + jitter) + 1)
        sim_fail(m, "%s: back-off of %lld ms, at most %.0f expected", check_name(m, f->unit),
                 (long long)(f->at_ms - m->now_ms), delay * (1 + jitter));
    u->backoff_ms = f->at_ms;
}

static void check_arm(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = check_unit(m, f->unit);

    if (!u) {
        if (!m->shutting)
            sim_fail(m, "the timer of the whole is armed for nothing");
        m->super_timer_ms = f->at_ms;
        return;
    }
    if (f->at_ms < m->now_ms || (u->state != UNIT_RUNNING && u->state != UNIT_STOPPING && u->state != UNIT_BACKOFF))
        sim_fail(m, "%s: timer armed while %s", check_name(m, f->unit), unit_state_name(u->state));
    if (u->state == UNIT_BACKOFF && u->timer_ms < 0)
        check_backoff(m, f);
    u->timer_ms = f->at_ms;
}

static void check_stop_effect(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];
    const char *name = check_name(m, f->unit);
    int64_t grace = u->op_grace_ms >= 0 ? u->op_grace_ms : u->spec->stop_grace_period_ms;
    bool known = f->kind == EFFECT_KILL || (u->bitten && f->signal == SIGABRT && u->signal_ms < 0 && u->main_told);

    /* What was to be left alone behind a run, by its keys then, is to be ended when somebody stops it meanwhile. */
    if (u->hook || (u->wound_up && u->spec->orphans != SPEC_ORPHANS_ADOPT && !u->mixed))
        sim_fail(m, "%s: signalled while its commands run, or behind them", name);
    if (u->owes_pre_stop && !m->killing && grace > 0)
        sim_fail(m, "%s: signalled without its pre_stop", name);
    if (u->state != UNIT_STOPPING || m->last_run == 0)
        sim_fail(m, "%s: signal while %s", name, unit_state_name(u->state));
    if (u->spec->kill_mode == SPEC_KILL_MAIN && f->scope != SCOPE_MAIN)
        sim_fail(m, "%s: more than the main process is signalled", name);
    if (u->spec->orphans == SPEC_ORPHANS_IGNORE && !u->main_told)
        sim_fail(m, "%s: left-overs to be ignored are signalled", name);
    if (f->kind == EFFECT_KILL) {
        if (!m->killing && !u->killed && grace > 0 && (u->signal_ms < 0 || m->now_ms < u->kill_ms))
            sim_fail(m, "%s: SIGKILL within the grace period", name);
        u->killed = true;
        return;
    }
    if (u->spec->kill_mode == SPEC_KILL_MIXED && f->scope == SCOPE_ALL)
        sim_fail(m, "%s: kill_mode mixed signals everything at once", name);
    if (u->spec->kill_mode == SPEC_KILL_MIXED && f->scope == SCOPE_REST && u->main_told)
        sim_fail(m, "%s: kill_mode mixed signals members while the main process lives", name);
    if (u->spec->kill_mode == SPEC_KILL_TREE && f->scope != SCOPE_ALL)
        sim_fail(m, "%s: kill_mode tree signals a part", name);
    for (size_t i = 0; i < u->spec->n_stop_signal; i++)
        known = known || u->spec->stop_signal[i].signal == f->signal;
    if (!known)
        sim_fail(m, "%s: signal %d is none of its stop signals", name, f->signal);
    if (u->signal_ms < 0) {
        u->signal_ms = m->now_ms;
        u->kill_ms = m->now_ms + grace;
    }
}

/* The process that the unit names is its main process from now on; the one that was is as any other. */
static void check_named(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];
    struct sim_proc *p = sim_proc(m, f->pid);

    if (!p->used || p->run != u->run || f->run != u->run || f->pid != m->posting->pid ||
        (u->state != UNIT_RUNNING && u->state != UNIT_READY))
        sim_fail(m, "%s: follows %d, which it has not named", check_name(m, f->unit), (int)f->pid);
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        struct sim_proc *old = sim_proc(m, pid);
        if (!old->used || old->serial != u->main_serial)
            continue;
        old->born_main = false;
        old->was_main = true;
    }
    u->main_serial = p->serial;
    u->last_main = f->pid;
}

static void check_set_main(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = &m->units[f->unit];
    const struct sim_proc *p = sim_proc(m, f->pid);

    u->followed = true;
    if (m->posting && m->posting->kind == EVENT_MAIN_PID) {
        check_named(m, f);
        return;
    }
    if (!p->used || p->unit != f->unit || p->run != f->run || f->run != u->run || u->main_serial)
        sim_fail(m, "%s: follows process %d, which is not left over from run %llu", check_name(m, f->unit), (int)f->pid,
                 (unsigned long long)f->run);
    if (u->end_wstatus != 0 || (u->spec->type != SPEC_TYPE_AUTO && u->spec->type != SPEC_TYPE_FORKING))
        sim_fail(m, "%s: follows although it did not daemonize", check_name(m, f->unit));
    u->main_serial = p->serial;
    u->last_main = f->pid;
    u->main_told = true;
}

static void check_report(struct sim *m, const struct effect *f)
{
    const struct event *e = m->posting;

    if (strcmp(f->event, "bug") == 0 || f->text[0] == '\0')
        sim_fail(m, "report %s: %s", f->event, f->text);
    /* A launcher whose daemon is followed gets its line as well. */
    m->n_obituaries +=
        strcmp(f->event, "exited") == 0 || (strcmp(f->event, "followed") == 0 && e && e->kind != EVENT_MAIN_PID);
    if (strcmp(f->event, "exited") != 0)
        return;
    if (!e || e->unit != f->unit || e->pid != f->pid || f->code_kind != (WIFEXITED(e->wstatus) ? 'e' : 's') ||
        f->code != (WIFEXITED(e->wstatus) ? WEXITSTATUS(e->wstatus) : WTERMSIG(e->wstatus)))
        sim_fail(m, "%s: an obituary for nobody: %s", check_name(m, f->unit), f->text);
}

/* The exit status for a world that has come to rest by itself. */
static int idle_code(const struct sim *m)
{
    unsigned last = 0;
    int code = 0;

    for (unsigned i = 0; i < m->n_units; i++)
        if (m->units[i].used && m->units[i].state == UNIT_FAILED && m->units[i].n_final > last) {
            last = m->units[i].n_final;
            code = m->units[i].final_code;
        }
    return code;
}

static void check_exit(struct sim *m, const struct effect *f)
{
    int want = m->shutting ? m->want_code : idle_code(m);
    struct unit_view v;

    m->exit_code = f->exit_code;
    if (m->super_timer_ms >= 0)
        sim_fail(m, "exits with the timer of the whole armed");
    if (f->exit_code != want)
        sim_fail(m, "exit status %d, %d expected", f->exit_code, want);
    if (!m->shutting && m->next)
        sim_fail(m, "exits by itself during a replacement");
    if (!m->shutting && m->config->set.supervisor.exit_when != SPEC_EXIT_IDLE)
        sim_fail(m, "exits by itself though exit_when is not idle");
    for (unsigned i = 0; i < m->n_units; i++) {
        const struct sim_unit *u = &m->units[i];
        if (check_is_up(u->state) || u->state == UNIT_WAITING || u->state == UNIT_BACKOFF || u->main_serial || u->run)
            sim_fail(m, "exits while %s is %s", check_name(m, i), unit_state_name(u->state));
        if (u->hook)
            sim_fail(m, "exits while commands of %s run", check_name(m, i));
        if (!m->shutting && u->used && spec_is_scheduled(u->spec) && super_view(m->super, i, &v) && v.want_up)
            sim_fail(m, "exits by itself though %s will be due", check_name(m, i));
        if (!m->shutting && u->used && u->op_down)
            sim_fail(m, "exits by itself though %s may be started again", check_name(m, i));
        if (u->timer_ms >= 0)
            sim_fail(m, "exits with a timer armed");
    }
    m->over = true;
}

void check_effect(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = check_unit(m, f->unit);

    sim_trace(m, "%8lld   effect %d for %s run %llu pid %d sig %d scope %d at %lld %s -> %s [%s] %s",
              (long long)m->now_ms, (int)f->kind, check_name(m, f->unit), (unsigned long long)f->run, (int)f->pid,
              f->signal, (int)f->scope, (long long)f->at_ms, unit_state_name(f->from), unit_state_name(f->to),
              f->event ? f->event : "", f->text);
    if (m->over)
        sim_fail(m, "an effect after EXIT");
    if (!u && f->unit != SUPER_NO_UNIT) {
        sim_fail(m, "an effect for number %u, which nobody has", f->unit);
        return;
    }
    switch (f->kind) {
    case EFFECT_SPAWN:
        check_spawn(m, f);
        break;
    case EFFECT_SIGNAL:
    case EFFECT_KILL:
        check_stop_effect(m, f);
        break;
    case EFFECT_SET_MAIN:
        check_set_main(m, f);
        break;
    case EFFECT_CLOSE_RUN:
        if (f->run != u->run || u->main_serial)
            sim_fail(m, "%s: run %llu is left while its main process is there", check_name(m, f->unit),
                     (unsigned long long)f->run);
        check_run_over(m, f->unit);
        break;
    case EFFECT_ARM_TIMER:
        check_arm(m, f);
        break;
    case EFFECT_CANCEL_TIMER:
        *(u ? &u->timer_ms : &m->super_timer_ms) = -1;
        break;
    case EFFECT_REPORT:
        check_report(m, f);
        break;
    case EFFECT_STATE:
        check_state(m, f);
        break;
    case EFFECT_REPLACED:
        check_replaced(m);
        break;
    case EFFECT_EXIT:
        check_exit(m, f);
        break;
    case EFFECT_HOOKS:
        check_hooks(m, f);
        break;
    case EFFECT_END_HOOKS:
        check_hooks_over(m, f);
        break;
    case EFFECT_N:
        sim_fail(m, "no such effect");
        break;
    }
}
