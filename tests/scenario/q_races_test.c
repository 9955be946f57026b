/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Q: requests that meet each other, or something that happens by itself: each gets one answer, and the right one.
 */
#include "scenario/support/ctl_kit.h"
#include "scenario/support/scenario.h"

#include <signal.h>
#include <string.h>

#define FOR_EVER "supervisor: { exit_when: never }\n"

/* A service that is not up before the gate `g` is let go. */
#define SLOW "  slow: { type: oneshot, autostart: false, command: '@ACTOR@ await @DIR@/g' }\n"

/* A service that does not end before the gate `g` is let go. */
#define STICKY "  sticky: { command: '@ACTOR@ on TERM [ await @DIR@/g exit 0 ] print up wait' }\n"

/* fosterd on YAML, with the gate closed. */
static struct scenario *start_gated(const char *yaml)
{
    struct scenario *s = scenario_new();
    scenario_gate(s, "g");
    scenario_spawn(s, NULL, yaml);
    (void)scenario_wait(s, "up", NULL);
    return s;
}

static const char *outcome_text(struct ctl *c, const json_t *result, const char *name)
{
    return ctl_text(c, ctl_service(c, result, name), "text");
}

static void check_outcome(struct ctl *c, struct scenario *s, const json_t *result, const char *name, bool ok,
                          const char *text)
{
    const json_t *outcome = ctl_service(c, result, name);
    if (ctl_bool(c, outcome, "ok") != ok || !strstr(outcome_text(c, result, name), text)) {
        scenario_fail(s, "%s: %d, %s; not %d, %s", name, (int)!ok, outcome_text(c, result, name), (int)ok, text);
    }
}

static void q01_a_stop_ends_a_start(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n" SLOW);
    struct ctl *a = ctl_open(s), *b = ctl_open(s);
    int start = ctl_ask(a, "start", "{'services':['slow']}");
    (void)scenario_wait(s, "started", "slow");
    json_t *stopped = ctl_call(b, "stop", "{'services':['slow']}");
    check_outcome(b, s, stopped, "slow", true, "stopped in ");
    check_outcome(a, s, ctl_result(a, start), "slow", false, "stopped");
    ctl_close(a);
    ctl_close(b);
    scenario_stop(s);
}

static void q02_a_start_during_a_stop_comes_behind_it(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n" STICKY);
    (void)scenario_wait_line(s, "sticky", "up");
    struct ctl *a = ctl_open(s), *b = ctl_open(s);
    int stop = ctl_ask(a, "stop", "{'services':['sticky']}");
    (void)scenario_wait(s, "stopping", "sticky");
    int start = ctl_ask(b, "start", "{'services':['sticky']}");
    /* Only when both have been heard. */
    (void)ctl_call(b, "list", NULL);
    scenario_check(s, !ctl_is_answered(a, stop) && !ctl_is_answered(b, start));
    scenario_open_gate(s, "g");
    check_outcome(a, s, ctl_result(a, stop), "sticky", true, "stopped, and started again since");
    check_outcome(b, s, ctl_result(b, start), "sticky", true, "ready in ");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count_state(s, "sticky", "ready") == 2);
    ctl_close(a);
    ctl_close(b);
    scenario_stop(s);
}

static void q03_a_stop_in_backoff_cancels_the_restart(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start(FOR_EVER "services:\n"
                                "  web: { command: '@ACTOR@ exit 3', restart: { delay: 1h, max_delay: 1h } }\n");
    (void)scenario_wait_state(s, "web", "backoff");
    struct ctl *c = ctl_open(s);
    json_t *web = ctl_service(c, ctl_call(c, "status", NULL), "web");
    scenario_check(s, ctl_number(c, web, "next_start_ms") > 0 && strstr(ctl_text(c, web, "reason"), "restarting in"));
    check_outcome(c, s, ctl_call(c, "stop", "{'services':['web']}"), "web", true, "stopped");
    web = ctl_service(c, ctl_call(c, "status", NULL), "web");
    scenario_check(s, !strcmp(ctl_text(c, web, "state"), "stopped") && ctl_number(c, web, "next_start_ms") == -1);
    scenario_check(s, !ctl_bool(c, web, "wanted") && ctl_number(c, web, "starts") == 1);
    ctl_close(c);
    scenario_stop(s);
}

static void q04_a_reload_in_backoff_leaves_that_alone(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start(FOR_EVER "services:\n"
                                "  web: { command: '@ACTOR@ exit 3', restart: { delay: 1h, max_delay: 1h } }\n");
    (void)scenario_wait_state(s, "web", "backoff");
    struct ctl *c = ctl_open(s);
    (void)scenario_write(s, "foster.yaml", 0600,
                         FOR_EVER "services:\n"
                                  "  web: { command: '@ACTOR@ exit 3', restart: { delay: 1h, max_delay: 1h } }\n"
                                  "  new: { command: '@ACTOR@ wait' }\n");
    json_t *result = ctl_call(c, "reload", NULL);
    check_outcome(c, s, result, "new", true, "ready in ");
    scenario_check(s, json_array_size(json_object_get(result, "services")) == 1);
    (void)scenario_write(s, "foster.yaml", 0600,
                         FOR_EVER "services:\n"
                                  "  web: { command: '@ACTOR@ wait' }\n"
                                  "  new: { command: '@ACTOR@ wait' }\n");
    check_outcome(c, s, ctl_call(c, "reload", NULL), "web", true, "ready in ");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "web") == 2 && scenario_count(s, "started", "new") == 1);
    ctl_close(c);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void q05_a_second_start_joins_the_first(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n" SLOW);
    struct ctl *a = ctl_open(s), *b = ctl_open(s);
    int first = ctl_ask(a, "start", "{'services':['slow']}");
    (void)scenario_wait(s, "started", "slow");
    int second = ctl_ask(b, "start", "{'services':['slow']}");
    (void)ctl_call(b, "list", NULL);
    scenario_check(s, !ctl_is_answered(a, first) && !ctl_is_answered(b, second));
    scenario_open_gate(s, "g");
    check_outcome(a, s, ctl_result(a, first), "slow", true, "done in ");
    check_outcome(b, s, ctl_result(b, second), "slow", true, "done in ");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "slow") == 1);
    ctl_close(a);
    ctl_close(b);
    scenario_stop(s);
}

static void q06_events_come_before_the_reply_that_they_lead_to(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(FOR_EVER "services:\n"
                                                 "  web: { autostart: false, command: '@ACTOR@ wait' }\n");
    struct ctl *c = ctl_open(s);
    json_t *subscribed = ctl_call(c, "subscribe", "{'follow':true,'states':true}");
    int start = ctl_ask(c, "start", "{'services':['web']}");
    json_t *started = ctl_result(c, start);
    json_t *ready = ctl_notification(c, "event", "event", "ready");
    json_t *progress = ctl_notification(c, "progress", "name", "web");
    scenario_check(s, ctl_place(c, subscribed) < ctl_place(c, ready));
    scenario_check(s, ctl_place(c, ready) < ctl_place(c, progress) && ctl_place(c, progress) < ctl_place(c, started));
    scenario_check(s, ctl_number(c, progress, "id") == start);
    ctl_close(c);
    scenario_stop(s);
}

static void q07_who_goes_away_takes_its_requests_along(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n" SLOW);
    struct ctl *a = ctl_open(s), *b = ctl_open(s);
    (void)ctl_ask(a, "start", "{'services':['slow'],'timeout_ms':3600000}");
    (void)ctl_ask(a, "wait", "{'services':['slow'],'for':'failed'}");
    (void)scenario_wait(s, "started", "slow");
    ctl_close(a);
    scenario_open_gate(s, "g");
    /* What it has begun goes on. */
    json_t *done = ctl_call(b, "wait", "{'services':['slow'],'for':'done'}");
    check_outcome(b, s, done, "slow", true, "done");
    ctl_close(b);
    scenario_stop(s);
}

static void q08_a_start_whose_time_is_over_goes_on(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n" SLOW);
    struct ctl *c = ctl_open(s);
    json_t *late = ctl_call(c, "start", "{'services':['slow'],'timeout_ms':20}");
    json_t *outcome = ctl_service(c, late, "slow");
    check_outcome(c, s, late, "slow", false, "still ");
    scenario_check(s, !ctl_bool(c, late, "ok") && !ctl_bool(c, outcome, "done"));
    scenario_check(s, ctl_number(c, outcome, "ms") >= 20);
    json_t *at_once = ctl_call(c, "start", "{'services':['slow'],'no_wait':true}");
    outcome = ctl_service(c, at_once, "slow");
    scenario_check(s, ctl_bool(c, at_once, "ok") && !ctl_bool(c, outcome, "done") && !ctl_bool(c, outcome, "ok"));
    scenario_open_gate(s, "g");
    check_outcome(c, s, ctl_call(c, "wait", "{'services':['slow'],'for':'up'}"), "slow", true, "done");
    ctl_close(c);
    scenario_stop(s);
}

static void q09_a_start_clears_the_counters_of_a_failed_service(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(
        FOR_EVER "services:\n"
                 "  web:\n"
                 "    command: '@ACTOR@ warn broken once @DIR@/x [ exit 3 ] once @DIR@/y [ exit 4 ] wait'\n"
                 "    restart: { delay: 1ms, max_attempts: 1 }\n");
    (void)scenario_wait_state(s, "web", "failed");
    struct ctl *c = ctl_open(s);
    json_t *web = ctl_service(c, ctl_call(c, "status", "{'services':['web']}"), "web");
    scenario_check(s, ctl_number(c, json_object_get(web, "restart"), "attempts") == 1);
    json_t *waited = ctl_call(c, "wait", "{'services':['web'],'for':'ready'}");
    check_outcome(c, s, waited, "web", false, "gave up");
    /* The first run has said the same, which is not shown again. */
    scenario_check(s, json_array_size(json_object_get(ctl_service(c, waited, "web"), "lines")) == 1);
    check_outcome(c, s, ctl_call(c, "start", "{'services':['web']}"), "web", true, "ready in ");
    web = ctl_service(c, ctl_call(c, "status", "{'services':['web']}"), "web");
    scenario_check(s, ctl_number(c, json_object_get(web, "restart"), "attempts") == 0);
    scenario_check(s, ctl_number(c, web, "restarts") == 0 && ctl_number(c, web, "starts") == 3);
    ctl_close(c);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void q10_two_restarts_of_the_same_service(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n" STICKY);
    (void)scenario_wait_line(s, "sticky", "up");
    struct ctl *a = ctl_open(s), *b = ctl_open(s);
    json_int_t before = ctl_number(a, ctl_service(a, ctl_call(a, "status", NULL), "sticky"), "pid");
    int first = ctl_ask(a, "restart", "{'services':['sticky']}");
    (void)scenario_wait(s, "stopping", "sticky");
    int second = ctl_ask(b, "restart", "{'services':['sticky']}");
    (void)ctl_call(b, "list", NULL);
    scenario_open_gate(s, "g");
    json_t *one = ctl_result(a, first), *two = ctl_result(b, second);
    check_outcome(a, s, one, "sticky", true, "ready in ");
    check_outcome(b, s, two, "sticky", true, "ready in ");
    json_int_t pid = ctl_number(a, ctl_service(a, one, "sticky"), "pid");
    scenario_check(s, pid > 0 && pid != before && pid == ctl_number(b, ctl_service(b, two, "sticky"), "pid"));
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "sticky") == 2);
    ctl_close(a);
    ctl_close(b);
    scenario_stop(s);
}

static void q11_a_shutdown_answers_who_waits(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n" SLOW STICKY);
    (void)scenario_wait_line(s, "sticky", "up");
    struct ctl *a = ctl_open(s), *b = ctl_open(s);
    int start = ctl_ask(a, "start", "{'services':['slow']}");
    (void)scenario_wait(s, "started", "slow");
    scenario_check(s, ctl_bool(b, ctl_call(b, "shutdown", NULL), "ok"));
    check_outcome(a, s, ctl_result(a, start), "slow", false, "fosterd is stopping");
    (void)ctl_error(a, ctl_ask(a, "start", "{'services':['slow']}"), 5);
    (void)ctl_error(a, ctl_ask(a, "reload", NULL), 5);
    scenario_check(s, ctl_bool(a, json_object_get(ctl_call(a, "status", NULL), "daemon"), "stopping"));
    int down = ctl_ask(a, "wait", "{'services':['sticky'],'for':'down'}");
    (void)ctl_call(a, "list", NULL);
    scenario_open_gate(s, "g");
    check_outcome(a, s, ctl_result(a, down), "sticky", true, "stopped in ");
    ctl_wait_end(a);
    ctl_wait_end(b);
    scenario_end(s, 0);
    ctl_close(a);
    ctl_close(b);
}

static void q12_a_stop_without_grace(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start(FOR_EVER "services:\n"
                                "  deaf: { command: '@ACTOR@ ignore TERM print up wait', stop_grace_period: 1h }\n");
    (void)scenario_wait_line(s, "deaf", "up");
    struct ctl *c = ctl_open(s);
    json_t *result = ctl_call(c, "stop", "{'services':['deaf'],'grace_ms':0}");
    check_outcome(c, s, result, "deaf", true, "stopped in ");
    json_t *exit = json_object_get(ctl_service(c, ctl_call(c, "status", NULL), "deaf"), "last_exit");
    ctl_check_keys(c, exit, "text code signal core");
    scenario_check(s, !strcmp(ctl_text(c, exit, "signal"), "SIGKILL") && ctl_number(c, exit, "code") == -1);
    ctl_close(c);
    scenario_stop(s);
}

static void q13_a_dependency_that_fails_is_named(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(
        FOR_EVER "services:\n"
                 "  db: { autostart: false, type: oneshot, restart: 'no', command: '@ACTOR@ warn no-disk exit 7' }\n"
                 "  web:\n"
                 "    autostart: false\n"
                 "    command: '@ACTOR@ wait'\n"
                 "    depends_on: { db: { condition: service_completed_successfully } }\n");
    struct ctl *c = ctl_open(s);
    json_t *result = ctl_call(c, "start", "{'services':['web']}");
    scenario_check(s, !ctl_bool(c, result, "ok"));
    check_outcome(c, s, result, "web", false, "dependency db failed: exited 7");
    result = ctl_call(c, "start", "{'services':['db']}");
    check_outcome(c, s, result, "db", false, "exited with code 7");
    json_t *lines = json_object_get(ctl_service(c, result, "db"), "lines");
    scenario_check(s, json_array_size(lines) > 0);
    scenario_check(s, strstr(json_string_value(json_array_get(lines, json_array_size(lines) - 1)), "no-disk"));
    ctl_close(c);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void q14_a_restart_that_is_called_off_says_so(void **state)
{
    (void)state;
    struct scenario *s = start_gated(FOR_EVER "services:\n"
                                              "  db: { command: '@ACTOR@ print up wait' }\n"
                                              "  sticky:\n"
                                              "    command: '@ACTOR@ on TERM [ await @DIR@/g exit 0 ] print up wait'\n"
                                              "    depends_on: [db]\n");
    (void)scenario_wait_line(s, "db", "up");
    (void)scenario_wait_line(s, "sticky", "up");
    struct ctl *a = ctl_open(s), *b = ctl_open(s);
    /* db has to wait for sticky, so its stop can still be called off. */
    int stop = ctl_ask(a, "stop", "{'services':['db']}");
    (void)scenario_wait(s, "stopping", "sticky");
    json_t *started = ctl_call(b, "start", "{'services':['db'],'no_deps':true}");
    check_outcome(b, s, started, "db", true, "ready");
    check_outcome(a, s, ctl_result(a, stop), "db", false, "another request has called that off");
    scenario_open_gate(s, "g");
    (void)ctl_call(a, "wait", "{'services':['sticky'],'for':'stopped'}");
    ctl_close(a);
    ctl_close(b);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(q01_a_stop_ends_a_start),
        SCENARIO(q02_a_start_during_a_stop_comes_behind_it),
        SCENARIO(q03_a_stop_in_backoff_cancels_the_restart),
        SCENARIO(q04_a_reload_in_backoff_leaves_that_alone),
        SCENARIO(q05_a_second_start_joins_the_first),
        SCENARIO(q06_events_come_before_the_reply_that_they_lead_to),
        SCENARIO(q07_who_goes_away_takes_its_requests_along),
        SCENARIO(q08_a_start_whose_time_is_over_goes_on),
        SCENARIO(q09_a_start_clears_the_counters_of_a_failed_service),
        SCENARIO(q10_two_restarts_of_the_same_service),
        SCENARIO(q11_a_shutdown_answers_who_waits),
        SCENARIO(q12_a_stop_without_grace),
        SCENARIO(q13_a_dependency_that_fails_is_named),
        SCENARIO(q14_a_restart_that_is_called_off_says_so),
    };
    return SCENARIO_RUN("q_races", tests);
}
