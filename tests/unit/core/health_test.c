/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Health checks on a clock of our own: every timing word, at its boundaries, with jitter and without.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/health.h"
#include "support/seed.h"

#include <string.h>

enum { START = 1000000, INTERVAL = 30000, START_INTERVAL = 5000, PERIOD = 60000, TOOK = 70 };

/* Times by which nothing is ever exactly a tenth of something else by accident. */
static struct spec_health words(void)
{
    return (struct spec_health){.interval_ms = INTERVAL,
                                .timeout_ms = 2000,
                                .retries = 3,
                                .start_period_ms = 0,
                                .start_interval_ms = START_INTERVAL};
}

/* As health_start(), but with nothing varied: the boundaries are those of the words. */
static void start_plain(struct health *h, const struct spec_health *spec)
{
    health_start(h, spec, 1, START);
    h->varied = 0;
    health_set(h, spec);
}

/* One check that begins when it is due and takes TOOK; then the next one is due without variation. Whether the status
 * has changed. */
static bool check(struct health *h, const struct spec_health *spec, enum health_outcome outcome)
{
    int64_t at = h->due_ms;
    assert_false(health_begin(h, at - 1));
    assert_true(health_begin(h, at));
    assert_int_equal(h->began_ms, at);
    assert_int_equal(h->due_ms, -1);
    bool changed = health_end(h, outcome, at + TOOK);
    assert_int_equal(h->ended_ms, at + TOOK);
    h->varied = 0;
    health_set(h, spec);
    return changed;
}

static void test_interval_counts_from_the_end(void **state)
{
    const struct spec_health spec = words();
    struct health h;
    (void)state;
    start_plain(&h, &spec);
    assert_int_equal(h.status, UNIT_HEALTH_STARTING);
    assert_int_equal(h.ended_ms, -1);
    assert_int_equal(h.due_ms, START + INTERVAL);
    assert_true(check(&h, &spec, HEALTH_OK));
    assert_int_equal(h.status, UNIT_HEALTH_HEALTHY);
    assert_int_equal(h.due_ms, START + INTERVAL + TOOK + INTERVAL);
    assert_false(check(&h, &spec, HEALTH_OK));
    assert_int_equal(h.due_ms, START + 2 * (INTERVAL + TOOK) + INTERVAL);
    assert_int_equal(h.n_checks, 2);
    assert_int_equal(h.n_failures, 0);
}

static void test_never_two_at_once(void **state)
{
    const struct spec_health spec = words();
    struct health h;
    (void)state;
    start_plain(&h, &spec);
    assert_true(health_begin(&h, h.due_ms));
    /* However late: it is not due before the present one has ended. */
    assert_false(health_begin(&h, START + 10 * INTERVAL));
    health_set(&h, &spec);
    assert_int_equal(h.due_ms, -1);
    assert_false(health_begin(&h, START + 10 * INTERVAL));
    assert_true(health_end(&h, HEALTH_OK, START + 10 * INTERVAL));
    assert_in_range(h.due_ms, START + 10 * INTERVAL + INTERVAL * 9 / 10, START + 10 * INTERVAL + INTERVAL * 11 / 10);
}

static void test_retries(void **state)
{
    (void)state;
    for (int64_t retries = 1; retries <= 4; retries++) {
        struct spec_health spec = words();
        struct health h;
        spec.retries = retries;
        start_plain(&h, &spec);
        for (int64_t i = 1; i < retries; i++) {
            assert_false(check(&h, &spec, HEALTH_FAILED));
            assert_int_equal(h.streak, i);
            assert_int_equal(h.status, UNIT_HEALTH_STARTING);
        }
        assert_true(check(&h, &spec, HEALTH_FAILED));
        assert_int_equal(h.status, UNIT_HEALTH_UNHEALTHY);
        assert_int_equal(h.streak, retries);
        /* It stays so, and counts on; one success is enough. */
        assert_false(check(&h, &spec, HEALTH_FAILED));
        assert_int_equal(h.streak, retries + 1);
        assert_true(check(&h, &spec, HEALTH_OK));
        assert_int_equal(h.status, UNIT_HEALTH_HEALTHY);
        assert_int_equal(h.streak, 0);
        assert_int_equal(h.n_failures, retries + 1);
        assert_int_equal(h.n_checks, retries + 2);
    }
}

static void test_a_success_between_failures(void **state)
{
    const struct spec_health spec = words();
    struct health h;
    (void)state;
    start_plain(&h, &spec);
    assert_true(check(&h, &spec, HEALTH_OK));
    for (int round = 0; round < 3; round++) {
        assert_false(check(&h, &spec, HEALTH_FAILED));
        assert_false(check(&h, &spec, HEALTH_FAILED));
        assert_int_equal(h.streak, 2);
        assert_int_equal(h.status, UNIT_HEALTH_HEALTHY);
        assert_false(check(&h, &spec, HEALTH_OK));
        assert_int_equal(h.streak, 0);
    }
    assert_false(check(&h, &spec, HEALTH_FAILED));
    assert_false(check(&h, &spec, HEALTH_FAILED));
    assert_true(check(&h, &spec, HEALTH_FAILED));
    assert_int_equal(h.status, UNIT_HEALTH_UNHEALTHY);
}

static void test_start_period_forgives(void **state)
{
    struct spec_health spec = words();
    struct health h;
    int n = 0;
    (void)state;
    spec.start_period_ms = PERIOD;
    spec.retries = 1;
    start_plain(&h, &spec);
    assert_int_equal(h.due_ms, START + START_INTERVAL);
    while (h.due_ms < START + PERIOD) {
        int64_t due = h.due_ms;
        assert_false(check(&h, &spec, HEALTH_FAILED));
        assert_int_equal(h.streak, 0);
        assert_int_equal(h.status, UNIT_HEALTH_STARTING);
        assert_int_equal(h.n_failures, ++n);
        if (h.ended_ms < START + PERIOD)
            assert_int_equal(h.due_ms, due + TOOK + START_INTERVAL);
    }
    assert_int_equal(n, PERIOD / (START_INTERVAL + TOOK));
    assert_true(check(&h, &spec, HEALTH_FAILED));
    assert_int_equal(h.status, UNIT_HEALTH_UNHEALTHY);
    assert_int_equal(h.due_ms, h.ended_ms + INTERVAL);
}

/* A check belongs to the period when it begins before its end; what it takes does not matter. */
static void test_the_end_of_start_period(void **state)
{
    static const struct {
        int64_t begins; /* behind the start */
        bool counts;
    } cases[] = {{PERIOD - 1, false}, {PERIOD, true}, {PERIOD + 1, true}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec_health spec = words();
        struct health h;
        spec.start_period_ms = PERIOD;
        spec.start_interval_ms = cases[i].begins;
        spec.retries = 1;
        start_plain(&h, &spec);
        assert_int_equal(h.due_ms, START + cases[i].begins);
        assert_int_equal(check(&h, &spec, HEALTH_FAILED), cases[i].counts);
        assert_int_equal(h.status, cases[i].counts ? UNIT_HEALTH_UNHEALTHY : UNIT_HEALTH_STARTING);
        assert_int_equal(h.streak, cases[i].counts);
        assert_int_equal(h.n_failures, 1);
    }
}

/* start_interval is for the time of starting: behind it, and from the first success on, it is interval. */
static void test_start_interval_ends(void **state)
{
    static const struct {
        int64_t ends; /* the check, behind the start */
        enum health_outcome outcome;
        int64_t next;
    } cases[] = {
        {PERIOD - 1, HEALTH_FAILED, START_INTERVAL}, {PERIOD, HEALTH_FAILED, INTERVAL},
        {PERIOD - 1, HEALTH_OK, INTERVAL},           {PERIOD - 1, HEALTH_UNKNOWN, START_INTERVAL},
        {PERIOD, HEALTH_UNKNOWN, INTERVAL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec_health spec = words();
        struct health h;
        spec.start_period_ms = PERIOD;
        start_plain(&h, &spec);
        assert_true(health_begin(&h, h.due_ms));
        health_end(&h, cases[i].outcome, START + cases[i].ends);
        h.varied = 0;
        health_set(&h, &spec);
        assert_int_equal(h.due_ms, START + cases[i].ends + cases[i].next);
    }
}

static void test_a_failure_behind_a_success_counts_within_the_period(void **state)
{
    struct spec_health spec = words();
    struct health h;
    (void)state;
    spec.start_period_ms = PERIOD;
    spec.retries = 2;
    start_plain(&h, &spec);
    assert_false(check(&h, &spec, HEALTH_FAILED));
    assert_int_equal(h.streak, 0);
    assert_true(check(&h, &spec, HEALTH_OK));
    /* The next one is within the period still, but starting is over. */
    assert_true(h.due_ms < START + PERIOD);
    assert_false(check(&h, &spec, HEALTH_FAILED));
    assert_int_equal(h.streak, 1);
    assert_true(check(&h, &spec, HEALTH_FAILED));
    assert_int_equal(h.status, UNIT_HEALTH_UNHEALTHY);
}

static void test_without_start_period(void **state)
{
    struct spec_health spec = words();
    struct health h;
    (void)state;
    spec.start_interval_ms = 1;
    spec.retries = 1;
    start_plain(&h, &spec);
    assert_int_equal(h.due_ms, START + INTERVAL);
    assert_true(check(&h, &spec, HEALTH_FAILED));
}

static void test_what_could_not_be_made_counts_neither_way(void **state)
{
    struct spec_health spec = words();
    struct health h;
    (void)state;
    spec.retries = 2;
    start_plain(&h, &spec);
    assert_false(check(&h, &spec, HEALTH_FAILED));
    for (int i = 0; i < 5; i++)
        assert_false(check(&h, &spec, HEALTH_UNKNOWN));
    assert_int_equal(h.streak, 1);
    assert_int_equal(h.n_checks, 1);
    assert_int_equal(h.n_failures, 1);
    assert_int_equal(h.due_ms, h.ended_ms + INTERVAL);
    assert_true(check(&h, &spec, HEALTH_FAILED));
    assert_int_equal(h.status, UNIT_HEALTH_UNHEALTHY);
    assert_false(check(&h, &spec, HEALTH_UNKNOWN));
    assert_int_equal(h.status, UNIT_HEALTH_UNHEALTHY);
}

static void test_jitter(void **state)
{
    const struct spec_health spec = words();
    int64_t first_least = INT64_MAX, first_most = 0, least = INT64_MAX, most = 0;
    uint64_t seed = test_seed();
    (void)state;
    for (uint64_t i = 0; i < 5000; i++) {
        struct health h;
        health_start(&h, &spec, seed + i, START);
        int64_t first = h.due_ms - START;
        assert_true(health_begin(&h, h.due_ms));
        health_end(&h, HEALTH_OK, START + INTERVAL * 2);
        int64_t next = h.due_ms - h.ended_ms;
        first_least = first < first_least ? first : first_least;
        first_most = first > first_most ? first : first_most;
        least = next < least ? next : least;
        most = next > most ? next : most;
    }
    /* Never before its time at first; then either way; and to both ends. */
    assert_in_range(first_least, INTERVAL, INTERVAL + INTERVAL / 100);
    assert_in_range(first_most, INTERVAL * 109 / 100, INTERVAL * 11 / 10);
    assert_in_range(least, INTERVAL * 9 / 10, INTERVAL * 91 / 100);
    assert_in_range(most, INTERVAL * 109 / 100, INTERVAL * 11 / 10);
}

static void test_a_seed_makes_the_same_again(void **state)
{
    const struct spec_health spec = words();
    struct health a, b;
    uint64_t seed = test_seed();
    (void)state;
    health_start(&a, &spec, seed, START);
    health_start(&b, &spec, seed, START);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(a.due_ms, b.due_ms);
        int64_t at = a.due_ms;
        assert_true(health_begin(&a, at) && health_begin(&b, at));
        health_end(&a, HEALTH_OK, at);
        health_end(&b, HEALTH_OK, at);
    }
}

/* Whoever comes back after a long time has one check due, not many; and many instances are spread. */
static void test_who_was_away_is_not_in_a_hurry(void **state)
{
    const struct spec_health spec = words();
    int64_t back = START + 100 * INTERVAL, least = INT64_MAX, most = 0;
    uint64_t seed = test_seed();
    (void)state;
    for (uint64_t i = 0; i < 2000; i++) {
        struct health h;
        health_start(&h, &spec, seed + i, START);
        assert_false(health_begin(&h, back));
        least = h.due_ms < least ? h.due_ms : least;
        most = h.due_ms > most ? h.due_ms : most;
        int64_t at = h.due_ms;
        assert_true(health_begin(&h, at));
        health_end(&h, HEALTH_OK, at);
        assert_true(h.due_ms >= at + INTERVAL * 9 / 10);
        assert_int_equal(h.n_checks, 1);
    }
    assert_in_range(least, back + 1, back + INTERVAL / 100);
    assert_in_range(most, back + INTERVAL * 9 / 100, back + INTERVAL / 10);
}

static void test_how_late_is_away(void **state)
{
    const struct spec_health spec = words();
    struct health h;
    (void)state;
    start_plain(&h, &spec);
    assert_true(health_begin(&h, h.due_ms + INTERVAL - 1));
    start_plain(&h, &spec);
    assert_false(health_begin(&h, h.due_ms + INTERVAL));
    /* Intervals so short that nothing can be spread over them are begun at once. */
    struct spec_health brief = words();
    brief.interval_ms = 500;
    start_plain(&h, &brief);
    assert_true(health_begin(&h, h.due_ms + 100 * INTERVAL));
}

static void test_new_words(void **state)
{
    struct spec_health spec = words();
    struct health h;
    (void)state;
    start_plain(&h, &spec);
    assert_false(check(&h, &spec, HEALTH_FAILED));
    assert_false(check(&h, &spec, HEALTH_FAILED));
    int64_t ended = h.ended_ms;
    spec.interval_ms = 1000;
    spec.retries = 5;
    health_set(&h, &spec);
    assert_int_equal(h.due_ms, ended + 1000);
    assert_int_equal(h.streak, 2);
    assert_false(check(&h, &spec, HEALTH_FAILED));
    /* Fewer retries count with the next failure, not by themselves. */
    spec.retries = 1;
    health_set(&h, &spec);
    assert_int_equal(h.status, UNIT_HEALTH_STARTING);
    assert_true(check(&h, &spec, HEALTH_FAILED));
    assert_int_equal(h.status, UNIT_HEALTH_UNHEALTHY);
    assert_int_equal(h.streak, 4);
}

static void test_the_longest_words(void **state)
{
    struct spec_health spec = words();
    struct health h;
    (void)state;
    spec.interval_ms = INT64_C(1) << 52;
    health_start(&h, &spec, 1, START);
    assert_true(h.due_ms >= START + spec.interval_ms && h.due_ms <= START + spec.interval_ms / 10 * 11 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval_counts_from_the_end),
        cmocka_unit_test(test_never_two_at_once),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_a_success_between_failures),
        cmocka_unit_test(test_start_period_forgives),
        cmocka_unit_test(test_the_end_of_start_period),
        cmocka_unit_test(test_start_interval_ends),
        cmocka_unit_test(test_a_failure_behind_a_success_counts_within_the_period),
        cmocka_unit_test(test_without_start_period),
        cmocka_unit_test(test_what_could_not_be_made_counts_neither_way),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_a_seed_makes_the_same_again),
        cmocka_unit_test(test_who_was_away_is_not_in_a_hurry),
        cmocka_unit_test(test_how_late_is_away),
        cmocka_unit_test(test_new_words),
        cmocka_unit_test(test_the_longest_words),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
