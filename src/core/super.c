/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The entrance to the supervisor's mind: building the set of units, taking events in, giving effects out,
 * and views of the units for others.
 */
#include "core/super_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for effects from the start: enough to fail one unit without any memory. */
enum { EFFECTS_MIN = 64, QUARANTINE_EFFECTS_MAX = 16 };

/* The number of the service called NAME of LEN bytes, or SUPER_NO_UNIT. */
static unsigned find_service(const struct super *s, const char *name, size_t len)
{
    unsigned low = 0, high = s->n_services;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        const char *other = s->services[s->by_name[mid]].spec->name;
        int order = strncmp(name, other, len);
        if (order == 0 && other[len] != '\0')
            order = -1;
        if (order == 0)
            return s->by_name[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return SUPER_NO_UNIT;
}

/* A name with the number it stands for, for sorting. */
struct named {
    const char *name;
    unsigned number;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = (const struct named *)a, *y = (const struct named *)b;

    return strcmp(x->name, y->name);
}

static bool sort_names(struct super *s)
{
    struct named *names = mem_array(s->n_services, sizeof *names);

    s->by_name = arena_array(&s->arena, s->n_services, sizeof *s->by_name);
    if (names && s->by_name) {
        for (unsigned i = 0; i < s->n_services; i++)
            names[i] = (struct named){s->services[i].spec->name, i};
        qsort(names, s->n_services, sizeof *names, compare_named);
        for (unsigned i = 0; i < s->n_services; i++)
            s->by_name[i] = names[i].number;
    }
    mem_free(names);
    return names && s->by_name;
}

static bool build_service(struct super *s, unsigned i, const struct spec *spec)
{
    struct super_service *v = &s->services[i];
    enum unit_state state = spec->enabled ? UNIT_STOPPED : UNIT_SKIPPED;

    v->spec = spec;
    list_init(&v->waiting);
    list_init(&v->due);
    v->first = s->n_units;
    v->n = (unsigned)spec->scale;
    for (unsigned k = 0; k < v->n; k++) {
        struct unit *u = &s->units[s->n_units];
        unit_init(u, spec, k + 1, state);
        u->index = s->n_units++;
        u->service = i;
        u->name = v->n == 1 ? spec->name : arena_printf(&s->arena, "%s.%u", spec->name, k + 1);
        if (!u->name)
            return false;
        order_note(s, u);
    }
    return true;
}

static bool build_services(struct super *s)
{
    size_t n_units = 0;

    s->n_services = (unsigned)s->set->n_services;
    for (unsigned i = 0; i < s->n_services; i++)
        n_units += (size_t)s->set->services[i].scale;
    s->services = arena_array(&s->arena, s->n_services, sizeof *s->services);
    s->units = arena_array(&s->arena, n_units, sizeof *s->units);
    s->queue = arena_array(&s->arena, s->n_services, sizeof *s->queue);
    s->stack = arena_array(&s->arena, s->n_services, sizeof *s->stack);
    if (!s->services || !s->units || !s->queue || !s->stack)
        return false;
    for (unsigned i = 0; i < s->n_services; i++)
        if (!build_service(s, i, &s->set->services[i]))
            return false;
    return true;
}

/* Resolves the names of dependencies, and counts who is depended on. */
static bool build_deps(struct super *s)
{
    for (unsigned i = 0; i < s->n_services; i++) {
        struct super_service *v = &s->services[i];
        v->n_deps = (unsigned)v->spec->n_depends_on;
        v->deps = arena_array(&s->arena, v->n_deps, sizeof *v->deps);
        if (!v->deps)
            return false;
        for (unsigned k = 0; k < v->n_deps; k++) {
            const struct spec_dep *dep = &v->spec->depends_on[k];
            unsigned d = find_service(s, dep->service, strlen(dep->service));
            v->deps[k] = (struct super_edge){d, dep};
            if (d != SUPER_NO_UNIT)
                s->services[d].n_dependents++;
        }
    }
    return true;
}

static bool build_dependents(struct super *s)
{
    for (unsigned i = 0; i < s->n_services; i++) {
        struct super_service *v = &s->services[i];
        v->dependents = arena_array(&s->arena, v->n_dependents, sizeof *v->dependents);
        if (!v->dependents)
            return false;
        v->n_dependents = 0;
    }
    for (unsigned i = 0; i < s->n_services; i++) {
        const struct super_service *v = &s->services[i];
        for (unsigned k = 0; k < v->n_deps; k++) {
            struct super_service *d;
            if (v->deps[k].service == SUPER_NO_UNIT)
                continue;
            d = &s->services[v->deps[k].service];
            d->dependents[d->n_dependents++] = (struct super_edge){i, v->deps[k].dep};
        }
    }
    return true;
}

struct super *super_new(const struct spec_set *set, const struct super_params *params)
{
    struct super *s = mem_alloc(sizeof *s);

    if (!s)
        return NULL;
    s->set = set;
    s->seed = params->seed;
    s->next_run = 1;
    s->next_final = 1;
    s->stop_ms = -1;
    if (!build_services(s) || !sort_names(s) || !build_deps(s) || !build_dependents(s) ||
        !effects_reserve(&s->effects, EFFECTS_MIN)) {
        super_free(s);
        return NULL;
    }
    return s;
}

void super_free(struct super *s)
{
    if (!s)
        return;
    effects_done(&s->effects);
    arena_done(&s->arena);
    mem_free(s);
}

void super_start(struct super *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->started = true;
    order_start_all(s);
    order_drain(s);
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

/* A timer that comes early (clocks are rounded) is armed again; one that is not armed is a late report. */
static void take_timer(struct super *s, unsigned unit)
{
    int64_t due = unit == SUPER_NO_UNIT ? s->stop_ms : s->units[unit].timer_ms;

    if (due < 0)
        return;
    if (s->now_ms < due) {
        effects_add(&s->effects, EFFECT_ARM_TIMER, unit)->at_ms = due;
    } else if (unit != SUPER_NO_UNIT) {
        s->units[unit].timer_ms = -1;
        life_dispatch(s, &s->units[unit], FSM_TIMER, NULL);
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
        order_want_up(s, u, FSM_WANT_UP);
        break;
    case EVENT_RESTART:
        order_want_up(s, u, FSM_RESTART);
        break;
    case EVENT_STOP:
        order_want_down(s, u);
        break;
    case EVENT_RESET:
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
        take_timer(s, u->index);
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
    } else if (e->unit < s->n_units) {
        take_unit_event(s, &s->units[e->unit], e);
    } else if (e->kind == EVENT_TIMER && e->unit == SUPER_NO_UNIT) {
        take_timer(s, SUPER_NO_UNIT);
    }
    order_drain(s);
}

/* Fails the units for which there was no memory, as far as there is room for it now. */
static void fail_no_memory(struct super *s)
{
    for (unsigned i = 0; i < s->n_units && s->n_no_memory > 0; i++) {
        struct unit *u = &s->units[i];
        if (!u->no_memory)
            continue;
        if (!effects_reserve(&s->effects, QUARANTINE_EFFECTS_MAX))
            return;
        u->no_memory = false;
        s->n_no_memory--;
        life_quarantine(s, u, "failed", "out of memory");
    }
    order_drain(s);
}

bool super_next_effect(struct super *s, struct effect *ret)
{
    while (!effects_take(&s->effects, ret)) {
        if (s->n_no_memory > 0) {
            fail_no_memory(s);
            continue;
        }
        if (!s->over || s->exit_given)
            return false;
        s->exit_given = true;
        *ret = (struct effect){.kind = EFFECT_EXIT, .unit = SUPER_NO_UNIT, .exit_code = s->exit_code};
        return true;
    }
    return true;
}

unsigned super_count(const struct super *s)
{
    return s->n_units;
}

unsigned super_slots(const struct super *s)
{
    return s->n_units;
}

unsigned super_at(const struct super *s, unsigned order)
{
    (void)s;
    return order;
}

const struct spec_set *super_set(const struct super *s)
{
    return s->set;
}

bool super_view(const struct super *s, unsigned i, struct unit_view *ret)
{
    const struct unit *u = &s->units[i];

    if (i >= s->n_units)
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
                              .start_settled = u->start_settled};
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
    const char *dot = strrchr(name, '.');
    unsigned i = find_service(s, name, strlen(name));
    unsigned instance;

    if (i != SUPER_NO_UNIT && s->services[i].n == 1)
        return s->services[i].first;
    if (!dot)
        return SUPER_NO_UNIT;
    i = find_service(s, name, (size_t)(dot - name));
    instance = read_instance(dot + 1);
    if (i == SUPER_NO_UNIT || s->services[i].n == 1 || instance == 0 || instance > s->services[i].n)
        return SUPER_NO_UNIT;
    return s->services[i].first + instance - 1;
}

bool super_is_settled(const struct super *s)
{
    return s->count[UNIT_UNSETTLED] == 0;
}

bool super_is_shutting_down(const struct super *s)
{
    return s->shutting_down;
}
