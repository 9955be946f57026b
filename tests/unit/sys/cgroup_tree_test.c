/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The tree of one fosterd: where it is made, whose it is, what is done with those of others. On plain directories, and
 * on the control groups of this machine where they can be made.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/cgroup.h"

#include "sys/procfs.h"
#include "sys/sys.h"
#include "unit/sys/kit.h"

#include <sys/file.h>

struct bench {
    struct cgroup_tree tree;
    char dir[KIT_PATH_MAX];
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->tree.fd = -1;
    kit_path(b->tree.base.path, "%s", kit_make_dir(b->dir));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    sys_close_fd(&b->tree.fd);
    kit_remove(b->dir);
    free(b);
    return 0;
}

static void put(const char *dir, const char *file, const char *text)
{
    char path[KIT_PATH_MAX];
    int fd = open(kit_path(path, "%s/%s", dir, file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static const char *get(const char *dir, const char *file)
{
    static char text[256];
    char path[KIT_PATH_MAX];
    int fd = open(kit_path(path, "%s/%s", dir, file), O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    return text;
}

static bool is_there(const char *dir, const char *name)
{
    char path[KIT_PATH_MAX];
    return access(kit_path(path, "%s/%s", dir, name), F_OK) == 0;
}

static void make_dir(const char *dir, const char *name)
{
    char path[KIT_PATH_MAX];
    assert_int_equal(mkdir(kit_path(path, "%s/%s", dir, name), 0755), 0);
}

static void a_tree_is_locked_and_has_a_name_of_its_own(void **state)
{
    struct bench *b = *state;
    struct cgroup_tree other = b->tree;
    char name[64];
    struct err e = {0};
    assert_true(cgroup_tree_make(&b->tree, &e));
    snprintf(name, sizeof name, "foster-%d", (int)getpid());
    assert_string_equal(b->tree.name, name);
    int fd = open(kit_path((char[KIT_PATH_MAX]){0}, "%s/%s", b->dir, name), O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
    close(fd);
    assert_true((fcntl(b->tree.fd, F_GETFD) & FD_CLOEXEC) != 0);
    /* In another pid namespace there is a process with our number. */
    assert_true(cgroup_tree_make(&other, &e));
    snprintf(name, sizeof name, "foster-%d.1", (int)getpid());
    assert_string_equal(other.name, name);
    assert_true(cgroup_tree_remove(&other));
    assert_int_equal(other.fd, -1);
    assert_true(cgroup_tree_remove(&other));
    assert_true(is_there(b->dir, b->tree.name) && !is_there(b->dir, name));
    assert_true(cgroup_tree_remove(&b->tree));
    assert_false(is_there(b->dir, b->tree.name));
}

static void a_base_that_is_not_there_is_named(void **state)
{
    struct bench *b = *state;
    struct err e = {0};
    kit_path(b->tree.base.path, "%s/gone", b->dir);
    assert_false(cgroup_tree_make(&b->tree, &e));
    assert_int_equal(e.errnum, ENOENT);
    assert_non_null(strstr(e.text, b->tree.base.path));
    assert_int_equal(b->tree.fd, -1);
}

struct told {
    char path[KIT_PATH_MAX];
    struct cgroup_left left;
    unsigned n;
};

static void on_left(const char *path, const struct cgroup_left *left, void *data)
{
    struct told *told = data;
    kit_path(told->path, "%s", path);
    told->left = *left;
    told->n++;
}

static void trees_of_the_dead_are_swept(void **state)
{
    struct bench *b = *state;
    struct told told = {0};
    struct err e = {0};
    char path[KIT_PATH_MAX];
    static const char *const dirs[] = {"foster-11", "foster-11/web", "foster-11/web/3", "foster-12.7",
                                       "foster-13", "foster-13/db",  "foster-14",       "foster-x",
                                       "foster-",   "foster-.1",     "foster",          "barfoster-1"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        make_dir(b->dir, dirs[i]);
    put(b->dir, "foster-15", "no directory");
    put(b->dir, "foster-13/db/cgroup.procs", "77\n78\n");
    int lives = open(kit_path(path, "%s/foster-14", b->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(lives, LOCK_EX), 0);
    assert_true(cgroup_tree_make(&b->tree, &e));
    cgroup_tree_sweep(&b->tree, on_left, &told);
    assert_false(is_there(b->dir, "foster-11") || is_there(b->dir, "foster-12.7"));
    for (size_t i = 6; i < ARRAY_LEN(dirs); i++)
        assert_true(is_there(b->dir, dirs[i]));
    assert_true(is_there(b->dir, b->tree.name) && is_there(b->dir, "foster-15"));
    assert_int_equal(told.n, 1);
    assert_string_equal(told.path, kit_path(path, "%s/foster-13", b->dir));
    assert_int_equal(told.left.n, 2);
    assert_int_equal(told.left.pids[0], 77);
    close(lives);
}

static void version_1_has_what_its_hierarchy_has(void **state)
{
    struct bench *b = *state;
    struct err e = {0};
    b->tree.base.controllers = 1U << CGROUP_PIDS;
    assert_true(cgroup_tree_make(&b->tree, &e));
    assert_true(cgroup_tree_enable(&b->tree, CGROUP_PIDS, &e));
    assert_false(cgroup_tree_enable(&b->tree, CGROUP_CPU, &e));
    assert_int_equal(e.errnum, EOPNOTSUPP);
    assert_non_null(strstr(e.text, "does not have the controller cpu"));
}

static void version_2_passes_controllers_on(void **state)
{
    struct bench *b = *state;
    struct err e = {0};
    char tree[KIT_PATH_MAX];
    b->tree.base.unified = true;
    b->tree.base.controllers = 1U << CGROUP_PIDS | 1U << CGROUP_MEMORY;
    assert_true(cgroup_tree_make(&b->tree, &e));
    kit_path(tree, "%s/%s", b->dir, b->tree.name);
    assert_false(cgroup_tree_enable(&b->tree, CGROUP_PIDS, &e));
    assert_non_null(strstr(e.text, "/cgroup.subtree_control: No such file or directory"));
    put(b->dir, "cgroup.subtree_control", "cpuset memory\n");
    put(tree, "cgroup.subtree_control", "");
    assert_true(cgroup_tree_enable(&b->tree, CGROUP_MEMORY, &e));
    assert_string_equal(get(b->dir, "cgroup.subtree_control"), "cpuset memory\n");
    assert_string_equal(get(tree, "cgroup.subtree_control"), "+memory");
    /* What others pass on is not ours to take back. */
    assert_int_equal(b->tree.passed_on, 0);
    put(b->dir, "cgroup.subtree_control", "");
    assert_true(cgroup_tree_enable(&b->tree, CGROUP_PIDS, &e));
    assert_string_equal(get(b->dir, "cgroup.subtree_control"), "+pids");
    assert_int_equal(b->tree.passed_on, 1U << CGROUP_PIDS);
    assert_int_equal(b->tree.enabled, 1U << CGROUP_PIDS | 1U << CGROUP_MEMORY);
    assert_false(b->tree.moved);
}

static void runs_are_told_by_their_groups(void **state)
{
    static const struct {
        const char *seen;
        uint64_t run;
    } cases[] = {
        {"/a/b/foster-9/web/3", 3},
        {"/a/b/foster-9/web/3/nested/deeper", 3},
        {"/a/b/foster-9/web/3 (deleted)", 3},
        {"/a/b/foster-9/web/18446744073709551615", UINT64_MAX},
        {"/a/b/foster-9/web/3/foster-9/db/4", 3},
        {"/a/b/foster-9/web/18446744073709551616", 0},
        {"/a/b/foster-9/web/3x", 0},
        {"/a/b/foster-9/web/03", 0},
        {"/a/b/foster-9/web/-3", 0},
        {"/a/b/foster-9/web/", 0},
        {"/a/b/foster-9/web", 0},
        {"/a/b/foster-9/supervisor", 0},
        {"/a/b/foster-9", 0},
        {"/a/b/foster-91/web/3", 0},
        {"/a/b/foster-9.1/web/3", 0},
        {"/a/bc/foster-9/web/3", 0},
        {"/x/a/b/foster-9/web/3", 0},
        {"/foster-9/web/3", 0},
        {"/", 0},
        {"", 0},
    };
    struct bench *b = *state;
    snprintf(b->tree.name, sizeof b->tree.name, "foster-9");
    snprintf(b->tree.base.seen, sizeof b->tree.base.seen, "/a/b");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_true(cgroup_tree_run(&b->tree, cases[i].seen) == cases[i].run);
    b->tree.base.seen[0] = '\0';
    assert_int_equal(cgroup_tree_run(&b->tree, "/foster-9/web/3"), 3);
}

static const char mounts[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
    "38 30 0:35 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "39 30 0:36 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
    "41 40 0:37 /own /mnt/own rw - cgroup2 none rw\n"
    "42 22 0:50 / /mnt/covered rw - cgroup2 none rw\n"
    "43 22 0:51 / /mnt/covered rw - tmpfs none rw\n"
    "broken line\n";

static void a_path_is_placed_by_its_mount(void **state)
{
    static const struct {
        const char *path, *seen; /* NULL: no group */
        bool unified;
        unsigned controllers;
    } cases[] = {
        {"/sys/fs/cgroup/unified", "", true, 0},
        {"/sys/fs/cgroup/unified/a/b", "/a/b", true, 0},
        {"/mnt/own/c", "/own/c", true, 0},
        {"/sys/fs/cgroup/cpu,cpuacct/x", "/x", false, 1U << CGROUP_CPU},
        {"/sys/fs/cgroup/pids", "/docker/abc", false, 1U << CGROUP_PIDS},
        {"/sys/fs/cgroup/systemd/x", "/x", false, 0},
        {"/sys/fs/cgroup", NULL, false, 0},
        {"/sys/fs/cgroup/unifiedly", NULL, false, 0},
        {"/mnt/covered", NULL, false, 0},
        {"/etc", NULL, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cgroup_base base;
        struct err e = {0};
        bool ok = cgroup_base_parse(mounts, cases[i].path, &base, &e);
        assert_int_equal(ok, cases[i].seen != NULL);
        if (!ok) {
            assert_int_equal(e.kind, ERR_INPUT);
            assert_non_null(strstr(e.text, cases[i].path));
            continue;
        }
        assert_string_equal(base.path, cases[i].path);
        assert_string_equal(base.seen, cases[i].seen);
        assert_int_equal(base.unified, cases[i].unified);
        assert_int_equal(base.controllers, cases[i].controllers);
    }
}

static void a_directory_of_another_file_system_is_no_group(void **state)
{
    const struct bench *b = *state;
    struct cgroup_base base;
    struct err e = {0};
    char path[KIT_PATH_MAX];
    assert_false(cgroup_base_at(b->dir, &base, &e));
    assert_non_null(strstr(e.text, "is no control group"));
    assert_false(cgroup_base_at(kit_path(path, "%s/gone", b->dir), &base, &e));
    assert_int_equal(e.errnum, ENOENT);
}

/* Our process NOBODY sits in the group FD until the pipe that holds it is closed. */
static pid_t sit_in(int fd, int *ret_hold)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char c;
        close(ends[1]);
        _exit(read(ends[0], &c, 1) == 0 ? 0 : 1);
    }
    close(ends[0]);
    char text[32];
    snprintf(text, sizeof text, "%d", (int)pid);
    assert_true(cgroup_write(fd, "cgroup.procs", text));
    *ret_hold = ends[1];
    return pid;
}

/* The real thing: whoever is in a group keeps it, and is named; a zombie does not, and is still known by it. */
static void groups_of_this_machine(void **state)
{
    struct cgroup_tree tree = {.fd = -1};
    struct cgroup_left left = {0};
    struct err e = {0};
    char seen[CGROUP_PATH_MAX];
    int hold;
    (void)state;
    if (!cgroup_base_unified(&tree.base) || access(tree.base.path, W_OK) != 0 || !cgroup_tree_make(&tree, &e)) {
        print_message("SKIP: no control group of version 2 can be made here\n");
        skip();
    }
    assert_false(cgroup_base_is_delegated(&(struct cgroup_base){.path = "/proc"}));
    int unit_fd = cgroup_make(tree.fd, "web", &e), run_fd = cgroup_make(unit_fd, "42", &e);
    assert_true(unit_fd >= 0 && run_fd >= 0);
    pid_t pid = sit_in(run_fd, &hold);
    assert_true(procfs_cgroup(pid, seen, sizeof seen));
    assert_int_equal(cgroup_tree_run(&tree, seen), 42);
    assert_true(procfs_cgroup(getpid(), seen, sizeof seen));
    assert_int_equal(cgroup_tree_run(&tree, seen), 0);
    assert_false(cgroup_remove(tree.fd, "web", &left));
    assert_int_equal(left.n, 1);
    assert_int_equal(left.pids[0], pid);
    close(hold);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(cgroup_remove_below(unit_fd, NULL, NULL));
    assert_true(procfs_cgroup(pid, seen, sizeof seen));
    assert_int_equal(cgroup_tree_run(&tree, seen), 42);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(run_fd);
    close(unit_fd);
    assert_true(cgroup_tree_remove(&tree));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_tree_is_locked_and_has_a_name_of_its_own),
        TEST(a_base_that_is_not_there_is_named),
        TEST(trees_of_the_dead_are_swept),
        TEST(version_1_has_what_its_hierarchy_has),
        TEST(version_2_passes_controllers_on),
        TEST(runs_are_told_by_their_groups),
        TEST(a_path_is_placed_by_its_mount),
        TEST(a_directory_of_another_file_system_is_no_group),
        TEST(groups_of_this_machine),
    };
    return cmocka_run_group_tests_name("cgroup_tree", tests, NULL, NULL);
}
