/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Commands, see command.h.
 */
#include "scenario/support/command.h"

#include "scenario/support/internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(const char *dir, const char *const *args, int out, int err)
{
    const char *argv[COMMAND_WORDS_MAX] = {FOSTERD};
    for (size_t i = 0; args[i]; i++) {
        assert_true(i + 2 < COMMAND_WORDS_MAX);
        argv[i + 1] = args[i];
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGPIPE, SIG_DFL);
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, 0) < 0 || dup2(out < 0 ? null : out, 1) < 0 || dup2(err < 0 ? null : err, 2) < 0 ||
            chdir(dir)) {
            _exit(111);
        }
        (void)close(null);
        (void)setenv("FOSTER_RUNTIME_DIR", dir, 1);
        (void)execv(FOSTERD, (char *const *)(void *)argv);
        _exit(112);
    }
    return pid;
}

static void append(char **text, size_t *len, const char *chunk, size_t n)
{
    *text = must(realloc(*text, *len + n + 1));
    memcpy(*text + *len, chunk, n);
    *len += n;
    (*text)[*len] = '\0';
}

/** Reads both pipes to their ends, into RET. */
static void read_all(struct scenario *s, const int *fds, struct command *ret)
{
    static char chunk[65536];
    char *text[2] = {must(strdup("")), must(strdup(""))};
    size_t len[2] = {0, 0};
    struct pollfd p[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        scenario_check(s, poll(p, 2, scenario_time_left(s)) > 0);
        for (int i = 0; i < 2; i++) {
            if (p[i].fd < 0 || !p[i].revents) {
                continue;
            }
            ssize_t n = read(p[i].fd, chunk, sizeof(chunk));
            if (n > 0) {
                append(&text[i], &len[i], chunk, (size_t)n);
            } else {
                p[i].fd = -1;
            }
        }
    }
    ret->out = keep(s, text[0]);
    ret->err = keep(s, text[1]);
}

struct command command_finish(struct scenario *s, pid_t pid, int out_fd, int err_fd)
{
    int status;
    struct command ret;
    read_all(s, (int[]){out_fd, err_fd}, &ret);
    (void)close(out_fd);
    (void)close(err_fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ret.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return ret;
}

struct command command_run_in(struct scenario *s, const char *dir, const char *const *args)
{
    int out[2];
    int err[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    pid_t pid = start(dir ? scenario_path(s, dir) : scenario_dir(s), args, out[1], err[1]);
    (void)close(out[1]);
    (void)close(err[1]);
    return command_finish(s, pid, out[0], err[0]);
}

pid_t command_start(struct scenario *s, const char *const *args)
{
    return start(scenario_dir(s), args, -1, -1);
}
