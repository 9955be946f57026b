/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Event loops and their two safety nets.
 *
 * DIAGNOSTICS: a system call that fails inside libev is logged; libev then goes on. While the loop is being made, the
 * process ends instead: libev would try again for ever. When an allocation is refused and the reserve is spent
 * libev aborts: it leaves no other way.
 */
#include "logger/loop.h"

#include "base/log.h"

#include <errno.h>
#include <ev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { LOOP_RESERVE = 64 << 10 };

/* Not from mem.h, which would touch all of it: it is room in the C library's heap, and costs no memory before it is
 * used. */
static void *loop_reserve;

static void loop_drop_reserve(void)
{
    free(loop_reserve);
    loop_reserve = NULL;
}

/* libev's arrays are its own, so this goes to the C library: mem.h has no realloc of unknown origin. */
static void *loop_realloc(void *p, long size)
{
    if (size == 0) {
        free(p);
        return NULL;
    }
    void *q = realloc(p, (size_t)size);
    if (q == NULL && loop_reserve != NULL) {
        log_err("memory is short; using the last reserve of %d KiB for the event loop", LOOP_RESERVE >> 10);
        loop_drop_reserve();
        q = realloc(p, (size_t)size);
    }
    return q;
}

static bool loop_is_being_made;

static void loop_on_syserr(const char *what)
{
    log_err("event loop: %s: %s", what, err_errno_text(errno));
    /* Nothing has been started yet, and libev would ask for a descriptor that there is not for ever. */
    if (loop_is_being_made)
        _exit(EX_OSERR);
}

static struct ev_periodic loop_clock;

/* Some time that never comes, though not so far away that libev cannot count it. */
static ev_tstamp loop_far_away(struct ev_periodic *w, ev_tstamp now)
{
    enum { FAR_AWAY_S = 1000000000 };
    (void)w;
    return now + FAR_AWAY_S;
}

static void loop_on_clock(struct ev_loop *loop, struct ev_periodic *w, int revents)
{
    (void)loop;
    (void)w;
    (void)revents;
}

/* By itself libev wakes up once a minute to see whether somebody has set the clock. Where a watcher wants to know, it
 * lets the kernel tell (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET), and sleeps as long as there is nothing to do. */
static void loop_sleep_well(struct ev_loop *loop)
{
    ev_periodic_init(&loop_clock, loop_on_clock, 0., 0., loop_far_away);
    ev_periodic_start(loop, &loop_clock);
    ev_unref(loop);
}

/* A loop that MAKE makes of flags, on the first of our backends that can be had. */
static struct ev_loop *loop_make(struct ev_loop *(*make)(unsigned flags))
{
    struct ev_loop *loop = make(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (loop == NULL)
        loop = make(EVBACKEND_POLL | EVFLAG_NOENV);
    if (loop != NULL)
        loop_sleep_well(loop);
    return loop;
}

struct ev_loop *loop_new(struct err *e)
{
    loop_reserve = malloc(LOOP_RESERVE);
    ev_set_allocator(loop_realloc);
    ev_set_syserr_cb(loop_on_syserr);
    loop_is_being_made = true;
    struct ev_loop *loop = loop_make(ev_default_loop);
    loop_is_being_made = false;
    if (loop == NULL)
        err_set_errno(e, errno, "no event loop (epoll and poll are refused)");
    return loop;
}

struct ev_loop *loop_new_beside(void)
{
    return loop_make(ev_loop_new);
}

void loop_arm(struct ev_loop *loop, struct ev_timer *w, double after)
{
    ev_timer_stop(loop, w);
    /* The loop's own clock stands still while it works: a timer would pass too early by that. */
    ev_now_update(loop);
    ev_timer_set(w, after, 0.);
    ev_timer_start(loop, w);
}

void loop_free(struct ev_loop *loop)
{
    if (loop != NULL)
        ev_loop_destroy(loop);
    loop_drop_reserve();
}
