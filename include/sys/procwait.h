/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a process is doing, for people: the system call that it is blocked in, and what it has decided about SIGCHLD.
 */
#ifndef FOSTER_SYS_PROCWAIT_H
#define FOSTER_SYS_PROCWAIT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <sys/types.h>

enum { PROCWAIT_NAME_MAX = 32 };

/** Values of a system call's number that are none. */
enum {
    PROCWAIT_RUNNING = -1, /**< it is in no system call */
    PROCWAIT_UNKNOWN = -2, /**< we may not know: another user's process, or no such file in this /proc */
};

/** What a process is doing; of one with several threads, what its first thread is. */
struct procwait {
    char state;                        /**< R S D Z T t X I, as in /proc/PID/stat */
    long call;                         /**< number of the system call, or PROCWAIT_RUNNING, PROCWAIT_UNKNOWN */
    char call_name[PROCWAIT_NAME_MAX]; /**< "poll"; for a call without a name here "call 451"; where the number is not
                                          known, the kernel function that it sleeps in; "-" for nothing */
    unsigned n_threads;
    pid_t tracer;         /**< 0: nobody traces it */
    bool ignores_sigchld; /**< by SIG_IGN: the kernel keeps none of its children from then on */
    bool catches_sigchld;
    bool blocks_sigchld;
};

/** Fills *RET for process PID. False with errno: ENOENT or ESRCH when there is none.
 *
 * BUGS: while another thread of PID is in the middle of execve(2), the kernel lets us wait for its end. */
bool procwait_read(pid_t pid, struct procwait *ret) MUST_CHECK NONNULL();

/** The name of the system call NUMBER of our own architecture, of those that processes are found blocked in. NULL for
 * others; static. */
const char *procwait_call_name(long number);

#endif
