/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The schedules of two units on a clock that the test sets. It stands in for the calls of sys_time.h and for super; the
 * library's are not linked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/cron.h"
#include "daemon/schedule.h"
#include "sys/sys.h"
#include "sys/sys_time.h"

#include "unit/daemon/rig.h"

#include <sys/eventfd.h>

enum { UNITS = 2, MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, SOON_MS = 5 };

/* A Monday, 00:00 UTC. */
static const int64_t monday_ms = INT64_C(1795392000000);

static struct {
    struct engine engine;
    struct engine_unit units[UNITS];
    struct engine_unit *slots[UNITS];
    struct spec specs[UNITS];
    bool want_up[UNITS];
    bool shutting_down;
    unsigned n_due[UNITS];
    int64_t due_ms;    /* the time of day of the last one */
    int64_t stands_ms; /* the time of day, which stands still; 0: it goes on */
    int64_t ahead_ms;  /* then: the time of day, less the monotonic clock */
    int64_t offset_s;  /* of local time */
    int clock_fd;      /* what tells that the clock is set; the schedules' own */
    int open_errno;    /* 0: it can be had */
    int await_errno;
    unsigned n_awaits;
    unsigned n_zones; /* how often the zone was read */
} t;

int64_t sys_unix_ms(void)
{
    return t.stands_ms != 0 ? t.stands_ms : sys_now_ms() + t.ahead_ms;
}

int64_t sys_local_offset_s(int64_t unix_s)
{
    (void)unix_s;
    return t.offset_s;
}

void sys_read_zone(void)
{
    t.n_zones++;
}

int sys_clockset_open(void)
{
    errno = t.open_errno;
    t.clock_fd = t.open_errno != 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return t.clock_fd;
}

int sys_clockset_await(int fd)
{
    t.n_awaits++;
    errno = t.await_errno;
    return fd == t.clock_fd && t.await_errno == 0 ? 0 : -1;
}

bool super_view(const struct super *s, unsigned i, struct unit_view *ret)
{
    (void)s;
    *ret = (struct unit_view){.want_up = t.want_up[i]};
    return true;
}

bool super_is_shutting_down(const struct super *s)
{
    (void)s;
    return t.shutting_down;
}

void engine_post(struct engine *g, const struct event *ev)
{
    if (g != &t.engine || ev->kind != EVENT_DUE || ev->unit >= UNITS)
        return;
    t.n_due[ev->unit]++;
    t.due_ms = sys_unix_ms();
}

static void set_clock(int64_t unix_ms)
{
    t.stands_ms = unix_ms;
}

static void let_clock_go(void)
{
    t.ahead_ms = t.stands_ms - sys_now_ms();
    t.stands_ms = 0;
}

/* As when somebody sets the clock while the daemon runs. */
static void set_clock_behind_its_back(int64_t unix_ms)
{
    set_clock(unix_ms);
    assert_int_equal(eventfd_write(t.clock_fd, 1), 0);
}

static int begin(void **state)
{
    static const char *const names[UNITS] = {"job", "other"};
    if (rig_begin(state) != 0)
        return -1;
    memset(&t, 0, sizeof t);
    t.engine.loop = rig.loop;
    t.engine.super = (void *)&t;
    t.engine.units = t.slots;
    t.engine.n_units = UNITS;
    for (unsigned i = 0; i < UNITS; i++) {
        t.specs[i] = (struct spec){.name = names[i], .enabled = true};
        t.units[i] = (struct engine_unit){.engine = &t.engine, .index = i, .spec = &t.specs[i]};
        snprintf(t.units[i].name, sizeof t.units[i].name, "%s", names[i]);
        t.slots[i] = &t.units[i];
        t.want_up[i] = true;
    }
    set_clock(monday_ms);
    rig_catch_log(LOG_LEVEL_INFO);
    return 0;
}

static int end(void **state)
{
    for (unsigned i = 0; i < UNITS; i++)
        schedule_forget(&t.units[i]);
    schedules_stop(&t.engine);
    return rig_end(state);
}

static void by_cron(unsigned i, const char *text)
{
    char why[256] = "";
    t.specs[i].schedule = (struct spec_schedule){0};
    if (!cron_parse(text, &t.specs[i].schedule.cron, why, sizeof why))
        fail_msg("%s: %s", text, why);
    schedule_watch(&t.units[i]);
}

static void by_every(unsigned i, int64_t ms)
{
    t.specs[i].schedule = (struct spec_schedule){.every_ms = ms};
    schedule_watch(&t.units[i]);
}

/* When unit I is due, in seconds since MONDAY. */
static int64_t next(unsigned i)
{
    return schedule_next_s(&t.units[i]) - monday_ms / 1000;
}

static bool is_due(void *data)
{
    const unsigned *want = data;
    return t.n_due[0] >= want[0] && t.n_due[1] >= want[1];
}

/* Until the units have been due so often; no more than that is a matter of each test. */
static void run_until_due(unsigned first, unsigned second)
{
    unsigned want[UNITS] = {first, second};
    rig_run_until(is_due, want);
}

static bool has_awaited(void *data)
{
    return t.n_awaits > *(const unsigned *)data;
}

/* Until the news that the clock was set have been read. */
static void run_until_noticed(void)
{
    unsigned before = t.n_awaits;
    rig_run_until(has_awaited, &before);
}

static void test_cron_at_its_minute(void **state)
{
    (void)state;
    set_clock(monday_ms + MINUTE_MS - SOON_MS);
    by_cron(0, "* * * * *");
    by_cron(1, "0 4 * * *");
    assert_int_equal(next(0), 60);
    assert_int_equal(next(1), 4 * 3600);
    let_clock_go();
    run_until_due(1, 0);
    assert_true(t.due_ms >= monday_ms + MINUTE_MS);
    assert_int_equal(next(0), 120);
    assert_int_equal(t.n_due[0], 1);
    assert_int_equal(t.n_due[1], 0);
    assert_string_equal(rig_log(), "");
}

static void test_every_again_and_again(void **state)
{
    (void)state;
    by_every(0, 2);
    by_every(1, HOUR_MS);
    assert_int_equal(next(1), 3600);
    run_until_due(3, 0);
    assert_int_equal(t.n_due[1], 0);
    /* Nobody has to be told of a clock that is set. */
    assert_null(t.engine.schedules);
}

static void test_turns_that_pass_unseen_are_one(void **state)
{
    (void)state;
    by_every(0, 1);
    by_cron(1, "* * * * *");
    /* As when we are suspended by a signal, or the machine by its owner. */
    for (int64_t wake_ms = sys_now_ms() + SOON_MS; sys_now_ms() < wake_ms;)
        continue;
    set_clock_behind_its_back(monday_ms + HOUR_MS);
    ev_run(rig.loop, EVRUN_NOWAIT);
    assert_int_equal(t.n_due[0], 1);
    assert_int_equal(t.n_due[1], 1);
}

static void test_a_clock_that_is_set(void **state)
{
    (void)state;
    by_cron(0, "0 4 * * *");
    by_every(1, HOUR_MS);
    set_clock_behind_its_back(monday_ms + 5 * HOUR_MS);
    run_until_due(1, 0);
    assert_int_equal(next(0), 28 * 3600);
    /* Back: 04:00 does not come again. */
    set_clock_behind_its_back(monday_ms + 3 * HOUR_MS);
    run_until_noticed();
    assert_int_equal(next(0), 28 * 3600);
    /* By days. */
    set_clock_behind_its_back(monday_ms - 48 * HOUR_MS);
    run_until_noticed();
    assert_int_equal(next(0), -44 * 3600);
    assert_int_equal(t.n_due[0], 1);
    assert_string_equal(rig_log(), "");
    /* Forward, too far. */
    set_clock_behind_its_back(monday_ms + 8 * HOUR_MS);
    run_until_noticed();
    assert_int_equal(t.n_due[0], 1);
    assert_int_equal(next(0), 28 * 3600);
    assert_non_null(strstr(rig_log(), "was due more than three hours ago"));
    assert_int_equal(t.n_due[1], 0);
}

static void test_another_zone_counts_from_the_next_look_on(void **state)
{
    (void)state;
    by_cron(0, "0 4 * * *");
    unsigned n_zones = t.n_zones;
    t.offset_s = -3600;
    set_clock_behind_its_back(monday_ms + 4 * HOUR_MS);
    run_until_noticed();
    assert_true(t.n_zones > n_zones);
    assert_int_equal(t.n_due[0], 0);
    assert_int_equal(next(0), 5 * 3600);
}

static void test_who_is_not_wanted_is_not_due(void **state)
{
    (void)state;
    t.want_up[0] = false;
    by_every(0, 1);
    assert_int_equal(schedule_next_s(&t.units[0]), 0);
    by_every(1, SOON_MS);
    run_until_due(0, 1);
    assert_int_equal(t.n_due[0], 0);
    /* Wanted, not wanted, wanted. */
    t.want_up[0] = true;
    schedule_on_state(&t.units[0], UNIT_WAITING);
    run_until_due(1, 0);
    t.want_up[0] = false;
    schedule_on_state(&t.units[0], UNIT_STOPPED);
    unsigned before = t.n_due[0];
    run_until_due(0, t.n_due[1] + 2);
    assert_int_equal(t.n_due[0], before);
    t.want_up[0] = true;
    schedule_on_state(&t.units[0], UNIT_WAITING);
    run_until_due(before + 1, 0);
    /* One that was done already when it was stopped changes no state. */
    t.want_up[0] = false;
    before = t.n_due[0];
    run_until_due(0, t.n_due[1] + 2);
    assert_int_equal(t.n_due[0], before);
    assert_int_equal(schedule_next_s(&t.units[0]), 0);
}

static void test_cron_that_begins_again_makes_up_for_nothing(void **state)
{
    (void)state;
    by_cron(0, "0 4 * * *");
    by_cron(1, "0 5 * * *");
    t.want_up[0] = false;
    schedule_on_state(&t.units[0], UNIT_STOPPED);
    set_clock_behind_its_back(monday_ms + 6 * HOUR_MS);
    run_until_due(0, 1);
    t.want_up[0] = true;
    schedule_on_state(&t.units[0], UNIT_WAITING);
    assert_int_equal(next(0), 28 * 3600);
    assert_int_equal(t.n_due[0], 0);
}

static void test_a_start_moves_the_next_one(void **state)
{
    enum { EVERY_MS = 40 };
    (void)state;
    by_every(0, EVERY_MS);
    by_every(1, SOON_MS);
    run_until_due(0, 1);
    unsigned before = t.n_due[0];
    int64_t started_ms = sys_now_ms();
    schedule_on_state(&t.units[0], UNIT_STARTING);
    schedule_on_state(&t.units[0], UNIT_RUNNING);
    run_until_due(before + 1, 0);
    assert_true(sys_now_ms() >= started_ms + EVERY_MS);
}

static void test_nobody_is_due_while_all_is_stopped(void **state)
{
    (void)state;
    by_cron(0, "0 4 * * *");
    t.shutting_down = true;
    set_clock_behind_its_back(monday_ms + 5 * HOUR_MS);
    run_until_noticed();
    assert_int_equal(t.n_due[0], 0);
    assert_int_equal(schedule_next_s(&t.units[0]), 0);
    assert_int_equal(rig_turns(3), 0);
}

static void test_a_new_configuration(void **state)
{
    (void)state;
    by_cron(0, "0 4 * * *");
    by_cron(0, "0 7 * * *");
    assert_int_equal(next(0), 7 * 3600);
    by_every(0, 2);
    run_until_due(1, 0);
    t.specs[0].schedule = (struct spec_schedule){0};
    schedule_watch(&t.units[0]);
    assert_null(t.units[0].schedule);
    assert_int_equal(schedule_next_s(&t.units[0]), 0);
    t.specs[0].enabled = false;
    by_every(0, 2);
    assert_null(t.units[0].schedule);
}

static void test_without_news_of_the_clock(void **state)
{
    (void)state;
    t.open_errno = EMFILE;
    set_clock(monday_ms + MINUTE_MS - SOON_MS);
    by_cron(0, "* * * * *");
    by_cron(1, "* * * * *");
    let_clock_go();
    run_until_due(1, 1);
    assert_int_equal(rig_count(rig_log(), "cannot notice that the clock is set: "), 1);
    assert_int_equal(next(0), 120);
}

static void test_a_clock_that_is_set_again_meanwhile(void **state)
{
    (void)state;
    by_cron(0, "0 4 * * *");
    t.await_errno = ECANCELED;
    set_clock_behind_its_back(monday_ms + 4 * HOUR_MS);
    run_until_due(1, 0);
    assert_string_equal(rig_log(), "");
    t.await_errno = ENOMEM;
    set_clock_behind_its_back(monday_ms + 28 * HOUR_MS);
    run_until_due(2, 0);
    assert_non_null(strstr(rig_log(), "cannot go on noticing that the clock is set: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cron_at_its_minute, begin, end),
        cmocka_unit_test_setup_teardown(test_every_again_and_again, begin, end),
        cmocka_unit_test_setup_teardown(test_turns_that_pass_unseen_are_one, begin, end),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set, begin, end),
        cmocka_unit_test_setup_teardown(test_another_zone_counts_from_the_next_look_on, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_not_wanted_is_not_due, begin, end),
        cmocka_unit_test_setup_teardown(test_cron_that_begins_again_makes_up_for_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_a_start_moves_the_next_one, begin, end),
        cmocka_unit_test_setup_teardown(test_nobody_is_due_while_all_is_stopped, begin, end),
        cmocka_unit_test_setup_teardown(test_a_new_configuration, begin, end),
        cmocka_unit_test_setup_teardown(test_without_news_of_the_clock, begin, end),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set_again_meanwhile, begin, end),
    };
    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
