/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers of the system calls that the daemon makes: one call each, no decisions, EINTR retried where
 * that is right, close-on-exec always. They are the seam of the tests: the linker's --wrap replaces them
 * to let any call fail with any errno.
 *
 * All return what the call returns: -1 with errno set on failure.
 */
#ifndef FOSTER_SYS_SYS_H
#define FOSTER_SYS_SYS_H

#include "base/compiler.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/** open(2) with O_CLOEXEC and O_NOCTTY added. */
int sys_open(const char *path, int flags, mode_t mode) MUST_CHECK NONNULL();
/** openat(2) with O_CLOEXEC and O_NOCTTY added. */
int sys_openat(int dir_fd, const char *path, int flags, mode_t mode) MUST_CHECK NONNULL();
/** close(2); keeps errno. A closed descriptor is gone whatever close says, so there is no result. FD -1 is fine. */
void sys_close(int fd);
/** Closes *FD unless it is -1, and sets it to -1; for the cleanup attribute and for owners. */
void sys_close_fd(int *fd) NONNULL();
ssize_t sys_read(int fd, void *buf, size_t len) MUST_CHECK NONNULL();
ssize_t sys_write(int fd, const void *buf, size_t len) MUST_CHECK NONNULL();
/** pipe2(2) with O_CLOEXEC and FLAGS. */
int sys_pipe(int ret[2], int flags) MUST_CHECK NONNULL();
/** socket(2) with SOCK_CLOEXEC and SOCK_NONBLOCK added. */
int sys_socket(int domain, int type, int protocol) MUST_CHECK;
ssize_t sys_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                   socklen_t to_len) MUST_CHECK NONNULL(2);
int sys_bind(int fd, const struct sockaddr *to, socklen_t to_len) MUST_CHECK NONNULL();
int sys_listen(int fd, int backlog) MUST_CHECK;
/** accept4(2) with SOCK_CLOEXEC and SOCK_NONBLOCK. */
int sys_accept(int fd) MUST_CHECK;
int sys_getsockopt(int fd, int level, int name, void *ret, socklen_t *len) MUST_CHECK NONNULL();
/** TIOCOUTQ (SIOCOUTQ of unix sockets is the same): the memory of what was written to the socket FD and not read yet.
 */
int sys_get_unread(int fd, int *ret) MUST_CHECK NONNULL();
/** epoll_create1(2). */
int sys_epoll_create(void) MUST_CHECK;
/** epoll_ctl(2) of EPOLL_CTL_ADD. */
int sys_epoll_add(int epoll_fd, int fd, uint32_t events) MUST_CHECK;
int sys_fstat(int fd, struct stat *ret) MUST_CHECK NONNULL();
int sys_lstat(const char *path, struct stat *ret) MUST_CHECK NONNULL();
int sys_lchown(const char *path, uid_t uid, gid_t gid) MUST_CHECK NONNULL();
int sys_fchown(int fd, uid_t uid, gid_t gid) MUST_CHECK;
/** faccessat(2) with our effective rights. */
int sys_access(const char *path, int mode) MUST_CHECK NONNULL();
int sys_chmod(const char *path, mode_t mode) MUST_CHECK NONNULL();
/** umask(2): the one before. */
mode_t sys_umask(mode_t mask);
int sys_flock(int fd, int operation) MUST_CHECK;
/** inotify_init1(2), non-blocking. */
int sys_inotify_init(void) MUST_CHECK;
int sys_inotify_add_watch(int fd, const char *path, uint32_t mask) MUST_CHECK NONNULL();
int sys_fcntl(int fd, int cmd, long arg) MUST_CHECK;
int sys_mkdir(const char *path, mode_t mode) MUST_CHECK NONNULL();
int sys_rename(const char *from, const char *to) MUST_CHECK NONNULL();
int sys_unlink(const char *path) MUST_CHECK NONNULL();
/** dup3(2) without close-on-exec. */
int sys_dup3(int from, int to) MUST_CHECK;
/** close_range(2) of FIRST to LAST; ENOSYS before kernel 5.9. */
int sys_close_range(unsigned first, unsigned last) MUST_CHECK;
/** getdents64(2), as the kernel has it: for the child, which must not use opendir(3). */
ssize_t sys_getdents(int dir_fd, void *buf, size_t len) MUST_CHECK NONNULL();
/** chdir(2). */
int sys_chdir(const char *path) MUST_CHECK NONNULL();
/** getcwd(2) as the kernel has it: the text may begin with "(unreachable)". The length with its NUL, or -1. */
ssize_t sys_getcwd(char *buf, size_t size) MUST_CHECK NONNULL();
ssize_t sys_readlink(const char *path, char *buf, size_t size) MUST_CHECK NONNULL();
/** opendir(3), close-on-exec as the C library does it. */
DIR *sys_opendir(const char *path) MUST_CHECK NONNULL();

/** What this kernel, or its seccomp filter, was found to refuse; remembered so that each is tried once. */
struct sys_kernel {
    bool no_clone3;
    bool no_clone_into_cgroup;
    bool no_pidfd;
};
/** The one of this process. */
struct sys_kernel *sys_kernel(void);

/** clone3(2) of a process that shares no memory, with SIGCHLD, CLONE_PIDFD and CLONE_CLEAR_SIGHAND, and with
 * CLONE_INTO_CGROUP of the directory CGROUP_FD unless that is -1. 0 in the child, which may make async-signal-safe
 * calls only, for the C library knows nothing of it. ENOSYS, EPERM or EINVAL where it is unknown; E2BIG or EINVAL
 * before kernel 5.7 where only CLONE_INTO_CGROUP is. */
pid_t sys_clone3(int cgroup_fd, int *ret_pidfd) MUST_CHECK NONNULL();
/** clone3(2) without arguments, which starts nothing: always -1, EINVAL where the call is known. */
int sys_clone3_nothing(void) MUST_CHECK;
/** fork(2). */
pid_t sys_fork(void) MUST_CHECK;
pid_t sys_setsid(void) MUST_CHECK;
/** setpgid(2) of PID (0: ourselves) into the group PGID (0: its own). */
int sys_setpgid(pid_t pid, pid_t pgid) MUST_CHECK;
/** getpgid(2) of PID (0: ourselves). */
pid_t sys_getpgid(pid_t pid) MUST_CHECK;
/** getsid(2) of PID (0: ourselves). */
pid_t sys_getsid(pid_t pid) MUST_CHECK;
/** tcgetpgrp(3): the foreground process group of the terminal FD; ENOTTY where FD is not our controlling terminal. */
pid_t sys_tcgetpgrp(int fd) MUST_CHECK;
/** tcsetpgrp(3). SIGTTOU must be blocked. */
int sys_tcsetpgrp(int fd, pid_t pgid) MUST_CHECK;
/** TIOCSCTTY of ioctl_tty(2): FD becomes our controlling terminal, unless another session has it. */
int sys_take_terminal(int fd) MUST_CHECK;
/** TIOCNOTTY of ioctl_tty(2): gives our controlling terminal FD up. Where we lead the session, its foreground group
 * gets SIGHUP and SIGCONT. */
int sys_drop_terminal(int fd) MUST_CHECK;
/** execve(2): returns only when it fails. */
int sys_execve(const char *path, char *const argv[], char *const envp[]) MUST_CHECK NONNULL();

/** kill(2). A pid below 2 or our own is refused with EINVAL, for no mistake of ours may hit a group, everybody, or
 * PID 1. */
int sys_kill(pid_t pid, int sig) MUST_CHECK;
/** kill(2) of -1: every process of our PID namespace but ourselves. EPERM unless we are its PID 1. */
int sys_kill_everybody(int sig) MUST_CHECK;
/** kill(2) of the process group PGID, which is neither ours nor below 2 (else EINVAL). */
int sys_kill_group(pid_t pgid, int sig) MUST_CHECK;
/** kill(2) of our own process group, ourselves included. */
int sys_kill_own_group(int sig) MUST_CHECK;
/** kill(2) of ourselves. With SIGSTOP it returns when somebody has continued us; at once for PID 1, whom that cannot
 * stop. */
void sys_raise(int sig);
/** pidfd_open(2); ENOSYS before kernel 5.3. */
int sys_pidfd_open(pid_t pid) MUST_CHECK;
/** pidfd_send_signal(2); ENOSYS before kernel 5.1. */
int sys_pidfd_send_signal(int pidfd, int sig) MUST_CHECK;
/** waitid(2) with EINTR retried; *INFO is cleared before, so si_pid is 0 when nothing was found. */
int sys_waitid(idtype_t type, id_t id, siginfo_t *info, int options) MUST_CHECK NONNULL();
/** wait4(2) with EINTR retried. USAGE may be NULL. */
pid_t sys_wait4(pid_t pid, int *ret_wstatus, int options, struct rusage *usage) MUST_CHECK NONNULL(2);
/** signalfd(2) of MASK, new, non-blocking. */
int sys_signalfd(const sigset_t *mask) MUST_CHECK NONNULL();
/** timerfd_create(2) of CLOCK_MONOTONIC, non-blocking. */
int sys_timerfd(void) MUST_CHECK;
/** Fills *RET with every signal there is, also those that sigfillset(3) leaves out. */
void sys_all_signals(sigset_t *ret) NONNULL();
/** sigprocmask(2), also of those signals that the C library keeps for itself. */
int sys_sigprocmask(int how, const sigset_t *set, sigset_t *ret_old) MUST_CHECK;
int sys_sigaction(int sig, const struct sigaction *act, struct sigaction *ret_old) MUST_CHECK;
/** sigpending(2). */
int sys_sigpending(sigset_t *ret) MUST_CHECK NONNULL();
/** Takes a pending blocked signal of SET away without waiting, sigtimedwait(2): its number, or -1 with EAGAIN. */
int sys_take_signal(const sigset_t *set) MUST_CHECK NONNULL();
/** Sets the mask that sys_sigprocmask() gave: that cannot fail. */
void sys_restore_mask(const sigset_t *old) NONNULL();
/** Sets the disposition of SIG to the default, also of those that the C library keeps for itself. */
int sys_signal_default(int sig) MUST_CHECK;
/** The same, to being ignored. */
int sys_signal_ignore(int sig) MUST_CHECK;
/** Whether SIG, also one that the C library keeps for itself, is ignored: 1 or 0. */
int sys_signal_is_ignored(int sig) MUST_CHECK;
/** prctl(PR_SET_CHILD_SUBREAPER); since kernel 3.4. */
int sys_set_subreaper(bool on) MUST_CHECK;
/** prctl(PR_GET_CHILD_SUBREAPER). */
int sys_get_subreaper(int *ret) MUST_CHECK NONNULL();
/** prctl(PR_SET_PDEATHSIG): SIG comes when the thread that is our parent ends; not when it has ended before. */
int sys_set_parent_death_signal(int sig) MUST_CHECK;
/** prlimit(2) reading the RLIMIT RESOURCE of PID (0: ourselves). */
int sys_prlimit_get(pid_t pid, int resource, struct rlimit *ret) MUST_CHECK NONNULL();
int sys_prlimit_set(pid_t pid, int resource, const struct rlimit *lim) MUST_CHECK NONNULL();
pid_t sys_getpid(void);
pid_t sys_getppid(void);
uid_t sys_geteuid(void);
/** getegid(2). */
gid_t sys_getegid(void);
/** uname(2). */
int sys_uname(struct utsname *ret) MUST_CHECK NONNULL();
/** Milliseconds of CLOCK_MONOTONIC. Never fails. */
int64_t sys_now_ms(void);
/** Milliseconds of CLOCK_BOOTTIME, which /proc counts the starts of processes by. Never fails. */
int64_t sys_boot_ms(void);
/** LEN random bytes, getrandom(2); falls back to the clock and pid where that is refused. Never fails. */
void sys_random(void *buf, size_t len) NONNULL();

#endif
