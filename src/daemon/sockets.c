/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Opening, keeping and handing on the listening sockets of services.
 */
#include "daemon/sockets.h"

#include "base/log.h"
#include "daemon/engine.h"
#include "daemon/launch_add.h"
#include "daemon/notify.h"
#include "sys/fds.h"
#include "sys/listen.h"
#include "sys/sys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

/* One of them. */
struct sockets_item {
    const struct spec *service;     /* borrowed, from the configuration in force */
    const struct spec_socket *spec; /* borrowed: one of the service's */
    struct listener listener;
};

static const enum listen_kind sockets_kinds[] = {
    [SPEC_SOCKET_TCP] = LISTEN_TCP,
    [SPEC_SOCKET_UDP] = LISTEN_UDP,
    [SPEC_SOCKET_UNIX] = LISTEN_UNIX,
    [SPEC_SOCKET_DATAGRAM] = LISTEN_DATAGRAM,
    [SPEC_SOCKET_SEQPACKET] = LISTEN_SEQPACKET,
};
_Static_assert(ARRAY_LEN(sockets_kinds) == SPEC_SOCKET_N, "every kind is known");

static struct listen_request sockets_wanted(const struct spec_socket *s)
{
    bool given = s->user.text != NULL;
    return (struct listen_request){
        .kind = sockets_kinds[s->kind],
        .host = s->host,
        .port = s->port,
        .path = s->path,
        .mode = (mode_t)s->mode,
        .uid = given ? s->user.uid : (uid_t)-1,
        .gid = given ? s->user.gid : (gid_t)-1,
        .backlog = (int)s->backlog,
    };
}

static bool sockets_is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether B can be what is open as A. Nobody knows whose a path would be that is no particular user's any more. */
static bool sockets_is_same(const struct spec_socket *a, const struct spec_socket *b)
{
    return a->kind == b->kind && a->port == b->port && sockets_is_same_text(a->host, b->host) &&
           sockets_is_same_text(a->path, b->path) && (a->user.text == NULL || b->user.text != NULL);
}

/* Whether A and B, of one address, differ in what listen_change() changes. */
static bool sockets_is_changed(const struct spec_socket *a, const struct spec_socket *b)
{
    struct listen_request x = sockets_wanted(a), y = sockets_wanted(b);
    return x.mode != y.mode || x.uid != y.uid || x.gid != y.gid || x.backlog != y.backlog;
}

static void sockets_name(const struct sockets_item *item, struct err *e)
{
    err_prefix(e, "sockets[%zu] %s", (size_t)(item->spec - item->service->sockets), item->spec->listen);
}

static bool sockets_open_item(struct sockets_item *item, struct err *e)
{
    const struct listen_request req = sockets_wanted(item->spec);
    if (item->listener.fd >= 0 || listen_open(&req, &item->listener, e))
        return true;
    sockets_name(item, e);
    return false;
}

static void sockets_say(const struct sockets_item *item, const struct err *e, const char *then)
{
    struct log_about about = {.service = item->service->name, .event = "sockets"};
    log_write(LOG_LEVEL_WARN, &about, "%s; %s", e->text, then);
}

/* ------------------------------------------------------------------ as the configuration has them */

static size_t sockets_count(const struct spec_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n_services; i++)
        n += set->services[i].enabled ? set->services[i].n_sockets : 0;
    return n;
}

bool sockets_reserve(struct engine *g, const struct spec_set *set)
{
    struct sockets_item *next = mem_array(sockets_count(set), sizeof *next);
    if (next == NULL)
        return false;
    mem_free(g->sockets.next);
    g->sockets.next = next;
    return true;
}

/* Fills ITEMS, for which there is room, with those of SET, none of them open. */
static size_t sockets_list(struct sockets_item *items, const struct spec_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n_services; i++) {
        const struct spec *s = &set->services[i];
        for (size_t k = 0; s->enabled && k < s->n_sockets; k++)
            items[n++] = (struct sockets_item){.service = s, .spec = &s->sockets[k], .listener.fd = -1};
    }
    return n;
}

/* The one of OLD that is open and can be SPEC; NULL: there is none. Most are where they were: one goes on at *AT. */
static struct sockets_item *sockets_find(struct sockets *old, const struct spec_socket *spec, size_t *at)
{
    for (size_t i = 0; i < old->n; i++) {
        struct sockets_item *item = &old->items[(*at + i) % old->n];
        if (item->listener.fd >= 0 && sockets_is_same(item->spec, spec)) {
            *at = (*at + i + 1) % old->n;
            return item;
        }
    }
    return NULL;
}

/* Takes over for ITEM what is open as FROM. */
static void sockets_keep(struct sockets_item *item, struct sockets_item *from)
{
    struct err e = {0};
    const struct listen_request req = sockets_wanted(item->spec);
    item->listener = from->listener;
    from->listener.fd = -1;
    if (!sockets_is_changed(from->spec, item->spec) || listen_change(&item->listener, &req, &e))
        return;
    sockets_name(item, &e);
    sockets_say(item, &e, "it stays as it was");
}

static void sockets_close(struct sockets *s)
{
    for (size_t i = 0; i < s->n; i++)
        listen_close(&s->items[i].listener, s->items[i].spec->path);
    mem_free(s->items);
}

void sockets_renew(struct engine *g)
{
    struct sockets *s = &g->sockets;
    struct sockets old = *s;
    size_t at = 0;
    struct err e = {0};
    if (BUG_IF(s->next == NULL))
        return;
    *s = (struct sockets){.items = old.next, .n = sockets_list(old.next, g->set)};
    for (size_t i = 0; i < s->n; i++) {
        struct sockets_item *from = sockets_find(&old, s->items[i].spec, &at);
        if (from != NULL)
            sockets_keep(&s->items[i], from);
    }
    /* What is new may need the address, or a part of it, that is given up. */
    sockets_close(&old);
    for (size_t i = 0; i < s->n; i++)
        if (!sockets_open_item(&s->items[i], &e))
            sockets_say(&s->items[i], &e, "it is tried again when the service is started");
}

bool sockets_start(struct engine *g, struct err *e)
{
    if (!sockets_reserve(g, g->set)) {
        err_set_errno(e, ENOMEM, "table of sockets");
        return false;
    }
    sockets_renew(g);
    return true;
}

void sockets_stop(struct engine *g)
{
    sockets_close(&g->sockets);
    mem_free(g->sockets.next);
    g->sockets = (struct sockets){0};
}

/* ------------------------------------------------------------------ for one start */

/* The first of the items of SERVICE; the others follow. NULL: it has none. */
static struct sockets_item *sockets_of(const struct engine *g, const struct spec *service)
{
    if (service->n_sockets == 0)
        return NULL;
    for (size_t i = 0; i < g->sockets.n; i++)
        if (g->sockets.items[i].spec == service->sockets)
            return &g->sockets.items[i];
    (void)BUG_IF(true);
    return NULL;
}

bool sockets_open(struct engine_unit *u, struct err *e)
{
    struct sockets_item *items = sockets_of(u->engine, u->spec);
    for (size_t i = 0; items != NULL && i < u->spec->n_sockets; i++) {
        if (sockets_open_item(&items[i], e))
            continue;
        /* Whoever has the address may let go of it, and an interface may come up. */
        if (e->errnum == EADDRINUSE || e->errnum == EADDRNOTAVAIL)
            e->errnum = EBUSY;
        return false;
    }
    return true;
}

/* All that a program is given, in its order: the N first are sockets. */
struct sockets_given {
    const struct sockets_item *items;
    size_t n;
    const struct notify_stored *stored;
    size_t n_stored;
};

static const char *sockets_given_name(const struct sockets_given *given, size_t i)
{
    return i < given->n ? given->items[i].spec->name : given->stored[i - given->n].name;
}

/* What is kept for U, as far as it does not reach the number that `ready` has for itself. */
static size_t sockets_stored(struct engine_unit *u, const struct notify_stored **ret)
{
    size_t n = notify_stored(u, ret);
    size_t room = SIZE_MAX;
    if (u->spec->ready.kind == SPEC_READY_FD)
        room = (size_t)u->spec->ready.fd - FDS_FIRST_FREE - u->spec->n_sockets;
    if (n <= room)
        return n;
    struct log_about about = {.service = u->name, .event = "sockets"};
    log_write(LOG_LEVEL_WARN, &about,
              "%zu of %zu stored descriptors are not given to it, for descriptor %" PRId64
              " is that of `ready`; choose a higher one",
              n - room, n, u->spec->ready.fd);
    return room;
}

/* The names of the N descriptors GIVEN, with colons between them. NULL: ENOMEM. */
static char *sockets_names(const struct sockets_given *given, size_t n, struct arena *a)
{
    static const char variable[] = "LISTEN_FDNAMES=";
    size_t size = sizeof variable;
    for (size_t i = 0; i < n; i++)
        size += strlen(sockets_given_name(given, i)) + 1;
    char *var = arena_alloc(a, size);
    if (var == NULL)
        return NULL;
    char *at = stpcpy(var, variable);
    for (size_t i = 0; i < n; i++) {
        at = i > 0 ? stpcpy(at, ":") : at;
        at = stpcpy(at, sockets_given_name(given, i));
    }
    return var;
}

bool sockets_request(struct engine_unit *u, struct arena *a, struct spawn_request *req)
{
    struct sockets_given given = {.items = sockets_of(u->engine, u->spec)};
    given.n = given.items != NULL ? u->spec->n_sockets : 0;
    given.n_stored = sockets_stored(u, &given.stored);
    size_t n = given.n + given.n_stored;
    if (n == 0)
        return true;
    struct spawn_fd *fds = arena_array(a, n, sizeof *fds);
    if (fds == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        fds[i].fd = i < given.n ? given.items[i].listener.fd : given.stored[i - given.n].fd;
        fds[i].number = FDS_FIRST_FREE + (int)i;
    }
    return launch_add_fds(a, req, fds, n) && launch_add_variable(a, req, arena_printf(a, "LISTEN_FDS=%zu", n)) &&
           launch_add_variable(a, req, sockets_names(&given, n, a)) && launch_add_pid(a, req, "LISTEN_PID");
}
