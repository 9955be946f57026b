/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files behind core/tree.h share with one another and nobody else includes: the check of the
 * raw bytes, the wording of libyaml's errors, copying and merging of nodes.
 */
#ifndef FOSTER_CORE_TREE_IMPL_H
#define FOSTER_CORE_TREE_IMPL_H

#include "base/compiler.h"
#include "base/mem.h"
#include "core/diag.h"
#include "core/tree.h"

#include <stdbool.h>
#include <stddef.h>

struct yaml_parser_s;

/** Some bytes with the name that messages call them. Borrowed. */
struct tree_text {
    const char *file;
    const char *bytes; /**< behind a byte order mark, after tree_text_check() */
    size_t len;
};

/** Checks that T is a size and an encoding that we read: UTF-8 without control characters. Steps over a
 *  byte order mark. On failure an error is in D. */
bool tree_text_check(struct tree_text *t, struct diag_list *d) MUST_CHECK NONNULL();

/** The place of the byte at OFFSET; lines and columns as libyaml counts them, but from 1. */
struct diag_pos tree_text_pos(const struct tree_text *t, size_t offset) NONNULL();

/** The text from the character number INDEX (counted from 0) on; *RET_LEN bytes are left there. */
const char *tree_text_at(const struct tree_text *t, size_t index, size_t *ret_len) NONNULL();

/** Words the error that PARSER stopped with; INNER is the place of the innermost open collection. */
void tree_syntax_error(const struct tree_text *t, const struct yaml_parser_s *parser, struct diag_pos inner,
                       struct diag_list *d) NONNULL(1, 2, 4);

/** What copies may still cost. The whole load shares one, so that many small copies are a bomb too. */
struct tree_budget {
    size_t n_nodes; /**< nodes and keys left */
    size_t n_bytes; /**< bytes of scalar text left: copies share it, but their readers copy it */
};

/** A deep copy of NODE in A, which will stand DEPTH collections deep; texts are shared. When a cap or
 *  the memory ends, an error at POS is in D and the result is NULL. */
struct tree_node *tree_copy(struct arena *a, struct diag_list *d, struct diag_pos pos, const struct tree_node *node,
                            unsigned depth, struct tree_budget *budget) MUST_CHECK NONNULL(1, 2, 4, 6);

/** One mapping out of the N >= 1 mappings LAYERS, of which earlier ones win; maps in them merge as
 *  well. Nothing is copied and no layer is changed: the result has new containers where layers meet and
 *  shares the rest. NULL with an error in D. */
struct tree_node *tree_merge_layers(struct arena *a, struct diag_list *d, struct tree_node *const *layers,
                                    size_t n) MUST_CHECK NONNULL();

#endif
