/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What runs between fork and exec, for spawn.c only: child.c, and child_cred.c for it.
 */
#ifndef FOSTER_SYS_CHILD_H
#define FOSTER_SYS_CHILD_H

#include "base/compiler.h"
#include "sys/spawn.h"

/** All that the child needs, prepared before the fork: it can neither allocate nor look anything up. */
struct child_plan {
    const struct spawn_request *req; /**< borrowed */
    char *const *programs;           /**< borrowed; NULL-terminated; the paths to try, in this order; at least one */
    char **script_argv; /**< borrowed; argv of the shell that reads what the kernel cannot execute, its element 1 free
                           for the path; NULL: none does */
    gid_t *groups;      /**< borrowed; room for one group more than REQ's ids have; NULL where those have none */
    char oom_score_adj[8]; /**< REQ's as text; "": leave it */
    bool born_in_cgroup;   /**< the process is in the control group of REQ's v2_fd already */
    int detail;            /**< for struct spawn_failure */
    int stdio[3];          /**< as in REQ, but moved about */
    int *fds;              /**< borrowed; the descriptors of REQ's fds, but moved about */
    int *kept;             /**< borrowed; room for one more than REQ has fds: what is not to be closed */
    int status_fd;         /**< a struct spawn_failure is written here, in one piece, when a step fails */
};

/** Takes the steps of enum spawn_step in their order; with the last one the process becomes the program. When a step
 *  fails it is reported to status_fd and the process exits with 127 (no such program) or 126. PLAN is changed. */
_Noreturn void child_run(struct child_plan *plan) NONNULL();

/** The steps of child_cred.c. False with errno. */
bool child_bounding(struct child_plan *plan) MUST_CHECK NONNULL();
bool child_groups(struct child_plan *plan) MUST_CHECK NONNULL();
bool child_user(struct child_plan *plan) MUST_CHECK NONNULL();
bool child_caps(struct child_plan *plan) MUST_CHECK NONNULL();
bool child_no_new_privs(struct child_plan *plan) MUST_CHECK NONNULL();

#endif
