/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * L: services that speak sd_notify(3): who is believed, and what follows.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/ctl_kit.h"
#include "scenario/support/procs.h"

#include <fcntl.h>

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPEAKER "@FIXTURES@/speaker"

/* ------------------------------------------------------------------ talking to speakers */

/* The FIFO of the present test. Open all the time, for what is in it goes with whoever has it open last. */
static int mouth = -1;

/** Makes the FIFO NAME, which a speaker may `obey`. */
static void make_mouth(struct scenario *s, const char *name)
{
    if (mouth >= 0) {
        (void)close(mouth);
    }
    scenario_check(s, !mkfifo(scenario_path(s, name), 0600));
    mouth = open(scenario_path(s, name), O_RDWR | O_CLOEXEC);
    scenario_check(s, mouth >= 0);
}

/** Has the speaker of service NAME, which obeys, send TEXT, and fosterd take it in. */
static void tell(struct scenario *s, const char *name, const char *text)
{
    scenario_check(s, dprintf(mouth, "%s\n", text) > 0);
    if (strncmp(text, "exit ", 5) != 0) {
        scenario_check(s, !strcmp(scenario_wait_line(s, name, "sent "), text));
        (void)scenario_sync(s);
    }
}

/** Sends TEXT to the notify socket NAME, from this process. */
static void send_to(struct scenario *s, const char *name, const char *text)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    scenario_check(s, *name == '@' && strlen(name) < sizeof(to.sun_path));
    memcpy(to.sun_path, name, strlen(name));
    *to.sun_path = '\0';
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    ssize_t n = (ssize_t)strlen(text);
    scenario_check(s, fd >= 0 && sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&to, len) == n);
    (void)close(fd);
}

/** Checks what people are told of SERVICE: its STATUS, and how many descriptors are kept for it. */
static void check_status(struct scenario *s, const char *service, const char *text, int stored)
{
    struct ctl *c = ctl_open(s);
    json_t *r = ctl_call(c, "status", "{'services':['%s']}", service), *o = ctl_service(c, r, service);
    scenario_check(s, !strcmp(ctl_text(c, o, "status_text"), text));
    scenario_check(s, ctl_number(c, o, "stored_fds") == stored);
    ctl_close(c);
}

/** Whether the program at PATH is there. */
static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/* ------------------------------------------------------------------ ready */

static void l20_ready_is_what_it_says(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    make_mouth(s, "web");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    type: notify\n"
                   "    command: '" SPEAKER " obey @DIR@/web'\n"
                   "    pre_start: ['" SPEAKER " env NOTIFY_SOCKET']\n"
                   "  short: { type: notify, command: '" SPEAKER " child READY=1 wait' }\n"
                   "  plain: { command: '" SPEAKER " env NOTIFY_SOCKET env WATCHDOG_USEC wait' }\n"
                   "  next: { command: '@ACTOR@ wait', depends_on: { web: { condition: service_ready } } }\n");
    (void)scenario_wait_line(s, "web", "NOTIFY_SOCKET unset");
    (void)scenario_wait_line(s, "plain", "NOTIFY_SOCKET unset");
    (void)scenario_wait_line(s, "plain", "WATCHDOG_USEC unset");
    (void)scenario_wait(s, "ready", "short");
    tell(s, "web", "");
    tell(s, "web", "READY=0|X_READY=1|READY");
    tell(s, "web", "STATUS=soon");
    scenario_check(s, scenario_count(s, "ready", "web") == 0 && scenario_count(s, "started", "next") == 0);
    tell(s, "web", "READY=1|STATUS=here");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait(s, "ready", "next");
    check_status(s, "web", "here", 0);
    tell(s, "web", "READY=1");
    tell(s, "web", "RELOADING=1");
    (void)scenario_wait_text(s, "reloading", "web", "reading its configuration again");
    tell(s, "web", "READY=1");
    (void)scenario_wait_text(s, "reloading", "web", "has read its configuration again");
    tell(s, "web", "STOPPING=1");
    (void)scenario_wait_text(s, "notify", "web", "says that it is stopping");
    scenario_check(s, scenario_count(s, "ready", "web") == 1);
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

/* The one that asks for time outlasts the one that does not. */
static void l21_time_to_be_ready(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    make_mouth(s, "slow");
    scenario_spawn(s, NULL,
                   "supervisor: { exit_when: never }\n"
                   "services:\n"
                   "  slow:\n"
                   "    type: notify\n"
                   "    command: '" SPEAKER
                   " notify EXTEND_TIMEOUT_USEC=9223372036854775808 notify EXTEND_TIMEOUT_USEC=-1"
                   " obey @DIR@/slow'\n"
                   "    start_timeout: 1s\n"
                   "  late:\n"
                   "    type: notify\n"
                   "    command: '" SPEAKER " wait'\n"
                   "    start_timeout: 1s\n"
                   "    restart: no\n"
                   "    depends_on: [slow]\n");
    (void)scenario_wait_text(s, "stopping", "late", "not ready");
    (void)scenario_wait(s, "failed", "late");
    scenario_check(s, scenario_count(s, "stopping", "slow") == 0);
    tell(s, "slow", "READY=1");
    (void)scenario_wait(s, "ready", "slow");
    scenario_stop(s);
}

/* ------------------------------------------------------------------ who may speak */

/* A stranger, one that wears the marker of the run, and a process of another service. */
static void l22_strangers_are_not_believed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    char text[128], program[SCENARIO_PATH_MAX];
    make_mouth(s, "web");
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web: { type: notify, command: '" SPEAKER " env FOSTER_RUN env NOTIFY_SOCKET obey @DIR@/web' }\n"
                   "  other:\n"
                   "    command: [sh, -c, '@ACTOR@ await @DIR@/gate; NOTIFY_SOCKET=$$(cat @DIR@/name);"
                   " export NOTIFY_SOCKET; exec " SPEAKER " notify READY=1 env NOTIFY_SOCKET wait']\n");
    char *marker = strdup(scenario_wait_line(s, "web", "FOSTER_RUN="));
    char *name = strdup(scenario_wait_line(s, "web", "NOTIFY_SOCKET="));
    (void)scenario_write(s, "name", 0644, name);
    send_to(s, name, "READY=1\nSTATUS=mine");
    (void)snprintf(text, sizeof(text), "process %d, which may not speak", (int)getpid());
    scenario_check(s, !strcmp(scenario_wait_text(s, "notify", "web", text)->level, "warn"));
    char *expanded = scenario_expand(s, SPEAKER);
    (void)snprintf(program, sizeof(program), "%s", expanded);
    free(expanded);
    pid_t pid = fork();
    scenario_check(s, pid >= 0);
    if (pid == 0) {
        (void)setenv("FOSTER_RUN", marker, 1);
        (void)setenv("NOTIFY_SOCKET", name, 1);
        (void)execl(program, "speaker", "notify", "READY=1", "wait", (char *)NULL);
        _exit(1);
    }
    (void)snprintf(text, sizeof(text), "process %d, which may not speak", (int)pid);
    (void)scenario_wait_text(s, "notify", "web", text);
    scenario_check(s, !kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
    scenario_open_gate(s, "gate");
    (void)snprintf(text, sizeof(text), "process %d, which may not speak",
                   (int)scenario_wait(s, "started", "other")->pid);
    (void)scenario_wait_text(s, "notify", "web", text);
    scenario_check(s, scenario_count(s, "ready", "web") == 0 && scenario_count(s, "notify", "web") == 3);
    tell(s, "web", "MAINPID=1|READY=1");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait(s, "settled", NULL);
    free(marker);
    free(name);
    scenario_stop(s);
}

static void l23_access_is_the_main_process_s_to_give(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " notify NOTIFYACCESS=main child READY=1"
                                        " env NOTIFY_SOCKET notify NOTIFYACCESS=all child READY=1 wait'\n");
    (void)scenario_wait_text(s, "notify", "web", "which may not speak");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

static void l24_as_another_user(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("another user needs root");
    }
    struct scenario *s = scenario_new();
    char *program = scenario_expand(s, SPEAKER);
    scenario_check(s, !chmod(scenario_dir(s), 0755));
    (void)scenario_copy(s, program, "speaker");
    free(program);
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web: { type: notify, user: '65534', command: '@DIR@/speaker notify READY=1 wait' }\n"
                   "  short: { type: notify, user: '65534', command: '@DIR@/speaker child READY=1 wait' }\n");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait(s, "ready", "short");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

/* ------------------------------------------------------------------ the main process */

static void l25_the_main_process_is_whom_it_names(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    make_mouth(s, "web");
    scenario_spawn(s, NULL,
                   "supervisor: { exit_when: never }\n"
                   "services:\n"
                   "  web:\n"
                   "    type: notify\n"
                   "    command: '" SPEAKER " background MAINPID=%p|READY=1 obey @DIR@/web'\n"
                   "    restart: no\n");
    pid_t pid = scenario_wait_text(s, "followed", "web", "as it says")->pid;
    (void)scenario_wait(s, "ready", "web");
    tell(s, "web", "MAINPID=1|STATUS=still here");
    tell(s, "web", "MAINPID=%p");
    char text[64];
    (void)snprintf(text, sizeof(text), "MAINPID=%d", (int)getpid());
    tell(s, "web", text);
    tell(s, "web", text);
    scenario_check(s, !strcmp(scenario_wait_text(s, "notify", "web", text)->level, "warn"));
    scenario_check(s, !strcmp(scenario_wait_text(s, "notify", "web", text)->level, "debug"));
    scenario_check(s, scenario_count(s, "exited", "web") == 0 && scenario_count(s, "followed", "web") == 1);
    scenario_check(s, pid == 0 || procs_is_alive(pid));
    tell(s, "web", "exit 3");
    (void)scenario_wait_text(s, "failed", "web", "3");
    scenario_stop(s);
}

/* While fosterd stands still, one sends by a child that is gone, one hands over to its grandchild, and one sends and
 * ends: then fosterd finds the words, the dead and the heirs all at once. */
static void l26_last_words_count(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "supervisor: { exit_when: never }\n"
                   "defaults: { type: notify, restart: no }\n"
                   "services:\n"
                   "  short:\n"
                   "    command: '@ACTOR@ await @DIR@/gate exec " SPEAKER " child READY=1"
                   " exec @ACTOR@ say @DIR@/ear short wait'\n"
                   "  heir:\n"
                   "    command: '@ACTOR@ await @DIR@/gate exec " SPEAKER " background MAINPID=%p|READY=1"
                   " exec @ACTOR@ say @DIR@/ear heir wait'\n"
                   "  dead: { command: '@ACTOR@ await @DIR@/gate exec " SPEAKER " notify READY=1 exit 3' }\n");
    pid_t heir = scenario_wait(s, "started", "heir")->pid;
    pid_t dead = scenario_wait(s, "started", "dead")->pid;
    siginfo_t info;
    (void)scenario_wait(s, "started", "short");
    (void)scenario_sync(s);
    scenario_signal(s, SIGSTOP);
    scenario_check(s, !waitid(P_PID, (id_t)scenario_pid(s), &info, WSTOPPED | WNOWAIT));
    scenario_open_gate(s, "gate");
    (void)scenario_heard(s, "ear");
    (void)scenario_heard(s, "ear");
    procs_wait_end(s, heir);
    procs_wait_end(s, dead);
    scenario_signal(s, SIGCONT);
    (void)scenario_wait(s, "ready", "short");
    (void)scenario_wait_text(s, "followed", "heir", "as it says");
    (void)scenario_wait_pid(s, "orphan-reaped", "heir", heir);
    (void)scenario_wait(s, "ready", "heir");
    size_t ready = scenario_wait(s, "ready", "dead")->seq;
    const struct scenario_event *failed = scenario_wait_text(s, "failed", "dead", "exited with code 3");
    (void)scenario_sync(s);
    scenario_check(s, failed->seq > ready);
    scenario_check(s, scenario_count(s, "exited", "heir") == 0 && scenario_count(s, "failed", "heir") == 0);
    scenario_stop(s);
}

/* ------------------------------------------------------------------ the watchdog */

static void l27_silence_ends_it(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("supervisor: { exit_when: never }\n"
                                        "services:\n"
                                        "  mute:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " env WATCHDOG_USEC notify READY=1 wait'\n"
                                        "    watchdog: 50ms\n"
                                        "    restart: { policy: on-failure, delay: 0ms, max_attempts: 1 }\n"
                                        "  own:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " notify READY=1|WATCHDOG_USEC=1 wait'\n"
                                        "    restart: no\n"
                                        "  stuck:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " notify READY=1 notify WATCHDOG=trigger wait'\n"
                                        "    watchdog: 1h\n"
                                        "    restart: no\n"
                                        "  spared:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " notify READY=1|WATCHDOG_USEC=0 wait'\n"
                                        "    watchdog: 50ms\n"
                                        "  leaving:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " notify READY=1|STOPPING=1 wait'\n"
                                        "    watchdog: 50ms\n");
    scenario_check(s, !strcmp(scenario_wait_line(s, "mute", "WATCHDOG_USEC="), "50000"));
    (void)scenario_wait_text(s, "watchdog", "mute", "no WATCHDOG=1 for 50 ms");
    (void)scenario_wait_text(s, "watchdog", "mute", "no WATCHDOG=1 for 50 ms");
    (void)scenario_wait(s, "failed", "mute");
    (void)scenario_wait_text(s, "watchdog", "own", "no WATCHDOG=1 for 10 ms");
    (void)scenario_wait_text(s, "failed", "own", "watchdog");
    (void)scenario_wait_text(s, "watchdog", "stuck", "says that it is stuck");
    (void)scenario_wait(s, "failed", "stuck");
    scenario_check(s, scenario_count(s, "watchdog", "spared") == 0 && scenario_count(s, "watchdog", "leaving") == 0);
    scenario_stop(s);
}

/* fosterd stands still for longer than the service may be silent; what is sent meanwhile waits for it. */
static void l28_our_own_stall_is_not_its_fault(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    type: notify\n"
                   "    command: '" SPEAKER " notify READY=1 ping 500 @DIR@/ear'\n"
                   "    watchdog: 2s\n");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_heard(s, "ear");
    scenario_signal(s, SIGSTOP);
    for (int i = 0; i < 5; i++) {
        (void)scenario_heard(s, "ear");
    }
    scenario_signal(s, SIGCONT);
    (void)scenario_sync(s);
    (void)scenario_heard(s, "ear");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "watchdog", "web") == 0 && scenario_count(s, "exited", "web") == 0);
    scenario_stop(s);
}

/* ------------------------------------------------------------------ descriptors */

static void l29_descriptors_outlive_restarts(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    make_mouth(s, "web");
    scenario_spawn(s, NULL,
                   "supervisor: { exit_when: never }\n"
                   "services:\n"
                   "  web:\n"
                   "    type: notify\n"
                   "    restart: { policy: always, delay: 0ms }\n"
                   "    command:\n"
                   "      - sh\n"
                   "      - -c\n"
                   "      - |\n"
                   "        if [ -n \"$$LISTEN_FDNAMES\" ]; then\n"
                   "            exec " SPEAKER " env LISTEN_FDS env LISTEN_FDNAMES link 3 link 4 notify READY=1"
                   " obey @DIR@/web\n"
                   "        fi\n"
                   "        exec " SPEAKER " env LISTEN_FDS store @DIR@/a 'FDSTORE=1|FDNAME=first'"
                   " store @DIR@/b 'FDSTORE=1' store @DIR@/c 'FDSTOREREMOVE=1|FDNAME=first|FDSTORE=1'"
                   " store @DIR@/d 'FDNAME=none' notify READY=1 obey @DIR@/web\n");
    (void)scenario_wait(s, "up", NULL);
    struct ctl *c = ctl_open(s);
    (void)scenario_wait_line(s, "web", "LISTEN_FDS unset");
    (void)scenario_wait(s, "ready", "web");
    for (int i = 0; i < 2; i++) {
        tell(s, "web", "exit 1");
        scenario_check(s, !strcmp(scenario_wait_line(s, "web", "LISTEN_FDS="), "2"));
        scenario_check(s, !strcmp(scenario_wait_line(s, "web", "LISTEN_FDNAMES="), "stored:first"));
        scenario_check(s, strstr(scenario_wait_line(s, "web", "3 is "), "/b") != NULL);
        scenario_check(s, strstr(scenario_wait_line(s, "web", "4 is "), "/c") != NULL);
        (void)scenario_wait(s, "ready", "web");
    }
    (void)ctl_call(c, "restart", "{'services':['web']}");
    scenario_check(s, !strcmp(scenario_wait_line(s, "web", "LISTEN_FDNAMES="), "stored:first"));
    (void)scenario_wait(s, "ready", "web");
    tell(s, "web", "STATUS=as before");
    check_status(s, "web", "as before", 2);
    tell(s, "web", "FDSTOREREMOVE=1|FDNAME=stored");
    (void)ctl_call(c, "restart", "{'services':['web']}");
    scenario_check(s, !strcmp(scenario_wait_line(s, "web", "LISTEN_FDNAMES="), "first"));
    (void)scenario_wait(s, "ready", "web");
    (void)ctl_call(c, "stop", "{'services':['web']}");
    (void)ctl_call(c, "start", "{'services':['web']}");
    (void)scenario_wait_line(s, "web", "LISTEN_FDS unset");
    (void)ctl_call(c, "stop", "{'services':['web']}");
    ctl_close(c);
    scenario_stop(s);
}

/* ------------------------------------------------------------------ others' clients */

static void l30_systemd_notify(void **state)
{
    (void)state;
    if (!is_program("/usr/bin/systemd-notify") && !is_program("/bin/systemd-notify")) {
        scenario_skip("there is no systemd-notify");
    }
    /* It waits until what it has sent has been read: BARRIER=1. */
    struct scenario *s = scenario_start("services:\n"
                                        "  web:\n"
                                        "    type: notify\n"
                                        "    command: [sh, -c, 'systemd-notify --ready --status=\"up and running\" &&"
                                        " echo told && exec @ACTOR@ wait']\n");
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait_line(s, "web", "told");
    (void)scenario_wait(s, "settled", NULL);
    scenario_check(s, scenario_count(s, "notify", "web") == 0);
    scenario_stop(s);
}

static void l31_libsystemd(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    char *program = scenario_expand(s, "@FIXTURES@/sdclient");
    bool is_there = is_program(program);
    free(program);
    if (!is_there) {
        scenario_skip("built without libsystemd");
    }
    scenario_spawn(s, NULL,
                   "supervisor: { exit_when: never }\n"
                   "services:\n"
                   "  web:\n"
                   "    type: notify\n"
                   "    command: '@FIXTURES@/sdclient'\n"
                   "    watchdog: 1m\n"
                   "    sockets: ['@DIR@/web.sock']\n"
                   "    restart: { policy: always, delay: 0ms }\n");
    scenario_check(s, !strcmp(scenario_wait_line(s, "web", "watchdog "), "60000000"));
    scenario_check(s, !strcmp(scenario_wait_line(s, "web", "given"), " web"));
    (void)scenario_wait(s, "ready", "web");
    (void)scenario_wait_line(s, "web", "barrier passed");
    (void)scenario_wait(s, "exited", "web");
    scenario_check(s, !strcmp(scenario_wait_line(s, "web", "given"), " web kept"));
    (void)scenario_wait(s, "ready", "web");
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

/* ------------------------------------------------------------------ floods */

static void l32_a_flood_holds_nobody_up(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  loud:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " notify READY=1 flood 10000 STATUS=x|WATCHDOG=1"
                                        " env NOTIFY_SOCKET wait'\n"
                                        "    watchdog: 1h\n"
                                        "  quiet:\n"
                                        "    type: notify\n"
                                        "    command: '" SPEAKER " notify READY=1 wait'\n"
                                        "    depends_on: { loud: { condition: service_ready } }\n");
    (void)scenario_wait(s, "ready", "quiet");
    (void)scenario_wait_line(s, "loud", "NOTIFY_SOCKET=");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

/* The logger stands still, so that the end of the first one is not told yet when it names another. */
static void l33_another_one_is_named_behind_the_end(void **state)
{
    static const char has_ended[] = "it has ended: what it has written is being looked at";
    (void)state;
    struct scenario *s = scenario_new();
    make_mouth(s, "web");
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    type: simple\n"
                   "    restart: no\n"
                   "    watchdog: 1h\n"
                   "    ready: { log: up }\n"
                   "    command: [sh, -c, '" SPEAKER " obey @DIR@/web & @ACTOR@ await @DIR@/gate; echo up; exit 8']\n"
                   "  other: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait_state(s, "web", "running");
    pid_t logger = procs_stop_logger(s);
    scenario_open_gate(s, "gate");
    pid_t first = scenario_wait_text(s, NULL, "web", has_ended)->pid;
    scenario_check(s, dprintf(mouth, "MAINPID=%%p\n") > 0);
    scenario_check(s, scenario_wait_text(s, "followed", "web", "as it says")->pid != first);
    scenario_check(s, dprintf(mouth, "exit 9\n") > 0);
    pid_t second = scenario_wait_text(s, NULL, "web", has_ended)->pid;
    assert_int_equal(kill(logger, SIGCONT), 0);
    size_t ready = scenario_wait(s, "ready", "web")->seq;
    const struct scenario_event *e = scenario_wait_pid(s, "exited", "web", second);
    scenario_check(s, e->seq > ready && e->exit_code == 9 && scenario_count(s, "exited", "web") == 1);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(l20_ready_is_what_it_says),
        SCENARIO(l21_time_to_be_ready),
        SCENARIO(l22_strangers_are_not_believed),
        SCENARIO(l23_access_is_the_main_process_s_to_give),
        SCENARIO(l24_as_another_user),
        SCENARIO(l25_the_main_process_is_whom_it_names),
        SCENARIO(l26_last_words_count),
        SCENARIO(l27_silence_ends_it),
        SCENARIO(l28_our_own_stall_is_not_its_fault),
        SCENARIO(l29_descriptors_outlive_restarts),
        SCENARIO(l30_systemd_notify),
        SCENARIO(l31_libsystemd),
        SCENARIO(l32_a_flood_holds_nobody_up),
        SCENARIO(l33_another_one_is_named_behind_the_end),
    };
    return SCENARIO_RUN("l_server", tests);
}
