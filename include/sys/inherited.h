/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What this process was given by the exec that made it, so that a command which takes its place can be given
 * exactly the same: mask, ignored signals, closed standard descriptors, the limit of descriptors.
 */
#ifndef FOSTER_SYS_INHERITED_H
#define FOSTER_SYS_INHERITED_H

#include "base/compiler.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

/** Signals as a process finds them after exec(2): handlers do not survive it, the mask and what is ignored do. */
struct inherited_signals {
    sigset_t mask;
    sigset_t ignored;
};

/** What was inherited. */
struct inherited {
    struct inherited_signals signals;
    bool closed[3];       /**< of the descriptors 0 to 2 */
    struct rlimit nofile; /**< RLIMIT_NOFILE */
};

/** Looks; first thing in main, before anything is opened or any signal is touched. Never fails: what the kernel does
 * not tell counts as usual (nothing blocked, nothing ignored, open). */
void inherited_take(struct inherited *ret) NONNULL();

/** Raises our own soft limit of descriptors as far as it goes: each process that we start costs us some. The limit that
 * these processes have to be given back: that of GIVEN, or NULL when ours is still the same. */
const struct rlimit *inherited_raise_nofile(const struct inherited *given) MUST_CHECK NONNULL();

/** Closes each inherited descriptor above 2. They are told from ours by their missing close-on-exec flag: with it
 *  they would not have survived our exec, and everything that we open has it. Without /proc only those below 65536. */
void inherited_close_fds(void);

#endif
