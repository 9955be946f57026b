/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One stream of output in the logger. See stream.h.
 */
#include "logger/stream.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/palette.h"
#include "logger/intake.h"
#include "logger/match.h"
#include "logger/outlet.h"
#include "logger/serve.h"
#include "sys/pipes.h"
#include "sys/ring.h"
#include "sys/sys.h"
#include "sys/sys_pipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of a ring, what must be free before a pipe is read that was not, and what is dropped at a time. */
enum { STREAM_ROOM_SHARE = 4 };

static const double stream_partial_s = 1.;

static const struct sink *sink_of(enum spec_log_driver driver)
{
    switch (driver) {
    case SPEC_LOG_STDOUT:
        return &sink_stdout;
    case SPEC_LOG_FILE:
        return &sink_file;
    case SPEC_LOG_SYSLOG:
        return &sink_syslog;
    case SPEC_LOG_JOURNALD:
        return &sink_journal;
    case SPEC_LOG_INHERIT:
    case SPEC_LOG_NONE:
    case SPEC_LOG_N:
        break;
    }
    return NULL;
}

static bool own_text(const char **text)
{
    if (*text == NULL)
        return true;
    *text = mem_strdup(*text);
    return *text != NULL;
}

void logger_free_log(struct spec_log *log)
{
    mem_free((void *)(uintptr_t)log->path);
    mem_free((void *)(uintptr_t)log->address);
    mem_free((void *)(uintptr_t)log->tag);
    mem_free((void *)(uintptr_t)log->user.text);
}

bool logger_copy_log(struct spec_log *ret, const struct spec_log *log)
{
    struct spec_log copy = *log;
    copy.user.groups = NULL;
    copy.user.n_groups = 0;
    copy.user.name = copy.user.home = copy.user.shell = NULL;
    const char **texts[] = {&copy.path, &copy.address, &copy.tag, &copy.user.text};
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        ok = own_text(texts[i]) && ok;
    if (ok)
        *ret = copy;
    else
        logger_free_log(&copy);
    return ok;
}

static void open_sink(struct stream *s)
{
    s->sink = sink_of(s->log.driver);
    if (s->sink != NULL && s->sink->open != NULL && !s->sink->open(s)) {
        s->sink = NULL;
        stream_set_trouble(s, LOGRING_FAILING, ENOMEM);
    }
}

static void close_sink(struct stream *s)
{
    if (s->sink != NULL && s->sink->close != NULL)
        s->sink->close(s);
    s->sink = NULL;
    s->sink_data = NULL;
}

static void on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    struct stream *s = w->data;
    (void)loop;
    (void)revents;
    intake_on_readable(s->logger->intake, s);
}

static void read_pipe(struct stream *s, bool wanted)
{
    wanted = wanted && s->pipe_fd >= 0;
    if (wanted == s->wants_more)
        return;
    s->wants_more = wanted;
    if (wanted)
        ev_io_start(s->logger->loop, &s->readable);
    else
        ev_io_stop(s->logger->loop, &s->readable);
}

struct stream *stream_new(struct logger *l, const struct logger_stream *d)
{
    size_t page = ring_page();
    struct stream *s = mem_alloc(sizeof *s);
    if (s == NULL) {
        ring_unmap(d->ring, logring_head_bytes(d->ring_size, page), d->ring_size);
        sys_close(d->pipe_fd);
        return NULL;
    }
    *s = (struct stream){
        .logger = l,
        .id = d->id,
        .which = d->which,
        .pipe_fd = d->pipe_fd,
        .ring_base = d->ring,
        .closing = d->closing,
    };
    list_init(&s->in_outlet);
    list_init(&s->in_partials);
    list_init(&s->in_ready);
    list_init(&s->in_ended);
    logring_attach(&s->ring, d->ring, d->ring_size, page);
    s->lost_before = s->ring.head->lost_told;
    s->lost_lines_before = s->ring.head->lost_lines_told;
    ev_io_init(&s->readable, on_readable, s->pipe_fd, EV_READ);
    s->readable.data = s;
    list_append(&l->streams, &s->link);
    s->name = mem_strdup(d->name);
    s->service = mem_strdup(d->service);
    if (s->name == NULL || s->service == NULL || !logger_copy_log(&s->log, d->log)) {
        stream_free(s);
        return NULL;
    }
    int size = sys_pipe_size(s->pipe_fd);
    s->pipe_size = size > 0 ? size : LOGRING_PAGE;
    match_set(s, d->match, d->match_from);
    open_sink(s);
    return s;
}

struct stream *stream_find(const struct logger *l, uint64_t id)
{
    LIST_EACH (it, &l->streams) {
        struct stream *s = CONTAINER_OF(it, struct stream, link);
        if (s->id == id)
            return s;
    }
    return NULL;
}

void stream_set(struct stream *s, const struct logger_stream *d)
{
    struct spec_log log;
    char *name = strcmp(s->name, d->name) != 0 ? mem_strdup(d->name) : NULL;
    if (name != NULL) {
        mem_free(s->name);
        s->name = name;
    }
    match_set(s, d->match, d->match_from);
    match_on_bytes(s, false);
    if (!logger_copy_log(&log, d->log))
        return;
    bool same_sink = s->sink == sink_of(log.driver);
    if (!same_sink)
        close_sink(s);
    logger_free_log(&s->log);
    s->log = log;
    if (!same_sink)
        open_sink(s);
    else if (s->sink != NULL && s->sink->reopen != NULL)
        s->sink->reopen(s);
    stream_pump(s);
}

static void arm_partials(struct logger *l)
{
    ev_timer_stop(l->loop, &l->partial_timer);
    if (list_is_empty(&l->partials))
        return;
    const struct stream *first = CONTAINER_OF(l->partials.next, struct stream, in_partials);
    double after = first->partial_at - ev_now(l->loop);
    ev_timer_set(&l->partial_timer, after > 0 ? after : 0., 0.);
    ev_timer_start(l->loop, &l->partial_timer);
}

void stream_on_partial_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct logger *l = w->data;
    (void)revents;
    while (!list_is_empty(&l->partials)) {
        struct stream *s = CONTAINER_OF(l->partials.next, struct stream, in_partials);
        if (s->partial_at > ev_now(loop))
            break;
        list_remove(&s->in_partials);
        s->flush = true;
        stream_pump(s);
    }
    arm_partials(l);
}

/* The beginning of a line waits for its end, but not for ever. */
static void watch_partial(struct stream *s)
{
    struct logger *l = s->logger;
    const struct logring_head *h = s->ring.head;
    bool waits = logring_pending(&s->ring) > 0 && h->trouble == LOGRING_FLOWS && !s->flush;
    bool is_listed = !list_is_empty(&s->in_partials);
    if (waits == is_listed && (!waits || s->partial_from == h->sent))
        return;
    bool was_first = l->partials.next == &s->in_partials;
    list_remove(&s->in_partials);
    if (waits) {
        s->partial_from = h->sent;
        s->partial_at = ev_now(l->loop) + stream_partial_s;
        list_append(&l->partials, &s->in_partials);
    }
    if (was_first || l->partials.next == &s->in_partials)
        arm_partials(l);
}

/* Whether nothing is in the pipe of S. */
static bool is_drained(const struct stream *s)
{
    return s->pipe_fd < 0 || pipes_bytes(s->pipe_fd) == 0;
}

/* What cannot go out when S goes, although that has been tried once more, is lost, and counted. */
static void check_end(struct stream *s)
{
    if (!s->closing || !list_is_empty(&s->in_ended) || !is_drained(s))
        return;
    if (s->ring.head->trouble == LOGRING_FAILING || s->sink == NULL)
        logring_drop(&s->ring, s->ring.size);
    if (logring_pending(&s->ring) == 0) {
        list_append(&s->logger->ended, &s->in_ended);
    } else if (!s->flush) {
        s->flush = true;
        stream_pump(s);
    }
}

/* Whether S makes room for what comes by dropping what waits. */
static bool may_drop(const struct stream *s)
{
    return s->log.mode == SPEC_LOG_DROP || s->ring.head->trouble == LOGRING_FAILING || s->sink == NULL;
}

static bool is_nearly_full(const struct stream *s)
{
    return logring_room(&s->ring) < s->ring.size / STREAM_ROOM_SHARE;
}

/* Whether a line fills the ring that would wait for its end in vain. */
static bool has_no_room_for_line(const struct stream *s)
{
    return s->ring.size <= LOGLINE_MAX && is_nearly_full(s) &&
           memchr(logring_at(&s->ring, s->ring.head->sent), '\n', logring_pending(&s->ring)) == NULL;
}

void stream_settle(struct stream *s)
{
    const struct logring_head *h = s->ring.head;
    size_t least = s->wants_more ? 1 : s->ring.size / STREAM_ROOM_SHARE;
    if (logring_pending(&s->ring) == 0)
        s->flush = false;
    if (!s->flush && s->sink != NULL && h->trouble == LOGRING_FLOWS && has_no_room_for_line(s))
        stream_pump(s);
    watch_partial(s);
    read_pipe(s, may_drop(s) || logring_room(&s->ring) >= least);
    check_end(s);
}

void stream_pump(struct stream *s)
{
    bool sends = s->sink != NULL && logring_pending(&s->ring) > 0;
    /* A run begins with a line of its own, whatever the one before it has left without an end. */
    if (s->ring.head->sent == logring_run(&s->ring)->at)
        s->ring.head->line.within = false;
    if (sends && has_no_room_for_line(s))
        s->flush = true;
    if (sends)
        s->sink->send(s);
    if (!sends || !s->sink->defers)
        stream_settle(s);
}

/* Tells fosterd that the sink of S fails, or does no more. */
static void tell_trouble(struct stream *s, bool fails, int errnum)
{
    const struct logring_head *h = s->ring.head;
    const char *path = s->sink != NULL && s->sink->path != NULL ? s->sink->path(s) : NULL;
    const char *what = path != NULL ? path : spec_log_driver_name(s->log.driver);
    if (fails)
        logger_say(
            s->logger, s, LOG_LEVEL_WARN, "log-failing",
            "its log (%s): %s; it goes on, and what has no room in memory (%zu KiB) is dropped until that is over",
            what, s->why != NULL ? s->why : err_errno_text(errnum), s->ring.size >> 10);
    else if (h->lost_bytes > s->lost_before)
        logger_say(s->logger, s, LOG_LEVEL_WARN, "log-resumed",
                   "its log (%s) works again; %" PRIu64 " lines (%" PRIu64 " bytes) were dropped", what,
                   h->lost_lines - s->lost_lines_before, h->lost_bytes - s->lost_before);
    else
        logger_say(s->logger, s, LOG_LEVEL_INFO, "log-resumed", "its log (%s) works again; nothing was lost", what);
}

void stream_set_trouble(struct stream *s, enum logring_trouble t, int errnum)
{
    struct logring_head *h = s->ring.head;
    bool was_failing = h->trouble == LOGRING_FAILING, fails = t == LOGRING_FAILING;
    bool is_news = was_failing != fails || (was_failing && h->sink_errno != errnum);
    h->sink_errno = errnum;
    h->trouble = (int)t;
    if (!was_failing && fails) {
        s->lost_before = h->lost_bytes;
        s->lost_lines_before = h->lost_lines;
    }
    if (is_news)
        tell_trouble(s, fails, errnum);
}

void stream_make_room(struct stream *s)
{
    if (!may_drop(s))
        return;
    /* What only waits for the end of the turn is not dropped. */
    if (is_nearly_full(s) && s->ring.head->trouble == LOGRING_FLOWS)
        outlet_flush(s->logger->outlet);
    if (is_nearly_full(s))
        logring_drop(&s->ring, s->ring.size / STREAM_ROOM_SHARE);
}

void stream_end(struct stream *s)
{
    read_pipe(s, false);
    sys_close_fd(&s->pipe_fd);
    s->closing = true;
    s->flush = true;
    stream_pump(s);
}

void stream_sync(struct stream *s)
{
    intake_drain(s->logger->intake, s);
    if (is_drained(s)) {
        match_on_bytes(s, true);
        s->flush = true;
    }
    stream_pump(s);
}

bool stream_gap(const struct stream *s, char buf[static STREAM_GAP_MAX], struct logline_piece *ret)
{
    const struct logring_head *h = s->ring.head;
    if (h->lost_bytes <= h->lost_told)
        return false;
    int n = snprintf(buf, STREAM_GAP_MAX, "[foster: %" PRIu64 " lines (%" PRIu64 " bytes) were dropped here]",
                     h->lost_lines - h->lost_lines_told, h->lost_bytes - h->lost_told);
    *ret = (struct logline_piece){.text = buf, .len = (size_t)n, .ends = true};
    return true;
}

struct logline_label stream_label(const struct stream *s)
{
    const struct outlet *o = s->logger->outlet;
    return (struct logline_label){
        .name = s->name,
        .service = s->service,
        .stream = s->which == SPEC_STREAM_ERR ? "stderr" : "stdout",
        .tag = s->log.tag != NULL ? s->log.tag : s->service,
        .host = s->logger->host,
        .width = s->logger->width,
        .colour = o != NULL && o->has_colours ? palette_of(s->id) : 0,
        .facility = s->log.facility,
    };
}

void stream_free(struct stream *s)
{
    if (s == NULL)
        return;
    read_pipe(s, false);
    close_sink(s);
    serve_forget(s);
    match_free(s);
    list_remove(&s->link);
    list_remove(&s->in_outlet);
    list_remove(&s->in_ready);
    list_remove(&s->in_ended);
    bool was_first = s->logger->partials.next == &s->in_partials;
    list_remove(&s->in_partials);
    if (was_first)
        arm_partials(s->logger);
    sys_close_fd(&s->pipe_fd);
    ring_unmap(s->ring_base, logring_head_bytes(s->ring.size, ring_page()), s->ring.size);
    logger_free_log(&s->log);
    mem_free(s->name);
    mem_free(s->service);
    mem_free(s);
}
