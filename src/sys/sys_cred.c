/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The system calls that say who a process is and what it may, one a function, as in sys.c.
 */
#include "sys/sys_cred.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the first calls of these names had 16-bit ids, the later ones are meant. */
#ifdef SYS_setresuid32
enum {
    CRED_SETGROUPS = SYS_setgroups32,
    CRED_GETGROUPS = SYS_getgroups32,
    CRED_SETRESUID = SYS_setresuid32,
    CRED_SETRESGID = SYS_setresgid32,
    CRED_GETRESUID = SYS_getresuid32,
    CRED_GETRESGID = SYS_getresgid32,
};
#else
enum {
    CRED_SETGROUPS = SYS_setgroups,
    CRED_GETGROUPS = SYS_getgroups,
    CRED_SETRESUID = SYS_setresuid,
    CRED_SETRESGID = SYS_setresgid,
    CRED_GETRESUID = SYS_getresuid,
    CRED_GETRESGID = SYS_getresgid,
};
#endif

/* Kernel headers may be older than the kernel. */
#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT       47
#define PR_CAP_AMBIENT_RAISE 2
#endif

int sys_setgroups(size_t n, const gid_t *groups)
{
    return (int)syscall(CRED_SETGROUPS, n, groups);
}

int sys_getgroups(size_t n, gid_t *ret)
{
    return (int)syscall(CRED_GETGROUPS, n, ret);
}

int sys_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return (int)syscall(CRED_SETRESUID, real, effective, saved);
}

int sys_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    return (int)syscall(CRED_SETRESGID, real, effective, saved);
}

int sys_getresuid(uid_t ret[3])
{
    return (int)syscall(CRED_GETRESUID, &ret[0], &ret[1], &ret[2]);
}

int sys_getresgid(gid_t ret[3])
{
    return (int)syscall(CRED_GETRESGID, &ret[0], &ret[1], &ret[2]);
}

int sys_capget(struct sys_caps *ret)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, words) != 0)
        return -1;
    ret->effective = words[0].effective | (uint64_t)words[1].effective << 32;
    ret->permitted = words[0].permitted | (uint64_t)words[1].permitted << 32;
    ret->inheritable = words[0].inheritable | (uint64_t)words[1].inheritable << 32;
    return 0;
}

int sys_capset(const struct sys_caps *caps)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        words[i].effective = (uint32_t)(caps->effective >> 32 * i);
        words[i].permitted = (uint32_t)(caps->permitted >> 32 * i);
        words[i].inheritable = (uint32_t)(caps->inheritable >> 32 * i);
    }
    return (int)syscall(SYS_capset, &header, words);
}

int sys_bounding_has(unsigned cap)
{
    return prctl(PR_CAPBSET_READ, (unsigned long)cap, 0UL, 0UL, 0UL);
}

int sys_bounding_drop(unsigned cap)
{
    return prctl(PR_CAPBSET_DROP, (unsigned long)cap, 0UL, 0UL, 0UL);
}

int sys_ambient_raise(unsigned cap)
{
    return prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_RAISE, (unsigned long)cap, 0UL, 0UL);
}

int sys_keep_caps(void)
{
    return prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL);
}

int sys_set_no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
}

int sys_get_no_new_privs(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL);
}

int sys_set_nice(int nice)
{
    return setpriority(PRIO_PROCESS, 0, nice);
}
