/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the daemon knows of a unit beside super. Members are always there, null where there is nothing to say.
 */
#include "daemon/look_unit.h"

#include "base/err.h"
#include "core/log_keys.h"
#include "core/snapshot.h"
#include "daemon/health.h"
#include "daemon/notify.h"
#include "daemon/schedule.h"
#include "sys/sys_time.h"

#include <string.h>

static json_t *look_unit_text(const char *text)
{
    return text != NULL ? snapshot_text(text, strlen(text)) : json_null();
}

/* As the member `health_check`. */
static json_t *look_unit_health(const struct engine_unit *u, bool full, int64_t now_ms)
{
    struct health_view h;
    if (!health_view(u, &h))
        return json_null();
    bool any = h.n_checks > 0;
    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "checking", h.is_checking, "failing",
                     (json_int_t)h.streak, "retries", (json_int_t)h.retries, "checks", (json_int_t)h.n_checks,
                     "failures", (json_int_t)h.n_failures, "last_ok", any ? json_boolean(h.last_ok) : json_null(),
                     "last_text", look_unit_text(any ? h.last_text : NULL), "last_output",
                     any && full ? snapshot_text(h.last_output, h.n_last_output) : json_null(), "last_ms_ago",
                     any ? json_integer(now_ms - h.last_ended_ms) : json_null(), "took_ms",
                     any ? json_integer(h.last_took_ms) : json_null());
}

/* What U has said of itself by sd_notify(3), as members; NULL without memory. */
static json_t *look_unit_notify(const struct engine_unit *u)
{
    struct notify_view n;
    if (!notify_view(u, &n))
        n = (struct notify_view){.errnum = -1};
    return json_pack("{s:o, s:o, s:b, s:o, s:I}", "status_text", look_unit_text(n.status), "errno",
                     n.errnum >= 0 ? json_integer(n.errnum) : json_null(), "reloading", n.reloading, "watchdog_ms",
                     n.watchdog_ms > 0 ? json_integer(n.watchdog_ms) : json_null(), "stored_fds",
                     (json_int_t)n.n_stored);
}

/* When U is due, as members; NULL without memory. What does not run comes up then by itself, as after a backoff. */
static json_t *look_unit_due(const struct engine_unit *u, const struct unit_view *v)
{
    int64_t next_s = schedule_next_s(u);
    if (next_s == 0)
        return json_pack("{s:n}", "next_run");
    json_t *due = json_pack("{s:o}", "next_run", snapshot_time(next_s));
    int64_t wait_ms = next_s * 1000 - sys_unix_ms();
    if (due != NULL && v->main_pid == 0 && v->timer_ms < 0)
        json_object_set_new(due, "next_start_ms", json_integer(wait_ms > 0 ? wait_ms : 0));
    return due;
}

/* Why nothing goes out of S (NULL: it is not open) now; null: it does. */
static json_t *look_unit_trouble(const struct output_stream *s)
{
    int trouble = s != NULL ? s->ring.head->trouble : LOGRING_FLOWS;
    if (trouble == LOGRING_FLOWS)
        return json_null();
    return look_unit_text(trouble == LOGRING_FULL ? "it takes nothing now" : err_errno_text(s->ring.head->sink_errno));
}

/* The file to which stream number WHICH of U goes; null: to none. */
static json_t *look_unit_path(const struct engine_unit *u, unsigned which)
{
    const struct spec_log *l = &u->spec->log[which];
    const struct output_stream *s = u->out[which];
    char path[LOG_KEYS_PATH_MAX + 1];
    if (l->driver != SPEC_LOG_FILE || !log_path(l, s != NULL ? s->name : u->name, u->spec->name, path, sizeof path))
        return json_null();
    return look_unit_text(path);
}

/* Where the output of U goes, as the member `log`; NULL without memory. */
static json_t *look_unit_log(const struct engine_unit *u)
{
    static const char *const names[SPEC_STREAM_N] = {"stdout", "stderr"};
    json_t *log = json_array();
    for (unsigned i = 0; i < spec_n_streams(u->spec); i++) {
        const struct spec_log *l = &u->spec->log[i];
        const struct output_stream *s = u->out[i];
        log = snapshot_append(log, json_pack("{s:s, s:s, s:o, s:I, s:o}", "stream", names[i], "driver",
                                             spec_log_driver_name(l->driver), "path", look_unit_path(u, i),
                                             "lost_bytes", (json_int_t)(s != NULL ? s->ring.head->lost_bytes : 0),
                                             "trouble", look_unit_trouble(s)));
    }
    return log;
}

/* Adds MEMBERS (taken over; NULL: there was no memory) to SERVICE. */
static bool look_unit_update(json_t *service, json_t *members)
{
    bool ok = members != NULL && json_object_update(service, members) == 0;
    json_decref(members);
    return ok;
}

bool look_unit_add(json_t *service, const struct engine_unit *u, const struct unit_view *v, bool full, int64_t now_ms)
{
    return json_object_set_new(service, "health_check", look_unit_health(u, full, now_ms)) == 0 &&
           look_unit_update(service, look_unit_notify(u)) && look_unit_update(service, look_unit_due(u, v)) &&
           (!full || json_object_set_new(service, "log", look_unit_log(u)) == 0);
}
