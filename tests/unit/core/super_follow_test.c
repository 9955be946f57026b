/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a main process leaves behind: following a daemon, and the left-overs of those that are not followed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "super_kit.h"

static struct kit k;

/* A kit with one service, started. */
static struct spec *begin_one(enum spec_type type)
{
    kit_init(&k);
    return kit_service(&k, "web", type);
}

static void test_following(void **state)
{
    static const struct {
        enum spec_type type;
        int wstatus;
        size_t n_left;
        int64_t after_ms;
        int64_t start_timeout_ms;
        bool follows;
    } cases[] = {
        {SPEC_TYPE_AUTO, 0, 1, 100, 60000, true},        {SPEC_TYPE_AUTO, 0, 3, 60000, 60000, true},
        {SPEC_TYPE_AUTO, 0, 1, 60001, 60000, false},     {SPEC_TYPE_AUTO, 0, 1, 600000, 0, true},
        {SPEC_TYPE_AUTO, 0, 0, 100, 60000, false},       {SPEC_TYPE_AUTO, 1 << 8, 1, 100, 60000, false},
        {SPEC_TYPE_AUTO, SIGTERM, 1, 100, 60000, false}, {SPEC_TYPE_SIMPLE, 0, 1, 100, 60000, false},
        {SPEC_TYPE_ONESHOT, 0, 1, 100, 60000, false},    {SPEC_TYPE_FORKING, 0, 1, 100, 60000, true},
        {SPEC_TYPE_FORKING, 0, 1, 100, 0, true},         {SPEC_TYPE_FORKING, 2 << 8, 1, 100, 60000, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin_one(cases[i].type)->start_timeout_ms = cases[i].start_timeout_ms;
        kit_begin(&k);
        kit_up(&k, "web");
        kit_effects(&k);
        kit_reports(&k);
        k.now_ms += cases[i].after_ms;
        kit_died(&k, "web", cases[i].wstatus, cases[i].n_left);
        assert_int_equal(kit_view(&k, "web").main_pid, cases[i].follows ? 500 : 0);
        if (cases[i].follows) {
            assert_string_equal(kit_state(&k, "web"), "ready");
            assert_true(strncmp(kit_effects(&k), "main web 500", 12) == 0);
            assert_true(strncmp(kit_reports(&k),
                                "web: [followed] main process is now 500 (the daemon that 100 left behind)", 70) == 0);
        } else {
            assert_string_not_equal(kit_state(&k, "web"), "ready");
        }
        kit_end(&k);
    }
}

static void test_a_followed_daemon_has_its_own_end(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_FORKING);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_effects(&k);
    kit_died(&k, "web", 0, 2);
    assert_string_equal(kit_effects(&k), "main web 500; cancel web; web>ready");
    kit_died(&k, "web", SIGKILL, 0);
    assert_string_equal(kit_effects(&k), "close web 1; web>backoff; arm web +500");
    assert_int_equal(kit_view(&k, "web").last_wstatus, SIGKILL);
    kit_end(&k);
}

static void test_the_pid_file_decides_whom_to_follow(void **state)
{
    const struct attrib_candidate left[] = {{500, 1, 5}, {501, 501, 6}, {502, 1, 7}};
    struct event e;

    (void)state;
    begin_one(SPEC_TYPE_AUTO);
    kit_begin(&k);
    kit_up(&k, "web");
    e = kit_event(&k, EVENT_MAIN_EXITED, "web");
    e.left = left;
    e.n_left = ARRAY_LEN(left);
    e.pid_file_pid = 502;
    kit_post(&k, &e);
    assert_int_equal(kit_view(&k, "web").main_pid, 502);
    kit_end(&k);
}

static void test_the_daemon_may_die_before_it_is_followed(void **state)
{
    struct event e;

    (void)state;
    begin_one(SPEC_TYPE_AUTO);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", 0, 1);
    kit_effects(&k);
    e = kit_event(&k, EVENT_MEMBER_EXITED, "web");
    e.wstatus = kit_exit(9);
    kit_post(&k, &e);
    assert_string_equal(kit_effects(&k), "web>stopping; signal web TERM rest; arm web +10000");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>backoff; arm web +500");
    assert_int_equal(kit_view(&k, "web").last_wstatus, kit_exit(9));
    kit_end(&k);
}

static void test_forking_without_a_daemon_fails(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_FORKING)->restart.policy = SPEC_RESTART_NO;
    kit_begin(&k);
    kit_up(&k, "web");
    kit_reports(&k);
    kit_died(&k, "web", 0, 0);
    assert_string_equal(kit_state(&k, "web"), "failed");
    assert_string_equal(kit_reports(&k), "web: [exited] exited with code 0 after 0 ms; not restarting | "
                                         "web: [failed] failed: exited 0 but left no daemon behind");
    kit_end(&k);
}

static void test_left_overs(void **state)
{
    static const struct {
        enum spec_orphans orphans;
        enum spec_kill_mode mode;
        const char *effects;
        const char *report;
    } cases[] = {
        {SPEC_ORPHANS_KILL, SPEC_KILL_MIXED, "web>stopping; signal web TERM rest; arm web +10000",
         "web: [exited] exited with code 1 after 0 ms; left-over processes: 3, ending them"},
        {SPEC_ORPHANS_KILL, SPEC_KILL_TREE, "web>stopping; signal web TERM all; arm web +10000",
         "web: [exited] exited with code 1 after 0 ms; left-over processes: 3, ending them"},
        {SPEC_ORPHANS_KILL, SPEC_KILL_MAIN, "close web 1; web>backoff; arm web +500",
         "web: [exited] exited with code 1 after 0 ms; restarting in 500 ms (restart 1)"},
        {SPEC_ORPHANS_ADOPT, SPEC_KILL_MIXED, "close web 1; web>backoff; arm web +500",
         "web: [exited] exited with code 1 after 0 ms; restarting in 500 ms (restart 1)"},
        {SPEC_ORPHANS_IGNORE, SPEC_KILL_TREE, "close web 1; web>backoff; arm web +500",
         "web: [exited] exited with code 1 after 0 ms; restarting in 500 ms (restart 1)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec *s = begin_one(SPEC_TYPE_SIMPLE);
        s->orphans = cases[i].orphans;
        s->kill_mode = cases[i].mode;
        kit_begin(&k);
        kit_up(&k, "web");
        kit_effects(&k);
        kit_reports(&k);
        kit_died(&k, "web", kit_exit(1), 3);
        assert_string_equal(kit_effects(&k), cases[i].effects);
        assert_string_equal(kit_reports(&k), cases[i].report);
        kit_end(&k);
    }
}

static void test_left_overs_are_gone_before_the_next_run(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_SIMPLE);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", kit_exit(1), 3);
    kit_effects(&k);
    kit_reports(&k);
    kit_wait(&k, 10000);
    assert_string_equal(kit_effects(&k), "kill web all");
    assert_string_equal(kit_reports(&k), "web: [killed] did not end within 10 s; sending SIGKILL");
    kit_wait(&k, 60000);
    assert_string_equal(kit_effects(&k), "");
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; web>backoff; arm web +500");
    assert_string_equal(kit_reports(&k), "web: [backoff] restarting in 500 ms (restart 1)");
    kit_end(&k);
}

static void test_left_overs_of_a_job_that_is_done(void **state)
{
    (void)state;
    begin_one(SPEC_TYPE_ONESHOT);
    kit_begin(&k);
    kit_up(&k, "web");
    kit_died(&k, "web", 0, 1);
    kit_effects(&k);
    kit_reports(&k);
    kit_tell(&k, EVENT_MEMBERS_GONE, "web");
    assert_string_equal(kit_effects(&k), "close web 1; cancel web; web>done");
    assert_string_equal(kit_reports(&k), "web: [done] done");
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_following),
        cmocka_unit_test(test_a_followed_daemon_has_its_own_end),
        cmocka_unit_test(test_the_pid_file_decides_whom_to_follow),
        cmocka_unit_test(test_the_daemon_may_die_before_it_is_followed),
        cmocka_unit_test(test_forking_without_a_daemon_fails),
        cmocka_unit_test(test_left_overs),
        cmocka_unit_test(test_left_overs_are_gone_before_the_next_run),
        cmocka_unit_test(test_left_overs_of_a_job_that_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
