/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Zombies and their cure. See zombies.h.
 */
#include "scenario/support/zombies.h"

#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t zombies_of(pid_t pid)
{
    static struct procs below;
    size_t n = 0;
    procs_children(pid, &below);
    for (size_t i = 0; i < below.n; i++) {
        n += procs_state(below.pids[i]) == 'Z';
    }
    return n;
}

bool zombies_say_busy(const char *text)
{
    return strstr(text, "the time was up") || strstr(text, "no thread of it is blocked in a system call");
}

size_t zombies_reap(struct scenario *s, const char *service)
{
    static const char reaped[] = " has waited for ";
    for (size_t n = 0;;) {
        struct command got = fosterctl_run(s, "zombies", "--reap", service);
        if (strstr(got.out, "does not let us")) {
            scenario_skip("no process may be traced here");
        }
        const char *at = strstr(got.out, reaped);
        size_t now = at ? strtoul(at + strlen(reaped), NULL, 10) : 0;
        n += now;
        if (!zombies_say_busy(got.out)) {
            char wanted[128];
            (void)snprintf(wanted, sizeof(wanted), "* (sleep) of %s has waited for %zu zombie%s\n", service, now,
                           now == 1 ? "" : "s");
            fosterctl_check(s, got, 0, wanted, "");
            return n;
        }
        (void)scenario_time_left(s);
    }
}
