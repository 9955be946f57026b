/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: fosterctl beside what happens: `ps --watch` and `events -f`, on a terminal and on a pipe, and how they end.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ENTERED "\033[?1049h"
#define LEFT    "\033[?1049l"
#define CTRL_C  "\003"

static const char pair[] = "name: shop\n"
                           "supervisor: { exit_when: never }\n"
                           "services:\n"
                           "  db: { command: '@ACTOR@ wait' }\n"
                           "  web: { command: '@ACTOR@ orphans 1 [ setsid print orphan wait ] wait' }\n";

static struct scenario *start_pair(void)
{
    struct scenario *s = scenario_start(pair);
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_wait_line(s, "web", "orphan");
    return s;
}

/** Ends F with KEYS; it must have left the other screen and the terminal as it was. */
static void leave(struct scenario *s, struct fosterctl *f, const char *keys)
{
    fosterctl_type(f, keys);
    struct command got = fosterctl_end(f);
    fosterctl_check(s, got, 0, NULL, "");
    scenario_check(s, strstr(got.out, LEFT) != NULL);
}

static void s51_watch_repaints_on_an_event(void **state)
{
    (void)state;
    struct scenario *s = start_pair();
    struct fosterctl *f = fosterctl_sit(s, "ps", "--watch", "--color", "never", "db");
    (void)fosterctl_await(f, ENTERED);
    (void)fosterctl_await(f, "ready");
    scenario_check(s, !fosterctl_is_cooked(f));
    fosterctl_says(s, "db: stopped in *s\n", "stop", "db");
    (void)fosterctl_await(f, "stopped");
    fosterctl_says(s, "db: ready in *s\n", "start", "db");
    (void)fosterctl_await(f, "ready");
    leave(s, f, "q");
    scenario_stop(s);
}

static void s52_watch_ends_by_ctrl_c(void **state)
{
    (void)state;
    struct scenario *s = start_pair();
    struct fosterctl *f = fosterctl_sit(s, "status", "--watch", "--wide");
    (void)fosterctl_await(f, "ZOMBIES");
    leave(s, f, CTRL_C);
    scenario_stop(s);
}

static void s53_watch_ends_with_fosterd(void **state)
{
    (void)state;
    struct scenario *s = start_pair();
    struct fosterctl *f = fosterctl_sit(s, "ps", "--watch");
    (void)fosterctl_await(f, "ready");
    scenario_signal(s, SIGTERM);
    /* Told where it can be read: on the screen that was there before. */
    (void)fosterctl_await(f, LEFT);
    fosterctl_check(s, fosterctl_end(f), 4, NULL, NULL);
    scenario_end(s, 0);
}

static void s54_watch_on_a_pipe_appends(void **state)
{
    (void)state;
    struct scenario *s = start_pair();
    struct fosterctl *f = fosterctl_start(s, "ps", "--watch", "db");
    scenario_check(s, strchr(fosterctl_await(f, "ready"), '\033') == NULL);
    fosterctl_says(s, "db: stopped in *s\n", "stop", "db");
    scenario_check(s, strstr(fosterctl_await(f, "stopped"), "\n\nNAME") != NULL);
    assert_int_equal(kill(fosterctl_pid(f), SIGTERM), 0);
    fosterctl_check(s, fosterctl_end(f), 128 + SIGTERM, NULL, "");
    fosterctl_says(s, "db: ready in *s\n", "start", "db");
    scenario_stop(s);
}

static void s55_events_as_they_come(void **state)
{
    (void)state;
    struct scenario *s = start_pair();
    struct fosterctl *f = fosterctl_sit(s, "NO_COLOR=1", "events", "--follow");
    (void)fosterctl_await(f, "every service has been started");
    (void)scenario_sync(s); /* has a look at who is there */
    (void)fosterctl_await(f, "web           adopted");
    pid_t db = scenario_wait(s, "started", "db")->pid;
    assert_int_equal(kill(db, SIGKILL), 0);
    (void)fosterctl_await(f, "db            exited      killed by SIGKILL");
    (void)fosterctl_await(f, "db            ready");
    fosterctl_type(f, CTRL_C);
    fosterctl_check(s, fosterctl_end(f), 0, NULL, "");
    scenario_stop(s);
}

static void s56_events_of_some_until_the_end(void **state)
{
    (void)state;
    struct scenario *s = start_pair();
    struct fosterctl *some = fosterctl_start(s, "events", "-f", "-n", "1", "d*");
    struct fosterctl *all = fosterctl_start(s, "events", "-f", "-n", "1");
    (void)fosterctl_await(some, "db            ready");
    (void)fosterctl_await(all, "every service has been started");
    scenario_signal(s, SIGTERM);
    (void)fosterctl_await(some, "shutdown");
    scenario_check(s, strstr(fosterctl_await(some, "stopped"), "web") == NULL);
    (void)fosterctl_await(all, "shutdown");
    fosterctl_check(s, fosterctl_end(all), 0, NULL, "");
    fosterctl_check(s, fosterctl_end(some), 0, NULL, "");
    scenario_end(s, 0);
}

static void s57_a_terminal_has_colours_and_an_edge(void **state)
{
    (void)state;
    struct scenario *s = start_pair();
    struct command got = fosterctl_end(fosterctl_sit(s, "ps"));
    scenario_check(s, got.code == 0 && strstr(got.out, "\033[32mready\033[0m") != NULL);
    got = fosterctl_end(fosterctl_sit(s, "NO_COLOR=1", "COLUMNS=60", "ps"));
    scenario_check(s, got.code == 0 && !strchr(got.out, '\033'));
    for (const char *line = got.out; *line; line += strcspn(line, "\n") + 1) {
        scenario_check(s, strcspn(line, "\r\n") <= 60);
    }
    got = fosterctl_run(s, "ps", "--color", "always");
    scenario_check(s, got.code == 0 && strstr(got.out, "\033[32mready\033[0m") != NULL);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s51_watch_repaints_on_an_event),
        SCENARIO(s52_watch_ends_by_ctrl_c),
        SCENARIO(s53_watch_ends_with_fosterd),
        SCENARIO(s54_watch_on_a_pipe_appends),
        SCENARIO(s55_events_as_they_come),
        SCENARIO(s56_events_of_some_until_the_end),
        SCENARIO(s57_a_terminal_has_colours_and_an_edge),
    };
    return SCENARIO_RUN("s_watch", tests);
}
