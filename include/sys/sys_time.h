/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Thin wrappers, as in sys.h, of calls about the time of day.
 */
#ifndef FOSTER_SYS_SYS_TIME_H
#define FOSTER_SYS_SYS_TIME_H

#include "base/compiler.h"

#include <stdint.h>

/** Milliseconds of CLOCK_REALTIME. Never fails. (time(2) may be behind it by a tick, and so behind a timer.) */
int64_t sys_unix_ms(void);
/** Microseconds of it. */
int64_t sys_unix_us(void);

/** By how many seconds local time is ahead of UTC at UNIX_S: as TZ says, else /etc/localtime; 0 where neither is known.
 */
int64_t sys_local_offset_s(int64_t unix_s);

/** tzset(3): takes a new /etc/localtime to notice. */
void sys_read_zone(void);

/** timerfd_create(2) of CLOCK_REALTIME, non-blocking, close-on-exec; for sys_clockset_await(). */
int sys_clockset_open(void) MUST_CHECK;

/** timerfd_settime(2) with TFD_TIMER_CANCEL_ON_SET: FD is readable as soon as the clock is set, or the machine wakes
 * up; to be called again then. ECANCELED: it waits again, but the clock was set before it did. */
int sys_clockset_await(int fd) MUST_CHECK;

#endif
