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
    struct super_layout *l = s->now;

    if (l->services[i].queued)
        return;
    l->services[i].queued = true;
    l->queue[(l->queue_head + l->queue_n) % l->n_services] = i;
    l->queue_n++;
}

static void mark_dependents(struct super *s, const struct super_service *v)
{
    for (unsigned i = 0; i < v->n_dependents; i++)
        if (!list_is_empty(&s->now->services[v->dependents[i].service].waiting))
            order_mark(s, v->dependents[i].service);
}

static void mark_dependencies(struct super *s, const struct super_service *v)
{
    for (unsigned i = 0; i < v->n_deps; i++) {
        unsigned d = v->deps[i].service;
        if (d != SUPER_NO_UNIT && !list_is_empty(&s->now->services[d].due))
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
    } else if (fact == UNIT_LEAVING && n == 0) {
        mark_dependencies(s, v);
    }
}

void order_note(struct super *s, struct unit *u)
{
    struct super_service *v = &s->now->services[u->service];
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
    list_append(&s->now->services[u->service].due, &u->in_due);
    order_mark(s, u->service);
}

/* U stops now, whoever is still up, to come back or not. */
static void stop_now(struct super *s, struct unit *u)
{
    life_dispatch(s, u, u->again ? FSM_RESTART : FSM_WANT_DOWN, NULL);
}

/* U runs, and is to stop and come back. */
static void begin_cycle(struct super *s, struct unit *u, const struct event *e)
{
    u->again = true;
    u->due = true;
    u->start_settled = false;
    u->stop_grace_ms = e->has_grace ? e->grace_ms : -1;
    order_set_due(s, u, true);
}

static void take_back_stop(struct super *s, struct unit *u)
{
    u->stop_grace_ms = -1;
    order_set_due(s, u, false);
}

/* Wants U up. E is what asks for U itself, NULL: its dependents need it. */
static void raise_unit(struct super *s, struct unit *u, const struct event *e)
{
    bool restart = e && e->kind == EVENT_RESTART;

    u->asked_down = false;
    if (u->held) {
        u->want_after = true;
        u->due = u->due || e;
        u->start_settled = false;
    } else {
        u->want_up = true;
        if (e && (restart || !unit_can_stop(u)))
            due_set(s, u);
        if (restart && unit_can_stop(u))
            begin_cycle(s, u, e);
        else if (u->stop_due && !u->again)
            take_back_stop(s, u);
    }
    order_note(s, u);
    if (u->held || u->stop_due)
        return;
    life_dispatch(s, u, restart ? FSM_RESTART : FSM_WANT_UP, e);
    order_note(s, u);
}

/* Whether a walk raises U. It is never true of units that are not idle. */
typedef bool order_test(const struct unit *u);

static bool is_idle(const struct unit *u)
{
    return (u->facts >> UNIT_IDLE & 1) && !u->goes;
}

static bool is_missing(const struct unit *u)
{
    return (u->state == UNIT_STOPPED || u->state == UNIT_SKIPPED) && !u->asked_down;
}

/* Raises the units of V that TEST is true of. */
static void raise_these(struct super *s, const struct super_service *v, order_test *test)
{
    for (unsigned i = 0; v->count[UNIT_IDLE] > 0 && i < v->n; i++) {
        struct unit *u = layout_unit(s->now, v, i);
        if (!test(u))
            continue;
        u->no_deps = false;
        raise_unit(s, u, NULL);
    }
}

/* As raise_these(), for all that service number I requires, directly or not, as far as this walk has not been there. */
static void raise_required(struct super *s, unsigned i, order_test *test)
{
    struct super_layout *l = s->now;
    unsigned depth = 0;

    if (l->services[i].visit == s->visit)
        return;
    l->services[i].visit = s->visit;
    l->stack[depth++] = i;
    while (depth > 0) {
        const struct super_service *v = &l->services[l->stack[--depth]];
        for (unsigned k = 0; k < v->n_deps; k++) {
            unsigned d = v->deps[k].service;
            if (d == SUPER_NO_UNIT || !v->deps[k].dep->required || l->services[d].visit == s->visit)
                continue;
            l->services[d].visit = s->visit;
            l->stack[depth++] = d;
            raise_these(s, &l->services[d], test);
        }
    }
}

void order_raise(struct super *s, struct unit *u)
{
    if (!u->no_deps)
        raise_required(s, u->service, is_idle);
    raise_unit(s, u, NULL);
}

void order_raise_missing(struct super *s, struct unit *u)
{
    if (!u->no_deps)
        raise_required(s, u->service, is_missing);
}

/* D depends on a service that somebody starts or restarts, and goes by that. False: that is nothing to it. */
static bool cycle_dependent(struct super *s, struct unit *d, const struct event *e)
{
    static const struct event plain = {.kind = EVENT_RESTART};

    if (!d->want_up || d->held)
        return false;
    if (d->state == UNIT_FAILED && d->lost)
        raise_unit(s, d, NULL);
    else if (e->kind != EVENT_RESTART || !unit_can_stop(d))
        return false;
    else if (!d->stop_due)
        begin_cycle(s, d, &plain);
    order_note(s, d);
    return true;
}

/* As cycle_dependent(), for all units of V. */
static bool cycle_these(struct super *s, const struct super_service *v, const struct event *e)
{
    bool any = false;

    for (unsigned i = 0; i < v->n; i++)
        any = cycle_dependent(s, layout_unit(s->now, v, i), e) || any;
    return any;
}

/* Somebody starts or restarts U as E says: the dependents that have `restart` on it go with it, and theirs. */
static void cycle_dependents(struct super *s, const struct unit *u, const struct event *e)
{
    struct super_layout *l = s->now;
    unsigned depth = 0;

    l->services[u->service].visit = ++s->visit;
    l->stack[depth++] = u->service;
    while (depth > 0) {
        const struct super_service *v = &l->services[l->stack[--depth]];
        for (unsigned k = 0; k < v->n_dependents; k++) {
            struct super_service *d = &l->services[v->dependents[k].service];
            if (d->visit == s->visit || !v->dependents[k].dep->restart)
                continue;
            d->visit = s->visit;
            if (cycle_these(s, d, e))
                l->stack[depth++] = v->dependents[k].service;
        }
    }
}

void order_want_up(struct super *s, struct unit *u, const struct event *e)
{
    const char *verb = e->kind == EVENT_RESTART ? "restart" : "start";

    if (s->shutting_down) {
        report(s, u, LOG_LEVEL_WARN, "refused", "%s refused: shutting down", verb);
        return;
    }
    if (u->goes) {
        report(s, u, LOG_LEVEL_WARN, "refused", "%s refused: the new configuration does not have it", verb);
        return;
    }
    u->no_deps = e->no_deps;
    if (!u->no_deps && !u->held) {
        s->visit++;
        raise_required(s, u->service, is_idle);
    }
    raise_unit(s, u, e);
    if (!u->no_deps)
        cycle_dependents(s, u, e);
    if (!u->no_deps || u->held)
        return;
    if (u->stop_due && e->kind == EVENT_RESTART)
        stop_now(s, u);
    else if (u->state == UNIT_WAITING)
        order_mark(s, u->service);
}

void order_lower(struct super *s, struct unit *u, const struct event *e)
{
    bool at_rest = u->state == UNIT_STOPPED || u->state == UNIT_DONE || u->state == UNIT_FAILED;

    u->want_up = false;
    u->want_after = false;
    u->due = u->queued = false;
    if (e && e->has_grace && u->state != UNIT_STOPPING)
        u->stop_grace_ms = e->grace_ms;
    if (unit_can_stop(u) || (at_rest && unit_has_strays(u))) {
        u->again = false;
        order_set_due(s, u, true);
    } else if (at_rest) {
        order_set_due(s, u, false);
    } else {
        life_dispatch(s, u, FSM_WANT_DOWN, e);
    }
    order_note(s, u);
    if (u->stop_due && e && e->no_deps)
        stop_now(s, u);
}

static void put_down(struct super *s, struct unit *u, const struct event *e)
{
    u->asked_down = true;
    order_lower(s, u, e);
}

/* Lowers the units of V that are kept up. False when there is none. */
static bool put_down_kept(struct super *s, const struct super_service *v)
{
    bool any = v->count[UNIT_KEPT] > 0;

    for (unsigned i = 0; v->count[UNIT_KEPT] > 0 && i < v->n; i++)
        if (layout_unit(s->now, v, i)->facts >> UNIT_KEPT & 1)
            put_down(s, layout_unit(s->now, v, i), NULL);
    return any;
}

void order_want_down(struct super *s, struct unit *u, const struct event *e)
{
    struct super_layout *l = s->now;
    bool kept = u->facts >> UNIT_KEPT & 1;
    unsigned depth = 0;

    if (s->shutting_down)
        return;
    put_down(s, u, e);
    if (!kept || e->no_deps)
        return;
    l->services[u->service].visit = ++s->visit;
    l->stack[depth++] = u->service;
    while (depth > 0) {
        const struct super_service *v = &l->services[l->stack[--depth]];
        for (unsigned k = 0; k < v->n_dependents; k++) {
            struct super_service *d = &l->services[v->dependents[k].service];
            if (d->visit == s->visit || !v->dependents[k].dep->required)
                continue;
            d->visit = s->visit;
            if (put_down_kept(s, d))
                l->stack[depth++] = v->dependents[k].service;
        }
    }
}

void order_reset(struct super *s, struct unit *u)
{
    life_dispatch(s, u, FSM_RESET, NULL);
    order_note(s, u);
}

void order_shutdown(struct super *s, int code)
{
    int64_t limit = s->now->set->supervisor.stop_timeout_ms;

    if (s->shutting_down)
        return;
    replace_cancel(s);
    s->shutting_down = true;
    s->exit_code = code;
    if (limit > 0) {
        s->stop_ms = s->now_ms + limit;
        effects_add(&s->effects, EFFECT_ARM_TIMER, SUPER_NO_UNIT)->at_ms = s->stop_ms;
    }
    for (unsigned i = 0; i < s->now->n_places; i++)
        order_lower(s, s->now->places[i].unit, NULL);
}

void order_kill_all(struct super *s)
{
    s->killing = true;
    for (unsigned i = 0; i < s->now->n_places; i++)
        life_dispatch(s, s->now->places[i].unit, FSM_KILL, NULL);
}

/* Whether all is down that has to be down before a unit of V may begin to stop: in a shutdown whatever names it
 * as a dependency, else what requires it, as far as that is on its way down at all. */
static bool may_stop(const struct super *s, const struct super_service *v)
{
    for (unsigned i = 0; i < v->n_dependents; i++) {
        if (!s->shutting_down && !v->dependents[i].dep->required && !v->dependents[i].dep->restart)
            continue;
        if (s->now->services[v->dependents[i].service].count[UNIT_LEAVING] > 0)
            return false;
    }
    return true;
}

/* Why dependency V cannot come up any more, into TEXT. */
static void describe_lost(const struct super *s, const struct super_service *v, char *text)
{
    const struct unit *u = layout_unit(s->now, v, 0);
    char status[REPORT_END_MAX];

    for (unsigned i = 0; i < v->n && u->state != UNIT_FAILED; i++)
        u = layout_unit(s->now, v, i);
    if (u->end.cause == POLICY_UNHEALTHY || u->end.cause == POLICY_WATCHDOG)
        snprintf(text, EFFECT_TEXT_MAX, "dependency %s failed: %s", u->name,
                 u->end.cause == POLICY_WATCHDOG ? "watchdog" : "unhealthy");
    else if (u->end.cause != POLICY_EXITED)
        snprintf(text, EFFECT_TEXT_MAX, "dependency %s failed to start", u->name);
    else if (WIFEXITED(u->end.wstatus))
        snprintf(text, EFFECT_TEXT_MAX, "dependency %s failed: exited %d", u->name, WEXITSTATUS(u->end.wstatus));
    else
        snprintf(text, EFFECT_TEXT_MAX, "dependency %s failed: %s", u->name, report_end(u, &u->end, status));
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
        d = &s->now->services[v->deps[i].service];
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
            stop_now(s, CONTAINER_OF(it, struct unit, in_due));
    due_look(s, v);
    if (list_is_empty(&v->waiting))
        return;
    verdict = judge_deps(s, v, text);
    LIST_EACH (it, &v->waiting) {
        struct unit *u = CONTAINER_OF(it, struct unit, in_waiting);
        if (unit_awaits_schedule(u))
            continue;
        if (u->no_deps)
            life_dispatch(s, u, FSM_DEPS_MET, NULL);
        else if (verdict != FSM_EVENT_N)
            life_dispatch(s, u, verdict, &e);
    }
}

/* The exit status of a daemon with nothing left to do: that of the unit that failed last, if any is failed. */
static int idle_code(const struct super *s)
{
    const struct unit *last = NULL;

    for (unsigned i = 0; i < s->now->n_places; i++) {
        const struct unit *u = s->now->places[i].unit;
        if (u->state == UNIT_FAILED && (!last || u->final_seq > last->final_seq))
            last = u;
    }
    return last ? last->final_code : 0;
}

static void check_over(struct super *s)
{
    bool ends_idle = s->started && !s->next && s->now->set->supervisor.exit_when == SPEC_EXIT_IDLE;

    if (s->over || s->n_no_memory > 0)
        return;
    if (s->shutting_down) {
        s->over = s->count[UNIT_UP] == 0;
    } else if (ends_idle && s->count[UNIT_BUSY] == 0) {
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
    struct super_layout *l = s->now;

    while (l->queue_n > 0 || (s->end_due && !s->shutting_down)) {
        struct super_service *v;
        if (s->end_due && !s->shutting_down) {
            report(s, s->units[s->end_unit], LOG_LEVEL_INFO, "shutdown", "%s: shutting everything down",
                   s->units[s->end_unit]->health == UNIT_HEALTH_UNHEALTHY ? "unhealthy" : "it has ended");
            order_shutdown(s, s->end_code);
            continue;
        }
        v = &l->services[l->queue[l->queue_head]];
        l->queue_head = (l->queue_head + 1) % l->n_services;
        l->queue_n--;
        v->queued = false;
        look_at(s, v);
    }
    check_over(s);
}
