/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules of five fields. The next due time is found field by field in local time, one stretch of constant offset
 * from UTC after the other; nothing is walked through minute by minute.
 */
#include "core/cron.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    CRON_FIELDS = 5,
    CRON_WORD_MAX = 32,
    /* 29 February on a Sunday comes every 28 years, and every 40 where a century has no leap day. */
    CRON_YEARS = 60,
    CRON_DAY = 86400,
    /* No zone puts its clocks back by more. */
    CRON_BACK_MAX = 3 * 3600,
};

/* One field: its name, its range, and names for its values. */
struct field {
    const char *name;
    int min, max;
    const char *const *names; /* of min and up; NULL: none */
    int n_names;
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field fields[CRON_FIELDS] = {
    {"minute", 0, 59, NULL, 0},
    {"hour", 0, 23, NULL, 0},
    {"day of the month", 1, 31, NULL, 0},
    {"month", 1, 12, months, ARRAY_LEN(months)},
    {"day of the week", 0, 7, weekdays, ARRAY_LEN(weekdays)},
};

static const struct {
    const char *name, *fields;
} nicknames[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
};

/* ------------------------------------------------------------------ reading */

/* What is being read, and where the complaint goes. */
struct reader {
    const struct field *field;
    char *why;
    size_t size;
};

static bool complain(const struct reader *r, const char *word, const char *what)
{
    snprintf(r->why, r->size, "%s `%s`: %s", r->field->name, word, what);
    return false;
}

/* The value that the LEN characters at TEXT stand for, or -1. */
static int read_value(const struct field *f, const char *text, size_t len)
{
    int value = 0;

    for (int i = 0; f->names && i < f->n_names; i++)
        if (len == strlen(f->names[i]) && strncasecmp(text, f->names[i], len) == 0)
            return f->min + i;
    if (len == 0 || len > 2)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value >= f->min && value <= f->max ? value : -1;
}

/* One element of a list: `*`, a value or a range, perhaps with a step. */
static bool read_element(const struct reader *r, const char *word, uint64_t *set)
{
    const struct field *f = r->field;
    const char *slash = strchr(word, '/'), *end = slash ? slash : word + strlen(word);
    const char *dash = memchr(word, '-', (size_t)(end - word));
    bool star = *word == '*' && end == word + 1;
    int first = f->min, last = f == &fields[4] ? 6 : f->max, step = 1;
    char range[CRON_WORD_MAX * 4];

    snprintf(range, sizeof range, "a number from %d to %d%s, a range of two, or * is wanted", f->min, f->max,
             f->names ? ", or a name of three letters" : "");
    if (!star) {
        first = read_value(f, word, (size_t)((dash ? dash : end) - word));
        last = dash ? read_value(f, dash + 1, (size_t)(end - dash - 1)) : first;
        if (first < 0 || last < 0)
            return complain(r, word, range);
        /* Sunday ends a week as well as it begins one. */
        if (f == &fields[4] && dash && last == 0)
            last = 7;
    }
    if (last < first)
        return complain(r, word, "the range ends before it begins; write it as two");
    if (slash && !star && !dash)
        return complain(r, word, "a step needs a range or *");
    if (slash) {
        step = read_value(&(struct field){.min = 1, .max = 59}, slash + 1, strlen(slash + 1));
        if (step < 0)
            return complain(r, word, "the step is to be a number from 1 to 59");
    }
    for (int i = first; i <= last; i += step)
        *set |= UINT64_C(1) << i;
    return true;
}

/* A field: elements with commas between. */
static bool read_field(const struct reader *r, const char *text, size_t len, uint64_t *ret)
{
    uint64_t set = 0;
    size_t at = 0;

    do {
        size_t n = 0;
        char word[CRON_WORD_MAX];
        while (at + n < len && text[at + n] != ',')
            n++;
        if (n >= sizeof word)
            return complain(r, "…", "too long");
        memcpy(word, text + at, n);
        word[n] = '\0';
        if (n == 0)
            return complain(r, word, "something is missing beside a comma");
        if (!read_element(r, word, &set))
            return false;
        at += n + 1;
    } while (at <= len);
    *ret = set;
    return true;
}

/* The five fields of TEXT, a nickname included, or NULL with the reason in WHY. */
static const char *five_fields(const char *text, char *why, size_t size)
{
    if (*text != '@')
        return text;
    for (size_t i = 0; i < ARRAY_LEN(nicknames); i++)
        if (strcasecmp(text, nicknames[i].name) == 0)
            return nicknames[i].fields;
    if (strcasecmp(text, "@reboot") == 0)
        snprintf(why, size, "for a run at the start leave `schedule` away: `autostart` does that");
    else
        snprintf(why, size, "there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually");
    return NULL;
}

static int64_t no_offset(int64_t unix_s, const void *data)
{
    (void)unix_s;
    (void)data;
    return 0;
}

bool cron_parse(const char *text, struct spec_cron *ret, char *why, size_t size)
{
    static const struct cron_zone utc = {.offset_s = no_offset};
    const char *at = five_fields(text, why, size);
    uint64_t sets[CRON_FIELDS] = {0};
    bool stars[CRON_FIELDS] = {false};
    int64_t due;
    size_t n = 0;

    if (!at)
        return false;
    for (at += strspn(at, " \t"); *at != '\0'; at += strspn(at, " \t"), n++) {
        size_t len = strcspn(at, " \t");
        struct reader r = {n < CRON_FIELDS ? &fields[n] : NULL, why, size};
        if (n == CRON_FIELDS)
            break;
        stars[n] = *at == '*';
        if (!read_field(&r, at, len, &sets[n]))
            return false;
        at += len;
    }
    if (n < CRON_FIELDS || *at != '\0') {
        snprintf(why, size, "five fields are wanted: minute, hour, day of the month, month, day of the week");
        return false;
    }
    struct spec_cron c = {
        .text = text,
        .minutes = sets[0],
        .hours = (uint32_t)sets[1],
        .days = (uint32_t)sets[2],
        .months = (uint16_t)sets[3],
        .weekdays = (uint8_t)((sets[4] | sets[4] >> 7) & 0x7f),
        .any_day = stars[2],
        .any_weekday = stars[4],
        .any_hour = stars[1],
    };
    if (!cron_next(&c, 0, &utc, &due)) {
        snprintf(why, size, "there is no such day in any year");
        return false;
    }
    *ret = c;
    return true;
}

/* ------------------------------------------------------------------ the next time */

/* A day of the calendar. */
struct day {
    int64_t year;
    int month;      /* from 1 on */
    int day;        /* from 1 on */
    int64_t number; /* since 1 January 1970 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The number of the first day of MONTH of YEAR. A year that begins in March has its leap day at the end; an era is 400
 * years. */
static int64_t month_begins(int64_t year, int month)
{
    int64_t y = month <= 2 ? year - 1 : year, era = floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t next_month_begins(const struct day *d)
{
    return d->month == 12 ? month_begins(d->year + 1, 1) : month_begins(d->year, d->month + 1);
}

static struct day day_of(int64_t number)
{
    struct day d = {.year = 1970 + floor_div(number, number < 0 ? 365 : 366), .month = 1, .number = number};

    /* The guess is early by a year for every 1461 years or so; never late. */
    while (month_begins(d.year + 1, 1) <= number)
        d.year++;
    while (next_month_begins(&d) <= number)
        d.month++;
    d.day = (int)(number - month_begins(d.year, d.month)) + 1;
    return d;
}

static bool is_day(const struct spec_cron *c, const struct day *d)
{
    /* 1 January 1970 was a Thursday. */
    int weekday = (int)(((d->number + 4) % 7 + 7) % 7);
    bool by_day = c->days >> d->day & 1, by_weekday = c->weekdays >> weekday & 1;

    return c->any_day || c->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* The lowest member of SET that is at least FROM; -1: none. */
static int member_from(uint64_t set, int from)
{
    for (int i = from; i < 60; i++)
        if (set >> i & 1)
            return i;
    return -1;
}

/* The second of DAY, at or after FROM, at which C is due; -1: none. */
static int64_t time_of_day(const struct spec_cron *c, int64_t from)
{
    int64_t minute = (from + 59) / 60;
    int hour = (int)(minute / 60), m;

    if (hour > 23)
        return -1;
    m = c->hours >> hour & 1 ? member_from(c->minutes, (int)(minute % 60)) : -1;
    if (m >= 0)
        return hour * 3600 + m * 60;
    hour = hour < 23 ? member_from(c->hours, hour + 1) : -1;
    return hour >= 0 ? hour * 3600 + member_from(c->minutes, 0) * 60 : -1;
}

/* The first local time, in seconds as if it were UTC, at or after LOCAL at which C is due. False: there is none in
 * sight. */
static bool next_local(const struct spec_cron *c, int64_t local, int64_t *ret)
{
    struct day d = day_of(floor_div(local, CRON_DAY));
    int64_t from = local - d.number * CRON_DAY, until = d.year + CRON_YEARS, at;

    while (d.year <= until) {
        if (!(c->months >> d.month & 1)) {
            d = day_of(next_month_begins(&d));
            from = 0;
            continue;
        }
        at = is_day(c, &d) ? time_of_day(c, from) : -1;
        if (at >= 0) {
            *ret = d.number * CRON_DAY + at;
            return true;
        }
        d = day_of(d.number + 1);
        from = 0;
    }
    return false;
}

static int64_t offset_at(const struct cron_zone *zone, int64_t t)
{
    return zone->offset_s(t, zone->data);
}

/* The first instant in (FROM, TO] whose offset is not that of FROM; TO + 1: there is none. */
static int64_t next_change(const struct cron_zone *zone, int64_t from, int64_t to)
{
    int64_t offset = offset_at(zone, from), low = from, high = from;

    /* No zone changes its mind twice in a day. */
    while (high < to && offset_at(zone, high) == offset) {
        low = high;
        high = to - high > CRON_DAY ? high + CRON_DAY : to;
    }
    if (offset_at(zone, high) == offset)
        return to + 1;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(zone, middle) == offset)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* T, or the end of the hour that comes for the second time when T is in one. */
static int64_t skip_second_pass(const struct cron_zone *zone, int64_t t)
{
    int64_t before = t - CRON_BACK_MAX, change = next_change(zone, before, t);
    int64_t back = change <= t ? offset_at(zone, before) - offset_at(zone, change) : 0;

    return back > 0 && t < change + back ? change + back : t;
}

/* Whether the clocks are put forward at CHANGE over a time at which C is due. */
static bool is_due_in_gap(const struct spec_cron *c, const struct cron_zone *zone, int64_t change)
{
    int64_t begin = change + offset_at(zone, change - 1), end = change + offset_at(zone, change);
    int64_t local;

    return begin < end && next_local(c, begin, &local) && local < end;
}

bool cron_next(const struct spec_cron *c, int64_t after_s, const struct cron_zone *zone, int64_t *ret_s)
{
    int64_t t = after_s + 1, until = after_s + INT64_C(366) * CRON_YEARS * CRON_DAY;

    if (!c->any_hour && is_due_in_gap(c, zone, t)) {
        *ret_s = t;
        return true;
    }
    while (t <= until) {
        int64_t offset, local, change;
        if (!c->any_hour)
            t = skip_second_pass(zone, t);
        offset = offset_at(zone, t);
        if (!next_local(c, t + offset, &local))
            return false;
        change = next_change(zone, t, local - offset);
        if (change > local - offset) {
            *ret_s = local - offset;
            return true;
        }
        if (!c->any_hour && is_due_in_gap(c, zone, change)) {
            *ret_s = change;
            return true;
        }
        t = change;
    }
    return false;
}
