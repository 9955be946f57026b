/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Reading a datagram of sd_notify(3). The bytes come from whoever can send; nothing in them is trusted.
 */
#include "core/notify.h"

#include "base/utf8.h"

#include <string.h>

/* A value: LEN bytes. */
struct value {
    const char *s;
    size_t len;
};

typedef void take(struct notify_message *m, const struct value *v);

static bool is(const struct value *v, const char *word)
{
    return v->len == strlen(word) && memcmp(v->s, word, v->len) == 0;
}

/* The decimal number that V is, UINT64_MAX where it is larger than that. False: it is none. */
static bool number(const struct value *v, uint64_t *ret)
{
    uint64_t n = 0;

    if (v->len == 0)
        return false;
    for (size_t i = 0; i < v->len; i++) {
        unsigned digit = (unsigned)(v->s[i] - '0');
        if (v->s[i] < '0' || v->s[i] > '9')
            return false;
        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    *ret = n;
    return true;
}

/* V, microseconds, as milliseconds of at most a day. */
static bool milliseconds(const struct value *v, int64_t *ret)
{
    uint64_t us;

    if (!number(v, &us))
        return false;
    *ret = us > (uint64_t)NOTIFY_TIME_MAX * 1000 ? NOTIFY_TIME_MAX : (int64_t)((us + 999) / 1000);
    return true;
}

static void take_ready(struct notify_message *m, const struct value *v)
{
    m->ready = m->ready || is(v, "1");
}

static void take_reloading(struct notify_message *m, const struct value *v)
{
    m->reloading = m->reloading || is(v, "1");
}

static void take_monotonic(struct notify_message *m, const struct value *v)
{
    m->has_monotonic = number(v, &m->monotonic_us);
}

static void take_stopping(struct notify_message *m, const struct value *v)
{
    m->stopping = m->stopping || is(v, "1");
}

static void take_status(struct notify_message *m, const struct value *v)
{
    size_t n = 0, step;
    bool valid;

    m->has_status = true;
    for (size_t i = 0; i < v->len; i += step) {
        step = utf8_step(v->s + i, v->len - i, &valid);
        bool plain = valid && (step > 1 || ((unsigned char)v->s[i] >= ' ' && v->s[i] != 0x7f));
        size_t add = plain ? step : 1;
        if (n + add > NOTIFY_STATUS_MAX)
            break;
        memcpy(m->status + n, plain ? v->s + i : "?", add);
        n += add;
    }
    m->status[n] = '\0';
}

static void take_errno(struct notify_message *m, const struct value *v)
{
    uint64_t n;

    m->has_errno = number(v, &n) && n <= INT32_MAX;
    m->errnum = m->has_errno ? (int)n : 0;
}

static void take_main_pid(struct notify_message *m, const struct value *v)
{
    uint64_t n;

    m->main_pid = number(v, &n) && n > 1 && n <= INT32_MAX ? (pid_t)n : 0;
}

static void take_watchdog(struct notify_message *m, const struct value *v)
{
    m->watchdog = m->watchdog || is(v, "1");
    m->watchdog_trigger = m->watchdog_trigger || is(v, "trigger");
}

static void take_watchdog_us(struct notify_message *m, const struct value *v)
{
    m->has_watchdog_ms = milliseconds(v, &m->watchdog_ms);
    if (m->has_watchdog_ms && m->watchdog_ms > 0 && m->watchdog_ms < NOTIFY_WATCHDOG_MIN)
        m->watchdog_ms = NOTIFY_WATCHDOG_MIN;
}

static void take_extend(struct notify_message *m, const struct value *v)
{
    m->has_extend_ms = milliseconds(v, &m->extend_ms);
}

static void take_fd_store(struct notify_message *m, const struct value *v)
{
    m->fd_store = m->fd_store || is(v, "1");
}

static void take_fd_remove(struct notify_message *m, const struct value *v)
{
    m->fd_remove = m->fd_remove || is(v, "1");
}

static void take_fd_poll(struct notify_message *m, const struct value *v)
{
    m->fd_poll_off = is(v, "0");
}

/* Names go into LISTEN_FDNAMES, with colons between. */
static void take_fd_name(struct notify_message *m, const struct value *v)
{
    bool ok = v->len <= NOTIFY_FDNAME_MAX;

    for (size_t i = 0; i < v->len && ok; i++)
        ok = v->s[i] > ' ' && v->s[i] < 0x7f && v->s[i] != ':';
    memcpy(m->fd_name, v->s, ok ? v->len : 0);
    m->fd_name[ok ? v->len : 0] = '\0';
}

static void take_barrier(struct notify_message *m, const struct value *v)
{
    m->barrier = is(v, "1");
}

static void take_access(struct notify_message *m, const struct value *v)
{
    if (is(v, "all"))
        m->access = NOTIFY_ACCESS_ALL;
    else if (is(v, "main") || is(v, "exec"))
        m->access = NOTIFY_ACCESS_MAIN;
    else if (is(v, "none"))
        m->access = NOTIFY_ACCESS_NONE;
}

static const struct {
    const char *key;
    take *take;
} keys[] = {
    {"READY", take_ready},
    {"RELOADING", take_reloading},
    {"MONOTONIC_USEC", take_monotonic},
    {"STOPPING", take_stopping},
    {"STATUS", take_status},
    {"ERRNO", take_errno},
    {"MAINPID", take_main_pid},
    {"WATCHDOG", take_watchdog},
    {"WATCHDOG_USEC", take_watchdog_us},
    {"EXTEND_TIMEOUT_USEC", take_extend},
    {"FDSTORE", take_fd_store},
    {"FDSTOREREMOVE", take_fd_remove},
    {"FDPOLL", take_fd_poll},
    {"FDNAME", take_fd_name},
    {"BARRIER", take_barrier},
    {"NOTIFYACCESS", take_access},
};

static void take_line(struct notify_message *m, const char *line, size_t len)
{
    const char *equals = memchr(line, '=', len);
    struct value v;

    if (!equals)
        return;
    v = (struct value){equals + 1, len - (size_t)(equals + 1 - line)};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strlen(keys[i].key) == (size_t)(equals - line) && memcmp(keys[i].key, line, strlen(keys[i].key)) == 0)
            keys[i].take(m, &v);
}

void notify_parse(const char *data, size_t n, struct notify_message *ret)
{
    *ret = (struct notify_message){.access = NOTIFY_ACCESS_N};
    for (size_t at = 0; at < n;) {
        const char *newline = memchr(data + at, '\n', n - at);
        size_t len = newline ? (size_t)(newline - (data + at)) : n - at;
        take_line(ret, data + at, len);
        at += len + 1;
    }
}
