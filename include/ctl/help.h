/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What --help prints, from the rows of verbs.def. At most 80 columns.
 */
#ifndef FOSTER_CTL_HELP_H
#define FOSTER_CTL_HELP_H

#include "base/buf.h"
#include "base/compiler.h"
#include "ctl/args.h"

/** Appends the help for VERB, or with VERB_NONE for the whole program. OUT says itself when it is full. */
void help_print(struct buf *out, enum verb verb) NONNULL();

#endif
