/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The kinds of value of `schedule`; see kinds.def. Arguments are as in struct schema_kind_ops.
 */
#ifndef FOSTER_CORE_SCHEDULE_KEYS_H
#define FOSTER_CORE_SCHEDULE_KEYS_H

#include "core/value.h"

/** Kinds; see kinds.def. */
bool schedule_keys_map(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool schedule_keys_cron(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif
