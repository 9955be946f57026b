/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Commands that run at points in the life of a run: lists of commands, and of maps that say more about one.
 */
#include "core/hook_keys.h"

#include "core/compound.h"

#include <stdio.h>

/* The variables of a hook are not those of the service that is being read. */
bool hook_keys_environment(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_env **items = schema_field(row, base);
    size_t *n = (size_t *)(void *)((char *)base + row->extra);
    struct envfile service = c->env;
    bool ok;

    c->env = (struct envfile){0};
    ok = compound_environment(c, row, node, base);
    if (!envfile_merge(&c->env, c->source.arena, items, n))
        ok = value_nomem(c, node->pos);
    envfile_done(&c->env);
    c->env = service;
    return ok;
}

static bool one_hook(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, size_t number,
                     struct spec_hook *hook)
{
    char what[64];

    *hook = (struct spec_hook){.pos = source_keep(&c->source, node->pos)};
    schema_defaults(row->sub, hook);
    (void)snprintf(what, sizeof what, "item %zu of `%s`", number, row->key);
    if (node->kind == TREE_MAPPING)
        return value_section(c, row->sub, what, node, hook);
    if (node->kind == TREE_SCALAR && node->null)
        return value_error(c, node->pos, "%s is empty; it takes a command, or a map with {command}", what);
    /* Who writes one command as a list of its words has written several commands. */
    if (node->kind == TREE_SCALAR && node->text[0] == '-')
        return value_error(c, node->pos,
                           "%s, `%s`, is a command of its own; write the words of one command as a list in the list",
                           what, value_quote(node->text).text);
    return compound_command(c, schema_find(row->sub, "command"), node, hook);
}

bool hook_keys_list(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_hook *hooks;
    bool ok = true;

    if (node->kind != TREE_SEQUENCE)
        return compound_takes_else(c, row, node);
    hooks = arena_array(c->source.arena, node->n, sizeof *hooks);
    if (!hooks)
        return value_nomem(c, node->pos);
    for (size_t i = 0; i < node->n; i++)
        ok &= one_hook(c, row, node->items[i], i + 1, &hooks[i]);
    *(struct spec_hook **)schema_field(row, base) = hooks;
    *(size_t *)(void *)((char *)base + row->extra) = node->n;
    return ok;
}
