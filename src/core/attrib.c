/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whose process is this? Tables of runs and of our children, and the arithmetic of tags.
 */
#include "core/attrib.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_OUTER_STRIDE (UINT64_C(1) << 40)
#define TAG_INNER_STRIDE (UINT64_C(1) << 20)
#define TAG_OUTER_BASE   (UINT64_C(1) << 60)

enum { IDS_MAX = (1 << 20) - 1, RUNS_MIN = 64 };

/* Sets where our tags begin and how far apart they are. A supervisor whose own limit leaves less than one stride
 *  has none to give. */
static void set_tags(struct attrib *a)
{
    a->base = a->own_limit;
    if (a->own_limit == UINT64_MAX) {
        a->base = TAG_OUTER_BASE;
        a->stride = TAG_OUTER_STRIDE;
    } else if (a->own_limit > 0 && a->own_limit % TAG_OUTER_STRIDE == 0) {
        a->stride = TAG_INNER_STRIDE;
    } else if (a->own_limit > 0 && a->own_limit % TAG_INNER_STRIDE == 0) {
        a->stride = 1;
    } else {
        a->stride = 0;
    }
}

void attrib_init(struct attrib *a, uint64_t own_limit, uint64_t nonce, uint32_t first_id)
{
    *a = (struct attrib){.own_limit = own_limit, .next_id = first_id};
    set_tags(a);
    snprintf(a->nonce, sizeof a->nonce, "%016" PRIx64, nonce);
    list_init(&a->runs);
    list_init(&a->unclaimed);
}

static void free_proc(pid_t pid UNUSED, void *record, void *data UNUSED)
{
    mem_free(record);
}

void attrib_done(struct attrib *a)
{
    pidmap_each(&a->procs, free_proc, NULL);
    pidmap_done(&a->procs);
    LIST_EACH (it, &a->runs)
        mem_free(CONTAINER_OF(it, struct attrib_run, link));
    mem_free(a->by_id);
    mem_free(a->by_run);
    mem_free(a->spare);
    attrib_remember(a, NULL, 0);
    a->by_id = NULL;
    a->by_run = NULL;
    a->spare = NULL;
    a->runs_cap = 0;
    a->n_runs = 0;
    list_init(&a->runs);
    list_init(&a->unclaimed);
}

uint32_t attrib_ids_max(void)
{
    return IDS_MAX;
}

/* The two tables of runs differ in their key alone. */
static uint64_t run_key(const struct attrib_run *r, bool by_id)
{
    return by_id ? r->tag_id : r->run;
}

/* The slot of TABLE where KEY is, or the empty one where it would be. The table is never full. */
static size_t find_slot(struct attrib_run *const *table, size_t cap, bool by_id, uint64_t key)
{
    size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (cap - 1);

    while (table[i] && run_key(table[i], by_id) != key)
        i = (i + 1) & (cap - 1);
    return i;
}

static void put_run(struct attrib_run **table, size_t cap, bool by_id, struct attrib_run *r)
{
    table[find_slot(table, cap, by_id, run_key(r, by_id))] = r;
}

/* Takes R out; what had to make way for it moves up. */
static void drop_run(struct attrib_run **table, size_t cap, bool by_id, const struct attrib_run *r)
{
    size_t i = find_slot(table, cap, by_id, run_key(r, by_id));

    table[i] = NULL;
    for (i = (i + 1) & (cap - 1); table[i]; i = (i + 1) & (cap - 1)) {
        struct attrib_run *moved = table[i];
        table[i] = NULL;
        put_run(table, cap, by_id, moved);
    }
}

static struct attrib_run *find_id(const struct attrib *a, uint64_t id)
{
    if (a->runs_cap == 0 || id == 0 || id > IDS_MAX)
        return NULL;
    return a->by_id[find_slot(a->by_id, a->runs_cap, true, id)];
}

/* Makes room for one more run in both tables, which stay at most half full. */
static bool reserve_run(struct attrib *a)
{
    size_t cap = a->runs_cap ? a->runs_cap * 2 : RUNS_MIN;
    struct attrib_run **by_id, **by_run;

    if (a->n_runs + 1 <= a->runs_cap / 2)
        return true;
    by_id = mem_array(cap, sizeof *by_id);
    by_run = mem_array(cap, sizeof *by_run);
    if (!by_id || !by_run) {
        mem_free(by_id);
        mem_free(by_run);
        return false;
    }
    LIST_EACH (it, &a->runs) {
        put_run(by_id, cap, true, CONTAINER_OF(it, struct attrib_run, link));
        put_run(by_run, cap, false, CONTAINER_OF(it, struct attrib_run, link));
    }
    mem_free(a->by_id);
    mem_free(a->by_run);
    a->by_id = by_id;
    a->by_run = by_run;
    a->runs_cap = cap;
    return true;
}

struct attrib_run *attrib_run_open(struct attrib *a, unsigned unit, uint64_t run)
{
    struct attrib_run *r;

    if (a->n_runs >= IDS_MAX || !reserve_run(a))
        return NULL;
    r = mem_alloc(sizeof *r);
    if (!r)
        return NULL;
    do {
        if (a->next_id == 0 || a->next_id > IDS_MAX)
            a->next_id = 1;
        r->tag_id = a->next_id++;
    } while (find_id(a, r->tag_id));
    r->run = run;
    r->unit = unit;
    list_init(&r->members);
    list_append(&a->runs, &r->link);
    put_run(a->by_id, a->runs_cap, true, r);
    put_run(a->by_run, a->runs_cap, false, r);
    a->n_runs++;
    return r;
}

struct attrib_run *attrib_run_find(const struct attrib *a, uint64_t run)
{
    if (a->runs_cap == 0)
        return NULL;
    return a->by_run[find_slot(a->by_run, a->runs_cap, false, run)];
}

/* Frees R when nobody needs it any more. */
static void release_run(struct attrib *a, struct attrib_run *r)
{
    if (!r->closed || r->n_members > 0)
        return;
    drop_run(a->by_id, a->runs_cap, true, r);
    drop_run(a->by_run, a->runs_cap, false, r);
    list_remove(&r->link);
    a->n_runs--;
    mem_free(r);
}

void attrib_run_close(struct attrib *a, struct attrib_run *r)
{
    r->closed = true;
    release_run(a, r);
}

uint64_t attrib_run_tag(const struct attrib *a, const struct attrib_run *r)
{
    return a->stride == 0 ? 0 : a->base - r->tag_id * a->stride;
}

char *attrib_run_marker(const struct attrib *a, const struct attrib_run *r, const char *inherited, char *buf,
                        size_t size)
{
    bool nested = inherited && *inherited;
    int n = snprintf(buf, size, "%s%s%s:%" PRIu32, nested ? inherited : "", nested ? "/" : "", a->nonce, r->tag_id);

    return n >= 0 && (size_t)n < size ? buf : NULL;
}

/* The run whose tag LIMIT is, or is derived from by a supervisor below. */
static struct attrib_run *claim_tag(const struct attrib *a, uint64_t limit)
{
    if (a->stride == 0 || limit >= a->base)
        return NULL;
    return find_id(a, (a->base - limit) / a->stride);
}

/* The run that MARKER names: the last of its segments that is ours. */
static struct attrib_run *claim_marker(const struct attrib *a, const char *marker)
{
    size_t n = strlen(a->nonce);
    struct attrib_run *found = NULL;

    for (const char *seg = marker; seg; seg = strchr(seg, '/')) {
        char *end;
        unsigned long id;
        if (*seg == '/')
            seg++;
        if (strncmp(seg, a->nonce, n) != 0 || seg[n] != ':' || seg[n + 1] < '1' || seg[n + 1] > '9')
            continue;
        id = strtoul(seg + n + 1, &end, 10);
        if (*end == '\0' || *end == '/')
            found = find_id(a, id);
    }
    return found;
}

struct attrib_run *attrib_claim(const struct attrib *a, const struct attrib_facts *facts,
                                enum attrib_evidence *ret_evidence)
{
    struct attrib_run *r = facts->cgroup_run != 0 ? attrib_run_find(a, facts->cgroup_run) : NULL;

    *ret_evidence = ATTRIB_CGROUP;
    if (!r && facts->has_limit) {
        r = claim_tag(a, facts->limit);
        *ret_evidence = ATTRIB_TAG;
    }
    if (!r && facts->marker) {
        r = claim_marker(a, facts->marker);
        *ret_evidence = ATTRIB_ENV;
    }
    if (!r)
        *ret_evidence = ATTRIB_NONE;
    return r;
}

bool attrib_reserve(struct attrib *a)
{
    if (!a->spare)
        a->spare = mem_alloc(sizeof *a->spare);
    return a->spare && pidmap_reserve(&a->procs);
}

struct attrib_proc *attrib_add(struct attrib *a, pid_t pid, struct attrib_run *r, enum attrib_role role,
                               enum attrib_evidence evidence, int64_t now_ms)
{
    struct attrib_proc *old = attrib_find(a, pid), *p;

    if (!attrib_reserve(a))
        return NULL;
    if (r)
        r->n_members++; /* first, or R might be freed together with the old entry */
    if (old)
        attrib_remove(a, old);
    p = a->spare;
    if (!pidmap_put(&a->procs, pid, p)) {
        if (r)
            r->n_members--;
        return NULL;
    }
    a->spare = NULL;
    *p = (struct attrib_proc){
        .pid = pid,
        .run = r,
        .role = role,
        .evidence = evidence,
        .since_ms = now_ms,
        .met_in = a->n_looks,
    };
    a->n_changes++;
    list_init(&p->in_run);
    list_append(r ? &r->members : &a->unclaimed, &p->in_run);
    if (!r)
        a->n_unclaimed_total++;
    return p;
}

struct attrib_proc *attrib_find(const struct attrib *a, pid_t pid)
{
    return pidmap_get(&a->procs, pid);
}

void attrib_remove(struct attrib *a, struct attrib_proc *p)
{
    struct attrib_run *r = p->run;

    a->n_changes++;
    pidmap_remove(&a->procs, p->pid);
    list_remove(&p->in_run);
    mem_free(p);
    if (r) {
        r->n_members--;
        release_run(a, r);
    }
}

static void disown_run(struct attrib *a, struct attrib_run *r)
{
    LIST_EACH (it, &r->members) {
        struct attrib_proc *p = CONTAINER_OF(it, struct attrib_proc, in_run);
        list_remove(&p->in_run);
        p->run = NULL;
        p->role = ATTRIB_MEMBER;
        p->evidence = ATTRIB_NONE;
        list_append(&a->unclaimed, &p->in_run);
        a->n_unclaimed_total++;
    }
    r->n_members = 0;
    attrib_run_close(a, r);
}

void attrib_disown(struct attrib *a, unsigned unit)
{
    LIST_EACH (it, &a->runs) {
        struct attrib_run *r = CONTAINER_OF(it, struct attrib_run, link);
        if (r->unit == unit)
            disown_run(a, r);
    }
}

void attrib_begin_look(struct attrib *a)
{
    a->n_looks++;
}

static struct attrib_leaver leaver_of(pid_t pid, const char *name)
{
    struct attrib_leaver l = {.pid = pid};

    snprintf(l.name, sizeof l.name, "%s", name);
    return l;
}

void attrib_end(struct attrib_proc *p, const char *name, pid_t pgrp, pid_t session)
{
    p->ended = true;
    p->pgrp = pgrp;
    p->session = session;
    memcpy(p->name, leaver_of(p->pid, name).name, sizeof p->name);
}

void attrib_remember(struct attrib *a, struct attrib_sight *sights, size_t n)
{
    mem_free(a->sights);
    a->sights = sights;
    a->n_sights = n;
}

static int compare_sight(const void *key, const void *sight)
{
    pid_t x = *(const pid_t *)key, y = ((const struct attrib_sight *)sight)->pid;

    return (x > y) - (x < y);
}

static const struct attrib_sight *find_sight(const struct attrib *a, const struct attrib_newcomer *c)
{
    const struct attrib_sight *s = NULL;

    if (a->n_sights > 0)
        s = bsearch(&c->pid, a->sights, a->n_sights, sizeof *s, compare_sight);
    return s && s->start_ticks == c->start_ticks ? s : NULL;
}

/* The ended member of RUN that has begun C's group or session. */
static const struct attrib_proc *find_ended_leader(const struct attrib_run *run, const struct attrib_newcomer *c)
{
    const struct attrib_proc *found = NULL;

    LIST_EACH (it, &run->members) {
        const struct attrib_proc *p = CONTAINER_OF(it, struct attrib_proc, in_run);
        if (p->ended && p->pid == c->pgrp)
            return p;
        if (p->ended && p->pid == c->session)
            found = p;
    }
    return found;
}

/* The one member that RUN had before the present look, when that has ended: whoever is new was below it. */
static const struct attrib_proc *find_ended_root(const struct attrib *a, const struct attrib_run *run)
{
    const struct attrib_proc *found = NULL;

    LIST_EACH (it, &run->members) {
        const struct attrib_proc *p = CONTAINER_OF(it, struct attrib_proc, in_run);
        if (!p->ended && p->met_in == a->n_looks)
            continue;
        if (!p->ended || found)
            return NULL;
        found = p;
    }
    return found;
}

struct attrib_leaver attrib_leaver(const struct attrib *a, const struct attrib_run *run,
                                   const struct attrib_newcomer *c)
{
    const struct attrib_leaver *leader = c->group_leader.pid != 0 ? &c->group_leader : &c->session_leader;
    const struct attrib_sight *sight = find_sight(a, c);
    const struct attrib_proc *p = run ? find_ended_leader(run, c) : NULL;

    if (sight)
        return sight->parent;
    if (p)
        return leaver_of(p->pid, p->name);
    p = run ? find_ended_root(a, run) : NULL;
    if (p && (leader->pid == 0 || p->pgrp == leader->pid || p->session == leader->pid))
        return leaver_of(p->pid, p->name);
    return *leader;
}

static bool is_older(const struct attrib_candidate *x, const struct attrib_candidate *y)
{
    return x->start_ticks != y->start_ticks ? x->start_ticks < y->start_ticks : x->pid < y->pid;
}

size_t attrib_follow(const struct attrib_candidate *c, size_t n, pid_t pid_file_pid)
{
    size_t best = 0;

    for (size_t i = 0; i < n; i++) {
        bool leads = c[i].session == c[i].pid, best_leads = c[best].session == c[best].pid;
        if (pid_file_pid > 0 && c[i].pid == pid_file_pid)
            return i;
        if (leads != best_leads ? leads : is_older(&c[i], &c[best]))
            best = i;
    }
    return best;
}

const char *attrib_evidence_name(enum attrib_evidence v)
{
    static const char *const names[] = {
        [ATTRIB_BORN] = "born", [ATTRIB_CGROUP] = "cgroup",  [ATTRIB_TAG] = "tag",
        [ATTRIB_ENV] = "env",   [ATTRIB_NONE] = "unclaimed",
    };
    static_assert(ARRAY_LEN(names) == ATTRIB_EVIDENCE_N, "every evidence has a name");

    return (unsigned)v < ATTRIB_EVIDENCE_N ? names[v] : "?";
}
