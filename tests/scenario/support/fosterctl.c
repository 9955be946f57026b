/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * fosterctl, see fosterctl.h.
 */
#include "scenario/support/fosterctl.h"

#include "scenario/support/internal.h"
#include "scenario/support/worlds.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { CHUNK = 64 << 10, ROWS = 20, COLUMNS = 100 };

struct fosterctl {
    struct scenario *s;
    pid_t pid;
    int fd;                /* owned; what it says, and the keyboard of a terminal */
    int slave_fd;          /* owned; the terminal, which stays open with it; -1: none */
    struct termios before; /* its settings */
    char *seen;            /* owned; what nobody has waited for yet */
    size_t len;
};

/** How the child is to be. */
struct world {
    const char *program;
    const char *const *words;
    const uid_t *user; /* NULL: as we are */
    int in;
    int out;
    int err;
    bool leads; /* the session of the terminal that it is on */
    bool brief; /* ends by itself: what it had is not worth a search for leaks, half of what the sanitizers cost it */
};

static bool is_assignment(const char *word)
{
    size_t n = !word ? 0 : strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    return n > 0 && word[n] == '=';
}

/** Sets the variables that WORDS begin with; what is behind them. */
static const char *const *set_environment(struct scenario *s, const char *const *words)
{
    static const char *const removed[] = {"FOSTER_SOCKET", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS",
                                          "LINES",         "LANG",     "LC_CTYPE",       "TZ"};
    for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
        (void)unsetenv(removed[i]);
    }
    (void)setenv("FOSTER_RUNTIME_DIR", scenario_path(s, "run"), 1);
    (void)setenv("LC_ALL", "C", 1);
    (void)setenv("TERM", "xterm", 1);
    for (; is_assignment(*words); words++) {
        const char *equals = strchr(*words, '=');
        char *name = must(strndup(*words, (size_t)(equals - *words)));
        (void)(equals[1] ? setenv(name, equals + 1, 1) : unsetenv(name));
        free(name);
    }
    return words;
}

static pid_t start(struct scenario *s, const struct world *w)
{
    const char *argv[COMMAND_WORDS_MAX] = {"fosterctl"};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_DFL);
    const char *const *words = set_environment(s, w->words);
    for (size_t i = 0; words[i]; i++) {
        if (i + 2 >= COMMAND_WORDS_MAX) {
            _exit(110);
        }
        argv[i + 1] = words[i];
    }
    if (dup2(w->in, 0) < 0 || dup2(w->out, 1) < 0 || dup2(w->err, 2) < 0 || chdir(scenario_dir(s)) ||
        (w->leads && (setsid() < 0 || ioctl(0, TIOCSCTTY, 0)))) {
        _exit(111);
    }
    if (w->user) {
        world_user((void *)(uintptr_t)w->user);
    }
    if (w->brief) {
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
    }
    (void)execv(w->program, (char *const *)(void *)argv);
    _exit(112);
}

static struct command run(struct scenario *s, const char *program, const uid_t *user, const char *const *words)
{
    int out[2];
    int err[2];
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(null >= 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    pid_t pid = start(
        s,
        &(struct world){
            .program = program, .words = words, .user = user, .in = null, .out = out[1], .err = err[1], .brief = true});
    (void)close(null);
    (void)close(out[1]);
    (void)close(err[1]);
    return command_finish(s, pid, out[0], err[0]);
}

struct command fosterctl_words(struct scenario *s, const char *const *words)
{
    return run(s, FOSTERCTL, NULL, words);
}

struct command fosterctl_words_as(struct scenario *s, uid_t uid, const char *const *words)
{
    return run(s, scenario_copy(s, FOSTERCTL, "fosterctl"), &uid, words);
}

/** Whether TEXT is what PATTERN describes. */
static bool fits(const char *pattern, const char *text)
{
    while (*pattern && *pattern != '*') {
        if (*pattern++ != *text++) {
            return false;
        }
    }
    if (!*pattern) {
        return !*text;
    }
    while (!fits(pattern + 1, text)) {
        if (!*text || *text == '\n') {
            return false;
        }
        text++;
    }
    return true;
}

/** TEXT with one blank in the place of several, from malloc. */
static char *squeezed(const char *text)
{
    char *out = must(strdup(text));
    size_t n = 0;
    for (const char *at = text; *at; at++) {
        if (*at != ' ' || n == 0 || out[n - 1] != ' ') {
            out[n++] = *at;
        }
    }
    out[n] = '\0';
    return out;
}

static bool is_said(struct scenario *s, const char *pattern, const char *text)
{
    if (!pattern) {
        return true;
    }
    char *expanded = must(scenario_expand(s, pattern));
    char *wanted = squeezed(expanded);
    char *got = squeezed(text);
    bool ret = fits(wanted, got);
    free(wanted);
    free(got);
    free(expanded);
    return ret;
}

void fosterctl_check(struct scenario *s, struct command got, int code, const char *out, const char *err)
{
    if (got.code == code && is_said(s, out, got.out) && is_said(s, err, got.err)) {
        return;
    }
    print_error("fosterctl has ended with %d and said\n%s\nand on standard error\n%s\n", got.code, got.out, got.err);
    scenario_fail(s, "wanted: %d,\n%s\nand\n%s", code, out ? out : "(anything)", err ? err : "(anything)");
}

static void open_terminal(struct fosterctl *f)
{
    const struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
    f->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    assert_int_equal(grantpt(f->fd), 0);
    assert_int_equal(unlockpt(f->fd), 0);
    f->slave_fd = open(ptsname(f->fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(f->slave_fd >= 0);
    assert_int_equal(ioctl(f->slave_fd, TIOCSWINSZ, &size), 0);
    assert_int_equal(tcgetattr(f->slave_fd, &f->before), 0);
}

struct fosterctl *fosterctl_begin(struct scenario *s, bool on_terminal, const char *const *words)
{
    struct fosterctl *f = must(calloc(1, sizeof(*f)));
    int end[2] = {-1, -1};
    *f = (struct fosterctl){.s = s, .fd = -1, .slave_fd = -1, .seen = must(calloc(1, 1))};
    if (on_terminal) {
        open_terminal(f);
    } else {
        assert_int_equal(pipe2(end, O_CLOEXEC), 0);
        f->fd = end[0];
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = on_terminal ? f->slave_fd : end[1];
    assert_true(null >= 0);
    f->pid = start(s, &(struct world){.program = FOSTERCTL,
                                      .words = words,
                                      .in = on_terminal ? f->slave_fd : null,
                                      .out = out,
                                      .err = out,
                                      .leads = on_terminal});
    (void)close(null);
    if (!on_terminal) {
        (void)close(end[1]);
    }
    return f;
}

/** Reads what there is; false when there is nothing, and at the end of a pipe. */
static bool read_some(struct fosterctl *f, int timeout_ms)
{
    struct pollfd p = {.fd = f->fd, .events = POLLIN};
    if (poll(&p, 1, timeout_ms) <= 0) {
        return false;
    }
    f->seen = must(realloc(f->seen, f->len + CHUNK + 1));
    ssize_t n = read(f->fd, f->seen + f->len, CHUNK);
    f->len += n > 0 ? (size_t)n : 0;
    f->seen[f->len] = '\0';
    return n > 0;
}

const char *fosterctl_await(struct fosterctl *f, const char *text)
{
    char *at;
    while ((at = strstr(f->seen, text)) == NULL) {
        if (!read_some(f, scenario_time_left(f->s))) {
            scenario_fail(f->s, "fosterctl has not said '%s', but\n%s", text, f->seen);
        }
    }
    const char *before = keep(f->s, must(strndup(f->seen, (size_t)(at - f->seen))));
    at += strlen(text);
    f->len -= (size_t)(at - f->seen);
    (void)memmove(f->seen, at, f->len + 1);
    return before;
}

pid_t fosterctl_pid(const struct fosterctl *f)
{
    return f->pid;
}

void fosterctl_type(struct fosterctl *f, const char *keys)
{
    assert_true(f->slave_fd >= 0);
    assert_int_equal(write(f->fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

bool fosterctl_is_cooked(const struct fosterctl *f)
{
    struct termios now;
    assert_int_equal(tcgetattr(f->slave_fd, &now), 0);
    return now.c_lflag == f->before.c_lflag && !memcmp(now.c_cc, f->before.c_cc, sizeof(now.c_cc));
}

/** Reads until it has ended: a terminal that nobody reads would hold it. */
static void read_to_the_end(struct fosterctl *f)
{
    int pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
    struct pollfd p[] = {{.fd = f->fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    assert_true(pidfd >= 0);
    while (!p[1].revents) {
        if (poll(p, 2, scenario_time_left(f->s)) <= 0) {
            scenario_fail(f->s, "fosterctl does not end; it has said\n%s", f->seen);
        }
        if (p[0].revents && !read_some(f, 0)) {
            p[0].fd = -1;
        }
    }
    while (read_some(f, 0)) {
    }
    (void)close(pidfd);
}

struct command fosterctl_end(struct fosterctl *f)
{
    int status;
    struct command ret = {.err = ""};
    read_to_the_end(f);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    ret.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    ret.out = keep(f->s, f->seen);
    if (f->slave_fd >= 0) {
        scenario_check(f->s, fosterctl_is_cooked(f));
        (void)close(f->slave_fd);
    }
    (void)close(f->fd);
    free(f);
    return ret;
}
