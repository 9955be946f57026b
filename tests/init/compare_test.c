/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * tini, dumb-init and catatonit as packaged, and fosterd under their names, side by side in every situation.
 *
 *   FOSTER_SITUATION='left-over*'   only the situations whose names fit, shown; the page is not looked at
 *   FOSTER_UPDATE_TABLE=1           writes the tables of doc/init-mode.md instead of checking them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "init/support/compare.h"

#define PAGE SOURCE_DIR "/doc/init-mode.md"

static struct row *rows;
static size_t n_rows;

static void test_row(void **state)
{
    assert_int_equal(compare_judge(*state), 0);
    const char *missing = compare_missing(*state);
    if (missing) {
        printf("SKIP: %s\n", missing);
        skip();
    }
}

static void test_differences_seen(void **state)
{
    (void)state;
    assert_int_equal(compare_judge_unseen(rows, n_rows), 0);
}

static void test_tables(void **state)
{
    (void)state;
    if (getenv("FOSTER_UPDATE_TABLE")) {
        assert_true(table_update(PAGE, rows, n_rows));
    } else {
        assert_true(table_check(PAGE, rows, n_rows));
    }
}

int main(void)
{
    const char *filter = getenv("FOSTER_SITUATION");
    size_t n = 0;
    rows = compare_run(filter, &n_rows);
    if (n_rows == 0) {
        (void)fprintf(stderr, "FOSTER_SITUATION=%s: no situation has such a name\n", filter ? filter : "");
        return 1;
    }
    struct CMUnitTest *tests = calloc(n_rows + 2, sizeof(*tests));
    if (!tests) {
        return 1;
    }
    for (size_t i = 0; filter && i < n_rows; i++) {
        compare_show(&rows[i]);
    }
    for (; n < n_rows; n++) {
        tests[n] =
            (struct CMUnitTest){.name = rows[n].situation->name, .test_func = test_row, .initial_state = &rows[n]};
    }
    if (!filter) {
        tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_differences_seen);
        tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_tables);
    }
    int failed = _cmocka_run_group_tests("init_compare", tests, n, NULL, NULL);
    free(tests);
    return failed;
}
