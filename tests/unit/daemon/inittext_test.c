/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What init mode says of itself: each help tells of exactly what its personality knows, in the peer's layout, within
 * the width of a terminal; and the licence is that of the project.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/cli.h"
#include "daemon/inittext.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 16384, WIDTH_MAX = 100 };

static char text[TEXT_MAX];

/* How a text that FN writes of P reads. */
static const char *text_of(void (*fn)(const struct persona *p, const char *name, FILE *out), enum persona_id id,
                           const char *name)
{
    FILE *out = fmemopen(text, sizeof text, "w");

    assert_non_null(out);
    text[0] = '\0';
    fn(persona_get(id), name, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

struct entry {
    unsigned personas;
    char letter;
    const char *word, *arg, *help;
};

static const struct entry options[] = {
#define OPTION(personas, letter, word, arg, set, help) {personas, letter, word, arg, help},
#include "daemon/persona.def"
};

static const struct entry variables[] = {
#define VARIABLE(personas, name, counts, set, help) {personas, 0, name, NULL, help},
#include "daemon/persona.def"
};

/* Whether a line of the text has LEFT behind its blanks, up to a colon or more blanks, and ends with HELP. */
static bool has_line(const char *left, const char *help)
{
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n"), blanks = strspn(line, " ");
        if (blanks >= 2 && len >= blanks + strlen(left) + strlen(help) &&
            strncmp(line + blanks, left, strlen(left)) == 0 && strchr(": ", line[blanks + strlen(left)]) &&
            strncmp(line + len - strlen(help), help, strlen(help)) == 0)
            return true;
        line += len + (line[len] == '\n');
    }
    return false;
}

/* The left side of OPTION as it is listed for a personality whose lists have columns, or with a colon. */
static const char *left_of(const struct entry *e, enum persona_id id)
{
    static char left[64];
    const char *joint = id == PERSONA_FOSTER ? "=" : " ";
    char letter[] = {'-', e->letter, '\0'};

    snprintf(left, sizeof left, "%s%s%s%s%s%s", e->letter ? letter : "", e->letter && e->word ? ", " : "",
             e->word ? "--" : "", e->word ? e->word : "",
             !e->arg   ? ""
             : e->word ? joint
                       : " ",
             e->arg ? e->arg : "");
    return left;
}

/* Whether one of the N rows for the personality ID reads as E does. */
static bool is_known(const struct entry *rows, size_t n, const struct entry *e, enum persona_id id)
{
    char left[64];

    snprintf(left, sizeof left, "%s", left_of(e, id));
    for (size_t i = 0; i < n; i++)
        if ((rows[i].personas >> id & 1) && strcmp(left_of(&rows[i], id), left) == 0 &&
            strcmp(rows[i].help, e->help) == 0)
            return true;
    return false;
}

static void help_tells_of_what_there_is_and_of_nothing_else(void **state)
{
    (void)state;
    for (enum persona_id id = 0; id < PERSONA_N; id++) {
        text_of(inittext_help, id, "name");
        for (size_t i = 0; i < ARRAY_LEN(options); i++)
            if (has_line(left_of(&options[i], id), options[i].help) !=
                is_known(options, ARRAY_LEN(options), &options[i], id))
                fail_msg("%s: %s", persona_get(id)->name, left_of(&options[i], id));
        for (size_t i = 0; i < ARRAY_LEN(variables); i++)
            if (has_line(variables[i].word, variables[i].help) != (variables[i].personas >> id & 1))
                fail_msg("%s: %s", persona_get(id)->name, variables[i].word);
    }
}

static void help_fits_a_terminal(void **state)
{
    (void)state;
    for (enum persona_id id = 0; id < PERSONA_N; id++) {
        text_of(inittext_help, id, "name");
        assert_int_equal(text[strlen(text) - 1], '\n');
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
            if (strcspn(line, "\n") > WIDTH_MAX || line[strcspn(line, "\n") - (*line != '\n')] == ' ')
                fail_msg("%s: %.*s", persona_get(id)->name, (int)strcspn(line, "\n"), line);
    }
}

static void layouts_are_those_of_the_peers(void **state)
{
    static const struct {
        enum persona_id id;
        const char *lines[4];
    } cases[] = {
        {PERSONA_TINI,
         {"tini (tini version", "\nUsage: tini [OPTIONS] PROGRAM -- [ARGS] | --version\n",
          "\n  -h: ", "\n  -p SIGNAL: "}},
        {PERSONA_DUMB_INIT,
         {"dumb-init v1.2.5\n", "\nUsage: /x/tini [option] command [[arg] ...]\n", "\n   -c, --single-child   ",
          "\n   -r, --rewrite s:r    "}},
        {PERSONA_CATATONIT,
         {"usage: catatonit [-", "] [--] <progname> [<arguments>...]\n", "\n  -V, --version   ",
          "\n  -g              "}},
        {PERSONA_FOSTER,
         {"Usage: fosterd [OPTION]...\n", "\nInit mode: tini [OPTION]... -- COMMAND [ARG]...\n",
          "\n  -h, --help                 ", "\n      --grace=DUR            "}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        text_of(inittext_help, cases[i].id, "/x/tini");
        for (size_t k = 0; k < ARRAY_LEN(cases[i].lines); k++)
            if (!strstr(text, cases[i].lines[k]))
                fail_msg("[%s] is not in [%s]", cases[i].lines[k], text);
        assert_ptr_equal(strstr(text, cases[i].lines[0]), text);
    }
}

static void fosters_help_begins_with_that_of_the_mode_with_a_file(void **state)
{
    static char file_mode[TEXT_MAX];
    FILE *out = fmemopen(file_mode, sizeof file_mode, "w");

    (void)state;
    assert_non_null(out);
    cli_help(out);
    assert_int_equal(fclose(out), 0);
    text_of(inittext_help, PERSONA_FOSTER, "fosterd");
    assert_true(strlen(file_mode) > 0 && strncmp(text, file_mode, strlen(file_mode)) == 0);
}

static void usages(void **state)
{
    static char help[TEXT_MAX];

    (void)state;
    assert_string_equal(text_of(inittext_usage, PERSONA_DUMB_INIT, "/x/d"),
                        "Usage: /x/d [option] program [args]\nTry /x/d --help for full usage.\n");
    assert_string_equal(text_of(inittext_usage, PERSONA_CATATONIT, "/x/c"),
                        "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n");
    assert_string_equal(text_of(inittext_usage, PERSONA_FOSTER, "fosterd"), "");
    snprintf(help, sizeof help, "%s", text_of(inittext_help, PERSONA_TINI, "tini"));
    assert_string_equal(text_of(inittext_usage, PERSONA_TINI, "tini"), help);
}

static void write_license(const struct persona *p, const char *name, FILE *out)
{
    (void)p;
    (void)name;
    inittext_license(out);
}

static void the_licence_is_that_of_the_project(void **state)
{
    static char file[TEXT_MAX];
    FILE *in = fopen(SOURCE_DIR "/LICENSE", "re");

    (void)state;
    assert_non_null(in);
    size_t n = fread(file, 1, sizeof file - 1, in);
    file[n] = '\0';
    fclose(in);
    assert_string_equal(text_of(write_license, PERSONA_FOSTER, ""), file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_tells_of_what_there_is_and_of_nothing_else),
        cmocka_unit_test(help_fits_a_terminal),
        cmocka_unit_test(layouts_are_those_of_the_peers),
        cmocka_unit_test(fosters_help_begins_with_that_of_the_mode_with_a_file),
        cmocka_unit_test(usages),
        cmocka_unit_test(the_licence_is_that_of_the_project),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
