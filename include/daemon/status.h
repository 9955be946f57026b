/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What we tell whoever watches us: the service manager above (sd_notify) and, on request, the log.
 */
#ifndef FOSTER_DAEMON_STATUS_H
#define FOSTER_DAEMON_STATUS_H

#include "base/compiler.h"
#include "daemon/engine.h"

/** Opens the notification socket and starts the watchdog timer when one is asked for. */
void status_start(struct engine *g) NONNULL();

/** Called when a unit's state has changed: READY=1 once everything has settled, STATUS=. */
void status_changed(struct engine *g) NONNULL();

/** Called when everything begins to stop: STOPPING=1. */
void status_stopping(struct engine *g) NONNULL();

/** A reload begins: RELOADING=1, if we have been READY before. */
void status_reloading(struct engine *g) NONNULL();

/** What status_reloading() has told of is over: READY=1. */
void status_reloaded(struct engine *g) NONNULL();

/** Logs every unit and every process that belongs to it. */
void status_dump(struct engine *g) NONNULL();

/** Stops the watchdog timer and closes the socket. */
void status_stop(struct engine *g) NONNULL();

#endif
