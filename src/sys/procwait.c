/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a process is doing. See procwait.h.
 */
#include "sys/procwait.h"

#include "base/procstat.h"
#include "sys/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum {
    STATUS_TEXT_MAX = 4096,
    CALL_TEXT_MAX = 256, /* a number and eight more */
};

static const struct {
    long number;
    const char *name;
} calls[] = {
#define CALL(name) {SYS_##name, #name},
#include "procwait.def"
#undef CALL
};

const char *procwait_call_name(long number)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (calls[i].number == number)
            return calls[i].name;
    }
    return NULL;
}

/* Whether the mask of signals behind NAME has SIGCHLD. */
static bool has_sigchld(const char *status, size_t len, const char *name)
{
    uint64_t mask;
    return procstat_parse_status(status, len, name, 16, &mask) && (mask >> (SIGCHLD - 1) & 1) != 0;
}

/* The number that /proc/PID/syscall begins with: "running" for a process that has not stopped running, -1 for one that
 * is blocked outside of a call. */
static long current_call(pid_t pid)
{
    char text[CALL_TEXT_MAX], *end;
    ssize_t len = procfs_read(pid, "syscall", text, sizeof text - 1);
    if (len <= 0)
        return PROCWAIT_UNKNOWN;
    text[len] = '\0';
    long number = strtol(text, &end, 10);
    return end != text && number >= 0 ? number : PROCWAIT_RUNNING;
}

/* The kernel function in which PID sleeps; "0" is for none, and for one that we may not know. */
static void name_function(pid_t pid, struct procwait *w)
{
    char *name = w->call_name;
    ssize_t len = procfs_read(pid, "wchan", name, sizeof w->call_name - 1);
    name[len > 0 ? len : 0] = '\0';
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        snprintf(name, sizeof w->call_name, "-");
}

static void name_call(pid_t pid, struct procwait *w)
{
    const char *name = procwait_call_name(w->call);
    if (w->call == PROCWAIT_UNKNOWN)
        name_function(pid, w);
    else if (w->call == PROCWAIT_RUNNING)
        snprintf(w->call_name, sizeof w->call_name, "-");
    else if (name != NULL)
        snprintf(w->call_name, sizeof w->call_name, "%s", name);
    else
        snprintf(w->call_name, sizeof w->call_name, "call %ld", w->call);
}

bool procwait_read(pid_t pid, struct procwait *ret)
{
    char text[STATUS_TEXT_MAX];
    struct procstat st;
    uint64_t tracer;
    ssize_t len = procfs_read(pid, "status", text, sizeof text);
    if (len < 0 || !procfs_stat(pid, &st))
        return false;
    if (!procstat_parse_status(text, (size_t)len, "TracerPid:", 10, &tracer) || tracer > INT_MAX) {
        errno = EPROTO;
        return false;
    }
    *ret = (struct procwait){
        .state = st.state,
        .call = current_call(pid),
        .n_threads = st.n_threads,
        .tracer = (pid_t)tracer,
        .ignores_sigchld = has_sigchld(text, (size_t)len, "SigIgn:"),
        .catches_sigchld = has_sigchld(text, (size_t)len, "SigCgt:"),
        .blocks_sigchld = has_sigchld(text, (size_t)len, "SigBlk:"),
    };
    name_call(pid, ret);
    return true;
}
