/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Asking what works: right answers on this kernel, and nothing is changed by asking.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/probe.h"

#include "unit/sys/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void calls_are_tried_without_effect(void **state)
{
    size_t n_fds = kit_count_fds();
    (void)state;
    for (enum probe_call call = 0; call < PROBE_CALL_N; call++) {
        int errnum = probe_call(call);
        /* What a kernel does not know it says so, and what a filter refuses fails with EPERM. */
        if (errnum != 0 && errnum != ENOSYS && errnum != EPERM && errnum != EINVAL)
            fail_msg("call %d: %s", (int)call, strerror(errnum));
    }
    assert_int_equal(kit_count_fds(), n_fds);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(probe_call(PROBE_CALL_N), EINVAL);
    assert_int_equal(probe_call(PROBE_SIGNALFD), 0);
}

/* What works for us by hand is found to work. */
static void answers_agree_with_the_kernel(void **state)
{
    (void)state;
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    assert_int_equal(probe_call(PROBE_PIDFD_OPEN) == 0, fd >= 0);
    if (fd < 0) {
        print_message("SKIP: this kernel has no pidfds\n");
        skip();
    }
    assert_int_equal(probe_call(PROBE_PIDFD_SEND_SIGNAL), 0);
    close(fd);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    siginfo_t info;
    int r = waitid((idtype_t)3, (id_t)fd, &info, WEXITED);
    assert_int_equal(probe_call(PROBE_WAITID_PIDFD) == 0, r == 0);
    close(fd);
    if (r != 0)
        waitpid(pid, NULL, 0);
}

static void streams(void **state)
{
    int pipe_fds[2], sockets[2];
    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(probe_stream(pipe_fds[1]), PROBE_STREAM_PIPE);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    assert_int_equal(probe_stream(pipe_fds[1]), PROBE_STREAM_CLOSED);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    assert_int_equal(probe_stream(sockets[0]), PROBE_STREAM_SOCKET);
    close(sockets[0]);
    close(sockets[1]);
    static const struct {
        const char *path;
        enum probe_stream stream;
    } cases[] = {
        {"/dev/null", PROBE_STREAM_NULL},
        {"/dev/zero", PROBE_STREAM_OTHER},
        {"/proc/self/stat", PROBE_STREAM_FILE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = open(cases[i].path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(probe_stream(fd), cases[i].stream);
        close(fd);
    }
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd >= 0) {
        assert_int_equal(probe_stream(fd), PROBE_STREAM_TERMINAL);
        close(fd);
    }
}

static void numbers_of_files(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"4194304\n", true, 4194304},
        {"max\n", true, UINT64_MAX},
        {"0", true, 0},
        {"-1\n", false, 0},
        {"x\n", false, 0},
        {"", false, 0},
        {"18446744073709551616\n", false, 0},
    };
    char dir[] = "/tmp/foster-probe-XXXXXX";
    char path[64];
    uint64_t value = 77;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/n", dir);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fputs(cases[i].text, f);
        fclose(f);
        value = 77;
        if (probe_number(dir, "n", &value) != cases[i].ok || value != (cases[i].ok ? cases[i].value : 77))
            fail_msg("%s", cases[i].text);
    }
    unlink(path);
    assert_false(probe_number(dir, "n", &value));
    rmdir(dir);
    assert_true(probe_number("/proc/sys/kernel", "pid_max", &value));
    assert_true(value >= 301);
}

/* Whatever is found is a control group, and we are in it (or it is the top). */
static void our_control_group(void **state)
{
    static const char *const controllers[] = {NULL, "pids", "memory"};
    static char dir[4096], path[4200];
    char small[4];
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
        struct stat st;
        if (!probe_cgroup(controllers[i], dir, sizeof dir))
            continue;
        n++;
        snprintf(path, sizeof path, "%s/cgroup.procs", dir);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(strncmp(dir, "/sys/fs/cgroup", 14), 0);
        assert_int_not_equal(dir[strlen(dir) - 1], '/');
        assert_false(probe_cgroup(controllers[i], small, sizeof small));
    }
    assert_false(probe_cgroup("nonsense", dir, sizeof dir));
    if (n == 0) {
        print_message("SKIP: there are no control groups here\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_tried_without_effect),
        cmocka_unit_test(answers_agree_with_the_kernel),
        cmocka_unit_test(streams),
        cmocka_unit_test(numbers_of_files),
        cmocka_unit_test(our_control_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
