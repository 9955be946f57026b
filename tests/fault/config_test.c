/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A configuration without memory: whichever allocation is refused, config_load() says an error and frees
 * everything, and printing says that it could not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/config.h"
#include "fault/support/fault.h"
#include "support/accounts.h"

#include <string.h>

static const char *const files[][2] = {
    {"f.yaml",
     "name: shop\n"
     "include: [other.yaml, 'd*.yaml']\n"
     "x-a: &a { environment: { A: '${V}', B: null }, labels: [x=y] }\n"
     "defaults: { umask: '022', working_dir: sub }\n"
     "services:\n"
     "  web:\n"
     "    <<: *a\n"
     "    entrypoint: sh -c\n"
     "    command: ['a b', c]\n"
     "    env_file: [{ path: e.env, required: false }]\n"
     "    clear_env: [PATH]\n"
     "    profiles: [p]\n"
     "    depends_on: { two: { condition: service_ready } }\n"
     "    stop_signal: [{ signal: INT, wait: 1s }, TERM]\n"
     "    restart: { policy: always }\n"
     "    success_exit_codes: [0, TERM]\n"
     "    user: app:audio\n"
     "    group_add: [video, 7]\n"
     "    cap_drop: [ALL]\n"
     "    cap_add: [cap_kill]\n"
     "    security_opt: [no-new-privileges]\n"
     "    ulimits: { nofile: 64, core: { soft: 0, hard: 1m } }\n"
     "    zombies: { limit: 3 }\n"
     "    ready: { http: 'http://localhost/x' }\n"
     "    healthcheck: { test: [CMD-SHELL, 'a b'] }\n"
     "    pre_start: [a b, { command: [c], user: app, environment: [A=1, B], working_dir: d }]\n"
     "    reload: { command: a b }\n"
     "    sockets: [80, 'udp:[::1]:53', { listen: /x, name: y }]\n"
     "  two: { extends: { service: base, file: base.yaml }, depends_on: [three], ready: { tcp: 'localhost:1' } }\n"
     "supervisor: { state_dir: /x, control: /y, control_group: adm, cgroup: /x }\n"},
    {"other.yaml", "services: { three: { command: t, type: oneshot, schedule: { cron: '@daily' } } }\n"},
    {"base.yaml", "defaults: { scale: 2 }\nservices: { base: { command: 'b ${V}' } }\n"},
    {"e.env", "C='1'\nD=2\n"},
};

static bool read_file(const char *path, size_t max, struct buf *out, bool *ret_missing, char *why, size_t why_size,
                      void *data)
{
    (void)max;
    (void)why;
    (void)why_size;
    (void)data;
    *ret_missing = false;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (strcmp(files[i][0], path) == 0)
            return buf_puts(out, files[i][1]);
    *ret_missing = true;
    return false;
}

static bool no_glob(struct arena *a, const char *pattern, char ***ret, size_t *ret_n, void *data)
{
    (void)a;
    (void)pattern;
    (void)data;
    *ret = NULL;
    *ret_n = 0;
    return true;
}

static const char *get_variable(const char *name, void *data)
{
    (void)data;
    return strcmp(name, "V") == 0 ? "value" : NULL;
}

static const struct config_source source = {
    .read = read_file,
    .glob = no_glob,
    .getenv = get_variable,
    .user = accounts_user,
    .group = accounts_group,
    .capability = accounts_capability,
};
static const char *const sets[] = {"services.web.scale=3", "supervisor.exit_when=never"};

static struct spec_set *load(size_t memory_max, struct diag_list *d)
{
    struct config_options opt = {.sets = sets, .n_sets = ARRAY_LEN(sets), .memory_max = memory_max};

    return config_load("f.yaml", &source, &opt, d);
}

static void load_operation(void *arg, const struct fault_rule *rule)
{
    struct diag_list d = {.n = 0};
    struct spec_set *set = load(0, &d);
    unsigned refused = fault_refused();

    (void)arg;
    fault_end();
    assert_int_equal(set != NULL, d.n_errors == 0);
    assert_int_equal(set != NULL, refused == 0);
    if (!rule) {
        assert_non_null(set);
        assert_int_equal(set->n_services, 3);
    }
    spec_set_free(set);
    diag_done(&d);
}

static void loads_or_says_so(void **state)
{
    (void)state;
    fault_each(NULL, 0, 400, load_operation, NULL);
}

static void print_operation(void *arg, const struct fault_rule *rule)
{
    bool (*const writers[])(struct buf *) = {config_schema, config_reference};
    struct buf out;
    bool ok;

    (void)rule;
    buf_init(&out, 1 << 20);
    ok = config_print(arg, &out);
    assert_int_equal(ok, !out.failed);
    buf_done(&out);
    for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
        buf_init(&out, 1 << 20);
        ok = writers[i](&out);
        assert_int_equal(ok, !out.failed);
        buf_done(&out);
    }
    fault_end();
}

static void prints_or_says_so(void **state)
{
    struct diag_list d = {.n = 0};
    struct spec_set *set = load(0, &d);

    (void)state;
    assert_non_null(set);
    fault_each(NULL, 0, 100, print_operation, set);
    spec_set_free(set);
    diag_done(&d);
}

/* The cap of the arenas, byte by byte up to what is enough. */
static void keeps_to_its_memory(void **state)
{
    size_t max = 1;
    bool enough = false;

    (void)state;
    for (; !enough; max += 11) {
        struct diag_list d = {.n = 0};
        struct spec_set *set = load(max, &d);
        assert_int_equal(set != NULL, d.n_errors == 0);
        if (set)
            assert_true(set->arena.used <= max);
        enough = set != NULL;
        spec_set_free(set);
        diag_done(&d);
        assert_true(max < 1000000);
    }
    assert_true(max > 1000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(loads_or_says_so, fault_teardown),
        cmocka_unit_test_teardown(prints_or_says_so, fault_teardown),
        cmocka_unit_test(keeps_to_its_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
