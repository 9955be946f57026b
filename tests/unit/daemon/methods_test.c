/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who may call which method, and what is said to whom it is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "desk.h"

#include "daemon/methods.h"
#include "daemon/reload.h"

static enum reload_result result_of_reload;
static unsigned n_reloads;
static enum event_kind posted;
static int refuse_in_call; /* the number of the allocation that jansson is refused, 0: none */

/* The engine's part, and that of reload.c. */

void engine_go_on(struct engine *g)
{
    (void)g;
    kit_drain(&desk.k);
}

void engine_post(struct engine *g, const struct event *ev)
{
    (void)g;
    posted = ev->kind;
}

enum reload_result reload_file(struct engine *g, bool dry_run, struct reload *r)
{
    (void)g;
    (void)dry_run;
    n_reloads++;
    if (result_of_reload == RELOAD_REJECTED)
        diag_error(&r->problems, (struct diag_pos){"f.yaml", 1, 2}, "wrong");
    else
        diag_warning(&r->problems, (struct diag_pos){"f.yaml", 3, 4}, "odd");
    return result_of_reload;
}

enum reload_result reload_join(struct engine *g, struct reload *r)
{
    (void)g;
    (void)r;
    return RELOAD_BUSY;
}

enum reload_result reload_scale(struct engine *g, const char *service, int64_t n, struct reload *r)
{
    (void)service;
    (void)n;
    return reload_file(g, false, r);
}

void reload_done(struct reload *r)
{
    diag_done(&r->problems);
}

/* Carries out the request of METHOD with PARAMS, JSON in which ' stands for "; without an id where NO_ID. */
static void call_with(bool no_id, const char *method, const char *params)
{
    static char line[PROTO_LINE_MAX];
    struct proto_request req;
    json_t *refusal = NULL;
    int len = snprintf(line, sizeof line, "{'jsonrpc':'2.0',%s'method':'%s','params':%s}", no_id ? "" : "'id':1,",
                       method, params);
    assert_in_range(len, 1, sizeof line - 1);
    for (char *at = line; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_array_clear(desk.sent);
    assert_true(proto_parse(line, (size_t)len, &req, &refusal));
    desk.refused = false;
    desk.refuse = refuse_in_call;
    methods_carry_out(&desk.client, &req);
    desk.refuse = 0;
    proto_request_done(&req);
}

/* What was sent last, which is the reply. */
static json_t *reply(void)
{
    size_t n = json_array_size(desk.sent);
    json_t *message = n > 0 ? json_array_get(desk.sent, n - 1) : NULL;
    assert_int_equal(json_integer_value(json_object_get(message, "id")), 1);
    return message;
}

/* The result of METHOD, borrowed until the next call. */
static json_t *call(const char *method, const char *params)
{
    call_with(false, method, params);
    return json_object_get(reply(), "result");
}

/* The error that METHOD is answered with, which must have CODE. */
static json_t *refused(const char *method, const char *params, int code)
{
    assert_null(call(method, params));
    json_t *error = json_object_get(reply(), "error");
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    return error;
}

/* Parameters that a request for method M can have. */
static const char *params_of(enum proto_method m)
{
    switch (m) {
    case PROTO_SIGNAL:
        return "{'services':['db'],'signal':'HUP'}";
    case PROTO_SCALE:
        return "{'service':'db','instances':2}";
    case PROTO_START:
    case PROTO_STOP:
    case PROTO_RESTART:
    case PROTO_RESET:
    case PROTO_RELOAD_SERVICE:
        return "{'services':['db']}";
    case PROTO_WAIT:
        return "{'for':'up'}";
    case PROTO_CURE:
        return "{'action':'nudge'}";
    default:
        return "{}";
    }
}

static void who_may_only_look_cannot_act(void **state)
{
    (void)state;
    desk.client.may_act = false;
    for (unsigned i = 0; i < PROTO_METHOD_N; i++) {
        enum proto_method m = (enum proto_method)i;
        if (!proto_acts(m))
            continue;
        json_t *error = refused(proto_method_name(m), params_of(m), PROTO_FORBIDDEN);
        assert_non_null(strstr(json_string_value(json_object_get(error, "message")), "control_mode"));
    }
    assert_int_equal(json_array_size(json_object_get(call("hello", "{}"), "capabilities")), 0);
    assert_int_equal(json_array_size(json_object_get(call("list", "{}"), "names")), 3);
    assert_int_equal(json_array_size(json_object_get(call("status", "{}"), "services")), 3);
    assert_string_equal(kit_state(&desk.k, "db"), "stopped");
}

static void who_may_not_look_cannot_do_anything(void **state)
{
    (void)state;
    desk.client.may_act = desk.client.may_look = false;
    for (unsigned i = 0; i < PROTO_METHOD_N; i++)
        (void)refused(proto_method_name((enum proto_method)i), params_of((enum proto_method)i), PROTO_FORBIDDEN);
}

static void while_all_is_being_stopped_nothing_is_begun(void **state)
{
    (void)state;
    kit_tell(&desk.k, EVENT_START, "db");
    kit_up(&desk.k, "db");
    kit_shutdown(&desk.k, EVENT_SHUTDOWN, 0);
    for (unsigned i = 0; i < PROTO_METHOD_N; i++) {
        enum proto_method m = (enum proto_method)i;
        if (proto_acts(m) && m != PROTO_SHUTDOWN)
            (void)refused(proto_method_name(m), params_of(m), PROTO_STOPPING);
    }
    json_t *daemon = json_object_get(call("status", "{}"), "daemon");
    assert_true(json_is_true(json_object_get(daemon, "stopping")));
    json_t *late = call("wait", "{'services':['web'],'for':'ready'}");
    assert_true(json_is_false(json_object_get(late, "ok")));
}

static void a_request_may_have_so_many_patterns(void **state)
{
    static char params[4096];
    (void)state;
    for (int n = 64; n <= 65; n++) {
        size_t len = (size_t)snprintf(params, sizeof params, "{'services':['*'");
        for (int i = 1; i < n; i++)
            len += (size_t)snprintf(params + len, sizeof params - len, ",'?%s'", i % 2 ? "b" : "*");
        snprintf(params + len, sizeof params - len, "]}");
        if (n == 64)
            assert_int_equal(json_array_size(json_object_get(call("status", params), "services")), 3);
        else
            (void)refused("status", params, PROTO_BAD_PARAMS);
    }
}

/* A long set behind a star is looked through anew at each byte of each name. */
static void its_patterns_may_be_so_long_together(void **state)
{
    static char params[PROTO_LINE_MAX], set[PROTO_LINE_MAX / 4];
    (void)state;
    const struct {
        int len; /* of each of two patterns: "*", "[", the set, "]" */
        enum proto_code code;
    } cases[] = {{256, PROTO_NO_SERVICE}, {257, PROTO_BAD_PARAMS}, {PROTO_LINE_MAX / 4, PROTO_BAD_PARAMS}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memset(set, 'q', sizeof set);
        set[cases[i].len - 3] = '\0';
        snprintf(params, sizeof params, "{'services':['*[%s]','*[%s]']}", set, set);
        (void)refused("status", params, cases[i].code);
    }
}

static void an_error_names_what_was_asked_for(void **state)
{
    static char params[PROTO_LINE_MAX / 2], name[PROTO_LINE_MAX / 4];
    (void)state;
    memset(name, 'x', sizeof name - 1);
    snprintf(params, sizeof params, "{'services':['%s']}", name);
    json_t *error = refused("status", params, PROTO_NO_SERVICE);
    assert_string_equal(json_string_value(json_object_get(json_object_get(error, "data"), "service")), name);
    assert_in_range(strlen(json_string_value(json_object_get(error, "message"))), 1, PROTO_TEXT_MAX - 1);
    error = refused("status", "{'services':['wbe']}", PROTO_NO_SERVICE);
    assert_string_equal(json_string_value(json_object_get(error, "message")), "no such service: wbe; is it web?");
    error = refused("status", "{'services':['q*']}", PROTO_NO_SERVICE);
    assert_string_equal(json_string_value(json_object_get(error, "message")),
                        "no service fits q*; fosterctl list names those there are");
}

static void without_an_id_nothing_is_answered(void **state)
{
    static const char *const requests[][2] = {
        {"status", "{}"},
        {"status", "{'services':['nobody']}"},
        {"status", "{'services':[]}"},
        {"status", "{'lines':5000}"},
        {"wait", "{'services':['db'],'for':'ready'}"},
        {"wait", "{'services':['db'],'for':'nothing'}"},
        {"hello", "{'protocol':9}"},
        {"signal", "{'services':['db'],'signal':'HUP'}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        call_with(true, requests[i][0], requests[i][1]);
        assert_int_equal(json_array_size(desk.sent), 0);
    }
    assert_int_equal(desk.client.n_parked, 0);
}

static void a_wait_for_all_is_for_those_that_are_wanted(void **state)
{
    (void)state;
    json_t *result = call("wait", "{'for':'ready'}");
    assert_true(json_is_true(json_object_get(result, "ok")));
    assert_int_equal(json_array_size(json_object_get(result, "services")), 0);
    kit_tell(&desk.k, EVENT_START, "db");
    call_with(false, "wait", "{'for':'ready'}");
    assert_int_equal(json_array_size(desk.sent), 0);
    assert_int_equal(desk.client.n_parked, 1);
}

static void an_absurd_time_is_a_long_one(void **state)
{
    (void)state;
    assert_non_null(call("wait", "{'services':['db'],'for':'stopped','timeout_ms':9223372036854775807}"));
    kit_tell(&desk.k, EVENT_START, "db");
    call_with(false, "wait", "{'services':['db'],'for':'ready','timeout_ms':9223372036854775807}");
    assert_int_equal(json_array_size(desk.sent), 0);
    assert_int_equal(rig_turns(3), 0);
}

static void what_becomes_of_a_reload(void **state)
{
    static const struct {
        enum reload_result result;
        int code;
    } cases[] = {
        {RELOAD_REJECTED, PROTO_REJECTED},
        {RELOAD_BUSY, PROTO_IMPOSSIBLE},
        {RELOAD_STOPPING, PROTO_STOPPING},
        {RELOAD_NOMEM, PROTO_INTERNAL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        result_of_reload = cases[i].result;
        (void)refused("reload", "{}", cases[i].code);
        (void)refused("reload", "{'dry_run':true}", cases[i].code);
        json_t *error = refused("scale", "{'service':'db','instances':2}", cases[i].code);
        json_t *problems = json_object_get(json_object_get(error, "data"), "problems");
        assert_int_equal(json_array_size(problems), cases[i].result == RELOAD_REJECTED);
    }
    result_of_reload = RELOAD_OK;
    json_t *result = call("reload", "{'dry_run':true}");
    assert_true(json_is_true(json_object_get(result, "dry_run")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(result, "warnings"), 0)), "f.yaml:3:4: odd");
    result = call("reload", "{}");
    assert_true(json_is_true(json_object_get(result, "ok")));
    assert_true(json_is_false(json_object_get(result, "dry_run")));
}

static void a_reload_that_could_not_wait_is_not_begun(void **state)
{
    (void)state;
    kit_tell(&desk.k, EVENT_START, "db");
    for (int i = 0; i < CLIENT_PARKED_MAX; i++)
        call_with(false, "wait", "{'services':['db'],'for':'ready'}");
    n_reloads = 0;
    result_of_reload = RELOAD_OK;
    (void)refused("reload", "{}", PROTO_TOO_MANY);
    (void)refused("scale", "{'service':'db','instances':2}", PROTO_TOO_MANY);
    assert_int_equal(n_reloads, 0);
    (void)refused("stop", "{'services':['db']}", PROTO_TOO_MANY);
    assert_string_equal(kit_state(&desk.k, "db"), "starting");
    assert_non_null(call("reload", "{'no_wait':true}"));
    assert_int_equal(n_reloads, 1);
}

static void a_shutdown_is_answered_before_it_begins(void **state)
{
    (void)state;
    assert_true(json_is_true(json_object_get(call("shutdown", "{}"), "ok")));
    assert_int_equal(posted, EVENT_SHUTDOWN);
    (void)call("shutdown", "{'now':true}");
    assert_int_equal(posted, EVENT_KILL_NOW);
}

/* What is asked of several is put to super as one: dependents stop first, whatever their order in the request. */
static void several_are_restarted_in_their_order(void **state)
{
    (void)state;
    kit_tell(&desk.k, EVENT_START, "web");
    kit_up(&desk.k, "db");
    kit_up(&desk.k, "web");
    kit_effects(&desk.k);
    call_with(false, "restart", "{'services':['db','web'],'steady_ms':0}");
    assert_int_equal(json_array_size(desk.sent), 0);
    assert_string_equal(kit_state(&desk.k, "db"), "ready");
    assert_string_equal(kit_state(&desk.k, "web"), "stopping");
    assert_non_null(strstr(kit_effects(&desk.k), "signal web TERM main"));
    kit_died(&desk.k, "web", kit_exit(0), 0);
    parked_settle_all(&desk.control);
    kit_died(&desk.k, "db", kit_exit(0), 0);
    kit_up(&desk.k, "db");
    parked_settle_all(&desk.control);
    kit_up(&desk.k, "web");
    parked_settle_all(&desk.control);
    json_t *result = json_object_get(reply(), "result");
    assert_true(json_is_true(json_object_get(result, "ok")));
    assert_int_equal(json_array_size(json_object_get(result, "services")), 2);
}

/* Whatever jansson is refused, each request has one answer, or ends the connection, and nothing is lost. */
static void without_memory_each_is_answered_or_cut_off(void **state)
{
    static const char *const requests[][2] = {
        {"hello", "{}"},
        {"list", "{}"},
        {"status", "{'services':['db'],'lines':3}"},
        {"graph", "{}"},
        {"config", "{}"},
        {"reset", "{'services':['db','web']}"},
        {"reload", "{}"},
        {"signal", "{'services':['db'],'signal':'HUP'}"},
        {"status", "{'services':['none']}"},
    };
    json_malloc_t earlier_alloc;
    json_free_t earlier_free;
    (void)state;
    result_of_reload = RELOAD_OK;
    json_get_alloc_funcs(&earlier_alloc, &earlier_free);
    json_set_alloc_funcs(desk_alloc, free);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        desk.refused = true;
        for (int n = 1; desk.refused; n++) {
            refuse_in_call = n;
            call_with(false, requests[i][0], requests[i][1]);
            assert_int_equal(json_array_size(desk.sent) + desk.client.doomed, 1);
            desk.client.doomed = false;
        }
    }
    refuse_in_call = 0;
    json_set_alloc_funcs(earlier_alloc, earlier_free);
}

#define DESK(test) cmocka_unit_test_setup_teardown(test, desk_begin, desk_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(who_may_only_look_cannot_act),
        DESK(who_may_not_look_cannot_do_anything),
        DESK(while_all_is_being_stopped_nothing_is_begun),
        DESK(a_request_may_have_so_many_patterns),
        DESK(its_patterns_may_be_so_long_together),
        DESK(an_error_names_what_was_asked_for),
        DESK(without_an_id_nothing_is_answered),
        DESK(a_wait_for_all_is_for_those_that_are_wanted),
        DESK(an_absurd_time_is_a_long_one),
        DESK(what_becomes_of_a_reload),
        DESK(a_reload_that_could_not_wait_is_not_begun),
        DESK(a_shutdown_is_answered_before_it_begins),
        DESK(several_are_restarted_in_their_order),
        DESK(without_memory_each_is_answered_or_cut_off),
    };
    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
