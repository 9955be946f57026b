/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A logger that cannot be started: whatever is refused, for want of descriptors, processes or memory, services keep
 * their pipes and what they have written, that is said once, it is tried again after longer and longer pauses, and
 * once a logger runs each line goes out once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fault/support/fault.h"

#include "unit/daemon/bench.h"

#include <sys/mman.h>

enum { OUT_MAX = 4096, TRIES = 12, PAUSE_MIN_MS = 10, PAUSE_MAX_MS = 5000 };

/** Our standard output: a file without a name. */
static int out_fd;

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
    rig_replace(STDOUT_FILENO, dup(out_fd));
    logger_host_set_width(&bench.logger, 3);
    return 0;
}

static int end(void **state)
{
    fault_teardown(state);
    close(out_fd);
    return bench_end(state);
}

static const char *heard(void)
{
    static char text[OUT_MAX];
    ssize_t n = pread(out_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static bool open_unit(unsigned i)
{
    struct err e = {0};
    return output_open(&bench_units[i], true, &e);
}

/** Writes TEXT as a process of unit I would. */
static void says(unsigned i, const char *text)
{
    assert_int_equal(write(output_fd(&bench_units[i], SPEC_STREAM_OUT), text, strlen(text)), strlen(text));
}

/** Ends the pause before the next try. */
static void try_again(void)
{
    assert_true(ev_is_active(&bench.logger.retry));
    ev_timer_stop(rig.loop, &bench.logger.retry);
    logger_host_wake(&bench.logger);
}

/** Kills the logger; the host learns of it. */
static void logger_dies(void)
{
    pid_t pid = bench.logger.pid;
    assert_int_equal(kill(pid, SIGKILL), 0);
    logger_host_died(&bench.logger, rig_reap(pid));
    logger_host_replace(&bench.logger);
}

static bool is_running(void *data)
{
    (void)data;
    return bench.logger.pid != 0;
}

/* What a start needs, and what it may be refused for. */
static const struct {
    enum fault_call call;
    unsigned nth; /* the first of them that is the start's */
    int errnum;
} needs[] = {
    {FAULT_sys_packet_pair, 1, EMFILE}, {FAULT_sys_packet_pair, 1, ENFILE}, {FAULT_sys_packet_pair, 1, ENOMEM},
    {FAULT_sys_sigprocmask, 1, EINVAL}, {FAULT_sys_map_inherit, 2, ENOMEM}, {FAULT_sys_fork, 1, EAGAIN},
    {FAULT_sys_fork, 1, ENOMEM},
};

/* Tries TRIES times in vain. */
static void try_in_vain(const char *why)
{
    int64_t pause_ms = PAUSE_MIN_MS;
    int n_fds = rig_fds();
    for (int i = 0; i < TRIES; i++) {
        assert_int_equal(bench.logger.pid, 0);
        assert_int_equal(bench.logger.fd, -1);
        assert_int_equal(rig_fds(), n_fds);
        assert_true(ev_timer_remaining(rig.loop, &bench.logger.retry) <= (double)pause_ms / 1000. + 1e-6);
        pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
        assert_int_equal(bench.logger.pause_ms, pause_ms);
        assert_int_equal(rig_count(rig_log(), why), 1);
        assert_int_equal(rig_count(rig_log(), "\n"), 1);
        try_again();
    }
    assert_int_equal(pause_ms, PAUSE_MAX_MS);
}

static void whatever_is_refused_nothing_is_lost(void **state)
{
    char why[128];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        const struct fault_rule rule = {
            .call = needs[i].call, .nth = needs[i].nth, .later = true, .errnum = needs[i].errnum};
        snprintf(why, sizeof why, "warning: no logger can be started: %s; ", err_errno_text(rule.errnum));
        assert_true(ftruncate(out_fd, 0) == 0 && lseek(out_fd, 0, SEEK_SET) == 0);
        rig.log_len = 0;
        fault_begin(&rule, 1);
        assert_true(open_unit(0));
        says(0, "one\n");
        try_in_vain(why);
        says(0, "two\n");
        assert_true(fault_refused() >= TRIES + 1);
        fault_end();
        try_again();
        assert_true(bench.logger.pid > 0);
        assert_int_equal(bench.logger.pause_ms, PAUSE_MIN_MS);
        assert_int_equal(bench.logger.n_restarts, 0);
        bench_sync(0);
        assert_string_equal(heard(), "web | one\nweb | two\n");
        assert_int_equal(rig_count(rig_log(), "a logger could be started again"), 1);
        assert_int_equal(rig_count(rig_log(), "\n"), 2);
        bench_end_logger();
        assert_int_equal(rig_count(rig_log(), "\n"), 2);
        logger_host_set_width(&bench.logger, 3);
    }
}

/* The loop does it by itself. */
static void it_is_tried_again_after_the_pause(void **state)
{
    static const struct fault_rule rules[] = {{.call = FAULT_sys_fork, .nth = 1, .errnum = EAGAIN},
                                              {.call = FAULT_sys_fork, .nth = 2, .errnum = ENOMEM}};
    (void)state;
    fault_begin(rules, ARRAY_LEN(rules));
    assert_true(open_unit(0));
    assert_int_equal(bench.logger.pid, 0);
    says(0, "here\n");
    rig_run_until(is_running, NULL);
    assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_fork), 3);
    fault_end();
    bench_sync(0);
    assert_string_equal(heard(), "web | here\n");
    assert_int_equal(rig_count(rig_log(), "no logger can be started"), 1);
}

/* Streams that come, go and change meanwhile find all that as it is when there is a logger again. */
static void one_that_died_has_no_successor_for_a_while(void **state)
{
    static const struct fault_rule rule = {.call = FAULT_sys_fork, .nth = 1, .later = true, .errnum = EAGAIN};
    (void)state;
    assert_true(open_unit(0));
    says(0, "one\n");
    bench_sync(0);
    fault_begin(&rule, 1);
    says(0, "two\n");
    logger_dies();
    ev_timer_stop(rig.loop, &bench.logger.retry);
    logger_host_wake(&bench.logger);
    assert_int_equal(bench.logger.pid, 0);
    assert_true(open_unit(1));
    says(1, "three\n");
    says(0, "four");
    output_close(&bench_units[0]);
    output_begin_run(&bench_units[1]);
    const struct message m = {.kind = MESSAGE_SERVE, .text = "{}", .fds = {-1, -1}};
    assert_int_equal(logger_host_send(&bench.logger, &m), -1);
    assert_int_equal(errno, ENOTCONN);
    assert_false(logger_host_leave(&bench.logger));
    bench.logger.is_leaving = false;
    fault_end();
    try_again();
    bench_sync(1);
    assert_int_equal(rig_count(heard(), "web | one\n"), 1);
    assert_int_equal(rig_count(heard(), "web | two\n"), 1);
    assert_int_equal(rig_count(heard(), "db  | three\n"), 1);
    assert_int_equal(rig_count(heard(), "web | four\n"), 1);
    assert_int_equal(rig_count(rig_log(), "no logger can be started"), 1);
}

/* Nobody waits for ever for one. */
static void without_any_what_is_lost_is_told(void **state)
{
    static const struct fault_rule rule = {.call = FAULT_sys_fork, .nth = 1, .later = true, .errnum = EAGAIN};
    (void)state;
    fault_begin(&rule, 1);
    assert_true(open_unit(0));
    says(0, "never\n");
    output_close(&bench_units[0]);
    assert_false(logger_host_leave(&bench.logger));
    logger_host_done(&bench.logger);
    fault_end();
    assert_int_equal(rig_count(rig_log(), "6 bytes of what services wrote were lost"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(whatever_is_refused_nothing_is_lost),
        TEST(it_is_tried_again_after_the_pause),
        TEST(one_that_died_has_no_successor_for_a_while),
        TEST(without_any_what_is_lost_is_told),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
