/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of the daemon floor share: the event loop with a guard against hanging, children that end with
 * their test, the log and a standard descriptor caught in a pipe, a directory, and the proof that a test leaves no
 * descriptor and no process behind.
 *
 * Nothing that runs inside the loop may assert: cmocka would jump out of libev. Callbacks note, tests judge.
 */
#ifndef FOSTER_TESTS_DAEMON_RIG_H
#define FOSTER_TESTS_DAEMON_RIG_H

#include "base/log.h"
#include "logger/loop.h"

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RIG_HANG_S = 30, RIG_CHILDREN_MAX = 64, RIG_TEXT_MAX = 1 << 16, RIG_PATH_MAX = 256, RIG_DIRS_WALKED = 8 };

/** What the present test holds. */
static struct {
    struct ev_loop *loop;
    int n_fds; /* at its begin */
    pid_t children[RIG_CHILDREN_MAX];
    size_t n_children;
    int log_fd[2];
    char log[RIG_TEXT_MAX];
    size_t log_len;
    unsigned n_invoked;
    char dir[RIG_PATH_MAX];
    int caught; /* the standard descriptor that is replaced, -1: none */
    int caught_saved;
} rig = {.log_fd = {-1, -1}, .caught = -1, .caught_saved = -1};

/** How many descriptors are open. */
static inline int rig_fds(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/** The event loop of the program; SIGCHLD is blocked before it is made. For the group's setup. */
static inline int rig_open_loop(void **state)
{
    sigset_t mask;
    struct err e = {0};
    (void)state;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGPIPE);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) != 0)
        return -1;
    rig.loop = loop_new(&e);
    return rig.loop == NULL ? -1 : 0;
}

/** For the group's teardown. */
static inline int rig_close_loop(void **state)
{
    (void)state;
    loop_free(rig.loop);
    rig.loop = NULL;
    return 0;
}

static inline void rig_on_hang(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    *(bool *)w->data = true;
    ev_break(loop, EVBREAK_ALL);
}

/** Runs the loop until DONE(DATA), or for RIG_HANG_S at most: then the test fails. DONE may read and note. */
static inline void rig_run_until(bool (*done)(void *data), void *data)
{
    bool hung = false;
    struct ev_timer guard;
    ev_timer_init(&guard, rig_on_hang, RIG_HANG_S, 0.);
    guard.data = &hung;
    ev_now_update(rig.loop);
    ev_timer_start(rig.loop, &guard);
    while (!hung && !done(data))
        ev_run(rig.loop, EVRUN_ONCE);
    ev_timer_stop(rig.loop, &guard);
    if (hung)
        fail_msg("nothing happened for %d seconds", RIG_HANG_S);
}

static inline void rig_count_pending(struct ev_loop *loop)
{
    rig.n_invoked += ev_pending_count(loop);
    ev_invoke_pending(loop);
}

/** Runs N turns of the loop without waiting and returns how many watchers were called: 0 is a loop at rest. */
static inline unsigned rig_turns(int n)
{
    rig.n_invoked = 0;
    ev_set_invoke_pending_cb(rig.loop, rig_count_pending);
    while (n-- > 0)
        ev_run(rig.loop, EVRUN_NOWAIT);
    ev_set_invoke_pending_cb(rig.loop, ev_invoke_pending);
    return rig.n_invoked;
}

/** Sends the log, from LEVEL on, to a pipe that rig_log() reads. */
static inline void rig_catch_log(enum log_level level)
{
    assert_int_equal(pipe2(rig.log_fd, O_CLOEXEC), 0);
    assert_int_equal(fcntl(rig.log_fd[0], F_SETFL, O_NONBLOCK), 0);
    rig.log_len = 0;
    rig.log[0] = '\0';
    log_setup(level, LOG_FORMAT_TEXT, rig.log_fd[1]);
}

/** All that was logged since rig_catch_log(). */
static inline const char *rig_log(void)
{
    ssize_t n;
    while ((n = read(rig.log_fd[0], rig.log + rig.log_len, sizeof rig.log - 1 - rig.log_len)) > 0)
        rig.log_len += (size_t)n;
    rig.log[rig.log_len] = '\0';
    return rig.log;
}

/** How often WORD is in TEXT. */
static inline size_t rig_count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + strlen(word), word))
        n++;
    return n;
}

/** Puts TO (taken) in the place of the standard descriptor FD until the end of the test. */
static inline void rig_replace(int fd, int to)
{
    fflush(NULL);
    if (rig.caught < 0) {
        rig.caught_saved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        rig.caught = fd;
    }
    assert_int_equal(fd, rig.caught);
    assert_int_equal(dup2(to, fd), fd);
    if (to != fd)
        close(to);
}

static inline void rig_restore(void)
{
    if (rig.caught < 0)
        return;
    fflush(NULL);
    dup2(rig.caught_saved, rig.caught);
    close(rig.caught_saved);
    rig.caught = rig.caught_saved = -1;
}

/** An empty directory of the test, removed with all that is in it at its end. */
static inline const char *rig_dir(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(rig.dir, sizeof rig.dir, "%s/foster-unit-XXXXXX", base != NULL && strlen(base) < 100 ? base : "/tmp");
    assert_non_null(mkdtemp(rig.dir));
    return rig.dir;
}

/** The path of NAME in the test's directory, in BUF. */
static inline const char *rig_path(const char *name, char buf[RIG_PATH_MAX])
{
    int len = snprintf(buf, RIG_PATH_MAX, "%.*s/%s", 120, rig.dir, name);
    assert_in_range(len, 1, RIG_PATH_MAX - 1);
    return buf;
}

static inline int rig_remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

/** Writes TEXT to the file NAME of the test's directory. */
static inline void rig_write_file(const char *name, const char *text)
{
    char path[RIG_PATH_MAX];
    FILE *f = fopen(rig_path(name, path), "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/** Reads the file NAME of the test's directory into BUF; -1 when it is not there. */
static inline ssize_t rig_read_file(const char *name, char *buf, size_t size)
{
    char path[RIG_PATH_MAX];
    FILE *f = fopen(rig_path(name, path), "re");
    if (f == NULL)
        return -1;
    size_t n = fread(buf, 1, size - 1, f);
    buf[n] = '\0';
    fclose(f);
    return (ssize_t)n;
}

/** A child that exits with what FN(DATA) returns; killed at the end of the test when it is still there. */
static inline pid_t rig_fork(int (*fn)(void *data), void *data)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(data));
    if (rig.n_children < RIG_CHILDREN_MAX)
        rig.children[rig.n_children++] = pid;
    return pid;
}

/** Blocks until our child PID is a zombie, and leaves it one. */
static inline void rig_await_zombie(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/** Reaps our child PID, blocking, and returns its wait status. */
static inline int rig_reap(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/** A pipe that holds children back: they read from it until its other end is closed. */
struct rig_gate {
    int fds[2];
};

static inline void rig_gate_close(struct rig_gate *g)
{
    assert_int_equal(pipe2(g->fds, O_CLOEXEC), 0);
}

static inline void rig_gate_open(struct rig_gate *g)
{
    close(g->fds[0]);
    close(g->fds[1]);
    g->fds[0] = g->fds[1] = -1;
}

/** In a child: waits until the gate is opened. Every child must come here, or close fds[1]. */
static inline void rig_gate_wait(struct rig_gate *g)
{
    char c;
    close(g->fds[1]);
    while (read(g->fds[0], &c, 1) < 0 && errno == EINTR)
        continue;
}

/** Forgets the SIGCHLD that is pending. */
static inline void rig_forget_signal(int sig)
{
    sigset_t mask;
    struct timespec none = {0};
    sigemptyset(&mask);
    sigaddset(&mask, sig);
    while (sigtimedwait(&mask, NULL, &none) == sig)
        continue;
}

/** Lowers (or raises again) the number of descriptors that may be open; returns the earlier one. */
static inline rlim_t rig_limit_fds(rlim_t n)
{
    struct rlimit lim;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
    rlim_t before = lim.rlim_cur;
    lim.rlim_cur = n;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
    return before;
}

/** Counts what the test begins with. */
static inline int rig_begin(void **state)
{
    (void)state;
    rig.n_children = 0;
    rig.dir[0] = '\0';
    rig.n_fds = rig_fds();
    return 0;
}

/** Takes back what the rig holds, and asserts that nothing else is left. */
static inline int rig_end(void **state)
{
    (void)state;
    rig_restore();
    if (rig.log_fd[0] >= 0) {
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
        close(rig.log_fd[0]);
        close(rig.log_fd[1]);
        rig.log_fd[0] = rig.log_fd[1] = -1;
    }
    if (rig.dir[0] != '\0')
        nftw(rig.dir, rig_remove_one, RIG_DIRS_WALKED, FTW_DEPTH | FTW_PHYS);
    siginfo_t info = {0};
    bool has_children = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    for (size_t i = 0; has_children && i < rig.n_children; i++)
        if (waitpid(rig.children[i], NULL, WNOHANG) == 0) {
            kill(rig.children[i], SIGKILL);
            waitpid(rig.children[i], NULL, 0);
        }
    rig_forget_signal(SIGCHLD);
    rig_forget_signal(SIGPIPE);
    assert_int_equal(rig_fds(), rig.n_fds);
    assert_false(has_children);
    return 0;
}

#endif
