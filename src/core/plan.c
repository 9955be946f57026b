/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The difference of two configurations. What a key takes is in its row; nothing here knows keys by name but for
 * `scale`, whose change is one of numbers, and `logging`, where it depends on the value.
 */
#include "core/plan.h"

#include "core/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A key, with the map that has it. */
struct plan_path {
    const struct schema_row *row;
    const struct plan_path *parent; /* NULL: none */
};

/* Told of each key that differs. */
typedef bool plan_key_fn(const struct plan_path *path, void *data);

/* Tells FN of the keys of SECTION that differ between A and B, and of those in maps that are part of the same
 * structure. False as soon as FN says so. */
static bool each_key(enum schema_section section, const struct plan_path *parent, const void *a, const void *b,
                     plan_key_fn *fn, void *data)
{
    const struct schema_row *row = NULL;

    while ((row = schema_next(section, row))) {
        struct plan_path path = {row, parent};
        bool ok = true;
        if (schema_kind(row->kind)->equal(row, a, b))
            continue;
        if (row->flags & SCHEMA_INLINE)
            ok = each_key(row->sub, &path, schema_const_field(row, a), schema_const_field(row, b), fn, data);
        else
            ok = fn(&path, data);
        if (!ok)
            return false;
    }
    return true;
}

static bool note_flags(const struct plan_path *path, void *data)
{
    unsigned *flags = data;

    *flags |= path->row->flags;
    return true;
}

/* Whether a process of A has another descriptor for STREAM than one of B. What goes into a pipe of ours can go
 * elsewhere from there at any time. */
static bool is_other_end(const struct spec *a, const struct spec *b, enum spec_stream stream)
{
    const struct spec_log *x = &a->log[stream], *y = &b->log[stream];

    if (spec_log_is_piped(x->driver) && spec_log_is_piped(y->driver))
        return x->buffer_size != y->buffer_size;
    return x->driver != y->driver;
}

static bool has_other_ends(const struct spec *a, const struct spec *b)
{
    return a->log_split != b->log_split || is_other_end(a, b, SPEC_STREAM_OUT) || is_other_end(a, b, SPEC_STREAM_ERR);
}

enum plan_effect plan_service(const struct spec *old_spec, const struct spec *new_spec)
{
    unsigned flags = 0;

    (void)each_key(SCHEMA_SERVICE, NULL, old_spec, new_spec, note_flags, &flags);
    if (flags & SCHEMA_RESTART_UNIT || has_other_ends(old_spec, new_spec))
        return PLAN_RESTART;
    return old_spec->scale != new_spec->scale ? PLAN_SCALE : PLAN_NONE;
}

/* Names of keys, counted first and then written into an array of that size. */
struct plan_keys {
    struct arena *arena; /* borrowed; NULL: only count */
    const char **keys;
    size_t n;
    unsigned skip; /* keys with this flag do not count */
    unsigned only; /* nor do those without this one, unless it is 0 */
};

/* The key of PATH after those of its maps, with dots between; NULL with ENOMEM. */
static const char *path_text(struct arena *a, const struct plan_path *path)
{
    const char *before;

    if (!path->parent)
        return path->row->key;
    before = path_text(a, path->parent);
    return before ? arena_printf(a, "%s.%s", before, path->row->key) : NULL;
}

static bool note_key(const struct plan_path *path, void *data)
{
    struct plan_keys *k = data;
    unsigned flags = path->row->flags;

    if (flags & k->skip || (k->only && !(flags & k->only)))
        return true;
    if (k->arena) {
        const char *key = path_text(k->arena, path);
        if (!key)
            return false;
        k->keys[k->n] = key;
    }
    k->n++;
    return true;
}

/* The keys of SECTION that differ between A and B, in memory from ARENA. False with ENOMEM. */
static bool list_keys(struct arena *arena, enum schema_section section, unsigned skip, unsigned only, const void *a,
                      const void *b, const char ***ret, size_t *ret_n)
{
    struct plan_keys k = {.skip = skip, .only = only};

    (void)each_key(section, NULL, a, b, note_key, &k);
    k.keys = arena_array(arena, k.n, sizeof *k.keys);
    if (!k.keys)
        return false;
    k.n = 0;
    k.arena = arena;
    if (!each_key(section, NULL, a, b, note_key, &k))
        return false;
    *ret = k.keys;
    *ret_n = k.n;
    return true;
}

static int compare_specs(const void *a, const void *b)
{
    const struct spec *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* The services of a set in the order of their names. */
struct plan_index {
    const struct spec **specs; /* owned */
    size_t n;
};

static bool index_make(struct plan_index *x, const struct spec_set *set)
{
    x->specs = mem_array(set->n_services, sizeof *x->specs);
    if (!x->specs)
        return false;
    for (x->n = 0; x->n < set->n_services; x->n++)
        x->specs[x->n] = &set->services[x->n];
    qsort(x->specs, x->n, sizeof *x->specs, compare_specs);
    return true;
}

static const struct spec *index_find(const struct plan_index *x, const struct spec *like)
{
    const struct spec *const *found = bsearch(&like, x->specs, x->n, sizeof *x->specs, compare_specs);

    return found ? *found : NULL;
}

/* The next change, or NULL with ENOMEM. */
static struct plan_change *add_change(struct plan *p, enum plan_action action, enum plan_effect effect,
                                      const struct spec *spec)
{
    struct plan_change *c = &p->changes[p->n_changes];
    const char *name = arena_strdup(&p->arena, spec->name);

    if (!name)
        return NULL;
    *c = (struct plan_change){.action = action, .effect = effect, .service = name};
    p->n_changes++;
    return c;
}

/* OTHER is the same service in the other set, or NULL. */
static bool is_gone(const struct spec *spec, const struct spec *other)
{
    return !other || (spec->enabled && !other->enabled);
}

/* What becomes of one service of the new set. */
struct plan_fate {
    const struct spec *old_spec; /* NULL: it is new */
    enum plan_effect effect;
    const struct spec *with; /* the service it restarts with, NULL: none */
};

/* That the service numbered TO depends on the one numbered FROM, and restarts with it. */
struct plan_edge {
    size_t from, to;
};

static int compare_edges(const void *a, const void *b)
{
    const struct plan_edge *x = a, *y = b;

    return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->to > y->to) - (x->to < y->to);
}

/* The edges of SET in the order of where they come from, *RET_N of them, in memory from ARENA. NULL with ENOMEM. */
static struct plan_edge *list_edges(struct arena *arena, const struct spec_set *set, const struct plan_index *x,
                                    size_t *ret_n)
{
    struct plan_edge *edges;
    size_t n = 0;

    for (size_t i = 0; i < set->n_services; i++)
        n += set->services[i].n_depends_on;
    edges = arena_array(arena, n, sizeof *edges);
    if (!edges)
        return NULL;
    n = 0;
    for (size_t i = 0; i < set->n_services; i++)
        for (size_t k = 0; k < set->services[i].n_depends_on; k++) {
            const struct spec_dep *dep = &set->services[i].depends_on[k];
            const struct spec *on = index_find(x, &(struct spec){.name = dep->service});
            if (on && dep->restart)
                edges[n++] = (struct plan_edge){(size_t)(on - set->services), i};
        }
    qsort(edges, n, sizeof *edges, compare_edges);
    *ret_n = n;
    return edges;
}

/* The first of the N EDGES that come from service number FROM or a later one. */
static size_t first_edge(const struct plan_edge *edges, size_t n, size_t from)
{
    size_t low = 0;

    while (low < n) {
        size_t mid = low + (n - low) / 2;
        if (edges[mid].from < from)
            low = mid + 1;
        else
            n = mid;
    }
    return low;
}

/* Whoever restarts takes along those that depend on it with `restart`. False with ENOMEM. */
static bool spread_restarts(struct arena *arena, const struct spec_set *set, const struct plan_index *x,
                            struct plan_fate *fates)
{
    size_t n_edges = 0, n = 0, *queue = arena_array(arena, set->n_services, sizeof *queue);
    const struct plan_edge *edges = list_edges(arena, set, x, &n_edges);

    if (!queue || !edges)
        return false;
    for (size_t i = 0; i < set->n_services; i++)
        if (fates[i].effect == PLAN_RESTART)
            queue[n++] = i;
    for (size_t at = 0; at < n; at++)
        for (size_t k = first_edge(edges, n_edges, queue[at]); k < n_edges && edges[k].from == queue[at]; k++) {
            struct plan_fate *f = &fates[edges[k].to];
            if (!f->old_spec || f->effect == PLAN_RESTART)
                continue;
            f->effect = PLAN_RESTART;
            f->with = &set->services[queue[at]];
            queue[n++] = edges[k].to;
        }
    return true;
}

/* What becomes of each service of the new set, in memory from ARENA. NULL with ENOMEM. */
static struct plan_fate *decide_fates(struct arena *arena, const struct spec_set *set, const struct plan_index *olds,
                                      const struct plan_index *news)
{
    struct plan_fate *fates = arena_array(arena, set->n_services, sizeof *fates);

    if (!fates)
        return NULL;
    for (size_t i = 0; i < set->n_services; i++) {
        const struct spec *spec = &set->services[i], *old_spec = index_find(olds, spec);
        if (is_gone(spec, old_spec) || is_gone(old_spec, spec))
            continue;
        fates[i] = (struct plan_fate){.old_spec = old_spec, .effect = plan_service(old_spec, spec)};
    }
    return spread_restarts(arena, set, news, fates) ? fates : NULL;
}

static bool tell_service(struct plan *p, const struct plan_fate *f, const struct spec *old_spec,
                         const struct spec *new_spec)
{
    struct plan_change *c;

    if (is_gone(new_spec, old_spec)) {
        bool starts = new_spec->enabled && new_spec->autostart && new_spec->scale > 0;
        return add_change(p, PLAN_ADD, starts ? PLAN_START : PLAN_NONE, new_spec) != NULL;
    }
    if (is_gone(old_spec, new_spec) || (spec_equal(old_spec, new_spec) && !f->with))
        return true;
    c = add_change(p, PLAN_CHANGE, f->effect, new_spec);
    if (!c)
        return false;
    c->with = f->with ? arena_strdup(&p->arena, f->with->name) : NULL;
    return (c->with || !f->with) &&
           list_keys(&p->arena, SCHEMA_SERVICE, 0, 0, old_spec, new_spec, &c->keys, &c->n_keys);
}

static bool compare_services(struct plan *p, const struct spec_set *old_set, const struct spec_set *new_set,
                             const struct plan_index *olds, const struct plan_index *news)
{
    struct arena scratch = {0};
    const struct plan_fate *fates = decide_fates(&scratch, new_set, olds, news);
    bool ok = fates != NULL;

    p->changes = arena_array(&p->arena, old_set->n_services + new_set->n_services, sizeof *p->changes);
    ok = ok && p->changes;
    for (size_t i = 0; ok && i < old_set->n_services; i++)
        if (is_gone(&old_set->services[i], index_find(news, &old_set->services[i])))
            ok = add_change(p, PLAN_REMOVE, PLAN_STOP, &old_set->services[i]) != NULL;
    for (size_t i = 0; ok && i < new_set->n_services; i++)
        ok = tell_service(p, &fates[i], index_find(olds, &new_set->services[i]), &new_set->services[i]);
    arena_done(&scratch);
    return ok;
}

bool plan_make(struct plan *p, const struct spec_set *old_set, const struct spec_set *new_set)
{
    struct plan_index olds = {0}, news = {0};
    bool ok;

    *p = (struct plan){0};
    ok = index_make(&olds, old_set) && index_make(&news, new_set) &&
         compare_services(p, old_set, new_set, &olds, &news) &&
         list_keys(&p->arena, SCHEMA_TOP, 0, SCHEMA_RESTART_SELF, old_set, new_set, &p->later, &p->n_later) &&
         list_keys(&p->arena, SCHEMA_TOP, SCHEMA_RESTART_SELF, 0, old_set, new_set, &p->live, &p->n_live);
    mem_free(olds.specs);
    mem_free(news.specs);
    if (!ok)
        plan_done(p);
    return ok;
}

bool plan_is_empty(const struct plan *p)
{
    return p->n_changes == 0 && p->n_later == 0 && p->n_live == 0;
}

char *plan_text(const struct plan_change *c, char *buf, size_t size)
{
    static const char signs[] = {[PLAN_ADD] = '+', [PLAN_REMOVE] = '-', [PLAN_CHANGE] = '~'};
    size_t len = (size_t)snprintf(buf, size, "%c %s", signs[c->action], c->service);

    for (size_t i = 0; i < c->n_keys && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i == 0 ? " (" : ", ", c->keys[i]);
    if (c->with && len < size)
        len += (size_t)snprintf(buf + len, size - len, "%srestarts with %s", c->n_keys > 0 ? "; " : " (", c->with);
    else if (c->action == PLAN_CHANGE && c->effect == PLAN_NONE && c->n_keys > 0 && len < size)
        len += (size_t)snprintf(buf + len, size - len, "; no restart");
    if ((c->n_keys > 0 || c->with) && len < size)
        len += (size_t)snprintf(buf + len, size - len, ")");
    if (len >= size && size > 3)
        memcpy(buf + size - 4, "...", 4);
    return buf;
}

const char *plan_action_name(enum plan_action v)
{
    static const char *const names[] = {[PLAN_ADD] = "add", [PLAN_REMOVE] = "remove", [PLAN_CHANGE] = "change"};
    _Static_assert(ARRAY_LEN(names) == PLAN_ACTION_N, "every action has a name");

    return (unsigned)v < PLAN_ACTION_N ? names[v] : "?";
}

const char *plan_effect_name(enum plan_effect v)
{
    static const char *const names[] = {[PLAN_NONE] = "none",
                                        [PLAN_SCALE] = "scale",
                                        [PLAN_RESTART] = "restart",
                                        [PLAN_START] = "start",
                                        [PLAN_STOP] = "stop"};
    _Static_assert(ARRAY_LEN(names) == PLAN_EFFECT_N, "every effect has a name");

    return (unsigned)v < PLAN_EFFECT_N ? names[v] : "?";
}

void plan_done(struct plan *p)
{
    arena_done(&p->arena);
    *p = (struct plan){0};
}
