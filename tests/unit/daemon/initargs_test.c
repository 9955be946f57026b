/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command line and the variables of init mode, as values: what each personality takes, and what wins over what.
 * What is printed is in initargs_says_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"
#include "initargs_kit.h"

#include <stdlib.h>

#ifdef __GLIBC__
#define GETOPT_PERMUTES 1
#else
#define GETOPT_PERMUTES 0
#endif

enum { CODES_MAX = 4, NOTHING_MS = -1, CODE_0 = -1 };

/* What is expected; 0 and NULL stand for what the personality has anyway. */
struct want {
    const char *command; /* "x", the usual one */
    bool group, single, warn_reaped, pause, grace_set, wait_all, follow;
    int parent_death;
    int zero[CODES_MAX]; /* CODE_0: 0 */
    enum log_level level;
    int64_t grace_ms, pre_stop_delay_ms; /* NOTHING_MS: 0 */
    enum spec_restart_policy restart;
    int64_t max_attempts;
};

struct value_case {
    struct line line;
    struct want want;
};

static void assert_zero_codes(const struct spec_exits *got, const int *codes)
{
    struct spec_exits want = {0};

    for (size_t i = 0; i < CODES_MAX && codes[i] != 0; i++)
        spec_exits_add_code(&want, codes[i] == CODE_0 ? 0 : codes[i]);
    assert_memory_equal(got, &want, sizeof want);
}

static enum log_level default_level(const struct persona *p)
{
    return p->id == PERSONA_FOSTER || p->id == PERSONA_TINI ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR;
}

static void assert_args(const struct initargs *a, const struct persona *p, const struct want *w)
{
    assert_ptr_equal(a->persona, p);
    if (w->pause)
        assert_null(a->command[0]);
    else
        assert_string_equal(a->command[0], w->command ? w->command : "x");
    assert_int_equal(a->group, w->group);
    assert_int_equal(a->single, w->single);
    assert_int_equal(a->warn_reaped, w->warn_reaped);
    assert_int_equal(a->pause, w->pause);
    assert_int_equal(a->parent_death, w->parent_death);
    assert_zero_codes(&a->zero, w->zero);
    assert_int_equal(a->level, w->level ? w->level : default_level(p));
    assert_int_equal(a->grace_ms, w->grace_ms == NOTHING_MS ? 0 : w->grace_ms ? w->grace_ms : INIT_GRACE_DEFAULT_MS);
    assert_int_equal(a->grace_set, w->grace_set);
    assert_int_equal(a->restart.policy, w->restart);
    assert_int_equal(a->restart.max_attempts, w->max_attempts);
    assert_int_equal(a->wait_all, w->wait_all);
    assert_int_equal(a->follow, w->follow);
    assert_int_equal(a->pre_stop_delay_ms, w->pre_stop_delay_ms);
}

static void check_values(const struct value_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        static struct reading_result r;
        kit_read(&cases[i].line, &r);
        print_message("%s\n", kit_show(&cases[i].line));
        assert_string_equal(r.err, "");
        assert_string_equal(r.out, "");
        assert_int_equal(r.verdict, INITARGS_RUN);
        assert_args(&r.args, persona_of(cases[i].line.as), &cases[i].want);
    }
}

static void tini_options(void **state)
{
    static const struct value_case cases[] = {
        {{"tini", {"x"}, {NULL}}, {0}},
        {{"tini", {"--", "x"}, {NULL}}, {0}},
        {{"/sbin/docker-init", {"--", "x"}, {NULL}}, {0}},
        {{"/run/podman-init", {"--", "x"}, {NULL}}, {0}},
        {{"tini-static", {"x"}, {NULL}}, {0}},
        {{"tini", {"-s", "x"}, {NULL}}, {0}},
        {{"tini", {"-g", "x"}, {NULL}}, {.group = true}},
        {{"tini", {"-w", "x"}, {NULL}}, {.warn_reaped = true}},
        {{"tini", {"-sgw", "x"}, {NULL}}, {.group = true, .warn_reaped = true}},
        {{"tini", {"-p", "SIGKILL", "x"}, {NULL}}, {.parent_death = SIGKILL}},
        {{"tini", {"-gpSIGTERM", "x"}, {NULL}}, {.group = true, .parent_death = SIGTERM}},
        {{"tini", {"-p", "SIGHUP", "-p", "SIGINT", "x"}, {NULL}}, {.parent_death = SIGINT}},
        {{"tini", {"-e", "143", "x"}, {NULL}}, {.zero = {143}}},
        {{"tini", {"-e", "0", "-e255", "x"}, {NULL}}, {.zero = {CODE_0, 255}}},
        {{"tini", {"-e", "143", "-e", "130", "x"}, {NULL}}, {.zero = {143, 130}}},
        {{"tini", {"-e", "", "x"}, {NULL}}, {.zero = {CODE_0}}},
        {{"tini", {"-e", " +007", "x"}, {NULL}}, {.zero = {7}}},
        {{"tini", {"-v", "x"}, {NULL}}, {.level = LOG_LEVEL_INFO}},
        {{"tini", {"-vv", "x"}, {NULL}}, {.level = LOG_LEVEL_DEBUG}},
        {{"tini", {"-v", "-v", "-v", "x"}, {NULL}}, {.level = LOG_LEVEL_DEBUG}},
        {{"tini", {"-vvvvv", "x"}, {NULL}}, {.level = LOG_LEVEL_DEBUG}},
        {{"tini", {"--", "-g"}, {NULL}}, {.command = "-g"}},
        {{"tini", {"--", "--version"}, {NULL}}, {.command = "--version"}},
        {{"tini", {"x", "--", "-g"}, {NULL}}, {0}},
    };

    (void)state;
    check_values(cases, ARRAY_LEN(cases));
}

static void tini_variables(void **state)
{
    static const struct value_case cases[] = {
        {{"tini", {"x"}, {"TINI_SUBREAPER="}}, {0}},
        {{"tini", {"x"}, {"TINI_KILL_PROCESS_GROUP="}}, {.group = true}},
        {{"tini", {"x"}, {"TINI_KILL_PROCESS_GROUP=0"}}, {.group = true}},
        {{"tini", {"-vvv", "x"}, {"TINI_VERBOSITY=0"}}, {.level = LOG_LEVEL_ERROR}},
        {{"tini", {"x"}, {"TINI_VERBOSITY=1"}}, {.level = LOG_LEVEL_WARN}},
        {{"tini", {"-vvv", "x"}, {"TINI_VERBOSITY=2"}}, {.level = LOG_LEVEL_INFO}},
        {{"tini", {"x"}, {"TINI_VERBOSITY=3"}}, {.level = LOG_LEVEL_DEBUG}},
        {{"tini", {"x"}, {"TINI_VERBOSITY=99999999999999999999"}}, {.level = LOG_LEVEL_DEBUG}},
        {{"tini", {"x"}, {"TINI_VERBOSITY=-1"}}, {.level = LOG_LEVEL_ERROR}},
        {{"tini", {"x"}, {"TINI_VERBOSITY="}}, {.level = LOG_LEVEL_ERROR}},
        {{"tini", {"x"}, {"TINI_VERBOSITY=much"}}, {.level = LOG_LEVEL_ERROR}},
        {{"tini", {"x"}, {"TINI_VERBOSITY=2much"}}, {.level = LOG_LEVEL_INFO}},
        /* Where both speak of the same, the peer's own word is the last one. */
        {{"tini", {"x"}, {"FOSTER_INIT_VERBOSITY=3", "TINI_VERBOSITY=0"}}, {.level = LOG_LEVEL_ERROR}},
        {{"tini", {"x"}, {"FOSTER_INIT_KILL_PROCESS_GROUP=no", "TINI_KILL_PROCESS_GROUP="}}, {.group = true}},
        /* Variables of others. */
        {{"tini", {"x"}, {"DUMB_INIT_SETSID=0", "DUMB_INIT_DEBUG=1", "CATATONIT_DEBUG=", "CATATONIT_LOG="}}, {0}},
    };

    (void)state;
    check_values(cases, ARRAY_LEN(cases));
}

static void dumb_init_options_and_variables(void **state)
{
    static const struct value_case cases[] = {
        {{"dumb-init", {"x"}, {NULL}}, {.group = true}},
        {{"/usr/bin/dumb-init", {"--", "x"}, {NULL}}, {.group = true}},
        {{"dumb-init", {"x", "-c", "--version"}, {NULL}}, {.group = true}},
        {{"dumb-init", {"-c", "x"}, {NULL}}, {.single = true}},
        {{"dumb-init", {"--single-child", "x"}, {NULL}}, {.single = true}},
        {{"dumb-init", {"--single", "x"}, {NULL}}, {.single = true}},
        {{"dumb-init", {"-v", "x"}, {NULL}}, {.group = true, .level = LOG_LEVEL_DEBUG}},
        {{"dumb-init", {"--verbose", "x"}, {NULL}}, {.group = true, .level = LOG_LEVEL_DEBUG}},
        {{"dumb-init", {"-vvc", "x"}, {NULL}}, {.single = true, .level = LOG_LEVEL_DEBUG}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_SETSID=0"}}, {.single = true}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_SETSID=1"}}, {.group = true}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_SETSID="}}, {.group = true}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_SETSID=00"}}, {.group = true}},
        {{"dumb-init", {"-c", "x"}, {"DUMB_INIT_SETSID=1"}}, {.single = true}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_DEBUG=1"}}, {.group = true, .level = LOG_LEVEL_DEBUG}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_DEBUG=2"}}, {.group = true}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_DEBUG=0"}}, {.group = true}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_DEBUG=true"}}, {.group = true}},
        {{"dumb-init", {"x"}, {"FOSTER_INIT_KILL_PROCESS_GROUP=0"}}, {.group = false}},
        {{"dumb-init", {"-c", "x"}, {"FOSTER_INIT_KILL_PROCESS_GROUP=1"}}, {.single = true}},
        {{"dumb-init", {"-v", "x"}, {"FOSTER_INIT_VERBOSITY=0"}}, {.group = true, .level = LOG_LEVEL_DEBUG}},
        {{"dumb-init", {"x"}, {"TINI_VERBOSITY=3", "CATATONIT_LOG=1"}}, {.group = true}},
    };

    (void)state;
    check_values(cases, ARRAY_LEN(cases));
}

static void catatonit_options_and_variables(void **state)
{
    static const struct value_case cases[] = {
        {{"catatonit", {"x"}, {NULL}}, {0}},
        {{"/usr/libexec/podman/catatonit", {"--", "x"}, {NULL}}, {0}},
        {{"catatonit", {"-g", "x"}, {NULL}}, {.group = true}},
        {{"catatonit", {"x", "-g"}, {NULL}}, {.group = true}},
        {{"catatonit", {"x", "--", "-g"}, {NULL}}, {0}},
        {{"catatonit", {"-P"}, {NULL}}, {.pause = true}},
        {{"catatonit", {"-gP"}, {NULL}}, {.pause = true, .group = true}},
        {{"catatonit", {"-P", "x"}, {NULL}}, {.pause = true}},
        {{"catatonit", {"x"}, {"CATATONIT_DEBUG="}}, {.level = LOG_LEVEL_DEBUG}},
        {{"catatonit", {"x"}, {"CATATONIT_DEBUG=0"}}, {.level = LOG_LEVEL_DEBUG}},
        {{"catatonit", {"x"}, {"TINI_VERBOSITY=3", "DUMB_INIT_DEBUG=1"}}, {0}},
        {{"catatonit", {"x"}, {"FOSTER_INIT_VERBOSITY=1"}}, {.level = LOG_LEVEL_WARN}},
    };

    (void)state;
    check_values(cases, ARRAY_LEN(cases));
}

static void foster_options(void **state)
{
    static const struct value_case cases[] = {
        {{"fosterd", {"--", "x"}, {NULL}}, {0}},
        {{"/usr/sbin/fosterd", {"--", "x"}, {NULL}}, {0}},
        {{"anything", {"--", "x"}, {NULL}}, {0}},
        {{"fosterd", {"--", "--", "x"}, {NULL}}, {.command = "--"}},
        {{"fosterd", {"-sgw", "--", "x"}, {NULL}}, {.group = true, .warn_reaped = true}},
        {{"fosterd", {"-p", "TERM", "--", "x"}, {NULL}}, {.parent_death = SIGTERM}},
        {{"fosterd", {"-p", "sigkill", "--", "x"}, {NULL}}, {.parent_death = SIGKILL}},
        {{"fosterd", {"-p9", "--", "x"}, {NULL}}, {.parent_death = 9}},
        {{"fosterd", {"-e", "143", "-e0", "--", "x"}, {NULL}}, {.zero = {143, CODE_0}}},
        {{"fosterd", {"-v", "--", "x"}, {NULL}}, {.level = LOG_LEVEL_INFO}},
        {{"fosterd", {"--verbose", "-vv", "--", "x"}, {NULL}}, {.level = LOG_LEVEL_DEBUG}},
        {{"fosterd", {"--grace", "2s", "--", "x"}, {NULL}}, {.grace_ms = 2000, .grace_set = true}},
        {{"fosterd", {"--grace=0", "--", "x"}, {NULL}}, {.grace_ms = NOTHING_MS, .grace_set = true}},
        {{"fosterd", {"--grace=10s", "--", "x"}, {NULL}}, {.grace_set = true}},
        {{"fosterd", {"--restart", "no", "--", "x"}, {NULL}}, {0}},
        {{"fosterd", {"--restart=always", "--", "x"}, {NULL}}, {.restart = SPEC_RESTART_ALWAYS}},
        {{"fosterd", {"--restart=unless-stopped", "--", "x"}, {NULL}}, {.restart = SPEC_RESTART_UNLESS_STOPPED}},
        {{"fosterd", {"--restart=on-failure", "--", "x"}, {NULL}}, {.restart = SPEC_RESTART_ON_FAILURE}},
        {{"fosterd", {"--restart=on-failure:3", "--", "x"}, {NULL}},
         {.restart = SPEC_RESTART_ON_FAILURE, .max_attempts = 3}},
        {{"fosterd", {"--restart=on-failure:3", "--restart=on-failure", "--", "x"}, {NULL}},
         {.restart = SPEC_RESTART_ON_FAILURE}},
        {{"fosterd", {"--wait-all", "--", "x"}, {NULL}}, {.wait_all = true}},
        {{"fosterd", {"--follow", "--", "x"}, {NULL}}, {.follow = true}},
        {{"fosterd", {"--pre-stop-delay=1.5s", "--", "x"}, {NULL}}, {.pre_stop_delay_ms = 1500}},
        {{"fosterd", {"--config-from-env", "--", "x"}, {NULL}}, {0}},
        {{"fosterd", {"--conf", "--wait", "--", "x"}, {NULL}}, {.wait_all = true}},
        {{"fosterd", {"--", "x", "-g", "--grace=1"}, {NULL}}, {0}},
    };

    (void)state;
    check_values(cases, ARRAY_LEN(cases));
}

static void variables_of_our_own(void **state)
{
    static const struct {
        const char *var;
        struct want want;
    } cases[] = {
        {"FOSTER_INIT_GRACE=3s", {.grace_ms = 3000, .grace_set = true}},
        {"FOSTER_INIT_GRACE=0", {.grace_ms = NOTHING_MS, .grace_set = true}},
        {"FOSTER_INIT_RESTART=on-failure:2", {.restart = SPEC_RESTART_ON_FAILURE, .max_attempts = 2}},
        {"FOSTER_INIT_WAIT_ALL=1", {.wait_all = true}},
        {"FOSTER_INIT_WAIT_ALL=no", {0}},
        {"FOSTER_INIT_FOLLOW=true", {.follow = true}},
        {"FOSTER_INIT_FOLLOW=FALSE", {0}},
        {"FOSTER_INIT_PRE_STOP_DELAY=5", {.pre_stop_delay_ms = 5000}},
        {"FOSTER_INIT_KILL_PROCESS_GROUP=yes", {.group = true}},
        {"FOSTER_INIT_KILL_PROCESS_GROUP=on", {.group = true}},
        {"FOSTER_INIT_KILL_PROCESS_GROUP=off", {0}},
        {"FOSTER_INIT_KILL_PROCESS_GROUP=0", {0}},
        {"FOSTER_INIT_VERBOSITY=0", {.level = LOG_LEVEL_ERROR}},
        {"FOSTER_INIT_VERBOSITY=1", {.level = LOG_LEVEL_WARN}},
        {"FOSTER_INIT_VERBOSITY=2", {.level = LOG_LEVEL_INFO}},
        {"FOSTER_INIT_VERBOSITY=40", {.level = LOG_LEVEL_DEBUG}},
        {"FOSTER_INIT_REMAP_EXIT=143", {.zero = {143}}},
        {"FOSTER_INIT_REMAP_EXIT=143,0,255", {.zero = {143, CODE_0, 255}}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct value_case shown[] = {
            {{"docker-init", {"--", "x"}, {cases[i].var}}, cases[i].want},
            {{"catatonit", {"--", "x"}, {cases[i].var}}, cases[i].want},
            {{"fosterd", {"--config-from-env", "--", "x"}, {cases[i].var}}, cases[i].want},
            {{"fosterd", {"--", "x"}, {cases[i].var}}, {0}},
        };
        check_values(shown, ARRAY_LEN(shown));
    }
}

static void an_option_wins_over_its_variable(void **state)
{
    static const struct value_case cases[] = {
        {{"fosterd", {"--config-from-env", "--grace=1s", "--", "x"}, {"FOSTER_INIT_GRACE=9s"}},
         {.grace_ms = 1000, .grace_set = true}},
        {{"fosterd", {"--grace=1s", "--config-from-env", "--", "x"}, {"FOSTER_INIT_GRACE=9s"}},
         {.grace_ms = 1000, .grace_set = true}},
        {{"fosterd", {"--config-from-env", "--restart=no", "--", "x"}, {"FOSTER_INIT_RESTART=on-failure:3"}}, {0}},
        {{"fosterd", {"--config-from-env", "--pre-stop-delay=0", "--", "x"}, {"FOSTER_INIT_PRE_STOP_DELAY=3"}}, {0}},
        {{"fosterd", {"--config-from-env", "-v", "--", "x"}, {"FOSTER_INIT_VERBOSITY=0"}}, {.level = LOG_LEVEL_INFO}},
        {{"fosterd", {"--config-from-env", "--follow", "--", "x"}, {"FOSTER_INIT_FOLLOW=no"}}, {.follow = true}},
        {{"tini", {"-g", "x"}, {"FOSTER_INIT_KILL_PROCESS_GROUP=no"}}, {.group = true}},
        {{"tini", {"-v", "x"}, {"FOSTER_INIT_VERBOSITY=0"}}, {.level = LOG_LEVEL_INFO}},
        /* Even over one that could not be taken. */
        {{"fosterd", {"--config-from-env", "--grace=1s", "--", "x"}, {"FOSTER_INIT_GRACE=soon"}},
         {.grace_ms = 1000, .grace_set = true}},
        /* Exit codes are a set, to which both add. */
        {{"tini", {"-e", "1", "x"}, {"FOSTER_INIT_REMAP_EXIT=143,130"}}, {.zero = {1, 143, 130}}},
        {{"fosterd", {"--config-from-env", "-e1", "--", "x"}, {"FOSTER_INIT_REMAP_EXIT=2"}}, {.zero = {1, 2}}},
    };

    (void)state;
    check_values(cases, ARRAY_LEN(cases));
}

static void the_command_is_what_follows(void **state)
{
    static const struct line lines[] = {
        {"tini", {"-g", "--", "sh", "-c", "exit 3"}, {NULL}},
        {"dumb-init", {"-v", "sh", "-c", "exit 3"}, {NULL}},
        {"catatonit", {"-g", "--", "sh", "-c", "exit 3"}, {NULL}},
        {"fosterd", {"-g", "--", "sh", "-c", "exit 3"}, {NULL}},
    };
    static const char *const words[] = {"sh", "-c", "exit 3"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        static struct reading_result r;
        kit_read(&lines[i], &r);
        assert_int_equal(r.verdict, INITARGS_RUN);
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            assert_string_equal(r.args.command[k], words[k]);
        assert_null(r.args.command[ARRAY_LEN(words)]);
    }
}

static void options_behind_the_command_are_found_as_the_c_library_finds_them(void **state)
{
    static const struct line line = {"tini", {"ls", "-g", "-w"}, {NULL}};
    static struct reading_result r;

    (void)state;
    kit_read(&line, &r);
    assert_int_equal(r.verdict, INITARGS_RUN);
    assert_string_equal(r.args.command[0], "ls");
    assert_int_equal(r.args.group, GETOPT_PERMUTES);
    assert_int_equal(r.args.warn_reaped, GETOPT_PERMUTES);
    assert_int_equal(setenv("POSIXLY_CORRECT", "", 1), 0);
    kit_read(&line, &r);
    unsetenv("POSIXLY_CORRECT");
    assert_int_equal(r.verdict, INITARGS_RUN);
    assert_false(r.args.group || r.args.warn_reaped);
    assert_string_equal(r.args.command[1], "-g");
}

static void tini_knows_28_signals_by_their_full_names(void **state)
{
    static const char *const others[] = {"TERM",      "15",     "sigterm",  "SIGterm",  "SIGIOT",
                                         "SIGPOLL",   "SIGCLD", "SIGRTMIN", "SIGIO",    "SIGPWR",
                                         "SIGSTKFLT", "SIG",    "",         "SIGTERM ", "0"};
    size_t n_known = 0;

    (void)state;
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        const char *name = parse_signal_name(sig);
        static struct reading_result r;
        if (!name)
            continue;
        kit_read(&(struct line){"tini", {"-p", name, "x"}, {NULL}}, &r);
        if (r.verdict != INITARGS_RUN)
            continue;
        assert_int_equal(r.args.parent_death, sig);
        n_known++;
    }
    assert_int_equal(n_known, 28);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        static struct reading_result r;
        kit_read(&(struct line){"tini", {"-p", others[i], "x"}, {NULL}}, &r);
        assert_int_equal(r.verdict, INITARGS_SAID);
        assert_int_equal(r.code, 1);
    }
}

static void assert_rewrite(const struct initargs *a, const int *others)
{
    for (int sig = 1; sig < _NSIG; sig++) {
        int want = sig;
        for (size_t i = 0; others[i] != 0; i += 2)
            if (others[i] == sig)
                want = others[i + 1];
        if (a->rewrite[sig] != want)
            fail_msg("signal %d becomes %d, not %d", sig, a->rewrite[sig], want);
    }
}

static void signals_are_rewritten(void **state)
{
    static const struct {
        struct line line;
        int others[16]; /* signal, what it becomes; all others stay themselves */
    } cases[] = {
        {{"tini", {"x"}, {NULL}}, {0}},
        {{"catatonit", {"x"}, {NULL}}, {0}},
        {{"fosterd", {"--", "x"}, {NULL}}, {0}},
        {{"dumb-init", {"x"}, {NULL}}, {SIGTSTP, SIGSTOP, SIGTTIN, SIGSTOP, SIGTTOU, SIGSTOP}},
        {{"dumb-init", {"-c", "x"}, {NULL}}, {0}},
        {{"dumb-init", {"x"}, {"DUMB_INIT_SETSID=0"}}, {0}},
        {{"dumb-init", {"-c", "-r", "15:2", "x"}, {NULL}}, {15, 2}},
        {{"dumb-init", {"-c", "--rewrite=15:2", "x"}, {NULL}}, {15, 2}},
        {{"dumb-init", {"-c", "--rewrite", "15:0", "x"}, {NULL}}, {15, 0}},
        {{"dumb-init", {"-c", "-r1:31", "-r", "31:1", "x"}, {NULL}}, {1, 31, 31, 1}},
        {{"dumb-init", {"-c", "-r", "15:2", "-r", "15:3", "x"}, {NULL}}, {15, 3}},
        {{"dumb-init", {"-c", "-r", "15:1x", "x"}, {NULL}}, {15, 1}},
        {{"dumb-init", {"-c", "-r", " 15: 1:9", "x"}, {NULL}}, {15, 1}},
        {{"dumb-init", {"-r", "20:0", "x"}, {NULL}}, {SIGTSTP, 0, SIGTTIN, SIGSTOP, SIGTTOU, SIGSTOP}},
        {{"dumb-init", {"-r", "20:20", "-r22:15", "x"}, {NULL}}, {SIGTTIN, SIGSTOP, SIGTTOU, 15}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct reading_result r;
        kit_read(&cases[i].line, &r);
        print_message("%s\n", kit_show(&cases[i].line));
        assert_int_equal(r.verdict, INITARGS_RUN);
        assert_rewrite(&r.args, cases[i].others);
    }
}

static void wanted_by_a_peers_name_or_by_dashes(void **state)
{
    static const struct {
        bool wanted;
        const char *argv[WORDS_MAX];
    } cases[] = {
        {false, {"fosterd"}},
        {false, {"fosterd", "-c", "foster.yaml"}},
        {false, {"fosterd", "---", "-", "x"}},
        {false, {"--"}},
        {true, {"fosterd", "--"}},
        {true, {"fosterd", "--", "x"}},
        {true, {"fosterd", "-g", "--", "x"}},
        {true, {"tini"}},
        {true, {"/sbin/docker-init", "--version"}},
        {true, {"/usr/bin/dumb-init", "x"}},
        {true, {"catatonit", "-P"}},
        {false, {"my-tini", "x"}},
    };
    char *none[] = {NULL};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int argc = 0;
        while (cases[i].argv[argc])
            argc++;
        assert_int_equal(initargs_wanted(argc, (char **)(uintptr_t)cases[i].argv), cases[i].wanted);
    }
    assert_false(initargs_wanted(0, none));
}

static void own_variables_are_known_by_their_prefix(void **state)
{
    static const struct {
        const char *name;
        bool own;
    } cases[] = {
        {"FOSTER_INIT_GRACE", true},
        {"FOSTER_INIT_LATER", true},
        {"FOSTER_INIT_", true},
        {"FOSTER_INIT", false},
        {"FOSTER_RUN", false},
        {"TINI_VERBOSITY", false},
        {"", false},
        {"XFOSTER_INIT_GRACE", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(initargs_is_own_variable(cases[i].name, strlen(cases[i].name)), cases[i].own);
    assert_false(initargs_is_own_variable("FOSTER_INIT_GRACE", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tini_options),
        cmocka_unit_test(tini_variables),
        cmocka_unit_test(dumb_init_options_and_variables),
        cmocka_unit_test(catatonit_options_and_variables),
        cmocka_unit_test(foster_options),
        cmocka_unit_test(variables_of_our_own),
        cmocka_unit_test(an_option_wins_over_its_variable),
        cmocka_unit_test(the_command_is_what_follows),
        cmocka_unit_test(options_behind_the_command_are_found_as_the_c_library_finds_them),
        cmocka_unit_test(tini_knows_28_signals_by_their_full_names),
        cmocka_unit_test(signals_are_rewritten),
        cmocka_unit_test(wanted_by_a_peers_name_or_by_dashes),
        cmocka_unit_test(own_variables_are_known_by_their_prefix),
    };

    unsetenv("POSIXLY_CORRECT");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
