/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * U: limits, by control groups of this machine: they bind, they are told of when they are met, and nothing of them
 * stays behind, whatever has happened to fosterd.
 */
#include "scenario/support/command.h"
#include "scenario/support/ctl_kit.h"
#include "scenario/support/procs.h"
#include "scenario/support/scenario.h"
#include "scenario/support/worlds.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UNIFIED "/sys/fs/cgroup/unified"

enum { GROUP_MAX = 512 };

/** The directory of the group of PID with CONTROLLER ("": of version 2), where the file FILE is, into BUF. */
static bool find_file(pid_t pid, const char *controller, const char *file, char *buf)
{
    char name[64], line[GROUP_MAX], key[32];
    bool found = false;
    (void)snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
    (void)snprintf(key, sizeof(key), ":%s:", controller);
    FILE *f = fopen(name, "re");
    while (f && !found && fgets(line, sizeof(line), f)) {
        const char *at = strstr(line, key);
        if (!at || at > strchr(line, ':') + 1) {
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        const char *group = at + strlen(key);
        (void)snprintf(buf, 2 * GROUP_MAX, "/sys/fs/cgroup/%s%s/%s", *controller ? controller : "unified",
                       strcmp(group, "/") ? group : "", file);
        found = true;
    }
    if (f) {
        (void)fclose(f);
    }
    return found && !access(buf, F_OK);
}

/** The first line of FILE of the group of PID. */
static const char *group_value(pid_t pid, const char *controller, const char *file)
{
    static char line[64];
    char path[2 * GROUP_MAX];
    line[0] = '\0';
    FILE *f = find_file(pid, controller, file, path) ? fopen(path, "re") : NULL;
    if (f) {
        (void)!fgets(line, sizeof(line), f);
        (void)fclose(f);
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

/** The directory of the tree that fosterd PID has made below our own group with CONTROLLER. */
static void tree_of(pid_t fosterd, const char *controller, char *buf)
{
    char file[32];
    (void)snprintf(file, sizeof(file), "foster-%d", (int)fosterd);
    (void)find_file(getpid(), controller, file, buf);
}

static void check_no_tree(struct scenario *s, pid_t fosterd)
{
    static const char *const controllers[] = {"", "pids", "memory", "cpu"};
    char path[2 * GROUP_MAX] = "";
    for (size_t i = 0; i < 4; i++) {
        tree_of(fosterd, controllers[i], path);
        scenario_check(s, access(path, F_OK) < 0);
    }
}

/** Skips unless groups of version 1 can be made here, and of version 2 beside them. */
static void need_groups(void)
{
    static const char *const controllers[] = {"pids", "memory", "cpu"};
    char path[2 * GROUP_MAX];
    if (geteuid() != 0) {
        scenario_skip("control groups need root");
    }
    for (size_t i = 0; i < 3; i++) {
        if (!find_file(getpid(), controllers[i], ".", path) || access(path, W_OK)) {
            scenario_skip("no control group of version 1 with the controller %s can be made here", controllers[i]);
        }
    }
    if (!find_file(getpid(), "", "cgroup.kill", path)) {
        /* The group at the top has no such file, but all below it have. */
        (void)snprintf(path, sizeof(path), UNIFIED "/foster-test-%d", (int)getpid());
        if (mkdir(path, 0755) || rmdir(path)) {
            scenario_skip("no control group of version 2 can be made in " UNIFIED);
        }
    }
}

static pid_t printed_pid(struct scenario *s, const char *service)
{
    return (pid_t)strtol(scenario_wait_line(s, service, ""), NULL, 10);
}

static void u01_limits_bind_and_tell_when_they_are_met(void **state)
{
    (void)state;
    need_groups();
    struct scenario *s = scenario_start(
        "supervisor: { exit_when: never }\n"
        "services:\n"
        "  crowd: { type: simple, restart: 'no', pids_limit: 4, command: '@ACTOR@ fork 10 [ wait ] wait' }\n"
        "  hog: { restart: 'no', mem_limit: 16m, command: '@FIXTURES@/glutton eat 64' }\n"
        "  farm:\n"
        "    mem_limit: 16m\n"
        "    type: simple\n"
        "    command: '@ACTOR@ orphans 1 [ setsid exec @FIXTURES@/glutton eat 64 ] print %p wait'\n"
        "  slow: { command: '@ACTOR@ wait', cpus: 0.25, mem_limit: 1g, pids_limit: 20 }\n"
        "  plain: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait_text(s, "pids-limit", "crowd", "pids_limit 4 reached");
    scenario_check(s, scenario_wait(s, "exited", "crowd")->exit_code == 75);
    pid_t hog = scenario_wait_text(s, "oom-killed", "hog", "out of memory, limit 16.0M")->pid;
    scenario_check(s, scenario_wait_pid(s, "exited", "hog", hog)->exit_code == -1);
    (void)scenario_wait_text(s, "failed", "hog", "killed by SIGKILL (out of memory, limit 16.0M)");
    pid_t farm = printed_pid(s, "farm");
    const struct scenario_event *e = scenario_wait(s, "oom-killed", "farm");
    scenario_check(s, e->pid > 0 && e->pid != farm && procs_is_alive(farm));
    struct ctl *c = ctl_open(s);
    const json_t *all = ctl_call(c, "status", "{'wide':true}");
    pid_t slow = (pid_t)ctl_number(c, ctl_service(c, all, "slow"), "pid");
    scenario_check(s, !strcmp(group_value(slow, "pids", "pids.max"), "20"));
    scenario_check(s, !strcmp(group_value(slow, "memory", "memory.limit_in_bytes"), "1073741824"));
    scenario_check(s, !strcmp(group_value(slow, "cpu", "cpu.cfs_quota_us"), "25000"));
    scenario_check(s, !strcmp(ctl_text(c, ctl_service(c, all, "slow"), "limits"), "enforced"));
    scenario_check(s, !strcmp(ctl_text(c, ctl_service(c, all, "plain"), "limits"), ""));
    ctl_close(c);
    scenario_check(s, scenario_count(s, "pids-limit", "crowd") == 1);
    scenario_check(s, scenario_count(s, "unenforced", NULL) == 0);
    pid_t fosterd = scenario_pid(s);
    scenario_stop(s);
    check_no_tree(s, fosterd);
}

/* A process without tag and marker is known by its group, and whoever forks for ever is killed at one blow. */
static void u02_a_group_knows_and_kills_its_members(void **state)
{
    (void)state;
    need_groups();
    struct scenario *s = scenario_start(
        "services:\n"
        "  web:\n"
        "    type: simple\n"
        "    pids_limit: 500\n"
        "    command: '@ACTOR@ ignore TERM orphans 1 [ setsid exec @FIXTURES@/glutton untag @ACTOR@ print %p fork 1\n"
        "      [ ignore TERM setsid outrun ] wait ] wait'\n"
        "    stop_grace_period: 0s\n");
    pid_t member = printed_pid(s, "web");
    (void)scenario_sync(s);
    (void)scenario_wait_text(s, "adopted", "web", "recognised by its cgroup");
    scenario_check(s, procs_parent(member) == scenario_pid(s));
    pid_t fosterd = scenario_pid(s);
    scenario_stop(s);
    check_no_tree(s, fosterd);
}

#define ONE_STAYS                                                                                                      \
    "services:\n"                                                                                                      \
    "  web:\n"                                                                                                         \
    "    type: oneshot\n"                                                                                              \
    "    pids_limit: 10\n"                                                                                             \
    "    command: '@ACTOR@ once @DIR@/first [ setsid say @DIR@/ear %p wait ] exit 0'\n"

/** How often it was told that PID is left over: others may have left some, too. */
static size_t count_left(struct scenario *s, pid_t pid)
{
    const struct scenario_event *e;
    size_t n = 0;
    for (size_t i = 0; (e = scenario_event_at(s, i)); i++) {
        n += !strcmp(e->event, "left-over") && e->pid == pid;
    }
    return n;
}

static void u03_what_a_killed_fosterd_left_is_removed_once_it_is_empty(void **state)
{
    (void)state;
    need_groups();
    struct scenario_options o = {.leaves_children = true};
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    (void)scenario_write(s, "foster.yaml", 0644, ONE_STAYS);
    pid_t fosterd = command_start(s, (const char *const[]){"-c", "foster.yaml", NULL});
    pid_t left = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    assert_int_equal(kill(fosterd, SIGKILL), 0);
    assert_int_equal(waitpid(fosterd, NULL, 0), fosterd);
    char tree[2 * GROUP_MAX], pids[2 * GROUP_MAX];
    tree_of(fosterd, "", tree);
    tree_of(fosterd, "pids", pids);
    scenario_check(s, !access(tree, F_OK) && !access(pids, F_OK));
    scenario_spawn(s, &o, ONE_STAYS);
    const struct scenario_event *e = scenario_wait_pid(s, "left-over", NULL, left);
    scenario_check(s, strstr(e->msg, tree) != NULL);
    scenario_end(s, 0);
    scenario_check(s, procs_is_alive(left));
    scenario_check(s, count_left(s, left) == 1);
    check_no_tree(s, scenario_pid(s));
    assert_int_equal(kill(left, SIGKILL), 0);
    assert_int_equal(waitpid(left, NULL, 0), left);
    struct command c = command_run(s, "-c", "foster.yaml");
    assert_int_equal(c.code, 0);
    scenario_check(s, access(tree, F_OK) < 0 && access(pids, F_OK) < 0);
}

/** Becomes a process of the group whose directory DATA is, which has been left to it. */
static void move_to(void *data)
{
    char path[GROUP_MAX];
    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", (const char *)data);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1) {
        _exit(113);
    }
    (void)close(fd);
}

/** A fosterd that is in a group of its own (IN_IT), or is told of it, gives groups to what has no limits, too. */
static void run_in(bool in_it)
{
    char group[GROUP_MAX / 2], yaml[GROUP_MAX], seen[64], path[2 * GROUP_MAX];
    (void)snprintf(group, sizeof(group), UNIFIED "/foster-test-%d", (int)getpid());
    struct scenario_options o = {.prepare = in_it ? move_to : NULL, .data = group};
    assert_int_equal(mkdir(group, 0755), 0);
    if (in_it && setxattr(group, "trusted.delegate", "1", 1, 0) && setxattr(group, "user.delegate", "1", 1, 0)) {
        assert_int_equal(rmdir(group), 0);
        scenario_skip("no extended attributes on control groups");
    }
    (void)snprintf(yaml, sizeof(yaml),
                   "supervisor: { cgroup: %s }\nservices:\n  web: { command: '@ACTOR@ print %%p wait' }\n",
                   in_it ? "auto" : group);
    struct scenario *s = scenario_start_with(&o, yaml);
    pid_t web = printed_pid(s, "web");
    (void)snprintf(seen, sizeof(seen), "/foster-%d/web/1/", (int)scenario_pid(s));
    scenario_check(s, find_file(web, "", "cgroup.procs", path) && strstr(path, seen) && strstr(path, group) == path);
    scenario_stop(s);
    assert_int_equal(rmdir(group), 0);
}

static void u04_in_a_delegated_group_all_get_groups(void **state)
{
    (void)state;
    need_groups();
    run_in(true);
}

static void u05_in_a_group_that_is_named_all_get_groups(void **state)
{
    (void)state;
    need_groups();
    run_in(false);
}

/** A fosterd without control groups, with a service that should have limits: its event EVENT, its state, its level. */
static void run_without(bool required, const char *event, const char *unit_state, const char *level)
{
    char yaml[GROUP_MAX];
    (void)snprintf(yaml, sizeof(yaml),
                   "supervisor: { cgroup: 'off', exit_when: never, require_limits: %s }\n"
                   "services:\n"
                   "  web: { command: '@ACTOR@ wait', pids_limit: 10 }\n"
                   "  plain: { command: '@ACTOR@ wait' }\n",
                   required ? "true" : "false");
    struct scenario *s = scenario_start(yaml);
    (void)scenario_wait(s, "settled", NULL);
    const struct scenario_event *e = scenario_wait_text(s, event, "web", "`supervisor: cgroup: off`");
    scenario_check(s, !strcmp(e->level, level));
    struct ctl *c = ctl_open(s);
    const json_t *all = ctl_call(c, "status", "{'wide':true}");
    scenario_check(s, !strcmp(ctl_text(c, ctl_service(c, all, "web"), "limits"), "unenforced"));
    scenario_check(s, !strcmp(ctl_text(c, ctl_service(c, all, "web"), "state"), unit_state));
    scenario_check(s, !strcmp(ctl_text(c, ctl_service(c, all, "plain"), "state"), "ready"));
    ctl_close(c);
    scenario_stop(s);
}

static void u06_limits_that_cannot_be_enforced_are_told(void **state)
{
    (void)state;
    run_without(false, "unenforced", "ready", "warn");
}

static void u07_limits_that_are_required_and_cannot_be_enforced_are_a_failure(void **state)
{
    (void)state;
    run_without(true, "failed", "failed", "error");
}

static void u08_an_ordinary_user_is_told_what_is_missing(void **state)
{
    (void)state;
    static uid_t nobody = 65534;
    need_groups();
    struct scenario_options o = {.prepare = world_user, .data = &nobody};
    struct scenario *s = scenario_new();
    assert_int_equal(chown(scenario_dir(s), nobody, nobody), 0);
    assert_int_equal(chown(scenario_path(s, "run"), nobody, nobody), 0);
    o.fosterd = scenario_copy(s, FOSTERD, "fosterd");
    (void)scenario_copy(s, FIXTURE, "actor");
    scenario_spawn(s, &o, "services:\n  web: { command: '@DIR@/actor wait', mem_limit: 64m, pids_limit: 10 }\n");
    const struct scenario_event *e = scenario_wait(s, "unenforced", "web");
    scenario_check(s, strstr(e->msg, "/sys/fs/cgroup/pids") && strstr(e->msg, "Permission denied"));
    (void)scenario_wait(s, "ready", "web");
    check_no_tree(s, scenario_pid(s));
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(u01_limits_bind_and_tell_when_they_are_met),
        SCENARIO(u02_a_group_knows_and_kills_its_members),
        SCENARIO(u03_what_a_killed_fosterd_left_is_removed_once_it_is_empty),
        SCENARIO(u04_in_a_delegated_group_all_get_groups),
        SCENARIO(u05_in_a_group_that_is_named_all_get_groups),
        SCENARIO(u06_limits_that_cannot_be_enforced_are_told),
        SCENARIO(u07_limits_that_are_required_and_cannot_be_enforced_are_a_failure),
        SCENARIO(u08_an_ordinary_user_is_told_what_is_missing),
    };
    return SCENARIO_RUN("u_limits", tests);
}
