/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The wrappers of system calls: what they add (close-on-exec, retries, refusals) and that they ask the kernel for
 * what their names say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/sys.h"

#include "unit/sys/kit.h"

#include <sys/prctl.h>

static void closing_keeps_errno(void **state UNUSED)
{
    int ends[2];
    assert_int_equal(sys_pipe(ends, 0), 0);
    int copy = ends[0];

    errno = E2BIG;
    sys_close(-1);
    sys_close_fd(&ends[0]);
    assert_int_equal(ends[0], -1);
    sys_close_fd(&ends[0]);
    sys_close(ends[1]);
    sys_close(ends[1]); /* EBADF is not told */
    assert_int_equal(errno, E2BIG);
    assert_int_equal(fcntl(copy, F_GETFD), -1);
}

static void descriptors_are_born_close_on_exec(void **state UNUSED)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    int root = sys_open("/", O_RDONLY | O_DIRECTORY, 0), ends[2];
    assert_int_equal(sys_pipe(ends, O_NONBLOCK), 0);
    const struct {
        int fd;
        bool nonblocking;
    } cases[] = {
        {root, false},
        {sys_openat(root, "dev/null", O_RDONLY | O_NONBLOCK, 0), true},
        {ends[0], true},
        {ends[1], true},
        {sys_socket(AF_UNIX, SOCK_DGRAM, 0), true},
        {sys_signalfd(&mask), true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_not_equal(cases[i].fd, -1);
        assert_int_equal(sys_fcntl(cases[i].fd, F_GETFD, 0), FD_CLOEXEC);
        assert_int_equal((sys_fcntl(cases[i].fd, F_GETFL, 0) & O_NONBLOCK) != 0, cases[i].nonblocking);
        sys_close(cases[i].fd);
    }
}

static void dup3_is_kept_over_exec(void *arg UNUSED)
{
    int ends[2];
    REQUIRE(sys_pipe(ends, 0) == 0);
    REQUIRE(sys_dup3(ends[1], 1) == 1);
    REQUIRE(sys_fcntl(1, F_GETFD, 0) == 0);
    REQUIRE(sys_write(1, "x", 1) == 1);
    char c;
    REQUIRE(sys_read(ends[0], &c, 1) == 1 && c == 'x');
}

static void duplicating(void **state UNUSED)
{
    assert_true(kit_isolated(dup3_is_kept_over_exec, NULL));
}

static int handled_fd;

static void on_signal(int sig UNUSED)
{
    ssize_t n = write(handled_fd, "h", 1);
    (void)n;
}

/* The child signals us, waits until the handler has run, and only then lets us read. */
static void reading_goes_on_after_a_signal(void **state UNUSED)
{
    int data[2], handled[2];
    struct sigaction act = {.sa_handler = on_signal}, old;
    char c = 0;

    assert_int_equal(sys_pipe(data, 0), 0);
    assert_int_equal(sys_pipe(handled, 0), 0);
    handled_fd = handled[1];
    assert_int_equal(sys_sigaction(SIGUSR1, &act, &old), 0);
    pid_t pid = sys_fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        REQUIRE(kill(getppid(), SIGUSR1) == 0);
        REQUIRE(read(handled[0], &c, 1) == 1 && c == 'h');
        REQUIRE(write(data[1], "d", 1) == 1);
        _exit(0);
    }
    assert_int_equal(sys_read(data[0], &c, 1), 1);
    assert_int_equal(c, 'd');
    siginfo_t info;
    assert_int_equal(sys_waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
    assert_int_equal(info.si_status, 0);
    assert_int_equal(sys_sigaction(SIGUSR1, &old, NULL), 0);
    for (int i = 0; i < 2; i++) {
        close(data[i]);
        close(handled[i]);
    }
}

static void kill_spares_groups_and_ourselves(void **state UNUSED)
{
    const pid_t cases[] = {0, 1, -1, -2, INT_MIN, getpid()};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        errno = 0;
        assert_int_equal(sys_kill(cases[i], 0), -1);
        assert_int_equal(errno, EINVAL);
    }
    errno = 0;
    assert_int_equal(sys_kill(INT_MAX, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* A child that only a signal ends. */
static pid_t start_sleeper(void)
{
    pid_t pid = sys_fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

static void children_are_signalled_and_waited_for(void **state UNUSED)
{
    siginfo_t info;
    struct rusage usage = {.ru_maxrss = -1};
    int wstatus = 0;

    pid_t pid = start_sleeper();
    memset(&info, 0xff, sizeof info);
    assert_int_equal(sys_waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG), 0);
    assert_int_equal(info.si_pid, 0);
    assert_int_equal(sys_kill(pid, SIGKILL), 0);
    assert_int_equal(sys_wait4(pid, &wstatus, 0, &usage), pid);
    assert_int_equal(WTERMSIG(wstatus), SIGKILL);
    assert_int_not_equal(usage.ru_maxrss, -1);

    pid = start_sleeper();
    int pidfd = sys_pidfd_open(pid);
    if (pidfd == -1) {
        kit_skip("pidfd", "this kernel has none");
        assert_int_equal(sys_kill(pid, SIGTERM), 0);
    } else {
        assert_int_equal(sys_pidfd_send_signal(pidfd, SIGTERM), 0);
    }
    assert_int_equal(sys_wait4(pid, &wstatus, 0, NULL), pid);
    assert_int_equal(WTERMSIG(wstatus), SIGTERM);
    if (pidfd != -1) {
        assert_int_equal(sys_pidfd_send_signal(pidfd, SIGTERM), -1);
        assert_int_equal(errno, ESRCH);
        sys_close(pidfd);
    }
    assert_true(kit_has_no_children());
}

static void clone3_makes_a_process(void **state UNUSED)
{
    int pidfd = -1;
    pid_t pid = sys_clone3(-1, &pidfd);
    if (pid == 0)
        _exit(getppid() == 1 ? 1 : 7);
    if (pid == -1) {
        kit_skip("clone3", strerror(errno));
        return;
    }
    assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(kit_wait(pid), 7);
    sys_close(pidfd);
}

static void all_dispositions_go_to_default(void *arg UNUSED)
{
    for (int sig = 1; sig < _NSIG; sig++) {
        signal(sig, SIG_IGN);
        bool fixed = sig == SIGKILL || sig == SIGSTOP;
        REQUIRE((sys_signal_default(sig) == 0) == !fixed);
        struct sigaction now;
        REQUIRE(sys_sigaction(sig, NULL, &now) != 0 || now.sa_handler == SIG_DFL);
    }
}

/* Also those two that the C library refuses to speak about. */
static void all_signals_can_be_ignored(void *arg UNUSED)
{
    for (int sig = 1; sig < _NSIG; sig++) {
        bool fixed = sig == SIGKILL || sig == SIGSTOP;
        REQUIRE((sys_signal_ignore(sig) == 0) == !fixed);
        REQUIRE(sys_signal_is_ignored(sig) == !fixed);
        REQUIRE(fixed || sys_signal_default(sig) == 0);
        REQUIRE(sys_signal_is_ignored(sig) == 0);
    }
    REQUIRE(sys_signal_is_ignored(0) == -1 && errno == EINVAL);
    struct sigaction act = {.sa_handler = on_signal};
    REQUIRE(sys_sigaction(SIGUSR1, &act, NULL) == 0 && sys_signal_is_ignored(SIGUSR1) == 0);
}

static void all_signals_can_be_blocked(void *arg UNUSED)
{
    sigset_t all, now;
    sys_all_signals(&all);
    REQUIRE(sys_sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    for (int round = 0; round < 2; round++) {
        REQUIRE(sys_sigprocmask(SIG_BLOCK, NULL, &now) == 0);
        for (int sig = 1; sig < _NSIG; sig++)
            REQUIRE(sigismember(&now, sig) == (sig != SIGKILL && sig != SIGSTOP));
        sys_restore_mask(&now);
    }
}

static void dispositions(void **state UNUSED)
{
    if (kit_under_valgrind()) {
        kit_skip("dispositions", "valgrind keeps signals for itself");
        return;
    }
    assert_true(kit_isolated(all_dispositions_go_to_default, NULL));
    assert_true(kit_isolated(all_signals_can_be_ignored, NULL));
    assert_true(kit_isolated(all_signals_can_be_blocked, NULL));
}

static void mask_is_restored(void **state UNUSED)
{
    sigset_t all, old, now;
    sigfillset(&all);
    assert_int_equal(sys_sigprocmask(SIG_SETMASK, &all, &old), 0);
    sys_restore_mask(&old);
    assert_int_equal(sys_sigprocmask(SIG_SETMASK, NULL, &now), 0);
    for (int sig = 1; sig < _NSIG; sig++)
        assert_int_equal(sigismember(&now, sig), sigismember(&old, sig));
}

static void closes_a_range(void *arg UNUSED)
{
    for (int fd = 500; fd < 510; fd++)
        REQUIRE(dup2(0, fd) == fd);
    if (sys_close_range(501, 508) == -1) {
        REQUIRE(errno == ENOSYS || errno == EPERM);
        return;
    }
    for (int fd = 500; fd < 510; fd++)
        REQUIRE((fcntl(fd, F_GETFD) != -1) == (fd == 500 || fd == 509));
}

static void closing_a_range(void **state UNUSED)
{
    assert_true(kit_isolated(closes_a_range, NULL));
}

static void subreaper_and_limits(void *arg UNUSED)
{
    int on = -1;
    struct rlimit limit = {.rlim_cur = 77, .rlim_max = 88}, now;

    REQUIRE(sys_set_subreaper(true) == 0);
    REQUIRE(prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 && on == 1);
    REQUIRE(sys_set_subreaper(false) == 0);
    REQUIRE(prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 && on == 0);
    REQUIRE(sys_prlimit_set(0, RLIMIT_LOCKS, &limit) == 0);
    REQUIRE(sys_prlimit_get(0, RLIMIT_LOCKS, &now) == 0);
    REQUIRE(now.rlim_cur == 77 && now.rlim_max == 88);
    REQUIRE(getrlimit(RLIMIT_LOCKS, &now) == 0);
    REQUIRE(now.rlim_cur == 77 && now.rlim_max == 88);
}

static void process_attributes(void **state UNUSED)
{
    assert_true(kit_isolated(subreaper_and_limits, NULL));
    assert_int_equal(sys_getpid(), getpid());
    assert_int_equal(sys_geteuid(), geteuid());
    assert_ptr_equal(sys_kernel(), sys_kernel());
}

static void paths(void **state UNUSED)
{
    char dir[KIT_PATH_MAX], one[KIT_PATH_MAX], two[KIT_PATH_MAX], text[KIT_PATH_MAX], libc[KIT_PATH_MAX];

    kit_make_dir(dir);
    kit_path(one, "%s/one", dir);
    kit_path(two, "%s/two", dir);
    assert_int_equal(sys_mkdir(one, 0700), 0);
    assert_int_equal(sys_mkdir(one, 0700), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(sys_rename(one, two), 0);
    kit_file(one, dir, "one", "12345", 0600);
    int fd = sys_open(one, O_RDWR, 0);
    struct stat st;
    assert_int_equal(sys_fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 5);
    sys_close(fd);
    assert_int_equal(sys_unlink(one), 0);
    assert_int_equal(symlink("there", one), 0);
    assert_int_equal(sys_readlink(one, text, sizeof text), 5);
    assert_memory_equal(text, "there", 5);

    assert_non_null(getcwd(libc, sizeof libc));
    assert_int_equal(sys_getcwd(text, sizeof text), (ssize_t)strlen(libc) + 1);
    assert_string_equal(text, libc);
    assert_int_equal(sys_chdir(two), 0);
    assert_int_not_equal(sys_getcwd(text, sizeof text), -1);
    assert_non_null(strstr(text, "/two"));
    assert_int_equal(sys_chdir(libc), 0);

    DIR *list = sys_opendir(dir);
    assert_non_null(list);
    assert_int_equal(fcntl(dirfd(list), F_GETFD), FD_CLOEXEC);
    assert_true(sys_getdents(dirfd(list), text, sizeof text) > 0);
    closedir(list);
    kit_remove(dir);
}

static void random_and_time(void **state UNUSED)
{
    unsigned char a[64] = {0}, b[64] = {0};
    sys_random(a, sizeof a);
    sys_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    int64_t before = sys_now_ms();
    assert_true(before > 0);
    assert_true(sys_now_ms() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_keeps_errno),
        cmocka_unit_test(descriptors_are_born_close_on_exec),
        cmocka_unit_test(duplicating),
        cmocka_unit_test(reading_goes_on_after_a_signal),
        cmocka_unit_test(kill_spares_groups_and_ourselves),
        cmocka_unit_test(children_are_signalled_and_waited_for),
        cmocka_unit_test(clone3_makes_a_process),
        cmocka_unit_test(dispositions),
        cmocka_unit_test(mask_is_restored),
        cmocka_unit_test(closing_a_range),
        cmocka_unit_test(process_attributes),
        cmocka_unit_test(paths),
        cmocka_unit_test(random_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
