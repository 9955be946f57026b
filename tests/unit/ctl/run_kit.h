/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * fosterctl in a process of its own against a daemon that knows its lines: what it has to hear, and what it says then.
 */
#ifndef FOSTER_TESTS_CTL_RUN_KIT_H
#define FOSTER_TESTS_CTL_RUN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIT_STEPS_MAX = 4, KIT_WORDS_MAX = 10, KIT_OUT_MAX = 32 << 10, KIT_GUARD_S = 60 };

/** One request and what is said to it. */
struct kit_step {
    /** The request from its method on, less the last brace; with '*' in front: such requests come any number of times,
     * or never. NULL: the script is over. */
    const char *hears;
    /** '$' is the request's id; with '!' in front the daemon closes then. NULL: nothing, the client waits. */
    const char *says;
};

/** What the fake daemon listens at, and who it is. */
struct kit {
    char dir[32];
    char path[64];
    pid_t daemon; /**< 0: nobody was started */
};

/** What has become of a run. */
struct kit_run {
    int status; /**< as of waitpid(2) */
    char out[KIT_OUT_MAX];
    char err[KIT_OUT_MAX];
};

static inline void kit_say(int fd, const char *says, long long id)
{
    static char text[KIT_OUT_MAX];
    size_t n = 0;
    for (const char *c = says + (*says == '!'); *c != '\0' && n < sizeof text - 32; c++)
        if (*c == '$')
            n += (size_t)snprintf(text + n, sizeof text - n, "%lld", id);
        else
            text[n++] = *c;
    if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
        _exit(3);
}

/* What a request says from its method on, less the last brace and the newline. */
static inline char *kit_request(char *line, long long *ret_id)
{
    char *id = strstr(line, "\"id\":"), *method = strstr(line, "\"method\":"), *end = strrchr(line, '}');
    if (id == NULL || method == NULL || end == NULL)
        _exit(4);
    *ret_id = atoll(id + strlen("\"id\":"));
    *end = '\0';
    return method;
}

static inline bool kit_is_repeated(const struct kit_step *step)
{
    return step->hears != NULL && *step->hears == '*';
}

static inline void kit_daemon(int listen_fd, const struct kit_step *step)
{
    char *line = NULL;
    size_t size = 0;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    FILE *in = fdopen(fd, "r");
    while (in != NULL && getline(&line, &size, in) > 0) {
        long long id;
        const char *request = kit_request(line, &id);
        if (strcmp(request, "\"method\":\"hello\",\"params\":{\"protocol\":1}") == 0) {
            kit_say(fd,
                    "{\"id\":$,\"result\":{\"protocol\":1,\"version\":\"0\",\"pid\":1,\"name\":\"x\",\"capabilities\":["
                    "]}}\n",
                    id);
            continue;
        }
        while (kit_is_repeated(step) && strcmp(request, step->hears + 1) != 0)
            step++;
        bool repeated = kit_is_repeated(step);
        if (step->hears == NULL || strcmp(request, step->hears + repeated) != 0) {
            dprintf(STDERR_FILENO, "the daemon heard %s, not %s\n", request,
                    step->hears != NULL ? step->hears : "nothing");
            _exit(5);
        }
        if (step->says != NULL)
            kit_say(fd, step->says, id);
        if (step->says != NULL && *step->says == '!')
            _exit(step[1].hears == NULL ? 0 : 6);
        step += !repeated;
    }
    while (kit_is_repeated(step))
        step++;
    _exit(step->hears == NULL ? 0 : 7);
}

/** Starts a daemon that knows STEPS; NULL: nobody listens. */
static inline void kit_begin(struct kit *k, const struct kit_step *steps)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    *k = (struct kit){.dir = "/tmp/foster-ctl.XXXXXX"};
    assert_non_null(mkdtemp(k->dir));
    snprintf(k->path, sizeof k->path, "%s/control.sock", k->dir);
    if (steps == NULL)
        return;
    memcpy(at.sun_path, k->path, sizeof k->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 4), 0);
    k->daemon = fork();
    assert_true(k->daemon >= 0);
    if (k->daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(KIT_GUARD_S);
        kit_daemon(fd, steps);
    }
    close(fd);
}

/** The end: the daemon has heard all that it was to hear. */
static inline void kit_end(struct kit *k)
{
    int status = 0;
    if (k->daemon > 0)
        assert_int_equal(waitpid(k->daemon, &status, 0), k->daemon);
    unlink(k->path);
    assert_int_equal(rmdir(k->dir), 0);
    if (status != 0)
        fail_msg("the daemon ended with %#x", (unsigned)status);
}

/** Starts fosterctl with WORDS; its descriptors 0, 1 and 2 become FDS (-1: closed). LEADS: the session of the terminal
 * that it is on, as a shell would have made it. */
static inline pid_t kit_fork(const struct kit *k, const char *const *words, const int fds[3], bool leads)
{
    char *argv[KIT_WORDS_MAX + 2] = {(char *)(uintptr_t) "fosterctl"};
    int argc = 1;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(KIT_GUARD_S);
    for (int fd = 0; fd < 3; fd++)
        if (fds[fd] >= 0)
            dup2(fds[fd], fd);
        else
            close(fd);
    if (leads && (setsid() < 0 || ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0))
        _exit(9);
    for (int fd = 3; fd < 64; fd++) /* there is no exec that would close the other ends of pipes */
        close(fd);
    for (; *words != NULL; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    setenv("FOSTER_SOCKET", k->path, 1);
    exit(ctl_main(argc, argv));
}

static inline bool kit_read(int fd, char *text, size_t *len)
{
    ssize_t n = read(fd, text + *len, KIT_OUT_MAX - 1 - *len);
    if (n > 0)
        *len += (size_t)n;
    text[*len] = '\0';
    return n > 0;
}

/** Runs fosterctl with WORDS to its end, its output in *RUN. */
static inline void kit_run(const struct kit *k, const char *const *words, struct kit_run *run)
{
    int out[2], err[2];
    size_t n_out = 0, n_err = 0;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = kit_fork(k, words, (const int[]){null_fd, out[1], err[1]}, false);
    close(null_fd);
    close(out[1]);
    close(err[1]);
    struct pollfd p[] = {{.fd = out[0], .events = POLLIN}, {.fd = err[0], .events = POLLIN}};
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        assert_true(poll(p, 2, KIT_GUARD_S * 1000) > 0);
        if (p[0].revents != 0 && !kit_read(out[0], run->out, &n_out))
            p[0].fd = -1;
        if (p[1].revents != 0 && !kit_read(err[0], run->err, &n_err))
            p[1].fd = -1;
    }
    close(out[0]);
    close(err[0]);
    assert_int_equal(waitpid(pid, &run->status, 0), pid);
}

/** One run. */
struct run_case {
    const char *words[KIT_WORDS_MAX];
    struct kit_step steps[KIT_STEPS_MAX];
    int status;
    const char *out; /* all of it; with '%' in front: it is somewhere in it; NULL: nothing */
    const char *err; /* likewise */
};

#define STATUS(params) "\"method\":\"status\",\"params\":" params
#define OUTCOME(name, ok, done, text)                                                                                  \
    "{\"name\":\"" name "\",\"ok\":" ok ",\"done\":" done ",\"state\":\"ready\",\"text\":\"" text                      \
    "\",\"ms\":1,\"pid\":7,\"lines\":[]}"
#define PROGRESS(outcome)       "{\"method\":\"progress\",\"params\":{\"id\":$,\"outcome\":" outcome "}}\n"
#define RESULT(result)          "{\"id\":$,\"result\":" result "}\n"
#define ERROR(code, text, data) "{\"id\":$,\"error\":{\"code\":" code ",\"message\":\"" text "\",\"data\":" data "}}\n"
#define SERVICE(name, state, wanted)                                                                                   \
    "{\"name\":\"" name "\",\"service\":\"" name "\",\"state\":\"" state "\",\"health\":\"-\",\"wanted\":" wanted      \
    ",\"pid\":7,\"reason\":null,\"command\":\"cmd-of-" name "\"}"
#define SERVICES(list) "{\"daemon\":{\"stopping\":false},\"services\":[" list "]}"

static inline void kit_assert_text(size_t i, const char *what, const char *got, const char *wanted)
{
    bool ok = wanted == NULL   ? *got == '\0'
              : *wanted == '%' ? strstr(got, wanted + 1) != NULL
                               : strcmp(got, wanted) == 0;
    if (!ok)
        fail_msg("case %zu: %s is\n%s\nand not\n%s", i, what, got, wanted != NULL ? wanted : "empty");
}

/** Runs number I and compares; with a daemon or without one. */
static inline void kit_check(const struct run_case *c, size_t i, bool has_daemon)
{
    static struct kit_run run;
    struct kit k;
    run = (struct kit_run){0};
    kit_begin(&k, has_daemon ? c->steps : NULL);
    kit_run(&k, c->words, &run);
    kit_assert_text(i, "standard output", run.out, c->out);
    kit_assert_text(i, "standard error", run.err, c->err);
    if (!WIFEXITED(run.status) || WEXITSTATUS(run.status) != c->status)
        fail_msg("case %zu ended with %#x, not %d", i, (unsigned)run.status, c->status);
    kit_end(&k);
}

/** Runs all CASES, an array. */
#define RUN_CASES(cases)                                                                                               \
    do {                                                                                                               \
        for (size_t i_ = 0; i_ < ARRAY_LEN(cases); i_++)                                                               \
            kit_check(&(cases)[i_], i_, true);                                                                         \
    } while (0)

#endif
