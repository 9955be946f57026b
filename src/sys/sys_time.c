/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One call each.
 */
#include "sys/sys_time.h"

#include <limits.h>
#include <sys/timerfd.h>
#include <time.h>

int64_t sys_unix_us(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sys_unix_ms(void)
{
    return sys_unix_us() / 1000;
}

int64_t sys_local_offset_s(int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    return localtime_r(&t, &tm) != NULL ? (int64_t)tm.tm_gmtoff : 0;
}

void sys_read_zone(void)
{
    tzset();
}

int sys_clockset_open(void)
{
    return timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
}

int sys_clockset_await(int fd)
{
    /* Only that it is cancelled matters, not that it passes. */
    const struct itimerspec never = {.it_value.tv_sec = LONG_MAX};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}
