/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Plain data as JSON. An object is built member by member, and given up as a whole when one of them was refused.
 */
#include "core/snapshot.h"

#include "base/buf.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "core/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
    SNAPSHOT_COMMAND_MAX = 4096, /* bytes of a command; a list of a thousand services is to stay readable */
    SNAPSHOT_COMMAND_SLACK = 16, /* the last character, a quote, what says that there was more */
    SNAPSHOT_TEXT_MAX = 64 << 20,
    SNAPSHOT_CHANGE_MAX = 512,
    SNAPSHOT_TIME_MAX = 96,
};

static const char replacement[] = "\xef\xbf\xbd", ellipsis[] = "\xe2\x80\xa6";

/* An object being built. */
struct builder {
    json_t *object; /* owned; NULL: something was refused */
};

static struct builder build(void)
{
    return (struct builder){.object = json_object()};
}

/* Adds VALUE (taken over; NULL: it was refused). */
static void put(struct builder *b, const char *key, json_t *value)
{
    if (json_object_set_new(b->object, key, value) == 0)
        return;
    json_decref(b->object);
    b->object = NULL;
}

static void put_bool(struct builder *b, const char *key, bool value)
{
    put(b, key, json_boolean(value));
}

static void put_number(struct builder *b, const char *key, int64_t value)
{
    put(b, key, json_integer(value));
}

/* Adds VALUE, or null when there is none. */
static void put_number_or_null(struct builder *b, const char *key, int64_t value, bool there)
{
    put(b, key, there ? json_integer(value) : json_null());
}

static void put_text(struct builder *b, const char *key, const char *value)
{
    put(b, key, value ? snapshot_text(value, strlen(value)) : json_null());
}

json_t *snapshot_append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) == 0)
        return array;
    json_decref(array);
    return NULL;
}

/* The LEN bytes at S with the replacement character for each NUL and each byte that belongs to no character. */
static json_t *mended(const char *s, size_t len)
{
    json_t *text = NULL;
    struct buf out;

    buf_init(&out, SNAPSHOT_TEXT_MAX);
    for (size_t i = 0, n; i < len && !out.failed; i += n) {
        bool valid;
        n = utf8_step(s + i, len - i, &valid);
        if (valid && s[i] != '\0')
            buf_add(&out, s + i, n);
        else
            buf_puts(&out, replacement);
    }
    if (!out.failed)
        text = json_stringn_nocheck(buf_str(&out), out.len);
    buf_done(&out);
    return text;
}

json_t *snapshot_text(const char *s, size_t len)
{
    bool valid = memchr(s, '\0', len) == NULL;

    for (size_t i = 0; i < len && valid;)
        i += utf8_step(s + i, len - i, &valid);
    return valid ? json_stringn_nocheck(s, len) : mended(s, len);
}

static bool is_plain(const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

    return *word != '\0' && word[strspn(word, plain)] == '\0';
}

/* Appends WORD so that a shell reads it back, or the beginning of that. */
static void add_word(struct buf *out, const char *word)
{
    bool plain = is_plain(word);

    if (out->len > 0)
        buf_putc(out, ' ');
    if (!plain)
        buf_putc(out, '\'');
    for (const char *c = word; *c != '\0' && out->len <= SNAPSHOT_COMMAND_MAX; c++)
        if (*c == '\'')
            buf_puts(out, "'\\''");
        else
            buf_putc(out, *c);
    if (!plain)
        buf_putc(out, '\'');
}

static json_t *command_text(const struct spec *spec)
{
    json_t *text = NULL;
    struct buf out;

    buf_init(&out, SNAPSHOT_COMMAND_MAX + SNAPSHOT_COMMAND_SLACK);
    for (size_t i = 0; i < spec->n_entrypoint && out.len <= SNAPSHOT_COMMAND_MAX; i++)
        add_word(&out, spec->entrypoint[i]);
    for (size_t i = 0; i < spec->n_command && out.len <= SNAPSHOT_COMMAND_MAX; i++)
        add_word(&out, spec->command[i]);
    if (out.len > SNAPSHOT_COMMAND_MAX) {
        out.len = utf8_cut(out.data, out.len, SNAPSHOT_COMMAND_MAX);
        buf_puts(&out, ellipsis);
    }
    if (!out.failed)
        text = snapshot_text(buf_str(&out), out.len);
    buf_done(&out);
    return text;
}

json_t *snapshot_exit(int wstatus)
{
    bool killed = WIFSIGNALED(wstatus);
    const char *name = killed ? parse_signal_name(WTERMSIG(wstatus)) : NULL;
    struct builder b = build();
    char number[32], text[REPORT_STATUS_MAX];

    if (killed && !name) {
        snprintf(number, sizeof number, "signal %d", WTERMSIG(wstatus));
        name = number;
    }
    put_text(&b, "text", report_status(wstatus, text));
    put_number_or_null(&b, "code", WEXITSTATUS(wstatus), !killed);
    put_text(&b, "signal", name);
    put(&b, "core", killed ? json_boolean(WCOREDUMP(wstatus)) : json_null());
    return b.object;
}

json_t *snapshot_unit(const struct unit_view *u, const char *reason, int64_t now_ms)
{
    bool retrying = u->state == UNIT_BACKOFF && u->timer_ms >= 0;
    int64_t wait_ms = u->timer_ms > now_ms ? u->timer_ms - now_ms : 0;
    struct builder b = build();

    put_text(&b, "name", u->name);
    put_text(&b, "service", u->spec->name);
    put_number(&b, "instance", u->instance);
    put_text(&b, "state", unit_state_name(u->state));
    put_text(&b, "health", unit_health_name(u->health));
    put_bool(&b, "wanted", u->want_up);
    put_number_or_null(&b, "pid", u->main_pid, u->main_pid > 0);
    put_number(&b, "state_ms", now_ms - u->since_ms);
    put_number_or_null(&b, "uptime_ms", now_ms - u->started_ms, u->started_ms > 0);
    put_number(&b, "starts", (int64_t)u->n_starts);
    put_number(&b, "restarts", (int64_t)u->n_restarts);
    put(&b, "last_exit", u->has_last_wstatus ? snapshot_exit(u->last_wstatus) : json_null());
    put_number_or_null(&b, "next_start_ms", wait_ms, retrying);
    put_text(&b, "hook", u->hook != SPEC_HOOK_N ? spec_hook_point_name(u->hook) : NULL);
    put_text(&b, "reason", reason);
    put(&b, "command", command_text(u->spec));
    return b.object;
}

json_t *snapshot_outcome(const char *name, const struct unit_view *u, bool ok, bool done, const char *text, int64_t ms,
                         json_t *lines)
{
    struct builder b = build();

    put_text(&b, "name", name);
    put_bool(&b, "ok", ok);
    put_bool(&b, "done", done);
    put_text(&b, "state", u ? unit_state_name(u->state) : NULL);
    put_text(&b, "text", text);
    put_number(&b, "ms", ms);
    put_number_or_null(&b, "pid", u ? u->main_pid : 0, u && u->main_pid > 0);
    put(&b, "lines", lines);
    return b.object;
}

json_t *snapshot_deps(const struct spec *spec)
{
    json_t *deps = json_array();

    for (size_t i = 0; i < spec->n_depends_on; i++) {
        const struct spec_dep *dep = &spec->depends_on[i];
        struct builder b = build();
        put_text(&b, "service", dep->service);
        put_text(&b, "condition", spec_condition_name(dep->condition));
        put_bool(&b, "required", dep->required);
        deps = snapshot_append(deps, b.object);
    }
    return deps;
}

/* The names of the services that depend on the one called NAME. */
static json_t *dependents(const struct super *s, const char *name)
{
    json_t *names = json_array();
    const struct spec *spec;

    for (unsigned k = 0; (spec = super_dependent(s, name, k)); k++)
        names = snapshot_append(names, snapshot_text(spec->name, strlen(spec->name)));
    return names;
}

static json_t *restart_policy(const struct unit_view *u)
{
    struct builder b = build();

    put_text(&b, "policy", spec_restart_policy_name(u->spec->restart.policy));
    put_number(&b, "attempts", (int64_t)u->n_attempts);
    put_number(&b, "max_attempts", u->spec->restart.max_attempts);
    return b.object;
}

bool snapshot_long(json_t *service, const struct super *s, const struct unit_view *u)
{
    const struct spec *spec = u->spec;
    struct builder b = build();
    bool ok;

    put_text(&b, "type", spec_type_name(spec->type));
    put(&b, "restart", restart_policy(u));
    put(&b, "depends_on", snapshot_deps(spec));
    put(&b, "dependents", dependents(s, spec->name));
    put_text(&b, "stop_signal", parse_signal_name(spec->stop_signal[0].signal));
    put_number(&b, "stop_grace_ms", spec->stop_grace_period_ms);
    ok = b.object && json_object_update(service, b.object) == 0;
    json_decref(b.object);
    return ok;
}

/* What a service is said to be whose instances differ: the first of these that one of them is. */
static const enum unit_state by_urgency[] = {UNIT_FAILED,  UNIT_BACKOFF, UNIT_STOPPING, UNIT_WAITING, UNIT_STARTING,
                                             UNIT_RUNNING, UNIT_STOPPED, UNIT_READY,    UNIT_DONE,    UNIT_SKIPPED};
static_assert(ARRAY_LEN(by_urgency) == UNIT_STATE_N, "every state has its place");

static enum unit_state more_urgent(enum unit_state a, enum unit_state b)
{
    for (size_t i = 0; i < ARRAY_LEN(by_urgency); i++)
        if (by_urgency[i] == a || by_urgency[i] == b)
            return by_urgency[i];
    return a;
}

static json_t *graph_service(const struct spec *spec, enum unit_state state)
{
    struct builder b = build();

    put_text(&b, "name", spec->name);
    put_text(&b, "state", unit_state_name(state));
    put_number(&b, "instances", spec->scale);
    put(&b, "depends_on", snapshot_deps(spec));
    return b.object;
}

json_t *snapshot_graph(const struct super *s)
{
    const struct spec_set *set = super_set(s);
    json_t *services = json_array();

    for (size_t i = 0; i < set->n_services; i++) {
        const struct spec *spec = &set->services[i];
        enum unit_state state = spec->enabled ? UNIT_STOPPED : UNIT_SKIPPED;
        unsigned order = 0, n = 0;
        struct unit_view u;
        bool known = super_instances(s, spec->name, &order, &n);
        for (unsigned k = 0; known && k < n && super_view(s, super_at(s, order + k), &u); k++)
            state = k == 0 ? u.state : more_urgent(state, u.state);
        services = snapshot_append(services, graph_service(spec, state));
    }
    return services;
}

/* REAL_S seconds since 1970 as RFC 3339 has it, in UTC, without its last letter, into BUF. The date by counting from
 * the first of March of the year 0, so that a leap day is the last of its year; an era is 400 years. */
static void time_text(int64_t s, char *buf, size_t size)
{
    int64_t days = s / 86400 + 719468, of_day = s % 86400;
    int64_t era = days / 146097, day_of_era = days % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month + 2) / 5 + 1;
    int64_t year = year_of_era + era * 400 + (month >= 10);

    month = month < 10 ? month + 3 : month - 9;
    snprintf(buf, size, "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64, year, month,
             day, of_day / 3600, of_day / 60 % 60, of_day % 60);
}

json_t *snapshot_time(int64_t real_s)
{
    char date[SNAPSHOT_TIME_MAX], text[SNAPSHOT_TIME_MAX + 1];

    time_text(real_s, date, sizeof date);
    snprintf(text, sizeof text, "%sZ", date);
    return json_string(text);
}

json_t *snapshot_event(uint64_t seq, int64_t real_us, enum log_level level, const struct log_about *about,
                       const char *text, const char *from, const char *to)
{
    struct builder b = build();
    char date[SNAPSHOT_TIME_MAX], time[SNAPSHOT_TIME_MAX + 16];

    time_text(real_us / 1000000, date, sizeof date);
    snprintf(time, sizeof time, "%s.%06" PRId64 "Z", date, real_us % 1000000);
    put_number(&b, "seq", (int64_t)seq);
    put_text(&b, "time", time);
    put_text(&b, "event", about->event);
    put_text(&b, "level", log_level_name(level));
    put_text(&b, "service", about->service);
    put_number_or_null(&b, "pid", about->pid, about->pid > 0);
    put_number_or_null(&b, "run", (int64_t)about->run, about->run > 0);
    put_number_or_null(&b, "code", about->code, about->code_kind == 'e');
    put_text(&b, "signal", about->code_kind == 's' ? parse_signal_name(about->code) : NULL);
    put_text(&b, "from", from);
    put_text(&b, "to", to);
    put_text(&b, "text", text);
    return b.object;
}

static json_t *change(const struct plan_change *c)
{
    json_t *keys = json_array();
    struct builder b = build();
    char text[SNAPSHOT_CHANGE_MAX];

    for (size_t i = 0; i < c->n_keys; i++)
        keys = snapshot_append(keys, snapshot_text(c->keys[i], strlen(c->keys[i])));
    put_text(&b, "action", plan_action_name(c->action));
    put_text(&b, "service", c->service);
    put(&b, "keys", keys);
    put_text(&b, "effect", plan_effect_name(c->effect));
    put_text(&b, "text", plan_text(c, text, sizeof text));
    return b.object;
}

json_t *snapshot_plan(const struct plan *p)
{
    json_t *changes = json_array();

    for (size_t i = 0; i < p->n_changes; i++)
        changes = snapshot_append(changes, change(&p->changes[i]));
    return changes;
}

static json_t *problem(const struct diag *d)
{
    struct builder b = build();

    put_text(&b, "file", d->pos.file);
    put_number_or_null(&b, "line", d->pos.line, d->pos.line > 0);
    put_number_or_null(&b, "column", d->pos.column, d->pos.column > 0);
    put_text(&b, "level", d->severity == DIAG_ERROR ? "error" : "warning");
    put_text(&b, "text", d->text);
    return b.object;
}

json_t *snapshot_problems(const struct diag_list *d)
{
    json_t *problems = json_array();
    char text[64];

    for (size_t i = 0; i < d->n; i++)
        problems = snapshot_append(problems, problem(&d->items[i]));
    if (d->n_lost > 0) {
        snprintf(text, sizeof text, "and %zu more", d->n_lost);
        problems = snapshot_append(problems, problem(&(struct diag){.severity = DIAG_ERROR, .text = text}));
    }
    return problems;
}

json_t *snapshot_warnings(const struct diag_list *d)
{
    json_t *warnings = json_array();

    for (size_t i = 0; i < d->n; i++) {
        const struct diag *it = &d->items[i];
        struct buf out;
        if (it->severity != DIAG_WARNING)
            continue;
        buf_init(&out, SNAPSHOT_TEXT_MAX);
        if (it->pos.file)
            buf_printf(&out, "%s:%u:%u: ", it->pos.file, it->pos.line, it->pos.column);
        buf_puts(&out, it->text);
        warnings = snapshot_append(warnings, out.failed ? NULL : snapshot_text(out.data, out.len));
        buf_done(&out);
    }
    return warnings;
}
