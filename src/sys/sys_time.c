/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One call each.
 */
#include "sys/sys_time.h"

#include <sys/timerfd.h>
#include <time.h>

int64_t sys_unix_s(void)
{
    return (int64_t)time(NULL);
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

int sys_alarm_open(void)
{
    return timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
}

int sys_alarm_set(int fd, int64_t unix_s)
{
    struct itimerspec when = {.it_value.tv_sec = (time_t)unix_s};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);
}
