/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a slice of the reaper's notes to events: each death has one meaning and is told once.
 */
#ifndef FOSTER_DAEMON_DEATHS_H
#define FOSTER_DAEMON_DEATHS_H

#include "base/compiler.h"
#include "daemon/engine.h"

#include <stdbool.h>
#include <stddef.h>

/** Takes in the N notes: settles what the dead leave open, looks for what they left behind, and posts. */
void deaths_take(struct engine *g, const struct reaper_note *notes, size_t n) NONNULL();

/** Whether nothing is to come any more of the end of U's main process: it has none, and super has been told. */
static inline bool deaths_main_is_over(const struct engine_unit *u)
{
    return u->main_pid == 0 && u->late == NULL;
}

/** An end of U that is held back is told. U may be gone afterwards. */
void deaths_tell_late(struct engine_unit *u) NONNULL();

/** An end of U that is held back never is told. */
void deaths_forget(struct engine_unit *u) NONNULL();

#endif
