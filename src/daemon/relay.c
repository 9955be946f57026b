/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Passing signals on. The target is looked up when the signal is passed on, never remembered: the main process is a
 * child that has not been waited for, so its pid, and the group that it is in now, are still its own.
 */
#include "daemon/relay.h"

#include "base/err.h"
#include "base/log.h"
#include "base/parse.h"
#include "daemon/census.h"
#include "logger/loop.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>

static const char *relay_name(int sig)
{
    const char *name = parse_signal_name(sig);
    return name != NULL ? name : "a real-time signal";
}

int relay_rewritten(const struct relay *r, int sig)
{
    return sig > 0 && sig < _NSIG ? r->args->rewrite[sig] : sig;
}

bool relay_stops(const struct initargs *args)
{
    bool limited = args->grace_ms > 0 && (args->persona->stops_by_term || args->grace_set);
    /* A command that is started again after a SIGTERM could never be ended by one. */
    return limited || args->restart.policy != SPEC_RESTART_NO;
}

/* A group that is our own has us in it, and one that the child has not made yet is not there: then the process itself.
 */
static bool relay_send_group(pid_t main_pid, int sig)
{
    pid_t group = sys_getpgid(main_pid);
    return group > 0 && group != sys_getpgid(0) && sys_kill_group(group, sig) == 0;
}

/* Sends SIG to the command, or to who is left of it. False when nobody is there. */
static bool relay_send(const struct relay *r, const struct engine_unit *u, int sig)
{
    bool group = r->args->group && !r->args->single;
    if (u->main_pid == 0)
        return census_signal(r->engine, u, sig, SCOPE_REST) > 0;
    if (group && relay_send_group(u->main_pid, sig))
        return true;
    if (sys_kill(u->main_pid, sig) == 0)
        return true;
    if (errno != ESRCH)
        log_warn("passing %s on to process %d: %s", relay_name(sig), (int)u->main_pid, err_errno_text(errno));
    return false;
}

static void relay_shutdown(struct relay *r)
{
    struct event ev = {.kind = EVENT_SHUTDOWN, .unit = SUPER_NO_UNIT};
    r->stopping = true;
    engine_post(r->engine, &ev);
}

static bool relay_is_request_to_end(const struct relay *r, int sig)
{
    return sig == SIGTERM || sig == SIGINT || (!r->args->pause && (sig == SIGHUP || sig == SIGQUIT));
}

static void relay_pass(struct relay *r, int sig)
{
    int out = relay_rewritten(r, sig);
    struct engine *g = r->engine;
    log_debug("received %s, passing on %s", relay_name(sig), out == 0 ? "nothing" : relay_name(out));
    if (sig == SIGTERM && !r->stopping && relay_stops(r->args)) {
        relay_shutdown(r);
        return;
    }
    if (out == 0 || (engine_at(g, 0) != NULL && relay_send(r, g->units[0], out)))
        return;
    /* Between two runs, or with none at all, there is nobody but us to be asked. */
    if (!r->stopping && relay_is_request_to_end(r, sig))
        relay_shutdown(r);
}

static void relay_on_delay(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    ev_timer_stop(loop, w);
    relay_pass(w->data, SIGTERM);
}

/* Whether this SIGTERM is held back for later. A second one is taken for impatience. */
static bool relay_holds(struct relay *r)
{
    struct ev_loop *loop = r->engine->loop;
    if (r->args->pre_stop_delay_ms <= 0 || r->held)
        return false;
    r->held = true;
    log_info("received SIGTERM, passing it on in %.3f s", (double)r->args->pre_stop_delay_ms / 1000.);
    ev_timer_init(&r->delay, relay_on_delay, 0., 0.);
    r->delay.data = r;
    loop_arm(loop, &r->delay, (double)r->args->pre_stop_delay_ms / 1000.);
    return true;
}

void relay_init(struct relay *r, const struct initargs *args, struct terminal *terminal)
{
    *r = (struct relay){.args = args, .terminal = terminal};
}

static bool relay_is_job_stop(int sig)
{
    return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

void relay_signal(struct relay *r, struct engine *g, int sig)
{
    const struct persona *persona = r->args->persona;
    r->engine = g;
    if (terminal_key(r->terminal, sig) || !persona_forwards(persona, sig))
        return;
    if (sig == SIGCONT && terminal_continued(r->terminal))
        return;
    if (sig == SIGTERM && relay_holds(r))
        return;
    if (sig == SIGTERM)
        ev_timer_stop(g->loop, &r->delay);
    relay_pass(r, sig);
    /* In this order: behind the terminal it would undo a Ctrl-Z. */
    if (sig == SIGCONT)
        terminal_hand_on(r->terminal);
    if (persona->suspends_itself && relay_is_job_stop(sig))
        sys_raise(SIGSTOP);
}
