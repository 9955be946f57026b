/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Schedules against clocks that stop, jump and are put back. All that is kept is what makes the same time count once.
 */
#include "core/schedule.h"

enum { SCHEDULE_MINUTE_S = 60 };

static bool by_time_of_day(const struct schedule *s)
{
    return s->spec.cron.text != NULL;
}

/* Rounded down, for times before 1970, too: a machine without a clock of its own begins there. */
static int64_t now_s(const struct schedule_now *now)
{
    return now->unix_ms / 1000 - (now->unix_ms % 1000 < 0);
}

static int64_t every_due_ms(const struct schedule *s)
{
    return s->began_ms + s->spec.every_ms;
}

/* Finds when S is due next. What was dealt with is not due again, unless the clock was put back by so much that it is
 * another time altogether. */
static void plan(struct schedule *s, const struct schedule_now *now)
{
    int64_t after = now_s(now), ahead = s->served_s - after;
    int64_t most = s->spec.cron.any_hour ? SCHEDULE_MINUTE_S : SCHEDULE_STEP_MAX_S;

    if (ahead > 0 && ahead <= most)
        after = s->served_s;
    if (!cron_next(&s->spec.cron, after, now->zone, &s->due_s))
        s->due_s = 0;
}

void schedule_begin(struct schedule *s, const struct spec_schedule *spec, const struct schedule_now *now)
{
    *s = (struct schedule){.began_ms = now->mono_ms};
    schedule_set(s, spec, now);
}

void schedule_set(struct schedule *s, const struct spec_schedule *spec, const struct schedule_now *now)
{
    s->spec = *spec;
    if (by_time_of_day(s))
        plan(s, now);
}

void schedule_started(struct schedule *s, const struct schedule_now *now)
{
    s->began_ms = now->mono_ms;
}

static enum schedule_verdict look_at_every(struct schedule *s, const struct schedule_now *now)
{
    if (now->mono_ms < every_due_ms(s))
        return SCHEDULE_NOT_YET;
    s->began_ms = now->mono_ms;
    return SCHEDULE_DUE;
}

/* What S comes to, whose time has passed: it may be long ago, or not be due then any more, in another zone. */
static enum schedule_verdict judge(const struct schedule *s, const struct schedule_now *now)
{
    int64_t oldest = now_s(now) - SCHEDULE_STEP_MAX_S, due;
    bool is_old = s->due_s < oldest;

    if (cron_next(&s->spec.cron, (is_old ? oldest : s->due_s) - 1, now->zone, &due) && due <= now_s(now))
        return SCHEDULE_DUE;
    return is_old ? SCHEDULE_MISSED : SCHEDULE_NOT_YET;
}

enum schedule_verdict schedule_look(struct schedule *s, const struct schedule_now *now)
{
    enum schedule_verdict verdict = SCHEDULE_NOT_YET;

    if (!by_time_of_day(s))
        return look_at_every(s, now);
    if (s->due_s != 0 && s->due_s <= now_s(now)) {
        verdict = judge(s, now);
        s->served_s = now_s(now);
    }
    plan(s, now);
    return verdict;
}

int64_t schedule_wait_ms(const struct schedule *s, const struct schedule_now *now)
{
    int64_t wait = by_time_of_day(s) ? s->due_s * 1000 - now->unix_ms : every_due_ms(s) - now->mono_ms;

    if (by_time_of_day(s) && s->due_s == 0)
        return -1;
    return wait > 0 ? wait : 0;
}

int64_t schedule_due_s(const struct schedule *s, const struct schedule_now *now)
{
    if (by_time_of_day(s))
        return s->due_s;
    return (now->unix_ms + schedule_wait_ms(s, now)) / 1000;
}
