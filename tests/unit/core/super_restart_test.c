/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Restarts that somebody asks for: of one unit, of several in order, and what comes between.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

#include <errno.h>

/* In whatever order several restarts are asked for, dependents stop first and dependencies start first. */
static void test_restart_of_several(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        begin_pair_up();
        kit_say(&k, EVENT_RESTART, turn == 0 ? "db" : "web");
        kit_say(&k, EVENT_RESTART, turn == 0 ? "web" : "db");
        assert_true(kit_view(&k, "db").pending);
        assert_false(kit_view(&k, "db").start_settled);
        kit_drain(&k);
        assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>waiting; db>stopping; signal db TERM main; "
                                             "arm db +10000");
        kit_died(&k, "db", SIGTERM, 0);
        assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>waiting; db>starting; spawn db 3");
        kit_up(&k, "db");
        assert_string_equal(kit_effects(&k), "db>running; db>ready; web>starting; spawn web 4");
        kit_up(&k, "web");
        assert_true(super_is_settled(k.super));
        assert_false(kit_view(&k, "db").pending);
        kit_end(&k);
    }
}

static void test_restart_alone_of_several(void **state)
{
    struct event e;

    (void)state;
    begin_pair_up();
    e = kit_event(&k, EVENT_RESTART, "db");
    e.no_deps = true;
    super_post(k.super, &e, k.now_ms);
    e = kit_event(&k, EVENT_RESTART, "web");
    e.no_deps = true;
    kit_post(&k, &e);
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000; web>stopping; "
                                         "signal web TERM main; arm web +10000");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>waiting; web>starting; spawn web 3");
    kit_end(&k);
}

/* A dependency alone is restarted under its dependents, which stay up. */
static void test_restart_of_a_dependency(void **state)
{
    (void)state;
    begin_pair_up();
    kit_tell(&k, EVENT_RESTART, "db");
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>waiting; db>starting; spawn db 3");
    assert_string_equal(kit_state(&k, "web"), "ready");
    kit_end(&k);
}

/* What is required and down comes up as for a start; alone, it does not. */
static void test_restart_raises_what_is_required(void **state)
{
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        begin_pair_up();
        kit_tell_alone(&k, EVENT_STOP, "db");
        kit_died(&k, "db", SIGTERM, 0);
        if (alone)
            kit_tell_alone(&k, EVENT_RESTART, "web");
        else
            kit_tell(&k, EVENT_RESTART, "web");
        assert_string_equal(kit_state(&k, "db"), alone ? "stopped" : "starting");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), alone ? "starting" : "waiting");
        kit_end(&k);
    }
}

/* A unit that ends by itself while its restart waits for dependents comes up again, whatever its policy says. */
static void test_end_while_the_restart_waits(void **state)
{
    static const size_t left[] = {0, 2};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        begin_pair_up();
        kit_say(&k, EVENT_RESTART, "db");
        kit_tell(&k, EVENT_RESTART, "web");
        kit_effects(&k);
        kit_reports(&k);
        kit_died(&k, "db", kit_exit(1), left[i]);
        kit_tell(&k, EVENT_MEMBERS_GONE, "db");
        assert_string_equal(kit_state(&k, "db"), "starting");
        if (left[i] == 0)
            assert_string_equal(kit_reports(&k), "db: [exited] exited with code 1 after 0 ms; restarting");
        kit_up(&k, "db");
        assert_string_equal(kit_state(&k, "db"), "ready");
        assert_false(kit_view(&k, "db").pending);
        kit_end(&k);
    }
}

static void test_failed_spawn_while_the_restart_waits(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_STARTED);
    db()->restart.policy = SPEC_RESTART_ALWAYS;
    bring_up();
    kit_died(&k, "db", kit_exit(1), 0);
    kit_wait(&k, 500);
    kit_say(&k, EVENT_RESTART, "db");
    kit_tell(&k, EVENT_RESTART, "web");
    kit_effects(&k);
    kit_fail(&k, EVENT_SPAWN_FAILED, "db", ENOMEM, NULL);
    assert_string_equal(kit_effects(&k), "close db 3; db>waiting; db>starting; spawn db 4");
    kit_end(&k);
}

/* A run that comes up while its restart waits is not what the restart was for. */
static void test_ready_while_the_restart_waits(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_STARTED);
    db()->restart.policy = SPEC_RESTART_ALWAYS;
    bring_up();
    kit_died(&k, "db", kit_exit(1), 0);
    kit_wait(&k, 500);
    kit_say(&k, EVENT_RESTART, "db");
    kit_tell(&k, EVENT_RESTART, "web");
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "db"), "ready");
    assert_false(kit_view(&k, "db").start_settled);
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "db"), "stopping");
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_end(&k);
}

/* The last word counts, also of a restart that waits for its turn. */
static void test_the_last_word_while_a_restart_waits(void **state)
{
    static const struct {
        enum event_kind word;
        const char *end;
        bool wanted;
    } cases[] = {{EVENT_STOP, "stopping", false}, {EVENT_START, "stopping", true}, {EVENT_RESTART, "stopping", true}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_pair_up();
        kit_say(&k, EVENT_RESTART, "db");
        kit_tell(&k, EVENT_RESTART, "web");
        kit_tell(&k, cases[i].word, "db");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "db"), cases[i].end);
        assert_int_equal(kit_view(&k, "db").want_up, cases[i].wanted);
        kit_died(&k, "db", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "db"), cases[i].wanted ? "starting" : "stopped");
        kit_end(&k);
    }
}

static void test_shutdown_while_a_restart_waits(void **state)
{
    (void)state;
    begin_pair_up();
    kit_say(&k, EVENT_RESTART, "db");
    kit_tell(&k, EVENT_RESTART, "web");
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    kit_died(&k, "web", SIGTERM, 0);
    kit_died(&k, "db", SIGTERM, 0);
    assert_true(k.over);
    assert_string_equal(kit_state(&k, "db"), "stopped");
    kit_end(&k);
}

static void test_restart_of_what_is_down_is_a_start(void **state)
{
    (void)state;
    begin_alone_up();
    k.specs[0].restart.policy = SPEC_RESTART_NO;
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_state(&k, "web"), "failed");
    kit_effects(&k);
    kit_tell(&k, EVENT_RESTART, "web");
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 2");
    kit_fail(&k, EVENT_SPAWN_FAILED, "web", EACCES, NULL);
    kit_tell(&k, EVENT_STOP, "web");
    kit_tell(&k, EVENT_RESET, "web");
    assert_string_equal(kit_state(&k, "web"), "stopped");
    kit_tell(&k, EVENT_RESTART, "web");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart_of_several),
        cmocka_unit_test(test_restart_alone_of_several),
        cmocka_unit_test(test_restart_of_a_dependency),
        cmocka_unit_test(test_restart_raises_what_is_required),
        cmocka_unit_test(test_end_while_the_restart_waits),
        cmocka_unit_test(test_failed_spawn_while_the_restart_waits),
        cmocka_unit_test(test_ready_while_the_restart_waits),
        cmocka_unit_test(test_the_last_word_while_a_restart_waits),
        cmocka_unit_test(test_shutdown_while_a_restart_waits),
        cmocka_unit_test(test_restart_of_what_is_down_is_a_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
