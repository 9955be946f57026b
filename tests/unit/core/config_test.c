/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a configuration means, key by key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"

#include <signal.h>
#include <sys/wait.h>

#define WEB "services:\n  web:\n    command: run\n    "

static void assert_words(char **words, size_t n, const char *expected)
{
    char text[512] = "";

    assert_non_null(words);
    assert_null(words[n]);
    for (size_t i = 0; i < n; i++) {
        strcat(text, words[i]);
        strcat(text, "|");
    }
    assert_string_equal(text, expected);
}

static void reads_commands(void **state)
{
    static const struct {
        const char *yaml, *words;
    } cases[] = {
        {"run", "run|"},
        {"run --port 8080", "run|--port|8080|"},
        {"sh -c 'echo \"a b\"; x'", "sh|-c|echo \"a b\"; x|"},
        {"run a\\ b \"c d\" ''", "run|a b|c d||"},
        {"[run, a b, 8080, true, '']", "run|a b|8080|true||"},
        {"a|b;c", "a|b;c|"},
        {"|\n      sh\n      -c x", "sh|-c|x|"},
    };
    struct config_bench b = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "services:\n  web:\n    command: %s\n", cases[i].yaml);
        const struct spec *s = config_bench_service(&b, text);
        assert_words(s->command, s->n_command, cases[i].words);
        (void)snprintf(text, sizeof text, "services:\n  web:\n    entrypoint: %s\n", cases[i].yaml);
        s = config_bench_service(&b, text);
        assert_words(s->entrypoint, s->n_entrypoint, cases[i].words);
        assert_words(s->command, s->n_command, "");
    }
    config_bench_done(&b);
}

static void has_the_defaults(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "\n");

    (void)state;
    assert_string_equal(b.set->name, "foster");
    assert_int_equal(b.set->n_services, 1);
    assert_string_equal(s->name, "web");
    assert_string_equal(s->pos.file, "f.yaml");
    assert_int_equal(s->pos.line, 2);
    assert_int_equal(s->pos.column, 3);
    assert_true(s->enabled);
    assert_null(s->entrypoint);
    assert_int_equal(s->type, SPEC_TYPE_AUTO);
    assert_int_equal(s->n_environment, 0);
    assert_false(s->clear_env);
    assert_null(s->working_dir);
    assert_int_equal(s->umask, -1);
    assert_int_equal(s->n_depends_on, 0);
    assert_int_equal(s->start_timeout_ms, 60000);
    assert_int_equal(s->restart.policy, SPEC_RESTART_ON_FAILURE);
    assert_int_equal(s->restart.delay_ms, 500);
    assert_true(s->restart.factor > 1.99 && s->restart.factor < 2.01);
    assert_int_equal(s->restart.max_delay_ms, 30000);
    assert_true(s->restart.jitter > 0.09 && s->restart.jitter < 0.11);
    assert_int_equal(s->restart.max_attempts, 0);
    assert_int_equal(s->restart.reset_after_ms, 10000);
    assert_true(spec_exits_has(&s->success_exit_codes, 0));
    assert_false(spec_exits_has(&s->success_exit_codes, 1 << 8));
    assert_false(s->essential);
    assert_int_equal(s->on_success, SPEC_END_IGNORE);
    assert_int_equal(s->on_failure, SPEC_END_IGNORE);
    assert_int_equal(s->n_stop_signal, 1);
    assert_int_equal(s->stop_signal[0].signal, SIGTERM);
    assert_int_equal(s->stop_signal[0].wait_ms, -1);
    assert_int_equal(s->stop_grace_period_ms, 10000);
    assert_int_equal(s->kill_mode, SPEC_KILL_MIXED);
    assert_int_equal(s->orphans, SPEC_ORPHANS_KILL);
    assert_null(s->pid_file);
    assert_int_equal(s->scale, 1);
    assert_null(s->profiles);
    assert_true(s->autostart);
    assert_int_equal(s->n_labels, 0);
    assert_int_equal(s->log[SPEC_STREAM_OUT].driver, SPEC_LOG_STDOUT);
    assert_int_equal(b.set->supervisor.exit_when, SPEC_EXIT_IDLE);
    assert_int_equal(b.set->supervisor.stop_timeout_ms, 0);
    assert_int_equal(b.set->supervisor.log_level, LOG_LEVEL_INFO);
    assert_int_equal(b.set->supervisor.log_format, LOG_FORMAT_TEXT);
    assert_false(b.set->supervisor.log_level_set);
    assert_false(b.set->supervisor.log_format_set);
    assert_true(b.set->supervisor.subreaper);
    assert_null(b.set->supervisor.state_dir);
    assert_null(b.set->supervisor.control);
    assert_int_equal(b.set->supervisor.control_mode, 0600);
    assert_null(b.set->supervisor.control_group);
    config_bench_done(&b);
}

static void reads_simple_keys(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "type: forking\n"
                                                        "    clear_env: [PATH, TZ]\n"
                                                        "    working_dir: /srv\n"
                                                        "    umask: 022\n"
                                                        "    start_timeout: 1m30s\n"
                                                        "    essential: true\n"
                                                        "    on_success: shutdown\n"
                                                        "    on_failure: shutdown\n"
                                                        "    stop_grace_period: 2\n"
                                                        "    kill_mode: tree\n"
                                                        "    orphans: adopt\n"
                                                        "    pid_file: /run/web.pid\n"
                                                        "    scale: 1\n"
                                                        "    autostart: false\n"
                                                        "    logging: { driver: none }\n");

    (void)state;
    assert_int_equal(s->type, SPEC_TYPE_FORKING);
    assert_true(s->clear_env);
    assert_words(s->clear_env_keep, 2, "PATH|TZ|");
    assert_string_equal(s->working_dir, "/srv");
    assert_int_equal(s->umask, 022);
    assert_int_equal(s->start_timeout_ms, 90000);
    assert_true(s->essential);
    assert_int_equal(s->on_success, SPEC_END_SHUTDOWN);
    assert_int_equal(s->on_failure, SPEC_END_SHUTDOWN);
    assert_int_equal(s->stop_grace_period_ms, 2000);
    assert_int_equal(s->kill_mode, SPEC_KILL_TREE);
    assert_int_equal(s->orphans, SPEC_ORPHANS_ADOPT);
    assert_string_equal(s->pid_file, "/run/web.pid");
    assert_false(s->autostart);
    assert_int_equal(s->log[SPEC_STREAM_OUT].driver, SPEC_LOG_NONE);
    config_bench_done(&b);
}

static void reads_the_supervisor(void **state)
{
    struct config_bench b = {0};
    const struct spec_supervisor *s;

    (void)state;
    config_bench_service(&b, "version: '3'\nname: shop\n" WEB "\nsupervisor:\n  exit_when: never\n  stop_timeout: 25s\n"
                             "  log_level: debug\n  log_format: json\n  subreaper: false\n  state_dir: /var/lib/f\n"
                             "  control: /run/shop.sock\n  control_mode: '0660'\n  control_group: _shop\n"
                             "  x-note: 1\n");
    s = &b.set->supervisor;
    assert_string_equal(b.set->name, "shop");
    assert_int_equal(s->exit_when, SPEC_EXIT_NEVER);
    assert_int_equal(s->stop_timeout_ms, 25000);
    assert_int_equal(s->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(s->log_format, LOG_FORMAT_JSON);
    assert_true(s->log_level_set);
    assert_true(s->log_format_set);
    assert_false(s->subreaper);
    assert_string_equal(s->state_dir, "/var/lib/f");
    assert_string_equal(s->control, "/run/shop.sock");
    assert_int_equal(s->control_mode, 0660);
    assert_string_equal(s->control_group, "_shop");
    config_bench_done(&b);
}

static void a_oneshot_has_no_start_limit(void **state)
{
    struct config_bench b = {0};

    (void)state;
    assert_int_equal(config_bench_service(&b, WEB "type: oneshot\n")->start_timeout_ms, 0);
    assert_int_equal(config_bench_service(&b, WEB "type: oneshot\n    start_timeout: 5m\n")->start_timeout_ms, 300000);
    assert_int_equal(config_bench_service(&b, WEB "type: simple\n")->start_timeout_ms, 60000);
    assert_int_equal(config_bench_service(&b, WEB "type: simple\n    start_timeout: 0\n")->start_timeout_ms, 0);
    config_bench_done(&b);
}

static void reads_restart(void **state)
{
    static const struct {
        const char *yaml;
        enum spec_restart_policy policy;
        int64_t attempts, delay_ms;
    } cases[] = {
        {"no", SPEC_RESTART_NO, 0, 500},
        {"\"no\"", SPEC_RESTART_NO, 0, 500},
        {"on-failure", SPEC_RESTART_ON_FAILURE, 0, 500},
        {"on-failure:5", SPEC_RESTART_ON_FAILURE, 5, 500},
        {"always", SPEC_RESTART_ALWAYS, 0, 500},
        {"unless-stopped", SPEC_RESTART_UNLESS_STOPPED, 0, 500},
        {"{}", SPEC_RESTART_ON_FAILURE, 0, 500},
        {"{ policy: always, delay: 2s }", SPEC_RESTART_ALWAYS, 0, 2000},
        {"{ policy: no, max_attempts: 3 }", SPEC_RESTART_NO, 3, 500},
    };
    struct config_bench b = {0};
    const struct spec *s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, WEB "restart: %s\n", cases[i].yaml);
        s = config_bench_service(&b, text);
        assert_int_equal(s->restart.policy, cases[i].policy);
        assert_int_equal(s->restart.max_attempts, cases[i].attempts);
        assert_int_equal(s->restart.delay_ms, cases[i].delay_ms);
    }
    s = config_bench_service(&b, WEB "restart: { factor: 1.5, jitter: 0.25, max_delay: 1m, reset_after: 0 }\n");
    assert_true(s->restart.factor > 1.49 && s->restart.factor < 1.51);
    assert_true(s->restart.jitter > 0.249 && s->restart.jitter < 0.251);
    assert_int_equal(s->restart.max_delay_ms, 60000);
    assert_int_equal(s->restart.reset_after_ms, 0);
    config_bench_done(&b);
}

static void reads_exit_codes(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "success_exit_codes: [2, 255, SIGTERM, hup]\n"
                                                        "    no_restart_exit_codes: [78]\n");

    (void)state;
    assert_false(spec_exits_has(&s->success_exit_codes, 0));
    assert_true(spec_exits_has(&s->success_exit_codes, 2 << 8));
    assert_true(spec_exits_has(&s->success_exit_codes, 255 << 8));
    assert_true(spec_exits_has(&s->success_exit_codes, SIGTERM));
    assert_true(spec_exits_has(&s->success_exit_codes, SIGHUP | 0x80));
    assert_false(spec_exits_has(&s->success_exit_codes, SIGKILL));
    assert_true(spec_exits_has(&s->no_restart_exit_codes, 78 << 8));
    assert_false(spec_exits_has(&s->no_restart_exit_codes, 0));
    config_bench_done(&b);
}

static void reads_stop_steps(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "stop_signal: int\n");

    (void)state;
    assert_int_equal(s->n_stop_signal, 1);
    assert_int_equal(s->stop_signal[0].signal, SIGINT);
    assert_int_equal(s->stop_signal[0].wait_ms, -1);
    s = config_bench_service(&b, WEB "stop_signal: [{signal: SIGUSR1, wait: 2s}, {signal: 2, wait: 500ms}, QUIT]\n");
    assert_int_equal(s->n_stop_signal, 3);
    assert_int_equal(s->stop_signal[0].signal, SIGUSR1);
    assert_int_equal(s->stop_signal[0].wait_ms, 2000);
    assert_int_equal(s->stop_signal[1].signal, SIGINT);
    assert_int_equal(s->stop_signal[1].wait_ms, 500);
    assert_int_equal(s->stop_signal[2].signal, SIGQUIT);
    assert_int_equal(s->stop_signal[2].wait_ms, -1);
    s = config_bench_service(&b, WEB "stop_grace_period: 5s\n    stop_signal: [{signal: TERM, wait: 5s}]\n");
    assert_int_equal(s->stop_signal[0].wait_ms, 5000);
    config_bench_done(&b);
}

static void reads_dependencies(void **state)
{
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "depends_on: [db, cache]\n"
                                                        "  db: { command: db }\n  cache: { command: c }\n");

    (void)state;
    assert_int_equal(s->n_depends_on, 2);
    assert_string_equal(s->depends_on[0].service, "db");
    assert_int_equal(s->depends_on[0].condition, SPEC_COND_STARTED);
    assert_true(s->depends_on[0].required);
    assert_int_equal(s->depends_on[1].pos.line, 4);
    assert_int_equal(s->depends_on[1].pos.column, 22);
    s = config_bench_service(&b, WEB "depends_on:\n"
                                     "      db: { condition: service_ready, required: false }\n"
                                     "      cache: { condition: service_completed }\n"
                                     "      job: { condition: service_completed_successfully }\n"
                                     "      other:\n"
                                     "  db: { command: db }\n  cache: { command: c }\n  job: { command: j }\n"
                                     "  other: { command: o }\n");
    assert_int_equal(s->n_depends_on, 4);
    assert_int_equal(s->depends_on[0].condition, SPEC_COND_READY);
    assert_false(s->depends_on[0].required);
    assert_int_equal(s->depends_on[1].condition, SPEC_COND_COMPLETED);
    assert_int_equal(s->depends_on[2].condition, SPEC_COND_COMPLETED_OK);
    assert_int_equal(s->depends_on[3].condition, SPEC_COND_STARTED);
    assert_true(s->depends_on[3].required);
    config_bench_done(&b);
}

static void reads_environment_and_labels(void **state)
{
    static const char *const forms[] = {
        WEB "environment: { TZ: UTC, EMPTY: '', PASS: null, N: 5 }\n    labels: { b: 2, a: '' }\n",
        WEB "environment: [TZ=UTC, EMPTY=, PASS, N=5]\n    labels: [b=2, a]\n",
    };
    static const struct spec_env expected[] = {{"EMPTY", ""}, {"N", "5"}, {"PASS", NULL}, {"TZ", "UTC"}};
    struct config_bench b = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const struct spec *s = config_bench_service(&b, forms[i]);
        assert_int_equal(s->n_environment, ARRAY_LEN(expected));
        for (size_t k = 0; k < ARRAY_LEN(expected); k++) {
            assert_string_equal(s->environment[k].name, expected[k].name);
            if (expected[k].value)
                assert_string_equal(s->environment[k].value, expected[k].value);
            else
                assert_null(s->environment[k].value);
        }
        assert_int_equal(s->n_labels, 2);
        assert_string_equal(s->labels[0].name, "a");
        assert_string_equal(s->labels[0].value, "");
        assert_string_equal(s->labels[1].name, "b");
        assert_string_equal(s->labels[1].value, "2");
    }
    config_bench_done(&b);
}

static void merges_env_files(void **state)
{
    static const struct config_entry files[] = {
        {"a.env", "A=1\nB=1\nC=1\n"}, {"sub/b.env", "B=2\nC=2\n"}, {"/abs.env", "D='x'\n"}, {NULL, NULL}};
    struct config_bench b = {.files = files};
    const struct spec *s = config_bench_service(
        &b, WEB "environment: { C: 3 }\n"
                "    env_file: [a.env, { path: ./sub/b.env }, /abs.env, { path: none.env, required: false }]\n");

    (void)state;
    assert_int_equal(s->n_environment, 4);
    assert_string_equal(s->environment[0].value, "1");
    assert_string_equal(s->environment[1].value, "2");
    assert_string_equal(s->environment[2].value, "3");
    assert_string_equal(s->environment[3].value, "x");
    assert_int_equal(config_bench_service(&b, WEB "env_file: a.env\n")->n_environment, 3);
    assert_int_equal(config_bench_service(&b, WEB "env_file: { path: a.env, required: false }\n")->n_environment, 3);
    config_bench_done(&b);
}

static void selects_profiles(void **state)
{
    static const char *const selected[] = {"test", "debug"};
    struct config_bench b = {0};
    const struct spec *s = config_bench_service(&b, WEB "profiles: [debug, ci]\n");

    (void)state;
    assert_false(s->enabled);
    assert_words(s->profiles, 2, "debug|ci|");
    b.opt.profiles = selected;
    b.opt.n_profiles = 1;
    assert_false(config_bench_service(&b, WEB "profiles: [debug, ci]\n")->enabled);
    assert_true(config_bench_service(&b, WEB "profiles: []\n")->enabled);
    b.opt.n_profiles = 2;
    assert_true(config_bench_service(&b, WEB "profiles: [debug, ci]\n")->enabled);
    config_bench_done(&b);
}

static void expands_variables(void **state)
{
    static const struct config_entry env[] = {{"N", "3"}, {"W", "a b"}, {"EMPTY", ""}, {"BAD", "\xff"}, {NULL, NULL}};
    static const struct config_refusal refused[] = {
        {WEB "scale: ${NOPE}\n    bogus: 1\n",
         "f.yaml:4:12: variable NOPE is not set; set it, or write ${NOPE:-default}\n"
         "f.yaml:5:5: unknown key `bogus` in a service; correct or remove it (keys are in foster.yaml(5))\n"},
        {"services:\n  web:\n    command: ${NOPE}\n",
         "f.yaml:3:14: variable NOPE is not set; set it, or write ${NOPE:-default}\n"},
        {"defaults:\n  command: ${NOPE}\nservices:\n  a: {}\n  b: {}\n",
         "f.yaml:2:12: variable NOPE is not set; set it, or write ${NOPE:-default}\n"},
        {WEB "working_dir: /${BAD}\n",
         "f.yaml:4:18: `working_dir` is not UTF-8 after its variables were put in; correct the variable\n"},
        {WEB "scale: ${W}\n", "f.yaml:4:12: `a b` is not a whole number; write one from 0 to 10000\n"},
    };
    struct config_bench b = {.env = env};
    const struct spec *s;

    (void)state;
    s = config_bench_service(
        &b, "x-unused: { v: &v \"${NOPE}\" }\n" WEB "scale: ${N}\n    working_dir: /a$$b\n"
            "    labels: { l: '${EMPTY}', '${N}': x }\n    environment: ['A=${W}']\n    x-y: ${NOPE}\n");
    assert_int_equal(s->scale, 3);
    assert_string_equal(s->working_dir, "/a$b");
    assert_string_equal(s->labels[0].name, "${N}");
    assert_string_equal(s->labels[1].value, "");
    assert_string_equal(s->environment[0].value, "a b");
    s = config_bench_service(&b, "services: { web: { command: '${W} \"${W}\"' } }\n");
    assert_words(s->command, s->n_command, "a|b|a b|");
    config_bench_refuses(&b, refused, ARRAY_LEN(refused));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_commands),
        cmocka_unit_test(has_the_defaults),
        cmocka_unit_test(reads_simple_keys),
        cmocka_unit_test(reads_the_supervisor),
        cmocka_unit_test(a_oneshot_has_no_start_limit),
        cmocka_unit_test(reads_restart),
        cmocka_unit_test(reads_exit_codes),
        cmocka_unit_test(reads_stop_steps),
        cmocka_unit_test(reads_dependencies),
        cmocka_unit_test(reads_environment_and_labels),
        cmocka_unit_test(merges_env_files),
        cmocka_unit_test(selects_profiles),
        cmocka_unit_test(expands_variables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
