/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode beyond the life of the process that it started: --wait-all, --follow; and before its end:
 * --pre-stop-delay.
 */
#include "init/own_support/own.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 600, SIGNAL_BEHIND_TERM = 40 };

/** An init whose command has ended with 6; LEFT, started as WAY says, has said "left" and lives on. */
static struct scenario *with_left_over(const char *init, const char *way, const char *left)
{
    char line[WORDS_MAX];
    (void)snprintf(line, sizeof(line), "%s -- @ACTOR@ say ear main:%%p %s %s say ear left wait ] await gate exit 6",
                   init, way, left);
    struct scenario *s = own_start(line);
    pid_t pid = own_hear_pid(s, "main");
    own_hear(s, "left");
    scenario_open_gate(s, "gate");
    own_wait_gone(s, pid);
    return s;
}

static void wait_all_waits_for_the_last_one(void **state)
{
    struct scenario *s = with_left_over("fosterd --wait-all", *state, "on USR1 [ say ear usr1 ] on USR2 [ exit 9 ]");
    /* That it is still there, and waits for nothing else, is shown by what it does. */
    scenario_signal(s, SIGUSR1);
    own_hear(s, "usr1");
    scenario_signal(s, SIGUSR2);
    own_end(s, 6);
}

static void wait_all_waits_for_what_a_left_over_leaves(void **state)
{
    (void)state;
    struct scenario *s = with_left_over("fosterd --wait-all", "fork 1 [ setsid",
                                        "on USR1 [ orphans 1 [ setsid on USR2 [ exit 1 ] say ear heir wait ] exit 2 ]");
    scenario_signal(s, SIGUSR1);
    own_hear(s, "heir");
    own_wait_idle(s);
    scenario_signal(s, SIGUSR2);
    own_end(s, 6);
}

static void with_wait_all_a_term_ends_who_is_left(void **state)
{
    (void)state;
    struct scenario *s =
        with_left_over("fosterd --wait-all --grace 500ms", "fork 1 [ setsid", "on TERM [ say ear told ]");
    scenario_signal(s, SIGTERM);
    own_hear(s, "told");
    own_end(s, 6);
}

static void with_wait_all_a_peer_passes_everything_on(void **state)
{
    char init[64];
    (void)snprintf(init, sizeof(init), "FOSTER_INIT_WAIT_ALL=1 %s", (const char *)*state);
    struct scenario *s = with_left_over(init, "orphans 1 [ setsid", "on TERM [ say ear told ] on USR1 [ exit 0 ]");
    for (int i = 0; i < 3; i++) {
        scenario_signal(s, SIGTERM);
        own_hear(s, "told");
    }
    scenario_signal(s, SIGUSR1);
    own_end(s, 6);
}

static void with_wait_all_and_a_command_alive_a_term_ends_all(void **state)
{
    (void)state;
    struct scenario *s =
        own_start("fosterd --wait-all --grace 1h -- @ACTOR@ fork 1 [ setsid on TERM [ say ear left exit "
                  "0 ] say ear up wait ] on TERM [ say ear main exit 3 ] say ear up wait");
    own_hear(s, "up");
    own_hear(s, "up");
    scenario_signal(s, SIGTERM);
    own_hear(s, "main");
    own_hear(s, "left");
    own_end(s, 3);
}

/** An init with --follow whose command hands over to HEIR as HAND_OVER says. */
static struct scenario *followed(const char *hand_over, const char *heir)
{
    char line[WORDS_MAX];
    bool forks = strchr(hand_over, '[') != NULL;
    (void)snprintf(line, sizeof(line), "fosterd --follow -- @ACTOR@ %s %s say @DIR@/ear heir:%%p wait%s", hand_over,
                   heir, forks ? " ] await gate exit 0" : "");
    struct scenario *s = own_start(line);
    pid_t pid = own_hear_pid(s, "heir");
    scenario_open_gate(s, "gate");
    own_wait_heir(s, pid);
    return s;
}

static void the_heir_gets_the_signals_and_gives_the_code(void **state)
{
    struct scenario *s = followed(*state, "on USR1 [ say @DIR@/ear usr1 ] on USR2 [ exit 8 ]");
    scenario_signal(s, SIGUSR1);
    own_hear(s, "usr1");
    scenario_signal(s, SIGUSR2);
    own_end(s, 8);
}

static void the_heir_is_stopped_as_a_command_is(void **state)
{
    struct scenario *s = followed(*state, "");
    scenario_signal(s, SIGTERM);
    own_end(s, 128 + SIGTERM);
}

static void an_heir_may_hand_over_again(void **state)
{
    (void)state;
    struct scenario *s = followed("daemonize", "on USR1 [ daemonize on USR2 [ exit 8 ] say @DIR@/ear next:%p wait ]");
    scenario_signal(s, SIGUSR1);
    own_wait_heir(s, own_hear_pid(s, "next"));
    scenario_signal(s, SIGUSR2);
    own_end(s, 8);
}

static void a_peer_follows_when_the_variable_says_so(void **state)
{
    (void)state;
    struct scenario *s = own_start("FOSTER_INIT_FOLLOW=yes tini -- @ACTOR@ daemonize on USR1 [ exit 8 ] say @DIR@/ear "
                                   "heir:%p wait");
    own_wait_heir(s, own_hear_pid(s, "heir"));
    scenario_signal(s, SIGUSR1);
    own_end(s, 8);
}

static void a_failure_is_not_followed(void **state)
{
    (void)state;
    struct scenario *s =
        own_start("fosterd --follow -- @ACTOR@ fork 1 [ on TERM [ say ear told exit 0 ] say ear left wait "
                  "] await gate exit 4");
    own_hear(s, "left");
    scenario_open_gate(s, "gate");
    own_hear(s, "told");
    own_end(s, 4);
}

static void nobody_is_followed_unasked(void **state)
{
    (void)state;
    struct scenario *s = own_start("fosterd -- @ACTOR@ fork 1 [ on TERM [ say ear told exit 8 ] say ear left wait ] "
                                   "await gate exit 0");
    own_hear(s, "left");
    scenario_open_gate(s, "gate");
    own_hear(s, "told");
    own_end(s, 0);
}

static void a_dead_heir_is_started_anew(void **state)
{
    (void)state;
    struct scenario *s =
        own_start("fosterd --follow --restart on-failure -- @ACTOR@ daemonize on USR1 [ exit 0 ] once "
                  "@DIR@/ran [ say @DIR@/ear bad:%p await @DIR@/gate exit 3 ] say @DIR@/ear good:%p wait");
    own_wait_heir(s, own_hear_pid(s, "bad"));
    scenario_open_gate(s, "gate");
    own_wait_heir(s, own_hear_pid(s, "good"));
    scenario_signal(s, SIGUSR1);
    own_end(s, 0);
}

#define DELAYED                                                                                                        \
    " -- @ACTOR@ on TERM [ say ear term exit 3 ] on USR1 [ say ear usr1 ] on USR2 [ say ear usr2 exit 4 ] on 40 [ "    \
    "say "                                                                                                             \
    "ear 40 ] say ear up wait"

static struct scenario *delayed(const char *line)
{
    struct scenario *s = own_start(line);
    own_hear(s, "up");
    return s;
}

static void a_term_is_held_back_but_no_other_signal(void **state)
{
    struct scenario *s = delayed(*state);
    scenario_signal(s, SIGTERM);
    own_wait_idle(s);
    scenario_signal(s, SIGUSR1);
    own_hear(s, "usr1");
    /* The second one passes at once. */
    scenario_signal(s, SIGTERM);
    own_hear(s, "term");
    own_end(s, 3);
}

static void a_term_that_was_held_back_comes_by_itself(void **state)
{
    (void)state;
    struct scenario *s = delayed("fosterd --pre-stop-delay 50ms" DELAYED);
    own_hold(s);
    scenario_signal(s, SIGTERM);
    scenario_signal(s, SIGNAL_BEHIND_TERM);
    own_release(s);
    own_hear(s, "40");
    own_hear(s, "term");
    own_end(s, 3);
}

static void an_end_during_the_delay_is_the_end(void **state)
{
    (void)state;
    struct scenario *s = delayed("fosterd --pre-stop-delay 1h" DELAYED);
    scenario_signal(s, SIGTERM);
    own_wait_idle(s);
    scenario_signal(s, SIGUSR2);
    own_hear(s, "usr2");
    own_end(s, 4);
}

static void the_grace_period_begins_behind_the_delay(void **state)
{
    (void)state;
    struct scenario *s =
        own_start("fosterd --pre-stop-delay 50ms --grace 500ms -- @ACTOR@ on TERM [ say ear told ] say ear "
                  "up wait");
    own_hear(s, "up");
    scenario_signal(s, SIGTERM);
    own_hear(s, "told");
    own_end(s, 128 + SIGKILL);
}

static void a_delayed_term_is_for_good(void **state)
{
    (void)state;
    struct scenario *s = delayed("fosterd --pre-stop-delay 50ms --restart always" DELAYED);
    scenario_signal(s, SIGTERM);
    own_hear(s, "term");
    own_end(s, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OWN_ROW(wait_all_waits_for_the_last_one, "fork 1 ["),
        OWN_ROW(wait_all_waits_for_the_last_one, "fork 1 [ setsid"),
        OWN_ROW(wait_all_waits_for_the_last_one, "orphans 1 [ setsid"),
        SCENARIO(wait_all_waits_for_what_a_left_over_leaves),
        SCENARIO(with_wait_all_a_term_ends_who_is_left),
        OWN_ROW(with_wait_all_a_peer_passes_everything_on, "tini"),
        OWN_ROW(with_wait_all_a_peer_passes_everything_on, "dumb-init"),
        OWN_ROW(with_wait_all_a_peer_passes_everything_on, "catatonit"),
        SCENARIO(with_wait_all_and_a_command_alive_a_term_ends_all),
        OWN_ROW(the_heir_gets_the_signals_and_gives_the_code, "daemonize"),
        OWN_ROW(the_heir_gets_the_signals_and_gives_the_code, "daemonize-once"),
        OWN_ROW(the_heir_gets_the_signals_and_gives_the_code, "fork 1 ["),
        OWN_ROW(the_heir_is_stopped_as_a_command_is, "daemonize"),
        OWN_ROW(the_heir_is_stopped_as_a_command_is, "fork 1 ["),
        SCENARIO(an_heir_may_hand_over_again),
        SCENARIO(a_peer_follows_when_the_variable_says_so),
        SCENARIO(a_failure_is_not_followed),
        SCENARIO(nobody_is_followed_unasked),
        SCENARIO(a_dead_heir_is_started_anew),
        OWN_ROW(a_term_is_held_back_but_no_other_signal, "fosterd --pre-stop-delay 1h" DELAYED),
        OWN_ROW(a_term_is_held_back_but_no_other_signal, "FOSTER_INIT_PRE_STOP_DELAY=1h tini" DELAYED),
        OWN_ROW(a_term_is_held_back_but_no_other_signal, "FOSTER_INIT_PRE_STOP_DELAY=1h dumb-init" DELAYED),
        SCENARIO(a_term_that_was_held_back_comes_by_itself),
        SCENARIO(an_end_during_the_delay_is_the_end),
        SCENARIO(the_grace_period_begins_behind_the_delay),
        SCENARIO(a_delayed_term_is_for_good),
    };
    return SCENARIO_RUN("init_own_wait", tests);
}
