/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Delays: growth, cap, jitter, and that nothing spins.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/backoff.h"
#include "support/seed.h"

static void test_growth(void **state)
{
    static const struct {
        struct spec_restart rules;
        int64_t delays[7];
    } cases[] = {
        {{.delay_ms = 500, .factor = 2, .max_delay_ms = 30000}, {500, 1000, 2000, 4000, 8000, 16000, 30000}},
        {{.delay_ms = 500, .factor = 1, .max_delay_ms = 30000}, {500, 500, 500, 500, 500, 500, 500}},
        {{.delay_ms = 100, .factor = 1.5, .max_delay_ms = 500}, {100, 150, 225, 338, 500, 500, 500}},
        {{.delay_ms = 500, .factor = 10, .max_delay_ms = 500}, {500, 500, 500, 500, 500, 500, 500}},
        {{.delay_ms = 0, .factor = 2, .max_delay_ms = 100}, {0, 10, 20, 40, 80, 100, 100}},
        {{.delay_ms = 0, .factor = 1, .max_delay_ms = 30000}, {0, 10, 10, 10, 10, 10, 10}},
        {{.delay_ms = 0, .factor = 2, .max_delay_ms = 0}, {0, 10, 10, 10, 10, 10, 10}},
    };
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct backoff b = {0};
        for (size_t k = 0; k < ARRAY_LEN(cases[i].delays); k++) {
            /* The least possible delay is cut to whole milliseconds, the delay itself is rounded. */
            assert_in_range(backoff_least(&b, &cases[i].rules) - cases[i].delays[k] + 1, 0, 1);
            assert_int_equal(backoff_next(&b, &cases[i].rules, &seed), cases[i].delays[k]);
        }
        assert_int_equal(b.n, ARRAY_LEN(cases[i].delays));
        backoff_reset(&b);
        assert_int_equal(backoff_next(&b, &cases[i].rules, &seed), cases[i].delays[0]);
    }
}

static void test_the_longest_life(void **state)
{
    const struct spec_restart r = {.delay_ms = 1, .factor = 100, .max_delay_ms = INT64_C(1) << 52};
    struct backoff b = {0};
    uint64_t seed = 1;
    int64_t last = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        int64_t delay = backoff_next(&b, &r, &seed);
        assert_true(delay >= last && delay <= r.max_delay_ms);
        last = delay;
    }
    assert_int_equal(last, r.max_delay_ms);
}

/* Every delay is within its share either way, never above the cap, and the shares are used to their ends. */
static void test_jitter(void **state)
{
    const struct spec_restart r = {.delay_ms = 1000, .factor = 2, .max_delay_ms = 2000, .jitter = 0.25};
    int64_t least = INT64_MAX, most = 0;
    uint64_t seed = test_seed();

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct backoff b = {0};
        int64_t first = backoff_next(&b, &r, &seed), second = backoff_next(&b, &r, &seed);
        assert_in_range(first, 750, 1250);
        assert_in_range(second, 1500, 2000);
        least = first < least ? first : least;
        most = first > most ? first : most;
    }
    assert_in_range(least, 750, 760);
    assert_in_range(most, 1240, 1250);
}

static void test_full_jitter_is_never_negative(void **state)
{
    const struct spec_restart r = {.delay_ms = 3, .factor = 1, .max_delay_ms = 100, .jitter = 1};
    struct backoff b = {0};
    uint64_t seed = test_seed();

    (void)state;
    assert_int_equal(backoff_least(&b, &r), 0);
    for (int i = 0; i < 1000; i++)
        assert_in_range(backoff_next(&b, &r, &seed), 0, 6);
}

static void test_rules_for_failed_starts(void **state)
{
    static const int64_t delays[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    struct backoff b = {0};
    uint64_t seed = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(delays); i++)
        assert_int_equal(backoff_next(&b, backoff_for_spawn(), &seed), delays[i]);
}

/* The same seed gives the same numbers, another seed others; they spread over all bits. */
static void test_random(void **state)
{
    uint64_t a = test_seed(), b = a, c = a + 1, all = 0, none = UINT64_MAX;
    unsigned n_equal = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint64_t x = backoff_random(&a);
        assert_true(x == backoff_random(&b));
        n_equal += x == backoff_random(&c);
        all |= x;
        none &= x;
    }
    assert_int_equal(n_equal, 0);
    assert_true(all == UINT64_MAX && none == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_the_longest_life),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_full_jitter_is_never_negative),
        cmocka_unit_test(test_rules_for_failed_starts),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
