/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A box: a new pid and mount namespace whose root is a directory with a few programs and nothing else, read-only,
 * without /proc, /dev and any library. What is started in it is its process 1 and user 65534, without privileges.
 *
 * Made by root, or by an ordinary user where user namespaces are allowed.
 */
#ifndef FOSTER_TESTS_BOX_H
#define FOSTER_TESTS_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { BOX_USER = 65534, BOX_GUARD_MS = 60000, BOX_TEXT_MAX = 4096, BOX_FAILED = 113 };

/** One box, and what runs in it. */
struct box {
    char dir[192];
    pid_t pid; /**< of process 1 as seen from outside; 0: none */
    int pid_fd;
    int out_fd;
    int err_fd;
    bool closed_stdio; /**< process 1 is started without descriptors 0, 1 and 2 */
    char out[BOX_TEXT_MAX];
    char err[BOX_TEXT_MAX];
};

/** Makes a box with nothing in it. */
void box_make(struct box *b);

/** Copies the program FILE into the box as /NAME. */
void box_put(struct box *b, const char *file, const char *name);

/** Makes /NAME in the box a symbolic link to TARGET. */
void box_link(struct box *b, const char *target, const char *name);

/** Starts WORDS (NULL-terminated) in the box. False with errno when no namespaces can be made here. */
bool box_start(struct box *b, const char *const *words);

/** Waits for a whole line on standard output, which must be LINE. */
void box_expect(struct box *b, const char *line);

/** Waits until process 1 has no child but N. */
void box_wait_children(struct box *b, size_t n);

/** Waits for the end of process 1 and of its output, which is then in `out` (what no box_expect() has taken) and `err`;
 *  its exit code, or 128+n. */
int box_wait(struct box *b);

/** Ends what runs, and removes the directory. */
void box_done(struct box *b);

#endif
