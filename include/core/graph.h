/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The dependency graph of a configuration: cycles, and the order of starting.
 */
#ifndef FOSTER_CORE_GRAPH_H
#define FOSTER_CORE_GRAPH_H

#include "base/compiler.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>

/** Looks for a dependency cycle among the enabled services of SET. True when there is one: BUF then holds its path
 *  ("a -> b -> c -> a", cut with "..." when SIZE is too small) and *RET_DEP the dependency that closes
 *  it. Iterative: the depth of the graph costs no stack. Without memory it answers true with
 *  *RET_DEP NULL. */
bool graph_find_cycle(const struct spec_set *set, char *buf, size_t size, const struct spec_dep **ret_dep) NONNULL();

/** Fills ORDER (set->n_services elements) with service numbers such that each comes after all that it
 *  depends on, otherwise in the order of the file. False when there is a cycle or no memory. */
bool graph_order(const struct spec_set *set, size_t *order) MUST_CHECK NONNULL();

#endif
