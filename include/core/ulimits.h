/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Resource limits: their names (those of setrlimit(2) in small letters, as Compose has them), and the kinds of value of
 * `ulimits`; see kinds.def.
 */
#ifndef FOSTER_CORE_ULIMITS_H
#define FOSTER_CORE_ULIMITS_H

#include "core/value.h"

/** A resource that a service's processes can be limited in. */
struct ulimits_resource {
    const char *name; /**< "nofile"; static */
    int resource;     /**< RLIMIT_NOFILE */
    bool bytes;       /**< counted in bytes, so that "64k" is a number of it */
};

/** All of them, by name; *RET_N says how many. Locks are not among them: fosterd keeps its tag there. */
const struct ulimits_resource *ulimits_resources(size_t *ret_n) NONNULL();

/** The name of RESOURCE (RLIMIT_NOFILE: "nofile"), static; NULL when that is none of the above. */
const char *ulimits_name(int resource);

/** Kinds; see kinds.def. */
bool ulimits_map(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);
bool ulimits_value(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif
