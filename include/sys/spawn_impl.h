/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What spawn.c and spawn_text.c share.
 */
#ifndef FOSTER_SYS_SPAWN_IMPL_H
#define FOSTER_SYS_SPAWN_IMPL_H

#include "base/compiler.h"

/** Where a program is looked for: the value of PATH in ENVP, or the default path where that has none. Borrowed. */
const char *spawn_path(char *const *envp) MUST_CHECK NONNULL();

#endif
