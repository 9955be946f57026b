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

/** A process that is to be started for a unit: the program of its service, or a command beside that. All pointers are
 * borrowed for the call. */
struct launch_command {
    const struct attrib_run *run; /**< whose tag and marker it bears */
    char *const *argv;            /**< NULL-terminated; NULL: the service's own */
    const struct spec_hook *hook; /**< whose user, environment and working_dir win over the service's; NULL: nobody's */
    const char *const *vars;      /**< NAME=VALUE, on top of everything else; NULL-terminated, or NULL: none */
    int output_fd;                /**< borrowed; for both its outputs; -1: where the service's go */
};

/** Fills REQ for a start of C beside U, with all that the spec of U asks for its processes. What REQ points to is A's
 * or our own environment's, and outlives the spec, apart from argv when that is the service's own. False: ENOMEM. */
bool launch_request_of(const struct engine_unit *u, const struct launch_command *c, struct arena *a,
                       struct spawn_request *req) MUST_CHECK NONNULL();

/** Fills REQ for a start of U, whose run and output are there, from its spec; then the hook on_request may change it.
 * What REQ points to is A's, or the spec's. False: ENOMEM. */
bool launch_request(struct engine_unit *u, struct arena *a, struct spawn_request *req) MUST_CHECK NONNULL();

#endif
