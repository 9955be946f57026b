/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Who the program is, and what it may: the steps between fork and exec that change ids and capabilities. What the
 * kernel says that it has done is read back, for a service that runs as somebody else than it should is worse than one
 * that does not run.
 *
 * BUGS: all that child.c says about such code holds here too.
 */
#include "sys/child.h"

#include "sys/sys.h"
#include "sys/sys_cred.h"

#include <errno.h>

enum { CAP_BITS = 64 };

static bool has_bit(uint64_t set, unsigned n)
{
    return (set >> n & 1) != 0;
}

/* ------------------------------------------------------------------ the bounding set */

/* Without new privileges exec takes nothing from the bounding set that is not permitted already. */
static bool bounding_gives_nothing(const struct spawn_request *req)
{
    return req->no_new_privs || sys_get_no_new_privs() == 1;
}

bool child_bounding(struct child_plan *plan)
{
    const struct spawn_caps *caps = plan->req->caps;
    if (caps == NULL)
        return true;
    for (unsigned n = 0; n < CAP_BITS; n++) {
        int has = has_bit(caps->bounding, n) ? 0 : sys_bounding_has(n);
        if (has == -1 && errno == EINVAL)
            return true; /* this kernel's capabilities end here */
        if (has == 0 || (has == 1 && sys_bounding_drop(n) == 0))
            continue;
        if (errno == EPERM && bounding_gives_nothing(plan->req))
            return true;
        plan->detail = (int)n;
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------ ids */

static bool is_within(const gid_t *some, size_t n_some, const gid_t *all, size_t n_all)
{
    for (size_t i = 0; i < n_some; i++) {
        size_t k = 0;
        while (k < n_all && all[k] != some[i])
            k++;
        if (k == n_all)
            return false;
    }
    return true;
}

/* Whether our supplementary groups are those of the request: the kernel sorts them, and may have one twice. */
static bool have_groups(struct child_plan *plan)
{
    const struct spawn_ids *ids = plan->req->ids;
    int n = sys_getgroups(ids->n_groups + 1, plan->groups);
    if (n == -1 && errno != EINVAL)
        return false;
    if (n != -1 && is_within(plan->groups, (size_t)n, ids->groups, ids->n_groups) &&
        is_within(ids->groups, ids->n_groups, plan->groups, (size_t)n))
        return true;
    errno = ENOTRECOVERABLE;
    return false;
}

bool child_groups(struct child_plan *plan)
{
    const struct spawn_ids *ids = plan->req->ids;
    if (ids == NULL || (!ids->change_user && !ids->change_groups))
        return true;
    /* Who has them already needs no right to set them. */
    return have_groups(plan) || (sys_setgroups(ids->n_groups, ids->groups) == 0 && have_groups(plan));
}

static bool have_ids(const struct spawn_ids *ids)
{
    uid_t uids[3];
    gid_t gids[3];
    if (sys_getresuid(uids) != 0 || sys_getresgid(gids) != 0)
        return false;
    for (int i = 0; i < 3; i++) {
        if (uids[i] != ids->uid || gids[i] != ids->gid) {
            errno = ENOTRECOVERABLE;
            return false;
        }
    }
    return true;
}

static bool set_ids(const struct spawn_request *req)
{
    const struct spawn_ids *ids = req->ids;
    bool keep = req->caps != NULL && req->caps->add != 0 && ids->uid != 0;
    return (!keep || sys_keep_caps() == 0) && sys_setresgid(ids->gid, ids->gid, ids->gid) == 0 &&
           sys_setresuid(ids->uid, ids->uid, ids->uid) == 0 && have_ids(ids);
}

/* Takes away what would make root of any user: a capability that is only permitted still is at hand for child_caps().
 */
static bool clear_effective(void)
{
    struct sys_caps caps;
    if (sys_capget(&caps) != 0)
        return false;
    if (caps.effective == 0)
        return true;
    caps.effective = 0;
    return sys_capset(&caps) == 0;
}

static bool cannot_regain_root(struct child_plan *plan)
{
    const uid_t same = (uid_t)-1;
    if (!clear_effective())
        return false;
    if (sys_setresuid(same, 0, same) != 0)
        return true;
    plan->detail = SPAWN_ROOT_REGAINED;
    errno = ENOTRECOVERABLE;
    return false;
}

bool child_user(struct child_plan *plan)
{
    const struct spawn_ids *ids = plan->req->ids;
    if (ids == NULL || !ids->change_user)
        return true;
    return (have_ids(ids) || set_ids(plan->req)) && (ids->uid == 0 || cannot_regain_root(plan));
}

/* ------------------------------------------------------------------ the other sets */

/* Whether all of ADD can be had: permitted, and not out of bounds. */
static bool can_add(struct child_plan *plan, uint64_t add, uint64_t permitted)
{
    for (unsigned n = 0; n < CAP_BITS; n++) {
        if (!has_bit(add, n) || (has_bit(permitted, n) && sys_bounding_has(n) == 1))
            continue;
        plan->detail = (int)n;
        errno = EPERM;
        return false;
    }
    return true;
}

static bool raise_ambient(struct child_plan *plan, uint64_t add)
{
    for (unsigned n = 0; n < CAP_BITS; n++) {
        if (has_bit(add, n) && sys_ambient_raise(n) != 0) {
            plan->detail = (int)n;
            return false;
        }
    }
    return true;
}

bool child_caps(struct child_plan *plan)
{
    const struct spawn_caps *want = plan->req->caps;
    struct sys_caps have;
    if (want == NULL)
        return true;
    if (sys_capget(&have) != 0) {
        /* There are kernels and seccomp filters without. Whoever asks for nothing there gets what there is. */
        return want->add == 0 && want->bounding == UINT64_MAX;
    }
    if (!can_add(plan, want->add, have.permitted))
        return false;
    /* What is no longer inheritable is no longer ambient. */
    bool root = sys_geteuid() == 0;
    const struct sys_caps set = {
        .permitted = root ? have.permitted & want->bounding : want->add,
        .effective = root ? have.effective & want->bounding : want->add,
        .inheritable = root ? 0 : want->add,
    };
    bool same =
        set.permitted == have.permitted && set.effective == have.effective && set.inheritable == have.inheritable;
    if (!same && sys_capset(&set) != 0)
        return false;
    return root || raise_ambient(plan, want->add);
}

bool child_no_new_privs(struct child_plan *plan)
{
    return !plan->req->no_new_privs || sys_set_no_new_privs() == 0;
}
