/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One call each.
 */
#include "sys/sys_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_connect(int fd, const struct sockaddr *to, socklen_t to_len)
{
    int r = connect(fd, to, to_len);
    /* Interrupted, it goes on by itself; another call would only say so. */
    if (r < 0 && errno == EINTR)
        errno = EINPROGRESS;
    return r;
}

int sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    return poll(fds, n, timeout_ms);
}

ssize_t sys_sendmsg(int fd, const struct msghdr *msg)
{
    ssize_t n;
    do
        n = sendmsg(fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

ssize_t sys_recvmsg(int fd, struct msghdr *msg)
{
    ssize_t n;
    do
        n = recvmsg(fd, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    return n;
}

int sys_getsockname(int fd, struct sockaddr *ret, socklen_t *len)
{
    return getsockname(fd, ret, len);
}

int sys_get_readable(int fd, int *ret)
{
    return ioctl(fd, FIONREAD, ret);
}

int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return setsockopt(fd, level, name, value, len);
}

int sys_compare_files(int a, int b)
{
    pid_t pid = getpid();
    long r = syscall(SYS_kcmp, pid, pid, KCMP_FILE, (unsigned long)(unsigned)a, (unsigned long)(unsigned)b);
    return r > 0 ? 1 : (int)r;
}

int sys_chown_path(int path_fd, uid_t uid, gid_t gid)
{
    return fchownat(path_fd, "", uid, gid, AT_EMPTY_PATH);
}
