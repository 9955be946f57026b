/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Comparing configurations without memory: the whole plan, or none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/plan.h"

#include "fault/support/fault.h"

enum { N_SERVICES = 3 };

/* Where the two sets differ: a service goes, one changes in two keys, one comes, and a key of the supervisor. */
static struct spec old_specs[N_SERVICES], new_specs[N_SERVICES];
static struct spec_set old_set = {.name = "foster", .services = old_specs, .n_services = N_SERVICES};
static struct spec_set new_set = {.name = "foster", .services = new_specs, .n_services = N_SERVICES};

static int setup(void **state)
{
    static const char *const old_names[] = {"same", "changed", "old"}, *const new_names[] = {"new", "changed", "same"};

    (void)state;
    for (size_t i = 0; i < N_SERVICES; i++) {
        spec_defaults(&old_specs[i]);
        spec_defaults(&new_specs[i]);
        old_specs[i].name = old_names[i];
        new_specs[i].name = new_names[i];
    }
    new_specs[1].restart.delay_ms++;
    new_specs[1].umask = 022;
    spec_supervisor_defaults(&old_set.supervisor);
    spec_supervisor_defaults(&new_set.supervisor);
    new_set.supervisor.stop_timeout_ms++;
    new_set.supervisor.state_dir = "/x";
    return 0;
}

static void operation(void *arg, const struct fault_rule *rule)
{
    struct plan p;

    (void)arg;
    if (!plan_make(&p, &old_set, &new_set)) {
        assert_non_null(rule);
        assert_true(plan_is_empty(&p));
        assert_null(p.arena.head);
        return;
    }
    assert_int_equal(p.n_changes, 3);
    assert_string_equal(p.changes[0].service, "old");
    assert_string_equal(p.changes[1].service, "new");
    assert_int_equal(p.changes[2].n_keys, 2);
    assert_string_equal(p.changes[2].keys[0], "umask");
    assert_string_equal(p.changes[2].keys[1], "restart.delay");
    assert_int_equal(p.n_live, 1);
    assert_int_equal(p.n_later, 1);
    plan_done(&p);
}

static void test_each_allocation_refused(void **state)
{
    (void)state;
    fault_each(NULL, 0, 1000, operation, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_allocation_refused, fault_teardown),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
