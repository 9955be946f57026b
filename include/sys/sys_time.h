/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers, as in sys.h, of calls about the time of day.
 */
#ifndef FOSTER_SYS_SYS_TIME_H
#define FOSTER_SYS_SYS_TIME_H

#include "base/compiler.h"

#include <stdint.h>

/** Seconds since 1970 by CLOCK_REALTIME. */
int64_t sys_unix_s(void);

/** By how many seconds local time is ahead of UTC at UNIX_S: as TZ says, else /etc/localtime; 0 where neither is known.
 */
int64_t sys_local_offset_s(int64_t unix_s);

/** tzset(3): takes a new /etc/localtime to notice. */
void sys_read_zone(void);

/** timerfd_create(2) of CLOCK_REALTIME; non-blocking, close-on-exec. */
int sys_alarm_open(void) MUST_CHECK;

/** timerfd_settime(2): FD is readable from UNIX_S on (0: never), and as soon as somebody sets the clock
 * (TFD_TIMER_CANCEL_ON_SET), which reading it tells by ECANCELED. */
int sys_alarm_set(int fd, int64_t unix_s) MUST_CHECK;

#endif
