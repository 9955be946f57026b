/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Rules across keys and services: each contradiction with its words, and its harmless neighbours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

#define WEB "services:\n  web:\n    command: run\n    "
#define DB  "  db: { command: db }\n"

static void refuses_contradictions_in_a_service(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "restart: { delay: 2s, max_delay: 1s }\n",
         "f.yaml:4:38: `max_delay` (1s) is below `delay` (2s); make it at least that\n"},
        {WEB "restart: { delay: 1m }\n",
         "f.yaml:4:23: `max_delay` (30s) is below `delay` (1m); make it at least that\n"},
        {WEB "restart: { max_delay: 100ms }\n",
         "f.yaml:4:27: `max_delay` (100ms) is below `delay` (500ms); make it at least that\n"},
        {WEB "type: oneshot\n    pid_file: /x\n",
         "f.yaml:5:15: `pid_file` on a oneshot, which leaves no daemon behind; remove one of the two\n"},
        {WEB "type: simple\n    pid_file: /x\n",
         "f.yaml:5:15: `pid_file` with `type: simple`, which follows no daemon; "
         "remove it or write `type: auto`\n"},
        {WEB "scale: 2\n    pid_file: /x\n",
         "f.yaml:5:15: 2 instances cannot share one `pid_file`; remove it or `scale`\n"},
        {WEB "stop_grace_period: 5s\n    stop_signal: [{signal: INT, wait: 3s}, {signal: TERM, wait: 3s}, QUIT]\n",
         "f.yaml:5:18: the steps of `stop_signal` wait 6s, longer than `stop_grace_period` (5s); make that longer\n"},
        {WEB "no_restart_exit_codes: [0]\n",
         "f.yaml:4:28: an exit that is a success (`success_exit_codes`) is a failure "
         "here as well; remove it from one\n"},
        {WEB "cap_drop: [ALL, net_admin]\n    cap_add: [NET_ADMIN]\n",
         "f.yaml:4:15: `NET_ADMIN` is in `cap_add` and in `cap_drop`; remove it from one\n"},
        {WEB "cap_drop: [all]\n    cap_add: [CAP_ALL]\n",
         "f.yaml:4:15: `ALL` is in `cap_add` and in `cap_drop`; remove it from one\n"},
        {WEB "success_exit_codes: [TERM]\n    no_restart_exit_codes: [SIGTERM]\n",
         "f.yaml:5:28: an exit that is a success (`success_exit_codes`) is a failure here as well; remove it from "
         "one\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

#define SLASH_AND_53 "/12345678901234567890123456789012345678901234567890123"

static void refuses_what_the_control_socket_cannot_be(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "\nsupervisor: { control: run/x }\n",
         "f.yaml:5:24: `run/x` of `control` is relative; write an absolute path\n"},
        {WEB "\nsupervisor: { control: " SLASH_AND_53 SLASH_AND_53 " }\n",
         "f.yaml:5:24: `control` has 108 bytes; the path of a socket has at most 107, choose a shorter one\n"},
        {WEB "\nsupervisor: { control_mode: 0640, control_group: adm }\n",
         "f.yaml:5:29: `control_mode` is 0640; write \"0600\" or \"0660\"\n"},
        {WEB "\nsupervisor: { control_mode: 0666 }\n",
         "f.yaml:5:29: `0666` is out of range for `control_mode`; it takes 600 to 660\n"},
        {WEB "\nsupervisor: { control_group: '' }\n",
         "f.yaml:5:30: `` is not a group; write a name in /etc/group, or a number\n"},
        {WEB "\nsupervisor: { control_group: 'a:b' }\n",
         "f.yaml:5:30: `a:b` is not a group; write a name in /etc/group, or a number\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void takes_what_the_control_socket_can_be(void **state)
{
    static const struct {
        const char *keys, *says;
    } cases[] = {
        {"control: " SLASH_AND_53 "/1234567890123456789012345678901234567890123456789012", ""},
        {"control_mode: '0600'", ""},
        {"control_mode: 0o660, control_group: _ssh", ""},
        {"control_group: 4294967294", ""},
        {"control_mode: 0660", "f.yaml:5:29: warning: `control_mode` 0660 is for a group, but there is none; name a "
                               "`control_group`\n"},
    };
    struct config_bench b = {0};
    char text[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, WEB "\nsupervisor: { %s }\n", cases[i].keys);
        assert_non_null(config_bench_load(&b, text));
        assert_string_equal(config_bench_problems(&b), cases[i].says);
        config_bench_done(&b);
    }
}

static void refuses_bad_dependencies(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "depends_on: [dbb]\n" DB,
         "f.yaml:4:18: `web` depends on `dbb`, which is no service; did you mean `db`?\n"},
        {WEB "depends_on: [queue]\n" DB,
         "f.yaml:4:18: `web` depends on `queue`, which is no service; correct or remove it\n"},
        {WEB "depends_on: { nope: { required: false } }\n" DB,
         "f.yaml:4:19: `web` depends on `nope`, which is no service; correct or remove it\n"},
        {WEB "depends_on: [web]\n" DB, "f.yaml:4:18: `web` depends on itself; remove that\n"},
        {WEB "depends_on: [db, db]\n" DB, "f.yaml:4:22: dependency `db` is given twice; remove one\n"},
        {WEB "depends_on: [db]\n  db: { command: d, profiles: [x] }\n",
         "f.yaml:4:18: `web` depends on `db`, which is in no selected profile; select one, or write `required: "
         "false`\n"},
        {WEB "depends_on: { db: { condition: service_completed } }\n  db: { command: d, restart: always }\n",
         "f.yaml:4:19: `web` waits for `db` to complete, which `restart: always` never does; write on-failure or no\n"},
        {WEB "depends_on: { db: { condition: service_completed_successfully } }\n"
             "  db: { command: d, restart: unless-stopped }\n",
         "f.yaml:4:19: `web` waits for `db` to complete, which `restart: unless-stopped` never does; write on-failure "
         "or "
         "no\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_cycles_with_their_path(void **state)
{
    static const char *const paths[] = {"a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"};
    struct config_bench b = {0};
    bool found = false;

    (void)state;
    assert_null(config_bench_load(&b, "services:\n"
                                      "  x: { command: x, depends_on: [a] }\n"
                                      "  a: { command: a, depends_on: [b] }\n"
                                      "  b: { command: b, depends_on: [c] }\n"
                                      "  c: { command: c, depends_on: { a: { required: false } } }\n"));
    assert_int_equal(b.diag.n_errors, 1);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        found = found || strstr(config_bench_problems(&b), paths[i]);
    assert_true(found);
    assert_non_null(strstr(config_bench_problems(&b), "the dependencies go in a circle: "));
    assert_int_equal(b.diag.items[0].pos.column, b.diag.items[0].pos.line == 5 ? 34 : 33);
    config_bench_done(&b);
}

static void refuses_names_of_instances(void **state)
{
    static const struct config_refusal cases[] = {
        {"services:\n  web.2: { command: a }\n  web: { command: w, scale: 2 }\n",
         "f.yaml:2:3: `web.2` is also the name of an instance of `web` (scale: 2); rename one\n"},
    };
    static const char *const good[] = {
        "services: { web.1: { command: a }, web: { command: w } }\n",
        "services: { web.3: { command: a }, web: { command: w, scale: 2 } }\n",
        "services: { web.0: { command: a }, web: { command: w, scale: 2 } }\n",
        "services: { web.x: { command: a }, web: { command: w, scale: 2 } }\n",
        "services: { web.01: { command: a }, web: { command: w, scale: 2 } }\n",
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        config_bench_service(&b, good[i]);
    config_bench_done(&b);
}

static void refuses_too_much(void **state)
{
    static char text[SPEC_SERVICES_MAX * 32];
    size_t n = (size_t)snprintf(text, sizeof text, "services:\n");
    struct config_bench b = {0};

    (void)state;
    assert_null(
        config_bench_load(&b, "services: { a: { command: a, scale: 10000 }, b: { command: b, scale: 6385 } }\n"));
    assert_non_null(strstr(config_bench_problems(&b), "16385 instances in all; at most 16384, make `scale` smaller\n"));
    config_bench_service(&b, "services: { a: { command: a, scale: 10000 }, b: { command: b, scale: 6384 } }\n");
    for (unsigned i = 0; i < SPEC_SERVICES_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  s%u: {command: a}\n", i);
    config_bench_service(&b, text);
    assert_int_equal(b.set->n_services, SPEC_SERVICES_MAX);
    (void)snprintf(text + n, sizeof text - n, "  more: {command: a}\n");
    assert_null(config_bench_load(&b, text));
    assert_string_equal(config_bench_problems(&b), "f.yaml:4098:3: more than 4096 services; split the configuration\n");
    config_bench_done(&b);
}

static void accepts_what_goes_together(void **state)
{
    static const char *const good[] = {
        WEB "restart: { delay: 1s, max_delay: 1s }\n",
        WEB "type: forking\n    pid_file: /x\n",
        WEB "pid_file: /x\n    scale: 0\n",
        WEB "essential: true\n    restart: always\n",
        WEB "stop_grace_period: 6s\n    stop_signal: [{signal: INT, wait: 6s}, KILL]\n",
        WEB "stop_grace_period: 0\n",
        WEB "depends_on: { db: { required: false } }\n  db: { command: d, profiles: [x] }\n",
        WEB "profiles: [x]\n    depends_on: [db]\n  db: { command: d, profiles: [x] }\n",
        WEB "depends_on: { db: { condition: service_completed } }\n  db: { command: d, restart: on-failure }\n",
        WEB "depends_on: { db: { condition: service_ready } }\n  db: { command: d, restart: always }\n",
        WEB "type: oneshot\n    restart: always\n",
        WEB "cap_drop: [ALL]\n    cap_add: [NET_ADMIN, KILL]\n",
        WEB "cap_drop: [KILL]\n    cap_add: [ALL]\n",
    };
    struct config_bench b = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        config_bench_service(&b, good[i]);
        assert_string_equal(config_bench_problems(&b), "");
    }
    config_bench_done(&b);
}

static void a_refused_value_gives_no_second_problem(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "restart: { delay: x, max_delay: 100ms }\n",
         "f.yaml:4:23: `x` is not a duration; write e.g. 500ms, 10s, 1m30s\n"},
        {WEB "stop_grace_period: x\n    stop_signal: [{signal: INT, wait: 60s}]\n",
         "f.yaml:4:24: `x` is not a duration; write e.g. 500ms, 10s, 1m30s\n"},
        {"services: { a: { command: [[]] } }\n", "f.yaml:1:28: item 1 of `command` is a list; it takes a string\n"},
        {"services: { a: { command: a, depends_on: [b] }, b: { commnd: b } }\n",
         "f.yaml:1:54: unknown key `commnd` in a service; did you mean `command`?\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_contradictions_in_a_service),
        cmocka_unit_test(refuses_what_the_control_socket_cannot_be),
        cmocka_unit_test(takes_what_the_control_socket_can_be),
        cmocka_unit_test(refuses_bad_dependencies),
        cmocka_unit_test(refuses_cycles_with_their_path),
        cmocka_unit_test(refuses_names_of_instances),
        cmocka_unit_test(refuses_too_much),
        cmocka_unit_test(accepts_what_goes_together),
        cmocka_unit_test(a_refused_value_gives_no_second_problem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
