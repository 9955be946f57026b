/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Log files while calls fail: what is made is as it was asked for or not there, and what is there is not lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/logfile.h"

#include "fault/support/fault.h"
#include "unit/sys/kit.h"

enum { ALL = 1000, SOMEBODY = 54321, OPEN_DIR_MODE = 0777, KEPT = 1 };

static const int64_t now_us = 1795435200000000;

static int make_dir(void **state)
{
    char *dir = malloc(KIT_PATH_MAX);
    assert_non_null(dir);
    *state = kit_make_dir(dir);
    return 0;
}

static int remove_dir(void **state)
{
    fault_teardown(state);
    kit_remove(*state);
    free(*state);
    return 0;
}

static bool open_and_close(const char *path, const struct logfile_manner *m, struct err *e)
{
    const char *base;
    int dir = logfile_open_dir(path, m, &base, e);
    int fd = dir >= 0 ? logfile_open(dir, base, m, e) : -1;
    if (dir >= 0)
        close(dir);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* A file, and a directory before it; with an owner as root. */
static void open_new(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX], dir[KIT_PATH_MAX];
    struct logfile_manner m = {.file_mode = 0666, .directory_mode = 0777, .has_owner = true};
    struct err e = {0};
    struct stat st;
    m.uid = geteuid() == 0 ? SOMEBODY : geteuid();
    m.gid = geteuid() == 0 ? SOMEBODY : getegid();
    kit_path(dir, "%s/new", (const char *)arg);
    kit_path(path, "%s/web.log", dir);
    bool ok = open_and_close(path, &m, &e);
    assert_true(ok || (rule != NULL && e.kind != ERR_NONE));
    bool has_dir = lstat(dir, &st) == 0, told_to_stay = rule != NULL && rule->call == FAULT_sys_openat;
    if (has_dir && !told_to_stay)
        assert_true(st.st_uid == m.uid && st.st_mode == (S_IFDIR | m.directory_mode));
    if (lstat(path, &st) == 0)
        assert_true(st.st_uid == m.uid && st.st_mode == (S_IFREG | m.file_mode));
    else
        assert_false(ok);
    (void)unlink(path);
    assert_int_equal(rmdir(dir), has_dir ? 0 : -1);
}

/* One that is there, behind a symbolic link. */
static void open_old(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX], link[KIT_PATH_MAX];
    const struct logfile_manner m = {.file_mode = 0600, .directory_mode = 0700};
    struct err e = {0};
    kit_file(path, arg, "web.log", "text", 0600);
    kit_path(link, "%s/link", (const char *)arg);
    assert_int_equal(symlink(".", link), 0);
    kit_path(path, "%s/web.log", link);
    bool ok = open_and_close(path, &m, &e);
    /* A directory that cannot be looked at is one that others may write to. */
    assert_true(ok || rule != NULL);
    assert_true(!ok || rule == NULL || rule->call == FAULT_sys_fstat);
    assert_int_equal(e.kind == ERR_NONE, ok);
    assert_int_equal(unlink(link), 0);
}

static void opening(void **state)
{
    umask(0077);
    fault_each(NULL, 0, ALL, open_new, *state);
    /* Where everybody may write. */
    assert_int_equal(chmod(*state, OPEN_DIR_MODE), 0);
    fault_each(NULL, 0, ALL, open_new, *state);
    fault_each(NULL, 0, ALL, open_old, *state);
}

static size_t count(int dir_fd)
{
    struct logfile_list l;
    assert_int_equal(logfile_list(dir_fd, "web.log", false, &l), 0);
    size_t n = l.n;
    logfile_list_done(&l);
    return n;
}

static int open_it(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void rotate(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX], old[KIT_PATH_MAX];
    int fd = open_it(arg);
    kit_file(path, arg, "web.log", "text", 0600);
    kit_file(old, arg, "web.log.20261124T000000.000000Z.gz", "older", 0600);
    errno = 0;
    bool ok = logfile_rotate(fd, "web.log", now_us) == 0;
    int errnum = errno;
    fault_end();
    assert_true(ok || (rule != NULL && errnum == rule->errnum));
    assert_int_equal(access(path, F_OK), ok ? -1 : 0);
    assert_int_equal(count(fd), ok ? 2 : 1);
    assert_int_equal(logfile_prune(fd, "web.log", 0), 0);
    close(fd);
}

static void prune(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX];
    int fd = open_it(arg);
    kit_file(path, arg, "web.log.20261124T000000.000000Z.gz", "one", 0600);
    kit_file(path, arg, "web.log.20261124T000000.000001Z", "two", 0600);
    kit_file(path, arg, "web.log.20261124T000000.000002Z", "three", 0600);
    bool ok = logfile_prune(fd, "web.log", KEPT) == 0;
    int errnum = errno;
    fault_end();
    assert_int_equal(ok, rule == NULL);
    assert_true(ok || errnum == rule->errnum);
    assert_int_equal(access(path, F_OK), 0);
    if (ok)
        assert_int_equal(count(fd), KEPT);
    else if (rule->call == FAULT_sys_unlinkat)
        assert_int_equal(count(fd), KEPT + 1);
    close(fd);
}

static void names(void **state)
{
    fault_each(NULL, 0, ALL, rotate, *state);
    fault_each(NULL, 0, ALL, prune, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opening, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(names, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
