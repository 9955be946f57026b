/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When health checks are due, and what they come to.
 */
#include "core/health.h"

#include "base/log.h"
#include "core/backoff.h"

enum { HEALTH_SHARE = 1000, HEALTH_JITTER = HEALTH_SHARE / 10 };

/* Evenly in LEAST to MOST, both included. */
static int64_t health_random(struct health *h, int64_t least, int64_t most)
{
    return least + (int64_t)(backoff_random(&h->seed) % (uint64_t)(most - least + 1));
}

/* Whether what happens AT_MS is still a matter of starting up. */
static bool health_is_starting(const struct health *h, int64_t at_ms)
{
    return h->status == UNIT_HEALTH_STARTING && at_ms - h->started_ms < h->start_period_ms;
}

static int64_t health_share(int64_t ms, int64_t share)
{
    /* Apart, so that no interval is too long to be multiplied. */
    return ms / HEALTH_SHARE * share + ms % HEALTH_SHARE * share / HEALTH_SHARE;
}

/* The next check is due one interval after the last one, or after the start. */
static void health_plan(struct health *h)
{
    int64_t from = h->ended_ms >= 0 ? h->ended_ms : h->started_ms;
    int64_t interval = health_is_starting(h, from) ? h->start_interval_ms : h->interval_ms;
    h->due_ms = from + interval + health_share(interval, h->varied);
}

void health_start(struct health *h, const struct spec_health *spec, uint64_t seed, int64_t started_ms)
{
    *h = (struct health){
        .started_ms = started_ms, .began_ms = -1, .ended_ms = -1, .status = UNIT_HEALTH_STARTING, .seed = seed};
    h->varied = health_random(h, 0, HEALTH_JITTER);
    health_set(h, spec);
}

void health_set(struct health *h, const struct spec_health *spec)
{
    bool is_checking = h->due_ms < 0;
    h->interval_ms = spec->interval_ms;
    h->timeout_ms = spec->timeout_ms;
    h->retries = spec->retries;
    h->start_period_ms = spec->start_period_ms;
    h->start_interval_ms = spec->start_interval_ms;
    if (!is_checking)
        health_plan(h);
}

bool health_begin(struct health *h, int64_t now_ms)
{
    if (h->due_ms < 0 || now_ms < h->due_ms)
        return false;
    int64_t interval = health_is_starting(h, h->due_ms) ? h->start_interval_ms : h->interval_ms;
    if (now_ms - h->due_ms >= interval && interval >= HEALTH_SHARE) {
        h->due_ms = now_ms + health_random(h, 1, health_share(interval, HEALTH_JITTER));
        return false;
    }
    h->began_ms = now_ms;
    h->due_ms = -1;
    return true;
}

static void health_fail(struct health *h)
{
    h->n_failures++;
    if (health_is_starting(h, h->began_ms))
        return;
    h->streak++;
    if (h->streak >= h->retries)
        h->status = UNIT_HEALTH_UNHEALTHY;
}

bool health_end(struct health *h, enum health_outcome outcome, int64_t now_ms)
{
    enum unit_health before = h->status;
    if (BUG_IF(h->due_ms >= 0))
        return false;
    h->ended_ms = now_ms;
    if (outcome != HEALTH_UNKNOWN)
        h->n_checks++;
    if (outcome == HEALTH_OK) {
        h->streak = 0;
        h->status = UNIT_HEALTH_HEALTHY;
    } else if (outcome == HEALTH_FAILED) {
        health_fail(h);
    }
    h->varied = health_random(h, -HEALTH_JITTER, HEALTH_JITTER);
    health_plan(h);
    return h->status != before;
}
