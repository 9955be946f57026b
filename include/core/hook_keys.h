/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The kinds of value of the hooks `pre_start`, `post_start`, `pre_stop` and `post_stop`; see kinds.def. Arguments are
 * as in struct schema_kind_ops.
 */
#ifndef FOSTER_CORE_HOOK_KEYS_H
#define FOSTER_CORE_HOOK_KEYS_H

#include "core/value.h"

/** Kinds; see kinds.def. */
bool hook_keys_list(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool hook_keys_environment(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif
