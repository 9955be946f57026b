/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Asks the kernel what works. What follows from the answers is for others to say.
 */
#include "sys/probe.h"

#include "base/buf.h"
#include "sys/files.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
    PROBE_TEXT_MAX = 16384, /* /proc/self/cgroup: a line for each hierarchy */
    PROBE_NUMBER_MAX = 64,
    PROBE_PATH_MAX = 1024, /* longer names of control groups nobody has */
};

/* The kernels' number of P_PIDFD, which the C library may not have. */
enum { PROBE_P_PIDFD = 3 };

/* Closes FD, which a call has made: what matters is that it could. */
static int probe_made(int fd)
{
    if (fd < 0)
        return errno;
    sys_close(fd);
    return 0;
}

/* Whether what wants a pidfd works with our own. */
static int probe_with_pidfd(enum probe_call call)
{
    CLEANUP(sys_close_fd) int fd = sys_pidfd_open(sys_getpid());
    siginfo_t info;
    if (fd < 0)
        return errno;
    if (call == PROBE_PIDFD_SEND_SIGNAL)
        return sys_pidfd_send_signal(fd, 0) < 0 ? errno : 0;
    /* We are no child of ours: that answer shows that the question was understood. */
    if (sys_waitid((idtype_t)PROBE_P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno == ECHILD)
        return 0;
    return errno;
}

int probe_call(enum probe_call call)
{
    sigset_t none;
    sigemptyset(&none);
    switch (call) {
    case PROBE_PIDFD_OPEN:
        return probe_made(sys_pidfd_open(sys_getpid()));
    case PROBE_PIDFD_SEND_SIGNAL:
    case PROBE_WAITID_PIDFD:
        return probe_with_pidfd(call);
    case PROBE_CLONE3:
        return sys_clone3_nothing() < 0 && errno == EINVAL ? 0 : errno;
    case PROBE_CLOSE_RANGE:
        /* No descriptor has that number. */
        return sys_close_range(UINT_MAX, UINT_MAX) < 0 ? errno : 0;
    case PROBE_SIGNALFD:
        return probe_made(sys_signalfd(&none));
    case PROBE_TIMERFD:
        return probe_made(sys_timerfd());
    case PROBE_INOTIFY:
        return probe_made(sys_inotify_init());
    case PROBE_CALL_N:
        break;
    }
    return EINVAL;
}

enum probe_stream probe_stream(int fd)
{
    struct stat st;
    if (sys_fstat(fd, &st) < 0)
        return PROBE_STREAM_CLOSED;
    if (S_ISFIFO(st.st_mode))
        return PROBE_STREAM_PIPE;
    if (S_ISSOCK(st.st_mode))
        return PROBE_STREAM_SOCKET;
    if (S_ISREG(st.st_mode))
        return PROBE_STREAM_FILE;
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
        return PROBE_STREAM_NULL;
    return isatty(fd) ? PROBE_STREAM_TERMINAL : PROBE_STREAM_OTHER;
}

/* Whether the LEN bytes at LIST, names with commas between, have NAME. */
static bool probe_list_has(const char *list, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    for (size_t at = 0; at <= len;) {
        const char *comma = memchr(list + at, ',', len - at);
        size_t item_len = comma != NULL ? (size_t)(comma - list) - at : len - at;
        if (item_len == name_len && memcmp(list + at, name, name_len) == 0)
            return true;
        at += item_len + 1;
    }
    return false;
}

/* The path in the line of /proc/self/cgroup, "ID:CONTROLLERS:PATH", that is meant, into PATH. */
static bool probe_cgroup_path(const char *text, const char *controller, char *path, size_t size)
{
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *list = memchr(line, ':', len);
        const char *end = list != NULL ? memchr(list + 1, ':', len - (size_t)(list + 1 - line)) : NULL;
        if (end != NULL) {
            size_t list_len = (size_t)(end - list) - 1;
            size_t path_len = len - (size_t)(end + 1 - line);
            bool meant = controller == NULL ? list_len == 0 : probe_list_has(list + 1, list_len, controller);
            if (meant && path_len < size) {
                memcpy(path, end + 1, path_len);
                path[path_len] = '\0';
                return true;
            }
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

static bool probe_is_there(const char *top, const char *path, const char *file)
{
    char name[PROBE_PATH_MAX];
    int len = snprintf(name, sizeof name, "%s%s/%s", top, path, file);
    return len > 0 && (size_t)len < sizeof name && sys_access(name, F_OK) == 0;
}

bool probe_cgroup(const char *controller, char *dir, size_t size)
{
    static const char *const unified[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char path[PROBE_PATH_MAX], top[64];
    struct buf text;
    struct err e = {0};
    buf_init(&text, PROBE_TEXT_MAX);
    bool ok = files_read("/proc/self/cgroup", PROBE_TEXT_MAX, FILES_TRUST_ANY, &text, &e) &&
              probe_cgroup_path(buf_str(&text), controller, path, sizeof path);
    buf_done(&text);
    if (!ok)
        return false;
    if (controller != NULL)
        snprintf(top, sizeof top, "/sys/fs/cgroup/%.32s", controller);
    else
        snprintf(top, sizeof top, "%s", unified[probe_is_there(unified[0], "", "cgroup.procs") ? 0 : 1]);
    if (!probe_is_there(top, "", "cgroup.procs"))
        return false;
    if (strcmp(path, "/") == 0 || !probe_is_there(top, path, "cgroup.procs"))
        path[0] = '\0';
    int len = snprintf(dir, size, "%s%s", top, path);
    return len > 0 && (size_t)len < size;
}

/* Reads what fits of the small file NAME into TEXT, with a NUL behind. */
static bool probe_read(const char *name, char *text, size_t size)
{
    CLEANUP(sys_close_fd) int fd = sys_open(name, O_RDONLY | O_NONBLOCK, 0);
    ssize_t n = fd >= 0 ? sys_read(fd, text, size - 1) : -1;
    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

static bool probe_digits(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || text[0] == '-' || errno != 0)
        return false;
    *ret = number;
    return true;
}

bool probe_number(const char *dir, const char *file, uint64_t *ret)
{
    char name[PROBE_PATH_MAX], text[PROBE_NUMBER_MAX];
    int len = snprintf(name, sizeof name, "%s/%s", dir, file);
    if (len < 0 || (size_t)len >= sizeof name || !probe_read(name, text, sizeof text))
        return false;
    if (strncmp(text, "max", 3) != 0)
        return probe_digits(text, ret);
    *ret = UINT64_MAX;
    return true;
}

bool probe_group_number(const char *controller, const char *file, char *dir, size_t size, uint64_t *ret)
{
    return (probe_cgroup(NULL, dir, size) && probe_number(dir, file, ret)) ||
           (probe_cgroup(controller, dir, size) && probe_number(dir, file, ret));
}

bool probe_tasks(uint64_t *ret)
{
    char text[PROBE_NUMBER_MAX * 2];
    /* "0.20 0.18 0.12 1/80 11206": behind the slash is what there is. */
    const char *slash = probe_read("/proc/loadavg", text, sizeof text) ? strchr(text, '/') : NULL;
    return slash != NULL && probe_digits(slash + 1, ret);
}
