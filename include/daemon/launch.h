/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a unit to its process: environment, output, tag, spawn, and the answer of its exec.
 */
#ifndef FOSTER_DAEMON_LAUNCH_H
#define FOSTER_DAEMON_LAUNCH_H

#include "base/compiler.h"
#include "base/err.h"
#include "daemon/engine.h"
#include "sys/spawn.h"

#include <stdbool.h>
#include <stdint.h>

/** Starts run number RUN of U and posts SPAWNED or SPAWN_FAILED. */
void launch_unit(struct engine_unit *u, uint64_t run) NONNULL();

/** Starts the process of REQ, in the control groups of U, as the main process of RUN, which is one of U's or of a
 * command beside it; attrib_reserve() has gone well. RET->pidfd is closed already. False with *E as of spawn_start(),
 * or when its limits cannot be enforced and have to be. */
bool launch_process(struct engine_unit *u, struct attrib_run *run, struct spawn_request *req, struct spawn_child *ret,
                    struct err *e) MUST_CHECK NONNULL();

/** Reads the exec status of U's child, if it is still open, and posts EXEC_OK or EXEC_FAILED when it is known. Called
 * when the pipe is readable, and before the child's death is told: then it is always known. */
void launch_settle(struct engine_unit *u) NONNULL();

#endif
