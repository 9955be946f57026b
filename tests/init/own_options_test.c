/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode's options and variables end to end: exit codes, what is said, groups, the death of the parent, and the
 * pause that takes the place of a command.
 */
#include "init/own_support/own.h"

#include "init/support/look.h"
#include "scenario/support/worlds.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 512 };

/** How the init of a line ends. */
struct end {
    const char *line;
    int code;
    const char *says; /* on standard error; NULL: nothing at all */
};

static void it_ends(void **state)
{
    const struct end *e = *state;
    struct scenario *s = own_start(e->line);
    if (e->says) {
        (void)scenario_wait_raw(s, e->says);
        own_end(s, e->code);
    } else {
        own_end_quietly(s, e->code);
    }
}

/* Where variables are obeyed the command does not see them, lest an init in it obeys them again. */
static void no_variable_of_ours_is_handed_on(void **state)
{
    char line[WORDS_MAX];
    (void)snprintf(
        line, sizeof(line),
        "FOSTER_INIT_GRACE=1s FOSTER_INIT_ANYTHING=x FOSTER_INITIAL=kept %s -- @ACTOR@ env FOSTER_INIT_GRACE "
        "env FOSTER_INIT_ANYTHING env FOSTER_INITIAL env FOSTER_SERVICE",
        (const char *)*state);
    struct scenario *s = own_start(line);
    (void)scenario_wait_line(s, NULL, "FOSTER_INIT_GRACE unset");
    (void)scenario_wait_line(s, NULL, "FOSTER_INIT_ANYTHING unset");
    (void)scenario_wait_line(s, NULL, "FOSTER_INITIAL=kept");
    (void)scenario_wait_line(s, NULL, "FOSTER_SERVICE unset");
    own_end_printed(s, 0, 4);
}

/* An init inside may have been meant. */
static void a_variable_that_is_not_obeyed_is_handed_on(void **state)
{
    (void)state;
    struct scenario *s = own_start("FOSTER_INIT_GRACE=1s fosterd -- @ACTOR@ env FOSTER_INIT_GRACE");
    (void)scenario_wait_line(s, NULL, "FOSTER_INIT_GRACE=1s");
    own_end_printed(s, 0, 1);
}

static void with_w_each_orphan_is_told_of(void **state)
{
    char text[WORDS_MAX];
    struct scenario *s = own_start(*state);
    (void)snprintf(text, sizeof(text), "reaped zombie process with pid %d", (int)own_hear_pid(s, "orphan"));
    (void)scenario_wait_raw(s, text);
    scenario_open_gate(s, "gate");
    own_end(s, 3);
}

static void without_w_nobody_is_told(void **state)
{
    (void)state;
    struct scenario *s = own_start("fosterd -- @ACTOR@ orphans 3 [ say ear orphan:%p ] await gate exit 3");
    for (int i = 0; i < 3; i++) {
        own_wait_gone(s, own_hear_pid(s, "orphan"));
    }
    scenario_open_gate(s, "gate");
    own_end_quietly(s, 3);
}

#define PAIR                                                                                                           \
    " -- @ACTOR@ fork 1 [ on USR1 [ say ear child exit 0 ] say ear up wait ] on USR1 [ say ear main await gate exit "  \
    "3 "                                                                                                               \
    "] say ear up wait"

static struct scenario *pair_asked(const char *line)
{
    struct scenario *s = own_start(line);
    own_hear(s, "up");
    own_hear(s, "up");
    scenario_signal(s, SIGUSR1);
    return s;
}

static void with_g_the_whole_group_is_told(void **state)
{
    static const char *const both[] = {"child", "main"};
    struct scenario *s = pair_asked(*state);
    own_hear_all(s, both, 2);
    scenario_open_gate(s, "gate");
    own_end(s, 3);
}

static void without_g_the_command_alone_is_told(void **state)
{
    struct scenario *s = pair_asked(*state);
    own_hear(s, "main");
    own_wait_idle(s);
    scenario_open_gate(s, "gate");
    own_end(s, 3);
}

/** "INIT -p TERM" below a parent that ends when its gate is opened; the init's process. */
static pid_t below_parent(struct scenario *s, const char *init)
{
    char line[WORDS_MAX];
    struct scenario_options o = {.leaves_children = true};
    (void)snprintf(
        line, sizeof(line),
        "@ACTOR@ fork 1 [ exec %s -- @ACTOR@ on TERM [ say ear told exit 0 ] say ear up:%%P wait ] await gate", init);
    own_spawn(s, &o, line);
    return own_hear_pid(s, "up");
}

static void with_p_the_end_of_the_parent_is_a_signal(void **state)
{
    int status;
    struct scenario *s = own_new();
    pid_t init = below_parent(s, *state);
    scenario_open_gate(s, "gate");
    own_hear(s, "told");
    own_end(s, 0);
    assert_int_equal(waitpid(init, &status, 0), init);
    assert_int_equal(status, 0);
}

static void without_p_it_is_none(void **state)
{
    int status;
    (void)state;
    struct scenario *s = own_new();
    pid_t init = below_parent(s, INIT_NAMES "/fosterd");
    scenario_open_gate(s, "gate");
    scenario_end(s, 0);
    scenario_check(s, procs_is_alive(init) && procs_parent(init) == getpid());
    scenario_check(s, !look_pending(init));
    assert_int_equal(kill(init, SIGTERM), 0);
    own_hear(s, "told");
    assert_int_equal(waitpid(init, &status, 0), init);
    assert_int_equal(status, 0);
}

/** The number of children of S's init. */
static size_t children_of(struct scenario *s)
{
    static struct procs children;
    procs_children(scenario_pid(s), &children);
    return children.n;
}

/** Waits until the process that we started has become an init, and goes round its loop. */
static void wait_until_it_loops(struct scenario *s)
{
    while (!(look_set(scenario_pid(s), "SigBlk") >> (SIGUSR1 - 1) & 1)) {
        (void)scenario_time_left(s);
        look_again();
    }
    scenario_signal(s, SIGUSR1);
    own_wait_idle(s);
}

/* It has a child by the exec that made it, and by that child orphans. */
static void pause_ends_by(const struct scenario_options *o, int sig)
{
    struct scenario *s = own_start_with(
        o, "@ACTOR@ fork 1 [ await gate orphans 2 [ say ear orphan ] exit 0 ] exec " INIT_NAMES "/catatonit -P");
    wait_until_it_loops(s);
    scenario_open_gate(s, "gate");
    own_hear(s, "orphan");
    own_hear(s, "orphan");
    while (children_of(s) > 0) {
        (void)scenario_time_left(s);
        look_again();
    }
    scenario_signal(s, SIGHUP);
    own_wait_idle(s);
    scenario_check(s, own_is_there(s));
    scenario_signal(s, sig);
    own_end_quietly(s, 0);
}

static void pause_reaps_until_a_term(void **state)
{
    (void)state;
    pause_ends_by(NULL, SIGTERM);
}

static void pause_reaps_until_an_int(void **state)
{
    (void)state;
    pause_ends_by(NULL, SIGINT);
}

static void pause_as_pid_1_reaps_until_a_term(void **state)
{
    struct scenario_options o = {.prepare = world_own_proc, .clone_flags = world_pid_namespace()};
    (void)state;
    if (!o.clone_flags) {
        scenario_skip("no pid namespaces here");
    }
    pause_ends_by(&o, SIGTERM);
}

#define END(name, ...)                                                                                                 \
    {                                                                                                                  \
        "it_ends: " name, it_ends, scenario_setup, scenario_teardown, &(struct end)                                    \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        END("with the command's code", "fosterd -- @ACTOR@ exit 255", 255, NULL),
        END("by the command's signal", "fosterd -- @ACTOR@ kill KILL", 137, NULL),
        END("-e", "fosterd -e 3 -e 137 -- @ACTOR@ exit 3", 0, NULL),
        END("-e of a signal", "fosterd -e 3 -e 137 -- @ACTOR@ kill KILL", 0, NULL),
        END("-e of another code", "fosterd -e 3 -e 137 -- @ACTOR@ exit 4", 4, NULL),
        END("-e of a failed exec", "fosterd -e 127 -- ./nothing", 0, "./nothing: No such file"),
        END("-s", "fosterd -s -- @ACTOR@ exit 4", 4, NULL),
        END("no such program", "fosterd -- ./nothing", 127, "error: exec ./nothing: No such file or directory"),
        END("nothing in PATH", "PATH=/usr/bin:/bin fosterd -- foster-no-such-program", 127, "not found in PATH"),
        END("not executable", "fosterd -- /", 126, "error: exec /: Permission denied"),
        END("not -v", "fosterd -- @ACTOR@ exit 3", 3, NULL),
        END("-v", "fosterd -v -- @ACTOR@ exit 3", 3, "exited with code 3"),
        END("-vv", "fosterd -vv -- @ACTOR@ exit 3", 3, "starting -> running"),
        END("no command", "fosterd --", 64, "no command after --"),
        END("an unknown option", "fosterd --nonsense -- true", 64, "unknown or ambiguous option --nonsense before --"),
        END("a bad duration", "fosterd --grace soon -- true", 64, "--grace soon is not a duration"),
        END("a word before --", "fosterd nginx -- true", 64, "unexpected argument nginx; write -- before the command"),
        END("no --", "fosterd nginx", 64, "a command to run behind --"),
        END("no --, but an option", "fosterd -g nginx", 64, "-g"),
        END("the variables unasked", "FOSTER_INIT_REMAP_EXIT=3 fosterd -- @ACTOR@ exit 3", 3, NULL),
        END("an empty variable", "FOSTER_INIT_GRACE= tini -- @ACTOR@ exit 3", 3, NULL),
        END("a bad variable unasked", "FOSTER_INIT_GRACE=soon fosterd -- @ACTOR@ exit 3", 3, NULL),
        END("--config-from-env", "FOSTER_INIT_REMAP_EXIT=3,4 fosterd --config-from-env -- @ACTOR@ exit 4", 0, NULL),
        END("a bad variable", "FOSTER_INIT_GRACE=soon fosterd --config-from-env -- true", 64,
            "FOSTER_INIT_GRACE=soon is not a duration"),
        END("an option beats its variable",
            "FOSTER_INIT_RESTART=always fosterd --config-from-env --restart no -- @ACTOR@ "
            "exit 3",
            3, NULL),
        END("a variable of a peer", "FOSTER_INIT_REMAP_EXIT=137 tini -- @ACTOR@ kill KILL", 0, NULL),
        END("a bad variable of tini", "FOSTER_INIT_WAIT_ALL=perhaps tini -- true", 1, "is neither yes nor no"),
        END("a bad variable of dumb-init", "FOSTER_INIT_RESTART=often dumb-init -- true", 1, "is not a restart policy"),
        END("a bad variable of catatonit", "FOSTER_INIT_PRE_STOP_DELAY=x catatonit -- true", 1, "is not a duration"),
        END("FOSTER_INIT_VERBOSITY", "FOSTER_INIT_VERBOSITY=3 dumb-init -- @ACTOR@ exit 3", 3, "starting -> running"),
        OWN_ROW(no_variable_of_ours_is_handed_on, "fosterd --config-from-env"),
        OWN_ROW(no_variable_of_ours_is_handed_on, "tini"),
        SCENARIO(a_variable_that_is_not_obeyed_is_handed_on),
        OWN_ROW(with_w_each_orphan_is_told_of,
                "fosterd -w -- @ACTOR@ orphans 1 [ say ear orphan:%p ] await gate exit 3"),
        OWN_ROW(with_w_each_orphan_is_told_of, "tini -w -- @ACTOR@ orphans 1 [ say ear orphan:%p ] await gate exit 3"),
        SCENARIO(without_w_nobody_is_told),
        OWN_ROW(with_g_the_whole_group_is_told, "fosterd -g" PAIR),
        OWN_ROW(with_g_the_whole_group_is_told, "FOSTER_INIT_KILL_PROCESS_GROUP=1 tini" PAIR),
        OWN_ROW(with_g_the_whole_group_is_told, "dumb-init" PAIR),
        OWN_ROW(without_g_the_command_alone_is_told, "fosterd" PAIR),
        OWN_ROW(without_g_the_command_alone_is_told, "FOSTER_INIT_KILL_PROCESS_GROUP=no dumb-init" PAIR),
        OWN_ROW(with_p_the_end_of_the_parent_is_a_signal, INIT_NAMES "/fosterd -p TERM"),
        OWN_ROW(with_p_the_end_of_the_parent_is_a_signal, INIT_NAMES "/tini -p SIGTERM"),
        SCENARIO(without_p_it_is_none),
        SCENARIO(pause_reaps_until_a_term),
        SCENARIO(pause_reaps_until_an_int),
        SCENARIO(pause_as_pid_1_reaps_until_a_term),
    };
    return SCENARIO_RUN("init_own_options", tests);
}
