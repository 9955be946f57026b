/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The table of services. Each column is as wide as its widest cell; where the terminal is too narrow the last column is
 * cut first, then the names, then lines.
 */
#include "ctl/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PS_CELL_MAX = 128, PS_GAP = 2, PS_LAST_MIN = 8, PS_NAME_MIN = 8 };

/** One column. */
struct ps_column {
    const char *title;
    bool wide;  /* with --wide only */
    bool right; /* numbers stand on the right */
    const char *member;
    /* The text of MEMBER of SERVICE: borrowed from there, or in BUF of PS_CELL_MAX bytes. */
    const char *(*cell)(const json_t *service, const char *member, char *buf);
};

static const char *ps_text(const json_t *service, const char *member, char *buf UNUSED)
{
    return text_member(service, member, "-");
}

static const char *ps_state(const json_t *service, const char *member, char *buf)
{
    char age[TEXT_CELL_MAX];
    const char *state = text_member(service, member, "-");
    if (text_number(service, "next_start_ms", -1) < 0)
        return state;
    snprintf(buf, PS_CELL_MAX, "%s %s", state, text_age(service, "next_start_ms", age));
    return buf;
}

static const char *ps_exit(const json_t *service, const char *member, char *buf)
{
    const json_t *last = json_object_get(service, member);
    const char *signal = text_member(last, "signal", "");
    if (*signal == '\0')
        return text_count(last, "code", buf);
    if (!text_is_true(last, "core"))
        return signal;
    snprintf(buf, PS_CELL_MAX, "%s core", signal);
    return buf;
}

static const struct ps_column ps_columns[] = {
    {"NAME", false, false, "name", ps_text},           {"STATE", false, false, "state", ps_state},
    {"HEALTH", false, false, "health", ps_text},       {"PID", false, true, "pid", text_count},
    {"UPTIME", false, true, "uptime_ms", text_age},    {"RESTARTS", false, true, "restarts", text_count},
    {"LAST-EXIT", false, false, "last_exit", ps_exit}, {"PROCS", true, true, "processes", text_count},
    {"ADOPTED", true, true, "adopted", text_count},    {"ZOMBIES", true, true, "zombies", text_count},
    {"RSS", true, true, "rss_bytes", text_size},       {"CPU", true, true, "cpu_ms", text_age},
    {"LIMITS", true, false, "limits", ps_text},        {"COMMAND", false, false, "command", ps_text},
};

enum { PS_NAME = 0, PS_STATE = 1, PS_HEALTH = 2, PS_N = ARRAY_LEN(ps_columns), PS_LAST = PS_N - 1 };

/** The form of a table. */
struct ps_table {
    const struct view *v;
    bool wide;
    size_t widths[PS_N];
};

static bool ps_is_shown(const struct ps_table *t, size_t column)
{
    return t->wide || !ps_columns[column].wide;
}

static void ps_measure(struct ps_table *t, const json_t *services)
{
    const json_t *service;
    size_t i;
    for (size_t c = 0; c < PS_N; c++)
        t->widths[c] = strlen(ps_columns[c].title);
    json_array_foreach(services, i, service)
    {
        for (size_t c = 0; c < PS_N; c++) {
            char buf[PS_CELL_MAX];
            size_t n = text_columns(ps_columns[c].cell(service, ps_columns[c].member, buf));
            t->widths[c] = n > t->widths[c] ? n : t->widths[c];
        }
    }
}

/* Takes what is too much for the terminal from the command, then from the names. */
static void ps_fit(struct ps_table *t)
{
    size_t sum = 0, room = text_room(t->v);
    for (size_t c = 0; c < PS_N; c++)
        if (ps_is_shown(t, c))
            sum += t->widths[c] + (c != PS_LAST ? PS_GAP : 0);
    for (size_t k = 0; k < 2 && sum > room; k++) {
        size_t c = k == 0 ? (size_t)PS_LAST : PS_NAME, least = k == 0 ? PS_LAST_MIN : PS_NAME_MIN;
        size_t spare = t->widths[c] > least ? t->widths[c] - least : 0;
        size_t taken = sum - room < spare ? sum - room : spare;
        t->widths[c] -= taken;
        sum -= taken;
    }
}

/* One line; SERVICE NULL: the titles. */
static void ps_line(struct buf *out, const struct ps_table *t, const json_t *service)
{
    size_t room = t->wide ? SIZE_MAX : text_room(t->v), gap = 0;
    for (size_t c = 0; c < PS_N; c++) {
        char buf[PS_CELL_MAX];
        const struct ps_column *column = &ps_columns[c];
        enum text_color color = service == NULL ? TEXT_STRONG : TEXT_PLAIN;
        if (!ps_is_shown(t, c))
            continue;
        const char *cell = service == NULL ? column->title : column->cell(service, column->member, buf);
        if (service != NULL && c == PS_STATE)
            color = text_state_color(text_member(service, "state", ""));
        if (service != NULL && c == PS_HEALTH)
            color = text_health_color(cell);
        size_t width = t->widths[c], n = text_columns(cell);
        gap += column->right && n < width ? width - n : 0;
        if (gap >= room)
            break;
        text_pad(out, gap);
        room -= gap;
        n = text_paint(out, t->v, color, cell, width < room ? width : room);
        room -= n;
        gap = PS_GAP + (!column->right && n < width ? width - n : 0);
    }
    buf_putc(out, '\n');
}

void view_ps(struct buf *out, const struct view *v, const json_t *result, bool wide)
{
    const json_t *services = json_object_get(result, "services"), *service;
    struct ps_table t = {.v = v, .wide = wide};
    size_t i;
    ps_measure(&t, services);
    ps_fit(&t);
    ps_line(out, &t, NULL);
    json_array_foreach(services, i, service)
    {
        ps_line(out, &t, service);
    }
}
