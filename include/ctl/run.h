/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the verbs do: one function a row of verbs.def. Each is called with a connection and returns the exit status.
 */
#ifndef FOSTER_CTL_RUN_H
#define FOSTER_CTL_RUN_H

#include "base/compiler.h"
#include "ctl/ctl.h"

/** Carries out the verb in C->args; the result is in C->out, or printed already. */
#define VERB(id, name, aliases, operands, min, max, help) int run_##name(struct ctl *c) MUST_CHECK NONNULL();
#include "ctl/verbs.def"

/** `ps --watch`. */
int watch_run(struct ctl *c) MUST_CHECK NONNULL();

#endif
