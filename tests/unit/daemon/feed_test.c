/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The stream of events: who is told of what, what is kept, and what becomes of texts that are no text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/feed.h"
#include "sys/sys_time.h"

#include "unit/daemon/rig.h"

/* A subscriber that remembers. */
struct ear {
    struct feed_subscriber s;
    json_t *heard; /* owned; array of notifications */
};

static struct feed feed;
static struct ear ears[2];

static void on_event(struct feed_subscriber *s, const char *line, size_t len)
{
    struct ear *ear = CONTAINER_OF(s, struct ear, s);
    bool is_line = len > 0 && memchr(line, '\n', len) == line + len - 1;
    json_array_append_new(ear->heard, is_line ? json_loadb(line, len, 0, NULL) : json_null());
    /* What has no event may be logged here. */
    log_debug("heard");
}

static int begin(void **state)
{
    rig_begin(state);
    rig_catch_log(LOG_LEVEL_ERROR);
    feed_init(&feed);
    for (size_t i = 0; i < ARRAY_LEN(ears); i++)
        ears[i] = (struct ear){.s.on_event = on_event, .heard = json_array()};
    return 0;
}

static int end(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(ears); i++) {
        feed_unsubscribe(&ears[i].s);
        json_decref(ears[i].heard);
    }
    feed_done(&feed);
    return rig_end(state);
}

static void listen_to(size_t ear, const char *names)
{
    json_t *array = names != NULL ? json_loads(names, 0, NULL) : NULL;
    assert_true(feed_subscribe(&feed, &ears[ear].s, array));
    json_decref(array);
}

static void happens(const char *service, const char *event, const char *text)
{
    struct log_about about = {.service = service, .event = event, .pid = 42, .run = 7, .code = 9, .code_kind = 's'};
    log_write(LOG_LEVEL_INFO, &about, "%s", text);
}

static size_t n_heard(size_t ear)
{
    return json_array_size(ears[ear].heard);
}

/* The member NAME of the event that EAR heard as number I. */
static const json_t *member(size_t ear, size_t i, const char *name)
{
    const json_t *message = json_array_get(ears[ear].heard, i);
    assert_string_equal(json_string_value(json_object_get(message, "method")), "event");
    assert_null(json_object_get(message, "id"));
    return json_object_get(json_object_get(message, "params"), name);
}

static const char *text_of(size_t ear, size_t i, const char *name)
{
    const char *text = json_string_value(member(ear, i, name));
    return text != NULL ? text : "";
}

static void an_event_is_told_with_all_that_is_known(void **state)
{
    (void)state;
    int64_t before = sys_unix_ms() / 1000;
    listen_to(0, NULL);
    happens("web.2", "exited", "killed by SIGKILL");
    assert_int_equal(n_heard(0), 1);
    assert_int_equal(json_integer_value(member(0, 0, "seq")), 1);
    assert_string_equal(text_of(0, 0, "event"), "exited");
    assert_string_equal(text_of(0, 0, "level"), "info");
    assert_string_equal(text_of(0, 0, "service"), "web.2");
    assert_string_equal(text_of(0, 0, "signal"), "SIGKILL");
    assert_string_equal(text_of(0, 0, "text"), "killed by SIGKILL");
    assert_int_equal(json_integer_value(member(0, 0, "pid")), 42);
    assert_int_equal(json_integer_value(member(0, 0, "run")), 7);
    assert_true(json_is_null(member(0, 0, "code")));
    assert_true(json_is_null(member(0, 0, "from")));
    struct tm tm = {0};
    const char *rest = strptime(text_of(0, 0, "time"), "%Y-%m-%dT%H:%M:%S", &tm);
    assert_non_null(rest);
    assert_int_equal(*rest, '.');
    assert_true(timegm(&tm) >= before);
    assert_true(timegm(&tm) <= sys_unix_ms() / 1000);
}

static void what_has_no_event_is_not_told(void **state)
{
    (void)state;
    listen_to(0, NULL);
    log_err("just so");
    struct log_about about = {.service = "web"};
    log_write(LOG_LEVEL_WARN, &about, "about web");
    assert_int_equal(n_heard(0), 0);
    assert_int_equal(feed.seq, 0);
}

static void who_has_not_subscribed_is_not_told(void **state)
{
    (void)state;
    happens("web", "started", "one");
    listen_to(0, NULL);
    listen_to(1, NULL);
    happens("web", "ready", "two");
    feed_unsubscribe(&ears[0].s);
    feed_unsubscribe(&ears[0].s);
    happens("web", "exited", "three");
    assert_int_equal(n_heard(0), 1);
    assert_int_equal(n_heard(1), 2);
    assert_int_equal(json_integer_value(member(0, 0, "seq")), 2);
    assert_int_equal(json_integer_value(member(1, 1, "seq")), 3);
}

static void names_and_patterns_choose(void **state)
{
    static const struct {
        const char *names;
        const char *service;
        bool told;
    } cases[] = {
        {"[\"web\"]", "web", true},
        {"[\"web\"]", "web.2", true},
        {"[\"web.2\"]", "web.2", true},
        {"[\"web.2\"]", "web.3", false},
        {"[\"web.2\"]", "web", false},
        {"[\"web\"]", "webby", false},
        {"[\"w*\"]", "webby", true},
        {"[\"w?b\"]", "web.11", true},
        {"[\"web.[12]\"]", "web.2", true},
        {"[\"web.[12]\"]", "web.22", false},
        {"[\"web\"]", "web.x", false},
        {"[\"web\"]", "web.", false},
        {"[\"web.x\"]", "web.x.4", true},
        {"[\"db\", \"web\"]", "web", true},
        {"[\"web\", \"q*\", \"db\", \"app\", \"a?\", \"app\"]", "app.3", true},
        {"[\"web\", \"q*\", \"db\", \"app\", \"a?\"]", "web", true},
        {"[\"web\", \"q*\", \"db\", \"app\", \"a?\"]", "ab.1", true},
        {"[\"web\", \"q*\", \"db\", \"app\", \"a?\"]", "xyz", false},
        {"[\"*\"]", "web", true},
        {"[\"*\"]", NULL, false},
        {"[]", "web", true},
        {"[]", NULL, true},
        {NULL, NULL, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t before = n_heard(0);
        listen_to(0, cases[i].names);
        happens(cases[i].service, "started", "");
        if (n_heard(0) - before != cases[i].told)
            fail_msg("case %zu: %s and %s", i, cases[i].names, cases[i].service);
    }
    listen_to(0, "[\"web\"]");
    size_t before = n_heard(0);
    happens(NULL, "shutdown", "");
    assert_int_equal(n_heard(0), before + 1);
}

static void what_is_named_twice_is_kept_once(void **state)
{
    (void)state;
    listen_to(0, "[\"web\", \"db*\", \"web\", \"app\", \"db*\", \"web\"]");
    assert_int_equal(ears[0].s.n_names, 3);
    assert_string_equal(ears[0].s.names[0], "db*");
    assert_string_equal(ears[0].s.names[1], "app");
    assert_string_equal(ears[0].s.names[2], "web");
}

static void states_are_told_to_those_who_ask(void **state)
{
    (void)state;
    struct unit_view u = {.name = "web.2", .run = 3, .main_pid = 99};
    ears[1].s.states = true;
    listen_to(0, NULL);
    listen_to(1, NULL);
    feed_state(&feed, &u, UNIT_STARTING, UNIT_RUNNING);
    assert_int_equal(n_heard(0), 0);
    assert_int_equal(n_heard(1), 1);
    assert_string_equal(text_of(1, 0, "event"), "state");
    assert_string_equal(text_of(1, 0, "level"), "debug");
    assert_string_equal(text_of(1, 0, "from"), "starting");
    assert_string_equal(text_of(1, 0, "to"), "running");
    assert_string_equal(text_of(1, 0, "service"), "web.2");
    assert_int_equal(json_integer_value(member(1, 0, "pid")), 99);
    json_t *recent = feed_recent(&feed, &ears[1].s, 10);
    assert_int_equal(json_array_size(recent), 0);
    json_decref(recent);
}

/* The texts of the last N events that EAR would have been told of, as one string. */
static const char *recent_texts(size_t ear, size_t n)
{
    static char all[FEED_RECENT_MAX * 8];
    all[0] = '\0';
    json_t *recent = feed_recent(&feed, &ears[ear].s, n);
    size_t i;
    const json_t *ev;
    assert_non_null(recent);
    json_array_foreach(recent, i, ev) strcat(strcat(all, json_string_value(json_object_get(ev, "text"))), " ");
    json_decref(recent);
    return all;
}

static void the_last_events_are_kept(void **state)
{
    (void)state;
    assert_string_equal(recent_texts(0, 5), "");
    happens("web", "started", "a");
    happens("db", "started", "b");
    struct log_about about = {.service = "web", .event = "noise"};
    log_write(LOG_LEVEL_DEBUG, &about, "c");
    happens(NULL, "settled", "d");
    happens("web", "ready", "e");
    assert_string_equal(recent_texts(0, 5), "a b d e ");
    assert_string_equal(recent_texts(0, 2), "d e ");
    assert_string_equal(recent_texts(0, 0), "");
    listen_to(0, "[\"web\"]");
    assert_string_equal(recent_texts(0, 5), "a e ");
    assert_string_equal(recent_texts(0, 1), "e ");
}

static void only_so_many_are_kept(void **state)
{
    (void)state;
    char text[16], expected[64];
    const int n = 3 * FEED_RECENT_MAX + 5;
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%d", i);
        happens("web", "started", text);
    }
    snprintf(expected, sizeof expected, "%d %d %d ", n - 3, n - 2, n - 1);
    assert_string_equal(recent_texts(0, 3), expected);
    snprintf(expected, sizeof expected, "%d ", n - FEED_RECENT_MAX);
    assert_memory_equal(recent_texts(0, 10 * FEED_RECENT_MAX), expected, strlen(expected));
    json_t *recent = feed_recent(&feed, &ears[0].s, SIZE_MAX);
    assert_int_equal(json_array_size(recent), FEED_RECENT_MAX);
    json_decref(recent);
    assert_int_equal(feed.seq, n);
}

static void a_text_is_cut_between_two_characters(void **state)
{
    (void)state;
    char text[1000] = "x";
    for (size_t i = 0; i < 450; i++)
        strcat(text, "\xc3\xa4");
    listen_to(0, NULL);
    happens("web", "exited", text);
    const char *told = text_of(0, 0, "text");
    assert_int_equal(strlen(told), EFFECT_TEXT_MAX - 1);
    assert_memory_equal(told, text, EFFECT_TEXT_MAX - 1);
}

static void what_is_no_utf8_is_told_all_the_same(void **state)
{
    (void)state;
    listen_to(0, NULL);
    happens("web", "adopted", "process 4 (\xff\xfe\x80) of \x1b[2J");
    assert_int_equal(n_heard(0), 1);
    char *line = json_dumps(json_array_get(ears[0].heard, 0), 0);
    assert_non_null(line);
    assert_null(strchr(line, '\x1b'));
    assert_non_null(strstr(line, "process 4 ("));
    free(line);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    listen_to(0, NULL);
    happens(name, name, "x");
    assert_int_equal(strlen(text_of(0, 0, "service")), SPEC_NAME_MAX + 7);
    assert_in_range(strlen(text_of(0, 0, "event")), 12, 30);
}

static void at_its_end_nobody_listens(void **state)
{
    (void)state;
    listen_to(0, "[\"web\"]");
    happens("web", "started", "a");
    feed_done(&feed);
    happens("web", "exited", "b");
    assert_int_equal(n_heard(0), 1);
    assert_null(ears[0].s.names);
    feed_init(&feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_told_with_all_that_is_known, begin, end),
        cmocka_unit_test_setup_teardown(what_has_no_event_is_not_told, begin, end),
        cmocka_unit_test_setup_teardown(who_has_not_subscribed_is_not_told, begin, end),
        cmocka_unit_test_setup_teardown(names_and_patterns_choose, begin, end),
        cmocka_unit_test_setup_teardown(what_is_named_twice_is_kept_once, begin, end),
        cmocka_unit_test_setup_teardown(states_are_told_to_those_who_ask, begin, end),
        cmocka_unit_test_setup_teardown(the_last_events_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(only_so_many_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(a_text_is_cut_between_two_characters, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_utf8_is_told_all_the_same, begin, end),
        cmocka_unit_test_setup_teardown(long_names_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(at_its_end_nobody_listens, begin, end),
    };
    return cmocka_run_group_tests_name("feed", tests, rig_open_loop, rig_close_loop);
}
