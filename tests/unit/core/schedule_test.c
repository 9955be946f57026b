/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When a unit is due, on clocks that go, stop, jump and are put back.
 */
#include "core/schedule.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { WALKS = 200, LOOKS = 60, MINUTE = 60, HOUR = 3600, DAY = 24 * HOUR };

/* A Monday, 00:00 UTC. */
#define MONDAY INT64_C(1795392000)

/* The clocks, and a zone that is AHEAD of UTC. */
static struct {
    int64_t mono_ms, unix_ms, ahead;
} clocks;

static int64_t offset(int64_t unix_s, const void *data)
{
    (void)unix_s;
    return *(const int64_t *)data;
}

static const struct cron_zone zone = {.offset_s = offset, .data = &clocks.ahead};

static struct schedule_now now(void)
{
    return (struct schedule_now){.mono_ms = clocks.mono_ms, .unix_ms = clocks.unix_ms, .zone = &zone};
}

static int begin(void **state)
{
    (void)state;
    clocks.mono_ms = 5000;
    clocks.unix_ms = MONDAY * 1000;
    clocks.ahead = 0;
    return 0;
}

/* It is S seconds later. */
static void pass(int64_t s)
{
    clocks.mono_ms += s * 1000;
    clocks.unix_ms += s * 1000;
}

/* Somebody sets the clock, or the machine sleeps. */
static void jump(int64_t s)
{
    clocks.unix_ms += s * 1000;
}

static struct schedule by_cron(const char *text)
{
    struct schedule s;
    struct spec_schedule spec = {0};
    struct schedule_now n = now();
    char why[256] = "";

    if (!cron_parse(text, &spec.cron, why, sizeof why))
        fail_msg("%s: %s", text, why);
    schedule_begin(&s, &spec, &n);
    return s;
}

static struct schedule by_every(int64_t ms)
{
    struct schedule s;
    struct schedule_now n = now();

    schedule_begin(&s, &(struct spec_schedule){.every_ms = ms}, &n);
    return s;
}

static enum schedule_verdict look(struct schedule *s)
{
    struct schedule_now n = now();

    return schedule_look(s, &n);
}

static int64_t wait_s(const struct schedule *s)
{
    struct schedule_now n = now();
    int64_t ms = schedule_wait_ms(s, &n);

    return ms < 0 ? ms : ms / 1000;
}

/* When S is due next, in seconds since MONDAY. */
static int64_t due_s(const struct schedule *s)
{
    struct schedule_now n = now();

    return schedule_due_s(s, &n) - MONDAY;
}

static void test_every_counts_from_the_start_of_a_run(void **state)
{
    struct schedule s = by_every(10000);
    struct schedule_now n;

    (void)state;
    assert_int_equal(wait_s(&s), 10);
    assert_int_equal(due_s(&s), 10);
    pass(9);
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(wait_s(&s), 1);
    pass(1);
    assert_int_equal(look(&s), SCHEDULE_DUE);
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(wait_s(&s), 10);
    /* Somebody else starts it. */
    pass(7);
    n = now();
    schedule_started(&s, &n);
    assert_int_equal(wait_s(&s), 10);
    /* It was due thrice while nobody looked. */
    pass(35);
    assert_int_equal(wait_s(&s), 0);
    assert_int_equal(look(&s), SCHEDULE_DUE);
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(wait_s(&s), 10);
}

static void test_every_does_not_care_for_the_time_of_day(void **state)
{
    struct schedule s = by_every(10000);

    (void)state;
    jump(DAY);
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(wait_s(&s), 10);
    assert_int_equal(due_s(&s), DAY + 10);
    jump(-3 * DAY);
    pass(10);
    assert_int_equal(look(&s), SCHEDULE_DUE);
}

static void test_cron_is_due_once(void **state)
{
    struct schedule s = by_cron("30 2 * * *");

    (void)state;
    assert_int_equal(due_s(&s), 2 * HOUR + 30 * MINUTE);
    assert_int_equal(wait_s(&s), 2 * HOUR + 30 * MINUTE);
    pass(2 * HOUR + 30 * MINUTE - 1);
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(wait_s(&s), 1);
    pass(1);
    assert_int_equal(look(&s), SCHEDULE_DUE);
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(due_s(&s), DAY + 2 * HOUR + 30 * MINUTE);
    /* Starts by others change nothing. */
    struct schedule_now n = now();
    schedule_started(&s, &n);
    assert_int_equal(due_s(&s), DAY + 2 * HOUR + 30 * MINUTE);
}

/* What becomes of a schedule whose clock stood at FROM when somebody set it to TO; both are seconds since MONDAY. */
static const struct {
    const char *schedule;
    int64_t from, to;
    enum schedule_verdict verdict;
    int64_t due;
} jumps[] = {
    /* Forward, over nothing that was due. */
    {"0 4 * * *", HOUR, 3 * HOUR, SCHEDULE_NOT_YET, 4 * HOUR},
    {"0 4 * * *", 5 * HOUR, 20 * HOUR, SCHEDULE_NOT_YET, DAY + 4 * HOUR},
    /* Over a time that was due, or many: one run. */
    {"0 4 * * *", 3 * HOUR, 5 * HOUR, SCHEDULE_DUE, DAY + 4 * HOUR},
    {"0 4 * * *", 3 * HOUR, 7 * HOUR, SCHEDULE_DUE, DAY + 4 * HOUR},
    {"*/5 * * * *", HOUR, 2 * HOUR + 1, SCHEDULE_DUE, 2 * HOUR + 5 * MINUTE},
    {"*/5 * * * *", HOUR, 90 * DAY + 1, SCHEDULE_DUE, 90 * DAY + 5 * MINUTE},
    /* Too long ago. */
    {"0 4 * * *", 3 * HOUR, 7 * HOUR + 1, SCHEDULE_MISSED, DAY + 4 * HOUR},
    {"0 4 * * *", 3 * HOUR, 20000 * DAY, SCHEDULE_MISSED, 20000 * DAY + 4 * HOUR},
    /* Back, over a time that has been due: not again. */
    {"0 4 * * *", 4 * HOUR, 4 * HOUR - 1, SCHEDULE_NOT_YET, DAY + 4 * HOUR},
    {"0 4 * * *", 4 * HOUR, HOUR, SCHEDULE_NOT_YET, DAY + 4 * HOUR},
    {"0 4 * * *", 5 * HOUR, 2 * HOUR, SCHEDULE_NOT_YET, DAY + 4 * HOUR},
    /* By more: the new time counts. */
    {"0 4 * * *", 4 * HOUR, HOUR - 1, SCHEDULE_NOT_YET, 4 * HOUR},
    {"0 4 * * *", 4 * HOUR, 5 * MINUTE - 7 * DAY, SCHEDULE_NOT_YET, 4 * HOUR - 7 * DAY},
    /* Back over nothing. */
    {"0 4 * * *", 3 * HOUR, HOUR, SCHEDULE_NOT_YET, 4 * HOUR},
    /* By elapsed time: the new time counts, but no minute twice. */
    {"*/5 * * * *", 4 * HOUR, 4 * HOUR - 1, SCHEDULE_NOT_YET, 4 * HOUR + 5 * MINUTE},
    {"*/5 * * * *", 4 * HOUR, 3 * HOUR, SCHEDULE_NOT_YET, 3 * HOUR + 5 * MINUTE},
};

static void test_clocks_that_are_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
        begin(NULL);
        struct schedule s = by_cron(jumps[i].schedule);
        while (clocks.unix_ms < (MONDAY + jumps[i].from) * 1000) {
            pass(MINUTE);
            (void)look(&s);
        }
        jump(jumps[i].to - jumps[i].from);
        enum schedule_verdict verdict = look(&s);
        if (verdict != jumps[i].verdict || due_s(&s) != jumps[i].due)
            fail_msg("row %zu: verdict %d, next %" PRId64 " s after what was wanted", i, (int)verdict,
                     due_s(&s) - jumps[i].due);
        assert_int_equal(look(&s), SCHEDULE_NOT_YET);
        assert_int_equal(due_s(&s), jumps[i].due);
    }
}

static void test_another_zone(void **state)
{
    struct schedule s = by_cron("0 4 * * *");

    (void)state;
    /* It is noticed when the time by the old one comes. */
    clocks.ahead = -HOUR;
    pass(4 * HOUR);
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(due_s(&s), 5 * HOUR);
    pass(HOUR);
    assert_int_equal(look(&s), SCHEDULE_DUE);
    /* 04:00 comes once more. */
    clocks.ahead = -5 * HOUR;
    assert_int_equal(look(&s), SCHEDULE_NOT_YET);
    assert_int_equal(due_s(&s), 9 * HOUR);
}

static void test_before_1970(void **state)
{
    struct schedule s;

    (void)state;
    clocks.unix_ms = -60500;
    s = by_cron("* * * * *");
    assert_int_equal(due_s(&s), -MONDAY - MINUTE);
}

static void test_another_configuration(void **state)
{
    struct schedule s = by_every(60000);
    struct schedule_now n;

    (void)state;
    pass(20);
    n = now();
    schedule_set(&s, &(struct spec_schedule){.every_ms = 60000}, &n);
    assert_int_equal(wait_s(&s), 40);
    schedule_set(&s, &(struct spec_schedule){.every_ms = 30000}, &n);
    assert_int_equal(wait_s(&s), 10);
    schedule_set(&s, &(struct spec_schedule){.every_ms = 10000}, &n);
    assert_int_equal(wait_s(&s), 0);

    struct schedule c = by_cron("0 * * * *");
    pass(HOUR - 20);
    assert_int_equal(look(&c), SCHEDULE_DUE);
    n = now();
    schedule_set(&c, &c.spec, &n);
    assert_int_equal(due_s(&c), 2 * HOUR);
    struct spec_schedule other = by_cron("0 0 * * *").spec;
    schedule_set(&c, &other, &n);
    assert_int_equal(due_s(&c), DAY);
}

/* Whether C is due in the minutes from FROM_S (excluded) to TO_S, as far as those are no older than three hours. */
static bool was_due(const struct spec_cron *c, int64_t from_s, int64_t to_s)
{
    int64_t t = to_s - SCHEDULE_STEP_MAX_S - 1;

    if (t < from_s)
        t = from_s;
    for (t = (t / MINUTE + 1) * MINUTE; t <= to_s; t += MINUTE) {
        time_t unix_s = (time_t)t;
        struct tm tm;
        assert_non_null(gmtime_r(&unix_s, &tm));
        if ((c->minutes >> tm.tm_min & 1) && (c->hours >> tm.tm_hour & 1) && (c->weekdays >> tm.tm_wday & 1))
            return true;
    }
    return false;
}

static int pick(unsigned *seed, int n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (int)(*seed >> 16) % n;
}

/* Looks at random times, sooner or later than S asks for. Each says what a walk through all the minutes says. */
static void test_random_walks(void **state)
{
    const char *given = getenv("FOSTER_SCHEDULE_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

    (void)state;
    print_message("FOSTER_SCHEDULE_SEED=%u\n", seed);
    for (int walk = 0; walk < WALKS; walk++) {
        char text[64], hours[32];
        begin(NULL);
        snprintf(hours, sizeof hours, pick(&seed, 2) ? "*" : "%d,%d", pick(&seed, 24), pick(&seed, 24));
        snprintf(text, sizeof text, "%d-59/%d %s * * %s", pick(&seed, 60), 1 + pick(&seed, 30), hours,
                 pick(&seed, 2) ? "*" : "1-5");
        struct schedule s = by_cron(text);
        for (int i = 0; i < LOOKS; i++) {
            int64_t before = clocks.unix_ms / 1000, wait = wait_s(&s);
            int64_t steps[] = {wait, wait / 2, wait + 1, pick(&seed, 600), pick(&seed, DAY)};
            int64_t step = steps[pick(&seed, ARRAY_LEN(steps))];
            pick(&seed, 2) ? pass(step) : jump(step);
            bool is_due = look(&s) == SCHEDULE_DUE;
            if (is_due != was_due(&s.spec.cron, before, clocks.unix_ms / 1000))
                fail_msg("%s: look %d of walk %d, %" PRId64 " s: %s", text, i, walk, step, is_due ? "due" : "not due");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_counts_from_the_start_of_a_run, begin),
        cmocka_unit_test_setup(test_every_does_not_care_for_the_time_of_day, begin),
        cmocka_unit_test_setup(test_cron_is_due_once, begin),
        cmocka_unit_test_setup(test_clocks_that_are_set, begin),
        cmocka_unit_test_setup(test_another_zone, begin),
        cmocka_unit_test_setup(test_before_1970, begin),
        cmocka_unit_test_setup(test_another_configuration, begin),
        cmocka_unit_test(test_random_walks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
