/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Probes against real sockets of this test, which is the other side itself: it accepts, answers, hangs and hangs up as
 * each case wants. Commands go to a helper that is made up here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/version.h"
#include "daemon/engine.h"
#include "daemon/helper.h"
#include "daemon/probe.h"
#include "sys/sys.h"

#include "unit/daemon/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { LONG_MS = 60000, BRIEF_MS = 20 };

static struct engine engine;
static struct engine_unit unit = {.engine = &engine};

/* What the owner was told. */
static struct {
    unsigned n;
    bool ok;
    char text[PROBE_TEXT_MAX];
    char output[PROBE_OUTPUT_MAX + 1];
    size_t n_output;
} told;

static struct probe *probe;

static void on_done(const struct probe_result *r, void *data)
{
    told.n++;
    told.ok = r->ok && data == &told;
    snprintf(told.text, sizeof told.text, "%s", r->text);
    told.n_output = r->n_output;
    memcpy(told.output, r->output, r->n_output < PROBE_OUTPUT_MAX ? r->n_output : PROBE_OUTPUT_MAX);
    told.output[r->n_output < PROBE_OUTPUT_MAX ? r->n_output : PROBE_OUTPUT_MAX] = '\0';
}

/* ------------------------------------------------------------------ the other side */

static struct {
    int listener;
    int peer;
    unsigned port;
} server;

static int setup(void **state)
{
    if (rig_begin(state) != 0)
        return -1;
    engine.loop = rig.loop;
    memset(&told, 0, sizeof told);
    probe = NULL;
    server.listener = server.peer = -1;
    return 0;
}

static int teardown(void **state)
{
    if (server.listener >= 0)
        close(server.listener);
    if (server.peer >= 0)
        close(server.peer);
    return rig_end(state);
}

/* A socket bound to PORT (0: any) of ADDRESS, and its port; -1 where there is no such address. */
static int bind_to(const char *address, unsigned port, unsigned *ret_port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
    struct sockaddr *to = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t len = is_v6 ? sizeof v6 : sizeof v4;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!is_v6)
        assert_int_equal(inet_pton(AF_INET, address, &v4.sin_addr), 1);
    if (fd < 0 || bind(fd, to, len) != 0 || getsockname(fd, to, &len) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *ret_port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
    return fd;
}

static void serve(const char *address)
{
    server.listener = bind_to(address, 0, &server.port);
    assert_true(server.listener >= 0);
    assert_int_equal(listen(server.listener, 8), 0);
}

static void accept_peer(void)
{
    server.peer = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(server.peer >= 0);
}

static void say(const char *text)
{
    assert_int_equal(send(server.peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void hang_up(void)
{
    close(server.peer);
    server.peer = -1;
}

/* ------------------------------------------------------------------ this side */

static bool begin_err(enum spec_probe_kind kind, const char *host, const char *path, int64_t timeout_ms,
                      bool want_output, struct err *e)
{
    const struct spec_probe spec = {.kind = kind,
                                    .endpoint = {.text = "-", .host = host, .port = server.port, .path = path}};
    const struct probe_request req = {
        .probe = &spec,
        .what = "healthcheck",
        .timeout_ms = timeout_ms,
        .want_output = want_output,
        .done = on_done,
        .data = &told,
    };
    bool ok = probe_start(&unit, &req, &probe, e);
    /* Never before it has returned. */
    assert_int_equal(told.n, 0);
    return ok;
}

static void begin(enum spec_probe_kind kind, const char *host, int64_t timeout_ms)
{
    struct err e = {0};
    if (!begin_err(kind, host, kind == SPEC_PROBE_HTTP ? "/healthz?x=1" : NULL, timeout_ms, true, &e))
        fail_msg("%s", e.text);
}

static bool is_told(void *data)
{
    (void)data;
    return told.n > 0;
}

/* The port in a text that a case expects. */
static const char *with_port(const char *format)
{
    static char text[PROBE_TEXT_MAX];
    const char *at = strstr(format, "PORT");
    snprintf(text, sizeof text, at != NULL ? "%.*s%u%s" : "%.*s", at != NULL ? (int)(at - format) : (int)strlen(format),
             format, server.port, at != NULL ? at + 4 : "");
    return text;
}

static void expect(bool ok, const char *text)
{
    rig_run_until(is_told, NULL);
    assert_int_equal(told.n, 1);
    assert_string_equal(told.text, with_port(text));
    assert_int_equal(told.ok, ok);
    /* Nothing of it goes on. */
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(told.n, 1);
}

static bool request_has_come(void *data)
{
    char *request = data;
    size_t len = strlen(request);
    ssize_t n = recv(server.peer, request + len, RIG_PATH_MAX - 1 - len, MSG_DONTWAIT);
    request[len + (n > 0 ? (size_t)n : 0)] = '\0';
    return strstr(request, "\r\n\r\n") != NULL;
}

/* Begins an HTTP probe whose request has been read; what was asked. */
static const char *ask(int64_t timeout_ms)
{
    static char request[RIG_PATH_MAX];
    request[0] = '\0';
    serve("127.0.0.1");
    begin(SPEC_PROBE_HTTP, "127.0.0.1", timeout_ms);
    accept_peer();
    rig_run_until(request_has_come, request);
    assert_int_equal(told.n, 0);
    return request;
}

/* ------------------------------------------------------------------ tests: tcp */

static void test_tcp(void **state)
{
    (void)state;
    serve("127.0.0.1");
    begin(SPEC_PROBE_TCP, "127.0.0.1", LONG_MS);
    expect(true, "127.0.0.1:PORT accepts connections");
    assert_int_equal(told.n_output, 0);
}

static void test_tcp_refused(void **state)
{
    (void)state;
    /* Bound, so that nobody else gets the port, but deaf. */
    server.listener = bind_to("127.0.0.1", 0, &server.port);
    begin(SPEC_PROBE_TCP, "127.0.0.1", LONG_MS);
    expect(false, "connect 127.0.0.1:PORT: Connection refused");
}

static void test_tcp_of_ipv6(void **state)
{
    (void)state;
    server.listener = bind_to("::1", 0, &server.port);
    if (server.listener < 0) {
        print_message("SKIP: there is no IPv6 here\n");
        skip();
    }
    begin(SPEC_PROBE_TCP, "::1", LONG_MS);
    expect(false, "connect [::1]:PORT: Connection refused");
}

static void test_localhost_has_two_addresses(void **state)
{
    unsigned port;
    (void)state;
    int deaf = bind_to("127.0.0.1", 0, &server.port);
    assert_true(deaf >= 0);
    begin(SPEC_PROBE_TCP, "localhost", LONG_MS);
    expect(false, "connect localhost:PORT: Connection refused");
    server.listener = bind_to("::1", server.port, &port);
    if (server.listener < 0 || listen(server.listener, 1) != 0) {
        close(deaf);
        print_message("SKIP: there is no IPv6 here, or its port is taken\n");
        skip();
    }
    told.n = 0;
    begin(SPEC_PROBE_TCP, "localhost", LONG_MS);
    expect(true, "localhost:PORT accepts connections");
    close(deaf);
}

static void test_nobody_takes_the_connection(void **state)
{
    int fillers[8];
    size_t n = 0;
    (void)state;
    server.listener = bind_to("127.0.0.1", 0, &server.port);
    assert_int_equal(listen(server.listener, 0), 0);
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)server.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (; n < ARRAY_LEN(fillers); n++) {
        fillers[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[n], (const struct sockaddr *)&to, sizeof to);
    }
    begin(SPEC_PROBE_TCP, "127.0.0.1", BRIEF_MS);
    expect(false, "timed out after 20ms: no connection to 127.0.0.1:PORT");
    while (n > 0)
        close(fillers[--n]);
}

/* ------------------------------------------------------------------ tests: http */

static void test_the_request(void **state)
{
    char want[RIG_PATH_MAX];
    (void)state;
    const char *request = ask(LONG_MS);
    snprintf(want, sizeof want,
             "GET /healthz?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: foster/" FOSTER_VERSION
             "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
             server.port);
    assert_string_equal(request, want);
    say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n");
    /* It ends by the length; the peer has not hung up. */
    expect(true, "HTTP 200");
    assert_string_equal(told.output, "fine\n");
}

static void test_statuses(void **state)
{
    static const struct {
        const char *answer;
        bool ok;
        const char *text;
        const char *output;
    } cases[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", true, "HTTP 204", ""},
        {"HTTP/1.0 302 Found\r\nLocation: /\r\n\r\nthere", true, "HTTP 302", "there"},
        {"HTTP/1.0 399 \r\n\r\n", true, "HTTP 399", ""},
        {"HTTP/1.0 400 \r\n\r\n", false, "HTTP 400", ""},
        {"HTTP/1.1 101 Switching\r\n\r\n", false, "HTTP 101", ""},
        {"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndown\r\n0\r\n\r\n", false, "HTTP 503", "down"},
        {"HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\n\r\nlate", true, "HTTP 200", "late"},
        {"HTTP/1.1 500 \r\nHalf: a he", false, "HTTP 500", ""},
        {"", false, "127.0.0.1:PORT closed the connection without an answer", ""},
        {"HTTP/1.1 2", false, "127.0.0.1:PORT closed the connection without an answer", ""},
        {"SSH-2.0-\x1b[31mx\r\nmore", false, "127.0.0.1:PORT does not speak HTTP/1: it says \"SSH-2.0-?[31mx\"", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        told.n = 0;
        (void)ask(LONG_MS);
        say(cases[i].answer);
        hang_up();
        expect(cases[i].ok, cases[i].text);
        assert_string_equal(told.output, cases[i].output);
        close(server.listener);
        server.listener = -1;
    }
}

static void test_a_reset_connection(void **state)
{
    static const struct linger at_once = {.l_onoff = 1};
    (void)state;
    (void)ask(LONG_MS);
    assert_int_equal(setsockopt(server.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    hang_up();
    expect(false, "read from 127.0.0.1:PORT: Connection reset by peer");
}

static void test_one_byte_and_no_more(void **state)
{
    (void)state;
    (void)ask(BRIEF_MS * 5);
    say("H");
    expect(false, "timed out after 100ms: no answer from 127.0.0.1:PORT");
}

static void test_a_status_is_an_answer(void **state)
{
    (void)state;
    (void)ask(BRIEF_MS * 5);
    say("HTTP/1.1 200 OK\r\n\r\nand so on");
    expect(true, "HTTP 200");
    assert_string_equal(told.output, "and so on");
}

static void test_nobody_waits_for_a_body_that_nobody_wants(void **state)
{
    struct err e = {0};
    (void)state;
    serve("127.0.0.1");
    assert_true(begin_err(SPEC_PROBE_HTTP, "127.0.0.1", "/", LONG_MS, false, &e));
    accept_peer();
    say("HTTP/1.1 200 OK\r\n");
    expect(true, "HTTP 200");
}

static void test_a_body_without_end(void **state)
{
    static char flood[1 << 16] = "HTTP/1.1 503 Oh\r\n\r\n";
    (void)state;
    memset(flood + strlen(flood), 'x', sizeof flood - strlen(flood));
    (void)ask(LONG_MS);
    (void)!send(server.peer, flood, sizeof flood, MSG_NOSIGNAL | MSG_DONTWAIT);
    expect(false, "HTTP 503");
    assert_int_equal(told.n_output, PROBE_OUTPUT_MAX);
    assert_int_equal(strspn(told.output, "x"), PROBE_OUTPUT_MAX);
}

static void test_a_head_without_end(void **state)
{
    static char flood[1 << 16] = "HTTP/1.1 200 ";
    (void)state;
    memset(flood + strlen(flood), 'x', sizeof flood - strlen(flood));
    (void)ask(LONG_MS);
    (void)!send(server.peer, flood, sizeof flood, MSG_NOSIGNAL | MSG_DONTWAIT);
    expect(false, "the answer of 127.0.0.1:PORT has no status within 12288 bytes");
}

/* ------------------------------------------------------------------ tests: our own troubles */

static void pass(int64_t until_ms)
{
    while (sys_now_ms() < until_ms)
        continue;
}

static void test_what_has_come_by_the_time_we_look_counts(void **state)
{
    (void)state;
    serve("127.0.0.1");
    begin(SPEC_PROBE_TCP, "127.0.0.1", 1);
    accept_peer();
    pass(sys_now_ms() + 3);
    expect(true, "127.0.0.1:PORT accepts connections");
}

static int live_for_a_while(void *data)
{
    const struct timespec t = {.tv_nsec = 600 * 1000 * 1000};
    (void)data;
    return nanosleep(&t, NULL);
}

/* As if we had been stopped: the peer has accepted long ago, but could not be asked anything. */
static void test_who_was_away_asks_again(void **state)
{
    char request[RIG_PATH_MAX] = "";
    (void)state;
    serve("127.0.0.1");
    begin(SPEC_PROBE_HTTP, "127.0.0.1", 30);
    accept_peer();
    assert_int_equal(rig_reap(rig_fork(live_for_a_while, NULL)), 0);
    rig_run_until(request_has_come, request);
    say("HTTP/1.1 200 OK\r\n\r\n");
    hang_up();
    expect(true, "HTTP 200");
}

static void test_no_descriptors_left(void **state)
{
    struct err e = {0};
    (void)state;
    serve("127.0.0.1");
    int lowest = dup(server.listener);
    close(lowest);
    rlim_t before = rig_limit_fds((rlim_t)lowest);
    bool ok = begin_err(SPEC_PROBE_HTTP, "127.0.0.1", "/", LONG_MS, true, &e);
    rig_limit_fds(before);
    assert_false(ok);
    assert_int_equal(e.errnum, EMFILE);
    assert_non_null(strstr(e.text, with_port("connect 127.0.0.1:PORT")));
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(told.n, 0);
}

static void test_cancelled_at_any_time(void **state)
{
    (void)state;
    probe_cancel(NULL);
    server.listener = bind_to("127.0.0.1", 0, &server.port);
    begin(SPEC_PROBE_TCP, "127.0.0.1", LONG_MS);
    probe_cancel(probe);
    assert_int_equal(listen(server.listener, 1), 0);
    begin(SPEC_PROBE_TCP, "127.0.0.1", LONG_MS);
    probe_cancel(probe);
    close(server.listener);
    (void)ask(LONG_MS);
    probe_cancel(probe);
    hang_up();
    close(server.listener);
    (void)ask(LONG_MS);
    say("HTTP/1.1 200 OK\r\n\r\nbody");
    (void)rig_turns(3);
    probe_cancel(probe);
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(told.n, 0);
}

/* ------------------------------------------------------------------ tests: commands */

static struct {
    bool is_refused;
    bool is_cancelled;
    helper_done *done;
    void *data;
} helper;

bool helper_start(struct engine_unit *u, const struct helper_request *req, struct helper **ret_helper, struct err *e)
{
    if (helper.is_refused) {
        err_set_errno(e, EAGAIN, "fork");
        return false;
    }
    assert_ptr_equal(u, &unit);
    assert_string_equal(req->what, "healthcheck");
    assert_string_equal(req->argv[0], "/bin/check");
    assert_null(req->hook);
    assert_null(req->vars);
    assert_true(req->capture);
    assert_int_equal(req->timeout_ms, LONG_MS);
    helper.done = req->done;
    helper.data = req->data;
    *ret_helper = (struct helper *)&helper;
    return true;
}

void helper_cancel(struct helper *h)
{
    helper.is_cancelled = h == (struct helper *)&helper;
}

static bool begin_command(struct err *e)
{
    static char word[] = "/bin/check";
    static char *argv[] = {word, NULL};
    const struct spec_probe spec = {.kind = SPEC_PROBE_EXEC, .exec = {.argv = argv, .n = 1}};
    const struct probe_request req = {.probe = &spec,
                                      .what = "healthcheck",
                                      .timeout_ms = LONG_MS,
                                      .want_output = true,
                                      .done = on_done,
                                      .data = &told};
    return probe_start(&unit, &req, &probe, e);
}

static void test_commands(void **state)
{
    struct err e = {0};
    const struct helper_result fine = {.ok = true, .started = true, .text = "exited with code 0", .output = "yes"};
    struct helper_result bad = {.started = true, .text = "exited with code 1", .output = "no\n", .n_output = 3};
    (void)state;
    memset(&helper, 0, sizeof helper);
    assert_true(begin_command(&e));
    helper.done(&unit, &fine, helper.data);
    assert_true(told.n == 1 && told.ok);
    assert_string_equal(told.text, "exited with code 0");
    assert_int_equal(told.n_output, 0);
    assert_true(begin_command(&e));
    helper.done(&unit, &bad, helper.data);
    assert_true(told.n == 2 && !told.ok);
    assert_string_equal(told.text, "exited with code 1");
    assert_string_equal(told.output, "no\n");
    assert_false(helper.is_cancelled);
    assert_true(begin_command(&e));
    probe_cancel(probe);
    assert_true(helper.is_cancelled);
    helper.is_refused = true;
    assert_false(begin_command(&e));
    assert_int_equal(e.errnum, EAGAIN);
    assert_int_equal(told.n, 2);
    assert_int_equal(rig_turns(3), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_tcp),
        CASE(test_tcp_refused),
        CASE(test_tcp_of_ipv6),
        CASE(test_localhost_has_two_addresses),
        CASE(test_nobody_takes_the_connection),
        CASE(test_the_request),
        CASE(test_statuses),
        CASE(test_a_reset_connection),
        CASE(test_one_byte_and_no_more),
        CASE(test_a_status_is_an_answer),
        CASE(test_nobody_waits_for_a_body_that_nobody_wants),
        CASE(test_a_body_without_end),
        CASE(test_a_head_without_end),
        CASE(test_what_has_come_by_the_time_we_look_counts),
        CASE(test_who_was_away_asks_again),
        CASE(test_no_descriptors_left),
        CASE(test_cancelled_at_any_time),
        CASE(test_commands),
    };
    return cmocka_run_group_tests_name("probe", tests, rig_open_loop, rig_close_loop);
}
