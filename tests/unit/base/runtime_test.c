/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Where fosterd and its clients meet, in every environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/runtime.h"

#include <string.h>

/* The environment of the case at hand. */
static char runtime[200], session[200];

static char *getenv_of_case(const char *name)
{
    char *value = strcmp(name, "FOSTER_RUNTIME_DIR") == 0 ? runtime
                  : strcmp(name, "XDG_RUNTIME_DIR") == 0  ? session
                                                          : NULL;

    assert_non_null(value);
    return value[0] == '-' ? NULL : value;
}

/* "-" is a variable that is not set. */
static void set_case(const char *runtime_dir_value, const char *session_value)
{
    assert_true(strlen(runtime_dir_value) < sizeof runtime && strlen(session_value) < sizeof session);
    strcpy(runtime, runtime_dir_value);
    strcpy(session, session_value);
}

static void finds_the_directory(void **state)
{
    static const struct {
        uid_t uid;
        const char *runtime, *session, *dir;
        bool shared;
    } cases[] = {
        {0, "-", "-", "/run/foster", false},
        {0, "-", "/run/user/0", "/run/foster", false},
        {0, "/srv/f", "/run/user/0", "/srv/f", false},
        {0, "", "-", "/run/foster", false},
        {0, "srv/f", "-", "/run/foster", false},
        {1000, "-", "/run/user/1000", "/run/user/1000/foster", false},
        {1000, "/srv/f", "/run/user/1000", "/srv/f", false},
        {1000, "/", "/run/user/1000", "/", false},
        {1000, "", "/run/user/1000", "/run/user/1000/foster", false},
        {1000, "./f", "/run/user/1000", "/run/user/1000/foster", false},
        {1000, "-", "-", "/tmp/foster-1000", true},
        {1000, "-", "", "/tmp/foster-1000", true},
        {1000, "-", "run", "/tmp/foster-1000", true},
        {4294967294, "-", "-", "/tmp/foster-4294967294", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char dir[100] = "";
        bool shared = !cases[i].shared;

        set_case(cases[i].runtime, cases[i].session);
        assert_true(runtime_dir(cases[i].uid, getenv_of_case, dir, sizeof dir, &shared));
        assert_string_equal(dir, cases[i].dir);
        assert_int_equal(shared, cases[i].shared);
    }
}

static void says_when_it_does_not_fit(void **state)
{
    static const struct {
        uid_t uid;
        const char *runtime, *session;
        size_t len;
    } cases[] = {
        {0, "-", "-", 11},      /* /run/foster */
        {0, "/srv", "-", 4},    /* /srv */
        {1, "-", "/run/x", 13}, /* /run/x/foster */
        {1, "-", "-", 13},      /* /tmp/foster-1 */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char dir[100] = "untouched";
        bool shared = false;

        set_case(cases[i].runtime, cases[i].session);
        assert_false(runtime_dir(cases[i].uid, getenv_of_case, dir, cases[i].len, &shared));
        assert_string_equal(dir, "untouched");
        assert_false(shared);
        assert_false(runtime_dir(cases[i].uid, getenv_of_case, dir, 0, &shared));
        assert_true(runtime_dir(cases[i].uid, getenv_of_case, dir, cases[i].len + 1, &shared));
        assert_int_equal(strlen(dir), cases[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_directory),
        cmocka_unit_test(says_when_it_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
