/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * libfoster in somebody's libev loop: it says when it wants to write, and everything comes through the handlers.
 */
#include "unit/client/kit.h"

#include <ev.h>

enum { REQUESTS = 200 };

/* A program with one connection, and the daemon beside it in the same loop. */
struct program {
    struct kit k;
    struct ev_io client;
    struct ev_io server;
    struct ev_timer guard;
    int n_replies, n_events, n_heard;
    bool closed;
    bool has_waited; /* it wanted to write once */
};

static void watch_client(struct ev_loop *loop, struct program *p)
{
    short wanted = foster_events(p->k.f);
    int events = ((wanted & POLLIN) != 0 ? EV_READ : 0) | ((wanted & POLLOUT) != 0 ? EV_WRITE : 0);
    p->has_waited = p->has_waited || (wanted & POLLOUT) != 0;
    ev_io_stop(loop, &p->client);
    ev_io_set(&p->client, foster_fd(p->k.f), events);
    ev_io_start(loop, &p->client);
}

static void on_client(struct ev_loop *loop, struct ev_io *w, int revents)
{
    struct program *p = w->data;
    struct foster_error e;
    (void)revents;
    if (foster_dispatch(p->k.f, &e)) {
        watch_client(loop, p);
        return;
    }
    p->closed = e.kind == FOSTER_ERR_CLOSED;
    ev_break(loop, EVBREAK_ALL);
}

/* The daemon answers each line with an event and a reply, and hangs up after the last. */
static void on_server(struct ev_loop *loop, struct ev_io *w, int revents)
{
    struct program *p = w->data;
    char chunk[4096], text[128];
    ssize_t n = recv(p->k.fd, chunk, sizeof chunk, MSG_DONTWAIT);
    (void)revents;
    for (ssize_t i = 0; i < n; i++) {
        if (chunk[i] != '\n')
            continue;
        p->n_heard++;
        snprintf(text, sizeof text, "{\"method\":\"event\",\"params\":{}}\n{\"id\":%d,\"result\":{}}\n",
                 2 * p->n_heard);
        kit_say(&p->k, text);
    }
    if (p->n_heard == REQUESTS) {
        ev_io_stop(loop, w);
        kit_hang_up(&p->k);
    }
}

static void on_notification(struct foster *f, const char *method, const char *params, void *data)
{
    (void)f, (void)params;
    assert_string_equal(method, "event");
    ((struct program *)data)->n_events++;
}

static void on_reply(struct foster *f, int64_t id, const char *result, const struct foster_error *error,
                     const char *error_data, void *data)
{
    struct program *p = data;
    (void)f, (void)error, (void)error_data;
    assert_string_equal(result, "{}");
    assert_int_equal(id, 2 * ++p->n_replies);
}

static void on_guard(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop, (void)w, (void)revents;
    fail_msg("nothing happens any more");
}

static void everything_comes_by_the_loop(void **state)
{
    static char params[8000];
    static struct program p;
    struct foster_error e;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    const struct foster_handlers handlers = {on_notification, on_reply, &p};
    (void)state;
    assert_non_null(loop);
    kit_listen(&p.k);
    kit_connect(&p.k);
    foster_set_handlers(p.k.f, &handlers);
    snprintf(params, sizeof params, "{\"a\":\"%0*d\"}", (int)sizeof params - 16, 0);
    ev_io_init(&p.client, on_client, foster_fd(p.k.f), EV_READ);
    ev_io_init(&p.server, on_server, p.k.fd, EV_READ);
    ev_timer_init(&p.guard, on_guard, KIT_GUARD_MS / 1000., 0.);
    p.client.data = p.server.data = &p;
    ev_io_start(loop, &p.server);
    ev_timer_start(loop, &p.guard);
    for (int i = 0; i < REQUESTS; i++)
        while (foster_send(p.k.f, "m", params, &e) < 0) {
            assert_int_equal(e.errnum, EAGAIN);
            watch_client(loop, &p);
            ev_run(loop, EVRUN_ONCE);
        }
    watch_client(loop, &p);
    ev_run(loop, 0);
    assert_true(p.closed);
    assert_true(p.has_waited);
    assert_int_equal(p.n_heard, REQUESTS);
    assert_int_equal(p.n_replies, REQUESTS);
    assert_int_equal(p.n_events, REQUESTS);
    ev_loop_destroy(loop);
    kit_done(&p.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_by_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
