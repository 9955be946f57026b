/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of connections share: an engine that is nothing but its loop, a control plane without a place, methods
 * that do what a test needs, and the other ends of some connections.
 *
 *   hello       answers with the number of the request
 *   status      answers with a text of `lines` bytes
 *   subscribe   subscribes to everything
 *   tree        answers with the number of the request, after all the time that clients have in one turn of the loop
 *   reload      is answered by kit_answer_parked()
 *   shutdown    dooms its own connection
 */
#ifndef FOSTER_TESTS_DAEMON_CLIENT_KIT_H
#define FOSTER_TESTS_DAEMON_CLIENT_KIT_H

#include "daemon/client.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/methods.h"
#include "daemon/parked.h"

#include "sys/sys.h"

#include "unit/daemon/rig.h"

#include <poll.h>
#include <sys/socket.h>

enum { KIT_CLIENTS = 4, KIT_ORDER_MAX = 4096, KIT_TEXT_MAX = 8 << 20, KIT_FDS = 250 };

static struct {
    struct engine engine;
    struct control control;
    struct client *clients[KIT_CLIENTS];
    int fds[KIT_CLIENTS]; /* their peers; owned */
    size_t n;
    int order[KIT_ORDER_MAX];      /* whose request was carried out */
    unsigned turns[KIT_ORDER_MAX]; /* in which turn of the loop */
    size_t n_order;
    json_t *parked_id; /* owned */
    struct client *parked_client;
    size_t n_parked_freed;
    char text[KIT_TEXT_MAX];
    size_t len;
} kit;

static inline int kit_index(const struct client *c)
{
    for (size_t i = 0; i < kit.n; i++)
        if (kit.clients[i] == c)
            return (int)i;
    return -1;
}

static void kit_park(struct client *c, const struct proto_request *req)
{
    json_decref(kit.parked_id);
    kit.parked_id = json_incref(req->id);
    kit.parked_client = c;
    c->n_parked++;
}

void methods_carry_out(struct client *c, const struct proto_request *req)
{
    size_t at = kit.n_order++ % KIT_ORDER_MAX;
    kit.order[at] = kit_index(c);
    kit.turns[at] = ev_iteration(rig.loop);
    if (req->method == PROTO_RELOAD) {
        kit_park(c, req);
        return;
    }
    if (req->method == PROTO_SHUTDOWN) {
        client_doom(c, "asked for");
        return;
    }
    for (int64_t end = sys_now_ms() + CLIENT_TURN_MS; req->method == PROTO_TREE && sys_now_ms() < end;)
        ;
    json_t *result = json_integer((json_int_t)kit.n_order);
    if (req->method == PROTO_SUBSCRIBE) {
        assert_true(feed_subscribe(&c->control->feed, &c->subscriber, NULL));
    } else if (req->method == PROTO_STATUS) {
        size_t len = (size_t)proto_number(req, "lines", 0);
        char *text = malloc(len + 1);
        memset(text, 'x', len);
        json_decref(result);
        result = json_stringn(text, len);
        free(text);
    }
    if (req->id != NULL)
        client_send(c, proto_result(req->id, result));
    else
        json_decref(result);
}

void parked_free_all(struct client *c)
{
    kit.n_parked_freed += c->n_parked;
    c->n_parked = 0;
}

void parked_settle_all(struct control *c)
{
    (void)c;
}

void control_client_gone(struct control *c)
{
    c->n_clients--;
}

/** Answers the request that waits, the way the real one does: it waits no more only behind its answer. */
static inline void kit_answer_parked(void)
{
    client_send(kit.parked_client, proto_result(kit.parked_id, json_true()));
    kit.parked_client->n_parked--;
}

/** One more connection; its number. */
static inline size_t kit_connect(void)
{
    int fds[2];
    assert_true(kit.n < KIT_CLIENTS);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    kit.fds[kit.n] = fds[1];
    kit.clients[kit.n] = client_new(&kit.control, fds[0], 0, 1, true, true);
    assert_non_null(kit.clients[kit.n]);
    return kit.n++;
}

static inline int kit_begin(void **state)
{
    rig_begin(state);
    rig_catch_log(LOG_LEVEL_DEBUG);
    memset(&kit, 0, offsetof(__typeof__(kit), text));
    kit.len = 0;
    kit.engine.loop = rig.loop;
    kit.control.engine = &kit.engine;
    list_init(&kit.control.clients);
    list_init(&kit.control.due);
    feed_init(&kit.control.feed);
    return 0;
}

static inline int kit_end(void **state)
{
    while (!list_is_empty(&kit.control.clients))
        client_free(CONTAINER_OF(kit.control.clients.next, struct client, link));
    feed_done(&kit.control.feed);
    json_decref(kit.parked_id);
    for (size_t i = 0; i < kit.n; i++)
        close(kit.fds[i]);
    assert_int_equal(kit.control.n_clients, 0);
    return rig_end(state);
}

/** The peer of connection I writes LEN bytes, as many as go in; how many did. */
static inline size_t kit_write(size_t i, const char *data, size_t len)
{
    ssize_t n = send(kit.fds[i], data, len, MSG_NOSIGNAL);
    return n > 0 ? (size_t)n : 0;
}

/** The peer of connection I says TEXT. */
static inline void kit_say(size_t i, const char *text)
{
    assert_int_equal(kit_write(i, text, strlen(text)), strlen(text));
}

/** The same, as many descriptors as may come along. */
static inline void kit_say_with_fds(size_t i, char *text)
{
    union {
        char bytes[CMSG_SPACE(KIT_FDS * sizeof(int))];
        struct cmsghdr header;
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec line = {.iov_base = text, .iov_len = strlen(text)};
    struct msghdr m = {.msg_iov = &line, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header.cmsg_len = CMSG_LEN(KIT_FDS * sizeof(int)); /* the descriptors are all 0 */
    assert_int_equal(sendmsg(kit.fds[i], &m, MSG_NOSIGNAL), line.iov_len);
}

/** The peer of connection I asks N times, in one piece. PARAMS is an object. */
static inline void kit_ask_with(size_t i, const char *method, const char *params, int n)
{
    struct buf lines;
    buf_init(&lines, KIT_TEXT_MAX);
    for (int k = 1; k <= n; k++)
        buf_printf(&lines, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":%s}\n", k, method, params);
    kit_say(i, buf_str(&lines));
    buf_done(&lines);
}

static inline void kit_ask(size_t i, const char *method, int n)
{
    kit_ask_with(i, method, "{}", n);
}

/** Takes what is there for the peer of connection I, at most MAX bytes, into kit.text behind what is in it. False at
 * the end of the connection. */
static inline bool kit_read(size_t i, size_t max)
{
    ssize_t n = 1;
    for (size_t total = 0; total < max && n > 0; total += n > 0 ? (size_t)n : 0) {
        size_t room = sizeof kit.text - 1 - kit.len;
        n = read(kit.fds[i], kit.text + kit.len, room < max - total ? room : max - total);
        if (n > 0)
            kit.len += (size_t)n;
    }
    kit.text[kit.len] = '\0';
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/** Lets the loop turn until nothing happens any more, the peer of connection I (-1: nobody) reading all the time.
 * False when its connection has ended. */
static inline bool kit_rest(int i)
{
    bool open = true;
    unsigned quiet = 0;
    for (int n = 0; n < 100000 && quiet < 3; n++) {
        size_t before = kit.len;
        unsigned invoked = rig_turns(1);
        if (i >= 0 && open)
            open = kit_read((size_t)i, sizeof kit.text);
        quiet = invoked > 0 || kit.len > before ? 0 : quiet + 1;
    }
    assert_int_equal(quiet, 3);
    return open;
}

/** Whether connection I has ended on our side. */
static inline bool kit_is_gone(size_t i)
{
    LIST_EACH (it, &kit.control.clients)
        if (CONTAINER_OF(it, struct client, link) == kit.clients[i])
            return false;
    return true;
}

/** How many whole lines there are in kit.text. */
static inline size_t kit_lines(void)
{
    return rig_count(kit.text, "\n");
}

/** Lets the time of stalling pass for connection I. */
static inline void kit_stall(size_t i)
{
    assert_true(ev_is_active(&kit.clients[i]->stall));
    ev_invoke(rig.loop, &kit.clients[i]->stall, EV_TIMER);
}

#endif
