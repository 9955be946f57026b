/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The methods about zombies: `zombies` and `cure`. Both are jobs in slices; the answer comes when theirs is done.
 */
#include "base/mem.h"
#include "core/snapshot.h"
#include "daemon/census.h"
#include "daemon/engine.h"
#include "daemon/methods_impl.h"
#include "daemon/parked.h"
#include "daemon/zombies.h"
#include "sys/procwait.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    ASK_LIST_MAX = 1000, /* of zombies, and of parents, so many are told of one by one */
    ASK_TEXT_MAX = 384,
};

static json_t *ask_text(const char *s)
{
    return s != NULL ? snapshot_text(s, strlen(s)) : json_null();
}

static const char *ask_service(struct engine *g, unsigned unit)
{
    const struct engine_unit *u = engine_at(g, unit);
    return u != NULL ? u->name : NULL;
}

static const char *ask_sigchld(const struct procwait *w)
{
    if (w->blocks_sigchld)
        return "blocked";
    if (w->ignores_sigchld)
        return "ignored";
    return w->catches_sigchld ? "caught" : "default";
}

/* Why W does not wait, into BUF of ASK_TEXT_MAX bytes. */
static void ask_why(const struct procwait *w, char *buf)
{
    const char *sigchld = ask_sigchld(w);
    bool in_call = w->call >= 0 || (w->call == PROCWAIT_UNKNOWN && strcmp(w->call_name, "-") != 0);
    if (w->state == '?')
        snprintf(buf, ASK_TEXT_MAX, "it has just ended, or cannot be seen");
    else if (w->state == 'T' && w->tracer == 0)
        snprintf(buf, ASK_TEXT_MAX, "a signal has stopped it, so it cannot wait for its children");
    else if (w->tracer != 0)
        snprintf(buf, ASK_TEXT_MAX, "process %d traces it; it does not wait for its children (SIGCHLD: %s)",
                 (int)w->tracer, sigchld);
    else if (w->state == 'D')
        snprintf(buf, ASK_TEXT_MAX, "it hangs in the kernel (state D, %s), so it cannot wait for its children",
                 w->call_name);
    else if (in_call)
        snprintf(buf, ASK_TEXT_MAX, "it is blocked in %s and does not wait for its children (SIGCHLD: %s)",
                 w->call_name, sigchld);
    else
        snprintf(buf, ASK_TEXT_MAX, "it %s and does not wait for its children (SIGCHLD: %s)",
                 w->state == 'S' ? "sleeps" : "runs", sigchld);
}

/* Why PID cannot be made to wait; NULL: it can, or could as soon as it sleeps again. */
static const char *ask_against_reaping(pid_t pid)
{
    int errnum = unzombie_probe();
    if (errnum != 0)
        return errnum == ENOSYS ? unzombie_verdict_text(UNZOMBIE_UNSUPPORTED) : err_errno_text(errnum);
    enum unzombie_verdict v = unzombie_outlook(pid, &errnum);
    return v == UNZOMBIE_DONE || v == UNZOMBIE_BUSY || v == UNZOMBIE_GONE ? NULL : unzombie_verdict_text(v);
}

/* What helps against the zombies of process PID of SERVICE (NULL: of none), into BUF. */
static void ask_cure(const struct procwait *w, pid_t pid, const char *service, char *buf)
{
    char restart[SPEC_NAME_MAX + 48], first[SPEC_NAME_MAX + 48] = "", of[SPEC_NAME_MAX + 16] = "";
    bool handles = w->catches_sigchld && !w->blocks_sigchld;
    if (service != NULL) {
        snprintf(of, sizeof of, " %s", service);
        snprintf(restart, sizeof restart, "fosterctl restart %s", service);
    } else {
        snprintf(restart, sizeof restart, "kill %d", (int)pid);
    }
    if (w->state == 'T' && w->tracer == 0)
        snprintf(first, sizeof first, "kill -CONT %d, or ", (int)pid);
    else if (handles)
        snprintf(first, sizeof first, "fosterctl zombies --nudge%s, or ", of);
    const char *against = ask_against_reaping(pid);
    if (against == NULL)
        snprintf(buf, ASK_TEXT_MAX, "%s%s, or fosterctl zombies --reap%s", first, restart, of);
    else
        snprintf(buf, ASK_TEXT_MAX, "%s%s (--reap is not possible here: %s)", first, restart, against);
}

/* The parent of Z. */
static json_t *ask_parent(const struct zombie *z, struct procwait *ret_wait)
{
    struct procstat st;
    bool seen = procfs_stat(z->parent, &st) && (z->parent == sys_getpid() || st.start_ticks == z->parent_start);
    if (!seen || !procwait_read(z->parent, ret_wait)) {
        *ret_wait = (struct procwait){.state = '?', .call = PROCWAIT_UNKNOWN, .call_name = "-"};
        return json_pack("{s:i, s:n, s:n, s:n, s:n}", "pid", (int)z->parent, "name", "state", "call", "sigchld");
    }
    return json_pack("{s:i, s:o, s:o, s:o, s:s}", "pid", (int)z->parent, "name", ask_text(st.comm), "state",
                     json_stringn(&ret_wait->state, 1), "call",
                     ret_wait->call == PROCWAIT_RUNNING || strcmp(ret_wait->call_name, "-") == 0
                         ? json_null()
                         : ask_text(ret_wait->call_name),
                     "sigchld", ask_sigchld(ret_wait));
}

static void ask_leader(const struct zombie *z, const char *service, char *why, char *cure)
{
    unsigned others = z->n_threads - 1;
    bool hangs = procfs_hangs(z->pid);
    snprintf(why, ASK_TEXT_MAX, "its first thread has ended; %u other%s%s, so nobody can wait for it yet", others,
             others == 1 ? " lives on" : "s live on", hangs ? ", one of them in state D" : "");
    if (hangs)
        snprintf(cure, ASK_TEXT_MAX, "none while a thread of it hangs in the kernel");
    else if (service != NULL)
        snprintf(cure, ASK_TEXT_MAX, "none is needed if its threads end; fosterctl restart %s ends them", service);
    else
        snprintf(cure, ASK_TEXT_MAX, "none is needed if its threads end; kill %d ends them", (int)z->pid);
}

/* An answer to `zombies` in the making. */
struct ask {
    struct engine *g;
    size_t n_zombies, n_parents, n_count;
    bool is_cut;
    json_t *zombies, *parents; /* NULL: memory was short */
    int64_t now_ms;
};

static json_t *ask_zombie(struct ask *a, const struct zombie *z, const char *service, const json_t *parent,
                          const char *why, const char *cure)
{
    bool leader = zombie_is_leader(z);
    return json_pack("{s:i, s:o, s:s?, s:I, s:s, s:i, s:O, s:s, s:s}", "pid", (int)z->pid, "name", ask_text(z->name),
                     "service", service, "age_ms", (json_int_t)(a->now_ms - z->seen_ms), "kind",
                     leader ? "leader" : "unwaited", "threads", leader ? (int)z->n_threads - 1 : 0, "parent", parent,
                     "why", why, "cure", cure);
}

static void ask_family(struct ask *a, const struct zombie_family *f, const char *service)
{
    const struct zombie *z = f->list;
    char why[ASK_TEXT_MAX], cure[ASK_TEXT_MAX], own_why[ASK_TEXT_MAX], own_cure[ASK_TEXT_MAX];
    struct procwait wait;
    json_t *parent = ask_parent(z, &wait);
    ask_why(&wait, why);
    ask_cure(&wait, z->parent, service, cure);
    for (size_t i = 0; i < f->n && a->n_zombies < ASK_LIST_MAX; i++) {
        bool leader = zombie_is_leader(&z[i]);
        if (leader)
            ask_leader(&z[i], service, own_why, own_cure);
        a->zombies = snapshot_append(
            a->zombies, ask_zombie(a, &z[i], service, parent, leader ? own_why : why, leader ? own_cure : cure));
        a->n_zombies++;
    }
    if (f->n_unwaited > 0 && a->n_parents < ASK_LIST_MAX) {
        json_t *rest = json_pack("{s:s?, s:i, s:I, s:s, s:s}", "service", service, "count", (int)f->n_unwaited,
                                 "age_ms", (json_int_t)(a->now_ms - f->oldest_ms), "why", why, "cure", cure);
        json_t *entry = json_copy(parent);
        int failed = json_object_update(entry, rest);
        json_decref(rest);
        if (failed != 0) {
            json_decref(entry);
            entry = NULL;
        }
        a->parents = snapshot_append(a->parents, entry);
        a->n_parents++;
    }
    json_decref(parent);
}

static void ask_unit(struct ask *a, unsigned unit)
{
    const struct zombie_note *note = zombie_note_of(a->g, unit, false);
    if (note == NULL)
        return;
    const struct zombie_record *r = &note->record;
    a->n_count += r->n;
    a->is_cut = a->is_cut || r->is_cut;
    struct zombie_family f = {0};
    while ((a->n_zombies < ASK_LIST_MAX || a->n_parents < ASK_LIST_MAX) && zombie_record_next(r, &f))
        ask_family(a, &f, ask_service(a->g, unit));
}

static void ask_on_looked(struct zombie_job *job)
{
    struct ask a = {.g = job->engine, .zombies = json_array(), .parents = json_array(), .now_ms = sys_now_ms()};
    for (size_t i = 0; i < job->n_units; i++)
        if (job->units[i].unit == SUPER_NO_UNIT || engine_at_id(a.g, job->units[i].unit, job->units[i].id) != NULL)
            ask_unit(&a, job->units[i].unit);
    parked_reply(job->data, json_pack("{s:I, s:o, s:o, s:b}", "count", (json_int_t)a.n_count, "parents", a.parents,
                                      "zombies", a.zombies, "cut", a.is_cut || a.n_zombies < a.n_count));
}

/* What has come of P, into BUF. */
static void ask_verdict(enum zombie_task task, const struct zombie_patient *p, char *buf)
{
    bool tried = p->verdict == UNZOMBIE_DONE;
    if (p->n_left == 0)
        snprintf(buf, ASK_TEXT_MAX, "it has waited for all of them");
    else if (task == ZOMBIE_NUDGE)
        snprintf(buf, ASK_TEXT_MAX,
                 tried ? "it does not wait for them on SIGCHLD" : "it has ended, or may not be signalled");
    else if (tried)
        snprintf(buf, ASK_TEXT_MAX, "it has made the calls, and they did not take them");
    else if (p->errnum != 0)
        snprintf(buf, ASK_TEXT_MAX, "%s: %s", unzombie_verdict_text(p->verdict), err_errno_text(p->errnum));
    else
        snprintf(buf, ASK_TEXT_MAX, "%s", unzombie_verdict_text(p->verdict));
}

static void ask_on_cured(struct zombie_job *job)
{
    json_t *parents = json_array();
    json_int_t cured = 0;
    char verdict[ASK_TEXT_MAX];
    for (size_t i = 0; i < job->cure.n; i++) {
        const struct zombie_patient *p = &job->cure.list[i];
        cured += (json_int_t)(p->n_before - p->n_left);
        ask_verdict(job->task, p, verdict);
        if (i < ASK_LIST_MAX)
            parents = snapshot_append(
                parents, json_pack("{s:i, s:o, s:s?, s:s, s:I, s:I}", "pid", (int)p->pid, "name", ask_text(p->name),
                                   "service", ask_service(job->engine, p->unit), "verdict", verdict, "reaped",
                                   (json_int_t)(p->n_before - p->n_left), "left", (json_int_t)p->n_left));
    }
    if (job->data != NULL)
        parked_reply(job->data, json_pack("{s:b, s:I, s:I, s:o}", "ok", job->n_left == 0, "cured", cured, "left",
                                          (json_int_t)job->n_left, "parents", parents));
    else
        json_decref(parents);
}

static void ask_on_gone(void *data)
{
    zombie_job_free(data);
}

/* The job TASK for the units that REQ names; NULL when REQ has been answered with an error. */
static struct zombie_job *ask_job(struct client *c, const struct proto_request *req, enum zombie_task task)
{
    struct engine *g = methods_engine(c);
    struct zombie_job *job = NULL;
    struct select sel = {0};
    bool all = proto_strings(req, "services") == NULL;
    if (!methods_select(c, req, &sel))
        return NULL;
    unsigned *units = g->zombies != NULL ? mem_array(sel.n + 1, sizeof *units) : NULL;
    if (units != NULL) {
        if (sel.n > 0)
            memcpy(units, sel.units, sel.n * sizeof *units);
        units[sel.n] = SUPER_NO_UNIT;
        job = zombie_job_new(g, task, units, sel.n + all);
    }
    mem_free(units);
    select_done(&sel);
    if (job == NULL)
        methods_error(c, req, PROTO_INTERNAL, NULL, "out of memory; nothing was done");
    return job;
}

/* Begins a job that ends with ON_DONE. */
static void ask_begin(struct client *c, const struct proto_request *req, enum zombie_task task, zombie_job_fn *on_done)
{
    struct zombie_job *job = ask_job(c, req, task);
    if (job == NULL)
        return;
    if (req->id != NULL) {
        job->data = parked_new_other(c, req->id, ask_on_gone, job);
        if (job->data == NULL) {
            zombie_job_free(job);
            return;
        }
    }
    census_refresh(job->engine);
    job->on_done = on_done;
    zombie_job_begin(job);
}

void look_zombies(struct client *c, const struct proto_request *req)
{
    if (req->id != NULL)
        ask_begin(c, req, ZOMBIE_LOOK, ask_on_looked);
}

void act_cure(struct client *c, const struct proto_request *req)
{
    const char *action = proto_string(req, "action");
    if (strcmp(action, "reap") == 0)
        ask_begin(c, req, ZOMBIE_REAP, ask_on_cured);
    else if (strcmp(action, "nudge") == 0)
        ask_begin(c, req, ZOMBIE_NUDGE, ask_on_cured);
    else
        methods_bad_param(c, req, "action", "there is no action %s; there are nudge and reap", action);
}
