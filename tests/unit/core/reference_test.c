/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The reference: every key in force with its limits, its default and its sentence, and no other key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/config.h"
#include "core/schema.h"

#include <stdio.h>
#include <string.h>

/* TEXT as scdoc must see it. */
static void escape(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text && n + 2 < size; text++) {
        if (strchr("_*\\#[]|~<>", *text))
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = '\0';
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void has_every_key(void **state)
{
    size_t n, n_in_force = 0;
    const struct schema_row *rows = schema_rows(&n);
    struct buf out;
    char key[128], line[1024];

    (void)state;
    buf_init(&out, 1 << 20);
    assert_true(config_reference(&out));
    for (size_t i = 0; i < n; i++) {
        bool in_force = !(rows[i].flags & (SCHEMA_LATER | SCHEMA_CONTAINER));
        n_in_force += in_force;
        escape(rows[i].key, key, sizeof key);
        (void)snprintf(line, sizeof line, "|  *%s*\n:  ", key);
        if (in_force && !strstr(buf_str(&out), line))
            fail_msg("no %s", rows[i].key);
        escape(in_force ? rows[i].help : "", line, sizeof line);
        assert_non_null(strstr(buf_str(&out), line));
    }
    assert_int_equal(count(buf_str(&out), "\n|  *"), n_in_force);
    assert_int_equal(count(buf_str(&out), "\n:  "), 3 * n_in_force);
    assert_int_equal(count(buf_str(&out), "[[ *Key*"), SCHEMA_SECTION_N);
    assert_int_equal(count(buf_str(&out), "# "), SCHEMA_SECTION_N);
    assert_null(strstr(buf_str(&out), "stdin\\_open"));
    buf_done(&out);
}

static void shows_limits_and_words(void **state)
{
    static const char *const parts[] = {
        "|  *scale*\n:  a whole number, 0 to 10000\n:  1\n:  How many",
        "|  *start\\_timeout*\n:  a duration, 0s to 30d\n:  60s\n",
        "|  *umask*\n:  an octal mode, 0 to 777\n:  -\n",
        "|  *nice*\n:  a whole number, -20 to 19\n:  -\n",
        "|  *mem\\_limit*\n:  a size, 0 to 1024t\n:  0\n",
        "|  *check*\n:  a duration, 1s to 30d\n:  60s\n",
        "|  *action*\n:  off, warn, nudge, restart, reap\n:  warn\n",
        "|  *action*\n:  off, warn, nudge, restart, reap\n:  -\n",
        "|  *kill\\_mode*\n:  mixed, tree, main\n:  mixed\n",
        "|  *type*\n:  auto, simple, forking, notify, oneshot\n:  auto\n",
        "|  *signal*\n:  a signal\n:  required\n",
        "# SUPERVISOR KEYS\n\nKeys of supervisor.\n\n[[ *Key*\n",
        "|  *exit\\_when*\n:  idle, essential, never\n",
    };
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    assert_true(config_reference(&out));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(buf_str(&out), parts[i]))
            fail_msg("no\n%s", parts[i]);
    buf_done(&out);
}

static void a_full_buffer_is_told(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    assert_false(config_reference(&out));
    buf_done(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_key),
        cmocka_unit_test(shows_limits_and_words),
        cmocka_unit_test(a_full_buffer_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
