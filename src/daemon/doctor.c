/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What works here. See doctor.h. Nothing is changed by looking; what is merely not needed is a note, and only what
 * takes something away from services or from their supervision is a warning.
 */
#include "daemon/doctor.h"

#include "base/err.h"
#include "core/snapshot.h"
#include "daemon/cgroups.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "sys/probe.h"
#include "sys/sys.h"
#include "sys/usock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DOCTOR_TEXT_MAX = 1280,
    DOCTOR_PATH_MAX = 1024,
    DOCTOR_SIBLINGS_MAX = 4096, /* of process 1's children so many are looked at */
    DOCTOR_FDS_OWN = 64,        /* descriptors for ourselves and for clients, and a few for each service */
    DOCTOR_FDS_A_SERVICE = 3,
    DOCTOR_RESERVE = 5, /* a table is as good as full when only the fifth part of it is left */
};

/* A look under way. */
struct doctor {
    struct engine *g;
    json_t *list; /* NULL: there was no memory for it */
};

/* Adds a check. CONSEQUENCE is a sentence that says what follows, and one that says what helps. */
PRINTF_LIKE(5, 6)
static void doctor_add(struct doctor *d, const char *name, const char *level, const char *consequence, const char *fmt,
                       ...)
{
    char raw[DOCTOR_TEXT_MAX], found[2 * DOCTOR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    /* Names of processes and files may hold any bytes. */
    procstat_line(raw, strlen(raw), found, sizeof found);
    json_t *check =
        json_pack("{s:s, s:s, s:s, s:s?}", "name", name, "level", level, "found", found, "consequence", consequence);
    d->list = snapshot_append(d->list, check);
}

#define doctor_ok(d, name, ...)                doctor_add(d, name, "ok", NULL, __VA_ARGS__)
#define doctor_note(d, name, consequence, ...) doctor_add(d, name, "note", consequence, __VA_ARGS__)
#define doctor_warn(d, name, consequence, ...) doctor_add(d, name, "warn", consequence, __VA_ARGS__)

static void doctor_kernel(struct doctor *d)
{
    struct utsname u;
    if (sys_uname(&u) == 0)
        doctor_ok(d, "kernel", "%s %s on %s", u.sysname, u.release, u.machine);
    else
        doctor_note(d, "kernel", "What this kernel can do is not known by its release; the checks below try it.", "%s",
                    err_errno_text(errno));
}

static void doctor_subreaper(struct doctor *d)
{
    int set = 0;
    if (d->g->is_init)
        doctor_ok(d, "subreaper", "fosterd is process 1: every orphan comes to it");
    else if (sys_get_subreaper(&set) == 0 && set != 0)
        doctor_ok(d, "subreaper", "the flag is set: every orphan below fosterd comes to it");
    else
        doctor_warn(d, "subreaper",
                    "What services leave behind becomes the child of another process, and is neither seen, stopped nor "
                    "reaped by fosterd. Set `supervisor: subreaper: true` and start fosterd again.",
                    "the flag is not set");
}

static void doctor_proc(struct doctor *d)
{
    static const char unseen[] =
        "What services leave behind is seen only when it ends, and processes have no names in `fosterctl tree`. Mount "
        "the proc file system of this pid namespace: `mount -t proc proc /proc`.";
    char self[32];
    struct procstat st;
    if (d->g->children_source == PROCFS_CHILDREN_NONE)
        doctor_warn(d, "proc", unseen, "/proc is %s",
                    sys_readlink("/proc/self", self, sizeof self) < 0 ? "not mounted"
                                                                      : "that of another pid namespace");
    else if (!procfs_stat(1, &st))
        doctor_note(d, "proc",
                    "Services' processes with the rights of another user are not shown, and what they leave behind is "
                    "recognised only when it ends. Mount /proc with hidepid=0, or with gid= a group of fosterd's.",
                    "/proc hides processes of other users (hidepid)");
    else
        doctor_ok(d, "proc", "/proc is mounted, of this pid namespace");
}

static void doctor_children(struct doctor *d)
{
    if (d->g->children_source == PROCFS_CHILDREN_FILE)
        doctor_ok(d, "children-lists", "from /proc/PID/task/TID/children");
    else if (d->g->children_source == PROCFS_CHILDREN_SCAN)
        doctor_note(
            d, "children-lists",
            "A look for new orphans reads the state of every process, which takes long where there are thousands. "
            "A kernel with CONFIG_PROC_CHILDREN has lists.",
            "from a walk through /proc");
    else
        doctor_note(d, "children-lists",
                    "What services leave behind is seen only when it ends. The check `proc` says what helps.", "none");
}

static void doctor_tags(struct doctor *d)
{
    const struct attrib *a = &d->g->attrib;
    int level = a->own_limit == UINT64_MAX ? 1 : a->stride > 1 ? 2 : 3;
    if (a->stride == 0)
        doctor_warn(
            d, "tags",
            "Processes are recognised by FOSTER_RUN in their environment only: not those of other users, not those "
            "that have ended, and none that was started by `env -i`. Start fosterd with unlimited file locks "
            "(`prlimit --locks=unlimited`; in systemd LimitLOCKS=infinity), at most three inside each other.",
            "none are possible below a limit of %" PRIu64 " file locks", a->own_limit);
    else
        doctor_ok(d, "tags", "possible (RLIMIT_LOCKS), level %d of 3", level);
}

/* The system calls that may be missing. */
static void doctor_calls(struct doctor *d)
{
#define DOCTOR_NEWER(since) " Linux has it since " since "; if a seccomp profile refuses it, allow it there."
    static const struct {
        const char *name;
        const char *level;
        const char *consequence;
    } calls[PROBE_CALL_N] = {
        [PROBE_PIDFD_OPEN] =
            {"pidfd_open", "warn",
             "A signal for all of a service reaches its main process and what was adopted, but not what "
             "is below those; that is ended when it has become a child of fosterd." DOCTOR_NEWER("5.3")},
        [PROBE_PIDFD_SEND_SIGNAL] = {"pidfd_send_signal", "warn",
                                     "A signal for all of a service does not reach what is below its main process and "
                                     "what was adopted." DOCTOR_NEWER("5.1")},
        [PROBE_CLONE3] = {"clone3", "note",
                          "Services are started by fork, which does the same in more steps." DOCTOR_NEWER("5.5")},
        [PROBE_CLOSE_RANGE] = {"close_range", "note",
                               "Before a program starts descriptors are closed one by one, which takes "
                               "longer." DOCTOR_NEWER("5.9")},
        [PROBE_WAITID_PIDFD] = {"waitid-pidfd", "note",
                                "Nothing today: children are waited for by their numbers." DOCTOR_NEWER("5.4")},
        [PROBE_SIGNALFD] = {"signalfd", "warn",
                            "fosterd cannot start again: it learns of signals by it." DOCTOR_NEWER("2.6.27")},
        [PROBE_TIMERFD] = {"timerfd", "note",
                           "Nothing for services: their delays go by a clock that never jumps." DOCTOR_NEWER("2.6.27")},
        [PROBE_INOTIFY] = {"inotify", "note",
                           "A control socket that somebody removes is not made anew by itself." DOCTOR_NEWER("2.6.27")},
    };
    for (enum probe_call call = 0; call < PROBE_CALL_N; call++) {
        int errnum = probe_call(call);
        if (errnum == 0)
            doctor_ok(d, calls[call].name, "works");
        else
            doctor_add(d, calls[call].name, calls[call].level, calls[call].consequence, "%s", err_errno_text(errnum));
    }
}

static void doctor_capabilities(struct doctor *d)
{
    static const struct {
        const char *name;
        unsigned bit; /* capabilities(7), linux/capability.h */
        const char *consequence;
    } caps[] = {
        {"CAP_KILL", 5,
         "A process of a service that has taken another user's rights cannot be signalled, and is not waited for when "
         "its "
         "service stops. Needed only where services change their user."},
        {"CAP_SETGID", 6, "Services run with fosterd's groups. Needed only where they are to have others."},
        {"CAP_SETUID", 7, "Services run as fosterd's user. Needed only where they are to run as others."},
        {"CAP_SYS_RESOURCE", 24,
         "Services cannot be given higher limits than fosterd has itself. Raise those where it is started."},
    };
    uint64_t effective;
    bool known = procfs_status(sys_getpid(), "CapEff:", 16, &effective);
    for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
        if (!known)
            doctor_note(d, caps[i].name, caps[i].consequence, "not known without /proc");
        else if (effective >> caps[i].bit & 1)
            doctor_ok(d, caps[i].name, "held");
        else
            doctor_note(d, caps[i].name, caps[i].consequence, "missing");
    }
}

static void doctor_confinement(struct doctor *d)
{
    uint64_t n;
    static const char setuid[] =
        "Programs with a set-user-ID bit or file capabilities (sudo, ping) get no further rights in services. Leave "
        "no-new-privileges out where fosterd is started if a service needs them.";
    static const char filter[] =
        "A call that the filter refuses fails in services, too. If a program fails with EPERM or ENOSYS for no visible "
        "reason, look at the seccomp profile of the container.";
    bool known = procfs_status(sys_getpid(), "NoNewPrivs:", 10, &n);
    if (known && n != 0)
        doctor_note(d, "no-new-privileges", setuid, "set");
    else
        doctor_ok(d, "no-new-privileges", known ? "not set" : "not known");
    known = procfs_status(sys_getpid(), "Seccomp:", 10, &n);
    if (known && n != 0)
        doctor_note(d, "seccomp", filter, n == 1 ? "strict" : "a filter is in force");
    else
        doctor_ok(d, "seccomp", known ? "no filter" : "not known");
}

static const char *doctor_limit_text(rlim_t limit, char *buf, size_t size)
{
    if (limit == RLIM_INFINITY)
        return "unlimited";
    snprintf(buf, size, "%" PRIu64, (uint64_t)limit);
    return buf;
}

/* The limit RESOURCE, of which NEEDED are wanted in the soft one. */
static void doctor_limit(struct doctor *d, const char *name, int resource, uint64_t needed, const char *level,
                         const char *consequence)
{
    struct rlimit lim;
    char soft[24], hard[24];
    if (sys_prlimit_get(0, resource, &lim) < 0) {
        doctor_ok(d, name, "not known: %s", err_errno_text(errno));
        return;
    }
    bool enough = lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur >= needed;
    doctor_add(d, name, enough ? "ok" : level, enough ? NULL : consequence, "soft %s, hard %s",
               doctor_limit_text(lim.rlim_cur, soft, sizeof soft), doctor_limit_text(lim.rlim_max, hard, sizeof hard));
}

static void doctor_limits(struct doctor *d)
{
    uint64_t n = d->g->n_units;
    doctor_limit(
        d, "limit-nofile", RLIMIT_NOFILE, DOCTOR_FDS_OWN + DOCTOR_FDS_A_SERVICE * n + d->g->sockets.n, "warn",
        "There are not enough descriptors for all services: some cannot be started. Raise the hard limit where "
        "fosterd is started (`ulimit -n`; in systemd LimitNOFILE=).");
    /* The kernel does not count the processes of root. */
    doctor_limit(d, "limit-nproc", RLIMIT_NPROC, sys_geteuid() == 0 ? 0 : 2 * n + 1, "warn",
                 "This user may not have as many processes as there are services: starts will fail and be tried again. "
                 "Raise it where fosterd is started (`ulimit -u`; in systemd LimitNPROC=).");
    doctor_limit(
        d, "limit-core", RLIMIT_CORE, 1, "note",
        "A service that crashes leaves no core dump. Raise it where fosterd is started (`ulimit -c`; in systemd "
        "LimitCORE=) if that is wanted.");
}

/* How full a table of processes is. */
static void doctor_fill(struct doctor *d, const char *name, uint64_t used, uint64_t max, const char *consequence)
{
    if (max == UINT64_MAX)
        doctor_ok(d, name, "%" PRIu64 " in use, no limit", used);
    else if (used < max - max / DOCTOR_RESERVE)
        doctor_ok(d, name, "%" PRIu64 " of %" PRIu64 " in use", used, max);
    else
        doctor_warn(d, name, consequence, "%" PRIu64 " of %" PRIu64 " in use", used, max);
}

static void doctor_pids(struct doctor *d)
{
    char dir[DOCTOR_PATH_MAX];
    uint64_t max, used;
    if (probe_number("/proc/sys/kernel", "pid_max", &max) && probe_tasks(&used))
        doctor_fill(
            d, "pid-max", used, max,
            "When all numbers are in use no process can be started, here or elsewhere on this machine. Find who "
            "holds so many (`fosterctl tree`), or raise kernel.pid_max.");
    else
        doctor_ok(d, "pid-max", "not known without /proc");
    if (probe_group_number("pids", "pids.max", dir, sizeof dir, &max) && probe_number(dir, "pids.current", &used))
        doctor_fill(d, "pids-limit", used, max,
                    "When the limit is reached no process can be started: starts fail with EAGAIN and are tried again. "
                    "Find who holds so many (`fosterctl tree`), or raise pids.max of the control group (`docker run "
                    "--pids-limit`; in systemd TasksMax=).");
    else
        doctor_ok(d, "pids-limit", "none");
}

#define DOCTOR_DELEGATE                                                                                                \
    "Start fosterd as root, or in a group that is its own (in systemd Delegate=yes; in a container a writable "        \
    "/sys/fs/cgroup), or name one in `supervisor: cgroup:`."

/* What services get of control groups beside limits. */
static void doctor_cgroup(struct doctor *d)
{
    static const char tags[] =
        "Services are kept apart by their tags, and killed one process after the other. " DOCTOR_DELEGATE;
    struct cgroup_base base;
    if (strcmp(d->g->set->supervisor.cgroup, "off") == 0)
        doctor_note(d, "cgroup", "Services get no control groups, and limits are not enforced.", "`cgroup: off`");
    else if (!cgroup_base_unified(&base))
        doctor_note(d, "cgroup", tags,
                    sys_access("/sys/fs/cgroup", F_OK) == 0 ? "no hierarchy of version 2" : "no control groups");
    else if (sys_access(base.path, W_OK) < 0)
        doctor_note(d, "cgroup", tags, "version 2, %s, not writable", base.path);
    else
        doctor_ok(d, "cgroup", "version 2, %s, writable; %s get groups", base.path,
                  cgroups_for_all(d->g) ? "all services" : "services with limits");
}

/* Where limits of controller C could be enforced, for services that may have them one day. */
static void doctor_could_limit(struct doctor *d, const char *name, const char *consequence, enum cgroup_controller c)
{
    struct cgroup_base base = {0};
    bool unified = cgroup_base_unified(&base) && (base.controllers >> c & 1) != 0;
    if (!unified && !cgroup_base_of(c, &base))
        doctor_note(d, name, consequence, "no control group with the controller %s", cgroup_controller_name(c));
    else if (sys_access(base.path, W_OK) < 0)
        doctor_note(d, name, consequence, "version %d, %s, not writable", unified ? 2 : 1, base.path);
    else
        doctor_ok(d, name, "version %d, %s, writable", unified ? 2 : 1, base.path);
}

static void doctor_cgroup_limits(struct doctor *d)
{
#define DOCTOR_UNENFORCED(key)                                                                                         \
    "Services run without their `" key "`, or are refused where `require_limits` is set. " DOCTOR_DELEGATE
    static const struct {
        const char *name;
        const char *consequence;
    } limits[CGROUP_CONTROLLER_N] = {
        [CGROUP_PIDS] = {"cgroup-pids", DOCTOR_UNENFORCED("pids_limit")},
        [CGROUP_MEMORY] = {"cgroup-memory", DOCTOR_UNENFORCED("mem_limit")},
        [CGROUP_CPU] = {"cgroup-cpu", DOCTOR_UNENFORCED("cpus")},
    };
    unsigned needed = cgroups_needed(d->g);
    for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLER_N; c++) {
        char where[DOCTOR_PATH_MAX];
        if ((needed >> c & 1) == 0)
            doctor_could_limit(d, limits[c].name, limits[c].consequence, c);
        else if (cgroups_where(d->g, c, where, sizeof where))
            doctor_ok(d, limits[c].name, "%s", where);
        else
            doctor_warn(d, limits[c].name, limits[c].consequence, "%s", where);
    }
}

static void doctor_oom_group(struct doctor *d)
{
    char dir[DOCTOR_PATH_MAX];
    uint64_t together;
    if (probe_group_number("memory", "memory.oom.group", dir, sizeof dir, &together) && together == 1)
        doctor_warn(d, "oom-group",
                    "When memory runs out the kernel kills everything in this control group at once, fosterd included, "
                    "instead of one service. Write 0 to memory.oom.group; in Kubernetes set the kubelet's "
                    "singleProcessOOMKill: true; in systemd OOMPolicy=continue.",
                    "memory.oom.group is 1 in %s", dir);
    else
        doctor_ok(d, "oom-group", "off: when memory runs out the kernel kills one process");
}

static void doctor_socket(struct doctor *d)
{
    const struct control *c = d->g->control;
    char dir[sizeof c->path];
    if (c == NULL) {
        doctor_note(d, "control-socket", "fosterctl cannot reach this fosterd. Its log says why there is no socket.",
                    "there is none");
        return;
    }
    usock_dir(c->path, dir, sizeof dir);
    if (sys_access(c->path, F_OK) < 0)
        doctor_warn(d, "control-socket",
                    "No further client can connect. Send SIGHUP to fosterd, which makes the socket anew where it can.",
                    "%s: %s", c->path, err_errno_text(errno));
    else if (sys_access(dir, W_OK) < 0)
        doctor_note(
            d, "control-socket",
            "If somebody removes the socket it cannot be made anew, and when fosterd ends it stays behind. Give "
            "fosterd's user the right to write there.",
            "%s; the directory is not writable", c->path);
    else
        doctor_ok(d, "control-socket", "%s", c->path);
}

static void doctor_state_dir(struct doctor *d)
{
    const char *dir = d->g->set->supervisor.state_dir;
    if (dir == NULL)
        doctor_note(
            d, "state-dir",
            "If fosterd is killed, the next one cannot say which processes it has left behind. Set `supervisor: "
            "state_dir:` to a directory that only its user can write to.",
            "none");
    else if (sys_access(dir, W_OK) < 0)
        doctor_warn(d, "state-dir",
                    "Runs are not noted any more: after a fosterd that was killed the next one cannot say what it has "
                    "left behind. Make the directory writable for fosterd's user and start fosterd again.",
                    "%s: %s", dir, err_errno_text(errno));
    else
        doctor_ok(d, "state-dir", "%s", dir);
}

static void doctor_output(struct doctor *d)
{
    static const char nowhere[] =
        "What services write with log driver `stdout` is lost, but for their last lines (`fosterctl status SERVICE`). "
        "Start fosterd with a standard output that somebody reads.";
    static const char grows[] = "The file grows without end: fosterd does not rotate it. Use logrotate with "
                                "copytruncate, or a pipe to a program "
                                "that keeps logs.";
    static const struct {
        const char *found;
        const char *consequence; /* NULL: it is as it should be */
    } streams[PROBE_STREAM_N] = {
        [PROBE_STREAM_CLOSED] = {"closed", nowhere}, [PROBE_STREAM_TERMINAL] = {"a terminal", NULL},
        [PROBE_STREAM_PIPE] = {"a pipe", NULL},      [PROBE_STREAM_SOCKET] = {"a socket", NULL},
        [PROBE_STREAM_FILE] = {"a file", grows},     [PROBE_STREAM_NULL] = {"/dev/null", nowhere},
        [PROBE_STREAM_OTHER] = {"a device", NULL},
    };
    enum probe_stream stream = probe_stream(STDOUT_FILENO);
    const char *consequence = streams[stream].consequence;
    doctor_add(d, "standard-output", consequence != NULL ? "note" : "ok", consequence, "%s", streams[stream].found);
}

/* How many processes process 1 has not taken note of that they have ended. */
static size_t doctor_zombies_of_init(void)
{
    struct pidlist l = {0};
    struct procstat st;
    size_t n = 0;
    if (procfs_children(1, &l))
        for (size_t i = 0; i < l.n && i < DOCTOR_SIBLINGS_MAX; i++)
            n += procfs_stat(l.pids[i], &st) && st.state == 'Z' && st.n_threads <= 1;
    pidlist_done(&l);
    return n;
}

static void doctor_init(struct doctor *d)
{
    struct procstat st;
    if (d->g->is_init) {
        doctor_ok(d, "process-1", "fosterd itself");
        return;
    }
    if (!procfs_stat(1, &st)) {
        doctor_ok(d, "process-1", "not to be seen");
        return;
    }
    size_t n = doctor_zombies_of_init();
    if (n == 0)
        doctor_ok(d, "process-1", "%s, which has left no zombie", st.comm);
    else
        doctor_note(
            d, "process-1",
            "What becomes its child and ends stays a zombie and holds its number; this does not concern what is "
            "below fosterd. Let an init be process 1 (`docker run --init`), or fosterd itself.",
            "%s has not reaped %zu ended processes", st.comm, n);
}

json_t *doctor_look(struct engine *g)
{
    static void (*const checks[])(struct doctor * d) = {
        doctor_kernel,       doctor_subreaper,   doctor_proc,      doctor_children, doctor_tags,   doctor_calls,
        doctor_capabilities, doctor_confinement, doctor_limits,    doctor_pids,     doctor_cgroup, doctor_cgroup_limits,
        doctor_oom_group,    doctor_socket,      doctor_state_dir, doctor_output,   doctor_init,
    };
    struct doctor d = {.g = g, .list = json_array()};
    for (size_t i = 0; d.list != NULL && i < ARRAY_LEN(checks); i++)
        checks[i](&d);
    return d.list;
}
