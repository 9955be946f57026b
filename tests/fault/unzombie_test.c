/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The cure of a parent while calls fail: whichever it is, the parent is not left stopped or traced, and goes on with
 * what it was doing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fault/support/fault.h"
#include "unit/sys/unzombie_kit.h"

enum {
    MAX_NTH = 20,
    N_TRACES = 12, /* so many calls of ptrace(2) a cure makes */
};

/* Cures a parent, of one that is a zombie of it and one that is not, and shows that it goes on with what it was doing.
 * RULE: what is refused. */
static void cure(void *arg UNUSED, const struct fault_rule *rule)
{
    struct zk_parent p;
    struct unzombie_result r;
    zk_start(&p, 1, zk_read_go);
    zk_await_call(p.pid, SYS_read, SYS_read);
    const pid_t zombies[] = {ZK_NO_PID, p.zombies[0]};
    unzombie(p.pid, zombies, ARRAY_LEN(zombies), ZK_BUDGET_US, &r);
    zk_settle();
    if (rule == NULL)
        assert_int_equal(r.verdict, UNZOMBIE_DONE);
    if (r.verdict == UNZOMBIE_DONE)
        assert_true(r.n_tried == 2 && r.n_reaped == 1);
    if (r.verdict == UNZOMBIE_REFUSED || r.verdict == UNZOMBIE_FAILED)
        assert_int_equal(r.errnum, rule->errnum);
    /* The call may have been made, and its result not read. */
    assert_true(r.n_reaped <= r.n_tried && r.n_tried <= 2);
    if (r.n_reaped == 1)
        assert_false(zk_is_there(p.zombies[0]));
    zk_await_call(p.pid, SYS_read, SYS_read);
    zk_assert_free(p.pid);
    zk_go(&p);
    assert_int_equal(zk_end(&p), 0);
}

static void a_parent_is_never_left_stopped(void **state UNUSED)
{
    fault_each(NULL, 0, MAX_NTH, cure, NULL);
}

/* Something fails, and then what leads out of it. */
static void nor_when_the_way_out_is_refused(void **state UNUSED)
{
    static const struct fault_rule bases[] = {
        {FAULT_PARENT, FAULT_sys_ptrace_set_regs, 1, true, EIO},
        {FAULT_PARENT, FAULT_sys_ptrace_set_regs, 2, false, EIO},
    };
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        for (unsigned nth = 2; nth <= N_TRACES; nth++) {
            const struct fault_rule rules[] = {bases[i], {FAULT_PARENT, FAULT_sys_ptrace, nth, false, EIO}};
            fault_begin(rules, ARRAY_LEN(rules));
            cure(NULL, &bases[i]);
            fault_end();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_parent_is_never_left_stopped, fault_teardown),
        cmocka_unit_test_teardown(nor_when_the_way_out_is_refused, fault_teardown),
    };
    if (unzombie_probe() != 0) {
        printf("SKIP: %s\n", strerror(unzombie_probe()));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
