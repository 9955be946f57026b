/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * YAML bytes as a tree of nodes with places: aliases and merge keys resolved, duplicate keys, tags,
 * second documents, and everything that could make a file explode refused. The only user of libyaml.
 */
#ifndef FOSTER_CORE_TREE_H
#define FOSTER_CORE_TREE_H

#include "base/compiler.h"
#include "base/mem.h"
#include "core/diag.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    TREE_BYTES_MAX = 1 << 20, /**< a longer file is refused */
    TREE_NODES_MAX = 65536,   /**< after expansion of aliases */
    TREE_DEPTH_MAX = 32,
    TREE_KEY_MAX = 256, /**< bytes */
    TREE_ANCHORS_MAX = 1024,
    TREE_EXPANDED_MAX = 1 << 20, /**< bytes of all texts that one tree_expand() writes */
    TREE_EXPAND_DEPTH_MAX = 16,  /**< ${A:-${B:-…}} in one another */
};

enum tree_kind { TREE_SCALAR, TREE_SEQUENCE, TREE_MAPPING };

/** One `key: value` of a mapping. */
struct tree_pair {
    const char *key;
    struct diag_pos key_pos;
    struct tree_node *value;
    unsigned layer; /**< 0: written in the mapping itself. Else it was laid below that, by a merge of any kind: pairs
                         with the same number were written in one mapping, and that with a smaller one lies above */
};

/** One node. Aliased nodes are copied, so every node has one parent and may be changed. */
struct tree_node {
    enum tree_kind kind;
    struct diag_pos pos;
    const char *text;         /**< scalar: its text, free of NUL bytes */
    bool plain;               /**< scalar: neither quoted nor a block, so null, numbers and booleans are meant */
    bool null;                /**< scalar: plain and empty, ~, null, Null or NULL */
    struct tree_node **items; /**< sequence */
    struct tree_pair *pairs;  /**< mapping, in the order of the file; merged pairs last */
    size_t n;                 /**< items or pairs */
};

/** Reads the LEN bytes at TEXT, called FILE in messages, into a tree in A. Problems go to D. Returns
 *  the root. Errors that leave the rest of the file as it is meant do not hinder that, so that whoever reads the
 *  tree can say what else is wrong: of a key that is given twice the first stays, as does the first `<<`, and a tag
 *  is left out. D says whether there was one. NULL after any other error: of syntax, a cap, memory, an alias or key
 *  that means nothing. An empty file gives an empty mapping; the root may be of any kind otherwise.
 *
 *  A copy of an aliased node has the place of its alias, what is in it keeps the place where it was written.
 *  `<<` merges are deep, unlike YAML's own: where both sides of a key are mappings these merge as well,
 *  so that `<<: *base` and an `environment` of one's own give the variables of both. The mapping's own
 *  keys win over `<<`; of several mappings in `<<: [*a, *b]` earlier ones win. */
struct tree_node *tree_load(struct arena *a, struct diag_list *d, const char *file, const char *text,
                            size_t len) MUST_CHECK NONNULL();

/** The value of KEY in the mapping NODE, or NULL, also when NODE is no mapping. */
struct tree_node *tree_get(const struct tree_node *node, const char *key) NONNULL();

/** Looks up a variable for tree_expand(); NULL when it is not set. */
typedef const char *tree_getenv_fn(const char *name, void *data);

/** Expands ${VAR}, ${VAR:-default}, ${VAR-default}, ${VAR:?message}, ${VAR?message}, ${VAR:+text},
 *  ${VAR+text}, $VAR and $$ in every scalar value below NODE (not in keys), as Compose does. Variables
 *  come from GETENV_FN. An unset one without a default is an error at the scalar's place. What a
 *  variable holds is not expanded again. An expanded text stays plain (a number, if it looks like one)
 *  but is never null. Call it once for a tree: a second call would expand the results. */
void tree_expand(struct arena *a, struct diag_list *d, struct tree_node *node, tree_getenv_fn *getenv_fn, void *data)
    NONNULL(1, 2, 3, 4);

/** Lays OVER onto BASE (both mappings, in one arena) and returns the result: maps merge, at any depth,
 *  everything else is replaced by OVER's. OVER's keys come first, then those that only BASE has. What
 *  comes from BASE is copied, so BASE can be used again; OVER's nodes move into the result. NULL without
 *  memory or when the result is nested too deeply (an error is in D). */
struct tree_node *tree_merge(struct arena *a, struct diag_list *d, struct tree_node *base,
                             struct tree_node *over) MUST_CHECK NONNULL();

#endif
