/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is in a pipe.
 */
#ifndef FOSTER_SYS_PIPES_H
#define FOSTER_SYS_PIPES_H

#include "base/compiler.h"

#include <stddef.h>

/** How many bytes are in the pipe FD; 0 where that cannot be told. */
size_t pipes_bytes(int fd) MUST_CHECK;

/** Takes N bytes out of the pipe FD, which holds as many, and forgets them. */
void pipes_discard(int fd, size_t n);

#endif
