/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: an operator with daemons as the distribution ships them: looks, restarts, breaks one, changes one key and reloads.
 * Skipped aloud where a program is missing.
 */
#include "scenario/support/daemons.h"
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"
#include "scenario/support/schema.h"
#include "scenario/support/worlds.h"

#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Gives the program NAME a name in the test's directory, bin-NAME; skips the test when it is nowhere. */
static void link_program(struct scenario *s, const char *name)
{
    char link[64];
    (void)snprintf(link, sizeof(link), "bin-%s", name);
    assert_int_equal(symlink(daemons_program(s, name), scenario_path(s, link)), 0);
}

static void write_nginx(struct scenario *s)
{
    char conf[1024];
    (void)snprintf(conf, sizeof(conf),
                   "pid @DIR@/nginx.pid;\nerror_log @DIR@/error.log;\nworker_processes 2;\nevents {}\n"
                   "http {\n  access_log off;\n  client_body_temp_path @DIR@/t1;\n  proxy_temp_path @DIR@/t2;\n"
                   "  fastcgi_temp_path @DIR@/t3;\n  uwsgi_temp_path @DIR@/t4;\n  scgi_temp_path @DIR@/t5;\n"
                   "  server { listen 127.0.0.1:%d; return 200 fostered; }\n}\n",
                   daemons_port());
    (void)scenario_write(s, "nginx.conf", 0644, conf);
}

/* nginx goes into the background by itself, redis stays; nobody has told fosterd. */
#define BOTH(level)                                                                                                    \
    "name: shop\n"                                                                                                     \
    "supervisor: { exit_when: never }\n"                                                                               \
    "services:\n"                                                                                                      \
    "  nginx:\n"                                                                                                       \
    "    type: forking\n"                                                                                              \
    "    command: @DIR@/bin-nginx -e @DIR@/error.log -c @DIR@/nginx.conf\n"                                            \
    "    stop_signal: SIGQUIT\n"                                                                                       \
    "    restart: { policy: on-failure, delay: 10ms }\n"                                                               \
    "  redis:\n"                                                                                                       \
    "    command: @DIR@/bin-redis-server --port 0 --unixsocket @DIR@/redis.sock --dir @DIR@ --save ''\n"               \
    "      --loglevel " level "\n"                                                                                     \
    "    restart: { policy: on-failure, delay: 10ms }\n"

static struct scenario *start_both(void)
{
    struct scenario *s = scenario_new();
    link_program(s, "nginx");
    link_program(s, "redis-server");
    write_nginx(s);
    scenario_spawn(s, NULL, BOTH("notice"));
    (void)scenario_wait(s, "settled", NULL);
    fosterctl_says(s, "nginx: ready*\nredis: ready*\n", "wait", "--for=up");
    return s;
}

static void end(struct scenario *s)
{
    fosterctl_says(s, "fosterd has ended\n", "down");
    scenario_end(s, 0);
}

/** What fosterctl says is the pid of SERVICE. */
static pid_t pid_of(struct scenario *s, const char *service)
{
    struct command got = fosterctl_run(s, "--json", "ps", service);
    json_t *ps = schema_read(s, got.out);
    schema_check(s, "ps", ps);
    json_t *one = json_array_get(json_object_get(ps, "services"), 0);
    return (pid_t)json_integer_value(json_object_get(one, "pid"));
}

/** Waits until PID has N children. */
static void wait_children(struct scenario *s, pid_t pid, size_t n)
{
    static struct procs children;
    for (procs_children(pid, &children); children.n < n; procs_children(pid, &children)) {
        (void)scenario_sync(s);
    }
}

static void s61_whose_process_is_which(void **state)
{
    (void)state;
    struct scenario *s = start_both();
    pid_t master = pid_of(s, "nginx");
    wait_children(s, master, 2);
    fosterctl_says(s,
                   "shop fosterd *, up *s; adopted 1, reaped *\n"
                   "|- nginx ready\n"
                   "| `~ * nginx: master process *  main, *s, adopted *s ago*\n"
                   "|  |- * nginx: worker process  *s\n"
                   "|  `- * nginx: worker process  *s\n"
                   "|- redis ready\n"
                   "| `- * @DIR@/bin-redis-server *  main, *s\n"
                   "`- (fosterd's own)\n"
                   " `- * foster-logger logger, *s\n",
                   "tree");
    struct command got = fosterctl_run(s, "--json", "tree", "nginx");
    json_t *tree = schema_read(s, got.out);
    schema_check(s, "tree", tree);
    json_t *nginx = json_array_get(json_object_get(tree, "services"), 0);
    json_t *main_process = json_array_get(json_object_get(nginx, "processes"), 0);
    scenario_check(s, json_integer_value(json_object_get(main_process, "pid")) == master);
    scenario_check(s, json_is_true(json_object_get(main_process, "adopted")));
    scenario_check(s, json_array_size(json_object_get(main_process, "children")) == 2);
    end(s);
}

static void s62_restart_and_break(void **state)
{
    (void)state;
    struct scenario *s = start_both();
    pid_t nginx = pid_of(s, "nginx"), redis = pid_of(s, "redis");
    fosterctl_says(s, "nginx: ready in *s\n", "restart", "nginx");
    scenario_check(s, pid_of(s, "nginx") != nginx && !procs_is_alive(nginx) && pid_of(s, "redis") == redis);

    struct fosterctl *f = fosterctl_start(s, "events", "-f", "-n", "1");
    (void)fosterctl_await(f, "nginx         ready");
    nginx = pid_of(s, "nginx");
    fosterctl_says(s, "redis: SIGKILL sent to 1 process\n", "kill", "-s", "KILL", "redis");
    (void)fosterctl_await(f, "redis         exited      killed by SIGKILL");
    (void)fosterctl_await(f, "redis         ready");
    assert_int_equal(kill(fosterctl_pid(f), SIGINT), 0);
    fosterctl_check(s, fosterctl_end(f), 0, NULL, "");
    fosterctl_says(s, "NAME * COMMAND\nnginx ready * 0 * *\nredis ready * 1 SIGKILL *\n", "ps");
    scenario_check(s, pid_of(s, "redis") != redis && pid_of(s, "nginx") == nginx);
    end(s);
}

static void s63_one_key_one_restart(void **state)
{
    (void)state;
    struct scenario *s = start_both();
    pid_t nginx = pid_of(s, "nginx"), redis = pid_of(s, "redis");
    struct fosterctl *f = fosterctl_sit(s, "ps", "--watch", "--color", "never");
    (void)fosterctl_await(f, "redis  ready");
    (void)scenario_write(s, "foster.yaml", 0644, BOTH("warning"));
    fosterctl_says(s, "~ redis (command)\n", "reload", "--dry-run");
    scenario_check(s, pid_of(s, "redis") == redis);
    fosterctl_says(s, "~ redis (command)\nredis: ready in *s\n", "reload");
    pid_t now = pid_of(s, "redis");
    scenario_check(s, now != redis && !procs_is_alive(redis) && pid_of(s, "nginx") == nginx);
    /* Who watches has seen it as well. */
    char text[32];
    (void)snprintf(text, sizeof(text), " %d ", (int)now);
    (void)fosterctl_await(f, text);
    fosterctl_type(f, "q");
    fosterctl_check(s, fosterctl_end(f), 0, NULL, "");
    end(s);
}

/** Looks at the daemon SERVICE, restarts it, stops it. */
static void operate_daemon(struct scenario *s, const char *service)
{
    char said[128];
    pid_t first = pid_of(s, service);
    (void)snprintf(said, sizeof(said), "shop fosterd *\n`- %s ready\n `~ %d * main, *s, adopted *s ago*\n", service,
                   (int)first);
    fosterctl_says(s, said, "tree", service);
    (void)snprintf(said, sizeof(said), "%s: ready in *s\n", service);
    fosterctl_says(s, said, "restart", service);
    scenario_check(s, !procs_is_alive(first) && procs_is_alive(pid_of(s, service)));
    fosterctl_says(s, "all is well: 1 ready or done\n", "health");
    (void)snprintf(said, sizeof(said), "%s: stopped in *s\n", service);
    fosterctl_says(s, said, "stop", service);
    fosterctl_check(s, fosterctl_run(s, "ps", service), 3, NULL, "");
    end(s);
}

static void s64_sshd(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = world_own_run, .clone_flags = CLONE_NEWNS};
    struct scenario *s = scenario_new();
    char conf[256];
    const char *keygen = daemons_program(s, "ssh-keygen");
    /* It starts itself anew for each connection and has to know its own name for that. */
    link_program(s, "sshd");
    if (!getpwuid(getuid())) {
        scenario_skip("ssh wants a user that has a name");
    }
    daemons_host_key(s, keygen);
    (void)snprintf(conf, sizeof(conf),
                   "Port %d\nListenAddress 127.0.0.1\nHostKey @DIR@/host_key\nPidFile @DIR@/sshd.pid\nUsePAM no\n",
                   daemons_port());
    (void)scenario_write(s, "sshd_config", 0600, conf);
    scenario_spawn(s, getuid() ? NULL : &o,
                   "name: shop\n"
                   "supervisor: { exit_when: never }\n"
                   "services:\n"
                   "  sshd: { type: forking, command: '@DIR@/bin-sshd -f @DIR@/sshd_config -E @DIR@/sshd.log' }\n");
    (void)scenario_wait(s, "ready", "sshd");
    operate_daemon(s, "sshd");
}

static void s65_cron(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = world_own_run, .clone_flags = CLONE_NEWNS};
    if (getuid()) {
        scenario_skip("cron runs as root only");
    }
    struct scenario *s = scenario_new();
    link_program(s, "cron");
    scenario_spawn(s, &o,
                   "name: shop\n"
                   "supervisor: { exit_when: never }\n"
                   "services:\n"
                   "  cron: { type: forking, command: '@DIR@/bin-cron' }\n");
    (void)scenario_wait(s, "ready", "cron");
    operate_daemon(s, "cron");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s61_whose_process_is_which),
        SCENARIO(s62_restart_and_break),
        SCENARIO(s63_one_key_one_restart),
        SCENARIO(s64_sshd),
        SCENARIO(s65_cron),
    };
    return SCENARIO_RUN("s_user", tests);
}
