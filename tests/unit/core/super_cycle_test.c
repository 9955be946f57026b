/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Dependents that restart with what they depend on, and those that come back with it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

/* "web" restarts with "db". */
static struct spec_dep *begin_tied(enum spec_condition condition)
{
    struct spec_dep *d = begin_pair(SPEC_TYPE_SIMPLE, condition);

    d->restart = true;
    return d;
}

/* "top" restarts with "web", which restarts with "db"; "aside" depends on "db" without that. All are up. */
static void begin_chain_up(void)
{
    begin_tied(SPEC_COND_READY);
    kit_depend(kit_service(&k, "top", SPEC_TYPE_SIMPLE), "web", SPEC_COND_READY)->restart = true;
    kit_depend(kit_service(&k, "aside", SPEC_TYPE_SIMPLE), "db", SPEC_COND_READY);
    kit_begin(&k);
    kit_up(&k, "db");
    kit_up(&k, "web");
    kit_up(&k, "aside");
    kit_up(&k, "top");
    kit_effects(&k);
    kit_reports(&k);
}

static void test_down_then_up(void **state)
{
    (void)state;
    for (int required = 0; required < 2; required++) {
        begin_tied(SPEC_COND_READY)->required = required;
        bring_up();
        kit_tell(&k, EVENT_RESTART, "db");
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
        kit_end(&k);
    }
}

static void test_transitive(void **state)
{
    (void)state;
    begin_chain_up();
    kit_tell(&k, EVENT_RESTART, "db");
    assert_string_equal(kit_effects(&k), "top>stopping; signal top TERM main; arm top +10000");
    kit_died(&k, "top", SIGTERM, 0);
    kit_died(&k, "web", SIGTERM, 0);
    kit_died(&k, "db", SIGTERM, 0);
    kit_up(&k, "db");
    kit_up(&k, "web");
    kit_up(&k, "top");
    assert_string_equal(kit_state(&k, "top"), "ready");
    assert_int_equal(kit_view(&k, "aside").n_starts, 1);
    assert_int_equal(kit_view(&k, "web").n_starts, 2);
    assert_int_equal(kit_view(&k, "web").n_restarts, 0);
    kit_end(&k);
}

/* Who is down does not come up by that, and passes nothing on. */
static void test_not_through_the_stopped(void **state)
{
    (void)state;
    begin_chain_up();
    kit_tell_alone(&k, EVENT_STOP, "web");
    kit_died(&k, "web", SIGTERM, 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_RESTART, "db");
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    kit_died(&k, "db", SIGTERM, 0);
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "stopped");
    assert_string_equal(kit_state(&k, "top"), "ready");
    kit_end(&k);
}

static void test_alone(void **state)
{
    (void)state;
    begin_chain_up();
    kit_tell_alone(&k, EVENT_RESTART, "db");
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    kit_died(&k, "db", SIGTERM, 0);
    kit_up(&k, "db");
    assert_int_equal(kit_view(&k, "web").n_starts, 1);
    kit_end(&k);
}

/* Neither a start of what runs, nor what its policy does, is a restart. */
static void test_not_by_policy(void **state)
{
    (void)state;
    begin_tied(SPEC_COND_READY);
    db()->restart.policy = SPEC_RESTART_ALWAYS;
    bring_up();
    kit_tell(&k, EVENT_START, "db");
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "db", kit_exit(1), 0);
    kit_wait(&k, 500);
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "ready");
    assert_int_equal(kit_view(&k, "web").n_starts, 1);
    kit_end(&k);
}

/* Not even a restart of what is down already leaves them as they are: what they had is another one's now. */
static void test_of_the_stopped(void **state)
{
    (void)state;
    begin_tied(SPEC_COND_READY);
    bring_up();
    kit_tell_alone(&k, EVENT_STOP, "db");
    kit_died(&k, "db", SIGTERM, 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_RESTART, "db");
    kit_up(&k, "db");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

static void test_grace(void **state)
{
    struct event e;

    (void)state;
    begin_tied(SPEC_COND_READY);
    bring_up();
    /* A grace period is that of the service that was named, and of no other. */
    kit_tell_grace(&k, EVENT_RESTART, "db", 3000);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_died(&k, "web", SIGTERM, 0);
    kit_effects(&k);
    kit_end(&k);
    begin_tied(SPEC_COND_READY);
    bring_up();
    e = kit_event(&k, EVENT_RESTART, "web");
    e.has_grace = true;
    e.grace_ms = 3000;
    super_post(k.super, &e, k.now_ms);
    kit_tell(&k, EVENT_RESTART, "db");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +3000");
    kit_end(&k);
}

/* A stop that comes behind it wins. */
static void test_stopped_meanwhile(void **state)
{
    (void)state;
    begin_tied(SPEC_COND_READY);
    bring_up();
    kit_tell(&k, EVENT_RESTART, "db");
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "web", SIGTERM, 0);
    kit_died(&k, "db", SIGTERM, 0);
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "db"), "ready");
    assert_string_equal(kit_state(&k, "web"), "stopped");
    kit_end(&k);
}

static void test_failed_restart(void **state)
{
    (void)state;
    begin_tied(SPEC_COND_READY);
    bring_up();
    kit_tell(&k, EVENT_RESTART, "db");
    kit_died(&k, "web", SIGTERM, 0);
    kit_died(&k, "db", SIGTERM, 0);
    kit_fail(&k, EVENT_SPAWN_FAILED, "db", 1, "fork");
    assert_string_equal(kit_state(&k, "db"), "failed");
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_non_null(strstr(kit_reports(&k), "web: [failed] dependency db failed to start"));
    kit_end(&k);
}

/* Who has failed for want of it comes back with it; who has failed by itself does not. */
static void test_the_lost_come_back(void **state)
{
    static const enum event_kind kinds[] = {EVENT_START, EVENT_RESTART};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_tied(SPEC_COND_READY);
        kit_depend(kit_service(&k, "top", SPEC_TYPE_SIMPLE), "web", SPEC_COND_READY)->restart = true;
        kit_begin(&k);
        kit_fail(&k, EVENT_SPAWN_FAILED, "db", 1, "fork");
        assert_string_equal(kit_state(&k, "web"), "failed");
        assert_string_equal(kit_state(&k, "top"), "failed");
        kit_tell(&k, kinds[i], "db");
        assert_string_equal(kit_state(&k, "web"), "waiting");
        assert_string_equal(kit_state(&k, "top"), "waiting");
        kit_up(&k, "db");
        kit_up(&k, "web");
        kit_up(&k, "top");
        assert_true(super_is_settled(k.super));
        kit_end(&k);
        begin_tied(SPEC_COND_READY);
        web()->restart.policy = SPEC_RESTART_NO;
        bring_up();
        kit_died(&k, "web", kit_exit(1), 0);
        kit_tell(&k, kinds[i], "db");
        assert_string_equal(kit_state(&k, "web"), "failed");
        kit_end(&k);
    }
}

/* How a dependency failed is still known when what it left behind has been ended. */
static void test_the_reason_outlives_left_overs(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    db()->orphans = SPEC_ORPHANS_ADOPT;
    bring_up();
    kit_died(&k, "db", kit_exit(3), 1);
    kit_tell_alone(&k, EVENT_STOP, "db");
    assert_string_equal(kit_effects(&k), "close db 1; db>failed; db>stopping; signal db TERM rest; arm db +10000");
    kit_tell(&k, EVENT_MEMBERS_GONE, "db");
    assert_string_equal(kit_effects(&k), "cancel db; db>failed");
    kit_died(&k, "web", kit_exit(1), 0);
    kit_reports(&k);
    kit_wait(&k, 500);
    assert_string_equal(kit_reports(&k), "web: [failed] dependency db failed: exited 3");
    kit_end(&k);
}

static void test_the_lost_without_a_tie_stay(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    kit_begin(&k);
    kit_fail(&k, EVENT_SPAWN_FAILED, "db", 1, "fork");
    kit_tell(&k, EVENT_START, "db");
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "failed");
    kit_end(&k);
}

static void test_instances(void **state)
{
    (void)state;
    begin_tied(SPEC_COND_READY);
    web()->scale = 2;
    kit_begin(&k);
    kit_up(&k, "db");
    kit_up(&k, "web.1");
    kit_up(&k, "web.2");
    kit_effects(&k);
    kit_tell(&k, EVENT_RESTART, "db");
    kit_died(&k, "web.1", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "db"), "ready");
    kit_died(&k, "web.2", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "db"), "stopping");
    kit_end(&k);
}

/* A job that is cut off by that runs again. */
static void test_scheduled(void **state)
{
    (void)state;
    begin_tied(SPEC_COND_READY);
    web()->type = SPEC_TYPE_ONESHOT;
    web()->schedule.every_ms = 60000;
    kit_begin(&k);
    kit_up(&k, "db");
    kit_tell(&k, EVENT_DUE, "web");
    kit_up(&k, "web");
    kit_tell(&k, EVENT_RESTART, "db");
    kit_died(&k, "web", SIGTERM, 0);
    kit_died(&k, "db", SIGTERM, 0);
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    /* It does not run now: it has nothing to restart. */
    kit_tell(&k, EVENT_RESTART, "db");
    assert_string_equal(kit_state(&k, "web"), "done");
    kit_end(&k);
}

/* A start of one whose restart waits for its dependents does not make that wait shorter. */
static void test_start_alone_while_the_restart_waits(void **state)
{
    (void)state;
    begin_tied(SPEC_COND_READY);
    bring_up();
    kit_tell(&k, EVENT_RESTART, "db");
    kit_effects(&k);
    kit_tell_alone(&k, EVENT_START, "db");
    assert_string_equal(kit_effects(&k), "");
    kit_tell_alone(&k, EVENT_RESTART, "db");
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    kit_end(&k);
}

/* What has to restart for a new configuration takes along those that are tied to it there. */
static void test_replaced(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_chain_up();
    c = kit_edit(&k);
    kit_change(c, "db");
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "top>stopping; signal top TERM main; arm top +10000");
    kit_died(&k, "top", SIGTERM, 0);
    kit_died(&k, "web", SIGTERM, 0);
    kit_effects(&k);
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>stopped; replaced; db>waiting; web>waiting; "
                                         "top>waiting; db>starting; spawn db 5");
    assert_string_equal(kit_state(&k, "aside"), "ready");
    kit_end(&k);
}

/* The ties of the new configuration count, and only those to what is there already and restarts. */
static void test_replaced_with_other_ties(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_chain_up();
    c = kit_edit(&k);
    kit_change(c, "db");
    kit_spec(c, "web")->depends_on[0].restart = false;
    kit_spec(c, "aside")->depends_on[0].restart = true;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "aside>stopping; signal aside TERM main; arm aside +10000");
    kit_end(&k);
    begin_chain_up();
    c = kit_edit(&k);
    kit_also(c, "new");
    *kit_spec(c, "web")->depends_on = (struct spec_dep){.service = "new", .required = true, .restart = true};
    kit_spec(c, "db")->scale = 2;
    kit_replace(&k, c);
    assert_string_equal(kit_state(&k, "web"), "ready");
    kit_end(&k);
}

/* Who was stopped stays so. */
static void test_replaced_when_stopped(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_chain_up();
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "top", SIGTERM, 0);
    kit_died(&k, "web", SIGTERM, 0);
    kit_effects(&k);
    c = kit_edit(&k);
    kit_change(c, "db");
    kit_replace(&k, c);
    kit_died(&k, "db", SIGTERM, 0);
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "stopped");
    assert_string_equal(kit_state(&k, "top"), "stopped");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_down_then_up),
        cmocka_unit_test(test_transitive),
        cmocka_unit_test(test_not_through_the_stopped),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_not_by_policy),
        cmocka_unit_test(test_of_the_stopped),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_stopped_meanwhile),
        cmocka_unit_test(test_failed_restart),
        cmocka_unit_test(test_the_lost_come_back),
        cmocka_unit_test(test_the_lost_without_a_tie_stay),
        cmocka_unit_test(test_the_reason_outlives_left_overs),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_scheduled),
        cmocka_unit_test(test_start_alone_while_the_restart_waits),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_replaced_with_other_ties),
        cmocka_unit_test(test_replaced_when_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
