/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Z: the listening sockets of services. Clients reach them whatever happens to the server, and nothing of them is left.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/ctl_kit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PORT = 8080, RESTARTS = 50, TEXT = 64, YAML_MAX = 2048 };

#define SERVER "@FIXTURES@/server"

/* ------------------------------------------------------------------ clients */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_un un;
};

/** An address of the loopback network that no test beside this one has. */
static union address own_address(unsigned port)
{
    unsigned pid = (unsigned)getpid();
    return (union address){.v4 = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(0x7f000000U | (64U << 16) | (pid & 0x3fffffU))}};
}

static union address at_path(const char *path)
{
    union address a = {.un.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof(a.un.sun_path));
    memcpy(a.un.sun_path, path, strlen(path) + 1);
    return a;
}

/** own_address(), as a configuration has it, with @IP@ in FMT replaced by its host. The caller frees it. */
static char *with_ip(const char *fmt)
{
    char ip[INET_ADDRSTRLEN];
    union address a = own_address(0);
    const unsigned char *b = (const unsigned char *)&a.v4.sin_addr;
    char *text = calloc(1, YAML_MAX);
    assert_non_null(text);
    (void)snprintf(ip, sizeof(ip), "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    for (size_t at = 0; *fmt && at + sizeof(ip) < YAML_MAX;) {
        if (!strncmp(fmt, "@IP@", 4)) {
            at += (size_t)sprintf(text + at, "%s", ip);
            fmt += 4;
        } else {
            text[at++] = *fmt++;
        }
    }
    return text;
}

static struct scenario *start_with_ip(const char *yaml)
{
    char *text = with_ip(yaml);
    struct scenario *s = scenario_start(text);
    free(text);
    return s;
}

static void reload_with_ip(struct scenario *s, const char *yaml)
{
    char *text = with_ip(yaml);
    scenario_reload(s, text);
    free(text);
}

/** A socket of TYPE connected to A; -1 with errno. */
static int connect_to(union address a, int type)
{
    int fd = socket(a.any.sa_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (!connect(fd, &a.any, a.any.sa_family == AF_UNIX ? sizeof(a.un) : sizeof(a.v4))) {
        return fd;
    }
    int errnum = errno;
    (void)close(fd);
    errno = errnum;
    return -1;
}

/** The process that answers on FD, which is closed; its name for the socket goes into NAME of TEXT bytes. */
static pid_t hear(struct scenario *s, int fd, char *name)
{
    char text[TEXT] = "";
    int pid = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    scenario_check(s, fd >= 0);
    scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    (void)close(fd);
    scenario_check(s, n > 0 && sscanf(text, "%d %63s", &pid, name) == 2);
    return pid;
}

/** Who answers at A. */
static pid_t ask(struct scenario *s, union address a, int type)
{
    char name[TEXT];
    return hear(s, connect_to(a, type), name);
}

/* ------------------------------------------------------------------ restarts */

/** The server ends after every answer; the next client comes at once. */
static void z01_no_connection_is_refused_over_fifty_restarts(void **state)
{
    (void)state;
    struct scenario *s = start_with_ip("services:\n"
                                       "  web:\n"
                                       "    command: '" SERVER " 1'\n"
                                       "    sockets: ['@IP@:8080']\n"
                                       "    restart: { policy: always, delay: 0ms, factor: 1, max_delay: 10ms }\n");
    pid_t before = 0;
    for (int i = 0; i <= RESTARTS; i++) {
        pid_t pid = ask(s, own_address(PORT), SOCK_STREAM);
        scenario_check(s, pid != before);
        before = pid;
    }
    scenario_wait_count(s, "exited", "web", RESTARTS + 1);
    scenario_stop(s);
}

/** Stopped by command while somebody connects and waits. */
static void z02_clients_wait_for_a_service_that_is_down(void **state)
{
    (void)state;
    struct scenario *s = start_with_ip("supervisor: { exit_when: never }\n"
                                       "services:\n"
                                       "  web:\n"
                                       "    command: '" SERVER "'\n"
                                       "    autostart: false\n"
                                       "    sockets: ['@IP@:8080']\n");
    struct ctl *c = ctl_open(s);
    char name[TEXT];
    int early = connect_to(own_address(PORT), SOCK_STREAM);
    scenario_check(s, early >= 0 && scenario_count(s, "started", "web") == 0);
    (void)ctl_call(c, "start", "{'services':['web']}");
    pid_t first = hear(s, early, name);
    (void)ctl_call(c, "stop", "{'services':['web']}");
    (void)scenario_wait(s, "stopped", "web");
    early = connect_to(own_address(PORT), SOCK_STREAM);
    scenario_check(s, early >= 0);
    (void)ctl_call(c, "start", "{'services':['web']}");
    scenario_check(s, hear(s, early, name) != first);
    ctl_close(c);
    scenario_stop(s);
}

/* ------------------------------------------------------------------ kinds */

static void z03_every_kind_in_the_order_of_the_file(void **state)
{
    (void)state;
    struct stat st;
    struct scenario *s = start_with_ip("services:\n"
                                       "  web:\n"
                                       "    command: '" SERVER "'\n"
                                       "    sockets:\n"
                                       "      - { listen: 'datagram:@DIR@/d', name: log }\n"
                                       "      - 'udp:@IP@:8080'\n"
                                       "      - { listen: '@IP@:8080', name: http, backlog: 1 }\n"
                                       "      - { listen: '@DIR@/u', mode: '0640' }\n"
                                       "      - { listen: 'seqpacket:@DIR@/s', name: packets }\n");
    static const struct {
        const char *path, *name;
        int type;
    } all[] = {{NULL, "web", SOCK_DGRAM},
               {NULL, "http", SOCK_STREAM},
               {"u", "web", SOCK_STREAM},
               {"s", "packets", SOCK_SEQPACKET},
               {"d", "log", SOCK_DGRAM}};
    const char *said = scenario_wait_line(s, "web", "given ");
    scenario_check(s, !strcmp(said, "datagram:log udp:web tcp:http unix:web seqpacket:packets"));
    scenario_check(s, !stat(scenario_path(s, "u"), &st) && (st.st_mode & 07777) == 0640);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char name[TEXT];
        int fd = connect_to(all[i].path ? at_path(scenario_path(s, all[i].path)) : own_address(PORT), all[i].type);
        scenario_check(s, fd >= 0);
        /* Whoever is to be answered by path needs an address; the kernel chooses one. */
        union address none = {.un.sun_family = AF_UNIX};
        scenario_check(s,
                       !all[i].path || all[i].type != SOCK_DGRAM || !bind(fd, &none.any, sizeof(none.un.sun_family)));
        scenario_check(s, all[i].type != SOCK_DGRAM || send(fd, "?", 1, 0) == 1);
        (void)hear(s, fd, name);
        scenario_check(s, !strcmp(name, all[i].name));
    }
    scenario_stop(s);
}

/** One of them is stopped, so the other one has to answer. */
static void z04_instances_share_them(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services: { web: { command: '" SERVER "', scale: 2, sockets: ['@DIR@/u'] } }\n");
    union address at = at_path(scenario_path(s, "u"));
    pid_t pids[] = {scenario_wait(s, "started", "web.1")->pid, scenario_wait(s, "started", "web.2")->pid};
    (void)scenario_wait_line(s, "web.1", "given unix:web");
    (void)scenario_wait_line(s, "web.2", "given unix:web");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kill(pids[i], SIGSTOP), 0);
        scenario_check(s, ask(s, at, SOCK_STREAM) == pids[1 - i]);
        assert_int_equal(kill(pids[i], SIGCONT), 0);
    }
    scenario_stop(s);
}

/* ------------------------------------------------------------------ what is stored */

/** A file that the first run has stored is given to the second, behind the sockets. */
static void z05_stored_descriptors_follow(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    type: notify\n"
                                        "    command: '" SERVER " 1 kept'\n"
                                        "    sockets: ['@DIR@/u']\n"
                                        "    restart: { policy: always, delay: 0ms, factor: 1, max_delay: 10ms }\n"
                                        "  tight:\n"
                                        "    command: '" SERVER " 1 kept'\n"
                                        "    sockets: ['@DIR@/t']\n"
                                        "    watchdog: 1h\n"
                                        "    ready: { fd: 4 }\n"
                                        "    start_timeout: 0s\n"
                                        "    restart: { policy: always, delay: 0ms, factor: 1, max_delay: 10ms }\n");
    scenario_check(s, !strcmp(scenario_wait_line(s, "web", "given "), "unix:web"));
    scenario_check(s, ask(s, at_path(scenario_path(s, "u")), SOCK_STREAM) > 0);
    scenario_check(s, !strcmp(scenario_wait_line(s, "web", "given "), "unix:web other:kept"));
    /* Where a number is taken the store ends before it. */
    scenario_check(s, !strcmp(scenario_wait_line(s, "tight", "given "), "unix:tight more"));
    scenario_check(s, ask(s, at_path(scenario_path(s, "t")), SOCK_STREAM) > 0);
    (void)scenario_wait_text(s, "sockets", "tight", "1 of 1 stored descriptors are not given to it, for descriptor 4");
    scenario_check(s, !strcmp(scenario_wait_line(s, "tight", "given "), "unix:tight more"));
    scenario_stop(s);
}

/* ------------------------------------------------------------------ reload */

/** Nobody accepts at first; whoever waits across the reload was connected before it. */
static void z06_reload_closes_and_opens_what_has_changed(void **state)
{
    (void)state;
    char name[TEXT];
    struct scenario *s = start_with_ip("services:\n"
                                       "  web: { command: '" SERVER "', sockets: ['@IP@:8080'] }\n"
                                       "  idle: { command: '@ACTOR@ wait', sockets: ['@IP@:8083', '@DIR@/u'] }\n");
    union address at = at_path(scenario_path(s, "u"));
    pid_t web = ask(s, own_address(PORT), SOCK_STREAM);
    int waiting = connect_to(at, SOCK_STREAM);
    /* Another port, and the path is another service's. */
    reload_with_ip(s, "services:\n"
                      "  web: { command: '" SERVER "', sockets: ['@IP@:8081'] }\n"
                      "  idle: { command: '@ACTOR@ wait' }\n"
                      "  new: { command: '" SERVER "', sockets: [{ listen: '@DIR@/u', mode: '0600', name: mine }] }\n");
    pid_t new = hear(s, waiting, name);
    scenario_check(s, !strcmp(name, "mine"));
    scenario_check(s, ask(s, own_address(PORT + 1), SOCK_STREAM) != web);
    scenario_check(s, connect_to(own_address(PORT), SOCK_STREAM) == -1 && errno == ECONNREFUSED);
    scenario_check(s, connect_to(own_address(PORT + 3), SOCK_STREAM) == -1 && errno == ECONNREFUSED);
    /* A change around it, which needs no new program. */
    reload_with_ip(s, "services:\n"
                      "  web: { command: '" SERVER "', sockets: ['@IP@:8081'] }\n"
                      "  new: { command: '" SERVER "', stop_grace_period: 1s,\n"
                      "         sockets: [{ listen: '@DIR@/u', mode: '0600', name: mine }] }\n");
    scenario_check(s, ask(s, at, SOCK_STREAM) == new);
    reload_with_ip(s, "services: { idle: { command: '@ACTOR@ wait' } }\n");
    scenario_check(s, access(scenario_path(s, "u"), F_OK) == -1);
    scenario_check(s, connect_to(own_address(PORT + 1), SOCK_STREAM) == -1 && errno == ECONNREFUSED);
    scenario_stop(s);
}

/* ------------------------------------------------------------------ what is in the way */

static void z07_an_address_in_use_is_tried_again(void **state)
{
    (void)state;
    union address a = own_address(PORT + 2);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, &a.any, sizeof(a.v4)), 0);
    assert_int_equal(listen(other, 1), 0);
    struct scenario *s = start_with_ip("services:\n"
                                       "  web:\n"
                                       "    command: '" SERVER "'\n"
                                       "    sockets: ['@IP@:8082']\n"
                                       "    restart: { delay: 1ms, max_delay: 10ms }\n");
    (void)scenario_wait_text(s, "sockets", "web", ":8082: Address already in use; it is tried again");
    (void)scenario_wait_text(s, "backoff", "web", ":8082: Address already in use; trying again");
    (void)close(other);
    (void)scenario_wait(s, "started", "web");
    scenario_check(s, ask(s, a, SOCK_STREAM) > 0);
    scenario_stop(s);
}

/** A fosterd that was killed leaves its path; what is no socket is left alone. */
static void z08_stale_paths_are_replaced_and_others_are_not(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    union address stale = at_path(scenario_path(s, "u"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &stale.any, sizeof(stale.un)), 0);
    (void)close(fd);
    (void)scenario_write(s, "file", 0644, "mine\n");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web: { command: '" SERVER "', sockets: ['@DIR@/u'] }\n"
                   "  bad: { command: '" SERVER "', sockets: ['datagram:@DIR@/file'] }\n");
    const struct scenario_event *e = scenario_wait(s, "failed", "bad");
    scenario_check(s, strstr(e->msg, "cannot start: sockets[0] datagram:/") == e->msg);
    scenario_check(s, strstr(e->msg, "/file: File exists; what is there is no socket; remove it, or choose another "
                                     "path") != NULL);
    scenario_check(s, ask(s, stale, SOCK_STREAM) > 0);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
    scenario_check(s, access(scenario_path(s, "u"), F_OK) == -1);
    scenario_check(s, !strcmp(scenario_read(s, "file"), "mine"));
}

/* ------------------------------------------------------------------ a real program */

/** Who says what about AUTH is D-Bus. */
static bool speaks_dbus(struct scenario *s, union address at)
{
    char text[TEXT] = "";
    int fd = connect_to(at, SOCK_STREAM);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    scenario_check(s, fd >= 0 && send(fd, "\0AUTH\r\n", 7, MSG_NOSIGNAL) == 7);
    scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    (void)close(fd);
    return n > 0 && !strncmp(text, "REJECTED ", 9);
}

static void z09_dbus_daemon_takes_them(void **state)
{
    (void)state;
    static const char program[] = "/usr/bin/dbus-daemon";
    if (access(program, X_OK)) {
        scenario_skip("there is no %s", program);
    }
    if (!getpwuid(geteuid())) {
        scenario_skip("%s wants a user with an entry in /etc/passwd, and %u has none", program, (unsigned)geteuid());
    }
    struct scenario *s =
        scenario_start("services:\n"
                       "  bus:\n"
                       "    command: [/usr/bin/dbus-daemon, --session, --nofork, --nopidfile, '--address=systemd:']\n"
                       "    sockets: ['@DIR@/bus']\n"
                       "    restart: { policy: always, delay: 0ms, max_delay: 10ms }\n");
    union address at = at_path(scenario_path(s, "bus"));
    scenario_check(s, speaks_dbus(s, at));
    pid_t pid = scenario_wait(s, "started", "bus")->pid;
    assert_int_equal(kill(pid, SIGKILL), 0);
    /* No matter whether the old one still has it: the new one answers. */
    (void)scenario_wait(s, "exited", "bus");
    scenario_check(s, speaks_dbus(s, at));
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(z01_no_connection_is_refused_over_fifty_restarts),
        SCENARIO(z02_clients_wait_for_a_service_that_is_down),
        SCENARIO(z03_every_kind_in_the_order_of_the_file),
        SCENARIO(z04_instances_share_them),
        SCENARIO(z05_stored_descriptors_follow),
        SCENARIO(z06_reload_closes_and_opens_what_has_changed),
        SCENARIO(z07_an_address_in_use_is_tried_again),
        SCENARIO(z08_stale_paths_are_replaced_and_others_are_not),
        SCENARIO(z09_dbus_daemon_takes_them),
    };
    return SCENARIO_RUN("z_sockets", tests);
}
