/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * G: the real thing. Daemons as the distribution ships them, in their default mode, without pid files for us,
 * supervised by the same rules as everything else. Skipped aloud where a program is missing.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/daemons.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/** Sends REQUEST (NULL: nothing) to an open socket and returns the beginning of the answer. Closes FD. */
static const char *ask(struct scenario *s, int fd, const char *request)
{
    static char answer[512];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (request) {
        assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    }
    scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
    ssize_t n = recv(fd, answer, sizeof(answer) - 1, 0);
    answer[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    return answer;
}

static const char *ask_port(struct scenario *s, int port, const char *request)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    scenario_check(s, connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return ask(s, fd, request);
}

static const char *ask_socket(struct scenario *s, const char *path, const char *request)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && strlen(path) < sizeof(a.sun_path));
    (void)strcpy(a.sun_path, path);
    scenario_check(s, connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return ask(s, fd, request);
}

static void g01_nginx_in_its_default_mode(void **state)
{
    (void)state;
    static struct procs workers;
    char conf[1024];
    char yaml[512];
    struct scenario *s = scenario_new();
    const char *nginx = daemons_program(s, "nginx");
    int port = daemons_port();
    (void)snprintf(conf, sizeof(conf),
                   "pid @DIR@/nginx.pid;\nerror_log @DIR@/error.log;\nworker_processes 2;\nevents {}\n"
                   "http {\n  access_log off;\n  client_body_temp_path @DIR@/t1;\n  proxy_temp_path @DIR@/t2;\n"
                   "  fastcgi_temp_path @DIR@/t3;\n  uwsgi_temp_path @DIR@/t4;\n  scgi_temp_path @DIR@/t5;\n"
                   "  server { listen 127.0.0.1:%d; return 200 fostered; }\n}\n",
                   port);
    (void)scenario_write(s, "nginx.conf", 0644, conf);
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  nginx:\n"
                   "    command: %s -e @DIR@/error.log -c @DIR@/nginx.conf\n"
                   "    stop_signal: SIGQUIT\n"
                   "    restart: { policy: on-failure, delay: 10ms }\n",
                   nginx);
    scenario_spawn(s, NULL, yaml);
    pid_t master = scenario_wait(s, "followed", "nginx")->pid;
    (void)scenario_wait(s, "ready", "nginx");
    /* It listens before it detaches, but writes its pid file and starts its workers afterwards. */
    scenario_check(s, strstr(ask_port(s, port, "GET / HTTP/1.0\r\n\r\n"), "200 OK") != NULL);
    while (scenario_read_pid(s, "nginx.pid") != master) {
        (void)scenario_sync(s);
    }
    scenario_check(s, procs_parent(master) == scenario_pid(s));
    for (procs_children(master, &workers); workers.n < 2; procs_children(master, &workers)) {
        (void)scenario_sync(s);
    }

    assert_int_equal(kill(master, SIGKILL), 0);
    const struct scenario_event *end = scenario_wait(s, "exited", "nginx");
    scenario_check(s, end->pid == master);
    assert_string_equal(end->signal, "SIGKILL");
    pid_t second = scenario_wait(s, "followed", "nginx")->pid;
    for (size_t i = 0; i < workers.n; i++) {
        /* The old workers held the port: the new master could not have come up beside them. */
        scenario_check(s, scenario_wait_pid(s, "orphan-reaped", "nginx", workers.pids[i])->seq > end->seq);
        scenario_check(s, !procs_is_alive(workers.pids[i]));
    }
    scenario_check(s, second != master);
    (void)scenario_wait(s, "ready", "nginx");
    scenario_check(s, strstr(ask_port(s, port, "GET / HTTP/1.0\r\n\r\n"), "200 OK") != NULL);
    scenario_stop(s);
}

static void g02_redis_as_a_daemon(void **state)
{
    (void)state;
    char yaml[640];
    struct scenario *s = scenario_new();
    const char *redis = daemons_program(s, "redis-server");
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  redis:\n"
                   "    command: %s --daemonize yes --port 0 --unixsocket @DIR@/redis.sock --dir @DIR@\n"
                   "      --save '' --pidfile @DIR@/redis.pid --logfile @DIR@/redis.log\n"
                   "    restart: { policy: on-failure, delay: 10ms }\n",
                   redis);
    scenario_spawn(s, NULL, yaml);
    pid_t first = scenario_wait(s, "followed", "redis")->pid;
    (void)scenario_wait(s, "ready", "redis");
    /* It opens its socket after it has detached. */
    while (access(scenario_path(s, "redis.pid"), F_OK) || scenario_read_pid(s, "redis.pid") != first) {
        (void)scenario_sync(s);
    }
    assert_string_equal(ask_socket(s, scenario_path(s, "redis.sock"), "PING\r\n"), "+PONG\r\n");
    assert_int_equal(kill(first, SIGSEGV), 0);
    scenario_check(s, scenario_wait(s, "exited", "redis")->pid == first);
    pid_t second = scenario_wait(s, "followed", "redis")->pid;
    scenario_check(s, second != first);
    while (scenario_read_pid(s, "redis.pid") != second) {
        (void)scenario_sync(s);
    }
    assert_string_equal(ask_socket(s, scenario_path(s, "redis.sock"), "PING\r\n"), "+PONG\r\n");
    scenario_stop(s);
}

static void g03_sshd_without_d(void **state)
{
    (void)state;
    char text[512];
    struct scenario *s = scenario_new();
    const char *keygen = daemons_program(s, "ssh-keygen");
    const char *sshd = daemons_program(s, "sshd");
    if (!getpwuid(getuid())) {
        scenario_skip("ssh wants a user that has a name");
    }
    struct scenario_options o = {0};
    int port = daemons_port();
    if (!getuid()) {
        o = (struct scenario_options){.prepare = world_own_run, .clone_flags = CLONE_NEWNS};
    }
    daemons_host_key(s, keygen);
    (void)snprintf(text, sizeof(text),
                   "Port %d\nListenAddress 127.0.0.1\nHostKey @DIR@/host_key\nPidFile @DIR@/sshd.pid\nUsePAM no\n",
                   port);
    (void)scenario_write(s, "sshd_config", 0600, text);
    (void)snprintf(text, sizeof(text),
                   "services:\n"
                   "  sshd:\n"
                   "    command: %s -f @DIR@/sshd_config -E @DIR@/sshd.log\n"
                   "    restart: { policy: on-failure, delay: 10ms }\n",
                   sshd);
    scenario_spawn(s, &o, text);
    pid_t first = scenario_wait(s, "followed", "sshd")->pid;
    while (scenario_read_pid(s, "sshd.pid") != first) {
        (void)scenario_sync(s);
    }
    scenario_check(s, !strncmp(ask_port(s, port, NULL), "SSH-2.0-", 8));
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_string_equal(scenario_wait(s, "exited", "sshd")->signal, "SIGKILL");
    pid_t second = scenario_wait(s, "followed", "sshd")->pid;
    while (scenario_read_pid(s, "sshd.pid") != second) {
        (void)scenario_sync(s);
    }
    scenario_check(s, !strncmp(ask_port(s, port, NULL), "SSH-2.0-", 8));
    scenario_stop(s);
}

static void g04_cron(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("cron runs as root only");
    }
    char yaml[256];
    struct scenario_options o = {.prepare = world_own_run, .clone_flags = CLONE_NEWNS};
    struct scenario *s = scenario_new();
    const char *cron = daemons_program(s, "cron");
    (void)snprintf(yaml, sizeof(yaml),
                   "services: { cron: { command: %s, restart: { policy: on-failure, delay: 10ms } } }\n", cron);
    scenario_spawn(s, &o, yaml);
    pid_t first = scenario_wait(s, "followed", "cron")->pid;
    while (procs_session(first) != first) {
        (void)scenario_sync(s);
    }
    assert_int_equal(kill(first, SIGKILL), 0);
    scenario_check(s, scenario_wait(s, "exited", "cron")->pid == first);
    /* Its lock in /run went with it, so the second one comes up. */
    scenario_check(s, procs_is_alive(scenario_wait(s, "followed", "cron")->pid));
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(g01_nginx_in_its_default_mode),
        SCENARIO(g02_redis_as_a_daemon),
        SCENARIO(g03_sshd_without_d),
        SCENARIO(g04_cron),
    };
    return SCENARIO_RUN("g_real", tests);
}
