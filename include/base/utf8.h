/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Where one character of UTF-8 text ends, and where a text may be cut (RFC 3629).
 */
#ifndef FOSTER_BASE_UTF8_H
#define FOSTER_BASE_UTF8_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/** The number of bytes of the first character of the LEN >= 1 bytes at S. *RET_VALID says whether it is
 *  well-formed; when not (also: overlong forms, surrogates, beyond U+10FFFF), the result counts the bytes
 *  that one U+FFFD stands for, at least 1. */
size_t utf8_step(const char *s, size_t len, bool *ret_valid) NONNULL();

/** The greatest length <= MAX to which the LEN bytes at S can be cut without splitting a character. */
size_t utf8_cut(const char *s, size_t len, size_t max) NONNULL();

/** Whether the LEN bytes at S are well-formed. */
bool utf8_is_valid(const char *s, size_t len) NONNULL();

#endif
