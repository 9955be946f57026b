/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control groups of one unit: from its limits to the directories in which its next process is born, and away with
 * them.
 */
#include "daemon/cgroups_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/policy.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CGROUPS_RUN_MAX = 24 }; /* the digits of a run's number */

int cgroups_open_unit(const struct engine_unit *u, int t)
{
    char name[CGROUP_NAME_MAX];
    return sys_openat(u->engine->cgroups->trees[t].fd, cgroup_unit_name(u->name, name),
                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static struct cgroups_unit *cgroups_record(struct engine_unit *u)
{
    if (u->cgroup != NULL)
        return u->cgroup;
    u->cgroup = mem_alloc(sizeof *u->cgroup);
    for (enum cgroup_controller k = 0; u->cgroup != NULL && k < CGROUP_CONTROLLER_N; k++)
        u->cgroup->watches[k] = -1;
    return u->cgroup;
}

/* The directory of U in tree T, made where it is not there. -1 with *E. */
static int cgroups_make_unit(struct engine_unit *u, int t, struct err *e)
{
    struct cgroup_tree *tree = &u->engine->cgroups->trees[t];
    char name[CGROUP_NAME_MAX];
    int fd = cgroup_make(tree->fd, cgroup_unit_name(u->name, name), e);
    if (fd >= 0)
        u->cgroup->made |= 1U << t;
    else
        err_prefix(e, "%s/%s", tree->base.path, tree->name);
    return fd;
}

/* Sets the limit of controller K, or takes an earlier one away, and has the child join the group where that is of
 * version 1. False with *E. */
static bool cgroups_limit(struct engine_unit *u, enum cgroup_controller k, const struct cgroup_limits *limits,
                          struct cgroups_birth *b, struct err *e)
{
    const struct cgroups *c = u->engine->cgroups;
    int t = c != NULL ? c->source[k] : CGROUPS_NOWHERE;
    bool wanted = cgroup_has_limit(limits, k);
    if (t == CGROUPS_NOWHERE) {
        char why[ERR_TEXT_MAX];
        if (wanted && !cgroups_where(u->engine, k, why, sizeof why))
            err_set(e, ERR_SYS, "%s", why);
        return !wanted;
    }
    if (!wanted && (u->cgroup->made >> t & 1) == 0)
        return true;
    CLEANUP(sys_close_fd) int fd = cgroups_make_unit(u, t, e);
    if (fd < 0 || !cgroup_set_limit(fd, t == CGROUPS_UNIFIED, k, limits, e))
        return false;
    if (t == CGROUPS_UNIFIED)
        return true;
    int procs_fd = cgroup_open_file(fd, "cgroup.procs");
    if (procs_fd < 0) {
        err_set_errno(e, errno, "%s/%s", c->trees[t].base.path, c->trees[t].name);
        return false;
    }
    b->procs_fds[b->request.n_procs_fds++] = procs_fd;
    return true;
}

/* The directory of version 2 for run RUN, where there is such a tree. False with *E. */
static bool cgroups_birthplace(struct engine_unit *u, uint64_t run, struct cgroups_birth *b, struct err *e)
{
    const struct cgroups *c = u->engine->cgroups;
    char name[CGROUPS_RUN_MAX];
    if (c == NULL || c->trees[CGROUPS_UNIFIED].fd < 0)
        return true;
    CLEANUP(sys_close_fd) int fd = cgroups_make_unit(u, CGROUPS_UNIFIED, e);
    if (fd < 0)
        return false;
    snprintf(name, sizeof name, "%" PRIu64, run);
    b->request.v2_fd = cgroup_make(fd, name, e);
    if (b->request.v2_fd < 0)
        return false;
    b->request.v2_procs_fd = cgroup_open_file(b->request.v2_fd, "cgroup.procs");
    if (b->request.v2_procs_fd >= 0)
        return true;
    err_set_errno(e, errno, "cgroup.procs of %s", u->name);
    sys_close_fd(&b->request.v2_fd);
    return false;
}

/* Whether one of LIMITS is set in version 2: only who is born there is bound by it. */
static bool cgroups_binds(const struct cgroups *c, const struct cgroup_limits *limits)
{
    for (enum cgroup_controller k = 0; c != NULL && k < CGROUP_CONTROLLER_N; k++)
        if (c->source[k] == CGROUPS_UNIFIED && cgroup_has_limit(limits, k))
            return true;
    return false;
}

/* Everything for a start of U. False with the first that failed in *E; whatever works is done all the same. */
static bool cgroups_furnish(struct engine_unit *u, uint64_t run, const struct cgroup_limits *limits,
                            struct cgroups_birth *b, struct err *e)
{
    bool ok = true;
    if (u->cgroup->refused != 0) {
        err_set_errno(e, u->cgroup->refused, "joining the group");
        return false;
    }
    for (enum cgroup_controller k = 0; k < CGROUP_CONTROLLER_N; k++) {
        struct err why = {0};
        if (cgroups_limit(u, k, limits, b, &why))
            continue;
        if (ok)
            *e = why;
        ok = false;
    }
    struct err why = {0};
    if (cgroups_birthplace(u, run, b, &why))
        return ok;
    if (!ok || !cgroups_binds(u->engine->cgroups, limits)) {
        log_debug("%s has no control group of its own: %s", u->name, why.text);
        return ok;
    }
    *e = why;
    return false;
}

static void cgroups_say_unenforced(struct engine_unit *u, const struct err *why)
{
    struct log_about about = {.service = u->name, .event = "unenforced"};
    if (u->cgroup->said_unenforced)
        return;
    u->cgroup->said_unenforced = true;
    log_write(LOG_LEVEL_WARN, &about, "its limits are not enforced: %s (`fosterctl doctor` says what helps)",
              why->text);
}

static void cgroups_birth_init(struct cgroups_birth *b)
{
    *b = (struct cgroups_birth){.request = {.v2_fd = -1, .v2_procs_fd = -1}};
    b->request.procs_fds = b->procs_fds;
}

bool cgroups_enter(struct engine_unit *u, uint64_t run, struct cgroups_birth *ret, struct err *e)
{
    struct engine *g = u->engine;
    struct cgroup_limits limits = cgroups_limits_of(u);
    bool limited = spec_has_limits(u->spec);
    bool is_first = u->cgroup == NULL;
    struct err why = {0};
    cgroups_birth_init(ret);
    if (!limited && !cgroups_for_all(g)) {
        if (u->cgroup != NULL)
            u->cgroup->has_limits = false;
        return true;
    }
    if (cgroups_record(u) == NULL) {
        err_set_errno(e, ENOMEM, "control groups");
        return false;
    }
    u->cgroup->has_limits = limited;
    u->cgroup->enforced = cgroups_furnish(u, run, &limits, ret, &why);
    if (limited && !u->cgroup->enforced) {
        if (g->set->supervisor.require_limits) {
            err_set(e, ERR_SYS,
                    "its limits cannot be enforced, and `require_limits` wants that: %s; `fosterctl doctor` says what "
                    "helps",
                    why.text);
            e->errnum = EOPNOTSUPP;
            cgroups_birth_done(ret);
            return false;
        }
        cgroups_say_unenforced(u, &why);
    }
    /* Limits that were met are told again with the next run, not with each probe. */
    if (is_first || (run & ATTRIB_HELPER_RUNS) == 0)
        cgroups_hits_arm(u);
    return true;
}

const struct spawn_cgroups *cgroups_birth_request(const struct cgroups_birth *b)
{
    return b->request.v2_fd >= 0 || b->request.n_procs_fds > 0 ? &b->request : NULL;
}

void cgroups_birth_done(struct cgroups_birth *b)
{
    sys_close_fd(&b->request.v2_fd);
    sys_close_fd(&b->request.v2_procs_fd);
    while (b->request.n_procs_fds > 0)
        sys_close_fd(&b->procs_fds[--b->request.n_procs_fds]);
}

bool cgroups_refused(struct engine_unit *u, int errnum)
{
    if (u->cgroup == NULL || policy_errno_is_temporary(errnum, true))
        return true;
    u->cgroup->refused = errnum;
    return !u->cgroup->has_limits || !u->engine->set->supervisor.require_limits;
}

static bool cgroups_has(const struct engine_unit *u, int t)
{
    return u->cgroup != NULL && (u->cgroup->made >> t & 1) != 0 && u->engine->cgroups->trees[t].fd >= 0;
}

void cgroups_leave(struct engine_unit *u)
{
    char present[CGROUPS_RUN_MAX] = "";
    if (u->cgroup == NULL || u->cgroup->made == 0)
        return;
    cgroups_hits_settle(u);
    if (!cgroups_has(u, CGROUPS_UNIFIED))
        return;
    CLEANUP(sys_close_fd) int fd = cgroups_open_unit(u, CGROUPS_UNIFIED);
    if (u->run != NULL)
        snprintf(present, sizeof present, "%" PRIu64, u->run->run);
    /* What an earlier run has left behind stays in its group; that is removed at the end of a later one. */
    if (fd >= 0 && !cgroup_remove_below(fd, present, NULL))
        log_debug("%s: a control group of an earlier run stays: %s", u->name, err_errno_text(errno));
}

void cgroups_leave_helper(struct engine_unit *u, uint64_t run)
{
    char name[CGROUPS_RUN_MAX];
    if (!cgroups_has(u, CGROUPS_UNIFIED))
        return;
    snprintf(name, sizeof name, "%" PRIu64, run);
    CLEANUP(sys_close_fd) int fd = cgroups_open_unit(u, CGROUPS_UNIFIED);
    if (fd >= 0 && !cgroup_remove(fd, name, NULL))
        log_debug("%s: the control group of a command stays: %s", u->name, err_errno_text(errno));
}

void cgroups_forget(struct engine_unit *u)
{
    char name[CGROUP_NAME_MAX];
    if (u->cgroup == NULL)
        return;
    cgroups_hits_disarm(u);
    for (int t = 0; t < CGROUPS_TREE_N; t++)
        if (cgroups_has(u, t) && !cgroup_remove(u->engine->cgroups->trees[t].fd, cgroup_unit_name(u->name, name), NULL))
            log_debug("control group %s stays: %s", name, err_errno_text(errno));
    mem_free(u->cgroup);
    u->cgroup = NULL;
}

bool cgroups_kill_run(const struct engine_unit *u, uint64_t run)
{
    char name[CGROUP_NAME_MAX], file[2 * CGROUP_NAME_MAX];
    if (!cgroups_has(u, CGROUPS_UNIFIED))
        return false;
    snprintf(file, sizeof file, "%s/%" PRIu64 "/cgroup.kill", cgroup_unit_name(u->name, name), run);
    return cgroup_write(u->engine->cgroups->trees[CGROUPS_UNIFIED].fd, file, "1");
}

/* Each run of U by itself, since commands beside U are in groups of their own next to them. */
static bool cgroups_kill_runs(const struct engine_unit *u)
{
    bool ok = true;
    LIST_EACH (it, &u->engine->attrib.runs) {
        const struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        if (run->unit == u->index && run->helper == NULL)
            ok = cgroups_kill_run(u, run->run) && ok;
    }
    return ok;
}

bool cgroups_kill(const struct engine_unit *u)
{
    char name[CGROUP_NAME_MAX], file[2 * CGROUP_NAME_MAX];
    if (!cgroups_has(u, CGROUPS_UNIFIED))
        return false;
    if (u->spec->orphans == SPEC_ORPHANS_IGNORE)
        return u->run != NULL && cgroups_kill_run(u, u->run->run);
    if (u->n_helpers > 0)
        return cgroups_kill_runs(u);
    snprintf(file, sizeof file, "%s/cgroup.kill", cgroup_unit_name(u->name, name));
    return cgroup_write(u->engine->cgroups->trees[CGROUPS_UNIFIED].fd, file, "1");
}

const char *cgroups_limits(const struct engine_unit *u)
{
    if (u->cgroup == NULL || !u->cgroup->has_limits)
        return NULL;
    return u->cgroup->enforced ? "enforced" : "unenforced";
}
