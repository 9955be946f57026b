/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A tree as one line of text, and a bench that loads one, so that tests are tables of strings.
 *
 * The line: {key: plain, key: "quoted", key: null, inherited*1: [items]}; the number is the layer.
 */
#ifndef FOSTER_TESTS_TREE_DUMP_H
#define FOSTER_TESTS_TREE_DUMP_H

#include "base/buf.h"
#include "base/mem.h"
#include "core/diag.h"
#include "core/tree.h"

/* What a case needs and frees. */
struct bench {
    struct arena arena;
    struct diag_list problems;
    struct buf text; /* of the last dump or printing */
};

static inline void bench_init(struct bench *b)
{
    *b = (struct bench){.arena = {0}};
    buf_init(&b->text, 1 << 22);
}

static inline void bench_done(struct bench *b)
{
    buf_done(&b->text);
    diag_done(&b->problems);
    arena_done(&b->arena);
}

static inline void dump_node(struct buf *out, const struct tree_node *node)
{
    if (node->kind == TREE_SCALAR) {
        if (node->null)
            buf_puts(out, "null");
        else
            buf_printf(out, node->plain ? "%s" : "\"%s\"", node->text);
        return;
    }
    buf_putc(out, node->kind == TREE_MAPPING ? '{' : '[');
    for (size_t i = 0; i < node->n; i++) {
        if (i > 0)
            buf_puts(out, ", ");
        if (node->kind == TREE_MAPPING && node->pairs[i].layer > 0)
            buf_printf(out, "%s*%u: ", node->pairs[i].key, node->pairs[i].layer);
        else if (node->kind == TREE_MAPPING)
            buf_printf(out, "%s: ", node->pairs[i].key);
        dump_node(out, node->kind == TREE_MAPPING ? node->pairs[i].value : node->items[i]);
    }
    buf_putc(out, node->kind == TREE_MAPPING ? '}' : ']');
}

/* NODE as a line; valid until the next call. */
static inline const char *bench_dump(struct bench *b, const struct tree_node *node)
{
    buf_reset(&b->text);
    dump_node(&b->text, node);
    return buf_str(&b->text);
}

/* The problems so far, sorted; valid until the next call. */
static inline const char *bench_problems(struct bench *b)
{
    buf_reset(&b->text);
    diag_sort(&b->problems);
    diag_print(&b->problems, &b->text);
    return buf_str(&b->text);
}

static inline struct tree_node *bench_load(struct bench *b, const char *text, size_t len)
{
    return tree_load(&b->arena, &b->problems, "f", text, len);
}

#endif
