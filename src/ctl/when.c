/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Points in time. See when.h.
 */
#include "ctl/when.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WHEN_SECOND = 1000000 };

/* N digits at *AT, and nothing else; moves *AT behind them. */
static bool when_digits(const char **at, size_t n, int *ret)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += n;
    *ret = value;
    return true;
}

static bool when_is(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool when_date(const char **at, struct tm *tm)
{
    int year;
    const char *from = *at;
    if (!when_digits(at, 4, &year) || !when_is(at, '-') || !when_digits(at, 2, &tm->tm_mon) || !when_is(at, '-') ||
        !when_digits(at, 2, &tm->tm_mday)) {
        *at = from;
        return false;
    }
    tm->tm_year = year - 1900;
    tm->tm_mon--;
    return true;
}

/* "08:15", "08:15:30", "08:15:30.25"; what is not given is 0. */
static bool when_clock(const char **at, struct tm *tm, int64_t *ret_us)
{
    int digit;
    *ret_us = 0;
    if (!when_digits(at, 2, &tm->tm_hour) || !when_is(at, ':') || !when_digits(at, 2, &tm->tm_min))
        return false;
    if (!when_is(at, ':'))
        return true;
    if (!when_digits(at, 2, &tm->tm_sec))
        return false;
    if (!when_is(at, '.'))
        return true;
    int64_t unit = WHEN_SECOND / 10;
    const char *from = *at;
    for (; when_digits(at, 1, &digit); unit /= 10)
        *ret_us += digit * unit;
    return *at > from;
}

/* "Z", "+01:00", or nothing. *RET_EAST: seconds. */
static bool when_zone(const char **at, bool *ret_is_local, int *ret_east)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;
    *ret_is_local = **at == '\0';
    *ret_east = 0;
    if (*ret_is_local || when_is(at, 'Z'))
        return true;
    if ((!when_is(at, '+') && !when_is(at, '-')) || !when_digits(at, 2, &hours) || !when_is(at, ':') ||
        !when_digits(at, 2, &minutes) || hours > 14 || minutes > 59)
        return false;
    *ret_east = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* TM as it was written, in local time or EAST of Greenwich. False where there is no such day or time. */
static bool when_make(const struct tm *tm, int64_t us, bool is_local, int east, int64_t *ret)
{
    struct tm made = *tm;
    time_t at = is_local ? mktime(&made) : timegm(&made);
    if (tm->tm_mon > 11 || tm->tm_mday < 1 || made.tm_mday != tm->tm_mday || tm->tm_hour > 23 || tm->tm_min > 59 ||
        tm->tm_sec > 60 || (int64_t)at < east)
        return false;
    *ret = ((int64_t)at - east) * WHEN_SECOND + us;
    return true;
}

bool when_parse(const char *text, int64_t now_us, int64_t *ret)
{
    time_t now = (time_t)(now_us / WHEN_SECOND);
    struct tm tm = {.tm_isdst = -1}, today;
    int64_t ago_ms, us = 0;
    bool is_local, has_date;
    int east;
    if (parse_duration(text, &ago_ms)) {
        *ret = ago_ms < now_us / 1000 ? now_us - ago_ms * 1000 : 0;
        return true;
    }
    has_date = when_date(&text, &tm);
    if (!has_date && localtime_r(&now, &today) != NULL) {
        tm.tm_year = today.tm_year;
        tm.tm_mon = today.tm_mon;
        tm.tm_mday = today.tm_mday;
    }
    bool has_clock = !has_date || when_is(&text, 'T') || when_is(&text, ' ');
    if (has_clock && !when_clock(&text, &tm, &us))
        return false;
    return when_zone(&text, &is_local, &east) && *text == '\0' && when_make(&tm, us, is_local, east, ret);
}

bool when_of_line(const char *text, int64_t *ret)
{
    struct tm tm = {0};
    int64_t us;
    return when_date(&text, &tm) && when_is(&text, 'T') && when_clock(&text, &tm, &us) && when_is(&text, 'Z') &&
           when_make(&tm, us, false, 0, ret);
}

void when_write(int64_t us, char out[WHEN_LEN + 1])
{
    struct tm tm;
    char text[64];
    time_t at = (time_t)(us / WHEN_SECOND);
    memset(out, ' ', WHEN_LEN);
    out[WHEN_LEN] = '\0';
    if (us < 0 || gmtime_r(&at, &tm) == NULL)
        return;
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%06dZ", (int)(us % WHEN_SECOND));
    snprintf(out, WHEN_LEN + 1, "%.*s", WHEN_LEN, text);
}
