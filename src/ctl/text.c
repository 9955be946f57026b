/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Text for a terminal. What services are called and write comes from anywhere: none of it may command the terminal.
 */
#include "ctl/text.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static const char *const text_sgr[] = {
    [TEXT_PLAIN] = "",         [TEXT_GOOD] = "\033[32m", [TEXT_BUSY] = "\033[33m",
    [TEXT_BAD] = "\033[1;31m", [TEXT_FAINT] = "\033[2m", [TEXT_STRONG] = "\033[1m",
};

const char *text_member(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : otherwise;
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

/* Takes one character from *TEXT: its bytes, or "?" for what must not reach a terminal (C0, DEL, C1, what is no UTF-8).
 */
static const char *text_step(const char **text, size_t *ret_len)
{
    const char *at = *text;
    bool valid;
    size_t n = utf8_step(at, strlen(at), &valid);
    unsigned char first = (unsigned char)at[0], second = n > 1 ? (unsigned char)at[1] : 0;
    *text += n;
    if (!valid || first < 0x20 || first == 0x7f || (first == 0xc2 && second < 0xa0)) {
        *ret_len = 1;
        return "?";
    }
    *ret_len = n;
    return at;
}

size_t text_columns(const char *text)
{
    size_t columns = 0, len;
    while (*text != '\0') {
        (void)text_step(&text, &len);
        columns++;
    }
    return columns;
}

size_t text_put(struct buf *out, const char *text, size_t columns)
{
    static const char dots[] = "...";
    size_t all = text_columns(text), len;
    bool cut = columns > 0 && all > columns;
    size_t kept = !cut ? all : columns > strlen(dots) ? columns - strlen(dots) : columns;
    for (size_t i = 0; i < kept; i++) {
        const char *c = text_step(&text, &len);
        buf_add(out, c, len);
    }
    if (cut && kept < columns)
        buf_puts(out, dots);
    return cut ? columns : all;
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

char *text_size(long long bytes, char *buf, size_t size)
{
    static const char units[] = "KMGT";
    double value = (double)bytes / 1024.;
    size_t unit = 0;
    if (bytes < 1024) {
        snprintf(buf, size, "%lld", bytes);
        return buf;
    }
    for (; value >= 1000. && units[unit + 1] != '\0'; unit++)
        value /= 1024.;
    snprintf(buf, size, "%.1f%c", value, units[unit]);
    return buf;
}

char *view_age(long long ms, char *buf, size_t size)
{
    long long s = ms / 1000;
    if (ms < 10000)
        snprintf(buf, size, "%lld.%llds", s, ms % 1000 / 100);
    else if (s < 60)
        snprintf(buf, size, "%llds", s);
    else if (s < 3600)
        snprintf(buf, size, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        snprintf(buf, size, "%lldd%lldh", s / 86400, s / 3600 % 24);
    return buf;
}
