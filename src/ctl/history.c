/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Lines of log files. See history.h.
 *
 * To know where the last N lines begin, the files are counted from the newest back until there are N; so the lines of
 * what is shown are read twice, and older files not at all.
 */
#include "ctl/history.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rotated.h"
#include "ctl/text.h"
#include "ctl/when.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HISTORY_CHUNK = 64 << 10, HISTORY_LINE_MAX = 1 << 20, HISTORY_FILES_MAX = 100000, HISTORY_LOOKS = 5 };

/** One file, or what gzip makes of it. */
struct history_file {
    int fd;           /* owned; -1: none */
    pid_t gzip;       /* 0: none */
    uint64_t left;    /* so much of it is to be read */
    struct buf bytes; /* read, and */
    size_t taken;     /* so much of them handed out */
    bool is_over;
    bool no_gzip; /* that is why it could not be opened */
};

struct history {
    char **paths; /* owned; oldest first */
    size_t n, cap, at;
    int last_fd;   /* owned; the last one, which gets another name when it is rotated while those before it are read */
    uint64_t size; /* of that */
    enum history_format format;
    int64_t since_us;
    size_t skip; /* so many lines are not wanted */
    bool is_skipping;
    struct history_file file;
    bool is_open;
    int64_t last_us; /* time of the last line that had one */
    bool within;
    json_t *json; /* owned; the last line */
    struct err trouble;
};

/* ------------------------------------------------------------------ one file */

/* Lets go of F. False: gzip says that there is more in it than it could unpack. */
static bool history_close(struct history_file *f)
{
    int status = 0;
    if (f->fd >= 0)
        close(f->fd);
    if (f->gzip > 0) {
        /* It may have more to say than was wanted. */
        if (!f->is_over)
            kill(f->gzip, SIGTERM);
        while (waitpid(f->gzip, &status, 0) < 0 && errno == EINTR) {
            /* Once more. */
        }
    }
    bool is_whole = !f->is_over || (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_FAILURE);
    buf_done(&f->bytes);
    *f = (struct history_file){.fd = -1};
    return is_whole;
}

/* Makes F read what gzip makes of it. */
static bool history_unpack(struct history_file *f)
{
    static char program[] = "gzip", options[] = "-dc";
    char *argv[] = {program, options, NULL};
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, f->fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    /* It has no name for what is wrong with; we have. */
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int errnum = posix_spawnp(&f->gzip, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    close(f->fd);
    f->fd = ends[0];
    if (errnum != 0)
        f->gzip = 0;
    errno = errnum;
    return errnum == 0;
}

static int history_open_path(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* Makes F read FD (taken over; -1: it could not be opened), which is PATH, and of which LEFT bytes are wanted. */
static bool history_open_file(struct history_file *f, int fd, const char *path, uint64_t left)
{
    *f = (struct history_file){.fd = fd, .left = left};
    buf_init(&f->bytes, HISTORY_LINE_MAX + HISTORY_CHUNK);
    bool is_there = f->fd >= 0;
    if (!is_there || (rotated_is_compressed(path) && !history_unpack(f))) {
        int errnum = errno;
        (void)history_close(f);
        f->no_gzip = is_there;
        errno = errnum;
        return false;
    }
    return true;
}

static void history_fill(struct history_file *f)
{
    buf_consume(&f->bytes, f->taken);
    f->taken = 0;
    char *room = buf_reserve(&f->bytes, HISTORY_CHUNK);
    ssize_t n = 0;
    if (room != NULL && f->left > 0)
        do
            n = read(f->fd, room, f->left < HISTORY_CHUNK ? (size_t)f->left : HISTORY_CHUNK);
        while (n < 0 && errno == EINTR);
    if (n <= 0) {
        f->is_over = true;
        return;
    }
    f->bytes.len += (size_t)n;
    f->left -= (uint64_t)n;
}

/* The next line of F without its newline, in place of which there is a NUL. */
static bool history_read(struct history_file *f, struct history_line *ret)
{
    for (;;) {
        char *at = f->bytes.data + f->taken;
        size_t len = f->bytes.len - f->taken;
        char *newline = len > 0 ? memchr(at, '\n', len) : NULL;
        if (newline == NULL && !f->is_over && len < HISTORY_LINE_MAX) {
            history_fill(f);
            continue;
        }
        if (len == 0)
            return false;
        size_t n = newline != NULL ? (size_t)(newline - at) : len;
        f->taken += n + (newline != NULL);
        at[n] = '\0';
        *ret = (struct history_line){.text = at, .len = n, .us = -1, .partial = newline == NULL};
        return true;
    }
}

/* ------------------------------------------------------------------ which files */

/* Whether NAME is one that BASE was given when it was full. */
static bool history_is_older(const char *name, const char *base)
{
    const char *end;
    return rotated_stamp(name, base, &end) != NULL && (*end == '\0' || strcmp(end, ".gz") == 0);
}

static bool history_add(struct history *h, const char *dir, const char *name)
{
    char *path = NULL;
    if (h->n >= HISTORY_FILES_MAX || !mem_grow(&h->paths, &h->cap, h->n + 1, sizeof *h->paths) ||
        asprintf(&path, "%s%s", dir, name) < 0)
        return false;
    h->paths[h->n++] = path;
    return true;
}

static int history_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether B is A, compressed: then it may not be complete yet. */
static bool history_is_twin(const char *a, const char *b)
{
    size_t len = strlen(a);
    return strncmp(a, b, len) == 0 && strcmp(b + len, ".gz") == 0;
}

/* Finds the files that PATH was renamed to, oldest first. What cannot be listed has none. */
static bool history_list(struct history *h, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    char *prefix = strndup(path, (size_t)(base - path));
    DIR *dir = prefix != NULL ? opendir(*prefix != '\0' ? prefix : ".") : NULL;
    bool ok = prefix != NULL;
    const struct dirent *e;
    while (ok && dir != NULL && (e = readdir(dir)) != NULL)
        if (history_is_older(e->d_name, base))
            ok = history_add(h, prefix, e->d_name);
    if (dir != NULL)
        closedir(dir);
    free(prefix);
    if (h->n > 0)
        qsort(h->paths, h->n, sizeof *h->paths, history_compare);
    size_t kept = 0;
    for (size_t i = 0; i < h->n; i++)
        if (kept > 0 && history_is_twin(h->paths[kept - 1], h->paths[i]))
            free(h->paths[i]);
        else
            h->paths[kept++] = h->paths[i];
    h->n = kept;
    return ok;
}

/* Drops what is newer than the file that fosterd had written to, which may have been rotated since, and opens that.
 * False: it is not there, and nothing is. */
static bool history_find_last(struct history *h, uint64_t inode)
{
    struct stat st;
    for (; h->n > 0; free(h->paths[--h->n])) {
        h->last_fd = history_open_path(h->paths[h->n - 1]);
        if (h->last_fd >= 0 && fstat(h->last_fd, &st) == 0 && (uint64_t)st.st_ino == inode)
            return true;
        if (h->last_fd >= 0)
            close(h->last_fd);
        h->last_fd = -1;
    }
    return false;
}

/* Finds all files that W wants. It may be rotated between two looks, and have neither name at that moment. */
static bool history_find(struct history *h, const struct history_wish *w, struct err *e)
{
    for (int i = 0; i < HISTORY_LOOKS; i++) {
        errno = ENOMEM;
        if (!history_list(h, w->path) || !history_add(h, "", w->path) || access(w->path, R_OK) != 0) {
            err_set_errno(e, errno, "%s", w->path);
            return false;
        }
        if (history_find_last(h, w->inode))
            return true;
    }
    err_set(e, ERR_INPUT, "%s is not the file that fosterd writes to; look from where fosterd is", w->path);
    return false;
}

/* ------------------------------------------------------------------ lines of all of them */

/* Finds the time in LINE, and whether that goes on with the one before; takes off what is not the text. */
static void history_parse(struct history *h, struct history_line *line)
{
    enum { STAMP = 27 };
    json_decref(h->json);
    h->json = NULL;
    line->continues = h->within;
    if (h->format == HISTORY_TIMESTAMPS && line->len > STAMP && line->text[STAMP] == ' ' &&
        when_of_line(line->text, &line->us)) {
        line->text += STAMP + 1;
        line->len -= STAMP + 1;
    } else if (h->format == HISTORY_JSON) {
        h->json = json_loadb(line->text, line->len, JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(h->json, "message");
        if (!json_is_string(text) || !when_of_line(text_member(h->json, "time", ""), &line->us))
            return;
        line->text = json_string_value(text);
        line->len = json_string_length(text);
        line->continues = text_is_true(h->json, "continues");
        line->partial = line->partial || text_is_true(h->json, "partial");
    }
}

/* Whether the line that was read is one that is wanted; its time is known then as well as it can be. */
static bool history_take(struct history *h, struct history_line *line)
{
    history_parse(h, line);
    if (line->us >= 0)
        h->last_us = line->us;
    h->within = line->partial;
    return h->since_us < 0 || h->last_us >= h->since_us;
}

/* Opens file number I, which may have been compressed since it was found. */
static bool history_begin(struct history *h, size_t i)
{
    char *packed = NULL;
    if (i + 1 == h->n) {
        if (lseek(h->last_fd, 0, SEEK_SET) == 0 &&
            history_open_file(&h->file, fcntl(h->last_fd, F_DUPFD_CLOEXEC, 0), h->paths[i], h->size))
            return true;
    } else if (history_open_file(&h->file, history_open_path(h->paths[i]), h->paths[i], UINT64_MAX))
        return true;
    if (errno == ENOENT && !rotated_is_compressed(h->paths[i]) && asprintf(&packed, "%s.gz", h->paths[i]) > 0) {
        free(h->paths[i]);
        h->paths[i] = packed;
        if (history_open_file(&h->file, history_open_path(packed), packed, UINT64_MAX))
            return true;
    }
    err_set_errno(&h->trouble, errno, h->file.no_gzip ? "%s: gzip" : "%s", h->paths[i]);
    return false;
}

/* The number of lines that are wanted in file number I. */
static size_t history_count(struct history *h, size_t i)
{
    struct history_line line;
    size_t n = 0;
    if (!history_begin(h, i))
        return 0;
    while (history_read(&h->file, &line))
        n += history_take(h, &line) && !line.continues;
    (void)history_close(&h->file);
    h->within = false;
    h->last_us = 0;
    return n;
}

/* Goes to the last LINES lines. */
static void history_seek(struct history *h, size_t lines)
{
    size_t n = 0;
    h->at = h->n;
    while (h->at > 0 && n < lines)
        n += history_count(h, --h->at);
    h->skip = n > lines ? n - lines : 0;
}

struct history *history_open(const struct history_wish *w, struct err *e)
{
    struct history *h = mem_alloc(sizeof *h);
    if (h == NULL) {
        err_set_errno(e, ENOMEM, "%s", w->path);
        return NULL;
    }
    *h = (struct history){.size = w->size, .format = w->format, .since_us = w->since_us, .last_fd = -1, .file.fd = -1};
    if (!history_find(h, w, e)) {
        history_free(h);
        return NULL;
    }
    if (w->lines >= 0)
        history_seek(h, (size_t)w->lines);
    return h;
}

bool history_next(struct history *h, struct history_line *ret)
{
    for (;;) {
        struct history_line line;
        if (!h->is_open) {
            if (h->at >= h->n)
                return false;
            size_t i = h->at++;
            h->is_open = history_begin(h, i);
            continue;
        }
        if (!history_read(&h->file, &line)) {
            if (!history_close(&h->file))
                err_set(&h->trouble, ERR_INPUT, "%s: gzip cannot unpack all of it", h->paths[h->at - 1]);
            h->is_open = false;
            continue;
        }
        if (!history_take(h, &line))
            continue;
        h->is_skipping = line.continues ? h->is_skipping : h->skip > 0;
        h->skip -= h->is_skipping && !line.continues;
        if (!h->is_skipping) {
            *ret = line;
            return true;
        }
    }
}

const char *history_trouble(const struct history *h)
{
    return h->trouble.text[0] != '\0' ? h->trouble.text : NULL;
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    (void)history_close(&h->file);
    if (h->last_fd >= 0)
        close(h->last_fd);
    for (size_t i = 0; i < h->n; i++)
        free(h->paths[i]);
    mem_free(h->paths);
    json_decref(h->json);
    mem_free(h);
}
