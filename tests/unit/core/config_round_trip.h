/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * That a configuration that is printed reads back to an equal one.
 */
#ifndef FOSTER_TESTS_UNIT_CORE_CONFIG_ROUND_TRIP_H
#define FOSTER_TESTS_UNIT_CORE_CONFIG_ROUND_TRIP_H

#include "config_bench.h"

/** Prints SET, reads that back with OPT, and prints it again: equal, and the same text. */
static inline void check_round_trip(const struct spec_set *set, const struct config_options *opt)
{
    static struct config_bench b;
    struct buf text, again;

    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    assert_true(config_print(set, &text));
    b.opt = *opt;
    if (!config_bench_load(&b, buf_str(&text)))
        fail_msg("refused:\n%s\n%s", config_bench_problems(&b), buf_str(&text));
    if (!spec_set_equal(set, b.set))
        fail_msg("not equal:\n%s", buf_str(&text));
    assert_true(config_print(b.set, &again));
    assert_string_equal(buf_str(&again), buf_str(&text));
    config_bench_done(&b);
    buf_done(&text);
    buf_done(&again);
}

#endif
