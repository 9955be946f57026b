/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode's signals: what is received is passed on to the command, its group, or whoever is left of it.
 */
#ifndef FOSTER_DAEMON_RELAY_H
#define FOSTER_DAEMON_RELAY_H

#include "base/compiler.h"
#include "daemon/engine.h"
#include "daemon/initargs.h"
#include "daemon/terminal.h"

#include <ev.h>
#include <stdbool.h>

/** Between the signals that we receive and the command: whom they are for, a SIGTERM that is held back, and whether the
 * stop has begun. */
struct relay {
    const struct initargs *args; /**< borrowed */
    struct terminal *terminal;   /**< borrowed */
    struct engine *engine;       /**< borrowed; set when the engine runs */
    struct ev_timer delay;       /**< a SIGTERM that is held back */
    bool held;                   /**< a SIGTERM has been held back already */
    bool stopping;               /**< the engine has been told to end everything */
};

/** Makes R ready for ARGS and TERMINAL. */
void relay_init(struct relay *r, const struct initargs *args, struct terminal *terminal) NONNULL();

/** Deals with the signal SIG that we received. */
void relay_signal(struct relay *r, struct engine *g, int sig) NONNULL();

/** What a SIG becomes before it is sent: rewritten, or 0. */
int relay_rewritten(const struct relay *r, int sig) NONNULL();

/** Whether a SIGTERM begins a stop in which the grace period limits what may be left. */
bool relay_stops(const struct initargs *args) NONNULL();

#endif
