/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Selections, and what is said as JSON, while memory is refused, to us and to jansson: each is whole or not there, and
 * nothing is lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/select.h"
#include "core/snapshot.h"

#include "fault/support/fault.h"
#include "unit/core/super_kit.h"

enum { ALL = 1000 };

static struct kit k;

static int setup(void **state UNUSED)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    kit_init(&k);
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->scale = 3;
    kit_service(&k, "db", SPEC_TYPE_SIMPLE);
    kit_depend(&k.specs[0], "db", SPEC_COND_READY);
    kit_begin(&k);
    return 0;
}

static int teardown(void **state UNUSED)
{
    kit_end(&k);
    return 0;
}

/* OBJECT (taken over) is there, with N members, unless something was refused. */
static void check(json_t *object, size_t n, const struct fault_rule *rule)
{
    if (object == NULL)
        assert_non_null(rule);
    else
        assert_int_equal(json_is_array(object) ? json_array_size(object) : json_object_size(object), n);
    json_decref(object);
}

static void texts(void *arg UNUSED, const struct fault_rule *rule)
{
    json_t *text = snapshot_text("a\xff", 2);

    if (text == NULL)
        assert_non_null(rule);
    else
        assert_string_equal(json_string_value(text), "a\xef\xbf\xbd");
    json_decref(text);
}

static void times(void *arg UNUSED, const struct fault_rule *rule)
{
    json_t *time = snapshot_time(1772337600);

    if (time == NULL)
        assert_non_null(rule);
    else
        assert_string_equal(json_string_value(time), "2026-03-01T04:00:00Z");
    json_decref(time);
}

static void units(void *arg UNUSED, const struct fault_rule *rule)
{
    struct unit_view u = kit_view(&k, "web.2");
    json_t *service;

    u.has_last_wstatus = true;
    service = snapshot_unit(&u, "because", 2000);
    if (service != NULL && snapshot_long(service, k.super, &u)) {
        check(service, 22, rule);
        return;
    }
    assert_non_null(rule);
    json_decref(service);
}

static void others(void *arg UNUSED, const struct fault_rule *rule)
{
    struct unit_view u = kit_view(&k, "db");
    struct log_about about = {.event = "up"};
    const char *keys[] = {"command"};
    struct plan_change change = {.action = PLAN_CHANGE, .service = "web", .keys = keys, .n_keys = 1};
    struct plan plan = {.changes = &change, .n_changes = 1};
    struct diag_list d = {.items = {{.severity = DIAG_WARNING, .pos = {"f", 1, 2}, .text = "odd"}}, .n = 1};

    check(snapshot_graph(k.super), 2, rule);
    check(snapshot_outcome("db", &u, true, true, "ready", 4, json_array()), 8, rule);
    check(snapshot_event(1, 0, LOG_LEVEL_INFO, &about, "text", NULL, NULL), 12, rule);
    check(snapshot_plan(&plan), 1, rule);
    check(snapshot_problems(&d), 1, rule);
    check(snapshot_warnings(&d), 1, rule);
}

static void selections(void *arg UNUSED, const struct fault_rule *rule)
{
    const char *names[] = {"db", "w*"}, *similar = NULL;
    struct select sel = {0};
    size_t wrong = 0;
    enum select_result result = select_units(k.super, names, 2, &sel, &wrong, &similar);

    if (result != SELECT_OK) {
        assert_int_equal(result, SELECT_NOMEM);
        assert_non_null(rule);
        assert_null(sel.units);
        return;
    }
    assert_int_equal(sel.n, 4);
    select_done(&sel);
}

static void without_memory(void **state)
{
    fault_operation *const operations[] = {texts, times, units, others, selections};

    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        fault_each(NULL, 0, ALL, operations[i], *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(without_memory, fault_teardown)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
