/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Messages of sd_notify(3): taken in, believed when a member of the run has sent them, and done.
 *
 * BUGS: a process that is not our child and has been waited for by its parent before we read its message cannot be
 * traced to its run any more. It is believed if the service runs as its user, who could do worse; so a process of
 * another service of that user can be taken for one of this, if it ends at once.
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
#include "sys/procfs.h"
#include "sys/sys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NOTIFY_NAME_MAX = 32,
    NOTIFY_PASS_MAX = 64,    /* messages in one turn of the loop: a flooder starves itself only */
    NOTIFY_DRAIN_MAX = 1024, /* where nothing may be left; queues are shorter (net.unix.max_dgram_qlen) */
    NOTIFY_WALKS_MAX = 3,
    NOTIFY_DEPTH_MAX = 1024, /* generations between a sender and us */
};

/* A message that waits for its turn. */
struct notify_item {
    struct notify_message m;
    int barrier_fd; /* owned; -1: none */
    struct list link;
};

struct notify {
    struct engine_unit *unit; /* borrowed: the owner */
    int fd;                   /* owned; of the present run; -1: none */
    struct ev_io io;
    uint64_t run;
    bool is_watched; /* its start-up is over, and its stop has not begun */
    char name[NOTIFY_NAME_MAX];
    enum notify_access access;
    bool told_stranger; /* people know that others send to it */
    bool told_main;     /* and that it names processes of others */
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

/* One look along the parents of PID. False: none is ours, or (*RET_AGAIN) one went away meanwhile. */
static bool notify_walk(const struct engine *g, pid_t pid, bool *ret_again)
{
    struct procstat st;
    *ret_again = false;
    for (int depth = 0; depth < NOTIFY_DEPTH_MAX && pid > 1; depth++, pid = st.ppid) {
        if (attrib_find(&g->attrib, pid) != NULL)
            return true;
        if (!procfs_stat(pid, &st)) {
            *ret_again = depth > 0;
            return false;
        }
        if (st.ppid == sys_getpid())
            return true;
    }
    return false;
}

/* Whether PID is a process below us. What marks a process as one of a run is no secret, and others can wear it too. */
static bool notify_is_below_us(const struct engine *g, pid_t pid)
{
    bool again = true, found = false;
    for (int i = 0; i < NOTIFY_WALKS_MAX && again && !found; i++)
        found = notify_walk(g, pid, &again);
    return found;
}

/* Whether PID is one of the processes of the present run of U. */
static bool notify_is_member(struct engine_unit *u, pid_t pid)
{
    const struct attrib_run *run = census_run_of(u->engine, pid);
    return run != NULL && run->helper == NULL && run->unit == u->index && run->run == u->notify->run &&
           notify_is_below_us(u->engine, pid);
}

/* Whether nothing is known of the sender of NOTE any more but that it had the rights of U. */
static bool notify_is_ghost(const struct engine_unit *u, const struct notesock_note *note)
{
    const struct spec_user *user = &u->spec->user;
    if (attrib_find(&u->engine->attrib, note->pid) != NULL || sys_kill(note->pid, 0) == 0 || errno != ESRCH)
        return false;
    return note->uid == (user->text != NULL ? user->uid : sys_geteuid());
}

static bool notify_is_allowed(struct engine_unit *u, const struct notesock_note *note)
{
    switch (u->notify->access) {
    case NOTIFY_ACCESS_NONE:
        return false;
    case NOTIFY_ACCESS_MAIN:
        return note->pid == u->main_pid;
    case NOTIFY_ACCESS_ALL:
    case NOTIFY_ACCESS_N:
        break;
    }
    return notify_is_member(u, note->pid) || notify_is_ghost(u, note);
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
    *item = (struct notify_item){.m = *m, .barrier_fd = -1};
    list_init(&item->link);
    list_append(&u->notify->items, &item->link);
    if (m->barrier) {
        if (note->n_fds == 1) {
            item->barrier_fd = note->fds[0];
            note->n_fds = 0;
        }
        return;
    }
    /* It decides about the next one, which may be taken in before anything is done of this. */
    if (m->access != NOTIFY_ACCESS_N)
        u->notify->access = m->access;
    if (m->fd_remove && m->fd_name[0] != '\0')
        notify_store_remove(&u->notify->store, m->fd_name);
    if (m->fd_store) {
        notify_store_add(&u->notify->store, u, m->fd_name, m->fd_poll_off, note->fds, note->n_fds);
        note->n_fds = 0;
    }
}

/* Takes one message in. False: there is none. */
static bool notify_collect_one(struct engine_unit *u)
{
    struct notesock_note note;
    struct notify_message m;
    enum notesock_got got = notesock_receive(u->notify->fd, &note);
    if (got != NOTESOCK_NOTE) {
        if (got == NOTESOCK_DROPPED)
            log_debug("%s: a message that is too long, or of nobody, was dropped", u->name);
        return got == NOTESOCK_DROPPED;
    }
    if (notify_is_allowed(u, &note)) {
        notify_parse(note.data, note.n, &m);
        notify_keep(u, &note, &m);
    } else {
        notify_say_stranger(u, note.pid);
    }
    notesock_close_fds(&note);
    return true;
}

static void notify_collect_some(struct engine_unit *u, int max)
{
    for (int i = 0; i < max && notify_collect_one(u);)
        i++;
}

void notify_collect(struct engine_unit *u)
{
    if (u->notify != NULL && u->notify->fd >= 0)
        notify_collect_some(u, NOTIFY_DRAIN_MAX);
}

/* ------------------------------------------------------------------ doing */

/* A run, and how to see whether it is still there: what follows from a message may be the end of it, or of its unit. */
struct notify_target {
    struct engine *g;
    unsigned index;
    uint64_t id, run;
};

static struct engine_unit *notify_unit(const struct notify_target *t)
{
    struct engine_unit *u = engine_at_id(t->g, t->index, t->id);
    return u != NULL && u->notify != NULL && u->notify->run == t->run && u->notify->fd >= 0 ? u : NULL;
}

static void notify_post(const struct notify_target *t, struct event ev)
{
    if (notify_unit(t) == NULL)
        return;
    ev.unit = t->index;
    ev.run = t->run;
    engine_post(t->g, &ev);
}

static void notify_say_no_main(struct engine_unit *u, pid_t pid)
{
    bool first = !u->notify->told_main;
    u->notify->told_main = true;
    log_write(first ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
              &(struct log_about){.service = u->name, .event = "notify", .run = u->notify->run},
              "MAINPID=%d is no process of this run: ignored", (int)pid);
}

/* PID, a member, is to be the main process: now, if it is our child, else when it has become that. */
static void notify_name_main(const struct notify_target *t, struct engine_unit *u, pid_t pid)
{
    struct attrib *a = &u->engine->attrib;
    u->notify->wanted_main = 0;
    if (pid == u->main_pid)
        return;
    bool is_member = notify_is_member(u, pid);
    /* An orphan that we have not seen yet, most often. */
    if (is_member && attrib_find(a, pid) == NULL)
        census_refresh_once(u->engine);
    const struct attrib_proc *p = attrib_find(a, pid);
    if (is_member && p != NULL && !p->ended)
        notify_post(t, (struct event){.kind = EVENT_MAIN_PID, .pid = pid});
    else if (is_member && p == NULL)
        u->notify->wanted_main = pid;
    else
        notify_say_no_main(u, pid);
}

static void notify_watch(struct notify *n)
{
    watchdog_set(&n->watchdog, n->unit, n->is_watched && !n->stopping ? n->watchdog_ms : 0);
}

/* What concerns nobody but us: nothing is posted. */
static void notify_note(struct engine_unit *u, const struct notify_message *m)
{
    struct notify *n = u->notify;
    if (m->has_status)
        memcpy(n->status, m->status, sizeof n->status);
    if (m->has_errno)
        n->errnum = m->errnum;
    if (m->has_watchdog_ms)
        n->watchdog_ms = m->watchdog_ms;
    if (m->stopping && !n->stopping) {
        struct log_about about = {.service = u->name, .event = "notify", .pid = u->main_pid, .run = n->run};
        log_write(LOG_LEVEL_INFO, &about, "says that it is stopping");
        n->stopping = true;
    }
    if (m->stopping || m->has_watchdog_ms)
        notify_watch(n);
    if (m->watchdog)
        watchdog_fed(&n->watchdog);
}

static void notify_reloads(struct engine_unit *u, const struct notify_message *m)
{
    struct notify *n = u->notify;
    struct log_about about = {.service = u->name, .event = "reloading", .pid = u->main_pid, .run = n->run};
    if (m->reloading && !n->reloading) {
        n->reloading = true;
        log_write(LOG_LEVEL_INFO, &about, "reading its configuration again");
        svcreload_reloading(u);
    } else if (m->ready && n->reloading) {
        n->reloading = false;
        log_write(LOG_LEVEL_INFO, &about, "has read its configuration again");
        svcreload_ready(u);
    }
}

static void notify_do(const struct notify_target *t, struct engine_unit *u, const struct notify_message *m)
{
    bool shows_ready = m->ready && spec_ready_kind(u->spec) == SPEC_READY_NOTIFY;
    notify_note(u, m);
    if (m->main_pid != 0)
        notify_name_main(t, u, m->main_pid);
    if (m->has_extend_ms)
        notify_post(t, (struct event){.kind = EVENT_EXTEND, .extend_ms = m->extend_ms});
    if (shows_ready)
        notify_post(t, (struct event){.kind = EVENT_READY});
    if ((u = notify_unit(t)) != NULL)
        notify_reloads(u, m);
    if (m->watchdog_trigger)
        notify_post(t, (struct event){.kind = EVENT_WATCHDOG, .text = "it says that it is stuck (WATCHDOG=trigger)"});
}

static void notify_free_item(struct notify_item *item)
{
    list_remove(&item->link);
    notesock_close(&item->barrier_fd);
    mem_free(item);
}

void notify_deliver(struct engine_unit *u)
{
    struct notify *n = u->notify;
    if (n == NULL || (list_is_empty(&n->items) && n->wanted_main == 0))
        return;
    const struct notify_target t = {.g = u->engine, .index = u->index, .id = u->id, .run = n->run};
    /* What speaks has been exec'ed, whether or not we have been told. */
    launch_settle(u);
    while ((u = notify_unit(&t)) != NULL && !list_is_empty(&u->notify->items)) {
        struct notify_item *item = CONTAINER_OF(u->notify->items.next, struct notify_item, link);
        const struct notify_message m = item->m;
        notify_free_item(item);
        if (!m.barrier)
            notify_do(&t, u, &m);
    }
    if (u != NULL && u->notify->wanted_main != 0)
        notify_name_main(&t, u, u->notify->wanted_main);
}

static void notify_on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct notify *n = w->data;
    struct engine_unit *u = n->unit;
    notify_collect_some(u, NOTIFY_PASS_MAX);
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
    n->is_watched = n->reloading = false;
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
    if (!notify_is_for(u->spec)) {
        notify_free(u);
        return true;
    }
    if (n != NULL)
        notify_close(n);
    if (n == NULL)
        n = notify_new(u);
    if (n == NULL) {
        err_set_errno(e, ENOMEM, "notify socket");
        return false;
    }
    n->run = u->run->run;
    n->access = NOTIFY_ACCESS_ALL;
    n->told_stranger = n->told_main = n->stopping = false;
    n->status[0] = '\0';
    n->errnum = -1;
    n->watchdog_ms = u->spec->watchdog_ms;
    uint64_t id;
    sys_random(&id, sizeof id);
    snprintf(n->name, sizeof n->name, "foster/%016" PRIx64, id);
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
    n->is_watched = to == UNIT_READY && n->fd >= 0;
    notify_watch(n);
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
