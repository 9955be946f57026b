/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers of the system calls that move bytes between descriptors and memory, as in sys.h.
 */
#ifndef FOSTER_SYS_SYS_PIPE_H
#define FOSTER_SYS_SYS_PIPE_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/** splice(2) of up to LEN bytes from one descriptor to the other, without waiting for a pipe. */
ssize_t sys_splice(int from_fd, int to_fd, size_t len) MUST_CHECK;
/** readv(2). */
ssize_t sys_readv(int fd, const struct iovec *iov, int n) MUST_CHECK NONNULL();
/** F_SETPIPE_SZ of fcntl(2): the capacity it has now. EPERM above the limits of pipe(7). */
int sys_pipe_resize(int fd, int size) MUST_CHECK;
/** F_GETPIPE_SZ of fcntl(2). */
int sys_pipe_size(int fd) MUST_CHECK;
/** memfd_create(2), close-on-exec; ENOSYS before kernel 3.17. */
int sys_memfd(const char *name) MUST_CHECK NONNULL();
/** ftruncate(2). */
int sys_ftruncate(int fd, off_t size) MUST_CHECK;
/** mmap(2) of LEN bytes of FD (-1: of no file) from OFFSET on, for reading and writing, shared. ADDRESS NULL: anywhere;
 * else exactly there, in place of what was. NULL with errno. */
void *sys_map_shared(void *address, size_t len, int fd, off_t offset) MUST_CHECK;
/** mmap(2) of LEN bytes of address space without memory. NULL with errno. */
void *sys_map_nothing(size_t len) MUST_CHECK;
/** munmap(2). */
void sys_unmap(void *address, size_t len);
/** madvise(2) of MADV_DOFORK or MADV_DONTFORK. */
int sys_map_inherit(void *address, size_t len, bool inherit) MUST_CHECK NONNULL();
/** socketpair(2) of AF_UNIX and SOCK_SEQPACKET, close-on-exec, non-blocking. */
int sys_packet_pair(int ret[2]) MUST_CHECK NONNULL();
/** prctl(2) of PR_SET_NAME: the first 15 bytes of NAME. */
int sys_set_name(const char *name) MUST_CHECK NONNULL();
/** prctl(2) of PR_SET_TIMERSLACK: how late, in nanoseconds, sleeps of this thread may end; 50,000 by themselves. */
int sys_set_timer_slack(unsigned long ns) MUST_CHECK;

#endif
