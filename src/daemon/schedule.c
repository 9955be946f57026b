/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules of units: timers, and what a clock that is set means for them.
 */
#include "daemon/schedule.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/cron.h"
#include "daemon/loop.h"
#include "sys/sys.h"
#include "sys/sys_time.h"

#include <errno.h>
#include <string.h>

/* As cron(8): a smaller step of the clock is a correction, a larger one a new time. */
enum { SCHEDULE_STEP_MAX_S = 3 * 3600 };

/* The schedule of one unit. */
struct schedule {
    struct engine_unit *unit; /* borrowed: the owner */
    struct spec_schedule spec;
    struct ev_timer timer; /* of `every` */
    int64_t due_ms;        /* of `every`: on the monotonic clock */
    int64_t due_s;         /* of `cron`: on the wall; 0: never */
    struct list link;      /* of `cron`: in struct schedules.units */
};

/* What cron schedules share. */
struct schedules {
    struct engine *engine; /* borrowed */
    int fd;                /* owned */
    struct ev_io io;
    struct list units; /* of struct schedule.link */
    int64_t looked_s;  /* the time on the wall when we last looked there */
};

static int64_t schedule_offset(int64_t unix_s, const void *data)
{
    (void)data;
    return sys_local_offset_s(unix_s);
}

static void schedule_post(struct engine_unit *u)
{
    struct event ev = {.kind = EVENT_DUE, .unit = u->index};
    engine_post(u->engine, &ev);
}

/* ------------------------------------------------------------------ every */

static void schedule_arm_every(struct schedule *s)
{
    int64_t now = sys_now_ms();
    loop_arm(s->unit->engine->loop, &s->timer, s->due_ms > now ? (double)(s->due_ms - now) / 1000. : 0.);
}

static void schedule_on_every(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct schedule *s = w->data;
    int64_t now = sys_now_ms();
    ev_timer_stop(loop, w);
    if (now < s->due_ms) {
        schedule_arm_every(s);
        return;
    }
    /* Turns that have passed while we did not run are one. */
    s->due_ms += s->spec.every_ms * ((now - s->due_ms) / s->spec.every_ms + 1);
    schedule_arm_every(s);
    schedule_post(s->unit);
}

/* ------------------------------------------------------------------ cron */

static void schedule_find_due(struct schedule *s, int64_t after_s)
{
    static const struct cron_zone zone = {.offset_s = schedule_offset};
    if (!cron_next(&s->spec.cron, after_s, &zone, &s->due_s))
        s->due_s = 0;
}

static void schedules_arm(struct schedules *all)
{
    int64_t first = 0;
    LIST_EACH (it, &all->units) {
        int64_t due = CONTAINER_OF(it, struct schedule, link)->due_s;
        if (due != 0 && (first == 0 || due < first))
            first = due;
    }
    if (sys_alarm_set(all->fd, first) != 0)
        log_err("cannot set the timer of schedules: %s", err_errno_text(errno));
}

/* Whether S is due at NOW_S, and when it is next. The clock stood at LOOKED_S when we looked last. */
static bool schedule_look(struct schedule *s, int64_t now_s, int64_t looked_s)
{
    bool passed = s->due_s != 0 && s->due_s <= now_s, missed = passed && now_s - s->due_s > SCHEDULE_STEP_MAX_S;
    if (passed || now_s < looked_s - SCHEDULE_STEP_MAX_S)
        schedule_find_due(s, now_s);
    if (missed)
        log_write(LOG_LEVEL_WARN, &(struct log_about){.service = s->unit->name, .event = "scheduled"},
                  "was due more than three hours ago, before the clock was set or while the machine slept: left out");
    return passed && !missed;
}

static void schedules_on_clock(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct schedules *all = w->data;
    uint64_t n;
    int64_t now = sys_unix_s(), looked = all->looked_s;
    struct list due;
    /* Whether it has passed (or, with ECANCELED, the clock was set) is seen by the clock itself. */
    ssize_t got = sys_read(all->fd, &n, sizeof n);
    (void)got;
    sys_read_zone();
    all->looked_s = now;
    list_init(&due);
    for (struct list *it = all->units.next, *next; it != &all->units; it = next) {
        next = it->next;
        if (schedule_look(CONTAINER_OF(it, struct schedule, link), now, looked)) {
            list_remove(it);
            list_append(&due, it);
        }
    }
    /* What follows from one may make an end of another. */
    while (!list_is_empty(&due)) {
        struct schedule *s = CONTAINER_OF(due.next, struct schedule, link);
        list_remove(&s->link);
        list_append(&all->units, &s->link);
        schedule_post(s->unit);
    }
    schedules_arm(all);
}

static struct schedules *schedules_of(struct engine *g)
{
    if (g->schedules != NULL)
        return g->schedules;
    struct schedules *all = mem_alloc(sizeof *all);
    if (all == NULL)
        return NULL;
    *all = (struct schedules){.engine = g, .fd = sys_alarm_open(), .looked_s = sys_unix_s()};
    if (all->fd < 0) {
        int errnum = errno;
        mem_free(all);
        errno = errnum;
        return NULL;
    }
    list_init(&all->units);
    ev_io_init(&all->io, schedules_on_clock, all->fd, EV_READ);
    all->io.data = all;
    ev_io_start(g->loop, &all->io);
    g->schedules = all;
    return all;
}

/* ------------------------------------------------------------------ units */

static bool schedule_is_same(const struct spec_schedule *a, const struct spec_schedule *b)
{
    bool both = (a->cron.text != NULL) == (b->cron.text != NULL);
    return a->every_ms == b->every_ms && both &&
           (a->cron.text == NULL ||
            (a->cron.minutes == b->cron.minutes && a->cron.hours == b->cron.hours && a->cron.days == b->cron.days &&
             a->cron.months == b->cron.months && a->cron.weekdays == b->cron.weekdays &&
             a->cron.any_day == b->cron.any_day && a->cron.any_weekday == b->cron.any_weekday &&
             a->cron.any_hour == b->cron.any_hour));
}

static bool schedule_begin(struct engine_unit *u)
{
    struct engine *g = u->engine;
    bool by_clock = u->spec->schedule.cron.text != NULL;
    struct schedules *all = by_clock ? schedules_of(g) : NULL;
    struct schedule *s = by_clock && all == NULL ? NULL : mem_alloc(sizeof *s);
    if (s == NULL)
        return false;
    *s = (struct schedule){.unit = u, .spec = u->spec->schedule};
    list_init(&s->link);
    ev_timer_init(&s->timer, schedule_on_every, 0., 0.);
    s->timer.data = s;
    u->schedule = s;
    if (by_clock) {
        list_append(&all->units, &s->link);
        schedule_find_due(s, sys_unix_s());
        schedules_arm(all);
    } else {
        s->due_ms = sys_now_ms() + s->spec.every_ms;
        schedule_arm_every(s);
    }
    return true;
}

void schedule_watch(struct engine_unit *u)
{
    bool wanted = u->spec->enabled && spec_is_scheduled(u->spec);
    if (wanted && u->schedule != NULL && schedule_is_same(&u->schedule->spec, &u->spec->schedule)) {
        u->schedule->spec = u->spec->schedule;
        return;
    }
    schedule_forget(u);
    if (wanted && !schedule_begin(u))
        log_write(LOG_LEVEL_ERROR, &(struct log_about){.service = u->name, .event = "scheduled"},
                  "no timer for its schedule: %s; it will not run by itself before the next reload",
                  err_errno_text(errno));
}

void schedule_forget(struct engine_unit *u)
{
    struct schedule *s = u->schedule;
    if (s == NULL)
        return;
    ev_timer_stop(u->engine->loop, &s->timer);
    list_remove(&s->link);
    mem_free(s);
    u->schedule = NULL;
}

void schedules_stop(struct engine *g)
{
    if (g->schedules == NULL)
        return;
    ev_io_stop(g->loop, &g->schedules->io);
    sys_close_fd(&g->schedules->fd);
    mem_free(g->schedules);
    g->schedules = NULL;
}

int64_t schedule_next_s(const struct engine_unit *u)
{
    const struct schedule *s = u->schedule;
    if (s == NULL)
        return 0;
    return s->spec.cron.text != NULL ? s->due_s : sys_unix_s() + (s->due_ms - sys_now_ms()) / 1000;
}
