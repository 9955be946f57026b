/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Commands beside a service, with real processes: how their end is told, that nothing of them is left then, and that
 * they are no processes of the service.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/helper_kit.h"

static void success_is_told_with_what_was_written(void **state)
{
    (void)state;
    kit_run("echo out; echo err >&2");
    assert_ptr_equal(ended[0].unit, &bench_units[0]);
    assert_true(ended[0].result.ok);
    assert_true(ended[0].result.started);
    assert_false(ended[0].result.timed_out);
    assert_string_equal(ended[0].text, "exited with code 0");
    assert_string_equal(ended[0].output, "out\nerr\n");
    assert_int_equal(ended[0].n_left, 0);
    assert_int_equal(bench.attrib.n_runs, 0);
    assert_int_equal(bench_units[0].n_helpers, 0);
    assert_int_equal(told.n, 0);
    /* One more SIGCHLD may be on its way, but nothing goes on. */
    (void)rig_turns(3);
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(n_ended, 1);
}

static void failures_say_how(void **state)
{
    (void)state;
    kit_run("echo why; exit 3");
    assert_false(ended[0].result.ok);
    assert_true(ended[0].result.started);
    assert_int_equal(WEXITSTATUS(ended[0].result.wstatus), 3);
    assert_string_equal(ended[0].text, "exited with code 3");
    assert_string_equal(ended[0].output, "why\n");
    struct helper_request req = kit_request("kill -TERM $$");
    kit_start(0, &req);
    kit_await(2);
    assert_false(ended[1].result.ok);
    assert_int_equal(WTERMSIG(ended[1].result.wstatus), SIGTERM);
    assert_string_equal(ended[1].text, "killed by SIGTERM");
}

static void what_cannot_be_executed_is_told(void **state)
{
    char missing[] = "/nonexistent/probe";
    char *const argv[] = {missing, NULL};
    const struct helper_request req = {.what = "healthcheck", .argv = argv, .done = kit_on_done};
    (void)state;
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    kit_start(0, &req);
    missing[1] = '?';
    kit_await(1);
    assert_false(ended[0].result.ok);
    assert_false(ended[0].result.started);
    assert_string_equal(ended[0].text, "cannot start: exec /nonexistent/probe: No such file or directory");
}

/* More than a pipe holds, and more than is kept. */
static void the_last_of_the_output_is_kept(void **state)
{
    (void)state;
    kit_run("head -c 200000 /dev/zero | tr '\\0' x; echo end");
    assert_true(ended[0].result.ok);
    assert_int_equal(ended[0].result.n_output, HELPER_OUTPUT_MAX);
    assert_int_equal(ended[0].output[0], 'x');
    assert_string_equal(ended[0].output + HELPER_OUTPUT_MAX - 5, "xend\n");
}

/* Who still has the pipe is not waited for, but ended. */
static void what_is_left_behind_is_killed(void **state)
{
    (void)state;
    kit_run("setsid sh -c 'trap \"\" HUP TERM; echo here; kill -STOP $$' & setsid sleep 1000 & echo done");
    assert_true(ended[0].result.ok);
    assert_non_null(strstr(ended[0].output, "done"));
    assert_int_equal(ended[0].n_left, 0);
    assert_int_equal(bench.attrib.n_runs, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void one_that_takes_too_long_is_killed_with_its_tree(void **state)
{
    struct helper_request req = kit_request("setsid sleep 1000 & sleep 1000");
    (void)state;
    req.timeout_ms = 50;
    kit_start(0, &req);
    kit_await(1);
    assert_false(ended[0].result.ok);
    assert_true(ended[0].result.timed_out);
    assert_string_equal(ended[0].text, "timed out after 50ms");
    assert_int_equal(ended[0].n_left, 0);
    assert_int_equal(bench.attrib.n_runs, 0);
}

static void a_cancelled_one_is_killed_and_not_told(void **state)
{
    struct helper_request req = kit_request("setsid sleep 1000 & sleep 1000");
    (void)state;
    struct helper *h = kit_start(0, &req);
    helper_cancel(h);
    helper_cancel(NULL);
    kit_await_nobody();
    assert_int_equal(n_ended, 0);
    assert_int_equal(bench.attrib.n_runs, 0);
    assert_int_equal(bench_units[0].n_helpers, 0);
}

/* Its unit may go while it dies. */
static void it_may_outlive_its_unit(void **state)
{
    struct helper_request req = kit_request("setsid sleep 1000 & sleep 1000");
    (void)state;
    kit_start(0, &req);
    helper_forget_unit(&bench_units[0]);
    attrib_disown(&bench.attrib, 0);
    bench_slots[0] = NULL;
    assert_int_equal(helper_count(&bench), 1);
    kit_await_nobody();
    assert_int_equal(n_ended, 0);
    assert_int_equal(bench.attrib.n_runs, 0);
    assert_int_equal(helper_count(&bench), 0);
}

/* Its owner may begin the next one when told. */
static void one_may_follow_another(void **state)
{
    struct helper_request second = kit_request("echo second; exit 2");
    (void)state;
    kit_next = &second;
    kit_run("echo first");
    kit_await(2);
    assert_string_equal(ended[0].output, "first\n");
    assert_string_equal(ended[1].output, "second\n");
    assert_string_equal(ended[1].text, "exited with code 2");
}

/* Told by then: that it was spawned and exec'ed, has ended, and that nothing is left. */
enum { MAIN_GONE = 4 };

static bool main_is_gone(void *data)
{
    (void)data;
    return told.n >= MAIN_GONE;
}

static void it_is_no_process_of_the_service(void **state)
{
    (void)state;
    int gate = kit_gate();
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    COMMAND(0, "sleep", "1000");
    struct helper_request req = kit_request("read x <\"$GATE\"; exit 7");
    kit_start(0, &req);
    pid_t main_pid = launch(0, 1);
    assert_true(kit_pid(1) > 0);
    assert_int_equal(census_count(&bench, &bench_units[0]), 1);
    size_t n_left;
    (void)census_left(&bench, bench_units[0].run, &n_left);
    assert_int_equal(n_left, 0);
    assert_int_equal(census_signal(&bench, &bench_units[0], SIGCONT, SCOPE_ALL), 1);
    bench_units[0].killing = true;
    bench_units[0].kill_scope = SCOPE_ALL;
    census_kill(&bench, &bench_units[0], SCOPE_ALL);
    rig_run_until(main_is_gone, NULL);
    assert_int_equal(told.events[2].kind, EVENT_MAIN_EXITED);
    assert_int_equal(told.events[2].pid, main_pid);
    assert_int_equal(told.events[2].n_left, 0);
    assert_int_equal(told.events[2].n_dying, 0);
    assert_int_equal(told.events[3].kind, EVENT_MEMBERS_GONE);
    assert_int_equal(n_ended, 0);
    assert_int_equal(write(gate, "\n", 1), 1);
    kit_await(1);
    assert_string_equal(ended[0].text, "exited with code 7");
    assert_int_equal(told.n, MAIN_GONE);
    attrib_run_close(&bench.attrib, bench_units[0].run);
    close(gate);
}

/* It has the service's environment, then its own, and a marker of its own. */
static void it_has_an_environment_of_its_own(void **state)
{
    char dir[RIG_PATH_MAX];
    struct spec_env of_service[] = {{"A", "service"}, {"B", "service"}};
    struct spec_env of_hook[] = {{"B", "hook"}, {"C", "hook"}};
    const char *const vars[] = {"C=vars", "FOSTER_HOOK=pre_start", NULL};
    char marker[64];
    (void)state;
    assert_non_null(realpath(rig_dir(), dir));
    const struct spec_hook hook = {.environment = of_hook, .n_environment = 2, .working_dir = dir};
    struct helper_request req =
        kit_request("echo $A,$B,$C,$FOSTER_HOOK,$FOSTER_SERVICE,$FOSTER_INSTANCE,$FOSTER_RUN,$PWD");
    bench_specs[0].environment = of_service;
    bench_specs[0].n_environment = ARRAY_LEN(of_service);
    bench_specs[0].working_dir = "/";
    bench.inherited_marker = NULL;
    req.hook = &hook;
    req.vars = vars;
    kit_start(0, &req);
    snprintf(marker, sizeof marker, "%s:%d", bench.attrib.nonce, BENCH_FIRST_ID);
    kit_await(1);
    char expected[RIG_PATH_MAX + 128];
    snprintf(expected, sizeof expected, "service,hook,vars,pre_start,web,1,%s,%s\n", marker, dir);
    assert_string_equal(ended[0].output, expected);
}

static void its_output_is_the_services_else(void **state)
{
    struct helper_request req = kit_request("echo from the hook");
    (void)state;
    catch_output();
    req.capture = false;
    kit_start(0, &req);
    kit_await(1);
    assert_int_equal(ended[0].result.n_output, 0);
    bench_sync(0);
    assert_heard("web | from the hook\n");
}

static void without_descriptors_nothing_is_started(void **state)
{
    struct helper_request req = kit_request("exit 0");
    struct helper *h;
    struct err e = {0};
    (void)state;
    rlim_t before = rig_limit_fds((rlim_t)rig_fds() - 1);
    bool ok = helper_start(&bench_units[0], &req, &h, &e);
    rig_limit_fds(before);
    assert_false(ok);
    assert_int_equal(e.errnum, EMFILE);
    assert_int_equal(bench.attrib.n_runs, 0);
    assert_int_equal(bench_units[0].n_helpers, 0);
    assert_int_equal(n_ended, 0);
}

static void none_is_left_at_the_end(void **state)
{
    struct helper_request req = kit_request("sleep 1000");
    struct helper *h;
    struct err e = {0};
    (void)state;
    kit_start(0, &req);
    bench.over = true;
    assert_int_equal(helper_end_all(&bench), 1);
    assert_false(helper_start(&bench_units[0], &req, &h, &e));
    assert_string_equal(e.text, "fosterd is about to exit");
    kit_await(1);
    assert_string_equal(ended[0].text, "killed by SIGKILL");
    assert_int_equal(helper_count(&bench), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_begin, kit_end)
    const struct CMUnitTest tests[] = {
        TEST(success_is_told_with_what_was_written),
        TEST(failures_say_how),
        TEST(what_cannot_be_executed_is_told),
        TEST(the_last_of_the_output_is_kept),
        TEST(what_is_left_behind_is_killed),
        TEST(one_that_takes_too_long_is_killed_with_its_tree),
        TEST(a_cancelled_one_is_killed_and_not_told),
        TEST(it_may_outlive_its_unit),
        TEST(one_may_follow_another),
        TEST(it_is_no_process_of_the_service),
        TEST(it_has_an_environment_of_its_own),
        TEST(its_output_is_the_services_else),
        TEST(without_descriptors_nothing_is_started),
        TEST(none_is_left_at_the_end),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
