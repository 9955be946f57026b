/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The logger and fosterd. See control.h.
 *
 * DIAGNOSTICS: when fosterd is gone there is nobody to tell anything; the logger then goes on until the last of the
 * pipes has ended. A stream for which there are no descriptors or no memory ends the logger, with 71: see give_way().
 */
#include "logger/control.h"

#include "base/err.h"
#include "base/mem.h"
#include "logger/intake.h"
#include "logger/outlet.h"
#include "logger/serve.h"
#include "sys/ring.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { CONTROL_TEXT_MAX = 512 };

/** A message for which there was no room. */
struct unsent {
    struct list link;
    struct message m; /* its text and event are in `bytes` */
    char bytes[];
};

static void fosterd_is_gone(struct logger *l)
{
    ev_io_stop(l->loop, &l->control_io);
    sys_close_fd(&l->control_fd);
    while (!list_is_empty(&l->unsent)) {
        struct unsent *u = CONTAINER_OF(l->unsent.next, struct unsent, link);
        list_remove(&u->link);
        mem_free(u);
    }
}

static void await(struct logger *l, int events)
{
    ev_io_stop(l->loop, &l->control_io);
    ev_io_set(&l->control_io, l->control_fd, events);
    ev_io_start(l->loop, &l->control_io);
}

/* Keeps M for later. */
static void keep(struct logger *l, const struct message *m)
{
    size_t text = m->text != NULL ? strlen(m->text) + 1 : 0;
    size_t event = m->event != NULL ? strlen(m->event) + 1 : 0;
    struct unsent *u = mem_alloc(sizeof *u + text + event);
    if (u == NULL)
        return;
    *u = (struct unsent){.m = *m};
    if (text > 0)
        u->m.text = memcpy(u->bytes, m->text, text);
    if (event > 0)
        u->m.event = memcpy(u->bytes + text, m->event, event);
    if (list_is_empty(&l->unsent))
        await(l, EV_READ | EV_WRITE);
    list_append(&l->unsent, &u->link);
}

void logger_send(struct logger *l, const struct message *m)
{
    if (l->control_fd < 0)
        return;
    /* In their order. */
    if (!list_is_empty(&l->unsent) || (message_send(l->control_fd, m) < 0 && errno == EAGAIN))
        keep(l, m);
}

static void send_unsent(struct logger *l)
{
    while (!list_is_empty(&l->unsent)) {
        struct unsent *u = CONTAINER_OF(l->unsent.next, struct unsent, link);
        if (message_send(l->control_fd, &u->m) < 0 && errno == EAGAIN)
            return;
        list_remove(&u->link);
        mem_free(u);
    }
    await(l, EV_READ);
}

void logger_say(struct logger *l, const struct stream *s, enum log_level level, const char *event, const char *fmt, ...)
{
    char text[CONTROL_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const struct message m = {.kind = MESSAGE_SAY,
                              .id = s != NULL ? s->id : 0,
                              .level = level,
                              .event = event,
                              .text = text,
                              .fds = {-1, -1}};
    logger_send(l, &m);
}

/* The stream NAME cannot be had by a message, for ERRNUM. Whoever comes after us inherits it from fosterd, and finds
 * all that we were in the middle of; if we went on, nobody would read what the service writes. */
static _Noreturn void give_way(struct logger *l, const char *name, int errnum)
{
    logger_say(l, NULL, LOG_LEVEL_WARN, "log-failing", "output of %s: %s; another logger is to take it over", name,
               err_errno_text(errnum));
    _exit(EX_OSERR);
}

static void open_stream(struct logger *l, struct message *m)
{
    size_t page = ring_page();
    struct logger_stream d = m->stream;
    if (stream_find(l, d.id) != NULL || m->fds[0] < 0 || m->fds[1] < 0)
        return;
    d.ring = ring_map(m->fds[1], logring_head_bytes(d.ring_size, page), d.ring_size);
    if (d.ring == NULL)
        give_way(l, d.name, errno);
    d.pipe_fd = m->fds[0];
    m->fds[0] = -1;
    struct stream *s = stream_new(l, &d);
    if (s == NULL)
        give_way(l, d.name, ENOMEM);
    stream_pump(s);
}

static void answer(struct logger *l, enum message_kind kind, const struct message *m)
{
    const struct message reply = {.kind = kind, .id = m->id, .seq = m->seq, .fds = {-1, -1}};
    logger_send(l, &reply);
}

/* A stream that is not there is as good as closed, or synchronous. */
static void on_message(struct logger *l, struct message *m)
{
    struct stream *s = stream_find(l, m->id);
    switch (m->kind) {
    case MESSAGE_OPEN:
        open_stream(l, m);
        break;
    case MESSAGE_SET:
        if (s != NULL)
            stream_set(s, &m->stream);
        break;
    case MESSAGE_CLOSE:
        if (s == NULL) {
            answer(l, MESSAGE_CLOSED, m);
            break;
        }
        s->closing = true;
        stream_sync(s);
        break;
    case MESSAGE_SYNC:
    case MESSAGE_TAKE:
        if (s != NULL && m->kind == MESSAGE_SYNC)
            stream_sync(s);
        else if (s != NULL)
            intake_drain(l->intake, s);
        outlet_flush(l->outlet);
        answer(l, MESSAGE_SYNCED, m);
        break;
    case MESSAGE_SERVE:
        if (m->fds[0] >= 0 && m->text != NULL)
            serve_begin(l, m->fds[0], m->text);
        m->fds[0] = m->fds[0] >= 0 && m->text != NULL ? -1 : m->fds[0];
        break;
    case MESSAGE_WIDTH:
        l->width = (int)m->seq;
        break;
    case MESSAGE_UP:
    case MESSAGE_CLOSED:
    case MESSAGE_SYNCED:
    case MESSAGE_MATCHED:
    case MESSAGE_SAY:
    case MESSAGE_N:
        break;
    }
    message_close_fds(m);
}

static void on_control(struct ev_loop *loop, struct ev_io *w, int revents)
{
    static struct message_in in;
    struct logger *l = w->data;
    (void)loop;
    if ((revents & EV_WRITE) != 0)
        send_unsent(l);
    bool goes_on = (revents & EV_READ) != 0;
    while (goes_on) {
        int r = message_receive(l->control_fd, &in);
        if (r == 1)
            on_message(l, &in.m);
        else if (r < 0 && errno == EMFILE && in.m.kind == MESSAGE_OPEN)
            give_way(l, in.m.stream.name, EMFILE);
        /* A reset says that it went with words of ours unread; what it said before is still there. */
        goes_on = r == 1 || (r < 0 && (errno == EBADMSG || errno == EMFILE || errno == ECONNRESET));
        if (!goes_on && (r == 0 || errno != EAGAIN))
            fosterd_is_gone(l);
    }
}

void logger_listen(struct logger *l)
{
    ev_io_init(&l->control_io, on_control, l->control_fd, EV_READ);
    l->control_io.data = l;
    ev_io_start(l->loop, &l->control_io);
    const struct message up = {.kind = MESSAGE_UP, .fds = {-1, -1}};
    logger_send(l, &up);
}

void logger_settle(struct logger *l)
{
    while (!list_is_empty(&l->ended)) {
        struct stream *s = CONTAINER_OF(l->ended.next, struct stream, in_ended);
        const struct message m = {.kind = MESSAGE_CLOSED, .id = s->id, .fds = {-1, -1}};
        stream_free(s);
        logger_send(l, &m);
    }
    /* What fails now may never work again, and nobody is there to be told. */
    bool is_out = outlet_is_empty(l->outlet) || l->outlet->trouble_errno != 0;
    if (l->control_fd < 0 && list_is_empty(&l->streams) && is_out)
        ev_break(l->loop, EVBREAK_ALL);
}
