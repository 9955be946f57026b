/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Values that are lists, maps, or have a short and a long form.
 */
#include "core/compound.h"

#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t *count_field(const struct schema_row *row, void *base)
{
    return (size_t *)(void *)((char *)base + row->extra);
}

bool compound_takes_else(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    char what[64];

    (void)snprintf(what, sizeof what, "`%s`", row->key);
    /* No list or map that a kind takes is a scalar kind, so this always finds the wrong one. */
    if (node->kind == TREE_SCALAR && !node->null)
        return value_error(c, node->pos, "`%s` of %s is a single value; it takes %s", value_quote(node->text).text,
                           what, schema_kind(row->kind)->takes);
    return value_error(c, node->pos, "%s is %s; it takes %s", what,
                       node->kind == TREE_SCALAR     ? "empty"
                       : node->kind == TREE_SEQUENCE ? "a list"
                                                     : "a map",
                       schema_kind(row->kind)->takes);
}

char **compound_strings(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    char **ret = arena_array(c->source.arena, node->n + 1, sizeof *ret);
    char what[96];
    bool ok = true;

    if (!ret) {
        value_nomem(c, node->pos);
        return NULL;
    }
    for (size_t i = 0; i < node->n; i++) {
        (void)snprintf(what, sizeof what, "item %zu of `%s`", i + 1, row->key);
        const char *text = value_text(c, node->items[i], what);
        ok &= text != NULL;
        ret[i] = (char *)(uintptr_t)text;
    }
    return ok ? ret : NULL;
}

static char **split_words(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, size_t *n)
{
    const char *text = value_text(c, node, row->key);
    char **words;

    if (!text)
        return NULL;
    switch (parse_words(text, c->source.arena, &words, n)) {
    case PARSE_WORDS_OK:
        return words;
    case PARSE_WORDS_QUOTE:
        value_error(c, node->pos, "a quote in `%s` is not closed; close it, or write a list of words", row->key);
        return NULL;
    case PARSE_WORDS_BACKSLASH:
        value_error(c, node->pos, "`%s` ends with a backslash; write \\\\ for one, or a list of words", row->key);
        return NULL;
    case PARSE_WORDS_NOMEM:
        break;
    }
    value_nomem(c, node->pos);
    return NULL;
}

bool compound_command(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    size_t n = node->n;
    char **words;

    if (node->kind == TREE_MAPPING || (node->kind == TREE_SCALAR && node->null))
        return compound_takes_else(c, row, node);
    words = node->kind == TREE_SEQUENCE ? compound_strings(c, row, node) : split_words(c, row, node, &n);
    if (!words)
        return false;
    if (n == 0 || !words[0][0])
        return value_error(c, node->pos, "`%s` names no program; write one", row->key);
    *(char ***)schema_field(row, base) = words;
    *count_field(row, base) = n;
    return true;
}

bool compound_names(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    char **names;
    bool ok = true;

    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    names = compound_strings(c, row, node);
    if (!names)
        return false;
    for (size_t i = 0; i < node->n; i++)
        if (!value_is_name(names[i]))
            ok = value_error(c, node->items[i]->pos, "`%s` is not a name; write letters, digits, _ . @ -",
                             value_quote(names[i]).text);
    *(char ***)schema_field(row, base) = node->n ? names : NULL;
    return ok;
}

bool compound_keep(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    char **names;
    bool ok = true;

    if (node->kind == TREE_SCALAR && !node->null) {
        *(char ***)(void *)((char *)base + row->extra) = NULL;
        if (parse_bool(node->text, schema_field(row, base)))
            return true;
        return value_error(c, node->pos, "`%s` is not a value of `%s`; it takes %s", value_quote(node->text).text,
                           row->key, schema_kind(row->kind)->takes);
    }
    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    names = compound_strings(c, row, node);
    if (!names)
        return false;
    for (size_t i = 0; i < node->n; i++) {
        const char *why = envfile_bad_name(names[i]);
        if (why)
            ok = value_error(c, node->items[i]->pos, "`%s` %s", value_quote(names[i]).text, why);
    }
    *(bool *)schema_field(row, base) = true;
    *(char ***)(void *)((char *)base + row->extra) = node->n ? names : NULL;
    return ok;
}

/* Names with values: a map, or a list of NAME=VALUE. */

struct assignment {
    const char *name;  /* NULL: it was wrong, which has been said */
    const char *value; /* NULL: none was given */
    struct diag_pos pos;
};

static void assignment_of_pair(struct value_ctx *c, const struct tree_pair *pair, struct assignment *ret)
{
    char what[TREE_KEY_MAX + 3];

    (void)snprintf(what, sizeof what, "`%s`", pair->key);
    ret->pos = pair->key_pos;
    if (pair->value->kind != TREE_SCALAR || !pair->value->null) {
        ret->value = value_text(c, pair->value, what);
        if (!ret->value)
            return;
    }
    ret->name = arena_strdup(c->source.arena, pair->key);
    if (!ret->name)
        value_nomem(c, pair->key_pos);
}

static void assignment_of_item(struct value_ctx *c, const char *key, const struct tree_node *item,
                               struct assignment *ret)
{
    char what[64];
    const char *text;

    (void)snprintf(what, sizeof what, "an item of `%s`", key);
    ret->pos = item->pos;
    text = value_text(c, item, what);
    if (!text)
        return;
    size_t len = strcspn(text, "=");
    ret->value = text[len] ? text + len + 1 : NULL;
    ret->name = arena_strndup(c->source.arena, text, len);
    if (!ret->name)
        value_nomem(c, item->pos);
}

/* Fills RET with the node->n assignments of NODE; NULL when NODE is neither form or without memory. */
static struct assignment *assignments(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    struct assignment *list;

    if (node->kind == TREE_SCALAR) {
        compound_takes_else(c, row, node);
        return NULL;
    }
    list = arena_array(c->source.arena, node->n, sizeof *list);
    if (!list)
        value_nomem(c, node->pos);
    for (size_t i = 0; list && i < node->n; i++) {
        if (node->kind == TREE_MAPPING)
            assignment_of_pair(c, &node->pairs[i], &list[i]);
        else
            assignment_of_item(c, row->key, node->items[i], &list[i]);
    }
    return list;
}

bool compound_environment(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const struct assignment *list = assignments(c, row, node);
    bool ok = list != NULL;

    (void)base; /* the field is set when the env files have been read as well */
    for (size_t i = 0; list && i < node->n; i++) {
        const char *why = list[i].name ? envfile_bad_name(list[i].name) : NULL;
        if (!list[i].name)
            ok = false;
        else if (why)
            ok = value_error(c, list[i].pos, "`%s` %s", value_quote(list[i].name).text, why);
        else if (!envfile_add(&c->env, list[i].name, list[i].value, ENVFILE_RANK_KEY))
            ok = value_nomem(c, list[i].pos);
    }
    return ok;
}

static int label_order(const void *a, const void *b)
{
    const struct spec_label *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Checks and converts LIST; false when one was wrong. */
static bool make_labels(struct value_ctx *c, const struct assignment *list, size_t n, struct spec_label *labels)
{
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        const struct assignment *it = &list[i];
        if (!it->name)
            ok = false;
        else if (!it->name[0] || strlen(it->name) >= TREE_KEY_MAX)
            ok = value_error(c, it->pos, "a label's name is empty or too long; write 1 to %d characters",
                             TREE_KEY_MAX - 1);
        labels[i] = (struct spec_label){it->name ? it->name : "", it->value ? it->value : ""};
    }
    return ok;
}

bool compound_labels(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const struct assignment *list = assignments(c, row, node);
    struct spec_label *labels = arena_array(c->source.arena, node->n, sizeof *labels);

    if (!list)
        return false;
    if (!labels)
        return value_nomem(c, node->pos);
    if (!make_labels(c, list, node->n, labels))
        return false;
    qsort(labels, node->n, sizeof *labels, label_order);
    for (size_t i = 1; i < node->n; i++)
        if (strcmp(labels[i - 1].name, labels[i].name) == 0)
            return value_error(c, node->pos, "label `%s` is given twice; remove one", value_quote(labels[i].name).text);
    *(struct spec_label **)schema_field(row, base) = labels;
    *count_field(row, base) = node->n;
    return true;
}

/* env_file */

static bool read_env_file(struct value_ctx *c, struct diag_pos pos, const struct compound_env_file *f)
{
    struct buf text;
    bool ok = true;

    switch (source_read(&c->source, pos, f->path, !f->required, &text)) {
    case SOURCE_OK:
        ok = envfile_parse(&c->env, c->source.arena, c->source.diag, f->path, buf_str(&text), text.len);
        break;
    case SOURCE_MISSING:
        ok = !f->required;
        break;
    case SOURCE_FAILED:
        ok = false;
        break;
    }
    buf_done(&text);
    return ok;
}

static bool one_env_file(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node)
{
    struct compound_env_file f = {0};
    bool ok;

    schema_defaults(row->sub, &f);
    if (node->kind == TREE_SCALAR && !node->null)
        ok = value_path(c, schema_find(row->sub, "path"), node, &f);
    else if (node->kind == TREE_MAPPING)
        ok = value_section(c, row->sub, schema_section_name(row->sub), node, &f);
    else
        return compound_takes_else(c, row, node);
    return ok && read_env_file(c, node->pos, &f);
}

bool compound_env_files(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    bool ok = true;

    (void)base; /* as for compound_environment() */
    if (node->kind != TREE_SEQUENCE)
        return one_env_file(c, row, node);
    for (size_t i = 0; i < node->n; i++)
        ok &= one_env_file(c, row, node->items[i]);
    return ok;
}

/* depends_on */

static bool one_dep(struct value_ctx *c, const struct schema_row *row, const char *name, struct diag_pos pos,
                    const struct tree_node *node, struct spec_dep *ret)
{
    char what[SPEC_NAME_MAX + 32];

    *ret = (struct spec_dep){.service = arena_strdup(c->source.arena, name), .pos = source_keep(&c->source, pos)};
    schema_defaults(row->sub, ret);
    if (!ret->service)
        return value_nomem(c, pos);
    if (!value_is_name(name))
        return value_error(c, pos, "`%s` is not the name of a service; write one of this configuration",
                           value_quote(name).text);
    if (!node || (node->kind == TREE_SCALAR && node->null))
        return true;
    (void)snprintf(what, sizeof what, "dependency `%s`", name);
    return value_is(c, node, TREE_MAPPING, what, "a map of condition, required and restart") &&
           value_section(c, row->sub, what, node, ret);
}

static bool listed_before(const struct spec_dep *deps, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(deps[i].service, deps[n].service) == 0)
            return true;
    return false;
}

bool compound_depends_on(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_dep *deps;
    size_t n = 0;
    bool ok = true, good;

    if (node->kind == TREE_SCALAR)
        return compound_takes_else(c, row, node);
    deps = arena_array(c->source.arena, node->n + 1, sizeof *deps);
    if (!deps)
        return value_nomem(c, node->pos);
    for (size_t i = 0; i < node->n; i++) {
        if (node->kind == TREE_MAPPING) {
            good = one_dep(c, row, node->pairs[i].key, node->pairs[i].key_pos, node->pairs[i].value, &deps[n]);
        } else {
            const char *name = value_text(c, node->items[i], "an item of `depends_on`");
            good = name && one_dep(c, row, name, node->items[i]->pos, NULL, &deps[n]);
        }
        if (good && listed_before(deps, n))
            good = value_error(c, deps[n].pos, "dependency `%s` is given twice; remove one", deps[n].service);
        n += good;
        ok &= good;
    }
    *(struct spec_dep **)schema_field(row, base) = deps;
    *count_field(row, base) = n;
    return ok;
}

/* restart */

static bool restart_word(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node,
                         struct spec_restart *r)
{
    static const char limited[] = "on-failure:";
    const struct schema_row *attempts = schema_find(row->sub, "max_attempts");
    const char *text = node->text;

    if (strncmp(text, limited, sizeof limited - 1) == 0 &&
        value_from_text(attempts, text + sizeof limited - 1, &r->max_attempts) == VALUE_OK)
        text = "on-failure";
    if (value_from_text(schema_find(row->sub, "policy"), text, &r->policy) == VALUE_OK)
        return true;
    return value_error(c, node->pos, "`%s` is not a restart policy; write %s", value_quote(node->text).text,
                       schema_kind(row->kind)->example);
}

bool compound_restart(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_restart *r = schema_field(row, base);

    if (node->kind == TREE_MAPPING)
        return value_section(c, row->sub, "`restart`", node, r);
    if (node->kind == TREE_SEQUENCE || node->null)
        return compound_takes_else(c, row, node);
    return restart_word(c, row, node, r);
}

/* success_exit_codes, no_restart_exit_codes */

static bool one_exit(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node,
                     struct spec_exits *exits)
{
    int64_t code;
    int sig;

    if (!value_is(c, node, TREE_SCALAR, "an item", "an exit code or a signal name"))
        return false;
    if (parse_int(node->text, &code)) {
        if (code < row->min || code > row->max)
            return value_error(c, node->pos, "exit code %s is out of range; it takes %d to %d",
                               value_quote(node->text).text, (int)row->min, (int)row->max);
        spec_exits_add_code(exits, (int)code);
        return true;
    }
    if (!parse_signal(node->text, &sig))
        return value_error(c, node->pos, "`%s` is neither an exit code nor a signal; write e.g. 2 or SIGTERM",
                           value_quote(node->text).text);
    spec_exits_add_signal(exits, sig);
    return true;
}

bool compound_exits(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_exits exits = {0};
    bool ok = true;

    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    for (size_t i = 0; i < node->n; i++)
        ok &= one_exit(c, row, node->items[i], &exits);
    *(struct spec_exits *)schema_field(row, base) = exits;
    return ok;
}

/* stop_signal */

static bool one_step(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node,
                     struct spec_stop_step *step)
{
    const struct schema_row *signal = schema_find(row->sub, "signal");

    *step = (struct spec_stop_step){.wait_ms = -1};
    if (node->kind == TREE_MAPPING)
        return value_section(c, row->sub, schema_section_name(row->sub), node, step);
    if (node->kind == TREE_SEQUENCE)
        return value_error(c, node->pos, "a step of `stop_signal` is a list; it takes a signal or {signal, wait}");
    return value_scalar(c, signal, node, step);
}

bool compound_stop_signal(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    bool list = node->kind == TREE_SEQUENCE, ok = true;
    size_t n = list ? node->n : 1;
    struct spec_stop_step *steps;

    if (node->kind == TREE_MAPPING || (node->kind == TREE_SCALAR && node->null))
        return compound_takes_else(c, row, node);
    if (n == 0 || n > COMPOUND_STEPS_MAX)
        return value_error(c, node->pos, "`stop_signal` has %zu steps; write 1 to %d", n, COMPOUND_STEPS_MAX);
    steps = arena_array(c->source.arena, n, sizeof *steps);
    if (!steps)
        return value_nomem(c, node->pos);
    for (size_t i = 0; i < n; i++) {
        const struct tree_node *item = list ? node->items[i] : node;
        bool good = one_step(c, row, item, &steps[i]);
        if (good && i + 1 < n && steps[i].wait_ms < 0)
            good = value_error(c, item->pos, "step %zu of `stop_signal` has no `wait`; only the last may leave it out",
                               i + 1);
        ok &= good;
    }
    *(struct spec_stop_step **)schema_field(row, base) = steps;
    *count_field(row, base) = n;
    return ok;
}
