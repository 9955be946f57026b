/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * See look.h.
 */
#include "init/support/look.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_ROOM = 4096, SIGNALS = 64 };

static void path_of(pid_t pid, const char *name, char *buf, size_t size)
{
    (void)snprintf(buf, size, "/proc/%d/%s", (int)pid, name);
}

size_t look_file(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    size_t n = 0;
    ssize_t got;
    path_of(pid, name, path, sizeof(path));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && n < size - 1 && (got = read(fd, buf + n, size - 1 - n)) > 0) {
        n += (size_t)got;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    buf[n] = 0;
    return n;
}

const char *look_link(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    path_of(pid, name, path, sizeof(path));
    ssize_t n = readlink(path, buf, size - 1);
    buf[n > 0 ? n : 0] = 0;
    return buf;
}

/** Field N (3: state) of /proc/PID/stat into BUF. */
static const char *stat_field(pid_t pid, int n, char *buf, size_t size)
{
    char text[1024];
    (void)look_file(pid, "stat", text, sizeof(text));
    char *s = strrchr(text, ')');
    char *rest = NULL;
    char *word = s ? strtok_r(s + 1, " ", &rest) : NULL;
    for (int i = 3; word && i < n; i++) {
        word = strtok_r(NULL, " ", &rest);
    }
    (void)snprintf(buf, size, "%s", word ? word : "");
    return buf;
}

static pid_t stat_number(pid_t pid, int n)
{
    char text[32];
    return (pid_t)strtol(stat_field(pid, n, text, sizeof(text)), NULL, 10);
}

char look_state(pid_t pid)
{
    char text[32];
    return *stat_field(pid, 3, text, sizeof(text));
}

pid_t look_parent(pid_t pid)
{
    return stat_number(pid, 4);
}

pid_t look_group(pid_t pid)
{
    return stat_number(pid, 5);
}

pid_t look_session(pid_t pid)
{
    return stat_number(pid, 6);
}

const char *look_status(pid_t pid, const char *name, char *buf, size_t size)
{
    char text[STATUS_ROOM];
    size_t len = strlen(name);
    (void)look_file(pid, "status", text, sizeof(text));
    buf[0] = 0;
    for (char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (!strncmp(line, name, len) && line[len] == ':') {
            const char *value = line + len + 1;
            value += strspn(value, " \t");
            (void)snprintf(buf, size, "%.*s", (int)strcspn(value, "\n"), value);
            break;
        }
    }
    return buf;
}

uint64_t look_set(pid_t pid, const char *name)
{
    char text[32];
    return strtoull(look_status(pid, name, text, sizeof(text)), NULL, 16);
}

uint64_t look_pending(pid_t pid)
{
    return look_set(pid, "SigPnd") | look_set(pid, "ShdPnd");
}

bool look_has_fd(pid_t pid, int fd)
{
    char name[32];
    char target[256];
    (void)snprintf(name, sizeof(name), "fd/%d", fd);
    return *look_link(pid, name, target, sizeof(target));
}

pid_t look_any_child(void)
{
    char name[64];
    char text[64];
    (void)snprintf(name, sizeof(name), "task/%d/children", (int)getpid());
    (void)look_file(getpid(), name, text, sizeof(text));
    return (pid_t)strtol(text, NULL, 10);
}

const char *look_set_text(uint64_t set, char *buf, size_t size)
{
    size_t n = 0;
    (void)snprintf(buf, size, "none");
    for (int from = 1; from <= SIGNALS; from++) {
        int to = from;
        if (!(set >> (from - 1) & 1)) {
            continue;
        }
        while (to < SIGNALS && (set >> to & 1)) {
            to++;
        }
        int put = from == to ? snprintf(buf + n, size - n, "%s%d", n ? " " : "", from)
                             : snprintf(buf + n, size - n, "%s%d-%d", n ? " " : "", from, to);
        n += (size_t)put;
        from = to;
    }
    return buf;
}

void look_again(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}
