/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command line: what each option does, what is refused and with which words, and that --help tells of
 * every option there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/cli.h"

#include <stdlib.h>
#include <string.h>

static char program[] = "fosterd";

enum { WORDS_MAX = 8, ARGV_MAX = 2 * CLI_LIST_MAX + 8, HELP_MAX = 8192 };

/* Splits off the words of a case; argv is fresh each time, since getopt may reorder it. */
static int argv_of(const char *const *words, char **argv)
{
    int argc = 0;
    argv[argc++] = program;
    for (size_t i = 0; words[i] != NULL; i++)
        argv[argc++] = (char *)(uintptr_t)words[i];
    argv[argc] = NULL;
    return argc;
}

struct good_case {
    const char *words[WORDS_MAX]; /* up to the first NULL */
    struct cli expected;
};

static void assert_list(const char *const *got, size_t n, const char *const *expected, size_t n_expected)
{
    assert_int_equal(n, n_expected);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(got[i], expected[i]);
}

static void assert_cli(const struct cli *c, const struct cli *x)
{
    assert_int_equal(c->mode, x->mode);
    if (x->file == NULL)
        assert_null(c->file);
    else
        assert_string_equal(c->file, x->file);
    assert_list(c->profiles, c->n_profiles, x->profiles, x->n_profiles);
    assert_list(c->sets, c->n_sets, x->sets, x->n_sets);
    assert_int_equal(c->log_level_set, x->log_level_set);
    if (x->log_level_set)
        assert_int_equal(c->log_level, x->log_level);
    assert_int_equal(c->log_format_set, x->log_format_set);
    if (x->log_format_set)
        assert_int_equal(c->log_format, x->log_format);
}

#define LEVEL(l)                                                                                                       \
    {                                                                                                                  \
        .log_level_set = true, .log_level = (l)                                                                        \
    }
#define FORMAT(f)                                                                                                      \
    {                                                                                                                  \
        .log_format_set = true, .log_format = (f)                                                                      \
    }

static const struct good_case good_cases[] = {
    {{NULL}, {.mode = CLI_RUN}},
    {{"-c", "a.yaml"}, {.file = "a.yaml"}},
    {{"-ca.yaml"}, {.file = "a.yaml"}},
    {{"--config", "a.yaml"}, {.file = "a.yaml"}},
    {{"--config=a.yaml"}, {.file = "a.yaml"}},
    {{"--config="}, {.file = ""}},
    {{"-c", "-"}, {.file = "-"}},
    {{"-c", "a", "-c", "b"}, {.file = "b"}},
    {{"--profile", "debug"}, {.profiles = {"debug"}, .n_profiles = 1}},
    {{"--profile=b", "--profile=a", "--profile=b"}, {.profiles = {"b", "a", "b"}, .n_profiles = 3}},
    {{"--set", "services.web.scale=2"}, {.sets = {"services.web.scale=2"}, .n_sets = 1}},
    {{"--set=a=", "--set=b=c=d"}, {.sets = {"a=", "b=c=d"}, .n_sets = 2}},
    {{"--log-level", "error"}, LEVEL(LOG_LEVEL_ERROR)},
    {{"--log-level", "warn"}, LEVEL(LOG_LEVEL_WARN)},
    {{"--log-level=info"}, LEVEL(LOG_LEVEL_INFO)},
    {{"--log-level=debug", "--log-level=info"}, LEVEL(LOG_LEVEL_INFO)},
    {{"--log-level=debug"}, LEVEL(LOG_LEVEL_DEBUG)},
    {{"--log-format", "text"}, FORMAT(LOG_FORMAT_TEXT)},
    {{"--log-format=json"}, FORMAT(LOG_FORMAT_JSON)},
    {{"--check"}, {.mode = CLI_CHECK}},
    {{"--print-config"}, {.mode = CLI_PRINT_CONFIG}},
    {{"--schema"}, {.mode = CLI_SCHEMA}},
    {{"--help"}, {.mode = CLI_HELP}},
    {{"-h"}, {.mode = CLI_HELP}},
    {{"--version"}, {.mode = CLI_VERSION}},
    {{"-V"}, {.mode = CLI_VERSION}},
    {{"--check", "--help"}, {.mode = CLI_HELP}},
    {{"-hc", "a.yaml"}, {.mode = CLI_HELP, .file = "a.yaml"}},
    {{"--check", "-c", "a.yaml", "--profile", "p", "--set", "k=v"},
     {.mode = CLI_CHECK, .file = "a.yaml", .profiles = {"p"}, .n_profiles = 1, .sets = {"k=v"}, .n_sets = 1}},
    {{"--prof", "p"}, {.profiles = {"p"}, .n_profiles = 1}},
    {{"--check", "--"}, {.mode = CLI_CHECK}},
};

static void understands_every_option(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_cases); i++) {
        char *argv[WORDS_MAX + 2];
        struct cli c;
        struct err e = {0};
        int argc = argv_of(good_cases[i].words, argv);
        if (!cli_parse(argc, argv, &c, &e))
            fail_msg("case %zu (%s): %s", i, argv[1] != NULL ? argv[1] : "", e.text);
        assert_cli(&c, &good_cases[i].expected);
        assert_int_equal(e.kind, ERR_NONE);
    }
}

static void refuses_with_the_name_and_what_is_right(void **state)
{
    static const struct {
        const char *words[WORDS_MAX];
        const char *names; /* in the text */
        const char *right; /* in the text as well */
    } cases[] = {
        {{"--nonsense"}, "--nonsense", "fosterd --help"},
        {{"--check", "--nonsense"}, "--nonsense", "fosterd --help"},
        {{"--nonsense=1"}, "--nonsense=1", "fosterd --help"},
        {{"--log"}, "--log", "ambiguous"},
        {{"-x"}, "-x", "fosterd --help"},
        {{"--check", "-xV"}, "option -x;", "fosterd --help"},
        {{"--check", "-Vx"}, "option -x;", "fosterd --help"},
        {{"-vv"}, "option -v;", "fosterd --help"},
        {{"-c"}, "-c", "needs a value"},
        {{"--check", "-Vc"}, "option -c needs", "needs a value"},
        {{"--check", "--config"}, "--config", "needs a value"},
        {{"--profile"}, "--profile", "needs a value"},
        {{"--check=yes"}, "--check=yes", "fosterd --help"},
        {{"--set", "scale"}, "--set scale", "--set KEY=VALUE"},
        {{"--set="}, "--set", "--set KEY=VALUE"},
        {{"--log-level", "loud"}, "--log-level loud", "error, warn, info or debug"},
        {{"--log-level="}, "--log-level", "error, warn, info or debug"},
        {{"--log-level=INFO"}, "--log-level INFO", "error, warn, info or debug"},
        {{"--log-format", "xml"}, "--log-format xml", "text or json"},
        {{"foster.yaml"}, "foster.yaml", "-c FILE"},
        {{"--check", "foster.yaml", "--nonsense"}, "foster.yaml", "-c FILE"},
        {{"--", "--check"}, "--check", "-c FILE"},
        {{"-"}, "argument -", "-c FILE"},
        {{""}, "unexpected argument", "-c FILE"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *argv[WORDS_MAX + 2];
        struct cli c = {.file = "untouched"};
        struct err e = {0};
        int argc = argv_of(cases[i].words, argv);
        if (cli_parse(argc, argv, &c, &e))
            fail_msg("case %zu (%s) is taken", i, argv[1]);
        assert_int_equal(e.kind, ERR_INPUT);
        if (strstr(e.text, cases[i].names) == NULL || strstr(e.text, cases[i].right) == NULL)
            fail_msg("case %zu: [%s] lacks [%s] or [%s]", i, e.text, cases[i].names, cases[i].right);
        assert_string_equal(c.file, "untouched");
    }
}

static void lists_have_a_maximum(void **state)
{
    static const char *const options[] = {"--set=a=1", "--profile=p"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        for (int n = CLI_LIST_MAX; n <= CLI_LIST_MAX + 1; n++) {
            const char *words[ARGV_MAX] = {NULL};
            char *argv[ARGV_MAX + 2];
            struct cli c;
            struct err e = {0};
            for (int k = 0; k < n; k++)
                words[k] = options[i];
            bool ok = cli_parse(argv_of(words, argv), argv, &c, &e);
            assert_int_equal(ok, n == CLI_LIST_MAX);
            if (ok) {
                assert_int_equal(c.n_sets + c.n_profiles, CLI_LIST_MAX);
            } else {
                assert_int_equal(e.kind, ERR_INPUT);
                assert_non_null(strstr(e.text, "more than 64 times"));
                assert_memory_equal(strstr(e.text, "--"), options[i], 5);
            }
        }
    }
}

static void a_program_without_a_name_runs(void **state)
{
    char *argv[] = {NULL};
    struct cli c;
    struct err e = {0};
    (void)state;
    assert_true(cli_parse(0, argv, &c, &e));
    assert_int_equal(c.mode, CLI_RUN);
}

static char *help_text(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    cli_help(f);
    assert_int_equal(fclose(f), 0);
    assert_in_range(size, 1, HELP_MAX);
    return text;
}

static void help_tells_of_every_option(void **state)
{
    static const char *const rows[] = {
        "  -c, --config=FILE ",
        "      --profile=NAME ",
        "      --set=KEY=VALUE ",
        "      --log-level=LEVEL ",
        "      --log-format=FORMAT ",
        "      --check ",
        "      --print-config ",
        "      --schema ",
        "  -h, --help ",
        "  -V, --version ",
    };
    char *text = help_text();
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strstr(text, rows[i]) == NULL)
            fail_msg("--help lacks [%s]", rows[i]);
    for (const char *at = strstr(text, "\n  "); at != NULL; at = strstr(at + 1, "\n  "))
        n++;
    assert_int_equal(n, ARRAY_LEN(rows));
    free(text);
}

/* Each option that --help names is one that the parser takes. */
static void help_tells_of_nothing_else(void **state)
{
    char *text = help_text();
    size_t n = 0;
    (void)state;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *option = strstr(line, "--");
        if (option == NULL || line[0] != ' ')
            continue;
        char *end = strchr(option, ' ');
        assert_non_null(end);
        /* Behind the option there is a sentence. */
        assert_true(strlen(end + strspn(end, " ")) > 8);
        *end = '\0';
        if (strstr(option, "=LEVEL") != NULL)
            strcpy(strchr(option, '='), "=warn");
        else if (strstr(option, "=FORMAT") != NULL)
            strcpy(strchr(option, '='), "=text");
        char *argv[] = {program, option, NULL};
        struct cli c;
        struct err e = {0};
        if (!cli_parse(2, argv, &c, &e))
            fail_msg("%s: %s", option, e.text);
        n++;
    }
    assert_int_equal(n, 10);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_every_option),   cmocka_unit_test(refuses_with_the_name_and_what_is_right),
        cmocka_unit_test(lists_have_a_maximum),       cmocka_unit_test(a_program_without_a_name_runs),
        cmocka_unit_test(help_tells_of_every_option), cmocka_unit_test(help_tells_of_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
