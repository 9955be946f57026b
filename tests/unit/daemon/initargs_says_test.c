/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What init mode prints instead of running: on which stream, with which words and which exit code; and that each
 * personality knows its own options and variables, and no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/version.h"
#include "initargs_kit.h"

#include <stdlib.h>

struct say_case {
    struct line line;
    int code;
    const char *out, *err; /* how the stream begins; "": it stays empty */
};

static void assert_begins(const char *got, const char *want)
{
    if (*want == '\0')
        assert_string_equal(got, "");
    else if (strncmp(got, want, strlen(want)) != 0)
        fail_msg("[%s] does not begin with [%s]", got, want);
}

static void check_says(const struct say_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        static struct reading_result r;
        kit_read(&cases[i].line, &r);
        print_message("%s\n", kit_show(&cases[i].line));
        assert_int_equal(r.verdict, INITARGS_SAID);
        assert_int_equal(r.code, cases[i].code);
        assert_begins(r.out, cases[i].out);
        assert_begins(r.err, kit_with_pid(cases[i].err));
    }
}

#define TINI_VERSION "tini version 0.19.0 - foster\n"
#define TINI_HEAD    "tini (tini version 0.19.0 - foster)\nUsage: tini [OPTIONS] PROGRAM -- [ARGS] | --version\n"

static void tini_says(void **state)
{
    static const struct say_case cases[] = {
        {{"tini", {"--version"}, {NULL}}, 0, TINI_VERSION, ""},
        {{"docker-init", {"--version"}, {"FOSTER_INIT_GRACE=wrong"}}, 0, TINI_VERSION, ""},
        {{"tini", {"-h"}, {NULL}}, 0, TINI_HEAD, ""},
        {{"/usr/bin/tini", {"-h"}, {NULL}}, 0, TINI_HEAD, ""},
        {{"/sbin/docker-init", {"-h"}, {NULL}},
         0,
         "docker-init (tini version 0.19.0 - foster)\nUsage: docker-init ",
         ""},
        {{"tini", {"-gh", "-e", "300"}, {NULL}}, 0, TINI_HEAD, ""},
        {{"tini", {"-l"}, {NULL}}, 0, "MIT License\n", ""},
        {{"tini", {"-lx"}, {NULL}}, 0, "MIT License\n", ""},
#ifdef __GLIBC__
        {{"tini", {"ls", "-l"}, {NULL}}, 0, "MIT License\n", ""},
#endif
        {{"tini", {NULL}, {NULL}}, 1, "", TINI_HEAD},
        {{"tini", {"--"}, {NULL}}, 1, "", TINI_HEAD},
        {{"tini", {"-g"}, {NULL}}, 1, "", TINI_HEAD},
        {{"tini", {"-x", "x"}, {NULL}}, 1, "", "tini: "},
        {{"tini", {"--help"}, {NULL}}, 1, "", "tini: "},
        {{"tini", {"--version", "x"}, {NULL}}, 1, "", "tini: "},
        {{"tini", {"-g", "--version"}, {NULL}}, 1, "", "tini: "},
        {{"tini", {"-c", "x"}, {NULL}}, 1, "", "tini: "},
        {{"/usr/bin/tini", {"-p"}, {NULL}}, 1, "", "/usr/bin/tini: "},
        {{"tini", {"-p", "TERM", "x"}, {NULL}}, 1, "", "[FATAL tini (PID)] Not a valid option for -p: TERM\n"},
        {{"docker-init", {"-p15", "x"}, {NULL}}, 1, "", "[FATAL tini (PID)] Not a valid option for -p: 15\n"},
        {{"tini", {"-e", "256", "x"}, {NULL}}, 1, "", "[FATAL tini (PID)] Not a valid option for -e: 256\n"},
        {{"tini", {"-e", "x", "x"}, {NULL}}, 1, "", "[FATAL tini (PID)] Not a valid option for -e: x\n"},
        {{"tini", {"-e", "-1", "x"}, {NULL}}, 1, "", "[FATAL tini (PID)] Not a valid option for -e: -1\n"},
        {{"tini", {"-e", "1,2", "x"}, {NULL}}, 1, "", "[FATAL tini (PID)] Not a valid option for -e: 1,2\n"},
        {{"tini", {"-e", "99999999999999999999", "x"}, {NULL}},
         1,
         "",
         "[FATAL tini (PID)] Not a valid option for -e: 99999999999999999999\n"},
        {{"tini", {"x"}, {"FOSTER_INIT_GRACE=soon"}}, 1, "", "[FATAL tini (PID)] FOSTER_INIT_GRACE=soon is not a dur"},
    };

    (void)state;
    check_says(cases, ARRAY_LEN(cases));
}

#define REWRITE_USAGE                                                                                                  \
    "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n"                                  \
    "This option can be specified multiple times.\nUse --help for full usage.\n"

static void dumb_init_says(void **state)
{
    static const struct say_case cases[] = {
        {{"dumb-init", {"-h"}, {NULL}}, 0, "", "dumb-init v1.2.5\nUsage: dumb-init [option] command [[arg] ...]\n"},
        {{"/bin/dumb-init", {"--help", "x"}, {NULL}}, 0, "", "dumb-init v1.2.5\nUsage: /bin/dumb-init [option] "},
        {{"dumb-init", {"-V"}, {NULL}}, 0, "", "dumb-init v1.2.5\n"},
        {{"dumb-init", {"-v", "--version", "-x"}, {NULL}}, 0, "", "dumb-init v1.2.5\n"},
        {{"dumb-init", {NULL}, {NULL}},
         1,
         "",
         "Usage: dumb-init [option] program [args]\nTry dumb-init --help for full usage.\n"},
        {{"/bin/dumb-init", {"--"}, {NULL}},
         1,
         "",
         "Usage: /bin/dumb-init [option] program [args]\nTry /bin/dumb-init --help for full usage.\n"},
        {{"dumb-init", {"-x", "x"}, {NULL}}, 1, "", "dumb-init: "},
        {{"dumb-init", {"--nonsense", "x"}, {NULL}}, 1, "", "dumb-init: "},
        {{"dumb-init", {"--verbose=3", "x"}, {NULL}}, 1, "", "dumb-init: "},
        {{"dumb-init", {"-r"}, {NULL}}, 1, "", "dumb-init: "},
        {{"dumb-init", {"-g", "x"}, {NULL}}, 1, "", "dumb-init: "},
        {{"dumb-init", {"-r", "32:1", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "15:32", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "0:1", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "-1:1", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "15:-1", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "15", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "15:", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", ":15", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "15 :1", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "TERM:INT", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "99999999999999999999:1", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"-r", "15:1", "--rewrite=99:1", "x"}, {NULL}}, 1, "", REWRITE_USAGE},
        {{"dumb-init", {"x"}, {"FOSTER_INIT_FOLLOW=maybe"}},
         1,
         "",
         "[dumb-init] FOSTER_INIT_FOLLOW=maybe is neither yes nor no; use 1, 0, true, false, yes or no\n"},
    };

    (void)state;
    check_says(cases, ARRAY_LEN(cases));
}

#define CATATONIT_USAGE "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n"

static void catatonit_says(void **state)
{
    static const struct say_case cases[] = {
        {{"catatonit", {"-h"}, {NULL}}, 0, "", CATATONIT_USAGE "\noptions:\n"},
        {{"/bin/catatonit", {"-gh"}, {NULL}}, 0, "", CATATONIT_USAGE "\noptions:\n"},
        {{"catatonit", {"x", "-h"}, {NULL}}, 0, "", CATATONIT_USAGE "\noptions:\n"},
        {{"catatonit", {"-V"}, {NULL}}, 0, TINI_VERSION, ""},
        {{"catatonit", {"--version", "x"}, {NULL}}, 0, TINI_VERSION, ""},
        {{"catatonit", {"--vers"}, {NULL}}, 0, TINI_VERSION, ""},
        {{"catatonit", {"-L"}, {NULL}}, 0, "MIT License\n", ""},
        {{"catatonit", {NULL}, {NULL}}, 1, "", "ERROR (catatonit:PID): missing program name\n" CATATONIT_USAGE},
        {{"catatonit", {"-g", "--"}, {NULL}}, 1, "", "ERROR (catatonit:PID): missing program name\n" CATATONIT_USAGE},
        {{"catatonit", {"-v", "x"}, {NULL}}, 1, "", "catatonit: "},
        {{"catatonit", {"--help"}, {NULL}}, 1, "", "catatonit: "},
        {{"catatonit", {"x"}, {"CATATONIT_LOG="}},
         1,
         "",
         "ERROR (catatonit:PID): CATATONIT_LOG is reserved; unset it\n"},
        {{"catatonit", {"x"}, {"FOSTER_INIT_RESTART=often"}},
         1,
         "",
         "ERROR (catatonit:PID): FOSTER_INIT_RESTART=often is not a restart policy; use no, "},
    };

    (void)state;
    check_says(cases, ARRAY_LEN(cases));
}

static void foster_says(void **state)
{
    static const struct say_case cases[] = {
        {{"fosterd", {"-h", "--"}, {NULL}}, 0, "Usage: fosterd ", ""},
        {{"fosterd", {"--help", "--", "x"}, {NULL}}, 0, "Usage: fosterd ", ""},
        {{"fosterd", {"-V", "--"}, {NULL}}, 0, "foster " FOSTER_VERSION "\n", ""},
        {{"fosterd", {"-g", "--version", "--", "x"}, {NULL}}, 0, "foster " FOSTER_VERSION "\n", ""},
        {{"fosterd", {"-l", "--"}, {NULL}}, 0, "MIT License\n", ""},
        {{"fosterd", {"--"}, {NULL}}, 64, "", "fosterd: no command after --; write fosterd [OPTION]... -- COMMAND"},
        {{"fosterd", {"-g"}, {NULL}}, 64, "", "fosterd: no command after --; write fosterd [OPTION]... -- COMMAND"},
        {{"fosterd", {"x", "--", "y"}, {NULL}},
         64,
         "",
         "fosterd: unexpected argument x; write -- before the command\n"},
        {{"fosterd", {"-g", "x", "-w", "--", "y"}, {NULL}}, 64, "", "fosterd: unexpected argument x; write -- before"},
        {{"fosterd", {"-x", "--", "y"}, {NULL}},
         64,
         "",
         "fosterd: unknown or ambiguous option -x before --; see fosterd"},
        {{"fosterd", {"-gx", "--", "y"}, {NULL}}, 64, "", "fosterd: unknown or ambiguous option -x before --"},
        {{"fosterd", {"--check", "--", "y"}, {NULL}}, 64, "", "fosterd: unknown or ambiguous option --check before --"},
        {{"fosterd", {"--follow=1", "--", "y"}, {NULL}}, 64, "", "fosterd: unknown or ambiguous option --follow=1"},
        {{"fosterd", {"--grace"}, {NULL}}, 64, "", "fosterd: option --grace needs a value; see fosterd --help\n"},
        {{"fosterd", {"-p"}, {NULL}}, 64, "", "fosterd: option -p needs a value; see fosterd --help\n"},
        {{"fosterd", {"-p", "--", "x"}, {NULL}}, 64, "", "fosterd: -p -- is not a signal; write for example TERM"},
        {{"fosterd", {"-p", "SIGFOO", "--", "x"}, {NULL}}, 64, "", "fosterd: -p SIGFOO is not a signal; write for ex"},
        {{"fosterd", {"-e", "256", "--", "x"}, {NULL}},
         64,
         "",
         "fosterd: -e 256 is not an exit code; use a number from"},
        {{"fosterd", {"-e", "", "--", "x"}, {NULL}}, 64, "", "fosterd: -e  is not an exit code; use a number from"},
        {{"fosterd", {"-e", "-1", "--", "x"}, {NULL}}, 64, "", "fosterd: -e -1 is not an exit code; use a number from"},
        {{"fosterd", {"--grace", "soon", "--", "x"}, {NULL}},
         64,
         "",
         "fosterd: --grace soon is not a duration; write for example 10s or 500ms\n"},
        {{"fosterd", {"--pre-stop-delay=-1s", "--", "x"}, {NULL}},
         64,
         "",
         "fosterd: --pre-stop-delay -1s is not a duration; write for example 10s or 500ms\n"},
        {{"fosterd", {"--restart=sometimes", "--", "x"}, {NULL}},
         64,
         "",
         "fosterd: --restart sometimes is not a restart policy; use no, on-failure, on-failure:5, always or unless"},
        {{"fosterd", {"--restart=on-failure:x", "--", "x"}, {NULL}},
         64,
         "",
         "fosterd: --restart on-failure:x is not a"},
        {{"fosterd", {"--restart=on-failure:-1", "--", "x"}, {NULL}},
         64,
         "",
         "fosterd: --restart on-failure:-1 is not"},
    };

    (void)state;
    check_says(cases, ARRAY_LEN(cases));
}

static void a_wrong_variable_is_named(void **state)
{
    static const struct {
        const char *var, *right;
    } cases[] = {
        {"FOSTER_INIT_GRACE=1 s", "10s or 500ms"},
        {"FOSTER_INIT_PRE_STOP_DELAY=later", "10s or 500ms"},
        {"FOSTER_INIT_RESTART=sometimes", "unless-stopped"},
        {"FOSTER_INIT_WAIT_ALL=maybe", "yes or no"},
        {"FOSTER_INIT_FOLLOW=2", "yes or no"},
        {"FOSTER_INIT_KILL_PROCESS_GROUP=YES", "yes or no"},
        {"FOSTER_INIT_VERBOSITY=loud", "from 0 (errors) to 3 (all)"},
        {"FOSTER_INIT_VERBOSITY=-1", "from 0 (errors) to 3 (all)"},
        {"FOSTER_INIT_VERBOSITY=99999999999", "from 0 (errors) to 3 (all)"},
        {"FOSTER_INIT_REMAP_EXIT=143,", "143,130"},
        {"FOSTER_INIT_REMAP_EXIT=,143", "143,130"},
        {"FOSTER_INIT_REMAP_EXIT=143, 130", "143,130"},
        {"FOSTER_INIT_REMAP_EXIT=256", "143,130"},
        {"FOSTER_INIT_REMAP_EXIT=1,2555", "143,130"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct line line = {"fosterd", {"--config-from-env", "--", "x"}, {cases[i].var}};
        static struct reading_result r;
        kit_read(&line, &r);
        assert_int_equal(r.verdict, INITARGS_SAID);
        assert_int_equal(r.code, 64);
        assert_begins(r.err, "fosterd: ");
        assert_begins(r.err + strlen("fosterd: "), cases[i].var);
        assert_non_null(strstr(r.err, cases[i].right));
        assert_string_equal(r.out, "");
    }
}

static void usage_follows_getopts_words_where_the_peer_has_it_so(void **state)
{
    static const struct {
        const char *as, *behind; /* NULL: nothing more is said */
    } cases[] = {{"tini", TINI_HEAD}, {"catatonit", CATATONIT_USAGE}, {"dumb-init", NULL}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct reading_result r;
        kit_read(&(struct line){cases[i].as, {"-z", "x"}, {NULL}}, &r);
        const char *newline = strchr(r.err, '\n');
        assert_non_null(newline);
        assert_begins(newline + 1, cases[i].behind ? cases[i].behind : "");
        assert_true(strcspn(r.err, "z") < (size_t)(newline - r.err));
    }
}

static void a_reading_that_was_given_up_leaves_nothing_behind(void **state)
{
    static const struct line given_up[] = {
        {"tini", {"-gxw", "x"}, {NULL}}, {"tini", {"-hg"}, {NULL}}, {"dumb-init", {"-zc", "x"}, {NULL}}};
    static const struct line clean = {"tini", {"-w", "x"}, {NULL}};
    static struct reading_result r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(given_up); i++) {
        kit_read(&given_up[i], &r);
        assert_int_equal(r.verdict, INITARGS_SAID);
        kit_read(&clean, &r);
        assert_int_equal(r.verdict, INITARGS_RUN);
        assert_true(r.args.warn_reaped && !r.args.group);
        assert_string_equal(r.args.command[0], "x");
    }
}

static const char *const names[PERSONA_N] = {"fosterd", "tini", "dumb-init", "catatonit"};

struct table_row {
    unsigned personas;
    char letter;
    const char *word, *arg;
};

static const struct table_row option_rows[] = {
#define OPTION(personas, letter, word, arg, set, help) {personas, letter, word, arg},
#include "daemon/persona.def"
};

/* Something that is right for an argument called ARG. */
static const char *right_value(const char *arg)
{
    static const char *const values[][2] = {
        {"SIGNAL", "SIGKILL"}, {"CODE", "7"}, {"DUR", "5s"}, {"POLICY", "always"}, {"s:r", "15:2"}};

    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (strcmp(values[i][0], arg) == 0)
            return values[i][1];
    fail_msg("no example of a %s", arg);
    return NULL;
}

static bool has_letter(enum persona_id id, char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
        if ((option_rows[i].personas >> id & 1) && option_rows[i].letter == letter)
            return true;
    return false;
}

static void each_row_is_an_option_of_its_personalities(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
        for (enum persona_id id = 0; id < PERSONA_N; id++) {
            const struct table_row *row = &option_rows[i];
            char letter[] = {'-', row->letter, '\0'}, word[40];
            static struct reading_result r;
            if (!(row->personas >> id & 1))
                continue;
            const char *value = row->arg ? right_value(row->arg) : "--";
            snprintf(word, sizeof word, "--%s", row->word ? row->word : "");
            if (row->letter) {
                kit_read(&(struct line){names[id], {letter, value, "--", "x"}, {NULL}}, &r);
                assert_true(r.verdict == INITARGS_RUN || r.code == 0);
            }
            /* "--version" of tini stands alone. */
            if (row->word && id == PERSONA_TINI)
                kit_read(&(struct line){names[id], {word}, {NULL}}, &r);
            else if (row->word)
                kit_read(&(struct line){names[id], {word, value, "--", "x"}, {NULL}}, &r);
            assert_true(r.verdict == INITARGS_RUN || r.code == 0);
        }
}

static void no_other_letter_is_an_option(void **state)
{
    (void)state;
    for (enum persona_id id = 0; id < PERSONA_N; id++)
        for (char c = '0'; c <= 'z'; c++) {
            char letter[] = {'-', c, '\0'};
            static struct reading_result r;
            if (has_letter(id, c))
                continue;
            kit_read(&(struct line){names[id], {letter, "--", "x"}, {NULL}}, &r);
            assert_int_equal(r.verdict, INITARGS_SAID);
            assert_int_equal(r.code, persona_get(id)->usage_code);
            assert_string_equal(r.out, "");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tini_says),
        cmocka_unit_test(dumb_init_says),
        cmocka_unit_test(catatonit_says),
        cmocka_unit_test(foster_says),
        cmocka_unit_test(a_wrong_variable_is_named),
        cmocka_unit_test(usage_follows_getopts_words_where_the_peer_has_it_so),
        cmocka_unit_test(a_reading_that_was_given_up_leaves_nothing_behind),
        cmocka_unit_test(each_row_is_an_option_of_its_personalities),
        cmocka_unit_test(no_other_letter_is_an_option),
    };

    unsetenv("POSIXLY_CORRECT");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
