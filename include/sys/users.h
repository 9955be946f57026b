/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Users by name or number. Only /etc/passwd and /etc/group are asked: name services (NSS) may block, and are not there
 * in a self-contained binary.
 */
#ifndef FOSTER_SYS_USERS_H
#define FOSTER_SYS_USERS_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** A user, looked up. Memory is the arena's. */
struct users_entry {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /**< those that /etc/group has the user in, and gid, which comes first; no group twice */
    size_t n_groups;
    const char *name;  /**< the number in decimal where there is no entry */
    const char *home;  /**< "/" where there is none */
    const char *shell; /**< "/bin/sh" where there is none */
};

/** Looks up TEXT: "name", "name:group", "uid" or "uid:gid". Numbers are decimal and are never names; names are never
 * numbers. With both as numbers no file needs to be there; "uid" alone needs an entry, which has its group. False with
 * *E (ERR_INPUT, with what would be right). */
bool users_find(struct arena *a, const char *text, struct users_entry *ret, struct err *e) MUST_CHECK NONNULL();

#endif
