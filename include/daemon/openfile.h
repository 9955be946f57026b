/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The configuration from real files: finds the file, lets the core read it, shows the problems.
 */
#ifndef FOSTER_DAEMON_OPENFILE_H
#define FOSTER_DAEMON_OPENFILE_H

#include "base/compiler.h"
#include "core/spec.h"
#include "daemon/cli.h"

/** Loads the file that C names, or the first default one that exists, and writes all problems to standard error. NULL
 * when there was an error; free with spec_set_free(). */
struct spec_set *openfile_load(const struct cli *c) MUST_CHECK NONNULL();

#endif
