/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The commands before a stop and those behind a run: when they run, what waits for them, and who may cut them short.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_hooked.h"

static void test_pre_stop(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_PRE_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; hooks web 1 pre_stop");
    /* The grace period begins with the first signal, whatever the commands take. */
    kit_wait(&k, 1000000);
    assert_string_equal(kit_effects(&k), "");
    kit_hooks_done(&k, "web", false);
    assert_says("web: [hook] command failed");
    assert_string_equal(kit_effects(&k), "signal web TERM main; arm web +10000");
    kit_wait(&k, 10000);
    assert_string_equal(kit_effects(&k), "kill web all");
    kit_end(&k);
}

/* Only a run that was ready has something to take leave of. */
static void test_pre_stop_of_the_unready(void **state)
{
    struct spec *s = begin_alone(SPEC_TYPE_NOTIFY);

    (void)state;
    kit_hook(s, SPEC_HOOK_PRE_STOP);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "cancel web; web>stopping; signal web TERM main; arm web +10000");
    kit_end(&k);
}

static void test_end_in_pre_stop(void **state)
{
    (void)state;
    for (int left = 0; left < 2; left++)
        for (int gone_first = 0; gone_first < 2; gone_first++) {
            begin_hooked_up(SPEC_HOOK_PRE_STOP);
            kit_tell(&k, EVENT_STOP, "web");
            kit_effects(&k);
            kit_died(&k, "web", kit_exit(0), (size_t)left);
            if (gone_first || !left)
                kit_tell(&k, EVENT_MEMBERS_GONE, "web");
            assert_string_equal(kit_effects(&k), "");
            kit_hooks_done(&k, "web", true);
            if (left && !gone_first) {
                assert_string_equal(kit_effects(&k), "signal web TERM rest; arm web +10000");
                kit_tell(&k, EVENT_MEMBERS_GONE, "web");
                assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped");
            } else {
                assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
            }
            kit_end(&k);
        }
}

/* A run that ends by itself has nothing run before its stop. */
static void test_no_pre_stop_behind_the_end(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_PRE_STOP);
    kit_died(&k, "web", kit_exit(1), 1);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM rest; arm web +10000");
    kit_end(&k);
}

static void test_pre_stop_cut_short(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_PRE_STOP);
    kit_tell_grace(&k, EVENT_STOP, "web", 0);
    assert_string_equal(kit_effects(&k), "web>stopping; kill web all");
    kit_end(&k);
    begin_hooked_up(SPEC_HOOK_PRE_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    kit_effects(&k);
    kit_tell_grace(&k, EVENT_STOP, "web", 0);
    assert_string_equal(kit_effects(&k), "end-hooks web; kill web all");
    kit_end(&k);
    begin_hooked_up(SPEC_HOOK_PRE_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    kit_effects(&k);
    kit_shutdown(&k, EVENT_KILL_NOW, 0);
    assert_string_equal(kit_effects(&k), "end-hooks web; kill web all");
    kit_died(&k, "web", SIGKILL, 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped; exit 0");
    kit_end(&k);
}

/* When nothing is left of it, SIGKILL has nobody to go to. */
static void test_pre_stop_of_the_dead_cut_short(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_PRE_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    kit_effects(&k);
    kit_tell_grace(&k, EVENT_STOP, "web", 0);
    assert_string_equal(kit_effects(&k), "end-hooks web; close web 1; web>stopped");
    kit_end(&k);
}

static void test_another_grace_period_in_pre_stop(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_PRE_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    kit_tell_grace(&k, EVENT_STOP, "web", 3000);
    kit_wait(&k, 5000);
    kit_effects(&k);
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "signal web TERM main; arm web +3000");
    kit_end(&k);
}

/* Somebody changes his mind while it takes leave: the stop goes on, and then it comes back or not. */
static void test_changes_of_mind_in_pre_stop(void **state)
{
    static const struct {
        enum event_kind first, then;
        const char *state;
    } minds[] = {{EVENT_STOP, EVENT_START, "starting"},
                 {EVENT_STOP, EVENT_RESTART, "starting"},
                 {EVENT_RESTART, EVENT_START, "starting"},
                 {EVENT_RESTART, EVENT_STOP, "stopped"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(minds); i++) {
        begin_hooked_up(SPEC_HOOK_PRE_STOP);
        kit_tell(&k, minds[i].first, "web");
        assert_string_equal(kit_effects(&k), "web>stopping; hooks web 1 pre_stop");
        kit_tell(&k, minds[i].then, "web");
        assert_string_equal(kit_effects(&k), "");
        kit_hooks_done(&k, "web", true);
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), minds[i].state);
        kit_end(&k);
    }
}

static void test_post_stop(void **state)
{
    struct spec *s = begin_hooked_up(SPEC_HOOK_POST_STOP);

    (void)state;
    s->restart.policy = SPEC_RESTART_NO;
    kit_died(&k, "web", kit_exit(3), 0);
    assert_string_equal(kit_effects(&k), "web>stopping; hooks web 1 post_stop e3");
    assert_string_equal(kit_reports(&k), "web: [exited] exited with code 3 after 0 ms; running post_stop");
    kit_hooks_done(&k, "web", false);
    assert_string_equal(kit_effects(&k), "close web 1; web>failed");
    assert_string_equal(kit_reports(&k), "web: [hook] command failed | web: [failed] failed: exited with code 3");
    kit_end(&k);
}

static void test_post_stop_and_restarts(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_POST_STOP);
    kit_died(&k, "web", SIGSEGV, 1);
    /* First whoever is left. */
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM rest; arm web +10000");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "cancel web; hooks web 1 post_stop s11");
    kit_wait(&k, 100000);
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>backoff; arm web +500");
    kit_wait(&k, 500);
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 2");
    kit_end(&k);
}

static void test_post_stop_of_a_failed_start(void **state)
{
    struct spec *s = begin_hooked(SPEC_HOOK_POST_STOP);

    (void)state;
    s->restart.policy = SPEC_RESTART_NO;
    kit_begin(&k);
    kit_spawned(&k, "web");
    kit_fail(&k, EVENT_EXEC_FAILED, "web", 2, "no such program");
    kit_effects(&k);
    kit_died(&k, "web", kit_exit(127), 0);
    /* No program, no code. */
    assert_string_equal(kit_effects(&k), "hooks web 1 post_stop");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>failed");
    kit_end(&k);
    /* Where there never was a process, there is nothing to clean up behind. */
    begin_hooked(SPEC_HOOK_POST_STOP);
    kit_begin(&k);
    kit_effects(&k);
    kit_fail(&k, EVENT_SPAWN_FAILED, "web", 1, "fork");
    assert_string_equal(kit_effects(&k), "close web 1; web>failed");
    kit_end(&k);
}

static void test_post_stop_behind_a_stop(void **state)
{
    struct spec *s = begin_hooked_up(SPEC_HOOK_POST_STOP);

    (void)state;
    kit_hook(s, SPEC_HOOK_PRE_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    kit_hooks_done(&k, "web", true);
    kit_wait(&k, 10000);
    kit_effects(&k);
    kit_died(&k, "web", SIGKILL, 0);
    assert_string_equal(kit_effects(&k), "hooks web 1 post_stop s9");
    /* It is on its way down for as long as that. */
    assert_string_equal(kit_state(&k, "web"), "stopping");
    kit_tell(&k, EVENT_STOP, "web");
    kit_tell_grace(&k, EVENT_STOP, "web", 100);
    assert_string_equal(kit_effects(&k), "");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
    kit_end(&k);
}

/* Who does not want to wait does not have to, also behind a SIGKILL. */
static void test_post_stop_cut_short(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        begin_hooked_up(SPEC_HOOK_POST_STOP);
        kit_tell(&k, EVENT_STOP, "web");
        kit_wait(&k, killed ? 10000 : 0);
        kit_died(&k, "web", SIGTERM, 0);
        kit_effects(&k);
        kit_tell_grace(&k, EVENT_STOP, "web", 0);
        assert_string_equal(kit_effects(&k), "end-hooks web; close web 1; web>stopped");
        kit_end(&k);
    }
}

static void test_changes_of_mind_in_post_stop(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_POST_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "web", SIGTERM, 0);
    kit_tell(&k, EVENT_START, "web");
    kit_effects(&k);
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>waiting; web>starting; spawn web 2");
    kit_end(&k);
    begin_hooked_up(SPEC_HOOK_POST_STOP);
    kit_died(&k, "web", kit_exit(1), 0);
    kit_tell(&k, EVENT_STOP, "web");
    kit_effects(&k);
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
    kit_end(&k);
}

static void test_post_stop_in_a_shutdown(void **state)
{
    (void)state;
    begin_pair_up();
    kit_hook(web(), SPEC_HOOK_POST_STOP);
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    kit_died(&k, "web", SIGTERM, 0);
    kit_effects(&k);
    /* Whatever it cleans up may need what it depends on. */
    assert_string_equal(kit_state(&k, "db"), "ready");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 2; web>stopped; db>stopping; signal db TERM main; arm db +10000");
    kit_end(&k);
}

/* When everything is killed, nothing is begun any more. */
static void test_no_post_stop_when_killed(void **state)
{
    (void)state;
    begin_hooked_up(SPEC_HOOK_POST_STOP);
    kit_shutdown(&k, EVENT_KILL_NOW, 0);
    kit_died(&k, "web", SIGKILL, 0);
    assert_string_equal(kit_effects(&k), "web>stopping; kill web all; close web 1; web>stopped; exit 0");
    kit_end(&k);
    begin_hooked_up(SPEC_HOOK_POST_STOP);
    kit_died(&k, "web", kit_exit(1), 0);
    kit_effects(&k);
    kit_shutdown(&k, EVENT_KILL_NOW, 0);
    assert_string_equal(kit_effects(&k), "end-hooks web; close web 1; web>stopped; exit 0");
    kit_end(&k);
}

/* The budget of a shutdown holds for commands, too. */
static void test_stop_timeout(void **state)
{
    static const enum spec_hook_point points[] = {SPEC_HOOK_PRE_STOP, SPEC_HOOK_POST_STOP};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        begin_hooked_up(points[i]);
        k.set.supervisor.stop_timeout_ms = 5000;
        kit_shutdown(&k, EVENT_SHUTDOWN, 0);
        if (points[i] == SPEC_HOOK_POST_STOP)
            kit_died(&k, "web", SIGTERM, 0);
        assert_int_equal(kit_view(&k, "web").hook, points[i]);
        kit_effects(&k);
        kit_wait(&k, 5000);
        assert_string_equal(kit_effects(&k),
                            i == 0 ? "end-hooks web; kill web all" : "end-hooks web; close web 1; web>stopped; exit 0");
        kit_end(&k);
    }
}

/* Nothing is over while commands run. */
static void test_idle(void **state)
{
    struct spec *s = begin_hooked_up(SPEC_HOOK_POST_STOP);

    (void)state;
    k.set.supervisor.exit_when = SPEC_EXIT_IDLE;
    s->restart.policy = SPEC_RESTART_NO;
    kit_died(&k, "web", kit_exit(3), 0);
    assert_string_equal(kit_effects(&k), "web>stopping; hooks web 1 post_stop e3");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>failed; exit 3");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pre_stop),
        cmocka_unit_test(test_pre_stop_of_the_unready),
        cmocka_unit_test(test_end_in_pre_stop),
        cmocka_unit_test(test_no_pre_stop_behind_the_end),
        cmocka_unit_test(test_pre_stop_cut_short),
        cmocka_unit_test(test_pre_stop_of_the_dead_cut_short),
        cmocka_unit_test(test_another_grace_period_in_pre_stop),
        cmocka_unit_test(test_changes_of_mind_in_pre_stop),
        cmocka_unit_test(test_post_stop),
        cmocka_unit_test(test_post_stop_and_restarts),
        cmocka_unit_test(test_post_stop_of_a_failed_start),
        cmocka_unit_test(test_post_stop_behind_a_stop),
        cmocka_unit_test(test_post_stop_cut_short),
        cmocka_unit_test(test_changes_of_mind_in_post_stop),
        cmocka_unit_test(test_post_stop_in_a_shutdown),
        cmocka_unit_test(test_no_post_stop_when_killed),
        cmocka_unit_test(test_stop_timeout),
        cmocka_unit_test(test_idle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
