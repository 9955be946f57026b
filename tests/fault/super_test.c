/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The supervisor's mind without memory: whatever allocation is refused, it never crashes, each unit it can no longer
 * serve ends in FAILED with a report and with its processes killed, a configuration for which there is no memory
 * changes nothing, one that has been accepted comes into force, and a shutdown still comes to its end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/super.h"

#include "fault/support/fault.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { N_WEB = 40, N_UNITS = N_WEB + 1, N_NEXT_WEB = 10, N_JOB = 30, N_SLOTS = N_UNITS + N_JOB, ROUNDS_MAX = 50 };

/* What a patient executor knows of a unit. */
struct home {
    pid_t pid; /* of its only process, 0: none */
    uint64_t run;
    enum unit_state state;
    int64_t timer_ms;
    bool told; /* a report has said why it failed */
    bool busy; /* commands run around a run */
    uint64_t for_run;
    enum spec_hook_point point;
};

/* Units failed, configurations replaced and commands cut short over all lives: that it ever comes to that is part of
 * the test. */
static unsigned n_failed_in_all, n_replaced, n_cut;

struct config {
    struct spec_set set;
    struct spec specs[3];
    struct spec_dep dep;
};

struct world {
    struct config first, next;
    struct super *super;
    struct home homes[N_SLOTS];
    int64_t now_ms;
    unsigned n_failed;
    bool over;
};

static void config_init(struct config *c)
{
    static char program[] = "program";
    static char *command[] = {program, NULL};
    static const char *const names[] = {"db", "web", "job"};
    static struct spec_hook hook;

    c->set.name = "fault";
    c->set.services = c->specs;
    c->set.n_services = 2;
    spec_supervisor_defaults(&c->set.supervisor);
    c->set.supervisor.exit_when = SPEC_EXIT_NEVER;
    c->dep = (struct spec_dep){.service = "db", .condition = SPEC_COND_READY, .required = true};
    for (size_t i = 0; i < ARRAY_LEN(c->specs); i++) {
        spec_defaults(&c->specs[i]);
        c->specs[i].name = names[i];
        c->specs[i].enabled = true;
        c->specs[i].command = command;
        c->specs[i].restart.policy = SPEC_RESTART_ALWAYS;
    }
    /* Every kind of command around a run, and a readiness of its own. */
    c->specs[0].type = SPEC_TYPE_NOTIFY;
    c->specs[0].hooks[SPEC_HOOK_POST_START] = (struct spec_hooks){&hook, 1};
    c->specs[0].hooks[SPEC_HOOK_PRE_STOP] = (struct spec_hooks){&hook, 1};
    c->specs[1].hooks[SPEC_HOOK_PRE_START] = (struct spec_hooks){&hook, 1};
    c->specs[1].hooks[SPEC_HOOK_POST_STOP] = (struct spec_hooks){&hook, 1};
    c->dep.restart = true;
    c->specs[1].scale = N_WEB;
    c->specs[1].depends_on = &c->dep;
    c->specs[1].n_depends_on = 1;
}

static void world_init(struct world *w)
{
    static char other[] = "other";
    static char *command[] = {other, NULL};

    memset(w, 0, sizeof *w);
    config_init(&w->first);
    config_init(&w->next);
    w->next.set.n_services = 3;
    w->next.specs[1].scale = N_NEXT_WEB;
    w->next.specs[1].command = command;
    w->next.specs[2].scale = N_JOB;
    for (size_t i = 0; i < N_SLOTS; i++)
        w->homes[i].timer_ms = -1;
}

static void post(struct world *w, enum event_kind kind, unsigned unit, int wstatus)
{
    struct event e = {.kind = kind, .unit = unit, .wstatus = wstatus};

    if (unit < N_SLOTS) {
        e.run = w->homes[unit].run;
        e.pid = w->homes[unit].pid;
    }
    super_post(w->super, &e, w->now_ms);
}

/* The process of UNIT ends, and nothing of it is left. */
static void end_process(struct world *w, unsigned unit, int wstatus)
{
    if (w->homes[unit].pid > 0) {
        post(w, EVENT_MAIN_EXITED, unit, wstatus);
        w->homes[unit].pid = 0;
    }
    post(w, EVENT_MEMBERS_GONE, unit, 0);
}

static void carry_out(struct world *w, const struct effect *f)
{
    struct home *h = f->unit < N_SLOTS ? &w->homes[f->unit] : NULL;

    assert_false(w->over);
    switch (f->kind) {
    case EFFECT_SPAWN:
        assert_int_equal(h->pid, 0);
        assert_false(h->busy);
        h->run = f->run;
        h->pid = (pid_t)(f->run + 10);
        post(w, EVENT_SPAWNED, f->unit, 0);
        post(w, EVENT_EXEC_OK, f->unit, 0);
        post(w, EVENT_READY, f->unit, 0);
        break;
    case EFFECT_HOOKS:
        assert_false(h->busy);
        h->busy = true;
        h->for_run = f->run;
        h->point = f->hook;
        break;
    case EFFECT_END_HOOKS:
        assert_true(h->busy);
        h->busy = false;
        n_cut++;
        break;
    case EFFECT_SIGNAL:
    case EFFECT_KILL:
        end_process(w, f->unit, f->kind == EFFECT_KILL ? SIGKILL : SIGTERM);
        break;
    case EFFECT_ARM_TIMER:
        if (h)
            h->timer_ms = f->at_ms;
        break;
    case EFFECT_CANCEL_TIMER:
        if (h)
            h->timer_ms = -1;
        break;
    case EFFECT_STATE:
        assert_int_equal(f->from, h->state);
        h->state = f->to;
        w->n_failed += f->to == UNIT_FAILED;
        assert_true(f->to != UNIT_FAILED || (h->told && !h->busy));
        break;
    case EFFECT_REPORT:
        if (h && strcmp(f->event, "failed") == 0)
            h->told = true;
        break;
    case EFFECT_EXIT:
        w->over = true;
        break;
    case EFFECT_REPLACED:
        memset(&w->first, 0xee, sizeof w->first);
        break;
    case EFFECT_SET_MAIN:
    case EFFECT_CLOSE_RUN:
    case EFFECT_N:
        break;
    }
}

static void drain(struct world *w)
{
    struct effect f;

    while (super_next_effect(w->super, &f))
        carry_out(w, &f);
}

/* All commands that run have gone well, and what follows from that. */
static void end_hooks(struct world *w)
{
    for (unsigned i = 0; i < N_SLOTS; i++)
        while (w->homes[i].busy) {
            struct event e = {.kind = EVENT_HOOKS_DONE, .unit = i, .run = w->homes[i].for_run, .ok = true};
            e.hook = w->homes[i].point;
            w->homes[i].busy = false;
            super_post(w->super, &e, w->now_ms);
            drain(w);
        }
}

/* All timers that are armed pass, and commands end. */
static void pass_time(struct world *w)
{
    w->now_ms += 60000;
    end_hooks(w);
    for (unsigned i = 0; i < N_SLOTS; i++)
        if (w->homes[i].timer_ms >= 0) {
            w->homes[i].timer_ms = -1;
            post(w, EVENT_TIMER, i, 0);
            drain(w);
        }
}

static void assert_same(const struct unit_view *a, const struct unit_view *b)
{
    assert_ptr_equal(a->name, b->name);
    assert_ptr_equal(a->spec, b->spec);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->want_up, b->want_up);
    assert_int_equal(a->pending, b->pending);
    assert_int_equal(a->start_settled, b->start_settled);
    assert_int_equal(a->run, b->run);
    assert_int_equal(a->main_pid, b->main_pid);
    assert_int_equal(a->timer_ms, b->timer_ms);
}

/* Asks for the next configuration. False when there is no memory for it: then nothing has changed. */
static bool replace_once(struct world *w)
{
    struct unit_view before[N_UNITS], after;
    struct effect f;
    int errnum = 0;

    for (unsigned i = 0; i < N_UNITS; i++)
        assert_true(super_view(w->super, i, &before[i]));
    if (super_replace(w->super, &w->next.set, w->now_ms, &errnum)) {
        assert_true(super_is_replacing(w->super));
        return true;
    }
    assert_int_equal(errnum, ENOMEM);
    assert_false(super_is_replacing(w->super));
    assert_ptr_equal(super_set(w->super), &w->first.set);
    assert_int_equal(super_count(w->super), N_UNITS);
    assert_int_equal(super_slots(w->super), N_UNITS);
    assert_false(super_next_effect(w->super, &f));
    for (unsigned i = 0; i < N_UNITS; i++) {
        assert_true(super_view(w->super, i, &after));
        assert_same(&before[i], &after);
    }
    return false;
}

/* A configuration with fewer instances of a changed service, and a new one, for which there are not enough numbers yet.
 */
static void replace(struct world *w)
{
    struct unit_view v;

    drain(w);
    if (!replace_once(w) && !replace_once(w))
        return;
    drain(w);
    for (int i = 0; i < ROUNDS_MAX && super_is_replacing(w->super); i++)
        pass_time(w);
    assert_false(super_is_replacing(w->super));
    assert_ptr_equal(super_set(w->super), &w->next.set);
    assert_int_equal(super_count(w->super), 1 + N_NEXT_WEB + N_JOB);
    assert_int_equal(super_find(w->super, "job.1"), N_UNITS);
    assert_false(super_view(w->super, N_NEXT_WEB + 1, &v));
    n_replaced++;
}

/* A start, a storm of deaths, restarts, another configuration, a stop of everything by its dependency, a start, and the
 * end. */
static void live(struct world *w)
{
    super_start(w->super, w->now_ms);
    drain(w);
    /* All die before any effect is carried out: the queue has to grow. */
    for (unsigned i = 0; i < N_UNITS; i++)
        end_process(w, i, 1 << 8);
    drain(w);
    pass_time(w);
    pass_time(w);
    replace(w);
    /* Some are stuck, the dependents go with what they depend on, and nobody lets them take their leave. */
    for (unsigned i = 0; i < N_UNITS; i += 3)
        post(w, EVENT_WATCHDOG, i, 0);
    post(w, EVENT_RESTART, 0, 0);
    drain(w);
    post(w, EVENT_STOP, 0, 0);
    drain(w);
    for (unsigned i = 0; i < N_SLOTS; i++)
        post(w, EVENT_START, i, 0);
    drain(w);
    pass_time(w);
    post(w, EVENT_SHUTDOWN, SUPER_NO_UNIT, 0);
    drain(w);
    for (int i = 0; i < ROUNDS_MAX && !w->over; i++)
        pass_time(w);
    assert_true(w->over);
    for (unsigned i = 0; i < N_SLOTS; i++)
        assert_true(w->homes[i].pid == 0 && !w->homes[i].busy);
}

static void operation(void *arg, const struct fault_rule *rule)
{
    static struct world w;
    struct super_params params = {.seed = 1};
    unsigned refused;

    (void)arg;
    world_init(&w);
    w.super = super_new(&w.first.set, &params);
    if (!w.super) {
        assert_true(rule && fault_refused() > 0);
        return;
    }
    refused = fault_refused();
    live(&w);
    n_failed_in_all += w.n_failed;
    if (refused == fault_refused())
        assert_int_equal(w.n_failed, 0);
    super_free(w.super);
}

static void test_each_allocation_refused_once(void **state)
{
    (void)state;
    fault_each(NULL, 0, 400, operation, NULL);
}

/* From one allocation on, none of its kind is granted any more. */
static void test_all_later_allocations_refused(void **state)
{
    static const enum fault_call calls[] = {FAULT_mem_grow, FAULT_mem_strdup, FAULT_mem_alloc, FAULT_mem_array,
                                            FAULT_arena_array};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        for (unsigned nth = 1; nth < 30; nth++) {
            struct fault_rule rule = {
                .side = FAULT_PARENT, .call = calls[i], .nth = nth, .later = true, .errnum = ENOMEM};
            fault_begin(&rule, 1);
            operation(NULL, &rule);
            fault_end();
        }
    assert_in_range(n_failed_in_all, 100, 1000000);
    assert_in_range(n_replaced, 10, 1000000);
    assert_in_range(n_cut, 10, 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_allocation_refused_once, fault_teardown),
        cmocka_unit_test_teardown(test_all_later_allocations_refused, fault_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
