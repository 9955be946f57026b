/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From the rows of persona.def to values. An option and the variable for the same thing share one setter: what the
 * command line has set, that variable leaves alone.
 *
 * DIAGNOSTICS: a wrong value is named with where it stands and what would be right; letters and words that are no
 * option are getopt's to complain of, where the peer leaves that to it.
 * BUGS: with musl, getopt(3) stops at the first word that is no option, so there a tini reads no option behind it.
 */
#include "daemon/initargs.h"

#include "base/parse.h"
#include "daemon/inittext.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { VERBOSITY_DEBUG = 3, WORD_CODE = 256, SIGNAL_NUMBER_MAX = 31, EXIT_CODE_MAX = 255 };

struct reading;

/* Takes in VALUE, NULL for an option without an argument. WHAT is what stands before it, "--grace " or
 * "FOSTER_INIT_GRACE=". False when all has been said, with the exit code in R. */
typedef bool setter(struct reading *r, const char *what, const char *value);

static setter set_debug, set_follow, set_from_env, set_grace, set_group, set_help, set_license, set_nothing,
    set_parent_death, set_pause, set_pre_stop_delay, set_reserved, set_restart, set_rewrite, set_single,
    set_tini_parent_death, set_tini_verbosity, set_tini_zero, set_verbosity, set_version, set_wait_all, set_warn_reaped,
    set_zero, set_zero_list;

struct option_row {
    unsigned personas;
    char letter;
    const char *word;
    const char *arg;
    setter *set;
};

static const struct option_row option_rows[] = {
#define OPTION(personas, letter, word, arg, set, help) {personas, letter, word, arg, set},
#include "daemon/persona.def"
};

struct variable_row {
    unsigned personas;
    const char *name;
    enum initargs_counts counts;
    setter *set;
};

static const struct variable_row variable_rows[] = {
#define VARIABLE(personas, name, counts, set, help) {personas, name, counts, set},
#include "daemon/persona.def"
};

static const char own_prefix[] = "FOSTER_INIT_";

enum { REWRITE_NOT_ASKED = -1 };

/* The command line and the variables while they are being read. */
struct reading {
    const struct persona *persona;
    const char *name; /* argv[0] */
    FILE *out, *err;
    struct initargs *args;
    int verbosity;
    bool from_env;
    bool given[ARRAY_LEN(option_rows)];
    int code;
};

static bool refuse(struct reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool refuse(struct reading *r, const char *fmt, ...)
{
    char prefix[PERSONA_PREFIX_MAX];
    va_list ap;

    fputs(persona_prefix(r->persona, LOG_LEVEL_ERROR, prefix, sizeof prefix), r->err);
    va_start(ap, fmt);
    vfprintf(r->err, fmt, ap);
    va_end(ap);
    fputc('\n', r->err);
    r->code = r->persona->usage_code;
    return false;
}

static bool said(struct reading *r)
{
    r->code = 0;
    return false;
}

static bool set_help(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    inittext_help(r->persona, r->name, r->persona->help_is_error ? r->err : r->out);
    return said(r);
}

static bool set_version(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    fprintf(r->persona->version_is_error ? r->err : r->out, "%s\n", r->persona->version);
    return said(r);
}

static bool set_license(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    inittext_license(r->out);
    return said(r);
}

static bool set_nothing(struct reading *r UNUSED, const char *what UNUSED, const char *value UNUSED)
{
    return true;
}

static bool set_reserved(struct reading *r, const char *what, const char *value UNUSED)
{
    return refuse(r, "%.*s is reserved; unset it", (int)strcspn(what, "="), what);
}

/* A switch: given as an option it is on; a variable says yes or no. */
static bool set_switch(struct reading *r, const char *what, const char *value, bool *ret)
{
    static const struct {
        const char *word;
        bool on;
    } words[] = {{"1", true}, {"0", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};

    if (!value) {
        *ret = true;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(value, words[i].word) == 0) {
            *ret = words[i].on;
            return true;
        }
    return parse_bool(value, ret) ||
           refuse(r, "%s%s is neither yes nor no; use 1, 0, true, false, yes or no", what, value);
}

static bool set_group(struct reading *r, const char *what, const char *value)
{
    return set_switch(r, what, value, &r->args->group);
}

static bool set_wait_all(struct reading *r, const char *what, const char *value)
{
    return set_switch(r, what, value, &r->args->wait_all);
}

static bool set_follow(struct reading *r, const char *what, const char *value)
{
    return set_switch(r, what, value, &r->args->follow);
}

static bool set_single(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    r->args->single = true;
    return true;
}

static bool set_warn_reaped(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    r->args->warn_reaped = true;
    return true;
}

static bool set_pause(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    r->args->pause = true;
    return true;
}

static bool set_from_env(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    r->from_env = true;
    return true;
}

static bool set_debug(struct reading *r, const char *what UNUSED, const char *value UNUSED)
{
    r->verbosity = VERBOSITY_DEBUG;
    return true;
}

static bool set_verbosity(struct reading *r, const char *what, const char *value)
{
    int64_t n;

    if (!value) {
        if (r->verbosity < VERBOSITY_DEBUG)
            r->verbosity += r->persona->verbosity_step;
        return true;
    }
    if (!parse_int(value, &n) || n < 0 || n > INT_MAX)
        return refuse(r, "%s%s is not a level; use a number from 0 (errors) to %d (all)", what, value, VERBOSITY_DEBUG);
    r->verbosity = (int)n;
    return true;
}

/* Whatever begins with a number is one to tini, and anything else is 0. */
static bool set_tini_verbosity(struct reading *r, const char *what UNUSED, const char *value)
{
    long n = strtol(value, NULL, 10);

    r->verbosity = n > VERBOSITY_DEBUG ? VERBOSITY_DEBUG : n < 0 ? 0 : (int)n;
    return true;
}

static bool set_duration(struct reading *r, const char *what, const char *value, int64_t *ret)
{
    return parse_duration(value, ret) ||
           refuse(r, "%s%s is not a duration; write for example 10s or 500ms", what, value);
}

static bool set_grace(struct reading *r, const char *what, const char *value)
{
    r->args->grace_set = true;
    return set_duration(r, what, value, &r->args->grace_ms);
}

static bool set_pre_stop_delay(struct reading *r, const char *what, const char *value)
{
    return set_duration(r, what, value, &r->args->pre_stop_delay_ms);
}

static bool set_restart(struct reading *r, const char *what, const char *value)
{
    static const char limited[] = "on-failure:";
    struct spec_restart *restart = &r->args->restart;
    int64_t max;

    if (strncmp(value, limited, strlen(limited)) == 0 && parse_int(value + strlen(limited), &max) && max >= 0) {
        restart->policy = SPEC_RESTART_ON_FAILURE;
        restart->max_attempts = max;
        return true;
    }
    for (int i = 0; i < SPEC_RESTART_N; i++)
        if (strcmp(value, spec_restart_policy_name((enum spec_restart_policy)i)) == 0) {
            restart->policy = (enum spec_restart_policy)i;
            restart->max_attempts = 0;
            return true;
        }
    return refuse(r, "%s%s is not a restart policy; use no, on-failure, on-failure:5, always or unless-stopped", what,
                  value);
}

static bool set_parent_death(struct reading *r, const char *what, const char *value)
{
    return parse_signal(value, &r->args->parent_death) ||
           refuse(r, "%s%s is not a signal; write for example TERM, SIGKILL or 15", what, value);
}

/* tini knows the signals that every Unix has, by their full names only. */
static bool set_tini_parent_death(struct reading *r, const char *what UNUSED, const char *value)
{
    int sig;

    if (!parse_signal(value, &sig) || sig > SIGNAL_NUMBER_MAX || strcmp(value, parse_signal_name(sig)) != 0 ||
        sig == SIGIO || sig == SIGPWR || sig == SIGSTKFLT)
        return refuse(r, "Not a valid option for -p: %s", value);
    r->args->parent_death = sig;
    return true;
}

static bool set_zero(struct reading *r, const char *what, const char *value)
{
    int64_t code;

    if (!parse_int(value, &code) || code < 0 || code > EXIT_CODE_MAX)
        return refuse(r, "%s%s is not an exit code; use a number from 0 to %d", what, value, EXIT_CODE_MAX);
    spec_exits_add_code(&r->args->zero, (int)code);
    return true;
}

/* What strtol(3) takes whole, "" and " +5" included. */
static bool set_tini_zero(struct reading *r, const char *what UNUSED, const char *value)
{
    char *end;
    long code = strtol(value, &end, 10);

    if (*end != '\0' || code < 0 || code > EXIT_CODE_MAX)
        return refuse(r, "Not a valid option for -e: %s", value);
    spec_exits_add_code(&r->args->zero, (int)code);
    return true;
}

static bool set_zero_list(struct reading *r, const char *what, const char *value)
{
    char one[] = "255";
    const char *item = value;

    for (;;) {
        size_t len = strcspn(item, ",");
        int64_t code = -1;
        if (len < sizeof one) {
            memcpy(one, item, len);
            one[len] = '\0';
        }
        if (len >= sizeof one || !parse_int(one, &code) || code < 0 || code > EXIT_CODE_MAX)
            return refuse(r, "%s%s is not a list of exit codes; write for example 143,130", what, value);
        spec_exits_add_code(&r->args->zero, (int)code);
        if (item[len] == '\0')
            return true;
        item += len + 1;
    }
}

/* What follows the second number is nobody's concern: "15:1x" is taken by the peer, and so by us. */
static bool parse_rewrite(const char *s, long *ret_from, long *ret_to)
{
    char *colon, *end;

    *ret_from = strtol(s, &colon, 10);
    if (colon == s || *colon != ':')
        return false;
    *ret_to = strtol(colon + 1, &end, 10);
    return end != colon + 1 && *ret_from >= 1 && *ret_from <= SIGNAL_NUMBER_MAX && *ret_to >= 0 &&
           *ret_to <= SIGNAL_NUMBER_MAX;
}

static bool set_rewrite(struct reading *r, const char *what UNUSED, const char *value)
{
    long from, to;

    if (parse_rewrite(value, &from, &to)) {
        r->args->rewrite[from] = (int)to;
        return true;
    }
    fprintf(r->err,
            "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and %d.\n"
            "This option can be specified multiple times.\n"
            "Use --help for full usage.\n",
            SIGNAL_NUMBER_MAX);
    r->code = r->persona->usage_code;
    return false;
}

static bool knows_option(const struct persona *p, const struct option_row *row)
{
    return row->personas >> p->id & 1;
}

static bool take_option(struct reading *r, size_t i, const char *value)
{
    const struct option_row *row = &option_rows[i];
    char what[40];

    if (row->word)
        snprintf(what, sizeof what, "--%s ", row->word);
    else
        snprintf(what, sizeof what, "-%c ", row->letter);
    r->given[i] = true;
    return row->set(r, what, value);
}

/* getopt's two lists. */
struct letters_and_words {
    char letters[2 * ARRAY_LEN(option_rows) + 4];
    struct option words[ARRAY_LEN(option_rows) + 1];
};

static void list_options(const struct persona *p, struct letters_and_words *ret)
{
    size_t n_letters = strlen(p->scan), n_words = 0;

    *ret = (struct letters_and_words){0};
    memcpy(ret->letters, p->scan, n_letters);
    for (size_t i = 0; i < ARRAY_LEN(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        if (!knows_option(p, row))
            continue;
        if (row->letter)
            ret->letters[n_letters++] = row->letter;
        if (row->letter && row->arg)
            ret->letters[n_letters++] = ':';
        if (row->word)
            ret->words[n_words++] = (struct option){row->word, row->arg != NULL, NULL, WORD_CODE + (int)i};
    }
}

static size_t row_of(const struct persona *p, int code)
{
    size_t i = 0;

    if (code >= WORD_CODE)
        return (size_t)(code - WORD_CODE);
    while (!knows_option(p, &option_rows[i]) || option_rows[i].letter != code)
        i++;
    return i;
}

static bool refuse_option(struct reading *r, char *const *argv, int code)
{
    /* In the middle of a cluster such as -xV, argv[optind - 1] is the word before it. */
    const char letter[] = {'-', (char)optopt, '\0'};
    bool is_letter = optopt > 0 && optopt < WORD_CODE;
    const char *word = is_letter ? letter : argv[optind > 1 ? optind - 1 : 1];

    if (strchr(r->persona->scan, ':'))
        refuse(r,
               code == ':' ? "option %s needs a value; see fosterd --help"
                           : "unknown or ambiguous option %s before --; see fosterd --help",
               word);
    if (r->persona->usage_each_time)
        inittext_usage(r->persona, r->name, r->err);
    r->code = r->persona->usage_code;
    return false;
}

static bool read_options(struct reading *r, int argc, char **argv)
{
    struct letters_and_words known;
    int code;

    list_options(r->persona, &known);
    optind = 0; /* forgets a cluster that an earlier call gave up in */
    for (;;) {
        if (r->persona->long_options)
            code = getopt_long(argc, argv, known.letters, known.words, NULL);
        else
            code = getopt(argc, argv, known.letters);
        if (code == -1)
            return true;
        if (code == '?' || code == ':')
            return refuse_option(r, argv, code);
        if (!take_option(r, row_of(r->persona, code), optarg))
            return false;
    }
}

/* A word that is the only argument, of a personality that knows none beside others. True when there is none. */
static bool read_only_word(struct reading *r, int argc, char **argv)
{
    if (r->persona->long_options || argc != 2 || strncmp(argv[1], "--", 2) != 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
        if (knows_option(r->persona, &option_rows[i]) && option_rows[i].word &&
            strcmp(argv[1] + 2, option_rows[i].word) == 0)
            return take_option(r, i, NULL);
    return true;
}

static bool read_command(struct reading *r, int argc, char **argv)
{
    const struct persona *p = r->persona;

    r->args->command = argv + optind;
    if (p->dashes && optind < argc && strcmp(argv[optind - 1], "--") != 0)
        return refuse(r, "unexpected argument %s; write -- before the command", argv[optind]);
    if (r->args->pause)
        r->args->command = argv + argc;
    else if (optind >= argc) {
        if (p->no_command)
            refuse(r, "%s", p->no_command);
        inittext_usage(p, r->name, r->err);
        r->code = p->usage_code;
        return false;
    }
    return true;
}

static bool is_given(const struct reading *r, setter *set)
{
    for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
        if (r->given[i] && option_rows[i].set == set)
            return true;
    return false;
}

static bool take_variable(struct reading *r, const struct variable_row *row, const char *value)
{
    char what[40];

    snprintf(what, sizeof what, "%s=", row->name);
    switch (row->counts) {
    case INITARGS_OURS:
        /* What a template has left empty has not been set. */
        if (!(r->persona->env_counts || r->from_env) || is_given(r, row->set) || *value == '\0')
            return true;
        return row->set(r, what, value);
    case INITARGS_VALUE:
        return row->set(r, what, value);
    case INITARGS_PRESENT:
        break;
    case INITARGS_WHEN_0:
        if (strcmp(value, "0") != 0)
            return true;
        break;
    case INITARGS_WHEN_1:
        if (strcmp(value, "1") != 0)
            return true;
        break;
    }
    return row->set(r, what, NULL);
}

static bool read_variables(struct reading *r, char *(*getenv_fn)(const char *))
{
    for (size_t i = 0; i < ARRAY_LEN(variable_rows); i++) {
        const struct variable_row *row = &variable_rows[i];
        const char *value = row->personas >> r->persona->id & 1 ? getenv_fn(row->name) : NULL;
        if (value && !take_variable(r, row, value))
            return false;
    }
    return true;
}

static void set_defaults(struct initargs *a, const struct persona *p)
{
    struct spec spec;

    spec_defaults(&spec);
    *a = (struct initargs){.persona = p, .group = p->group, .grace_ms = INIT_GRACE_DEFAULT_MS, .restart = spec.restart};
    a->restart.policy = SPEC_RESTART_NO;
    for (size_t i = 0; i < ARRAY_LEN(a->rewrite); i++)
        a->rewrite[i] = REWRITE_NOT_ASKED;
}

/* In a new session nobody is left who could continue the command's group, so the kernel lets the stopping signals of a
 * terminal do nothing to it, but for the one that cannot be ignored. */
static int default_rewrite(const struct initargs *a, int sig)
{
    bool stops = sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;

    return stops && a->persona->session == SPAWN_SESSION_NEW && !a->single ? SIGSTOP : sig;
}

static enum log_level level_of(int verbosity)
{
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};

    return levels[verbosity < VERBOSITY_DEBUG ? verbosity : VERBOSITY_DEBUG];
}

static void finish(struct reading *r)
{
    struct initargs *a = r->args;

    a->own_variables_count = r->persona->env_counts || r->from_env;
    if (a->single)
        a->group = false;
    for (int sig = 0; sig < (int)ARRAY_LEN(a->rewrite); sig++)
        if (a->rewrite[sig] == REWRITE_NOT_ASKED)
            a->rewrite[sig] = default_rewrite(a, sig);
    a->level = level_of(r->verbosity);
}

enum initargs_verdict initargs_parse(const struct persona *p, int argc, char **argv, char *(*getenv_fn)(const char *),
                                     FILE *out, FILE *err, struct initargs *ret, int *ret_code)
{
    struct reading r = {.persona = p,
                        .name = argc > 0 ? argv[0] : p->name,
                        .out = out,
                        .err = err,
                        .args = ret,
                        .verbosity = p->verbosity};

    set_defaults(ret, p);
    if (!read_only_word(&r, argc, argv) || !read_options(&r, argc, argv) || !read_command(&r, argc, argv) ||
        !read_variables(&r, getenv_fn)) {
        *ret_code = r.code;
        return INITARGS_SAID;
    }
    finish(&r);
    return INITARGS_RUN;
}

bool initargs_wanted(int argc, char **argv)
{
    if (argc > 0 && persona_of(argv[0])->id != PERSONA_FOSTER)
        return true;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0)
            return true;
    return false;
}

bool initargs_is_own_variable(const char *name, size_t len)
{
    return len >= strlen(own_prefix) && strncmp(name, own_prefix, strlen(own_prefix)) == 0;
}
