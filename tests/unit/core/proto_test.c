/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Requests of the control protocol, every way in which one can be wrong with its reply, and what replies look like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRING_OF(x)                                                                                                   \
    {                                                                                                                  \
        x, sizeof(x) - 1                                                                                               \
    }
#define REQUEST(members) "{\"jsonrpc\":\"2.0\",\"id\":7," members "}"
#define CALL(m, params)  REQUEST("\"method\":\"" m "\",\"params\":" params)

/* ------------------------------------------------------------------ requests */

static char *text_of(const json_t *value)
{
    return value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

/* Whether VALUE is TEXT; consumes neither. NULL is "-". */
static void assert_json(const json_t *value, const char *text)
{
    char *found = text_of(value);

    assert_string_equal(found ? found : "-", text);
    free(found);
}

static void reads_requests(void **state)
{
    static const struct {
        const char *line;
        enum proto_method method;
        const char *id, *params;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}", PROTO_LIST, "1", "{}"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"list\"}", PROTO_LIST, "-", "{}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"list\"}", PROTO_LIST, "null", "{}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"\xc3\xa9\\n\",\"method\":\"list\"}", PROTO_LIST, "\"\xc3\xa9\\n\"", "{}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":-1.5,\"method\":\"list\"}", PROTO_LIST, "-1.5", "{}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":9223372036854775807,\"method\":\"list\"}", PROTO_LIST, "9223372036854775807",
         "{}"},
        {" { \"method\" : \"list\" , \"params\" : { } , \"id\" : 1 , \"jsonrpc\" : \"2.0\" }\t", PROTO_LIST, "1", "{}"},
        {"{\"\\u006asonrpc\":\"2.0\",\"id\":1,\"method\":\"\\u006cist\"}", PROTO_LIST, "1", "{}"},
        {CALL("hello", "{\"protocol\":0}"), PROTO_HELLO, "7", "{\"protocol\":0}"},
        {CALL("status", "{\"services\":[],\"wide\":false,\"lines\":3}"), PROTO_STATUS, "7",
         "{\"services\":[],\"wide\":false,\"lines\":3}"},
        {CALL("start", "{\"services\":[\"web\",\"w*\"],\"no_wait\":true}"), PROTO_START, "7",
         "{\"services\":[\"web\",\"w*\"],\"no_wait\":true}"},
        {CALL("signal", "{\"services\":[\"a\"],\"signal\":\"HUP\",\"all\":true}"), PROTO_SIGNAL, "7",
         "{\"services\":[\"a\"],\"signal\":\"HUP\",\"all\":true}"},
        {CALL("shutdown", "{}"), PROTO_SHUTDOWN, "7", "{}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proto_request req;
        json_t *reply = NULL;

        if (!proto_parse(cases[i].line, strlen(cases[i].line), &req, &reply))
            fail_msg("refused: %s", cases[i].line);
        assert_int_equal(req.method, cases[i].method);
        assert_json(req.id, cases[i].id);
        assert_json(req.params, cases[i].params);
        assert_null(reply);
        proto_request_done(&req);
        assert_null(req.id);
        assert_null(req.params);
    }
}

static void reads_parameters(void **state)
{
    static const char line[] = CALL("stop", "{\"services\":[\"web\",\"db\"],\"no_deps\":true,\"grace_ms\":1500}");
    static const char other[] = CALL("wait", "{\"for\":\"ready\"}");
    struct proto_request req;
    json_t *reply = NULL;

    (void)state;
    assert_true(proto_parse(line, strlen(line), &req, &reply));
    assert_int_equal(json_array_size(proto_strings(&req, "services")), 2);
    assert_true(proto_bool(&req, "no_deps"));
    assert_false(proto_bool(&req, "no_wait"));
    assert_int_equal(proto_number(&req, "grace_ms", -1), 1500);
    assert_int_equal(proto_number(&req, "timeout_ms", -1), -1);
    proto_request_done(&req);
    assert_true(proto_parse(other, strlen(other), &req, &reply));
    assert_string_equal(proto_string(&req, "for"), "ready");
    assert_null(proto_strings(&req, "services"));
    proto_request_done(&req);
}

struct refusal {
    struct {
        const char *data;
        size_t len;
    } line;
    enum proto_code code;
    const char *id, *data, *text;
};

static void check_refusals(const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct refusal *c = &cases[i];
        struct proto_request req = {.method = PROTO_METHOD_N};
        json_t *reply = NULL;

        if (proto_parse(c->line.data, c->line.len, &req, &reply))
            fail_msg("taken: %s", c->line.data);
        assert_int_equal(req.method, PROTO_METHOD_N);
        assert_non_null(reply);
        const json_t *error = json_object_get(reply, "error");
        assert_json(json_object_get(reply, "id"), c->id);
        assert_string_equal(json_string_value(json_object_get(error, "message")), c->text);
        assert_int_equal(json_integer_value(json_object_get(error, "code")), c->code);
        assert_json(json_object_get(error, "data"), c->data);
        json_decref(reply);
    }
}

static void refuses_what_is_no_json(void **state)
{
    static const struct refusal cases[] = {
        {STRING_OF(""), -32700, "null", "-", "the line is no JSON (before byte 0); send one object a line"},
        {STRING_OF("hello"), -32700, "null", "-", "the line is no JSON (before byte 5); send one object a line"},
        {STRING_OF("{} {}"), -32700, "null", "-", "the line is no JSON (before byte 4); send one object a line"},
        {STRING_OF("{\"a\":1"), -32700, "null", "-", "the line is no JSON (before byte 6); send one object a line"},
        {STRING_OF("{'a':1}"), -32700, "null", "-", "the line is no JSON (before byte 2); send one object a line"},
        {STRING_OF("{\"a\":01}"), -32700, "null", "-", "the line is no JSON (before byte 6); send one object a line"},
        {STRING_OF("\"a\tb\""), -32700, "null", "-", "the line is no JSON (before byte 2); send one object a line"},
        {STRING_OF("{}\0"), -32700, "null", "-", "the line is no JSON (before byte 3); send one object a line"},
        {STRING_OF("\xef\xbb\xbf{}"), -32700, "null", "-",
         "the line is no JSON (before byte 3); send one object a line"},
        {STRING_OF("\"\xff\""), -32700, "null", "-", "the line is not in UTF-8 (before byte 1)"},
        {STRING_OF("\"\xc0\x80\""), -32700, "null", "-", "the line is not in UTF-8 (before byte 1)"},
        {STRING_OF("\"\xed\xa0\x80\""), -32700, "null", "-", "the line is not in UTF-8 (before byte 1)"},
        {STRING_OF("\"a\0b\""), -32700, "null", "-", "the line is no JSON (before byte 2); send one object a line"},
        {STRING_OF("\"\\ud800\""), -32700, "null", "-", "the line is no JSON (before byte 8); send one object a line"},
        {STRING_OF("{\"a\":\"\\u0000\"}"), -32600, "null", "-", "a string has a NUL (before byte 13)"},
        {STRING_OF("{\"\\u0000\":1}"), -32600, "null", "-", "a string has a NUL (before byte 9)"},
        {STRING_OF("{\"id\":1,\"id\":2}"), -32600, "null", "-",
         "a member is there twice (before byte 12); send it once"},
        {STRING_OF("99999999999999999999"), -32600, "null", "-", "a number is too large (before byte 20)"},
        {STRING_OF("1e999"), -32600, "null", "-", "a number is too large (before byte 5)"},
    };

    (void)state;
    check_refusals(cases, ARRAY_LEN(cases));
}

#define NO_OBJECT    "a request is an object; send {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"…\"}"
#define NO_VERSION   "`jsonrpc` is not \"2.0\"; this is no request of JSON-RPC 2.0"
#define NO_ID        "`id` is neither a string nor a number nor null"
#define NO_METHOD    "`method` is no string; name a method"
#define UNKNOWN_MORE "a request has `jsonrpc`, `id`, `method` and `params`, and nothing else"

static void refuses_what_is_no_request(void **state)
{
    static const struct refusal cases[] = {
        {STRING_OF("5"), -32600, "null", "-", NO_OBJECT},
        {STRING_OF("null"), -32600, "null", "-", NO_OBJECT},
        {STRING_OF("\"list\""), -32600, "null", "-", NO_OBJECT},
        {STRING_OF("[]"), -32600, "null", "-", "batches are not taken; send one request a line"},
        {STRING_OF("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}]"), -32600, "null", "-",
         "batches are not taken; send one request a line"},
        {STRING_OF("{}"), -32600, "null", "-", NO_VERSION},
        {STRING_OF("{\"id\":1,\"method\":\"list\"}"), -32600, "1", "-", NO_VERSION},
        {STRING_OF("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"list\"}"), -32600, "1", "-", NO_VERSION},
        {STRING_OF("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"list\"}"), -32600, "1", "-", NO_VERSION},
        {STRING_OF("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"list\"}"), -32600, "null", "-", NO_ID},
        {STRING_OF("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"list\"}"), -32600, "null", "-", NO_ID},
        {STRING_OF("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"list\"}"), -32600, "null", "-", NO_ID},
        {STRING_OF("{\"jsonrpc\":\"2.0\",\"id\":\"a\"}"), -32600, "\"a\"", "-", NO_METHOD},
        {STRING_OF("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}"), -32600, "1", "-", NO_METHOD},
        {STRING_OF("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"), -32600, "1", "-", NO_METHOD},
        {STRING_OF(REQUEST("\"method\":\"list\",\"parms\":{}")), -32600, "7", "-", UNKNOWN_MORE},
        {STRING_OF(REQUEST("\"method\":\"list\",\"params\":{},\"x\":null")), -32600, "7", "-", UNKNOWN_MORE},
        {STRING_OF("{\"jsonrpc\":\"2.0\",\"method\":\"list\",\"x\":1}"), -32600, "null", "-", UNKNOWN_MORE},
    };

    (void)state;
    check_refusals(cases, ARRAY_LEN(cases));
}

static void refuses_methods_and_parameters(void **state)
{
    static const struct refusal cases[] = {
        {STRING_OF(CALL("strat", "{}")), -32601, "7", "{\"similar\":\"start\"}",
         "no method `strat`; did you mean `start`?"},
        {STRING_OF(CALL("frobnicate", "{}")), -32601, "7", "{\"similar\":null}",
         "no method `frobnicate`; foster-protocol(7) has them all"},
        {STRING_OF(CALL("", "{}")), -32601, "7", "{\"similar\":null}", "no method ``; foster-protocol(7) has them all"},
        {STRING_OF(CALL("List", "[]")), -32601, "7", "{\"similar\":\"list\"}",
         "no method `List`; did you mean `list`?"},
        {STRING_OF(CALL("start", "[\"web\"]")), -32602, "7", "{\"param\":null}",
         "parameters are given by name, not by position; send an object"},
        {STRING_OF(CALL("list", "null")), -32602, "7", "{\"param\":null}",
         "`params` is no object; send one, or leave it out"},
        {STRING_OF(CALL("list", "\"x\"")), -32602, "7", "{\"param\":null}",
         "`params` is no object; send one, or leave it out"},
        {STRING_OF(CALL("start", "{}")), -32602, "7", "{\"param\":\"services\"}",
         "`start` needs `services`, an array of strings"},
        {STRING_OF(REQUEST("\"method\":\"start\"")), -32602, "7", "{\"param\":\"services\"}",
         "`start` needs `services`, an array of strings"},
        {STRING_OF(CALL("signal", "{\"services\":[]}")), -32602, "7", "{\"param\":\"signal\"}",
         "`signal` needs `signal`, a string"},
        {STRING_OF(CALL("start", "{\"servics\":[]}")), -32602, "7", "{\"param\":\"servics\"}",
         "`servics` is no parameter of `start`; did you mean `services`?"},
        {STRING_OF(CALL("start", "{\"services\":[],\"x\\u001b\":1}")), -32602, "7", "{\"param\":\"x\\u001B\"}",
         "`x ` is no parameter of `start`; correct or remove it"},
        {STRING_OF(CALL("list", "{\"services\":[]}")), -32602, "7", "{\"param\":\"services\"}",
         "`services` is no parameter of `list`; correct or remove it"},
        {STRING_OF(CALL("start", "{\"services\":\"web\"}")), -32602, "7", "{\"param\":\"services\"}",
         "`services` of `start` has to be an array of strings"},
        {STRING_OF(CALL("start", "{\"services\":[\"web\",1]}")), -32602, "7", "{\"param\":\"services\"}",
         "`services` of `start` has to be an array of strings"},
        {STRING_OF(CALL("start", "{\"services\":null}")), -32602, "7", "{\"param\":\"services\"}",
         "`services` of `start` has to be an array of strings"},
        {STRING_OF(CALL("stop", "{\"services\":[],\"no_wait\":1}")), -32602, "7", "{\"param\":\"no_wait\"}",
         "`no_wait` of `stop` has to be true or false"},
        {STRING_OF(CALL("stop", "{\"services\":[],\"grace_ms\":-1}")), -32602, "7", "{\"param\":\"grace_ms\"}",
         "`grace_ms` of `stop` has to be a whole number, 0 or more"},
        {STRING_OF(CALL("stop", "{\"services\":[],\"grace_ms\":1.5}")), -32602, "7", "{\"param\":\"grace_ms\"}",
         "`grace_ms` of `stop` has to be a whole number, 0 or more"},
        {STRING_OF(CALL("stop", "{\"services\":[],\"grace_ms\":\"1\"}")), -32602, "7", "{\"param\":\"grace_ms\"}",
         "`grace_ms` of `stop` has to be a whole number, 0 or more"},
        {STRING_OF(CALL("wait", "{\"for\":[]}")), -32602, "7", "{\"param\":\"for\"}",
         "`for` of `wait` has to be a string"},
    };

    (void)state;
    check_refusals(cases, ARRAY_LEN(cases));
}

static void a_notification_gets_no_reply(void **state)
{
    static const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"strat\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"start\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"list\",\"params\":[]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct proto_request req;
        json_t *reply = NULL;
        assert_false(proto_parse(lines[i], strlen(lines[i]), &req, &reply));
        assert_null(reply);
    }
}

/* "{"a":[[…]]}" with DEPTH levels, and brackets in a string that do not count. */
static void nesting_has_an_end(void **state)
{
    static const struct {
        size_t depth;
        const char *text;
    } cases[] = {
        {PROTO_DEPTH_MAX, NO_VERSION},
        {PROTO_DEPTH_MAX + 1, "nested deeper than 16"},
        {20000, "nested deeper than 16"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proto_request req;
        json_t *reply = NULL;
        struct buf line;

        buf_init(&line, PROTO_LINE_MAX);
        buf_puts(&line, "{\"[[[[[[[[[[[[[[[[[[[\\\"[[[[{{{\\\\\":");
        for (size_t k = 1; k < cases[i].depth; k++)
            buf_putc(&line, '[');
        for (size_t k = 1; k < cases[i].depth; k++)
            buf_putc(&line, ']');
        buf_putc(&line, '}');
        assert_false(line.failed);
        assert_false(proto_parse(line.data, line.len, &req, &reply));
        const json_t *error = json_object_get(reply, "error");
        assert_int_equal(json_integer_value(json_object_get(error, "code")), PROTO_NO_REQUEST);
        assert_string_equal(json_string_value(json_object_get(error, "message")), cases[i].text);
        json_decref(reply);
        buf_done(&line);
    }
}

static void suggests_every_method_for_its_misspelling(void **state)
{
    (void)state;
    for (enum proto_method m = 0; m < PROTO_METHOD_N; m++) {
        struct proto_request req;
        json_t *reply = NULL;
        char line[200];
        int len = snprintf(line, sizeof line, REQUEST("\"method\":\"%s_\""), proto_method_name(m));

        assert_false(proto_parse(line, (size_t)len, &req, &reply));
        const json_t *data = json_object_get(json_object_get(reply, "error"), "data");
        assert_string_equal(json_string_value(json_object_get(data, "similar")), proto_method_name(m));
        json_decref(reply);
    }
}

static void says_which_methods_act(void **state)
{
    static const char *const look[] = {"hello",  "list",  "status", "tree",    "wait",     "subscribe",
                                       "config", "graph", "doctor", "zombies", "timeline", "logs"};
    size_t n = 0;

    (void)state;
    for (enum proto_method m = 0; m < PROTO_METHOD_N; m++) {
        bool acts = true;
        for (size_t i = 0; i < ARRAY_LEN(look); i++)
            acts = acts && strcmp(look[i], proto_method_name(m)) != 0;
        assert_int_equal(proto_acts(m), acts);
        n += !acts;
    }
    assert_int_equal(n, ARRAY_LEN(look));
}

/* ------------------------------------------------------------------ replies */

static void expect_message(json_t *message, const char *want)
{
    struct buf out;

    assert_non_null(message);
    buf_init(&out, 4096);
    assert_true(proto_write(message, &out));
    assert_string_equal(buf_str(&out), want);
    buf_done(&out);
    json_decref(message);
}

static void writes_messages(void **state)
{
    json_t *id = json_string("a\"b\n");

    (void)state;
    expect_message(proto_result(id, json_object()), "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\\n\",\"result\":{}}\n");
    expect_message(proto_result(NULL, json_true()), "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":true}\n");
    expect_message(proto_error(id, PROTO_NO_SERVICE, NULL, "no %s", "web"),
                   "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\\n\",\"error\":{\"code\":4,\"message\":\"no web\"}}\n");
    expect_message(proto_error(NULL, PROTO_INTERNAL, json_object(), "x"),
                   "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,\"message\":\"x\",\"data\":{}}}\n");
    expect_message(proto_notification("event", json_object()),
                   "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}\n");
    json_decref(id);
    assert_null(proto_result(NULL, NULL));
    assert_null(proto_notification("event", NULL));
}

static void messages_are_utf8_whatever_they_quote(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xff|\xc3|\xf0\x9f\x98", "?|?|???"},
        {"\xed\xa0\x80", "???"},
    };
    char text[2 * PROTO_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *m = proto_error(NULL, PROTO_IMPOSSIBLE, NULL, "%s", cases[i].text);
        assert_string_equal(json_string_value(json_object_get(json_object_get(m, "error"), "message")), cases[i].want);
        json_decref(m);
    }
    /* Cut within a character. */
    for (size_t lead = 0; lead < 3; lead++) {
        memset(text, 'a', lead);
        for (size_t at = lead; at + 3 < sizeof text; at += 3)
            memcpy(text + at, "\xe2\x82\xac", 4);
        json_t *m = proto_error(NULL, PROTO_IMPOSSIBLE, NULL, "%s", text);
        const char *said = json_string_value(json_object_get(json_object_get(m, "error"), "message"));
        assert_non_null(said);
        assert_in_range(strlen(said), PROTO_TEXT_MAX - 4, PROTO_TEXT_MAX - 1);
        assert_memory_equal(said, text, strlen(said));
        json_decref(m);
    }
}

static void what_does_not_fit_is_not_begun(void **state)
{
    json_t *m = proto_result(NULL, json_string("0123456789"));
    struct buf out;

    (void)state;
    buf_init(&out, 60);
    assert_true(proto_write(m, &out));
    const size_t len = out.len;
    assert_false(proto_write(m, &out));
    assert_int_equal(out.len, len);
    assert_int_equal(out.data[len], '\0');
    assert_false(out.failed);
    buf_consume(&out, len);
    assert_true(proto_write(m, &out));
    assert_int_equal(out.len, len);
    buf_done(&out);
    json_decref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_requests),
        cmocka_unit_test(reads_parameters),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(refuses_what_is_no_request),
        cmocka_unit_test(refuses_methods_and_parameters),
        cmocka_unit_test(a_notification_gets_no_reply),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(suggests_every_method_for_its_misspelling),
        cmocka_unit_test(says_which_methods_act),
        cmocka_unit_test(writes_messages),
        cmocka_unit_test(messages_are_utf8_whatever_they_quote),
        cmocka_unit_test(what_does_not_fit_is_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
