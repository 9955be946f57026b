/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Units, events and changes as JSON: members, nulls, and text that no JSON can hold as it is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/snapshot.h"

#include "super_kit.h"

/* Fails unless OBJECT (taken over) is, as text, EXPECTED, in which ' stands for ". */
static void check_json(json_t *object, const char *expected)
{
    static char want[KIT_TEXT];
    char *text = json_dumps(object, JSON_COMPACT | JSON_ENCODE_ANY);

    assert_non_null(text);
    snprintf(want, sizeof want, "%s", expected);
    for (char *at = want; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    assert_string_equal(text, want);
    free(text);
    json_decref(object);
}

static void test_text(void **state)
{
    (void)state;
    check_json(snapshot_text("plain", 5), "'plain'");
    check_json(snapshot_text("", 0), "''");
    check_json(snapshot_text("\xc3\xa4\n\x1b[0m", 7), "'\xc3\xa4\\n\\u001B[0m'");
    check_json(snapshot_text("a\xff"
                             "b\xc3",
                             4),
               "'a\xef\xbf\xbd"
               "b\xef\xbf\xbd'");
    check_json(snapshot_text("a\0b", 3), "'a\xef\xbf\xbd"
                                         "b'");
    check_json(snapshot_text("\xed\xa0\x80", 3), "'\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd'");
}

static void test_exits(void **state)
{
    (void)state;
    check_json(snapshot_exit(3 << 8), "{'text':'exited with code 3','code':3,'signal':null,'core':null}");
    check_json(snapshot_exit(SIGTERM), "{'text':'killed by SIGTERM','code':null,'signal':'SIGTERM','core':false}");
    check_json(snapshot_exit(SIGSEGV | 0x80),
               "{'text':'killed by SIGSEGV (core dumped)','code':null,'signal':'SIGSEGV','core':true}");
    check_json(snapshot_exit(32), "{'text':'killed by signal 32','code':null,'signal':'signal 32','core':false}");
}

static char *words[8];

/* A view of instance 2 of web, whose command is WORD. */
static struct unit_view view_of(struct spec *spec, char *word)
{
    spec_defaults(spec);
    spec->name = "web";
    words[0] = word;
    words[1] = NULL;
    spec->command = words;
    spec->n_command = 1;
    return (struct unit_view){
        .name = "web.2", .spec = spec, .instance = 2, .timer_ms = -1, .since_ms = 1000, .hook = SPEC_HOOK_N};
}

static void test_unit_that_never_ran(void **state)
{
    struct spec spec;
    char word[] = "program";
    struct unit_view u = view_of(&spec, word);

    (void)state;
    u.state = UNIT_WAITING;
    check_json(snapshot_unit(&u, NULL, 1500),
               "{'name':'web.2','service':'web','instance':2,'state':'waiting','health':'-','wanted':false,'pid':null,"
               "'state_ms':500,'uptime_ms':null,'starts':0,'restarts':0,'last_exit':null,'next_start_ms':null,"
               "'hook':null,'reason':null,'command':'program'}");
}

static void test_unit_that_runs(void **state)
{
    struct spec spec;
    char word[] = "program";
    struct unit_view u = view_of(&spec, word);

    (void)state;
    u.state = UNIT_READY;
    u.want_up = true;
    u.main_pid = 17;
    u.started_ms = 900;
    u.n_starts = 3;
    u.n_restarts = 2;
    u.has_last_wstatus = true;
    u.last_wstatus = 1 << 8;
    u.health = UNIT_HEALTH_UNHEALTHY;
    u.hook = SPEC_HOOK_PRE_STOP;
    /* A timer of another state than backoff is no next start. */
    u.timer_ms = 9000;
    check_json(
        snapshot_unit(&u, "because", 1500),
        "{'name':'web.2','service':'web','instance':2,'state':'ready','health':'unhealthy','wanted':true,'pid':17,"
        "'state_ms':500,'uptime_ms':600,'starts':3,'restarts':2,"
        "'last_exit':{'text':'exited with code 1','code':1,'signal':null,'core':null},'next_start_ms':null,"
        "'hook':'pre_stop','reason':'because','command':'program'}");
}

static json_int_t next_start(struct unit_view *u, int64_t timer_ms, int64_t now_ms)
{
    u->timer_ms = timer_ms;
    json_t *service = snapshot_unit(u, NULL, now_ms);
    const json_t *value = json_object_get(service, "next_start_ms");
    json_int_t ms = json_is_null(value) ? -1 : json_integer_value(value);
    json_decref(service);
    return ms;
}

static void test_next_start(void **state)
{
    struct spec spec;
    char word[] = "x";
    struct unit_view u = view_of(&spec, word);

    (void)state;
    u.state = UNIT_BACKOFF;
    assert_int_equal(next_start(&u, 2500, 1500), 1000);
    assert_int_equal(next_start(&u, 1400, 1500), 0);
    assert_int_equal(next_start(&u, -1, 1500), -1);
}

static void check_command(char *word, const char *expected)
{
    struct spec spec;
    struct unit_view u = view_of(&spec, word);
    json_t *service = snapshot_unit(&u, NULL, 1500);

    assert_string_equal(json_string_value(json_object_get(service, "command")), expected);
    json_decref(service);
}

static void test_commands_are_quoted(void **state)
{
    static const struct {
        char word[32];
        const char *quoted;
    } cases[] = {
        {"/usr/bin/a-b_c:d,e=f@g%h+i.1", "/usr/bin/a-b_c:d,e=f@g%h+i.1"},
        {"two words", "'two words'"},
        {"it's", "'it'\\''s'"},
        {"", "''"},
        {"$HOME", "'$HOME'"},
        {"a\xff", "'a\xef\xbf\xbd'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char word[32];
        memcpy(word, cases[i].word, sizeof word);
        check_command(word, cases[i].quoted);
    }
}

static void test_long_commands_are_cut_between_characters(void **state)
{
    static char word[10000];
    size_t len;

    (void)state;
    for (int shift = 0; shift < 3; shift++) {
        struct spec spec;
        memset(word, 'x', sizeof word);
        for (size_t i = (size_t)shift; i + 2 < sizeof word; i += 2)
            memcpy(word + i, "\xc3\xa4", 2);
        word[sizeof word - 1] = '\0';
        struct unit_view u = view_of(&spec, word);
        json_t *service = snapshot_unit(&u, NULL, 1500);
        const char *text = json_string_value(json_object_get(service, "command"));
        len = strlen(text);
        assert_in_range(len, 4000, 4100);
        assert_string_equal(text + len - 3, "\xe2\x80\xa6");
        assert_null(strstr(text, "\xef\xbf\xbd"));
        json_decref(service);
    }
}

static void test_long_form(void **state)
{
    static struct kit k;
    json_t *service = json_object();

    (void)state;
    kit_init(&k);
    struct spec *web = kit_service(&k, "web", SPEC_TYPE_FORKING);
    kit_service(&k, "db", SPEC_TYPE_SIMPLE);
    kit_service(&k, "other", SPEC_TYPE_SIMPLE);
    kit_depend(web, "db", SPEC_COND_READY);
    kit_depend(&k.specs[2], "db", SPEC_COND_COMPLETED_OK)->required = false;
    kit_begin(&k);
    struct unit_view u = kit_view(&k, "web");
    assert_true(snapshot_long(service, k.super, &u));
    check_json(service, "{'type':'forking','restart':{'policy':'on-failure','attempts':0,'max_attempts':0},"
                        "'depends_on':[{'service':'db','condition':'service_ready','required':true}],"
                        "'dependents':[],'stop_signal':'SIGTERM','stop_grace_ms':10000}");
    service = json_object();
    u = kit_view(&k, "db");
    assert_true(snapshot_long(service, k.super, &u));
    check_json(json_incref(json_object_get(service, "dependents")), "['web','other']");
    json_decref(service);
    kit_end(&k);
}

static void test_graph(void **state)
{
    static struct kit k;

    (void)state;
    kit_init(&k);
    kit_service(&k, "web", SPEC_TYPE_SIMPLE)->scale = 2;
    kit_service(&k, "none", SPEC_TYPE_SIMPLE)->scale = 0;
    kit_service(&k, "off", SPEC_TYPE_SIMPLE)->enabled = false;
    kit_depend(&k.specs[0], "off", SPEC_COND_READY)->required = false;
    kit_begin(&k);
    kit_up(&k, "web.1");
    check_json(snapshot_graph(k.super),
               "[{'name':'web','state':'starting','instances':2,"
               "'depends_on':[{'service':'off','condition':'service_ready','required':false}]},"
               "{'name':'none','state':'stopped','instances':0,'depends_on':[]},"
               "{'name':'off','state':'skipped','instances':1,'depends_on':[]}]");
    kit_up(&k, "web.2");
    kit_died(&k, "web.1", kit_exit(1), 0);
    json_t *graph = snapshot_graph(k.super);
    assert_string_equal(json_string_value(json_object_get(json_array_get(graph, 0), "state")), "backoff");
    json_decref(graph);
    kit_end(&k);
}

static void test_outcomes(void **state)
{
    struct unit_view u = {.state = UNIT_READY, .main_pid = 7};

    (void)state;
    check_json(snapshot_outcome("web", &u, true, true, "ready in 2 s", 2000, json_array()),
               "{'name':'web','ok':true,'done':true,'state':'ready','text':'ready in 2 s','ms':2000,'pid':7,"
               "'lines':[]}");
    check_json(snapshot_outcome("web", NULL, false, false, "gone", 0, json_pack("[s]", "x")),
               "{'name':'web','ok':false,'done':false,'state':null,'text':'gone','ms':0,'pid':null,'lines':['x']}");
    assert_null(snapshot_outcome("web", NULL, false, false, "gone", 0, NULL));
}

static void test_events(void **state)
{
    struct log_about exited = {.service = "web", .event = "exited", .pid = 9, .run = 4, .code_kind = 'e', .code = 3};
    struct log_about killed = {.service = "web", .event = "exited", .code_kind = 's', .code = SIGKILL};

    (void)state;
    check_json(snapshot_event(1, 0, LOG_LEVEL_WARN, &exited, "exited", NULL, NULL),
               "{'seq':1,'time':'1970-01-01T00:00:00.000000Z','event':'exited','level':'warn','service':'web','pid':9,"
               "'run':4,'code':3,'signal':null,'from':null,'to':null,'text':'exited'}");
    check_json(snapshot_event(2, 1, LOG_LEVEL_DEBUG, &killed, "", "ready", "backoff"),
               "{'seq':2,'time':'1970-01-01T00:00:00.000001Z','event':'exited','level':'debug','service':'web',"
               "'pid':null,'run':null,'code':null,'signal':'SIGKILL','from':'ready','to':'backoff','text':''}");
}

static void check_time(int64_t s, const char *expected)
{
    struct log_about about = {.event = "up"};
    json_t *event = snapshot_event(1, s * 1000000 + 999999, LOG_LEVEL_INFO, &about, "", NULL, NULL);

    assert_string_equal(json_string_value(json_object_get(event, "time")), expected);
    json_decref(event);
}

static void test_times(void **state)
{
    (void)state;
    /* From date -u -d ... +%s. */
    check_time(951782399, "2000-02-28T23:59:59.999999Z");
    check_time(951782400, "2000-02-29T00:00:00.999999Z");
    check_time(951868800, "2000-03-01T00:00:00.999999Z");
    check_time(1735689599, "2024-12-31T23:59:59.999999Z");
    check_time(1735689600, "2025-01-01T00:00:00.999999Z");
    check_time(4107542400, "2100-03-01T00:00:00.999999Z");
    check_time(4107542399, "2100-02-28T23:59:59.999999Z");
}

static void test_plans(void **state)
{
    const char *keys[] = {"command", "restart.delay"};
    struct plan_change changes[] = {
        {.action = PLAN_REMOVE, .effect = PLAN_STOP, .service = "old"},
        {.action = PLAN_CHANGE, .effect = PLAN_RESTART, .service = "web", .keys = keys, .n_keys = 2},
        {.action = PLAN_ADD, .effect = PLAN_START, .service = "new"},
    };
    struct plan plan = {.changes = changes, .n_changes = 3};

    (void)state;
    check_json(snapshot_plan(&plan),
               "[{'action':'remove','service':'old','keys':[],'effect':'stop','text':'- old'},"
               "{'action':'change','service':'web','keys':['command','restart.delay'],'effect':'restart',"
               "'text':'~ web (command, restart.delay)'},"
               "{'action':'add','service':'new','keys':[],'effect':'start','text':'+ new'}]");
}

static void test_problems(void **state)
{
    struct diag_list d = {0};
    struct diag_pos here = {.file = "f.yaml", .line = 3, .column = 5}, none = {0};

    (void)state;
    diag_error(&d, here, "wrong");
    diag_warning(&d, here, "odd");
    diag_warning(&d, none, "strange");
    check_json(snapshot_problems(&d), "[{'file':'f.yaml','line':3,'column':5,'level':'error','text':'wrong'},"
                                      "{'file':'f.yaml','line':3,'column':5,'level':'warning','text':'odd'},"
                                      "{'file':null,'line':null,'column':null,'level':'warning','text':'strange'}]");
    check_json(snapshot_warnings(&d), "['f.yaml:3:5: odd','strange']");
    d.n_lost = 4;
    json_t *problems = snapshot_problems(&d);
    assert_int_equal(json_array_size(problems), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(problems, 3), "text")), "and 4 more");
    json_decref(problems);
    diag_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_exits),
        cmocka_unit_test(test_unit_that_never_ran),
        cmocka_unit_test(test_unit_that_runs),
        cmocka_unit_test(test_next_start),
        cmocka_unit_test(test_commands_are_quoted),
        cmocka_unit_test(test_long_commands_are_cut_between_characters),
        cmocka_unit_test(test_long_form),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_problems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
