/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * M: the files that come with Foster, started as they are. What their comments promise is what happens. Those that
 * need a distribution's daemon get it in a world of its own; skipped aloud where there is none.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/daemons.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHIPPED(name) "-c", SOURCE_DIR "/conf/" name, "--log-format", "json", "--log-level", "debug", NULL

static void m01_the_demo(void **state)
{
    (void)state;
    static const char *const args[] = {SHIPPED("demo.yaml")};
    struct scenario_options o = {.no_config = true, .args = args};
    struct scenario *s = scenario_start_with(&o, "");
    /* flaky: half a second, then one. */
    (void)scenario_wait_line(s, "flaky", "something broke");
    const struct scenario_event *e = scenario_wait_text(s, "exited", "flaky", "restarting in 500 ms");
    scenario_check(s, e->exit_code == 3);
    (void)scenario_wait_state(s, "flaky", "backoff");
    (void)scenario_wait_text(s, "exited", "flaky", "restarting in 1 s");
    /* hello: after the daemon, and with the shell's own number. */
    size_t there = scenario_wait(s, "ready", "daemon")->seq;
    pid_t hello = scenario_wait(s, "started", "hello")->pid;
    const char *number = strstr(scenario_wait_line(s, "hello", "hello on "), "from process ");
    scenario_check(s, number && strtol(number + strlen("from process "), NULL, 10) == hello);
    scenario_check(s, scenario_wait_state(s, "hello", "starting")->seq > there);
    (void)scenario_wait_state(s, "hello", "done");
    (void)scenario_wait(s, "settled", NULL);
    /* parent: its orphan's code is the orphan's. */
    scenario_check(s, scenario_wait(s, "orphan-reaped", "parent")->exit_code == 2);
    scenario_check(s, scenario_count(s, "exited", "parent") == 0);
    /* daemon: the end of what was left behind is its end, and it comes back. */
    pid_t daemon = scenario_wait(s, "followed", "daemon")->pid;
    scenario_check(s, scenario_wait_pid(s, "exited", "daemon", daemon)->exit_code == 7);
    (void)scenario_wait(s, "followed", "daemon");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void need_file(const char *path)
{
    if (access(path, F_OK)) {
        scenario_skip("there is no %s", path);
    }
}

static void must_work(bool ok, const char *step)
{
    if (!ok) {
        (void)dprintf(2, "world: %s: %s\n", step, strerror(errno));
        _exit(113);
    }
}

/** A world in which nginx of the distribution can run beside another one: own processes, network and files. */
static void own_world(void *data)
{
    static const char *const dirs[] = {"/run", "/var/log/nginx", "/var/lib/nginx", "/var/www/html"};
    struct ifreq lo = {.ifr_name = "lo"};
    world_own_proc(data);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        must_work(!mount("none", dirs[i], "tmpfs", 0, "mode=755"), dirs[i]);
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must_work(fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &lo), "lo");
    lo.ifr_flags |= IFF_UP;
    must_work(!ioctl(fd, SIOCSIFFLAGS, &lo), "lo up");
    (void)close(fd);
}

/** The flags of that world; skips the test where it or what nginx needs is not to be had. */
static int need_nginx_world(void)
{
    need_file("/usr/sbin/nginx");
    need_file("/etc/nginx/nginx.conf");
    need_file("/var/log/nginx");
    need_file("/var/lib/nginx");
    need_file("/var/www/html");
    need_file("/proc/net/if_inet6"); /* it listens there, too */
    if (getuid()) {
        scenario_skip("not root: nginx as it comes needs port 80 and its own user");
    }
    int flags = world_pid_namespace();
    if (!flags) {
        scenario_skip("no pid namespaces here");
    }
    return flags | CLONE_NEWNET;
}

/** A socket in the network of PID (0: our own). */
static int socket_at(pid_t pid)
{
    char path[64];
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)(pid ? pid : getpid()));
    int other = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(own >= 0 && other >= 0);
    assert_true(!pid || !setns(other, CLONE_NEWNET));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(!pid || !setns(own, CLONE_NEWNET));
    (void)close(own);
    (void)close(other);
    assert_true(fd >= 0);
    return fd;
}

/** What the server at PORT of the loopback answers to REQUEST; "" when there is none. */
static const char *ask(struct scenario *s, pid_t pid, int port, const char *request)
{
    static char answer[4096];
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket_at(pid);
    ssize_t n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (!connect(fd, (struct sockaddr *)&a, sizeof(a)) && send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
        scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
        n = recv(fd, answer, sizeof(answer) - 1, 0);
    }
    answer[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    return answer;
}

static void m02_nginx(void **state)
{
    (void)state;
    static const char *const args[] = {SHIPPED("examples/nginx.yaml")};
    struct scenario_options o = {.no_config = true, .args = args, .prepare = own_world};
    o.clone_flags = need_nginx_world();
    struct scenario *s = scenario_start_with(&o, "");
    pid_t master = scenario_wait(s, "followed", "nginx")->pid;
    scenario_check(s, strstr(ask(s, scenario_pid(s), 80, "GET / HTTP/1.0\r\n\r\n"), "Server: nginx") != NULL);
    /* A killed master leaves workers at the port; the next one gets it. */
    pid_t outside = procs_child_named(scenario_pid(s), "master process");
    scenario_check(s, outside > 0);
    assert_int_equal(kill(outside, SIGKILL), 0);
    assert_string_equal(scenario_wait_pid(s, "exited", "nginx", master)->signal, "SIGKILL");
    (void)scenario_wait(s, "followed", "nginx");
    scenario_check(s, strstr(ask(s, scenario_pid(s), 80, "GET / HTTP/1.0\r\n\r\n"), "Server: nginx") != NULL);
    scenario_signal(s, SIGTERM);
    (void)scenario_wait_text(s, "stopping", "nginx", "SIGQUIT");
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "killed", NULL) == 0);
}

static void m03_container(void **state)
{
    (void)state;
    static const char *const args[] = {SHIPPED("examples/container.yaml")};
    struct scenario_options o = {.no_config = true, .args = args, .prepare = own_world};
    o.clone_flags = need_nginx_world();
    struct scenario *s = scenario_start_with(&o, "");
    (void)scenario_wait(s, "followed", "nginx");
    /* The page is written by the other service, whenever it comes to it. */
    while (!strstr(ask(s, scenario_pid(s), 80, "GET /time.txt HTTP/1.0\r\n\r\n"), "200 OK")) {
        (void)scenario_sync(s);
    }
    scenario_signal(s, SIGTERM);
    size_t nginx = scenario_wait(s, "stopped", "nginx")->seq;
    scenario_check(s, nginx < scenario_wait(s, "stopped", "page")->seq);
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "killed", NULL) == 0);
}

/** What the file of Redis takes from the environment. */
struct redis_place {
    char port[8];
    const char *dir;
};

static void place_redis(void *data)
{
    const struct redis_place *place = data;
    (void)setenv("REDIS_PORT", place->port, 1);
    (void)setenv("REDIS_DIR", place->dir, 1);
}

static void m04_redis(void **state)
{
    (void)state;
    static const char *const args[] = {SHIPPED("examples/redis.yaml")};
    struct redis_place place;
    struct scenario_options o = {.no_config = true, .args = args, .prepare = place_redis, .data = &place};
    need_file("/usr/bin/redis-server");
    struct scenario *s = scenario_new();
    int port = daemons_port();
    (void)snprintf(place.port, sizeof(place.port), "%d", port);
    place.dir = scenario_dir(s);
    scenario_spawn(s, &o, "");
    pid_t redis = scenario_wait(s, "followed", "redis")->pid;
    while (strncmp(ask(s, 0, port, "PING\r\n"), "+PONG", 5) != 0) {
        (void)scenario_sync(s);
    }
    assert_int_equal(kill(redis, SIGKILL), 0);
    assert_string_equal(scenario_wait_pid(s, "exited", "redis", redis)->signal, "SIGKILL");
    (void)scenario_wait(s, "followed", "redis");
    /* It is told to save, and may: the grace period is long enough. */
    scenario_stop(s);
    scenario_check(s, scenario_count(s, "killed", NULL) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(m01_the_demo),
        SCENARIO(m02_nginx),
        SCENARIO(m03_container),
        SCENARIO(m04_redis),
    };
    return SCENARIO_RUN("m_shipped", tests);
}
