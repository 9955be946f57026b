/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a request to a process: everything that can be prepared before the fork, the fork, and what the child
 * said afterwards. What happens in the child is in child.c, and how failures are told in spawn_text.c.
 *
 * DIAGNOSTICS: a kernel that refuses clone3, its way into a control group, or pidfd_open is asked once only, see
 * sys_kernel().
 */
#include "sys/spawn.h"

#include "base/mem.h"
#include "sys/child.h"
#include "sys/spawn_impl.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Where programs are looked for when the environment has no PATH. */
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum { SEARCH_BYTES_MAX = 1024 * 1024 }; /* of all paths that a program may have */

/* The paths at which a program may be. */
struct search {
    char **programs; /* owned; NULL-terminated; NULL: only count */
    char *text;      /* owned; what they point to */
    size_t n;
    size_t size;
    char **script_argv; /* owned; for the shell when the program turns out to be a script; NULL: not wanted */
};

static void search_done(struct search *s)
{
    mem_free(s->script_argv);
    mem_free(s->programs);
    mem_free(s->text);
}

/* Enters LEN bytes of DIR, a slash and NAME; an empty DIR is the working directory. */
static void search_add(struct search *s, const char *dir, size_t len, const char *name, size_t name_len)
{
    size_t slash = len > 0 && dir[len - 1] != '/';
    size_t need = len + slash + name_len + 1;

    if (s->programs != NULL) {
        char *at = s->text + s->size;
        s->programs[s->n] = at;
        memcpy(at, dir, len);
        if (slash)
            at[len] = '/';
        memcpy(at + len + slash, name, name_len + 1);
    }
    s->n++;
    s->size += need;
}

/* Enters NAME in every directory of PATH (NULL: NAME is a path itself). What is longer than any path can be is left
 * out, so that no directory of PATH can spoil the search. */
static void search_walk(struct search *s, const char *path, const char *name)
{
    size_t name_len = strlen(name);
    s->n = s->size = 0;
    while (path != NULL && s->size <= SEARCH_BYTES_MAX) {
        const char *end = strchr(path, ':');
        size_t len = end != NULL ? (size_t)(end - path) : strlen(path);
        if (len + name_len + 2 <= PATH_MAX)
            search_add(s, path, len, name, name_len);
        path = end != NULL ? end + 1 : NULL;
    }
    if (s->n == 0)
        search_add(s, "", 0, name, name_len);
}

const char *spawn_path(char *const *envp)
{
    for (; *envp != NULL; envp++) {
        if (strncmp(*envp, "PATH=", 5) == 0)
            return *envp + 5;
    }
    return default_path;
}

/* The words with which a shell is to run the script ARGV, the path of which is not known yet. NULL without memory. */
static char **script_argv(char *const *argv)
{
    static char shell[] = "/bin/sh";
    size_t n = 1;
    while (argv[n] != NULL)
        n++;
    char **words = mem_array(n + 2, sizeof *words);
    if (words == NULL)
        return NULL;
    words[0] = shell;
    for (size_t i = 1; i < n; i++)
        words[i + 1] = argv[i];
    return words;
}

/* Fills S for REQ. False with *E; S can be given to search_done() in any case. */
static bool search_prepare(struct search *s, const struct spawn_request *req, struct err *e)
{
    const char *name = req->argv[0];
    /* An empty name is no program; "" in a directory would be that directory. */
    const char *path = *name == '\0' || strchr(name, '/') != NULL ? NULL : spawn_path(req->envp);

    search_walk(s, path, name);
    if (path != NULL && s->size > SEARCH_BYTES_MAX) {
        err_set(e, ERR_LIMIT, "PATH has too many directories");
        return false;
    }
    char **programs = mem_array(s->n + 1, sizeof *programs);
    s->text = mem_alloc(s->size);
    if (req->script_by_sh)
        s->script_argv = script_argv(req->argv);
    if (programs == NULL || s->text == NULL || (req->script_by_sh && s->script_argv == NULL)) {
        mem_free(programs);
        err_set_errno(e, ENOMEM, "looking for the program");
        return false;
    }
    s->programs = programs;
    search_walk(s, path, name);
    return true;
}

/* Makes room for the groups that the child will read back. False with *E. */
static bool groups_prepare(gid_t **ret, const struct spawn_request *req, struct err *e)
{
    if (req->ids == NULL)
        return true;
    *ret = mem_array(req->ids->n_groups + 1, sizeof **ret);
    if (*ret == NULL)
        err_set_errno(e, ENOMEM, "supplementary groups");
    return *ret != NULL;
}

/* Makes room for what the child notes of its descriptors. False with *E. */
static bool fds_prepare(int **ret, const struct spawn_request *req, struct err *e)
{
    *ret = mem_array(2 * req->n_fds + 1, sizeof **ret);
    if (*ret == NULL)
        err_set_errno(e, ENOMEM, "descriptors");
    return *ret != NULL;
}

/* Whether ERRNUM is how a kernel, or a seccomp filter in front of it, answers an optional call that it lacks. */
static bool is_refusal(int errnum)
{
    return errnum == ENOSYS || errnum == EPERM || errnum == EINVAL;
}

/* Whether ERRNUM says that there is no room for another process, wherever it were to be born. */
static bool is_shortage(int errnum)
{
    return errnum == EAGAIN || errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE;
}

/* Makes a process that is in the control group from its first moment on. -1 with errno; where that is none of
 * is_shortage() the process can still move there itself. */
static pid_t make_in_cgroup(struct child_plan *plan, int *ret_pidfd)
{
    struct sys_kernel *kernel = sys_kernel();
    if (kernel->no_clone3 || kernel->no_clone_into_cgroup) {
        errno = ENOSYS;
        return -1;
    }
    plan->born_in_cgroup = true;
    pid_t pid = sys_clone3(plan->req->cgroups->v2_fd, ret_pidfd);
    if (pid == -1) {
        plan->born_in_cgroup = false;
        kernel->no_clone_into_cgroup = errno == E2BIG || errno == EINVAL;
    }
    return pid;
}

static pid_t make_process(struct child_plan *plan, int *ret_pidfd)
{
    struct sys_kernel *kernel = sys_kernel();
    const struct spawn_cgroups *cgroups = plan->req->cgroups;
    pid_t pid;

    if (cgroups != NULL && cgroups->v2_fd >= 0) {
        pid = make_in_cgroup(plan, ret_pidfd);
        if (pid != -1 || is_shortage(errno) || cgroups->v2_procs_fd < 0)
            return pid;
    }
    if (!kernel->no_clone3) {
        pid = sys_clone3(-1, ret_pidfd);
        if (pid != -1 || !is_refusal(errno))
            return pid;
        kernel->no_clone3 = true;
    }
    pid = sys_fork();
    *ret_pidfd = -1;
    if (pid > 0 && !kernel->no_pidfd) {
        /* Nobody has waited for it yet, so the number is still that process. */
        *ret_pidfd = sys_pidfd_open(pid);
        if (*ret_pidfd == -1 && is_refusal(errno))
            kernel->no_pidfd = true;
    }
    return pid;
}

/* The child does the same: whoever is first, the group is there for those who come after. That we are late is no
 * failure. */
static void make_group(pid_t pid)
{
    int r = sys_setpgid(pid, pid);
    (void)r;
}

/* Starts PLAN with all signals blocked: one that arrives before the child has its own dispositions would run a handler
 * of ours there. False with *E. */
static bool fork_blocked(struct child_plan *plan, struct spawn_child *ret, struct err *e)
{
    sigset_t all, old;
    int pidfd = -1;

    sys_all_signals(&all);
    if (sys_sigprocmask(SIG_SETMASK, &all, &old) != 0) {
        err_set_errno(e, errno, "blocking signals");
        return false;
    }
    pid_t pid = make_process(plan, &pidfd);
    if (pid == 0)
        child_run(plan);
    int errnum = errno;
    if (pid > 0 && plan->req->session == SPAWN_SESSION_GROUP)
        make_group(pid);
    sys_restore_mask(&old);
    if (pid == -1) {
        err_set_errno(e, errnum, "fork");
        return false;
    }
    ret->pid = pid;
    ret->pidfd = pidfd;
    return true;
}

bool spawn_start(const struct spawn_request *req, struct spawn_child *ret, struct err *e)
{
    struct search search = {0};
    gid_t *groups = NULL;
    int *fds = NULL;
    int status[2] = {-1, -1};
    bool ok = false;

    if (!search_prepare(&search, req, e) || !groups_prepare(&groups, req, e) || !fds_prepare(&fds, req, e))
        goto out;
    if (sys_pipe(status, O_NONBLOCK) != 0) {
        err_set_errno(e, errno, "pipe");
        goto out;
    }
    struct child_plan plan = {
        .req = req,
        .programs = search.programs,
        .script_argv = search.script_argv,
        .groups = groups,
        .fds = fds,
        .kept = fds + req->n_fds,
        .stdio = {req->stdio[0], req->stdio[1], req->stdio[2]},
        .status_fd = status[1],
    };
    if (req->oom_score_adj != NULL)
        snprintf(plan.oom_score_adj, sizeof plan.oom_score_adj, "%d", *req->oom_score_adj);
    struct spawn_child child = {.pidfd = -1, .status_fd = status[0]};
    if (!fork_blocked(&plan, &child, e))
        goto out;
    *ret = child;
    status[0] = -1;
    ok = true;
out:
    sys_close(status[0]);
    sys_close(status[1]);
    mem_free(fds);
    mem_free(groups);
    search_done(&search);
    return ok;
}

enum spawn_verdict spawn_status(int status_fd, struct spawn_failure *ret)
{
    struct spawn_failure failure;
    ssize_t n = sys_read(status_fd, &failure, sizeof failure);

    if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return SPAWN_PENDING;
    /* Nothing more will be heard from a descriptor that cannot be read: the exit of the child will tell. */
    if (n <= 0)
        return SPAWN_EXECED;
    if (n != (ssize_t)sizeof failure || (unsigned)failure.step >= SPAWN_STEP_N)
        failure = (struct spawn_failure){.step = SPAWN_STEP_EXEC, .errnum = EPROTO, .detail = SPAWN_NO_DETAIL};
    *ret = failure;
    return SPAWN_FAILED;
}
