/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A: orphans. Whatever double-forks, leaves its session or comes with the furniture is adopted, attributed, counted and
 * reaped, and never mistaken for its service.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

static size_t count_zombies(struct scenario *s)
{
    static struct procs children;
    size_t n = 0;
    procs_children(scenario_pid(s), &children);
    for (size_t i = 0; i < children.n; i++) {
        n += procs_state(children.pids[i]) == 'Z';
    }
    return n;
}

/** The process id that a fixture printed. */
static pid_t printed_pid(const char *text)
{
    return (pid_t)strtol(text, NULL, 10);
}

static void a01_a_thousand_orphans_are_reaped_and_counted(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  storm:\n"
                                        "    type: simple\n"
                                        "    command: '@ACTOR@ litter 1000 print done wait'\n");
    (void)scenario_wait_line(s, "storm", "done");
    scenario_check(s, scenario_sync(s) == 1000);
    scenario_check(s, count_zombies(s) == 0);
    scenario_wait_count(s, "orphan-reaped", "storm", 1000);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_stop(s);
}

static void a02_a_double_fork_through_env_i_keeps_its_service(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(
        "services:\n"
        "  other: { command: '@ACTOR@ wait' }\n"
        "  web:\n"
        "    type: simple\n"
        "    command: '@ACTOR@ orphans 1 [ setsid exec env -i @ACTOR@ env FOSTER_RUN print %p wait ] wait'\n");
    (void)scenario_wait_line(s, "web", "FOSTER_RUN unset");
    pid_t pid = printed_pid(scenario_wait_line(s, "web", ""));
    scenario_check(s, procs_parent(pid) == scenario_pid(s));
    scenario_check(s, procs_session(pid) == pid);
    (void)scenario_sync(s);
    (void)scenario_wait_pid(s, "adopted", "web", pid);
    scenario_stop(s);
    scenario_check(s, !procs_is_alive(pid));
}

static void a03_an_orphan_that_exits_2_is_not_its_service(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  web:\n"
        "    type: simple\n"
        "    command: '@ACTOR@ orphans 1 [ setsid print orphan,%p await @DIR@/gate exit 2 ] print main wait'\n"
        "    essential: true\n");
    pid_t orphan = printed_pid(scenario_wait_line(s, "web", "orphan,"));
    (void)scenario_wait_line(s, "web", "main");
    scenario_open_gate(s, "gate");
    const struct scenario_event *e = scenario_wait_pid(s, "orphan-reaped", "web", orphan);
    scenario_check(s, e->exit_code == 2);
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_check(s, scenario_count(s, "shutdown", NULL) == 0);
    scenario_stop(s);
}

static void a04_children_from_before_the_exec_are_unclaimed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    const char *gate = scenario_path(s, "gate");
    const char *prefix[] = {FIXTURE, "fork", "1", "[", "await", gate, "exit", "5", "]", "zombies", "3", "exec", NULL};
    struct scenario_options o = {.prefix = prefix, .leaves_children = true};
    scenario_spawn(s, &o, "services:\n  web: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "ready", "web");
    scenario_check(s, scenario_sync(s) == 3);
    scenario_check(s, count_zombies(s) == 0);
    pid_t stranger = scenario_wait_text(s, "unclaimed", NULL, "no service of ours")->pid;
    scenario_check(s, procs_is_alive(stranger));
    scenario_open_gate(s, "gate");
    procs_wait_end(s, stranger);
    scenario_check(s, scenario_sync(s) == 4);
    scenario_check(s, count_zombies(s) == 0);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_stop(s);
}

/** A service whose first main process leaves an orphan and fails; its second one stays. */
static struct scenario *start_leaving(const char *orphans, pid_t *ret_orphan)
{
    char yaml[512];
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_gate(s, "gate");
    (void)snprintf(yaml, sizeof(yaml),
                   "services:\n"
                   "  web:\n"
                   "    type: simple\n"
                   "    command: '@ACTOR@ once @DIR@/first [ orphans 1 [ setsid say @DIR@/ear %%p wait ] await "
                   "@DIR@/gate exit 1 ] wait'\n"
                   "    restart: { policy: on-failure, delay: 10ms }\n"
                   "    orphans: %s\n",
                   orphans);
    struct scenario_options o = {.leaves_children = true};
    scenario_spawn(s, &o, yaml);
    *ret_orphan = printed_pid(scenario_heard(s, "ear"));
    scenario_open_gate(s, "gate");
    (void)scenario_wait(s, "started", "web");
    return s;
}

static void a05_left_overs_are_killed_before_the_next_run(void **state)
{
    (void)state;
    pid_t orphan;
    struct scenario *s = start_leaving("kill", &orphan);
    size_t reaped = scenario_wait_pid(s, "orphan-reaped", "web", orphan)->seq;
    scenario_check(s, reaped < scenario_wait(s, "started", "web")->seq);
    scenario_check(s, !procs_is_alive(orphan));
    scenario_stop(s);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a05_adopted_left_overs_live_until_the_service_stops(void **state)
{
    (void)state;
    pid_t orphan;
    struct scenario *s = start_leaving("adopt", &orphan);
    (void)scenario_wait(s, "started", "web");
    scenario_check(s, procs_is_alive(orphan));
    scenario_check(s, procs_parent(orphan) == scenario_pid(s));
    scenario_stop(s);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a05_ignored_left_overs_live_on(void **state)
{
    (void)state;
    pid_t orphan;
    struct scenario *s = start_leaving("ignore", &orphan);
    (void)scenario_wait(s, "started", "web");
    scenario_check(s, procs_is_alive(orphan));
    scenario_stop(s);
    scenario_check(s, procs_is_alive(orphan));
    assert_int_equal(procs_parent(orphan), getpid());
}

static void a06_a_chain_of_forks_is_no_event_of_the_service(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  chain:\n"
                                        "    type: simple\n"
                                        "    command: '@ACTOR@ chain 1000 [ print end ] wait'\n");
    (void)scenario_wait_line(s, "chain", "end");
    /* The first link is reaped by us too: its parent never waits, but lives; it stays a zombie of that parent. */
    scenario_wait_count(s, "orphan-reaped", "chain", 999);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_check(s, count_zombies(s) == 0);
    scenario_stop(s);
}

static void a07_four_thousand_exits_at_once(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  bystander: { command: '@ACTOR@ wait' }\n"
                   "  crowd:\n"
                   "    type: simple\n"
                   "    command: '@ACTOR@ fork 1 [ crowd 4000 @DIR@/gate 3 ] reap print ready wait'\n");
    (void)scenario_wait_line(s, "crowd", "ready");
    scenario_check(s, scenario_sync(s) == 0);
    scenario_open_gate(s, "gate");
    scenario_wait_count(s, "orphan-reaped", "crowd", 4000);
    scenario_check(s, scenario_sync(s) == 4000);
    scenario_check(s, count_zombies(s) == 0);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_stop(s);
}

static void a08_two_deaths_while_the_daemon_is_stopped(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  one: { command: '@ACTOR@ wait', restart: 'no' }\n"
                                        "  two: { command: '@ACTOR@ wait', restart: 'no' }\n"
                                        "supervisor: { exit_when: never }\n");
    pid_t one = scenario_wait(s, "started", "one")->pid;
    pid_t two = scenario_wait(s, "started", "two")->pid;
    siginfo_t info;
    (void)scenario_wait(s, "settled", NULL);
    scenario_signal(s, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)scenario_pid(s), &info, WSTOPPED), 0);
    assert_int_equal(kill(one, SIGKILL), 0);
    assert_int_equal(kill(two, SIGKILL), 0);
    procs_wait_end(s, one);
    procs_wait_end(s, two);
    scenario_signal(s, SIGCONT);
    assert_string_equal(scenario_wait_pid(s, "exited", "one", one)->signal, "SIGKILL");
    assert_string_equal(scenario_wait_pid(s, "exited", "two", two)->signal, "SIGKILL");
    scenario_stop(s);
}

static void a09_a_stopped_service_has_not_exited(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n  web: { command: '@ACTOR@ kill STOP print on wait' }\n");
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    while (procs_state(pid) != 'T') {
        (void)scenario_sync(s);
    }
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    (void)scenario_wait_line(s, "web", "on");
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_stop(s);
}

static void a10_a_forged_sigchld_means_nothing(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n  web: { command: '@ACTOR@ wait' }\n");
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sigqueue(scenario_pid(s), SIGCHLD, (union sigval){.sival_int = (int)pid}), 0);
    }
    scenario_check(s, scenario_sync(s) == 0);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_stop(s);
}

static void a11_a_leader_whose_thread_lives_on_is_alive(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ leader-exit [ print thread await @DIR@/gate exit 4 ]'\n"
                   "    restart: 'no'\n"
                   "supervisor: { exit_when: never }\n");
    pid_t pid = scenario_wait(s, "started", "web")->pid;
    (void)scenario_wait_line(s, "web", "thread");
    while (procs_state(pid) != 'Z') {
        (void)scenario_sync(s);
    }
    scenario_check(s, scenario_sync(s) == 0);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_open_gate(s, "gate");
    scenario_check(s, scenario_wait(s, "exited", "web")->exit_code == 4);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a01_a_thousand_orphans_are_reaped_and_counted),
        SCENARIO(a02_a_double_fork_through_env_i_keeps_its_service),
        SCENARIO(a03_an_orphan_that_exits_2_is_not_its_service),
        SCENARIO(a04_children_from_before_the_exec_are_unclaimed),
        SCENARIO(a05_left_overs_are_killed_before_the_next_run),
        SCENARIO(a05_adopted_left_overs_live_until_the_service_stops),
        SCENARIO(a05_ignored_left_overs_live_on),
        SCENARIO(a06_a_chain_of_forks_is_no_event_of_the_service),
        SCENARIO(a07_four_thousand_exits_at_once),
        SCENARIO(a08_two_deaths_while_the_daemon_is_stopped),
        SCENARIO(a09_a_stopped_service_has_not_exited),
        SCENARIO(a10_a_forged_sigchld_means_nothing),
        SCENARIO(a11_a_leader_whose_thread_lives_on_is_alive),
    };
    return SCENARIO_RUN("a_adopt", tests);
}
