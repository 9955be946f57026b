/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The commands that the configuration has around a run of a service (`pre_start` and so on): one after another, each a
 * helper, up to the first that fails. When they run, and what follows, is super's.
 *
 * Beside what every helper is given they get FOSTER_HOOK (the key), FOSTER_MAIN_PID while there is a main process, and
 * in post_stop, when a program has run, either FOSTER_EXIT_CODE or FOSTER_EXIT_SIGNAL ("SIGTERM").
 *
 * DIAGNOSTICS: an event `hook` at level debug for each that goes well; super tells of the others.
 */
#ifndef FOSTER_DAEMON_HOOKS_H
#define FOSTER_DAEMON_HOOKS_H

#include "base/compiler.h"
#include "core/super.h"
#include "daemon/engine.h"

/** Carries out F, which is EFFECT_HOOKS of U, and posts EVENT_HOOKS_DONE once, perhaps before this returns. */
void hooks_begin(struct engine_unit *u, const struct effect *f) NONNULL();

/** Ends what hooks_begin() has begun; nothing is posted any more. Harmless when there is nothing. */
void hooks_end(struct engine_unit *u) NONNULL();

#endif
