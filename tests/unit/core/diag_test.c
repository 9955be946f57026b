/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Problems are kept, ordered, bounded, and printed safely.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/diag.h"

#include "support/seed.h"

#include <stdio.h>
#include <string.h>

static struct diag_pos at(const char *file, unsigned line, unsigned column)
{
    return (struct diag_pos){.file = file, .line = line, .column = column};
}

static void expect_print(const struct diag_list *d, const char *expected)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    diag_print(d, &out);
    assert_string_equal(buf_str(&out), expected);
    buf_done(&out);
}

static void starts_empty(void **state)
{
    struct diag_list d = {.n = 0};

    (void)state;
    diag_sort(&d);
    expect_print(&d, "");
    diag_done(&d);
}

static void prints_what_is_known_of_a_place(void **state)
{
    static const struct {
        struct diag_pos pos;
        const char *expected;
    } cases[] = {
        {{"foster.yaml", 12, 3}, "foster.yaml:12:3: bad; good\n"},
        {{"foster.yaml", 12, 0}, "foster.yaml:12: bad; good\n"},
        {{"foster.yaml", 0, 0}, "foster.yaml: bad; good\n"},
        {{"foster.yaml", 0, 7}, "foster.yaml: bad; good\n"},
        {{NULL, 0, 0}, "bad; good\n"},
        {{NULL, 5, 5}, "bad; good\n"},
        {{"", 1, 1}, ":1:1: bad; good\n"},
        {{"a\nb\033[2J\x7f", 1, 1}, "a?b?[2J?:1:1: bad; good\n"},
        {{"caf\xc3\xa9.yaml", 1, 1}, "caf\xc3\xa9.yaml:1:1: bad; good\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diag_list d = {.n = 0};

        diag_error(&d, cases[i].pos, "%s; %s", "bad", "good");
        assert_int_equal(d.n, 1);
        assert_int_equal(d.n_errors, 1);
        expect_print(&d, cases[i].expected);
        diag_done(&d);
    }
}

static void says_warning(void **state)
{
    struct diag_list d = {.n = 0};

    (void)state;
    diag_warning(&d, at("f", 1, 2), "old; use %d", 3);
    diag_error(&d, at("f", 1, 1), "bad");
    diag_sort(&d);
    assert_int_equal(d.n_errors, 1);
    assert_int_equal(d.items[0].severity, DIAG_ERROR);
    expect_print(&d, "f:1:1: bad\nf:1:2: warning: old; use 3\n");
    diag_done(&d);
}

static void text_is_made_printable(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"a\nb:1:1: fake", "a?b:1:1: fake\n"},
        {"\x1b[31m\x7f\t", "?[31m??\n"},
        {"c1 \xc2\x9b", "c1 ??\n"},
        {"\xc2\xa0 \xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x98\x80", "\xc2\xa0 \xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x98\x80\n"},
        {"latin \xe9!", "latin ?!\n"},
        {"cut \xe2\x80", "cut ??\n"},
        {"", "\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diag_list d = {.n = 0};

        diag_error(&d, at(NULL, 0, 0), "%s", cases[i].text);
        expect_print(&d, cases[i].expected);
        diag_done(&d);
    }
}

static void long_text_is_cut_between_characters(void **state)
{
    char text[4096];

    (void)state;
    /* Each shift puts the cut at another byte of the two-byte character. */
    for (size_t shift = 0; shift < 4; shift++) {
        struct diag_list d = {.n = 0};
        const char *got;
        size_t len;

        memset(text, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xc3\xa9", 3);
        diag_error(&d, at("f", 1, 1), "%s", text);
        assert_int_equal(d.n, 1);
        got = d.items[0].text;
        len = strlen(got);
        assert_in_range(len, 600, 640);
        assert_string_equal(got + len - 3, "\xe2\x80\xa6");
        assert_string_equal(got + len - 5, "\xc3\xa9\xe2\x80\xa6");
        assert_null(strchr(got, '?'));
        diag_done(&d);
    }
}

static void sorts_by_file_line_column(void **state)
{
    struct diag_list d = {.n = 0};

    (void)state;
    diag_error(&d, at("main", 9, 1), "m9");
    diag_error(&d, at("b", 2, 7), "b2.7");
    diag_error(&d, at("a", 1, 1), "a1");
    diag_error(&d, at("main", 0, 0), "m0");
    diag_error(&d, at(NULL, 0, 0), "cli");
    diag_error(&d, at("b", 2, 3), "b2.3 first");
    diag_error(&d, at("main", 9, 1), "m9 again");
    diag_error(&d, at("b", 2, 3), "b2.3 second");
    diag_sort(&d);
    expect_print(&d, "main: m0\nmain:9:1: m9\nmain:9:1: m9 again\n"
                     "b:2:3: b2.3 first\nb:2:3: b2.3 second\nb:2:7: b2.7\n"
                     "a:1:1: a1\n"
                     "cli\n");
    diag_sort(&d);
    assert_string_equal(d.items[0].text, "m0");
    assert_string_equal(d.items[7].text, "cli");
    diag_done(&d);
}

/* Any order of adding gives the order of places, and problems of one place stay in the order found. */
static void sorts_any_order(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < 50; round++) {
        struct diag_list d = {.n = 0};

        for (unsigned i = 0; i < DIAG_MAX; i++) {
            unsigned line = (unsigned)test_rand_below(&seed, 16);

            diag_error(&d, at("f", line, (unsigned)test_rand_below(&seed, 4)), "%02u", i);
        }
        diag_sort(&d);
        assert_int_equal(d.n, DIAG_MAX);
        for (size_t i = 1; i < d.n; i++) {
            const struct diag *a = &d.items[i - 1];
            const struct diag *b = &d.items[i];

            assert_true(a->pos.line <= b->pos.line);
            if (a->pos.line == b->pos.line)
                assert_true(a->pos.column <= b->pos.column);
            if (a->pos.line == b->pos.line && a->pos.column == b->pos.column)
                assert_true(strcmp(a->text, b->text) < 0);
        }
        diag_done(&d);
    }
}

static void names_and_texts_are_copied(void **state)
{
    struct diag_list d = {.n = 0};
    char file[] = "name";
    char text[] = "text";

    (void)state;
    diag_error(&d, at(file, 1, 1), "%s", text);
    diag_error(&d, at(file, 2, 1), "%s", text);
    memset(file, 'x', sizeof file - 1);
    memset(text, 'x', sizeof text - 1);
    expect_print(&d, "name:1:1: text\nname:2:1: text\n");
    assert_ptr_equal(d.items[0].pos.file, d.items[1].pos.file);
    diag_done(&d);
}

static void repetitions_are_kept_once(void **state)
{
    struct diag_list d = {.n = 0};
    char file[] = "f";

    (void)state;
    for (int i = 0; i < 1000; i++)
        diag_error(&d, at(file, 1, 1), "same");
    diag_warning(&d, at("f", 1, 1), "same");
    diag_error(&d, at("f", 1, 2), "same");
    diag_error(&d, at("f", 2, 1), "same");
    diag_error(&d, at("g", 1, 1), "same");
    diag_error(&d, at(NULL, 1, 1), "same");
    diag_error(&d, at("f", 1, 1), "other");
    assert_int_equal(d.n, 7);
    /* All count: a caller compares the number before and after. */
    assert_int_equal(d.n_errors, 1005);
    assert_int_equal(d.n_lost, 0);
    diag_done(&d);
}

static void counts_what_does_not_fit(void **state)
{
    struct diag_list d = {.n = 0};
    struct buf out;

    (void)state;
    for (unsigned i = 0; i < DIAG_MAX + 23; i++)
        diag_error(&d, at("f", i + 1, 1), "n%u", i);
    assert_int_equal(d.n, DIAG_MAX);
    assert_int_equal(d.n_errors, DIAG_MAX + 23);
    assert_int_equal(d.n_lost, 23);
    buf_init(&out, 1 << 20);
    diag_print(&d, &out);
    assert_non_null(strstr(buf_str(&out), "f:100:1: n99\nand 23 more\n"));
    buf_done(&out);
    diag_done(&d);
}

static void errors_displace_warnings(void **state)
{
    struct diag_list d = {.n = 0};

    (void)state;
    diag_error(&d, at("f", 1, 1), "first");
    for (unsigned i = 1; i < DIAG_MAX; i++)
        diag_warning(&d, at("f", i + 1, 1), "w%u", i);
    diag_warning(&d, at("f", 500, 1), "no room");
    assert_int_equal(d.n_lost, 1);
    diag_error(&d, at("f", 501, 1), "last");
    assert_int_equal(d.n, DIAG_MAX);
    assert_int_equal(d.n_lost, 2);
    assert_string_equal(d.items[0].text, "first");
    assert_string_equal(d.items[DIAG_MAX - 2].text, "w98");
    assert_string_equal(d.items[DIAG_MAX - 1].text, "last");
    for (unsigned i = 0; i < DIAG_MAX; i++)
        diag_error(&d, at("g", i + 1, 1), "e%u", i);
    for (size_t i = 0; i < d.n; i++)
        assert_int_equal(d.items[i].severity, DIAG_ERROR);
    assert_string_equal(d.items[0].text, "first");
    diag_done(&d);
}

static void counts_what_memory_is_refused_for(void **state)
{
    struct diag_list d = {.arena = {.max = 8}};

    (void)state;
    diag_error(&d, at("f", 1, 1), "a text that does not fit");
    assert_int_equal(d.n, 0);
    assert_int_equal(d.n_errors, 1);
    assert_int_equal(d.n_lost, 1);
    diag_error(&d, at("a file name that does not fit", 1, 1), "short");
    assert_int_equal(d.n, 0);
    assert_int_equal(d.n_lost, 2);
    expect_print(&d, "and 2 more\n");
    diag_done(&d);
}

static void stops_at_a_full_buffer(void **state)
{
    struct diag_list d = {.n = 0};
    struct buf out;

    (void)state;
    diag_error(&d, at("f", 1, 1), "a text");
    buf_init(&out, 5);
    diag_print(&d, &out);
    assert_true(out.failed);
    assert_in_range(out.len, 0, 5);
    buf_done(&out);
    diag_done(&d);
}

static void done_leaves_an_empty_list(void **state)
{
    struct diag_list d = {.n = 0};

    (void)state;
    diag_error(&d, at("f", 1, 1), "a");
    diag_done(&d);
    assert_int_equal(d.n, 0);
    assert_int_equal(d.n_errors, 0);
    diag_error(&d, at("f", 1, 1), "b");
    expect_print(&d, "f:1:1: b\n");
    diag_done(&d);
    diag_done(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(prints_what_is_known_of_a_place),
        cmocka_unit_test(says_warning),
        cmocka_unit_test(text_is_made_printable),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(sorts_by_file_line_column),
        cmocka_unit_test(sorts_any_order),
        cmocka_unit_test(names_and_texts_are_copied),
        cmocka_unit_test(repetitions_are_kept_once),
        cmocka_unit_test(counts_what_does_not_fit),
        cmocka_unit_test(errors_displace_warnings),
        cmocka_unit_test(counts_what_memory_is_refused_for),
        cmocka_unit_test(stops_at_a_full_buffer),
        cmocka_unit_test(done_leaves_an_empty_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
