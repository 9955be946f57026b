/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Services that run by a schedule. One that is wanted waits for its time as others wait for dependencies; when the time
 * comes while it runs, that turn is left out, or made up for when the run has ended.
 */
#include "core/super_impl.h"

static bool is_over(const struct unit *u)
{
    return u->state == UNIT_STOPPED || u->state == UNIT_DONE || u->state == UNIT_FAILED;
}

void due_set(struct super *s, struct unit *u)
{
    u->due = true;
    order_note(s, u);
    if (u->state == UNIT_WAITING)
        order_mark(s, u->service);
}

/* It is its turn, but the last run still goes on, or has not begun. */
static void overlap(struct super *s, struct unit *u)
{
    bool pending = u->queued || u->state == UNIT_WAITING;

    if (u->spec->schedule.overlap == SPEC_OVERLAP_QUEUE && !pending) {
        u->queued = true;
        report(s, u, LOG_LEVEL_INFO, "scheduled", "due while its last run goes on: will run behind that");
        return;
    }
    report(s, u, LOG_LEVEL_WARN, "scheduled", "due while %s: left out",
           pending ? "one more run is due already" : "its last run goes on");
}

void due_take(struct super *s, struct unit *u)
{
    if (s->shutting_down || !spec_is_scheduled(u->spec))
        return;
    if (u->held)
        u->due = u->due || u->want_after;
    if (!u->want_up)
        return;
    if (unit_awaits_schedule(u)) {
        due_set(s, u);
    } else if (is_over(u)) {
        u->due = true;
        life_dispatch(s, u, FSM_WANT_UP, NULL);
        order_note(s, u);
    } else {
        overlap(s, u);
    }
}

void due_look(struct super *s, struct super_service *v)
{
    if (!spec_is_scheduled(v->spec))
        return;
    for (unsigned k = 0; k < v->n; k++) {
        struct unit *u = layout_unit(s->now, v, k);
        if (!u->queued || !u->want_up || u->held || !is_over(u))
            continue;
        u->queued = false;
        u->due = true;
        life_dispatch(s, u, FSM_WANT_UP, NULL);
    }
}
