/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Reaping real children: nothing is missed however many die behind one signal, each can be looked at before it
 * is gone, a flood leaves room for others, and what goes wrong never makes the loop spin.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "daemon/reaper.h"
#include "sys/procfs.h"
#include "sys/sys.h"

#include "unit/daemon/rig.h"

enum { NOTES_MAX = 4096, FLOOD = 3000, TAG = 0x7a6b5c };

/* What on_zombie could find out of one child. */
struct sight {
    pid_t pid;
    bool is_zombie;
    bool has_tag;
    uint64_t tag;
};

static struct reaper reaper;

static struct {
    struct reaper_note notes[NOTES_MAX];
    size_t n_notes;
    size_t slices[NOTES_MAX];
    size_t n_slices;
    struct sight sights[NOTES_MAX];
    size_t n_sights;
    size_t n_looked_up; /* sights at the last slice: all of them are reaped by then */
    size_t n_unreaped;  /* ended children in a slice that were still there */
    pid_t steal;        /* on_zombie waits for this one itself */
    char order[NOTES_MAX];
    size_t n_order; /* 's' a slice, 'o' the other watcher */
    size_t wanted;  /* notes */
} seen;

static void remember(char what)
{
    if (seen.n_order < sizeof seen.order - 1)
        seen.order[seen.n_order++] = what;
}

static void on_zombie(pid_t pid, void *data)
{
    struct procstat st;
    struct sight *s = &seen.sights[seen.n_sights % NOTES_MAX];
    *s = (struct sight){.pid = pid};
    s->is_zombie = procfs_stat(pid, &st) && st.state == 'Z' && st.pid == pid;
    s->has_tag = procfs_tag(pid, &s->tag);
    seen.n_sights++;
    if (pid == seen.steal)
        waitpid(pid, NULL, 0);
    if (data != &seen)
        seen.n_unreaped++;
}

static void on_slice(const struct reaper_note *notes, size_t n, void *data)
{
    for (size_t i = 0; i < n && seen.n_notes < NOTES_MAX; i++) {
        seen.notes[seen.n_notes++] = notes[i];
        bool ended = WIFEXITED(notes[i].wstatus) || WIFSIGNALED(notes[i].wstatus);
        seen.n_unreaped += ended && kill(notes[i].pid, 0) == 0;
    }
    if (seen.n_slices < NOTES_MAX)
        seen.slices[seen.n_slices++] = n;
    remember('s');
    if (data != &seen)
        seen.n_unreaped++;
}

static void start(void)
{
    struct err e = {0};
    memset(&seen, 0, sizeof seen);
    memset(&reaper, 0, sizeof reaper);
    reaper.signal_fd = -1;
    reaper.on_zombie = on_zombie;
    reaper.on_slice = on_slice;
    reaper.data = &seen;
    assert_true(reaper_start(&reaper, rig.loop, &e));
}

static int end(void **state)
{
    reaper_stop(&reaper);
    assert_int_equal(sys_set_subreaper(false), 0);
    return rig_end(state);
}

static bool has_wanted(void *data)
{
    (void)data;
    return seen.n_notes >= seen.wanted;
}

static void await(size_t n_notes)
{
    seen.wanted = n_notes;
    rig_run_until(has_wanted, NULL);
    assert_int_equal(seen.n_notes, n_notes);
    assert_int_equal(seen.n_unreaped, 0);
}

/* The wait status of PID's only note. */
static int status_of(pid_t pid)
{
    int status = -1;
    int n = 0;
    for (size_t i = 0; i < seen.n_notes; i++)
        if (seen.notes[i].pid == pid) {
            status = seen.notes[i].wstatus;
            n++;
        }
    assert_int_equal(n, 1);
    return status;
}

static const struct sight *sight_of(pid_t pid)
{
    for (size_t i = 0; i < seen.n_sights; i++)
        if (seen.sights[i].pid == pid)
            return &seen.sights[i];
    fail_msg("process %d was not looked at", (int)pid);
    return NULL;
}

static int leave(void *data)
{
    return *(int *)data;
}

/* A child that ends at once: not by fork, which would copy all of us thousands of times. */
static pid_t vanish(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        _exit(0);
    return pid;
}

static void make_zombies(pid_t *pids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pids[i] = vanish();
        assert_true(pids[i] > 0);
    }
    for (size_t i = 0; i < n; i++)
        rig_await_zombie(pids[i]);
}

static int die(void *data)
{
    kill(getpid(), *(int *)data);
    return 0;
}

static void tells_how_each_ended(void **state)
{
    static struct {
        int (*fn)(void *data);
        int value;
        int status;
    } cases[] = {
        {leave, 0, 0},           {leave, 1, 1 << 8},      {leave, 255, 255 << 8},
        {die, SIGKILL, SIGKILL}, {die, SIGTERM, SIGTERM}, {die, SIGUSR1, SIGUSR1},
    };
    pid_t pids[ARRAY_LEN(cases)];
    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        pids[i] = rig_fork(cases[i].fn, &cases[i].value);
    await(ARRAY_LEN(cases));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(status_of(pids[i]), cases[i].status);
    assert_int_equal(reaper.n_reaped, ARRAY_LEN(cases));
    assert_int_equal(seen.n_sights, ARRAY_LEN(cases));
}

static int wear_tag(void *data)
{
    struct rlimit lim = {.rlim_cur = *(rlim_t *)data, .rlim_max = *(rlim_t *)data};
    return setrlimit(RLIMIT_LOCKS, &lim) != 0;
}

static void looks_before_it_reaps(void **state)
{
    rlim_t tags[] = {TAG, TAG + 1, TAG + 2};
    pid_t pids[ARRAY_LEN(tags)];
    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        pids[i] = rig_fork(wear_tag, &tags[i]);
    await(ARRAY_LEN(tags));
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        const struct sight *s = sight_of(pids[i]);
        assert_int_equal(status_of(pids[i]), 0);
        assert_true(s->is_zombie);
        assert_true(s->has_tag);
        assert_int_equal(s->tag, tags[i]);
    }
}

/* Signals of one kind are not queued: a hundred deaths are one record. */
static void one_signal_stands_for_many(void **state)
{
    enum { MANY = 100 };
    pid_t pids[MANY];
    int code = 3;
    (void)state;
    start();
    rig_turns(2);
    for (size_t i = 0; i < MANY; i++)
        pids[i] = rig_fork(leave, &code);
    for (size_t i = 0; i < MANY; i++)
        rig_await_zombie(pids[i]);
    await(MANY);
    assert_int_equal(seen.n_slices, 1);
    assert_int_equal(seen.slices[0], MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(status_of(pids[i]), 3 << 8);
    assert_int_equal(rig_turns(5), 0);
}

static void on_other(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)w;
    (void)revents;
    remember('o');
}

/* Three thousand at once come in slices, and between two slices everybody else has a turn. */
static void a_flood_leaves_turns_for_others(void **state)
{
    static pid_t pids[FLOOD];
    struct ev_io other;
    int ready[2];
    (void)state;
    start();
    rig_turns(2);
    make_zombies(pids, FLOOD);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    ev_io_init(&other, on_other, ready[1], EV_WRITE);
    ev_io_start(rig.loop, &other);
    seen.wanted = FLOOD;
    rig_run_until(has_wanted, NULL);
    ev_io_stop(rig.loop, &other);
    close(ready[0]);
    close(ready[1]);

    assert_int_equal(seen.n_notes, FLOOD);
    assert_int_equal(seen.n_unreaped, 0);
    assert_int_equal(reaper.n_reaped, FLOOD);
    assert_int_equal(seen.n_slices, 3);
    assert_int_equal(seen.slices[0], REAPER_SLICE);
    assert_int_equal(seen.slices[1], REAPER_SLICE);
    assert_int_equal(seen.slices[2], FLOOD - 2 * REAPER_SLICE);
    assert_null(strstr(seen.order, "ss"));
    assert_non_null(strstr(seen.order, "so"));
    assert_int_equal(rig_turns(5), 0);
}

/* A slice that is exactly full goes on once, finds nothing, and says nothing. */
static void a_full_slice_ends_quietly(void **state)
{
    static pid_t pids[REAPER_SLICE];
    (void)state;
    start();
    rig_turns(2);
    make_zombies(pids, REAPER_SLICE);
    await(REAPER_SLICE);
    assert_int_equal(seen.n_slices, 1);
    rig_turns(2);
    assert_int_equal(seen.n_slices, 1);
    assert_int_equal(rig_turns(5), 0);
}

static int wait_for_the_gate(void *data)
{
    rig_gate_wait(data);
    return 7;
}

static void stops_and_continues_are_told(void **state)
{
    struct rig_gate gate;
    (void)state;
    start();
    rig_gate_close(&gate);
    pid_t pid = rig_fork(wait_for_the_gate, &gate);
    kill(pid, SIGSTOP);
    await(1);
    assert_true(WIFSTOPPED(seen.notes[0].wstatus));
    assert_int_equal(WSTOPSIG(seen.notes[0].wstatus), SIGSTOP);
    kill(pid, SIGCONT);
    await(2);
    assert_true(WIFCONTINUED(seen.notes[1].wstatus));
    assert_int_equal(seen.n_sights, 0);
    assert_int_equal(reaper.n_reaped, 0);
    rig_gate_open(&gate);
    await(3);
    assert_int_equal(seen.notes[2].wstatus, 7 << 8);
    for (size_t i = 0; i < seen.n_notes; i++)
        assert_int_equal(seen.notes[i].pid, pid);
    assert_int_equal(seen.n_sights, 1);
    assert_int_equal(reaper.n_reaped, 1);
}

/* Through exec come zombies whose signal somebody has taken already. */
static void zombies_from_before_the_start_are_swept(void **state)
{
    int code = 9;
    pid_t pids[3];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pids); i++)
        pids[i] = rig_fork(leave, &code);
    for (size_t i = 0; i < ARRAY_LEN(pids); i++)
        rig_await_zombie(pids[i]);
    rig_forget_signal(SIGCHLD);
    start();
    await(ARRAY_LEN(pids));
    for (size_t i = 0; i < ARRAY_LEN(pids); i++)
        assert_int_equal(status_of(pids[i]), 9 << 8);
    assert_int_equal(rig_turns(5), 0);
}

struct launch {
    struct rig_gate gate;
    int tell; /* the daemon's pid is written here */
};

/* As daemons have always been started: fork, setsid, fork, and the launcher ends. */
static int double_fork(void *data)
{
    struct launch *l = data;
    rlim_t tag = TAG;
    if (wear_tag(&tag) != 0)
        return 1;
    pid_t middle = fork();
    if (middle != 0)
        return 0;
    setsid();
    pid_t daemon = fork();
    if (daemon != 0)
        return 0;
    pid_t self = getpid();
    bool told = write(l->tell, &self, sizeof self) == (ssize_t)sizeof self;
    rig_gate_wait(&l->gate);
    return told ? 42 : 1;
}

static void orphans_of_a_double_fork_are_ours(void **state)
{
    struct launch l;
    int told[2];
    pid_t daemon;
    (void)state;
    assert_int_equal(sys_set_subreaper(true), 0);
    start();
    rig_gate_close(&l.gate);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    l.tell = told[1];
    pid_t launcher = rig_fork(double_fork, &l);
    close(told[1]);
    assert_int_equal(read(told[0], &daemon, sizeof daemon), sizeof daemon);
    close(told[0]);
    /* The launcher and the one in the middle; the daemon lives on. */
    await(2);
    assert_int_equal(status_of(launcher), 0);
    assert_int_equal(kill(daemon, 0), 0);
    rig_gate_open(&l.gate);
    await(3);
    assert_int_equal(status_of(daemon), 42 << 8);
    assert_true(sight_of(daemon)->is_zombie);
    assert_int_equal(sight_of(daemon)->tag, TAG);
    assert_int_equal(reaper.n_reaped, 3);
}

/* Somebody else's wait in our process must cost one message, not a loop that spins or a child that is lost. */
static void what_is_stolen_is_logged_and_the_rest_is_reaped(void **state)
{
    int code = 5;
    (void)state;
    start();
    rig_turns(2);
    rig_catch_log(LOG_LEVEL_INFO);
    seen.steal = rig_fork(leave, &code);
    rig_await_zombie(seen.steal);
    rig_turns(1);
    assert_int_equal(seen.n_sights, 1);
    assert_int_equal(seen.n_notes, 0);
    assert_int_equal(rig_turns(5), 0);
    assert_int_equal(rig_count(rig_log(), "wait for process"), 1);
    pid_t next = rig_fork(leave, &code);
    await(1);
    assert_int_equal(status_of(next), 5 << 8);
    assert_int_equal(reaper.n_reaped, 1);
    assert_int_equal(rig_count(rig_log(), "\n"), 1);
}

static void at_rest_nothing_is_called(void **state)
{
    struct rig_gate gate;
    (void)state;
    rig_gate_close(&gate);
    rig_fork(wait_for_the_gate, &gate);
    start();
    rig_turns(2);
    assert_int_equal(rig_turns(20), 0);
    assert_int_equal(seen.n_slices, 0);
    rig_gate_open(&gate);
    await(1);
}

static void stopping_is_harmless_at_any_time(void **state)
{
    int n = rig_fds();
    (void)state;
    memset(&reaper, 0, sizeof reaper);
    reaper.signal_fd = -1;
    reaper_stop(&reaper);
    start();
    assert_int_equal(rig_fds(), n + 1);
    reaper_stop(&reaper);
    assert_int_equal(reaper.signal_fd, -1);
    reaper_stop(&reaper);
    assert_int_equal(rig_fds(), n);
    start();
    int code = 1;
    pid_t pid = rig_fork(leave, &code);
    await(1);
    assert_int_equal(status_of(pid), 1 << 8);
}

static void without_descriptors_it_does_not_start(void **state)
{
    struct err e = {0};
    (void)state;
    memset(&reaper, 0, sizeof reaper);
    reaper.signal_fd = -1;
    rlim_t before = rig_limit_fds(0);
    bool ok = reaper_start(&reaper, rig.loop, &e);
    rig_limit_fds(before);
    assert_false(ok);
    assert_int_equal(e.kind, ERR_SYS);
    assert_int_equal(e.errnum, EMFILE);
    assert_non_null(strstr(e.text, "SIGCHLD"));
    assert_int_equal(rig_turns(3), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_begin, end)
    const struct CMUnitTest tests[] = {
        TEST(tells_how_each_ended),
        TEST(looks_before_it_reaps),
        TEST(one_signal_stands_for_many),
        TEST(a_flood_leaves_turns_for_others),
        TEST(a_full_slice_ends_quietly),
        TEST(stops_and_continues_are_told),
        TEST(zombies_from_before_the_start_are_swept),
        TEST(orphans_of_a_double_fork_are_ours),
        TEST(what_is_stolen_is_logged_and_the_rest_is_reaped),
        TEST(at_rest_nothing_is_called),
        TEST(stopping_is_harmless_at_any_time),
        TEST(without_descriptors_it_does_not_start),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
