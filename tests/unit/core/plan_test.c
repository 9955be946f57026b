/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What lies between two configurations: for every key of the table, changed alone, what it takes; services that come
 * and go; and the words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "config_samples.h"
#include "core/plan.h"

/* What becomes of a key. */
enum decision { NONE, SCALE, RESTART, REMOVE, ADD, LIVE, LATER };

/* For every key that has a sample, what changing it takes of a running fosterd. */
static const struct {
    enum schema_section section;
    const char *key;
    enum decision decision;
    const char *keys; /* as they are told: of the service, or of `supervisor` */
} decisions[] = {
    {SCHEMA_TOP, "name", LIVE, "name"},
    {SCHEMA_TOP, "services", ADD, ""},
    {SCHEMA_TOP, "defaults", RESTART, "umask"},
    {SCHEMA_TOP, "supervisor", NONE, "essential"},
    {SCHEMA_SERVICE, "command", RESTART, "command"},
    {SCHEMA_SERVICE, "entrypoint", RESTART, "entrypoint"},
    {SCHEMA_SERVICE, "type", RESTART, "type, start_timeout"},
    {SCHEMA_SERVICE, "environment", RESTART, "environment"},
    {SCHEMA_SERVICE, "clear_env", RESTART, "clear_env"},
    {SCHEMA_SERVICE, "working_dir", RESTART, "working_dir"},
    {SCHEMA_SERVICE, "user", RESTART, "user"},
    {SCHEMA_SERVICE, "group_add", RESTART, "group_add"},
    {SCHEMA_SERVICE, "umask", RESTART, "umask"},
    {SCHEMA_SERVICE, "nice", RESTART, "nice"},
    {SCHEMA_SERVICE, "oom_score_adj", RESTART, "oom_score_adj"},
    {SCHEMA_SERVICE, "cap_add", RESTART, "cap_add"},
    {SCHEMA_SERVICE, "cap_drop", RESTART, "cap_drop"},
    {SCHEMA_SERVICE, "security_opt", RESTART, "security_opt"},
    {SCHEMA_SERVICE, "ulimits", RESTART, "ulimits"},
    {SCHEMA_SERVICE, "pids_limit", RESTART, "pids_limit"},
    {SCHEMA_SERVICE, "mem_limit", RESTART, "mem_limit"},
    {SCHEMA_SERVICE, "cpus", RESTART, "cpus"},
    {SCHEMA_SERVICE, "zombies", NONE, "zombies.limit, zombies.action"},
    {SCHEMA_SERVICE, "depends_on", NONE, "depends_on"},
    {SCHEMA_SERVICE, "start_timeout", NONE, "start_timeout"},
    {SCHEMA_SERVICE, "ready", NONE, "ready.log"},
    {SCHEMA_SERVICE, "healthcheck", NONE, "healthcheck.test, healthcheck.retries, healthcheck.start_period"},
    {SCHEMA_SERVICE, "on_unhealthy", NONE, "on_unhealthy"},
    {SCHEMA_SERVICE, "watchdog", RESTART, "watchdog"},
    {SCHEMA_SERVICE, "pre_start", NONE, "pre_start"},
    {SCHEMA_SERVICE, "post_start", NONE, "post_start"},
    {SCHEMA_SERVICE, "pre_stop", NONE, "pre_stop"},
    {SCHEMA_SERVICE, "post_stop", NONE, "post_stop"},
    {SCHEMA_SERVICE, "reload", NONE, "reload.signal"},
    {SCHEMA_SERVICE, "sockets", RESTART, "sockets"},
    {SCHEMA_SERVICE, "schedule", RESTART, "type, start_timeout, schedule.every"},
    {SCHEMA_SERVICE, "restart", NONE, "restart.policy"},
    {SCHEMA_SERVICE, "success_exit_codes", NONE, "success_exit_codes"},
    {SCHEMA_SERVICE, "no_restart_exit_codes", NONE, "no_restart_exit_codes"},
    {SCHEMA_SERVICE, "essential", NONE, "essential"},
    {SCHEMA_SERVICE, "on_success", NONE, "on_success"},
    {SCHEMA_SERVICE, "on_failure", NONE, "on_failure"},
    {SCHEMA_SERVICE, "stop_signal", NONE, "stop_signal"},
    {SCHEMA_SERVICE, "stop_grace_period", NONE, "stop_grace_period"},
    {SCHEMA_SERVICE, "kill_mode", NONE, "kill_mode"},
    {SCHEMA_SERVICE, "orphans", NONE, "orphans"},
    {SCHEMA_SERVICE, "pid_file", NONE, "pid_file"},
    {SCHEMA_SERVICE, "scale", SCALE, "scale"},
    {SCHEMA_SERVICE, "profiles", REMOVE, ""},
    {SCHEMA_SERVICE, "autostart", NONE, "autostart"},
    {SCHEMA_SERVICE, "extends", RESTART, "command"},
    {SCHEMA_SERVICE, "labels", NONE, "labels"},
    {SCHEMA_SERVICE, "logging", RESTART, "logging.driver, logging.stderr"},
    {SCHEMA_RESTART, "policy", NONE, "restart.policy"},
    {SCHEMA_RESTART, "delay", NONE, "restart.delay"},
    {SCHEMA_RESTART, "factor", NONE, "restart.factor"},
    {SCHEMA_RESTART, "max_delay", NONE, "restart.max_delay"},
    {SCHEMA_RESTART, "jitter", NONE, "restart.jitter"},
    {SCHEMA_RESTART, "max_attempts", NONE, "restart.max_attempts"},
    {SCHEMA_RESTART, "reset_after", NONE, "restart.reset_after"},
    {SCHEMA_STOP_STEP, "signal", NONE, "stop_signal"},
    {SCHEMA_STOP_STEP, "wait", NONE, "stop_signal"},
    {SCHEMA_ULIMIT, "soft", RESTART, "ulimits"},
    {SCHEMA_ULIMIT, "hard", RESTART, "ulimits"},
    {SCHEMA_ZOMBIES, "limit", NONE, "zombies.limit"},
    {SCHEMA_ZOMBIES, "action", NONE, "zombies.action"},
    {SCHEMA_DEP, "condition", NONE, "depends_on"},
    {SCHEMA_DEP, "required", NONE, "depends_on"},
    {SCHEMA_DEP, "restart", NONE, "depends_on"},
    {SCHEMA_READY, "notify", RESTART, "ready.notify"},
    {SCHEMA_READY, "fd", RESTART, "ready.fd"},
    {SCHEMA_READY, "log", NONE, "ready.log"},
    {SCHEMA_READY, "tcp", NONE, "ready.tcp"},
    {SCHEMA_READY, "http", NONE, "ready.http"},
    {SCHEMA_READY, "exec", NONE, "ready.exec"},
    {SCHEMA_READY, "after", NONE, "ready.after"},
    {SCHEMA_HEALTHCHECK, "test", NONE, "healthcheck.test"},
    {SCHEMA_HEALTHCHECK, "tcp", NONE, "healthcheck.tcp"},
    {SCHEMA_HEALTHCHECK, "http", NONE, "healthcheck.http"},
    {SCHEMA_HEALTHCHECK, "interval", NONE, "healthcheck.tcp, healthcheck.interval"},
    {SCHEMA_HEALTHCHECK, "timeout", NONE, "healthcheck.tcp, healthcheck.timeout"},
    {SCHEMA_HEALTHCHECK, "retries", NONE, "healthcheck.tcp, healthcheck.retries"},
    {SCHEMA_HEALTHCHECK, "start_period", NONE, "healthcheck.tcp, healthcheck.start_period"},
    {SCHEMA_HEALTHCHECK, "start_interval", NONE, "healthcheck.tcp, healthcheck.start_interval"},
    {SCHEMA_HOOK, "command", NONE, "post_stop"},
    {SCHEMA_HOOK, "user", NONE, "post_stop"},
    {SCHEMA_HOOK, "environment", NONE, "post_stop"},
    {SCHEMA_HOOK, "working_dir", NONE, "post_stop"},
    {SCHEMA_HOOK, "timeout", NONE, "post_stop"},
    {SCHEMA_RELOAD, "signal", NONE, "reload.signal"},
    {SCHEMA_RELOAD, "command", NONE, "reload.command"},
    {SCHEMA_SOCKET, "listen", RESTART, "sockets"},
    {SCHEMA_SOCKET, "name", RESTART, "sockets"},
    {SCHEMA_SOCKET, "mode", RESTART, "sockets"},
    {SCHEMA_SOCKET, "user", RESTART, "sockets"},
    {SCHEMA_SOCKET, "backlog", RESTART, "sockets"},
    {SCHEMA_SCHEDULE, "every", RESTART, "type, start_timeout, schedule.every"},
    {SCHEMA_SCHEDULE, "cron", RESTART, "type, start_timeout, schedule.cron"},
    {SCHEMA_SCHEDULE, "overlap", RESTART, "type, start_timeout, schedule.every, schedule.overlap"},
    {SCHEMA_LOGGING, "driver", RESTART, "logging.driver"},
    {SCHEMA_LOGGING, "options", NONE, "logging.options.format, logging.options.mode"},
    {SCHEMA_LOGGING, "stderr", RESTART, "logging.stderr"},
    {SCHEMA_LOG_STDERR, "driver", RESTART, "logging.stderr"},
    {SCHEMA_LOG_STDERR, "options", RESTART, "logging.stderr"},
    {SCHEMA_LOG_OPTIONS, "path", NONE, "logging.driver, logging.options.path"},
    {SCHEMA_LOG_OPTIONS, "max-size", NONE, "logging.driver, logging.options.path, logging.options.max-size"},
    {SCHEMA_LOG_OPTIONS, "max-file", NONE, "logging.driver, logging.options.path, logging.options.max-file"},
    {SCHEMA_LOG_OPTIONS, "max-age", NONE, "logging.driver, logging.options.path, logging.options.max-age"},
    {SCHEMA_LOG_OPTIONS, "compress", NONE, "logging.driver, logging.options.path, logging.options.compress"},
    {SCHEMA_LOG_OPTIONS, "file-mode", NONE, "logging.driver, logging.options.path, logging.options.file-mode"},
    {SCHEMA_LOG_OPTIONS, "directory-mode", NONE,
     "logging.driver, logging.options.path, logging.options.directory-mode"},
    {SCHEMA_LOG_OPTIONS, "user", NONE, "logging.driver, logging.options.path, logging.options.user"},
    {SCHEMA_LOG_OPTIONS, "format", NONE, "logging.options.format"},
    {SCHEMA_LOG_OPTIONS, "timestamps", NONE, "logging.options.timestamps"},
    {SCHEMA_LOG_OPTIONS, "mode", NONE, "logging.options.mode"},
    {SCHEMA_LOG_OPTIONS, "max-buffer-size", RESTART, "logging.options.max-buffer-size"},
    {SCHEMA_LOG_OPTIONS, "syslog-address", NONE, "logging.driver, logging.options.syslog-address"},
    {SCHEMA_LOG_OPTIONS, "syslog-format", NONE, "logging.driver, logging.options.syslog-format"},
    {SCHEMA_LOG_OPTIONS, "syslog-facility", NONE, "logging.driver, logging.options.syslog-facility"},
    {SCHEMA_LOG_OPTIONS, "tag", NONE, "logging.driver, logging.options.tag"},
    {SCHEMA_SUPERVISOR, "exit_when", LIVE, "supervisor.exit_when"},
    {SCHEMA_SUPERVISOR, "stop_timeout", LIVE, "supervisor.stop_timeout"},
    {SCHEMA_SUPERVISOR, "log_level", LIVE, "supervisor.log_level"},
    {SCHEMA_SUPERVISOR, "log_format", LIVE, "supervisor.log_format"},
    {SCHEMA_SUPERVISOR, "subreaper", LATER, "supervisor.subreaper"},
    {SCHEMA_SUPERVISOR, "state_dir", LATER, "supervisor.state_dir"},
    {SCHEMA_SUPERVISOR, "control", LATER, "supervisor.control"},
    {SCHEMA_SUPERVISOR, "control_mode", LATER, "supervisor.control_mode, supervisor.control_group"},
    {SCHEMA_SUPERVISOR, "control_group", LATER, "supervisor.control_group"},
    {SCHEMA_SUPERVISOR, "require_limits", LIVE, "supervisor.require_limits"},
    {SCHEMA_SUPERVISOR, "cgroup", LATER, "supervisor.cgroup"},
    {SCHEMA_SUPERVISOR, "zombies", LIVE, "supervisor.zombies.limit, supervisor.zombies.action"},
    {SCHEMA_SUPERVISOR_ZOMBIES, "check", LIVE, "supervisor.zombies.check"},
    {SCHEMA_SUPERVISOR_ZOMBIES, "limit", LIVE, "supervisor.zombies.limit"},
    {SCHEMA_SUPERVISOR_ZOMBIES, "action", LIVE, "supervisor.zombies.action"},
};

static enum decision of_change(const struct plan_change *c)
{
    switch (c->action) {
    case PLAN_ADD:
        return ADD;
    case PLAN_REMOVE:
        return REMOVE;
    case PLAN_CHANGE:
    case PLAN_ACTION_N:
        break;
    }
    return c->effect == PLAN_RESTART ? RESTART : c->effect == PLAN_SCALE ? SCALE : NONE;
}

static void join(const char *const *keys, size_t n, char *buf, size_t size)
{
    size_t len = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "", keys[i]);
    assert_true(len < size);
}

/* The one thing that P says, of one service or of several. */
static enum decision only_decision(const struct plan *p, char *keys, size_t size)
{
    assert_int_equal((p->n_changes > 0) + (p->n_live > 0) + (p->n_later > 0), 1);
    for (size_t i = 1; i < p->n_changes; i++)
        assert_int_equal(of_change(&p->changes[i]), of_change(&p->changes[0]));
    if (p->n_changes > 0)
        join(p->changes[0].keys, p->changes[0].n_keys, keys, size);
    else if (p->n_live > 0)
        join(p->live, p->n_live, keys, size);
    else
        join(p->later, p->n_later, keys, size);
    return p->n_changes > 0 ? of_change(&p->changes[0]) : p->n_live > 0 ? LIVE : LATER;
}

static void check_sample(const struct config_sample *sample)
{
    static struct config_bench plain, other;
    char keys[256];
    struct plan p;
    size_t i = 0;

    while (i < ARRAY_LEN(decisions) &&
           (decisions[i].section != sample->section || strcmp(decisions[i].key, sample->key) != 0))
        i++;
    if (i == ARRAY_LEN(decisions))
        fail_msg("decide what a change of %s takes of a running service, and flag its row", sample->key);
    config_bench_service(&plain, config_sample_plain);
    config_bench_service(&other, sample->text);
    /* This one cannot be alone: it needs an essential service beside it. */
    if (strcmp(sample->key, "supervisor") == 0)
        other.set->supervisor.exit_when = plain.set->supervisor.exit_when;
    assert_true(plan_make(&p, plain.set, other.set));
    enum decision got = only_decision(&p, keys, sizeof keys);
    if (got != decisions[i].decision || strcmp(keys, decisions[i].keys) != 0)
        fail_msg("%s: decision %d instead of %d, keys \"%s\"", sample->key, (int)got, (int)decisions[i].decision, keys);
    assert_false(plan_is_empty(&p));
    plan_done(&p);
    config_bench_done(&plain);
    config_bench_done(&other);
}

static void every_key_has_its_effect(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(config_samples); i++)
        check_sample(&config_samples[i]);
}

/* `env_file` has no sample, since it needs a file: its variables are the service's. */
static void variables_of_a_file_are_environment(void **state)
{
    static const struct config_entry before[] = {{"e.env", "A=1\n"}, {NULL, NULL}};
    static const struct config_entry after[] = {{"e.env", "A=2\n"}, {NULL, NULL}};
    static const char yaml[] = "services: { web: { command: run, env_file: e.env } }\n";
    struct config_bench a = {.files = before}, b = {.files = after};
    struct plan p;
    char keys[64];

    (void)state;
    config_bench_service(&a, yaml);
    config_bench_service(&b, yaml);
    assert_true(plan_make(&p, a.set, b.set));
    assert_int_equal(only_decision(&p, keys, sizeof keys), RESTART);
    assert_string_equal(keys, "environment");
    plan_done(&p);
    config_bench_done(&a);
    config_bench_done(&b);
}

/* Another entry in /etc/passwd makes another service of the same text. */
static void what_names_stand_for_counts(void **state)
{
    static const char yaml[] = "services: { web: { command: run, user: app, group_add: [audio], cap_add: [KILL] } }\n";
    struct config_bench a = {0}, b = {0};
    struct plan p;
    char keys[64];

    (void)state;
    config_bench_service(&a, yaml);
    config_bench_service(&b, yaml);
    b.set->services[0].user.uid++;
    b.set->services[0].group_add.gids[0]++;
    b.set->services[0].cap_add.mask <<= 1;
    assert_true(plan_make(&p, a.set, b.set));
    assert_int_equal(only_decision(&p, keys, sizeof keys), RESTART);
    assert_string_equal(keys, "user, group_add, cap_add");
    plan_done(&p);
    b.set->services[0] = a.set->services[0];
    b.set->services[0].user.groups = (gid_t[]){1000, 44, 46};
    assert_true(plan_make(&p, a.set, b.set));
    assert_int_equal(only_decision(&p, keys, sizeof keys), RESTART);
    assert_string_equal(keys, "user");
    plan_done(&p);
    config_bench_done(&a);
    config_bench_done(&b);
}

/* The plan from one file to another as lines "- old stop". */
static void check_plan(const char *from, const char *to, const char *const *profiles, const char *expected)
{
    static struct config_bench a, b;
    char text[2048] = "", line[256];
    size_t len = 0, n_profiles = 0;
    struct plan p;

    while (profiles && profiles[n_profiles])
        n_profiles++;
    a.opt = b.opt = (struct config_options){.profiles = profiles, .n_profiles = n_profiles};
    config_bench_service(&a, from);
    config_bench_service(&b, to);
    assert_true(plan_make(&p, a.set, b.set));
    for (size_t i = 0; i < p.n_changes; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s %s\n", plan_text(&p.changes[i], line, sizeof line),
                                plan_effect_name(p.changes[i].effect));
    assert_string_equal(text, expected);
    assert_int_equal(plan_is_empty(&p), expected[0] == '\0');
    plan_done(&p);
    config_bench_done(&a);
    config_bench_done(&b);
}

/* What a service has as standard output and error is for ever; where a pipe leads is not. */
static void logging_restarts_for_another_descriptor_only(void **state)
{
#define OF(log) "services: { web: { command: w, logging: { " log " } } }\n"
    static const struct {
        const char *from, *to, *expected;
    } cases[] = {
        {"driver: stdout", "driver: journald", "~ web (logging.driver; no restart) none\n"},
        {"driver: file, options: { path: /a }", "driver: syslog",
         "~ web (logging.driver, logging.options.path; no restart) none\n"},
        {"driver: file, options: { path: /a }", "driver: file, options: { path: /b, user: app }",
         "~ web (logging.options.path, logging.options.user; no restart) none\n"},
        {"options: { max-buffer-size: 60k }", "driver: stdout", ""},
        {"options: { max-buffer-size: 4k }", "driver: stdout", "~ web (logging.options.max-buffer-size) restart\n"},
        {"driver: stdout", "driver: inherit", "~ web (logging.driver) restart\n"},
        {"driver: none", "driver: inherit", "~ web (logging.driver) restart\n"},
        {"driver: none", "driver: syslog", "~ web (logging.driver) restart\n"},
        {"stderr: { driver: journald }", "stderr: { options: { mode: drop } }",
         "~ web (logging.stderr; no restart) none\n"},
        {"stderr: { driver: journald }", "stderr: { driver: inherit }", "~ web (logging.stderr) restart\n"},
        {"stderr: { options: { max-buffer-size: 8k } }", "stderr: {}", "~ web (logging.stderr) restart\n"},
        {"stderr: {}", "driver: stdout", "~ web (logging.stderr) restart\n"},
    };
    char from[256], to[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(from, sizeof from, OF("%s"), cases[i].from);
        (void)snprintf(to, sizeof to, OF("%s"), cases[i].to);
        check_plan(from, to, NULL, cases[i].expected);
        check_plan(to, from, NULL, cases[i].expected);
    }
#undef OF
}

static void equal_configurations_give_nothing(void **state)
{
    (void)state;
    check_plan(config_sample_plain, config_sample_plain, NULL, "");
    check_plan("services: { a: { command: a }, b: { command: b } }\n",
               "services: { b: { command: b }, a: { command: a } }\n", NULL, "");
}

static void services_come_and_go(void **state)
{
    (void)state;
    check_plan("services: { z: { command: z }, gone: { command: g }, web: { command: w }, also: { command: x } }\n",
               "services: { web: { command: w2, umask: 077 }, new: { command: n }, z: { command: z },\n"
               "            lazy: { command: l, autostart: false }, none: { command: n, scale: 0 } }\n",
               NULL,
               "- gone stop\n- also stop\n~ web (command, umask) restart\n+ new start\n+ lazy none\n+ none none\n");
}

static void a_restart_outweighs_all_else(void **state)
{
    (void)state;
    check_plan("services: { web: { command: w } }\n",
               "services: { web: { command: v, scale: 3, stop_grace_period: 1s } }\n", NULL,
               "~ web (command, stop_grace_period, scale) restart\n");
    check_plan("services: { web: { command: w } }\n", "services: { web: { command: w, scale: 3, kill_mode: tree } }\n",
               NULL, "~ web (kill_mode, scale) scale\n");
}

/* Who depends on a service with `restart` goes with it, by the new file, and whatever has changed of himself. */
static void restarts_take_others_along(void **state)
{
    static const char before[] = "services:\n"
                                 "  top: { command: t, depends_on: { web: { restart: true } } }\n"
                                 "  web: { command: w, depends_on: { db: { restart: true, required: false } } }\n"
                                 "  aside: { command: a, depends_on: { db: { restart: false } } }\n"
                                 "  db: { command: d }\n";

    (void)state;
    check_plan(before,
               "services:\n"
               "  top: { command: t, depends_on: { web: { restart: true } } }\n"
               "  web: { command: w, stop_grace_period: 1s, depends_on: { db: { restart: true, required: false } } }\n"
               "  aside: { command: a, depends_on: { db: { restart: false } } }\n"
               "  db: { command: d2 }\n"
               "  new: { command: n, depends_on: { db: { restart: true } } }\n",
               NULL,
               "~ top (restarts with web) restart\n~ web (stop_grace_period; restarts with db) restart\n"
               "~ db (command) restart\n+ new start\n");
    check_plan(before,
               "services:\n"
               "  top: { command: t2, depends_on: { web: { restart: true } } }\n"
               "  web: { command: w }\n"
               "  aside: { command: a, depends_on: { db: { restart: true } } }\n"
               "  db: { command: d2 }\n",
               NULL,
               "~ top (command) restart\n~ web (depends_on; no restart) none\n"
               "~ aside (depends_on; restarts with db) restart\n"
               "~ db (command) restart\n");
    /* Nothing restarts with what merely gets more instances, or counts from now on. */
    check_plan(before,
               "services:\n"
               "  top: { command: t, depends_on: { web: { restart: true } } }\n"
               "  web: { command: w, depends_on: { db: { restart: true, required: false } } }\n"
               "  aside: { command: a, depends_on: { db: { restart: false } } }\n"
               "  db: { command: d, scale: 2, kill_mode: tree }\n",
               NULL, "~ db (kill_mode, scale) scale\n");
}

static void a_profile_makes_a_service_exist(void **state)
{
    static const char *const debug[] = {"debug", NULL};
    static const char without[] = "services: { db: { command: d }, web: { command: w } }\n";
    static const char with[] = "services: { db: { command: d }, web: { command: w, profiles: [debug] } }\n";

    (void)state;
    check_plan(without, with, NULL, "- web stop\n");
    check_plan(with, without, NULL, "+ web start\n");
    check_plan(without, with, debug, "~ web (profiles; no restart) none\n");
    /* Somebody may have started it by its name. */
    check_plan(with, "services: { db: { command: d }, web: { command: v, profiles: [debug] } }\n", NULL,
               "~ web (command) restart\n");
}

static void a_long_text_is_cut(void **state)
{
    const char *keys[] = {"command", "environment", "working_dir"};
    struct plan_change c = {
        .action = PLAN_CHANGE, .effect = PLAN_RESTART, .service = "web", .keys = keys, .n_keys = ARRAY_LEN(keys)};
    char buf[64], full[64];

    (void)state;
    assert_string_equal(plan_text(&c, full, sizeof full), "~ web (command, environment, working_dir)");
    for (size_t size = 4; size <= strlen(full); size++) {
        (void)plan_text(&c, buf, size);
        assert_int_equal(strlen(buf), size - 1);
        assert_memory_equal(buf, full, size - 4);
        assert_string_equal(buf + size - 4, "...");
    }
    assert_string_equal(plan_text(&c, buf, strlen(full) + 1), full);
    c.with = "db";
    c.n_keys = 1;
    assert_string_equal(plan_text(&c, full, sizeof full), "~ web (command; restarts with db)");
    for (size_t size = 4; size <= strlen(full); size++) {
        (void)plan_text(&c, buf, size);
        assert_int_equal(strlen(buf), size - 1);
        assert_memory_equal(buf, full, size - 4);
    }
}

static void words(void **state)
{
    static const char *const actions[] = {"add", "remove", "change"};
    static const char *const effects[] = {"none", "scale", "restart", "start", "stop"};

    (void)state;
    assert_int_equal(ARRAY_LEN(actions), PLAN_ACTION_N);
    for (unsigned i = 0; i < PLAN_ACTION_N; i++)
        assert_string_equal(plan_action_name(i), actions[i]);
    assert_int_equal(ARRAY_LEN(effects), PLAN_EFFECT_N);
    for (unsigned i = 0; i < PLAN_EFFECT_N; i++)
        assert_string_equal(plan_effect_name(i), effects[i]);
    assert_string_equal(plan_action_name(PLAN_ACTION_N), "?");
    assert_string_equal(plan_effect_name(PLAN_EFFECT_N), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_its_effect),
        cmocka_unit_test(variables_of_a_file_are_environment),
        cmocka_unit_test(what_names_stand_for_counts),
        cmocka_unit_test(logging_restarts_for_another_descriptor_only),
        cmocka_unit_test(equal_configurations_give_nothing),
        cmocka_unit_test(services_come_and_go),
        cmocka_unit_test(a_restart_outweighs_all_else),
        cmocka_unit_test(restarts_take_others_along),
        cmocka_unit_test(a_profile_makes_a_service_exist),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
