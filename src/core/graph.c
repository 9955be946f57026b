/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The dependency graph of a configuration. Both walks are iterative: the depth of the graph costs no stack.
 */
#include "core/graph.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** One service on the way of a walk. */
struct graph_node {
    const char *name;
    size_t index;
    size_t next_dep; /* which of its dependencies is to be looked at next */
    size_t parent;   /* the service from which the walk came; SIZE_MAX: none */
    enum { GRAPH_NEW, GRAPH_OPEN, GRAPH_CLOSED } mark;
};

/** The services of a set, and an index of them by name. */
struct graph {
    const struct spec_set *set;
    struct graph_node *nodes;
    struct graph_node **by_name;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct graph_node *const *)a)->name, (*(struct graph_node *const *)b)->name);
}

static void graph_done(struct graph *g)
{
    mem_free(g->nodes);
    mem_free(g->by_name);
}

static bool graph_init(struct graph *g, const struct spec_set *set)
{
    size_t n = set->n_services;

    *g = (struct graph){.set = set, .nodes = mem_array(n, sizeof *g->nodes), .by_name = mem_array(n, sizeof(void *))};
    if (!g->nodes || !g->by_name) {
        graph_done(g);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        g->nodes[i] = (struct graph_node){.name = set->services[i].name, .index = i, .parent = SIZE_MAX};
        g->by_name[i] = &g->nodes[i];
    }
    qsort(g->by_name, n, sizeof *g->by_name, compare_names);
    return true;
}

/* The node of the service called NAME; NULL for one that does not exist or is not enabled. */
static struct graph_node *graph_lookup(const struct graph *g, const char *name)
{
    size_t low = 0, high = g->set->n_services;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(name, g->by_name[mid]->name);
        if (order == 0)
            return g->set->services[g->by_name[mid]->index].enabled ? g->by_name[mid] : NULL;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* Walks from START along dependencies, depth first, and puts each service whose dependencies are all behind it into
 * ORDER (NULL: not wanted). Returns the dependency that leads back to a service the walk is still in, with *RET_AT
 * the service that has it, or NULL. */
static const struct spec_dep *graph_walk(struct graph *g, size_t start, size_t *order, size_t *n_order, size_t *ret_at)
{
    size_t at = start;

    g->nodes[start].mark = GRAPH_OPEN;
    while (at != SIZE_MAX) {
        struct graph_node *node = &g->nodes[at], *to;
        const struct spec *s = &g->set->services[at];
        if (node->next_dep == s->n_depends_on) {
            node->mark = GRAPH_CLOSED;
            if (order)
                order[(*n_order)++] = at;
            at = node->parent;
            continue;
        }
        to = graph_lookup(g, s->depends_on[node->next_dep++].service);
        if (!to || to->mark == GRAPH_CLOSED)
            continue;
        if (to->mark == GRAPH_OPEN) {
            *ret_at = at;
            return &s->depends_on[node->next_dep - 1];
        }
        to->mark = GRAPH_OPEN;
        to->parent = at;
        at = to->index;
    }
    return NULL;
}

/* Appends TEXT as far as it fits; *LEN counts as if it did. */
static void append(char *buf, size_t size, size_t *len, const char *text)
{
    if (*len < size)
        snprintf(buf + *len, size - *len, "%s", text);
    *len += strlen(text);
}

/* Writes the way from service TO down to service AT and back to TO. The parents lead upwards, so the way is turned
 * round first, in by_name, which nobody needs any more. */
static void print_cycle(struct graph *g, size_t at, const char *to, char *buf, size_t size)
{
    size_t n = 0, len = 0;

    for (size_t i = at;; i = g->nodes[i].parent) {
        g->by_name[n++] = &g->nodes[i];
        if (strcmp(g->nodes[i].name, to) == 0)
            break;
    }
    while (n-- > 0) {
        append(buf, size, &len, g->by_name[n]->name);
        append(buf, size, &len, " -> ");
    }
    append(buf, size, &len, to);
    if (len >= size && size > 3)
        memcpy(buf + size - 4, "...", 4);
}

bool graph_find_cycle(const struct spec_set *set, char *buf, size_t size, const struct spec_dep **ret_dep)
{
    const struct spec_dep *dep = NULL;
    size_t at = 0;
    struct graph g;

    if (!graph_init(&g, set)) {
        snprintf(buf, size, "out of memory");
        *ret_dep = NULL;
        return true;
    }
    for (size_t i = 0; i < set->n_services && !dep; i++)
        if (set->services[i].enabled && g.nodes[i].mark == GRAPH_NEW)
            dep = graph_walk(&g, i, NULL, NULL, &at);
    if (dep) {
        *ret_dep = dep;
        print_cycle(&g, at, dep->service, buf, size);
    }
    graph_done(&g);
    return dep != NULL;
}

bool graph_order(const struct spec_set *set, size_t *order)
{
    bool ok = true;
    size_t n = 0, at;
    struct graph g;

    if (!graph_init(&g, set))
        return false;
    for (size_t i = 0; i < set->n_services && ok; i++)
        if (g.nodes[i].mark == GRAPH_NEW)
            ok = !graph_walk(&g, i, order, &n, &at);
    graph_done(&g);
    return ok;
}
