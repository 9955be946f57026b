/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What would count against a run, its end or the end of its time, is held back while the logger may still find in its
 * output that it was ready before: whoever is slow then, it is not the run.
 */
#ifndef FOSTER_DAEMON_HOLD_H
#define FOSTER_DAEMON_HOLD_H

#include "base/compiler.h"

struct engine_unit;

/** Tells what was held back of U. */
typedef void hold_fn(struct engine_unit *u);

/** Seconds for which something is held back at most, for there may be no logger. Tests make it shorter. */
extern double hold_s;

/** Has FN called once, on a later turn of the loop, when the logger has answered what output_sync() has asked for, or
 * hold_s have passed, or hold_release(); in place of what is held back of U already. */
void hold_begin(struct engine_unit *u, hold_fn *fn) NONNULL();

/** There is nothing to wait for any more: what is held back of U, if anything, is told on the next turn of the loop. */
void hold_release(struct engine_unit *u) NONNULL();

/** What is held back of U, if anything, never is told. */
void hold_forget(struct engine_unit *u) NONNULL();

#endif
