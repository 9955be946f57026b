/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The last lines of output, read from rings: how many, of which run, how long, in which order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/stream_kit.h"

#include "daemon/tail.h"

#include <stdlib.h>

static struct output_stream streams[SPEC_STREAM_N];
static struct engine_unit unit;

static int begin(void **state)
{
    (void)state;
    unit = (struct engine_unit){0};
    for (size_t i = 0; i < SPEC_STREAM_N; i++)
        stream_make(&streams[i], LOGRING_SIZE_DEFAULT);
    unit.out[SPEC_STREAM_OUT] = &streams[SPEC_STREAM_OUT];
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_STREAM_N; i++)
        stream_unmake(&streams[i]);
    return 0;
}

static void put(enum spec_stream i, const char *text, int64_t real_us)
{
    stream_put(&streams[i], text, strlen(text), real_us);
}

/** Asserts that the last N lines are those of EXPECTED, each with a slash behind it. */
static void check(size_t n, const struct output_place *from, const char *expected)
{
    char text[256] = "";
    size_t at = 0, i;
    json_t *lines = tail_json(&unit, n, from), *line;
    assert_non_null(lines);
    json_array_foreach(lines, i, line) at +=
        (size_t)snprintf(text + at, sizeof text - at, "%s/", json_string_value(line));
    json_decref(lines);
    assert_string_equal(text, expected);
}

static void so_many_are_given(void **state)
{
    (void)state;
    check(3, NULL, "");
    put(SPEC_STREAM_OUT, "a\nb\n", 1);
    check(3, NULL, "a/b/");
    check(1, NULL, "b/");
    check(0, NULL, "");
    put(SPEC_STREAM_OUT, "\n\nc", 2);
    check(9, NULL, "a/b///c/");
    check(2, NULL, "/c/");
    unit.out[SPEC_STREAM_OUT] = NULL;
    check(3, NULL, "");
}

static void runs_are_apart(void **state)
{
    struct output_place first = {{0}}, second = {{4}};
    (void)state;
    put(SPEC_STREAM_OUT, "a\nb\n", 1);
    logring_begin_run(&streams[0].ring, 4);
    put(SPEC_STREAM_OUT, "c\n", 2);
    check(9, &first, "a/b/");
    check(9, &second, "c/");
    check(9, NULL, "a/b/c/");
    logring_begin_run(&streams[0].ring, 6);
    check(9, &second, "c/");
    check(9, &(struct output_place){{6}}, "");
}

static void both_streams_are_in_order(void **state)
{
    (void)state;
    unit.out[SPEC_STREAM_ERR] = &streams[SPEC_STREAM_ERR];
    put(SPEC_STREAM_OUT, "one\n", 10);
    put(SPEC_STREAM_ERR, "two\n", 20);
    put(SPEC_STREAM_OUT, "three\nfour\n", 30);
    put(SPEC_STREAM_ERR, "five", 40);
    check(9, NULL, "one/two/three/four/five/");
    check(4, NULL, "two/three/four/five/");
}

static void long_lines_are_cut(void **state)
{
    static char line[3 * TAIL_LINE_MAX];
    (void)state;
    memset(line, 'x', sizeof line);
    stream_put(&streams[0], line, sizeof line, 1);
    put(SPEC_STREAM_OUT, "\nshort\n", 1);
    json_t *lines = tail_json(&unit, 5, NULL);
    assert_int_equal(json_array_size(lines), 2);
    assert_int_equal(json_string_length(json_array_get(lines, 0)), TAIL_LINE_MAX);
    json_decref(lines);
}

/* The ring begins in the middle of a line, which is none; and so much is enough. */
static void what_was_overwritten_is_not_there(void **state)
{
    char line[32];
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int len = snprintf(line, sizeof line, "line %d\n", i);
        stream_put(&streams[0], line, (size_t)len, i);
    }
    check(2, NULL, "line 19998/line 19999/");
    json_t *lines = tail_json(&unit, 100000, NULL);
    size_t n = json_array_size(lines), n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(lines, i));
        snprintf(line, sizeof line, "line %zu", 20000 - n + i);
        assert_string_equal(text, line);
        n_bytes += strlen(text) + 1;
    }
    assert_in_range(n_bytes, TAIL_BYTES_MAX - sizeof line, TAIL_BYTES_MAX + sizeof line);
    json_decref(lines);
}

static void a_fragment_is_no_line(void **state)
{
    static char line[LOGRING_SIZE_DEFAULT];
    (void)state;
    memset(line, 'x', sizeof line);
    stream_put(&streams[0], line, sizeof line, 1);
    put(SPEC_STREAM_OUT, "\nwhole\n", 2);
    check(9, NULL, "whole/");
}

static void what_is_no_text_is_shown_as_such(void **state)
{
    (void)state;
    stream_put(&streams[0], "a\xff\0b\r\n", 6, 1);
    check(1, NULL, "a\xef\xbf\xbd\xef\xbf\xbd\x62\r/");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(so_many_are_given),
        TEST(runs_are_apart),
        TEST(both_streams_are_in_order),
        TEST(long_lines_are_cut),
        TEST(what_was_overwritten_is_not_there),
        TEST(a_fragment_is_no_line),
        TEST(what_is_no_text_is_shown_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
