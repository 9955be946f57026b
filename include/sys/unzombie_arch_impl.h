/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the cure for zombies has to know of a processor: its registers, and how its kernel restarts a system call that
 * a stop has interrupted.
 *
 * x86-64: at a stop in the signal path the registers show what the call came to (-ERESTARTSYS and its kin) and its
 * number; behind the stop the kernel looks at them and decides. So what was saved at such a stop can be put back at any
 * other, as it is.
 *
 * aarch64: the kernel decides before the stop, and remembers for itself what it did: the registers show the call
 * rewound already, or its result. When other calls have been made, what it remembered is gone. So two things are done
 * by hand. Calls that go on with the rest of their time are restarted by restart_syscall(2), as the kernel would do.
 * And a signal must find the thread within the rewound call, not before it, where its handler would return into a call
 * that the signal should have ended (pause(2)): so signals are held off until the call has been entered again.
 *
 * UNZOMBIE_NO_ARCH stands for any other processor.
 */
#ifndef FOSTER_SYS_UNZOMBIE_ARCH_IMPL_H
#define FOSTER_SYS_UNZOMBIE_ARCH_IMPL_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>

/** The call in which a thread was seen blocked: /proc/PID/task/TID/syscall. */
struct unzombie_call {
    long number;
    uintptr_t args[6];
    uintptr_t sp;
    uintptr_t pc; /**< behind the instruction */
};

#if defined(__x86_64__) && !defined(__ILP32__) && !defined(UNZOMBIE_NO_ARCH)

enum { UNZOMBIE_HAS_ARCH = true, UNZOMBIE_MACHINE = EM_X86_64, UNZOMBIE_INSN_SIZE = 2, UNZOMBIE_INSN_ALIGN = 1 };

/* What all calls of the x32 ABI have in their numbers. */
enum { UNZOMBIE_X32_BIT = 0x40000000 };

/** The general registers, as PTRACE_GETREGSET gives them for a 64-bit program. */
struct unzombie_regs {
    struct user_regs_struct r;
};

/** Whether the instruction at TEXT makes a system call. */
static inline bool unzombie_is_insn(const unsigned char *text)
{
    return text[0] == 0x0f && text[1] == 0x05;
}

/** Whether REGS, of a stop in the signal path, say that it came out of a system call. */
static inline bool unzombie_regs_in_call(const struct unzombie_regs *regs, const struct unzombie_call *seen)
{
    long number = (long)regs->r.orig_rax;
    (void)seen;
    return number >= 0 && (number & UNZOMBIE_X32_BIT) == 0;
}

/** Makes REGS those of a thread that is about to execute the instruction at INSN: wait4(PID, NULL, OPTIONS, NULL). The
 * number of the call that it came out of goes away, or the kernel would restart that one. */
static inline void unzombie_regs_order(struct unzombie_regs *regs, uintptr_t insn, pid_t pid, int options)
{
    regs->r.rip = insn;
    regs->r.orig_rax = (unsigned long)-1;
    regs->r.rax = SYS_wait4;
    regs->r.rdi = (unsigned)pid;
    regs->r.rsi = 0;
    regs->r.rdx = (unsigned)options;
    regs->r.r10 = 0;
}

/** What the call came to that the thread has just made: a pid, 0, or minus an errno. */
static inline long unzombie_regs_result(const struct unzombie_regs *regs)
{
    return (long)regs->r.rax;
}

#elif defined(__aarch64__) && !defined(__ILP32__) && !defined(UNZOMBIE_NO_ARCH)

#include <linux/futex.h>
#include <time.h>

enum { UNZOMBIE_HAS_ARCH = true, UNZOMBIE_MACHINE = EM_AARCH64, UNZOMBIE_INSN_SIZE = 4, UNZOMBIE_INSN_ALIGN = 4 };

struct unzombie_regs {
    struct user_regs_struct r;
};

static inline bool unzombie_is_insn(const unsigned char *text)
{
    static const unsigned char svc_0[UNZOMBIE_INSN_SIZE] = {0x01, 0x00, 0x00, 0xd4};
    return memcmp(text, svc_0, sizeof svc_0) == 0;
}

/** Whether the thread enters its call anew as soon as it has REGS back, and signals have to be held off until then. */
#define UNZOMBIE_CALL_IS_REENTERED
static inline bool unzombie_regs_enter(const struct unzombie_regs *regs, const struct unzombie_call *seen)
{
    return regs->r.pc == seen->pc - UNZOMBIE_INSN_SIZE;
}

/* The kernel has forgotten by now that it was in a call; but where it is, and was seen before, tells. */
static inline bool unzombie_regs_in_call(const struct unzombie_regs *regs, const struct unzombie_call *seen)
{
    return regs->r.sp == seen->sp && (regs->r.pc == seen->pc || unzombie_regs_enter(regs, seen));
}

/* Whether C goes on with the rest of its time when it is interrupted: -ERESTART_RESTARTBLOCK in the kernel. */
static inline bool unzombie_call_has_rest(const struct unzombie_call *c)
{
    if (c->number == SYS_clock_nanosleep)
        return (c->args[1] & TIMER_ABSTIME) == 0;
    if (c->number == SYS_futex)
        return (c->args[1] & (unsigned)FUTEX_CMD_MASK) == FUTEX_WAIT && c->args[3] != 0;
    return c->number == SYS_nanosleep || c->number == SYS_restart_syscall;
}

/** Makes REGS what has to be put back, where the thread came out of the call SEEN. */
static inline void unzombie_regs_mend(struct unzombie_regs *regs, const struct unzombie_call *seen)
{
    if (unzombie_regs_enter(regs, seen) && unzombie_call_has_rest(seen))
        regs->r.regs[8] = SYS_restart_syscall;
}

static inline void unzombie_regs_order(struct unzombie_regs *regs, uintptr_t insn, pid_t pid, int options)
{
    regs->r.pc = insn;
    regs->r.regs[8] = SYS_wait4;
    regs->r.regs[0] = (unsigned)pid;
    regs->r.regs[1] = 0;
    regs->r.regs[2] = (unsigned)options;
    regs->r.regs[3] = 0;
}

static inline long unzombie_regs_result(const struct unzombie_regs *regs)
{
    return (long)regs->r.regs[0];
}

#else

enum { UNZOMBIE_HAS_ARCH = false, UNZOMBIE_MACHINE = EM_NONE, UNZOMBIE_INSN_SIZE = 1, UNZOMBIE_INSN_ALIGN = 1 };

struct unzombie_regs {
    unsigned char none;
};

static inline bool unzombie_is_insn(const unsigned char *text)
{
    (void)text;
    return false;
}

static inline bool unzombie_regs_in_call(const struct unzombie_regs *regs, const struct unzombie_call *seen)
{
    (void)regs;
    (void)seen;
    return false;
}

static inline void unzombie_regs_order(struct unzombie_regs *regs, uintptr_t insn, pid_t pid, int options)
{
    (void)regs;
    (void)insn;
    (void)pid;
    (void)options;
}

static inline long unzombie_regs_result(const struct unzombie_regs *regs)
{
    (void)regs;
    return 0;
}

#endif

#ifndef UNZOMBIE_CALL_IS_REENTERED
/* The kernel knows the call to the end, and restarts it by itself. */
static inline bool unzombie_regs_enter(const struct unzombie_regs *regs, const struct unzombie_call *seen)
{
    (void)regs;
    (void)seen;
    return false;
}

static inline void unzombie_regs_mend(struct unzombie_regs *regs, const struct unzombie_call *seen)
{
    (void)regs;
    (void)seen;
}
#endif

#endif
