/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of spawning share: waiting for the verdict, and letting go of a child.
 */
#ifndef FOSTER_TESTS_UNIT_SYS_SPAWN_KIT_H
#define FOSTER_TESTS_UNIT_SYS_SPAWN_KIT_H

#include "sys/spawn.h"

#include "unit/sys/kit.h"

/* The sanitizers' handlers would hide what a program was given, and their look for leaks needs signals. */
#define SPAWN_KIT_QUIET                                                                                                \
    "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:handle_sigtrap=0:detect_leaks=0"

/** The environment of a test program that looks at its signals. */
static char *const spawn_kit_quiet[] = {(char *)"ASAN_OPTIONS=" SPAWN_KIT_QUIET,
                                        (char *)"UBSAN_OPTIONS=" SPAWN_KIT_QUIET, NULL};

/** Waits until the status pipe of CHILD has something to say. */
static inline enum spawn_verdict spawn_kit_verdict(const struct spawn_child *child, struct spawn_failure *failure)
{
    enum spawn_verdict verdict;
    struct pollfd p = {.fd = child->status_fd, .events = POLLIN};
    do {
        poll(&p, 1, -1);
        verdict = spawn_status(child->status_fd, failure);
    } while (verdict == SPAWN_PENDING);
    return verdict;
}

/** Closes the descriptors of CHILD. */
static inline void spawn_kit_close(const struct spawn_child *child)
{
    close(child->status_fd);
    if (child->pidfd != -1)
        close(child->pidfd);
}

#endif
