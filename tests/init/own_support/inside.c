/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode as process 1, see own.h.
 */
#include "init/own_support/own.h"

#include "scenario/support/worlds.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EX_NOT_ALLOWED = 77 };

struct scenario_options own_pid_1(void)
{
    struct scenario_options o = {.prepare = world_own_proc, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    return o;
}

/** Becomes a member of the namespaces NAME of process PID; false when that is not allowed. */
static bool enter(pid_t pid, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && setns(fd, 0) == 0;
    (void)close(fd);
    return ok;
}

/** Starts ORDERS of the actor as a child that nobody of the init's pid namespace has asked for. Never returns. */
static _Noreturn void start_inside(struct scenario *s, const char *const *orders)
{
    if ((getuid() && !enter(scenario_pid(s), "user")) || !enter(scenario_pid(s), "pid")) {
        _exit(EX_NOT_ALLOWED);
    }
    pid_t inside = fork();
    if (inside > 0) {
        (void)waitpid(inside, NULL, 0);
        _exit(0);
    }
    if (inside == 0 && fork() == 0 && chdir(scenario_dir(s)) == 0) {
        (void)execv(FIXTURE, (char *const *)(void *)orders);
    }
    _exit(0);
}

void own_exec_inside(struct scenario *s, const char *const *orders)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        start_inside(s, orders);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EX_NOT_ALLOWED) {
        scenario_skip("a pid namespace may not be entered here");
    }
    assert_int_equal(status, 0);
}
