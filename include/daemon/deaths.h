/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a slice of the reaper's notes to events: each death has one meaning and is told once.
 */
#ifndef FOSTER_DAEMON_DEATHS_H
#define FOSTER_DAEMON_DEATHS_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <stddef.h>

/** Takes in the N notes: settles what the dead leave open, looks for what they left behind, and posts. */
void deaths_take(struct engine *g, const struct reaper_note *notes, size_t n) NONNULL();

#endif
