/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * X: commands around a run: their order, what they are given, what follows when they fail, and that none of them
 * outlives its time.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** Waits for the next line of web's, which must be WANTED. */
static void next_line(struct scenario *s, const char *wanted)
{
    const char *line = scenario_wait_line(s, "web", "");
    if (strcmp(line, wanted) != 0) {
        scenario_fail(s, "web says \"%s\" instead of \"%s\"", line, wanted);
    }
}

static void x01_each_in_its_turn_with_its_variables(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(
        "services:\n"
        "  web:\n"
        "    command: '@ACTOR@ print main on TERM [ exit 0 ] wait'\n"
        "    ready: { log: '^main' }\n"
        "    environment: { A: service, B: service }\n"
        "    pre_start:\n"
        "      - '@ACTOR@ env FOSTER_HOOK env FOSTER_SERVICE env FOSTER_INSTANCE env FOSTER_MAIN_PID'\n"
        "      - { command: '@ACTOR@ env A env B cwd', environment: { B: hook }, working_dir: / }\n"
        "    post_start: ['@ACTOR@ env FOSTER_HOOK env FOSTER_MAIN_PID env FOSTER_EXIT_CODE']\n"
        "    pre_stop: ['@ACTOR@ env FOSTER_HOOK env FOSTER_MAIN_PID']\n"
        "    post_stop: ['@ACTOR@ env FOSTER_HOOK env FOSTER_MAIN_PID env FOSTER_EXIT_CODE env FOSTER_EXIT_SIGNAL']\n");
    char main_pid[48];
    (void)snprintf(main_pid, sizeof(main_pid), "FOSTER_MAIN_PID=%d", (int)scenario_wait(s, "started", "web")->pid);
    next_line(s, "FOSTER_HOOK=pre_start");
    next_line(s, "FOSTER_SERVICE=web");
    next_line(s, "FOSTER_INSTANCE=1");
    next_line(s, "FOSTER_MAIN_PID unset");
    next_line(s, "A=service");
    next_line(s, "B=hook");
    next_line(s, "/");
    next_line(s, "main");
    next_line(s, "FOSTER_HOOK=post_start");
    next_line(s, main_pid);
    next_line(s, "FOSTER_EXIT_CODE unset");
    (void)scenario_wait_state(s, "web", "ready");
    scenario_signal(s, SIGTERM);
    next_line(s, "FOSTER_HOOK=pre_stop");
    next_line(s, main_pid);
    next_line(s, "FOSTER_HOOK=post_stop");
    next_line(s, "FOSTER_MAIN_PID unset");
    next_line(s, "FOSTER_EXIT_CODE=0");
    next_line(s, "FOSTER_EXIT_SIGNAL unset");
    scenario_end(s, 0);
}

/* Nothing has run that could have ended somehow. */
static void x02_without_its_preparation_it_is_not_started(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  other: { command: '@ACTOR@ wait' }\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ print main'\n"
                                        "    restart: 'no'\n"
                                        "    pre_start: ['@ACTOR@ print first exit 3', '@ACTOR@ print second']\n"
                                        "    post_stop: ['@ACTOR@ env FOSTER_EXIT_CODE env FOSTER_EXIT_SIGNAL']\n");
    const struct scenario_event *e =
        scenario_wait_text(s, "hook", "web", "pre_start[1]: exited with code 3; not starting it");
    scenario_check(s, strcmp(e->level, "warn") == 0);
    next_line(s, "first");
    next_line(s, "FOSTER_EXIT_CODE unset");
    next_line(s, "FOSTER_EXIT_SIGNAL unset");
    (void)scenario_wait_state(s, "web", "failed");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "web") == 0 && scenario_lines(s, "web") == 3);
    scenario_stop(s);
}

static void x03_one_that_hangs_is_killed_with_all_that_it_left(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  other: { command: '@ACTOR@ wait' }\n"
                   "  web:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    restart: 'no'\n"
                   "    pre_start:\n"
                   "      - command: '@ACTOR@ orphans 1 [ setsid ignore HUP ignore TERM say @DIR@/ear %p wait ] wait'\n"
                   "        timeout: 2s\n");
    pid_t orphan = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    scenario_check(s, procs_is_alive(orphan));
    (void)scenario_wait_text(s, "hook", "web", "pre_start[1]: timed out after 2s; not starting it");
    scenario_check(s, !procs_is_alive(orphan));
    (void)scenario_wait_state(s, "web", "failed");
    scenario_stop(s);
}

static void x04_the_end_of_a_crash_is_told(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  other: { command: '@ACTOR@ wait' }\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ kill SEGV'\n"
                                        "    restart: 'no'\n"
                                        "    post_stop: ['@ACTOR@ env FOSTER_EXIT_SIGNAL env FOSTER_EXIT_CODE']\n");
    next_line(s, "FOSTER_EXIT_SIGNAL=SIGSEGV");
    next_line(s, "FOSTER_EXIT_CODE unset");
    (void)scenario_wait_state(s, "web", "failed");
    scenario_stop(s);
}

static void x05_as_another_user(void **state)
{
    (void)state;
    const struct passwd *user = getpwnam("nobody");
    if (geteuid() != 0 || !user) {
        scenario_skip("only root can run a hook as another user, and there has to be a user nobody");
    }
    char ids[64];
    (void)snprintf(ids, sizeof(ids), "uid=%d gid=%d", (int)user->pw_uid, (int)user->pw_gid);
    struct scenario *s = scenario_new();
    assert_int_equal(chmod(scenario_dir(s), 0755), 0);
    (void)scenario_copy(s, FIXTURE, "actor");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    pre_start: [{ command: '@DIR@/actor ids env USER', user: nobody }, '@ACTOR@ ids']\n");
    next_line(s, ids);
    next_line(s, "USER=nobody");
    next_line(s, "uid=0 gid=0");
    (void)scenario_wait_state(s, "web", "ready");
    scenario_stop(s);
}

/* What is not wanted any more is not waited for. */
static void x06_a_service_may_go_in_the_middle_of_one(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  other: { command: '@ACTOR@ wait' }\n"
                   "  web: { command: '@ACTOR@ wait', pre_start: ['@ACTOR@ say @DIR@/ear %p wait'] }\n");
    pid_t hook = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    (void)scenario_wait_state(s, "other", "ready");
    scenario_reload(s, "services: { other: { command: '@ACTOR@ wait' } }\n");
    while (procs_is_alive(hook)) {
        (void)scenario_sync(s);
    }
    scenario_check(s, scenario_count(s, "started", "web") == 0);
    scenario_stop(s);
}

/* The second signal is for the hook, too; and nothing of it outlives fosterd. */
static void x07_somebody_is_in_a_hurry(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    pre_stop: ['@ACTOR@ fork 1 [ setsid ignore TERM say @DIR@/ear %p wait ] wait']\n"
                   "    post_stop: ['@ACTOR@ print never']\n");
    (void)scenario_wait_state(s, "web", "ready");
    scenario_signal(s, SIGTERM);
    pid_t child = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    scenario_signal(s, SIGTERM);
    int code = scenario_wait_exit(s);
    scenario_check(s, !procs_is_alive(child) && scenario_lines(s, "web") == 0);
    scenario_end(s, code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(x01_each_in_its_turn_with_its_variables),
        SCENARIO(x02_without_its_preparation_it_is_not_started),
        SCENARIO(x03_one_that_hangs_is_killed_with_all_that_it_left),
        SCENARIO(x04_the_end_of_a_crash_is_told),
        SCENARIO(x05_as_another_user),
        SCENARIO(x06_a_service_may_go_in_the_middle_of_one),
        SCENARIO(x07_somebody_is_in_a_hurry),
    };

    return SCENARIO_RUN("x_hooks", tests);
}
