/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One configuration in place of another while commands run, while a run has not shown yet that it is ready, and while
 * what is left of one is being ended.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_hooked.h"

/* A service "web" for which the commands at POINT run. */
static void begin_at(enum spec_hook_point point)
{
    begin_hooked(point);
    kit_begin(&k);
    if (point != SPEC_HOOK_PRE_START)
        kit_up(&k, "web");
    if (point == SPEC_HOOK_PRE_STOP)
        kit_tell(&k, EVENT_RESTART, "web");
    if (point == SPEC_HOOK_POST_STOP)
        kit_died(&k, "web", kit_exit(1), 0);
    assert_int_equal(kit_view(&k, "web").hook, point);
    kit_effects(&k);
    kit_reports(&k);
}

/* Whoever has to go or to restart does not wait for what comes before its program or its readiness, but for what comes
 * at its end. */
static void test_changed_or_removed(void **state)
{
    static const char *const effects[SPEC_HOOK_N] = {
        [SPEC_HOOK_PRE_START] = "end-hooks web; web>stopping; close web 1; web>stopped",
        [SPEC_HOOK_POST_START] = ("end-hooks web; web>stopping; signal web TERM main; arm web +10000; close web 1; "
                                  "cancel web; web>stopped"),
        [SPEC_HOOK_PRE_STOP] = "signal web TERM main; arm web +10000; close web 1; cancel web; web>stopped",
        [SPEC_HOOK_POST_STOP] = "close web 1; web>stopped",
    };
    char expected[512];

    (void)state;
    for (int removed = 0; removed < 2; removed++)
        for (unsigned point = 0; point < SPEC_HOOK_N; point++) {
            struct kit_config *c;
            begin_at((enum spec_hook_point)point);
            c = kit_edit(&k);
            kit_spec(c, "web")->hooks[SPEC_HOOK_PRE_START].n = 0;
            if (removed)
                kit_without(c, "web");
            else
                kit_change(c, "web");
            kit_replace(&k, c);
            assert_int_equal(super_is_replacing(k.super), point != SPEC_HOOK_PRE_START);
            if (point >= SPEC_HOOK_PRE_STOP)
                kit_hooks_done(&k, "web", true);
            if (point == SPEC_HOOK_POST_START || point == SPEC_HOOK_PRE_STOP)
                kit_died(&k, "web", SIGTERM, 0);
            snprintf(expected, sizeof expected, "%s; replaced%s", effects[point],
                     removed ? "" : "; web>waiting; web>starting; spawn web 2");
            assert_string_equal(kit_effects(&k), expected);
            kit_end(&k);
        }
}

/* For whoever stays, what has begun goes on, whether the new configuration knows it or not. */
static void test_unchanged(void **state)
{
    static const char *const then[SPEC_HOOK_N] = {
        [SPEC_HOOK_PRE_START] = "spawn web 1",
        [SPEC_HOOK_POST_START] = "web>ready",
        [SPEC_HOOK_PRE_STOP] = "signal web TERM main; arm web +10000",
        [SPEC_HOOK_POST_STOP] = "close web 1; web>backoff; arm web +500",
    };

    (void)state;
    for (int without = 0; without < 2; without++)
        for (unsigned point = 0; point < SPEC_HOOK_N; point++) {
            struct kit_config *c;
            begin_at((enum spec_hook_point)point);
            c = kit_edit(&k);
            if (without)
                kit_spec(c, "web")->hooks[point].n = 0;
            kit_replace(&k, c);
            assert_string_equal(kit_effects(&k), "replaced");
            kit_hooks_done(&k, "web", true);
            assert_string_equal(kit_effects(&k), then[point]);
            kit_end(&k);
        }
}

/* Commands that come with a new configuration run at the next point that comes. */
static void test_added(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_alone_up();
    c = kit_edit(&k);
    for (unsigned point = 0; point < SPEC_HOOK_N; point++)
        kit_hook(kit_spec(c, "web"), (enum spec_hook_point)point);
    kit_replace(&k, c);
    kit_tell(&k, EVENT_RESTART, "web");
    assert_string_equal(kit_effects(&k), "replaced; web>stopping; hooks web 1 pre_stop");
    kit_hooks_done(&k, "web", true);
    kit_effects(&k);
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "cancel web; hooks web 1 post_stop s15");
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>waiting; web>starting; hooks web 2 pre_start");
    kit_end(&k);
}

static void test_shutdown_meanwhile(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_at(SPEC_HOOK_POST_STOP);
    c = kit_edit(&k);
    kit_change(c, "web");
    kit_replace(&k, c);
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    assert_false(super_is_replacing(k.super));
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped; exit 0");
    kit_end(&k);
}

/* A service that has not shown that it is ready, and that by its new keys has nothing to show any more. */
static void test_nothing_to_show_any_more(void **state)
{
    static const enum spec_type types[] = {SPEC_TYPE_AUTO, SPEC_TYPE_SIMPLE, SPEC_TYPE_FORKING};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        for (int hooked = 0; hooked < 2; hooked++) {
            struct kit_config *c;
            begin_alone(types[i])->ready = (struct spec_ready){.kind = SPEC_READY_AFTER, .after_ms = 5000};
            kit_begin(&k);
            kit_up(&k, "web");
            if (types[i] == SPEC_TYPE_FORKING)
                kit_died(&k, "web", kit_exit(0), 1);
            kit_effects(&k);
            c = kit_edit(&k);
            kit_spec(c, "web")->ready = (struct spec_ready){0};
            if (hooked)
                kit_hook(kit_spec(c, "web"), SPEC_HOOK_POST_START);
            kit_replace(&k, c);
            assert_string_equal(kit_effects(&k), hooked ? "replaced; cancel web; hooks web 1 post_start"
                                                        : "replaced; cancel web; web>ready");
            kit_end(&k);
        }
}

/* One whose daemon has not shown up, or that has shown it already, goes on as before. */
static void test_still_something_to_show(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_alone(SPEC_TYPE_FORKING)->ready = (struct spec_ready){.kind = SPEC_READY_AFTER, .after_ms = 5000};
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    c = kit_edit(&k);
    kit_spec(c, "web")->ready = (struct spec_ready){0};
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced");
    kit_died(&k, "web", kit_exit(0), 1);
    assert_string_equal(kit_effects(&k), "main web 500; cancel web; web>ready");
    c = kit_edit(&k);
    kit_spec(c, "web")->ready = (struct spec_ready){.kind = SPEC_READY_AFTER, .after_ms = 5000};
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced");
    kit_end(&k);
}

/* A start that was given more time keeps it. */
static void test_an_extended_start(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_alone(SPEC_TYPE_NOTIFY);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_extend(&k, "web", 90000);
    kit_effects(&k);
    c = kit_edit(&k);
    kit_spec(c, "web")->start_timeout_ms = 5000;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced");
    kit_wait(&k, 89999);
    assert_string_equal(kit_state(&k, "web"), "running");
    kit_wait(&k, 1);
    assert_string_equal(kit_state(&k, "web"), "stopping");
    kit_end(&k);
}

/* Nobody is waited for behind commands but those who were there. */
static void test_members_behind_commands(void **state)
{
    static const enum spec_kill_mode modes[] = {SPEC_KILL_MAIN, SPEC_KILL_MIXED};

    (void)state;
    begin_at(SPEC_HOOK_POST_STOP);
    kit_tell(&k, EVENT_STOP, "web");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct kit_config *c = kit_edit(&k);
        kit_spec(c, "web")->kill_mode = modes[i];
        kit_replace(&k, c);
    }
    kit_effects(&k);
    kit_hooks_done(&k, "web", true);
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
    kit_end(&k);
}

/* SIGKILL that was sent to the main process alone goes to the others, too, when they are to be ended from now on. */
static void test_killed_by_wider_keys(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_alone(SPEC_TYPE_SIMPLE)->kill_mode = SPEC_KILL_MAIN;
    kit_begin(&k);
    kit_up(&k, "web");
    kit_tell_grace(&k, EVENT_STOP, "web", 0);
    kit_effects(&k);
    c = kit_edit(&k);
    kit_spec(c, "web")->kill_mode = SPEC_KILL_MIXED;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; kill web all");
    kit_replace(&k, kit_edit(&k));
    assert_string_equal(kit_effects(&k), "replaced");
    kit_died(&k, "web", SIGKILL, 1);
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; web>stopped");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changed_or_removed),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_added),
        cmocka_unit_test(test_shutdown_meanwhile),
        cmocka_unit_test(test_nothing_to_show_any_more),
        cmocka_unit_test(test_still_something_to_show),
        cmocka_unit_test(test_an_extended_start),
        cmocka_unit_test(test_members_behind_commands),
        cmocka_unit_test(test_killed_by_wider_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
