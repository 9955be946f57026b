/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Checked allocation: overflow-safe arrays and an arena. Every allocation of the project goes through
 * these functions, so that tests can refuse the n-th one with the linker's --wrap.
 */
#ifndef FOSTER_BASE_MEM_H
#define FOSTER_BASE_MEM_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/** SIZE zeroed bytes, or NULL with errno ENOMEM. The caller frees with mem_free(). SIZE 0 gives a
 *  valid pointer. */
void *mem_alloc(size_t size) MUST_CHECK;

/** An array of N zeroed elements of SIZE bytes, or NULL with ENOMEM, also when N * SIZE overflows. */
void *mem_array(size_t n, size_t size) MUST_CHECK;

/** Resizes the array P (NULL: a new one) to N elements of SIZE bytes; the new part is NOT zeroed.
 *  NULL with ENOMEM leaves P as it was. */
void *mem_resize(void *p, size_t n, size_t size) MUST_CHECK;

/** Makes room for at least WANT elements in the array *ARRAY of *CAP elements of SIZE bytes, growing
 *  by doubling. False with ENOMEM leaves both as they were. ARRAY points to the array pointer. */
bool mem_grow(void *array, size_t *cap, size_t want, size_t size) MUST_CHECK NONNULL();

/** A copy of the string S, or NULL with ENOMEM. The caller frees it. */
char *mem_strdup(const char *s) MUST_CHECK NONNULL();

/** Frees P; NULL is fine; errno is kept. */
void mem_free(void *p);

/** A region whose pieces are freed together. Zero-initialised is a valid empty arena. */
struct arena {
    struct arena_block *head; /**< owned; newest block */
    size_t used;              /**< bytes handed out in all, for reports and caps */
    size_t max;               /**< refuse beyond this many bytes; 0 = no limit */
};

/** SIZE zeroed bytes from A, aligned for any type, or NULL with ENOMEM. Freed by arena_done() only. */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK NONNULL();

/** An array of N zeroed elements of SIZE bytes from A, or NULL with ENOMEM. */
void *arena_array(struct arena *a, size_t n, size_t size) MUST_CHECK NONNULL();

/** A copy of the string S in A, or NULL with ENOMEM. */
char *arena_strdup(struct arena *a, const char *s) MUST_CHECK NONNULL();

/** A copy of the first LEN bytes of S in A, with a NUL behind, or NULL with ENOMEM. */
char *arena_strndup(struct arena *a, const char *s, size_t len) MUST_CHECK NONNULL();

/** printf into a new string of A, or NULL with ENOMEM. */
char *arena_printf(struct arena *a, const char *fmt, ...) MUST_CHECK PRINTF_LIKE(2, 3) NONNULL();

/** Frees all of A; A is a valid empty arena afterwards. */
void arena_done(struct arena *a) NONNULL();

#endif
