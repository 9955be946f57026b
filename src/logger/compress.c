/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Compression of log files that are full. See compress.h.
 *
 * gzip reads one descriptor and writes another: it neither sees names nor deletes anything, so that it is harmless also
 * when it outlives the logger that has started it. Its end is seen by a pipe that it holds.
 */
#include "logger/compress.h"

#include "base/err.h"
#include "base/rotated.h"
#include "logger/file.h"
#include "sys/logfile.h"
#include "sys/spawn.h"
#include "sys/sys.h"
#include "sys/sys_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMPRESS_MODE = 0777, COMPRESS_FD = 3, COMPRESS_NICE = 19, COMPRESS_NO_STATUS = -1 };

/** The one that is under way. */
static struct {
    pid_t pid;     /* 0: none */
    int dir_fd;    /* owned */
    int end_fd;    /* owned; ends with it */
    int status_fd; /* owned; what became of its exec */
    struct ev_io end;
    struct stream *stream; /* borrowed; NULL: has gone */
    struct logger *logger;
    char name[LOGFILE_NAME_MAX];
    bool said_missing;
} job = {.dir_fd = -1, .end_fd = -1, .status_fd = -1};

static void compress_next(struct logger *l);

static void name_with(char *ret, size_t size, const char *end)
{
    snprintf(ret, size, "%.*s%s", (int)(size - strlen(end) - 1), job.name, end);
}

static void delete_remains(void)
{
    char remains[LOGFILE_NAME_MAX];
    name_with(remains, sizeof remains, ".gz.tmp");
    int r = sys_unlinkat(job.dir_fd, remains);
    /* Whoever compresses next looks for it, too. */
    (void)r;
}

/* What gzip has written takes the place of what it has read, unless that is too old by now and has been deleted. */
static bool replace(void)
{
    char remains[LOGFILE_NAME_MAX], compressed[LOGFILE_NAME_MAX];
    struct stat st;
    if (sys_fstatat(job.dir_fd, job.name, &st) != 0 && errno == ENOENT) {
        delete_remains();
        return true;
    }
    name_with(remains, sizeof remains, ".gz.tmp");
    name_with(compressed, sizeof compressed, ".gz");
    return sys_renameat(job.dir_fd, remains, compressed) == 0 &&
           (sys_unlinkat(job.dir_fd, job.name) == 0 || errno == ENOENT);
}

/* Nothing more is compressed of this stream before its next rotation. WHY: NULL when that need not be said. */
static void give_up(const char *why)
{
    delete_remains();
    if (job.stream != NULL)
        file_of(job.stream)->to_compress = false;
    if (why != NULL)
        logger_say(job.logger, job.stream, LOG_LEVEL_WARN, "log-compression", "%s is left as it is: %s", job.name, why);
}

static void finish(int wstatus)
{
    struct spawn_failure failure;
    if (spawn_status(job.status_fd, &failure) == SPAWN_FAILED) {
        bool is_missing = failure.errnum == ENOENT;
        give_up(!is_missing         ? err_errno_text(failure.errnum)
                : !job.said_missing ? "there is no gzip in PATH; install it, or leave `compress` out"
                                    : NULL);
        job.said_missing = job.said_missing || is_missing;
    } else if (!WIFEXITED(wstatus) || WEXITSTATUS(wstatus) != 0) {
        give_up("gzip has failed");
    } else if (!replace()) {
        give_up(err_errno_text(errno));
    }
}

static void on_end(struct ev_loop *loop, struct ev_io *w, int revents)
{
    int wstatus = COMPRESS_NO_STATUS;
    (void)revents;
    ev_io_stop(loop, w);
    /* The pipe is the last thing that it lets go of. */
    if (sys_wait4(job.pid, &wstatus, 0, NULL) < 0)
        wstatus = COMPRESS_NO_STATUS;
    finish(wstatus);
    job.pid = 0;
    sys_close_fd(&job.dir_fd);
    sys_close_fd(&job.end_fd);
    sys_close_fd(&job.status_fd);
    compress_next(job.logger);
}

/* Starts gzip from IN_FD to OUT_FD. */
static bool start(int in_fd, int out_fd, struct err *e)
{
    char program[] = "gzip", to_stdout[] = "-c", *const argv[] = {program, to_stdout, NULL};
    static const int nice = COMPRESS_NICE;
    int end[2];
    if (sys_pipe(end, O_NONBLOCK) != 0) {
        err_set_errno(e, errno, "pipe");
        return false;
    }
    const struct spawn_fd fds[] = {{.fd = end[1], .number = COMPRESS_FD}};
    const struct spawn_request req = {
        .argv = argv,
        .envp = environ,
        .umask = -1,
        .nice = &nice,
        .fds = fds,
        .n_fds = 1,
        .stdio = {in_fd, out_fd, SPAWN_FD_NULL},
    };
    struct spawn_child child;
    bool ok = spawn_start(&req, &child, e);
    sys_close(end[1]);
    if (!ok) {
        sys_close(end[0]);
        return false;
    }
    sys_close_fd(&child.pidfd);
    job.pid = child.pid;
    job.status_fd = child.status_fd;
    job.end_fd = end[0];
    return true;
}

/* Begins to compress NAME of S. */
static bool begin(struct stream *s, const char *name)
{
    const struct file *f = file_of(s);
    struct err e = {0};
    struct stat st;
    char remains[LOGFILE_NAME_MAX];
    int out_fd = -1, in_fd = -1;
    bool ok = false;
    job.logger = s->logger;
    job.stream = s;
    snprintf(job.name, sizeof job.name, "%s", name);
    job.dir_fd = sys_openat(f->dir_fd, ".", O_PATH | O_DIRECTORY, 0);
    name_with(remains, sizeof remains, ".gz.tmp");
    in_fd = sys_openat(f->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (in_fd >= 0 && sys_fstat(in_fd, &st) == 0 && !S_ISREG(st.st_mode))
        errno = EINVAL;
    else if (job.dir_fd >= 0 && in_fd >= 0)
        out_fd = sys_openat(f->dir_fd, remains, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0);
    if (out_fd >= 0 && (sys_geteuid() != 0 || sys_fchown(out_fd, st.st_uid, st.st_gid) == 0) &&
        sys_fchmod(out_fd, st.st_mode & COMPRESS_MODE) == 0)
        ok = start(in_fd, out_fd, &e);
    int errnum = errno;
    sys_close(in_fd);
    sys_close(out_fd);
    if (!ok) {
        give_up(e.kind != ERR_NONE ? e.text : err_errno_text(errnum));
        sys_close_fd(&job.dir_fd);
        return false;
    }
    ev_io_init(&job.end, on_end, job.end_fd, EV_READ);
    ev_io_start(s->logger->loop, &job.end);
    return true;
}

/* Begins with the oldest file of S that is not compressed. False when there is none. */
static bool compress_one(struct stream *s)
{
    struct file *f = file_of(s);
    struct logfile_list l;
    bool begun = false;
    if (f->dir_fd < 0 || logfile_list(f->dir_fd, f->base, true, &l) != 0)
        return false;
    for (size_t i = 0; i < l.n && !begun && f->to_compress; i++)
        if (!rotated_is_compressed(l.names[i]))
            begun = begin(s, l.names[i]);
    logfile_list_done(&l);
    f->to_compress = f->to_compress && begun;
    return begun;
}

static void compress_next(struct logger *l)
{
    if (job.pid != 0)
        return;
    LIST_EACH (it, &l->streams) {
        struct stream *s = CONTAINER_OF(it, struct stream, link);
        if (s->sink == &sink_file && file_of(s) != NULL && file_of(s)->to_compress && compress_one(s))
            return;
    }
}

void compress_files(struct stream *s)
{
    file_of(s)->to_compress = true;
    compress_next(s->logger);
}

void compress_forget(struct stream *s)
{
    if (job.stream == s)
        job.stream = NULL;
}
