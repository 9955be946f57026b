/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Judging a unit by what was asked for. Two clients may ask for opposite things: whoever is overruled is told so, and
 * nobody waits for what will not come.
 */
#include "core/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BIT(state) (1U << (state))

enum {
    /* Nothing of it runs, and nothing will by itself. */
    DOWN_STATES = BIT(UNIT_STOPPED) | BIT(UNIT_DONE) | BIT(UNIT_FAILED) | BIT(UNIT_SKIPPED),
    ACTIVE_STATES = BIT(UNIT_STARTING) | BIT(UNIT_RUNNING) | BIT(UNIT_READY) | BIT(UNIT_STOPPING),
    UP_STATES = BIT(UNIT_READY) | BIT(UNIT_DONE),
    /* Those in which a unit can be a while and that another may follow by itself: to be in one is no last word. */
    LASTING_STATES = DOWN_STATES | BIT(UNIT_READY),
};

static const char removed[] = "removed by a reload", stopping_all[] = "fosterd is stopping",
                  overruled[] = "another request has called that off", again[] = "stopped, and started again since";

static bool is_in(const struct unit_view *u, unsigned states)
{
    return (states & BIT(u->state)) != 0;
}

unsigned outcome_states(const char *name)
{
    if (strcmp(name, "up") == 0 || strcmp(name, "healthy") == 0)
        return UP_STATES;
    if (strcmp(name, "down") == 0)
        return DOWN_STATES;
    if (strcmp(name, "running") == 0)
        return BIT(UNIT_RUNNING) | BIT(UNIT_READY);
    for (unsigned state = 0; state < UNIT_STATE_N; state++)
        if (strcmp(name, unit_state_name((enum unit_state)state)) == 0)
            return BIT(state);
    return 0;
}

static enum outcome_verdict judge_up(const struct unit_view *u, bool same_run, bool stopping, const char **ret_why)
{
    bool last_word = !u->pending;

    if (last_word && is_in(u, UP_STATES)) {
        *ret_why = same_run ? overruled : NULL;
        return same_run ? OUTCOME_NOT_OK : OUTCOME_OK;
    }
    if (stopping && u->state != UNIT_FAILED) {
        *ret_why = stopping_all;
        return OUTCOME_NOT_OK;
    }
    return last_word && is_in(u, DOWN_STATES | BIT(UNIT_BACKOFF)) ? OUTCOME_NOT_OK : OUTCOME_OPEN;
}

/* A stop was asked for, after which nobody wanted the unit: who wants it now has asked later. */
static enum outcome_verdict judge_down(const struct outcome_before *b, const struct unit_view *u, const char **ret_why)
{
    bool active = is_in(u, ACTIVE_STATES);

    if (!active && !u->want_up)
        return u->pending ? OUTCOME_OPEN : OUTCOME_OK;
    if (!active || u->run != b->run) {
        *ret_why = again;
        return OUTCOME_OK;
    }
    if (u->want_up && !u->pending && u->state != UNIT_STOPPING) {
        *ret_why = overruled;
        return OUTCOME_NOT_OK;
    }
    return OUTCOME_OPEN;
}

/* Whether U runs and its health checks do not say yet that all is well. */
static bool lacks_health(const struct outcome_wish *wish, const struct unit_view *u)
{
    return wish->healthy && is_in(u, ACTIVE_STATES) && u->health != UNIT_HEALTH_NONE &&
           u->health != UNIT_HEALTH_HEALTHY;
}

static enum outcome_verdict judge_state(const struct outcome_wish *wish, const struct unit_view *u, bool stopping,
                                        const char **ret_why)
{
    unsigned states = wish->states;
    bool last_word = !u->pending || !is_in(u, LASTING_STATES);

    if (last_word && is_in(u, states) && !lacks_health(wish, u))
        return OUTCOME_OK;
    if (stopping && !(states & (DOWN_STATES | BIT(UNIT_STOPPING)))) {
        *ret_why = stopping_all;
        return OUTCOME_NOT_OK;
    }
    return last_word && is_in(u, DOWN_STATES) ? OUTCOME_NOT_OK : OUTCOME_OPEN;
}

static enum outcome_verdict judge_gone(const struct outcome_wish *wish, const char **ret_why)
{
    bool ok = wish->goal == OUTCOME_DOWN || (wish->goal == OUTCOME_STATE && (wish->states & BIT(UNIT_STOPPED)) != 0);

    *ret_why = removed;
    return ok ? OUTCOME_OK : OUTCOME_NOT_OK;
}

enum outcome_verdict outcome_judge(const struct outcome_wish *wish, const struct outcome_before *b,
                                   const struct unit_view *u, bool stopping, const char **ret_why)
{
    *ret_why = NULL;
    if (!u)
        return judge_gone(wish, ret_why);
    switch (wish->goal) {
    case OUTCOME_AGAIN:
        return judge_up(u, b->run != 0 && u->run == b->run, stopping, ret_why);
    case OUTCOME_DOWN:
        return judge_down(b, u, ret_why);
    case OUTCOME_STATE:
        return judge_state(wish, u, stopping, ret_why);
    case OUTCOME_UP:
        break;
    }
    return judge_up(u, false, stopping, ret_why);
}

int64_t outcome_doubt_until(const struct outcome_wish *wish, const struct unit_view *u, int64_t now_ms)
{
    bool says_nothing = u->spec->type == SPEC_TYPE_AUTO || u->spec->type == SPEC_TYPE_SIMPLE;
    int64_t until = u->started_ms + wish->steady_ms;

    return u->state == UNIT_READY && says_nothing && until > now_ms ? until : 0;
}

/* "12 ms", "0.4 s", "12.3 s", "2 min 3 s". */
static char *span(int64_t ms, char *buf, size_t size)
{
    if (ms < 100)
        snprintf(buf, size, "%" PRId64 " ms", ms);
    else if (ms < 120000 && ms % 1000 < 100)
        snprintf(buf, size, "%" PRId64 " s", ms / 1000);
    else if (ms < 120000)
        snprintf(buf, size, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
    else
        snprintf(buf, size, "%" PRId64 " min %" PRId64 " s", ms / 60000, ms / 1000 % 60);
    return buf;
}

/* What a unit has come to, and the time that took unless it was so before. */
static void describe_ok(const struct outcome_wish *wish, const struct outcome_before *b, const struct unit_view *u,
                        int64_t ms, char *buf)
{
    bool down = wish->goal == OUTCOME_DOWN;
    bool healthy = wish->healthy && u->health == UNIT_HEALTH_HEALTHY;
    const char *word = down ? "stopped" : healthy ? unit_health_name(u->health) : unit_state_name(u->state);
    char took[32];

    if (down && BIT(b->state) & DOWN_STATES)
        snprintf(buf, OUTCOME_TEXT_MAX, "not running");
    else if ((down && !(BIT(b->state) & ACTIVE_STATES)) || (!down && u->state == b->state && u->run == b->run))
        snprintf(buf, OUTCOME_TEXT_MAX, "%s", word);
    else
        snprintf(buf, OUTCOME_TEXT_MAX, "%s in %s", word, span(ms, took, sizeof took));
}

char *outcome_text(const struct outcome_wish *wish, enum outcome_verdict verdict, const struct outcome_before *b,
                   const struct unit_view *u, const char *why, const char *reason, int64_t ms, char *buf)
{
    if (!why && verdict == OUTCOME_OK)
        describe_ok(wish, b, u, ms, buf);
    else if (why || reason)
        snprintf(buf, OUTCOME_TEXT_MAX, "%s", why ? why : reason);
    else if (u->state == UNIT_SKIPPED)
        snprintf(buf, OUTCOME_TEXT_MAX, "not selected by a profile");
    else
        snprintf(buf, OUTCOME_TEXT_MAX, "%s", unit_state_name(u->state));
    return buf;
}

char *outcome_late_text(const struct outcome_wish *wish, const struct unit_view *u, int64_t ms, char *buf)
{
    bool ill = is_in(u, UP_STATES) && lacks_health(wish, u);
    const char *word = ill && u->health == UNIT_HEALTH_UNHEALTHY ? "unhealthy"
                       : ill                                     ? "not known to be healthy"
                                                                 : unit_state_name(u->state);
    char took[32];

    snprintf(buf, OUTCOME_TEXT_MAX, "still %s after %s", word, span(ms, took, sizeof took));
    return buf;
}
