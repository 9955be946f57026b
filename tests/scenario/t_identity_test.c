/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * T: identity. Services that say who they are and what they may use are exactly that, and one that cannot be had does
 * not start and says why: as root, and as an ordinary user.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/daemons.h"
#include "scenario/support/worlds.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void need_root(void)
{
    if (getuid()) {
        scenario_skip("only root can be somebody else");
    }
}

/** Waits for the lines WANT, which end with NULL, of SERVICE. */
static void wait_lines(struct scenario *s, const char *service, const char *const *want)
{
    for (; *want; want++) {
        (void)scenario_wait_line(s, service, *want);
    }
}

/** The service SERVICE fails to start with TEXT in its message, for good. */
static void wait_refused(struct scenario *s, const char *service, const char *text)
{
    const struct scenario_event *ev = scenario_wait(s, "failed", service);
    if (!strstr(ev->msg, text)) {
        scenario_fail(s, "%s should say `%s`, says `%s`", service, text, ev->msg);
    }
}

/* What a process knows of itself, with single blanks. */
#define TELL                                                                                                           \
    "    type: oneshot\n"                                                                                              \
    "    restart: 'no'\n"                                                                                              \
    "    command:\n"                                                                                                   \
    "    - sh\n"                                                                                                       \
    "    - -c\n"                                                                                                       \
    "    - |\n"                                                                                                        \
    "      while read -r key words; do echo $$key $$words; done </proc/self/status\n"                                  \
    "      while read -r a b c d e f; do echo $$a $$b $$c $$d $$e; done </proc/self/limits\n"                          \
    "      read -r oom </proc/self/oom_score_adj; echo \"oom=$$oom nice=$$(nice) umask=$$(umask)\"\n"                  \
    "      echo \"home=$$HOME user=$$USER logname=$$LOGNAME shell=$$SHELL\"\n"

static void t01_every_word_from_within(void **state)
{
    (void)state;
    need_root();
    static const char *const all[] = {"Uid: 54321 54321 54321 54321",
                                      "Gid: 54322 54322 54322 54322",
                                      "Groups: 54322 54323",
                                      "CapInh: 0000000000000400",
                                      "CapPrm: 0000000000000400",
                                      "CapEff: 0000000000000400",
                                      "CapBnd: 0000000000000400",
                                      "CapAmb: 0000000000000400",
                                      "NoNewPrivs: 1",
                                      "Max core file size 0",
                                      "Max open files 100 200",
                                      "oom=1000 nice=19 umask=0027",
                                      "home=/elsewhere user=54321 logname=54321 shell=/bin/sh",
                                      NULL};
    static const char *const dropped[] = {"Uid: 54321 54321 54321 54321", "Groups: 54322",
                                          "CapInh: 0000000000000000",     "CapPrm: 0000000000000000",
                                          "CapAmb: 0000000000000000",     NULL};
    static const char *const root[] = {"Uid: 0 0 0 0", "CapPrm: 0000000000000001", "CapEff: 0000000000000001",
                                       "CapBnd: 0000000000000001", NULL};
    struct scenario *s = scenario_start("services:\n"
                                        "  all:\n" TELL "    user: '54321:54322'\n"
                                        "    group_add: ['54323', '54322']\n"
                                        "    cap_drop: [ALL]\n"
                                        "    cap_add: [NET_BIND_SERVICE]\n"
                                        "    security_opt: ['no-new-privileges:true']\n"
                                        "    ulimits: { core: 0, nofile: { soft: 100, hard: 200 } }\n"
                                        "    oom_score_adj: 1000\n"
                                        "    nice: 19\n"
                                        "    umask: '027'\n"
                                        "    environment: { HOME: /elsewhere }\n"
                                        "  opens:\n"
                                        "    user: '54321:54322'\n"
                                        "    type: oneshot\n"
                                        "    command: [sh, -c, 'echo opened >/dev/stdout; echo too >/dev/stderr']\n"
                                        "  dropped:\n" TELL "    user: '54321:54322'\n"
                                        "  root:\n" TELL "    cap_drop: [ALL]\n"
                                        "    cap_add: [chown]\n");
    wait_lines(s, "all", all);
    (void)scenario_wait_line(s, "opens", "opened");
    (void)scenario_wait_line(s, "opens", "too");
    wait_lines(s, "dropped", dropped);
    wait_lines(s, "root", root);
    scenario_end(s, 0);
}

static void t02_a_user_by_name(void **state)
{
    (void)state;
    need_root();
    char line[512];
    const struct passwd *user = getpwnam("nobody");
    if (!user) {
        scenario_skip("there is no user called nobody");
    }
    (void)snprintf(line, sizeof(line), "home=%s user=nobody logname=nobody shell=%s", user->pw_dir, user->pw_shell);
    struct scenario *s = scenario_start("services:\n"
                                        "  job:\n" TELL "    user: nobody\n");
    (void)scenario_wait_line(s, "job", line);
    scenario_end(s, 0);
}

/** A file that its group may not read is not read by a user whose primary group that is. */
static void t03_the_primary_group_is_no_way_around(void **state)
{
    (void)state;
    need_root();
    struct scenario *s = scenario_new();
    const char *file = scenario_write(s, "denied", 0604, "secret\n");
    assert_int_equal(chown(file, 0, 54322), 0);
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  member: { type: oneshot, restart: 'no', user: '54321:54322', command: [cat, '@DIR@/denied'] }\n"
        "  switched: { type: oneshot, restart: 'no', user: '54321:54399', group_add: [54322],\n"
        "              command: [cat, '@DIR@/denied'] }\n"
        "  stranger: { type: oneshot, restart: 'no', user: '54321:54399', command: [cat, '@DIR@/denied'] }\n");
    (void)scenario_wait_state(s, "stranger", "done");
    (void)scenario_wait_state(s, "member", "failed");
    (void)scenario_wait_state(s, "switched", "failed");
    scenario_end(s, 1);
}

static void t04_root_says_what_it_cannot_do(void **state)
{
    (void)state;
    need_root();
    struct scenario *s = scenario_new();
    (void)scenario_write(s, "private", 0700, "#!/bin/sh\n");
    assert_int_equal(mkdir(scenario_path(s, "closed"), 0700), 0);
    scenario_spawn(s, NULL,
                   "defaults: { type: oneshot, restart: always }\n"
                   "services:\n"
                   "  dir: { command: 'true', user: '54321:54321', working_dir: '@DIR@/closed' }\n"
                   "  file: { command: '@DIR@/private', user: '54321:54321' }\n");
    wait_refused(s, "dir", "/closed: Permission denied (as user 54321:54321)");
    wait_refused(s, "file", "/private: Permission denied (as user 54321:54321)");
    scenario_end(s, 126);
}

/* ------------------------------------------------------------------ an ordinary user */

/** No right is left that would make an ordinary user more than that; its priority cannot rise, its core files are
 * small. */
static void be_ordinary(void *data)
{
    const uid_t *uid = data;
    const struct rlimit queues = {7, 7}, none = {0, 0};
    if (setrlimit(RLIMIT_MSGQUEUE, &queues) || setrlimit(RLIMIT_NICE, &none)) {
        _exit(113);
    }
    if (*uid != getuid() && (setgroups(1, uid) || setresgid(*uid, *uid, *uid) || setresuid(*uid, *uid, *uid))) {
        _exit(113);
    }
}

static void t05_an_ordinary_user_says_what_is_missing(void **state)
{
    (void)state;
    static uid_t uid;
    uid = getuid() ? getuid() : 54321;
    struct scenario_options o = {.prepare = be_ordinary, .data = &uid};
    struct scenario *s = scenario_new();
    char yaml[2048], own[64] = "";
    if (uid != getuid()) {
        assert_int_equal(chown(scenario_dir(s), uid, uid), 0);
        assert_int_equal(chown(scenario_path(s, "run"), uid, uid), 0);
        o.fosterd = scenario_copy(s, FOSTERD, "fosterd");
    }
    /* Whoever runs the tests may be in groups that the file cannot know of. */
    if (uid != getuid()) {
        (void)snprintf(own, sizeof(own), "user: '%u:%u', ", (unsigned)uid, (unsigned)uid);
    }
    (void)snprintf(yaml, sizeof(yaml),
                   "defaults: { type: oneshot, restart: 'no', command: 'true' }\n"
                   "services:\n"
                   "  own: { %s security_opt: ['no-new-privileges:true'], cap_drop: [NET_RAW] }\n"
                   "  root: { user: '0:0' }\n"
                   "  group: { group_add: [54999] }\n"
                   "  drop: { cap_drop: [NET_RAW] }\n"
                   "  add: { cap_add: [cap_net_admin] }\n"
                   "  limit: { ulimits: { msgqueue: { soft: 7, hard: 100 } } }\n"
                   "  nice: { nice: -20 }\n"
                   "  oom: { oom_score_adj: -1000 }\n",
                   own);
    scenario_spawn(s, &o, yaml);
    (void)scenario_wait_state(s, "own", "done");
    wait_refused(s, "root",
                 "user 0:0: supplementary groups: Operation not permitted; fosterd needs root or CAP_SETGID");
    wait_refused(s, "group", "group_add: Operation not permitted; fosterd needs root or CAP_SETGID");
    wait_refused(s, "drop",
                 "cap_drop NET_RAW: Operation not permitted; needs CAP_SETPCAP, or security_opt: "
                 "[no-new-privileges:true]");
    wait_refused(s, "add", "cap_add NET_ADMIN: Operation not permitted; fosterd does not have it");
    wait_refused(s, "limit",
                 "ulimits msgqueue 7:100: Operation not permitted; above the hard limit 7 needs CAP_SYS_RESOURCE");
    wait_refused(s, "nice", "nice -20: Permission denied; less than fosterd's own needs CAP_SYS_NICE");
    wait_refused(s, "oom", "oom_score_adj -1000: Permission denied; less than fosterd's own needs CAP_SYS_RESOURCE");
    scenario_end(s, 126);
}

/* ------------------------------------------------------------------ a real program */

/** Whether we may make a network namespace, in which no port is taken and the low ones are root's. */
static bool can_have_network(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(unshare(CLONE_NEWNET) ? 1 : 0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/** Whether a socket of UID listens on PORT in the network of process PID. */
static bool listens(pid_t pid, unsigned port, unsigned uid)
{
    char path[64], line[512];
    bool found = false;
    (void)snprintf(path, sizeof(path), "/proc/%d/net/tcp", (int)pid);
    FILE *list = fopen(path, "re");
    while (list && fgets(line, sizeof(line), list)) {
        unsigned at, state, owner;
        if (sscanf(line, " %*u: %*x:%x %*x:%*x %x %*x:%*x %*x:%*x %*x %u", &at, &state, &owner) == 3) {
            found = found || (at == port && state == 10 /* TCP_LISTEN */ && owner == uid);
        }
    }
    if (list) {
        (void)fclose(list);
    }
    return found;
}

static void t06_redis_on_a_low_port_as_another_user(void **state)
{
    (void)state;
    need_root();
    char yaml[1024];
    struct scenario *s = scenario_new();
    const char *redis = daemons_program(s, "redis-server");
    if (!can_have_network()) {
        scenario_skip("no network namespaces here");
    }
    struct scenario_options o = {.clone_flags = CLONE_NEWNET};
    (void)snprintf(yaml, sizeof(yaml),
                   "defaults: { user: '54321:54321', restart: 'no' }\n"
                   "services:\n"
                   "  may: { command: %1$s --port 80 --bind 0.0.0.0 --save '' --dir /, cap_drop: [ALL],\n"
                   "         cap_add: [NET_BIND_SERVICE] }\n"
                   "  may_not: { type: oneshot, command: %1$s --port 81 --bind 0.0.0.0 --save '' --dir / }\n",
                   redis);
    scenario_spawn(s, &o, yaml);
    (void)scenario_wait(s, "ready", "may");
    (void)scenario_wait_state(s, "may_not", "failed");
    while (!listens(scenario_pid(s), 80, 54321)) {
        scenario_check(s, scenario_time_left(s) > 0);
        (void)scenario_sync(s);
    }
    scenario_check(s, !listens(scenario_pid(s), 81, 54321));
    scenario_signal(s, SIGTERM);
    scenario_end(s, scenario_wait_exit(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(t01_every_word_from_within),
        SCENARIO(t02_a_user_by_name),
        SCENARIO(t03_the_primary_group_is_no_way_around),
        SCENARIO(t04_root_says_what_it_cannot_do),
        SCENARIO(t05_an_ordinary_user_says_what_is_missing),
        SCENARIO(t06_redis_on_a_low_port_as_another_user),
    };
    return SCENARIO_RUN("t_identity", tests);
}
