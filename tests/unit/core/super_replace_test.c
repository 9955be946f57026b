/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One configuration in place of another: what happens to services that came, went, changed or were rescaled, and to all
 * the others, which is nothing. The old configuration is destroyed as soon as it may be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

#include <errno.h>

/* A single service "web" with SCALE instances, all of them up. */
static void begin_scaled(int64_t scale)
{
    char name[16];

    kit_init(&k);
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->scale = scale;
    kit_begin(&k);
    for (int i = 1; i <= scale; i++) {
        snprintf(name, sizeof name, scale == 1 ? "web" : "web.%d", i);
        kit_up(&k, name);
    }
    kit_effects(&k);
    kit_reports(&k);
}

static void assert_same_run(const struct unit_view *a, const struct unit_view *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->run, b->run);
    assert_int_equal(a->main_pid, b->main_pid);
    assert_int_equal(a->state, b->state);
}

static void test_nothing_new(void **state)
{
    struct unit_view before, after;

    (void)state;
    begin_pair_up();
    before = kit_view(&k, "web");
    kit_replace(&k, kit_edit(&k));
    assert_string_equal(kit_effects(&k), "replaced");
    assert_string_equal(kit_reports(&k), "");
    after = kit_view(&k, "web");
    assert_same_run(&before, &after);
    assert_ptr_equal(super_set(k.super), &k.config->set);
    assert_ptr_equal(after.spec, &k.config->specs[0]);
    assert_false(super_is_replacing(k.super));
    /* And once more, from a configuration that came in the same way. */
    kit_replace(&k, kit_edit(&k));
    kit_tell(&k, EVENT_STOP, "db");
    kit_died(&k, "web", SIGTERM, 0);
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_state(&k, "db"), "stopped");
    kit_end(&k);
}

static void test_added(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_pair_up();
    c = kit_edit(&k);
    kit_depend(kit_also(c, "shop"), "web", SPEC_COND_READY);
    kit_also(c, "late")->autostart = false;
    kit_also(c, "other")->enabled = false;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; shop>waiting; shop>starting; spawn shop 3");
    assert_string_equal(kit_state(&k, "late"), "stopped");
    assert_int_equal(kit_view(&k, "late").since_ms, k.now_ms);
    assert_string_equal(kit_state(&k, "other"), "skipped");
    assert_int_equal(super_count(k.super), 5);
    assert_int_equal(super_slots(k.super), 5);
    kit_end(&k);
}

/* What a new service requires comes up with it, new or not. */
static void test_added_with_dependencies(void **state)
{
    struct kit_config *c;

    (void)state;
    kit_init(&k);
    kit_service(&k, "old", SPEC_TYPE_SIMPLE)->autostart = false;
    kit_begin(&k);
    c = kit_edit(&k);
    kit_depend(kit_also(c, "web"), "db", SPEC_COND_READY);
    kit_depend(kit_spec(c, "web"), "old", SPEC_COND_READY);
    kit_also(c, "db")->autostart = false;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; db>waiting; old>waiting; web>waiting; old>starting; spawn old 1; "
                                         "db>starting; spawn db 2");
    kit_end(&k);
}

/* A running service that has come to require another has it raised, unless somebody has stopped that. */
static void test_dependency_added(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct kit_config *c;
        kit_init(&k);
        kit_service(&k, "web", SPEC_TYPE_SIMPLE);
        kit_service(&k, "db", SPEC_TYPE_SIMPLE)->autostart = false;
        kit_begin(&k);
        kit_up(&k, "web");
        if (stopped)
            kit_tell(&k, EVENT_STOP, "db");
        kit_effects(&k);
        c = kit_edit(&k);
        kit_depend(kit_spec(c, "web"), "db", SPEC_COND_READY);
        kit_replace(&k, c);
        assert_string_equal(kit_effects(&k), stopped ? "replaced" : "replaced; db>waiting; db>starting; spawn db 2");
        assert_string_equal(kit_state(&k, "web"), "ready");
        kit_end(&k);
    }
}

static void test_removed(void **state)
{
    struct event late;
    struct unit_view v;
    struct kit_config *c;
    unsigned slot;

    (void)state;
    begin_pair_up();
    slot = super_find(k.super, "db");
    c = kit_edit(&k);
    kit_without(c, "db");
    kit_spec(c, "web")->n_depends_on = 0;
    kit_replace(&k, c);
    /* Its dependent, which remains, is not touched. */
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000");
    assert_true(kit_view(&k, "db").pending);
    assert_ptr_equal(super_set(k.super), &k.set);
    late = kit_event(&k, EVENT_MEMBERS_GONE, "db");
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close db 1; cancel db; db>stopped; replaced");
    assert_int_equal(super_find(k.super, "db"), SUPER_NO_UNIT);
    assert_false(super_view(k.super, slot, &v));
    assert_int_equal(super_count(k.super), 1);
    assert_string_equal(kit_state(&k, "web"), "ready");
    for (int kind = 0; kind < EVENT_SHUTDOWN; kind++) {
        late.kind = (enum event_kind)kind;
        kit_post(&k, &late);
    }
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

/* All that go or restart, dependents first; nothing new before all of them are down. */
static void test_order(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_pair_up();
    c = kit_edit(&k);
    kit_change(c, "db");
    kit_change(c, "web");
    kit_also(c, "shop");
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped; db>stopping; signal db TERM main; "
                                         "arm db +10000");
    assert_false(super_is_settled(k.super));
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_effects(&k),
                        "close db 1; cancel db; db>stopped; replaced; db>waiting; web>waiting; shop>waiting; "
                        "db>starting; spawn db 3; shop>starting; spawn shop 4");
    kit_up(&k, "db");
    kit_up(&k, "web");
    assert_int_equal(kit_view(&k, "db").n_starts, 2);
    kit_end(&k);
}

/* A service that restarts keeps its number, its dependents keep their runs. */
static void test_changed(void **state)
{
    struct unit_view web_before, db_before, v;
    struct kit_config *c;
    unsigned slot;

    (void)state;
    begin_pair_up();
    web_before = kit_view(&k, "web");
    db_before = kit_view(&k, "db");
    slot = super_find(k.super, "db");
    c = kit_edit(&k);
    kit_change(c, "db");
    kit_replace(&k, c);
    kit_died(&k, "db", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "db>stopping; signal db TERM main; arm db +10000; close db 1; cancel db; "
                                         "db>stopped; replaced; db>waiting; db>starting; spawn db 3");
    v = kit_view(&k, "web");
    assert_same_run(&web_before, &v);
    v = kit_view(&k, "db");
    assert_int_equal(v.id, db_before.id);
    assert_int_equal(super_find(k.super, "db"), slot);
    kit_end(&k);
}

/* Keys that need no restart count from now on. */
static void test_live_keys(void **state)
{
    struct unit_view before, after;
    struct kit_config *c;

    (void)state;
    begin_pair_up();
    before = kit_view(&k, "web");
    c = kit_edit(&k);
    kit_spec(c, "web")->stop_grace_period_ms = 77;
    kit_spec(c, "web")->restart.delay_ms = 33;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced");
    after = kit_view(&k, "web");
    assert_same_run(&before, &after);
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_effects(&k), "close web 2; web>backoff; arm web +33");
    kit_wait(&k, 33);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +77");
    kit_died(&k, "web", SIGTERM, 0);
    kit_end(&k);
}

static void test_exit_when(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_scaled(1);
    k.specs[0].restart.policy = SPEC_RESTART_NO;
    kit_died(&k, "web", kit_exit(3), 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>failed");
    c = kit_edit(&k);
    c->set.supervisor.exit_when = SPEC_EXIT_IDLE;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; exit 3");
    kit_end(&k);
}

/* The start of a run that is under way has the new time limit, counted from its own beginning. */
static void test_start_timeout_under_way(void **state)
{
    static const struct {
        int64_t limit_ms;
        const char *effects;
    } cases[] = {{5000, "replaced"},
                 {0, "replaced; cancel web"},
                 {9000, "replaced; arm web +8000"},
                 {400, "replaced; arm web +0"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kit_config *c;
        kit_init(&k);
        kit_service(&k, "web", SPEC_TYPE_FORKING)->start_timeout_ms = 5000;
        kit_begin(&k);
        kit_up(&k, "web");
        kit_wait(&k, 1000);
        kit_effects(&k);
        c = kit_edit(&k);
        kit_spec(c, "web")->start_timeout_ms = cases[i].limit_ms;
        kit_replace(&k, c);
        assert_string_equal(kit_effects(&k), cases[i].effects);
        kit_end(&k);
    }
}

/* A stop that has come further than there are steps now goes on to its end. */
static void test_fewer_steps_under_way(void **state)
{
    static struct spec_stop_step three[] = {{SIGTERM, 100}, {SIGINT, 100}, {SIGQUIT, 100}}, one[] = {{SIGHUP, 10}};
    struct kit_config *c;

    (void)state;
    for (int passed = 0; passed < 3; passed++) {
        kit_init(&k);
        kit_service(&k, "web", SPEC_TYPE_SIMPLE)->stop_signal = three;
        k.specs[0].n_stop_signal = ARRAY_LEN(three);
        kit_begin(&k);
        kit_up(&k, "web");
        kit_tell(&k, EVENT_STOP, "web");
        kit_wait(&k, passed * 100);
        c = kit_edit(&k);
        kit_spec(c, "web")->stop_signal = one;
        kit_spec(c, "web")->n_stop_signal = 1;
        kit_replace(&k, c);
        kit_effects(&k);
        kit_died(&k, "web", SIGTERM, 1);
        assert_string_equal(kit_effects(&k), "signal web HUP rest");
        kit_wait(&k, 100);
        kit_effects(&k);
        kit_wait(&k, 10000);
        assert_string_equal(kit_effects(&k), "kill web all");
        kit_end(&k);
    }
}

/* A stop that waits for members which nobody would signal any more is over. */
static void test_members_are_left_alone_from_now_on(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_scaled(1);
    kit_tell(&k, EVENT_STOP, "web");
    kit_died(&k, "web", SIGTERM, 2);
    kit_effects(&k);
    c = kit_edit(&k);
    kit_spec(c, "web")->kill_mode = SPEC_KILL_MAIN;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; close web 1; cancel web; web>stopped");
    kit_end(&k);
}

static void test_scaled_up(void **state)
{
    struct unit_view before, after;
    struct kit_config *c;

    (void)state;
    begin_scaled(1);
    before = kit_view(&k, "web");
    c = kit_edit(&k);
    kit_spec(c, "web")->scale = 3;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; web.2>waiting; web.3>waiting; web.2>starting; spawn web.2 2; "
                                         "web.3>starting; spawn web.3 3");
    after = kit_view(&k, "web.1");
    assert_same_run(&before, &after);
    assert_string_equal(after.name, "web.1");
    assert_int_equal(super_find(k.super, "web"), SUPER_NO_UNIT);
    assert_int_equal(kit_view(&k, "web.3").instance, 3);
    assert_int_equal(kit_view(&k, "web.3").order, 2);
    assert_int_equal(super_at(k.super, 2), super_find(k.super, "web.3"));
    kit_end(&k);
}

static void test_scaled_down(void **state)
{
    struct unit_view before, after;
    struct kit_config *c;

    (void)state;
    begin_scaled(3);
    before = kit_view(&k, "web.1");
    c = kit_edit(&k);
    kit_spec(c, "web")->scale = 1;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "web.2>stopping; signal web.2 TERM main; arm web.2 +10000; web.3>stopping; "
                                         "signal web.3 TERM main; arm web.3 +10000");
    kit_died(&k, "web.3", SIGTERM, 0);
    kit_died(&k, "web.2", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web.3 3; cancel web.3; web.3>stopped; close web.2 2; cancel web.2; "
                                         "web.2>stopped; replaced");
    after = kit_view(&k, "web");
    assert_same_run(&before, &after);
    c = kit_edit(&k);
    kit_spec(c, "web")->scale = 0;
    kit_replace(&k, c);
    kit_died(&k, "web", SIGTERM, 0);
    assert_int_equal(super_count(k.super), 0);
    kit_end(&k);
}

/* Rescaling what changes as well restarts the instances that remain. */
static void test_scaled_and_changed(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_scaled(2);
    c = kit_edit(&k);
    kit_change(c, "web")->scale = 3;
    kit_replace(&k, c);
    kit_died(&k, "web.1", SIGTERM, 0);
    kit_effects(&k);
    kit_died(&k, "web.2", SIGTERM, 0);
    assert_string_equal(kit_effects(&k),
                        "close web.2 2; cancel web.2; web.2>stopped; replaced; web.1>waiting; web.2>waiting; "
                        "web.3>waiting; web.1>starting; spawn web.1 3; web.2>starting; spawn web.2 4; "
                        "web.3>starting; spawn web.3 5");
    kit_end(&k);
}

/* A number that has become free is used again, but never within the replacement that frees it. */
static void test_numbers(void **state)
{
    struct kit_config *c;
    unsigned db_slot;
    uint64_t db_id;

    (void)state;
    begin_pair_up();
    db_slot = super_find(k.super, "db");
    db_id = kit_view(&k, "db").id;
    c = kit_edit(&k);
    kit_without(c, "db");
    kit_spec(c, "web")->n_depends_on = 0;
    kit_also(c, "shop");
    kit_replace(&k, c);
    kit_died(&k, "db", SIGTERM, 0);
    assert_int_equal(super_find(k.super, "shop"), 2);
    assert_int_equal(super_slots(k.super), 3);
    assert_int_equal(super_count(k.super), 2);
    c = kit_edit(&k);
    kit_also(c, "mail");
    kit_replace(&k, c);
    assert_int_equal(super_find(k.super, "mail"), db_slot);
    assert_int_not_equal(kit_view(&k, "mail").id, db_id);
    assert_int_equal(super_slots(k.super), 3);
    for (unsigned i = 0; i < super_count(k.super); i++) {
        struct unit_view v;
        assert_true(super_view(k.super, super_at(k.super, i), &v));
        assert_int_equal(v.order, i);
    }
    kit_end(&k);
}

/* A profile that comes to select a service, or does not any more, is as good as a service added or removed. */
static void test_profiles(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_pair_up();
    c = kit_edit(&k);
    kit_spec(c, "web")->enabled = false;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped; replaced");
    assert_string_equal(kit_state(&k, "web"), "skipped");
    c = kit_edit(&k);
    kit_change(c, "web");
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced");
    c = kit_edit(&k);
    kit_spec(c, "web")->enabled = true;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; web>waiting; web>starting; spawn web 3");
    kit_end(&k);
}

/* What had failed or was done starts again when its service has changed and it was wanted. */
static void test_changed_when_over(void **state)
{
    static const struct {
        int status;
        bool stop, change;
        const char *before, *after;
    } cases[] = {
        {0, false, true, "done", "starting"},      {1 << 8, false, true, "failed", "starting"},
        {0, false, false, "done", "done"},         {1 << 8, false, false, "failed", "failed"},
        {1 << 8, true, true, "failed", "failed"},  {0, true, true, "done", "done"},
        {SIGTERM, true, true, "failed", "failed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kit_config *c;
        begin_scaled(1);
        k.specs[0].restart.policy = SPEC_RESTART_NO;
        kit_died(&k, "web", cases[i].status, 0);
        if (cases[i].stop)
            kit_tell(&k, EVENT_STOP, "web");
        assert_string_equal(kit_state(&k, "web"), cases[i].before);
        c = kit_edit(&k);
        if (cases[i].change)
            kit_change(c, "web");
        kit_replace(&k, c);
        assert_string_equal(kit_state(&k, "web"), cases[i].after);
        kit_end(&k);
    }
}

/* A unit that waited for what is not there any more is judged by the new configuration. */
static void test_waiting_is_judged_anew(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_READY);
    kit_begin(&k);
    kit_effects(&k);
    c = kit_edit(&k);
    kit_spec(c, "web")->n_depends_on = 0;
    kit_replace(&k, c);
    assert_string_equal(kit_effects(&k), "replaced; web>starting; spawn web 2");
    kit_end(&k);
}

static void test_refusals(void **state)
{
    struct kit_config *c, *other;
    int errnum;

    (void)state;
    begin_pair_up();
    c = kit_edit(&k);
    other = kit_edit(&k);
    kit_change(c, "db");
    kit_replace(&k, c);
    assert_false(super_replace(k.super, &other->set, k.now_ms, &errnum));
    assert_int_equal(errnum, EBUSY);
    kit_shutdown(&k, EVENT_SHUTDOWN, 0);
    assert_false(super_replace(k.super, &other->set, k.now_ms, &errnum));
    assert_int_equal(errnum, ESHUTDOWN);
    free(other);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_new),
        cmocka_unit_test(test_added),
        cmocka_unit_test(test_added_with_dependencies),
        cmocka_unit_test(test_dependency_added),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_live_keys),
        cmocka_unit_test(test_exit_when),
        cmocka_unit_test(test_start_timeout_under_way),
        cmocka_unit_test(test_fewer_steps_under_way),
        cmocka_unit_test(test_members_are_left_alone_from_now_on),
        cmocka_unit_test(test_scaled_up),
        cmocka_unit_test(test_scaled_down),
        cmocka_unit_test(test_scaled_and_changed),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_changed_when_over),
        cmocka_unit_test(test_waiting_is_judged_anew),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
