/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Full houses: what is done when no process can be started because there are too many already. The start itself is
 * tried again by the core, with growing delays; here somebody looks who holds so many, and says so.
 */
#ifndef FOSTER_DAEMON_PRESSURE_H
#define FOSTER_DAEMON_PRESSURE_H

#include "base/compiler.h"
#include "daemon/engine.h"

/** Makes G->pressure ready. */
void pressure_start(struct engine *g) NONNULL();

/** Stops it. */
void pressure_stop(struct engine *g) NONNULL();

/** A process of the unit called NAME could not be started for want of room (EAGAIN); TEXT says what was refused. The
 * first time since a start has gone well: reaps who has ended, looks for zombies everywhere, carries out the policies
 * about them, and tells who holds most. */
void pressure_felt(struct engine *g, const char *name, const char *text) NONNULL();

/** A process was started. */
void pressure_eased(struct engine *g) NONNULL();

#endif
