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

/** As foster_call(), but result and error data are JSON values, owned by the caller (json_decref()). */
json_t *call_value(struct foster *f, const char *method, const char *params, int timeout_ms, json_t **ret_data,
                   struct foster_error *e) MUST_CHECK NONNULL(1, 2, 6);

#endif
