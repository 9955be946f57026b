/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Contradictions in how a service becomes ready, is checked, stopped, reloaded and run again, and their harmless
 * neighbours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

#define WEB "services:\n  web:\n    command: run\n    "
#define DB  "  db: { command: db }\n"

static void refuses_what_a_oneshot_cannot_have(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "type: oneshot\n    ready: { fd: 3 }\n",
         "f.yaml:5:12: `ready` on a oneshot, which is ready when it has ended with success; remove it\n"},
        {WEB "type: oneshot\n    healthcheck: { test: a }\n",
         "f.yaml:5:18: `healthcheck` on a oneshot, which has ended when it is ready; remove it\n"},
        {WEB "type: oneshot\n    watchdog: 1s\n",
         "f.yaml:5:15: `watchdog` on a oneshot, which has ended when it is ready; limit it by `start_timeout`\n"},
        {WEB "type: oneshot\n    post_start: [a]\n",
         "f.yaml:5:17: `post_start` on a oneshot, which has ended when it is ready; use `post_stop`\n"},
        {WEB "type: oneshot\n    pre_stop: [a]\n",
         "f.yaml:5:15: `pre_stop` on a oneshot, which has ended when it is ready; use `post_stop`\n"},
        {WEB "type: oneshot\n    reload: { signal: HUP }\n",
         "f.yaml:5:13: `reload` on a oneshot, which ends by itself; run it again instead\n"},
        {WEB "type: oneshot\n    reload: { command: a }\n",
         "f.yaml:5:13: `reload` on a oneshot, which ends by itself; run it again instead\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    config_bench_service(&b, WEB
                         "type: oneshot\n    pre_start: [a]\n    post_stop: [b]\n    sockets: [80]\n    watchdog: 0\n"
                         "    post_start: []\n    healthcheck: { disable: true }\n");
    assert_string_equal(config_bench_problems(&b), "");
    config_bench_done(&b);
}

static void refuses_signs_that_cannot_come(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "type: notify\n    ready: { tcp: 'localhost:1' }\n",
         "f.yaml:5:12: `ready` with `type: notify`, which is ready by READY=1; remove it, or write another type\n"},
        {WEB "ready: { log: a }\n    logging: { driver: inherit }\n",
         "f.yaml:4:19: `log` is about output that `driver: inherit` keeps from fosterd; use the driver stdout\n"},
        {WEB "ready: { log: a }\n    logging: { driver: none }\n",
         "f.yaml:4:19: `log` is about output that `driver: none` keeps from fosterd; use the driver stdout\n"},
        {WEB "ready: { fd: 4 }\n    sockets: [80, 81]\n",
         "f.yaml:4:18: descriptor 4 is one of `sockets`; write 5 or more\n"},
        {WEB "ready: { after: 1m }\n",
         "f.yaml:4:21: `after` (1m) comes too late, for `start_timeout` is 1m; make that longer\n"},
    };
    static const char *const good[] = {
        WEB "type: notify\n    ready: { notify: true }\n    watchdog: 5s\n",
        WEB "type: forking\n    ready: { notify: true }\n",
        WEB "ready: { fd: 5 }\n    sockets: [80, 81]\n",
        WEB "ready: { fd: 3 }\n    logging: { driver: inherit }\n",
        WEB "ready: { after: 59999ms }\n",
        WEB "ready: { after: 1d }\n    start_timeout: 0\n",
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        config_bench_service(&b, good[i]);
        assert_string_equal(config_bench_problems(&b), "");
    }
    config_bench_done(&b);
}

static void refuses_schedules_of_what_does_not_end(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "schedule: { every: 1h }\n",
         "f.yaml:4:15: `schedule` with `type: auto`, which does not end by itself; write `type: oneshot`\n"},
        {WEB "type: oneshot\n    restart: always\n    schedule: { every: 1h }\n",
         "f.yaml:6:15: `schedule` with `restart: always`, which runs it again at once; write on-failure or no\n"},
        {WEB "type: simple\n    restart: unless-stopped\n    schedule: { every: 1h }\n",
         "f.yaml:6:15: `schedule` with `type: simple`, which does not end by itself; write `type: oneshot`\n"
         "f.yaml:6:15: `schedule` with `restart: unless-stopped`, which runs it again at once; write on-failure or "
         "no\n"},
    };
    static struct config_bench b;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    config_bench_service(&b, WEB "type: oneshot\n    restart: on-failure:3\n    schedule: { every: 1h }\n");
    config_bench_done(&b);
}

static void refuses_to_wait_for_health_that_nobody_checks(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "depends_on: { db: { condition: service_healthy } }\n" DB,
         "f.yaml:4:19: `web` waits for `db` to be healthy, which has no `healthcheck`; add one, or write "
         "service_ready\n"},
        {WEB "depends_on: { db: { condition: service_healthy } }\n"
             "  db: { command: db, healthcheck: { test: a, disable: true } }\n",
         "f.yaml:4:19: `web` waits for `db` to be healthy, which has no `healthcheck`; add one, or write "
         "service_ready\n"},
        {WEB "depends_on: { db: { condition: service_healthy } }\n  db: { command: db, healthcheck: { test: a, "
             "retries: x } }\n",
         "f.yaml:5:55: `x` is not a whole number; write one from 1 to 1000000\n"},
        {WEB "depends_on: { db: { condition: service_healthy } }\n  db: { command: db, healthcheck: x }\n",
         "f.yaml:5:35: `healthcheck` is a single value; it takes a map\n"},
    };
    static struct config_bench b;
    const struct spec *web;

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    web = config_bench_service(&b, WEB "depends_on: { db: { condition: service_healthy, restart: true } }\n"
                                       "  db: { command: db, healthcheck: { test: a } }\n");
    assert_int_equal(web->depends_on[0].condition, SPEC_COND_HEALTHY);
    assert_true(web->depends_on[0].restart);
    config_bench_done(&b);
}

/* What is inherited is meant for those that it fits. */
static void warns_of_what_follows_from_nothing(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {WEB "on_unhealthy: shutdown\n",
         "f.yaml:4:19: warning: `on_unhealthy` without a `healthcheck` means nothing; add one, or remove it\n"},
        {WEB "on_unhealthy: restart\n", ""},
        {WEB "on_unhealthy: shutdown\n    healthcheck: { tcp: 'localhost:1' }\n", ""},
        {WEB "on_unhealthy: shutdown\n    healthcheck: { disable: true }\n", ""},
        {"defaults: { on_unhealthy: shutdown, healthcheck: { interval: 1s } }\n" WEB "\n", ""},
        {"x-a: &a { on_unhealthy: shutdown, reload: {}, schedule: { overlap: queue } }\n" WEB "<<: *a\n", ""},
    };
    static struct config_bench b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        config_bench_service(&b, cases[i].text);
        assert_string_equal(config_bench_problems(&b), cases[i].says);
    }
    config_bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_a_oneshot_cannot_have),
        cmocka_unit_test(refuses_signs_that_cannot_come),
        cmocka_unit_test(refuses_schedules_of_what_does_not_end),
        cmocka_unit_test(refuses_to_wait_for_health_that_nobody_checks),
        cmocka_unit_test(warns_of_what_follows_from_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
