/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What this process was given by the exec that made it, so that a command which takes its place can be given
 * exactly the same: mask, ignored signals, closed standard descriptors.
 */
#ifndef FOSTER_SYS_INHERITED_H
#define FOSTER_SYS_INHERITED_H

#include "base/compiler.h"

#include <signal.h>
#include <stdbool.h>

/** Signals as a process finds them after exec(2): handlers do not survive it, the mask and what is ignored do. */
struct inherited_signals {
    sigset_t mask;
    sigset_t ignored;
};

/** What was inherited. */
struct inherited {
    struct inherited_signals signals;
    bool closed[3]; /**< of the descriptors 0 to 2 */
};

/** Looks; first thing in main, before anything is opened or any signal is touched. Never fails: what the kernel does
 * not tell counts as usual (nothing blocked, nothing ignored, open). */
void inherited_take(struct inherited *ret) NONNULL();

/** Closes each inherited descriptor above 2. They are told from ours by their missing close-on-exec flag: with it
 *  they would not have survived our exec, and everything that we open has it. Without /proc only those below 65536. */
void inherited_close_fds(void);

#endif
