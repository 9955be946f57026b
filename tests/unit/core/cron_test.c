/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules: what is read and what is refused, and when they are due, in zones made by hand whose clocks are put
 * forward and back, and against a reference that walks through every minute.
 */
#include "core/cron.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CHANGES_MAX = 2, ROUNDS = 250, DATES = 100 };

/* A zone: BASE seconds ahead of UTC, and from the instant of each change on as that says. */
struct zone {
    int64_t base;
    struct {
        int64_t at, offset;
    } changes[CHANGES_MAX];
};

static int64_t zone_offset(int64_t t, const void *data)
{
    const struct zone *z = data;
    int64_t offset = z->base;

    for (size_t i = 0; i < CHANGES_MAX && z->changes[i].at != 0; i++)
        if (t >= z->changes[i].at)
            offset = z->changes[i].offset;
    return offset;
}

/* 2027: forward on 28 March at 01:00 UTC, back on 31 October at 01:00 UTC; in Lord Howe by half an hour only. */
static const struct zone utc = {0}, berlin = {3600, {{1806195600, 7200}, {1824944400, 3600}}},
                         lord_howe = {39600, {{1806159600, 37800}, {1822750200, 39600}}};

static int64_t at(const char *text)
{
    struct tm tm = {0};

    assert_int_equal(
        sscanf(text, "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec),
        6);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return timegm(&tm);
}

static struct spec_cron parsed(const char *text)
{
    struct spec_cron c;
    char why[256] = "";

    if (!cron_parse(text, &c, why, sizeof why))
        fail_msg("%s: %s", text, why);
    return c;
}

static int64_t next(const struct spec_cron *c, const struct zone *z, int64_t after)
{
    struct cron_zone zone = {zone_offset, z};
    int64_t due = -1;

    assert_true(cron_next(c, after, &zone, &due));
    return due;
}

static void check_next(const char *schedule, const struct zone *z, const char *after, const char *want)
{
    struct spec_cron c = parsed(schedule);
    int64_t due = next(&c, z, at(after));

    if (due != at(want))
        fail_msg("%s after %s is due %" PRId64 " s after what was wanted, %s", schedule, after, due - at(want), want);
}

static void test_when_it_is_due(void **state)
{
    static const char *const rows[][3] = {
        {"* * * * *", "2026-11-23T10:00:00", "2026-11-23T10:01:00"},
        {"* * * * *", "2026-11-23T10:00:01", "2026-11-23T10:01:00"},
        {"* * * * *", "2026-12-31T23:59:59", "2027-01-01T00:00:00"},
        {"*/15 * * * *", "2026-11-23T10:07:00", "2026-11-23T10:15:00"},
        {"*/15 * * * *", "2026-11-23T10:45:00", "2026-11-23T11:00:00"},
        {"5,50 * * * *", "2026-11-23T10:05:00", "2026-11-23T10:50:00"},
        {"10-20/5 3 * * *", "2026-11-23T03:11:00", "2026-11-23T03:15:00"},
        {"10-20/5 3 * * *", "2026-11-23T03:20:00", "2026-11-24T03:10:00"},
        {"0 4 * * 1-5", "2026-11-27T04:00:00", "2026-11-30T04:00:00"},
        {"0 4 * * fri-sun", "2026-11-23T04:00:00", "2026-11-27T04:00:00"},
        {"0 4 * * 7", "2026-11-23T04:00:00", "2026-11-29T04:00:00"},
        {"0 4 * * SUN", "2026-11-23T04:00:00", "2026-11-29T04:00:00"},
        {"0 0 1 jan *", "2026-11-23T04:00:00", "2027-01-01T00:00:00"},
        {"0 0 31 * *", "2027-01-31T00:00:00", "2027-03-31T00:00:00"},
        {"0 0 29 2 *", "2027-01-01T00:00:00", "2028-02-29T00:00:00"},
        /* A machine without a clock of its own begins here, and west of Greenwich before it. */
        {"*/5 * * * *", "1969-12-31T19:01:00", "1969-12-31T19:05:00"},
        {"0 0 31 12 *", "1968-12-30T23:59:59", "1968-12-31T00:00:00"},
        {"0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"},
        /* Either day will do, where both are given; both have to fit, where one begins with a star. */
        {"0 0 13 * 5", "2026-11-23T00:00:00", "2026-11-27T00:00:00"},
        {"0 0 13 * 5", "2026-12-11T00:00:00", "2026-12-13T00:00:00"},
        {"0 0 */2 * 5", "2026-11-23T00:00:00", "2026-11-27T00:00:00"},
        {"0 0 */2 * 5", "2026-11-27T00:00:00", "2026-12-11T00:00:00"},
        {"@hourly", "2026-11-23T10:00:00", "2026-11-23T11:00:00"},
        {"@Daily", "2026-11-23T10:00:00", "2026-11-24T00:00:00"},
        {"@weekly", "2026-11-23T10:00:00", "2026-11-29T00:00:00"},
        {"@monthly", "2026-11-23T10:00:00", "2026-12-01T00:00:00"},
        {"@yearly", "2026-11-23T10:00:00", "2027-01-01T00:00:00"},
        {" 1  2\t3 4 * ", "2026-11-23T10:00:00", "2027-04-03T02:01:00"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_next(rows[i][0], &utc, rows[i][1], rows[i][2]);
}

/* All instants are in UTC. */
static void test_clocks_that_are_put_forward_and_back(void **state)
{
    static const struct {
        const char *schedule;
        const struct zone *zone;
        const char *after, *want;
    } rows[] = {
        /* There is no 02:30: due when the gap is over, once, and the next day as ever. */
        {"30 2 * * *", &berlin, "2027-03-27T12:00:00", "2027-03-28T01:00:00"},
        {"30 2 * * *", &berlin, "2027-03-28T01:00:00", "2027-03-29T00:30:00"},
        {"15,45 2 * * *", &berlin, "2027-03-28T00:59:59", "2027-03-28T01:00:00"},
        {"15,45 2 * * *", &berlin, "2027-03-28T01:00:00", "2027-03-29T00:15:00"},
        {"30 3 * * *", &berlin, "2027-03-28T00:59:59", "2027-03-28T01:30:00"},
        {"0 3 * * *", &berlin, "2027-03-28T00:00:00", "2027-03-28T01:00:00"},
        {"30 1 * * *", &berlin, "2027-03-28T00:30:00", "2027-03-28T23:30:00"},
        /* 02:30 comes twice: due the first time. */
        {"30 2 * * *", &berlin, "2027-10-30T12:00:00", "2027-10-31T00:30:00"},
        {"30 2 * * *", &berlin, "2027-10-31T00:30:00", "2027-11-01T01:30:00"},
        {"30 2 * * *", &berlin, "2027-10-31T01:10:00", "2027-11-01T01:30:00"},
        {"0 3 * * *", &berlin, "2027-10-31T00:30:00", "2027-10-31T02:00:00"},
        {"0 2 * * *", &berlin, "2027-10-31T00:00:00", "2027-11-01T01:00:00"},
        /* By elapsed time: nothing for what is skipped, and twice what comes twice. */
        {"30 * * * *", &berlin, "2027-03-28T00:30:00", "2027-03-28T01:30:00"},
        {"30 * * * *", &berlin, "2027-10-31T00:30:00", "2027-10-31T01:30:00"},
        {"*/20 * * * *", &berlin, "2027-10-31T00:40:00", "2027-10-31T01:00:00"},
        /* Half an hour: forward on 3 October 2027 at 02:00, back on 4 April at 02:00. */
        {"45 1 * * *", &lord_howe, "2027-03-27T14:00:00", "2027-03-27T14:45:00"},
        {"45 1 * * *", &lord_howe, "2027-03-27T14:45:00", "2027-03-28T15:15:00"},
        {"15 2 * * *", &lord_howe, "2027-10-02T12:00:00", "2027-10-02T15:45:00"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_next(rows[i].schedule, rows[i].zone, rows[i].after, rows[i].want);
}

static bool fits(const struct spec_cron *c, int64_t local)
{
    time_t t = (time_t)local;
    struct tm tm;
    bool day, weekday;

    assert_non_null(gmtime_r(&t, &tm));
    day = c->days >> tm.tm_mday & 1;
    weekday = c->weekdays >> tm.tm_wday & 1;
    return (c->minutes >> tm.tm_min & 1) && (c->hours >> tm.tm_hour & 1) && (c->months >> (tm.tm_mon + 1) & 1) &&
           (c->any_day || c->any_weekday ? day && weekday : day || weekday);
}

/* Whether C is due at the minute T, by looking at all the minutes around it. */
static bool is_due(const struct spec_cron *c, const struct zone *z, int64_t t)
{
    int64_t local = t + zone_offset(t, z), before = t - 60 + zone_offset(t - 60, z);

    if (c->any_hour)
        return fits(c, local);
    for (int64_t skipped = before + 60; skipped < local; skipped += 60)
        if (fits(c, skipped))
            return true;
    for (int64_t earlier = t - 3 * 3600; earlier < t; earlier += 60)
        if (earlier + zone_offset(earlier, z) == local)
            return false;
    return fits(c, local);
}

static int pick(unsigned *seed, int n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (int)(*seed >> 16) % n;
}

static void random_field(unsigned *seed, int min, int max, char *out, size_t size)
{
    int a = min + pick(seed, max - min + 1), b = a + pick(seed, max - a + 1);

    switch (pick(seed, 5)) {
    case 0:
        snprintf(out, size, "*");
        break;
    case 1:
        snprintf(out, size, "*/%d", 1 + pick(seed, 20));
        break;
    case 2:
        snprintf(out, size, "%d-%d/%d", a, b, 1 + pick(seed, 5));
        break;
    case 3:
        snprintf(out, size, "%d,%d", b, a);
        break;
    default:
        snprintf(out, size, "%d", a);
        break;
    }
}

static void test_against_a_walk_through_every_minute(void **state)
{
    static const struct zone *const zones[] = {&utc, &berlin, &lord_howe};
    static const char *const starts[] = {"2027-03-27T00:00:00", "2027-04-03T00:00:00", "2027-10-02T00:00:00",
                                         "2027-10-30T00:00:00", "2027-12-30T00:00:00"};
    const char *given = getenv("FOSTER_CRON_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

    (void)state;
    print_message("FOSTER_CRON_SEED=%u\n", seed);
    for (int round = 0; round < ROUNDS; round++) {
        char m[24], h[24], w[24], text[96];
        const struct zone *z = zones[pick(&seed, ARRAY_LEN(zones))];
        int64_t begin = at(starts[pick(&seed, ARRAY_LEN(starts))]), after = begin + pick(&seed, 86400);
        random_field(&seed, 0, 59, m, sizeof m);
        random_field(&seed, 0, 23, h, sizeof h);
        random_field(&seed, 0, 6, w, sizeof w);
        snprintf(text, sizeof text, "%s %s * * %s", m, h, pick(&seed, 2) ? "*" : w);
        struct spec_cron c = parsed(text);
        for (int k = 0; k < 4; k++) {
            int64_t due = next(&c, z, after), t = (after / 60 + 1) * 60;
            while (t < due && !is_due(&c, z, t))
                t += 60;
            if (t != due || !is_due(&c, z, t))
                fail_msg("%s (%u) after %" PRId64 ": %" PRId64 ", not %" PRId64, text, seed, after, due, t);
            after = due;
        }
    }
}

/* All days from AFTER's on are looked at, and of one that fits all minutes. -1: none of sixty years. */
static int64_t walk_through_days(const struct spec_cron *c, int64_t after)
{
    for (int64_t day = after / 86400, last = day + INT64_C(60) * 365; day <= last; day++) {
        time_t begin = (time_t)day * 86400;
        struct tm tm;
        assert_non_null(gmtime_r(&begin, &tm));
        bool by_day = c->days >> tm.tm_mday & 1, by_weekday = c->weekdays >> tm.tm_wday & 1;
        if (!(c->months >> (tm.tm_mon + 1) & 1) ||
            !(c->any_day || c->any_weekday ? by_day && by_weekday : by_day || by_weekday))
            continue;
        for (int64_t t = begin; t < begin + 86400; t += 60)
            if (t > after && fits(c, t))
                return t;
    }
    return -1;
}

static void test_dates_against_a_walk_through_every_day(void **state)
{
    const char *given = getenv("FOSTER_CRON_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

    (void)state;
    print_message("FOSTER_CRON_SEED=%u\n", seed);
    for (int round = 0; round < DATES; round++) {
        char m[24], h[24], d[24], o[24], w[24], text[128], why[256];
        int64_t after = at("1995-01-01T00:00:00") + (int64_t)pick(&seed, 40000) * 86400 + pick(&seed, 86400);
        struct cron_zone zone = {zone_offset, &utc};
        struct spec_cron c;
        random_field(&seed, 0, 59, m, sizeof m);
        random_field(&seed, 0, 23, h, sizeof h);
        random_field(&seed, 1, 31, d, sizeof d);
        random_field(&seed, 1, 12, o, sizeof o);
        random_field(&seed, 0, 7, w, sizeof w);
        snprintf(text, sizeof text, "%s %s %s %s %s", m, h, d, o, w);
        if (!cron_parse(text, &c, why, sizeof why)) {
            assert_string_equal(why, "there is no such day in any year");
            continue;
        }
        int64_t due, want = walk_through_days(&c, after);
        if (!cron_next(&c, after, &zone, &due) || due != want)
            fail_msg("%s after %" PRId64 ": %" PRId64 ", not %" PRId64, text, after, due, want);
    }
}

struct counted {
    const struct zone *zone;
    unsigned n;
};

static int64_t counted_offset(int64_t t, const void *data)
{
    struct counted *counted = *(struct counted *const *)data;

    counted->n++;
    return zone_offset(t, counted->zone);
}

static void test_far_away_dates_cost_little(void **state)
{
    struct counted counted = {.zone = &berlin}, *data = &counted;
    struct cron_zone zone = {counted_offset, &data};
    struct spec_cron c = parsed("30 2 29 2 */7");
    int64_t due;

    (void)state;
    /* The year 2100 has no 29 February: 28 years become 40. */
    assert_true(cron_next(&c, at("2088-03-01T00:00:00"), &zone, &due));
    assert_int_equal(due, at("2128-02-29T01:30:00"));
    assert_in_range(counted.n, 1, 40 * 366);
}

static void test_what_is_refused(void **state)
{
    static const char *const rows[][2] = {
        {"", "five fields are wanted: minute, hour, day of the month, month, day of the week"},
        {"* * * *", "five fields are wanted: minute, hour, day of the month, month, day of the week"},
        {"* * * * * *", "five fields are wanted: minute, hour, day of the month, month, day of the week"},
        {"60 * * * *", "minute `60`: a number from 0 to 59, a range of two, or * is wanted"},
        {"* 24 * * *", "hour `24`: a number from 0 to 23, a range of two, or * is wanted"},
        {"* * 0 * *", "day of the month `0`: a number from 1 to 31, a range of two, or * is wanted"},
        {"* * * 13 *", "month `13`: a number from 1 to 12, or a name of three letters, a range of two, or * is wanted"},
        {"* * * * 8",
         "day of the week `8`: a number from 0 to 7, or a name of three letters, a range of two, or * is wanted"},
        {"* * * * sunday",
         "day of the week `sunday`: a number from 0 to 7, or a name of three letters, a range of two, or * is wanted"},
        {"-1 * * * *", "minute `-1`: a number from 0 to 59, a range of two, or * is wanted"},
        {"001 * * * *", "minute `001`: a number from 0 to 59, a range of two, or * is wanted"},
        {"5- * * * *", "minute `5-`: a number from 0 to 59, a range of two, or * is wanted"},
        {"20-10 * * * *", "minute `20-10`: the range ends before it begins; write it as two"},
        {"5/10 * * * *", "minute `5/10`: a step needs a range or *"},
        {"*/0 * * * *", "minute `*/0`: the step is to be a number from 1 to 59"},
        {"*/ * * * *", "minute `*/`: the step is to be a number from 1 to 59"},
        {"1,,2 * * * *", "minute ``: something is missing beside a comma"},
        {"1, * * * *", "minute ``: something is missing beside a comma"},
        {"0 0 30 2 *", "there is no such day in any year"},
        {"0 0 31 4,6,9,11 *", "there is no such day in any year"},
        {"@reboot", "for a run at the start leave `schedule` away: `autostart` does that"},
        {"@often", "there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spec_cron c = {.minutes = 42};
        char why[256] = "";
        assert_false(cron_parse(rows[i][0], &c, why, sizeof why));
        assert_string_equal(why, rows[i][1]);
        assert_int_equal(c.minutes, 42);
    }
    /* The 30th of February, or a Monday. */
    check_next("0 0 30 2 1", &utc, "2027-01-01T00:00:00", "2027-02-01T00:00:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_when_it_is_due),
        cmocka_unit_test(test_clocks_that_are_put_forward_and_back),
        cmocka_unit_test(test_against_a_walk_through_every_minute),
        cmocka_unit_test(test_dates_against_a_walk_through_every_day),
        cmocka_unit_test(test_far_away_dates_cost_little),
        cmocka_unit_test(test_what_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
