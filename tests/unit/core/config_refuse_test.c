/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The words with which a wrong configuration is refused, key by key, and the place that they name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

#define WEB "services:\n  web:\n    command: run\n    "

static void refuses_bad_values(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "start_timeout: 10x\n", "f.yaml:4:20: `10x` is not a duration; write e.g. 500ms, 10s, 1m30s\n"},
        {WEB "start_timeout: -1\n", "f.yaml:4:20: `-1` is not a duration; write e.g. 500ms, 10s, 1m30s\n"},
        {WEB "start_timeout: [1]\n", "f.yaml:4:20: `start_timeout` is a list; it takes a duration\n"},
        {WEB "start_timeout:\n", "f.yaml:4:19: `start_timeout` is empty; it takes a duration\n"},
        {WEB "start_timeout: 31d\n", "f.yaml:4:20: `31d` is out of range for `start_timeout`; it takes 0s to 30d\n"},
        {WEB "essential: yes\n", "f.yaml:4:16: `yes` is not true or false; write `essential: true`\n"},
        {WEB "essential: off\n", "f.yaml:4:16: `off` is not true or false; write `essential: false`\n"},
        {WEB "essential: maybe\n",
         "f.yaml:4:16: `maybe` is not true or false; write `essential: true` or `essential: false`\n"},
        {WEB "scale: many\n", "f.yaml:4:12: `many` is not a whole number; write one from 0 to 10000\n"},
        {WEB "scale: 10001\n", "f.yaml:4:12: `10001` is out of range for `scale`; it takes 0 to 10000\n"},
        {WEB "umask: 9\n", "f.yaml:4:12: `9` is not an octal mode; write e.g. \"022\" or \"0750\"\n"},
        {WEB "umask: 1777\n", "f.yaml:4:12: `1777` is out of range for `umask`; it takes 000 to 777\n"},
        {WEB "kill_mode: tre\n", "f.yaml:4:16: `tre` is not a value of `kill_mode`; did you mean `tree`? (it takes one "
                                 "of mixed, tree, main)\n"},
        {WEB "kill_mode: everything\n",
         "f.yaml:4:16: `everything` is not a value of `kill_mode`; it takes one of mixed, tree, main\n"},
        {WEB "logging: { driver: json-file }\n", "f.yaml:4:24: `json-file` is a driver of Docker's; write `driver: "
                                                 "file`, and in `options` `format: json` and a "
                                                 "`path`\n"},
        {WEB "logging: { options: { a: b } }\n",
         "f.yaml:4:27: unknown key `a` in `options`; correct or remove it (keys are in foster.yaml(5))\n"},
        {WEB "logging: none\n", "f.yaml:4:14: `logging` is a single value; it takes a map\n"},
        {WEB "stop_signal: SIGFOO\n", "f.yaml:4:18: `SIGFOO` is not a signal; write e.g. SIGTERM, TERM or 15\n"},
        {WEB "stop_signal: []\n", "f.yaml:4:18: `stop_signal` has 0 steps; write 1 to 16\n"},
        {WEB "stop_signal: [TERM, {signal: KILL}]\n",
         "f.yaml:4:19: step 1 of `stop_signal` has no `wait`; only the last may leave it out\n"},
        {WEB "stop_signal: [{wait: 1s}]\n", "f.yaml:4:19: a step of `stop_signal` has no `signal`; add it\n"},
        {WEB "stop_signal: [[TERM]]\n",
         "f.yaml:4:19: a step of `stop_signal` is a list; it takes a signal or {signal, wait}\n"},
        {WEB "stop_signal: {signal: TERM}\n",
         "f.yaml:4:18: `stop_signal` is a map; it takes a signal, or a list of {signal, wait}\n"},
        {WEB "restart: false\n",
         "f.yaml:4:14: `false` is not a restart policy; write no, on-failure[:N], always or unless-stopped\n"},
        {WEB "restart: on-failure:x\n",
         "f.yaml:4:14: `on-failure:x` is not a restart policy; write no, on-failure[:N], always or unless-stopped\n"},
        {WEB "restart: [no]\n", "f.yaml:4:14: `restart` is a list; it takes a policy, or a map\n"},
        {WEB "restart: { factor: 0.5, jitter: x }\n",
         "f.yaml:4:24: `0.5` is out of range for `factor`; it takes 1 to 100\n"
         "f.yaml:4:37: `x` is not a number; write one from 0 to 1\n"},
        {WEB "success_exit_codes: [256, FOO, [1]]\n",
         "f.yaml:4:26: exit code 256 is out of range; it takes 0 to 255\n"
         "f.yaml:4:31: `FOO` is neither an exit code nor a signal; write e.g. 2 or SIGTERM\n"
         "f.yaml:4:36: an item is a list; it takes an exit code or a signal name\n"},
        {WEB "success_exit_codes: 3\n",
         "f.yaml:4:25: `3` of `success_exit_codes` is a single value; it takes a list of "
         "exit codes and signal names\n"},
        {WEB "pid_file: run/x\n", "f.yaml:4:15: `run/x` of `pid_file` is relative; write an absolute path\n"},
        {WEB "working_dir: ''\n", "f.yaml:4:18: `working_dir` is empty; write a path or leave it out\n"},
        {WEB "profiles: debug\n", "f.yaml:4:15: `debug` of `profiles` is a single value; it takes a list of names\n"},
        {WEB "profiles: [a b]\n", "f.yaml:4:16: `a b` is not a name; write letters, digits, _ . @ -\n"},
        {WEB "clear_env: sure\n",
         "f.yaml:4:16: `sure` is not a value of `clear_env`; it takes true, false or a list of "
         "variable names\n"},
        {WEB "clear_env: [A-B]\n", "f.yaml:4:17: `A-B` is not a variable name; write letters, digits and _, not "
                                   "beginning with a digit\n"},
        {WEB "labels: [=x]\n", "f.yaml:4:14: a label's name is empty or too long; write 1 to 255 characters\n"},
        {WEB "labels: [a=1, a=2]\n", "f.yaml:4:13: label `a` is given twice; remove one\n"},
        {"name: -x\n" WEB "\n", "f.yaml:1:7: `-x` is not a name; write letters, digits, _ . @ -, at most 64\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_bad_commands(void **state)
{
    static const struct config_refusal cases[] = {
        {"services: { web: { command: } }\n",
         "f.yaml:1:29: `command` is empty; it takes a string or a list of strings\n"},
        {"services: { web: { command: '' } }\n", "f.yaml:1:29: `command` names no program; write one\n"},
        {"services: { web: { command: [] } }\n", "f.yaml:1:29: `command` names no program; write one\n"},
        {"services: { web: { command: [''] } }\n", "f.yaml:1:29: `command` names no program; write one\n"},
        {"services: { web: { command: { a: b } } }\n",
         "f.yaml:1:29: `command` is a map; it takes a string or a list of strings\n"},
        {"services: { web: { command: [a, [b], ] } }\n",
         "f.yaml:1:33: item 2 of `command` is a list; it takes a string\n"},
        {"services: { web: { command: [a, ~] } }\n", "f.yaml:1:33: item 2 of `command` is empty; it takes a string\n"},
        {"services: { web: { command: \"a 'b\" } }\n",
         "f.yaml:1:29: a quote in `command` is not closed; close it, or write a list of words\n"},
        {"services: { web: { command: 'a\\' } }\n",
         "f.yaml:1:29: `command` ends with a backslash; write \\\\ for one, or a list of words\n"},
        {"services: { web: { type: simple } }\n",
         "f.yaml:1:13: service `web` has no `command`; write the program to run\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_bad_environments(void **state)
{
    static const struct config_entry files[] = {{"bad.env", "A=1\nB\n"}, {"secret.env", NULL}, {NULL, NULL}};
    static const struct config_refusal cases[] = {
        {WEB "environment: A=1\n",
         "f.yaml:4:18: `A=1` of `environment` is a single value; it takes a map, or a list of NAME=VALUE\n"},
        {WEB "environment:\n", "f.yaml:4:17: `environment` is empty; it takes a map, or a list of NAME=VALUE\n"},
        {WEB "environment: { 1A: x, FOSTER_RUN: y, OK: [z] }\n",
         "f.yaml:4:20: `1A` is not a variable name; write letters, digits and _, not beginning with a digit\n"
         "f.yaml:4:27: `FOSTER_RUN` is a name that fosterd keeps for itself; choose one that does not begin with "
         "FOSTER_\n"
         "f.yaml:4:46: `OK` is a list; it takes a string\n"},
        {WEB "env_file: none.env\n", "f.yaml:4:15: there is no file none.env; create it or correct the path\n"},
        {WEB "env_file: [secret.env]\n", "f.yaml:4:16: cannot read secret.env: Permission denied; make it readable\n"},
        {WEB "env_file: { path: secret.env, required: false }\n",
         "f.yaml:4:15: cannot read secret.env: Permission denied; make it readable\n"},
        {WEB "env_file: { required: false }\n", "f.yaml:4:15: an entry of `env_file` has no `path`; add it\n"},
        {WEB "env_file: [[a]]\n",
         "f.yaml:4:16: `env_file` is a list; it takes a path, or a list of paths or {path, required}\n"},
        {WEB "env_file: bad.env\n", "bad.env:2:1: a line without `=`; write NAME=VALUE\n"},
    };
    struct config_bench b = {.files = files};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_unknown_keys(void **state)
{
    static const struct config_refusal cases[] = {
        {"servcies: {}\n" WEB "\n", "f.yaml:1:1: unknown key `servcies` in the file; did you mean `services`?\n"},
        {WEB "comand: x\n", "f.yaml:4:5: unknown key `comand` in a service; did you mean `command`?\n"},
        {WEB "stop_timeout: 1s\n",
         "f.yaml:4:5: unknown key `stop_timeout` in a service; it is a key of `supervisor`\n"},
        {WEB "restart: { dealy: 1s }\n", "f.yaml:4:16: unknown key `dealy` in `restart`; did you mean `delay`?\n"},
        {WEB "restart: { qqqq: 1s }\n",
         "f.yaml:4:16: unknown key `qqqq` in `restart`; correct or remove it (keys are in foster.yaml(5))\n"},
        {WEB "max_attempts: 3\n", "f.yaml:4:5: unknown key `max_attempts` in a service; it is a key of `restart`\n"},
        {WEB "depends_on: { db: { cond: 1 } }\n",
         "f.yaml:4:25: unknown key `cond` in dependency `db`; correct or remove it (keys are in foster.yaml(5))\n"},
        {WEB "tty: true\n", "f.yaml:4:5: `tty` is not supported yet; remove it\n"},
        {"supervisor: { metrics: /x }\n" WEB "\n", "f.yaml:1:15: `metrics` is not supported yet; remove it\n"},
        {WEB "image: nginx\n    ports: [80]\n",
         "f.yaml:4:5: `image` belongs to a container; Foster runs programs, name the program in `command`\n"
         "f.yaml:5:5: `ports` belongs to a container; Foster runs programs, publish ports where the container is "
         "started\n"},
        {"networks: {}\n" WEB "\n", "f.yaml:1:1: `networks` belongs to a container; Foster runs programs, services "
                                    "share the network of fosterd\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void refuses_bad_shapes(void **state)
{
    static const struct config_refusal cases[] = {
        {"", "f.yaml:1:1: there are no services; add `services` with at least one\n"},
        {"services: {}\n", "f.yaml:1:1: there are no services; add `services` with at least one\n"},
        {"services:\n", "f.yaml:1:10: `services` is empty; it takes a map of name to service\n"},
        {"services: [a]\n", "f.yaml:1:11: `services` is a list; it takes a map of name to service\n"},
        {"- a\n", "f.yaml:1:1: the file is a list; it takes a map with the key `services`\n"},
        {"services: { web: }\n", "f.yaml:1:18: service `web` is empty; it takes a map of keys such as `command`\n"},
        {"services: { web: run }\n",
         "f.yaml:1:18: service `web` is a single value; it takes a map of keys such as `command`\n"},
        {"services: { -web: { command: a } }\n", "f.yaml:1:13: `-web` is not a name for a service; write at most 64 "
                                                 "letters, digits, _ . @ -, first a letter or "
                                                 "digit\n"},
        {"services: { a b: { command: a } }\n",
         "f.yaml:1:13: `a b` is not a name for a service; write at most 64 letters, digits, _ . @ -, first a letter or "
         "digit\n"},
        {"supervisor: 3\n" WEB "\n", "f.yaml:1:13: `supervisor` is a single value; it takes a map\n"},
        {WEB "depends_on: db\n", "f.yaml:4:17: `db` of `depends_on` is a single value; it takes a list of services, or "
                                 "a map of service to {condition, required, restart}\n"},
        {WEB "depends_on: [web x]\n", "f.yaml:4:18: `web x` is not the name of a service; write one of this "
                                      "configuration\n"},
        {WEB "depends_on: { db: service_ready }\n",
         "f.yaml:4:23: dependency `db` is a single value; it takes a map of condition, required and restart\n"},
        {WEB "depends_on: { db: { condition: service_health, restart: yes } }\n",
         "f.yaml:4:36: `service_health` is not a value of `condition`; did you mean `service_healthy`? (it takes one "
         "of "
         "service_started, service_ready, service_healthy, service_completed_successfully, service_completed)\n"
         "f.yaml:4:61: `yes` is not true or false; write `restart: true`\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

static void says_everything_in_one_run(void **state)
{
    static const struct config_refusal cases[] = {
        {"services:\n  a:\n    command: a\n    scale: x\n    depends_on: [nope]\n  b:\n    comand: b\n"
         "  c: { command: c, depends_on: [b, c] }\nsupervisor: { log_level: loud }\n",
         "f.yaml:4:12: `x` is not a whole number; write one from 0 to 10000\n"
         "f.yaml:5:18: `a` depends on `nope`, which is no service; correct or remove it\n"
         "f.yaml:7:5: unknown key `comand` in a service; did you mean `command`?\n"
         "f.yaml:8:36: `c` depends on itself; remove that\n"
         "f.yaml:9:26: `loud` is not a value of `log_level`; it takes one of error, warn, info, debug\n"},
        {"services: { web: {command: a, command: b} }\n", "f.yaml:1:31: duplicate key"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, 1);
    assert_null(config_bench_load(&b, cases[1].text));
    assert_non_null(strstr(config_bench_problems(&b), "f.yaml:1:31"));
    config_bench_done(&b);
}

static void refuses_what_cannot_be_read(void **state)
{
    static const struct config_entry files[] = {{"locked.yaml", NULL}, {NULL, NULL}};
    struct config_bench b = {.files = files};

    (void)state;
    assert_null(config_bench_load_file(&b, "none.yaml"));
    assert_non_null(strstr(config_bench_problems(&b), "there is no file none.yaml; create it or correct the path\n"));
    assert_int_equal(b.diag.n_errors, 1);
    assert_null(config_bench_load_file(&b, "locked.yaml"));
    assert_non_null(
        strstr(config_bench_problems(&b), "cannot read locked.yaml: Permission denied; make it readable\n"));
    assert_int_equal(b.diag.n_errors, 1);
    config_bench_done(&b);
}

/* The main file is its own place; the remedy is the reader's when it has one. */
static void places_what_is_wrong_with_a_whole_file(void **state)
{
    static const struct config_entry files[] = {
        {"locked.yaml", NULL}, {"wide.yaml", CONFIG_BENCH_REASON "wide open; close it"}, {NULL, NULL}};
    static const struct config_refusal cases[] = {
        {"include: wide.yaml\n" WEB "\n", "f.yaml:1:10: cannot read wide.yaml: wide open; close it\n"},
        {WEB "env_file: wide.yaml\n", "f.yaml:4:15: cannot read wide.yaml: wide open; close it\n"},
        {WEB "extends: { service: x, file: wide.yaml }\n", "f.yaml:4:14: cannot read wide.yaml: wide open; close it\n"},
    };
    struct config_bench b = {.files = files};

    (void)state;
    assert_null(config_bench_load_file(&b, "locked.yaml"));
    assert_string_equal(config_bench_problems(&b),
                        "locked.yaml:1:1: cannot read locked.yaml: Permission denied; make it readable\n");
    assert_null(config_bench_load_file(&b, "wide.yaml"));
    assert_string_equal(config_bench_problems(&b), "wide.yaml:1:1: cannot read wide.yaml: wide open; close it\n");
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

/* Twice the same key, a tag, an unset variable: none of them hides what else is wrong. */
static void goes_on_after_errors_of_the_tree(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "scale: 2\n    scale: many\n    comand: x\n  db: { type: simple }\n",
         "f.yaml:5:5: the key \"scale\" is already on line 4; keep one of them\n"
         "f.yaml:6:5: unknown key `comand` in a service; did you mean `command`?\n"
         "f.yaml:7:3: service `db` has no `command`; write the program to run\n"},
        {WEB "scale: !!int many\n",
         "f.yaml:4:12: tags are not supported (!!int); remove this one, and quote the value to make it a string\n"
         "f.yaml:4:12: `many` is not a whole number; write one from 0 to 10000\n"},
        {"x-a: &a { scale: 2 }\nservices:\n  web:\n    <<: *a\n    <<: *a\n    command: run\n    umask: 9\n",
         "f.yaml:5:5: \"<<\" is already on line 4; write one, with a list: <<: [*a, *b]\n"
         "f.yaml:7:12: `9` is not an octal mode; write e.g. \"022\" or \"0750\"\n"},
        {WEB "comand: \"${NOPE}\"\n", "f.yaml:4:5: unknown key `comand` in a service; did you mean `command`?\n"
                                      "f.yaml:4:13: variable NOPE is not set; set it, or write ${NOPE:-default}\n"},
        {"defaults: { comand: \"${NOPE}\" }\n" WEB "\n",
         "f.yaml:1:13: unknown key `comand` in a service; did you mean `command`?\n"
         "f.yaml:1:21: variable NOPE is not set; set it, or write ${NOPE:-default}\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
}

/* A --set is read for the file and for its services, and said to be wrong once. */
static void says_once_what_is_wrong_with_a_set(void **state)
{
    static const char *const sets[] = {"supervisor={exit_when: never, exit_when: idle}"};
    struct config_bench b = {.opt = {.sets = sets, .n_sets = 1}};

    (void)state;
    assert_null(config_bench_load(&b, WEB "\n"));
    assert_int_equal(b.diag.n_errors, 1);
    config_bench_done(&b);
}

static void refuses_to_wait_for_nothing_essential(void **state)
{
    static const struct config_refusal cases[] = {
        {WEB "\nsupervisor:\n  exit_when: essential\n",
         "f.yaml:6:14: no service is `essential`; mark one, or use idle or never\n"},
        {WEB "essential: maybe\nsupervisor: { exit_when: essential }\n",
         "f.yaml:4:16: `maybe` is not true or false; write `essential: true` or `essential: false`\n"},
    };
    struct config_bench b = {0};

    (void)state;
    config_bench_refuses(&b, cases, ARRAY_LEN(cases));
    config_bench_service(&b, WEB "essential: true\nsupervisor: { exit_when: essential }\n");
    config_bench_service(&b, WEB "on_failure: shutdown\nsupervisor: { exit_when: essential }\n");
    config_bench_done(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_values),
        cmocka_unit_test(refuses_bad_commands),
        cmocka_unit_test(refuses_bad_environments),
        cmocka_unit_test(refuses_unknown_keys),
        cmocka_unit_test(refuses_bad_shapes),
        cmocka_unit_test(says_everything_in_one_run),
        cmocka_unit_test(refuses_what_cannot_be_read),
        cmocka_unit_test(places_what_is_wrong_with_a_whole_file),
        cmocka_unit_test(goes_on_after_errors_of_the_tree),
        cmocka_unit_test(says_once_what_is_wrong_with_a_set),
        cmocka_unit_test(refuses_to_wait_for_nothing_essential),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
