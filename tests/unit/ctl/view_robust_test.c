/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Results that no fosterd sends: each member in turn missing or of another type, and buffers that are too small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "view_kit.h"

static const char *const results[] = {
    "ps.json",      "hostile.json", "service.json", "tree.json",   "graph.json",
    "restart.json", "reload.json",  "events.json",  "doctor.json", "plot-late.json",
};

/* What stands in the place of a member. */
static const char *const others[] = {
    "null",
    "true",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5e300",
    "\"\"",
    "\"\\u001b[2J\\u009b\\u202e\\n\"",
    "[]",
    "{}",
    "[[]]",
    "[null, 7, \"x\", {}]",
    "{\"name\": 7, \"children\": 7}",
};

/* A result, and how often it was shown. */
struct spoiled {
    const json_t *root;
    unsigned n;
};

static void show_all(struct spoiled *s)
{
    static const struct view views[] = {{.width = 80}, {.width = 0, .utf8 = true}};

    for (size_t i = 0; i < ARRAY_LEN(view_kit_all); i++) {
        struct buf out;

        buf_init(&out, VIEW_OUT_MAX);
        view_kit_all[i](&out, &views[s->n % ARRAY_LEN(views)], s->root);
        assert_false(out.failed);
        view_kit_harmless(buf_str(&out), false);
        buf_done(&out);
    }
    s->n++;
}

static json_t *other(size_t i)
{
    json_t *ret = json_loads(others[i], JSON_DECODE_ANY, NULL);

    assert_non_null(ret);
    return ret;
}

static void spoil(struct spoiled *s, json_t *node);

static void spoil_member(struct spoiled *s, json_t *object, const char *key)
{
    json_t *value = json_incref(json_object_get(object, key));

    assert_int_equal(json_object_del(object, key), 0);
    show_all(s);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_int_equal(json_object_set_new(object, key, other(i)), 0);
        show_all(s);
    }
    assert_int_equal(json_object_set(object, key, value), 0);
    spoil(s, value);
    json_decref(value);
}

static void spoil_item(struct spoiled *s, json_t *array, size_t at)
{
    json_t *value = json_incref(json_array_get(array, at));

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_int_equal(json_array_set_new(array, at, other(i)), 0);
        show_all(s);
    }
    assert_int_equal(json_array_set(array, at, value), 0);
    spoil(s, value);
    json_decref(value);
}

/* Spoils what is below NODE, one thing at a time. The members are those of a copy, for they come and go. */
static void spoil(struct spoiled *s, json_t *node)
{
    json_t *copy = json_copy(node), *value;
    const char *key;

    assert_non_null(copy);
    if (json_is_object(node)) {
        json_object_foreach(copy, key, value)
        {
            spoil_member(s, node, key);
        }
    }
    for (size_t i = 0; i < json_array_size(node); i++)
        spoil_item(s, node, i);
    json_decref(copy);
}

static void no_result_is_too_odd(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        json_t *root = view_kit_load(results[i]), *before = json_deep_copy(root);
        struct spoiled s = {.root = root};

        spoil(&s, root);
        assert_true(json_equal(root, before));
        assert_true(s.n > 100);
        json_decref(before);
        json_decref(root);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        json_t *root = other(i);

        show_all(&(struct spoiled){.root = root});
        json_decref(root);
    }
}

static void what_is_missing_is_a_dash(void **state)
{
    static const struct {
        view_render *render;
        const char *result, *expected;
    } rows[] = {
        {view_kit_ps, "{\"services\": [{}]}",
         "NAME  STATE  HEALTH  PID  UPTIME  RESTARTS  LAST-EXIT  COMMAND\n"
         "-     -      -         -       -         -  -          -\n"},
        {view_service, "{\"services\": [{}]}", "-: - for -\n  runs        starts -, restarts -\n"},
        {view_tree, "{\"services\": [{\"processes\": [{\"adopted\": true}]}]}",
         "-  fosterd -, up -; adopted -, reaped -\n`- -  -\n   `~ - -  -, adopted\n"},
        {view_graph, "{\"services\": [{\"depends_on\": [{}]}]}", "-  -\n`- -  -, order only\n"},
        {view_plan, "{\"changes\": [{}], \"later\": [7], \"warnings\": [null]}",
         "-\n! - has changed, too; that counts when fosterd is started again\n-\n"},
        {view_plan, "{}", "no service has changed\n"},
        {view_kit_outcomes, "{\"services\": [{\"lines\": [7]}]}", "-: -\n    -\n"},
        {view_kit_events, "[{}]", "-  -             -           \n"},
        {view_doctor, "{\"checks\": [{}]}", "-     -  -\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *result = json_loads(rows[i].result, 0, NULL);
        struct buf out;

        assert_non_null(result);
        buf_init(&out, VIEW_OUT_MAX);
        rows[i].render(&out, &(struct view){.width = 80}, result);
        assert_string_equal(buf_str(&out), rows[i].expected);
        buf_done(&out);
        json_decref(result);
    }
}

/* However small the buffer: it says so, and holds the beginning of the text. */
static void a_full_buffer_says_so(void **state)
{
    const struct view v = {.width = 80, .color = true, .utf8 = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        json_t *root = view_kit_load(results[i]);

        for (size_t k = 0; k < ARRAY_LEN(view_kit_all); k++) {
            struct buf all;

            buf_init(&all, VIEW_OUT_MAX);
            view_kit_all[k](&all, &v, root);
            for (size_t max = 0; max < all.len; max += 1 + all.len / 64) {
                struct buf out;

                buf_init(&out, max);
                view_kit_all[k](&out, &v, root);
                assert_true(out.failed);
                assert_true(out.len <= max);
                assert_memory_equal(buf_str(&out), buf_str(&all), out.len);
                buf_done(&out);
            }
            buf_done(&all);
        }
        json_decref(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_result_is_too_odd),
        cmocka_unit_test(what_is_missing_is_a_dash),
        cmocka_unit_test(a_full_buffer_says_so),
    };
    return cmocka_run_group_tests_name("view_robust", tests, view_kit_set_zone, NULL);
}
