/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Checked allocation: what overflows or passes a maximum is refused with ENOMEM and changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

static bool is_zero(const void *p, size_t len)
{
    const unsigned char *u = p;

    for (size_t i = 0; i < len; i++)
        if (u[i] != 0)
            return false;
    return true;
}

static void alloc_gives_zeroed_memory(void **state)
{
    static const size_t sizes[] = {0, 1, 7, 4096, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        void *p = mem_alloc(sizes[i]);
        assert_non_null(p);
        assert_true(is_zero(p, sizes[i]));
        mem_free(p);
    }
}

static void array_refuses_what_overflows(void **state)
{
    static const struct {
        size_t n, size;
    } cases[] = {
        {SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX, 1}, {(size_t)PTRDIFF_MAX + 1, 1},
    };
    int mark = 7, *kept = &mark;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = {0};
        errno = 0;
        assert_null(mem_array(cases[i].n, cases[i].size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(mem_resize(NULL, cases[i].n, cases[i].size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(arena_array(&a, cases[i].n, cases[i].size));
        assert_int_equal(errno, ENOMEM);
        assert_int_equal(a.used, 0);
        arena_done(&a);
    }
    assert_ptr_equal(kept, &mark);
}

static void resize_keeps_contents(void **state)
{
    char *p = mem_resize(NULL, 4, 1), *larger;

    (void)state;
    assert_non_null(p);
    memcpy(p, "abc", 4);
    larger = mem_resize(p, 1000, 16);
    assert_non_null(larger);
    assert_string_equal(larger, "abc");
    /* A refusal leaves the old array usable. */
    assert_null(mem_resize(larger, SIZE_MAX, 16));
    assert_string_equal(larger, "abc");
    mem_free(larger);
}

static void grow_doubles_and_keeps(void **state)
{
    uint32_t *v = NULL;
    size_t cap = 0, n_growths = 0;

    (void)state;
    for (size_t n = 0; n < 10000; n++) {
        size_t before = cap;
        assert_true(mem_grow(&v, &cap, n + 1, sizeof(*v)));
        assert_true(cap > n);
        n_growths += cap != before;
        v[n] = (uint32_t)n;
    }
    for (size_t n = 0; n < 10000; n++)
        assert_int_equal(v[n], n);
    assert_true(n_growths < 16);
    mem_free(v);
}

static void grow_jumps_to_a_large_wish(void **state)
{
    char *v = NULL;
    size_t cap = 0;

    (void)state;
    assert_true(mem_grow(&v, &cap, 5000, 1));
    assert_true(cap >= 5000);
    mem_free(v);
}

static void grow_refused_changes_nothing(void **state)
{
    uint64_t *v = NULL, *before;
    size_t cap = 0, cap_before;

    (void)state;
    assert_true(mem_grow(&v, &cap, 3, sizeof(*v)));
    v[2] = 42;
    before = v;
    cap_before = cap;
    errno = 0;
    assert_false(mem_grow(&v, &cap, SIZE_MAX / 4, sizeof(*v)));
    assert_int_equal(errno, ENOMEM);
    assert_ptr_equal(v, before);
    assert_int_equal(cap, cap_before);
    assert_int_equal(v[2], 42);
    mem_free(v);
}

static void strdup_copies(void **state)
{
    const char *text = "a text";
    char *copy = mem_strdup(text), *empty = mem_strdup("");

    (void)state;
    assert_non_null(copy);
    assert_ptr_not_equal(copy, text);
    assert_string_equal(copy, text);
    assert_string_equal(empty, "");
    mem_free(copy);
    mem_free(empty);
}

static void free_keeps_errno(void **state)
{
    (void)state;
    errno = EXDEV;
    mem_free(NULL);
    assert_int_equal(errno, EXDEV);
    void *p = mem_alloc(1 << 20);
    errno = EXDEV;
    mem_free(p);
    assert_int_equal(errno, EXDEV);
}

static void arena_pieces_are_zeroed_aligned_and_apart(void **state)
{
    enum { N = 300 };
    struct arena a = {0};
    char *pieces[N];
    size_t sum = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        size_t size = i * 7 % 900 + 1;
        pieces[i] = arena_alloc(&a, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        assert_true(is_zero(pieces[i], size));
        memset(pieces[i], (int)(i % 255 + 1), size);
        assert_non_null(arena_strdup(&a, "x"));
        sum += size + 2;
    }
    assert_int_equal(a.used, sum);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i * 7 % 900 + 1; j++)
            assert_int_equal((unsigned char)pieces[i][j], i % 255 + 1);
    arena_done(&a);
    assert_null(a.head);
    assert_int_equal(a.used, 0);
}

static void arena_takes_a_piece_larger_than_its_blocks(void **state)
{
    struct arena a = {0};
    char *small = arena_strdup(&a, "small"), *large = arena_alloc(&a, 1 << 20);

    (void)state;
    assert_non_null(large);
    memset(large, 'x', 1 << 20);
    assert_string_equal(small, "small");
    assert_non_null(arena_alloc(&a, 10));
    arena_done(&a);
}

static void arena_works_again_after_done(void **state)
{
    struct arena a = {.max = 100};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_non_null(arena_alloc(&a, 100));
        assert_null(arena_alloc(&a, 1));
        arena_done(&a);
    }
    assert_int_equal(a.max, 100);
}

static void arena_refuses_beyond_its_maximum(void **state)
{
    struct arena a = {.max = 64};

    (void)state;
    assert_non_null(arena_alloc(&a, 60));
    errno = 0;
    assert_null(arena_alloc(&a, 5));
    assert_int_equal(errno, ENOMEM);
    assert_null(arena_strdup(&a, "12345"));
    assert_null(arena_strndup(&a, "12345", 4));
    assert_null(arena_printf(&a, "%d", 12345));
    assert_null(arena_array(&a, 2, 3));
    assert_int_equal(a.used, 60);
    assert_string_equal(arena_strdup(&a, "123"), "123");
    assert_int_equal(a.used, 64);
    /* Even a piece of no bytes has a place. */
    assert_null(arena_alloc(&a, 0));
    arena_done(&a);
}

static void arena_refuses_what_no_memory_holds(void **state)
{
    struct arena a = {0};

    (void)state;
    assert_non_null(arena_alloc(&a, 8));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_null(arena_alloc(&a, PTRDIFF_MAX));
    assert_null(arena_strndup(&a, "", SIZE_MAX));
    assert_int_equal(a.used, 8);
    arena_done(&a);
}

static void arena_texts(void **state)
{
    struct arena a = {0};

    (void)state;
    assert_string_equal(arena_strdup(&a, ""), "");
    assert_string_equal(arena_strdup(&a, "fine"), "fine");
    assert_string_equal(arena_strndup(&a, "finest", 4), "fine");
    assert_string_equal(arena_strndup(&a, "", 0), "");
    assert_memory_equal(arena_strndup(&a, "a\0b", 3), "a\0b", 4);
    assert_string_equal(arena_printf(&a, "%s-%d", "web", 2), "web-2");
    assert_string_equal(arena_printf(&a, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(&a, "%05000d", 1)), 5000);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_gives_zeroed_memory),
        cmocka_unit_test(array_refuses_what_overflows),
        cmocka_unit_test(resize_keeps_contents),
        cmocka_unit_test(grow_doubles_and_keeps),
        cmocka_unit_test(grow_jumps_to_a_large_wish),
        cmocka_unit_test(grow_refused_changes_nothing),
        cmocka_unit_test(strdup_copies),
        cmocka_unit_test(free_keeps_errno),
        cmocka_unit_test(arena_pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(arena_takes_a_piece_larger_than_its_blocks),
        cmocka_unit_test(arena_works_again_after_done),
        cmocka_unit_test(arena_refuses_beyond_its_maximum),
        cmocka_unit_test(arena_refuses_what_no_memory_holds),
        cmocka_unit_test(arena_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
