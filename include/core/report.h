/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Words for people that several of core's texts have in common.
 */
#ifndef FOSTER_CORE_REPORT_H
#define FOSTER_CORE_REPORT_H

#include "base/compiler.h"

#include <stdint.h>

enum { REPORT_STATUS_MAX = 64, REPORT_DURATION_MAX = 32, REPORT_SIZE_MAX = 32 };

/** "exited with code 3", "killed by SIGSEGV (core dumped)", into BUF of REPORT_STATUS_MAX bytes; returns it. */
char *report_status(int wstatus, char *buf) NONNULL();

/** A time span for people: "500 ms", "12.3 s", "2 min 3 s", into BUF of REPORT_DURATION_MAX; returns it. */
char *report_duration(int64_t ms, char *buf) NONNULL();

/** An amount of memory for people: "512 bytes", "64.0M", into BUF of REPORT_SIZE_MAX; returns it. */
char *report_size(int64_t bytes, char *buf) NONNULL();

#endif
