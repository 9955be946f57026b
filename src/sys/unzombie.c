/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The cure for zombies that a living parent does not wait for. See unzombie.h; how a thread is held and let go is in
 * unzombie_hold.c, which one and whether at all in unzombie_target.c.
 */
#include "sys/unzombie.h"

#include "sys/procfs.h"
#include "sys/sys.h"
#include "sys/sys_ptrace.h"
#include "sys/unzombie_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ptrace.h>

enum {
    RELEASE_US = 10000, /* what a thread may take beyond the budget to its last stop; it is there in a hundredth */
    PID_MIN = 2,        /* 1 is nobody's child, 0 and -1 are others in wait4(2) */
};

/* Levels of /proc/sys/kernel/yama/ptrace_scope. On the one below them an ancestor may trace. */
enum { YAMA_ADMIN_ONLY = 2, YAMA_NOBODY = 3 };

static const char *const texts[UNZOMBIE_VERDICT_N] = {
    [UNZOMBIE_DONE] = "done",
    [UNZOMBIE_LATER] = "the time was up",
    [UNZOMBIE_UNSUPPORTED] = "not supported here",
    [UNZOMBIE_GONE] = "it has ended",
    [UNZOMBIE_TRACED] = "somebody traces it (a debugger?)",
    [UNZOMBIE_SUSPENDED] = "a signal has stopped it",
    [UNZOMBIE_BUSY] = "no thread of it is blocked in a system call",
    [UNZOMBIE_SECCOMP] = "it has more seccomp filters than fosterd",
    [UNZOMBIE_NAMESPACE] = "it is in another pid namespace",
    [UNZOMBIE_FOREIGN] = "it is not a 64-bit program of this processor",
    [UNZOMBIE_REFUSED] = "the kernel does not let us trace it",
    [UNZOMBIE_FAILED] = "tracing it failed",
};

const char *unzombie_verdict_text(enum unzombie_verdict v)
{
    return v < UNZOMBIE_VERDICT_N ? texts[v] : "unknown";
}

/* Whether the kernel's Yama module keeps us from tracing our own descendants. */
static bool is_kept_by_yama(void)
{
    char level = '0';
    uint64_t effective = 0;
    CLEANUP(sys_close_fd) int fd = sys_open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY, 0);
    if (fd < 0 || sys_read(fd, &level, 1) != 1 || level < '0' + YAMA_ADMIN_ONLY)
        return false;
    bool known = procfs_status(sys_getpid(), "CapEff:", 16, &effective);
    return level >= '0' + YAMA_NOBODY || !known || (effective >> CAP_SYS_PTRACE & 1) == 0;
}

int unzombie_probe(void)
{
    if (!UNZOMBIE_HAS_ARCH || sys_access("/proc/self/syscall", F_OK) < 0)
        return ENOSYS;
    /* There is no thread 0; that answer shows that the question was let through. */
    if (sys_ptrace(PTRACE_SEIZE, 0, 0, 0) < 0 && errno != ESRCH)
        return errno;
    return is_kept_by_yama() ? EPERM : 0;
}

enum unzombie_verdict unzombie_outlook(pid_t parent, int *errnum)
{
    struct unzombie_target target;
    *errnum = 0;
    return unzombie_target_choose(parent, &target, errnum);
}

/* Judges what wait4(2) came to. ECHILD: somebody else was quicker. */
static enum unzombie_verdict note(struct unzombie_result *r, pid_t pid, long result)
{
    r->n_tried++;
    r->n_reaped += result == pid;
    if (result >= 0 || result == -ECHILD)
        return UNZOMBIE_DONE;
    r->errnum = (int)-result;
    return UNZOMBIE_FAILED;
}

static enum unzombie_verdict reap(struct unzombie_hold *h, uintptr_t insn, const pid_t *zombies, size_t n,
                                  int64_t deadline_us, struct unzombie_result *r)
{
    enum unzombie_verdict v = UNZOMBIE_DONE;
    for (size_t i = 0; v == UNZOMBIE_DONE && i < n; i++) {
        long result;
        if (sys_now_us() >= deadline_us)
            return UNZOMBIE_LATER;
        v = unzombie_hold_wait4(h, insn, zombies[i], deadline_us, &result, &r->errnum);
        if (v == UNZOMBIE_DONE)
            v = note(r, zombies[i], result);
    }
    return v;
}

static void cure(const struct unzombie_target *t, const pid_t *zombies, size_t n, int64_t deadline_us,
                 struct unzombie_result *r)
{
    uintptr_t insn = 0;
    struct unzombie_hold *h = unzombie_hold_begin(t);
    if (h == NULL) {
        r->errnum = errno;
        r->verdict = unzombie_target_verdict(errno);
        return;
    }
    /* Looked for only now, for the execution of another program would not go unnoticed any more. */
    r->verdict = unzombie_target_insn(t, &insn, &r->errnum);
    int64_t begin_us = sys_now_us();
    if (r->verdict == UNZOMBIE_DONE)
        r->verdict = unzombie_hold_stop(h, deadline_us, &r->errnum);
    if (r->verdict == UNZOMBIE_DONE)
        r->verdict = reap(h, insn, zombies, n, deadline_us, r);
    int64_t release_us = sys_now_us() + RELEASE_US;
    unzombie_hold_end(h, release_us > deadline_us ? release_us : deadline_us);
    r->held_us = sys_now_us() - begin_us;
}

static bool are_pids(const pid_t *pids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (pids[i] < PID_MIN)
            return false;
    }
    return true;
}

void unzombie(pid_t parent, const pid_t *zombies, size_t n, int64_t budget_us, struct unzombie_result *ret)
{
    int64_t deadline_us = sys_now_us() + budget_us;
    struct unzombie_target target;
    sigset_t old;
    *ret = (struct unzombie_result){.verdict = UNZOMBIE_FAILED, .errnum = EINVAL};
    if (parent < PID_MIN || parent == sys_getpid() || n > UNZOMBIE_MAX || !are_pids(zombies, n))
        return;
    ret->errnum = 0;
    if (unzombie_hold_find(parent) != NULL) {
        ret->verdict = UNZOMBIE_LATER;
        return;
    }
    ret->verdict = unzombie_target_choose(parent, &target, &ret->errnum);
    if (ret->verdict != UNZOMBIE_DONE)
        return;
    unzombie_hold_block(&old);
    cure(&target, zombies, n, deadline_us, ret);
    unzombie_hold_unblock(&old);
}
