/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Messages of sd_notify(3): taken in, believed when a member of the run has sent them, and done.
 *
 * BUGS: a message of a process that is not our child and has been waited for by its parent before we read it cannot be
 * traced to its run any more, and is dropped; systemd-notify(1) waits (BARRIER=1) for that reason.
 */
#include "daemon/notify.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/notify.h"
#include "daemon/census.h"
#include "daemon/launch.h"
#include "daemon/launch_add.h"
#include "daemon/notify_store.h"
#include "daemon/svcreload.h"
#include "daemon/watchdog.h"
#include "sys/notesock.h"
#include "sys/sys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NOTIFY_NAME_MAX = 64,
    NOTIFY_PASS_MAX = 64, /* messages in one turn of the loop: a flooder starves itself only */
};

/* A message that waits for its turn. */
struct notify_item {
    struct notify_message m;
    pid_t pid;
    int barrier_fd; /* owned; -1: none */
    struct list link;
};

struct notify {
    struct engine_unit *unit; /* borrowed: the owner */
    int fd;                   /* owned; of the present run; -1: none */
    struct ev_io io;
    uint64_t run;
    char name[NOTIFY_NAME_MAX];
    enum notify_access access;
    bool told_stranger; /* people know that others send to it */
    char status[NOTIFY_STATUS_MAX + 1];
    int errnum; /* -1: none */
    bool reloading, stopping;
    pid_t wanted_main; /* a member that is to be the main process, but is not our child yet; 0: none */
    struct watchdog watchdog;
    int64_t watchdog_ms; /* that the present run is to be watched by */
    struct notify_store store;
    struct list items; /* of struct notify_item.link */
};

static bool notify_is_for(const struct spec *s)
{
    return spec_ready_kind(s) == SPEC_READY_NOTIFY || s->watchdog_ms > 0;
}

/* ------------------------------------------------------------------ taking in */

/* The present run of U, if PID is one of its processes. */
static bool notify_is_member(struct engine_unit *u, pid_t pid)
{
    const struct notify *n = u->notify;
    const struct attrib_run *run = census_run_of(u->engine, pid);
    return run != NULL && run->helper == NULL && run->unit == u->index && run->run == n->run;
}

static bool notify_is_allowed(struct engine_unit *u, pid_t pid)
{
    switch (u->notify->access) {
    case NOTIFY_ACCESS_NONE:
        return false;
    case NOTIFY_ACCESS_MAIN:
        return pid == u->main_pid;
    case NOTIFY_ACCESS_ALL:
    case NOTIFY_ACCESS_N:
        break;
    }
    return notify_is_member(u, pid);
}

static void notify_say_stranger(struct engine_unit *u, pid_t pid)
{
    bool first = !u->notify->told_stranger;
    u->notify->told_stranger = true;
    log_write(first ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, &(struct log_about){.service = u->name, .event = "notify"},
              "process %d, which may not speak for this run, has sent a message: ignored", (int)pid);
}

/* Keeps what is to be done of NOTE, which M is. Descriptors that nobody asked to keep are left in NOTE. */
static void notify_keep(struct engine_unit *u, struct notesock_note *note, const struct notify_message *m)
{
    struct notify_item *item = mem_alloc(sizeof *item);
    if (item == NULL)
        return;
    *item = (struct notify_item){.m = *m, .pid = note->pid, .barrier_fd = -1};
    list_init(&item->link);
    if (m->barrier && note->n_fds == 1) {
        item->barrier_fd = note->fds[0];
        note->n_fds = 0;
    } else if (m->fd_store) {
        notify_store_add(&u->notify->store, u, m->fd_name, m->fd_poll_off, note->fds, note->n_fds);
        note->n_fds = 0;
    }
    list_append(&u->notify->items, &item->link);
}

/* Takes one message in. False: there is none. */
static bool notify_collect_one(struct engine_unit *u)
{
    static struct notesock_note note;
    struct notify_message m;
    enum notesock_got got = notesock_receive(u->notify->fd, &note);
    if (got != NOTESOCK_NOTE) {
        if (got == NOTESOCK_DROPPED)
            log_debug("%s: a message that is too long, or of nobody, was dropped", u->name);
        return got == NOTESOCK_DROPPED;
    }
    if (notify_is_allowed(u, note.pid)) {
        notify_parse(note.data, note.n, &m);
        notify_keep(u, &note, &m);
    } else {
        notify_say_stranger(u, note.pid);
    }
    notesock_close_fds(&note);
    return true;
}

void notify_collect(struct engine_unit *u)
{
    struct notify *n = u->notify;
    if (n == NULL || n->fd < 0)
        return;
    for (int i = 0; i < NOTIFY_PASS_MAX && notify_collect_one(u);)
        i++;
}

/* ------------------------------------------------------------------ doing */

static void notify_post(struct engine_unit *u, struct event ev)
{
    ev.unit = u->index;
    ev.run = u->notify->run;
    engine_post(u->engine, &ev);
}

/* PID, a member, is to be the main process: now, if it is our child, else when it has become that. */
static void notify_name_main(struct engine_unit *u, pid_t pid)
{
    const struct attrib_proc *p = attrib_find(&u->engine->attrib, pid);
    u->notify->wanted_main = 0;
    if (pid == u->main_pid)
        return;
    if (p != NULL && p->run != NULL && p->run->run == u->notify->run && !p->ended) {
        notify_post(u, (struct event){.kind = EVENT_MAIN_PID, .pid = pid});
        return;
    }
    if (p == NULL && notify_is_member(u, pid))
        u->notify->wanted_main = pid;
    else
        log_write(LOG_LEVEL_WARN, &(struct log_about){.service = u->name, .event = "notify"},
                  "MAINPID=%d is no process of this run: ignored", (int)pid);
}

static void notify_do_state(struct engine_unit *u, const struct notify_message *m)
{
    struct notify *n = u->notify;
    struct log_about about = {.service = u->name, .event = "notify", .pid = u->main_pid, .run = n->run};
    if (m->stopping && !n->stopping) {
        n->stopping = true;
        watchdog_set(&n->watchdog, u, 0);
        log_write(LOG_LEVEL_INFO, &about, "says that it is stopping");
    }
    if (m->reloading && !n->reloading) {
        n->reloading = true;
        about.event = "reloading";
        log_write(LOG_LEVEL_INFO, &about, "reading its configuration again");
        svcreload_reloading(u);
    } else if (m->ready && n->reloading) {
        n->reloading = false;
        about.event = "reloading";
        log_write(LOG_LEVEL_INFO, &about, "has read its configuration again");
        svcreload_ready(u);
    }
    if (m->ready && spec_ready_kind(u->spec) == SPEC_READY_NOTIFY)
        notify_post(u, (struct event){.kind = EVENT_READY});
}

static void notify_do_watchdog(struct engine_unit *u, const struct notify_message *m)
{
    struct notify *n = u->notify;
    if (m->has_watchdog_ms) {
        n->watchdog_ms = m->watchdog_ms;
        if (!n->stopping)
            watchdog_set(&n->watchdog, u, m->watchdog_ms);
    }
    if (m->watchdog)
        watchdog_fed(&n->watchdog);
    if (m->watchdog_trigger)
        notify_post(u, (struct event){.kind = EVENT_WATCHDOG, .text = "it says that it is stuck (WATCHDOG=trigger)"});
}

static void notify_do(struct engine_unit *u, struct notify_item *item)
{
    struct notify *n = u->notify;
    const struct notify_message *m = &item->m;
    if (m->access != NOTIFY_ACCESS_N)
        n->access = m->access;
    if (m->has_status)
        memcpy(n->status, m->status, sizeof n->status);
    if (m->has_errno)
        n->errnum = m->errnum;
    if (m->fd_remove && m->fd_name[0] != '\0')
        notify_store_remove(&n->store, m->fd_name);
    if (m->main_pid != 0)
        notify_name_main(u, m->main_pid);
    if (m->has_extend_ms)
        notify_post(u, (struct event){.kind = EVENT_EXTEND, .extend_ms = m->extend_ms});
    notify_do_watchdog(u, m);
    notify_do_state(u, m);
}

static void notify_free_item(struct notify_item *item)
{
    list_remove(&item->link);
    sys_close_fd(&item->barrier_fd);
    mem_free(item);
}

/* The main process that was named before it was our child has perhaps become it. */
static void notify_settle_main(struct engine_unit *u)
{
    pid_t pid = u->notify->wanted_main;
    const struct attrib_proc *p = pid != 0 ? attrib_find(&u->engine->attrib, pid) : NULL;
    if (p != NULL)
        notify_name_main(u, pid);
}

void notify_deliver(struct engine_unit *u)
{
    struct engine *g = u->engine;
    unsigned index = u->index;
    uint64_t id = u->id;
    if (u->notify == NULL || (list_is_empty(&u->notify->items) && u->notify->wanted_main == 0))
        return;
    /* What speaks has been exec'ed, whether or not we have been told. */
    launch_settle(u);
    while (engine_at_id(g, index, id) == u && u->notify != NULL && !list_is_empty(&u->notify->items)) {
        struct notify_item *item = CONTAINER_OF(u->notify->items.next, struct notify_item, link);
        struct notify_item now = *item;
        item->barrier_fd = -1;
        notify_free_item(item);
        if (now.m.barrier)
            sys_close_fd(&now.barrier_fd);
        else
            notify_do(u, &now);
    }
    if (engine_at_id(g, index, id) == u && u->notify != NULL)
        notify_settle_main(u);
}

static void notify_on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct notify *n = w->data;
    struct engine_unit *u = n->unit;
    notify_collect(u);
    notify_deliver(u);
}

/* ------------------------------------------------------------------ runs */

static void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        ev_io_stop(n->unit->engine->loop, &n->io);
    sys_close_fd(&n->fd);
    while (!list_is_empty(&n->items))
        notify_free_item(CONTAINER_OF(n->items.next, struct notify_item, link));
    watchdog_set(&n->watchdog, n->unit, 0);
    n->wanted_main = 0;
    n->reloading = false;
}

static struct notify *notify_new(struct engine_unit *u)
{
    struct notify *n = mem_alloc(sizeof *n);
    if (n == NULL)
        return NULL;
    *n = (struct notify){.unit = u, .fd = -1, .errnum = -1};
    list_init(&n->items);
    u->notify = n;
    return n;
}

bool notify_prepare(struct engine_unit *u, struct err *e)
{
    struct notify *n = u->notify;
    if (n != NULL)
        notify_close(n);
    if (!notify_is_for(u->spec))
        return true;
    if (n == NULL)
        n = notify_new(u);
    if (n == NULL) {
        err_set_errno(e, ENOMEM, "notify socket");
        return false;
    }
    n->run = u->run->run;
    n->access = NOTIFY_ACCESS_ALL;
    n->told_stranger = n->stopping = false;
    n->status[0] = '\0';
    n->errnum = -1;
    n->watchdog_ms = u->spec->watchdog_ms;
    snprintf(n->name, sizeof n->name, "foster/%s/%" PRIu64, u->engine->attrib.nonce, n->run);
    if (!notesock_open(n->name, &n->fd, e))
        return false;
    ev_io_init(&n->io, notify_on_readable, n->fd, EV_READ);
    /* Before timers: what has been sent in time counts, however late we are. */
    ev_set_priority(&n->io, 1);
    n->io.data = n;
    ev_io_start(u->engine->loop, &n->io);
    return true;
}

bool notify_request(const struct engine_unit *u, struct arena *a, struct spawn_request *req)
{
    const struct notify *n = u->notify;
    if (n == NULL || n->fd < 0)
        return true;
    if (!launch_add_variable(a, req, arena_printf(a, "NOTIFY_SOCKET=@%s", n->name)))
        return false;
    if (n->watchdog_ms == 0)
        return true;
    return launch_add_variable(a, req, arena_printf(a, "WATCHDOG_USEC=%" PRId64, n->watchdog_ms * 1000)) &&
           launch_add_pid(a, req, "WATCHDOG_PID");
}

void notify_on_state(struct engine_unit *u, enum unit_state to)
{
    struct notify *n = u->notify;
    if (n == NULL)
        return;
    if (to == UNIT_RUNNING && n->fd >= 0)
        watchdog_set(&n->watchdog, u, n->stopping ? 0 : n->watchdog_ms);
    else if (to != UNIT_READY)
        watchdog_set(&n->watchdog, u, 0);
    /* Between two runs of a restart they are kept; nobody will ask for them after any other end. */
    if (to == UNIT_STOPPED || to == UNIT_DONE || to == UNIT_FAILED)
        notify_store_clear(&n->store);
}

void notify_close_run(struct engine_unit *u)
{
    if (u->notify != NULL)
        notify_close(u->notify);
}

bool notify_view(const struct engine_unit *u, struct notify_view *ret)
{
    const struct notify *n = u->notify;
    if (n == NULL)
        return false;
    *ret = (struct notify_view){
        .status = n->status[0] != '\0' ? n->status : NULL,
        .errnum = n->errnum,
        .reloading = n->reloading,
        .stopping = n->stopping && n->fd >= 0,
        .watchdog_ms = n->watchdog.period_ms,
        .n_stored = n->store.n,
    };
    return true;
}

size_t notify_stored(struct engine_unit *u, const struct notify_stored **ret)
{
    if (u->notify == NULL)
        return 0;
    notify_store_look(&u->notify->store);
    *ret = u->notify->store.items;
    return u->notify->store.n;
}

void notify_free(struct engine_unit *u)
{
    if (u->notify == NULL)
        return;
    notify_close(u->notify);
    notify_store_clear(&u->notify->store);
    mem_free(u->notify);
    u->notify = NULL;
}
