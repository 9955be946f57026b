/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules of units: their timers, and the news that the clock was set.
 *
 * DIAGNOSTICS: a time that has passed too long ago is told as an event `scheduled` of the unit, and so is a want of
 * memory. Where the kernel cannot tell that the clock is set, one warning says so.
 */
#include "daemon/schedule.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/schedule.h"
#include "logger/loop.h"
#include "sys/sys.h"
#include "sys/sys_time.h"

#include <errno.h>

/* The schedule of one unit. */
struct schedule_watch {
    struct engine_unit *unit; /* borrowed: the owner */
    struct schedule schedule;
    bool is_on; /* it counts */
    struct ev_timer timer;
};

/* What tells that the clock was set. */
struct schedules {
    int fd; /* owned; -1: nobody tells */
    struct ev_io io;
};

static int64_t schedule_local_offset(int64_t unix_s, const void *data)
{
    (void)data;
    return sys_local_offset_s(unix_s);
}

static struct schedule_now schedule_clocks(void)
{
    static const struct cron_zone local = {.offset_s = schedule_local_offset};
    return (struct schedule_now){.mono_ms = sys_now_ms(), .unix_ms = sys_unix_ms(), .zone = &local};
}

static void schedule_say(const struct engine_unit *u, enum log_level level, const char *text)
{
    struct log_about about = {.service = u->name, .event = "scheduled"};
    log_write(level, &about, "%s", text);
}

static bool schedule_is_wanted(const struct engine_unit *u)
{
    const struct engine *g = u->engine;
    struct unit_view v;
    return !super_is_shutting_down(g->super) && super_view(g->super, u->index, &v) && v.want_up;
}

/* ------------------------------------------------------------------ looking */

static void schedule_arm(struct schedule_watch *w, const struct schedule_now *now)
{
    struct ev_loop *loop = w->unit->engine->loop;
    int64_t wait_ms = schedule_wait_ms(&w->schedule, now);
    if (wait_ms >= 0)
        loop_arm(loop, &w->timer, (double)wait_ms / 1000.);
    else
        ev_timer_stop(loop, &w->timer);
}

static void schedule_turn_off(struct schedule_watch *w)
{
    w->is_on = false;
    ev_timer_stop(w->unit->engine->loop, &w->timer);
}

/* The unit may be gone afterwards. */
static void schedule_check(struct schedule_watch *w)
{
    struct engine_unit *u = w->unit;
    struct event due = {.kind = EVENT_DUE, .unit = u->index};
    if (!schedule_is_wanted(u)) {
        schedule_turn_off(w);
        return;
    }
    sys_read_zone();
    struct schedule_now now = schedule_clocks();
    enum schedule_verdict verdict = schedule_look(&w->schedule, &now);
    schedule_arm(w, &now);
    if (verdict == SCHEDULE_MISSED)
        schedule_say(u, LOG_LEVEL_WARN,
                     "was due more than three hours ago, before the clock was set or while the machine slept: left "
                     "out");
    if (verdict == SCHEDULE_DUE)
        engine_post(u->engine, &due);
}

static void schedule_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    schedule_check(w->data);
}

/* ------------------------------------------------------------------ the clock */

static void schedules_await(const struct schedules *all)
{
    /* Having been set just before is as good as having been set before that: whoever calls looks at the clock next. */
    if (sys_clockset_await(all->fd) != 0 && errno != ECANCELED)
        log_warn("cannot go on noticing that the clock is set: %s; runs by `cron` may come at the time that it was",
                 err_errno_text(errno));
}

static void schedules_on_clock_set(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct engine *g = w->data;
    uint64_t n;
    ssize_t got = sys_read(g->schedules->fd, &n, sizeof n);
    (void)got; /* ECANCELED: that it was set */
    schedules_await(g->schedules);
    for (unsigned i = 0; i < g->n_units; i++) {
        const struct engine_unit *u = engine_at(g, i);
        if (u != NULL && u->schedule != NULL && u->schedule->is_on)
            schedule_check(u->schedule);
    }
}

/* From the first schedule that needs it on. */
static void schedules_start(struct engine *g)
{
    if (g->schedules != NULL)
        return;
    g->schedules = mem_alloc(sizeof *g->schedules);
    if (g->schedules == NULL)
        return;
    g->schedules->fd = sys_clockset_open();
    if (g->schedules->fd < 0) {
        log_warn("cannot notice that the clock is set: %s; runs by `cron` may come at the time that it was",
                 err_errno_text(errno));
        return;
    }
    schedules_await(g->schedules);
    ev_io_init(&g->schedules->io, schedules_on_clock_set, g->schedules->fd, EV_READ);
    g->schedules->io.data = g;
    ev_io_start(g->loop, &g->schedules->io);
}

void schedules_stop(struct engine *g)
{
    if (g->schedules == NULL)
        return;
    if (g->schedules->fd >= 0)
        ev_io_stop(g->loop, &g->schedules->io);
    sys_close_fd(&g->schedules->fd);
    mem_free(g->schedules);
    g->schedules = NULL;
}

/* ------------------------------------------------------------------ on and off */

/* Goes by the configuration, anew unless it is on already. */
static void schedule_turn_on(struct schedule_watch *w)
{
    const struct spec_schedule *spec = &w->unit->spec->schedule;
    if (spec->cron.text != NULL)
        schedules_start(w->unit->engine);
    sys_read_zone();
    struct schedule_now now = schedule_clocks();
    if (w->is_on)
        schedule_set(&w->schedule, spec, &now);
    else
        schedule_begin(&w->schedule, spec, &now);
    w->is_on = true;
    schedule_arm(w, &now);
}

static struct schedule_watch *schedule_new(struct engine_unit *u)
{
    struct schedule_watch *w = mem_alloc(sizeof *w);
    if (w == NULL) {
        schedule_say(u, LOG_LEVEL_ERROR, "no memory for its schedule; it will not run by it before the next reload");
        return NULL;
    }
    w->unit = u;
    ev_timer_init(&w->timer, schedule_on_timer, 0., 0.);
    w->timer.data = w;
    return w;
}

void schedule_watch(struct engine_unit *u)
{
    if (!u->spec->enabled || !spec_is_scheduled(u->spec)) {
        schedule_forget(u);
        return;
    }
    if (u->schedule == NULL)
        u->schedule = schedule_new(u);
    if (u->schedule != NULL && schedule_is_wanted(u))
        schedule_turn_on(u->schedule);
}

void schedule_on_state(struct engine_unit *u, enum unit_state to)
{
    struct schedule_watch *w = u->schedule;
    if (w == NULL)
        return;
    if (!schedule_is_wanted(u)) {
        schedule_turn_off(w);
    } else if (!w->is_on) {
        schedule_turn_on(w);
    } else if (to == UNIT_STARTING) {
        struct schedule_now now = schedule_clocks();
        schedule_started(&w->schedule, &now);
        schedule_arm(w, &now);
    }
}

void schedule_forget(struct engine_unit *u)
{
    if (u->schedule == NULL)
        return;
    ev_timer_stop(u->engine->loop, &u->schedule->timer);
    mem_free(u->schedule);
    u->schedule = NULL;
}

int64_t schedule_next_s(const struct engine_unit *u)
{
    if (u->schedule == NULL || !u->schedule->is_on || !schedule_is_wanted(u))
        return 0;
    struct schedule_now now = schedule_clocks();
    return schedule_due_s(&u->schedule->schedule, &now);
}
