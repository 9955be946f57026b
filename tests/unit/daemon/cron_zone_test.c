/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules in local time as the C library has it: against a walk through every minute around the changes of a year, in
 * zones by rule, and in those of the zone database where that is installed.
 */
#include "core/cron.h"
#include "sys/sys_time.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAY = 86400, AROUND = DAY + DAY / 2, BACK_MAX = 3 * 3600, MINUTES = (2 * AROUND + 2 * BACK_MAX) / 60 };

/* The offsets of all minutes around a change, the first of which is at BEGIN. */
static struct {
    int64_t begin;
    int64_t offsets[MINUTES];
} around;

static int64_t local_offset(int64_t unix_s, const void *data)
{
    (void)data;
    return sys_local_offset_s(unix_s);
}

static const struct cron_zone local_zone = {.offset_s = local_offset};

static const char *const schedules[] = {
    "30 2 * * *", "0 2 * * *", "0 3 * * *",   "15 2,3 * * *",   "45 1 * * *",    "* 2 * * *",     "59 23 * * *",
    "0 0 * * *",  "0 * * * *", "*/7 * * * *", "*/20 */2 * * *", "5 1-3 * * sun", "30 2 * 3,10 *", "10 0-23 * * *",
};

static int64_t offset_at(int64_t t)
{
    assert_in_range((t - around.begin) / 60, 0, MINUTES - 1);
    return around.offsets[(t - around.begin) / 60];
}

static bool fits(const struct spec_cron *c, int64_t local)
{
    time_t t = (time_t)local;
    struct tm tm;
    assert_non_null(gmtime_r(&t, &tm));
    return (c->minutes >> tm.tm_min & 1) && (c->hours >> tm.tm_hour & 1) && (c->days >> tm.tm_mday & 1) &&
           (c->months >> (tm.tm_mon + 1) & 1) && (c->weekdays >> tm.tm_wday & 1);
}

/* Whether the minute T is due: by its own time, unless that has been there before, or by one that was skipped. */
static bool is_due(const struct spec_cron *c, int64_t t)
{
    int64_t local = t + offset_at(t), before = t - 60 + offset_at(t - 60);
    if (c->any_hour)
        return fits(c, local);
    for (int64_t skipped = before + 60; skipped < local; skipped += 60)
        if (fits(c, skipped))
            return true;
    if (!fits(c, local))
        return false;
    for (int64_t earlier = t - BACK_MAX; earlier < t; earlier += 60)
        if (earlier + offset_at(earlier) == local)
            return false;
    return true;
}

/* The first instant from T on at which the offset is another one. */
static int64_t change_after(int64_t t)
{
    int64_t offset = sys_local_offset_s(t);
    while (sys_local_offset_s(t + DAY) == offset)
        t += DAY;
    while (sys_local_offset_s(t) == offset)
        t += 60;
    return t;
}

static void walk_around(const char *zone, int64_t change)
{
    around.begin = change - AROUND - BACK_MAX;
    for (int64_t i = 0; i < MINUTES; i++)
        around.offsets[i] = sys_local_offset_s(around.begin + i * 60);
    for (size_t i = 0; i < ARRAY_LEN(schedules); i++) {
        struct spec_cron c;
        char why[256] = "";
        if (!cron_parse(schedules[i], &c, why, sizeof why))
            fail_msg("%s: %s", schedules[i], why);
        int64_t t = change - AROUND, due;
        while (true) {
            assert_true(cron_next(&c, t, &local_zone, &due));
            if (due >= change + AROUND)
                break;
            for (t = t + 60; t < due && !is_due(&c, t); t += 60)
                continue;
            if (t != due || !is_due(&c, t))
                fail_msg("%s in %s: %" PRId64 " s from the change, not %" PRId64, schedules[i], zone, due - change,
                         t - change);
        }
    }
}

/* ZONE, whose offset goes from FIRST to SECOND and back in 2027. */
static void try_zone(const char *zone, int64_t first, int64_t second)
{
    static const int64_t new_year = 1798761600; /* of 2027 in UTC */
    assert_int_equal(setenv("TZ", zone, 1), 0);
    sys_read_zone();
    int64_t there = change_after(new_year), back = change_after(there);
    assert_int_equal(sys_local_offset_s(there - 1), first);
    assert_int_equal(sys_local_offset_s(there), second);
    assert_int_equal(sys_local_offset_s(back), first);
    walk_around(zone, there);
    walk_around(zone, back);
    assert_int_equal(unsetenv("TZ"), 0);
}

static void test_zones_by_rule(void **state)
{
    (void)state;
    try_zone("CET-1CEST,M3.5.0,M10.5.0/3", 3600, 7200);
    try_zone("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 39600, 37800);
    /* At midnight, so that a day begins at 01:00. */
    try_zone("<-03>3<-02>,M3.5.0/0,M10.5.0/0", -10800, -7200);
}

static void test_zones_of_the_database(void **state)
{
    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0 ||
        access("/usr/share/zoneinfo/Australia/Lord_Howe", R_OK) != 0) {
        print_message("SKIP: no zone database in /usr/share/zoneinfo (package tzdata)\n");
        skip();
    }
    try_zone("Europe/Berlin", 3600, 7200);
    try_zone("Australia/Lord_Howe", 39600, 37800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones_by_rule),
        cmocka_unit_test(test_zones_of_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
