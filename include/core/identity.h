/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The kinds of value that say who a service is: user, groups, capabilities; see kinds.def. What names mean is asked of
 * the caller's functions (struct config_source). Arguments are as in struct schema_kind_ops.
 */
#ifndef FOSTER_CORE_IDENTITY_H
#define FOSTER_CORE_IDENTITY_H

#include "core/value.h"

/** Kinds; see kinds.def. */
bool identity_user(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool identity_groups(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool identity_caps(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool identity_security(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif
