/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A client of the control socket for tests.
 */
#include "scenario/support/ctl_kit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

struct ctl {
    struct scenario *s;
    int fd;      /* owned */
    char *bytes; /* owned; what has come and is no whole line yet */
    size_t len;
    json_t *came; /* owned; array of messages */
    json_t *used; /* owned; array of notifications that were returned */
    int last_id;
    bool ended;
};

int ctl_connect(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(to.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)strcpy(to.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        int errnum = errno;
        (void)close(fd);
        errno = errnum;
        return -1;
    }
    return fd;
}

struct ctl *ctl_open(struct scenario *s)
{
    struct ctl *c = calloc(1, sizeof(*c));
    const char *path = scenario_path(s, "run/control.sock");
    scenario_check(s, c);
    c->s = s;
    c->came = json_array();
    c->used = json_array();
    c->fd = ctl_connect(path);
    if (c->fd < 0) {
        scenario_fail(s, "connecting to %s: %s", path, strerror(errno));
    }
    return c;
}

void ctl_close(struct ctl *c)
{
    (void)close(c->fd);
    /* It reads the end in one turn of its loop, at the latest, and frees the connection in the next, behind all else.
     */
    for (int turn = 0; !c->ended && turn < 3; turn++) {
        (void)scenario_sync(c->s);
    }
    json_decref(c->came);
    json_decref(c->used);
    free(c->bytes);
    free(c);
}

void ctl_send(struct ctl *c, const char *line)
{
    char *text = NULL;
    int len = asprintf(&text, "%s\n", line);
    scenario_check(c->s, len > 0);
    ssize_t n = send(c->fd, text, (size_t)len, MSG_NOSIGNAL);
    free(text);
    if (n != len) {
        scenario_fail(c->s, "sending: %s", strerror(errno));
    }
}

int ctl_ask(struct ctl *c, const char *method, const char *fmt, ...)
{
    char *params = NULL, *line = NULL;
    va_list ap;
    if (fmt) {
        va_start(ap, fmt);
        scenario_check(c->s, vasprintf(&params, fmt, ap) >= 0);
        va_end(ap);
        for (char *at = params; (at = strchr(at, '\'')) != NULL;) {
            *at = '"';
        }
    }
    scenario_check(c->s, asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"%s%s}", ++c->last_id, method,
                                  params ? ",\"params\":" : "", params ? params : "") > 0);
    ctl_send(c, line);
    free(params);
    free(line);
    return c->last_id;
}

static void take_line(struct ctl *c, const char *line, size_t len)
{
    json_error_t e;
    json_t *message = json_loadb(line, len, 0, &e);
    if (!message) {
        scenario_fail(c->s, "no JSON: %.*s: %s", len < 200 ? (int)len : 200, line, e.text);
    }
    (void)json_array_append_new(c->came, message);
}

/* Waits up to TIMEOUT_MS for something. False when nothing came, or nothing will any more. */
static bool read_some(struct ctl *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    char *newline;
    if (c->ended || poll(&p, 1, timeout_ms) <= 0) {
        return false;
    }
    c->bytes = realloc(c->bytes, c->len + CHUNK);
    scenario_check(c->s, c->bytes);
    ssize_t n = read(c->fd, c->bytes + c->len, CHUNK);
    if (n <= 0) {
        c->ended = true;
        return false;
    }
    c->len += (size_t)n;
    while ((newline = memchr(c->bytes, '\n', c->len)) != NULL) {
        size_t len = (size_t)(newline - c->bytes);
        take_line(c, c->bytes, len);
        c->len -= len + 1;
        (void)memmove(c->bytes, newline + 1, c->len);
    }
    return true;
}

static void read_or_fail(struct ctl *c, const char *what)
{
    if (!read_some(c, scenario_time_left(c->s))) {
        scenario_fail(c->s, "%s while waiting for %s", c->ended ? "the connection has ended" : "nothing came", what);
    }
}

static json_t *find_reply(const struct ctl *c, int id)
{
    size_t i;
    json_t *message;
    json_array_foreach(c->came, i, message)
    {
        if (!json_object_get(message, "method") && json_integer_value(json_object_get(message, "id")) == id) {
            return message;
        }
    }
    return NULL;
}

bool ctl_is_answered(struct ctl *c, int id)
{
    while (read_some(c, 0)) {
    }
    return find_reply(c, id) != NULL;
}

static json_t *wait_reply(struct ctl *c, int id)
{
    char what[32];
    json_t *reply;
    (void)snprintf(what, sizeof(what), "reply %d", id);
    while ((reply = find_reply(c, id)) == NULL) {
        read_or_fail(c, what);
    }
    return reply;
}

static _Noreturn void fail_about(struct ctl *c, const json_t *message, const char *why)
{
    char *text = json_dumps(message, 0);
    print_error("%s\n", text ? text : "?");
    free(text);
    scenario_fail(c->s, "%s", why);
}

json_t *ctl_result(struct ctl *c, int id)
{
    json_t *reply = wait_reply(c, id), *result = json_object_get(reply, "result");
    if (!result) {
        fail_about(c, reply, "an error in place of a result");
    }
    return result;
}

json_t *ctl_error(struct ctl *c, int id, int code)
{
    json_t *reply = wait_reply(c, id), *error = json_object_get(reply, "error");
    if (!error || json_integer_value(json_object_get(error, "code")) != code) {
        fail_about(c, reply, "another answer than that error");
    }
    return error;
}

static bool is_used(const struct ctl *c, const json_t *message)
{
    size_t i;
    json_t *used;
    json_array_foreach(c->used, i, used)
    {
        if (used == message) {
            return true;
        }
    }
    return false;
}

static json_t *find_notification(struct ctl *c, const char *method, const char *key, const char *value)
{
    size_t i;
    json_t *message;
    json_array_foreach(c->came, i, message)
    {
        const char *name = json_string_value(json_object_get(message, "method"));
        json_t *params = json_object_get(message, "params");
        json_t *outcome = json_object_get(params, "outcome");
        const char *text = json_string_value(json_object_get(outcome ? outcome : params, key));
        if (name && !strcmp(name, method) && text && !strcmp(text, value) && !is_used(c, message)) {
            (void)json_array_append(c->used, message);
            return params;
        }
    }
    return NULL;
}

json_t *ctl_notification(struct ctl *c, const char *method, const char *key, const char *value)
{
    json_t *params;
    while ((params = find_notification(c, method, key, value)) == NULL) {
        read_or_fail(c, value);
    }
    return params;
}

size_t ctl_place(const struct ctl *c, const json_t *message)
{
    size_t i;
    json_t *it;
    json_array_foreach(c->came, i, it)
    {
        if (json_object_get(it, "result") == message || json_object_get(it, "error") == message ||
            json_object_get(it, "params") == message) {
            return i;
        }
    }
    scenario_fail(c->s, "that message has not come");
}

void ctl_wait_end(struct ctl *c)
{
    while (!c->ended) {
        if (!read_some(c, scenario_time_left(c->s)) && !c->ended) {
            scenario_fail(c->s, "the connection does not end");
        }
    }
}

json_t *ctl_service(struct ctl *c, const json_t *result, const char *name)
{
    size_t i;
    json_t *service;
    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        const char *its = json_string_value(json_object_get(service, "name"));
        if (its && !strcmp(its, name)) {
            return service;
        }
    }
    fail_about(c, result, name);
}

const char *ctl_text(struct ctl *c, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value) && !json_is_null(value)) {
        fail_about(c, object, key);
    }
    return json_is_null(value) ? "" : json_string_value(value);
}

json_int_t ctl_number(struct ctl *c, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) && !json_is_null(value)) {
        fail_about(c, object, key);
    }
    return json_is_null(value) ? -1 : json_integer_value(value);
}

bool ctl_bool(struct ctl *c, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_boolean(value)) {
        fail_about(c, object, key);
    }
    return json_is_true(value);
}

void ctl_check_keys(struct ctl *c, const json_t *object, const char *keys)
{
    size_t n = 0;
    char *words = strdup(keys), *rest = NULL;
    scenario_check(c->s, words);
    for (char *key = strtok_r(words, " ", &rest); key; key = strtok_r(NULL, " ", &rest)) {
        if (!json_object_get(object, key)) {
            fail_about(c, object, key);
        }
        n++;
    }
    free(words);
    if (json_object_size(object) != n) {
        fail_about(c, object, "more members than are documented");
    }
}
