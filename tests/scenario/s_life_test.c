/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: what fosterctl says of the health of services, and `reload SERVICE`.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/schema.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ILL "db: unhealthy: exited with code 1\n"

/* db is well while a file is there; the others can be told to reload in three ways, or not at all. */
#define SHOP                                                                                                           \
    "supervisor: { exit_when: never }\n"                                                                               \
    "services:\n"                                                                                                      \
    "  db:\n"                                                                                                          \
    "    command: '@ACTOR@ wait'\n"                                                                                    \
    "    on_unhealthy: ignore\n"                                                                                       \
    "    healthcheck: { test: 'echo looked; test -e @DIR@/well', interval: 20ms, retries: 1 }\n"                       \
    "  hup: { command: '@ACTOR@ on HUP [ print again ] print up wait', reload: { signal: HUP } }\n"                    \
    "  cmd: { command: '@ACTOR@ wait', reload: { command: '@ACTOR@ print new' } }\n"                                   \
    "  bad: { command: '@ACTOR@ wait', reload: { command: '@ACTOR@ exit 3' } }\n"                                      \
    "  slow: { command: '@ACTOR@ wait', reload: { command: '@ACTOR@ await @DIR@/gate' } }\n"                           \
    "  down: { command: '@ACTOR@ wait', autostart: false, reload: { signal: HUP } }\n"                                 \
    "  asleep: { type: oneshot, command: '@ACTOR@ exit 0', schedule: { every: 1h } }\n"

static struct scenario *start_shop(void)
{
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    (void)scenario_write(s, "well", 0644, "");
    scenario_spawn(s, NULL, SHOP);
    (void)scenario_wait_line(s, "hup", "up");
    return s;
}

static void check(struct scenario *s, int code, const char *out, const char *const *words)
{
    fosterctl_check(s, fosterctl_words(s, words), code, out, "");
}
#define CHECK(s, code, out, ...) check((s), (code), (out), (const char *const[]){__VA_ARGS__, NULL})

static void check_long_form(struct scenario *s)
{
    struct command got = fosterctl_run(s, "--json", "ps", "db");
    fosterctl_check(s, got, 0, NULL, "");
    json_t *value = schema_read(s, got.out);
    schema_check(s, "ps", value);
    const json_t *db = json_array_get(json_object_get(value, "services"), 0);
    const json_t *seen = json_object_get(db, "health_check");
    scenario_check(s, !strcmp(json_string_value(json_object_get(db, "health")), "healthy"));
    scenario_check(s, json_is_true(json_object_get(seen, "last_ok")));
    scenario_check(s, !strcmp(json_string_value(json_object_get(seen, "last_output")), "looked\n"));
    scenario_check(s, json_integer_value(json_object_get(seen, "checks")) > 0);
}

static void s51_health(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    CHECK(s, 0, "db: healthy*\n", "wait", "--for=healthy", "db");
    CHECK(s, 0, "db: healthy: exited with code 0\nall is well: 1 *\n", "health", "db");
    CHECK(s, 0, "", "health", "-q");
    CHECK(s, 3, "NAME STATE HEALTH *\ndb ready healthy *\nasleep waiting 59m* - *\n", "ps", "db", "asleep");
    check_long_form(s);
    assert_int_equal(unlink(scenario_path(s, "well")), 0);
    (void)scenario_wait_text(s, "health", "db", "unhealthy");
    CHECK(s, 3, ILL, "health");
    CHECK(s, 3, ILL, "health", "db");
    CHECK(s, 3, "db: still unhealthy after *\n", "wait", "--for=healthy", "-t", "10ms", "db");
    (void)scenario_write(s, "well", 0644, "");
    CHECK(s, 0, "db: healthy*\n", "wait", "--for=healthy", "db");
    (void)fosterctl_run(s, "shutdown", "--now");
    scenario_end(s, 0);
}

static void s52_reload_of_services(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    fosterctl_says(s, "hup: reload: *\n", "reload", "hup");
    (void)scenario_wait_line(s, "hup", "again");
    fosterctl_says(s, "cmd: reload: exited with code 0\n", "reload", "cmd");
    CHECK(s, 1, "bad: reload: exited with code 3\n", "reload", "bad");
    CHECK(s, 3, "slow: still reloading after *\n", "--timeout", "10ms", "reload", "slow");
    CHECK(s, 1, "slow: *is being reloaded already*\n", "reload", "slow");
    scenario_open_gate(s, "gate");
    fosterctl_check(s, fosterctl_run(s, "reload", "hup", "db"), 1, "",
                    "fosterctl: db has no key reload, which says *; nothing was done\n");
    fosterctl_check(s, fosterctl_run(s, "reload", "down"), 1, "",
                    "fosterctl: down is stopped; only what runs can reload; nothing was done\n");
    (void)fosterctl_run(s, "shutdown", "--now");
    scenario_end(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s51_health),
        SCENARIO(s52_reload_of_services),
    };
    return SCENARIO_RUN("s_life", tests);
}
