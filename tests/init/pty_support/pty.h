/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A terminal that the test owns, with a real shell or an init alone on it: what is typed, what comes out, and who
 * has the foreground. Directory, gates, guard and the search for what is left are the scenario harness's.
 *
 * The terminal does not echo and does not change what programs write, so only programs are heard, and a signal
 * character discards nothing. In the shell, $INIT is the init of the row with its "--", $ACTOR the fixture; the working
 * directory is the test's.
 *
 * BUGS: the test keeps the slave side open, too: the terminal hangs up when the test does that (pty_hang_up), never
 * by itself.
 */
#ifndef FOSTER_TESTS_PTY_H
#define FOSTER_TESTS_PTY_H

#include "scenario/support/scenario.h"

/** The inits, each in the way it treats the terminal. */
enum pty_init {
    PTY_TINI,
    PTY_DUMB_INIT,        /**< the command is in a session of its own */
    PTY_DUMB_INIT_SINGLE, /**< -c: the command is in the init's own group */
    PTY_CATATONIT,
    PTY_FOSTER,
    PTY_INITS
};

/** What a row of a test is about. */
struct pty_case {
    const char *shell; /**< a name in PATH */
    enum pty_init init;
    bool peer; /**< the packaged program of that name, not ours */
};

/** What is typed to give a signal. */
enum { PTY_INTR = 'C' & 31, PTY_SUSP = 'Z' & 31, PTY_QUIT = '\\' & 31, PTY_EOF = 'D' & 31 };

/** The prompts of the shell and of an interactive shell within it. */
#define PTY_PROMPT       "outer> "
#define PTY_INNER        "PS1='inner> ' $INIT $SHELL_I"
#define PTY_INNER_PROMPT "inner> "

/** One row: TEST with SHELL on the terminal and INIT (TINI) under it. */
#define PTY_ROW(test, shell, init, peer)                                                                               \
    {                                                                                                                  \
#test " (" shell ", " #init ")", test, pty_setup, pty_teardown, &(struct pty_case)                             \
        {                                                                                                              \
            shell, PTY_##init, peer                                                                                    \
        }                                                                                                              \
    }
/** TEST with both shells and one of our inits, or all those that run the command in a process group of its own. */
#define PTY_BOTH(test, init) PTY_ROW(test, "bash", init, false), PTY_ROW(test, "dash", init, false)
#define PTY_GROUP(test)      PTY_BOTH(test, TINI), PTY_BOTH(test, CATATONIT), PTY_BOTH(test, FOSTER)
/** TEST with both shells and all of our inits. */
#define PTY_EACH(test)       PTY_GROUP(test), PTY_BOTH(test, DUMB_INIT), PTY_BOTH(test, DUMB_INIT_SINGLE)
/** TEST with both shells and a peer. */
#define PTY_PEER(test, init) PTY_ROW(test, "bash", init, true), PTY_ROW(test, "dash", init, true)

/** Runs TESTS; with PTY_FILTER=ctrl_z* in the environment only those whose name fits. */
#define PTY_RUN(name, tests)                                                                                           \
    (cmocka_set_test_filter(getenv("PTY_FILTER")), cmocka_run_group_tests_name(name, tests, NULL, NULL))

struct pty;

int pty_setup(void **state);
int pty_teardown(void **state);

/** The terminal of this test with nobody on it; skips the test when a program of the row C is missing. */
struct pty *pty_new(const struct pty_case *c);

/** Runs `sh -c LINE` as leader of the terminal's session, in new namespaces CLONE_FLAGS (0, or what
 * world_pid_namespace() says). An `exec` in LINE makes another program the leader. */
void pty_lead(struct pty *p, const char *line, int clone_flags);

/** pty_new() with the row's shell, interactive, at its first prompt. */
struct pty *pty_shell(const struct pty_case *c);

/** The row's scenario: gates, ears and paths. */
struct scenario *pty_scenario(struct pty *p);

/** The row. */
const struct pty_case *pty_case(const struct pty *p);

/** Fails the test with a message and all that came out of the terminal. */
_Noreturn void pty_fail(struct pty *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Fails unless COND. */
#define pty_check(p, cond)                                                                                             \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            pty_fail(p, "%s:%d: %s", __FILE__, __LINE__, #cond);                                                       \
        }                                                                                                              \
    } while (0)

/** Types LINE and return. */
void pty_line(struct pty *p, const char *line);

/** Types one character. */
void pty_key(struct pty *p, char key);

/** Waits until TEXT comes out behind all that has been waited for; what was between, valid until the test ends. */
const char *pty_expect(struct pty *p, const char *text);

/** Waits until both texts have come out, in whichever order. */
void pty_expect_both(struct pty *p, const char *one, const char *other);

/** Waits for PREFIX, digits and a full stop; the number. */
pid_t pty_expect_number(struct pty *p, const char *prefix);

/** Waits for the shell's prompt: it is in the foreground then. What came out before it. */
const char *pty_prompt(struct pty *p);

/** Types LINE at the prompt; what comes out until the next one. */
const char *pty_ask(struct pty *p, const char *line);

/** Fails unless the shell says that its last command ended, or was suspended, with CODE. */
void pty_check_code(struct pty *p, int code);

/** Waits until the shell lists a job with WORD ("Stopped"). */
void pty_wait_job(struct pty *p, const char *word);

/** Types LINE, which a command that repeats every line (cat) must do. */
void pty_repeats(struct pty *p, const char *line);

/** Starts such a command under $INIT in the foreground, and hears it; its process. */
pid_t pty_start_repeater(struct pty *p);

/** Ctrl-Z, by which the only job becomes a stopped one, and the process PID of it is stopped. */
void pty_suspend(struct pty *p, pid_t pid);

/** `fg`, upon which the command that it continues repeats lines again. */
void pty_resume(struct pty *p);

/** `fg`, upon which the shell waits for the job: dash gives it the terminal first and SIGCONT after that, which would
 * undo a Ctrl-Z in between. */
void pty_foreground_job(struct pty *p);

/** Ctrl-C, of which the foreground job dies. */
void pty_interrupt(struct pty *p);

/** Ends the shell; nobody may be left. */
void pty_finish(struct pty *p);

/** The shell, or whoever leads the session. */
pid_t pty_leader(const struct pty *p);

/** The process group that has the foreground. */
pid_t pty_foreground(struct pty *p);

/** Waits until the foreground is not that of GROUP. */
void pty_wait_not_foreground(struct pty *p, pid_t group);

/** Waits until process PID is in one of STATES (letters of /proc/PID/stat). */
void pty_wait_state(struct pty *p, pid_t pid, const char *states);

/** Waits until PID sleeps and has dealt with every signal that it was sent. */
void pty_wait_idle(struct pty *p, pid_t pid);

/** Waits for the end of the leader: its exit code, or 128+n. */
int pty_wait_end(struct pty *p);

/** Takes the terminal away. */
void pty_hang_up(struct pty *p);

/** Waits until every process of this test has ended. */
void pty_wait_nobody(struct pty *p);

/** Fails when a process of this test is left, dead or alive. */
void pty_check_nobody(struct pty *p);

#endif
