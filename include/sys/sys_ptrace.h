/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers of the system calls that hold another process: see sys.h for their rules.
 */
#ifndef FOSTER_SYS_SYS_PTRACE_H
#define FOSTER_SYS_SYS_PTRACE_H

#include "base/compiler.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** ptrace(2) of thread TID with one of the requests that return nothing but success. ADDR and DATA are what REQUEST
 * takes them for: numbers or addresses. */
int sys_ptrace(int request, pid_t tid, uintptr_t addr, uintptr_t data) MUST_CHECK;
/** PTRACE_GETREGSET of the general registers into REGS of *LEN bytes; *LEN is what there was. */
int sys_ptrace_get_regs(pid_t tid, void *regs, size_t *len) MUST_CHECK NONNULL();
/** PTRACE_SETREGSET of the general registers. */
int sys_ptrace_set_regs(pid_t tid, void *regs, size_t len) MUST_CHECK NONNULL();
/** process_vm_readv(2) of LEN bytes at ADDR of process PID. How many were there, or -1. */
ssize_t sys_read_process(pid_t pid, uintptr_t addr, void *buf, size_t len) MUST_CHECK NONNULL();
/** Takes a blocked signal of SET away as soon as one is pending, within TIMEOUT_US microseconds; sigtimedwait(2). Its
 * number, or -1: EAGAIN when the time is up, EINTR. */
int sys_await_signal(const sigset_t *set, int64_t timeout_us) MUST_CHECK NONNULL();
/** Microseconds of CLOCK_MONOTONIC. Never fails. */
int64_t sys_now_us(void);

#endif
