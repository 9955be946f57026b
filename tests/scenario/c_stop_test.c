/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * C: stopping. Everything that belongs to a service ends, whatever it does against it, in the order of the
 * dependencies, and no later than it has to: grace periods here are an hour where nothing should have to wait for them.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/** A main process and a member that both tell when they are asked to end; the main process then waits at the gate. */
static struct scenario *start_telling(const char *kill_mode)
{
    char yaml[768];
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  web:\n"
                   "    type: simple\n"
                   "    command: >-\n"
                   "      @ACTOR@ on TERM [ say @DIR@/ear main await @DIR@/gate exit 0 ]\n"
                   "      fork 1 [ setsid on TERM [ say @DIR@/ear member exit 0 ] say @DIR@/ear up wait ] wait\n"
                   "    stop_grace_period: 1h\n"
                   "    kill_mode: %s\n",
                   kill_mode);
    scenario_spawn(s, NULL, yaml);
    assert_string_equal(scenario_heard(s, "ear"), "up");
    (void)scenario_sync(s);
    return s;
}

static void c01_mixed_asks_main_first_and_then_the_rest(void **state)
{
    (void)state;
    struct scenario *s = start_telling("mixed");
    scenario_signal(s, SIGTERM);
    assert_string_equal(scenario_heard(s, "ear"), "main");
    (void)scenario_sync(s);
    scenario_open_gate(s, "gate");
    assert_string_equal(scenario_heard(s, "ear"), "member");
    scenario_end(s, 0);
}

static void c02_tree_asks_all_at_once(void **state)
{
    (void)state;
    struct scenario *s = start_telling("tree");
    scenario_signal(s, SIGTERM);
    const char *first = scenario_heard(s, "ear");
    const char *second = scenario_heard(s, "ear");
    scenario_check(s, strcmp(first, second) != 0);
    scenario_open_gate(s, "gate");
    scenario_end(s, 0);
}

static void c03_main_is_the_only_one_asked(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    struct scenario_options o = {.leaves_children = true};
    scenario_ear(s, "ear");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web:\n"
                   "    type: simple\n"
                   "    command: '@ACTOR@ fork 1 [ setsid say @DIR@/ear %p wait ] wait'\n"
                   "    kill_mode: main\n"
                   "    orphans: ignore\n");
    pid_t member = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    scenario_stop(s);
    scenario_check(s, procs_is_alive(member));
    assert_int_equal(procs_parent(member), getpid());
}

static void c04_steps_are_taken_one_after_the_other(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ on HUP [ say @DIR@/ear hup ] on INT [ say @DIR@/ear int ]\n"
                   "      on QUIT [ say @DIR@/ear quit exit 0 ] print up wait'\n"
                   "    stop_signal:\n"
                   "      - { signal: SIGHUP, wait: 10ms }\n"
                   "      - { signal: INT, wait: 10ms }\n"
                   "      - { signal: 3, wait: 1h }\n"
                   "    stop_grace_period: 2h\n");
    (void)scenario_wait_line(s, "web", "up");
    scenario_signal(s, SIGTERM);
    assert_string_equal(scenario_heard(s, "ear"), "hup");
    assert_string_equal(scenario_heard(s, "ear"), "int");
    assert_string_equal(scenario_heard(s, "ear"), "quit");
    scenario_check(s, scenario_wait(s, "exited", "web")->exit_code == 0);
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "killed", NULL) == 0);
}

static void c05_who_ignores_the_signal_is_killed_at_the_end_of_the_grace(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ ignore TERM print up wait'\n"
                                        "    stop_grace_period: 50ms\n");
    (void)scenario_wait_line(s, "web", "up");
    scenario_signal(s, SIGTERM);
    size_t stopping = scenario_wait(s, "stopping", "web")->seq;
    size_t killed = scenario_wait(s, "killed", "web")->seq;
    const struct scenario_event *end = scenario_wait(s, "exited", "web");
    assert_string_equal(end->signal, "SIGKILL");
    scenario_check(s, stopping < killed && killed < end->seq);
    scenario_check(s, scenario_wait_state(s, "web", "stopped")->seq > end->seq);
    scenario_end(s, 0);
}

static void c06_a_member_that_forks_for_ever_is_caught(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    type: simple\n"
                                        "    command: '@ACTOR@ fork 1 [ ignore TERM setsid print up outrun ] wait'\n"
                                        "    stop_grace_period: 50ms\n");
    (void)scenario_wait_line(s, "web", "up");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void c07_a_member_that_forks_when_asked_to_end_is_caught(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(
        "services:\n"
        "  web:\n"
        "    type: simple\n"
        "    command: '@ACTOR@ fork 1 [ setsid on TERM [ fork 3 [ ignore TERM wait ] exit 0 ] print up wait ]\n"
        "      on TERM [ fork 1 [ setsid ignore TERM wait ] exit 0 ] wait'\n"
        "    stop_grace_period: 50ms\n");
    (void)scenario_wait_line(s, "web", "up");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void c08_who_left_group_and_session_is_still_a_member(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  web:\n"
        "    type: simple\n"
        "    command: '@ACTOR@ fork 1 [ fork 1 [ setpgid say @DIR@/ear %p wait ] setsid say @DIR@/ear %p wait ] wait'\n"
        "    stop_grace_period: 1h\n");
    pid_t one = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    pid_t two = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    scenario_stop(s);
    scenario_check(s, !procs_is_alive(one) && !procs_is_alive(two));
}

static void c09_a_suspended_service_stops_too(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web: { command: '@ACTOR@ kill STOP wait', stop_grace_period: 1h }\n");
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    while (procs_state(pid) != 'T') {
        (void)scenario_sync(s);
    }
    scenario_stop(s);
}

static void c10_a_second_term_kills_now(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ ignore TERM print up wait'\n"
                                        "    stop_grace_period: 1h\n"
                                        "  late:\n"
                                        "    command: '@ACTOR@ ignore TERM print up wait'\n"
                                        "    stop_grace_period: 1h\n"
                                        "    depends_on: [web]\n");
    (void)scenario_wait_line(s, "web", "up");
    (void)scenario_wait_line(s, "late", "up");
    scenario_signal(s, SIGTERM);
    (void)scenario_wait(s, "stopping", "late");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_signal(s, SIGTERM);
    assert_string_equal(scenario_wait(s, "exited", "late")->signal, "SIGKILL");
    assert_string_equal(scenario_wait(s, "exited", "web")->signal, "SIGKILL");
    scenario_end(s, 0);
}

static void c11_quit_kills_at_once(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    type: simple\n"
                                        "    command: '@ACTOR@ fork 5 [ setsid ignore TERM wait ] print up wait'\n"
                                        "    stop_grace_period: 1h\n");
    (void)scenario_wait_line(s, "web", "up");
    scenario_signal(s, SIGQUIT);
    assert_string_equal(scenario_wait(s, "exited", "web")->signal, "SIGKILL");
    scenario_end(s, 0);
}

static void c12_dependents_stop_before_what_they_need(void **state)
{
    (void)state;
    static const char *const order[] = {"web", "app", "cache", "db"};
    struct scenario *s = scenario_start("services:\n"
                                        "  db: { command: '@ACTOR@ wait' }\n"
                                        "  cache: { command: '@ACTOR@ wait', depends_on: [db] }\n"
                                        "  app: { command: '@ACTOR@ wait', depends_on: [cache] }\n"
                                        "  web: { command: '@ACTOR@ wait', depends_on: [app, db] }\n");
    (void)scenario_wait(s, "settled", NULL);
    scenario_signal(s, SIGTERM);
    size_t before = scenario_wait(s, "shutdown", NULL)->seq;
    for (size_t i = 0; i < 4; i++) {
        size_t stopping = scenario_wait(s, "stopping", order[i])->seq;
        size_t stopped = scenario_wait_state(s, order[i], "stopped")->seq;
        scenario_check(s, i == 0 || stopping > before);
        scenario_check(s, stopped > stopping);
        before = stopped;
    }
    for (size_t i = 0; i + 1 < 4; i++) {
        /* And started the other way round. */
        scenario_check(s, scenario_wait(s, "started", order[i])->seq > scenario_wait(s, "ready", order[i + 1])->seq);
    }
    scenario_end(s, 0);
}

static void c13_the_budget_of_the_whole_wins_over_the_services(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  a: { command: '@ACTOR@ ignore TERM print up wait', stop_grace_period: 1h }\n"
                       "  b: { command: '@ACTOR@ ignore TERM print up wait', stop_grace_period: 1h, depends_on: [a] }\n"
                       "  c: { command: '@ACTOR@ ignore TERM print up wait', stop_grace_period: 1h, depends_on: [b] }\n"
                       "supervisor: { stop_timeout: 300ms }\n");
    (void)scenario_wait_line(s, "a", "up");
    (void)scenario_wait_line(s, "b", "up");
    (void)scenario_wait_line(s, "c", "up");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    assert_string_equal(scenario_wait(s, "exited", "a")->signal, "SIGKILL");
    assert_string_equal(scenario_wait(s, "exited", "b")->signal, "SIGKILL");
    assert_string_equal(scenario_wait(s, "exited", "c")->signal, "SIGKILL");
}

static void c14_a_stop_while_a_hundred_services_start(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web: { command: '@ACTOR@ wait', scale: 100 }\n"
                                        "  after: { command: '@ACTOR@ wait', depends_on: [web] }\n");
    (void)scenario_wait(s, "started", NULL);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    size_t shutdown = scenario_wait(s, "shutdown", NULL)->seq;
    scenario_check(s, scenario_count(s, "started", "after") == 0);
    for (size_t i = shutdown; scenario_event_at(s, i); i++) {
        /* An exec that was under way may still be confirmed; nothing is decided any more. */
        scenario_check(s, strcmp(scenario_event_at(s, i)->event, "ready") != 0);
    }
}

static void c15_a_stop_during_backoff_does_not_wait_for_it(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ exit 1'\n"
                                        "    restart: { policy: always, delay: 1h, max_delay: 2h }\n");
    (void)scenario_wait_state(s, "web", "backoff");
    scenario_stop(s);
    scenario_check(s, scenario_count(s, "started", "web") == 1);
}

static void c16_int_is_as_term(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n  web: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "ready", "web");
    scenario_signal(s, SIGINT);
    assert_string_equal(scenario_wait(s, "exited", "web")->signal, "SIGTERM");
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "failed", NULL) == 0 && scenario_count_state(s, NULL, "backoff") == 0);
}

static void c17_no_other_signal_ends_the_daemon(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n  web: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "ready", "web");
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        static const int others[] = {SIGINT,  SIGQUIT, SIGTERM, SIGKILL, SIGSTOP, SIGPWR, SIGILL,
                                     SIGTRAP, SIGABRT, SIGBUS,  SIGFPE,  SIGSEGV, SIGSYS};
        bool is_other = sig == SIGRTMIN + 3 || (sig > 31 && sig < SIGRTMIN);
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            is_other = is_other || sig == others[i];
        }
        for (int n = 0; !is_other && n < 3; n++) {
            scenario_signal(s, sig);
        }
    }
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_stop(s);
}

static void c18_a_stop_before_everything_is_up_is_clean(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  job: { type: oneshot, command: '@ACTOR@ print up wait' }\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ wait'\n"
                                        "    depends_on: { job: { condition: service_completed_successfully } }\n");
    (void)scenario_wait_line(s, "job", "up");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "started", "web") == 0);
    scenario_check(s, scenario_count(s, "failed", "web") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(c01_mixed_asks_main_first_and_then_the_rest),
        SCENARIO(c02_tree_asks_all_at_once),
        SCENARIO(c03_main_is_the_only_one_asked),
        SCENARIO(c04_steps_are_taken_one_after_the_other),
        SCENARIO(c05_who_ignores_the_signal_is_killed_at_the_end_of_the_grace),
        SCENARIO(c06_a_member_that_forks_for_ever_is_caught),
        SCENARIO(c07_a_member_that_forks_when_asked_to_end_is_caught),
        SCENARIO(c08_who_left_group_and_session_is_still_a_member),
        SCENARIO(c09_a_suspended_service_stops_too),
        SCENARIO(c10_a_second_term_kills_now),
        SCENARIO(c11_quit_kills_at_once),
        SCENARIO(c12_dependents_stop_before_what_they_need),
        SCENARIO(c13_the_budget_of_the_whole_wins_over_the_services),
        SCENARIO(c14_a_stop_while_a_hundred_services_start),
        SCENARIO(c15_a_stop_during_backoff_does_not_wait_for_it),
        SCENARIO(c16_int_is_as_term),
        SCENARIO(c17_no_other_signal_ends_the_daemon),
        SCENARIO(c18_a_stop_before_everything_is_up_is_clean),
    };
    return SCENARIO_RUN("c_stop", tests);
}
