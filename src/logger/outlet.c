/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Standard output. See outlet.h.
 *
 * A batch is composed in struct shared, then `active`: from now on it survives us, and its lines have left the rings.
 * Then it is written: by way of the outbox, which is empty before, or straight. `done` counts what has left it;
 * SHARED_BOXING in it says that the outbox is being filled, or emptied in vain: what it holds is to be added. What is
 * in the outbox is as good as out: it survives us, too.
 */
#include "logger/outlet.h"

#include "base/mem.h"
#include "core/logring.h"
#include "logger/loop.h"
#include "sys/pipes.h"
#include "sys/sys.h"
#include "sys/sys_net.h"
#include "sys/sys_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OUTLET_SHARE = 2048, /* bytes of a batch that a stream has at least */
    OUTLET_CHUNK = 4096, /* what something that polls writable takes without waiting */
};

static const double outlet_retry_s = 1.;

static struct shared_batch *batch_of(const struct outlet *o)
{
    return &o->logger->shared->out;
}

static size_t boxed(const struct outlet *o)
{
    return pipes_bytes(o->box_read_fd);
}

/* Says to all who wait how it goes. */
static void tell(struct outlet *o, enum logring_trouble t, int errnum)
{
    LIST_EACH (it, &o->queue) {
        struct stream *s = CONTAINER_OF(it, struct stream, in_outlet);
        stream_set_trouble(s, t, errnum);
        stream_settle(s);
    }
}

/* Tries again when there is room, or, when something has failed, in a while. */
static void wait_for_room(struct outlet *o, int errnum)
{
    struct ev_loop *loop = o->logger->loop;
    o->trouble_errno = errnum;
    if (errnum == 0 && o->can_wait) {
        ev_io_start(loop, &o->writable);
    } else if (!ev_is_active(&o->retry)) {
        loop_arm(loop, &o->retry, outlet_retry_s);
    }
}

/* How much may be written at once without waiting: LEN, 0 when there is no room. */
static size_t portion(const struct outlet *o, size_t len)
{
    struct pollfd p = {.fd = o->fd, .events = POLLOUT};
    if (!o->can_wait || o->own_fd || o->is_socket)
        return len;
    if (sys_poll(&p, 1, 0) == 0)
        return 0;
    return len < OUTLET_CHUNK ? len : OUTLET_CHUNK;
}

static ssize_t write_out(const struct outlet *o, const char *data, size_t len)
{
    size_t n = portion(o, len);
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (!o->is_socket)
        return sys_write(o->fd, data, n);
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};
    const struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    return sys_sendmsg(o->fd, &h);
}

/* The outbox goes back to the batch, the end of which it is: splice(2) cannot go where it has to. */
static void unbox(struct outlet *o)
{
    struct shared_batch *b = batch_of(o);
    size_t n = boxed(o);
    o->by_write = true;
    if (n == 0)
        return;
    if (!b->active) {
        b->n_parts = 0;
        b->done = b->len;
    }
    uint32_t from = b->done - (uint32_t)n;
    /* Until it is out of the outbox, what is in that still counts as written. */
    b->done = from | SHARED_BOXING;
    b->active = 1;
    pipes_discard(o->box_read_fd, n);
    b->done = from;
}

/* Moves the outbox on. True when it is empty. */
static bool empty_box(struct outlet *o)
{
    while (!o->by_write && boxed(o) > 0) {
        size_t n = portion(o, SHARED_BATCH_MAX);
        ssize_t moved = n > 0 ? sys_splice(o->box_read_fd, o->fd, n) : -1;
        if (moved > 0) {
            o->logger->shared->n_sent += (size_t)moved;
            continue;
        }
        if (n > 0 && moved < 0 && errno == EINVAL) {
            unbox(o);
            break;
        }
        wait_for_room(o, n == 0 || moved == 0 || errno == EAGAIN ? 0 : errno);
        return false;
    }
    return true;
}

/* Writes what is left of the batch. True when nothing is. */
static bool write_batch(struct outlet *o)
{
    struct shared_batch *b = batch_of(o);
    while (b->active && b->done < b->len) {
        if (!empty_box(o))
            return false;
        const char *data = b->data + b->done;
        size_t len = b->len - b->done;
        ssize_t n;
        if (o->by_write) {
            n = write_out(o, data, len);
        } else {
            b->done |= SHARED_BOXING;
            n = sys_write(o->box_write_fd, data, len);
        }
        if (n <= 0) {
            int errnum = n == 0 ? EAGAIN : errno;
            b->done &= ~SHARED_BOXING;
            wait_for_room(o, errnum == EAGAIN ? 0 : errnum);
            return false;
        }
        b->done = (b->done & ~SHARED_BOXING) + (uint32_t)n;
        o->logger->shared->n_sent += (size_t)n;
    }
    b->active = 0;
    return true;
}

static bool put_piece(struct outlet *o, const struct stream *s, const struct logline_label *label,
                      struct logline_out *out, const struct logline_piece *p, int64_t real_us)
{
    if (s->log.format == SPEC_LOG_JSON)
        return logline_put_json(out, label, p, &o->clock, real_us);
    return logline_put_prefixed(out, label, p, s->log.timestamps ? &o->clock : NULL, real_us);
}

static bool put_gap(struct outlet *o, const struct stream *s, const struct logline_label *label,
                    struct logline_out *out)
{
    char text[STREAM_GAP_MAX];
    struct logline_piece p;
    return !stream_gap(s, text, &p) || put_piece(o, s, label, out, &p, logring_time(&s->ring, s->ring.head->sent));
}

/* Puts lines of S into the batch, as far as CAP bytes hold them. True when there are more. */
static bool put_lines(struct outlet *o, struct stream *s, size_t cap)
{
    struct shared_batch *b = batch_of(o);
    struct logring_head *h = s->ring.head;
    struct logline_label label = stream_label(s);
    struct logline_out out = {.data = b->data + b->len, .cap = cap};
    struct shared_part part = {.stream = s->id,
                               .sent = h->sent,
                               .lost_told = h->lost_bytes,
                               .lost_lines_told = h->lost_lines,
                               .state = h->line};
    bool fits = put_gap(o, s, &label, &out);
    while (fits) {
        struct logline_piece p;
        size_t n =
            logline_next(logring_at(&s->ring, part.sent), (size_t)(h->end - part.sent), &part.state, s->flush, &p);
        if (n == 0)
            break;
        fits = put_piece(o, s, &label, &out, &p, logring_time(&s->ring, part.sent));
        if (!fits)
            break;
        logline_taken(&part.state, &p);
        part.sent += n;
    }
    if (out.len > 0) {
        o->composed[b->n_parts] = s;
        b->parts[b->n_parts++] = part;
        b->len += (uint32_t)out.len;
    }
    return !fits;
}

static size_t count(const struct list *head)
{
    size_t n = 0;
    LIST_EACH (it, head)
        n++;
    return n;
}

/* What is in the batch has left the rings. Said again by who comes after us, it changes nothing. */
static void apply(struct outlet *o)
{
    const struct shared_batch *b = batch_of(o);
    for (uint32_t i = 0; i < b->n_parts; i++) {
        const struct shared_part *p = &b->parts[i];
        struct stream *s = o->composed[i];
        if (s == NULL)
            continue;
        struct logring_head *h = s->ring.head;
        if (p->sent > h->sent) {
            h->line = p->state;
            logring_release(&s->ring, p->sent);
        }
        if (p->lost_told > h->lost_told) {
            h->lost_told = p->lost_told;
            h->lost_lines_told = p->lost_lines_told;
        }
        stream_set_trouble(s, LOGRING_FLOWS, 0);
        stream_settle(s);
    }
}

/* Puts together what goes out next, something of everyone in turn. False when there is nothing. */
static bool compose(struct outlet *o)
{
    struct shared_batch *b = batch_of(o);
    size_t n_left = count(&o->queue);
    b->n_parts = b->len = 0;
    b->done = 0;
    for (; n_left > 0 && b->n_parts < SHARED_STREAMS_MAX; n_left--) {
        struct stream *s = CONTAINER_OF(o->queue.next, struct stream, in_outlet);
        size_t room = SHARED_BATCH_MAX - b->len;
        size_t share = room / n_left < OUTLET_SHARE ? OUTLET_SHARE : room / n_left;
        if (share > room && b->len > 0)
            break;
        list_remove(&s->in_outlet);
        /* The first has all the room there is, if it needs it for one piece: a piece fits always. */
        bool has_more = put_lines(o, s, share);
        if (has_more && b->len == 0)
            has_more = put_lines(o, s, room);
        if (has_more)
            list_append(&o->queue, &s->in_outlet);
        else
            stream_settle(s);
    }
    if (b->n_parts == 0)
        return false;
    b->active = 1;
    apply(o);
    return true;
}

static bool is_waiting(const struct outlet *o)
{
    return ev_is_active(&o->writable) || ev_is_active(&o->retry);
}

void outlet_flush(struct outlet *o)
{
    while (!is_waiting(o) && write_batch(o) && empty_box(o) && compose(o)) {
        /* Nothing but the conditions. */
    }
    if (is_waiting(o))
        tell(o, o->trouble_errno == 0 ? LOGRING_FULL : LOGRING_FAILING, o->trouble_errno);
}

/* There may be room again. */
static void go_on(struct outlet *o)
{
    ev_io_stop(o->logger->loop, &o->writable);
    ev_timer_stop(o->logger->loop, &o->retry);
    if (!write_batch(o) || !empty_box(o))
        return;
    o->trouble_errno = 0;
    tell(o, LOGRING_FLOWS, 0);
    outlet_flush(o);
}

static void on_writable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    go_on(w->data);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    go_on(w->data);
}

bool outlet_is_empty(const struct outlet *o)
{
    return !batch_of(o)->active && boxed(o) == 0 && list_is_empty(&o->queue);
}

void outlet_recover(struct outlet *o)
{
    struct shared_batch *b = batch_of(o);
    if (b->active) {
        for (uint32_t i = 0; i < b->n_parts; i++)
            o->composed[i] = stream_find(o->logger, b->parts[i].stream);
        apply(o);
        if ((b->done & SHARED_BOXING) != 0)
            b->done = (b->done & ~SHARED_BOXING) + (uint32_t)boxed(o);
    }
    /* The one before us may have been able to do what we cannot: somebody has set O_APPEND meanwhile. */
    if (o->by_write)
        unbox(o);
    outlet_flush(o);
}

/* Our own description of what standard output is may be non-blocking; the one we inherited is shared with whoever
 * started us. */
static void open_again(struct outlet *o)
{
    int fd = sys_open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_APPEND, 0);
    if (fd < 0)
        return;
    o->fd = fd;
    o->own_fd = true;
}

static bool wants_colours(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

struct outlet *outlet_new(struct logger *l, const int outbox[2])
{
    struct outlet *o = mem_alloc(sizeof *o);
    struct stat st = {0};
    if (o == NULL)
        return NULL;
    *o = (struct outlet){
        .logger = l,
        .fd = STDOUT_FILENO,
        .box_read_fd = outbox[0],
        .box_write_fd = outbox[1],
        .has_colours = wants_colours(),
    };
    list_init(&o->queue);
    bool known = sys_fstat(STDOUT_FILENO, &st) == 0;
    bool is_terminal = known && S_ISCHR(st.st_mode) && isatty(STDOUT_FILENO);
    o->is_socket = known && S_ISSOCK(st.st_mode);
    /* Only what epoll can watch may be waited for: it refuses files, and libev would then spin. */
    o->can_wait = o->is_socket || is_terminal || (known && S_ISFIFO(st.st_mode));
    /* splice(2) refuses files that are open for appending. */
    o->by_write = !known || !(S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode)) ||
                  (S_ISREG(st.st_mode) && (sys_fcntl(STDOUT_FILENO, F_GETFL, 0) & O_APPEND) != 0);
    if (o->can_wait && !o->is_socket)
        open_again(o);
    ev_io_init(&o->writable, on_writable, o->fd, EV_WRITE);
    o->writable.data = o;
    ev_timer_init(&o->retry, on_retry, 0., 0.);
    o->retry.data = o;
    return o;
}

void outlet_free(struct outlet *o)
{
    if (o == NULL)
        return;
    ev_io_stop(o->logger->loop, &o->writable);
    ev_timer_stop(o->logger->loop, &o->retry);
    if (o->own_fd)
        sys_close(o->fd);
    sys_close(o->box_read_fd);
    sys_close(o->box_write_fd);
    mem_free(o);
}

static void sink_send(struct stream *s)
{
    if (list_is_empty(&s->in_outlet))
        list_append(&s->logger->outlet->queue, &s->in_outlet);
}

static void sink_close(struct stream *s)
{
    list_remove(&s->in_outlet);
}

const struct sink sink_stdout = {.defers = true, .send = sink_send, .close = sink_close};
