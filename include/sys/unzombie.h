/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The cure for zombies whose parent lives and does not wait: makes that parent itself execute
 * wait4(pid, NULL, WNOHANG, NULL) under ptrace(2), and lets it go on as if nothing had happened.
 *
 * The parent is seized while it is blocked in a system call, executes the calls at a system call instruction of its
 * vdso, is stopped once more in the signal path before any code of its own runs, gets its registers back and is let go.
 * What it was blocked in goes on; the calls that the kernel does not restart behind a stop (epoll_wait, sigtimedwait,
 * semtimedop, those with SO_RCVTIMEO: signal(7)) return EINTR, as behind SIGSTOP and SIGCONT. The exit status of the
 * zombie is lost to the parent. Signals that arrive meanwhile are delivered afterwards, as if they had arrived in the
 * call.
 *
 * BUGS: when fosterd is killed by SIGKILL within these milliseconds, the kernel lets the parent go with foreign
 * registers, and it crashes. A process that was restored from a checkpoint with another vDSO is refused.
 */
#ifndef FOSTER_SYS_UNZOMBIE_H
#define FOSTER_SYS_UNZOMBIE_H

#include "base/compiler.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** So many zombies are waited for in one stop of the parent at most. */
enum { UNZOMBIE_MAX = 50 };

/** Why nothing, or not everything, was done. */
enum unzombie_verdict {
    UNZOMBIE_DONE,        /**< each zombie was tried */
    UNZOMBIE_LATER,       /**< the time was up; the rest can be tried again */
    UNZOMBIE_UNSUPPORTED, /**< not on this processor, or without /proc */
    UNZOMBIE_GONE,        /**< there is no such parent any more, or it has ended */
    UNZOMBIE_TRACED,      /**< somebody traces it already */
    UNZOMBIE_SUSPENDED,   /**< state T: a signal has stopped it */
    UNZOMBIE_BUSY, /**< no thread of it is blocked in a system call (nor is one for an instant behind a cure), or one is
                      in state D */
    UNZOMBIE_SECCOMP,   /**< it has more seccomp filters than we have */
    UNZOMBIE_NAMESPACE, /**< it is in another pid namespace */
    UNZOMBIE_FOREIGN,   /**< it is not a 64-bit program of our own architecture, or has no vDSO */
    UNZOMBIE_REFUSED,   /**< by the kernel: another user's, not dumpable, Yama, or a seccomp filter of ours; errnum */
    UNZOMBIE_FAILED,    /**< something else went wrong: errnum */
    UNZOMBIE_VERDICT_N
};

/** What came of unzombie(). */
struct unzombie_result {
    enum unzombie_verdict verdict;
    int errnum;      /**< with UNZOMBIE_REFUSED and UNZOMBIE_FAILED */
    size_t n_tried;  /**< the first so many of the zombies were tried */
    size_t n_reaped; /**< so many of them are gone */
    int64_t held_us; /**< how long the parent was stopped, in microseconds */
};

/** Whether unzombie() can work here at all: processor, kernel, our own rights. 0, or the errno that ptrace(2) would
 * give (ENOSYS: not supported here). Changes nothing. */
int unzombie_probe(void) MUST_CHECK;

/** What unzombie() would find of PARENT before it stops anybody: UNZOMBIE_DONE when nothing speaks against it, else the
 * verdict, with *ERRNUM as in the result. UNZOMBIE_BUSY may pass by itself. */
enum unzombie_verdict unzombie_outlook(pid_t parent, int *errnum) MUST_CHECK NONNULL();

/** Makes PARENT, a live process below us that is not our thread group, wait for its N > 0 zombie children ZOMBIES (at
 * most UNZOMBIE_MAX), for no longer than BUDGET_US microseconds. Whatever happens PARENT is let go before the return;
 * where the kernel keeps it from stopping in time, it is remembered and let go by unzombie_settle(). SIGCHLD is taken
 * meanwhile and raised again at the end. What no parent or zombie can be (ourselves, pids below 2) is UNZOMBIE_FAILED
 * with EINVAL. */
void unzombie(pid_t parent, const pid_t *zombies, size_t n, int64_t budget_us, struct unzombie_result *ret) NONNULL();

/** Lets those go that had not stopped in time and have now; called behind each SIGCHLD while unzombie_is_pending(). */
void unzombie_settle(void);

/** The same for the thread that INFO is about, which waitid(2) has found among our children with WNOWAIT: it finds
 * those that we trace as well. True when that was one, and there is nothing left to wait for; else INFO is about a
 * child. */
bool unzombie_take(const siginfo_t *info) NONNULL();

/** Whether there are such. */
bool unzombie_is_pending(void);

/** What V means, for people: "it is traced by process 42" has no number here: "somebody traces it (a debugger?)";
 * static. */
const char *unzombie_verdict_text(enum unzombie_verdict v);

#endif
