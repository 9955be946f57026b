/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What init mode says of itself: usage, help, licence, in the form of each personality.
 */
#ifndef FOSTER_DAEMON_INITTEXT_H
#define FOSTER_DAEMON_INITTEXT_H

#include "base/compiler.h"
#include "daemon/persona.h"

#include <stdio.h>

/** Writes the whole help of P to OUT; NAME is argv[0]. That of PERSONA_FOSTER tells of the mode with a file too. */
void inittext_help(const struct persona *p, const char *name, FILE *out) NONNULL();

/** Writes to OUT what P says, beside the error itself, when its command line is wrong; may be nothing. */
void inittext_usage(const struct persona *p, const char *name, FILE *out) NONNULL();

/** Writes the licence of Foster to OUT. */
void inittext_license(FILE *out) NONNULL();

#endif
