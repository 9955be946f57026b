/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Rings of output: positions, times, dropping, and readers in another process.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/logring.h"

#include "support/seed.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, SIZE = 4096 };

/** A ring in plain memory: what is written at one place is copied to the other by hand. */
struct bench {
    void *base;
    struct logring ring;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->base = calloc(1, logring_head_bytes(SIZE, PAGE) + 2 * SIZE);
    assert_non_null(b->base);
    logring_attach(&b->ring, b->base, SIZE, PAGE);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    free(b->base);
    free(b);
    return 0;
}

static void take_in(struct logring *r, const char *data, size_t len, int64_t real_us)
{
    uint64_t end = r->head->end;
    assert_true(len <= logring_room(r));
    logring_claim(r, len);
    for (size_t i = 0; i < len; i++)
        r->data[(end + i) % SIZE] = r->data[SIZE + (end + i) % SIZE] = data[i];
    logring_commit(r, end + len, real_us);
}

static void put(struct logring *r, const char *text, int64_t real_us)
{
    take_in(r, text, strlen(text), real_us);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(logring_size(0, PAGE), LOGRING_SIZE_DEFAULT);
    assert_int_equal(logring_size(1, PAGE), 4096);
    assert_int_equal(logring_size(4097, PAGE), 8192);
    assert_int_equal(logring_size(5000, 65536), 65536);
    assert_int_equal(logring_size(INT64_MAX, PAGE), LOGRING_SIZE_MAX);
    assert_int_equal(logring_head_bytes(4096, PAGE) % PAGE, 0);
    assert_int_equal(logring_head_bytes(65536, 65536), 65536);
    /* The marks end before the data begins. */
    struct logring r;
    for (size_t size = LOGRING_SIZE_MIN; size <= LOGRING_SIZE_MAX; size *= 2) {
        char *base = (char *)(uintptr_t)PAGE;
        logring_attach(&r, base, size, PAGE);
        assert_true((char *)(r.marks + r.n_marks) <= r.data && r.n_marks > 0);
        assert_true((char *)r.marks >= base + sizeof *r.head);
    }
}

static void test_pending_and_room(void **state)
{
    struct logring *r = &((struct bench *)*state)->ring;
    assert_int_equal(logring_pending(r), 0);
    assert_int_equal(logring_room(r), SIZE);
    put(r, "hello\n", 1);
    assert_int_equal(logring_pending(r), 6);
    assert_int_equal(logring_room(r), SIZE - 6);
    assert_memory_equal(logring_at(r, 0), "hello\n", 6);
    logring_release(r, 6);
    assert_int_equal(logring_room(r), SIZE);
    /* Around the end, in one piece. */
    char block[SIZE];
    memset(block, 'x', sizeof block);
    take_in(r, block, SIZE - 8, 2);
    logring_release(r, SIZE - 2);
    put(r, "round the corner\n", 3);
    assert_memory_equal(logring_at(r, SIZE - 2), "round the corner\n", 17);
}

static void test_commit_again_changes_nothing(void **state)
{
    struct logring *r = &((struct bench *)*state)->ring;
    put(r, "one\n", 10);
    struct logring_head before = *r->head;
    logring_commit(r, 4, 99);
    logring_commit(r, 2, 99);
    assert_memory_equal(&before, r->head, sizeof before);
    assert_int_equal(logring_time(r, 0), 10);
}

static void test_times(void **state)
{
    struct logring *r = &((struct bench *)*state)->ring;
    assert_int_equal(logring_time(r, 0), 0);
    for (int i = 0; i < 20; i++)
        put(r, "ab", 100 + i / 2);
    for (uint64_t at = 0; at < 40; at++)
        assert_int_equal(logring_time(r, at), 100 + (int64_t)at / 4);
    assert_int_equal(logring_time(r, 1000), 109);
    /* More marks than there is room for: the oldest are forgotten, the rest stays exact. */
    logring_release(r, r->head->end);
    uint64_t base = r->head->end;
    size_t n = 3 * r->n_marks;
    for (size_t i = 0; i < n; i++) {
        put(r, "c", 1000 + (int64_t)i);
        logring_release(r, r->head->end);
    }
    for (size_t i = 0; i < n; i++) {
        size_t oldest = n - r->n_marks;
        assert_int_equal(logring_time(r, base + i), 1000 + (int64_t)(i < oldest ? oldest : i));
    }
}

static void test_dropping(void **state)
{
    struct logring *r = &((struct bench *)*state)->ring;
    put(r, "one\ntwo\nthree\nfour", 1);
    /* To the end of the line that it is in. */
    logring_drop(r, 2);
    assert_int_equal(r->head->sent, 4);
    assert_int_equal(r->head->lost_bytes, 4);
    assert_int_equal(r->head->lost_lines, 1);
    assert_false(r->head->line.within);
    logring_drop(r, 4);
    assert_int_equal(r->head->sent, 8);
    /* In the middle of a line that has no end. */
    logring_drop(r, 7);
    assert_int_equal(r->head->sent, 15);
    assert_int_equal(r->head->lost_lines, 3);
    assert_true(r->head->line.within);
    logring_drop(r, 100);
    assert_int_equal(r->head->sent, 18);
    put(r, "!\nfive\n", 1);
    logring_drop(r, 1000);
    assert_int_equal(logring_pending(r), 0);
    assert_int_equal(r->head->lost_bytes, 25);
    assert_int_equal(r->head->lost_lines, 5);
    assert_false(r->head->line.within);
}

static void test_positions(void **state)
{
    struct logring *r = &((struct bench *)*state)->ring;
    uint64_t at = 7;
    put(r, "12345", 1);
    r->head->moved = 5;
    assert_true(logring_position(r, r->head->turn, 3, &at));
    assert_int_equal(at, 8);
    /* Bytes are on their way, or have been since the question was put. */
    r->head->turn = 1;
    assert_false(logring_position(r, 1, 3, &at));
    r->head->turn = 2;
    assert_false(logring_position(r, 0, 3, &at));
    assert_true(logring_position(r, 2, 0, &at));
    assert_int_equal(at, 5);
}

static void test_copies_of_what_is_overwritten(void **state)
{
    struct logring *r = &((struct bench *)*state)->ring;
    static char out[SIZE], block[SIZE];
    put(r, "first\nsecond\n", 1);
    assert_int_equal(logring_copy(r, 0, 13, out), 0);
    assert_memory_equal(out, "first\nsecond\n", 13);
    assert_int_equal(logring_copy(r, 6, 13, out), 6);
    assert_memory_equal(out, "second\n", 7);
    logring_release(r, 13);
    memset(block, 'x', sizeof block);
    take_in(r, block, SIZE - 8, 2);
    /* Five bytes have been overwritten. */
    assert_int_equal(logring_oldest(r), 5);
    assert_int_equal(logring_copy(r, 0, 13, out), 5);
    assert_memory_equal(out, "\nsecond\n", 8);
    /* What is about to be overwritten is not believed any more, though it is there. */
    logring_release(r, r->head->end);
    logring_claim(r, 4);
    assert_int_equal(logring_copy(r, 0, 13, out), 9);
    assert_memory_equal(out, "ond\n", 4);
    logring_claim(r, SIZE);
    assert_int_equal(logring_copy(r, 0, 13, out), 13);
}

/* The other process may have gone mad: what it says is in the ring is not more than there is memory for. */
static void test_copying_what_cannot_be(void **state)
{
    struct bench *b = *state;
    struct logring *r = &b->ring;
    static char out[4 * SIZE];
    r->head->claimed = 0;
    assert_int_equal(logring_copy(r, 0, 4 * SIZE, out), 3 * SIZE);
    r->head->claimed = UINT64_MAX;
    assert_int_equal(logring_copy(r, 0, 4 * SIZE, out), 4 * SIZE);
}

static void test_runs(void **state)
{
    struct bench *b = *state;
    struct logring *r = &b->ring;
    assert_int_equal(logring_pid(r, 0), 0);
    logring_run(r)->pid = 100;
    assert_int_equal(logring_pid(r, 0), 100);
    assert_int_equal(logring_pid(r, 9), 100);
    for (int i = 1; i < LOGRING_RUNS; i++) {
        logring_begin_run(r, (uint64_t)i * 10);
        assert_int_equal(logring_pid(r, (uint64_t)i * 10), 0);
        logring_run(r)->pid = 100 + i;
        for (int k = 0; k <= i; k++) {
            assert_int_equal(logring_pid(r, (uint64_t)k * 10), 100 + k);
            assert_int_equal(logring_pid(r, (uint64_t)k * 10 + 9), 100 + k);
        }
    }
    /* A run that has written nothing is followed by one at the same place. */
    logring_begin_run(r, LOGRING_RUNS * 10);
    logring_begin_run(r, LOGRING_RUNS * 10);
    logring_run(r)->pid = 200;
    assert_int_equal(logring_pid(r, LOGRING_RUNS * 10), 200);
    /* The first two are forgotten. */
    assert_int_equal(logring_pid(r, 19), 0);
    assert_int_equal(logring_pid(r, 20), 102);
}

static void test_last_lines(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t n;
        uint64_t wanted;
    } cases[] = {
        {"", 1, 0},        {"a\n", 0, 2},     {"a\n", 1, 0},      {"a\nb\n", 1, 2},   {"a\nb\n", 2, 0},
        {"a\nb\nc", 1, 4}, {"a\nb\nc", 2, 2}, {"a\nb\nc", 9, 0},  {"\n\n\n", 1, 2},   {"\n\n\n", 2, 1},
        {"\n\n\n", 3, 0},  {"abc", 1, 0},     {"a\n\nb\n", 2, 2}, {"a\n\nb\n", 3, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t to = 100 + strlen(cases[i].data);
        assert_int_equal(logring_last_lines(cases[i].data, 100, to, cases[i].n), 100 + cases[i].wanted);
    }
}

/* Whatever comes in and goes out, in whatever portions: what is there is what was put there last. */
static void test_against_a_model(void **state)
{
    struct logring *r = &((struct bench *)*state)->ring;
    uint64_t seed = test_seed();
    static char all[1 << 20];
    size_t len = 0;
    char out[SIZE];
    while (len < sizeof all - SIZE) {
        size_t room = logring_room(r), n = room > 0 ? test_rand(&seed) % room + 1 : 0;
        for (size_t i = 0; i < n; i++)
            all[len + i] = (char)test_rand(&seed);
        take_in(r, all + len, n, (int64_t)len);
        len += n;
        assert_int_equal(r->head->end, len);
        if (logring_pending(r) > 0)
            assert_memory_equal(logring_at(r, r->head->sent), all + r->head->sent, logring_pending(r));
        uint64_t oldest = logring_oldest(r), from = oldest + test_rand(&seed) % (len - oldest + 1);
        assert_int_equal(logring_copy(r, from, len, out), from);
        if (from < len)
            assert_memory_equal(out, all + from, len - from);
        if (test_rand(&seed) % 8 == 0)
            logring_drop(r, test_rand(&seed) % SIZE);
        else
            logring_release(r, r->head->sent + test_rand(&seed) % (logring_pending(r) + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test_setup_teardown(test_pending_and_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commit_again_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_positions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copies_of_what_is_overwritten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copying_what_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs, setup, teardown),
        cmocka_unit_test(test_last_lines),
        cmocka_unit_test_setup_teardown(test_against_a_model, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
