/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Text for a terminal. What services are called and write comes from anywhere: none of it may command the terminal.
 */
#include "ctl/text.h"

#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const text_sgr[] = {
    [TEXT_PLAIN] = "",         [TEXT_GOOD] = "\033[32m", [TEXT_BUSY] = "\033[33m",
    [TEXT_BAD] = "\033[1;31m", [TEXT_FAINT] = "\033[2m", [TEXT_STRONG] = "\033[1m",
};

/** Characters FIRST to LAST. */
struct text_range {
    uint32_t first, last;
};

/* Controls (C0, DEL, C1), marks that turn the direction of writing (UAX #9), separators of lines, the byte order mark,
 * and what XML does not take either. */
static const struct text_range text_refused[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},
    {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfffe, 0xffff},
};

/* The locale's own tables (wcwidth(3)) are not there in a self-contained program. */
static const struct text_range text_zero[] = {
    {0x300, 0x36f}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xe0100, 0xe01ef},
};
static const struct text_range text_double[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2e80, 0x303e},
    {0x3041, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

const char *text_value(const json_t *value, const char *otherwise)
{
    const char *text = json_string_value(value);
    return text != NULL ? text : otherwise;
}

const char *text_member(const json_t *object, const char *name, const char *otherwise)
{
    return text_value(json_object_get(object, name), otherwise);
}

long long text_number(const json_t *object, const char *name, long long otherwise)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? (long long)json_integer_value(value) : otherwise;
}

bool text_is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

const char *text_count(const json_t *object, const char *name, char *buf)
{
    long long n = text_number(object, name, -1);
    if (n < 0)
        snprintf(buf, TEXT_CELL_MAX, "-");
    else
        snprintf(buf, TEXT_CELL_MAX, "%lld", n);
    return buf;
}

const char *text_age(const json_t *object, const char *name, char *buf)
{
    long long ms = text_number(object, name, -1), s = ms / 1000;
    if (ms < 0)
        snprintf(buf, TEXT_CELL_MAX, "-");
    else if (ms < 10000)
        snprintf(buf, TEXT_CELL_MAX, "%lld.%llds", s, ms % 1000 / 100);
    else if (s < 60)
        snprintf(buf, TEXT_CELL_MAX, "%llds", s);
    else if (s < 3600)
        snprintf(buf, TEXT_CELL_MAX, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, TEXT_CELL_MAX, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        snprintf(buf, TEXT_CELL_MAX, "%lldd%lldh", s / 86400, s / 3600 % 24);
    return buf;
}

const char *text_size(const json_t *object, const char *name, char *buf)
{
    static const char units[] = "KMGT";
    long long bytes = text_number(object, name, -1);
    double value = (double)bytes / 1024.;
    size_t unit = 0;
    if (bytes < 1024)
        return text_count(object, name, buf);
    /* 999.95 would be printed as 1000.0. */
    for (; value >= 999.95 && units[unit + 1] != '\0'; unit++)
        value /= 1024.;
    snprintf(buf, TEXT_CELL_MAX, "%.1f%c", value, units[unit]);
    return buf;
}

static bool text_is_among(uint32_t c, const struct text_range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* The number of the well-formed character of LEN bytes at S. */
static uint32_t text_decode(const char *s, size_t len)
{
    static const unsigned char lead[] = {0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)s[0] & lead[len - 1];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

const char *text_step(const char **text, size_t *ret_len, size_t *ret_columns)
{
    const char *at = *text;
    bool valid;
    size_t n = utf8_step(at, strnlen(at, 4), &valid);
    uint32_t c = valid ? text_decode(at, n) : 0;
    *text += n;
    *ret_len = *ret_columns = 1;
    if (c >= ' ' && c <= '~')
        return at;
    if (c == '\t')
        return " ";
    if (text_is_among(c, text_refused, ARRAY_LEN(text_refused)))
        return "?";
    *ret_len = n;
    if (text_is_among(c, text_zero, ARRAY_LEN(text_zero)))
        *ret_columns = 0;
    else if (text_is_among(c, text_double, ARRAY_LEN(text_double)))
        *ret_columns = 2;
    return at;
}

size_t text_columns(const char *text)
{
    size_t sum = 0, len, columns;
    while (*text != '\0') {
        (void)text_step(&text, &len, &columns);
        sum += columns;
    }
    return sum;
}

size_t text_put(struct buf *out, const char *text, size_t columns)
{
    static const char dots[] = "...";
    bool cut = columns > 0 && text_columns(text) > columns;
    size_t tail = cut && columns > strlen(dots) ? strlen(dots) : 0;
    size_t room = cut ? columns - tail : SIZE_MAX, taken = 0;
    while (*text != '\0') {
        size_t len, wide;
        const char *c = text_step(&text, &len, &wide);
        if (taken + wide > room)
            break;
        buf_add(out, c, len);
        taken += wide;
    }
    if (tail > 0)
        buf_puts(out, dots);
    return taken + tail;
}

void text_xml(struct buf *out, const char *text, size_t columns)
{
    static const char special[] = "&<>\"", *const escapes[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    struct buf cut;
    buf_init(&cut, out->max);
    (void)text_put(&cut, text, columns);
    for (const char *c = buf_str(&cut); *c != '\0'; c++) {
        const char *at = strchr(special, *c);
        if (at != NULL)
            buf_puts(out, escapes[at - special]);
        else
            buf_putc(out, *c);
    }
    out->failed = out->failed || cut.failed;
    buf_done(&cut);
}

size_t text_paint(struct buf *out, const struct view *v, enum text_color color, const char *text, size_t columns)
{
    bool painted = v->color && color != TEXT_PLAIN;
    if (painted)
        buf_puts(out, text_sgr[color]);
    size_t n = text_put(out, text, columns);
    if (painted)
        buf_puts(out, "\033[0m");
    return n;
}

size_t text_fit(struct buf *out, const struct view *v, enum text_color color, const char *text, size_t *room)
{
    size_t n = *room > 0 ? text_paint(out, v, color, text, *room) : 0;
    *room -= n;
    return n;
}

size_t text_room(const struct view *v)
{
    return v->width > 0 ? (size_t)v->width : SIZE_MAX;
}

void text_pad(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_putc(out, ' ');
}

enum text_color text_state_color(const char *state)
{
    static const struct {
        const char *state;
        enum text_color color;
    } rows[] = {
        {"ready", TEXT_GOOD},    {"done", TEXT_GOOD},     {"failed", TEXT_BAD},   {"backoff", TEXT_BAD},
        {"stopped", TEXT_FAINT}, {"skipped", TEXT_FAINT}, {"waiting", TEXT_BUSY}, {"starting", TEXT_BUSY},
        {"running", TEXT_BUSY},  {"stopping", TEXT_BUSY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].state, state) == 0)
            return rows[i].color;
    return TEXT_PLAIN;
}

enum text_color text_health_color(const char *health)
{
    if (strcmp(health, "healthy") == 0)
        return TEXT_GOOD;
    if (strcmp(health, "unhealthy") == 0)
        return TEXT_BAD;
    return strcmp(health, "starting") == 0 ? TEXT_BUSY : TEXT_PLAIN;
}
