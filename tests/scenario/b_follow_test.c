/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * B: following daemons. A program that puts itself into the background stays supervised: its real exit status is
 * seen and its restart policy holds, without any pid file; a pid file is a hint that must prove true.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void b01_a_daemon_is_followed_and_restarted(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ daemonize-once pidfile @DIR@/pid wait'\n"
                                        "    restart: { policy: on-failure, delay: 10ms }\n");
    pid_t launcher = scenario_wait(s, "started", "web")->pid;
    pid_t first = scenario_wait(s, "followed", "web")->pid;
    (void)scenario_wait(s, "ready", "web");
    scenario_check(s, first != launcher);
    /* It is followed from the moment its launcher is gone, which may be before it has its session. */
    while (scenario_read_pid(s, "pid") != first) {
        (void)scenario_sync(s);
    }
    scenario_check(s, procs_session(first) == first);
    scenario_check(s, scenario_count(s, "exited", "web") == 0);
    assert_int_equal(kill(first, SIGKILL), 0);
    const struct scenario_event *end = scenario_wait(s, "exited", "web");
    scenario_check(s, end->pid == first);
    assert_string_equal(end->signal, "SIGKILL");
    pid_t second = scenario_wait(s, "followed", "web")->pid;
    scenario_check(s, second != first && procs_is_alive(second));
    (void)scenario_wait(s, "ready", "web");
    scenario_stop(s);
    scenario_check(s, !procs_is_alive(second));
}

static void b02_the_exit_code_of_a_daemon_is_its_real_one(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ daemonize-once await @DIR@/gate exit 33'\n"
                   "    restart: 'no'\n"
                   "    essential: true\n");
    pid_t daemon = scenario_wait(s, "followed", "web")->pid;
    scenario_open_gate(s, "gate");
    const struct scenario_event *end = scenario_wait_pid(s, "exited", "web", daemon);
    scenario_check(s, end->exit_code == 33);
    scenario_end(s, 33);
}

static void b03_a_classic_double_fork_is_followed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL, "services:\n  web: { command: '@ACTOR@ daemonize say @DIR@/ear %p wait' }\n");
    pid_t daemon = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    (void)scenario_wait_pid(s, "followed", "web", daemon);
    scenario_check(s, procs_parent(daemon) == scenario_pid(s));
    scenario_stop(s);
    scenario_check(s, !procs_is_alive(daemon));
}

/** A launcher that leaves an older process without a session of its own and a younger session leader. */
static struct scenario *start_with_two(const char *more, pid_t *ret_plain, pid_t *ret_leader)
{
    char yaml[768];
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  web:\n"
                   "    command: >-\n"
                   "      @ACTOR@ fork 1 [ pidfile @DIR@/plain.pid say @DIR@/ear %%p wait ]\n"
                   "      await @DIR@/plain\n"
                   "      fork 1 [ setsid say @DIR@/ear %%p wait ]\n"
                   "      await @DIR@/gate\n"
                   "%s",
                   more);
    scenario_gate(s, "plain");
    scenario_spawn(s, NULL, yaml);
    *ret_plain = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    scenario_open_gate(s, "plain");
    *ret_leader = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    return s;
}

static void b04_the_session_leader_is_the_daemon(void **state)
{
    (void)state;
    pid_t plain;
    pid_t leader;
    struct scenario *s = start_with_two("", &plain, &leader);
    scenario_open_gate(s, "gate");
    scenario_check(s, scenario_wait(s, "followed", "web")->pid == leader);
    /* The other one stays a member: its end is not the service's. */
    assert_int_equal(kill(plain, SIGKILL), 0);
    (void)scenario_wait_pid(s, "orphan-reaped", "web", plain);
    scenario_check(s, procs_is_alive(leader));
    scenario_check(s, scenario_count(s, "exited", "web") == 0);
    scenario_stop(s);
}

static void b05_a_pid_file_decides_among_several(void **state)
{
    (void)state;
    pid_t plain;
    pid_t leader;
    struct scenario *s = start_with_two("    pid_file: '@DIR@/plain.pid'\n", &plain, &leader);
    scenario_open_gate(s, "gate");
    scenario_check(s, scenario_wait(s, "followed", "web")->pid == plain);
    scenario_stop(s);
}

/** Makes the pid file NAME of the kind that KIND says. */
static void forge(struct scenario *s, const char *kind)
{
    const char *path = scenario_path(s, "pid");
    char text[64];
    if (!strcmp(kind, "fifo")) {
        assert_int_equal(mkfifo(path, 0600), 0);
    } else if (!strcmp(kind, "huge")) {
        assert_int_equal(truncate(scenario_write(s, "pid", 0644, "1"), (off_t)1 << 30), 0);
    } else if (!strcmp(kind, "directory")) {
        assert_int_equal(mkdir(path, 0700), 0);
    } else if (!strcmp(kind, "device")) {
        assert_int_equal(symlink("/dev/zero", path), 0);
    } else if (!strcmp(kind, "parent")) {
        (void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
        (void)scenario_write(s, "pid", 0644, text);
    } else {
        (void)scenario_write(s, "pid", 0644, kind);
    }
}

static void b06_a_forged_pid_file_is_not_believed(void **state)
{
    (void)state;
    static const char *const kinds[] = {"1\n",  "parent", "huge",    "fifo", "directory", "device",
                                        "-1\n", "0x10\n", "rubbish", "",     "0\n",       "99999999999999999999\n"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        pid_t plain;
        pid_t leader;
        struct scenario *s = start_with_two("    pid_file: '@DIR@/pid'\n", &plain, &leader);
        forge(s, kinds[i]);
        scenario_open_gate(s, "gate");
        pid_t followed = scenario_wait(s, "followed", "web")->pid;
        if (followed != leader) {
            scenario_fail(s, "pid file \"%s\": followed %d, not %d", kinds[i], (int)followed, (int)leader);
        }
        scenario_stop(s);
        (void)scenario_teardown(state);
    }
}

static void b07_a_forking_service_that_leaves_nothing_has_failed(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web: { type: forking, command: '@ACTOR@ exit 0', restart: 'no' }\n"
                                        "supervisor: { exit_when: never }\n");
    (void)scenario_wait(s, "failed", "web");
    scenario_check(s, scenario_count(s, "followed", NULL) == 0);
    scenario_check(s, scenario_count(s, "ready", "web") == 0);
    scenario_stop(s);
}

static void b08_a_simple_service_is_never_followed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    type: simple\n"
                   "    command: '@ACTOR@ orphans 1 [ setsid say @DIR@/ear %p wait ] await @DIR@/gate'\n"
                   "supervisor: { exit_when: never }\n");
    pid_t orphan = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    scenario_open_gate(s, "gate");
    scenario_check(s, scenario_wait(s, "exited", "web")->exit_code == 0);
    (void)scenario_wait_state(s, "web", "done");
    scenario_check(s, !procs_is_alive(orphan));
    scenario_check(s, scenario_count(s, "followed", NULL) == 0);
    scenario_stop(s);
}

static void b09_a_launcher_that_fails_is_not_followed(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    command: '@ACTOR@ orphans 1 [ setsid wait ] exit 9'\n"
                                        "    restart: 'no'\n"
                                        "supervisor: { exit_when: never }\n");
    scenario_check(s, scenario_wait(s, "exited", "web")->exit_code == 9);
    (void)scenario_wait(s, "failed", "web");
    scenario_check(s, scenario_count(s, "followed", NULL) == 0);
    scenario_stop(s);
}

static void b10_an_auto_service_that_leaves_nothing_is_done(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_spawn(s, NULL, "services:\n  job: { command: '@ACTOR@ fork 5 [ exit 1 ] reap exit 0' }\n");
    scenario_check(s, scenario_wait(s, "exited", "job")->exit_code == 0);
    (void)scenario_wait_state(s, "job", "done");
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "followed", NULL) == 0);
}

static void b11_what_an_exit_leaves_dead_is_not_followed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_spawn(s, NULL, "services:\n  job: { command: '@ACTOR@ zombies 20 exit 0' }\n");
    (void)scenario_wait_state(s, "job", "done");
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "followed", NULL) == 0);
    scenario_check(s, scenario_count(s, "started", "job") == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(b01_a_daemon_is_followed_and_restarted),
        SCENARIO(b02_the_exit_code_of_a_daemon_is_its_real_one),
        SCENARIO(b03_a_classic_double_fork_is_followed),
        SCENARIO(b04_the_session_leader_is_the_daemon),
        SCENARIO(b05_a_pid_file_decides_among_several),
        SCENARIO(b06_a_forged_pid_file_is_not_believed),
        SCENARIO(b07_a_forking_service_that_leaves_nothing_has_failed),
        SCENARIO(b08_a_simple_service_is_never_followed),
        SCENARIO(b09_a_launcher_that_fails_is_not_followed),
        SCENARIO(b10_an_auto_service_that_leaves_nothing_is_done),
        SCENARIO(b11_what_an_exit_leaves_dead_is_not_followed),
    };
    return SCENARIO_RUN("b_follow", tests);
}
