/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who is there: looks up our children, gives new ones a home, finds all members of a unit, and
 * signals them: a member that has left the process group and the session is still a member.
 *
 * A pid is signalled only while it is our unreaped child, or through a pidfd of a process that is proven to
 * be below such a child.
 */
#ifndef FOSTER_DAEMON_CENSUS_H
#define FOSTER_DAEMON_CENSUS_H

#include "base/compiler.h"
#include "core/attrib.h"
#include "core/super.h"
#include "daemon/engine.h"

#include <stddef.h>

/** Opens (again) the descriptors that are kept in reserve for looking around when there are no others. */
void census_reserve(struct engine *g) NONNULL();

/** As procfs_children_of(). Out of descriptors, the reserve is lent to the look: what a service leaves behind must be
 * seen also then. */
bool census_children_of(struct engine *g, const struct procstat *st, struct pidlist *l) MUST_CHECK NONNULL();

/** Makes sure that our child PID, dead or alive, is in the tables: one that is not known is attributed; of one that has
 * ended it is noted what it was. */
void census_meet(struct engine *g, pid_t pid) NONNULL();

/** The run that PID, dead or alive, belongs to; NULL: none. It need not be our child. */
const struct attrib_run *census_run_of(struct engine *g, pid_t pid) NONNULL();

/** Looks through our children for ones that were re-parented to us since the last look. */
void census_refresh(struct engine *g) NONNULL();

/** As census_refresh(), unless that was done in this turn of the loop already: the list costs time for each child, so a
 *  thousand stops in one turn look once. */
void census_refresh_once(struct engine *g) NONNULL();

/** The live members (not the main process) of RUN among our children, those that its dead have left to us just now
 * included; *RET_N says how many. Owned by G, valid until the next call. When memory is refused there are fewer, and
 * what is left out counts as about to end. */
const struct attrib_candidate *census_left(struct engine *g, const struct attrib_run *run, size_t *ret_n) NONNULL();

/** How many of our unreaped children belong to U, in all runs that still count; the main process included, commands
 * beside it not. While U is
 * being killed, those whom we may not signal do not count: nobody can wait for them. */
size_t census_count(const struct engine *g, const struct engine_unit *u) NONNULL();

/** Sends SIG to those of U that SCOPE names. Returns how many got it. */
size_t census_signal_exactly(struct engine *g, const struct engine_unit *u, int sig, enum effect_scope scope) NONNULL();

/** The same with SIGCONT behind it, so that one that is suspended can obey. */
size_t census_signal(struct engine *g, const struct engine_unit *u, int sig, enum effect_scope scope) NONNULL();

/** SIGKILLs those of U that SCOPE names: everything is frozen first, so that a forking member cannot outrun it.
 *  Called again after each slice of deaths until nothing is left. */
void census_kill(struct engine *g, const struct engine_unit *u, enum effect_scope scope) NONNULL();

/** How many of our unreaped children that we may signal are in RUN. */
size_t census_count_run(const struct attrib_run *run) NONNULL();

/** As census_kill() with everything that is in RUN, of the unit U (NULL: of one that is gone) called NAME. */
void census_kill_run(struct engine *g, const struct engine_unit *u, const struct attrib_run *run, const char *name)
    NONNULL(1, 3, 4);

/** Sends SIG (and SIGCONT) to every process below us, whoever's it is; for PID 1 at its end. Returns how many. */
size_t census_signal_everything(struct engine *g, int sig) NONNULL();

#endif
