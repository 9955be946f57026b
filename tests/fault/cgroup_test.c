/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Control groups while calls fail, on plain directories: either a tree is there, or an error says why and nothing of it
 * stays; and what keeps fosterd out of a group that must have no processes is found out and mended.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/cgroup.h"

#include "fault/support/fault.h"
#include "unit/sys/kit.h"

enum { ALL = 1000 };

struct bench {
    char dir[KIT_PATH_MAX];
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    kit_make_dir(b->dir);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    fault_teardown(state);
    kit_remove(b->dir);
    free(b);
    return 0;
}

static size_t count_entries(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

static struct cgroup_tree tree_in(const struct bench *b)
{
    struct cgroup_tree t = {.fd = -1};
    snprintf(t.base.path, sizeof t.base.path, "%s", b->dir);
    return t;
}

static void on_left(const char *path, const struct cgroup_left *left, void *data)
{
    (void)path, (void)left, (void)data;
    fail_msg("nothing is left that has processes");
}

/* A name that is taken, or seems to be, is no obstacle: then the tree has another. */
static void make_and_remove(void *arg, const struct fault_rule *rule)
{
    const struct bench *b = arg;
    struct cgroup_tree t = tree_in(b);
    struct err e = {0};
    bool made = cgroup_tree_make(&t, &e);
    if (rule == NULL)
        assert_true(made);
    if (!made) {
        assert_int_equal(e.errnum, rule->errnum);
        assert_non_null(strstr(e.text, b->dir));
    }
    bool removed = cgroup_tree_remove(&t);
    assert_int_equal(t.fd, -1);
    fault_end();
    if (removed && (rule == NULL || rule->call != FAULT_sys_rmdirat))
        assert_int_equal(count_entries(b->dir), 0);
    for (int i = 0; i < 2; i++) {
        /* What a refused call has left behind the next one takes away. */
        struct cgroup_tree next = tree_in(b);
        assert_true(cgroup_tree_make(&next, &e));
        cgroup_tree_sweep(&next, on_left, NULL);
        assert_true(cgroup_tree_remove(&next));
    }
    assert_int_equal(count_entries(b->dir), 0);
}

static void a_tree_is_there_or_not(void **state)
{
    fault_each(NULL, 0, ALL, make_and_remove, *state);
}

/* Nothing of a sweep is worth an error: the next fosterd sweeps again. */
static void sweep(void *arg, const struct fault_rule *rule)
{
    const struct bench *b = arg;
    char path[KIT_PATH_MAX];
    assert_int_equal(mkdir(kit_path(path, "%s/foster-1", b->dir), 0755), 0);
    assert_int_equal(mkdir(kit_path(path, "%s/foster-1/web", b->dir), 0755), 0);
    struct cgroup_tree t = tree_in(b);
    snprintf(t.name, sizeof t.name, "foster-2");
    cgroup_tree_sweep(&t, on_left, NULL);
    fault_end();
    if (rule == NULL)
        assert_int_equal(count_entries(b->dir), 0);
    cgroup_tree_sweep(&t, on_left, NULL);
    assert_int_equal(count_entries(b->dir), 0);
}

static void a_sweep_does_what_it_can(void **state)
{
    fault_each(NULL, 0, ALL, sweep, *state);
}

static void a_delegation(void *arg, const struct fault_rule *rule)
{
    struct cgroup_base base = {0};
    (void)rule;
    snprintf(base.path, sizeof base.path, "%s", ((const struct bench *)arg)->dir);
    assert_false(cgroup_base_is_delegated(&base));
}

static void a_group_that_cannot_be_asked_is_not_delegated(void **state)
{
    fault_each(NULL, 0, ALL, a_delegation, *state);
}

static void put(const char *dir, const char *file, const char *text)
{
    char path[KIT_PATH_MAX];
    kit_file(path, dir, file, text, 0644);
}

static const char *get(const char *dir, const char *file, char *text, size_t size)
{
    char path[KIT_PATH_MAX];
    int fd = open(kit_path(path, "%s/%s", dir, file), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    kit_read_end(fd, text, size);
    close(fd);
    return text;
}

/* Makes the tree T in B, a group of version 2 that has the processes PROCS and can be given pids. */
static void make_unified(const struct bench *b, const char *procs, struct cgroup_tree *t, char *dir)
{
    char path[KIT_PATH_MAX];
    struct err e = {0};
    *t = tree_in(b);
    t->base.unified = true;
    t->base.controllers = 1U << CGROUP_PIDS;
    put(b->dir, "cgroup.events", "populated 1\n");
    put(b->dir, "cgroup.procs", procs);
    put(b->dir, "cgroup.subtree_control", "");
    assert_true(cgroup_tree_make(t, &e));
    kit_path(dir, "%s/%s", b->dir, t->name);
    put(dir, "cgroup.subtree_control", "");
    assert_int_equal(mkdir(kit_path(path, "%s/supervisor", dir), 0755), 0);
    put(path, "cgroup.procs", "");
}

static void fosterd_makes_way_for_its_services(void **state)
{
    const struct bench *b = *state;
    struct cgroup_tree t;
    struct err e = {0};
    char dir[KIT_PATH_MAX], supervisor[KIT_PATH_MAX], text[64];
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    make_unified(b, text, &t, dir);
    kit_path(supervisor, "%s/supervisor", dir);
    assert_true(cgroup_tree_enable(&t, CGROUP_PIDS, &e));
    assert_true(t.moved);
    assert_string_equal(get(supervisor, "cgroup.procs", text, sizeof text), "0");
    assert_string_equal(get(b->dir, "cgroup.subtree_control", text, sizeof text), "+pids");
    assert_string_equal(get(dir, "cgroup.subtree_control", text, sizeof text), "+pids");
    /* The way back: nothing is passed on any more, and we are where we were. */
    put(b->dir, "cgroup.subtree_control", "pids");
    put(dir, "cgroup.subtree_control", "pids");
    put(b->dir, "cgroup.procs", "");
    (void)cgroup_tree_remove(&t);
    assert_false(t.moved);
    assert_string_equal(get(dir, "cgroup.subtree_control", text, sizeof text), "-pids");
    assert_string_equal(get(b->dir, "cgroup.subtree_control", text, sizeof text), "-pids");
    assert_string_equal(get(b->dir, "cgroup.procs", text, sizeof text), "0");
}

static void others_are_not_moved(void **state)
{
    const struct bench *b = *state;
    struct cgroup_tree t;
    struct err e = {0};
    char dir[KIT_PATH_MAX], supervisor[KIT_PATH_MAX], text[64];
    snprintf(text, sizeof text, "%d\n1\n", (int)getpid());
    make_unified(b, text, &t, dir);
    kit_path(supervisor, "%s/supervisor", dir);
    assert_false(cgroup_tree_enable(&t, CGROUP_PIDS, &e));
    assert_int_equal(e.errnum, EBUSY);
    assert_non_null(strstr(e.text, "has 2 processes"));
    assert_false(t.moved);
    assert_string_equal(get(supervisor, "cgroup.procs", text, sizeof text), "");
    /* Nothing is passed on: with processes in it that would make a threaded subtree of the group. */
    assert_string_equal(get(b->dir, "cgroup.subtree_control", text, sizeof text), "");
    (void)cgroup_tree_remove(&t);
}

/* The base passes a controller on and the tree does not: on the way back that of the base is taken back all the same.
 */
static void the_way_back_is_whole(void **state)
{
    const struct bench *b = *state;
    const struct fault_rule third_write = {FAULT_PARENT, FAULT_sys_write, 3, false, EPERM};
    struct cgroup_tree t;
    struct err e = {0};
    char dir[KIT_PATH_MAX], text[64];
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    make_unified(b, text, &t, dir);
    fault_begin(&third_write, 1);
    assert_false(cgroup_tree_enable(&t, CGROUP_PIDS, &e));
    fault_end();
    assert_true(t.moved);
    put(b->dir, "cgroup.subtree_control", "pids");
    (void)cgroup_tree_remove(&t);
    assert_false(t.moved);
    assert_string_equal(get(b->dir, "cgroup.subtree_control", text, sizeof text), "-pids");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_tree_is_there_or_not),
        TEST(a_sweep_does_what_it_can),
        TEST(a_group_that_cannot_be_asked_is_not_delegated),
        TEST(fosterd_makes_way_for_its_services),
        TEST(others_are_not_moved),
        TEST(the_way_back_is_whole),
    };
    return cmocka_run_group_tests_name("cgroup_fault", tests, NULL, NULL);
}
