/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command line: what each verb and option means in every form, what is refused and with which words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/args.h"
#include "ctl/help.h"

#include <string.h>

enum { WORDS_MAX = 10, HELP_MAX = 8192, HELP_COLUMNS = 80 };

static char program[] = "fosterctl";

/* argv is fresh each time: getopt_long(3) reorders it. */
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
    const char *words[WORDS_MAX];
    struct args expected;                /* but for what is in the next line and what is -1 without a word */
    const char *operands[WORDS_MAX + 1]; /* up to the first NULL */
};

#define NONE    .timeout_ms = -1, .grace_ms = -1, .number = -1, .since_us = -1
#define JUST(v) .verb = VERB_##v, NONE

static const struct good_case good_cases[] = {
    {{"ps"}, {JUST(PS)}, {NULL}},
    {{"status"}, {JUST(PS)}, {NULL}},
    {{"ls"}, {JUST(PS)}, {NULL}},
    {{"ps", "web", "db"}, {JUST(PS)}, {"web", "db"}},
    {{"ps", "-w", "--watch"}, {JUST(PS), .wide = true, .watch = true}, {NULL}},
    {{"ps", "web", "--wide"}, {JUST(PS), .wide = true}, {"web"}},
    {{"--json", "ps"}, {JUST(PS), .json = true}, {NULL}},
    {{"ps", "--json"}, {JUST(PS), .json = true}, {NULL}},
    {{"-s", "/a", "ps"}, {JUST(PS), .socket = "/a"}, {NULL}},
    {{"ps", "-s", "/a"}, {JUST(PS), .socket = "/a"}, {NULL}},
    {{"ps", "web", "--socket=/a"}, {JUST(PS), .socket = "/a"}, {"web"}},
    {{"-s", "/a", "ps", "-s", "/b"}, {JUST(PS), .socket = "/b"}, {NULL}},
    {{"--timeout", "1m30s", "ps"},
     {.verb = VERB_PS, .timeout_ms = 90000, .grace_ms = -1, .number = -1, .since_us = -1},
     {NULL}},
    {{"ps", "--timeout=2"},
     {.verb = VERB_PS, .timeout_ms = 2000, .grace_ms = -1, .number = -1, .since_us = -1},
     {NULL}},
    {{"--color", "never", "ps"}, {JUST(PS), .color = ARGS_COLOR_NEVER}, {NULL}},
    {{"ps", "--color=always"}, {JUST(PS), .color = ARGS_COLOR_ALWAYS}, {NULL}},
    {{"ps", "--color=always", "--color=auto"}, {JUST(PS)}, {NULL}},
    {{"--", "ps", "--", "-w"}, {JUST(PS)}, {"-w"}},
    {{"tree"}, {JUST(TREE)}, {NULL}},
    {{"tree", "web"}, {JUST(TREE)}, {"web"}},
    {{"start", "web"}, {JUST(START)}, {"web"}},
    {{"start", "-t", "500ms", "web"},
     {.verb = VERB_START, .timeout_ms = 500, .grace_ms = -1, .number = -1, .since_us = -1},
     {"web"}},
    {{"start", "--no-deps", "w*", "--no-wait"}, {JUST(START), .no_deps = true, .no_wait = true}, {"w*"}},
    {{"stop", "-t", "5s", "web"},
     {.verb = VERB_STOP, .timeout_ms = -1, .grace_ms = 5000, .number = -1, .since_us = -1},
     {"web"}},
    {{"stop", "web", "-t0", "--timeout", "9"},
     {.verb = VERB_STOP, .timeout_ms = 9000, .grace_ms = 0, .number = -1, .since_us = -1},
     {"web"}},
    {{"restart", "--no-deps", "--no-wait", "-t1", "a", "b"},
     {.verb = VERB_RESTART,
      .timeout_ms = -1,
      .grace_ms = 1000,
      .number = -1,
      .since_us = -1,
      .no_deps = true,
      .no_wait = true},
     {"a", "b"}},
    {{"reload"}, {JUST(RELOAD)}, {NULL}},
    {{"reload", "web", "d*"}, {JUST(RELOAD)}, {"web", "d*"}},
    {{"reload", "-n"}, {JUST(RELOAD), .dry_run = true}, {NULL}},
    {{"reload", "--dry-run", "--no-wait"}, {JUST(RELOAD), .dry_run = true, .no_wait = true}, {NULL}},
    {{"signal", "HUP", "web"}, {JUST(SIGNAL), .signal = "SIGHUP"}, {"web"}},
    {{"signal", "1", "web", "db", "--all"}, {JUST(SIGNAL), .signal = "SIGHUP", .all = true}, {"web", "db"}},
    {{"kill", "-s", "sigusr1", "web"}, {JUST(SIGNAL), .signal = "SIGUSR1"}, {"web"}},
    {{"-s", "/a", "kill", "-s", "9", "web"}, {JUST(SIGNAL), .socket = "/a", .signal = "SIGKILL"}, {"web"}},
    {{"kill", "KILL", "web", "--socket", "/a"}, {JUST(SIGNAL), .socket = "/a", .signal = "SIGKILL"}, {"web"}},
    {{"events"}, {JUST(EVENTS)}, {NULL}},
    {{"events", "-f", "-n", "20", "web"},
     {.verb = VERB_EVENTS, .timeout_ms = -1, .grace_ms = -1, .number = 20, .since_us = -1, .follow = true},
     {"web"}},
    {{"logs", "-tf", "-n", "5", "--no-prefix", "web"},
     {.verb = VERB_LOGS,
      .timeout_ms = -1,
      .grace_ms = -1,
      .number = 5,
      .since_us = -1,
      .follow = true,
      .timestamps = true,
      .no_prefix = true},
     {"web"}},
    {{"logs", "--tail=0", "--since", "2026-11-22T08:15:30.5Z", "--raw"},
     {.verb = VERB_LOGS, .timeout_ms = -1, .grace_ms = -1, .number = 0, .since_us = 1795335330500000, .raw = true},
     {NULL}},
    {{"events", "--follow", "-n0", "--json"},
     {.verb = VERB_EVENTS, .timeout_ms = -1, .grace_ms = -1, .number = 0, .since_us = -1, .follow = true, .json = true},
     {NULL}},
    {{"wait", "--for=healthy"}, {JUST(WAIT), .state = "healthy"}, {NULL}},
    {{"wait", "--for=ready"}, {JUST(WAIT), .state = "ready"}, {NULL}},
    {{"wait", "--for", "up", "web"}, {JUST(WAIT), .state = "up"}, {"web"}},
    {{"wait", "web", "--for=down", "-t", "30s"},
     {.verb = VERB_WAIT, .timeout_ms = 30000, .grace_ms = -1, .number = -1, .since_us = -1, .state = "down"},
     {"web"}},
    {{"health"}, {JUST(HEALTH)}, {NULL}},
    {{"health", "-q", "web"}, {JUST(HEALTH), .quiet = true}, {"web"}},
    {{"health", "--quiet"}, {JUST(HEALTH), .quiet = true}, {NULL}},
    {{"reset", "web"}, {JUST(RESET)}, {"web"}},
    {{"config"}, {JUST(CONFIG)}, {NULL}},
    {{"graph"}, {JUST(GRAPH)}, {NULL}},
    {{"graph", "--dot"}, {JUST(GRAPH), .dot = true}, {NULL}},
    {{"plot", "web"}, {JUST(PLOT)}, {"web"}},
    {{"plot", "--text"}, {JUST(PLOT), .text = true}, {NULL}},
    {{"graph", "--svg"}, {JUST(GRAPH), .svg = true}, {NULL}},
    {{"scale", "web=3", "db=0", "--no-wait"}, {JUST(SCALE), .no_wait = true}, {"web=3", "db=0"}},
    {{"shutdown"}, {JUST(SHUTDOWN)}, {NULL}},
    {{"down", "--now"}, {JUST(SHUTDOWN), .now = true}, {NULL}},
    {{"list"}, {JUST(LIST)}, {NULL}},
    {{"list", "--names"}, {JUST(LIST), .names = true}, {NULL}},
    {{"doctor"}, {JUST(DOCTOR)}, {NULL}},
    {{"--help"}, {.verb = VERB_NONE, NONE, .help = true}, {NULL}},
    {{"-h"}, {.verb = VERB_NONE, NONE, .help = true}, {NULL}},
    {{"start", "--help"}, {JUST(START), .help = true}, {NULL}},
    {{"-h", "wait"}, {JUST(WAIT), .help = true}, {NULL}},
    {{"--version"}, {.verb = VERB_NONE, NONE, .version = true}, {NULL}},
    {{"-V"}, {.verb = VERB_NONE, NONE, .version = true}, {NULL}},
};

static void assert_text(const char *got, const char *expected)
{
    if (expected == NULL)
        assert_null(got);
    else
        assert_string_equal(got, expected);
}

static void assert_args(const struct args *a, const struct args *x)
{
    assert_int_equal(a->verb, x->verb);
    assert_text(a->socket, x->socket);
    assert_text(a->signal, x->signal);
    assert_text(a->state, x->state);
    assert_int_equal(a->timeout_ms, x->timeout_ms);
    assert_int_equal(a->grace_ms, x->grace_ms);
    assert_int_equal(a->number, x->number);
    assert_int_equal(a->since_us, x->since_us);
    assert_int_equal(a->color, x->color);
    const bool got[] = {a->help, a->version, a->json, a->wide,  a->watch, a->no_deps, a->no_wait, a->dry_run,
                        a->all,  a->follow,  a->dot,  a->quiet, a->svg,   a->now,     a->names};
    const bool wanted[] = {x->help, x->version, x->json, x->wide,  x->watch, x->no_deps, x->no_wait, x->dry_run,
                           x->all,  x->follow,  x->dot,  x->quiet, x->svg,   x->now,     x->names};
    assert_memory_equal(got, wanted, sizeof got);
}

static void understands_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_cases); i++) {
        const struct good_case *k = &good_cases[i];
        char *argv[WORDS_MAX + 2];
        struct args a;
        struct err e = {0};
        size_t n = 0;
        int argc = argv_of(k->words, argv);
        if (!args_parse(argc, argv, &a, &e))
            fail_msg("case %zu (%s): %s", i, k->words[0], e.text);
        assert_args(&a, &k->expected);
        for (; k->operands[n] != NULL && n < a.n_operands; n++)
            assert_string_equal(a.operands[n], k->operands[n]);
        if (k->operands[n] != NULL || n != a.n_operands)
            fail_msg("case %zu (%s): %zu operands", i, k->words[0], a.n_operands);
        assert_null(a.operands == NULL ? NULL : a.operands[n]);
    }
}

static const struct {
    const char *words[WORDS_MAX];
    const char *text;
} bad_cases[] = {
    {{NULL}, "what is to be done is missing; e.g. fosterctl ps, or see fosterctl --help"},
    {{"--json"}, "what is to be done is missing; e.g. fosterctl ps, or see fosterctl --help"},
    {{"strat", "web"}, "there is no verb strat; did you mean start?"},
    {{"kil", "web"}, "there is no verb kil; did you mean kill?"},
    {{""}, "there is no verb ; fosterctl --help lists those that are"},
    {{"log"}, "there is no verb log; did you mean logs?"},
    {{"exec"}, "there is no verb exec; fosterctl --help lists those that are"},
    {{"metrics"}, "there is no verb metrics; fosterctl --help lists those that are"},
    {{"--wide", "ps"}, "option --wide is unknown or ambiguous; see fosterctl --help"},
    {{"ps", "--wat"}, NULL},
    {{"ps", "--w"}, "option --w is unknown or ambiguous; see fosterctl ps --help"},
    {{"ps", "-x"}, "option -x is unknown or ambiguous; see fosterctl ps --help"},
    {{"ps", "-wx"}, "option -x is unknown or ambiguous; see fosterctl ps --help"},
    {{"ps", "--json=1"}, "option --json=1 takes no value; see fosterctl ps --help"},
    {{"ps", "-s"}, "option -s needs a value; see fosterctl ps --help"},
    {{"--socket"}, "option --socket needs a value; see fosterctl --help"},
    {{"ps", "--timeout", "soon"}, "soon is no duration; write seconds (10) or units (500ms, 10s, 1m30s)"},
    {{"ps", "--timeout", "-1"}, "-1 is no duration; write seconds (10) or units (500ms, 10s, 1m30s)"},
    {{"ps", "--color", "red"}, "--color red is not known; use auto, always or never"},
    {{"ps", "--watch", "--json"}, "--watch shows tables, no JSON; programs use events --follow --json"},
    {{"ps", "\xff"}, "argument 1 of ps is not UTF-8; names of services are"},
    {{"start"}, "start needs the name of a service; '*', quoted, means all of them"},
    {{"stop"}, "stop needs the name of a service; '*', quoted, means all of them"},
    {{"restart", "--no-wait"}, "restart needs the name of a service; '*', quoted, means all of them"},
    {{"reset"}, "reset needs the name of a service; '*', quoted, means all of them"},
    {{"start", "--wide", "web"}, "option --wide is unknown or ambiguous; see fosterctl start --help"},
    {{"stop", "-t", "x", "web"}, "x is no duration; write seconds (10) or units (500ms, 10s, 1m30s)"},
    {{"stop", "web", "-t"}, "option -t needs a value; see fosterctl stop --help"},
    {{"reload", "-n", "web"},
     "--dry-run and --no-wait are for the configuration of fosterd; reload SERVICE has neither"},
    {{"reload", "web", "--no-wait"},
     "--dry-run and --no-wait are for the configuration of fosterd; reload SERVICE has neither"},
    {{"signal"}, "signal needs more; write fosterctl signal SIGNAL SERVICE..."},
    {{"signal", "HUP"}, "signal needs the name of a service; '*', quoted, means all of them"},
    {{"signal", "HOP", "web"}, "HOP is no signal; write HUP, SIGHUP or 1"},
    {{"kill", "-s", "99", "web"}, "99 is no signal; write HUP, SIGHUP or 1"},
    {{"kill", "-s", "HUP"}, "signal needs the name of a service; '*', quoted, means all of them"},
    {{"kill", "-9", "web"}, "option -9 is unknown or ambiguous; see fosterctl signal --help"},
    {{"events", "-n", "x"}, "x is no number; write digits only"},
    {{"logs", "--since", "never"}, "never is no time; write how long ago (10m, 1h30m), 08:15, or 2026-11-22T08:15:30Z"},
    {{"events", "-n", "-1"}, "-1 is no number; write digits only"},
    {{"wait", "web"}, "wait needs --for=STATE; STATE is up (ready or done), healthy, down, or the name of a state"},
    {{"wait", "--for=well"},
     "well is no state; use up, healthy, down, waiting, starting, running, ready, stopping, backoff, stopped, done, "
     "failed "
     "or "
     "skipped"},
    {{"config", "x"}, "unexpected argument x; fosterctl config takes none"},
    {{"graph", "x"}, "unexpected argument x; fosterctl graph takes none"},
    {{"graph", "--dot", "--svg"}, "choose one of --dot, --svg and --json"},
    {{"graph", "--dot", "--json"}, "choose one of --dot, --svg and --json"},
    {{"scale"}, "scale needs more; write fosterctl scale SERVICE=NUMBER..."},
    {{"scale", "web"}, "web does not say how many; write SERVICE=NUMBER, e.g. web=3"},
    {{"scale", "web=3", "=3"}, "=3 does not say how many; write SERVICE=NUMBER, e.g. web=3"},
    {{"scale", "web=-1"}, "web=-1 does not say how many; write SERVICE=NUMBER, e.g. web=3"},
    {{"scale", "web=x"}, "web=x does not say how many; write SERVICE=NUMBER, e.g. web=3"},
    {{"shutdown", "web"}, "unexpected argument web; fosterctl shutdown takes none"},
    {{"list", "web"}, "unexpected argument web; fosterctl list takes none"},
    {{"doctor", "web"}, "unexpected argument web; fosterctl doctor takes none"},
};

static void refuses_with_a_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
        char *argv[WORDS_MAX + 2];
        struct args a;
        struct err e = {0};
        int argc = argv_of(bad_cases[i].words, argv);
        bool ok = args_parse(argc, argv, &a, &e);
        if (ok != (bad_cases[i].text == NULL))
            fail_msg("case %zu: %s", i, e.text);
        if (!ok) {
            assert_int_equal(e.kind, ERR_INPUT);
            assert_string_equal(e.text, bad_cases[i].text);
        }
    }
}

static void what_was_read_before_a_mistake_is_kept(void **state)
{
    const char *const words[] = {"--json", "stop", "-t", "x", NULL};
    char *argv[WORDS_MAX];
    struct args a;
    struct err e = {0};
    (void)state;
    assert_false(args_parse(argv_of(words, argv), argv, &a, &e));
    assert_true(a.json);
    assert_int_equal(a.verb, VERB_STOP);
}

/* TEXT has at most 80 columns and every word of the rows that belong to VERB. */
static void assert_help(enum verb verb)
{
    struct buf out;
    size_t n;
    const struct args_option *o = args_options(&n);
    buf_init(&out, HELP_MAX);
    help_print(&out, verb);
    assert_false(out.failed);
    for (const char *line = out.data; *line != '\0'; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > HELP_COLUMNS)
            fail_msg("too wide: %.*s", (int)strcspn(line, "\n"), line);
    for (; n > 0; n--, o++) {
        if (o->verb != VERB_ANY && o->verb != verb)
            continue;
        const char letter[] = {'-', o->letter, '\0'};
        assert_non_null(strstr(out.data, o->help));
        assert_true(o->name == NULL || strstr(out.data, o->name) != NULL);
        assert_true(o->letter == 0 || strstr(out.data, letter) != NULL);
    }
    for (size_t v = 0; verb == VERB_NONE && v < VERB_N; v++) {
        assert_non_null(strstr(out.data, args_verb((enum verb)v)->name));
        assert_non_null(strstr(out.data, args_verb((enum verb)v)->help));
    }
    if (verb < VERB_N)
        assert_non_null(strstr(out.data, args_verb(verb)->operands));
    buf_done(&out);
}

static void help_tells_of_every_row(void **state)
{
    (void)state;
    assert_help(VERB_NONE);
    for (size_t v = 0; v < VERB_N; v++)
        assert_help((enum verb)v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_every_form),
        cmocka_unit_test(refuses_with_a_remedy),
        cmocka_unit_test(what_was_read_before_a_mistake_is_kept),
        cmocka_unit_test(help_tells_of_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
