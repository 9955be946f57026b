/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The dependency graph of a configuration. The walk is iterative: the depth of the graph costs no stack.
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
    struct graph_node **way; /* scratch: the services of one cycle */
};

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct graph_node *const *)a)->name, (*(struct graph_node *const *)b)->name);
}

static void graph_done(struct graph *g)
{
    mem_free(g->nodes);
    mem_free(g->by_name);
    mem_free(g->way);
}

static bool graph_init(struct graph *g, const struct spec_set *set)
{
    size_t n = set->n_services;

    *g = (struct graph){.set = set,
                        .nodes = mem_array(n, sizeof *g->nodes),
                        .by_name = mem_array(n, sizeof(void *)),
                        .way = mem_array(n, sizeof(void *))};
    if (!g->nodes || !g->by_name || !g->way) {
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

/* Appends TEXT as far as it fits; *LEN counts as if it did. */
static void append(char *buf, size_t size, size_t *len, const char *text)
{
    if (*len < size)
        snprintf(buf + *len, size - *len, "%s", text);
    *len += strlen(text);
}

/* Tells FN the way from the service that DEP names down to service AT, which has DEP, and back. The parents lead
 * upwards, so the way is turned round first. */
static void graph_tell(struct graph *g, size_t at, const struct spec_dep *dep, graph_cycle_fn *fn, void *data)
{
    char text[GRAPH_PATH_MAX] = "";
    size_t n = 0, len = 0;

    for (size_t i = at;; i = g->nodes[i].parent) {
        g->way[n++] = &g->nodes[i];
        if (strcmp(g->nodes[i].name, dep->service) == 0)
            break;
    }
    while (n-- > 0) {
        append(text, sizeof text, &len, g->way[n]->name);
        append(text, sizeof text, &len, " -> ");
    }
    append(text, sizeof text, &len, dep->service);
    if (len >= sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    fn(text, dep, data);
}

/* Walks from START along dependencies, depth first. Each dependency that leads back to a service the walk is still in
 * is told to FN and not followed. */
static void graph_walk(struct graph *g, size_t start, graph_cycle_fn *fn, void *data)
{
    size_t at = start;

    g->nodes[start].mark = GRAPH_OPEN;
    while (at != SIZE_MAX) {
        struct graph_node *node = &g->nodes[at], *to;
        const struct spec *s = &g->set->services[at];
        if (node->next_dep == s->n_depends_on) {
            node->mark = GRAPH_CLOSED;
            at = node->parent;
            continue;
        }
        const struct spec_dep *dep = &s->depends_on[node->next_dep++];
        to = graph_lookup(g, dep->service);
        if (!to || to->mark == GRAPH_CLOSED)
            continue;
        if (to->mark == GRAPH_OPEN) {
            if (to != node)
                graph_tell(g, at, dep, fn, data);
            continue;
        }
        to->mark = GRAPH_OPEN;
        to->parent = at;
        at = to->index;
    }
}

bool graph_cycles(const struct spec_set *set, graph_cycle_fn *fn, void *data)
{
    struct graph g;

    if (!graph_init(&g, set))
        return false;
    for (size_t i = 0; i < set->n_services; i++)
        if (set->services[i].enabled && g.nodes[i].mark == GRAPH_NEW)
            graph_walk(&g, i, fn, data);
    graph_done(&g);
    return true;
}
