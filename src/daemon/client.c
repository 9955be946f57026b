/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One connection, in turns: some bytes in, a few requests, their replies out. While replies wait to be read nothing
 * more is read, so a client that floods waits for itself. A client is freed by the loop only, never below a call of
 * its own.
 *
 * DIAGNOSTICS: why a connection has ended, at level debug.
 */
#include "daemon/client.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/methods.h"
#include "daemon/parked.h"
#include "sys/sys.h"
#include "sys/usock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    /* Of one client, between which everybody else has a turn. */
    CLIENT_READ_MAX = 16 << 10,
    CLIENT_REQUESTS_A_TURN = 8,
    /* One reply may be larger than CLIENT_UNREAD_MAX: the status of 16,384 units has some 10 MiB. */
    CLIENT_OUT_MAX = 64 << 20,
    /* Events wait for the next turn of the loop until so much of them has come together. */
    CLIENT_FLUSH_AT = 32 << 10,
    /* What is kept of the memory of a large reply. */
    CLIENT_OUT_KEEP = 64 << 10,
};

static const char client_no_memory[] = "no memory for a message";

static struct ev_loop *client_loop(const struct client *c)
{
    return c->control->engine->loop;
}

/* Goes on with C in the next turn of the loop. */
static void client_again(struct client *c)
{
    if (!ev_is_active(&c->more))
        ev_timer_start(client_loop(c), &c->more);
}

void client_doom(struct client *c, const char *why)
{
    if (c->doomed)
        return;
    c->doomed = true;
    log_debug("control connection of uid %lu, process %d, ends: %s", (unsigned long)c->uid, (int)c->pid, why);
    ev_io_stop(client_loop(c), &c->io);
    ev_io_stop(client_loop(c), &c->hangup_io);
    ev_timer_stop(client_loop(c), &c->stall);
    client_again(c);
}

/* The timer runs while one thing is waited for, and begins anew with the next thing: another line, or the rest of a
 * reply part of which was read. */
static void client_watch_stall(struct client *c)
{
    enum client_stall stall = CLIENT_CALM;
    if (client_unread(c) > 0)
        stall = CLIENT_UNREAD;
    else if (!c->no_more_input && proto_is_within_line(&c->reader))
        stall = CLIENT_WITHIN_LINE;
    if (stall == c->stalled_by && !c->has_moved)
        return;
    c->stalled_by = stall;
    c->has_moved = false;
    ev_timer_stop(client_loop(c), &c->stall);
    if (stall == CLIENT_CALM)
        return;
    c->in_kernel = stall == CLIENT_UNREAD ? usock_unread(c->fd) : 0;
    ev_timer_set(&c->stall, CLIENT_STALL_S, 0.);
    ev_timer_start(client_loop(c), &c->stall);
}

/* Has the loop wait for what comes next: that it reads, or, while nothing waits for it, that it asks. */
static void client_rearm(struct client *c)
{
    int events = EV_READ;
    if (client_unread(c) > 0)
        events = EV_WRITE;
    else if (c->no_more_input || ev_is_active(&c->more))
        events = 0;
    if (events == 0 || (c->io.events & (EV_READ | EV_WRITE)) != events)
        ev_io_stop(client_loop(c), &c->io);
    if (events != 0 && !ev_is_active(&c->io)) {
        ev_io_set(&c->io, c->fd, events);
        ev_io_start(client_loop(c), &c->io);
    }
    client_watch_stall(c);
}

/* Frees what has been sent, without moving the rest more often than it is long. */
static void client_tidy(struct client *c)
{
    if (client_unread(c) == 0) {
        c->sent = 0;
        buf_reset(&c->out);
        if (c->out.cap > CLIENT_OUT_KEEP)
            buf_done(&c->out);
    } else if (c->sent > c->out.len / 2) {
        buf_consume(&c->out, c->sent);
        c->sent = 0;
    }
}

static void client_flush(struct client *c)
{
    while (!c->doomed && client_unread(c) > 0) {
        ssize_t n = sys_sendto(c->fd, c->out.data + c->sent, client_unread(c), MSG_NOSIGNAL, NULL, 0);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            client_doom(c, err_errno_text(errno));
            return;
        }
        c->sent += (size_t)n;
        c->has_moved = c->has_moved || c->stalled_by == CLIENT_UNREAD;
    }
    client_tidy(c);
}

/* Whether it is C's turn. All clients together have a little time in each turn of the loop, and who did not get any of
 * it comes first in the next: many with dear requests hold up supervision no longer than one. */
static bool client_has_turn(struct client *c)
{
    struct control *all = c->control;
    int64_t now = sys_now_ms();
    if (all->turn_ends_ms == 0 || all->turn != ev_iteration(client_loop(c))) {
        all->turn = ev_iteration(client_loop(c));
        all->turn_ends_ms = now + CLIENT_TURN_MS;
    }
    return now < all->turn_ends_ms && (list_is_empty(&all->due) || all->due.next == &c->in_due);
}

/* Whether one more message may wait for C, which does not live on when not. */
static bool client_has_room(struct client *c)
{
    if (!c->doomed && client_unread(c) >= CLIENT_UNREAD_MAX)
        client_doom(c, "it does not read");
    return !c->doomed;
}

/* Writes what waits. WAITED: something has waited before the last message was added. */
static void client_push(struct client *c, bool waited)
{
    client_flush(c);
    if (c->doomed)
        return;
    /* This may have been the last thing that it was owed, or what its next request has waited for. */
    if (c->no_more_input || (waited && client_unread(c) == 0))
        client_again(c);
    client_rearm(c);
}

/* MESSAGE, or an error in place of a large one while very much waits for all clients together. Takes MESSAGE over. */
static json_t *client_afford(const struct client *c, json_t *message)
{
    size_t unread = 0;
    LIST_EACH (it, &c->control->clients)
        unread += client_unread(CONTAINER_OF(it, struct client, link));
    if (message == NULL || unread < CLIENT_UNREAD_ALL_MAX ||
        json_dumpb(message, NULL, 0, JSON_COMPACT) <= CLIENT_UNREAD_MAX)
        return message;
    json_t *reply = proto_error(json_object_get(message, "id"), PROTO_TOO_MANY, NULL,
                                "other clients do not read their answers, and there is no room for one more so large; "
                                "try again, or ask for fewer services");
    json_decref(message);
    return reply;
}

void client_send(struct client *c, json_t *message)
{
    bool waited = client_unread(c) > 0;
    message = client_afford(c, message);
    if (client_has_room(c) && (message == NULL || !proto_write(message, &c->out)))
        client_doom(c, client_no_memory);
    json_decref(message);
    if (!c->doomed)
        client_push(c, waited);
}

/* Whoever reports something has better to do than to write to sockets: the loop does, when everything else is done,
 * unless so much comes together before that it would look as if nobody read it. */
static void client_on_event(struct feed_subscriber *s, const char *line, size_t len)
{
    struct client *c = CONTAINER_OF(s, struct client, subscriber);
    bool waited = client_unread(c) > 0;
    if (!client_has_room(c))
        return;
    if (line == NULL || !buf_add(&c->out, line, len))
        client_doom(c, client_no_memory);
    else if (!waited)
        client_again(c);
    else if (client_unread(c) >= CLIENT_FLUSH_AT && ev_is_active(&c->more))
        client_push(c, waited);
}

/* Nothing more can come in, and nothing is owed. */
static bool client_is_over(const struct client *c)
{
    bool is_owed = c->n_parked > 0 || !list_is_empty(&c->subscriber.link);
    return c->no_more_input && client_unread(c) == 0 && (c->is_refused || !is_owed);
}

/* Its side is shut down, or all of it: a socket that is at its end stays readable, so only a hang-up is waited for. */
static void client_input_ended(struct client *c)
{
    c->no_more_input = true;
    if (client_is_over(c)) {
        client_doom(c, "closed by its peer");
        return;
    }
    /* Without that, the next message that cannot be sent tells. */
    if (!usock_await_hangup(c->fd, &c->hangup_fd))
        return;
    ev_io_set(&c->hangup_io, c->hangup_fd, EV_READ);
    ev_io_start(client_loop(c), &c->hangup_io);
}

static void client_read(struct client *c)
{
    static char chunk[CLIENT_READ_MAX];
    struct err e = {0};
    ssize_t n = sys_read(c->fd, chunk, sizeof chunk);
    if (n < 0 && errno != EAGAIN)
        client_doom(c, err_errno_text(errno));
    else if (n == 0)
        client_input_ended(c);
    else if (n > 0 && !proto_feed(&c->reader, chunk, (size_t)n, &e)) {
        c->no_more_input = true;
        c->refusal = e.kind == ERR_LIMIT ? PROTO_NO_REQUEST : PROTO_INTERNAL;
    }
}

static void client_request(struct client *c, const char *line, size_t len)
{
    struct proto_request req = {0};
    json_t *reply = NULL;
    if (proto_parse(line, len, &req, &reply)) {
        methods_carry_out(c, &req);
        proto_request_done(&req);
    } else if (reply != NULL) {
        client_send(c, reply);
    }
}

/* What could not be taken in comes behind all that could. */
static void client_refuse(struct client *c)
{
    const char *text = c->refusal == PROTO_NO_REQUEST ? "the line is longer than 64 KiB; send shorter ones"
                                                      : "no memory for the line; try again later";
    c->is_refused = true;
    client_send(c, proto_error(NULL, c->refusal, NULL, "%s", text));
}

/* Carries out a few requests. False when there are no more whole lines, or C must read first. */
static bool client_take_turn(struct client *c)
{
    const char *line;
    size_t len;
    for (int n = 0; n < CLIENT_REQUESTS_A_TURN && sys_now_ms() < c->control->turn_ends_ms; n++) {
        if (c->doomed || client_unread(c) > 0)
            return false;
        if (!proto_line(&c->reader, &line, &len)) {
            if (c->refusal != 0 && !c->is_refused)
                client_refuse(c);
            return false;
        }
        c->has_moved = c->has_moved || c->stalled_by == CLIENT_WITHIN_LINE;
        client_request(c, line, len);
    }
    return true;
}

static void client_work(struct client *c)
{
    bool more = true;
    if (client_has_turn(c)) {
        list_remove(&c->in_due);
        more = client_take_turn(c);
    }
    if (!c->doomed && more) {
        if (list_is_empty(&c->in_due))
            list_append(&c->control->due, &c->in_due);
        client_again(c);
    } else if (!c->doomed && client_is_over(c)) {
        client_doom(c, "everything is answered");
    }
    if (!c->doomed)
        client_rearm(c);
}

static void client_on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct client *c = w->data;
    if (client_unread(c) > 0)
        client_flush(c);
    else
        client_read(c);
    client_work(c);
}

static void client_on_hangup(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    client_doom(w->data, "gone");
}

static void client_on_more(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct client *c = w->data;
    ev_timer_stop(loop, w);
    if (c->doomed) {
        client_free(c);
        return;
    }
    client_flush(c);
    client_work(c);
}

static void client_on_stall(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct client *c = w->data;
    ev_timer_stop(loop, w);
    /* It may read too slowly for us to have written more. */
    if (c->stalled_by == CLIENT_UNREAD && usock_unread(c->fd) < c->in_kernel) {
        c->has_moved = true;
        client_watch_stall(c);
        return;
    }
    client_doom(c, c->stalled_by == CLIENT_UNREAD ? "it has read nothing for 10 s" : "its line does not end");
}

static void client_init_watchers(struct client *c)
{
    ev_io_init(&c->io, client_on_io, c->fd, EV_READ);
    ev_io_init(&c->hangup_io, client_on_hangup, -1, EV_READ);
    ev_timer_init(&c->stall, client_on_stall, CLIENT_STALL_S, 0.);
    ev_timer_init(&c->more, client_on_more, 0., 0.);
    ev_set_priority(&c->io, EV_MINPRI);
    ev_set_priority(&c->hangup_io, EV_MINPRI);
    ev_set_priority(&c->stall, EV_MINPRI);
    ev_set_priority(&c->more, EV_MINPRI);
    c->io.data = c->hangup_io.data = c->stall.data = c->more.data = c;
}

struct client *client_new(struct control *control, int fd, uid_t uid, pid_t pid, bool may_look, bool may_act)
{
    struct client *c = mem_alloc(sizeof *c);
    if (c == NULL) {
        sys_close(fd);
        return NULL;
    }
    *c = (struct client){
        .control = control,
        .fd = fd,
        .hangup_fd = -1,
        .uid = uid,
        .pid = pid,
        .may_look = may_look,
        .may_act = may_act,
        .subscriber.on_event = client_on_event,
    };
    list_init(&c->in_due);
    list_init(&c->parked);
    list_init(&c->subscriber.link);
    proto_reader_init(&c->reader);
    buf_init(&c->out, CLIENT_OUT_MAX);
    client_init_watchers(c);
    list_append(&control->clients, &c->link);
    control->n_clients++;
    ev_io_start(client_loop(c), &c->io);
    return c;
}

void client_free(struct client *c)
{
    client_flush(c);
    feed_unsubscribe(&c->subscriber);
    parked_free_all(c);
    ev_io_stop(client_loop(c), &c->io);
    ev_io_stop(client_loop(c), &c->hangup_io);
    ev_timer_stop(client_loop(c), &c->stall);
    ev_timer_stop(client_loop(c), &c->more);
    sys_close_fd(&c->hangup_fd);
    sys_close_fd(&c->fd);
    proto_reader_done(&c->reader);
    buf_done(&c->out);
    list_remove(&c->in_due);
    list_remove(&c->link);
    control_client_gone(c->control);
    mem_free(c);
}
