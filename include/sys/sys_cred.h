/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers, as those of sys.h, of the system calls that say who a process is and what it may: ids, capabilities,
 * priority. All change this thread alone, which is right only in a process that has no other: the C library's
 * setresuid(3) and its kin signal all threads that it knows of, and after clone3(2) it knows nothing.
 *
 * All return what the call returns: -1 with errno set on failure. All are async-signal-safe.
 */
#ifndef FOSTER_SYS_SYS_CRED_H
#define FOSTER_SYS_SYS_CRED_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The three capability sets that capset(2) knows; bit n is capability number n. */
struct sys_caps {
    uint64_t effective;
    uint64_t permitted;
    uint64_t inheritable;
};

/** setgroups(2). GROUPS may be NULL when N is 0. */
int sys_setgroups(size_t n, const gid_t *groups) MUST_CHECK;
/** getgroups(2) into RET with room for N: how many there are, EINVAL when those are more than N. */
int sys_getgroups(size_t n, gid_t *ret) MUST_CHECK;
/** setresuid(2). (uid_t)-1 leaves one as it is. */
int sys_setresuid(uid_t real, uid_t effective, uid_t saved) MUST_CHECK;
/** setresgid(2). */
int sys_setresgid(gid_t real, gid_t effective, gid_t saved) MUST_CHECK;
/** getresuid(2): real, effective, saved. */
int sys_getresuid(uid_t ret[3]) MUST_CHECK NONNULL();
/** getresgid(2): real, effective, saved. */
int sys_getresgid(gid_t ret[3]) MUST_CHECK NONNULL();
/** capget(2) of ourselves. */
int sys_capget(struct sys_caps *ret) MUST_CHECK NONNULL();
/** capset(2) of ourselves. What is no longer both permitted and inheritable is not ambient any more either. */
int sys_capset(const struct sys_caps *caps) MUST_CHECK NONNULL();
/** prctl(PR_CAPBSET_READ): 1 or 0; EINVAL: there is no such capability. */
int sys_bounding_has(unsigned cap) MUST_CHECK;
/** prctl(PR_CAPBSET_DROP); EPERM without CAP_SETPCAP. */
int sys_bounding_drop(unsigned cap) MUST_CHECK;
/** prctl(PR_CAP_AMBIENT_RAISE); since kernel 4.3. CAP must be permitted and inheritable. */
int sys_ambient_raise(unsigned cap) MUST_CHECK;
/** prctl(PR_SET_KEEPCAPS, 1): the permitted set outlives the next change from root to another user. */
int sys_keep_caps(void) MUST_CHECK;
/** prctl(PR_SET_NO_NEW_PRIVS, 1). */
int sys_set_no_new_privs(void) MUST_CHECK;
/** prctl(PR_GET_NO_NEW_PRIVS): 1 or 0. */
int sys_get_no_new_privs(void) MUST_CHECK;
/** setpriority(2) of ourselves: -20 to 19. EACCES where that needs CAP_SYS_NICE. */
int sys_set_nice(int nice) MUST_CHECK;

#endif
