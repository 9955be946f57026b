/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Odd places in which fosterd has to work, made by what runs between fork and exec of it (struct
 * scenario_options.prepare): a process that fails there ends with 113 and a line that names the step.
 */
#ifndef FOSTER_TESTS_WORLDS_H
#define FOSTER_TESTS_WORLDS_H

#include "scenario/support/scenario.h"

/** CLONE_ flags for a new pid and mount namespace; with a user namespace where we are not root. 0: not allowed here. */
int world_pid_namespace(void);

/** For a new pid namespace: a /proc of its own. */
void world_own_proc(void *data);

/** For a new mount namespace: nothing at /proc. */
void world_no_proc(void *data);

/** For a new mount namespace: every file system read-only. */
void world_read_only(void *data);

/** For a new mount namespace: an empty /run (with /run/sshd), no jobs for cron. */
void world_own_run(void *data);

/** From here on close_range(2) is answered with ENOSYS; ends the process with 113 where no filter can be installed. */
void world_no_close_range(void *data);

/** Becomes the user whose id DATA points to, without any privilege. */
void world_user(void *data);

#endif
