/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * F: full houses. A limit on processes that unreaped orphans would fill stays empty under fosterd; and where it is full
 * all the same, fosterd waits and tries again instead of blaming a service or ending.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/house.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PIDS_MAX = 1002, FULL_GUARD_MS = 150000 };

static void f01_with_an_init_that_never_waits_fork_fails(void **state)
{
    (void)state;
    static const char *const args[] = {FIXTURE, "litter", "1000", "fork",  "1",      "[",
                                       "exit",  "0",      "]",    "print", "passed", NULL};
    house_make(PIDS_MAX);
    struct scenario *s = scenario_new();
    char *init = scenario_expand(s, "@FIXTURES@/noreap-init");
    struct scenario_options o = {.prepare = house_enter,
                                 .data = &o,
                                 .clone_flags = world_pid_namespace(),
                                 .fosterd = init,
                                 .args = args,
                                 .no_config = true};
    scenario_spawn(s, &o, "");
    free(init);
    (void)scenario_wait_raw(s, "actor: fork: Resource temporarily unavailable");
}

/** One round fits into the group even when fosterd gets no processor meanwhile; the next ones pass only because those
 * before have been cleared away. */
static void f02_with_fosterd_round_after_round_passes(void **state)
{
    (void)state;
    const int rounds = getenv("FOSTER_TEST_THOROUGH") ? 100 : 15;
    char *yaml = NULL;
    house_make(PIDS_MAX);
    struct scenario_options o = {.prepare = house_enter,
                                 .data = &o,
                                 .clone_flags = world_pid_namespace(),
                                 .guard_ms = FULL_GUARD_MS,
                                 .quiet = true};
    struct scenario *s = scenario_new();
    scenario_check(s, asprintf(&yaml,
                               "services:\n"
                               "  round:\n"
                               "    type: simple\n"
                               "    command: '@ACTOR@ litter 1000 fork 1 [ exit 0 ] reap print passed'\n"
                               "    restart: { policy: always, delay: 10ms, max_delay: 10ms, max_attempts: %d }\n",
                               rounds - 1) > 0);
    scenario_spawn(s, &o, yaml);
    free(yaml);
    (void)scenario_wait(s, "failed", "round");
    (void)scenario_wait_exit(s);
    scenario_check(s, scenario_lines(s, "round") == (size_t)rounds);
    scenario_end(s, 1);
}

static void f03_a_full_cgroup_delays_a_start_and_fails_nobody(void **state)
{
    (void)state;
    house_make(3);
    struct scenario_options o = {.prepare = house_enter};
    struct scenario *s = scenario_start_with(&o, "services:\n"
                                                 "  a: { command: '@ACTOR@ wait' }\n"
                                                 "  b: { command: '@ACTOR@ wait' }\n"
                                                 "  c: { command: '@ACTOR@ wait', restart: 'no' }\n");
    (void)scenario_wait_text(s, "backoff", "c", "Resource temporarily unavailable");
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    assert_true(house_put("pids.max", "10"));
    (void)scenario_wait(s, "ready", "c");
    scenario_check(s, scenario_count(s, "failed", NULL) == 0);
    scenario_stop(s);
}

static uid_t crowded_uid;

static void crowded_user(void *data)
{
    /* fosterd, the logger and two services. */
    struct rlimit limit = {4, 4};
    (void)setrlimit(RLIMIT_NPROC, &limit);
    world_user(data);
}

static void f04_a_full_user_delays_a_start_and_fails_nobody(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("changing the user needs root");
    }
    /* Nobody else's number: the limit counts all processes of the user. */
    crowded_uid = 100000 + (uid_t)getpid();
    struct scenario_options o = {.prepare = crowded_user, .data = &crowded_uid};
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    o.fosterd = scenario_copy(s, FOSTERD, "fosterd");
    (void)scenario_copy(s, FIXTURE, "actor");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  a: { command: '@DIR@/actor await @DIR@/gate' }\n"
                   "  b: { command: '@DIR@/actor wait' }\n"
                   "  c: { command: '@DIR@/actor wait', restart: 'no' }\n");
    (void)scenario_wait_text(s, "backoff", "c", "Resource temporarily unavailable");
    scenario_open_gate(s, "gate");
    (void)scenario_wait_state(s, "a", "done");
    (void)scenario_wait(s, "ready", "c");
    scenario_check(s, scenario_count(s, "failed", NULL) == 0);
    scenario_stop(s);
}

static void f05_a_fork_bomb_in_a_full_cgroup_is_put_out(void **state)
{
    (void)state;
    house_make(200);
    struct scenario_options o = {.prepare = house_enter};
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  bomb:\n"
                   "    type: simple\n"
                   "    command: '@ACTOR@ fork 60 [ ignore TERM setsid fork 1 [ ignore TERM setpgid wait ] wait ]\n"
                   "      fork 1 [ ignore TERM outrun ] say @DIR@/ear up wait'\n"
                   "    stop_grace_period: 50ms\n");
    (void)scenario_heard(s, "ear");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_SCENARIO(f01_with_an_init_that_never_waits_fork_fails),
        HOUSE_SCENARIO(f02_with_fosterd_round_after_round_passes),
        HOUSE_SCENARIO(f03_a_full_cgroup_delays_a_start_and_fails_nobody),
        SCENARIO(f04_a_full_user_delays_a_start_and_fails_nobody),
        HOUSE_SCENARIO(f05_a_fork_bomb_in_a_full_cgroup_is_put_out),
    };
    return SCENARIO_RUN("f_full", tests);
}
