/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The edges of the life of the whole: nothing to start, an end in the middle of the start, PID 1 with others'
 * left-overs, no descriptors, crowds of left-overs.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/worlds.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void nothing_to_start(const char *yaml)
{
    struct scenario *s = scenario_start(yaml);
    scenario_end(s, 0);
}

static void n01_with_nothing_started_by_itself_it_ends_at_once(void **state)
{
    (void)state;
    nothing_to_start("services: { a: { command: '@ACTOR@ wait', autostart: false } }\n");
}

static void n01_with_no_instances_it_ends_at_once(void **state)
{
    (void)state;
    nothing_to_start("services: { a: { command: '@ACTOR@ wait', scale: 0 } }\n");
}

static void n01_with_no_profile_selected_it_ends_at_once(void **state)
{
    (void)state;
    nothing_to_start("services: { a: { command: '@ACTOR@ wait', profiles: [other] } }\n");
}

static const char many[] = "services: { m: { command: '@ACTOR@ wait', scale: 2000, logging: { driver: none } } }\n";

/* What waits to be started when the end comes is never born. */
static void end_during_the_start(int sig, int code)
{
    struct scenario_options o = {.quiet = true};
    struct scenario *s = scenario_start_with(&o, many);
    (void)scenario_wait(s, "started", "m.1");
    scenario_signal(s, sig);
    scenario_end(s, code);
    scenario_check(s, scenario_count(s, "started", NULL) < 1500);
}

static void n02_a_stop_in_the_middle_of_the_start_starts_no_more(void **state)
{
    (void)state;
    end_during_the_start(SIGTERM, 0);
}

static void n03_quit_in_the_middle_of_the_start_starts_no_more(void **state)
{
    (void)state;
    end_during_the_start(SIGQUIT, 0);
}

/* A member of a run that super has left dies, and leaves a child: that one is still the service's. */
static void n04_the_heirs_of_adopted_left_overs_are_known(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  a:\n"
                   "    type: simple\n"
                   "    orphans: adopt\n"
                   "    restart: no\n"
                   "    command: '@ACTOR@ fork 1 [ await @DIR@/gate fork 1 [ say @DIR@/ear %p wait ] ] exit 0'\n"
                   "  keep: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "exited", "a");
    scenario_open_gate(s, "gate");
    pid_t heir = 0;
    scenario_check(s, sscanf(scenario_heard(s, "ear"), "%d", &heir) == 1);
    (void)scenario_sync(s);
    (void)scenario_wait_pid(s, "adopted", "a", heir);
    scenario_check(s, scenario_count(s, "unclaimed", NULL) == 0);
    scenario_stop(s);
}

static struct scenario *start_init(struct scenario_options *o, const char *yaml)
{
    o->prepare = world_own_proc;
    o->clone_flags = world_pid_namespace();
    if (!o->clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    return scenario_start_with(o, yaml);
}

/* It waits for them by itself; asked once it asks them, asked twice it kills them. */
static void n05_pid_1_at_its_end_obeys_a_second_stop(void **state)
{
    (void)state;
    struct scenario_options o = {0};
    struct scenario *s = start_init(&o, "services:\n"
                                        "  a:\n"
                                        "    type: simple\n"
                                        "    orphans: ignore\n"
                                        "    restart: no\n"
                                        "    command: '@ACTOR@ ignore TERM fork 1 [ wait ] exit 0'\n");
    (void)scenario_wait_text(s, NULL, NULL, "since we are PID 1");
    scenario_signal(s, SIGTERM);
    (void)scenario_wait_text(s, NULL, NULL, "ending what no service owns");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void n06_pid_1_keeps_the_budget_with_strangers_too(void **state)
{
    (void)state;
    struct scenario_options o = {0};
    struct scenario *s = start_init(&o, "supervisor: { stop_timeout: 300ms }\n"
                                        "services:\n"
                                        "  a:\n"
                                        "    type: simple\n"
                                        "    orphans: ignore\n"
                                        "    restart: no\n"
                                        "    command: '@ACTOR@ ignore TERM fork 1 [ wait ] exit 0'\n"
                                        "  keep: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "exited", "a");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void out_of_proc(void *data)
{
    world_own_proc(NULL);
    world_no_proc(data);
}

static void n07_pid_1_without_proc_ends_left_overs(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("mounting needs root");
    }
    struct scenario_options o = {
        .fosterd = FOSTERD_PLAIN, .prepare = out_of_proc, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  a:\n"
                   "    type: simple\n"
                   "    orphans: ignore\n"
                   "    restart: no\n"
                   "    command: '@ACTOR@ fork 1 [ setsid say @DIR@/ear up wait ] exit 0'\n");
    (void)scenario_heard(s, "ear");
    (void)scenario_wait_text(s, NULL, NULL, "since we are PID 1");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void few_descriptors(void *data)
{
    (void)data;
    struct rlimit limit = {40, 40};
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Services that cannot be started for want of descriptors are tried again; the daemon of another is seen all the same.
 */
static void n08_a_daemon_is_found_when_descriptors_are_out(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = few_descriptors};
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  a:\n"
                   "    type: forking\n"
                   "    command: '@ACTOR@ await @DIR@/gate fork 1 [ wait ] exit 0'\n"
                   "    logging: { driver: none }\n"
                   "  hog: { command: '@ACTOR@ wait', scale: 40 }\n");
    (void)scenario_wait_text(s, NULL, NULL, "Too many open files");
    scenario_open_gate(s, "gate");
    (void)scenario_wait(s, "followed", "a");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

/* The pid file's word counts however many were left. */
static void n09_a_pid_file_is_believed_in_a_crowd(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  a:\n"
                   "    type: forking\n"
                   "    pid_file: '@DIR@/pid'\n"
                   "    command: '@ACTOR@ fork 300 [ wait ] fork 1 [ pidfile @DIR@/pid say @DIR@/ear %p wait ] await "
                   "@DIR@/gate exit 0'\n");
    pid_t named = 0;
    scenario_check(s, sscanf(scenario_heard(s, "ear"), "%d", &named) == 1);
    scenario_open_gate(s, "gate");
    scenario_check(s, scenario_wait(s, "followed", "a")->pid == named);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(n01_with_nothing_started_by_itself_it_ends_at_once),
        SCENARIO(n01_with_no_instances_it_ends_at_once),
        SCENARIO(n01_with_no_profile_selected_it_ends_at_once),
        SCENARIO(n02_a_stop_in_the_middle_of_the_start_starts_no_more),
        SCENARIO(n03_quit_in_the_middle_of_the_start_starts_no_more),
        SCENARIO(n04_the_heirs_of_adopted_left_overs_are_known),
        SCENARIO(n05_pid_1_at_its_end_obeys_a_second_stop),
        SCENARIO(n06_pid_1_keeps_the_budget_with_strangers_too),
        SCENARIO(n07_pid_1_without_proc_ends_left_overs),
        SCENARIO(n08_a_daemon_is_found_when_descriptors_are_out),
        SCENARIO(n09_a_pid_file_is_believed_in_a_crowd),
    };
    return SCENARIO_RUN("n_edges", tests);
}
