/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: several operators at once, and one who meets a change: nobody is told what is not so, and nothing runs twice.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FOR_EVER "supervisor: { exit_when: never }\n"

/* A job that is not done before the gate is let go. */
#define JOB "  job: { type: oneshot, autostart: false, command: '@ACTOR@ await @DIR@/gate' }\n"

static struct scenario *start(const char *yaml)
{
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, yaml);
    (void)scenario_wait(s, "up", NULL);
    return s;
}

static void end(struct scenario *s)
{
    (void)fosterctl_run(s, "shutdown", "--now");
    scenario_end(s, 0);
}

static void s71_a_restart_of_who_waits_for_another(void **state)
{
    (void)state;
    struct scenario *s = start(FOR_EVER "services:\n" JOB "  web:\n"
                                        "    autostart: false\n"
                                        "    command: '@ACTOR@ wait'\n"
                                        "    depends_on: { job: { condition: service_completed_successfully } }\n");
    struct fosterctl *first = fosterctl_start(s, "start", "web");
    (void)scenario_wait_state(s, "job", "running");
    (void)scenario_wait_state(s, "web", "waiting");
    fosterctl_says(s, "web: waiting\n", "restart", "web", "--no-wait");
    struct fosterctl *second = fosterctl_start(s, "restart", "web");
    scenario_open_gate(s, "gate");
    fosterctl_check(s, fosterctl_end(first), 0, "web: ready in *s\n", "");
    fosterctl_check(s, fosterctl_end(second), 0, "web: ready in *s\n", "");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "job") == 1);
    static struct procs children;
    procs_children(scenario_pid(s), &children);
    scenario_check(s, children.n == 1);
    end(s);
}

static void s72_a_reload_takes_away_what_is_waited_for(void **state)
{
    (void)state;
    struct scenario *s = start(FOR_EVER "services:\n" JOB "  web: { command: '@ACTOR@ wait' }\n");
    struct fosterctl *f = fosterctl_start(s, "start", "job");
    (void)scenario_wait_state(s, "job", "running");
    struct fosterctl *down = fosterctl_start(s, "wait", "--for=down", "web", "job");
    (void)scenario_write(s, "foster.yaml", 0644, FOR_EVER "services:\n  new: { command: '@ACTOR@ wait' }\n");
    fosterctl_check(s, fosterctl_run(s, "reload"), 0, "- job\n- web\n+ new\nnew: ready in *s\n", "");
    fosterctl_check(s, fosterctl_end(f), 1, "job: removed by a reload\n", "");
    /* It may have come when both were gone already, and then there is no such service. */
    struct command got = fosterctl_end(down);
    scenario_check(s, got.code == 0 || (got.code == 4 && strstr(got.out, "no such service")));
    end(s);
}

enum { OPERATORS = 6 };

static void s73_many_restart_the_same_service(void **state)
{
    (void)state;
    static struct procs children;
    struct fosterctl *f[OPERATORS];
    struct scenario *s = start(FOR_EVER "services:\n  web: { command: '@ACTOR@ wait' }\n");
    for (size_t i = 0; i < OPERATORS; i++) {
        f[i] = fosterctl_start(s, "restart", "web");
    }
    for (size_t i = 0; i < OPERATORS; i++) {
        fosterctl_check(s, fosterctl_end(f[i]), 0, "web: ready in *s\n", "");
    }
    procs_children(scenario_pid(s), &children);
    scenario_check(s, children.n == 1 && procs_is_alive(children.pids[0]));
    end(s);
}

static void s74_who_asks_goes_and_it_goes_on(void **state)
{
    (void)state;
    struct scenario *s = start(FOR_EVER "services:\n" JOB);
    struct fosterctl *f = fosterctl_start(s, "start", "job");
    (void)scenario_wait_state(s, "job", "running");
    assert_int_equal(kill(fosterctl_pid(f), SIGINT), 0);
    fosterctl_check(s, fosterctl_end(f), 128 + SIGINT, "", "");
    scenario_open_gate(s, "gate");
    fosterctl_says(s, "job: done*\n", "wait", "--for=done", "job");
    end(s);
}

static void s75_the_same_reload_again_joins_the_first(void **state)
{
    (void)state;
    struct scenario *s =
        start(FOR_EVER "services: { web: { command: '@ACTOR@ ignore TERM print up wait', stop_grace_period: 1h } }\n");
    (void)scenario_wait_line(s, "web", "up");
    (void)scenario_write(s, "foster.yaml", 0600,
                         FOR_EVER "services: { web: { command: '@ACTOR@ wait', stop_grace_period: 1h } }\n");
    struct fosterctl *first = fosterctl_start(s, "reload");
    (void)scenario_wait_state(s, "web", "stopping");
    fosterctl_says(s, "~ web (command)\n", "reload", "--dry-run");
    fosterctl_says(s, "~ web (command)\n", "reload", "--no-wait");
    fosterctl_check(s, fosterctl_run(s, "scale", "web=2"), 1, "", "fosterctl: another configuration *\n");
    fosterctl_says(s, "web: SIGKILL sent to 1 process\n", "signal", "KILL", "web");
    fosterctl_check(s, fosterctl_end(first), 0, "~ web (command)\nweb: ready in *s\n", "");
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s71_a_restart_of_who_waits_for_another),    SCENARIO(s72_a_reload_takes_away_what_is_waited_for),
        SCENARIO(s73_many_restart_the_same_service),         SCENARIO(s74_who_asks_goes_and_it_goes_on),
        SCENARIO(s75_the_same_reload_again_joins_the_first),
    };
    return SCENARIO_RUN("s_race", tests);
}
