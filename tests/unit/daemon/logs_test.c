/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The method `logs`: what the logger is told, with which descriptor, and who is not handed over.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "desk.h"

#include "daemon/methods_impl.h"
#include "daemon/reload.h"

#include "sys/sys_pipe.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The engine's part, and that of reload.c: nothing of it is asked for. */

void engine_go_on(struct engine *g)
{
    (void)g;
    fail();
}

void engine_post(struct engine *g, const struct event *ev)
{
    (void)g;
    (void)ev;
    fail();
}

enum reload_result reload_file(struct engine *g, bool dry_run, struct reload *r)
{
    (void)g;
    (void)dry_run;
    (void)r;
    return RELOAD_BUSY;
}

enum reload_result reload_join(struct engine *g, struct reload *r)
{
    return reload_file(g, false, r);
}

enum reload_result reload_scale(struct engine *g, const char *service, int64_t n, struct reload *r)
{
    (void)service;
    (void)n;
    return reload_file(g, false, r);
}

void reload_done(struct reload *r)
{
    (void)r;
}

static int peer[2];   /* the connection */
static int logger_fd; /* where a logger would listen */
static struct message_in in;

static int begin(void **state)
{
    int control[2];
    if (desk_begin(state) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, peer) != 0 ||
        sys_packet_pair(control) != 0)
        return -1;
    for (size_t i = 0; i < desk.k.set.n_services; i++)
        desk.k.specs[i].log[SPEC_STREAM_OUT].driver = SPEC_LOG_STDOUT;
    desk.client.fd = peer[0];
    logger_fd = control[1];
    /* One that runs, as far as anybody can tell. */
    static char nothing;
    logger_host_init(&desk.engine.logger, &desk.engine);
    desk.engine.logger.pid = getpid();
    desk.engine.logger.shared = (struct shared *)(void *)&nothing;
    desk.engine.logger.fd = control[0];
    return 0;
}

static int end(void **state)
{
    for (int i = 0; i < 2; i++)
        close(peer[i]);
    if (desk.engine.logger.fd >= 0)
        close(desk.engine.logger.fd);
    close(logger_fd);
    return desk_end(state);
}

/* What the logger is told, and with which descriptor: what is written there arrives at the peer. NULL: nothing. */
static const char *told(void)
{
    char c = 0;
    if (message_receive(logger_fd, &in) != 1)
        return NULL;
    assert_int_equal(in.m.kind, MESSAGE_SERVE);
    assert_int_equal(write(in.m.fds[0], "x", 1), 1);
    message_close_fds(&in.m);
    assert_true(read(peer[1], &c, 1) == 1 && c == 'x');
    return in.m.text;
}

/* Asks for logs with PARAMS, JSON in which ' stands for "; the code of the error, 0: none. */
static int ask(const char *params)
{
    char line[512];
    struct proto_request req;
    json_t *refused = NULL;
    snprintf(line, sizeof line, "{'jsonrpc':'2.0','id':'a','method':'logs','params':%s}", params);
    for (char *at = line; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_array_clear(desk.sent);
    assert_true(proto_parse(line, strlen(line), &req, &refused));
    look_logs(&desk.client, &req);
    proto_request_done(&req);
    const json_t *reply = json_array_get(desk.sent, 0);
    return (int)json_integer_value(json_object_get(json_object_get(reply, "error"), "code"));
}

static const json_t *error_data(void)
{
    return json_object_get(json_object_get(json_array_get(desk.sent, 0), "error"), "data");
}

static const char *error_text(void)
{
    return json_string_value(json_object_get(json_object_get(json_array_get(desk.sent, 0), "error"), "message"));
}

/* Nobody was handed over. */
static void assert_kept(void)
{
    assert_false(desk.client.doomed);
    assert_null(told());
}

static void the_logger_is_told(void **state)
{
    static const struct {
        const char *params, *text;
    } rows[] = {
        {"{}", "{\"id\":\"a\",\"services\":null,\"lines\":-1,\"since_us\":-1,\"follow\":false}\n"},
        {"{'services':['web','d*'],'lines':3,'follow':true}",
         "{\"id\":\"a\",\"services\":[\"web\",\"d*\"],\"lines\":3,\"since_us\":-1,\"follow\":true}\n"},
        {"{'since_us':1795335330500000,'after':['3:70','12:0']}",
         "{\"id\":\"a\",\"services\":null,\"lines\":-1,\"since_us\":1795335330500000,\"follow\":false,"
         "\"after\":{\"3\":70,\"12\":0}}\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        desk.client.doomed = false;
        assert_int_equal(ask(rows[i].params), 0);
        assert_string_equal(told(), rows[i].text);
        /* The logger answers, and this end is closed. */
        assert_int_equal(json_array_size(desk.sent), 0);
        assert_true(desk.client.doomed);
    }
}

static void what_is_wrong_is_said(void **state)
{
    static const char *const positions[] = {
        "['3']",    "['3:']",   "[':4']",      "['x:4']",
        "['3:-4']", "['-3:4']", "['3:4','5']", "['1111111111111111111111111111:4']"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(positions); i++) {
        char params[96];
        snprintf(params, sizeof params, "{'after':%s}", positions[i]);
        assert_int_equal(ask(params), PROTO_BAD_PARAMS);
        assert_string_equal(json_string_value(json_object_get(error_data(), "param")), "after");
    }
    assert_int_equal(ask("{'services':['wbe']}"), PROTO_NO_SERVICE);
    assert_kept();
}

static void of_what_does_not_come_here_there_is_nothing(void **state)
{
    struct spec *job = &desk.k.specs[2];
    (void)state;
    job->log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
    assert_int_equal(ask("{'services':['job']}"), PROTO_IMPOSSIBLE);
    assert_non_null(strstr(error_text(), "what job writes"));
    assert_non_null(strstr(error_text(), "inherit"));
    assert_kept();
    /* One of two streams is enough, and one of two services. */
    job->log[SPEC_STREAM_ERR].driver = SPEC_LOG_STDOUT;
    job->log_split = true;
    assert_int_equal(ask("{'services':['job']}"), 0);
    job->log_split = false;
    assert_int_equal(ask("{'services':['job','web']}"), 0);
    assert_int_equal(ask("{}"), 0);
}

static void who_waits_for_something_else_is_not_handed_over(void **state)
{
    struct list subscribers;
    (void)state;
    list_init(&subscribers);
    desk.client.n_parked = 1;
    assert_int_equal(ask("{}"), PROTO_IMPOSSIBLE);
    desk.client.n_parked = 0;
    list_append(&subscribers, &desk.client.subscriber.link);
    assert_int_equal(ask("{}"), PROTO_IMPOSSIBLE);
    list_remove(&desk.client.subscriber.link);
    desk.client.out.len = 1;
    assert_int_equal(ask("{}"), PROTO_IMPOSSIBLE);
    desk.client.out.len = 0;
    assert_kept();
    assert_int_equal(ask("{}"), 0);
}

static void without_a_logger_there_is_a_second_try(void **state)
{
    (void)state;
    close(desk.engine.logger.fd);
    desk.engine.logger.fd = -1;
    assert_int_equal(ask("{}"), PROTO_IMPOSSIBLE);
    const json_t *retry = json_object_get(error_data(), "retry");
    assert_true(json_is_true(retry));
    assert_kept();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_logger_is_told, begin, end),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, begin, end),
        cmocka_unit_test_setup_teardown(of_what_does_not_come_here_there_is_nothing, begin, end),
        cmocka_unit_test_setup_teardown(who_waits_for_something_else_is_not_handed_over, begin, end),
        cmocka_unit_test_setup_teardown(without_a_logger_there_is_a_second_try, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
