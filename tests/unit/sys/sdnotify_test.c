/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Against a real datagram socket: what arrives, what is taken from the environment, and that nothing ever blocks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/sdnotify.h"

#include "unit/sys/kit.h"

static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};

static void set_env(const char *socket_name, const char *usec, const char *pid)
{
    const char *values[] = {socket_name, usec, pid};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (values[i] == NULL)
            assert_int_equal(unsetenv(variables[i]), 0);
        else
            assert_int_equal(setenv(variables[i], values[i], 1), 0);
    }
}

static void assert_env_is_clean(void)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        assert_null(getenv(variables[i]));
}

/* A receiver bound to the path or, with '@', to the abstract name NAME. */
static int receiver(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_not_equal(fd, -1);
    assert_true(len < sizeof at.sun_path);
    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, size), 0);
    return fd;
}

static void assert_received(int fd, const char *want)
{
    char text[2048];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    assert_int_equal(n, (ssize_t)strlen(want));
    text[n] = '\0';
    assert_string_equal(text, want);
}

static void messages_arrive(void **state UNUSED)
{
    char dir[KIT_PATH_MAX], names[2][KIT_PATH_MAX];
    size_t n_fds = kit_count_fds();

    kit_make_dir(dir);
    kit_path(names[0], "%s/notify", dir);
    kit_path(names[1], "@%s", dir); /* as unique as the directory */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct sdnotify n;
        struct err e = {0};
        int fd = receiver(names[i]);
        set_env(names[i], NULL, NULL);
        assert_true(sdnotify_open(&n, &e));
        assert_env_is_clean();
        assert_int_equal(n.watchdog_ms, 0);
        assert_int_equal(fcntl(n.fd, F_GETFD), FD_CLOEXEC);
        sdnotify_send(&n, "READY=1\nSTATUS=%d services", 3);
        assert_received(fd, "READY=1\nSTATUS=3 services");
        sdnotify_send(&n, "WATCHDOG=1");
        assert_received(fd, "WATCHDOG=1");
        assert_int_equal(n.n_failed, 0);
        sdnotify_done(&n);
        assert_int_equal(n.fd, -1);
        sdnotify_done(&n);
        close(fd);
    }
    kit_remove(dir);
    assert_int_equal(kit_count_fds(), n_fds);
}

static void nobody_wants_to_hear(void **state UNUSED)
{
    struct sdnotify n;
    struct err e = {0};
    set_env(NULL, "1000000", NULL);
    assert_true(sdnotify_open(&n, &e));
    assert_env_is_clean();
    assert_int_equal(n.fd, -1);
    assert_int_equal(n.watchdog_ms, 0);
    sdnotify_send(&n, "READY=1");
    assert_int_equal(n.n_failed, 0);
    sdnotify_done(&n);
}

static void names_that_cannot_be_used(void **state UNUSED)
{
    char longest[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 2];
    static const struct {
        const char *name;
        const char *text;
    } cases[] = {
        {"", "NOTIFY_SOCKET is neither a path nor an abstract name"},
        {"run/notify", "NOTIFY_SOCKET is neither a path nor an abstract name"},
        {"vsock:2:1234", "NOTIFY_SOCKET is neither a path nor an abstract name"},
        {"/", "NOTIFY_SOCKET is empty"},
        {"@", "NOTIFY_SOCKET is empty"},
    };
    struct sdnotify n;
    struct err e = {0};
    size_t n_fds = kit_count_fds();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        set_env(cases[i].name, "1000000", "1");
        assert_false(sdnotify_open(&n, &e));
        assert_int_equal(e.kind, ERR_INPUT);
        assert_string_equal(e.text, cases[i].text);
        assert_int_equal(n.fd, -1);
        assert_env_is_clean();
    }
    /* A path needs one byte more than an abstract name. */
    for (size_t len = sizeof longest - 4; len < sizeof longest; len++) {
        for (const char *kind = "/@"; *kind != '\0'; kind++) {
            size_t room = sizeof n.to.sun_path - (*kind == '/');
            memset(longest, 'x', len);
            longest[len] = '\0';
            longest[0] = *kind;
            set_env(longest, NULL, NULL);
            assert_int_equal(sdnotify_open(&n, &e), len <= room);
            sdnotify_done(&n);
        }
    }
    assert_string_equal(e.text, "NOTIFY_SOCKET is too long");
    assert_int_equal(kit_count_fds(), n_fds);
}

static void watchdog_is_read(void **state UNUSED)
{
    char own_pid[16];
    snprintf(own_pid, sizeof own_pid, "%d", (int)getpid());
    const struct {
        const char *usec;
        const char *pid;
        int64_t ms;
    } cases[] = {
        {"30000000", NULL, 30000},
        {"30000000", own_pid, 30000},
        {"30000000", "1", 0},
        {"30000000", "me", 0},
        {"1500", NULL, 1},
        {"1", NULL, 1},
        {"0", NULL, 0},
        {"-5", NULL, 0},
        {"soon", NULL, 0},
        {"", NULL, 0},
        {NULL, own_pid, 0},
        {"99999999999999999999", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sdnotify n;
        struct err e = {0};
        set_env("@foster-nobody-listens-here", cases[i].usec, cases[i].pid);
        assert_true(sdnotify_open(&n, &e));
        assert_int_equal(n.watchdog_ms, cases[i].ms);
        assert_env_is_clean();
        sdnotify_done(&n);
    }
}

static void what_cannot_be_sent_is_counted(void **state UNUSED)
{
    enum { N_MESSAGES = 100000 }; /* more than any queue of a socket holds */
    char dir[KIT_PATH_MAX], name[KIT_PATH_MAX], big[1026];
    struct sdnotify n;
    struct err e = {0};

    kit_path(name, "%s/notify", kit_make_dir(dir));
    set_env(name, NULL, NULL);
    assert_true(sdnotify_open(&n, &e));
    sdnotify_send(&n, "READY=1"); /* nobody is there */
    assert_int_equal(n.n_failed, 1);

    int fd = receiver(name);
    memset(big, 'x', sizeof big - 1);
    big[1025] = '\0';
    sdnotify_send(&n, "%s", big); /* a byte too long */
    assert_int_equal(n.n_failed, 2);
    sdnotify_send(&n, "%s", big + 1);
    assert_int_equal(n.n_failed, 2);
    assert_received(fd, big + 1);

    size_t n_sent = 0;
    while (n.n_failed == 2 && n_sent++ < N_MESSAGES)
        sdnotify_send(&n, "WATCHDOG=1");
    assert_int_equal(n.n_failed, 3); /* the queue is full, and we are still here */
    close(fd);
    sdnotify_send(&n, "WATCHDOG=1"); /* no SIGPIPE */
    assert_int_equal(n.n_failed, 4);
    sdnotify_done(&n);
    kit_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive),
        cmocka_unit_test(nobody_wants_to_hear),
        cmocka_unit_test(names_that_cannot_be_used),
        cmocka_unit_test(watchdog_is_read),
        cmocka_unit_test(what_cannot_be_sent_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
