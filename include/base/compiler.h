/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Names for the compiler attributes and small macros that the whole tree uses.
 */
#ifndef FOSTER_BASE_COMPILER_H
#define FOSTER_BASE_COMPILER_H

#include <assert.h>
#include <stddef.h>

/** Marks a function whose result must be looked at: it can fail. */
#define MUST_CHECK __attribute__((warn_unused_result))

/** Marks a printf-like function: argument FMT is the format, ARGS the first variable one. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/** Marks pointer parameters that must not be NULL; without arguments: all of them. */
#define NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))

/** Marks a parameter, variable or function that may stay unused. */
#define UNUSED __attribute__((unused))

/** Runs FN on the address of the variable when it goes out of scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/** Falls through to the next case on purpose. */
#define FALLTHROUGH __attribute__((fallthrough))

/** The number of elements of the array A (not of a pointer). */
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/** The structure of type TYPE whose member MEMBER is at PTR. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
