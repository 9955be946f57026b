/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control socket of a real fosterd: who may use it, who else may have it, and what happens where it cannot be.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/command.h"
#include "scenario/support/ctl_kit.h"
#include "scenario/support/idle.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STRANGER = 12345, GROUP = 12346, OTHER_GROUP = 12347, TEXT_MAX = 4096, EXIT_UNAVAILABLE = 69, IDLE_MS = 2000 };

#define ASK_HELLO "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}\n"
#define ASK_LIST  "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"list\"}\n"
#define ASK_STOP  "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"stop\",\"params\":{\"services\":[\"a\"]}}\n"

static const char one_service[] = "services: { a: { command: '@ACTOR@ wait' } }\n";

/* Another user, in a process of its own: connects, says TEXT and its last word, and copies what it is told to OUT. */
static _Noreturn void be_somebody(uid_t uid, gid_t gid, gid_t supplementary, const char *path, const char *text,
                                  int out)
{
    char told[TEXT_MAX];
    ssize_t n;
    if (setgroups(1, &supplementary) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
        (void)dprintf(out, "cannot become uid %u\n", (unsigned)uid);
        _exit(1);
    }
    int fd = ctl_connect(path);
    if (fd < 0) {
        (void)dprintf(out, "connect: %s\n", strerror(errno));
        _exit(1);
    }
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while ((n = read(fd, told, sizeof(told))) > 0) {
        (void)!write(out, told, (size_t)n);
    }
    _exit(0);
}

/* What the user UID in the groups is told for TEXT, until its connection ends. */
static const char *told_to(struct scenario *s, uid_t uid, gid_t gid, gid_t supplementary, const char *text)
{
    static char told[TEXT_MAX];
    const char *path = scenario_path(s, "run/control.sock");
    size_t len = 0;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        be_somebody(uid, gid, supplementary, path, text, fds[1]);
    }
    (void)close(fds[1]);
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    for (ssize_t n = 1; n > 0; len += n > 0 ? (size_t)n : 0) {
        scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
        n = read(fds[0], told + len, sizeof(told) - 1 - len);
    }
    told[len] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return told;
}

static bool tells(const char *told, const char *text)
{
    return strstr(told, text) != NULL;
}

static void need_root(void)
{
    if (getuid() != 0) {
        scenario_skip("becoming another user needs root");
    }
}

static void o11_nobody_else_gets_to_the_socket(void **state)
{
    (void)state;
    need_root();
    struct scenario *s = scenario_start(one_service);
    scenario_check(s, tells(told_to(s, STRANGER, STRANGER, STRANGER, ASK_HELLO), "Permission denied"));
    scenario_stop(s);
}

/* Permissions of files that somebody has widened do not widen ours. */
static void o12_a_stranger_who_gets_to_the_socket_is_refused(void **state)
{
    (void)state;
    need_root();
    struct scenario *s = scenario_start(one_service);
    assert_int_equal(chmod(scenario_path(s, "run"), 0755), 0);
    assert_int_equal(chmod(scenario_path(s, "run/control.sock"), 0666), 0);
    const char *told = told_to(s, STRANGER, STRANGER, STRANGER, ASK_HELLO ASK_STOP);
    scenario_check(s, tells(told, "-32003") && !tells(told, "result"));
    scenario_check(s, strchr(told, '\n') == strrchr(told, '\n'));
    scenario_stop(s);
}

static const char with_group[] = "supervisor: { control_group: '12346', control_mode: %s, exit_when: never }\n"
                                 "services: { a: { command: '@ACTOR@ wait' } }\n";

static struct scenario *start_with_group(const char *mode)
{
    char yaml[sizeof(with_group) + 16];
    need_root();
    (void)snprintf(yaml, sizeof(yaml), with_group, mode);
    return scenario_start(yaml);
}

static void o13_a_member_of_the_group_may_look(void **state)
{
    (void)state;
    struct scenario *s = start_with_group("0600");
    const gid_t groups[][2] = {{GROUP, OTHER_GROUP}, {OTHER_GROUP, GROUP}};
    for (size_t i = 0; i < 2; i++) {
        const char *told = told_to(s, STRANGER, groups[i][0], groups[i][1], ASK_HELLO ASK_LIST ASK_STOP);
        scenario_check(s, tells(told, "\"capabilities\":[]"));
        scenario_check(s, tells(told, "\"names\":[\"a\"]"));
        scenario_check(s, tells(told, "-32003") && !tells(told, "\"id\":3,\"result\""));
    }
    scenario_check(s, tells(told_to(s, STRANGER, OTHER_GROUP, OTHER_GROUP, ASK_HELLO), "Permission denied"));
    scenario_check(s, scenario_count(s, "stopping", "a") == 0);
    scenario_stop(s);
}

static void o14_with_0660_a_member_of_the_group_may_act(void **state)
{
    (void)state;
    struct scenario *s = start_with_group("0660");
    const char *told = told_to(s, STRANGER, OTHER_GROUP, GROUP, ASK_HELLO ASK_STOP);
    scenario_check(s, tells(told, "\"capabilities\":[\"act\"]"));
    scenario_check(s, tells(told, "\"ok\":true"));
    (void)scenario_wait(s, "stopped", "a");
    scenario_stop(s);
}

static void o15_two_in_one_runtime_directory_are_one_too_many(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(one_service);
    const char *const args[] = {"-c", scenario_path(s, "foster.yaml"), NULL};
    struct command second = command_run_in(s, "run", args);
    if (second.code != EXIT_UNAVAILABLE || !tells(second.err, "another fosterd")) {
        scenario_fail(s, "the second one has ended with %d: %s", second.code, second.err);
    }
    struct ctl *c = ctl_open(s);
    scenario_check(s, ctl_number(c, ctl_call(c, "hello", NULL), "pid") == scenario_pid(s));
    ctl_close(c);
    scenario_stop(s);
}

/* Runs a fosterd without services in the same runtime directory until it listens, then kills it. */
static void leave_a_stale_socket(struct scenario *s)
{
    const char *yaml = scenario_write(s, "first.yaml", 0644,
                                      "supervisor: { exit_when: never }\n"
                                      "services: { b: { command: '@ACTOR@ wait', autostart: false } }\n");
    const char *run = scenario_path(s, "run");
    char text[TEXT_MAX] = "";
    size_t len = 0;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(fds[1], 2);
        (void)close(fds[0]);
        (void)setenv("FOSTER_RUNTIME_DIR", run, 1);
        (void)execl(FOSTERD, FOSTERD, "-c", yaml, (char *)NULL);
        _exit(112);
    }
    (void)close(fds[1]);
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    while (!tells(text, "supervising")) {
        scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
        ssize_t n = read(fds[0], text + len, sizeof(text) - 1 - len);
        if (n <= 0) {
            scenario_fail(s, "the first one has ended: %s", text);
        }
        len += (size_t)n;
        text[len] = '\0';
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)close(fds[0]);
}

static void o16_what_a_killed_one_has_left_is_taken_over(void **state)
{
    (void)state;
    struct stat st;
    struct scenario *s = scenario_new();
    leave_a_stale_socket(s);
    assert_int_equal(lstat(scenario_path(s, "run/control.sock"), &st), 0);
    scenario_spawn(s, NULL, one_service);
    (void)scenario_wait(s, "settled", NULL);
    struct ctl *c = ctl_open(s);
    scenario_check(s, ctl_number(c, ctl_call(c, "hello", NULL), "pid") == scenario_pid(s));
    ctl_close(c);
    scenario_stop(s);
}

static void o17_a_socket_that_is_removed_comes_back(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(one_service);
    (void)scenario_wait(s, "settled", NULL);
    struct ctl *before = ctl_open(s);
    (void)ctl_call(before, "hello", NULL);
    assert_int_equal(unlink(scenario_path(s, "run/control.sock")), 0);
    (void)scenario_wait_text(s, NULL, NULL, "made anew");
    struct ctl *after = ctl_open(s);
    (void)ctl_call(after, "hello", NULL);
    (void)ctl_call(before, "hello", NULL);
    ctl_close(after);
    ctl_close(before);
    (void)scenario_wait_text(s, NULL, NULL, "has taken over");
    idle_watch(s, IDLE_MS);
    scenario_stop(s);
}

static void check_it_runs_without(struct scenario *s)
{
    (void)scenario_wait_text(s, NULL, NULL, "going on without fosterctl");
    (void)scenario_wait(s, "started", "a");
    scenario_signal(s, SIGHUP);
    (void)scenario_sync(s);
    scenario_stop(s);
}

static void o18_on_a_read_only_file_system_services_run(void **state)
{
    (void)state;
    need_root();
    struct scenario_options o = {.prepare = world_read_only, .clone_flags = CLONE_NEWNS};
    check_it_runs_without(scenario_start_with(&o, one_service));
}

static void o19_in_a_runtime_directory_of_another_services_run(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    const char *run = scenario_path(s, "run");
    /* Root may write anywhere, but must not trust what is another's. */
    assert_int_equal(getuid() == 0 ? chown(run, STRANGER, STRANGER) : chmod(run, 0500), 0);
    scenario_spawn(s, NULL, one_service);
    check_it_runs_without(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(o11_nobody_else_gets_to_the_socket),
        SCENARIO(o12_a_stranger_who_gets_to_the_socket_is_refused),
        SCENARIO(o13_a_member_of_the_group_may_look),
        SCENARIO(o14_with_0660_a_member_of_the_group_may_act),
        SCENARIO(o15_two_in_one_runtime_directory_are_one_too_many),
        SCENARIO(o16_what_a_killed_one_has_left_is_taken_over),
        SCENARIO(o17_a_socket_that_is_removed_comes_back),
        SCENARIO(o18_on_a_read_only_file_system_services_run),
        SCENARIO(o19_in_a_runtime_directory_of_another_services_run),
    };
    return SCENARIO_RUN("o_socket", tests);
}
