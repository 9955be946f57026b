/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The built fosterctl as an operator uses it: run to its end, or left running on a pipe or on a terminal while the test
 * goes on. It finds the scenario's fosterd by FOSTER_RUNTIME_DIR and speaks the language of the C locale.
 *
 * Words of the form NAME=value in front of the others set a variable, as in a shell; NAME= takes it away.
 */
#ifndef FOSTER_TESTS_FOSTERCTL_H
#define FOSTER_TESTS_FOSTERCTL_H

#include "scenario/support/command.h"

/** One that runs. */
struct fosterctl;

/** Runs fosterctl with WORDS (NULL-terminated) to its end. */
struct command fosterctl_words(struct scenario *s, const char *const *words);
#define fosterctl_run(s, ...) fosterctl_words((s), (const char *const[]){__VA_ARGS__, NULL})

/** The same as user UID, without any privilege; for root only. */
struct command fosterctl_words_as(struct scenario *s, uid_t uid, const char *const *words);
#define fosterctl_run_as(s, uid, ...) fosterctl_words_as((s), (uid), (const char *const[]){__VA_ARGS__, NULL})

/** Fails unless GOT has ended with CODE and said OUT and ERR (NULL: whatever it was). In these `*` stands for anything
 * within a line, tokens of a configuration are replaced, and one blank stands for any number of them. */
void fosterctl_check(struct scenario *s, struct command got, int code, const char *out, const char *err);

/** Runs fosterctl with the words and checks that it has succeeded, and what it has said. */
#define fosterctl_says(s, out, ...) fosterctl_check((s), fosterctl_run((s), __VA_ARGS__), 0, (out), "")

/** Starts fosterctl with WORDS; what it says on either output comes through one pipe, or through a terminal of its own,
 * 20 lines of 100 columns, whose session it leads. */
struct fosterctl *fosterctl_begin(struct scenario *s, bool on_terminal, const char *const *words);
#define fosterctl_start(s, ...) fosterctl_begin((s), false, (const char *const[]){__VA_ARGS__, NULL})
#define fosterctl_sit(s, ...)   fosterctl_begin((s), true, (const char *const[]){__VA_ARGS__, NULL})

/** Waits until TEXT has come out behind all that was waited for before; what is before it. Valid until the scenario
 * ends. */
const char *fosterctl_await(struct fosterctl *f, const char *text);

/** Its process. */
pid_t fosterctl_pid(const struct fosterctl *f);

/** Types KEYS on its terminal. */
void fosterctl_type(struct fosterctl *f, const char *keys);

/** Whether the terminal echoes what is typed and hands it on by lines, as it did at first. */
bool fosterctl_is_cooked(const struct fosterctl *f);

/** Waits for its end and frees F; the exit status (or 128+n), and in `out` what has come since the last await. A
 * terminal must be as it was. */
struct command fosterctl_end(struct fosterctl *f);

#endif
