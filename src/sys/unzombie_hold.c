/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A thread that is traced, and the way out from wherever it is. See unzombie_impl.h.
 *
 * Registers may be put back at a stop in the signal path only. At the end of a system call (where each order ends) the
 * kernel has the restart of an interrupted call behind it, and a program that found -ERESTART_RESTARTBLOCK among its
 * results would be lost. So from there the thread is interrupted once more, which stops it before its next instruction.
 *
 * Its signals are blocked while it works for us: a handler must not run with our registers, and what arrives must be
 * delivered as if it had arrived in the call that the thread was blocked in. The mask is changed when the first order
 * has begun, for only then has the kernel put back the one that sigsuspend(2) and its kin had replaced.
 *
 * BUGS: when we are killed between an order and its end, the kernel lets the thread go as it is: with our registers,
 * and the program crashes. That takes a SIGKILL within the time that unzombie_result.held_us tells of.
 */
#include "sys/procfs.h"
#include "sys/sys.h"
#include "sys/sys_ptrace.h"
#include "sys/unzombie_impl.h"

#include <errno.h>
#include <sys/ptrace.h>

enum {
    N_HOLDS = 8,
    N_TRIES = 3,            /* see insist() */
    SYSCALL_STOP = 0x80,    /* PTRACE_O_TRACESYSGOOD marks the stops at system calls by this */
    KERNEL_SIGSET_SIZE = 8, /* of the masks that ptrace(2) takes */
};

/* Why a thread has stopped. */
enum stop_kind {
    STOP_SYSCALL,   /* where a system call begins or ends */
    STOP_INTERRUPT, /* in the signal path, because of PTRACE_INTERRUPT or SIGCONT */
    STOP_SUSPENDED, /* in the signal path, with all of its process, by SIGSTOP and its kin */
    STOP_SIGNAL,    /* in the signal path, about to get a signal */
    STOP_OTHER,     /* another program has taken the place of the one that we knew */
};

/* What has become of a thread. */
enum look { LOOK_NOTHING, LOOK_STOPPED, LOOK_ENDED, LOOK_LOST };

static struct unzombie_hold holds[N_HOLDS];
static bool has_taken_signal;

static void sigchld_only(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGCHLD);
}

void unzombie_hold_block(sigset_t *old)
{
    sigset_t set;
    sigchld_only(&set);
    has_taken_signal = false;
    sigprocmask(SIG_BLOCK, &set, old);
}

void unzombie_hold_unblock(const sigset_t *old)
{
    if (has_taken_signal)
        sys_raise(SIGCHLD);
    sigprocmask(SIG_SETMASK, old, NULL);
}

struct unzombie_hold *unzombie_hold_find(pid_t pid)
{
    for (size_t i = 0; i < N_HOLDS; i++) {
        if (holds[i].target.pid == pid)
            return &holds[i];
    }
    return NULL;
}

static void forget(struct unzombie_hold *h)
{
    *h = (struct unzombie_hold){0};
}

struct unzombie_hold *unzombie_hold_begin(const struct unzombie_target *t)
{
    struct unzombie_hold *h = unzombie_hold_find(0);
    if (h == NULL) {
        errno = EBUSY;
        return NULL;
    }
    if (sys_ptrace(PTRACE_SEIZE, t->tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC) < 0)
        return NULL;
    h->target = *t;
    return h;
}

/* Makes a request without which the thread would not be let go. The kernel has no reason to refuse one while the thread
 * is there; in case it does all the same we do not believe it at once. */
static bool insist(const struct unzombie_hold *h, int request, uintptr_t addr, uintptr_t data)
{
    for (int i = 0; i < N_TRIES; i++) {
        if (sys_ptrace(request, h->target.tid, addr, data) == 0)
            return true;
    }
    return false;
}

static bool is_ended(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
}

/* Looks once; false when that is not enough. Of a death nothing is taken: that of a child of ours is for whoever reaps
 * our children. */
static bool try_look(struct unzombie_hold *h, enum look *ret)
{
    siginfo_t info;
    id_t tid = (id_t)h->target.tid;
    if (sys_waitid(P_PID, tid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0) {
        *ret = info.si_code == CLD_TRAPPED ? LOOK_STOPPED : LOOK_LOST;
        h->stop = info.si_status;
        h->is_stopped = *ret == LOOK_STOPPED;
        return true;
    }
    if (sys_waitid(P_PID, tid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return false;
    *ret = is_ended(&info) ? LOOK_ENDED : LOOK_NOTHING;
    return info.si_pid == 0 || is_ended(&info);
}

/* A thread is lost when another one has executed a program: that one goes on under its number, and nobody traces it. */
static enum look look(struct unzombie_hold *h)
{
    enum look found;
    for (int i = 0; i < N_TRIES; i++) {
        if (try_look(h, &found))
            return found;
    }
    return sys_ptrace(PTRACE_INTERRUPT, h->target.tid, 0, 0) < 0 && errno == ESRCH ? LOOK_LOST : LOOK_NOTHING;
}

/* Waits for a stop or a death, which SIGCHLD tells of. False when the time is up. */
static bool await_signal(int64_t deadline_us)
{
    sigset_t set;
    int64_t left_us = deadline_us - sys_now_us();
    if (left_us <= 0)
        return false;
    sigchld_only(&set);
    if (sys_await_signal(&set, left_us) == SIGCHLD)
        has_taken_signal = true;
    return true;
}

/* Waits until something has become of the thread, which was made to go on just now. */
static enum look await(struct unzombie_hold *h, int64_t deadline_us)
{
    for (;;) {
        bool in_time = await_signal(deadline_us);
        enum look found = look(h);
        if (found != LOOK_NOTHING || !in_time)
            return found;
    }
}

static enum stop_kind kind_of(int stop)
{
    int sig = stop & 0xff, event = stop >> 8;
    if (event == 0)
        return sig == (SIGTRAP | SYSCALL_STOP) ? STOP_SYSCALL : STOP_SIGNAL;
    if (event != PTRACE_EVENT_STOP)
        return STOP_OTHER;
    return sig == SIGTRAP ? STOP_INTERRUPT : STOP_SUSPENDED;
}

/* ------------------------------------------------------------------ in */

static enum unzombie_verdict judge(enum look found)
{
    switch (found) {
    case LOOK_STOPPED:
        return UNZOMBIE_DONE;
    case LOOK_NOTHING:
        return UNZOMBIE_LATER;
    case LOOK_ENDED:
    case LOOK_LOST:
        break;
    }
    return UNZOMBIE_GONE;
}

/* ESRCH is for a thread that has been killed. */
static enum unzombie_verdict fail(int *errnum)
{
    *errnum = errno;
    return errno == ESRCH ? UNZOMBIE_GONE : UNZOMBIE_FAILED;
}

enum unzombie_verdict unzombie_hold_stop(struct unzombie_hold *h, int64_t deadline_us, int *errnum)
{
    size_t len = sizeof h->saved;
    if (sys_ptrace(PTRACE_INTERRUPT, h->target.tid, 0, 0) < 0)
        return fail(errnum);
    enum unzombie_verdict v = judge(await(h, deadline_us));
    if (v != UNZOMBIE_DONE)
        return v;
    if (kind_of(h->stop) == STOP_SUSPENDED)
        return UNZOMBIE_SUSPENDED;
    if (kind_of(h->stop) != STOP_INTERRUPT)
        return UNZOMBIE_LATER;
    if (sys_ptrace_get_regs(h->target.tid, &h->saved, &len) < 0)
        return fail(errnum);
    if (len != sizeof h->saved)
        return UNZOMBIE_FOREIGN;
    if (!unzombie_regs_in_call(&h->saved, &h->target.call))
        return UNZOMBIE_BUSY;
    h->enters = unzombie_regs_enter(&h->saved, &h->target.call);
    unzombie_regs_mend(&h->saved, &h->target.call);
    return UNZOMBIE_DONE;
}

/* Lets the thread go on to where its system call begins, or from there to where it ends. A SIGCONT stops it on the way,
 * which changes nothing. */
static enum unzombie_verdict run(struct unzombie_hold *h, int64_t deadline_us, int *errnum)
{
    do {
        if (sys_ptrace(PTRACE_SYSCALL, h->target.tid, 0, 0) < 0)
            return fail(errnum);
        h->is_stopped = false;
        enum unzombie_verdict v = judge(await(h, deadline_us));
        if (v != UNZOMBIE_DONE)
            return v;
    } while (kind_of(h->stop) == STOP_INTERRUPT);
    return kind_of(h->stop) == STOP_SYSCALL ? UNZOMBIE_DONE : UNZOMBIE_LATER;
}

/* The signals that a thread gets for what it does itself. Blocked, they would kill. */
static uint64_t faults(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
    uint64_t mask = 0;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        mask |= (uint64_t)1 << (signals[i] - 1);
    return mask;
}

static bool mask_signals(struct unzombie_hold *h)
{
    uint64_t all = ~faults();
    if (h->is_masked)
        return true;
    if (sys_ptrace(PTRACE_GETSIGMASK, h->target.tid, KERNEL_SIGSET_SIZE, (uintptr_t)&h->mask) < 0 ||
        sys_ptrace(PTRACE_SETSIGMASK, h->target.tid, KERNEL_SIGSET_SIZE, (uintptr_t)&all) < 0)
        return false;
    h->is_masked = true;
    return true;
}

enum unzombie_verdict unzombie_hold_wait4(struct unzombie_hold *h, uintptr_t insn, pid_t pid, int64_t deadline_us,
                                          long *result, int *errnum)
{
    struct unzombie_regs regs = h->saved;
    size_t len = sizeof regs;
    unzombie_regs_order(&regs, insn, pid, WNOHANG | __WALL);
    if (sys_ptrace_set_regs(h->target.tid, &regs, sizeof regs) < 0)
        return fail(errnum);
    h->is_ordered = true;
    enum unzombie_verdict v = run(h, deadline_us, errnum);
    if (v == UNZOMBIE_DONE && !mask_signals(h))
        v = fail(errnum);
    if (v == UNZOMBIE_DONE)
        v = run(h, deadline_us, errnum);
    if (v == UNZOMBIE_DONE && sys_ptrace_get_regs(h->target.tid, &regs, &len) < 0)
        v = fail(errnum);
    if (v == UNZOMBIE_DONE)
        *result = unzombie_regs_result(&regs);
    return v;
}

/* ------------------------------------------------------------------ out */

/* The signal that the thread is about to get and has to. Not one for something that only we have made it do. */
static int signal_to_deliver(const struct unzombie_hold *h)
{
    siginfo_t info = {0};
    int sig = h->stop & 0xff;
    if (kind_of(h->stop) != STOP_SIGNAL)
        return 0;
    if (!h->is_ordered || (faults() >> (sig - 1) & 1) == 0)
        return sig;
    if (!insist(h, PTRACE_GETSIGINFO, 0, (uintptr_t)&info))
        return sig;
    return info.si_code > 0 ? 0 : sig;
}

static bool restore_regs(struct unzombie_hold *h)
{
    for (int i = 0; h->is_ordered && i < N_TRIES; i++)
        h->is_ordered = sys_ptrace_set_regs(h->target.tid, &h->saved, sizeof h->saved) < 0;
    return !h->is_ordered;
}

static bool restore_mask(struct unzombie_hold *h)
{
    if (h->is_masked)
        h->is_masked = !insist(h, PTRACE_SETSIGMASK, KERNEL_SIGSET_SIZE, (uintptr_t)&h->mask);
    return !h->is_masked;
}

static bool go_on(struct unzombie_hold *h, int request)
{
    h->is_stopped = !insist(h, request, 0, 0);
    return !h->is_stopped;
}

static bool detach(struct unzombie_hold *h, int sig)
{
    if (!insist(h, PTRACE_DETACH, 0, (uintptr_t)sig))
        return false;
    forget(h);
    return true;
}

/* From the stop that the thread is in to the next one, or out: then H is gone. False when the kernel did not let us. */
static bool step_out(struct unzombie_hold *h)
{
    enum stop_kind kind = kind_of(h->stop);
    if (kind == STOP_OTHER)
        return detach(h, 0);
    if (kind == STOP_SYSCALL && h->is_ordered)
        return insist(h, PTRACE_INTERRUPT, 0, 0) && go_on(h, PTRACE_CONT);
    int sig = signal_to_deliver(h);
    if (!restore_regs(h))
        return false;
    if (kind == STOP_INTERRUPT && h->is_masked && h->enters)
        return go_on(h, PTRACE_SYSCALL);
    return restore_mask(h) && detach(h, sig);
}

/* The thread has ended. Its parent is not told before its tracer has waited for it; but if both are us, that is for
 * whoever reaps our children. True when it was waited for. */
static bool bury(struct unzombie_hold *h)
{
    siginfo_t info;
    struct procstat st;
    struct unzombie_target t = h->target;
    forget(h);
    if (t.tid == t.pid && procfs_stat(t.pid, &st) && st.ppid == sys_getpid())
        return false;
    return sys_waitid(P_PID, (id_t)t.tid, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0;
}

/* What can be done for H without waiting. True when something was taken out of the kernel for it. */
static bool settle(struct unzombie_hold *h)
{
    switch (look(h)) {
    case LOOK_ENDED:
        return bury(h);
    case LOOK_LOST:
        forget(h);
        return false;
    case LOOK_STOPPED:
        (void)step_out(h);
        return true;
    case LOOK_NOTHING:
        break;
    }
    if (h->is_stopped)
        (void)step_out(h);
    else if (sys_ptrace(PTRACE_INTERRUPT, h->target.tid, 0, 0) < 0 && errno == ESRCH)
        forget(h);
    return false;
}

/* Looks before it waits: the signal that told of a death may have been taken already. */
void unzombie_hold_end(struct unzombie_hold *h, int64_t deadline_us)
{
    (void)settle(h);
    while (h->target.pid != 0 && !h->is_stopped && await_signal(deadline_us))
        (void)settle(h);
}

void unzombie_settle(void)
{
    for (size_t i = 0; i < N_HOLDS; i++) {
        if (holds[i].target.pid != 0)
            (void)settle(&holds[i]);
    }
}

bool unzombie_is_pending(void)
{
    for (size_t i = 0; i < N_HOLDS; i++) {
        if (holds[i].target.pid != 0)
            return true;
    }
    return false;
}

bool unzombie_take(const siginfo_t *info)
{
    for (size_t i = 0; i < N_HOLDS; i++) {
        if (holds[i].target.tid == info->si_pid)
            return settle(&holds[i]);
    }
    return false;
}
