/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * S: `fosterctl --json` of every verb, and of every error, against doc/schema/fosterctl.json; what programs go by.
 */
#include "scenario/support/fosterctl.h"
#include "scenario/support/schema.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SHOP                                                                                                           \
    "name: shop\n"                                                                                                     \
    "supervisor: { exit_when: never, log_level: info }\n"                                                              \
    "services:\n"                                                                                                      \
    "  db: { command: '@ACTOR@ orphans 1 [ wait ] print up wait', reload: { signal: CONT } }\n"                        \
    "  web: { command: '@ACTOR@ wait', scale: 2, depends_on: [db] }\n"                                                 \
    "  gone: { command: '@ACTOR@ exit 3', restart: { delay: 1h, max_delay: 1h } }\n"                                   \
    "  job: { type: oneshot, autostart: false, command: '@ACTOR@ print 1 exit 0' }\n"                                  \
    "  bad: { type: oneshot, autostart: false, restart: 'no', command: '@ACTOR@ print oops exit 3' }\n"

/** What was printed by which verb. */
struct said {
    const char *verb; /* its definition in the schema */
    int code;
    const char *words[COMMAND_WORDS_MAX];
};

static struct scenario *start_shop(void)
{
    struct scenario *s = scenario_start(SHOP);
    (void)scenario_wait_line(s, "db", "up");
    (void)scenario_wait_state(s, "gone", "backoff");
    (void)scenario_wait_state(s, "web.1", "ready");
    (void)scenario_wait_state(s, "web.2", "ready");
    return s;
}

static void end(struct scenario *s)
{
    (void)fosterctl_run(s, "shutdown", "--now");
    scenario_end(s, 0);
}

/** Runs ROW, whose output has to be one line of JSON of its verb's definition; that. */
static json_t *ask(struct scenario *s, const struct said *row)
{
    struct command got = fosterctl_words(s, row->words);
    fosterctl_check(s, got, row->code, NULL, "");
    json_t *value = schema_read(s, got.out);
    schema_check(s, row->verb, value);
    return value;
}

static const struct said rows[] = {
    {"ps", 0, {"--json", "ps"}},
    {"ps", 0, {"ls", "--json", "db"}},
    {"ps", 3, {"--json", "status", "gone"}},
    {"ps", 0, {"--json", "ps", "--wide", "w*"}},
    {"tree", 0, {"--json", "tree"}},
    {"tree", 0, {"--json", "tree", "db"}},
    {"zombies", 0, {"--json", "zombies"}},
    {"cure", 0, {"--json", "zombies", "--nudge", "db"}},
    {"start", 0, {"--json", "start", "job", "db"}},
    {"start", 1, {"--json", "start", "bad"}},
    {"start", 0, {"--json", "start", "bad", "--no-wait"}},
    {"stop", 0, {"--json", "stop", "web.1"}},
    {"restart", 0, {"--json", "restart", "web", "--no-deps"}},
    {"reload", 0, {"--json", "reload"}},
    {"reload", 0, {"--json", "reload", "--dry-run"}},
    {"reload_service", 0, {"--json", "reload", "db"}},
    {"signal", 0, {"--json", "signal", "CONT", "db"}},
    {"signal", 3, {"--json", "kill", "-s", "CONT", "--all", "db", "job"}},
    {"wait", 0, {"--json", "wait", "--for=up", "db"}},
    {"wait", 0, {"--json", "wait", "--for=healthy", "db"}},
    {"wait", 1, {"--json", "wait", "--for=ready", "bad"}},
    {"wait", 3, {"--json", "wait", "--for=failed", "-t", "10ms", "db"}},
    {"health", 3, {"--json", "health"}},
    {"health", 0, {"--json", "health", "db", "-q"}},
    {"events", 0, {"--json", "events", "-n", "1"}},
    {"logs", 0, {"--json", "logs", "-n", "1", "db"}},
    {"reset", 0, {"--json", "reset", "bad", "gone"}},
    {"config", 0, {"--json", "config"}},
    {"graph", 0, {"--json", "graph"}},
    {"plot", 0, {"--json", "plot"}},
    {"plot", 0, {"--json", "plot", "web"}},
    {"scale", 0, {"--json", "scale", "web=3", "db=1"}},
    {"scale", 0, {"--json", "scale", "web=1", "--no-wait"}},
    {"list", 0, {"--json", "list"}},
    {"doctor", 0, {"--json", "doctor"}},
    {"shutdown", 0, {"--json", "shutdown", "--now"}},
};

static bool is_asked(const char *verb)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!strcmp(rows[i].verb, verb)) {
            return true;
        }
    }
    return false;
}

static void s31_every_verb(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    static const char *const verbs[] = {
#define VERB(id, name, aliases, operands, min, max, help) #name,
#include "ctl/verbs.def"
    };
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (!is_asked(verbs[i])) {
            scenario_fail(s, "no row asks for --json of %s", verbs[i]);
        }
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)ask(s, &rows[i]);
    }
    scenario_end(s, 0);
}

/** Fails unless OBJECT has TEXT, in which ' stands for ", and perhaps more. */
static void check_has(struct scenario *s, const json_t *object, const char *text)
{
    const char *key;
    json_t *value;
    char *json = strdup(text);
    for (char *at = json; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    json_t *wanted = json_loads(json, 0, NULL);
    scenario_check(s, wanted);
    json_object_foreach(wanted, key, value)
    {
        if (!json_equal(value, json_object_get(object, key))) {
            char *got = json_dumps(object, 0);
            print_error("%s\n", got);
            free(got);
            scenario_fail(s, "%s is not as in %s", key, json);
        }
    }
    json_decref(wanted);
    free(json);
}

/** Element NAME of the array `services` of RESULT. */
static json_t *service(struct scenario *s, const json_t *result, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(result, "services"), i, one)
    {
        const char *its = json_string_value(json_object_get(one, "name"));
        if (its && !strcmp(its, name)) {
            return one;
        }
    }
    scenario_fail(s, "there is no %s", name);
}

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void s32_what_is_so(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    /* Orphans whose parents were not ours come without a word: it takes a look at who is there. */
    (void)ask(s, &(struct said){"tree", 0, {"--json", "tree"}});
    json_t *ps = ask(s, &(struct said){"ps", 0, {"--json", "ps"}});
    json_t *daemon = json_object_get(ps, "daemon");
    check_has(s, daemon, "{'name':'shop','settled':true,'stopping':false,'init':false}");
    scenario_check(s, number(daemon, "pid") == scenario_pid(s) && number(daemon, "adopted") == 1);
    check_has(s, service(s, ps, "web.2"), "{'service':'web','instance':2,'state':'ready','wanted':true,'restarts':0}");
    check_has(s, service(s, ps, "gone"), "{'state':'backoff','pid':null,'uptime_ms':null}");
    check_has(s, json_object_get(service(s, ps, "gone"), "last_exit"), "{'code':3,'signal':null,'core':null}");
    check_has(s, service(s, ps, "job"), "{'state':'stopped','wanted':false,'starts':0,'last_exit':null}");
    /* Nobody has ever started it: it has been so since the start of fosterd, not since that of the machine. */
    scenario_check(s, number(service(s, ps, "job"), "state_ms") <= number(daemon, "uptime_ms"));
    json_t *bad = service(s, ask(s, &(struct said){"start", 1, {"--json", "start", "bad"}}), "bad");
    check_has(s, bad, "{'ok':false,'done':true,'state':'failed','pid':null,'lines':['oops']}");
    json_t *db = service(s, ask(s, &(struct said){"ps", 0, {"--json", "ps", "db"}}), "db");
    check_has(s, db, "{'type':'auto','dependents':['web'],'lines':['up'],'processes':2,'adopted':1,'zombies':0}");
    json_t *event = ask(s, &(struct said){"events", 0, {"--json", "events", "-n", "1", "gone"}});
    check_has(s, event, "{'service':'gone','level':'warn'}");
    end(s);
}

static void s33_every_error(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    json_t *e = ask(s, &(struct said){"error", 4, {"--json", "ps", "wbe"}});
    check_has(s, json_object_get(e, "error"), "{'code':4,'data':{'service':'wbe','similar':'web'}}");
    e = ask(s, &(struct said){"error", 2, {"--json", "scale", "web=10001"}});
    check_has(s, json_object_get(e, "error"), "{'code':-32602,'data':{'param':'instances'}}");
    e = ask(s, &(struct said){"error", 2, {"--json", "start"}});
    check_has(s, json_object_get(e, "error"), "{'code':null,'data':null}");
    e = ask(s, &(struct said){"error", 4, {"--json", "-s", "/nobody/here", "ps"}});
    check_has(s, json_object_get(e, "error"), "{'code':null}");
    (void)scenario_write(s, "foster.yaml", 0644, "services: { db: { comand: x, scale: many } }\n");
    e = json_object_get(ask(s, &(struct said){"error", 1, {"--json", "reload"}}), "error");
    check_has(s, e, "{'code':6}");
    json_t *problems = json_object_get(json_object_get(e, "data"), "problems");
    scenario_check(s, json_array_size(problems) == 2);
    for (size_t i = 0; i < 2; i++) {
        schema_check(s, "problem", json_array_get(problems, i));
    }
    check_has(s, json_array_get(problems, 0), "{'line':1,'column':19,'level':'error'}");
    end(s);
}

/* One object a line, as long as somebody reads. */
static void s34_events_as_they_come(void **state)
{
    (void)state;
    struct scenario *s = start_shop();
    struct fosterctl *f = fosterctl_start(s, "--json", "events", "-f", "-n", "1", "gone", "job");
    json_int_t last = 0;
    (void)fosterctl_run(s, "start", "job");
    for (bool over = false; !over;) {
        char line[1024];
        (void)snprintf(line, sizeof(line), "%s\n", fosterctl_await(f, "\n"));
        json_t *event = schema_read(s, line);
        schema_check(s, "events", event);
        scenario_check(s, number(event, "seq") > last);
        last = number(event, "seq");
        over = !strcmp(json_string_value(json_object_get(event, "event")), "done") ||
               (!strcmp(json_string_value(json_object_get(event, "event")), "exited") && number(event, "code") == 0);
    }
    assert_int_equal(kill(fosterctl_pid(f), SIGINT), 0);
    fosterctl_check(s, fosterctl_end(f), 0, NULL, "");
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(s31_every_verb),
        SCENARIO(s32_what_is_so),
        SCENARIO(s33_every_error),
        SCENARIO(s34_events_as_they_come),
    };
    return SCENARIO_RUN("s_json", tests);
}
