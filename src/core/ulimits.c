/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Resource limits: from a map of the file to what setrlimit(2) takes.
 */
#include "core/ulimits.h"

#include "base/parse.h"
#include "core/compound.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct ulimits_resource resources[] = {
    {"as", RLIMIT_AS, true},
    {"core", RLIMIT_CORE, true},
    {"cpu", RLIMIT_CPU, false},
    {"data", RLIMIT_DATA, true},
    {"fsize", RLIMIT_FSIZE, true},
    {"memlock", RLIMIT_MEMLOCK, true},
    {"msgqueue", RLIMIT_MSGQUEUE, true},
    {"nice", RLIMIT_NICE, false},
    {"nofile", RLIMIT_NOFILE, false},
    {"nproc", RLIMIT_NPROC, false},
    {"rss", RLIMIT_RSS, true},
    {"rtprio", RLIMIT_RTPRIO, false},
    {"rttime", RLIMIT_RTTIME, false},
    {"sigpending", RLIMIT_SIGPENDING, false},
    {"stack", RLIMIT_STACK, true},
};

const struct ulimits_resource *ulimits_resources(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(resources);
    return resources;
}

static const struct ulimits_resource *find_resource(int resource)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        if (resources[i].resource == resource)
            return &resources[i];
    return NULL;
}

const char *ulimits_name(int resource)
{
    const struct ulimits_resource *r = find_resource(resource);

    return r ? r->name : NULL;
}

static const struct ulimits_resource *resource_named(struct value_ctx *c, const struct tree_pair *pair)
{
    struct schema_guess g = {0};
    struct value_quote key = value_quote(pair->key);

    for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
        if (strcmp(resources[i].name, pair->key) == 0)
            return &resources[i];
        schema_guess(&g, pair->key, resources[i].name);
    }
    if (strcmp(pair->key, "locks") == 0)
        value_error(c, pair->key_pos, "`locks` is where fosterd marks the processes of a service; remove it");
    else if (g.name)
        value_error(c, pair->key_pos, "`%s` is not a limit; did you mean `%s`?", key.text, g.name);
    else
        value_error(c, pair->key_pos, "`%s` is not a limit; write one of setrlimit(2), e.g. nofile", key.text);
    return NULL;
}

/* TEXT as a limit of the resource of U. */
static bool parse_limit(const struct spec_ulimit *u, const char *text, uint64_t *ret)
{
    const struct ulimits_resource *r = find_resource(u->resource);
    int64_t v;

    if (strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0) {
        *ret = UINT64_MAX;
        return true;
    }
    if (!(r && r->bytes ? parse_size(text, &v) : parse_int(text, &v)) || v < 0)
        return false;
    *ret = (uint64_t)v;
    return true;
}

bool ulimits_value(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    const struct schema_kind_ops *ops = schema_kind(row->kind);
    char what[16];

    (void)snprintf(what, sizeof what, "`%s`", row->key);
    if (!value_is(c, node, TREE_SCALAR, what, ops->takes))
        return false;
    if (!parse_limit(base, node->text, schema_field(row, base)))
        return value_error(c, node->pos, "`%s` is not %s; write %s", value_quote(node->text).text, ops->takes,
                           ops->example);
    return true;
}

static bool one_limit(struct value_ctx *c, const struct schema_row *row, const struct tree_pair *pair,
                      struct spec_ulimit *u)
{
    const struct ulimits_resource *r = resource_named(c, pair);
    char what[32];
    bool ok;

    if (!r)
        return false;
    *u = (struct spec_ulimit){.resource = r->resource};
    (void)snprintf(what, sizeof what, "`%s`", r->name);
    if (pair->value->kind == TREE_SEQUENCE || (pair->value->kind == TREE_SCALAR && pair->value->null))
        return value_is(c, pair->value, TREE_MAPPING, what, "a number, unlimited, or {soft, hard}");
    if (pair->value->kind == TREE_MAPPING)
        ok = value_section(c, row->sub, what, pair->value, u);
    else
        ok = ulimits_value(c, schema_find(row->sub, "soft"), pair->value, u);
    if (pair->value->kind == TREE_SCALAR)
        u->hard = u->soft;
    if (ok && u->soft > u->hard)
        return value_error(c, pair->value->pos, "`soft` of `%s` is above `hard`; make it at most that", r->name);
    return ok;
}

static int by_resource(const void *a, const void *b)
{
    const struct spec_ulimit *x = a, *y = b;

    return (x->resource > y->resource) - (x->resource < y->resource);
}

bool ulimits_map(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base)
{
    struct spec_ulimit *limits;
    size_t n = 0;
    bool ok = true, good;

    if (node->kind != TREE_MAPPING)
        return compound_takes_else(c, row, node);
    limits = arena_array(c->source.arena, node->n, sizeof *limits);
    if (!limits)
        return value_nomem(c, node->pos);
    for (size_t i = 0; i < node->n; i++) {
        if (strncmp(node->pairs[i].key, "x-", 2) == 0)
            continue;
        good = one_limit(c, row, &node->pairs[i], &limits[n]);
        n += good;
        ok &= good;
    }
    qsort(limits, n, sizeof *limits, by_resource);
    *(struct spec_ulimit **)schema_field(row, base) = limits;
    *(size_t *)(void *)((char *)base + row->extra) = n;
    return ok;
}
