/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Directories of control groups and the files in them, on plain directories and files that look like them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/cgroup.h"

#include "sys/sys.h"
#include "unit/sys/kit.h"

struct bench {
    char dir[KIT_PATH_MAX];
    int fd;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->fd = open(kit_make_dir(b->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(b->fd >= 0);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    close(b->fd);
    kit_remove(b->dir);
    free(b);
    return 0;
}

/* Makes the file FILE of the directory of B with TEXT in it. */
static void put(const struct bench *b, const char *file, const char *text)
{
    int fd = openat(b->fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static const char *get(const struct bench *b, const char *file)
{
    static char text[256];
    assert_true(cgroup_read(b->fd, file, text, sizeof text));
    return text;
}

static void make_dir(const struct bench *b, const char *name)
{
    assert_int_equal(mkdirat(b->fd, name, 0755), 0);
}

static bool is_there(const struct bench *b, const char *name)
{
    return faccessat(b->fd, name, F_OK, 0) == 0;
}

static void names_of_units_are_no_names_of_files(void **state)
{
    static const char *const cases[][2] = {
        {"web", "web"},
        {"web.2", "web.2"},
        {"cpu", "cpu"},
        {"memory.16384", "memory.16384"},
        {"pids.max", "_pids.max"},
        {"cgroup.procs", "_cgroup.procs"},
        {"memory.2x", "_memory.2x"},
        {"a.", "_a."},
        {"tasks", "_tasks"},
        {"supervisor", "_supervisor"},
        {"release_agent", "_release_agent"},
        {"notify_on_release", "_notify_on_release"},
    };
    char buf[CGROUP_NAME_MAX];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(cgroup_unit_name(cases[i][0], buf), cases[i][1]);
}

static void limits_are_written_as_each_version_has_them(void **state)
{
    static const struct {
        bool unified;
        enum cgroup_controller c;
        const char *file, *set, *unset;
    } cases[] = {
        {true, CGROUP_PIDS, "pids.max", "200", "max"},
        {false, CGROUP_PIDS, "pids.max", "200", "max"},
        {true, CGROUP_MEMORY, "memory.max", "67108864", "max"},
        {false, CGROUP_MEMORY, "memory.limit_in_bytes", "67108864", "-1"},
        {true, CGROUP_CPU, "cpu.max", "150000 100000", "max"},
        {false, CGROUP_CPU, "cpu.cfs_quota_us", "150000", "-1"},
    };
    const struct cgroup_limits limits = {.pids = 200, .bytes = 64 << 20, .cpus = 1.5}, none = {0};
    const struct bench *b = *state;
    struct err e = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(cgroup_has_limit(&limits, cases[i].c));
        assert_false(cgroup_has_limit(&none, cases[i].c));
        put(b, cases[i].file, "");
        assert_true(cgroup_set_limit(b->fd, cases[i].unified, cases[i].c, &limits, &e));
        assert_string_equal(get(b, cases[i].file), cases[i].set);
        put(b, cases[i].file, "");
        assert_true(cgroup_set_limit(b->fd, cases[i].unified, cases[i].c, &none, &e));
        assert_string_equal(get(b, cases[i].file), cases[i].unset);
    }
}

/* The kernel takes no less than a hundredth of a processor. */
static void a_limit_says_what_is_wrong_with_it(void **state)
{
    const struct cgroup_limits limits = {.cpus = 0.001};
    const struct bench *b = *state;
    struct err e = {0};
    assert_false(cgroup_set_limit(b->fd, true, CGROUP_CPU, &limits, &e));
    assert_int_equal(e.errnum, ENOENT);
    assert_string_equal(e.text, "writing 1000 100000 to cpu.max: No such file or directory");
    assert_false(is_there(b, "cpu.max"));
}

static void hits_are_counted_where_each_version_counts_them(void **state)
{
    const struct bench *b = *state;
    uint64_t n = 7;
    put(b, "pids.events", "max 3\n");
    put(b, "memory.events", "low 1\nhigh 2\nmax 9\noom 4\noom_kill 5\noom_group_kill 6\n");
    put(b, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 18446744073709551615\n");
    assert_true(cgroup_hits(b->fd, true, CGROUP_PIDS, &n));
    assert_int_equal(n, 3);
    assert_true(cgroup_hits(b->fd, true, CGROUP_MEMORY, &n));
    assert_int_equal(n, 5);
    assert_true(cgroup_hits(b->fd, false, CGROUP_MEMORY, &n));
    assert_true(n == UINT64_MAX);
    assert_false(cgroup_hits(b->fd, true, CGROUP_CPU, &n));
    assert_null(cgroup_hits_file(true, CGROUP_CPU));
    put(b, "pids.events", "maximum 3\n");
    assert_false(cgroup_hits(b->fd, false, CGROUP_PIDS, &n));
    put(b, "pids.events", "");
    assert_false(cgroup_hits(b->fd, false, CGROUP_PIDS, &n));
    assert_true(n == UINT64_MAX);
}

static void the_first_few_of_a_group_are_named(void **state)
{
    const struct bench *b = *state;
    struct cgroup_left left = {0};
    assert_false(cgroup_list(b->fd, &left));
    put(b, "cgroup.procs", "");
    assert_true(cgroup_list(b->fd, &left));
    assert_int_equal(left.n, 0);
    put(b, "cgroup.procs", "1001\n0\n1003\n1004\n1005\n1006\n");
    assert_true(cgroup_list(b->fd, &left));
    assert_int_equal(left.n, 6);
    assert_int_equal(left.pids[0], 1001);
    assert_int_equal(left.pids[1], 0);
    assert_int_equal(left.pids[CGROUP_LEFT_MAX - 1], 1004);
}

/* A directory with a file stands for one with processes: neither can be removed. */
static void what_is_empty_is_removed_and_the_rest_is_told(void **state)
{
    const struct bench *b = *state;
    struct cgroup_left left = {0};
    make_dir(b, "tree");
    make_dir(b, "tree/web");
    make_dir(b, "tree/web/1");
    make_dir(b, "tree/web/1/deep");
    make_dir(b, "tree/db");
    make_dir(b, "tree/db/2");
    make_dir(b, "tree/db/3");
    put(b, "tree/db/2/cgroup.procs", "4711\n");
    assert_false(cgroup_remove(b->fd, "tree", &left));
    assert_int_equal(left.n, 1);
    assert_int_equal(left.pids[0], 4711);
    assert_false(is_there(b, "tree/web"));
    assert_false(is_there(b, "tree/db/3"));
    assert_true(is_there(b, "tree/db/2"));
    assert_int_equal(unlinkat(b->fd, "tree/db/2/cgroup.procs", 0), 0);
    assert_true(cgroup_remove(b->fd, "tree", NULL));
    assert_false(is_there(b, "tree"));
    assert_true(cgroup_remove(b->fd, "tree", NULL));
}

static void one_directory_can_be_kept(void **state)
{
    const struct bench *b = *state;
    make_dir(b, "1");
    make_dir(b, "2");
    make_dir(b, "10");
    assert_true(cgroup_remove_below(b->fd, "1", NULL));
    assert_true(is_there(b, "1"));
    assert_false(is_there(b, "2") || is_there(b, "10"));
    assert_true(cgroup_remove_below(b->fd, NULL, NULL));
    assert_false(is_there(b, "1"));
}

/* Nobody can have us remove, or write to, what is elsewhere. */
static void links_are_not_followed(void **state)
{
    const struct bench *b = *state;
    struct err e = {0};
    make_dir(b, "tree");
    make_dir(b, "other");
    make_dir(b, "other/1");
    put(b, "value", "before");
    assert_int_equal(symlinkat("../other", b->fd, "tree/link"), 0);
    assert_int_equal(symlinkat("value", b->fd, "pids.max"), 0);
    assert_false(cgroup_remove(b->fd, "tree", NULL));
    assert_true(is_there(b, "other/1"));
    assert_false(cgroup_write(b->fd, "pids.max", "1"));
    assert_string_equal(get(b, "value"), "before");
    int tree_fd = openat(b->fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(cgroup_make(tree_fd, "link", &e), -1);
    assert_true(e.errnum == ENOTDIR || e.errnum == ELOOP);
    close(tree_fd);
}

static void a_directory_is_made_once_and_opened_ever_after(void **state)
{
    const struct bench *b = *state;
    struct err e = {0};
    for (int i = 0; i < 2; i++) {
        int fd = cgroup_make(b->fd, "web", &e);
        assert_true(fd >= 0);
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        close(fd);
    }
    put(b, "file", "");
    assert_int_equal(cgroup_make(b->fd, "file", &e), -1);
    assert_string_equal(e.text, "opening the control group file: Not a directory");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(names_of_units_are_no_names_of_files),
        TEST(limits_are_written_as_each_version_has_them),
        TEST(a_limit_says_what_is_wrong_with_it),
        TEST(hits_are_counted_where_each_version_counts_them),
        TEST(the_first_few_of_a_group_are_named),
        TEST(what_is_empty_is_removed_and_the_rest_is_told),
        TEST(one_directory_can_be_kept),
        TEST(links_are_not_followed),
        TEST(a_directory_is_made_once_and_opened_ever_after),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
