/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The driver `file`: lines go to a file that is rotated.
 */
#ifndef FOSTER_LOGGER_FILE_H
#define FOSTER_LOGGER_FILE_H

#include "base/compiler.h"
#include "logger/stream.h"

/** Ends what a logger before us was in the middle of writing to a file: all streams are there. */
void file_recover(struct logger *l) NONNULL();

#endif
