/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What runs between fork and exec, one function a step.
 *
 * BUGS: this code must stay async-signal-safe and must not touch what the C library keeps about the process: after
 * clone3(2) the library does not know that it is in another process. So no allocation, no stdio, no locale, no
 * getcwd(3) or opendir(3); only the stack, the plan and plain system calls.
 */
#include "sys/child.h"

#include "sys/spawn.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FIRST_FREE_FD = 3,      /* the lowest descriptor that is not standard */
    CLOSE_LOOP_MAX = 65536, /* how far descriptors are closed blindly */
};

static bool step_session(struct child_plan *plan UNUSED)
{
    return sys_setsid() != -1;
}

static bool step_tag(struct child_plan *plan)
{
    if (plan->tag == 0)
        return true;
    const struct rlimit limit = {.rlim_cur = plan->tag, .rlim_max = plan->tag};
    return sys_prlimit_set(0, RLIMIT_LOCKS, &limit) == 0;
}

static bool step_umask(struct child_plan *plan)
{
    if (plan->umask >= 0)
        umask((mode_t)plan->umask);
    return true;
}

/* Moves *FD away from 0, 1 and 2, where it would be overwritten; the old one stays open. */
static bool move_up(int *fd)
{
    int moved = sys_fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (moved == -1)
        return false;
    *fd = moved;
    return true;
}

/* Makes SOURCE, or /dev/null, the descriptor TARGET, to be kept over exec. */
static bool place(int source, int target)
{
    int fd = source;
    if (source < 0) {
        fd = sys_open("/dev/null", target == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
        if (fd == -1)
            return false;
    }
    if (fd == target)
        return sys_fcntl(fd, F_SETFD, 0) == 0;
    /* What is left at FD is closed with all the others. */
    return sys_dup3(fd, target) != -1;
}

static bool step_stdio(struct child_plan *plan)
{
    if (plan->status_fd < FIRST_FREE_FD && !move_up(&plan->status_fd))
        return false;
    for (int i = 0; i < 3; i++) {
        int *fd = &plan->stdio[i];
        if (*fd >= 0 && *fd < FIRST_FREE_FD && *fd != i && !move_up(fd))
            return false;
    }
    for (int i = 0; i < 3; i++) {
        if (!place(plan->stdio[i], i))
            return false;
    }
    return true;
}

/* The number that NAME is, or -1. */
static int fd_of_name(const char *name)
{
    int fd = 0;
    if (*name == '\0')
        return -1;
    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9' || fd > (INT_MAX - 9) / 10)
            return -1;
        fd = fd * 10 + (*name - '0');
    }
    return fd;
}

/* Closes what /proc lists, without opendir(3). False when there is no /proc. */
static bool close_listed(int keep)
{
    /* struct linux_dirent64 of getdents64(2) */
    enum { LENGTH_AT = 16, NAME_AT = 19 };
    _Alignas(uint64_t) char buf[2048];
    ssize_t n;

    int dir = sys_open("/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
    if (dir == -1)
        return false;
    while ((n = sys_getdents(dir, buf, sizeof buf)) > 0) {
        uint16_t length;
        for (ssize_t at = 0; at < n; at += length) {
            memcpy(&length, buf + at + LENGTH_AT, sizeof length);
            int fd = fd_of_name(buf + at + NAME_AT);
            if (fd >= FIRST_FREE_FD && fd != keep && fd != dir)
                sys_close(fd);
        }
    }
    sys_close(dir);
    return n == 0;
}

/* The last resort: every descriptor that can be open under the present limit, up to a bound. */
static bool close_blindly(int keep)
{
    struct rlimit limit;
    if (sys_prlimit_get(0, RLIMIT_NOFILE, &limit) != 0)
        return false;
    int end = limit.rlim_cur < CLOSE_LOOP_MAX ? (int)limit.rlim_cur : CLOSE_LOOP_MAX;
    for (int fd = FIRST_FREE_FD; fd < end; fd++) {
        if (fd != keep)
            sys_close(fd);
    }
    return true;
}

/* Really closed, not only marked: a left-over directory must not be reachable as /proc/self/fd/N by the step after. */
static bool step_close(struct child_plan *plan)
{
    unsigned keep = (unsigned)plan->status_fd;
    if ((keep == FIRST_FREE_FD || sys_close_range(FIRST_FREE_FD, keep - 1) == 0) &&
        sys_close_range(keep + 1, UINT_MAX) == 0)
        return true;
    return close_listed(plan->status_fd) || close_blindly(plan->status_fd);
}

static bool step_limits(struct child_plan *plan)
{
    return plan->nofile == NULL || sys_prlimit_set(0, RLIMIT_NOFILE, plan->nofile) == 0;
}

static bool step_working_dir(struct child_plan *plan)
{
    if (plan->working_dir == NULL)
        return true;
    char cwd[PATH_MAX];
    if (sys_chdir(plan->working_dir) != 0 || sys_getcwd(cwd, sizeof cwd) == -1)
        return false;
    if (cwd[0] != '/') {
        /* "(unreachable)…": outside of our root */
        errno = ENOENT;
        return false;
    }
    return true;
}

static bool step_signals(struct child_plan *plan UNUSED)
{
    for (int sig = 1; sig < _NSIG; sig++) {
        if (sig != SIGKILL && sig != SIGSTOP && sys_signal_default(sig) != 0)
            return false;
    }
    sigset_t none;
    sigemptyset(&none);
    return sys_sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* As execvp(3) looks, but a text file is never handed to a shell. */
static bool step_exec(struct child_plan *plan)
{
    bool denied = false;
    for (size_t i = 0; plan->programs[i] != NULL; i++) {
        int r = sys_execve(plan->programs[i], plan->argv, plan->envp);
        if (r == -1 && errno == EACCES)
            denied = true;
        else if (errno != ENOENT && errno != ENOTDIR)
            return false;
    }
    if (denied)
        errno = EACCES;
    else if (plan->programs[1] != NULL)
        errno = ENOENT; /* a path element that is no directory is no news about the program */
    return false;
}

static bool (*const steps[])(struct child_plan *) = {
    [SPAWN_STEP_SESSION] = step_session,
    [SPAWN_STEP_TAG] = step_tag,
    [SPAWN_STEP_UMASK] = step_umask,
    [SPAWN_STEP_STDIO] = step_stdio,
    [SPAWN_STEP_CLOSE] = step_close,
    [SPAWN_STEP_LIMITS] = step_limits,
    [SPAWN_STEP_WORKING_DIR] = step_working_dir,
    [SPAWN_STEP_SIGNALS] = step_signals,
    [SPAWN_STEP_EXEC] = step_exec,
};
_Static_assert(ARRAY_LEN(steps) == SPAWN_STEP_N, "every step has its function");

_Noreturn void child_run(struct child_plan *plan)
{
    enum spawn_step step = SPAWN_STEP_SESSION;
    while (step < SPAWN_STEP_EXEC && steps[step](plan))
        step++;
    if (step == SPAWN_STEP_EXEC)
        steps[step](plan);

    struct spawn_failure failure = {.step = step, .errnum = errno};
    ssize_t told = sys_write(plan->status_fd, &failure, sizeof failure);
    /* Should that fail, the exit status below is all that the parent learns. */
    (void)told;
    _exit(step == SPAWN_STEP_EXEC && failure.errnum == ENOENT ? 127 : 126);
}
