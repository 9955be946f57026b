/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One connection to the control socket: lines in, replies and notifications out. It can only ever slow itself down.
 */
#ifndef FOSTER_DAEMON_CLIENT_H
#define FOSTER_DAEMON_CLIENT_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/list.h"
#include "core/proto.h"
#include "daemon/feed.h"

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    CLIENT_UNREAD_MAX = 256 << 10, /**< nothing more is added for one who has so much unread */
    CLIENT_STALL_S = 10,           /**< for so long a line may stay unfinished, or everything unread */
    CLIENT_PARKED_MAX = 16,        /**< requests that wait for an outcome */
};

struct control;

/** One connection. Owned by its control. */
struct client {
    struct control *control; /**< borrowed: the owner */
    struct list link;        /**< in struct control.clients */
    int fd;                  /**< owned */
    uid_t uid;
    pid_t pid;
    bool may_look;
    bool may_act;
    struct ev_io io;
    struct ev_timer stall;
    struct ev_timer more; /**< goes on with lines that are here already, when others have had their turn */
    struct proto_reader reader;
    struct buf out;
    bool no_more_input; /**< it has shut its side down; what it has asked for is still answered */
    bool doomed;        /**< is freed as soon as nothing of it is being worked on */
    struct list parked; /**< of struct parked.in_client */
    unsigned n_parked;
    struct feed_subscriber subscriber;
    bool subscribed;
};

/** Makes a connection of FD (taken over in every case). NULL without memory. */
struct client *client_new(struct control *control, int fd, uid_t uid, pid_t pid, bool may_look, bool may_act) MUST_CHECK
    NONNULL();

/** Queues MESSAGE (taken over; NULL: there was no memory for it) for C and writes what can be written. A client that
 * does not read, or for which there is no memory, is doomed. */
void client_send(struct client *c, json_t *message) NONNULL(1);

/** Ends C as soon as nothing works on it any more; WHY is for the log (debug). */
void client_doom(struct client *c, const char *why) NONNULL();

/** Closes C and frees it, with all that waits on its behalf. */
void client_free(struct client *c) NONNULL();

#endif
