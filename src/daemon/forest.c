/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The trees of processes. See forest.h.
 *
 * A look begins with our children, which are in the tables, and goes down from list of children to list of children;
 * where the kernel has no such lists the parents of all processes are read once instead. It holds no pointer into the
 * tables, and is made anew when they have changed.
 *
 * BUGS: processes come and go meanwhile. One whose parent ends during the look may be missing, or be shown where it
 * was.
 */
#include "daemon/forest.h"

#include "base/mem.h"
#include "daemon/engine.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOREST_COMMAND_MAX = 256 };

#define FOREST_NONE UINT32_MAX

/* Processes beside each other. Places in struct forest_look.nodes, or FOREST_NONE. */
struct forest_list {
    uint32_t first;
    uint32_t last;
};

/* One process. */
struct forest_node {
    struct procstat st;
    bool seen;       /* else of st only the pid is known */
    uint32_t parent; /* FOREST_NONE: a child of ours */
    uint32_t next;   /* beside it; of a child of ours, the next one of the same unit */
    struct forest_list children;
};

/* A process and its parent. */
struct forest_edge {
    pid_t pid;
    pid_t ppid;
};

/* One look at all processes. */
struct forest_look {
    const struct engine *g;    /* borrowed; NULL: there has been no look, or it is forgotten */
    unsigned turn;             /* of the loop */
    unsigned n_changes;        /* of the tables */
    struct forest_node *nodes; /* owned; our children, and behind them whoever is below */
    size_t n_nodes;
    size_t cap_nodes;
    struct forest_list *tops; /* owned; our children, by unit, and behind them the unclaimed */
    unsigned n_units;
    struct forest_edge *edges; /* owned; by ppid, where there are no lists of children; else NULL */
    size_t n_edges;
    bool cut;
    struct ev_timer forget;
};

/* One a process, as the engine is. It lives for a turn of the loop. */
static struct forest_look look;

static void forest_forget(void)
{
    mem_free(look.nodes);
    mem_free(look.tops);
    mem_free(look.edges);
    look = (struct forest_look){0};
}

static void forest_on_forget(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    forest_forget();
}

/* Adds a process to the look and returns its place; FOREST_NONE when it is full. */
static uint32_t forest_add(pid_t pid, uint32_t parent)
{
    if (look.n_nodes >= FOREST_MAX ||
        !mem_grow(&look.nodes, &look.cap_nodes, look.n_nodes + 1, sizeof(struct forest_node))) {
        look.cut = true;
        return FOREST_NONE;
    }
    struct forest_node *node = &look.nodes[look.n_nodes];
    *node = (struct forest_node){.parent = parent, .next = FOREST_NONE, .children = {FOREST_NONE, FOREST_NONE}};
    node->seen = procfs_stat(pid, &node->st);
    if (!node->seen)
        node->st = (struct procstat){.pid = pid};
    return (uint32_t)look.n_nodes++;
}

static void forest_append(struct forest_list *l, uint32_t at)
{
    if (l->last != FOREST_NONE)
        look.nodes[l->last].next = at;
    else
        l->first = at;
    l->last = at;
}

static void forest_add_child(pid_t pid, uint32_t parent)
{
    uint32_t at = forest_add(pid, parent);
    if (at == FOREST_NONE)
        return;
    /* It may have gone since the list was read. */
    if (look.nodes[at].seen)
        forest_append(&look.nodes[parent].children, at);
    else
        look.n_nodes--;
}

/* Adds our child P to its unit's, the main process before all others. */
static void forest_add_top(const struct attrib_proc *p, struct forest_list *l)
{
    uint32_t at = forest_add(p->pid, FOREST_NONE);
    if (at == FOREST_NONE)
        return;
    if (p->role != ATTRIB_MAIN || l->first == FOREST_NONE) {
        forest_append(l, at);
        return;
    }
    look.nodes[at].next = l->first;
    l->first = at;
}

static void forest_add_tops(const struct engine *g)
{
    for (unsigned i = 0; i <= look.n_units; i++)
        look.tops[i] = (struct forest_list){FOREST_NONE, FOREST_NONE};
    LIST_EACH (it, &g->attrib.runs) {
        const struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        unsigned slot = run->unit < look.n_units ? run->unit : look.n_units;
        LIST_EACH (m, &run->members)
            forest_add_top(CONTAINER_OF(m, struct attrib_proc, in_run), &look.tops[slot]);
    }
    LIST_EACH (m, &g->attrib.unclaimed)
        forest_add_top(CONTAINER_OF(m, struct attrib_proc, in_run), &look.tops[look.n_units]);
}

static int forest_compare_edges(const void *a, const void *b)
{
    const struct forest_edge *x = a;
    const struct forest_edge *y = b;
    if (x->ppid != y->ppid)
        return x->ppid < y->ppid ? -1 : 1;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Reads the parents of all processes. */
static void forest_read_edges(struct pidlist *all)
{
    look.edges = procfs_all(all) ? mem_array(all->n, sizeof(struct forest_edge)) : NULL;
    if (look.edges == NULL) {
        look.cut = true;
        return;
    }
    for (size_t i = 0; i < all->n; i++) {
        struct procstat st;
        if (procfs_stat(all->pids[i], &st))
            look.edges[look.n_edges++] = (struct forest_edge){.pid = st.pid, .ppid = st.ppid};
    }
    qsort(look.edges, look.n_edges, sizeof *look.edges, forest_compare_edges);
}

/* Puts the children of PID into L, by the parents of all. */
static bool forest_find_children(pid_t pid, struct pidlist *l)
{
    size_t low = 0;
    size_t high = look.n_edges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (look.edges[middle].ppid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    l->n = 0;
    for (; low < look.n_edges && look.edges[low].ppid == pid; low++) {
        if (!mem_grow(&l->pids, &l->cap, l->n + 1, sizeof *l->pids))
            return false;
        l->pids[l->n++] = look.edges[low].pid;
    }
    return true;
}

/* Adds whoever is below those in the look. */
static void forest_descend(const struct engine *g)
{
    struct pidlist l = {0};
    bool by_file = g->children_source == PROCFS_CHILDREN_FILE;
    if (!by_file)
        forest_read_edges(&l);
    for (uint32_t i = 0; i < look.n_nodes; i++) {
        pid_t pid = look.nodes[i].st.pid;
        bool ok = by_file ? procfs_children(pid, &l) : forest_find_children(pid, &l);
        /* Those that have gone meanwhile have left their children to us: the next look finds them. */
        if (!ok) {
            look.cut = look.cut || (errno != ENOENT && errno != ESRCH);
            continue;
        }
        for (size_t k = 0; k < l.n; k++)
            if (attrib_find(&g->attrib, l.pids[k]) == NULL)
                forest_add_child(l.pids[k], i);
    }
    pidlist_done(&l);
}

static int forest_compare_sights(const void *a, const void *b)
{
    const struct attrib_sight *x = a;
    const struct attrib_sight *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Notes who is below whom, for the day when one of them becomes our child. */
static void forest_remember(struct engine *g)
{
    struct attrib_sight *sights = mem_array(look.n_nodes, sizeof *sights);
    size_t n = 0;
    for (size_t i = 0; sights != NULL && i < look.n_nodes; i++) {
        const struct forest_node *node = &look.nodes[i];
        if (node->parent == FOREST_NONE)
            continue;
        const struct procstat *above = &look.nodes[node->parent].st;
        struct attrib_sight *s = &sights[n++];
        *s = (struct attrib_sight){
            .pid = node->st.pid, .start_ticks = node->st.start_ticks, .parent = {.pid = above->pid}};
        snprintf(s->parent.name, sizeof s->parent.name, "%.*s", ATTRIB_NAME_MAX - 1, above->comm);
    }
    if (n > 0)
        qsort(sights, n, sizeof *sights, forest_compare_sights);
    attrib_remember(&g->attrib, sights, n);
}

/* Makes sure that there is a look at how things are now. False without memory. */
static bool forest_look(struct engine *g)
{
    unsigned turn = ev_iteration(g->loop);
    if (look.g == g && look.turn == turn && look.n_changes == g->attrib.n_changes && look.n_units == g->n_units)
        return true;
    if (look.g != NULL)
        ev_timer_stop(look.g->loop, &look.forget);
    forest_forget();
    look.n_units = g->n_units;
    look.tops = mem_array((size_t)g->n_units + 1, sizeof *look.tops);
    if (look.tops == NULL)
        return false;
    look.g = g;
    look.turn = turn;
    look.n_changes = g->attrib.n_changes;
    forest_add_tops(g);
    if (g->children_source != PROCFS_CHILDREN_NONE)
        forest_descend(g);
    forest_remember(g);
    ev_timer_init(&look.forget, forest_on_forget, 0., 0.);
    ev_timer_start(g->loop, &look.forget);
    return true;
}

/* A walk through the processes of one unit, each before those below it. */
struct forest_walk {
    uint32_t at;
    unsigned depth; /* 0: a child of ours */
};

static struct forest_walk forest_begin(unsigned unit)
{
    return (struct forest_walk){.at = look.tops[unit < look.n_units ? unit : look.n_units].first};
}

static void forest_next(struct forest_walk *w)
{
    const struct forest_node *node = &look.nodes[w->at];
    if (node->children.first != FOREST_NONE) {
        w->at = node->children.first;
        w->depth++;
        return;
    }
    for (; node->next == FOREST_NONE && node->parent != FOREST_NONE; w->depth--)
        node = &look.nodes[node->parent];
    w->at = node->next;
}

static bool forest_is_alive(const struct forest_node *node)
{
    return !node->seen || !(node->st.state == 'Z' || node->st.state == 'X') || node->st.n_threads > 1;
}

static int64_t forest_ms(uint64_t ticks)
{
    long hz = sysconf(_SC_CLK_TCK);
    return hz > 0 ? (int64_t)(ticks / (uint64_t)hz * 1000 + ticks % (uint64_t)hz * 1000 / (uint64_t)hz) : 0;
}

void forest_sum(struct engine *g, unsigned unit, struct forest_sums *ret)
{
    int64_t page = sysconf(_SC_PAGESIZE);
    *ret = (struct forest_sums){0};
    if (!forest_look(g))
        return;
    for (struct forest_walk w = forest_begin(unit); w.at != FOREST_NONE; forest_next(&w)) {
        const struct forest_node *node = &look.nodes[w.at];
        if (!forest_is_alive(node)) {
            ret->zombies += node->parent != FOREST_NONE;
            continue;
        }
        const struct attrib_proc *p = w.depth == 0 ? attrib_find(&g->attrib, node->st.pid) : NULL;
        ret->processes++;
        ret->adopted += p != NULL && p->evidence != ATTRIB_BORN;
        ret->rss_bytes += (int64_t)node->st.rss_pages * page;
        ret->cpu_ms += forest_ms(node->st.cpu_ticks);
    }
}

bool forest_is_cut(struct engine *g)
{
    return !forest_look(g) || look.cut;
}

static json_t *forest_text(const char *text)
{
    char line[4 * PROCSTAT_COMM_MAX];
    return json_string(procstat_line(text, strlen(text), line, sizeof line));
}

static json_t *forest_command(const struct forest_node *node)
{
    char line[FOREST_COMMAND_MAX + 1];
    /* Reading the arguments of one that hangs in the kernel could hang us. */
    bool ok = node->seen && node->st.state != 'D' && procfs_command(node->st.pid, line, sizeof line);
    return ok && line[0] != '\0' ? json_string(line) : json_null();
}

static json_t *forest_age(const struct forest_node *node)
{
    int64_t age = sys_boot_ms() - forest_ms(node->st.start_ticks);
    return node->seen ? json_integer(age > 0 ? age : 0) : json_null();
}

static json_t *forest_from(const struct attrib_proc *p)
{
    if (p == NULL || p->from.pid == 0)
        return json_null();
    return json_pack("{s:i, s:o}", "pid", (int)p->from.pid, "name",
                     p->from.name[0] != '\0' ? forest_text(p->from.name) : json_null());
}

/* NODE as JSON; P is what the tables say of it, NULL when it is no child of ours. */
static json_t *forest_object(const struct forest_node *node, const struct attrib_proc *p)
{
    const struct procstat *st = &node->st;
    bool adopted = p != NULL && p->evidence != ATTRIB_BORN;
    const struct {
        const char *key;
        json_t *value;
    } members[] = {
        {"pid", json_integer(st->pid)},
        {"ppid", json_integer(node->seen ? st->ppid : sys_getpid())},
        {"name", node->seen ? forest_text(st->comm) : json_null()},
        {"command", forest_command(node)},
        {"state", node->seen ? json_stringn(&st->state, 1) : json_null()},
        {"age_ms", forest_age(node)},
        {"role", json_string(p == NULL                ? "descendant"
                             : p->role == ATTRIB_MAIN ? "main"
                                                      : "member")},
        {"attribution", json_string(p == NULL ? "below" : attrib_evidence_name(p->evidence))},
        {"adopted", json_boolean(adopted)},
        {"adopted_ms", adopted ? json_integer(sys_now_ms() - p->since_ms) : json_null()},
        {"adopted_from", forest_from(p)},
        {"session", node->seen ? json_integer(st->session) : json_null()},
        {"children", json_array()},
    };
    json_t *object = json_object();
    bool ok = object != NULL;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        ok = json_object_set_new(object, members[i].key, members[i].value) == 0 && ok;
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

json_t *forest_processes(struct engine *g, unsigned unit)
{
    /* Where a process of each depth belongs. */
    json_t *lists[FOREST_DEPTH_MAX];
    json_t *ret = forest_look(g) ? json_array() : NULL;
    if (ret == NULL)
        return NULL;
    lists[0] = ret;
    for (struct forest_walk w = forest_begin(unit); w.at != FOREST_NONE; forest_next(&w)) {
        const struct forest_node *node = &look.nodes[w.at];
        unsigned depth = w.depth < FOREST_DEPTH_MAX ? w.depth : FOREST_DEPTH_MAX - 1;
        const struct attrib_proc *p = w.depth == 0 ? attrib_find(&g->attrib, node->st.pid) : NULL;
        json_t *object = forest_object(node, p);
        if (json_array_append_new(lists[depth], object) != 0) {
            json_decref(ret);
            return NULL;
        }
        if (depth + 1 < FOREST_DEPTH_MAX)
            lists[depth + 1] = json_object_get(object, "children");
    }
    return ret;
}
