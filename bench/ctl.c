/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * How long `fosterctl ps` takes, the whole process from fork to exit, beside a bare round trip over the control socket
 * and beside a program that does nothing. Interleaved, because machines are shared; medians.
 *
 *   ctl FOSTERD FOSTERCTL [SERVICES [RUNS]]
 */
#include "foster/foster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PATH_SIZE = 512, UP_TIMEOUT_MS = 120000 };

/** The three things that are timed. */
enum what { PS, ROUND_TRIP, NOTHING, WHAT_N };

static char dir[] = "/tmp/foster-bench.XXXXXX";
static pid_t daemon_pid;

static void clean(void)
{
    char path[PATH_SIZE];
    if (daemon_pid > 0) {
        kill(daemon_pid, SIGTERM);
        waitpid(daemon_pid, NULL, 0);
    }
    static const char *const names[] = {"foster.yaml", "run/control.sock", "run/control.sock.lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/run", dir);
    rmdir(path);
    rmdir(dir);
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "ctl: %s: %s\n", what, why);
    exit(1);
}

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void run(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    int error = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(const void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        die(argv[0], strerror(error));
    if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die(argv[0], "did not exit with 0");
}

static void start(const char *fosterd, unsigned n)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/foster.yaml", dir);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        die(path, strerror(errno));
    fputs("services:\n", f);
    for (unsigned i = 0; i < n; i++)
        fprintf(f, "  service-%04u: { command: sleep infinity }\n", i);
    if (fclose(f) != 0)
        die(path, strerror(errno));
    pid_t parent = getpid();
    daemon_pid = fork();
    if (daemon_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(1);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        execl(fosterd, fosterd, "-c", path, "--log-level", "error", (char *)NULL);
        _exit(127);
    }
    if (daemon_pid < 0)
        die("fork", strerror(errno));
}

static struct foster *connect_when_there(void)
{
    struct foster_error e;
    double end = now_ms() + UP_TIMEOUT_MS;
    for (;;) {
        struct foster *f = foster_connect(NULL, &e);
        if (f != NULL)
            return f;
        if (now_ms() > end || waitpid(daemon_pid, NULL, WNOHANG) != 0)
            die("connecting", e.text);
        poll(NULL, 0, 10);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void round_trip(void)
{
    struct foster_error e;
    struct foster *f = foster_connect(NULL, &e);
    char *result = f != NULL ? foster_call(f, "status", NULL, UP_TIMEOUT_MS, NULL, &e) : NULL;
    if (result == NULL)
        die("status", e.text);
    free(result);
    foster_free(f);
}

int main(int argc, char **argv)
{
    char runtime[PATH_SIZE];
    struct foster_error e;
    if (argc < 3) {
        fputs("usage: ctl FOSTERD FOSTERCTL [SERVICES [RUNS]]\n", stderr);
        return 2;
    }
    unsigned n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 100;
    unsigned runs = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 50;
    double *times[WHAT_N];
    if (runs == 0 || mkdtemp(dir) == NULL)
        die(dir, strerror(errno));
    atexit(clean);
    snprintf(runtime, sizeof runtime, "%s/run", dir);
    setenv("FOSTER_RUNTIME_DIR", runtime, 1);
    unsetenv("FOSTER_SOCKET");
    start(argv[1], n);
    struct foster *f = connect_when_there();
    char *result = foster_call(f, "wait", "{\"for\":\"up\"}", UP_TIMEOUT_MS, NULL, &e);
    if (result == NULL)
        die("wait", e.text);
    free(result);
    foster_free(f);
    for (int w = 0; w < WHAT_N; w++)
        times[w] = calloc(runs, sizeof(double));
    const char *const ps[] = {argv[2], "ps", NULL}, *const nothing[] = {"/bin/true", NULL};
    for (unsigned i = 0; i < runs; i++)
        for (int w = 0; w < WHAT_N; w++) {
            double begin = now_ms();
            if (w == PS)
                run(ps);
            else if (w == ROUND_TRIP)
                round_trip();
            else
                run(nothing);
            times[w][i] = now_ms() - begin;
        }
    printf("services  runs  ps p50 ms  ps p99 ms  round trip p50 ms  /bin/true p50 ms\n%8u  %4u", n, runs);
    for (int w = 0; w < WHAT_N; w++)
        qsort(times[w], runs, sizeof(double), compare);
    printf("  %9.2f  %9.2f  %17.2f  %16.2f\n", times[PS][runs / 2], times[PS][(runs * 99) / 100],
           times[ROUND_TRIP][runs / 2], times[NOTHING][runs / 2]);
    for (int w = 0; w < WHAT_N; w++)
        free(times[w]);
    return 0;
}
