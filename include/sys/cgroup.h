/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Control groups (cgroups(7)), version 2 and version 1: a tree of ours below the group that we are in, or one that we
 * are told of, with a directory for each service that needs one.
 *
 *   BASE/foster-PID/             the tree: locked (flock(2)) for as long as its fosterd lives, so that a later one
 * knows what was left over by one that was killed BASE/foster-PID/UNIT/        bears the limits of one unit
 *   BASE/foster-PID/UNIT/RUN/    version 2 only: the processes of one run of it; tells exactly whose they are
 *
 * A controller (pids, memory, cpu) is used where it is: in the hierarchy of version 2 when it can be enabled there,
 * else in its own hierarchy of version 1.
 */
#ifndef FOSTER_SYS_CGROUP_H
#define FOSTER_SYS_CGROUP_H

#include "base/compiler.h"
#include "base/err.h"
#include "sys/spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The controllers that are used. */
enum cgroup_controller { CGROUP_PIDS, CGROUP_MEMORY, CGROUP_CPU, CGROUP_CONTROLLER_N };

/** The limits of one unit; 0: none. */
struct cgroup_limits {
    int64_t pids;  /**< processes and threads */
    int64_t bytes; /**< of memory */
    double cpus;   /**< processors' worth of time */
};

#endif
