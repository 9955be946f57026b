/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The streams of units and the logger behind them: what it is told, when it dies, when it is stopped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/bench.h"

#include <sys/mman.h>

enum { OUT_MAX = 1 << 20, DEATHS = 100, LINES_A_DEATH = 40 };

/** Our standard output: a file without a name. */
static int out_fd;

static int n_matched;

void engine_post(struct engine *g, const struct event *ev)
{
    (void)g;
    (void)ev;
}

static int begin(void **state)
{
    if (bench_begin(state) != 0)
        return -1;
    out_fd = memfd_create("out", MFD_CLOEXEC);
    n_matched = 0;
    rig_replace(STDOUT_FILENO, dup(out_fd));
    logger_host_set_width(&bench.logger, 3);
    return 0;
}

static int end(void **state)
{
    close(out_fd);
    return bench_end(state);
}

/** What has been written to our standard output. */
static const char *heard(void)
{
    static char text[OUT_MAX];
    ssize_t n = pread(out_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void open_unit(unsigned i)
{
    struct err e = {0};
    assert_true(output_open(&bench_units[i], true, &e));
}

/** Writes TEXT as a process of unit I would. */
static void says(unsigned i, const char *text)
{
    assert_int_equal(write(output_fd(&bench_units[i], SPEC_STREAM_OUT), text, strlen(text)), strlen(text));
}

/** Kills the logger, or waits for its end; the host learns of it. */
static void logger_ends(bool kill_it)
{
    pid_t pid = bench.logger.pid;
    assert_true(pid > 0);
    if (kill_it)
        assert_int_equal(kill(pid, SIGKILL), 0);
    logger_host_died(&bench.logger, rig_reap(pid));
    assert_int_equal(bench.logger.pid, 0);
    logger_host_replace(&bench.logger);
}

static void descriptors_are_right(void **state)
{
    (void)state;
    assert_int_equal(bench.logger.pid, 0);
    open_unit(0);
    assert_true(bench.logger.pid > 0);
    const struct output_stream *s = bench_units[0].out[SPEC_STREAM_OUT];
    assert_int_equal(fcntl(s->read_fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(s->write_fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_RDWR);
    assert_int_equal(fcntl(s->read_fd, F_GETFD) & fcntl(s->write_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    /* The logger inherits the memory. */
    assert_int_equal(s->ring_fd, -1);
    assert_null(bench_units[0].out[SPEC_STREAM_ERR]);
    assert_int_equal(output_fd(&bench_units[0], SPEC_STREAM_ERR), s->write_fd);
}

static void drivers_have_their_descriptors(void **state)
{
    static const struct {
        enum spec_log_driver driver[SPEC_STREAM_N];
        int fd[SPEC_STREAM_N]; /* -2: a pipe */
    } cases[] = {
        {{SPEC_LOG_STDOUT, SPEC_LOG_NONE}, {-2, -1}},
        {{SPEC_LOG_INHERIT, SPEC_LOG_STDOUT}, {1, -2}},
        {{SPEC_LOG_NONE, SPEC_LOG_INHERIT}, {-1, 2}},
        {{SPEC_LOG_STDOUT, SPEC_LOG_STDOUT}, {-2, -2}},
    };
    struct engine_unit *u = &bench_units[0];
    (void)state;
    bench_specs[0].log[SPEC_STREAM_ERR] = bench_specs[0].log[SPEC_STREAM_OUT];
    bench_specs[0].log_split = true;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (enum spec_stream k = 0; k < SPEC_STREAM_N; k++)
            bench_specs[0].log[k].driver = cases[i].driver[k];
        open_unit(0);
        for (enum spec_stream k = 0; k < SPEC_STREAM_N; k++) {
            int expected = cases[i].fd[k] == -2 ? u->out[k]->write_fd : cases[i].fd[k];
            assert_int_equal(output_fd(u, k), expected);
            assert_true((u->out[k] != NULL) == (cases[i].fd[k] == -2));
        }
    }
    assert_int_not_equal(output_fd(u, SPEC_STREAM_OUT), output_fd(u, SPEC_STREAM_ERR));
}

static void lines_come_out_and_runs_begin_with_one(void **state)
{
    (void)state;
    open_unit(0);
    open_unit(1);
    says(0, "one\ntwo");
    bench_sync(0);
    assert_string_equal(heard(), "web | one\nweb | two\n");
    output_begin_run(&bench_units[0]);
    assert_int_equal(output_run_began(&bench_units[0]).at[SPEC_STREAM_OUT], 7);
    says(0, "three\n");
    bench_sync(0);
    says(1, "four\n");
    bench_sync(1);
    assert_string_equal(heard(), "web | one\nweb | two\nweb | three\ndb  | four\n");
    /* Nothing is asked for when nothing is missing. */
    output_sync(&bench_units[0], true);
    assert_int_equal(output_unsettled_until(&bench_units[0]), 0);
}

static bool is_gone(void *data)
{
    (void)data;
    return list_is_empty(&bench.logger.streams);
}

static void what_is_closed_is_drained(void **state)
{
    (void)state;
    open_unit(0);
    says(0, "last words");
    output_close(&bench_units[0]);
    assert_null(bench_units[0].out[SPEC_STREAM_OUT]);
    assert_false(logger_host_leave(&bench.logger));
    rig_run_until(is_gone, NULL);
    assert_string_equal(heard(), "web | last words\n");
    logger_ends(false);
    assert_true(logger_host_leave(&bench.logger));
    assert_string_equal(rig_log(), "");
}

/* Whoever is killed, whenever: each line is there once. */
static void a_hundred_loggers_lose_nothing(void **state)
{
    char line[32];
    int n = 0;
    (void)state;
    open_unit(0);
    for (int i = 0; i < DEATHS; i++) {
        for (int k = 0; k < LINES_A_DEATH; k++) {
            snprintf(line, sizeof line, "%d\n", n++);
            says(0, line);
        }
        logger_ends(true);
        /* One that has moved nothing has a successor later. */
        ev_timer_stop(rig.loop, &bench.logger.retry);
        logger_host_wake(&bench.logger);
    }
    assert_int_equal(bench.logger.n_restarts, DEATHS);
    bench_sync(0);
    const char *at = heard();
    for (int i = 0; i < n; i++) {
        int len = snprintf(line, sizeof line, "web | %d\n", i);
        if (strncmp(at, line, (size_t)len) != 0)
            fail_msg("line %d: %.40s", i, at);
        at += len;
    }
    assert_string_equal(at, "");
    assert_int_equal(rig_count(rig_log(), "the logger was killed by SIGKILL"), DEATHS);
}

static bool is_running(void *data)
{
    (void)data;
    return bench.logger.pid != 0;
}

static void one_that_does_nothing_is_replaced_later(void **state)
{
    (void)state;
    open_unit(0);
    logger_ends(true);
    assert_true(ev_is_active(&bench.logger.retry));
    assert_int_equal(bench.logger.pid, 0);
    says(0, "still here\n");
    rig_run_until(is_running, NULL);
    bench_sync(0);
    assert_string_equal(heard(), "web | still here\n");
}

static void streams_that_were_closing_are_closed_by_the_next_one(void **state)
{
    (void)state;
    open_unit(0);
    says(0, "end");
    bench_stop_logger();
    output_close(&bench_units[0]);
    logger_ends(true);
    rig_run_until(is_gone, NULL);
    assert_string_equal(heard(), "web | end\n");
}

static void settings_change_at_once(void **state)
{
    char path[RIG_PATH_MAX], text[64];
    (void)state;
    rig_dir();
    open_unit(0);
    says(0, "one\n");
    bench_sync(0);
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_FILE;
    bench_specs[0].log[SPEC_STREAM_OUT].path = rig_path("log", path);
    bench_specs[0].log[SPEC_STREAM_OUT].file_mode = 0600;
    output_renew(&bench_units[0]);
    says(0, "two\n");
    bench_sync(0);
    assert_string_equal(heard(), "web | one\n");
    assert_int_equal(rig_read_file("log", text, sizeof text), 4);
    assert_memory_equal(text, "two\n", 4);
}

/** Whether a child of ours that is forked now sees the ring of unit I. */
static bool is_seen_by_child(unsigned i)
{
    void *base = bench_units[i].out[SPEC_STREAM_OUT]->base;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(msync(base, 1, MS_ASYNC) == 0 ? 1 : 2);
    int status = rig_reap(pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    return WEXITSTATUS(status) == 1;
}

static void child_enters_its_number(void **state)
{
    static const enum spec_log_driver drivers[] = {SPEC_LOG_SYSLOG, SPEC_LOG_JOURNALD, SPEC_LOG_STDOUT};
    struct engine_unit *u = &bench_units[0];
    char none[] = "/nonexistent/log";
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        _Atomic pid_t *pids[SPEC_STREAM_N];
        bench_specs[0].log[SPEC_STREAM_OUT].driver = drivers[i];
        bench_specs[0].log[SPEC_STREAM_OUT].address = none;
        open_unit(0);
        output_renew(u);
        output_begin_run(u);
        const struct logring *r = &u->out[SPEC_STREAM_OUT]->ring;
        /* Where nobody is told of it, it takes no system calls. */
        size_t n = output_lend_pids(u, pids);
        assert_int_equal(n, drivers[i] == SPEC_LOG_STDOUT ? 0 : 1);
        assert_int_equal(is_seen_by_child(0), n == 1);
        if (n == 1) {
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0) {
                *pids[0] = getpid();
                _exit(0);
            }
            rig_reap(pid);
            assert_int_equal(logring_pid(r, r->head->end), pid);
        }
        output_end_lending(u);
        assert_false(is_seen_by_child(0));
        u->main_pid = 4321;
        output_renew(u);
        assert_int_equal(logring_pid(r, r->head->end), 4321);
    }
    u->main_pid = 0;
    bench_specs[0].log[SPEC_STREAM_OUT].address = NULL;
}

static void on_match(struct engine_unit *u)
{
    assert_ptr_equal(u, &bench_units[0]);
    n_matched++;
    assert_true(output_match(u, NULL, NULL));
}

static void only_later_lines_match(void **state)
{
    (void)state;
    open_unit(0);
    says(0, "up\n");
    assert_true(output_match(&bench_units[0], "^up$", on_match));
    says(0, "not up\n");
    bench_sync(0);
    assert_int_equal(n_matched, 0);
    says(0, "up\nup\n");
    bench_sync(0);
    bench_sync(0);
    assert_int_equal(n_matched, 1);
    assert_null(bench_units[0].out[SPEC_STREAM_OUT]->match);
}

static bool is_told(void *data)
{
    (void)data;
    return list_is_empty(&bench.logger.unsent);
}

/* What finds no room in the socket is told later, as it is by then. */
static void a_logger_that_is_stopped_holds_nobody_up(void **state)
{
    (void)state;
    open_unit(0);
    bench_sync(0);
    bench_stop_logger();
    while (list_is_empty(&bench.logger.unsent))
        assert_true(output_match(&bench_units[0], "^never$", on_match));
    assert_true(output_match(&bench_units[0], "^up$", on_match));
    open_unit(1);
    says(1, "db\n");
    assert_true(bench_units[1].out[SPEC_STREAM_OUT]->ring_fd >= 0);
    assert_int_equal(kill(bench.logger.pid, SIGCONT), 0);
    rig_run_until(is_told, NULL);
    assert_int_equal(bench_units[1].out[SPEC_STREAM_OUT]->ring_fd, -1);
    says(0, "up\n");
    bench_sync(0);
    bench_sync(1);
    assert_int_equal(n_matched, 1);
    assert_int_equal(rig_count(heard(), "db  | db\n"), 1);
}

static bool is_logged(void *data)
{
    (void)data;
    return rig_count(rig_log(), "later") > 0;
}

/* They wait for output for a moment, but for nobody who does not come. */
static void our_own_messages_come_behind_output(void **state)
{
    (void)state;
    open_unit(0);
    says(0, "before");
    output_sync(&bench_units[0], true);
    assert_true(output_unsettled_until(&bench_units[0]) > 0);
    log_info("behind");
    assert_string_equal(rig_log(), "");
    rig_run_until(bench_is_synced, &bench_units[0]);
    assert_string_equal(rig_log(), "fosterd: behind\n");
    assert_string_equal(heard(), "web | before\n");
    bench_stop_logger();
    says(0, "more");
    output_sync(&bench_units[0], true);
    log_info("later");
    rig_run_until(is_logged, NULL);
    assert_false(bench_is_synced(&bench_units[0]));
    /* And what was asked of one that died comes from the next. */
    logger_ends(true);
    rig_run_until(is_running, NULL);
    rig_run_until(bench_is_synced, &bench_units[0]);
    assert_string_equal(heard(), "web | before\nweb + more\n");
}

static void what_nobody_takes_is_lost_and_told(void **state)
{
    (void)state;
    open_unit(0);
    bench_stop_logger();
    says(0, "never\n");
    pid_t pid = bench.logger.pid;
    logger_host_done(&bench.logger);
    assert_int_equal(rig_reap(pid), SIGKILL);
    assert_null(bench_units[0].out[SPEC_STREAM_OUT]);
    assert_string_equal(rig_log(), "fosterd: warning: 6 bytes of what services wrote were lost\n");
}

static void without_descriptors_a_stream_does_not_open(void **state)
{
    struct err e = {0};
    (void)state;
    open_unit(1);
    bench_sync(1);
    int n = rig_fds();
    for (rlim_t more = 0; more < 3; more++) {
        int highest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        close(highest);
        rlim_t before = rig_limit_fds((rlim_t)highest + more);
        bool ok = output_open(&bench_units[0], true, &e);
        rig_limit_fds(before);
        assert_false(ok);
        assert_int_equal(e.errnum, EMFILE);
        assert_null(bench_units[0].out[SPEC_STREAM_OUT]);
        assert_int_equal(rig_fds(), n);
    }
    says(1, "unharmed\n");
    bench_sync(1);
    assert_string_equal(heard(), "db  | unharmed\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(descriptors_are_right),
        TEST(drivers_have_their_descriptors),
        TEST(lines_come_out_and_runs_begin_with_one),
        TEST(what_is_closed_is_drained),
        TEST(a_hundred_loggers_lose_nothing),
        TEST(one_that_does_nothing_is_replaced_later),
        TEST(streams_that_were_closing_are_closed_by_the_next_one),
        TEST(settings_change_at_once),
        TEST(child_enters_its_number),
        TEST(only_later_lines_match),
        TEST(a_logger_that_is_stopped_holds_nobody_up),
        TEST(our_own_messages_come_behind_output),
        TEST(what_nobody_takes_is_lost_and_told),
        TEST(without_descriptors_a_stream_does_not_open),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
