/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * One holder at a time, whatever happens to the file.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/lockfile.h"

#include "unit/sys/kit.h"

#include <sys/file.h>

struct bench {
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];
    size_t n_fds;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    kit_path(b->path, "%s/lock", kit_make_dir(b->dir));
    b->n_fds = kit_count_fds();
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    assert_int_equal(kit_count_fds(), b->n_fds);
    kit_remove(b->dir);
    free(b);
    return 0;
}

static void assert_taken(const char *path, int *ret_fd)
{
    struct err e = {0};
    if (!lockfile_take(path, ret_fd, &e))
        fail_msg("%s", e.text);
}

static void assert_busy(const char *path)
{
    struct err e = {0};
    int fd = -7;
    assert_false(lockfile_take(path, &fd, &e));
    assert_int_equal(e.kind, ERR_BUSY);
    assert_string_equal(e.text, "another process holds the lock");
    assert_int_equal(fd, -7);
}

static void has_one_holder(void **state)
{
    const struct bench *b = *state;
    struct stat st;
    int fd;

    assert_taken(b->path, &fd);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(stat(b->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_busy(b->path);
    lockfile_drop(b->path, &fd);
    assert_int_equal(fd, -1);
    assert_int_equal(stat(b->path, &st), -1);
    assert_int_equal(errno, ENOENT);
    assert_taken(b->path, &fd);
    lockfile_drop(b->path, &fd);
    lockfile_drop(b->path, &fd);
}

static void a_file_without_a_holder_is_no_lock(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX];
    int fd;

    kit_file(path, b->dir, "lock", "4711\n", 0644);
    assert_taken(b->path, &fd);
    assert_busy(b->path);
    lockfile_drop(b->path, &fd);
}

static void take_and_die(void *arg)
{
    struct err e = {0};
    int fd;
    REQUIRE(lockfile_take(arg, &fd, &e));
    REQUIRE(raise(SIGKILL) == 0);
}

static void the_lock_of_a_killed_holder_is_free(void **state)
{
    struct bench *b = *state;
    int fd;

    assert_false(kit_isolated(take_and_die, b->path));
    assert_int_equal(access(b->path, F_OK), 0);
    assert_taken(b->path, &fd);
    lockfile_drop(b->path, &fd);
}

/* When the file is removed under its holder, the lock of another at the same path is left alone. */
static void leaves_the_file_of_another(void **state)
{
    const struct bench *b = *state;
    int first, second;

    assert_taken(b->path, &first);
    assert_true(lockfile_is_at(b->path, first));
    assert_int_equal(unlink(b->path), 0);
    assert_false(lockfile_is_at(b->path, first));
    assert_taken(b->path, &second);
    assert_false(lockfile_is_at(b->path, first));
    assert_true(lockfile_is_at(b->path, second));
    lockfile_drop(b->path, &first);
    assert_false(lockfile_is_at(b->path, first));
    assert_int_equal(access(b->path, F_OK), 0);
    assert_busy(b->path);
    lockfile_drop(b->path, &second);
    assert_int_equal(access(b->path, F_OK), -1);
}

static void refuses_what_is_no_place_for_it(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX], other[KIT_PATH_MAX];
    struct err e = {0};
    int fd;

    assert_int_equal(symlink(kit_file(other, b->dir, "other", "", 0600), b->path), 0);
    assert_false(lockfile_take(b->path, &fd, &e));
    assert_int_equal(e.errnum, ELOOP);
    assert_false(lockfile_take(kit_path(path, "%s/none/lock", b->dir), &fd, &e));
    assert_string_equal(e.text, "opening the lock file: No such file or directory");
    assert_false(lockfile_take(b->dir, &fd, &e));
    assert_int_equal(e.errnum, EISDIR);
}

enum { PROCESSES = 8, TRIES = 1000 };

/* Tries to take the lock and drops it again; in between nobody else may hold it, which a lock on the directory would
 * show. Each success is a byte to REPORT_FD. */
static void compete(const struct bench *b, int report_fd)
{
    int dir_fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(dir_fd != -1);
    for (int i = 0; i < TRIES; i++) {
        struct err e = {0};
        int fd;
        if (!lockfile_take(b->path, &fd, &e)) {
            REQUIRE(e.kind == ERR_BUSY);
            continue;
        }
        REQUIRE(flock(dir_fd, LOCK_EX | LOCK_NB) == 0);
        REQUIRE(write(report_fd, "x", 1) == 1);
        REQUIRE(flock(dir_fd, LOCK_UN) == 0);
        lockfile_drop(b->path, &fd);
    }
}

static void many_who_come_and_go_never_hold_it_together(void **state)
{
    const struct bench *b = *state;
    pid_t pids[PROCESSES];
    char byte;
    int report[2], failed = 0;

    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    fflush(NULL);
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_int_not_equal(pids[i], -1);
        if (pids[i] == 0) {
            alarm(60);
            compete(b, report[1]);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        failed += kit_wait(pids[i]) != 0;
    assert_int_equal(failed, 0);
    close(report[1]);
    assert_int_equal(read(report[0], &byte, 1), 1);
    close(report[0]);
    assert_int_equal(access(b->path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(has_one_holder, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_without_a_holder_is_no_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(the_lock_of_a_killed_holder_is_free, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_the_file_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_place_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(many_who_come_and_go_never_hold_it_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
