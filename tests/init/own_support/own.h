/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode in the scenario harness: a command line instead of a configuration, one FIFO into which everybody speaks,
 * and one gate.
 *
 * A line is words with blanks between them: "NAME=VALUE... INIT [OPTION]... -- COMMAND...". INIT is a path, or one of
 * the names of the fosterd that was built: fosterd, tini, dumb-init, catatonit. @DIR@ and @ACTOR@ are replaced as in a
 * configuration; the command is mostly the actor, in the test's directory, with the FIFOs `ear` and `gate`.
 */
#ifndef FOSTER_TESTS_INIT_OWN_H
#define FOSTER_TESTS_INIT_OWN_H

#include "scenario/support/procs.h"
#include "scenario/support/scenario.h"

/** TEST about WHAT, a text, which is in *state. */
#define OWN_ROW(test, what)                                                                                            \
    {                                                                                                                  \
#test " (" what ")", test, scenario_setup, scenario_teardown, (void *)(uintptr_t)(what)                        \
    }

/** A scenario with an ear and a gate, and no init yet. */
struct scenario *own_new(void);

/** Starts the init of LINE, with the options O (NULL: none). */
void own_spawn(struct scenario *s, const struct scenario_options *o, const char *line);

/** own_new() and own_spawn(). */
struct scenario *own_start(const char *line);
struct scenario *own_start_with(const struct scenario_options *o, const char *line);

/** Waits for the next line in the ear, which must be WORD. */
void own_hear(struct scenario *s, const char *word);

/** Waits for the next line in the ear, which must be WORD:NUMBER; the number. */
pid_t own_hear_pid(struct scenario *s, const char *word);

/** Waits for the next N lines in the ear, which must be WORDS (N of them) in whichever order. */
void own_hear_all(struct scenario *s, const char *const *words, size_t n);

/** Fails when something has been said that no test has heard. */
void own_check_silent(struct scenario *s);

/** Waits for the end of the init with CODE: nobody may be left, no word unheard, and nothing on standard output but N
 * lines of the command. */
void own_end(struct scenario *s, int code);
void own_end_printed(struct scenario *s, int code, size_t n);

/** own_end(), with nothing on standard error either. */
void own_end_quietly(struct scenario *s, int code);

/** Waits until PID has been reaped. */
void own_wait_gone(struct scenario *s, pid_t pid);

/** Waits until the init has no child but PID: those before it have ended, and the init has dealt with that. */
void own_wait_heir(struct scenario *s, pid_t pid);

/** Waits until the init sleeps and has dealt with all signals that it was sent. */
void own_wait_idle(struct scenario *s);

/** Stops the init; lets it go on. What has come meanwhile is dealt with in one turn of its loop: first all deaths, then
 * the signals by their numbers. */
void own_hold(struct scenario *s);
void own_release(struct scenario *s);

/** Whether the init is there. */
bool own_is_there(struct scenario *s);

/** What makes the init process 1 of a namespace with a /proc of its own; skips the test where that is not allowed. */
struct scenario_options own_pid_1(void);

/** Starts ORDERS (NULL-terminated, with the name) of the actor beside the command of an init that is process 1, as
 * `docker exec -d` does; skips the test where that is not allowed. The init becomes its parent. */
void own_exec_inside(struct scenario *s, const char *const *orders);

/** Kills and reaps PID, which must have outlived its init and be our child now. */
void own_kill(struct scenario *s, pid_t pid);

#endif
