/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One service in full.
 */
#include "base/err.h"
#include "ctl/text.h"

#include <string.h>

enum { SERVICE_LABEL = 12, SERVICE_ERRNO_MAX = 4095 };

static void service_label(struct buf *out, const struct view *v, const char *label)
{
    buf_puts(out, "  ");
    size_t n = text_paint(out, v, TEXT_FAINT, label, 0);
    text_pad(out, n < SERVICE_LABEL ? SERVICE_LABEL - n : 1);
}

static void service_row(struct buf *out, const struct view *v, const char *label, const char *value)
{
    if (value == NULL)
        return;
    service_label(out, v, label);
    text_put(out, value, 0);
    buf_putc(out, '\n');
}

static void service_head(struct buf *out, const struct view *v, const json_t *s)
{
    char number[TEXT_CELL_MAX];
    const char *state = text_member(s, "state", "-");
    long long pid = text_number(s, "pid", -1);
    text_paint(out, v, TEXT_STRONG, text_member(s, "name", "-"), 0);
    buf_puts(out, ": ");
    text_paint(out, v, text_state_color(state), state, 0);
    buf_printf(out, " for %s", text_age(s, "state_ms", number));
    if (pid > 0)
        buf_printf(out, ", pid %lld", pid);
    if (text_number(s, "uptime_ms", -1) >= 0)
        buf_printf(out, ", up %s", text_age(s, "uptime_ms", number));
    if (text_number(s, "next_start_ms", -1) >= 0)
        buf_printf(out, ", next start in %s", text_age(s, "next_start_ms", number));
    if (!text_is_true(s, "wanted") && pid > 0)
        buf_puts(out, ", not wanted");
    buf_putc(out, '\n');
}

static void service_runs(struct buf *out, const struct view *v, const json_t *s)
{
    char starts[TEXT_CELL_MAX], restarts[TEXT_CELL_MAX];
    const json_t *last = json_object_get(s, "last_exit"), *restart = json_object_get(s, "restart");
    service_label(out, v, "runs");
    buf_printf(out, "starts %s, restarts %s", text_count(s, "starts", starts), text_count(s, "restarts", restarts));
    if (json_is_object(last)) {
        buf_puts(out, "; the last one ");
        text_put(out, text_member(last, "text", "ended"), 0);
    }
    buf_putc(out, '\n');
    if (!json_is_object(restart))
        return;
    service_label(out, v, "policy");
    text_put(out, text_member(s, "type", "-"), 0);
    buf_puts(out, ", restart ");
    text_put(out, text_member(restart, "policy", "-"), 0);
    if (text_number(restart, "max_attempts", 0) > 0)
        buf_printf(out, ", %s of %s attempts used", text_count(restart, "attempts", starts),
                   text_count(restart, "max_attempts", restarts));
    buf_putc(out, '\n');
}

/* Health, how often checks have failed in a row, what the last one said and printed. */
static void service_health(struct buf *out, const struct view *v, const json_t *s)
{
    const json_t *check = json_object_get(s, "health_check");
    const char *health = text_member(s, "health", "-"), *output = text_member(check, "last_output", "");
    char n[TEXT_CELL_MAX], m[TEXT_CELL_MAX];
    if (!json_is_object(check))
        return;
    service_label(out, v, "health");
    text_paint(out, v, text_health_color(health), health, 0);
    if (text_number(check, "failing", 0) > 0)
        buf_printf(out, ", %s of %s failing in a row", text_count(check, "failing", n),
                   text_count(check, "retries", m));
    buf_printf(out, "; checks %s", text_count(check, "checks", n));
    if (text_number(check, "last_ms_ago", -1) >= 0)
        buf_printf(out, ", the last one %s ago in %s ms: ", text_age(check, "last_ms_ago", n),
                   text_count(check, "took_ms", m));
    text_put(out, text_member(check, "last_text", ""), 0);
    buf_putc(out, '\n');
    while (*output != '\0') {
        size_t len = strcspn(output, "\n");
        struct buf line;
        buf_init(&line, out->max);
        buf_add(&line, output, len);
        buf_puts(out, "    ");
        text_put(out, buf_str(&line), 0);
        buf_putc(out, '\n');
        buf_done(&line);
        output += len + (output[len] == '\n');
    }
}

/* What it says of itself, and what is being done around it. */
static void service_signs(struct buf *out, const struct view *v, const json_t *s)
{
    char n[TEXT_CELL_MAX];
    service_row(out, v, "says", json_string_value(json_object_get(s, "status_text")));
    if (text_number(s, "errno", -1) >= 0 && text_number(s, "errno", -1) <= SERVICE_ERRNO_MAX)
        service_row(out, v, "error", err_errno_text((int)text_number(s, "errno", 0)));
    if (text_is_true(s, "reloading"))
        service_row(out, v, "reloading", "since it said so");
    service_row(out, v, "hook", json_string_value(json_object_get(s, "hook")));
    service_row(out, v, "next run", json_string_value(json_object_get(s, "next_run")));
    if (text_number(s, "watchdog_ms", -1) > 0)
        service_row(out, v, "watchdog", text_age(s, "watchdog_ms", n));
    if (text_number(s, "stored_fds", 0) > 0)
        service_row(out, v, "kept fds", text_count(s, "stored_fds", n));
}

static void service_stop(struct buf *out, const struct view *v, const json_t *s)
{
    char age[TEXT_CELL_MAX];
    if (text_number(s, "stop_grace_ms", -1) < 0)
        return;
    service_label(out, v, "stop");
    text_put(out, text_member(s, "stop_signal", "-"), 0);
    buf_printf(out, ", SIGKILL after %s\n", text_age(s, "stop_grace_ms", age));
}

static void service_relations(struct buf *out, const struct view *v, const json_t *s)
{
    const json_t *deps = json_object_get(s, "depends_on"), *dependents = json_object_get(s, "dependents"), *item;
    size_t i;
    json_array_foreach(deps, i, item)
    {
        service_label(out, v, i == 0 ? "depends on" : "");
        text_put(out, text_member(item, "service", "-"), 0);
        buf_puts(out, " (");
        text_put(out, text_member(item, "condition", "-"), 0);
        buf_puts(out, text_is_true(item, "required") ? ")\n" : ", order only)\n");
    }
    json_array_foreach(dependents, i, item)
    {
        service_row(out, v, i == 0 ? "needed by" : "", text_value(item, "-"));
    }
}

static void service_processes(struct buf *out, const struct view *v, const json_t *s)
{
    char n[TEXT_CELL_MAX], adopted[TEXT_CELL_MAX], zombies[TEXT_CELL_MAX], rss[TEXT_CELL_MAX], cpu[TEXT_CELL_MAX];
    if (text_number(s, "processes", -1) < 0)
        return;
    service_label(out, v, "processes");
    buf_printf(out, "%s, adopted %s, zombies %s; memory %s, processor time %s\n", text_count(s, "processes", n),
               text_count(s, "adopted", adopted), text_count(s, "zombies", zombies), text_size(s, "rss_bytes", rss),
               text_age(s, "cpu_ms", cpu));
}

/* Where its output goes, unless that is standard output and all is well with it. */
static void service_logs(struct buf *out, const struct view *v, const json_t *s)
{
    const json_t *logs = json_object_get(s, "log"), *log;
    const char *label = "log";
    size_t i;
    json_array_foreach(logs, i, log)
    {
        const char *driver = text_member(log, "driver", "-"), *path = text_member(log, "path", "");
        const char *trouble = text_member(log, "trouble", "");
        char lost[TEXT_CELL_MAX];
        bool has_lost = text_number(log, "lost_bytes", 0) > 0;
        if (strcmp(driver, "stdout") == 0 && *trouble == '\0' && !has_lost)
            continue;
        service_label(out, v, label);
        label = "";
        if (json_array_size(logs) > 1)
            buf_printf(out, "%s: ", strcmp(text_member(log, "stream", ""), "stderr") == 0 ? "stderr" : "stdout");
        text_put(out, driver, 0);
        if (*path != '\0')
            buf_putc(out, ' ');
        text_put(out, path, 0);
        if (*trouble != '\0') {
            buf_puts(out, "; ");
            text_paint(out, v, TEXT_BAD, trouble, 0);
        }
        if (has_lost)
            buf_printf(out, "; bytes lost: %s", text_count(log, "lost_bytes", lost));
        buf_putc(out, '\n');
    }
}

void view_service(struct buf *out, const struct view *v, const json_t *result)
{
    const json_t *services = json_object_get(result, "services"), *s, *line;
    size_t i, k;
    json_array_foreach(services, i, s)
    {
        const json_t *lines = json_object_get(s, "lines");
        if (i > 0)
            buf_putc(out, '\n');
        service_head(out, v, s);
        service_row(out, v, "reason", json_string_value(json_object_get(s, "reason")));
        service_row(out, v, "command", json_string_value(json_object_get(s, "command")));
        service_health(out, v, s);
        service_signs(out, v, s);
        service_runs(out, v, s);
        service_stop(out, v, s);
        service_relations(out, v, s);
        service_processes(out, v, s);
        service_logs(out, v, s);
        service_row(out, v, "limits", json_string_value(json_object_get(s, "limits")));
        if (json_array_size(lines) > 0) {
            buf_puts(out, "  ");
            text_paint(out, v, TEXT_FAINT, "output", 0);
            buf_putc(out, '\n');
        }
        json_array_foreach(lines, k, line)
        {
            buf_puts(out, "    ");
            text_put(out, text_value(line, "-"), 0);
            buf_putc(out, '\n');
        }
    }
}
