/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What happens, and what is asked for, while one configuration is on its way to take the place of another.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

#include <errno.h>

/* The service NAME is to run something else. */
static void replace_changed(const char *name)
{
    struct kit_config *c = kit_edit(&k);

    kit_change(c, name);
    kit_replace(&k, c);
}

/* Of what is asked of a unit that is held, the last word counts after the replacement. */
static void test_words_to_a_held_unit(void **state)
{
    static const struct {
        enum event_kind words[3];
        size_t n;
        const char *end;
    } cases[] = {
        {{EVENT_STOP}, 1, "stopped"},
        {{EVENT_START}, 1, "starting"},
        {{EVENT_RESTART}, 1, "starting"},
        {{EVENT_STOP, EVENT_START}, 2, "starting"},
        {{EVENT_STOP, EVENT_RESTART}, 2, "starting"},
        {{EVENT_START, EVENT_STOP}, 2, "stopped"},
        {{EVENT_STOP, EVENT_START, EVENT_STOP}, 3, "stopped"},
        {{EVENT_RESET}, 1, "starting"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_alone_up();
        replace_changed("web");
        kit_effects(&k);
        for (size_t w = 0; w < cases[i].n; w++)
            kit_tell(&k, cases[i].words[w], "web");
        assert_string_equal(kit_effects(&k), "");
        assert_true(kit_view(&k, "web").pending);
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), cases[i].end);
        assert_false(super_is_replacing(k.super));
        assert_false(kit_view(&k, "web").pending);
        kit_end(&k);
    }
}

/* The same once it is down and others keep the replacement waiting: it does not start before. */
static void test_words_to_a_held_unit_that_is_down(void **state)
{
    (void)state;
    begin_pair_up();
    struct kit_config *c = kit_edit(&k);
    kit_change(c, "web");
    kit_change(c, "db");
    kit_replace(&k, c);
    kit_died(&k, "web", SIGTERM, 0);
    kit_effects(&k);
    kit_tell(&k, EVENT_START, "web");
    kit_tell(&k, EVENT_RESTART, "web");
    kit_tell_alone(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_state(&k, "web"), "stopped");
    assert_false(super_is_settled(k.super));
    kit_died(&k, "db", SIGTERM, 0);
    /* Alone was the last word. */
    assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>stopped; replaced; web>waiting; db>waiting; "
                                         "web>starting; spawn web 3; db>starting; spawn db 4");
    kit_end(&k);
}

/* What was stopped by hand stays down, but comes up when asked for meanwhile. */
static void test_start_of_a_stopped_held_unit(void **state)
{
    (void)state;
    begin_pair_up();
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "web", SIGTERM, 0);
    struct kit_config *c = kit_edit(&k);
    kit_change(c, "web");
    kit_change(c, "db");
    kit_replace(&k, c);
    kit_effects(&k);
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "db"), "starting");
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_end(&k);
}

static void test_start_of_what_goes_is_refused(void **state)
{
    static const enum event_kind kinds[] = {EVENT_START, EVENT_RESTART};

    (void)state;
    begin_pair_up();
    struct kit_config *c = kit_edit(&k);
    kit_without(c, "web");
    kit_replace(&k, c);
    kit_effects(&k);
    kit_reports(&k);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        kit_tell(&k, kinds[i], "web");
        assert_string_equal(kit_effects(&k), "");
        assert_string_equal(kit_reports(&k),
                            i == 0 ? "web: [refused] start refused: the new configuration does not have it"
                                   : "web: [refused] restart refused: the new configuration does not have it");
    }
    kit_died(&k, "web", SIGTERM, 0);
    assert_int_equal(super_find(k.super, "web"), SUPER_NO_UNIT);
    kit_end(&k);
}

/* A unit that is not held starts meanwhile; what it requires and is held comes after. */
static void test_start_of_another_unit(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    web()->autostart = false;
    kit_service(&k, "shop", SPEC_TYPE_SIMPLE)->autostart = false;
    kit_begin(&k);
    kit_up(&k, "db");
    replace_changed("db");
    kit_tell(&k, EVENT_STOP, "db");
    kit_effects(&k);
    kit_tell(&k, EVENT_START, "shop");
    assert_string_equal(kit_effects(&k), "shop>waiting; shop>starting; spawn shop 2");
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "web>waiting");
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>stopped; replaced; db>waiting; db>starting; "
                                         "spawn db 3");
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

/* A stop of what stays takes its dependents with it, also those that are held. */
static void test_stop_of_a_dependency(void **state)
{
    (void)state;
    begin_pair_up();
    replace_changed("web");
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "db");
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped; db>stopping; signal db TERM main; "
                                         "arm db +10000; replaced");
    assert_string_equal(kit_state(&k, "web"), "stopped");
    kit_end(&k);
}

/* A stop that waits for dependents goes on waiting under the next configuration, by its edges. */
static void test_stop_that_waits(void **state)
{
    (void)state;
    for (int apart = 0; apart < 2; apart++) {
        begin_pair_up();
        kit_tell(&k, EVENT_STOP, "db");
        kit_effects(&k);
        struct kit_config *c = kit_edit(&k);
        kit_spec(c, "web")->n_depends_on = apart ? 0 : 1;
        kit_replace(&k, c);
        assert_string_equal(kit_effects(&k),
                            apart ? "replaced; db>stopping; signal db TERM main; arm db +10000" : "replaced");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "db"), "stopping");
        kit_end(&k);
    }
}

static void test_grace_of_a_held_unit(void **state)
{
    (void)state;
    begin_alone_up();
    replace_changed("web");
    kit_effects(&k);
    kit_tell_grace(&k, EVENT_STOP, "web", 0);
    assert_string_equal(kit_effects(&k), "cancel web; kill web all");
    kit_end(&k);
}

/* From each state without a process, a held unit starts anew by the new configuration. */
static void test_in_backoff(void **state)
{
    (void)state;
    begin_alone_up();
    kit_died(&k, "web", kit_exit(1), 0);
    kit_wait(&k, 100);
    kit_effects(&k);
    replace_changed("web");
    assert_string_equal(kit_effects(&k), "cancel web; web>stopped; replaced; web>waiting; web>starting; spawn web 2");
    assert_int_equal(kit_view(&k, "web").n_restarts, 0);
    kit_end(&k);
}

/* An unchanged unit keeps its delay. */
static void test_in_backoff_unchanged(void **state)
{
    (void)state;
    begin_pair_up();
    kit_died(&k, "web", kit_exit(1), 0);
    kit_effects(&k);
    replace_changed("db");
    kit_died(&k, "db", SIGTERM, 0);
    kit_up(&k, "db");
    kit_effects(&k);
    kit_wait(&k, 499);
    assert_string_equal(kit_effects(&k), "");
    kit_wait(&k, 1);
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 4");
    kit_end(&k);
}

static void test_while_waiting(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    kit_begin(&k);
    kit_effects(&k);
    replace_changed("web");
    assert_string_equal(kit_effects(&k), "web>stopped; replaced; web>waiting");
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

static void test_while_being_born(void **state)
{
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        begin_alone(SPEC_TYPE_SIMPLE);
        kit_begin(&k);
        kit_effects(&k);
        replace_changed("web");
        assert_string_equal(kit_effects(&k), "web>stopping");
        if (fails) {
            kit_fail(&k, EVENT_SPAWN_FAILED, "web", EAGAIN, NULL);
        } else {
            kit_spawned(&k, "web");
            kit_died(&k, "web", SIGTERM, 0);
        }
        assert_false(super_is_replacing(k.super));
        assert_string_equal(kit_state(&k, "web"), "starting");
        assert_int_equal(kit_view(&k, "web").run, 2);
        kit_end(&k);
    }
}

/* During an operator's stop, and during a restart. */
static void test_while_stopping(void **state)
{
    static const struct {
        enum event_kind word;
        const char *end;
    } cases[] = {{EVENT_STOP, "stopped"}, {EVENT_RESTART, "starting"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_alone_up();
        kit_tell(&k, cases[i].word, "web");
        kit_effects(&k);
        replace_changed("web");
        assert_string_equal(kit_effects(&k), "");
        kit_died(&k, "web", SIGTERM, 0);
        assert_false(super_is_replacing(k.super));
        assert_string_equal(kit_state(&k, "web"), cases[i].end);
        kit_end(&k);
    }
}

/* A unit that ends while its turn to stop has not come is down, and nothing restarts it. */
static void test_end_before_the_turn(void **state)
{
    static const size_t left[] = {0, 2};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        begin_pair_up();
        struct kit_config *c = kit_edit(&k);
        kit_change(c, "web");
        kit_change(c, "db")->restart.policy = SPEC_RESTART_ALWAYS;
        kit_replace(&k, c);
        kit_died(&k, "db", kit_exit(1), left[i]);
        kit_tell(&k, EVENT_MEMBERS_GONE, "db");
        assert_string_equal(kit_state(&k, "db"), "stopped");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "db"), "starting");
        kit_end(&k);
    }
}

/* A unit that daemonizes while it is held is not followed. */
static void test_daemon_of_a_held_unit(void **state)
{
    (void)state;
    begin_alone(SPEC_TYPE_FORKING);
    kit_begin(&k);
    kit_up(&k, "web");
    replace_changed("web");
    kit_effects(&k);
    kit_died(&k, "web", 0, 1);
    assert_string_equal(kit_effects(&k), "signal web TERM rest");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped; replaced; web>waiting; web>starting; "
                                         "spawn web 2");
    kit_end(&k);
}

/* Left-overs that a unit has adopted are ended when it goes or restarts. */
static void test_left_overs_of_a_held_unit(void **state)
{
    (void)state;
    for (int goes = 0; goes < 2; goes++) {
        begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_STARTED);
        db()->orphans = SPEC_ORPHANS_ADOPT;
        bring_up();
        kit_died(&k, "db", kit_exit(1), 1);
        kit_effects(&k);
        struct kit_config *c = kit_edit(&k);
        kit_spec(c, "web")->n_depends_on = 0;
        if (goes)
            kit_without(c, "db");
        else
            kit_change(c, "db");
        kit_replace(&k, c);
        assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM rest; arm db +10000");
        kit_tell(&k, EVENT_MEMBERS_GONE, "db");
        assert_string_equal(kit_effects(&k), goes ? "cancel db; db>failed; replaced"
                                                  : "cancel db; db>failed; replaced; db>waiting; db>starting; "
                                                    "spawn db 3");
        kit_end(&k);
    }
}

/* Nobody exits for want of work while a replacement is under way; afterwards it is looked at again. */
static void test_no_idle_exit_meanwhile(void **state)
{
    (void)state;
    for (int adds = 0; adds < 2; adds++) {
        begin_alone(SPEC_TYPE_SIMPLE)->restart.policy = SPEC_RESTART_NO;
        k.set.supervisor.exit_when = SPEC_EXIT_IDLE;
        kit_begin(&k);
        kit_up(&k, "web");
        struct kit_config *c = kit_edit(&k);
        kit_without(c, "web");
        if (adds)
            kit_also(c, "shop");
        kit_replace(&k, c);
        kit_effects(&k);
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_effects(&k), adds ? "close web 1; cancel web; web>stopped; replaced; shop>waiting; "
                                                    "shop>starting; spawn shop 2"
                                                  : "close web 1; cancel web; web>stopped; replaced; exit 0");
        kit_end(&k);
    }
}

/* A shutdown, or an end that brings one about, takes the replacement with it. */
static void test_shutdown_meanwhile(void **state)
{
    static const enum event_kind kinds[] = {EVENT_SHUTDOWN, EVENT_KILL_NOW, EVENT_MAIN_EXITED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin_pair_up();
        db()->essential = true;
        struct kit_config *c = kit_edit(&k);
        kit_change(c, "web");
        kit_also(c, "shop")->scale = 4;
        kit_replace(&k, c);
        if (kinds[i] == EVENT_MAIN_EXITED)
            kit_died(&k, "db", kit_exit(7), 0);
        else
            kit_shutdown(&k, kinds[i], 7);
        assert_false(super_is_replacing(k.super));
        assert_ptr_equal(super_set(k.super), &k.set);
        kit_effects(&k);
        kit_died(&k, "web", SIGTERM, 0);
        if (kinds[i] != EVENT_MAIN_EXITED)
            kit_died(&k, "db", SIGTERM, 0);
        assert_null(strstr(kit_effects(&k), "replaced"));
        assert_true(k.over);
        kit_end(&k);
    }
}

static void test_freed_meanwhile(void **state)
{
    (void)state;
    begin_pair_up();
    struct kit_config *c = kit_edit(&k);
    kit_change(c, "web");
    kit_also(c, "shop");
    kit_replace(&k, c);
    kit_end(&k);
}

/* Asked for and granted before anything that happened earlier has been taken: nothing is lost, and the order stays. */
static void test_effects_of_before_come_first(void **state)
{
    (void)state;
    begin_alone_up();
    kit_say(&k, EVENT_STOP, "web");
    struct kit_config *c = kit_edit(&k);
    kit_without(c, "web");
    kit_begin_replace(&k, c);
    kit_drain(&k);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>stopped; replaced");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_to_a_held_unit),
        cmocka_unit_test(test_words_to_a_held_unit_that_is_down),
        cmocka_unit_test(test_start_of_a_stopped_held_unit),
        cmocka_unit_test(test_start_of_what_goes_is_refused),
        cmocka_unit_test(test_start_of_another_unit),
        cmocka_unit_test(test_stop_of_a_dependency),
        cmocka_unit_test(test_stop_that_waits),
        cmocka_unit_test(test_grace_of_a_held_unit),
        cmocka_unit_test(test_in_backoff),
        cmocka_unit_test(test_in_backoff_unchanged),
        cmocka_unit_test(test_while_waiting),
        cmocka_unit_test(test_while_being_born),
        cmocka_unit_test(test_while_stopping),
        cmocka_unit_test(test_end_before_the_turn),
        cmocka_unit_test(test_daemon_of_a_held_unit),
        cmocka_unit_test(test_left_overs_of_a_held_unit),
        cmocka_unit_test(test_no_idle_exit_meanwhile),
        cmocka_unit_test(test_shutdown_meanwhile),
        cmocka_unit_test(test_freed_meanwhile),
        cmocka_unit_test(test_effects_of_before_come_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
