/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The sinks: that nothing blocks on or dies of a full, closed or failing descriptor, and that what was
 * dropped is told. A test that blocks hangs here; SIGPIPE keeps its deadly default on purpose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_MAX = 1 << 20 };

static char got[READ_MAX];

/* What can be read from FD now, as a string. */
static const char *drain(int fd)
{
    size_t len = 0;
    ssize_t n;

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (len < sizeof(got) - 1 && (n = read(fd, got + len, sizeof(got) - 1 - len)) > 0)
        len += (size_t)n;
    got[len] = '\0';
    return got;
}

static void make_pipe(int fds[2])
{
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

static void close_both(const int fds[2])
{
    if (fds[0] >= 0)
        close(fds[0]);
    close(fds[1]);
}

/* Leaves the log without a dropped message that was not told, and on a sink that takes everything. */
static int reset(void **state)
{
    static int null_fd = -1;

    (void)state;
    if (null_fd < 0)
        null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, null_fd);
    log_info("reset");
    return 0;
}

/* Runs first: nothing has called log_setup() yet. */
static void before_setup_it_writes_to_descriptor_2(void **state)
{
    int fds[2], saved = dup(2);

    (void)state;
    make_pipe(fds);
    assert_int_equal(log_threshold(), LOG_LEVEL_INFO);
    assert_int_equal(dup2(fds[1], 2), 2);
    log_info("hello");
    log_debug("unseen");
    dup2(saved, 2);
    close(saved);
    assert_string_equal(drain(fds[0]), "fosterd: hello\n");
    close_both(fds);
}

static void threshold_discards(void **state)
{
    static const struct {
        enum log_level level;
        const char *expected;
    } cases[] = {
        {LOG_LEVEL_ERROR, "fosterd: error: e1\n"},
        {LOG_LEVEL_WARN, "fosterd: error: e1\nfosterd: warning: w2\n"},
        {LOG_LEVEL_INFO, "fosterd: error: e1\nfosterd: warning: w2\nfosterd: i3\n"},
        {LOG_LEVEL_DEBUG, "fosterd: error: e1\nfosterd: warning: w2\nfosterd: i3\nfosterd: d4\n"},
    };
    int fds[2];

    (void)state;
    make_pipe(fds);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        log_setup(cases[i].level, LOG_FORMAT_TEXT, fds[1]);
        assert_int_equal(log_threshold(), cases[i].level);
        log_err("e%d", 1);
        log_warn("w%d", 2);
        log_info("i%d", 3);
        log_debug("d%d", 4);
        assert_string_equal(drain(fds[0]), cases[i].expected);
    }
    close_both(fds);
}

static void formats(void **state)
{
    const struct log_about about = {.service = "web", .pid = 12};
    int fds[2];

    (void)state;
    make_pipe(fds);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JOURNAL, fds[1]);
    log_write(LOG_LEVEL_WARN, &about, "slow");
    assert_string_equal(drain(fds[0]), "<4>fosterd: web: warning: slow\n");

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, fds[1]);
    log_write(LOG_LEVEL_WARN, &about, "slow");
    drain(fds[0]);
    int year = 0, month = 0, end = 0;
    assert_int_equal(sscanf(got, "{\"ts\":\"%4d-%2d-%*2dT%*2d:%*2d:%*2d.%*6dZ\",%n", &year, &month, &end), 2);
    assert_true(year >= 2024 && month >= 1 && month <= 12);
    assert_string_equal(got + end, "\"level\":\"warn\",\"msg\":\"slow\",\"service\":\"web\",\"pid\":12}\n");
    close_both(fds);
}

static void prefixes_are_of_the_text_form_only(void **state)
{
    static const struct log_prefixes prefixes = {"E ", "W ", "I ", "D "};
    const struct log_about about = {.service = "web"};
    int fds[2];

    (void)state;
    make_pipe(fds);
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, fds[1]);
    log_set_prefixes(&prefixes);
    log_err("e");
    log_warn("w");
    log_write(LOG_LEVEL_INFO, &about, "i");
    log_debug("d");
    assert_string_equal(drain(fds[0]), "E e\nW w\nI web: i\nD d\n");
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JOURNAL, fds[1]);
    log_warn("w");
    assert_string_equal(drain(fds[0]), "<4>fosterd: warning: w\n");
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, fds[1]);
    log_warn("w");
    assert_non_null(strstr(drain(fds[0]), "\"msg\":\"w\""));
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, fds[1]);
    log_set_prefixes(NULL);
    log_warn("w");
    assert_string_equal(drain(fds[0]), "fosterd: warning: w\n");
    close_both(fds);
}

static void errno_is_kept(void **state)
{
    int fds[2];

    (void)state;
    make_pipe(fds);
    errno = EXDEV;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    assert_int_equal(errno, EXDEV);
    log_info("x");
    assert_int_equal(errno, EXDEV);
    log_debug("x");
    assert_int_equal(errno, EXDEV);
    close(fds[0]);
    fds[0] = -1;
    log_info("dropped");
    assert_int_equal(errno, EXDEV);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, -1);
    log_info("dropped");
    assert_int_equal(errno, EXDEV);
    close_both(fds);
}

/* Writes until messages are dropped, reads the sink empty, and expects the loss to be told next. */
static void fill_drop_and_recover(int write_fd, int read_fd)
{
    uint64_t before = log_dropped(), n_written = 0;
    char expected[128];
    size_t n_lines = 0;

    while (log_dropped() == before) {
        log_info("%0100d", 1);
        n_written++;
        assert_true(n_written < 100000);
    }
    n_written--;
    assert_true(n_written > 0);
    log_info("lost too");
    log_info("and this");
    assert_int_equal(log_dropped() - before, 3);

    drain(read_fd);
    for (const char *p = got; (p = strchr(p, '\n')); p++)
        n_lines++;
    assert_int_equal(n_lines, n_written);
    assert_null(strstr(got, "lost"));

    log_info("back");
    log_info("again");
    snprintf(expected, sizeof(expected), "fosterd: warning: 3 messages dropped\nfosterd: back\nfosterd: again\n");
    assert_string_equal(drain(read_fd), expected);
    assert_int_equal(log_dropped() - before, 3);
    assert_int_equal(fcntl(write_fd, F_GETFL) & O_NONBLOCK, 0);
}

static void full_pipe_drops_and_tells(void **state)
{
    int fds[2];

    (void)state;
    make_pipe(fds);
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    fill_drop_and_recover(fds[1], fds[0]);
    close_both(fds);
}

static void full_stream_socket_drops_and_tells(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    fill_drop_and_recover(fds[1], fds[0]);
    close_both(fds);
}

static void full_datagram_socket_drops_and_tells(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    fill_drop_and_recover(fds[1], fds[0]);
    close_both(fds);
}

static void one_dropped_message_is_told_in_the_singular(void **state)
{
    int fds[2];

    (void)state;
    make_pipe(fds);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, -1);
    log_info("lost");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    log_info("kept");
    assert_string_equal(drain(fds[0]), "fosterd: warning: 1 message dropped\nfosterd: kept\n");
    close_both(fds);
}

static void a_loss_told_in_vain_stays_untold(void **state)
{
    int fds[2];

    (void)state;
    make_pipe(fds);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, -1);
    for (int i = 0; i < 5; i++)
        log_info("lost");
    /* Below the threshold nothing is written, so nothing is lost and nothing told. */
    log_debug("unseen");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    log_debug("unseen");
    assert_string_equal(drain(fds[0]), "");
    log_info("kept");
    assert_string_equal(drain(fds[0]), "fosterd: warning: 5 messages dropped\nfosterd: kept\n");
    close_both(fds);
}

static void reader_that_is_gone_kills_nobody(void **state)
{
    uint64_t before = log_dropped();
    int fds[2];

    (void)state;
    make_pipe(fds);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    close(fds[0]);
    fds[0] = -1;
    log_info("to nobody");
    close_both(fds);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    close(fds[0]);
    fds[0] = -1;
    log_info("to nobody");
    close_both(fds);
    assert_int_equal(log_dropped() - before, 2);
}

static void failing_descriptors_drop(void **state)
{
    uint64_t before = log_dropped();
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), unwritable = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int closed = dup(full);

    (void)state;
    assert_true(full >= 0 && unwritable >= 0 && closed >= 0);
    close(closed);
    const int fds[] = {full, unwritable, closed, -1};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[i]);
        /* What an earlier call left there must not be taken for an interrupted write. */
        errno = EINTR;
        log_info("nowhere");
        assert_int_equal(log_dropped() - before, i + 1);
    }
    close(full);
    close(unwritable);
}

static void regular_file_gets_lines(void **state)
{
    char text[256] = "";
    int fd = memfd_create("log", MFD_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fd);
    log_info("one");
    log_info("two");
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "fosterd: one\nfosterd: two\n");
    close(fd);
}

static void line_written_in_part_is_ended_first(void **state)
{
    char text[256] = "";
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct rlimit old, small;

    (void)state;
    assert_true(fd >= 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 20, .rlim_max = old.rlim_max};
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fd);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    log_info("0123456789abcdef");
    log_info("refused");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    log_info("room again");
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "fosterd: 0123456789a\nfosterd: warning: 2 messages dropped\nfosterd: room again\n");
    close(fd);
}

/* Opens a pseudo-terminal: *TERMINAL is its reader's end, the result the end that is written to. */
static int open_terminal(int *terminal)
{
    int fd = -1;

    *terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*terminal >= 0 && grantpt(*terminal) == 0 && unlockpt(*terminal) == 0)
        fd = open(ptsname(*terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        print_message("no pseudo-terminals here\n");
        skip();
    }
    return fd;
}

static void terminal_shows_the_time(void **state)
{
    int terminal, fd = open_terminal(&terminal), end = 0, hour = -1;

    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fd);
    log_info("seen");
    drain(terminal);
    assert_int_equal(sscanf(got, "%2d:%*2d:%*2d %n", &hour, &end), 1);
    assert_true(hour >= 0 && hour < 24);
    assert_string_equal(got + end, "fosterd: seen\r\n");

    /* A journal or JSON reader has its own time. */
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, fd);
    log_info("seen");
    assert_memory_equal(drain(terminal), "{\"ts\":", 6);

    /* Nor has a program that we stand in for. */
    static const struct log_prefixes prefixes = {"E ", "W ", "I ", "D "};
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fd);
    log_set_prefixes(&prefixes);
    log_info("seen");
    log_set_prefixes(NULL);
    assert_string_equal(drain(terminal), "I seen\r\n");
    close(fd);
    close(terminal);
}

static void terminal_that_nobody_reads_drops(void **state)
{
    int terminal, fd = open_terminal(&terminal);
    uint64_t before = log_dropped();

    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fd);
    for (int i = 0; i < 10000 && log_dropped() == before; i++)
        log_info("x");
    assert_true(log_dropped() > before);
    close(fd);
    close(terminal);
}

/* A child that comes upon a bug: it reports it on the log, and dies of it in test builds only. */
static int n_tapped;

static void count_tapped(enum log_level level, const struct log_about *about, const char *text, void *data)
{
    (void)level;
    (void)about;
    (void)text;
    (void)data;
    n_tapped++;
}

static void what_is_held_comes_in_order(void **state)
{
    struct log_about about = {.event = "x"};
    int fds[2];
    size_t n = 0;

    (void)state;
    make_pipe(fds);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    log_set_tap(count_tapped, NULL);
    log_hold();
    log_info("one");
    log_write(LOG_LEVEL_INFO, &about, "two\nlines");
    assert_string_equal(drain(fds[0]), "");
    assert_int_equal(n_tapped, 1);
    log_release();
    assert_string_equal(drain(fds[0]), "fosterd: one\nfosterd: two\\nlines\n");
    log_release();
    log_info("three");
    assert_string_equal(drain(fds[0]), "fosterd: three\n");
    /* With more than there is room for, the older ones do not wait. */
    log_hold();
    while (*drain(fds[0]) == '\0' && n++ < 10000)
        log_info("%01000d", 1);
    assert_in_range(n, 60, 70);
    log_release();
    assert_string_equal(drain(fds[0]) + strlen(got) - 3, "01\n");
    log_set_tap(NULL, NULL);
    close_both(fds);
}

static void bugs_are_reported_and_counted(void **state)
{
    int fds[2], status;
    pid_t pid;

    (void)state;
    make_pipe(fds);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, fds[1]);
    assert_int_equal(BUG_IF(log_bugs() != 0), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int seen = BUG_IF(1 + 1 == 2);
        _exit(seen == 1 && log_bugs() == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
#ifdef FOSTER_ABORT_ON_BUG
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#else
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
    drain(fds[0]);
    assert_int_equal(strncmp(got, "fosterd: error: bug: log_test.c:", 32), 0);
    assert_non_null(strstr(got, ": 1 + 1 == 2\n"));
    assert_int_equal(log_bugs(), 0);
    close_both(fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_setup_it_writes_to_descriptor_2),
        cmocka_unit_test_setup(threshold_discards, reset),
        cmocka_unit_test_setup(formats, reset),
        cmocka_unit_test_setup(prefixes_are_of_the_text_form_only, reset),
        cmocka_unit_test_setup(errno_is_kept, reset),
        cmocka_unit_test_setup(full_pipe_drops_and_tells, reset),
        cmocka_unit_test_setup(full_stream_socket_drops_and_tells, reset),
        cmocka_unit_test_setup(full_datagram_socket_drops_and_tells, reset),
        cmocka_unit_test_setup(one_dropped_message_is_told_in_the_singular, reset),
        cmocka_unit_test_setup(a_loss_told_in_vain_stays_untold, reset),
        cmocka_unit_test_setup(reader_that_is_gone_kills_nobody, reset),
        cmocka_unit_test_setup(failing_descriptors_drop, reset),
        cmocka_unit_test_setup(regular_file_gets_lines, reset),
        cmocka_unit_test_setup(line_written_in_part_is_ended_first, reset),
        cmocka_unit_test_setup(terminal_shows_the_time, reset),
        cmocka_unit_test_setup(terminal_that_nobody_reads_drops, reset),
        cmocka_unit_test_setup(what_is_held_comes_in_order, reset),
        cmocka_unit_test_setup(bugs_are_reported_and_counted, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
