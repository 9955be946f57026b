/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * doc/schema/fosterctl.json applied to what fosterctl really prints. Stricter than a JSON Schema is: what the schema
 * has no word for is an error too, so that the documentation cannot lag behind.
 */
#ifndef FOSTER_TESTS_SCENARIO_SCHEMA_H
#define FOSTER_TESTS_SCENARIO_SCHEMA_H

#include "scenario/support/scenario.h"

/** The one JSON object, and nothing else but a newline, that TEXT has to be. Valid until the scenario's next call. */
json_t *schema_read(struct scenario *s, const char *text);

/** Fails unless VALUE is what definition NAME of the schema describes, without any member that is not in it. */
void schema_check(struct scenario *s, const char *name, const json_t *value);

#endif
