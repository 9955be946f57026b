/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `events`: those that were, and with --follow those to come until somebody interrupts.
 */
#include "ctl/run.h"
#include "ctl/text.h"

#include <string.h>
#include <unistd.h>

enum { EVENTS_KEPT = 256, EVENTS_BEFORE = 10 };

/* What the handler needs to know. */
struct events {
    struct ctl *c;
    json_t *early;  /* owned; array: came before the reply with the older ones; NULL: the reply is there */
    long long last; /* seq of the one that was shown last */
    bool farewell;  /* the end of fosterd was told: the end of the connection is none of our troubles */
    bool enough;    /* somebody has pressed Ctrl-C, which is how this ends */
    int signal_fd;  /* owned; tells that; -1: SIGINT does what it did before */
};

static void events_show(struct events *v, const json_t *event)
{
    struct ctl *c = v->c;
    long long seq = text_number(event, "seq", v->last + 1);
    if (seq <= v->last)
        return;
    v->last = seq;
    v->farewell = v->farewell || strcmp(text_member(event, "event", ""), "shutdown") == 0;
    if (c->args.json)
        ctl_put_json(c, event, true);
    else
        view_event(&c->out, &c->view, event);
}

static void events_show_all(struct events *v, const json_t *events)
{
    const json_t *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        events_show(v, event);
    }
}

static void events_on_notification(struct foster *f UNUSED, const char *method, const char *params, void *data)
{
    struct events *v = data;
    json_t *event = strcmp(method, "event") == 0 ? json_loads(params, JSON_ALLOW_NUL, NULL) : NULL;
    if (event != NULL && v->early != NULL)
        json_array_append(v->early, event);
    else if (event != NULL)
        events_show(v, event);
    json_decref(event);
}

static int events_follow(struct events *v)
{
    struct ctl *c = v->c;
    struct foster_error e;
    while (ctl_flush(c) && ctl_await(c, v->signal_fd, &v->enough) && !v->enough)
        if (!foster_dispatch(c->foster, &e)) {
            ctl_flush(c);
            return v->farewell && e.kind == FOSTER_ERR_CLOSED ? CTL_OK : ctl_fail_foster(c, &e, NULL);
        }
    return CTL_OK;
}

int run_events(struct ctl *c)
{
    struct events v = {.c = c, .early = json_array(), .last = -1, .signal_fd = -1};
    const struct foster_handlers handlers = {.on_notification = events_on_notification, .data = &v}, none = {0};
    int64_t recent = c->args.number;
    if (recent < 0)
        recent = c->args.follow ? EVENTS_BEFORE : EVENTS_KEPT;
    if (recent > EVENTS_KEPT)
        recent = EVENTS_KEPT;
    foster_set_handlers(c->foster, &handlers);
    json_t *result = ctl_call(c, "subscribe",
                              json_pack("{s:o*, s:I, s:b}", "services", ctl_services(c), "recent", (json_int_t)recent,
                                        "follow", c->args.follow));
    json_t *early = v.early;
    int status = c->code;
    v.early = NULL;
    if (result != NULL) {
        events_show_all(&v, json_object_get(result, "events"));
        events_show_all(&v, early);
        if (c->args.follow)
            v.signal_fd = ctl_take_interrupt();
        status = c->args.follow ? events_follow(&v) : CTL_OK;
    }
    if (v.signal_fd >= 0)
        close(v.signal_fd);
    foster_set_handlers(c->foster, &none);
    json_decref(early);
    json_decref(result);
    return status;
}
