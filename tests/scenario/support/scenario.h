/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The harness of the scenario tests: a real fosterd, its log read as events, and a careful look at what it leaves
 * behind.
 *
 * A test starts fosterd on a configuration, waits for events, says what must be true, and ends with
 * scenario_stop() or scenario_end(), which also check what holds in every scenario: no process left, no zombie, no
 * descriptor gained, none of fosterd's in another process (leaks.h), no file left, nothing but JSON on standard error
 * (so no report of a sanitizer). Nothing sleeps: tests wait for events, lines, pipes and pidfds, and a guard of a
 * minute turns a hang into a failure that shows the log.
 *
 * The test program is a child subreaper itself. What outlives its fosterd therefore becomes its child, however it was
 * daemonized, and is found.
 */
#ifndef FOSTER_TESTS_SCENARIO_H
#define FOSTER_TESTS_SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

enum { SCENARIO_PATH_MAX = 192, SCENARIO_GUARD_MS = 60000 };

/** One line of fosterd's log. Absent strings are "", absent numbers -1 (exit_code) or 0. */
struct scenario_event {
    size_t seq; /**< its place in the log */
    const char *event;
    const char *service;
    const char *level;
    const char *msg;
    const char *signal; /**< "SIGKILL" */
    pid_t pid;
    uint64_t run;
    int exit_code;
    bool taken; /**< a wait has returned it already */
    json_t *object;
};

/** How fosterd is to be started. Zero-initialised: on the configuration, with nothing unusual. */
struct scenario_options {
    const char *const *prefix;   /**< words before fosterd on the command line */
    const char *const *args;     /**< words behind */
    const char *const *env;      /**< its whole environment; NULL: the test's */
    void (*prepare)(void *data); /**< runs in the child before the exec; ends it with _exit() when something fails */
    void *data;
    int clone_flags;      /**< CLONE_NEWPID ... */
    const char *fosterd;  /**< another file than the one that was built */
    int guard_ms;         /**< 0: SCENARIO_GUARD_MS */
    bool leaves_children; /**< what is left when it has ended is the test's own business */
    bool plain_log;       /**< lines that are not JSON are fine */
    bool no_config;       /**< without -c FILE and --log-format json */
    bool init_mode;       /**< fosterd passes on the descriptors that it was given */
    bool quiet;           /**< at level info, for what would make 100,000 lines */
};

struct scenario;

/** A test with the harness around it. */
#define SCENARIO(test) cmocka_unit_test_setup_teardown(test, scenario_setup, scenario_teardown)

/** Runs TESTS; with SCENARIO_FILTER=c06* in the environment only those whose name fits. */
#define SCENARIO_RUN(name, tests)                                                                                      \
    (cmocka_set_test_filter(getenv("SCENARIO_FILTER")), cmocka_run_group_tests_name(name, tests, NULL, NULL))

int scenario_setup(void **state);
int scenario_teardown(void **state);

/** Skips the test, saying why. */
#define scenario_skip(...)                                                                                             \
    do {                                                                                                               \
        print_message("SKIP: " __VA_ARGS__);                                                                           \
        print_message("\n");                                                                                           \
        skip();                                                                                                        \
    } while (0)

/** The scenario of this test, with a directory of its own and no daemon yet. */
struct scenario *scenario_new(void);

/** Starts fosterd on YAML. @DIR@, @ACTOR@ and @FIXTURES@ in it are replaced by the test's directory and the programs'
 * places. */
void scenario_spawn(struct scenario *s, const struct scenario_options *o, const char *yaml);

/** scenario_new(), scenario_spawn() and the event `up`. */
struct scenario *scenario_start(const char *yaml);
struct scenario *scenario_start_with(const struct scenario_options *o, const char *yaml);

/** Sends a signal to fosterd. */
void scenario_signal(struct scenario *s, int sig);

/** Reloads YAML, which must be accepted, and waits until it is in force. */
void scenario_reload(struct scenario *s, const char *yaml);

/** Waits until fosterd has ended; its exit code, or 128+n. */
int scenario_wait_exit(struct scenario *s);

/** scenario_wait_exit(), which must be CODE, and the checks of every scenario. */
void scenario_end(struct scenario *s, int code);

/** Checks that fosterd is as it was when it had settled, then ends it with SIGTERM and scenario_end(s, 0). */
void scenario_stop(struct scenario *s);

/** Fails the test with a message and the whole log. */
_Noreturn void scenario_fail(struct scenario *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Fails unless COND. */
#define scenario_check(s, cond)                                                                                        \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            scenario_fail(s, "%s:%d: %s", __FILE__, __LINE__, #cond);                                                  \
        }                                                                                                              \
    } while (0)

/** No wait returns an event that has been read by now: what a wait has not asked for, because it may have come or not,
 * is not taken for what comes of the test's next step. */
void scenario_pass_over(struct scenario *s);

/** Waits for the next event EVENT (NULL: any) of SERVICE (NULL: any) that no wait has returned yet. */
const struct scenario_event *scenario_wait(struct scenario *s, const char *event, const char *service);

/** The same, with TEXT in its message. */
const struct scenario_event *scenario_wait_text(struct scenario *s, const char *event, const char *service,
                                                const char *text);

/** The same, about process PID. */
const struct scenario_event *scenario_wait_pid(struct scenario *s, const char *event, const char *service, pid_t pid);

/** Waits until SERVICE enters STATE ("done"): an event `state` that the harness makes of what fosterd says at level
 * debug. */
const struct scenario_event *scenario_wait_state(struct scenario *s, const char *service, const char *state);

/** How often SERVICE (NULL: any) has entered STATE so far. */
size_t scenario_count_state(struct scenario *s, const char *service, const char *state);

/** Waits until there are N events EVENT of SERVICE in all, returned by a wait or not. */
void scenario_wait_count(struct scenario *s, const char *event, const char *service, size_t n);

/** How many events EVENT of SERVICE there are so far. */
size_t scenario_count(struct scenario *s, const char *event, const char *service);

/** Event number I of the log so far, or NULL. */
const struct scenario_event *scenario_event_at(struct scenario *s, size_t i);

/** Waits for a line of SERVICE's output (NULL: of standard output, as it is) that begins with PREFIX; what is behind
 * PREFIX. Each line is returned once. */
const char *scenario_wait_line(struct scenario *s, const char *service, const char *prefix);

/** Waits for a line of standard error that is not JSON and has TEXT in it. */
const char *scenario_wait_raw(struct scenario *s, const char *text);

/** How many lines of SERVICE's output (NULL: of standard output) there are so far. */
size_t scenario_lines(struct scenario *s, const char *service);

/** Waits until fosterd has gone through its loop and dealt with all that happened before this call. How many children
 * it has reaped so far. */
uint64_t scenario_sync(struct scenario *s);

/** fosterd's process, as the test sees it. */
pid_t scenario_pid(const struct scenario *s);

/** The test's directory. */
const char *scenario_dir(const struct scenario *s);

/** Where NAME is in the test's directory. Valid until the scenario ends. */
const char *scenario_path(struct scenario *s, const char *name);

/** Makes a file with TEXT (tokens are replaced as in a configuration) and MODE; its path. */
const char *scenario_write(struct scenario *s, const char *name, mode_t mode, const char *text);

/** The first line of a file, without its newline; "" when there is none. Valid until the scenario ends. */
const char *scenario_read(struct scenario *s, const char *name);

/** The process that a pid file names. */
pid_t scenario_read_pid(struct scenario *s, const char *name);

/** Makes the gate NAME, at which fixtures `await`, closed; lets them all through. */
void scenario_gate(struct scenario *s, const char *name);
void scenario_open_gate(struct scenario *s, const char *name);

/** Makes the FIFO NAME, into which fixtures `say`; waits for the next line. Valid until the next call. */
void scenario_ear(struct scenario *s, const char *name);
const char *scenario_heard(struct scenario *s, const char *name);

/** Copies a program into the test's directory, mode 0755, for users who may not reach the build directory; its path. */
const char *scenario_copy(struct scenario *s, const char *from, const char *name);

/** Milliseconds until the guard bites; fails the test when there are none left. */
int scenario_time_left(struct scenario *s);

/** YAML with its tokens replaced; the caller frees it. */
char *scenario_expand(const struct scenario *s, const char *text);

#endif
