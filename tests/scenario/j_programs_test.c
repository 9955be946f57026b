/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * J: output and programs that are not ours: servers that open /dev/stdout anew as another user, a syslog daemon that
 * goes away and comes back, the journal. Skipped aloud where a program is missing.
 */
#include "scenario/support/daemons.h"
#include "scenario/support/scenario.h"
#include "scenario/support/worlds.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 65536, LIVES = 100 };

/* What makes a service another user's where we may decide that, and a directory of his. */
static const char *other_user(struct scenario *s)
{
    const char *dir = scenario_path(s, "his");
    const struct passwd *nobody = getpwnam("nobody");
    assert_int_equal(mkdir(dir, 0700), 0);
    if (geteuid() != 0 || nobody == NULL) {
        return "";
    }
    assert_int_equal(chown(dir, nobody->pw_uid, nobody->pw_gid), 0);
    return "    user: nobody\n";
}

/* The answer to a request for PATH comes, whatever it is. */
static void get(struct scenario *s, int port, const char *path)
{
    char request[64];
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    scenario_check(s, connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1 && recv(fd, &byte, 1, 0) == 1);
    (void)close(fd);
}

static void j31_a_shell_opens_its_output_anew(void **state)
{
    (void)state;
    char yaml[1024];
    struct scenario *s = scenario_new();
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  web:\n"
                   "    command: ['/bin/sh', '-c', 'echo one > /dev/stdout; echo two > /dev/stderr; exec sleep 1000']\n"
                   "%s"
                   "    logging: { stderr: { driver: file, options: { path: '@DIR@/web.err' } } }\n",
                   other_user(s));
    scenario_spawn(s, NULL, yaml);
    (void)scenario_wait_line(s, "web", "one");
    while (strcmp(scenario_read(s, "web.err"), "two") != 0) {
        (void)scenario_sync(s);
    }
    scenario_stop(s);
}

/* nginx, as its master's USER has it (a line of a service's YAML, or none). */
static void try_nginx(struct scenario *s, const char *user)
{
    char conf[1024], yaml[1024];
    const char *nginx = daemons_program(s, "nginx");
    int port = daemons_port();
    (void)snprintf(conf, sizeof(conf),
                   "pid @DIR@/his/nginx.pid;\nerror_log /dev/stderr notice;\nworker_processes 1;\ndaemon off;\n"
                   "events {}\nhttp {\n  access_log /dev/stdout;\n  client_body_temp_path @DIR@/his/t1;\n"
                   "  proxy_temp_path @DIR@/his/t2;\n  fastcgi_temp_path @DIR@/his/t3;\n"
                   "  uwsgi_temp_path @DIR@/his/t4;\n  scgi_temp_path @DIR@/his/t5;\n"
                   "  server { listen 127.0.0.1:%d; return 200 fostered; }\n}\n",
                   port);
    (void)scenario_write(s, "nginx.conf", 0644, conf);
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  nginx:\n"
                   "    command: %s -e /dev/stderr -c @DIR@/nginx.conf\n"
                   "    stop_signal: SIGQUIT\n%s",
                   nginx, user);
    scenario_spawn(s, NULL, yaml);
    pid_t master = scenario_wait(s, "started", "nginx")->pid;
    while (strstr(scenario_wait_line(s, "nginx", ""), "start worker process ") == NULL) {
        /* It tells of much. */
    }
    get(s, port, "/first");
    (void)scenario_wait_line(s, "nginx", "127.0.0.1 - - [");
    /* As logrotate has it open its logs anew. */
    assert_int_equal(kill(master, SIGUSR1), 0);
    while (strstr(scenario_wait_line(s, "nginx", ""), "reopening logs") == NULL) {
        /* It tells of much. */
    }
    get(s, port, "/second");
    while (strstr(scenario_wait_line(s, "nginx", ""), "GET /second ") == NULL) {
        /* It may still be opening them. */
    }
    scenario_stop(s);
}

static void j32_nginx_logs_to_dev_stdout(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    assert_int_equal(mkdir(scenario_path(s, "his"), 0700), 0);
    try_nginx(s, "");
}

static void j37_nginx_of_another_user(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    const char *user = other_user(s);
    if (*user == '\0') {
        scenario_skip("another user needs root, and a user nobody");
    }
    try_nginx(s, user);
}

/* By the name of a file, and as it is by default. */
static void j33_redis_logs_to_standard_output(void **state)
{
    (void)state;
    char yaml[2048];
    struct scenario *s = scenario_new();
    const char *redis = daemons_program(s, "redis-server"), *user = other_user(s);
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  file:\n"
                   "    command: %s --port 0 --unixsocket @DIR@/his/file.sock --dir @DIR@/his --save ''\n"
                   "      --logfile /dev/stdout\n%s"
                   "  plain:\n"
                   "    command: %s --port 0 --unixsocket @DIR@/his/plain.sock --dir @DIR@/his --save ''\n"
                   "      --logfile ''\n%s",
                   redis, user, redis, user);
    scenario_spawn(s, NULL, yaml);
    static const char *const services[] = {"file", "plain"};
    for (size_t i = 0; i < 2; i++) {
        while (strstr(scenario_wait_line(s, services[i], ""), "now ready to accept connections") == NULL) {
            /* It draws something first. */
        }
    }
    scenario_stop(s);
}

/* A socket of datagrams at NAME. */
static int listen_at(struct scenario *s, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const char *path = scenario_path(s, name);
    assert_true(fd >= 0 && strlen(path) < sizeof(a.sun_path));
    (void)strcpy(a.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* Fails unless the next datagram fits PATTERN (fnmatch(3)). */
static void check_next(struct scenario *s, int fd, const char *pattern)
{
    static char data[DATAGRAM_MAX + 1];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
    ssize_t n = recv(fd, data, DATAGRAM_MAX, 0);
    scenario_check(s, n >= 0);
    data[n] = '\0';
    if (fnmatch(pattern, data, 0) != 0) {
        scenario_fail(s, "got: %s", data);
    }
}

static void j34_syslog_goes_away_and_comes_back(void **state)
{
    (void)state;
    char pattern[128];
    struct scenario *s = scenario_new();
    int fd = listen_at(s, "log");
    scenario_gate(s, "first");
    scenario_gate(s, "second");
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  web:\n"
        "    command: ['@ACTOR@', await, '@DIR@/first', print, one, print, '<3>two', await, '@DIR@/second',\n"
        "      print, three, print, four, wait]\n"
        "    logging:\n"
        "      driver: syslog\n"
        "      options: { syslog-address: 'unix://@DIR@/log', syslog-facility: mail, tag: shop }\n");
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    scenario_open_gate(s, "first");
    (void)snprintf(pattern, sizeof(pattern), "<22>1 2*T*.*Z * shop %d - - one", (int)pid);
    check_next(s, fd, pattern);
    (void)snprintf(pattern, sizeof(pattern), "<19>1 2*T*.*Z * shop %d - - two", (int)pid);
    check_next(s, fd, pattern);
    (void)close(fd);
    assert_int_equal(unlink(scenario_path(s, "log")), 0);
    scenario_open_gate(s, "second");
    const struct scenario_event *e = scenario_wait(s, "log-failing", "web");
    scenario_check(s, strstr(e->msg, "/log") != NULL);
    fd = listen_at(s, "log");
    check_next(s, fd, "<22>1 * three");
    check_next(s, fd, "<22>1 * four");
    e = scenario_wait(s, "log-resumed", "web");
    scenario_check(s, strstr(e->msg, "nothing was lost") != NULL);
    scenario_stop(s);
    (void)close(fd);
}

/* The number is there before the program is: each of many short lives says its own, and is told of with that. */
static void j38_first_line_has_the_number(void **state)
{
    (void)state;
    char data[512], number[32];
    struct scenario *s = scenario_new();
    int fd = listen_at(s, "log");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: [sh, -c, 'echo $$$$']\n"
                   "    restart: { policy: always, delay: 0s, max_delay: 10ms }\n"
                   "    logging:\n"
                   "      driver: syslog\n"
                   "      options: { syslog-address: 'unix://@DIR@/log', tag: shop }\n");
    for (int i = 0; i < LIVES; i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
        ssize_t n = recv(fd, data, sizeof(data) - 1, 0);
        scenario_check(s, n > 0);
        data[n] = '\0';
        const char *says = strrchr(data, ' ');
        scenario_check(s, says != NULL && says[1] != '\0');
        (void)snprintf(number, sizeof(number), " shop %s - - ", says + 1);
        if (strstr(data, number) == NULL) {
            scenario_fail(s, "life %d: %s", i, data);
        }
    }
    scenario_stop(s);
    (void)close(fd);
}

/* Waits until the file NAME has a line that fits PATTERN (fnmatch(3)). */
static void wait_for_line(struct scenario *s, const char *name, const char *pattern)
{
    for (char text[512];; (void)sched_yield()) {
        FILE *f = fopen(scenario_path(s, name), "re");
        while (f != NULL && fgets(text, sizeof(text), f) != NULL) {
            if (fnmatch(pattern, text, 0) == 0) {
                (void)fclose(f);
                return;
            }
        }
        if (f != NULL) {
            (void)fclose(f);
        }
        (void)scenario_time_left(s);
    }
}

/* As it ships rsyslog reads its socket as syslog(3) writes to it; RFC 5424 it reads where it is told not to. Ours are
 * the times that end in Z; its own have an offset. */
static void j36_rsyslog(void **state)
{
    (void)state;
    char yaml[2048], host[256], pattern[512];
    struct scenario *s = scenario_new();
    const char *rsyslogd = daemons_program(s, "rsyslogd");
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    scenario_gate(s, "gate");
    (void)scenario_write(s, "rsyslog.conf", 0644,
                         "module(load=\"imuxsock\" SysSock.Name=\"@DIR@/shipped\")\n"
                         "input(type=\"imuxsock\" Socket=\"@DIR@/told\" UseSpecialParser=\"off\" ParseHostname=\"on\"\n"
                         "      IgnoreTimestamp=\"off\")\n"
                         "template(name=\"parts\" type=\"string\"\n"
                         "         string=\"%syslogfacility-text%.%syslogseverity-text%|%protocol-version%|"
                         "%timereported:::date-rfc3339%|%HOSTNAME%|%APP-NAME%|%PROCID%|%MSGID%|%STRUCTURED-DATA%|"
                         "%msg:::drop-last-lf%|\\n\")\n"
                         "*.* action(type=\"omfile\" file=\"@DIR@/messages\" template=\"parts\")\n");
    (void)snprintf(
        yaml, sizeof(yaml),
        "services:\n"
        "  rsyslog:\n"
        "    command: %s -n -f @DIR@/rsyslog.conf -i @DIR@/rsyslog.pid\n"
        "  new:\n"
        "    command: ['@ACTOR@', await, '@DIR@/gate', print, one, print, '<3>[two x=\"1\"] 2: x', wait]\n"
        "    logging: { driver: syslog, options: { syslog-address: '@DIR@/told', syslog-facility: mail, tag: a-b.c } "
        "}\n"
        "  old:\n"
        "    command: ['@ACTOR@', await, '@DIR@/gate', print, three, print, '<0>four', wait]\n"
        "    logging:\n"
        "      driver: syslog\n"
        "      options: { syslog-address: '@DIR@/shipped', syslog-format: rfc3164, syslog-facility: local7 }\n",
        rsyslogd);
    scenario_spawn(s, NULL, yaml);
    const int new = (int)scenario_wait(s, "started", "new")->pid, old = (int)scenario_wait(s, "started", "old")->pid;
    scenario_open_gate(s, "gate");
    static const char *const texts[] = {"one", "\\[two x=\"1\"\\] 2: x", "three", "four"};
    static const char *const priorities[] = {"mail.info", "mail.err", "local7.info", "local7.emerg"};
    for (int i = 0; i < 2; i++) {
        (void)snprintf(pattern, sizeof(pattern), "%s|1|2*T*.??????Z|%s|a-b.c|%d|-|-|%s|\n", priorities[i], host, new,
                       texts[i]);
        wait_for_line(s, "messages", pattern);
    }
    for (int i = 2; i < 4; i++) {
        (void)snprintf(pattern, sizeof(pattern), "%s|0|*|*|old|%d|-|-| %s|\n", priorities[i], old, texts[i]);
        wait_for_line(s, "messages", pattern);
    }
    scenario_stop(s);
}

/* A /run in which the journal is the socket at DATA. */
static void other_journal(void *data)
{
    world_own_run(NULL);
    if (mkdir("/run/systemd", 0755) != 0 || mkdir("/run/systemd/journal", 0755) != 0 ||
        symlink(data, "/run/systemd/journal/socket") != 0) {
        _exit(113);
    }
}

static void j35_the_journal(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        scenario_skip("another /run needs root");
    }
    char path[SCENARIO_PATH_MAX + 16], pattern[512];
    struct scenario *s = scenario_new();
    int fd = listen_at(s, "journal");
    scenario_gate(s, "gate");
    (void)snprintf(path, sizeof(path), "%s", scenario_path(s, "journal"));
    const struct scenario_options o = {.prepare = other_journal, .data = path, .clone_flags = CLONE_NEWNS};
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web:\n"
                   "    command: ['@ACTOR@', await, '@DIR@/gate', print, '<4>careful', wait]\n"
                   "    scale: 2\n"
                   "    logging: { driver: journald, options: { tag: shop } }\n");
    (void)scenario_wait(s, "settled", NULL);
    scenario_open_gate(s, "gate");
    for (int i = 0; i < 2; i++) {
        static const char *const parts[] = {"MESSAGE=careful\n",        "PRIORITY=4\n",
                                            "SYSLOG_IDENTIFIER=shop\n", "SYSLOG_FACILITY=3\n",
                                            "FOSTER_SERVICE=web\n",     "FOSTER_INSTANCE=web.[12]\n",
                                            "FOSTER_STREAM=stdout\n",   "SYSLOG_PID=[1-9]*\n"};
        static char data[DATAGRAM_MAX + 1];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        scenario_check(s, poll(&p, 1, scenario_time_left(s)) == 1);
        ssize_t n = recv(fd, data, DATAGRAM_MAX, 0);
        data[n > 0 ? n : 0] = '\0';
        for (size_t j = 0; j < sizeof(parts) / sizeof(parts[0]); j++) {
            (void)snprintf(pattern, sizeof(pattern), "*%s*", parts[j]);
            if (fnmatch(pattern, data, 0) != 0) {
                scenario_fail(s, "no %s in %s", parts[j], data);
            }
        }
    }
    (void)close(fd);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(j31_a_shell_opens_its_output_anew),
        SCENARIO(j32_nginx_logs_to_dev_stdout),
        SCENARIO(j33_redis_logs_to_standard_output),
        SCENARIO(j34_syslog_goes_away_and_comes_back),
        SCENARIO(j38_first_line_has_the_number),
        SCENARIO(j35_the_journal),
        SCENARIO(j36_rsyslog),
        SCENARIO(j37_nginx_of_another_user),
    };
    return SCENARIO_RUN("j_programs", tests);
}
