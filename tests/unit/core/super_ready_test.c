/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Readiness: what a run has to show, how long it may take, what becomes of one that never does, and what its
 * dependents make of that.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_pair.h"

/* A service "web" of type TYPE that shows by KIND that it is ready, and whose program runs. */
static void begin_unready(enum spec_type type, enum spec_ready_kind kind)
{
    struct spec *s = begin_alone(type);

    s->ready.kind = kind;
    s->restart.policy = SPEC_RESTART_NO;
    kit_begin(&k);
    kit_up(&k, "web");
    assert_string_equal(kit_state(&k, "web"), "running");
    kit_effects(&k);
    kit_reports(&k);
}

static const struct {
    enum spec_type type;
    enum spec_ready_kind kind;
} unready[] = {
    {SPEC_TYPE_NOTIFY, SPEC_READY_TYPE}, {SPEC_TYPE_AUTO, SPEC_READY_LOG},      {SPEC_TYPE_SIMPLE, SPEC_READY_PROBE},
    {SPEC_TYPE_SIMPLE, SPEC_READY_FD},   {SPEC_TYPE_FORKING, SPEC_READY_AFTER}, {SPEC_TYPE_FORKING, SPEC_READY_NOTIFY},
};

static void test_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unready); i++) {
        begin_unready(unready[i].type, unready[i].kind);
        assert_false(super_is_settled(k.super));
        kit_tell(&k, EVENT_READY, "web");
        assert_string_equal(kit_effects(&k), "cancel web; web>ready");
        assert_string_equal(kit_reports(&k), "web: [ready] ready");
        assert_true(super_is_settled(k.super));
        /* Nothing can be shown twice, and nothing can be taken back. */
        kit_tell(&k, EVENT_READY, "web");
        kit_tell_text(&k, EVENT_UNREADY, "web", "the probe has failed");
        kit_wait(&k, 100000);
        assert_string_equal(kit_effects(&k), "");
        kit_end(&k);
    }
}

/* A daemon that is left behind is not ready by that when there is something else to show, and it may show it late. */
static void test_followed_first(void **state)
{
    static const enum spec_type types[] = {SPEC_TYPE_AUTO, SPEC_TYPE_FORKING};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        begin_unready(types[i], SPEC_READY_LOG);
        kit_died(&k, "web", kit_exit(0), 1);
        assert_string_equal(kit_effects(&k), "main web 500");
        assert_string_equal(kit_state(&k, "web"), "running");
        kit_tell(&k, EVENT_READY, "web");
        assert_string_equal(kit_effects(&k), "cancel web; web>ready");
        kit_end(&k);
        /* And when it ends before, that is no matter of launchers any more. */
        begin_unready(types[i], SPEC_READY_LOG);
        kit_died(&k, "web", kit_exit(0), 1);
        kit_reports(&k);
        kit_died(&k, "web", kit_exit(0), 0);
        assert_string_equal(kit_reports(&k), "web: [exited] exited with code 0 after 0 ms; not restarting | "
                                             "web: [failed] failed: it was never ready; exited with code 0");
        kit_end(&k);
    }
}

static void test_shown_before_exec_is_confirmed(void **state)
{
    struct spec *s = begin_alone(SPEC_TYPE_NOTIFY);

    (void)state;
    s->restart.policy = SPEC_RESTART_NO;
    kit_begin(&k);
    kit_spawned(&k, "web");
    kit_effects(&k);
    kit_tell(&k, EVENT_READY, "web");
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_tell(&k, EVENT_EXEC_OK, "web");
    assert_string_equal(kit_effects(&k), "web>running; web>ready");
    kit_end(&k);
}

/* What a run has shown is of no use to the next one. */
static void test_shown_by_an_earlier_run(void **state)
{
    struct event late;

    (void)state;
    begin_unready(SPEC_TYPE_NOTIFY, SPEC_READY_TYPE);
    kit_tell(&k, EVENT_READY, "web");
    late = kit_event(&k, EVENT_READY, "web");
    kit_tell(&k, EVENT_RESTART, "web");
    kit_died(&k, "web", SIGTERM, 0);
    kit_up(&k, "web");
    assert_string_equal(kit_state(&k, "web"), "running");
    kit_effects(&k);
    kit_post(&k, &late);
    late.kind = EVENT_UNREADY;
    kit_post(&k, &late);
    assert_string_equal(kit_effects(&k), "");
    kit_tell(&k, EVENT_READY, "web");
    assert_string_equal(kit_state(&k, "web"), "ready");
    kit_end(&k);
}

/* An end before that is a failed start, and be it with code 0. */
static void test_end_before_ready(void **state)
{
    static const struct {
        int wstatus;
        const char *text;
    } ends[] = {{0, "exited with code 0"}, {3 << 8, "exited with code 3"}, {SIGSEGV, "killed by SIGSEGV"}};
    char expected[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        begin_unready(SPEC_TYPE_NOTIFY, SPEC_READY_TYPE);
        kit_died(&k, "web", ends[i].wstatus, 0);
        assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>failed");
        snprintf(expected, sizeof expected,
                 "web: [exited] %s after 0 ms; not restarting | web: [failed] failed: it was never ready; %s",
                 ends[i].text, ends[i].text);
        assert_string_equal(kit_reports(&k), expected);
        kit_end(&k);
    }
}

static void test_end_before_ready_is_restarted(void **state)
{
    struct spec *s = begin_alone(SPEC_TYPE_NOTIFY);

    (void)state;
    spec_exits_add_code(&s->no_restart_exit_codes, 4);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_state(&k, "web"), "backoff");
    kit_wait(&k, 500);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(4), 0);
    assert_string_equal(kit_state(&k, "web"), "failed");
    kit_end(&k);
}

static void test_never(void **state)
{
    (void)state;
    begin_unready(SPEC_TYPE_SIMPLE, SPEC_READY_FD);
    /* Its own end later, by our signal, is not judged. */
    spec_exits_add_code(&k.specs[0].no_restart_exit_codes, 0);
    kit_tell_text(&k, EVENT_UNREADY, "web", "descriptor 3 was closed");
    assert_string_equal(kit_effects(&k), "cancel web; web>stopping; signal web TERM main; arm web +10000");
    assert_string_equal(kit_reports(&k), "web: [stopping] descriptor 3 was closed; stopping it");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>failed");
    assert_string_equal(kit_reports(&k), "web: [exited] exited with code 0 after 0 ms | "
                                         "web: [failed] failed: it was never ready");
    kit_end(&k);
}

static void test_never_is_restarted(void **state)
{
    struct spec *s = begin_alone(SPEC_TYPE_SIMPLE);

    (void)state;
    s->ready.kind = SPEC_READY_FD;
    spec_exits_add_code(&s->no_restart_exit_codes, 0);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_tell(&k, EVENT_UNREADY, "web");
    kit_died(&k, "web", kit_exit(0), 0);
    assert_string_equal(kit_state(&k, "web"), "backoff");
    kit_end(&k);
}

static void test_timeout(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unready); i++) {
        begin_unready(unready[i].type, unready[i].kind);
        kit_wait(&k, 59999);
        assert_string_equal(kit_effects(&k), "");
        kit_wait(&k, 1);
        assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
        assert_string_equal(kit_reports(&k), "web: [stopping] not ready after 60 s; stopping it");
        /* Too late. */
        kit_tell(&k, EVENT_READY, "web");
        assert_string_equal(kit_effects(&k), "");
        kit_died(&k, "web", SIGTERM, 0);
        assert_string_equal(kit_state(&k, "web"), "failed");
        kit_end(&k);
    }
}

static void test_no_timeout(void **state)
{
    struct spec *s = begin_alone(SPEC_TYPE_NOTIFY);

    (void)state;
    s->start_timeout_ms = 0;
    kit_begin(&k);
    kit_up(&k, "web");
    kit_extend(&k, "web", 10);
    kit_effects(&k);
    kit_wait(&k, 1000000000);
    assert_string_equal(kit_effects(&k), "");
    kit_tell(&k, EVENT_READY, "web");
    assert_string_equal(kit_effects(&k), "web>ready");
    kit_end(&k);
}

static void test_extension_of_the_start(void **state)
{
    (void)state;
    begin_unready(SPEC_TYPE_NOTIFY, SPEC_READY_TYPE);
    /* Less than there is left changes nothing. */
    kit_extend(&k, "web", 5000);
    assert_string_equal(kit_effects(&k), "");
    kit_wait(&k, 50000);
    kit_extend(&k, "web", 20000);
    assert_string_equal(kit_effects(&k), "arm web +20000");
    kit_wait(&k, 19999);
    assert_string_equal(kit_state(&k, "web"), "running");
    kit_wait(&k, 1);
    assert_string_equal(kit_state(&k, "web"), "stopping");
    kit_end(&k);
}

static void test_extension_of_the_stop(void **state)
{
    (void)state;
    begin_alone_up();
    kit_extend(&k, "web", 5000);
    kit_tell(&k, EVENT_STOP, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    kit_extend(&k, "web", 9000);
    assert_string_equal(kit_effects(&k), "");
    kit_wait(&k, 8000);
    kit_extend(&k, "web", 9000);
    assert_string_equal(kit_effects(&k), "arm web +9000");
    kit_wait(&k, 8999);
    assert_string_equal(kit_effects(&k), "");
    kit_wait(&k, 1);
    assert_string_equal(kit_effects(&k), "kill web all");
    kit_extend(&k, "web", 9000);
    assert_string_equal(kit_effects(&k), "");
    kit_end(&k);
}

/* What has failed to start fails its dependents with it. */
static void test_dependents_are_told(void **state)
{
    (void)state;
    for (int required = 0; required < 2; required++)
        for (int way = 0; way < 3; way++) {
            begin_pair(SPEC_TYPE_NOTIFY, SPEC_COND_READY)->required = required;
            kit_begin(&k);
            kit_up(&k, "db");
            kit_effects(&k);
            kit_reports(&k);
            assert_string_equal(kit_state(&k, "web"), "waiting");
            if (way == 1)
                kit_wait(&k, 60000);
            else if (way == 2)
                kit_tell(&k, EVENT_UNREADY, "db");
            kit_died(&k, "db", way == 0 ? 0 : SIGTERM, 0);
            assert_string_equal(kit_state(&k, "db"), "failed");
            assert_string_equal(kit_state(&k, "web"), required ? "failed" : "starting");
            assert_int_equal(required, strstr(kit_reports(&k), "web: [failed] dependency db failed to start") != NULL);
            kit_end(&k);
        }
}

/* While it may still come, they wait. */
static void test_dependents_wait_for_a_second_attempt(void **state)
{
    (void)state;
    begin_pair(SPEC_TYPE_NOTIFY, SPEC_COND_READY);
    db()->restart.policy = SPEC_RESTART_ON_FAILURE;
    db()->restart.max_attempts = 1;
    kit_begin(&k);
    kit_up(&k, "db");
    kit_died(&k, "db", 0, 0);
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_wait(&k, 500);
    kit_up(&k, "db");
    assert_string_equal(kit_state(&k, "web"), "waiting");
    kit_tell(&k, EVENT_READY, "db");
    assert_string_equal(kit_state(&k, "web"), "starting");
    kit_end(&k);
}

/* A daemon of a type that waits for one has shown up when its process is named. */
static void test_named_main_process(void **state)
{
    struct event e;

    (void)state;
    begin_unready(SPEC_TYPE_FORKING, SPEC_READY_TYPE);
    e = kit_event(&k, EVENT_MAIN_PID, "web");
    kit_post(&k, &e);
    assert_string_equal(kit_effects(&k), "");
    e.pid = 300;
    kit_post(&k, &e);
    assert_string_equal(kit_effects(&k), "main web 300; cancel web; web>ready");
    assert_string_equal(kit_reports(&k), "web: [followed] main process is now 300 (as it says) | web: [ready] ready");
    assert_int_equal(kit_view(&k, "web").main_pid, 300);
    /* The end of the one that was is that of a member. */
    kit_post(&k, &(struct event){.kind = EVENT_MEMBER_EXITED, .unit = e.unit, .run = e.run, .pid = 100});
    kit_post(&k, &(struct event){.kind = EVENT_MAIN_EXITED, .unit = e.unit, .run = e.run, .pid = 100});
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_state(&k, "web"), "failed");
    kit_end(&k);
}

static void test_named_main_process_of_the_ready(void **state)
{
    struct event e;

    (void)state;
    begin_alone_up();
    e = kit_event(&k, EVENT_MAIN_PID, "web");
    e.pid = 300;
    kit_post(&k, &e);
    assert_string_equal(kit_effects(&k), "main web 300");
    kit_tell(&k, EVENT_STOP, "web");
    kit_effects(&k);
    /* It is of no use any more. */
    e.pid = 301;
    kit_post(&k, &e);
    assert_string_equal(kit_effects(&k), "");
    assert_int_equal(kit_view(&k, "web").main_pid, 300);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_followed_first),
        cmocka_unit_test(test_shown_before_exec_is_confirmed),
        cmocka_unit_test(test_shown_by_an_earlier_run),
        cmocka_unit_test(test_end_before_ready),
        cmocka_unit_test(test_end_before_ready_is_restarted),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_never_is_restarted),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_no_timeout),
        cmocka_unit_test(test_extension_of_the_start),
        cmocka_unit_test(test_extension_of_the_stop),
        cmocka_unit_test(test_dependents_are_told),
        cmocka_unit_test(test_dependents_wait_for_a_second_attempt),
        cmocka_unit_test(test_named_main_process),
        cmocka_unit_test(test_named_main_process_of_the_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
