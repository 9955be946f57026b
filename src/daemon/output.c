/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Service output: pipe to lines to standard output.
 *
 * DIAGNOSTICS: the first failed write of a spell warns; writes are tried again with every later line.
 */
#include "daemon/output.h"

#include "base/log.h"
#include "sys/sys.h"
#include "sys/sys_net.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_PENDING_MAX = 4 << 20, OUTPUT_DRAIN_MAX = 1 << 20, OUTPUT_CHUNK = 4096 };

/* A description of our own may be non-blocking; the one we inherited is shared with whoever started us. */
static int output_reopen(void)
{
    return sys_open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_APPEND, 0);
}

static void output_on_writable(struct ev_loop *loop, struct ev_io *w, int revents);

void output_init(struct output *o, struct ev_loop *loop)
{
    *o = (struct output){.loop = loop, .fd = STDOUT_FILENO};
    buf_init(&o->pending, OUTPUT_PENDING_MAX);
    list_init(&o->streams);
    struct stat st;
    /* Only what epoll can watch may be waited for: it refuses files, and libev would then spin. */
    if (sys_fstat(STDOUT_FILENO, &st) == 0)
        o->can_wait = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(STDOUT_FILENO));
    if (o->can_wait && !S_ISSOCK(st.st_mode)) {
        int fd = output_reopen();
        if (fd >= 0) {
            o->fd = fd;
            o->own_fd = true;
        }
    }
    ev_io_init(&o->writable, output_on_writable, o->fd, EV_WRITE);
    o->writable.data = o;
}

static void output_hold_streams(struct output *o, bool hold)
{
    LIST_EACH (it, &o->streams) {
        struct output_stream *s = CONTAINER_OF(it, struct output_stream, link);
        if (hold)
            ev_io_stop(o->loop, &s->readable);
        else
            ev_io_start(o->loop, &s->readable);
    }
}

/* Writes LEN bytes as far as that is possible without waiting. Returns what was written, 0 when it is full, -1 with
 * errno. */
static ssize_t output_write(struct output *o, const char *data, size_t len)
{
    if (!o->can_wait || o->own_fd) {
        ssize_t n = sys_write(o->fd, data, len);
        return n < 0 && errno == EAGAIN ? 0 : n;
    }
    struct pollfd p = {.fd = o->fd, .events = POLLOUT};
    if (poll(&p, 1, 0) == 0)
        return 0;
    /* A pipe that polls writable takes a page without waiting. */
    return sys_write(o->fd, data, len < OUTPUT_CHUNK ? len : OUTPUT_CHUNK);
}

static void output_flush(struct output *o)
{
    while (o->pending.len > 0) {
        ssize_t n = output_write(o, o->pending.data, o->pending.len);
        if (n == 0)
            break;
        if (n < 0) {
            if (!o->failing)
                log_warn("standard output: %s; dropping what services write until it works again",
                         err_errno_text(errno));
            o->failing = true;
            o->n_dropped += o->pending.len;
            buf_reset(&o->pending);
            break;
        }
        o->failing = false;
        buf_consume(&o->pending, (size_t)n);
    }
    bool was_held = ev_is_active(&o->writable);
    if (o->pending.len > 0 && !was_held) {
        ev_io_start(o->loop, &o->writable);
        output_hold_streams(o, true);
    } else if (o->pending.len == 0 && was_held) {
        ev_io_stop(o->loop, &o->writable);
        output_hold_streams(o, false);
    }
}

static void output_on_writable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    output_flush(w->data);
}

static void output_line(struct output_stream *s, const char *line, size_t len)
{
    struct output *o = s->output;
    size_t before = o->pending.len;
    if (s->tail != NULL)
        tail_add(s->tail, line, len);
    if (s->on_line != NULL && !s->is_stale)
        s->on_line(line, len, s->on_line_data);
    buf_printf(&o->pending, "%-*s | ", o->name_width, s->name);
    buf_add(&o->pending, line, len);
    buf_putc(&o->pending, '\n');
    if (o->pending.failed) {
        o->n_dropped += len + 1;
        o->pending.len = before;
        o->pending.failed = false;
    }
}

static void output_flush_partial(struct output_stream *s)
{
    if (s->partial.len == 0)
        return;
    output_line(s, s->partial.data, s->partial.len);
    buf_done(&s->partial);
}

/* N bytes more have been taken out of the pipe. */
static void output_pass(struct output_stream *s, size_t n)
{
    s->is_stale = s->n_stale >= n;
    s->n_stale -= s->is_stale ? n : s->n_stale;
}

/* Cuts the LEN bytes at DATA into lines; what has no end yet waits in s->partial. */
static void output_take(struct output_stream *s, const char *data, size_t len)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) : len;
        if (end != NULL && s->partial.len == 0 && n <= OUTPUT_LINE_MAX) {
            output_pass(s, n + 1);
            output_line(s, data, n);
        } else {
            size_t room = OUTPUT_LINE_MAX - s->partial.len;
            size_t part = n < room ? n : room;
            if (!buf_add(&s->partial, data, part)) {
                s->output->n_dropped += part;
                buf_reset(&s->partial);
            }
            output_pass(s, part + (part == n && end != NULL));
            /* A line without end is cut, or it would take all our memory. */
            if (part < n || end != NULL)
                output_flush_partial(s);
            if (part < n) {
                data += part;
                len -= part;
                continue;
            }
        }
        n += end != NULL;
        data += n;
        len -= n;
    }
}

/* Reads once; false when there is nothing (now). */
static bool output_read(struct output_stream *s, size_t *ret_n)
{
    static char chunk[OUTPUT_READ_MAX];
    ssize_t n = sys_read(s->read_fd, chunk, sizeof chunk);
    if (n <= 0)
        return false;
    output_take(s, chunk, (size_t)n);
    *ret_n = (size_t)n;
    return true;
}

static void output_on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct output_stream *s = w->data;
    size_t n;
    if (output_read(s, &n))
        output_flush(s->output);
}

bool output_open(struct output *o, struct output_stream *s, const char *name, struct err *e)
{
    int fds[2];
    if (sys_pipe(fds, 0) < 0) {
        err_set_errno(e, errno, "pipe for its output");
        return false;
    }
    /* Only our end: a service must find its output blocking, as everywhere. */
    if (sys_fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
        err_set_errno(e, errno, "pipe for its output");
        sys_close(fds[0]);
        sys_close(fds[1]);
        return false;
    }
    *s = (struct output_stream){.output = o, .name = name, .read_fd = fds[0], .write_fd = fds[1]};
    buf_init(&s->partial, OUTPUT_LINE_MAX);
    list_append(&o->streams, &s->link);
    ev_io_init(&s->readable, output_on_readable, s->read_fd, EV_READ);
    ev_set_priority(&s->readable, EV_MINPRI);
    s->readable.data = s;
    if (!ev_is_active(&o->writable))
        ev_io_start(o->loop, &s->readable);
    return true;
}

void output_drain(struct output_stream *s, bool flush)
{
    if (s->read_fd < 0)
        return;
    size_t n = 0;
    /* While our output is full the rest stays in the pipe, where it is safe. */
    for (size_t total = 0; total < OUTPUT_DRAIN_MAX && !ev_is_active(&s->output->writable) && output_read(s, &n);
         total += n)
        output_flush(s->output);
    /* A line whose rest is still in the pipe has not ended, though its writer has. */
    if (flush && !ev_is_active(&s->output->writable))
        output_flush_partial(s);
    output_flush(s->output);
}

void output_listen(struct output_stream *s, output_line_fn *fn, void *data)
{
    int n = 0;
    s->on_line = fn;
    s->on_line_data = data;
    if (fn == NULL || s->read_fd < 0 || sys_get_readable(s->read_fd, &n) != 0)
        n = 0;
    s->n_stale = (size_t)n;
    s->is_stale = true;
}

void output_close(struct output_stream *s)
{
    if (s->read_fd < 0)
        return;
    output_drain(s, true);
    ev_io_stop(s->output->loop, &s->readable);
    list_remove(&s->link);
    sys_close_fd(&s->read_fd);
    sys_close_fd(&s->write_fd);
    buf_done(&s->partial);
}

void output_settle(struct output *o, int64_t budget_ms)
{
    int64_t end = sys_now_ms() + budget_ms;
    for (;;) {
        LIST_EACH (it, &o->streams)
            output_drain(CONTAINER_OF(it, struct output_stream, link), false);
        int64_t left = end - sys_now_ms();
        struct pollfd p = {.fd = o->fd, .events = POLLOUT};
        if (!ev_is_active(&o->writable) || left <= 0 || poll(&p, 1, (int)left) <= 0)
            return;
        output_flush(o);
    }
}

void output_done(struct output *o)
{
    output_flush(o);
    o->n_dropped += o->pending.len;
    if (o->n_dropped > 0)
        log_warn("standard output: %" PRIu64 " bytes of what services wrote were lost", o->n_dropped);
    ev_io_stop(o->loop, &o->writable);
    if (o->own_fd)
        sys_close(o->fd);
    buf_done(&o->pending);
}
