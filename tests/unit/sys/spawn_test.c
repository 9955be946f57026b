/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a started program finds: this program is started again as a leak detector.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/sys/spawn_report.h"

enum { N_STRAY = 200 };

static char self[PATH_MAX];

/* ------------------------------------------------------------------ the program that is started */

/* Writes each standard descriptor's number to it, unless it is closed. */
static int mark(void)
{
    for (int fd = 0; fd < 3; fd++) {
        char c = (char)('0' + fd);
        if (write(fd, &c, 1) != 1 && errno != EBADF)
            return 1;
    }
    return 0;
}

/* Ends when standard input does. */
static int wait_for_end(void)
{
    char c;
    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
    return 42;
}

static int fixture(int argc, char **argv)
{
    if (strcmp(argv[1], "mark") == 0)
        return mark();
    if (strcmp(argv[1], "wait") == 0)
        return wait_for_end();
    return spawn_report(argc, argv);
}

/* ------------------------------------------------------------------ what a program finds */

static void child_gets_what_was_asked(void **state UNUSED)
{
    char text[TEXT_MAX], dir[KIT_PATH_MAX], line[KIT_PATH_MAX];
    char *argv[] = {self, (char *)"report", (char *)"two words", NULL};
    char *envp[] = {(char *)"A=1", (char *)"B=x y", NULL};
    const uint64_t tag = (UINT64_C(1) << 60) - (UINT64_C(7) << 40);
    struct rlimit nofile;
    size_t n_fds = kit_count_fds();

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);
    nofile.rlim_cur = 64;
    kit_make_dir(dir);
    char *real = realpath(dir, NULL);
    assert_non_null(real);
    spawn_run_and_read((struct spawn_request){.argv = argv,
                                              .envp = envp,
                                              .working_dir = dir,
                                              .umask = 027,
                                              .tag = tag,
                                              .nofile = &nofile,
                                              .stdio = {-1, -1, -1}},
                       text);
    kit_path(line, "cwd=%s", real);
    spawn_assert_line(text, line);
    kit_path(line, "locks=%llu/%llu", (unsigned long long)tag, (unsigned long long)tag);
    spawn_assert_line(text, line);
    spawn_assert_line(text, "nofile=64");
    spawn_assert_line(text, "umask=027");
    spawn_assert_line(text, "leader=1");
    spawn_assert_line(text, "fd0=/dev/null");
    spawn_assert_line(text, "fd1=pipe");
    spawn_assert_line(text, "fd2=/dev/null");
    assert_int_equal(spawn_count_lines(text, "fd"), 3);
    spawn_assert_line(text, "SigBlk=0000000000000000");
    spawn_assert_line(text, "SigIgn=0000000000000000");
    spawn_assert_line(text, "arg2=two words");
    assert_int_equal(spawn_count_lines(text, "arg"), 3);
    spawn_assert_line(text, "env:A=1");
    spawn_assert_line(text, "env:B=x y");
    assert_int_equal(spawn_count_lines(text, "env:"), 2);
    free(real);
    kit_remove(dir);
    assert_int_equal(kit_count_fds(), n_fds);
    assert_true(kit_has_no_children());
}

static void child_keeps_what_was_not_asked(void **state UNUSED)
{
    char text[TEXT_MAX], cwd[KIT_PATH_MAX], line[KIT_PATH_MAX];
    char *argv[] = {self, (char *)"report", NULL};
    struct rlimit limit;
    mode_t mask = umask(031);

    spawn_run_and_read((struct spawn_request){.argv = argv, .envp = no_env, .umask = -1, .stdio = {-1, -1, -1}}, text);
    umask(mask);
    spawn_assert_line(text, "umask=031");
    assert_non_null(getcwd(cwd, sizeof cwd));
    kit_path(line, "cwd=%s", cwd);
    spawn_assert_line(text, line);
    getrlimit(RLIMIT_LOCKS, &limit);
    kit_path(line, "locks=%llu/%llu", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    spawn_assert_line(text, line);
    getrlimit(RLIMIT_NOFILE, &limit);
    kit_path(line, "nofile=%llu", (unsigned long long)limit.rlim_cur);
    spawn_assert_line(text, line);
    assert_int_equal(spawn_count_lines(text, "env:"), 0);
}

/* A parent as hostile as possible: stray descriptors without close-on-exec, everything ignored or blocked, and
 * optionally without descriptors 0 to 2. */
struct hostile {
    bool close_stdio;
    int report_fd;
};

static void hostile_parent(void *arg)
{
    const struct hostile *h = arg;
    char *argv[] = {self, (char *)"report", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = 077, .stdio = {-1, h->report_fd, -1}};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    for (int i = 0; i < N_STRAY; i++)
        REQUIRE(dup(h->report_fd) != -1);
    REQUIRE(dup2(h->report_fd, 1000) == 1000);
    for (int sig = 1; sig < _NSIG; sig++)
        signal(sig, SIG_IGN);
    sigset_t odd, after;
    sigfillset(&odd);
    sigdelset(&odd, SIGUSR1);
    REQUIRE(sigprocmask(SIG_SETMASK, &odd, NULL) == 0);
    for (int fd = 0; h->close_stdio && fd < 3; fd++)
        close(fd);

    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
    REQUIRE(sigismember(&after, SIGUSR1) == 0 && sigismember(&after, SIGTERM) == 1);
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
    REQUIRE(wait(NULL) == -1 && errno == ECHILD); /* ignored, it is reaped by the kernel */
}

static void nothing_leaks_from_a_hostile_parent(void **state UNUSED)
{
    for (int close_stdio = 0; close_stdio < 2; close_stdio++) {
        char text[TEXT_MAX];
        int out[2];
        assert_int_equal(pipe(out), 0);
        struct hostile h = {.close_stdio = close_stdio != 0, .report_fd = out[1]};
        assert_true(kit_isolated(hostile_parent, &h));
        close(out[1]);
        kit_read_end(out[0], text, sizeof text);
        close(out[0]);
        spawn_assert_line(text, "fd0=/dev/null");
        spawn_assert_line(text, "fd1=pipe");
        spawn_assert_line(text, "fd2=/dev/null");
        assert_int_equal(spawn_count_lines(text, "fd"), 3);
        spawn_assert_line(text, "SigBlk=0000000000000000");
        spawn_assert_line(text, "SigIgn=0000000000000000");
        spawn_assert_line(text, "leader=1");
    }
}

/* Every way in which the descriptors to become 0 to 2 can stand in each other's way. */
struct shuffle {
    int stdio[3];
    int pipes[3][2];
};

static void shuffled_parent(void *arg)
{
    struct shuffle *s = arg;
    char *argv[] = {self, (char *)"mark", NULL};
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    memcpy(req.stdio, s->stdio, sizeof req.stdio);
    for (int i = 0; i < 3; i++)
        REQUIRE(dup2(s->pipes[i][1], i) == i);
    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
    int status;
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid && status == 0);
}

static void stdio_is_shuffled_without_loss(void **state UNUSED)
{
    static const struct {
        int stdio[3];
        const char *want[3]; /* what arrives on the pipe that was 0, 1, 2 */
    } cases[] = {
        {{0, 1, 2}, {"0", "1", "2"}}, {{1, 0, 2}, {"1", "0", "2"}}, {{1, 2, 0}, {"2", "0", "1"}},
        {{2, 0, 1}, {"1", "2", "0"}}, {{2, 1, 0}, {"2", "1", "0"}}, {{0, 0, 0}, {"012", "", ""}},
        {{1, 1, 1}, {"", "012", ""}}, {{2, 2, 2}, {"", "", "012"}}, {{1, 1, 0}, {"2", "01", ""}},
        {{0, 2, 2}, {"0", "", "12"}}, {{-2, 0, 1}, {"1", "2", ""}}, {{1, -2, 0}, {"2", "0", ""}},
        {{2, -2, -2}, {"", "", "0"}}, {{-2, -2, 0}, {"2", "", ""}}, {{-2, 2, -2}, {"", "", "1"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct shuffle s;
        char text[16];
        memcpy(s.stdio, cases[i].stdio, sizeof s.stdio);
        for (int k = 0; k < 3; k++)
            assert_int_equal(pipe2(s.pipes[k], O_CLOEXEC), 0);
        assert_true(kit_isolated(shuffled_parent, &s));
        for (int k = 0; k < 3; k++) {
            close(s.pipes[k][1]);
            assert_string_equal(kit_read_end(s.pipes[k][0], text, sizeof text), cases[i].want[k]);
            close(s.pipes[k][0]);
        }
    }
}

static void on_signal(int sig UNUSED)
{
    _exit(99); /* a handler of the parent in the child */
}

static void signal_between_fork_and_exec_kills(void **state UNUSED)
{
    char *argv[] = {self, (char *)"wait", NULL};
    int in[2];
    struct sigaction act = {.sa_handler = on_signal}, old;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(sigaction(SIGTERM, &act, &old), 0);
    for (int i = 0; i < 20; i++) {
        struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {in[0], -1, 2}};
        struct spawn_child child;
        struct err e = {0};
        assert_true(spawn_start(&req, &child, &e));
        assert_int_equal(kill(child.pid, SIGTERM), 0);
        assert_int_equal(kit_wait(child.pid), -SIGTERM);
        spawn_kit_close(&child);
    }
    assert_int_equal(sigaction(SIGTERM, &old, NULL), 0);
    close(in[0]);
    close(in[1]);
}

static void pidfd_is_of_the_child(void **state UNUSED)
{
    char *argv[] = {self, (char *)"wait", NULL};
    struct spawn_child child;
    struct err e = {0};
    siginfo_t info;
    int in[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    struct spawn_request req = {.argv = argv, .envp = no_env, .umask = -1, .stdio = {in[0], -1, -1}};
    assert_true(spawn_start(&req, &child, &e));
    close(in[0]);
    if (child.pidfd == -1) {
        kit_skip("pidfd", "this kernel has none");
    } else {
        assert_int_equal(fcntl(child.pidfd, F_GETFD), FD_CLOEXEC);
        close(in[1]);
        in[1] = -1;
        assert_int_equal(waitid((idtype_t)3 /* P_PIDFD */, (id_t)child.pidfd, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(info.si_pid, child.pid);
    }
    assert_int_equal(fcntl(child.status_fd, F_GETFD), FD_CLOEXEC);
    close(in[1]);
    assert_int_equal(kit_wait(child.pid), 42);
    spawn_kit_close(&child);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return fixture(argc, argv);
    if (kit_under_valgrind()) {
        kit_skip("spawn", "valgrind does not survive an execve that fails, and has limits of its own");
        return 77;
    }
    if (realpath(argv[0], self) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_gets_what_was_asked),           cmocka_unit_test(child_keeps_what_was_not_asked),
        cmocka_unit_test(nothing_leaks_from_a_hostile_parent), cmocka_unit_test(stdio_is_shuffled_without_loss),
        cmocka_unit_test(signal_between_fork_and_exec_kills),  cmocka_unit_test(pidfd_is_of_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
