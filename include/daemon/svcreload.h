/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Making a service read its own configuration again, as its key `reload` says: by a signal to its main process, or by a
 * command that runs beside it. The service goes on running; fosterd's configuration is another matter (reload.h).
 *
 * When it is done: a command, when it has exited with 0; a signal, at once, since nobody knows what becomes of it. A
 * service that says so itself is asked to: while it has said RELOADING=1 (sd_notify(3)), the reload is not done before
 * its READY=1. One that is known to say so, since it has before, is waited for after a signal, too.
 */
#ifndef FOSTER_DAEMON_SVCRELOAD_H
#define FOSTER_DAEMON_SVCRELOAD_H

#include "base/compiler.h"
#include "base/err.h"
#include "daemon/engine.h"

#include <stdbool.h>

/** A reload of U has ended; TEXT is for people ("reload: exited with code 1"). U is borrowed for the call: it may be
 * about to go. */
typedef void svcreload_done(struct engine_unit *u, bool ok, const char *text, void *data);

/** Reloads U. False with *E, and nobody is told: U has no `reload` or does not run (ERR_INPUT), is being reloaded
 * already (ERR_BUSY), or what was to be done could not be. Else DONE is told once, perhaps before this returns. Each of
 * the two, the command and the word of the service, may take as long as its `start_timeout`. */
bool svcreload_begin(struct engine_unit *u, svcreload_done *done, void *data, struct err *e) MUST_CHECK
    NONNULL(1, 2, 4);

/** Whoever began a reload of U with DATA is not to be told any more; the reload goes on. */
void svcreload_forget(struct engine_unit *u, const void *data) NONNULL(1);

/** The program of U has said RELOADING=1. */
void svcreload_reloading(struct engine_unit *u) NONNULL();

/** The program of U has said READY=1. */
void svcreload_ready(struct engine_unit *u) NONNULL();

/** U's main process has ended: a reload that is under way has failed. */
void svcreload_main_gone(struct engine_unit *u) NONNULL();

/** U is about to go: whoever waits for its reload is told that, and what is kept of it is freed. */
void svcreload_free(struct engine_unit *u) NONNULL();

#endif
