/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The zombies that a living process does not wait for: how many there are, and having fosterd make it wait.
 */
#ifndef FOSTER_TESTS_ZOMBIES_H
#define FOSTER_TESTS_ZOMBIES_H

#include "scenario/support/command.h"

#include <stddef.h>

/** How many children of PID are zombies. */
size_t zombies_of(pid_t pid);

/** Whether TEXT says of a process that it could not be stopped in the time that there is for it: on a busy machine that
 * is nobody's fault. */
bool zombies_say_busy(const char *text);

/** Has the zombies of SERVICE, a sleep(1), reaped, again while the machine is too busy, and checks that this succeeds;
 * how many have been. Skips the test where no process may be traced. */
size_t zombies_reap(struct scenario *s, const char *service);

#endif
