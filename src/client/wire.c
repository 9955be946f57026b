/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Bytes in and out.
 *
 * When the other side has closed, writing fails before reading does. What it has said last, such as why it cut us off,
 * is still there to be read; so a write that finds nobody is no failure here, only the reading decides.
 */
#include "client/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRE_CHUNK = 64 << 10, WIRE_KEEP = 1 << 20 };

void wire_init(struct wire *w, int fd)
{
    *w = (struct wire){.fd = fd};
    buf_init(&w->in, WIRE_LINE_MAX + WIRE_CHUNK);
    buf_init(&w->out, WIRE_OUT_MAX);
}

void wire_done(struct wire *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    buf_done(&w->in);
    buf_done(&w->out);
}

bool wire_queue(struct wire *w, const char *data, size_t len)
{
    bool ok = buf_add(&w->out, data, len);
    w->out.failed = false;
    return ok;
}

bool wire_flush(struct wire *w)
{
    size_t sent = 0;
    bool ok = true;
    while (!w->deaf && sent < w->out.len) {
        ssize_t n = send(w->fd, w->out.data + sent, w->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EPIPE || errno == ECONNRESET)
            w->deaf = true;
        else if (errno != EINTR) {
            ok = errno == EAGAIN || errno == ENOBUFS;
            break;
        }
    }
    int errnum = errno;
    if (w->deaf)
        buf_reset(&w->out);
    else
        buf_consume(&w->out, sent);
    errno = errnum;
    return ok;
}

/* Lines are handed out without moving what is behind them; it is moved once, before more is read. */
static void wire_compact(struct wire *w)
{
    buf_consume(&w->in, w->taken);
    w->taken = 0;
    if (w->in.len == 0 && w->in.cap > WIRE_KEEP)
        buf_done(&w->in);
}

enum wire_fill wire_fill(struct wire *w)
{
    wire_compact(w);
    char *room = buf_reserve(&w->in, WIRE_CHUNK);
    if (room == NULL)
        return WIRE_NOMEM;
    ssize_t n;
    do
        n = recv(w->fd, room, WIRE_CHUNK, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        w->in.len += (size_t)n;
        return WIRE_SOME;
    }
    if (n == 0 || errno == ECONNRESET)
        return WIRE_END;
    return errno == EAGAIN ? WIRE_NOTHING : WIRE_ERROR;
}

bool wire_line(struct wire *w, const char **ret, size_t *ret_len)
{
    size_t left = w->in.len - w->taken;
    if (left == w->scanned)
        return false;
    const char *line = w->in.data + w->taken;
    const char *end = memchr(line + w->scanned, '\n', left - w->scanned);
    if (end == NULL) {
        w->scanned = left;
        return false;
    }
    *ret = line;
    *ret_len = (size_t)(end - line);
    w->taken += *ret_len + 1;
    w->scanned = 0;
    return true;
}

size_t wire_rest(const struct wire *w)
{
    return w->in.len - w->taken;
}
