/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What happens, as a stream: everything that is reported with an event gets a number, is kept for a while, and goes to
 * those who have subscribed. Numbers are given to all of them, also to those that nobody has asked for.
 */
#ifndef FOSTER_DAEMON_FEED_H
#define FOSTER_DAEMON_FEED_H

#include "base/compiler.h"
#include "base/list.h"
#include "base/log.h"
#include "core/super.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FEED_RECENT_MAX = 256 };

struct engine;

/** One event that is kept. */
struct feed_event;

/** The stream. One an engine; feed_init() makes it. */
struct feed {
    struct feed_event *recent; /**< owned; a ring */
    size_t n_recent;
    size_t next; /**< where the next one goes */
    uint64_t seq;
    struct list subscribers; /**< of struct feed_subscriber.link */
};

/** One who wants to hear. Owned by whoever subscribes; zero-initialised and initialised by feed_subscribe(). */
struct feed_subscriber {
    struct list link;
    bool states;  /**< events of kind `state` too */
    char **names; /**< owned: patterns (fnmatch(3)), and behind them, in order, instances and services wanted; NULL:
                     everything */
    size_t n_names;
    /** Takes a notification as LINE of LEN bytes, its newline included (borrowed; NULL: there was no memory for it).
     * Called from within whatever reports; must not unsubscribe anybody, nor log something with an event. */
    void (*on_event)(struct feed_subscriber *s, const char *line, size_t len);
};

/** Makes F empty and lets it listen to the log (log_set_tap()). */
void feed_init(struct feed *f) NONNULL();

/** Tells of a change of state. */
void feed_state(struct feed *f, const struct unit_view *u, enum unit_state from, enum unit_state to) NONNULL();

/** Begins to tell S, for the services that the array NAMES (NULL: all) names. False without memory. */
bool feed_subscribe(struct feed *f, struct feed_subscriber *s, const json_t *names) MUST_CHECK NONNULL(1, 2);

/** The last N events that S would have been told of, as a JSON array, oldest first. NULL without memory. */
json_t *feed_recent(const struct feed *f, const struct feed_subscriber *s, size_t n) MUST_CHECK NONNULL();

/** Ends S's subscription; harmless when it has none. */
void feed_unsubscribe(struct feed_subscriber *s) NONNULL();

/** Frees what F owns, and stops listening. */
void feed_done(struct feed *f) NONNULL();

#endif
