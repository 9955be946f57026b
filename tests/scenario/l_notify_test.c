/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * L: the service manager above us. What fosterd says to NOTIFY_SOCKET and when, and that nobody there can hold it up.
 */
#include "scenario/support/scenario.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MANAGER_SAID_MAX = 256, MANAGER_TEXT_MAX = 256 };

/** A service manager: its socket, and what came out of it. */
struct manager {
    int fd;
    char name[SCENARIO_PATH_MAX]; /**< as NOTIFY_SOCKET has it */
    const char *watchdog_usec;    /**< NULL: not asked for */
    bool watchdog_of_another;     /**< WATCHDOG_PID is not fosterd's */
    char said[MANAGER_SAID_MAX][MANAGER_TEXT_MAX];
    size_t n_said;
    size_t n_looked_at;
};

static struct manager manager;

/** The name of a path, or of an abstract socket, which begins with @. */
static void manager_listen(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    manager = (struct manager){.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    assert_true(manager.fd >= 0 && strlen(name) < sizeof(a.sun_path));
    (void)strcpy(manager.name, name);
    (void)strcpy(a.sun_path, name);
    if (*name == '@') {
        *a.sun_path = '\0';
    }
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (*name != '@'));
    assert_int_equal(bind(manager.fd, (struct sockaddr *)&a, len), 0);
}

static int close_manager(void **state)
{
    if (manager.fd > 0) {
        (void)close(manager.fd);
    }
    manager = (struct manager){.fd = -1};
    return scenario_teardown(state);
}

#define NOTIFIED(test) cmocka_unit_test_setup_teardown(test, scenario_setup, close_manager)

/** In the child that becomes fosterd: its environment. */
static void tell_fosterd(void *data)
{
    char pid[32];
    (void)data;
    (void)snprintf(pid, sizeof(pid), "%d", manager.watchdog_of_another ? 1 : (int)getpid());
    (void)setenv("NOTIFY_SOCKET", manager.name, 1);
    if (manager.watchdog_usec) {
        (void)setenv("WATCHDOG_USEC", manager.watchdog_usec, 1);
        (void)setenv("WATCHDOG_PID", pid, 1);
    }
}

static const struct scenario_options notified = {.prepare = tell_fosterd};

/** Takes in one message; waits for it up to TIMEOUT_MS. */
static bool manager_hear(int timeout_ms)
{
    struct pollfd p = {.fd = manager.fd, .events = POLLIN};
    if (poll(&p, 1, timeout_ms) != 1) {
        return false;
    }
    assert_true(manager.n_said < MANAGER_SAID_MAX);
    char *text = manager.said[manager.n_said++];
    ssize_t n = recv(manager.fd, text, MANAGER_TEXT_MAX - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    return true;
}

/** Whether LINE (or, when it ends with =, what begins with it) is one of the lines of TEXT. */
static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        if (!strncmp(at, line, n) && (line[n - 1] == '=' || at[n] == '\n' || !at[n])) {
            return true;
        }
    }
    return false;
}

/** How many of all messages so far have the line LINE. */
static size_t manager_count(const char *line)
{
    size_t count = 0;
    while (manager_hear(0)) {
    }
    for (size_t i = 0; i < manager.n_said; i++) {
        count += has_line(manager.said[i], line);
    }
    return count;
}

/** Waits for the next message with the line LINE; the message. */
static const char *manager_wait(struct scenario *s, const char *line)
{
    for (;;) {
        while (manager.n_looked_at < manager.n_said) {
            const char *text = manager.said[manager.n_looked_at++];
            if (has_line(text, line)) {
                return text;
            }
        }
        if (!manager_hear(scenario_time_left(s))) {
            scenario_fail(s, "the service manager was not told %s", line);
        }
    }
}

/** From the start to the end with a manager at NAME, which is listening already. */
static void check_life(struct scenario *s)
{
    scenario_gate(s, "gate");
    scenario_spawn(s, &notified,
                   "services:\n"
                   "  quick: { command: '@ACTOR@ wait' }\n"
                   "  slow: { type: forking, command: '@ACTOR@ await @DIR@/gate daemonize-once wait' }\n");
    (void)scenario_wait(s, "ready", "quick");
    (void)scenario_wait_state(s, "slow", "running");
    (void)scenario_sync(s);
    scenario_check(s, manager_count("READY=1") == 0);
    scenario_check(s, manager_count("STATUS=2 services: 1 ready, 1 running, 0 waiting, 0 in backoff, 0 failed") == 1);
    scenario_open_gate(s, "gate");
    (void)manager_wait(s, "READY=1");
    (void)manager_wait(s, "STATUS=2 services: 2 ready, 0 running, 0 waiting, 0 in backoff, 0 failed");
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_sync(s);
    scenario_check(s, manager_count("STOPPING=1") == 0);
    scenario_stop(s);
    scenario_check(s, has_line(manager_wait(s, "STOPPING=1"), "STATUS="));
    scenario_check(s, manager_count("READY=1") == 1);
    scenario_check(s, manager_count("STOPPING=1") == 1);
    scenario_check(s, manager_count("WATCHDOG=1") == 0);
}

static void l01_ready_status_and_stopping(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    check_life(s);
}

static void l02_at_an_abstract_socket(void **state)
{
    char name[64];
    (void)state;
    struct scenario *s = scenario_new();
    (void)snprintf(name, sizeof(name), "@foster-test-%d", (int)getpid());
    manager_listen(name);
    check_life(s);
}

static void l03_ready_is_not_taken_back(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    scenario_gate(s, "gate");
    scenario_spawn(s, &notified,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ once @DIR@/once [ await @DIR@/gate exit 1 ] print again wait'\n"
                   "    restart: { delay: 10ms }\n");
    (void)manager_wait(s, "READY=1");
    scenario_open_gate(s, "gate");
    (void)manager_wait(s, "STATUS=1 services: 0 ready, 0 running, 0 waiting, 1 in backoff, 0 failed");
    (void)manager_wait(s, "STATUS=1 services: 1 ready, 0 running, 0 waiting, 0 in backoff, 0 failed");
    (void)scenario_wait_line(s, "web", "again");
    scenario_check(s, manager_count("READY=1") == 1);
    scenario_stop(s);
}

/** Comes back every fifth of a second, and fosterd says so each time. */
#define RECURRING                                                                                                      \
    "services:\n"                                                                                                      \
    "  web:\n"                                                                                                         \
    "    command: '@ACTOR@ exit 1'\n"                                                                                  \
    "    restart: { delay: 200ms, factor: 1, jitter: 0 }\n"

static void l04_the_watchdog_is_fed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    manager.watchdog_usec = "20000";
    scenario_spawn(s, &notified, RECURRING);
    for (int i = 0; i < 10; i++) {
        (void)manager_wait(s, "WATCHDOG=1");
    }
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void l05_nobody_feeds_a_watchdog_that_is_not_ours(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    manager.watchdog_usec = "20000";
    manager.watchdog_of_another = true;
    scenario_spawn(s, &notified, RECURRING);
    scenario_wait_count(s, "exited", "web", 3);
    scenario_check(s, manager_count("STATUS=") > 0);
    scenario_check(s, manager_count("WATCHDOG=1") == 0);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void l06_services_hear_nothing_of_it(void **state)
{
    (void)state;
    static const char *const names[] = {"NOTIFY_SOCKET unset", "WATCHDOG_USEC unset", "WATCHDOG_PID unset"};
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    manager.watchdog_usec = "1000000";
    scenario_spawn(s, &notified,
                   "services:\n"
                   "  plain: { command: '@ACTOR@ env NOTIFY_SOCKET env WATCHDOG_USEC env WATCHDOG_PID wait' }\n"
                   "  asked:\n"
                   "    command: '@ACTOR@ env NOTIFY_SOCKET env WATCHDOG_USEC env WATCHDOG_PID wait'\n"
                   "    environment: [NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID]\n"
                   "  own:\n"
                   "    command: '@ACTOR@ env NOTIFY_SOCKET wait'\n"
                   "    environment: { NOTIFY_SOCKET: /elsewhere }\n");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)scenario_wait_line(s, "plain", names[i]);
        (void)scenario_wait_line(s, "asked", names[i]);
    }
    (void)scenario_wait_line(s, "own", "NOTIFY_SOCKET=/elsewhere");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

/** Sends to the socket until no more fits; how many messages that were. */
static size_t fill(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)strcpy(a.sun_path, manager.name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    size_t n = 0;
    while (sendto(fd, "X=1", 3, 0, (struct sockaddr *)&a, sizeof(a)) == 3) {
        n++;
    }
    assert_int_equal(errno, EAGAIN);
    (void)close(fd);
    return n;
}

static void l07_a_manager_that_does_not_read_holds_up_nothing(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    manager.watchdog_usec = "10000";
    scenario_check(s, fill() > 0);
    scenario_spawn(
        s, &notified,
        "services:\n"
        "  web: { command: '@ACTOR@ wait' }\n"
        "  back: { command: '@ACTOR@ once @DIR@/once [ exit 1 ] print again wait', restart: { delay: 50ms } }\n");
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_wait_line(s, "back", "again");
    (void)scenario_wait_state(s, "back", "ready");
    scenario_stop(s);
    scenario_check(s, fill() == 0);
}

static void l08_a_manager_that_is_gone_holds_up_nothing(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    assert_int_equal(unlink(scenario_path(s, "notify")), 0);
    scenario_spawn(s, &notified, "services: { web: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

static void l09_an_address_that_is_none_is_told(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager = (struct manager){.fd = -1, .name = "elsewhere/notify"};
    scenario_spawn(s, &notified, "services: { web: { command: '@ACTOR@ env NOTIFY_SOCKET wait' } }\n");
    assert_string_equal(scenario_wait_text(s, NULL, NULL, "NOTIFY_SOCKET is neither")->level, "warn");
    (void)scenario_wait_line(s, "web", "NOTIFY_SOCKET unset");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

static void l10_a_reload_is_told(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    manager_listen(scenario_path(s, "notify"));
    scenario_spawn(s, &notified,
                   "services: { slow: { command: '@ACTOR@ on TERM [ await @DIR@/gate exit 0 ] print up wait' } }\n");
    (void)scenario_wait_line(s, "slow", "up");
    (void)manager_wait(s, "READY=1");
    (void)scenario_write(s, "foster.yaml", 0644, "services: { new: { command: '@ACTOR@ wait' } }\n");
    scenario_signal(s, SIGHUP);
    scenario_check(s, has_line(manager_wait(s, "RELOADING=1"), "MONOTONIC_USEC="));
    (void)scenario_wait(s, "stopping", "slow");
    scenario_check(s, manager_count("READY=1") == 1);
    scenario_open_gate(s, "gate");
    (void)manager_wait(s, "READY=1");
    /* Systemd waits for the end also of one that comes to nothing. */
    (void)scenario_write(s, "foster.yaml", 0644, "services: [\n");
    scenario_signal(s, SIGHUP);
    (void)manager_wait(s, "RELOADING=1");
    (void)manager_wait(s, "READY=1");
    (void)scenario_wait_text(s, "config", NULL, "rejected");
    (void)scenario_wait(s, "started", "new");
    scenario_stop(s);
    scenario_check(s, manager_count("RELOADING=1") == 2 && manager_count("READY=1") == 3);
}

static void l11_ready_without_anything_to_start(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    manager_listen(scenario_path(s, "notify"));
    scenario_spawn(s, &notified,
                   "services: { later: { autostart: false, command: '@ACTOR@ wait' } }\n"
                   "supervisor: { exit_when: never }\n");
    (void)manager_wait(s, "READY=1");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTIFIED(l01_ready_status_and_stopping),
        NOTIFIED(l02_at_an_abstract_socket),
        NOTIFIED(l03_ready_is_not_taken_back),
        NOTIFIED(l04_the_watchdog_is_fed),
        NOTIFIED(l05_nobody_feeds_a_watchdog_that_is_not_ours),
        NOTIFIED(l06_services_hear_nothing_of_it),
        NOTIFIED(l07_a_manager_that_does_not_read_holds_up_nothing),
        NOTIFIED(l08_a_manager_that_is_gone_holds_up_nothing),
        NOTIFIED(l09_an_address_that_is_none_is_told),
        NOTIFIED(l10_a_reload_is_told),
        NOTIFIED(l11_ready_without_anything_to_start),
    };
    return SCENARIO_RUN("l_notify", tests);
}
