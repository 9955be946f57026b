/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Descriptors that a service leaves with us over its restarts (FDSTORE=1 of sd_notify(3)).
 */
#ifndef FOSTER_DAEMON_NOTIFY_STORE_H
#define FOSTER_DAEMON_NOTIFY_STORE_H

#include "base/compiler.h"
#include "daemon/notify.h"

#include <stdbool.h>
#include <stddef.h>

enum { NOTIFY_STORE_MAX = 64 /**< of one unit; what goes beyond is closed */ };

/** Those of one unit. Zero is empty. */
struct notify_store {
    struct notify_stored items[NOTIFY_STORE_MAX]; /**< oldest first */
    bool keeps[NOTIFY_STORE_MAX];                 /**< it stays when its other end is gone (FDPOLL=0) */
    size_t n;
};

/** Takes the N descriptors FDS over under NAME ("" is "stored"), KEEP: whatever becomes of their other ends. One that
 * is there already, and what there is no room for, is closed; that is told of U. */
void notify_store_add(struct notify_store *s, const struct engine_unit *u, const char *name, bool keep, int *fds,
                      size_t n) NONNULL();

/** Closes all that are called NAME. */
void notify_store_remove(struct notify_store *s, const char *name) NONNULL();

/** Closes those whose other end is gone, as far as they are not to be kept. */
void notify_store_look(struct notify_store *s) NONNULL();

/** Closes all. */
void notify_store_clear(struct notify_store *s) NONNULL();

#endif
