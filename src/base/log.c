/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The sink of the daemon's own messages: what each descriptor needs so that writing to it never blocks,
 * and what is told when it could not be written. How a line looks is in log_line.c.
 *
 * DIAGNOSTICS: "N messages dropped", before the first message that can be written again.
 * BUGS: on a pipe under a kernel that cannot write without waiting (before 6.4), and on a terminal that may
 * not be opened once more, the descriptor is asked first whether it is writable; another process that fills
 * it in between makes the write wait for its reader. Regular files are written as they are: a hanging
 * network file system blocks.
 */
#include "base/log.h"

#include "base/log_line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

enum { LOG_HELD_MAX = 64 << 10 };

/* What the descriptor is, and so how it is written to. */
enum sink_kind {
    SINK_UNKNOWN, /* not looked at yet */
    SINK_FILE,
    SINK_SOCKET,
    SINK_STREAM, /* a pipe, a terminal, another device */
};

static struct {
    enum log_level level;
    enum log_format format;
    int fd;          /* borrowed */
    int terminal_fd; /* owned; fd's terminal, opened once more for ourselves; -1 = none */
    enum sink_kind kind;
    bool is_tty;
    bool is_torn;       /* the last line was written in part */
    bool has_no_nowait; /* the kernel refused RWF_NOWAIT for this descriptor */
    uint64_t n_dropped;
    uint64_t n_untold; /* of the dropped ones, those nobody was told of yet */
    uint64_t n_bugs;
    const struct log_prefixes *prefixes; /* borrowed; NULL: none */
} sink = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT, .fd = 2, .terminal_fd = -1};

static struct {
    log_tap_fn *fn; /* NULL: nobody listens */
    void *data;     /* borrowed */
} tap;

/* Messages that wait for log_release(). */
static struct {
    bool is_on;
    size_t len;
    char data[LOG_HELD_MAX]; /* lines */
} held;

static size_t held_line_len(size_t at)
{
    const char *end = memchr(held.data + at, '\n', held.len - at);

    return end != NULL ? (size_t)(end - held.data) - at + 1 : held.len - at;
}

static void log_look_at_sink(void)
{
    struct stat st;

    sink.is_tty = false;
    sink.kind = SINK_STREAM;
    if (fstat(sink.fd, &st) != 0)
        return;
    if (S_ISREG(st.st_mode))
        sink.kind = SINK_FILE;
    else if (S_ISSOCK(st.st_mode))
        sink.kind = SINK_SOCKET;
    else if (S_ISCHR(st.st_mode))
        sink.is_tty = isatty(sink.fd) == 1;
}

/* O_NONBLOCK belongs to the open file, which is shared with whoever else writes to this terminal: an open file
 * of our own can have it. */
static void log_open_terminal(void)
{
    char path[32];

    if (sink.terminal_fd >= 0)
        close(sink.terminal_fd);
    sink.terminal_fd = -1;
    if (!sink.is_tty)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", sink.fd);
    sink.terminal_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void log_setup(enum log_level level, enum log_format format, int fd)
{
    int saved = errno;

    sink.level = level;
    sink.format = format;
    sink.fd = fd;
    sink.is_torn = false;
    sink.has_no_nowait = false;
    log_look_at_sink();
    log_open_terminal();
    errno = saved;
}

void log_set_prefixes(const struct log_prefixes *p)
{
    sink.prefixes = p;
}

enum log_level log_threshold(void)
{
    return sink.level;
}

uint64_t log_dropped(void)
{
    return sink.n_dropped;
}

uint64_t log_bugs(void)
{
    return sink.n_bugs;
}

/* Writes to a pipe or device only what it takes at once. The descriptor may be shared with services, so
 * O_NONBLOCK is not ours to set. */
static ssize_t log_write_stream(const char *data, size_t len)
{
    int fd = sink.terminal_fd >= 0 ? sink.terminal_fd : sink.fd;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    ssize_t n;

    /* A pipe without readers would answer a write with SIGPIPE. */
    if (poll(&p, 1, 0) < 0 || (p.revents & (POLLERR | POLLNVAL)) || len > PIPE_BUF) {
        errno = EIO;
        return -1;
    }
    if (!sink.has_no_nowait) {
        n = syscall(SYS_pwritev2, fd, &iov, 1UL, -1L, -1L, RWF_NOWAIT);
        if (n >= 0 || errno == EAGAIN || errno == EPIPE || errno == ENOSPC)
            return n;
        sink.has_no_nowait = true;
    }
    if (!(p.revents & POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    return write(fd, data, len);
}

static ssize_t log_write_once(const char *data, size_t len)
{
    switch (sink.kind) {
    case SINK_SOCKET:
        return send(sink.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_FILE:
        return write(sink.fd, data, len);
    case SINK_UNKNOWN:
    case SINK_STREAM:
        break;
    }
    return log_write_stream(data, len);
}

/* Writes LINE, which ends with a newline, or says that it could not. */
static bool log_emit(struct log_line *line)
{
    ssize_t n;

    if (sink.is_torn)
        log_line_break_before(line);
    do
        n = log_write_once(line->data, line->len);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        sink.is_torn = (size_t)n < line->len;
    return n >= 0 && (size_t)n == line->len;
}

static const char *log_prefix(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return sink.prefixes->error;
    case LOG_LEVEL_WARN:
        return sink.prefixes->warn;
    case LOG_LEVEL_INFO:
        return sink.prefixes->info;
    case LOG_LEVEL_DEBUG:
        break;
    }
    return sink.prefixes->debug;
}

static void log_compose(struct log_line *line, enum log_level level, const struct log_about *about, const char *text)
{
    struct timespec now = {0};
    static const struct log_about nothing = {0};

    /* Wall time, for people only. */
    if (sink.format == LOG_FORMAT_JSON || sink.is_tty)
        clock_gettime(CLOCK_REALTIME, &now);
    if (!about)
        about = &nothing;
    if (sink.format == LOG_FORMAT_JSON)
        log_line_json(line, level, about, text, &now);
    else if (sink.format == LOG_FORMAT_TEXT && sink.prefixes)
        log_line_prefixed(line, log_prefix(level), about, text);
    else
        log_line_text(line, level, about, text, sink.format == LOG_FORMAT_JOURNAL, sink.is_tty ? &now : NULL);
}

/* Tells how many messages were dropped. False when that could not be written either. */
static bool log_tell_dropped(struct log_line *line)
{
    uint64_t n = sink.n_untold;
    char text[64];

    if (n == 0)
        return true;
    snprintf(text, sizeof(text), "%llu message%s dropped", (unsigned long long)n, n == 1 ? "" : "s");
    log_compose(line, LOG_LEVEL_WARN, NULL, text);
    if (!log_emit(line))
        return false;
    sink.n_untold -= n;
    return true;
}

void log_set_tap(log_tap_fn *fn, void *data)
{
    tap.fn = fn;
    tap.data = data;
}

static void log_count_dropped(void)
{
    sink.n_dropped++;
    sink.n_untold++;
}

/* Writes what is held. */
static void log_write_held(void)
{
    struct log_line line;

    for (size_t at = 0; at < held.len; at += held_line_len(at)) {
        if (log_tell_dropped(&line)) {
            line.len = held_line_len(at);
            memcpy(line.data, held.data + at, line.len);
            if (log_emit(&line))
                continue;
        }
        log_count_dropped();
    }
    held.len = 0;
}

void log_hold(void)
{
    held.is_on = true;
}

void log_release(void)
{
    int saved = errno;

    held.is_on = false;
    log_write_held();
    errno = saved;
}

static void log_keep(const struct log_line *line)
{
    if (line->len > sizeof(held.data) - held.len)
        log_write_held();
    memcpy(held.data + held.len, line->data, line->len);
    held.len += line->len;
}

/* Writes one message, or counts it as dropped. */
static void log_put(enum log_level level, const struct log_about *about, const char *text)
{
    struct log_line line;

    if (sink.kind == SINK_UNKNOWN)
        log_look_at_sink();
    if (held.is_on) {
        log_compose(&line, level, about, text);
        log_keep(&line);
        return;
    }
    if (log_tell_dropped(&line)) {
        log_compose(&line, level, about, text);
        if (log_emit(&line))
            return;
    }
    log_count_dropped();
}

void log_vwrite(enum log_level level, const struct log_about *about, const char *fmt, va_list ap)
{
    int saved = errno;
    bool is_tapped = tap.fn && about && about->event, is_good;
    char text[LOG_LINE_TEXT_MAX];

    if (!is_tapped && level > sink.level)
        return;
    is_good = vsnprintf(text, sizeof(text), fmt, ap) >= 0;
    if (!is_good)
        snprintf(text, sizeof(text), "(a message that cannot be formatted)");
    if (is_tapped && is_good)
        tap.fn(level, about, text, tap.data);
    if (level <= sink.level)
        log_put(level, about, text);
    errno = saved;
}

void log_write(enum log_level level, const struct log_about *about, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vwrite(level, about, fmt, ap);
    va_end(ap);
}

void log_bug(const char *file, int line, const char *cond)
{
    const char *slash = strrchr(file, '/');

    sink.n_bugs++;
    log_write(LOG_LEVEL_ERROR, NULL, "bug: %s:%d: %s", slash ? slash + 1 : file, line, cond);
#ifdef FOSTER_ABORT_ON_BUG
    log_release();
    abort();
#endif
}
