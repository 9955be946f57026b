/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From fosterd's standard error and output to events and lines, and waiting for them.
 */
#include "scenario/support/internal.h"
#include "scenario/support/leaks.h"
#include "scenario/support/procs.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void source_close(struct source *source)
{
    if (source->fd >= 0) {
        (void)close(source->fd);
    }
    free(source->partial);
    *source = (struct source){.fd = -1};
}

bool source_read(struct scenario *s, struct source *source, void (*take)(struct scenario *s, char *line, void *data),
                 void *data)
{
    if (source->fd < 0) {
        return false;
    }
    static char chunk[65536];
    ssize_t n = read(source->fd, chunk, sizeof(chunk));
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    while (source->len + (size_t)n + 1 > source->cap) {
        source->cap = source->cap ? source->cap * 2 : sizeof(chunk) * 2;
        source->partial = must(realloc(source->partial, source->cap));
    }
    memcpy(source->partial + source->len, chunk, (size_t)n);
    source->len += (size_t)n;
    if (n == 0 && source->len > 0) {
        source->partial[source->len++] = '\n';
    }
    char *from = source->partial;
    for (char *end; (end = memchr(from, '\n', source->len - (size_t)(from - source->partial))); from = end + 1) {
        *end = '\0';
        take(s, from, data);
    }
    source->len -= (size_t)(from - source->partial);
    memmove(source->partial, from, source->len);
    return n > 0;
}

static void add_line(struct line **lines, size_t *n, size_t *cap, const char *text)
{
    *lines = grown(*lines, cap, *n, sizeof(**lines));
    (*lines)[(*n)++] = (struct line){.text = must(strdup(text))};
}

static void take_output(struct scenario *s, char *line, void *data)
{
    (void)data;
    add_line(&s->lines, &s->n_lines, &s->cap_lines, line);
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/** "web: ready -> done" becomes an event `state` of web, with "-> done" in its message. */
static void note_state(struct scenario_event *e)
{
    char name[128];
    char to[32];
    if (!*e->event && sscanf(e->msg, "%127[^:]: %*[a-z] -> %31[a-z]", name, to) == 2) {
        /* The object of the line owns the name, too. */
        (void)json_object_set_new(e->object, "service", json_string(name));
        e->event = "state";
        e->service = member(e->object, "service");
    }
}

/** Whether E is the first start of its service that was told. */
static bool is_first_start(const struct scenario *s, const struct scenario_event *e)
{
    for (size_t i = 0; i < s->n_events && s->events[i] != e; i++) {
        if (!strcmp(s->events[i]->event, "started") && !strcmp(s->events[i]->service, e->service)) {
            return false;
        }
    }
    return true;
}

/** Whether E is the first start of all. */
static bool is_very_first_start(const struct scenario *s, const struct scenario_event *e)
{
    for (size_t i = 0; i < s->n_events && s->events[i] != e; i++) {
        if (!strcmp(s->events[i]->event, "started")) {
            return false;
        }
    }
    return true;
}

/** What the harness itself learns from an event. */
static void note_event(struct scenario *s, const struct scenario_event *e)
{
    if (!strcmp(e->event, "started")) {
        s->n_live++;
        leaks_look_at(s, e->pid);
        /* The pipe of its output stays, for its next runs. */
        if (s->fds_settled >= 0 && is_first_start(s, e)) {
            /* With the first one there is a logger: its socket, and the two pipes that all loggers have. */
            s->fds_settled += is_very_first_start(s, e) ? 7 : 2;
        }
    } else if (!strcmp(e->event, "exited")) {
        s->n_live--;
    } else if (!strcmp(e->event, "settled")) {
        s->fds_settled = procs_descriptors(s->pid);
        s->live_settled = s->n_live;
    } else if (!strcmp(e->event, "state")) {
        s->n_starting += strstr(e->msg, "-> starting") != NULL;
        s->n_starting -= strstr(e->msg, "starting ->") != NULL;
    }
}

static void take_log(struct scenario *s, char *line, void *data)
{
    (void)data;
    json_t *object = *line == '{' ? json_loads(line, 0, NULL) : NULL;
    if (!object) {
        add_line(&s->raw, &s->n_raw, &s->cap_raw, line);
        return;
    }
    const json_t *code = json_object_get(object, "exit_code");
    struct scenario_event *e = must(calloc(1, sizeof(*e)));
    *e = (struct scenario_event){
        .seq = s->n_events,
        .event = member(object, "event"),
        .service = member(object, "service"),
        .level = member(object, "level"),
        .msg = member(object, "msg"),
        .signal = member(object, "signal"),
        .pid = (pid_t)json_integer_value(json_object_get(object, "pid")),
        .run = (uint64_t)json_integer_value(json_object_get(object, "run")),
        .exit_code = code ? (int)json_integer_value(code) : -1,
        .object = object,
    };
    s->events = grown(s->events, &s->cap_events, s->n_events, sizeof(struct scenario_event *));
    s->events[s->n_events++] = e;
    note_state(e);
    note_event(s, e);
}

static void drain(struct scenario *s, struct source *source, void (*take)(struct scenario *s, char *line, void *data))
{
    struct pollfd p = {.fd = source->fd, .events = POLLIN};
    while (source->fd >= 0 && poll(&p, 1, 0) > 0) {
        if (!source_read(s, source, take, NULL)) {
            source_close(source);
        }
    }
}

bool events_read(struct scenario *s, int timeout_ms)
{
    struct pollfd p[3] = {
        {.fd = s->log.fd, .events = POLLIN},
        {.fd = s->out.fd, .events = POLLIN},
        {.fd = s->reaped ? -1 : s->pidfd, .events = POLLIN},
    };
    int left = scenario_time_left(s);
    if (poll(p, 3, timeout_ms < 0 || timeout_ms > left ? left : timeout_ms) < 0 && errno != EINTR) {
        scenario_fail(s, "poll: %s", strerror(errno));
    }
    bool ended = p[2].revents || s->reaped;
    drain(s, &s->log, take_log);
    drain(s, &s->out, take_output);
    if (ended && !s->reaped && waitpid(s->pid, &s->status, WNOHANG) == s->pid) {
        s->reaped = true;
    }
    return !ended;
}

void events_dump(const struct scenario *s)
{
    for (size_t i = 0; i < s->n_events; i++) {
        char *text = json_dumps(s->events[i]->object, JSON_COMPACT | JSON_PRESERVE_ORDER);
        print_error("  log %s\n", text ? text : "?");
        free(text);
    }
    for (size_t i = 0; i < s->n_raw; i++) {
        print_error("  raw %s\n", s->raw[i].text);
    }
    for (size_t i = 0; i < s->n_lines; i++) {
        print_error("  out %s\n", s->lines[i].text);
    }
    if (s->reaped) {
        print_error("  fosterd has ended, wait status 0x%x\n", (unsigned)s->status);
    }
}

void events_free(struct scenario *s)
{
    for (size_t i = 0; i < s->n_events; i++) {
        json_decref(s->events[i]->object);
        free(s->events[i]);
    }
    for (size_t i = 0; i < s->n_lines; i++) {
        free(s->lines[i].text);
    }
    for (size_t i = 0; i < s->n_raw; i++) {
        free(s->raw[i].text);
    }
    free(s->events);
    free(s->lines);
    free(s->raw);
}

static bool is_about(const struct scenario_event *e, const char *event, const char *service)
{
    return (!event || !strcmp(e->event, event)) && (!service || !strcmp(e->service, service));
}

void scenario_pass_over(struct scenario *s)
{
    for (size_t i = 0; i < s->n_events; i++) {
        s->events[i]->taken = true;
    }
}

static const struct scenario_event *wait_for(struct scenario *s, const char *event, const char *service,
                                             const char *text, pid_t pid)
{
    size_t i = 0;
    for (bool more = true;;) {
        for (; i < s->n_events; i++) {
            struct scenario_event *e = s->events[i];
            if (!e->taken && is_about(e, event, service) && strstr(e->msg, text) && (pid == 0 || e->pid == pid)) {
                e->taken = true;
                return e;
            }
        }
        if (!more) {
            scenario_fail(s, "no event %s of %s with \"%s\"; fosterd has ended", event ? event : "(any)",
                          service ? service : "(any)", text);
        }
        more = events_read(s, -1);
    }
}

const struct scenario_event *scenario_wait(struct scenario *s, const char *event, const char *service)
{
    return wait_for(s, event, service, "", 0);
}

const struct scenario_event *scenario_wait_text(struct scenario *s, const char *event, const char *service,
                                                const char *text)
{
    return wait_for(s, event, service, text, 0);
}

const struct scenario_event *scenario_wait_pid(struct scenario *s, const char *event, const char *service, pid_t pid)
{
    return wait_for(s, event, service, "", pid);
}

const struct scenario_event *scenario_wait_state(struct scenario *s, const char *service, const char *state)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "-> %s", state);
    return wait_for(s, "state", service, text, 0);
}

size_t scenario_count_state(struct scenario *s, const char *service, const char *state)
{
    size_t n = 0;
    char text[64];
    (void)snprintf(text, sizeof(text), "-> %s", state);
    for (size_t i = 0; i < s->n_events; i++) {
        n += is_about(s->events[i], "state", service) && strstr(s->events[i]->msg, text);
    }
    return n;
}

size_t scenario_count(struct scenario *s, const char *event, const char *service)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_events; i++) {
        n += is_about(s->events[i], event, service);
    }
    return n;
}

void scenario_wait_count(struct scenario *s, const char *event, const char *service, size_t n)
{
    bool more = true;
    while (scenario_count(s, event, service) < n) {
        if (!more) {
            scenario_fail(s, "%zu events %s of %s instead of %zu", scenario_count(s, event, service), event,
                          service ? service : "(any)", n);
        }
        more = events_read(s, -1);
    }
}

const struct scenario_event *scenario_event_at(struct scenario *s, size_t i)
{
    return i < s->n_events ? s->events[i] : NULL;
}

/** What SERVICE wrote, when TEXT is a line of its output; names are padded to line up. */
static const char *output_of(const char *text, const char *service)
{
    if (!service) {
        return text;
    }
    size_t n = strlen(service);
    if (strncmp(text, service, n) != 0) {
        return NULL;
    }
    text += n + strspn(text + n, " ");
    return strncmp(text, "| ", 2) == 0 ? text + 2 : NULL;
}

const char *scenario_wait_line(struct scenario *s, const char *service, const char *prefix)
{
    size_t i = 0;
    for (bool more = true;;) {
        for (; i < s->n_lines; i++) {
            const char *text = output_of(s->lines[i].text, service);
            if (!s->lines[i].taken && text && !strncmp(text, prefix, strlen(prefix))) {
                s->lines[i].taken = true;
                return text + strlen(prefix);
            }
        }
        if (!more) {
            scenario_fail(s, "no line \"%s\" of %s; fosterd has ended", prefix, service ? service : "(any)");
        }
        more = events_read(s, -1);
    }
}

size_t scenario_lines(struct scenario *s, const char *service)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_lines; i++) {
        n += output_of(s->lines[i].text, service) != NULL;
    }
    return n;
}

const char *scenario_wait_raw(struct scenario *s, const char *text)
{
    for (bool more = true;;) {
        for (size_t i = 0; i < s->n_raw; i++) {
            if (!s->raw[i].taken && strstr(s->raw[i].text, text)) {
                s->raw[i].taken = true;
                return s->raw[i].text;
            }
        }
        if (!more) {
            scenario_fail(s, "no line with \"%s\" on standard error; fosterd has ended", text);
        }
        more = events_read(s, -1);
    }
}

int scenario_wait_exit(struct scenario *s)
{
    while (!s->reaped) {
        (void)events_read(s, -1);
    }
    return WIFSIGNALED(s->status) ? 128 + WTERMSIG(s->status) : WEXITSTATUS(s->status);
}

uint64_t scenario_sync(struct scenario *s)
{
    uint64_t reaped = 0;
    scenario_signal(s, SIGUSR1);
    const struct scenario_event *e = scenario_wait_text(s, "status", NULL, "children reaped");
    const char *number = strstr(e->msg, "services, ");
    scenario_check(s, number && sscanf(number, "services, %" SCNu64 " children reaped", &reaped) == 1);
    scenario_check(s, strstr(e->msg, " 0 messages lost"));
    /* The first line of the answer is here; it sleeps again when it has given all of them. */
    while (procs_state(s->pid) != 'S' && events_read(s, 0)) {
    }
    int fds = procs_descriptors(s->pid);
    if (s->n_live == s->live_settled && fds >= 0 && fds < s->fds_settled) {
        /* `settled` came while descriptors of the last start were still open. */
        s->fds_settled = fds;
    }
    return reaped;
}
