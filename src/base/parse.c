/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Numbers, and text that stands for a number: durations, sizes, modes, booleans. The C library's
 * conversions are not used: they skip blanks, accept signs and bases, and follow the locale.
 */
#include "base/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *S as a number of at most MAX and steps over them. */
static bool parse_digits(const char **s, uint64_t max, uint64_t *ret)
{
    const char *p = *s;
    uint64_t n = 0;

    if (!is_digit(*p))
        return false;
    for (; is_digit(*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (digit > max || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *s = p;
    *ret = n;
    return true;
}

/* True for "012": eight, ten or twelve, depending on whom one asks. */
static bool parse_has_leading_zero(const char *s)
{
    return s[0] == '0' && is_digit(s[1]);
}

/* Reads the digits behind a decimal point as a number of 10^-PLACES; more digits must be zeros. */
static bool parse_fraction(const char **s, int places, int64_t *ret)
{
    const char *p = *s;
    int64_t n = 0;

    if (!is_digit(*p))
        return false;
    for (; is_digit(*p); p++, places--) {
        if (places > 0)
            n = n * 10 + (*p - '0');
        else if (*p != '0')
            return false;
    }
    for (; places > 0; places--)
        n *= 10;
    *s = p;
    *ret = n;
    return true;
}

bool parse_int(const char *s, int64_t *ret)
{
    bool negative = *s == '-';
    uint64_t n;

    if (negative)
        s++;
    if (parse_has_leading_zero(s) || !parse_digits(&s, (uint64_t)INT64_MAX + (negative ? 1 : 0), &n) || *s)
        return false;
    /* The detour by n - 1 reaches INT64_MIN without leaving the type. */
    *ret = !negative ? (int64_t)n : n == 0 ? 0 : -(int64_t)(n - 1) - 1;
    return true;
}

bool parse_decimal(const char *s, double *ret)
{
    /* A number below 10^15 and a power of ten up to 10^22 are exact as doubles, so that the one division
     * rounds as strtod() would. Digits beyond are below the precision of the type and are left out. */
    static const uint64_t mantissa_max = 999999999999999;
    static const double scale_max = 1e22;
    uint64_t mantissa;
    double scale = 1;

    if (parse_has_leading_zero(s) || !parse_digits(&s, mantissa_max, &mantissa))
        return false;
    if (*s == '.') {
        if (!is_digit(*++s))
            return false;
        for (; is_digit(*s); s++) {
            if (mantissa > mantissa_max / 10 || scale >= scale_max)
                continue;
            mantissa = mantissa * 10 + (uint64_t)(*s - '0');
            scale *= 10;
        }
    }
    if (*s)
        return false;
    *ret = (double)mantissa / scale;
    return true;
}

/* The units of a duration, in falling order: NUM / DEN milliseconds. */
struct duration_unit {
    const char *name;
    int64_t num;
    int64_t den;
};

static const struct duration_unit duration_units[] = {
    {"d", 86400000, 1}, {"h", 3600000, 1}, {"m", 60000, 1},    {"s", 1000, 1},
    {"ms", 1, 1},       {"us", 1, 1000},   {"ns", 1, 1000000},
};

enum { UNIT_SECOND = 3, NS_PER_MS = 1000000 };

/* A duration in two parts, because nanoseconds alone would end after 292 years. */
struct duration {
    int64_t ms;
    int64_t ns; /* below the milliseconds; may be several of them until the end */
};

/* The index of the unit whose name is at *S, which is stepped over; the number of units when there is none. */
static size_t parse_unit(const char **s)
{
    size_t len = strspn(*s, "abcdefghijklmnopqrstuvwxyz");

    for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
        if (strlen(duration_units[i].name) == len && memcmp(duration_units[i].name, *s, len) == 0) {
            *s += len;
            return i;
        }
    }
    return ARRAY_LEN(duration_units);
}

static bool parse_add_duration(struct duration *d, uint64_t n, int64_t fraction_ns, const struct duration_unit *unit)
{
    int64_t ms;

    if (__builtin_mul_overflow((int64_t)n / unit->den, unit->num, &ms) || __builtin_add_overflow(d->ms, ms, &d->ms))
        return false;
    d->ns += (int64_t)n % unit->den * (NS_PER_MS / unit->den) + fraction_ns;
    return true;
}

/* Reads one "12s" of a duration into D; the first unit that may come is *UNIT, which moves behind it. */
static bool parse_duration_part(const char **s, bool is_first, size_t *unit, struct duration *d)
{
    const char *start = *s;
    size_t found;
    int64_t fraction_ns = 0;
    bool has_fraction;
    uint64_t n;

    if (!parse_digits(s, INT64_MAX, &n))
        return false;
    has_fraction = **s == '.';
    if (has_fraction) {
        (*s)++;
        if (!parse_fraction(s, 9, &fraction_ns))
            return false;
    }
    if (is_first && !**s)
        found = parse_has_leading_zero(start) ? ARRAY_LEN(duration_units) : UNIT_SECOND;
    else
        found = parse_unit(s);
    if (found < *unit || found >= ARRAY_LEN(duration_units) || (has_fraction && found != UNIT_SECOND))
        return false;
    *unit = found + 1;
    return parse_add_duration(d, n, fraction_ns, &duration_units[found]);
}

bool parse_duration(const char *s, int64_t *ret_ms)
{
    struct duration d = {0};
    bool is_first = true;
    size_t unit = 0;

    do {
        if (!parse_duration_part(&s, is_first, &unit, &d))
            return false;
        is_first = false;
    } while (*s);
    if (d.ns % NS_PER_MS != 0 || __builtin_add_overflow(d.ms, d.ns / NS_PER_MS, &d.ms))
        return false;
    *ret_ms = d.ms;
    return true;
}

char *parse_duration_text(int64_t ms, char *buf, size_t size)
{
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    char text[48];
    int len = 0;

    if (ms < 0)
        text[len++] = '-';
    for (size_t i = 0; i < UNIT_SECOND; i++) {
        uint64_t n = rest / (uint64_t)duration_units[i].num;
        rest %= (uint64_t)duration_units[i].num;
        if (n > 0)
            len += snprintf(text + len, sizeof(text) - (size_t)len, "%" PRIu64 "%s", n, duration_units[i].name);
    }
    if (rest >= 1000 && rest % 1000 != 0) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%" PRIu64 ".%03" PRIu64, rest / 1000, rest % 1000);
        while (text[len - 1] == '0')
            len--;
        text[len++] = 's';
    } else if (rest > 0 || ms == 0) {
        const char *unit = rest % 1000 != 0 ? "ms" : "s";
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%" PRIu64 "%s", rest % 1000 != 0 ? rest : rest / 1000,
                        unit);
    }
    snprintf(buf, size, "%.*s", len, text);
    return buf;
}

static const char size_letters[] = "kmgt";

char *parse_size_text(int64_t bytes, char *buf, size_t size)
{
    size_t n = 0;

    for (; n < sizeof size_letters - 1 && bytes != 0 && bytes % 1024 == 0; n++)
        bytes /= 1024;
    if (n > 0)
        snprintf(buf, size, "%" PRId64 "%c", bytes, size_letters[n - 1]);
    else
        snprintf(buf, size, "%" PRId64, bytes);
    return buf;
}

/* The factor of the size suffix S: a letter k, m, g, t, with "b" or "ib" behind or not; or "b" or nothing. */
static bool parse_size_suffix(const char *s, int64_t *ret)
{
    const char *letter = *s ? strchr(size_letters, *s | 0x20) : NULL;

    if (letter)
        s++;
    if (*s && strcasecmp(s, "b") != 0 && !(letter && strcasecmp(s, "ib") == 0))
        return false;
    *ret = letter ? (int64_t)1 << (10 * (letter - size_letters + 1)) : 1;
    return true;
}

bool parse_size(const char *s, int64_t *ret)
{
    /* Six places times the largest factor stay within the type. */
    enum { PLACES = 6, SCALE = 1000000 };
    const char *start = s;
    int64_t fraction = 0, factor, bytes;
    uint64_t n;

    if (!parse_digits(&s, INT64_MAX, &n) || (!*s && parse_has_leading_zero(start)))
        return false;
    if (*s == '.') {
        s++;
        if (!parse_fraction(&s, PLACES, &fraction))
            return false;
    }
    if (!parse_size_suffix(s, &factor) || fraction * factor % SCALE != 0)
        return false;
    if (__builtin_mul_overflow((int64_t)n, factor, &bytes) ||
        __builtin_add_overflow(bytes, fraction * factor / SCALE, &bytes))
        return false;
    *ret = bytes;
    return true;
}

bool parse_bool(const char *s, bool *ret)
{
    static const char *const words[2][3] = {{"false", "False", "FALSE"}, {"true", "True", "TRUE"}};

    for (size_t i = 0; i < 6; i++) {
        if (strcmp(s, words[i / 3][i % 3]) == 0) {
            *ret = i / 3 == 1;
            return true;
        }
    }
    return false;
}

bool parse_mode(const char *s, unsigned *ret)
{
    unsigned mode = 0;

    if (s[0] == '0' && s[1] == 'o')
        s += 2;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '7')
            return false;
        mode = mode * 8 + (unsigned)(*s - '0');
        if (mode > 07777)
            return false;
    }
    *ret = mode;
    return true;
}
