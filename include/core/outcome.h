/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What has become of a unit in the eyes of somebody who asked for something: whether it has come to that, cannot come
 * to it any more, or is still on its way. Pure.
 */
#ifndef FOSTER_CORE_OUTCOME_H
#define FOSTER_CORE_OUTCOME_H

#include "base/compiler.h"
#include "core/super.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is waited for. */
enum outcome_goal {
    OUTCOME_UP,    /**< ready or done; failed, stopped or in backoff is the other outcome */
    OUTCOME_AGAIN, /**< as OUTCOME_UP, by a run that is not the one at the request, if there was one */
    OUTCOME_DOWN,  /**< nothing of it runs, nor is it due to; or its run is another one */
    OUTCOME_STATE, /**< one of some states; the outcome is the other one where it is final, or down for good */
};

/** A goal. */
struct outcome_wish {
    enum outcome_goal goal;
    unsigned states;   /**< of OUTCOME_STATE: a set of bits 1 << enum unit_state */
    bool healthy;      /**< of OUTCOME_STATE: and healthy, where that is checked */
    int64_t steady_ms; /**< so long the program of a service that cannot say when it is ready has to have run */
};

/** How a unit was at the request. */
struct outcome_before {
    uint64_t id;
    uint64_t run;
    enum unit_state state;
};

enum outcome_verdict {
    OUTCOME_OPEN,   /**< nothing is known yet */
    OUTCOME_OK,     /**< it has come to that */
    OUTCOME_NOT_OK, /**< it has not, and will not without somebody's help */
};

enum { OUTCOME_TEXT_MAX = 512 };

/** The set of states called NAME: a state (`running` has been reached by what is ready, too), `up` or `down`, or
 * `healthy`, which is `up` and more than that (struct outcome_wish). 0: there is no such name. */
unsigned outcome_states(const char *name) NONNULL();

/** Judges U (NULL: it is gone, removed from the configuration) by WISH. B is how it was at the request; STOPPING: all
 * is being stopped. All effects of what was asked for must have been taken from super. With OUTCOME_OK and
 * OUTCOME_NOT_OK, *RET_WHY is what there is to say beyond the unit's state and reason (static), or NULL. */
enum outcome_verdict outcome_judge(const struct outcome_wish *wish, const struct outcome_before *b,
                                   const struct unit_view *u, bool stopping, const char **ret_why) MUST_CHECK
    NONNULL(1, 2, 5);

/** When, in the present run, U is to be judged again before OUTCOME_OK by WISH is believed: a service that is ready as
 * soon as its program runs may still end at once. 0: it is believed now. NOW_MS as for super_post(). */
int64_t outcome_doubt_until(const struct outcome_wish *wish, const struct unit_view *u, int64_t now_ms) MUST_CHECK
    NONNULL();

/** The words for a verdict that was reached MS after the request, WHY as outcome_judge() gave it, REASON (NULL: none)
 * why the unit is in its state: "ready in 0.4 s", "not running", "failed: exited with code 1". U may be NULL with a
 * WHY. Into BUF of OUTCOME_TEXT_MAX bytes; returns it. */
char *outcome_text(const struct outcome_wish *wish, enum outcome_verdict verdict, const struct outcome_before *b,
                   const struct unit_view *u, const char *why, const char *reason, int64_t ms, char *buf)
    NONNULL(1, 3, 8);

/** "still starting after 5 s", "still unhealthy after 5 s": the words for U when the time was over. */
char *outcome_late_text(const struct outcome_wish *wish, const struct unit_view *u, int64_t ms, char *buf) NONNULL();

#endif
