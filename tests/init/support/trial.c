/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * See trial.h: what a trial does while it runs, and its end. Its start is in trial_start.c.
 */
#include "init/support/trial.h"

#include "init/support/look.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef TRIAL_GUARD_MS
#define TRIAL_GUARD_MS 60000
#endif

enum { TURN_MS = 1 };

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void trial_fail(struct trial *t, const char *fmt, ...)
{
    char why[200];
    char was[300];
    char init[64] = "";
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (!t->ended) {
        (void)snprintf(init, sizeof(init), "; init in state %c", look_state(t->init) ? look_state(t->init) : '-');
    }
    (void)snprintf(was, sizeof(was), "%.*s", (int)sizeof(was) - 1, t->outcome);
    (void)snprintf(t->outcome, sizeof(t->outcome), "FAILED: %s%s; until then: %s", why, init, was);
    longjmp(t->failed, 1);
}

void trial_skip(struct trial *t)
{
    (void)snprintf(t->outcome, sizeof(t->outcome), "%s", TRIAL_SKIPPED);
    longjmp(t->failed, 1);
}

/** Takes one message in; false: there is none. */
static bool receive(struct trial *t)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct message *m = &t->messages[t->n_messages];
    struct iovec io = {m->text, sizeof(m->text) - 1};
    struct msghdr msg = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    if (t->n_messages == TRIAL_MESSAGES_MAX) {
        trial_fail(t, "too many messages");
    }
    ssize_t n = recvmsg(t->talk, &msg, MSG_DONTWAIT);
    t->silent = n == 0;
    if (n <= 0) {
        return false;
    }
    struct ucred who = {0};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_type == SCM_CREDENTIALS) {
        memcpy(&who, CMSG_DATA(c), sizeof(who));
    }
    m->text[n] = 0;
    m->from = who.pid;
    m->taken = false;
    t->n_messages++;
    return true;
}

/** Messages that were sent before the init's end are taken in before it counts as ended. */
static void look_at_end(struct trial *t)
{
    siginfo_t info = {0};
    /* One that is traced reports its stops, too. */
    if (t->ended || t->init <= 0 || waitid(P_PID, (id_t)t->init, &info, WEXITED | WNOHANG | WNOWAIT) ||
        info.si_pid == 0 || info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
        return;
    }
    while (receive(t)) {
    }
    t->ended = waitpid(t->init, &t->status, 0) == t->init;
}

void trial_turn(struct trial *t)
{
    /* A socket at its end is always ready: waiting for it would be spinning. */
    struct pollfd fds[2] = {{.fd = t->silent ? -1 : t->talk, .events = POLLIN},
                            {.fd = t->ended ? -1 : t->pidfd, .events = POLLIN}};
    if (t->guard_at_ms == 0) {
        t->guard_at_ms = now_ms() + TRIAL_GUARD_MS;
    } else if (now_ms() > t->guard_at_ms) {
        trial_fail(t, "nothing happens any more");
    }
    (void)poll(fds, 2, TURN_MS);
    look_at_end(t);
    while (receive(t)) {
    }
}

const struct message *trial_heard(struct trial *t, pid_t pid, const char *prefix)
{
    for (size_t i = 0; i < t->n_messages; i++) {
        struct message *m = &t->messages[i];
        if (!m->taken && (pid == 0 || m->from == pid) && !strncmp(m->text, prefix, strlen(prefix))) {
            m->taken = true;
            return m;
        }
    }
    return NULL;
}

const struct message *trial_expect(struct trial *t, pid_t pid, const char *prefix)
{
    const struct message *m;
    trial_until(t, (m = trial_heard(t, pid, prefix)));
    return m;
}

bool trial_ready(struct trial *t)
{
    const struct message *m = NULL;
    trial_until(t, (m = trial_heard(t, 0, "ready")) || t->ended);
    if (!m) {
        m = trial_heard(t, 0, "ready");
    }
    t->child = m ? m->from : 0;
    return m;
}

bool trial_start_ready(struct trial *t)
{
    trial_start(t);
    return trial_ready(t);
}

void trial_signal(struct trial *t, int sig)
{
    if (!t->ended && kill(t->init, sig)) {
        trial_fail(t, "kill: %s", strerror(errno));
    }
}

static __attribute__((format(printf, 2, 0))) void tell(struct trial *t, const char *fmt, va_list ap)
{
    char text[200];
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    /* It may have ended; whoever waits for the answer then sees that. */
    (void)send(t->talk, text, (size_t)n, MSG_NOSIGNAL);
}

void trial_tell(struct trial *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell(t, fmt, ap);
    va_end(ap);
}

void trial_order(struct trial *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell(t, fmt, ap);
    va_end(ap);
    (void)trial_expect(t, t->child, "done");
}

void trial_wait_end(struct trial *t)
{
    trial_until(t, t->ended);
}

/** Whether the init sleeps again and has taken SIG, or has ended. */
static bool has_taken(struct trial *t, int sig)
{
    uint64_t bit = UINT64_C(1) << (sig - 1);
    return t->ended || (!(look_pending(t->init) & bit) && look_state(t->init) == 'S');
}

bool trial_round(struct trial *t)
{
    for (int i = 0; i < 2 && !t->ended; i++) {
        trial_signal(t, SIGWINCH);
        trial_until(t, has_taken(t, SIGWINCH));
    }
    return !t->ended;
}

void trial_note(struct trial *t, const char *fmt, ...)
{
    size_t n = strlen(t->outcome);
    va_list ap;
    n += (size_t)snprintf(t->outcome + n, sizeof(t->outcome) - n, "%s", n ? "; " : "");
    va_start(ap, fmt);
    (void)vsnprintf(t->outcome + n, sizeof(t->outcome) - n, fmt, ap);
    va_end(ap);
}

void trial_note_end(struct trial *t)
{
    trial_wait_end(t);
    if (WIFEXITED(t->status)) {
        trial_note(t, "exit %d", WEXITSTATUS(t->status));
    } else {
        trial_note(t, "killed by %d", WTERMSIG(t->status));
    }
}

static bool is_gone(pid_t pid)
{
    char state = look_state(pid);
    return !state || state == 'Z' || state == 'X';
}

void trial_note_left(struct trial *t, pid_t pid)
{
    const struct message *here = NULL;
    const struct message *told;
    trial_wait_end(t);
    /* Signals are taken in the order of their numbers: whoever answers this one has dealt with SIGTERM. */
    (void)kill(pid, TRIAL_PING);
    trial_until(t, is_gone(pid) || (here = trial_heard(t, pid, "here")));
    while (!here && (told = trial_heard(t, pid, "told"))) {
        trial_note(t, "left-over %s", told->text);
    }
    trial_note(t, here ? "left-over alive" : "left-over gone");
}

const char *trial_written(struct trial *t, int fd, char *buf, size_t size)
{
    ssize_t n = pread(fd == 1 ? t->out : t->err, buf, size - 1, 0);
    buf[n > 0 ? n : 0] = 0;
    return buf;
}

const char *trial_scratch(struct trial *t)
{
    char dir[] = "/tmp/foster-init-XXXXXX";
    if (!mkdtemp(dir)) {
        trial_fail(t, "mkdtemp: %s", strerror(errno));
    }
    (void)snprintf(t->scratch, sizeof(t->scratch), "%s/scratch", dir);
    return t->scratch;
}

static void remove_scratch(struct trial *t)
{
    if (*t->scratch) {
        (void)unlink(t->scratch);
        *strrchr(t->scratch, '/') = 0;
        (void)rmdir(t->scratch);
        *t->scratch = 0;
    }
}

void trial_done(struct trial *t)
{
    pid_t pid;
    int *const fds[] = {&t->pidfd, &t->talk, &t->gate, &t->out, &t->err};
    /* Whoever is killed hands its children to us. */
    while ((pid = look_any_child()) > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0) {
            (void)close(*fds[i]);
            *fds[i] = -1;
        }
    }
    remove_scratch(t);
    if (t->cleanup) {
        t->cleanup(t);
    }
}
