/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What runs between fork and exec, for spawn.c only.
 */
#ifndef FOSTER_SYS_CHILD_H
#define FOSTER_SYS_CHILD_H

#include "base/compiler.h"

#include <stdint.h>
#include <sys/resource.h>

/** All that the child needs, prepared before the fork: it can neither allocate nor look anything up. */
struct child_plan {
    const char *const *programs; /**< NULL-terminated; the paths to try, in this order; at least one */
    char *const *argv;
    char *const *envp;
    const char *working_dir;     /**< NULL: stay */
    int umask;                   /**< -1: inherit */
    const struct rlimit *nofile; /**< NULL: inherit */
    uint64_t tag;                /**< 0: leave it */
    int stdio[3];                /**< -1: /dev/null */
    int status_fd;               /**< a struct spawn_failure is written here, in one piece, when a step fails */
};

/** Takes the steps of enum spawn_step in their order; with the last one the process becomes the program. When a step
 *  fails it is reported to status_fd and the process exits with 127 (no such program) or 126. PLAN is changed. */
_Noreturn void child_run(struct child_plan *plan) NONNULL();

#endif
