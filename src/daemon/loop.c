/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The event loop and its two safety nets.
 *
 * DIAGNOSTICS: a system call that fails inside libev is logged; libev then goes on. Only when an allocation is refused
 * and the reserve is spent does libev abort: it leaves no other way.
 */
#include "daemon/loop.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

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

static void loop_on_syserr(const char *what)
{
    log_err("event loop: %s: %s", what, err_errno_text(errno));
}

struct ev_loop *loop_new(struct err *e)
{
    loop_reserve = malloc(LOOP_RESERVE);
    ev_set_allocator(loop_realloc);
    ev_set_syserr_cb(loop_on_syserr);
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (loop == NULL)
        loop = ev_default_loop(EVBACKEND_POLL | EVFLAG_NOENV);
    if (loop == NULL)
        err_set_errno(e, errno, "no event loop (epoll and poll are refused)");
    return loop;
}

void loop_free(struct ev_loop *loop)
{
    if (loop != NULL)
        ev_loop_destroy(loop);
    loop_drop_reserve();
}
