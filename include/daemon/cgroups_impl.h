/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Shared by the files of cgroups alone.
 */
#ifndef FOSTER_DAEMON_CGROUPS_IMPL_H
#define FOSTER_DAEMON_CGROUPS_IMPL_H

#include "daemon/cgroups.h"
#include "daemon/engine.h"

#include <ev.h>

/** The trees: that of version 2, and one of version 1 for each controller. */
enum { CGROUPS_UNIFIED = 0, CGROUPS_TREE_N = 1 + CGROUP_CONTROLLER_N, CGROUPS_NOWHERE = -1 };

/** All that there is for the whole daemon. */
struct cgroups {
    struct engine *engine; /**< borrowed: the owner */
    struct cgroup_tree trees[CGROUPS_TREE_N];
    char *tree_why[CGROUPS_TREE_N];        /**< owned; why one could not be made; NULL: it was not tried, or is there */
    int source[CGROUP_CONTROLLER_N];       /**< the tree that limits of a controller are set in, or CGROUPS_NOWHERE */
    char *source_why[CGROUP_CONTROLLER_N]; /**< owned; why nowhere; NULL: it was not tried, or it is somewhere */
    bool for_all;                          /**< every unit has groups, not only those with limits */
    int notify_fd;                         /**< owned; inotify; -1: not needed yet, or not to be had */
    struct ev_io notify_io;
    struct ev_timer oom_timer; /**< passes when a kill that nobody's death has explained is to be told */
};

/** What there is for one unit. */
struct cgroups_unit {
    unsigned made;                           /**< bit t: it has a directory in tree t */
    bool has_limits;                         /**< its last start had limits */
    bool enforced;                           /**< and all of them were set */
    bool said_unenforced;                    /**< that they were not has been told */
    int refused;                             /**< errno of a child that could not join; 0: none */
    bool oom_due;                            /**< its counter of kills has changed */
    uint64_t hits_told[CGROUP_CONTROLLER_N]; /**< how often limits were met, as far as that was told */
    int watches[CGROUP_CONTROLLER_N];        /**< of notify_fd; -1: none */
};

/** The limits of U's spec. */
struct cgroup_limits cgroups_limits_of(const struct engine_unit *u) NONNULL();

/** Opens the directory of U in tree T. -1 with errno. */
int cgroups_open_unit(const struct engine_unit *u, int t) MUST_CHECK NONNULL();

/** U starts with its limits set: from now on it is told that they are met. */
void cgroups_hits_arm(struct engine_unit *u) NONNULL();

/** A run of U is over: tells whether its limits were met much more often than was told. */
void cgroups_hits_settle(struct engine_unit *u) NONNULL();

/** Stops watching U. */
void cgroups_hits_disarm(struct engine_unit *u) NONNULL();

/** Stops everything about hits. */
void cgroups_hits_stop(struct cgroups *c) NONNULL();

#endif
