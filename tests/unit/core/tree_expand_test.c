/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Variables in values: each form, what is an error, and that nothing is expanded twice or without bound.
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

/* The environment of the tests: NAME is set to "value", and so on. */
static const char *lookup(const char *name, void *data)
{
    static const struct {
        const char *name;
        const char *value;
    } variables[] = {
        {"NAME", "value"}, {"EMPTY", ""},        {"PORT", "8080"},      {"DOLLAR", "$NAME ${NAME} $$"},
        {"_under9", "u"},  {"YAML", "[a, b: c"}, {"NULL_WORD", "null"},
    };
    unsigned *n_calls = data;

    if (n_calls)
        ++*n_calls;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        if (strcmp(variables[i].name, name) == 0)
            return variables[i].value;
    return NULL;
}

/* One scalar with the text, as a file would give it. */
static struct tree_node *scalar(struct bench *b, const char *text)
{
    struct tree_node *node = arena_alloc(&b->arena, sizeof *node);

    assert_non_null(node);
    *node = (struct tree_node){.kind = TREE_SCALAR, .text = text, .plain = true, .pos = {"f", 3, 9}};
    return node;
}

static void expands(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"${NAME}", "value"},
        {"$NAME", "value"},
        {"a${NAME}b$NAME-c", "avalueb"
                             "value-c"},
        {"$NAME$PORT${NAME}", "value8080value"},
        {"${_under9}$_under9.", "uu."},
        {"${EMPTY}", ""},
        {"x$EMPTY", "x"},
        {"$$", "$"},
        {"$$NAME", "$NAME"},
        {"$${NAME}", "${NAME}"},
        {"$$$NAME", "$value"},
        {"$$$$", "$$"},
        {"}{", "}{"},
        {"a}b", "a}b"},
        {"${NAME}}", "value}"},
        /* What a variable holds is not looked at. */
        {"${DOLLAR}", "$NAME ${NAME} $$"},
        {"${NONE:-$DOLLAR}", "$NAME ${NAME} $$"},
        {"${YAML}", "[a, b: c"},
        /* :- and - */
        {"${NAME:-d}", "value"},
        {"${NAME-d}", "value"},
        {"${EMPTY:-d}", "d"},
        {"${EMPTY-d}", ""},
        {"${NONE:-d}", "d"},
        {"${NONE-d}", "d"},
        {"${NONE:-}", ""},
        {"${NONE-}", ""},
        {"${NONE:--1}", "-1"},
        {"${NONE:-:-}", ":-"},
        {"${NONE:-a b/c=d?}", "a b/c=d?"},
        {"${NONE:-$NAME}", "value"},
        {"${NONE:-$$}", "$"},
        {"${NONE:-a${NAME}b}c", "avaluebc"},
        {"${NONE:-${OTHER:-${THIRD:-x}}}", "x"},
        {"${NONE:-${OTHER-${NAME:-x}}y}z", "valueyz"},
        {"${NONE:-{a}}", "{a}"},
        {"${NAME:-{a}}", "value}"},
        /* :+ and + */
        {"${NAME:+t}", "t"},
        {"${NAME+t}", "t"},
        {"${EMPTY:+t}", ""},
        {"${EMPTY+t}", "t"},
        {"${NONE:+t}", ""},
        {"${NONE+t}", ""},
        {"${NAME:+--name=$NAME}", "--name=value"},
        /* :? and ? with the variable given */
        {"${NAME:?m}", "value"},
        {"${NAME?m}", "value"},
        {"${EMPTY?m}", ""},
        /* A branch that is not taken needs no variable. */
        {"${NAME:-$NONE}", "value"},
        {"${NAME:-${NONE}}", "value"},
        {"${NAME:-${NONE:?must}}", "value"},
        {"${NONE:+$OTHER}", ""},
        {"${NAME:?$NONE}", "value"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        struct tree_node *node;

        bench_init(&b);
        node = scalar(&b, cases[i].text);
        tree_expand(&b.arena, &b.problems, node, lookup, NULL);
        assert_string_equal(bench_problems(&b), "");
        assert_string_equal(node->text, cases[i].expected);
        assert_true(node->plain);
        assert_false(node->null);
        bench_done(&b);
    }
}

static void refuses(void **state)
{
    static const char no_name[] =
        "f:3:9: \"$\" without a variable's name; write $$ for a \"$\", or ${NAME} for a variable\n";
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"${NONE}", "f:3:9: variable NONE is not set; set it, or write ${NONE:-default}\n"},
        {"$NONE", "f:3:9: variable NONE is not set; set it, or write ${NONE:-default}\n"},
        {"$A $B $A", "f:3:9: variable A is not set; set it, or write ${A:-default}\n"
                     "f:3:9: variable B is not set; set it, or write ${B:-default}\n"},
        {"${A:-$B}", "f:3:9: variable B is not set; set it, or write ${B:-default}\n"},
        {"${NONE:?set it to the port}", "f:3:9: variable NONE is not set; set it to the port\n"},
        {"${NONE?m}", "f:3:9: variable NONE is not set; m\n"},
        {"${EMPTY:?m}", "f:3:9: variable EMPTY is empty; m\n"},
        {"${NONE:?}", "f:3:9: variable NONE is not set; set it\n"},
        {"x${NONE:?use $NAME, ${OTHER:-or this}}y", "f:3:9: variable NONE is not set; use value, or this\n"},
        {"$", no_name},
        {"a$", no_name},
        {"$ a", no_name},
        {"$5", no_name},
        {"$-", no_name},
        {"^x$|y", no_name},
        {"${", no_name},
        {"${}", no_name},
        {"${1}", no_name},
        {"${ NAME}", no_name},
        {"$(date)", no_name},
        {"$\xc3\xa9", no_name},
        {"${NAME:-$}", no_name},
        {"${NAME", "f:3:9: \"${NAME\" is not closed; write ${NAME}\n"},
        {"${NAME:", "f:3:9: \"${NAME\" is not closed; write ${NAME}\n"},
        {"${NAME:-", "f:3:9: \"${NAME\" is not closed; write \"}\" behind it\n"},
        {"${NAME:-a${PORT}", "f:3:9: \"${NAME\" is not closed; write \"}\" behind it\n"},
        {"${NAME.x}", "f:3:9: \"${NAME\" goes on with \".\"; write ${NAME}, ${NAME:-default}, or $$ for a \"$\"\n"},
        {"${NAME }", "f:3:9: \"${NAME\" goes on with \" \"; write ${NAME}, ${NAME:-default}, or $$ for a \"$\"\n"},
        {"${NAME:}", "f:3:9: \"${NAME\" goes on with \":\"; write ${NAME}, ${NAME:-default}, or $$ for a \"$\"\n"},
        {"${NAME:x}", "f:3:9: \"${NAME\" goes on with \":\"; write ${NAME}, ${NAME:-default}, or $$ for a \"$\"\n"},
        {"${NAME\xc3\xa9}",
         "f:3:9: \"${NAME\" goes on with \"\xc3\xa9\"; write ${NAME}, ${NAME:-default}, or $$ for a \"$\"\n"},
        {"${NAME%%.*}", "f:3:9: \"${NAME\" goes on with \"%\"; write ${NAME}, ${NAME:-default}, or $$ for a \"$\"\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;

        bench_init(&b);
        tree_expand(&b.arena, &b.problems, scalar(&b, cases[i].text), lookup, NULL);
        assert_string_equal(bench_problems(&b), cases[i].expected);
        bench_done(&b);
    }
}

static void expands_values_of_a_file(void **state)
{
    static const char text[] = "a: ${PORT}\n"
                               "b: '${PORT}'\n"
                               "c: [\"$NAME\", {d: $NAME}]\n"
                               "$NAME: 1\n"
                               "e: |\n"
                               "  x $NAME\n"
                               "f: ${EMPTY}\n"
                               "g:\n"
                               "h: ${NULL_WORD}\n"
                               "i: &i {j: $PORT}\n"
                               "k: *i\n"
                               "l: {<<: *i}\n";
    struct bench b;
    struct tree_node *root;

    (void)state;
    bench_init(&b);
    root = bench_load(&b, text, sizeof text - 1);
    assert_non_null(root);
    tree_expand(&b.arena, &b.problems, root, lookup, NULL);
    assert_string_equal(bench_problems(&b), "");
    assert_string_equal(bench_dump(&b, root),
                        "{a: 8080, b: \"8080\", c: [\"value\", {d: value}], $NAME: 1, e: \"x value\n\", f: , g: null, "
                        "h: null, i: {j: 8080}, k: {j: 8080}, l: {j*1: 8080}}");
    assert_true(tree_get(root, "a")->plain);
    assert_false(tree_get(root, "b")->plain);
    assert_true(tree_get(root, "f")->plain);
    assert_false(tree_get(root, "f")->null);
    assert_false(tree_get(root, "h")->null);
    assert_true(tree_get(root, "g")->null);
    bench_done(&b);
}

static void names_the_place(void **state)
{
    static const char text[] = "a: 1\nb:\n  - x\n  - port ${PORTT}\nc: &c {d: $NONE}\ne: *c\nf: {<<: *c}\n";
    struct bench b;
    struct tree_node *root;

    (void)state;
    bench_init(&b);
    root = bench_load(&b, text, sizeof text - 1);
    assert_non_null(root);
    tree_expand(&b.arena, &b.problems, root, lookup, NULL);
    /* Once for one place, however often it is aliased. */
    assert_string_equal(bench_problems(&b), "f:4:5: variable PORTT is not set; set it, or write ${PORTT:-default}\n"
                                            "f:5:11: variable NONE is not set; set it, or write ${NONE:-default}\n");
    bench_done(&b);
}

static void texts_without_variables_stay(void **state)
{
    struct bench b;
    struct tree_node *node;
    unsigned n_calls = 0;
    size_t used;

    (void)state;
    bench_init(&b);
    node = scalar(&b, "nothing here");
    node->null = true;
    used = b.arena.used;
    tree_expand(&b.arena, &b.problems, node, lookup, &n_calls);
    assert_true(node->null);
    assert_int_equal(b.arena.used, used);
    assert_int_equal(n_calls, 0);
    bench_done(&b);
}

/* COUNT times PART in a text that starts with HEAD and ends with TAIL. */
static const char *repeat(struct bench *b, const char *head, const char *part, size_t count, const char *tail)
{
    struct buf out;
    const char *copy;

    buf_init(&out, 1 << 22);
    buf_puts(&out, head);
    for (size_t i = 0; i < count; i++)
        buf_puts(&out, part);
    buf_puts(&out, tail);
    assert_false(out.failed);
    copy = arena_strdup(&b->arena, buf_str(&out));
    assert_non_null(copy);
    buf_done(&out);
    return copy;
}

static void bounds_nesting(void **state)
{
    static const struct {
        size_t depth;
        const char *expected;
    } cases[] = {
        {TREE_EXPAND_DEPTH_MAX, ""},
        {TREE_EXPAND_DEPTH_MAX + 1, "f:3:9: ${\xe2\x80\xa6} over 16 levels deep in one another; write less of them\n"},
        {300000, "f:3:9: ${\xe2\x80\xa6} over 16 levels deep in one another; write less of them\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        const char *opened;

        bench_init(&b);
        opened = repeat(&b, "", "${N:-", cases[i].depth, "x");
        tree_expand(&b.arena, &b.problems, scalar(&b, repeat(&b, opened, "}", cases[i].depth, "")), lookup, NULL);
        assert_string_equal(bench_problems(&b), cases[i].expected);
        bench_done(&b);
    }
}

static void bounds_names(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b);
    tree_expand(&b.arena, &b.problems, scalar(&b, repeat(&b, "${", "N", 255, ":-d}")), lookup, NULL);
    assert_string_equal(bench_problems(&b), "");
    tree_expand(&b.arena, &b.problems, scalar(&b, repeat(&b, "$", "N", 256, "")), lookup, NULL);
    assert_non_null(strstr(bench_problems(&b), "the variable name NNNNNNNNNNNNNNNNNNNN\xe2\x80\xa6 is too long"));
    bench_done(&b);
}

static const char *lookup_long(const char *name, void *data)
{
    (void)name;
    return data;
}

static void bounds_the_result(void **state)
{
    struct bench b;
    struct tree_node *list;
    char value[4097];

    (void)state;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    bench_init(&b);
    /* 256 values of 4 KiB are the cap exactly, over all scalars of the tree. */
    list = scalar(&b, "");
    list->kind = TREE_SEQUENCE;
    list->n = 256;
    list->items = arena_array(&b.arena, 300, sizeof(struct tree_node *));
    assert_non_null(list->items);
    for (size_t i = 0; i < 300; i++)
        list->items[i] = scalar(&b, "$V");
    tree_expand(&b.arena, &b.problems, list, lookup_long, value);
    assert_string_equal(bench_problems(&b), "");
    list->n = 300;
    for (size_t i = 0; i < 300; i++)
        list->items[i]->text = "$V";
    tree_expand(&b.arena, &b.problems, list, lookup_long, value);
    assert_string_equal(bench_problems(&b), "f:3:9: with this the variables give over 1048576 bytes, or there is no "
                                            "memory; use shorter ones\n");
    assert_int_equal(b.problems.n_errors, 1);
    /* Within one scalar. */
    tree_expand(&b.arena, &b.problems, scalar(&b, repeat(&b, "", "$V ", 100000, "")), lookup_long, value);
    assert_int_equal(b.problems.n_errors, 2);
    bench_done(&b);
}

static void bounds_depth(void **state)
{
    struct bench b;
    struct tree_node *node;

    (void)state;
    bench_init(&b);
    node = scalar(&b, "$NONE");
    for (int i = 0; i < 100000; i++) {
        struct tree_node *outer = scalar(&b, "");

        outer->kind = TREE_SEQUENCE;
        outer->n = 1;
        outer->items = arena_array(&b.arena, 1, sizeof(struct tree_node *));
        assert_non_null(outer->items);
        outer->items[0] = node;
        node = outer;
    }
    tree_expand(&b.arena, &b.problems, node, lookup, NULL);
    assert_string_equal(bench_problems(&b), "f:3:9: the nesting is over 32 levels deep; make it flatter\n");
    bench_done(&b);
}

static void survives_refused_memory(void **state)
{
    struct bench b;
    struct tree_node *node;

    (void)state;
    bench_init(&b);
    node = scalar(&b, "a long text with $NAME in it");
    b.arena.max = b.arena.used + 4;
    tree_expand(&b.arena, &b.problems, node, lookup, NULL);
    assert_int_equal(b.problems.n_errors, 1);
    assert_string_equal(node->text, "a long text with $NAME in it");
    bench_done(&b);
}

/* Random texts of the grammar's own pieces: an error or a result, never a crash, and $-free results stay. */
static void survives_damage(void **state)
{
    static const char *const pieces[] = {"$",  "{", "}",  "${", "$$", "NAME", "NONE",
                                         ":-", "-", ":?", "+",  ":",  "x",    " "};
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct bench b;
        size_t n = test_rand_below(&seed, 20);
        struct tree_node *node;
        const char *text;

        bench_init(&b);
        for (size_t i = 0; i < n; i++)
            buf_puts(&b.text, pieces[test_rand_below(&seed, ARRAY_LEN(pieces))]);
        text = buf_str(&b.text);
        node = scalar(&b, text);
        tree_expand(&b.arena, &b.problems, node, lookup, NULL);
        if (!strchr(text, '$'))
            assert_ptr_equal(node->text, text);
        else
            assert_true((node->text == text) <= (b.problems.n_errors > 0));
        bench_done(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),
        cmocka_unit_test(refuses),
        cmocka_unit_test(expands_values_of_a_file),
        cmocka_unit_test(names_the_place),
        cmocka_unit_test(texts_without_variables_stay),
        cmocka_unit_test(bounds_nesting),
        cmocka_unit_test(bounds_names),
        cmocka_unit_test(bounds_the_result),
        cmocka_unit_test(bounds_depth),
        cmocka_unit_test(survives_refused_memory),
        cmocka_unit_test(survives_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
