/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is told in single lines: outcomes, plans, events, findings of the doctor.
 */
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void view_outcome(struct buf *out, const struct view *v, const json_t *outcome)
{
    const json_t *lines = json_object_get(outcome, "lines"), *line;
    bool ok = text_is_true(outcome, "ok"), done = text_is_true(outcome, "done");
    size_t i;
    text_paint(out, v, TEXT_STRONG, text_member(outcome, "name", "-"), 0);
    buf_puts(out, ": ");
    text_paint(out, v, ok ? TEXT_GOOD : done ? TEXT_BAD : TEXT_BUSY, text_member(outcome, "text", "-"), 0);
    buf_putc(out, '\n');
    json_array_foreach(lines, i, line)
    {
        buf_puts(out, "    ");
        text_put(out, text_value(line, "-"), 0);
        buf_putc(out, '\n');
    }
}

void view_plan(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *changes = json_object_get(result, "changes"), *later = json_object_get(result, "later"), *item;
    const json_t *warnings = json_object_get(result, "warnings");
    size_t i;
    json_array_foreach(changes, i, item)
    {
        const char *action = text_member(item, "action", "");
        enum text_color color = strcmp(action, "add") == 0      ? TEXT_GOOD
                                : strcmp(action, "remove") == 0 ? TEXT_BAD
                                                                : TEXT_BUSY;
        text_paint(out, v, color, text_member(item, "text", "-"), 0);
        buf_putc(out, '\n');
    }
    json_array_foreach(later, i, item)
    {
        buf_puts(out, "! ");
        text_put(out, text_value(item, "-"), 0);
        buf_puts(out, " has changed, too; that counts when fosterd is started again\n");
    }
    json_array_foreach(warnings, i, item)
    {
        text_put(out, text_value(item, "-"), 0);
        buf_putc(out, '\n');
    }
    if (json_array_size(changes) + json_array_size(later) == 0)
        buf_puts(out, "no service has changed\n");
}

/* The time UTC as the clock on the wall shows it here; as it came where it cannot be read. */
static void line_time(const char *utc, char *out, size_t size)
{
    struct tm tm = {0}, local;
    char clock[32];
    const char *fraction = strptime(utc, "%Y-%m-%dT%H:%M:%S", &tm);
    bool known = fraction != NULL && *fraction == '.' && strspn(fraction + 1, "0123456789") >= 3;
    time_t seconds = known ? timegm(&tm) : -1;
    if (!known || localtime_r(&seconds, &local) == NULL || strftime(clock, sizeof clock, "%H:%M:%S", &local) == 0)
        snprintf(out, size, "%s", utc);
    else
        snprintf(out, size, "%s%.4s", clock, fraction);
}

void view_event(struct buf *out, const struct view *v, const json_t *event)
{
    char when[64];
    const char *level = text_member(event, "level", ""),
               *service = json_string_value(json_object_get(event, "service"));
    enum text_color color = strcmp(level, "error") == 0  ? TEXT_BAD
                            : strcmp(level, "warn") == 0 ? TEXT_BUSY
                                                         : TEXT_PLAIN;
    line_time(text_member(event, "time", "-"), when, sizeof when);
    text_paint(out, v, TEXT_FAINT, when, 0);
    buf_puts(out, "  ");
    size_t n = text_paint(out, v, TEXT_STRONG, service != NULL ? service : "-", 0);
    text_pad(out, n < 12 ? 14 - n : 2);
    n = text_put(out, text_member(event, "event", "-"), 0);
    text_pad(out, n < 10 ? 12 - n : 2);
    if (json_is_string(json_object_get(event, "from"))) {
        text_put(out, text_member(event, "from", ""), 0);
        buf_puts(out, " -> ");
        text_paint(out, v, text_state_color(text_member(event, "to", "")), text_member(event, "to", ""), 0);
    } else {
        text_paint(out, v, color, text_member(event, "text", ""), 0);
    }
    buf_putc(out, '\n');
}

void view_doctor(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *checks = json_object_get(result, "checks"), *check;
    size_t i, width = 0;
    json_array_foreach(checks, i, check)
    {
        size_t n = text_columns(text_member(check, "name", "-"));
        width = n > width ? n : width;
    }
    json_array_foreach(checks, i, check)
    {
        const char *level = text_member(check, "level", "-"), *name = text_member(check, "name", "-");
        const char *consequence = text_member(check, "consequence", "");
        enum text_color color = strcmp(level, "ok") == 0     ? TEXT_GOOD
                                : strcmp(level, "warn") == 0 ? TEXT_BAD
                                                             : TEXT_BUSY;
        size_t n = text_paint(out, v, color, level, 0);
        text_pad(out, n < 4 ? 6 - n : 2);
        n = text_put(out, name, 0);
        text_pad(out, width - n + 2);
        text_put(out, text_member(check, "found", "-"), 0);
        buf_putc(out, '\n');
        if (*consequence != '\0') {
            text_pad(out, 6 + width + 2);
            text_paint(out, v, TEXT_FAINT, consequence, 0);
            buf_putc(out, '\n');
        }
    }
}
