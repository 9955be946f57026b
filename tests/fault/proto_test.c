/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control protocol while memory is refused, to us and to jansson: a request is read as it is or not at all, and a
 * reply is whole or not there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/proto.h"

#include "fault/support/fault.h"
#include "unit/sys/kit.h"

enum { ALL = 1000 };

static int setup(void **state UNUSED)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    return 0;
}

static const char request[] =
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"start\",\"params\":{\"services\":[\"web\"],\"no_wait\":true}}";
static const char wrong[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"strat\"}";

static void feed(void *arg UNUSED, const struct fault_rule *rule)
{
    struct proto_reader r;
    struct err e = {0};
    const char *line;
    size_t len;

    proto_reader_init(&r);
    bool ok = proto_feed(&r, "one\ntwo", 7, &e);
    assert_int_equal(ok, rule == NULL);
    if (!ok) {
        assert_int_equal(e.kind, ERR_NOMEM);
        assert_false(proto_feed(&r, "\n", 1, &e));
        assert_false(proto_line(&r, &line, &len));
    } else {
        assert_true(proto_line(&r, &line, &len));
        assert_int_equal(len, 3);
    }
    proto_reader_done(&r);
}

static void parse(void *arg UNUSED, const struct fault_rule *rule)
{
    struct proto_request req;
    json_t *reply = NULL;

    if (proto_parse(request, sizeof request - 1, &req, &reply)) {
        assert_int_equal(req.method, PROTO_START);
        assert_int_equal(json_integer_value(req.id), 7);
        assert_int_equal(json_array_size(proto_strings(&req, "services")), 1);
        assert_string_equal(json_string_value(json_array_get(proto_strings(&req, "services"), 0)), "web");
        assert_true(proto_bool(&req, "no_wait"));
        proto_request_done(&req);
        assert_null(reply);
        return;
    }
    assert_non_null(rule);
    /* Refused once, there is memory for a reply. jansson takes some refusals for a fault of the text. */
    json_int_t code = json_integer_value(json_object_get(json_object_get(reply, "error"), "code"));
    assert_true(code == PROTO_INTERNAL || code == PROTO_NO_JSON);
    assert_true(code == PROTO_INTERNAL || rule->call != FAULT_mem_array);
    json_decref(reply);
}

static void refuse(void *arg UNUSED, const struct fault_rule *rule)
{
    struct proto_request req;
    json_t *reply = NULL;
    struct buf out;

    assert_false(proto_parse(wrong, sizeof wrong - 1, &req, &reply));
    buf_init(&out, 4096);
    buf_puts(&out, "before");
    if (reply != NULL && proto_write(reply, &out)) {
        /* An error, whole: with what was there before, and to its end. */
        assert_int_equal(strncmp(out.data, "before{\"jsonrpc\":\"2.0\",\"id\":", 28), 0);
        assert_string_equal(out.data + out.len - 3, "}}\n");
    } else {
        assert_non_null(rule);
        assert_true(out.len == strlen("before") || out.len == 0);
    }
    json_decref(reply);
    buf_done(&out);
}

static void answer(void *arg UNUSED, const struct fault_rule *rule)
{
    json_t *id = json_string("a");
    json_t *replies[] = {proto_result(id, json_object()), proto_error(id, PROTO_STOPPING, json_object(), "no"),
                         proto_notification("event", json_object())};

    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        if (replies[i] == NULL)
            assert_non_null(rule);
        json_decref(replies[i]);
    }
    json_decref(id);
}

static void without_memory(void **state)
{
    fault_operation *const operations[] = {feed, parse, refuse, answer};

    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        fault_each(NULL, 0, ALL, operations[i], *state);
}

/* From some point on there is none at all. */
static void memory_that_is_used_up(void **state)
{
    for (unsigned nth = 1; nth < 60; nth++) {
        const struct fault_rule rules[] = {{FAULT_PARENT, FAULT_mem_alloc, nth, true, ENOMEM},
                                           {FAULT_PARENT, FAULT_mem_grow, nth, true, ENOMEM}};
        struct proto_request req;
        json_t *reply = NULL;
        fault_begin(rules, ARRAY_LEN(rules));
        if (proto_parse(request, sizeof request - 1, &req, &reply))
            proto_request_done(&req);
        else
            json_decref(reply);
        refuse(*state, &rules[0]);
        answer(*state, &rules[0]);
        fault_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(without_memory, fault_teardown),
        cmocka_unit_test_teardown(memory_that_is_used_up, fault_teardown),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
