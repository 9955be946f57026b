/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What is told of a directory, and what is not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/watchdir.h"

#include "unit/sys/kit.h"

struct bench {
    char dir[KIT_PATH_MAX], watched[KIT_PATH_MAX];
    int fd;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct err e = {0};
    char path[KIT_PATH_MAX];

    assert_non_null(b);
    kit_path(b->watched, "%s/watched", kit_make_dir(b->dir));
    assert_int_equal(mkdir(b->watched, 0700), 0);
    kit_file(path, b->watched, "a", "", 0600);
    kit_file(path, b->watched, "b", "", 0600);
    assert_true(watchdir_open(b->watched, &b->fd, &e));
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

/* inotify queues before the call that it tells of returns, so there is nothing to wait for. */
static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void assert_told(const struct bench *b, bool gone)
{
    bool told_gone = !gone;
    assert_true(is_readable(b->fd));
    watchdir_drain(b->fd, &told_gone);
    assert_int_equal(told_gone, gone);
    assert_false(is_readable(b->fd));
}

static char *in(const struct bench *b, const char *name, char *path)
{
    return kit_path(path, "%s/%s", b->watched, name);
}

static void tells_of_removals(void **state)
{
    const struct bench *b = *state;
    char a[KIT_PATH_MAX], other[KIT_PATH_MAX];

    assert_true(fcntl(b->fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(b->fd, F_GETFL) & O_NONBLOCK);
    assert_false(is_readable(b->fd));
    assert_int_equal(unlink(in(b, "a", a)), 0);
    assert_told(b, false);
    assert_int_equal(rename(in(b, "b", a), kit_path(other, "%s/b", b->dir)), 0);
    assert_told(b, false);
    assert_int_equal(mkdir(in(b, "sub", a), 0700), 0);
    assert_false(is_readable(b->fd));
    assert_int_equal(rmdir(a), 0);
    assert_told(b, false);
}

static void tells_of_a_replacement(void **state)
{
    const struct bench *b = *state;
    char a[KIT_PATH_MAX], other[KIT_PATH_MAX];

    kit_file(other, b->dir, "other", "", 0600);
    assert_int_equal(rename(other, in(b, "a", a)), 0);
    assert_told(b, false);
}

static void says_nothing_of_the_rest(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX];
    bool gone = true;

    kit_file(path, b->watched, "new", "text", 0600);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(b->watched, 0755), 0);
    assert_int_equal(truncate(path, 0), 0);
    assert_false(is_readable(b->fd));
    watchdir_drain(b->fd, &gone);
    assert_false(gone);
}

static void tells_when_the_directory_is_removed(void **state)
{
    const struct bench *b = *state;

    kit_remove(b->watched);
    assert_told(b, true);
}

static void tells_when_the_directory_is_moved_away(void **state)
{
    const struct bench *b = *state;
    char other[KIT_PATH_MAX];

    assert_int_equal(rename(b->watched, kit_path(other, "%s/other", b->dir)), 0);
    assert_told(b, true);
}

/* More than one read takes. */
static void takes_all_there_is(void **state)
{
    enum { FILES = 600 };
    const struct bench *b = *state;
    char path[KIT_PATH_MAX], name[64];

    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof name, "a-file-with-a-long-name-%d", i);
        kit_file(path, b->watched, name, "", 0600);
    }
    assert_false(is_readable(b->fd));
    kit_remove(b->watched);
    assert_told(b, true);
}

static void refuses_what_is_no_directory(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX];
    struct err e = {0};
    int fd = -7;
    size_t n_fds = kit_count_fds();

    assert_false(watchdir_open(in(b, "a", path), &fd, &e));
    assert_string_equal(e.text, "watching the directory: Not a directory");
    assert_false(watchdir_open(in(b, "none", path), &fd, &e));
    assert_int_equal(e.errnum, ENOENT);
    assert_int_equal(fd, -7);
    assert_int_equal(kit_count_fds(), n_fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_of_removals, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_of_a_replacement, setup, teardown),
        cmocka_unit_test_setup_teardown(says_nothing_of_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_when_the_directory_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_when_the_directory_is_moved_away, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_all_there_is, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_directory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
