/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control groups of units: their limits, whose a process is, how often the limits were met. doc/limits.md says what
 * is used where. Whatever fails here costs a unit its limits, never its start, unless `require_limits` wants it so.
 *
 * A unit has a record of its own here from its first start with a limit or in a group on. No descriptor is kept for a
 * unit: there may be thousands.
 */
#ifndef FOSTER_DAEMON_CGROUPS_H
#define FOSTER_DAEMON_CGROUPS_H

#include "base/compiler.h"
#include "base/err.h"
#include "sys/cgroup.h"
#include "sys/spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;
struct engine_unit;
struct cgroups;
struct cgroups_unit;

/** Where a process is to be born. */
struct cgroups_birth {
    struct spawn_cgroups request; /**< its descriptors are ours; it points into this structure */
    int procs_fds[CGROUP_CONTROLLER_N];
};

/** Finds out where groups can be made, as `supervisor: cgroup` of G's configuration wants it, and makes what is needed
 * at once. Not called where one command runs alone: then there are no groups. */
void cgroups_start(struct engine *g) NONNULL();

/** Makes what G's configuration needs and is not there yet: trees, controllers. To be called before any process is
 * started that would be in the way of that, and after a reload. */
void cgroups_prepare(struct engine *g) NONNULL();

/** Removes everything, as far as no process is in it. */
void cgroups_stop(struct engine *g) NONNULL();

/** Makes ready the groups for run RUN of U, or of a command beside it, and sets its limits. Fills *RET, which has to be
 * given to cgroups_birth_done(). False with *E: its limits cannot be enforced, and have to be; or there is no memory.
 */
bool cgroups_enter(struct engine_unit *u, uint64_t run, struct cgroups_birth *ret, struct err *e) MUST_CHECK NONNULL();

/** What is to be asked of the spawn; NULL: nothing. */
const struct spawn_cgroups *cgroups_birth_request(const struct cgroups_birth *b) NONNULL();

/** Closes the descriptors of B. */
void cgroups_birth_done(struct cgroups_birth *b) NONNULL();

/** A child of U could not join the groups of cgroups_enter(), by ERRNUM. Whether it is worth a try without: from now on
 * U's processes are not asked to. */
bool cgroups_refused(struct engine_unit *u, int errnum) NONNULL();

/** A run of U is closed: removes the directories of runs that nobody is in. */
void cgroups_leave(struct engine_unit *u) NONNULL();

/** A command beside U, with RUN as the number of its run, is over: removes its directory. */
void cgroups_leave_helper(struct engine_unit *u, uint64_t run) NONNULL();

/** U is about to go: removes its directories, and frees its record. */
void cgroups_forget(struct engine_unit *u) NONNULL();

/** The number of the run in whose group PID, alive or not, is; 0: in none of ours. */
uint64_t cgroups_run_of(const struct engine *g, pid_t pid) MUST_CHECK NONNULL();

/** Kills at once whoever is in the groups of those runs of U that count for it. False: that is not possible here;
 * nobody has been killed. */
bool cgroups_kill(const struct engine_unit *u) MUST_CHECK NONNULL();

/** The same with whoever is in the group of run RUN of U, and there alone. */
bool cgroups_kill_run(const struct engine_unit *u, uint64_t run) MUST_CHECK NONNULL();

/** Whether the limits of U's last start are in force: "enforced" or "unenforced"; NULL: it has none, or has not been
 * started. Static. */
const char *cgroups_limits(const struct engine_unit *u) NONNULL();

/** One of U's processes has died by SIGKILL: whether the kernel has killed it because memory was out. Each kill is told
 * once. */
bool cgroups_oom_killed(struct engine_unit *u) MUST_CHECK NONNULL();

/** Tells of processes of U that the kernel has killed because memory was out, and that are nobody's we know of: before
 * we kill some ourselves, whose deaths would be mistaken for those. */
void cgroups_oom_settle(struct engine_unit *u) NONNULL();

/** What "out of memory" of U's is to be followed by, ", limit 64.0M", into BUF; returns it. */
char *cgroups_oom_text(const struct engine_unit *u, char *buf, size_t size) NONNULL();

/** Where limits of controller C are enforced, or why not, for people, into BUF; whether they are. */
bool cgroups_where(const struct engine *g, enum cgroup_controller c, char *buf, size_t size) NONNULL();

/** Whether all units have groups, not only those with limits. */
bool cgroups_for_all(const struct engine *g) MUST_CHECK NONNULL();

/** Which limits the configuration of G has somewhere: bit c, of controller c. */
unsigned cgroups_needed(const struct engine *g) MUST_CHECK NONNULL();

#endif
