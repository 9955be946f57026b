/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is held back while output is looked at. See hold.h.
 */
#include "daemon/hold.h"

#include "daemon/engine.h"
#include "logger/loop.h"

double hold_s = 5.;

static void hold_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct engine_unit *u = w->data;
    hold_fn *fn = u->held;
    (void)loop;
    (void)revents;
    /* What the logger has said may lie there since before the time was up. */
    logger_host_hear(&u->engine->logger);
    hold_forget(u);
    fn(u);
}

void hold_begin(struct engine_unit *u, hold_fn *fn)
{
    hold_forget(u);
    ev_init(&u->hold_timer, hold_on_timer);
    u->hold_timer.data = u;
    u->held = fn;
    loop_arm(u->engine->loop, &u->hold_timer, hold_s);
}

void hold_release(struct engine_unit *u)
{
    if (u->held != NULL)
        loop_arm(u->engine->loop, &u->hold_timer, 0.);
}

void hold_forget(struct engine_unit *u)
{
    if (u->held != NULL)
        ev_timer_stop(u->engine->loop, &u->hold_timer);
    u->held = NULL;
}
