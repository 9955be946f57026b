/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of the launch share: words for the command of a unit, its start and end, what the engine is told, and
 * our standard output caught in a pipe.
 */
#ifndef FOSTER_TESTS_UNIT_DAEMON_LAUNCH_KIT_H
#define FOSTER_TESTS_UNIT_DAEMON_LAUNCH_KIT_H

#include "base/log.h"
#include "daemon/launch.h"
#include "sys/spawn.h"

#include "unit/daemon/bench.h"

enum { TOLD_MAX = 16, TEXT_MAX = 512, HEARD_MAX = 1 << 16, HEARD_GUARD_MS = 60000, ARGS_MAX = 8 };

static struct {
    struct event events[TOLD_MAX];
    char texts[TOLD_MAX][TEXT_MAX];
    size_t n;
    size_t wanted;
} told;

static int listen_fd; /* the other end of standard output, -1: that is untouched */

/** What the engine is told. */
void engine_post(struct engine *g, const struct event *ev)
{
    if (g != &bench || told.n == TOLD_MAX)
        return;
    told.events[told.n] = *ev;
    snprintf(told.texts[told.n], TEXT_MAX, "%s", ev->text != NULL ? ev->text : "");
    told.n++;
}

static inline int begin(void **state)
{
    told.n = 0;
    listen_fd = -1;
    return bench_begin(state);
}

static inline int end(void **state)
{
    if (listen_fd >= 0)
        close(listen_fd);
    return bench_end(state);
}

static inline char *word_of(const char *literal)
{
    return (char *)(uintptr_t)literal;
}

/** Puts WORDS into STORE, as the words of a spec. Returns how many there are. */
static inline size_t copy_words(const char *const *words, char **store)
{
    size_t n = 0;
    for (; words[n] != NULL; n++) {
        assert_true(n < ARGS_MAX);
        store[n] = word_of(words[n]);
    }
    store[n] = NULL;
    return n;
}

static inline void set_command(unsigned i, const char *const *words)
{
    static char *commands[BENCH_UNITS][ARGS_MAX + 1];
    bench_specs[i].n_command = copy_words(words, commands[i]);
    bench_specs[i].command = commands[i];
}

#define COMMAND(unit, ...) set_command(unit, (const char *const[]){__VA_ARGS__, NULL})

/** Makes our standard output a pipe that heard() reads. */
static inline void catch_output(void)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    listen_fd = fds[0];
    rig_replace(STDOUT_FILENO, fds[1]);
}

/** What was written to our standard output since the last call. */
static inline const char *heard(void)
{
    static char text[HEARD_MAX];
    ssize_t n = read(listen_fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/** Waits until as much as WANTED has been written to our standard output, which must be that. */
static inline void assert_heard(const char *wanted)
{
    static char text[HEARD_MAX];
    size_t n = 0;
    do {
        struct pollfd p = {.fd = listen_fd, .events = POLLIN};
        if (*wanted != '\0')
            assert_int_equal(poll(&p, 1, HEARD_GUARD_MS), 1);
        ssize_t got = read(listen_fd, text + n, sizeof text - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    } while (n < strlen(wanted));
    text[n] = '\0';
    assert_string_equal(text, wanted);
}

/** Starts run RUN of unit I, which must go well up to the exec. Returns its process. */
static inline pid_t launch(unsigned i, uint64_t run)
{
    size_t before = told.n;
    launch_unit(&bench_units[i], run);
    assert_int_equal(told.n, before + 1);
    const struct event *ev = &told.events[before];
    if (ev->kind != EVENT_SPAWNED)
        fail_msg("not started: %s", told.texts[before]);
    assert_int_equal(ev->unit, i);
    assert_int_equal(ev->run, run);
    assert_int_equal(ev->pid, bench_units[i].main_pid);
    return bench_units[i].main_pid;
}

/** As the engine does when a run is over. */
static inline int finish(unsigned i)
{
    struct engine_unit *u = &bench_units[i];
    int status = bench_reap(u->main_pid);
    launch_settle(u);
    u->main_pid = 0;
    attrib_run_close(&bench.attrib, u->run);
    u->run = NULL;
    return status;
}

#endif
