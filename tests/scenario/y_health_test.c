/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Y: health checks of real services, what follows when they fail, and that neither a check that hangs nor a fosterd
 * that was stopped makes trouble.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/daemons.h"
#include "scenario/support/procs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEALTH_PORT = 8643, HEALTH_TEXT_MAX = 2048 };

/* fosterd may be at a check, which has descriptors, whenever it is looked at: so nobody counts them. */
static void end_all(struct scenario *s)
{
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void make_well(struct scenario *s)
{
    (void)scenario_write(s, "well", 0644, "");
}

static void make_ill(struct scenario *s)
{
    assert_int_equal(unlink(scenario_path(s, "well")), 0);
}

static void y11_an_unhealthy_service_is_restarted_and_others_wait_for_health(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  db:\n"
                       "    command: '@ACTOR@ wait'\n"
                       "    healthcheck: { test: [CMD, test, -e, @DIR@/well], interval: 20ms, retries: 2 }\n"
                       "    restart: { policy: on-failure, delay: 10ms }\n"
                       "  web: { command: '@ACTOR@ wait', depends_on: { db: { condition: service_healthy } } }\n");
    /* It is ready, and not well, for as long as that is so: restarted again and again, and nobody starts on it. */
    (void)scenario_wait_text(s, "health", "db", "unhealthy: 2 checks have failed in a row: exited with code 1");
    (void)scenario_wait_text(s, "stopping", "db", "unhealthy");
    pid_t first = scenario_wait(s, "started", "db")->pid;
    pid_t second = scenario_wait(s, "started", "db")->pid;
    scenario_check(s, second != first && scenario_count(s, "started", "web") == 0);
    make_well(s);
    size_t healthy = scenario_wait_text(s, "health", "db", "healthy: exited with code 0")->seq;
    scenario_check(s, scenario_wait(s, "started", "web")->seq > healthy);
    (void)scenario_wait(s, "settled", NULL);
    size_t starts = scenario_count(s, "started", "db");
    /* How often it was restarted before it was well is not known. */
    scenario_pass_over(s);
    make_ill(s);
    (void)scenario_wait_text(s, "health", "db", "unhealthy");
    make_well(s);
    scenario_wait_count(s, "started", "db", starts + 1);
    (void)scenario_wait_text(s, "health", "db", "healthy: exited with code 0");
    scenario_check(s, scenario_count(s, "started", "web") == 1);
    end_all(s);
}

static void y12_ignored_shut_down_or_given_up(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("defaults:\n"
                       "  healthcheck: { test: 'test -e @DIR@/well', interval: 20ms, retries: 1 }\n"
                       "services:\n"
                       "  bored: { command: '@ACTOR@ wait', on_unhealthy: ignore }\n"
                       "  tired: { command: '@ACTOR@ wait', restart: no }\n"
                       "  fine: { command: '@ACTOR@ wait', healthcheck: { disable: true } }\n"
                       "  weak: { command: '@ACTOR@ wait', depends_on: { tired: { condition: service_healthy } } }\n");
    pid_t bored = scenario_wait(s, "started", "bored")->pid;
    (void)scenario_wait_text(s, "health", "bored", "unhealthy: 1 check has failed in a row: exited with code 1");
    (void)scenario_wait_text(s, "failed", "tired", "unhealthy");
    (void)scenario_wait_text(s, "failed", "weak", "dependency tired failed: unhealthy");
    make_well(s);
    (void)scenario_wait_text(s, "health", "bored", "healthy: exited with code 0");
    scenario_check(s, procs_state(bored) != 0 && procs_state(bored) != 'Z');
    scenario_check(s, scenario_count(s, "started", "bored") == 1);
    scenario_check(s, scenario_count(s, "health", "fine") == 0);
    end_all(s);
}

static void y13_an_unhealthy_service_may_end_everything(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  a:\n"
                                        "    command: '@ACTOR@ wait'\n"
                                        "    healthcheck: { test: exit 3, interval: 20ms, retries: 1 }\n"
                                        "    on_unhealthy: shutdown\n"
                                        "  b: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait_text(s, "health", "a", "unhealthy: 1 check has failed in a row: exited with code 3");
    (void)scenario_wait(s, "shutdown", NULL);
    scenario_end(s, 1);
}

/* The check ignores SIGTERM and leaves an orphan that does, too. */
static void y14_a_check_that_hangs_is_killed_with_all_that_it_has_started(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  a:\n"
        "    command: '@ACTOR@ wait'\n"
        "    healthcheck:\n"
        "      test: [CMD, @ACTOR@, ignore, TERM, orphans, '1', '[', say, @DIR@/ear, '%p', wait, ']', wait]\n"
        "      interval: 10ms\n"
        "      timeout: 100ms\n"
        "      retries: 2\n"
        "    on_unhealthy: ignore\n");
    pid_t last = 0;
    for (int i = 0; i < 4; i++) {
        pid_t orphan = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
        /* The next check has begun: of the one before there is nobody left. */
        scenario_check(s, orphan > 0 && orphan != last);
        scenario_check(s, last == 0 || procs_state(last) == 0 || procs_state(last) == 'Z');
        last = orphan;
    }
    (void)scenario_wait_text(s, "health", "a", "timed out after 100ms");
    end_all(s);
    scenario_check(s, procs_state(last) == 0);
}

static void y15_a_server_that_answers_is_healthy_while_it_says_so(void **state)
{
    char yaml[HEALTH_TEXT_MAX];
    (void)state;
    struct scenario *s = scenario_new();
    (void)scenario_write(s, "status", 0644, "200 OK\nfine\n");
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  web:\n"
                   "    command: '@FIXTURES@/httpd %s %d @DIR@/status'\n"
                   "    healthcheck: { http: 'http://%s:%d/', interval: 10ms, retries: 1, start_period: 50s,\n"
                   "      start_interval: 10ms }\n"
                   "    on_unhealthy: ignore\n",
                   daemons_address(), HEALTH_PORT, daemons_address(), HEALTH_PORT);
    scenario_spawn(s, NULL, yaml);
    (void)scenario_wait_text(s, "health", "web", "healthy: HTTP 200");
    (void)scenario_write(s, "other", 0644, "503 Service Unavailable\n");
    assert_int_equal(rename(scenario_path(s, "other"), scenario_path(s, "status")), 0);
    (void)scenario_wait_text(s, "health", "web", "unhealthy: 1 check has failed in a row: HTTP 503");
    assert_int_equal(unlink(scenario_path(s, "status")), 0);
    (void)scenario_wait_text(s, "health", "web", "closed the connection without an answer");
    (void)scenario_write(s, "other", 0644, "302 Found\n");
    assert_int_equal(rename(scenario_path(s, "other"), scenario_path(s, "status")), 0);
    (void)scenario_wait_text(s, "health", "web", "healthy: HTTP 302");
    end_all(s);
}

/** Waits for the end of a program that lasts so long. */
static void outlast(const char *seconds)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("sleep", "sleep", seconds, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The check has long ended well when fosterd comes back, though its time is over as well. */
static void y16_a_fosterd_that_was_stopped_kills_no_healthy_service(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  a:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    healthcheck:\n"
                   "      test: [CMD, @ACTOR@, once, @DIR@/first, '[', say, @DIR@/ear, x, await, @DIR@/gate, ']']\n"
                   "      interval: 10ms\n"
                   "      timeout: 2s\n"
                   "      retries: 1\n");
    (void)scenario_heard(s, "ear");
    scenario_signal(s, SIGSTOP);
    scenario_open_gate(s, "gate");
    outlast("2.2");
    scenario_signal(s, SIGCONT);
    const struct scenario_event *e = scenario_wait(s, "health", "a");
    scenario_check(s, strstr(e->msg, "healthy: exited with code 0") == e->msg);
    end_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(y11_an_unhealthy_service_is_restarted_and_others_wait_for_health),
        SCENARIO(y12_ignored_shut_down_or_given_up),
        SCENARIO(y13_an_unhealthy_service_may_end_everything),
        SCENARIO(y14_a_check_that_hangs_is_killed_with_all_that_it_has_started),
        SCENARIO(y15_a_server_that_answers_is_healthy_while_it_says_so),
        SCENARIO(y16_a_fosterd_that_was_stopped_kills_no_healthy_service),
    };
    return SCENARIO_RUN("health", tests);
}
