/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What runs between fork and exec, one function a step; those that change ids and capabilities are in child_cred.c.
 *
 * BUGS: this code must stay async-signal-safe and must not touch what the C library keeps about the process: after
 * clone3(2) the library does not know that it is in another process. So no allocation, no stdio, no locale, no
 * getcwd(3) or opendir(3); only the stack, the plan and plain system calls.
 */
#include "sys/child.h"

#include "sys/fds.h"
#include "sys/sys.h"
#include "sys/sys_cred.h"

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

/* Writing to cgroup.procs moves whoever "0" is to the writer. */
static bool join(int procs_fd)
{
    return sys_write(procs_fd, "0", 1) == 1;
}

static bool step_cgroup(struct child_plan *plan)
{
    const struct spawn_cgroups *cgroups = plan->req->cgroups;
    if (cgroups == NULL)
        return true;
    if (!plan->born_in_cgroup && cgroups->v2_procs_fd >= 0 && !join(cgroups->v2_procs_fd))
        return false;
    for (size_t i = 0; i < cgroups->n_procs_fds; i++) {
        if (!join(cgroups->procs_fds[i])) {
            plan->detail = (int)i;
            return false;
        }
    }
    return true;
}

static bool new_session(const struct spawn_request *req)
{
    if (sys_setsid() == -1)
        return false;
    if (req->take_terminal && req->stdio[0] >= 0) {
        int taken = sys_take_terminal(req->stdio[0]);
        /* It need not be a terminal, and may be somebody else's. */
        (void)taken;
    }
    return true;
}

static bool new_group(const struct spawn_request *req)
{
    if (sys_setpgid(0, 0) != 0)
        return false;
    if (req->foreground) {
        int given = sys_tcsetpgrp(req->terminal_fd, sys_getpid());
        /* The program may do without; the parent can see whether it was given. */
        (void)given;
    }
    return true;
}

static bool step_session(struct child_plan *plan)
{
    switch (plan->req->session) {
    case SPAWN_SESSION_NEW:
        return new_session(plan->req);
    case SPAWN_SESSION_GROUP:
        return new_group(plan->req);
    case SPAWN_SESSION_SAME:
        break;
    }
    return true;
}

static bool step_tag(struct child_plan *plan)
{
    if (plan->req->tag == 0)
        return true;
    const struct rlimit limit = {.rlim_cur = plan->req->tag, .rlim_max = plan->req->tag};
    return sys_prlimit_set(0, RLIMIT_LOCKS, &limit) == 0;
}

/* Sets number AT of the limits. */
static bool set_limit(struct child_plan *plan, size_t at)
{
    const struct spawn_limit *limit = &plan->req->limits[at];
    if (sys_prlimit_set(0, limit->resource, &limit->limit) == 0)
        return true;
    plan->detail = (int)at;
    return false;
}

static bool step_limits(struct child_plan *plan)
{
    for (size_t i = 0; i < plan->req->n_limits; i++) {
        if (plan->req->limits[i].resource != RLIMIT_NOFILE && !set_limit(plan, i))
            return false;
    }
    return true;
}

static bool step_nice(struct child_plan *plan)
{
    return plan->req->nice == NULL || sys_set_nice(*plan->req->nice) == 0;
}

static bool step_oom_score_adj(struct child_plan *plan)
{
    size_t len = strlen(plan->oom_score_adj);
    if (len == 0)
        return true;
    int fd = sys_open("/proc/self/oom_score_adj", O_WRONLY, 0);
    if (fd == -1)
        return false;
    bool ok = sys_write(fd, plan->oom_score_adj, len) == (ssize_t)len;
    sys_close(fd);
    return ok;
}

static bool step_umask(struct child_plan *plan)
{
    if (plan->req->umask >= 0)
        umask((mode_t)plan->req->umask);
    return true;
}

static bool is_given_number(const struct spawn_request *req, int fd)
{
    for (size_t i = 0; i < req->n_fds; i++)
        if (req->fds[i].number == fd)
            return true;
    return false;
}

/* Moves *FD to where nothing will overwrite it; the old one stays open. */
static bool move_up(const struct spawn_request *req, int *fd)
{
    int moved = FDS_FIRST_FREE - 1;
    do {
        /* One that will be overwritten itself stays open, and out of the way of the next. */
        moved = sys_fcntl(*fd, F_DUPFD_CLOEXEC, moved + 1);
        if (moved == -1)
            return false;
    } while (is_given_number(req, moved));
    *fd = moved;
    return true;
}

/* Makes SOURCE, or /dev/null, the descriptor TARGET, to be kept over exec. */
static bool place(int source, int target)
{
    int fd = source;
    if (source == SPAWN_FD_NULL) {
        fd = sys_open("/dev/null", target == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
        if (fd == -1)
            return false;
    }
    if (fd == target)
        return sys_fcntl(fd, F_SETFD, 0) == 0;
    /* What is left at FD is closed with all the others. */
    return sys_dup3(fd, target) != -1;
}

/* Whatever has a number that is to become another's makes way before any of them is put in place. */
static bool clear_numbers(struct child_plan *plan)
{
    const struct spawn_request *req = plan->req;
    if (is_given_number(req, plan->status_fd) && !move_up(req, &plan->status_fd))
        return false;
    for (int i = 0; i < 3; i++)
        if (is_given_number(req, plan->stdio[i]) && !move_up(req, &plan->stdio[i]))
            return false;
    for (size_t i = 0; i < req->n_fds; i++) {
        plan->detail = (int)i;
        plan->fds[i] = req->fds[i].fd;
        if (plan->fds[i] != req->fds[i].number && is_given_number(req, plan->fds[i]) && !move_up(req, &plan->fds[i]))
            return false;
    }
    plan->detail = SPAWN_NO_DETAIL;
    return true;
}

/* Before the standard ones: what is at 0 to 2 now may be among the sources. */
static bool step_fds(struct child_plan *plan)
{
    if (!clear_numbers(plan))
        return false;
    for (size_t i = 0; i < plan->req->n_fds; i++) {
        plan->detail = (int)i;
        if (!place(plan->fds[i], plan->req->fds[i].number))
            return false;
    }
    plan->detail = SPAWN_NO_DETAIL;
    return true;
}

static bool step_stdio(struct child_plan *plan)
{
    const struct spawn_request *req = plan->req;
    if (plan->status_fd < FDS_FIRST_FREE && !move_up(req, &plan->status_fd))
        return false;
    for (int i = 0; i < 3; i++) {
        int *fd = &plan->stdio[i];
        if (*fd >= 0 && *fd < FDS_FIRST_FREE && *fd != i && !move_up(req, fd))
            return false;
    }
    for (int i = 0; i < 3; i++) {
        if (plan->stdio[i] != SPAWN_FD_CLOSED && !place(plan->stdio[i], i))
            return false;
    }
    /* Last, for what place() opens takes the lowest number that is free. */
    for (int i = 0; i < 3; i++) {
        if (plan->stdio[i] == SPAWN_FD_CLOSED)
            sys_close(i);
    }
    return true;
}

/* Really closed, not only marked: a left-over directory must not be reachable as /proc/self/fd/N by the step after. */
static bool step_close(struct child_plan *plan)
{
    const struct spawn_request *req = plan->req;
    for (size_t i = 0; i < req->n_fds; i++)
        plan->kept[i] = req->fds[i].number;
    plan->kept[req->n_fds] = plan->status_fd;
    return req->keep_fds || fds_close_all(plan->kept, req->n_fds + 1);
}

/* Behind the closing: with a limit below the descriptors that we hold none could be moved any more. From here on no
 * step needs one. */
static bool step_nofile(struct child_plan *plan)
{
    for (size_t i = 0; i < plan->req->n_limits; i++) {
        if (plan->req->limits[i].resource == RLIMIT_NOFILE)
            return set_limit(plan, i);
    }
    return plan->req->nofile == NULL || sys_prlimit_set(0, RLIMIT_NOFILE, plan->req->nofile) == 0;
}

static bool step_working_dir(struct child_plan *plan)
{
    if (plan->req->working_dir == NULL)
        return true;
    char cwd[PATH_MAX];
    if (sys_chdir(plan->req->working_dir) != 0 || sys_getcwd(cwd, sizeof cwd) == -1)
        return false;
    if (cwd[0] != '/') {
        /* "(unreachable)…": outside of our root */
        errno = ENOENT;
        return false;
    }
    return true;
}

static bool step_signals(struct child_plan *plan)
{
    const struct inherited_signals *given = plan->req->signals;
    for (int sig = 1; sig < _NSIG; sig++) {
        if (sig == SIGKILL || sig == SIGSTOP)
            continue;
        bool ignore = given != NULL && sigismember(&given->ignored, sig) == 1;
        if ((ignore ? sys_signal_ignore(sig) : sys_signal_default(sig)) != 0)
            return false;
    }
    sigset_t none;
    sigemptyset(&none);
    return sys_sigprocmask(SIG_SETMASK, given != NULL ? &given->mask : &none, NULL) == 0;
}

/* Enters our pid wherever the environment is to tell it. */
static void write_pid(char *const *slots)
{
    char text[SPAWN_PID_ROOM] = "";
    size_t at = sizeof text - 1;
    for (pid_t rest = sys_getpid(); rest > 0; rest /= 10)
        text[--at] = (char)('0' + rest % 10);
    for (; *slots != NULL; slots++)
        memcpy(*slots, text + at, sizeof text - at);
}

/* Executes PROGRAM, or has the shell read it when it is nothing that the kernel knows. Returns only when that fails. */
static int try_exec(struct child_plan *plan, char *program)
{
    int r = sys_execve(program, plan->req->argv, plan->req->envp);
    if (r == -1 && errno == ENOEXEC && plan->script_argv != NULL) {
        plan->script_argv[1] = program;
        r = sys_execve(plan->script_argv[0], plan->script_argv, plan->req->envp);
    }
    return r;
}

/* As execvp(3) looks. */
static bool step_exec(struct child_plan *plan)
{
    bool denied = false;
    if (plan->req->pid_slots != NULL)
        write_pid(plan->req->pid_slots);
    for (size_t i = 0; i < plan->req->n_pids; i++)
        *plan->req->pids[i] = sys_getpid();
    for (size_t i = 0; plan->programs[i] != NULL; i++) {
        int r = try_exec(plan, plan->programs[i]);
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
    [SPAWN_STEP_CGROUP] = step_cgroup,
    [SPAWN_STEP_SESSION] = step_session,
    [SPAWN_STEP_TAG] = step_tag,
    [SPAWN_STEP_LIMITS] = step_limits,
    [SPAWN_STEP_NICE] = step_nice,
    [SPAWN_STEP_OOM_SCORE_ADJ] = step_oom_score_adj,
    [SPAWN_STEP_UMASK] = step_umask,
    [SPAWN_STEP_FDS] = step_fds,
    [SPAWN_STEP_STDIO] = step_stdio,
    [SPAWN_STEP_CLOSE] = step_close,
    [SPAWN_STEP_NOFILE] = step_nofile,
    [SPAWN_STEP_BOUNDING] = child_bounding,
    [SPAWN_STEP_GROUPS] = child_groups,
    [SPAWN_STEP_USER] = child_user,
    [SPAWN_STEP_CAPS] = child_caps,
    [SPAWN_STEP_WORKING_DIR] = step_working_dir,
    [SPAWN_STEP_NO_NEW_PRIVS] = child_no_new_privs,
    [SPAWN_STEP_SIGNALS] = step_signals,
    [SPAWN_STEP_EXEC] = step_exec,
};
_Static_assert(ARRAY_LEN(steps) == SPAWN_STEP_N, "every step has its function");

_Noreturn void child_run(struct child_plan *plan)
{
    enum spawn_step step = SPAWN_STEP_CGROUP;
    plan->detail = SPAWN_NO_DETAIL;
    /* The last one returns only when it fails. */
    while (steps[step](plan))
        step++;

    struct spawn_failure failure = {.step = step, .errnum = errno, .detail = plan->detail};
    ssize_t told = sys_write(plan->status_fd, &failure, sizeof failure);
    /* Should that fail, the exit status below is all that the parent learns. */
    (void)told;
    _exit(step == SPAWN_STEP_EXEC && failure.errnum == ENOENT ? 127 : 126);
}
