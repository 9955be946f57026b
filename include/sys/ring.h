/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Memory for rings that two processes share, the data of which is mapped twice in a row.
 */
#ifndef FOSTER_SYS_RING_H
#define FOSTER_SYS_RING_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/** Makes zeroed memory of HEAD + DATA bytes (both multiples of the page) without a name (memfd_create(2)). The
 * descriptor, or -1 with errno. */
int ring_create(size_t head, size_t data) MUST_CHECK;

/** Maps FD: HEAD bytes, then DATA bytes, then the same DATA bytes again; not for children of fork(2), see
 * ring_inherit(). NULL with errno. */
void *ring_map(int fd, size_t head, size_t data) MUST_CHECK;

/** Has the children of the next fork(2) share the mapping BASE, or (INHERIT false) not. -1 with errno. */
int ring_inherit(void *base, size_t head, size_t data, bool inherit) MUST_CHECK NONNULL();

/** Unmaps it; NULL is fine. */
void ring_unmap(void *base, size_t head, size_t data);

/** Zeroed memory of SIZE bytes that children of fork(2) share. NULL with errno. */
void *ring_shared(size_t size) MUST_CHECK;

/** The size of a page. */
size_t ring_page(void);

#endif
