/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Making health checks when they are due.
 */
#include "daemon/health.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/health.h"
#include "daemon/engine.h"
#include "daemon/probe.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct health_watch {
    struct engine_unit *unit; /* borrowed */
    uint64_t run;             /* whose checks these are */
    bool is_on;               /* the run goes on, and is to be checked */
    struct health checks;
    struct ev_timer timer;
    struct probe *probe; /* owned; NULL: no check is under way */
    bool is_stuck;       /* it was told that no check could be made */
    bool last_ok;
    int64_t last_ended_ms; /* -1: none has */
    int64_t last_took_ms;
    char last_text[PROBE_TEXT_MAX];
    char *last_output; /* owned; NULL: none */
    size_t n_last_output;
};

static const struct spec_health *health_spec(const struct engine_unit *u)
{
    return &u->spec->healthcheck;
}

static bool health_is_wanted(const struct engine_unit *u)
{
    return health_spec(u)->probe.kind != SPEC_PROBE_NONE;
}

PRINTF_LIKE(3, 4)
static void health_say(const struct health_watch *w, enum log_level level, const char *fmt, ...)
{
    struct log_about about = {.service = w->unit->name, .event = "health", .run = w->run};
    va_list ap;
    va_start(ap, fmt);
    log_vwrite(level, &about, fmt, ap);
    va_end(ap);
}

static void health_post(const struct engine_unit *u, uint64_t run, enum unit_health health)
{
    struct event ev = {.kind = EVENT_HEALTH, .unit = u->index, .run = run, .health = health};
    engine_post(u->engine, &ev);
}

static void health_arm(struct health_watch *w)
{
    int64_t left = w->checks.due_ms - sys_now_ms();
    if (w->checks.due_ms >= 0)
        loop_arm(w->unit->engine->loop, &w->timer, left > 0 ? (double)left / 1000. : 0.);
}

/* ------------------------------------------------------------------ one check */

/* What people see of the last one. */
static void health_keep(struct health_watch *w, const struct probe_result *r)
{
    w->last_ok = r->ok;
    w->last_ended_ms = sys_now_ms();
    w->last_took_ms = w->last_ended_ms - w->checks.began_ms;
    snprintf(w->last_text, sizeof w->last_text, "%s", r->text);
    mem_free(w->last_output);
    w->last_output = r->n_output > 0 ? mem_alloc(r->n_output) : NULL;
    w->n_last_output = w->last_output != NULL ? r->n_output : 0;
    if (w->last_output != NULL)
        memcpy(w->last_output, r->output, r->n_output);
}

static void health_say_result(const struct health_watch *w, int64_t streak_before, bool has_changed)
{
    const struct health *c = &w->checks;
    if (has_changed && c->status == UNIT_HEALTH_HEALTHY)
        health_say(w, LOG_LEVEL_INFO, "healthy: %s", w->last_text);
    else if (has_changed)
        health_say(w, LOG_LEVEL_WARN, "unhealthy: %" PRId64 " check%s failed in a row: %s", c->streak,
                   c->streak == 1 ? " has" : "s have", w->last_text);
    else if (!w->last_ok && c->streak == streak_before)
        health_say(w, LOG_LEVEL_DEBUG, "a check has failed, which does not count while it is starting: %s",
                   w->last_text);
    else if (!w->last_ok)
        health_say(w, LOG_LEVEL_DEBUG, "a check has failed (%" PRId64 " of %" PRId64 "): %s", c->streak, c->retries,
                   w->last_text);
}

static void health_on_probe(const struct probe_result *r, void *data)
{
    struct health_watch *w = data;
    const struct engine_unit *u = w->unit;
    int64_t streak = w->checks.streak;
    w->probe = NULL;
    w->is_stuck = false;
    health_keep(w, r);
    bool has_changed = health_end(&w->checks, r->ok ? HEALTH_OK : HEALTH_FAILED, sys_now_ms());
    health_say_result(w, streak, has_changed);
    health_arm(w);
    if (has_changed)
        health_post(u, w->run, w->checks.status);
}

static void health_check(struct health_watch *w)
{
    struct err e = {0};
    const struct probe_request req = {
        .probe = &health_spec(w->unit)->probe,
        .what = "healthcheck",
        .timeout_ms = w->checks.timeout_ms,
        .want_output = true,
        .done = health_on_probe,
        .data = w,
    };
    if (probe_start(w->unit, &req, &w->probe, &e))
        return;
    if (!w->is_stuck)
        health_say(w, LOG_LEVEL_WARN, "no check could be made: %s; trying again at the next time", e.text);
    w->is_stuck = true;
    health_end(&w->checks, HEALTH_UNKNOWN, sys_now_ms());
}

static void health_on_timer(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct health_watch *w = timer->data;
    if (health_begin(&w->checks, sys_now_ms()))
        health_check(w);
    health_arm(w);
}

/* ------------------------------------------------------------------ a run */

static void health_stop(struct health_watch *w)
{
    ev_timer_stop(w->unit->engine->loop, &w->timer);
    probe_cancel(w->probe);
    w->probe = NULL;
    w->is_on = false;
}

static struct health_watch *health_make(struct engine_unit *u)
{
    struct health_watch *w = u->health != NULL ? u->health : mem_alloc(sizeof *w);
    if (w == NULL) {
        log_warn("%s: no memory for health checks; it will not be checked", u->name);
        return NULL;
    }
    mem_free(w->last_output);
    *w = (struct health_watch){.unit = u, .last_ended_ms = -1};
    ev_init(&w->timer, health_on_timer);
    w->timer.data = w;
    u->health = w;
    return w;
}

/* Begins with the checks of U's present run, which has run since STARTED_MS. */
static void health_begin_run(struct engine_unit *u, int64_t started_ms)
{
    struct health_watch *w = health_make(u);
    uint64_t seed;
    if (w == NULL)
        return;
    sys_random(&seed, sizeof seed);
    w->run = u->run->run;
    w->is_on = true;
    health_start(&w->checks, health_spec(u), seed, started_ms);
    health_arm(w);
    health_post(u, w->run, UNIT_HEALTH_STARTING);
}

void health_on_state(struct engine_unit *u, enum unit_state to)
{
    if (u->health != NULL && u->health->is_on && to != UNIT_READY)
        health_stop(u->health);
    /* Before that, what it cannot do yet is no sign of ill health: it has its start_timeout. */
    bool is_on = u->health != NULL && u->health->is_on;
    if (to == UNIT_READY && !is_on && health_is_wanted(u) && u->run != NULL)
        health_begin_run(u, sys_now_ms());
}

void health_renew(struct engine_unit *u)
{
    struct health_watch *w = u->health;
    struct unit_view v;
    bool is_on = w != NULL && w->is_on;
    if (is_on && health_is_wanted(u)) {
        health_set(&w->checks, health_spec(u));
        health_arm(w);
    } else if (is_on) {
        health_stop(w);
        health_post(u, w->run, UNIT_HEALTH_NONE);
    } else if (health_is_wanted(u) && u->run != NULL && super_view(u->engine->super, u->index, &v) &&
               v.state == UNIT_READY) {
        health_begin_run(u, v.since_ms);
    }
}

void health_free(struct engine_unit *u)
{
    if (u->health == NULL)
        return;
    health_stop(u->health);
    mem_free(u->health->last_output);
    mem_free(u->health);
    u->health = NULL;
}

bool health_view(const struct engine_unit *u, struct health_view *ret)
{
    const struct health_watch *w = u->health;
    if (w == NULL || !health_is_wanted(u))
        return false;
    *ret = (struct health_view){
        .status = w->is_on ? w->checks.status : UNIT_HEALTH_NONE,
        .is_checking = w->probe != NULL,
        .due_ms = w->is_on ? w->checks.due_ms : -1,
        .streak = w->checks.streak,
        .retries = w->checks.retries,
        .n_checks = w->checks.n_checks,
        .n_failures = w->checks.n_failures,
        .last_ok = w->last_ok,
        .last_ended_ms = w->last_ended_ms,
        .last_took_ms = w->last_took_ms,
        .last_text = w->last_text,
        .last_output = w->last_output != NULL ? w->last_output : "",
        .n_last_output = w->n_last_output,
    };
    return true;
}
