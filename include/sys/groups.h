/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Names of groups. Only /etc/group is asked: name services (NSS) may block, and are not there in a self-contained
 * binary.
 */
#ifndef FOSTER_SYS_GROUPS_H
#define FOSTER_SYS_GROUPS_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/** The group that TEXT names, by its name in /etc/group or as a number. False with *E (ERR_INPUT when there is none).
 */
bool groups_find(const char *text, gid_t *ret, struct err *e) MUST_CHECK NONNULL();

#endif
