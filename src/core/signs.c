/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Signs of life: what follows when a run shows that it is ready, or never will be, when its health checks or its
 * watchdog have spoken, and when it names another main process or asks for time.
 */
#include "core/super_impl.h"

void signs_become_ready(struct super *s, struct unit *u)
{
    u->shown_ready = true;
    life_disarm(s, u);
    if (hook_begin(s, u, SPEC_HOOK_POST_START))
        return;
    if (life_enter(s, u, UNIT_READY))
        report(s, u, LOG_LEVEL_INFO, "ready", "ready");
}

void signs_action_early_ready(struct super *s UNUSED, struct unit *u, const struct event *e UNUSED)
{
    u->shown_ready = true;
}

void signs_action_ready(struct super *s, struct unit *u, const struct event *e UNUSED)
{
    if (!u->shown_ready)
        signs_become_ready(s, u);
}

void signs_action_never_ready(struct super *s, struct unit *u, const struct event *e)
{
    if (u->shown_ready)
        return;
    report(s, u, LOG_LEVEL_WARN, "stopping", "%s; stopping it", e->text ? e->text : "it will not be ready");
    stop_begin(s, u, POLICY_UNREADY);
}

void signs_action_health(struct super *s, struct unit *u, const struct event *e)
{
    /* One that waits for its turn to stop may still be needed by whoever has to stop first. */
    if (e->health != UNIT_HEALTH_UNHEALTHY || u->stop_due)
        return;
    switch (u->spec->on_unhealthy) {
    case SPEC_UNHEALTHY_RESTART:
        report(s, u, LOG_LEVEL_WARN, "stopping", "unhealthy; stopping it");
        /* Having passed for ready is worth nothing as long as no check has agreed. */
        if (u->was_healthy)
            unit_note_steady(u, s->now_ms);
        stop_begin(s, u, POLICY_UNHEALTHY);
        break;
    case SPEC_UNHEALTHY_SHUTDOWN:
        life_end_all(s, u, 1);
        break;
    case SPEC_UNHEALTHY_IGNORE:
    case SPEC_UNHEALTHY_N:
        break;
    }
}

void signs_action_bite(struct super *s, struct unit *u, const struct event *e)
{
    report(s, u, LOG_LEVEL_WARN, "watchdog", "%s; stopping it with %s", e->text ? e->text : "watchdog",
           unit_grace_ms(u) > 0 ? "SIGABRT" : "SIGKILL");
    /* So long it has shown nothing. */
    unit_note_steady(u, s->now_ms - u->spec->watchdog_ms);
    stop_begin(s, u, POLICY_WATCHDOG);
}

void signs_action_main(struct super *s, struct unit *u, const struct event *e)
{
    struct effects_slot *slot = effects_add(&s->effects, EFFECT_SET_MAIN, u->index);

    slot->run = u->run;
    slot->pid = e->pid;
    report(s, u, LOG_LEVEL_INFO, "followed", "main process is now %ld (as it says)", (long)e->pid);
    u->followed = true;
    if (u->state == UNIT_RUNNING && !u->shown_ready && unit_is_ready_by_type(u))
        signs_become_ready(s, u);
}

void signs_action_extend(struct super *s, struct unit *u, const struct event *e)
{
    u->extended_ms = s->now_ms + e->extend_ms;
    if (u->timer_ms >= 0 && u->timer_ms < u->extended_ms)
        life_arm(s, u, u->extended_ms);
}
