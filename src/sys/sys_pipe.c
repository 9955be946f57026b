/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 */
#include "sys/sys_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t sys_splice(int from_fd, int to_fd, size_t len)
{
    ssize_t n;
    do
        n = splice(from_fd, NULL, to_fd, NULL, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sys_readv(int fd, const struct iovec *iov, int n)
{
    ssize_t got;
    do
        got = readv(fd, iov, n);
    while (got < 0 && errno == EINTR);
    return got;
}

int sys_pipe_resize(int fd, int size)
{
    return fcntl(fd, F_SETPIPE_SZ, size);
}

int sys_pipe_size(int fd)
{
    return fcntl(fd, F_GETPIPE_SZ);
}

int sys_memfd(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC);
}

int sys_ftruncate(int fd, off_t size)
{
    return ftruncate(fd, size);
}

static void *map(void *address, size_t len, int prot, int flags, int fd, off_t offset)
{
    void *p = mmap(address, len, prot, flags, fd, offset);
    return p == MAP_FAILED ? NULL : p;
}

void *sys_map_shared(void *address, size_t len, int fd, off_t offset)
{
    return map(address, len, PROT_READ | PROT_WRITE,
               MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0) | (address != NULL ? MAP_FIXED : 0), fd, offset);
}

void *sys_map_nothing(size_t len)
{
    return map(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void sys_unmap(void *address, size_t len)
{
    int failed = munmap(address, len);
    (void)failed;
}

int sys_map_inherit(void *address, size_t len, bool inherit)
{
    return madvise(address, len, inherit ? MADV_DOFORK : MADV_DONTFORK);
}

int sys_packet_pair(int ret[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret);
}

int sys_set_name(const char *name)
{
    return prctl(PR_SET_NAME, (uintptr_t)name, 0, 0, 0);
}

int sys_set_timer_slack(unsigned long ns)
{
    return prctl(PR_SET_TIMERSLACK, ns, 0, 0, 0);
}
