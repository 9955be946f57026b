/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Pseudo-terminals for the tests of sessions and job control.
 */
#ifndef FOSTER_TESTS_UNIT_SYS_PTY_KIT_H
#define FOSTER_TESTS_UNIT_SYS_PTY_KIT_H

#include "unit/sys/kit.h"

#include <sys/ioctl.h>

/** Opens a new terminal that is nobody's yet. False when there is none to be had here. Both are close-on-exec. */
static inline bool pty_kit_open(int *ret_master, int *ret_slave)
{
    char name[128];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1;
    if (master != -1 && grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0)
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave == -1) {
        if (master != -1)
            close(master);
        return false;
    }
    *ret_master = master;
    *ret_slave = slave;
    return true;
}

/** Whether pty_kit_open() works here; says aloud that WHAT is not tested when it does not. */
static inline bool pty_kit_available(const char *what)
{
    int master, slave;
    if (!pty_kit_open(&master, &slave)) {
        kit_skip(what, "no pseudo-terminal can be opened");
        return false;
    }
    close(slave);
    close(master);
    return true;
}

#endif
