/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Opening the receiving end of sd_notify(3) while each call in turn is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/notesock.h"

#include <stdio.h>
#include <unistd.h>

#include "fault/support/fault.h"

enum { ALL = 1000 };

static void open_it(void *arg, const struct fault_rule *rule)
{
    (void)arg;
    char name[64];
    struct err e = {0};
    int fd = -7;
    snprintf(name, sizeof name, "foster-fault/%d", (int)getpid());
    assert_int_equal(notesock_open(name, &fd, &e), rule == NULL);
    if (rule == NULL) {
        close(fd);
        return;
    }
    assert_int_equal(fd, -7);
    assert_int_equal(e.errnum, rule->errnum);
}

static void opening(void **state)
{
    (void)state;
    fault_each(NULL, 0, ALL, open_it, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(opening, fault_teardown),
    };
    return cmocka_run_group_tests_name("fault/notesock", tests, NULL, NULL);
}
