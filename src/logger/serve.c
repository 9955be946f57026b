/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Clients that read lines. Each has a position in each stream that it wants and nothing else: what it has not read yet
 * lies in the rings. What it reads is taken from them when its socket has room, oldest line first, some lines a turn of
 * the loop.
 *
 * DIAGNOSTICS: none; whoever is too slow is told what it has missed, by `gap`.
 */
#include "logger/serve.h"

#include "base/mem.h"
#include "core/proto.h"
#include "logger/intake.h"
#include "logger/loop.h"
#include "logger/serve_impl.h"
#include "sys/sys.h"
#include "sys/sys_net.h"
#include "sys/sys_time.h"
#include "sys/usock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

enum {
    SERVE_VIEWERS_MAX = 64,
    SERVE_LINES_A_TURN = 200,
    SERVE_OUT_FULL = 64 << 10, /* no line is put behind so much that waits to be read */
    SERVE_OUT_MAX = 16 << 20,  /* the reply tells of every stream */
    SERVE_OUT_KEEP = 256 << 10,
};

/** All clients. */
struct server {
    struct logger *logger; /* borrowed */
    struct list viewers;   /* of struct viewer.link */
    unsigned n;
    uint64_t newest; /* id of the newest stream that ever had bytes while somebody followed */
    struct ev_timer partials;
    struct logline_clock clock;
};

/** One client. */
struct viewer {
    struct server *server; /* borrowed */
    struct list link;
    int fd; /* owned */
    struct ev_io io;
    int hangup_fd; /* owned; readable when its peer is wholly gone; -1 while that can be seen by reading */
    struct ev_io hangup_io;
    struct ev_timer turn;
    struct serve_wish wish; /* owned */
    bool has_caught_up;     /* it was told that it has seen all that was there when it asked */
    bool no_more_input;     /* its peer says nothing more */
    bool is_over;           /* the end was put behind what waits to be read */
    uint64_t newest;        /* of server->newest, when it was looked for new streams */
    struct cursor *cursors; /* owned; by the streams' ids */
    size_t n, cap;
    struct buf out;
    size_t sent; /* bytes at the front of out that were written */
};

static struct ev_loop *loop_of(const struct viewer *v)
{
    return v->server->logger->loop;
}

static size_t unread(const struct viewer *v)
{
    return v->out.len - v->sent;
}

static void free_viewer(struct viewer *v)
{
    ev_io_stop(loop_of(v), &v->io);
    ev_io_stop(loop_of(v), &v->hangup_io);
    ev_timer_stop(loop_of(v), &v->turn);
    sys_close_fd(&v->hangup_fd);
    sys_close_fd(&v->fd);
    list_remove(&v->link);
    v->server->n--;
    serve_wish_done(&v->wish);
    buf_done(&v->out);
    mem_free(v->cursors);
    mem_free(v);
}

/* Writes what can be written. False when nobody is there to read it. */
static bool flush(struct viewer *v)
{
    while (unread(v) > 0) {
        ssize_t n = sys_sendto(v->fd, v->out.data + v->sent, unread(v), MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
            return true;
        if (n < 0)
            return false;
        v->sent += (size_t)n;
    }
    v->sent = 0;
    buf_reset(&v->out);
    if (v->out.cap > SERVE_OUT_KEEP)
        buf_done(&v->out);
    return true;
}

/* Puts MESSAGE (taken over; NULL: there was no memory for it). A failure shows in v->out. */
static void put_message(struct viewer *v, json_t *message)
{
    if (message == NULL || !proto_write(message, &v->out))
        v->out.failed = true;
    json_decref(message);
}

static void put_notice(struct viewer *v, const char *method)
{
    put_message(v, proto_notification(method, json_object()));
}

/* Where V reads S from now on; keeps the order. NULL without memory. */
static struct cursor *add_cursor(struct viewer *v, struct stream *s)
{
    size_t at = v->n;
    if (!mem_grow(&v->cursors, &v->cap, v->n + 1, sizeof *v->cursors))
        return NULL;
    while (at > 0 && v->cursors[at - 1].stream->id > s->id)
        at--;
    memmove(v->cursors + at + 1, v->cursors + at, (v->n - at) * sizeof *v->cursors);
    v->cursors[at] = (struct cursor){.stream = s};
    v->n++;
    return &v->cursors[at];
}

/* Streams that have come into being since V looked last. */
static void meet_new_streams(struct viewer *v)
{
    LIST_EACH (it, &v->server->logger->streams) {
        struct stream *s = CONTAINER_OF(it, struct stream, link);
        if (s->id <= v->newest || s->id > v->server->newest || !serve_wish_has(&v->wish, s))
            continue;
        struct cursor *c = add_cursor(v, s);
        put_message(v, c != NULL ? proto_notification("new", serve_stream(c)) : NULL);
    }
    v->newest = v->server->newest;
}

/* Of the pieces that are next, the one that came first; NULL when there is none. */
static struct cursor *first_piece(struct viewer *v, bool *ret_waits)
{
    struct cursor *first = NULL;
    int64_t now_us = sys_unix_us();
    *ret_waits = false;
    for (size_t i = 0; i < v->n; i++) {
        struct cursor *c = &v->cursors[i];
        cursor_look(c, v->wish.follow, now_us);
        *ret_waits = *ret_waits || c->waits;
        if (c->n > 0 && (first == NULL || c->us < first->us))
            first = c;
    }
    return first;
}

/* The beginning of a line that has no end yet is looked at again when it is old enough. */
static void await_partial(struct server *srv)
{
    if (!ev_is_active(&srv->partials))
        loop_arm(srv->logger->loop, &srv->partials, (double)SERVE_PARTIAL_US / 1e6);
}

/* Whether V has seen all that was there when it asked. */
static bool has_all(const struct viewer *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->cursors[i].at < v->cursors[i].until && !v->cursors[i].waits)
            return false;
    return true;
}

/* Puts some lines for V to read. Whether there are more. */
static bool fill(struct viewer *v)
{
    struct cursor *c = NULL;
    bool waits = false;
    if (v->wish.follow && v->newest < v->server->newest)
        meet_new_streams(v);
    for (size_t i = 0; i < v->n; i++)
        cursor_skip_lost(&v->cursors[i], v->wish.follow, &v->out);
    for (int n = 0; n < SERVE_LINES_A_TURN && unread(v) < SERVE_OUT_FULL; n++) {
        c = first_piece(v, &waits);
        if (c == NULL)
            break;
        cursor_put(c, &v->server->clock, &v->out);
    }
    if (waits)
        await_partial(v->server);
    if (v->wish.follow && !v->has_caught_up && has_all(v)) {
        v->has_caught_up = true;
        put_notice(v, "live");
    }
    if (!v->wish.follow && c == NULL) {
        v->is_over = true;
        put_notice(v, "end");
    }
    return c != NULL;
}

/* Waits for what comes next. MORE: there are lines, and room for them. */
static void await(struct viewer *v, bool more)
{
    int events = (v->no_more_input ? 0 : EV_READ) | (unread(v) > 0 ? EV_WRITE : 0);
    if ((v->io.events & (EV_READ | EV_WRITE)) != events || events == 0)
        ev_io_stop(loop_of(v), &v->io);
    if (events != 0 && !ev_is_active(&v->io)) {
        ev_io_set(&v->io, v->fd, events);
        ev_io_start(loop_of(v), &v->io);
    }
    if (more && unread(v) == 0 && !ev_is_active(&v->turn))
        ev_timer_start(loop_of(v), &v->turn);
}

/* Goes on with V, who may be gone behind this. */
static void work(struct viewer *v)
{
    bool alive = !v->out.failed && flush(v), more = true;
    if (alive && unread(v) == 0 && !v->is_over) {
        more = fill(v);
        alive = !v->out.failed && flush(v);
    }
    if (!alive || (v->is_over && unread(v) == 0))
        free_viewer(v);
    else
        await(v, more);
}

static void on_turn(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    work(w->data);
}

/* What it says is passed over. One that only has shut its side down may still read. False when it is gone. */
static bool listen_to(struct viewer *v)
{
    char junk[512];
    ssize_t n = sys_read(v->fd, junk, sizeof junk);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return true;
    v->no_more_input = true;
    if (n < 0 || !usock_await_hangup(v->fd, &v->hangup_fd))
        return false;
    ev_io_set(&v->hangup_io, v->hangup_fd, EV_READ);
    ev_io_start(loop_of(v), &v->hangup_io);
    return true;
}

static void on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
    struct viewer *v = w->data;
    (void)loop;
    if ((revents & EV_READ) != 0 && !listen_to(v))
        free_viewer(v);
    else
        work(v);
}

static void on_hangup(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    free_viewer(w->data);
}

static void on_partials(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct server *srv = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    LIST_EACH (it, &srv->viewers)
        await(CONTAINER_OF(it, struct viewer, link), true);
}

static struct server *server_of(struct logger *l)
{
    struct server *srv = l->server != NULL ? l->server : mem_alloc(sizeof *srv);
    if (srv == NULL || srv == l->server)
        return srv;
    *srv = (struct server){.logger = l};
    list_init(&srv->viewers);
    ev_timer_init(&srv->partials, on_partials, 0., 0.);
    srv->partials.data = srv;
    return l->server = srv;
}

/* Takes FD over in any case. NULL without memory. */
static struct viewer *new_viewer(struct logger *l, int fd)
{
    struct server *srv = server_of(l);
    struct viewer *v = srv != NULL ? mem_alloc(sizeof *v) : NULL;
    if (v == NULL) {
        sys_close(fd);
        return NULL;
    }
    *v = (struct viewer){.server = srv, .fd = fd, .hangup_fd = -1};
    buf_init(&v->out, SERVE_OUT_MAX);
    ev_io_init(&v->io, on_io, fd, EV_READ);
    ev_io_init(&v->hangup_io, on_hangup, -1, EV_READ);
    ev_timer_init(&v->turn, on_turn, 0., 0.);
    v->io.data = v->hangup_io.data = v->turn.data = v;
    list_append(&srv->viewers, &v->link);
    srv->n++;
    return v;
}

/* The streams that V wants, and where it reads each of them from. NULL without memory. */
static json_t *choose_streams(struct viewer *v)
{
    json_t *streams = json_array();
    LIST_EACH (it, &v->server->logger->streams) {
        struct stream *s = CONTAINER_OF(it, struct stream, link);
        if (s->id > v->newest)
            v->newest = s->id;
        if (!serve_wish_has(&v->wish, s))
            continue;
        /* Whoever asks behind a write finds what was written. */
        intake_drain(v->server->logger->intake, s);
        struct cursor *c = add_cursor(v, s);
        if (c == NULL || json_array_append_new(streams, cursor_begin(c, &v->wish)) != 0) {
            json_decref(streams);
            return NULL;
        }
    }
    if (v->newest > v->server->newest)
        v->server->newest = v->newest;
    return streams;
}

void serve_begin(struct logger *l, int fd, const char *text)
{
    struct viewer *v = new_viewer(l, fd);
    json_t *request = v != NULL ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
    const json_t *id = json_object_get(request, "id");
    if (v == NULL)
        return;
    if (v->server->n > SERVE_VIEWERS_MAX) {
        put_message(v, proto_error(id, PROTO_TOO_MANY, NULL, "%d clients read logs already; end one of them",
                                   SERVE_VIEWERS_MAX));
        v->is_over = true;
    } else {
        serve_wish_init(&v->wish, request);
        put_message(v, proto_result(id, json_pack("{s:o}", "streams", choose_streams(v))));
    }
    json_decref(request);
    if (v->out.failed)
        free_viewer(v);
    else
        work(v);
}

void serve_on_bytes(struct stream *s)
{
    struct server *srv = s->logger->server;
    if (srv == NULL || srv->n == 0)
        return;
    if (s->id > srv->newest)
        srv->newest = s->id;
    LIST_EACH (it, &srv->viewers) {
        struct viewer *v = CONTAINER_OF(it, struct viewer, link);
        if (v->wish.follow)
            await(v, true);
    }
}

/* Puts all that is left of C for V to read, as far as V has room. */
static void put_rest(struct viewer *v, struct cursor *c)
{
    cursor_skip_lost(c, v->wish.follow, &v->out);
    for (cursor_look(c, false, 0); c->n > 0 && unread(v) < SERVE_OUT_FULL; cursor_look(c, false, 0))
        cursor_put(c, &v->server->clock, &v->out);
    cursor_give_up(c, &v->out);
}

void serve_forget(struct stream *s)
{
    struct server *srv = s->logger->server;
    if (srv == NULL)
        return;
    LIST_EACH (it, &srv->viewers) {
        struct viewer *v = CONTAINER_OF(it, struct viewer, link);
        if (v->wish.follow && v->newest < srv->newest)
            meet_new_streams(v);
        for (size_t i = 0; i < v->n; i++) {
            if (v->cursors[i].stream != s)
                continue;
            if (v->wish.follow)
                v->cursors[i].until = s->ring.head->end;
            put_rest(v, &v->cursors[i]);
            memmove(v->cursors + i, v->cursors + i + 1, (--v->n - i) * sizeof *v->cursors);
            /* Nothing is written below a call of the stream's. */
            if (!ev_is_active(&v->turn))
                ev_timer_start(loop_of(v), &v->turn);
        }
    }
}

void serve_end(struct logger *l)
{
    struct server *srv = l->server;
    if (srv == NULL)
        return;
    while (!list_is_empty(&srv->viewers)) {
        struct viewer *v = CONTAINER_OF(srv->viewers.next, struct viewer, link);
        if (!v->is_over)
            put_notice(v, "end");
        /* Whoever does not read now does not learn that this was the end. */
        (void)flush(v);
        free_viewer(v);
    }
    ev_timer_stop(l->loop, &srv->partials);
    mem_free(srv);
    l->server = NULL;
}
