/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a test wants to know of processes, read from /proc by its own means: the code under test is not asked.
 */
#ifndef FOSTER_TESTS_PROCS_H
#define FOSTER_TESTS_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct scenario;

enum { PROCS_MAX = 8192 };

/** Some processes. */
struct procs {
    pid_t pids[PROCS_MAX];
    size_t n;
};

/** The children of PID, zombies included, but for loggers. */
void procs_children(pid_t pid, struct procs *ret);

/** All of them. */
void procs_all_children(pid_t pid, struct procs *ret);

/** Whether PID is a logger. */
bool procs_is_logger(pid_t pid);

/** The logger of S, once there is one that lives and is not BEFORE (0: whichever). */
pid_t procs_next_logger(struct scenario *s, pid_t before);

/** Stops the logger of S, and waits until it stands still; its number. */
pid_t procs_stop_logger(struct scenario *s);

/** All descendants of PID, zombies included. */
void procs_descendants(pid_t pid, struct procs *ret);

/** The state letter of PID, or 0 when there is no such process. */
char procs_state(pid_t pid);

/** The parent, or session, of PID; 0 when there is no such process. */
pid_t procs_parent(pid_t pid);
pid_t procs_session(pid_t pid);

/** Where PID has its environment, which each exec changes (Linux 3.5); 0 while nobody can read it: in the middle of an
 * exec, and when it is ending. */
unsigned long procs_environment(pid_t pid);

/** Descriptors that PID has open, or -1. */
int procs_descriptors(pid_t pid);

/** The number behind NAME in /proc/PID/status, or -1. */
long procs_status(pid_t pid, const char *name);

/** The command line of PID with blanks, into BUF. */
const char *procs_command(pid_t pid, char *buf, size_t size);

/** True when PID is there and is not a zombie. */
bool procs_is_alive(pid_t pid);

/** Waits until PID has ended (it may be a zombie then, or gone). */
void procs_wait_end(struct scenario *s, pid_t pid);

/** The child of PID whose command line has TEXT in it, or 0. */
pid_t procs_child_named(pid_t pid, const char *text);

#endif
