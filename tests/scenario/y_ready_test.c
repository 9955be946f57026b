/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Y: how services show that they are ready, each way, and what follows when they do not; others wait for it.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/daemons.h"
#include "scenario/support/procs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { READY_TEXT_MAX = 4096, READY_PORT = 8642 };

/** Starts fosterd on YAML, in which @HOST@ is daemons_address() with a port behind a colon, @SERVER@ the command of a
 * server there. */
static void spawn_at_own_address(struct scenario *s, const char *yaml)
{
    char text[READY_TEXT_MAX] = "", host[64], server[128];
    (void)snprintf(host, sizeof(host), "%s:%d", daemons_address(), READY_PORT);
    (void)snprintf(server, sizeof(server), "@FIXTURES@/httpd %s %d", daemons_address(), READY_PORT);
    while (*yaml) {
        bool is_host = !strncmp(yaml, "@HOST@", strlen("@HOST@")),
             is_server = !strncmp(yaml, "@SERVER@", strlen("@SERVER@"));
        size_t len = strlen(text);
        if (is_host || is_server) {
            (void)snprintf(text + len, sizeof(text) - len, "%s", is_host ? host : server);
        } else {
            (void)snprintf(text + len, sizeof(text) - len, "%c", *yaml);
        }
        yaml += is_host ? strlen("@HOST@") : is_server ? strlen("@SERVER@") : 1;
    }
    scenario_spawn(s, NULL, text);
}

/** Waits until SERVICE is ready, which must come behind its start; nothing of that was there before the gate went up.
 */
static void check_ready_behind_gate(struct scenario *s, const char *service)
{
    (void)scenario_wait_state(s, service, "running");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "ready", service) == 0);
    scenario_open_gate(s, service);
    (void)scenario_wait(s, "ready", service);
}

/* One file, every way: each service has a gate, and a dependent that waits for it. */
static void y01_every_way_to_be_ready(void **state)
{
    static const char *const services[] = {"fd", "log", "tcp", "http", "exec"};
    (void)state;
    struct scenario *s = scenario_new();
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        scenario_gate(s, services[i]);
    }
    (void)scenario_write(s, "status", 0644, "503 Not Yet\nstill loading\n");
    spawn_at_own_address(
        s, "defaults: { type: simple }\n"
           "services:\n"
           "  fd:\n"
           "    command: [sh, -c, \"@ACTOR@ await @DIR@/fd; echo >&5; exec @ACTOR@ wait\"]\n"
           "    ready: { fd: 5 }\n"
           "  log:\n"
           "    command: '@ACTOR@ warn \"not listening yet\" await @DIR@/log print \"pid %p listening on 80\" wait'\n"
           "    ready: { log: '^pid [0-9]+ listening on' }\n"
           "  tcp:\n"
           "    command: [sh, -c, \"@ACTOR@ await @DIR@/tcp; exec @SERVER@ @DIR@/status\"]\n"
           "    ready: { tcp: '@HOST@' }\n"
           "  http:\n"
           "    command: [sh, -c, \"@ACTOR@ await @DIR@/http; echo 200 >@DIR@/status; exec @ACTOR@ wait\"]\n"
           "    ready: { http: 'http://@HOST@/healthz' }\n"
           "  exec:\n"
           "    command: '@ACTOR@ await @DIR@/exec pidfile @DIR@/up wait'\n"
           "    ready: { exec: [test, -e, @DIR@/up] }\n"
           "  after: { command: '@ACTOR@ wait', ready: { after: 1ms } }\n"
           "  all:\n"
           "    command: '@ACTOR@ wait'\n"
           "    depends_on:\n"
           "      fd: { condition: service_ready }\n"
           "      log: { condition: service_ready }\n"
           "      tcp: { condition: service_ready }\n"
           "      http: { condition: service_ready }\n"
           "      exec: { condition: service_ready }\n"
           "      after: { condition: service_ready }\n");
    (void)scenario_wait(s, "ready", "after");
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        scenario_check(s, scenario_count(s, "started", "all") == 0);
        check_ready_behind_gate(s, services[i]);
    }
    (void)scenario_wait(s, "started", "all");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

static void y02_a_descriptor_that_is_closed_is_a_failed_start(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  db:\n"
                       "    command: [sh, -c, \"printf almost >&9; exec 9>&-; exec @ACTOR@ wait\"]\n"
                       "    ready: { fd: 9 }\n"
                       "    restart: no\n"
                       "  web: { command: '@ACTOR@ wait', depends_on: { db: { condition: service_ready } } }\n"
                       "  log:\n"
                       "    command: '@ACTOR@ wait'\n"
                       "    depends_on: { db: { condition: service_ready, required: false } }\n");
    (void)scenario_wait_text(s, "stopping", "db", "closed descriptor 9 without a newline");
    (void)scenario_wait_text(s, "failed", "db", "never ready");
    (void)scenario_wait_text(s, "failed", "web", "dependency db failed to start");
    (void)scenario_wait(s, "ready", "log");
    scenario_check(s, scenario_count(s, "started", "web") == 0);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

/* The exit code says more than the descriptor that closed with it. */
static void y03_who_ends_before_being_ready_has_failed_to_start(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("defaults: { type: simple, restart: no }\n"
                       "services:\n"
                       "  fd: { command: '@ACTOR@ exit 0', ready: { fd: 3 } }\n"
                       "  log: { command: '@ACTOR@ print almost exit 3', ready: { log: ready } }\n"
                       "  port: { command: '@ACTOR@ exit 4', ready: { tcp: '127.0.0.1:1' } }\n"
                       "  exec: { command: '@ACTOR@ exit 5', ready: { exec: 'sleep 1000' } }\n"
                       "  after: { command: '@ACTOR@ exit 6', ready: { after: 50s } }\n"
                       "  web: { command: '@ACTOR@ wait', depends_on: { fd: { condition: service_ready } } }\n"
                       "  keep: { command: '@ACTOR@ wait' }\n");
    static const struct {
        const char *service;
        int code;
    } ends[] = {{"fd", 0}, {"log", 3}, {"port", 4}, {"exec", 5}, {"after", 6}};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const struct scenario_event *e = scenario_wait(s, "exited", ends[i].service);
        scenario_check(s, e->exit_code == ends[i].code);
        (void)scenario_wait_text(s, "failed", ends[i].service, "never ready");
        scenario_check(s, scenario_count(s, "ready", ends[i].service) == 0);
    }
    (void)scenario_wait_text(s, "failed", "web", "dependency fd failed to start");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

/* The last word of a program that ends at once counts: it was ready, and then it ended. */
static void y04_ready_comes_before_the_end(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("defaults: { type: simple, restart: no }\n"
                                        "services:\n"
                                        "  fd: { command: [sh, -c, 'echo >&3; exit 7'], ready: { fd: 3 } }\n"
                                        "  log: { command: '@ACTOR@ print up exit 8', ready: { log: up } }\n"
                                        "  keep: { command: '@ACTOR@ wait' }\n");
    size_t ready = scenario_wait(s, "ready", "fd")->seq;
    scenario_check(s, scenario_wait(s, "exited", "fd")->seq > ready);
    ready = scenario_wait(s, "ready", "log")->seq;
    scenario_check(s, scenario_wait(s, "exited", "log")->seq > ready);
    scenario_check(s, scenario_wait_text(s, "failed", "log", "exited with code 8")->seq > ready);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void y05_not_ready_in_time_is_a_failed_start(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    spawn_at_own_address(s, "defaults: { type: simple, restart: no, start_timeout: 2s }\n"
                            "services:\n"
                            "  db: { command: '@ACTOR@ wait', ready: { tcp: '@HOST@' } }\n"
                            "  hook:\n"
                            "    command: '@ACTOR@ wait'\n"
                            "    ready: { exec: '@ACTOR@ ignore TERM orphans 1 [ say @DIR@/ear %p wait ] wait' }\n"
                            "  web: { command: '@ACTOR@ wait', depends_on: { db: { condition: service_ready } } }\n");
    pid_t orphan = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    (void)scenario_wait_text(s, "stopping", "db", "not ready after");
    (void)scenario_wait_text(s, "failed", "db", "failed: not ready after");
    (void)scenario_wait_text(s, "failed", "web", "dependency db failed to start");
    (void)scenario_wait_text(s, "failed", "hook", "failed: not ready after");
    scenario_end(s, 1);
    /* A probe that was under way has gone with all that it had started. */
    scenario_check(s, procs_state(orphan) == 0);
}

/* ------------------------------------------------------------------ a slow logger */

#define SLOW(service, n_others)                                                                                        \
    "defaults: { type: simple, restart: no }\n"                                                                        \
    "services:\n"                                                                                                      \
    "  first: { type: oneshot, command: '@ACTOR@ await @DIR@/gate' }\n"                                                \
    "  other: { command: '@ACTOR@ wait', scale: " n_others " }\n" service "    ready: { log: up }\n"                   \
    "    depends_on: { first: { condition: service_completed_successfully } }\n"

/** Starts YAML, of SLOW(), all but the first and the others with a logger that stands still. */
static struct scenario *start_slow(const char *yaml, pid_t *ret_logger)
{
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_gate(s, "end");
    scenario_spawn(s, NULL, yaml);
    (void)scenario_wait(s, "ready", "other");
    *ret_logger = procs_stop_logger(s);
    scenario_open_gate(s, "gate");
    return s;
}

#define DIES      "  dies:\n    command: '@ACTOR@ print up exit 8'\n"
#define HAS_ENDED "it has ended: what it has written is being looked at"

static void y06_its_end_waits_for_a_slow_logger(void **state)
{
    pid_t logger;
    (void)state;
    struct scenario *s = start_slow(SLOW(DIES, "1"), &logger);
    (void)scenario_wait_text(s, NULL, "dies", HAS_ENDED);
    assert_int_equal(kill(logger, SIGCONT), 0);
    size_t ready = scenario_wait(s, "ready", "dies")->seq;
    scenario_check(s, scenario_wait(s, "exited", "dies")->seq > ready);
    scenario_stop(s);
}

static void y07_a_stop_waits_for_no_logger(void **state)
{
    pid_t logger;
    (void)state;
    struct scenario *s = start_slow(SLOW(DIES, "1"), &logger);
    (void)scenario_wait_text(s, NULL, "dies", HAS_ENDED);
    scenario_signal(s, SIGTERM);
    (void)scenario_wait_state(s, "dies", "stopped");
    scenario_check(s, scenario_count(s, "killed", "dies") == 0);
    assert_int_equal(kill(logger, SIGCONT), 0);
    scenario_end(s, 0);
}

/* Neither the end of its time nor a reload puts what has been written out of sight. */
static void y08_its_time_waits_for_a_slow_logger(void **state)
{
#define LIVES "  lives:\n    start_timeout: 1s\n    command: '@ACTOR@ print up wait'\n"
    pid_t logger;
    (void)state;
    struct scenario *s = start_slow(SLOW(LIVES, "1"), &logger);
    (void)scenario_wait_text(s, NULL, "lives", "its time is up: what it has written is being looked at");
    scenario_reload(s, SLOW(LIVES, "2"));
    assert_int_equal(kill(logger, SIGCONT), 0);
    (void)scenario_wait(s, "ready", "lives");
    scenario_check(s, scenario_count(s, "stopping", "lives") == 0);
    scenario_stop(s);
}

/* The end of one that leaves a daemon is none. */
static void y09_a_daemon_is_followed_at_once(void **state)
{
    pid_t logger;
    (void)state;
    struct scenario *s =
        start_slow(SLOW("  forks:\n"
                        "    type: forking\n"
                        "    command: '@ACTOR@ fork 1 [ setsid await @DIR@/end exit 9 ] print up exit 0'\n",
                        "1"),
                   &logger);
    (void)scenario_wait(s, "followed", "forks");
    scenario_open_gate(s, "end");
    (void)scenario_wait_text(s, NULL, "forks", HAS_ENDED);
    assert_int_equal(kill(logger, SIGCONT), 0);
    (void)scenario_wait(s, "ready", "forks");
    scenario_check(s, scenario_wait(s, "exited", "forks")->exit_code == 9);
    scenario_stop(s);
}

/* fosterd itself stands still for longer than they have. */
static void y10_a_slow_fosterd_is_not_their_fault(void **state)
{
    static const struct timespec stall = {.tv_sec = 2, .tv_nsec = 200000000};
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    scenario_spawn(
        s, NULL,
        "defaults: { type: simple, restart: no, start_timeout: 2s }\n"
        "services:\n"
        "  fd: { command: [sh, -c, '@ACTOR@ await @DIR@/gate; echo >&3; exec @ACTOR@ say @DIR@/ear fd wait'],"
        " ready: { fd: 3 } }\n"
        "  log: { command: '@ACTOR@ await @DIR@/gate print up say @DIR@/ear log wait', ready: { log: up } }\n");
    (void)scenario_wait_state(s, "fd", "running");
    (void)scenario_wait_state(s, "log", "running");
    scenario_signal(s, SIGSTOP);
    scenario_open_gate(s, "gate");
    (void)scenario_heard(s, "ear");
    (void)scenario_heard(s, "ear");
    /* The one thing that is to pass is time. */
    (void)nanosleep(&stall, NULL);
    scenario_signal(s, SIGCONT);
    (void)scenario_wait(s, "ready", "fd");
    (void)scenario_wait(s, "ready", "log");
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(y01_every_way_to_be_ready),
        SCENARIO(y02_a_descriptor_that_is_closed_is_a_failed_start),
        SCENARIO(y03_who_ends_before_being_ready_has_failed_to_start),
        SCENARIO(y04_ready_comes_before_the_end),
        SCENARIO(y05_not_ready_in_time_is_a_failed_start),
        SCENARIO(y06_its_end_waits_for_a_slow_logger),
        SCENARIO(y07_a_stop_waits_for_no_logger),
        SCENARIO(y08_its_time_waits_for_a_slow_logger),
        SCENARIO(y09_a_daemon_is_followed_at_once),
        SCENARIO(y10_a_slow_fosterd_is_not_their_fault),
    };
    return SCENARIO_RUN("ready", tests);
}
