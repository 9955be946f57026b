/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The command line in two passes of getopt_long(3): the options before the verb; then, with the verb's own options
 * beside those that every verb has, what stands behind it in any order. A letter of the verb hides one that all have
 * (-s of `kill`).
 */
#include "ctl/args.h"

#include "base/parse.h"
#include "base/utf8.h"
#include "ctl/when.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MANY SIZE_MAX

static const struct args_verb args_verbs[] = {
#define VERB(id, name, aliases, operands, min, max, help) {#name, aliases, operands, min, max, help},
#include "ctl/verbs.def"
};

static const struct args_option args_rows[] = {
#define OPTION(verb, letter, name, arg, kind, field, help)                                                             \
    {VERB_##verb, letter, name, arg, ARGS_##kind, offsetof(struct args, field), help},
#include "ctl/verbs.def"
};

static const char *const args_states[] = {"up",       "healthy", "down",    "waiting", "starting", "running", "ready",
                                          "stopping", "backoff", "stopped", "done",    "failed",   "skipped"};

enum { ARGS_LONG_BASE = 256, ARGS_SUGGEST_MAX = 2, ARGS_WORD_MAX = 32 };

const struct args_verb *args_verb(enum verb verb)
{
    return &args_verbs[verb];
}

const struct args_option *args_options(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(args_rows);
    return args_rows;
}

/* Copies word number N of the names of VERB into WORD: first its own, then its aliases. False when there is none. */
static bool args_name(enum verb verb, size_t n, char word[ARGS_WORD_MAX])
{
    const char *at = n == 0 ? args_verbs[verb].name : args_verbs[verb].aliases;
    for (size_t i = 1; i < n; i++) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    snprintf(word, ARGS_WORD_MAX, "%.*s", (int)strcspn(at, " "), at);
    return *word != '\0';
}

static bool args_find_verb(const char *word, enum verb *ret, struct err *e)
{
    size_t best = ARGS_SUGGEST_MAX + 1;
    char similar[ARGS_WORD_MAX] = "", name[ARGS_WORD_MAX];
    for (size_t v = 0; v < VERB_N; v++)
        for (size_t i = 0; args_name((enum verb)v, i, name); i++) {
            size_t distance = parse_distance(word, name);
            if (distance == 0) {
                *ret = (enum verb)v;
                return true;
            }
            if (distance < best && 2 * distance <= strlen(name)) {
                best = distance;
                memcpy(similar, name, sizeof similar);
            }
        }
    if (*similar != '\0')
        err_set(e, ERR_INPUT, "there is no verb %s; did you mean %s?", word, similar);
    else
        err_set(e, ERR_INPUT, "there is no verb %s; fosterctl --help lists those that are", word);
    return false;
}

static bool args_set_color(enum args_color *ret, const char *value, struct err *e)
{
    static const char *const names[] = {
        [ARGS_COLOR_AUTO] = "auto", [ARGS_COLOR_ALWAYS] = "always", [ARGS_COLOR_NEVER] = "never"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(value, names[i]) == 0) {
            *ret = (enum args_color)i;
            return true;
        }
    err_set(e, ERR_INPUT, "--color %s is not known; use auto, always or never", value);
    return false;
}

static bool args_set_duration(int64_t *ret, const char *value, struct err *e)
{
    if (parse_duration(value, ret))
        return true;
    err_set(e, ERR_INPUT, "%s is no duration; write seconds (10) or units (500ms, 10s, 1m30s)", value);
    return false;
}

static bool args_set_number(int64_t *ret, const char *value, struct err *e)
{
    int64_t n;
    if (parse_int(value, &n) && n >= 0) {
        *ret = n;
        return true;
    }
    err_set(e, ERR_INPUT, "%s is no number; write digits only", value);
    return false;
}

static bool args_set_signal(const char **ret, const char *value, struct err *e)
{
    int number;
    if (parse_signal(value, &number) && parse_signal_name(number) != NULL) {
        *ret = parse_signal_name(number);
        return true;
    }
    err_set(e, ERR_INPUT, "%s is no signal; write HUP, SIGHUP or 1", value);
    return false;
}

static bool args_set_state(const char **ret, const char *value, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(args_states); i++)
        if (strcmp(value, args_states[i]) == 0) {
            *ret = args_states[i];
            return true;
        }
    err_set(e, ERR_INPUT,
            "%s is no state; use up, healthy, down, waiting, starting, running, ready, stopping, backoff, stopped, "
            "done, failed or "
            "skipped",
            value);
    return false;
}

static bool args_set_when(int64_t *ret, const char *value, struct err *e)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (when_parse(value, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, ret))
        return true;
    err_set(e, ERR_INPUT, "%s is no time; write how long ago (10m, 1h30m), 08:15, or 2026-11-22T08:15:30Z", value);
    return false;
}

static bool args_set(struct args *a, const struct args_option *o, const char *value, struct err *e)
{
    void *field = (char *)a + o->field;
    switch (o->kind) {
    case ARGS_FLAG:
        *(bool *)field = true;
        return true;
    case ARGS_TEXT:
        *(const char **)field = value;
        return true;
    case ARGS_DURATION:
        return args_set_duration(field, value, e);
    case ARGS_NUMBER:
        return args_set_number(field, value, e);
    case ARGS_SIGNAL:
        return args_set_signal(field, value, e);
    case ARGS_STATE:
        return args_set_state(field, value, e);
    case ARGS_COLOR:
        return args_set_color(field, value, e);
    case ARGS_WHEN:
        return args_set_when(field, value, e);
    }
    return false;
}

/* What getopt_long(3) takes: options of VERB, and those that all have. */
struct args_getopt {
    struct option longs[ARRAY_LEN(args_rows) + 1];
    char shorts[2 * ARRAY_LEN(args_rows) + 3];
    size_t n_longs, n_shorts;
};

static void args_offer(struct args_getopt *g, enum verb verb)
{
    for (size_t i = 0; i < ARRAY_LEN(args_rows); i++) {
        const struct args_option *o = &args_rows[i];
        if (o->verb != verb)
            continue;
        if (o->name != NULL)
            g->longs[g->n_longs++] = (struct option){o->name, o->arg != NULL, NULL, ARGS_LONG_BASE + (int)i};
        if (o->letter != 0 && strchr(g->shorts, o->letter) == NULL) {
            g->shorts[g->n_shorts++] = o->letter;
            if (o->arg != NULL)
                g->shorts[g->n_shorts++] = ':';
        }
    }
}

static const struct args_option *args_row_of(int code, enum verb verb)
{
    if (code >= ARGS_LONG_BASE)
        return &args_rows[code - ARGS_LONG_BASE];
    const struct args_option *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(args_rows); i++)
        if (args_rows[i].letter == code &&
            (args_rows[i].verb == verb || (args_rows[i].verb == VERB_ANY && found == NULL)))
            found = &args_rows[i];
    return found;
}

/* One pass over ARGV, in which argv[0] counts for nothing. STOP: until the first word that is no option. Sets optind.
 */
static bool args_pass(int argc, char **argv, bool stop, struct args *a, struct err *e)
{
    struct args_getopt g = {.shorts = "+:", .n_shorts = strlen("+:")};
    if (!stop)
        g = (struct args_getopt){.shorts = ":", .n_shorts = strlen(":")};
    args_offer(&g, a->verb);
    args_offer(&g, VERB_ANY);
    const char *verb = a->verb < VERB_N ? args_verbs[a->verb].name : "";
    const char *gap = *verb != '\0' ? " " : "";
    int code;
    optind = 0; /* forgets an earlier run */
    while ((code = getopt_long(argc, argv, g.shorts, g.longs, NULL)) != -1) {
        /* In the middle of a cluster such as -xV, argv[optind - 1] is the word before it. */
        const char letter[] = {'-', (char)optopt, '\0'};
        bool is_letter = optopt > 0 && optopt < ARGS_LONG_BASE;
        const char *word = is_letter ? letter : argv[optind > 1 ? optind - 1 : 1];
        if (code == '?' || code == ':') {
            err_set(e, ERR_INPUT, "option %s %s; see fosterctl%s%s --help", word,
                    code == ':'                ? "needs a value"
                    : optopt >= ARGS_LONG_BASE ? "takes no value"
                                               : "is unknown or ambiguous",
                    gap, verb);
            return false;
        }
        if (!args_set(a, args_row_of(code, a->verb), optarg, e))
            return false;
    }
    return true;
}

bool args_scale(const char *operand, size_t *ret_len, int64_t *ret)
{
    const char *equals = strrchr(operand, '=');
    int64_t n;
    if (equals == NULL || equals == operand || !parse_int(equals + 1, &n) || n < 0)
        return false;
    *ret_len = (size_t)(equals - operand);
    *ret = n;
    return true;
}

static bool args_check_count(const struct args *a, struct err *e)
{
    const struct args_verb *v = &args_verbs[a->verb];
    size_t min = a->verb == VERB_SIGNAL && a->signal != NULL ? v->min - 1 : v->min;
    if (a->n_operands > v->max) {
        err_set(e, ERR_INPUT, "unexpected argument %s; fosterctl %s takes none", a->operands[v->max], v->name);
        return false;
    }
    if (a->n_operands >= min)
        return true;
    if (a->verb == VERB_SCALE || a->n_operands + 1 < min)
        err_set(e, ERR_INPUT, "%s needs more; write fosterctl %s %s", v->name, v->name, v->operands);
    else
        err_set(e, ERR_INPUT, "%s needs the name of a service; '*', quoted, means all of them", v->name);
    return false;
}

static bool args_check_operands(struct args *a, struct err *e)
{
    for (size_t i = 0; i < a->n_operands; i++) {
        size_t len;
        int64_t n;
        const char *word = a->operands[i];
        /* Only text can be said in JSON. */
        if (!utf8_is_valid(word, strlen(word))) {
            err_set(e, ERR_INPUT, "argument %zu of %s is not UTF-8; names of services are", i + 1,
                    args_verbs[a->verb].name);
            return false;
        }
        if (a->verb == VERB_SCALE && !args_scale(word, &len, &n)) {
            err_set(e, ERR_INPUT, "%s does not say how many; write SERVICE=NUMBER, e.g. web=3", word);
            return false;
        }
    }
    return true;
}

static bool args_check(struct args *a, struct err *e)
{
    if (!args_check_count(a, e) || !args_check_operands(a, e))
        return false;
    if (a->verb == VERB_SIGNAL && a->signal == NULL) {
        if (!args_set_signal(&a->signal, a->operands[0], e))
            return false;
        a->operands++;
        a->n_operands--;
    }
    const char *wrong = NULL;
    if (a->verb == VERB_WAIT && a->state == NULL)
        wrong = "wait needs --for=STATE; STATE is up (ready or done), healthy, down, or the name of a state";
    else if (a->verb == VERB_RELOAD && a->n_operands > 0 && (a->dry_run || a->no_wait))
        wrong = "--dry-run and --no-wait are for the configuration of fosterd; reload SERVICE has neither";
    else if (a->watch && a->json)
        wrong = "--watch shows tables, no JSON; programs use events --follow --json";
    else if (a->dot + a->svg + (a->json && a->verb == VERB_GRAPH) > 1)
        wrong = "choose one of --dot, --svg and --json";
    if (wrong != NULL)
        err_set(e, ERR_INPUT, "%s", wrong);
    return wrong == NULL;
}

bool args_parse(int argc, char **argv, struct args *ret, struct err *e)
{
    struct args *a = ret;
    *a = (struct args){.verb = VERB_NONE, .timeout_ms = -1, .grace_ms = -1, .number = -1, .since_us = -1};
    if (!args_pass(argc, argv, true, a, e))
        return false;
    int at = optind;
    if (at < argc) {
        if (!args_find_verb(argv[at], &a->verb, e) || !args_pass(argc - at, argv + at, false, a, e))
            return false;
        a->operands = argv + at + optind;
        a->n_operands = (size_t)(argc - at - optind);
    }
    if (a->help || a->version)
        return true;
    if (a->verb == VERB_NONE) {
        err_set(e, ERR_INPUT, "what is to be done is missing; e.g. fosterctl ps, or see fosterctl --help");
        return false;
    }
    return args_check(a, e);
}
