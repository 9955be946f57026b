/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * --set: a dotted path and a YAML value become a small tree that is laid over the file's. Names may
 * have dots in them, so at each level the longest key that is there wins.
 */
#include "core/override.h"

#include <string.h>

static const char services_prefix[] = "services.";

/* The length of the first component of PATH in NODE (may be NULL). */
static size_t component(const struct tree_node *node, const char *path)
{
    size_t best = 0;

    for (size_t i = 0; node && node->kind == TREE_MAPPING && i < node->n; i++) {
        size_t len = strlen(node->pairs[i].key);
        if (len > best && strncmp(path, node->pairs[i].key, len) == 0 && (path[len] == '.' || path[len] == '\0'))
            best = len;
    }
    return best ? best : strcspn(path, ".");
}

static bool is_null_word(const char *text)
{
    static const char *const words[] = {"~", "null", "Null", "NULL"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static struct tree_node *new_node(struct loader *l, enum tree_kind kind, struct diag_pos pos, size_t n_pairs)
{
    struct tree_node *node = arena_alloc(&l->scratch, sizeof *node);
    struct tree_pair *pairs = arena_array(&l->scratch, n_pairs, sizeof *pairs);

    if (!node || !pairs) {
        value_nomem(&l->value, pos);
        return NULL;
    }
    *node = (struct tree_node){.kind = kind, .pos = pos, .text = "", .pairs = pairs, .n = n_pairs};
    return node;
}

/* The VALUE of --set as a node. */
static struct tree_node *value_node(struct loader *l, struct diag_pos pos, const char *text)
{
    struct diag_list *d = l->value.source.diag;
    size_t before = d->n_errors;
    bool null = is_null_word(text);
    struct tree_node *node;

    if (text[0] && !null) {
        node = tree_load(&l->scratch, d, pos.file, text, strlen(text));
        return d->n_errors == before ? node : NULL;
    }
    node = new_node(l, TREE_SCALAR, pos, 0);
    if (node) {
        node->plain = null;
        node->null = null;
    }
    return node;
}

/* Lays VALUE at PATH over the mapping ROOT. */
static struct tree_node *lay(struct loader *l, struct diag_pos pos, struct tree_node *root, const char *path,
                             struct tree_node *value)
{
    struct tree_node *top = new_node(l, TREE_MAPPING, pos, 1), *at = top;
    const struct tree_node *there = root;

    for (unsigned depth = 0; at; depth++) {
        size_t len = component(there, path);
        const char *key = arena_strndup(&l->scratch, path, len);
        if (!key) {
            value_nomem(&l->value, pos);
            return NULL;
        }
        if (len == 0 || depth == TREE_DEPTH_MAX - 2) {
            value_error(&l->value, pos, "a bad path; write key names with a dot between, as in services.web.scale=2");
            return NULL;
        }
        at->pairs[0] = (struct tree_pair){.key = key, .key_pos = pos, .value = value};
        if (!path[len])
            return tree_merge(&l->scratch, l->value.source.diag, root, top);
        there = there ? tree_get(there, key) : NULL;
        if (there && there->kind != TREE_MAPPING && !there->null) {
            value_error(&l->value, pos, "`%s` is not a map in the file; set it as a whole", key);
            return NULL;
        }
        at->pairs[0].value = new_node(l, TREE_MAPPING, pos, 1);
        at = at->pairs[0].value;
        path += len + 1;
    }
    return NULL;
}

/* Splits SET into its path, which names it in messages, and its value. */
static bool split(struct loader *l, const char *set, struct diag_pos *ret_pos, const char **ret_path,
                  struct tree_node **ret_value)
{
    const char *equals = strchr(set, '=');
    int len = (int)(equals ? equals - set : 0);

    if (len <= 0)
        return value_error(&l->value, (struct diag_pos){0},
                           "--set %s is not KEY=VALUE; write e.g. services.web.scale=2", value_quote(set).text);
    ret_pos->file = arena_printf(&l->scratch, "--set %.*s", len, set);
    ret_pos->line = ret_pos->column = 1;
    if (!ret_pos->file)
        return value_nomem(&l->value, (struct diag_pos){0});
    *ret_path = ret_pos->file + sizeof "--set" /* its NUL stands for the blank */;
    *ret_value = value_node(l, *ret_pos, equals + 1);
    return *ret_value != NULL;
}

/* Whether PATH leads into a service: those are found by name once all files are read, wherever they
 * stand, and keep their place in the order of services. */
static bool is_service_path(const char *path)
{
    return strncmp(path, services_prefix, sizeof services_prefix - 1) == 0;
}

struct tree_node *override_root(struct loader *l, struct tree_node *root)
{
    struct diag_pos pos = {0};
    struct tree_node *value = NULL;
    const char *path = "";
    bool ok = true;

    for (size_t i = 0; i < l->opt->n_sets; i++) {
        struct tree_node *laid;
        if (!split(l, l->opt->sets[i], &pos, &path, &value)) {
            ok = false;
            continue;
        }
        if (is_service_path(path))
            continue;
        laid = lay(l, pos, root, path, value);
        ok &= laid != NULL;
        root = laid ? laid : root;
    }
    return ok ? root : NULL;
}

/* The service whose name is the longest that PATH begins with; *RET_REST is behind it. */
static struct loader_service *named_by(const struct loader *l, const char *path, const char **ret_rest)
{
    struct loader_service *best = NULL;
    size_t best_len = 0;

    for (size_t i = 0; i < l->n_run; i++) {
        size_t len = strlen(l->run[i]->name);
        if (len > best_len && strncmp(path, l->run[i]->name, len) == 0 && (path[len] == '.' || path[len] == '\0')) {
            best = l->run[i];
            best_len = len;
        }
    }
    *ret_rest = path + best_len + (path[best_len] == '.');
    return best;
}

static void override_service(struct loader *l, struct diag_pos pos, const char *path, struct tree_node *value)
{
    struct schema_guess g = {0};
    const char *rest;
    struct loader_service *s = named_by(l, path, &rest);
    size_t len = strcspn(path, ".");
    const char *name;

    if (s) {
        value = *rest && s->node->kind == TREE_MAPPING ? lay(l, pos, s->node, rest, value) : value;
        s->node = value ? value : s->node;
        return;
    }
    name = arena_strndup(&l->scratch, path, len);
    if (!name) {
        value_nomem(&l->value, pos);
        return;
    }
    for (size_t i = 0; i < l->n_run; i++)
        schema_guess(&g, name, l->run[i]->name);
    if (g.name)
        value_error(&l->value, pos, "there is no service `%s`; did you mean `%s`?", name, g.name);
    else
        value_error(&l->value, pos, "there is no service `%s`; name one of the file", name);
}

void override_services(struct loader *l)
{
    struct diag_pos pos = {0};
    struct tree_node *value = NULL;
    const char *path = "";

    for (size_t i = 0; i < l->opt->n_sets; i++)
        if (split(l, l->opt->sets[i], &pos, &path, &value) && is_service_path(path))
            override_service(l, pos, path + sizeof services_prefix - 1, value);
}
