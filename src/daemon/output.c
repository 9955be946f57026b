/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The streams of units. See output.h.
 *
 * BUGS: where a pipe cannot be opened anew (no /proc), a service that writes while neither fosterd nor a logger is
 * there any more gets SIGPIPE.
 */
#include "daemon/output.h"

#include "base/mem.h"
#include "daemon/engine.h"
#include "sys/pipes.h"
#include "sys/ring.h"
#include "sys/sys.h"
#include "sys/sys_cred.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Looks at a pipe that is being read at that moment, before one has to do that may be a bit off. */
    OUTPUT_LOOKS = 16,
    /* How long what depends on output waits for it. */
    OUTPUT_SETTLE_MS = 1000,
};

/* The stream of U for its output WHICH; NULL: that goes somewhere else, or is not open. */
static struct output_stream *stream_of(const struct engine_unit *u, enum spec_stream which)
{
    return u->out[u->spec->log_split ? which : SPEC_STREAM_OUT];
}

/* The driver of the stream WHICH of U itself; SPEC_LOG_NONE where there is to be none. */
static enum spec_log_driver driver_of(const struct engine_unit *u, enum spec_stream which)
{
    return which < spec_n_streams(u->spec) ? u->spec->log[which].driver : SPEC_LOG_NONE;
}

static size_t ring_size_of(const struct spec_log *log)
{
    return logring_size(log->buffer_size, ring_page());
}

static void tell(struct output_stream *s, unsigned what)
{
    s->unsent |= what;
    if (list_is_empty(&s->in_unsent))
        list_append(&s->host->unsent, &s->in_unsent);
    logger_host_wake(s->host);
}

/* ------------------------------------------------------------------ open and close */

static bool make_pipe(struct output_stream *s)
{
    char path[sizeof "/proc/self/fd/" + 16];
    int fds[2];
    if (sys_pipe(fds, 0) < 0)
        return false;
    s->read_fd = fds[0];
    s->write_fd = fds[1];
    /* Only our end: a service must find its output blocking, as everywhere. */
    if (sys_fcntl(s->read_fd, F_SETFL, O_NONBLOCK) < 0)
        return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", s->write_fd);
    int both = sys_open(path, O_RDWR, 0);
    if (both >= 0) {
        sys_close(s->write_fd);
        s->write_fd = both;
    }
    return true;
}

static bool make_ring(struct output_stream *s)
{
    size_t size = ring_size_of(&s->log);
    size_t head = logring_head_bytes(size, ring_page());
    s->ring_fd = ring_create(head, size);
    s->base = s->ring_fd >= 0 ? ring_map(s->ring_fd, head, size) : NULL;
    if (s->base == NULL)
        return false;
    logring_attach(&s->ring, s->base, size, ring_page());
    return true;
}

void output_free(struct output_stream *s)
{
    list_remove(&s->link);
    list_remove(&s->in_unsent);
    sys_close_fd(&s->read_fd);
    sys_close_fd(&s->write_fd);
    sys_close_fd(&s->ring_fd);
    if (s->base != NULL)
        ring_unmap(s->base, logring_head_bytes(s->ring.size, ring_page()), s->ring.size);
    logger_free_log(&s->log);
    mem_free(s->match);
    mem_free(s);
}

static void name_it(struct output_stream *s)
{
    snprintf(s->name, sizeof s->name, "%s", s->unit->name);
    snprintf(s->service, sizeof s->service, "%s", s->unit->spec->name);
}

static bool open_stream(struct engine_unit *u, enum spec_stream which, struct err *e)
{
    struct logger_host *h = &u->engine->logger;
    struct output_stream *s = mem_alloc(sizeof *s);
    if (s == NULL) {
        err_set_errno(e, ENOMEM, "its output");
        return false;
    }
    *s = (struct output_stream){
        .host = h, .unit = u, .which = which, .read_fd = -1, .write_fd = -1, .ring_fd = -1, .is_synced = true};
    list_init(&s->link);
    list_init(&s->in_unsent);
    name_it(s);
    if (!logger_copy_log(&s->log, &u->spec->log[which])) {
        s->log = (struct spec_log){0};
        errno = ENOMEM;
    } else if (logger_host_prepare(h, e) && make_pipe(s) && make_ring(s)) {
        s->id = ++h->n_streams;
        logring_run(&s->ring)->pid = u->main_pid;
        list_append(&h->streams, &s->link);
        u->out[which] = s;
        tell(s, OUTPUT_TELL_OPEN);
        return true;
    }
    if (e->errnum == 0)
        err_set_errno(e, errno, "pipe for its output");
    output_free(s);
    return false;
}

static void close_stream(struct engine_unit *u, enum spec_stream which)
{
    struct output_stream *s = u->out[which];
    if (s == NULL)
        return;
    u->out[which] = NULL;
    s->unit = NULL;
    mem_free(s->match);
    s->match = NULL;
    /* Until it is drained: those who are left may go on writing, and then wait. */
    sys_close_fd(&s->write_fd);
    tell(s, OUTPUT_TELL_CLOSE);
}

/* Programs that log to /dev/stderr do not write to the pipe that they were given: they open it anew, as their own user.
 * The pipe outlives a reload that changes the user or takes it away, and whose it was must not go on reading it. */
static void give_stream(const struct engine_unit *u, const struct output_stream *s)
{
    const struct spec_user *user = &u->spec->user;
    int given = sys_fchown(s->write_fd, user->text != NULL ? user->uid : sys_geteuid(), (gid_t)-1);
    /* Who may become somebody else, but lacks CAP_CHOWN, has services that cannot open it anew. */
    (void)given;
}

bool output_open(struct engine_unit *u, bool fresh, struct err *e)
{
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++) {
        bool wanted = spec_log_is_piped(driver_of(u, i));
        struct output_stream *s = u->out[i];
        if (fresh && s != NULL && (!wanted || s->ring.size != ring_size_of(&u->spec->log[i])))
            close_stream(u, i);
        if (wanted && u->out[i] == NULL && !open_stream(u, i, e))
            return false;
        if (u->out[i] != NULL)
            give_stream(u, u->out[i]);
    }
    return true;
}

void output_close(struct engine_unit *u)
{
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++)
        close_stream(u, i);
}

int output_fd(const struct engine_unit *u, enum spec_stream which)
{
    enum spec_log_driver driver = u->spec->log[u->spec->log_split ? which : SPEC_STREAM_OUT].driver;
    const struct output_stream *s = stream_of(u, which);
    if (driver == SPEC_LOG_INHERIT)
        return which == SPEC_STREAM_OUT ? 1 : 2;
    return spec_log_is_piped(driver) && s != NULL ? s->write_fd : -1;
}

/* ------------------------------------------------------------------ settings */

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same_log(const struct spec_log *a, const struct spec_log *b)
{
    return a->driver == b->driver && a->format == b->format && a->mode == b->mode && a->timestamps == b->timestamps &&
           a->max_size == b->max_size && a->max_age_ms == b->max_age_ms && a->max_file == b->max_file &&
           a->compress == b->compress && a->file_mode == b->file_mode && a->directory_mode == b->directory_mode &&
           a->facility == b->facility && a->user.uid == b->user.uid && a->user.gid == b->user.gid &&
           is_same_text(a->user.text, b->user.text) && is_same_text(a->path, b->path) &&
           is_same_text(a->address, b->address) && is_same_text(a->tag, b->tag);
}

static void renew_stream(struct output_stream *s)
{
    const struct engine_unit *u = s->unit;
    struct spec_log log;
    bool is_news = strcmp(s->name, u->name) != 0;
    /* One whose driver needs no pipe any more stays as it is until its unit starts anew. */
    if (spec_log_is_piped(driver_of(u, s->which)) && !is_same_log(&s->log, &u->spec->log[s->which]) &&
        logger_copy_log(&log, &u->spec->log[s->which])) {
        logger_free_log(&s->log);
        s->log = log;
        is_news = true;
    }
    name_it(s);
    if (u->main_pid != 0)
        logring_run(&s->ring)->pid = u->main_pid;
    if (is_news)
        tell(s, OUTPUT_TELL_SET);
}

void output_renew(struct engine_unit *u)
{
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++)
        if (u->out[i] != NULL)
            renew_stream(u->out[i]);
}

/* ------------------------------------------------------------------ places */

/* The position behind what has been written to S so far. */
static uint64_t written(const struct output_stream *s)
{
    const struct logring_head *h = s->ring.head;
    uint64_t at;
    for (int i = 0; i < OUTPUT_LOOKS; i++) {
        uint64_t turn = h->turn;
        if (logring_position(&s->ring, turn, pipes_bytes(s->read_fd), &at))
            return at;
    }
    return h->moved + pipes_bytes(s->read_fd);
}

void output_begin_run(struct engine_unit *u)
{
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++)
        if (u->out[i] != NULL)
            logring_begin_run(&u->out[i]->ring, written(u->out[i]));
}

struct output_place output_run_began(const struct engine_unit *u)
{
    struct output_place p = {0};
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++)
        if (u->out[i] != NULL)
            p.at[i] = logring_run(&u->out[i]->ring)->at;
    return p;
}

/* ------------------------------------------------------------------ who writes */

/* Whether the number of the main process is part of what becomes of S. */
static bool tells_pid(const struct output_stream *s)
{
    return s->log.driver == SPEC_LOG_SYSLOG || s->log.driver == SPEC_LOG_JOURNALD;
}

int output_share(const struct output_stream *s, bool with_children)
{
    return ring_inherit(s->base, logring_head_bytes(s->ring.size, ring_page()), s->ring.size, with_children);
}

size_t output_lend_pids(const struct engine_unit *u, _Atomic pid_t *ret[static SPEC_STREAM_N])
{
    size_t n = 0;
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++)
        /* Refused, a first line may go out without the number, which is entered here soon after. */
        if (u->out[i] != NULL && tells_pid(u->out[i]) && output_share(u->out[i], true) == 0)
            ret[n++] = &logring_run(&u->out[i]->ring)->pid;
    return n;
}

void output_end_lending(const struct engine_unit *u)
{
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++)
        /* That it stays so costs the next child some memory. */
        if (u->out[i] != NULL && tells_pid(u->out[i]) && output_share(u->out[i], false) != 0)
            log_debug("%s: its ring cannot be taken back: %s", u->name, err_errno_text(errno));
}

/* ------------------------------------------------------------------ what the logger is asked for */

/* Whether something of S has not gone out yet. */
static bool has_unsent(const struct output_stream *s)
{
    return logring_pending(&s->ring) > 0 || s->ring.head->moved != s->ring.head->end || pipes_bytes(s->read_fd) > 0;
}

void output_sync(struct engine_unit *u, bool flush)
{
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++) {
        struct output_stream *s = u->out[i];
        if (s == NULL || (!has_unsent(s) && s->match == NULL))
            continue;
        s->sync = ++s->host->n_syncs;
        s->sync_ms = sys_now_ms();
        s->is_synced = false;
        logger_host_hold(s->host, s);
        tell(s, flush ? OUTPUT_TELL_SYNC : OUTPUT_TELL_TAKE);
    }
}

bool output_is_settled(const struct engine_unit *u)
{
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++)
        if (u->out[i] != NULL && !u->out[i]->is_synced)
            return false;
    return true;
}

int64_t output_unsettled_until(const struct engine_unit *u)
{
    int64_t until = 0;
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++) {
        const struct output_stream *s = u->out[i];
        if (s != NULL && !s->is_synced && s->sync_ms + OUTPUT_SETTLE_MS > until)
            until = s->sync_ms + OUTPUT_SETTLE_MS;
    }
    return until > sys_now_ms() ? until : 0;
}

bool output_match(struct engine_unit *u, const char *pattern, output_match_fn *fn)
{
    bool ok = true;
    for (enum spec_stream i = 0; i < SPEC_STREAM_N; i++) {
        struct output_stream *s = u->out[i];
        if (s == NULL || (pattern == NULL && s->match == NULL))
            continue;
        if (s->match == NULL)
            s->match_from = written(s);
        mem_free(s->match);
        s->match = pattern != NULL ? mem_strdup(pattern) : NULL;
        s->on_match = fn;
        ok = ok && (pattern == NULL || s->match != NULL);
        tell(s, OUTPUT_TELL_SET);
    }
    return ok;
}

struct logger_stream output_describe(const struct output_stream *s)
{
    return (struct logger_stream){
        .id = s->id,
        .name = s->name,
        .service = s->service,
        .which = s->which,
        .log = &s->log,
        .pipe_fd = s->read_fd,
        .ring = s->base,
        .ring_size = s->ring.size,
        .closing = s->unit == NULL,
        .match = s->match,
        .match_from = s->match_from,
    };
}

uint64_t output_lost(const struct output_stream *s)
{
    const struct logring_head *h = s->ring.head;
    return h->lost_bytes + logring_pending(&s->ring) + (h->moved - h->end) + pipes_bytes(s->read_fd);
}
