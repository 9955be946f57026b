/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How a service shows that it is ready and that it works: the maps of `ready` and `healthcheck`, and what they name.
 */
#include "core/probe_keys.h"

#include "base/parse.h"
#include "core/compound.h"
#include "core/endpoint.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

static enum spec_probe_kind probe_kind(const struct spec_probe *p)
{
    if (p->exec.n > 0)
        return SPEC_PROBE_EXEC;
    if (!p->endpoint.text)
        return SPEC_PROBE_NONE;
    return p->endpoint.path ? SPEC_PROBE_HTTP : SPEC_PROBE_TCP;
}

bool probe_keys_ready(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_ready *r = schema_field(row, base);

    if (!value_map(c, row, node, base))
        return false;
    r->probe.kind = probe_kind(&r->probe);
    if (r->fd > 0)
        r->kind = SPEC_READY_FD;
    else if (r->log)
        r->kind = SPEC_READY_LOG;
    else if (r->probe.kind != SPEC_PROBE_NONE)
        r->kind = SPEC_READY_PROBE;
    else if (r->after_ms > 0)
        r->kind = SPEC_READY_AFTER;
    return true;
}

bool probe_keys_notify(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    char what[32];
    bool on;

    (void)snprintf(what, sizeof what, "`%s`", row->key);
    if (!value_is(c, node, TREE_SCALAR, what, schema_kind(row->kind)->takes))
        return false;
    if (!parse_bool(node->text, &on) || !on)
        return value_error(c, node->pos, "`%s` is nothing that `%s` takes; write %s", value_quote(node->text).text,
                           row->key, schema_kind(row->kind)->example);
    *(enum spec_ready_kind *)schema_field(row, base) = SPEC_READY_NOTIFY;
    return true;
}

/* Regular expressions */

/* The greatest number of the bound ("{3,9}") that begins at *P, which moves to its end; at least 1. */
static int64_t most_repeats(const char **p)
{
    int64_t most = 1, number = 0;

    for ((*p)++; **p && strchr("0123456789,", **p); (*p)++) {
        number = **p == ',' ? 0 : number * 10 + (**p - '0');
        if (number > PROBE_KEYS_WEIGHT_MAX)
            number = PROBE_KEYS_WEIGHT_MAX + 1;
        most = number > most ? number : most;
    }
    return most;
}

/* The end of the set of characters ("[^]a-z[:digit:]]") that begins at P. */
static const char *skip_set(const char *p)
{
    p += p[1] == '^' ? 2 : 1;
    for (p += *p == ']'; *p && *p != ']'; p++) {
        const char *end = p[0] == '[' && p[1] && strchr(":.=", p[1]) ? strchr(p + 2, ']') : NULL;
        p = end ? end : p;
    }
    return *p ? p + 1 : p;
}

/* How large an expression gets when it is compiled: its characters, those of what is repeated so many times over.
 * Groups are nested; the weight of one is added to that of the group around it when it ends. */
struct weight {
    int64_t groups[PROBE_KEYS_DEPTH_MAX + 1];
    unsigned depth;
    int64_t last; /* of what a bound would repeat */
};

static void weigh(struct weight *w, int64_t what)
{
    w->last = what;
    w->groups[w->depth] += what;
}

/* Adds what stands at P to W; what is behind it. */
static const char *weigh_next(struct weight *w, const char *p)
{
    int64_t last = w->last;

    if (*p == '[') {
        weigh(w, 1);
        return skip_set(p);
    }
    if (*p == '{' || *p == '+') {
        int64_t n = *p == '+' ? 2 : most_repeats(&p);
        weigh(w, last * (n - 1));
        w->last = last * n;
        return p + (*p == '+' || *p == '}');
    }
    if (*p == '(') {
        w->groups[++w->depth] = 1;
    } else if (*p == ')' && w->depth > 0) {
        w->depth--;
        weigh(w, w->groups[w->depth + 1]);
    } else {
        weigh(w, 1);
        w->last = strchr("*?|", *p) ? last + 1 : 1;
    }
    return p + (*p == '\\' && p[1] ? 2 : 1);
}

/* What would take too much memory or time to compile or to match, as it stands behind the text; NULL: nothing. */
static const char *too_much(const char *expression)
{
    struct weight w = {.depth = 0};

    for (const char *p = expression; *p;) {
        if (*p == '(' && w.depth == PROBE_KEYS_DEPTH_MAX)
            return "has too many groups in one another; write fewer";
        if (*p == '\\' && p[1] >= '1' && p[1] <= '9')
            return "has a back-reference, which can take for ever to match; write out what it stands for";
        p = weigh_next(&w, p);
        if (w.groups[w.depth] > PROBE_KEYS_WEIGHT_MAX)
            return "is too long with its repetitions written out; write smaller bounds, or *";
    }
    return NULL;
}

bool probe_keys_regex(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    char what[32], why[256];
    regex_t compiled;
    const char *text, *excess;
    int result;

    (void)snprintf(what, sizeof what, "`%s`", row->key);
    text = value_text(c, node, what);
    if (!text)
        return false;
    if (!text[0])
        return value_error(c, node->pos, "%s is empty, which any line matches; write %s", what,
                           schema_kind(row->kind)->example);
    excess = too_much(text);
    if (excess)
        return value_error(c, node->pos, "`%s` %s", value_quote(text).text, excess);
    result = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB);
    if (result != 0) {
        (void)regerror(result, &compiled, why, sizeof why);
        return value_error(c, node->pos, "`%s` is no regular expression: %s; correct it, see regex(7)",
                           value_quote(text).text, why);
    }
    regfree(&compiled);
    *(const char **)schema_field(row, base) = text;
    return true;
}

/* Endpoints */

/* The text of NODE, for ROW, or NULL (said). */
static const char *endpoint_text(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    char what[32];

    (void)snprintf(what, sizeof what, "`%s`", row->key);
    return value_text(c, node, what);
}

/* Sets RET to where ADDRESS, a part of TEXT, leads. */
static bool set_endpoint(struct value_ctx *c, struct diag_pos pos, const char *text, const char *address,
                         struct spec_endpoint *ret)
{
    struct endpoint e;
    const char *why = endpoint_parse(address, &e);

    if (!why && !e.host[0])
        why = "has no host before its port; write one, e.g. localhost:8080";
    if (why)
        return value_error(c, pos, "`%s` %s", value_quote(text).text, why);
    *ret = (struct spec_endpoint){.text = text, .host = arena_strdup(c->source.arena, e.host), .port = e.port};
    return ret->host || value_nomem(c, pos);
}

bool probe_keys_tcp(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const char *text = endpoint_text(c, row, node);

    return text && set_endpoint(c, node->pos, text, text, schema_field(row, base));
}

/* HTTP has no place for blanks and control characters in what is asked for, and never sends a fragment. */
static bool is_target(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~' || *text == '#')
            return false;
    return true;
}

/* The host and port of a URL, from its LEN bytes at REST on, with the port that it may leave out. False when that is
 * longer than any. */
static bool url_address(const char *rest, size_t len, char *buf, size_t size)
{
    bool has_port = len > 0 && memchr(rest, ':', len) && (rest[0] != '[' || rest[len - 1] != ']');
    int n = snprintf(buf, size, "%.*s%s", (int)len, rest, has_port ? "" : ":80");

    return n > 0 && (size_t)n < size;
}

static bool no_url(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, const char *text)
{
    const char *instead = row->section == SCHEMA_HEALTHCHECK ? "test" : "exec";

    if (strncmp(text, "https:", 6) == 0)
        return value_error(
            c, node->pos, "`%s` is HTTPS, which fosterd does not speak; use `tcp`, or `%s` with a program such as curl",
            value_quote(text).text, instead);
    return value_error(c, node->pos, "`%s` is not %s; write %s", value_quote(text).text, schema_kind(row->kind)->takes,
                       schema_kind(row->kind)->example);
}

bool probe_keys_http(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    static const char scheme[] = "http://";
    struct spec_endpoint *e = schema_field(row, base);
    const char *text = endpoint_text(c, row, node), *rest, *path;
    char address[80];

    if (!text)
        return false;
    if (strncmp(text, scheme, sizeof scheme - 1) != 0)
        return no_url(c, row, node, text);
    rest = text + sizeof scheme - 1;
    path = rest + strcspn(rest, "/?#");
    if (!url_address(rest, (size_t)(path - rest), address, sizeof address))
        return no_url(c, row, node, text);
    if (!is_target(path))
        return value_error(c, node->pos,
                           "`%s` has a blank, a `#` or no ASCII in its path; write it percent-encoded (%%20, %%23)",
                           value_quote(text).text);
    if (!set_endpoint(c, node->pos, text, address, e))
        return false;
    e->path = arena_printf(c->source.arena, "%s%s", *path == '/' ? "" : "/", path);
    return e->path || value_nomem(c, node->pos);
}

/* Health checks */

bool probe_keys_health(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_health *field = schema_field(row, base);
    struct probe_keys_check check = {.health = *field};
    char what[32];

    (void)snprintf(what, sizeof what, "`%s`", row->key);
    if (!value_is(c, node, TREE_MAPPING, what, schema_kind(row->kind)->takes) ||
        !value_section(c, row->sub, what, node, &check)) {
        /* A check that is wrong is one all the same: who waits for it is not wrong as well. */
        field->probe.kind = SPEC_PROBE_EXEC;
        return false;
    }
    check.health.probe.kind = probe_kind(&check.health.probe);
    /* Of a check that never runs nothing is kept, so that two of them never differ. */
    if (!check.disable && check.health.probe.kind != SPEC_PROBE_NONE)
        *field = check.health;
    return true;
}

bool probe_keys_disable(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    static const struct schema_row plain = {.key = "disable", .kind = SCHEMA_KIND_BOOL};

    return value_scalar(c, &plain, node, schema_field(row, base));
}

/* Stores the N words at WORDS, NULL-terminated, in the field of ROW. */
static bool set_test(const struct schema_row *row, void *base, char **words, size_t n)
{
    *(char ***)schema_field(row, base) = words;
    *(size_t *)(void *)((char *)base + row->extra) = n;
    return true;
}

static bool shell_test(struct value_ctx *c, const struct schema_row *row, struct diag_pos pos, char *text, void *base)
{
    static char shell[] = "/bin/sh", option[] = "-c";
    char **words = arena_array(c->source.arena, 4, sizeof *words);

    if (!words)
        return value_nomem(c, pos);
    words[0] = shell;
    words[1] = option;
    words[2] = text;
    return set_test(row, base, words, 3);
}

static bool listed_test(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    char **words = compound_strings(c, row, node);
    size_t n = node->n;

    if (!words)
        return false;
    if (n == 1 && strcmp(words[0], "NONE") == 0)
        return true;
    if (n >= 2 && strcmp(words[0], "CMD") == 0 && words[1][0])
        return set_test(row, base, words + 1, n - 1);
    if (n == 2 && strcmp(words[0], "CMD-SHELL") == 0 && words[1][0])
        return shell_test(c, row, node->pos, words[1], base);
    return value_error(
        c, node->pos,
        "`%s` is none of [CMD, PROGRAM, ARGUMENT...], [CMD-SHELL, TEXT] and [NONE]; write one of them, or a "
        "string for /bin/sh",
        row->key);
}

bool probe_keys_test(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const char *text;

    if (node->kind == TREE_SEQUENCE)
        return listed_test(c, row, node, base);
    if (node->kind == TREE_MAPPING || node->null)
        return compound_takes_else(c, row, node);
    text = endpoint_text(c, row, node);
    if (!text)
        return false;
    if (!text[0])
        return value_error(c, node->pos, "`%s` is empty; write a command, or NONE", row->key);
    return strcmp(text, "NONE") == 0 || shell_test(c, row, node->pos, (char *)(uintptr_t)text, base);
}
