/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Starting fosterd, ending it, and the checks that every scenario makes.
 */
#include "scenario/support/scenario.h"

#include "scenario/support/internal.h"
#include "scenario/support/leaks.h"
#include "scenario/support/procs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, WORDS_MAX = 64, ENV_MAX = 1024, KILL_MS = 20000, LOOPS = 4 };

static struct scenario *current;

int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int scenario_time_left(struct scenario *s)
{
    int64_t left = s->guard_at_ms - now_ms();
    if (left <= 0) {
        scenario_fail(s, "hangs");
    }
    return (int)left;
}

void scenario_fail(struct scenario *s, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    s->guard_at_ms = now_ms() + 1000;
    (void)events_read(s, 0);
    print_error("scenario: %s\n", text);
    events_dump(s);
    fail();
    abort();
}

int scenario_setup(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

struct scenario *scenario_new(void)
{
    struct scenario *s = must(calloc(1, sizeof(*s)));
    assert_null(current);
    current = s;
    s->pidfd = s->log.fd = s->out.fd = -1;
    s->fds_settled = -1;
    s->guard_at_ms = now_ms() + SCENARIO_GUARD_MS;
    place_make(s);
    return s;
}

/** Ends all that is left below us, however it came there. The dead are taken away all at once, so that each look finds
 *  the living soon enough: something that forks for ever has a new number every millisecond. */
static void kill_the_rest(void)
{
    static struct procs children;
    int64_t give_up = now_ms() + KILL_MS;
    while (now_ms() < give_up) {
        pid_t got;
        while ((got = waitpid(-1, NULL, WNOHANG)) > 0) {
        }
        if (got < 0 && errno == ECHILD) {
            return;
        }
        procs_all_children(getpid(), &children);
        for (size_t i = 0; i < children.n; i++) {
            (void)kill(children.pids[i], SIGKILL);
        }
    }
    print_error("processes of this scenario cannot be ended\n");
}

int scenario_teardown(void **state)
{
    (void)state;
    struct scenario *s = current;
    current = NULL;
    if (!s) {
        return 0;
    }
    if (s->pid > 1 && !s->reaped) {
        (void)kill(s->pid, SIGKILL);
    }
    kill_the_rest();
    source_close(&s->log);
    source_close(&s->out);
    if (s->pidfd >= 0) {
        (void)close(s->pidfd);
    }
    events_free(s);
    place_remove(s);
    free(s);
    return 0;
}

/** The command line. Its words are borrowed. */
static void build_command(struct scenario *s, const char *file, const char **argv)
{
    const struct scenario_options *o = &s->options;
    size_t n = 0;
    for (size_t i = 0; o->prefix && o->prefix[i]; i++) {
        argv[n++] = o->prefix[i];
    }
    argv[n++] = o->fosterd ? o->fosterd : FOSTERD;
    if (!o->no_config) {
        argv[n++] = "-c";
        argv[n++] = file;
        argv[n++] = "--log-format";
        argv[n++] = "json";
        argv[n++] = "--log-level";
        argv[n++] = o->quiet ? "info" : "debug";
    }
    for (size_t i = 0; o->args && o->args[i]; i++) {
        assert_true(n < WORDS_MAX - 1);
        argv[n++] = o->args[i];
    }
    argv[n] = NULL;
}

/** The environment of fosterd: ours or the test's, with a runtime directory of the test's own, for root has but one. An
 * empty one stays empty: such a test has to name a control socket. */
static const char *const *build_environment(struct scenario *s)
{
    static const char *env[ENV_MAX];
    const char *const *from = s->options.env ? s->options.env : (const char *const *)(void *)environ;
    char *dir = NULL;
    size_t n = 0;
    if (asprintf(&dir, "FOSTER_RUNTIME_DIR=%s", scenario_path(s, "run")) < 0) {
        _exit(111);
    }
    if (from && from[0]) {
        env[n++] = dir;
    }
    for (size_t i = 0; from && from[i] && n < ENV_MAX - 1; i++) {
        if (strncmp(from[i], "FOSTER_RUNTIME_DIR=", strlen("FOSTER_RUNTIME_DIR=")) != 0) {
            env[n++] = from[i];
        }
    }
    env[n] = NULL;
    return env;
}

static _Noreturn void become_fosterd(struct scenario *s, const char *const *argv, int out, int err)
{
    sigset_t empty;
    (void)sigemptyset(&empty);
    (void)sigprocmask(SIG_SETMASK, &empty, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (!(s->options.clone_flags & CLONE_NEWPID)) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || chdir(s->dir)) {
        _exit(111);
    }
    (void)close(null);
    if (s->options.prepare) {
        s->options.prepare(s->options.data);
    }
    const char *const *env = build_environment(s);
    (void)execvpe(argv[0], (char *const *)(void *)argv, (char *const *)(void *)env);
    (void)dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(112);
}

static pid_t fork_with(int flags)
{
    if (!flags) {
        return fork();
    }
    return (pid_t)syscall(SYS_clone, (unsigned long)flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int make_pipe(int *ret_read)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)fcntl(fds[0], F_SETPIPE_SZ, PIPE_BYTES);
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    *ret_read = fds[0];
    return fds[1];
}

void scenario_spawn(struct scenario *s, const struct scenario_options *o, const char *yaml)
{
    const char *argv[WORDS_MAX];
    if (o) {
        s->options = *o;
        s->guard_at_ms = o->guard_ms ? now_ms() + o->guard_ms : s->guard_at_ms;
    }
    build_command(s, scenario_write(s, "foster.yaml", 0644, yaml), argv);
    int err = make_pipe(&s->log.fd);
    int out = make_pipe(&s->out.fd);
    s->pid = fork_with(s->options.clone_flags);
    if (s->pid == 0) {
        become_fosterd(s, argv, out, err);
    }
    (void)close(out);
    (void)close(err);
    assert_true(s->pid > 1);
    s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    assert_true(s->pidfd >= 0);
}

struct scenario *scenario_start_with(const struct scenario_options *o, const char *yaml)
{
    struct scenario *s = scenario_new();
    scenario_spawn(s, o, yaml);
    (void)scenario_wait(s, "up", NULL);
    return s;
}

struct scenario *scenario_start(const char *yaml)
{
    return scenario_start_with(NULL, yaml);
}

pid_t scenario_pid(const struct scenario *s)
{
    return s->pid;
}

void scenario_signal(struct scenario *s, int sig)
{
    assert_true(s->pid > 1 && !s->reaped);
    /* SIGUSR1 only asks, and often. */
    if (sig != SIGUSR1) {
        leaks_look(s);
    }
    assert_int_equal(kill(s->pid, sig), 0);
}

void scenario_reload(struct scenario *s, const char *yaml)
{
    (void)scenario_write(s, "foster.yaml", 0644, yaml);
    scenario_signal(s, SIGHUP);
    (void)scenario_wait_text(s, "config", NULL, "the new configuration is in force");
}

/** Fails when something that was below fosterd is still there, dead or alive: it is our child now. */
static void check_no_children(struct scenario *s)
{
    static struct procs children;
    char command[256];
    procs_children(getpid(), &children);
    if (children.n > 0) {
        pid_t pid = children.pids[0];
        char state = procs_state(pid);
        scenario_fail(s, "%zu processes left behind, first %d in state %c: %s", children.n, (int)pid, state,
                      procs_command(pid, command, sizeof(command)));
    }
    /* One whose fosterd was killed ends when all have ended whose output it moves. */
    procs_all_children(getpid(), &children);
    for (size_t i = 0; i < children.n; i++) {
        procs_wait_end(s, children.pids[i]);
        assert_int_equal(waitpid(children.pids[i], NULL, 0), children.pids[i]);
    }
}

void scenario_end(struct scenario *s, int code)
{
    int got = scenario_wait_exit(s);
    if (got != code) {
        scenario_fail(s, "fosterd has ended with %d instead of %d", got, code);
    }
    if (s->leak) {
        scenario_fail(s, "%s", s->leak);
    }
    if (!s->options.leaves_children) {
        check_no_children(s);
    }
    for (size_t i = 0; !s->options.plain_log && i < s->n_raw; i++) {
        scenario_fail(s, "a line of standard error is not JSON: %s", s->raw[i].text);
    }
    const char *left = place_leftover(s);
    if (left) {
        scenario_fail(s, "%s is left in the runtime directory", left);
    }
}

/** Fails when a zombie stays with fosterd though it has gone through its loop several times. */
static void check_no_zombies(struct scenario *s)
{
    static struct procs children;
    for (int round = 0; round < LOOPS; round++) {
        size_t zombies = 0;
        (void)scenario_sync(s);
        procs_children(s->pid, &children);
        for (size_t i = 0; i < children.n; i++) {
            zombies += procs_state(children.pids[i]) == 'Z';
        }
        if (zombies == 0) {
            return;
        }
    }
    scenario_fail(s, "zombies stay with fosterd");
}

/** Fails when fosterd keeps more descriptors than when it had settled. One that it reads something with at the moment
 * is gone when it has gone through its loop, and that of a start when that is over. */
static void check_descriptors(struct scenario *s)
{
    int fds = 0;
    for (int round = 0; round < LOOPS; round += s->n_starting == 0) {
        fds = procs_descriptors(s->pid);
        if (s->fds_settled < 0 || s->n_live != s->live_settled || fds <= s->fds_settled) {
            return;
        }
        (void)scenario_sync(s);
    }
    scenario_fail(s, "%d descriptors when it had settled, %d now", s->fds_settled, fds);
}

void scenario_stop(struct scenario *s)
{
    check_no_zombies(s);
    check_descriptors(s);
    scenario_signal(s, SIGTERM);
    scenario_end(s, 0);
}
