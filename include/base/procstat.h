/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The text of the files of /proc/PID as facts (proc(5)). No file is opened here: bytes in, values out, so that it can
 * be fuzzed.
 */
#ifndef FOSTER_BASE_PROCSTAT_H
#define FOSTER_BASE_PROCSTAT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCSTAT_COMM_MAX = 64 };

/** What /proc/PID/stat says of a process. */
struct procstat {
    pid_t pid;
    char comm[PROCSTAT_COMM_MAX]; /**< the name, without its parentheses; may hold any byte but NUL */
    char state;                   /**< R S D Z T t X I … */
    pid_t ppid;
    pid_t pgrp;
    pid_t session;
    unsigned n_threads;
    uint64_t cpu_ticks;   /**< clock ticks that it has run, in user mode and in the kernel */
    uint64_t start_ticks; /**< clock ticks after boot, field 22 */
    uint64_t rss_pages;   /**< pages of memory that it has; 0 where the text ends before that */
};

/** Whether the process of ST has ended: it is a zombie, and not only its first thread is. */
static inline bool procstat_is_dead(const struct procstat *st)
{
    return (st->state == 'Z' || st->state == 'X') && st->n_threads <= 1;
}

/** Reads the LEN bytes of /proc/PID/stat at TEXT. The name may contain spaces and parentheses: it ends
 *  at the last ')'. False when the text is not of that form. */
bool procstat_parse(const char *text, size_t len, struct procstat *ret) MUST_CHECK NONNULL();

/** The soft limit of the line "Max file locks" in the LEN bytes of /proc/PID/limits; UINT64_MAX for
 *  "unlimited". False when there is no such line. */
bool procstat_parse_locks(const char *text, size_t len, uint64_t *ret) MUST_CHECK NONNULL();

/** The value of variable NAME in the LEN bytes of /proc/PID/environ (NUL-separated), copied to BUF of
 *  SIZE bytes. False when it is not there or too long, and for an entry that no NUL ends: it may be cut. */
bool procstat_parse_env(const char *text, size_t len, const char *name, char *buf, size_t size) MUST_CHECK NONNULL();

/** Reads whitespace-separated process ids, as /proc/PID/task/TID/children holds them, from the LEN
 *  bytes at TEXT into PIDS of MAX elements. Returns how many there are (may exceed MAX: the rest was
 *  not stored), or -1 when the text is not of that form. */
ptrdiff_t procstat_parse_pids(const char *text, size_t len, pid_t *pids, size_t max) MUST_CHECK NONNULL(1);

/** The number behind NAME ("CapEff:") in the LEN bytes of /proc/PID/status at TEXT, in BASE 10 or 16. False when there
 * is no such line, or no number in it. */
bool procstat_parse_status(const char *text, size_t len, const char *name, unsigned base, uint64_t *ret) MUST_CHECK
    NONNULL();

/** The path of the control group of version 2 in the LEN bytes of /proc/PID/cgroup at TEXT, copied to BUF of SIZE
 * bytes. False when there is no such line, or when it does not fit. */
bool procstat_parse_cgroup(const char *text, size_t len, char *buf, size_t size) MUST_CHECK NONNULL();

/** The LEN bytes of /proc/PID/cmdline, or any other text, as one line of UTF-8 in BUF of SIZE > 0 bytes: NULs as
 * blanks, none at the end, control characters as "?", what is no UTF-8 as U+FFFD; cut between two characters where it
 * does not fit. Returns BUF. */
char *procstat_line(const char *text, size_t len, char *buf, size_t size) NONNULL();

#endif
