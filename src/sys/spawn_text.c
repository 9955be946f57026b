/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What went wrong between fork and exec, for people: the key of the configuration, its value, what the kernel said, and
 * what would be right where that can be known.
 */
#include "sys/caps.h"
#include "sys/spawn.h"
#include "sys/spawn_impl.h"
#include "sys/sys.h"
#include "sys/sys_cred.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_VALUE_MAX = 48 };

static const char *const step_names[] = {
    [SPAWN_STEP_CGROUP] = "cgroup",
    [SPAWN_STEP_SESSION] = "session",
    [SPAWN_STEP_TAG] = "tag",
    [SPAWN_STEP_LIMITS] = "ulimits",
    [SPAWN_STEP_NICE] = "nice",
    [SPAWN_STEP_OOM_SCORE_ADJ] = "oom_score_adj",
    [SPAWN_STEP_UMASK] = "umask",
    [SPAWN_STEP_FDS] = "descriptor",
    [SPAWN_STEP_STDIO] = "stdio",
    [SPAWN_STEP_CLOSE] = "close",
    [SPAWN_STEP_NOFILE] = "ulimits nofile",
    [SPAWN_STEP_BOUNDING] = "cap_drop",
    [SPAWN_STEP_GROUPS] = "group_add",
    [SPAWN_STEP_USER] = "user",
    [SPAWN_STEP_CAPS] = "cap_add",
    [SPAWN_STEP_WORKING_DIR] = "working_dir",
    [SPAWN_STEP_NO_NEW_PRIVS] = "security_opt no-new-privileges",
    [SPAWN_STEP_SIGNALS] = "signals",
    [SPAWN_STEP_EXEC] = "exec",
};
_Static_assert(ARRAY_LEN(step_names) == SPAWN_STEP_N, "every step has its name");

const char *spawn_step_name(enum spawn_step step)
{
    return step_names[step];
}

/* A text under construction. What does not fit is cut. */
struct text {
    char *at;
    size_t room;
};

PRINTF_LIKE(2, 3) static void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->at, t->room, fmt, ap);
    va_end(ap);
    size_t taken = n < 0 ? 0 : (size_t)n < t->room ? (size_t)n : t->room - 1;
    t->at += taken;
    t->room -= taken;
}

/* What the kernel said, or did not say. */
static const char *reason(int errnum)
{
    return errnum == ENOTRECOVERABLE ? "the kernel did not do what it was asked for" : err_errno_text(errnum);
}

/* Whether we have capability N. */
static bool have_cap(unsigned n)
{
    struct caps_own own;
    return caps_read(&own) && ((own.permitted & own.bounding) >> n & 1) != 0;
}

static bool changes_user(const struct spawn_request *req)
{
    return req->ids != NULL && req->ids->change_user;
}

/* ------------------------------------------------------------------ limits */

static const struct {
    const char *name;
    int resource;
} limit_names[] = {
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
    {"as", RLIMIT_AS},
};

static void add_limit_name(struct text *t, int resource)
{
    for (size_t i = 0; i < ARRAY_LEN(limit_names); i++) {
        if (limit_names[i].resource == resource) {
            text_add(t, "%s", limit_names[i].name);
            return;
        }
    }
    text_add(t, "%d", resource);
}

static void add_limit_value(struct text *t, rlim_t value)
{
    if (value == RLIM_INFINITY)
        text_add(t, "unlimited");
    else
        text_add(t, "%" PRIu64, (uint64_t)value);
}

static void tell_limit(struct text *t, const struct spawn_limit *wanted, int errnum)
{
    struct rlimit own;
    text_add(t, "ulimits ");
    add_limit_name(t, wanted->resource);
    text_add(t, " ");
    add_limit_value(t, wanted->limit.rlim_cur);
    if (wanted->limit.rlim_max != wanted->limit.rlim_cur) {
        text_add(t, ":");
        add_limit_value(t, wanted->limit.rlim_max);
    }
    text_add(t, ": %s", reason(errnum));
    if (errnum != EPERM || sys_prlimit_get(0, wanted->resource, &own) != 0)
        return;
    if (wanted->limit.rlim_max > own.rlim_max) {
        text_add(t, "; above the hard limit ");
        add_limit_value(t, own.rlim_max);
        text_add(t, " needs CAP_SYS_RESOURCE");
    } else if (wanted->resource == RLIMIT_NOFILE) {
        text_add(t, "; the sysctl fs.nr_open allows no more");
    }
}

static void tell_limits(struct text *t, const struct spawn_request *req, const struct spawn_failure *f)
{
    if (f->detail >= 0 && (size_t)f->detail < req->n_limits)
        tell_limit(t, &req->limits[f->detail], f->errnum);
    else
        text_add(t, "%s: %s", spawn_step_name(f->step), reason(f->errnum));
}

static void tell_number(struct text *t, const struct spawn_failure *f, const int *number, const char *capability)
{
    text_add(t, "%s", spawn_step_name(f->step));
    if (number != NULL)
        text_add(t, " %d", *number);
    text_add(t, ": %s", reason(f->errnum));
    if (f->errnum == EACCES || f->errnum == EPERM)
        text_add(t, "; less than fosterd's own needs %s", capability);
}

/* ------------------------------------------------------------------ ids and capabilities */

/* "app (1000:1000)"; the numbers once where they are all that the configuration has. */
static void add_user(struct text *t, const struct spawn_ids *ids)
{
    char numbers[TEXT_VALUE_MAX];
    snprintf(numbers, sizeof numbers, "%ju:%ju", (uintmax_t)ids->uid, (uintmax_t)ids->gid);
    text_add(t, "user %s", ids->text);
    if (strcmp(ids->text, numbers) != 0)
        text_add(t, " (%s)", numbers);
}

/* Whether REQ asks for the user and the group that we are. */
static bool is_own_user(const struct spawn_request *req)
{
    uid_t uids[3];
    gid_t gids[3];
    return changes_user(req) && sys_getresuid(uids) == 0 && sys_getresgid(gids) == 0 && uids[1] == req->ids->uid &&
           gids[1] == req->ids->gid;
}

static void tell_groups(struct text *t, const struct spawn_request *req, int errnum)
{
    if (changes_user(req)) {
        add_user(t, req->ids);
        text_add(t, ": supplementary groups");
    } else {
        text_add(t, "%s", spawn_step_name(SPAWN_STEP_GROUPS));
    }
    text_add(t, ": %s", reason(errnum));
    if (errnum == EINVAL)
        text_add(t, "; this user namespace does not have all of them");
    else if (errnum == EPERM && have_cap(CAP_SETGID))
        text_add(t, "; /proc/self/setgroups of this user namespace denies it");
    else if (errnum == EPERM)
        text_add(t, "; fosterd needs root or CAP_SETGID");
    if (errnum == EPERM && is_own_user(req))
        text_add(t, "; without `user` it is that user, too, with the groups of fosterd");
}

static void tell_user(struct text *t, const struct spawn_request *req, const struct spawn_failure *f)
{
    if (!changes_user(req)) {
        text_add(t, "%s: %s", spawn_step_name(f->step), reason(f->errnum));
        return;
    }
    add_user(t, req->ids);
    if (f->detail == SPAWN_ROOT_REGAINED)
        text_add(t, ": it could become root again");
    else
        text_add(t, ": %s", reason(f->errnum));
    if (f->errnum == EPERM)
        text_add(t, "; fosterd needs root or CAP_SETUID and CAP_SETGID");
    else if (f->errnum == EINVAL)
        text_add(t, "; this user namespace does not have them");
}

/* Failures of one capability, or of none in particular. */
static void tell_cap(struct text *t, const struct spawn_failure *f)
{
    char name[CAPS_NAME_MAX];
    text_add(t, "%s", spawn_step_name(f->step));
    if (f->detail >= 0)
        text_add(t, " %s", caps_name((unsigned)f->detail, name));
    text_add(t, ": %s", reason(f->errnum));
    if (f->errnum != EPERM || f->detail < 0)
        return;
    if (f->step == SPAWN_STEP_BOUNDING)
        text_add(t, "; needs CAP_SETPCAP, or security_opt: [no-new-privileges:true]");
    else if (!have_cap((unsigned)f->detail))
        text_add(t, "; fosterd does not have it");
}

/* ------------------------------------------------------------------ files */

/* Whether the failed stdio step can only have been the opening of /dev/null. */
static bool is_dev_null(const struct spawn_request *req, int errnum)
{
    bool wanted = false;
    for (int i = 0; i < 3; i++)
        wanted = wanted || req->stdio[i] == SPAWN_FD_NULL;
    return wanted && errnum != EBADF && errnum != EMFILE;
}

/* A number that is too high is told by how many there may be. */
static void tell_fds(struct text *t, const struct spawn_request *req, const struct spawn_failure *f)
{
    struct rlimit own;
    text_add(t, "%s", spawn_step_name(f->step));
    if (f->detail < 0 || (size_t)f->detail >= req->n_fds) {
        text_add(t, "s: %s", reason(f->errnum));
        return;
    }
    int number = req->fds[f->detail].number;
    text_add(t, " %d: %s", number, reason(f->errnum));
    if (f->errnum == EBADF && sys_prlimit_get(0, RLIMIT_NOFILE, &own) == 0 && own.rlim_cur <= (rlim_t)number)
        text_add(t, "; fosterd itself may have %" PRIu64 " only (ulimit -n)", (uint64_t)own.rlim_cur);
}

/* Whom a file was refused to. */
static void add_as_user(struct text *t, const struct spawn_request *req, int errnum)
{
    if (errnum == EACCES && changes_user(req))
        text_add(t, " (as user %s)", req->ids->text);
}

static void tell_exec(struct text *t, const struct spawn_request *req, int errnum)
{
    const char *program = req->argv[0];
    text_add(t, "exec %s: %s", program, reason(errnum));
    if (errnum == ENOEXEC)
        text_add(t, " (does it begin with #!?)");
    else if (errnum == ENOENT && *program != '\0' && strchr(program, '/') == NULL)
        text_add(t, " (not found in PATH %s)", spawn_path(req->envp));
    else if (errnum == EAGAIN)
        text_add(t, " (its user has as many processes as ulimits nproc allows)");
    add_as_user(t, req, errnum);
}

char *spawn_failure_text(const struct spawn_request *req, const struct spawn_failure *f, char *buf, size_t size)
{
    struct text t = {.at = buf, .room = size};
    const char *step = spawn_step_name(f->step);

    switch ((int)f->step) {
    case SPAWN_STEP_LIMITS:
    case SPAWN_STEP_NOFILE:
        tell_limits(&t, req, f);
        break;
    case SPAWN_STEP_NICE:
        tell_number(&t, f, req->nice, "CAP_SYS_NICE");
        break;
    case SPAWN_STEP_OOM_SCORE_ADJ:
        tell_number(&t, f, req->oom_score_adj, "CAP_SYS_RESOURCE");
        break;
    case SPAWN_STEP_BOUNDING:
    case SPAWN_STEP_CAPS:
        tell_cap(&t, f);
        break;
    case SPAWN_STEP_GROUPS:
        tell_groups(&t, req, f->errnum);
        break;
    case SPAWN_STEP_USER:
        tell_user(&t, req, f);
        break;
    case SPAWN_STEP_WORKING_DIR:
        text_add(&t, "%s %s: %s", step, req->working_dir != NULL ? req->working_dir : "", reason(f->errnum));
        add_as_user(&t, req, f->errnum);
        break;
    case SPAWN_STEP_EXEC:
        tell_exec(&t, req, f->errnum);
        break;
    case SPAWN_STEP_FDS:
        tell_fds(&t, req, f);
        break;
    case SPAWN_STEP_STDIO:
        text_add(&t, "%s%s: %s", step, is_dev_null(req, f->errnum) ? " /dev/null" : "", reason(f->errnum));
        break;
    default:
        text_add(&t, "%s: %s", step, reason(f->errnum));
    }
    return buf;
}
