/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * --set KEY=VALUE: values of the command line laid over those of the files.
 */
#ifndef FOSTER_CORE_OVERRIDE_H
#define FOSTER_CORE_OVERRIDE_H

#include "core/loader.h"

/** Lays the --set options over the main file's ROOT and returns the result; those for services wait for
 *  override_services(). NULL when there was an error (said). */
struct tree_node *override_root(struct loader *l, struct tree_node *root) MUST_CHECK NONNULL();

/** Lays the --set options for services over those, in whichever file they are. */
void override_services(struct loader *l) NONNULL();

#endif
