/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Specs as plain data: names of values, sets of exit statuses, and that no key is forgotten when two
 * configurations are compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_bench.h"
#include "config_samples.h"

#include <signal.h>

static bool is_listed(const struct config_sample *list, size_t n, const struct schema_row *row)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].section == row->section && strcmp(list[i].key, row->key) == 0)
            return true;
    return false;
}

static void every_key_has_a_sample(void **state)
{
    size_t n;
    const struct schema_row *rows = schema_rows(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bool in_force = !(rows[i].flags & (SCHEMA_LATER | SCHEMA_CONTAINER));
        bool listed = is_listed(config_samples, ARRAY_LEN(config_samples), &rows[i]) ||
                      is_listed(config_unsampled, ARRAY_LEN(config_unsampled), &rows[i]);
        if (in_force != listed)
            fail_msg("%s: a key in force needs a sample, any other must have none", rows[i].key);
    }
}

static void compares_every_key(void **state)
{
    static struct config_bench plain, sample, again;

    (void)state;
    config_bench_service(&plain, config_sample_plain);
    for (size_t i = 0; i < ARRAY_LEN(config_samples); i++) {
        config_bench_service(&sample, config_samples[i].text);
        config_bench_service(&again, config_samples[i].text);
        if (spec_set_equal(plain.set, sample.set) || spec_set_equal(sample.set, plain.set))
            fail_msg("equal without looking at %s", config_samples[i].key);
        assert_true(spec_set_equal(sample.set, again.set));
    }
    config_bench_done(&plain);
    config_bench_done(&sample);
    config_bench_done(&again);
}

static void places_do_not_count(void **state)
{
    struct config_bench a = {0}, b = {0};

    (void)state;
    config_bench_service(&a, "services: { a: { command: a, depends_on: [b] }, b: { command: b } }\n");
    config_bench_service(&b, "# moved\n\nservices:\n  a:\n    depends_on: [b]\n    command: [a]\n  b: { command: b }\n"
                             "supervisor: { log_level: info }\n");
    assert_true(spec_set_equal(a.set, b.set));
    assert_true(spec_equal(&a.set->services[0], &b.set->services[0]));
    assert_false(spec_equal(&a.set->services[0], &b.set->services[1]));
    config_bench_service(&b, "services: { b: { command: b }, a: { command: a, depends_on: [b] } }\n");
    assert_false(spec_set_equal(a.set, b.set));
    config_bench_done(&a);
    config_bench_done(&b);
}

static void equal_looks_at_names_and_profiles(void **state)
{
    struct spec a, b;

    (void)state;
    spec_defaults(&a);
    spec_defaults(&b);
    assert_true(spec_equal(&a, &b));
    b.name = "x";
    assert_false(spec_equal(&a, &b));
    b.name = a.name;
    b.enabled = false;
    assert_false(spec_equal(&a, &b));
}

static void finds_by_name(void **state)
{
    struct config_bench b = {0};

    (void)state;
    config_bench_service(&b, "services: { a: { command: a }, b: { command: b } }\n");
    assert_ptr_equal(spec_find(b.set, "b"), &b.set->services[1]);
    assert_null(spec_find(b.set, "c"));
    assert_null(spec_find(b.set, ""));
    config_bench_done(&b);
}

static void keeps_exit_statuses(void **state)
{
    struct spec_exits e = {0};

    (void)state;
    for (int code = 0; code < 256; code++) {
        assert_false(spec_exits_has(&e, code << 8));
        spec_exits_add_code(&e, code);
        assert_true(spec_exits_has(&e, code << 8));
    }
    for (int sig = 1; sig < 127; sig++) {
        assert_false(spec_exits_has(&e, sig));
        spec_exits_add_signal(&e, sig);
        assert_true(spec_exits_has(&e, sig));
        assert_true(spec_exits_has(&e, sig | 0x80)); /* with a core dump */
    }
    assert_false(spec_exits_has(&e, SIGSTOP << 8 | 0x7f)); /* stopped, not ended */
    assert_false(spec_exits_has(&e, 0xffff));              /* continued */
}

#define NAMES(f, n, ...)                                                                                               \
    do {                                                                                                               \
        static const char *const expected[] = {__VA_ARGS__};                                                           \
        assert_int_equal(ARRAY_LEN(expected), n);                                                                      \
        for (unsigned i = 0; i < (n); i++)                                                                             \
            assert_string_equal(f(i), expected[i]);                                                                    \
    } while (0)

static void names_every_value(void **state)
{
    (void)state;
    NAMES(spec_type_name, SPEC_TYPE_N, "auto", "simple", "forking", "notify", "oneshot");
    NAMES(spec_restart_policy_name, SPEC_RESTART_N, "no", "on-failure", "always", "unless-stopped");
    NAMES(spec_kill_mode_name, SPEC_KILL_N, "mixed", "tree", "main");
    NAMES(spec_orphans_name, SPEC_ORPHANS_N, "kill", "adopt", "ignore");
    NAMES(spec_end_action_name, SPEC_END_N, "ignore", "shutdown");
    NAMES(spec_log_driver_name, SPEC_LOG_N, "stdout", "inherit", "file", "syslog", "journald", "none");
    NAMES(spec_log_format_name, SPEC_LOG_FORMAT_N, "text", "json");
    NAMES(spec_log_mode_name, SPEC_LOG_MODE_N, "blocking", "drop");
    NAMES(spec_condition_name, SPEC_COND_N, "service_started", "service_ready", "service_healthy",
          "service_completed_successfully", "service_completed");
    NAMES(spec_unhealthy_action_name, SPEC_UNHEALTHY_N, "ignore", "restart", "shutdown");
    NAMES(spec_hook_point_name, SPEC_HOOK_N, "pre_start", "post_start", "pre_stop", "post_stop");
    NAMES(spec_overlap_name, SPEC_OVERLAP_N, "skip", "queue");
    NAMES(spec_zombie_action_name, SPEC_ZOMBIES_N, "off", "warn", "nudge", "restart", "reap");
    NAMES(spec_exit_when_name, SPEC_EXIT_N, "idle", "essential", "never");
}

static void rescales_and_keeps_all_else(void **state)
{
    static struct config_bench b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(config_samples); i++) {
        config_bench_service(&b, config_samples[i].text);
        int64_t scale = spec_find(b.set, "web")->scale;
        struct spec_set *same = spec_set_rescaled(b.set, "web", scale);
        struct spec_set *more = spec_set_rescaled(b.set, "web", scale + 1);
        assert_true(spec_set_equal(b.set, same));
        assert_false(spec_set_equal(b.set, more));
        assert_int_equal(spec_find(more, "web")->scale, scale + 1);
        assert_int_equal(spec_find(b.set, "web")->scale, scale);
        spec_set_free(more);
        spec_set_free(same);
    }
    config_bench_done(&b);
}

/* Whichever goes first, what the others share stays (the sanitizers tell), and the last takes it along. */
static void what_is_shared_lives_as_long_as_anybody_shares_it(void **state)
{
    static const unsigned char orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static struct config_bench b;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct spec_set *sets[3] = {
            config_bench_load(&b, "services: { web: { command: serve }, db: { command: keep } }\n")};
        assert_non_null(sets[0]);
        b.set = NULL;
        sets[1] = spec_set_rescaled(sets[0], "web", 2);
        sets[2] = spec_set_rescaled(sets[1], "db", 3);
        assert_int_equal(spec_find(sets[2], "web")->scale, 2);
        for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
            for (size_t left = k; left < ARRAY_LEN(sets); left++)
                assert_string_equal(spec_find(sets[orders[i][left]], "db")->command[0], "keep");
            spec_set_free(sets[orders[i][k]]);
        }
    }
    config_bench_done(&b);
}

static void frees_nothing(void **state)
{
    (void)state;
    spec_set_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_a_sample),
        cmocka_unit_test(compares_every_key),
        cmocka_unit_test(places_do_not_count),
        cmocka_unit_test(equal_looks_at_names_and_profiles),
        cmocka_unit_test(finds_by_name),
        cmocka_unit_test(keeps_exit_statuses),
        cmocka_unit_test(names_every_value),
        cmocka_unit_test(frees_nothing),
        cmocka_unit_test(rescales_and_keeps_all_else),
        cmocka_unit_test(what_is_shared_lives_as_long_as_anybody_shares_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
