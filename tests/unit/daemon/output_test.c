/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What services write: lines and where they are cut, and that nothing is lost, nothing blocks and nothing spins
 * while our own output is full, whatever it is: a pipe, a pipe of somebody else, a socket, a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "daemon/output.h"

#include "support/seed.h"
#include "unit/daemon/rig.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>

enum { HEARD_MAX = 16 << 20, CHUNK = 4096, SMALL_PIPE = 4096, LARGE_PIPE = 1 << 16, STREAMS = 2, WIDTH = 5 };

/* What our standard output is. */
enum outlet {
    OUTLET_PIPE,
    OUTLET_FOREIGN_PIPE, /* one that we may not open again */
    OUTLET_SOCKET,
    OUTLET_TERMINAL,
    OUTLET_N
};

static const char *const names[STREAMS] = {"a", "web.2"};

static struct {
    struct output out;
    struct output_stream streams[STREAMS];
    bool is_open; /* out was initialised and not done */
    int listen_fd;
    struct ev_io ear; /* reads listen_fd into heard */
    struct buf heard;
    size_t wanted;
} t;

static void on_heard(struct ev_loop *loop, struct ev_io *w, int revents)
{
    char chunk[CHUNK];
    ssize_t n = read(w->fd, chunk, sizeof chunk);
    (void)revents;
    if (n > 0)
        buf_add(&t.heard, chunk, (size_t)n);
    else
        ev_io_stop(loop, w);
}

static bool is_heard(void *data)
{
    (void)data;
    return t.heard.len >= t.wanted;
}

/* Makes the replacement of our standard output; its other end is t.listen_fd. */
static int outlet_new(enum outlet kind)
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

static void hear(bool on)
{
    if (on)
        ev_io_start(rig.loop, &t.ear);
    else
        ev_io_stop(rig.loop, &t.ear);
}

static void open_streams(void)
{
    struct err e = {0};
    t.out.name_width = WIDTH;
    for (size_t i = 0; i < STREAMS; i++)
        assert_true(output_open(&t.out, &t.streams[i], names[i], &e));
}

/* Puts KIND in the place of our standard output and opens the streams. False when there is no such thing here. */
static bool begin_with(enum outlet kind)
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

/* For outlets that are files: everything as above but the ear. */
static void begin_with_file(int fd)
{
    rig_replace(STDOUT_FILENO, fd);
    output_init(&t.out, rig.loop);
    t.is_open = true;
    open_streams();
}

static int begin(void **state)
{
    memset(&t, 0, sizeof t);
    t.listen_fd = -1;
    buf_init(&t.heard, HEARD_MAX);
    for (size_t i = 0; i < STREAMS; i++)
        t.streams[i].read_fd = t.streams[i].write_fd = -1;
    return rig_begin(state);
}

static void finish(void)
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

static int end(void **state)
{
    finish();
    return rig_end(state);
}

static void say(size_t stream, const char *data, size_t len)
{
    assert_int_equal(write(t.streams[stream].write_fd, data, len), len);
}

static void says(size_t stream, const char *text)
{
    say(stream, text, strlen(text));
}

static void await_heard(const char *data, size_t len)
{
    t.wanted = len;
    rig_run_until(is_heard, NULL);
    assert_int_equal(t.heard.len, len);
    assert_memory_equal(t.heard.data, data, len);
}

static void await_text(const char *text)
{
    await_heard(text, strlen(text));
}

/* Appends LINE as it must be heard: with the name before each piece. */
static void expect_line(struct buf *b, size_t stream, const char *line, size_t len)
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

static void names_are_aligned(void **state)
{
    (void)state;
    for (enum outlet kind = 0; kind < OUTLET_N; kind++) {
        if (!begin_with(kind))
            continue;
        says(0, "one\ntwo\n");
        await_text("a     | one\na     | two\n");
        says(1, "three\n");
        await_text("a     | one\na     | two\nweb.2 | three\n");
        assert_int_equal(rig_turns(3), 0);
        finish();
        rig_restore();
    }
}

static void lines_are_put_together(void **state)
{
    static const struct {
        const char *writes[4]; /* each is read for itself */
        const char *heard;
    } cases[] = {
        {{"one\n"}, "a     | one\n"},
        {{"o", "n", "e\n"}, "a     | one\n"},
        {{"one", "\n"}, "a     | one\n"},
        {{"one\ntw", "o\nthr", "ee\n"}, "a     | one\na     | two\na     | three\n"},
        {{"\n"}, "a     | \n"},
        {{"\n\n", "\n"}, "a     | \na     | \na     | \n"},
        {{"end"}, "a     | end\n"},
        {{"one\ne", "nd"}, "a     | one\na     | end\n"},
        {{"\t\x1b[31mr\xff\r\n"}, "a     | \t\x1b[31mr\xff\r\n"},
        {{"a | b\n"}, "a     | a | b\n"},
        {{NULL}, ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(begin_with(OUTLET_PIPE));
        for (size_t k = 0; k < ARRAY_LEN(cases[i].writes) && cases[i].writes[k] != NULL; k++) {
            says(0, cases[i].writes[k]);
            output_drain(&t.streams[0], false);
        }
        output_close(&t.streams[0]);
        await_text(cases[i].heard);
        finish();
        rig_restore();
    }
}

static void a_partial_line_waits_for_its_end(void **state)
{
    (void)state;
    assert_true(begin_with(OUTLET_PIPE));
    says(0, "par");
    output_drain(&t.streams[0], false);
    assert_int_equal(t.streams[0].partial.len, 3);
    assert_int_equal(t.out.pending.len, 0);
    says(1, "between\n");
    await_text("web.2 | between\n");
    says(0, "tial\n");
    await_text("web.2 | between\na     | partial\n");
    says(0, "last words");
    output_drain(&t.streams[0], true);
    says(0, "\n");
    await_text("web.2 | between\na     | partial\na     | last words\na     | \n");
}

static void nul_bytes_pass(void **state)
{
    static const char raw[] = "x\0y\n";
    static const char heard[] = "a     | x\0y\n";
    (void)state;
    assert_true(begin_with(OUTLET_PIPE));
    say(0, raw, sizeof raw - 1);
    await_heard(heard, sizeof heard - 1);
}

static void long_lines_are_cut(void **state)
{
    static const size_t lengths[] = {
        OUTPUT_LINE_MAX - 1,     OUTPUT_LINE_MAX, OUTPUT_LINE_MAX + 1, 2 * OUTPUT_LINE_MAX - 1, 2 * OUTPUT_LINE_MAX,
        2 * OUTPUT_LINE_MAX + 1, 40000,
    };
    static char line[40001];
    (void)state;
    for (size_t i = 0; i < sizeof line; i++)
        line[i] = (char)('A' + i % 26);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (int ended = 0; ended < 2; ended++) {
            struct buf expected;
            buf_init(&expected, HEARD_MAX);
            assert_true(begin_with(OUTLET_PIPE));
            /* Room for all of it: a stream that is closed does not wait for readers. */
            assert_true(fcntl(t.listen_fd, F_SETPIPE_SZ, LARGE_PIPE) >= LARGE_PIPE);
            say(0, line, lengths[i]);
            if (ended)
                says(0, "\nnext\n");
            else
                output_close(&t.streams[0]);
            expect_line(&expected, 0, line, lengths[i]);
            if (ended)
                expect_line(&expected, 0, "next", 4);
            await_heard(expected.data, expected.len);
            assert_int_equal(t.out.n_dropped, 0);
            buf_done(&expected);
            finish();
            rig_restore();
        }
    }
}

static void our_descriptors_are_right(void **state)
{
    int status;
    (void)state;
    assert_true(begin_with(OUTLET_PIPE));
    /* Others share what we inherited: it stays blocking. A service finds its end blocking as well. */
    assert_int_equal(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
    assert_true(t.out.own_fd);
    assert_int_equal(fcntl(t.out.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(t.streams[0].write_fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(t.streams[0].read_fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    const int fds[] = {t.out.fd, t.streams[0].read_fd, t.streams[0].write_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        status = fcntl(fds[i], F_GETFD);
        assert_int_equal(status & FD_CLOEXEC, FD_CLOEXEC);
    }
}

/* A line of 1,000 bytes that tells its number. */
static size_t numbered_line(char *line, unsigned number)
{
    snprintf(line, 12, "%010u ", number);
    memset(line + 11, 'x', 988);
    line[999] = '\n';
    return 1000;
}

static bool is_stalled(void)
{
    return ev_is_active(&t.out.writable);
}

static int bytes_waiting(size_t stream)
{
    int n = -1;
    assert_int_equal(ioctl(t.streams[stream].read_fd, FIONREAD, &n), 0);
    return n;
}

/* Writes lines until our output is full. Returns how many. */
static unsigned fill(struct buf *expected)
{
    char line[1000];
    unsigned n = 0;
    hear(false);
    for (n = 0; !is_stalled() && n < 10000; n++) {
        say(0, line, numbered_line(line, n));
        expect_line(expected, 0, line, sizeof line - 1);
        rig_turns(1);
    }
    assert_true(is_stalled());
    return n;
}

static void a_stalled_reader_holds_everybody_and_loses_nothing(void **state)
{
    (void)state;
    for (enum outlet kind = 0; kind < OUTLET_N; kind++) {
        struct buf expected;
        char line[1000];
        if (!begin_with(kind))
            continue;
        buf_init(&expected, HEARD_MAX);
        unsigned n = fill(&expected);
        for (size_t i = 0; i < STREAMS; i++)
            assert_false(ev_is_active(&t.streams[i].readable));
        says(1, "held\n");
        for (unsigned i = 0; i < 20; i++) {
            say(0, line, numbered_line(line, n + i));
            expect_line(&expected, 0, line, sizeof line - 1);
        }
        size_t pending = t.out.pending.len;
        assert_int_equal(rig_turns(20), 0);
        assert_int_equal(t.out.pending.len, pending);
        assert_int_equal(bytes_waiting(0), 20000);
        assert_int_equal(bytes_waiting(1), 5);

        hear(true);
        t.wanted = expected.len + strlen("web.2 | held\n");
        rig_run_until(is_heard, NULL);
        assert_int_equal(t.heard.len, t.wanted);
        char *held = strstr(buf_str(&t.heard), "web.2 | held\n");
        assert_non_null(held);
        size_t before = (size_t)(held - t.heard.data);
        size_t gap = t.wanted - expected.len;
        assert_memory_equal(t.heard.data, expected.data, before);
        assert_memory_equal(held + gap, expected.data + before, expected.len - before);
        assert_false(is_stalled());
        for (size_t i = 0; i < STREAMS; i++)
            assert_true(ev_is_active(&t.streams[i].readable));
        assert_int_equal(t.out.n_dropped, 0);
        assert_int_equal(rig_turns(5), 0);
        buf_done(&expected);
        finish();
        rig_restore();
    }
}

static void a_stream_that_is_opened_meanwhile_is_held_too(void **state)
{
    struct buf expected;
    struct err e = {0};
    (void)state;
    buf_init(&expected, HEARD_MAX);
    assert_true(begin_with(OUTLET_PIPE));
    output_close(&t.streams[1]);
    fill(&expected);
    assert_true(output_open(&t.out, &t.streams[1], names[1], &e));
    says(1, "new\n");
    assert_int_equal(rig_turns(5), 0);
    expect_line(&expected, 1, "new", 3);
    hear(true);
    await_heard(expected.data, expected.len);
    buf_done(&expected);
}

/* While our output is full, a drain leaves the rest in the pipe, where it is safe. */
static void a_drain_waits_for_room_as_well(void **state)
{
    struct buf expected;
    (void)state;
    buf_init(&expected, HEARD_MAX);
    assert_true(begin_with(OUTLET_PIPE));
    fill(&expected);
    says(0, "last words\n");
    int waiting = bytes_waiting(0);
    output_drain(&t.streams[0], true);
    assert_int_equal(bytes_waiting(0), waiting);
    expect_line(&expected, 0, "last words", 10);
    hear(true);
    await_heard(expected.data, expected.len);
    buf_done(&expected);
}

static void a_drain_takes_all_that_is_there(void **state)
{
    enum { BIG = 1 << 18 };
    static char text[BIG];
    struct buf expected;
    (void)state;
    memset(text, 'x', sizeof text);
    buf_init(&expected, HEARD_MAX);
    for (size_t at = 0; at < BIG; at += 1024) {
        text[at + 1023] = '\n';
        expect_line(&expected, 0, text + at, 1023);
    }
    int fd = memfd_create("out", MFD_CLOEXEC);
    int reader = dup(fd);
    begin_with_file(fd);
    if (fcntl(t.streams[0].write_fd, F_SETPIPE_SZ, BIG) < BIG) {
        close(reader);
        buf_done(&expected);
        skip();
    }
    say(0, text, sizeof text);
    output_drain(&t.streams[0], true);
    assert_int_equal(bytes_waiting(0), 0);
    assert_int_equal(lseek(reader, 0, SEEK_END), expected.len);
    char *got = malloc(expected.len);
    assert_int_equal(pread(reader, got, expected.len, 0), expected.len);
    assert_memory_equal(got, expected.data, expected.len);
    free(got);
    close(reader);
    buf_done(&expected);
}

static void a_regular_file_is_written_at_once(void **state)
{
    char text[256];
    (void)state;
    rig_dir();
    rig_write_file("out", "before\n");
    char path[RIG_PATH_MAX];
    begin_with_file(open(rig_path("out", path), O_WRONLY | O_APPEND | O_CLOEXEC));
    assert_false(t.out.can_wait);
    assert_false(t.out.own_fd);
    says(0, "one\n");
    output_drain(&t.streams[0], false);
    says(1, "two");
    output_close(&t.streams[1]);
    assert_true(rig_read_file("out", text, sizeof text) > 0);
    assert_string_equal(text, "before\na     | one\nweb.2 | two\n");
    assert_false(is_stalled());
    assert_int_equal(rig_turns(3), 0);
}

static void what_cannot_be_written_is_counted_and_said_once(void **state)
{
    (void)state;
    for (enum outlet kind = OUTLET_PIPE; kind <= OUTLET_SOCKET; kind++) {
        assert_true(begin_with(kind));
        rig_catch_log(LOG_LEVEL_INFO);
        hear(false);
        close(t.listen_fd);
        t.listen_fd = -1;
        for (int i = 0; i < 3; i++) {
            says(0, "gone\n");
            output_drain(&t.streams[0], false);
        }
        assert_int_equal(t.out.n_dropped, 3 * strlen("a     | gone\n"));
        assert_int_equal(rig_count(rig_log(), "standard output: Broken pipe"), 1);
        assert_int_equal(rig_count(rig_log(), "\n"), 1);
        assert_false(is_stalled());
        assert_int_equal(rig_turns(5), 0);
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
        close(rig.log_fd[0]);
        close(rig.log_fd[1]);
        rig.log_fd[0] = rig.log_fd[1] = -1;
        finish();
        rig_restore();
    }
}

static void a_reader_that_goes_while_we_wait_frees_the_streams(void **state)
{
    (void)state;
    for (enum outlet kind = OUTLET_PIPE; kind <= OUTLET_SOCKET; kind++) {
        struct buf expected;
        buf_init(&expected, HEARD_MAX);
        assert_true(begin_with(kind));
        log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
        fill(&expected);
        size_t pending = t.out.pending.len;
        close(t.listen_fd);
        t.listen_fd = -1;
        rig_turns(1);
        assert_false(is_stalled());
        assert_int_equal(t.out.n_dropped, pending);
        for (size_t i = 0; i < STREAMS; i++)
            assert_true(ev_is_active(&t.streams[i].readable));
        assert_int_equal(rig_turns(5), 0);
        buf_done(&expected);
        finish();
        rig_restore();
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
    }
}

static void each_spell_of_failures_is_said(void **state)
{
    static const char *const paths[] = {"/dev/full", "/dev/null", "/dev/full", "/dev/full", "/dev/null"};
    static const size_t said[] = {1, 1, 2, 2, 2};
    (void)state;
    begin_with_file(open(paths[0], O_WRONLY | O_CLOEXEC));
    rig_catch_log(LOG_LEVEL_INFO);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        rig_replace(STDOUT_FILENO, open(paths[i], O_WRONLY | O_CLOEXEC));
        says(0, "x\n");
        output_drain(&t.streams[0], false);
        assert_int_equal(rig_count(rig_log(), "No space left"), said[i]);
    }
    assert_int_equal(t.out.n_dropped, 3 * strlen("a     | x\n"));
}

static void a_closed_output_is_one_more_failure(void **state)
{
    (void)state;
    begin_with_file(open("/dev/null", O_WRONLY | O_CLOEXEC));
    rig_catch_log(LOG_LEVEL_INFO);
    /* The streams are open, so that none of them becomes descriptor 1. */
    close(STDOUT_FILENO);
    says(0, "x\n");
    rig_turns(3);
    assert_int_equal(rig_count(rig_log(), "standard output: Bad file descriptor"), 1);
    assert_int_equal(t.out.n_dropped, strlen("a     | x\n"));
    assert_false(is_stalled());
    rig_replace(STDOUT_FILENO, open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void an_output_closed_from_the_start_is_no_reason_to_fail(void **state)
{
    struct output out;
    (void)state;
    rig_replace(STDOUT_FILENO, open("/dev/null", O_WRONLY | O_CLOEXEC));
    close(STDOUT_FILENO);
    output_init(&out, rig.loop);
    bool can_wait = out.can_wait, own_fd = out.own_fd;
    output_done(&out);
    rig_restore();
    assert_false(can_wait);
    assert_false(own_fd);
}

static void a_closed_stream_is_left_alone(void **state)
{
    struct output_stream s = {.read_fd = -1, .write_fd = -1};
    (void)state;
    assert_true(begin_with(OUTLET_PIPE));
    output_close(&s);
    output_drain(&s, true);
    output_close(&t.streams[0]);
    output_close(&t.streams[0]);
    assert_int_equal(t.streams[0].read_fd, -1);
    assert_int_equal(t.streams[0].write_fd, -1);
    says(1, "still here\n");
    await_text("web.2 | still here\n");
}

static void without_descriptors_a_stream_does_not_open(void **state)
{
    (void)state;
    assert_true(begin_with(OUTLET_PIPE));
    struct output_stream s = {.read_fd = -1, .write_fd = -1};
    struct err e = {0};
    int n = rig_fds();
    /* None at all, and one where two are needed. */
    for (rlim_t more = 0; more < 2; more++) {
        int highest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        close(highest);
        rlim_t before = rig_limit_fds((rlim_t)highest + more);
        bool ok = output_open(&t.out, &s, "late", &e);
        rig_limit_fds(before);
        assert_false(ok);
        assert_int_equal(e.errnum, EMFILE);
        assert_int_equal(s.read_fd, -1);
        assert_int_equal(rig_fds(), n);
    }
    says(1, "unharmed\n");
    await_text("web.2 | unharmed\n");
}

static void done_writes_what_fits_and_lets_go(void **state)
{
    struct buf expected;
    (void)state;
    buf_init(&expected, HEARD_MAX);
    assert_true(begin_with(OUTLET_PIPE));
    fill(&expected);
    /* The pipe is emptied behind the loop's back; done must use the room. */
    hear(true);
    ev_io_stop(rig.loop, &t.ear);
    char chunk[CHUNK];
    ssize_t n;
    while ((n = read(t.listen_fd, chunk, sizeof chunk)) > 0)
        buf_add(&t.heard, chunk, (size_t)n);
    for (size_t i = 0; i < STREAMS; i++)
        output_close(&t.streams[i]);
    output_done(&t.out);
    t.is_open = false;
    n = read(t.listen_fd, chunk, sizeof chunk);
    assert_true(n > 0);
    buf_add(&t.heard, chunk, (size_t)n);
    assert_true(t.heard.len <= expected.len);
    assert_memory_equal(t.heard.data, expected.data, t.heard.len);
    assert_int_equal(rig_turns(5), 0);
    buf_done(&expected);
}

/* One stream's share of a random conversation. */
struct talk {
    struct buf text;     /* all that it says */
    size_t at;           /* said so far */
    struct buf expected; /* what must be heard of it */
    size_t heard;        /* compared so far */
};

static void talk_make(struct talk *k, size_t stream, uint64_t *seed)
{
    buf_init(&k->text, HEARD_MAX);
    buf_init(&k->expected, HEARD_MAX);
    k->at = k->heard = 0;
    for (int i = 0; i < 150; i++) {
        size_t len = test_rand_below(seed, test_rand_below(seed, 20) == 0 ? 40000 : 300);
        size_t from = k->text.len;
        for (size_t n = 0; n < len; n++)
            buf_putc(&k->text, (char)('a' + test_rand_below(seed, 26)));
        expect_line(&k->expected, stream, buf_str(&k->text) + from, len);
        buf_putc(&k->text, '\n');
    }
}

static void talk_on(struct talk *k, size_t stream, uint64_t *seed)
{
    size_t len = 1 + test_rand_below(seed, 9000);
    if (len > k->text.len - k->at)
        len = k->text.len - k->at;
    ssize_t n = write(t.streams[stream].write_fd, k->text.data + k->at, len);
    if (n > 0)
        k->at += (size_t)n;
}

/* Each heard line is the next one of the stream that it names. */
static void assert_heard(struct talk *talks)
{
    size_t at = 0;
    while (at < t.heard.len) {
        size_t stream = memcmp(t.heard.data + at, names[1], WIDTH) == 0;
        char *end = memchr(t.heard.data + at, '\n', t.heard.len - at);
        assert_non_null(end);
        size_t len = (size_t)(end + 1 - (t.heard.data + at));
        struct talk *k = &talks[stream];
        assert_true(len <= k->expected.len - k->heard);
        assert_memory_equal(t.heard.data + at, k->expected.data + k->heard, len);
        k->heard += len;
        at += len;
    }
    for (size_t i = 0; i < STREAMS; i++)
        assert_int_equal(talks[i].heard, talks[i].expected.len);
}

static void nothing_is_lost_whoever_is_slow(void **state)
{
    uint64_t seed = test_seed();
    (void)state;
    for (enum outlet kind = 0; kind < OUTLET_N; kind++) {
        struct talk talks[STREAMS];
        if (!begin_with(kind))
            continue;
        t.wanted = 0;
        for (size_t i = 0; i < STREAMS; i++) {
            talk_make(&talks[i], i, &seed);
            t.wanted += talks[i].expected.len;
            assert_int_equal(fcntl(t.streams[i].write_fd, F_SETFL, O_NONBLOCK), 0);
        }
        while (talks[0].at < talks[0].text.len || talks[1].at < talks[1].text.len) {
            size_t stream = test_rand_below(&seed, STREAMS);
            talk_on(&talks[stream], stream, &seed);
            hear(test_rand_below(&seed, 3) > 0);
            rig_turns((int)test_rand_below(&seed, 4));
            if (test_rand_below(&seed, 16) == 0)
                output_drain(&t.streams[stream], false);
        }
        hear(true);
        rig_run_until(is_heard, NULL);
        assert_int_equal(t.heard.len, t.wanted);
        assert_int_equal(t.out.n_dropped, 0);
        assert_heard(talks);
        for (size_t i = 0; i < STREAMS; i++) {
            buf_done(&talks[i].text);
            buf_done(&talks[i].expected);
        }
        finish();
        rig_restore();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(names_are_aligned),
        TEST(lines_are_put_together),
        TEST(a_partial_line_waits_for_its_end),
        TEST(nul_bytes_pass),
        TEST(long_lines_are_cut),
        TEST(our_descriptors_are_right),
        TEST(a_stalled_reader_holds_everybody_and_loses_nothing),
        TEST(a_stream_that_is_opened_meanwhile_is_held_too),
        TEST(a_drain_waits_for_room_as_well),
        TEST(a_drain_takes_all_that_is_there),
        TEST(a_regular_file_is_written_at_once),
        TEST(what_cannot_be_written_is_counted_and_said_once),
        TEST(a_reader_that_goes_while_we_wait_frees_the_streams),
        TEST(each_spell_of_failures_is_said),
        TEST(a_closed_output_is_one_more_failure),
        TEST(an_output_closed_from_the_start_is_no_reason_to_fail),
        TEST(a_closed_stream_is_left_alone),
        TEST(without_descriptors_a_stream_does_not_open),
        TEST(done_writes_what_fits_and_lets_go),
        TEST(nothing_is_lost_whoever_is_slow),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
