/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * In which group the tree is made: our own one, or one that we are told of.
 */
#include "sys/cgroup.h"

#include "sys/files.h"
#include "sys/probe.h"
#include "sys/procfs.h"
#include "sys/sys.h"
#include "sys/sys_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
    BASE_MOUNTS_MAX = 1 << 20, /* bytes of /proc/self/mountinfo: a host with many containers has thousands of lines */
    BASE_WORDS_MAX = 24,       /* of one line */
    BASE_LIST_MAX = 1024,      /* of cgroup.controllers */
};

/* The controllers in LIST, names with one of SEPARATORS between. */
static unsigned controllers_in(char *list, const char *separators)
{
    unsigned found = 0;
    char *rest;
    for (char *word = strtok_r(list, separators, &rest); word != NULL; word = strtok_r(NULL, separators, &rest))
        for (enum cgroup_controller c = 0; c < CGROUP_CONTROLLER_N; c++)
            if (strcmp(word, cgroup_controller_name(c)) == 0)
                found |= 1U << c;
    return found;
}

/* Sets which controllers of version 2 BASE has. */
static void read_controllers(struct cgroup_base *base)
{
    char list[BASE_LIST_MAX];
    CLEANUP(sys_close_fd) int fd = sys_open(base->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0 && cgroup_read(fd, "cgroup.controllers", list, sizeof list))
        base->controllers = controllers_in(list, " \n");
}

bool cgroup_base_unified(struct cgroup_base *ret)
{
    struct cgroup_base base = {.unified = true};
    if (!probe_cgroup(NULL, base.path, sizeof base.path) || !procfs_cgroup(sys_getpid(), base.seen, sizeof base.seen))
        return false;
    if (strcmp(base.seen, "/") == 0)
        base.seen[0] = '\0';
    read_controllers(&base);
    *ret = base;
    return true;
}

bool cgroup_base_of(enum cgroup_controller c, struct cgroup_base *ret)
{
    struct cgroup_base base = {.controllers = 1U << c};
    if (!probe_cgroup(cgroup_controller_name(c), base.path, sizeof base.path))
        return false;
    *ret = base;
    return true;
}

/* What one line of mountinfo says, proc_pid_mountinfo(5). */
struct mount_line {
    const char *root;
    const char *point;
    const char *type;
    char *options; /* of the file system */
};

static bool parse_line(char *line, struct mount_line *ret)
{
    enum { ROOT = 3, POINT = 4, BEHIND = 6 }; /* words from 0 on; then optional ones, and a dash */
    char *words[BASE_WORDS_MAX], *rest;
    size_t n = 0, dash = 0;
    for (char *word = strtok_r(line, " ", &rest); word != NULL && n < BASE_WORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        if (n >= BEHIND && dash == 0 && strcmp(word, "-") == 0)
            dash = n;
        words[n++] = word;
    }
    if (dash == 0 || dash + 3 >= n)
        return false;
    *ret = (struct mount_line){words[ROOT], words[POINT], words[dash + 1], words[dash + 3]};
    return true;
}

/* What of PATH is below the mount point POINT, with its slash; NULL: it is elsewhere. */
static const char *below(const char *path, const char *point)
{
    size_t len = strcmp(point, "/") == 0 ? 0 : strlen(point);
    return strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0') ? path + len : NULL;
}

/* Fills BASE for PATH, which is REST below the mount M. */
static bool base_of_mount(struct mount_line *m, const char *path, const char *rest, struct cgroup_base *base)
{
    base->unified = strcmp(m->type, "cgroup2") == 0;
    if (!base->unified)
        base->controllers = controllers_in(m->options, ",");
    int len = snprintf(base->path, sizeof base->path, "%s", path);
    int seen = snprintf(base->seen, sizeof base->seen, "%s%s", strcmp(m->root, "/") == 0 ? "" : m->root, rest);
    return len > 0 && (size_t)len < sizeof base->path && seen >= 0 && (size_t)seen < sizeof base->seen;
}

bool cgroup_base_parse(const char *text, const char *path, struct cgroup_base *ret, struct err *e)
{
    struct arena arena = {0};
    char *copy = arena_strdup(&arena, text), *next;
    struct mount_line best = {.type = "none"};
    const char *rest = NULL;
    size_t best_len = 0;
    struct cgroup_base base = {0};
    bool ok = false;
    if (copy == NULL) {
        err_set_errno(e, ENOMEM, "the list of mounts");
        return false;
    }
    /* The mount whose point is longest; of two at the same point, the later one covers the other. */
    for (char *line = strtok_r(copy, "\n", &next); line != NULL; line = strtok_r(NULL, "\n", &next)) {
        struct mount_line m;
        const char *here = parse_line(line, &m) ? below(path, m.point) : NULL;
        if (here == NULL || strlen(m.point) < best_len)
            continue;
        best = m;
        rest = here;
        best_len = strlen(m.point);
    }
    if (strcmp(best.type, "cgroup2") != 0 && strcmp(best.type, "cgroup") != 0)
        err_set(e, ERR_INPUT, "%s is no control group (its file system is %s)", path, best.type);
    else if (!base_of_mount(&best, path, rest, &base))
        err_set(e, ERR_LIMIT, "%s: the path is too long", path);
    else
        ok = true;
    if (ok)
        *ret = base;
    arena_done(&arena);
    return ok;
}

/* PATH without symbolic links, into BUF. False with *E. */
static bool resolve(const char *path, char *buf, size_t size, struct err *e)
{
    char link[32];
    CLEANUP(sys_close_fd) int fd = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        err_set_errno(e, errno, "%s", path);
        return false;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = sys_readlink(link, buf, size - 1);
    if (len < 0) {
        err_set_errno(e, errno, "%s: %s", path, link);
        return false;
    }
    buf[len] = '\0';
    return true;
}

bool cgroup_base_at(const char *path, struct cgroup_base *ret, struct err *e)
{
    char real[CGROUP_PATH_MAX];
    struct cgroup_base base;
    struct buf text;
    if (!resolve(path, real, sizeof real, e))
        return false;
    buf_init(&text, BASE_MOUNTS_MAX);
    bool ok = files_read("/proc/self/mountinfo", BASE_MOUNTS_MAX, FILES_TRUST_ANY, &text, e) &&
              cgroup_base_parse(buf_str(&text), real, &base, e);
    buf_done(&text);
    if (!ok)
        return false;
    if (base.unified)
        read_controllers(&base);
    *ret = base;
    return true;
}

bool cgroup_base_is_delegated(const struct cgroup_base *base)
{
    static const char *const names[] = {"trusted.delegate", "user.delegate"};
    CLEANUP(sys_close_fd) int fd = sys_open(base->path, O_RDONLY | O_DIRECTORY, 0);
    for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(names); i++) {
        char value[2];
        if (sys_fgetxattr(fd, names[i], value, sizeof value) == 1 && value[0] == '1')
            return true;
    }
    return false;
}
