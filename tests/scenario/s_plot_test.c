/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: `fosterctl plot`, as picture and as data: who waited for whom, what took how long, in the order in which it was.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* db is ready when the test lets it; api waits for it and for a job behind it; crash goes wrong again and again. */
#define SHOP                                                                                                           \
    "name: shop\n"                                                                                                     \
    "supervisor: { exit_when: never }\n"                                                                               \
    "services:\n"                                                                                                      \
    "  db: { command: '@ACTOR@ await @DIR@/gate print up wait', ready: { log: '^up$$' } }\n"                           \
    "  cache: { command: '@ACTOR@ wait' }\n"                                                                           \
    "  migrate:\n"                                                                                                     \
    "    { type: oneshot, command: '@ACTOR@ exit 0', depends_on: { db: { condition: service_ready } } }\n"             \
    "  api:\n"                                                                                                         \
    "    command: '@ACTOR@ wait'\n"                                                                                    \
    "    depends_on:\n"                                                                                                \
    "      { migrate: { condition: service_completed_successfully }, cache: { condition: service_started } }\n"        \
    "  crash: { command: '@ACTOR@ exit 3', restart: { delay: 10ms, max_delay: 10ms, max_attempts: 6 } }\n"             \
    "  never: { command: '@ACTOR@ wait', depends_on: { crash: { condition: service_completed_successfully } } }\n"     \
    "  asleep: { type: oneshot, command: '@ACTOR@ exit 0', schedule: { every: 1h } }\n"                                \
    "  idle: { command: '@ACTOR@ wait', autostart: false }\n"

static json_t *plot_data(struct scenario *s)
{
    struct command got = fosterctl_run(s, "--json", "plot");
    fosterctl_check(s, got, 0, NULL, "");
    json_t *value = schema_read(s, got.out);
    schema_check(s, "plot", value);
    return value;
}

static json_t *row(struct scenario *s, const json_t *data, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(data, "services"), i, one)
    {
        if (!strcmp(json_string_value(json_object_get(one, "name")), name)) {
            return one;
        }
    }
    scenario_fail(s, "there is no %s", name);
}

/* The member KEY of ONE, which has to be a time. */
static json_int_t at(struct scenario *s, const json_t *one, const char *key)
{
    const json_t *value = json_object_get(one, key);
    if (!json_is_integer(value)) {
        char *text = json_dumps(one, 0);
        scenario_fail(s, "%s is no time in %s", key, text);
    }
    return json_integer_value(value);
}

/* Fails unless the time KEY of ONE is not before BEFORE; that. */
static json_int_t after(struct scenario *s, json_int_t before, const json_t *one, const char *key)
{
    json_int_t now = at(s, one, key);
    if (now < before) {
        char *text = json_dumps(one, 0);
        scenario_fail(s, "%s is before %lld in %s", key, (long long)before, text);
    }
    return now;
}

static void check_is(struct scenario *s, const json_t *one, const char *key, const char *text)
{
    const char *is = json_string_value(json_object_get(one, key));
    scenario_check(s, text ? is && !strcmp(is, text) : json_is_null(json_object_get(one, key)));
}

static struct scenario *start_shop(void)
{
    struct scenario *s = scenario_new();
    scenario_gate(s, "gate");
    scenario_spawn(s, NULL, SHOP);
    (void)scenario_wait(s, "failed", "never");
    return s;
}

static void check_while_it_starts(struct scenario *s)
{
    json_t *data = plot_data(s), *db = row(s, data, "db");
    (void)after(s, after(s, after(s, 0, db, "waiting_ms"), db, "starting_ms"), db, "started_ms");
    check_is(s, db, "ready_ms", NULL);
    check_is(s, row(s, data, "migrate"), "starting_ms", NULL);
    check_is(s, row(s, data, "idle"), "waiting_ms", NULL);
}

/* Six attempts behind the first: the first of all is kept, and of the others the last three. */
static void check_tries(struct scenario *s, const json_t *crash)
{
    const json_t *tries = json_object_get(crash, "tries"), *one;
    json_int_t before = at(s, crash, "waiting_ms");
    size_t i;
    if (json_array_size(tries) != 4 || at(s, crash, "restarts") != 6) {
        scenario_fail(s, "%s", json_dumps(crash, 0));
    }
    json_array_foreach(tries, i, one)
    {
        before = after(s, after(s, before, one, "starting_ms"), one, "ended_ms");
    }
    (void)after(s, after(s, before, crash, "starting_ms"), crash, "ended_ms");
    check_is(s, crash, "state", "failed");
    check_is(s, crash, "ready_ms", NULL);
}

static void check_when_all_is_up(struct scenario *s)
{
    json_t *data = plot_data(s), *db = row(s, data, "db"), *migrate = row(s, data, "migrate"),
           *api = row(s, data, "api");
    json_int_t ready = after(s, at(s, db, "started_ms"), db, "ready_ms");
    json_int_t done = after(s, after(s, ready, migrate, "starting_ms"), migrate, "ended_ms");
    (void)after(s, after(s, done, api, "starting_ms"), api, "ready_ms");
    check_is(s, db, "blocked_by", NULL);
    check_is(s, migrate, "blocked_by", "db");
    check_is(s, api, "blocked_by", "migrate");
    check_is(s, api, "ended_ms", NULL);
    check_tries(s, row(s, data, "crash"));
    check_is(s, row(s, data, "never"), "starting_ms", NULL);
    (void)after(s, 0, row(s, data, "never"), "ended_ms");
    scenario_check(s, json_is_true(json_object_get(row(s, data, "asleep"), "scheduled")));
}

/* How often WORD is in TEXT. */
static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text += strlen(word)) {
        n++;
    }
    return n;
}

static void check_picture(struct scenario *s)
{
    struct command got = fosterctl_run(s, "plot");
    fosterctl_check(s, got, 0, NULL, "");
    scenario_check(s, !strncmp(got.out, "<svg xmlns=", 11) && !strcmp(got.out + strlen(got.out) - 7, "</svg>\n"));
    scenario_check(s, !strstr(got.out, "<script") && !strstr(got.out, "href"));
    scenario_check(s, count(got.out, "<g>") == 7 && count(got.out, "</g>") == 7);
    scenario_check(s, count(got.out, "class=\"b e\"") == 3);
    scenario_check(s, strstr(got.out, "critical chain:") && !strstr(got.out, ">idle<"));
    got = fosterctl_run(s, "plot", "--text", "api", "crash");
    fosterctl_check(s, got, 0, NULL, "");
    scenario_check(s, strstr(got.out, "\napi ") && strstr(got.out, "\ncrash ") && !strstr(got.out, "db "));
}

static void s41_a_start_as_it_was(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    check_while_it_starts(s);
    scenario_open_gate(s, "gate");
    (void)scenario_wait(s, "ready", "api");
    check_when_all_is_up(s);
    check_picture(s);
    json_int_t first = at(s, row(s, plot_data(s), "api"), "ready_ms");
    fosterctl_says(s, NULL, "restart", "--no-deps", "api");
    json_t *api = row(s, plot_data(s), "api");
    (void)after(s, after(s, first, api, "waiting_ms"), api, "ready_ms");
    check_is(s, api, "blocked_by", NULL);
    fosterctl_says(s, NULL, "stop", "api");
    api = row(s, plot_data(s), "api");
    (void)after(s, at(s, api, "ready_ms"), api, "ended_ms");
    (void)fosterctl_run(s, "shutdown", "--now");
    scenario_end(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s41_a_start_as_it_was),
    };
    return SCENARIO_RUN("s_plot", tests);
}
