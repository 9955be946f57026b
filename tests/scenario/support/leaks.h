/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Descriptors of fosterd in other processes' hands. The harness looks for them by itself in every scenario: in each
 * service when fosterd says that it has started, and in all that runs below fosterd before each signal to it;
 * scenario_end() fails when one was found. The processes under test are not asked, and need not help.
 *
 * What is compared are open file descriptions, by kcmp(2): two descriptors for the same file, each opened by its own
 * process, are none of our business. Where kcmp(2) is not allowed, pipes, sockets and regular files are taken for the
 * same when they are the same file, open for the same.
 */
#ifndef FOSTER_TESTS_LEAKS_H
#define FOSTER_TESTS_LEAKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct scenario;

/** What a process may have in common with fosterd, beside what LISTEN_FDS of its environment tells it of. */
struct leaks_rules {
    bool stdio;     /**< 0, 1 and 2: `logging: inherit` */
    bool inherited; /**< what has no close-on-exec in fosterd itself: what it was given, and init mode passes on */
    bool ready;     /**< the pipe of `ready: fd` */
    bool no_kcmp;   /**< for the test of the detector: as if kcmp(2) were refused */
};

/**
 * Looks for a descriptor that PID has and that is one of OWNER's, or a pipe whose other end is OWNER's and which is not
 * PID's own standard input or output. Writes "process 17 (sleep 9) holds fosterd's descriptor 5 as 3: socket:[4711]"
 * into BUF and returns true when there is one. False when there is none, when PID has not executed its program yet, or
 * when it is going or gone, or may not be looked at.
 */
bool leaks_find(pid_t owner, pid_t pid, const struct leaks_rules *rules, char *buf, size_t size);

/** Looks at the process PID, if it is a child of the fosterd of S and has more than the usual three descriptors, and
 * remembers in S what is found. Cheap, for it comes with each start. */
void leaks_look_at(struct scenario *s, pid_t pid);

/** Looks at all processes below the fosterd of S, and remembers in S what is found. */
void leaks_look(struct scenario *s);

#endif
