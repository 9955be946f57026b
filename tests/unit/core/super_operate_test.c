/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What an operator may ask of units: starts and stops of one alone, a grace period of his own, and that failures be
 * forgotten.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

#include <errno.h>

static void test_stop_alone_leaves_dependents(void **state)
{
    (void)state;
    begin_pair_up();
    kit_tell_alone(&k, EVENT_STOP, "db");
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "db"), "stopped");
    assert_string_equal(kit_state(&k, "web"), "ready");
    assert_true(kit_view(&k, "web").want_up);
    kit_end(&k);
}

/* A dependent that is on its way down already does not hold up a stop alone either. */
static void test_stop_alone_waits_for_nobody(void **state)
{
    (void)state;
    begin_pair_up();
    kit_tell(&k, EVENT_STOP, "db");
    assert_true(kit_view(&k, "db").pending);
    kit_effects(&k);
    kit_tell_alone(&k, EVENT_STOP, "db");
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    assert_string_equal(kit_state(&k, "web"), "stopping");
    kit_end(&k);
}

/* A dependent that was left up by a stop alone waits when it comes back by itself. */
static void test_dependent_waits_for_what_was_stopped_alone(void **state)
{
    (void)state;
    begin_pair_up();
    kit_tell_alone(&k, EVENT_STOP, "db");
    kit_died(&k, "web", kit_exit(1), 0);
    kit_wait(&k, 500);
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_tell(&k, EVENT_START, "db");
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

static void test_start_alone_waits_for_nothing(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    web()->autostart = db()->autostart = false;
    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "");
    kit_tell_alone(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 1");
    assert_string_equal(kit_state(&k, "db"), "stopped");
    kit_up(&k, "web");
    /* That is so for its restarts, too. */
    kit_died(&k, "web", kit_exit(1), 0);
    kit_wait(&k, 500);
    assert_string_equal(kit_state(&k, "web"), "starting");
    /* A start like any other ends it. */
    kit_tell(&k, EVENT_STOP, "web");
    kit_fail(&k, EVENT_SPAWN_FAILED, "web", ECANCELED, NULL);
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_state(&k, "web"), "waiting");
    assert_string_equal(kit_state(&k, "db"), "starting");
    kit_end(&k);
}

static void test_start_alone_ends_a_wait(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    kit_begin(&k);
    kit_effects(&k);
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_tell_alone(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "web>starting; spawn web 2");
    kit_end(&k);
}

static void test_grace_of_a_stop(void **state)
{
    (void)state;
    begin_alone_up();
    kit_tell_grace(&k, EVENT_STOP, "web", 300);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +300");
    assert_string_equal(kit_reports(&k), "web: [stopping] stopping (SIGTERM, SIGKILL after 300 ms)");
    kit_wait(&k, 300);
    assert_string_equal(kit_effects(&k), "kill web all");
    assert_string_equal(kit_reports(&k), "web: [killed] did not end within 300 ms; sending SIGKILL");
    kit_died(&k, "web", SIGKILL, 0);
    /* It was for that stop alone. */
    kit_tell(&k, EVENT_START, "web");
    kit_up(&k, "web");
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_end(&k);
}

static void test_no_grace_is_sigkill(void **state)
{
    static const enum event_kind kinds[] = {EVENT_STOP, EVENT_RESTART};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_alone_up();
        kit_tell_grace(&k, kinds[i], "web", 0);
        assert_string_equal(kit_effects(&k), "web>stopping; kill web all");
        assert_string_equal(kit_reports(&k), i == 0 ? "web: [stopping] stopping (SIGKILL)"
                                                    : "web: [stopping] restarting: stopping (SIGKILL)");
        kit_died(&k, "web", SIGKILL, 0);
        assert_string_equal(kit_state(&k, "web"), i == 0 ? "stopped" : "starting");
        kit_end(&k);
    }
}

/* A stop under way goes by the grace period that was asked for last, counted from then. */
static void test_grace_of_a_stop_under_way(void **state)
{
    static const struct {
        int64_t grace_ms;
        const char *effects, *reports;
    } cases[] = {
        {0, "cancel web; kill web all", "web: [killed] sending SIGKILL"},
        {500, "arm web +500", "web: [stopping] stopping (SIGKILL after 500 ms)"},
        {60000, "arm web +60000", "web: [stopping] stopping (SIGKILL after 60 s)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_alone_up();
        kit_tell(&k, EVENT_STOP, "web");
        kit_wait(&k, 4000);
        kit_effects(&k);
        kit_reports(&k);
        kit_tell_grace(&k, EVENT_STOP, "web", cases[i].grace_ms);
        assert_string_equal(kit_effects(&k), cases[i].effects);
        assert_string_equal(kit_reports(&k), cases[i].reports);
        kit_wait(&k, cases[i].grace_ms);
        assert_string_equal(kit_effects(&k), cases[i].grace_ms > 0 ? "kill web all" : "");
        kit_wait(&k, 100000);
        assert_string_equal(kit_effects(&k), "");
        kit_tell_grace(&k, EVENT_STOP, "web", 0);
        assert_string_equal(kit_effects(&k), "");
        kit_end(&k);
    }
}

/* The next step comes when it would have, unless the new grace period is over by then. */
static void test_grace_under_way_keeps_steps(void **state)
{
    static struct spec_stop_step steps[] = {{SIGTERM, 2000}, {SIGINT, -1}};
    static const struct {
        int64_t grace_ms;
        const char *at_once, *then;
    } cases[] = {
        {3000, "", "signal web INT main; arm web +2000"},
        {800, "arm web +800", "kill web all"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        kit_init(&k);
        kit_service(&k, "web", SPEC_TYPE_SIMPLE)->stop_signal = steps;
        k.specs[0].n_stop_signal = ARRAY_LEN(steps);
        kit_begin(&k);
        kit_up(&k, "web");
        kit_tell(&k, EVENT_STOP, "web");
        kit_wait(&k, 1000);
        kit_effects(&k);
        kit_tell_grace(&k, EVENT_STOP, "web", cases[i].grace_ms);
        assert_string_equal(kit_effects(&k), cases[i].at_once);
        kit_wait(&k, 1000);
        assert_string_equal(kit_effects(&k), cases[i].then);
        kit_end(&k);
    }
}

/* Before there is a process, the grace period is noted. */
static void test_grace_before_birth(void **state)
{
    (void)state;
    begin_alone(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_tell(&k, EVENT_STOP, "web");
    kit_tell_grace(&k, EVENT_STOP, "web", 250);
    kit_effects(&k);
    kit_spawned(&k, "web");
    assert_string_equal(kit_effects(&k), "signal web TERM main; arm web +250");
    kit_end(&k);
}

/* The grace period is that of the unit named; it keeps it while its dependents go. */
static void test_grace_waits_for_dependents(void **state)
{
    (void)state;
    begin_pair_up();
    kit_tell_grace(&k, EVENT_STOP, "db", 700);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped; db>stopping; signal db TERM main; "
                                         "arm db +700");
    kit_end(&k);
}

static void test_reset_of_a_failure(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    kit_begin(&k);
    kit_fail(&k, EVENT_SPAWN_FAILED, "db", EACCES, NULL);
    assert_string_equal(kit_state(&k, "db"), "failed");
    kit_effects(&k);
    kit_reports(&k);
    kit_tell(&k, EVENT_RESET, "db");
    assert_string_equal(kit_effects(&k), "db>stopped");
    assert_string_equal(kit_reports(&k), "db: [stopped] failure forgotten; stopped");
    assert_false(kit_view(&k, "db").want_up);
    kit_end(&k);
}

static void test_reset_of_counters(void **state)
{
    struct unit_view v;

    (void)state;
    begin_alone_up();
    for (int i = 0; i < 3; i++) {
        kit_died(&k, "web", kit_exit(1), 0);
        kit_wait(&k, 60000);
        kit_up(&k, "web");
    }
    v = kit_view(&k, "web");
    assert_int_equal(v.n_attempts, 3);
    assert_int_equal(v.n_restarts, 3);
    kit_effects(&k);
    kit_tell(&k, EVENT_RESET, "web");
    assert_string_equal(kit_effects(&k), "");
    v = kit_view(&k, "web");
    assert_int_equal(v.n_attempts, 0);
    assert_int_equal(v.n_restarts, 0);
    assert_int_equal(v.n_starts, 4);
    assert_true(v.start_settled);
    assert_true(v.want_up);
    kit_end(&k);
}

/* A delay that has begun goes on; the next one is fresh. */
static void test_reset_in_backoff(void **state)
{
    int64_t due;

    (void)state;
    begin_alone_up();
    for (int i = 0; i < 2; i++) {
        kit_died(&k, "web", kit_exit(1), 0);
        kit_wait(&k, 1000);
        kit_up(&k, "web");
    }
    kit_effects(&k);
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_effects(&k), "close web 3; web>backoff; arm web +2000");
    due = kit_view(&k, "web").timer_ms;
    assert_int_equal(due, k.now_ms + 2000);
    kit_tell(&k, EVENT_RESET, "web");
    assert_string_equal(kit_effects(&k), "");
    assert_int_equal(kit_view(&k, "web").timer_ms, due);
    kit_wait(&k, 2000);
    assert_int_equal(kit_view(&k, "web").timer_ms, -1);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_effects(&k), "close web 4; web>backoff; arm web +500");
    kit_end(&k);
}

/* Left-overs that a failed unit has adopted outlive the reset, and end with the unit at last. */
static void test_reset_keeps_left_overs(void **state)
{
    static const enum event_kind kinds[] = {EVENT_STOP, EVENT_SHUTDOWN, EVENT_KILL_NOW};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_alone_up();
        k.specs[0].restart.policy = SPEC_RESTART_NO;
        k.specs[0].orphans = SPEC_ORPHANS_ADOPT;
        kit_died(&k, "web", kit_exit(1), 2);
        kit_tell(&k, EVENT_RESET, "web");
        assert_string_equal(kit_state(&k, "web"), "stopped");
        kit_effects(&k);
        if (kinds[i] == EVENT_STOP)
            kit_tell(&k, EVENT_STOP, "web");
        else
            kit_shutdown(&k, kinds[i], 0);
        assert_string_equal(kit_effects(&k), kinds[i] == EVENT_KILL_NOW
                                                 ? "web>stopping; kill web all"
                                                 : "web>stopping; signal web TERM rest; arm web +10000");
        kit_tell(&k, EVENT_MEMBERS_GONE, "web");
        assert_string_equal(kit_state(&k, "web"), "stopped");
        assert_int_equal(k.over, kinds[i] != EVENT_STOP);
        kit_end(&k);
    }
}

/* Left-overs that are about to be ended when the reset comes are ended all the same. */
static void test_reset_while_left_overs_wait_for_their_end(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_STARTED);
    db()->orphans = SPEC_ORPHANS_ADOPT;
    bring_up();
    kit_died(&k, "db", kit_exit(1), 1);
    assert_string_equal(kit_state(&k, "db"), "failed");
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    kit_tell(&k, EVENT_RESET, "db");
    kit_effects(&k);
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped; db>stopping; signal db TERM rest; "
                                         "arm db +10000");
    kit_tell(&k, EVENT_MEMBERS_GONE, "db");
    assert_true(k.over);
    kit_end(&k);
}

/* exit_when: idle is for what ends by itself: what somebody has stopped may be started again. */
static void test_a_stop_is_not_idle(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    k.set.supervisor.exit_when = SPEC_EXIT_IDLE;
    web()->restart.policy = SPEC_RESTART_NO;
    bring_up();
    kit_tell(&k, EVENT_STOP, "db");
    kit_died(&k, "web", SIGTERM, 0);
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "db"), "stopped");
    assert_false(k.over);
    kit_tell(&k, EVENT_RESET, "db");
    assert_false(k.over);
    /* The dependent that went with it counts as well, until it is wanted again. */
    kit_tell(&k, EVENT_START, "db");
    kit_up(&k, "db");
    kit_died(&k, "db", 0, 0);
    assert_false(k.over);
    kit_tell(&k, EVENT_START, "web");
    kit_up(&k, "web");
    kit_died(&k, "web", 0, 0);
    assert_true(k.over);
    kit_end(&k);
}

static void test_stop_in_backoff_cancels_the_timer(void **state)
{
    (void)state;
    begin_alone_up();
    kit_died(&k, "web", kit_exit(1), 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "cancel web; web>stopped");
    kit_wait(&k, 100000);
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

static void test_stop_during_the_start(void **state)
{
    (void)state;
    begin_alone(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping");
    kit_spawned(&k, "web");
    assert_string_equal(kit_effects(&k), "signal web TERM main; arm web +10000");
    kit_tell(&k, EVENT_START, "web");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>waiting; web>starting; spawn web 2");
    kit_end(&k);
}

static void test_start_of_what_failed_clears_its_counters(void **state)
{
    (void)state;
    kit_init(&k);
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->restart.max_attempts = 1;
    kit_begin(&k);
    for (int i = 0; i < 2; i++) {
        kit_up(&k, "web");
        kit_died(&k, "web", kit_exit(1), 0);
        kit_wait(&k, 1000);
    }
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_int_equal(kit_view(&k, "web").n_attempts, 1);
    kit_tell(&k, EVENT_START, "web");
    assert_int_equal(kit_view(&k, "web").n_attempts, 0);
    assert_false(kit_view(&k, "web").start_settled);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_state(&k, "web"), "backoff");
    kit_end(&k);
}

/* A grace period goes with the stop that it was for, also when that is taken back. */
static void test_grace_of_a_stop_taken_back(void **state)
{
    (void)state;
    begin_pair_up();
    kit_tell_grace(&k, EVENT_STOP, "db", 700);
    kit_tell(&k, EVENT_START, "db");
    kit_died(&k, "web", SIGTERM, 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "db");
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_alone_leaves_dependents),
        cmocka_unit_test(test_stop_alone_waits_for_nobody),
        cmocka_unit_test(test_dependent_waits_for_what_was_stopped_alone),
        cmocka_unit_test(test_start_alone_waits_for_nothing),
        cmocka_unit_test(test_start_alone_ends_a_wait),
        cmocka_unit_test(test_grace_of_a_stop),
        cmocka_unit_test(test_no_grace_is_sigkill),
        cmocka_unit_test(test_grace_of_a_stop_under_way),
        cmocka_unit_test(test_grace_under_way_keeps_steps),
        cmocka_unit_test(test_grace_before_birth),
        cmocka_unit_test(test_grace_waits_for_dependents),
        cmocka_unit_test(test_grace_of_a_stop_taken_back),
        cmocka_unit_test(test_reset_of_a_failure),
        cmocka_unit_test(test_reset_of_counters),
        cmocka_unit_test(test_reset_in_backoff),
        cmocka_unit_test(test_reset_keeps_left_overs),
        cmocka_unit_test(test_reset_while_left_overs_wait_for_their_end),
        cmocka_unit_test(test_a_stop_is_not_idle),
        cmocka_unit_test(test_stop_in_backoff_cancels_the_timer),
        cmocka_unit_test(test_stop_during_the_start),
        cmocka_unit_test(test_start_of_what_failed_clears_its_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
