/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What has become of a unit, case by case: the goal, how it was, how it is, the verdict and its words.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/outcome.h"

#include <stdio.h>
#include <string.h>

enum {
    WANTED = 1 << 0,
    PENDING = 1 << 1,
    SHUTDOWN = 1 << 2, /* everything is being stopped */
    GONE = 1 << 3,
};

/* One case. Runs: 0 is "never started". */
struct judged {
    enum outcome_goal goal;
    const char *states; /* of OUTCOME_STATE */
    enum unit_state before;
    unsigned run_before;
    enum unit_state now;
    unsigned run_now;
    unsigned flags;
    const char *words; /* "ok TEXT", "not TEXT", or "open" */
};

static const char reason[] = "exited with code 1";

static void check(const struct judged *c)
{
    struct outcome_wish wish = {.goal = c->goal, .states = c->states ? outcome_states(c->states) : 0};
    struct outcome_before before = {.id = 1, .run = c->run_before, .state = c->before};
    struct unit_view view = {
        .state = c->now, .run = c->run_now, .want_up = (c->flags & WANTED) != 0, .pending = (c->flags & PENDING) != 0};
    const struct unit_view *u = c->flags & GONE ? NULL : &view;
    char text[OUTCOME_TEXT_MAX], words[OUTCOME_TEXT_MAX + 8] = "open";
    const char *why;
    enum outcome_verdict verdict = outcome_judge(&wish, &before, u, (c->flags & SHUTDOWN) != 0, &why);

    if (verdict != OUTCOME_OPEN)
        snprintf(words, sizeof words, "%s %s", verdict == OUTCOME_OK ? "ok" : "not",
                 outcome_text(&wish, verdict, &before, u, why, verdict == OUTCOME_OK ? NULL : reason, 400, text));
    assert_string_equal(words, c->words);
}

#define CHECK(cases)                                                                                                   \
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)                                                                      \
    check(&(cases)[i])

static void test_up(void **state)
{
    static const struct judged cases[] = {
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_WAITING, 0, WANTED, "open"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_STARTING, 1, WANTED, "open"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_RUNNING, 1, WANTED, "open"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_READY, 1, WANTED, "ok ready in 0.4 s"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_DONE, 1, WANTED, "ok done in 0.4 s"},
        {OUTCOME_UP, NULL, UNIT_READY, 1, UNIT_READY, 1, WANTED, "ok ready"},
        {OUTCOME_UP, NULL, UNIT_DONE, 1, UNIT_DONE, 2, WANTED, "ok done in 0.4 s"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_FAILED, 1, WANTED, "not exited with code 1"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_BACKOFF, 1, WANTED, "not exited with code 1"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_STOPPED, 1, 0, "not exited with code 1"},
        {OUTCOME_UP, NULL, UNIT_STOPPING, 1, UNIT_STOPPING, 1, WANTED, "open"},
        /* Its state is not its last word. */
        {OUTCOME_UP, NULL, UNIT_READY, 1, UNIT_READY, 1, PENDING, "open"},
        {OUTCOME_UP, NULL, UNIT_FAILED, 1, UNIT_FAILED, 1, WANTED | PENDING, "open"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 1, UNIT_STOPPED, 1, WANTED | PENDING, "open"},
        /* Everything is being stopped: nothing comes up any more. */
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_RUNNING, 1, SHUTDOWN, "not fosterd is stopping"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_STOPPED, 0, SHUTDOWN, "not fosterd is stopping"},
        {OUTCOME_UP, NULL, UNIT_READY, 1, UNIT_READY, 1, SHUTDOWN | PENDING, "not fosterd is stopping"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_FAILED, 1, SHUTDOWN, "not exited with code 1"},
        {OUTCOME_UP, NULL, UNIT_STOPPED, 0, UNIT_DONE, 1, SHUTDOWN, "ok done in 0.4 s"},
        {OUTCOME_UP, NULL, UNIT_READY, 1, UNIT_READY, 1, GONE, "not removed by a reload"},
    };

    (void)state;
    CHECK(cases);
}

static void test_again(void **state)
{
    static const struct judged cases[] = {
        {OUTCOME_AGAIN, NULL, UNIT_READY, 1, UNIT_READY, 2, WANTED, "ok ready in 0.4 s"},
        {OUTCOME_AGAIN, NULL, UNIT_STOPPED, 0, UNIT_READY, 1, WANTED, "ok ready in 0.4 s"},
        {OUTCOME_AGAIN, NULL, UNIT_READY, 1, UNIT_STOPPING, 1, WANTED, "open"},
        {OUTCOME_AGAIN, NULL, UNIT_READY, 1, UNIT_READY, 1, WANTED | PENDING, "open"},
        {OUTCOME_AGAIN, NULL, UNIT_READY, 1, UNIT_WAITING, 1, WANTED, "open"},
        /* A failure needs no new run: a dependency may be what failed. */
        {OUTCOME_AGAIN, NULL, UNIT_READY, 1, UNIT_FAILED, 1, WANTED, "not exited with code 1"},
        {OUTCOME_AGAIN, NULL, UNIT_READY, 1, UNIT_STOPPED, 1, 0, "not exited with code 1"},
        {OUTCOME_AGAIN, NULL, UNIT_READY, 1, UNIT_READY, 1, WANTED, "not another request has called that off"},
    };

    (void)state;
    CHECK(cases);
}

static void test_down(void **state)
{
    static const struct judged cases[] = {
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_STOPPED, 1, 0, "ok stopped in 0.4 s"},
        {OUTCOME_DOWN, NULL, UNIT_RUNNING, 1, UNIT_FAILED, 1, 0, "ok stopped in 0.4 s"},
        {OUTCOME_DOWN, NULL, UNIT_BACKOFF, 1, UNIT_STOPPED, 1, 0, "ok stopped"},
        {OUTCOME_DOWN, NULL, UNIT_WAITING, 0, UNIT_STOPPED, 0, 0, "ok stopped"},
        {OUTCOME_DOWN, NULL, UNIT_STOPPED, 0, UNIT_STOPPED, 0, 0, "ok not running"},
        {OUTCOME_DOWN, NULL, UNIT_DONE, 1, UNIT_DONE, 1, 0, "ok not running"},
        {OUTCOME_DOWN, NULL, UNIT_FAILED, 1, UNIT_FAILED, 1, 0, "ok not running"},
        {OUTCOME_DOWN, NULL, UNIT_SKIPPED, 0, UNIT_SKIPPED, 0, 0, "ok not running"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_STOPPING, 1, 0, "open"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_READY, 1, PENDING, "open"},
        /* Left-overs of it are still to be ended. */
        {OUTCOME_DOWN, NULL, UNIT_DONE, 1, UNIT_DONE, 1, PENDING, "open"},
        /* Somebody has started it since. */
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_STOPPING, 1, WANTED, "open"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_WAITING, 1, WANTED, "ok stopped, and started again since"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_STARTING, 2, WANTED, "ok stopped, and started again since"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_STOPPING, 2, 0, "ok stopped, and started again since"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_READY, 1, WANTED, "not another request has called that off"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_STOPPED, 1, SHUTDOWN, "ok stopped in 0.4 s"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_READY, 1, SHUTDOWN | PENDING, "open"},
        {OUTCOME_DOWN, NULL, UNIT_READY, 1, UNIT_READY, 1, GONE, "ok removed by a reload"},
    };

    (void)state;
    CHECK(cases);
}

static void test_states(void **state)
{
    static const struct judged cases[] = {
        {OUTCOME_STATE, "ready", UNIT_READY, 1, UNIT_READY, 1, WANTED, "ok ready"},
        {OUTCOME_STATE, "ready", UNIT_WAITING, 0, UNIT_READY, 1, WANTED, "ok ready in 0.4 s"},
        {OUTCOME_STATE, "ready", UNIT_READY, 1, UNIT_READY, 1, PENDING, "open"},
        /* What tries again by itself may still come there. */
        {OUTCOME_STATE, "ready", UNIT_WAITING, 0, UNIT_BACKOFF, 1, WANTED, "open"},
        {OUTCOME_STATE, "ready", UNIT_WAITING, 0, UNIT_FAILED, 1, WANTED, "not exited with code 1"},
        {OUTCOME_STATE, "ready", UNIT_STOPPED, 0, UNIT_STOPPED, 0, 0, "not exited with code 1"},
        {OUTCOME_STATE, "failed", UNIT_READY, 1, UNIT_READY, 1, WANTED, "open"},
        {OUTCOME_STATE, "failed", UNIT_READY, 1, UNIT_FAILED, 1, WANTED, "ok failed in 0.4 s"},
        {OUTCOME_STATE, "failed", UNIT_READY, 1, UNIT_DONE, 1, WANTED, "not exited with code 1"},
        {OUTCOME_STATE, "running", UNIT_READY, 1, UNIT_READY, 1, WANTED, "ok ready"},
        {OUTCOME_STATE, "stopping", UNIT_READY, 1, UNIT_STOPPING, 1, PENDING, "ok stopping in 0.4 s"},
        {OUTCOME_STATE, "backoff", UNIT_READY, 1, UNIT_BACKOFF, 1, WANTED, "ok backoff in 0.4 s"},
        {OUTCOME_STATE, "up", UNIT_WAITING, 0, UNIT_DONE, 1, WANTED, "ok done in 0.4 s"},
        {OUTCOME_STATE, "down", UNIT_READY, 1, UNIT_READY, 1, WANTED, "open"},
        {OUTCOME_STATE, "down", UNIT_READY, 1, UNIT_BACKOFF, 1, WANTED, "open"},
        {OUTCOME_STATE, "down", UNIT_STOPPED, 0, UNIT_STOPPED, 0, 0, "ok stopped"},
        {OUTCOME_STATE, "down", UNIT_READY, 1, UNIT_FAILED, 1, WANTED, "ok failed in 0.4 s"},
        {OUTCOME_STATE, "down", UNIT_READY, 1, UNIT_STOPPED, 1, WANTED | PENDING, "open"},
        {OUTCOME_STATE, "down", UNIT_READY, 1, UNIT_READY, 1, SHUTDOWN | PENDING, "open"},
        {OUTCOME_STATE, "ready", UNIT_RUNNING, 1, UNIT_RUNNING, 1, SHUTDOWN, "not fosterd is stopping"},
        {OUTCOME_STATE, "done", UNIT_RUNNING, 1, UNIT_RUNNING, 1, SHUTDOWN, "open"},
        {OUTCOME_STATE, "down", UNIT_READY, 1, UNIT_READY, 1, GONE, "ok removed by a reload"},
        {OUTCOME_STATE, "ready", UNIT_READY, 1, UNIT_READY, 1, GONE, "not removed by a reload"},
    };

    (void)state;
    CHECK(cases);
}

/* Where there is a health check, up is not enough. */
static void test_healthy(void **state)
{
    static const struct {
        enum unit_state now;
        enum unit_health health;
        enum outcome_verdict verdict;
        const char *text;
    } cases[] = {
        {UNIT_STARTING, UNIT_HEALTH_STARTING, OUTCOME_OPEN, "still starting after 0.4 s"},
        {UNIT_RUNNING, UNIT_HEALTH_HEALTHY, OUTCOME_OPEN, "still running after 0.4 s"},
        {UNIT_READY, UNIT_HEALTH_STARTING, OUTCOME_OPEN, "still not known to be healthy after 0.4 s"},
        {UNIT_READY, UNIT_HEALTH_UNHEALTHY, OUTCOME_OPEN, "still unhealthy after 0.4 s"},
        {UNIT_READY, UNIT_HEALTH_HEALTHY, OUTCOME_OK, "healthy in 0.4 s"},
        {UNIT_READY, UNIT_HEALTH_NONE, OUTCOME_OK, "ready in 0.4 s"},
        {UNIT_DONE, UNIT_HEALTH_NONE, OUTCOME_OK, "done in 0.4 s"},
        {UNIT_FAILED, UNIT_HEALTH_NONE, OUTCOME_NOT_OK, "exited with code 1"},
    };
    struct outcome_wish wish = {.goal = OUTCOME_STATE, .states = outcome_states("healthy"), .healthy = true};
    struct outcome_before before = {.id = 1, .state = UNIT_WAITING};
    char text[OUTCOME_TEXT_MAX];
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct unit_view u = {.state = cases[i].now, .run = 1, .want_up = true, .health = cases[i].health};
        enum outcome_verdict verdict = outcome_judge(&wish, &before, &u, false, &why);
        assert_int_equal(verdict, cases[i].verdict);
        if (verdict == OUTCOME_OPEN)
            outcome_late_text(&wish, &u, 400, text);
        else
            outcome_text(&wish, verdict, &before, &u, why, verdict == OUTCOME_OK ? NULL : reason, 400, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_names_of_states(void **state)
{
    (void)state;
    for (unsigned i = 0; i < UNIT_STATE_N; i++)
        assert_true(outcome_states(unit_state_name((enum unit_state)i)) & 1U << i);
    assert_int_equal(outcome_states("ready"), 1U << UNIT_READY);
    assert_int_equal(outcome_states("up"), 1U << UNIT_READY | 1U << UNIT_DONE);
    assert_int_equal(outcome_states("down") & (1U << UNIT_READY | 1U << UNIT_BACKOFF | 1U << UNIT_WAITING), 0);
    assert_int_equal(outcome_states(""), 0);
    assert_int_equal(outcome_states("Ready"), 0);
    assert_int_equal(outcome_states("rea"), 0);
}

static void test_words(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "still starting after 0 ms"},       {99, "still starting after 99 ms"},
        {100, "still starting after 0.1 s"},    {999, "still starting after 0.9 s"},
        {1099, "still starting after 1 s"},     {5000, "still starting after 5 s"},
        {12345, "still starting after 12.3 s"}, {123456, "still starting after 2 min 3 s"},
    };
    struct outcome_wish wish = {.goal = OUTCOME_UP};
    struct outcome_before before = {.state = UNIT_SKIPPED};
    struct unit_view u = {.state = UNIT_SKIPPED}, starting = {.state = UNIT_STARTING};
    char text[OUTCOME_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(outcome_late_text(&wish, &starting, cases[i].ms, text), cases[i].text);
    assert_string_equal(outcome_text(&wish, OUTCOME_NOT_OK, &before, &u, NULL, NULL, 1, text),
                        "not selected by a profile");
    u.state = UNIT_FAILED;
    assert_string_equal(outcome_text(&wish, OUTCOME_NOT_OK, &before, &u, NULL, NULL, 1, text), "failed");
}

static void test_doubt(void **state)
{
    static const struct {
        enum spec_type type;
        enum unit_state state;
        int64_t now_ms, until_ms;
    } cases[] = {
        {SPEC_TYPE_AUTO, UNIT_READY, 1000, 1500}, {SPEC_TYPE_SIMPLE, UNIT_READY, 1499, 1500},
        {SPEC_TYPE_AUTO, UNIT_READY, 1500, 0},    {SPEC_TYPE_SIMPLE, UNIT_READY, 9000, 0},
        {SPEC_TYPE_FORKING, UNIT_READY, 1000, 0}, {SPEC_TYPE_ONESHOT, UNIT_DONE, 1000, 0},
        {SPEC_TYPE_SIMPLE, UNIT_DONE, 1000, 0},
    };
    struct outcome_wish wish = {.goal = OUTCOME_UP, .steady_ms = 500};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec spec = {.type = cases[i].type};
        struct unit_view u = {.state = cases[i].state, .spec = &spec, .started_ms = 1000};
        assert_int_equal(outcome_doubt_until(&wish, &u, cases[i].now_ms), cases[i].until_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),     cmocka_unit_test(test_again),   cmocka_unit_test(test_down),
        cmocka_unit_test(test_states), cmocka_unit_test(test_healthy), cmocka_unit_test(test_names_of_states),
        cmocka_unit_test(test_words),  cmocka_unit_test(test_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
