/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The restart policy: restart, stay down, or give up; and the triage of errors of a start.
 */
#include "core/policy.h"

#include <errno.h>
#include <sys/wait.h>

/* A service that restarts without a delay must prove itself for at least this long, or it would spin. */
enum { STEADY_MIN_MS = 1000 };

bool policy_errno_is_temporary(int errnum, bool forked)
{
    switch (errnum) {
    case EAGAIN:
        return !forked;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EINTR:
    case ETXTBSY:
    case EIO:
    case EBUSY:
    case ENOSPC:
        return true;
    default:
        return false;
    }
}

bool policy_is_success(const struct spec *s, const struct policy_end *e)
{
    return e->cause == POLICY_ASKED ||
           (e->cause == POLICY_EXITED && spec_exits_has(&s->success_exit_codes, e->wstatus));
}

static enum policy_verdict decide_restart(const struct spec *s, bool success, uint64_t n_attempts)
{
    bool again = false;

    switch (s->restart.policy) {
    case SPEC_RESTART_ON_FAILURE:
        again = !success;
        break;
    case SPEC_RESTART_ALWAYS:
    case SPEC_RESTART_UNLESS_STOPPED:
        again = true;
        break;
    case SPEC_RESTART_NO:
    case SPEC_RESTART_N:
        break;
    }
    if (!again)
        return success ? POLICY_DONE : POLICY_FAILED;
    if (s->restart.max_attempts > 0 && n_attempts >= (uint64_t)s->restart.max_attempts)
        return POLICY_GAVE_UP;
    return POLICY_RESTART;
}

enum policy_verdict policy_decide(const struct spec *s, const struct policy_end *e, uint64_t n_attempts)
{
    switch (e->cause) {
    case POLICY_ASKED:
        return POLICY_DONE;
    case POLICY_NO_EXEC:
        return policy_errno_is_temporary(e->errnum, e->forked) ? POLICY_RETRY : POLICY_FAILED;
    case POLICY_EXITED:
    case POLICY_NOT_READY:
        if (spec_exits_has(&s->no_restart_exit_codes, e->wstatus))
            return POLICY_FAILED;
        break;
    case POLICY_TIMED_OUT:
    case POLICY_UNREADY:
    case POLICY_HOOK:
    case POLICY_UNHEALTHY:
    case POLICY_WATCHDOG:
    case POLICY_NO_DAEMON:
    case POLICY_CAUSE_N:
        break;
    }
    return decide_restart(s, policy_is_success(s, e), n_attempts);
}

bool policy_is_steady(const struct spec *s, int64_t ready_ms)
{
    int64_t least = s->restart.reset_after_ms;

    if (s->restart.delay_ms == 0 && least < STEADY_MIN_MS)
        least = STEADY_MIN_MS;
    return ready_ms >= least;
}

int policy_status_code(int wstatus)
{
    if (WIFEXITED(wstatus))
        return WEXITSTATUS(wstatus);
    return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : 1;
}

int policy_exit_code(const struct policy_end *e, bool success)
{
    int code = 1;

    if (e->cause == POLICY_NO_EXEC)
        code = e->errnum == ENOENT ? 127 : 126;
    else if (e->cause == POLICY_EXITED || e->cause == POLICY_NOT_READY)
        code = policy_status_code(e->wstatus);
    else if (success)
        code = 0;
    return success || code != 0 ? code : 1;
}
