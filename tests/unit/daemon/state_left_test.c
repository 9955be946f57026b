/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What a fosterd that was killed has left behind, as a later one finds and reports it; and that two never use one
 * directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/daemon/state_kit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What a process that lost its fosterd is told. */
struct left {
    struct rig_gate gate;
    rlim_t tag;
    int ready; /* its pid is written here once it bears the tag */
    const char *host_name;
};

static pid_t left_host;
static int left_ended; /* at its end once the process has ended */

static int wear_tag_and_wait(void *data)
{
    const struct left *left = data;
    struct rig_gate gate = left->gate;
    struct rlimit lim = {.rlim_cur = left->tag, .rlim_max = left->tag};
    pid_t self = getpid();
    if (setrlimit(RLIMIT_LOCKS, &lim) != 0 || write(left->ready, &self, sizeof self) != (ssize_t)sizeof self)
        return 1;
    rig_gate_wait(&gate);
    return 0;
}

/* The parent of the left-over process: somebody who is no fosterd, and who does not wait for it. */
static int host(void *data)
{
    siginfo_t info;
    const struct left *left = data;
    if (prctl(PR_SET_NAME, left->host_name) != 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(wear_tag_and_wait(data));
    close(left->gate.fds[1]);
    if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0)
        return 1;
    close(left->ready);
    for (;;)
        pause();
}

/* Starts a process that bears the tag of run ID, below a process called HOST_NAME. */
static pid_t leave_process(struct rig_gate *gate, uint32_t id, const char *host_name)
{
    struct left left = {.gate = *gate, .tag = OWN_LIMIT - id * STRIDE, .host_name = host_name};
    int ready[2];
    pid_t pid = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    left.ready = ready[1];
    left_host = rig_fork(host, &left);
    close(ready[1]);
    left_ended = ready[0];
    if (read(left_ended, &pid, sizeof pid) != (ssize_t)sizeof pid) {
        kill(left_host, SIGKILL);
        rig_reap(left_host);
        close(left_ended);
        rig_gate_open(gate);
        skip();
    }
    return pid;
}

/* Lets the process end, and waits until it is a zombie. */
static void end_process(struct rig_gate *gate)
{
    char c;
    rig_gate_open(gate);
    assert_int_equal(read(left_ended, &c, 1), 0);
    close(left_ended);
}

static void end_host(void)
{
    kill(left_host, SIGKILL);
    rig_reap(left_host);
}

static void left_over_processes_are_reported(void **s)
{
    static const struct {
        const char *lines;
        size_t n_reported;
    } cases[] = {
        {"+ 777 3 4001 web\n", 1},        {"+ 776 2 4001 db\n+ 777 3 4002 web\n- 776\n", 1},
        {"+ 777 3 4001 web\n- 777\n", 0}, {"+ 776 3 4001 web\n", 0},
        {"+ 778 3 4001 web\n", 0},        {"", 0},
    };
    struct rig_gate gate;
    char report[128];
    (void)s;
    rig_gate_close(&gate);
    pid_t pid = leave_process(&gate, 777, "stranger");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, rig.log_fd[1]);
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        leave_file(cases[i].lines);
        must_open(OWN_LIMIT);
        n += cases[i].n_reported;
        assert_logged("\"left-over\"", n);
        state_close(&state, false);
    }
    assert_logged("\n", n);
    assert_logged("\"service\":\"web\"", n);
    snprintf(report, sizeof report, "\"pid\":%d", (int)pid);
    assert_logged(report, n);
    snprintf(report, sizeof report, "kill %d", (int)pid);
    assert_logged(report, n);
    /* A zombie is nobody to be ended. */
    end_process(&gate);
    leave_file("+ 777 3 4001 web\n");
    must_open(OWN_LIMIT);
    end_host();
    assert_logged("\n", n);
}

/* Every fosterd hands out the same tags: those of one that lives are nobody's left-overs. */
static void the_processes_of_another_fosterd_are_its_own(void **s)
{
    struct rig_gate gate;
    char own_name[16];
    (void)s;
    assert_int_equal(prctl(PR_GET_NAME, own_name), 0);
    rig_gate_close(&gate);
    (void)leave_process(&gate, 777, own_name);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, rig.log_fd[1]);
    leave_file("+ 777 3 4001 web\n");
    must_open(OWN_LIMIT);
    assert_logged("\"left-over\"", 0);
    state_close(&state, false);
    end_process(&gate);
    end_host();
}

/* Another fosterd that uses the directory until it is told to end. */
static int hold(void *data)
{
    struct err e = {0};
    int *fds = data;
    struct state mine;
    char c;
    if (!state_open(&mine, rig.dir, OWN_LIMIT, &e) || write(fds[1], "l", 1) != 1)
        return 1;
    close(fds[3]);
    while (read(fds[2], &c, 1) < 0 && errno == EINTR)
        continue;
    return 0;
}

/* An earlier fosterd's process that nobody ends is told by each later one, and its tag is not handed out again. */
static void left_over_processes_are_remembered(void **s)
{
    struct rig_gate gate;
    (void)s;
    open_attrib(1);
    rig_gate_close(&gate);
    (void)leave_process(&gate, 777, "stranger");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, rig.log_fd[1]);
    leave_file("+ 777 3 4001 web\n");
    for (size_t n = 1; n <= 3; n++) {
        must_open(OWN_LIMIT);
        assert_logged("\"left-over\"", n);
        assert_int_equal(state.first_id, 778);
        rewrite();
        state_close(&state, true);
    }
    end_process(&gate);
    end_host();
    must_open(OWN_LIMIT);
    assert_logged("\"left-over\"", 3);
    rewrite();
    assert_file("");
}

static void a_directory_in_use_is_refused_until_its_user_ends(void **s)
{
    struct err e = {0};
    int fds[4];
    char c;
    (void)s;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(pipe2(fds + 2, O_CLOEXEC), 0);
    pid_t pid = rig_fork(hold, fds);
    assert_int_equal(read(fds[0], &c, 1), 1);
    bool ok = state_open(&state, rig.dir, OWN_LIMIT, &e);
    int lock_fd = state.lock_fd;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    assert_int_equal(rig_reap(pid), 0);
    assert_false(ok);
    assert_int_equal(lock_fd, -1);
    assert_int_equal(e.kind, ERR_BUSY);
    assert_non_null(strstr(e.text, rig.dir));
    assert_non_null(strstr(e.text, "another fosterd"));
    must_open(OWN_LIMIT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(left_over_processes_are_reported),
        TEST(left_over_processes_are_remembered),
        TEST(the_processes_of_another_fosterd_are_its_own),
        TEST(a_directory_in_use_is_refused_until_its_user_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
