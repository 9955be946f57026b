/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The queue of effects: order, growth at every position of the ring, and what each kind carries.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/effects.h"

#include <stdio.h>
#include <string.h>

static void put(struct effects *q, unsigned number)
{
    char text[16];

    snprintf(text, sizeof text, "text %u", number);
    effects_add(q, EFFECT_REPORT, number)->text = mem_strdup(text);
}

static void take(struct effects *q, unsigned number)
{
    char text[16];
    struct effect f;

    snprintf(text, sizeof text, "text %u", number);
    assert_true(effects_take(q, &f));
    assert_int_equal(f.unit, number);
    assert_string_equal(f.text, text);
}

/* The ring grows while its contents begin at every possible place. */
static void test_growth_at_every_place(void **state)
{
    (void)state;
    for (unsigned offset = 0; offset < 70; offset++) {
        struct effects q = {0};
        unsigned in = 0, out = 0;
        assert_true(effects_reserve(&q, 64));
        while (in < offset)
            put(&q, in++);
        while (out < in)
            take(&q, out++);
        while (in < offset + 300)
            put(&q, in++);
        assert_int_equal(q.n, 300);
        while (out < in)
            take(&q, out++);
        assert_int_equal(q.n, 0);
        effects_done(&q);
    }
}

static void test_reserved_room_is_room(void **state)
{
    struct effects q = {0};
    size_t cap;

    (void)state;
    put(&q, 0);
    assert_true(effects_reserve(&q, 1000));
    cap = q.cap;
    assert_true(cap >= 1001);
    for (unsigned i = 1; i <= 1000; i++)
        put(&q, i);
    assert_int_equal(q.cap, cap);
    for (unsigned i = 0; i <= 1000; i++)
        take(&q, i);
    effects_done(&q);
}

static void test_empty(void **state)
{
    struct effects q = {0};
    struct effect f;

    (void)state;
    assert_false(effects_take(&q, &f));
    effects_done(&q);
    put(&q, 1);
    effects_done(&q);
    assert_false(effects_take(&q, &f));
}

static void test_what_is_carried(void **state)
{
    struct effects q = {0};
    struct effects_slot *e;
    struct effect f;
    char *text = mem_alloc(2 * EFFECT_TEXT_MAX);

    (void)state;
    e = effects_add(&q, EFFECT_SIGNAL, 3);
    e->number = 15;
    e->scope = SCOPE_REST;
    e->run = 9;
    effects_add(&q, EFFECT_EXIT, 0)->number = 4;
    e = effects_add(&q, EFFECT_REPORT, 5);
    memset(text, 'x', 2 * EFFECT_TEXT_MAX - 1);
    e->text = text;
    e->event = "exited";
    e->code_kind = 's';
    e->code = 9;
    e->pid = 77;
    e->level = LOG_LEVEL_WARN;

    assert_true(effects_take(&q, &f));
    assert_int_equal(f.kind, EFFECT_SIGNAL);
    assert_int_equal(f.signal, 15);
    assert_int_equal(f.exit_code, 0);
    assert_int_equal(f.scope, SCOPE_REST);
    assert_int_equal(f.run, 9);
    assert_int_equal(f.unit, 3);
    assert_string_equal(f.text, "");
    assert_true(effects_take(&q, &f));
    assert_int_equal(f.exit_code, 4);
    assert_int_equal(f.signal, 0);
    assert_true(effects_take(&q, &f));
    assert_int_equal(strlen(f.text), EFFECT_TEXT_MAX - 1);
    assert_string_equal(f.event, "exited");
    assert_int_equal(f.code_kind, 's');
    assert_int_equal(f.code, 9);
    assert_int_equal(f.pid, 77);
    assert_int_equal(f.level, LOG_LEVEL_WARN);
    effects_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth_at_every_place),
        cmocka_unit_test(test_reserved_room_is_room),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_what_is_carried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
