/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The supervisor's mind without memory: whatever allocation is refused, it never crashes, each unit it can no longer
 * serve ends in FAILED with a report and with its processes killed, and a shutdown still comes to its end.
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

enum { N_WEB = 40, N_UNITS = N_WEB + 1, ROUNDS_MAX = 50 };

/* What a patient executor knows of a unit. */
struct home {
    pid_t pid; /* of its only process, 0: none */
    uint64_t run;
    enum unit_state state;
    int64_t timer_ms;
    bool told; /* a report has said why it failed */
};

struct world {
    struct spec_set set;
    struct spec specs[2];
    struct spec_dep dep;
    struct super *super;
    struct home homes[N_UNITS];
    int64_t now_ms;
    unsigned n_failed;
    bool over;
};

static void world_init(struct world *w)
{
    static char program[] = "program";
    static char *command[] = {program, NULL};

    memset(w, 0, sizeof *w);
    w->set.name = "fault";
    w->set.services = w->specs;
    w->set.n_services = ARRAY_LEN(w->specs);
    spec_supervisor_defaults(&w->set.supervisor);
    w->set.supervisor.exit_when = SPEC_EXIT_NEVER;
    w->dep = (struct spec_dep){.service = "db", .condition = SPEC_COND_READY, .required = true};
    for (size_t i = 0; i < ARRAY_LEN(w->specs); i++) {
        spec_defaults(&w->specs[i]);
        w->specs[i].name = i == 0 ? "db" : "web";
        w->specs[i].enabled = true;
        w->specs[i].command = command;
        w->specs[i].restart.policy = SPEC_RESTART_ALWAYS;
    }
    w->specs[1].scale = N_WEB;
    w->specs[1].depends_on = &w->dep;
    w->specs[1].n_depends_on = 1;
    for (size_t i = 0; i < N_UNITS; i++)
        w->homes[i].timer_ms = -1;
}

static void post(struct world *w, enum event_kind kind, unsigned unit, int wstatus)
{
    struct event e = {.kind = kind, .unit = unit, .wstatus = wstatus};

    if (unit < N_UNITS) {
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
    struct home *h = f->unit < N_UNITS ? &w->homes[f->unit] : NULL;

    assert_false(w->over);
    switch (f->kind) {
    case EFFECT_SPAWN:
        assert_int_equal(h->pid, 0);
        h->run = f->run;
        h->pid = (pid_t)(f->run + 10);
        post(w, EVENT_SPAWNED, f->unit, 0);
        post(w, EVENT_EXEC_OK, f->unit, 0);
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
        assert_true(f->to != UNIT_FAILED || h->told);
        break;
    case EFFECT_REPORT:
        if (h && strcmp(f->event, "failed") == 0)
            h->told = true;
        break;
    case EFFECT_EXIT:
        w->over = true;
        break;
    case EFFECT_SET_MAIN:
    case EFFECT_CLOSE_RUN:
    case EFFECT_REPLACED:
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

/* All timers that are armed pass. */
static void pass_time(struct world *w)
{
    w->now_ms += 60000;
    for (unsigned i = 0; i < N_UNITS; i++)
        if (w->homes[i].timer_ms >= 0) {
            w->homes[i].timer_ms = -1;
            post(w, EVENT_TIMER, i, 0);
            drain(w);
        }
}

/* A start, a storm of deaths, restarts, a stop of everything by its dependency, a start, and the end. */
static void live(struct world *w)
{
    super_start(w->super, w->now_ms);
    drain(w);
    /* All die before any effect is carried out: the queue has to grow. */
    for (unsigned i = 0; i < N_UNITS; i++)
        end_process(w, i, 1 << 8);
    drain(w);
    pass_time(w);
    post(w, EVENT_STOP, 0, 0);
    drain(w);
    for (unsigned i = 0; i < N_UNITS; i++)
        post(w, EVENT_START, i, 0);
    drain(w);
    pass_time(w);
    post(w, EVENT_SHUTDOWN, SUPER_NO_UNIT, 0);
    drain(w);
    for (int i = 0; i < ROUNDS_MAX && !w->over; i++)
        pass_time(w);
    assert_true(w->over);
    for (unsigned i = 0; i < N_UNITS; i++)
        assert_int_equal(w->homes[i].pid, 0);
}

/* Units failed over all lives: that it ever comes to that is part of the test. */
static unsigned n_failed_in_all;

static void operation(void *arg, const struct fault_rule *rule)
{
    static struct world w;
    struct super_params params = {.seed = 1};
    unsigned refused;

    (void)arg;
    world_init(&w);
    w.super = super_new(&w.set, &params);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_allocation_refused_once, fault_teardown),
        cmocka_unit_test_teardown(test_all_later_allocations_refused, fault_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
