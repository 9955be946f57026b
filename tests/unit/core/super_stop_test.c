/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The stop of a unit in every mode, from every state, and what an operator asks for meanwhile.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_kit.h"

#include <errno.h>

static struct kit k;

static struct spec *begin_one(void)
{
    kit_init(&k);
    return kit_service(&k, "web", SPEC_TYPE_SIMPLE);
}

/* Starts it and forgets what that led to. */
static void bring_up(void)
{
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
}

static void test_stop_without_members(void **state)
{
    (void)state;
    begin_one();
    bring_up();
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    assert_string_equal(kit_reports(&k), "web: [stopping] stopping (SIGTERM, SIGKILL after 10 s)");
    kit_died(&k, "web", kit_exit(3), 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped");
    assert_string_equal(kit_reports(&k), "web: [exited] exited with code 3 after 0 ms | web: [stopped] stopped");
    assert_false(kit_view(&k, "web").want_up);
    kit_end(&k);
}

/* What each kill mode does with a main process that leaves members behind, and with what does not end. */
static void test_kill_modes(void **state)
{
    static const struct {
        enum spec_kill_mode mode;
        enum spec_orphans orphans;
        const char *on_stop;
        const char *on_main_gone;
        const char *on_deadline;
        const char *on_members_gone;
    } cases[] = {
        {SPEC_KILL_MIXED, SPEC_ORPHANS_KILL, "web>stopping; signal web TERM main; arm web +10000",
         "signal web TERM rest", "kill web all", "close web 1; web>stopped"},
        {SPEC_KILL_TREE, SPEC_ORPHANS_KILL, "web>stopping; signal web TERM all; arm web +10000", "", "kill web all",
         "close web 1; web>stopped"},
        {SPEC_KILL_MAIN, SPEC_ORPHANS_KILL, "web>stopping; signal web TERM main; arm web +10000",
         "close web 1; cancel web; web>stopped", "", ""},
        {SPEC_KILL_MIXED, SPEC_ORPHANS_ADOPT, "web>stopping; signal web TERM main; arm web +10000",
         "signal web TERM rest", "kill web all", "close web 1; web>stopped"},
        {SPEC_KILL_MIXED, SPEC_ORPHANS_IGNORE, "web>stopping; signal web TERM main; arm web +10000",
         "close web 1; cancel web; web>stopped", "", ""},
        {SPEC_KILL_TREE, SPEC_ORPHANS_IGNORE, "web>stopping; signal web TERM all; arm web +10000",
         "close web 1; cancel web; web>stopped", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec *s = begin_one();
        s->kill_mode = cases[i].mode;
        s->orphans = cases[i].orphans;
        bring_up();
        kit_tell(&k, EVENT_STOP, "web");
        assert_string_equal(kit_effects(&k), cases[i].on_stop);
        kit_died(&k, "web", SIGTERM, 2);
        assert_string_equal(kit_effects(&k), cases[i].on_main_gone);
        kit_wait(&k, 10000);
        assert_string_equal(kit_effects(&k), cases[i].on_deadline);
        kit_tell(&k, EVENT_MEMBERS_GONE, "web");
        assert_string_equal(kit_effects(&k), cases[i].on_members_gone);
        kit_end(&k);
    }
}

static void test_deadline_with_a_main_process(void **state)
{
    static const struct {
        enum spec_kill_mode mode;
        enum spec_orphans orphans;
        const char *effects;
    } cases[] = {
        {SPEC_KILL_MIXED, SPEC_ORPHANS_KILL, "kill web all"},  {SPEC_KILL_TREE, SPEC_ORPHANS_KILL, "kill web all"},
        {SPEC_KILL_MAIN, SPEC_ORPHANS_KILL, "kill web main"},  {SPEC_KILL_MIXED, SPEC_ORPHANS_IGNORE, "kill web main"},
        {SPEC_KILL_TREE, SPEC_ORPHANS_IGNORE, "kill web all"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec *s = begin_one();
        s->kill_mode = cases[i].mode;
        s->orphans = cases[i].orphans;
        bring_up();
        kit_tell(&k, EVENT_STOP, "web");
        kit_effects(&k);
        kit_wait(&k, 9999);
        assert_string_equal(kit_effects(&k), "");
        kit_wait(&k, 1);
        assert_string_equal(kit_effects(&k), cases[i].effects);
        kit_died(&k, "web", SIGKILL, 0);
        assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
        kit_end(&k);
    }
}

static void test_steps(void **state)
{
    static struct spec_stop_step steps[] = {{SIGQUIT, 2000}, {SIGTERM, 3000}, {SIGINT, 1}};
    struct spec *s = begin_one();

    (void)state;
    s->stop_signal = steps;
    s->n_stop_signal = ARRAY_LEN(steps);
    bring_up();
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web QUIT main; arm web +2000");
    kit_wait(&k, 2000);
    assert_string_equal(kit_effects(&k), "signal web TERM main; arm web +3000");
    kit_died(&k, "web", SIGTERM, 1);
    assert_string_equal(kit_effects(&k), "signal web TERM rest");
    kit_wait(&k, 3000);
    assert_string_equal(kit_effects(&k), "signal web INT rest; arm web +5000");
    kit_wait(&k, 5000);
    assert_string_equal(kit_effects(&k), "kill web all");
    kit_end(&k);
}

static void test_steps_longer_than_the_grace_period(void **state)
{
    static struct spec_stop_step steps[] = {{SIGQUIT, 8000}, {SIGTERM, 8000}, {SIGINT, -1}};
    struct spec *s = begin_one();

    (void)state;
    s->stop_signal = steps;
    s->n_stop_signal = ARRAY_LEN(steps);
    bring_up();
    kit_tell(&k, EVENT_STOP, "web");
    kit_wait(&k, 8000);
    kit_effects(&k);
    kit_wait(&k, 2000);
    assert_string_equal(kit_effects(&k), "kill web all");
    kit_end(&k);
}

static void test_step_for_the_rest_of_the_grace_period(void **state)
{
    static struct spec_stop_step steps[] = {{SIGQUIT, -1}, {SIGTERM, -1}};
    struct spec *s = begin_one();

    (void)state;
    s->stop_signal = steps;
    s->n_stop_signal = ARRAY_LEN(steps);
    bring_up();
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web QUIT main; arm web +10000");
    kit_wait(&k, 10000);
    assert_string_equal(kit_effects(&k), "kill web all");
    kit_end(&k);
}

static void test_no_grace(void **state)
{
    begin_one()->stop_grace_period_ms = 0;

    (void)state;
    bring_up();
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; kill web all");
    assert_string_equal(kit_reports(&k), "web: [stopping] stopping (SIGKILL)");
    kit_died(&k, "web", SIGKILL, 2);
    assert_string_equal(kit_effects(&k), "");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
    kit_end(&k);
}

static void test_stop_before_there_is_a_process(void **state)
{
    (void)state;
    begin_one();
    kit_begin(&k);
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping");
    k.now_ms += 5000;
    kit_spawned(&k, "web");
    assert_string_equal(kit_effects(&k), "signal web TERM main; arm web +10000");
    kit_tell(&k, EVENT_EXEC_OK, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped");
    kit_end(&k);
}

static void test_stop_before_exec_is_confirmed(void **state)
{
    (void)state;
    begin_one();
    kit_begin(&k);
    kit_spawned(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_fail(&k, EVENT_EXEC_FAILED, "web", ENOENT, "x");
    kit_died(&k, "web", kit_exit(127), 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped");
    assert_string_equal(kit_reports(&k),
                        "web: [stopping] stopping (SIGTERM, SIGKILL after 10 s) | web: [stopped] stopped");
    kit_end(&k);
}

static void test_stop_and_no_process_comes(void **state)
{
    (void)state;
    begin_one();
    kit_begin(&k);
    kit_tell(&k, EVENT_STOP, "web");
    kit_effects(&k);
    kit_fail(&k, EVENT_SPAWN_FAILED, "web", EAGAIN, NULL);
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
    kit_end(&k);
}

static void test_stop_in_backoff(void **state)
{
    (void)state;
    begin_one();
    bring_up();
    kit_died(&k, "web", kit_exit(1), 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "cancel web; web>stopped");
    kit_wait(&k, 100000);
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

static void test_start_in_backoff(void **state)
{
    static const enum event_kind kinds[] = {EVENT_START, EVENT_RESTART};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_one();
        bring_up();
        kit_died(&k, "web", kit_exit(1), 0);
        kit_effects(&k);
        kit_tell(&k, kinds[i], "web");
        assert_string_equal(kit_effects(&k), "cancel web; web>waiting; web>starting; spawn web 2");
        assert_int_equal(kit_view(&k, "web").n_restarts, 0);
        kit_end(&k);
    }
}

static void test_restart(void **state)
{
    (void)state;
    begin_one();
    bring_up();
    kit_tell(&k, EVENT_RESTART, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    assert_string_equal(kit_reports(&k), "web: [stopping] restarting: stopping (SIGTERM, SIGKILL after 10 s)");
    kit_tell(&k, EVENT_RESTART, "web");
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>waiting; web>starting; spawn web 2");
    assert_int_equal(kit_view(&k, "web").n_restarts, 0);
    kit_end(&k);
}

static void test_the_last_word_counts_while_stopping(void **state)
{
    static const struct {
        enum event_kind words[4];
        size_t n;
        const char *end;
    } cases[] = {
        {{EVENT_STOP, EVENT_START}, 2, "starting"},
        {{EVENT_STOP, EVENT_START, EVENT_STOP}, 3, "stopped"},
        {{EVENT_RESTART, EVENT_STOP}, 2, "stopped"},
        {{EVENT_RESTART, EVENT_STOP, EVENT_RESTART}, 3, "starting"},
        {{EVENT_STOP, EVENT_STOP}, 2, "stopped"},
        {{EVENT_RESTART, EVENT_STOP, EVENT_START, EVENT_STOP}, 4, "stopped"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_one();
        bring_up();
        for (size_t w = 0; w < cases[i].n; w++)
            kit_tell(&k, cases[i].words[w], "web");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), cases[i].end);
        kit_end(&k);
    }
}

static void test_start_of_what_is_up_is_joined(void **state)
{
    (void)state;
    begin_one();
    kit_begin(&k);
    kit_effects(&k);
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_up(&k, "web");
    kit_effects(&k);
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

static void test_stop_while_left_overs_are_cleared(void **state)
{
    (void)state;
    begin_one();
    bring_up();
    kit_died(&k, "web", kit_exit(1), 1);
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped");
    kit_end(&k);
}

/* Adopted left-overs of earlier runs: a stop of the unit includes them, whatever state it is in. */
static void test_stop_includes_adopted_left_overs(void **state)
{
    begin_one()->orphans = SPEC_ORPHANS_ADOPT;

    (void)state;
    bring_up();
    kit_died(&k, "web", kit_exit(1), 2);
    kit_effects(&k);
    kit_reports(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "cancel web; web>stopping; signal web TERM rest; arm web +10000");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "cancel web; web>stopped");

    kit_tell(&k, EVENT_START, "web");
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(1), 2);
    kit_wait(&k, 500);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000; signal web TERM rest");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 3; cancel web; web>stopped");
    kit_end(&k);
}

static void test_stop_of_a_done_unit_with_left_overs(void **state)
{
    begin_one()->orphans = SPEC_ORPHANS_ADOPT;

    (void)state;
    bring_up();
    kit_died(&k, "web", 0, 1);
    assert_string_equal(kit_state(&k, "web"), "done");
    kit_effects(&k);
    kit_reports(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM rest; arm web +10000");
    assert_string_equal(kit_reports(&k), "web: [stopping] ending left-over processes (SIGTERM, SIGKILL after 10 s)");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "cancel web; web>done");
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

static void test_a_failed_child_does_not_wait_for_adopted_left_overs(void **state)
{
    struct spec *s = begin_one();

    (void)state;
    s->orphans = SPEC_ORPHANS_ADOPT;
    bring_up();
    kit_died(&k, "web", kit_exit(1), 1);
    kit_wait(&k, 500);
    kit_spawned(&k, "web");
    kit_fail(&k, EVENT_EXEC_FAILED, "web", ENOMEM, NULL);
    kit_effects(&k);
    kit_died(&k, "web", kit_exit(127), 0);
    assert_string_equal(kit_effects(&k), "close web 2; web>backoff; arm web +100");
    kit_wait(&k, 100);
    kit_spawned(&k, "web");
    kit_fail(&k, EVENT_EXEC_FAILED, "web", ENOMEM, NULL);
    kit_tell(&k, EVENT_STOP, "web");
    kit_effects(&k);
    kit_died(&k, "web", kit_exit(127), 0);
    assert_string_equal(kit_effects(&k), "signal web TERM rest; arm web +10000");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 3; cancel web; web>stopped");
    kit_end(&k);
}

static void test_kill_now(void **state)
{
    (void)state;
    begin_one();
    bring_up();
    kit_shutdown(&k, EVENT_KILL_NOW, 5);
    assert_string_equal(kit_effects(&k), "web>stopping; kill web all");
    kit_shutdown(&k, EVENT_KILL_NOW, 6);
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", SIGKILL, 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped; exit 5");
    kit_end(&k);
}

static void test_kill_now_before_there_is_a_process(void **state)
{
    (void)state;
    begin_one();
    kit_begin(&k);
    kit_effects(&k);
    kit_shutdown(&k, EVENT_KILL_NOW, 0);
    assert_string_equal(kit_effects(&k), "web>stopping");
    kit_spawned(&k, "web");
    assert_string_equal(kit_effects(&k), "kill web all");
    kit_end(&k);
}

static void test_kill_now_during_a_stop(void **state)
{
    (void)state;
    begin_one();
    bring_up();
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    kit_effects(&k);
    kit_reports(&k);
    kit_shutdown(&k, EVENT_KILL_NOW, 0);
    assert_string_equal(kit_effects(&k), "kill web all");
    assert_string_equal(kit_reports(&k), "web: [killed] sending SIGKILL");
    kit_end(&k);
}

static void test_kill_now_with_nothing_running(void **state)
{
    (void)state;
    begin_one()->autostart = false;
    kit_begin(&k);
    kit_shutdown(&k, EVENT_KILL_NOW, 3);
    assert_string_equal(kit_effects(&k), "exit 3");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_without_members),
        cmocka_unit_test(test_kill_modes),
        cmocka_unit_test(test_deadline_with_a_main_process),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_steps_longer_than_the_grace_period),
        cmocka_unit_test(test_step_for_the_rest_of_the_grace_period),
        cmocka_unit_test(test_no_grace),
        cmocka_unit_test(test_stop_before_there_is_a_process),
        cmocka_unit_test(test_stop_before_exec_is_confirmed),
        cmocka_unit_test(test_stop_and_no_process_comes),
        cmocka_unit_test(test_stop_in_backoff),
        cmocka_unit_test(test_start_in_backoff),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_the_last_word_counts_while_stopping),
        cmocka_unit_test(test_start_of_what_is_up_is_joined),
        cmocka_unit_test(test_stop_while_left_overs_are_cleared),
        cmocka_unit_test(test_stop_includes_adopted_left_overs),
        cmocka_unit_test(test_stop_of_a_done_unit_with_left_overs),
        cmocka_unit_test(test_a_failed_child_does_not_wait_for_adopted_left_overs),
        cmocka_unit_test(test_kill_now),
        cmocka_unit_test(test_kill_now_before_there_is_a_process),
        cmocka_unit_test(test_kill_now_during_a_stop),
        cmocka_unit_test(test_kill_now_with_nothing_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
