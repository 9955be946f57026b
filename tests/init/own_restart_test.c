/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode's --restart: when the command is started again, with what, and when for the last time. And commands that
 * cannot be started at all.
 */
#include "init/own_support/own.h"

#include "init/support/look.h"
#include "scenario/support/worlds.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WORDS_MAX = 512, GIVEN_FD = 7 };

static void on_failure_goes_on_until_success(void **state)
{
    (void)state;
    struct scenario *s =
        own_start("fosterd --restart on-failure -- @ACTOR@ once ran [ say ear bad exit 3 ] say ear good");
    own_hear(s, "bad");
    own_hear(s, "good");
    own_end(s, 0);
}

static void success_ends_on_failure(void **state)
{
    (void)state;
    struct scenario *s = own_start("fosterd --restart on-failure -- @ACTOR@ say ear good");
    own_hear(s, "good");
    own_end(s, 0);
}

static void no_is_no(void **state)
{
    (void)state;
    struct scenario *s = own_start("fosterd --restart no -- @ACTOR@ say ear bad exit 3");
    own_hear(s, "bad");
    own_end(s, 3);
}

/* The last run's code counts, whatever those before it had. */
static void it_gives_up_with_the_last_code(void **state)
{
    (void)state;
    struct scenario *s = own_start("fosterd --restart on-failure:2 -- @ACTOR@ say ear run once a [ exit 3 ] "
                                   "once b [ kill KILL ] exit 5");
    for (int i = 0; i < 3; i++) {
        own_hear(s, "run");
    }
    own_end(s, 5);
}

/* A TERM is for good: what it makes of the command decides nothing but the exit code. */
static void a_term_ends_it(const char *init, const char *on_term, int code)
{
    char line[WORDS_MAX];
    (void)snprintf(line, sizeof(line), "%s -- @ACTOR@ once ran [ say ear first exit 0 ] %s say ear second wait", init,
                   on_term);
    struct scenario *s = own_start(line);
    own_hear(s, "first");
    own_hear(s, "second");
    scenario_signal(s, SIGTERM);
    own_end(s, code);
}

static void a_term_kills_the_last_run(void **state)
{
    a_term_ends_it(*state, "", 128 + SIGTERM);
}

static void a_term_is_an_order_to_end_whatever_the_code(void **state)
{
    a_term_ends_it(*state, "on TERM [ exit 9 ]", 9);
}

static void every_other_signal_leads_to_a_restart(void **state)
{
    (void)state;
    struct scenario *s = own_start("fosterd --restart always -- @ACTOR@ say ear up once ran [ wait ] on INT [ exit 4 ] "
                                   "wait");
    own_hear(s, "up");
    scenario_signal(s, SIGINT);
    own_hear(s, "up");
    scenario_signal(s, SIGTERM);
    own_end(s, 128 + SIGTERM);
}

/* The signal finds nobody: it has come behind the command's end. */
static void between_two_runs(const char *init, int sig)
{
    char line[WORDS_MAX];
    (void)snprintf(line, sizeof(line), "%s -- @ACTOR@ say ear up:%%p await gate exit 6", init);
    struct scenario *s = own_start(line);
    pid_t pid = own_hear_pid(s, "up");
    own_hold(s);
    scenario_open_gate(s, "gate");
    procs_wait_end(s, pid);
    scenario_signal(s, sig);
    own_release(s);
    own_end(s, 6);
}

static void a_term_between_two_runs_ends_it(void **state)
{
    between_two_runs(*state, SIGTERM);
}

static void an_int_between_two_runs_ends_it(void **state)
{
    between_two_runs(*state, SIGINT);
}

static void open_given(void *data)
{
    int fd = open("ear", O_WRONLY);
    (void)data;
    if (fd < 0 || dup2(fd, GIVEN_FD) != GIVEN_FD) {
        _exit(113);
    }
}

static void every_run_has_what_was_inherited(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = open_given};
    struct scenario *s = own_new();
    (void)scenario_write(s, "check", 0644,
                         "test \"$LISTEN_FDS\" = 5 && read line <here && echo \"$line\" >&7\nexit 3\n");
    (void)scenario_write(s, "here", 0644, "here\n");
    own_spawn(s, &o, "LISTEN_FDS=5 fosterd --restart on-failure:1 -- sh check");
    own_hear(s, "here");
    own_hear(s, "here");
    own_end(s, 3);
}

/* Nobody must wait for us who waits for the end of a pipe, or wants to unmount a directory. */
static void without_restarts_what_was_inherited_is_let_go(void **state)
{
    (void)state;
    char target[256];
    struct scenario_options o = {.prepare = open_given};
    struct scenario *s = own_start_with(&o, "fosterd -- @ACTOR@ say ear up:%p await gate");
    pid_t pid = own_hear_pid(s, "up");
    own_wait_idle(s);
    scenario_check(s, look_has_fd(pid, GIVEN_FD) && !look_has_fd(scenario_pid(s), GIVEN_FD));
    scenario_check(s, !strcmp(look_link(scenario_pid(s), "cwd", target, sizeof(target)), "/"));
    scenario_check(s, strcmp(look_link(pid, "cwd", target, sizeof(target)), "/") != 0);
    scenario_open_gate(s, "gate");
    own_end(s, 0);
}

static void each_run_has_its_left_overs_ended(void **state)
{
    (void)state;
    struct scenario *s =
        own_start("fosterd --restart on-failure:1 -- @ACTOR@ orphans 1 [ setsid on TERM [ say ear told "
                  "exit 0 ] say ear left wait ] await gate exit 3");
    own_hear(s, "left");
    scenario_open_gate(s, "gate");
    own_hear(s, "told");
    /* Nothing holds the second run back, so its left-over may be ended before it says a word. */
    scenario_end(s, 3);
}

static void what_cannot_be_executed_is_not_tried_again(const char *line, int code)
{
    struct scenario *s = own_new();
    (void)scenario_write(s, "plain", 0644, "not executable\n");
    (void)scenario_write(s, "vanish", 0755, "#!/bin/sh\nrm vanish\necho ran >ear\nexit 1\n");
    own_spawn(s, NULL, line);
    if (strstr(line, "vanish")) {
        own_hear(s, "ran");
    }
    own_end(s, code);
}

static void a_missing_program_is_given_up(void **state)
{
    what_cannot_be_executed_is_not_tried_again(*state, 127);
}

static void a_file_that_may_not_be_executed_is_given_up(void **state)
{
    what_cannot_be_executed_is_not_tried_again(*state, 126);
}

static void dumb_init_gives_up_with_its_own_code(void **state)
{
    what_cannot_be_executed_is_not_tried_again(*state, 2);
}

static uid_t crowded_uid;

static void crowded_user(void *data)
{
    struct rlimit limit = {1, 1};
    (void)setrlimit(RLIMIT_NPROC, &limit);
    if (data) {
        world_user(data);
    }
}

/** An init called NAME for a user who may have one process. */
static struct scenario *without_a_second_process(const char *name, const char *option)
{
    char line[WORDS_MAX];
    struct scenario *s = own_new();
    /* Nobody else's number: the limit counts all processes of the user. */
    crowded_uid = 100000 + (uid_t)getpid();
    struct scenario_options o = {.prepare = crowded_user, .data = getuid() ? NULL : &crowded_uid};
    /* The leak sanitizer would want a process, too. */
    (void)scenario_copy(s, FOSTERD_PLAIN, name);
    (void)snprintf(line, sizeof(line), "@DIR@/%s %s -- true", name, option);
    own_spawn(s, &o, line);
    return s;
}

static void without_a_process_it_ends_at_once(const char *name, int code)
{
    struct scenario *s = without_a_second_process(name, "");
    (void)scenario_wait_raw(s, "Resource temporarily unavailable");
    own_end(s, code);
}

static void without_a_process_fosterd_ends_with_71(void **state)
{
    (void)state;
    without_a_process_it_ends_at_once("fosterd", 71);
}

static void without_a_process_a_peer_ends_with_1(void **state)
{
    without_a_process_it_ends_at_once(*state, 1);
}

/* The reason may pass, and somebody has asked for more than one try. */
static void without_a_process_a_restart_is_tried(void **state)
{
    (void)state;
    struct scenario *s = without_a_second_process("fosterd", "-v --restart always");
    for (int i = 0; i < 2; i++) {
        (void)scenario_wait_raw(s, "trying again");
    }
    scenario_signal(s, SIGTERM);
    own_end(s, 71);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(on_failure_goes_on_until_success),
        SCENARIO(success_ends_on_failure),
        SCENARIO(no_is_no),
        SCENARIO(it_gives_up_with_the_last_code),
        OWN_ROW(a_term_kills_the_last_run, "fosterd --restart always"),
        OWN_ROW(a_term_kills_the_last_run, "fosterd --restart unless-stopped --grace 0"),
        OWN_ROW(a_term_is_an_order_to_end_whatever_the_code, "fosterd --restart always"),
        OWN_ROW(a_term_is_an_order_to_end_whatever_the_code, "FOSTER_INIT_RESTART=always dumb-init"),
        SCENARIO(every_other_signal_leads_to_a_restart),
        OWN_ROW(a_term_between_two_runs_ends_it, "fosterd --restart always"),
        OWN_ROW(a_term_between_two_runs_ends_it, "FOSTER_INIT_RESTART=on-failure catatonit"),
        OWN_ROW(an_int_between_two_runs_ends_it, "fosterd --restart on-failure"),
        OWN_ROW(an_int_between_two_runs_ends_it, "FOSTER_INIT_RESTART=always tini"),
        SCENARIO(every_run_has_what_was_inherited),
        SCENARIO(without_restarts_what_was_inherited_is_let_go),
        SCENARIO(each_run_has_its_left_overs_ended),
        OWN_ROW(a_missing_program_is_given_up, "fosterd --restart always -- ./nothing"),
        OWN_ROW(a_missing_program_is_given_up, "fosterd --restart always -- ./vanish"),
        OWN_ROW(a_missing_program_is_given_up, "FOSTER_INIT_RESTART=always tini -- ./nothing"),
        OWN_ROW(a_file_that_may_not_be_executed_is_given_up, "fosterd --restart always -- ./plain"),
        OWN_ROW(dumb_init_gives_up_with_its_own_code, "FOSTER_INIT_RESTART=always dumb-init -- ./nothing"),
        SCENARIO(without_a_process_fosterd_ends_with_71),
        OWN_ROW(without_a_process_a_peer_ends_with_1, "tini"),
        OWN_ROW(without_a_process_a_peer_ends_with_1, "dumb-init"),
        OWN_ROW(without_a_process_a_peer_ends_with_1, "catatonit"),
        SCENARIO(without_a_process_a_restart_is_tried),
    };
    return SCENARIO_RUN("init_own_restart", tests);
}
