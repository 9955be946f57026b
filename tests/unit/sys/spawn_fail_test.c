/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How each failure between fork and exec is told, with real files that cannot be executed; where a program is looked
 * for; and what is made of the status pipe.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/sys/spawn_kit.h"

#include <sched.h>

enum { TEXT_MAX = 2048 };

static char self[PATH_MAX];

static char *const no_env[] = {NULL};

/* A directory with one of everything that cannot be executed, and one program. */
struct zoo {
    char dir[KIT_PATH_MAX];
    int busy_fd;
};

static int make_zoo(void **state)
{
    struct zoo *z = calloc(1, sizeof *z);
    char path[KIT_PATH_MAX];

    kit_make_dir(z->dir);
    kit_file(path, z->dir, "plain", "#!/bin/sh\n", 0644);
    kit_file(path, z->dir, "garbage", "not a program\n", 0755);
    kit_file(path, z->dir, "orphaned", "#!/nonexistent/interpreter\n", 0755);
    kit_path(path, "%s/loop", z->dir);
    assert_int_equal(symlink("loop", path), 0);
    for (const char *const *name = (const char *const[]){"bin", "empty", "denied", NULL}; *name != NULL; name++) {
        kit_path(path, "%s/%s", z->dir, *name);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    kit_path(path, "%s/bin/probe", z->dir);
    assert_int_equal(symlink(self, path), 0);
    kit_file(path, z->dir, "denied/probe", "#!/bin/sh\n", 0644);
    kit_file(path, z->dir, "busy", "#!/bin/sh\n", 0755);
    z->busy_fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_not_equal(z->busy_fd, -1);
    *state = z;
    return 0;
}

static int remove_zoo(void **state)
{
    struct zoo *z = *state;
    close(z->busy_fd);
    kit_remove(z->dir);
    free(z);
    return 0;
}

/* Starts REQ, which must fail at STEP with ERRNUM; the text goes to TEXT. */
static void assert_fails(const struct spawn_request *req, enum spawn_step step, int errnum, char *text)
{
    struct spawn_child child;
    struct spawn_failure failure = {0};
    struct err e = {0};

    assert_true(spawn_start(req, &child, &e));
    assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_FAILED);
    assert_int_equal(failure.step, step);
    assert_int_equal(failure.errnum, errnum);
    assert_int_equal(kit_wait(child.pid), step == SPAWN_STEP_EXEC && errnum == ENOENT ? 127 : 126);
    spawn_kit_close(&child);
    assert_ptr_equal(spawn_failure_text(req, &failure, text, TEXT_MAX), text);
}

/* Starts REQ, which must run and end with 0. */
static void assert_runs(const struct spawn_request *req)
{
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    if (!spawn_start(req, &child, &e))
        fail_msg("%s", e.text);
    assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
    assert_int_equal(kit_wait(child.pid), 0);
    spawn_kit_close(&child);
}

static void failures_are_exact(void **state)
{
    const struct zoo *z = *state;
    static const struct {
        const char *program; /* with %s: the zoo */
        int errnum;
        const char *text; /* with %s: the program */
    } cases[] = {
        {"/nonexistent/prog", ENOENT, "exec %s: No such file or directory"},
        {"%s/orphaned", ENOENT, "exec %s: No such file or directory"},
        {"", ENOENT, "exec %s: No such file or directory"},
        {"%s/plain", EACCES, "exec %s: Permission denied"},
        {"%s/empty", EACCES, "exec %s: Permission denied"},
        {"%s/garbage", ENOEXEC, "exec %s: Exec format error (does it begin with #!?)"},
        {"%s/plain/prog", ENOTDIR, "exec %s: Not a directory"},
        {"%s/loop", ELOOP, "exec %s: Too many levels of symbolic links"},
        {"foster-no-such-program", ENOENT,
         "exec %s: No such file or directory (not found in PATH /nonexistent:/usr/bin)"},
    };
    char *envp[] = {(char *)"A=1", (char *)"PATH=/nonexistent:/usr/bin", NULL};
    size_t n_fds = kit_count_fds();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char program[KIT_PATH_MAX], text[TEXT_MAX], want[TEXT_MAX];
        const char *hole = strstr(cases[i].program, "%s");
        kit_path(program, "%s%s", hole != NULL ? z->dir : "", hole != NULL ? hole + 2 : cases[i].program);
        char *argv[] = {program, NULL};
        struct spawn_request req = {.argv = argv, .envp = envp, .umask = -1, .stdio = {-1, -1, -1}};
        assert_fails(&req, SPAWN_STEP_EXEC, cases[i].errnum, text);
        hole = strstr(cases[i].text, "%s");
        snprintf(want, sizeof want, "%.*s%s%s", (int)(hole - cases[i].text), cases[i].text, program, hole + 2);
        assert_string_equal(text, want);
    }
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
}

static void too_much_is_told(void **state UNUSED)
{
    char text[TEXT_MAX];
    size_t len = 33 * (size_t)sysconf(_SC_PAGESIZE); /* the kernel takes 32 pages */
    char *big = calloc(len + 1, 1);
    assert_non_null(big);
    memset(big, 'a', len);

    char *argv[] = {(char *)"/bin/true", big, NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}};
    assert_fails(&req, SPAWN_STEP_EXEC, E2BIG, text);
    assert_string_equal(text, "exec /bin/true: Argument list too long");

    big[5000] = '\0';
    argv[0] = big;
    argv[1] = NULL;
    assert_fails(&req, SPAWN_STEP_EXEC, ENAMETOOLONG, text);
    free(big);
}

static void busy_text_is_told(void **state)
{
    const struct zoo *z = *state;
    char program[KIT_PATH_MAX], text[TEXT_MAX];
    kit_path(program, "%s/busy", z->dir);
    char *argv[] = {program, NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}};
    struct spawn_child child;
    struct spawn_failure failure = {0};
    struct err e = {0};

    assert_true(spawn_start(&req, &child, &e));
    if (spawn_kit_verdict(&child, &failure) == SPAWN_EXECED) {
        kit_skip("ETXTBSY", "this kernel executes files that are open for writing");
    } else {
        assert_int_equal(failure.step, SPAWN_STEP_EXEC);
        assert_int_equal(failure.errnum, ETXTBSY);
        spawn_failure_text(&req, &failure, text, sizeof text);
        assert_non_null(strstr(text, "/busy: Text file busy"));
    }
    kit_wait(child.pid);
    spawn_kit_close(&child);
}

static void working_dir_failures(void **state)
{
    const struct zoo *z = *state;
    static const struct {
        const char *dir;
        int errnum;
        const char *why;
    } cases[] = {
        {"/missing", ENOENT, "No such file or directory"},
        {"/plain", ENOTDIR, "Not a directory"},
        {"/loop", ELOOP, "Too many levels of symbolic links"},
    };
    char *argv[] = {(char *)"/bin/true", NULL};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char dir[KIT_PATH_MAX], text[TEXT_MAX], want[TEXT_MAX];
        kit_path(dir, "%s%s", z->dir, cases[i].dir);
        struct spawn_request req = {
            .argv = argv, .envp = no_env, .working_dir = dir, .umask = -1, .stdio = {-1, -1, -1}};
        assert_fails(&req, SPAWN_STEP_WORKING_DIR, cases[i].errnum, text);
        snprintf(want, sizeof want, "working_dir %s: %s", dir, cases[i].why);
        assert_string_equal(text, want);
    }
}

/* A directory that the parent has open must not be a way out: it is closed before the working directory is set. */
static void left_over_directory_is_no_way_out(void **state UNUSED)
{
    char dir[64], text[TEXT_MAX];
    char *argv[] = {(char *)"/bin/true", NULL};
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_not_equal(fd, -1);
    kit_path(dir, "/proc/self/fd/%d", fd);
    struct spawn_request req = {.argv = argv, .envp = no_env, .working_dir = dir, .umask = -1, .stdio = {-1, -1, -1}};
    assert_fails(&req, SPAWN_STEP_WORKING_DIR, ENOENT, text);
    close(fd);
}

static void closed_stdio_is_told(void **state UNUSED)
{
    char text[TEXT_MAX];
    char *argv[] = {(char *)"/bin/true", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, 987, -1}};
    assert_fails(&req, SPAWN_STEP_STDIO, EBADF, text);
    assert_string_equal(text, "stdio: Bad file descriptor");
}

/* In a root directory without /dev, and with a working directory that lies outside of it. */
static void changed_root(void *arg)
{
    const struct zoo *z = arg;
    char text[TEXT_MAX];
    char *argv[] = {(char *)"/bin/true", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, 1, 2}};

    if (geteuid() != 0)
        REQUIRE(unshare(CLONE_NEWUSER) == 0);
    REQUIRE(chdir("/") == 0 && chroot(z->dir) == 0);
    for (int i = 0; i < 2; i++) {
        struct spawn_child child;
        struct spawn_failure failure;
        struct err e = {0};
        REQUIRE(spawn_start(&req, &child, &e));
        REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_FAILED);
        spawn_failure_text(&req, &failure, text, sizeof text);
        REQUIRE(strcmp(text, i == 0 ? "stdio /dev/null: No such file or directory"
                                    : "working_dir .: No such file or directory") == 0);
        REQUIRE(waitpid(child.pid, NULL, 0) == child.pid);
        req.stdio[0] = 0;
        req.working_dir = ".";
    }
}

static void try_user_namespace(void *arg UNUSED)
{
    if (unshare(CLONE_NEWUSER) != 0)
        _exit(1);
}

static void working_dir_outside_the_root_is_refused(void **state)
{
    if (geteuid() != 0 && !kit_isolated(try_user_namespace, NULL)) {
        kit_skip("unreachable working directory", "needs root or user namespaces");
        return;
    }
    assert_true(kit_isolated(changed_root, *state));
}

/* ------------------------------------------------------------------ looking for the program */

static void program_is_looked_for_in_path(void **state)
{
    const struct zoo *z = *state;
    static const struct {
        const char *path; /* each @ is the zoo; NULL: no PATH */
        const char *program;
        const char *working_dir; /* below the zoo; NULL: none */
        int errnum;              /* 0: it runs */
    } cases[] = {
        {"PATH=@/bin", "probe", NULL, 0},
        {"PATH=@/bin/", "probe", NULL, 0},
        {"PATH=@/empty:@/bin", "probe", NULL, 0},
        {"PATH=@/plain:@/bin", "probe", NULL, 0}, /* a file among the directories */
        {"PATH=@/denied:@/bin", "probe", NULL, 0},
        {"PATH=@/denied:@/empty", "probe", NULL, EACCES},
        {"PATH=@/empty:@/denied", "probe", NULL, EACCES},
        {"PATH=@/empty:@/plain", "probe", NULL, ENOENT},
        {"PATH=@/plain", "probe", NULL, ENOTDIR},
        {"PATH=@/loop:@/bin", "probe", NULL, ELOOP},
        {"PATH=", "probe", "/bin", 0}, /* an empty directory is the working directory */
        {"PATH=@/empty:", "probe", "/bin", 0},
        {"PATH=:@/empty", "probe", "/bin", 0},
        {"PATH=@/empty", "probe", "/bin", ENOENT},
        {"PATH=bin", "probe", "/", 0}, /* relative to the working directory */
        {"PATH=@/empty", "./probe", "/bin", 0},
        {"PATH=@/bin", "bin/probe", NULL, ENOENT}, /* a slash: not looked for */
        {"PATHS=@/bin", "probe", NULL, ENOENT},
        {NULL, "true", NULL, 0}, /* the default path */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[KIT_PATH_MAX] = "", dir[KIT_PATH_MAX], text[TEXT_MAX];
        for (const char *c = cases[i].path; c != NULL && *c != '\0'; c++) {
            size_t len = strlen(path);
            snprintf(path + len, sizeof path - len, *c == '@' ? "%s" : "%.1s", *c == '@' ? z->dir : c);
        }
        kit_path(dir, "%s%s", z->dir, cases[i].working_dir != NULL ? cases[i].working_dir : "");
        char *argv[] = {(char *)cases[i].program, (char *)"nothing", NULL};
        char *envp[] = {cases[i].path != NULL ? path : NULL, NULL};
        struct spawn_request req = {.argv = argv,
                                    .envp = envp,
                                    .working_dir = cases[i].working_dir != NULL ? dir : NULL,
                                    .umask = -1,
                                    .stdio = {-1, -1, -1}};
        print_message("case %zu: %s %s\n", i, cases[i].path, cases[i].program);
        if (cases[i].errnum != 0)
            assert_fails(&req, SPAWN_STEP_EXEC, cases[i].errnum, text);
        else
            assert_runs(&req);
    }
    assert_true(kit_has_no_children());
}

/* An environment with a PATH of LEN times ":" and then TAIL. */
static char *long_path(size_t len, const char *element, const char *tail)
{
    size_t element_len = strlen(element), size = 5 + len * element_len + strlen(tail) + 1;
    char *path = malloc(size);
    assert_non_null(path);
    memcpy(path, "PATH=", 5);
    for (size_t i = 0; i < len; i++)
        memcpy(path + 5 + i * element_len, element, element_len);
    memcpy(path + 5 + len * element_len, tail, strlen(tail) + 1);
    return path;
}

static void long_paths(void **state)
{
    const struct zoo *z = *state;
    char tail[KIT_PATH_MAX];
    char *argv[] = {(char *)"probe", (char *)"nothing", NULL};
    struct spawn_child child;
    struct err e = {0};
    size_t n_fds = kit_count_fds();

    /* One directory that is longer than any path is passed over. */
    kit_path(tail, ":%s/bin", z->dir);
    char *envp[] = {long_path(PATH_MAX + 1, "x", tail), NULL};
    struct spawn_request req = {.argv = argv, .envp = envp, .umask = -1, .stdio = {-1, -1, -1}};
    assert_runs(&req);
    free(envp[0]);

    /* More than can be looked at is refused before anything is started. */
    envp[0] = long_path(400000, "x:", "");
    assert_false(spawn_start(&req, &child, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_string_equal(e.text, "PATH has too many directories");
    free(envp[0]);
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
}

/* ------------------------------------------------------------------ the status pipe */

static void status_pipe_is_read_with_care(void **state UNUSED)
{
    const struct spawn_failure good = {.step = SPAWN_STEP_TAG, .errnum = EPERM, .detail = 7};
    const struct spawn_failure bad_step = {.step = SPAWN_STEP_N, .errnum = EPERM};
    static const struct spawn_failure untouched = {.step = SPAWN_STEP_UMASK, .errnum = 4711};
    const struct {
        const void *data;
        size_t len;
        enum spawn_verdict verdict;
        struct spawn_failure want;
    } cases[] = {
        {&good, sizeof good, SPAWN_FAILED, good},
        {&good, 1, SPAWN_FAILED, {SPAWN_STEP_EXEC, EPROTO, SPAWN_NO_DETAIL}},
        {&bad_step, sizeof bad_step, SPAWN_FAILED, {SPAWN_STEP_EXEC, EPROTO, SPAWN_NO_DETAIL}},
        {NULL, 0, SPAWN_EXECED, untouched},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spawn_failure failure = untouched;
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        assert_int_equal(spawn_status(ends[0], &failure), SPAWN_PENDING);
        if (cases[i].len > 0)
            assert_int_equal(write(ends[1], cases[i].data, cases[i].len), (ssize_t)cases[i].len);
        close(ends[1]);
        assert_int_equal(spawn_status(ends[0], &failure), cases[i].verdict);
        assert_int_equal(failure.step, cases[i].want.step);
        assert_int_equal(failure.errnum, cases[i].want.errnum);
        assert_int_equal(failure.detail, cases[i].want.detail);
        close(ends[0]);
    }
    struct spawn_failure failure = untouched;
    assert_int_equal(spawn_status(-1, &failure), SPAWN_EXECED);
    assert_int_equal(failure.errnum, untouched.errnum);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return 0; /* the program that is found */
    if (kit_under_valgrind()) {
        kit_skip("spawn", "valgrind does not survive an execve that fails, and has limits of its own");
        return 77;
    }
    if (realpath(argv[0], self) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failures_are_exact, make_zoo, remove_zoo),
        cmocka_unit_test(too_much_is_told),
        cmocka_unit_test_setup_teardown(busy_text_is_told, make_zoo, remove_zoo),
        cmocka_unit_test_setup_teardown(working_dir_failures, make_zoo, remove_zoo),
        cmocka_unit_test(left_over_directory_is_no_way_out),
        cmocka_unit_test(closed_stdio_is_told),
        cmocka_unit_test_setup_teardown(working_dir_outside_the_root_is_refused, make_zoo, remove_zoo),
        cmocka_unit_test_setup_teardown(program_is_looked_for_in_path, make_zoo, remove_zoo),
        cmocka_unit_test_setup_teardown(long_paths, make_zoo, remove_zoo),
        cmocka_unit_test(status_pipe_is_read_with_care),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
