/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From nodes to fields: mappings by the rows of the table, and the kinds of value that are one scalar.
 */
#include "core/value.h"

#include "base/parse.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct value_quote value_quote(const char *text)
{
    struct value_quote q;
    size_t room = sizeof q.text - sizeof "…", len = strlen(text), n = utf8_cut(text, len, room);

    for (size_t i = 0; i < n; i++)
        q.text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    q.text[n] = '\0';
    if (n < len)
        memcpy(q.text + n, "…", sizeof "…");
    return q;
}

bool value_error(struct value_ctx *c, struct diag_pos pos, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_error(c->source.diag, pos, "%s", text);
    return false;
}

bool value_nomem(struct value_ctx *c, struct diag_pos pos)
{
    return source_nomem(&c->source, pos);
}

static const char *found(const struct tree_node *node)
{
    if (node->kind == TREE_SCALAR)
        return node->null ? "empty" : "a single value";
    return node->kind == TREE_SEQUENCE ? "a list" : "a map";
}

static bool wrong_kind(struct value_ctx *c, const struct tree_node *node, const char *what, const char *takes)
{
    return value_error(c, node->pos, "%s is %s; it takes %s", what, found(node), takes);
}

bool value_is(struct value_ctx *c, const struct tree_node *node, enum tree_kind kind, const char *what,
              const char *takes)
{
    if (node->kind == kind && !(kind == TREE_SCALAR && node->null))
        return true;
    return wrong_kind(c, node, what, takes);
}

static bool is_utf8(const char *text)
{
    size_t len = strlen(text);
    bool valid = true;

    for (size_t i = 0; i < len && valid;)
        i += utf8_step(text + i, len - i, &valid);
    return valid;
}

const char *value_text(struct value_ctx *c, const struct tree_node *node, const char *what)
{
    const char *text;

    if (!value_is(c, node, TREE_SCALAR, what, "a string"))
        return NULL;
    if (!is_utf8(node->text)) {
        value_error(c, node->pos, "%s is not UTF-8 after its variables were put in; correct the variable", what);
        return NULL;
    }
    text = arena_strdup(c->source.arena, node->text);
    if (!text)
        value_nomem(c, node->pos);
    return text;
}

/* Text to field, one function a kind. */

static enum value_result in_range(const struct schema_row *row, int64_t v, int64_t *field)
{
    if (v < row->min || v > row->max)
        return VALUE_RANGE;
    *field = v;
    return VALUE_OK;
}

static enum value_result text_bool(const struct schema_row *row, const char *text, void *field)
{
    (void)row;
    return parse_bool(text, field) ? VALUE_OK : VALUE_BAD;
}

static enum value_result text_int(const struct schema_row *row, const char *text, void *field)
{
    int64_t v;

    return parse_int(text, &v) ? in_range(row, v, field) : VALUE_BAD;
}

/* No ceiling has two spellings. */
static enum value_result text_ceiling(const struct schema_row *row, const char *text, void *field)
{
    enum value_result result = text_int(row, text, field);

    if (result == VALUE_OK && *(int64_t *)field < 0)
        *(int64_t *)field = 0;
    return result;
}

static enum value_result text_size(const struct schema_row *row, const char *text, void *field)
{
    int64_t v;

    return parse_size(text, &v) ? in_range(row, v, field) : VALUE_BAD;
}

static enum value_result text_duration(const struct schema_row *row, const char *text, void *field)
{
    int64_t v;

    return parse_duration(text, &v) ? in_range(row, v, field) : VALUE_BAD;
}

static enum value_result text_decimal(const struct schema_row *row, const char *text, void *field)
{
    double v;

    if (!parse_decimal(text, &v))
        return VALUE_BAD;
    if (v < (double)row->min || v > (double)row->max)
        return VALUE_RANGE;
    *(double *)field = v;
    return VALUE_OK;
}

static enum value_result text_mode(const struct schema_row *row, const char *text, void *field)
{
    unsigned v;

    if (!parse_mode(text, &v))
        return VALUE_BAD;
    if ((int64_t)v < row->min || (int64_t)v > row->max)
        return VALUE_RANGE;
    *(int *)field = (int)v;
    return VALUE_OK;
}

static enum value_result text_signal(const struct schema_row *row, const char *text, void *field)
{
    (void)row;
    return parse_signal(text, field) ? VALUE_OK : VALUE_BAD;
}

static enum value_result text_choice(const struct schema_row *row, const char *text, void *field)
{
    for (const struct schema_word *w = row->words; w->word; w++) {
        if (strcmp(w->word, text) != 0)
            continue;
        *(int *)field = w->value;
        return VALUE_OK;
    }
    return VALUE_BAD;
}

enum value_result value_from_text(const struct schema_row *row, const char *text, void *field)
{
    static enum value_result (*const by_kind[SCHEMA_KIND_N])(const struct schema_row *, const char *, void *) = {
        [SCHEMA_KIND_BOOL] = text_bool,       [SCHEMA_KIND_INT] = text_int,   [SCHEMA_KIND_DURATION] = text_duration,
        [SCHEMA_KIND_DECIMAL] = text_decimal, [SCHEMA_KIND_MODE] = text_mode, [SCHEMA_KIND_SIGNAL] = text_signal,
        [SCHEMA_KIND_CHOICE] = text_choice,   [SCHEMA_KIND_SIZE] = text_size, [SCHEMA_KIND_CEILING] = text_ceiling,
    };

    return by_kind[row->kind] ? by_kind[row->kind](row, text, field) : VALUE_NOT_SCALAR;
}

/* What is wrong with a text, and what would be right. */

static const char *limit_text(const struct schema_row *row, int64_t v, char *buf, size_t size)
{
    if (row->kind == SCHEMA_KIND_DURATION)
        return parse_duration_text(v, buf, size);
    if (row->kind == SCHEMA_KIND_SIZE)
        return parse_size_text(v, buf, size);
    (void)snprintf(buf, size, row->kind == SCHEMA_KIND_MODE ? "%03llo" : "%lld", (long long)v);
    return buf;
}

static bool bad_choice(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    struct schema_guess g = {0};
    char list[256] = "";
    size_t n = 0;

    for (const struct schema_word *w = row->words; w->word; w++) {
        schema_guess(&g, node->text, w->word);
        int len = snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", w->word);
        n += len > 0 && (size_t)len < sizeof list - n ? (size_t)len : 0;
    }
    if (g.name)
        return value_error(c, node->pos, "`%s` is not a value of `%s`; did you mean `%s`? (it takes one of %s)",
                           value_quote(node->text).text, row->key, g.name, list);
    return value_error(c, node->pos, "`%s` is not a value of `%s`; it takes one of %s", value_quote(node->text).text,
                       row->key, list);
}

static bool bad_bool(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    static const char *const meant[][2] = {{"yes", "true"}, {"on", "true"},   {"y", "true"},  {"1", "true"},
                                           {"no", "false"}, {"off", "false"}, {"n", "false"}, {"0", "false"}};

    for (size_t i = 0; i < ARRAY_LEN(meant); i++)
        if (strcmp(node->text, meant[i][0]) == 0)
            return value_error(c, node->pos, "`%s` is not true or false; write `%s: %s`", node->text, row->key,
                               meant[i][1]);
    return value_error(c, node->pos, "`%s` is not true or false; write `%s: true` or `%s: false`",
                       value_quote(node->text).text, row->key, row->key);
}

static bool bad_range(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    char low[32], high[32];

    return value_error(c, node->pos, "`%s` is out of range for `%s`; it takes %s to %s", value_quote(node->text).text,
                       row->key, limit_text(row, row->min, low, sizeof low),
                       limit_text(row, row->max, high, sizeof high));
}

static bool bad_value(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    const struct schema_kind_ops *ops = schema_kind(row->kind);
    char low[32], high[32];

    if (row->kind == SCHEMA_KIND_CHOICE)
        return bad_choice(c, row, node);
    if (row->kind == SCHEMA_KIND_BOOL)
        return bad_bool(c, row, node);
    if (ops->example)
        return value_error(c, node->pos, "`%s` is not %s; write %s", value_quote(node->text).text, ops->takes,
                           ops->example);
    return value_error(c, node->pos, "`%s` is not %s; write one from %s to %s", value_quote(node->text).text,
                       ops->takes, limit_text(row, row->min, low, sizeof low),
                       limit_text(row, row->max, high, sizeof high));
}

static struct value_quote key_quote(const char *key)
{
    struct value_quote q = {.text = "`"};
    size_t n = utf8_cut(key, strlen(key), sizeof q.text - 3);

    memcpy(q.text + 1, key, n);
    memcpy(q.text + 1 + n, "`", 2);
    return q;
}

bool value_scalar(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    enum value_result result;

    if (!value_is(c, node, TREE_SCALAR, key_quote(row->key).text, schema_kind(row->kind)->takes))
        return false;
    result = value_from_text(row, node->text, schema_field(row, base));
    if (result == VALUE_RANGE)
        return bad_range(c, row, node);
    return result == VALUE_OK || bad_value(c, row, node);
}

bool value_is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > SPEC_NAME_MAX || strchr("_.@-", name[0]))
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-") == len;
}

bool value_name(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const char *text = value_text(c, node, key_quote(row->key).text);

    if (!text)
        return false;
    if (!value_is_name(text))
        return bad_value(c, row, node);
    *(const char **)schema_field(row, base) = text;
    return true;
}

/* Whether there is such a group is found out where it is needed: a configuration is checked on other machines, too. */
bool value_group(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const char *text = value_text(c, node, key_quote(row->key).text);

    if (!text)
        return false;
    if (!text[0] || strpbrk(text, ":\n"))
        return bad_value(c, row, node);
    *(const char **)schema_field(row, base) = text;
    return true;
}

bool value_path(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const char *text = value_text(c, node, key_quote(row->key).text);

    if (!text)
        return false;
    if (!text[0])
        return value_error(c, node->pos, "`%s` is empty; write a path or leave it out", row->key);
    if ((row->flags & SCHEMA_ABSOLUTE) && text[0] != '/')
        return value_error(c, node->pos, "`%s` of `%s` is relative; write an absolute path", value_quote(text).text,
                           row->key);
    text = source_path(&c->source, node->pos, text);
    if (!text)
        return false;
    *(const char **)schema_field(row, base) = text;
    return true;
}

bool value_cgroup(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const char *text = value_text(c, node, key_quote(row->key).text);

    if (!text)
        return false;
    if (text[0] != '/' && strcmp(text, "auto") != 0 && strcmp(text, "off") != 0)
        return bad_value(c, row, node);
    *(const char **)schema_field(row, base) = text;
    return true;
}

bool value_map(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    if (!value_is(c, node, TREE_MAPPING, key_quote(row->key).text, schema_kind(row->kind)->takes))
        return false;
    return value_section(c, row->sub, key_quote(row->key).text, node, schema_field(row, base));
}

bool value_ignored(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    (void)c;
    (void)row;
    (void)node;
    (void)base;
    return true;
}

/* Mappings. */

/* A section other than SECTION that has KEY in force, or SECTION_N. */
static enum schema_section home_of(enum schema_section section, const char *key)
{
    static const enum schema_section homes[] = {SCHEMA_SERVICE,     SCHEMA_SUPERVISOR, SCHEMA_RESTART,
                                                SCHEMA_TOP,         SCHEMA_ZOMBIES,    SCHEMA_SUPERVISOR_ZOMBIES,
                                                SCHEMA_HEALTHCHECK, SCHEMA_READY,      SCHEMA_SCHEDULE,
                                                SCHEMA_SOCKET,      SCHEMA_LOG_OPTIONS};

    for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
        const struct schema_row *row = schema_find(homes[i], key);
        if (row && homes[i] != section && !(row->flags & (SCHEMA_LATER | SCHEMA_CONTAINER)))
            return homes[i];
    }
    return SCHEMA_SECTION_N;
}

static bool unknown_key(struct value_ctx *c, enum schema_section section, const char *what,
                        const struct tree_pair *pair)
{
    const char *near = schema_suggest(section, pair->key);
    enum schema_section home = home_of(section, pair->key);
    struct value_quote key = value_quote(pair->key);

    if (home != SCHEMA_SECTION_N)
        return value_error(c, pair->key_pos, "unknown key `%s` in %s; it is a key of %s", key.text, what,
                           schema_section_name(home));
    if (near)
        return value_error(c, pair->key_pos, "unknown key `%s` in %s; did you mean `%s`?", key.text, what, near);
    return value_error(c, pair->key_pos, "unknown key `%s` in %s; correct or remove it (keys are in foster.yaml(5))",
                       key.text, what);
}

bool value_key(struct value_ctx *c, enum schema_section section, const char *what, const struct tree_pair *pair)
{
    const struct schema_row *row = schema_find(section, pair->key);

    if (!row)
        return unknown_key(c, section, what, pair);
    if (row->flags & SCHEMA_LATER)
        return value_error(c, pair->key_pos, "`%s` is not supported yet; remove it", row->key);
    if (row->flags & SCHEMA_CONTAINER)
        return value_error(c, pair->key_pos, "`%s` belongs to a container; Foster runs programs, %s", row->key,
                           row->help);
    if ((row->flags & SCHEMA_MAIN_FILE) && c->included)
        return value_error(c, pair->key_pos, "`%s` stands in an included file; only the main file may have it",
                           row->key);
    return true;
}

static bool section_pair(struct value_ctx *c, enum schema_section section, const char *what,
                         const struct tree_pair *pair, void *base)
{
    const struct schema_row *row = schema_find(section, pair->key);

    return value_key(c, section, what, pair) && schema_kind(row->kind)->parse(c, row, pair->value, base);
}

static bool is_alternative(enum schema_section section, const struct tree_pair *pair)
{
    const struct schema_row *row = schema_find(section, pair->key);

    return row && row->flags & SCHEMA_ALTERNATIVE;
}

/* The first of the alternatives of SECTION that were written nearest in NODE, or NULL. */
static const struct tree_pair *nearest_alternative(enum schema_section section, const struct tree_node *node)
{
    const struct tree_pair *nearest = NULL;

    for (size_t i = 0; i < node->n; i++)
        if (is_alternative(section, &node->pairs[i]) && (!nearest || node->pairs[i].layer < nearest->layer))
            nearest = &node->pairs[i];
    return nearest;
}

/* Whether PAIR counts beside CHOSEN, the alternative that does; *OK becomes false when both cannot be. */
static bool counts(struct value_ctx *c, enum schema_section section, const char *what, const struct tree_pair *pair,
                   const struct tree_pair *chosen, bool *ok)
{
    if (!chosen || pair == chosen || !is_alternative(section, pair))
        return true;
    if (pair->layer == chosen->layer)
        *ok = value_error(c, pair->key_pos, "%s has `%s` and `%s`; keep one of them", what, chosen->key, pair->key);
    return false;
}

bool value_section(struct value_ctx *c, enum schema_section section, const char *what, const struct tree_node *node,
                   void *base)
{
    const struct tree_pair *chosen = nearest_alternative(section, node);
    const struct schema_row *row = NULL;
    bool ok = true;

    for (size_t i = 0; i < node->n; i++)
        if (strncmp(node->pairs[i].key, "x-", 2) != 0 && counts(c, section, what, &node->pairs[i], chosen, &ok))
            ok &= section_pair(c, section, what, &node->pairs[i], base);
    while ((row = schema_next(section, row)))
        if ((row->flags & SCHEMA_REQUIRED) && !tree_get(node, row->key))
            ok = value_error(c, node->pos, "%s has no `%s`; add it", what, row->key);
    return ok;
}
