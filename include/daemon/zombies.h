/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Zombies that are not ours to reap: the periodic look at units whose policy wants one, and what the policy does then.
 *
 * The timer runs while there is a reason: it is started when something is started, and not anew once no unit with
 * processes has a policy other than off. In init mode there is none of this.
 */
#ifndef FOSTER_DAEMON_ZOMBIES_H
#define FOSTER_DAEMON_ZOMBIES_H

#include "base/compiler.h"
#include "daemon/engine.h"
#include "daemon/zombie_jobs.h"
#include "daemon/zombie_note.h"

#include <ev.h>
#include <stdbool.h>

/** One engine's. */
struct zombies {
    struct engine *engine; /**< borrowed */
    struct zombie_jobs jobs;
    struct ev_timer check;
    struct zombie_note unclaimed;
};

/** Makes G->zombies. It stays NULL without memory: then nobody looks, and that is told. */
void zombies_start(struct engine *g) NONNULL();

/** Stops whatever is under way and frees G->zombies. */
void zombies_stop(struct engine *g) NONNULL();

/** A process of U was started: starts the timer if it does not run and U's policy wants it to. */
void zombies_watch(const struct engine_unit *u) NONNULL();

/** Policies, or the time between two looks, may have changed: starts the timer anew. */
void zombies_renew(struct engine *g) NONNULL();

/** Looks at all units now, whatever their policies, carries those out, and calls ON_DONE at the end. False: no memory.
 */
bool zombies_look_now(struct engine *g, zombie_job_fn *on_done) MUST_CHECK NONNULL();

#endif
