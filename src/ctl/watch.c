/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * `ps --watch`: a subscription says that something has happened, a request asks how it is now. Many events make one
 * request: the next one goes out when the last was answered and a moment has passed. On a terminal it is also asked
 * once a second, because ages grow without an event; elsewhere a table is appended for each change.
 */
#include "base/err.h"
#include "client/call.h"
#include "ctl/run.h"
#include "ctl/screen.h"
#include "ctl/text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { WATCH_PAUSE_MS = 100, WATCH_TICK_MS = 1000, WATCH_TEXT_MAX = 64 << 20 };

#define WATCH_ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define WATCH_LEAVE "\033[?25h\033[?1049l"

/* One watch. */
struct watch {
    struct ctl *c;
    char *request;             /* owned; parameters of `status` */
    int64_t id;                /* of the request that is on its way; 0: none */
    int64_t asked_at;          /* when the last one was sent, ms */
    bool dirty;                /* something has happened since */
    bool over;                 /* the end has come */
    struct foster_error error; /* why; FOSTER_OK: somebody wanted it */
    int signal;                /* is to end us when the terminal is as it was; 0: none */
    int keys_fd;               /* where keys come from; -1: nowhere. Borrowed */
    struct termios before;     /* its settings */
    int signal_fd;             /* owned; -1: not on a terminal */
    json_t *shown;             /* owned; the result on the screen, or NULL */
};

static const int watch_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

/* What has gone wrong is told when the screen is everybody's again. */
static void watch_fail(struct watch *w, const struct foster_error *e)
{
    w->over = true;
    w->error = *e;
}

static void watch_fail_system(struct watch *w, int errnum, const char *what)
{
    struct foster_error e = {.kind = FOSTER_ERR_SYSTEM, .errnum = errnum};
    snprintf(e.text, sizeof e.text, "%s: %s", what, err_errno_text(errnum));
    watch_fail(w, &e);
}

/* Keys come at once and are not shown. */
static void watch_enter(struct watch *w)
{
    struct termios now;
    if (tcgetattr(STDIN_FILENO, &w->before) == 0) {
        w->keys_fd = STDIN_FILENO;
        now = w->before;
        now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        now.c_cc[VMIN] = 1;
        now.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &now);
    }
    buf_puts(&w->c->out, WATCH_ENTER);
    ctl_flush(w->c);
}

static void watch_leave(struct watch *w)
{
    buf_reset(&w->c->out);
    buf_puts(&w->c->out, WATCH_LEAVE);
    ctl_flush(w->c);
    if (w->keys_fd >= 0)
        tcsetattr(STDIN_FILENO, TCSANOW, &w->before);
}

/* The lines of TABLE that fit, each over what was there before. */
static void watch_paint(struct watch *w, const char *table)
{
    struct buf *out = &w->c->out;
    size_t rows = (size_t)screen_height(), n = 0, left = 0;
    buf_puts(out, "\033[H");
    for (const char *line = table; *line != '\0'; n++) {
        size_t len = strcspn(line, "\n");
        if (n + 2 <= rows) {
            buf_add(out, line, len);
            buf_puts(out, "\033[K\n");
        } else
            left++;
        line += len + (line[len] == '\n');
    }
    if (left > 0)
        buf_printf(out, "and %zu more", left);
    buf_puts(out, "\033[J");
}

static void watch_show(struct watch *w)
{
    struct ctl *c = w->c;
    struct buf table;
    if (w->shown == NULL)
        return;
    buf_init(&table, WATCH_TEXT_MAX);
    view_ps(&table, &c->view, w->shown, c->args.wide);
    if (c->is_terminal)
        watch_paint(w, buf_str(&table));
    else
        buf_printf(&c->out, "%s\n", buf_str(&table));
    buf_done(&table);
    w->over = w->over || !ctl_flush(c);
}

static void watch_on_notification(struct foster *f UNUSED, const char *method, const char *params UNUSED, void *data)
{
    struct watch *w = data;
    w->dirty = w->dirty || strcmp(method, "event") == 0;
}

static void watch_on_reply(struct foster *f UNUSED, int64_t id, const char *result, const struct foster_error *error,
                           const char *error_data UNUSED, void *data)
{
    struct watch *w = data;
    if (id != w->id && id != 0)
        return;
    w->id = 0;
    json_decref(w->shown);
    w->shown = NULL;
    if (error != NULL)
        watch_fail(w, error);
    else
        w->shown = json_loads(result, JSON_ALLOW_NUL, NULL);
    watch_show(w);
}

/* Sends the next request when it is time for one. Returns in how many milliseconds it will be; -1: who knows. */
static int watch_ask(struct watch *w)
{
    struct foster_error e;
    int64_t left = w->asked_at + (w->dirty ? WATCH_PAUSE_MS : WATCH_TICK_MS) - call_now_ms();
    if (w->id != 0 || (!w->dirty && !w->c->is_terminal))
        return -1;
    if (left > 0)
        return (int)left;
    w->dirty = false;
    w->asked_at = call_now_ms();
    w->id = foster_send(w->c->foster, "status", w->request, &e);
    if (w->id < 0)
        watch_fail(w, &e);
    return -1;
}

static void watch_take_key(struct watch *w)
{
    char key;
    ssize_t n = read(w->keys_fd, &key, 1);
    if (n == 1)
        w->over = w->over || key == 'q' || key == 'Q';
    else if (n == 0 || errno != EINTR)
        w->over = true; /* the terminal is gone */
}

static void watch_take_signal(struct watch *w)
{
    struct signalfd_siginfo info;
    if (read(w->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    switch (info.ssi_signo) {
    case SIGWINCH:
        w->c->view = screen_view(w->c->args.color);
        watch_show(w);
        break;
    case SIGTSTP:
        watch_leave(w);
        kill(getpid(), SIGSTOP);
        watch_enter(w);
        watch_show(w);
        break;
    case SIGINT:
        w->over = true;
        break;
    default:
        w->over = true;
        w->signal = (int)info.ssi_signo;
    }
}

static void watch_loop(struct watch *w)
{
    struct ctl *c = w->c;
    struct foster_error e;
    while (!w->over) {
        int wait = watch_ask(w), left = ctl_left(c);
        struct pollfd p[] = {
            {.fd = foster_fd(c->foster), .events = foster_events(c->foster)},
            {.fd = w->keys_fd, .events = POLLIN},
            {.fd = w->signal_fd, .events = POLLIN},
            {.fd = STDOUT_FILENO}, /* tells when nobody reads it any more */
        };
        int n = poll(p, ARRAY_LEN(p), wait < 0 || (left >= 0 && left < wait) ? left : wait);
        if (n < 0)
            continue;
        w->over = w->over || left == 0 || (p[3].revents & POLLERR) != 0;
        if (p[1].revents != 0)
            watch_take_key(w);
        if (p[2].revents != 0)
            watch_take_signal(w);
        if (p[0].revents != 0 && !w->over && !foster_dispatch(c->foster, &e) && !w->over)
            watch_fail(w, &e);
    }
}

/* On a terminal signals are taken one by one: none of them may leave it as it is now. */
static void watch_on_terminal(struct watch *w)
{
    sigset_t taken, before;
    sigemptyset(&taken);
    for (size_t i = 0; i < ARRAY_LEN(watch_signals); i++)
        sigaddset(&taken, watch_signals[i]);
    sigprocmask(SIG_BLOCK, &taken, &before);
    w->signal_fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (w->signal_fd >= 0) {
        watch_enter(w);
        watch_loop(w);
        watch_leave(w);
        close(w->signal_fd);
    } else
        watch_fail_system(w, errno, "taking signals");
    if (w->signal != 0)
        raise(w->signal);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static bool watch_subscribe(struct ctl *c)
{
    json_t *result =
        ctl_call(c, "subscribe", json_pack("{s:o*, s:b, s:b}", "services", ctl_services(c), "follow", 1, "states", 1));
    json_decref(result);
    return result != NULL;
}

int watch_run(struct ctl *c)
{
    json_t *params = json_pack("{s:o*, s:b}", "services", ctl_services(c), "wide", c->args.wide);
    struct watch w = {.c = c, .request = json_dumps(params, 0), .dirty = true, .keys_fd = -1, .signal_fd = -1};
    const struct foster_handlers handlers = {
        .on_notification = watch_on_notification, .on_reply = watch_on_reply, .data = &w};
    const struct foster_handlers none = {0};
    int status = CTL_OK;
    json_decref(params);
    foster_set_handlers(c->foster, &handlers);
    if (w.request == NULL)
        watch_fail_system(&w, ENOMEM, "a request");
    else if (!watch_subscribe(c))
        status = c->code;
    else if (c->is_terminal)
        watch_on_terminal(&w);
    else
        watch_loop(&w);
    foster_set_handlers(c->foster, &none);
    if (w.error.kind != FOSTER_OK)
        status = ctl_fail_foster(c, &w.error, NULL);
    json_decref(w.shown);
    free(w.request);
    return status;
}
