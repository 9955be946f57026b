/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Leaving. See leave.h.
 */
#include "daemon/leave.h"

#include "base/log.h"
#include "daemon/census.h"
#include "daemon/helper.h"
#include "logger/loop.h"
#include "sys/procfs.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    /* How long PID 1 waits between TERM and KILL for processes that no service of ours owns, and how long output that
     * goes out slowly may hold up our exit. */
    LEAVE_GRACE_MS = 10000,
    /* How long it then waits for those whom SIGKILL has not ended, since it may not signal them or they hang in the
     * kernel. They die with their namespace. */
    LEAVE_LAST_S = 2,
    /* How long output may that nobody takes. */
    LEAVE_OUTPUT_S = 2,
};

/* Whether anybody is there but the logger, who goes last. */
static bool leave_somebody_is_there(struct engine *g)
{
    const struct procstat self = {.pid = sys_getpid()};
    siginfo_t info;
    if (g->logger.pid != 0 && census_children_of(g, &self, &g->children)) {
        for (size_t i = 0; i < g->children.n; i++)
            if (!logger_host_is(&g->logger, g->children.pids[i]))
                return true;
        return false;
    }
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

/* How long those who are left may take: what remains of the whole stop's budget, so that whoever stops us is not kept
 * waiting longer than promised. */
static int64_t leave_grace_ms(const struct engine *g)
{
    int64_t budget = g->set->supervisor.stop_timeout_ms;
    if (budget <= 0)
        return LEAVE_GRACE_MS;
    int64_t left = g->stop_asked_ms > 0 ? g->stop_asked_ms + budget - sys_now_ms() : budget;
    return left > 0 ? left : 0;
}

static void leave_wait_for_output(struct engine *g)
{
    g->output_moved = logger_host_moved(&g->logger);
    loop_arm(g->loop, &g->clear_timer, LEAVE_OUTPUT_S);
}

/* Ends the logger, when all output has gone out. True: it is gone. */
static bool leave_output(struct engine *g)
{
    for (unsigned i = 0; i < g->n_units; i++)
        if (g->units[i] != NULL)
            output_close(g->units[i]);
    if (logger_host_leave(&g->logger))
        return true;
    g->clearing = g->ending_output = true;
    g->output_until_ms = sys_now_ms() + leave_grace_ms(g);
    leave_wait_for_output(g);
    return false;
}

/* Nobody is left, or nobody is waited for any more. */
static void leave_last(struct engine *g)
{
    if (leave_output(g))
        leave_loop(g);
}

static void leave_kill(struct engine *g)
{
    if (!g->killing_strangers)
        loop_arm(g->loop, &g->clear_timer, LEAVE_LAST_S);
    g->killing_strangers = true;
    (void)census_signal_everything(g, SIGKILL);
}

static void leave_end(struct engine *g)
{
    g->ending_strangers = true;
    log_info("ending what no service owns");
    (void)census_signal_everything(g, SIGTERM);
    loop_arm(g->loop, &g->clear_timer, (double)leave_grace_ms(g) / 1000.);
}

static void leave_check_rest(struct engine *g)
{
    if (!leave_somebody_is_there(g))
        leave_last(g);
    else if (g->killing_strangers)
        leave_kill(g);
    else if (super_is_shutting_down(g->super) && !g->ending_strangers)
        leave_end(g);
}

/* PID 1 must not go while a descendant lives: the kernel would kill it without a word. And who cannot see what a
 * command has left behind, for want of /proc, can still wait for it. */
static bool leave_waits(struct engine *g)
{
    bool blind = g->alone && g->children_source == PROCFS_CHILDREN_NONE;
    bool goes_at_once = g->alone && g->set->supervisor.stop_timeout_ms == 0;
    return (g->is_init || blind) && !goes_at_once && leave_somebody_is_there(g);
}

/* Waits for those who are left, or goes. */
static void leave_rest(struct engine *g)
{
    g->ending_helpers = false;
    ev_timer_stop(g->loop, &g->clear_timer);
    /* Without /proc nobody can be told from the logger, so that goes first. */
    if (g->children_source == PROCFS_CHILDREN_NONE && !leave_output(g))
        return;
    g->clearing = leave_waits(g);
    if (!g->clearing) {
        leave_last(g);
        return;
    }
    log_info("waiting for the processes that are left%s", g->is_init ? ", since we are PID 1" : "");
    leave_check_rest(g);
}

static void leave_output_ended(struct engine *g)
{
    g->ending_output = false;
    if (g->children_source == PROCFS_CHILDREN_NONE)
        leave_rest(g);
    else
        leave_loop(g);
}

/* What has not gone out by now is lost. */
static void leave_give_output_up(struct engine *g)
{
    /* One that could not be started has no end to be waited for. */
    bool is_over = g->logger.pid == 0 || list_is_empty(&g->logger.streams);
    logger_host_give_up(&g->logger);
    if (is_over)
        leave_loop(g);
    else
        loop_arm(g->loop, &g->clear_timer, LEAVE_LAST_S);
}

/* Whether more of it has gone out, and there is time left. */
static bool leave_output_goes_on(const struct engine *g)
{
    return !list_is_empty(&g->logger.streams) && logger_host_moved(&g->logger) != g->output_moved &&
           sys_now_ms() < g->output_until_ms;
}

static void leave_on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    struct engine *g = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    if (g->ending_output) {
        if (leave_output_goes_on(g))
            leave_wait_for_output(g);
        else
            leave_give_output_up(g);
        return;
    }
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
    leave_last(g);
}

void leave_check(struct engine *g)
{
    if (g->ending_output && logger_host_leave(&g->logger))
        leave_output_ended(g);
    else if (g->ending_output)
        return;
    else if (!g->ending_helpers)
        leave_check_rest(g);
    else if (helper_count(g) == 0)
        leave_rest(g);
}

void leave_hurry(struct engine *g, bool kill)
{
    if (g->ending_helpers || g->ending_output)
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
