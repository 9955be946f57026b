/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The configuration from real files: finds the file, lets the core read it, shows the problems.
 */
#ifndef FOSTER_DAEMON_OPENFILE_H
#define FOSTER_DAEMON_OPENFILE_H

#include "base/compiler.h"
#include "core/diag.h"
#include "core/spec.h"
#include "daemon/cli.h"

/** Loads the file that C names, or the first default one that exists, which C names from then on; writes all problems
 * to standard error. NULL when there was an error; free with spec_set_free(). */
struct spec_set *openfile_load(struct cli *c) MUST_CHECK NONNULL();

/** Loads the file that C names; all problems go to D. NULL when there was an error. */
struct spec_set *openfile_again(const struct cli *c, struct diag_list *d) MUST_CHECK NONNULL();

#endif
