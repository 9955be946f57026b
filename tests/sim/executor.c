/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The fake executor: carries effects out in the fake kernel and posts what came of them, as the daemon does. It
 * knows of processes only what a daemon can know: its children, their tags, their deaths.
 */
#include "sim.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { US = 1, SLICE_MAX = 16 };

/* Takes all effects that super has, for they are to be judged at once; they are carried out later. */
static void take_effects(struct sim *m)
{
    struct effect f;

    while (!m->failed && super_next_effect(m->super, &f)) {
        check_effect(m, &f);
        check_replace_over(m);
        if (m->queue_n == SIM_EFFECTS_MAX) {
            sim_fail(m, "more effects than anyone can carry out");
            return;
        }
        m->queue[(m->queue_head + m->queue_n++) % SIM_EFFECTS_MAX] = f;
    }
}

/* Posts E, but takes no effects yet. */
void executor_say(struct sim *m, const struct event *e)
{
    m->progress++;
    check_event(m, e);
    super_post(m->super, e, m->now_ms);
}

void executor_replace(struct sim *m)
{
    struct sim_config *next = sim_plan_change(m);
    int errnum = 0;
    bool begun;

    if (!next) {
        sim_fail(m, "no memory for a plan");
        return;
    }
    sim_trace(m, "%8lld replace", (long long)m->now_ms);
    begun = super_replace(m->super, &next->set, m->now_ms, &errnum);
    check_replace(m, begun, errnum);
    if (!begun) {
        sim_plan_done(next);
        return;
    }
    check_replace_begun(m, next);
    take_effects(m);
    if (!m->carrying)
        executor_carry(m, SIM_EFFECTS_MAX);
}

void executor_post(struct sim *m, const struct event *e)
{
    const struct event *outer = m->posting;

    m->progress++;
    check_event(m, e);
    m->posting = e;
    super_post(m->super, e, m->now_ms);
    take_effects(m);
    m->posting = outer;
    if (!m->carrying)
        executor_carry(m, m->calm || sim_chance(m, 85) ? SIM_EFFECTS_MAX : sim_random(m, 4));
}

/* The run to which the process PID belongs, by what can be read of it. */
static struct attrib_run *claim(struct sim *m, pid_t pid)
{
    struct attrib_facts facts = {.has_limit = true, .limit = m->procs[pid].tag};
    struct attrib_proc *known = attrib_find(&m->attrib, pid);
    enum attrib_evidence evidence;

    return known ? known->run : attrib_claim(&m->attrib, &facts, &evidence);
}

/* Whether PID is to be signalled or counted with UNIT, and not with one that had its number before. */
static bool is_of(struct sim *m, pid_t pid, unsigned unit)
{
    const struct attrib_run *r = m->procs[pid].used ? claim(m, pid) : NULL;

    return r && r->unit == unit && m->units[unit].used && r->run > m->units[unit].born_run &&
           !(r->closed && m->units[unit].spec->orphans == SPEC_ORPHANS_IGNORE);
}

static void send(struct sim *m, unsigned unit, int sig, enum effect_scope scope)
{
    struct sim_unit *u = &m->units[unit];

    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        if (pid == u->main_pid ? scope == SCOPE_REST : scope == SCOPE_MAIN || !is_of(m, pid, unit))
            continue;
        if (!m->procs[pid].used || (m->procs[pid].zombie && pid != u->main_pid))
            continue;
        check_signal(m, unit, pid);
        kernel_signal(m, pid, sig);
    }
}

static void spawn(struct sim *m, const struct effect *f)
{
    static const int errors[] = {EAGAIN, ENOMEM, EPERM};
    struct event e = {.kind = EVENT_SPAWN_FAILED, .unit = f->unit, .run = f->run, .errnum = EAGAIN};
    struct sim_unit *u = &m->units[f->unit];
    struct attrib_run *r = attrib_run_open(&m->attrib, f->unit, f->run);

    if (!r || !attrib_reserve(&m->attrib)) {
        sim_fail(m, "no memory for a run");
        return;
    }
    if (!m->calm && sim_chance(m, 6))
        e.errnum = errors[sim_random(m, ARRAY_LEN(errors))];
    else
        e.pid = kernel_fork(m, US);
    if (e.pid > 0) {
        struct sim_proc *p = sim_proc(m, e.pid);
        *p = (struct sim_proc){.used = true, .ppid = US, .unit = f->unit, .run = f->run, .born_main = true};
        p->serial = u->main_serial = ++m->next_serial;
        p->session = e.pid;
        p->kind = m->config->kinds[u->service];
        p->tag = attrib_run_tag(&m->attrib, r);
        if (!attrib_add(&m->attrib, e.pid, r, ATTRIB_MAIN, ATTRIB_BORN, m->now_ms))
            sim_fail(m, "no memory for a child");
        u->main_pid = e.pid;
        u->status_pending = true;
        m->n_spawns++;
        e.kind = EVENT_SPAWNED;
    }
    sim_trace(m, "  spawned %d for unit %u run %llu", (int)e.pid, f->unit, (unsigned long long)f->run);
    executor_post(m, &e);
}

static void set_main(struct sim *m, const struct effect *f)
{
    struct attrib_proc *p = attrib_find(&m->attrib, f->pid);
    struct attrib_run *r = m->procs[f->pid].used ? claim(m, f->pid) : NULL;

    if (!r || r->run != f->run)
        return;
    if (!p)
        p = attrib_add(&m->attrib, f->pid, r, ATTRIB_MEMBER, ATTRIB_TAG, m->now_ms);
    if (!p) {
        sim_fail(m, "no memory for a child");
        return;
    }
    p->role = ATTRIB_MAIN;
    if (attrib_find(&m->attrib, m->units[f->unit].main_pid) && m->units[f->unit].main_pid != f->pid)
        attrib_find(&m->attrib, m->units[f->unit].main_pid)->role = ATTRIB_MEMBER;
    m->units[f->unit].main_pid = f->pid;
}

static void carry_one(struct sim *m, const struct effect *f)
{
    struct sim_unit *u = f->unit < SIM_UNITS_MAX ? &m->units[f->unit] : NULL;
    struct attrib_run *r;

    switch (f->kind) {
    case EFFECT_SPAWN:
        u->killing = false;
        spawn(m, f);
        break;
    case EFFECT_SIGNAL:
        send(m, f->unit, f->signal, f->scope);
        break;
    case EFFECT_KILL:
        u->killing = true;
        u->kill_scope = f->scope;
        send(m, f->unit, SIGKILL, f->scope);
        break;
    case EFFECT_SET_MAIN:
        set_main(m, f);
        break;
    case EFFECT_CLOSE_RUN:
        u->killing = false;
        r = attrib_run_find(&m->attrib, f->run);
        if (r)
            attrib_run_close(&m->attrib, r);
        break;
    case EFFECT_ARM_TIMER:
    case EFFECT_CANCEL_TIMER:
        *(u ? &u->wake_ms : &m->super_wake_ms) = f->kind == EFFECT_ARM_TIMER ? f->at_ms : -1;
        break;
    case EFFECT_EXIT:
        m->over = true;
        break;
    case EFFECT_HOOKS:
        if (u->doing)
            sim_fail(m, "%s: commands at two points at a time", check_name(m, f->unit));
        u->doing = (unsigned)f->hook + 1;
        u->doing_run = f->run;
        break;
    case EFFECT_END_HOOKS:
        u->doing = 0;
        break;
    case EFFECT_REPORT:
    case EFFECT_STATE:
    case EFFECT_REPLACED:
    case EFFECT_N:
        break;
    }
}

void executor_carry(struct sim *m, unsigned budget)
{
    if (m->carrying)
        return;
    m->carrying = true;
    while (m->queue_n > 0 && budget-- > 0 && !m->failed) {
        struct effect f = m->queue[m->queue_head];
        m->queue_head = (m->queue_head + 1) % SIM_EFFECTS_MAX;
        m->queue_n--;
        m->progress++;
        carry_one(m, &f);
    }
    m->carrying = false;
}

static void post_status(struct sim *m, unsigned unit, uint64_t run, int errnum)
{
    struct event e = {.kind = errnum ? EVENT_EXEC_FAILED : EVENT_EXEC_OK, .unit = unit, .run = run};

    e.errnum = errnum;
    e.text = "exec program: it did not work";
    m->units[unit].status_pending = false;
    executor_post(m, &e);
}

void executor_read_status(struct sim *m, unsigned unit)
{
    const struct sim_unit *u = &m->units[unit];
    const struct sim_proc *p = &m->procs[u->main_pid];

    if (u->status_pending && u->main_pid > 0 && (p->execed || p->zombie))
        post_status(m, unit, p->run, p->exec_errno);
}

/* What is remembered of a dead process when it has been reaped. */
struct sim_note {
    struct sim_proc was;
    pid_t pid;
    bool is_main;
    bool pending; /* its exec status had not been read */
};

static struct sim_note note_death(struct sim *m, pid_t pid)
{
    struct sim_note note = {.was = m->procs[pid], .pid = pid};
    struct attrib_proc *p = attrib_find(&m->attrib, pid);
    struct attrib_run *r = claim(m, pid);
    struct sim_unit *u = &m->units[note.was.unit];

    note.is_main = p && p->role == ATTRIB_MAIN && r && m->units[r->unit].main_pid == pid;
    check_reap(m, pid, r, note.is_main);
    if (note.is_main) {
        note.pending = u->status_pending;
        u->status_pending = false;
        u->main_pid = 0;
    }
    if (p)
        attrib_remove(&m->attrib, p);
    kernel_reap(m, pid);
    return note;
}

static void post_death(struct sim *m, const struct sim_note *note)
{
    struct event e = {.kind = EVENT_MEMBER_EXITED, .unit = note->was.unit, .run = note->was.run, .pid = note->pid};
    struct attrib_candidate left[SIM_PIDS];

    e.wstatus = note->was.wstatus;
    m->units[e.unit].touched = true;
    if (note->is_main) {
        e.kind = EVENT_MAIN_EXITED;
        e.left = left;
        for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
            const struct sim_proc *p = &m->procs[pid];
            struct attrib_run *r = p->used && !p->zombie && p->ppid == US ? claim(m, pid) : NULL;
            if (r && r->run == e.run)
                left[e.n_left++] = (struct attrib_candidate){pid, p->session, p->serial};
        }
        if (e.n_left > 0 && sim_chance(m, 20))
            e.pid_file_pid = left[sim_random(m, (unsigned)e.n_left)].pid;
    }
    executor_post(m, &e);
}

static void count_unit(struct sim *m, unsigned unit)
{
    struct sim_unit *u = &m->units[unit];
    struct event e = {.kind = EVENT_MEMBERS_GONE, .unit = unit};
    bool any = false;

    u->touched = false;
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS && !any; pid++)
        any = is_of(m, pid, unit);
    if (!any) {
        u->killing = false;
        executor_post(m, &e);
    } else if (u->killing) {
        send(m, unit, SIGKILL, u->kill_scope);
    }
}

/* Enters all children of ours that are not known yet. This comes before the dead are taken out, for the last known
 * member of a closed run may have left children of its own. */
static void look_around(struct sim *m)
{
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        struct attrib_run *r;
        if (!m->procs[pid].used || m->procs[pid].ppid != US || attrib_find(&m->attrib, pid))
            continue;
        r = claim(m, pid);
        if (!attrib_add(&m->attrib, pid, r, ATTRIB_MEMBER, ATTRIB_TAG, m->now_ms))
            sim_fail(m, "no memory for a child");
    }
}

void executor_reap(struct sim *m, unsigned max)
{
    struct sim_note notes[SLICE_MAX];
    unsigned n = 0;

    look_around(m);
    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS && n < max && n < SLICE_MAX; pid++)
        if (m->procs[pid].used && m->procs[pid].zombie && m->procs[pid].ppid == US)
            notes[n++] = note_death(m, pid);
    for (unsigned i = 0; i < n && !m->failed; i++)
        if (notes[i].pending)
            post_status(m, notes[i].was.unit, notes[i].was.run, notes[i].was.exec_errno);
    for (unsigned i = 0; i < n && !m->failed; i++)
        post_death(m, &notes[i]);
    for (unsigned i = 0; i < m->n_units && !m->failed; i++)
        if (m->units[i].touched)
            count_unit(m, i);
}

void executor_fire(struct sim *m)
{
    for (unsigned i = 0; i <= m->n_units && !m->failed; i++) {
        int64_t *wake = i < m->n_units ? &m->units[i].wake_ms : &m->super_wake_ms;
        struct event e = {.kind = EVENT_TIMER, .unit = i < m->n_units ? i : (unsigned)SUPER_NO_UNIT};
        if (*wake < 0 || *wake > m->now_ms)
            continue;
        *wake = -1;
        executor_post(m, &e);
    }
}

void executor_end_hooks(struct sim *m, unsigned unit, bool ok)
{
    struct sim_unit *u = &m->units[unit];
    struct event e = {.kind = EVENT_HOOKS_DONE, .unit = unit, .run = u->doing_run, .ok = ok, .text = "it did not work"};

    if (!u->doing)
        return;
    e.hook = (enum spec_hook_point)(u->doing - 1);
    u->doing = 0;
    executor_post(m, &e);
}

/* A member of UNIT's run, and child of ours, that could be its main process; 0: there is none. */
static pid_t other_member(struct sim *m, unsigned unit)
{
    const struct sim_unit *u = &m->units[unit];
    pid_t found = 0;

    for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++) {
        const struct sim_proc *p = &m->procs[pid];
        bool fits = p->used && !p->zombie && !p->homeless && p->ppid == US && p->unit == unit && p->run == u->run;
        if (fits && pid != u->main_pid && p->kind != SIM_JOB && (found == 0 || sim_chance(m, 50)))
            found = pid;
    }
    return found;
}

/* Something that a run of UNIT may show of itself now, or the watch of a run that is gone. */
void executor_show(struct sim *m, unsigned unit)
{
    static const enum event_kind kinds[] = {EVENT_READY,    EVENT_READY,    EVENT_READY,  EVENT_UNREADY, EVENT_HEALTH,
                                            EVENT_WATCHDOG, EVENT_MAIN_PID, EVENT_EXTEND, EVENT_DUE};
    const struct sim_unit *u = &m->units[unit];
    struct event e = {.kind = kinds[sim_random(m, ARRAY_LEN(kinds))], .unit = unit, .run = u->last_run};

    if (!u->used)
        return;
    e.health = (enum unit_health)(UNIT_HEALTH_STARTING + sim_random(m, 3));
    e.extend_ms = (int64_t)sim_random(m, 8000);
    if (e.kind == EVENT_DUE ? !spec_is_scheduled(u->spec) : u->last_run == 0)
        return;
    if (e.kind != EVENT_DUE && sim_chance(m, 15)) {
        e.run--;
        e.pid = 5;
    } else if (e.kind == EVENT_MAIN_PID) {
        e.pid = u->exec_confirmed && u->spec->type != SPEC_TYPE_ONESHOT ? other_member(m, unit) : 0;
        if (e.pid == 0)
            return;
    } else if ((e.kind == EVENT_READY && !u->main_told) ||
               (e.kind == EVENT_UNREADY && (!u->exec_confirmed || spec_ready_kind(u->spec) == SPEC_READY_TYPE)) ||
               (e.kind == EVENT_HEALTH && (!u->exec_confirmed || u->health == UNIT_HEALTH_NONE)) ||
               (e.kind == EVENT_WATCHDOG && (!u->exec_confirmed || u->spec->watchdog_ms == 0))) {
        return;
    }
    executor_post(m, &e);
}

/* UNIT does all that is expected of it. */
void executor_show_well(struct sim *m, unsigned unit)
{
    const struct sim_unit *u = &m->units[unit];
    struct event e = {.kind = EVENT_READY, .unit = unit, .run = u->run};

    executor_end_hooks(m, unit, true);
    if (!u->used || !u->main_told || !u->exec_confirmed || (u->state != UNIT_RUNNING && u->state != UNIT_READY))
        return;
    if (!u->shown && spec_ready_kind(u->spec) != SPEC_READY_TYPE)
        executor_post(m, &e);
    e.kind = EVENT_HEALTH;
    e.health = UNIT_HEALTH_HEALTHY;
    if (u->health != UNIT_HEALTH_NONE && u->health != UNIT_HEALTH_HEALTHY)
        executor_post(m, &e);
}
