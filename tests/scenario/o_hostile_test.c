/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * As many clients as there may be, nearly all of them hostile, on a real fosterd with real services: supervision and
 * the one client that behaves go on, memory stays bounded, each of the others is answered or cut off, and nothing
 * remains of them.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/ctl_kit.h"
#include "scenario/support/idle.h"
#include "scenario/support/procs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 64,
    FOES = CLIENTS_MAX - 1,
    ROUNDS = 4,
    LONG_LINE = 1 << 20,
    DEPTH = 1000,
    GUARD_MS = 120000,
    IDLE_MS = 3000,
    SYNCS_MAX = 5,
    /* Allowed are 64 times 256 KiB of what waits, and fosterd itself needs 5 MiB. */
    PEAK_KIB = 24 << 10,
    REST_KIB = 10 << 10,
};

/* What a foe does. */
enum kind {
    FLOOD,      /* asks for the status of everything as fast as it can, and reads nothing */
    STALL,      /* begins a line */
    SUBSCRIBER, /* has all that happened told again and again, and reads nothing */
    BINARY,     /* sends bytes at random */
    LONG,       /* sends one line of 1 MiB */
    DEEP,       /* nests arrays and objects */
    HALF,       /* asks, then shuts its side down */
    VANISH,     /* asks, then is gone */
    KINDS
};

static const bool is_cut_off_unread[KINDS] = {[FLOOD] = true, [STALL] = true, [SUBSCRIBER] = true};

struct foe {
    enum kind kind;
    int fd; /* owned; -1: none */
    char said[8192];
    size_t len;
};

static struct foe foes[FOES];

static const char services[] = "services:\n"
                               "  victim:\n"
                               "    command: '@ACTOR@ say @DIR@/ear %p wait'\n"
                               "    restart: { policy: always, delay: 10ms, factor: 1, reset_after: 1h }\n"
                               "  crowd: { command: '@ACTOR@ wait', scale: 50 }\n";

static int connect_to(struct scenario *s)
{
    int fd = ctl_connect(scenario_path(s, "run/control.sock"));
    scenario_check(s, fd >= 0);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Sends LEN bytes, or as many of them as go in. */
static void push(const struct foe *f, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(f->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        data += n;
        len -= (size_t)n;
    }
}

static void push_text(const struct foe *f, const char *text)
{
    push(f, text, strlen(text));
}

static void push_many(const struct foe *f, const char *text, int n)
{
    while (n-- > 0) {
        push_text(f, text);
    }
}

static void push_noise(const struct foe *f, unsigned *seed)
{
    char noise[512];
    for (size_t i = 0; i < sizeof(noise); i++) {
        noise[i] = (char)rand_r(seed);
    }
    noise[sizeof(noise) - 1] = '\n';
    push(f, noise, sizeof(noise));
}

static void push_deep(const struct foe *f)
{
    static char deep[2 * DEPTH + 1];
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    deep[2 * DEPTH] = '\n';
    push(f, deep, sizeof(deep));
    push_text(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":");
    push_many(f, "{\"services\":", DEPTH);
    push_many(f, "}", DEPTH);
    push_text(f, "}\n");
}

/* Once more what F does all the time. */
static void misbehave(struct foe *f, unsigned *seed)
{
    static char xs[LONG_LINE];
    switch (f->kind) {
    case FLOOD:
        push_many(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"lines\":10}}\n", 1000);
        break;
    case STALL:
        push_text(f, "{\"jsonrpc\"");
        break;
    case SUBSCRIBER:
        push_many(f,
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":{\"recent\":256,\"follow\":true,"
                  "\"states\":true}}\n",
                  100);
        break;
    case BINARY:
        push_noise(f, seed);
        break;
    case LONG:
        memset(xs, 'x', sizeof(xs));
        push(f, xs, sizeof(xs));
        break;
    case DEEP:
        push_deep(f);
        break;
    case HALF:
        push_text(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n");
        (void)shutdown(f->fd, SHUT_WR);
        break;
    case VANISH:
        push_text(f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"wide\":true}}\n");
        (void)close(f->fd);
        f->fd = -1;
        break;
    case KINDS:
        break;
    }
}

/* Waits until F has been told something that has TEXT in it, or, without TEXT, that its connection has ended. */
static void wait_told(struct scenario *s, struct foe *f, const char *text)
{
    struct pollfd p = {.fd = f->fd, .events = POLLIN};
    while (!text || !strstr(f->said, text)) {
        if (poll(&p, 1, scenario_time_left(s)) != 1) {
            scenario_fail(s, "foe of kind %d is not told %s", (int)f->kind, text ? text : "that it is over");
        }
        if (f->len == sizeof(f->said) - 1) {
            f->len = 0;
        }
        ssize_t n = read(f->fd, f->said + f->len, sizeof(f->said) - 1 - f->len);
        if (n <= 0) {
            scenario_check(s, !text);
            return;
        }
        f->len += (size_t)n;
        f->said[f->len] = '\0';
    }
}

/* Waits until fosterd has ended the connection of F, which reads nothing meanwhile. */
static void wait_cut_off(struct scenario *s, struct foe *f)
{
    struct pollfd p = {.fd = f->fd, .events = 0};
    if (poll(&p, 1, scenario_time_left(s)) != 1 || !(p.revents & POLLHUP)) {
        scenario_fail(s, "foe of kind %d is not cut off", (int)f->kind);
    }
}

static void connect_all(struct scenario *s)
{
    for (size_t i = 0; i < FOES; i++) {
        foes[i] = (struct foe){.kind = (enum kind)(i % KINDS), .fd = connect_to(s)};
    }
    static struct foe one_more;
    one_more = (struct foe){.kind = KINDS, .fd = connect_to(s)};
    wait_told(s, &one_more, "-32002");
    wait_told(s, &one_more, NULL);
    (void)close(one_more.fd);
}

static pid_t heard_pid(struct scenario *s)
{
    pid_t pid = 0;
    scenario_check(s, sscanf(scenario_heard(s, "ear"), "%d", &pid) == 1 && pid > 1);
    return pid;
}

/* Kills the victim, which comes back; the client that behaves is told so. */
static pid_t kill_victim(struct scenario *s, struct ctl *good, pid_t pid)
{
    scenario_check(s, kill(pid, SIGKILL) == 0);
    pid_t next = heard_pid(s);
    scenario_check(s, next != pid);
    json_t *status = ctl_call(good, "status", "{'services':['victim']}");
    scenario_check(s, ctl_number(good, ctl_service(good, status, "victim"), "pid") == next);
    scenario_check(s, json_array_size(json_object_get(ctl_call(good, "list", NULL), "names")) == 52);
    return next;
}

static void wait_all_told(struct scenario *s)
{
    for (size_t i = 0; i < FOES; i++) {
        struct foe *f = &foes[i];
        if (f->kind == BINARY) {
            wait_told(s, f, "-32700");
        } else if (f->kind == LONG) {
            wait_told(s, f, "-32600");
            wait_told(s, f, NULL);
        } else if (f->kind == DEEP) {
            wait_told(s, f, "\"error\"");
        } else if (f->kind == HALF) {
            wait_told(s, f, "\"crowd.50\"");
            wait_told(s, f, NULL);
        }
    }
    for (size_t i = 0; i < FOES; i++) {
        if (is_cut_off_unread[foes[i].kind]) {
            wait_cut_off(s, &foes[i]);
        }
    }
}

static void wait_nothing_left(struct scenario *s, struct ctl *good, int fds)
{
    for (size_t i = 0; i < FOES; i++) {
        if (foes[i].fd >= 0) {
            (void)close(foes[i].fd);
        }
    }
    ctl_close(good);
    for (int i = 0; i < SYNCS_MAX && procs_descriptors(scenario_pid(s)) != fds; i++) {
        (void)scenario_sync(s);
    }
    if (procs_descriptors(scenario_pid(s)) != fds) {
        scenario_fail(s, "%d descriptors before, %d afterwards", fds, procs_descriptors(scenario_pid(s)));
    }
}

static struct scenario *survive(const char *fosterd)
{
    unsigned seed = (unsigned)getpid();
    struct scenario_options o = {.fosterd = fosterd, .guard_ms = GUARD_MS, .quiet = true};
    struct scenario *s = scenario_new();
    print_message("seed %u\n", seed);
    scenario_ear(s, "ear");
    scenario_spawn(s, &o, services);
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_sync(s);
    int fds = procs_descriptors(scenario_pid(s));
    pid_t victim = heard_pid(s);
    struct ctl *good = ctl_open(s);
    (void)ctl_call(good, "hello", NULL);
    connect_all(s);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < FOES; i++) {
            if (foes[i].fd >= 0) {
                misbehave(&foes[i], &seed);
            }
        }
        victim = kill_victim(s, good, victim);
    }
    wait_all_told(s);
    victim = kill_victim(s, good, victim);
    wait_nothing_left(s, good, fds);
    return s;
}

static void o01_hostile_clients_cost_themselves_only(void **state)
{
    (void)state;
    struct scenario *s = survive(FOSTERD_PLAIN);
    long peak = procs_status(scenario_pid(s), "VmHWM"), rest = procs_status(scenario_pid(s), "VmRSS");
    print_message("memory: %ld KiB at most, %ld afterwards\n", peak, rest);
    scenario_check(s, peak > 0 && peak < PEAK_KIB);
    scenario_check(s, rest > 0 && rest < REST_KIB);
    idle_watch(s, IDLE_MS);
    scenario_stop(s);
}

static void o02_hostile_clients_find_no_error(void **state)
{
    (void)state;
    scenario_stop(survive(FOSTERD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(o01_hostile_clients_cost_themselves_only),
        SCENARIO(o02_hostile_clients_find_no_error),
    };
    return SCENARIO_RUN("o_hostile", tests);
}
