/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The trees of control groups: which there are, and which controller is used in which.
 */
#include "daemon/cgroups_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "sys/procfs.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void cgroups_note(char **why, const char *text)
{
    mem_free(*why);
    *why = mem_strdup(text);
}

static unsigned cgroups_bits(const struct cgroup_limits *limits)
{
    unsigned bits = 0;
    for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLER_N; c++)
        bits |= cgroup_has_limit(limits, c) ? 1U << c : 0;
    return bits;
}

static struct cgroup_limits cgroups_of_spec(const struct spec *s)
{
    return (struct cgroup_limits){.pids = s->pids_limit, .bytes = s->mem_limit, .cpus = s->cpus};
}

struct cgroup_limits cgroups_limits_of(const struct engine_unit *u)
{
    return cgroups_of_spec(u->spec);
}

unsigned cgroups_needed(const struct engine *g)
{
    unsigned bits = 0;
    for (size_t i = 0; i < g->set->n_services; i++) {
        struct cgroup_limits limits = cgroups_of_spec(&g->set->services[i]);
        bits |= g->set->services[i].enabled ? cgroups_bits(&limits) : 0;
    }
    return bits;
}

bool cgroups_for_all(const struct engine *g)
{
    return g->cgroups != NULL && g->cgroups->for_all;
}

/* What was left over in tree T, and is told there for the first time. */
struct cgroups_sweep {
    const struct cgroups *c;
    int t;
};

static void cgroups_on_left(const char *path, const struct cgroup_left *left, void *data)
{
    const struct cgroups_sweep *sweep = data;
    const char *name = strrchr(path, '/');
    char same[CGROUP_PATH_MAX + CGROUP_NAME_MAX], pids[CGROUP_LEFT_MAX * 12 + 8] = "";
    struct log_about about = {.event = "left-over", .pid = left->pids[0]};
    /* The same fosterd has left one in each hierarchy. */
    snprintf(same, sizeof same, "%s%s", sweep->c->trees[CGROUPS_UNIFIED].base.path, name);
    if (sweep->t != CGROUPS_UNIFIED && sys_access(same, F_OK) == 0)
        return;
    for (size_t i = 0, at = 0; i < left->n && i < CGROUP_LEFT_MAX; i++)
        at += (size_t)snprintf(pids + at, sizeof pids - at, "%s%d", i > 0 ? ", " : "", (int)left->pids[i]);
    log_write(LOG_LEVEL_WARN, &about,
              "control group %s is left over from a fosterd that was killed, with %zu process%s in it (%s%s); end %s, "
              "and the next fosterd removes it",
              path, left->n, left->n == 1 ? "" : "es", pids, left->n > CGROUP_LEFT_MAX ? " …" : "",
              left->n == 1 ? "it" : "them");
}

/* Makes sure that tree T is there. */
static bool cgroups_make(struct cgroups *c, int t)
{
    struct cgroup_tree *tree = &c->trees[t];
    struct cgroups_sweep sweep = {.c = c, .t = t};
    struct err e = {0};
    if (tree->fd >= 0)
        return true;
    if (tree->base.path[0] == '\0')
        return false;
    if (!cgroup_tree_make(tree, &e)) {
        cgroups_note(&c->tree_why[t], e.text);
        log_debug("no control groups: %s", e.text);
        return false;
    }
    cgroup_tree_sweep(tree, cgroups_on_left, &sweep);
    return true;
}

/* Another tree in the same hierarchy of version 1 as T; CGROUPS_NOWHERE: there is none. A process can be in one group
 * of a hierarchy only. */
static int cgroups_twin(const struct cgroups *c, int t)
{
    struct stat st, other;
    for (int i = CGROUPS_UNIFIED + 1; i < CGROUPS_TREE_N; i++)
        if (i != t && c->trees[i].fd >= 0 && sys_fstat(c->trees[t].fd, &st) == 0 &&
            sys_fstat(c->trees[i].fd, &other) == 0 && st.st_dev == other.st_dev)
            return i;
    return CGROUPS_NOWHERE;
}

/* Has tree T provide controller K. False with *E, which stays as it is where T has nothing to say. */
static bool cgroups_provide_by(struct cgroups *c, int t, enum cgroup_controller k, struct err *e)
{
    struct cgroup_tree *tree = &c->trees[t];
    if ((tree->base.controllers >> k & 1) == 0)
        return false;
    if (!cgroups_make(c, t)) {
        err_set(e, ERR_SYS, "%s", c->tree_why[t] != NULL ? c->tree_why[t] : err_errno_text(ENOMEM));
        return false;
    }
    int twin = t != CGROUPS_UNIFIED ? cgroups_twin(c, t) : CGROUPS_NOWHERE;
    if (twin != CGROUPS_NOWHERE) {
        (void)cgroup_tree_remove(tree);
        c->trees[twin].base.controllers |= 1U << k;
        t = twin;
    }
    if (!cgroup_tree_enable(&c->trees[t], k, e))
        return false;
    c->source[k] = t;
    return true;
}

/* Finds a tree for controller K. */
static void cgroups_provide(struct cgroups *c, enum cgroup_controller k)
{
    struct err e = {0};
    if (c->source[k] != CGROUPS_NOWHERE)
        return;
    err_set(&e, ERR_SYS, "there is no control group with the controller %s", cgroup_controller_name(k));
    if (!cgroups_provide_by(c, CGROUPS_UNIFIED, k, &e) && !cgroups_provide_by(c, CGROUPS_UNIFIED + 1 + (int)k, k, &e))
        cgroups_note(&c->source_why[k], e.text);
}

void cgroups_prepare(struct engine *g)
{
    struct cgroups *c = g->cgroups;
    unsigned needed = c != NULL ? cgroups_needed(g) : 0;
    if (c == NULL || (needed == 0 && !c->for_all))
        return;
    bool made = cgroups_make(c, CGROUPS_UNIFIED);
    if (!made && c->for_all)
        log_warn("no control groups for services: %s",
                 c->tree_why[CGROUPS_UNIFIED] != NULL ? c->tree_why[CGROUPS_UNIFIED] : "there is no version 2 of them");
    for (enum cgroup_controller k = 0; k < CGROUP_CONTROLLER_N; k++)
        if ((needed >> k & 1) != 0)
            cgroups_provide(c, k);
}

/* Where trees can be made without being told: in our own groups. */
static void cgroups_find_own(struct cgroups *c)
{
    struct cgroup_base base;
    if (cgroup_base_unified(&base))
        c->trees[CGROUPS_UNIFIED].base = base;
    for (enum cgroup_controller k = 0; k < CGROUP_CONTROLLER_N; k++)
        if (cgroup_base_of(k, &base))
            c->trees[CGROUPS_UNIFIED + 1 + (int)k].base = base;
}

/* In its hierarchy PATH takes the place of our own group. */
static bool cgroups_find_at(struct cgroups *c, const char *path, struct err *e)
{
    struct cgroup_base base;
    if (!cgroup_base_at(path, &base, e))
        return false;
    if (base.unified) {
        c->trees[CGROUPS_UNIFIED].base = base;
        c->for_all = true;
    }
    for (enum cgroup_controller k = 0; !base.unified && k < CGROUP_CONTROLLER_N; k++)
        if ((base.controllers >> k & 1) != 0)
            c->trees[CGROUPS_UNIFIED + 1 + (int)k].base = base;
    return true;
}

void cgroups_start(struct engine *g)
{
    const char *where = g->set->supervisor.cgroup;
    struct err e = {0};
    if (strcmp(where, "off") == 0)
        return;
    struct cgroups *c = mem_alloc(sizeof *c);
    if (c == NULL) {
        log_warn("no control groups for services: %s", err_errno_text(ENOMEM));
        return;
    }
    c->engine = g;
    c->notify_fd = -1;
    for (int t = 0; t < CGROUPS_TREE_N; t++)
        c->trees[t].fd = -1;
    for (enum cgroup_controller k = 0; k < CGROUP_CONTROLLER_N; k++)
        c->source[k] = CGROUPS_NOWHERE;
    g->cgroups = c;
    cgroups_find_own(c);
    if (strcmp(where, "auto") == 0)
        c->for_all =
            c->trees[CGROUPS_UNIFIED].base.path[0] != '\0' && cgroup_base_is_delegated(&c->trees[CGROUPS_UNIFIED].base);
    else if (!cgroups_find_at(c, where, &e))
        log_warn("supervisor: cgroup: %s; going on with the group that fosterd is in", e.text);
    cgroups_prepare(g);
}

void cgroups_stop(struct engine *g)
{
    struct cgroups *c = g->cgroups;
    if (c == NULL)
        return;
    cgroups_hits_stop(c);
    for (int t = 0; t < CGROUPS_TREE_N; t++) {
        if (!cgroup_tree_remove(&c->trees[t]))
            log_debug("%s/%s stays: %s", c->trees[t].base.path, c->trees[t].name, err_errno_text(errno));
        mem_free(c->tree_why[t]);
    }
    for (enum cgroup_controller k = 0; k < CGROUP_CONTROLLER_N; k++)
        mem_free(c->source_why[k]);
    mem_free(c);
    g->cgroups = NULL;
}

uint64_t cgroups_run_of(const struct engine *g, pid_t pid)
{
    enum { SEEN_MAX = CGROUP_PATH_MAX + 4 * CGROUP_NAME_MAX };
    char seen[SEEN_MAX];
    if (g->cgroups == NULL || g->cgroups->trees[CGROUPS_UNIFIED].fd < 0 || !procfs_cgroup(pid, seen, sizeof seen))
        return 0;
    return cgroup_tree_run(&g->cgroups->trees[CGROUPS_UNIFIED], seen);
}

bool cgroups_where(const struct engine *g, enum cgroup_controller k, char *buf, size_t size)
{
    const struct cgroups *c = g->cgroups;
    int t = c != NULL ? c->source[k] : CGROUPS_NOWHERE;
    if (c == NULL)
        snprintf(buf, size, "`supervisor: cgroup: off`");
    else if (t != CGROUPS_NOWHERE)
        snprintf(buf, size, "version %d, %s/%s", t == CGROUPS_UNIFIED ? 2 : 1, c->trees[t].base.path, c->trees[t].name);
    else
        snprintf(buf, size, "%s", c->source_why[k] != NULL ? c->source_why[k] : "not needed, and not tried");
    return t != CGROUPS_NOWHERE;
}
