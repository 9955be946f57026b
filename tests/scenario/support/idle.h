/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A fosterd that has nothing to do asks the kernel for nothing.
 */
#ifndef FOSTER_TESTS_IDLE_H
#define FOSTER_TESTS_IDLE_H

#include "scenario/support/scenario.h"

/** Fails when fosterd ends or makes a system call within MS; where no strace may be used, when it wakes up. The one
 * wait of the tests that lets time pass: it shows an absence. */
void idle_watch(struct scenario *s, int ms);

#endif
