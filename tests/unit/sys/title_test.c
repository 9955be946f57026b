/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command that ps(1) shows: as much of the text as there is room for, in place of all arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/title.h"

#include <string.h>

static void the_arguments_are_replaced(void **state)
{
    char memory[] = "prog\0-a\0word\0other";
    char elsewhere[] = "else";
    char *argv[] = {memory, memory + 5, memory + 8, elsewhere, NULL};
    (void)state;
    title_set("not known yet");
    assert_memory_equal(memory, "prog\0-a\0word\0other", sizeof memory);
    title_init(0, argv);
    title_set("no arguments");
    assert_string_equal(memory, "prog");
    title_init(4, argv);
    title_set("title");
    assert_memory_equal(memory, "title\0\0\0\0\0\0\0\0other", sizeof memory);
    title_set("far too long a title");
    assert_memory_equal(memory, "far too long\0other", sizeof memory);
    assert_string_equal(elsewhere, "else");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_arguments_are_replaced)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
