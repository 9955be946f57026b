/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The terminal that a command in init mode may share with a shell: who has its foreground, and the suspension
 * of the whole job. Job control as in tcsetpgrp(3), and the GNU C library manual's "Implementing a Shell" seen from
 * below.
 */
#ifndef FOSTER_DAEMON_TERMINAL_H
#define FOSTER_DAEMON_TERMINAL_H

#include "base/compiler.h"

#include <stdbool.h>
#include <sys/types.h>

/** Our controlling terminal. Zero-initialised with fd -1: none, and every call does nothing. */
struct terminal {
    int fd;          /**< owned */
    bool foreground; /**< our group has had the foreground, at the start or by a shell's `fg` */
    bool suspended;  /**< we have stopped our group, since the command was stopped */
    bool handed_on;  /**< a command that ran has got the foreground, and no stop of it has been reported since */
    pid_t own;       /**< our process group */
    pid_t group;     /**< the command's, 0: none yet */
};

/** Finds the controlling terminal and whether we have its foreground. */
void terminal_open(struct terminal *t) NONNULL();

/** Gives our controlling terminal up for a command that becomes a session leader of its own, and takes away the SIGHUP
 *  and SIGCONT that this sends us. All signals are blocked. Nothing happens unless we lead our session and descriptor 0
 * is the terminal. */
void terminal_drop(void);

/** Takes the foreground back from a command that has ended: from its group, or one in which nobody is left. True when
 * our group has it now, to be handed to the next command. */
bool terminal_reclaim(struct terminal *t) NONNULL();

/** The command's process group is GROUP now. */
void terminal_set_group(struct terminal *t, pid_t group) NONNULL();

/** The command has been suspended by SIG: suspends the whole job, so that the shell takes the terminal back; returns
 * when that has continued us. Where nobody could continue us, or the command only waited for a foreground that is ours
 * or its own by now, it goes on instead. */
void terminal_suspended(struct terminal *t, int sig) NONNULL();

/** We have been continued (SIGCONT): if the command was suspended together with us, hands the foreground on to it, as
 * far as it has been given to us, and continues all of its group. True: the command has its SIGCONT by that. False: the
 * caller passes the signal on, and calls terminal_hand_on() after that. */
bool terminal_continued(struct terminal *t) MUST_CHECK NONNULL();

/** Hands the foreground on to a command that runs, if it has been given to us, together with the keys that have hit us
 * before. True: the command has it. */
bool terminal_hand_on(struct terminal *t) NONNULL();

/** SIG has come to us. If a key gives it and the foreground is still ours, it was meant for the command:
 * terminal_hand_on(), and the signal goes to all of its group as the terminal would have sent it. True: the command has
 * it. */
bool terminal_key(struct terminal *t, int sig) MUST_CHECK NONNULL();

/** terminal_reclaim(), and closes the terminal. */
void terminal_close(struct terminal *t) NONNULL();

#endif
