/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The event loop: always the backend we asked for, and alive after failures that libev by itself ends
 * the process for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "logger/loop.h"

#include "unit/daemon/rig.h"

#include <sys/syscall.h>

/* The kernel's own headers are not there everywhere (musl). */
#if __has_include(<linux/seccomp.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif

static int block_sigchld(void **state)
{
    sigset_t mask;
    (void)state;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    return sigprocmask(SIG_BLOCK, &mask, NULL);
}

static int end(void **state)
{
    unsetenv("LIBEV_FLAGS");
    rig_close_loop(state);
    return rig_end(state);
}

static void open_loop(void)
{
    struct err e = {0};
    rig.loop = loop_new(&e);
    assert_non_null(rig.loop);
    assert_int_equal(e.kind, ERR_NONE);
}

static void note(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    ++*(int *)w->data;
}

static bool is_set(void *data)
{
    return *(int *)data > 0;
}

/* The loop tells of a pipe that becomes readable. */
static void assert_works(void)
{
    int fds[2];
    int n = 0;
    struct ev_io io;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    ev_io_init(&io, note, fds[0], EV_READ);
    io.data = &n;
    ev_io_start(rig.loop, &io);
    rig_turns(2);
    assert_int_equal(n, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    rig_run_until(is_set, &n);
    ev_io_stop(rig.loop, &io);
    close(fds[0]);
    close(fds[1]);
}

static void the_environment_has_no_influence(void **state)
{
    static const char *const flags[] = {"1", "2", "8", "255", "0", "nonsense", NULL};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (flags[i] != NULL)
            assert_int_equal(setenv("LIBEV_FLAGS", flags[i], 1), 0);
        else
            unsetenv("LIBEV_FLAGS");
        open_loop();
        assert_int_equal(ev_backend(rig.loop), EVBACKEND_EPOLL);
        assert_true(ev_is_default_loop(rig.loop));
        assert_works();
        rig_close_loop(NULL);
    }
}

static void its_descriptors_are_not_inherited(void **state)
{
    (void)state;
    open_loop();
    assert_works();
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        char path[64], what[128];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = flags < 0 ? -1 : readlink(path, what, sizeof what - 1);
        if (n > 0 && strncmp(what, "anon_inode:", 11) == 0)
            assert_int_equal(flags & FD_CLOEXEC, FD_CLOEXEC);
    }
}

/* SIGCHLD stays ours: libev's own handler must not take it. */
static void sigchld_stays_blocked(void **state)
{
    sigset_t mask;
    (void)state;
    open_loop();
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    assert_int_equal(sigismember(&mask, SIGCHLD), 1);
}

static int epoll_fd(void)
{
    for (int fd = 3; fd < 256; fd++) {
        char path[64], what[128] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, what, sizeof what - 1) > 0 && strstr(what, "[eventpoll]") != NULL)
            return fd;
    }
    return -1;
}

static void a_failing_call_is_logged_and_survived(void **state)
{
    (void)state;
    open_loop();
    assert_works();
    rig_catch_log(LOG_LEVEL_INFO);
    int fd = epoll_fd();
    assert_true(fd >= 0);
    /* Something else in its place: waiting on that fails. */
    assert_int_equal(dup3(rig.log_fd[0], fd, O_CLOEXEC), fd);
    rig_turns(1);
    assert_int_equal(rig_count(rig_log(), "event loop:"), 1);
    assert_int_equal(rig_count(rig_log(), "epoll_wait"), 1);
    assert_int_equal(rig_count(rig_log(), "Invalid argument"), 1);
    ev_loop_fork(rig.loop);
    assert_works();
    assert_int_equal(rig_count(rig_log(), "\n"), 1);
}

static void can_be_made_and_freed_again(void **state)
{
    int n = rig_fds();
    (void)state;
    loop_free(NULL);
    for (int i = 0; i < 3; i++) {
        open_loop();
        assert_works();
        rig_close_loop(NULL);
        assert_int_equal(rig_fds(), n);
    }
}

/* Lets the kernel answer EPERM to epoll_create, as the filter of a strict container may. */
static bool refuse_epoll(void)
{
#ifdef SECCOMP_RET_ERRNO
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_create1, 1, 0),
#ifdef SYS_epoll_create
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_create, 0, 1),
#else
        BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
#endif
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
    return false;
#endif
}

static int loop_without_epoll(void *data)
{
    struct err e = {0};
    int fds[2];
    int n = 0;
    struct ev_io io;
    (void)data;
    if (!refuse_epoll())
        return 77;
    struct ev_loop *loop = loop_new(&e);
    if (loop == NULL || ev_backend(loop) != EVBACKEND_POLL || pipe(fds) != 0 || write(fds[1], "x", 1) != 1)
        return 1;
    ev_io_init(&io, note, fds[0], EV_READ);
    io.data = &n;
    ev_io_start(loop, &io);
    ev_run(loop, EVRUN_NOWAIT);
    ev_io_stop(loop, &io);
    loop_free(loop);
    return n == 1 ? 0 : 2;
}

static void poll_does_where_epoll_is_refused(void **state)
{
    (void)state;
    int status = rig_reap(rig_fork(loop_without_epoll, NULL));
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_environment_has_no_influence),
        TEST(its_descriptors_are_not_inherited),
        TEST(sigchld_stays_blocked),
        TEST(a_failing_call_is_logged_and_survived),
        TEST(can_be_made_and_freed_again),
        TEST(poll_does_where_epoll_is_refused),
    };

    return cmocka_run_group_tests(tests, block_sigchld, NULL);
}
