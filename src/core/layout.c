/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a configuration comes to: its services with their edges, found by name, and a place with a name for each
 * unit. Which unit has which place is decided in replace.c.
 */
#include "core/super_impl.h"

#include <stdlib.h>
#include <string.h>

unsigned layout_find(const struct super_layout *l, const char *name, size_t len)
{
    unsigned low = 0, high = l->n_services;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        const char *other = l->services[l->by_name[mid]].spec->name;
        int order = strncmp(name, other, len);
        if (order == 0 && other[len] != '\0')
            order = -1;
        if (order == 0)
            return l->by_name[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return SUPER_NO_UNIT;
}

/* A name with the number it stands for, for sorting. */
struct named {
    const char *name;
    unsigned number;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = (const struct named *)a, *y = (const struct named *)b;

    return strcmp(x->name, y->name);
}

static bool sort_names(struct super_layout *l)
{
    struct named *names = mem_array(l->n_services, sizeof *names);

    l->by_name = arena_array(&l->arena, l->n_services, sizeof *l->by_name);
    if (names && l->by_name) {
        for (unsigned i = 0; i < l->n_services; i++)
            names[i] = (struct named){l->services[i].spec->name, i};
        qsort(names, l->n_services, sizeof *names, compare_named);
        for (unsigned i = 0; i < l->n_services; i++)
            l->by_name[i] = names[i].number;
    }
    mem_free(names);
    return names && l->by_name;
}

static bool name_places(struct super_layout *l, const struct super_service *v)
{
    for (unsigned k = 0; k < v->n; k++) {
        struct super_place *p = &l->places[v->first + k];
        p->name = v->n == 1 ? v->spec->name : arena_printf(&l->arena, "%s.%u", v->spec->name, k + 1);
        if (!p->name)
            return false;
    }
    return true;
}

static bool build_services(struct super_layout *l)
{
    l->n_services = (unsigned)l->set->n_services;
    for (unsigned i = 0; i < l->n_services; i++)
        l->n_places += (unsigned)l->set->services[i].scale;
    l->services = arena_array(&l->arena, l->n_services, sizeof *l->services);
    l->places = arena_array(&l->arena, l->n_places, sizeof *l->places);
    l->queue = arena_array(&l->arena, l->n_services, sizeof *l->queue);
    l->stack = arena_array(&l->arena, l->n_services, sizeof *l->stack);
    if (!l->services || !l->places || !l->queue || !l->stack)
        return false;
    for (unsigned i = 0, first = 0; i < l->n_services; i++) {
        struct super_service *v = &l->services[i];
        v->spec = &l->set->services[i];
        v->first = first;
        v->n = (unsigned)v->spec->scale;
        first += v->n;
        list_init(&v->waiting);
        list_init(&v->due);
        if (!name_places(l, v))
            return false;
    }
    return true;
}

/* Resolves the names of dependencies, and counts who is depended on. */
static bool build_deps(struct super_layout *l)
{
    for (unsigned i = 0; i < l->n_services; i++) {
        struct super_service *v = &l->services[i];
        v->n_deps = (unsigned)v->spec->n_depends_on;
        v->deps = arena_array(&l->arena, v->n_deps, sizeof *v->deps);
        if (!v->deps)
            return false;
        for (unsigned k = 0; k < v->n_deps; k++) {
            const struct spec_dep *dep = &v->spec->depends_on[k];
            unsigned d = layout_find(l, dep->service, strlen(dep->service));
            v->deps[k] = (struct super_edge){d, dep};
            if (d != SUPER_NO_UNIT)
                l->services[d].n_dependents++;
        }
    }
    return true;
}

static bool build_dependents(struct super_layout *l)
{
    for (unsigned i = 0; i < l->n_services; i++) {
        struct super_service *v = &l->services[i];
        v->dependents = arena_array(&l->arena, v->n_dependents, sizeof *v->dependents);
        if (!v->dependents)
            return false;
        v->n_dependents = 0;
    }
    for (unsigned i = 0; i < l->n_services; i++) {
        const struct super_service *v = &l->services[i];
        for (unsigned k = 0; k < v->n_deps; k++) {
            struct super_service *d;
            if (v->deps[k].service == SUPER_NO_UNIT)
                continue;
            d = &l->services[v->deps[k].service];
            d->dependents[d->n_dependents++] = (struct super_edge){i, v->deps[k].dep};
        }
    }
    return true;
}

struct super_layout *layout_new(const struct spec_set *set)
{
    struct super_layout *l = mem_alloc(sizeof *l);

    if (!l)
        return NULL;
    l->set = set;
    if (build_services(l) && sort_names(l) && build_deps(l) && build_dependents(l))
        return l;
    layout_free(l);
    return NULL;
}

void layout_free(struct super_layout *l)
{
    if (!l)
        return;
    arena_done(&l->arena);
    mem_free(l);
}
