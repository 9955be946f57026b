/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A parent that makes zombies, waits for them or does not, on command; and an engine that looks at it.
 */
#ifndef FOSTER_TESTS_DAEMON_ZOMBIES_KIT_H
#define FOSTER_TESTS_DAEMON_ZOMBIES_KIT_H

#include "daemon/census.h"
#include "daemon/zombies.h"
#include "sys/sys.h"

#include "unit/daemon/bench.h"

#include <pthread.h>

/** What a parent does for a letter; it answers with the number of the process that it has made, or 0. */
enum {
    ZK_ZOMBIE = 'z', /* makes a zombie */
    ZK_WAIT = 'w',   /* waits for all of them */
    ZK_LEADER = 'l', /* makes one whose first thread alone has ended */
    ZK_CATCH = 'c',  /* from now on waits for all of them at each SIGCHLD */
};

/** A parent. */
struct zk_parent {
    pid_t pid;
    int orders; /* owned */
    int said;   /* owned */
};

static struct {
    struct spec_set set;
    struct zk_parent parents[BENCH_UNITS];
    unsigned n_posted;
    struct event posted;
} zk;

void engine_post(struct engine *g, const struct event *ev)
{
    (void)g;
    zk.n_posted++;
    zk.posted = *ev;
}

static inline void zk_reap_all(int sig)
{
    int errnum = errno;
    (void)sig;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    errno = errnum;
}

static inline void *zk_linger(void *data)
{
    (void)data;
    for (;;)
        (void)pause();
    return data;
}

static inline pid_t zk_make_zombie(void)
{
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 ? pid : -1;
}

/* Its thread lives on; the parent sees when the first one has ended. */
static inline pid_t zk_make_leader(void)
{
    pid_t pid = fork();
    pthread_t thread;
    struct procstat st;
    if (pid == 0) {
        if (pthread_create(&thread, NULL, zk_linger, NULL) != 0)
            _exit(99);
        pthread_exit(NULL);
    }
    do
        sched_yield();
    while (procfs_stat(pid, &st) && st.state != 'Z');
    return pid;
}

static inline int zk_live(void *data)
{
    const int *fds = data;
    const struct sigaction action = {.sa_handler = zk_reap_all, .sa_flags = SA_RESTART};
    sigset_t none;
    char order;
    /* None is kept for a handler that comes later. */
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return 99;
    while (read(fds[0], &order, 1) == 1) {
        pid_t answer = 0;
        if (order == ZK_ZOMBIE)
            answer = zk_make_zombie();
        else if (order == ZK_LEADER)
            answer = zk_make_leader();
        else if (order == ZK_WAIT)
            zk_reap_all(0);
        else if (order == ZK_CATCH)
            answer = sigaction(SIGCHLD, &action, NULL);
        if (write(fds[1], &answer, sizeof answer) != (ssize_t)sizeof answer)
            return 99;
    }
    return 0;
}

/** Has the parent of unit I do ORDER N times; its last answer. */
static inline pid_t zk_order(unsigned i, char order, unsigned n)
{
    pid_t answer = -1;
    while (n-- > 0) {
        assert_int_equal(write(zk.parents[i].orders, &order, 1), 1);
        assert_int_equal(read(zk.parents[i].said, &answer, sizeof answer), sizeof answer);
    }
    return answer;
}

/** Starts a parent as the main process of unit I. */
static inline void zk_start(unsigned i)
{
    int orders[2], said[2], theirs[2];
    assert_int_equal(pipe2(orders, O_CLOEXEC) | pipe2(said, O_CLOEXEC), 0);
    theirs[0] = orders[0];
    theirs[1] = said[1];
    pid_t pid = rig_fork(zk_live, theirs);
    close(orders[0]);
    close(said[1]);
    zk.parents[i] = (struct zk_parent){.pid = pid, .orders = orders[1], .said = said[0]};
    assert_non_null(attrib_add(&bench.attrib, pid, bench_run(i, 100 + i), ATTRIB_MAIN, ATTRIB_BORN, sys_now_ms()));
    bench_units[i].main_pid = pid;
}

/** Ends the parent of unit I, and its zombies with it. */
static inline void zk_end(unsigned i)
{
    struct zk_parent *p = &zk.parents[i];
    if (p->pid == 0)
        return;
    close(p->orders);
    close(p->said);
    kill(p->pid, SIGKILL);
    (void)bench_reap(p->pid);
    bench_units[i].main_pid = 0;
    *p = (struct zk_parent){0};
}

/** For a test's setup: both units warn from the second zombie on, and are looked at when the test says so. */
static inline int zk_begin(void **state)
{
    if (bench_begin(state) != 0)
        return -1;
    memset(&zk, 0, sizeof zk);
    spec_supervisor_defaults(&zk.set.supervisor);
    zk.set.supervisor.zombies.limit = 2;
    bench.set = &zk.set;
    zombies_start(&bench);
    return bench.zombies != NULL ? 0 : -1;
}

/** For its teardown. */
static inline int zk_done(void **state)
{
    for (unsigned i = 0; i < BENCH_UNITS; i++) {
        zk_end(i);
        zombie_note_free(&bench_units[i]);
    }
    zombies_stop(&bench);
    return bench_end(state);
}

static inline bool zk_is_idle(void *data)
{
    (void)data;
    return list_is_empty(&bench.zombies->jobs.ready) && list_is_empty(&bench.zombies->jobs.resting);
}

static inline void zk_on_looked(struct zombie_job *job)
{
    (void)job;
}

/** Looks at all units, and carries out their policies. */
static inline void zk_look(void)
{
    assert_true(zombies_look_now(&bench, zk_on_looked));
    rig_run_until(zk_is_idle, NULL);
}

/** What is remembered of unit I. */
static inline const struct zombie_record *zk_record(unsigned i)
{
    const struct zombie_note *note = zombie_note_of(&bench, i, false);
    assert_non_null(note);
    return &note->record;
}

#endif
