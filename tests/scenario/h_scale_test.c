/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * H: many, and nothing to do. A thousand services start and stop; a fosterd whose services are all up asks the kernel
 * for nothing at all.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 1000, SCALE_GUARD_MS = 150000, IDLE_MS = 10000 };

static char *many_services(void)
{
    char *yaml = NULL;
    size_t size;
    FILE *f = open_memstream(&yaml, &size);
    assert_non_null(f);
    (void)fputs("services:\n", f);
    for (int i = 0; i < MANY; i++) {
        (void)fprintf(f, "  s%03d: { command: '@ACTOR@ wait'", i);
        if (i % 10) {
            (void)fprintf(f, ", depends_on: [s%03d]", i / 10 * 10);
        }
        (void)fputs(" }\n", f);
    }
    (void)fclose(f);
    return yaml;
}

static void h01_a_thousand_services_start_and_stop(void **state)
{
    (void)state;
    static struct procs children;
    struct scenario_options o = {.guard_ms = SCALE_GUARD_MS};
    char *yaml = many_services();
    struct scenario *s = scenario_start_with(&o, yaml);
    free(yaml);
    (void)scenario_wait(s, "settled", NULL);
    scenario_check(s, scenario_count(s, "started", NULL) == MANY);
    scenario_check(s, scenario_count(s, "ready", NULL) == MANY);
    procs_children(scenario_pid(s), &children);
    scenario_check(s, children.n == MANY);
    scenario_stop(s);
    scenario_check(s, scenario_count(s, "exited", NULL) == MANY);
    scenario_check(s, scenario_count(s, "killed", NULL) == 0);
}

static void h02_a_hundred_services_die_together_and_again(void **state)
{
    (void)state;
    enum { CROWD = 100 };
    struct scenario *s = scenario_new();
    struct scenario_options o = {.guard_ms = SCALE_GUARD_MS};
    scenario_gate(s, "gate");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ await @DIR@/gate exit 1'\n"
                   "    scale: 100\n"
                   "    restart: { policy: always, delay: 10ms, max_attempts: 1 }\n");
    (void)scenario_wait(s, "settled", NULL);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_open_gate(s, "gate");
    (void)scenario_wait_exit(s);
    scenario_check(s, scenario_count(s, "started", NULL) == 2 * CROWD);
    scenario_check(s, scenario_count(s, "exited", NULL) == 2 * CROWD);
    scenario_check(s, scenario_count_state(s, NULL, "backoff") == CROWD);
    scenario_check(s, scenario_count(s, "failed", NULL) == CROWD);
}

/** Starts strace on PID, its report into FILE; 0 when there is no strace or it may not. */
static pid_t start_strace(struct scenario *s, pid_t pid, const char *file)
{
    char number[16];
    int fds[2];
    (void)snprintf(number, sizeof(number), "%d", (int)pid);
    assert_int_equal(pipe(fds), 0);
    pid_t tracer = fork();
    if (tracer == 0) {
        (void)dup2(fds[1], 2);
        (void)close(fds[0]);
        (void)execlp("strace", "strace", "-f", "-o", file, "-p", number, (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    char said[256];
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    ssize_t n = poll(&p, 1, scenario_time_left(s)) == 1 ? read(fds[0], said, sizeof(said) - 1) : 0;
    said[n > 0 ? n : 0] = '\0';
    (void)close(fds[0]);
    if (strstr(said, "attached") && !strstr(said, "not permitted")) {
        return tracer;
    }
    (void)kill(tracer, SIGKILL);
    (void)waitpid(tracer, NULL, 0);
    return 0;
}

/** Waits TIMEOUT_MS for the end of fosterd, which must not come. The one test that lets time pass: it shows an absence.
 */
static void watch_nothing_happen(struct scenario *s, int timeout_ms)
{
    int fd = (int)syscall(SYS_pidfd_open, scenario_pid(s), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_true(fd >= 0);
    int n = poll(&p, 1, timeout_ms);
    (void)close(fd);
    scenario_check(s, n == 0);
}

static void h03_a_hundred_idle_services_cost_no_system_call(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services: { web: { command: '@ACTOR@ wait', scale: 100 } }\n");
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_sync(s);
    pid_t pid = scenario_pid(s);
    pid_t tracer = start_strace(s, pid, scenario_path(s, "trace"));
    long switches = procs_status(pid, "voluntary_ctxt_switches");
    watch_nothing_happen(s, IDLE_MS);
    long more = procs_status(pid, "voluntary_ctxt_switches") - switches;
    if (tracer) {
        assert_int_equal(kill(tracer, SIGINT), 0);
        assert_int_equal(waitpid(tracer, NULL, 0), tracer);
        FILE *f = fopen(scenario_path(s, "trace"), "re");
        assert_non_null(f);
        char line[512];
        while (fgets(line, sizeof(line), f)) {
            /* The call in which it waits all the time has not returned when strace goes. */
            if (!strstr(line, "<detached ...>")) {
                scenario_fail(s, "idle, but: %s", line);
            }
        }
        (void)fclose(f);
    } else {
        print_message("no strace here: counting wake-ups instead\n");
        scenario_check(s, more == 0);
    }
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(h01_a_thousand_services_start_and_stop),
        SCENARIO(h02_a_hundred_services_die_together_and_again),
        SCENARIO(h03_a_hundred_idle_services_cost_no_system_call),
    };
    return SCENARIO_RUN("h_scale", tests);
}
