/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The clock and the tally of one run's health checks, with the timing words of Docker and Compose. Pure: whoever makes
 * the checks says when one begins and how it ended, and asks when the next one is due.
 *
 * `interval` counts from the start to the first check, and from the end of one to the beginning of the next, so that
 * checks never overlap. `start_interval` stands in its place as long as no check has succeeded and `start_period` has
 * not passed since the start; a check that begins within that time and fails does not count. One success is healthy;
 * `retries` counted failures in a row are unhealthy.
 *
 * So that instances which start together are not checked together for ever, each interval is varied: the first one is
 * longer by up to a tenth (the service was promised that much time), the others are longer or shorter by up to a tenth.
 * Whoever was away for a whole interval or more (a stopped daemon) begins its overdue check within a tenth of an
 * interval, not at once.
 */
#ifndef FOSTER_CORE_HEALTH_H
#define FOSTER_CORE_HEALTH_H

#include "base/compiler.h"
#include "core/spec.h"
#include "core/super.h"

#include <stdbool.h>
#include <stdint.h>

/** How a check has ended. */
enum health_outcome {
    HEALTH_FAILED,
    HEALTH_OK,
    HEALTH_UNKNOWN, /**< it could not be made: counts neither way */
};

/** The checks of one run. Made by health_start(). */
struct health {
    int64_t interval_ms; /**< these five as in struct spec_health */
    int64_t timeout_ms;
    int64_t retries;
    int64_t start_period_ms;
    int64_t start_interval_ms;
    int64_t started_ms;      /**< when the run began */
    int64_t began_ms;        /**< when the last check began */
    int64_t ended_ms;        /**< when it ended; -1: none has */
    int64_t due_ms;          /**< when the next one is to begin; -1: one is under way */
    int64_t varied;          /**< the present interval's share of jitter, in 1/1000 */
    enum unit_health status; /**< never UNIT_HEALTH_NONE */
    int64_t streak;          /**< counted failures in a row */
    uint64_t n_checks;       /**< that have ended one way or the other */
    uint64_t n_failures;     /**< of them, counted or not */
    uint64_t seed;           /**< state of the random numbers */
};

/** Makes H the checks by SPEC of a run that began at STARTED_MS; none has been made. SEED makes the jitter: another one
 * for each instance. */
void health_start(struct health *h, const struct spec_health *spec, uint64_t seed, int64_t started_ms) NONNULL();

/** H goes by the times of SPEC from now on: what is due is due by the new ones. What was counted stays counted. */
void health_set(struct health *h, const struct spec_health *spec) NONNULL();

/** Whether a check begins now, at NOW_MS. False: it is not due yet, or was put off for having been missed by an
 * interval or more; look at due_ms again. */
bool health_begin(struct health *h, int64_t now_ms) MUST_CHECK NONNULL();

/** The check under way has ended at NOW_MS with OUTCOME. True: the status has changed. */
bool health_end(struct health *h, enum health_outcome outcome, int64_t now_ms) NONNULL();

#endif
