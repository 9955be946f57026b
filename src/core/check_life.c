/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Contradictions in how a service becomes ready, is checked, stopped, reloaded and run again, and in what it listens
 * to. Each rule is one function.
 */
#include "core/check_impl.h"

#include "base/parse.h"
#include "core/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pair of KEY that stands in the service of NODE itself, not in what that begins with; or NULL. */
static const struct tree_pair *own_pair(const struct tree_node *node, const char *key)
{
    for (size_t i = 0; i < node->n; i++)
        if (node->pairs[i].layer == 0 && strcmp(node->pairs[i].key, key) == 0)
            return &node->pairs[i];
    return NULL;
}

/* The alternatives of SECTION as a list for people ("`a`, `b`"); how many of them MAP has. */
static size_t list_alternatives(enum schema_section section, const struct tree_node *map, char *list, size_t size)
{
    const struct schema_row *row = NULL;
    size_t n = 0, n_there = 0;

    list[0] = '\0';
    while ((row = schema_next(section, row))) {
        if (!(row->flags & SCHEMA_ALTERNATIVE))
            continue;
        n_there += tree_get(map, row->key) != NULL;
        n += (size_t)snprintf(list + n, size - n, "%s`%s`", n ? ", " : "", row->key);
        n = n < size ? n : size - 1;
    }
    return n_there;
}

/* Maps that say how without saying what are for `defaults` and merges. */
static void check_alternatives(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    const struct schema_row *row = NULL;
    char list[128];

    (void)s;
    while ((row = schema_next(SCHEMA_SERVICE, row))) {
        const struct tree_pair *pair = row->flags & SCHEMA_INLINE ? own_pair(node, row->key) : NULL;
        const struct tree_node *disable = pair ? tree_get(pair->value, "disable") : NULL;
        bool is_off = false;
        if (!pair || list_alternatives(row->sub, pair->value, list, sizeof list) > 0 || !list[0])
            continue;
        if (!disable || !parse_bool(disable->text, &is_off) || !is_off)
            diag_error(d, pair->value->pos, "`%s` has none of %s; write one", row->key, list);
    }
}

/* What a oneshot cannot have, for it is ready when it has ended. */
static void check_oneshot(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    const struct {
        bool is_there;
        const char *key, *why;
    } rules[] = {
        {s->ready.kind != SPEC_READY_TYPE, "ready", "is ready when it has ended with success; remove it"},
        {s->healthcheck.probe.kind != SPEC_PROBE_NONE, "healthcheck", "has ended when it is ready; remove it"},
        {s->watchdog_ms > 0, "watchdog", "has ended when it is ready; limit it by `start_timeout`"},
        {s->hooks[SPEC_HOOK_POST_START].n > 0, "post_start", "has ended when it is ready; use `post_stop`"},
        {s->hooks[SPEC_HOOK_PRE_STOP].n > 0, "pre_stop", "has ended when it is ready; use `post_stop`"},
        {s->reload.signal > 0 || s->reload.command.n > 0, "reload", "ends by itself; run it again instead"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rules) && s->type == SPEC_TYPE_ONESHOT; i++)
        if (rules[i].is_there)
            diag_error(d, check_place(s, node, rules[i].key), "`%s` on a oneshot, which %s", rules[i].key,
                       rules[i].why);
}

static void check_ready(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    const struct tree_node *map = tree_get(node, "ready");
    char after[32], timeout[32];

    if (!map)
        return;
    if (s->type == SPEC_TYPE_NOTIFY && spec_ready_kind(s) != SPEC_READY_NOTIFY)
        diag_error(d, map->pos,
                   "`ready` with `type: notify`, which is ready by READY=1; remove it, or write another type");
    if (s->ready.kind == SPEC_READY_LOG && !spec_is_piped(s))
        diag_error(d, check_place(s, map, "log"),
                   "`log` is about output that `driver: %s` keeps from fosterd; use the driver stdout",
                   spec_log_driver_name(s->log[SPEC_STREAM_OUT].driver));
    if (s->ready.kind == SPEC_READY_FD && s->ready.fd < 3 + (int64_t)s->n_sockets)
        diag_error(d, check_place(s, map, "fd"), "descriptor %lld is one of `sockets`; write %zu or more",
                   (long long)s->ready.fd, 3 + s->n_sockets);
    if (s->ready.kind == SPEC_READY_AFTER && s->start_timeout_ms > 0 && s->ready.after_ms >= s->start_timeout_ms)
        diag_error(d, check_place(s, map, "after"),
                   "`after` (%s) comes too late, for `start_timeout` is %s; make that longer",
                   parse_duration_text(s->ready.after_ms, after, sizeof after),
                   parse_duration_text(s->start_timeout_ms, timeout, sizeof timeout));
}

/* The default is no sign that somebody meant something: a configuration that was printed has it everywhere. */
static void check_unhealthy(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    const struct tree_pair *pair = own_pair(node, "on_unhealthy");

    if (pair && s->on_unhealthy != SPEC_UNHEALTHY_RESTART && !tree_get(node, "healthcheck"))
        diag_warning(d, pair->value->pos,
                     "`on_unhealthy` without a `healthcheck` means nothing; add one, or remove it");
}

static void check_schedule(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    if (!spec_is_scheduled(s))
        return;
    if (s->type != SPEC_TYPE_ONESHOT)
        diag_error(d, check_place(s, node, "schedule"),
                   "`schedule` with `type: %s`, which does not end by itself; write `type: oneshot`",
                   spec_type_name(s->type));
    if (check_never_completes(s))
        diag_error(d, check_place(s, node, "schedule"),
                   "`schedule` with `restart: %s`, which runs it again at once; write on-failure or no",
                   spec_restart_policy_name(s->restart.policy));
}

void check_life(struct diag_list *d, const struct spec *s, const struct tree_node *node)
{
    static void (*const rules[])(struct diag_list *, const struct spec *, const struct tree_node *) = {
        check_alternatives, check_oneshot, check_ready, check_unhealthy, check_schedule,
    };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        rules[i](d, s, node);
}

/* Sockets */

/* A socket, and whose it is. */
struct listener {
    const struct spec_socket *socket;
    const struct spec *service;
    size_t order;
};

static int compare_text(const char *a, const char *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

/* Below 0, 0 or above it as A comes before B, is the same, or comes after it. Paths are of one kind, whatever socket
 * they are for; of one port, any address comes first. */
static int compare_addresses(const struct spec_socket *a, const struct spec_socket *b)
{
    int kind_a = a->path ? SPEC_SOCKET_N : (int)a->kind, kind_b = b->path ? SPEC_SOCKET_N : (int)b->kind;

    if (kind_a != kind_b)
        return kind_a - kind_b;
    if (a->path || b->path)
        return compare_text(a->path, b->path);
    return a->port != b->port ? (int)a->port - (int)b->port : compare_text(a->host, b->host);
}

static int by_address(const void *a, const void *b)
{
    const struct listener *x = a, *y = b;
    int order = compare_addresses(x->socket, y->socket);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* Whether what listens at A takes what B would. */
static bool overlap(const struct spec_socket *a, const struct spec_socket *b)
{
    if (compare_addresses(a, b) == 0)
        return true;
    return !a->path && !b->path && a->kind == b->kind && a->port == b->port && (!a->host || !b->host);
}

static size_t collect_listeners(const struct spec_set *set, struct listener *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < set->n_services; i++) {
        const struct spec *s = &set->services[i];
        for (size_t k = 0; s->enabled && k < s->n_sockets; k++, n++)
            if (ret)
                ret[n] = (struct listener){.socket = &s->sockets[k], .service = s, .order = n};
    }
    return n;
}

void check_sockets(struct diag_list *d, const struct spec_set *set)
{
    size_t n = collect_listeners(set, NULL), first = 0;
    struct listener *all = mem_array(n, sizeof *all);

    if (!all) {
        diag_error(d, (struct diag_pos){0}, "no memory for the sockets; make the configuration smaller");
        return;
    }
    (void)collect_listeners(set, all);
    qsort(all, n, sizeof *all, by_address);
    /* ALL[FIRST] is the first of those that it overlaps. */
    for (size_t i = 1; i < n; i++) {
        const struct listener *one = &all[first], *other = &all[i];
        if (!overlap(one->socket, other->socket)) {
            first = i;
            continue;
        }
        if (one->order > other->order) {
            one = &all[i];
            other = &all[first];
        }
        diag_error(d, other->socket->pos, "`%s` of `%s` listens where `%s` of `%s` does; change one of them",
                   other->socket->listen, other->service->name, one->socket->listen, one->service->name);
    }
    mem_free(all);
}
