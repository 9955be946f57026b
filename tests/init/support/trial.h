/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A trial: one init, the packaged one or ours under its name, in one situation, with the witness as its command.
 *
 * A situation sets fields of the trial, starts it, drives it, and writes down what came of it as an outcome, a text
 * that is the same whenever the behaviour is the same. Nothing waits for a time: everything waits for messages of the
 * witness, for the init's end, or for what /proc says, and a guard of a minute ends the trial with an outcome that
 * begins with FAILED.
 *
 * The process that runs trials is a child subreaper and leads a session without a terminal. trial_done() kills and
 * reaps all that a trial has left; when the test itself is killed, the pid namespace of trial_apart() does.
 */
#ifndef FOSTER_TESTS_INIT_TRIAL_H
#define FOSTER_TESTS_INIT_TRIAL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** What is compared: three peers, each with ours under its name, and our own form, which has tini for its peer. */
enum form { FORM_TINI, FORM_DUMB_INIT, FORM_CATATONIT, FORM_FOSTERD, FORM_N };

enum {
    OUTCOME_MAX = 600,
    TRIAL_TALK_FD = 60,
    TRIAL_MESSAGES_MAX = 512,
    TRIAL_WORDS_MAX = 32,
    TRIAL_PING = 40,
    TRIAL_PATH_MAX = 64
};

/** The outcome of a trial that was given up because something is not installed. */
#define TRIAL_SKIPPED "SKIPPED"

/** A message of the witness or of a process that it left. */
struct message {
    pid_t from;
    char text[48];
    bool taken;
};

/** A trial. What stands before `init` may be set before trial_start(). All pointers there are borrowed. */
struct trial {
    enum form form;
    bool ours;
    bool plain;                      /**< ours without sanitizers also as fosterd: for many starts, or a bare world */
    const char *options;             /**< words before the command, with blanks between them */
    const char *called;              /**< argv[0]; NULL: the name of the form */
    const char *const *env;          /**< variables beside PATH, NULL-terminated; NULL: none */
    bool no_path;                    /**< not even PATH */
    const char *const *command;      /**< NULL-terminated; NULL: the witness */
    bool no_dashes;                  /**< no "--" before the command */
    uint64_t blocked;                /**< signals that are blocked at the start */
    uint64_t ignored;                /**< signals that are ignored at the start */
    bool closed[3];                  /**< descriptors that are closed at the start */
    bool pid1;                       /**< as process 1 of a new pid namespace */
    bool below_parent;               /**< our child `parent` starts it, and waits to be killed */
    bool gated;                      /**< its exec waits for trial_open_gate() */
    bool leads;                      /**< it leads a session, not only a process group */
    void (*prepare)(struct trial *); /**< runs in the process that becomes the init; may set `env` */
    void (*cleanup)(struct trial *); /**< runs at the end of trial_done() */

    pid_t init;
    pid_t child;  /**< the witness, once it has said "ready" */
    pid_t parent; /**< 0: it is us */
    int pidfd;    /**< owned; of the init */
    int talk;     /**< owned; our end of the witness's socket */
    int gate;     /**< owned; -1: none */
    int out;      /**< owned; what has been written to its standard output */
    int err;      /**< owned */
    bool silent;  /**< nobody is left who could say anything */
    bool ended;
    int status;
    int64_t guard_at_ms;
    struct message messages[TRIAL_MESSAGES_MAX];
    size_t n_messages;
    char scratch[TRIAL_PATH_MAX]; /**< see trial_scratch(); "": none */
    char outcome[OUTCOME_MAX];
    jmp_buf failed; /**< where a trial goes on that cannot go on */
};

/** Once for each process that runs trials. */
void trial_process_setup(void);

/**
 * Runs BODY(DATA) in a child, and returns what it returns (0 to 255), or 1 when it did not end by itself. The child is
 * process 1 of a pid namespace where that is allowed: when we are killed, the kernel ends whatever runs in there.
 */
int trial_apart(int (*body)(void *data), void *data);

/** The program of FORM as packaged, or NULL when it is not installed in the version that is compared. */
const char *trial_peer_path(enum form form);

/** Whether new pid namespaces are allowed here. */
bool trial_can_pid1(void);

/** The name of FORM. */
const char *trial_form_name(enum form form);

/** Starts the init. */
void trial_start(struct trial *t);

/** trial_start(), and waits until the witness is ready. False: the init has ended before. */
bool trial_start_ready(struct trial *t);

/** Waits until the witness is ready. False: the init has ended before. */
bool trial_ready(struct trial *t);

/** Lets a gated init go on. */
void trial_open_gate(struct trial *t);

/** Sends SIG to the init. */
void trial_signal(struct trial *t, int sig);

/** Tells the witness what to do, in the form of printf(3). */
void trial_tell(struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** The same, and waits until it is done. */
void trial_order(struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Takes the first message that begins with PREFIX and comes from PID (0: anybody), if it has come. */
const struct message *trial_heard(struct trial *t, pid_t pid, const char *prefix);

/** Waits for such a message. */
const struct message *trial_expect(struct trial *t, pid_t pid, const char *prefix);

/** Waits until the init has ended. */
void trial_wait_end(struct trial *t);

/** Makes the init go round its loop twice, so that it has dealt with all that happened before. False: it has ended. */
bool trial_round(struct trial *t);

/** One step of waiting: takes messages in, looks whether the init has ended. Fails the trial when the guard bites. */
void trial_turn(struct trial *t);

/** Waits until COND. */
#define trial_until(t, cond)                                                                                           \
    while (!(cond)) {                                                                                                  \
        trial_turn(t);                                                                                                 \
    }

/** Adds to the outcome, in the form of printf(3); additions are separated by "; ". */
void trial_note(struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Waits for the init's end and notes it: "exit 143". */
void trial_note_end(struct trial *t);

/** Notes whether the process PID that the witness left is "gone" or "alive" once the init has ended. */
void trial_note_left(struct trial *t, pid_t pid);

/** What the init and its command have written so far to descriptor 1 or 2. Returns BUF. */
const char *trial_written(struct trial *t, int fd, char *buf, size_t size);

/** Gives the trial up with an outcome that says why. */
_Noreturn void trial_fail(struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Gives the trial up because something that it needs is not installed. */
_Noreturn void trial_skip(struct trial *t);

/** The path of a file that may be made, at most one in a trial; trial_done() removes it. */
const char *trial_scratch(struct trial *t);

/** Kills and reaps whatever is left, and removes the scratch file. */
void trial_done(struct trial *t);

#endif
