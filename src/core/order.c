/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What one unit means for the others: who is wanted up because of whom, who waits for whom, who must be down
 * before whom, and when everything is over. Facts are counted by service, so that a service with many
 * instances costs its neighbours no more than one with a single instance.
 */
#include "core/super_impl.h"

#include <stdio.h>
#include <sys/wait.h>

void order_mark(struct super *s, unsigned i)
{
    if (s->services[i].queued)
        return;
    s->services[i].queued = true;
    s->queue[(s->queue_head + s->queue_n) % s->n_services] = i;
    s->queue_n++;
}

static void mark_dependents(struct super *s, const struct super_service *v)
{
    for (unsigned i = 0; i < v->n_dependents; i++)
        if (!list_is_empty(&s->services[v->dependents[i].service].waiting))
            order_mark(s, v->dependents[i].service);
}

static void mark_dependencies(struct super *s, const struct super_service *v)
{
    for (unsigned i = 0; i < v->n_deps; i++) {
        unsigned d = v->deps[i].service;
        if (d != SUPER_NO_UNIT && !list_is_empty(&s->services[d].due))
            order_mark(s, d);
    }
}

/* The number of units of V that have FACT has changed: who has waited for that? */
static void note_count(struct super *s, const struct super_service *v, unsigned fact)
{
    unsigned n = v->count[fact];

    if (fact < UNIT_OPEN) {
        if (n == v->n)
            mark_dependents(s, v);
    } else if (fact < UNIT_LOST) {
        if (n == 0)
            mark_dependents(s, v);
    } else if (fact == UNIT_LOST) {
        if (n == 1)
            mark_dependents(s, v);
    } else if (fact == UNIT_UP && n == 0) {
        mark_dependencies(s, v);
    }
}

void order_note(struct super *s, struct unit *u)
{
    struct super_service *v = &s->services[u->service];
    unsigned facts = unit_facts(u);
    unsigned changed = facts ^ u->facts;

    u->facts = facts;
    for (unsigned fact = 0; changed >> fact != 0; fact++) {
        if (!(changed >> fact & 1))
            continue;
        if (facts >> fact & 1) {
            v->count[fact]++;
            s->count[fact]++;
        } else {
            v->count[fact]--;
            s->count[fact]--;
        }
    }
    /* Only now, when all counts are right, is anybody told. */
    for (unsigned fact = 0; changed >> fact != 0; fact++)
        if (changed >> fact & 1)
            note_count(s, v, fact);
}

void order_set_due(struct super *s, struct unit *u, bool due)
{
    if (u->stop_due == due)
        return;
    u->stop_due = due;
    list_remove(&u->in_due);
    if (!due)
        return;
    list_append(&s->services[u->service].due, &u->in_due);
    order_mark(s, u->service);
}

static void raise_unit(struct super *s, struct unit *u, enum fsm_event ev)
{
    u->want_up = true;
    order_set_due(s, u, false);
    order_note(s, u);
    life_dispatch(s, u, ev, NULL);
    order_note(s, u);
}

static void raise_idle(struct super *s, const struct super_service *v)
{
    for (unsigned i = 0; v->count[UNIT_IDLE] > 0 && i < v->n; i++) {
        struct unit *u = &s->units[v->first + i];
        if (u->facts >> UNIT_IDLE & 1)
            raise_unit(s, u, FSM_WANT_UP);
    }
}

/* Raises all that service number I requires, directly or not, as far as this walk has not been there. */
static void raise_required(struct super *s, unsigned i)
{
    unsigned depth = 0;

    if (s->services[i].visit == s->visit)
        return;
    s->services[i].visit = s->visit;
    s->stack[depth++] = i;
    while (depth > 0) {
        const struct super_service *v = &s->services[s->stack[--depth]];
        for (unsigned k = 0; k < v->n_deps; k++) {
            unsigned d = v->deps[k].service;
            if (d == SUPER_NO_UNIT || !v->deps[k].dep->required || s->services[d].visit == s->visit)
                continue;
            s->services[d].visit = s->visit;
            s->stack[depth++] = d;
            raise_idle(s, &s->services[d]);
        }
    }
}

void order_want_up(struct super *s, struct unit *u, enum fsm_event ev)
{
    if (s->shutting_down) {
        report(s, u, LOG_LEVEL_WARN, "refused", "%s refused: shutting down", ev == FSM_RESTART ? "restart" : "start");
        return;
    }
    s->visit++;
    raise_required(s, u->service);
    raise_unit(s, u, ev);
}

void order_start_all(struct super *s)
{
    s->visit++;
    for (unsigned i = 0; i < s->n_services; i++) {
        const struct super_service *v = &s->services[i];
        if (!v->spec->enabled || !v->spec->autostart)
            continue;
        raise_required(s, i);
        raise_idle(s, v);
    }
}

/* Nobody wants U any more: down with it, at once where nothing runs, else when its turn comes. */
static void lower_unit(struct super *s, struct unit *u)
{
    u->want_up = false;
    if (unit_is_active(u) && u->state != UNIT_STOPPING)
        order_set_due(s, u, true);
    else if (u->state == UNIT_DONE || u->state == UNIT_FAILED)
        order_set_due(s, u, u->strays && unit_stops_members(u));
    else
        life_dispatch(s, u, FSM_WANT_DOWN, NULL);
    order_note(s, u);
}

/* Lowers the units of V that are kept up. False when there is none. */
static bool lower_kept(struct super *s, const struct super_service *v)
{
    bool any = v->count[UNIT_KEPT] > 0;

    for (unsigned i = 0; v->count[UNIT_KEPT] > 0 && i < v->n; i++)
        if (s->units[v->first + i].facts >> UNIT_KEPT & 1)
            lower_unit(s, &s->units[v->first + i]);
    return any;
}

void order_want_down(struct super *s, struct unit *u)
{
    bool kept = u->facts >> UNIT_KEPT & 1;
    unsigned depth = 0;

    if (s->shutting_down)
        return;
    lower_unit(s, u);
    if (!kept)
        return;
    s->services[u->service].visit = ++s->visit;
    s->stack[depth++] = u->service;
    while (depth > 0) {
        const struct super_service *v = &s->services[s->stack[--depth]];
        for (unsigned k = 0; k < v->n_dependents; k++) {
            struct super_service *d = &s->services[v->dependents[k].service];
            if (d->visit == s->visit || !v->dependents[k].dep->required)
                continue;
            d->visit = s->visit;
            if (lower_kept(s, d))
                s->stack[depth++] = v->dependents[k].service;
        }
    }
}

void order_shutdown(struct super *s, int code)
{
    if (s->shutting_down)
        return;
    s->shutting_down = true;
    s->exit_code = code;
    if (s->set->supervisor.stop_timeout_ms > 0) {
        s->stop_ms = s->now_ms + s->set->supervisor.stop_timeout_ms;
        effects_add(&s->effects, EFFECT_ARM_TIMER, SUPER_NO_UNIT)->at_ms = s->stop_ms;
    }
    for (unsigned i = 0; i < s->n_units; i++)
        lower_unit(s, &s->units[i]);
}

void order_kill_all(struct super *s)
{
    s->killing = true;
    for (unsigned i = 0; i < s->n_units; i++)
        life_dispatch(s, &s->units[i], FSM_KILL, NULL);
}

/* Whether all is down that has to be down before a unit of V may begin to stop: in a shutdown whatever names it
 *  as a dependency, else what requires it. */
static bool may_stop(const struct super *s, const struct super_service *v)
{
    for (unsigned i = 0; i < v->n_dependents; i++) {
        if (!s->shutting_down && !v->dependents[i].dep->required)
            continue;
        if (s->services[v->dependents[i].service].count[UNIT_UP] > 0)
            return false;
    }
    return true;
}

/* Why dependency V cannot come up any more, into TEXT. */
static void describe_lost(const struct super *s, const struct super_service *v, char *text)
{
    const struct unit *u = &s->units[v->first];
    char status[REPORT_STATUS_MAX];

    for (unsigned i = 0; i < v->n && u->state != UNIT_FAILED; i++)
        u = &s->units[v->first + i];
    if (u->end.cause != POLICY_EXITED)
        snprintf(text, EFFECT_TEXT_MAX, "dependency %s failed to start", u->name);
    else if (WIFEXITED(u->end.wstatus))
        snprintf(text, EFFECT_TEXT_MAX, "dependency %s failed: exited %d", u->name, WEXITSTATUS(u->end.wstatus));
    else
        snprintf(text, EFFECT_TEXT_MAX, "dependency %s failed: %s", u->name, report_status(u->end.wstatus, status));
}

/* How the dependencies of V stand: DEPS_MET, DEPS_LOST (with the reason in TEXT), or FSM_EVENT_N: wait. */
static enum fsm_event judge_deps(const struct super *s, const struct super_service *v, char *text)
{
    enum fsm_event verdict = FSM_DEPS_MET;

    for (unsigned i = 0; i < v->n_deps; i++) {
        const struct spec_dep *dep = v->deps[i].dep;
        const struct super_service *d;
        if (v->deps[i].service == SUPER_NO_UNIT) {
            if (!dep->required)
                continue;
            snprintf(text, EFFECT_TEXT_MAX, "dependency %s does not exist", dep->service);
            return FSM_DEPS_LOST;
        }
        d = &s->services[v->deps[i].service];
        if (d->count[UNIT_MET + dep->condition] == d->n)
            continue;
        if (dep->required && d->count[UNIT_LOST] > 0 && dep->condition != SPEC_COND_COMPLETED) {
            describe_lost(s, d, text);
            return FSM_DEPS_LOST;
        }
        if (dep->required || d->count[UNIT_OPEN + dep->condition] > 0)
            verdict = FSM_EVENT_N;
    }
    return verdict;
}

static void look_at(struct super *s, struct super_service *v)
{
    char text[EFFECT_TEXT_MAX];
    struct event e = {.text = text};
    enum fsm_event verdict;

    if (!list_is_empty(&v->due) && may_stop(s, v))
        LIST_EACH (it, &v->due)
            life_dispatch(s, CONTAINER_OF(it, struct unit, in_due), FSM_WANT_DOWN, NULL);
    if (list_is_empty(&v->waiting))
        return;
    verdict = judge_deps(s, v, text);
    if (verdict == FSM_EVENT_N)
        return;
    LIST_EACH (it, &v->waiting)
        life_dispatch(s, CONTAINER_OF(it, struct unit, in_waiting), verdict, &e);
}

/* The exit status of a daemon with nothing left to do: that of the unit that failed last, if any is failed. */
static int idle_code(const struct super *s)
{
    const struct unit *last = NULL;

    for (unsigned i = 0; i < s->n_units; i++) {
        const struct unit *u = &s->units[i];
        if (u->state == UNIT_FAILED && (!last || u->final_seq > last->final_seq))
            last = u;
    }
    return last ? last->final_code : 0;
}

static void check_over(struct super *s)
{
    if (s->over || s->n_no_memory > 0)
        return;
    if (s->shutting_down) {
        s->over = s->count[UNIT_UP] == 0;
    } else if (s->started && s->set->supervisor.exit_when == SPEC_EXIT_IDLE && s->count[UNIT_BUSY] == 0) {
        s->over = true;
        s->exit_code = idle_code(s);
    }
    if (s->over && s->stop_ms >= 0) {
        s->stop_ms = -1;
        effects_add(&s->effects, EFFECT_CANCEL_TIMER, SUPER_NO_UNIT);
    }
}

void order_drain(struct super *s)
{
    while (s->queue_n > 0 || (s->end_due && !s->shutting_down)) {
        struct super_service *v;
        if (s->end_due && !s->shutting_down) {
            report(s, &s->units[s->end_unit], LOG_LEVEL_INFO, "shutdown", "it has ended: shutting everything down");
            order_shutdown(s, s->end_code);
            continue;
        }
        v = &s->services[s->queue[s->queue_head]];
        s->queue_head = (s->queue_head + 1) % s->n_services;
        s->queue_n--;
        v->queued = false;
        look_at(s, v);
    }
    check_over(s);
}
