/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is to be started for a unit: words, environment, and what its spec asks for the process.
 */
#ifndef FOSTER_DAEMON_LAUNCH_REQUEST_H
#define FOSTER_DAEMON_LAUNCH_REQUEST_H

#include "base/compiler.h"
#include "base/mem.h"
#include "daemon/engine.h"
#include "sys/spawn.h"

#include <stdbool.h>

/** Fills REQ for a start of U, whose run and output are there, from its spec; then the hook on_request may change it.
 * What REQ points to is A's, or the spec's. False: ENOMEM. */
bool launch_request(struct engine_unit *u, struct arena *a, struct spawn_request *req) MUST_CHECK NONNULL();

#endif
