/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `logs`: lines from memory, which the logger sends, and where that does not go back far enough older ones from files,
 * merged by time.
 *
 * A connection that ends without having been told that it is the end is made anew, and goes on where the last line of
 * each stream ended: so a logger that is replaced loses nothing.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "client/call.h"
#include "ctl/history.h"
#include "ctl/run.h"
#include "ctl/text.h"
#include "ctl/when.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOGS_FLUSH_AT = 64 << 10,
    LOGS_AGAIN_MS = 100, /* between two attempts while a logger is being started */
    LOGS_AGAIN_MAX = 100,
    LOGS_DEATHS_MAX = 5, /* of connections in a row that have brought nothing */
    LOGS_QUEUE_MAX = 200000,
};

/* One stream. */
struct logs_stream {
    int64_t id;
    json_t *told;            /* owned; what fosterd says of it */
    int64_t at;              /* where to go on */
    struct history *history; /* owned; NULL: there is none, or no more */
    struct history_line line;
    int64_t key; /* time of that line, or of the last one that had a time */
};

/* What is going on. */
struct logs {
    struct ctl *c;
    struct logs_stream *streams; /* owned */
    size_t n, cap;
    struct view_logs how;
    json_t *queue; /* owned; array of [method, params], some of which are done with */
    size_t taken;
    bool is_live;  /* all that was in memory has been shown */
    bool is_ended; /* there is no more to come */
    bool enough;   /* somebody has pressed Ctrl-C, which is how this ends */
    int signal_fd; /* owned; tells that; -1: SIGINT does what it did before */
    unsigned n_deaths;
};

static void logs_on_notification(struct foster *f UNUSED, const char *method, const char *params, void *data)
{
    struct logs *v = data;
    json_t *value = json_loads(params, JSON_ALLOW_NUL, NULL);
    v->n_deaths = 0;
    if (value == NULL || json_array_append_new(v->queue, json_pack("[s, o]", method, value)) != 0)
        v->c->out.failed = true;
}

/* ------------------------------------------------------------------ streams */

static const char *logs_name(const struct logs_stream *s)
{
    return text_member(s->told, "name", "-");
}

static struct logs_stream *logs_find(struct logs *v, int64_t id)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->streams[i].id == id)
            return &v->streams[i];
    return NULL;
}

/* Takes in what is TOLD of a stream, unless it is known. NULL without memory. */
static struct logs_stream *logs_meet(struct logs *v, json_t *told)
{
    int64_t id = text_number(told, "id", -1);
    struct logs_stream *s = logs_find(v, id);
    if (s != NULL || !mem_grow(&v->streams, &v->cap, v->n + 1, sizeof *v->streams))
        return s;
    s = &v->streams[v->n++];
    *s = (struct logs_stream){.id = id, .told = json_incref(told), .at = text_number(told, "from", 0)};
    size_t width = text_columns(logs_name(s));
    if (!v->c->args.no_prefix && width > v->how.width)
        v->how.width = width;
    return s;
}

/* ------------------------------------------------------------------ asking */

/* Positions to go on from. */
static json_t *logs_positions(const struct logs *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n; i++) {
        char text[64];
        snprintf(text, sizeof text, "%" PRId64 ":%" PRId64, v->streams[i].id, v->streams[i].at);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *logs_params(const struct logs *v, bool again)
{
    const struct args *a = &v->c->args;
    return json_pack("{s:o*, s:o*, s:o*, s:b, s:o*}", "services", ctl_services(v->c), "lines",
                     again ? NULL : ctl_number(a->number), "since_us", ctl_number(a->since_us), "follow", a->follow,
                     "after", again ? logs_positions(v) : NULL);
}

/* Asks until there is somebody to answer. NULL when that failed: the code of v->c. */
static json_t *logs_call(struct logs *v, bool again)
{
    struct ctl *c = v->c;
    struct foster_error e;
    json_t *params = logs_params(v, again), *data = NULL, *result = NULL;
    char *request = params != NULL ? json_dumps(params, JSON_COMPACT) : NULL;
    json_decref(params);
    if (request == NULL) {
        ctl_fail(c, CTL_FAILED, 0, NULL, "no memory for a request");
        return NULL;
    }
    for (int n = 0; result == NULL && n < LOGS_AGAIN_MAX; n++) {
        struct pollfd p = {.fd = v->signal_fd, .events = POLLIN};
        json_decref(data);
        result = call_value(c->foster, "logs", request, c->deadline, &data, &e);
        if (result != NULL || !text_is_true(data, "retry") || ctl_left(c) == 0 || poll(&p, 1, LOGS_AGAIN_MS) > 0)
            break;
    }
    free(request);
    if (result == NULL)
        ctl_fail_foster(c, &e, data);
    json_decref(data);
    return result;
}

/* The first time, or AGAIN, from the positions of all streams on. */
static bool logs_ask(struct logs *v, bool again)
{
    json_t *result, *told;
    size_t i;
    json_array_clear(v->queue);
    v->taken = 0;
    v->is_live = false;
    result = logs_call(v, again);
    json_array_foreach(json_object_get(result, "streams"), i, told)
    {
        if (logs_meet(v, told) == NULL)
            v->c->out.failed = true;
    }
    json_decref(result);
    return result != NULL;
}

static bool logs_connect_again(struct logs *v)
{
    const struct foster_handlers handlers = {.on_notification = logs_on_notification, .data = v};
    struct foster_error e;
    foster_free(v->c->foster);
    v->c->foster = foster_connect(v->c->args.socket, &e);
    if (v->c->foster == NULL) {
        ctl_fail_foster(v->c, &e, NULL);
        return false;
    }
    foster_set_handlers(v->c->foster, &handlers);
    return logs_ask(v, true);
}

/* ------------------------------------------------------------------ files */

static enum history_format logs_format(const char *name)
{
    if (strcmp(name, "json") == 0)
        return HISTORY_JSON;
    return strcmp(name, "timestamps") == 0 ? HISTORY_TIMESTAMPS : HISTORY_RAW;
}

/* The stream with the oldest line that comes from a file; NULL: all of those have been shown. */
static struct logs_stream *logs_oldest(struct logs *v)
{
    struct logs_stream *oldest = NULL;
    for (size_t i = 0; i < v->n; i++)
        if (v->streams[i].history != NULL && (oldest == NULL || v->streams[i].key < oldest->key))
            oldest = &v->streams[i];
    return oldest;
}

/* Ctrl-C ends what goes on, in order; files may be long, and then it ends this at once. */
static void logs_take_interrupt(struct logs *v)
{
    if (v->c->args.follow && v->signal_fd < 0 && logs_oldest(v) == NULL)
        v->signal_fd = ctl_take_interrupt();
}

/* The next line of S that comes from a file. */
static void logs_advance(struct logs *v, struct logs_stream *s)
{
    if (history_next(s->history, &s->line)) {
        s->key = s->line.us >= 0 ? s->line.us : s->key;
        return;
    }
    if (history_trouble(s->history) != NULL)
        ctl_note(v->c, "some older lines of %s are missing: %s", logs_name(s), history_trouble(s->history));
    history_free(s->history);
    s->history = NULL;
    logs_take_interrupt(v);
}

/* Both streams of a service may be without times. */
static void logs_say_untimed(struct logs *v, const struct logs_stream *s)
{
    for (const struct logs_stream *other = v->streams; other < s; other++)
        if (text_is_true(other->told, "untimed") && strcmp(logs_name(other), logs_name(s)) == 0)
            return;
    ctl_note(v->c, "older lines of %s have no times in its file; --since finds those in memory only", logs_name(s));
}

/* Whether S has its older lines; if not, it has to begin with what is in memory. */
static bool logs_open(struct logs *v, struct logs_stream *s)
{
    const json_t *file = json_object_get(s->told, "file");
    struct err e = {0};
    const struct history_wish w = {
        .path = text_member(file, "path", ""),
        .inode = (uint64_t)text_number(file, "inode", 0),
        .size = (uint64_t)text_number(file, "size", 0),
        .format = logs_format(text_member(file, "format", "")),
        .lines = text_number(file, "lines", -1),
        .since_us = v->c->args.since_us,
    };
    if (text_is_true(s->told, "untimed"))
        logs_say_untimed(v, s);
    if (!json_is_object(file))
        return true;
    s->history = history_open(&w, &e);
    if (s->history != NULL) {
        logs_advance(v, s);
        return true;
    }
    ctl_note(v->c, "older lines of %s cannot be read: %s", logs_name(s), e.text);
    s->at = text_number(s->told, "begins", 0);
    return false;
}

/* False: nothing can be shown; the code of v->c. */
static bool logs_open_all(struct logs *v)
{
    bool ok = true;
    for (size_t i = 0; i < v->n; i++)
        ok = logs_open(v, &v->streams[i]) && ok;
    return ok || logs_connect_again(v);
}

/* ------------------------------------------------------------------ showing */

static void logs_json_line(struct buf *out, const struct logs_stream *s, const struct view_log *line)
{
    char time[WHEN_LEN + 1];
    when_write(line->us, time);
    if (line->us >= 0)
        buf_printf(out, "{\"time\":\"%s\",\"service\":", time);
    else
        buf_puts(out, "{\"time\":null,\"service\":");
    buf_json_string(out, line->name, strlen(line->name));
    buf_printf(out, ",\"stream\":\"%s\",\"text\":", text_member(s->told, "stream", "-"));
    buf_json_string(out, line->text, line->len);
    buf_printf(out, ",\"continues\":%s,\"partial\":%s,\"bytes\":", line->continues ? "true" : "false",
               line->partial ? "true" : "false");
    if (utf8_is_valid(line->text, line->len))
        buf_puts(out, "null");
    else {
        buf_putc(out, '"');
        buf_base64(out, line->text, line->len);
        buf_putc(out, '"');
    }
    buf_puts(out, "}\n");
}

static void logs_show(struct logs *v, const struct logs_stream *s, const struct history_line *l)
{
    struct ctl *c = v->c;
    const struct view_log line = {.name = logs_name(s),
                                  .id = (uint64_t)s->id,
                                  .text = l->text,
                                  .len = l->len,
                                  .us = l->us,
                                  .continues = l->continues,
                                  .partial = l->partial};
    if (c->args.json)
        logs_json_line(&c->out, s, &line);
    else
        view_log(&c->out, &c->view, &v->how, &line);
}

/* Nobody can read what was overwritten, but everybody may know of it. */
static void logs_show_gap(struct logs *v, const struct logs_stream *s, long long bytes)
{
    struct ctl *c = v->c;
    char text[96];
    if (!c->args.json) {
        snprintf(text, sizeof text, "[fosterctl: %lld bytes are missing here, they came too fast]", bytes);
        logs_show(v, s, &(struct history_line){.text = text, .len = strlen(text), .us = -1});
        return;
    }
    json_t *gap = json_pack("{s:s, s:s, s:I}", "service", logs_name(s), "stream", text_member(s->told, "stream", "-"),
                            "gap", (json_int_t)bytes);
    if (gap != NULL)
        ctl_put_json(c, gap, true);
    json_decref(gap);
}

/* The value of a digit of base64; 0 of what is none. */
static unsigned logs_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 0;
}

/* Puts what TEXT says in base64 to OUT. */
static void logs_decode(struct buf *out, const char *text)
{
    for (; strlen(text) >= 4; text += 4) {
        unsigned bits =
            logs_digit(text[0]) << 18 | logs_digit(text[1]) << 12 | logs_digit(text[2]) << 6 | logs_digit(text[3]);
        const char three[] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        buf_add(out, three, text[2] == '=' ? 1 : text[3] == '=' ? 2 : 3);
    }
}

static void logs_show_told(struct logs *v, struct logs_stream *s, const json_t *params)
{
    const json_t *text = json_object_get(params, "text");
    const char *bytes = text_member(params, "bytes", "");
    struct history_line l = {.text = text_value(text, ""),
                             .len = json_string_length(text),
                             .us = -1,
                             .continues = text_is_true(params, "continues"),
                             .partial = text_is_true(params, "partial")};
    struct buf exact;
    if (!when_of_line(text_member(params, "time", ""), &l.us))
        l.us = -1;
    buf_init(&exact, LOGS_FLUSH_AT);
    if (*bytes != '\0') {
        logs_decode(&exact, bytes);
        l.text = buf_str(&exact);
        l.len = exact.len;
    }
    logs_show(v, s, &l);
    buf_done(&exact);
}

/* What the logger says with METHOD. */
static void logs_take(struct logs *v, const char *method, json_t *params)
{
    struct logs_stream *s = logs_find(v, text_number(params, "stream", -1));
    if (strcmp(method, "live") == 0)
        v->is_live = true;
    else if (strcmp(method, "end") == 0)
        v->is_ended = v->is_live = true;
    else if (strcmp(method, "new") == 0) {
        if (logs_meet(v, params) == NULL)
            v->c->out.failed = true;
    } else if (s != NULL && strcmp(method, "line") == 0)
        logs_show_told(v, s, params);
    else if (s != NULL && strcmp(method, "gap") == 0)
        logs_show_gap(v, s, text_number(params, "bytes", 0));
    if (s != NULL)
        s->at = text_number(params, "next", s->at);
}

/* What the logger has said next; NULL: nothing yet. */
static json_t *logs_next(struct logs *v)
{
    if (v->taken < json_array_size(v->queue))
        return json_array_get(v->queue, v->taken);
    json_array_clear(v->queue);
    v->taken = 0;
    return NULL;
}

/* Whether the line S comes before what the logger has said next. */
static bool logs_is_older(const struct logs_stream *s, const json_t *next)
{
    int64_t us;
    const json_t *params = json_array_get(next, 1);
    return next == NULL || (when_of_line(text_member(params, "time", ""), &us) && s->key < us);
}

/* While files are read, which may take longer than it takes to overwrite what is in memory, that is fetched. An end of
 * the connection is told again. */
static void logs_keep_up(struct logs *v)
{
    struct foster_error e;
    if (json_array_size(v->queue) < LOGS_QUEUE_MAX)
        (void)foster_dispatch(v->c->foster, &e);
}

/* Shows what there is, oldest first, as far as it is known that nothing older will come. False: nobody reads it. */
static bool logs_show_all(struct logs *v)
{
    struct ctl *c = v->c;
    for (;;) {
        json_t *next = logs_next(v);
        struct logs_stream *s = next != NULL || v->is_live ? logs_oldest(v) : NULL;
        if (s != NULL && logs_is_older(s, next)) {
            logs_show(v, s, &s->line);
            logs_advance(v, s);
        } else if (next != NULL) {
            logs_take(v, json_string_value(json_array_get(next, 0)), json_array_get(next, 1));
            v->taken++;
        } else
            return ctl_flush(c);
        if (c->out.len < LOGS_FLUSH_AT)
            continue;
        if (!ctl_flush(c))
            return false;
        logs_keep_up(v);
    }
}

/* ------------------------------------------------------------------ all of it */

/* The connection has ended, because of E. Whether there is a new one. */
static bool logs_go_on(struct logs *v, const struct foster_error *e)
{
    if ((e->kind == FOSTER_ERR_CLOSED || e->kind == FOSTER_ERR_PROTOCOL) && v->n_deaths++ < LOGS_DEATHS_MAX)
        return logs_connect_again(v);
    ctl_fail_foster(v->c, e, NULL);
    return false;
}

static int logs_run(struct logs *v)
{
    struct ctl *c = v->c;
    struct foster_error e;
    logs_take_interrupt(v);
    while (logs_show_all(v) && !v->is_ended) {
        if (!ctl_await(c, v->signal_fd, &v->enough)) {
            return c->args.follow
                       ? CTL_OK
                       : ctl_fail(c, CTL_NOBODY, 0, NULL, "%s: not all lines came in time", foster_path(c->foster));
        }
        if (v->enough || c->deaf)
            return CTL_OK;
        if (foster_dispatch(c->foster, &e))
            continue;
        if (!logs_show_all(v) || v->is_ended)
            break;
        if (!logs_go_on(v, &e))
            return c->code;
    }
    return CTL_OK;
}

int run_logs(struct ctl *c)
{
    struct logs v = {.c = c, .queue = json_array(), .signal_fd = -1};
    const struct foster_handlers handlers = {.on_notification = logs_on_notification, .data = &v}, none = {0};
    v.how = (struct view_logs){.times = c->args.timestamps, .raw = c->args.raw};
    foster_set_handlers(c->foster, &handlers);
    int status = logs_ask(&v, false) && logs_open_all(&v) ? logs_run(&v) : c->code;
    if (c->foster != NULL)
        foster_set_handlers(c->foster, &none);
    if (v.signal_fd >= 0)
        close(v.signal_fd);
    for (size_t i = 0; i < v.n; i++) {
        history_free(v.streams[i].history);
        json_decref(v.streams[i].told);
    }
    mem_free(v.streams);
    json_decref(v.queue);
    return status;
}
