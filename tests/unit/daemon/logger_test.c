/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * When a logger that has died is replaced: at once if it has moved anything, be it that it has only written out what
 * the one before had taken in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/bench.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { LINES = 1000, GUARD_MS = 60000, PIPE_SIZE = 4096 };

/** Our standard output, while that is a pipe. */
static int out_fd;

/** Where syslog listens. */
static int syslog_fd;

void engine_post(struct engine *g, const struct event *ev)
{
    (void)g;
    (void)ev;
}

static int begin(void **state)
{
    out_fd = syslog_fd = -1;
    if (bench_begin(state) != 0)
        return -1;
    rig_dir();
    return 0;
}

static int end(void **state)
{
    sys_close_fd(&out_fd);
    sys_close_fd(&syslog_fd);
    return bench_end(state);
}

/** One way for output to go: nothing goes at first, then everything. */
struct way {
    enum spec_log_driver driver;
    void (*block)(void);   /**< before there is a logger */
    void (*hamper)(void);  /**< the first logger */
    void (*unblock)(void); /**< before the second one is there */
    void (*await)(void);   /**< something has come out */
};

static void nothing(void)
{
}

static void fill_pipe(void)
{
    static char junk[PIPE_SIZE];
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE);
    assert_int_equal(write(fds[1], junk, sizeof junk), sizeof junk);
    out_fd = fds[0];
    rig_replace(STDOUT_FILENO, fds[1]);
}

static void drain_pipe(void)
{
    static char got[PIPE_SIZE];
    for (ssize_t left = PIPE_SIZE; left > 0;) {
        ssize_t n = read(out_fd, got, (size_t)left);
        assert_true(n > 0);
        left -= n;
    }
}

static void await_pipe(void)
{
    struct pollfd p = {.fd = out_fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, GUARD_MS), 1);
}

static void forbid_files(void)
{
    const struct rlimit none = {0};
    assert_int_equal(prlimit(bench.logger.pid, RLIMIT_FSIZE, &none, NULL), 0);
}

static void await_file(void)
{
    static char text[LINES * 8];
    bench_sync(0);
    assert_true(rig_read_file("log", text, sizeof text) > 0);
}

static void listen_to_syslog(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[RIG_PATH_MAX];
    snprintf(a.sun_path, sizeof a.sun_path, "%.*s", (int)sizeof a.sun_path - 1, rig_path("log", path));
    syslog_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(syslog_fd, (const struct sockaddr *)&a, sizeof a), 0);
}

static void await_syslog(void)
{
    struct pollfd p = {.fd = syslog_fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, GUARD_MS), 1);
}

/** Kills the logger; the host learns of it. */
static void logger_dies(void)
{
    pid_t pid = bench.logger.pid;
    assert_int_equal(kill(pid, SIGKILL), 0);
    logger_host_died(&bench.logger, rig_reap(pid));
    logger_host_replace(&bench.logger);
}

static void writing_is_of_use(const struct way *w)
{
    struct err e = {0};
    char path[RIG_PATH_MAX];
    struct spec_log *log = &bench_specs[0].log[SPEC_STREAM_OUT];
    *log = (struct spec_log){.driver = w->driver, .file_mode = 0600, .tag = "web"};
    log->path = log->address = rig_path("log", path);
    w->block();
    assert_true(output_open(&bench_units[0], true, &e));
    w->hamper();
    for (int i = 0; i < LINES; i++)
        assert_int_equal(write(output_fd(&bench_units[0], SPEC_STREAM_OUT), "a line\n", 7), 7);
    bench_sync(0);
    bench_stop_logger();
    uint64_t taken = bench.logger.shared->n_taken;
    assert_int_equal(taken, 7 * LINES);
    w->unblock();
    logger_dies();
    assert_true(bench.logger.pid > 0);
    w->await();
    bench_sync(0);
    logger_dies();
    assert_int_equal(bench.logger.shared->n_taken, taken);
    assert_false(ev_is_active(&bench.logger.retry));
    assert_true(bench.logger.pid > 0);
}

static void to_standard_output(void **state)
{
    static const struct way way = {SPEC_LOG_STDOUT, fill_pipe, nothing, drain_pipe, await_pipe};
    (void)state;
    writing_is_of_use(&way);
}

static void to_a_file(void **state)
{
    static const struct way way = {SPEC_LOG_FILE, nothing, forbid_files, nothing, await_file};
    (void)state;
    writing_is_of_use(&way);
}

static void to_syslog(void **state)
{
    static const struct way way = {SPEC_LOG_SYSLOG, nothing, nothing, listen_to_syslog, await_syslog};
    (void)state;
    writing_is_of_use(&way);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {TEST(to_standard_output), TEST(to_a_file), TEST(to_syslog)};

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
