/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The timers of watchdogs, and when they are believed.
 */
#include "daemon/watchdog.h"

#include "core/report.h"
#include "daemon/notify.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <stdio.h>

enum {
    /* A timer that is later than both this and a part of the period says that we did not run. One that pings at half of
     * it, as sd_watchdog_enabled(3) advises, loses nothing by less. */
    WATCHDOG_LATE_MS = 20,
    WATCHDOG_LATE_PART = 10,
    /* On a machine where that is always so, a service that hangs must not hang for ever. */
    WATCHDOG_LATE_MAX = 3,
    WATCHDOG_TEXT_MAX = 128,
};

static void watchdog_arm(struct watchdog *w, int64_t now_ms)
{
    loop_arm(w->unit->engine->loop, &w->timer, w->due_ms > now_ms ? (double)(w->due_ms - now_ms) / 1000. : 0.);
}

static void watchdog_bite(struct watchdog *w)
{
    struct engine_unit *u = w->unit;
    char text[WATCHDOG_TEXT_MAX], period[REPORT_DURATION_MAX];
    snprintf(text, sizeof text, "watchdog: no WATCHDOG=1 for %s", report_duration(w->period_ms, period));
    struct event ev = {.kind = EVENT_WATCHDOG, .unit = u->index, .run = u->run != NULL ? u->run->run : 0, .text = text};
    engine_post(u->engine, &ev);
}

static bool watchdog_is_late(const struct watchdog *w, int64_t now_ms)
{
    int64_t late = now_ms - w->due_ms;
    return late > WATCHDOG_LATE_MS && late > w->period_ms / WATCHDOG_LATE_PART;
}

static void watchdog_on_timer(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)revents;
    struct watchdog *w = timer->data;
    struct engine_unit *u = w->unit;
    uint64_t id = u->id;
    struct engine *g = u->engine;
    unsigned index = u->index;
    ev_timer_stop(loop, timer);
    notify_collect(u);
    notify_deliver(u);
    /* What it has said may have been its end. */
    if (engine_at_id(g, index, id) != u || u->notify == NULL || w->period_ms == 0)
        return;
    int64_t now = sys_now_ms();
    if (watchdog_is_late(w, now) && w->n_late < WATCHDOG_LATE_MAX) {
        w->n_late++;
        w->due_ms = now + w->period_ms;
    }
    if (now < w->due_ms)
        watchdog_arm(w, now);
    else
        watchdog_bite(w);
}

void watchdog_set(struct watchdog *w, struct engine_unit *u, int64_t period_ms)
{
    if (w->unit == NULL) {
        w->unit = u;
        ev_timer_init(&w->timer, watchdog_on_timer, 0., 0.);
        w->timer.data = w;
    }
    w->period_ms = period_ms;
    if (period_ms > 0)
        watchdog_fed(w);
    else
        ev_timer_stop(u->engine->loop, &w->timer);
}

void watchdog_fed(struct watchdog *w)
{
    if (w->period_ms == 0)
        return;
    int64_t now = sys_now_ms();
    w->n_late = 0;
    w->due_ms = now + w->period_ms;
    watchdog_arm(w, now);
}
