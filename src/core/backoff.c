/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The delay before a restart.
 */
#include "core/backoff.h"

/* Where a delay of 0 goes on from, and the least cap it can have. */
static const double NO_SPIN_MS = 10;

uint64_t backoff_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* The delay after B's last one, before it is varied. */
static double grown(const struct backoff *b, const struct spec_restart *r)
{
    double cap = (double)r->max_delay_ms;
    double next = (double)r->delay_ms;

    if (r->delay_ms == 0 && cap < NO_SPIN_MS)
        cap = NO_SPIN_MS;
    if (b->n > 0)
        next = b->delay_ms > 0 ? b->delay_ms * r->factor : NO_SPIN_MS;
    return next < cap ? next : cap;
}

int64_t backoff_next(struct backoff *b, const struct spec_restart *r, uint64_t *seed)
{
    double delay = grown(b, r);
    double share = (double)(backoff_random(seed) >> 11) / 9007199254740992.0; /* 2^53: in [0, 1) */
    double varied = delay * (1 + r->jitter * (2 * share - 1));

    b->n++;
    b->delay_ms = delay;
    if (varied > (double)r->max_delay_ms && delay <= (double)r->max_delay_ms)
        varied = (double)r->max_delay_ms;
    return varied > 0 ? (int64_t)(varied + 0.5) : 0;
}

int64_t backoff_least(const struct backoff *b, const struct spec_restart *r)
{
    double least = grown(b, r) * (1 - r->jitter);

    return least > 0 ? (int64_t)least : 0;
}

void backoff_reset(struct backoff *b)
{
    *b = (struct backoff){0};
}

const struct spec_restart *backoff_for_spawn(void)
{
    static const struct spec_restart rules = {.delay_ms = 100, .factor = 2, .max_delay_ms = 5000};

    return &rules;
}
