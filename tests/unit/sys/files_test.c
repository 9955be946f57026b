/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Whole files: what is read and what is refused, replacing without a gap, pid files of every shape, directories,
 * patterns, and the standard descriptors.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/files.h"

#include "unit/sys/kit.h"

#include <sched.h>
#include <sys/resource.h>

static int make_dir(void **state)
{
    char *dir = malloc(KIT_PATH_MAX);
    assert_non_null(dir);
    *state = kit_make_dir(dir);
    return 0;
}

static int remove_dir(void **state)
{
    kit_remove(*state);
    free(*state);
    return 0;
}

static size_t count_entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

/* ------------------------------------------------------------------ reading */

/* Reads PATH into a buffer that has something in it already; the outcome must be KIND, and TEXT when it is an error. */
static void assert_read(const char *path, size_t max, enum files_trust trust, enum err_kind kind, const char *text)
{
    struct buf out;
    struct err e = {0};

    buf_init(&out, 1 << 20);
    assert_true(buf_puts(&out, "before "));
    bool ok = files_read(path, max, trust, &out, &e);
    assert_int_equal(e.kind, kind);
    assert_int_equal(ok, kind == ERR_NONE);
    if (ok) {
        assert_string_equal(buf_str(&out) + 7, text);
        assert_int_equal(out.len, 7 + strlen(text));
    } else {
        assert_string_equal(e.text, text);
        assert_string_equal(buf_str(&out), "before ");
        assert_int_equal(out.len, 7);
    }
    buf_done(&out);
}

static void reads_regular_files_only(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX];
    size_t n_fds = kit_count_fds();

    kit_file(path, dir, "some", "hello\n", 0644);
    kit_file(path, dir, "none", "", 0644);
    assert_int_equal(symlink("some", kit_path(path, "%s/link", dir)), 0);
    assert_int_equal(mkfifo(kit_path(path, "%s/fifo", dir), 0600), 0);
    static const struct {
        const char *path; /* below the directory unless it has a slash */
        size_t max;
        enum err_kind kind;
        const char *text; /* of the file or of the error */
    } cases[] = {
        {"some", 100, ERR_NONE, "hello\n"},
        {"some", 6, ERR_NONE, "hello\n"},
        {"some", 5, ERR_LIMIT, "too large"},
        {"some", 0, ERR_LIMIT, "too large"},
        {"none", 0, ERR_NONE, ""},
        {"link", 100, ERR_NONE, "hello\n"},
        {"fifo", 100, ERR_INPUT, "not a regular file; name a regular file"},
        {".", 100, ERR_INPUT, "not a regular file; name a regular file"},
        {"missing", 100, ERR_SYS, "No such file or directory"},
        {"some/below", 100, ERR_SYS, "Not a directory"},
        {"/dev/null", 100, ERR_INPUT, "not a regular file; name a regular file"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool absolute = cases[i].path[0] == '/';
        kit_path(path, "%s%s%s", absolute ? "" : dir, absolute ? "" : "/", cases[i].path);
        assert_read(path, cases[i].max, FILES_TRUST_ANY, cases[i].kind, cases[i].text);
    }
    struct err e = {0};
    struct buf out;
    buf_init(&out, 100);
    assert_false(files_read(kit_path(path, "%s/missing", dir), 9, FILES_TRUST_ANY, &out, &e));
    assert_int_equal(e.errnum, ENOENT);
    buf_done(&out);
    assert_int_equal(kit_count_fds(), n_fds);
}

static void reads_large_files_up_to_what_the_buffer_takes(void **state)
{
    char path[KIT_PATH_MAX];
    struct buf out;
    struct err e = {0};
    enum { SIZE = 100000 };
    char *text = calloc(SIZE + 1, 1);

    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)('a' + i % 23);
    kit_file(path, *state, "large", text, 0600);
    buf_init(&out, SIZE);
    assert_true(files_read(path, SIZE, FILES_TRUST_ANY, &out, &e));
    assert_int_equal(out.len, SIZE);
    assert_memory_equal(out.data, text, SIZE);
    buf_done(&out);
    buf_init(&out, SIZE - 1);
    assert_false(files_read(path, SIZE, FILES_TRUST_ANY, &out, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_int_equal(out.len, 0);
    buf_done(&out);
    free(text);
}

static void read_stdin(void *name)
{
    int ends[2];
    struct buf out;
    struct err e = {0};

    buf_init(&out, 100);
    REQUIRE(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    REQUIRE(write(ends[1], "from a pipe", 11) == 11);
    close(ends[1]);
    REQUIRE(files_read(name, 100, FILES_TRUST_SAFE, &out, &e));
    REQUIRE(strcmp(buf_str(&out), "from a pipe") == 0);
    REQUIRE(fcntl(STDIN_FILENO, F_GETFD) != -1);
    buf_done(&out);
}

static void reads_standard_input(void **state UNUSED)
{
    assert_true(kit_isolated(read_stdin, (char *)"-"));
    assert_true(kit_isolated(read_stdin, (char *)"/dev/stdin"));
}

static void root_trusts_safe_files_only(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX], text[KIT_PATH_MAX + 100];
    bool root = geteuid() == 0;

    kit_file(path, dir, "wide", "x", 0646);
    assert_read(path, 9, FILES_TRUST_ANY, ERR_NONE, "x");
    snprintf(text, sizeof text, "writable for everybody, which root must not trust; chmod o-w %s", path);
    assert_read(path, 9, FILES_TRUST_SAFE, root ? ERR_INPUT : ERR_NONE, root ? text : "x");
    kit_file(path, dir, "group", "x", 0664);
    assert_read(path, 9, FILES_TRUST_SAFE, ERR_NONE, "x");
    if (!root) {
        kit_skip("file of another user", "needs root");
        return;
    }
    kit_file(path, dir, "theirs", "x", 0600);
    assert_int_equal(chown(path, 65533, 65533), 0);
    assert_read(path, 9, FILES_TRUST_ANY, ERR_NONE, "x");
    snprintf(text, sizeof text, "owned by uid 65533, which root must not trust; chown root %s", path);
    assert_read(path, 9, FILES_TRUST_SAFE, ERR_INPUT, text);
}

/* ------------------------------------------------------------------ writing */

static void writes_and_replaces(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX];
    struct err e = {0};
    struct stat st;
    mode_t mask = umask(0);
    size_t n_fds = kit_count_fds();

    kit_path(path, "%s/state", dir);
    assert_true(files_write(path, "one", 3, &e));
    assert_read(path, 9, FILES_TRUST_ANY, ERR_NONE, "one");
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(files_write(path, "", 0, &e));
    assert_read(path, 9, FILES_TRUST_ANY, ERR_NONE, "");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(count_entries(dir), 1);
    umask(mask);
    assert_int_equal(kit_count_fds(), n_fds);
}

static void failed_write_leaves_everything(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX];
    static char long_path[PATH_MAX];
    struct err e = {0};

    kit_path(path, "%s/missing/state", dir);
    assert_false(files_write(path, "x", 1, &e));
    assert_int_equal(e.errnum, ENOENT);
    kit_path(path, "%s/taken", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(files_write(path, "x", 1, &e));
    assert_int_equal(e.errnum, EISDIR);
    assert_string_equal(e.text, "Is a directory");
    memset(long_path, 'x', sizeof long_path - 2);
    assert_false(files_write(long_path, "x", 1, &e));
    assert_int_equal(e.errnum, ENAMETOOLONG);
    assert_int_equal(count_entries(dir), 1);
}

static void write_when_full(void *path)
{
    struct err e = {0};
    const struct rlimit limit = {.rlim_cur = 10, .rlim_max = 10};
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    REQUIRE(!files_write(path, "more than ten bytes", 19, &e));
    REQUIRE(e.errnum == EFBIG);
}

static void write_that_breaks_off_leaves_the_old_file(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX];
    kit_file(path, dir, "state", "old", 0600);
    assert_true(kit_isolated(write_when_full, path));
    assert_read(path, 9, FILES_TRUST_ANY, ERR_NONE, "old");
    assert_int_equal(count_entries(dir), 1);
}

/* ------------------------------------------------------------------ pid files */

static void pid_files_of_every_shape(void **state)
{
    static const struct {
        const char *text;
        pid_t pid;
    } cases[] = {
        {"1234\n", 1234},
        {"1234", 1234},
        {"  1234 \t\r\n", 1234},
        {"1234\n/var/lib/postgresql/15/main\n1700000000\n5432\n", 1234},
        {"1\n", 1},
        {"2147483647\n", 2147483647},
        {"                                                          123456", 123456}, /* 64 bytes */
        {"                                                           123456", 0},
        {"", 0},
        {"\n", 0},
        {"   \n", 0},
        {"\n1234\n", 0},
        {"0\n", 0},
        {"-1\n", 0},
        {"-1234\n", 0},
        {"+1234\n", 0},
        {"0x10\n", 0},
        {"12 34\n", 0},
        {"1234x\n", 0},
        {"2147483648\n", 0},
        {"99999999999999999999999\n", 0},
    };
    const char *dir = *state;
    char path[KIT_PATH_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        kit_file(path, dir, "pid", cases[i].text, 0600);
        print_message("case %zu\n", i);
        assert_int_equal(files_read_pid(path), cases[i].pid);
    }
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd,
                           "12\0"
                           "34\n",
                           6),
                     6);
    assert_int_equal(files_read_pid(path), 0);
    assert_int_equal(ftruncate(fd, 1 << 30), 0); /* a gigabyte of nothing */
    assert_int_equal(pwrite(fd, "12", 2, 0), 2);
    assert_int_equal(files_read_pid(path), 0);
    close(fd);
}

static void pid_files_that_are_none(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX];
    size_t n_fds = kit_count_fds();

    kit_file(path, dir, "pid", "1234\n", 0600);
    assert_int_equal(symlink("pid", kit_path(path, "%s/link", dir)), 0);
    assert_int_equal(files_read_pid(path), 0);
    assert_int_equal(mkfifo(kit_path(path, "%s/fifo", dir), 0600), 0);
    assert_int_equal(files_read_pid(path), 0);
    assert_int_equal(files_read_pid(kit_path(path, "%s/missing", dir)), 0);
    assert_int_equal(files_read_pid(dir), 0);
    assert_int_equal(files_read_pid("/dev/zero"), 0);
    assert_int_equal(kit_count_fds(), n_fds);
}

/* ------------------------------------------------------------------ directories and patterns */

static void directories_are_made_or_checked(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX];
    struct err e = {0};
    struct stat st;

    kit_path(path, "%s/run", dir);
    assert_true(files_make_dir(path, 0700, &e));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_true(files_make_dir(path, 0755, &e));

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(chmod(path, (const mode_t[]){0770, 0707}[i]), 0);
        assert_false(files_make_dir(path, 0700, &e));
        assert_int_equal(e.kind, ERR_INPUT);
        assert_string_equal(e.text, "writable for others");
    }
    assert_int_equal(chmod(path, 0), 0); /* nothing of it need be readable */
    assert_true(files_make_dir(path, 0700, &e));
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65533, 65533), 0);
        assert_false(files_make_dir(path, 0700, &e));
        assert_string_equal(e.text, "owned by uid 65533, not by us");
    } else {
        kit_skip("directory of another user", "needs root");
    }
    assert_int_equal(symlink("run", kit_path(path, "%s/link", dir)), 0);
    assert_false(files_make_dir(path, 0700, &e));
    assert_int_equal(e.errnum, ENOTDIR);
    assert_false(files_make_dir(kit_file(path, dir, "file", "", 0600), 0700, &e));
    assert_int_equal(e.errnum, ENOTDIR);
    assert_false(files_make_dir(kit_path(path, "%s/missing/run", dir), 0700, &e));
    assert_int_equal(e.errnum, ENOENT);
}

static void patterns_are_expanded_in_order(void **state)
{
    const char *dir = *state;
    static const struct {
        const char *pattern;
        const char *want[5];
    } cases[] = {
        {"*.yaml", {"10-a.yaml", "20-b.yaml", "B.yaml", "a.yaml"}}, /* by bytes, whatever the locale */
        {"?0-*.yaml", {"10-a.yaml", "20-b.yaml"}},
        {"a.yaml", {"a.yaml"}},
        {"[ab].yaml", {"a.yaml"}},
        {"*.yml", {NULL}},
        {"missing/*.yaml", {NULL}},
        {"a.yaml/*", {NULL}},
        {".*.yaml", {".hid.yaml"}},
        {"*/x.yaml", {"d1/x.yaml", "d2/x.yaml"}},
        {"d?/[!x].yaml", {"d2/y.yaml"}},
        {"d1/x.yaml", {"d1/x.yaml"}},
        {"d*//x.yaml", {"d1//x.yaml", "d2//x.yaml"}},
        {"d\\1/*", {"d1/x.yaml"}},
        {"d*/", {"d1/", "d2/"}},
        {"missing/x.yaml", {NULL}},
    };
    char path[KIT_PATH_MAX];
    struct err e = {0};

    for (const char *const *name =
             (const char *const[]){"a.yaml", "B.yaml", "20-b.yaml", "10-a.yaml", ".hid.yaml", NULL};
         *name != NULL; name++)
        kit_file(path, dir, *name, "", 0600);
    assert_int_equal(mkdir(kit_path(path, "%s/d1", dir), 0700), 0);
    assert_int_equal(mkdir(kit_path(path, "%s/d2", dir), 0700), 0);
    kit_file(path, dir, "d1/x.yaml", "", 0600);
    kit_file(path, dir, "d2/x.yaml", "", 0600);
    kit_file(path, dir, "d2/y.yaml", "", 0600);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = {0};
        char **found;
        size_t n, want = 0;
        print_message("case %zu: %s\n", i, cases[i].pattern);
        assert_true(files_glob(&a, kit_path(path, "%s/%s", dir, cases[i].pattern), &found, &n, &e));
        for (; cases[i].want[want] != NULL; want++)
            assert_string_equal(found[want], kit_path(path, "%s/%s", dir, cases[i].want[want]));
        assert_int_equal(n, want);
        assert_null(found[n]);
        arena_done(&a);
    }
    if (geteuid() != 0) {
        struct arena a = {0};
        char **found;
        size_t n;
        assert_int_equal(mkdir(kit_path(path, "%s/locked", dir), 0), 0);
        assert_false(files_glob(&a, kit_path(path, "%s/locked/*", dir), &found, &n, &e));
        assert_int_equal(e.errnum, EACCES);
        arena_done(&a);
    } else {
        kit_skip("pattern in a locked directory", "root may read it");
    }
}

/* ------------------------------------------------------------------ standard descriptors */

struct stdio_case {
    unsigned closed;  /* bit N: descriptor N */
    const char *root; /* NULL: ours, which has a /dev/null */
};

static void open_stdio(void *arg)
{
    const struct stdio_case *c = arg;
    struct stat before[3] = {0}, after, null;
    struct err e = {0};

    if (c->root != NULL) {
        REQUIRE(geteuid() == 0 || unshare(CLONE_NEWUSER) == 0);
        REQUIRE(chroot(c->root) == 0 && chdir("/") == 0);
    } else {
        REQUIRE(stat("/dev/null", &null) == 0);
    }
    for (int fd = 0; fd < 3; fd++) {
        REQUIRE(fstat(fd, &before[fd]) == 0);
        if ((c->closed & (1U << fd)) != 0)
            close(fd);
    }
    int free_fd = fcntl(*kit_error_fd(), F_DUPFD, 3);
    close(free_fd);
    REQUIRE(files_open_stdio(&e));
    for (int fd = 0; fd < 3; fd++) {
        bool opened = (c->closed & (1U << fd)) != 0;
        char byte;
        REQUIRE(fstat(fd, &after) == 0);
        REQUIRE((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0);
        REQUIRE(opened || (after.st_dev == before[fd].st_dev && after.st_ino == before[fd].st_ino));
        REQUIRE(!opened || c->root != NULL || after.st_rdev == null.st_rdev);
        REQUIRE(!opened || read(fd, &byte, 1) == 0);
    }
    REQUIRE(fcntl(*kit_error_fd(), F_DUPFD, 3) == free_fd); /* nothing else was left open */
}

static void try_user_namespace(void *arg UNUSED)
{
    if (unshare(CLONE_NEWUSER) != 0)
        _exit(1);
}

static void standard_descriptors_are_opened(void **state)
{
    bool can_chroot = geteuid() == 0 || kit_isolated(try_user_namespace, NULL);
    if (!can_chroot)
        kit_skip("standard descriptors without /dev", "needs root or user namespaces");
    for (unsigned closed = 0; closed < 8; closed++) {
        struct stdio_case c = {.closed = closed};
        assert_true(kit_isolated(open_stdio, &c));
        c.root = *state;
        assert_true(!can_chroot || kit_isolated(open_stdio, &c));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_regular_files_only, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(reads_large_files_up_to_what_the_buffer_takes, make_dir, remove_dir),
        cmocka_unit_test(reads_standard_input),
        cmocka_unit_test_setup_teardown(root_trusts_safe_files_only, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(writes_and_replaces, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(failed_write_leaves_everything, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(write_that_breaks_off_leaves_the_old_file, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(pid_files_of_every_shape, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(pid_files_that_are_none, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(directories_are_made_or_checked, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(patterns_are_expanded_in_order, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(standard_descriptors_are_opened, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
