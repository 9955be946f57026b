/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The logger as fosterd has it. See logger.h.
 */
#include "daemon/engine.h"

#include "base/log.h"
#include "base/parse.h"
#include "daemon/output.h"
#include "logger/loop.h"
#include "sys/pipes.h"
#include "sys/ring.h"
#include "sys/sys.h"
#include "sys/sys_pipe.h"
#include "sys/title.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOGGER_STAGE_BYTES = 1 << 20, /* where the kernel grants so much */
    LOGGER_PAUSE_MIN_MS = 10,
    LOGGER_PAUSE_MAX_MS = 5000,
    LOGGER_LIVED_MS = 1000, /* one that has lived so long was not stillborn */
    LOGGER_MESSAGES = 256,  /* taken in one turn of the loop */
    /* How long our own messages wait for output before them. */
    LOGGER_HOLD_MS = 50,
};

/* ------------------------------------------------------------------ our own messages */

void logger_host_hold(struct logger_host *h, const struct output_stream *s)
{
    if (s->log.driver != SPEC_LOG_STDOUT || h->pid == 0 || ev_is_active(&h->release))
        return;
    log_hold();
    loop_arm(h->loop, &h->release, LOGGER_HOLD_MS / 1000.);
}

static void release(struct logger_host *h)
{
    ev_timer_stop(h->loop, &h->release);
    log_release();
}

static void on_release(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    release(w->data);
}

/* Something that was waited for is there, or will not come from this logger. */
static void note_synced(struct logger_host *h)
{
    LIST_EACH (it, &h->streams)
        if (!CONTAINER_OF(it, struct output_stream, link)->is_synced)
            return;
    release(h);
}

static void tell_synced(struct logger_host *h)
{
    if (h->on_synced != NULL)
        h->on_synced(h->engine);
}

/* ------------------------------------------------------------------ what it says */

static struct output_stream *find(const struct logger_host *h, uint64_t id)
{
    LIST_EACH (it, &h->streams) {
        struct output_stream *s = CONTAINER_OF(it, struct output_stream, link);
        if (s->id == id)
            return s;
    }
    return NULL;
}

static void let_go(struct logger_host *h, struct output_stream *s)
{
    h->n_lost += output_lost(s);
    if (s->unit != NULL)
        s->unit->out[s->which] = NULL;
    output_free(s);
}

static void hang_up(struct logger_host *h)
{
    if (h->fd >= 0)
        ev_io_stop(h->loop, &h->io);
    sys_close_fd(&h->fd);
}

/* It ends when its socket does. */
static void end_if_idle(struct logger_host *h)
{
    if (h->is_leaving && list_is_empty(&h->streams))
        hang_up(h);
}

static void on_message(struct logger_host *h, const struct message *m)
{
    struct output_stream *s = m->id != 0 ? find(h, m->id) : NULL;
    struct log_about about = {.service = s != NULL ? s->name : NULL, .event = m->event};
    switch (m->kind) {
    case MESSAGE_CLOSED:
        if (s != NULL && s->unit == NULL)
            let_go(h, s);
        end_if_idle(h);
        break;
    case MESSAGE_SYNCED:
        if (s == NULL || s->sync != m->seq || s->is_synced)
            break;
        s->is_synced = true;
        if (s->unit != NULL && output_is_settled(s->unit))
            hold_release(s->unit);
        note_synced(h);
        tell_synced(h);
        break;
    case MESSAGE_MATCHED:
        if (s != NULL && s->unit != NULL && s->match != NULL && s->match_from == m->seq)
            s->on_match(s->unit);
        break;
    case MESSAGE_SAY:
        if (about.event != NULL && about.event[0] == '\0')
            about.event = NULL;
        log_write(m->level, &about, "%s", m->text != NULL ? m->text : "");
        break;
    case MESSAGE_UP:
        log_debug("the logger (process %d) has taken over", (int)h->pid);
        break;
    case MESSAGE_OPEN:
    case MESSAGE_SET:
    case MESSAGE_CLOSE:
    case MESSAGE_SYNC:
    case MESSAGE_TAKE:
    case MESSAGE_SERVE:
    case MESSAGE_WIDTH:
    case MESSAGE_N:
        break;
    }
}

/* Takes in what there is, up to N messages. */
static void receive(struct logger_host *h, size_t n)
{
    static struct message_in in;
    while (h->fd >= 0 && n-- > 0) {
        int r = message_receive(h->fd, &in);
        if (r == 1) {
            message_close_fds(&in.m);
            on_message(h, &in.m);
        } else if (r == 0 || (errno != EBADMSG && errno != EMFILE && errno != EAGAIN)) {
            /* It is about to die; what is to be done about that is done then. */
            ev_io_stop(h->loop, &h->io);
            break;
        } else if (errno == EAGAIN) {
            break;
        }
    }
}

void logger_host_hear(struct logger_host *h)
{
    receive(h, LOGGER_MESSAGES);
}

/* ------------------------------------------------------------------ what it is told */

static bool send_kind(struct logger_host *h, enum message_kind kind, uint64_t id, uint64_t seq)
{
    const struct message m = {.kind = kind, .id = id, .seq = seq, .fds = {-1, -1}};
    return message_send(h->fd, &m) == 0;
}

static bool send_stream(struct logger_host *h, enum message_kind kind, const struct output_stream *s)
{
    struct message m = {.kind = kind, .id = s->id, .stream = output_describe(s), .fds = {-1, -1}};
    m.stream.closing = false;
    if (kind == MESSAGE_OPEN) {
        m.fds[0] = s->read_fd;
        m.fds[1] = s->ring_fd;
    }
    return message_send(h->fd, &m) == 0;
}

/* Tells what is to be told of S, in the order in which it makes sense. False with errno: not all of it. */
static bool tell_stream(struct logger_host *h, struct output_stream *s)
{
    if ((s->unsent & OUTPUT_TELL_OPEN) != 0) {
        if (!send_stream(h, MESSAGE_OPEN, s))
            return false;
        sys_close_fd(&s->ring_fd);
        s->unsent &= ~(unsigned)(OUTPUT_TELL_OPEN | OUTPUT_TELL_SET);
    }
    if ((s->unsent & OUTPUT_TELL_SET) != 0 && !send_stream(h, MESSAGE_SET, s))
        return false;
    s->unsent &= ~(unsigned)OUTPUT_TELL_SET;
    enum message_kind sync = (s->unsent & OUTPUT_TELL_SYNC) != 0 ? MESSAGE_SYNC : MESSAGE_TAKE;
    if ((s->unsent & (OUTPUT_TELL_SYNC | OUTPUT_TELL_TAKE)) != 0 && !send_kind(h, sync, s->id, s->sync))
        return false;
    s->unsent &= ~(unsigned)(OUTPUT_TELL_SYNC | OUTPUT_TELL_TAKE);
    if ((s->unsent & OUTPUT_TELL_CLOSE) != 0 && !send_kind(h, MESSAGE_CLOSE, s->id, 0))
        return false;
    s->unsent = 0;
    return true;
}

static void await(struct logger_host *h, int events)
{
    if (h->io.events == events && ev_is_active(&h->io))
        return;
    ev_io_stop(h->loop, &h->io);
    ev_io_set(&h->io, h->fd, events);
    ev_io_start(h->loop, &h->io);
}

/* Tells what is to be told, as far as there is room. */
static void tell(struct logger_host *h)
{
    bool ok = !h->width_unsent || send_kind(h, MESSAGE_WIDTH, 0, (uint64_t)h->width);
    if (ok)
        h->width_unsent = false;
    while (ok && !list_is_empty(&h->unsent)) {
        struct output_stream *s = CONTAINER_OF(h->unsent.next, struct output_stream, in_unsent);
        ok = tell_stream(h, s);
        if (ok)
            list_remove(&s->in_unsent);
    }
    if (ok)
        await(h, EV_READ);
    else if (errno == EAGAIN)
        await(h, EV_READ | EV_WRITE);
    else if (errno != EPIPE && errno != ECONNRESET)
        /* The kernel is short of something: that will pass. */
        loop_arm(h->loop, &h->retry, LOGGER_PAUSE_MIN_MS / 1000.);
}

static void on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
    struct logger_host *h = w->data;
    (void)loop;
    if ((revents & EV_READ) != 0)
        receive(h, LOGGER_MESSAGES);
    if ((revents & EV_WRITE) != 0 && ev_is_active(&h->io))
        tell(h);
}

/* ------------------------------------------------------------------ its beginning */

static void each(void (*fn)(const struct logger_stream *s, void *fn_data), void *fn_data, void *data)
{
    const struct logger_host *h = data;
    LIST_EACH (it, &h->streams) {
        const struct logger_stream s = output_describe(CONTAINER_OF(it, struct output_stream, link));
        fn(&s, fn_data);
    }
}

/* Has the next child share all rings, or not. False with errno. */
static bool inherit_rings(struct logger_host *h, bool inherit)
{
    bool ok = true;
    LIST_EACH (it, &h->streams)
        ok = output_share(CONTAINER_OF(it, struct output_stream, link), inherit) == 0 && ok;
    return ok;
}

static pid_t fork_logger(struct logger_host *h, int control_fd)
{
    struct logger_boot boot = {.control_fd = control_fd,
                               .shared = h->shared,
                               .stage = {h->stage[0], h->stage[1]},
                               .outbox = {h->outbox[0], h->outbox[1]},
                               .width = h->width,
                               .each = each,
                               .data = h};
    sigset_t all, old;
    sys_all_signals(&all);
    if (sys_sigprocmask(SIG_SETMASK, &all, &old) != 0)
        return -1;
    pid_t pid = inherit_rings(h, true) ? sys_fork() : -1;
    if (pid == 0) {
        /* Before anybody can take us for fosterd. */
        if (sys_set_name("foster-logger") == 0)
            title_set("foster-logger");
        _exit(logger_run(&boot));
    }
    int errnum = errno;
    (void)inherit_rings(h, false);
    sys_restore_mask(&old);
    errno = errnum;
    return pid;
}

/* A logger that has just been forked knows all streams as they are. */
static void note_inherited(struct logger_host *h)
{
    h->width_unsent = false;
    LIST_EACH (it, &h->streams) {
        struct output_stream *s = CONTAINER_OF(it, struct output_stream, link);
        sys_close_fd(&s->ring_fd);
        s->unsent = (s->is_synced ? 0U : OUTPUT_TELL_SYNC) | (s->unit == NULL ? OUTPUT_TELL_CLOSE : 0U);
        list_remove(&s->in_unsent);
        if (s->unsent != 0)
            list_append(&h->unsent, &s->in_unsent);
    }
}

/* The next one is started after a pause, a longer one each time. */
static void put_off(struct logger_host *h)
{
    loop_arm(h->loop, &h->retry, (double)h->pause_ms / 1000.);
    h->pause_ms = h->pause_ms * 2 < LOGGER_PAUSE_MAX_MS ? h->pause_ms * 2 : LOGGER_PAUSE_MAX_MS;
}

/* The first refusal is told, and the end of them. */
static void say_refused(struct logger_host *h, int errnum)
{
    struct log_about about = {.event = "logger"};
    if (!h->is_refused)
        log_write(
            LOG_LEVEL_WARN, &about,
            "no logger can be started: %s; until one can, what services write stays in their pipes, and who finds "
            "his pipe full waits; that is tried again, at least every %d s",
            err_errno_text(errnum), LOGGER_PAUSE_MAX_MS / 1000);
    h->is_refused = true;
}

static void say_granted(struct logger_host *h, pid_t pid)
{
    struct log_about about = {.event = "logger", .pid = pid};
    log_write(LOG_LEVEL_INFO, &about, "a logger could be started again; what services have written goes out");
    h->is_refused = false;
}

uint64_t logger_host_moved(const struct logger_host *h)
{
    return h->shared != NULL ? h->shared->n_taken + h->shared->n_sent : 0;
}

static void start(struct logger_host *h)
{
    int pair[2];
    pid_t pid = -1;
    /* It may be at work before the fork returns here. */
    h->started_ms = sys_now_ms();
    h->moved_before = logger_host_moved(h);
    if (sys_packet_pair(pair) == 0) {
        pid = fork_logger(h, pair[1]);
        int errnum = errno;
        sys_close(pair[1]);
        if (pid < 0)
            sys_close(pair[0]);
        errno = errnum;
    }
    if (pid < 0) {
        say_refused(h, errno);
        put_off(h);
        return;
    }
    if (h->is_refused) {
        say_granted(h, pid);
        /* The pauses were the kernel's fault, not this one's. */
        h->pause_ms = LOGGER_PAUSE_MIN_MS;
    }
    h->pid = pid;
    h->fd = pair[0];
    ev_io_set(&h->io, h->fd, EV_READ);
    ev_io_start(h->loop, &h->io);
    note_inherited(h);
    tell(h);
}

void logger_host_wake(struct logger_host *h)
{
    if (ev_is_active(&h->retry) || h->shared == NULL)
        return;
    if (h->pid == 0)
        start(h);
    else if (h->fd >= 0 && h->io.events == EV_READ && ev_is_active(&h->io))
        tell(h);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    logger_host_wake(w->data);
}

int logger_host_send(struct logger_host *h, const struct message *m)
{
    struct err e = {0};
    if (!logger_host_prepare(h, &e)) {
        errno = e.errnum;
        return -1;
    }
    logger_host_wake(h);
    if (h->fd >= 0)
        return message_send(h->fd, m);
    errno = ENOTCONN;
    return -1;
}

void logger_host_set_width(struct logger_host *h, int width)
{
    if (width == h->width)
        return;
    h->width = width;
    h->width_unsent = true;
    if (h->pid != 0)
        logger_host_wake(h);
}

/* ------------------------------------------------------------------ its end */

static void say_died(pid_t pid, int wstatus)
{
    bool killed = WIFSIGNALED(wstatus);
    int code = killed ? WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
    const char *name = killed ? parse_signal_name(code) : NULL;
    struct log_about about = {.event = "logger", .pid = pid, .code = code, .code_kind = killed ? 's' : 'e'};
    if (name != NULL)
        log_write(LOG_LEVEL_WARN, &about, "the logger was killed by %s; nothing is lost, another one goes on", name);
    else
        log_write(LOG_LEVEL_WARN, &about, "the logger ended with %s %d; nothing is lost, another one goes on",
                  killed ? "signal" : "code", code);
}

void logger_host_died(struct logger_host *h, int wstatus)
{
    pid_t pid = h->pid;
    bool was_asked = h->fd < 0;
    receive(h, SIZE_MAX);
    hang_up(h);
    h->pid = 0;
    h->died = true;
    release(h);
    ev_timer_stop(h->loop, &h->retry);
    if (was_asked)
        return;
    say_died(pid, wstatus);
    h->n_restarts++;
    bool was_of_use = logger_host_moved(h) != h->moved_before || sys_now_ms() - h->started_ms >= LOGGER_LIVED_MS;
    if (was_of_use)
        h->pause_ms = LOGGER_PAUSE_MIN_MS;
    else
        put_off(h);
}

void logger_host_replace(struct logger_host *h)
{
    if (!h->died)
        return;
    h->died = false;
    if (!list_is_empty(&h->streams))
        logger_host_wake(h);
}

bool logger_host_leave(struct logger_host *h)
{
    h->is_leaving = true;
    end_if_idle(h);
    return h->pid == 0 && list_is_empty(&h->streams);
}

/* ------------------------------------------------------------------ the whole */

bool logger_host_prepare(struct logger_host *h, struct err *e)
{
    if (h->shared != NULL)
        return true;
    if (sys_pipe(h->stage, O_NONBLOCK) == 0 && sys_pipe(h->outbox, O_NONBLOCK) == 0)
        h->shared = ring_shared(sizeof *h->shared);
    if (h->shared != NULL) {
        /* With less room there are more wake-ups. */
        int size = sys_pipe_resize(h->stage[1], LOGGER_STAGE_BYTES);
        (void)size;
        return true;
    }
    err_set_errno(e, errno, "what a logger needs");
    for (int i = 0; i < 2; i++) {
        sys_close_fd(&h->stage[i]);
        sys_close_fd(&h->outbox[i]);
    }
    return false;
}

void logger_host_init(struct logger_host *h, struct engine *g)
{
    *h = (struct logger_host){
        .loop = g->loop, .engine = g, .stage = {-1, -1}, .outbox = {-1, -1}, .fd = -1, .pause_ms = LOGGER_PAUSE_MIN_MS};
    list_init(&h->streams);
    list_init(&h->unsent);
    ev_init(&h->io, on_io);
    ev_init(&h->retry, on_retry);
    ev_init(&h->release, on_release);
    h->io.data = h->retry.data = h->release.data = h;
}

void logger_host_give_up(struct logger_host *h)
{
    if (h->pid != 0 && sys_kill(h->pid, SIGKILL) == 0)
        receive(h, SIZE_MAX);
    hang_up(h);
    ev_timer_stop(h->loop, &h->retry);
    if (h->shared != NULL)
        h->n_lost += pipes_bytes(h->outbox[0]);
    while (!list_is_empty(&h->streams))
        let_go(h, CONTAINER_OF(h->streams.next, struct output_stream, link));
}

void logger_host_done(struct logger_host *h)
{
    if (h->loop == NULL)
        return;
    logger_host_give_up(h);
    release(h);
    for (int i = 0; i < 2; i++) {
        sys_close_fd(&h->stage[i]);
        sys_close_fd(&h->outbox[i]);
    }
    if (h->shared != NULL)
        sys_unmap(h->shared, sizeof *h->shared);
    if (h->n_lost > 0)
        log_warn("%" PRIu64 " bytes of what services wrote were lost", h->n_lost);
    *h = (struct logger_host){.fd = -1};
}
