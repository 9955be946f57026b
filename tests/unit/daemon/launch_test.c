/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * From a spec to a real process: its words, output, tag and place, and what is told when it cannot
 * be started.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "daemon/launch.h"
#include "sys/spawn.h"

#include "unit/daemon/launch_kit.h"

static bool is_told(void *data)
{
    (void)data;
    return told.n >= told.wanted;
}

static const struct event *await_event(enum event_kind kind, unsigned unit, uint64_t run)
{
    told.wanted = told.n + 1;
    rig_run_until(is_told, NULL);
    const struct event *ev = &told.events[told.n - 1];
    assert_int_equal(ev->kind, kind);
    assert_int_equal(ev->unit, unit);
    assert_int_equal(ev->run, run);
    return ev;
}

static const char *link_of(pid_t pid, const char *what)
{
    static char target[RIG_PATH_MAX];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    return target;
}

static void a_started_process_is_in_the_tables(void **state)
{
    (void)state;
    struct engine_unit *u = &bench_units[1];
    COMMAND(1, "sleep", "1000");
    pid_t pid = launch(1, 42);
    assert_true(u->status_fd >= 0);
    const struct attrib_proc *p = attrib_find(&bench.attrib, pid);
    assert_non_null(p);
    assert_ptr_equal(p->run, u->run);
    assert_int_equal(p->role, ATTRIB_MAIN);
    assert_int_equal(p->evidence, ATTRIB_BORN);
    assert_int_equal(u->run->run, 42);
    assert_int_equal(u->run->unit, 1);
    await_event(EVENT_EXEC_OK, 1, 42);
    assert_int_equal(u->status_fd, -1);
    uint64_t tag;
    assert_true(procfs_tag(pid, &tag));
    assert_int_equal(tag, attrib_run_tag(&bench.attrib, u->run));
    assert_int_equal(getsid(pid), pid);
    bench_sync(1);
    assert_int_equal(rig_turns(3), 0);
    kill(pid, SIGTERM);
    /* Every signal is at its default and none is blocked, though we block some. */
    assert_int_equal(finish(1), SIGTERM);
    assert_int_equal(told.n, 2);
}

static void it_runs_where_and_with_what_it_was_told(void **state)
{
    char expected[RIG_PATH_MAX];
    struct rlimit lim;
    (void)state;
    bench_specs[0].working_dir = rig_dir();
    assert_non_null(realpath(rig.dir, expected));
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    bench_nofile = (struct rlimit){.rlim_cur = 77, .rlim_max = 99};
    COMMAND(0, "sleep", "1000");
    pid_t pid = launch(0, 1);
    await_event(EVENT_EXEC_OK, 0, 1);
    assert_string_equal(link_of(pid, "cwd"), expected);
    for (int fd = 0; fd < 3; fd++) {
        char name[16];
        snprintf(name, sizeof name, "fd/%d", fd);
        assert_string_equal(link_of(pid, name), "/dev/null");
    }
    /* The dynamic loader may be reading libraries at this moment; what we hold are pipes and the like. */
    for (int fd = 3; fd < 64; fd++) {
        char name[16];
        snprintf(name, sizeof name, "fd/%d", fd);
        const char *target = link_of(pid, name);
        if (target[0] != '\0' && target[0] != '/')
            fail_msg("descriptor %d is %s", fd, target);
    }
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &lim), 0);
    assert_int_equal(lim.rlim_cur, 77);
    assert_int_equal(lim.rlim_max, 99);
    kill(pid, SIGKILL);
    finish(0);
}

static void entrypoint_and_command_are_one(void **state)
{
    (void)state;
    catch_output();
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
    char *entrypoint[ARGS_MAX + 1];
    bench_specs[0].n_entrypoint = copy_words((const char *const[]){"printf", "[%s]", NULL}, entrypoint);
    bench_specs[0].entrypoint = entrypoint;
    COMMAND(0, "a b", "", "$HOME");
    launch(0, 1);
    assert_int_equal(finish(0), 0);
    assert_heard("[a b][][$HOME]");
}

static void the_umask_is_set(void **state)
{
    static const struct {
        int umask;
        const char *heard;
    } cases[] = {{-1, "0027\n"}, {0, "0000\n"}, {077, "0077\n"}};
    mode_t before = umask(027);
    (void)state;
    catch_output();
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
    COMMAND(0, "sh", "-c", "umask");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bench_specs[0].umask = cases[i].umask;
        launch(0, i + 1);
        assert_int_equal(finish(0), 0);
        assert_heard(cases[i].heard);
    }
    umask(before);
}

static void output_comes_as_lines_of_the_unit(void **state)
{
    (void)state;
    catch_output();
    logger_host_set_width(&bench.logger, 4);
    COMMAND(0, "sh", "-c", "echo out; echo err >&2; printf end");
    for (uint64_t run = 1; run <= 2; run++) {
        /* The second run writes to the same pipe. */
        int write_fd = run > 1 ? bench_units[0].out[0]->write_fd : -1;
        launch(0, run);
        assert_int_equal(finish(0), 0);
        assert_true(run == 1 || bench_units[0].out[0]->write_fd == write_fd);
        bench_sync(0);
        assert_heard("web  | out\nweb  | err\nweb  | end\n");
    }
}

/* Only that user, or its successor, can open it anew, to write or to read what others write. */
static void output_belongs_to_the_user_of_the_last_run(void **state)
{
    gid_t group = 54321;
    const struct spec_user users[] = {
        {.text = "a", .uid = 54321, .gid = group, .groups = &group, .n_groups = 1},
        {.text = "b", .uid = 54322, .gid = group, .groups = &group, .n_groups = 1},
        {.text = NULL},
    };
    struct stat st;
    (void)state;
    if (geteuid() != 0) {
        print_message("SKIP: only root can be somebody else\n");
        skip();
    }
    catch_output();
    COMMAND(0, "sh", "-c", "echo >/dev/stderr");
    for (unsigned i = 0; i < ARRAY_LEN(users); i++) {
        bench_specs[0].user = users[i];
        if (users[i].text != NULL)
            bench_specs[0].user.name = bench_specs[0].user.home = bench_specs[0].user.shell = "/";
        launch(0, i + 1);
        assert_int_equal(finish(0), 0);
        assert_int_equal(fstat(bench_units[0].out[0]->write_fd, &st), 0);
        assert_int_equal(st.st_uid, users[i].uid);
    }
}

static void inherited_output_is_ours(void **state)
{
    (void)state;
    catch_output();
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
    COMMAND(0, "echo", "plain");
    launch(0, 1);
    assert_int_equal(finish(0), 0);
    assert_heard("plain\n");
    assert_null(bench_units[0].out[0]);
    assert_int_equal(bench.logger.pid, 0);
}

static void what_fails_in_the_child_is_told_with_its_reason(void **state)
{
    static const struct {
        const char *command;
        const char *working_dir;
        int errnum;
        const char *says;
    } cases[] = {
        {"/nonexistent/program", NULL, ENOENT, "/nonexistent/program"},
        {"no-such-program-anywhere", NULL, ENOENT, "no-such-program-anywhere"},
        {"/", NULL, EACCES, "/"},
        {"sleep", "/nonexistent/place", ENOENT, "/nonexistent/place"},
    };
    /* A PATH of which some place is closed to us would give EACCES instead. */
    static struct spec_env path = {"PATH", "/usr/bin:/bin"};
    (void)state;
    bench_specs[0].environment = &path;
    bench_specs[0].n_environment = 1;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
        bench_specs[0].working_dir = cases[i].working_dir;
        COMMAND(0, cases[i].command);
        launch(0, i + 1);
        const struct event *ev = await_event(EVENT_EXEC_FAILED, 0, i + 1);
        assert_int_equal(ev->errnum, cases[i].errnum);
        if (strstr(told.texts[told.n - 1], cases[i].says) == NULL)
            fail_msg("[%s] lacks [%s]", told.texts[told.n - 1], cases[i].says);
        assert_int_equal(bench_units[0].status_fd, -1);
        int status = finish(0);
        assert_true(WIFEXITED(status));
        assert_in_range(WEXITSTATUS(status), 126, 127);
    }
}

/* No process comes into being where a descriptor is missing, at whatever place. */
static void what_fails_before_the_child_is_told_once(void **state)
{
    struct err e = {0};
    (void)state;
    COMMAND(0, "sleep", "1000");
    assert_true(logger_host_prepare(&bench.logger, &e));
    int n = rig_fds();
    int highest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    close(highest);
    for (rlim_t more = 0; more < 6; more++) {
        size_t before = told.n;
        rlim_t limit = rig_limit_fds((rlim_t)highest + more);
        launch_unit(&bench_units[0], more + 1);
        rig_limit_fds(limit);
        assert_int_equal(told.n, before + 1);
        assert_int_equal(told.events[before].kind, EVENT_SPAWN_FAILED);
        assert_int_equal(told.events[before].run, more + 1);
        assert_int_equal(told.events[before].errnum, EMFILE);
        assert_true(strlen(told.texts[before]) > 0);
        assert_int_equal(bench_units[0].main_pid, 0);
        assert_int_equal(bench_units[0].status_fd, -1);
        assert_int_equal(bench.attrib.procs.n, 0);
        if (bench_units[0].run != NULL)
            attrib_run_close(&bench.attrib, bench_units[0].run);
        bench_units[0].run = NULL;
        logger_host_give_up(&bench.logger);
        if (bench.logger.pid != 0)
            (void)rig_reap(bench.logger.pid);
        bench.logger.pid = 0;
        assert_int_equal(rig_fds(), n);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* The death may be told before the loop has read the pipe. */
static void settling_may_come_before_the_loop(void **state)
{
    (void)state;
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    COMMAND(0, "/nonexistent/program");
    launch(0, 1);
    rig_await_zombie(bench_units[0].main_pid);
    size_t before = told.n;
    launch_settle(&bench_units[0]);
    assert_int_equal(told.n, before + 1);
    assert_int_equal(told.events[before].kind, EVENT_EXEC_FAILED);
    launch_settle(&bench_units[0]);
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(told.n, before + 1);
    finish(0);
}

static void a_run_that_is_over_is_told_nothing_of(void **state)
{
    (void)state;
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    COMMAND(0, "true");
    launch(0, 1);
    bench_reap(bench_units[0].main_pid);
    attrib_run_close(&bench.attrib, bench_units[0].run);
    bench_units[0].run = NULL;
    rig_turns(3);
    assert_int_equal(told.n, 1);
    assert_int_equal(bench_units[0].status_fd, -1);
}

/* What the hooks of another mode were told, and how many events had been told before. */
static struct {
    pid_t spawned;
    unsigned n_failed;
    bool forked;
    int errnum;
    char text[TEXT_MAX];
    size_t n_told;
    bool refuses;
} hooked;

static bool on_request(struct engine_unit *u, struct arena *a, struct spawn_request *req, void *data)
{
    static char *argv[3];
    copy_words((const char *const[]){"echo", "changed", NULL}, argv);
    req->argv = argv;
    return u == &bench_units[0] && a != NULL && data == &hooked && !hooked.refuses;
}

static void on_spawned(struct engine_unit *u, void *data)
{
    hooked.spawned = data == &hooked ? u->main_pid : -1;
    hooked.n_told = told.n;
}

static void on_start_failed(struct engine_unit *u, bool forked, int errnum, const char *text, void *data)
{
    hooked.n_failed += u == &bench_units[0] && data == &hooked;
    hooked.forked = forked;
    hooked.errnum = errnum;
    hooked.n_told = told.n;
    snprintf(hooked.text, sizeof hooked.text, "%s", text);
}

static void hook(bool refuses)
{
    memset(&hooked, 0, sizeof hooked);
    hooked.refuses = refuses;
    bench.hooks = (struct engine_hooks){.data = &hooked, .on_spawned = on_spawned, .on_start_failed = on_start_failed};
}

static void another_mode_changes_the_request(void **state)
{
    (void)state;
    hook(false);
    bench.hooks.on_request = on_request;
    catch_output();
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_INHERIT;
    COMMAND(0, "/nonexistent/program");
    pid_t pid = launch(0, 1);
    assert_true(hooked.spawned == pid && hooked.n_told == 0);
    assert_int_equal(finish(0), 0);
    assert_heard("changed\n");
    assert_int_equal(hooked.n_failed, 0);
}

static void another_mode_is_told_that_there_is_no_process(void **state)
{
    (void)state;
    hook(true);
    bench.hooks.on_request = on_request;
    COMMAND(0, "true");
    launch_unit(&bench_units[0], 1);
    assert_true(hooked.n_failed == 1 && hooked.n_told == 0 && hooked.spawned == 0 && !hooked.forked);
    assert_int_equal(hooked.errnum, ENOMEM);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, EVENT_SPAWN_FAILED);
    assert_string_equal(hooked.text, told.texts[0]);
    attrib_run_close(&bench.attrib, bench_units[0].run);
}

static void another_mode_is_told_that_the_program_did_not_start(void **state)
{
    (void)state;
    hook(false);
    bench_specs[0].log[SPEC_STREAM_OUT].driver = SPEC_LOG_NONE;
    COMMAND(0, "/nonexistent/program");
    launch(0, 1);
    assert_int_equal(hooked.spawned, bench_units[0].main_pid);
    await_event(EVENT_EXEC_FAILED, 0, 1);
    assert_true(hooked.n_failed == 1 && hooked.n_told == 1 && hooked.forked);
    assert_int_equal(hooked.errnum, ENOENT);
    assert_string_equal(hooked.text, told.texts[1]);
    finish(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_started_process_is_in_the_tables),
        TEST(it_runs_where_and_with_what_it_was_told),
        TEST(entrypoint_and_command_are_one),
        TEST(the_umask_is_set),
        TEST(output_comes_as_lines_of_the_unit),
        TEST(output_belongs_to_the_user_of_the_last_run),
        TEST(inherited_output_is_ours),
        TEST(what_fails_in_the_child_is_told_with_its_reason),
        TEST(what_fails_before_the_child_is_told_once),
        TEST(settling_may_come_before_the_loop),
        TEST(a_run_that_is_over_is_told_nothing_of),
        TEST(another_mode_changes_the_request),
        TEST(another_mode_is_told_that_there_is_no_process),
        TEST(another_mode_is_told_that_the_program_did_not_start),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
