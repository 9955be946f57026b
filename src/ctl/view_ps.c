/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The table of services. Each column is as wide as its widest cell; where the terminal is too narrow the last column is
 * cut first, then the names.
 */
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>

enum { PS_CELL_MAX = 96, PS_GAP = 2, PS_LAST_MIN = 8, PS_NAME_MIN = 8 };

/** One column. */
struct ps_column {
    const char *title;
    bool wide;  /* with --wide only */
    bool right; /* numbers stand on the right */
    void (*cell)(const json_t *service, char *out, size_t size);
};

static void ps_age(const json_t *service, const char *name, char *out, size_t size)
{
    long long ms = text_number(service, name, -1);
    if (ms < 0)
        snprintf(out, size, "-");
    else
        view_age(ms, out, size);
}

static void ps_count(const json_t *service, const char *name, char *out, size_t size)
{
    long long n = text_number(service, name, -1);
    if (n < 0)
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%lld", n);
}

static void ps_name(const json_t *service, char *out, size_t size)
{
    snprintf(out, size, "%s", text_member(service, "name", "-"));
}

static void ps_state(const json_t *service, char *out, size_t size)
{
    char age[32];
    long long next = text_number(service, "next_start_ms", -1);
    if (next < 0)
        snprintf(out, size, "%s", text_member(service, "state", "-"));
    else
        snprintf(out, size, "%s %s", text_member(service, "state", "-"), view_age(next, age, sizeof age));
}

static void ps_health(const json_t *service, char *out, size_t size)
{
    snprintf(out, size, "%s", text_member(service, "health", "-"));
}

static void ps_pid(const json_t *service, char *out, size_t size)
{
    ps_count(service, "pid", out, size);
}

static void ps_uptime(const json_t *service, char *out, size_t size)
{
    ps_age(service, "uptime_ms", out, size);
}

static void ps_restarts(const json_t *service, char *out, size_t size)
{
    ps_count(service, "restarts", out, size);
}

static void ps_last_exit(const json_t *service, char *out, size_t size)
{
    const json_t *last = json_object_get(service, "last_exit");
    const char *signal = text_member(last, "signal", "");
    if (!json_is_object(last))
        snprintf(out, size, "-");
    else if (*signal != '\0')
        snprintf(out, size, "%s%s", signal, text_is_true(last, "core") ? " core" : "");
    else
        ps_count(last, "code", out, size);
}

static void ps_processes(const json_t *service, char *out, size_t size)
{
    ps_count(service, "processes", out, size);
}

static void ps_adopted(const json_t *service, char *out, size_t size)
{
    ps_count(service, "adopted", out, size);
}

static void ps_zombies(const json_t *service, char *out, size_t size)
{
    ps_count(service, "zombies", out, size);
}

static void ps_rss(const json_t *service, char *out, size_t size)
{
    long long bytes = text_number(service, "rss_bytes", -1);
    if (bytes < 0)
        snprintf(out, size, "-");
    else
        text_size(bytes, out, size);
}

static void ps_cpu(const json_t *service, char *out, size_t size)
{
    ps_age(service, "cpu_ms", out, size);
}

static void ps_command(const json_t *service, char *out, size_t size)
{
    snprintf(out, size, "%s", text_member(service, "command", "-"));
}

static const struct ps_column ps_columns[] = {
    {"NAME", false, false, ps_name},
    {"STATE", false, false, ps_state},
    {"HEALTH", false, false, ps_health},
    {"PID", false, true, ps_pid},
    {"UPTIME", false, true, ps_uptime},
    {"RESTARTS", false, true, ps_restarts},
    {"LAST-EXIT", false, false, ps_last_exit},
    {"PROCS", true, true, ps_processes},
    {"ADOPTED", true, true, ps_adopted},
    {"ZOMBIES", true, true, ps_zombies},
    {"RSS", true, true, ps_rss},
    {"CPU", true, true, ps_cpu},
    {"COMMAND", false, false, ps_command},
};

enum { PS_NAME = 0, PS_STATE = 1, PS_LAST = ARRAY_LEN(ps_columns) - 1 };

static bool ps_is_shown(size_t column, bool wide)
{
    return wide || !ps_columns[column].wide;
}

/* Takes what is too much for the terminal from the command, then from the names. */
static void ps_fit(size_t *widths, bool wide, int columns)
{
    size_t sum = 0, room = (size_t)columns;
    for (size_t c = 0; c < ARRAY_LEN(ps_columns); c++)
        if (ps_is_shown(c, wide))
            sum += widths[c] + (c != PS_LAST ? PS_GAP : 0);
    for (size_t k = 0; k < 2 && sum > room; k++) {
        size_t c = k == 0 ? (size_t)PS_LAST : PS_NAME, least = k == 0 ? PS_LAST_MIN : PS_NAME_MIN;
        size_t spare = widths[c] > least ? widths[c] - least : 0;
        size_t taken = sum - room < spare ? sum - room : spare;
        widths[c] -= taken;
        sum -= taken;
    }
}

static void ps_line(struct buf *out, const struct view *v, const size_t *widths, bool wide, const json_t *service)
{
    for (size_t c = 0; c < ARRAY_LEN(ps_columns); c++) {
        char cell[PS_CELL_MAX * 4];
        enum text_color color = TEXT_PLAIN;
        if (!ps_is_shown(c, wide))
            continue;
        if (service == NULL) {
            snprintf(cell, sizeof cell, "%s", ps_columns[c].title);
            color = TEXT_STRONG;
        } else {
            ps_columns[c].cell(service, cell, sizeof cell);
            if (c == PS_STATE)
                color = text_state_color(text_member(service, "state", ""));
        }
        size_t n = text_columns(cell);
        if (ps_columns[c].right && n < widths[c])
            text_pad(out, widths[c] - n);
        text_paint(out, v, color, cell, widths[c]);
        if (c != PS_LAST)
            text_pad(out, PS_GAP + (!ps_columns[c].right && n < widths[c] ? widths[c] - n : 0));
    }
    buf_putc(out, '\n');
}

void view_ps(struct buf *out, const struct view *v, const json_t *result, bool wide)
{
    const json_t *services = json_object_get(result, "services"), *service;
    size_t widths[ARRAY_LEN(ps_columns)], i;
    for (size_t c = 0; c < ARRAY_LEN(ps_columns); c++)
        widths[c] = strlen(ps_columns[c].title);
    json_array_foreach(services, i, service) for (size_t c = 0; c < ARRAY_LEN(ps_columns); c++)
    {
        char cell[PS_CELL_MAX * 4];
        ps_columns[c].cell(service, cell, sizeof cell);
        size_t n = text_columns(cell);
        widths[c] = n > widths[c] ? n : widths[c];
    }
    if (v->width > 0)
        ps_fit(widths, wide, v->width);
    ps_line(out, v, widths, wide, NULL);
    json_array_foreach(services, i, service) ps_line(out, v, widths, wide, service);
}
