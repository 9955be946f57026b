/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * W: the house that zombies fill. A program that must not be restarted forks a thousand children and never waits: no
 * init can do anything about them; fosterd makes it wait, and there is room again. The same with few rights.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/house.h"
#include "scenario/support/procs.h"
#include "scenario/support/worlds.h"
#include "scenario/support/zombies.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUSE_MAX = 1003 };

/** Whether a shell that enters the house can start a program there. */
static bool a_shell_can_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        house_enter(NULL);
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, STDERR_FILENO);
        (void)execl("/bin/sh", "sh", "-c", "/bin/true; exit 0", (char *)NULL);
        _exit(99);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static void w01_tini_looks_on(void **state)
{
    (void)state;
    static const char *const args[] = {"-s", "--", FIXTURE, "zombies", "1000", "print", "up", "wait", NULL};
    if (access("/usr/bin/tini", X_OK)) {
        scenario_skip("tini is not installed");
    }
    struct scenario_options o = {
        .fosterd = "/usr/bin/tini", .args = args, .no_config = true, .leaves_children = true, .plain_log = true};
    struct scenario *s = scenario_new();
    scenario_spawn(s, &o, "");
    (void)scenario_wait_line(s, NULL, "up");
    scenario_check(s, zombies_of(procs_child_named(scenario_pid(s), "zombies")) == 1000);
    scenario_signal(s, SIGTERM);
    (void)scenario_wait_exit(s);
}

/* fosterd, the logger, the program and its thousand zombies: then it is full. */
static void w02_a_full_house_has_room_again(void **state)
{
    (void)state;
    house_make(HOUSE_MAX);
    struct scenario_options o = {.prepare = house_enter};
    struct scenario *s =
        scenario_start_with(&o, "supervisor: { exit_when: never, zombies: { action: off } }\n"
                                "services:\n"
                                "  app: { command: '@ACTOR@ zombies 1000 print up exec sleep 3600' }\n"
                                "  late: { command: '@ACTOR@ wait', restart: 'no', autostart: false }\n");
    pid_t app = scenario_wait(s, "started", "app")->pid;
    (void)scenario_wait_line(s, "app", "up");
    scenario_check(s, !a_shell_can_fork());

    (void)fosterctl_run(s, "start", "--no-wait", "late");
    const struct scenario_event *full = scenario_wait(s, "pids-full", NULL);
    scenario_check(s, strstr(full->msg, "cannot start late: fork: Resource temporarily unavailable"));
    scenario_check(s, strstr(full->msg, "app 1001 (1000 zombies)"));
    scenario_check(s, strstr(full->msg, "of pids.max 1003 in use"));
    (void)scenario_wait_state(s, "late", "backoff");
    fosterctl_says(s, "late: stopped*\n", "stop", "late");
    (void)fosterctl_run(s, "start", "--no-wait", "late");
    (void)scenario_wait_state(s, "late", "backoff");

    scenario_check(s, zombies_reap(s, "app") == 1000);
    (void)scenario_wait(s, "ready", "late");
    (void)scenario_wait_text(s, "pids-full", NULL, "can be started again");
    scenario_check(s, a_shell_can_fork());
    scenario_check(s, zombies_of(app) == 0 && procs_is_alive(app) && scenario_count(s, "started", "app") == 1);
    scenario_check(s, scenario_count(s, "failed", NULL) == 0 && scenario_count(s, "pids-full", NULL) == 2);
    scenario_stop(s);
}

#define FEW                                                                                                            \
    "supervisor: { exit_when: never, zombies: { action: off } }\n"                                                     \
    "services:\n"                                                                                                      \
    "  app: { command: '%s zombies 20 print up exec sleep 3600' }\n"

/** Starts fosterd on a program with twenty zombies, ACTOR; its process as fosterd sees it is in *RET. */
static struct scenario *start_few(struct scenario *s, const struct scenario_options *o, const char *actor)
{
    char yaml[512];
    (void)snprintf(yaml, sizeof(yaml), FEW, actor);
    scenario_spawn(s, o, yaml);
    (void)scenario_wait_line(s, "app", "up");
    return s;
}

/** Has them reaped, which must leave the program alone. */
static void reap_few(struct scenario *s)
{
    scenario_check(s, zombies_reap(s, "app") == 20);
    pid_t app = procs_child_named(scenario_pid(s), "sleep");
    scenario_check(s, app > 0 && zombies_of(app) == 0);
    scenario_check(s, scenario_count(s, "exited", "app") == 0);
    scenario_stop(s);
}

static uid_t nobodys_uid;

static void w03_an_ordinary_user_can_do_it(void **state)
{
    (void)state;
    if (getuid()) {
        scenario_skip("changing the user needs root; as an ordinary user v_zombies shows the same");
    }
    nobodys_uid = 100000 + (uid_t)getpid();
    struct scenario *s = scenario_new();
    struct scenario_options o = {.prepare = world_user, .data = &nobodys_uid};
    o.fosterd = scenario_copy(s, FOSTERD, "fosterd");
    assert_int_equal(chown(scenario_path(s, "run"), nobodys_uid, nobodys_uid), 0);
    reap_few(start_few(s, &o, scenario_copy(s, FIXTURE, "actor")));
}

static void w04_so_can_process_1_of_a_namespace(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = world_own_proc, .clone_flags = world_pid_namespace()};
    if (!o.clone_flags) {
        scenario_skip("no pid namespace can be made here");
    }
    reap_few(start_few(scenario_new(), &o, "@ACTOR@"));
}

/** From here on ptrace(2) is answered with EPERM. */
static void no_ptrace(void *data)
{
    (void)data;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        _exit(113);
    }
}

/* The search for leaks at the end of a fosterd with sanitizers needs ptrace(2) itself. */
static void w05_where_tracing_is_refused_that_is_said(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = no_ptrace, .fosterd = FOSTERD_PLAIN};
    struct scenario *s = start_few(scenario_new(), &o, "@ACTOR@");
    fosterctl_check(s, fosterctl_run(s, "zombies", "--reap"), 1,
                    "* of app still holds 20: the kernel does not let us trace it: Operation not permitted\n", "");
    fosterctl_says(s,
                   "20 zombies held by * of app*\n"
                   " it *\n"
                   " cure: fosterctl restart app (--reap is not possible here: Operation not permitted)\n",
                   "zombies");
    scenario_check(s,
                   zombies_of(scenario_wait(s, "started", "app")->pid) == 20 && scenario_count(s, "exited", NULL) == 0);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(w01_tini_looks_on),
        HOUSE_SCENARIO(w02_a_full_house_has_room_again),
        SCENARIO(w03_an_ordinary_user_can_do_it),
        SCENARIO(w04_so_can_process_1_of_a_namespace),
        SCENARIO(w05_where_tracing_is_refused_that_is_said),
    };
    return SCENARIO_RUN("w_house", tests);
}
