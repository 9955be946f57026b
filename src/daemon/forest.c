/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The trees of processes. See forest.h.
 *
 * A look begins with our children, which are in the tables, and goes down from list of children to list of children.
 * Where the kernel has no such lists, or where most processes are ours anyhow (a container), the state of all
 * processes is read instead: that says who is whose child in half the time. A look holds no pointer into the tables,
 * and is made anew when they have changed.
 *
 * BUGS: processes come and go meanwhile. One whose parent ends during the look may be missing, or be shown where it
 * was.
 */
#include "daemon/forest.h"

#include "base/mem.h"
#include "daemon/engine.h"
#include "daemon/helper.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FOREST_COMMAND_MAX = 256,
    FOREST_ALL_MAX = 65536,  /* of more processes the state is not read at once */
    FOREST_FOREIGN = 2,      /* reading all pays up to so many processes for each child of ours, */
    FOREST_FOREIGN_MIN = 32, /* and a few beside */
    FOREST_REST = 2          /* lists beside those of units */
};

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

/* One look at all processes. */
struct forest_look {
    const struct engine *g;    /* borrowed; NULL: there has been no look, or it is forgotten */
    unsigned turn;             /* of the loop */
    unsigned n_changes;        /* of the tables */
    struct forest_node *nodes; /* owned; our children, and behind them whoever is below */
    size_t n_nodes;
    size_t cap_nodes;
    struct forest_list *tops; /* owned; our children, by unit, and behind them the unclaimed and our own */
    unsigned n_units;
    struct procstat *all; /* owned; by ppid and pid; NULL: there are lists of children */
    size_t n_all;
    bool cut;
    struct ev_timer forget;
};

/* One a process, as the engine is. It lives for a turn of the loop. */
static struct forest_look look;

static void forest_forget(void)
{
    mem_free(look.nodes);
    mem_free(look.tops);
    mem_free(look.all);
    look = (struct forest_look){0};
}

static void forest_on_forget(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    forest_forget();
}

static int forest_compare(const void *a, const void *b)
{
    const struct procstat *x = a;
    const struct procstat *y = b;
    if (x->ppid != y->ppid)
        return x->ppid < y->ppid ? -1 : 1;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Reads the state of all processes where that is the way to go. */
static void forest_read_all(const struct engine *g)
{
    struct pidlist l = {0};
    bool must = g->children_source == PROCFS_CHILDREN_SCAN;
    bool may = must || g->children_source == PROCFS_CHILDREN_FILE;
    size_t max = must ? FOREST_ALL_MAX : g->attrib.procs.n * FOREST_FOREIGN + FOREST_FOREIGN_MIN;
    if (may && procfs_all(&l) && l.n <= max)
        look.all = mem_array(l.n, sizeof *look.all);
    for (size_t i = 0; look.all != NULL && i < l.n; i++)
        look.n_all += procfs_stat(l.pids[i], &look.all[look.n_all]);
    pidlist_done(&l);
    look.cut = must && look.all == NULL;
    if (look.all != NULL)
        qsort(look.all, look.n_all, sizeof *look.all, forest_compare);
}

/* The state of our child PID, into ST. */
static bool forest_see(pid_t pid, struct procstat *st)
{
    const struct procstat key = {.pid = pid, .ppid = sys_getpid()};
    const struct procstat *found = NULL;
    if (look.n_all > 0)
        found = bsearch(&key, look.all, look.n_all, sizeof *look.all, forest_compare);
    if (found == NULL)
        return procfs_stat(pid, st);
    *st = *found;
    return true;
}

/* Adds the process PID, whose state is ST (NULL: not to be seen), and returns its place; FOREST_NONE when the look is
 * full. */
static uint32_t forest_add(pid_t pid, const struct procstat *st, uint32_t parent)
{
    if (look.n_nodes >= FOREST_MAX ||
        !mem_grow(&look.nodes, &look.cap_nodes, look.n_nodes + 1, sizeof(struct forest_node))) {
        look.cut = true;
        return FOREST_NONE;
    }
    look.nodes[look.n_nodes] = (struct forest_node){
        .st = st != NULL ? *st : (struct procstat){.pid = pid},
        .seen = st != NULL,
        .parent = parent,
        .next = FOREST_NONE,
        .children = {FOREST_NONE, FOREST_NONE},
    };
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

static void forest_add_child(const struct engine *g, const struct procstat *st, uint32_t parent)
{
    /* It may have become our child meanwhile. */
    uint32_t at = attrib_find(&g->attrib, st->pid) == NULL ? forest_add(st->pid, st, parent) : FOREST_NONE;
    if (at != FOREST_NONE)
        forest_append(&look.nodes[parent].children, at);
}

/* The command beside a service that P, a child of ours, belongs to; NULL: to none. */
static const char *forest_helper(const struct attrib_proc *p)
{
    return p != NULL && p->run != NULL ? helper_name(p->run) : NULL;
}

/* Adds our child PID, and returns its place. */
static uint32_t forest_add_pid(pid_t pid)
{
    struct procstat st;
    return forest_add(pid, forest_see(pid, &st) ? &st : NULL, FOREST_NONE);
}

/* Adds our child P to its unit's, the main process before all others. */
static void forest_add_top(const struct attrib_proc *p, struct forest_list *l)
{
    uint32_t at = forest_add_pid(p->pid);
    if (at == FOREST_NONE)
        return;
    if (p->role != ATTRIB_MAIN || forest_helper(p) != NULL || l->first == FOREST_NONE) {
        forest_append(l, at);
        return;
    }
    look.nodes[at].next = l->first;
    l->first = at;
}

static void forest_add_tops(const struct engine *g)
{
    for (unsigned i = 0; i < look.n_units + FOREST_REST; i++)
        look.tops[i] = (struct forest_list){FOREST_NONE, FOREST_NONE};
    LIST_EACH (it, &g->attrib.runs) {
        const struct attrib_run *run = CONTAINER_OF(it, struct attrib_run, link);
        unsigned slot = run->unit < look.n_units ? run->unit : look.n_units;
        LIST_EACH (m, &run->members)
            forest_add_top(CONTAINER_OF(m, struct attrib_proc, in_run), &look.tops[slot]);
    }
    LIST_EACH (m, &g->attrib.unclaimed)
        forest_add_top(CONTAINER_OF(m, struct attrib_proc, in_run), &look.tops[look.n_units]);
    uint32_t logger = g->logger.pid != 0 ? forest_add_pid(g->logger.pid) : FOREST_NONE;
    if (logger != FOREST_NONE)
        forest_append(&look.tops[look.n_units + 1], logger);
}

/* Adds the children of the process at PARENT, by the state of all. */
static void forest_branch_all(const struct engine *g, uint32_t parent)
{
    pid_t ppid = look.nodes[parent].st.pid;
    size_t low = 0;
    size_t high = look.n_all;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (look.all[middle].ppid < ppid)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < look.n_all && look.all[low].ppid == ppid; low++)
        forest_add_child(g, &look.all[low], parent);
}

/* The same by its list of children; L is for reading. */
static void forest_branch_list(const struct engine *g, uint32_t parent, struct pidlist *l)
{
    struct procstat st;
    if (!procfs_children_of(&look.nodes[parent].st, l)) {
        /* One that has gone meanwhile has left its children to us: the next look finds them. */
        look.cut = look.cut || (errno != ENOENT && errno != ESRCH);
        return;
    }
    for (size_t i = 0; i < l->n; i++)
        if (procfs_stat(l->pids[i], &st))
            forest_add_child(g, &st, parent);
}

/* Adds whoever is below those in the look. */
static void forest_descend(const struct engine *g)
{
    struct pidlist l = {0};
    for (uint32_t i = 0; i < look.n_nodes; i++) {
        if (look.all != NULL)
            forest_branch_all(g, i);
        else if (g->children_source == PROCFS_CHILDREN_FILE)
            forest_branch_list(g, i, &l);
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
    look.tops = mem_array((size_t)g->n_units + FOREST_REST, sizeof *look.tops);
    if (look.tops == NULL)
        return false;
    look.g = g;
    look.turn = turn;
    look.n_changes = g->attrib.n_changes;
    forest_read_all(g);
    forest_add_tops(g);
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
    unsigned list = unit < look.n_units ? unit : look.n_units + (unit == FOREST_OWN);
    return (struct forest_walk){.at = look.tops[list].first};
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

static int64_t forest_ms(uint64_t ticks)
{
    long hz = sysconf(_SC_CLK_TCK);
    return hz > 0 ? (int64_t)(ticks / (uint64_t)hz * 1000 + ticks % (uint64_t)hz * 1000 / (uint64_t)hz) : 0;
}

void forest_sum(struct engine *g, unsigned unit, struct forest_sums *ret)
{
    int64_t page = sysconf(_SC_PAGESIZE);
    bool is_helper = false;
    *ret = (struct forest_sums){0};
    if (!forest_look(g))
        return;
    for (struct forest_walk w = forest_begin(unit); w.at != FOREST_NONE; forest_next(&w)) {
        const struct forest_node *node = &look.nodes[w.at];
        const struct attrib_proc *p = w.depth == 0 ? attrib_find(&g->attrib, node->st.pid) : NULL;
        if (w.depth == 0)
            is_helper = forest_helper(p) != NULL;
        if (is_helper)
            continue;
        if (node->seen && procstat_is_dead(&node->st)) {
            ret->zombies += node->parent != FOREST_NONE;
            continue;
        }
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

static const char *forest_role(const struct attrib_proc *p, bool own)
{
    if (own)
        return "logger";
    if (p == NULL)
        return "descendant";
    if (forest_helper(p) != NULL)
        return "helper";
    return p->role == ATTRIB_MAIN ? "main" : "member";
}

/* NODE as JSON; P is what the tables say of it, NULL when it is no child of ours, or one of our own (OWN). */
static json_t *forest_object(const struct forest_node *node, const struct attrib_proc *p, bool own)
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
        {"role", json_string(forest_role(p, own))},
        {"helper", forest_helper(p) != NULL ? json_string(forest_helper(p)) : json_null()},
        {"attribution",
         json_string(p == NULL && !own ? "below" : attrib_evidence_name(own ? ATTRIB_BORN : p->evidence))},
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
    json_t *ret = forest_look(g) ? json_array() : NULL;
    /* Where a process of each depth belongs. */
    json_t *lists[FOREST_DEPTH_MAX] = {ret};
    if (ret == NULL)
        return NULL;
    for (struct forest_walk w = forest_begin(unit); w.at != FOREST_NONE; forest_next(&w)) {
        const struct forest_node *node = &look.nodes[w.at];
        unsigned depth = w.depth < FOREST_DEPTH_MAX ? w.depth : FOREST_DEPTH_MAX - 1;
        const struct attrib_proc *p = w.depth == 0 ? attrib_find(&g->attrib, node->st.pid) : NULL;
        json_t *object = forest_object(node, p, unit == FOREST_OWN && w.depth == 0);
        if (json_array_append_new(lists[depth], object) != 0) {
            json_decref(ret);
            return NULL;
        }
        if (depth + 1 < FOREST_DEPTH_MAX)
            lists[depth + 1] = json_object_get(object, "children");
    }
    return ret;
}
