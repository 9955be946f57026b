/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The dependency graph of a configuration: its cycles.
 */
#ifndef FOSTER_CORE_GRAPH_H
#define FOSTER_CORE_GRAPH_H

#include "base/compiler.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>

enum { GRAPH_PATH_MAX = 512 };

/** Is told of one cycle: its PATH ("a -> b -> c -> a", cut with "..." when it is longer than GRAPH_PATH_MAX; borrowed
 *  for the call) and the dependency DEP that closes it. */
typedef void graph_cycle_fn(const char *path, const struct spec_dep *dep, void *data);

/** Tells FN of every dependency among the enabled services of SET that closes a cycle, but not of a service that
 *  depends on itself. Iterative: the depth of the graph costs no stack. False without memory. */
bool graph_cycles(const struct spec_set *set, graph_cycle_fn *fn, void *data) MUST_CHECK NONNULL(1, 2);

#endif
