/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Nodes out of nodes: copies for aliases, and layers of mappings merged into one for `<<`, defaults and
 * includes. All layers are merged in one pass, so that the cost grows with the pairs, not with pairs
 * times layers.
 */
#include "core/tree_impl.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(struct diag_list *d, struct diag_pos pos)
{
    diag_error(d, pos, "no memory for the configuration; make it smaller, or give the daemon more");
}

/* Copies */

struct copier {
    struct arena *a;
    struct diag_list *d;
    struct diag_pos pos;
    struct tree_budget *budget;
};

static struct tree_node *copy_node(const struct copier *c, const struct tree_node *node, unsigned depth);

/* Takes what NODE costs from the budget, before any of it is allocated. */
static bool pay(const struct copier *c, const struct tree_node *node, unsigned depth)
{
    size_t n_nodes = 1 + (node->kind == TREE_MAPPING ? node->n : 0);
    size_t n_bytes = node->kind == TREE_SCALAR ? strlen(node->text) : 0;

    if (node->kind != TREE_SCALAR && depth >= TREE_DEPTH_MAX) {
        diag_error(c->d, c->pos, "with this the nesting is over %d levels deep; make it flatter", TREE_DEPTH_MAX);
        return false;
    }
    if (n_nodes > c->budget->n_nodes) {
        diag_error(c->d, c->pos, "with this the file has over %d nodes; use fewer or smaller aliases", TREE_NODES_MAX);
        return false;
    }
    if (n_bytes > c->budget->n_bytes) {
        diag_error(c->d, c->pos, "with this the aliases stand for over %d bytes of text; use fewer or smaller aliases",
                   TREE_BYTES_MAX);
        return false;
    }
    c->budget->n_nodes -= n_nodes;
    c->budget->n_bytes -= n_bytes;
    return true;
}

static bool copy_items(const struct copier *c, struct tree_node *to, const struct tree_node *from, unsigned depth)
{
    to->items = arena_array(c->a, from->n, sizeof(struct tree_node *));
    if (!to->items) {
        out_of_memory(c->d, c->pos);
        return false;
    }
    for (size_t i = 0; i < from->n; i++) {
        to->items[i] = copy_node(c, from->items[i], depth + 1);
        if (!to->items[i])
            return false;
    }
    return true;
}

static bool copy_pairs(const struct copier *c, struct tree_node *to, const struct tree_node *from, unsigned depth)
{
    to->pairs = arena_array(c->a, from->n, sizeof(struct tree_pair));
    if (!to->pairs) {
        out_of_memory(c->d, c->pos);
        return false;
    }
    for (size_t i = 0; i < from->n; i++) {
        to->pairs[i] = from->pairs[i];
        to->pairs[i].value = copy_node(c, from->pairs[i].value, depth + 1);
        if (!to->pairs[i].value)
            return false;
    }
    return true;
}

static struct tree_node *copy_node(const struct copier *c, const struct tree_node *node, unsigned depth)
{
    struct tree_node *copy;
    bool ok = true;

    if (!pay(c, node, depth))
        return NULL;
    copy = arena_alloc(c->a, sizeof *copy);
    if (!copy) {
        out_of_memory(c->d, c->pos);
        return NULL;
    }
    *copy = *node;
    if (node->kind == TREE_SEQUENCE)
        ok = copy_items(c, copy, node, depth);
    else if (node->kind == TREE_MAPPING)
        ok = copy_pairs(c, copy, node, depth);
    return ok ? copy : NULL;
}

struct tree_node *tree_copy(struct arena *a, struct diag_list *d, struct diag_pos pos, const struct tree_node *node,
                            unsigned depth, struct tree_budget *budget)
{
    struct copier c = {.a = a, .d = d, .pos = pos, .budget = budget};

    return copy_node(&c, node, depth);
}

/* Layers */

/* A pair of one of the layers, with its place in all of them laid end to end. */
struct entry {
    struct tree_pair pair;
    size_t order;
};

struct merger {
    struct arena *a;
    struct diag_list *d;
};

static struct tree_node *merge_layers(const struct merger *m, struct tree_node *const *layers, size_t n,
                                      unsigned depth);

static int by_key(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    int order = strcmp(a->pair.key, b->pair.key);

    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_order(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;

    return (a->order > b->order) - (a->order < b->order);
}

static size_t count_pairs(struct tree_node *const *layers, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += layers[i]->n;
    return total;
}

static void collect(struct tree_node *const *layers, size_t n, struct entry *entries)
{
    unsigned first = 0, next;
    size_t order = 0;

    for (size_t i = 0; i < n; i++, first = next) {
        next = first + 1;
        for (size_t k = 0; k < layers[i]->n; k++) {
            struct tree_pair *pair = &entries[order].pair;
            entries[order] = (struct entry){.pair = layers[i]->pairs[k], .order = order};
            pair->layer += first;
            next = pair->layer >= next ? pair->layer + 1 : next;
            order++;
        }
    }
}

/* The value of a key that the N entries GROUP have, the winner first. Mappings above the first other value merge;
 * what lies below that value is hidden by it. */
static struct tree_node *merge_values(const struct merger *m, const struct entry *group, size_t n, unsigned depth)
{
    struct tree_node *result = group[0].pair.value;
    struct tree_node **maps;
    size_t n_maps = 0;

    while (n_maps < n && group[n_maps].pair.value->kind == TREE_MAPPING)
        n_maps++;
    if (n_maps < 2)
        return result;
    maps = mem_array(n_maps, sizeof(struct tree_node *));
    if (!maps) {
        out_of_memory(m->d, result->pos);
        return NULL;
    }
    for (size_t i = 0; i < n_maps; i++)
        maps[i] = group[i].pair.value;
    result = merge_layers(m, maps, n_maps, depth + 1);
    mem_free(maps);
    return result;
}

/* Leaves one entry a key in ENTRIES, in the order of the layers, and says how many. False: an error is in D. */
static bool merge_entries(const struct merger *m, struct entry *entries, size_t n, unsigned depth, size_t *ret_n)
{
    size_t kept = 0;

    qsort(entries, n, sizeof *entries, by_key);
    for (size_t i = 0, end; i < n; i = end) {
        struct tree_node *value;

        for (end = i + 1; end < n && strcmp(entries[end].pair.key, entries[i].pair.key) == 0;)
            end++;
        value = merge_values(m, &entries[i], end - i, depth);
        if (!value)
            return false;
        entries[kept] = entries[i];
        entries[kept++].pair.value = value;
    }
    qsort(entries, kept, sizeof *entries, by_order);
    *ret_n = kept;
    return true;
}

static struct tree_node *node_of_entries(const struct merger *m, const struct tree_node *like,
                                         const struct entry *entries, size_t n)
{
    struct tree_node *node = arena_alloc(m->a, sizeof *node);
    struct tree_pair *pairs = arena_array(m->a, n, sizeof *pairs);

    if (!node || !pairs) {
        out_of_memory(m->d, like->pos);
        return NULL;
    }
    *node = *like;
    node->pairs = pairs;
    node->n = n;
    for (size_t i = 0; i < n; i++)
        pairs[i] = entries[i].pair;
    return node;
}

static struct tree_node *merge_layers(const struct merger *m, struct tree_node *const *layers, size_t n, unsigned depth)
{
    struct tree_node *result = NULL;
    struct entry *entries;
    size_t n_entries = count_pairs(layers, n);

    if (depth >= TREE_DEPTH_MAX) {
        diag_error(m->d, layers[0]->pos, "the nesting is over %d levels deep; make it flatter", TREE_DEPTH_MAX);
        return NULL;
    }
    entries = mem_array(n_entries, sizeof *entries);
    if (!entries) {
        out_of_memory(m->d, layers[0]->pos);
        return NULL;
    }
    collect(layers, n, entries);
    if (merge_entries(m, entries, n_entries, depth, &n_entries))
        result = node_of_entries(m, layers[0], entries, n_entries);
    mem_free(entries);
    return result;
}

struct tree_node *tree_merge_layers(struct arena *a, struct diag_list *d, struct tree_node *const *layers, size_t n)
{
    struct merger m = {.a = a, .d = d};

    return merge_layers(&m, layers, n, 0);
}

struct tree_node *tree_merge(struct arena *a, struct diag_list *d, struct tree_node *base, struct tree_node *over)
{
    struct tree_budget budget = {.n_nodes = SIZE_MAX, .n_bytes = SIZE_MAX}; /* the arena has a cap of its own */
    struct tree_node *layers[] = {over, tree_copy(a, d, over->pos, base, 0, &budget)};

    return layers[1] ? tree_merge_layers(a, d, layers, ARRAY_LEN(layers)) : NULL;
}
