/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The maxima of a tree, and that neither refused memory nor damaged text gets it off course.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/tree.h"
#include "support/seed.h"

#include "tree_dump.h"

#include <stdio.h>
#include <string.h>

/* COUNT times PART, between HEAD and TAIL. */
struct bulk_case {
    const char *head;
    const char *part; /* may hold one %u, the number of the repetition */
    unsigned count;
    const char *tail;
    const char *expected; /* the problems; NULL: it is accepted */
};

/* PARTs are of our own tables; the function only saves a dozen loops. */
static void add_part(struct buf *out, const char *part, unsigned i)
{
    const char *hole;

    while ((hole = strstr(part, "%u"))) {
        buf_add(out, part, (size_t)(hole - part));
        buf_printf(out, "%u", i);
        part = hole + 2;
    }
    buf_puts(out, part);
}

static void expect_bulk(const struct bulk_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf text;
        struct bench b;
        const struct tree_node *root;

        buf_init(&text, 2 * TREE_BYTES_MAX);
        bench_init(&b);
        buf_puts(&text, cases[i].head);
        for (unsigned k = 0; k < cases[i].count; k++)
            add_part(&text, cases[i].part, k);
        buf_puts(&text, cases[i].tail);
        assert_false(text.failed);
        root = bench_load(&b, buf_str(&text), text.len);
        assert_string_equal(bench_problems(&b), cases[i].expected ? cases[i].expected : "");
        assert_int_equal(root != NULL, cases[i].expected == NULL);
        bench_done(&b);
        buf_done(&text);
    }
}

static void bounds_depth(void **state)
{
    static const struct bulk_case cases[] = {
        {"", "[", 32, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", NULL},
        {"", "[", 33, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "[", 100000, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "[", TREE_BYTES_MAX, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "[\n", 500000, "", "f:33:1: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "{", 100000, "", "f:1:33: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "{a: ", 100000, "", "f:1:129: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "- ", 32, "a", NULL},
        {"", "- ", 500000, "a", "f:1:65: the nesting is over 32 levels deep; make it flatter\n"},
        {"", "? ", 500000, "a", "f:1:65: the nesting is over 32 levels deep; make it flatter\n"},
        /* Aliases add up: each anchor holds one level more than the one before. */
        {"- &a0 []\n- &b0 []\n", "- [*a0]\n", 10, "", NULL},
        {"- &x [[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]\n- ", "[", 15, "*x]]]]]]]]]]]]]]]", NULL},
        {"- &x [[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]\n- ", "[", 16, "*x]]]]]]]]]]]]]]]]",
         "f:2:19: with this the nesting is over 32 levels deep; make it flatter\n"},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

static void bounds_nodes(void **state)
{
    static const struct bulk_case cases[] = {
        {"", "- a\n", TREE_NODES_MAX - 1, "", NULL},
        {"", "- a\n", TREE_NODES_MAX, "", "f:65536:3: the file has over 65536 nodes; split it with include\n"},
        {"", "k%u: 1\n", (TREE_NODES_MAX - 1) / 2, "", NULL},
        {"", "k%u: 1\n", TREE_NODES_MAX / 2, "", "f:32768:9: the file has over 65536 nodes; split it with include\n"},
        {"- &a 1\n- [", "*a,", TREE_NODES_MAX - 3, "]", NULL},
        {"- &a 1\n- [", "*a,", TREE_NODES_MAX, "]",
         "f:2:196603: with this the file has over 65536 nodes; use fewer or smaller aliases\n"},
        /* The billion laughs. */
        {"- &a0 [x,x,x,x,x,x,x,x,x]\n"
         "- &a1 [*a0,*a0,*a0,*a0,*a0,*a0,*a0,*a0,*a0]\n"
         "- &a2 [*a1,*a1,*a1,*a1,*a1,*a1,*a1,*a1,*a1]\n"
         "- &a3 [*a2,*a2,*a2,*a2,*a2,*a2,*a2,*a2,*a2]\n"
         "- &a4 [*a3,*a3,*a3,*a3,*a3,*a3,*a3,*a3,*a3]\n"
         "- &a5 [*a4,*a4,*a4,*a4,*a4,*a4,*a4,*a4,*a4]\n",
         "", 0, "", "f:5:36: with this the file has over 65536 nodes; use fewer or smaller aliases\n"},
        /* The same by merges: keys that are overridden count, too. */
        {"a: &a {k: {l: {m: 1}}}\n", "b%u: {<<: *a}\n", 10000, "",
         "f:6554:13: with this the file has over 65536 nodes; use fewer or smaller aliases\n"},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

static void bounds_text(void **state)
{
    static const struct bulk_case cases[] = {
        {"#", "xxxxxxxx", TREE_BYTES_MAX / 8, "",
         "f: the file has 1048577 bytes, 1048576 are allowed; split it with include\n"},
        {"a: |\n", " xxxxxx\n", 120000, "", NULL},
        {"a: \"", "\\n\\t", 200000, "\"", NULL},
        {"- &a ", "0123456789", 10000, "\n- [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n", NULL},
        {"- &a ", "0123456789", 10000, "\n- [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n",
         "f:2:44: with this the aliases stand for over 1048576 bytes of text; use fewer or smaller aliases\n"},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

static void bounds_names(void **state)
{
    static const struct bulk_case cases[] = {
        {"", "- &a%u 1\n", TREE_ANCHORS_MAX, "", NULL},
        {"", "- &a%u 1\n", 40000, "", "f:1025:3: the file has over 1024 anchors; remove those that are not used\n"},
        {"", "&a ", 2, "1",
         "f:1:4: the document ended before this; indent it like the rest, or check quotes and brackets above\n"},
        {"", "%TAG !a%u! x\n", 50000, "---\na: 1", "f:65:1: over 64 %TAG lines; tags are not supported, remove them\n"},
        {"a: 1\n...\n", "%TAG !a%u! x\n", 50000, "---\na: 1",
         "f:67:1: over 64 %TAG lines; tags are not supported, remove them\n"},
        {"", "k", TREE_KEY_MAX, ": 1", NULL},
        {"", "k", TREE_KEY_MAX + 1, ": 1",
         "f:1:1: the key \"kkkkkkkkkkkkkkkkkkkk\xe2\x80\xa6\" has 257 bytes; a key has at most 256\n"},
        {"\"k", "\xc3\xa9", 200, "\": 1",
         "f:1:1: the key \"k\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xe2\x80\xa6\" has "
         "401 "
         "bytes; a key has at most 256\n"},
        /* Where libyaml gives up looking for the ':'. */
        {"", "k", 2000, ": 1", "f:1:2001: the key before this \":\" is too long; a key has at most 256 bytes\n"},
        {"a: 1\n", "k", 2000, ": 1", "f:2:1: the key before this \":\" is too long; a key has at most 256 bytes\n"},
        {"a: 1\nb: ", "k ", 2000, "", NULL},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

/* One pass for all layers: layer by layer these would cost gigabytes. */
static void merges_many_layers(void **state)
{
    static const struct bulk_case cases[] = {
        {"a:\n  e: {own: 1}\n  <<: [", "{e: {k%u: 1}}, ", 10000, "]", NULL},
        {"a:\n  own: 1\n  <<: [", "{k%u: 1}, ", 16000, "]", NULL},
        {"a:\n  own: 1\n  <<: [", "{same: 1}, ", 16000, "]", NULL},
    };

    (void)state;
    expect_bulk(cases, ARRAY_LEN(cases));
}

/* However little memory the arena gives, the answer is an error and nothing leaks. */
static void survives_refused_memory(void **state)
{
    static const char text[] = "a: &x {k: [v, 'w'], e: {f: 1}}\nb: {<<: [*x, {e: {g: 2}}], e: {h: 3}}\nc: *x\n";
    size_t needed = 1;

    (void)state;
    for (bool done = false; !done; needed++) {
        struct bench b;

        bench_init(&b);
        b.arena.max = needed;
        done = bench_load(&b, text, sizeof text - 1) != NULL;
        assert_int_equal(b.problems.n_errors == 0, done);
        if (!done)
            assert_non_null(strstr(bench_problems(&b), "no memory"));
        bench_done(&b);
    }
    assert_in_range(needed, 500, 20000);
}

/* Changed, cut and mixed pieces of YAML: never a crash, never a tree together with an error. */
static void survives_damage(void **state)
{
    static const char *const pieces[] = {
        "a: ",   "b:\n",  "  ",   "- ",   "\n",   "[",    "]",   "{", "}",        ", ",           ": ", "? ",
        "&x ",   "*x",    "<<: ", "|\n",  ">-\n", "\"",   "'",   "#", "\\",       "!!str ",       "!",  "%YAML 1.1\n",
        "---\n", "...\n", "\t",   "\r\n", "~",    "null", "\\0", "$", "\xc3\xa9", "\xef\xbb\xbf", "@",  "\xff",
    };
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < 4000; round++) {
        struct bench b;
        struct buf text;
        size_t n = test_rand_below(&seed, 30);
        const struct tree_node *root;

        bench_init(&b);
        buf_init(&text, 4096);
        for (size_t i = 0; i < n; i++)
            buf_puts(&text, pieces[test_rand_below(&seed, ARRAY_LEN(pieces))]);
        root = bench_load(&b, buf_str(&text), text.len);
        assert_true(root || b.problems.n_errors > 0);
        if (root)
            bench_dump(&b, root);
        buf_done(&text);
        bench_done(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_depth),       cmocka_unit_test(bounds_nodes),
        cmocka_unit_test(bounds_text),        cmocka_unit_test(bounds_names),
        cmocka_unit_test(merges_many_layers), cmocka_unit_test(survives_refused_memory),
        cmocka_unit_test(survives_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
