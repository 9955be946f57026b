/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the daemon knows of a unit beside super, for `status`: its health checks, what it says of itself, its schedule.
 */
#ifndef FOSTER_DAEMON_LOOK_UNIT_H
#define FOSTER_DAEMON_LOOK_UNIT_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <jansson.h>
#include <stdbool.h>

/** Adds that to the service SERVICE, which is U, as V has it; with FULL also what its last check has printed. False
 * without memory. */
bool look_unit_add(json_t *service, const struct engine_unit *u, const struct unit_view *v, bool full,
                   int64_t now_ms) MUST_CHECK NONNULL();

#endif
