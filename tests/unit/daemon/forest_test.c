/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Real processes as trees: who is below whom, what is said of each, and what is not said where it cannot be known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/census.h"
#include "daemon/forest.h"
#include "daemon/helper.h"

#include "unit/daemon/bench.h"

enum { NOBODY = 1 << 23, CHAIN = 100 };

static struct rig_gate gate;

static int begin(void **state)
{
    int r = bench_begin(state);
    rig_gate_close(&gate);
    return r;
}

static int end(void **state)
{
    if (gate.fds[0] >= 0)
        rig_gate_open(&gate);
    /* The look is forgotten in the next turn. */
    rig_turns(2);
    return bench_end(state);
}

/* What a child is to do: each generation tells its pid, has the next one, and waits at the gate. */
struct line {
    rlim_t tag;
    int depth;
    bool last_ends; /* and is not waited for */
    int tell;
};

static int live(void *data)
{
    const struct line *l = data;
    struct rlimit lim = {.rlim_cur = l->tag, .rlim_max = l->tag};
    if (l->tag != 0 && setrlimit(RLIMIT_LOCKS, &lim) != 0)
        return 99;
    for (int i = 0;; i++) {
        pid_t self = getpid();
        if (write(l->tell, &self, sizeof self) != (ssize_t)sizeof self)
            return 99;
        if (i == l->depth || fork() != 0)
            break;
        if (l->last_ends && i + 1 == l->depth) {
            self = getpid();
            return write(l->tell, &self, sizeof self) == (ssize_t)sizeof self ? 0 : 99;
        }
    }
    rig_gate_wait(&gate);
    return 0;
}

/* Starts L and waits until all of it is there; the pids, oldest first, into PIDS. */
static void start(struct line l, pid_t *pids)
{
    int told[2];
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    l.tell = told[1];
    pid_t pid = rig_fork(live, &l);
    close(told[1]);
    for (int i = 0; i <= l.depth; i++)
        assert_int_equal(read(told[0], &pids[i], sizeof pids[i]), sizeof pids[i]);
    close(told[0]);
    assert_int_equal(pids[0], pid);
}

/* Waits until PID, which need not be our child, has ended. */
static void await_end(pid_t pid)
{
    int fd = sys_pidfd_open(pid);
    assert_true(fd >= 0);
    struct pollfd end = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&end, 1, RIG_HANG_S * 1000), 1);
    close(fd);
}

static void start_main(unsigned i, int depth, bool last_ends, pid_t *pids)
{
    struct attrib_run *run = bench_units[i].run;
    start((struct line){.tag = attrib_run_tag(&bench.attrib, run), .depth = depth, .last_ends = last_ends}, pids);
    assert_non_null(attrib_add(&bench.attrib, pids[0], run, ATTRIB_MAIN, ATTRIB_BORN, sys_now_ms()));
    bench_units[i].main_pid = pids[0];
}

static json_t *processes(unsigned unit)
{
    census_refresh(&bench);
    json_t *array = forest_processes(&bench, unit);
    assert_non_null(array);
    assert_true(json_is_array(array));
    return array;
}

static const json_t *member(const json_t *process, const char *key)
{
    const json_t *value = json_object_get(process, key);
    if (value == NULL)
        fail_msg("a process has no %s", key);
    return value;
}

static const char *text(const json_t *process, const char *key)
{
    return json_string_value(member(process, key));
}

static json_int_t number(const json_t *process, const char *key)
{
    assert_true(json_is_integer(member(process, key)));
    return json_integer_value(member(process, key));
}

/* Process I of ARRAY, which must be PID. */
static const json_t *process_at(const json_t *array, size_t i, pid_t pid)
{
    const json_t *p = json_array_get(array, i);
    if (p == NULL)
        fail_msg("there is no process number %zu", i);
    assert_int_equal(number(p, "pid"), pid);
    return p;
}

static void a_service_is_a_tree(void **state)
{
    pid_t pids[3];
    (void)state;
    bench_run(0, 1);
    start_main(0, 2, false, pids);
    json_t *array = processes(0);
    assert_int_equal(json_array_size(array), 1);
    const json_t *p = process_at(array, 0, pids[0]);
    static const char *const keys[] = {"pid",        "ppid",         "name",    "command",     "state",
                                       "age_ms",     "role",         "helper",  "attribution", "adopted",
                                       "adopted_ms", "adopted_from", "session", "children"};
    assert_int_equal(json_object_size(p), ARRAY_LEN(keys));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        (void)member(p, keys[i]);
    assert_int_equal(number(p, "ppid"), getpid());
    assert_string_equal(text(p, "role"), "main");
    assert_true(json_is_null(member(p, "helper")));
    assert_string_equal(text(p, "attribution"), "born");
    assert_string_equal(text(p, "name"), "unit_daemon_for");
    assert_non_null(strstr(text(p, "command"), "unit_daemon_forest"));
    assert_true(json_is_false(member(p, "adopted")));
    assert_true(json_is_null(member(p, "adopted_ms")));
    assert_true(json_is_null(member(p, "adopted_from")));
    assert_int_equal(number(p, "session"), getsid(0));
    assert_true(number(p, "age_ms") >= 0 && number(p, "age_ms") < 600000);
    assert_true(strchr("SRD", text(p, "state")[0]) != NULL);
    for (size_t i = 1; i < ARRAY_LEN(pids); i++) {
        assert_int_equal(json_array_size(member(p, "children")), 1);
        p = process_at(member(p, "children"), 0, pids[i]);
        assert_int_equal(number(p, "ppid"), pids[i - 1]);
        assert_string_equal(text(p, "role"), "descendant");
        assert_string_equal(text(p, "attribution"), "below");
        assert_true(json_is_false(member(p, "adopted")));
    }
    assert_int_equal(json_array_size(member(p, "children")), 0);
    json_decref(array);
    assert_false(forest_is_cut(&bench));
}

/* Without lists of children the parents of all processes say the same. */
static void the_scan_says_the_same(void **state)
{
    pid_t pids[4];
    (void)state;
    bench_run(0, 1);
    start_main(0, 3, false, pids);
    if (bench.children_source != PROCFS_CHILDREN_FILE) {
        print_message("SKIP: this kernel has no lists of children\n");
        skip();
    }
    bench.children_source = PROCFS_CHILDREN_SCAN;
    json_t *array = processes(0);
    bench.children_source = PROCFS_CHILDREN_FILE;
    const json_t *at = array;
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        assert_int_equal(json_array_size(at), 1);
        at = member(process_at(at, 0, pids[i]), "children");
    }
    assert_int_equal(json_array_size(at), 0);
    json_decref(array);
}

static void units_and_the_unclaimed_are_kept_apart(void **state)
{
    pid_t web[2], db[1], stray[2];
    (void)state;
    bench_run(0, 1);
    bench_run(1, 2);
    start((struct line){.depth = 1}, stray);
    start_main(1, 0, false, db);
    start_main(0, 1, false, web);
    json_t *array = processes(0);
    assert_int_equal(json_array_size(array), 1);
    (void)process_at(array, 0, web[0]);
    json_decref(array);
    array = processes(1);
    assert_int_equal(json_array_size(array), 1);
    (void)process_at(array, 0, db[0]);
    json_decref(array);
    array = processes(SUPER_NO_UNIT);
    assert_int_equal(json_array_size(array), 1);
    const json_t *p = process_at(array, 0, stray[0]);
    assert_string_equal(text(p, "attribution"), "unclaimed");
    assert_string_equal(text(p, "role"), "member");
    assert_true(json_is_true(member(p, "adopted")));
    (void)process_at(member(p, "children"), 0, stray[1]);
    json_decref(array);
}

/* The logger belongs to no service, nor is it a stranger: it stands apart, with who is below it. */
static void our_own_stands_apart(void **state)
{
    pid_t own[2], web[1];
    (void)state;
    json_t *array = processes(FOREST_OWN);
    assert_int_equal(json_array_size(array), 0);
    json_decref(array);
    bench_run(0, 1);
    start_main(0, 0, false, web);
    start((struct line){.depth = 1}, own);
    bench.logger.pid = own[0];
    array = processes(FOREST_OWN);
    assert_int_equal(json_array_size(array), 1);
    const json_t *p = process_at(array, 0, own[0]);
    assert_string_equal(text(p, "role"), "logger");
    assert_string_equal(text(p, "attribution"), "born");
    assert_true(json_is_false(member(p, "adopted")));
    assert_string_equal(text(process_at(member(p, "children"), 0, own[1]), "role"), "descendant");
    json_decref(array);
    array = processes(SUPER_NO_UNIT);
    assert_int_equal(json_array_size(array), 0);
    json_decref(array);
    array = processes(0);
    assert_int_equal(json_array_size(array), 1);
    json_decref(array);
    bench.logger.pid = 0;
}

/* A second run's main process comes before what an earlier run has left, whoever was met first. */
static void the_main_process_comes_first(void **state)
{
    pid_t old[1], main_pid[1];
    (void)state;
    struct attrib_run *run = bench_run(0, 1);
    start((struct line){.tag = attrib_run_tag(&bench.attrib, run)}, old);
    census_refresh(&bench);
    attrib_run_close(&bench.attrib, run);
    bench_run(0, 2);
    start_main(0, 0, false, main_pid);
    json_t *array = processes(0);
    assert_int_equal(json_array_size(array), 2);
    assert_string_equal(text(process_at(array, 0, main_pid[0]), "role"), "main");
    const json_t *p = process_at(array, 1, old[0]);
    assert_string_equal(text(p, "role"), "member");
    assert_string_equal(text(p, "attribution"), "tag");
    assert_true(json_is_true(member(p, "adopted")));
    assert_true(number(p, "adopted_ms") >= 0);
    json_decref(array);
}

static void no_helper_is_told(struct engine_unit *u, const struct helper_result *r, void *data)
{
    (void)u;
    (void)r;
    *(bool *)data = true;
}

/* It stands behind the service's own processes, and is none of them. */
static void a_command_beside_a_service_is_shown_as_one(void **state)
{
    char sh[] = "/bin/sh", c[] = "-c", script[] = "kill -STOP $$";
    char *const argv[] = {sh, c, script, NULL};
    bool told = false;
    const struct helper_request req = {
        .what = "healthcheck", .argv = argv, .capture = true, .done = no_helper_is_told, .data = &told};
    pid_t main_pid[1];
    struct helper *h;
    struct forest_sums sums;
    struct err e = {0};
    (void)state;
    if (!helper_start(&bench_units[0], &req, &h, &e))
        fail_msg("%s", e.text);
    struct attrib_run *run = attrib_run_find(&bench.attrib, ATTRIB_HELPER_RUNS | 1);
    assert_non_null(run);
    uint64_t number_of_run = run->run;
    pid_t pid = CONTAINER_OF(run->members.next, struct attrib_proc, in_run)->pid;
    bench_run(0, 1);
    start_main(0, 0, false, main_pid);
    json_t *array = processes(0);
    assert_int_equal(json_array_size(array), 2);
    assert_string_equal(text(process_at(array, 0, main_pid[0]), "role"), "main");
    const json_t *p = process_at(array, 1, pid);
    assert_string_equal(text(p, "role"), "helper");
    assert_string_equal(text(p, "helper"), "healthcheck");
    json_decref(array);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, 1);
    helper_cancel(h);
    int status = bench_reap(pid);
    assert_true(helper_died(&bench, number_of_run, pid, status));
    helper_settle(&bench, number_of_run);
    assert_null(attrib_run_find(&bench.attrib, number_of_run));
    assert_false(told);
}

static void sums_tell_the_living_from_zombies(void **state)
{
    pid_t pids[3], member_pid[1];
    struct forest_sums sums;
    (void)state;
    struct attrib_run *run = bench_run(0, 1);
    start_main(0, 2, true, pids);
    await_end(pids[2]);
    start((struct line){.tag = attrib_run_tag(&bench.attrib, run)}, member_pid);
    census_refresh(&bench);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, 3);
    assert_int_equal(sums.adopted, 1);
    assert_int_equal(sums.zombies, 1);
    assert_true(sums.rss_bytes > 3 * 4096 && sums.rss_bytes < INT64_C(1) << 32);
    assert_true(sums.cpu_ms >= 0 && sums.cpu_ms < 600000);
    forest_sum(&bench, 1, &sums);
    assert_int_equal(sums.processes + sums.adopted + sums.zombies, 0);
    assert_int_equal(sums.rss_bytes, 0);
    json_t *array = processes(0);
    const json_t *p = process_at(member(process_at(array, 0, pids[0]), "children"), 0, pids[1]);
    p = process_at(member(p, "children"), 0, pids[2]);
    assert_string_equal(text(p, "state"), "Z");
    assert_true(json_is_null(member(p, "command")));
    assert_true(json_is_string(member(p, "name")));
    json_decref(array);
}

/* JSON nested without bound would overflow the stack of whoever reads it. */
static void a_long_chain_is_flattened(void **state)
{
    pid_t pids[CHAIN + 1];
    struct forest_sums sums;
    (void)state;
    bench_run(0, 1);
    start_main(0, CHAIN, false, pids);
    json_t *array = processes(0);
    const json_t *at = array;
    for (size_t i = 0; i < FOREST_DEPTH_MAX - 1; i++)
        at = member(process_at(at, 0, pids[i]), "children");
    assert_int_equal(json_array_size(at), CHAIN + 1 - (FOREST_DEPTH_MAX - 1));
    for (size_t i = FOREST_DEPTH_MAX - 1; i <= CHAIN; i++) {
        const json_t *p = process_at(at, i - (FOREST_DEPTH_MAX - 1), pids[i]);
        assert_int_equal(number(p, "ppid"), pids[i - 1]);
        assert_int_equal(json_array_size(member(p, "children")), 0);
    }
    char *dumped = json_dumps(array, JSON_COMPACT);
    assert_non_null(dumped);
    free(dumped);
    json_decref(array);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, CHAIN + 1);
}

static int with_a_hostile_name(void *data)
{
    if (prctl(PR_SET_NAME, ") R \xff\x01(\xc3") != 0 || write(*(int *)data, "n", 1) != 1)
        return 99;
    rig_gate_wait(&gate);
    return 0;
}

static void any_name_can_be_shown(void **state)
{
    int told[2];
    char c;
    (void)state;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t pid = rig_fork(with_a_hostile_name, &told[1]);
    assert_int_equal(read(told[0], &c, 1), 1);
    close(told[0]);
    close(told[1]);
    bench_run(0, 1);
    assert_non_null(attrib_add(&bench.attrib, pid, bench_units[0].run, ATTRIB_MAIN, ATTRIB_BORN, 0));
    json_t *array = processes(0);
    assert_string_equal(text(process_at(array, 0, pid), "name"), ") R \xef\xbf\xbd?(\xef\xbf\xbd");
    json_decref(array);
}

static void commands_are_cut(void **state)
{
    char long_word[600];
    int told[2];
    char c;
    (void)state;
    memset(long_word, 'x', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(told[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", "printf .; kill -STOP $$", "a\tb\xff", long_word, (char *)NULL);
        _exit(99);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &c, 1), 1);
    close(told[0]);
    bench_run(0, 1);
    assert_non_null(attrib_add(&bench.attrib, pid, bench_units[0].run, ATTRIB_MAIN, ATTRIB_BORN, 0));
    json_t *array = processes(0);
    const char *command = text(process_at(array, 0, pid), "command");
    static const char begin_of_it[] = "sh -c printf .; kill -STOP $$ a?b\xef\xbf\xbd ";
    assert_int_equal(strncmp(command, begin_of_it, strlen(begin_of_it)), 0);
    assert_int_equal(strlen(command), 256);
    json_decref(array);
}

/* What has gone, or cannot be looked at, is there as far as the tables know it. */
static void what_cannot_be_seen_is_null(void **state)
{
    static const char *const unknown[] = {"name", "command", "state", "age_ms", "session"};
    struct forest_sums sums;
    (void)state;
    bench_run(0, 1);
    assert_non_null(attrib_add(&bench.attrib, NOBODY, bench_units[0].run, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    bench.children_source = PROCFS_CHILDREN_NONE;
    json_t *array = processes(0);
    bench.children_source = procfs_probe();
    const json_t *p = process_at(array, 0, NOBODY);
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_true(json_is_null(member(p, unknown[i])));
    assert_int_equal(number(p, "ppid"), getpid());
    assert_string_equal(text(p, "attribution"), "tag");
    json_decref(array);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, 1);
    assert_int_equal(sums.adopted, 1);
    assert_int_equal(sums.rss_bytes, 0);
}

/* A thousand services cost one walk: who comes later is seen in the next turn, or when a child of ours comes or goes.
 */
static void one_look_serves_a_turn(void **state)
{
    pid_t pids[2], late[1];
    struct forest_sums sums;
    (void)state;
    bench_run(0, 1);
    start_main(0, 1, false, pids);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, 2);
    kill(pids[1], SIGKILL);
    await_end(pids[1]);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, 2);
    start((struct line){.tag = attrib_run_tag(&bench.attrib, bench_units[0].run)}, late);
    census_refresh(&bench);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, 2);
    assert_int_equal(sums.adopted, 1);
    assert_int_equal(sums.zombies, 1);
    kill(late[0], SIGKILL);
    rig_await_zombie(late[0]);
    rig_turns(2);
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, 1);
    /* It was forgotten, so the loop is at rest. */
    rig_turns(2);
    assert_int_equal(rig_turns(2), 0);
}

static void the_number_of_processes_is_bounded(void **state)
{
    struct forest_sums sums;
    (void)state;
    struct attrib_run *run = bench_run(0, 1);
    for (int i = 0; i < FOREST_MAX; i++)
        assert_non_null(attrib_add(&bench.attrib, NOBODY + i, run, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    assert_false(forest_is_cut(&bench));
    assert_non_null(attrib_add(&bench.attrib, NOBODY + FOREST_MAX, run, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    assert_true(forest_is_cut(&bench));
    forest_sum(&bench, 0, &sums);
    assert_int_equal(sums.processes, FOREST_MAX);
    json_t *array = forest_processes(&bench, 0);
    assert_int_equal(json_array_size(array), FOREST_MAX);
    json_decref(array);
}

/* Somebody has looked while the middle one lived; later it ends, and only that look can tell whose child it was. */
static void who_was_seen_below_whom_is_remembered(void **state)
{
    pid_t pids[3];
    (void)state;
    bench_run(0, 1);
    start_main(0, 2, false, pids);
    json_decref(processes(0));
    assert_int_equal(bench.attrib.n_sights, 2);
    kill(pids[1], SIGKILL);
    await_end(pids[1]);
    json_t *array = processes(0);
    assert_int_equal(json_array_size(array), 2);
    const json_t *p = process_at(array, 1, pids[2]);
    assert_true(json_is_true(member(p, "adopted")));
    assert_int_equal(number(p, "ppid"), getpid());
    const json_t *from = member(p, "adopted_from");
    assert_int_equal(number(from, "pid"), pids[1]);
    assert_string_equal(text(from, "name"), "unit_daemon_for");
    json_decref(array);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_service_is_a_tree),
        TEST(the_scan_says_the_same),
        TEST(units_and_the_unclaimed_are_kept_apart),
        TEST(our_own_stands_apart),
        TEST(the_main_process_comes_first),
        TEST(a_command_beside_a_service_is_shown_as_one),
        TEST(sums_tell_the_living_from_zombies),
        TEST(a_long_chain_is_flattened),
        TEST(any_name_can_be_shown),
        TEST(commands_are_cut),
        TEST(what_cannot_be_seen_is_null),
        TEST(one_look_serves_a_turn),
        TEST(the_number_of_processes_is_bounded),
        TEST(who_was_seen_below_whom_is_remembered),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
