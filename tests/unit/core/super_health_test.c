/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Health checks and the watchdog: what their verdicts mean for a service, its counters and its dependents.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

static void add_check(struct spec *s)
{
    static char program[] = "check";
    static char *argv[] = {program, NULL};

    s->healthcheck.probe = (struct spec_probe){.kind = SPEC_PROBE_EXEC, .exec = {argv, 1}};
}

/* A service "web" with a check, up. */
static struct spec *begin_checked_up(void)
{
    struct spec *s = begin_alone(SPEC_TYPE_SIMPLE);

    add_check(s);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    return s;
}

static enum unit_health health_of(const char *name)
{
    return kit_view(&k, name).health;
}

static void test_what_is_known(void **state)
{
    (void)state;
    begin_checked_up();
    assert_int_equal(health_of("web"), UNIT_HEALTH_STARTING);
    kit_health(&k, "web", UNIT_HEALTH_HEALTHY);
    assert_int_equal(health_of("web"), UNIT_HEALTH_HEALTHY);
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", kit_exit(1), 0);
    assert_int_equal(health_of("web"), UNIT_HEALTH_NONE);
    kit_health(&k, "web", UNIT_HEALTH_HEALTHY);
    assert_int_equal(health_of("web"), UNIT_HEALTH_NONE);
    kit_wait(&k, 500);
    kit_up(&k, "web");
    assert_int_equal(health_of("web"), UNIT_HEALTH_STARTING);
    kit_end(&k);
    begin_alone_up();
    assert_int_equal(health_of("web"), UNIT_HEALTH_NONE);
    kit_end(&k);
}

static void test_condition(void **state)
{
    (void)state;
    for (int required = 0; required < 2; required++) {
        begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_HEALTHY)->required = required;
        add_check(db());
        kit_begin(&k);
        kit_up(&k, "db");
        assert_string_equal(kit_state(&k, "db"), "ready");
        assert_string_equal(kit_state(&k, "web"), "waiting");
        kit_effects(&k);
        kit_health(&k, "db", UNIT_HEALTH_HEALTHY);
        assert_string_equal(kit_effects(&k), "web>starting; spawn web 2");
        /* What is up is not touched by what comes of that later. */
        kit_up(&k, "web");
        db()->on_unhealthy = SPEC_UNHEALTHY_IGNORE;
        kit_health(&k, "db", UNIT_HEALTH_UNHEALTHY);
        assert_string_equal(kit_state(&k, "web"), "ready");
        kit_end(&k);
    }
}

/* Healthy before it is ready is not enough. */
static void test_condition_of_the_unready(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_NOTIFY, SPEC_COND_HEALTHY);
    add_check(db());
    kit_begin(&k);
    kit_up(&k, "db");
    kit_health(&k, "db", UNIT_HEALTH_HEALTHY);
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_tell(&k, EVENT_READY, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

/* A dependency that is unhealthy may get well; only who merely wants to come behind it does not wait for that. */
static void test_condition_of_the_unhealthy(void **state)
{
    (void)state;
    for (int required = 0; required < 2; required++) {
        begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_HEALTHY)->required = required;
        add_check(db());
        db()->on_unhealthy = SPEC_UNHEALTHY_IGNORE;
        kit_begin(&k);
        kit_up(&k, "db");
        kit_health(&k, "db", UNIT_HEALTH_UNHEALTHY);
        assert_string_equal(kit_state(&k, "web"), required ? "waiting" : "starting");
        kit_health(&k, "db", UNIT_HEALTH_HEALTHY);
        assert_string_equal(kit_state(&k, "web"), "starting");
        kit_end(&k);
    }
}

static void test_dependents_of_the_failed(void **state)
{
    (void)state;
    for (int required = 0; required < 2; required++) {
        begin_pair(SPEC_TYPE_SIMPLE, SPEC_COND_HEALTHY)->required = required;
        add_check(db());
        kit_begin(&k);
        kit_up(&k, "db");
        kit_health(&k, "db", UNIT_HEALTH_UNHEALTHY);
        kit_reports(&k);
        kit_died(&k, "db", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "db"), "failed");
        assert_string_equal(kit_state(&k, "web"), required ? "failed" : "starting");
        if (required)
            assert_non_null(strstr(kit_reports(&k), "web: [failed] dependency db failed: unhealthy"));
        kit_end(&k);
    }
}

static void test_ignore(void **state)
{
    (void)state;
    begin_checked_up()->on_unhealthy = SPEC_UNHEALTHY_IGNORE;
    kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
    assert_string_equal(kit_effects(&k), "");
    assert_int_equal(health_of("web"), UNIT_HEALTH_UNHEALTHY);
    kit_end(&k);
}

static void test_restart(void **state)
{
    (void)state;
    begin_checked_up();
    kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    assert_string_equal(kit_reports(&k), "web: [stopping] unhealthy; stopping it");
    kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
    assert_string_equal(kit_effects(&k), "");
    /* Ending well now is no success. */
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>backoff; arm web +500");
    kit_wait(&k, 500);
    kit_up(&k, "web");
    assert_int_equal(health_of("web"), UNIT_HEALTH_STARTING);
    kit_end(&k);
}

/* What a service does at its end it does here, too; it may be told so before it is ready. */
static void test_restart_with_commands(void **state)
{
    struct spec *s = begin_checked_up();

    (void)state;
    kit_hook(s, SPEC_HOOK_PRE_STOP);
    kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
    assert_string_equal(kit_effects(&k), "web>stopping; hooks web 1 pre_stop");
    kit_end(&k);
    s = begin_alone(SPEC_TYPE_NOTIFY);
    add_check(s);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
    assert_string_equal(kit_effects(&k), "cancel web; web>stopping; signal web TERM main; arm web +10000");
    kit_end(&k);
}

static void test_policy(void **state)
{
    static const enum spec_restart_policy policies[] = {SPEC_RESTART_NO, SPEC_RESTART_ON_FAILURE, SPEC_RESTART_ALWAYS,
                                                        SPEC_RESTART_UNLESS_STOPPED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        begin_checked_up()->restart.policy = policies[i];
        kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
        kit_reports(&k);
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), i == 0 ? "failed" : "backoff");
        if (i == 0)
            assert_non_null(strstr(kit_reports(&k), "web: [failed] failed: unhealthy"));
        kit_end(&k);
    }
}

static void test_shutdown(void **state)
{
    (void)state;
    begin_pair_up();
    add_check(web());
    web()->on_unhealthy = SPEC_UNHEALTHY_SHUTDOWN;
    kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    assert_non_null(strstr(kit_reports(&k), "unhealthy: shutting everything down"));
    kit_died(&k, "web", kit_exit(0), 0);
    kit_died(&k, "db", kit_exit(0), 0);
    assert_non_null(strstr(kit_effects(&k), "exit 1"));
    kit_end(&k);
}

/* One that waits for its dependents to go first is left alone: they may need it, as well as that can be had. */
static void test_unhealthy_while_the_stop_waits(void **state)
{
    (void)state;
    begin_pair_up();
    add_check(db());
    kit_tell(&k, EVENT_STOP, "db");
    kit_effects(&k);
    kit_health(&k, "db", UNIT_HEALTH_UNHEALTHY);
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 2; cancel web; web>stopped; db>stopping; signal db TERM main; "
                                         "arm db +10000");
    kit_end(&k);
}

/* Being ready for long proves nothing as long as no check has succeeded: attempts are used up. */
static void test_attempts(void **state)
{
    (void)state;
    for (int healthy = 0; healthy < 2; healthy++) {
        struct spec *s = begin_checked_up();
        s->restart.max_attempts = 2;
        for (int i = 0; i < 5; i++) {
            if (healthy)
                kit_health(&k, "web", UNIT_HEALTH_HEALTHY);
            kit_wait(&k, 90000);
            kit_health(&k, "web", UNIT_HEALTH_UNHEALTHY);
            kit_died(&k, "web", SIGTERM, 0);
            if (!healthy && i == 2)
                break;
            assert_int_equal(kit_view(&k, "web").n_attempts, healthy ? 1 : i + 1);
            assert_string_equal(kit_state(&k, "web"), "backoff");
            kit_wait(&k, 30000);
            kit_up(&k, "web");
        }
        assert_string_equal(kit_state(&k, "web"), healthy ? "ready" : "failed");
        kit_end(&k);
    }
}

/* A service "web" with a watchdog of 20 s, up. */
static struct spec *begin_watched_up(void)
{
    struct spec *s = begin_alone(SPEC_TYPE_SIMPLE);

    s->watchdog_ms = 20000;
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    return s;
}

/* SIGABRT is the first signal of the main process in place of another; who is left then gets what all get. */
static void test_watchdog(void **state)
{
    struct spec *s = begin_watched_up();

    (void)state;
    kit_hook(s, SPEC_HOOK_PRE_STOP);
    kit_tell_text(&k, EVENT_WATCHDOG, "web", "no WATCHDOG=1 for 20 s");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web ABRT main; arm web +10000");
    assert_string_equal(kit_reports(&k), "web: [watchdog] no WATCHDOG=1 for 20 s; stopping it with SIGABRT");
    kit_tell(&k, EVENT_WATCHDOG, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", SIGABRT, 1);
    assert_string_equal(kit_effects(&k), "signal web TERM rest");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>backoff; arm web +500");
    kit_end(&k);
}

static void test_watchdog_and_steps(void **state)
{
    static struct spec_stop_step steps[] = {{SIGINT, 1000}, {SIGQUIT, -1}};
    struct spec *s = begin_watched_up();

    (void)state;
    s->stop_signal = steps;
    s->n_stop_signal = ARRAY_LEN(steps);
    kit_tell(&k, EVENT_WATCHDOG, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web ABRT main; arm web +1000");
    kit_wait(&k, 1000);
    assert_string_equal(kit_effects(&k), "signal web QUIT main; arm web +9000");
    kit_end(&k);
}

static void test_watchdog_without_grace(void **state)
{
    (void)state;
    begin_watched_up()->stop_grace_period_ms = 0;
    kit_tell(&k, EVENT_WATCHDOG, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; kill web all");
    assert_string_equal(kit_reports(&k), "web: [watchdog] watchdog; stopping it with SIGKILL");
    kit_end(&k);
}

static void test_watchdog_for_good(void **state)
{
    (void)state;
    begin_watched_up()->restart.policy = SPEC_RESTART_NO;
    kit_tell(&k, EVENT_WATCHDOG, "web");
    kit_reports(&k);
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_non_null(strstr(kit_reports(&k), "web: [failed] failed: watchdog"));
    kit_end(&k);
}

/* The time in which it has shown nothing is not one in which it has proved itself. */
static void test_watchdog_and_attempts(void **state)
{
    (void)state;
    for (int fed = 0; fed < 2; fed++) {
        begin_watched_up()->restart.max_attempts = 1;
        for (int i = 0; i < 2; i++) {
            kit_wait(&k, fed ? 30000 : 20000);
            kit_tell(&k, EVENT_WATCHDOG, "web");
            kit_died(&k, "web", SIGABRT, 0);
            if (i == 0) {
                kit_wait(&k, 30000);
                kit_up(&k, "web");
            }
        }
        assert_string_equal(kit_state(&k, "web"), fed ? "backoff" : "failed");
        kit_end(&k);
    }
}

/* Whoever is told of a run that is over is told nothing. */
static void test_late_reports(void **state)
{
    static const enum event_kind kinds[] = {EVENT_HEALTH, EVENT_WATCHDOG, EVENT_EXTEND, EVENT_MAIN_PID};
    struct event late;

    (void)state;
    begin_checked_up();
    late = kit_event(&k, EVENT_HEALTH, "web");
    late.health = UNIT_HEALTH_UNHEALTHY;
    late.extend_ms = 1000000;
    kit_died(&k, "web", kit_exit(1), 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            kit_effects(&k);
            late.kind = kinds[i];
            kit_post(&k, &late);
            assert_string_equal(kit_effects(&k), "");
        }
        if (round == 0) {
            kit_wait(&k, 500);
            kit_up(&k, "web");
        }
    }
    assert_int_equal(health_of("web"), UNIT_HEALTH_STARTING);
    kit_end(&k);
}

/* A check that comes with a new configuration knows nothing yet; with one that goes, all it knew goes. */
static void test_replaced(void **state)
{
    struct kit_config *c;

    (void)state;
    begin_alone_up();
    c = kit_edit(&k);
    add_check(kit_spec(c, "web"));
    kit_replace(&k, c);
    assert_int_equal(health_of("web"), UNIT_HEALTH_STARTING);
    kit_health(&k, "web", UNIT_HEALTH_HEALTHY);
    kit_replace(&k, kit_edit(&k));
    assert_int_equal(health_of("web"), UNIT_HEALTH_HEALTHY);
    c = kit_edit(&k);
    kit_spec(c, "web")->healthcheck.probe.kind = SPEC_PROBE_NONE;
    kit_replace(&k, c);
    assert_int_equal(health_of("web"), UNIT_HEALTH_NONE);
    assert_string_equal(kit_effects(&k), "replaced; replaced; replaced");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_known),
        cmocka_unit_test(test_condition),
        cmocka_unit_test(test_condition_of_the_unready),
        cmocka_unit_test(test_condition_of_the_unhealthy),
        cmocka_unit_test(test_dependents_of_the_failed),
        cmocka_unit_test(test_ignore),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_with_commands),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_unhealthy_while_the_stop_waits),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_watchdog_and_steps),
        cmocka_unit_test(test_watchdog_without_grace),
        cmocka_unit_test(test_watchdog_for_good),
        cmocka_unit_test(test_watchdog_and_attempts),
        cmocka_unit_test(test_late_reports),
        cmocka_unit_test(test_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
