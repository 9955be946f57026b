/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The commands before a program and those when it is ready: what waits for them, what their failure means, and who may
 * cut them short.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_hooked.h"

static void test_pre_start(void **state)
{
    (void)state;
    begin_hooked(SPEC_HOOK_PRE_START);
    kit_begin(&k);
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; hooks web 1 pre_start");
    assert_int_equal(kit_view(&k, "web").hook, SPEC_HOOK_PRE_START);
    /* The time to be ready begins with the program. */
    kit_wait(&k, 1000000);
    assert_string_equal(kit_effects(&k), "");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "spawn web 1");
    assert_int_equal(kit_view(&k, "web").hook, SPEC_HOOK_N);
    kit_up(&k, "web");
    assert_string_equal(kit_effects(&k), "web>running; web>ready");
    kit_end(&k);
}

static void test_pre_start_fails(void **state)
{
    struct spec *s = begin_hooked(SPEC_HOOK_PRE_START);

    (void)state;
    kit_hook(s, SPEC_HOOK_POST_STOP);
    s->restart.max_attempts = 1;
    kit_begin(&k);
    kit_effects(&k);
    kit_hooks_done(&k, "web", false);
    assert_string_equal(kit_effects(&k), "web>stopping; hooks web 1 post_stop");
    assert_says("web: [hook] command failed; not starting it");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>backoff; arm web +500");
    kit_wait(&k, 500);
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; hooks web 2 pre_start");
    kit_hooks_done(&k, "web", false);
    kit_hooks_done(&k, "web", false);
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_says("web: [failed] gave up after 1 restart");
    kit_end(&k);
}

static void test_pre_start_fails_for_good(void **state)
{
    struct spec *s = begin_hooked(SPEC_HOOK_PRE_START);

    (void)state;
    s->restart.policy = SPEC_RESTART_NO;
    s->on_failure = SPEC_END_SHUTDOWN;
    kit_begin(&k);
    kit_effects(&k);
    kit_hooks_done(&k, "web", false);
    assert_string_equal(kit_effects(&k), "close web 1; web>failed; exit 1");
    assert_says("web: [failed] failed: pre_start failed");
    kit_end(&k);
}

static void test_dependents_of_a_failed_pre_start(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_STARTED);
    kit_hook(db(), SPEC_HOOK_PRE_START);
    kit_begin(&k);
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_hooks_done(&k, "db", false);
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_says("web: [failed] dependency db failed to start");
    kit_end(&k);
}

/* Somebody who asks for the end of a service that prepares itself does not wait for that. */
static void test_stop_in_pre_start(void **state)
{
    (void)state;
    for (int wound_up = 0; wound_up < 2; wound_up++) {
        struct spec *s = begin_hooked(SPEC_HOOK_PRE_START);
        if (wound_up)
            kit_hook(s, SPEC_HOOK_POST_STOP);
        kit_begin(&k);
        kit_effects(&k);
        kit_tell(&k, EVENT_STOP, "web");
        assert_says("web: [stopping] stopping");
        if (wound_up) {
            assert_string_equal(kit_effects(&k), "end-hooks web; web>stopping; hooks web 1 post_stop");
            kit_hooks_done(&k, "web", true);
            assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
        } else {
            assert_string_equal(kit_effects(&k), "end-hooks web; web>stopping; close web 1; web>stopped");
        }
        kit_end(&k);
    }
}

static void test_restart_in_pre_start(void **state)
{
    (void)state;
    begin_hooked(SPEC_HOOK_PRE_START);
    kit_begin(&k);
    kit_effects(&k);
    kit_tell(&k, EVENT_RESTART, "web");
    assert_string_equal(kit_effects(&k), "end-hooks web; web>stopping; close web 1; web>waiting; web>starting; "
                                         "hooks web 2 pre_start");
    kit_end(&k);
}

static void test_shutdown_in_pre_start(void **state)
{
    static const enum event_kind kinds[] = {EVENT_SHUTDOWN, EVENT_KILL_NOW};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_hooked(SPEC_HOOK_PRE_START);
        kit_begin(&k);
        kit_effects(&k);
        kit_shutdown(&k, kinds[i], 3);
        assert_string_equal(kit_effects(&k), "end-hooks web; web>stopping; close web 1; web>stopped; exit 3");
        kit_end(&k);
    }
}

/* A service that prepares itself and is to stop behind its dependents does not start its program meanwhile. */
static void test_pre_start_ends_while_the_stop_waits(void **state)
{
    (void)state;
    for (int ok = 0; ok < 2; ok++) {
        begin_pair_up();
        kit_hook(db(), SPEC_HOOK_PRE_START);
        kit_tell_alone(&k, EVENT_RESTART, "db");
        kit_died(&k, "db", SIGTERM, 0);
        assert_int_equal(kit_view(&k, "db").hook, SPEC_HOOK_PRE_START);
        kit_tell(&k, EVENT_STOP, "db");
        assert_true(kit_view(&k, "db").pending);
        kit_effects(&k);
        kit_hooks_done(&k, "db", ok);
        assert_string_equal(kit_effects(&k), "close db 3; db>stopped");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), "stopped");
        kit_end(&k);
    }
}

/* What an earlier run has left behind is ended with the stop, and does not outlive a shutdown. */
static void test_left_overs_behind_pre_start(void **state)
{
    static const enum event_kind kinds[] = {EVENT_STOP, EVENT_SHUTDOWN, EVENT_KILL_NOW};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct spec *s = begin_hooked(SPEC_HOOK_PRE_START);
        s->orphans = SPEC_ORPHANS_ADOPT;
        kit_begin(&k);
        kit_hooks_done(&k, "web", true);
        kit_up(&k, "web");
        kit_died(&k, "web", kit_exit(1), 1);
        kit_wait(&k, 500);
        assert_int_equal(kit_view(&k, "web").hook, SPEC_HOOK_PRE_START);
        kit_effects(&k);
        kit_tell(&k, kinds[i], "web");
        assert_string_equal(kit_effects(&k), kinds[i] == EVENT_KILL_NOW
                                                 ? "end-hooks web; web>stopping; kill web all"
                                                 : "end-hooks web; web>stopping; signal web TERM rest; arm web +10000");
        kit_tell(&k, EVENT_MEMBERS_GONE, "web");
        assert_string_equal(kit_state(&k, "web"), "stopped");
        kit_end(&k);
    }
}

static void test_post_start(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_NOTIFY, SPEC_COND_READY);
    kit_hook(db(), SPEC_HOOK_POST_START);
    kit_begin(&k);
    kit_up(&k, "db");
    kit_effects(&k);
    kit_tell(&k, EVENT_READY, "db");
    assert_string_equal(kit_effects(&k), "cancel db; hooks db 1 post_start");
    kit_wait(&k, 1000000);
    kit_tell(&k, EVENT_READY, "db");
    kit_tell(&k, EVENT_UNREADY, "db");
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_hooks_done(&k, "db", true);
    assert_string_equal(kit_effects(&k), "db>ready; web>starting; spawn web 2");
    kit_end(&k);
}

static void test_post_start_fails(void **state)
{
    struct spec *s = begin_hooked_up(SPEC_HOOK_POST_START);

    (void)state;
    s->restart.policy = SPEC_RESTART_NO;
    kit_hook(s, SPEC_HOOK_PRE_STOP);
    kit_hook(s, SPEC_HOOK_POST_STOP);
    kit_hooks_done(&k, "web", false);
    /* It was never ready: nothing is to be done before its stop. */
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    assert_says("web: [hook] command failed; stopping it");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "cancel web; hooks web 1 post_stop s15");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_says("web: [failed] failed: post_start failed");
    kit_end(&k);
}

static void test_end_in_post_start(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_POST_START);
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_effects(&k), "end-hooks web; close web 1; web>done");
    kit_end(&k);
    begin_hooked_up(SPEC_HOOK_POST_START);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "end-hooks web; web>stopping; signal web TERM main; arm web +10000");
    kit_end(&k);
    begin_hooked_up(SPEC_HOOK_POST_START);
    kit_died(&k, "web", kit_exit(0), 1);
    assert_string_equal(kit_effects(&k), "end-hooks web; web>stopping; signal web TERM rest; arm web +10000");
    kit_end(&k);
}

/* What was asked for at another point, or for another run, is no news. */
static void test_late_reports(void **state)
{
    struct spec *s = begin_hooked(SPEC_HOOK_PRE_START);
    struct event late;

    (void)state;
    kit_hook(s, SPEC_HOOK_POST_START);
    kit_begin(&k);
    late = kit_event(&k, EVENT_HOOKS_DONE, "web");
    late.hook = SPEC_HOOK_PRE_START;
    late.ok = true;
    kit_tell(&k, EVENT_RESTART, "web");
    kit_effects(&k);
    kit_post(&k, &late);
    assert_string_equal(kit_effects(&k), "");
    kit_hooks_done(&k, "web", true);
    kit_up(&k, "web");
    kit_effects(&k);
    late.run = kit_view(&k, "web").run;
    kit_post(&k, &late);
    assert_string_equal(kit_effects(&k), "");
    assert_int_equal(kit_view(&k, "web").hook, SPEC_HOOK_POST_START);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pre_start),
        cmocka_unit_test(test_pre_start_fails),
        cmocka_unit_test(test_pre_start_fails_for_good),
        cmocka_unit_test(test_dependents_of_a_failed_pre_start),
        cmocka_unit_test(test_stop_in_pre_start),
        cmocka_unit_test(test_restart_in_pre_start),
        cmocka_unit_test(test_shutdown_in_pre_start),
        cmocka_unit_test(test_pre_start_ends_while_the_stop_waits),
        cmocka_unit_test(test_left_overs_behind_pre_start),
        cmocka_unit_test(test_post_start),
        cmocka_unit_test(test_post_start_fails),
        cmocka_unit_test(test_end_in_post_start),
        cmocka_unit_test(test_late_reports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
