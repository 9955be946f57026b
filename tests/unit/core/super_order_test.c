/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Units among each other: dependencies at the start, the order of a stop, shutdown.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

#include <errno.h>

/* At which point of the dependency's life the dependent comes. */
static void test_conditions(void **state)
{
    static const struct {
        enum spec_type type;
        enum spec_condition condition;
        int wstatus;
        const char *at_exec; /* states of web after db's exec, and after db's end with wstatus and nothing left */
        const char *at_end;
    } cases[] = {
        {SPEC_TYPE_SIMPLE, SPEC_COND_STARTED, 0, "starting", "starting"},
        {SPEC_TYPE_FORKING, SPEC_COND_STARTED, 0, "starting", "starting"},
        {SPEC_TYPE_ONESHOT, SPEC_COND_STARTED, 0, "starting", "starting"},
        {SPEC_TYPE_SIMPLE, SPEC_COND_READY, 0, "starting", "starting"},
        {SPEC_TYPE_FORKING, SPEC_COND_READY, 1 << 8, "waiting", "failed"},
        {SPEC_TYPE_ONESHOT, SPEC_COND_READY, 0, "waiting", "starting"},
        {SPEC_TYPE_ONESHOT, SPEC_COND_READY, 1 << 8, "waiting", "failed"},
        {SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK, 0, "waiting", "starting"},
        {SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK, 1 << 8, "waiting", "failed"},
        {SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED, 0, "waiting", "starting"},
        {SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED, 1 << 8, "waiting", "starting"},
        {SPEC_TYPE_SIMPLE, SPEC_COND_COMPLETED, SIGSEGV, "waiting", "starting"},
        {SPEC_TYPE_SIMPLE, SPEC_COND_COMPLETED_OK, 0, "waiting", "starting"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_pair(cases[i].type, cases[i].condition);
        kit_begin(&k);
        assert_string_equal(kit_state(&k, "web"), "waiting");
        assert_string_equal(kit_state(&k, "db"), "starting");
        kit_up(&k, "db");
        assert_string_equal(kit_state(&k, "web"), cases[i].at_exec);
        kit_died(&k, "db", cases[i].wstatus, 0);
        assert_string_equal(kit_state(&k, "web"), cases[i].at_end);
        kit_end(&k);
    }
}

/* What becomes of a dependent whose dependency fails for good, and what is said. */
static void test_lost_dependencies(void **state)
{
    static const struct {
        int wstatus; /* -1: hopeless spawn failure */
        const char *report;
    } cases[] = {
        {-1, "web: [failed] dependency db failed to start"},
        {1 << 8, "web: [failed] dependency db failed: exited 1"},
        {SIGSEGV, "web: [failed] dependency db failed: killed by SIGSEGV"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK);
        kit_begin(&k);
        if (cases[i].wstatus < 0) {
            kit_fail(&k, EVENT_SPAWN_FAILED, "db", EPERM, NULL);
        } else {
            kit_up(&k, "db");
            kit_died(&k, "db", cases[i].wstatus, 0);
        }
        assert_string_equal(kit_state(&k, "web"), "failed");
        assert_non_null(strstr(kit_reports(&k), cases[i].report));
        assert_true(super_is_settled(k.super));
        kit_end(&k);
    }
}

static void test_failure_cascades(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK);
    kit_depend(kit_service(&k, "shop", SPEC_TYPE_SIMPLE), "web", SPEC_COND_READY);
    kit_depend(kit_service(&k, "logs", SPEC_TYPE_SIMPLE), "shop", SPEC_COND_COMPLETED);
    kit_begin(&k);
    kit_up(&k, "db");
    kit_effects(&k);
    kit_reports(&k);
    kit_died(&k, "db", kit_exit(1), 0);
    assert_string_equal(kit_effects(&k), "close db 1; db>failed; web>failed; shop>failed; logs>starting; spawn logs 2");
    assert_string_equal(kit_reports(&k), "db: [exited] exited with code 1 after 0 ms; not restarting | "
                                         "db: [failed] failed: exited with code 1 | "
                                         "web: [failed] dependency db failed: exited 1 | "
                                         "shop: [failed] dependency web failed to start");
    kit_end(&k);
}

/* The death of a dependency does not touch what has been started, but a restart looks again. */
static void test_restart_looks_at_dependencies_again(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    db()->restart.policy = SPEC_RESTART_ALWAYS;
    bring_up();
    kit_died(&k, "db", kit_exit(1), 0);
    assert_string_equal(kit_state(&k, "web"), "ready");
    kit_wait(&k, 500);
    kit_died(&k, "web", kit_exit(1), 0);
    kit_wait(&k, 500);
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

static void test_optional_dependencies(void **state)
{
    static const struct {
        bool wanted;
        bool fails;
        const char *at_start;
        const char *in_the_end;
    } cases[] = {
        {true, false, "waiting", "starting"},
        {true, true, "waiting", "starting"},
        {false, false, "starting", "starting"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK)->required = false;
        db()->autostart = cases[i].wanted;
        kit_begin(&k);
        assert_string_equal(kit_state(&k, "web"), cases[i].at_start);
        if (cases[i].wanted) {
            kit_up(&k, "db");
            assert_string_equal(kit_state(&k, "web"), "waiting");
            kit_died(&k, "db", kit_exit(cases[i].fails), 0);
        }
        assert_string_equal(kit_state(&k, "web"), cases[i].in_the_end);
        kit_end(&k);
    }
}

static void test_optional_dependency_that_is_stopped(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK)->required = false;
    kit_begin(&k);
    kit_up(&k, "db");
    kit_tell(&k, EVENT_STOP, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

static void test_missing_dependencies(void **state)
{
    (void)state;
    for (int required = 0; required < 2; required++) {
        kit_init(&k);
        kit_depend(kit_service(&k, "web", SPEC_TYPE_SIMPLE), "nowhere", SPEC_COND_READY)->required = required;
        kit_begin(&k);
        assert_string_equal(kit_state(&k, "web"), required ? "failed" : "starting");
        assert_string_equal(kit_reports(&k), required ? "web: [failed] dependency nowhere does not exist" : "");
        kit_end(&k);
    }
}

static void test_all_instances_must_be_there(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    db()->scale = 3;
    web()->scale = 2;
    kit_begin(&k);
    kit_up(&k, "db.1");
    kit_up(&k, "db.3");
    assert_string_equal(kit_state(&k, "web.1"), "waiting");
    kit_up(&k, "db.2");
    assert_string_equal(kit_state(&k, "web.1"), "starting");
    assert_string_equal(kit_state(&k, "web.2"), "starting");
    kit_end(&k);
}

static void test_no_instances_are_no_hindrance(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    db()->scale = 0;
    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 1");
    kit_end(&k);
}

/* What is not started by itself comes up when it is needed. */
static void test_start_pulls_up_what_is_required(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    db()->autostart = false;
    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "db>waiting; web>waiting; db>starting; spawn db 1");
    kit_end(&k);

    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    db()->enabled = false;
    web()->enabled = false;
    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_state(&k, "db"), "skipped");
    assert_true(super_is_settled(k.super));
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "db>waiting; web>waiting; db>starting; spawn db 1");
    assert_false(super_is_settled(k.super));
    kit_end(&k);
}

static void test_start_clears_failed_dependencies(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK);
    kit_begin(&k);
    kit_up(&k, "db");
    kit_died(&k, "db", kit_exit(1), 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "db>waiting; web>waiting; db>starting; spawn db 2");
    kit_up(&k, "db");
    kit_died(&k, "db", 0, 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_RESTART, "web");
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_state(&k, "db"), "done");
    kit_end(&k);
}

static void test_stop_takes_dependents_first(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    kit_depend(kit_service(&k, "shop", SPEC_TYPE_SIMPLE), "web", SPEC_COND_READY);
    kit_depend(kit_service(&k, "logs", SPEC_TYPE_SIMPLE), "db", SPEC_COND_READY)->required = false;
    bring_up();
    kit_up(&k, "logs");
    kit_up(&k, "shop");
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "db");
    assert_string_equal(kit_effects(&k), "shop>stopping; signal shop TERM main; arm shop +10000");
    kit_died(&k, "shop", SIGTERM, 1);
    kit_effects(&k);
    kit_tell(&k, EVENT_MEMBERS_GONE, "shop");
    assert_string_equal(kit_effects(&k), "close shop 4; cancel shop; shop>stopped; web>stopping; signal web TERM main; "
                                         "arm web +10000");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped; db>stopping; signal db TERM main; "
                                         "arm db +10000");
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "logs"), "ready");
    assert_string_equal(kit_state(&k, "db"), "stopped");
    kit_end(&k);
}

static void test_stop_of_what_is_down_leaves_dependents(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK);
    kit_begin(&k);
    kit_up(&k, "db");
    kit_died(&k, "db", 0, 0);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "db");
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_state(&k, "web"), "ready");
    kit_end(&k);
}

static void test_start_takes_back_a_stop_that_waits(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    bring_up();
    kit_tell(&k, EVENT_STOP, "db");
    assert_string_equal(kit_state(&k, "db"), "ready");
    assert_false(kit_view(&k, "db").want_up);
    kit_tell(&k, EVENT_START, "db");
    kit_effects(&k);
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped");
    assert_string_equal(kit_state(&k, "db"), "ready");
    kit_end(&k);
}

/* A unit that dies while its stop waits for dependents is down, and nothing is restarted. */
static void test_end_while_the_stop_waits(void **state)
{
    static const size_t left[] = {0, 2};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
        db()->restart.policy = SPEC_RESTART_ALWAYS;
        bring_up();
        kit_tell(&k, EVENT_STOP, "db");
        kit_died(&k, "db", kit_exit(1), left[i]);
        assert_string_equal(kit_state(&k, "db"), left[i] ? "stopping" : "stopped");
        kit_tell(&k, EVENT_MEMBERS_GONE, "db");
        assert_string_equal(kit_state(&k, "db"), "stopped");
        kit_end(&k);
    }
}

static void test_failed_spawn_while_the_stop_waits(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_STARTED);
    db()->restart.policy = SPEC_RESTART_ALWAYS;
    bring_up();
    kit_died(&k, "db", kit_exit(1), 0);
    kit_wait(&k, 500);
    kit_tell(&k, EVENT_STOP, "db");
    kit_effects(&k);
    kit_fail(&k, EVENT_SPAWN_FAILED, "db", EAGAIN, NULL);
    assert_string_equal(kit_effects(&k), "close db 3; db>stopped");
    kit_end(&k);
}

static void test_shutdown_in_order(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY)->required = false;
    kit_service(&k, "alone", SPEC_TYPE_SIMPLE);
    bring_up();
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000; alone>stopping");
    assert_true(super_is_shutting_down(k.super));
    kit_died(&k, "web", kit_exit(9), 0);
    assert_string_equal(kit_effects(&k), "close web 3; cancel web; web>stopped; db>stopping; signal db TERM main; "
                                         "arm db +10000");
    kit_fail(&k, EVENT_SPAWN_FAILED, "alone", EAGAIN, NULL);
    assert_string_equal(kit_effects(&k), "close alone 2; alone>stopped");
    kit_died(&k, "db", kit_exit(9), 0);
    assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>stopped; exit 0");
    kit_tell(&k, EVENT_START, "db");
    kit_wait(&k, 100000);
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

static void test_shutdown_of_what_does_not_run(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    kit_begin(&k);
    kit_up(&k, "db");
    kit_up(&k, "web");
    kit_died(&k, "db", kit_exit(1), 0);
    kit_died(&k, "web", kit_exit(1), 0);
    kit_effects(&k);
    kit_shutdown(&k, EVENT_SHUTDOWN, 7);
    assert_string_equal(kit_effects(&k), "cancel web; web>stopped; exit 7");
    assert_string_equal(kit_state(&k, "db"), "failed");
    kit_end(&k);
}

static void test_nothing_is_started_during_a_shutdown(void **state)
{
    static const enum event_kind kinds[] = {EVENT_START, EVENT_RESTART};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
        bring_up();
        kit_shutdown(&k, EVENT_SHUTDOWN, 0);
        kit_effects(&k);
        kit_reports(&k);
        kit_tell(&k, kinds[i], "web");
        kit_tell(&k, EVENT_STOP, "web");
        assert_string_equal(kit_effects(&k), "");
        assert_string_equal(kit_reports(&k), kinds[i] == EVENT_START ? "web: [refused] start refused: shutting down"
                                                                     : "web: [refused] restart refused: shutting down");
        kit_end(&k);
    }
}

static void test_stop_timeout(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    k.set.supervisor.stop_timeout_ms = 3000;
    bring_up();
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    assert_string_equal(kit_effects(&k), "arm all +3000; web>stopping; signal web TERM main; arm web +10000");
    kit_wait(&k, 2999);
    assert_string_equal(kit_effects(&k), "");
    kit_wait(&k, 1);
    assert_string_equal(kit_effects(&k), "kill web all; db>stopping; kill db all");
    kit_died(&k, "db", SIGKILL, 0);
    kit_died(&k, "web", SIGKILL, 0);
    assert_string_equal(kit_effects(&k), "close db 1; db>stopped; close web 2; cancel web; web>stopped; exit 0");
    kit_end(&k);

    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    k.set.supervisor.stop_timeout_ms = 3000;
    bring_up();
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    kit_died(&k, "web", 0, 0);
    kit_effects(&k);
    kit_died(&k, "db", 0, 0);
    assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>stopped; cancel all; exit 0");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_lost_dependencies),
        cmocka_unit_test(test_failure_cascades),
        cmocka_unit_test(test_restart_looks_at_dependencies_again),
        cmocka_unit_test(test_optional_dependencies),
        cmocka_unit_test(test_optional_dependency_that_is_stopped),
        cmocka_unit_test(test_missing_dependencies),
        cmocka_unit_test(test_all_instances_must_be_there),
        cmocka_unit_test(test_no_instances_are_no_hindrance),
        cmocka_unit_test(test_start_pulls_up_what_is_required),
        cmocka_unit_test(test_start_clears_failed_dependencies),
        cmocka_unit_test(test_stop_takes_dependents_first),
        cmocka_unit_test(test_stop_of_what_is_down_leaves_dependents),
        cmocka_unit_test(test_start_takes_back_a_stop_that_waits),
        cmocka_unit_test(test_end_while_the_stop_waits),
        cmocka_unit_test(test_failed_spawn_while_the_stop_waits),
        cmocka_unit_test(test_shutdown_in_order),
        cmocka_unit_test(test_shutdown_of_what_does_not_run),
        cmocka_unit_test(test_nothing_is_started_during_a_shutdown),
        cmocka_unit_test(test_stop_timeout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
