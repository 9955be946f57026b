/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Users and groups by name or number. Only /etc/passwd and /etc/group are asked: name services (NSS) may block, and are
 * not there in a self-contained binary.
 *
 * A text that begins with a digit or a sign is a number, or nothing at all: it is never looked up as a name, and what
 * is no decimal number below (uid_t)-1 is refused, so that no typing error ends as root.
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
    gid_t *groups;     /**< gid comes first; no group twice */
    size_t n_groups;   /**< at least 1 */
    const char *name;  /**< the number in decimal where there is no entry */
    const char *home;  /**< "/" where there is none */
    const char *shell; /**< "/bin/sh" where there is none */
};

/** Looks up TEXT: "name", "name:group", "uid" or "uid:gid"; a group may be a name or a number in each. The groups are
 * those that /etc/group has the user in, and gid. A number with a group means exactly what it says: that user and that
 * group, whatever the files add; with both as numbers no file needs to be there, or to be one that can be read. "uid"
 * alone needs an entry, which has its group. False with *E (ERR_INPUT when there is no such user or group). */
bool users_find(struct arena *a, const char *text, struct users_entry *ret, struct err *e) MUST_CHECK NONNULL();

/** The group that TEXT names, by its name in /etc/group or as a number. False with *E (ERR_INPUT when there is none).
 */
bool users_find_group(const char *text, gid_t *ret, struct err *e) MUST_CHECK NONNULL();

#endif
