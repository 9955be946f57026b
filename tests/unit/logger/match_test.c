/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The line that shows that a service is ready: which lines count, how often one is told of, and that a logger that is
 * killed has missed none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/rig.h"

enum { RING = 65536 };

static struct rig rig;
static struct rig_stream *web;

/** What was told of lines. */
static struct {
    size_t n;
    uint64_t from;
    char text[LOGLINE_MAX + 1];
} told;

static int setup(void **state)
{
    static const struct spec_log log = {.driver = SPEC_LOG_NONE};
    (void)state;
    rig_init(&rig);
    web = rig_add(&rig, "web", &log, RING);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_done(&rig);
    return 0;
}

/* Has the logger take in what there is (KIND: TAKE or SYNC), and notes what it tells meanwhile. Returns how many lines
 * that were. */
static size_t look(enum message_kind kind)
{
    static uint64_t seq;
    const struct message ask = {.kind = kind, .id = web->d.id, .seq = ++seq, .fds = {-1, -1}};
    rig_send(&rig, &ask);
    for (told.n = 0;;) {
        struct pollfd p = {.fd = rig.sock, .events = POLLIN};
        assert_int_equal(poll(&p, 1, RIG_GUARD_MS), 1);
        assert_int_equal(message_receive(rig.sock, &rig.in), 1);
        const struct message *m = &rig.in.m;
        if (m->kind == MESSAGE_SYNCED && m->seq == seq)
            return told.n;
        if (m->kind != MESSAGE_MATCHED)
            continue;
        assert_int_equal(m->id, web->d.id);
        told.n++;
        told.from = m->seq;
        snprintf(told.text, sizeof told.text, "%s", m->text);
    }
}

static void say(const char *text, size_t len)
{
    assert_int_equal(write(web->write_fd, text, len), len);
}

static void says(const char *text)
{
    say(text, strlen(text));
}

static void look_for(const char *pattern, uint64_t from)
{
    struct message set = {.kind = MESSAGE_SET, .id = web->d.id, .stream = web->d, .fds = {-1, -1}};
    set.stream.match = pattern;
    set.stream.match_from = from;
    rig_send(&rig, &set);
}

static void test_a_line_is_told_of_once(void **state)
{
    (void)state;
    web->d.match = "^up [0-9]+$";
    rig_start(&rig);
    says("up\nset up 1\n\nup 1 2\n");
    assert_int_equal(look(MESSAGE_SYNC), 0);
    says("up 77\nup 78\n");
    assert_int_equal(look(MESSAGE_SYNC), 1);
    assert_string_equal(told.text, "up 77");
    assert_int_equal(told.from, 0);
    says("up 79\n");
    assert_int_equal(look(MESSAGE_SYNC), 0);
    rig_finish(&rig);
}

/* What came before is of another run. */
static void test_only_lines_from_there_on(void **state)
{
    (void)state;
    web->d.match = "ready";
    web->d.match_from = 10;
    rig_start(&rig);
    says("ready old\n");
    assert_int_equal(look(MESSAGE_SYNC), 0);
    says("ready new\n");
    assert_int_equal(look(MESSAGE_SYNC), 1);
    assert_string_equal(told.text, "ready new");
    assert_int_equal(told.from, 10);
    rig_finish(&rig);
}

/* A line counts at its end, or when nothing more of it is to be waited for. */
static void test_lines_in_portions(void **state)
{
    (void)state;
    web->d.match = "^ready$";
    rig_start(&rig);
    says("rea");
    assert_int_equal(look(MESSAGE_TAKE), 0);
    says("dy");
    assert_int_equal(look(MESSAGE_TAKE), 0);
    says("\n");
    assert_int_equal(look(MESSAGE_TAKE), 1);
    look_for("^again$", web->ring.head->end);
    says("again");
    assert_int_equal(look(MESSAGE_TAKE), 0);
    assert_int_equal(look(MESSAGE_SYNC), 1);
    assert_string_equal(told.text, "again");
    rig_finish(&rig);
}

static void test_odd_lines(void **state)
{
    (void)state;
    web->d.match = "^of DOS$";
    rig_start(&rig);
    says("of DOS\r\n");
    assert_int_equal(look(MESSAGE_SYNC), 1);
    assert_string_equal(told.text, "of DOS");
    look_for("^with NUL$", web->ring.head->end);
    say("with\0NUL\n", 9);
    assert_int_equal(look(MESSAGE_SYNC), 1);
    look_for("^$", web->ring.head->end);
    says("\n");
    assert_int_equal(look(MESSAGE_SYNC), 1);
    /* Of a line that is too long, each piece counts. */
    static char line[LOGLINE_MAX + 6];
    memset(line, 'x', sizeof line);
    memcpy(line + LOGLINE_MAX, "ready\n", 6);
    look_for("^ready$", web->ring.head->end);
    say(line, sizeof line);
    assert_int_equal(look(MESSAGE_SYNC), 1);
    rig_finish(&rig);
}

/* What is looked for changes, and ends; what is there already counts as well. */
static void test_another_pattern(void **state)
{
    (void)state;
    web->d.match = "one";
    rig_start(&rig);
    says("two\n");
    assert_int_equal(look(MESSAGE_SYNC), 0);
    look_for("two", 0);
    assert_int_equal(look(MESSAGE_SYNC), 1);
    look_for("three", 0);
    look_for(NULL, 0);
    says("three\n");
    assert_int_equal(look(MESSAGE_SYNC), 0);
    /* Saying the same again does not begin anew: the line goes on where it was. */
    look_for("^four$", 0);
    says("fo");
    assert_int_equal(look(MESSAGE_TAKE), 0);
    look_for("^four$", 0);
    says("ur\n");
    assert_int_equal(look(MESSAGE_TAKE), 1);
    rig_finish(&rig);
}

/* The line came to a logger that could tell nobody: the next one finds it, although neither fosterd nor the service
 * says anything more to it. */
static void test_a_logger_is_killed(void **state)
{
    (void)state;
    rig_start(&rig);
    says("ready\nmore\n");
    assert_int_equal(look(MESSAGE_SYNC), 0);
    rig_kill(&rig);
    web->d.match = "^ready$";
    rig_start(&rig);
    assert_string_equal(rig_await(&rig, MESSAGE_MATCHED)->text, "ready");
    rig_finish(&rig);
}

/* More has come than is kept: what is left of it is looked at. */
static void test_more_than_there_is_room_for(void **state)
{
    (void)state;
    rig_start(&rig);
    char line[128];
    for (int i = 0; i < 700; i++) {
        snprintf(line, sizeof line, "%0*d\n", 98, i);
        says(line);
        if (i % 100 == 99)
            assert_int_equal(look(MESSAGE_SYNC), 0);
    }
    assert_true(logring_oldest(&web->ring) > 0);
    look_for("0010$|0699$", 0);
    assert_int_equal(look(MESSAGE_SYNC), 1);
    assert_non_null(strstr(told.text, "0699"));
    rig_finish(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_is_told_of_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_lines_from_there_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_in_portions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_pattern, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_logger_is_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_there_is_room_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
