/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Capabilities (capabilities(7)) by name and number, through libcap.
 */
#ifndef FOSTER_SYS_CAPS_H
#define FOSTER_SYS_CAPS_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for every name, with its NUL. */
enum { CAPS_NAME_MAX = 40 };

/** What this process has; bit n is capability number n. */
struct caps_own {
    uint64_t permitted;
    uint64_t effective;
    uint64_t bounding;
};

/** The number of the capability TEXT, in any case, with or without "CAP_". False: libcap knows none of that name, and
 * it is no number either. */
bool caps_find(const char *text, unsigned *ret) MUST_CHECK NONNULL();

/** Fills BUF, of CAPS_NAME_MAX bytes, with the name of capability NUMBER in capitals and without CAP_; in decimal where
 * libcap knows no name. Returns BUF. */
char *caps_name(unsigned number, char *buf) NONNULL();

/** The capabilities that this kernel has. */
uint64_t caps_all(void);

/** What we have. False with errno. */
bool caps_read(struct caps_own *ret) MUST_CHECK NONNULL();

#endif
