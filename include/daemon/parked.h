/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Requests that wait for what becomes of services: start, stop, restart, reload, wait.
 */
#ifndef FOSTER_DAEMON_PARKED_H
#define FOSTER_DAEMON_PARKED_H

#include "base/compiler.h"
#include "base/list.h"
#include "core/select.h"
#include "core/super.h"
#include "daemon/client.h"

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** What is waited for. */
enum parked_goal {
    PARKED_UP,      /**< ready or done; failed, stopped or in backoff is the other outcome */
    PARKED_AGAIN,   /**< as PARKED_UP, by a run that is not the one at the request, if there was one */
    PARKED_DOWN,    /**< nothing of it runs, nor is it due to; or its run is another one */
    PARKED_STATE,   /**< a given state; the outcome is the other one where it is final, or down for good */
    PARKED_SETTLED, /**< as PARKED_UP, but a unit that is not wanted is no failure: it is left out */
};

/** What a waiting request asked for beside its goal. */
struct parked_params {
    enum parked_goal goal;
    enum unit_state state; /**< of PARKED_STATE */
    bool no_wait;          /**< answer at once, with what is known */
    int64_t timeout_ms;    /**< -1: none */
    json_t *names_after;   /**< taken over: array of names of services, which are selected once the replacement of the
                              configuration that is under way is in force; NULL: none */
    json_t *extra;         /**< taken over: members of the result beside `ok` and `services`; NULL: none */
};

/** One request. */
struct parked;

/** Waits on behalf of the request with ID (borrowed; NULL: nobody wants a reply) of C for the units of SEL (copied).
 * Must be called before the events are posted that bring it about: runs at that time are remembered. NULL when it has
 * been answered with an error (too many, no memory): nothing must be posted then. */
struct parked *parked_new(struct client *c, const json_t *id, const struct select *sel,
                          const struct parked_params *params) MUST_CHECK NONNULL(1, 3, 4);

/** Looks whether P, whose events have been posted now, is settled already, and answers if so. */
void parked_begin(struct parked *p) NONNULL();

/** Looks at all that wait: called when effects have been carried out. */
void parked_settle_all(struct control *c) NONNULL();

/** Everything is being stopped: what waits for something to come up will not see that. */
void parked_free(struct parked *p) NONNULL();

#endif
