/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The error value: its texts, how they are joined and cut, and the errnos by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void zero_is_no_error(void **state)
{
    struct err e = {0};

    (void)state;
    assert_int_equal(e.kind, ERR_NONE);
    assert_string_equal(e.text, "");
}

static void set_formats(void **state)
{
    struct err e = {.errnum = ENOENT};

    (void)state;
    err_set(&e, ERR_LIMIT, "%d services; at most %d", 5000, 4096);
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_int_equal(e.errnum, 0);
    assert_string_equal(e.text, "5000 services; at most 4096");
}

static void set_errno_adds_its_text(void **state)
{
    static const struct {
        int errnum;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {ENOENT, ERR_SYS, "working_dir /srv/x: No such file or directory"},
        {EACCES, ERR_SYS, "working_dir /srv/x: Permission denied"},
        {ENOMEM, ERR_NOMEM, "working_dir /srv/x: Cannot allocate memory"},
        {9999, ERR_SYS, "working_dir /srv/x: error 9999"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        err_set_errno(&e, cases[i].errnum, "working_dir %s", "/srv/x");
        assert_int_equal(e.kind, cases[i].kind);
        assert_int_equal(e.errnum, cases[i].errnum);
        assert_string_equal(e.text, cases[i].text);
    }
}

static void prefix_comes_before_and_keeps_the_rest(void **state)
{
    struct err e = {0};

    (void)state;
    err_set_errno(&e, EPERM, "setgroups");
    err_prefix(&e, "cannot start");
    err_prefix(&e, "%s.%d", "web", 2);
    assert_string_equal(e.text, "web.2: cannot start: setgroups: Operation not permitted");
    assert_int_equal(e.kind, ERR_SYS);
    assert_int_equal(e.errnum, EPERM);
    err_clear(&e);
    assert_int_equal(e.kind, ERR_NONE);
    assert_int_equal(e.errnum, 0);
    assert_string_equal(e.text, "");
}

static void own_text_may_be_an_argument(void **state)
{
    struct err e = {0};

    (void)state;
    err_set(&e, ERR_INPUT, "inner");
    err_set(&e, ERR_BUSY, "outer (%s)", e.text);
    assert_string_equal(e.text, "outer (inner)");
    err_prefix(&e, "%s", e.text);
    assert_string_equal(e.text, "outer (inner): outer (inner)");
}

static void long_texts_are_cut(void **state)
{
    char path[2000];
    struct err e = {0};

    (void)state;
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    err_set(&e, ERR_INPUT, "%s", path);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    err_prefix(&e, "web");
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    assert_memory_equal(e.text, "web: ppp", 8);

    /* Of a failed call the reason stays, however long the path. */
    err_set_errno(&e, ENOENT, "%s", path);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    assert_string_equal(e.text + ERR_TEXT_MAX - 1 - strlen("pp: No such file or directory"),
                        "pp: No such file or directory");
    err_prefix(&e, "%s", path);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

static void cut_between_characters(void **state)
{
    char text[ERR_TEXT_MAX + 40] = "";
    struct err e = {0};

    (void)state;
    /* Whatever the offset, three-byte characters end whole. */
    for (size_t offset = 0; offset < 3; offset++) {
        memset(text, 'a', offset);
        for (size_t i = offset; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        err_set(&e, ERR_INPUT, "%s", text);
        assert_true(strlen(e.text) >= ERR_TEXT_MAX - 3);
        assert_int_equal((strlen(e.text) - offset) % 3, 0);
        assert_memory_equal(e.text, text, strlen(e.text));
    }
}

static void errnos_have_names_and_texts(void **state)
{
    static const struct {
        int errnum;
        const char *name, *text;
    } cases[] = {
        {EPERM, "EPERM", "Operation not permitted"},
        {ENOENT, "ENOENT", "No such file or directory"},
        {EAGAIN, "EAGAIN", "Resource temporarily unavailable"},
        {EWOULDBLOCK, "EAGAIN", "Resource temporarily unavailable"},
        {ENOEXEC, "ENOEXEC", "Exec format error"},
        {ETXTBSY, "ETXTBSY", "Text file busy"},
        {EPIPE, "EPIPE", "Broken pipe"},
        {0, "errno", "error 0"},
        {-5, "errno", "error -5"},
        {INT32_MAX, "errno", "error 2147483647"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(err_errno_name(cases[i].errnum), cases[i].name);
        assert_string_equal(err_errno_text(cases[i].errnum), cases[i].text);
    }
}

static void no_errno_is_in_the_table_twice(void **state)
{
    size_t n_named = 0;

    (void)state;
    for (int i = 1; i < 140; i++) {
        const char *name = err_errno_name(i);
        if (strcmp(name, "errno") == 0)
            continue;
        n_named++;
        assert_true(name[0] == 'E');
        assert_true(strncmp(err_errno_text(i), "error ", 6) != 0);
        for (int j = i + 1; j < 140; j++)
            assert_string_not_equal(name, err_errno_name(j));
    }
    assert_true(n_named >= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_no_error),
        cmocka_unit_test(set_formats),
        cmocka_unit_test(set_errno_adds_its_text),
        cmocka_unit_test(prefix_comes_before_and_keeps_the_rest),
        cmocka_unit_test(own_text_may_be_an_argument),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(cut_between_characters),
        cmocka_unit_test(errnos_have_names_and_texts),
        cmocka_unit_test(no_errno_is_in_the_table_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
