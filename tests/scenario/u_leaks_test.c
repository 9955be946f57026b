/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * U: the detector of leaked descriptors, on which every scenario relies, finds them, and nothing else.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/leaks.h"
#include "scenario/support/procs.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/** With this in the environment the program has but one test, which has to fail. */
#define LEAKING "FOSTER_TEST_LEAKING"

enum { KEPT_AS = 99, OURS_MAX = 1024, LIVES = 200, TEXT = 512 };

/** In a child: becomes an actor that does ORDER (NULL: nothing) and has, of what it has now, descriptor FD as AS alone
 * (-1: nothing). */
static void hold(int fd, int as, const char *order)
{
    /* What the test was given itself is no concern of this one. */
    for (int i = 3; i < OURS_MAX; i++) {
        (void)fcntl(i, F_SETFD, FD_CLOEXEC);
    }
    if (as < 0 || dup2(fd, as) == as) {
        (void)execl(FIXTURE, "actor", order, (char *)NULL);
    }
    _exit(112);
}

/** A process that keeps descriptor FD as AS (-1: none) and has executed another program since. */
static pid_t start_holder(int fd, int as)
{
    int executed[2];
    char byte;
    assert_int_equal(pipe2(executed, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        hold(fd, as, "wait");
    }
    assert_true(pid > 0);
    (void)close(executed[1]);
    assert_int_equal(read(executed[0], &byte, 1), 0);
    (void)close(executed[0]);
    /* The exec is nearly over: it lays out the environment at last. */
    while (procs_environment(pid) == 0 && procs_is_alive(pid)) {
        (void)sched_yield();
    }
    return pid;
}

static void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/** Fails unless the detector finds what PID holds of ours (NULL: nothing) by RULES, and says so. */
static void expect(pid_t pid, struct leaks_rules rules, const char *want)
{
    char text[TEXT] = "nothing";
    bool found = leaks_find(getpid(), pid, &rules, text, sizeof(text));
    if (found != (want != NULL) || (want && !strstr(text, want))) {
        fail_msg("found: %s; expected: %s", text, want ? want : "nothing");
    }
}

/** Whether kcmp(2) is allowed or not. */
static const struct leaks_rules quiet[] = {{.stdio = true}, {.stdio = true, .no_kcmp = true}};

/** FD, kept as KEPT_AS by another process, is found. */
static void expect_leak(int fd, const char *want)
{
    pid_t pid = start_holder(fd, KEPT_AS);
    for (size_t i = 0; i < 2; i++) {
        expect(pid, quiet[i], want);
    }
    end(pid);
}

static void what_is_not_shared_is_not_found(void **state)
{
    (void)state;
    int own = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t pid = start_holder(-1, -1);
    for (size_t i = 0; i < 2; i++) {
        expect(pid, quiet[i], NULL);
    }
    end(pid);
    (void)close(own);
}

static void files_sockets_and_pipes_are_found(void **state)
{
    (void)state;
    int ends[2];
    int file = open(FIXTURE, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    expect_leak(file, "as 99: " FIXTURE);
    (void)close(file);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    expect_leak(ends[1], "as 99: socket:[");
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    expect_leak(ends[0], "as 99: pipe:[");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void the_other_end_of_a_pipe_is_found_but_as_output(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t leak = start_holder(ends[1], KEPT_AS);
    pid_t output = start_holder(ends[1], STDOUT_FILENO);
    (void)close(ends[1]);
    for (size_t i = 0; i < 2; i++) {
        expect(leak, quiet[i], "as 99: pipe:[");
        expect(output, quiet[i], NULL);
    }
    end(leak);
    end(output);
    (void)close(ends[0]);
}

/* Only that end of it, and only as long as we have nothing but the other one. */
static void the_pipe_of_readiness_is_given_on_purpose(void **state)
{
    (void)state;
    const struct leaks_rules rules = {.stdio = true, .ready = true};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t writer = start_holder(ends[1], KEPT_AS);
    pid_t reader = start_holder(ends[0], KEPT_AS);
    expect(writer, rules, "as 99: pipe:[");
    (void)close(ends[1]);
    expect(writer, rules, NULL);
    expect(writer, quiet[0], "as 99: pipe:[");
    expect(reader, rules, "as 99: pipe:[");
    end(writer);
    end(reader);
    (void)close(ends[0]);
}

static void what_listen_fds_tells_of_is_given_on_purpose(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setenv("LISTEN_FDS", "97", 1), 0);
    pid_t told = start_holder(ends[1], KEPT_AS);
    assert_int_equal(setenv("LISTEN_FDS", "96", 1), 0);
    pid_t not_told = start_holder(ends[1], KEPT_AS);
    assert_int_equal(unsetenv("LISTEN_FDS"), 0);
    for (size_t i = 0; i < 2; i++) {
        expect(told, quiet[i], NULL);
        expect(not_told, quiet[i], "as 99: socket:[");
    }
    end(told);
    end(not_told);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* While it executes its program, and again while it goes, its environment cannot be read, but its descriptors can. */
static void one_that_comes_or_goes_is_left_alone(void **state)
{
    (void)state;
    char text[TEXT];
    int ends[2], status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setenv("LISTEN_FDS", "97", 1), 0);
    for (int i = 0; i < LIVES; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            hold(ends[1], KEPT_AS, NULL);
        }
        assert_true(pid > 0);
        pid_t gone;
        while ((gone = waitpid(pid, &status, WNOHANG)) == 0) {
            if (leaks_find(getpid(), pid, &quiet[0], text, sizeof(text))) {
                fail_msg("found: %s", text);
            }
        }
        assert_int_equal(gone, pid);
    }
    assert_int_equal(unsetenv("LISTEN_FDS"), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_file_that_each_has_opened_is_nobodys_leak(void **state)
{
    (void)state;
    int ours = open(FIXTURE, O_RDONLY | O_CLOEXEC);
    int other = open(FIXTURE, O_RDONLY | O_CLOEXEC);
    pid_t pid = start_holder(other, KEPT_AS);
    (void)close(other);
    char text[TEXT];
    if (leaks_find(getpid(), pid, &quiet[0], text, sizeof(text))) {
        print_message("SKIP: no kcmp(2) here, by which two open files are told apart\n");
        end(pid);
        skip();
    }
    end(pid);
    (void)close(ours);
}

static void stdio_is_shared_only_where_it_may_be(void **state)
{
    (void)state;
    int file = open(FIXTURE, O_RDONLY | O_CLOEXEC);
    pid_t pid = start_holder(file, STDIN_FILENO);
    expect(pid, (struct leaks_rules){.stdio = true}, NULL);
    expect(pid, (struct leaks_rules){.stdio = false}, "holds fosterd's descriptor");
    end(pid);
    (void)close(file);
}

static void init_mode_passes_on_what_is_not_close_on_exec(void **state)
{
    (void)state;
    int file = open(FIXTURE, O_RDONLY | O_CLOEXEC);
    pid_t pid = start_holder(file, KEPT_AS);
    struct leaks_rules rules = {.stdio = true, .inherited = true};
    expect(pid, rules, "as 99: ");
    assert_int_equal(fcntl(file, F_SETFD, 0), 0);
    expect(pid, rules, NULL);
    expect(pid, quiet[0], "as 99: ");
    end(pid);
    (void)close(file);
}

static void a_copy_that_has_executed_nothing_is_left_alone(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)pause();
        _exit(0);
    }
    expect(pid, (struct leaks_rules){.stdio = false}, NULL);
    end(pid);
}

/** Leaves below the later fosterd a process with that one's standard error as its only descriptor. */
static void leave_a_holder(void *data)
{
    (void)data;
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(STDERR_FILENO, KEPT_AS);
        for (int fd = 0; fd < OURS_MAX; fd++) {
            if (fd != KEPT_AS) {
                (void)close(fd);
            }
        }
        for (;;) {
            (void)pause();
        }
    }
}

static void a_scenario_with_a_leak(void **state)
{
    (void)state;
    struct scenario_options o = {.prepare = leave_a_holder};
    struct scenario *s = scenario_start_with(&o, "services: { web: { command: '@ACTOR@ wait' } }\n");
    (void)scenario_wait(s, "settled", NULL);
    scenario_stop(s);
}

/** Nobody has to ask for the look: this program, run with the one test above, fails and says why. */
static void a_leak_fails_the_scenario(void **state)
{
    (void)state;
    static char said[1 << 20];
    int out[2];
    int status = 0;
    size_t len = 0;
    ssize_t n;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setenv(LEAKING, "1", 1);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(out[1], STDERR_FILENO);
        (void)execl("/proc/self/exe", "u_leaks_test", (char *)NULL);
        _exit(112);
    }
    (void)close(out[1]);
    while ((n = read(out[0], said + len, sizeof(said) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    (void)close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 || !strstr(said, "holds fosterd's descriptor 2 as 99: pipe:[")) {
        fail_msg("wait status %#x; it said:\n%s", (unsigned)status, said);
    }
}

int main(void)
{
    const struct CMUnitTest leaking[] = {
        SCENARIO(a_scenario_with_a_leak),
    };
    const struct CMUnitTest tests[] = {
        SCENARIO(what_is_not_shared_is_not_found),
        SCENARIO(files_sockets_and_pipes_are_found),
        SCENARIO(the_other_end_of_a_pipe_is_found_but_as_output),
        SCENARIO(the_pipe_of_readiness_is_given_on_purpose),
        SCENARIO(what_listen_fds_tells_of_is_given_on_purpose),
        SCENARIO(one_that_comes_or_goes_is_left_alone),
        SCENARIO(a_file_that_each_has_opened_is_nobodys_leak),
        SCENARIO(stdio_is_shared_only_where_it_may_be),
        SCENARIO(init_mode_passes_on_what_is_not_close_on_exec),
        SCENARIO(a_copy_that_has_executed_nothing_is_left_alone),
        SCENARIO(a_leak_fails_the_scenario),
    };
    return getenv(LEAKING) ? SCENARIO_RUN("u_leaks, leaking", leaking) : SCENARIO_RUN("u_leaks", tests);
}
