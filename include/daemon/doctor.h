/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What works here and what does not, and what that means for services: the kernel, privileges, limits, file systems.
 */
#ifndef FOSTER_DAEMON_DOCTOR_H
#define FOSTER_DAEMON_DOCTOR_H

#include "base/compiler.h"

#include <jansson.h>

struct engine;

/** The findings as a JSON array of {name, level, found, consequence}; see doc/protocol.md. NULL without memory. */
json_t *doctor_look(struct engine *g) MUST_CHECK NONNULL();

#endif
