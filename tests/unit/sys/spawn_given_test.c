/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a program is given of what we were given: signals, descriptors that are closed or kept, the shell for a script,
 * and its own pid.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/sys.h"

#include "unit/sys/spawn_report.h"

/* What cannot be blocked or ignored. */
#define FIXED (UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1))

static char self[PATH_MAX];

/* ------------------------------------------------------------------ the program that is started */

/* Each of the descriptors 0 to 2 that is open as a bit, and one more for any other. */
static int count_open(void)
{
    int bits = 0;
    for (int fd = 0; fd < 2000; fd++) {
        if (fcntl(fd, F_GETFD) != -1)
            bits |= 1 << (fd < 3 ? fd : 3);
    }
    return bits;
}

/* Waits for the end of standard input, and then says whether SIGTERM waits for us. */
static int await_term(void)
{
    sigset_t pending;
    char c;
    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1 ? 42 : 43;
}

static int fixture(int argc, char **argv)
{
    if (strcmp(argv[1], "open") == 0)
        return count_open();
    if (strcmp(argv[1], "term") == 0)
        return await_term();
    return spawn_report(argc, argv);
}

/* ------------------------------------------------------------------ signals */

static void signals_are_exactly_those_given(void **state UNUSED)
{
    const uint64_t all = UINT64_MAX, odd = UINT64_C(0x5555555555555555), realtime = UINT64_MAX << (34 - 1);
    const uint64_t reserved = UINT64_C(3) << (32 - 1); /* 32 and 33, which the C library keeps for itself */
    const struct {
        uint64_t mask, ignored;
    } cases[] = {
        {0, 0},
        {all, 0},
        {0, all},
        {all, all},
        {odd, ~odd},
        {~odd, odd},
        {realtime, 0},
        {0, realtime},
        {reserved, 0},
        {0, reserved},
        {UINT64_C(1) << (SIGCHLD - 1), UINT64_C(1) << (SIGPIPE - 1)},
        {UINT64_C(1) << (SIGTSTP - 1), UINT64_C(1) << (SIGTTOU - 1)},
        {UINT64_C(1) << (64 - 1), UINT64_C(1) << (64 - 1)},
    };
    char *argv[] = {self, (char *)"report", NULL};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[TEXT_MAX], line[KIT_PATH_MAX];
        const struct inherited_signals signals = {kit_signals(cases[i].mask), kit_signals(cases[i].ignored)};
        spawn_run_and_read(
            (struct spawn_request){
                .argv = argv, .envp = spawn_kit_quiet, .umask = -1, .stdio = {-1, -1, 2}, .signals = &signals},
            text);
        kit_path(line, "SigBlk=%016llx", (unsigned long long)(cases[i].mask & ~FIXED));
        spawn_assert_line(text, line);
        kit_path(line, "SigIgn=%016llx", (unsigned long long)(cases[i].ignored & ~FIXED));
        spawn_assert_line(text, line);
    }
}

/* It may arrive at any point between fork and exec. */
static void signal_for_a_child_that_blocks_it_waits(void **state UNUSED)
{
    const struct inherited_signals signals = {.mask = kit_signals(UINT64_C(1) << (SIGTERM - 1))};
    char *argv[] = {self, (char *)"term", NULL};

    for (int i = 0; i < 20; i++) {
        struct spawn_child child;
        struct err e = {0};
        int in[2];
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        struct spawn_request req = {
            .argv = argv, .envp = spawn_kit_quiet, .umask = -1, .stdio = {in[0], -1, 2}, .signals = &signals};
        assert_true(spawn_start(&req, &child, &e));
        assert_int_equal(kill(child.pid, SIGTERM), 0);
        close(in[0]);
        close(in[1]);
        assert_int_equal(kit_wait(child.pid), 42);
        spawn_kit_close(&child);
    }
}

/* ------------------------------------------------------------------ descriptors */

struct closing {
    unsigned mine;  /* those of the descriptors 0 to 2 that we have, as bits */
    unsigned wants; /* those that the program is to have */
    bool keep_fds;
};

static void start_with_closed(void *arg)
{
    const struct closing *c = arg;
    char *argv[] = {self, (char *)"open", NULL};
    struct spawn_request req = {.argv = argv, .envp = spawn_kit_quiet, .umask = -1, .keep_fds = c->keep_fds};
    struct spawn_child child;
    struct spawn_failure failure;
    struct err e = {0};

    /* What this program was started with is not to be counted. */
    for (int fd = 3; fd < 4096; fd++)
        (void)!fcntl(fd, F_SETFD, FD_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) {
        bool mine = (c->mine >> fd & 1) != 0;
        req.stdio[fd] = (c->wants >> fd & 1) == 0 ? SPAWN_FD_CLOSED : mine ? fd : SPAWN_FD_NULL;
        if (!mine)
            close(fd);
    }
    REQUIRE(spawn_start(&req, &child, &e));
    REQUIRE(spawn_kit_verdict(&child, &failure) == SPAWN_EXECED);
    int status;
    REQUIRE(waitpid(child.pid, &status, 0) == child.pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == (int)c->wants);
}

static void closed_descriptors_stay_closed(void **state UNUSED)
{
    static const unsigned mine[] = {0, 1, 6, 7};
    for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
        for (unsigned wants = 0; wants < 8; wants++) {
            struct closing c = {.mine = mine[i], .wants = wants, .keep_fds = wants % 2 != 0};
            assert_true(kit_isolated(start_with_closed, &c));
        }
    }
}

/* The number of our descriptors above 2 that a program inherits. */
static size_t count_inherited(void)
{
    size_t n = 0;
    for (int fd = 3; fd < 4096; fd++) {
        int flags = fcntl(fd, F_GETFD);
        n += flags != -1 && (flags & FD_CLOEXEC) == 0;
    }
    return n;
}

static void descriptors_are_kept_on_request(void **state UNUSED)
{
    char text[TEXT_MAX];
    char *argv[] = {self, (char *)"report", NULL};
    assert_int_equal(fcntl(STDERR_FILENO, F_DUPFD, 700), 700);
    assert_int_equal(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 701), 701);

    for (int keep = 0; keep < 2; keep++) {
        spawn_run_and_read(
            (struct spawn_request){
                .argv = argv, .envp = spawn_kit_quiet, .umask = -1, .stdio = {-1, -1, -1}, .keep_fds = keep != 0},
            text);
        assert_int_equal(spawn_count_lines(text, "fd700="), keep);
        assert_int_equal(spawn_count_lines(text, "fd701="), 0);
        assert_int_equal(spawn_count_lines(text, "fd"), keep ? 3 + count_inherited() : 3);
    }
    close(700);
    close(701);
}

/* ------------------------------------------------------------------ scripts */

/* What the program finds when execvp(3) starts it. */
static void read_of_execvp(const struct spawn_request *req, char *text)
{
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        if (dup2(out[1], STDOUT_FILENO) == -1 || (req->working_dir != NULL && chdir(req->working_dir) != 0))
            _exit(98);
        environ = (char **)req->envp;
        execvp(req->argv[0], req->argv);
        _exit(99);
    }
    close(out[1]);
    kit_read_end(out[0], text, TEXT_MAX);
    close(out[0]);
    assert_int_equal(kit_wait(pid), 0);
}

/* Runs REQ with script_by_sh and by execvp(3); both must find TEXT. */
static void assert_script_says(const struct spawn_request *req, const char *want)
{
    char text[TEXT_MAX];
    spawn_run_and_read(*req, text);
    assert_string_equal(text, want);
    read_of_execvp(req, text);
    assert_string_equal(text, want);
}

static void script_is_read_by_the_shell(void **state UNUSED)
{
    static const char *const programs[] = {"script", "./script", "../bin/script"};
    char base[KIT_PATH_MAX], dir[KIT_PATH_MAX], path[KIT_PATH_MAX], variable[KIT_PATH_MAX], want[KIT_PATH_MAX];
    kit_make_dir(base);
    kit_path(dir, "%.256s/bin", base);
    assert_int_equal(mkdir(dir, 0700), 0);
    kit_file(path, dir, "script", "printf '<%s>' \"$0\" \"$@\"\n", 0700);
    kit_path(variable, "PATH=/nonexistent:%s", dir);
    char *envp[] = {variable, NULL};

    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        /* The shell is told the path that was found. */
        const char *zero = i == 0 ? path : programs[i];
        char *argv[] = {(char *)programs[i], (char *)"two words", (char *)"", NULL};
        struct spawn_request req = {
            .argv = argv, .envp = envp, .working_dir = dir, .umask = -1, .stdio = {-1, -1, 2}, .script_by_sh = true};
        assert_script_says(&req, kit_path(want, "<%s><two words><>", zero));
        argv[1] = NULL;
        assert_script_says(&req, kit_path(want, "<%s>", zero));
    }
    kit_remove(base);
}

/* ------------------------------------------------------------------ the pid */

static void program_is_told_its_pid(void **state UNUSED)
{
    /* Room for the digits beside the NUL that sizeof counts. */
    char first[sizeof "LISTEN_PID=" - 1 + SPAWN_PID_ROOM] = "LISTEN_PID=0";
    char second[sizeof "WATCHDOG_PID=" - 1 + SPAWN_PID_ROOM] = "WATCHDOG_PID=2147483647";
    char *slots[] = {strchr(first, '=') + 1, strchr(second, '=') + 1, NULL};
    char *envp[] = {first, second, spawn_kit_quiet[0], spawn_kit_quiet[1], NULL};
    char *argv[] = {self, (char *)"report", NULL};
    bool no_clone3 = sys_kernel()->no_clone3;

    for (int forked = 0; forked < 2; forked++) {
        char text[TEXT_MAX], line[KIT_PATH_MAX];
        struct spawn_child child;
        struct spawn_failure failure;
        struct err e = {0};
        int out[2];
        sys_kernel()->no_clone3 = no_clone3 || forked != 0;
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        struct spawn_request req = {
            .argv = argv, .envp = envp, .umask = -1, .stdio = {-1, out[1], 2}, .pid_slots = slots};
        assert_true(spawn_start(&req, &child, &e));
        close(out[1]);
        assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
        kit_read_end(out[0], text, sizeof text);
        close(out[0]);
        kit_path(line, "env:LISTEN_PID=%d", (int)child.pid);
        spawn_assert_line(text, line);
        kit_path(line, "env:WATCHDOG_PID=%d", (int)child.pid);
        spawn_assert_line(text, line);
        assert_string_equal(first, "LISTEN_PID=0");
        assert_string_equal(second, "WATCHDOG_PID=2147483647");
        assert_int_equal(kit_wait(child.pid), 0);
        spawn_kit_close(&child);
    }
    sys_kernel()->no_clone3 = no_clone3;
}

static void number_is_there_before_the_program(void **state UNUSED)
{
    char *argv[] = {self, (char *)"report", NULL};
    char *envp[] = {spawn_kit_quiet[0], spawn_kit_quiet[1], NULL};
    bool no_clone3 = sys_kernel()->no_clone3;
    _Atomic pid_t *words = mmap(NULL, 2 * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(words, MAP_FAILED);
    _Atomic pid_t *pids[] = {&words[1], &words[0]};
    for (int forked = 0; forked < 2; forked++) {
        struct spawn_child child;
        struct spawn_failure failure;
        struct err e = {0};
        sys_kernel()->no_clone3 = no_clone3 || forked != 0;
        struct spawn_request req = {.argv = argv, .envp = envp, .umask = -1, .stdio = {-1, -1, 2}, .pids = pids};
        words[0] = words[1] = 0;
        req.n_pids = (size_t)forked + 1;
        assert_true(spawn_start(&req, &child, &e));
        assert_int_equal(spawn_kit_verdict(&child, &failure), SPAWN_EXECED);
        assert_int_equal(words[1], child.pid);
        assert_int_equal(words[0], forked != 0 ? child.pid : 0);
        assert_int_equal(kit_wait(child.pid), 0);
        spawn_kit_close(&child);
    }
    sys_kernel()->no_clone3 = no_clone3;
    assert_int_equal(munmap((void *)words, 2 * sizeof *words), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return fixture(argc, argv);
    if (kit_under_valgrind()) {
        kit_skip("spawn", "valgrind keeps signals and descriptors for itself");
        return 77;
    }
    if (realpath(argv[0], self) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_exactly_those_given),    cmocka_unit_test(signal_for_a_child_that_blocks_it_waits),
        cmocka_unit_test(closed_descriptors_stay_closed),     cmocka_unit_test(descriptors_are_kept_on_request),
        cmocka_unit_test(script_is_read_by_the_shell),        cmocka_unit_test(program_is_told_its_pid),
        cmocka_unit_test(number_is_there_before_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
