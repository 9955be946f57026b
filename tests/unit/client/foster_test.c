/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The connection: requests and replies find each other, whatever comes in between, in whatever pieces, or not at all.
 */
#include "unit/client/kit.h"

#include <fcntl.h>

enum { RECORD_MAX = 32, RECORD_TEXT = 512 };

/* What the handlers were told, a line each. */
static char records[RECORD_MAX][RECORD_TEXT];
static size_t n_records;

PRINTF_LIKE(1, 2) static void record(const char *fmt, ...)
{
    va_list ap;
    assert_true(n_records < RECORD_MAX);
    va_start(ap, fmt);
    vsnprintf(records[n_records++], RECORD_TEXT, fmt, ap);
    va_end(ap);
}

static void assert_records(const char *const *wanted)
{
    size_t i = 0;
    for (; wanted[i] != NULL && i < n_records; i++)
        assert_string_equal(records[i], wanted[i]);
    assert_null(wanted[i]);
    assert_int_equal(i, n_records);
    n_records = 0;
}
#define ASSERT_RECORDS(...) assert_records((const char *const[]){__VA_ARGS__, NULL})
#define ASSERT_NO_RECORDS() assert_int_equal(n_records, 0)

static void on_notification(struct foster *f, const char *method, const char *params, void *data)
{
    assert_ptr_equal(f, ((struct kit *)data)->f);
    record("%s %s", method, params);
}

static void on_reply(struct foster *f, int64_t id, const char *result, const struct foster_error *error,
                     const char *error_data, void *data)
{
    assert_ptr_equal(f, ((struct kit *)data)->f);
    assert_true((result == NULL) == (error != NULL));
    if (result != NULL)
        record("%lld %s", (long long)id, result);
    else
        record("%lld error %d %s %s", (long long)id, error->code, error->text, error_data != NULL ? error_data : "-");
}

static void listen_in(struct kit *k)
{
    const struct foster_handlers handlers = {on_notification, on_reply, k};
    foster_set_handlers(k->f, &handlers);
    n_records = 0;
}

static int setup(void **state)
{
    static struct kit k;
    kit_listen(&k);
    kit_connect(&k);
    listen_in(&k);
    *state = &k;
    return 0;
}

static int teardown(void **state)
{
    kit_done(*state);
    return 0;
}

static void assert_result(struct kit *k, const char *method, const char *params, const char *wanted)
{
    struct foster_error e;
    char *result = foster_call(k->f, method, params, KIT_GUARD_MS, NULL, &e);
    if (result == NULL)
        fail_msg("%s", e.text);
    assert_string_equal(result, wanted);
    free(result);
}

/* A call without a result; the error is in *E. */
static void assert_no_result(struct kit *k, int timeout_ms, enum foster_error_kind kind, struct foster_error *e)
{
    char *data = (char *)1;
    assert_null(foster_call(k->f, "m", NULL, timeout_ms, &data, e));
    assert_int_equal(e->kind, kind);
    assert_null(data);
}

static void a_call_brings_its_result(void **state)
{
    struct kit *k = *state;
    kit_say(k, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":[1,null,\"\\u00e9\"]}}\n");
    assert_result(k, "hello", "{ \"protocol\" :\n 1 }", "{\"a\":[1,null,\"\xc3\xa9\"]}");
    assert_string_equal(kit_heard(k),
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":1}}\n");
    kit_say(k, "{\"id\":3,\"result\":null}\n");
    assert_result(k, "li\"st", NULL, "null");
    assert_string_equal(kit_heard(k), "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"li\\\"st\"}\n");
    ASSERT_NO_RECORDS();
}

static void replies_find_their_requests(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    assert_int_equal(foster_send(k->f, "a", NULL, &e), 2);
    assert_int_equal(foster_send(k->f, "b", NULL, &e), 4);
    kit_say(k, "{\"id\":4,\"result\":\"b\"}\n{\"id\":1,\"result\":\"c\"}\n"
               "{\"id\":2,\"error\":{\"code\":4,\"message\":\"no\",\"data\":{\"x\":1}}}\n");
    assert_result(k, "c", NULL, "\"c\"");
    ASSERT_RECORDS("4 \"b\"", "2 error 4 no {\"x\":1}");
}

static void notifications_come_before_the_reply(void **state)
{
    struct kit *k = *state;
    kit_say(k, "{\"method\":\"progress\",\"params\":{\"id\":1}}\n{\"method\":\"event\"}\n{\"id\":1,\"result\":true}\n");
    assert_result(k, "start", "{}", "true");
    ASSERT_RECORDS("progress {\"id\":1}", "event {}");
}

static void without_handlers_nobody_is_told(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    const struct foster_handlers none = {0};
    foster_set_handlers(k->f, &none);
    assert_int_equal(foster_send(k->f, "a", NULL, &e), 2);
    kit_say(k, "{\"method\":\"event\",\"params\":{}}\n{\"id\":2,\"result\":1}\n{\"id\":1,\"result\":2}\n");
    assert_result(k, "b", NULL, "2");
    assert_true(foster_dispatch(k->f, &e));
    ASSERT_NO_RECORDS();
}

static void lines_come_in_pieces(void **state)
{
    static const char text[] =
        "{\"method\":\"event\",\"params\":{\"a\":\"\\n\"}}\n{\"id\":2,\"result\":{}}\n{\"method\":\"b\"}\n";
    (void)state;
    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct kit k;
        struct foster_error e;
        kit_listen(&k);
        kit_connect(&k);
        listen_in(&k);
        assert_int_equal(foster_send(k.f, "x", NULL, &e), 2);
        for (size_t at = 0; at < sizeof text - 1; at += piece) {
            char part[sizeof text];
            snprintf(part, sizeof part, "%.*s", (int)piece, text + at);
            kit_say(&k, part);
            assert_true(foster_dispatch(k.f, &e));
        }
        ASSERT_RECORDS("event {\"a\":\"\\n\"}", "2 {}", "b {}");
        kit_done(&k);
    }
}

static void errors_say_what_the_daemon_said(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    char *data;
    kit_say(k, "{\"id\":1,\"error\":{\"code\":4,\"message\":\"no x; say y\",\"data\":{\"service\":\"x\"}}}\n");
    assert_null(foster_call(k->f, "start", NULL, KIT_GUARD_MS, &data, &e));
    assert_int_equal(e.kind, FOSTER_ERR_REPLY);
    assert_int_equal(e.code, 4);
    assert_int_equal(e.errnum, 0);
    assert_string_equal(e.text, "no x; say y");
    assert_string_equal(data, "{\"service\":\"x\"}");
    free(data);
    kit_say(k, "{\"id\":3,\"error\":{\"code\":1,\"message\":\"m\",\"data\":null}}\n");
    assert_no_result(k, KIT_GUARD_MS, FOSTER_ERR_REPLY, &e);
    kit_say(k, "{\"id\":5,\"error\":{\"code\":6,\"message\":\"m\",\"data\":{}}}\n");
    assert_null(foster_call(k->f, "start", NULL, KIT_GUARD_MS, NULL, &e));
    assert_int_equal(e.code, 6);
}

static void a_late_reply_is_passed_over(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    assert_no_result(k, 0, FOSTER_ERR_TIMEOUT, &e);
    assert_non_null(strstr(e.text, k->path));
    kit_say(k, "{\"id\":1,\"result\":\"late\"}\n{\"id\":3,\"result\":\"mine\"}\n");
    assert_result(k, "b", NULL, "\"mine\"");
    ASSERT_NO_RECORDS();
}

static void a_flood_of_notifications_is_no_reason_to_wait(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    kit_say(k, "{\"method\":\"a\"}\n");
    assert_no_result(k, 0, FOSTER_ERR_TIMEOUT, &e);
    ASSERT_RECORDS("a {}");
}

static void what_makes_no_sense_ends_the_connection(void **state)
{
    static const char *const lines[] = {
        "hello\n",
        "\n",
        "1\n",
        "[]\n",
        "{}\n",
        "{\"id\":1}\n",
        "{\"id\":\"1\",\"result\":1}\n",
        "{\"id\":1.0,\"result\":1}\n",
        "{\"id\":null,\"result\":1}\n",
        "{\"id\":0,\"result\":1}\n",
        "{\"id\":3,\"result\":1}\n",
        "{\"id\":2,\"result\":1}\n",
        "{\"id\":-1,\"result\":1}\n",
        "{\"id\":9223372036854775807,\"result\":1}\n",
        "{\"id\":92233720368547758070,\"result\":1}\n",
        "{\"id\":1,\"error\":1}\n",
        "{\"id\":1,\"error\":{\"code\":\"x\",\"message\":\"m\"}}\n",
        "{\"id\":1,\"error\":{\"code\":1}}\n",
        "{\"id\":1,\"method\":\"m\"}\n",
        "{\"method\":1}\n",
        "{\"method\":\"\xff\"}\n",
        "{\"method\":\"m\"} {\"method\":\"m\"}\n",
        "{\"method\":\"m\",\n\"params\":{}}\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct kit k;
        struct foster_error e, again;
        kit_listen(&k);
        kit_connect(&k);
        kit_say(&k, lines[i]);
        assert_null(foster_call(k.f, "m", NULL, KIT_GUARD_MS, NULL, &e));
        if (e.kind != FOSTER_ERR_PROTOCOL)
            fail_msg("case %zu: kind %d: %s", i, e.kind, e.text);
        assert_non_null(strstr(e.text, "is that a fosterd?"));
        assert_int_equal(foster_send(k.f, "m", NULL, &again), -1);
        assert_string_equal(again.text, e.text);
        assert_false(foster_dispatch(k.f, &again));
        assert_int_equal(again.kind, FOSTER_ERR_PROTOCOL);
        kit_done(&k);
    }
}

static void the_end_of_the_connection_is_told(void **state)
{
    struct kit *k = *state;
    struct foster_error e, again;
    kit_say(k, "{\"method\":\"last\"}\n");
    kit_hang_up(k);
    assert_false(foster_dispatch(k->f, &e));
    assert_int_equal(e.kind, FOSTER_ERR_CLOSED);
    ASSERT_RECORDS("last {}");
    assert_no_result(k, KIT_GUARD_MS, FOSTER_ERR_CLOSED, &again);
    assert_string_equal(again.text, e.text);
}

static void an_end_in_mid_line_is_a_fault(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    kit_say(k, "{\"id\":1,\"result\":1}");
    kit_hang_up(k);
    assert_no_result(k, KIT_GUARD_MS, FOSTER_ERR_PROTOCOL, &e);
    assert_non_null(strstr(e.text, "in the middle of a line"));
}

/* Closing with something unread resets the connection: what was said before is there all the same. */
static void why_we_were_cut_off_is_heard(void **state)
{
    static const char why[] = "{\"id\":null,\"error\":{\"code\":-32002,\"message\":\"too many connections\"}}\n";
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct kit k;
        struct foster_error e;
        kit_listen(&k);
        kit_connect(&k);
        if (reset)
            assert_int_equal(foster_send(k.f, "unread", NULL, &e), 2);
        kit_say(&k, why);
        kit_hang_up(&k);
        assert_null(foster_call(k.f, "hello", NULL, KIT_GUARD_MS, NULL, &e));
        assert_int_equal(e.kind, FOSTER_ERR_REPLY);
        assert_int_equal(e.code, -32002);
        assert_string_equal(e.text, "too many connections");
        assert_false(foster_dispatch(k.f, &e));
        assert_int_equal(e.kind, FOSTER_ERR_CLOSED);
        kit_done(&k);
    }
}

static void an_error_without_an_id_goes_to_the_handler(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    kit_say(k, "{\"error\":{\"code\":-32600,\"message\":\"too long\"}}\n");
    assert_true(foster_dispatch(k->f, &e));
    ASSERT_RECORDS("0 error -32600 too long -");
}

static void parameters_have_to_be_an_object(void **state)
{
    static const char *const wrong[] = {"", "[]", "1", "null", "{", "{\"a\":}", "{} {}", "\"x\"", "{\"a\":\"\xff\"}"};
    struct kit *k = *state;
    struct foster_error e;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(foster_send(k->f, "m", wrong[i], &e), -1);
        assert_int_equal(e.kind, FOSTER_ERR_USAGE);
        assert_null(foster_call(k->f, "m", wrong[i], KIT_GUARD_MS, NULL, &e));
        assert_int_equal(e.kind, FOSTER_ERR_USAGE);
    }
    assert_string_equal(kit_heard(k), "");
    assert_int_equal(foster_send(k->f, "m", "{}", &e), 2);
    assert_string_equal(kit_heard(k), "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\",\"params\":{}}\n");
}

static void a_request_fits_what_the_daemon_reads(void **state)
{
    enum { LIMIT = 64 << 10 };
    struct kit *k = *state;
    struct foster_error e;
    char *params = malloc(LIMIT);
    static const char frame[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\",\"params\":{\"a\":\"\"}}\n";
    assert_non_null(params);
    for (size_t more = 0; more < 2; more++) {
        size_t len = LIMIT - (sizeof frame - 1) + more;
        snprintf(params, LIMIT, "{\"a\":\"%0*d\"}", (int)len, 0);
        if (more == 0) {
            assert_int_equal(foster_send(k->f, "m", params, &e), 2);
            assert_int_equal(strlen(kit_heard(k)), LIMIT);
        } else {
            assert_int_equal(foster_send(k->f, "m", params, &e), -1);
            assert_int_equal(e.kind, FOSTER_ERR_USAGE);
            assert_non_null(strstr(e.text, "longer than"));
        }
    }
    free(params);
}

/* The daemon's end reads until it has heard N lines; their text is the caller's to free. */
static char *hear_lines(struct kit *k, size_t n)
{
    size_t len = 0, cap = 4 << 20;
    char *text = malloc(cap + 1);
    assert_non_null(text);
    while (n > 0) {
        struct foster_error e;
        assert_true(foster_dispatch(k->f, &e));
        ssize_t got = recv(k->fd, text + len, cap - len, MSG_DONTWAIT);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            n -= text[len++] == '\n';
    }
    text[len] = '\0';
    return text;
}

/* A daemon that does not read: requests wait, in order and whole, until there are too many. */
static void requests_wait_for_a_daemon_that_does_not_read(void **state)
{
    static char params[20000], wanted[sizeof params + 128];
    struct kit *k = *state;
    struct foster_error e;
    int64_t id, last = 0;
    snprintf(params, sizeof params, "{\"a\":\"%0*d\"}", (int)sizeof params - 64, 7);
    assert_int_equal(foster_events(k->f), POLLIN);
    while ((id = foster_send(k->f, "m", params, &e)) > 0)
        last = id;
    assert_int_equal(e.kind, FOSTER_ERR_SYSTEM);
    assert_int_equal(e.errnum, EAGAIN);
    assert_int_equal(foster_events(k->f), POLLIN | POLLOUT);
    char *text = hear_lines(k, (size_t)last / 2);
    const char *at = text;
    for (id = 2; id <= last; id += 2) {
        snprintf(wanted, sizeof wanted, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"m\",\"params\":%s}\n",
                 (long long)id, params);
        assert_memory_equal(at, wanted, strlen(wanted));
        at += strlen(wanted);
    }
    assert_string_equal(at, "");
    free(text);
    assert_int_equal(foster_events(k->f), POLLIN);
    assert_int_equal(foster_send(k->f, "m", NULL, &e), last + 2);
}

static void reenter(struct foster *f, const char *method, const char *params, void *data)
{
    struct foster_error e;
    (void)params;
    assert_null(foster_call(f, "m", NULL, KIT_GUARD_MS, NULL, &e));
    assert_int_equal(e.kind, FOSTER_ERR_USAGE);
    assert_false(foster_dispatch(f, &e));
    assert_int_equal(e.kind, FOSTER_ERR_USAGE);
    *(int64_t *)data = foster_send(f, method, NULL, &e);
}

static void a_handler_may_ask_and_no_more(void **state)
{
    struct kit *k = *state;
    struct foster_error e;
    int64_t id = 0;
    const struct foster_handlers handlers = {.on_notification = reenter, .data = &id};
    foster_set_handlers(k->f, &handlers);
    kit_say(k, "{\"method\":\"again\"}\n");
    assert_true(foster_dispatch(k->f, &e));
    assert_int_equal(id, 2);
    assert_string_equal(kit_heard(k), "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"again\"}\n");
}

static void descriptors_are_private_and_given_back(void **state)
{
    size_t n = kit_count_fds();
    struct kit k;
    (void)state;
    kit_listen(&k);
    kit_connect(&k);
    assert_int_equal(fcntl(foster_fd(k.f), F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(foster_fd(k.f), F_GETFL) & O_NONBLOCK) != 0);
    assert_string_equal(foster_path(k.f), k.path);
    kit_done(&k);
    foster_free(NULL);
    assert_int_equal(kit_count_fds(), n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_brings_its_result),
        TEST(replies_find_their_requests),
        TEST(notifications_come_before_the_reply),
        TEST(without_handlers_nobody_is_told),
        cmocka_unit_test(lines_come_in_pieces),
        TEST(errors_say_what_the_daemon_said),
        TEST(a_late_reply_is_passed_over),
        TEST(a_flood_of_notifications_is_no_reason_to_wait),
        cmocka_unit_test(what_makes_no_sense_ends_the_connection),
        TEST(the_end_of_the_connection_is_told),
        TEST(an_end_in_mid_line_is_a_fault),
        cmocka_unit_test(why_we_were_cut_off_is_heard),
        TEST(an_error_without_an_id_goes_to_the_handler),
        TEST(parameters_have_to_be_an_object),
        TEST(a_request_fits_what_the_daemon_reads),
        TEST(requests_wait_for_a_daemon_that_does_not_read),
        TEST(a_handler_may_ask_and_no_more),
        cmocka_unit_test(descriptors_are_private_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
