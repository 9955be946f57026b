/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Laying one mapping onto another: what merges, what is replaced, and that the base stays usable.
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

static struct tree_node *load(struct bench *b, const char *text)
{
    struct tree_node *root = bench_load(b, text, strlen(text));

    assert_non_null(root);
    assert_int_equal(root->kind, TREE_MAPPING);
    return root;
}

static void lays_over_onto_base(void **state)
{
    static const struct {
        const char *base;
        const char *over;
        const char *expected;
    } cases[] = {
        {"", "", "{}"},
        {"a: 1", "", "{a*1: 1}"},
        {"", "a: 1", "{a: 1}"},
        {"a: 1", "b: 2", "{b: 2, a*1: 1}"},
        {"a: 1\nb: 2\nc: 3", "c: 4\na: 5", "{c: 4, a: 5, b*1: 2}"},
        {"a: {x: 1, y: 2}", "a: {y: 3, z: 4}", "{a: {y: 3, z: 4, x*1: 1}}"},
        {"a: {b: {c: {d: 1, e: 2}}}", "a: {b: {c: {d: 3}}}", "{a: {b: {c: {d: 3, e*1: 2}}}}"},
        {"a: [1, 2]", "a: [3]", "{a: [3]}"},
        {"a: [1, 2]", "a: []", "{a: []}"},
        {"a: {b: 1}", "a: 2", "{a: 2}"},
        {"a: {b: 1}", "a: [2]", "{a: [2]}"},
        {"a: {b: 1}", "a:", "{a: null}"},
        {"a: 1", "a: {b: 2}", "{a: {b: 2}}"},
        {"a:", "a: {b: 2}", "{a: {b: 2}}"},
        {"a: {b: 1}", "a: {}", "{a: {b*1: 1}}"},
        {"a: {}", "a: {b: 1}", "{a: {b: 1}}"},
        /* What `<<` brought in lies below what is written beside it, on either side. */
        {"a: {<<: {b: 1}}", "a: {<<: {c: 2}, d: 3}", "{a: {d: 3, c*1: 2, b*3: 1}}"},
        {"a: {<<: {b: 1}}", "a: {b: 2}", "{a: {b: 2}}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        struct tree_node *base;
        struct tree_node *merged;
        char before[256];

        bench_init(&b);
        base = load(&b, cases[i].base);
        snprintf(before, sizeof before, "%s", bench_dump(&b, base));
        merged = tree_merge(&b.arena, &b.problems, base, load(&b, cases[i].over));
        assert_non_null(merged);
        assert_string_equal(bench_dump(&b, merged), cases[i].expected);
        assert_string_equal(bench_dump(&b, base), before);
        assert_string_equal(bench_problems(&b), "");
        bench_done(&b);
    }
}

static void base_can_be_used_again(void **state)
{
    struct bench b;
    struct tree_node *base;
    struct tree_node *one;
    struct tree_node *two;

    (void)state;
    bench_init(&b);
    base = load(&b, "e: {k: v, l: [w]}");
    one = tree_merge(&b.arena, &b.problems, base, load(&b, "e: {m: 1}"));
    two = tree_merge(&b.arena, &b.problems, base, load(&b, "n: 2"));
    assert_non_null(one);
    assert_non_null(two);
    tree_get(tree_get(one, "e"), "k")->text = "one";
    tree_get(tree_get(two, "e"), "l")->items[0]->text = "two";
    assert_string_equal(bench_dump(&b, base), "{e: {k: v, l: [w]}}");
    assert_string_equal(bench_dump(&b, one), "{e: {m: 1, k*1: one, l*1: [w]}}");
    assert_string_equal(bench_dump(&b, two), "{n: 2, e*1: {k: v, l: [two]}}");
    bench_done(&b);
}

static void a_map_laid_onto_itself_is_itself(void **state)
{
    struct bench b;
    struct tree_node *root;
    struct tree_node *merged;

    (void)state;
    bench_init(&b);
    root = load(&b, "a: {b: [1], c: {d: 2}}");
    merged = tree_merge(&b.arena, &b.problems, root, root);
    assert_non_null(merged);
    assert_string_equal(bench_dump(&b, merged), "{a: {b: [1], c: {d: 2}}}");
    bench_done(&b);
}

static void places_follow_the_winner(void **state)
{
    struct bench b;
    struct tree_node *base;
    struct tree_node *over;
    struct tree_node *merged;

    (void)state;
    bench_init(&b);
    base = tree_load(&b.arena, &b.problems, "base", "a: {x: 1,\n y: 2}", 16);
    over = tree_load(&b.arena, &b.problems, "over", "\n\na: {y: 3}", 11);
    assert_non_null(base);
    assert_non_null(over);
    merged = tree_merge(&b.arena, &b.problems, base, over);
    assert_non_null(merged);
    assert_string_equal(merged->pairs[0].key_pos.file, "over");
    assert_int_equal(merged->pairs[0].key_pos.line, 3);
    assert_string_equal(tree_get(merged, "a")->pos.file, "over");
    assert_string_equal(tree_get(tree_get(merged, "a"), "y")->pos.file, "over");
    assert_string_equal(tree_get(tree_get(merged, "a"), "x")->pos.file, "base");
    assert_int_equal(tree_get(tree_get(merged, "a"), "x")->pos.line, 1);
    bench_done(&b);
}

/* A mapping nested DEPTH deep, built as --set builds one: no file was there to bound it. */
static struct tree_node *nest(struct bench *b, unsigned depth)
{
    struct tree_node *node = arena_alloc(&b->arena, sizeof *node);

    assert_non_null(node);
    node->kind = TREE_SCALAR;
    node->text = "x";
    while (depth-- > 0) {
        struct tree_node *outer = arena_alloc(&b->arena, sizeof *outer);

        assert_non_null(outer);
        outer->kind = TREE_MAPPING;
        outer->pairs = arena_array(&b->arena, 1, sizeof *outer->pairs);
        assert_non_null(outer->pairs);
        outer->pairs[0] = (struct tree_pair){.key = "k", .value = node};
        outer->n = 1;
        node = outer;
    }
    return node;
}

static void bounds_depth(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    assert_non_null(tree_merge(&b.arena, &b.problems, nest(&b, TREE_DEPTH_MAX), nest(&b, TREE_DEPTH_MAX)));
    assert_int_equal(b.problems.n_errors, 0);
    assert_null(tree_merge(&b.arena, &b.problems, nest(&b, TREE_DEPTH_MAX + 1), nest(&b, 1)));
    assert_int_equal(b.problems.n_errors, 1);
    assert_null(tree_merge(&b.arena, &b.problems, nest(&b, 100000), nest(&b, 100000)));
    assert_non_null(strstr(bench_problems(&b), "over 32 levels deep"));
    bench_done(&b);
}

static void survives_refused_memory(void **state)
{
    bool done = false;

    (void)state;
    for (size_t room = 0; !done; room++) {
        struct bench b;
        struct tree_node *base;
        struct tree_node *over;

        bench_init(&b);
        base = load(&b, "a: {b: 1, c: [2, {d: 3}]}\ne: {f: 4}");
        over = load(&b, "a: {b: 5}\ne: {g: 6}");
        b.arena.max = b.arena.used + room;
        done = tree_merge(&b.arena, &b.problems, base, over) != NULL;
        assert_int_equal(b.problems.n_errors, done ? 0 : 1);
        assert_in_range(room, 0, 10000);
        bench_done(&b);
    }
}

/* A random mapping of at most DEPTH levels; the numbers tell apart which side a value came from. */
static void add_random(struct buf *out, uint64_t *seed, unsigned depth, int side)
{
    buf_putc(out, '{');
    for (int key = 'a'; key < 'f'; key++) {
        uint64_t what = test_rand_below(seed, 4);

        if (what == 0)
            continue;
        buf_printf(out, "%c: ", key);
        if (what == 1 && depth > 0)
            add_random(out, seed, depth - 1, side);
        else
            buf_printf(out, what == 2 ? "[%d]" : "%d", side);
        buf_puts(out, ", ");
    }
    buf_putc(out, '}');
}

/* The definition of merging, key by key. */
static void assert_merged(const struct tree_node *got, const struct tree_node *base, const struct tree_node *over)
{
    size_t n = over->n;

    for (size_t i = 0; i < over->n; i++) {
        const struct tree_node *value = tree_get(got, over->pairs[i].key);
        const struct tree_node *lower = tree_get(base, over->pairs[i].key);

        assert_non_null(value);
        assert_string_equal(got->pairs[i].key, over->pairs[i].key);
        if (lower && lower->kind == TREE_MAPPING && over->pairs[i].value->kind == TREE_MAPPING)
            assert_merged(value, lower, over->pairs[i].value);
        else
            assert_int_equal(value->kind, over->pairs[i].value->kind);
    }
    for (size_t i = 0; i < base->n; i++) {
        if (tree_get(over, base->pairs[i].key))
            continue;
        assert_string_equal(got->pairs[n].key, base->pairs[i].key);
        assert_int_equal(got->pairs[n].value->kind, base->pairs[i].value->kind);
        n++;
    }
    assert_int_equal(got->n, n);
}

static void merges_any_maps(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < 500; round++) {
        struct bench b;
        struct buf text[2];
        struct tree_node *sides[2];
        struct tree_node *merged;

        bench_init(&b);
        for (int i = 0; i < 2; i++) {
            buf_init(&text[i], 1 << 20);
            add_random(&text[i], &seed, 4, i);
            sides[i] = load(&b, buf_str(&text[i]));
        }
        merged = tree_merge(&b.arena, &b.problems, sides[0], sides[1]);
        assert_non_null(merged);
        assert_merged(merged, sides[0], sides[1]);
        buf_done(&text[0]);
        buf_done(&text[1]);
        bench_done(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_over_onto_base),
        cmocka_unit_test(base_can_be_used_again),
        cmocka_unit_test(a_map_laid_onto_itself_is_itself),
        cmocka_unit_test(places_follow_the_winner),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(survives_refused_memory),
        cmocka_unit_test(merges_any_maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
