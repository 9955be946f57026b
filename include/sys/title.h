/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What ps(1) shows as the command of this process.
 */
#ifndef FOSTER_SYS_TITLE_H
#define FOSTER_SYS_TITLE_H

#include "base/compiler.h"

/** Notes where the arguments of main() lie, for title_set(). */
void title_init(int argc, char **argv) NONNULL();

/** Has the command of this process be TEXT, as far as there is room: in place of its arguments, which are gone then.
 * Without title_init() nothing happens. */
void title_set(const char *text) NONNULL();

#endif
