/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a request to a process. Everything that can fail or allocate is done before the fork; between
 * fork and exec only child.c runs, which is async-signal-safe and reports the step that failed with
 * its errno through a close-on-exec pipe.
 *
 * The process is made by clone3(2) without shared memory, with CLONE_PIDFD and CLONE_CLEAR_SIGHAND where the
 * kernel (or its seccomp filter) allows, else by fork(2) and pidfd_open(2). EPERM counts as ENOSYS for the
 * optional calls, since old container hosts answer unknown calls with it.
 */
#ifndef FOSTER_SYS_SPAWN_H
#define FOSTER_SYS_SPAWN_H

#include "base/compiler.h"
#include "base/err.h"
#include "sys/inherited.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/** What becomes of the child's session and process group. */
enum spawn_session {
    SPAWN_SESSION_NEW,   /**< setsid(2) */
    SPAWN_SESSION_GROUP, /**< a process group of its own in our session, made on both sides of the fork: it exists
                              before spawn_start() returns and before the program runs */
    SPAWN_SESSION_SAME,  /**< ours */
};

/** Values of spawn_request.stdio beside descriptors. */
enum { SPAWN_FD_NULL = -1, SPAWN_FD_CLOSED = -2 };

/** Room for the digits of a pid and the NUL in struct spawn_request.pid_slots. */
enum { SPAWN_PID_ROOM = 12 };

/** The steps between fork and exec, in their order; the failed one is named in messages. */
enum spawn_step {
    SPAWN_STEP_CGROUP,  /**< joining control groups that the child was not born in */
    SPAWN_STEP_SESSION, /**< session, process group, terminal */
    SPAWN_STEP_TAG,     /**< RLIMIT_LOCKS */
    SPAWN_STEP_LIMITS,  /**< the other limits, RLIMIT_NOFILE apart */
    SPAWN_STEP_NICE,
    SPAWN_STEP_OOM_SCORE_ADJ,
    SPAWN_STEP_UMASK,
    SPAWN_STEP_FDS,         /**< descriptors that the program is given beside 0 to 2 */
    SPAWN_STEP_STDIO,       /**< descriptors 0 to 2 */
    SPAWN_STEP_CLOSE,       /**< closing all others */
    SPAWN_STEP_NOFILE,      /**< RLIMIT_NOFILE, once no descriptor is needed any more */
    SPAWN_STEP_BOUNDING,    /**< taking capabilities out of the bounding set */
    SPAWN_STEP_GROUPS,      /**< setgroups */
    SPAWN_STEP_USER,        /**< group and user ids, read back; that root cannot be regained */
    SPAWN_STEP_CAPS,        /**< permitted, inheritable and ambient capabilities */
    SPAWN_STEP_WORKING_DIR, /**< chdir as the target user, getcwd */
    SPAWN_STEP_NO_NEW_PRIVS,
    SPAWN_STEP_SIGNALS, /**< dispositions and mask */
    SPAWN_STEP_EXEC,
    SPAWN_STEP_N
};

/** A resource limit to set. */
struct spawn_limit {
    int resource; /**< RLIMIT_… */
    struct rlimit limit;
};

/** Which ids the child gets. */
struct spawn_ids {
    const char *text;    /**< borrowed; who that is, for messages ("app", "1000:1000"); read with change_user only */
    bool change_user;    /**< uid and gid count */
    uid_t uid;           /**< real, effective and saved */
    gid_t gid;           /**< the same */
    bool change_groups;  /**< groups count; with change_user they always do */
    const gid_t *groups; /**< borrowed; all supplementary groups, gid included where change_user is set; none twice */
    size_t n_groups;
};

/** Which capabilities the child gets; bit n is capability number n. What is not listed is neither inheritable nor
 * ambient when the program begins, whatever we were given. */
struct spawn_caps {
    uint64_t bounding; /**< what stays, of what is there, in the bounding set, and permitted of a child that is root;
                            UINT64_MAX: all of it */
    uint64_t add; /**< within bounding; what the child must have, else it does not start: root by its bounding set, any
                       other user as permitted, effective, inheritable and ambient, and nothing else */
};

/** The control groups that the child is to be in. */
struct spawn_cgroups {
    int v2_fd;            /**< borrowed; directory of version 2 to be born in (CLONE_INTO_CGROUP); -1: none */
    int v2_procs_fd;      /**< borrowed; its cgroup.procs, for kernels that cannot do that; -1: none */
    const int *procs_fds; /**< borrowed; cgroup.procs of directories of version 1 */
    size_t n_procs_fds;
};

/** A descriptor that the child keeps, and the number it has there. */
struct spawn_fd {
    int fd;     /**< borrowed; may have close-on-exec */
    int number; /**< 3 or more; none twice */
};

/** What to start. All pointers are borrowed for the call. */
struct spawn_request {
    char *const *argv;                /**< NULL-terminated; argv[0] is the program: a path when it has a slash, else
                                           looked up in the PATH of envp (the system's default path without one) */
    char *const *envp;                /**< NULL-terminated; the whole environment */
    const char *working_dir;          /**< NULL: stay */
    int umask;                        /**< -1: inherit */
    const struct rlimit *nofile;      /**< RLIMIT_NOFILE to give back, since ours was raised; NULL: inherit */
    const struct spawn_limit *limits; /**< n_limits of them; one for RLIMIT_NOFILE wins over nofile */
    size_t n_limits;
    const struct spawn_cgroups *cgroups; /**< NULL: those of ours */
    const struct spawn_ids *ids;         /**< NULL: ours */
    const struct spawn_caps *caps;       /**< NULL: all sets are left to the kernel's rules */
    const int *nice;                     /**< -20 to 19; NULL: inherit */
    const int *oom_score_adj;            /**< -1000 to 1000; NULL: inherit */
    bool no_new_privs;                   /**< PR_SET_NO_NEW_PRIVS */
    uint64_t tag;                        /**< soft and hard RLIMIT_LOCKS; 0: leave it */
    const struct spawn_fd *fds;          /**< n_fds of them, to be there beside stdio; all others are closed */
    size_t n_fds;
    int stdio[3]; /**< borrowed; descriptors to become 0, 1, 2; SPAWN_FD_NULL: /dev/null */
    enum spawn_session session;
    bool foreground;    /**< SPAWN_SESSION_GROUP: the new group gets the foreground of the terminal at terminal_fd; that
                             this fails is fine */
    int terminal_fd;    /**< borrowed; read only when foreground is set */
    bool take_terminal; /**< SPAWN_SESSION_NEW: descriptor 0, where it is a terminal that nobody has, becomes the
                             controlling one (TIOCSCTTY of ioctl_tty(2)); that this fails is fine */
    const struct inherited_signals
        *signals;      /**< mask and ignored set to begin with; NULL: nothing blocked or ignored */
    bool keep_fds;     /**< descriptors above 2 without close-on-exec stay open */
    bool script_by_sh; /**< a file that the kernel cannot execute (ENOEXEC) is given to /bin/sh, as execvp(3) does */
    _Atomic pid_t *const *pids; /**< n_pids numbers, in memory that the child shares with us, that it sets to its pid */
    size_t n_pids;
    char **pid_slots; /**< NULL-terminated, or NULL: texts within envp, SPAWN_PID_ROOM bytes each, into which the
                           child writes its pid */
};

/** What came of it. */
struct spawn_child {
    pid_t pid;
    int pidfd;     /**< owned by the caller; -1 where the kernel has none, or no descriptor was left for it */
    int status_fd; /**< owned by the caller; non-blocking; see spawn_status() */
};

/** Starts REQ. On success fills *RET (the process exists, its exec has not yet happened) and returns true.
 *  False with *E (fork, pipe, memory …; ERR_SYS with errnum) when no process came into being. Signals: all are blocked
 * around the fork; the child gets default dispositions, then what REQ says, and the mask last, so that none that was
 * meant for it is lost. */
bool spawn_start(const struct spawn_request *req, struct spawn_child *ret, struct err *e) MUST_CHECK NONNULL();

/** What the status pipe says. */
enum spawn_verdict {
    SPAWN_PENDING, /**< nothing yet: wait until status_fd is readable */
    SPAWN_EXECED,  /**< end of file: the program runs (or the child was killed before exec; its exit will tell) */
    SPAWN_FAILED,  /**< a step failed: the child is gone or going */
};

/** Values of spawn_failure.detail. */
enum {
    SPAWN_NO_DETAIL = -1,    /**< nothing more is known */
    SPAWN_ROOT_REGAINED = 1, /**< SPAWN_STEP_USER: the process could have become root again */
};

/** A failed step. */
struct spawn_failure {
    enum spawn_step step;
    int errnum; /**< ENOTRECOVERABLE: the kernel said that it was done, but it was not */
    int detail; /**< which one it was: the place in limits, procs_fds or fds, the number of the capability */
};

/** Reads STATUS_FD without blocking; *RET is set for SPAWN_FAILED only. */
enum spawn_verdict spawn_status(int status_fd, struct spawn_failure *ret) MUST_CHECK NONNULL();

/** Word for a step, as the configuration names it ("working_dir"); static. */
const char *spawn_step_name(enum spawn_step step);

/** Fills BUF with what went wrong for people, by the key of the configuration, and with the remedy where one is known:
 * "working_dir /srv/x: No such file or directory", "exec nginx: No such file or directory (not found in PATH
 * /usr/bin:/bin)", "user app (1000:1000): Operation not permitted; fosterd needs root or CAP_SETUID and CAP_SETGID".
 * Returns BUF. */
char *spawn_failure_text(const struct spawn_request *req, const struct spawn_failure *f, char *buf, size_t size)
    NONNULL();

#endif
