/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the files behind sys/unzombie.h share with one another and nobody else includes: which thread of a process to
 * stop (unzombie_target.c), and a thread that is held (unzombie_hold.c).
 *
 * A hold knows at any time what has been changed in its thread and what it takes to let it go, so that whoever gives up
 * at any point has to call one function, and so that a thread that does not come to a stop in time can be let go later,
 * one step at each stop of it.
 */
#ifndef FOSTER_SYS_UNZOMBIE_IMPL_H
#define FOSTER_SYS_UNZOMBIE_IMPL_H

#include "base/compiler.h"
#include "sys/unzombie.h"
#include "sys/unzombie_arch_impl.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** The thread that is to make the calls. */
struct unzombie_target {
    pid_t pid;
    pid_t tid;
    struct unzombie_call call; /**< what it is blocked in */
};

/** Chooses a thread of PID: the first if that is blocked in a system call, else any that is. UNZOMBIE_DONE, or what
 * speaks against it, with *ERRNUM for UNZOMBIE_REFUSED and UNZOMBIE_FAILED. */
enum unzombie_verdict unzombie_target_choose(pid_t pid, struct unzombie_target *ret, int *errnum) MUST_CHECK NONNULL();

/** Finds an instruction that makes a system call in the vDSO of T. Verdicts as above. */
enum unzombie_verdict unzombie_target_insn(const struct unzombie_target *t, uintptr_t *ret, int *errnum) MUST_CHECK
    NONNULL();

/** The verdict on a process about which the kernel answered ERRNUM. */
enum unzombie_verdict unzombie_target_verdict(int errnum);

/** A thread that is traced. */
struct unzombie_hold {
    struct unzombie_target target; /**< pid 0: a free place */
    struct unzombie_regs saved;    /**< what it needs to go on; of the first stop */
    uint64_t mask;                 /**< with is_masked: its own mask of signals */
    int stop;                      /**< with is_stopped: why, as waitid(2) has it in si_status */
    bool is_stopped;               /**< since when nothing has made it go on */
    bool is_ordered;               /**< its registers are ours */
    bool is_masked;                /**< its mask of signals is ours */
    bool enters;                   /**< see unzombie_regs_enter() */
};

/** Traces the thread T, which does not notice. NULL with errno; EBUSY when there are too many holds. */
struct unzombie_hold *unzombie_hold_begin(const struct unzombie_target *t) MUST_CHECK NONNULL();

/** Stops the thread of H before DEADLINE_US and looks whether it can make calls. Verdicts as above. */
enum unzombie_verdict unzombie_hold_stop(struct unzombie_hold *h, int64_t deadline_us, int *errnum) MUST_CHECK
    NONNULL();

/** Makes the stopped thread of H wait for PID by the instruction INSN; what the call came to is in *RESULT. Verdicts as
 * above. */
enum unzombie_verdict unzombie_hold_wait4(struct unzombie_hold *h, uintptr_t insn, pid_t pid, int64_t deadline_us,
                                          long *result, int *errnum) MUST_CHECK NONNULL();

/** Gives the thread of H back what is its own and lets it go; H is gone. If that takes longer than until DEADLINE_US,
 * unzombie_settle() goes on with it. */
void unzombie_hold_end(struct unzombie_hold *h, int64_t deadline_us) NONNULL();

/** The hold on a thread of process PID, or NULL. */
struct unzombie_hold *unzombie_hold_find(pid_t pid);

/** Blocks SIGCHLD, which the functions above wait with; *OLD is for unzombie_hold_unblock(). */
void unzombie_hold_block(sigset_t *old) NONNULL();

/** Raises the SIGCHLD that was taken, for stops and deaths of others come by the same one, and sets the mask OLD. */
void unzombie_hold_unblock(const sigset_t *old) NONNULL();

#endif
