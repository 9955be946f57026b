/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The system calls that hold another process, one a function. See sys_ptrace.h.
 */
#include "sys/sys_ptrace.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* By number, for the C libraries disagree on the type of the request and on what they make of the arguments. */
int sys_ptrace(int request, pid_t tid, uintptr_t addr, uintptr_t data)
{
    return (int)syscall(SYS_ptrace, (long)request, (long)tid, addr, data);
}

int sys_ptrace_get_regs(pid_t tid, void *regs, size_t *len)
{
    struct iovec io = {.iov_base = regs, .iov_len = *len};
    int r = (int)syscall(SYS_ptrace, (long)PTRACE_GETREGSET, (long)tid, (long)NT_PRSTATUS, &io);
    if (r == 0)
        *len = io.iov_len;
    return r;
}

int sys_ptrace_set_regs(pid_t tid, void *regs, size_t len)
{
    struct iovec io = {.iov_base = regs, .iov_len = len};
    return (int)syscall(SYS_ptrace, (long)PTRACE_SETREGSET, (long)tid, (long)NT_PRSTATUS, &io);
}

ssize_t sys_read_process(pid_t pid, uintptr_t addr, void *buf, size_t len)
{
    struct iovec here = {.iov_base = buf, .iov_len = len};
    struct iovec there = {.iov_base = (void *)addr, .iov_len = len};
    return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

int sys_await_signal(const sigset_t *set, int64_t timeout_us)
{
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
                                     .tv_nsec = (long)(timeout_us % 1000000) * 1000};
    return sigtimedwait(set, NULL, &timeout);
}

int64_t sys_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
