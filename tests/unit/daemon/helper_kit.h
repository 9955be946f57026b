/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * What the tests of helpers share: two units with the real reaper below them, commands for a shell, and what became
 * of them.
 */
#ifndef FOSTER_TESTS_UNIT_DAEMON_HELPER_KIT_H
#define FOSTER_TESTS_UNIT_DAEMON_HELPER_KIT_H

#include "daemon/census.h"
#include "daemon/deaths.h"
#include "daemon/helper.h"

#include "unit/daemon/launch_kit.h"

enum { KIT_ENDS_MAX = 4 };

/** How the helpers of this test have ended. */
static struct {
    struct engine_unit *unit;
    struct helper_result result; /* its pointers are not valid */
    char text[HELPER_TEXT_MAX];
    char output[HELPER_OUTPUT_MAX + 1];
    size_t n_left; /* children of ours that were there when it was told */
} ended[KIT_ENDS_MAX];

static size_t n_ended;

/* What is to be started when one has ended; NULL: nothing. */
static const struct helper_request *kit_next;

static inline void kit_on_zombie(pid_t pid, void *data)
{
    census_meet(data, pid);
}

static inline void kit_on_slice(const struct reaper_note *notes, size_t n, void *data)
{
    deaths_take(data, notes, n);
}

static inline int kit_begin(void **state)
{
    struct err e = {0};
    n_ended = 0;
    kit_next = NULL;
    if (begin(state) != 0)
        return -1;
    bench.reaper =
        (struct reaper){.signal_fd = -1, .on_zombie = kit_on_zombie, .on_slice = kit_on_slice, .data = &bench};
    return reaper_start(&bench.reaper, rig.loop, &e) ? 0 : -1;
}

static inline int kit_end(void **state)
{
    for (unsigned i = 0; i < BENCH_UNITS; i++)
        helper_forget_unit(&bench_units[i]);
    helper_free_all(&bench);
    reaper_stop(&bench.reaper);
    return end(state);
}

static inline void kit_on_done(struct engine_unit *u, const struct helper_result *r, void *data)
{
    struct helper *h;
    struct err e = {0};
    (void)data;
    if (n_ended == KIT_ENDS_MAX)
        return;
    ended[n_ended].unit = u;
    ended[n_ended].result = *r;
    ended[n_ended].n_left = bench.attrib.procs.n;
    snprintf(ended[n_ended].text, sizeof ended[n_ended].text, "%s", r->text);
    memcpy(ended[n_ended].output, r->output, r->n_output);
    ended[n_ended].output[r->n_output] = '\0';
    n_ended++;
    const struct helper_request *next = kit_next;
    kit_next = NULL;
    if (next != NULL && !helper_start(u, next, &h, &e))
        n_ended = KIT_ENDS_MAX;
}

/** A request for the shell to run SCRIPT, its output captured. */
static inline struct helper_request kit_request(const char *script)
{
    static char *argv[][4] = {{NULL, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL}};
    static size_t turn;
    turn = (turn + 1) % ARRAY_LEN(argv);
    argv[turn][0] = word_of("/bin/sh");
    argv[turn][1] = word_of("-c");
    argv[turn][2] = word_of(script);
    return (struct helper_request){.what = "pre_start", .argv = argv[turn], .capture = true, .done = kit_on_done};
}

/** Starts REQ beside unit I. */
static inline struct helper *kit_start(unsigned i, const struct helper_request *req)
{
    struct helper *h = NULL;
    struct err e = {0};
    if (!helper_start(&bench_units[i], req, &h, &e))
        fail_msg("not started: %s", e.text);
    return h;
}

static inline bool kit_have_ended(void *data)
{
    return n_ended >= *(const size_t *)data;
}

/** Waits until N helpers have been told. */
static inline void kit_await(size_t n)
{
    rig_run_until(kit_have_ended, &n);
}

static inline bool kit_is_empty(void *data)
{
    (void)data;
    return bench.attrib.procs.n == 0;
}

/** Waits until we have no children left. */
static inline void kit_await_nobody(void)
{
    rig_run_until(kit_is_empty, NULL);
}

/** Runs SCRIPT beside unit 0 to its end, which is told as the first. */
static inline void kit_run(const char *script)
{
    struct helper_request req = kit_request(script);
    kit_start(0, &req);
    kit_await(1);
}

/** The process with which helper number N (from 1 on) began; 0: it is gone. */
static inline pid_t kit_pid(uint64_t n)
{
    const struct attrib_run *run = attrib_run_find(&bench.attrib, ATTRIB_HELPER_RUNS | n);
    return run != NULL && run->n_members > 0 ? CONTAINER_OF(run->members.next, struct attrib_proc, in_run)->pid : 0;
}

/** A FIFO in the test's directory on which scripts can wait ("read x <FIFO"), held open so that nothing is lost;
 * returns our end. Its path is in the variable GATE of unit 0. */
static inline int kit_gate(void)
{
    static char path[RIG_PATH_MAX];
    static struct spec_env env = {.name = "GATE", .value = path};
    rig_dir();
    rig_path("gate", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    bench_specs[0].environment = &env;
    bench_specs[0].n_environment = 1;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

#endif
