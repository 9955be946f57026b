/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The end of a run whose last line may show that it was ready, while the logger, which is real, is held up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/deaths.h"
#include "daemon/ready.h"

#include "unit/daemon/launch_kit.h"

enum { STATUS_3 = 3 << 8 };

/* As the reaper does when PID has ended. */
static void take(pid_t pid)
{
    rig_await_zombie(pid);
    const struct reaper_note note = {.pid = pid, .wstatus = rig_reap(pid)};
    deaths_take(&bench, &note, 1);
}

static const struct event *assert_told(size_t i, enum event_kind kind)
{
    assert_true(i < told.n);
    assert_int_equal(told.events[i].kind, kind);
    assert_int_equal(told.events[i].unit, 0);
    return &told.events[i];
}

/* Run 1 of unit 0, ready by a line "up", writes TEXT and ends with 3, both while the logger is held up. Returns the
 * logger. */
static pid_t die_unheard(const char *text)
{
    static char pattern[] = "^up$";
    char script[64];
    snprintf(script, sizeof script, "printf '%s'; exit 3", text);
    rig_replace(STDOUT_FILENO, open("/dev/null", O_WRONLY | O_CLOEXEC));
    COMMAND(0, "/bin/sh", "-c", script);
    bench_specs[0].ready.kind = SPEC_READY_LOG;
    bench_specs[0].ready.log = pattern;
    pid_t pid = launch(0, 1);
    bench_stop_logger();
    ready_on_state(&bench_units[0], UNIT_RUNNING);
    take(pid);
    assert_int_equal(told.n, 2);
    assert_told(1, EVENT_EXEC_OK);
    assert_false(deaths_main_is_over(&bench_units[0]));
    return bench.logger.pid;
}

static bool is_over(void *data)
{
    (void)data;
    return told.n > 0 && told.events[told.n - 1].kind == EVENT_MEMBERS_GONE;
}

/* The end is told now, as the event I, and once. */
static void assert_end(size_t i)
{
    rig_run_until(is_over, NULL);
    assert_int_equal(told.n, i + 2);
    const struct event *ev = assert_told(i, EVENT_MAIN_EXITED);
    assert_int_equal(ev->run, 1);
    assert_int_equal(ev->wstatus, STATUS_3);
    assert_told(i + 1, EVENT_MEMBERS_GONE);
    assert_true(deaths_main_is_over(&bench_units[0]));
    ready_free(&bench_units[0]);
}

static void a_line_that_shows_that_it_is_ready_comes_before_the_end(void **state)
{
    (void)state;
    assert_int_equal(kill(die_unheard("up"), SIGCONT), 0);
    assert_end(3);
    assert_int_equal(assert_told(2, EVENT_READY)->run, 1);
}

static void a_line_that_does_not_only_puts_the_end_off(void **state)
{
    (void)state;
    assert_int_equal(kill(die_unheard("upper"), SIGCONT), 0);
    assert_end(2);
}

static void the_next_logger_finds_it_too(void **state)
{
    (void)state;
    pid_t pid = die_unheard("up");
    assert_int_equal(kill(pid, SIGKILL), 0);
    take(pid);
    assert_int_not_equal(bench.logger.pid, pid);
    assert_end(3);
    assert_told(2, EVENT_READY);
}

static void what_is_not_known_in_time_does_not_count(void **state)
{
    (void)state;
    double before = hold_s;
    hold_s = 0.;
    pid_t pid = die_unheard("up");
    hold_s = before;
    assert_end(2);
    assert_int_equal(kill(pid, SIGCONT), 0);
}

static int end_at_once(void *data)
{
    (void)data;
    return 0;
}

static void a_clearing_does_not_come_before_the_end(void **state)
{
    (void)state;
    pid_t logger = die_unheard("up");
    pid_t other = rig_fork(end_at_once, NULL);
    assert_non_null(attrib_add(&bench.attrib, other, bench_units[0].run, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    take(other);
    assert_int_equal(told.n, 3);
    assert_told(2, EVENT_MEMBER_EXITED);
    assert_int_equal(kill(logger, SIGCONT), 0);
    assert_end(4);
    assert_told(3, EVENT_READY);
}

static void who_is_gone_before_is_not_told(void **state)
{
    (void)state;
    pid_t pid = die_unheard("up");
    deaths_forget(&bench_units[0]);
    ready_free(&bench_units[0]);
    assert_int_equal(kill(pid, SIGCONT), 0);
    rig_run_until(bench_is_synced, &bench_units[0]);
    assert_int_equal(told.n, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_that_shows_that_it_is_ready_comes_before_the_end),
        TEST(a_line_that_does_not_only_puts_the_end_off),
        TEST(the_next_logger_finds_it_too),
        TEST(what_is_not_known_in_time_does_not_count),
        TEST(a_clearing_does_not_come_before_the_end),
        TEST(who_is_gone_before_is_not_told),
    };
    return cmocka_run_group_tests_name("deaths_words", tests, rig_open_loop, rig_close_loop);
}
