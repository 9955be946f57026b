/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: every verb of fosterctl against a live fosterd: what it does, what it says to people, and its exit status.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE "NAME STATE HEALTH PID UPTIME RESTARTS LAST-EXIT COMMAND\n"

/* Two instances with a dependency, a job, two that go wrong in their ways, one that no profile selects. */
#define SHOP                                                                                                           \
    "name: shop\n"                                                                                                     \
    "supervisor: { exit_when: never }\n"                                                                               \
    "services:\n"                                                                                                      \
    "  db: { command: '@ACTOR@ print up wait' }\n"                                                                     \
    "  web: { command: '@ACTOR@ wait', scale: 2, depends_on: [db] }\n"                                                 \
    "  job: { type: oneshot, autostart: false, command: '@ACTOR@ print 1 print 2 exit 0' }\n"                          \
    "  bad: { type: oneshot, autostart: false, restart: 'no', command: '@ACTOR@ print oops exit 3' }\n"                \
    "  slow: { type: oneshot, autostart: false, command: '@ACTOR@ await @DIR@/gate' }\n"                               \
    "  deaf: { autostart: false, command: '@ACTOR@ ignore TERM print up wait', stop_grace_period: 1h }\n"              \
    "  extra: { profiles: [more], command: '@ACTOR@ wait' }\n"

static struct scenario *start_shop(void)
{
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, SHOP);
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_wait_line(s, "db", "up");
    return s;
}

static void end(struct scenario *s)
{
    (void)fosterctl_run(s, "shutdown", "--now");
    scenario_end(s, 0);
}

static pid_t wait_started(struct scenario *s, const char *service)
{
    return scenario_wait(s, "started", service)->pid;
}

static void s01_ps(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s,
                   TABLE "db ready - * *s 0 - @ACTOR@ print up wait\n"
                         "web.1 ready - * *s 0 - @ACTOR@ wait\n"
                         "web.2 ready - * *s 0 - @ACTOR@ wait\n"
                         "job stopped - - - 0 - @ACTOR@ print 1 print 2 exit 0\n"
                         "bad stopped - - - 0 - @ACTOR@ print oops exit 3\n"
                         "slow stopped - - - 0 - @ACTOR@ await @DIR@/gate\n"
                         "deaf stopped - - - 0 - @ACTOR@ ignore TERM print up wait\n",
                   "ps");
    fosterctl_says(s, TABLE "web.1 ready *\nweb.2 ready *\n", "ls", "w*");
    fosterctl_says(s, TABLE "db ready *\nweb.2 ready *\n", "status", "web.2", "db");
    fosterctl_says(s,
                   "NAME STATE HEALTH PID UPTIME RESTARTS LAST-EXIT PROCS ADOPTED ZOMBIES RSS CPU LIMITS COMMAND\n"
                   "db ready - * *s 0 - 1 0 0 * *s - @ACTOR@ print up wait\n",
                   "ps", "-w", "d[b]");
    fosterctl_says(s,
                   "db: ready for *, pid *, up *\n"
                   " command @ACTOR@ print up wait\n"
                   " runs starts 1, restarts 0\n"
                   " policy auto, restart on-failure\n"
                   " stop SIGTERM, SIGKILL after 10s\n"
                   " needed by web\n"
                   " processes 1, adopted 0, zombies 0; memory *, processor time *\n"
                   " output\n"
                   " up\n",
                   "status", "db");
    fosterctl_check(s, fosterctl_run(s, "ps", "job"), 3, "job: stopped for *\n*\n*\n*\n*\n*\n", "");
    fosterctl_check(s, fosterctl_run(s, "ps", "db", "job"), 3, TABLE "db *\njob *\n", "");
    fosterctl_check(s, fosterctl_run(s, "ps", "extra"), 3, NULL, "");
    fosterctl_check(s, fosterctl_run(s, "ps", "wbe"), 4, "", "fosterctl: no such service: wbe; is it web?\n");
    fosterctl_check(s, fosterctl_run(s, "ps", "db", "x*"), 4, "", "fosterctl: no service fits x*; fosterctl list *\n");
    end(s);
}

static void s02_tree(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s,
                   "shop fosterd *, up *s; adopted 0, reaped 0\n"
                   "|- db ready\n"
                   "| `- * @ACTOR@ print up wait main, *s\n"
                   "|- web.1 ready\n"
                   "| `- * @ACTOR@ wait main, *s\n"
                   "|- web.2 ready\n"
                   "| `- * @ACTOR@ wait main, *s\n"
                   "|- job stopped\n"
                   "|- bad stopped\n"
                   "|- slow stopped\n"
                   "|- deaf stopped\n"
                   "`- (fosterd's own)\n"
                   " `- * foster-logger logger, *s\n",
                   "tree");
    fosterctl_says(s, "shop fosterd *\n`- web.2 ready\n `- * @ACTOR@ wait main, *s\n", "tree", "web.2");
    fosterctl_check(s, fosterctl_run(s, "tree", "wbe"), 4, "", "fosterctl: no such service: wbe; is it web?\n");
    end(s);
}

static void s03_start(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "job: done in *s\n", "start", "job");
    fosterctl_says(s, "db: ready\n", "start", "db");
    fosterctl_says(s, "extra: ready in *s\n", "start", "extra");
    fosterctl_check(s, fosterctl_run(s, "start", "bad"), 1, "bad: *exited with code 3*\n oops\n", "");
    fosterctl_check(s, fosterctl_run(s, "start", "db", "nope"), 4, "",
                    "fosterctl: no such service: nope; fosterctl list *\n");
    fosterctl_check(s, fosterctl_run(s, "start", "slow", "-t", "20ms"), 3, "slow: still * after *s\n", "");
    scenario_open_gate(s, "gate");
    (void)scenario_wait_state(s, "slow", "done");

    fosterctl_says(s, "db: stopped in *s\n", "stop", "db");
    fosterctl_says(s, "web.1: ready in *s\n", "start", "web.1", "--no-deps");
    fosterctl_check(s, fosterctl_run(s, "ps", "db"), 3, NULL, "");
    fosterctl_says(s, "web.2: *ing\n", "start", "--no-wait", "web.2");
    (void)scenario_wait_state(s, "web.2", "ready");
    fosterctl_check(s, fosterctl_run(s, "ps", "db"), 0, NULL, "");
    end(s);
}

static void s04_stop(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "db: stopped in *s\n", "stop", "--no-deps", "db");
    (void)scenario_wait(s, "stopped", "db");
    scenario_check(s, scenario_count(s, "stopping", "web.1") == 0);
    fosterctl_says(s, "db: ready in *s\n", "start", "db");
    fosterctl_says(s, "db: stopped in *s\n", "stop", "db");
    fosterctl_says(s, "web.1: not running\nweb.2: not running\n", "stop", "web");
    scenario_check(s, scenario_wait(s, "stopped", "web.1")->seq < scenario_wait(s, "stopped", "db")->seq);
    fosterctl_says(s, "deaf: ready in *s\n", "start", "deaf");
    (void)scenario_wait_line(s, "deaf", "up");
    fosterctl_says(s, "deaf: stopping\n", "stop", "deaf", "--no-wait");
    fosterctl_check(s, fosterctl_run(s, "stop", "deaf", "--timeout", "20ms"), 3, "deaf: still stopping after *s\n up\n",
                    "");
    fosterctl_says(s, "deaf: stopped in *s\n", "stop", "deaf", "-t", "0");
    fosterctl_check(s, fosterctl_run(s, "status", "deaf"), 3, NULL, "");
    scenario_check(s, strcmp(scenario_wait(s, "exited", "deaf")->signal, "SIGKILL") == 0);
    end(s);
}

static void s05_restart(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    pid_t db = wait_started(s, "db"), web = wait_started(s, "web.1");
    fosterctl_says(s, "db: ready in *s\n", "restart", "db", "--no-deps");
    scenario_check(s, !procs_is_alive(db) && procs_is_alive(web));
    struct command both = fosterctl_run(s, "restart", "web");
    fosterctl_check(s, both, 0, "web.*: ready in *s\nweb.*: ready in *s\n", "");
    scenario_check(s, !procs_is_alive(web));
    fosterctl_says(s, "job: done in *s\n", "restart", "job");
    fosterctl_says(s, "deaf: ready in *s\n", "start", "deaf");
    (void)scenario_wait_line(s, "deaf", "up");
    fosterctl_says(s, "deaf: ready in *s\n", "restart", "-t", "0", "deaf");
    fosterctl_check(s, fosterctl_run(s, "restart", "bad"), 1, "bad: *exited with code 3*\n oops\n", "");
    fosterctl_says(s, "web.2: *ing\n", "restart", "web.2", "--no-wait");
    fosterctl_says(s, "web.2: ready*\n", "wait", "--for=ready", "web.2");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count_state(s, "web.2", "stopping") == 2);
    end(s);
}

static void s06_reload(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    pid_t db = wait_started(s, "db");
    fosterctl_says(s, "no service has changed\n", "reload");
    (void)scenario_write(s, "foster.yaml", 0644,
                         "services:\n  db: { comand: wait }\n  web: { command: x, scale: many }\n");
    fosterctl_check(s, fosterctl_run(s, "reload"), 1, "",
                    "@DIR@/foster.yaml:2:9: error: unknown key `comand` in a service; did you mean `command`?\n"
                    "@DIR@/foster.yaml:3:29: error: `many` is not a whole number; *\n"
                    "fosterctl: the configuration has errors; nothing has changed\n");
    (void)scenario_write(s, "foster.yaml", 0644,
                         "name: shop\n"
                         "supervisor: { exit_when: never, state_dir: '@DIR@/state' }\n"
                         "services:\n"
                         "  db: { command: '@ACTOR@ print up wait' }\n"
                         "  web: { command: '@ACTOR@ wait', scale: 2, environment: { A: b }, depends_on: [db] }\n"
                         "  bad: { command: '@ACTOR@ print oops exit 3', restart: 'no' }\n"
                         "  new: { command: '@ACTOR@ wait' }\n");
#define PLAN                                                                                                           \
    "- job\n- slow\n- deaf\n- extra\n~ web (environment)\n~ bad (type, start_timeout, autostart)\n+ new\n"             \
    "! supervisor.state_dir has changed, too; that counts when fosterd is started again\n"
    fosterctl_says(s, PLAN, "reload", "--dry-run");
    fosterctl_says(s, PLAN, "reload", "-n");
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "stopping", NULL) == 0);
    struct command got = fosterctl_run(s, "reload");
    scenario_check(s, strstr(got.out, "\nweb.1: ready in ") && strstr(got.out, "\nweb.2: ready in ") &&
                          strstr(got.out, "\nnew: ready in "));
    scenario_check(s, procs_is_alive(db) && scenario_count(s, "started", "db") == 1);
    end(s);
}

static void s07_signal(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web: { command: '@ACTOR@ fork 1 [ on USR1 [ say @DIR@/ear child ] say @DIR@/ear up wait ]\n"
                   "    on USR1 [ say @DIR@/ear main ] wait' }\n"
                   "  job: { autostart: false, command: '@ACTOR@ wait' }\n");
    pid_t web = wait_started(s, "web");
    assert_string_equal(scenario_heard(s, "ear"), "up");
    (void)scenario_wait(s, "settled", NULL);
    fosterctl_says(s, "web: SIGUSR1 sent to 1 process\n", "signal", "USR1", "web");
    assert_string_equal(scenario_heard(s, "ear"), "main");
    fosterctl_says(s, "web: SIGUSR1 sent to 2 processes\n", "kill", "-s", "10", "web", "--all");
    bool main_first = strcmp(scenario_heard(s, "ear"), "main") == 0;
    assert_string_equal(scenario_heard(s, "ear"), main_first ? "child" : "main");
    fosterctl_says(s, "web: SIGSTOP sent to 1 process\n", "signal", "sigstop", "w*");
    (void)scenario_wait(s, "suspended", "web");
    scenario_check(s, procs_state(web) == 'T');
    fosterctl_says(s, "web: SIGCONT sent to 1 process\n", "kill", "CONT", "web");
    (void)scenario_wait(s, "resumed", "web");
    scenario_check(s, procs_state(web) != 'T');
    fosterctl_check(s, fosterctl_run(s, "signal", "HUP", "job"), 3, "job: not running\n", "");
    fosterctl_check(s, fosterctl_run(s, "signal", "CONT", "*"), 3, "web: SIGCONT *\njob: not running\n", "");
    fosterctl_check(s, fosterctl_run(s, "signal", "HUPP", "web"), 2, "", "fosterctl: HUPP is no signal; *\n");
    end(s);
}

static void s08_events(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "job: done in *s\n", "start", "job");
    fosterctl_says(s, "*:*:*.* job exited exited with code 0 after *s; done\n", "events", "-n", "1", "job");
    fosterctl_says(s, "*:*:*.* db started *\n*:*:*.* db ready *\n", "events", "db");
    fosterctl_says(s, "", "events", "-n", "0");
    fosterctl_check(s, fosterctl_run(s, "events", "-n", "x"), 2, "", "fosterctl: x is no number*\n");
    fosterctl_check(s, fosterctl_run(s, "events", "nope"), 4, "",
                    "fosterctl: no such service: nope; fosterctl list *\n");
    end(s);
}

static void s09_wait(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "db: ready\nweb.1: ready\nweb.2: ready\n", "wait", "--for=up");
    fosterctl_says(s, "job: stopped\n", "wait", "--for", "down", "job");
    fosterctl_says(s, "slow: *ing\n", "start", "slow", "--no-wait");
    fosterctl_check(s, fosterctl_run(s, "wait", "--for=done", "-t", "20ms", "slow"), 3, "slow: still * after *s\n", "");
    struct fosterctl *f = fosterctl_start(s, "wait", "--for=up", "slow", "db", "-t", "1h");
    (void)fosterctl_await(f, "db: ready\n");
    scenario_open_gate(s, "gate");
    fosterctl_check(s, fosterctl_end(f), 0, "slow: done in *s\n", "");
    fosterctl_check(s, fosterctl_run(s, "start", "bad"), 1, NULL, "");
    fosterctl_check(s, fosterctl_run(s, "wait", "--for=ready", "bad"), 1, "bad: *exited with code 3*\n oops\n", "");
    fosterctl_check(s, fosterctl_run(s, "wait", "bad"), 2, "", "fosterctl: wait needs --for=STATE; *\n");
    fosterctl_check(s, fosterctl_run(s, "wait", "--for=redy", "bad"), 2, "", "fosterctl: redy is no state; *\n");
    end(s);
}

static void s10_health_and_reset(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "all is well: 3 ready or done\n", "health");
    fosterctl_says(s, "", "health", "-q", "web", "db");
    fosterctl_check(s, fosterctl_run(s, "health", "db", "job"), 3, "job: stopped\n", "");
    fosterctl_says(s, "slow: *ing\n", "start", "slow", "--no-wait");
    (void)scenario_wait_state(s, "slow", "running");
    fosterctl_check(s, fosterctl_run(s, "health"), 3, "slow: running*\n", "");
    scenario_open_gate(s, "gate");
    (void)scenario_wait_state(s, "slow", "done");
    fosterctl_says(s, "all is well: 4 ready or done\n", "health");
    fosterctl_check(s, fosterctl_run(s, "start", "bad"), 1, NULL, "");
    fosterctl_check(s, fosterctl_run(s, "health"), 3, "bad: failed: exited with code 3*\n", "");
    fosterctl_check(s, fosterctl_run(s, "health", "--quiet", "bad"), 3, "", "");
    fosterctl_check(s, fosterctl_run(s, "health", "nope"), 4, "",
                    "fosterctl: no such service: nope; fosterctl list *\n");
    fosterctl_says(s, "bad: stopped\n", "reset", "bad");
    fosterctl_says(s, "all is well: 4 ready or done\n", "health");
    fosterctl_check(s, fosterctl_run(s, "reset"), 2, "", "fosterctl: reset needs the name of a service; *\n");
    end(s);
}

/* Those that were up tell it in the order in which they have come up, which is theirs to choose. */
static void scale_web_to_three(struct scenario *s)
{
    struct command got = fosterctl_run(s, "scale", "web=3");
    bool second_first = strncmp(got.out, "web.2", strlen("web.2")) == 0;
    fosterctl_check(s, got, 0,
                    second_first ? "web.2: ready\nweb.1: ready\nweb.3: ready in *s\n"
                                 : "web.1: ready\nweb.2: ready\nweb.3: ready in *s\n",
                    "");
}

static void s11_config(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    scale_web_to_three(s);
    struct command got = fosterctl_run(s, "config");
    fosterctl_check(s, got, 0, NULL, "");
    (void)scenario_write(s, "foster.yaml", 0644, got.out);
    struct command checked = command_run(s, "--check", "-c", scenario_path(s, "foster.yaml"));
    scenario_check(s, checked.code == 0 && !strstr(checked.err, "warning"));
    /* What is in force, scaled, is what the file says now. */
    fosterctl_says(s, "no service has changed\n", "reload");
    end(s);
}

static void s12_graph(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s,
                   "db ready\nweb ready, 2 instances\n`- db service_started\njob stopped\nbad stopped\nslow stopped\n"
                   "deaf stopped\nextra skipped\n",
                   "graph");
    fosterctl_says(s,
                   "digraph foster {\n rankdir=LR;\n node [*];\n edge [*];\n"
                   " \"db\" [fillcolor=\"#d3f0d3\", tooltip=\"ready\"];\n"
                   " \"web\" [fillcolor=\"#d3f0d3\", tooltip=\"ready\"];\n"
                   " \"job\" [*, tooltip=\"stopped\"];\n \"bad\" [*];\n \"slow\" [*];\n \"deaf\" [*];\n"
                   " \"extra\" [*, tooltip=\"skipped\"];\n"
                   " \"web\" -> \"db\" [label=\"service_started\"];\n}\n",
                   "graph", "--dot");
    struct command svg = fosterctl_run(s, "graph", "--svg");
    size_t boxes = 0;
    fosterctl_check(s, svg, 0, NULL, "");
    for (const char *at = svg.out; (at = strstr(at, "<rect ")) != NULL; at++) {
        boxes++;
    }
    scenario_check(s, boxes == 7 && !strncmp(svg.out, "<svg ", 5) && strstr(svg.out, "\n</svg>\n"));
    fosterctl_check(s, fosterctl_run(s, "graph", "--svg", "--dot"), 2, "", "fosterctl: choose one of *\n");
    end(s);
}

static void s13_scale(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    pid_t first = wait_started(s, "web.1"), second = wait_started(s, "web.2");
    scale_web_to_three(s);
    (void)scenario_wait_text(s, "config", NULL, "in force");
    fosterctl_says(s, "~ web (scale)\n", "scale", "web=1", "--no-wait");
    (void)scenario_wait_text(s, "config", NULL, "in force");
    procs_wait_end(s, second);
    scenario_check(s, procs_is_alive(first) && scenario_count(s, "started", "web.1") == 1);
    fosterctl_check(s, fosterctl_run(s, "scale", "web=2", "db=2"), 0,
                    "web.1: ready\nweb.2: ready in *s\ndb.1: ready\ndb.2: ready in *s\n", "");
    fosterctl_says(s, TABLE "web.1 *\nweb.2 *\n", "ps", "web");
    fosterctl_says(s, "~ web (scale)\n", "scale", "web=0");
    scenario_check(s, !procs_is_alive(first));
    /* The file knows nothing of that. */
    fosterctl_says(s, "~ db (scale)\n~ web (scale)\ndb: ready\nweb.*: ready in *s\nweb.*: ready in *s\n", "reload");
    fosterctl_check(s, fosterctl_run(s, "scale", "web"), 2, "", "fosterctl: web does not say how many; *\n");
    fosterctl_check(s, fosterctl_run(s, "scale", "web=10001"), 2, "", "fosterctl: instances: at most 10000\n");
    fosterctl_check(s, fosterctl_run(s, "scale", "wbe=1"), 4, "", "fosterctl: no such service: wbe; is it web?\n");
    end(s);
}

/* A service that takes its time with its end. */
#define STICKY                                                                                                         \
    "services:\n"                                                                                                      \
    "  sticky: { command: '@ACTOR@ on TERM [ await @DIR@/gate exit 0 ] print up wait' }\n"

static void s14_shutdown_waits(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, STICKY);
    (void)scenario_wait_line(s, "sticky", "up");
    struct fosterctl *f = fosterctl_start(s, "shutdown");
    (void)scenario_wait(s, "stopping", "sticky");
    fosterctl_check(s, fosterctl_run(s, "down", "--timeout", "20ms"), 3, "",
                    "fosterctl: fosterd is still stopping; *\n");
    fosterctl_check(s, fosterctl_run(s, "health"), 3, NULL, "");
    fosterctl_check(s, fosterctl_run(s, "start", "sticky"), 1, "",
                    "fosterctl: fosterd is stopping; start is refused\n");
    fosterctl_check(s, fosterctl_run(s, "reload"), 1, "", "fosterctl: *stop*\n");
    scenario_check(s, procs_is_alive(fosterctl_pid(f)));
    scenario_open_gate(s, "gate");
    fosterctl_check(s, fosterctl_end(f), 0, "fosterd has ended\n", "");
    scenario_end(s, 0);
}

static void s15_shutdown_now(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "deaf: ready in *s\n", "start", "deaf");
    (void)scenario_wait_line(s, "deaf", "up");
    fosterctl_says(s, "fosterd has ended\n", "shutdown", "--now");
    scenario_end(s, 0);
}

static void s16_list_and_doctor(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "db\nweb\nweb.1\nweb.2\njob\nbad\nslow\ndeaf\nextra\n", "list");
    fosterctl_says(s, "db\nweb\nweb.1\nweb.2\njob\nbad\nslow\ndeaf\nextra\n", "list", "--names");
    struct command got = fosterctl_run(s, "doctor");
    char *socket = scenario_expand(s, " @DIR@/run/control.sock\n");
    fosterctl_check(s, got, 0, NULL, "");
    scenario_check(s,
                   strstr(got.out, "  kernel  ") && strstr(got.out, "\nok    subreaper  ") && strstr(got.out, socket));
    free(socket);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s01_ps),           SCENARIO(s02_tree),
        SCENARIO(s03_start),        SCENARIO(s04_stop),
        SCENARIO(s05_restart),      SCENARIO(s06_reload),
        SCENARIO(s07_signal),       SCENARIO(s08_events),
        SCENARIO(s09_wait),         SCENARIO(s10_health_and_reset),
        SCENARIO(s11_config),       SCENARIO(s12_graph),
        SCENARIO(s13_scale),        SCENARIO(s14_shutdown_waits),
        SCENARIO(s15_shutdown_now), SCENARIO(s16_list_and_doctor),
    };
    return SCENARIO_RUN("s_verbs", tests);
}
