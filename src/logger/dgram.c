/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The drivers `syslog` and `journald`: one datagram a line, to a socket that all streams with the same address share.
 *
 * DIAGNOSTICS: a socket whose other end has gone is connected anew at once, and then every second while something waits
 * for it. A logger that is killed between sending a datagram and noting that may send that one again.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/logring.h"
#include "logger/loop.h"
#include "logger/stream.h"
#include "sys/sys.h"
#include "sys/sys_net.h"
#include "sys/sys_time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum {
    DGRAM_MAX = LOGLINE_MAX + 2048, /* a piece with all that stands before it */
    PRIORITY_WARNING = 4,
    PRIORITY_INFO = 6,
};

static const double dgram_retry_s = 1.;

/** A socket to one address. */
struct outgoing {
    struct list link;  /* in all */
    struct list users; /* of struct user.link; who is first has the next turn */
    struct ev_loop *loop;
    int fd;     /* owned; -1: not connected */
    int errnum; /* why nothing goes out, while `writable` or `retry` is active */
    struct ev_io writable;
    struct ev_timer retry;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

/** A stream that sends there. */
struct user {
    struct list link;
    struct stream *stream; /* borrowed: the owner */
    struct outgoing *outgoing;
};

static struct list all = {&all, &all};

static struct outgoing *outgoing_of(const struct stream *s)
{
    const struct user *u = s->sink_data;
    return u->outgoing;
}

static bool connect_to(struct outgoing *o)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, o->path, sizeof a.sun_path);
    o->fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (o->fd < 0)
        return false;
    if (sys_connect(o->fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return true;
    sys_close_fd(&o->fd);
    return false;
}

static void disconnect(struct outgoing *o)
{
    ev_io_stop(o->loop, &o->writable);
    sys_close_fd(&o->fd);
}

/* Everyone who waits may go on. */
static void pump_all(struct outgoing *o)
{
    LIST_EACH (it, &o->users)
        stream_pump(CONTAINER_OF(it, struct user, link)->stream);
}

static void on_writable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)revents;
    ev_io_stop(loop, w);
    pump_all(w->data);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    pump_all(w->data);
}

static struct outgoing *outgoing_get(struct stream *s, const char *path)
{
    LIST_EACH (it, &all) {
        struct outgoing *o = CONTAINER_OF(it, struct outgoing, link);
        if (strcmp(o->path, path) == 0)
            return o;
    }
    struct outgoing *o = mem_alloc(sizeof *o);
    if (o == NULL)
        return NULL;
    *o = (struct outgoing){.loop = s->logger->loop, .fd = -1};
    snprintf(o->path, sizeof o->path, "%s", path);
    list_init(&o->users);
    list_append(&all, &o->link);
    ev_io_init(&o->writable, on_writable, -1, EV_WRITE);
    ev_timer_init(&o->retry, on_retry, 0., 0.);
    o->writable.data = o->retry.data = o;
    return o;
}

static void outgoing_put(struct outgoing *o)
{
    if (!list_is_empty(&o->users))
        return;
    disconnect(o);
    ev_timer_stop(o->loop, &o->retry);
    list_remove(&o->link);
    mem_free(o);
}

/* Sends the LEN bytes at DATA; on a socket whose other end has gone, on a new one. False with errno. */
static bool send_one(struct outgoing *o, const char *data, size_t len)
{
    bool is_new = o->fd < 0;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    const struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    if (is_new && !connect_to(o))
        return false;
    if (sys_sendmsg(o->fd, &h) >= 0)
        return true;
    if (is_new || errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE)
        return false;
    disconnect(o);
    return connect_to(o) && sys_sendmsg(o->fd, &h) >= 0;
}

/* Nothing of S goes out now, for the reason its socket has. */
static void tell_why(struct stream *s)
{
    int errnum = outgoing_of(s)->errnum;
    bool is_full = errnum == EAGAIN || errnum == ENOBUFS;
    if (errnum == EPROTOTYPE)
        s->why = "it takes no datagrams; an address of a datagram socket is needed";
    stream_set_trouble(s, is_full ? LOGRING_FULL : LOGRING_FAILING, is_full ? 0 : errnum);
    s->why = NULL;
}

/* Waits for room, or for the other end to come back. Whoever found it so has the next turn after all others. */
static void wait_for(struct stream *s, int errnum)
{
    struct user *u = s->sink_data;
    struct outgoing *o = u->outgoing;
    o->errnum = errnum;
    list_remove(&u->link);
    list_append(&o->users, &u->link);
    if (errnum == EAGAIN) {
        ev_io_set(&o->writable, o->fd, EV_WRITE);
        ev_io_start(o->loop, &o->writable);
    } else {
        /* Without memory in the kernel the socket seems to be writable all the time. */
        if (errnum != ENOBUFS)
            disconnect(o);
        loop_arm(o->loop, &o->retry, dgram_retry_s);
    }
    tell_why(s);
}

/* Sends one piece. 0, or errno. */
static int send_piece(struct stream *s, const struct logline_piece *p, int priority, int64_t real_us)
{
    static char data[DGRAM_MAX];
    static struct logline_clock clock;
    struct logline_out out = {.data = data, .cap = sizeof data};
    struct logline_label label = stream_label(s);
    bool fits;
    label.pid = logring_pid(&s->ring, s->ring.head->sent);
    if (s->log.driver == SPEC_LOG_JOURNALD)
        fits = logline_put_journal(&out, &label, p, priority);
    else if (s->log.syslog_format == SPEC_SYSLOG_RFC3164)
        fits = logline_put_bsd_syslog(&out, &label, p, priority);
    else
        fits = logline_put_syslog(&out, &label, p, priority, &clock, real_us);
    if (!fits)
        return EMSGSIZE;
    if (!send_one(outgoing_of(s), data, out.len))
        return errno;
    s->logger->shared->n_sent += out.len;
    return 0;
}

static int send_gap(struct stream *s)
{
    char text[STREAM_GAP_MAX];
    struct logline_piece p;
    struct logring_head *h = s->ring.head;
    if (!stream_gap(s, text, &p))
        return 0;
    uint64_t bytes = h->lost_bytes, lines = h->lost_lines;
    int errnum = send_piece(s, &p, PRIORITY_WARNING, sys_unix_us());
    if (errnum == 0) {
        h->lost_told = bytes;
        h->lost_lines_told = lines;
    }
    return errnum;
}

/* The priority of P, taken off it: the rest of a line has that of its beginning. */
static int priority_of(const struct stream *s, struct logline_piece *p)
{
    const struct logline_state *line = &s->ring.head->line;
    if (!p->continues)
        return logline_priority(p, PRIORITY_INFO);
    return line->priority > 0 ? line->priority - 1 : PRIORITY_INFO;
}

static void sink_send(struct stream *s)
{
    const struct outgoing *o = outgoing_of(s);
    struct logring_head *h = s->ring.head;
    if ((ev_is_active(&o->retry) && !s->closing) || ev_is_active(&o->writable)) {
        tell_why(s);
        return;
    }
    int errnum = send_gap(s);
    while (errnum == 0) {
        struct logline_piece p;
        uint64_t sent = h->sent;
        size_t n = logline_next(logring_at(&s->ring, sent), logring_pending(&s->ring), &h->line, s->flush, &p);
        if (n == 0) {
            stream_set_trouble(s, LOGRING_FLOWS, 0);
            return;
        }
        int priority = priority_of(s, &p);
        errnum = send_piece(s, &p, priority, logring_time(&s->ring, sent));
        if (errnum == EMSGSIZE) {
            h->lost_bytes += n;
            h->lost_lines += p.ends;
            errnum = 0;
        }
        if (errnum == 0) {
            h->line.priority = (uint8_t)(priority + 1);
            logline_taken(&h->line, &p);
            logring_release(&s->ring, sent + n);
        }
    }
    wait_for(s, errnum);
}

static bool sink_open(struct stream *s)
{
    const char *address = s->log.driver == SPEC_LOG_SYSLOG ? s->log.address : s->logger->journal_path;
    struct user *u = mem_alloc(sizeof *u);
    if (u == NULL)
        return false;
    *u = (struct user){.stream = s, .outgoing = outgoing_get(s, address)};
    if (u->outgoing == NULL) {
        mem_free(u);
        return false;
    }
    list_append(&u->outgoing->users, &u->link);
    s->sink_data = u;
    return true;
}

static void sink_close(struct stream *s)
{
    struct user *u = s->sink_data;
    list_remove(&u->link);
    outgoing_put(u->outgoing);
    mem_free(u);
    s->sink_data = NULL;
}

static void sink_reopen(struct stream *s)
{
    struct outgoing *o = outgoing_of(s);
    /* Kept until there is another: where the address is the same, nothing is lost by it. */
    struct list hold;
    list_append(&o->users, &hold);
    sink_close(s);
    bool ok = sink_open(s);
    list_remove(&hold);
    outgoing_put(o);
    if (!ok)
        s->sink = NULL;
}

static const char *sink_path(const struct stream *s)
{
    return outgoing_of(s)->path;
}

const struct sink sink_syslog = {
    .open = sink_open, .send = sink_send, .reopen = sink_reopen, .close = sink_close, .path = sink_path};
const struct sink sink_journal = {
    .open = sink_open, .send = sink_send, .reopen = sink_reopen, .close = sink_close, .path = sink_path};
