/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The stop of one unit: the signal steps, the grace period, SIGKILL at its end, and the wait until nothing
 * is left. The same sequence clears the left-overs of a run that has ended by itself.
 *
 * A unit with kill_mode `main` has nothing but its main process signalled, ever; left-overs of one with orphans
 * `ignore` are neither signalled nor waited for.
 */
#include "core/super_impl.h"

#include "base/parse.h"

#include <signal.h>
#include <stdio.h>

/* Whom a stop signal goes to. False: nobody is left whom we may signal. */
static bool signal_scope(const struct unit *u, enum effect_scope *ret)
{
    bool has_main = unit_has_main(u);

    switch (u->spec->kill_mode) {
    case SPEC_KILL_MAIN:
        *ret = SCOPE_MAIN;
        return has_main;
    case SPEC_KILL_TREE:
        *ret = SCOPE_ALL;
        break;
    case SPEC_KILL_MIXED:
    default:
        *ret = has_main ? SCOPE_MAIN : SCOPE_REST;
        break;
    }
    return has_main || unit_stops_members(u);
}

bool stop_kill_scope(const struct unit *u, enum effect_scope *ret)
{
    bool has_main = unit_has_main(u);

    *ret = SCOPE_ALL;
    if (unit_stops_members(u))
        return true;
    if (u->spec->kill_mode != SPEC_KILL_TREE)
        *ret = SCOPE_MAIN;
    return has_main;
}

static void send_signal(struct super *s, struct unit *u)
{
    enum effect_scope scope = SCOPE_MAIN;
    struct effects_slot *e;

    if (!signal_scope(u, &scope))
        return;
    e = effects_add(&s->effects, EFFECT_SIGNAL, u->index);
    e->run = u->run;
    e->scope = scope;
    e->number = u->end.cause == POLICY_WATCHDOG && u->stop_step == 0 && unit_has_main(u)
                    ? SIGABRT
                    : u->spec->stop_signal[u->stop_step].signal;
}

static void send_kill(struct super *s, struct unit *u)
{
    enum effect_scope scope;
    struct effects_slot *e;

    u->stop_killed = true;
    if (!stop_kill_scope(u, &scope))
        return;
    u->stop_killed_whom = scope;
    e = effects_add(&s->effects, EFFECT_KILL, u->index);
    e->run = u->run;
    e->scope = scope;
}

void stop_adjust(struct super *s, struct unit *u)
{
    bool sent = u->state == UNIT_STOPPING && u->stop_killed && u->phase != UNIT_ASKED && u->hook == SPEC_HOOK_N;

    if (sent && u->stop_killed_whom != SCOPE_ALL && unit_stops_members(u) && life_reserve(s, u))
        send_kill(s, u);
}

/* Sends the signal of the present step and arms the timer for what comes next. The last step lasts for the
 * rest of the grace period, whatever it says. */
static void take_step(struct super *s, struct unit *u)
{
    int64_t wait = u->spec->stop_signal[u->stop_step].wait_ms;
    int64_t at = u->stop_deadline_ms;

    send_signal(s, u);
    if (wait >= 0 && u->stop_step + 1 < u->spec->n_stop_signal && s->now_ms + wait < at)
        at = s->now_ms + wait;
    life_arm(s, u, at);
}

/* There is somebody to signal: the grace period begins. */
static void open_fire(struct super *s, struct unit *u)
{
    u->stop_step = 0;
    u->stop_deadline_ms = s->now_ms + unit_grace_ms(u);
    if (s->killing || unit_grace_ms(u) <= 0)
        send_kill(s, u);
    else
        take_step(s, u);
}

bool stop_enter(struct super *s, struct unit *u)
{
    u->stop_killed = false;
    u->stop_killed_whom = SCOPE_N;
    u->stop_left = false;
    u->stop_back = UNIT_STATE_N;
    return life_enter(s, u, UNIT_STOPPING);
}

void stop_begin(struct super *s, struct unit *u, enum policy_cause cause)
{
    bool was_ready = u->state == UNIT_READY;

    u->end = (struct policy_end){.cause = cause};
    hook_end(s, u);
    if (!stop_enter(s, u))
        return;
    if (u->phase == UNIT_PRE) {
        u->phase = UNIT_ENDED;
        life_finish(s, u);
    } else if (u->phase != UNIT_ASKED) {
        /* A program that is stuck, or that is to be killed, is not asked to get ready for its end. */
        bool polite = was_ready && cause != POLICY_WATCHDOG && unit_grace_ms(u) > 0;
        if (!polite || !hook_begin(s, u, SPEC_HOOK_PRE_STOP))
            open_fire(s, u);
    }
}

/* Those of U's run that a stop ends are to end now, or are gone. */
static void end_rest(struct super *s, struct unit *u, void (*end)(struct super *s, struct unit *u))
{
    if (unit_has_main(u) || u->stop_left)
        end(s, u);
    else
        life_finish(s, u);
}

void stop_action_hooks_done(struct super *s, struct unit *u, const struct event *e)
{
    if (!e->ok)
        report(s, u, LOG_LEVEL_WARN, "hook", "%s", e->text ? e->text : "a command failed");
    if (u->wound_up)
        life_finish(s, u);
    else
        end_rest(s, u, open_fire);
}

/* Nobody waits for the commands of pre_stop or post_stop any more. */
static void cut_hooks(struct super *s, struct unit *u)
{
    hook_end(s, u);
    if (u->wound_up)
        life_finish(s, u);
    else
        end_rest(s, u, send_kill);
}

void stop_action_extend(struct super *s, struct unit *u, const struct event *e)
{
    int64_t until = s->now_ms + e->extend_ms;

    if (u->timer_ms < 0 || u->stop_killed || until <= u->stop_deadline_ms)
        return;
    if (u->timer_ms >= u->stop_deadline_ms)
        life_arm(s, u, until);
    u->stop_deadline_ms = until;
}

void stop_clear(struct super *s, struct unit *u)
{
    if (u->state == UNIT_STOPPING || stop_enter(s, u))
        open_fire(s, u);
}

static void report_stopping(struct super *s, const struct unit *u, const char *verb)
{
    const char *name = parse_signal_name(u->spec->stop_signal[0].signal);
    char grace[REPORT_DURATION_MAX];

    if (u->phase == UNIT_PRE)
        report(s, u, LOG_LEVEL_INFO, "stopping", "%s", verb);
    else if (s->killing || unit_grace_ms(u) <= 0)
        report(s, u, LOG_LEVEL_INFO, "stopping", "%s (SIGKILL)", verb);
    else
        report(s, u, LOG_LEVEL_INFO, "stopping", "%s (%s, SIGKILL after %s)", verb, name ? name : "signal",
               report_duration(unit_grace_ms(u), grace));
}

void stop_set_grace(struct super *s, struct unit *u, const struct event *e)
{
    int64_t before = u->stop_deadline_ms, next = u->timer_ms;
    char grace[REPORT_DURATION_MAX];

    if (!e || !e->has_grace)
        return;
    if (e->grace_ms <= 0 && u->hook != SPEC_HOOK_N) {
        u->stop_grace_ms = e->grace_ms;
        report(s, u, LOG_LEVEL_WARN, "killed", "not waiting for %s", spec_hook_point_name(u->hook));
        cut_hooks(s, u);
        return;
    }
    if (u->stop_killed)
        return;
    u->stop_grace_ms = e->grace_ms;
    if (u->phase == UNIT_ASKED)
        return;
    if (e->grace_ms <= 0) {
        report(s, u, LOG_LEVEL_WARN, "killed", "sending SIGKILL");
        life_disarm(s, u);
        send_kill(s, u);
        return;
    }
    /* Without a timer the stop waits for the end of a child that could not exec. */
    if (next < 0)
        return;
    u->stop_deadline_ms = s->now_ms + e->grace_ms;
    if (next >= before || next > u->stop_deadline_ms)
        life_arm(s, u, u->stop_deadline_ms);
    report(s, u, LOG_LEVEL_INFO, "stopping", "stopping (SIGKILL after %s)", report_duration(e->grace_ms, grace));
}

void stop_action_begin(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    report_stopping(s, u, "stopping");
    stop_begin(s, u, POLICY_ASKED);
}

void stop_action_restart(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    u->again = true;
    report_stopping(s, u, "restarting: stopping");
    stop_begin(s, u, POLICY_ASKED);
}

void stop_action_strays(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    enum unit_state back = u->state;
    struct policy_end end = u->end;

    order_set_due(s, u, false);
    order_note(s, u);
    if (!unit_has_strays(u))
        return;
    report_stopping(s, u, "ending left-over processes");
    stop_begin(s, u, POLICY_ASKED);
    u->stop_back = back;
    u->end = end;
}

void stop_action_newborn(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    if (u->stop_killed)
        send_kill(s, u);
    else
        open_fire(s, u);
}

void stop_action_main_gone(struct super *s, struct unit *u, const struct event *e)
{
    bool failed_child = u->end.cause == POLICY_NO_EXEC;
    bool wait =
        unit_stops_members(u) && (e->n_left > 0 || e->n_dying > 0 || u->strays) && !(failed_child && u->want_up);
    char tail[REPORT_STATUS_MAX] = "";

    if (e->n_left > 0 && wait)
        snprintf(tail, sizeof tail, "left-over processes: %zu, ending them", e->n_left);
    if (!failed_child)
        report_exit(s, u, e, tail);
    if ((e->n_left > 0 || e->n_dying > 0) && !wait && u->spec->orphans != SPEC_ORPHANS_IGNORE)
        u->strays = true;
    if (u->hook != SPEC_HOOK_N)
        u->stop_left = wait;
    else if (!wait)
        life_finish(s, u);
    else if (u->timer_ms < 0 && !u->stop_killed)
        open_fire(s, u);
    else if (u->spec->kill_mode != SPEC_KILL_TREE && !u->stop_killed)
        send_signal(s, u);
}

void stop_action_members_gone(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    u->stop_left = false;
    if (u->hook == SPEC_HOOK_N && (u->phase == UNIT_ENDED || u->phase == UNIT_NO_RUN))
        life_finish(s, u);
}

void stop_action_start_timed_out(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    char limit[REPORT_DURATION_MAX];

    report(s, u, LOG_LEVEL_WARN, "stopping", "not ready after %s; stopping it",
           report_duration(u->spec->start_timeout_ms, limit));
    stop_begin(s, u, POLICY_TIMED_OUT);
}

void stop_action_timer(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    char grace[REPORT_DURATION_MAX];

    if (s->now_ms < u->stop_deadline_ms && u->stop_step + 1 < u->spec->n_stop_signal) {
        u->stop_step++;
        take_step(s, u);
        return;
    }
    if (s->now_ms < u->stop_deadline_ms) {
        life_arm(s, u, u->stop_deadline_ms);
        return;
    }
    report(s, u, LOG_LEVEL_WARN, "killed", "did not end within %s; sending SIGKILL",
           report_duration(unit_grace_ms(u), grace));
    send_kill(s, u);
}

void stop_action_kill(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    if (u->state != UNIT_STOPPING) {
        u->end = (struct policy_end){.cause = POLICY_ASKED};
        hook_end(s, u);
        if (!stop_enter(s, u))
            return;
    }
    if (u->hook != SPEC_HOOK_N) {
        cut_hooks(s, u);
        return;
    }
    if (u->phase == UNIT_PRE) {
        u->phase = UNIT_ENDED;
        life_finish(s, u);
        return;
    }
    if (u->stop_killed)
        return;
    report(s, u, LOG_LEVEL_WARN, "killed", "sending SIGKILL");
    if (u->phase == UNIT_ASKED)
        u->stop_killed = true;
    else
        send_kill(s, u);
}
