/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The verbs that only look, and `events`: what they ask for, what they show, and the status that scripts go by.
 */
#include "unit/ctl/run_kit.h"

#define PLAIN  STATUS("{\"wide\":false}")
#define NAMED  STATUS("{\"services\":[\"web\"],\"wide\":true,\"lines\":10}")
#define TWO    STATUS("{\"services\":[\"web\",\"db\"],\"wide\":false}")
#define HEALTH STATUS("{}")
#define READY  SERVICE("web", "ready", "true")

static const struct run_case states[] = {
    {{"ps"}, {{PLAIN, RESULT(SERVICES(SERVICE("web", "failed", "true")))}}, 0, "%cmd-of-web", NULL},
    {{"status"}, {{PLAIN, RESULT(SERVICES(""))}}, 0, "%NAME", NULL},
    {{"ps", "--wide"}, {{STATUS("{\"wide\":true}"), RESULT(SERVICES(READY))}}, 0, "%ZOMBIES", NULL},
    {{"ps", "web"}, {{NAMED, RESULT(SERVICES(READY))}}, 0, "%web: ready", NULL},
    {{"ps", "web"}, {{NAMED, RESULT(SERVICES(SERVICE("web", "running", "true")))}}, 0, "%web: running", NULL},
    {{"ps", "web"}, {{NAMED, RESULT(SERVICES(SERVICE("web", "starting", "true")))}}, 3, "%web: starting", NULL},
    {{"ps", "web"}, {{NAMED, RESULT(SERVICES(SERVICE("web", "stopped", "false")))}}, 3, "%web: stopped", NULL},
    {{"ps", "web"}, {{NAMED, RESULT(SERVICES(SERVICE("web", "done", "true")))}}, 3, "%web: done", NULL},
    {{"ps", "web"},
     {{NAMED, RESULT(SERVICES(SERVICE("web.1", "ready", "true") "," SERVICE("web.2", "backoff", "true")))}},
     3,
     "%NAME",
     NULL},
    {{"ps", "w*"}, {{STATUS("{\"services\":[\"w*\"],\"wide\":false}"), RESULT(SERVICES(READY))}}, 0, "%NAME", NULL},
    {{"ps", "web", "db"}, {{TWO, RESULT(SERVICES(READY "," SERVICE("db", "ready", "true")))}}, 0, "%cmd-of-db", NULL},
    {{"ps", "web", "db"}, {{TWO, RESULT(SERVICES(READY "," SERVICE("db", "failed", "true")))}}, 3, "%cmd-of-db", NULL},
    {{"ps", "web"},
     {{NAMED, ERROR("4", "there is no service web", "{}")}},
     4,
     NULL,
     "fosterctl: there is no service web\n"},
    {{"ps", "--json"}, {{PLAIN, RESULT(SERVICES(READY))}}, 0, SERVICES(READY) "\n", NULL},
    {{"ps", "--json", "web"},
     {{NAMED, RESULT(SERVICES(SERVICE("web", "failed", "true")))}},
     3,
     SERVICES(SERVICE("web", "failed", "true")) "\n",
     NULL},
    {{"ps", "--timeout", "200ms"}, {{"*" PLAIN, NULL}}, 4, NULL, "%no answer in time"},
    {{"ps"}, {{PLAIN, ERROR("1", "a\\u001b[31mb", "null")}}, 1, NULL, "fosterctl: a?[31mb\n"},
};

static const struct run_case probes[] = {
    {{"health"},
     {{HEALTH, RESULT(SERVICES(READY "," SERVICE("job", "done", "true")))}},
     0,
     "all is well: 2 ready or done\n",
     NULL},
    {{"health"},
     {{HEALTH, RESULT(SERVICES(READY "," SERVICE("db", "stopped", "false")))}},
     0,
     "all is well: 1 ready or done\n",
     NULL},
    {{"health"}, {{HEALTH, RESULT(SERVICES(READY "," SERVICE("db", "starting", "true")))}}, 3, "db: starting\n", NULL},
    {{"health"},
     {{HEALTH, RESULT(SERVICES("{\"name\":\"db\",\"state\":\"backoff\",\"health\":\"-\",\"wanted\":true,\"reason\":"
                               "\"exited with code 1\"}"))}},
     3,
     "db: backoff: exited with code 1\n",
     NULL},
    {{"health"},
     {{HEALTH, RESULT(SERVICES("{\"name\":\"db\",\"state\":\"ready\",\"health\":\"unhealthy\",\"wanted\":true}"))}},
     3,
     "db: unhealthy\n",
     NULL},
    {{"health"},
     {{HEALTH, RESULT("{\"daemon\":{\"stopping\":true},\"services\":[]}")}},
     3,
     "everything is being stopped\n",
     NULL},
    {{"health"},
     {{HEALTH, RESULT(SERVICES("{\"name\":\"db\",\"state\":\"failed\",\"wanted\":true,\"reason\":\"failed: exit\"}"))}},
     3,
     "db: failed: exit\n",
     NULL},
    {{"health", "-q"}, {{HEALTH, RESULT(SERVICES(SERVICE("db", "starting", "true")))}}, 3, NULL, NULL},
    {{"health", "-q"}, {{HEALTH, RESULT(SERVICES(READY))}}, 0, NULL, NULL},
    {{"health", "db"},
     {{STATUS("{\"services\":[\"db\"]}"), RESULT(SERVICES(SERVICE("db", "stopped", "false")))}},
     3,
     "db: stopped\n",
     NULL},
    {{"health", "--json"},
     {{HEALTH, RESULT(SERVICES(SERVICE("db", "starting", "true")))}},
     3,
     "{\"ok\":false,\"services\":[" SERVICE("db", "starting", "true") "]}\n",
     NULL},
};

#define LOOK(method) "\"method\":\"" method "\",\"params\":{}"
#define NODE         "{\"services\":[{\"name\":\"web\",\"state\":\"ready\",\"instances\":1,\"depends_on\":[]}]}"
#define CHECKS       "{\"checks\":[{\"name\":\"pidfd\",\"level\":\"ok\",\"found\":\"yes\",\"consequence\":null}]}"

static const struct run_case looks[] = {
    {{"tree"}, {{LOOK("tree"), RESULT("{\"daemon\":{},\"services\":[],\"unclaimed\":[]}")}}, 0, "%\n", NULL},
    {{"tree", "web", "--json"},
     {{"\"method\":\"tree\",\"params\":{\"services\":[\"web\"]}", RESULT("{\"services\":[]}")}},
     0,
     "{\"services\":[]}\n",
     NULL},
    {{"config"}, {{LOOK("config"), RESULT("{\"yaml\":\"a: 1\\n\",\"file\":null}")}}, 0, "a: 1\n", NULL},
    {{"config", "--json"},
     {{LOOK("config"), RESULT("{\"yaml\":\"a: 1\\n\",\"file\":null}")}},
     0,
     "{\"yaml\":\"a: 1\\n\",\"file\":null}\n",
     NULL},
    {{"graph"}, {{LOOK("graph"), RESULT(NODE)}}, 0, "%web", NULL},
    {{"graph", "--dot"}, {{LOOK("graph"), RESULT(NODE)}}, 0, "%digraph", NULL},
    {{"graph", "--svg"}, {{LOOK("graph"), RESULT(NODE)}}, 0, "%<svg", NULL},
    {{"graph", "--json"}, {{LOOK("graph"), RESULT(NODE)}}, 0, NODE "\n", NULL},
    {{"doctor"}, {{LOOK("doctor"), RESULT(CHECKS)}}, 0, "%pidfd", NULL},
    {{"list"}, {{LOOK("list"), RESULT("{\"names\":[\"web\",\"web.1\",\"db\"]}")}}, 0, "web\nweb.1\ndb\n", NULL},
    {{"list", "--names"}, {{LOOK("list"), RESULT("{\"names\":[]}")}}, 0, NULL, NULL},
    {{"list", "--names"}, {{LOOK("list"), ERROR("-32003", "not allowed", "null")}}, 4, NULL, NULL},
    {{"list", "--json"}, {{LOOK("list"), RESULT("{\"names\":[\"db\"]}")}}, 0, "{\"names\":[\"db\"]}\n", NULL},
};

#define EVENT(n, event)                                                                                                \
    "{\"seq\":" n ",\"time\":\"2026-01-02T03:04:05.000000Z\",\"event\":\"" event                                       \
    "\",\"level\":\"info\",\"service\":\"web\","                                                                       \
    "\"from\":null,\"text\":\"text " n "\"}"
#define HAPPENS(event)            "{\"method\":\"event\",\"params\":" event "}\n"
#define SUBSCRIBE(recent, follow) "\"method\":\"subscribe\",\"params\":{\"recent\":" recent ",\"follow\":" follow "}"

static const struct run_case events[] = {
    {{"events"},
     {{SUBSCRIBE("256", "false"), RESULT("{\"events\":[" EVENT("1", "started") "]}")}},
     0,
     "%text 1\n",
     NULL},
    {{"events", "-n", "3", "--json"},
     {{SUBSCRIBE("3", "false"), RESULT("{\"events\":[" EVENT("1", "started") "," EVENT("2", "ready") "]}")}},
     0,
     EVENT("1", "started") "\n" EVENT("2", "ready") "\n",
     NULL},
    {{"events", "-n", "9999"}, {{SUBSCRIBE("256", "false"), RESULT("{\"events\":[]}")}}, 0, NULL, NULL},
    {{"events", "web"},
     {{"\"method\":\"subscribe\",\"params\":{\"services\":[\"web\"],\"recent\":256,\"follow\":false}",
       RESULT("{\"events\":[]}")}},
     0,
     NULL,
     NULL},
    /* One that has come before the reply waits its turn; one that is in the reply as well is shown once. */
    {{"events", "-f", "--json"},
     {{SUBSCRIBE("10", "true"), "!" HAPPENS(EVENT("3", "c")) HAPPENS(EVENT("4", "d")) RESULT("{\"events\":[" EVENT(
                                    "2", "b") "," EVENT("3", "c") "]}") HAPPENS(EVENT("5", "shutdown"))}},
     0,
     EVENT("2", "b") "\n" EVENT("3", "c") "\n" EVENT("4", "d") "\n" EVENT("5", "shutdown") "\n",
     NULL},
    {{"events", "-f"},
     {{SUBSCRIBE("10", "true"), "!" RESULT("{\"events\":[]}") HAPPENS(EVENT("5", "ready"))}},
     4,
     "%text 5\n",
     "%fosterd has ended the connection"},
    {{"events", "-f", "-n0", "--timeout", "1500ms"},
     {{SUBSCRIBE("0", "true"), RESULT("{\"events\":[]}")}},
     0,
     NULL,
     NULL},
};

static void states_of_services(void **state)
{
    (void)state;
    RUN_CASES(states);
}

static void probes_say_what_is_not_well(void **state)
{
    (void)state;
    RUN_CASES(probes);
}

static void results_as_pictures(void **state)
{
    (void)state;
    RUN_CASES(looks);
}

static void events_that_were_and_that_come(void **state)
{
    (void)state;
    RUN_CASES(events);
}

/* Runs `events -f` with standard output OUT_FD, which nobody reads; it has to notice that by itself. */
static void a_reader_that_leaves_ends_it(void **state)
{
    static const struct kit_step steps[] = {{SUBSCRIBE("10", "true"), RESULT("{\"events\":[" EVENT("1", "a") "]}")},
                                            {0}};
    const char *const words[] = {"events", "-f", NULL};
    struct kit k;
    int out[2], status;
    char c;
    (void)state;
    kit_begin(&k, steps);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = kit_fork(&k, words, (const int[]){STDIN_FILENO, out[1], STDERR_FILENO}, false);
    close(out[1]);
    assert_int_equal(read(out[0], &c, 1), 1);
    close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    kit_end(&k);
}

/* Output that does not arrive is a failure, also where everything else has been done, and is told once. */
static void output_that_is_lost(void **state)
{
    static const struct {
        const char *words[KIT_WORDS_MAX];
        struct kit_step steps[KIT_STEPS_MAX];
    } runs[] = {
        {{"list"}, {{LOOK("list"), RESULT("{\"names\":[\"web\"]}")}}},
        {{"start", "web", "db"},
         {{"\"method\":\"start\",\"params\":{\"services\":[\"web\",\"db\"],\"no_deps\":false,\"no_wait\":false}",
           PROGRESS(OUTCOME("web", "true", "true", "ready"))
               RESULT("{\"ok\":true,\"services\":[" OUTCOME("db", "true", "true", "ready") "]}")}}},
        {{"events", "-f"}, {{SUBSCRIBE("10", "true"), RESULT("{\"events\":[" EVENT("1", "a") "]}")}}},
    };
    static const struct {
        const char *path; /* NULL: closed */
        const char *err;
    } outs[] = {{"/dev/full", "fosterctl: standard output: No space left on device\n"},
                {NULL, "fosterctl: standard output: Bad file descriptor\n"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(runs) * ARRAY_LEN(outs); i++) {
        size_t r = i / ARRAY_LEN(outs), o = i % ARRAY_LEN(outs), len = 0;
        static char err[KIT_OUT_MAX];
        struct kit k;
        int status, said[2], out = outs[o].path != NULL ? open(outs[o].path, O_WRONLY | O_CLOEXEC) : -1;
        kit_begin(&k, runs[r].steps);
        assert_int_equal(pipe2(said, O_CLOEXEC), 0);
        pid_t pid = kit_fork(&k, runs[r].words, (const int[]){-1, out, said[1]}, false);
        close(said[1]);
        while (kit_read(said[0], err, &len))
            ;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        kit_assert_text(i, "standard error", err, outs[o].err);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        close(said[0]);
        if (out >= 0)
            close(out);
        kit_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_of_services),           cmocka_unit_test(probes_say_what_is_not_well),
        cmocka_unit_test(results_as_pictures),          cmocka_unit_test(events_that_were_and_that_come),
        cmocka_unit_test(a_reader_that_leaves_ends_it), cmocka_unit_test(output_that_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
