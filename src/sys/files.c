/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whole files in and out, without trusting what a path leads to: whatever is opened is looked at through its
 * descriptor, and nothing here waits for the other end of a FIFO.
 */
#include "sys/files.h"

#include "base/parse.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_CHUNK = 4096,
    PID_TEXT_MAX = 64, /* of the first line of a pid file */
};

/* Sets E to errno alone: the caller puts the path before it. */
static void set_errno(struct err *e, int errnum)
{
    err_set(e, errnum == ENOMEM ? ERR_NOMEM : ERR_SYS, "%s", err_errno_text(errnum));
    e->errnum = errnum;
}

/* Whether the open file FD, which is PATH, may be read under TRUST. False with *E. */
static bool check_trust(int fd, const char *path, enum files_trust trust, struct err *e)
{
    struct stat st;
    if (sys_fstat(fd, &st) != 0) {
        set_errno(e, errno);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(e, ERR_INPUT, "not a regular file; name a regular file");
        return false;
    }
    if (trust == FILES_TRUST_ANY || sys_geteuid() != 0)
        return true;
    if (st.st_uid != 0) {
        err_set(e, ERR_INPUT, "owned by uid %lu, which root must not trust; chown root %s", (unsigned long)st.st_uid,
                path);
        return false;
    }
    if ((st.st_mode & S_IWOTH) != 0) {
        err_set(e, ERR_INPUT, "writable for everybody, which root must not trust; chmod o-w %s", path);
        return false;
    }
    return true;
}

/* Appends FD from here to its end, at most MAX bytes. False with *E; then OUT may have grown. */
static bool append_to_end(int fd, size_t max, struct buf *out, struct err *e)
{
    char chunk[READ_CHUNK];
    ssize_t n;

    while ((n = sys_read(fd, chunk, sizeof chunk)) > 0) {
        if ((size_t)n > max || (size_t)n > out->max - out->len) {
            err_set(e, ERR_LIMIT, "too large");
            return false;
        }
        max -= (size_t)n;
        if (!buf_add(out, chunk, (size_t)n)) {
            set_errno(e, ENOMEM);
            return false;
        }
    }
    if (n == -1)
        set_errno(e, errno);
    return n == 0;
}

/* All of FD or nothing. */
static bool read_to_end(int fd, size_t max, struct buf *out, struct err *e)
{
    size_t before = out->len;
    if (append_to_end(fd, max, out, e))
        return true;
    out->len = before;
    if (out->data != NULL)
        out->data[before] = '\0';
    return false;
}

bool files_read(const char *path, size_t max, enum files_trust trust, struct buf *out, struct err *e)
{
    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0)
        return read_to_end(STDIN_FILENO, max, out, e);

    CLEANUP(sys_close_fd) int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd == -1) {
        set_errno(e, errno);
        return false;
    }
    return check_trust(fd, path, trust, e) && read_to_end(fd, max, out, e);
}

static bool write_whole(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = sys_write(fd, data, len);
        if (n == -1)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

bool files_write(const char *path, const void *data, size_t len, struct err *e)
{
    char temporary[PATH_MAX];
    uint64_t random;

    sys_random(&random, sizeof random);
    int size = snprintf(temporary, sizeof temporary, "%s.new-%016llx", path, (unsigned long long)random);
    if (size < 0 || (size_t)size >= sizeof temporary) {
        set_errno(e, ENAMETOOLONG);
        return false;
    }
    int fd = sys_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd == -1) {
        set_errno(e, errno);
        return false;
    }
    bool ok = write_whole(fd, data, len);
    sys_close(fd);
    ok = ok && sys_rename(temporary, path) == 0;
    if (!ok) {
        set_errno(e, errno);
        /* Should that fail as well, a file too many is left: the first error is the one to tell. */
        int removed = sys_unlink(temporary);
        (void)removed;
    }
    return ok;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

pid_t files_read_pid(const char *path)
{
    struct stat st;
    CLEANUP(sys_close_fd) int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
    if (fd == -1 || sys_fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;

    char text[PID_TEXT_MAX + 1];
    ssize_t n = sys_read(fd, text, sizeof text);
    if (n <= 0)
        return 0;
    char *end = memchr(text, '\n', (size_t)n);
    if (end == NULL && n > PID_TEXT_MAX)
        return 0;
    if (end == NULL)
        end = text + n;
    char *start = text;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    *end = '\0';

    int64_t pid;
    bool ok = strlen(start) == (size_t)(end - start) && parse_int(start, &pid) && pid > 0 && pid <= INT_MAX;
    return ok ? (pid_t)pid : 0;
}

bool files_make_dir(const char *path, mode_t mode, struct err *e)
{
    struct stat st;
    if (sys_mkdir(path, mode) != 0 && errno != EEXIST) {
        set_errno(e, errno);
        return false;
    }
    CLEANUP(sys_close_fd) int fd = sys_open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd == -1 || sys_fstat(fd, &st) != 0) {
        set_errno(e, errno);
        return false;
    }
    if (st.st_uid != sys_geteuid()) {
        err_set(e, ERR_INPUT, "owned by uid %lu, not by us", (unsigned long)st.st_uid);
        return false;
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        err_set(e, ERR_INPUT, "writable for others");
        return false;
    }
    return true;
}

/* Why the last glob(3) gave up; it has no argument to hand this through. */
static int glob_errnum;

/* A directory that is not there holds no match; one that cannot be read may hold some. */
static int on_glob_error(const char *path UNUSED, int errnum)
{
    glob_errnum = errnum;
    return errnum != ENOENT && errnum != ENOTDIR;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Copies the paths of FOUND to A, sorted by their bytes: glob(3) would sort by the locale. NULL with errno. */
static char **copy_paths(struct arena *a, const glob_t *found)
{
    char **paths = arena_array(a, found->gl_pathc + 1, sizeof *paths);
    if (paths == NULL)
        return NULL;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        paths[i] = arena_strdup(a, found->gl_pathv[i]);
        if (paths[i] == NULL)
            return NULL;
    }
    qsort(paths, found->gl_pathc, sizeof *paths, compare_strings);
    return paths;
}

bool files_glob(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, struct err *e)
{
    glob_t found = {0};
    int errnum = 0;
    char **paths = NULL;

    int r = glob(pattern, GLOB_NOSORT, on_glob_error, &found);
    if (r == GLOB_NOSPACE)
        errnum = ENOMEM;
    else if (r == GLOB_ABORTED)
        errnum = glob_errnum;
    if (errnum == 0) {
        paths = copy_paths(a, &found);
        if (paths == NULL)
            errnum = ENOMEM;
    }
    size_t n = found.gl_pathc;
    globfree(&found);
    if (errnum != 0) {
        set_errno(e, errnum);
        return false;
    }
    *ret = paths;
    *ret_n = n;
    return true;
}

/* A descriptor that reads as the end of a file: /dev/null, or a pipe whose writer is gone. It is the lowest that is
 * free. -1 with errno. */
static int open_nothing(void)
{
    int fd = sys_open("/dev/null", O_RDWR, 0);
    if (fd != -1)
        return fd;
    int ends[2];
    if (sys_pipe(ends, 0) != 0)
        return -1;
    sys_close(ends[1]);
    return ends[0];
}

bool files_open_stdio(struct err *e)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (sys_fcntl(fd, F_GETFD, 0) != -1 || errno != EBADF)
            continue;
        /* All lower ones are open by now, so the lowest that is free is this one. */
        int opened = open_nothing();
        if (opened == -1 || sys_fcntl(opened, F_SETFD, 0) != 0) {
            err_set_errno(e, errno, "descriptor %d is closed", fd);
            sys_close(opened);
            return false;
        }
    }
    return true;
}
