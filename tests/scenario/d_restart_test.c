/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * D: what follows when a run ends: the restart policy, the delay between runs, giving up, and the exit code of the
 * whole.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/** One service `web`, what becomes of it, and the exit code of fosterd. */
struct ending {
    const char *yaml;  /**< the keys of the service */
    const char *state; /**< its last one: "done" or "failed" */
    size_t starts;
    int code;
};

static void check_endings(const struct ending *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char yaml[1024];
        struct scenario *s = scenario_new();
        (void)snprintf(yaml, sizeof(yaml), "services:\n  web:\n%s", cases[i].yaml);
        scenario_spawn(s, NULL, yaml);
        int code = scenario_wait_exit(s);
        size_t starts = scenario_count(s, "started", "web");
        size_t ends = scenario_count_state(s, "web", cases[i].state);
        if (code != cases[i].code || starts != cases[i].starts || ends != 1) {
            scenario_fail(s, "case %zu: exit %d instead of %d, %zu starts instead of %zu, %zu times %s\n%s", i, code,
                          cases[i].code, starts, cases[i].starts, ends, cases[i].state, cases[i].yaml);
        }
        scenario_end(s, code);
        (void)scenario_teardown(NULL);
    }
}

#define CHECK_ENDINGS(cases) check_endings(cases, sizeof(cases) / sizeof((cases)[0]))

static void d01_policies(void **state)
{
    (void)state;
    static const struct ending cases[] = {
        {"    command: '@ACTOR@ exit 0'\n", "done", 1, 0},
        {"    command: '@ACTOR@ exit 0'\n    restart: on-failure\n", "done", 1, 0},
        {"    command: '@ACTOR@ exit 3'\n    restart: no\n", "failed", 1, 3},
        {"    command: '@ACTOR@ exit 0'\n    restart: 'no'\n", "done", 1, 0},
        {"    command: '@ACTOR@ once @DIR@/x [ exit 3 ]'\n    restart: { delay: 10ms }\n", "done", 2, 0},
        {"    command: '@ACTOR@ once @DIR@/x [ kill SEGV ]'\n    restart: { delay: 10ms }\n", "done", 2, 0},
        {"    command: '@ACTOR@ exit 3'\n    restart: { policy: on-failure, delay: 10ms, max_attempts: 3 }\n", "failed",
         4, 3},
        {"    command: '@ACTOR@ exit 0'\n    restart: { policy: always, delay: 10ms, max_attempts: 2 }\n", "failed", 3,
         1},
        {"    type: oneshot\n    command: '@ACTOR@ exit 0'\n", "done", 1, 0},
    };
    CHECK_ENDINGS(cases);
}

static void d02_exit_codes_with_a_meaning(void **state)
{
    (void)state;
    static const struct ending cases[] = {
        {"    command: '@ACTOR@ exit 3'\n    success_exit_codes: [0, 3]\n", "done", 1, 0},
        {"    command: '@ACTOR@ kill USR1'\n    success_exit_codes: [SIGUSR1]\n", "done", 1, 0},
        {"    command: '@ACTOR@ exit 3'\n    restart: always\n    no_restart_exit_codes: [2, 3]\n", "failed", 1, 3},
        {"    command: '@ACTOR@ kill KILL'\n    restart: always\n    no_restart_exit_codes: [SIGKILL]\n", "failed", 1,
         128 + SIGKILL},
    };
    CHECK_ENDINGS(cases);
}

/** A service that ends everything, beside one that would run for ever. */
static void check_end_of_all(const char *keys, int code, const char *state)
{
    char yaml[1024];
    struct scenario *s = scenario_new();
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  other: { command: '@ACTOR@ wait' }\n"
                   "  web:\n"
                   "    restart: 'no'\n"
                   "    depends_on: [other]\n"
                   "%s",
                   keys);
    scenario_spawn(s, NULL, yaml);
    (void)scenario_wait_state(s, "web", state);
    (void)scenario_wait(s, "shutdown", NULL);
    (void)scenario_wait_state(s, "other", "stopped");
    (void)scenario_wait(s, "exit", NULL);
    scenario_end(s, code);
    (void)scenario_teardown(NULL);
}

static void d03_an_essential_service_takes_all_with_it(void **state)
{
    (void)state;
    check_end_of_all("    essential: true\n    command: '@ACTOR@ exit 0'\n", 0, "done");
    check_end_of_all("    essential: true\n    command: '@ACTOR@ exit 7'\n", 7, "failed");
    check_end_of_all("    essential: true\n    command: '@ACTOR@ kill KILL'\n", 137, "failed");
    check_end_of_all("    essential: true\n    command: '@ACTOR@ kill TERM'\n", 143, "failed");
    check_end_of_all("    essential: true\n    command: '@DIR@/missing'\n", 127, "failed");
    check_end_of_all("    essential: true\n    command: '@DIR@/foster.yaml'\n", 126, "failed");
}

static void d04_on_success_and_on_failure(void **state)
{
    (void)state;
    check_end_of_all("    on_failure: shutdown\n    command: '@ACTOR@ exit 9'\n", 9, "failed");
    check_end_of_all("    on_success: shutdown\n    command: '@ACTOR@ exit 0'\n", 0, "done");
    struct scenario *s = scenario_start("services:\n"
                                        "  other: { command: '@ACTOR@ wait' }\n"
                                        "  a: { command: '@ACTOR@ exit 0', on_failure: shutdown }\n"
                                        "  b: { command: '@ACTOR@ exit 1', on_success: shutdown, restart: 'no' }\n");
    (void)scenario_wait_state(s, "a", "done");
    (void)scenario_wait(s, "failed", "b");
    (void)scenario_wait(s, "settled", NULL);
    scenario_check(s, scenario_count(s, "shutdown", NULL) == 0);
    scenario_stop(s);
}

/** The delay that the obituary of a run announces, in milliseconds. */
static long delay_of(struct scenario *s, const struct scenario_event *e)
{
    const char *at = strstr(e->msg, "restarting in ");
    long delay = -1;
    char unit[8] = "";
    if (!at || sscanf(at, "restarting in %ld %7[a-z]", &delay, unit) != 2 || strcmp(unit, "ms") != 0) {
        scenario_fail(s, "no delay in \"%s\"", e->msg);
    }
    return delay;
}

static void d05_the_delay_grows_up_to_its_maximum(void **state)
{
    (void)state;
    static const long expected[] = {10, 20, 40, 45, 45};
    struct scenario *s = scenario_new();
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ exit 1'\n"
                   "    restart: { delay: 10ms, factor: 2, max_delay: 45ms, jitter: 0, max_attempts: 5 }\n");
    for (size_t i = 0; i < 5; i++) {
        const struct scenario_event *e = scenario_wait(s, "exited", "web");
        if (delay_of(s, e) != expected[i]) {
            scenario_fail(s, "delay %zu: %s", i, e->msg);
        }
    }
    (void)scenario_wait_text(s, "failed", "web", "gave up after 5 restarts");
    scenario_end(s, 1);
}

static void d06_a_steady_service_starts_from_the_beginning(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_gate(s, "clock");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ once @DIR@/1 [ exit 1 ] once @DIR@/2 [ exit 1 ] await @DIR@/gate exit 1'\n"
                   "    restart: { delay: 10ms, jitter: 0, factor: 10, reset_after: 1s, max_attempts: 3 }\n"
                   "  clock:\n"
                   "    command: '@ACTOR@ await @DIR@/clock exit 1'\n"
                   "    restart: { delay: 1100ms, jitter: 0 }\n");
    (void)scenario_wait(s, "started", "clock");
    scenario_check(s, delay_of(s, scenario_wait(s, "exited", "web")) == 10);
    scenario_check(s, delay_of(s, scenario_wait(s, "exited", "web")) == 100);
    for (int i = 0; i < 3; i++) {
        (void)scenario_wait(s, "started", "web");
    }
    /* More than reset_after passes between the end of the clock and its next start. */
    scenario_open_gate(s, "clock");
    (void)scenario_wait(s, "started", "clock");
    scenario_open_gate(s, "gate");
    scenario_check(s, delay_of(s, scenario_wait(s, "exited", "web")) == 10);
    scenario_stop(s);
}

/** A start that fails, and what is said about it. */
static void check_refused(const char *keys, const char *text)
{
    char yaml[1024];
    struct scenario *s = scenario_new();
    (void)scenario_write(s, "not-executable", 0644, "#!/bin/sh\n");
    (void)scenario_write(s, "no-format", 0755, "neither script nor program\n");
    (void)scenario_write(s, "no-interpreter", 0755, "#!/nonexistent/interpreter\n");
    (void)snprintf(yaml, sizeof(yaml), "services:\n  web:\n    restart: { policy: always, delay: 10ms }\n%s", keys);
    /* A directory in PATH that may not be read would make another errno of it. */
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    struct scenario_options o = {.env = env};
    scenario_spawn(s, &o, yaml);
    char *expected = scenario_expand(s, text);
    const struct scenario_event *e = scenario_wait(s, "failed", "web");
    if (!strstr(e->msg, expected)) {
        scenario_fail(s, "\"%s\" instead of \"%s\"", e->msg, expected);
    }
    free(expected);
    (void)scenario_wait_exit(s);
    scenario_check(s, scenario_count_state(s, "web", "backoff") == 0);
    scenario_check(s, scenario_count(s, "ready", "web") == 0);
    (void)scenario_teardown(NULL);
}

static void d07_hopeless_starts_fail_at_once_and_say_why(void **state)
{
    (void)state;
    check_refused("    command: '@ACTOR@ wait'\n    working_dir: /nonexistent/x\n",
                  "cannot start: working_dir /nonexistent/x: No such file or directory");
    check_refused("    command: '@ACTOR@ wait'\n    working_dir: '@DIR@/foster.yaml'\n",
                  "cannot start: working_dir @DIR@/foster.yaml: Not a directory");
    check_refused("    command: '@DIR@/missing --flag'\n",
                  "cannot start: exec @DIR@/missing: No such file or directory");
    check_refused("    command: no-such-program-anywhere\n",
                  "cannot start: exec no-such-program-anywhere: No such file or directory (not found in PATH ");
    check_refused("    command: '@DIR@/not-executable'\n",
                  "cannot start: exec @DIR@/not-executable: Permission denied");
    check_refused("    command: '@DIR@/no-format'\n", "cannot start: exec @DIR@/no-format: Exec format error");
    check_refused("    command: '@DIR@/no-interpreter'\n",
                  "cannot start: exec @DIR@/no-interpreter: No such file or directory");
    check_refused("    command: '@DIR@'\n", "cannot start: exec @DIR@: Permission denied");
}

static void d08_exit_when(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services: { job: { command: '@ACTOR@ exit 0' } }\n"
                                        "supervisor: { exit_when: never }\n");
    (void)scenario_wait_state(s, "job", "done");
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_sync(s);
    scenario_stop(s);
    (void)scenario_teardown(state);

    s = scenario_start("services:\n"
                       "  job: { command: '@ACTOR@ exit 0' }\n"
                       "  main: { command: '@ACTOR@ await @DIR@/gate', essential: true }\n"
                       "supervisor: { exit_when: essential }\n");
    (void)scenario_wait_state(s, "main", "done");
    scenario_end(s, 0);
    (void)scenario_teardown(state);

    s = scenario_start("services:\n"
                       "  one: { command: '@ACTOR@ exit 0' }\n"
                       "  two: { command: '@ACTOR@ exit 0', depends_on: { one: { condition: service_completed } } }\n");
    (void)scenario_wait_state(s, "one", "done");
    (void)scenario_wait_state(s, "two", "done");
    scenario_end(s, 0);
}

static void d09_dependencies_are_waited_for(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  ok: { type: oneshot, command: '@ACTOR@ await @DIR@/gate exit 0' }\n"
                   "  bad: { type: oneshot, command: '@ACTOR@ exit 1', restart: 'no' }\n"
                   "  after-ok:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    depends_on: { ok: { condition: service_completed_successfully } }\n"
                   "  after-bad:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    depends_on: { bad: { condition: service_completed } }\n"
                   "  never:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    depends_on: { bad: { condition: service_completed_successfully } }\n"
                   "  order-only:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    depends_on: { bad: { condition: service_completed_successfully, required: false } }\n");
    (void)scenario_wait(s, "failed", "bad");
    (void)scenario_wait(s, "failed", "never");
    (void)scenario_wait(s, "ready", "after-bad");
    (void)scenario_wait(s, "ready", "order-only");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "after-ok") == 0);
    scenario_open_gate(s, "gate");
    size_t done = scenario_wait_state(s, "ok", "done")->seq;
    scenario_check(s, scenario_wait(s, "started", "after-ok")->seq > done);
    scenario_check(s, scenario_count(s, "started", "never") == 0);
    scenario_stop(s);
}

static void d10_instances_profiles_and_autostart(void **state)
{
    (void)state;
    static const char *const args[] = {"--profile", "extra", NULL};
    struct scenario_options o = {.args = args};
    struct scenario *s = scenario_start_with(&o, "services:\n"
                                                 "  web: { command: '@ACTOR@ env FOSTER_INSTANCE wait', scale: 3 }\n"
                                                 "  none: { command: '@ACTOR@ wait', scale: 0 }\n"
                                                 "  more: { command: '@ACTOR@ wait', profiles: [extra, other] }\n"
                                                 "  less: { command: '@ACTOR@ wait', profiles: [other] }\n"
                                                 "  idle: { command: '@ACTOR@ wait', autostart: false }\n"
                                                 "  last: { command: '@ACTOR@ wait', depends_on: [web] }\n");
    (void)scenario_wait_line(s, "web.1", "FOSTER_INSTANCE=1");
    (void)scenario_wait_line(s, "web.2", "FOSTER_INSTANCE=2");
    (void)scenario_wait_line(s, "web.3", "FOSTER_INSTANCE=3");
    (void)scenario_wait(s, "ready", "more");
    size_t last = scenario_wait(s, "started", "last")->seq;
    scenario_check(s, scenario_wait(s, "started", "web.1")->seq < last);
    scenario_check(s, scenario_wait(s, "started", "web.2")->seq < last);
    scenario_check(s, scenario_wait(s, "started", "web.3")->seq < last);
    (void)scenario_wait(s, "settled", NULL);
    scenario_check(s, scenario_count(s, "started", NULL) == 5);
    scenario_stop(s);
}

static void d11_the_environment_is_what_the_file_says(void **state)
{
    (void)state;
    static const char *const env[] = {"PATH=/usr/bin:/bin", "FROM_OUTSIDE=o", "PASSED=p", "OVERRIDDEN=outside", NULL};
    struct scenario_options o = {.env = env};
    struct scenario *s = scenario_new();
    (void)scenario_write(s, "one.env", 0644, "# a comment\nFILE_ONE=1\nOVERRIDDEN=file\nQUOTED=\"a b\"\n");
    (void)scenario_write(s, "two.env", 0644, "FILE_TWO=2\nFILE_ONE=second\n");
    scenario_spawn(
        s, &o,
        "services:\n"
        "  web:\n"
        "    command: '@ACTOR@ env FROM_OUTSIDE env FILE_ONE env FILE_TWO env QUOTED env OVERRIDDEN env DOLLAR\n"
        "      env EXPANDED env PASSED env FOSTER_SERVICE wait'\n"
        "    env_file: ['@DIR@/one.env', '@DIR@/two.env', { path: '@DIR@/none.env', required: false }]\n"
        "    environment: { OVERRIDDEN: file wins not, DOLLAR: a$$b, EXPANDED: '${FROM_OUTSIDE}-${UNSET:-d}' }\n"
        "  bare:\n"
        "    command: '@ACTOR@ env FROM_OUTSIDE env PASSED env SET env HOME wait'\n"
        "    clear_env: [PASSED]\n"
        "    environment: [SET=s]\n");
    (void)scenario_wait_line(s, "web", "FROM_OUTSIDE=o");
    (void)scenario_wait_line(s, "web", "FILE_ONE=second");
    (void)scenario_wait_line(s, "web", "FILE_TWO=2");
    (void)scenario_wait_line(s, "web", "QUOTED=a b");
    (void)scenario_wait_line(s, "web", "OVERRIDDEN=file wins not");
    (void)scenario_wait_line(s, "web", "DOLLAR=a$b");
    (void)scenario_wait_line(s, "web", "EXPANDED=o-d");
    (void)scenario_wait_line(s, "web", "PASSED=p");
    (void)scenario_wait_line(s, "web", "FOSTER_SERVICE=web");
    (void)scenario_wait_line(s, "bare", "FROM_OUTSIDE unset");
    (void)scenario_wait_line(s, "bare", "PASSED=p");
    (void)scenario_wait_line(s, "bare", "SET=s");
    (void)scenario_wait_line(s, "bare", "HOME unset");
    scenario_stop(s);
}

static void d12_umask_directory_and_output(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ umask cwd warn grumble lines 3 wait'\n"
                                        "    umask: '027'\n"
                                        "    working_dir: '@DIR@/run'\n"
                                        "  silent:\n"
                                        "    command: '@ACTOR@ print secret wait'\n"
                                        "    logging: { driver: none }\n"
                                        "    depends_on: [web]\n");
    (void)scenario_wait_line(s, "web", "umask=0027");
    assert_string_equal(scenario_wait_line(s, "web", ""), scenario_path(s, "run"));
    (void)scenario_wait_line(s, "web", "grumble");
    (void)scenario_wait_line(s, "web", "3");
    (void)scenario_wait(s, "ready", "silent");
    scenario_stop(s);
    scenario_check(s, scenario_lines(s, "web") == 6);
    scenario_check(s, scenario_lines(s, "silent") == 0);
}

static void d13_last_words_come_out(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_spawn(s, NULL, "services: { job: { command: '@ACTOR@ lines 5000 print last exit 0' } }\n");
    (void)scenario_wait_line(s, "job", "5000");
    (void)scenario_wait_line(s, "job", "last");
    scenario_end(s, 0);
    scenario_check(s, scenario_lines(s, "job") == 5001);
}

static void d14_a_start_that_takes_too_long_is_a_failure(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    type: forking\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    start_timeout: 50ms\n"
                   "    restart: 'no'\n");
    (void)scenario_wait(s, "failed", "web");
    scenario_check(s, scenario_wait_exit(s) != 0);
    scenario_check(s, scenario_count(s, "ready", "web") == 0);
}

static void d15_nothing_starts_from_a_file_with_an_error(void **state)
{
    (void)state;
    struct scenario_options o = {.plain_log = true};
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o,
                   "services:\n"
                   "  good: { command: '@ACTOR@ append @DIR@/ran yes' }\n"
                   "  bad: { comand: '@ACTOR@ wait' }\n"
                   "  worse: { command: x, depends_on: [nobody] }\n");
    (void)scenario_wait_raw(s, "foster.yaml:3:10: ");
    (void)scenario_wait_raw(s, "foster.yaml:4:");
    scenario_end(s, 78);
    assert_string_equal(scenario_read(s, "ran"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(d01_policies),
        SCENARIO(d02_exit_codes_with_a_meaning),
        SCENARIO(d03_an_essential_service_takes_all_with_it),
        SCENARIO(d04_on_success_and_on_failure),
        SCENARIO(d05_the_delay_grows_up_to_its_maximum),
        SCENARIO(d06_a_steady_service_starts_from_the_beginning),
        SCENARIO(d07_hopeless_starts_fail_at_once_and_say_why),
        SCENARIO(d08_exit_when),
        SCENARIO(d09_dependencies_are_waited_for),
        SCENARIO(d10_instances_profiles_and_autostart),
        SCENARIO(d11_the_environment_is_what_the_file_says),
        SCENARIO(d12_umask_directory_and_output),
        SCENARIO(d13_last_words_come_out),
        SCENARIO(d14_a_start_that_takes_too_long_is_a_failure),
        SCENARIO(d15_nothing_starts_from_a_file_with_an_error),
    };
    return SCENARIO_RUN("d_restart", tests);
}
