/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is behind a connection, without a socket: a real super whose processes are made up, and a client that writes
 * down what it is sent. The library's client_send() and client_doom() are not linked.
 */
#ifndef FOSTER_TESTS_DAEMON_DESK_H
#define FOSTER_TESTS_DAEMON_DESK_H

#include "unit/core/super_kit.h"

#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/parked.h"

#include "unit/daemon/rig.h"

static struct {
    struct kit k;
    struct engine engine;
    struct control control;
    struct client client;
    json_t *sent; /* owned; array of messages */
    int refuse;   /* the number of the allocation that jansson is refused next, 0: none */
    bool refused;
} desk;

/** For json_set_alloc_funcs(). */
static inline void *desk_alloc(size_t size)
{
    desk.refused = desk.refused || desk.refuse == 1;
    return desk.refuse > 0 && --desk.refuse == 0 ? NULL : malloc(size);
}

void client_send(struct client *c, json_t *message)
{
    int refuse = desk.refuse;
    assert_ptr_equal(c, &desk.client);
    desk.refuse = 0;
    /* Who cannot be sent something is cut off. */
    if (message == NULL && desk.refused)
        c->doomed = true;
    else
        assert_int_equal(json_array_append_new(desk.sent, message), 0);
    desk.refuse = refuse;
}

void client_doom(struct client *c, const char *why)
{
    (void)why;
    c->doomed = true;
}

/** For a test's setup. web requires db; job is a oneshot. Nothing starts by itself. */
static inline int desk_begin(void **state)
{
    struct kit *k = &desk.k;
    if (rig_begin(state) != 0)
        return -1;
    kit_init(k);
    kit_service(k, "db", SPEC_TYPE_SIMPLE);
    kit_depend(kit_service(k, "web", SPEC_TYPE_SIMPLE), "db", SPEC_COND_READY);
    kit_service(k, "job", SPEC_TYPE_ONESHOT);
    for (size_t i = 0; i < k->set.n_services; i++)
        k->specs[i].autostart = false;
    kit_begin(k);
    memset(&desk.engine, 0, sizeof desk.engine);
    desk.engine.loop = rig.loop;
    desk.engine.super = k->super;
    desk.engine.set = &k->set;
    list_init(&desk.engine.attrib.unclaimed);
    desk.control = (struct control){.engine = &desk.engine};
    desk.client = (struct client){.control = &desk.control, .may_look = true, .may_act = true};
    list_init(&desk.control.parked);
    list_init(&desk.client.parked);
    list_init(&desk.client.subscriber.link);
    desk.sent = json_array();
    return 0;
}

/** For a test's teardown: requests that still wait are forgotten. */
static inline int desk_end(void **state)
{
    parked_free_all(&desk.client);
    assert_int_equal(desk.client.n_parked, 0);
    assert_true(list_is_empty(&desk.control.parked));
    json_decref(desk.sent);
    kit_end(&desk.k);
    return rig_end(state);
}

#endif
