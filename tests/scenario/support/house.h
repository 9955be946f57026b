/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A control group of the test's own with a limit on processes, for root: the house that is to be full.
 */
#ifndef FOSTER_TESTS_HOUSE_H
#define FOSTER_TESTS_HOUSE_H

#include "scenario/support/scenario.h"

/** A test with a house around it. */
#define HOUSE_SCENARIO(test) cmocka_unit_test_setup_teardown(test, scenario_setup, house_teardown)

int house_teardown(void **state);

/** Makes the house, with room for MAX processes and threads; skips the test where that is not possible. */
void house_make(long max);

/** Writes TEXT to FILE of the house. */
bool house_put(const char *file, const char *text);

/** The calling process goes in; ends it with 113 when it cannot. With DATA it gets a /proc of its own, too. For struct
 * scenario_options.prepare. */
void house_enter(void *data);

#endif
