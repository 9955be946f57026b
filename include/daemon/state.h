/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The table of runs on disk (`state_dir`): which tag belongs to which service, so that a later fosterd can
 * say whose the processes are that an earlier one, killed, has left behind.
 *
 * The file DIR/runs: a first line "foster-runs 1 BOOT-ID LIMIT", then "+ TAG-ID RUN PID SERVICE" when a run begins and
 * "- TAG-ID" when nothing is left of it. DIR/lock is locked while a fosterd uses the directory.
 */
#ifndef FOSTER_DAEMON_STATE_H
#define FOSTER_DAEMON_STATE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "core/attrib.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { STATE_FILE_MAX = 1 << 20 };

/** A state directory in use. Zero-initialised with lock_fd and fd -1: none, and every call does nothing. */
struct state {
    int lock_fd;          /**< owned */
    int fd;               /**< owned; the file of runs, appended to */
    char *dir;            /**< owned */
    uint64_t own_limit;   /**< as for attrib_init() */
    size_t size;          /**< of the file; beyond STATE_FILE_MAX it is written anew */
    bool failing;         /**< said so already */
    struct buf left_over; /**< lines of the runs of an earlier fosterd of which something is still there */
    uint32_t first_id;    /**< where tag ids begin, behind those of processes that are left over */
};

/** A function that names the unit with number UNIT, for writing the file anew. */
typedef const char *state_name_fn(unsigned unit, void *data);

/** Opens the directory DIR (made when it is missing), takes its lock, and reports (by the log) each process that an
 * earlier fosterd on this boot left behind. OWN_LIMIT as for attrib_init(). False with *E: ERR_BUSY when another
 * fosterd uses it. */
bool state_open(struct state *s, const char *dir, uint64_t own_limit, struct err *e) MUST_CHECK NONNULL();

/** Starts a new file for the runs in A, which are few or none at start. Errors are logged once a spell: state is worth
 *  less than services. */
void state_rewrite(struct state *s, const struct attrib *a, state_name_fn *name, void *data) NONNULL(1, 2, 3);

/** Notes that R, a run of the unit called NAME with main process PID, has begun. */
void state_opened(struct state *s, const struct attrib_run *r, pid_t pid, const char *name) NONNULL();

/** Notes that nothing is left of the run with tag id TAG_ID. */
void state_closed(struct state *s, uint32_t tag_id) NONNULL();

/** Removes the file of runs when EMPTY (nothing is left behind), and gives the directory up. */
void state_close(struct state *s, bool empty) NONNULL();

#endif
