/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * While our own output is full nothing is lost, nothing blocks and nothing spins, whatever it is: a pipe, a pipe
 * of somebody else, a socket, a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/seed.h"
#include "unit/daemon/outlet.h"

/* A line of 1,000 bytes that tells its number. */
static size_t numbered_line(char *line, unsigned number)
{
    snprintf(line, 12, "%010u ", number);
    memset(line + 11, 'x', 988);
    line[999] = '\n';
    return 1000;
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
        TEST(a_stalled_reader_holds_everybody_and_loses_nothing),
        TEST(a_stream_that_is_opened_meanwhile_is_held_too),
        TEST(a_drain_waits_for_room_as_well),
        TEST(a_reader_that_goes_while_we_wait_frees_the_streams),
        TEST(done_writes_what_fits_and_lets_go),
        TEST(nothing_is_lost_whoever_is_slow),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
