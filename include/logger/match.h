/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The line that shows that a service is ready (`ready: log`): looked for here, so that fosterd need not see any.
 */
#ifndef FOSTER_LOGGER_MATCH_H
#define FOSTER_LOGGER_MATCH_H

#include "base/compiler.h"
#include "logger/stream.h"

/** From now on looks for a line of S that begins at position FROM or behind and matches the POSIX extended regular
 * expression PATTERN; NULL: for none. */
void match_set(struct stream *s, const char *pattern, uint64_t from) NONNULL(1);

/** Bytes have come into the ring of S: looks at the lines that ended. The first that matches is told to fosterd
 * (MESSAGE_MATCHED) and ends the search. With FLUSH also at what there is of a line. */
void match_on_bytes(struct stream *s, bool flush) NONNULL();

/** Frees what s->matcher owns. */
void match_free(struct stream *s) NONNULL();

#endif
