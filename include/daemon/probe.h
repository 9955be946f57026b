/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One probe of a service: a command that exits with 0, a connection that is accepted, an HTTP request that is answered
 * with a status of 200 to 399. Connections are made by fosterd itself, and nothing waits for them but their owner;
 * names are not looked up ("localhost" is 127.0.0.1, and ::1 where that fails). A command is a helper (helper.h).
 *
 * The time-out bounds the whole probe, however slowly the other side goes on. It is judged by what was seen: what has
 * arrived by the time the loop looks counts, and a loop that was itself away for long begins to count anew.
 */
#ifndef FOSTER_DAEMON_PROBE_H
#define FOSTER_DAEMON_PROBE_H

#include "base/compiler.h"
#include "base/err.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine_unit;

enum { PROBE_OUTPUT_MAX = 4096, PROBE_TEXT_MAX = 384 };

/** One that is under way. */
struct probe;

/** How a probe has ended. Borrowed for the call. */
struct probe_result {
    bool ok;
    const char *text;   /**< for people: "connect 127.0.0.1:80: Connection refused", "HTTP 503", "timed out after 2s" */
    const char *output; /**< at most PROBE_OUTPUT_MAX bytes, any: the last of what a command printed, or the first of
                           the body of an answer; never NULL */
    size_t n_output;
};

/** Told once when the probe has ended, unless it was cancelled, and never before probe_start() has returned; may start
 * the next one, and may do to U whatever it likes. */
typedef void probe_done(const struct probe_result *r, void *data);

/** What to try. */
struct probe_request {
    const struct spec_probe *probe; /**< not SPEC_PROBE_NONE; borrowed for the call */
    const char *what;               /**< for messages of a command: "healthcheck"; borrowed for the call */
    int64_t timeout_ms;             /**< more than 0 */
    bool want_output;               /**< an answer's body is waited for; else its status is enough */
    probe_done *done;
    void *data;
};

/** Begins REQ for U, which must outlive it. On success *RET_PROBE is valid until DONE is called or it is cancelled.
 * False with *E when it cannot even be tried, for want of memory, descriptors or processes: that says nothing about the
 * service, and nobody will be told. */
bool probe_start(struct engine_unit *u, const struct probe_request *req, struct probe **ret_probe,
                 struct err *e) MUST_CHECK NONNULL();

/** Ends P, a command with its whole tree; DONE is not called any more. NULL is fine. */
void probe_cancel(struct probe *p);

#endif
