/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Log files on disk: what is made, and how; what is refused; names of those that are full.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/rotated.h"
#include "sys/logfile.h"

#include "unit/sys/kit.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { SOMEBODY = 54321, SOMEBODY_ELSE = 54322, NOON_US_PART = 123456 };

static const int64_t noon_us = 1795435200000000 + NOON_US_PART; /* 2026-11-23T12:00:00.123456Z */

struct bench {
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];
    int fd;
    size_t n_fds;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->n_fds = kit_count_fds();
    kit_path(b->path, "%s/web.log", kit_make_dir(b->dir));
    b->fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(b->fd >= 0);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    close(b->fd);
    assert_int_equal(kit_count_fds(), b->n_fds);
    kit_remove(b->dir);
    free(b);
    return 0;
}

static struct logfile_manner manner(void)
{
    return (struct logfile_manner){.file_mode = 0664, .directory_mode = 0775};
}

/* Opens PATH as the logger does, and closes it. */
static bool opens(const char *path, const struct logfile_manner *m, struct err *e)
{
    const char *base;
    *e = (struct err){0};
    int dir = logfile_open_dir(path, m, &base, e);
    if (dir < 0)
        return false;
    assert_string_equal(base, strrchr(path, '/') + 1);
    int fd = logfile_open(dir, base, m, e);
    close(dir);
    if (fd < 0)
        return false;
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
    close(fd);
    return true;
}

static void assert_opens(const char *path, const struct logfile_manner *m)
{
    struct err e;
    if (!opens(path, m, &e))
        fail_msg("%s: %s", path, e.text);
}

static void assert_refused(const char *path, const struct logfile_manner *m, const char *text)
{
    struct err e;
    assert_false(opens(path, m, &e));
    if (strstr(e.text, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, e.text);
}

static struct stat look(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static void make(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void test_modes_whatever_the_umask(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX], dir[KIT_PATH_MAX];
    const struct logfile_manner m = manner();
    kit_path(path, "%s/a//b/web.log", b->dir);
    mode_t before = umask(0077);
    assert_opens(path, &m);
    umask(before);
    assert_int_equal(look(path).st_mode, S_IFREG | 0664);
    kit_path(dir, "%s/a", b->dir);
    assert_int_equal(look(dir).st_mode, S_IFDIR | 0775);
    kit_path(dir, "%s/a/b", b->dir);
    assert_int_equal(look(dir).st_mode, S_IFDIR | 0775);
}

static void test_what_is_there_stays_as_it_is(void **state)
{
    const struct bench *b = *state;
    const struct logfile_manner m = manner();
    make(b->path, 0600);
    assert_int_equal(chmod(b->dir, 0700), 0);
    assert_opens(b->path, &m);
    assert_int_equal(look(b->path).st_mode, S_IFREG | 0600);
    assert_int_equal(look(b->dir).st_mode, S_IFDIR | 0700);
}

static void make_link(const struct bench *b)
{
    char other[KIT_PATH_MAX];
    kit_path(other, "%s/other", b->dir);
    make(other, 0600);
    assert_int_equal(symlink(other, b->path), 0);
}

static void make_dangling_link(const struct bench *b)
{
    assert_int_equal(symlink("missing", b->path), 0);
}

static void make_dir(const struct bench *b)
{
    assert_int_equal(mkdir(b->path, 0700), 0);
}

static void make_fifo(const struct bench *b)
{
    assert_int_equal(mkfifo(b->path, 0600), 0);
}

static void make_second_name(const struct bench *b)
{
    char other[KIT_PATH_MAX];
    kit_path(other, "%s/other", b->dir);
    make(other, 0600);
    assert_int_equal(link(other, b->path), 0);
}

static void make_socket(const struct bench *b)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    assert_true(strlen(b->path) < sizeof a.sun_path);
    memcpy(a.sun_path, b->path, strlen(b->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
}

static void test_only_a_file_is_a_log_file(void **state)
{
    const struct bench *b = *state;
    static const struct {
        void (*make)(const struct bench *b);
        const char *text;
    } rows[] = {
        {make_link, "it is a symbolic link; a log file is a regular file"},
        {make_dangling_link, "it is a symbolic link; a log file is a regular file"},
        {make_dir, "it is a directory; a log file is a regular file"},
        {make_fifo, "it is a FIFO; a log file is a regular file"},
        {make_socket, "it is a socket; a log file is a regular file"},
        {make_second_name, "it has 2 names; a log file has one"},
    };
    const struct logfile_manner m = manner();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rows[i].make(b);
        assert_refused(b->path, &m, rows[i].text);
        assert_true(unlinkat(b->fd, "web.log", 0) == 0 || rmdir(b->path) == 0);
        (void)unlinkat(b->fd, "other", 0);
        assert_int_equal(faccessat(b->fd, "missing", F_OK, 0), -1);
    }
}

/* With somebody who reads it, a FIFO can be opened. */
static void test_a_fifo_that_is_read(void **state)
{
    const struct bench *b = *state;
    const struct logfile_manner m = manner();
    make_fifo(b);
    int fd = open(b->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_refused(b->path, &m, "it is a FIFO; a log file is a regular file");
    close(fd);
}

static void test_directories_that_are_none(void **state)
{
    const struct bench *b = *state;
    const struct logfile_manner m = manner();
    char path[KIT_PATH_MAX], name[300];
    make(b->path, 0600);
    kit_path(path, "%s/web.log/a/web.log", b->dir);
    assert_refused(path, &m, "web.log: Not a directory");
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    kit_path(path, "%s/%s/web.log", b->dir, name);
    assert_refused(path, &m, "File name too long");
}

static bool is_root(void)
{
    if (geteuid() == 0)
        return true;
    print_message("SKIP: owners are for root\n");
    return false;
}

static void test_owner_of_what_is_made(void **state)
{
    const struct bench *b = *state;
    char dir[KIT_PATH_MAX], path[KIT_PATH_MAX];
    struct logfile_manner m = manner();
    if (!is_root())
        skip();
    m.has_owner = true;
    m.uid = SOMEBODY;
    m.gid = SOMEBODY_ELSE;
    kit_path(dir, "%s/new", b->dir);
    kit_path(path, "%s/web.log", dir);
    assert_opens(path, &m);
    assert_int_equal(look(path).st_uid, SOMEBODY);
    assert_int_equal(look(path).st_gid, SOMEBODY_ELSE);
    assert_int_equal(look(path).st_mode, S_IFREG | 0664);
    assert_int_equal(look(dir).st_uid, SOMEBODY);
    assert_int_equal(look(dir).st_gid, SOMEBODY_ELSE);
    assert_int_equal(look(b->dir).st_uid, 0);
    assert_opens(path, &m);
}

/* In a directory of somebody's, we can do what he can and no more, and are ourselves again behind that. */
static void test_a_directory_of_somebody(void **state)
{
    const struct bench *b = *state;
    char other[KIT_PATH_MAX];
    const struct logfile_manner m = manner();
    if (!is_root())
        skip();
    kit_path(other, "%s/other", b->dir);
    assert_int_equal(chown(b->dir, SOMEBODY, SOMEBODY), 0);
    assert_opens(b->path, &m);
    assert_int_equal(look(b->path).st_uid, SOMEBODY);
    make(other, 0600);
    assert_int_equal(look(other).st_uid, 0);
    /* Root's own file, which he could not open. */
    assert_int_equal(rename(other, b->path), 0);
    assert_refused(b->path, &m, "with the rights of user 54321");
    /* A file of a third one, which everyone may write to. */
    assert_int_equal(chown(b->path, SOMEBODY_ELSE, SOMEBODY_ELSE), 0);
    assert_int_equal(chmod(b->path, 0666), 0);
    assert_refused(b->path, &m, "it belongs to user 54322");
}

/* A directory that root shares with a group the user is not in: /var/log in some distributions. */
static void test_a_directory_of_a_group(void **state)
{
    const struct bench *b = *state;
    struct logfile_manner m = manner();
    if (!is_root())
        skip();
    assert_int_equal(chown(b->dir, 0, SOMEBODY_ELSE), 0);
    assert_int_equal(chmod(b->dir, 0775), 0);
    m.has_owner = true;
    m.uid = m.gid = SOMEBODY;
    assert_opens(b->path, &m);
    assert_int_equal(look(b->path).st_uid, SOMEBODY);
    assert_opens(b->path, &m);
    assert_int_equal(chown(b->path, SOMEBODY_ELSE, SOMEBODY_ELSE), 0);
    assert_refused(b->path, &m, "it belongs to user 54322");
}

/* In the directory that FD is, puts a link to ../victim in the place of each directory NAME. Does not return. */
static _Noreturn void swap_directories(int fd, const char *name)
{
    if (setgid(SOMEBODY_ELSE) != 0 || setuid(SOMEBODY_ELSE) != 0)
        _exit(1);
    for (;;) {
        int r = renameat(fd, name, fd, "old") == 0 ? symlinkat("../victim", fd, name) : -1;
        (void)r;
    }
}

/* Who may write there puts a link in the place of a directory at the moment in which root has made that. */
static void test_a_directory_that_is_swapped(void **state)
{
    enum { TRIES = 4000 };
    const struct bench *b = *state;
    const struct logfile_manner m = manner();
    char victim[KIT_PATH_MAX], logs[KIT_PATH_MAX], path[KIT_PATH_MAX];
    int status;
    if (!is_root())
        skip();
    kit_file(victim, b->dir, "victim", "", 0600);
    kit_path(logs, "%s/logs", b->dir);
    kit_path(path, "%s/new/web.log", logs);
    assert_int_equal(mkdir(logs, 0755), 0);
    assert_int_equal(chown(logs, 0, SOMEBODY_ELSE), 0);
    assert_int_equal(chmod(logs, 0775), 0);
    int fd = open(logs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        swap_directories(fd, "new");
    for (int i = 0; i < TRIES; i++) {
        struct err e = {0};
        (void)opens(path, &m, &e);
        (void)unlink(path);
        (void)unlinkat(fd, "old/web.log", 0);
        for (int k = 0; k < 2; k++)
            if (unlinkat(fd, k == 0 ? "new" : "old", 0) != 0)
                (void)unlinkat(fd, k == 0 ? "new" : "old", AT_REMOVEDIR);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(fd);
    assert_int_equal(look(victim).st_mode, S_IFREG | 0600);
}

static void test_links_between_directories(void **state)
{
    const struct bench *b = *state;
    const struct logfile_manner m = manner();
    char path[KIT_PATH_MAX], there[KIT_PATH_MAX], link[KIT_PATH_MAX];
    kit_path(there, "%s/there", b->dir);
    kit_path(link, "%s/link", b->dir);
    kit_path(path, "%s/web.log", link);
    assert_int_equal(mkdir(there, 0755), 0);
    assert_int_equal(symlink("there", link), 0);
    assert_opens(path, &m);
    if (!is_root())
        skip();
    /* Root's own is followed everywhere; what a user has made may lead root astray. */
    assert_int_equal(chown(b->dir, SOMEBODY, SOMEBODY), 0);
    assert_opens(path, &m);
    assert_int_equal(lchown(link, SOMEBODY, SOMEBODY), 0);
    assert_refused(path, &m, "link: it is a symbolic link, which others than root may have made");
}

/* The names of those that web.log was, each with a space behind it. */
static const char *names(const struct bench *b, bool delete_remains)
{
    static char text[2048];
    struct logfile_list l;
    assert_int_equal(logfile_list(b->fd, "web.log", delete_remains, &l), 0);
    text[0] = '\0';
    for (size_t i = 0; i < l.n; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s ", l.names[i] + strlen("web.log."));
    }
    logfile_list_done(&l);
    return text;
}

static void make_in(const struct bench *b, const char *name)
{
    char path[KIT_PATH_MAX];
    kit_path(path, "%s/%s", b->dir, name);
    make(path, 0600);
}

static void test_only_our_own_are_ours(void **state)
{
    const struct bench *b = *state;
    static const char *const others[] = {
        "web.log",
        "web.log.1",
        "web.log.gz",
        "web.log.20261123T120000.123456Z.bak",
        "web.log.20261123T120000.123456Z.gz.tmp",
        "web.log.20261123T120000.12345Z",
        "web.log.20261123 120000.123456Z",
        "web.log.x.20261123T120000.123456Z",
        "xweb.log.20261123T120000.123456Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        make_in(b, others[i]);
    make_in(b, "web.log.20261124T000000.000000Z");
    make_in(b, "web.log.20261123T120000.123456Z.gz");
    assert_string_equal(names(b, false), "20261123T120000.123456Z.gz 20261124T000000.000000Z ");
    assert_int_equal(faccessat(b->fd, others[4], F_OK, 0), 0);
    assert_string_equal(names(b, true), "20261123T120000.123456Z.gz 20261124T000000.000000Z ");
    assert_int_equal(faccessat(b->fd, others[4], F_OK, 0), -1);
    assert_int_equal(logfile_prune(b->fd, "web.log", 0), 0);
    assert_string_equal(names(b, false), "");
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(faccessat(b->fd, others[i], F_OK, 0), i == 4 ? -1 : 0);
}

static void rotate_at(const struct bench *b, int64_t real_us)
{
    make(b->path, 0600);
    assert_int_equal(logfile_rotate(b->fd, "web.log", real_us), 0);
    assert_int_equal(access(b->path, F_OK), -1);
}

static void test_names_are_in_order_whatever_the_clock_does(void **state)
{
    const struct bench *b = *state;
    static const int64_t second = 1000000, day = 86400 * second;
    rotate_at(b, noon_us);
    assert_string_equal(names(b, false), "20261123T120000.123456Z ");
    /* At the same moment; a day before; then the clock has caught up. */
    rotate_at(b, noon_us);
    rotate_at(b, noon_us - day);
    rotate_at(b, noon_us + second);
    assert_string_equal(names(b, false), "20261123T120000.123456Z 20261123T120000.123457Z 20261123T120000.123458Z "
                                         "20261123T120001.123456Z ");
    make_in(b, "web.log.20271231T235959.999999Z.gz");
    rotate_at(b, noon_us);
    assert_int_equal(logfile_prune(b->fd, "web.log", 2), 0);
    assert_string_equal(names(b, false), "20271231T235959.999999Z.gz 20280101T000000.000000Z ");
}

static void test_nothing_to_rotate(void **state)
{
    const struct bench *b = *state;
    char name[LOGFILE_NAME_MAX];
    assert_int_equal(logfile_rotate(b->fd, "web.log", noon_us), -1);
    assert_int_equal(errno, ENOENT);
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - ROTATED_STAMP_LEN] = '\0';
    make_in(b, name);
    assert_int_equal(logfile_rotate(b->fd, name, noon_us), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(faccessat(b->fd, name, F_OK, 0), 0);
}

/* Names that cannot be deleted: the others are. */
static void test_prune_goes_on(void **state)
{
    const struct bench *b = *state;
    char path[KIT_PATH_MAX];
    kit_path(path, "%s/web.log.20261123T120000.000000Z", b->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    make_in(b, "web.log.20261123T120000.000001Z");
    errno = 0;
    assert_int_equal(logfile_prune(b->fd, "web.log", 0), -1);
    assert_true(errno == EISDIR || errno == EPERM);
    assert_string_equal(names(b, false), "20261123T120000.000000Z ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes_whatever_the_umask, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_there_stays_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_a_file_is_a_log_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_fifo_that_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner_of_what_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_of_somebody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_of_a_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_is_swapped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_between_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_our_own_are_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_are_in_order_whatever_the_clock_does, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_to_rotate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prune_goes_on, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
