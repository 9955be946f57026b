/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How long the last output may take: as long as it goes on, up to a limit, and not for nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/leave.h"
#include "unit/daemon/bench.h"

enum { LINES = 3000, LINE_LEN = 32 };

/** Standard output is a pipe that is too small for what is written; this is its end. */
static int reader;

static struct spec_set spec;

void engine_post(struct engine *g, const struct event *ev)
{
    (void)g;
    (void)ev;
}

/** Has its units' output closed, with more of it under way than anybody takes. */
static int begin(void **state)
{
    static const char line[LINE_LEN + 1] = "it is as long as a line may be\n";
    struct err e = {0};
    int fds[2];
    if (bench_begin(state) != 0 || pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    bench.set = &spec;
    spec = (struct spec_set){0};
    reader = fds[0];
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    rig_replace(STDOUT_FILENO, fds[1]);
    leave_init(&bench);
    if (!output_open(&bench_units[0], true, &e))
        return -1;
    for (size_t i = 0; i < LINES; i++)
        if (write(output_fd(&bench_units[0], SPEC_STREAM_OUT), line, strlen(line)) < 0)
            return -1;
    bench_sync(0);
    leave_begin(&bench);
    return bench.ending_output && ev_is_active(&bench.clear_timer) ? 0 : -1;
}

static int end(void **state)
{
    ev_timer_stop(rig.loop, &bench.clear_timer);
    close(reader);
    return bench_end(state);
}

/** The logger stands still, as behind a reader that does: nothing moves until somebody_reads(). */
static void nobody_reads(void)
{
    bench_stop_logger();
    bench.output_moved = logger_host_moved(&bench.logger);
}

static void somebody_reads(void)
{
    static char some[16384];
    uint64_t before = logger_host_moved(&bench.logger);
    assert_int_equal(kill(bench.logger.pid, SIGCONT), 0);
    while (logger_host_moved(&bench.logger) == before)
        assert_true(read(reader, some, sizeof some) > 0);
}

static void time_is_up(void)
{
    ev_invoke(rig.loop, &bench.clear_timer, EV_TIMER);
}

static bool is_given_up(void)
{
    return list_is_empty(&bench.logger.streams);
}

static void what_goes_on_is_waited_for(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        nobody_reads();
        somebody_reads();
        time_is_up();
        assert_false(is_given_up());
        assert_true(ev_is_active(&bench.clear_timer));
    }
    assert_true(bench.clearing && bench.ending_output);
}

static void what_stands_still_is_not(void **state)
{
    (void)state;
    nobody_reads();
    time_is_up();
    assert_true(is_given_up());
    logger_host_done(&bench.logger);
    assert_int_equal(rig_count(rig_log(), "bytes of what services wrote were lost"), 1);
}

static void nor_is_anything_for_ever(void **state)
{
    (void)state;
    assert_true(bench.output_until_ms > sys_now_ms());
    nobody_reads();
    somebody_reads();
    bench.output_until_ms = sys_now_ms();
    time_is_up();
    assert_true(is_given_up());
}

/** The whole stop has a limit of its own. */
static void time_for_all_of_it_counts(void **state)
{
    (void)state;
    spec.supervisor.stop_timeout_ms = 60000;
    bench.stop_asked_ms = sys_now_ms() - 59000;
    leave_begin(&bench);
    assert_true(bench.output_until_ms <= bench.stop_asked_ms + 60000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_goes_on_is_waited_for),
        TEST(what_stands_still_is_not),
        TEST(nor_is_anything_for_ever),
        TEST(time_for_all_of_it_counts),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
