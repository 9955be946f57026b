/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * E: surroundings. Whatever state a shell, a container or a broken init leaves fosterd in, it supervises, and its
 * services get clean descriptors, signals and environment.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/** One service looks for what leaked, another one must be seen to fail and come back. */
#define CHECKED                                                                                                        \
    "services:\n"                                                                                                      \
    "  check: { type: oneshot, command: '@FIXTURES@/leakcheck @DIR@/report', restart: 'no' }\n"                        \
    "  back:\n"                                                                                                        \
    "    command: '@ACTOR@ once @DIR@/once [ exit 1 ] exit 0'\n"                                                       \
    "    restart: { delay: 10ms }\n"

/** Runs CHECKED to its end with PREPARE before it. */
static void check_leaks(void (*prepare)(void *data))
{
    struct scenario_options o = {.prepare = prepare};
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o, CHECKED);
    int code = scenario_wait_exit(s);
    const char *report = scenario_read(s, "report");
    if (strcmp(report, "checked") != 0) {
        scenario_fail(s, "the service found: %s", report);
    }
    scenario_end(s, code);
    assert_int_equal(code, 0);
    assert_int_equal(access(scenario_path(s, "once"), F_OK), 0);
}

static void ignore_signals(void *data)
{
    (void)data;
    static const int ignored[] = {SIGCHLD, SIGPIPE, SIGTERM, SIGHUP, SIGUSR1};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
}

static void block_signals(void *data)
{
    (void)data;
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
}

static void open_200(void *data)
{
    (void)data;
    for (int i = 0; i < 200; i++) {
        (void)open("/dev/null", O_RDWR);
    }
}

static void close_stdio(void *data)
{
    (void)data;
    (void)close(0);
    (void)close(1);
    (void)close(2);
}

static void close_stdin(void *data)
{
    (void)data;
    (void)close(0);
}

static void e01_inherited_ignored_signals(void **state)
{
    (void)state;
    check_leaks(ignore_signals);
}

static void e02_inherited_blocked_signals(void **state)
{
    (void)state;
    check_leaks(block_signals);
}

static void e03_two_hundred_stray_descriptors(void **state)
{
    (void)state;
    check_leaks(open_200);
}

static void e04_descriptors_0_to_2_closed(void **state)
{
    (void)state;
    check_leaks(close_stdio);
}

static void e05_descriptor_0_closed(void **state)
{
    (void)state;
    check_leaks(close_stdin);
}

static void e06_no_environment_at_all(void **state)
{
    (void)state;
    static const char *const env[] = {NULL};
    struct scenario_options o = {.env = env};
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o,
                   "services:\n"
                   "  job: { type: oneshot, command: [sh, -c, 'echo \"home=$$HOME.\"'] }\n"
                   "  tagged: { type: oneshot, command: '@ACTOR@ env FOSTER_SERVICE' }\n"
                   "supervisor: { control: '@DIR@/run/control.sock' }\n");
    (void)scenario_wait_line(s, "job", "home=.");
    (void)scenario_wait_line(s, "tagged", "FOSTER_SERVICE=tagged");
    scenario_end(s, 0);
}

static void e07_two_megabytes_of_environment(void **state)
{
    (void)state;
    enum { VARIABLES = 20, BYTES = 100000 };
    static char text[VARIABLES][BYTES + 16];
    const char *env[VARIABLES + 1] = {NULL};
    for (int i = 0; i < VARIABLES; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "V%02d=", i);
        memset(text[i] + 4, 'x', BYTES);
        env[i] = text[i];
    }
    struct scenario_options o = {.env = env};
    struct rlimit stack = {.rlim_cur = 64 << 20, .rlim_max = RLIM_INFINITY};
    if (getrlimit(RLIMIT_STACK, &stack) || stack.rlim_cur < 8 << 20) {
        scenario_skip("the stack limit does not allow 2 MB of environment");
    }
    struct scenario *s = scenario_start_with(&o, "services: { web: { command: '@ACTOR@ env FOSTER_SERVICE wait' } }\n");
    (void)scenario_wait_line(s, "web", "FOSTER_SERVICE=web");
    scenario_stop(s);
}

/** What PID 1 has to do: adopt, attribute, follow, stop all, whoever's it is. */
static void e08_as_pid_1(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = world_own_proc, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  storm: { type: simple, command: '@ACTOR@ litter 200 print done wait' }\n"
                   "  nginx: { command: '@ACTOR@ daemonize-once wait' }\n"
                   "  odd:\n"
                   "    type: simple\n"
                   "    command: '@ACTOR@ orphans 1 [ setsid exec env -i @ACTOR@ print up ignore TERM wait ] wait'\n"
                   "    stop_grace_period: 50ms\n");
    scenario_check(s, scenario_wait(s, "up", NULL)->pid == 1);
    (void)scenario_wait(s, "followed", "nginx");
    (void)scenario_wait_line(s, "odd", "up");
    (void)scenario_wait_line(s, "storm", "done");
    scenario_wait_count(s, "orphan-reaped", "storm", 200);
    (void)scenario_sync(s);
    (void)scenario_wait(s, "adopted", "odd");
    scenario_stop(s);
}

static void e09_pid_1_ends_strangers_before_it_goes(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = world_own_proc, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    const char *prefix[] = {FIXTURE, "fork", "1", "[",    "setsid", "on",   "TERM", "[",
                            "exit",  "0",    "]", "wait", "]",      "exec", NULL};
    o.prefix = prefix;
    struct scenario *s = scenario_start_with(&o, "services: { web: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_sync(s);
    pid_t stranger = scenario_wait(s, "unclaimed", NULL)->pid;
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    (void)scenario_wait_pid(s, "orphan-reaped", NULL, stranger);
}

static void e10_without_proc(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("mounting needs root");
    }
    struct scenario_options o = {.fosterd = FOSTERD_PLAIN, .prepare = world_no_proc, .clone_flags = CLONE_NEWNS};
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web: { command: '@ACTOR@ wait' }\n"
                   "  storm: { type: simple, command: '@ACTOR@ litter 100 print done wait' }\n"
                   "  back:\n"
                   "    command: '@ACTOR@ once @DIR@/once [ exit 1 ] wait'\n"
                   "    restart: { delay: 10ms }\n");
    (void)scenario_wait_text(s, NULL, NULL, "/proc is not there");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait(s, "exited", "back");
    (void)scenario_wait_line(s, "storm", "done");
    /* The tag is read by a system call, so the dead are still attributed. */
    scenario_wait_count(s, "orphan-reaped", "storm", 100);
    scenario_wait_count(s, "started", "back", 2);
    scenario_stop(s);
}

static void e11_on_a_read_only_file_system(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("mounting needs root");
    }
    struct scenario_options o = {.prepare = world_read_only, .clone_flags = CLONE_NEWNS};
    struct scenario *s = scenario_start_with(&o, "services:\n"
                                                 "  web: { command: '@ACTOR@ print up wait' }\n"
                                                 "  daemon: { command: '@ACTOR@ daemonize-once wait' }\n");
    (void)scenario_wait_line(s, "web", "up");
    (void)scenario_wait(s, "followed", "daemon");
    scenario_stop(s);
}

static void e12_as_an_ordinary_user(void **state)
{
    (void)state;
    static uid_t nobody = 65534;
    if (getuid()) {
        scenario_skip("not root: everything here runs as an ordinary user already");
    }
    struct scenario_options o = {.prepare = world_user, .data = &nobody};
    struct scenario *s = scenario_new();
    assert_int_equal(chown(scenario_dir(s), nobody, nobody), 0);
    assert_int_equal(chown(scenario_path(s, "run"), nobody, nobody), 0);
    o.fosterd = scenario_copy(s, FOSTERD, "fosterd");
    (void)scenario_copy(s, FIXTURE, "actor");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web: { command: '@DIR@/actor ids wait' }\n"
                   "  daemon: { command: '@DIR@/actor daemonize-once wait' }\n"
                   "  odd:\n"
                   "    type: simple\n"
                   "    command: '@DIR@/actor orphans 1 [ setsid exec env -i @DIR@/actor print up wait ] wait'\n");
    (void)scenario_wait_line(s, "web", "uid=65534 gid=65534");
    pid_t daemon = scenario_wait(s, "followed", "daemon")->pid;
    (void)scenario_wait_line(s, "odd", "up");
    (void)scenario_sync(s);
    (void)scenario_wait(s, "adopted", "odd");
    assert_int_equal(kill(daemon, SIGKILL), 0);
    assert_string_equal(scenario_wait(s, "exited", "daemon")->signal, "SIGKILL");
    (void)scenario_wait(s, "followed", "daemon");
    scenario_stop(s);
}

static void e13_a_supervisor_below_a_supervisor(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    (void)scenario_write(s, "inner.yaml", 0644,
                         "services:\n"
                         "  leaf:\n"
                         "    type: simple\n"
                         "    command: '@ACTOR@ orphans 1 [ setsid say @DIR@/ear %p,%P wait ] wait'\n"
                         "  deep: { command: '@ACTOR@ daemonize-once wait' }\n"
                         "supervisor: { control: '@DIR@/inner.sock' }\n");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  inner:\n"
                   "    type: simple\n"
                   "    command: [" FOSTERD ", -c, '@DIR@/inner.yaml', --log-format, json]\n"
                   "    restart: { policy: always, delay: 10ms }\n");
    pid_t inner = scenario_wait(s, "started", "inner")->pid;
    pid_t leaf = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    while (procs_parent(leaf) != inner) {
        (void)scenario_sync(s);
    }
    (void)scenario_wait_line(s, "inner", "{");
    (void)scenario_sync(s);
    /* Inner orphans are the inner one's business; */
    scenario_check(s, scenario_count(s, "adopted", NULL) == 0);
    /* when it is gone, they are the outer one's, and known for what they are. */
    assert_int_equal(kill(inner, SIGKILL), 0);
    (void)scenario_wait_pid(s, "orphan-reaped", "inner", leaf);
    scenario_check(s, scenario_wait(s, "exited", "inner")->pid == inner);
    (void)scenario_wait(s, "started", "inner");
    (void)scenario_heard(s, "ear");
    scenario_check(s, scenario_count(s, "unclaimed", NULL) == 0);
    scenario_stop(s);
}

static void small_stack(void *data)
{
    (void)data;
    struct rlimit limit = {64 << 10, 64 << 10};
    (void)setrlimit(RLIMIT_STACK, &limit);
}

static void e14_with_a_small_stack(void **state)
{
    (void)state;
    struct scenario_options o = {.fosterd = FOSTERD_PLAIN, .prepare = small_stack};
    struct scenario *s =
        scenario_start_with(&o, "services:\n"
                                "  web: { command: '@ACTOR@ orphans 50 [ exit 0 ] print done wait', scale: 20 }\n");
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_wait_line(s, "web.20", "done");
    scenario_stop(s);
}

static void no_tags(void *data)
{
    (void)data;
    struct rlimit limit = {5, 5};
    (void)setrlimit(RLIMIT_LOCKS, &limit);
}

static void e15_without_tags_the_environment_tells(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = no_tags};
    struct scenario *s =
        scenario_start_with(&o, "services:\n"
                                "  web:\n"
                                "    type: simple\n"
                                "    command: '@ACTOR@ orphans 1 [ setsid exec @ACTOR@ print %p wait ] wait'\n");
    (void)scenario_wait_text(s, NULL, NULL, "FOSTER_RUN only");
    pid_t orphan = (pid_t)strtol(scenario_wait_line(s, "web", ""), NULL, 10);
    (void)scenario_sync(s);
    (void)scenario_wait_pid(s, "adopted", "web", orphan);
    scenario_stop(s);
}

static void few_descriptors(void *data)
{
    (void)data;
    struct rlimit limit = {64, 64};
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void e16_when_descriptors_run_out(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = few_descriptors};
    struct scenario *s = scenario_start_with(&o, "services:\n"
                                                 "  web: { command: '@ACTOR@ wait', scale: 40 }\n");
    /* Some do not come up; that is a start to be tried again, not their failure, and nobody else's business. */
    (void)scenario_wait_text(s, "backoff", NULL, "Too many open files");
    (void)scenario_wait(s, "ready", "web.1");
    scenario_check(s, scenario_count(s, "failed", NULL) == 0);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void without_close_range(void *data)
{
    open_200(data);
    world_no_close_range(data);
}

static void e17_where_close_range_is_refused(void **state)
{
    (void)state;
    check_leaks(without_close_range);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(e01_inherited_ignored_signals),
        SCENARIO(e02_inherited_blocked_signals),
        SCENARIO(e03_two_hundred_stray_descriptors),
        SCENARIO(e04_descriptors_0_to_2_closed),
        SCENARIO(e05_descriptor_0_closed),
        SCENARIO(e06_no_environment_at_all),
        SCENARIO(e07_two_megabytes_of_environment),
        SCENARIO(e08_as_pid_1),
        SCENARIO(e09_pid_1_ends_strangers_before_it_goes),
        SCENARIO(e10_without_proc),
        SCENARIO(e11_on_a_read_only_file_system),
        SCENARIO(e12_as_an_ordinary_user),
        SCENARIO(e13_a_supervisor_below_a_supervisor),
        SCENARIO(e14_with_a_small_stack),
        SCENARIO(e15_without_tags_the_environment_tells),
        SCENARIO(e16_when_descriptors_run_out),
        SCENARIO(e17_where_close_range_is_refused),
    };
    return SCENARIO_RUN("e_env", tests);
}
