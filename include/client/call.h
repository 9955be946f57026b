/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Calls with values for results, for a program that is built together with the library: text would only be parsed
 * again.
 */
#ifndef FOSTER_CLIENT_CALL_H
#define FOSTER_CLIENT_CALL_H

#include "base/compiler.h"
#include "foster/foster.h"

#include <jansson.h>
#include <stdint.h>

/** Milliseconds of CLOCK_MONOTONIC. */
int64_t call_now_ms(void);

/** Milliseconds from now until DEADLINE of that clock, not below 0, or -1 where DEADLINE is: there is none. As poll(2)
 * takes it. */
int call_left_ms(int64_t deadline) MUST_CHECK;

/** As foster_call(), but waits until DEADLINE (of call_now_ms(); -1: for ever), and result and error data are JSON
 * values, owned by the caller (json_decref()). */
json_t *call_value(struct foster *f, const char *method, const char *params, int64_t deadline, json_t **ret_data,
                   struct foster_error *e) MUST_CHECK NONNULL(1, 2, 6);

#endif
