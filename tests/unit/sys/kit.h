/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of the kernel floor share: counting descriptors and children, temporary directories, reading to
 * the end, and running something in a process of its own that may ruin its descriptors and signals.
 */
#ifndef FOSTER_TESTS_UNIT_SYS_KIT_H
#define FOSTER_TESTS_UNIT_SYS_KIT_H

#include "base/compiler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/** As assert_true(), for processes that cmocka knows nothing of: says what is wrong and exits. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            dprintf(*kit_error_fd(), "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);                 \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/** The size of all buffers for paths in these tests. */
enum { KIT_PATH_MAX = 512 };

/** Where REQUIRE() complains. */
static inline int *kit_error_fd(void)
{
    static int fd = STDERR_FILENO;
    return &fd;
}

/** The number of open descriptors. */
static inline size_t kit_count_fds(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 3; /* "." and ".." and the directory itself */
}

/** Whether this process has no child, live or dead. */
static inline bool kit_has_no_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

/** printf into PATH of KIT_PATH_MAX bytes, which is returned. */
PRINTF_LIKE(2, 3) static inline char *kit_path(char *path, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    assert_true(vsnprintf(path, KIT_PATH_MAX, fmt, ap) < KIT_PATH_MAX);
    va_end(ap);
    return path;
}

/** A new directory, for the caller to remove with kit_remove(). DIR holds KIT_PATH_MAX bytes. */
static inline char *kit_make_dir(char *dir)
{
    const char *base = getenv("TMPDIR");
    kit_path(dir, "%s/foster-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
    return dir;
}

static inline int kit_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

/** Removes DIR with all that is in it. */
static inline void kit_remove(const char *dir)
{
    assert_int_equal(nftw(dir, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/** A file of MODE with TEXT, at DIR/NAME; the path is put into PATH of KIT_PATH_MAX bytes, which is returned. */
static inline char *kit_file(char *path, const char *dir, const char *name, const char *text, mode_t mode)
{
    kit_path(path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

/** Reads FD to its end into BUF of SIZE bytes, as a string. */
static inline char *kit_read_end(int fd, char *buf, size_t size)
{
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, buf + len, size - 1 - len)) > 0)
        len += (size_t)n;
    assert_int_equal(n, 0);
    buf[len] = '\0';
    return buf;
}

/** Waits for PID to end; its exit code, or minus the signal that killed it. */
static inline int kit_wait(pid_t pid)
{
    siginfo_t info;
    int r;
    do {
        r = waitid(P_PID, (id_t)pid, &info, WEXITED);
    } while (r == -1 && errno == EINTR);
    assert_int_equal(r, 0);
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

/** Runs FN(ARG) in a process of its own. True when it returned, and with it no REQUIRE() failed. */
static inline bool kit_isolated(void (*fn)(void *), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        *kit_error_fd() = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
        fn(arg);
        _exit(0);
    }
    return kit_wait(pid) == 0;
}

/** Whether valgrind runs us, which has limits and signals of its own. */
static inline bool kit_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

/** The set of SIGNALS, the lowest bit for signal 1: also of those that sigaddset(3) refuses. */
static inline sigset_t kit_signals(uint64_t signals)
{
    enum { WORD_BITS = 8 * sizeof(unsigned long) };
    sigset_t set;
    sigemptyset(&set);
    unsigned long *words = (unsigned long *)(void *)&set;
    for (unsigned bit = 0; bit < 64; bit++)
        words[bit / WORD_BITS] |= (unsigned long)(signals >> bit & 1) << bit % WORD_BITS;
    return set;
}

/** Says aloud that something was not tested here. */
static inline void kit_skip(const char *what, const char *why)
{
    printf("[  SKIPPED ] %s: %s\n", what, why);
    fflush(stdout);
}

#endif
