/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * For the tests of service output: a standard output of each kind with somebody who reads it, or does not, and
 * two streams.
 */
#ifndef FOSTER_TESTS_DAEMON_OUTLET_H
#define FOSTER_TESTS_DAEMON_OUTLET_H

#include "base/log.h"
#include "daemon/output.h"

#include "unit/daemon/rig.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

enum { HEARD_MAX = 16 << 20, CHUNK = 4096, SMALL_PIPE = 4096, LARGE_PIPE = 1 << 16, STREAMS = 2, WIDTH = 5 };

/** What our standard output is. */
enum outlet {
    OUTLET_PIPE,
    OUTLET_FOREIGN_PIPE, /* one that we may not open again */
    OUTLET_SOCKET,
    OUTLET_TERMINAL,
    OUTLET_N
};

static const char *const names[STREAMS] = {"a", "web.2"};

/** What the present test holds. */
static struct {
    struct output out;
    struct output_stream streams[STREAMS];
    bool is_open; /* out was initialised and not done */
    int listen_fd;
    struct ev_io ear; /* reads listen_fd into heard */
    struct buf heard;
    size_t wanted;
} t;

static inline void on_heard(struct ev_loop *loop, struct ev_io *w, int revents)
{
    char chunk[CHUNK];
    ssize_t n = read(w->fd, chunk, sizeof chunk);
    (void)revents;
    if (n > 0)
        buf_add(&t.heard, chunk, (size_t)n);
    else
        ev_io_stop(loop, w);
}

/** Whether all that is wanted was heard. */
static inline bool is_heard(void *data)
{
    (void)data;
    return t.heard.len >= t.wanted;
}

/** Makes the replacement of our standard output; its other end is t.listen_fd. */
static inline int outlet_new(enum outlet kind)
{
    int fds[2] = {-1, -1};
    if (kind == OUTLET_TERMINAL) {
        struct termios raw;
        fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (fds[0] < 0 || grantpt(fds[0]) != 0 || unlockpt(fds[0]) != 0)
            return -1;
        fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(fds[1] >= 0);
        assert_int_equal(tcgetattr(fds[1], &raw), 0);
        cfmakeraw(&raw);
        assert_int_equal(tcsetattr(fds[1], TCSANOW, &raw), 0);
    } else if (kind == OUTLET_SOCKET) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    } else {
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_true(fcntl(fds[1], F_SETPIPE_SZ, SMALL_PIPE) >= SMALL_PIPE);
    }
    t.listen_fd = fds[0];
    return fds[1];
}

/** Reads what is written to our output, or stops to do so. */
static inline void hear(bool on)
{
    if (on)
        ev_io_start(rig.loop, &t.ear);
    else
        ev_io_stop(rig.loop, &t.ear);
}

/** Opens both streams. */
static inline void open_streams(void)
{
    struct err e = {0};
    t.out.name_width = WIDTH;
    for (size_t i = 0; i < STREAMS; i++)
        assert_true(output_open(&t.out, &t.streams[i], names[i], &e));
}

/** Puts KIND in the place of our standard output and opens the streams. False when there is no such thing here. */
static inline bool begin_with(enum outlet kind)
{
    int fd = outlet_new(kind);
    if (fd < 0)
        return false;
    rig_replace(STDOUT_FILENO, fd);
    if (kind == OUTLET_FOREIGN_PIPE) {
        /* Without a reader it cannot be opened for writing, just as if it belonged to another user. */
        close(t.listen_fd);
        output_init(&t.out, rig.loop);
        t.listen_fd = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
        assert_true(t.listen_fd >= 0);
    } else {
        output_init(&t.out, rig.loop);
    }
    t.is_open = true;
    assert_int_equal(fcntl(t.listen_fd, F_SETFL, O_NONBLOCK), 0);
    buf_init(&t.heard, HEARD_MAX);
    ev_io_init(&t.ear, on_heard, t.listen_fd, EV_READ);
    ev_set_priority(&t.ear, EV_MINPRI);
    open_streams();
    hear(true);
    return true;
}

/** For outlets that are files: everything as above but the ear. */
static inline void begin_with_file(int fd)
{
    rig_replace(STDOUT_FILENO, fd);
    output_init(&t.out, rig.loop);
    t.is_open = true;
    open_streams();
}

/** For a test's setup. */
static inline int begin(void **state)
{
    memset(&t, 0, sizeof t);
    t.listen_fd = -1;
    buf_init(&t.heard, HEARD_MAX);
    for (size_t i = 0; i < STREAMS; i++)
        t.streams[i].read_fd = t.streams[i].write_fd = -1;
    return rig_begin(state);
}

/** Closes everything, so that another outlet can be tried. */
static inline void finish(void)
{
    for (size_t i = 0; i < STREAMS; i++)
        output_close(&t.streams[i]);
    if (t.is_open)
        output_done(&t.out);
    t.is_open = false;
    if (t.listen_fd >= 0) {
        hear(false);
        close(t.listen_fd);
    }
    t.listen_fd = -1;
    buf_done(&t.heard);
}

/** For a test's teardown. */
static inline int end(void **state)
{
    finish();
    return rig_end(state);
}

/** Writes LEN bytes to a stream, as its service would. */
static inline void say(size_t stream, const char *data, size_t len)
{
    assert_int_equal(write(t.streams[stream].write_fd, data, len), len);
}

/** Writes TEXT to a stream. */
static inline void says(size_t stream, const char *text)
{
    say(stream, text, strlen(text));
}

/** Runs the loop until so much was heard, which must be exactly this. */
static inline void await_heard(const char *data, size_t len)
{
    t.wanted = len;
    rig_run_until(is_heard, NULL);
    assert_int_equal(t.heard.len, len);
    assert_memory_equal(t.heard.data, data, len);
}

/** As await_heard(), for a string. */
static inline void await_text(const char *text)
{
    await_heard(text, strlen(text));
}

/** Appends LINE as it must be heard: with the name before each piece. */
static inline void expect_line(struct buf *b, size_t stream, const char *line, size_t len)
{
    size_t at = 0;
    do {
        size_t n = len - at < OUTPUT_LINE_MAX ? len - at : OUTPUT_LINE_MAX;
        buf_printf(b, "%-*s | ", WIDTH, names[stream]);
        buf_add(b, line + at, n);
        buf_putc(b, '\n');
        at += n;
    } while (at < len);
}

/** Whether our output is waiting for room. */
static inline bool is_stalled(void)
{
    return ev_is_active(&t.out.writable);
}

/** How much is in the pipe of a stream. */
static inline int bytes_waiting(size_t stream)
{
    int n = -1;
    assert_int_equal(ioctl(t.streams[stream].read_fd, FIONREAD, &n), 0);
    return n;
}

#endif
