/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the exec that made this process gave to it.
 */
#include "sys/inherited.h"

#include "sys/fds.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

/* As sigaddset(3), which refuses the signals that the C library keeps for itself: a sigset_t begins with the kernel's
 * words. */
static void add_signal(sigset_t *set, int sig)
{
    enum { WORD_BITS = sizeof(unsigned long) * CHAR_BIT };
    unsigned bit = (unsigned)sig - 1;
    unsigned long *words = (unsigned long *)(void *)set;
    words[bit / WORD_BITS] |= 1UL << bit % WORD_BITS;
}

void inherited_take(struct inherited *ret)
{
    struct inherited_signals *signals = &ret->signals;
    if (sys_sigprocmask(SIG_BLOCK, NULL, &signals->mask) != 0)
        sigemptyset(&signals->mask);
    sigemptyset(&signals->ignored);
    for (int sig = 1; sig < _NSIG; sig++) {
        if (sys_signal_is_ignored(sig) == 1)
            add_signal(&signals->ignored, sig);
    }
    if (sys_prlimit_get(0, RLIMIT_NOFILE, &ret->nofile) != 0)
        ret->nofile = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    for (int fd = 0; fd < 3; fd++)
        ret->closed[fd] = sys_fcntl(fd, F_GETFD, 0) == -1 && errno == EBADF;
}

const struct rlimit *inherited_raise_nofile(const struct inherited *given)
{
    const struct rlimit all = {.rlim_cur = given->nofile.rlim_max, .rlim_max = given->nofile.rlim_max};
    return sys_prlimit_set(0, RLIMIT_NOFILE, &all) == 0 ? &given->nofile : NULL;
}

void inherited_close_fds(void)
{
    bool known = fds_close_inherited();
    /* What cannot be found stays open: a nuisance, but no reason not to start. */
    (void)known;
}
