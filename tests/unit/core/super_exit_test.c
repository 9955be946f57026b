/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When the daemon ends, by whose word and with which exit status; and the whole life of many units.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

#include <errno.h>
#include <stdlib.h>

/* Who ends the daemon, and with which exit status. */
static void test_who_ends_everything(void **state)
{
    static const struct {
        bool essential;
        enum spec_end_action on_success, on_failure;
        int wstatus;
        int code; /* -1: the daemon goes on */
    } cases[] = {
        {true, SPEC_END_IGNORE, SPEC_END_IGNORE, 0, 0},         {true, SPEC_END_IGNORE, SPEC_END_IGNORE, 3 << 8, 3},
        {true, SPEC_END_IGNORE, SPEC_END_IGNORE, 7 << 8, 7},    {true, SPEC_END_IGNORE, SPEC_END_IGNORE, SIGSEGV, 139},
        {false, SPEC_END_IGNORE, SPEC_END_IGNORE, 3 << 8, -1},  {false, SPEC_END_SHUTDOWN, SPEC_END_IGNORE, 0, 0},
        {false, SPEC_END_SHUTDOWN, SPEC_END_IGNORE, 7 << 8, 7}, {false, SPEC_END_SHUTDOWN, SPEC_END_IGNORE, 3 << 8, -1},
        {false, SPEC_END_IGNORE, SPEC_END_SHUTDOWN, 0, -1},     {false, SPEC_END_IGNORE, SPEC_END_SHUTDOWN, 3 << 8, 3},
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        kit_init(&k);
        struct spec *s = kit_service(&k, "web", SPEC_TYPE_SIMPLE);
        s->restart.policy = SPEC_RESTART_NO;
        s->essential = cases[i].essential;
        s->on_success = cases[i].on_success;
        s->on_failure = cases[i].on_failure;
        spec_exits_add_code(&s->success_exit_codes, 7);
        kit_service(&k, "db", SPEC_TYPE_SIMPLE);
        kit_begin(&k);
        kit_up(&k, "db");
        kit_up(&k, "web");
        kit_died(&k, "web", cases[i].wstatus, 0);
        assert_int_equal(super_is_shutting_down(k.super), cases[i].code >= 0);
        assert_string_equal(kit_state(&k, "db"), cases[i].code >= 0 ? "stopping" : "ready");
        kit_effects(&k);
        if (cases[i].code >= 0) {
            kit_died(&k, "db", SIGTERM, 0);
            snprintf(text, sizeof text, "close db 2; cancel db; db>stopped; exit %d", cases[i].code);
            assert_string_equal(kit_effects(&k), text);
        }
        kit_end(&k);
    }
}

/* Wherever the end of a run is told, it is told that memory was out. */
static void test_out_of_memory_is_told(void **state)
{
    struct event e;

    (void)state;
    begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK);
    db()->mem_limit = 64 << 20;
    kit_begin(&k);
    kit_up(&k, "db");
    kit_reports(&k);
    e = kit_event(&k, EVENT_MAIN_EXITED, "db");
    e.wstatus = SIGKILL;
    e.oom_killed = true;
    kit_post(&k, &e);
    assert_string_equal(kit_reports(&k),
                        "db: [exited] killed by SIGKILL (out of memory, limit 64.0M) after 0 ms; not restarting | "
                        "db: [failed] failed: killed by SIGKILL (out of memory, limit 64.0M) | "
                        "web: [failed] dependency db failed: killed by SIGKILL (out of memory, limit 64.0M)");
    kit_end(&k);
}

static void test_exit_status_of_failed_starts(void **state)
{
    static const struct {
        enum event_kind kind;
        int errnum;
        const char *exit;
    } cases[] = {
        {EVENT_EXEC_FAILED, ENOENT, "exit 127"},
        {EVENT_EXEC_FAILED, EACCES, "exit 126"},
        {EVENT_SPAWN_FAILED, EPERM, "exit 126"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        kit_init(&k);
        kit_service(&k, "web", SPEC_TYPE_SIMPLE)->essential = true;
        kit_begin(&k);
        if (cases[i].kind == EVENT_EXEC_FAILED)
            kit_spawned(&k, "web");
        kit_fail(&k, cases[i].kind, "web", cases[i].errnum, "x");
        if (cases[i].kind == EVENT_EXEC_FAILED)
            kit_died(&k, "web", kit_exit(127), 0);
        assert_non_null(strstr(kit_effects(&k), cases[i].exit));
        kit_end(&k);
    }
}

static void test_essential_that_loses_its_dependency(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK);
    web()->essential = true;
    kit_begin(&k);
    kit_up(&k, "db");
    kit_effects(&k);
    kit_died(&k, "db", kit_exit(5), 0);
    assert_string_equal(kit_effects(&k), "close db 1; db>failed; web>failed; exit 1");
    kit_end(&k);
}

static void test_an_essential_stop_is_no_end(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    web()->essential = true;
    bring_up();
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "web", SIGTERM, 0);
    assert_false(super_is_shutting_down(k.super));
    kit_end(&k);
}

/* exit_when: idle, with the status of what failed last. */
static void test_idle(void **state)
{
    static const struct {
        enum spec_exit_when when;
        int web_status, db_status;
        bool web_last;
        const char *exit; /* NULL: goes on */
    } cases[] = {
        {SPEC_EXIT_IDLE, 0, 0, false, "exit 0"},           {SPEC_EXIT_IDLE, 3 << 8, 0, false, "exit 3"},
        {SPEC_EXIT_IDLE, 3 << 8, 4 << 8, false, "exit 4"}, {SPEC_EXIT_IDLE, 3 << 8, 4 << 8, true, "exit 3"},
        {SPEC_EXIT_IDLE, SIGTERM, 0, true, "exit 143"},    {SPEC_EXIT_ESSENTIAL, 0, 0, true, NULL},
        {SPEC_EXIT_NEVER, 3 << 8, 0, true, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        kit_init(&k);
        k.set.supervisor.exit_when = cases[i].when;
        kit_service(&k, "web", SPEC_TYPE_SIMPLE)->restart.policy = SPEC_RESTART_NO;
        kit_service(&k, "db", SPEC_TYPE_SIMPLE)->restart.policy = SPEC_RESTART_NO;
        kit_service(&k, "late", SPEC_TYPE_SIMPLE)->autostart = false;
        kit_begin(&k);
        kit_up(&k, "web");
        kit_up(&k, "db");
        kit_died(&k, cases[i].web_last ? "db" : "web", cases[i].web_last ? cases[i].db_status : cases[i].web_status, 0);
        kit_effects(&k);
        assert_false(k.over);
        kit_died(&k, cases[i].web_last ? "web" : "db", cases[i].web_last ? cases[i].web_status : cases[i].db_status, 0);
        assert_int_equal(k.over, cases[i].exit != NULL);
        if (cases[i].exit)
            assert_non_null(strstr(kit_effects(&k), cases[i].exit));
        kit_end(&k);
    }
}

static void test_idle_counts_adopted_left_overs(void **state)
{
    (void)state;
    kit_init(&k);
    k.set.supervisor.exit_when = SPEC_EXIT_IDLE;
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->orphans = SPEC_ORPHANS_ADOPT;
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", 0, 2);
    assert_string_equal(kit_state(&k, "web"), "done");
    assert_false(k.over);
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_true(k.over);
    kit_end(&k);
}

static void test_idle_from_the_start(void **state)
{
    (void)state;
    kit_init(&k);
    k.set.supervisor.exit_when = SPEC_EXIT_IDLE;
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->autostart = false;
    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "exit 0");
    kit_end(&k);

    kit_init(&k);
    k.set.supervisor.exit_when = SPEC_EXIT_NEVER;
    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "");
    kit_shutdown(&k, EVENT_SHUTDOWN, 2);
    assert_string_equal(kit_effects(&k), "exit 2");
    kit_end(&k);
}

/* The whole life of many units, as an executor would see it. */
static void live_with_many(struct spec_set *set, unsigned n)
{
    struct super_params params = {.seed = 1};
    struct super *s = super_new(set, &params);
    unsigned n_ready = 0, n_steps = 0;
    struct effect f;
    bool over = false;

    assert_non_null(s);
    assert_int_equal(super_count(s), n);
    super_start(s, 0);
    while (!over) {
        while (!over && super_next_effect(s, &f)) {
            struct event e = {.kind = EVENT_SPAWNED, .unit = f.unit, .run = f.run, .pid = (pid_t)(f.unit + 1)};
            n_steps++;
            over = f.kind == EFFECT_EXIT;
            if (f.kind == EFFECT_SPAWN) {
                super_post(s, &e, 1);
                e.kind = EVENT_EXEC_OK;
                super_post(s, &e, 1);
            } else if (f.kind == EFFECT_SIGNAL) {
                e.kind = EVENT_MAIN_EXITED;
                super_post(s, &e, 3);
            } else if (f.kind == EFFECT_STATE && f.to == UNIT_READY) {
                n_ready++;
            }
        }
        assert_int_equal(n_ready, n);
        assert_true(super_is_settled(s));
        super_post(s, &(struct event){.kind = EVENT_SHUTDOWN, .unit = SUPER_NO_UNIT}, 2);
    }
    assert_true(n_steps > 8 * n);
    super_free(s);
}

static void test_ten_thousand_instances(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    web()->scale = 10000;
    db()->scale = 5000;
    live_with_many(&k.set, 15000);
}

/* A chain as long as a file may have services, and every service that depends on the one before. */
static void test_a_long_chain(void **state)
{
    enum { N = SPEC_SERVICES_MAX, NAME = 16 };
    struct spec *specs = calloc(N, sizeof *specs);
    struct spec_dep *deps = calloc(N, sizeof *deps);
    char(*names)[NAME] = calloc(N, NAME);
    struct spec_set set;

    (void)state;
    kit_init(&k);
    kit_service(&k, "model", SPEC_TYPE_SIMPLE);
    assert_true(specs && deps && names);
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], NAME, "s%u", i);
        specs[i] = k.specs[0];
        specs[i].name = names[i];
        specs[i].depends_on = &deps[i];
        specs[i].n_depends_on = i > 0;
        deps[i] =
            (struct spec_dep){.service = i > 0 ? names[i - 1] : "", .condition = SPEC_COND_READY, .required = true};
    }
    set = k.set;
    set.services = specs;
    set.n_services = N;
    live_with_many(&set, N);
    free(specs);
    free(deps);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_ends_everything),
        cmocka_unit_test(test_out_of_memory_is_told),
        cmocka_unit_test(test_exit_status_of_failed_starts),
        cmocka_unit_test(test_essential_that_loses_its_dependency),
        cmocka_unit_test(test_an_essential_stop_is_no_end),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_idle_counts_adopted_left_overs),
        cmocka_unit_test(test_idle_from_the_start),
        cmocka_unit_test(test_ten_thousand_instances),
        cmocka_unit_test(test_a_long_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
