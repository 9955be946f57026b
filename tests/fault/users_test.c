/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Looking users and groups up while something is refused: it is told, and nothing is made up in its place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/users_impl.h"

#include "fault/support/fault.h"
#include "unit/sys/kit.h"

enum { ALL = 100 };

static void look(const struct users_files *files, const char *text, bool must)
{
    struct users_entry found = {.uid = 4711};
    struct arena arena = {0};
    struct err e = {0};
    bool ok = users_find_in(files, &arena, text, &found, &e);

    assert_int_equal(ok, must);
    if (ok) {
        assert_int_equal(found.uid, 1000);
        assert_int_equal(found.n_groups, 2);
        assert_string_equal(found.home, "/home");
    } else {
        assert_int_equal(found.uid, 4711);
        assert_null(found.groups);
        assert_true(e.kind == ERR_SYS || e.kind == ERR_NOMEM);
        assert_true(e.text[0] != '\0');
    }
    arena_done(&arena);
}

static void look_for_a_user(void *arg, const struct fault_rule *rule)
{
    look(arg, "app:audio", rule == NULL || rule->errnum == FAULT_SHORT);
}

static void users(void **state UNUSED)
{
    char dir[KIT_PATH_MAX], passwd[KIT_PATH_MAX], group[KIT_PATH_MAX];
    struct users_files files = {passwd, group};

    kit_file(passwd, kit_make_dir(dir), "passwd", "app:x:1000:1000::/home:/bin/sh\n", 0644);
    kit_file(group, dir, "group", "audio:x:44:app\nvideo:x:45:app\n", 0644);
    fault_each(NULL, 0, ALL, look_for_a_user, &files);
    kit_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(users, fault_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
