/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Watching a run until it has shown that it is ready.
 */
#include "daemon/ready.h"

#include "base/log.h"
#include "daemon/engine.h"
#include "daemon/launch_add.h"
#include "daemon/probe.h"
#include "logger/loop.h"
#include "sys/spawn.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    READY_PAUSE_MIN_MS = 50,
    READY_PAUSE_MAX_MS = 1000,
    READY_TRY_MS = 5000, /* the longest that one probe may take */
    READY_CHUNK = 4096,
    READY_CHUNKS_MAX = 32,
    /* A process that ends closes its descriptors a moment before its end is known, which says more. */
    READY_CLOSED_MS = 200,
};

struct ready {
    struct engine_unit *unit; /* borrowed */
    enum spec_ready_kind kind;
    uint64_t run;
    bool is_on;            /* the run is watched, and has shown nothing yet */
    bool is_seen;          /* it has, and that is still to be told */
    struct ev_timer timer; /* a pause, a time, or telling what was seen */

    int fd;       /* owned; of FD: our end of the pipe; -1: none. Open longer than is_on: see ready_on_readable() */
    int given_fd; /* owned; its other end, up to the fork; -1: none */
    struct ev_io io;

    bool is_matching; /* of LOG: the logger looks for the line */

    struct probe *probe; /* owned; of PROBE; NULL: none is under way */
    int64_t pause_ms;
    char last_text[PROBE_TEXT_MAX]; /* how the last one failed */
};

static struct ev_loop *ready_loop(const struct ready *r)
{
    return r->unit->engine->loop;
}

static void ready_post(struct ready *r, enum event_kind kind, const char *text)
{
    struct event ev = {.kind = kind, .unit = r->unit->index, .run = r->run, .text = text};
    engine_post(r->unit->engine, &ev);
}

static void ready_say(const struct ready *r, enum log_level level, const char *what, const char *text)
{
    struct log_about about = {.service = r->unit->name, .run = r->run};
    log_write(level, &about, "%s: %s", what, text);
}

static void ready_close(struct ready *r)
{
    if (r->fd >= 0)
        ev_io_stop(ready_loop(r), &r->io);
    sys_close_fd(&r->fd);
    sys_close_fd(&r->given_fd);
}

static void ready_drop_match(struct ready *r)
{
    if (r->is_matching)
        (void)output_match(r->unit, NULL, NULL);
    r->is_matching = false;
}

/* Nothing is watched any more, the descriptor apart. */
static void ready_stop(struct ready *r)
{
    ev_timer_stop(ready_loop(r), &r->timer);
    probe_cancel(r->probe);
    r->probe = NULL;
    ready_drop_match(r);
    r->is_on = false;
}

/* R may be gone afterwards. */
static void ready_show(struct ready *r)
{
    ready_stop(r);
    r->is_seen = false;
    ready_post(r, EVENT_READY, NULL);
}

static void ready_arm(struct ready *r, int64_t ms)
{
    loop_arm(ready_loop(r), &r->timer, (double)ms / 1000.);
}

/* ------------------------------------------------------------------ a newline on a descriptor */

/* Reads once. False: there is nothing now, or never again (*RET_CLOSED). */
static bool ready_read(struct ready *r, bool *ret_closed)
{
    char chunk[READY_CHUNK];
    ssize_t n = sys_read(r->fd, chunk, sizeof chunk);
    *ret_closed = n == 0 || (n < 0 && errno != EAGAIN);
    if (n <= 0)
        return false;
    if (memchr(chunk, '\n', (size_t)n) != NULL)
        r->is_seen = true;
    return true;
}

/* What comes behind the newline is read and forgotten: a program that says it twice must not be killed by SIGPIPE. */
static void ready_on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct ready *r = w->data;
    bool closed = false;
    if (!ready_read(r, &closed) && closed)
        ready_close(r);
    if (!r->is_on)
        return;
    if (r->is_seen)
        ready_show(r);
    else if (closed)
        ready_arm(r, READY_CLOSED_MS);
}

static bool ready_make_pipe(struct ready *r, struct err *e)
{
    const struct spec_user *user = &r->unit->spec->user;
    int fds[2];
    if (sys_pipe(fds, 0) < 0) {
        err_set_errno(e, errno, "pipe for ready: fd");
        return false;
    }
    r->fd = fds[0];
    r->given_fd = fds[1];
    /* Only our end: a service must find its own blocking. */
    if (sys_fcntl(r->fd, F_SETFL, O_NONBLOCK) < 0) {
        err_set_errno(e, errno, "pipe for ready: fd");
        ready_close(r);
        return false;
    }
    /* Its user may open /dev/fd/N anew, where we may give it away. */
    int given = user->text != NULL ? sys_fchown(r->given_fd, user->uid, (gid_t)-1) : 0;
    (void)given;
    ev_io_init(&r->io, ready_on_readable, r->fd, EV_READ);
    ev_set_priority(&r->io, EV_MINPRI);
    r->io.data = r;
    return true;
}

/* ------------------------------------------------------------------ a line of output */

static void ready_on_match(struct engine_unit *u)
{
    struct ready *r = u->ready;
    if (r == NULL || r->is_seen)
        return;
    r->is_seen = true;
    if (r->is_on)
        ready_show(r);
}

static bool ready_await_line(struct ready *r, struct err *e)
{
    r->is_matching = output_match(r->unit, r->unit->spec->ready.log, ready_on_match);
    if (!r->is_matching) {
        /* One of two streams may have it, and the next run must not go on from there. */
        (void)output_match(r->unit, NULL, NULL);
        err_set_errno(e, ENOMEM, "ready: log");
    }
    return r->is_matching;
}

/* ------------------------------------------------------------------ a probe */

static void ready_say_failed(struct ready *r, const char *text)
{
    snprintf(r->last_text, sizeof r->last_text, "%s", text);
    ready_say(r, LOG_LEVEL_DEBUG, "not ready yet", text);
    ready_arm(r, r->pause_ms);
    r->pause_ms = r->pause_ms * 2 < READY_PAUSE_MAX_MS ? r->pause_ms * 2 : READY_PAUSE_MAX_MS;
}

static void ready_on_probe(const struct probe_result *result, void *data)
{
    struct ready *r = data;
    r->probe = NULL;
    if (result->ok)
        ready_show(r);
    else
        ready_say_failed(r, result->text);
}

static void ready_try(struct ready *r)
{
    struct err e = {0};
    const struct probe_request req = {
        .probe = &r->unit->spec->ready.probe,
        .what = "ready",
        .timeout_ms = READY_TRY_MS,
        .done = ready_on_probe,
        .data = r,
    };
    if (!probe_start(r->unit, &req, &r->probe, &e))
        ready_say_failed(r, e.text);
}

/* ------------------------------------------------------------------ a run */

static void ready_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct ready *r = w->data;
    char text[64];
    if (r->is_seen || r->kind == SPEC_READY_AFTER) {
        ready_show(r);
    } else if (r->kind == SPEC_READY_PROBE) {
        ready_try(r);
    } else {
        snprintf(text, sizeof text, "closed descriptor %" PRId64 " without a newline", r->unit->spec->ready.fd);
        ready_stop(r);
        ready_post(r, EVENT_UNREADY, text);
    }
}

static struct ready *ready_make(struct engine_unit *u)
{
    struct ready *r = mem_alloc(sizeof *r);
    if (r == NULL)
        return NULL;
    *r = (struct ready){.unit = u, .fd = -1, .given_fd = -1};
    ev_init(&r->timer, ready_on_timer);
    r->timer.data = r;
    u->ready = r;
    return r;
}

/* Whether a run of U is watched here at all. */
static bool ready_is_wanted(const struct engine_unit *u)
{
    enum spec_ready_kind kind = spec_ready_kind(u->spec);
    return kind == SPEC_READY_FD || kind == SPEC_READY_LOG || kind == SPEC_READY_PROBE || kind == SPEC_READY_AFTER;
}

bool ready_prepare(struct engine_unit *u, struct err *e)
{
    ready_free(u);
    if (!ready_is_wanted(u))
        return true;
    struct ready *r = ready_make(u);
    if (r == NULL) {
        err_set_errno(e, ENOMEM, "ready");
        return false;
    }
    r->kind = spec_ready_kind(u->spec);
    r->run = u->run->run;
    return (r->kind != SPEC_READY_FD || ready_make_pipe(r, e)) && (r->kind != SPEC_READY_LOG || ready_await_line(r, e));
}

bool ready_request(const struct engine_unit *u, struct arena *a, struct spawn_request *req)
{
    if (u->ready == NULL || u->ready->kind != SPEC_READY_FD)
        return true;
    const struct spawn_fd given = {.fd = u->ready->given_fd, .number = (int)u->spec->ready.fd};
    return launch_add_fds(a, req, &given, 1);
}

void ready_forked(struct engine_unit *u)
{
    if (u->ready != NULL)
        sys_close_fd(&u->ready->given_fd);
}

static void ready_begin(struct ready *r, int64_t started_ms)
{
    r->is_on = true;
    r->pause_ms = READY_PAUSE_MIN_MS;
    if (r->kind == SPEC_READY_FD && r->fd >= 0) {
        ev_io_start(ready_loop(r), &r->io);
    } else if (r->kind == SPEC_READY_LOG && r->is_seen) {
        ready_show(r);
    } else if (r->kind == SPEC_READY_PROBE) {
        ready_try(r);
    } else if (r->kind == SPEC_READY_AFTER) {
        int64_t left = started_ms + r->unit->spec->ready.after_ms - sys_now_ms();
        ready_arm(r, left > 0 ? left : 0);
    }
}

/* The run has ended, or is being ended, before it was ready. */
static void ready_give_up(struct ready *r)
{
    if (r->last_text[0] != '\0')
        ready_say(r, LOG_LEVEL_INFO, "it was not ready", r->last_text);
    ready_stop(r);
}

void ready_on_state(struct engine_unit *u, enum unit_state to)
{
    struct ready *r = u->ready;
    if (r == NULL)
        return;
    if (to != UNIT_RUNNING)
        hold_release(u);
    if (to != UNIT_RUNNING && r->is_on)
        ready_give_up(r);
    /* A reload may have begun with that already. */
    if (to == UNIT_RUNNING && !r->is_on)
        ready_begin(r, sys_now_ms());
    else if (to != UNIT_STARTING && to != UNIT_RUNNING && to != UNIT_READY && to != UNIT_STOPPING)
        ready_free(u);
}

void ready_settle(struct engine_unit *u)
{
    struct ready *r = u->ready;
    bool closed;
    if (r == NULL || !r->is_on)
        return;
    /* Others may have the descriptor as well, and go on writing. */
    for (int i = 0; i < READY_CHUNKS_MAX && r->fd >= 0 && !r->is_seen && ready_read(r, &closed); i++)
        continue;
    if (r->is_seen)
        ready_show(r);
}

bool ready_awaits_output(const struct engine_unit *u)
{
    return u->ready != NULL && u->ready->is_on && u->ready->is_matching && !output_is_settled(u);
}

static void ready_time_is_up(struct engine_unit *u)
{
    /* Super knows whether it still is. */
    struct event ev = {.kind = EVENT_TIMER, .unit = u->index};
    engine_post(u->engine, &ev);
}

bool ready_puts_off(struct engine_unit *u)
{
    bool was_on = u->ready != NULL && u->ready->is_on;
    if (!was_on || u->late != NULL)
        return was_on;
    logger_host_hear(&u->engine->logger);
    ready_settle(u);
    if (u->ready == NULL || !u->ready->is_on)
        return true;
    if (u->ready->is_matching)
        output_sync(u, false);
    if (!ready_awaits_output(u))
        return false;
    ready_say(u->ready, LOG_LEVEL_DEBUG, "its time is up", "what it has written is being looked at");
    hold_begin(u, ready_time_is_up);
    return true;
}

/* Whether U has a program that may still come to be ready, or is about to have one. */
static bool ready_is_awaited(const struct engine_unit *u, struct unit_view *ret)
{
    return u->run != NULL && super_view(u->engine->super, u->index, ret) &&
           (ret->state == UNIT_STARTING || ret->state == UNIT_RUNNING);
}

/* What watches a run that nothing has been watched of so far; NULL without memory. */
static struct ready *ready_make_late(struct engine_unit *u)
{
    struct ready *r = ready_make(u);
    if (r == NULL)
        log_warn("%s: no memory to see whether it is ready", u->name);
    else
        r->run = u->run->run;
    return r;
}

void ready_renew(struct engine_unit *u)
{
    struct unit_view v;
    struct err e = {0};
    if ((u->ready == NULL && !ready_is_wanted(u)) || !ready_is_awaited(u, &v))
        return;
    bool begins = u->ready != NULL ? u->ready->is_on : v.state == UNIT_RUNNING;
    struct ready *r = u->ready != NULL ? u->ready : ready_make_late(u);
    /* What comes by a descriptor or by messages takes a new process, which is on its way. */
    if (r == NULL || r->kind == SPEC_READY_FD)
        return;
    /* What the logger is looking at, or has found just now, still counts. */
    bool stays = r->kind == SPEC_READY_LOG && spec_ready_kind(u->spec) == SPEC_READY_LOG;
    if (!stays)
        ready_stop(r);
    r->kind = spec_ready_kind(u->spec);
    if (r->kind == SPEC_READY_LOG && !r->is_seen && !ready_await_line(r, &e))
        log_warn("%s: %s", u->name, e.text);
    if (!begins || stays)
        return;
    if (r->kind == SPEC_READY_TYPE)
        ready_show(r);
    else if (ready_is_wanted(u))
        ready_begin(r, v.started_ms);
}

void ready_free(struct engine_unit *u)
{
    struct ready *r = u->ready;
    if (r == NULL)
        return;
    ready_stop(r);
    ready_close(r);
    mem_free(r);
    u->ready = NULL;
}
