/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The life of one unit: the actions of the state table from coming up to the decision after an end. Here is
 * the one place in which a state is left and entered.
 *
 * DIAGNOSTICS: a pair of state and event that the table does not have, and a transition it does not allow, are
 * bugs of ours: reported, and the unit is quarantined (killed, FAILED). Test builds abort.
 */
#include "core/super_impl.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* No cell has more effects than this, what follows for the whole daemon included. */
enum { CELL_EFFECTS_MAX = 24 };

typedef void life_action(struct super *s, struct unit *u, const struct event *e);

void life_arm(struct super *s, struct unit *u, int64_t at_ms)
{
    u->timer_ms = at_ms;
    effects_add(&s->effects, EFFECT_ARM_TIMER, u->index)->at_ms = at_ms;
}

void life_disarm(struct super *s, struct unit *u)
{
    if (u->timer_ms < 0)
        return;
    u->timer_ms = -1;
    effects_add(&s->effects, EFFECT_CANCEL_TIMER, u->index);
}

/* Leaves the present state and enters TO, whether that is allowed or not. */
static void move(struct super *s, struct unit *u, enum unit_state to)
{
    enum unit_state from = u->state;
    struct effects_slot *e;

    life_disarm(s, u);
    unit_set_state(u, to);
    u->since_ms = s->now_ms;
    /* What a run that is about to be restarted comes to is no outcome of the restart. */
    if (!u->again && (to == UNIT_READY || to == UNIT_DONE || to == UNIT_FAILED))
        u->start_settled = true;
    list_remove(&u->in_waiting);
    if (to == UNIT_WAITING) {
        list_append(&s->now->services[u->service].waiting, &u->in_waiting);
        order_mark(s, u->service);
    }
    if (!unit_can_stop(u))
        order_set_due(s, u, false);
    if (!unit_is_active(u))
        u->stop_grace_ms = -1;
    /* It was due once more while it ran. */
    if (u->queued && (to == UNIT_STOPPED || to == UNIT_DONE || to == UNIT_FAILED))
        order_mark(s, u->service);
    e = effects_add(&s->effects, EFFECT_STATE, u->index);
    e->from = from;
    e->to = to;
    order_note(s, u);
}

static void close_run(struct super *s, struct unit *u)
{
    if (u->phase == UNIT_NO_RUN)
        return;
    hook_end(s, u);
    unit_end_run(u);
    effects_add(&s->effects, EFFECT_CLOSE_RUN, u->index)->run = u->run;
}

void life_end_all(struct super *s, const struct unit *u, int code)
{
    if (s->shutting_down || s->end_due)
        return;
    s->end_due = true;
    s->end_code = code;
    s->end_unit = u->index;
}

/* U has ended for good: what that means for the daemon. */
static void conclude(struct super *s, struct unit *u, int code)
{
    const struct spec *spec = u->spec;
    enum spec_end_action action = u->state == UNIT_DONE ? spec->on_success : spec->on_failure;

    u->final_code = code;
    u->final_seq = s->next_final++;
    if (spec->essential || action == SPEC_END_SHUTDOWN)
        life_end_all(s, u, code);
}

void life_quarantine(struct super *s, struct unit *u, const char *event, const char *why)
{
    enum effect_scope scope;
    bool alive = u->phase != UNIT_NO_RUN || u->strays;
    bool kill = alive && (stop_kill_scope(u, &scope) || u->phase == UNIT_ASKED);

    report(s, u, LOG_LEVEL_ERROR, event, "%s", why);
    close_run(s, u);
    if (kill) {
        /* Behind the closing, after which nobody is signalled any more on behalf of that run's stop. */
        struct effects_slot *e = effects_add(&s->effects, EFFECT_KILL, u->index);
        e->run = u->run;
        e->scope = scope;
    }
    u->strays = alive && u->spec->orphans != SPEC_ORPHANS_IGNORE;
    u->want_up = false;
    u->again = false;
    u->end = (struct policy_end){.cause = POLICY_ASKED};
    move(s, u, UNIT_FAILED);
    conclude(s, u, 1);
}

static void bug(struct super *s, struct unit *u, const char *what)
{
    char text[EFFECT_TEXT_MAX];

#ifdef FOSTER_ABORT_ON_BUG
    abort();
#endif
    snprintf(text, sizeof text, "cannot happen: %s while %s", what, unit_state_name(u->state));
    life_quarantine(s, u, "bug", text);
}

bool life_enter(struct super *s, struct unit *u, enum unit_state to)
{
    if (!fsm_may_enter(to, u->state) || (s->rule && !(s->rule->to & FSM_BIT(to)))) {
        bug(s, u, unit_state_name(to));
        return false;
    }
    move(s, u, to);
    return true;
}

static void come_up(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    unit_begin_anew(u);
    if ((u->state == UNIT_FAILED || u->state == UNIT_STOPPED) && u->strays && unit_clears_orphans(u)) {
        u->again = true;
        stop_begin(s, u, POLICY_ASKED);
    } else {
        life_enter(s, u, UNIT_WAITING);
    }
}

static void spawn(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    if (!life_enter(s, u, UNIT_STARTING))
        return;
    unit_begin_run(u, s->next_run++);
    u->phase = UNIT_PRE;
    if (!hook_begin(s, u, SPEC_HOOK_PRE_START))
        life_spawn(s, u);
}

void life_spawn(struct super *s, struct unit *u)
{
    u->phase = UNIT_ASKED;
    effects_add(&s->effects, EFFECT_SPAWN, u->index)->run = u->run;
}

static void fail_dependency(struct super *s, struct unit *u, const struct event *e)
{
    u->end = (struct policy_end){.cause = POLICY_ASKED};
    u->lost = true;
    report(s, u, LOG_LEVEL_ERROR, "failed", "%s", e->text);
    if (life_enter(s, u, UNIT_FAILED))
        conclude(s, u, 1);
}

static void stand_down(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    if (unit_has_strays(u)) {
        stop_begin(s, u, POLICY_ASKED);
        return;
    }
    report(s, u, LOG_LEVEL_INFO, "stopped", "stopped");
    life_enter(s, u, UNIT_STOPPED);
}

static void start_again(struct super *s, struct unit *u, const struct event *e)
{
    u->again = true;
    u->start_settled = false;
    stop_set_grace(s, u, e);
}

static void stay_down(struct super *s, struct unit *u, const struct event *e)
{
    u->again = false;
    stop_set_grace(s, u, e);
}

static void forget(struct super *s UNUSED, struct unit *u, const struct event *e UNUSED)
{
    unit_forget_failures(u);
}

static void forgive(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    bool due = u->stop_due;

    unit_forget_failures(u);
    u->want_up = false;
    report(s, u, LOG_LEVEL_INFO, "stopped", "failure forgotten; stopped");
    life_enter(s, u, UNIT_STOPPED);
    /* Left-overs that were about to be ended still are. */
    order_set_due(s, u, due);
}

static void note_spawned(struct super *s UNUSED, struct unit *u UNUSED, const struct event *e UNUSED)
{
    /* unit_note() has taken it to the books; the cell says that it is expected here. */
}

static const char *failure_text(const struct event *e)
{
    return e->text ? e->text : err_errno_text(e->errnum);
}

static void report_no_start(struct super *s, struct unit *u, const struct event *e)
{
    if (policy_errno_is_temporary(e->errnum, e->kind == EVENT_EXEC_FAILED))
        report(s, u, LOG_LEVEL_WARN, "backoff", "cannot start: %s%s", failure_text(e),
               u->want_up ? "; trying again" : "");
    else
        report(s, u, LOG_LEVEL_ERROR, "failed", "cannot start: %s", failure_text(e));
}

static void after_spawn_failed(struct super *s, struct unit *u, const struct event *e)
{
    report_no_start(s, u, e);
    life_finish(s, u);
}

static void forget_unborn(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    life_finish(s, u);
}

static void confirm_run(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    if (!life_enter(s, u, UNIT_RUNNING))
        return;
    report(s, u, LOG_LEVEL_INFO, "started", "started");
    if (u->shown_ready || unit_is_ready_by_type(u))
        signs_become_ready(s, u);
    else if (u->spec->start_timeout_ms > 0)
        life_arm(s, u, s->now_ms + u->spec->start_timeout_ms);
}

/* The child could not exec; its end is still to come, and nothing may be started before that. */
static void await_failed_child(struct super *s, struct unit *u, const struct event *e)
{
    report_no_start(s, u, e);
    (void)stop_enter(s, u);
}

/* Has the service daemonized? Then its daemon is the main process from now on. */
static bool follow(struct super *s, struct unit *u, const struct event *e)
{
    const struct spec *spec = u->spec;
    bool in_time = spec->start_timeout_ms == 0 || s->now_ms - u->exec_ms <= spec->start_timeout_ms;
    pid_t daemon_pid;
    struct effects_slot *slot;

    if (spec->type != SPEC_TYPE_AUTO && spec->type != SPEC_TYPE_FORKING)
        return false;
    if (!u->want_up || !e->left || e->n_left == 0 || !WIFEXITED(e->wstatus) || WEXITSTATUS(e->wstatus) != 0)
        return false;
    if (!in_time && !(u->state == UNIT_RUNNING && spec->type == SPEC_TYPE_FORKING))
        return false;
    daemon_pid = e->left[attrib_follow(e->left, e->n_left, e->pid_file_pid)].pid;
    u->phase = UNIT_EXECED;
    u->main_pid = daemon_pid;
    u->followed = true;
    slot = effects_add(&s->effects, EFFECT_SET_MAIN, u->index);
    slot->run = u->run;
    slot->pid = daemon_pid;
    report(s, u, LOG_LEVEL_INFO, "followed", "main process is now %ld (the daemon that %ld left behind)",
           (long)daemon_pid, (long)e->pid);
    if (u->state == UNIT_RUNNING && !u->shown_ready && unit_is_ready_by_type(u))
        signs_become_ready(s, u);
    return true;
}

/* How the run of U ended whose main process has just ended as in E. */
static struct policy_end end_of(const struct unit *u, const struct event *e)
{
    struct policy_end end = {.cause = POLICY_EXITED, .wstatus = e->wstatus, .oom_killed = e->oom_killed};
    bool unready = u->state == UNIT_RUNNING && !u->shown_ready;

    if (unready && u->spec->type == SPEC_TYPE_FORKING && !u->followed && WIFEXITED(e->wstatus) &&
        WEXITSTATUS(e->wstatus) == 0)
        end.cause = POLICY_NO_DAEMON;
    else if (unready && spec_ready_kind(u->spec) != SPEC_READY_TYPE)
        end.cause = POLICY_NOT_READY;
    return end;
}

static void after_exit(struct super *s, struct unit *u, const struct event *e)
{
    bool comes_down = !u->want_up || u->again;
    bool clear = comes_down ? unit_stops_members(u) : unit_clears_orphans(u);
    char tail[REPORT_STATUS_MAX];

    if (follow(s, u, e))
        return;
    hook_end(s, u);
    u->end = end_of(u, e);
    unit_note_steady(u, s->now_ms);
    if (clear && (e->n_left > 0 || e->n_dying > 0 || (u->strays && comes_down))) {
        snprintf(tail, sizeof tail, "left-over processes: %zu, ending them", e->n_left);
        report_exit(s, u, e, e->n_left > 0 ? tail : "ending left-over processes");
        stop_clear(s, u);
        return;
    }
    if ((e->n_left > 0 || e->n_dying > 0) && u->spec->orphans != SPEC_ORPHANS_IGNORE)
        u->strays = true;
    if (hook_has(s, u, SPEC_HOOK_POST_STOP)) {
        report_exit(s, u, e, "running post_stop");
        life_finish(s, u);
    } else if (u->again) {
        report_exit(s, u, e, "restarting");
        life_finish(s, u);
    } else if (u->want_up) {
        life_decide(s, u, e);
    } else {
        report_exit(s, u, e, "stopped");
        close_run(s, u);
        life_enter(s, u, UNIT_STOPPED);
    }
}

static void tell_suspended(struct super *s, struct unit *u, const struct event *e)
{
    int sig = WIFSTOPPED(e->wstatus) ? WSTOPSIG(e->wstatus) : 0;

    report(s, u, LOG_LEVEL_WARN, "suspended", "main process suspended by signal %d", sig);
}

static void tell_resumed(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    report(s, u, LOG_LEVEL_INFO, "resumed", "main process goes on");
}

static void backoff_over(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    /* It is still the turn that it failed in. */
    u->due = true;
    life_enter(s, u, UNIT_WAITING);
}

void life_finish(struct super *s, struct unit *u)
{
    /* What earlier runs have left behind stays for the next one, but not for none, nor for one with a clean start. */
    if ((!u->want_up || u->again) && unit_has_strays(u)) {
        stop_clear(s, u);
        return;
    }
    if (hook_wind_up(s, u))
        return;
    close_run(s, u);
    if (u->again) {
        u->again = false;
        unit_begin_anew(u);
        life_enter(s, u, UNIT_WAITING);
    } else if (u->want_up) {
        life_decide(s, u, NULL);
    } else {
        bool final = u->stop_back != UNIT_STATE_N;
        report(s, u, LOG_LEVEL_INFO, "stopped", "stopped");
        life_enter(s, u, final ? u->stop_back : UNIT_STOPPED);
    }
}

/* The next start is AFTER ms away. */
static void back_off(struct super *s, struct unit *u, int64_t after)
{
    if (life_enter(s, u, UNIT_BACKOFF))
        life_arm(s, u, s->now_ms + after);
}

static void restart(struct super *s, struct unit *u, const struct event *e)
{
    int64_t delay = backoff_next(&u->backoff, &u->spec->restart, &s->seed);
    long long max = (long long)u->spec->restart.max_attempts;
    char text[REPORT_STATUS_MAX + REPORT_DURATION_MAX], wait[REPORT_DURATION_MAX], of[REPORT_DURATION_MAX] = "";

    u->n_attempts++;
    u->n_restarts++;
    if (max > 0)
        snprintf(of, sizeof of, " of %lld", max);
    snprintf(text, sizeof text, "restarting in %s (restart %llu%s)", report_duration(delay, wait),
             (unsigned long long)u->n_attempts, of);
    if (e)
        report_exit(s, u, e, text);
    else
        report(s, u, LOG_LEVEL_INFO, "backoff", "%s", text);
    close_run(s, u);
    back_off(s, u, delay);
}

static void succeed(struct super *s, struct unit *u, const struct event *e)
{
    if (e)
        report_exit(s, u, e, "done");
    else
        report(s, u, LOG_LEVEL_INFO, "done", "done");
    close_run(s, u);
    if (life_enter(s, u, UNIT_DONE))
        conclude(s, u, policy_exit_code(&u->end, true));
}

static void fail(struct super *s, struct unit *u, const struct event *e, bool gave_up)
{
    if (e)
        report_exit(s, u, e, "not restarting");
    report_failed(s, u, gave_up);
    close_run(s, u);
    if (life_enter(s, u, UNIT_FAILED))
        conclude(s, u, policy_exit_code(&u->end, false));
}

void life_decide(struct super *s, struct unit *u, const struct event *e)
{
    enum policy_verdict verdict = policy_decide(u->spec, &u->end, u->n_attempts);

    switch (verdict) {
    case POLICY_RESTART:
        restart(s, u, e);
        break;
    case POLICY_RETRY:
        close_run(s, u);
        back_off(s, u, backoff_next(&u->spawn_backoff, backoff_for_spawn(), &s->seed));
        break;
    case POLICY_DONE:
        succeed(s, u, e);
        break;
    case POLICY_FAILED:
    case POLICY_GAVE_UP:
    case POLICY_VERDICT_N:
        fail(s, u, e, verdict == POLICY_GAVE_UP);
        break;
    }
}

static life_action *const actions[] = {
    [FSM_BUG] = NULL,
    [FSM_NOTHING] = NULL,
    [FSM_come_up] = come_up,
    [FSM_spawn] = spawn,
    [FSM_fail_dependency] = fail_dependency,
    [FSM_stand_down] = stand_down,
    [FSM_begin_stop] = stop_action_begin,
    [FSM_begin_restart] = stop_action_restart,
    [FSM_start_again] = start_again,
    [FSM_stay_down] = stay_down,
    [FSM_forget] = forget,
    [FSM_forgive] = forgive,
    [FSM_end_strays] = stop_action_strays,
    [FSM_note_spawned] = note_spawned,
    [FSM_signal_newborn] = stop_action_newborn,
    [FSM_after_spawn_failed] = after_spawn_failed,
    [FSM_forget_unborn] = forget_unborn,
    [FSM_confirm_run] = confirm_run,
    [FSM_await_failed_child] = await_failed_child,
    [FSM_after_exit] = after_exit,
    [FSM_main_gone] = stop_action_main_gone,
    [FSM_members_gone] = stop_action_members_gone,
    [FSM_start_timed_out] = stop_action_start_timed_out,
    [FSM_stop_timer] = stop_action_timer,
    [FSM_backoff_over] = backoff_over,
    [FSM_kill_now] = stop_action_kill,
    [FSM_end_preparation] = hook_action_end_preparation,
    [FSM_note_early_ready] = signs_action_early_ready,
    [FSM_show_ready] = signs_action_ready,
    [FSM_end_post_start] = hook_action_end_post_start,
    [FSM_never_ready] = signs_action_never_ready,
    [FSM_note_health] = signs_action_health,
    [FSM_bite] = signs_action_bite,
    [FSM_change_main] = signs_action_main,
    [FSM_extend_start] = signs_action_extend,
    [FSM_extend_stop] = stop_action_extend,
    [FSM_go_on_stopping] = stop_action_hooks_done,
    [FSM_tell_suspended] = tell_suspended,
    [FSM_tell_resumed] = tell_resumed,
};
static_assert(ARRAY_LEN(actions) == FSM_ACTION_N, "every action has a function");

bool life_reserve(struct super *s, struct unit *u)
{
    if (u->no_memory)
        return false;
    if (effects_reserve(&s->effects, CELL_EFFECTS_MAX))
        return true;
    u->no_memory = true;
    s->n_no_memory++;
    return false;
}

void life_dispatch(struct super *s, struct unit *u, enum fsm_event ev, const struct event *e)
{
    const struct fsm_rule *rule = fsm_rule(u->state, ev);

    if (rule->action == FSM_NOTHING || !life_reserve(s, u))
        return;
    if (rule->action == FSM_BUG) {
        bug(s, u, fsm_event_name(ev));
        return;
    }
    s->rule = rule;
    actions[rule->action](s, u, e);
    s->rule = NULL;
}
