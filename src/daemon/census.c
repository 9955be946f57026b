/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The census of processes below us. See census.h.
 *
 * BUGS: without /proc only our direct children are known, and those only once they have died or were started
 * by us; what such a service left behind in a session of its own cannot be found before it ends.
 */
#include "daemon/census.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/cgroups.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

enum {
    CENSUS_FOUND_MAX = 65536, /* more members than this are not signalled in one pass, but in the next */
    CENSUS_ROUNDS = 16,       /* looks at processes that may fork meanwhile */
    CENSUS_MARKER_MAX = 1024,
};

static struct attrib_run *census_claim(struct engine *g, pid_t pid, enum attrib_evidence *ret_evidence)
{
    struct attrib_facts facts = {0};
    char marker[CENSUS_MARKER_MAX];
    facts.cgroup_run = cgroups_run_of(g, pid);
    struct attrib_run *run = attrib_claim(&g->attrib, &facts, ret_evidence);
    if (run != NULL)
        return run;
    facts.has_limit = procfs_tag(pid, &facts.limit);
    run = attrib_claim(&g->attrib, &facts, ret_evidence);
    if (run == NULL && procfs_env(pid, "FOSTER_RUN", marker, sizeof marker)) {
        facts.marker = marker;
        run = attrib_claim(&g->attrib, &facts, ret_evidence);
    }
    return run;
}

const struct attrib_run *census_run_of(struct engine *g, pid_t pid)
{
    enum attrib_evidence evidence;
    const struct attrib_proc *p = attrib_find(&g->attrib, pid);
    return p != NULL ? p->run : census_claim(g, pid, &evidence);
}

/* The process LEADER of a group or session that PID is in, when that is another one and has ended. While somebody is in
 * it, the number is not given out again. */
static struct attrib_leaver census_ended_leader(pid_t pid, pid_t leader)
{
    struct attrib_leaver l = {0};
    struct procstat st;
    if (leader <= 1 || leader == pid || leader == sys_getpid())
        return l;
    if (sys_kill(leader, 0) < 0) {
        l.pid = errno == ESRCH ? leader : 0;
    } else if (procfs_stat(leader, &st) && procstat_is_dead(&st)) {
        l.pid = leader;
        snprintf(l.name, sizeof l.name, "%.*s", ATTRIB_NAME_MAX - 1, st.comm);
    }
    return l;
}

static struct attrib_leaver census_leaver(const struct engine *g, const struct attrib_run *run,
                                          const struct procstat *st)
{
    const struct attrib_newcomer c = {
        .pid = st->pid,
        .start_ticks = st->start_ticks,
        .pgrp = st->pgrp,
        .session = st->session,
        .group_leader = census_ended_leader(st->pid, st->pgrp),
        .session_leader = census_ended_leader(st->pid, st->session),
    };
    return attrib_leaver(&g->attrib, run, &c);
}

static void census_say_adopted(struct engine *g, const struct attrib_proc *p, const char *name)
{
    struct log_about about = {.event = p->run != NULL ? "adopted" : "unclaimed", .pid = p->pid};
    char left_by[64] = "";
    if (p->from.pid != 0 && p->from.name[0] != '\0')
        snprintf(left_by, sizeof left_by, ", left by process %d (%s)", (int)p->from.pid, p->from.name);
    else if (p->from.pid != 0)
        snprintf(left_by, sizeof left_by, ", left by process %d", (int)p->from.pid);
    if (p->run == NULL) {
        log_write(LOG_LEVEL_INFO, &about, "adopted process %d (%s), which no service of ours started%s", (int)p->pid,
                  name, left_by);
        return;
    }
    about.service = engine_name_of_proc(g, p);
    if (p->run->helper == NULL)
        about.run = p->run->run;
    log_write(LOG_LEVEL_INFO, &about, "adopted process %d (%s), recognised by its %s%s", (int)p->pid, name,
              attrib_evidence_name(p->evidence), left_by);
}

/* Enters our child PID, which is not known yet. */
static void census_add(struct engine *g, pid_t pid)
{
    enum attrib_evidence evidence;
    struct attrib_run *run = census_claim(g, pid, &evidence);
    struct attrib_leaver from = {0};
    struct procstat st;
    bool seen = procfs_stat(pid, &st);
    bool dead = seen && procstat_is_dead(&st);
    if (seen && !dead)
        from = census_leaver(g, run, &st);
    struct attrib_proc *p = attrib_add(&g->attrib, pid, run, ATTRIB_MEMBER, evidence, sys_now_ms());
    if (p == NULL) {
        log_warn("no memory to remember process %d; it is reaped all the same", (int)pid);
        return;
    }
    g->n_adopted++;
    p->from = from;
    if (dead)
        attrib_end(p, st.comm, st.pgrp, st.session);
    else if (seen)
        census_say_adopted(g, p, st.comm);
}

void census_meet(struct engine *g, pid_t pid)
{
    struct attrib_proc *p = attrib_find(&g->attrib, pid);
    struct procstat st;
    if (logger_host_is(&g->logger, pid))
        return;
    if (p == NULL)
        census_add(g, pid);
    else if (!p->ended && procfs_stat(pid, &st) && procstat_is_dead(&st))
        attrib_end(p, st.comm, st.pgrp, st.session);
}

bool census_children_of(struct engine *g, const struct procstat *st, struct pidlist *l)
{
    if (procfs_children_of(st, l))
        return true;
    if (errno != EMFILE && errno != ENFILE)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(g->reserve_fds); i++)
        sys_close_fd(&g->reserve_fds[i]);
    bool ok = procfs_children_of(st, l);
    int errnum = errno;
    census_reserve(g);
    errno = errnum;
    return ok;
}

/* The same of PID, of which nothing else is known. */
static bool census_children(struct engine *g, pid_t pid, struct pidlist *l)
{
    const struct procstat st = {.pid = pid};
    return census_children_of(g, &st, l);
}

void census_reserve(struct engine *g)
{
    for (size_t i = 0; i < ARRAY_LEN(g->reserve_fds); i++)
        if (g->reserve_fds[i] < 0)
            g->reserve_fds[i] = sys_open("/dev/null", O_RDONLY, 0);
}

void census_refresh_once(struct engine *g)
{
    if (g->refreshed_in != ev_iteration(g->loop))
        census_refresh(g);
}

void census_refresh(struct engine *g)
{
    if (g->children_source == PROCFS_CHILDREN_NONE)
        return;
    g->refreshed_in = ev_iteration(g->loop);
    if (!census_children(g, sys_getpid(), &g->children)) {
        log_warn("looking up our children: %s; new orphans are seen when they end", err_errno_text(errno));
        return;
    }
    attrib_begin_look(&g->attrib);
    for (size_t i = 0; i < g->children.n; i++)
        if (attrib_find(&g->attrib, g->children.pids[i]) == NULL && !logger_host_is(&g->logger, g->children.pids[i]))
            census_add(g, g->children.pids[i]);
}

static bool census_run_counts(const struct engine_unit *u, const struct attrib_run *run)
{
    return run == u->run || (run->unit == u->index && run->helper == NULL && u->spec->orphans != SPEC_ORPHANS_IGNORE);
}

/* Calls FN for each of our unreaped children in U. Only a service that lets left-overs live has more than one run. */
static void census_each(const struct engine *g, const struct engine_unit *u,
                        void (*fn)(const struct attrib_proc *p, void *data), void *data)
{
    if (u->run != NULL && u->spec->orphans != SPEC_ORPHANS_ADOPT) {
        LIST_EACH (it, &u->run->members)
            fn(CONTAINER_OF(it, struct attrib_proc, in_run), data);
        return;
    }
    LIST_EACH (it, &g->attrib.runs) {
        struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        if (!census_run_counts(u, run))
            continue;
        LIST_EACH (m, &run->members)
            fn(CONTAINER_OF(m, struct attrib_proc, in_run), data);
    }
}

struct census_tally {
    bool killing;
    size_t n;
};

static void census_count_one(const struct attrib_proc *p, void *data)
{
    struct census_tally *tally = data;
    tally->n += !(tally->killing && p->out_of_reach);
}

size_t census_count(const struct engine *g, const struct engine_unit *u)
{
    struct census_tally tally = {.killing = u->killing};
    census_each(g, u, census_count_one, &tally);
    return tally.n;
}

size_t census_count_run(const struct attrib_run *run)
{
    struct census_tally tally = {.killing = true};
    LIST_EACH (it, &run->members)
        census_count_one(CONTAINER_OF(it, struct attrib_proc, in_run), &tally);
    return tally.n;
}

/* Lists the live members of RUN; true when some have ended, unreaped. */
static bool census_list_left(struct engine *g, const struct attrib_run *run, size_t *ret_n)
{
    bool has_dead = false;
    size_t n = 0;
    LIST_EACH (it, &run->members) {
        struct attrib_proc *p = CONTAINER_OF(it, struct attrib_proc, in_run);
        struct procstat st = {.pid = p->pid, .state = '?'};
        if (p->role == ATTRIB_MAIN)
            continue;
        if (procfs_stat(p->pid, &st) && procstat_is_dead(&st)) {
            attrib_end(p, st.comm, st.pgrp, st.session);
            has_dead = true;
            continue;
        }
        if (!mem_grow(&g->left, &g->left_cap, n + 1, sizeof *g->left))
            break;
        g->left[n++] = (struct attrib_candidate){.pid = p->pid, .session = st.session, .start_ticks = st.start_ticks};
    }
    *ret_n = n;
    return has_dead;
}

const struct attrib_candidate *census_left(struct engine *g, const struct attrib_run *run, size_t *ret_n)
{
    /* Who has ended since our children were looked up has left its own to us: the middle one of a daemon that forks
     * twice. Once nobody is new, nobody is missed. */
    for (int round = 0; census_list_left(g, run, ret_n) && round < CENSUS_ROUNDS; round++) {
        size_t before = run->n_members;
        census_refresh(g);
        if (run->n_members == before)
            break;
    }
    return g->left;
}

/* The list of processes that a pass works on: first our own children, then, appended, their descendants. */
struct census_pass {
    struct engine *g;
    const struct engine_unit *unit; /* NULL: of all */
    const struct attrib_run *run;   /* NULL: all runs of the unit that count */
    const char *name;               /* whose processes these are */
    enum effect_scope scope;
    struct pidlist *found;
    size_t n_children; /* the first n_children of found are children of ours */
    bool by_group;     /* those in the unit's control groups have been killed */
};

static bool census_append(struct pidlist *l, pid_t pid)
{
    if (l->n >= CENSUS_FOUND_MAX || !mem_grow(&l->pids, &l->cap, l->n + 1, sizeof *l->pids))
        return false;
    l->pids[l->n++] = pid;
    return true;
}

static void census_take_child(const struct attrib_proc *p, void *data)
{
    struct census_pass *pass = data;
    if (!census_append(pass->found, p->pid))
        log_warn("too many processes in %s to signal at once; the rest gets it later", pass->name);
}

/* Appends to FOUND whoever is below those in it. */
static void census_descend(struct engine *g, struct pidlist *found)
{
    for (size_t i = 0; i < found->n; i++) {
        if (!census_children(g, found->pids[i], &g->children))
            continue;
        for (size_t k = 0; k < g->children.n; k++)
            if (!census_append(found, g->children.pids[k]))
                return;
    }
}

/* Fills found with every member of the unit: our children, and below them whoever is there. */
static void census_find(struct census_pass *pass)
{
    struct engine *g = pass->g;
    pass->found->n = 0;
    if (pass->run == NULL) {
        census_each(g, pass->unit, census_take_child, pass);
    } else {
        LIST_EACH (it, &pass->run->members)
            census_take_child(CONTAINER_OF(it, struct attrib_proc, in_run), pass);
    }
    pass->n_children = pass->found->n;
    if (g->children_source == PROCFS_CHILDREN_NONE)
        return;
    census_descend(g, pass->found);
}

/* Whether PASS is about every process below us. */
static bool census_is_general(const struct census_pass *pass)
{
    return pass->unit == NULL && pass->run == NULL;
}

static bool census_covers(const struct census_pass *pass, const struct attrib_run *run)
{
    if (pass->run != NULL)
        return run == pass->run;
    return pass->unit == NULL || (run->unit == pass->unit->index && run->helper == NULL);
}

/* Whether PID, of which a pidfd is open, is still the descendant that the list of children named: it bears the tag of a
 * run of PASS, or its parent is one of those found. A pid that was recycled meanwhile has neither. */
static bool census_is_ours(const struct census_pass *pass, pid_t pid)
{
    const struct pidlist *found = pass->found;
    enum attrib_evidence evidence;
    const struct attrib_run *run = census_claim(pass->g, pid, &evidence);
    if (run != NULL)
        return census_covers(pass, run);
    struct procstat st;
    if (!procfs_stat(pid, &st))
        return false;
    /* Its parent may just have ended, so that it is our child now. */
    if (census_is_general(pass) && st.ppid == sys_getpid())
        return true;
    for (size_t i = 0; i < found->n; i++)
        if (found->pids[i] == st.ppid)
            return true;
    return false;
}

static bool census_send_deep(const struct census_pass *pass, pid_t pid, int sig)
{
    int pidfd = sys_pidfd_open(pid);
    if (pidfd < 0)
        return false;
    bool sent = census_is_ours(pass, pid) && sys_pidfd_send_signal(pidfd, sig) == 0;
    sys_close(pidfd);
    return sent;
}

/* Whether PID is in a control group of those whom PASS is about, where killing that group reaches it. */
static bool census_is_in_group(const struct census_pass *pass, pid_t pid)
{
    const struct attrib_run *run = attrib_run_find(&pass->g->attrib, cgroups_run_of(pass->g, pid));
    return run != NULL && (pass->run != NULL ? run == pass->run : census_run_counts(pass->unit, run));
}

static bool census_wants(const struct census_pass *pass, pid_t pid)
{
    if (pass->by_group && census_is_in_group(pass, pid))
        return false;
    return pass->scope == SCOPE_ALL || (pid == pass->unit->main_pid) == (pass->scope == SCOPE_MAIN);
}

/* Says once of a process that we may not signal it. */
static void census_note_refusal(const struct census_pass *pass, pid_t pid)
{
    struct attrib_proc *p = attrib_find(&pass->g->attrib, pid);
    if (p != NULL && p->out_of_reach)
        return;
    if (p != NULL)
        p->out_of_reach = true;
    log_warn("process %d of %s may not be signalled: %s; it must be ended by hand", (int)pid, pass->name,
             err_errno_text(EPERM));
}

static size_t census_send(struct census_pass *pass, int sig)
{
    size_t n = 0;
    for (size_t i = 0; i < pass->found->n; i++) {
        pid_t pid = pass->found->pids[i];
        if (!census_wants(pass, pid))
            continue;
        bool sent = i < pass->n_children ? sys_kill(pid, sig) == 0 : census_send_deep(pass, pid, sig);
        if (sent)
            n++;
        else if (errno == EPERM)
            census_note_refusal(pass, pid);
    }
    return n;
}

static struct census_pass census_pass_of(struct engine *g, const struct engine_unit *u, enum effect_scope scope)
{
    return (struct census_pass){.g = g, .unit = u, .name = u->name, .scope = scope, .found = &g->found};
}

/* Sends SIG to those whom PASS wants, and finds them for whatever else is to be sent to them. */
static size_t census_signal_pass(struct census_pass *pass, int sig)
{
    /* The main process is our child: no look around is needed. */
    if (pass->scope == SCOPE_MAIN)
        return pass->unit->main_pid > 0 && sys_kill(pass->unit->main_pid, sig) == 0;
    census_refresh_once(pass->g);
    census_find(pass);
    return census_send(pass, sig);
}

size_t census_signal_exactly(struct engine *g, const struct engine_unit *u, int sig, enum effect_scope scope)
{
    struct census_pass pass = census_pass_of(g, u, scope);
    return census_signal_pass(&pass, sig);
}

size_t census_signal(struct engine *g, const struct engine_unit *u, int sig, enum effect_scope scope)
{
    struct census_pass pass = census_pass_of(g, u, scope);
    size_t n = census_signal_pass(&pass, sig);
    if (scope != SCOPE_MAIN)
        (void)census_send(&pass, SIGCONT);
    else if (n > 0 && sys_kill(u->main_pid, SIGCONT) < 0)
        log_debug("SIGCONT to %d: %s", (int)u->main_pid, err_errno_text(errno));
    return n;
}

static void census_kill_pass(struct census_pass *pass)
{
    size_t before = 0;
    /* Whoever slips through, born between two looks of a parent that is gone, is met after the next death and killed
     * then. */
    census_refresh_once(pass->g);
    for (int round = 0; round < CENSUS_ROUNDS; round++) {
        census_find(pass);
        if (pass->found->n == before && round > 0)
            break;
        before = pass->found->n;
        (void)census_send(pass, SIGSTOP);
    }
    (void)census_send(pass, SIGKILL);
}

void census_kill(struct engine *g, const struct engine_unit *u, enum effect_scope scope)
{
    if (scope == SCOPE_MAIN) {
        if (u->main_pid > 0 && sys_kill(u->main_pid, SIGKILL) < 0)
            log_warn("SIGKILL to process %d of %s: %s", (int)u->main_pid, u->name, err_errno_text(errno));
        return;
    }
    struct census_pass pass = census_pass_of(g, u, scope);
    /* Nobody in the groups can outrun that. What is left to do is to find those who have left them. */
    pass.by_group = scope == SCOPE_ALL && cgroups_kill(u);
    census_kill_pass(&pass);
}

void census_kill_run(struct engine *g, const struct engine_unit *u, const struct attrib_run *run, const char *name)
{
    struct census_pass pass = {.g = g, .unit = u, .run = run, .name = name, .scope = SCOPE_ALL, .found = &g->found};
    pass.by_group = u != NULL && cgroups_kill_run(u, run->run);
    census_kill_pass(&pass);
}

/* Without /proc, PID 1 can still reach everybody in its namespace at once (kill(2)); others reach those who have stayed
 * in the process group that a run began with. That a child of ours is in it shows that its number is still the same
 * group's. */
static void census_signal_unseen(const struct engine *g, int sig)
{
    siginfo_t info;
    if (g->is_init) {
        if (sys_kill_everybody(sig) < 0)
            log_warn("signalling everybody: %s", err_errno_text(errno));
        return;
    }
    for (unsigned i = 0; i < g->n_units; i++) {
        const struct engine_unit *u = engine_at(g, i);
        pid_t group = u != NULL ? u->group : 0;
        bool ours = group > 0 && sys_waitid(P_PGID, (id_t)group, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
        if (ours && sys_kill_group(group, sig) < 0)
            log_warn("signalling what is left of %s: %s", u->name, err_errno_text(errno));
    }
}

size_t census_signal_everything(struct engine *g, int sig)
{
    const struct census_pass pass = {.g = g, .scope = SCOPE_ALL, .found = &g->found};
    size_t n = 0;
    if (!census_children(g, sys_getpid(), &g->found)) {
        census_signal_unseen(g, sig);
        return 0;
    }
    size_t n_children = g->found.n;
    census_descend(g, &g->found);
    for (size_t i = 0; i < g->found.n; i++) {
        pid_t pid = g->found.pids[i];
        if (logger_host_is(&g->logger, pid))
            continue;
        bool sent = i < n_children ? sys_kill(pid, sig) == 0 : census_send_deep(&pass, pid, sig);
        n += sent;
        if (sent && sig != SIGKILL && i < n_children && sys_kill(pid, SIGCONT) < 0)
            log_debug("SIGCONT to %d: %s", (int)pid, err_errno_text(errno));
    }
    return n;
}
