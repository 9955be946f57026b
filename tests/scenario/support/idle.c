/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Watching nothing happen, see idle.h.
 */
#include "scenario/support/idle.h"

#include "scenario/support/procs.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

/** Waits TIMEOUT_MS for the end of fosterd, which must not come. */
static void watch_nothing_happen(struct scenario *s, int timeout_ms)
{
    int fd = (int)syscall(SYS_pidfd_open, scenario_pid(s), 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_true(fd >= 0);
    int n = poll(&p, 1, timeout_ms);
    (void)close(fd);
    scenario_check(s, n == 0);
}

/** Ends TRACER; it may not have written a call to FILE. */
static void check_trace(struct scenario *s, pid_t tracer, const char *file)
{
    assert_int_equal(kill(tracer, SIGINT), 0);
    assert_int_equal(waitpid(tracer, NULL, 0), tracer);
    FILE *f = fopen(file, "re");
    assert_non_null(f);
    char line[512];
    while (fgets(line, sizeof(line), f)) {
        /* The call in which it waits all the time has not returned when strace goes. */
        if (!strstr(line, "<detached ...>")) {
            scenario_fail(s, "idle, but: %s", line);
        }
    }
    (void)fclose(f);
}

void idle_watch(struct scenario *s, int ms)
{
    pid_t pid = scenario_pid(s);
    const char *file = scenario_path(s, "trace");
    pid_t tracer = start_strace(s, pid, file);
    long switches = procs_status(pid, "voluntary_ctxt_switches");
    watch_nothing_happen(s, ms);
    long more = procs_status(pid, "voluntary_ctxt_switches") - switches;
    if (tracer) {
        check_trace(s, tracer, file);
    } else {
        print_message("no strace here: counting wake-ups instead\n");
        scenario_check(s, more == 0);
    }
}
