/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The commands around a run: told once, in order, up to the first that fails; and services that are made to reload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/hooks.h"
#include "daemon/svcreload.h"

#include "unit/daemon/helper_kit.h"

enum { HOOKS_MAX = 3, RUN = 9 };

static struct spec_hook items[HOOKS_MAX];

/* What a reload has come to. */
static struct {
    size_t n;
    bool ok;
    char text[HELPER_TEXT_MAX];
} reloaded;

static int hooks_begin_test(void **state)
{
    memset(&reloaded, 0, sizeof reloaded);
    memset(items, 0, sizeof items);
    return kit_begin(state);
}

static int hooks_end_test(void **state)
{
    for (unsigned i = 0; i < BENCH_UNITS; i++) {
        hooks_end(&bench_units[i]);
        svcreload_free(&bench_units[i]);
    }
    return kit_end(state);
}

/* Gives unit 0 a command for the shell as item I of POINT. */
static void set_hook(enum spec_hook_point point, size_t i, const char *script)
{
    static char *argv[HOOKS_MAX][4];
    argv[i][0] = word_of("/bin/sh");
    argv[i][1] = word_of("-c");
    argv[i][2] = word_of(script);
    items[i].command = (struct spec_command){.argv = argv[i], .n = 3};
    bench_specs[0].hooks[point] = (struct spec_hooks){.items = items, .n = i + 1};
}

static void begin_hooks(enum spec_hook_point point, char code_kind, int code)
{
    const struct effect f = {
        .kind = EFFECT_HOOKS, .unit = 0, .run = RUN, .hook = point, .code_kind = code_kind, .code = code};
    catch_output();
    bench_end_logger();
    hooks_begin(&bench_units[0], &f);
}

static bool have_told(void *data)
{
    return told.n >= *(const size_t *)data;
}

static void await_told(size_t n)
{
    rig_run_until(have_told, &n);
}

static void assert_done(enum spec_hook_point point, bool ok, const char *text)
{
    await_told(1);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, EVENT_HOOKS_DONE);
    assert_int_equal(told.events[0].unit, 0);
    assert_int_equal(told.events[0].run, RUN);
    assert_int_equal(told.events[0].hook, point);
    assert_int_equal(told.events[0].ok, ok);
    assert_string_equal(told.texts[0], text);
    assert_null(bench_units[0].hooks);
    /* One more SIGCHLD may be on its way, but nothing goes on. */
    (void)rig_turns(3);
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(told.n, 1);
}

static void they_run_one_after_another(void **state)
{
    (void)state;
    set_hook(SPEC_HOOK_PRE_START, 0, "echo one; echo two");
    set_hook(SPEC_HOOK_PRE_START, 1, "echo three");
    begin_hooks(SPEC_HOOK_PRE_START, 0, 0);
    assert_int_equal(told.n, 0);
    assert_done(SPEC_HOOK_PRE_START, true, "");
    assert_heard("web | one\nweb | two\nweb | three\n");
}

static void the_first_that_fails_is_the_last(void **state)
{
    (void)state;
    set_hook(SPEC_HOOK_POST_START, 0, "exit 0");
    set_hook(SPEC_HOOK_POST_START, 1, "exit 4");
    set_hook(SPEC_HOOK_POST_START, 2, "echo never");
    begin_hooks(SPEC_HOOK_POST_START, 0, 0);
    assert_done(SPEC_HOOK_POST_START, false, "post_start[2]: exited with code 4");
    assert_heard("");
}

static void a_late_one_has_failed(void **state)
{
    (void)state;
    set_hook(SPEC_HOOK_PRE_STOP, 0, "setsid sleep 1000 & sleep 1000");
    items[0].timeout_ms = 40;
    begin_hooks(SPEC_HOOK_PRE_STOP, 0, 0);
    assert_done(SPEC_HOOK_PRE_STOP, false, "pre_stop[1]: timed out after 40ms");
    assert_int_equal(bench.attrib.procs.n, 0);
}

static void how_the_program_ended_is_said(void **state)
{
    static const char script[] = "echo $FOSTER_HOOK,${FOSTER_EXIT_CODE-unset},${FOSTER_EXIT_SIGNAL-unset}";
    static const struct {
        char kind;
        int code;
        const char *line;
    } ends[] = {
        {'e', 3, "web | post_stop,3,unset\n"},
        {'s', SIGTERM, "web | post_stop,unset,SIGTERM\n"},
        {0, 0, "web | post_stop,unset,unset\n"},
    };
    (void)state;
    set_hook(SPEC_HOOK_POST_STOP, 0, script);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        told.n = 0;
        if (i > 0)
            close(listen_fd);
        begin_hooks(SPEC_HOOK_POST_STOP, ends[i].kind, ends[i].code);
        assert_done(SPEC_HOOK_POST_STOP, true, "");
        assert_heard(ends[i].line);
    }
}

static void ended_ones_tell_nothing(void **state)
{
    (void)state;
    set_hook(SPEC_HOOK_PRE_START, 0, "sleep 1000");
    begin_hooks(SPEC_HOOK_PRE_START, 0, 0);
    hooks_end(&bench_units[0]);
    hooks_end(&bench_units[0]);
    assert_null(bench_units[0].hooks);
    kit_await_nobody();
    assert_int_equal(told.n, 0);
}

static void one_that_cannot_begin_has_failed(void **state)
{
    (void)state;
    set_hook(SPEC_HOOK_PRE_START, 0, "exit 0");
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    const struct effect f = {.kind = EFFECT_HOOKS, .run = RUN, .hook = SPEC_HOOK_PRE_START};
    rlim_t before = rig_limit_fds((rlim_t)rig_fds() - 3);
    hooks_begin(&bench_units[0], &f);
    rig_limit_fds(before);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, EVENT_HOOKS_DONE);
    assert_false(told.events[0].ok);
    assert_string_equal(told.texts[0], "pre_start[1]: pipe: Too many open files");
    assert_null(bench_units[0].hooks);
}

/* ------------------------------------------------------------------ reloads */

static void on_reloaded(struct engine_unit *u, bool ok, const char *text, void *data)
{
    (void)u;
    (void)data;
    reloaded.n++;
    reloaded.ok = ok;
    snprintf(reloaded.text, sizeof reloaded.text, "%s", text);
}

static bool is_reloaded(void *data)
{
    (void)data;
    return reloaded.n > 0;
}

/* A service that is there for long, and whose program runs. */
static pid_t start_service(void)
{
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    COMMAND(0, "sleep", "1000");
    pid_t pid = launch(0, 1);
    await_told(2);
    assert_int_equal(told.events[1].kind, EVENT_EXEC_OK);
    return pid;
}

static void end_service(void)
{
    bench_units[0].main_pid = 0;
    attrib_run_close(&bench.attrib, bench_units[0].run);
    bench_units[0].run = NULL;
}

static void a_signal_is_done_when_it_is_sent(void **state)
{
    struct err e = {0};
    char text[64];
    (void)state;
    assert_false(svcreload_begin(&bench_units[0], on_reloaded, NULL, &e));
    assert_string_equal(e.text, "web has no `reload`; give it `reload: {signal: SIGHUP}` or `reload: {command: …}`");
    bench_specs[0].reload.signal = SIGURG;
    assert_false(svcreload_begin(&bench_units[0], on_reloaded, NULL, &e));
    assert_string_equal(e.text, "web does not run");
    pid_t pid = start_service();
    assert_true(svcreload_begin(&bench_units[0], on_reloaded, NULL, &e));
    assert_int_equal(reloaded.n, 1);
    assert_true(reloaded.ok);
    snprintf(text, sizeof text, "reload: SIGURG sent to process %d", (int)pid);
    assert_string_equal(reloaded.text, text);
    end_service();
}

static void a_command_is_done_when_it_has_ended(void **state)
{
    struct err e = {0};
    (void)state;
    pid_t pid = start_service();
    char expected[64];
    snprintf(expected, sizeof expected, "test \"$FOSTER_MAIN_PID\" = %d", (int)pid);
    char *argv[] = {word_of("/bin/sh"), word_of("-c"), expected, NULL};
    bench_specs[0].reload.command = (struct spec_command){.argv = argv, .n = 3};
    assert_true(svcreload_begin(&bench_units[0], on_reloaded, NULL, &e));
    assert_int_equal(reloaded.n, 0);
    assert_false(svcreload_begin(&bench_units[0], on_reloaded, NULL, &e));
    assert_int_equal(e.kind, ERR_BUSY);
    rig_run_until(is_reloaded, NULL);
    assert_true(reloaded.ok);
    assert_string_equal(reloaded.text, "reload: exited with code 0");
    snprintf(expected, sizeof expected, "exit 5");
    reloaded.n = 0;
    assert_true(svcreload_begin(&bench_units[0], on_reloaded, NULL, &e));
    rig_run_until(is_reloaded, NULL);
    assert_false(reloaded.ok);
    assert_string_equal(reloaded.text, "reload: exited with code 5");
    end_service();
}

/* A program that has said RELOADING=1 is waited for, this time and the next. */
static void its_own_word_counts(void **state)
{
    struct engine_unit *u = &bench_units[0];
    struct err e = {0};
    (void)state;
    bench_specs[0].reload.signal = SIGURG;
    start_service();
    svcreload_ready(u);
    svcreload_reloading(u);
    assert_true(svcreload_begin(u, on_reloaded, NULL, &e));
    assert_int_equal(reloaded.n, 0);
    svcreload_ready(u);
    assert_int_equal(reloaded.n, 1);
    assert_true(reloaded.ok);
    assert_string_equal(reloaded.text, "reload: it has said READY=1");
    assert_true(svcreload_begin(u, on_reloaded, NULL, &e));
    svcreload_ready(u);
    assert_int_equal(reloaded.n, 1);
    svcreload_main_gone(u);
    assert_int_equal(reloaded.n, 2);
    assert_false(reloaded.ok);
    assert_string_equal(reloaded.text, "reload: its main process has ended meanwhile");
    end_service();
}

static void its_word_is_not_waited_for_for_ever(void **state)
{
    struct engine_unit *u = &bench_units[0];
    struct err e = {0};
    int who;
    (void)state;
    bench_specs[0].reload.signal = SIGURG;
    bench_specs[0].start_timeout_ms = 30;
    start_service();
    svcreload_reloading(u);
    assert_true(svcreload_begin(u, on_reloaded, NULL, &e));
    rig_run_until(is_reloaded, NULL);
    assert_false(reloaded.ok);
    assert_string_equal(reloaded.text, "reload: it has not said READY=1 within 30ms");
    reloaded.n = 0;
    bench_specs[0].start_timeout_ms = 0;
    assert_true(svcreload_begin(u, on_reloaded, &who, &e));
    svcreload_forget(u, &who);
    svcreload_ready(u);
    assert_int_equal(reloaded.n, 0);
    end_service();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hooks_begin_test, hooks_end_test)
    const struct CMUnitTest tests[] = {
        TEST(they_run_one_after_another),
        TEST(the_first_that_fails_is_the_last),
        TEST(a_late_one_has_failed),
        TEST(how_the_program_ended_is_said),
        TEST(ended_ones_tell_nothing),
        TEST(one_that_cannot_begin_has_failed),
        TEST(a_signal_is_done_when_it_is_sent),
        TEST(a_command_is_done_when_it_has_ended),
        TEST(its_own_word_counts),
        TEST(its_word_is_not_waited_for_for_ever),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
