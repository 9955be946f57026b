/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The listening sockets of services: open for as long as the configuration has them, whether or not their service runs,
 * and shared by all its runs and instances.
 */
#ifndef FOSTER_DAEMON_SOCKETS_H
#define FOSTER_DAEMON_SOCKETS_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/spec.h"
#include "sys/spawn.h"

#include <stdbool.h>
#include <stddef.h>

struct engine;
struct engine_unit;
struct sockets_item;

/** All of them, within the engine. Zero is empty. */
struct sockets {
    struct sockets_item *items; /**< owned; in the order of the services and of their keys */
    size_t n;
    struct sockets_item *next; /**< owned; room for the items of the configuration that is to come; NULL: none */
};

/** Opens all sockets of the configuration in force, as far as they can be. False with *E: ENOMEM. */
bool sockets_start(struct engine *g, struct err *e) MUST_CHECK NONNULL();

/** Makes room for the sockets of SET, which is to be put in force. False with ENOMEM. */
bool sockets_reserve(struct engine *g, const struct spec_set *set) MUST_CHECK NONNULL();

/** The set that there is room for is in force in place of the one before, which is still there: what it does not have
 * is closed, and its path removed; what both have stays open; the others are opened. What cannot be opened is told to
 * the log, and tried again when its service is started. */
void sockets_renew(struct engine *g) NONNULL();

/** Opens what of the sockets of U is not open. False with *E ("sockets[0] 0.0.0.0:80: Address already in use"); errnum
 * is EBUSY where that may be otherwise the next time. */
bool sockets_open(struct engine_unit *u, struct err *e) MUST_CHECK NONNULL();

/** Adds to REQ, for the program of U, what it is to be given: its sockets from descriptor 3 on, behind them what is
 * kept for it (see notify.h), LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES; nothing when there is nothing. New memory from
 * A. False with ENOMEM. */
bool sockets_request(struct engine_unit *u, struct arena *a, struct spawn_request *req) MUST_CHECK NONNULL();

/** Closes all, and removes their paths. */
void sockets_stop(struct engine *g) NONNULL();

#endif
