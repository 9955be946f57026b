/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Boxes, see box.h.
 */
#include "package/box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *place(const struct box *b, const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    return path;
}

void box_make(struct box *b)
{
    const char *tmp = getenv("TMPDIR");
    *b = (struct box){.pid_fd = -1, .out_fd = -1, .err_fd = -1};
    (void)snprintf(b->dir, sizeof(b->dir), "%s/foster-box.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    assert_return_code(chmod(b->dir, 0755), errno);
}

void box_put(struct box *b, const char *file, const char *name)
{
    struct stat st;
    int in = open(file, O_RDONLY | O_CLOEXEC);
    int out = open(place(b, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (in < 0 || out < 0 || fstat(in, &st) != 0) {
        fail_msg("%s into %s: %s", file, b->dir, strerror(errno));
    }
    while (st.st_size > 0) {
        ssize_t n = sendfile(out, in, NULL, (size_t)st.st_size);
        assert_true(n > 0);
        st.st_size -= n;
    }
    /* Not by the mode of open(): a umask may have narrowed that. */
    assert_return_code(fchmod(out, 0755), errno);
    assert_return_code(close(in), errno);
    assert_return_code(close(out), errno);
}

void box_link(struct box *b, const char *target, const char *name)
{
    assert_return_code(symlink(target, place(b, name)), errno);
}

static void must_work(bool ok, const char *step)
{
    if (!ok) {
        (void)dprintf(2, "box: %s: %s\n", step, strerror(errno));
        _exit(BOX_FAILED);
    }
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    must_work(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
    (void)close(fd);
}

static void map_user(uid_t uid, gid_t gid)
{
    char map[64];
    write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof(map), "%d %u 1\n", BOX_USER, (unsigned)uid);
    write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof(map), "%d %u 1\n", BOX_USER, (unsigned)gid);
    write_file("/proc/self/gid_map", map);
}

/* The directory as the whole world, and read-only. */
static void enter(const char *dir)
{
    /* struct mount_attr, which older headers lack */
    struct {
        uint64_t attr_set;
        uint64_t attr_clr;
        uint64_t propagation;
        uint64_t userns_fd;
    } attr = {.attr_set = 1 /* MOUNT_ATTR_RDONLY */};
    must_work(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must_work(!mount(dir, dir, NULL, MS_BIND, NULL), "bind mount");
    must_work(!chdir(dir), dir);
    must_work(!syscall(442 /* mount_setattr */, -1, dir, 0, &attr, sizeof(attr)), "read-only");
    must_work(!chroot(".") && !chdir("/"), "chroot");
    must_work(mkdir("/proc", 0755) && errno == EROFS, "a read-only root");
}

static void become_nobody(void)
{
    must_work(!setgroups(0, NULL), "setgroups");
    must_work(!setresgid(BOX_USER, BOX_USER, BOX_USER) && !setresuid(BOX_USER, BOX_USER, BOX_USER), "setresuid");
}

/* The words of the command line are not written to: exec merely has an old signature. */
static char **writable(const char *const *words)
{
    union {
        const char *const *in;
        char **out;
    } u = {.in = words};
    return u.out;
}

static _Noreturn void run(const struct box *b, uid_t uid, gid_t gid, const char *const *words)
{
    char *env[] = {NULL};
    if (uid) {
        map_user(uid, gid);
    }
    enter(b->dir);
    if (!uid) {
        become_nobody();
    }
    must_work(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    for (int fd = 0; b->closed_stdio && fd <= 2; fd++) {
        (void)close(fd);
    }
    (void)execve(words[0], writable(words), env);
    must_work(false, words[0]);
    _exit(BOX_FAILED);
}

bool box_start(struct box *b, const char *const *words)
{
    int out[2];
    int err[2];
    uid_t uid = getuid();
    gid_t gid = getgid();
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0);
    assert_return_code(pipe2(out, O_CLOEXEC), errno);
    assert_return_code(pipe2(err, O_CLOEXEC), errno);
    b->pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (b->pid == 0) {
        must_work(dup2(out[1], 1) == 1 && dup2(err[1], 2) == 2, "dup2");
        run(b, uid, gid, words);
    }
    int errnum = errno;
    (void)close(out[1]);
    (void)close(err[1]);
    b->out_fd = out[0];
    b->err_fd = err[0];
    b->out[0] = b->err[0] = '\0';
    if (b->pid < 0) {
        b->pid = 0;
        errno = errnum;
        return false;
    }
    b->pid_fd = (int)syscall(SYS_pidfd_open, b->pid, 0);
    assert_true(b->pid_fd >= 0);
    return true;
}

static void expect_readable(struct box *b, int fd, const char *what)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do {
        n = poll(&p, 1, BOX_GUARD_MS);
    } while (n < 0 && errno == EINTR);
    if (n != 1) {
        fail_msg("no %s after %d s; standard error so far: %s", what, BOX_GUARD_MS / 1000, b->err);
    }
}

/* More of FD to the end of TEXT; false at its end. */
static bool hear(struct box *b, int fd, char *text)
{
    size_t used = strlen(text);
    expect_readable(b, fd, "output");
    ssize_t n = read(fd, text + used, BOX_TEXT_MAX - 1 - used);
    assert_true(n >= 0);
    text[used + (size_t)n] = '\0';
    return n > 0;
}

void box_expect(struct box *b, const char *line)
{
    char *end;
    while ((end = strchr(b->out, '\n')) == NULL) {
        if (!hear(b, b->out_fd, b->out)) {
            (void)hear(b, b->err_fd, b->err);
            fail_msg("no line \"%s\" but the end; standard error: %s", line, b->err);
        }
    }
    *end = '\0';
    assert_string_equal(b->out, line);
    memmove(b->out, end + 1, strlen(end + 1) + 1);
}

static size_t count_children(pid_t pid)
{
    char path[64];
    char text[BOX_TEXT_MAX];
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_return_code(fd, errno);
    ssize_t len = read(fd, text, sizeof(text));
    assert_true(len >= 0 && len < (ssize_t)sizeof(text));
    (void)close(fd);
    for (ssize_t i = 0; i < len; i++) {
        n += text[i] == ' ';
    }
    return n;
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Nothing tells when somebody else has reaped a process. */
void box_wait_children(struct box *b, size_t n)
{
    int64_t deadline = now_ms() + BOX_GUARD_MS;
    size_t found;
    while ((found = count_children(b->pid)) != n) {
        if (now_ms() > deadline) {
            fail_msg("process 1 has %zu children, not %zu", found, n);
        }
        (void)sched_yield();
    }
}

static void end(struct box *b)
{
    (void)close(b->pid_fd);
    (void)close(b->out_fd);
    (void)close(b->err_fd);
    b->pid = 0;
    b->pid_fd = b->out_fd = b->err_fd = -1;
}

int box_wait(struct box *b)
{
    int status;
    expect_readable(b, b->pid_fd, "end");
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    while (hear(b, b->out_fd, b->out)) {
    }
    while (hear(b, b->err_fd, b->err)) {
    }
    end(b);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void box_done(struct box *b)
{
    char command[256];
    if (b->pid > 0) {
        (void)kill(b->pid, SIGKILL);
        (void)waitpid(b->pid, NULL, 0);
        end(b);
    }
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", b->dir);
    assert_int_equal(system(command), 0);
}
