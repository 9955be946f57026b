/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Leaving. See leave.h.
 */
#include "daemon/leave.h"

#include "base/log.h"
#include "daemon/census.h"
#include "daemon/helper.h"
#include "daemon/loop.h"
#include "sys/procfs.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    /* How long PID 1 waits between TERM and KILL for processes that no service of ours owns. */
    LEAVE_GRACE_S = 10,
    /* How long it then waits for those whom SIGKILL has not ended, since it may not signal them or they hang in the
     * kernel. They die with their namespace. */
    LEAVE_LAST_S = 2,
};

static bool leave_somebody_is_there(void)
{
    siginfo_t info;
    return sys_waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

static void leave_loop(struct engine *g)
{
    g->clearing = false;
    ev_timer_stop(g->loop, &g->clear_timer);
    struct log_about about = {.event = "exit", .code = g->exit_code, .code_kind = 'e'};
    log_write(LOG_LEVEL_INFO, &about, "everything is over; exiting with code %d", g->exit_code);
    ev_break(g->loop, EVBREAK_ALL);
}

static void leave_kill(struct engine *g)
{
    if (!g->killing_strangers)
        loop_arm(g->loop, &g->clear_timer, LEAVE_LAST_S);
    g->killing_strangers = true;
    (void)census_signal_everything(g, SIGKILL);
}

/* How long those who are left may take: what remains of the whole stop's budget, so that whoever stops us is not kept
 * waiting longer than promised. */
static double leave_grace(const struct engine *g)
{
    int64_t budget = g->set->supervisor.stop_timeout_ms;
    if (budget <= 0)
        return LEAVE_GRACE_S;
    int64_t left = g->stop_asked_ms > 0 ? g->stop_asked_ms + budget - sys_now_ms() : budget;
    return left > 0 ? (double)left / 1000. : 0.;
}

static void leave_end(struct engine *g)
{
    g->ending_strangers = true;
    log_info("ending what no service owns");
    (void)census_signal_everything(g, SIGTERM);
    loop_arm(g->loop, &g->clear_timer, leave_grace(g));
}

static void leave_check_rest(struct engine *g)
{
    if (!leave_somebody_is_there())
        leave_loop(g);
    else if (g->killing_strangers)
        leave_kill(g);
    else if (super_is_shutting_down(g->super) && !g->ending_strangers)
        leave_end(g);
}

/* PID 1 must not go while a descendant lives: the kernel would kill it without a word. And who cannot see what a
 * command has left behind, for want of /proc, can still wait for it. */
static bool leave_waits(const struct engine *g)
{
    bool blind = g->alone && g->children_source == PROCFS_CHILDREN_NONE;
    bool goes_at_once = g->alone && g->set->supervisor.stop_timeout_ms == 0;
    return (g->is_init || blind) && !goes_at_once && leave_somebody_is_there();
}

/* Waits for those who are left, or goes. */
static void leave_rest(struct engine *g)
{
    g->ending_helpers = false;
    ev_timer_stop(g->loop, &g->clear_timer);
    g->clearing = leave_waits(g);
    if (!g->clearing) {
        leave_loop(g);
        return;
    }
    log_info("waiting for the processes that are left%s", g->is_init ? ", since we are PID 1" : "");
    leave_check_rest(g);
}

static void leave_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct engine *g = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    if (g->ending_helpers) {
        log_warn("commands that ran beside services survive SIGKILL; going without waiting for them");
        leave_rest(g);
        return;
    }
    if (!g->killing_strangers) {
        leave_kill(g);
        return;
    }
    log_warn("some processes survive SIGKILL; going without waiting for them");
    leave_loop(g);
}

void leave_check(struct engine *g)
{
    if (!g->ending_helpers)
        leave_check_rest(g);
    else if (helper_count(g) == 0)
        leave_rest(g);
}

void leave_hurry(struct engine *g, bool kill)
{
    if (g->ending_helpers)
        return;
    if (kill || g->ending_strangers)
        leave_kill(g);
    else
        leave_end(g);
}

/* No helper outlives us: they are killed at once, for nobody waits for what they do any more. */
void leave_begin(struct engine *g)
{
    if (helper_end_all(g) == 0) {
        leave_rest(g);
        return;
    }
    g->clearing = g->ending_helpers = true;
    loop_arm(g->loop, &g->clear_timer, LEAVE_LAST_S);
}

void leave_init(struct engine *g)
{
    ev_timer_init(&g->clear_timer, leave_on_timer, 0., 0.);
    g->clear_timer.data = g;
}
