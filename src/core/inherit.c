/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Puts the keys of a service together: those of its file's `defaults`, then those of what it extends,
 * then its own. Works on trees, so that a key keeps the place it was written at.
 */
#include "core/inherit.h"

#include "core/compound.h"

#include <stdio.h>
#include <string.h>

bool inherit_misplaced(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    (void)base;
    return value_error(c, node->pos, "`%s` stands in `defaults`; write it in the services themselves", row->key);
}

/* Removes the pair KEY from the mapping NODE and returns its value, or NULL. */
static const struct tree_node *take(struct tree_node *node, const char *key)
{
    for (size_t i = 0; i < node->n; i++) {
        const struct tree_node *value = node->pairs[i].value;
        if (strcmp(node->pairs[i].key, key) != 0)
            continue;
        memmove(&node->pairs[i], &node->pairs[i + 1], (node->n - i - 1) * sizeof node->pairs[0]);
        node->n--;
        return value;
    }
    return NULL;
}

static bool read_extends(struct loader *l, const struct tree_node *node, struct compound_extends *ret)
{
    const struct schema_row *row = schema_find(SCHEMA_SERVICE, "extends");

    if (node->kind == TREE_MAPPING)
        return value_section(&l->value, row->sub, "`extends`", node, ret);
    if (!value_is(&l->value, node, TREE_SCALAR, "`extends`", schema_kind(row->kind)->takes))
        return false;
    return value_name(&l->value, schema_find(row->sub, "service"), node, ret);
}

static bool no_such_service(struct loader *l, const struct loader_file *f, const struct tree_node *node,
                            const char *name)
{
    struct schema_guess g = {0};

    for (const struct loader_service *s = f->services; s; s = s->next)
        schema_guess(&g, name, s->name);
    if (g.name)
        return value_error(&l->value, node->pos, "there is no service `%s` in %s to extend; did you mean `%s`?", name,
                           f->path, g.name);
    return value_error(&l->value, node->pos, "there is no service `%s` in %s to extend; name one that is there", name,
                       f->path);
}

/* The service that S, by its `extends` NODE, begins with. */
static struct loader_service *find_base(struct loader *l, const struct loader_service *s, const struct tree_node *node)
{
    struct compound_extends ext = {0};
    struct loader_file *f = s->file;
    struct loader_service *base;

    if (!read_extends(l, node, &ext))
        return NULL;
    if (ext.file)
        f = loader_open(l, node->pos, ext.file);
    if (!f || !f->root)
        return NULL;
    base = loader_find(l, f, ext.service);
    if (!base || (ext.file && base->file != f)) {
        no_such_service(l, f, node, ext.service);
        return NULL;
    }
    return base;
}

/* The services from one that extends to what it extends, up to the present one. */
struct chain {
    const struct loader_service *items[LOADER_EXTENDS_DEPTH_MAX];
    unsigned n;
};

static bool say_cycle(struct loader *l, const struct chain *chain, const struct loader_service *again,
                      struct diag_pos pos)
{
    char path[512] = "";
    size_t n = 0;
    bool inside = false;

    for (unsigned i = 0; i < chain->n; i++) {
        inside = inside || chain->items[i] == again;
        if (inside && n < sizeof path)
            n += (size_t)snprintf(path + n, sizeof path - n, "%s -> ", chain->items[i]->name);
    }
    return value_error(&l->value, pos, "`extends` goes in a circle: %s%s; remove one of them", path, again->name);
}

static struct tree_node *resolve(struct loader *l, struct loader_service *s, struct chain *chain, struct diag_pos from);

/* The keys of what S extends by NODE, with the defaults of that file when it is another one. */
static struct tree_node *base_keys(struct loader *l, struct loader_service *s, const struct tree_node *node,
                                   struct chain *chain)
{
    struct loader_service *base = find_base(l, s, node);
    struct tree_node *keys = base ? resolve(l, base, chain, node->pos) : NULL;
    struct tree_node *defaults;

    if (!keys)
        return NULL;
    s->damaged |= base->damaged;
    if (base->file == s->file)
        return keys;
    defaults = loader_defaults(l, base->file);
    s->damaged |= base->file->damaged;
    return defaults ? tree_merge(&l->scratch, l->value.source.diag, defaults, keys) : keys;
}

static struct tree_node *merge_service(struct loader *l, struct loader_service *s, struct chain *chain)
{
    const struct tree_node *extends;
    struct tree_node *below;
    char what[SPEC_NAME_MAX + 16];

    (void)snprintf(what, sizeof what, "service `%s`", s->name);
    if (!value_is(&l->value, s->node, TREE_MAPPING, what, "a map of keys such as `command`"))
        return NULL;
    loader_drop_extensions(s->node);
    s->damaged = !loader_expand_pairs(l, s->node, SCHEMA_SERVICE);
    extends = take(s->node, "extends");
    if (!extends)
        return s->node;
    below = base_keys(l, s, extends, chain);
    return below ? tree_merge(&l->scratch, l->value.source.diag, below, s->node) : NULL;
}

/* The keys of S without the defaults of its file; FROM is where it was asked for. */
static struct tree_node *resolve(struct loader *l, struct loader_service *s, struct chain *chain, struct diag_pos from)
{
    if (s->state == LOADER_READY || s->state == LOADER_FAILED)
        return s->merged;
    if (s->state == LOADER_BUSY) {
        say_cycle(l, chain, s, from);
        return NULL;
    }
    if (chain->n == LOADER_EXTENDS_DEPTH_MAX) {
        value_error(&l->value, from, "`extends` over %d services deep; extend fewer", LOADER_EXTENDS_DEPTH_MAX);
        return NULL;
    }
    s->state = LOADER_BUSY;
    chain->items[chain->n++] = s;
    s->merged = merge_service(l, s, chain);
    chain->n--;
    s->state = s->merged ? LOADER_READY : LOADER_FAILED;
    return s->merged;
}

struct tree_node *inherit_service(struct loader *l, struct loader_service *s)
{
    struct chain chain = {.n = 0};
    struct tree_node *keys = resolve(l, s, &chain, s->pos);
    struct tree_node *defaults = loader_defaults(l, s->file);

    return keys && defaults ? tree_merge(&l->scratch, l->value.source.diag, defaults, keys) : keys;
}
