/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Z: services with a schedule. (Clocks that are set, and local time, are tried without a daemon: core/schedule_test.c,
 * daemon/schedule_test.c, daemon/cron_zone_test.c.)
 */
#include "scenario/support/scenario.h"

#include "scenario/support/ctl_kit.h"

/* It is the only service, nothing runs between its runs, and yet fosterd does not take itself for idle. */
static void z10_every_second(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  tick: { type: oneshot, command: [@ACTOR@, print, tick], schedule: { every: 1s } }\n"
                       "  once: { type: oneshot, command: [@ACTOR@, print, once] }\n"
                       "  leap: { type: oneshot, command: [@ACTOR@], schedule: { cron: \"0 0 29 2 *\" } }\n");
    (void)scenario_wait_state(s, "once", "done");
    (void)scenario_wait_line(s, "tick", "tick");
    (void)scenario_wait_state(s, "tick", "done");
    uint64_t first = scenario_wait(s, "started", "tick")->run;
    scenario_check(s, scenario_wait(s, "started", "tick")->run > first);
    (void)scenario_wait_line(s, "tick", "tick");
    scenario_check(s, scenario_count(s, "started", "once") == 1);
    scenario_check(s, scenario_count(s, "started", "leap") == 0);
    scenario_check(s, scenario_count(s, "scheduled", NULL) == 0);
    scenario_stop(s);
}

/* What is due while the last run goes on: left out, or made up for, once. */
static void z11_overlap(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  leaves-out: { type: oneshot, command: [@ACTOR@, await, gate], working_dir: @DIR@,\n"
                   "                schedule: { every: 1s } }\n"
                   "  makes-up: { type: oneshot, command: [@ACTOR@, await, gate], working_dir: @DIR@,\n"
                   "              schedule: { every: 1s, overlap: queue } }\n");
    (void)scenario_wait_text(s, "scheduled", "leaves-out", "left out");
    (void)scenario_wait_text(s, "scheduled", "makes-up", "will run");
    /* Of several one is kept. */
    (void)scenario_wait_text(s, "scheduled", "makes-up", "left out");
    scenario_check(s, scenario_count(s, "started", "leaves-out") == 1);
    scenario_check(s, scenario_count(s, "started", "makes-up") == 1);
    scenario_open_gate(s, "gate");
    size_t done = scenario_wait_state(s, "makes-up", "done")->seq;
    (void)scenario_wait(s, "started", "makes-up");
    const struct scenario_event *again = scenario_wait(s, "started", "makes-up");
    scenario_check(s, again->seq > done);
    (void)scenario_wait(s, "started", "leaves-out");
    (void)scenario_wait(s, "started", "leaves-out");
    scenario_stop(s);
}

/* A run that fails is followed by the next one that is due; one that is stopped is not. */
static void z12_stop_and_start(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(
        "services:\n"
        "  clock: { type: oneshot, command: [@ACTOR@], schedule: { every: 1s } }\n"
        "  fails: { type: oneshot, command: [@ACTOR@, exit, 3], restart: 'no', schedule: { every: 1s } }\n"
        "  rare: { type: oneshot, command: [@ACTOR@, print, ran], schedule: { cron: \"0 0 29 2 *\" } }\n");
    struct ctl *c = ctl_open(s);
    (void)scenario_wait_state(s, "fails", "failed");
    (void)scenario_wait_state(s, "fails", "failed");
    (void)ctl_call(c, "stop", "{'services':['fails']}");
    (void)scenario_sync(s);
    size_t before = scenario_count(s, "started", "fails"), ticks = scenario_count(s, "started", "clock");
    scenario_wait_count(s, "started", "clock", ticks + 2);
    scenario_check(s, scenario_count(s, "started", "fails") == before);
    /* Somebody who asks for it gets it at once, and by the schedule again from then on. */
    (void)ctl_call(c, "start", "{'services':['rare']}");
    (void)scenario_wait_line(s, "rare", "ran");
    (void)ctl_ask(c, "start", "{'services':['fails']}");
    scenario_wait_count(s, "started", "fails", before + 2);
    scenario_check(s, scenario_count(s, "started", "rare") == 1);
    ctl_close(c);
    scenario_stop(s);
}

/* A schedule is changed, added and taken away while fosterd runs. */
static void z13_reload(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  job: { type: oneshot, command: [@ACTOR@, print, ran], schedule: { cron: \"@yearly\" } }\n");
    struct ctl *c = ctl_open(s);
    (void)scenario_write(s, "foster.yaml", 0644,
                         "services:\n"
                         "  job: { type: oneshot, command: [@ACTOR@, print, ran], schedule: { every: 1s } }\n");
    (void)ctl_call(c, "reload", NULL);
    (void)scenario_wait_line(s, "job", "ran");
    (void)scenario_wait_line(s, "job", "ran");
    (void)scenario_write(s, "foster.yaml", 0644,
                         "services:\n"
                         "  job: { type: oneshot, command: [@ACTOR@, print, ran], schedule: { cron: \"@yearly\" } }\n"
                         "  clock: { type: oneshot, command: [@ACTOR@], schedule: { every: 1s } }\n");
    (void)ctl_call(c, "reload", NULL);
    (void)scenario_sync(s);
    size_t before = scenario_count(s, "started", "job");
    (void)scenario_wait(s, "started", "clock");
    (void)scenario_wait(s, "started", "clock");
    (void)scenario_wait(s, "started", "clock");
    /* One may have been on its way. */
    scenario_check(s, scenario_count(s, "started", "job") <= before + 1);
    ctl_close(c);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(z10_every_second),
        SCENARIO(z11_overlap),
        SCENARIO(z12_stop_and_start),
        SCENARIO(z13_reload),
    };
    return SCENARIO_RUN("z_schedule", tests);
}
