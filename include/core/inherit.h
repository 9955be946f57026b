/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a service begins with: `extends` and `defaults`, laid under its own keys.
 */
#ifndef FOSTER_CORE_INHERIT_H
#define FOSTER_CORE_INHERIT_H

#include "core/loader.h"

/** All keys of S: the defaults of its file, what it extends, its own. NULL when there was an error (said). */
struct tree_node *inherit_service(struct loader *l, struct loader_service *s) MUST_CHECK NONNULL();

/** Kind of `extends` where it means nothing: in `defaults`. */
bool inherit_misplaced(struct value_ctx *c, const struct schema_row *row, const struct tree_node *node, void *base);

#endif
