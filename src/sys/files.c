/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whole files in and out, without trusting what a path leads to: whatever is opened is looked at through its
 * descriptor, and nothing here waits for the other end of a FIFO.
 */
#include "sys/files.h"

#include "base/mem.h"
#include "base/parse.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
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

/* The paths that the first parts of a pattern match. The strings are in the caller's arena. */
struct matches {
    char **paths; /* owned */
    size_t n, cap;
};

/* Adds the path PREFIX NAME. False with errno. */
static bool add_match(struct matches *m, struct arena *a, const char *prefix, const char *name)
{
    char *path = arena_printf(a, "%s%s", prefix, name);
    if (path == NULL || !mem_grow(&m->paths, &m->cap, m->n + 1, sizeof *m->paths))
        return false;
    m->paths[m->n++] = path;
    return true;
}

/* What is not there holds no match; what cannot be read may hold some. */
static bool holds_nothing(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR;
}

/* Adds PREFIX NAME if there is such a file. False with errno. */
static bool match_name(struct matches *m, struct arena *a, const char *prefix, const char *name)
{
    const char *path = arena_printf(a, "%s%s", prefix, name);
    if (path == NULL)
        return false;
    int fd = sys_open(path, O_PATH | O_NOFOLLOW, 0);
    if (fd == -1)
        return holds_nothing(errno);
    sys_close(fd);
    return add_match(m, a, prefix, name);
}

/* Adds what the directory PREFIX has under names that fit PART. False with errno. */
static bool match_entries(struct matches *m, struct arena *a, const char *prefix, const char *part)
{
    const struct dirent *entry = NULL;
    DIR *dir = sys_opendir(*prefix != '\0' ? prefix : ".");
    if (dir == NULL)
        return holds_nothing(errno);
    bool ok = true;
    do {
        errno = 0;
        entry = readdir(dir);
        if (entry != NULL && fnmatch(part, entry->d_name, FNM_PERIOD) == 0)
            ok = add_match(m, a, prefix, entry->d_name);
    } while (ok && entry != NULL);
    int saved = errno;
    closedir(dir);
    errno = saved;
    return ok && saved == 0;
}

/* Continues the paths of M by the next part of a pattern, SLASHES bytes of "/" and LEN bytes behind. False with errno.
 */
static bool match_part(struct matches *m, struct arena *a, const char *at, size_t slashes, size_t len)
{
    struct matches next = {0};
    const char *part = arena_strndup(a, at + slashes, len);
    bool is_pattern = part != NULL && strpbrk(part, "*?[\\") != NULL;
    bool is_last = at[slashes + len] == '\0';
    bool ok = part != NULL;
    for (size_t i = 0; i < m->n && ok; i++) {
        const char *prefix = arena_printf(a, "%s%.*s", m->paths[i], (int)slashes, at);
        if (prefix == NULL)
            ok = false;
        else if (is_pattern)
            ok = match_entries(&next, a, prefix, part);
        else
            ok = is_last ? match_name(&next, a, prefix, part) : add_match(&next, a, prefix, part);
    }
    mem_free(m->paths);
    *m = next;
    return ok;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Not glob(3): it sorts by the locale, and its ~USER brings all of NSS, with a resolver, into a self-contained fosterd.
 */
bool files_glob(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, struct err *e)
{
    struct matches m = {0};
    char **paths = NULL;
    bool ok = add_match(&m, a, "", "");
    for (const char *at = pattern; ok && *at != '\0';) {
        size_t slashes = strspn(at, "/");
        size_t len = strcspn(at + slashes, "/");
        ok = match_part(&m, a, at, slashes, len);
        at += slashes + len;
    }
    if (ok)
        paths = arena_array(a, m.n + 1, sizeof *paths);
    int errnum = errno;
    if (paths != NULL && m.n > 0) {
        memcpy(paths, m.paths, m.n * sizeof *paths);
        qsort(paths, m.n, sizeof *paths, compare_strings);
    }
    mem_free(m.paths);
    if (paths == NULL) {
        set_errno(e, errnum);
        return false;
    }
    *ret = paths;
    *ret_n = m.n;
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
