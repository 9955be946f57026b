/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control socket: its lock, its place in the file system, who may connect, and the connections.
 */
#ifndef FOSTER_DAEMON_CONTROL_H
#define FOSTER_DAEMON_CONTROL_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/list.h"
#include "base/runtime.h"
#include "daemon/feed.h"
#include "sys/usock.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CONTROL_CLIENTS_MAX = 64 };

struct engine;

/** The control plane of one engine. */
struct control {
    struct engine *engine; /**< borrowed */
    char path[RUNTIME_PATH_MAX + 1];
    char lock_path[RUNTIME_PATH_MAX + 8];
    int lock_fd;              /**< owned; -1: none */
    int listen_fd;            /**< owned; -1: none */
    int watch_fd;             /**< owned; tells when the socket is removed; -1: nobody does */
    struct usock_place place; /**< of the socket that listen_fd is */
    bool is_default;          /**< the directory is ours to make and to guard */
    struct ev_io listen_io;
    struct ev_io watch_io;
    struct ev_timer retry; /**< goes on with what there were no descriptors for */
    bool is_short;         /**< there were none, and that was told */
    bool is_lost;          /**< the socket could not be made anew, and that was told */
    mode_t mode;           /**< of the socket */
    gid_t group;           /**< (gid_t)-1: none */
    bool group_acts;
    struct list clients; /**< of struct client.link */
    unsigned n_clients;
    struct list due;      /**< of struct client.in_due: who has been put off, the one that waits longest first */
    unsigned turn;        /**< of the loop: the last one in which a client had its turn */
    int64_t turn_ends_ms; /**< when there is no more time for clients in it; 0: there was none yet */
    struct list parked;   /**< of struct parked.link */
    bool unsettled;       /**< something has happened that may settle one of them */
    struct feed feed;
};

/** Opens the control socket of G by its configuration. NULL with *E: ERR_BUSY when another fosterd has it; anything
 * else costs only the control plane. */
struct control *control_open(struct engine *g, struct err *e) MUST_CHECK NONNULL();

/** Makes sure that the socket is where it belongs, and makes it anew where somebody has removed it. */
void control_check(struct control *c) NONNULL();

/** A client has been freed: its place and its descriptor are there for another. */
void control_client_gone(struct control *c) NONNULL();

/** Unit number UNIT has changed its state. Called while effects are carried out. */
void control_on_state(struct control *c, unsigned unit, enum unit_state from, enum unit_state to) NONNULL();

/** All effects have been carried out: requests whose outcome is known now are answered. */
void control_settle(struct control *c) NONNULL();

/** Ends all connections, removes the socket, gives the lock up and frees C; NULL is fine. */
void control_close(struct control *c);

#endif
