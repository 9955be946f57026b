/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The kinds of value of `sockets`; see kinds.def. Arguments are as in struct schema_kind_ops.
 */
#ifndef FOSTER_CORE_SOCKET_KEYS_H
#define FOSTER_CORE_SOCKET_KEYS_H

#include "core/value.h"

enum {
    SOCKET_KEYS_MAX = 256,      /**< sockets of one service */
    SOCKET_KEYS_NAME_MAX = 255, /**< bytes; sd_listen_fds_with_names(3) */
};

/** Kinds; see kinds.def. */
bool socket_keys_list(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool socket_keys_listen(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool socket_keys_name(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif
