/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The kinds of value of `ready` and `healthcheck`; see kinds.def. Arguments are as in struct schema_kind_ops.
 */
#ifndef FOSTER_CORE_PROBE_KEYS_H
#define FOSTER_CORE_PROBE_KEYS_H

#include "core/value.h"

/** What a regular expression may be: characters with all repetitions written out, and groups in one another. */
enum { PROBE_KEYS_WEIGHT_MAX = 2048, PROBE_KEYS_DEPTH_MAX = 32 };

/** The map of `healthcheck` while it is read. */
struct probe_keys_check {
    struct spec_health health; /**< comes first: the offsets of its rows are those of struct spec_health */
    bool disable;
};

/** Kinds; see kinds.def. */
bool probe_keys_ready(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool probe_keys_notify(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool probe_keys_regex(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool probe_keys_tcp(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool probe_keys_http(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool probe_keys_health(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool probe_keys_test(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool probe_keys_disable(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif
