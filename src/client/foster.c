/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The connection. Everything that comes goes through foster_take(), whether somebody dispatches or waits in a call.
 *
 * Requests of foster_call() have odd ids and those of foster_send() even ones: so it can be told without a list, which
 * late replies are still wanted by somebody.
 */
#include "foster/foster.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/runtime.h"
#include "client/call.h"
#include "client/locate.h"
#include "client/message.h"
#include "client/wire.h"
#include "core/proto.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

/* So much is read before the program's loop has its turn again. */
enum { FOSTER_ROUNDS = 16, FOSTER_REQUEST_MAX = 8 * PROTO_LINE_MAX };

/* A request that foster_call() waits for. */
struct foster_wait {
    int64_t id;
    bool settled;
    json_t *result;            /* owned; NULL: there was an error */
    json_t *data;              /* owned; the error's, or NULL */
    struct foster_error error; /* of the reply */
};

struct foster {
    struct wire wire;
    char path[RUNTIME_PATH_MAX + 1];
    struct foster_handlers handlers;
    int64_t last_odd, last_even;
    struct foster_wait *wait; /* borrowed from foster_call(); NULL: nobody waits */
    bool busy;                /* a handler may be running */
    struct foster_error over; /* why the connection is over; FOSTER_OK: it is not */
};

struct foster *foster_connect(const char *path, struct foster_error *e)
{
    struct foster *f = mem_alloc(sizeof *f);
    if (f == NULL) {
        message_error(e, FOSTER_ERR_MEMORY, 0, "no memory for a connection");
        return NULL;
    }
    int fd = locate_connect(path, f->path, e);
    if (fd < 0) {
        mem_free(f);
        return NULL;
    }
    wire_init(&f->wire, fd);
    f->last_odd = -1;
    return f;
}

void foster_free(struct foster *f)
{
    if (f == NULL)
        return;
    wire_done(&f->wire);
    mem_free(f);
}

const char *foster_path(const struct foster *f)
{
    return f->path;
}

void foster_set_handlers(struct foster *f, const struct foster_handlers *handlers)
{
    f->handlers = *handlers;
}

int foster_fd(const struct foster *f)
{
    return f->wire.fd;
}

short foster_events(const struct foster *f)
{
    return f->wire.out.len > 0 ? POLLIN | POLLOUT : POLLIN;
}

static void foster_end(struct foster *f, enum foster_error_kind kind, int errnum, const char *what)
{
    if (f->over.kind == FOSTER_OK)
        message_error(&f->over, kind, errnum, "%s: %s%s%s", f->path, what, errnum != 0 ? ": " : "",
                      errnum != 0 ? err_errno_text(errnum) : "");
}

static bool foster_is_over(const struct foster *f, struct foster_error *e)
{
    if (f->over.kind == FOSTER_OK)
        return false;
    *e = f->over;
    return true;
}

/* VALUE as text, or OTHERWISE when there is none. Without memory the connection is over, since a message would be lost.
 */
static bool foster_text(struct foster *f, const json_t *value, char **ret)
{
    *ret = NULL;
    if (value == NULL)
        return true;
    *ret = message_text(value);
    if (*ret == NULL)
        foster_end(f, FOSTER_ERR_MEMORY, 0, "no memory for what fosterd says");
    return *ret != NULL;
}

static void foster_settle(struct foster_wait *w, const struct message *m)
{
    json_t **value = m->kind == MESSAGE_RESULT ? &w->result : &w->data;
    w->settled = true;
    *value = json_incref(m->value);
    w->error = m->error;
}

/* An error without an id is about the connection: it goes to whoever waits. */
static void foster_take_reply(struct foster *f, const struct message *m)
{
    struct foster_wait *w = f->wait;
    bool awaited = w != NULL && !w->settled && (m->id == w->id || m->id == 0);
    bool wanted = m->id % 2 == 0 && f->handlers.on_reply != NULL;
    int64_t last = m->id % 2 == 0 ? f->last_even : f->last_odd;
    if (m->id < 0 || m->id > last || (m->id == 0 && m->kind == MESSAGE_RESULT)) {
        foster_end(f, FOSTER_ERR_PROTOCOL, 0, "the answer to what was never asked; is that a fosterd?");
        return;
    }
    char *text;
    if (awaited) {
        foster_settle(w, m);
        return;
    }
    if (!wanted || !foster_text(f, m->value, &text))
        return;
    if (m->kind == MESSAGE_RESULT)
        f->handlers.on_reply(f, m->id, text, NULL, NULL, f->handlers.data);
    else
        f->handlers.on_reply(f, m->id, NULL, &m->error, text, f->handlers.data);
    mem_free(text);
}

static void foster_take_notification(struct foster *f, const struct message *m)
{
    char *text;
    if (f->handlers.on_notification == NULL || !foster_text(f, m->value, &text))
        return;
    f->handlers.on_notification(f, m->method, text != NULL ? text : "{}", f->handlers.data);
    mem_free(text);
}

static void foster_take(struct foster *f, const char *line, size_t len)
{
    struct message m;
    struct foster_error e;
    if (!message_read(line, len, &m, &e)) {
        foster_end(f, e.kind, 0, e.text);
        return;
    }
    if (m.kind == MESSAGE_NOTIFICATION)
        foster_take_notification(f, &m);
    else
        foster_take_reply(f, &m);
    message_done(&m);
}

/* One reading, and what it has brought. False when there is nothing more to be had now. */
static bool foster_read(struct foster *f)
{
    const char *line;
    size_t len;
    enum wire_fill got = wire_fill(&f->wire);
    int errnum = errno;
    while (f->over.kind == FOSTER_OK && wire_line(&f->wire, &line, &len))
        foster_take(f, line, len);
    if (wire_rest(&f->wire) > WIRE_LINE_MAX)
        foster_end(f, FOSTER_ERR_PROTOCOL, 0, "a line that does not end; is that a fosterd?");
    else if (got == WIRE_END && wire_rest(&f->wire) > 0)
        foster_end(f, FOSTER_ERR_PROTOCOL, 0, "the connection ended in the middle of a line; see the log of fosterd");
    else if (got == WIRE_END)
        foster_end(f, FOSTER_ERR_CLOSED, 0, "fosterd has ended the connection; see its log");
    else if (got == WIRE_NOMEM)
        foster_end(f, FOSTER_ERR_MEMORY, 0, "no memory for what fosterd says");
    else if (got == WIRE_ERROR)
        foster_end(f, FOSTER_ERR_SYSTEM, errnum, "reading from fosterd");
    return got == WIRE_SOME && f->over.kind == FOSTER_OK;
}

static void foster_flush(struct foster *f)
{
    if (!wire_flush(&f->wire))
        foster_end(f, FOSTER_ERR_SYSTEM, errno, "writing to fosterd");
}

/* Writes and reads what is possible; ends early when somebody's reply has come. */
static void foster_step(struct foster *f)
{
    f->busy = true;
    if (f->over.kind == FOSTER_OK)
        foster_flush(f);
    for (int i = 0; i < FOSTER_ROUNDS && f->over.kind == FOSTER_OK; i++)
        if ((f->wait != NULL && f->wait->settled) || !foster_read(f))
            break;
    f->busy = false;
}

bool foster_dispatch(struct foster *f, struct foster_error *e)
{
    if (f->busy) {
        message_error(e, FOSTER_ERR_USAGE, 0, "a handler must not call foster_dispatch()");
        return false;
    }
    foster_step(f);
    return !foster_is_over(f, e);
}

/* Queues the request and writes what goes out at once. */
static bool foster_ask(struct foster *f, int64_t id, const char *method, const char *params, struct foster_error *e)
{
    struct buf line;
    if (foster_is_over(f, e))
        return false;
    buf_init(&line, FOSTER_REQUEST_MAX);
    bool ok = message_write(&line, id, method, params, e);
    if (ok && !wire_queue(&f->wire, line.data, line.len)) {
        message_error(e, FOSTER_ERR_SYSTEM, EAGAIN,
                      "%s: fosterd does not read; wait until foster_events() lacks POLLOUT", f->path);
        ok = false;
    }
    buf_done(&line);
    if (ok)
        foster_flush(f);
    return ok && !foster_is_over(f, e);
}

int64_t foster_send(struct foster *f, const char *method, const char *params, struct foster_error *e)
{
    if (!foster_ask(f, f->last_even + 2, method, params, e))
        return -1;
    return f->last_even += 2;
}

int64_t call_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int call_left_ms(int64_t deadline)
{
    int64_t left = deadline - call_now_ms();
    if (deadline < 0)
        return -1;
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Waits until something can be read or written. False when DEADLINE (-1: none) has passed, whatever there is to read: a
 * flood of notifications must not hold the caller. */
static bool foster_await(struct foster *f, int64_t deadline, struct foster_error *e)
{
    struct pollfd p = {.fd = f->wire.fd, .events = foster_events(f)};
    int left = call_left_ms(deadline), n = 0;
    if (left != 0)
        n = poll(&p, 1, left);
    if (n > 0 || (n < 0 && errno == EINTR))
        return true;
    if (n < 0)
        message_error(e, FOSTER_ERR_SYSTEM, errno, "%s: waiting for fosterd: %s", f->path, err_errno_text(errno));
    else
        message_error(e, FOSTER_ERR_TIMEOUT, 0, "%s: no answer in time; see whether that fosterd is suspended",
                      f->path);
    return false;
}

json_t *call_value(struct foster *f, const char *method, const char *params, int64_t deadline, json_t **ret_data,
                   struct foster_error *e)
{
    struct foster_wait w = {.id = f->last_odd + 2};
    if (ret_data != NULL)
        *ret_data = NULL;
    if (f->busy) {
        message_error(e, FOSTER_ERR_USAGE, 0, "a handler must not call foster_call()");
        return NULL;
    }
    if (!foster_ask(f, w.id, method, params, e))
        return NULL;
    f->last_odd = w.id;
    f->wait = &w;
    bool going = true;
    while (going && !w.settled) {
        foster_step(f);
        going = w.settled || (!foster_is_over(f, e) && foster_await(f, deadline, e));
    }
    f->wait = NULL;
    if (w.settled && w.result == NULL)
        *e = w.error;
    if (ret_data != NULL)
        *ret_data = w.data;
    else
        json_decref(w.data);
    return w.result;
}

/* VALUE (taken over; NULL is none) as text that the caller of foster_call() frees. */
static char *foster_hand_over(struct foster *f, json_t *value, struct foster_error *e)
{
    char *text;
    if (!foster_text(f, value, &text))
        (void)foster_is_over(f, e);
    json_decref(value);
    return text;
}

char *foster_call(struct foster *f, const char *method, const char *params, int timeout_ms, char **ret_data,
                  struct foster_error *e)
{
    int64_t deadline = timeout_ms < 0 ? -1 : call_now_ms() + timeout_ms;
    json_t *data = NULL;
    json_t *result = call_value(f, method, params, deadline, &data, e);
    if (ret_data != NULL)
        *ret_data = foster_hand_over(f, data, e);
    else
        json_decref(data);
    return foster_hand_over(f, result, e);
}
