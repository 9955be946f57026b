/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A whole logger, and standard output: lines of several streams, back-pressure, and that it may be killed at any
 * moment.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/logger/rig.h"

#include "support/seed.h"

#include <sys/resource.h>
#include <sysexits.h>

enum { RING = 65536, KILLS = 60, BLOCK = 65536 };

static const struct spec_log to_stdout = {.driver = SPEC_LOG_STDOUT};

static struct rig rig;

/** What has come out of standard output. */
static struct {
    int fd;
    char *data;
    size_t len, cap;
} out;

static void out_open(void)
{
    int fds[2];
    assert_int_equal(sys_pipe(fds, 0), 0);
    out.fd = fds[0];
    rig.stdout_fd = fds[1];
    out.len = 0;
}

/* Reads once; false at the end. */
static bool out_read(void)
{
    if (out.cap - out.len < BLOCK) {
        out.cap = out.cap * 2 + 2 * BLOCK;
        out.data = realloc(out.data, out.cap);
        assert_non_null(out.data);
    }
    ssize_t n = read(out.fd, out.data + out.len, out.cap - out.len - 1);
    assert_true(n >= 0);
    out.len += (size_t)n;
    out.data[out.len] = '\0';
    return n > 0;
}

static bool out_is_readable(int timeout_ms)
{
    struct pollfd p = {.fd = out.fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

/* Reads until LEN bytes are there. */
static void out_await(size_t len)
{
    while (out.len < len) {
        assert_true(out_is_readable(RIG_GUARD_MS));
        assert_true(out_read());
    }
}

static void out_close(void)
{
    close(rig.stdout_fd);
    while (out_read()) {
        /* To the end. */
    }
    close(out.fd);
}

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    out_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_done(&rig);
    return 0;
}

static void say(const struct rig_stream *s, const char *text)
{
    assert_int_equal(write(s->write_fd, text, strlen(text)), strlen(text));
}

static void test_lines_have_names(void **state)
{
    (void)state;
    rig.width = 5;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING), *web = rig_add(&rig, "web.2", &to_stdout, RING);
    rig_start(&rig);
    say(a, "one\ntwo\n");
    rig_sync(&rig, a);
    say(web, "three\nfo");
    rig_sync(&rig, web);
    say(web, "ur\n\n");
    rig_sync(&rig, web);
    rig_finish(&rig);
    out_close();
    assert_string_equal(out.data, "a     | one\na     | two\nweb.2 | three\nweb.2 | fo\nweb.2 + ur\nweb.2 | \n");
    assert_int_equal(a->ring.head->lost_bytes + web->ring.head->lost_bytes, 0);
}

/* Without anybody asking: a line that has an end at once, the beginning of one after a while. */
static void test_lines_come_by_themselves(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    say(a, "one\n");
    out_await(strlen("a | one\n"));
    say(a, "password: ");
    out_await(strlen("a | one\na | password: \n"));
    assert_string_equal(out.data, "a | one\na | password: \n");
    rig_finish(&rig);
    out_close();
}

static void test_long_lines_come_in_pieces(void **state)
{
    (void)state;
    static char line[3 * LOGLINE_MAX];
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    assert_int_equal(write(a->write_fd, line, sizeof line), sizeof line);
    size_t wanted = sizeof line + 3 * strlen("a | ") + 2;
    out_await(wanted);
    rig_finish(&rig);
    out_close();
    assert_int_equal(out.len, wanted);
    assert_memory_equal(out.data, "a | xxx", 7);
    for (size_t i = 1; i < 3; i++)
        assert_memory_equal(out.data + i * (LOGLINE_MAX + 5) - 1, "\na + xxx", 8);
}

/* A stream that is added, changed, and let go while others go on. */
static void test_streams_come_and_go(void **state)
{
    (void)state;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    size_t size = 16384, head = logring_head_bytes(size, ring_page());
    int ring_fd = ring_create(head, size), fds[2];
    assert_true(ring_fd >= 0);
    assert_int_equal(sys_pipe(fds, 0), 0);
    const struct spec_log json = {.driver = SPEC_LOG_STDOUT, .format = SPEC_LOG_JSON};
    const struct message open = {
        .kind = MESSAGE_OPEN,
        .id = 99,
        .stream = {.id = 99, .name = "b", .service = "b", .log = &json, .ring_size = size},
        .fds = {fds[0], ring_fd},
    };
    rig_send(&rig, &open);
    assert_int_equal(write(fds[1], "to b\n", 5), 5);
    const struct message close_b = {.kind = MESSAGE_CLOSE, .id = 99, .fds = {-1, -1}};
    rig_send(&rig, &close_b);
    assert_int_equal(rig_await(&rig, MESSAGE_CLOSED)->id, 99);
    close(fds[0]);
    close(fds[1]);
    close(ring_fd);
    say(a, "to a\n");
    rig_finish(&rig);
    out_close();
    assert_non_null(strstr(out.data, "\"service\":\"b\",\"stream\":\"stdout\",\"message\":\"to b\"}\na | to a\n"));
}

/* Nobody would ever read a stream whose descriptors were refused: the logger ends, and the next one inherits them. */
static void test_no_descriptors_for_a_stream(void **state)
{
    (void)state;
    const struct rlimit few = {.rlim_cur = 3, .rlim_max = 3};
    int status, r;
    const struct rig_stream *a = rig_add(&rig, "a", &to_stdout, RING);
    rig_start(&rig);
    (void)rig_await(&rig, MESSAGE_UP);
    assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, &few, NULL), 0);
    const struct rig_stream *b = rig_add(&rig, "b", &to_stdout, RING);
    const struct message open = {
        .kind = MESSAGE_OPEN, .id = b->d.id, .stream = b->d, .fds = {b->d.pipe_fd, rig.stdout_fd}};
    const struct message sync = {.kind = MESSAGE_SYNC, .id = a->d.id, .seq = 1, .fds = {-1, -1}};
    rig_stop(&rig);
    rig_send(&rig, &open);
    rig_send(&rig, &sync);
    rig_go_on(&rig);
    do {
        struct pollfd p = {.fd = rig.sock, .events = POLLIN};
        assert_int_equal(poll(&p, 1, RIG_GUARD_MS), 1);
        r = message_receive(rig.sock, &rig.in);
        assert_true(r < 1 || rig.in.m.kind != MESSAGE_SYNCED);
    } while (r == 1);
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EX_OSERR);
    close(rig.sock);
    say(b, "to b\n");
    rig_start(&rig);
    rig_finish(&rig);
    out_close();
    assert_string_equal(out.data, "b | to b\n");
}

/* Fills the pipe of S with lines until nobody takes more: then the service would wait. Returns how many bytes those
 * were. */
static size_t fill(const struct rig_stream *s)
{
    size_t n = 0;
    struct pollfd p = {.fd = s->write_fd, .events = POLLOUT};
    for (;;) {
        rig_sync(&rig, s);
        if (poll(&p, 1, 0) == 0)
            return n;
        char line[128];
        int len = snprintf(line, sizeof line, "%0100zu\n", n);
        assert_int_equal(write(s->write_fd, line, (size_t)len), len);
        n += (size_t)len;
    }
}

static void test_a_reader_that_stops(void **state)
{
    (void)state;
    struct spec_log drop = to_stdout;
    drop.mode = SPEC_LOG_DROP;
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, 4096), *b = rig_add(&rig, "b", &drop, 4096);
    rig_start(&rig);
    size_t n = fill(a);
    assert_int_equal(a->ring.head->trouble, LOGRING_FULL);
    /* The other does not wait for anybody, and what is dropped is counted. */
    char line[128];
    size_t written = 0;
    for (int i = 0; i < 5000; i++) {
        int len = snprintf(line, sizeof line, "b%080d\n", i);
        assert_int_equal(write(b->write_fd, line, (size_t)len), len);
        written += (size_t)len;
        if (i % 100 == 0)
            rig_sync(&rig, b);
    }
    rig_sync(&rig, b);
    assert_true(b->ring.head->lost_bytes > written / 2);
    assert_int_equal(a->ring.head->lost_bytes, 0);
    /* Nothing turns while everybody waits. */
    while (out_is_readable(0))
        (void)out_read();
    while (logring_pending(&a->ring) > 0 || logring_pending(&b->ring) > 0) {
        assert_true(out_is_readable(RIG_GUARD_MS));
        (void)out_read();
    }
    int status;
    for (size_t i = 0; i < rig.n; i++) {
        const struct message m = {.kind = MESSAGE_CLOSE, .id = rig.streams[i].d.id, .fds = {-1, -1}};
        rig_send(&rig, &m);
    }
    close(rig.sock);
    rig.sock = -1;
    close(rig.stdout_fd);
    while (out_read()) {
        /* To the end: the logger goes when all is out. */
    }
    close(out.fd);
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    rig.pid = 0;
    /* All of a's, in order; of b's as many as were not dropped, and a line that says how many those are. */
    size_t got = 0, lost_lines = 0, lost_bytes = 0, b_lines = 0;
    for (char *at = strtok(out.data, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        if (strncmp(at, "a | ", 4) == 0) {
            snprintf(line, sizeof line, "%0100zu", got);
            assert_string_equal(at + 4, line);
            got += strlen(at + 4) + 1;
        } else if (strncmp(at, "b | [", 5) == 0) {
            size_t l = 0, m = 0;
            assert_int_equal(sscanf(at, "b | [foster: %zu lines (%zu bytes) were dropped here]", &l, &m), 2);
            lost_lines += l;
            lost_bytes += m;
        } else {
            assert_memory_equal(at, "b | b0", 6);
            b_lines++;
        }
    }
    assert_int_equal(got, n);
    assert_int_equal(b_lines + lost_lines, 5000);
    assert_int_equal(lost_bytes, b->ring.head->lost_bytes);
}

/* Has the logger take in what there is of S, without waiting for the ends of lines. */
static void take_in(const struct rig_stream *s)
{
    static uint64_t seq = UINT64_C(1) << 32;
    const struct message m = {.kind = MESSAGE_TAKE, .id = s->d.id, .seq = ++seq, .fds = {-1, -1}};
    rig_send(&rig, &m);
    assert_int_equal(rig_await(&rig, MESSAGE_SYNCED)->seq, seq);
}

/* The ring has no room for the end of the line: its beginning does not wait for that, and is not dropped. */
static void test_a_line_longer_than_the_ring(void **state)
{
    (void)state;
    static char line[4096];
    struct spec_log drop = to_stdout;
    drop.mode = SPEC_LOG_DROP;
    memset(line, 'x', sizeof line);
    struct rig_stream *a = rig_add(&rig, "a", &to_stdout, sizeof line), *b = rig_add(&rig, "b", &drop, sizeof line);
    rig_start(&rig);
    struct rig_stream *const streams[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        struct rig_stream *s = streams[i];
        assert_int_equal(write(s->write_fd, line, sizeof line), sizeof line);
        take_in(s);
        assert_int_equal(s->ring.head->sent, sizeof line);
        say(s, "y\n");
        take_in(s);
        assert_int_equal(s->ring.head->sent, sizeof line + 2);
        assert_int_equal(s->ring.head->lost_bytes, 0);
    }
    rig_finish(&rig);
    out_close();
    assert_non_null(strstr(out.data, "xxx\na + y\nb | xxx"));
}

/* More comes at once than the ring holds, and the reader takes it: nothing is dropped. */
static void test_a_burst_is_not_dropped(void **state)
{
    (void)state;
    enum { LINES = 300 };
    struct spec_log drop = to_stdout;
    drop.mode = SPEC_LOG_DROP;
    struct rig_stream *a = rig_add(&rig, "a", &drop, 4096);
    char line[128];
    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%099d\n", i);
        say(a, line);
    }
    rig_start(&rig);
    take_in(a);
    assert_int_equal(a->ring.head->lost_bytes, 0);
    rig_finish(&rig);
    out_close();
    assert_int_equal(out.len, LINES * (strlen("a | ") + 100));
}

/* A process of its own that writes N numbered lines to each of two streams. */
static pid_t start_writer(size_t n)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    for (size_t i = 0; i < n; i++) {
        char line[64];
        for (size_t k = 0; k < rig.n; k++) {
            int len =
                snprintf(line, sizeof line, "%zu %.*s\n", i, (int)(i % 40), "abcdefghijklmnopqrstuvwxyzabcdefghijklmn");
            if (write(rig.streams[k].write_fd, line, (size_t)len) != len)
                _exit(1);
        }
    }
    _exit(0);
}

/* Kills loggers at random moments while lines go through them. */
static void test_killed_at_any_moment(void **state)
{
    (void)state;
    enum { LINES = 60000 };
    uint64_t seed = test_seed();
    rig_add(&rig, "a", &to_stdout, RING);
    rig_add(&rig, "b", &to_stdout, 4096);
    rig_start(&rig);
    pid_t writer = start_writer(LINES);
    int kills = 0, status;
    for (uint64_t next = 0; kills < KILLS;) {
        if (!out_is_readable(RIG_GUARD_MS))
            fail_msg("nothing comes any more");
        assert_true(out_read());
        if (out.len < next)
            continue;
        rig_kill(&rig);
        rig_start(&rig);
        kills++;
        next = out.len + test_rand_below(&seed, BLOCK);
        if (waitpid(writer, &status, WNOHANG) == writer)
            writer = 0;
        if (writer == 0)
            break;
    }
    if (writer != 0) {
        while (waitpid(writer, &status, WNOHANG) == 0)
            if (out_is_readable(10))
                assert_true(out_read());
    }
    assert_int_equal(status, 0);
    for (size_t i = 0; i < rig.n; i++) {
        const struct message m = {.kind = MESSAGE_CLOSE, .id = rig.streams[i].d.id, .fds = {-1, -1}};
        rig_send(&rig, &m);
        rig.streams[i].d.closing = true;
    }
    close(rig.sock);
    rig.sock = -1;
    out_close();
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    rig.pid = 0;
    assert_true(kills > 10);
    size_t seen[2] = {0};
    for (char *at = strtok(out.data, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        char line[64];
        size_t k = at[0] == 'b';
        snprintf(line, sizeof line, "%c | %zu %.*s", k ? 'b' : 'a', seen[k], (int)(seen[k] % 40),
                 "abcdefghijklmnopqrstuvwxyzabcdefghijklmn");
        assert_string_equal(at, line);
        seen[k]++;
    }
    assert_int_equal(seen[0], LINES);
    assert_int_equal(seen[1], LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_have_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_come_by_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines_come_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_descriptors_for_a_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_that_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_longer_than_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_burst_is_not_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_any_moment, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
