/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Naps between two looks at a pipe: long where little comes, none where they would hold up a writer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/pace.h"

enum { LOOKS = 100, LEARNED = 10 };

static const double longest_s = 0.001;

/* How full a pipe is that is filled once in FULL_S, by writes of ATOM of it each, after NAP_S; FULLEST is all it takes.
 */
static double filled(double nap_s, double full_s, double atom, double fullest)
{
    double fill = nap_s / full_s;
    fill = fill < atom ? atom : fill;
    return fill < fullest ? fill : fullest;
}

static void who_writes_little_is_left_alone(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p);
    for (int i = 0; i < LOOKS; i++)
        assert_true(pace_next(&p, 0.001) == longest_s);
}

/* Whatever their speed, within a few looks nobody fills the pipe, and yet nobody is looked at too often. */
static void who_writes_much_never_waits(void **state)
{
    (void)state;
    for (double full_s = 0.0002; full_s < 0.0025; full_s *= 1.1) {
        struct pace p;
        pace_init(&p);
        double nap = longest_s, fill = 0.;
        for (int i = 0; i < LOOKS; i++) {
            fill = filled(nap, full_s, 0.002, 1.);
            nap = pace_next(&p, fill);
            assert_true(nap > 0.);
            assert_true(i < LEARNED || fill < 0.45);
        }
        assert_true(fill > 0.3);
    }
}

/* A pipe whose writes share no pages is full before it has all its bytes. */
static void a_pipe_that_is_full_too_early_is_noticed(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p);
    double nap = longest_s, fill = 0.;
    for (int i = 0; i < LOOKS; i++) {
        fill = filled(nap, 0.0004, 0.032, 0.51);
        nap = pace_next(&p, fill);
        assert_true(i < LEARNED || fill < 0.45);
    }
}

static void who_fills_it_at_once_is_awaited(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p);
    for (int i = 0; i < LOOKS; i++) {
        double nap = pace_next(&p, 1.);
        assert_true(i < LEARNED || nap == 0.);
    }
}

static void who_calms_down_is_left_alone_again(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p);
    double nap = longest_s;
    for (int i = 0; i < LOOKS; i++)
        nap = pace_next(&p, 1.);
    assert_true(nap == 0.);
    for (int i = 0; i < LEARNED; i++) {
        double next = pace_next(&p, 0.01);
        assert_true(next >= nap);
        nap = next;
    }
    assert_true(nap == longest_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_writes_little_is_left_alone),          cmocka_unit_test(who_writes_much_never_waits),
        cmocka_unit_test(a_pipe_that_is_full_too_early_is_noticed), cmocka_unit_test(who_fills_it_at_once_is_awaited),
        cmocka_unit_test(who_calms_down_is_left_alone_again),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
