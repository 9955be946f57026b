/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Reading /proc while calls fail: either the whole truth comes out, if need be from the other source, or an error;
 * never a part that looks like the whole.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/procfs.h"

#include "fault/support/fault.h"
#include "unit/sys/kit.h"

#include <sys/resource.h>

enum {
    N_CHILDREN = 5,
    MAX_NTH = 6, /* a scan makes more calls than are worth refusing */
};

/* Children that live until the descriptor is closed; the operations make and end them, for nothing may be left. */
struct family {
    pid_t pids[N_CHILDREN];
    int hold_fd;
};

static void family_begin(struct family *f)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t i = 0; i < N_CHILDREN; i++) {
        f->pids[i] = fork();
        assert_int_not_equal(f->pids[i], -1);
        if (f->pids[i] == 0) {
            char c;
            close(ends[1]);
            _exit(read(ends[0], &c, 1) == 0 ? 0 : 1);
        }
    }
    close(ends[0]);
    f->hold_fd = ends[1];
}

static void family_end(const struct family *f)
{
    close(f->hold_fd);
    for (size_t i = 0; i < N_CHILDREN; i++)
        assert_int_equal(kit_wait(f->pids[i]), 0);
}

static bool has_pid(const struct pidlist *l, pid_t pid)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->pids[i] == pid)
            return true;
    }
    return false;
}

/* What children() must answer with besides the list: 0 for the list itself. */
static int expect_of_children(const struct fault_rule *rule)
{
    if (rule == NULL)
        return 0;
    if (rule->call == FAULT_sys_readlink)
        return ENOSYS;
    /* A process that is hidden from us is passed over by the scan. */
    if (rule->call == FAULT_sys_open && rule->errnum == EACCES)
        return 0;
    return rule->errnum;
}

static void children(void *arg UNUSED, const struct fault_rule *rule)
{
    struct family f;
    struct pidlist l = {0};
    int want = expect_of_children(rule);

    family_begin(&f);
    errno = 0;
    if (procfs_children(getpid(), &l)) {
        assert_int_equal(want, 0);
        assert_int_equal(l.n, N_CHILDREN);
        for (size_t i = 0; i < N_CHILDREN; i++)
            assert_true(has_pid(&l, f.pids[i]));
    } else {
        assert_int_equal(errno, want);
        assert_int_equal(l.n, 0);
    }
    pidlist_done(&l);
    family_end(&f);
}

static void children_from_the_file(void **state UNUSED)
{
    fault_each(NULL, 0, MAX_NTH, children, NULL);
}

/* The first file that is opened in a task directory is the list of children. */
static void children_from_the_scan(void **state UNUSED)
{
    const struct fault_rule base = {FAULT_PARENT, FAULT_sys_openat, 1, false, ENOENT};
    fault_each(&base, 1, MAX_NTH, children, NULL);
}

static void children_without_task_directories(void **state UNUSED)
{
    const struct fault_rule base = {FAULT_PARENT, FAULT_sys_opendir, 1, false, ENOENT};
    fault_each(&base, 1, MAX_NTH, children, NULL);
}

static void short_reads_are_put_together(void **state UNUSED)
{
    const struct fault_rule rule = {FAULT_PARENT, FAULT_sys_read, 1, true, FAULT_SHORT};
    struct procstat st;
    uint64_t tag;

    fault_begin(&rule, 1);
    children(NULL, NULL);
    assert_true(procfs_stat(getpid(), &st));
    assert_int_equal(st.ppid, getppid());
    fault_end();

    const struct fault_rule rules[] = {rule, {FAULT_PARENT, FAULT_sys_prlimit_get, 1, true, EPERM}};
    fault_begin(rules, ARRAY_LEN(rules));
    assert_true(procfs_tag(getpid(), &tag));
    fault_end();
}

static void stat_of_us(void *arg UNUSED, const struct fault_rule *rule)
{
    struct procstat st = {.pid = -1};
    bool ok = procfs_stat(getpid(), &st);
    assert_int_equal(ok, rule == NULL);
    assert_int_equal(st.pid, ok ? getpid() : -1);
    if (!ok)
        assert_int_equal(errno, rule->errnum);
}

static void env_of_us(void *arg UNUSED, const struct fault_rule *rule)
{
    char text[8] = "before";
    assert_int_equal(procfs_env(getpid(), "FOSTER_TEST_NO_SUCH", text, sizeof text), false);
    assert_string_equal(text, "before");
    (void)rule;
}

static void all_of_them(void *arg UNUSED, const struct fault_rule *rule)
{
    struct pidlist l = {0};
    bool ok = procfs_all(&l);
    assert_int_equal(ok, rule == NULL);
    assert_int_equal(has_pid(&l, getpid()), ok);
    if (!ok)
        assert_int_equal(l.n, 0);
    pidlist_done(&l);
}

static void simple_readers(void **state UNUSED)
{
    fault_each(NULL, 0, MAX_NTH, stat_of_us, NULL);
    fault_each(NULL, 0, MAX_NTH, env_of_us, NULL);
    fault_each(NULL, 0, MAX_NTH, all_of_them, NULL);
}

/* The tag is there as long as one of its two sources is. */
static void tag_of_us(void *arg, const struct fault_rule *rule)
{
    bool limits_only = arg != NULL;
    struct rlimit limit;
    uint64_t tag = 4711;
    bool want = rule == NULL || (!limits_only && rule->errnum == EPERM);

    assert_int_equal(getrlimit(RLIMIT_LOCKS, &limit), 0);
    bool ok = procfs_tag(getpid(), &tag);
    assert_int_equal(ok, want);
    uint64_t real = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
    assert_true(tag == (ok ? real : 4711));
    if (!ok)
        assert_int_equal(errno, rule->errnum);
}

static void tag_from_either_source(void **state UNUSED)
{
    static const int refusals[] = {EPERM, ENOSYS};
    bool limits_only = true;

    fault_each(NULL, 0, MAX_NTH, tag_of_us, NULL);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct fault_rule base = {FAULT_PARENT, FAULT_sys_prlimit_get, 1, true, refusals[i]};
        fault_each(&base, 1, MAX_NTH, tag_of_us, &limits_only);
    }
}

/* In a process of its own, for what a probe finds is remembered. */
static void probe_with(void *arg)
{
    const struct fault_rule *rule = arg;
    struct pidlist l = {0};

    fault_begin(rule, 1);
    enum procfs_children_source source = procfs_probe();
    fault_end();
    if (rule->call == FAULT_sys_readlink) {
        REQUIRE(source == PROCFS_CHILDREN_NONE);
        REQUIRE(!procfs_children(getpid(), &l) && errno == ENOSYS);
        REQUIRE(!procfs_all(&l) && errno == ENOSYS);
        pidlist_done(&l);
        return;
    }
    REQUIRE(source == PROCFS_CHILDREN_SCAN);
    fault_begin(NULL, 0);
    REQUIRE(procfs_children(getpid(), &l) && l.n == 0);
    REQUIRE(fault_count(FAULT_PARENT, FAULT_sys_openat) == 0);
    REQUIRE(!procfs_children(0x3fffffff, &l) && errno == ENOENT);
    fault_end();
    pidlist_done(&l);
    REQUIRE(procfs_probe() != PROCFS_CHILDREN_NONE); /* it may be asked again */
}

static void probe_finds_what_works(void **state UNUSED)
{
    static const struct fault_rule rules[] = {
        {FAULT_PARENT, FAULT_sys_readlink, 1, true, ENOENT},
        {FAULT_PARENT, FAULT_sys_open, 1, false, ENOENT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct fault_rule rule = rules[i];
        assert_true(kit_isolated(probe_with, &rule));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(children_from_the_file, fault_teardown),
        cmocka_unit_test_teardown(children_from_the_scan, fault_teardown),
        cmocka_unit_test_teardown(children_without_task_directories, fault_teardown),
        cmocka_unit_test_teardown(short_reads_are_put_together, fault_teardown),
        cmocka_unit_test_teardown(simple_readers, fault_teardown),
        cmocka_unit_test_teardown(tag_from_either_source, fault_teardown),
        cmocka_unit_test_teardown(probe_finds_what_works, fault_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
