/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The seed of a random test, printed so that a failure can be run again: FOSTER_TEST_SEED=N.
 */
#ifndef FOSTER_TESTS_SUPPORT_SEED_H
#define FOSTER_TESTS_SUPPORT_SEED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/** The number in FOSTER_TEST_SEED, or one from the kernel; printed to stderr as "seed N". */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("FOSTER_TEST_SEED");
    uint64_t seed = 1;

    if (given && *given)
        seed = strtoull(given, NULL, 0);
    else if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        fprintf(stderr, "no randomness from the kernel, a fixed seed\n");
    fprintf(stderr, "seed %" PRIu64 "\n", seed);
    return seed;
}

/** The next number of the sequence (splitmix64): any state is a good one, also 0. */
static inline uint64_t test_rand(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/** A number in 0..BOUND-1. */
static inline uint64_t test_rand_below(uint64_t *state, uint64_t bound)
{
    return test_rand(state) % bound;
}

#endif
