/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The time of day, local time by rules that need no files, and the descriptor that tells of a clock that is set, as far
 * as that can be tried without setting it.
 */
#include "sys/sys.h"
#include "sys/sys_time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void test_the_time_of_day(void **state)
{
    struct timespec before, after;
    (void)state;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &before), 0);
    int64_t ms = sys_unix_ms();
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &after), 0);
    assert_in_range(ms / 1000, before.tv_sec, after.tv_sec);
}

static void test_local_time(void **state)
{
    static const struct {
        const char *zone;
        int64_t unix_s, offset_s;
    } rows[] = {
        {"UTC0", 1795392000, 0},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1795392000, 3600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1806195599, 3600}, /* a second before clocks are put forward */
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1806195600, 7200},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1806159600, 39600},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1812000000, 37800},
        {"EST5", 1795392000, -18000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(setenv("TZ", rows[i].zone, 1), 0);
        sys_read_zone();
        assert_int_equal(sys_local_offset_s(rows[i].unix_s), rows[i].offset_s);
    }
    assert_int_equal(unsetenv("TZ"), 0);
    /* A year that no calendar has room for. */
    assert_int_equal(sys_local_offset_s(INT64_MAX), 0);
}

static void test_nobody_sets_the_clock(void **state)
{
    (void)state;
    int fd = sys_clockset_open();
    uint64_t n;
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(sys_clockset_await(fd), 0);
    assert_int_equal(sys_clockset_await(fd), 0);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0);
    assert_int_equal(sys_read(fd, &n, sizeof n), -1);
    assert_int_equal(errno, EAGAIN);
    sys_close_fd(&fd);
    assert_int_equal(sys_clockset_await(fd), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_time_of_day),
        cmocka_unit_test(test_local_time),
        cmocka_unit_test(test_nobody_sets_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
