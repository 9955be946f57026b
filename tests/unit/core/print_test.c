/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A configuration printed as YAML: the text of stored files, and that it reads back to an equal
 * configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "config_round_trip.h"
#include "config_samples.h"
#include "core/print.h"

/* The contents of a file below tests/golden/config; freed by the caller. */
static char *golden(const char *name)
{
    char path[512];
    FILE *f;
    char *text = calloc(1, 1 << 16);

    assert_non_null(text);
    (void)snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/config/%s", name);
    f = fopen(path, "re");
    if (!f)
        fail_msg("no %s", path);
    assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
    (void)fclose(f);
    return text;
}

static void prints_the_stored_text(void **state)
{
    char *yaml = golden("rich.yaml"), *expected = golden("rich.print.yaml");
    struct config_bench b = {0};
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    config_bench_service(&b, yaml);
    assert_true(config_print(b.set, &text));
    assert_string_equal(buf_str(&text), expected);
    check_round_trip(b.set, &b.opt);
    config_bench_done(&b);
    buf_done(&text);
    free(yaml);
    free(expected);
}

static void says_the_stored_problems(void **state)
{
    char *yaml = golden("errors.yaml"), *expected = golden("errors.txt");
    struct config_bench b = {0};

    (void)state;
    assert_null(config_bench_load(&b, yaml));
    assert_string_equal(config_bench_problems(&b), expected);
    config_bench_done(&b);
    free(yaml);
    free(expected);
}

static void reads_back_every_key(void **state)
{
    static const char *const profiles[] = {"debug"};
    struct config_bench b = {.opt = {.profiles = profiles, .n_profiles = 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(config_samples); i++) {
        config_bench_service(&b, config_samples[i].text);
        check_round_trip(b.set, &b.opt);
    }
    config_bench_done(&b);
}

static void prints_scalars_safely(void **state)
{
    static const struct {
        const char *text, *key, *value;
    } cases[] = {
        {"web", "web", "web"},
        {"/a/b.c", "/a/b.c", "/a/b.c"},
        {"", "\"\"", "\"\""},
        {"null", "\"null\"", "\"null\""},
        {"Yes", "\"Yes\"", "\"Yes\""},
        {"OFF", "\"OFF\"", "\"OFF\""},
        {"nothing", "nothing", "nothing"},
        {"~", "\"~\"", "\"~\""},
        {"12", "\"12\"", "\"12\""},
        {"<<", "\"<<\"", "\"<<\""},
        {"-x", "\"-x\"", "\"-x\""},
        {"a b", "\"a b\"", "\"a b\""},
        {"a: b #c", "\"a: b #c\"", "\"a: b #c\""},
        {"$x", "\"$x\"", "\"$$x\""},
        {"\"\\", "\"\\\"\\\\\"", "\"\\\"\\\\\""},
        {"\n\t\r\x01\x7f", "\"\\n\\t\\u000D\\u0001\\u007F\"", "\"\\n\\t\\u000D\\u0001\\u007F\""},
        {"ü€😀", "\"ü€😀\"", "\"ü€😀\""},
        {"\xc2\x85\xe2\x80\xa8\xef\xbb\xbf", "\"\\u0085\\u2028\\uFEFF\"", "\"\\u0085\\u2028\\uFEFF\""},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 256);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&out);
        print_text(&out, cases[i].text);
        assert_string_equal(buf_str(&out), cases[i].key);
        buf_reset(&out);
        print_value_text(&out, cases[i].text);
        assert_string_equal(buf_str(&out), cases[i].value);
    }
    buf_done(&out);
}

static void a_full_buffer_is_told(void **state)
{
    struct config_bench b = {0};
    struct buf out;

    (void)state;
    config_bench_service(&b, config_sample_plain);
    for (size_t max = 0; max < 1000; max += 111) {
        buf_init(&out, max);
        assert_false(config_print(b.set, &out));
        buf_done(&out);
    }
    config_bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_the_stored_text), cmocka_unit_test(says_the_stored_problems),
        cmocka_unit_test(reads_back_every_key),   cmocka_unit_test(prints_scalars_safely),
        cmocka_unit_test(a_full_buffer_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
