/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * V: zombies of negligent parents. What the policies do to real ones, and what `fosterctl zombies` says and does.
 *
 * No zombie is taken from its parent before it is five seconds old, so all that waits for that shares one fosterd.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"
#include "scenario/support/schema.h"
#include "scenario/support/zombies.h"

#include <sched.h>
#include <string.h>

/* Each policy has its service, and acts when all zombies of it are there; those with `off` are for the verb. A program
 * that was replaced by sleep(1) has the zombies of the one before. */
#define HOUSE                                                                                                          \
    "supervisor: { exit_when: never, zombies: { check: 1s, limit: 120, action: off } }\n"                              \
    "services:\n"                                                                                                      \
    "  warned: { command: '@ACTOR@ zombies 120 print up wait', zombies: { action: warn } }\n"                          \
    "  nudged: { command: '@ACTOR@ zombies 120 on CHLD [ reap print reaped ] print up wait',\n"                        \
    "    zombies: { action: nudge } }\n"                                                                               \
    "  again: { command: '@ACTOR@ once @DIR@/first [ zombies 120 wait ] print clean wait',\n"                          \
    "    zombies: { action: restart } }\n"                                                                             \
    "  cured: { command: '@ACTOR@ zombies 120 print up exec sleep 3600', zombies: { action: reap } }\n"                \
    "  few: { command: '@ACTOR@ zombies 119 print up wait', zombies: { action: warn } }\n"                             \
    "  sleepy: { command: '@ACTOR@ zombies 60 print up exec sleep 3600' }\n"                                           \
    "  catches: { command: '@ACTOR@ zombies 5 on CHLD [ reap ] print up wait' }\n"                                     \
    "  stopped: { command: '@ACTOR@ zombies 3 print up kill STOP wait' }\n"                                            \
    "  half: { command: '@ACTOR@ fork 1 [ leader-exit [ print up,%p wait ] ] wait' }\n"

static pid_t wait_up(struct scenario *s, const char *service)
{
    (void)scenario_wait_line(s, service, "up");
    return scenario_wait(s, "started", service)->pid;
}

static void wait_state(struct scenario *s, pid_t pid, char state)
{
    while (procs_state(pid) != state) {
        (void)scenario_time_left(s);
        (void)sched_yield();
    }
}

/** Waits until PID is sleep(1), and asleep. */
static void wait_asleep(struct scenario *s, pid_t pid)
{
    char command[64];
    while (strstr(procs_command(pid, command, sizeof(command)), "sleep 3600") != command) {
        (void)scenario_time_left(s);
        (void)sched_yield();
    }
    wait_state(s, pid, 'S');
}

static json_t *ask(struct scenario *s, const char *definition, int code, const char *const *words)
{
    struct command got = fosterctl_words(s, words);
    fosterctl_check(s, got, code, NULL, "");
    json_t *value = schema_read(s, got.out);
    schema_check(s, definition, value);
    return value;
}

/** Whether fosterd can make a parent wait here. */
static bool can_reap(struct scenario *s)
{
    struct command got = fosterctl_run(s, "zombies", "sleepy");
    return strstr(got.out, "not possible here") == NULL;
}

static void check_texts(struct scenario *s)
{
    fosterctl_says(s,
                   "60 zombies held by * (sleep) of sleepy, *\n"
                   " it is blocked in clock_nanosleep and does not wait for its children (SIGCHLD: default)\n"
                   " cure: fosterctl restart sleepy, or fosterctl zombies --reap sleepy\n",
                   "zombies", "sleepy");
    fosterctl_says(s,
                   "3 zombies held by * (actor) of stopped, *\n"
                   " a signal has stopped it, so it cannot wait for its children\n"
                   " cure: kill -CONT *, or fosterctl restart stopped (--reap is not possible here: *)\n"
                   "* (actor) of half, half a zombie, *\n"
                   " its first thread has ended; 1 other lives on, so nobody can wait for it yet\n"
                   " cure: none is needed if its threads end; fosterctl restart half ends them\n",
                   "zombies", "stopped", "half");
    fosterctl_check(s, fosterctl_run(s, "zombies", "nobody"), 4, "", "fosterctl: no such service: nobody; *\n");
    fosterctl_check(s, fosterctl_run(s, "zombies", "--reap", "--nudge"), 2, "", "fosterctl: *exclude*\n");
}

static void check_objects(struct scenario *s, pid_t pid, pid_t half)
{
    json_t *all = ask(s, "zombies", 0, (const char *const[]){"--json", "zombies", "sleepy", "half", NULL}), *one;
    size_t i, n_leaders = 0;
    scenario_check(s, json_integer_value(json_object_get(all, "count")) == 61);
    json_t *parents = json_object_get(all, "parents"), *parent = json_array_get(parents, 0);
    scenario_check(s, json_array_size(parents) == 1);
    scenario_check(s, json_integer_value(json_object_get(parent, "pid")) == pid);
    scenario_check(s, !strcmp(json_string_value(json_object_get(parent, "call")), "clock_nanosleep"));
    json_array_foreach(json_object_get(all, "zombies"), i, one)
    {
        bool leader = !strcmp(json_string_value(json_object_get(one, "kind")), "leader");
        n_leaders += leader;
        scenario_check(s, !leader || json_integer_value(json_object_get(one, "pid")) == half);
        scenario_check(s, json_integer_value(json_object_get(one, "threads")) == (leader ? 1 : 0));
    }
    scenario_check(s, n_leaders == 1);
}

static void check_nudge(struct scenario *s, pid_t catches)
{
    json_t *said = ask(s, "cure", 0, (const char *const[]){"--json", "zombies", "--nudge", "catches", NULL});
    scenario_check(s, json_integer_value(json_object_get(said, "cured")) == 5);
    scenario_check(s, zombies_of(catches) == 0);
    fosterctl_check(s, fosterctl_run(s, "zombies", "--nudge", "sleepy"), 1,
                    "* (sleep) of sleepy still holds 60: it does not wait for them on SIGCHLD\n", "");
    fosterctl_says(s, "no zombies\n", "zombies", "--nudge", "catches");
}

static void v01_each_policy_and_the_verb(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(HOUSE);
    pid_t warned = wait_up(s, "warned"), nudged = wait_up(s, "nudged"), cured = wait_up(s, "cured");
    pid_t sleepy = wait_up(s, "sleepy"), catches = wait_up(s, "catches"),
          again = scenario_wait(s, "started", "again")->pid;
    (void)wait_up(s, "few");
    wait_state(s, wait_up(s, "stopped"), 'T');
    pid_t half = (pid_t)strtol(scenario_wait_line(s, "half", "up,"), NULL, 10);
    wait_asleep(s, sleepy);
    bool reaps = can_reap(s);
    struct fosterctl *cure = fosterctl_start(s, "zombies", "--reap", "sleepy", "stopped", "half");

    check_texts(s);
    check_objects(s, sleepy, half);
    check_nudge(s, catches);

    scenario_check(s, scenario_wait_text(s, "zombies", "warned", "120 zombies held by")->pid == warned);
    (void)scenario_wait_line(s, "nudged", "reaped");
    scenario_check(s, zombies_of(nudged) == 0);
    (void)scenario_wait_text(s, "zombies", "again", "restarting");
    scenario_check(s, scenario_wait(s, "started", "again")->pid != again);
    (void)scenario_wait_line(s, "again", "clean");
    if (!reaps) {
        (void)scenario_wait_text(s, "zombies", "cured", "cannot be reaped");
        (void)fosterctl_end(cure);
        scenario_stop(s);
        scenario_skip("no process may be traced here");
    }
    struct command got = fosterctl_end(cure);
    if (zombies_say_busy(got.out)) {
        scenario_check(s, strstr(got.out, " (actor) of stopped still holds 3: a signal has stopped it\n"));
        (void)zombies_reap(s, "sleepy");
    } else {
        fosterctl_check(s, got, 1,
                        "* (sleep) of sleepy has waited for 60 zombies\n"
                        "* (actor) of stopped still holds 3: a signal has stopped it\n",
                        "");
    }
    scenario_check(s, zombies_of(sleepy) == 0);
    wait_asleep(s, sleepy);
    const struct scenario_event *e = scenario_wait(s, "zombies", "cured");
    if (!strstr(e->msg, "wait for 120 zombies")) {
        e = strstr(e->msg, "tries again") ? e : scenario_wait_text(s, "zombies", "cured", "tries again");
        scenario_check(s, zombies_say_busy(e->msg));
        (void)zombies_reap(s, "cured");
    }
    scenario_check(s, zombies_of(cured) == 0);
    wait_asleep(s, cured);
    scenario_check(s, scenario_count(s, "exited", "cured") == 0 && scenario_count(s, "exited", "sleepy") == 0);
    scenario_check(s, scenario_count(s, "zombies", "warned") == 1 && scenario_count(s, "zombies", "few") == 0);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(v01_each_policy_and_the_verb),
    };
    return SCENARIO_RUN("v_zombies", tests);
}
