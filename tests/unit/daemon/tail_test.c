/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The last lines of a service against a model that keeps all of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "daemon/tail.h"

#include "base/compiler.h"
#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 4000, TEXT_MAX = 1 << 16 };

/* Lines as text, each ended by '|'. */
struct text {
    char text[TEXT_MAX];
    size_t len;
    size_t n;
    size_t stop_after;
};

static bool take(const char *line, size_t len, void *data)
{
    struct text *t = data;
    memcpy(t->text + t->len, line, len);
    t->len += len;
    t->text[t->len++] = '|';
    t->text[t->len] = '\0';
    return ++t->n != t->stop_after;
}

static const char *last(const struct tail *t, size_t n)
{
    static struct text text;
    memset(&text, 0, sizeof text);
    tail_each(t, n, take, &text);
    return text.text;
}

static void add(struct tail *t, const char *line)
{
    tail_add(t, line, strlen(line));
}

static void test_few_lines(void **state)
{
    struct tail t = {0};
    (void)state;
    assert_string_equal(last(&t, 5), "");
    add(&t, "one");
    add(&t, "");
    add(&t, "three");
    assert_string_equal(last(&t, 5), "one||three|");
    assert_string_equal(last(&t, 3), "one||three|");
    assert_string_equal(last(&t, 2), "|three|");
    assert_string_equal(last(&t, 1), "three|");
    assert_string_equal(last(&t, 0), "");
    tail_done(&t);
    assert_string_equal(last(&t, 5), "");
    add(&t, "again");
    assert_string_equal(last(&t, 5), "again|");
    tail_done(&t);
}

static void test_long_lines_are_cut(void **state)
{
    static char line[3 * TAIL_LINE_MAX];
    struct tail t = {0};
    (void)state;
    memset(line, 'x', sizeof line);
    tail_add(&t, line, sizeof line);
    assert_int_equal(strlen(last(&t, 1)), TAIL_LINE_MAX + 1);
    tail_add(&t, line, TAIL_LINE_MAX);
    assert_int_equal(strlen(last(&t, 1)), TAIL_LINE_MAX + 1);
    tail_add(&t, "a\nb", 3);
    assert_string_equal(last(&t, 1), "a|");
    tail_done(&t);
}

static void test_it_stops_when_told(void **state)
{
    struct tail t = {0};
    static struct text text = {.stop_after = 2};
    (void)state;
    add(&t, "one");
    add(&t, "two");
    add(&t, "three");
    tail_each(&t, 3, take, &text);
    assert_string_equal(text.text, "one|two|");
    tail_done(&t);
}

/* The end of what the model has, of whole lines, that fits into the ring. */
static const char *kept(const char *all, size_t len)
{
    const char *from = len > TAIL_BYTES_MAX ? all + len - TAIL_BYTES_MAX : all;
    while (from > all && from[-1] != '|')
        from++;
    return from;
}

static void test_random_lines_against_a_model(void **state)
{
    static char all[LINES * 200];
    struct tail t = {0};
    size_t len = 0;
    uint64_t seed = test_seed();
    (void)state;
    for (int i = 0; i < LINES; i++) {
        char line[200];
        int n = (int)test_rand_below(&seed, i % 50 == 0 ? 190 : 40);
        snprintf(line, sizeof line, "%d:%0*d", i, n, i);
        add(&t, line);
        len += (size_t)snprintf(all + len, sizeof all - len, "%s|", line);
        if (i % 7 == 0) {
            assert_string_equal(last(&t, SIZE_MAX), kept(all, len));
            assert_true(t.cap <= TAIL_BYTES_MAX);
        }
        if (i % 11 == 0) {
            char expected[210];
            snprintf(expected, sizeof expected, "%s|", line);
            assert_string_equal(last(&t, 1), expected);
        }
    }
    tail_done(&t);
}

static void test_lines_of_a_run(void **state)
{
    struct tail t = {0};
    (void)state;
    add(&t, "before");
    tail_begin_run(&t);
    assert_int_equal(t.n_of_run, 0);
    add(&t, "one");
    add(&t, "two");
    assert_int_equal(t.n_of_run, 2);
    assert_string_equal(last(&t, t.n_of_run), "one|two|");
    assert_string_equal(last(&t, SIZE_MAX), "before|one|two|");
    tail_done(&t);
}

static void test_as_json(void **state)
{
    struct tail t = {0};
    (void)state;
    json_t *lines = tail_json(&t, 3);
    assert_int_equal(json_array_size(lines), 0);
    json_decref(lines);
    add(&t, "one");
    tail_add(&t, "\xff\0x", 3);
    lines = tail_json(&t, 3);
    assert_int_equal(json_array_size(lines), 2);
    assert_string_equal(json_string_value(json_array_get(lines, 0)), "one");
    assert_string_equal(json_string_value(json_array_get(lines, 1)), "\xef\xbf\xbd\xef\xbf\xbdx");
    json_decref(lines);
    tail_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_lines),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_it_stops_when_told),
        cmocka_unit_test(test_random_lines_against_a_model),
        cmocka_unit_test(test_as_json),
        cmocka_unit_test(test_lines_of_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
