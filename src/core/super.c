/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The entrance to the supervisor's mind: taking events in, giving effects out, and views of the units for others.
 */
#include "core/super_impl.h"

#include <string.h>

/* Room for effects from the start: enough to fail one unit without any memory. */
enum { EFFECTS_MIN = 64, QUARANTINE_EFFECTS_MAX = 16 };

struct super *super_new(const struct spec_set *set, const struct super_params *params)
{
    struct super *s = mem_alloc(sizeof *s);

    if (!s)
        return NULL;
    s->seed = params->seed;
    s->next_run = 1;
    s->next_final = 1;
    s->stop_ms = -1;
    if (!effects_reserve(&s->effects, EFFECTS_MIN) || !replace_prepare(s, set)) {
        super_free(s);
        return NULL;
    }
    replace_install(s);
    return s;
}

void super_free(struct super *s)
{
    if (!s)
        return;
    replace_cancel(s);
    for (unsigned i = 0; i < s->n_slots; i++)
        mem_free(s->units[i]);
    mem_free(s->units);
    layout_free(s->now);
    effects_done(&s->effects);
    mem_free(s);
}

void super_start(struct super *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->started = true;
    for (unsigned i = 0; i < s->n_slots; i++)
        if (s->units[i])
            s->units[i]->since_ms = now_ms;
    replace_release(s);
}

/* An event that speaks of a run. It counts only while that run is the unit's present one. */
static void take_run_event(struct super *s, struct unit *u, enum fsm_event ev, const struct event *e)
{
    if (u->phase == UNIT_NO_RUN || e->run != u->run)
        return;
    if (e->kind == EVENT_MAIN_EXITED && (!unit_has_main(u) || e->pid != u->main_pid))
        return;
    unit_note(u, e, s->now_ms);
    order_note(s, u);
    life_dispatch(s, u, ev, e);
}

/* A member's end is nobody's business here, but for one: the daemon we have just begun to follow may have died
 * while it still passed for a member. Who else is left is not known then. */
static void take_member_exit(struct super *s, struct unit *u, const struct event *e)
{
    struct event as_main = *e;

    if (!unit_has_main(u) || e->run != u->run || e->pid != u->main_pid) {
        life_dispatch(s, u, FSM_MEMBER_EXITED, e);
        return;
    }
    as_main.kind = EVENT_MAIN_EXITED;
    as_main.left = NULL;
    as_main.n_left = 1;
    take_run_event(s, u, FSM_MAIN_EXITED, &as_main);
}

/* A timer, of U or of the whole (NULL). One that comes early (clocks are rounded) is armed again; one that is not armed
 * is a late report. */
static void take_timer(struct super *s, struct unit *u)
{
    int64_t due = u ? u->timer_ms : s->stop_ms;

    if (due < 0)
        return;
    if (s->now_ms < due) {
        effects_add(&s->effects, EFFECT_ARM_TIMER, u ? u->index : (unsigned)SUPER_NO_UNIT)->at_ms = due;
    } else if (u) {
        u->timer_ms = -1;
        life_dispatch(s, u, FSM_TIMER, NULL);
    } else {
        s->stop_ms = -1;
        report(s, NULL, LOG_LEVEL_WARN, "killed", "stop_timeout is over; sending SIGKILL to all that is left");
        order_kill_all(s);
    }
}

static void take_members_gone(struct super *s, struct unit *u, const struct event *e)
{
    u->strays = false;
    order_note(s, u);
    life_dispatch(s, u, FSM_MEMBERS_GONE, e);
}

static void take_unit_event(struct super *s, struct unit *u, const struct event *e)
{
    switch (e->kind) {
    case EVENT_START:
    case EVENT_RESTART:
        order_want_up(s, u, e);
        break;
    case EVENT_STOP:
        order_want_down(s, u, e);
        break;
    case EVENT_RESET:
        order_reset(s, u);
        break;
    case EVENT_SPAWNED:
        take_run_event(s, u, FSM_SPAWNED, e);
        break;
    case EVENT_SPAWN_FAILED:
        take_run_event(s, u, FSM_SPAWN_FAILED, e);
        break;
    case EVENT_EXEC_OK:
        take_run_event(s, u, FSM_EXEC_OK, e);
        break;
    case EVENT_EXEC_FAILED:
        take_run_event(s, u, FSM_EXEC_FAILED, e);
        break;
    case EVENT_MAIN_EXITED:
        take_run_event(s, u, FSM_MAIN_EXITED, e);
        break;
    case EVENT_MAIN_STOPPED:
        take_run_event(s, u, FSM_MAIN_STOPPED, e);
        break;
    case EVENT_MAIN_CONTINUED:
        take_run_event(s, u, FSM_MAIN_CONTINUED, e);
        break;
    case EVENT_MEMBER_EXITED:
        take_member_exit(s, u, e);
        break;
    case EVENT_MEMBERS_GONE:
        take_members_gone(s, u, e);
        break;
    case EVENT_TIMER:
        take_timer(s, u);
        break;
    case EVENT_READY:
        take_run_event(s, u, FSM_READY, e);
        break;
    case EVENT_UNREADY:
        take_run_event(s, u, FSM_UNREADY, e);
        break;
    case EVENT_HOOKS_DONE:
        if (u->hook == e->hook)
            take_run_event(s, u, FSM_HOOKS_DONE, e);
        break;
    case EVENT_HEALTH:
        if (unit_has_main(u))
            take_run_event(s, u, FSM_HEALTH, e);
        break;
    case EVENT_WATCHDOG:
        take_run_event(s, u, FSM_WATCHDOG, e);
        break;
    case EVENT_MAIN_PID:
        if (u->phase == UNIT_EXECED && (u->state == UNIT_RUNNING || u->state == UNIT_READY) && u->main_pid != e->pid)
            take_run_event(s, u, FSM_MAIN_PID, e);
        break;
    case EVENT_EXTEND:
        take_run_event(s, u, FSM_EXTEND, e);
        break;
    case EVENT_DUE:
        due_take(s, u);
        break;
    case EVENT_SHUTDOWN:
    case EVENT_KILL_NOW:
    case EVENT_N:
        break;
    }
}

void super_post(struct super *s, const struct event *e, int64_t now_ms)
{
    if (s->over)
        return;
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
    if (e->kind == EVENT_SHUTDOWN || e->kind == EVENT_KILL_NOW) {
        order_shutdown(s, e->exit_code);
        if (e->kind == EVENT_KILL_NOW)
            order_kill_all(s);
    } else if (e->unit < s->n_slots && s->units[e->unit]) {
        take_unit_event(s, s->units[e->unit], e);
    } else if (e->kind == EVENT_TIMER && e->unit == SUPER_NO_UNIT) {
        take_timer(s, NULL);
    }
}

/* Fails the units for which there was no memory, as far as there is room for it now. */
static void fail_no_memory(struct super *s)
{
    for (unsigned i = 0; i < s->n_slots && s->n_no_memory > 0; i++) {
        struct unit *u = s->units[i];
        if (!u || !u->no_memory)
            continue;
        if (!effects_reserve(&s->effects, QUARANTINE_EFFECTS_MAX))
            return;
        u->no_memory = false;
        s->n_no_memory--;
        life_quarantine(s, u, "failed", "out of memory");
    }
}

bool super_next_effect(struct super *s, struct effect *ret)
{
    for (;;) {
        order_drain(s);
        if (effects_take(&s->effects, ret))
            return true;
        if (s->n_no_memory == 0)
            break;
        fail_no_memory(s);
    }
    /* These two need no room in the queue: they cannot be lost, and come when all is said of what is before them. */
    if (replace_is_due(s)) {
        replace_install(s);
        replace_release(s);
        *ret = (struct effect){.kind = EFFECT_REPLACED, .unit = SUPER_NO_UNIT};
        return true;
    }
    if (!s->over || s->exit_given)
        return false;
    s->exit_given = true;
    *ret = (struct effect){.kind = EFFECT_EXIT, .unit = SUPER_NO_UNIT, .exit_code = s->exit_code};
    return true;
}

unsigned super_slots(const struct super *s)
{
    return s->n_slots;
}

unsigned super_count(const struct super *s)
{
    return s->now->n_places;
}

unsigned super_at(const struct super *s, unsigned order)
{
    return s->now->places[order].unit->index;
}

/* The service called NAME, or NULL. */
static const struct super_service *find_service(const struct super *s, const char *name)
{
    unsigned i = layout_find(s->now, name, strlen(name));

    return i == SUPER_NO_UNIT ? NULL : &s->now->services[i];
}

bool super_instances(const struct super *s, const char *name, unsigned *ret_order, unsigned *ret_n)
{
    const struct super_service *v = find_service(s, name);

    if (!v)
        return false;
    *ret_order = v->first;
    *ret_n = v->n;
    return true;
}

const struct spec *super_dependent(const struct super *s, const char *name, unsigned k)
{
    const struct super_service *v = find_service(s, name);

    return v && k < v->n_dependents ? s->now->services[v->dependents[k].service].spec : NULL;
}

const struct spec_set *super_set(const struct super *s)
{
    return s->now->set;
}

bool super_view(const struct super *s, unsigned i, struct unit_view *ret)
{
    const struct unit *u = i < s->n_slots ? s->units[i] : NULL;

    if (!u)
        return false;
    *ret = (struct unit_view){.name = u->name,
                              .spec = u->spec,
                              .instance = u->instance,
                              .state = u->state,
                              .want_up = u->want_up,
                              .run = u->run,
                              .main_pid = u->main_pid,
                              .since_ms = u->since_ms,
                              .started_ms = u->exec_ms,
                              .n_starts = u->n_starts,
                              .n_restarts = u->n_restarts,
                              .last_wstatus = u->last_wstatus,
                              .has_last_wstatus = u->has_last_wstatus,
                              .start_settled = u->start_settled,
                              .pending = u->stop_due || u->again || u->held,
                              .timer_ms = u->timer_ms,
                              .id = u->id,
                              .n_attempts = u->n_attempts,
                              .order = u->order,
                              .health = u->health,
                              .hook = u->hook};
    return true;
}

/* The decimal number without leading zeros at TEXT, 0 when it is none. */
static unsigned read_instance(const char *text)
{
    unsigned n = 0;

    if (*text == '0')
        return 0;
    for (; *text >= '0' && *text <= '9' && n <= SPEC_SCALE_MAX; text++)
        n = n * 10 + (unsigned)(*text - '0');
    return *text == '\0' ? n : 0;
}

unsigned super_find(const struct super *s, const char *name)
{
    const struct super_layout *l = s->now;
    const char *dot = strrchr(name, '.');
    unsigned i = layout_find(l, name, strlen(name));
    unsigned instance;

    if (i != SUPER_NO_UNIT && l->services[i].n == 1)
        return layout_unit(l, &l->services[i], 0)->index;
    if (!dot)
        return SUPER_NO_UNIT;
    i = layout_find(l, name, (size_t)(dot - name));
    instance = read_instance(dot + 1);
    if (i == SUPER_NO_UNIT || l->services[i].n == 1 || instance == 0 || instance > l->services[i].n)
        return SUPER_NO_UNIT;
    return layout_unit(l, &l->services[i], instance - 1)->index;
}

bool super_is_settled(const struct super *s)
{
    return s->count[UNIT_UNSETTLED] == 0;
}

bool super_is_shutting_down(const struct super *s)
{
    return s->shutting_down;
}
