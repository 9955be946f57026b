/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * H: many, and nothing to do. A thousand services start and stop; a fosterd whose services are all up asks the kernel
 * for nothing at all.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/idle.h"
#include "scenario/support/procs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { MANY = 1000, SCALE_GUARD_MS = 150000, IDLE_MS = 10000 };

static char *many_services(void)
{
    char *yaml = NULL;
    size_t size;
    FILE *f = open_memstream(&yaml, &size);
    assert_non_null(f);
    (void)fputs("services:\n", f);
    for (int i = 0; i < MANY; i++) {
        (void)fprintf(f, "  s%03d: { command: '@ACTOR@ wait'", i);
        if (i % 10) {
            (void)fprintf(f, ", depends_on: [s%03d]", i / 10 * 10);
        }
        (void)fputs(" }\n", f);
    }
    (void)fclose(f);
    return yaml;
}

static void h01_a_thousand_services_start_and_stop(void **state)
{
    (void)state;
    static struct procs children;
    /* A fork copies the tables of the sanitizers' memory, too: ten times the cost, with nothing more to be found in the
     * tenth hundred than in the first, which the next test has. */
    struct scenario_options o = {.guard_ms = SCALE_GUARD_MS, .fosterd = FOSTERD_PLAIN};
    char *yaml = many_services();
    struct scenario *s = scenario_start_with(&o, yaml);
    free(yaml);
    (void)scenario_wait(s, "settled", NULL);
    scenario_check(s, scenario_count(s, "started", NULL) == MANY);
    scenario_check(s, scenario_count(s, "ready", NULL) == MANY);
    procs_children(scenario_pid(s), &children);
    scenario_check(s, children.n == MANY);
    scenario_stop(s);
    scenario_check(s, scenario_count(s, "exited", NULL) == MANY);
    scenario_check(s, scenario_count(s, "killed", NULL) == 0);
}

static void h02_a_hundred_services_die_together_and_again(void **state)
{
    (void)state;
    enum { CROWD = 100 };
    struct scenario *s = scenario_new();
    struct scenario_options o = {.guard_ms = SCALE_GUARD_MS};
    scenario_gate(s, "gate");
    scenario_spawn(s, &o,
                   "services:\n"
                   "  web:\n"
                   "    command: '@ACTOR@ await @DIR@/gate exit 1'\n"
                   "    scale: 100\n"
                   "    restart: { policy: always, delay: 10ms, max_attempts: 1 }\n");
    (void)scenario_wait(s, "settled", NULL);
    scenario_check(s, scenario_count(s, "exited", NULL) == 0);
    scenario_open_gate(s, "gate");
    (void)scenario_wait_exit(s);
    scenario_check(s, scenario_count(s, "started", NULL) == 2 * CROWD);
    scenario_check(s, scenario_count(s, "exited", NULL) == 2 * CROWD);
    scenario_check(s, scenario_count_state(s, NULL, "backoff") == CROWD);
    scenario_check(s, scenario_count(s, "failed", NULL) == CROWD);
}

static void h03_a_hundred_idle_services_cost_no_system_call(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services: { web: { command: '@ACTOR@ wait', scale: 100 } }\n");
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_sync(s);
    (void)scenario_wait_text(s, NULL, NULL, "has taken over");
    idle_watch(s, IDLE_MS);
    scenario_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(h01_a_thousand_services_start_and_stop),
        SCENARIO(h02_a_hundred_services_die_together_and_again),
        SCENARIO(h03_a_hundred_idle_services_cost_no_system_call),
    };
    return SCENARIO_RUN("h_scale", tests);
}
