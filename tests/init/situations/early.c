/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A TERM that comes between the fork and the first step of the command's process: a tracer holds that process until the
 * init has dealt with the signal. So what happens now and then becomes what happens.
 */
#include "init/situations/situations.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

enum { FORKS = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE };

/** Waits for the traced process PID to stop; its wait status. */
static int wait_stop(struct trial *t, pid_t pid)
{
    int status = 0;
    for (;;) {
        pid_t got = waitpid(pid, &status, __WALL | WNOHANG);
        if (got == pid && WIFSTOPPED(status)) {
            return status;
        }
        if (got != 0) {
            trial_fail(t, "waitpid: %s", got < 0 ? strerror(errno) : "it has ended");
        }
        look_again();
        trial_turn(t);
    }
}

/** Starts the init; the process that it forks, held before its first step. */
static pid_t hold_child(struct trial *t)
{
    unsigned long child = 0;
    t->gated = true;
    t->plain = true;
    trial_start(t);
    if (ptrace(PTRACE_SEIZE, t->init, NULL, FORKS)) {
        trial_fail(t, "ptrace: %s", strerror(errno));
    }
    trial_open_gate(t);
    while (!child) {
        int status = wait_stop(t, t->init);
        int event = status >> 16;
        if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
            (void)ptrace(PTRACE_GETEVENTMSG, t->init, NULL, &child);
        } else {
            (void)ptrace(PTRACE_CONT, t->init, NULL, event ? 0 : (unsigned long)WSTOPSIG(status));
        }
    }
    (void)wait_stop(t, (pid_t)child);
    (void)ptrace(PTRACE_DETACH, t->init, NULL, NULL);
    return (pid_t)child;
}

static bool has_taken(struct trial *t, uint64_t bit)
{
    return t->ended || (!(look_pending(t->init) & bit) && look_state(t->init) == 'S');
}

static void term_after_fork(struct trial *t, const struct situation *s)
{
    uint64_t bit = UINT64_C(1) << (s->number - 1);
    pid_t child = hold_child(t);
    trial_until(t, look_state(t->init) == 'S');
    trial_signal(t, s->number);
    trial_until(t, has_taken(t, bit));
    (void)ptrace(PTRACE_DETACH, child, NULL, NULL);
    bool lives = trial_ready(t) && trial_round(t);
    if (lives) {
        /* One that has been sent by now ends it before it can answer. */
        trial_tell(t, "catch");
        trial_until(t, t->ended || trial_heard(t, child, "done"));
    }
    if (t->ended) {
        trial_note_end(t);
    } else {
        trial_note(t, "the signal is lost");
    }
}

static const struct situation rows[] = {
    {"TERM before the command's first step", EVERY(""), term_after_fork, SIGTERM, NULL, NULL, false},
    {"TERM before the command's first step (-g)",
     {"-g", NULL, "-g", "-g"},
     term_after_fork,
     SIGTERM,
     NULL,
     NULL,
     false},
    {"TERM before the command's first step (-c)",
     {NULL, "-c", NULL, NULL},
     term_after_fork,
     SIGTERM,
     NULL,
     NULL,
     false},
};

const struct room early_room = ROOM("A signal that comes early", rows);
