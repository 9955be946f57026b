/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Control groups (cgroups(7)), version 2 and version 1: a tree of ours below the group that we are in, or one that we
 * are told of, with a directory for each service that needs one.
 *
 *   BASE/foster-PID/             the tree: locked (flock(2)) for as long as its fosterd lives, so that a later one
 *                                knows what was left over by one that was killed
 *   BASE/foster-PID/UNIT/        bears the limits of one unit
 *   BASE/foster-PID/UNIT/RUN/    version 2 only: the processes of one run of it; tells exactly whose they are
 *   BASE/foster-PID/supervisor/  version 2 only, where BASE must be empty of processes for controllers to be passed on:
 *                                fosterd itself
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

enum {
    CGROUP_PATH_MAX = 1024, /* of a directory; longer ones nobody has */
    CGROUP_NAME_MAX = 96,   /* of a directory in the tree, with the NUL */
    CGROUP_LEFT_MAX = 4,    /* of the processes in a directory so many are named */
};

/** A group in which a tree can be made. */
struct cgroup_base {
    char path[CGROUP_PATH_MAX]; /**< its directory; "": there is none */
    char seen[CGROUP_PATH_MAX]; /**< of version 2: the group as /proc/PID/cgroup names it; "" for the top one */
    bool unified;               /**< it is of version 2 */
    unsigned controllers;       /**< bit c: it has enum cgroup_controller c */
};

/** A tree of ours. Zero-initialised but for fd is one that is not made. */
struct cgroup_tree {
    struct cgroup_base base;
    char name[CGROUP_NAME_MAX]; /**< "foster-PID"; or with a number behind, where another one has that name */
    int fd;                     /**< owned; its directory, locked; -1: it is not made */
    unsigned enabled;           /**< bit c: directories in it have controller c */
    unsigned passed_on;         /**< of those, what BASE passes on because we made it */
    bool moved;                 /**< we are in its `supervisor` */
};

/** Who is in a directory that could not be removed. */
struct cgroup_left {
    pid_t pids[CGROUP_LEFT_MAX]; /**< the first few; 0: a process of another pid namespace */
    size_t n;                    /**< of all */
};

/** "pids", "memory", "cpu"; static. */
const char *cgroup_controller_name(enum cgroup_controller c);

/* Where: cgroup_base.c */

/** Our own group of version 2 into *RET. False when there is none. */
bool cgroup_base_unified(struct cgroup_base *ret) MUST_CHECK NONNULL();

/** Our own group of version 1 that has controller C into *RET. False when there is none. */
bool cgroup_base_of(enum cgroup_controller c, struct cgroup_base *ret) MUST_CHECK NONNULL();

/** The group whose directory is PATH, which must be absolute, into *RET. False with *E: it is no directory, or of no
 * hierarchy of control groups. */
bool cgroup_base_at(const char *path, struct cgroup_base *ret, struct err *e) MUST_CHECK NONNULL();

/** The same by TEXT, which is what /proc/self/mountinfo says. PATH has no symbolic links in it. The controllers of
 * version 2 are left out. */
bool cgroup_base_parse(const char *text, const char *path, struct cgroup_base *ret, struct err *e) MUST_CHECK NONNULL();

/** Whether somebody has left BASE and what is below it to us, as systemd says it: by one of the extended attributes
 * trusted.delegate and user.delegate with the value 1. */
bool cgroup_base_is_delegated(const struct cgroup_base *base) MUST_CHECK NONNULL();

/* The tree: cgroup_tree.c */

/** Makes and locks the tree T, whose base is set. False with *E. */
bool cgroup_tree_make(struct cgroup_tree *t, struct err *e) MUST_CHECK NONNULL();

/** Makes sure that the directories in T have controller C. In version 2 all groups above must pass it on; where that
 * takes that BASE has no processes, and we are the only one, we move to T's `supervisor`. False with *E. */
bool cgroup_tree_enable(struct cgroup_tree *t, enum cgroup_controller c, struct err *e) MUST_CHECK NONNULL();

/** Is told of a tree PATH of a fosterd that does not live any more, with the processes LEFT that are still in it. */
typedef void cgroup_left_fn(const char *path, const struct cgroup_left *left, void *data);

/** Removes what other fosterds that do not live any more have left beside T. What has processes in it stays, and FN is
 * called for each such tree. */
void cgroup_tree_sweep(const struct cgroup_tree *t, cgroup_left_fn *fn, void *data) NONNULL(1, 2);

/** Moves us back where we were, and removes T, as far as there are no processes in it. False when something stays. */
bool cgroup_tree_remove(struct cgroup_tree *t) NONNULL();

/** The run whose directory in T is meant by SEEN, a group of version 2 as /proc/PID/cgroup names it, or that is above
 * the one meant; 0: none. */
uint64_t cgroup_tree_run(const struct cgroup_tree *t, const char *seen) MUST_CHECK NONNULL();

/* Directories and their files: cgroup.c */

/** The directory for a unit called NAME, into BUF of CGROUP_NAME_MAX bytes: the same name, or with a "_" before it
 * where the kernel, or we, may have a file or directory of that name. Returns BUF. */
char *cgroup_unit_name(const char *name, char *buf) NONNULL();

/** Makes the directory NAME in DIR_FD, unless it is there, and opens it. A descriptor, or -1 with *E. */
int cgroup_make(int dir_fd, const char *name, struct err *e) MUST_CHECK NONNULL();

/** Removes the directory NAME in DIR_FD with all that is below it, deepest first. False when something stays because
 * processes are in it, which are put into LEFT (NULL: nobody wants to know), or for another reason (errno). */
bool cgroup_remove(int dir_fd, const char *name, struct cgroup_left *left) NONNULL(2);

/** The same for all directories in DIR_FD but the one called KEEP (NULL: for all). */
bool cgroup_remove_below(int dir_fd, const char *keep, struct cgroup_left *left);

/** Opens FILE ("cgroup.procs") of the directory DIR_FD for writing. A descriptor, or -1 with errno. */
int cgroup_open_file(int dir_fd, const char *file) MUST_CHECK NONNULL();

/** Writes TEXT into FILE of the directory DIR_FD. False with errno. */
bool cgroup_write(int dir_fd, const char *file, const char *text) MUST_CHECK NONNULL();

/** Reads what fits of FILE of the directory DIR_FD into BUF of SIZE > 0 bytes, with a NUL behind. False with errno. */
bool cgroup_read(int dir_fd, const char *file, char *buf, size_t size) MUST_CHECK NONNULL();

/** Who is in the group DIR_FD itself, added to *RET. False with errno. */
bool cgroup_list(int dir_fd, struct cgroup_left *ret) MUST_CHECK NONNULL();

/** Sets the limit of controller C, or takes it away, as LIMITS has it, in the directory DIR_FD of version 2 (UNIFIED)
 * or 1. False with *E. */
bool cgroup_set_limit(int dir_fd, bool unified, enum cgroup_controller c, const struct cgroup_limits *limits,
                      struct err *e) MUST_CHECK NONNULL();

/** Whether LIMITS has one for controller C. */
bool cgroup_has_limit(const struct cgroup_limits *limits, enum cgroup_controller c) MUST_CHECK NONNULL();

/** How often the limit of C has been met in the directory DIR_FD: forks refused (pids), processes killed (memory).
 * False when that is not told. */
bool cgroup_hits(int dir_fd, bool unified, enum cgroup_controller c, uint64_t *ret) MUST_CHECK NONNULL();

/** The file that cgroup_hits() reads, and whose change inotify(7) tells; NULL: there is none. */
const char *cgroup_hits_file(bool unified, enum cgroup_controller c);

#endif
