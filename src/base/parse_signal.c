/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Signals by name and number. The C library's own names are not used: sigabbrev_np() is glibc's alone,
 * and strsignal() follows the locale.
 */
#include "base/parse.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

struct signal_row {
    int sig;
    const char *name;
};

#define ROW(name)                                                                                                      \
    {                                                                                                                  \
        name, #name                                                                                                    \
    }
/* Of several names for one number, the first is the one that is printed. */
static const struct signal_row signal_rows[] = {
    ROW(SIGHUP),    ROW(SIGINT),  ROW(SIGQUIT),  ROW(SIGILL),  ROW(SIGTRAP), ROW(SIGABRT), ROW(SIGBUS),  ROW(SIGFPE),
    ROW(SIGKILL),   ROW(SIGUSR1), ROW(SIGSEGV),  ROW(SIGUSR2), ROW(SIGPIPE), ROW(SIGALRM), ROW(SIGTERM), ROW(SIGCHLD),
    ROW(SIGCONT),   ROW(SIGSTOP), ROW(SIGTSTP),  ROW(SIGTTIN), ROW(SIGTTOU), ROW(SIGURG),  ROW(SIGXCPU), ROW(SIGXFSZ),
    ROW(SIGVTALRM), ROW(SIGPROF), ROW(SIGWINCH), ROW(SIGIO),   ROW(SIGPWR),  ROW(SIGSYS),  ROW(SIGIOT),  ROW(SIGPOLL),
#ifdef SIGSTKFLT
    ROW(SIGSTKFLT),
#endif
};

/* Linux has 64 signals less the 32 standard ones; the C library keeps two or three of the rest. */
static const char *const realtime_names[] = {
    "SIGRTMIN",    "SIGRTMIN+1",  "SIGRTMIN+2",  "SIGRTMIN+3",  "SIGRTMIN+4",  "SIGRTMIN+5",  "SIGRTMIN+6",
    "SIGRTMIN+7",  "SIGRTMIN+8",  "SIGRTMIN+9",  "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13",
    "SIGRTMIN+14", "SIGRTMIN+15", "SIGRTMIN+16", "SIGRTMIN+17", "SIGRTMIN+18", "SIGRTMIN+19", "SIGRTMIN+20",
    "SIGRTMIN+21", "SIGRTMIN+22", "SIGRTMIN+23", "SIGRTMIN+24", "SIGRTMIN+25", "SIGRTMIN+26", "SIGRTMIN+27",
    "SIGRTMIN+28", "SIGRTMIN+29", "SIGRTMIN+30", "SIGRTMIN+31",
};

/* "RTMIN", "RTMIN+n", "RTMAX", "RTMAX-n". */
static bool parse_realtime_signal(const char *s, int *ret)
{
    bool from_min = strncasecmp(s, "RTMIN", 5) == 0;
    int64_t offset = 0;

    if (!from_min && strncasecmp(s, "RTMAX", 5) != 0)
        return false;
    s += 5;
    if (*s && (*s != (from_min ? '+' : '-') || s[1] == '-' || !parse_int(s + 1, &offset)))
        return false;
    if (offset > SIGRTMAX - SIGRTMIN)
        return false;
    *ret = from_min ? SIGRTMIN + (int)offset : SIGRTMAX - (int)offset;
    return true;
}

bool parse_signal(const char *s, int *ret)
{
    int64_t number;

    if (parse_int(s, &number)) {
        if (number < 1 || number > SIGRTMAX)
            return false;
        *ret = (int)number;
        return true;
    }
    if (strncasecmp(s, "SIG", 3) == 0)
        s += 3;
    for (size_t i = 0; i < ARRAY_LEN(signal_rows); i++) {
        if (strcasecmp(s, signal_rows[i].name + 3) == 0) {
            *ret = signal_rows[i].sig;
            return true;
        }
    }
    return parse_realtime_signal(s, ret);
}

const char *parse_signal_name(int sig)
{
    for (size_t i = 0; i < ARRAY_LEN(signal_rows); i++)
        if (signal_rows[i].sig == sig)
            return signal_rows[i].name;
    if (sig >= SIGRTMIN && sig <= SIGRTMAX && (size_t)(sig - SIGRTMIN) < ARRAY_LEN(realtime_names))
        return realtime_names[sig - SIGRTMIN];
    return NULL;
}
