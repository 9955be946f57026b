/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Opens and reads the files of /proc; what their text means is base/procstat's business.
 *
 * A /proc that shows another pid namespace is worse than none: its numbers are other processes. So once
 * procfs_probe() has found that, or no /proc at all, no file of it is opened any more.
 */
#include "sys/procfs.h"

#include "base/mem.h"
#include "sys/sys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    PROC_PATH_MAX = 64,                   /* of the paths that are made here */
    STAT_TEXT_MAX = 2048,                 /* /proc/PID/stat: 52 numbers and a name */
    LIMITS_TEXT_MAX = 4096,               /* /proc/PID/limits: 17 lines of 80 */
    STATUS_TEXT_MAX = 4096,               /* /proc/PID/status: 60 lines, most of them short */
    CGROUP_TEXT_MAX = 6144,               /* /proc/PID/cgroup: a line for each hierarchy, that of version 2 last */
    COMMAND_TEXT_MAX = 1024,              /* as much of /proc/PID/cmdline as anybody shows */
    READ_CHUNK = 4096,                    /* the kernel gives no more at a time */
    CHILDREN_TEXT_MAX = 64 * 1024 * 1024, /* more than all the pids that a kernel can have */
    ENVIRON_TEXT_MAX = 8 * 1024 * 1024,   /* the kernel allows a quarter of the stack limit */
};

/* What procfs_probe() found; until then nothing is known. */
static struct {
    bool is_known;
    enum procfs_children_source children;
} found;

void pidlist_done(struct pidlist *l)
{
    mem_free(l->pids);
    *l = (struct pidlist){0};
}

static bool pidlist_room(struct pidlist *l, size_t more)
{
    return mem_grow(&l->pids, &l->cap, l->n + more, sizeof *l->pids);
}

static bool is_usable(void)
{
    if (found.is_known && found.children == PROCFS_CHILDREN_NONE) {
        errno = ENOSYS;
        return false;
    }
    return true;
}

/* Opens /proc/PID/FILE. -1 with errno. */
static int proc_open(pid_t pid, const char *file)
{
    char path[PROC_PATH_MAX];
    if (!is_usable())
        return -1;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return sys_open(path, O_RDONLY, 0);
}

/* Reads FD from here to its end into BUF; what does not fit is left. The length, or -1 with errno. */
static ssize_t read_small(int fd, char *buf, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = sys_read(fd, buf + len, size - len);
        if (n == -1)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

ssize_t procfs_read(pid_t pid, const char *file, char *buf, size_t size)
{
    CLEANUP(sys_close_fd) int fd = proc_open(pid, file);
    return fd == -1 ? -1 : read_small(fd, buf, size);
}

/* Appends what FD holds to B, as far as B can grow; beyond that is ENOMEM. */
static bool read_all(int fd, struct buf *b)
{
    for (;;) {
        char *room = buf_reserve(b, READ_CHUNK);
        if (room == NULL) {
            errno = ENOMEM;
            return false;
        }
        ssize_t n = sys_read(fd, room, READ_CHUNK);
        if (n <= 0)
            return n == 0;
        b->len += (size_t)n;
    }
}

/* The process id that the directory entry NAME is, or 0. */
static pid_t pid_of_name(const char *name)
{
    char *end;
    if (!isdigit((unsigned char)*name))
        return 0;
    errno = 0;
    long pid = strtol(name, &end, 10);
    return *end == '\0' && errno == 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* The next entry of DIR that is a number. 0 at the end, -1 with errno. */
static pid_t next_pid(DIR *dir)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            return errno == 0 ? 0 : -1;
        pid_t pid = pid_of_name(entry->d_name);
        if (pid > 0)
            return pid;
    }
}

/* closedir(3), which may set errno, must not hide why we gave up. */
static void close_dir(DIR *dir)
{
    int saved = errno;
    closedir(dir);
    errno = saved;
}

/* Appends the process ids in TEXT to L. */
static bool add_pids(const struct buf *text, struct pidlist *l)
{
    /* Each takes a digit and a blank at least. */
    if (!pidlist_room(l, text->len / 2 + 1))
        return false;
    ptrdiff_t n = procstat_parse_pids(buf_str(text), text->len, l->pids + l->n, l->cap - l->n);
    if (n < 0) {
        errno = EPROTO;
        return false;
    }
    l->n += (size_t)n;
    return true;
}

/* Whether thread TID of the task directory TASK_FD has ended. ENOSYS when it is there. */
static bool is_thread_gone(int task_fd, pid_t tid)
{
    char path[PROC_PATH_MAX];
    snprintf(path, sizeof path, "%d/stat", (int)tid);
    CLEANUP(sys_close_fd) int fd = sys_openat(task_fd, path, O_RDONLY, 0);
    if (fd != -1)
        errno = ENOSYS;
    return fd == -1 && errno == ENOENT;
}

/* Appends the children of one thread; TEXT is for reading. ENOSYS when the kernel has no such file. */
static bool add_children_of(int task_fd, pid_t tid, struct buf *text, struct pidlist *l)
{
    char path[PROC_PATH_MAX];
    snprintf(path, sizeof path, "%d/children", (int)tid);
    CLEANUP(sys_close_fd) int fd = sys_openat(task_fd, path, O_RDONLY, 0);
    if (fd == -1) {
        /* The children of a thread that has ended since belong to another thread now. */
        return errno == ENOENT && is_thread_gone(task_fd, tid);
    }
    buf_reset(text);
    if (!read_all(fd, text))
        return errno == ESRCH;
    return add_pids(text, l);
}

static bool children_from_file(pid_t pid, struct pidlist *l)
{
    char path[PROC_PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = sys_opendir(path);
    if (dir == NULL)
        return false;

    struct buf text;
    buf_init(&text, CHILDREN_TEXT_MAX);
    pid_t tid;
    bool ok = true;
    while (ok && (tid = next_pid(dir)) != 0)
        ok = tid > 0 && add_children_of(dirfd(dir), tid, &text, l);
    buf_done(&text);
    close_dir(dir);
    return ok;
}

static bool is_gone(int errnum)
{
    return errnum == ENOENT || errnum == ESRCH;
}

/* Keeps in L, which holds all processes, those whose parent is PID. */
static bool keep_children(pid_t pid, struct pidlist *l)
{
    size_t kept = 0;
    bool is_there = false;

    for (size_t i = 0; i < l->n; i++) {
        struct procstat st;
        if (l->pids[i] == pid)
            is_there = true;
        if (procfs_stat(l->pids[i], &st)) {
            if (st.ppid == pid)
                l->pids[kept++] = l->pids[i];
        } else if (!is_gone(errno) && errno != EACCES && errno != EPERM) {
            return false; /* what is hidden from us is not missed; anything else is a hole in the answer */
        }
    }
    l->n = kept;
    if (!is_there)
        errno = ENOENT;
    return is_there;
}

/* Whether /proc is mounted and shows our own pid namespace. */
static bool shows_us(void)
{
    char text[32] = "";
    ssize_t n = sys_readlink("/proc/self", text, sizeof text - 1);
    return n > 0 && pid_of_name(text) == sys_getpid();
}

static bool children_from_scan(pid_t pid, struct pidlist *l)
{
    if (!shows_us()) {
        errno = ENOSYS;
        return false;
    }
    return procfs_all(l) && keep_children(pid, l);
}

enum procfs_children_source procfs_probe(void)
{
    found.is_known = false;
    found.children = PROCFS_CHILDREN_NONE;
    if (shows_us()) {
        char file[PROC_PATH_MAX];
        pid_t self = sys_getpid();
        snprintf(file, sizeof file, "task/%d/children", (int)self);
        CLEANUP(sys_close_fd) int fd = proc_open(self, file);
        found.children = fd != -1 ? PROCFS_CHILDREN_FILE : PROCFS_CHILDREN_SCAN;
    }
    found.is_known = true;
    return found.children;
}

bool procfs_children(pid_t pid, struct pidlist *l)
{
    bool ok = false;
    l->n = 0;
    if (!is_usable())
        return false;
    bool try_scan = found.is_known && found.children == PROCFS_CHILDREN_SCAN;
    if (!try_scan) {
        ok = children_from_file(pid, l);
        /* No file may mean no such process, no such file, or no /proc: the scan knows which. */
        try_scan = !ok && !found.is_known && (errno == ENOSYS || errno == ENOENT);
    }
    if (try_scan) {
        l->n = 0;
        ok = children_from_scan(pid, l);
    }
    if (!ok)
        l->n = 0;
    return ok;
}

bool procfs_children_of(const struct procstat *st, struct pidlist *l)
{
    char file[PROC_PATH_MAX];
    if (st->n_threads != 1 || !found.is_known || found.children != PROCFS_CHILDREN_FILE)
        return procfs_children(st->pid, l);
    l->n = 0;
    snprintf(file, sizeof file, "task/%d/children", (int)st->pid);
    CLEANUP(sys_close_fd) int fd = proc_open(st->pid, file);
    if (fd == -1)
        return false;
    struct buf text;
    buf_init(&text, CHILDREN_TEXT_MAX);
    bool ok = read_all(fd, &text) && add_pids(&text, l);
    buf_done(&text);
    return ok;
}

bool procfs_stat(pid_t pid, struct procstat *ret)
{
    char text[STAT_TEXT_MAX];
    ssize_t len = procfs_read(pid, "stat", text, sizeof text);
    if (len == -1)
        return false;
    if (!procstat_parse(text, (size_t)len, ret)) {
        errno = EPROTO;
        return false;
    }
    return true;
}

bool procfs_hangs(pid_t pid)
{
    char path[PROC_PATH_MAX], text[STAT_TEXT_MAX];
    struct procstat st;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = is_usable() ? sys_opendir(path) : NULL;
    if (dir == NULL)
        return false;

    pid_t tid;
    bool hangs = false;
    while (!hangs && (tid = next_pid(dir)) > 0) {
        snprintf(path, sizeof path, "task/%d/stat", (int)tid);
        ssize_t len = procfs_read(pid, path, text, sizeof text);
        hangs = len > 0 && procstat_parse(text, (size_t)len, &st) && st.state == 'D';
    }
    close_dir(dir);
    return hangs;
}

bool procfs_tag(pid_t pid, uint64_t *ret)
{
    struct rlimit limit;
    if (pid <= 0) {
        errno = ESRCH; /* 0 would be ourselves */
        return false;
    }
    if (sys_prlimit_get(pid, RLIMIT_LOCKS, &limit) == 0) {
        *ret = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
        return true;
    }
    if (errno != EPERM && errno != ENOSYS)
        return false;

    char text[LIMITS_TEXT_MAX];
    ssize_t len = procfs_read(pid, "limits", text, sizeof text);
    if (len == -1)
        return false;
    if (!procstat_parse_locks(text, (size_t)len, ret)) {
        errno = EPROTO;
        return false;
    }
    return true;
}

bool procfs_env(pid_t pid, const char *name, char *buf, size_t size)
{
    CLEANUP(sys_close_fd) int fd = proc_open(pid, "environ");
    if (fd == -1)
        return false;
    struct buf text;
    buf_init(&text, ENVIRON_TEXT_MAX);
    bool ok = read_all(fd, &text) && procstat_parse_env(buf_str(&text), text.len, name, buf, size);
    buf_done(&text);
    return ok;
}

bool procfs_command(pid_t pid, char *buf, size_t size)
{
    char text[COMMAND_TEXT_MAX];
    ssize_t len = procfs_read(pid, "cmdline", text, sizeof text);
    if (len == -1)
        return false;
    (void)procstat_line(text, (size_t)len, buf, size);
    return true;
}

bool procfs_status(pid_t pid, const char *name, unsigned base, uint64_t *ret)
{
    char text[STATUS_TEXT_MAX];
    ssize_t len = procfs_read(pid, "status", text, sizeof text);
    if (len == -1)
        return false;
    if (!procstat_parse_status(text, (size_t)len, name, base, ret)) {
        errno = EPROTO;
        return false;
    }
    return true;
}

bool procfs_cgroup(pid_t pid, char *buf, size_t size)
{
    char text[CGROUP_TEXT_MAX];
    ssize_t len = procfs_read(pid, "cgroup", text, sizeof text);
    if (len == -1)
        return false;
    if (!procstat_parse_cgroup(text, (size_t)len, buf, size)) {
        errno = EPROTO;
        return false;
    }
    return true;
}

bool procfs_all(struct pidlist *l)
{
    l->n = 0;
    if (!is_usable())
        return false;
    DIR *dir = sys_opendir("/proc");
    if (dir == NULL)
        return false;

    pid_t pid;
    bool ok = true;
    while (ok && (pid = next_pid(dir)) != 0) {
        ok = pid > 0 && pidlist_room(l, 1);
        if (ok)
            l->pids[l->n++] = pid;
    }
    close_dir(dir);
    if (!ok)
        l->n = 0;
    return ok;
}
