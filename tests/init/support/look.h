/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What /proc says about a process, read by the test's own means. A set of signals is a number in which bit N-1 stands
 * for signal N, as in /proc/PID/status.
 */
#ifndef FOSTER_TESTS_INIT_LOOK_H
#define FOSTER_TESTS_INIT_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The file NAME of PID's directory in /proc into BUF; its size, 0 when it cannot be read. BUF ends with a NUL. */
size_t look_file(pid_t pid, const char *name, char *buf, size_t size);

/** What the link NAME of PID's directory in /proc points to; "" when it cannot be read. Returns BUF. */
const char *look_link(pid_t pid, const char *name, char *buf, size_t size);

/** The state letter of PID; 0: there is none. */
char look_state(pid_t pid);

/** Parent, process group and session of PID, from /proc/PID/stat; 0: there is none. */
pid_t look_parent(pid_t pid);
pid_t look_group(pid_t pid);
pid_t look_session(pid_t pid);

/** The text behind NAME in /proc/PID/status, without blanks around it. Returns BUF. */
const char *look_status(pid_t pid, const char *name, char *buf, size_t size);

/** The set of signals NAME ("SigBlk") in /proc/PID/status. */
uint64_t look_set(pid_t pid, const char *name);

/** Signals sent to PID that it has not taken yet. */
uint64_t look_pending(pid_t pid);

/** Whether PID has a descriptor FD. */
bool look_has_fd(pid_t pid, int fd);

/** Our first child, zombies included; 0: none. */
pid_t look_any_child(void);

/** A set of signals as "1-3 15 34-64"; "none". Returns BUF. */
const char *look_set_text(uint64_t set, char *buf, size_t size);

/** Lets other processes run a little between two looks. */
void look_again(void);

#endif
