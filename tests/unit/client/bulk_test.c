/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A daemon in a process of its own, for what does not fit into a socket: long lines, lines without end, a call that has
 * to wait.
 */
#include "unit/client/kit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { PIECE = 1 << 20 };

/* The daemon's end in the child. */
static void say_or_leave(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0)
            _exit(0); /* whoever has heard enough hangs up */
        data += n;
        len -= (size_t)n;
    }
}

/* Starts a daemon that hears one line, says BEFORE, then N times MiB of 'x', then AFTER, and closes. */
static pid_t start(struct kit *k, const char *before, size_t n, const char *after)
{
    kit_listen(k);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        struct foster_error e;
        k->f = foster_connect(k->path, &e);
        assert_non_null(k->f);
        return pid;
    }
    static char piece[PIECE];
    char c = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    while (c != '\n')
        if (recv(fd, &c, 1, 0) != 1)
            _exit(1);
    memset(piece, 'x', sizeof piece);
    say_or_leave(fd, before, strlen(before));
    for (size_t i = 0; i < n; i++)
        say_or_leave(fd, piece, sizeof piece);
    say_or_leave(fd, after, strlen(after));
    _exit(0);
}

static void end(struct kit *k, pid_t pid)
{
    int status;
    kit_done(k);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_call_waits_for_its_reply(void **state)
{
    struct kit k;
    struct foster_error e;
    (void)state;
    pid_t pid = start(&k, "{\"id\":1,\"result\":\"soon\"}", 0, "\n");
    char *result = foster_call(k.f, "m", NULL, -1, NULL, &e);
    assert_non_null(result);
    assert_string_equal(result, "\"soon\"");
    free(result);
    end(&k, pid);
}

static void a_long_line_is_a_line(void **state)
{
    enum { MIB = 20 };
    struct kit k;
    struct foster_error e;
    (void)state;
    pid_t pid = start(&k, "{\"method\":\"first\"}\n{\"id\":1,\"result\":\"", MIB, "\"}\n");
    char *result = foster_call(k.f, "m", "{}", KIT_GUARD_MS, NULL, &e);
    if (result == NULL)
        fail_msg("%s", e.text);
    assert_int_equal(strlen(result), MIB * PIECE + 2);
    assert_int_equal(strspn(result + 1, "x"), MIB * PIECE);
    free(result);
    end(&k, pid);
}

static void a_line_without_end_is_given_up(void **state)
{
    struct kit k;
    struct foster_error e;
    (void)state;
    pid_t pid = start(&k, "", 80, "\n");
    assert_null(foster_call(k.f, "m", NULL, KIT_GUARD_MS, NULL, &e));
    assert_int_equal(e.kind, FOSTER_ERR_PROTOCOL);
    assert_non_null(strstr(e.text, "does not end"));
    end(&k, pid);
}

static void a_daemon_that_dies_ends_the_wait(void **state)
{
    struct kit k;
    struct foster_error e;
    (void)state;
    pid_t pid = start(&k, "{\"method\":\"first\"}\n", 0, "");
    assert_null(foster_call(k.f, "m", NULL, -1, NULL, &e));
    assert_int_equal(e.kind, FOSTER_ERR_CLOSED);
    end(&k, pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_waits_for_its_reply),
        cmocka_unit_test(a_long_line_is_a_line),
        cmocka_unit_test(a_line_without_end_is_given_up),
        cmocka_unit_test(a_daemon_that_dies_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
