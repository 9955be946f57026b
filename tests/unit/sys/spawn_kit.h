/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of spawning share: waiting for the verdict, and letting go of a child.
 */
#ifndef FOSTER_TESTS_UNIT_SYS_SPAWN_KIT_H
#define FOSTER_TESTS_UNIT_SYS_SPAWN_KIT_H

#include "sys/spawn.h"

#include "unit/sys/kit.h"

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
