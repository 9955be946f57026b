/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The look for zombies. See zombie_look.h.
 *
 * BUGS: processes come and go meanwhile. One whose parent ends during the look may be missed until the next. Where the
 * kernel has no lists of children each of them is made by reading all of /proc.
 */
#include "daemon/zombie_look.h"

#include "base/mem.h"
#include "daemon/census.h"
#include "daemon/engine.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void zombie_look_add_child(struct zombie_look *l, pid_t pid)
{
    struct pidlist *c = &l->children;
    if (mem_grow(&c->pids, &c->cap, c->n + 1, sizeof *c->pids))
        c->pids[c->n++] = pid;
    else
        l->is_cut = true;
}

static void zombie_look_add_members(struct zombie_look *l, const struct list *members)
{
    LIST_EACH (m, members)
        zombie_look_add_child(l, CONTAINER_OF(m, struct attrib_proc, in_run)->pid);
}

void zombie_look_begin(struct zombie_look *l, struct engine *g, unsigned unit)
{
    *l = (struct zombie_look){.engine = g, .parent = {.pid = sys_getpid()}};
    if (unit == SUPER_NO_UNIT) {
        zombie_look_add_members(l, &g->attrib.unclaimed);
        return;
    }
    LIST_EACH (it, &g->attrib.runs) {
        const struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        if (run->unit == unit && run->helper == NULL)
            zombie_look_add_members(l, &run->members);
    }
}

static void zombie_look_note(struct zombie_look *l, const struct procstat *st)
{
    if (l->n_found >= ZOMBIE_LIST_MAX || !mem_grow(&l->found, &l->found_cap, l->n_found + 1, sizeof *l->found)) {
        l->is_cut = true;
        return;
    }
    struct zombie *z = &l->found[l->n_found++];
    *z = (struct zombie){
        .pid = st->pid,
        .start_ticks = st->start_ticks,
        .parent = l->parent.pid,
        .parent_start = l->parent.start_ticks,
        .n_threads = st->n_threads,
    };
    snprintf(z->name, sizeof z->name, "%.*s", ATTRIB_NAME_MAX - 1, st->comm);
}

static void zombie_look_at(struct zombie_look *l, pid_t pid)
{
    struct procstat st;
    /* One whose parent has ended since is our child, or that of another one that is still to be looked at. */
    if (!procfs_stat(pid, &st) || st.ppid != l->parent.pid)
        return;
    bool ended = procstat_is_dead(&st);
    l->n_tasks += ended ? 1 : st.n_threads;
    if (ended && st.ppid == sys_getpid())
        return;
    if (st.state == 'Z')
        zombie_look_note(l, &st);
    if (ended)
        return;
    if (l->n_nodes < ZOMBIE_NODES_MAX && mem_grow(&l->nodes, &l->nodes_cap, l->n_nodes + 1, sizeof *l->nodes))
        l->nodes[l->n_nodes++] =
            (struct zombie_node){.pid = pid, .start_ticks = st.start_ticks, .n_threads = st.n_threads};
    else
        l->is_cut = true;
}

bool zombie_look_step(struct zombie_look *l)
{
    if (l->next_child < l->children.n) {
        zombie_look_at(l, l->children.pids[l->next_child++]);
        return true;
    }
    if (l->next_node == l->n_nodes)
        return false;
    l->parent = l->nodes[l->next_node++];
    const struct procstat st = {.pid = l->parent.pid, .n_threads = l->parent.n_threads};
    l->next_child = 0;
    if (!census_children_of(l->engine, &st, &l->children)) {
        l->children.n = 0;
        l->is_cut = l->is_cut || (errno != ENOENT && errno != ESRCH);
    }
    return true;
}

static int zombie_look_compare(const void *a, const void *b)
{
    const struct zombie *x = a;
    const struct zombie *y = b;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* When Z, which is there now, was first seen. */
static int64_t zombie_look_seen(const struct zombie_record *r, const struct zombie *z, int64_t now_ms)
{
    const struct zombie *old = NULL;
    if (r->n > 0)
        old = bsearch(z, r->list, r->n, sizeof *r->list, zombie_look_compare);
    /* A leader has not ended before its last thread has. */
    bool same = old != NULL && old->start_ticks == z->start_ticks && zombie_is_leader(old) == zombie_is_leader(z);
    return same ? old->seen_ms : now_ms;
}

void zombie_look_take(struct zombie_look *l, struct zombie_record *r, int64_t now_ms)
{
    struct zombie_record now = {.list = l->found, .n = l->n_found, .n_tasks = l->n_tasks, .is_cut = l->is_cut};
    if (now.n > 0)
        qsort(now.list, now.n, sizeof *now.list, zombie_look_compare);
    for (size_t i = 0; i < now.n; i++) {
        now.list[i].seen_ms = zombie_look_seen(r, &now.list[i], now_ms);
        now.n_unwaited += !zombie_is_leader(&now.list[i]);
    }
    l->found = NULL;
    zombie_look_done(l);
    mem_free(r->list);
    *r = now;
}

void zombie_look_done(struct zombie_look *l)
{
    pidlist_done(&l->children);
    mem_free(l->nodes);
    mem_free(l->found);
    *l = (struct zombie_look){0};
}

void zombie_record_done(struct zombie_record *r)
{
    mem_free(r->list);
    *r = (struct zombie_record){0};
}

size_t zombie_record_of(const struct zombie_record *r, pid_t parent, size_t *ret_n)
{
    size_t low = 0;
    size_t high = r->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->list[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    for (*ret_n = 0; low + *ret_n < r->n && r->list[low + *ret_n].parent == parent;)
        ++*ret_n;
    return low;
}

bool zombie_record_next(const struct zombie_record *r, struct zombie_family *f)
{
    const struct zombie *z = f->list != NULL ? f->list + f->n : r->list;
    if (r->n == 0 || z == r->list + r->n)
        return false;
    *f = (struct zombie_family){.list = z, .oldest_ms = INT64_MAX, .youngest_ms = INT64_MIN};
    for (; z < r->list + r->n && z->parent == f->list->parent; z++) {
        f->n++;
        if (zombie_is_leader(z))
            continue;
        f->n_unwaited++;
        f->oldest_ms = z->seen_ms < f->oldest_ms ? z->seen_ms : f->oldest_ms;
        f->youngest_ms = z->seen_ms > f->youngest_ms ? z->seen_ms : f->youngest_ms;
    }
    return true;
}
