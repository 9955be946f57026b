/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The grammar of env files, and which of several values of a variable wins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/envfile.h"
#include "support/seed.h"

#include <stdio.h>
#include <string.h>

struct bench {
    struct arena arena;
    struct envfile env;
    struct diag_list diag;
    struct buf problems;
};

static void bench_done(struct bench *b)
{
    envfile_done(&b->env);
    diag_done(&b->diag);
    buf_done(&b->problems);
    arena_done(&b->arena);
}

static bool bench_parse(struct bench *b, const char *text, size_t len)
{
    bool ok;

    *b = (struct bench){0};
    buf_init(&b->problems, 1 << 16);
    ok = envfile_parse(&b->env, &b->arena, &b->diag, "x.env", text, len);
    diag_print(&b->diag, &b->problems);
    return ok;
}

#define TEXT(s) s, sizeof(s) - 1

static void reads_lines(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *expected; /* "NAME=VALUE|" each */
    } cases[] = {
        {TEXT(""), ""},
        {TEXT("\n\n  \n# comment\n  # comment\n"), ""},
        {TEXT("A=1"), "A=1|"},
        {TEXT("A=1\nB=2\n"), "A=1|B=2|"},
        {TEXT("A=1\r\nB=2\r\n\r\n"), "A=1|B=2|"},
        {TEXT("A=\nB=  \n"), "A=|B=|"},
        {TEXT("  A= x  \n"), "A=x|"},
        {TEXT("export A=1\nexport\tB=2\nexporter=3\nexport=4\n"), "A=1|B=2|exporter=3|export=4|"},
        {TEXT("A=a b # comment\n"), "A=a b|"},
        {TEXT("A=a#b\n"), "A=a#b|"},
        {TEXT("A=#b\n"), "A=|"},
        {TEXT("A=b\t# c\n"), "A=b|"},
        {TEXT("A=x=y\n"), "A=x=y|"},
        {TEXT("A=$HOME ${X}\n"), "A=$HOME ${X}|"},
        {TEXT("A='lit $X \\n \"'\n"), "A=lit $X \\n \"|"},
        {TEXT("A=''\n"), "A=|"},
        {TEXT("A='x' # c\n"), "A=x|"},
        {TEXT("A='two\nlines'\nB=1\n"), "A=two\nlines|B=1|"},
        {TEXT("A=\"a\\nb\\tc\\\"d\\\\e\\$f\\rg\"\n"), "A=a\nb\tc\"d\\e$f\rg|"},
        {TEXT("A=\"\\x\\'\"\n"), "A=\\x\\'|"},
        {TEXT("A=\"two\nlines\"  \nB=1\n"), "A=two\nlines|B=1|"},
        {TEXT("A=it's\n"), "A=it's|"},
        {TEXT("A=\\n\n"), "A=\\n|"},
        {TEXT("_a1=ü\n"), "_a1=ü|"},
        {TEXT("\xef\xbb\xbf"
              "A=1\n"),
         "A=1|"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        char text[256] = "";
        assert_true(bench_parse(&b, cases[i].text, cases[i].len));
        assert_string_equal(buf_str(&b.problems), "");
        for (size_t k = 0; k < b.env.n; k++) {
            strcat(text, b.env.entries[k].env.name);
            strcat(text, "=");
            strcat(text, b.env.entries[k].env.value);
            strcat(text, "|");
        }
        assert_string_equal(text, cases[i].expected);
        bench_done(&b);
    }
}

static void refuses_bad_lines(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *problems;
    } cases[] = {
        {TEXT("A"), "x.env:1:1: a line without `=`; write NAME=VALUE\n"},
        {TEXT("A=1\n  B\nC=2\nD\n"), "x.env:2:3: a line without `=`; write NAME=VALUE\n"
                                     "x.env:4:1: a line without `=`; write NAME=VALUE\n"},
        {TEXT("=1\n"),
         "x.env:1:1: `` is not a variable name; write letters, digits and _, not beginning with a digit\n"},
        {TEXT("1A=1\n"),
         "x.env:1:1: `1A` is not a variable name; write letters, digits and _, not beginning with a digit\n"},
        {TEXT("A =1\n"),
         "x.env:1:1: `A ` is not a variable name; write letters, digits and _, not beginning with a digit\n"},
        {TEXT("FOSTER_RUN=1\n"),
         "x.env:1:1: `FOSTER_RUN` is a name that fosterd keeps for itself; choose one that does "
         "not begin with FOSTER_\n"},
        {TEXT("A='x\nB=1\n"), "x.env:1:3: a ' that is not closed; close it\n"},
        {TEXT("A=\"x\\\"\nB=1\n"), "x.env:1:3: a \" that is not closed; close it\n"},
        {TEXT("A='x'y\n"), "x.env:1:6: text behind the closing quote; put the quote at the end of the value\n"},
        {TEXT("A=\"x\"#y\n"), "x.env:1:6: text behind the closing quote; put the quote at the end of the value\n"},
        {TEXT("A='ü\nx' y\n"), "x.env:2:4: text behind the closing quote; put the quote at the end of the value\n"},
        {TEXT("A=1\nü=\xff\n"), "x.env:2:3: not UTF-8; save the file as UTF-8\n"},
        {TEXT("A=1\0B=2\n"), "x.env:1:4: a NUL byte; remove it\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        assert_false(bench_parse(&b, cases[i].text, cases[i].len));
        assert_string_equal(buf_str(&b.problems), cases[i].problems);
        bench_done(&b);
    }
}

static void names_have_a_limit(void **state)
{
    char name[300];

    (void)state;
    memset(name, 'A', sizeof name);
    name[255] = '\0';
    assert_null(envfile_bad_name(name));
    memset(name, 'A', sizeof name);
    name[256] = '\0';
    assert_non_null(envfile_bad_name(name));
    assert_null(envfile_bad_name("FOSTERX"));
    assert_non_null(envfile_bad_name("FOSTER_"));
    assert_non_null(envfile_bad_name("FOSTER_SOCKET"));
    assert_null(envfile_bad_name("FOSTER_RUNTIME_DIR"));
    assert_non_null(envfile_bad_name(""));
    assert_non_null(envfile_bad_name("a.b"));
}

static void merges_by_rank_and_order(void **state)
{
    static const struct {
        const char *name, *value;
        enum envfile_rank rank;
    } given[] = {
        {"B", "key", ENVFILE_RANK_KEY},   {"A", "first", ENVFILE_RANK_FILE}, {"B", "file", ENVFILE_RANK_FILE},
        {"A", "last", ENVFILE_RANK_FILE}, {"C", NULL, ENVFILE_RANK_KEY},     {"C", "file", ENVFILE_RANK_FILE},
        {"a", "x", ENVFILE_RANK_FILE},    {"D", "early", ENVFILE_RANK_KEY},  {"D", "late", ENVFILE_RANK_KEY},
    };
    static const struct spec_env expected[] = {{"A", "last"}, {"B", "key"}, {"C", NULL}, {"D", "late"}, {"a", "x"}};
    struct arena arena = {0};
    struct envfile e = {0};
    struct spec_env *list;
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        assert_true(envfile_add(&e, given[i].name, given[i].value, given[i].rank));
    assert_true(envfile_merge(&e, &arena, &list, &n));
    assert_int_equal(n, ARRAY_LEN(expected));
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(list[i].name, expected[i].name);
        if (expected[i].value)
            assert_string_equal(list[i].value, expected[i].value);
        else
            assert_null(list[i].value);
    }
    assert_true(envfile_merge(&e, &arena, &list, &n));
    assert_int_equal(n, 0);
    envfile_done(&e);
    arena_done(&arena);
}

/* Whatever the bytes, the reader ends, and either says something or gives good names. */
static void survives_random_bytes(void **state)
{
    static const char pieces[][2] = {"A", "=", "\n", "'", "\"", "\\", " ", "#", "\r", "e", "\xc3", "\xbc", "1"};
    uint64_t seed = test_seed();

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        char text[64];
        size_t len = 0;
        struct bench b;
        while (len < sizeof text && test_rand_below(&seed, 40) != 0)
            text[len++] = pieces[test_rand_below(&seed, ARRAY_LEN(pieces))][0];
        bool ok = bench_parse(&b, text, len);
        assert_int_equal(ok, b.diag.n_errors == 0);
        for (size_t i = 0; i < b.env.n; i++)
            assert_null(envfile_bad_name(b.env.entries[i].env.name));
        bench_done(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines),           cmocka_unit_test(refuses_bad_lines),
        cmocka_unit_test(names_have_a_limit),    cmocka_unit_test(merges_by_rank_and_order),
        cmocka_unit_test(survives_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
