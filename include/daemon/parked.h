/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Requests that wait: for what becomes of services (start, stop, restart, reload, wait), or for whatever somebody else
 * knows of.
 */
#ifndef FOSTER_DAEMON_PARKED_H
#define FOSTER_DAEMON_PARKED_H

#include "base/compiler.h"
#include "core/outcome.h"
#include "core/select.h"
#include "daemon/client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct control;

/** What a waiting request asked for, beside the units. */
struct parked_params {
    struct outcome_wish wish;
    bool no_wait;        /**< answer at once, with what is known */
    int64_t timeout_ms;  /**< -1: none */
    json_t *names_after; /**< taken over: array of names of services: their units that are wanted are waited for once
                            the replacement of the configuration that is under way is in force; NULL: none */
    json_t *extra;       /**< taken over: members of the result beside `ok` and `services`; NULL: none */
};

/** One request. */
struct parked;

/** Whether C may have one more request waiting; answers the one with ID (borrowed) with an error when not. */
bool parked_has_room(struct client *c, json_t *id) MUST_CHECK NONNULL();

/** Waits on behalf of the request with ID (borrowed) of C for the units of SEL (copied). Must be called before the
 * events are posted that bring it about: runs at that time are remembered. NULL when it has been answered with an error
 * (too many, no memory): nothing must be posted then. */
struct parked *parked_new(struct client *c, json_t *id, const struct select *sel,
                          const struct parked_params *params) MUST_CHECK NONNULL();

/** Called when a request is forgotten, unanswered. */
typedef void parked_gone_fn(void *data);

/** The request with ID (borrowed) of C waits for something else than units: for parked_reply(). If C goes before that,
 * ON_GONE is called with DATA. NULL when it has been answered with an error. */
struct parked *parked_new_other(struct client *c, json_t *id, parked_gone_fn *on_gone, void *data) MUST_CHECK
    NONNULL(1, 2, 3);

/** Answers P, which was made by parked_new_other(), with RESULT (taken over; NULL: memory was short) and frees it. */
void parked_reply(struct parked *p, json_t *result) NONNULL(1);

/** Looks whether P, whose events have been posted now, is settled already, and answers if so: P is gone then. */
void parked_begin(struct parked *p) NONNULL();

/** Looks at all that wait: called when effects have been carried out, for in between a state may be one of passage. */
void parked_settle_all(struct control *c) NONNULL();

/** Forgets all requests of C that wait, unanswered. */
void parked_free_all(struct client *c) NONNULL();

#endif
