/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Names of files: what a relative one is relative to, and that places outlive the trees.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/source.h"

#include <stdio.h>
#include <string.h>

struct bench {
    struct arena arena;
    struct diag_list diag;
    struct source s;
};

static void bench_init(struct bench *b, const char *main_file)
{
    *b = (struct bench){.arena = {0}};
    b->s = (struct source){.arena = &b->arena, .diag = &b->diag, .main_file = main_file};
}

static void bench_done(struct bench *b)
{
    diag_done(&b->diag);
    arena_done(&b->arena);
}

static void resolves_paths(void **state)
{
    static const struct {
        const char *main_file, *file, *path, *expected;
    } cases[] = {
        {"f.yaml", "f.yaml", "a.env", "a.env"},
        {"f.yaml", "f.yaml", "./a.env", "a.env"},
        {"f.yaml", "f.yaml", ".//./a.env", "a.env"},
        {"f.yaml", "f.yaml", "/a.env", "/a.env"},
        {"f.yaml", "f.yaml", "..", ".."},
        {"f.yaml", "f.yaml", "./", "."},
        {"/etc/f.yaml", "/etc/f.yaml", "a/b", "/etc/a/b"},
        {"/etc/f.yaml", "/etc/d/g.yaml", "../a", "/etc/d/../a"},
        {"/f.yaml", "/f.yaml", "a", "/a"},
        {"f.yaml", "sub/g.yaml", "a", "sub/a"},
        {"etc/f.yaml", "--set services.web.working_dir", "a", "etc/a"},
        {"etc/f.yaml", NULL, "a", "etc/a"},
        {"etc/f.yaml", "etc/f.yaml", ".hidden", "etc/.hidden"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        bench_init(&b, cases[i].main_file);
        assert_string_equal(source_path(&b.s, (struct diag_pos){cases[i].file, 1, 1}, cases[i].path),
                            cases[i].expected);
        bench_done(&b);
    }
}

static void keeps_places(void **state)
{
    struct bench b;
    char name[32];
    struct diag_pos kept[20], none;

    (void)state;
    bench_init(&b, "f.yaml");
    for (unsigned i = 0; i < ARRAY_LEN(kept); i++) {
        (void)snprintf(name, sizeof name, "f%u.yaml", i % 10);
        kept[i] = source_keep(&b.s, (struct diag_pos){name, i, i + 1});
    }
    memset(name, 0, sizeof name);
    assert_string_equal(kept[3].file, "f3.yaml");
    assert_ptr_equal(kept[3].file, kept[13].file);
    assert_int_equal(kept[13].line, 13);
    assert_int_equal(kept[13].column, 14);
    assert_int_equal(b.s.n_names, 10);
    none = source_keep(&b.s, (struct diag_pos){NULL, 2, 3});
    assert_null(none.file);
    assert_int_equal(none.line, 2);
    bench_done(&b);
}

static void says_once_that_memory_is_out(void **state)
{
    struct bench b;
    struct diag_pos pos = {"f.yaml", 1, 1};

    (void)state;
    bench_init(&b, "f.yaml");
    b.arena.max = 1;
    assert_null(source_path(&b.s, pos, "a.env"));
    pos.line = 2;
    assert_null(source_path(&b.s, pos, "b.env"));
    assert_null(source_keep(&b.s, pos).file);
    assert_false(source_nomem(&b.s, pos));
    assert_int_equal(b.diag.n_errors, 1);
    assert_int_equal(b.diag.items[0].pos.line, 1);
    bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolves_paths),
        cmocka_unit_test(keeps_places),
        cmocka_unit_test(says_once_that_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
