/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The frame of every run: understand the command line, connect, do it, print it.
 */
#include "ctl/ctl.h"

#include "base/err.h"
#include "base/version.h"
#include "client/call.h"
#include "core/proto.h"
#include "ctl/help.h"
#include "ctl/run.h"
#include "ctl/screen.h"
#include "ctl/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { CTL_OUT_MAX = 512 << 20, CTL_ERROR_MAX = 4096, CTL_INDENT = 2, CTL_SLACK_MS = 5000 };

int ctl_left(const struct ctl *c)
{
    return call_left_ms(c->deadline);
}

/* Completion must not disturb the line that somebody is typing. */
static bool ctl_is_silent(const struct ctl *c)
{
    return c->args.verb == VERB_LIST && c->args.names;
}

/* What comes from fosterd may quote anything; none of it may command the terminal. */
static void ctl_put_error(const struct ctl *c, const char *text)
{
    struct buf line;
    if (ctl_is_silent(c))
        return;
    buf_init(&line, CTL_ERROR_MAX);
    buf_puts(&line, "fosterctl: ");
    text_put(&line, text, 0);
    buf_putc(&line, '\n');
    fputs(buf_str(&line), stderr);
    buf_done(&line);
}

void ctl_note(const struct ctl *c, const char *fmt, ...)
{
    char text[CTL_ERROR_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ctl_put_error(c, text);
}

int ctl_take_interrupt(void)
{
    struct sigaction before;
    sigset_t taken;
    int fd = -1;
    sigemptyset(&taken);
    sigaddset(&taken, SIGINT);
    if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        sigprocmask(SIG_BLOCK, &taken, NULL);
    return fd;
}

bool ctl_await(struct ctl *c, int signal_fd, bool *ret_enough)
{
    struct pollfd p[] = {{.fd = foster_fd(c->foster), .events = foster_events(c->foster)},
                         {.fd = STDOUT_FILENO},
                         {.fd = signal_fd, .events = POLLIN}};
    int n = poll(p, ARRAY_LEN(p), ctl_left(c));
    c->deaf = c->deaf || (p[1].revents & POLLERR) != 0;
    *ret_enough = p[2].revents != 0;
    return n != 0;
}

bool ctl_flush(struct ctl *c)
{
    int errnum = c->out.failed ? ENOMEM : 0;
    if (errnum == 0 && !c->deaf && !c->lost && c->out.len > 0)
        errnum = screen_write(c->out.data, c->out.len);
    buf_reset(&c->out);
    if (errnum == EPIPE)
        c->deaf = true;
    else if (errnum != 0 && !c->lost) {
        char text[128];
        snprintf(text, sizeof text, "standard output: %s", err_errno_text(errnum));
        ctl_put_error(c, text);
        c->lost = true;
    }
    return !c->deaf && !c->lost;
}

static int ctl_append(const char *data, size_t len, void *out)
{
    return buf_add(out, data, len) ? 0 : -1;
}

void ctl_put_json(struct ctl *c, const json_t *value, bool one_line)
{
    size_t flags = c->is_terminal && !one_line ? JSON_INDENT(CTL_INDENT) : JSON_COMPACT;
    if (json_dump_callback(value, ctl_append, &c->out, flags) != 0)
        c->out.failed = true;
    buf_putc(&c->out, '\n');
}

static void ctl_put_json_error(struct ctl *c, int error_code, const json_t *data, const char *text)
{
    json_t *code = error_code != 0 ? json_integer(error_code) : json_null();
    json_t *error = json_pack("{s:{s:o, s:s, s:O?}}", "error", "code", code, "message", text, "data", data);
    if (error == NULL)
        c->out.failed = true;
    else
        ctl_put_json(c, error, false);
    json_decref(error);
    ctl_flush(c);
}

int ctl_fail(struct ctl *c, int status, int error_code, const json_t *data, const char *fmt, ...)
{
    char text[CTL_ERROR_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c->args.json)
        ctl_put_json_error(c, error_code, data, text);
    else
        ctl_put_error(c, text);
    return c->code = status;
}

static int ctl_status_of_reply(int code)
{
    switch (code) {
    case PROTO_NO_SERVICE:
    case PROTO_FORBIDDEN:
        return CTL_NOBODY;
    case PROTO_BAD_PARAMS:
        return CTL_USAGE;
    default:
        return CTL_FAILED;
    }
}

/* Time that is over before the outcome means "not up" for a verb that waits for one. */
static bool ctl_waits(const struct ctl *c)
{
    switch (c->args.verb) {
    case VERB_START:
    case VERB_STOP:
    case VERB_RESTART:
    case VERB_RELOAD:
    case VERB_SCALE:
    case VERB_WAIT:
    case VERB_SHUTDOWN:
        return true;
    default:
        return false;
    }
}

/* Why a configuration was rejected, one line a problem as fosterd --check has them. */
static void ctl_put_problems(const struct ctl *c, const json_t *data)
{
    struct buf lines;
    const json_t *problem;
    size_t i;
    if (c->args.json)
        return;
    buf_init(&lines, CTL_OUT_MAX);
    json_array_foreach(json_object_get(data, "problems"), i, problem)
    {
        const char *file = text_member(problem, "file", "");
        text_put(&lines, file, 0);
        if (*file != '\0')
            buf_printf(&lines, ":%lld:%lld: ", text_number(problem, "line", 0), text_number(problem, "column", 0));
        text_put(&lines, text_member(problem, "level", "error"), 0);
        buf_puts(&lines, ": ");
        text_put(&lines, text_member(problem, "text", "-"), 0);
        buf_putc(&lines, '\n');
    }
    fputs(buf_str(&lines), stderr);
    buf_done(&lines);
}

int ctl_fail_foster(struct ctl *c, const struct foster_error *e, const json_t *data)
{
    switch (e->kind) {
    case FOSTER_ERR_NO_DAEMON: /* the library's remedy is a variable; here there is an option, too */
        return ctl_fail(c, CTL_NOBODY, 0, NULL, "%s or -s", e->text);
    case FOSTER_ERR_REPLY:
        if (e->code == PROTO_REJECTED)
            ctl_put_problems(c, data);
        return ctl_fail(c, ctl_status_of_reply(e->code), e->code, data, "%s", e->text);
    case FOSTER_ERR_CLOSED:
        return ctl_fail(c, CTL_NOBODY, 0, NULL, "%s", e->text);
    case FOSTER_ERR_TIMEOUT:
        return ctl_fail(c, ctl_waits(c) ? CTL_NOT_UP : CTL_NOBODY, 0, NULL, "%s", e->text);
    default:
        return ctl_fail(c, CTL_FAILED, 0, NULL, "%s", e->text);
    }
}

json_t *ctl_call(struct ctl *c, const char *method, json_t *params)
{
    struct foster_error e;
    json_t *data = NULL;
    int64_t deadline = c->deadline >= 0 && ctl_waits(c) ? c->deadline + CTL_SLACK_MS : c->deadline;
    char *request = params != NULL ? json_dumps(params, JSON_COMPACT) : NULL;
    json_decref(params);
    if (request == NULL) {
        ctl_fail(c, CTL_FAILED, 0, NULL, "no memory for a request");
        return NULL;
    }
    json_t *result = call_value(c->foster, method, request, deadline, &data, &e);
    free(request);
    if (result == NULL)
        ctl_fail_foster(c, &e, data);
    json_decref(data);
    return result;
}

int ctl_show(struct ctl *c, const char *method, json_t *params,
             void (*show)(struct buf *out, const struct view *v, const json_t *result))
{
    json_t *result = ctl_call(c, method, params);
    if (result == NULL)
        return c->code;
    if (c->args.json)
        ctl_put_json(c, result, false);
    else
        show(&c->out, &c->view, result);
    json_decref(result);
    return CTL_OK;
}

json_t *ctl_services(const struct ctl *c)
{
    json_t *names = c->args.n_operands > 0 ? json_array() : NULL;
    for (size_t i = 0; i < c->args.n_operands; i++)
        if (json_array_append_new(names, json_string(c->args.operands[i])) != 0) {
            json_decref(names);
            return json_null();
        }
    return names;
}

json_t *ctl_number(int64_t n)
{
    return n < 0 ? NULL : json_integer(n);
}

/* Connects and says hello. False when that failed: C->code. */
static bool ctl_open(struct ctl *c)
{
    struct foster_error e;
    if (c->args.timeout_ms >= 0)
        c->deadline = call_now_ms() + c->args.timeout_ms;
    c->foster = foster_connect(c->args.socket, &e);
    if (c->foster == NULL) {
        ctl_fail_foster(c, &e, NULL);
        return false;
    }
    json_t *hello = ctl_call(c, "hello", json_pack("{s:i}", "protocol", PROTO_VERSION));
    json_decref(hello);
    return hello != NULL;
}

static int (*const ctl_verbs[])(struct ctl *c) = {
#define VERB(id, name, aliases, operands, min, max, help) [VERB_##id] = run_##name,
#include "ctl/verbs.def"
};

static int ctl_run(struct ctl *c, int argc, char **argv)
{
    struct err e;
    if (!args_parse(argc, argv, &c->args, &e))
        return ctl_fail(c, CTL_USAGE, 0, NULL, "%s", e.text);
    if (c->args.help)
        help_print(&c->out, c->args.verb);
    else if (c->args.version)
        buf_puts(&c->out, "foster " FOSTER_VERSION "\n");
    else {
        c->view = screen_view(c->args.color);
        return ctl_open(c) ? ctl_verbs[c->args.verb](c) : c->code;
    }
    return CTL_OK;
}

/* Where a standard descriptor is closed, the connection would take its place. What is written to an output that is not
 * there has to fail. */
static bool ctl_fill_stdio(void)
{
    static const int flags[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = 0; fd < (int)ARRAY_LEN(flags); fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
            return false;
    return true;
}

int ctl_main(int argc, char **argv)
{
    if (!ctl_fill_stdio())
        return CTL_FAILED;
    struct ctl c = {.deadline = -1, .is_terminal = isatty(STDOUT_FILENO) == 1};
    buf_init(&c.out, CTL_OUT_MAX);
    signal(SIGPIPE, SIG_IGN); /* whoever has seen enough may go: that is no error */
    int code = ctl_run(&c, argc, argv);
    ctl_flush(&c);
    if (c.lost)
        code = CTL_FAILED;
    foster_free(c.foster);
    buf_done(&c.out);
    return code;
}
