/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * fosterd as a command beside the scenario's own: run to its end with what it printed, or left running unheard.
 */
#ifndef FOSTER_TESTS_COMMAND_H
#define FOSTER_TESTS_COMMAND_H

#include "scenario/support/scenario.h"

enum { COMMAND_WORDS_MAX = 16 };

/** How a command has ended. Its texts are valid until the scenario ends. */
struct command {
    int code; /**< exit code, or 128+n */
    const char *out;
    const char *err;
};

/** Runs fosterd with ARGS (NULL-terminated) in DIR of the test's directory (NULL: that itself), to its end. */
struct command command_run_in(struct scenario *s, const char *dir, const char *const *args);

/** The same in the test's directory, with the words as arguments. */
#define command_run(s, ...) command_run_in((s), NULL, (const char *const[]){__VA_ARGS__, NULL})

/** Reads what the child PID writes into the other ends of OUT_FD and ERR_FD, closes them, and waits for its end. */
struct command command_finish(struct scenario *s, pid_t pid, int out_fd, int err_fd);

/** Starts fosterd with ARGS, its output thrown away; its process, which is the caller's child. */
pid_t command_start(struct scenario *s, const char *const *args);

#endif
