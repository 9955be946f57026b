/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The commands of the configuration around a run: before its program, when it is ready, before it is stopped, and
 * behind it. Here is when they run and what follows from them; whoever carries out effects runs them.
 */
#include "core/super_impl.h"

#include <sys/wait.h>

bool hook_has(const struct super *s, const struct unit *u, enum spec_hook_point point)
{
    return u->spec->hooks[point].n > 0 && !s->killing;
}

bool hook_begin(struct super *s, struct unit *u, enum spec_hook_point point)
{
    struct effects_slot *e;

    if (!hook_has(s, u, point))
        return false;
    u->hook = point;
    u->acted = true;
    e = effects_add(&s->effects, EFFECT_HOOKS, u->index);
    e->run = u->run;
    e->hook = point;
    if (point != SPEC_HOOK_POST_STOP || !u->ended_known)
        return true;
    e->code_kind = WIFSIGNALED(u->last_wstatus) ? 's' : 'e';
    e->code = WIFSIGNALED(u->last_wstatus) ? WTERMSIG(u->last_wstatus) : WEXITSTATUS(u->last_wstatus);
    return true;
}

void hook_end(struct super *s, struct unit *u)
{
    if (u->hook == SPEC_HOOK_N)
        return;
    u->hook = SPEC_HOOK_N;
    effects_add(&s->effects, EFFECT_END_HOOKS, u->index);
}

bool hook_wind_up(struct super *s, struct unit *u)
{
    if (!u->acted || u->wound_up || u->phase == UNIT_NO_RUN || !hook_has(s, u, SPEC_HOOK_POST_STOP))
        return false;
    if (u->state != UNIT_STOPPING) {
        stop_enter(s, u);
    } else {
        /* Nobody is left whom the next stop signal could go to. */
        life_disarm(s, u);
    }
    u->wound_up = true;
    return u->state != UNIT_STOPPING || hook_begin(s, u, SPEC_HOOK_POST_STOP);
}

static void report_failure(struct super *s, const struct unit *u, const struct event *e, const char *consequence)
{
    report(s, u, LOG_LEVEL_WARN, "hook", "%s%s", e->text ? e->text : "a command failed", consequence);
}

void hook_action_end_preparation(struct super *s, struct unit *u, const struct event *e)
{
    if (e->ok && !u->stop_due) {
        life_spawn(s, u);
        return;
    }
    if (!e->ok)
        report_failure(s, u, e, "; not starting it");
    u->phase = UNIT_ENDED;
    u->end = (struct policy_end){.cause = POLICY_HOOK, .hook = SPEC_HOOK_PRE_START};
    life_finish(s, u);
}

void hook_action_end_post_start(struct super *s, struct unit *u, const struct event *e)
{
    if (e->ok) {
        if (life_enter(s, u, UNIT_READY))
            report(s, u, LOG_LEVEL_INFO, "ready", "ready");
        return;
    }
    report_failure(s, u, e, "; stopping it");
    stop_begin(s, u, POLICY_HOOK);
    u->end.hook = SPEC_HOOK_POST_START;
}
