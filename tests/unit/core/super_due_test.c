/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules: who waits for its time, what happens when that comes at a bad moment, and what somebody may do meanwhile.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

static struct spec *begin_scheduled(enum spec_overlap overlap)
{
    struct spec *s = begin_alone(SPEC_TYPE_ONESHOT);

    s->restart.policy = SPEC_RESTART_NO;
    s->schedule = (struct spec_schedule){.every_ms = 60000, .overlap = overlap};
    return s;
}

/* A job "web" that waits for its time. */
static struct spec *begin_waiting(enum spec_overlap overlap)
{
    struct spec *s = begin_scheduled(overlap);

    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "web>waiting");
    return s;
}

/* A run of it goes on. */
static struct spec *begin_running(enum spec_overlap overlap)
{
    struct spec *s = begin_waiting(overlap);

    kit_tell(&k, EVENT_DUE, "web");
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    return s;
}

static void test_turns(void **state)
{
    (void)state;
    begin_waiting(SPEC_OVERLAP_SKIP);
    /* Who waits for his time keeps nobody waiting. */
    assert_true(super_is_settled(k.super));
    kit_wait(&k, 1000000);
    assert_string_equal(kit_effects(&k), "");
    for (int run = 1; run < 4; run++) {
        char expected[64];
        kit_tell(&k, EVENT_DUE, "web");
        snprintf(expected, sizeof expected, "%sweb>starting; spawn web %d", run > 1 ? "web>waiting; " : "", run);
        assert_string_equal(kit_effects(&k), expected);
        kit_up(&k, "web");
        assert_false(super_is_settled(k.super));
        /* The next one runs whatever became of the last. */
        kit_died(&k, "web", kit_exit(run == 2), 0);
        assert_string_equal(kit_state(&k, "web"), run == 2 ? "failed" : "done");
        assert_true(super_is_settled(k.super));
        kit_effects(&k);
    }
    kit_end(&k);
}

static void test_overlap_skip(void **state)
{
    (void)state;
    begin_running(SPEC_OVERLAP_SKIP);
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_reports(&k), "web: [scheduled] due while its last run goes on: left out");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>done");
    kit_end(&k);
}

static void test_overlap_queue(void **state)
{
    (void)state;
    begin_running(SPEC_OVERLAP_QUEUE);
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_reports(&k), "web: [scheduled] due while its last run goes on: will run behind that");
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_reports(&k), "web: [scheduled] due while one more run is due already: left out");
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>failed; web>waiting; web>starting; spawn web 2");
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_state(&k, "web"), "done");
    kit_end(&k);
}

/* One turn is one turn, however many attempts it takes; the one behind it is another. */
static void test_attempts(void **state)
{
    (void)state;
    for (int overlap = 0; overlap < SPEC_OVERLAP_N; overlap++) {
        struct spec *s = begin_running((enum spec_overlap)overlap);
        s->restart.policy = SPEC_RESTART_ON_FAILURE;
        s->restart.max_attempts = 1;
        kit_died(&k, "web", kit_exit(1), 0);
        assert_string_equal(kit_state(&k, "web"), "backoff");
        kit_tell(&k, EVENT_DUE, "web");
        kit_wait(&k, 500);
        kit_up(&k, "web");
        kit_effects(&k);
        kit_died(&k, "web", kit_exit(1), 0);
        assert_string_equal(kit_effects(&k), overlap == SPEC_OVERLAP_SKIP
                                                 ? "close web 2; web>failed"
                                                 : "close web 2; web>failed; web>waiting; web>starting; spawn web 3");
        kit_end(&k);
    }
}

static void test_dependencies(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    web()->type = SPEC_TYPE_ONESHOT;
    web()->schedule.every_ms = 60000;
    kit_begin(&k);
    kit_effects(&k);
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_effects(&k), "");
    /* It has not even begun: there is nothing that could be behind it. */
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_reports(&k), "web: [scheduled] due while one more run is due already: left out");
    kit_up(&k, "db");
    assert_string_equal(kit_effects(&k), "db>running; db>ready; web>starting; spawn web 2");
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    kit_died(&k, "db", kit_exit(1), 0);
    /* With nothing to stand on its turn fails, and the next one is judged anew. */
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_state(&k, "web"), "failed");
    kit_tell(&k, EVENT_START, "db");
    kit_up(&k, "db");
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

/* Who merely wants to come behind it does not wait until tomorrow. */
static void test_dependents(void **state)
{
    (void)state;
    for (int required = 0; required < 2; required++) {
        begin_pair(SPEC_TYPE_ONESHOT, SPEC_COND_COMPLETED_OK)->required = required;
        db()->schedule.every_ms = 60000;
        kit_begin(&k);
        assert_string_equal(kit_state(&k, "db"), "waiting");
        assert_string_equal(kit_state(&k, "web"), required ? "waiting" : "starting");
        kit_end(&k);
    }
}

/* Somebody who asks for it does not wait for its time. */
static void test_by_hand(void **state)
{
    static const enum event_kind kinds[] = {EVENT_START, EVENT_RESTART};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_waiting(SPEC_OVERLAP_SKIP);
        kit_tell(&k, kinds[i], "web");
        assert_string_equal(kit_effects(&k), "web>starting; spawn web 1");
        kit_up(&k, "web");
        kit_died(&k, "web", kit_exit(0), 0);
        kit_effects(&k);
        kit_tell_alone(&k, kinds[i], "web");
        assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 2");
        kit_end(&k);
    }
}

static void test_stopped(void **state)
{
    (void)state;
    begin_waiting(SPEC_OVERLAP_SKIP);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopped");
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_reports(&k), "web: [stopped] stopped");
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 1");
    kit_end(&k);
}

/* A stop takes what was queued with it. */
static void test_stopped_while_it_runs(void **state)
{
    (void)state;
    begin_running(SPEC_OVERLAP_QUEUE);
    kit_tell(&k, EVENT_DUE, "web");
    kit_tell(&k, EVENT_STOP, "web");
    kit_tell(&k, EVENT_DUE, "web");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "web"), "stopped");
    kit_effects(&k);
    kit_tell(&k, EVENT_START, "web");
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_state(&k, "web"), "done");
    kit_end(&k);
}

static void test_restarted_while_it_runs(void **state)
{
    static const enum event_kind kinds[] = {EVENT_START, EVENT_RESTART};

    (void)state;
    begin_running(SPEC_OVERLAP_SKIP);
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_tell(&k, EVENT_RESTART, "web");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_running(SPEC_OVERLAP_SKIP);
        kit_tell(&k, EVENT_STOP, "web");
        kit_tell(&k, kinds[i], "web");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), "starting");
        kit_end(&k);
    }
}

static void test_instances(void **state)
{
    (void)state;
    begin_scheduled(SPEC_OVERLAP_SKIP)->scale = 2;
    kit_begin(&k);
    kit_tell(&k, EVENT_DUE, "web.2");
    assert_string_equal(kit_state(&k, "web.1"), "waiting");
    assert_string_equal(kit_state(&k, "web.2"), "starting");
    kit_tell(&k, EVENT_DUE, "web.1");
    assert_string_equal(kit_state(&k, "web.1"), "starting");
    kit_end(&k);
}

/* As long as something is due to run, now or some day, it is not over. */
static void test_idle(void **state)
{
    struct spec *s = begin_scheduled(SPEC_OVERLAP_SKIP);

    (void)state;
    s->on_failure = SPEC_END_IGNORE;
    k.set.supervisor.exit_when = SPEC_EXIT_IDLE;
    kit_begin(&k);
    kit_tell(&k, EVENT_DUE, "web");
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_state(&k, "web"), "done");
    assert_false(k.over);
    kit_tell(&k, EVENT_DUE, "web");
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(4), 0);
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_false(k.over);
    kit_end(&k);
}

static void test_shutdown(void **state)
{
    (void)state;
    begin_waiting(SPEC_OVERLAP_SKIP);
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    assert_string_equal(kit_effects(&k), "web>stopped; exit 0");
    kit_end(&k);
    begin_running(SPEC_OVERLAP_QUEUE);
    kit_tell(&k, EVENT_DUE, "web");
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    kit_tell(&k, EVENT_DUE, "web");
    kit_effects(&k);
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped; exit 0");
    kit_end(&k);
}

static void test_not_for_others(void **state)
{
    (void)state;
    begin_alone(SPEC_TYPE_ONESHOT);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

/* A schedule that comes counts from the next run on; one that goes leaves nothing to wait for. */
static void test_replaced(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_alone(SPEC_TYPE_ONESHOT);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    c = kit_edit(&k);
    kit_spec(c, "web")->schedule.every_ms = 60000;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>done");
    kit_tell(&k, EVENT_DUE, "web");
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 2");
    kit_end(&k);
    begin_waiting(SPEC_OVERLAP_SKIP);
    c = kit_edit(&k);
    kit_spec(c, "web")->schedule.every_ms = 0;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; web>starting; spawn web 1");
    kit_end(&k);
}

/* A job that restarts for a new configuration waits for its time as before; a turn that was cut off is made up for. */
static void test_changed(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_waiting(SPEC_OVERLAP_SKIP);
    c = kit_edit(&k);
    kit_change(c, "web");
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "web>stopped; replaced; web>waiting");
    kit_end(&k);
    begin_running(SPEC_OVERLAP_SKIP);
    c = kit_edit(&k);
    kit_change(c, "web");
    kit_replace(&k, c);
    kit_effects(&k);
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped; replaced; web>waiting; web>starting; "
                                         "spawn web 2");
    kit_end(&k);
}

/* A turn that comes while a new configuration is on its way is taken in that. */
static void test_due_while_held(void **state)
{
    (void)state;
    for (int wanted = 0; wanted < 2; wanted++) {
        struct kit_config *c;
        begin_waiting(SPEC_OVERLAP_SKIP);
        if (!wanted)
            kit_tell(&k, EVENT_STOP, "web");
        c = kit_edit(&k);
        kit_change(c, "web");
        kit_effects(&k);
        kit_begin_replace(&k, c);
        kit_say(&k, EVENT_DUE, "web");
        kit_drain(&k);
        assert_string_equal(kit_effects(&k),
                            wanted ? "web>stopped; replaced; web>waiting; web>starting; spawn web 1" : "replaced");
        kit_end(&k);
    }
}

static void test_asked_for_while_held(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_running(SPEC_OVERLAP_SKIP);
    kit_tell(&k, EVENT_STOP, "web");
    c = kit_edit(&k);
    kit_change(c, "web");
    kit_replace(&k, c);
    kit_tell(&k, EVENT_START, "web");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_overlap_skip),
        cmocka_unit_test(test_overlap_queue),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_dependencies),
        cmocka_unit_test(test_dependents),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_stopped_while_it_runs),
        cmocka_unit_test(test_restarted_while_it_runs),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_not_for_others),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_due_while_held),
        cmocka_unit_test(test_asked_for_while_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
