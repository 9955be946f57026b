/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * users.h with the files named, for tests.
 */
#ifndef FOSTER_SYS_USERS_IMPL_H
#define FOSTER_SYS_USERS_IMPL_H

#include "sys/users.h"

/** The files to ask; borrowed. */
struct users_files {
    const char *passwd; /**< as passwd(5) has it */
    const char *group;  /**< as group(5) has it */
};

/** users_find() in FILES. */
bool users_find_in(const struct users_files *files, struct arena *a, const char *text, struct users_entry *ret,
                   struct err *e) MUST_CHECK NONNULL();

/** users_find_group() in FILES. */
bool users_find_group_in(const struct users_files *files, const char *text, gid_t *ret, struct err *e) MUST_CHECK
    NONNULL();

#endif
