/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * R: whose process is which. What `tree` says of real families: who was adopted, from whom as far as that can be known,
 * how each was recognised, and what nobody has started.
 */
#include "scenario/support/ctl_kit.h"
#include "scenario/support/procs.h"
#include "scenario/support/scenario.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pid_t printed_pid(const char *text)
{
    return (pid_t)strtol(text, NULL, 10);
}

/** Makes NAME in the test's directory another name of the fixture. */
static void name_fixture(struct scenario *s, const char *name)
{
    assert_int_equal(symlink(FIXTURE, scenario_path(s, name)), 0);
}

/** The process PID in the trees of ARRAY, at any depth, or NULL. */
static json_t *find_process(json_t *array, pid_t pid)
{
    size_t i;
    json_t *process;
    json_array_foreach(array, i, process)
    {
        if (json_integer_value(json_object_get(process, "pid")) == pid) {
            return process;
        }
        json_t *below = find_process(json_object_get(process, "children"), pid);
        if (below) {
            return below;
        }
    }
    return NULL;
}

/** Process PID of SERVICE (NULL: of the unclaimed), as `tree` shows it now. */
static json_t *ask_process(struct scenario *s, struct ctl *c, const char *service, pid_t pid)
{
    json_t *tree = ctl_call(c, "tree", NULL);
    json_t *array = service ? json_object_get(ctl_service(c, tree, service), "processes") : NULL;
    json_t *process = find_process(service ? array : json_object_get(tree, "unclaimed"), pid);
    if (!process) {
        scenario_fail(s, "%d is not in the tree of %s: %s", (int)pid, service ? service : "the unclaimed",
                      json_dumps(tree, JSON_INDENT(1)));
    }
    ctl_check_keys(c, process,
                   "pid ppid name command state age_ms role helper attribution adopted adopted_ms adopted_from session "
                   "children");
    return process;
}

static void check_text(struct scenario *s, struct ctl *c, const json_t *process, const char *key, const char *text)
{
    if (strcmp(ctl_text(c, process, key), text) != 0) {
        scenario_fail(s, "%s is %s, not %s", key, ctl_text(c, process, key), text);
    }
}

/** Checks that PROCESS is an adopted one that PID (0: nobody knows who) called NAME ("": not known any more) left. */
static void check_left_by(struct scenario *s, struct ctl *c, const json_t *process, pid_t pid, const char *name)
{
    const json_t *from = json_object_get(process, "adopted_from");
    scenario_check(s, ctl_bool(c, process, "adopted"));
    scenario_check(s, ctl_number(c, process, "adopted_ms") >= 0);
    scenario_check(s, ctl_number(c, process, "ppid") == scenario_pid(s));
    scenario_check(s, json_is_null(from) == (pid == 0));
    if (pid == 0) {
        return;
    }
    scenario_check(s, ctl_number(c, from, "pid") == pid);
    check_text(s, c, from, "name", name);
    scenario_check(s, json_is_null(json_object_get(from, "name")) == (*name == '\0'));
}

static void end(struct scenario *s, struct ctl *c)
{
    ctl_close(c);
    scenario_stop(s);
}

/* The one in the middle was seen by an earlier look, so it is known by its name after it has gone. */
static void r01_who_was_seen_below_it_has_left_it(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    name_fixture(s, "midway");
    scenario_gate(s, "gate");
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  web:\n"
        "    type: simple\n"
        "    command: '@ACTOR@ fork 1 [ exec @DIR@/midway print mid,%p fork 1 [ setsid print leaf,%p wait ]\n"
        "      await @DIR@/gate ] reap print reaped wait'\n");
    pid_t mid = printed_pid(scenario_wait_line(s, "web", "mid,"));
    pid_t leaf = printed_pid(scenario_wait_line(s, "web", "leaf,"));
    struct ctl *c = ctl_open(s);
    json_t *process = ask_process(s, c, "web", mid);
    check_text(s, c, process, "name", "midway");
    check_text(s, c, process, "role", "descendant");
    scenario_check(s, strstr(ctl_text(c, process, "command"), "/midway print mid,%p fork 1") != NULL);
    scenario_check(s, find_process(json_object_get(process, "children"), leaf) != NULL);
    process = ask_process(s, c, "web", leaf);
    check_text(s, c, process, "attribution", "below");
    scenario_check(s, !ctl_bool(c, process, "adopted"));
    scenario_check(s, ctl_number(c, process, "session") == leaf);

    scenario_open_gate(s, "gate");
    (void)scenario_wait_line(s, "web", "reaped");
    process = ask_process(s, c, "web", leaf);
    check_text(s, c, process, "role", "member");
    check_text(s, c, process, "attribution", "tag");
    check_left_by(s, c, process, mid, "midway");
    scenario_check(s, strstr(scenario_wait_pid(s, "adopted", "web", leaf)->msg, "(midway)") != NULL);
    end(s, c);
}

/* Nobody has looked before, but it is in a session of one that has gone. The name has gone with it. */
static void r02_the_leader_of_its_session_has_left_it(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    type: simple\n"
                                        "    command: '@ACTOR@ fork 1 [ setsid print mid,%p fork 1 [ print leaf,%p "
                                        "wait ] ] reap print reaped wait'\n");
    pid_t mid = printed_pid(scenario_wait_line(s, "web", "mid,"));
    pid_t leaf = printed_pid(scenario_wait_line(s, "web", "leaf,"));
    (void)scenario_wait_line(s, "web", "reaped");
    struct ctl *c = ctl_open(s);
    check_left_by(s, c, ask_process(s, c, "web", leaf), mid, "");
    end(s, c);
}

/* A shell's double fork in the shell's own session: who was between is not known, and nobody is named who lives. */
static void r03_nobody_is_guessed(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  web:\n"
                       "    type: simple\n"
                       "    command: [sh, -c, 'sh -c \"@ACTOR@ print leaf,%p wait & exit 0\"; echo up; "
                       "exec @ACTOR@ wait']\n");
    pid_t leaf = printed_pid(scenario_wait_line(s, "web", "leaf,"));
    (void)scenario_wait_line(s, "web", "up");
    struct ctl *c = ctl_open(s);
    json_t *process = ask_process(s, c, "web", leaf);
    check_left_by(s, c, process, 0, "");
    check_text(s, c, process, "role", "member");
    check_text(s, c, process, "attribution", "tag");
    end(s, c);
}

/* As nginx and redis do: one fork, and the child leaves the session. The launcher was all there was. */
static void r04_a_launcher_has_left_its_daemon(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    name_fixture(s, "launcher");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  daemon: { command: '@DIR@/launcher daemonize-once fork 1 [ wait ] wait' }\n"
                   "  other: { command: '@ACTOR@ wait' }\n");
    pid_t launcher = scenario_wait(s, "started", "daemon")->pid;
    pid_t pid = scenario_wait(s, "followed", "daemon")->pid;
    (void)scenario_wait(s, "settled", NULL);
    struct ctl *c = ctl_open(s);
    json_t *process = ask_process(s, c, "daemon", pid);
    check_left_by(s, c, process, launcher, "launcher");
    check_text(s, c, process, "role", "main");
    check_text(s, c, process, "attribution", "tag");
    json_t *tree = ctl_call(c, "tree", "{'services':['other']}");
    scenario_check(s, json_array_size(json_object_get(tree, "services")) == 1);
    process = json_array_get(json_object_get(ctl_service(c, tree, "other"), "processes"), 0);
    check_text(s, c, process, "role", "main");
    check_text(s, c, process, "attribution", "born");
    scenario_check(s, !ctl_bool(c, process, "adopted"));
    scenario_check(s, json_is_null(json_object_get(process, "adopted_from")));
    end(s, c);
}

static void r05_redis_was_left_by_redis(void **state)
{
    (void)state;
    static const char redis[] = "/usr/bin/redis-server";
    if (access(redis, X_OK)) {
        scenario_skip("%s is not installed", redis);
    }
    struct scenario *s = scenario_start("services:\n"
                                        "  redis:\n"
                                        "    command: /usr/bin/redis-server --daemonize yes --port 0 --unixsocket "
                                        "@DIR@/redis.sock --dir @DIR@ --save '' --logfile @DIR@/redis.log\n");
    pid_t launcher = scenario_wait(s, "started", "redis")->pid;
    pid_t pid = scenario_wait(s, "followed", "redis")->pid;
    struct ctl *c = ctl_open(s);
    json_t *process = ask_process(s, c, "redis", pid);
    check_left_by(s, c, process, launcher, "redis-server");
    check_text(s, c, process, "name", "redis-server");
    check_text(s, c, process, "role", "main");
    end(s, c);
}

static void r06_what_nobody_started_is_unclaimed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_gate(s, "gate");
    const char *gate = scenario_path(s, "gate");
    const char *ear = scenario_path(s, "ear");
    const char *prefix[] = {FIXTURE, "fork", "1", "[", "say", ear, "%p", "await", gate, "]", "exec", NULL};
    struct scenario_options o = {.prefix = prefix, .leaves_children = true};
    scenario_spawn(s, &o, "services:\n  web: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "ready", "web");
    pid_t stranger = printed_pid(scenario_heard(s, "ear"));
    struct ctl *c = ctl_open(s);
    json_t *process = ask_process(s, c, NULL, stranger);
    check_text(s, c, process, "attribution", "unclaimed");
    check_left_by(s, c, process, 0, "");
    json_t *tree = ctl_call(c, "tree", "{'services':['web']}");
    scenario_check(s, json_array_size(json_object_get(tree, "unclaimed")) == 0);
    scenario_check(s, ctl_number(c, json_object_get(tree, "daemon"), "unclaimed") == 1);
    scenario_open_gate(s, "gate");
    procs_wait_end(s, stranger);
    end(s, c);
}

static void r07_zombies_of_a_negligent_parent_are_shown(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    type: simple\n"
                                        "    command: '@ACTOR@ zombies 3 orphans 1 [ wait ] print up wait'\n");
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    (void)scenario_wait_line(s, "web", "up");
    struct ctl *c = ctl_open(s);
    json_t *process = ask_process(s, c, "web", pid);
    json_t *children = json_object_get(process, "children");
    size_t n_zombies = 0, i;
    json_t *child;
    json_array_foreach(children, i, child)
    {
        n_zombies += strcmp(ctl_text(c, child, "state"), "Z") == 0;
        scenario_check(s, ctl_number(c, child, "ppid") == pid);
        scenario_check(s, json_is_null(json_object_get(child, "command")));
    }
    scenario_check(s, n_zombies == 3);
    json_t *service = ctl_service(c, ctl_call(c, "status", "{'services':['web'],'wide':true}"), "web");
    scenario_check(s, ctl_number(c, service, "zombies") == 3);
    scenario_check(s, ctl_number(c, service, "processes") == 2);
    scenario_check(s, ctl_number(c, service, "adopted") == 1);
    scenario_check(s, ctl_number(c, service, "rss_bytes") > 0);
    scenario_check(s, ctl_number(c, service, "cpu_ms") >= 0);
    end(s, c);
}

/* Whatever a process calls itself, the answer is JSON. */
static void r08_any_name_and_any_argument(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    name_fixture(s, "\xff\x01) R (\xc3");
    scenario_write(s, "run.sh", 0755, "#!/bin/sh\nexec \"@DIR@/\"*R* print up wait \"$(printf '\\377\\033[2J')\"\n");
    scenario_spawn(s, NULL, "services:\n  web: { type: simple, command: '@DIR@/run.sh' }\n");
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    (void)scenario_wait_line(s, "web", "up");
    struct ctl *c = ctl_open(s);
    json_t *process = ask_process(s, c, "web", pid);
    check_text(s, c, process, "name", "\xef\xbf\xbd?) R (\xef\xbf\xbd");
    scenario_check(s, strstr(ctl_text(c, process, "command"), " print up wait \xef\xbf\xbd?[2J") != NULL);
    end(s, c);
}

static void r09_the_doctor_answers(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n  web: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "settled", NULL);
    struct ctl *c = ctl_open(s);
    json_t *checks = json_object_get(ctl_call(c, "doctor", NULL), "checks");
    size_t i, n_known = 0;
    json_t *check;
    scenario_check(s, json_array_size(checks) > 20);
    json_array_foreach(checks, i, check)
    {
        ctl_check_keys(c, check, "name level found consequence");
        bool ok = strcmp(ctl_text(c, check, "level"), "ok") == 0;
        scenario_check(s, json_is_null(json_object_get(check, "consequence")) == ok);
        if (strcmp(ctl_text(c, check, "name"), "subreaper") == 0 ||
            strcmp(ctl_text(c, check, "name"), "control-socket") == 0) {
            scenario_check(s, ok);
            n_known++;
        }
    }
    scenario_check(s, n_known == 2);
    end(s, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(r01_who_was_seen_below_it_has_left_it),
        SCENARIO(r02_the_leader_of_its_session_has_left_it),
        SCENARIO(r03_nobody_is_guessed),
        SCENARIO(r04_a_launcher_has_left_its_daemon),
        SCENARIO(r05_redis_was_left_by_redis),
        SCENARIO(r06_what_nobody_started_is_unclaimed),
        SCENARIO(r07_zombies_of_a_negligent_parent_are_shown),
        SCENARIO(r08_any_name_and_any_argument),
        SCENARIO(r09_the_doctor_answers),
    };
    return SCENARIO_RUN("r_tree", tests);
}
