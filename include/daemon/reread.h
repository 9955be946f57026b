/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A configuration that is loaded once more, from what it means instead of from its files.
 */
#ifndef FOSTER_DAEMON_REREAD_H
#define FOSTER_DAEMON_REREAD_H

#include "base/compiler.h"
#include "core/diag.h"
#include "core/spec.h"
#include "daemon/cli.h"

/** A new set that says the same as SET, with the profiles of C, but for the override KEY=VALUE (as of --set), checked
 * like a file. Problems go to D, without places. NULL when there was an error; free with spec_set_free(). */
struct spec_set *reread_with(const struct spec_set *set, const struct cli *c, const char *override,
                             struct diag_list *d) MUST_CHECK NONNULL();

#endif
