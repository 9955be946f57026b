/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is added to a request for a process after its own part is there: variables and descriptors of whoever deals with
 * the process later.
 */
#ifndef FOSTER_DAEMON_LAUNCH_ADD_H
#define FOSTER_DAEMON_LAUNCH_ADD_H

#include "base/compiler.h"
#include "base/mem.h"
#include "sys/spawn.h"

#include <stdbool.h>
#include <stddef.h>

/** Puts VAR ("NAME=VALUE", lasting as long as A; NULL: there was no memory for it) into the environment of REQ, in
 * place of all that have that name. False: ENOMEM. */
bool launch_add_variable(struct arena *a, struct spawn_request *req, char *var) MUST_CHECK NONNULL(1, 2);

/** The same for the variable NAME, whose value will be the pid of the process. */
bool launch_add_pid(struct arena *a, struct spawn_request *req, const char *name) MUST_CHECK NONNULL();

/** Has the process of REQ get the N descriptors FDS as well. False: ENOMEM. */
bool launch_add_fds(struct arena *a, struct spawn_request *req, const struct spawn_fd *fds, size_t n) MUST_CHECK
    NONNULL(1, 2);

#endif
