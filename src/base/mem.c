/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The one place that asks libc for memory.
 *
 * DIAGNOSTICS: none; a refusal is NULL (or false) with errno ENOMEM, and the caller decides.
 * BUGS: in a build with AddressSanitizer every piece of an arena is a block of its own, so that a write
 * past its end is found; such a build says nothing about the speed of arenas.
 */
#include "base/mem.h"

#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define MEM_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_HAS_ASAN 1
#endif
#endif

#ifdef MEM_HAS_ASAN
enum { ARENA_BLOCK_MIN = 1, ARENA_BLOCK_MAX = 1 };
#else
enum { ARENA_BLOCK_MIN = 1024, ARENA_BLOCK_MAX = 64 * 1024 };
#endif

enum { MEM_GROW_MIN = 8 };

struct arena_block {
    struct arena_block *next; /* owned; the block before */
    size_t size;              /* bytes in data */
    size_t used;
    max_align_t data[];
};

void *mem_alloc(size_t size)
{
    return mem_array(1, size);
}

void *mem_array(size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total) || total > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return calloc(1, total > 0 ? total : 1);
}

void *mem_resize(void *p, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total) || total > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, total > 0 ? total : 1);
}

bool mem_grow(void *array, size_t *cap, size_t want, size_t size)
{
    void *old, *new;
    size_t n = *cap;

    if (want <= n)
        return true;
    if (__builtin_mul_overflow(n, (size_t)2, &n) || n < want)
        n = want;
    if (n < MEM_GROW_MIN)
        n = MEM_GROW_MIN;

    /* ARRAY may point to a pointer of any type: only its bytes are ours to read. */
    memcpy(&old, array, sizeof(old));
    new = mem_resize(old, n, size);
    if (!new)
        return false;
    memcpy(array, &new, sizeof(new));
    *cap = n;
    return true;
}

char *mem_strdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = mem_alloc(size);

    return copy ? memcpy(copy, s, size) : NULL;
}

void mem_free(void *p)
{
    int saved = errno;

    free(p);
    errno = saved;
}

/* The place for SIZE bytes behind what is used of A's newest block, or NULL when it has no room there. */
static void *arena_fit(struct arena *a, size_t size, size_t align)
{
    struct arena_block *b = a->head;
    size_t start;

    if (!b)
        return NULL;
    start = (b->used + align - 1) / align * align;
    if (start > b->size || size > b->size - start)
        return NULL;
    b->used = start + size;
    return (char *)b->data + start;
}

static bool arena_add_block(struct arena *a, size_t size)
{
    size_t room = a->head ? a->head->size * 2 : ARENA_BLOCK_MIN, total;
    struct arena_block *b;

    if (room > ARENA_BLOCK_MAX)
        room = ARENA_BLOCK_MAX;
    if (room < size)
        room = size;
    if (__builtin_add_overflow(room, sizeof(*b), &total)) {
        errno = ENOMEM;
        return false;
    }
    b = mem_alloc(total);
    if (!b)
        return false;
    b->size = room;
    b->next = a->head;
    a->head = b;
    return true;
}

static void *arena_take(struct arena *a, size_t size, size_t align)
{
    size_t used;
    void *p;

    if (size == 0)
        size = 1;
    if (__builtin_add_overflow(a->used, size, &used) || (a->max > 0 && used > a->max)) {
        errno = ENOMEM;
        return NULL;
    }
    p = arena_fit(a, size, align);
    if (!p && arena_add_block(a, size))
        p = arena_fit(a, size, align);
    if (p)
        a->used = used;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return arena_take(a, size, alignof(max_align_t));
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return arena_alloc(a, total);
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy;

    if (len == SIZE_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    copy = arena_take(a, len + 1, 1);
    /* The byte behind is zero already. */
    return copy ? memcpy(copy, s, len) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0) {
        errno = ENOMEM;
        return NULL;
    }
    text = arena_take(a, (size_t)len + 1, 1);
    if (!text)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return text;
}

void arena_done(struct arena *a)
{
    while (a->head) {
        struct arena_block *b = a->head;
        a->head = b->next;
        mem_free(b);
    }
    a->used = 0;
}
