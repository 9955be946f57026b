/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the kernel says of processes: children lists, stat, the tag. Works without /proc as far as that
 * is possible (the tag by prlimit(2)), and says honestly when it is not.
 */
#ifndef FOSTER_SYS_PROCFS_H
#define FOSTER_SYS_PROCFS_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/procstat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** A growing list of process ids. Zero-initialised is empty. */
struct pidlist {
    pid_t *pids; /**< owned */
    size_t n;
    size_t cap;
};

/** Frees what L owns. */
void pidlist_done(struct pidlist *l) NONNULL();

/** Where children lists come from. */
enum procfs_children_source {
    PROCFS_CHILDREN_FILE, /**< /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN) */
    PROCFS_CHILDREN_SCAN, /**< the parent ids of all processes in /proc */
    PROCFS_CHILDREN_NONE, /**< no /proc: live orphans cannot be seen before they die */
};

/** Finds out what works here; called once at start. Until then everything is tried each time. */
enum procfs_children_source procfs_probe(void);

/** Puts the children of PID (live and unreaped ones, of all its threads) into L, replacing what it held.
 *  False with errno: ENOENT/ESRCH when there is no such process, ENOSYS when nothing can be known. */
bool procfs_children(pid_t pid, struct pidlist *l) MUST_CHECK NONNULL();

/** As procfs_children(), of the process that ST tells of: quicker for one that had a single thread. */
bool procfs_children_of(const struct procstat *st, struct pidlist *l) MUST_CHECK NONNULL();

/** Reads /proc/PID/FILE, of which less than SIZE bytes matter, into BUF; FILE may be that of a thread, "task/TID/stat".
 * The length, or -1 with errno. */
ssize_t procfs_read(pid_t pid, const char *file, char *buf, size_t size) MUST_CHECK NONNULL();

/** Reads /proc/PID/stat. False with errno. */
bool procfs_stat(pid_t pid, struct procstat *ret) MUST_CHECK NONNULL();

/** Whether a thread of PID sleeps in the kernel where no signal reaches it (state D). False when it cannot be seen. */
bool procfs_hangs(pid_t pid) MUST_CHECK;

/** The soft RLIMIT_LOCKS of PID, live or zombie: prlimit(2), and where that is EPERM the line of
 *  /proc/PID/limits. UINT64_MAX for infinity. False with errno. */
bool procfs_tag(pid_t pid, uint64_t *ret) MUST_CHECK NONNULL();

/** The value of variable NAME in the start environment of PID. False when it cannot be read (other uid,
 *  zombie), is not there or is too long. */
bool procfs_env(pid_t pid, const char *name, char *buf, size_t size) MUST_CHECK NONNULL();

/** The arguments of PID as one line in BUF (see procstat_line()), cut where they do not fit; "" for a process that has
 * none. False with errno.
 *
 * BUGS: the kernel reads them out of the memory of PID and waits for whoever has that locked, so this is not for a
 * process in state D. */
bool procfs_command(pid_t pid, char *buf, size_t size) MUST_CHECK NONNULL();

/** The number of BASE 10 or 16 behind NAME ("CapEff:") in /proc/PID/status. False with errno; EPROTO when there is
 * none. */
bool procfs_status(pid_t pid, const char *name, unsigned base, uint64_t *ret) MUST_CHECK NONNULL();

/** The control group of version 2 that PID, dead or alive, is in, as /proc/PID/cgroup names it ("/", "/a/b"), into BUF
 * of SIZE bytes. False with errno; EPROTO when it is in none, or when the name does not fit. */
bool procfs_cgroup(pid_t pid, char *buf, size_t size) MUST_CHECK NONNULL();

/** Fills L with every process id in /proc. False with errno. */
bool procfs_all(struct pidlist *l) MUST_CHECK NONNULL();

#endif
