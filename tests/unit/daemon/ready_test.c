/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How runs show that they are ready, with real programs and their descriptors, output and ports. The commands of probes
 * are made up.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "daemon/helper.h"
#include "daemon/notify.h"
#include "daemon/ready.h"

#include "unit/daemon/launch_kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { READY_FD = 7 };

static struct {
    bool is_refused;
    unsigned n_started;
    unsigned n_cancelled;
    helper_done *done;
    void *data;
} helper;

bool helper_start(struct engine_unit *u, const struct helper_request *req, struct helper **ret_helper, struct err *e)
{
    helper.n_started++;
    helper.done = u == &bench_units[0] ? req->done : NULL;
    helper.data = req->data;
    *ret_helper = (struct helper *)&helper;
    if (helper.is_refused)
        err_set_errno(e, EAGAIN, "fork");
    return !helper.is_refused;
}

void helper_cancel(struct helper *h)
{
    helper.n_cancelled += h != NULL;
}

/* Super comes to know of unit 0, whose program runs, as far as RUNS goes, and is not ready by itself. */
static void make_super(bool runs)
{
    static struct spec_set set = {.name = "test", .services = bench_specs, .n_services = 1};
    static const struct super_params params;
    struct effect f;
    bench_specs[0].enabled = true;
    spec_supervisor_defaults(&set.supervisor);
    bench.super = super_new(&set, &params);
    assert_non_null(bench.super);
    super_start(bench.super, sys_now_ms());
    while (super_next_effect(bench.super, &f)) {
        struct event ev = {.kind = EVENT_SPAWNED, .unit = 0, .run = f.run, .pid = getpid()};
        if (f.kind != EFFECT_SPAWN)
            continue;
        super_post(bench.super, &ev, sys_now_ms());
        ev.kind = EVENT_EXEC_OK;
        if (runs)
            super_post(bench.super, &ev, sys_now_ms());
    }
}

static void free_super(void)
{
    super_free(bench.super);
    bench.super = NULL;
}

static int setup(void **state)
{
    memset(&helper, 0, sizeof helper);
    if (begin(state) != 0)
        return -1;
    bench_units[0].ready = NULL;
    catch_output();
    return 0;
}

static int teardown(void **state)
{
    ready_free(&bench_units[0]);
    return end(state);
}

static bool has_execed(void *data)
{
    (void)data;
    return bench_units[0].status_fd < 0;
}

/* Starts run RUN of the shell script SCRIPT, which super does not know to run yet. */
static void launch_script(const char *script, uint64_t run)
{
    COMMAND(0, "/bin/sh", "-c", script);
    told.n = 0;
    launch(0, run);
    rig_run_until(has_execed, NULL);
    assert_int_equal(told.n, 2);
    assert_int_equal(told.events[1].kind, EVENT_EXEC_OK);
    /* What the logger says when it begins wakes us no more then. */
    bench_sync(0);
    told.n = 0;
}

/* The same, and lets super know that it runs. */
static void start(const char *script, uint64_t run)
{
    launch_script(script, run);
    ready_on_state(&bench_units[0], UNIT_RUNNING);
}

static bool is_told(void *data)
{
    (void)data;
    return told.n > 0;
}

/* Waits for the one thing that is told of run RUN. */
static void expect(enum event_kind kind, uint64_t run)
{
    rig_run_until(is_told, NULL);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, kind);
    assert_int_equal(told.events[0].unit, 0);
    assert_int_equal(told.events[0].run, run);
}

/* As the daemon does when the main process has ended; returns its wait status. */
static int conclude(void)
{
    rig_await_zombie(bench_units[0].main_pid);
    bench_sync(0);
    ready_settle(&bench_units[0]);
    int status = finish(0);
    ready_on_state(&bench_units[0], UNIT_STOPPING);
    ready_on_state(&bench_units[0], UNIT_BACKOFF);
    return status;
}

static void by_fd(void)
{
    bench_specs[0].ready = (struct spec_ready){.kind = SPEC_READY_FD, .fd = READY_FD};
}

static void test_a_newline_on_a_descriptor(void **state)
{
    (void)state;
    by_fd();
    start("echo soon >&7; while echo again >&7; do :; done; exit 9", 5);
    expect(EVENT_READY, 5);
    /* Neither more words nor the end of it change anything, and nobody is killed for talking on. */
    ready_on_state(&bench_units[0], UNIT_READY);
    (void)rig_turns(20);
    kill(bench_units[0].main_pid, SIGKILL);
    assert_true(WIFSIGNALED(conclude()));
    assert_int_equal(told.n, 1);
}

static void test_closed_without_a_newline(void **state)
{
    (void)state;
    by_fd();
    start("printf almost >&7; exec 7>&-; exec sleep 1000", 1);
    expect(EVENT_UNREADY, 1);
    assert_string_equal(told.texts[0], "closed descriptor 7 without a newline");
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
    assert_int_equal(told.n, 1);
}

static void test_whose_last_word_was_ready(void **state)
{
    (void)state;
    by_fd();
    start("echo >&7; exit 4", 1);
    assert_int_equal(WEXITSTATUS(conclude()), 4);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, EVENT_READY);
}

/* Its end says more than the descriptor that closes with it. */
static void test_who_ends_without_a_word(void **state)
{
    (void)state;
    by_fd();
    start("exit 4", 1);
    assert_int_equal(WEXITSTATUS(conclude()), 4);
    assert_int_equal(told.n, 0);
    assert_int_equal(rig_turns(5), 0);
}

/* The next run has a pipe of its own, whatever holds the old one. */
static void test_each_run_has_its_descriptor(void **state)
{
    (void)state;
    by_fd();
    start("(trap '' HUP; exec sleep 1000) & exit 0", 1);
    conclude();
    start("echo >&7; exec sleep 1000", 2);
    expect(EVENT_READY, 2);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
}

static void test_no_descriptors_for_a_pipe(void **state)
{
    struct err e = {0};
    (void)state;
    by_fd();
    bench_run(0, 1);
    int lowest = dup(0);
    close(lowest);
    rlim_t before = rig_limit_fds((rlim_t)lowest + 1);
    bool ok = ready_prepare(&bench_units[0], &e);
    rig_limit_fds(before);
    assert_false(ok);
    assert_int_equal(e.errnum, EMFILE);
}

static void by_log(const char *expression)
{
    bench_specs[0].ready = (struct spec_ready){.kind = SPEC_READY_LOG, .log = expression};
}

static void test_a_line_of_output(void **state)
{
    (void)state;
    by_log("^listening on (tcp|unix):[0-9]+$");
    start("echo not listening on tcp:1; echo listening on tcp:80x; printf 'listening on unix:77\\r\\n' >&2;"
          "echo listening on tcp:1; exec sleep 1000",
          3);
    expect(EVENT_READY, 3);
    ready_on_state(&bench_units[0], UNIT_READY);
    assert_null(bench_units[0].out[0]->match);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
    assert_int_equal(told.n, 1);
    assert_int_equal(rig_count(heard(), "listening"), 4);
}

static void test_lines_of_every_kind(void **state)
{
    static const struct {
        const char *expression, *script;
        bool matches;
    } cases[] = {
        {"a b", "printf 'a\\0b\\n'", true},
        {"^$", "echo", true},
        {"^$", "printf 'x\\n'", false},
        {"first.*last", "printf 'first\\nlast\\n'", false},
        {"^x+$", "printf '%9000s\\n' x | tr ' ' x", true},
        {"^up$", "printf 'up\\r\\n'", true},
        {"u.$", "printf 'u\\r\\n'", false},
        /* One without an end is a line when the program ends. */
        {"no newline", "printf 'no newline'", true},
        {"[[:alpha:]]{3}", "printf '\\377\\376abc\\n'", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        by_log(cases[i].expression);
        start(cases[i].script, i + 1);
        conclude();
        if (told.n != cases[i].matches || (told.n > 0 && told.events[0].kind != EVENT_READY))
            fail_msg("%s: told %zu", cases[i].script, told.n);
    }
}

static void test_a_line_before_super_knows_that_it_runs(void **state)
{
    (void)state;
    by_log("up");
    COMMAND(0, "/bin/sh", "-c", "echo up");
    launch(0, 1);
    rig_await_zombie(bench_units[0].main_pid);
    bench_sync(0);
    launch_settle(&bench_units[0]);
    told.n = 0;
    ready_on_state(&bench_units[0], UNIT_RUNNING);
    expect(EVENT_READY, 1);
    conclude();
}

static void test_lines_of_an_earlier_run(void **state)
{
    (void)state;
    by_log("up");
    start("printf 'up\\nup\\nu'", 1);
    rig_await_zombie(bench_units[0].main_pid);
    finish(0);
    ready_on_state(&bench_units[0], UNIT_BACKOFF);
    told.n = 0;
    /* What it has said is still in the pipe. */
    start("exit 0", 2);
    conclude();
    assert_int_equal(told.n, 0);
    assert_int_equal(rig_count(heard(), "web | up"), 2);
    start("echo up", 3);
    conclude();
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].run, 3);
}

static void test_by_time(void **state)
{
    (void)state;
    bench_specs[0].ready = (struct spec_ready){.kind = SPEC_READY_AFTER, .after_ms = 1};
    start("exec sleep 1000", 1);
    expect(EVENT_READY, 1);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
    bench_specs[0].ready.after_ms = 1000000;
    start("exit 0", 2);
    conclude();
    assert_int_equal(told.n, 0);
    assert_int_equal(rig_turns(5), 0);
}

static bool has_connected(void *data)
{
    struct pollfd p = {.fd = *(int *)data, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void test_by_a_port(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    bench_specs[0].ready = (struct spec_ready){
        .kind = SPEC_READY_PROBE,
        .probe = {.kind = SPEC_PROBE_TCP, .endpoint = {.text = "-", .host = "127.0.0.1", .port = ntohs(at.sin_port)}}};
    log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, rig.log_fd[1]);
    start("exec sleep 1000", 1);
    while (rig_count(rig_log(), "not ready yet: connect 127.0.0.1:") < 2)
        ev_run(rig.loop, EVRUN_ONCE);
    assert_int_equal(told.n, 0);
    assert_int_equal(listen(fd, 8), 0);
    expect(EVENT_READY, 1);
    assert_true(has_connected(&fd));
    assert_int_equal(rig_turns(5), 0);
    close(fd);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
}

static void by_command(void)
{
    static char word[] = "/bin/check";
    static char *argv[] = {word, NULL};
    bench_specs[0].ready = (struct spec_ready){.kind = SPEC_READY_PROBE,
                                               .probe = {.kind = SPEC_PROBE_EXEC, .exec = {.argv = argv, .n = 1}}};
}

static bool has_begun(void *data)
{
    return helper.n_started >= *(unsigned *)data;
}

static void answer(bool ok, const char *text)
{
    const struct helper_result r = {.ok = ok, .started = true, .text = text, .output = ""};
    helper.done(&bench_units[0], &r, helper.data);
}

static void test_by_a_command(void **state)
{
    unsigned n = 1;
    (void)state;
    by_command();
    start("exec sleep 1000", 1);
    assert_int_equal(helper.n_started, 1);
    for (; n < 4; n++) {
        rig_run_until(has_begun, &n);
        answer(false, "exited with code 1");
    }
    rig_run_until(has_begun, &n);
    answer(true, "exited with code 0");
    expect(EVENT_READY, 1);
    assert_int_equal(rig_turns(5), 0);
    assert_int_equal(helper.n_started, 4);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
    assert_int_equal(helper.n_cancelled, 0);
}

static void test_a_command_is_not_needed_any_more(void **state)
{
    (void)state;
    by_command();
    start("exec sleep 1000", 1);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
    assert_int_equal(helper.n_cancelled, 1);
    assert_int_equal(told.n, 0);
    assert_null(strstr(rig_log(), "was not ready"));
    start("exec sleep 1000", 2);
    answer(false, "exited with code 7");
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
    /* The pause behind the answer may pass before the end does: what was begun then is cancelled. */
    unsigned n = helper.n_started;
    assert_int_equal(n, helper.n_cancelled + 1);
    assert_int_equal(rig_turns(5), 0);
    assert_int_equal(helper.n_started, n);
    assert_non_null(strstr(rig_log(), "web: it was not ready: exited with code 7"));
}

static void test_a_command_that_cannot_be_started_is_tried_again(void **state)
{
    unsigned n = 3;
    (void)state;
    by_command();
    helper.is_refused = true;
    start("exec sleep 1000", 1);
    rig_run_until(has_begun, &n);
    helper.is_refused = false;
    n++;
    rig_run_until(has_begun, &n);
    answer(true, "exited with code 0");
    expect(EVENT_READY, 1);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
}

/* A reload between the fork of a run and the news that its program runs, or behind that. */
static void reload(bool runs)
{
    make_super(runs);
    ready_renew(&bench_units[0]);
    ready_on_state(&bench_units[0], UNIT_RUNNING);
    free_super();
}

static void test_other_words_before_it_runs(void **state)
{
    (void)state;
    by_command();
    launch_script("exec sleep 1000", 1);
    bench_specs[0].ready = (struct spec_ready){.kind = SPEC_READY_AFTER, .after_ms = 1000000};
    reload(false);
    assert_int_equal(helper.n_started, 0);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
    assert_int_equal(told.n, 0);

    static char line[] = "^up$";
    bench_specs[0].ready = (struct spec_ready){.kind = SPEC_READY_LOG, .log = line};
    launch_script("exec sleep 1000", 2);
    by_command();
    reload(false);
    assert_int_equal(helper.n_started, 1);
    answer(true, "exited with code 0");
    expect(EVENT_READY, 2);
    kill(bench_units[0].main_pid, SIGKILL);
    conclude();
}

/* One of which nothing was watched is watched from now on, and by one at a time. */
static void test_first_words_of_a_run(void **state)
{
    (void)state;
    for (unsigned runs = 0; runs < 2; runs++) {
        bench_specs[0].ready = (struct spec_ready){.kind = SPEC_READY_TYPE};
        helper.n_started = 0;
        launch_script("exec sleep 1000", runs + 1);
        by_command();
        reload(runs);
        assert_int_equal(helper.n_started, 1);
        answer(true, "exited with code 0");
        expect(EVENT_READY, runs + 1);
        kill(bench_units[0].main_pid, SIGKILL);
        conclude();
        assert_null(bench_units[0].ready);
    }
}

static void test_others_are_left_alone(void **state)
{
    static const enum spec_ready_kind kinds[] = {SPEC_READY_TYPE, SPEC_READY_NOTIFY};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        bench_specs[0].ready = (struct spec_ready){.kind = kinds[i]};
        start("exec sleep 1000", i + 1);
        assert_null(bench_units[0].ready);
        ready_renew(&bench_units[0]);
        kill(bench_units[0].main_pid, SIGKILL);
        conclude();
        notify_free(&bench_units[0]);
        assert_int_equal(told.n, 0);
    }
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_a_newline_on_a_descriptor),
        CASE(test_closed_without_a_newline),
        CASE(test_whose_last_word_was_ready),
        CASE(test_who_ends_without_a_word),
        CASE(test_each_run_has_its_descriptor),
        CASE(test_no_descriptors_for_a_pipe),
        CASE(test_a_line_of_output),
        CASE(test_lines_of_every_kind),
        CASE(test_a_line_before_super_knows_that_it_runs),
        CASE(test_lines_of_an_earlier_run),
        CASE(test_by_time),
        CASE(test_by_a_port),
        CASE(test_by_a_command),
        CASE(test_a_command_is_not_needed_any_more),
        CASE(test_a_command_that_cannot_be_started_is_tried_again),
        CASE(test_other_words_before_it_runs),
        CASE(test_first_words_of_a_run),
        CASE(test_others_are_left_alone),
    };
    return cmocka_run_group_tests_name("ready", tests, rig_open_loop, rig_close_loop);
}
