/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * P: SIGHUP. What a changed file touches, what it leaves alone, and that one which is wrong changes nothing.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/procs.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static void send_hup(struct scenario *s, const char *yaml)
{
    (void)scenario_write(s, "foster.yaml", 0644, yaml);
    scenario_signal(s, SIGHUP);
}

/** How many messages of a reload have TEXT in them so far. */
static size_t count_said(struct scenario *s, const char *text)
{
    size_t n = 0;
    const struct scenario_event *e;
    for (size_t i = 0; (e = scenario_event_at(s, i)); i++) {
        n += !strcmp(e->event, "config") && strstr(e->msg, text) != NULL;
    }
    return n;
}

static pid_t wait_started(struct scenario *s, const char *service)
{
    return scenario_wait(s, "started", service)->pid;
}

static void p01_only_what_has_changed_is_restarted(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  db: { command: '@ACTOR@ print one wait' }\n"
                                        "  web: { command: '@ACTOR@ wait', depends_on: [db] }\n"
                                        "  job: { command: '@ACTOR@ wait' }\n");
    pid_t web = wait_started(s, "web"), job = wait_started(s, "job"), db = wait_started(s, "db");
    (void)scenario_wait(s, "settled", NULL);
    scenario_reload(s, "services:\n"
                       "  job: { command: '@ACTOR@ wait' }\n"
                       "  db: { command: '@ACTOR@ print two wait' }\n"
                       "  web: { command: '@ACTOR@ wait', depends_on: [db] }\n");
    (void)scenario_wait_line(s, "db", "two");
    scenario_check(s, count_said(s, "reload: ~ db (command)") == 1 && count_said(s, "reload: ~") == 1);
    scenario_check(s, wait_started(s, "db") != db);
    (void)scenario_sync(s);
    scenario_check(s, procs_is_alive(web) && procs_is_alive(job) && !procs_is_alive(db));
    scenario_check(s, scenario_count(s, "started", "web") == 1 && scenario_count(s, "started", "job") == 1);
    scenario_stop(s);
}

static void p02_the_old_stop_in_order_before_the_new_start(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  db: { command: '@ACTOR@ wait' }\n"
                                        "  web: { command: '@ACTOR@ wait', depends_on: [db] }\n");
    (void)scenario_wait(s, "settled", NULL);
    /* Between the two there is nothing that runs, which is no reason to end. */
    scenario_reload(s, "services:\n"
                       "  new: { command: '@ACTOR@ wait' }\n"
                       "  newer: { command: '@ACTOR@ wait', depends_on: { new: { condition: service_ready } } }\n");
    size_t web = scenario_wait(s, "stopped", "web")->seq;
    size_t stopping = scenario_wait(s, "stopping", "db")->seq;
    size_t db = scenario_wait(s, "stopped", "db")->seq;
    size_t new = scenario_wait(s, "started", "new")->seq;
    size_t newer = scenario_wait(s, "started", "newer")->seq;
    scenario_check(s, web < stopping && stopping < db && db < new &&new < newer);
    scenario_stop(s);
}

static void p03_a_file_with_errors_changes_nothing(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services: { web: { command: '@ACTOR@ wait' } }\n");
    pid_t web = wait_started(s, "web");
    (void)scenario_wait(s, "settled", NULL);
    send_hup(s, "services:\n"
                "  web: { command: '@ACTOR@ print x wait', scale: many }\n"
                "  db: { comand: '@ACTOR@ wait' }\n");
    (void)scenario_wait_text(s, "config", NULL, "foster.yaml:2:");
    (void)scenario_wait_text(s, "config", NULL, "foster.yaml:3:9: ");
    scenario_check(s, !strcmp(scenario_wait_text(s, "config", NULL, "rejected; nothing has changed")->level, "error"));
    send_hup(s, "services: [\n");
    (void)scenario_wait_text(s, "config", NULL, "rejected; nothing has changed");
    (void)scenario_sync(s);
    scenario_check(s, procs_is_alive(web) && scenario_count(s, "stopping", NULL) == 0);
    scenario_check(s, scenario_count(s, "started", NULL) == 1);
    scenario_reload(s, "services: { web: { command: '@ACTOR@ wait' }, db: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "started", "db");
    scenario_check(s, procs_is_alive(web));
    scenario_stop(s);
}

static void p04_a_file_that_is_gone_changes_nothing(void **state)
{
    (void)state;
    static const char yaml[] = "services: { web: { command: '@ACTOR@ wait' } }\n";
    struct scenario *s = scenario_start(yaml);
    pid_t web = wait_started(s, "web");
    assert_int_equal(unlink(scenario_path(s, "foster.yaml")), 0);
    scenario_signal(s, SIGHUP);
    (void)scenario_wait_text(s, "config", NULL, "there is no file");
    (void)scenario_wait_text(s, "config", NULL, "rejected; nothing has changed");
    send_hup(s, yaml);
    (void)scenario_wait_text(s, "config", NULL, "reload: nothing has changed");
    (void)scenario_sync(s);
    scenario_check(s, procs_is_alive(web) && scenario_count(s, "started", NULL) == 1);
    scenario_stop(s);
}

static void p05_a_reload_in_backoff(void **state)
{
    (void)state;
    struct scenario *s =
        scenario_start("services:\n"
                       "  web: { command: '@ACTOR@ exit 3', restart: { policy: always, delay: 1h, max_delay: 1h } }\n");
    (void)scenario_wait_state(s, "web", "backoff");
    /* Somebody else's change, and one that does not need the program anew, leave it as it is, */
    scenario_reload(s, "services:\n"
                       "  web: { command: '@ACTOR@ exit 3', restart: { policy: always, delay: 2h, max_delay: 2h } }\n"
                       "  new: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait(s, "started", "new");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "web") == 1 && scenario_count_state(s, "web", "stopped") == 0);
    /* but what the next start would run counts at once. */
    scenario_reload(
        s, "services:\n"
           "  web: { command: '@ACTOR@ print mended wait', restart: { policy: always, delay: 2h, max_delay: 2h } }\n"
           "  new: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait_line(s, "web", "mended");
    scenario_check(s, scenario_count(s, "started", "new") == 1);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

/** A service that ends when the gate is let go. */
#define SLOW "{ command: '@ACTOR@ on TERM [ await @DIR@/gate exit 0 ] print up wait', success_exit_codes: [0] }\n"

static void p06_a_reload_while_everything_stops(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, "services:\n  slow: " SLOW);
    (void)scenario_wait_line(s, "slow", "up");
    scenario_signal(s, SIGTERM);
    (void)scenario_wait(s, "stopping", "slow");
    send_hup(s, "services: { new: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait_text(s, "config", NULL, "everything is being stopped");
    scenario_open_gate(s, "gate");
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "started", "new") == 0);
}

static void p07_a_stop_while_a_reload_is_under_way(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, "services:\n  slow: " SLOW);
    (void)scenario_wait_line(s, "slow", "up");
    send_hup(s, "services: { new: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "stopping", "slow");
    scenario_signal(s, SIGTERM);
    (void)scenario_wait(s, "shutdown", NULL);
    scenario_open_gate(s, "gate");
    scenario_end(s, 0);
    scenario_check(s, scenario_count(s, "started", "new") == 0 && count_said(s, "in force") == 0);
}

static void p08_a_second_reload_waits_for_the_first(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, "services:\n  slow: " SLOW);
    (void)scenario_wait_line(s, "slow", "up");
    send_hup(s, "services: { second: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "stopping", "slow");
    send_hup(s, "services: { third: { command: '@ACTOR@ wait' }, second: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait_text(s, "config", NULL, "another one is being carried out");
    scenario_signal(s, SIGHUP);
    (void)scenario_wait_text(s, "config", NULL, "another one is being carried out");
    scenario_check(s, count_said(s, "in force") == 0);
    scenario_open_gate(s, "gate");
    (void)scenario_wait_text(s, "config", NULL, "in force");
    (void)scenario_wait_text(s, "config", NULL, "reload: + third");
    (void)scenario_wait_text(s, "config", NULL, "in force");
    (void)scenario_wait(s, "started", "third");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "second") == 1);
    /* However often it was asked for meanwhile, the file is read once more. */
    scenario_check(s, count_said(s, "in force") == 2 && count_said(s, "nothing has changed") == 0);
    scenario_stop(s);
}

#define SCALED(n) "services: { web: { command: '@ACTOR@ env FOSTER_INSTANCE wait', scale: " n " } }\n"

static void p09_scale(void **state)
{
    (void)state;
    struct scenario *s = scenario_start(SCALED("1"));
    pid_t first = wait_started(s, "web");
    (void)scenario_wait(s, "settled", NULL);
    scenario_reload(s, SCALED("3"));
    scenario_check(s, count_said(s, "reload: ~ web (scale)") == 1);
    (void)scenario_wait_line(s, "web.2", "FOSTER_INSTANCE=2");
    (void)scenario_wait_line(s, "web.3", "FOSTER_INSTANCE=3");
    pid_t third = wait_started(s, "web.3");
    scenario_check(s, procs_is_alive(first) && scenario_count(s, "started", "web.1") == 0);
    scenario_reload(s, SCALED("1"));
    scenario_check(s, scenario_count(s, "stopped", "web.2") == 1 && scenario_count(s, "stopped", "web.3") == 1);
    scenario_check(s, procs_is_alive(first) && !procs_is_alive(third));
    scenario_reload(s, SCALED("0"));
    scenario_check(s, scenario_wait(s, "exited", "web")->pid == first);
    (void)scenario_wait_exit(s);
    scenario_end(s, 0);
}

static void p10_keys_that_touch_no_process(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services: { web: { command: '@ACTOR@ on USR1 [ exit 0 ] wait' } }\n");
    pid_t web = wait_started(s, "web");
    (void)scenario_wait(s, "settled", NULL);
    scenario_reload(s, "services:\n"
                       "  web:\n"
                       "    command: '@ACTOR@ on USR1 [ exit 0 ] wait'\n"
                       "    restart: { delay: 7s }\n"
                       "    stop_signal: USR1\n"
                       "    labels: { team: shop }\n");
    scenario_check(s, count_said(s, "reload: ~ web (restart.delay, stop_signal, labels; no restart)") == 1);
    (void)scenario_sync(s);
    scenario_check(s, procs_is_alive(web) && scenario_count(s, "stopping", NULL) == 0);
    scenario_signal(s, SIGTERM);
    (void)scenario_wait_text(s, "stopping", "web", "SIGUSR1");
    scenario_check(s, scenario_wait(s, "exited", "web")->exit_code == 0);
    scenario_end(s, 0);
}

static void p11_keys_of_the_supervisor(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services: { job: { command: '@ACTOR@ exit 0' } }\n"
                                        "supervisor: { exit_when: never }\n");
    (void)scenario_wait_state(s, "job", "done");
    scenario_reload(s, "name: shop\n"
                       "services: { job: { command: '@ACTOR@ exit 0' } }\n"
                       "supervisor: { exit_when: never, log_level: error, state_dir: '@DIR@/state' }\n");
    scenario_check(s, count_said(s, "reload: ~ name") == 1 && count_said(s, "reload: ~ supervisor.log_level") == 1);
    scenario_check(s, count_said(s, "supervisor.state_dir; this counts only when fosterd is started anew") == 1);
    /* The command line wins over the new level too, and nobody has made the directory. */
    scenario_check(s, access(scenario_path(s, "state"), F_OK) != 0);
    send_hup(s, "services: { job: { command: '@ACTOR@ exit 0' } }\n"
                "supervisor: { exit_when: idle }\n");
    scenario_end(s, 0);
    scenario_check(s, count_said(s, "in force") == 2 && scenario_count(s, "started", "job") == 1);
}

static void p12_what_a_removed_service_leaves_is_unclaimed(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_ear(s, "ear");
    scenario_spawn(
        s, NULL,
        "services:\n"
        "  old:\n"
        "    command: '@ACTOR@ fork 1 [ setsid on TERM [ ] say @DIR@/ear %p await @DIR@/gate exit 5 ] wait'\n"
        "    orphans: ignore\n"
        "    kill_mode: main\n"
        "  web: { command: '@ACTOR@ wait' }\n");
    pid_t left = (pid_t)strtol(scenario_heard(s, "ear"), NULL, 10);
    (void)scenario_wait(s, "settled", NULL);
    scenario_reload(s, "services: { web: { command: '@ACTOR@ wait' }, new: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "started", "new");
    scenario_check(s, procs_is_alive(left));
    /* It must not be taken for one of `new`, which may have got the number of `old`. */
    scenario_open_gate(s, "gate");
    const struct scenario_event *e = scenario_wait_pid(s, "orphan-reaped", NULL, left);
    scenario_check(s, !strcmp(e->service, "") && e->exit_code == 5);
    scenario_stop(s);
}

static void p13_a_failed_service_is_tried_anew(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  web: { command: '@ACTOR@ exit 3', restart: 'no' }\n"
                                        "  db: { command: '@ACTOR@ wait' }\n");
    pid_t db = wait_started(s, "db");
    (void)scenario_wait(s, "failed", "web");
    scenario_reload(s, "services:\n"
                       "  web: { command: '@ACTOR@ print mended wait', restart: 'no' }\n"
                       "  db: { command: '@ACTOR@ wait' }\n");
    (void)scenario_wait_line(s, "web", "mended");
    scenario_check(s, procs_is_alive(db) && scenario_count(s, "started", "db") == 1);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static void p14_a_hundred_reloads(void **state)
{
    (void)state;
    char yaml[256];
    struct scenario *s =
        scenario_start("services: { web: { command: '@ACTOR@ wait' }, odd0: { command: '@ACTOR@ wait' } }\n");
    pid_t web = wait_started(s, "web");
    (void)scenario_wait(s, "settled", NULL);
    for (int i = 1; i <= 100; i++) {
        (void)snprintf(yaml, sizeof(yaml),
                       "services: { web: { command: '@ACTOR@ wait' }, odd%d: { command: '@ACTOR@ wait' } }\n", i);
        scenario_reload(s, yaml);
    }
    (void)scenario_wait(s, "started", "odd100");
    scenario_check(s, procs_is_alive(web));
    /* With the descriptors of one reload left open each, there would be hundreds. */
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(p01_only_what_has_changed_is_restarted),
        SCENARIO(p02_the_old_stop_in_order_before_the_new_start),
        SCENARIO(p03_a_file_with_errors_changes_nothing),
        SCENARIO(p04_a_file_that_is_gone_changes_nothing),
        SCENARIO(p05_a_reload_in_backoff),
        SCENARIO(p06_a_reload_while_everything_stops),
        SCENARIO(p07_a_stop_while_a_reload_is_under_way),
        SCENARIO(p08_a_second_reload_waits_for_the_first),
        SCENARIO(p09_scale),
        SCENARIO(p10_keys_that_touch_no_process),
        SCENARIO(p11_keys_of_the_supervisor),
        SCENARIO(p12_what_a_removed_service_leaves_is_unclaimed),
        SCENARIO(p13_a_failed_service_is_tried_anew),
        SCENARIO(p14_a_hundred_reloads),
    };
    return SCENARIO_RUN("reload", tests);
}
