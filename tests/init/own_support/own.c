/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Init mode in the scenario harness, see own.h.
 */
#include "init/own_support/own.h"

#include "init/support/look.h"
#include "scenario/support/internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_WORDS_MAX = 60 };

struct scenario *own_new(void)
{
    struct scenario *s = scenario_new();
    scenario_ear(s, "ear");
    scenario_gate(s, "gate");
    return s;
}

static const char *init_path(struct scenario *s, const char *word)
{
    char *path = NULL;
    if (strchr(word, '/')) {
        return word;
    }
    assert_true(asprintf(&path, INIT_NAMES "/%s", word) > 0);
    return keep(s, path);
}

void own_spawn(struct scenario *s, const struct scenario_options *o, const char *line)
{
    const char *words[LINE_WORDS_MAX + 1] = {"env"};
    size_t n = 1;
    size_t init = 0;
    struct scenario_options all = o ? *o : (struct scenario_options){0};
    char *text = scenario_expand(s, line);
    char *rest = text;
    (void)keep(s, text);
    for (char *word; (word = strtok_r(NULL, " ", &rest));) {
        assert_true(n < LINE_WORDS_MAX);
        if (!init && !strchr(word, '=')) {
            init = n;
        }
        words[n++] = word;
    }
    words[n] = NULL;
    all.fosterd = init_path(s, words[init]);
    all.args = words + init + 1;
    words[init] = NULL;
    all.prefix = init > 1 ? words : NULL;
    all.no_config = all.plain_log = all.init_mode = true;
    scenario_spawn(s, &all, "");
}

struct scenario *own_start_with(const struct scenario_options *o, const char *line)
{
    struct scenario *s = own_new();
    own_spawn(s, o, line);
    return s;
}

struct scenario *own_start(const char *line)
{
    return own_start_with(NULL, line);
}

void own_hear(struct scenario *s, const char *word)
{
    const char *heard = scenario_heard(s, "ear");
    if (strcmp(heard, word) != 0) {
        scenario_fail(s, "heard %s instead of %s", heard, word);
    }
}

pid_t own_hear_pid(struct scenario *s, const char *word)
{
    const char *heard = scenario_heard(s, "ear");
    size_t n = strlen(word);
    if (strncmp(heard, word, n) != 0 || heard[n] != ':') {
        scenario_fail(s, "heard %s instead of %s:PID", heard, word);
    }
    return (pid_t)strtol(heard + n + 1, NULL, 10);
}

void own_hear_all(struct scenario *s, const char *const *words, size_t n)
{
    enum { WORDS_AT_ONCE = 8 };
    bool used[WORDS_AT_ONCE] = {false};
    assert_true(n <= WORDS_AT_ONCE);
    for (size_t left = n; left > 0; left--) {
        const char *heard = scenario_heard(s, "ear");
        size_t i = 0;
        while (i < n && (used[i] || strcmp(words[i], heard) != 0)) {
            i++;
        }
        if (i == n) {
            scenario_fail(s, "heard %s, which was not to be said", heard);
        }
        used[i] = true;
    }
}

void own_check_silent(struct scenario *s)
{
    static const char mark[] = "silence\n";
    int fd = open(scenario_path(s, "ear"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, mark, strlen(mark)), (ssize_t)strlen(mark));
    (void)close(fd);
    own_hear(s, "silence");
}

void own_end_printed(struct scenario *s, int code, size_t n)
{
    scenario_end(s, code);
    own_check_silent(s);
    if (scenario_lines(s, NULL) != n) {
        scenario_fail(s, "%zu lines on standard output instead of %zu", scenario_lines(s, NULL), n);
    }
}

void own_end(struct scenario *s, int code)
{
    own_end_printed(s, code, 0);
}

void own_end_quietly(struct scenario *s, int code)
{
    own_end(s, code);
    if (s->n_raw > 0) {
        scenario_fail(s, "a word on standard error: %s", s->raw[0].text);
    }
}

void own_wait_gone(struct scenario *s, pid_t pid)
{
    procs_wait_end(s, pid);
    while (procs_state(pid)) {
        (void)scenario_time_left(s);
        look_again();
    }
}

void own_wait_idle(struct scenario *s)
{
    while (look_pending(s->pid) || look_state(s->pid) != 'S') {
        (void)scenario_time_left(s);
        look_again();
    }
}

void own_wait_heir(struct scenario *s, pid_t pid)
{
    static struct procs children;
    for (procs_children(s->pid, &children); children.n != 1 || children.pids[0] != pid;) {
        (void)scenario_time_left(s);
        look_again();
        procs_children(s->pid, &children);
    }
    own_wait_idle(s);
}

void own_hold(struct scenario *s)
{
    siginfo_t info;
    scenario_signal(s, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)s->pid, &info, WSTOPPED | WNOWAIT), 0);
}

void own_release(struct scenario *s)
{
    scenario_signal(s, SIGCONT);
}

bool own_is_there(struct scenario *s)
{
    (void)events_read(s, 0);
    return !s->reaped && procs_is_alive(s->pid);
}

void own_kill(struct scenario *s, pid_t pid)
{
    scenario_check(s, procs_is_alive(pid) && procs_parent(pid) == getpid());
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}
