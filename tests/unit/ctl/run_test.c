/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Every verb: what it asks of the daemon, what it prints, and with which status it ends.
 */
#include "unit/ctl/run_kit.h"

#define START_WEB          "\"method\":\"start\",\"params\":{\"services\":[\"web\"],\"no_deps\":false,\"no_wait\":false"
#define UP                 OUTCOME("web", "true", "true", "ready in 0.4 s")
#define BROKEN             OUTCOME("web", "false", "true", "failed: exited with code 1")
#define LATE               OUTCOME("web", "false", "false", "starting")
#define OUTCOMES(ok, list) RESULT("{\"ok\":" ok ",\"services\":[" list "]}")
#define NOBODY             ERROR("4", "there is no service web; did you mean wob?", "{\"service\":\"web\",\"similar\":\"wob\"}")

static const struct run_case waiting[] = {
    {{"start", "web"}, {{START_WEB "}", PROGRESS(UP) OUTCOMES("true", UP)}}, 0, "web: ready in 0.4 s\n", NULL},
    {{"start", "web"}, {{START_WEB "}", OUTCOMES("true", UP)}}, 0, "web: ready in 0.4 s\n", NULL},
    {{"start", "web"},
     {{START_WEB "}", PROGRESS(OUTCOME("db", "true", "true", "ready"))
                          OUTCOMES("true", OUTCOME("db", "true", "true", "ready") "," UP)}},
     0,
     "db: ready\nweb: ready in 0.4 s\n",
     NULL},
    {{"start", "web"},
     {{START_WEB "}", PROGRESS(BROKEN) OUTCOMES("false", BROKEN)}},
     1,
     "web: failed: exited with code 1\n",
     NULL},
    {{"start", "web"},
     {{START_WEB "}",
       OUTCOMES("false",
                "{\"name\":\"web\",\"ok\":false,\"done\":true,\"text\":\"failed\",\"lines\":[\"oh\",\"no\"]}")}},
     1,
     "web: failed\n    oh\n    no\n",
     NULL},
    {{"start", "-t", "0", "web"},
     {{START_WEB ",\"timeout_ms\":0}", OUTCOMES("false", LATE)}},
     3,
     "web: starting\n",
     NULL},
    {{"start", "-t0", "web"},
     {{START_WEB ",\"timeout_ms\":0}", OUTCOMES("false", LATE "," BROKEN)}},
     1,
     "%web: starting\n",
     NULL},
    {{"start", "--no-wait", "--no-deps", "web"},
     {{"\"method\":\"start\",\"params\":{\"services\":[\"web\"],\"no_deps\":true,\"no_wait\":true}",
       OUTCOMES("true", LATE)}},
     0,
     "web: starting\n",
     NULL},
    {{"--json", "start", "web"},
     {{START_WEB "}", PROGRESS(UP) OUTCOMES("true", UP)}},
     0,
     "{\"ok\":true,\"services\":[" UP "]}\n",
     NULL},
    {{"start", "web"}, {{START_WEB "}", NOBODY}}, 4, NULL, "fosterctl: there is no service web; did you mean wob?\n"},
    {{"start", "web", "--json"},
     {{START_WEB "}", NOBODY}},
     4,
     "{\"error\":{\"code\":4,\"message\":\"there is no service web; did you mean "
     "wob?\",\"data\":{\"service\":\"web\",\"similar\":\"wob\"}}}\n",
     NULL},
    {{"start", "web"},
     {{START_WEB "}", ERROR("5", "everything is being stopped", "null")}},
     1,
     NULL,
     "fosterctl: everything is being stopped\n"},
    {{"start", "web"}, {{START_WEB "}", ERROR("-32003", "not allowed", "null")}}, 4, NULL, "fosterctl: not allowed\n"},
    {{"start", "web"}, {{START_WEB "}", "!"}}, 4, NULL, "%fosterd has ended the connection"},
    {{"start", "web"}, {{START_WEB "}", "garbage\n"}}, 1, NULL, "%is that a fosterd?"},
    {{"stop", "-t", "5s", "web"},
     {{"\"method\":\"stop\",\"params\":{\"services\":[\"web\"],\"no_deps\":false,\"no_wait\":false,\"grace_ms\":5000}",
       OUTCOMES("true", OUTCOME("web", "true", "true", "stopped"))}},
     0,
     "web: stopped\n",
     NULL},
    {{"restart", "w*", "db"},
     {{"\"method\":\"restart\",\"params\":{\"services\":[\"w*\",\"db\"],\"no_deps\":false,\"no_wait\":false}",
       OUTCOMES("true", UP)}},
     0,
     "web: ready in 0.4 s\n",
     NULL},
    {{"wait", "--for=up"},
     {{"\"method\":\"wait\",\"params\":{\"for\":\"up\"}", OUTCOMES("true", UP)}},
     0,
     "web: ready in 0.4 s\n",
     NULL},
    {{"wait", "--for", "ready", "-t0", "web"},
     {{"\"method\":\"wait\",\"params\":{\"services\":[\"web\"],\"for\":\"ready\",\"timeout_ms\":0}",
       OUTCOMES("false", LATE)}},
     3,
     "web: starting\n",
     NULL},
    {{"wait", "--for=ready", "web"},
     {{"\"method\":\"wait\",\"params\":{\"services\":[\"web\"],\"for\":\"ready\"}", OUTCOMES("false", BROKEN)}},
     1,
     "web: failed: exited with code 1\n",
     NULL},
};

#define PLAN(dry, changes, services)                                                                                   \
    RESULT("{\"ok\":true,\"dry_run\":" dry ",\"changes\":[" changes                                                    \
           "],\"later\":[],\"warnings\":[],\"services\":[" services "]}")
#define CHANGE(text)                                                                                                   \
    "{\"action\":\"change\",\"service\":\"web\",\"keys\":[\"command\"],\"effect\":\"restart\",\"text\":\"" text "\"}"
#define RELOAD(dry) "\"method\":\"reload\",\"params\":{\"dry_run\":" dry ",\"no_wait\":false}"
#define PROBLEMS                                                                                                       \
    ERROR("6", "the configuration was rejected; nothing has changed",                                                  \
          "{\"problems\":[{\"file\":\"f.yaml\",\"line\":3,\"column\":5,\"level\":\"error\",\"text\":\"bad\"},"         \
          "{\"file\":null,\"line\":null,\"column\":null,\"level\":\"error\",\"text\":\"worse\"}]}")
#define SCALE(name, n)                                                                                                 \
    "\"method\":\"scale\",\"params\":{\"service\":\"" name "\",\"instances\":" n ",\"no_wait\":false}"

static const struct run_case changing[] = {
    {{"reload"},
     {{RELOAD("true"), PLAN("true", CHANGE("~ web (command)"), "")},
      {RELOAD("false"), PROGRESS(UP) PLAN("false", CHANGE("~ web (command)"), UP)}},
     0,
     "~ web (command)\nweb: ready in 0.4 s\n",
     NULL},
    {{"reload"},
     {{RELOAD("true"), PLAN("true", CHANGE("~ web (command)"), "")},
      {RELOAD("false"), PLAN("false", CHANGE("~ web (restart)"), UP)}},
     0,
     "~ web (command)\nweb: ready in 0.4 s\n~ web (restart)\n",
     NULL},
    {{"reload", "-n"}, {{RELOAD("true"), PLAN("true", "", "")}}, 0, "no service has changed\n", NULL},
    {{"reload"},
     {{RELOAD("true"), PROBLEMS}},
     1,
     NULL,
     "f.yaml:3:5: error: bad\nerror: worse\nfosterctl: the configuration was rejected; nothing has changed\n"},
    {{"reload", "--json"},
     {{RELOAD("false"), PLAN("false", CHANGE("x"), BROKEN)}},
     1,
     "{\"ok\":true,\"dry_run\":false,\"changes\":[" CHANGE("x") "],\"later\":[],\"warnings\":[],\"services\":[" BROKEN
                                                                "]}\n",
     NULL},
    {{"scale", "web=2"}, {{SCALE("web", "2"), PLAN("false", CHANGE("x"), UP)}}, 0, "web: ready in 0.4 s\n", NULL},
    {{"scale", "web=2", "db=0", "--json"},
     {{SCALE("web", "2"), RESULT("{\"ok\":true,\"services\":[" UP "]}")},
      {SCALE("db", "0"), RESULT("{\"ok\":false,\"services\":[" UP "]}")}},
     1,
     "{\"ok\":false,\"services\":[" UP "," UP "]}\n",
     NULL},
    {{"scale", "web=2", "db=1"}, {{SCALE("web", "2"), NOBODY}}, 4, NULL, "%there is no service web"},
    {{"signal", "HUP", "web", "db"},
     {{"\"method\":\"signal\",\"params\":{\"services\":[\"web\",\"db\"],\"signal\":\"SIGHUP\",\"all\":false}",
       RESULT("{\"ok\":false,\"services\":[{\"name\":\"web\",\"sent\":1},{\"name\":\"db\",\"sent\":0}]}")}},
     3,
     "web: SIGHUP sent to 1 process\ndb: not running\n",
     NULL},
    {{"kill", "-s", "9", "--all", "web"},
     {{"\"method\":\"signal\",\"params\":{\"services\":[\"web\"],\"signal\":\"SIGKILL\",\"all\":true}",
       RESULT("{\"ok\":true,\"services\":[{\"name\":\"web\",\"sent\":3}]}")}},
     0,
     "web: SIGKILL sent to 3 processes\n",
     NULL},
    {{"reset", "web"},
     {{"\"method\":\"reset\",\"params\":{\"services\":[\"web\"]}",
       RESULT("{\"services\":[{\"name\":\"web\",\"state\":\"stopped\"}]}")}},
     0,
     "web: stopped\n",
     NULL},
    {{"shutdown"},
     {{"\"method\":\"shutdown\",\"params\":{\"now\":false}", "!" RESULT("{\"ok\":true}")}},
     0,
     "fosterd has ended\n",
     NULL},
    {{"down", "--now", "--json"},
     {{"\"method\":\"shutdown\",\"params\":{\"now\":true}", "!" RESULT("{\"ok\":true}")}},
     0,
     "{\"ok\":true}\n",
     NULL},
    {{"shutdown", "--timeout", "300ms"},
     {{"*\"method\":\"shutdown\",\"params\":{\"now\":false}", RESULT("{\"ok\":true}")}},
     3,
     NULL,
     "%fosterctl: "},
};

static void verbs_that_wait_for_an_outcome(void **state)
{
    (void)state;
    RUN_CASES(waiting);
}

static void verbs_that_change_something(void **state)
{
    (void)state;
    RUN_CASES(changing);
}

/* Wrong usage needs no daemon; with --json that was read it is an object, too. */
static const struct run_case usages[] = {
    {{NULL}, {{0}}, 2, NULL, "%fosterctl: what is to be done is missing"},
    {{"stop"}, {{0}}, 2, NULL, "%fosterctl: stop needs the name of a service; '*', quoted"},
    {{"--json", "stop"}, {{0}}, 2, "%{\"error\":{\"code\":null,\"message\":\"stop needs", NULL},
    {{"--help"}, {{0}}, 0, "%Usage: fosterctl [OPTION]... VERB", NULL},
    {{"stop", "--help"}, {{0}}, 0, "%Usage: fosterctl stop [OPTION]... SERVICE...", NULL},
    {{"--version"}, {{0}}, 0, "%foster ", NULL},
    {{"ps"},
     {{0}},
     4,
     NULL,
     "%(No such file or directory); start fosterd, or name another socket with FOSTER_SOCKET or -s\n"},
    {{"-s", "/nowhere", "ps"}, {{0}}, 4, NULL, "%fosterctl: nobody listens at /nowhere ("},
    {{"ps", "--json"}, {{0}}, 4, "%{\"error\":{\"code\":null,\"message\":\"nobody listens at", NULL},
    {{"list"}, {{0}}, 4, NULL, "%fosterctl: nobody listens at"},
    {{"list", "--names"}, {{0}}, 4, NULL, NULL},
};

static void without_a_daemon(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(usages); i++)
        kit_check(&usages[i], i, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_that_wait_for_an_outcome),
        cmocka_unit_test(verbs_that_change_something),
        cmocka_unit_test(without_a_daemon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
