/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: `fosterctl logs`: what was written, in memory and in files, and what is written from then on, through restarts and
 * the deaths of loggers.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/procs.h"
#include "scenario/support/schema.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLACE                                                                                                          \
    "supervisor: { exit_when: never }\n"                                                                               \
    "services:\n"                                                                                                      \
    "  web: { command: '@ACTOR@ print one print two await @DIR@/gate print three wait' }\n"                            \
    "  db:\n"                                                                                                          \
    "    command: '@ACTOR@ lines 3000 wait'\n"                                                                         \
    "    logging: { driver: file, options: { path: '@DIR@/db.log', max-size: 8k, max-file: 1000, timestamps: true } "  \
    "}\n"                                                                                                              \
    "  mute: { command: '@ACTOR@ wait', logging: { driver: none } }\n"

static pid_t logger_of(struct scenario *s)
{
    static struct procs children;
    procs_all_children(scenario_pid(s), &children);
    for (size_t i = 0; i < children.n; i++) {
        if (procs_is_logger(children.pids[i])) {
            return children.pids[i];
        }
    }
    scenario_fail(s, "there is no logger");
}

/* One in which the services have written what they write first. */
static struct scenario *begin(void)
{
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, PLACE);
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_wait_line(s, "web", "two");
    return s;
}

static void s90_lines_that_were_written(void **state)
{
    (void)state;
    struct scenario *s = begin();
    fosterctl_says(s, "web | one\nweb | two\n", "logs", "web");
    fosterctl_says(s, "web | two\n", "logs", "-n1", "w*");
    fosterctl_says(s, "one\ntwo\n", "logs", "--no-prefix", "--since", "1h", "web");
    fosterctl_says(s, "*-*-*T*:*:*.*Z one\n*-*-*T*Z two\n", "logs", "--no-prefix", "-t", "web");
    fosterctl_check(s, fosterctl_run(s, "logs", "mute"), 1, "", "*driver: none*\n");
    fosterctl_check(s, fosterctl_run(s, "logs", "wbe"), 4, "", "*is it web?\n");
    struct command got = fosterctl_run(s, "--json", "logs", "-n", "1", "web");
    json_t *line = schema_read(s, got.out);
    schema_check(s, "logs", line);
    scenario_check(s, strcmp(json_string_value(json_object_get(line, "text")), "two") == 0);
    scenario_stop(s);
}

/* All of what a service has written, though memory holds the end of it only. */
static void s91_older_lines_come_from_files(void **state)
{
    (void)state;
    struct scenario *s = begin();
    char wanted[32];
    struct fosterctl *f = fosterctl_start(s, "logs", "-f", "--no-prefix", "db");
    (void)fosterctl_await(f, "\n3000\n");
    (void)kill(fosterctl_pid(f), SIGINT);
    scenario_check(s, fosterctl_end(f).code == 0);
    struct command got = fosterctl_run(s, "logs", "--no-prefix", "db");
    scenario_check(s, got.code == 0);
    const char *at = got.out;
    for (int i = 1; i <= 3000; i++) {
        int n = snprintf(wanted, sizeof(wanted), "%d\n", i);
        if (strncmp(at, wanted, (size_t)n) != 0) {
            scenario_fail(s, "line %d is missing at %.20s", i, at);
        }
        at += n;
    }
    scenario_check(s, *at == '\0');
    fosterctl_says(s, "db | 2999\ndb | 3000\n", "logs", "-n2", "db");
    scenario_stop(s);
}

/* To follow is not to mind who is started anew: the service, the logger. */
static void s92_following(void **state)
{
    (void)state;
    struct scenario *s = begin();
    struct fosterctl *f = fosterctl_start(s, "logs", "-f", "-n1", "web");
    scenario_check(s, strcmp(fosterctl_await(f, "web | two\n"), "") == 0);
    fosterctl_check(s, fosterctl_run(s, "restart", "web"), 0, NULL, "");
    (void)fosterctl_await(f, "web | one\nweb | two\n");
    scenario_check(s, kill(logger_of(s), SIGKILL) == 0);
    scenario_open_gate(s, "gate");
    (void)fosterctl_await(f, "web | three\n");
    /* The end of everything is the end of this, too. */
    fosterctl_check(s, fosterctl_run(s, "shutdown"), 0, NULL, NULL);
    struct command got = fosterctl_end(f);
    fosterctl_check(s, got, 0, "", "");
    scenario_end(s, 0);
}

/* The path is that of the instance. */
static void s93_where_it_goes(void **state)
{
    (void)state;
    struct scenario *s = scenario_new();
    scenario_spawn(s, NULL,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ wait'\n"
                   "    scale: 2\n"
                   "    logging: { driver: file, options: { path: '@DIR@/{service}/{name}.log' } }\n");
    (void)scenario_wait(s, "settled", NULL);
    fosterctl_says(s, "web.2: *\n*\n*\n*\n*\n*\n log file @DIR@/web/web.2.log\n", "status", "web.2");
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s90_lines_that_were_written),
        SCENARIO(s91_older_lines_come_from_files),
        SCENARIO(s92_following),
        SCENARIO(s93_where_it_goes),
    };
    return SCENARIO_RUN("s_logs", tests);
}
