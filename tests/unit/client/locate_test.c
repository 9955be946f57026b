/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Which socket is meant, and what is said when nobody is there.
 */
#include "unit/client/kit.h"

#include "base/runtime.h"

#include <sys/stat.h>
#include <sys/wait.h>

static const char *const variables[] = {"FOSTER_SOCKET", "FOSTER_RUNTIME_DIR", "XDG_RUNTIME_DIR"};

/* The variables become VALUES; NULL: unset. */
static void set_env(const char *socket, const char *own, const char *session)
{
    const char *values[] = {socket, own, session};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        assert_int_equal(values[i] != NULL ? setenv(variables[i], values[i], 1) : unsetenv(variables[i]), 0);
}

static void assert_finds(const struct kit *k, const char *path)
{
    struct foster_error e;
    struct foster *f = foster_connect(path, &e);
    if (f == NULL)
        fail_msg("%s", e.text);
    assert_string_equal(foster_path(f), k->path);
    foster_free(f);
}

static void assert_finds_nobody(const char *path, int errnum, const char *words)
{
    struct foster_error e;
    assert_null(foster_connect(path, &e));
    assert_int_equal(e.kind, FOSTER_ERR_NO_DAEMON);
    if (e.errnum != errnum || strstr(e.text, words) == NULL)
        fail_msg("errno %d: %s", e.errnum, e.text);
    assert_non_null(strstr(e.text, "; "));
    assert_non_null(strstr(e.text, "with FOSTER_SOCKET"));
}

static void the_path_comes_before_the_variables(void **state)
{
    struct kit k;
    (void)state;
    kit_listen(&k);
    set_env("/nowhere", "/nowhere", "/nowhere");
    assert_finds(&k, k.path);
    set_env(k.path, "/nowhere", "/nowhere");
    assert_finds(&k, NULL);
    assert_finds_nobody("/nowhere", ENOENT, "nobody listens at /nowhere (");
    set_env(NULL, k.dir, "/nowhere");
    assert_finds(&k, NULL);
    set_env("", k.dir, "/nowhere");
    assert_finds(&k, NULL);
    set_env(NULL, NULL, NULL);
    kit_done(&k);
}

static void why_nobody_is_there(void **state)
{
    struct kit k;
    char path[KIT_PATH_MAX + 16], too_long[RUNTIME_PATH_MAX + 2];
    (void)state;
    kit_listen(&k);
    set_env(NULL, NULL, NULL);
    snprintf(path, sizeof path, "%s/none", k.dir);
    assert_finds_nobody(path, ENOENT, "start fosterd");
    snprintf(path, sizeof path, "%s/none", k.path);
    assert_finds_nobody(path, ENOTDIR, "nobody listens at");
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    assert_finds_nobody(too_long, ENAMETOOLONG, "1 to 107 bytes, not 108");
    shutdown(k.listen_fd, SHUT_RDWR);
    assert_finds_nobody(k.path, ECONNREFUSED, "nobody listens at");
    kit_done(&k);
}

/* The machine's fosterd is the second choice; whether there is one here is not ours to say. */
static void the_machines_is_asked_too(void **state)
{
    struct kit k;
    struct foster_error e;
    (void)state;
    kit_listen(&k);
    char own[KIT_PATH_MAX + 16];
    snprintf(own, sizeof own, "%s/empty", k.dir);
    set_env(NULL, own, NULL);
    struct foster *f = foster_connect(NULL, &e);
    if (f != NULL)
        assert_string_equal(foster_path(f), RUNTIME_SYSTEM_DIR "/" RUNTIME_SOCKET);
    else
        assert_non_null(strstr(e.text, RUNTIME_SYSTEM_DIR "/" RUNTIME_SOCKET));
    if (f == NULL && e.errnum == ENOENT)
        assert_non_null(strstr(e.text, own));
    foster_free(f);
    kit_done(&k);
}

static void a_directory_that_is_too_deep(void **state)
{
    char dir[RUNTIME_PATH_MAX + 8];
    (void)state;
    memset(dir, 'd', sizeof dir);
    dir[0] = '/';
    dir[RUNTIME_PATH_MAX - 4] = '\0';
    set_env(NULL, dir, NULL);
    assert_finds_nobody(NULL, ENAMETOOLONG, "set FOSTER_RUNTIME_DIR");
    set_env(NULL, NULL, NULL);
}

/* Runs CHECK as a user that nobody else is, with its directory in /tmp as DIR; it fails there as it would here. */
static void as_a_user(void (*check)(const char *dir))
{
    char dir[64];
    uid_t uid = 1000000000U + (uid_t)getpid();
    int status;
    if (geteuid() != 0) {
        print_message("SKIP: becoming another user takes root\n");
        skip();
    }
    snprintf(dir, sizeof dir, "/tmp/foster-%lu", (unsigned long)uid);
    set_env(NULL, NULL, NULL);
    assert_int_equal(mkdir(dir, 0700), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setresuid(uid, uid, uid) != 0)
            _exit(2);
        check(dir);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(status, 0);
}

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                     \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static void check_foreign_directory(const char *dir)
{
    struct foster_error e;
    REQUIRE(foster_connect(NULL, &e) == NULL);
    REQUIRE(e.kind == FOSTER_ERR_NO_DAEMON && e.errnum == EPERM);
    REQUIRE(strncmp(e.text, dir, strlen(dir)) == 0);
    REQUIRE(strstr(e.text, "only you can write to") != NULL);
}

static void somebody_elses_directory_is_not_trusted(void **state)
{
    (void)state;
    as_a_user(check_foreign_directory);
}

static struct kit shut;

static void check_no_permission(const char *dir)
{
    struct foster_error e;
    (void)dir;
    REQUIRE(foster_connect(shut.path, &e) == NULL);
    REQUIRE(e.kind == FOSTER_ERR_NO_DAEMON && e.errnum == EACCES);
    REQUIRE(strstr(e.text, "no permission to connect to") != NULL && strstr(e.text, shut.path) != NULL);
}

static void a_socket_of_somebody_else(void **state)
{
    (void)state;
    if (geteuid() == 0)
        kit_listen(&shut);
    as_a_user(check_no_permission);
    kit_done(&shut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_comes_before_the_variables),
        cmocka_unit_test(why_nobody_is_there),
        cmocka_unit_test(the_machines_is_asked_too),
        cmocka_unit_test(a_directory_that_is_too_deep),
        cmocka_unit_test(somebody_elses_directory_is_not_trusted),
        cmocka_unit_test(a_socket_of_somebody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
