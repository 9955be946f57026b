/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Facts about processes, see procs.h.
 */
#include "scenario/support/procs.h"

#include "scenario/support/scenario.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/** The bytes of /proc/PID/NAME, NUL behind them; their number, or -1. */
static ssize_t read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0) {
        len += (size_t)n;
    }
    buf[len] = '\0';
    (void)close(fd);
    return (ssize_t)len;
}

/** env_start of proc_pid_stat(5), counted from the state letter as 0. */
enum { STAT_ENV_START = 47 };

/** Field N of /proc/PID/stat, counted from the state letter as 0; NULL when there is no such process. */
static const char *stat_field(pid_t pid, int n, char *buf, size_t size)
{
    if (read_proc(pid, "stat", buf, size) <= 0) {
        return NULL;
    }
    char *at = strrchr(buf, ')');
    for (; at && n >= 0; n--) {
        at = strchr(at + 1, ' ');
    }
    return at ? at + 1 : NULL;
}

static pid_t stat_number(pid_t pid, int n)
{
    char buf[1024];
    const char *field = stat_field(pid, n, buf, sizeof(buf));
    return field ? (pid_t)strtol(field, NULL, 10) : 0;
}

char procs_state(pid_t pid)
{
    char buf[1024];
    const char *field = stat_field(pid, 0, buf, sizeof(buf));
    return field ? *field : '\0';
}

pid_t procs_parent(pid_t pid)
{
    return stat_number(pid, 1);
}

pid_t procs_session(pid_t pid)
{
    return stat_number(pid, 3);
}

bool procs_is_alive(pid_t pid)
{
    char state = procs_state(pid);
    return state && state != 'Z' && state != 'X';
}

/** Appends the children of PID that are in RET's room. */
static void add_children(pid_t pid, struct procs *ret)
{
    static char text[PROCS_MAX * 8];
    char name[64];
    (void)snprintf(name, sizeof(name), "task/%d/children", (int)pid);
    if (read_proc(pid, name, text, sizeof(text)) <= 0) {
        return;
    }
    char *end;
    for (char *at = text; ret->n < PROCS_MAX; at = end) {
        long child = strtol(at, &end, 10);
        if (end == at) {
            return;
        }
        ret->pids[ret->n++] = (pid_t)child;
    }
}

void procs_all_children(pid_t pid, struct procs *ret)
{
    ret->n = 0;
    add_children(pid, ret);
}

bool procs_is_logger(pid_t pid)
{
    char name[32];
    ssize_t n = read_proc(pid, "comm", name, sizeof(name));
    return n > 0 && !strncmp(name, "foster-logger", strlen("foster-logger"));
}

pid_t procs_next_logger(struct scenario *s, pid_t before)
{
    static struct procs children;
    for (;; (void)sched_yield()) {
        procs_all_children(scenario_pid(s), &children);
        for (size_t i = 0; i < children.n; i++) {
            pid_t pid = children.pids[i];
            if (pid != before && procs_is_logger(pid) && procs_is_alive(pid)) {
                return pid;
            }
        }
        (void)scenario_time_left(s);
    }
}

pid_t procs_stop_logger(struct scenario *s)
{
    pid_t logger = procs_next_logger(s, 0);
    assert_int_equal(kill(logger, SIGSTOP), 0);
    while (procs_state(logger) != 'T') {
        (void)scenario_time_left(s);
    }
    return logger;
}

void procs_children(pid_t pid, struct procs *ret)
{
    size_t n = 0;
    procs_all_children(pid, ret);
    for (size_t i = 0; i < ret->n; i++) {
        if (!procs_is_logger(ret->pids[i])) {
            ret->pids[n++] = ret->pids[i];
        }
    }
    ret->n = n;
}

void procs_descendants(pid_t pid, struct procs *ret)
{
    ret->n = 0;
    add_children(pid, ret);
    for (size_t i = 0; i < ret->n; i++) {
        add_children(ret->pids[i], ret);
    }
}

unsigned long procs_environment(pid_t pid)
{
    char buf[1024];
    const char *start = stat_field(pid, STAT_ENV_START, buf, sizeof(buf));
    return start ? strtoul(start, NULL, 10) : 0;
}

int procs_descriptors(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (!dir) {
        return -1;
    }
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        n += e->d_name[0] != '.';
    }
    (void)closedir(dir);
    return n;
}

long procs_status(pid_t pid, const char *name)
{
    char buf[4096];
    char key[64];
    (void)snprintf(key, sizeof(key), "\n%s:", name);
    if (read_proc(pid, "status", buf, sizeof(buf)) <= 0) {
        return -1;
    }
    const char *at = strstr(buf, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

const char *procs_command(pid_t pid, char *buf, size_t size)
{
    ssize_t n = read_proc(pid, "cmdline", buf, size);
    for (ssize_t i = 0; i + 1 < n; i++) {
        buf[i] = buf[i] ? buf[i] : ' ';
    }
    return n > 0 ? buf : "(no command line)";
}

pid_t procs_child_named(pid_t pid, const char *text)
{
    static struct procs children;
    char buf[1024];
    procs_children(pid, &children);
    for (size_t i = 0; i < children.n; i++) {
        if (strstr(procs_command(children.pids[i], buf, sizeof(buf)), text)) {
            return children.pids[i];
        }
    }
    return 0;
}

void procs_wait_end(struct scenario *s, pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        scenario_check(s, errno == ESRCH);
        return;
    }
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, scenario_time_left(s));
    (void)close(fd);
    if (n <= 0) {
        scenario_fail(s, "process %d does not end", (int)pid);
    }
}
