/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How a run shows that it is ready, by the key `ready`: a newline on a descriptor, a line of output, a probe that
 * succeeds, or time. (By READY=1: notify.h. Without the key, super knows by itself.) What was seen is posted as
 * EVENT_READY, once; after that nothing of it goes on.
 *
 * A newline and a line count from the start of the program on, whatever super knows by then. Probes and time begin
 * when it runs, and all of it ends when it does not any more.
 *
 * DIAGNOSTICS: each probe that fails, at level debug; and how the last one failed, when the run ends without having
 * been ready.
 */
#ifndef FOSTER_DAEMON_READY_H
#define FOSTER_DAEMON_READY_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/super.h"

#include <stdbool.h>

struct engine_unit;
struct spawn_request;

/** Makes what must exist before the fork of U's new run, whose run and output are there. False with *E (descriptors,
 * memory). */
bool ready_prepare(struct engine_unit *u, struct err *e) MUST_CHECK NONNULL();

/** Adds the descriptor that U's program is to write to, if there is one, to those of REQ, in memory of A. False:
 * ENOMEM. */
bool ready_request(const struct engine_unit *u, struct arena *a, struct spawn_request *req) MUST_CHECK NONNULL();

/** The fork is done, or is not going to be. */
void ready_forked(struct engine_unit *u) NONNULL();

/** U has entered the state TO. */
void ready_on_state(struct engine_unit *u, enum unit_state to) NONNULL();

/** Takes in what the main process of U, which has ended, has still shown: that comes before its end. */
void ready_settle(struct engine_unit *u) NONNULL();

/** Whether U, which is not ready yet, may turn out to have been by what it has written, of which the logger has been
 * asked and has not told yet. */
bool ready_awaits_output(const struct engine_unit *u) MUST_CHECK NONNULL();

/** Whether it has to wait that U's time is up: it has turned out to be ready, or is about to end, or may turn out to
 * have been ready by what it has written; in the last case EVENT_TIMER is posted when that is known. */
bool ready_puts_off(struct engine_unit *u) MUST_CHECK NONNULL();

/** U's spec may be another one now: as long as it is not ready, it goes by that. */
void ready_renew(struct engine_unit *u) NONNULL();

/** Ends whatever goes on for U. */
void ready_free(struct engine_unit *u) NONNULL();

#endif
