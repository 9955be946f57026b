/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What follows from the end of a run: the restart policy, and which errors of a start may pass by
 * themselves. Facts in, verdict out.
 */
#ifndef FOSTER_CORE_POLICY_H
#define FOSTER_CORE_POLICY_H

#include "base/compiler.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stdint.h>

/** How a run ended. */
enum policy_cause {
    POLICY_ASKED,     /**< we were asked to stop it: never a failure, never decided upon */
    POLICY_EXITED,    /**< its main process ended by itself */
    POLICY_TIMED_OUT, /**< it was not ready within start_timeout, and we stopped it */
    POLICY_NOT_READY, /**< it ended by itself before it was ready */
    POLICY_UNREADY,   /**< it showed that it never would be ready, and we stopped it */
    POLICY_HOOK,      /**< a command of pre_start or post_start failed */
    POLICY_UNHEALTHY, /**< its health checks failed, and we stopped it */
    POLICY_WATCHDOG,  /**< it did not send WATCHDOG=1 in time, and we stopped it */
    POLICY_NO_DAEMON, /**< a forking service's launcher exited 0 but left no daemon behind */
    POLICY_NO_EXEC,   /**< its program could not be started */
    POLICY_CAUSE_N
};

/** What is to be done. */
enum policy_verdict {
    POLICY_RESTART, /**< again, after a delay */
    POLICY_DONE,    /**< it stays down, and that is a success */
    POLICY_FAILED,  /**< it stays down, and that is a failure */
    POLICY_GAVE_UP, /**< it failed and would be restarted, but max_attempts is used up */
    POLICY_RETRY,   /**< the start failed for a reason that may pass: again, without counting it */
    POLICY_VERDICT_N
};

/** The end of a run. */
struct policy_end {
    enum policy_cause cause;
    int wstatus;               /**< for EXITED, NO_DAEMON and NOT_READY */
    bool oom_killed;           /**< for EXITED: because the memory limit was reached */
    int errnum;                /**< for NO_EXEC */
    bool forked;               /**< for NO_EXEC: there was a process, which could not become the program */
    enum spec_hook_point hook; /**< for HOOK: PRE_START or POST_START */
};

/** Whether the end E of a run of S counts as a success. */
bool policy_is_success(const struct spec *s, const struct policy_end *e) MUST_CHECK NONNULL();

/** What follows from the end E of a run of S, which has been restarted N_ATTEMPTS times since its counters
 *  were last cleared. */
enum policy_verdict policy_decide(const struct spec *s, const struct policy_end *e, uint64_t n_attempts) MUST_CHECK
    NONNULL();

/** Whether an error of fork, or FORKED of all that comes between it and the program, may pass by itself: then it is
 *  nobody's failure. A process that was FORKED and has no room (EAGAIN) is short of what its own user or its own limits
 *  allow, and not of what the machine has. */
bool policy_errno_is_temporary(int errnum, bool forked) MUST_CHECK;

/** Whether a run of S that has been READY for READY_MS is good enough to clear delay and count. One that was never
 *  ready is not, and is not to be asked about. */
bool policy_is_steady(const struct spec *s, int64_t ready_ms) MUST_CHECK NONNULL();

/** The exit status that a shell would give for WSTATUS: the code, or 128 + signal. */
int policy_status_code(int wstatus) MUST_CHECK;

/** The exit status of a daemon that ends because a run ended for good as in E: that of the service, 127 or 126
 *  when it could not be started, never 0 unless SUCCESS. */
int policy_exit_code(const struct policy_end *e, bool success) MUST_CHECK NONNULL();

#endif
