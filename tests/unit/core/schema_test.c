/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The table of keys: that it is sound, that every limit and every default in it is the one in force,
 * and that a wrong word gets the right suggestion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "core/log_keys.h"
#include "core/schema.h"
#include "core/value.h"

static bool in_force(const struct schema_row *row)
{
    return !(row->flags & (SCHEMA_LATER | SCHEMA_CONTAINER));
}

static void rows_are_sound(void **state)
{
    size_t n;
    const struct schema_row *rows = schema_rows(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct schema_row *row = &rows[i];
        const struct schema_kind_ops *ops = schema_kind(row->kind);
        assert_ptr_equal(schema_find(row->section, row->key), row); /* no key twice */
        assert_true(ops->takes && ops->parse && ops->equal && ops->print && ops->jsonschema);
        assert_true(row->max >= row->min);
        assert_false(row->flags & SCHEMA_ALTERNATIVE && row->flags & SCHEMA_REQUIRED);
        assert_int_equal(row->kind == SCHEMA_KIND_CHOICE, row->words != NULL);
        assert_int_equal(row->kind == SCHEMA_KIND_REFUSED, !in_force(row));
        if (row->flags & SCHEMA_LATER)
            assert_null(row->help);
        else if (row->flags & SCHEMA_CONTAINER)
            assert_non_null(row->help);
        else
            assert_int_equal(row->help[strlen(row->help) - 1], '.');
    }
    for (unsigned s = 0; s < SCHEMA_SECTION_N; s++) {
        assert_non_null(schema_section_name(s));
        assert_non_null(schema_next(s, NULL));
    }
}

/* A number as its row's kind writes it. */
static void number(const struct schema_row *row, int64_t v, char *text, size_t size)
{
    if (row->kind == SCHEMA_KIND_MODE && v < 0)
        (void)snprintf(text, size, "-1");
    else
        (void)snprintf(text, size,
                       row->kind == SCHEMA_KIND_MODE       ? "%04llo"
                       : row->kind == SCHEMA_KIND_DURATION ? "%lldms"
                                                           : "%lld",
                       (long long)v);
}

static void every_number_has_its_limits(void **state)
{
    size_t n, n_numbers = 0;
    const struct schema_row *rows = schema_rows(&n);
    char text[64];

    (void)state;
    for (size_t i = 0; i < n; i++) {
        union {
            int64_t i;
            double d;
            int m;
        } field = {0};
        const struct schema_row *row = &rows[i];
        if (row->kind != SCHEMA_KIND_INT && row->kind != SCHEMA_KIND_DECIMAL && row->kind != SCHEMA_KIND_DURATION &&
            row->kind != SCHEMA_KIND_MODE && row->kind != SCHEMA_KIND_SIZE && row->kind != SCHEMA_KIND_CEILING)
            continue;
        n_numbers++;
        number(row, row->min, text, sizeof text);
        assert_int_equal(value_from_text(row, text, &field), VALUE_OK);
        number(row, row->max, text, sizeof text);
        assert_int_equal(value_from_text(row, text, &field), VALUE_OK);
        number(row, row->max + 1, text, sizeof text);
        assert_int_equal(value_from_text(row, text, &field), VALUE_RANGE);
        number(row, row->min - 1, text, sizeof text);
        assert_int_equal(value_from_text(row, text, &field),
                         row->min == 0 && row->kind != SCHEMA_KIND_INT ? VALUE_BAD : VALUE_RANGE);
    }
    assert_true(n_numbers >= 20);
}

/* Limits hold in a file as well, and the message names them. */
static void limits_hold_in_a_file(void **state)
{
    struct config_bench b = {0};
    const struct schema_row *row = NULL;
    char text[128], value[64];

    (void)state;
    while ((row = schema_next(SCHEMA_RESTART, row))) {
        if (row->kind == SCHEMA_KIND_CHOICE)
            continue;
        number(row, row->max + 1, value, sizeof value);
        (void)snprintf(text, sizeof text, "services: { a: { command: a, restart: { %s: %s } } }\n", row->key, value);
        assert_null(config_bench_load(&b, text));
        assert_int_equal(b.diag.n_errors, 1);
        (void)snprintf(text, sizeof text, "`%s` is out of range for `%s`; it takes ", value, row->key);
        assert_non_null(strstr(config_bench_problems(&b), text));
    }
    config_bench_done(&b);
}

#define PLAIN "services: { a: { command: a }, b: { command: b } }\n"
#define IN_A  "services: { a: { command: a, "
#define AND_B " }, b: { command: b } }\n"

/* A file with one key of a section in it, and the same without. */
static const struct place {
    enum schema_section section;
    const char *before, *after, *plain;
} places[] = {
    {SCHEMA_TOP, "", "\n" PLAIN, PLAIN},
    {SCHEMA_SERVICE, IN_A, AND_B, PLAIN},
    {SCHEMA_RESTART, IN_A "restart: { ", " }" AND_B, PLAIN},
    {SCHEMA_LOGGING, IN_A "logging: { ", " }" AND_B, PLAIN},
    {SCHEMA_LOG_STDERR, IN_A "logging: { stderr: { ", " } }" AND_B, IN_A "logging: { stderr: {} }" AND_B},
    {SCHEMA_LOG_OPTIONS, IN_A "logging: { options: { ", " } }" AND_B, PLAIN},
    {SCHEMA_LOG_OPTIONS, IN_A "logging: { driver: file, options: { path: /x, ", " } }" AND_B,
     IN_A "logging: { driver: file, options: { path: /x } }" AND_B},
    {SCHEMA_LOG_OPTIONS, IN_A "logging: { driver: syslog, options: { ", " } }" AND_B,
     IN_A "logging: { driver: syslog }" AND_B},
    {SCHEMA_DEP, IN_A "depends_on: { b: { ", " } }" AND_B, IN_A "depends_on: [b]" AND_B},
    {SCHEMA_ZOMBIES, IN_A "zombies: { ", " }" AND_B, PLAIN},
    {SCHEMA_READY, IN_A "ready: { ", " }" AND_B, PLAIN},
    {SCHEMA_HEALTHCHECK, IN_A "healthcheck: { test: x, ", " }" AND_B, IN_A "healthcheck: { test: x }" AND_B},
    {SCHEMA_HOOK, IN_A "pre_stop: [{ command: x, ", " }]" AND_B, IN_A "pre_stop: [x]" AND_B},
    {SCHEMA_RELOAD, IN_A "reload: { ", " }" AND_B, PLAIN},
    {SCHEMA_SOCKET, IN_A "sockets: [{ listen: /x, ", " }]" AND_B, IN_A "sockets: [/x]" AND_B},
    {SCHEMA_SCHEDULE, IN_A "type: oneshot, schedule: { every: 1s, ", " }" AND_B,
     IN_A "type: oneshot, schedule: { every: 1s }" AND_B},
    {SCHEMA_SUPERVISOR, PLAIN "supervisor: { ", " }\n", PLAIN},
    {SCHEMA_SUPERVISOR_ZOMBIES, PLAIN "supervisor: { zombies: { ", " } }\n", PLAIN},
};

static enum spec_log_driver driver_of(const struct place *p)
{
    return strstr(p->before, "driver: file")     ? SPEC_LOG_FILE
           : strstr(p->before, "driver: syslog") ? SPEC_LOG_SYSLOG
                                                 : SPEC_LOG_STDOUT;
}

static void put_in_place(const struct place *p, const char *key, const char *value, char *text, size_t size)
{
    (void)snprintf(text, size, "%s%s: %s%s", p->before, key, value, p->after);
}

static void defaults_are_those_written(void **state)
{
    struct config_bench plain = {0}, b = {0};
    size_t n_tried = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const struct schema_row *row = NULL;
        config_bench_service(&plain, places[i].plain);
        while ((row = schema_next(places[i].section, row))) {
            char text[256];
            if (!row->def || (row->section == SCHEMA_LOG_OPTIONS && !log_keys_takes(row->key, driver_of(&places[i]))))
                continue;
            put_in_place(&places[i], row->key, row->def, text, sizeof text);
            config_bench_service(&b, text);
            if (!spec_set_equal(plain.set, b.set))
                fail_msg("%s: %s is not what it is without", row->key, row->def);
            n_tried++;
        }
    }
    assert_true(n_tried >= 45);
    config_bench_done(&plain);
    config_bench_done(&b);
}

static void refused_keys_say_why(void **state)
{
    struct config_bench b = {0};
    size_t n_tried = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const struct schema_row *row = NULL;
        while ((row = schema_next(places[i].section, row))) {
            char text[256];
            if (in_force(row))
                continue;
            put_in_place(&places[i], row->key, "x", text, sizeof text);
            assert_null(config_bench_load(&b, text));
            assert_int_equal(b.diag.n_errors, 1);
            if (row->flags & SCHEMA_LATER)
                (void)snprintf(text, sizeof text, "`%s` is not supported yet; remove it\n", row->key);
            else
                (void)snprintf(text, sizeof text, "`%s` belongs to a container; Foster runs programs, %s\n", row->key,
                               row->help);
            assert_non_null(strstr(config_bench_problems(&b), text));
            n_tried++;
        }
    }
    assert_true(n_tried >= 70);
    config_bench_done(&b);
}

static void suggests_the_nearest_key(void **state)
{
    static const struct {
        enum schema_section section;
        const char *wrong, *right;
    } cases[] = {
        {SCHEMA_SERVICE, "comand", "command"},
        {SCHEMA_SERVICE, "depend_on", "depends_on"},
        {SCHEMA_SERVICE, "dependson", "depends_on"},
        {SCHEMA_SERVICE, "enviroment", "environment"},
        {SCHEMA_SERVICE, "labesl", "labels"},
        {SCHEMA_SERVICE, "on_sucess", "on_success"},
        {SCHEMA_SERVICE, "stop_grace_peroid", "stop_grace_period"},
        {SCHEMA_SERVICE, "scal", "scale"},
        {SCHEMA_SUPERVISOR, "loglevel", "log_level"},
        {SCHEMA_RESTART, "maxdelay", "max_delay"},
        {SCHEMA_TOP, "service", "services"},
        {SCHEMA_SERVICE, "qqqq", NULL},
        {SCHEMA_SERVICE, "x", NULL},
        {SCHEMA_SERVICE, "usr", "user"},
        {SCHEMA_SERVICE, "capadd", "cap_add"},
        {SCHEMA_SUPERVISOR, "zombie", "zombies"},
        {SCHEMA_SUPERVISOR, "metric", NULL}, /* `metrics` is not supported yet */
        {SCHEMA_SERVICE, "imag", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = schema_suggest(cases[i].section, cases[i].wrong);
        if (cases[i].right)
            assert_string_equal(got ? got : "(none)", cases[i].right);
        else
            assert_null(got);
    }
}

static void knows_names(void **state)
{
    static const char *const good[] = {"a", "Web-1.x@y_z", "0", "a..b"};
    static const char *const bad[] = {"", ".a", "-a", "_a", "@", "a b", "a/b", "ü", "a\n"};
    char longest[SPEC_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(value_is_name(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(value_is_name(bad[i]));
    memset(longest, 'a', sizeof longest);
    longest[SPEC_NAME_MAX + 1] = '\0';
    assert_false(value_is_name(longest));
    longest[SPEC_NAME_MAX] = '\0';
    assert_true(value_is_name(longest));
}

static void quotes_long_values(void **state)
{
    struct value_quote q = value_quote("short\nline");
    char text[400];

    (void)state;
    assert_string_equal(q.text, "short line");
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "ü", 3);
    q = value_quote(text);
    assert_true(strlen(q.text) < VALUE_QUOTE_MAX);
    assert_non_null(strstr(q.text, "ü…"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sound),        cmocka_unit_test(every_number_has_its_limits),
        cmocka_unit_test(limits_hold_in_a_file), cmocka_unit_test(defaults_are_those_written),
        cmocka_unit_test(refused_keys_say_why),  cmocka_unit_test(suggests_the_nearest_key),
        cmocka_unit_test(knows_names),           cmocka_unit_test(quotes_long_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
