/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The last lines of output of one unit, read from its rings: what `status` shows, and why something failed.
 */
#ifndef FOSTER_DAEMON_TAIL_H
#define FOSTER_DAEMON_TAIL_H

#include "base/compiler.h"
#include "daemon/output.h"

#include <jansson.h>
#include <stddef.h>

/** What is read of a ring, what of that is given, and what of a line, at most: bytes. */
enum { TAIL_READ_MAX = 64 << 10, TAIL_BYTES_MAX = 8 << 10, TAIL_LINE_MAX = 1024 };

/** The last N lines of U as a JSON array of strings, oldest first, those of both its streams in the order in which they
 * came. FROM: of the run that began there; NULL: of any. NULL without memory. */
json_t *tail_json(const struct engine_unit *u, size_t n, const struct output_place *from) MUST_CHECK NONNULL(1);

#endif
