/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Directories of control groups and the files in them. Everything goes by descriptors of directories, so that what is
 * said here can be tried in any directory.
 */
#include "sys/cgroup.h"

#include "sys/sys.h"
#include "sys/sys_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CGROUP_TEXT_MAX = 4096,     /* of cgroup.procs so much is read: whom to name is in its beginning */
    CGROUP_VALUE_MAX = 64,      /* of a limit */
    CGROUP_DEPTH_MAX = 32,      /* a service may make groups in its own; nobody nests them deeper */
    CGROUP_PERIOD_US = 100000,  /* in which the time of processors is shared out; the kernel's own */
    CGROUP_QUOTA_MIN_US = 1000, /* the kernel takes no less */
};

static const char *const controller_names[] = {
    [CGROUP_PIDS] = "pids",
    [CGROUP_MEMORY] = "memory",
    [CGROUP_CPU] = "cpu",
};
_Static_assert(ARRAY_LEN(controller_names) == CGROUP_CONTROLLER_N, "every controller has its name");

/* The file with the limit of a controller, by version. */
static const char *const limit_files[CGROUP_CONTROLLER_N][2] = {
    [CGROUP_PIDS] = {"pids.max", "pids.max"},
    [CGROUP_MEMORY] = {"memory.limit_in_bytes", "memory.max"},
    [CGROUP_CPU] = {"cpu.cfs_quota_us", "cpu.max"},
};

/* The file that counts how often it was met, and the word before the number. */
static const struct {
    const char *file;
    const char *key;
} hits_files[CGROUP_CONTROLLER_N][2] = {
    [CGROUP_PIDS] = {{"pids.events", "max"}, {"pids.events", "max"}},
    [CGROUP_MEMORY] = {{"memory.oom_control", "oom_kill"}, {"memory.events", "oom_kill"}},
};

const char *cgroup_controller_name(enum cgroup_controller c)
{
    return controller_names[c];
}

/* Whether NAME could be that of a file of the kernel's, "CONTROLLER.WORD": what is behind the first dot of an instance
 * ("web.2") is a number. */
static bool is_like_a_file(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL && (dot[1] == '\0' || strspn(dot + 1, "0123456789") != strlen(dot + 1));
}

char *cgroup_unit_name(const char *name, char *buf)
{
    static const char *const taken[] = {"supervisor", "tasks", "notify_on_release", "release_agent"};
    bool escape = is_like_a_file(name);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        escape = escape || strcmp(name, taken[i]) == 0;
    /* No name in a configuration begins with it. */
    snprintf(buf, CGROUP_NAME_MAX, "%s%s", escape ? "_" : "", name);
    return buf;
}

int cgroup_make(int dir_fd, const char *name, struct err *e)
{
    if (sys_mkdirat(dir_fd, name, 0755) != 0 && errno != EEXIST) {
        err_set_errno(e, errno, "making the control group %s", name);
        return -1;
    }
    int fd = sys_openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd == -1)
        err_set_errno(e, errno, "opening the control group %s", name);
    return fd;
}

int cgroup_open_file(int dir_fd, const char *file)
{
    return sys_openat(dir_fd, file, O_WRONLY | O_NOFOLLOW, 0);
}

bool cgroup_write(int dir_fd, const char *file, const char *text)
{
    CLEANUP(sys_close_fd) int fd = cgroup_open_file(dir_fd, file);
    return fd >= 0 && sys_write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

bool cgroup_read(int dir_fd, const char *file, char *buf, size_t size)
{
    CLEANUP(sys_close_fd) int fd = sys_openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    size_t len = 0;
    ssize_t n = fd >= 0 ? 1 : -1;
    while (n > 0 && len < size - 1) {
        n = sys_read(fd, buf + len, size - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        return false;
    buf[len] = '\0';
    return true;
}

bool cgroup_list(int dir_fd, struct cgroup_left *ret)
{
    char text[CGROUP_TEXT_MAX];
    if (!cgroup_read(dir_fd, "cgroup.procs", text, sizeof text))
        return false;
    for (const char *line = text; *line != '\0';) {
        if (ret->n < CGROUP_LEFT_MAX)
            ret->pids[ret->n] = (pid_t)strtol(line, NULL, 10);
        ret->n++;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return true;
}

static bool remove_at(int dir_fd, const char *name, struct cgroup_left *left, unsigned depth);

static bool is_directory(const struct dirent *entry)
{
    return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Removes the directories in FD but KEEP. */
static bool remove_in(int fd, const char *keep, struct cgroup_left *left, unsigned depth)
{
    bool ok = true;
    int own_fd = sys_openat(fd, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = own_fd >= 0 ? sys_fdopendir(own_fd) : NULL;
    if (dir == NULL) {
        sys_close(own_fd);
        return false;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (is_directory(entry) && (keep == NULL || strcmp(entry->d_name, keep) != 0))
            ok = remove_at(fd, entry->d_name, left, depth + 1) && ok;
    int errnum = errno;
    closedir(dir);
    errno = errnum;
    return ok;
}

static bool remove_at(int dir_fd, const char *name, struct cgroup_left *left, unsigned depth)
{
    if (sys_rmdirat(dir_fd, name) == 0 || errno == ENOENT)
        return true;
    if (depth >= CGROUP_DEPTH_MAX)
        return false;
    CLEANUP(sys_close_fd) int fd = sys_openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return errno == ENOENT;
    bool is_alone = remove_in(fd, NULL, left, depth);
    if (is_alone && (sys_rmdirat(dir_fd, name) == 0 || errno == ENOENT))
        return true;
    int errnum = errno;
    /* Who is in it is wanted for a message only, which does without where that cannot be read. */
    bool known = left != NULL && cgroup_list(fd, left);
    (void)known;
    errno = errnum;
    return false;
}

bool cgroup_remove(int dir_fd, const char *name, struct cgroup_left *left)
{
    return remove_at(dir_fd, name, left, 0);
}

bool cgroup_remove_below(int dir_fd, const char *keep, struct cgroup_left *left)
{
    return remove_in(dir_fd, keep, left, 0);
}

bool cgroup_has_limit(const struct cgroup_limits *limits, enum cgroup_controller c)
{
    switch (c) {
    case CGROUP_PIDS:
        return limits->pids > 0;
    case CGROUP_MEMORY:
        return limits->bytes > 0;
    case CGROUP_CPU:
        return limits->cpus > 0;
    case CGROUP_CONTROLLER_N:
        break;
    }
    return false;
}

static int64_t quota_us(double cpus)
{
    double us = cpus * CGROUP_PERIOD_US;
    return us < CGROUP_QUOTA_MIN_US ? CGROUP_QUOTA_MIN_US : (int64_t)us;
}

/* What stands in the file for the limit of C, or for none. */
static void limit_text(bool unified, enum cgroup_controller c, const struct cgroup_limits *limits, char *text)
{
    const char *none = unified || c == CGROUP_PIDS ? "max" : "-1";
    if (!cgroup_has_limit(limits, c))
        snprintf(text, CGROUP_VALUE_MAX, "%s", none);
    else if (c == CGROUP_PIDS)
        snprintf(text, CGROUP_VALUE_MAX, "%" PRId64, limits->pids);
    else if (c == CGROUP_MEMORY)
        snprintf(text, CGROUP_VALUE_MAX, "%" PRId64, limits->bytes);
    else if (unified)
        snprintf(text, CGROUP_VALUE_MAX, "%" PRId64 " %d", quota_us(limits->cpus), CGROUP_PERIOD_US);
    else
        snprintf(text, CGROUP_VALUE_MAX, "%" PRId64, quota_us(limits->cpus));
}

static const char *limit_file(bool unified, enum cgroup_controller c)
{
    return (unsigned)c < CGROUP_CONTROLLER_N ? limit_files[c][unified] : "?";
}

bool cgroup_set_limit(int dir_fd, bool unified, enum cgroup_controller c, const struct cgroup_limits *limits,
                      struct err *e)
{
    char text[CGROUP_VALUE_MAX];
    limit_text(unified, c, limits, text);
    if (cgroup_write(dir_fd, limit_file(unified, c), text))
        return true;
    err_set_errno(e, errno, "writing %s to %s", text, limit_file(unified, c));
    return false;
}

const char *cgroup_hits_file(bool unified, enum cgroup_controller c)
{
    return hits_files[c][unified].file;
}

/* The number behind the word KEY at the beginning of a line of TEXT. */
static bool find_number(const char *text, const char *key, uint64_t *ret)
{
    size_t len = strlen(key);
    for (const char *line = text; *line != '\0';) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ') {
            *ret = strtoull(line + len, NULL, 10);
            return true;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return false;
}

bool cgroup_hits(int dir_fd, bool unified, enum cgroup_controller c, uint64_t *ret)
{
    char text[CGROUP_TEXT_MAX];
    const char *file = cgroup_hits_file(unified, c);
    return file != NULL && cgroup_read(dir_fd, file, text, sizeof text) &&
           find_number(text, hits_files[c][unified].key, ret);
}
