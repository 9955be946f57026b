/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode where a container is bare: no /proc, nothing that can be written, hardly any stack, descriptors or limits;
 * with -p when the parent is gone already; and with nothing to do.
 */
#include "init/own_support/own.h"

#include "init/support/look.h"
#include "scenario/support/idle.h"
#include "scenario/support/worlds.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EX_WORLD = 113, SMALL_STACK = 64 << 10, FEW_DESCRIPTORS = 20, IDLE_MS = 1200 };

#define PLAIN INIT_NAMES_PLAIN "/fosterd --grace 1h"

/** The command leaves a daemon, and ends; the daemon is asked to end, and obeys. */
#define DAEMON " -- @ACTOR@ orphans 1 [ setsid on TERM [ say ear told exit 0 ] say ear left wait ] await gate exit 5"

static void a_daemon_is_ended(const struct scenario_options *o, const char *line)
{
    struct scenario *s = own_start_with(o, line);
    own_hear(s, "left");
    scenario_open_gate(s, "gate");
    own_hear(s, "told");
    own_end_quietly(s, 5);
}

static void need_root(void)
{
    if (getuid()) {
        scenario_skip("mounting needs root");
    }
}

static struct scenario_options mounted(void (*prepare)(void *data))
{
    need_root();
    return (struct scenario_options){.prepare = prepare, .clone_flags = CLONE_NEWNS};
}

/* Whom it has not started it cannot find there, but what it has started is all that there is. */
static void without_proc_the_command_is_run(void **state)
{
    (void)state;
    struct scenario_options o = mounted(world_no_proc);
    struct scenario *s =
        own_start_with(&o, PLAIN " -- @ACTOR@ on USR1 [ say ear usr1 ] on TERM [ exit 4 ] say ear up wait");
    own_hear(s, "up");
    scenario_signal(s, SIGUSR1);
    own_hear(s, "usr1");
    scenario_signal(s, SIGTERM);
    own_end_quietly(s, 4);
}

static void without_proc_orphans_are_reaped(void **state)
{
    (void)state;
    struct scenario_options o = mounted(world_no_proc);
    struct scenario *s =
        own_start_with(&o, PLAIN " -- @ACTOR@ orphans 1 [ setsid say ear orphan:%p exit 0 ] await gate "
                                 "exit 4");
    own_wait_gone(s, own_hear_pid(s, "orphan"));
    scenario_open_gate(s, "gate");
    own_end_quietly(s, 4);
}

static void own_without_proc(void *data)
{
    world_own_proc(NULL);
    world_no_proc(data);
}

static void pid_1_without_proc_ends_all(void **state)
{
    (void)state;
    need_root();
    struct scenario_options o = {.prepare = own_without_proc, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    a_daemon_is_ended(&o, PLAIN DAEMON);
}

static void nothing_needs_to_be_written(void **state)
{
    (void)state;
    struct scenario_options o = mounted(world_read_only);
    a_daemon_is_ended(&o, PLAIN DAEMON);
}

static void limit(int resource, rlim_t n)
{
    struct rlimit both = {n, n};
    if (setrlimit((__rlimit_resource_t)resource, &both)) {
        _exit(EX_WORLD);
    }
}

static void small_stack(void *data)
{
    (void)data;
    limit(RLIMIT_STACK, SMALL_STACK);
}

static void a_small_stack_is_enough(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = small_stack};
    a_daemon_is_ended(&o, PLAIN DAEMON);
}

static void few_descriptors(void *data)
{
    (void)data;
    limit(RLIMIT_NOFILE, FEW_DESCRIPTORS);
}

static void few_descriptors_are_enough(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = few_descriptors};
    a_daemon_is_ended(&o, PLAIN DAEMON);
}

static void no_locks(void *data)
{
    (void)data;
    limit(RLIMIT_LOCKS, 0);
}

static void without_tags_a_variable_marks_descendants(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = no_locks};
    struct scenario *s = own_start_with(&o, PLAIN " -- @ACTOR@ env FOSTER_RUN");
    const char *run = scenario_wait_line(s, NULL, "FOSTER_RUN=");
    scenario_check(s, strchr(run, ':') != NULL);
    own_end_printed(s, 0, 1);
}

static void without_tags_a_daemon_is_found_by_the_variable(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = no_locks};
    a_daemon_is_ended(&o, PLAIN DAEMON);
}

static bool has_strace(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)execlp("strace", "strace", "-D", "-o", "/dev/null", "true", (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* prctl(2) does not look back: an end between our first look at the parent and that call is to be found by a second
 * look. strace stops us between the two. */
static void with_p_an_end_before_we_could_ask_is_found(void **state)
{
    int status;
    (void)state;
    if (!has_strace()) {
        scenario_skip("no strace, or it may not be used");
    }
    struct scenario_options o = {.leaves_children = true};
    struct scenario *s = own_start_with(&o, "@ACTOR@ fork 1 [ say ear init:%p exec strace -D -o ear -e trace=getppid "
                                            "-e inject=getppid:signal=SIGSTOP:when=1 " INIT_NAMES_PLAIN
                                            "/fosterd -p TERM -- @ACTOR@ wait ] await gate");
    pid_t init = own_hear_pid(s, "init");
    while (!strstr(scenario_heard(s, "ear"), "stopped by SIGSTOP")) {
    }
    scenario_open_gate(s, "gate");
    scenario_end(s, 0);
    scenario_check(s, procs_parent(init) == getpid());
    assert_int_equal(kill(init, SIGCONT), 0);
    procs_wait_end(s, init);
    assert_int_equal(waitpid(init, &status, 0), init);
    scenario_check(s, WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM);
}

static void with_nothing_to_do_it_asks_the_kernel_for_nothing(void **state)
{
    struct scenario *s = own_start(*state);
    own_hear(s, "up");
    own_wait_idle(s);
    idle_watch(s, IDLE_MS);
    scenario_open_gate(s, "gate");
    own_end_quietly(s, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(without_proc_the_command_is_run),
        SCENARIO(without_proc_orphans_are_reaped),
        SCENARIO(pid_1_without_proc_ends_all),
        SCENARIO(nothing_needs_to_be_written),
        SCENARIO(a_small_stack_is_enough),
        SCENARIO(few_descriptors_are_enough),
        SCENARIO(without_tags_a_variable_marks_descendants),
        SCENARIO(without_tags_a_daemon_is_found_by_the_variable),
        SCENARIO(with_p_an_end_before_we_could_ask_is_found),
        OWN_ROW(with_nothing_to_do_it_asks_the_kernel_for_nothing, PLAIN " -- @ACTOR@ say ear up await gate exit 5"),
        OWN_ROW(with_nothing_to_do_it_asks_the_kernel_for_nothing,
                INIT_NAMES_PLAIN "/tini -- @ACTOR@ say ear up await gate exit 5"),
    };
    return SCENARIO_RUN("init_own_worlds", tests);
}
