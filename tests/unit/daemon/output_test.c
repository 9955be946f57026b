/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What services write: lines, where they are cut, whose they are; and outputs that are files, fail or are closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/outlet.h"

#include <sys/mman.h>

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
        TEST(a_drain_takes_all_that_is_there),
        TEST(a_regular_file_is_written_at_once),
        TEST(what_cannot_be_written_is_counted_and_said_once),
        TEST(each_spell_of_failures_is_said),
        TEST(a_closed_output_is_one_more_failure),
        TEST(an_output_closed_from_the_start_is_no_reason_to_fail),
        TEST(a_closed_stream_is_left_alone),
        TEST(without_descriptors_a_stream_does_not_open),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
