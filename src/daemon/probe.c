/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Probes: by a connection of our own, or by a helper.
 */
#include "daemon/probe.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/procstat.h"
#include "base/version.h"
#include "core/httpline.h"
#include "daemon/engine.h"
#include "daemon/helper.h"
#include "logger/loop.h"
#include "sys/sys.h"
#include "sys/sys_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PROBE_WHERE_MAX = INET6_ADDRSTRLEN + sizeof "[]:65535",
    PROBE_HEADERS_MAX = 256, /* of our request, beside its path */
    PROBE_FOREIGN_MAX = 48,  /* of what is no HTTP people see so much */
    PROBE_DURATION_MAX = 32,
    PROBE_LATE_MS = 500,       /* a timer that is so late was not: we were away */
    PROBE_TIMER_PRIORITY = -1, /* behind what has arrived, which counts */
};

struct probe {
    struct engine_unit *unit; /* borrowed */
    probe_done *done;
    void *data;
    enum spec_probe_kind kind;
    bool want_output;
    struct helper *helper; /* owned; of EXEC, until it has ended */

    struct ev_timer timer; /* the time-out, or the end that came too early to be told */
    int64_t timeout_ms;
    int64_t deadline_ms;
    bool was_away; /* the time-out has begun anew once */

    int fd; /* owned; -1: none */
    struct ev_io io;
    struct sockaddr_storage to;
    socklen_t to_len;
    bool has_second; /* "localhost", and ::1 is still to be tried */
    unsigned port;
    int first_errno;             /* why the first of two addresses did not do */
    char where[PROBE_WHERE_MAX]; /* host and port, for messages */
    bool is_connected;
    char *request; /* owned; of HTTP */
    size_t n_request;
    size_t n_sent;
    struct buf answer;
    struct httpline http; /* what is known of it; status 0: nothing */

    bool has_ended;
    bool ok;
    char text[PROBE_TEXT_MAX];
};

static void probe_close(struct probe *p)
{
    if (p->fd >= 0)
        ev_io_stop(p->unit->engine->loop, &p->io);
    sys_close_fd(&p->fd);
}

static void probe_free(struct probe *p)
{
    probe_close(p);
    ev_timer_stop(p->unit->engine->loop, &p->timer);
    mem_free(p->request);
    buf_done(&p->answer);
    mem_free(p);
}

PRINTF_LIKE(3, 4)
static void probe_end(struct probe *p, bool ok, const char *fmt, ...)
{
    va_list ap;
    probe_close(p);
    p->has_ended = true;
    p->ok = ok;
    va_start(ap, fmt);
    vsnprintf(p->text, sizeof p->text, fmt, ap);
    va_end(ap);
}

static void probe_end_connect(struct probe *p, int errnum)
{
    probe_end(p, false, "connect %s: %s", p->where, err_errno_text(errnum));
}

/* Tells the owner, who may well be gone afterwards; so is P. */
static void probe_tell(struct probe *p)
{
    struct probe_result r = {.ok = p->ok, .text = p->text, .output = ""};
    if (p->http.body > 0) {
        char *body = p->answer.data + p->http.body;
        size_t n = p->answer.len - p->http.body;
        r.n_output = p->http.chunked ? httpline_unchunk(body, n) : n;
        if (r.n_output > PROBE_OUTPUT_MAX)
            r.n_output = PROBE_OUTPUT_MAX;
        r.output = body;
    }
    ev_timer_stop(p->unit->engine->loop, &p->timer);
    p->done(&r, p->data);
    probe_free(p);
}

/* ------------------------------------------------------------------ connecting */

static void probe_set_address(struct probe *p, const char *host)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&p->to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&p->to;
    memset(&p->to, 0, sizeof p->to);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)p->port);
        p->to_len = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)p->port);
        p->to_len = sizeof *v6;
    }
}

/* A connection that nobody listens to can meet itself, when its own port is by chance the one that it is for. */
static bool probe_met_itself(const struct probe *p)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    memset(&own, 0, sizeof own);
    return sys_getsockname(p->fd, (struct sockaddr *)&own, &len) == 0 && len == p->to_len &&
           memcmp(&own, &p->to, len) == 0;
}

static void probe_watch(struct probe *p, int events)
{
    struct ev_loop *loop = p->unit->engine->loop;
    if (ev_is_active(&p->io) && (p->io.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(loop, &p->io);
    ev_io_set(&p->io, p->fd, events);
    ev_io_start(loop, &p->io);
}

static void probe_connect(struct probe *p);

/* The connection could not be made. The other address of "localhost" may do; else the first has the word. */
static void probe_refused(struct probe *p, int errnum)
{
    probe_close(p);
    if (p->first_errno == 0)
        p->first_errno = errnum;
    if (!p->has_second) {
        probe_end_connect(p, p->first_errno);
        return;
    }
    p->has_second = false;
    probe_set_address(p, "::1");
    probe_connect(p);
}

/* Once more for the same socket tells how it goes. True: it is made. */
static bool probe_go_on_connecting(struct probe *p)
{
    if (sys_connect(p->fd, (const struct sockaddr *)&p->to, p->to_len) == 0 || errno == EISCONN) {
        p->is_connected = !probe_met_itself(p);
        if (p->is_connected)
            return true;
        probe_refused(p, ECONNREFUSED);
        return false;
    }
    if (errno == EINPROGRESS || errno == EALREADY)
        probe_watch(p, EV_WRITE);
    else
        probe_refused(p, errno);
    return false;
}

static void probe_step(struct probe *p);

static void probe_connect(struct probe *p)
{
    p->fd = sys_socket(p->to.ss_family, SOCK_STREAM, 0);
    if (p->fd < 0)
        probe_refused(p, errno);
    else
        probe_step(p);
}

/* ------------------------------------------------------------------ asking */

/* True: all of the request is out. */
static bool probe_send(struct probe *p)
{
    while (p->n_sent < p->n_request) {
        ssize_t n = sys_sendto(p->fd, p->request + p->n_sent, p->n_request - p->n_sent, MSG_NOSIGNAL, NULL, 0);
        if (n < 0 && errno == EAGAIN) {
            probe_watch(p, EV_WRITE);
            return false;
        }
        /* Who does not want to hear all of it may have answered already. */
        if (n < 0)
            break;
        p->n_sent += (size_t)n;
    }
    p->n_sent = p->n_request;
    return true;
}

static void probe_end_http(struct probe *p)
{
    probe_end(p, p->http.status >= 200 && p->http.status <= 399, "HTTP %d", p->http.status);
}

static void probe_end_foreign(struct probe *p)
{
    char line[PROBE_FOREIGN_MAX];
    const char *end = memchr(p->answer.data, '\n', p->answer.len);
    size_t n = end != NULL ? (size_t)(end - p->answer.data) : p->answer.len;
    if (n > 0 && p->answer.data[n - 1] == '\r')
        n--;
    probe_end(p, false, "%s does not speak HTTP/1: it says \"%s\"", p->where,
              procstat_line(p->answer.data, n, line, sizeof line));
}

/* What has come so far is looked at; with IS_LAST there will be no more. */
static void probe_look(struct probe *p, bool is_last)
{
    const char *text = buf_str(&p->answer);
    enum httpline_progress progress = httpline_parse(text, p->answer.len, &p->http);
    bool is_full = p->answer.len >= p->answer.max;
    if (progress == HTTPLINE_FOREIGN)
        probe_end_foreign(p);
    else if (progress == HTTPLINE_NO_STATUS && is_last)
        probe_end(p, false, "%s closed the connection without an answer", p->where);
    else if (progress == HTTPLINE_NO_STATUS && is_full)
        probe_end(p, false, "the answer of %s has no status within %zu bytes", p->where, p->answer.len);
    else if (progress == HTTPLINE_NO_STATUS)
        return;
    else if (is_last || is_full || !p->want_output || progress == HTTPLINE_COMPLETE ||
             (progress == HTTPLINE_BODY && p->answer.len - p->http.body >= PROBE_OUTPUT_MAX))
        probe_end_http(p);
}

static void probe_receive(struct probe *p)
{
    size_t room = p->answer.max - p->answer.len;
    char *to = buf_reserve(&p->answer, room);
    ssize_t n = to != NULL ? sys_read(p->fd, to, room) : -1;
    if (to == NULL)
        probe_end(p, false, "no memory for the answer of %s", p->where);
    else if (n < 0 && errno == EAGAIN)
        probe_watch(p, EV_READ);
    else if (n < 0 && p->http.status == 0)
        probe_end(p, false, "read from %s: %s", p->where, err_errno_text(errno));
    else if (n <= 0)
        probe_look(p, true);
    else {
        p->answer.len += (size_t)n;
        probe_look(p, false);
        if (!p->has_ended)
            probe_watch(p, EV_READ);
    }
}

/* As far as it goes without waiting. */
static void probe_step(struct probe *p)
{
    if (!p->is_connected && !probe_go_on_connecting(p))
        return;
    if (p->kind == SPEC_PROBE_TCP)
        probe_end(p, true, "%s accepts connections", p->where);
    else if (probe_send(p))
        probe_receive(p);
}

static void probe_on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct probe *p = w->data;
    probe_step(p);
    if (p->has_ended)
        probe_tell(p);
}

/* ------------------------------------------------------------------ time */

static void probe_arm(struct probe *p)
{
    p->deadline_ms = sys_now_ms() + p->timeout_ms;
    loop_arm(p->unit->engine->loop, &p->timer, (double)p->timeout_ms / 1000.);
}

static void probe_time_out(struct probe *p)
{
    char duration[PROBE_DURATION_MAX];
    /* Whoever has given a status has answered, though the body is slow. */
    if (p->http.status != 0) {
        probe_end_http(p);
        return;
    }
    parse_duration_text(p->timeout_ms, duration, sizeof duration);
    probe_end(p, false, "timed out after %s: %s %s", duration, p->is_connected ? "no answer from" : "no connection to",
              p->where);
}

static void probe_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct probe *p = w->data;
    if (!p->has_ended)
        probe_step(p);
    if (!p->has_ended && !p->was_away && sys_now_ms() - p->deadline_ms >= PROBE_LATE_MS) {
        p->was_away = true;
        probe_arm(p);
        return;
    }
    if (!p->has_ended)
        probe_time_out(p);
    probe_tell(p);
}

/* ------------------------------------------------------------------ beginning and end */

static bool probe_make_request(struct probe *p, const struct spec_endpoint *e)
{
    size_t size = strlen(e->path) + PROBE_HEADERS_MAX;
    p->request = mem_alloc(size);
    if (p->request == NULL)
        return false;
    p->n_request = httpline_request(e, FOSTER_VERSION, p->request, size);
    return !BUG_IF(p->n_request == 0);
}

static bool probe_begin_connection(struct probe *p, const struct spec_endpoint *e, struct err *ret_err)
{
    const char *brackets[2] = {strchr(e->host, ':') != NULL ? "[" : "", strchr(e->host, ':') != NULL ? "]" : ""};
    snprintf(p->where, sizeof p->where, "%s%s%s:%u", brackets[0], e->host, brackets[1], e->port);
    if (p->kind == SPEC_PROBE_HTTP && !probe_make_request(p, e)) {
        err_set_errno(ret_err, ENOMEM, "request to %s", p->where);
        return false;
    }
    p->port = e->port;
    p->has_second = strcmp(e->host, "localhost") == 0;
    probe_set_address(p, p->has_second ? "127.0.0.1" : e->host);
    probe_arm(p);
    probe_connect(p);
    int errnum = p->first_errno;
    /* These are our own troubles. */
    if (p->has_ended && (errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOBUFS)) {
        err_set_errno(ret_err, errnum, "connect %s", p->where);
        return false;
    }
    if (p->has_ended)
        loop_arm(p->unit->engine->loop, &p->timer, 0.);
    return true;
}

static void probe_on_helper(struct engine_unit *u, const struct helper_result *result, void *data)
{
    (void)u;
    struct probe *p = data;
    struct probe_result r = {
        .ok = result->ok, .text = result->text, .output = result->output, .n_output = result->n_output};
    if (r.output == NULL)
        r.output = "";
    p->helper = NULL;
    p->done(&r, p->data);
    probe_free(p);
}

static bool probe_begin_helper(struct probe *p, const struct probe_request *req, struct err *e)
{
    const struct helper_request helper = {
        .what = req->what,
        .argv = req->probe->exec.argv,
        .timeout_ms = req->timeout_ms,
        .capture = true,
        .done = probe_on_helper,
        .data = p,
    };
    return helper_start(p->unit, &helper, &p->helper, e);
}

bool probe_start(struct engine_unit *u, const struct probe_request *req, struct probe **ret_probe, struct err *e)
{
    struct probe *p = mem_alloc(sizeof *p);
    if (p == NULL) {
        err_set_errno(e, ENOMEM, "%s", req->what);
        return false;
    }
    *p = (struct probe){
        .unit = u,
        .done = req->done,
        .data = req->data,
        .kind = req->probe->kind,
        .want_output = req->want_output,
        .timeout_ms = req->timeout_ms,
        .fd = -1,
    };
    buf_init(&p->answer, HTTPLINE_HEAD_MAX + PROBE_OUTPUT_MAX);
    ev_init(&p->io, probe_on_io);
    p->io.data = p;
    ev_init(&p->timer, probe_on_timer);
    ev_set_priority(&p->timer, PROBE_TIMER_PRIORITY);
    p->timer.data = p;
    bool ok = p->kind == SPEC_PROBE_EXEC ? probe_begin_helper(p, req, e)
                                         : probe_begin_connection(p, &req->probe->endpoint, e);
    if (!ok) {
        probe_free(p);
        return false;
    }
    *ret_probe = p;
    return true;
}

void probe_cancel(struct probe *p)
{
    if (p == NULL)
        return;
    helper_cancel(p->helper);
    probe_free(p);
}
