/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Compression of log files that are full, by gzip(1) in a process of its own with the least priority, one at a time.
 * What is to be compressed is what lies on disk without `.gz`: so nothing is forgotten, whoever dies.
 */
#ifndef FOSTER_LOGGER_COMPRESS_H
#define FOSTER_LOGGER_COMPRESS_H

#include "base/compiler.h"
#include "logger/stream.h"

/** The files that the file of S was are to be compressed: now, or when others have been. */
void compress_files(struct stream *s) NONNULL();

/** S goes: its directory is not looked at any more. */
void compress_forget(struct stream *s) NONNULL();

#endif
