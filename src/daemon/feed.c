/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The stream of events. Those that are kept are plain structures of a fixed size, made into JSON only for somebody who
 * listens: a supervisor to whom nobody listens pays with a copy.
 *
 * DIAGNOSTICS: none, for this runs inside the log. Where memory is short an event is not kept.
 */
#include "daemon/feed.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/proto.h"
#include "core/select.h"
#include "core/snapshot.h"

#include <ev.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEED_TEXT_MAX = EFFECT_TEXT_MAX,
    FEED_NAME_MAX = SPEC_NAME_MAX + 8,
    FEED_WORD_MAX = 24,
    FEED_LINE_MAX = 16 << 10
};

struct feed_event {
    uint64_t seq;
    int64_t real_us;
    uint64_t run;
    enum log_level level;
    pid_t pid;
    int code;
    char code_kind;
    char service[FEED_NAME_MAX]; /* empty: of none */
    char event[FEED_WORD_MAX];
    const char *from; /* static; NULL but for a change of state */
    const char *to;   /* static */
    char text[FEED_TEXT_MAX];
};

/* Copies S into BUF, cut where a character ends. */
static void feed_copy(char *buf, size_t size, const char *s)
{
    size_t len = utf8_cut(s, strlen(s), size - 1);
    memcpy(buf, s, len);
    buf[len] = '\0';
}

/* Patterns before names, and those in order: there are few patterns, and as many names as go into a request. */
static int feed_compare_names(const void *a, const void *b)
{
    const char *x = *(const char *const *)a;
    const char *y = *(const char *const *)b;
    int order = (int)select_is_pattern(y) - (int)select_is_pattern(x);
    return order != 0 ? order : strcmp(x, y);
}

/* Whether S has named NAME, or a pattern that fits it. */
static bool feed_has_named(const struct feed_subscriber *s, const char *name)
{
    for (size_t i = 0; i < s->n_names && select_is_pattern(s->names[i]); i++)
        if (fnmatch(s->names[i], name, 0) == 0)
            return true;
    return bsearch(&name, s->names, s->n_names, sizeof *s->names, feed_compare_names) != NULL;
}

/* Whether S has named the instance NAME, or the service that it is an instance of. */
static bool feed_has_meant(const struct feed_subscriber *s, const char *name)
{
    char service[FEED_NAME_MAX];
    if (feed_has_named(s, name))
        return true;
    const char *dot = strrchr(name, '.');
    if (dot == NULL || dot[1] == '\0' || dot[1 + strspn(dot + 1, "0123456789")] != '\0')
        return false;
    snprintf(service, sizeof service, "%.*s", (int)(dot - name), name);
    return feed_has_named(s, service);
}

static bool feed_wants(const struct feed_subscriber *s, const struct feed_event *ev)
{
    if (ev->to != NULL && !s->states)
        return false;
    /* The end of everything is the end of those who were named, too: whoever listens can tell it from a broken
     * connection. */
    if (ev->service[0] == '\0')
        return s->names == NULL || strcmp(ev->event, "shutdown") == 0;
    return s->names == NULL || feed_has_meant(s, ev->service);
}

static json_t *feed_json(const struct feed_event *ev)
{
    struct log_about about = {
        .service = ev->service[0] != '\0' ? ev->service : NULL,
        .event = ev->event,
        .pid = ev->pid,
        .run = ev->run,
        .code = ev->code,
        .code_kind = ev->code_kind,
    };
    return snapshot_event(ev->seq, ev->real_us, ev->level, &about, ev->text, ev->from, ev->to);
}

static void feed_keep(struct feed *f, const struct feed_event *ev)
{
    if (f->recent == NULL)
        f->recent = mem_array(FEED_RECENT_MAX, sizeof *f->recent);
    if (f->recent == NULL)
        return;
    f->recent[f->next] = *ev;
    f->next = (f->next + 1) % FEED_RECENT_MAX;
    if (f->n_recent < FEED_RECENT_MAX)
        f->n_recent++;
}

/* EV as a line, which stays empty where memory is short. */
static void feed_line(const struct feed_event *ev, struct buf *line)
{
    json_t *message = proto_notification("event", feed_json(ev));
    if (message == NULL || !proto_write(message, line))
        line->len = 0;
    json_decref(message);
}

/* All subscribers are told the same: it is put into words once, and for nobody not at all. */
static void feed_tell(struct feed *f, const struct feed_event *ev)
{
    struct buf line;
    buf_init(&line, FEED_LINE_MAX);
    LIST_EACH (it, &f->subscribers) {
        struct feed_subscriber *s = CONTAINER_OF(it, struct feed_subscriber, link);
        if (!feed_wants(s, ev))
            continue;
        if (line.len == 0)
            feed_line(ev, &line);
        s->on_event(s, line.len > 0 ? line.data : NULL, line.len);
    }
    buf_done(&line);
}

/* Gives the next event, of LEVEL, its number. False when nobody is to have more of it. */
static bool feed_number(struct feed *f, enum log_level level)
{
    f->seq++;
    return level < LOG_LEVEL_DEBUG || !list_is_empty(&f->subscribers);
}

static void feed_take(struct feed *f, struct feed_event *ev)
{
    ev->seq = f->seq;
    ev->real_us = (int64_t)(ev_time() * 1e6);
    if (ev->level < LOG_LEVEL_DEBUG)
        feed_keep(f, ev);
    feed_tell(f, ev);
}

static void feed_on_log(enum log_level level, const struct log_about *about, const char *text, void *data)
{
    struct feed *f = data;
    if (!feed_number(f, level))
        return;
    struct feed_event ev = {
        .run = about->run,
        .level = level,
        .pid = about->pid,
        .code = about->code,
        .code_kind = about->code_kind,
    };
    if (about->service != NULL)
        feed_copy(ev.service, sizeof ev.service, about->service);
    feed_copy(ev.event, sizeof ev.event, about->event);
    feed_copy(ev.text, sizeof ev.text, text);
    feed_take(f, &ev);
}

void feed_init(struct feed *f)
{
    *f = (struct feed){0};
    list_init(&f->subscribers);
    log_set_tap(feed_on_log, f);
}

void feed_state(struct feed *f, const struct unit_view *u, enum unit_state from, enum unit_state to)
{
    if (!feed_number(f, LOG_LEVEL_DEBUG))
        return;
    struct feed_event ev = {
        .run = u->run,
        .level = LOG_LEVEL_DEBUG,
        .pid = u->main_pid,
        .event = "state",
        .from = unit_state_name(from),
        .to = unit_state_name(to),
    };
    feed_copy(ev.service, sizeof ev.service, u->name);
    snprintf(ev.text, sizeof ev.text, "%s -> %s", ev.from, ev.to);
    feed_take(f, &ev);
}

static void feed_forget_names(struct feed_subscriber *s)
{
    for (size_t i = 0; i < s->n_names; i++)
        mem_free(s->names[i]);
    mem_free(s->names);
    s->names = NULL;
    s->n_names = 0;
}

/* Puts the names of S in order, each once: what S keeps is to hang on how many services there are, not on how often
 * they were named. */
static void feed_sort_names(struct feed_subscriber *s)
{
    size_t n = 0;
    qsort(s->names, s->n_names, sizeof *s->names, feed_compare_names);
    for (size_t i = 0; i < s->n_names; i++)
        if (n > 0 && strcmp(s->names[n - 1], s->names[i]) == 0)
            mem_free(s->names[i]);
        else
            s->names[n++] = s->names[i];
    s->n_names = n;
    char **fewer = mem_resize(s->names, n, sizeof *fewer);
    s->names = fewer != NULL ? fewer : s->names;
}

static bool feed_copy_names(struct feed_subscriber *s, const json_t *names)
{
    size_t n = json_array_size(names);
    s->names = mem_array(n, sizeof *s->names);
    while (s->names != NULL && s->n_names < n) {
        s->names[s->n_names] = mem_strdup(json_string_value(json_array_get(names, s->n_names)));
        if (s->names[s->n_names] == NULL) {
            feed_forget_names(s);
            return false;
        }
        s->n_names++;
    }
    if (s->names == NULL)
        return false;
    feed_sort_names(s);
    return true;
}

bool feed_subscribe(struct feed *f, struct feed_subscriber *s, const json_t *names)
{
    feed_unsubscribe(s);
    if (json_array_size(names) > 0 && !feed_copy_names(s, names))
        return false;
    list_append(&f->subscribers, &s->link);
    return true;
}

json_t *feed_recent(const struct feed *f, const struct feed_subscriber *s, size_t n)
{
    const struct feed_event *wanted[FEED_RECENT_MAX];
    size_t n_wanted = 0;
    for (size_t i = 0; i < f->n_recent; i++) {
        const struct feed_event *ev = &f->recent[(f->next + FEED_RECENT_MAX - f->n_recent + i) % FEED_RECENT_MAX];
        if (feed_wants(s, ev))
            wanted[n_wanted++] = ev;
    }
    json_t *array = json_array();
    for (size_t i = n_wanted > n ? n_wanted - n : 0; array != NULL && i < n_wanted; i++)
        array = snapshot_append(array, feed_json(wanted[i]));
    return array;
}

void feed_unsubscribe(struct feed_subscriber *s)
{
    if (s->link.next != NULL)
        list_remove(&s->link);
    else
        list_init(&s->link);
    feed_forget_names(s);
}

void feed_done(struct feed *f)
{
    log_set_tap(NULL, NULL);
    LIST_EACH (it, &f->subscribers)
        feed_unsubscribe(CONTAINER_OF(it, struct feed_subscriber, link));
    mem_free(f->recent);
    f->recent = NULL;
    f->n_recent = f->next = 0;
}
