/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Files and notifications while calls fail: what was there before stays, nothing new is left, and the error is the one
 * that happened.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/files.h"

#include "fault/support/fault.h"
#include "sys/sdnotify.h"
#include "unit/sys/kit.h"

enum { ALL = 1000 };

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

/* Whether E is what RULE did, in plain words. */
static void assert_told(const struct err *e, const struct fault_rule *rule)
{
    assert_non_null(rule);
    assert_int_equal(e->errnum, rule->errnum);
    assert_int_equal(e->kind, rule->errnum == ENOMEM ? ERR_NOMEM : ERR_SYS);
    assert_string_equal(e->text, err_errno_text(rule->errnum));
}

/* ------------------------------------------------------------------ reading */

static void read_file(void *arg, const struct fault_rule *rule)
{
    static const char text[] = "what is in it";
    char path[KIT_PATH_MAX];
    struct buf out;
    struct err e = {0};

    kit_file(path, arg, "file", text, 0600);
    buf_init(&out, 4096);
    bool ok = files_read(path, 4096, FILES_TRUST_SAFE, &out, &e);
    assert_int_equal(ok, rule == NULL);
    assert_string_equal(buf_str(&out), ok ? text : "");
    if (!ok)
        assert_told(&e, rule);
    buf_done(&out);
}

static void read_pid(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX];
    kit_file(path, arg, "pid", "1234\n", 0600);
    assert_int_equal(files_read_pid(path), rule == NULL ? 1234 : 0);
}

static void reading(void **state)
{
    fault_each(NULL, 0, ALL, read_file, *state);
    fault_each(NULL, 0, ALL, read_pid, *state);

    const struct fault_rule bytewise = {FAULT_PARENT, FAULT_sys_read, 1, true, FAULT_SHORT};
    fault_begin(&bytewise, 1);
    read_file(*state, NULL);
    fault_end();
}

/* ------------------------------------------------------------------ writing */

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

static void assert_content(const char *path, const char *want)
{
    char text[64];
    int fd = open(path, O_RDONLY);
    assert_int_not_equal(fd, -1);
    assert_string_equal(kit_read_end(fd, text, sizeof text), want);
    close(fd);
}

static void write_file(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX];
    struct err e = {0};

    kit_file(path, arg, "state", "old", 0600);
    bool ok = files_write(path, "new state", 9, &e);
    assert_int_equal(ok, rule == NULL);
    assert_content(path, ok ? "new state" : "old");
    assert_int_equal(count_entries(arg), 1);
    if (!ok)
        assert_told(&e, rule);
}

static void writing(void **state)
{
    fault_each(NULL, 0, ALL, write_file, *state);

    const struct fault_rule bytewise = {FAULT_PARENT, FAULT_sys_write, 1, true, FAULT_SHORT};
    fault_begin(&bytewise, 1);
    write_file(*state, NULL);
    assert_int_equal(fault_count(FAULT_PARENT, FAULT_sys_write), 9);
    fault_end();

    const struct fault_rule half[] = {{FAULT_PARENT, FAULT_sys_write, 1, false, FAULT_SHORT},
                                      {FAULT_PARENT, FAULT_sys_write, 2, false, ENOSPC}};
    fault_begin(half, ARRAY_LEN(half));
    write_file(*state, &half[1]);
    fault_end();
}

/* When even the new file cannot be removed, the first error is told and the old file is still there. */
static void writing_on_a_disk_that_became_read_only(void **state)
{
    const char *dir = *state;
    char path[KIT_PATH_MAX];
    struct err e = {0};
    const struct fault_rule rules[] = {{FAULT_PARENT, FAULT_sys_rename, 1, false, EIO},
                                       {FAULT_PARENT, FAULT_sys_unlink, 1, false, EROFS}};

    kit_file(path, dir, "state", "old", 0600);
    fault_begin(rules, ARRAY_LEN(rules));
    assert_false(files_write(path, "new", 3, &e));
    fault_end();
    assert_told(&e, &rules[0]);
    assert_content(path, "old");
    assert_int_equal(count_entries(dir), 2);
}

/* ------------------------------------------------------------------ directories and patterns */

static void make_run_dir(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX];
    struct err e = {0};
    bool ok = files_make_dir(kit_path(path, "%s/run", (const char *)arg), 0700, &e);
    assert_int_equal(ok, rule == NULL);
    if (!ok)
        assert_told(&e, rule);
}

static void expand(void *arg, const struct fault_rule *rule)
{
    char path[KIT_PATH_MAX];
    struct arena a = {0};
    struct err e = {0};
    char **found = NULL;
    size_t n = 4711;

    kit_file(path, arg, "a.yaml", "", 0600);
    kit_file(path, arg, "b.yaml", "", 0600);
    bool ok = files_glob(&a, kit_path(path, "%s/*.yaml", (const char *)arg), &found, &n, &e);
    assert_int_equal(ok, rule == NULL);
    assert_int_equal(n, ok ? 2 : 4711);
    if (!ok) {
        assert_null(found);
        assert_told(&e, rule);
    }
    arena_done(&a);
}

static void directories(void **state)
{
    fault_each(NULL, 0, ALL, make_run_dir, *state);
    fault_each(NULL, 0, ALL, expand, *state);
}

/* ------------------------------------------------------------------ standard descriptors */

struct stdio_case {
    struct fault_rule rules[2];
    bool ok;
};

static void open_stdio(void *arg)
{
    const struct stdio_case *c = arg;
    struct err e = {0};
    char byte;

    close(STDIN_FILENO);
    close(STDERR_FILENO);
    size_t n_fds = 0;
    for (int fd = 3; fd < 200; fd++)
        n_fds += fcntl(fd, F_GETFD) != -1;
    fault_begin(c->rules, ARRAY_LEN(c->rules));
    bool ok = files_open_stdio(&e);
    fault_end();
    REQUIRE(ok == c->ok);
    REQUIRE(fault_refused() > 0);
    if (ok) {
        REQUIRE(read(STDIN_FILENO, &byte, 1) == 0 && read(STDERR_FILENO, &byte, 1) == 0);
    } else {
        REQUIRE(strstr(e.text, "descriptor 0 is closed: ") == e.text);
        REQUIRE(fcntl(STDIN_FILENO, F_GETFD) == -1);
    }
    for (int fd = 3; fd < 200; fd++)
        n_fds -= fcntl(fd, F_GETFD) != -1;
    REQUIRE(n_fds == 0);
}

static void standard_descriptors(void **state UNUSED)
{
    static const struct stdio_case cases[] = {
        {{{FAULT_PARENT, FAULT_sys_open, 1, true, ENOENT}}, true},
        {{{FAULT_PARENT, FAULT_sys_open, 1, true, EACCES}, {FAULT_PARENT, FAULT_sys_pipe, 1, true, EMFILE}}, false},
        {{{FAULT_PARENT, FAULT_sys_fcntl, 2, true, EINVAL}}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stdio_case c = cases[i];
        assert_true(kit_isolated(open_stdio, &c));
    }
}

/* ------------------------------------------------------------------ notifications */

static void notify(void *arg, const struct fault_rule *rule)
{
    struct sdnotify n;
    struct err e = {0};
    char want[128];

    assert_int_equal(setenv("NOTIFY_SOCKET", kit_path((char[KIT_PATH_MAX]){0}, "@%s", (const char *)arg), 1), 0);
    bool ok = sdnotify_open(&n, &e);
    assert_int_equal(ok, rule == NULL || rule->call != FAULT_sys_socket);
    assert_null(getenv("NOTIFY_SOCKET"));
    sdnotify_send(&n, "READY=1");
    if (!ok) {
        snprintf(want, sizeof want, "socket for NOTIFY_SOCKET: %s", err_errno_text(rule->errnum));
        assert_string_equal(e.text, want);
        assert_int_equal(n.fd, -1);
        assert_int_equal(n.n_failed, 0);
    } else {
        assert_int_equal(n.n_failed, 1); /* nobody listens */
    }
    sdnotify_done(&n);
}

static void notifications(void **state)
{
    fault_each(NULL, 0, ALL, notify, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reading, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(writing, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(writing_on_a_disk_that_became_read_only, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(directories, make_dir, remove_dir),
        cmocka_unit_test(standard_descriptors),
        cmocka_unit_test_setup_teardown(notifications, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
