/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Q: each method of the control protocol against a live fosterd: what it does, and that its answer has the members that
 * doc/protocol.md names, no more and no fewer.
 */
#include "scenario/support/ctl_kit.h"
#include "scenario/support/procs.h"
#include "scenario/support/scenario.h"

#include <signal.h>
#include <string.h>

#define SERVICE_KEYS                                                                                                   \
    "name service instance state health health_check wanted pid state_ms uptime_ms starts restarts last_exit "         \
    "next_start_ms next_run hook status_text errno reloading watchdog_ms stored_fds reason command"
#define DAEMON_KEYS  "name pid version uptime_ms init settled stopping reaped adopted unclaimed logger config"
#define OUTCOME_KEYS "name ok done state text ms pid lines"
#define CHANGE_KEYS  "action service keys effect text"
#define RELOAD_KEYS  "ok dry_run changes later warnings services"

/* Two instances, a dependency, one that only somebody starts, one that no profile selects. */
static const char shop[] = "name: shop\n"
                           "supervisor: { exit_when: never }\n"
                           "services:\n"
                           "  db: { command: ['@ACTOR@', print, \"it's up\", wait] }\n"
                           "  web:\n"
                           "    command: '@ACTOR@ wait'\n"
                           "    scale: 2\n"
                           "    depends_on: [db]\n"
                           "  job: { type: oneshot, autostart: false, command: '@ACTOR@ print 1 print 2 exit 0' }\n"
                           "  extra: { profiles: [more], command: '@ACTOR@ wait' }\n";

static struct scenario *start_shop(struct ctl **ret)
{
    struct scenario *s = scenario_start(shop);
    (void)scenario_wait(s, "settled", NULL);
    (void)scenario_wait_line(s, "db", "it's up");
    *ret = ctl_open(s);
    return s;
}

static void end(struct scenario *s, struct ctl *c)
{
    ctl_close(c);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}

static bool is_text(struct ctl *c, const json_t *object, const char *key, const char *text)
{
    return strcmp(ctl_text(c, object, key), text) == 0;
}

/* The strings of the array ARRAY, with a blank behind each; valid until the next call. */
static const char *joined(const json_t *array)
{
    static char text[512];
    size_t i;
    json_t *it;
    text[0] = '\0';
    json_array_foreach(array, i, it)
    {
        (void)strncat(text, json_string_value(it), sizeof(text) - strlen(text) - 1);
        (void)strncat(text, " ", sizeof(text) - strlen(text) - 1);
    }
    return text;
}

/* The names of the services of RESULT. */
static const char *names_of(const json_t *result)
{
    static char text[512];
    json_t *names = json_array(), *it;
    size_t i;
    json_array_foreach(json_object_get(result, "services"), i, it)
    {
        (void)json_array_append(names, json_object_get(it, "name"));
    }
    (void)strcpy(text, joined(names));
    json_decref(names);
    return text;
}

static void q21_hello(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "hello", "{'protocol':1}");
    ctl_check_keys(c, r, "protocol version pid name capabilities");
    scenario_check(s, ctl_number(c, r, "protocol") == 1 && is_text(c, r, "name", "shop"));
    scenario_check(s, ctl_number(c, r, "pid") == scenario_pid(s));
    scenario_check(s, strcmp(joined(json_object_get(r, "capabilities")), "act ") == 0);
    json_t *e = ctl_error(c, ctl_ask(c, "hello", "{'protocol':2}"), -32001);
    scenario_check(s, ctl_number(c, json_object_get(e, "data"), "protocol") == 1);
    end(s, c);
}

static void q22_list(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "list", NULL);
    ctl_check_keys(c, r, "names");
    scenario_check(s, strcmp(joined(json_object_get(r, "names")), "db web web.1 web.2 job extra ") == 0);
    end(s, c);
}

static void check_db(struct scenario *s, struct ctl *c, const json_t *db)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "%s print 'it'\\''s up' wait", FIXTURE);
    scenario_check(s, is_text(c, db, "service", "db") && ctl_number(c, db, "instance") == 1);
    scenario_check(s, is_text(c, db, "state", "ready") && is_text(c, db, "health", "-") && ctl_bool(c, db, "wanted"));
    scenario_check(s, ctl_number(c, db, "pid") == procs_child_named(scenario_pid(s), "it's up"));
    scenario_check(s, ctl_number(c, db, "state_ms") >= 0 && ctl_number(c, db, "uptime_ms") >= 0);
    scenario_check(s, ctl_number(c, db, "starts") == 1 && ctl_number(c, db, "restarts") == 0);
    scenario_check(s, json_is_null(json_object_get(db, "last_exit")) && ctl_number(c, db, "next_start_ms") == -1);
    scenario_check(s, is_text(c, db, "command", command));
}

static void q23_status(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "status", NULL);
    ctl_check_keys(c, r, "daemon services");
    json_t *d = json_object_get(r, "daemon");
    ctl_check_keys(c, d, DAEMON_KEYS);
    scenario_check(s, is_text(c, d, "name", "shop") && ctl_number(c, d, "pid") == scenario_pid(s));
    scenario_check(s, ctl_bool(c, d, "settled") && !ctl_bool(c, d, "stopping") && !ctl_bool(c, d, "init"));
    scenario_check(s, strstr(ctl_text(c, d, "config"), "foster.yaml") && ctl_number(c, d, "unclaimed") == 0);
    /* What no profile has selected is left out, unless it is named. */
    scenario_check(s, strcmp(names_of(r), "db web.1 web.2 job ") == 0);
    ctl_check_keys(c, ctl_service(c, r, "db"), SERVICE_KEYS);
    check_db(s, c, ctl_service(c, r, "db"));
    r = ctl_call(c, "status", "{'services':['extra','web.2','w*']}");
    scenario_check(s, strcmp(names_of(r), "web.1 web.2 extra ") == 0);
    scenario_check(s, is_text(c, ctl_service(c, r, "extra"), "state", "skipped"));
    r = ctl_call(c, "status", "{'services':['db','job'],'wide':true,'lines':1}");
    json_t *db = ctl_service(c, r, "db");
    ctl_check_keys(c, db, SERVICE_KEYS " processes adopted zombies rss_bytes cpu_ms limits lines");
    scenario_check(s, ctl_number(c, db, "processes") == 1 && ctl_number(c, db, "rss_bytes") > 0);
    scenario_check(s, strcmp(joined(json_object_get(db, "lines")), "it's up ") == 0);
    end(s, c);
}

static void q24_status_of_one(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *db = ctl_service(c, ctl_call(c, "status", "{'services':['db']}"), "db");
    ctl_check_keys(c, db, SERVICE_KEYS " type restart depends_on dependents stop_signal stop_grace_ms log");
    ctl_check_keys(c, json_object_get(db, "restart"), "policy attempts max_attempts");
    scenario_check(s, strcmp(joined(json_object_get(db, "dependents")), "web ") == 0);
    scenario_check(s, is_text(c, db, "stop_signal", "SIGTERM") && ctl_number(c, db, "stop_grace_ms") == 10000);
    json_t *r = ctl_call(c, "status", "{'services':['web']}");
    scenario_check(s, strcmp(names_of(r), "web.1 web.2 ") == 0);
    json_t *deps = json_object_get(ctl_service(c, r, "web.2"), "depends_on");
    scenario_check(s, json_array_size(deps) == 1);
    ctl_check_keys(c, json_array_get(deps, 0), "service condition required");
    scenario_check(s, is_text(c, json_array_get(deps, 0), "service", "db"));
    end(s, c);
}

static void q25_what_is_wrong_with_a_request(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *e = ctl_error(c, ctl_ask(c, "status", "{'services':['db','wob']}"), 4);
    ctl_check_keys(c, json_object_get(e, "data"), "service similar");
    scenario_check(s, is_text(c, json_object_get(e, "data"), "service", "wob"));
    scenario_check(s, is_text(c, json_object_get(e, "data"), "similar", "web"));
    /* All names are checked before anything is done. */
    e = ctl_error(c, ctl_ask(c, "stop", "{'services':['db','nothing-like-it']}"), 4);
    scenario_check(s, json_is_null(json_object_get(json_object_get(e, "data"), "similar")));
    (void)ctl_error(c, ctl_ask(c, "stop", "{'services':['x*']}"), 4);
    e = ctl_error(c, ctl_ask(c, "stop", "{'services':[]}"), -32602);
    scenario_check(s, is_text(c, json_object_get(e, "data"), "param", "services"));
    e = ctl_error(c, ctl_ask(c, "wait", "{'for':'redy'}"), -32602);
    scenario_check(s, is_text(c, json_object_get(e, "data"), "param", "for") &&
                          strstr(ctl_text(c, e, "message"), "backoff, stopped"));
    (void)ctl_error(c, ctl_ask(c, "signal", "{'services':['db'],'signal':'HUPP'}"), -32602);
    (void)ctl_error(c, ctl_ask(c, "status", "{'lines':1001}"), -32602);
    (void)ctl_error(c, ctl_ask(c, "subscribe", "{'recent':257}"), -32602);
    (void)ctl_error(c, ctl_ask(c, "scale", "{'service':'wbe','instances':1}"), 4);
    (void)ctl_error(c, ctl_ask(c, "scale", "{'service':'web','instances':10001}"), -32602);
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "stopping", NULL) == 0);
    end(s, c);
}

static void q26_tree(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "tree", NULL);
    ctl_check_keys(c, r, "daemon services own unclaimed cut");
    json_t *db = ctl_service(c, r, "db"), *processes = json_object_get(db, "processes");
    ctl_check_keys(c, db, "name state pid processes");
    scenario_check(s, json_array_size(processes) == 1 && json_is_array(json_object_get(r, "unclaimed")));
    ctl_check_keys(c, json_array_get(processes, 0),
                   "pid ppid name command state age_ms role helper attribution adopted adopted_ms adopted_from session "
                   "children");
    scenario_check(s, ctl_number(c, json_array_get(processes, 0), "pid") == ctl_number(c, db, "pid"));
    scenario_check(s, strcmp(names_of(ctl_call(c, "tree", "{'services':['web']}")), "web.1 web.2 ") == 0);
    end(s, c);
}

static void check_outcome(struct scenario *s, struct ctl *c, const json_t *r, const char *name, const char *text)
{
    json_t *outcome = ctl_service(c, r, name);
    ctl_check_keys(c, r, "ok services");
    ctl_check_keys(c, outcome, OUTCOME_KEYS);
    scenario_check(s, ctl_bool(c, r, "ok") && ctl_bool(c, outcome, "ok") && ctl_bool(c, outcome, "done"));
    scenario_check(s, ctl_number(c, outcome, "ms") >= 0 && json_array_size(json_object_get(outcome, "lines")) == 0);
    if (strncmp(ctl_text(c, outcome, "text"), text, strlen(text)) != 0) {
        scenario_fail(s, "%s: %s, not %s", name, ctl_text(c, outcome, "text"), text);
    }
}

static void q27_start_stop_restart_wait(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    check_outcome(s, c, ctl_call(c, "start", "{'services':['job']}"), "job", "done in ");
    check_outcome(s, c, ctl_call(c, "start", "{'services':['db']}"), "db", "ready");
    check_outcome(s, c, ctl_call(c, "stop", "{'services':['db']}"), "db", "stopped in ");
    check_outcome(s, c, ctl_call(c, "wait", "{'services':['web'],'for':'down'}"), "web.2", "stopped");
    check_outcome(s, c, ctl_call(c, "stop", "{'services':['db']}"), "db", "not running");
    check_outcome(s, c, ctl_call(c, "start", "{'services':['web']}"), "web.1", "ready in ");
    check_outcome(s, c, ctl_call(c, "wait", "{'for':'up'}"), "db", "ready");
    check_outcome(s, c, ctl_call(c, "restart", "{'services':['web.1'],'no_deps':true}"), "web.1", "ready in ");
    check_outcome(s, c, ctl_call(c, "start", "{'services':['extra']}"), "extra", "ready in ");
    json_t *r = ctl_call(c, "wait", "{'services':['job'],'for':'failed'}");
    scenario_check(s, !ctl_bool(c, r, "ok") && ctl_bool(c, ctl_service(c, r, "job"), "done"));
    scenario_check(s, strcmp(joined(json_object_get(ctl_service(c, r, "job"), "lines")), "1 2 ") == 0);
    r = ctl_call(c, "wait", "{'services':['db'],'for':'failed','timeout_ms':10}");
    scenario_check(s, !ctl_bool(c, ctl_service(c, r, "db"), "done"));
    scenario_check(s, strstr(ctl_text(c, ctl_service(c, r, "db"), "text"), "still ready after "));
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "web.1") == 3 && scenario_count(s, "started", "web.2") == 2);
    end(s, c);
}

static void q28_signal_is_sent_as_it_is(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "signal", "{'services':['db'],'signal':'STOP'}");
    ctl_check_keys(c, r, "ok services");
    ctl_check_keys(c, ctl_service(c, r, "db"), "name sent");
    scenario_check(s, ctl_bool(c, r, "ok") && ctl_number(c, ctl_service(c, r, "db"), "sent") == 1);
    (void)scenario_wait(s, "suspended", "db");
    (void)ctl_call(c, "signal", "{'services':['db'],'signal':'SIGCONT','all':true}");
    (void)scenario_wait(s, "resumed", "db");
    r = ctl_call(c, "signal", "{'services':['db','job'],'signal':'18'}");
    scenario_check(s, !ctl_bool(c, r, "ok") && ctl_number(c, ctl_service(c, r, "job"), "sent") == 0);
    end(s, c);
}

static void q29_reset(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("supervisor: { exit_when: never }\n"
                                        "services:\n"
                                        "  bad: { command: '@ACTOR@ exit 1', restart: 'no' }\n");
    (void)scenario_wait_state(s, "bad", "failed");
    struct ctl *c = ctl_open(s);
    json_t *r = ctl_call(c, "reset", "{'services':['bad']}");
    ctl_check_keys(c, r, "services");
    ctl_check_keys(c, ctl_service(c, r, "bad"), "name state");
    scenario_check(s, is_text(c, ctl_service(c, r, "bad"), "state", "stopped"));
    end(s, c);
}

static void check_change(struct scenario *s, struct ctl *c, const json_t *r, const char *service, const char *text)
{
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(r, "changes"), i, change)
    {
        ctl_check_keys(c, change, CHANGE_KEYS);
        if (is_text(c, change, "service", service)) {
            scenario_check(s, is_text(c, change, "text", text));
            return;
        }
    }
    scenario_fail(s, "no change of %s", service);
}

static void q30_reload(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    (void)scenario_write(s, "foster.yaml", 0600, "services: { web: { command: [] }, db: 3 }\n");
    json_t *e = ctl_error(c, ctl_ask(c, "reload", NULL), 6);
    json_t *problems = json_object_get(json_object_get(e, "data"), "problems");
    scenario_check(s, json_array_size(problems) >= 1);
    ctl_check_keys(c, json_array_get(problems, 0), "file line column level text");
    scenario_check(s, is_text(c, json_array_get(problems, 0), "level", "error"));
    (void)scenario_write(s, "foster.yaml", 0600,
                         "name: shop\n"
                         "supervisor: { exit_when: never, state_dir: '@DIR@/state' }\n"
                         "services:\n"
                         "  db: { command: ['@ACTOR@', print, \"it's up\", wait] }\n"
                         "  web: { command: '@ACTOR@ print new wait', scale: 2, depends_on: [db] }\n"
                         "  new: { command: '@ACTOR@ wait' }\n");
    json_t *dry = ctl_call(c, "reload", "{'dry_run':true}");
    ctl_check_keys(c, dry, RELOAD_KEYS);
    scenario_check(s, ctl_bool(c, dry, "ok") && ctl_bool(c, dry, "dry_run") && strcmp(names_of(dry), "") == 0);
    json_t *r = ctl_call(c, "reload", NULL);
    ctl_check_keys(c, r, RELOAD_KEYS);
    scenario_check(s, json_equal(json_object_get(dry, "changes"), json_object_get(r, "changes")));
    scenario_check(s, ctl_bool(c, r, "ok") && !ctl_bool(c, r, "dry_run"));
    check_change(s, c, r, "web", "~ web (command)");
    check_change(s, c, r, "new", "+ new");
    check_change(s, c, r, "job", "- job");
    scenario_check(s, strstr(joined(json_object_get(r, "later")), "state_dir"));
    ctl_check_keys(c, ctl_service(c, r, "web.1"), OUTCOME_KEYS);
    scenario_check(s, json_array_size(json_object_get(r, "services")) == 3);
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "started", "db") == 1 && scenario_count(s, "started", "web.2") == 2);
    r = ctl_call(c, "reload", NULL);
    scenario_check(s, ctl_bool(c, r, "ok") && json_array_size(json_object_get(r, "changes")) == 0);
    end(s, c);
}

static void q31_scale(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "scale", "{'service':'web','instances':3}");
    ctl_check_keys(c, r, RELOAD_KEYS);
    scenario_check(s, ctl_bool(c, r, "ok") && strstr(ctl_text(c, ctl_service(c, r, "web.3"), "text"), "ready in "));
    scenario_check(s, is_text(c, ctl_service(c, r, "web.1"), "text", "ready"));
    scenario_check(s, is_text(c, json_array_get(json_object_get(r, "changes"), 0), "effect", "scale"));
    r = ctl_call(c, "scale", "{'service':'web','instances':0}");
    scenario_check(s, ctl_bool(c, r, "ok") && strcmp(names_of(r), "") == 0);
    json_t *e = ctl_error(c, ctl_ask(c, "start", "{'services':['web']}"), 4);
    scenario_check(s, strstr(ctl_text(c, e, "message"), "no instance"));
    end(s, c);
}

static void q32_subscribe(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "subscribe", "{'recent':256,'services':['db']}");
    ctl_check_keys(c, r, "events");
    json_t *event = json_array_get(json_object_get(r, "events"), 0);
    ctl_check_keys(c, event, "seq time event level service pid run code signal from to text");
    scenario_check(s, is_text(c, event, "service", "db") && is_text(c, event, "event", "started"));
    (void)ctl_call(c, "subscribe", "{'follow':true,'states':true,'services':['job']}");
    (void)ctl_call(c, "start", "{'services':['job']}");
    json_t *done = ctl_notification(c, "event", "to", "done");
    scenario_check(s, is_text(c, done, "from", "running") && is_text(c, done, "event", "state"));
    json_t *exited = ctl_notification(c, "event", "event", "exited");
    scenario_check(s, ctl_number(c, exited, "code") == 0 && ctl_number(c, exited, "run") > 0);
    end(s, c);
}

static void q33_config_graph_doctor_timeline(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    json_t *r = ctl_call(c, "config", NULL);
    ctl_check_keys(c, r, "yaml file");
    scenario_check(s, strstr(ctl_text(c, r, "yaml"), "name: shop") && strstr(ctl_text(c, r, "file"), "foster.yaml"));
    r = ctl_call(c, "graph", NULL);
    ctl_check_keys(c, r, "services");
    json_t *web = ctl_service(c, r, "web");
    ctl_check_keys(c, web, "name state instances depends_on");
    scenario_check(s, is_text(c, web, "state", "ready") && ctl_number(c, web, "instances") == 2);
    scenario_check(s, json_array_size(json_object_get(web, "depends_on")) == 1);
    r = ctl_call(c, "doctor", NULL);
    ctl_check_keys(c, r, "checks");
    ctl_check_keys(c, json_array_get(json_object_get(r, "checks"), 0), "name level found consequence");
    r = ctl_call(c, "timeline", "{'services':['web']}");
    ctl_check_keys(c, r, "daemon services");
    ctl_check_keys(c, ctl_service(c, r, "web.2"),
                   "name service state scheduled waiting_ms starting_ms started_ms ready_ms healthy_ms ended_ms tries "
                   "blocked_by depends_on restarts reason");
    scenario_check(s, strcmp(names_of(r), "web.1 web.2 ") == 0);
    end(s, c);
}

static void q34_shutdown_now(void **state)
{
    (void)state;
    struct scenario *s = scenario_start("services:\n"
                                        "  deaf: { command: '@ACTOR@ ignore TERM print up wait' }\n");
    (void)scenario_wait_line(s, "deaf", "up");
    struct ctl *c = ctl_open(s);
    json_t *r = ctl_call(c, "shutdown", "{'now':true}");
    ctl_check_keys(c, r, "ok");
    ctl_wait_end(c);
    scenario_end(s, 0);
    ctl_close(c);
}

static void q35_a_request_without_id_is_carried_out_unanswered(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    ctl_send(c, "{\"jsonrpc\":\"2.0\",\"method\":\"start\",\"params\":{\"services\":[\"job\"]}}");
    ctl_send(c, "{\"jsonrpc\":\"2.0\",\"method\":\"start\",\"params\":{\"services\":[\"jobs\"]}}");
    json_t *r = ctl_call(c, "wait", "{'services':['job'],'for':'done'}");
    scenario_check(s, ctl_bool(c, r, "ok") && ctl_place(c, r) <= 1);
    end(s, c);
}

static void q36_seventeen_requests_cannot_wait(void **state)
{
    (void)state;
    struct ctl *c;
    struct scenario *s = start_shop(&c);
    for (int i = 0; i < 16; i++) {
        (void)ctl_ask(c, "wait", "{'services':['db'],'for':'failed'}");
    }
    (void)ctl_error(c, ctl_ask(c, "stop", "{'services':['db']}"), -32002);
    (void)ctl_error(c, ctl_ask(c, "reload", NULL), -32002);
    (void)ctl_error(c, ctl_ask(c, "reload_service", "{'services':['job','db']}"), 1);
    /* What does not wait needs no place. */
    scenario_check(s, ctl_bool(c, ctl_call(c, "start", "{'services':['db'],'no_wait':true}"), "ok"));
    (void)scenario_sync(s);
    scenario_check(s, scenario_count(s, "stopping", NULL) == 0);
    end(s, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(q21_hello),
        SCENARIO(q22_list),
        SCENARIO(q23_status),
        SCENARIO(q24_status_of_one),
        SCENARIO(q25_what_is_wrong_with_a_request),
        SCENARIO(q26_tree),
        SCENARIO(q27_start_stop_restart_wait),
        SCENARIO(q28_signal_is_sent_as_it_is),
        SCENARIO(q29_reset),
        SCENARIO(q30_reload),
        SCENARIO(q31_scale),
        SCENARIO(q32_subscribe),
        SCENARIO(q33_config_graph_doctor_timeline),
        SCENARIO(q34_shutdown_now),
        SCENARIO(q35_a_request_without_id_is_carried_out_unanswered),
        SCENARIO(q36_seventeen_requests_cannot_wait),
    };
    return SCENARIO_RUN("q_methods", tests);
}
