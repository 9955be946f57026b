/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Health checks of a unit: what is begun, told, logged and shown. Commands are made up here; the times are those of
 * tests/unit/core/health_test.c, so here they are as short as can be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "daemon/health.h"
#include "daemon/helper.h"

#include "unit/daemon/bench.h"

enum { TOLD_MAX = 16, RUN = 12, HOUR_MS = 3600 * 1000 };

static struct {
    unsigned n_started;
    unsigned n_cancelled;
    bool is_refused;
    int64_t timeout_ms;
    helper_done *done;
    void *data;
} helper;

static struct {
    struct event events[TOLD_MAX];
    size_t n;
} told;

bool helper_start(struct engine_unit *u, const struct helper_request *req, struct helper **ret_helper, struct err *e)
{
    (void)u;
    helper.n_started++;
    helper.done = req->done;
    helper.data = req->data;
    helper.timeout_ms = req->timeout_ms;
    *ret_helper = (struct helper *)&helper;
    if (helper.is_refused)
        err_set_errno(e, EAGAIN, "fork");
    return !helper.is_refused;
}

void helper_cancel(struct helper *h)
{
    helper.n_cancelled += h != NULL;
}

void engine_post(struct engine *g, const struct event *ev)
{
    if (g == &bench && told.n < TOLD_MAX)
        told.events[told.n++] = *ev;
}

static struct engine_unit *const unit = &bench_units[0];
static struct spec_health *const words = &bench_specs[0].healthcheck;

static int setup(void **state)
{
    static char word[] = "/bin/check";
    static char *argv[] = {word, NULL};
    memset(&helper, 0, sizeof helper);
    told.n = 0;
    if (bench_begin(state) != 0)
        return -1;
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, rig.log_fd[1]);
    bench_run(0, RUN);
    *words = (struct spec_health){.probe = {.kind = SPEC_PROBE_EXEC, .exec = {.argv = argv, .n = 1}},
                                  .interval_ms = 1,
                                  .timeout_ms = 4321,
                                  .retries = 2,
                                  .start_interval_ms = 1};
    return 0;
}

static int teardown(void **state)
{
    health_free(unit);
    return bench_end(state);
}

/* What super knows of a unit whose program runs. */
static struct super *make_super(void)
{
    static struct spec_set set = {.name = "test", .services = bench_specs, .n_services = 1};
    static const struct super_params params;
    static char *command[2];
    struct effect f;
    command[0] = words->probe.exec.argv[0];
    bench_specs[0].command = command;
    bench_specs[0].n_command = 1;
    bench_specs[0].enabled = true;
    spec_supervisor_defaults(&set.supervisor);
    struct super *s = super_new(&set, &params);
    assert_non_null(s);
    super_start(s, sys_now_ms());
    while (super_next_effect(s, &f)) {
        struct event ev = {.kind = EVENT_SPAWNED, .unit = 0, .run = f.run, .pid = getpid()};
        if (f.kind != EFFECT_SPAWN)
            continue;
        super_post(s, &ev, sys_now_ms());
        ev.kind = EVENT_EXEC_OK;
        super_post(s, &ev, sys_now_ms());
    }
    return s;
}

static void enter(enum unit_state state)
{
    health_on_state(unit, state);
}

static bool has_begun(void *data)
{
    return helper.n_started >= *(unsigned *)data;
}

/* Waits for the N-th check. */
static void await(unsigned n)
{
    rig_run_until(has_begun, &n);
    assert_int_equal(helper.n_started, n);
}

static void answer(bool ok, const char *text, const char *output)
{
    const struct helper_result r = {
        .ok = ok, .started = true, .text = text, .output = output, .n_output = strlen(output)};
    helper.done(unit, &r, helper.data);
}

/* The N-th thing that was told is HEALTH, and it was the last. */
static void expect(size_t n, enum unit_health health)
{
    assert_int_equal(told.n, n);
    assert_int_equal(told.events[n - 1].kind, EVENT_HEALTH);
    assert_int_equal(told.events[n - 1].unit, 0);
    assert_int_equal(told.events[n - 1].run, RUN);
    assert_int_equal(told.events[n - 1].health, health);
}

static void test_from_starting_to_healthy_and_back(void **state)
{
    struct health_view v;
    (void)state;
    assert_false(health_view(unit, &v));
    enter(UNIT_RUNNING);
    assert_int_equal(told.n, 0);
    enter(UNIT_READY);
    expect(1, UNIT_HEALTH_STARTING);
    assert_true(health_view(unit, &v));
    assert_int_equal(v.status, UNIT_HEALTH_STARTING);
    assert_int_equal(v.n_checks, 0);
    assert_int_equal(v.last_ended_ms, -1);
    assert_string_equal(v.last_text, "");
    assert_int_equal(v.n_last_output, 0);
    await(1);
    assert_int_equal(helper.timeout_ms, 4321);
    answer(true, "exited with code 0", "fine\n");
    expect(2, UNIT_HEALTH_HEALTHY);
    assert_non_null(strstr(rig_log(), "web: healthy: exited with code 0"));
    enter(UNIT_READY);
    await(2);
    answer(false, "exited with code 1", "");
    assert_int_equal(told.n, 2);
    assert_non_null(strstr(rig_log(), "web: a check has failed (1 of 2): exited with code 1"));
    await(3);
    answer(false, "timed out after 2s", "\xff\0x");
    expect(3, UNIT_HEALTH_UNHEALTHY);
    assert_non_null(strstr(rig_log(), "web: warning: unhealthy: 2 checks have failed in a row: timed out after 2s"));
    assert_true(health_view(unit, &v));
    assert_int_equal(v.status, UNIT_HEALTH_UNHEALTHY);
    assert_int_equal(v.streak, 2);
    assert_int_equal(v.retries, 2);
    assert_int_equal(v.n_checks, 3);
    assert_int_equal(v.n_failures, 2);
    assert_false(v.last_ok);
    assert_true(v.last_ended_ms > 0 && v.last_took_ms >= 0 && v.due_ms >= v.last_ended_ms);
    assert_string_equal(v.last_text, "timed out after 2s");
    assert_int_equal(v.n_last_output, 1);
    await(4);
    answer(true, "exited with code 0", "");
    expect(4, UNIT_HEALTH_HEALTHY);
}

static void test_one_at_a_time(void **state)
{
    struct health_view v;
    (void)state;
    enter(UNIT_READY);
    await(1);
    assert_true(health_view(unit, &v));
    assert_true(v.is_checking);
    assert_int_equal(v.due_ms, -1);
    assert_int_equal(rig_turns(10), 0);
    assert_int_equal(helper.n_started, 1);
    /* However much is changed meanwhile. */
    words->interval_ms = 2;
    health_renew(unit);
    enter(UNIT_READY);
    assert_int_equal(rig_turns(10), 0);
    answer(true, "exited with code 0", "");
    await(2);
    assert_int_equal(helper.n_cancelled, 0);
}

static void test_the_end_of_a_run(void **state)
{
    struct health_view v;
    (void)state;
    enter(UNIT_READY);
    await(1);
    answer(false, "exited with code 1", "out");
    await(2);
    enter(UNIT_STOPPING);
    assert_int_equal(helper.n_cancelled, 1);
    assert_int_equal(rig_turns(10), 0);
    expect(1, UNIT_HEALTH_STARTING);
    /* What was known of it is still shown. */
    assert_true(health_view(unit, &v));
    assert_int_equal(v.status, UNIT_HEALTH_NONE);
    assert_int_equal(v.due_ms, -1);
    assert_false(v.is_checking);
    assert_string_equal(v.last_text, "exited with code 1");
    assert_memory_equal(v.last_output, "out", 3);
    enter(UNIT_STARTING);
    enter(UNIT_READY);
    expect(2, UNIT_HEALTH_STARTING);
    assert_true(health_view(unit, &v));
    assert_int_equal(v.n_checks, 0);
    assert_int_equal(v.streak, 0);
    assert_string_equal(v.last_text, "");
    await(3);
}

static void test_failures_while_starting(void **state)
{
    struct health_view v;
    (void)state;
    words->start_period_ms = HOUR_MS;
    words->retries = 1;
    enter(UNIT_READY);
    await(1);
    answer(false, "exited with code 1", "");
    expect(1, UNIT_HEALTH_STARTING);
    assert_true(health_view(unit, &v));
    assert_int_equal(v.streak, 0);
    assert_int_equal(v.n_failures, 1);
    assert_non_null(strstr(rig_log(), "which does not count while it is starting"));
    /* A success ends that. */
    words->interval_ms = 1;
    await(2);
    answer(true, "exited with code 0", "");
    await(3);
    answer(false, "exited with code 1", "");
    expect(3, UNIT_HEALTH_UNHEALTHY);
    assert_non_null(strstr(rig_log(), "unhealthy: 1 check has failed in a row"));
}

static void test_what_cannot_be_begun_counts_neither_way(void **state)
{
    struct health_view v;
    (void)state;
    words->retries = 1;
    helper.is_refused = true;
    enter(UNIT_READY);
    await(1);
    await(2);
    await(3);
    expect(1, UNIT_HEALTH_STARTING);
    assert_int_equal(rig_count(rig_log(), "web: warning: no check could be made: fork"), 1);
    assert_true(health_view(unit, &v));
    assert_int_equal(v.n_checks, 0);
    assert_int_equal(v.last_ended_ms, -1);
    helper.is_refused = false;
    await(4);
    answer(true, "exited with code 0", "");
    expect(2, UNIT_HEALTH_HEALTHY);
    helper.is_refused = true;
    await(5);
    assert_int_equal(rig_count(rig_log(), "web: warning: no check could be made: fork"), 2);
}

static void test_the_configuration_changes(void **state)
{
    struct health_view v;
    struct effect f;
    (void)state;
    words->interval_ms = HOUR_MS;
    enter(UNIT_READY);
    expect(1, UNIT_HEALTH_STARTING);
    assert_true(health_view(unit, &v));
    assert_true(v.due_ms >= sys_now_ms() + HOUR_MS - 60000);
    assert_int_equal(rig_turns(10), 0);
    words->interval_ms = 1;
    health_renew(unit);
    await(1);
    answer(true, "exited with code 0", "");
    expect(2, UNIT_HEALTH_HEALTHY);
    /* None any more; and then one again. */
    await(2);
    words->probe.kind = SPEC_PROBE_NONE;
    health_renew(unit);
    expect(3, UNIT_HEALTH_NONE);
    assert_int_equal(helper.n_cancelled, 1);
    assert_false(health_view(unit, &v));
    assert_int_equal(rig_turns(10), 0);
    health_renew(unit);
    assert_int_equal(told.n, 3);
    words->probe.kind = SPEC_PROBE_EXEC;
    bench.super = make_super();
    health_renew(unit);
    expect(4, UNIT_HEALTH_STARTING);
    await(3);
    const struct event stop = {.kind = EVENT_STOP, .unit = 0};
    super_post(bench.super, &stop, sys_now_ms());
    while (super_next_effect(bench.super, &f))
        continue;
    enter(UNIT_STOPPING);
    health_renew(unit);
    assert_int_equal(told.n, 4);
    super_free(bench.super);
}

static void test_no_check(void **state)
{
    struct health_view v;
    (void)state;
    words->probe.kind = SPEC_PROBE_NONE;
    enter(UNIT_READY);
    enter(UNIT_READY);
    health_renew(unit);
    enter(UNIT_STOPPING);
    assert_null(unit->health);
    assert_false(health_view(unit, &v));
    assert_int_equal(told.n, 0);
    assert_int_equal(rig_turns(5), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_from_starting_to_healthy_and_back),
        CASE(test_one_at_a_time),
        CASE(test_the_end_of_a_run),
        CASE(test_failures_while_starting),
        CASE(test_what_cannot_be_begun_counts_neither_way),
        CASE(test_the_configuration_changes),
        CASE(test_no_check),
    };
    return cmocka_run_group_tests_name("health", tests, rig_open_loop, rig_close_loop);
}
