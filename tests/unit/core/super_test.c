/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The life of a single unit: start, readiness, ends of every kind, restarts, failed starts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_kit.h"

#include <errno.h>

static struct kit k;

/* A kit with one service, started. */
static struct spec *begin_one(enum spec_type type)
{
    kit_init(&k);
    return kit_service(&k, "web", type);
}

static void test_start_of_each_type(void **state)
{
    static const struct {
        enum spec_type type;
        const char *after_exec;
        const char *reports;
    } cases[] = {
        {SPEC_TYPE_AUTO, "web>running; web>ready", "web: [started] started | web: [ready] ready"},
        {SPEC_TYPE_SIMPLE, "web>running; web>ready", "web: [started] started | web: [ready] ready"},
        {SPEC_TYPE_FORKING, "web>running; arm web +60000", "web: [started] started"},
        {SPEC_TYPE_ONESHOT, "web>running", "web: [started] started"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_one(cases[i].type);
        kit_begin(&k);
        assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 1");
        kit_spawned(&k, "web");
        assert_string_equal(kit_effects(&k), "");
        assert_int_equal(kit_view(&k, "web").main_pid, 100);
        kit_tell(&k, EVENT_EXEC_OK, "web");
        assert_string_equal(kit_effects(&k), cases[i].after_exec);
        assert_string_equal(kit_reports(&k), cases[i].reports);
        assert_int_equal(kit_view(&k, "web").started_ms, 1000);
        assert_int_equal(super_is_settled(k.super), cases[i].type <= SPEC_TYPE_SIMPLE);
        kit_end(&k);
    }
}

/* How each policy takes each end, with what the log says. */
static void test_ends(void **state)
{
    static const struct {
        enum spec_restart_policy policy;
        int wstatus;
        const char *effects;
        const char *reports;
    } cases[] = {
        {SPEC_RESTART_NO, 0, "close web 1; web>done", "web: [exited] exited with code 0 after 12.3 s; done"},
        {SPEC_RESTART_NO, 3 << 8, "close web 1; web>failed",
         "web: [exited] exited with code 3 after 12.3 s; not restarting | web: [failed] failed: exited with code 3"},
        {SPEC_RESTART_NO, SIGSEGV | 0x80, "close web 1; web>failed",
         "web: [exited] killed by SIGSEGV (core dumped) after 12.3 s; not restarting | "
         "web: [failed] failed: killed by SIGSEGV (core dumped)"},
        {SPEC_RESTART_ON_FAILURE, 0, "close web 1; web>done", "web: [exited] exited with code 0 after 12.3 s; done"},
        {SPEC_RESTART_ON_FAILURE, 3 << 8, "close web 1; web>backoff; arm web +500",
         "web: [exited] exited with code 3 after 12.3 s; restarting in 500 ms (restart 1)"},
        {SPEC_RESTART_ON_FAILURE, 4 << 8, "close web 1; web>failed",
         "web: [exited] exited with code 4 after 12.3 s; not restarting | "
         "web: [failed] failed: exited with code 4 (one of no_restart_exit_codes)"},
        {SPEC_RESTART_ON_FAILURE, 7 << 8, "close web 1; web>done",
         "web: [exited] exited with code 7 after 12.3 s; done"},
        {SPEC_RESTART_ON_FAILURE, SIGKILL, "close web 1; web>backoff; arm web +500",
         "web: [exited] killed by SIGKILL after 12.3 s; restarting in 500 ms (restart 1)"},
        {SPEC_RESTART_ALWAYS, 0, "close web 1; web>backoff; arm web +500",
         "web: [exited] exited with code 0 after 12.3 s; restarting in 500 ms (restart 1)"},
        {SPEC_RESTART_ALWAYS, 4 << 8, "close web 1; web>failed",
         "web: [exited] exited with code 4 after 12.3 s; not restarting | "
         "web: [failed] failed: exited with code 4 (one of no_restart_exit_codes)"},
        {SPEC_RESTART_UNLESS_STOPPED, 1 << 8, "close web 1; web>backoff; arm web +500",
         "web: [exited] exited with code 1 after 12.3 s; restarting in 500 ms (restart 1)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec *s = begin_one(SPEC_TYPE_SIMPLE);
        s->restart.policy = cases[i].policy;
        spec_exits_add_code(&s->success_exit_codes, 7);
        spec_exits_add_code(&s->no_restart_exit_codes, 4);
        kit_begin(&k);
        kit_up(&k, "web");
        kit_effects(&k);
        kit_reports(&k);
        k.now_ms += 12345;
        kit_died(&k, "web", cases[i].wstatus, 0);
        assert_string_equal(kit_effects(&k), cases[i].effects);
        assert_string_equal(kit_reports(&k), cases[i].reports);
        assert_int_equal(kit_view(&k, "web").last_wstatus, cases[i].wstatus);
        assert_int_equal(kit_view(&k, "web").started_ms, 0);
        kit_end(&k);
    }
}

static void test_report_of_an_exit_has_its_code(void **state)
{
    struct event e;
    struct effect f;

    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_up(&k, "web");
    e = kit_event(&k, EVENT_MAIN_EXITED, "web");
    e.wstatus = kit_exit(3);
    super_post(k.super, &e, k.now_ms);
    assert_true(super_next_effect(k.super, &f));
    assert_int_equal(f.kind, EFFECT_REPORT);
    assert_int_equal(f.level, LOG_LEVEL_WARN);
    assert_int_equal(f.code_kind, 'e');
    assert_int_equal(f.code, 3);
    assert_int_equal(f.pid, 100);
    assert_int_equal(f.run, 1);
    kit_drain(&k);
    kit_end(&k);
}

static void test_backoff_grows_and_gives_up(void **state)
{
    static const char *const expected[] = {
        "close web 1; web>backoff; arm web +500",
        "close web 2; web>backoff; arm web +1000",
        "close web 3; web>backoff; arm web +2000",
        "close web 4; web>backoff; arm web +3000",
        "close web 5; web>failed",
    };
    struct spec *s = begin_one(SPEC_TYPE_SIMPLE);

    (void)state;
    s->restart.max_attempts = 4;
    s->restart.max_delay_ms = 3000;
    kit_begin(&k);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        kit_up(&k, "web");
        kit_effects(&k);
        kit_reports(&k);
        kit_died(&k, "web", kit_exit(1), 0);
        assert_string_equal(kit_effects(&k), expected[i]);
        kit_wait(&k, 3000);
    }
    assert_string_equal(kit_reports(&k), "web: [exited] exited with code 1 after 0 ms; not restarting | "
                                         "web: [failed] gave up after 4 restarts");
    assert_int_equal(kit_view(&k, "web").n_restarts, 4);
    assert_int_equal(kit_view(&k, "web").n_starts, 5);
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 6");
    assert_int_equal(kit_view(&k, "web").n_restarts, 0);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_effects(&k), "web>running; web>ready; close web 6; web>backoff; arm web +500");
    kit_end(&k);
}

/* However long it runs: only being ready counts, from when on it is. */
static void test_a_run_that_was_never_ready_clears_nothing(void **state)
{
    static const enum spec_type types[] = {SPEC_TYPE_ONESHOT, SPEC_TYPE_FORKING};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct spec *s = begin_one(types[i]);
        s->start_timeout_ms = 0;
        s->restart.policy = SPEC_RESTART_ON_FAILURE;
        s->restart.max_attempts = 2;
        kit_begin(&k);
        for (int n = 0; n < 3; n++) {
            kit_up(&k, "web");
            k.now_ms += 3600000;
            kit_died(&k, "web", kit_exit(1), 0);
            kit_wait(&k, 1000);
        }
        assert_string_equal(kit_state(&k, "web"), "failed");
        kit_end(&k);
    }
}

static void test_steadiness_counts_from_ready(void **state)
{
    struct spec *s = begin_one(SPEC_TYPE_FORKING);

    (void)state;
    s->restart.max_attempts = 1;
    kit_begin(&k);
    for (int i = 0; i < 2; i++) {
        kit_up(&k, "web");
        k.now_ms += 9000;
        kit_died(&k, "web", 0, 1);
        assert_string_equal(kit_state(&k, "web"), "ready");
        k.now_ms += 9999;
        kit_died(&k, "web", kit_exit(1), 0);
        assert_string_equal(kit_state(&k, "web"), i == 0 ? "backoff" : "failed");
        kit_wait(&k, 500);
    }
    kit_end(&k);
}

static void test_a_steady_run_clears_delay_and_count(void **state)
{
    struct spec *s = begin_one(SPEC_TYPE_SIMPLE);

    (void)state;
    s->restart.max_attempts = 1;
    kit_begin(&k);
    for (int i = 0; i < 3; i++) {
        kit_up(&k, "web");
        k.now_ms += 10000;
        kit_effects(&k);
        kit_died(&k, "web", kit_exit(1), 0);
        assert_non_null(strstr(kit_effects(&k), "web>backoff; arm web +500"));
        kit_wait(&k, 500);
    }
    kit_up(&k, "web");
    k.now_ms += 9999;
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_state(&k, "web"), "failed");
    kit_end(&k);
}

static void test_no_delay_does_not_spin(void **state)
{
    static const char *const expected[] = {"arm web +0", "arm web +10", "arm web +20", "arm web +40"};
    struct spec *s = begin_one(SPEC_TYPE_SIMPLE);

    (void)state;
    s->restart.delay_ms = 0;
    kit_begin(&k);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        kit_up(&k, "web");
        kit_effects(&k);
        kit_died(&k, "web", kit_exit(1), 0);
        assert_non_null(strstr(kit_effects(&k), expected[i]));
        kit_wait(&k, 50);
    }
    kit_end(&k);
}

static void test_spawn_failures(void **state)
{
    static const struct {
        int errnum;
        bool temporary;
    } cases[] = {{EAGAIN, true},  {ENOMEM, true}, {EMFILE, true},   {ENFILE, true}, {EINTR, true},
                 {ETXTBSY, true}, {EIO, true},    {EBUSY, true},    {ENOSPC, true}, {ENOENT, false},
                 {EACCES, false}, {EPERM, false}, {ENOEXEC, false}, {E2BIG, false}, {0, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec *s = begin_one(SPEC_TYPE_SIMPLE);
        s->restart.policy = cases[i].temporary ? SPEC_RESTART_NO : SPEC_RESTART_ALWAYS;
        kit_begin(&k);
        kit_effects(&k);
        kit_fail(&k, EVENT_SPAWN_FAILED, "web", cases[i].errnum, "fork: it did not work");
        assert_string_equal(kit_effects(&k),
                            cases[i].temporary ? "close web 1; web>backoff; arm web +100" : "close web 1; web>failed");
        assert_string_equal(kit_reports(&k), cases[i].temporary
                                                 ? "web: [backoff] cannot start: fork: it did not work; trying again"
                                                 : "web: [failed] cannot start: fork: it did not work");
        assert_false(kit_view(&k, "web").has_last_wstatus);
        kit_end(&k);
    }
}

static void test_retries_of_a_start_grow_and_do_not_count(void **state)
{
    static const int delays[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    struct spec *s = begin_one(SPEC_TYPE_SIMPLE);
    char text[64];

    (void)state;
    s->restart.max_attempts = 1;
    kit_begin(&k);
    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        kit_effects(&k);
        kit_fail(&k, EVENT_SPAWN_FAILED, "web", EAGAIN, NULL);
        snprintf(text, sizeof text, "close web %zu; web>backoff; arm web +%d", i + 1, delays[i]);
        assert_string_equal(kit_effects(&k), text);
        kit_wait(&k, delays[i]);
    }
    assert_int_equal(kit_view(&k, "web").n_restarts, 0);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_died(&k, "web", kit_exit(1), 0);
    assert_string_equal(kit_effects(&k), "close web 9; web>backoff; arm web +500");
    kit_wait(&k, 500);
    kit_fail(&k, EVENT_SPAWN_FAILED, "web", EAGAIN, NULL);
    assert_non_null(strstr(kit_effects(&k), "arm web +100"));
    kit_end(&k);
}

static void test_failed_exec_waits_for_the_child(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_spawned(&k, "web");
    kit_effects(&k);
    kit_fail(&k, EVENT_EXEC_FAILED, "web", ENOENT, "working_dir /srv/x: No such file or directory");
    assert_string_equal(kit_effects(&k), "web>stopping");
    assert_string_equal(kit_reports(&k), "web: [failed] cannot start: working_dir /srv/x: No such file or directory");
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "");
    kit_died(&k, "web", kit_exit(127), 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>waiting; web>starting; spawn web 2");
    kit_spawned(&k, "web");
    kit_fail(&k, EVENT_EXEC_FAILED, "web", ENOENT, "x");
    kit_died(&k, "web", kit_exit(127), 0);
    assert_string_equal(kit_effects(&k), "web>stopping; close web 2; web>failed");
    assert_string_equal(kit_reports(&k), "web: [failed] cannot start: x");
    assert_false(kit_view(&k, "web").has_last_wstatus);
    kit_end(&k);
}

static void test_temporary_exec_failure_is_tried_again(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_spawned(&k, "web");
    kit_fail(&k, EVENT_EXEC_FAILED, "web", ETXTBSY, NULL);
    kit_effects(&k);
    kit_died(&k, "web", kit_exit(127), 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>backoff; arm web +100");
    assert_string_equal(kit_reports(&k), "web: [backoff] cannot start: Text file busy; trying again");
    kit_end(&k);
}

static void test_start_timeout(void **state)
{
    begin_one(SPEC_TYPE_FORKING)->restart.policy = SPEC_RESTART_NO;

    (void)state;
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    kit_wait(&k, 60000);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM main; arm web +10000");
    assert_string_equal(kit_reports(&k), "web: [stopping] not ready after 60 s; stopping it");
    kit_died(&k, "web", SIGTERM, 0);
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>failed");
    assert_string_equal(kit_reports(&k), "web: [exited] killed by SIGTERM after 60 s | "
                                         "web: [failed] failed: not ready after 60 s");
    kit_end(&k);
}

static void test_start_timeouts_count_as_failures(void **state)
{
    struct spec *s = begin_one(SPEC_TYPE_FORKING);

    (void)state;
    s->restart.max_attempts = 2;
    kit_begin(&k);
    for (int i = 0; i < 3; i++) {
        kit_up(&k, "web");
        kit_wait(&k, 60000);
        kit_died(&k, "web", SIGTERM, 0);
        kit_wait(&k, 1000);
    }
    assert_string_equal(kit_state(&k, "web"), "failed");
    kit_end(&k);
}

static void test_suspended_and_resumed(void **state)
{
    struct event e;

    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    e = kit_event(&k, EVENT_MAIN_STOPPED, "web");
    e.wstatus = SIGSTOP << 8 | 0x7f;
    kit_post(&k, &e);
    kit_tell(&k, EVENT_MAIN_CONTINUED, "web");
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_reports(&k), "web: [suspended] main process suspended by signal 19 | "
                                         "web: [resumed] main process goes on");
    kit_end(&k);
}

/* Reports of an earlier run, of a run that is not there, of other pids, and timers of earlier states. */
static void test_gossip_is_dropped(void **state)
{
    struct event e;

    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(1), 0);
    kit_wait(&k, 500);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    for (int kind = EVENT_SPAWNED; kind <= EVENT_MAIN_CONTINUED; kind++)
        for (uint64_t run = 0; run < 4; run += run == 1 ? 2 : 1) {
            e = (struct event){.kind = (enum event_kind)kind, .run = run, .pid = 101, .wstatus = kit_exit(9)};
            kit_post(&k, &e);
        }
    e = kit_event(&k, EVENT_MAIN_EXITED, "web");
    e.pid = 100;
    kit_post(&k, &e);
    e = kit_event(&k, EVENT_MEMBER_EXITED, "web");
    e.pid = 100;
    kit_post(&k, &e);
    kit_tell(&k, EVENT_TIMER, "web");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    e = (struct event){.kind = EVENT_START, .unit = 77};
    kit_post(&k, &e);
    e = (struct event){.kind = EVENT_TIMER, .unit = SUPER_NO_UNIT};
    kit_post(&k, &e);
    assert_string_equal(kit_effects(&k), "");
    assert_string_equal(kit_reports(&k), "");
    assert_string_equal(kit_state(&k, "web"), "ready");
    kit_end(&k);
}

static void test_a_timer_that_comes_early_is_armed_again(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(1), 0);
    kit_effects(&k);
    k.now_ms += 499;
    kit_tell(&k, EVENT_TIMER, "web");
    assert_string_equal(kit_effects(&k), "arm web +1");
    kit_wait(&k, 1);
    assert_string_equal(kit_effects(&k), "web>waiting; web>starting; spawn web 2");
    kit_end(&k);
}

#ifndef FOSTER_ABORT_ON_BUG
static void test_a_broken_promise_ends_in_failed(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_reports(&k);
    kit_spawned(&k, "web");
    assert_string_equal(kit_effects(&k), "close web 1; kill web all; web>failed");
    assert_string_equal(kit_reports(&k), "web: [bug] cannot happen: spawned while ready");
    kit_tell(&k, EVENT_START, "web");
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM rest; arm web +10000");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "cancel web; web>waiting; web>starting; spawn web 2");
    kit_end(&k);
}
#endif

static void test_names(void **state)
{
    (void)state;
    kit_init(&k);
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->scale = 3;
    kit_service(&k, "db", SPEC_TYPE_SIMPLE);
    kit_service(&k, "none", SPEC_TYPE_SIMPLE)->scale = 0;
    kit_service(&k, "a.b", SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    assert_int_equal(super_count(k.super), 5);
    assert_int_equal(super_find(k.super, "web.1"), 0);
    assert_int_equal(super_find(k.super, "web.3"), 2);
    assert_int_equal(super_find(k.super, "db"), 3);
    assert_int_equal(super_find(k.super, "a.b"), 4);
    static const char *const unknown[] = {
        "web", "web.0", "web.4",   "web.01", "web.", "web.x",  "db.1",   "none",           "",
        ".",   "a",     "web.1.1", "we",     "webs", "web.-1", "web. 1", "web.99999999999"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_int_equal(super_find(k.super, unknown[i]), SUPER_NO_UNIT);
    assert_int_equal(kit_view(&k, "web.2").instance, 2);
    assert_string_equal(kit_view(&k, "web.2").name, "web.2");
    kit_end(&k);
}

static void test_what_nobody_starts_has_its_state_since_the_start(void **state)
{
    (void)state;
    kit_init(&k);
    kit_service(&k, "idle", SPEC_TYPE_SIMPLE)->autostart = false;
    kit_service(&k, "other", SPEC_TYPE_SIMPLE)->enabled = false;
    kit_begin(&k);
    assert_int_equal(kit_view(&k, "idle").since_ms, k.now_ms);
    assert_int_equal(kit_view(&k, "other").since_ms, k.now_ms);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_of_each_type),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_report_of_an_exit_has_its_code),
        cmocka_unit_test(test_backoff_grows_and_gives_up),
        cmocka_unit_test(test_a_steady_run_clears_delay_and_count),
        cmocka_unit_test(test_a_run_that_was_never_ready_clears_nothing),
        cmocka_unit_test(test_steadiness_counts_from_ready),
        cmocka_unit_test(test_no_delay_does_not_spin),
        cmocka_unit_test(test_spawn_failures),
        cmocka_unit_test(test_retries_of_a_start_grow_and_do_not_count),
        cmocka_unit_test(test_failed_exec_waits_for_the_child),
        cmocka_unit_test(test_temporary_exec_failure_is_tried_again),
        cmocka_unit_test(test_start_timeout),
        cmocka_unit_test(test_start_timeouts_count_as_failures),
        cmocka_unit_test(test_suspended_and_resumed),
        cmocka_unit_test(test_gossip_is_dropped),
        cmocka_unit_test(test_a_timer_that_comes_early_is_armed_again),
#ifndef FOSTER_ABORT_ON_BUG
        cmocka_unit_test(test_a_broken_promise_ends_in_failed),
#endif
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_nobody_starts_has_its_state_since_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
