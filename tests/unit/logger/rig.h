/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A stand-in for fosterd: it keeps pipes, rings and what else a logger needs, forks one, and forks another one when
 * that is killed.
 */
#ifndef FOSTER_TESTS_LOGGER_RIG_H
#define FOSTER_TESTS_LOGGER_RIG_H

#include "core/logring.h"
#include "logger/logger.h"
#include "logger/message.h"
#include "sys/ring.h"
#include "sys/sys.h"
#include "sys/sys_net.h"
#include "sys/sys_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RIG_STREAMS_MAX = 8, RIG_GUARD_MS = 60000, RIG_SAID_MAX = 8192 };

/** One stream of output. */
struct rig_stream {
    struct logger_stream d;
    struct spec_log log;
    struct logring ring;
    int write_fd;
};

/** Everything. */
struct rig {
    struct shared *shared;
    int stage[2], outbox[2];
    int sock;      /* our end */
    int stdout_fd; /* what the logger has as standard output; -1: ours */
    pid_t pid;
    struct rig_stream streams[RIG_STREAMS_MAX];
    size_t n;
    struct message_in in;
    char said[RIG_SAID_MAX]; /* its messages for the log that nobody has waited for yet, a line each */
    int width;
    const char *journal_path;
    bool traced; /* the logger is ours to trace, and stops before its first instruction, where that may be */
};

static inline void rig_init(struct rig *r)
{
    *r = (struct rig){.sock = -1, .stdout_fd = -1, .width = 1};
    r->shared = ring_shared(sizeof *r->shared);
    assert_non_null(r->shared);
    assert_int_equal(sys_pipe(r->stage, O_NONBLOCK), 0);
    assert_int_equal(sys_pipe(r->outbox, O_NONBLOCK), 0);
}

/** A stream of NAME with the settings LOG and a ring of RING_SIZE bytes. */
static inline struct rig_stream *rig_add(struct rig *r, const char *name, const struct spec_log *log, size_t ring_size)
{
    struct rig_stream *s = &r->streams[r->n];
    size_t size = logring_size((int64_t)ring_size, ring_page()), head = logring_head_bytes(size, ring_page());
    int fds[2], ring_fd = ring_create(head, size);
    assert_true(ring_fd >= 0);
    assert_int_equal(sys_pipe(fds, 0), 0);
    assert_true(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    s->log = *log;
    s->write_fd = fds[1];
    s->d = (struct logger_stream){.id = ++r->n,
                                  .name = name,
                                  .service = name,
                                  .log = &s->log,
                                  .pipe_fd = fds[0],
                                  .ring = ring_map(ring_fd, head, size),
                                  .ring_size = size};
    assert_non_null(s->d.ring);
    close(ring_fd);
    logring_attach(&s->ring, s->d.ring, size, ring_page());
    return s;
}

static inline void rig_each(void (*fn)(const struct logger_stream *s, void *fn_data), void *fn_data, void *data)
{
    struct rig *r = data;
    for (size_t i = 0; i < r->n; i++)
        fn(&r->streams[i].d, fn_data);
}

static inline void rig_inherit(struct rig *r, bool inherit)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t size = r->streams[i].d.ring_size;
        assert_int_equal(ring_inherit(r->streams[i].d.ring, logring_head_bytes(size, ring_page()), size, inherit), 0);
    }
}

/** Forks a logger. */
static inline void rig_start(struct rig *r)
{
    int sock[2];
    r->said[0] = '\0';
    assert_int_equal(sys_packet_pair(sock), 0);
    rig_inherit(r, true);
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0) {
        struct logger_boot boot = {.control_fd = sock[1],
                                   .journal_path = r->journal_path,
                                   .shared = r->shared,
                                   .width = r->width,
                                   .each = rig_each,
                                   .data = r};
        memcpy(boot.stage, r->stage, sizeof r->stage);
        memcpy(boot.outbox, r->outbox, sizeof r->outbox);
        if (r->stdout_fd >= 0 && dup2(r->stdout_fd, STDOUT_FILENO) < 0)
            _exit(99);
        if (r->traced && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0))
            _exit(99);
        _exit(logger_run(&boot));
    }
    rig_inherit(r, false);
    close(sock[1]);
    r->sock = sock[0];
}

/** Kills it, without warning, and waits for its end. */
static inline void rig_kill(struct rig *r)
{
    int status;
    assert_int_equal(kill(r->pid, SIGKILL), 0);
    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(r->sock);
    r->sock = -1;
    r->pid = 0;
}

/** Stops it: what comes until rig_go_on() waits for it together. */
static inline void rig_stop(const struct rig *r)
{
    siginfo_t info;
    assert_int_equal(kill(r->pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)r->pid, &info, WSTOPPED | WEXITED), 0);
    assert_int_equal(info.si_code, CLD_STOPPED);
}

static inline void rig_go_on(const struct rig *r)
{
    assert_int_equal(kill(r->pid, SIGCONT), 0);
}

static inline void rig_send(struct rig *r, const struct message *m)
{
    assert_int_equal(message_send(r->sock, m), 0);
}

/** The next message of KIND; others are passed over, but a message for the log that is not wanted yet is shown and
 * kept for rig_await_say(). */
static inline struct message *rig_await(struct rig *r, enum message_kind kind)
{
    for (;;) {
        struct pollfd p = {.fd = r->sock, .events = POLLIN};
        assert_int_equal(poll(&p, 1, RIG_GUARD_MS), 1);
        assert_int_equal(message_receive(r->sock, &r->in), 1);
        if (r->in.m.kind == kind)
            return &r->in.m;
        if (r->in.m.kind == MESSAGE_SAY) {
            size_t n = strlen(r->said);
            fprintf(stderr, "said: %s\n", r->in.m.text);
            assert_true(snprintf(r->said + n, sizeof r->said - n, "%s\n", r->in.m.text) < (int)(sizeof r->said - n));
        }
    }
}

/** Waits for a message for the log with TEXT in it, unless there was one that nobody has waited for. */
static inline void rig_await_say(struct rig *r, const char *text)
{
    const char *at = strstr(r->said, text);
    if (at != NULL) {
        const char *rest = strchr(at, '\n') + 1;
        memmove(r->said, rest, strlen(rest) + 1);
        return;
    }
    r->said[0] = '\0';
    while (strstr(rig_await(r, MESSAGE_SAY)->text, text) == NULL) {
        /* Something else. */
    }
}

/** Has the logger take in and send what the pipe of S holds. */
static inline void rig_sync(struct rig *r, const struct rig_stream *s)
{
    static uint64_t seq;
    const struct message m = {.kind = MESSAGE_SYNC, .id = s->d.id, .seq = ++seq, .fds = {-1, -1}};
    rig_send(r, &m);
    while (rig_await(r, MESSAGE_SYNCED)->seq != seq) {
        /* An older one. */
    }
}

/** rig_sync(); how many messages for the log with TEXT in them have come meanwhile. They are used up. */
static inline int rig_sync_and_count(struct rig *r, const struct rig_stream *s, const char *text)
{
    int n = 0;
    r->said[0] = '\0';
    rig_sync(r, s);
    for (char *line = strtok(r->said, "\n"); line != NULL; line = strtok(NULL, "\n"))
        n += strstr(line, text) != NULL;
    r->said[0] = '\0';
    return n;
}

/** Has the logger let go of all streams, and waits until it has ended. */
static inline void rig_finish(struct rig *r)
{
    int status;
    for (size_t i = 0; i < r->n; i++) {
        const struct message m = {.kind = MESSAGE_CLOSE, .id = r->streams[i].d.id, .fds = {-1, -1}};
        rig_send(r, &m);
        r->streams[i].d.closing = true;
    }
    for (size_t i = 0; i < r->n; i++)
        (void)rig_await(r, MESSAGE_CLOSED);
    close(r->sock);
    r->sock = -1;
    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    assert_int_equal(status, 0);
    r->pid = 0;
}

static inline void rig_done(struct rig *r)
{
    if (r->pid > 0)
        rig_kill(r);
    for (size_t i = 0; i < r->n; i++) {
        size_t size = r->streams[i].d.ring_size;
        ring_unmap(r->streams[i].d.ring, logring_head_bytes(size, ring_page()), size);
        close(r->streams[i].d.pipe_fd);
        if (r->streams[i].write_fd >= 0)
            close(r->streams[i].write_fd);
    }
    for (int i = 0; i < 2; i++) {
        close(r->stage[i]);
        close(r->outbox[i]);
    }
    sys_unmap(r->shared, sizeof *r->shared);
}

#endif
