/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The system calls that the daemon makes, one a function. No function here calls another of this file:
 * the tests replace them by name, which the linker can only do across files.
 */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Kernel headers may be older than the kernel. These numbers are the same on all architectures we build for. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* Evaluates CALL until it is not interrupted. */
#define RETRY(result, call)                                                                                            \
    do {                                                                                                               \
        (result) = (call);                                                                                             \
    } while ((result) == -1 && errno == EINTR)

int sys_open(const char *path, int flags, mode_t mode)
{
    int fd;
    RETRY(fd, open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
    return fd;
}

int sys_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    int fd;
    RETRY(fd, openat(dir_fd, path, flags | O_CLOEXEC | O_NOCTTY, mode));
    return fd;
}

void sys_close(int fd)
{
    if (fd < 0)
        return;
    int saved = errno;
    close(fd);
    errno = saved;
}

void sys_close_fd(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
    *fd = -1;
}

ssize_t sys_read(int fd, void *buf, size_t len)
{
    ssize_t n;
    RETRY(n, read(fd, buf, len));
    return n;
}

ssize_t sys_write(int fd, const void *buf, size_t len)
{
    ssize_t n;
    RETRY(n, write(fd, buf, len));
    return n;
}

int sys_pipe(int ret[2], int flags)
{
    return pipe2(ret, flags | O_CLOEXEC);
}

int sys_socket(int domain, int type, int protocol)
{
    return socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

ssize_t sys_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
    ssize_t n;
    RETRY(n, sendto(fd, buf, len, flags, to, to_len));
    return n;
}

int sys_bind(int fd, const struct sockaddr *to, socklen_t to_len)
{
    return bind(fd, to, to_len);
}

int sys_listen(int fd, int backlog)
{
    return listen(fd, backlog);
}

int sys_accept(int fd)
{
    int r;
    RETRY(r, accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    return r;
}

int sys_getsockopt(int fd, int level, int name, void *ret, socklen_t *len)
{
    return getsockopt(fd, level, name, ret, len);
}

int sys_get_unread(int fd, int *ret)
{
    return ioctl(fd, TIOCOUTQ, ret);
}

int sys_epoll_create(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

int sys_epoll_add(int epoll_fd, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.fd = fd};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

int sys_fstat(int fd, struct stat *ret)
{
    return fstat(fd, ret);
}

int sys_lstat(const char *path, struct stat *ret)
{
    return lstat(path, ret);
}

int sys_lchown(const char *path, uid_t uid, gid_t gid)
{
    return lchown(path, uid, gid);
}

int sys_fchown(int fd, uid_t uid, gid_t gid)
{
    return fchown(fd, uid, gid);
}

int sys_access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}

int sys_chmod(const char *path, mode_t mode)
{
    return chmod(path, mode);
}

mode_t sys_umask(mode_t mask)
{
    return umask(mask);
}

int sys_flock(int fd, int operation)
{
    int r;
    RETRY(r, flock(fd, operation));
    return r;
}

int sys_inotify_init(void)
{
    return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

int sys_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return inotify_add_watch(fd, path, mask);
}

int sys_fcntl(int fd, int cmd, long arg)
{
    return fcntl(fd, cmd, arg);
}

int sys_mkdir(const char *path, mode_t mode)
{
    return mkdir(path, mode);
}

int sys_rename(const char *from, const char *to)
{
    return rename(from, to);
}

int sys_unlink(const char *path)
{
    return unlink(path);
}

int sys_dup3(int from, int to)
{
    int r;
    RETRY(r, dup3(from, to, 0));
    return r;
}

int sys_close_range(unsigned first, unsigned last)
{
    return (int)syscall(SYS_close_range, first, last, 0U);
}

ssize_t sys_getdents(int dir_fd, void *buf, size_t len)
{
    return syscall(SYS_getdents64, dir_fd, buf, len);
}

int sys_chdir(const char *path)
{
    return chdir(path);
}

ssize_t sys_getcwd(char *buf, size_t size)
{
    return syscall(SYS_getcwd, buf, size);
}

ssize_t sys_readlink(const char *path, char *buf, size_t size)
{
    return readlink(path, buf, size);
}

DIR *sys_opendir(const char *path)
{
    return opendir(path);
}

struct sys_kernel *sys_kernel(void)
{
    static struct sys_kernel kernel;
    return &kernel;
}

pid_t sys_clone3(int cgroup_fd, int *ret_pidfd)
{
    /* struct clone_args, spelt out because the C library may not have it. The first kernels that had it know of no more
     * than FIRST_SIZE bytes. */
    enum { FIRST_SIZE = 64 };
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
        uint64_t set_tid, set_tid_size, cgroup;
    } args = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        .exit_signal = SIGCHLD,
    };
    if (cgroup_fd < 0)
        return (pid_t)syscall(SYS_clone3, &args, (size_t)FIRST_SIZE);
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)cgroup_fd;
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

int sys_clone3_nothing(void)
{
    return (int)syscall(SYS_clone3, NULL, (size_t)0);
}

pid_t sys_fork(void)
{
    return fork();
}

pid_t sys_setsid(void)
{
    return setsid();
}

int sys_setpgid(pid_t pid, pid_t pgid)
{
    return setpgid(pid, pgid);
}

pid_t sys_getpgid(pid_t pid)
{
    return getpgid(pid);
}

pid_t sys_getsid(pid_t pid)
{
    return getsid(pid);
}

pid_t sys_tcgetpgrp(int fd)
{
    return tcgetpgrp(fd);
}

int sys_tcsetpgrp(int fd, pid_t pgid)
{
    return tcsetpgrp(fd, pgid);
}

int sys_take_terminal(int fd)
{
    /* The argument 1 would let root steal it from another session. */
    return ioctl(fd, TIOCSCTTY, 0);
}

int sys_drop_terminal(int fd)
{
    return ioctl(fd, TIOCNOTTY);
}

int sys_execve(const char *path, char *const argv[], char *const envp[])
{
    return execve(path, argv, envp);
}

int sys_kill(pid_t pid, int sig)
{
    if (pid < 2 || pid == getpid()) {
        errno = EINVAL;
        return -1;
    }
    return kill(pid, sig);
}

int sys_kill_everybody(int sig)
{
    if (getpid() != 1) {
        errno = EPERM;
        return -1;
    }
    return kill(-1, sig);
}

int sys_kill_group(pid_t pgid, int sig)
{
    if (pgid < 2 || pgid == getpgrp()) {
        errno = EINVAL;
        return -1;
    }
    return kill(-pgid, sig);
}

int sys_kill_own_group(int sig)
{
    return kill(0, sig);
}

void sys_raise(int sig)
{
    kill(getpid(), sig);
}

int sys_pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0U);
}

int sys_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    int r;
    memset(info, 0, sizeof *info);
    RETRY(r, waitid(type, id, info, options));
    return r;
}

pid_t sys_wait4(pid_t pid, int *ret_wstatus, int options, struct rusage *usage)
{
    pid_t r;
    RETRY(r, wait4(pid, ret_wstatus, options, usage));
    return r;
}

int sys_signalfd(const sigset_t *mask)
{
    return signalfd(-1, mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

int sys_timerfd(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

int sys_sigaction(int sig, const struct sigaction *act, struct sigaction *ret_old)
{
    return sigaction(sig, act, ret_old);
}

int sys_sigpending(sigset_t *ret)
{
    return sigpending(ret);
}

int sys_take_signal(const sigset_t *set)
{
    const struct timespec at_once = {0};
    return sigtimedwait(set, NULL, &at_once);
}

/* The C libraries keep the first real-time signals for their threads: they leave them out of every mask that they set
 * and refuse to change their dispositions. A process that has no threads but has to hand on what it was given must not,
 * so these go to the kernel by number. Its sets are the first words of a sigset_t. */
enum { KERNEL_SIGSET_SIZE = _NSIG / 8 };

void sys_all_signals(sigset_t *ret)
{
    memset(ret, 0xff, sizeof *ret);
}

int sys_sigprocmask(int how, const sigset_t *set, sigset_t *ret_old)
{
    if (ret_old != NULL)
        sigemptyset(ret_old);
    return (int)syscall(SYS_rt_sigprocmask, how, set, ret_old, (size_t)KERNEL_SIGSET_SIZE);
}

void sys_restore_mask(const sigset_t *old)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, (size_t)KERNEL_SIGSET_SIZE);
}

/* The kernel's own struct sigaction: what follows the handler differs between architectures, and is zero for all that
 * we set. */
struct kernel_sigaction {
    void (*handler)(int);
    unsigned long rest[7];
};

int sys_signal_default(int sig)
{
    const struct kernel_sigaction act = {.handler = SIG_DFL};
    return (int)syscall(SYS_rt_sigaction, sig, &act, NULL, (size_t)KERNEL_SIGSET_SIZE);
}

int sys_signal_ignore(int sig)
{
    const struct kernel_sigaction act = {.handler = SIG_IGN};
    return (int)syscall(SYS_rt_sigaction, sig, &act, NULL, (size_t)KERNEL_SIGSET_SIZE);
}

int sys_signal_is_ignored(int sig)
{
    struct kernel_sigaction act = {0};
    if (syscall(SYS_rt_sigaction, sig, NULL, &act, (size_t)KERNEL_SIGSET_SIZE) != 0)
        return -1;
    return act.handler == SIG_IGN;
}

int sys_set_subreaper(bool on)
{
    return prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)on, 0UL, 0UL, 0UL);
}

int sys_get_subreaper(int *ret)
{
    return prctl(PR_GET_CHILD_SUBREAPER, ret, 0UL, 0UL, 0UL);
}

int sys_set_parent_death_signal(int sig)
{
    return prctl(PR_SET_PDEATHSIG, (unsigned long)sig, 0UL, 0UL, 0UL);
}

/* The C libraries do not agree on the type of prlimit's resource, so it is called by number; with _FILE_OFFSET_BITS
 * of 64 a struct rlimit is the kernel's struct rlimit64. */
_Static_assert(sizeof(struct rlimit) == 16, "struct rlimit has 64-bit members");

int sys_prlimit_get(pid_t pid, int resource, struct rlimit *ret)
{
    return (int)syscall(SYS_prlimit64, pid, resource, NULL, ret);
}

int sys_prlimit_set(pid_t pid, int resource, const struct rlimit *lim)
{
    return (int)syscall(SYS_prlimit64, pid, resource, lim, NULL);
}

pid_t sys_getpid(void)
{
    return getpid();
}

pid_t sys_getppid(void)
{
    return getppid();
}

uid_t sys_geteuid(void)
{
    return geteuid();
}

gid_t sys_getegid(void)
{
    return getegid();
}

int sys_uname(struct utsname *ret)
{
    return uname(ret);
}

int64_t sys_now_ms(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t sys_boot_ms(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sys_random(void *buf, size_t len)
{
    unsigned char *out = buf;
    size_t done = 0;
    while (done < len) {
        /* Not blocking: early at boot there may be no entropy yet, and nothing here is a secret. */
        ssize_t n = getrandom(out + done, len - done, GRND_NONBLOCK);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t x = ((uint64_t)now.tv_sec << 30) ^ (uint64_t)now.tv_nsec ^ ((uint64_t)getpid() << 40);
    for (; done < len; done++) {
        /* splitmix64 */
        x += 0x9e3779b97f4a7c15ULL;
        uint64_t z = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        out[done] = (unsigned char)(z >> 56);
    }
}
