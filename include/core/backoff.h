/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How long to wait before the next start: a delay that grows by a factor up to a cap, varied by a
 * random share so that services which died together do not come back together. Without a delay (0) the
 * first restart is immediate; further ones grow from 10 ms, so that nothing ever spins.
 */
#ifndef FOSTER_CORE_BACKOFF_H
#define FOSTER_CORE_BACKOFF_H

#include "base/compiler.h"
#include "core/spec.h"

#include <stdint.h>

/** How far one service's delay has grown. Zero-initialised: not at all. */
struct backoff {
    uint64_t n;      /**< delays given since the last reset */
    double delay_ms; /**< the last one, before it was varied */
};

/** The next delay of B by the rules of R, in milliseconds, never negative and never above R's cap; B
 *  has grown. *SEED is the state of the random numbers. */
int64_t backoff_next(struct backoff *b, const struct spec_restart *r, uint64_t *seed) NONNULL();

/** The least delay that backoff_next() can give for B as it is. */
int64_t backoff_least(const struct backoff *b, const struct spec_restart *r) NONNULL();

/** Makes B as if nothing had failed yet. */
void backoff_reset(struct backoff *b) NONNULL();

/** The rules for starts that fail for a reason that may pass: 100 ms, doubling to 5 s. */
const struct spec_restart *backoff_for_spawn(void);

/** The next number of the sequence *SEED (splitmix64: small, and good for every seed). */
uint64_t backoff_random(uint64_t *seed) NONNULL();

#endif
