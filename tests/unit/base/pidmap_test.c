/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The pid map, compared with a plain array over random operations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pidmap.h"

#include "support/seed.h"

#include <errno.h>
#include <limits.h>

static int records[64];

static void empty_map(void **state)
{
    struct pidmap m = {0};

    (void)state;
    assert_null(pidmap_get(&m, 1));
    assert_null(pidmap_remove(&m, 1));
    pidmap_done(&m);
    pidmap_done(&m);
    assert_int_equal(m.n, 0);
}

static void put_get_remove(void **state)
{
    static const pid_t pids[] = {1, 2, 4194304, INT_MAX, 32768};
    struct pidmap m = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pids); i++)
        assert_true(pidmap_put(&m, pids[i], &records[i]));
    assert_int_equal(m.n, ARRAY_LEN(pids));
    for (size_t i = 0; i < ARRAY_LEN(pids); i++)
        assert_ptr_equal(pidmap_get(&m, pids[i]), &records[i]);
    assert_null(pidmap_get(&m, 3));
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        assert_ptr_equal(pidmap_remove(&m, pids[i]), &records[i]);
        assert_null(pidmap_get(&m, pids[i]));
        assert_null(pidmap_remove(&m, pids[i]));
    }
    assert_int_equal(m.n, 0);
    pidmap_done(&m);
}

static void put_replaces(void **state)
{
    struct pidmap m = {0};

    (void)state;
    assert_true(pidmap_put(&m, 10, &records[0]));
    assert_true(pidmap_put(&m, 10, &records[1]));
    assert_int_equal(m.n, 1);
    assert_ptr_equal(pidmap_get(&m, 10), &records[1]);
    pidmap_done(&m);
}

static void only_positive_pids(void **state)
{
    static const pid_t pids[] = {0, -1, INT_MIN};
    struct pidmap m = {0};

    (void)state;
    assert_true(pidmap_put(&m, 5, &records[5]));
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        errno = 0;
        assert_false(pidmap_put(&m, pids[i], &records[0]));
        assert_int_equal(errno, EINVAL);
        assert_null(pidmap_get(&m, pids[i]));
        assert_null(pidmap_remove(&m, pids[i]));
    }
    assert_int_equal(m.n, 1);
    pidmap_done(&m);
}

static void after_reserve_a_put_allocates_nothing(void **state)
{
    struct pidmap m = {0};

    (void)state;
    for (pid_t pid = 1; pid < 3000; pid++) {
        const struct pidmap_slot *slots;
        assert_true(pidmap_reserve(&m));
        slots = m.slots;
        assert_true(pidmap_put(&m, pid, &records[pid % 64]));
        assert_ptr_equal(m.slots, slots);
    }
    for (pid_t pid = 1; pid < 3000; pid++)
        assert_ptr_equal(pidmap_get(&m, pid), &records[pid % 64]);
    pidmap_done(&m);
}

static void refused_growth_leaves_the_map(void **state)
{
    /* As full as no memory could hold: the next growth must fail before it looks at a slot. */
    struct pidmap m = {.cap = SIZE_MAX / 2 + 1, .n = SIZE_MAX / 2};

    (void)state;
    errno = 0;
    assert_false(pidmap_reserve(&m));
    assert_int_equal(errno, ENOMEM);
    assert_true(m.cap == SIZE_MAX / 2 + 1 && m.n == SIZE_MAX / 2);

    m = (struct pidmap){.cap = SIZE_MAX / 8 + 1, .n = SIZE_MAX / 8};
    errno = 0;
    assert_false(pidmap_reserve(&m));
    assert_int_equal(errno, ENOMEM);
    assert_null(m.slots);
}

struct tally {
    size_t n;
    uint64_t pids;
};

static void count(pid_t pid, void *record, void *data)
{
    struct tally *t = data;

    assert_ptr_equal(record, &records[pid % 64]);
    t->n++;
    t->pids += (uint64_t)pid;
}

static void each_sees_every_record_once(void **state)
{
    struct pidmap m = {0};
    struct tally t = {0};

    (void)state;
    pidmap_each(&m, count, &t);
    assert_int_equal(t.n, 0);
    for (pid_t pid = 1; pid <= 1000; pid++)
        assert_true(pidmap_put(&m, pid, &records[pid % 64]));
    pidmap_each(&m, count, &t);
    assert_int_equal(t.n, 1000);
    assert_int_equal(t.pids, 1000 * 1001 / 2);
    pidmap_done(&m);
}

/* The reference: records by pid, for pids below its size. */
enum { PIDS = 512 };

static void assert_same(const struct pidmap *m, void *const *model)
{
    size_t n = 0;

    for (pid_t pid = 1; pid < PIDS; pid++) {
        assert_ptr_equal(pidmap_get(m, pid), model[pid]);
        n += model[pid] != NULL;
    }
    assert_int_equal(m->n, n);
}

static void random_operations_agree_with_an_array(void **state)
{
    uint64_t rand = test_seed();

    (void)state;
    for (int round = 0; round < 20; round++) {
        /* Few pids keep the table small and its runs long. */
        uint64_t n_pids = 8u << test_rand_below(&rand, 7);
        void *model[PIDS] = {0};
        struct pidmap m = {0};
        for (int i = 0; i < 4000; i++) {
            pid_t pid = (pid_t)(1 + test_rand_below(&rand, n_pids - 1));
            if (test_rand_below(&rand, 2)) {
                model[pid] = &records[test_rand_below(&rand, 64)];
                assert_true(pidmap_put(&m, pid, model[pid]));
            } else {
                assert_ptr_equal(pidmap_remove(&m, pid), model[pid]);
                model[pid] = NULL;
            }
            if (i % 97 == 0)
                assert_same(&m, model);
        }
        assert_same(&m, model);
        pidmap_done(&m);
    }
}

static void comings_and_goings_do_not_grow_it(void **state)
{
    struct pidmap m = {0};

    (void)state;
    for (pid_t pid = 1; pid < 200000; pid++) {
        assert_true(pidmap_put(&m, pid, &records[0]));
        if (pid > 10)
            assert_non_null(pidmap_remove(&m, pid - 10));
    }
    assert_int_equal(m.n, 10);
    assert_true(m.cap <= 32);
    pidmap_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map),
        cmocka_unit_test(put_get_remove),
        cmocka_unit_test(put_replaces),
        cmocka_unit_test(only_positive_pids),
        cmocka_unit_test(after_reserve_a_put_allocates_nothing),
        cmocka_unit_test(refused_growth_leaves_the_map),
        cmocka_unit_test(each_sees_every_record_once),
        cmocka_unit_test(random_operations_agree_with_an_array),
        cmocka_unit_test(comings_and_goings_do_not_grow_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
