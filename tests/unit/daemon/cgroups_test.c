/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The control groups of units, on files that look like those of version 2: what a start asks for, what is told of
 * limits that are met, whom a kill is for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "daemon/cgroups_impl.h"

#include "base/log.h"
#include "sys/sys.h"
#include "unit/daemon/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void engine_post(struct engine *g, const struct event *ev)
{
    (void)g;
    (void)ev;
    fail_msg("nothing here is an event for the core");
}

static struct cgroups groups;
static struct spec_set set;

static void make_dir(const char *name)
{
    char path[RIG_PATH_MAX];
    assert_int_equal(mkdir(rig_path(name, path), 0755), 0);
}

/* A tree of version 2 with pids and memory, in which "web" and its run 5 have the files that the kernel would make. */
static int begin(void **state)
{
    static const char *const files[] = {"t/web/pids.max", "t/web/memory.max", "t/web/5/cgroup.procs",
                                        "t/web/5/cgroup.kill", "t/web/cgroup.kill"};
    if (bench_begin(state) != 0)
        return -1;
    (void)rig_dir();
    make_dir("t");
    make_dir("t/web");
    make_dir("t/web/5");
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        rig_write_file(files[i], "");
    rig_write_file("t/web/pids.events", "max 0\n");
    rig_write_file("t/web/memory.events", "oom_kill 0\n");
    groups = (struct cgroups){.engine = &bench, .notify_fd = -1};
    for (int t = 0; t < CGROUPS_TREE_N; t++)
        groups.trees[t].fd = -1;
    for (enum cgroup_controller k = 0; k < CGROUP_CONTROLLER_N; k++)
        groups.source[k] = k == CGROUP_CPU ? CGROUPS_NOWHERE : CGROUPS_UNIFIED;
    struct cgroup_tree *tree = &groups.trees[CGROUPS_UNIFIED];
    tree->base.unified = true;
    snprintf(tree->base.path, sizeof tree->base.path, "%s", rig.dir);
    snprintf(tree->name, sizeof tree->name, "t");
    tree->fd = openat(AT_FDCWD, rig_path("t", (char[RIG_PATH_MAX]){0}), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(tree->fd >= 0);
    set = (struct spec_set){0};
    spec_supervisor_defaults(&set.supervisor);
    bench.set = &set;
    bench.cgroups = &groups;
    bench_specs[0].pids_limit = 200;
    bench_specs[0].mem_limit = 64 << 20;
    return 0;
}

static int end(void **state)
{
    for (unsigned i = 0; i < BENCH_UNITS; i++)
        cgroups_forget(&bench_units[i]);
    cgroups_hits_stop(&groups);
    sys_close_fd(&groups.trees[CGROUPS_UNIFIED].fd);
    for (enum cgroup_controller k = 0; k < CGROUP_CONTROLLER_N; k++)
        mem_free(groups.source_why[k]);
    return bench_end(state);
}

static const char *file(const char *name)
{
    static char text[128];
    assert_true(rig_read_file(name, text, sizeof text) >= 0);
    return text;
}

static void start(struct engine_unit *u)
{
    struct cgroups_birth birth;
    struct err e = {0};
    assert_true(cgroups_enter(u, 5, &birth, &e));
    cgroups_birth_done(&birth);
}

static void a_start_gets_its_limits_and_its_birthplace(void **state)
{
    struct cgroups_birth birth;
    struct err e = {0};
    int fds = rig_fds();
    (void)state;
    assert_null(cgroups_limits(&bench_units[0]));
    assert_true(cgroups_enter(&bench_units[0], 5, &birth, &e));
    const struct spawn_cgroups *asked = cgroups_birth_request(&birth);
    assert_non_null(asked);
    assert_true(asked->v2_fd >= 0 && asked->v2_procs_fd >= 0);
    assert_int_equal(asked->n_procs_fds, 0);
    struct stat st, there;
    assert_int_equal(fstat(asked->v2_fd, &st), 0);
    assert_int_equal(stat(rig_path("t/web/5", (char[RIG_PATH_MAX]){0}), &there), 0);
    assert_true(st.st_ino == there.st_ino);
    cgroups_birth_done(&birth);
    assert_string_equal(file("t/web/pids.max"), "200");
    assert_string_equal(file("t/web/memory.max"), "67108864");
    assert_string_equal(cgroups_limits(&bench_units[0]), "enforced");
    /* One for all units, for being told. */
    assert_int_equal(rig_fds(), fds + 1);
}

static void who_has_no_limits_has_no_groups(void **state)
{
    struct cgroups_birth birth;
    struct err e = {0};
    (void)state;
    assert_true(cgroups_enter(&bench_units[1], 6, &birth, &e));
    assert_null(cgroups_birth_request(&birth));
    assert_null(bench_units[1].cgroup);
    assert_null(cgroups_limits(&bench_units[1]));
    assert_false(cgroups_kill(&bench_units[1]));
    assert_false(cgroups_oom_killed(&bench_units[1]));
}

static void a_limit_that_is_taken_away_is_so_at_the_next_start(void **state)
{
    (void)state;
    start(&bench_units[0]);
    rig_write_file("t/web/pids.max", "");
    bench_specs[0].pids_limit = 0;
    start(&bench_units[0]);
    assert_string_equal(file("t/web/pids.max"), "max");
    assert_string_equal(cgroups_limits(&bench_units[0]), "enforced");
}

static void what_cannot_be_enforced_is_told_once_or_refused(void **state)
{
    struct cgroups_birth birth;
    struct err e = {0};
    (void)state;
    bench_specs[0].cpus = 2;
    groups.source_why[CGROUP_CPU] = mem_strdup("no cpu here");
    start(&bench_units[0]);
    start(&bench_units[0]);
    assert_int_equal(rig_count(rig_log(), "its limits are not enforced: no cpu here"), 1);
    assert_string_equal(cgroups_limits(&bench_units[0]), "unenforced");
    /* The others are all the same. */
    assert_string_equal(file("t/web/pids.max"), "200");
    set.supervisor.require_limits = true;
    assert_false(cgroups_enter(&bench_units[0], 5, &birth, &e));
    assert_int_equal(e.errnum, EOPNOTSUPP);
    assert_non_null(strstr(e.text, "no cpu here"));
    assert_int_equal(birth.request.v2_fd, -1);
}

static void who_cannot_join_is_not_asked_to_again(void **state)
{
    struct cgroups_birth birth;
    struct err e = {0};
    (void)state;
    start(&bench_units[0]);
    assert_true(cgroups_refused(&bench_units[0], EMFILE));
    assert_true(cgroups_enter(&bench_units[0], 5, &birth, &e));
    assert_non_null(cgroups_birth_request(&birth));
    cgroups_birth_done(&birth);
    assert_true(cgroups_refused(&bench_units[0], EACCES));
    assert_true(cgroups_enter(&bench_units[0], 5, &birth, &e));
    assert_null(cgroups_birth_request(&birth));
    assert_non_null(strstr(rig_log(), "joining the group: Permission denied"));
    set.supervisor.require_limits = true;
    assert_false(cgroups_refused(&bench_units[0], EACCES));
}

static bool is_told(void *data)
{
    return strstr(rig_log(), *(const char **)data) != NULL;
}

static void await(const char *text)
{
    rig_run_until(is_told, &text);
}

/* A service that forks without end costs one line. */
static void refused_forks_are_told_once_a_start_and_when_they_have_doubled(void **state)
{
    (void)state;
    start(&bench_units[0]);
    rig_write_file("t/web/pids.events", "max 1\n");
    await("pids_limit 200 reached 1 time; fork fails in it");
    for (int i = 0; i < 3; i++)
        rig_write_file("t/web/pids.events", "max 5000\n");
    (void)rig_turns(3);
    assert_int_equal(rig_count(rig_log(), "pids_limit"), 1);
    cgroups_leave(&bench_units[0]);
    assert_int_equal(rig_count(rig_log(), "pids_limit 200 reached 5000 times"), 1);
    cgroups_leave(&bench_units[0]);
    assert_int_equal(rig_count(rig_log(), "pids_limit"), 2);
    start(&bench_units[0]);
    rig_write_file("t/web/pids.events", "max 5001\n");
    await("pids_limit 200 reached 5001 times");
}

static void each_kill_is_told_once(void **state)
{
    struct engine_unit *u = &bench_units[0];
    (void)state;
    start(u);
    assert_false(cgroups_oom_killed(u));
    rig_write_file("t/web/memory.events", "oom 9\noom_kill 3\n");
    assert_true(cgroups_oom_killed(u));
    /* Two more died unseen; whoever we kill afterwards is none of them. */
    cgroups_oom_settle(u);
    assert_int_equal(
        rig_count(rig_log(), "the kernel has killed 2 processes below its own: out of memory, limit 64.0M"), 1);
    assert_false(cgroups_oom_killed(u));
    cgroups_oom_settle(u);
    assert_int_equal(rig_count(rig_log(), "out of memory"), 1);
}

/* Who is nobody's child we know of is told of some time later. */
static void a_kill_that_no_death_explains_is_told(void **state)
{
    (void)state;
    start(&bench_units[0]);
    rig_write_file("t/web/memory.events", "oom_kill 1\n");
    await("the kernel has killed 1 process below its own: out of memory, limit 64.0M");
}

static void a_kill_is_for_the_runs_that_count(void **state)
{
    struct engine_unit *u = &bench_units[0];
    (void)state;
    assert_false(cgroups_kill(u));
    start(u);
    assert_true(cgroups_kill(u));
    assert_string_equal(file("t/web/cgroup.kill"), "1");
    assert_string_equal(file("t/web/5/cgroup.kill"), "");
    bench_specs[0].orphans = SPEC_ORPHANS_IGNORE;
    assert_false(cgroups_kill(u));
    (void)bench_run(0, 5);
    assert_true(cgroups_kill(u));
    assert_string_equal(file("t/web/5/cgroup.kill"), "1");
    /* Before Linux 5.14 there is no such file. */
    assert_int_equal(unlink(rig_path("t/web/5/cgroup.kill", (char[RIG_PATH_MAX]){0})), 0);
    assert_false(cgroups_kill(u));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_start_gets_its_limits_and_its_birthplace),
        TEST(who_has_no_limits_has_no_groups),
        TEST(a_limit_that_is_taken_away_is_so_at_the_next_start),
        TEST(what_cannot_be_enforced_is_told_once_or_refused),
        TEST(who_cannot_join_is_not_asked_to_again),
        TEST(refused_forks_are_told_once_a_start_and_when_they_have_doubled),
        TEST(each_kill_is_told_once),
        TEST(a_kill_that_no_death_explains_is_told),
        TEST(a_kill_is_for_the_runs_that_count),
    };
    return cmocka_run_group_tests_name("cgroups", tests, rig_open_loop, rig_close_loop);
}
