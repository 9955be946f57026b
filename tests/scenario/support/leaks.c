/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Leaked descriptors, see leaks.h.
 */
#include "scenario/support/leaks.h"

#include "scenario/support/internal.h"
#include "scenario/support/procs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS_MAX = 8192, FIRST_PRIVATE = 3, LEAK_TEXT = 512, COMPARE_FILE = 0 /* KCMP_FILE of linux/kcmp.h */ };

/** A descriptor of a process. */
struct held {
    int fd;
    dev_t dev;
    ino_t ino;
    mode_t type; /**< S_IFMT of the file */
    mode_t open; /**< S_IRUSR, S_IWUSR: open for reading, for writing */
};

/** What a process holds, in the order of dev and ino. */
struct holding {
    pid_t pid;
    size_t n;
    struct held held[FDS_MAX];
};

static int by_file(const void *one, const void *other)
{
    const struct held *a = one;
    const struct held *b = other;
    if (a->dev != b->dev) {
        return a->dev < b->dev ? -1 : 1;
    }
    return a->ino < b->ino ? -1 : a->ino > b->ino;
}

/** Whether descriptor FD of PID has no close-on-exec. */
static bool survives_exec(pid_t pid, int fd)
{
    char path[64];
    char line[64];
    unsigned flags = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f) && sscanf(line, "flags: %o", &flags) != 1) {
    }
    if (f) {
        (void)fclose(f);
    }
    return !(flags & O_CLOEXEC);
}

/** Fills RET with what PID holds now. False: it is gone, or may not be looked at. */
static bool list(pid_t pid, struct holding *ret)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    ret->pid = pid;
    ret->n = 0;
    if (!dir) {
        return false;
    }
    for (struct dirent *e; ret->n < FDS_MAX && (e = readdir(dir));) {
        struct stat file;
        struct stat link;
        if (e->d_name[0] != '.' && !fstatat(dirfd(dir), e->d_name, &file, 0) &&
            !fstatat(dirfd(dir), e->d_name, &link, AT_SYMLINK_NOFOLLOW)) {
            ret->held[ret->n++] = (struct held){.fd = atoi(e->d_name),
                                                .dev = file.st_dev,
                                                .ino = file.st_ino,
                                                .type = file.st_mode & S_IFMT,
                                                .open = link.st_mode & (S_IRUSR | S_IWUSR)};
        }
    }
    (void)closedir(dir);
    qsort(ret->held, ret->n, sizeof(ret->held[0]), by_file);
    return true;
}

/** Whether A of OWNER and B of OTHER, which are the same file, are one open file description. */
static bool is_same(const struct holding *owner, const struct held *a, const struct holding *other,
                    const struct held *b, const struct leaks_rules *rules)
{
    long r = rules->no_kcmp ? -1 : syscall(SYS_kcmp, owner->pid, other->pid, COMPARE_FILE, a->fd, b->fd);
    if (r >= 0) {
        return r == 0;
    }
    return a->open == b->open && (S_ISFIFO(a->type) || S_ISSOCK(a->type) || S_ISREG(a->type));
}

/** Whether H is what OF has as 0, 1 or 2. */
static bool is_stdio(const struct holding *of, const struct held *h)
{
    for (size_t i = 0; i < of->n; i++) {
        if (of->held[i].fd < FIRST_PRIVATE && !by_file(&of->held[i], h)) {
            return true;
        }
    }
    return false;
}

/** How many descriptors from FIRST_PRIVATE on PID has been told of, by LISTEN_FDS of sd_listen_fds(3). */
static int count_given(pid_t pid)
{
    static const char name[] = "LISTEN_FDS=";
    char path[64];
    char *var = NULL;
    size_t size = 0;
    int n = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && n == 0 && getdelim(&var, &size, '\0', f) > 0) {
        n = strncmp(var, name, sizeof(name) - 1) == 0 ? atoi(var + sizeof(name) - 1) : 0;
    }
    if (f) {
        (void)fclose(f);
    }
    free(var);
    return n;
}

/** Whether H is one of the descriptors that OF was given by fosterd to have. */
static bool is_given(const struct holding *of, const struct held *h)
{
    int end = FIRST_PRIVATE + count_given(of->pid);
    for (size_t i = 0; i < of->n; i++) {
        if (of->held[i].fd >= FIRST_PRIVATE && of->held[i].fd < end && !by_file(&of->held[i], h)) {
            return true;
        }
    }
    return false;
}

/** Whether H is the end for writing of a pipe of which OWNER has the other end alone, MINE: that of `ready: fd`. */
static bool is_ready_pipe(const struct holding *owner, const struct held *mine, const struct held *h)
{
    size_t n = 0;
    for (size_t i = 0; i < owner->n; i++) {
        n += !by_file(&owner->held[i], mine);
    }
    return n == 1 && S_ISFIFO(h->type) && mine->open == S_IRUSR && h->open == S_IWUSR;
}

/** Whether H of OTHER may be MINE of OWNER: a service writes into a pipe that fosterd keeps for its later runs, and
 * serves sockets that fosterd keeps for them. */
static bool is_declared(const struct holding *owner, const struct held *mine, const struct holding *other,
                        const struct held *h, const struct leaks_rules *rules)
{
    bool output = S_ISFIFO(h->type) && mine->fd >= FIRST_PRIVATE;
    return (is_stdio(other, h) && (rules->stdio || output)) || is_given(other, h) ||
           (rules->ready && is_ready_pipe(owner, mine, h)) || (rules->inherited && survives_exec(owner->pid, mine->fd));
}

/** The descriptor of OWNER that H of OTHER should not be, or NULL. What has close-on-exec does not come from there: it
 * was opened by the program itself, or the exec is not over. */
static const struct held *leaked(const struct holding *owner, const struct holding *other, const struct held *h,
                                 const struct leaks_rules *rules)
{
    const struct held *at = bsearch(h, owner->held, owner->n, sizeof(*h), by_file);
    while (at && at > owner->held && !by_file(at - 1, h)) {
        at--;
    }
    for (; at && at < owner->held + owner->n && !by_file(at, h); at++) {
        if ((S_ISFIFO(h->type) || is_same(owner, at, other, h, rules)) && !is_declared(owner, at, other, h, rules) &&
            survives_exec(other->pid, h->fd)) {
            return at;
        }
    }
    return NULL;
}

static void describe(const struct held *mine, pid_t pid, int fd, char *buf, size_t size)
{
    char path[64];
    char target[128];
    char command[128];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    (void)snprintf(buf, size, "process %d (%s) holds fosterd's descriptor %d as %d: %s", (int)pid,
                   procs_command(pid, command, sizeof(command)), mine->fd, fd, target);
}

/** Whether PID is still the copy of OWNER that fork has made, or its logger, which stays one. */
static bool is_copy(pid_t owner, pid_t pid)
{
    char path[64];
    char one[512];
    char other[512];
    struct stat a;
    struct stat b;
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)owner);
    bool known = !stat(path, &a);
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    /* One that is going has no program any more. */
    if (!known || stat(path, &b)) {
        return true;
    }
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
           (procs_is_logger(pid) ||
            !strcmp(procs_command(owner, one, sizeof(one)), procs_command(pid, other, sizeof(other))));
}

static bool look(const struct holding *owner, pid_t pid, const struct leaks_rules *rules, char *buf, size_t size)
{
    static struct holding other;
    if (!list(pid, &other)) {
        return false;
    }
    for (size_t i = 0; i < other.n; i++) {
        const struct held *mine = leaked(owner, &other, &other.held[i], rules);
        if (mine) {
            describe(mine, pid, other.held[i].fd, buf, size);
            return true;
        }
    }
    return false;
}

/** A process that was a copy at the first look may have become its program since. The second look is at that, and
 * counts if it was there all the time: what it was given on purpose is only known from its environment. */
static bool find(const struct holding *owner, pid_t pid, const struct leaks_rules *rules, char *buf, size_t size)
{
    if (!look(owner, pid, rules, buf, size) || is_copy(owner->pid, pid)) {
        return false;
    }
    unsigned long program = procs_environment(pid);
    return program != 0 && look(owner, pid, rules, buf, size) && procs_environment(pid) == program;
}

bool leaks_find(pid_t owner, pid_t pid, const struct leaks_rules *rules, char *buf, size_t size)
{
    static struct holding mine;
    return list(owner, &mine) && find(&mine, pid, rules, buf, size);
}

/** The process that is fosterd: what was started, or what that runs. 0: it has ended. */
static pid_t find_fosterd(const struct scenario *s)
{
    static struct procs below;
    char path[64];
    struct stat program;
    struct stat exe;
    if (s->reaped || s->pid <= 1 || stat(s->options.fosterd ? s->options.fosterd : FOSTERD, &program)) {
        return 0;
    }
    procs_descendants(s->pid, &below);
    for (size_t i = 0; i <= below.n; i++) {
        pid_t pid = i == 0 ? s->pid : below.pids[i - 1];
        (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
        if (!stat(path, &exe) && exe.st_dev == program.st_dev && exe.st_ino == program.st_ino) {
            return pid;
        }
    }
    return 0;
}

static struct leaks_rules rules_of(const struct scenario *s)
{
    /* What a command before fosterd has left behind was given the same as fosterd, as in init mode the child is. */
    bool given = s->options.init_mode || s->options.prefix;
    return (struct leaks_rules){.stdio = s->shares_stdio || given, .inherited = given, .ready = s->has_ready_pipe};
}

static void remember(struct scenario *s, const char *text)
{
    if (!s->leak) {
        s->leak = keep(s, must(strdup(text)));
    }
}

/** Whether PID has any descriptor beyond the three that each process has. */
static bool holds_more(pid_t pid)
{
    char path[64];
    bool more = false;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && !more && (e = readdir(dir));) {
        more = atoi(e->d_name) >= FIRST_PRIVATE;
    }
    if (dir) {
        (void)closedir(dir);
    }
    return more;
}

void leaks_look_at(struct scenario *s, pid_t pid)
{
    char text[LEAK_TEXT];
    struct leaks_rules rules = rules_of(s);
    if (!s->leak && holds_more(pid) && procs_parent(pid) == s->pid &&
        leaks_find(s->pid, pid, &rules, text, sizeof(text))) {
        remember(s, text);
    }
}

void leaks_look(struct scenario *s)
{
    static struct procs below;
    static struct holding mine;
    char text[LEAK_TEXT];
    struct leaks_rules rules = rules_of(s);
    pid_t fosterd = s->leak ? 0 : find_fosterd(s);
    if (!fosterd || !list(fosterd, &mine)) {
        return;
    }
    procs_descendants(fosterd, &below);
    for (size_t i = 0; i < below.n && !s->leak; i++) {
        if (find(&mine, below.pids[i], &rules, text, sizeof(text))) {
            remember(s, text);
        }
    }
}
