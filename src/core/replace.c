/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One configuration after another. All memory is taken first: the new layout, with a unit at each of its places, some
 * carried over and some new. Then those that must go or must restart are held: they are lowered like others, but
 * nothing raises them. When the last of them is down, and all that was said of the old layout has been taken, the new
 * one is installed, and those that are wanted are released into it. New units are held from birth, so that they are
 * released like the others; the very first configuration takes the same way.
 */
#include "core/super_impl.h"

#include "core/plan.h"

#include <errno.h>
#include <string.h>

/* Makes sure that there are WANT numbers. */
static bool reserve_slots(struct super *s, size_t want)
{
    size_t old = s->slots_cap;

    if (want <= old)
        return true;
    if (!mem_grow(&s->units, &s->slots_cap, want, sizeof(struct unit *)))
        return false;
    memset(s->units + old, 0, (s->slots_cap - old) * sizeof(struct unit *));
    return true;
}

/* A unit of SPEC for the free number SLOT. NULL: no memory. */
static struct unit *new_unit(struct super *s, const struct spec *spec, unsigned slot)
{
    struct unit *u;

    if (!reserve_slots(s, (size_t)slot + 1))
        return NULL;
    u = mem_alloc(sizeof *u);
    if (!u)
        return NULL;
    unit_init(u, spec->enabled ? UNIT_STOPPED : UNIT_SKIPPED);
    u->index = slot;
    u->id = ++s->next_id;
    u->since_ms = s->now_ms;
    u->held = true;
    u->want_after = spec->enabled && spec->autostart;
    return u;
}

/* The service in force that V takes the place of. One that has come to be selected by a profile, or is not any more, is
 * another one. NULL: V is new. */
static const struct super_service *predecessor(const struct super *s, const struct super_service *v)
{
    unsigned i = s->now ? layout_find(s->now, v->spec->name, strlen(v->spec->name)) : (unsigned)SUPER_NO_UNIT;

    if (i == SUPER_NO_UNIT || s->now->services[i].spec->enabled != v->spec->enabled)
        return NULL;
    return &s->now->services[i];
}

/* Puts units in the places of the next layout. */
static bool fill_places(struct super *s)
{
    unsigned slot = 0;

    for (unsigned i = 0; i < s->next->n_services; i++) {
        const struct super_service *v = &s->next->services[i], *old = predecessor(s, v);
        for (unsigned k = 0; k < v->n; k++) {
            struct super_place *p = &s->next->places[v->first + k];
            if (old && k < old->n) {
                p->unit = layout_unit(s->now, old, k);
                continue;
            }
            while (slot < s->n_slots && s->units[slot])
                slot++;
            p->unit = new_unit(s, v->spec, slot++);
            if (!p->unit)
                return false;
        }
    }
    return true;
}

/* Whether U, which has a place in the next layout, is not in force yet. */
static bool is_new(const struct super *s, const struct unit *u)
{
    return s->units[u->index] != u;
}

static void forget_next(struct super *s)
{
    for (unsigned i = 0; i < s->next->n_places; i++) {
        struct unit *u = s->next->places[i].unit;
        if (u && is_new(s, u))
            mem_free(u);
    }
    layout_free(s->next);
    s->next = NULL;
}

bool replace_prepare(struct super *s, const struct spec_set *set)
{
    s->next = layout_new(set);
    if (!s->next)
        return false;
    if (fill_places(s))
        return true;
    forget_next(s);
    return false;
}

/* Marks in the next layout the services that must restart for it, and those that do so with them. */
static void mark_restarts(struct super *s)
{
    struct super_layout *l = s->next;
    unsigned depth = 0;

    s->visit++;
    for (unsigned i = 0; i < l->n_services; i++) {
        const struct super_service *old = predecessor(s, &l->services[i]);
        if (!old || plan_service(old->spec, l->services[i].spec) != PLAN_RESTART)
            continue;
        l->services[i].visit = s->visit;
        l->stack[depth++] = i;
    }
    while (depth > 0) {
        const struct super_service *v = &l->services[l->stack[--depth]];
        for (unsigned k = 0; k < v->n_dependents; k++) {
            struct super_service *d = &l->services[v->dependents[k].service];
            if (d->visit == s->visit || !v->dependents[k].dep->restart || !predecessor(s, d))
                continue;
            d->visit = s->visit;
            l->stack[depth++] = v->dependents[k].service;
        }
    }
}

/* Marks the units that the next layout has no place for, and those that must restart for it. */
static void mark_held(struct super *s)
{
    for (unsigned i = 0; i < s->n_slots; i++)
        if (s->units[i])
            s->units[i]->held = s->units[i]->goes = true;
    mark_restarts(s);
    for (unsigned i = 0; i < s->next->n_services; i++) {
        const struct super_service *v = &s->next->services[i], *old = predecessor(s, v);
        for (unsigned k = 0; old && k < v->n && k < old->n; k++) {
            struct unit *u = layout_unit(s->next, v, k);
            u->held = v->visit == s->visit;
            u->goes = false;
        }
    }
}

static void lower_held(struct super *s)
{
    for (unsigned i = 0; i < s->n_slots; i++) {
        struct unit *u = s->units[i];
        bool wanted = u && u->want_up;
        /* A turn that is cut off is made up for. */
        bool due = wanted && spec_is_scheduled(u->spec) && (u->due || unit_can_stop(u) || u->state == UNIT_BACKOFF);
        if (!u || !u->held)
            continue;
        order_lower(s, u, NULL);
        u->want_after = wanted;
        u->due = due;
        u->start_settled = u->start_settled && !wanted;
        order_note(s, u);
    }
}

bool super_replace(struct super *s, const struct spec_set *set, int64_t now_ms, int *ret_errnum)
{
    *ret_errnum = s->shutting_down || s->end_due || s->over ? ESHUTDOWN : s->next ? EBUSY : 0;
    if (*ret_errnum != 0)
        return false;
    if (!replace_prepare(s, set)) {
        *ret_errnum = ENOMEM;
        return false;
    }
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
    mark_held(s);
    lower_held(s);
    return true;
}

bool super_is_replacing(const struct super *s)
{
    return s->next != NULL;
}

bool replace_is_due(const struct super *s)
{
    return s->next && !s->over && s->count[UNIT_HELD_UP] == 0;
}

void replace_cancel(struct super *s)
{
    if (!s->next)
        return;
    forget_next(s);
    for (unsigned i = 0; i < s->n_slots; i++) {
        struct unit *u = s->units[i];
        if (!u)
            continue;
        u->held = u->goes = u->want_after = false;
        order_note(s, u);
    }
}

static void free_gone(struct super *s)
{
    for (unsigned i = 0; i < s->n_slots; i++) {
        struct unit *u = s->units[i];
        if (!u || !u->goes)
            continue;
        list_remove(&u->in_waiting);
        list_remove(&u->in_due);
        mem_free(u);
        s->units[i] = NULL;
    }
}

/* The unit at place K of service number I belongs there now. */
static void settle_in(struct super *s, unsigned i, unsigned k)
{
    struct super_service *v = &s->now->services[i];
    const struct super_place *p = &s->now->places[v->first + k];
    struct unit *u = p->unit;

    s->units[u->index] = u;
    if (u->index >= s->n_slots)
        s->n_slots = u->index + 1;
    unit_set_spec(u, v->spec);
    u->name = p->name;
    u->instance = k + 1;
    u->order = v->first + k;
    u->service = i;
    u->facts = 0;
    list_remove(&u->in_waiting);
    list_remove(&u->in_due);
    if (u->state == UNIT_WAITING)
        list_append(&v->waiting, &u->in_waiting);
    if (u->stop_due)
        list_append(&v->due, &u->in_due);
}

void replace_install(struct super *s)
{
    struct super_layout *old = s->now;

    free_gone(s);
    s->now = s->next;
    s->next = NULL;
    memset(s->count, 0, sizeof s->count);
    for (unsigned i = 0; i < s->now->n_services; i++)
        for (unsigned k = 0; k < s->now->services[i].n; k++)
            settle_in(s, i, k);
    layout_free(old);
    for (unsigned i = 0; i < s->now->n_places; i++)
        order_note(s, s->now->places[i].unit);
    for (unsigned i = 0; i < s->now->n_services; i++)
        order_mark(s, i);
}

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* U, which was not held, is where its old keys have brought it: what do the new ones say to that? */
static void adjust(struct super *s, struct unit *u)
{
    bool starts = u->state == UNIT_RUNNING && !u->shown_ready, watched = unit_has_main(u);
    bool checked = u->spec->healthcheck.probe.kind != SPEC_PROBE_NONE;
    int64_t limit = u->spec->start_timeout_ms, due = -1;

    if (watched && checked != (u->health != UNIT_HEALTH_NONE))
        u->health = checked ? UNIT_HEALTH_STARTING : UNIT_HEALTH_NONE;
    if (starts && unit_is_ready_by_type(u)) {
        life_dispatch(s, u, FSM_READY, NULL);
        return;
    }
    if (starts && limit > 0)
        due = latest(u->exec_ms + limit, latest(u->extended_ms, s->now_ms));
    if (starts && due != u->timer_ms && life_reserve(s, u))
        due < 0 ? life_disarm(s, u) : life_arm(s, u, due);
    stop_adjust(s, u);
    /* It waits for members that nobody would signal any more. */
    if (u->state == UNIT_STOPPING && !unit_has_main(u) && u->phase != UNIT_ASKED && !unit_stops_members(u) &&
        (u->hook == SPEC_HOOK_N || u->stop_left)) {
        u->strays = u->spec->orphans != SPEC_ORPHANS_IGNORE;
        life_dispatch(s, u, FSM_MEMBERS_GONE, NULL);
    }
}

void replace_release(struct super *s)
{
    const struct super_layout *l = s->now;

    for (unsigned i = 0; i < l->n_places; i++) {
        struct unit *u = l->places[i].unit;
        if (!u->held)
            adjust(s, u);
        u->held = false;
        order_note(s, u);
    }
    s->visit++;
    for (unsigned i = 0; i < l->n_places; i++)
        if (l->places[i].unit->want_after)
            order_raise(s, l->places[i].unit);
    s->visit++;
    for (unsigned i = 0; i < l->n_places; i++) {
        l->places[i].unit->want_after = false;
        if (l->places[i].unit->want_up)
            order_raise_missing(s, l->places[i].unit);
    }
}
