/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Commands that fosterd runs beside a service: hooks, probes, reloads. Each is a run of its own, with a tag of its own,
 * so that whatever it leaves behind is known as its and ends with it; none of it is taken for a process of the service.
 *
 * Nothing waits for a helper but its owner: the loop goes on, and a helper that hangs is killed with its whole tree.
 */
#ifndef FOSTER_DAEMON_HELPER_H
#define FOSTER_DAEMON_HELPER_H

#include "base/compiler.h"
#include "base/err.h"
#include "core/spec.h"
#include "daemon/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { HELPER_OUTPUT_MAX = 4096, HELPER_TEXT_MAX = 384 };

/** One that runs, or that is being killed. */
struct helper;

/** How a helper has ended. Borrowed for the call. */
struct helper_result {
    bool ok;            /**< its main process has exited with 0 in time */
    bool timed_out;     /**< it was killed for having taken too long */
    bool started;       /**< there was a program: wstatus counts */
    int wstatus;        /**< as wait(2) gives it */
    const char *text;   /**< for people: "exited with code 1", "timed out after 2s", "cannot start: exec foo: …" */
    const char *output; /**< the last HELPER_OUTPUT_MAX bytes of both its outputs, when they were captured; any bytes */
    size_t n_output;
};

/** Told once when the helper has ended, unless it was cancelled; may start the next one, for U too. */
typedef void helper_done(struct engine_unit *u, const struct helper_result *r, void *data);

/** What to run. All pointers are borrowed for the call, but for DATA. */
struct helper_request {
    const char *what;             /**< for messages: "pre_start", "healthcheck" */
    char *const *argv;            /**< NULL-terminated */
    const struct spec_hook *hook; /**< whose user, environment and working_dir count; NULL: the service's own */
    const char *const *vars;      /**< NAME=VALUE, on top of everything else; NULL-terminated, or NULL: none */
    int64_t timeout_ms;           /**< 0: none */
    bool capture;                 /**< its output is for the owner; else it goes where that of the service goes */
    helper_done *done;
    void *data;
};

/** Starts REQ beside U, with the service's user, directory, environment and limits. False with *E when there is no
 * process (nobody will be told); a program that cannot be executed is told by DONE. On success *RET_HELPER is valid
 * until DONE is called or it is cancelled. */
bool helper_start(struct engine_unit *u, const struct helper_request *req, struct helper **ret_helper,
                  struct err *e) MUST_CHECK NONNULL();

/** Kills H with its whole tree; DONE is not called any more. NULL is fine. */
void helper_cancel(struct helper *h);

/** What is run in RUN ("pre_start"); NULL: RUN is no helper's. Valid as long as RUN. */
const char *helper_name(const struct attrib_run *run) NONNULL();

/** PID, in the helper's run number RUN, has been reaped with WSTATUS and taken out of the tables. Returns whether it
 * was the main process. Nobody is told before helper_settle(). */
bool helper_died(struct engine *g, uint64_t run, pid_t pid, int wstatus) NONNULL();

/** All deaths of a slice have been taken in: when the helper's run number RUN was among them and is over, its tree is
 * killed, or its owner told. */
void helper_settle(struct engine *g, uint64_t run) NONNULL();

/** U is about to go, and so have the owners of its helpers: cancels those that are left, and goes on without U until
 * they are gone. */
void helper_forget_unit(struct engine_unit *u) NONNULL();

/** G is over: kills all its helpers. Their owners are told as ever, but start no new ones. Returns helper_count(). */
size_t helper_end_all(struct engine *g) NONNULL();

/** How many helpers of G have processes that we may kill. */
size_t helper_count(const struct engine *g) NONNULL();

/** Frees what is left of helpers, at the end of G, and waits for none of their processes. */
void helper_free_all(struct engine *g) NONNULL();

#endif
