/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The tables of runs and children without memory: what cannot be entered is refused, and the rest stays right; what
 * was reserved is never refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/attrib.h"

#include "fault/support/fault.h"

enum { N_RUNS = 100, N_PIDS = 200 };

static void operation(void *arg, const struct fault_rule *rule)
{
    unsigned n_runs = 0, n_procs = 0;
    struct attrib a;

    (void)arg;
    attrib_init(&a, UINT64_MAX, 1, 1);
    for (unsigned run = 1; run <= N_RUNS; run++)
        n_runs += attrib_run_open(&a, 0, run) != NULL;
    assert_int_equal(a.n_runs, n_runs);
    for (pid_t pid = 1; pid <= N_PIDS; pid++) {
        struct attrib_run *r = attrib_run_find(&a, (uint64_t)(pid % N_RUNS + 1));
        bool reserved = pid % 2 == 0 && attrib_reserve(&a);
        struct attrib_proc *p = attrib_add(&a, pid, r, ATTRIB_MEMBER, ATTRIB_TAG, 0);
        assert_true(p || !reserved);
        assert_ptr_equal(attrib_find(&a, pid), p);
        n_procs += p != NULL;
    }
    assert_int_equal(a.procs.n, n_procs);
    /* One refusal costs one run or one process at the most. */
    assert_true(N_RUNS - n_runs + N_PIDS - n_procs <= (rule ? 1 : 0));
    for (pid_t pid = 1; pid <= N_PIDS; pid++)
        if (attrib_find(&a, pid))
            attrib_remove(&a, attrib_find(&a, pid));
    for (unsigned run = 1; run <= N_RUNS; run++) {
        struct attrib_run *r = attrib_run_find(&a, run);
        assert_true(!r || r->n_members == 0);
        if (r)
            attrib_run_close(&a, r);
    }
    assert_int_equal(a.n_runs, 0);
    attrib_done(&a);
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

    return cmocka_run_group_tests(tests, NULL, NULL);
}
