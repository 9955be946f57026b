/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The record of a start: what each change of state notes in it, what begins it anew, and what it keeps of many
 * attempts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/timeline.h"

enum { STEPS_MAX = 12 };

/* Steady is what was ready for 10 ms. */
static const struct spec spec = {.restart = {.delay_ms = 1, .reset_after_ms = 10}};

/* States that a unit goes through, from STOPPED on, one each 10 ms from 10 ms on; and its record then. */
struct walk {
    enum unit_state to[STEPS_MAX]; /* STOPPED behind the first ends the list, STATE_N for STOPPED itself */
    int64_t waiting, starting, started, ready, ended;
    unsigned n_tries;
};

static const struct walk walks[] = {
    {{UNIT_WAITING}, 10, -1, -1, -1, -1, 0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING}, 10, 20, 30, -1, -1, 0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_READY}, 10, 20, 30, 40, -1, 0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_DONE}, 10, 20, 30, -1, 40, 0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_STOPPING, UNIT_DONE}, 10, 20, 30, -1, 40, 0},
    {{UNIT_WAITING, UNIT_FAILED}, 10, -1, -1, -1, 20, 0},
    {{UNIT_WAITING, UNIT_STATE_N}, 10, -1, -1, -1, 20, 0},
    /* Attempts that fail are part of the start. */
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_BACKOFF}, 10, 20, 30, -1, 40, 0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_BACKOFF, UNIT_WAITING}, 10, 20, 30, -1, 40, 0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_BACKOFF, UNIT_WAITING, UNIT_STARTING}, 10, 60, -1, -1, -1, 1},
    /* Once it was up, what happens says only whether it still is. */
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_READY, UNIT_BACKOFF}, 10, 20, 30, 40, 50, 0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_READY, UNIT_BACKOFF, UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING},
     10,
     20,
     30,
     40,
     50,
     0},
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_READY, UNIT_BACKOFF, UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING,
      UNIT_READY},
     10,
     20,
     30,
     40,
     -1,
     0},
    /* Somebody has started it anew. */
    {{UNIT_WAITING, UNIT_STARTING, UNIT_RUNNING, UNIT_READY, UNIT_STOPPING, UNIT_WAITING}, 60, -1, -1, -1, -1, 0},
    {{UNIT_WAITING, UNIT_FAILED, UNIT_WAITING, UNIT_STARTING}, 30, 40, -1, -1, -1, 0},
};

static void each_change_is_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
        struct timeline t = {.waiting_ms = 0};
        enum unit_state from = UNIT_STOPPED;
        for (size_t k = 0; k < STEPS_MAX && walks[i].to[k] != UNIT_STOPPED; k++) {
            enum unit_state to = walks[i].to[k] == UNIT_STATE_N ? UNIT_STOPPED : walks[i].to[k];
            timeline_note(&t, &spec, from, to, (int64_t)(k + 1) * 10);
            from = to;
        }
        const int64_t got[] = {t.waiting_ms, t.starting_ms, t.started_ms, t.ready_ms, t.ended_ms, t.n_tries};
        const int64_t want[] = {walks[i].waiting, walks[i].starting, walks[i].started,
                                walks[i].ready,   walks[i].ended,    walks[i].n_tries};
        for (size_t k = 0; k < ARRAY_LEN(want); k++)
            if (got[k] != want[k])
                fail_msg("walk %zu, member %zu: %lld, not %lld", i, k, (long long)got[k], (long long)want[k]);
    }
}

/* A program that crashes at once is no service that was up, though it counts as ready from the first moment on. */
static void who_was_not_ready_for_long_has_not_come_up(void **state)
{
    static const struct {
        int64_t ready, end;
        enum unit_state to;
        bool is_up;
    } cases[] = {
        {20, 29, UNIT_BACKOFF, false}, {20, 30, UNIT_BACKOFF, true}, {20, 29, UNIT_FAILED, false},
        {20, 30, UNIT_FAILED, true},   {20, 21, UNIT_STOPPED, true}, {20, 21, UNIT_DONE, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct timeline t = {.waiting_ms = 0};
        timeline_note(&t, &spec, UNIT_STOPPED, UNIT_WAITING, 10);
        timeline_note(&t, &spec, UNIT_WAITING, UNIT_STARTING, 15);
        timeline_note(&t, &spec, UNIT_STARTING, UNIT_RUNNING, cases[i].ready);
        timeline_note(&t, &spec, UNIT_RUNNING, UNIT_READY, cases[i].ready);
        timeline_note(&t, &spec, UNIT_READY, cases[i].to, cases[i].end);
        assert_int_equal(t.ready_ms, cases[i].is_up ? cases[i].ready : -1);
        assert_int_equal(t.ended_ms, cases[i].end);
        timeline_note(&t, &spec, cases[i].to, UNIT_WAITING, 100);
        timeline_note(&t, &spec, UNIT_WAITING, UNIT_STARTING, 110);
        assert_int_equal(t.n_tries, cases[i].to == UNIT_BACKOFF && !cases[i].is_up);
    }
}

static void what_nobody_wanted_has_no_record(void **state)
{
    struct timeline t = {.waiting_ms = 0};

    (void)state;
    timeline_note(&t, &spec, UNIT_STOPPED, UNIT_STOPPING, 10);
    timeline_note(&t, &spec, UNIT_STOPPING, UNIT_STOPPED, 20);
    assert_int_equal(t.waiting_ms, 0);
    assert_int_equal(t.ended_ms, 0);
}

/* The attempt at 100 * k ends 50 ms later. */
static void of_many_attempts_the_first_and_the_last_are_kept(void **state)
{
    static const int64_t kept[][TIMELINE_TRIES_MAX] = {
        {0}, {100}, {100, 200}, {100, 200, 300}, {100, 200, 300, 400}, {100, 300, 400, 500}, {100, 400, 500, 600},
    };
    struct timeline t = {.waiting_ms = 0};

    (void)state;
    timeline_note(&t, &spec, UNIT_STOPPED, UNIT_WAITING, 50);
    for (unsigned k = 1; k <= ARRAY_LEN(kept); k++) {
        timeline_note(&t, &spec, UNIT_WAITING, UNIT_STARTING, 100 * k);
        assert_int_equal(t.n_tries, k - 1 < TIMELINE_TRIES_MAX ? k - 1 : TIMELINE_TRIES_MAX);
        for (unsigned i = 0; i < t.n_tries; i++) {
            assert_int_equal(t.tries[i].starting_ms, kept[k - 1][i]);
            assert_int_equal(t.tries[i].ended_ms, kept[k - 1][i] + 50);
        }
        timeline_note(&t, &spec, UNIT_STARTING, UNIT_BACKOFF, 100 * k + 50);
        timeline_note(&t, &spec, UNIT_BACKOFF, UNIT_WAITING, 100 * k + 60);
    }
    assert_int_equal(t.waiting_ms, 50);
    timeline_note(&t, &spec, UNIT_FAILED, UNIT_WAITING, 5000);
    assert_int_equal(t.n_tries, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_is_noted),
        cmocka_unit_test(who_was_not_ready_for_long_has_not_come_up),
        cmocka_unit_test(what_nobody_wanted_has_no_record),
        cmocka_unit_test(of_many_attempts_the_first_and_the_last_are_kept),
    };
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
