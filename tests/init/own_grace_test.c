/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode's grace period: how long the command, and what it leaves behind, may take to end, and what 0 means; as
 * process 1, too.
 */
#include "init/own_support/own.h"

#include <signal.h>
#include <stdio.h>

enum { WORDS_MAX = 512 };

/** An init of LINE: "INIT -- @ACTOR@ WAY LEFT ] await gate exit 5"; the command ends once LEFT has said "left:PID".
 * That process. */
static pid_t leave_behind(struct scenario *s, const struct scenario_options *o, const char *init, const char *way,
                          const char *left)
{
    char line[WORDS_MAX];
    int len =
        snprintf(line, sizeof(line), "%s -- @ACTOR@ %s %s say ear left:%%p wait ] await gate exit 5", init, way, left);
    scenario_check(s, len > 0 && (size_t)len < sizeof(line));
    own_spawn(s, o, line);
    pid_t pid = own_hear_pid(s, "left");
    scenario_open_gate(s, "gate");
    return pid;
}

static void left_overs_are_asked_and_then_killed(void **state)
{
    struct scenario *s = own_new();
    (void)leave_behind(s, NULL, "fosterd --grace 500ms", *state, "on TERM [ say ear told ]");
    own_hear(s, "told");
    own_end(s, 5);
}

static void left_overs_that_obey_are_not_waited_for_longer(void **state)
{
    struct scenario *s = own_new();
    (void)leave_behind(s, NULL, "fosterd --grace 1h", *state, "on TERM [ say ear told exit 0 ]");
    own_hear(s, "told");
    own_end(s, 5);
}

static void a_peer_with_the_variable_kills_left_overs(void **state)
{
    char line[WORDS_MAX];
    struct scenario *s = own_new();
    (void)snprintf(line, sizeof(line), "FOSTER_INIT_GRACE=500ms %s", (const char *)*state);
    (void)leave_behind(s, NULL, line, "orphans 1 [ setsid", "on TERM [ say ear told ]");
    own_hear(s, "told");
    own_end(s, 5);
}

static void left_overs_get_what_comes_meanwhile(void **state)
{
    (void)state;
    struct scenario *s = own_new();
    (void)leave_behind(s, NULL, "fosterd --grace 1h", "fork 1 [ setsid",
                       "on TERM [ say ear told ] on USR1 [ say ear usr1 exit 0 ]");
    own_hear(s, "told");
    scenario_signal(s, SIGUSR1);
    own_hear(s, "usr1");
    own_end(s, 5);
}

static void the_command_is_killed_after_a_term(void **state)
{
    struct scenario *s = own_start(*state);
    own_hear(s, "up");
    scenario_signal(s, SIGTERM);
    own_hear(s, "told");
    own_end(s, 128 + SIGKILL);
}

/* A stop is a matter between the one who asks for it and the command. */
static void every_term_is_passed_on(void **state)
{
    struct scenario *s = own_start(*state);
    own_hear(s, "up");
    for (int i = 0; i < 3; i++) {
        scenario_signal(s, SIGTERM);
        own_hear(s, "told");
    }
    scenario_signal(s, SIGUSR1);
    own_end(s, 7);
}

static void the_command_ends_before_what_it_started_is_asked(void **state)
{
    (void)state;
    struct scenario *s = own_start("fosterd --grace 1h -- @ACTOR@ fork 1 [ setsid on TERM [ say ear left exit 0 ] "
                                   "say ear up wait ] on TERM [ await gate say ear main exit 3 ] say ear up wait");
    own_hear(s, "up");
    own_hear(s, "up");
    scenario_signal(s, SIGTERM);
    own_wait_idle(s);
    own_check_silent(s);
    scenario_open_gate(s, "gate");
    own_hear(s, "main");
    own_hear(s, "left");
    own_end(s, 3);
}

static void with_group_all_are_asked_at_once(void **state)
{
    (void)state;
    static const char *const both[] = {"child", "main"};
    struct scenario *s = own_start("fosterd -g --grace 1h -- @ACTOR@ fork 1 [ on TERM [ say ear child exit 0 ] "
                                   "say ear up wait ] on TERM [ say ear main await gate exit 3 ] say ear up wait");
    own_hear(s, "up");
    own_hear(s, "up");
    scenario_signal(s, SIGTERM);
    own_hear_all(s, both, 2);
    scenario_open_gate(s, "gate");
    own_end(s, 3);
}

static void with_grace_0_left_overs_live_on(void **state)
{
    struct scenario *s = own_new();
    struct scenario_options o = {.leaves_children = true};
    pid_t left = leave_behind(s, &o, "fosterd --grace 0", *state, "on TERM [ say ear told ]");
    own_end(s, 5);
    own_kill(s, left);
}

static void pid_1_ends_left_overs_before_it_goes(void **state)
{
    struct scenario_options o = own_pid_1();
    struct scenario *s = own_new();
    (void)leave_behind(s, &o, "fosterd --grace 1h", *state, "on TERM [ say ear told exit 0 ]");
    own_hear(s, "told");
    own_end(s, 5);
}

static void pid_1_keeps_the_grace_period(void **state)
{
    struct scenario_options o = own_pid_1();
    struct scenario *s = own_new();
    (void)leave_behind(s, &o, "fosterd --grace 500ms", *state, "on TERM [ say ear told ]");
    own_hear(s, "told");
    own_end(s, 5);
}

/* The kernel ends them with us. */
static void pid_1_with_grace_0_waits_for_nobody(void **state)
{
    struct scenario_options o = own_pid_1();
    struct scenario *s = own_new();
    (void)leave_behind(s, &o, "fosterd --grace 0", *state, "on TERM [ say ear told ]");
    own_end(s, 5);
}

static struct scenario *with_stranger(const char *init)
{
    static const char *const orders[] = {"actor", "setsid", "on",  "TERM", "[",        "say",  "ear",
                                         "told",  "]",      "say", "ear",  "stranger", "wait", NULL};
    struct scenario_options o = own_pid_1();
    char line[WORDS_MAX];
    (void)snprintf(line, sizeof(line), "%s -- @ACTOR@ say ear up await gate exit 5", init);
    struct scenario *s = own_start_with(&o, line);
    own_hear(s, "up");
    own_exec_inside(s, orders);
    own_hear(s, "stranger");
    scenario_open_gate(s, "gate");
    return s;
}

static void pid_1_waits_for_strangers_as_long_as_for_its_own(void **state)
{
    struct scenario *s = with_stranger(*state);
    own_hear(s, "told");
    own_end(s, 5);
}

static void pid_1_with_grace_0_waits_for_no_stranger(void **state)
{
    (void)state;
    struct scenario *s = with_stranger("fosterd --grace 0");
    own_end(s, 5);
}

#define EACH_WAY(test)                                                                                                 \
    OWN_ROW(test, "fork 1 ["), OWN_ROW(test, "fork 1 [ setpgid"), OWN_ROW(test, "fork 1 [ setsid"),                    \
        OWN_ROW(test, "orphans 1 [ setsid")
#define STUBBORN " -- @ACTOR@ on TERM [ say ear told ] on USR1 [ exit 7 ] say ear up wait"

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_WAY(left_overs_are_asked_and_then_killed),
        EACH_WAY(left_overs_that_obey_are_not_waited_for_longer),
        OWN_ROW(a_peer_with_the_variable_kills_left_overs, "tini"),
        OWN_ROW(a_peer_with_the_variable_kills_left_overs, "dumb-init"),
        OWN_ROW(a_peer_with_the_variable_kills_left_overs, "catatonit"),
        SCENARIO(left_overs_get_what_comes_meanwhile),
        OWN_ROW(the_command_is_killed_after_a_term, "fosterd --grace 500ms" STUBBORN),
        OWN_ROW(the_command_is_killed_after_a_term, "FOSTER_INIT_GRACE=500ms tini" STUBBORN),
        OWN_ROW(the_command_is_killed_after_a_term, "FOSTER_INIT_GRACE=500ms dumb-init" STUBBORN),
        OWN_ROW(the_command_is_killed_after_a_term, "FOSTER_INIT_GRACE=500ms catatonit" STUBBORN),
        OWN_ROW(every_term_is_passed_on, "fosterd --grace 0" STUBBORN),
        OWN_ROW(every_term_is_passed_on, "fosterd --grace 1h" STUBBORN),
        OWN_ROW(every_term_is_passed_on, "tini" STUBBORN),
        OWN_ROW(every_term_is_passed_on, "dumb-init" STUBBORN),
        OWN_ROW(every_term_is_passed_on, "catatonit" STUBBORN),
        SCENARIO(the_command_ends_before_what_it_started_is_asked),
        SCENARIO(with_group_all_are_asked_at_once),
        EACH_WAY(with_grace_0_left_overs_live_on),
        EACH_WAY(pid_1_ends_left_overs_before_it_goes),
        OWN_ROW(pid_1_keeps_the_grace_period, "fork 1 ["),
        OWN_ROW(pid_1_keeps_the_grace_period, "orphans 1 [ setsid"),
        OWN_ROW(pid_1_with_grace_0_waits_for_nobody, "fork 1 ["),
        OWN_ROW(pid_1_with_grace_0_waits_for_nobody, "orphans 1 [ setsid"),
        OWN_ROW(pid_1_waits_for_strangers_as_long_as_for_its_own, "fosterd --grace 500ms"),
        OWN_ROW(pid_1_waits_for_strangers_as_long_as_for_its_own, "FOSTER_INIT_GRACE=500ms tini"),
        SCENARIO(pid_1_with_grace_0_waits_for_no_stranger),
    };
    return SCENARIO_RUN("init_own_grace", tests);
}
