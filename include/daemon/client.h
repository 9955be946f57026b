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
    CLIENT_UNREAD_ALL_MAX =
        32 << 20, /**< no answer above CLIENT_UNREAD_MAX is added when all clients have so much unread */
    CLIENT_UNREAD_MAX = 256 << 10,  /**< nothing more is added for one who has so much unread */
    CLIENT_STALL_S = 10,            /**< for so long a line may stay unfinished, or everything unread */
    CLIENT_PARKED_MAX = 16,         /**< requests that wait for an outcome */
    CLIENT_PARKED_UNITS_MAX = 1024, /**< units that these wait for together, unless it is one request alone */
    CLIENT_TURN_MS = 10,            /**< of one turn of the loop, for which all clients together begin on requests */
};

struct control;

/** What a client keeps us waiting with. */
enum client_stall { CLIENT_CALM, CLIENT_WITHIN_LINE, CLIENT_UNREAD };

/** One connection. Owned by its control. */
struct client {
    struct control *control; /**< borrowed: the owner */
    struct list link;        /**< in struct control.clients */
    struct list in_due;      /**< in struct control.due */
    int fd;                  /**< owned */
    uid_t uid;
    pid_t pid;
    bool may_look;
    bool may_act;
    struct ev_io io;
    int hangup_fd; /**< owned; readable when its peer is wholly gone; -1 while that can be seen by reading */
    struct ev_io hangup_io;
    struct ev_timer stall;
    struct ev_timer more; /**< goes on with lines that are here already, when others have had their turn */
    struct proto_reader reader;
    struct buf out;
    size_t sent; /**< bytes at the front of out that were written */
    enum client_stall stalled_by;
    bool has_moved;          /**< what it stalls with has gone on since the timer was set */
    int in_kernel;           /**< what it had not read of what was written, when the timer was set */
    bool no_more_input;      /**< nothing is read any more; what it has asked for is still answered */
    enum proto_code refusal; /**< why nothing is read any more; 0: it has shut its side down, or it is read */
    bool is_refused;         /**< it has been told; it ends when that is sent */
    bool doomed;             /**< is freed as soon as nothing of it is being worked on */
    struct list parked;      /**< of struct parked.in_client */
    unsigned n_parked;
    struct feed_subscriber subscriber;
};

/** How many bytes wait for C to read them. */
static inline size_t client_unread(const struct client *c)
{
    return c->out.len - c->sent;
}

/** Makes a connection of FD (taken over in every case). NULL without memory. */
struct client *client_new(struct control *control, int fd, uid_t uid, pid_t pid, bool may_look, bool may_act) MUST_CHECK
    NONNULL();

/** Queues MESSAGE (taken over; NULL: there was no memory for it) for C and writes what can be written. A client that
 * does not read, or for which there is no memory, is doomed. */
void client_send(struct client *c, json_t *message) NONNULL(1);

/** Ends C as soon as nothing works on it any more; WHY is for the log (debug). */
void client_doom(struct client *c, const char *why) NONNULL();

/** Sends what still waits for C to read it, as far as that is possible at once, closes it and frees it, with all that
 *  waits on its behalf. Not for whom C may be working: see client_doom(). */
void client_free(struct client *c) NONNULL();

#endif
