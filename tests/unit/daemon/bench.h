/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * An engine without its mind: tables, loop and two units, so that its parts can be tried one by one. Events go
 * to whoever defines engine_post() in the test; the library's engine is then not linked.
 */
#ifndef FOSTER_TESTS_DAEMON_BENCH_H
#define FOSTER_TESTS_DAEMON_BENCH_H

#include "daemon/engine.h"

#include "sys/sys.h"

#include "unit/daemon/rig.h"

enum { BENCH_UNITS = 2, BENCH_FIRST_ID = 7000 };

static struct engine bench;
static struct rlimit bench_nofile;
static struct engine_unit bench_units[BENCH_UNITS];
static struct engine_unit *bench_slots[BENCH_UNITS];
static struct spec bench_specs[BENCH_UNITS];

/** Sets everything up; for a test's setup. */
static inline int bench_begin(void **state)
{
    static const char *const names[BENCH_UNITS] = {"web", "db"};
    struct rlimit lim;
    if (rig_begin(state) != 0 || getrlimit(RLIMIT_LOCKS, &lim) != 0 || sys_set_subreaper(true) != 0)
        return -1;
    memset(&bench, 0, sizeof bench);
    bench.loop = rig.loop;
    list_init(&bench.starting);
    bench.refreshed_in = (unsigned)-1;
    for (size_t i = 0; i < ARRAY_LEN(bench.reserve_fds); i++)
        bench.reserve_fds[i] = -1;
    bench.units = bench_slots;
    bench.n_units = BENCH_UNITS;
    bench.reaper.signal_fd = bench.signals.fd = bench.sdnotify.fd = -1;
    bench.state.lock_fd = bench.state.fd = -1;
    attrib_init(&bench.attrib, lim.rlim_max == RLIM_INFINITY ? UINT64_MAX : lim.rlim_max, 0xf057e5, BENCH_FIRST_ID);
    bench.children_source = procfs_probe();
    if (getrlimit(RLIMIT_NOFILE, &bench_nofile) != 0)
        return -1;
    bench.nofile = &bench_nofile;
    for (unsigned i = 0; i < BENCH_UNITS; i++) {
        spec_defaults(&bench_specs[i]);
        bench_specs[i].name = names[i];
        bench_units[i] = (struct engine_unit){
            .engine = &bench,
            .index = i,
            .spec = &bench_specs[i],
            .instance = 1,
            .status_fd = -1,
        };
        snprintf(bench_units[i].name, sizeof bench_units[i].name, "%s", names[i]);
        bench_slots[i] = &bench_units[i];
    }
    logger_host_init(&bench.logger, &bench);
    rig_catch_log(LOG_LEVEL_INFO);
    return 0;
}

/** Ends every process below us. */
static inline void bench_clear(void)
{
    struct pidlist l = {0};
    siginfo_t info;
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && procfs_children(getpid(), &l)) {
        for (size_t i = 0; i < l.n; i++)
            kill(l.pids[i], SIGKILL);
        for (size_t i = 0; i < l.n; i++)
            waitpid(l.pids[i], NULL, 0);
    }
    pidlist_done(&l);
}

/** For a test's teardown. */
static inline int bench_end(void **state)
{
    logger_host_done(&bench.logger);
    bench_clear();
    for (size_t i = 0; i < BENCH_UNITS; i++) {
        struct engine_unit *u = &bench_units[i];
        if (u->status_fd >= 0)
            ev_io_stop(rig.loop, &u->status_io);
        sys_close_fd(&u->status_fd);
    }
    attrib_done(&bench.attrib);
    pidlist_done(&bench.children);
    pidlist_done(&bench.found);
    mem_free(bench.left);
    for (size_t i = 0; i < ARRAY_LEN(bench.reserve_fds); i++)
        sys_close_fd(&bench.reserve_fds[i]);
    assert_int_equal(sys_set_subreaper(false), 0);
    return rig_end(state);
}

static inline bool bench_is_synced(void *data)
{
    return output_is_settled(data);
}

/** Has the logger send on what unit I has written, with what there is of a line, and waits for that. */
static inline void bench_sync(unsigned i)
{
    for (size_t k = 0; k < SPEC_STREAM_N; k++) {
        struct output_stream *s = bench_units[i].out[k];
        if (s == NULL)
            continue;
        s->sync = ++bench.logger.n_syncs;
        s->is_synced = false;
        const struct message m = {.kind = MESSAGE_SYNC, .id = s->id, .seq = s->sync, .fds = {-1, -1}};
        assert_int_equal(logger_host_send(&bench.logger, &m), 0);
    }
    rig_run_until(bench_is_synced, &bench_units[i]);
}

/** Stops the logger, and waits until it stands still. */
static inline void bench_stop_logger(void)
{
    siginfo_t info;
    assert_int_equal(kill(bench.logger.pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)bench.logger.pid, &info, WSTOPPED | WEXITED), 0);
    assert_int_equal(info.si_code, CLD_STOPPED);
}

/** Ends the logger, if there is one: the next one has what is standard output then. */
static inline void bench_end_logger(void)
{
    pid_t pid = bench.logger.pid;
    logger_host_done(&bench.logger);
    if (pid != 0)
        (void)rig_reap(pid);
    logger_host_init(&bench.logger, &bench);
}

/** A new present run of unit I. */
static inline struct attrib_run *bench_run(unsigned i, uint64_t run)
{
    bench_units[i].run = attrib_run_open(&bench.attrib, i, run);
    assert_non_null(bench_units[i].run);
    return bench_units[i].run;
}

/** Reaps our child PID, blocking, and takes it out of the tables; returns its wait status. */
static inline int bench_reap(pid_t pid)
{
    int status = rig_reap(pid);
    struct attrib_proc *p = attrib_find(&bench.attrib, pid);
    if (p != NULL)
        attrib_remove(&bench.attrib, p);
    return status;
}

#endif
