/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * The reaper beside threads that are traced for the cure of zombies and stop late: their stops are nobody's news, they
 * are let go, and deaths are told to whom they belong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/reaper.h"
#include "sys/procfs.h"
#include "sys/unzombie_impl.h"

#include "unit/daemon/rig.h"

enum { NOTES_MAX = 8 };

static struct reaper reaper;

static struct {
    struct reaper_note notes[NOTES_MAX];
    size_t n_notes;
    size_t n_zombies;
} seen;

static void on_zombie(pid_t pid, void *data)
{
    (void)pid;
    (void)data;
    seen.n_zombies++;
}

static void on_slice(const struct reaper_note *notes, size_t n, void *data)
{
    (void)data;
    for (size_t i = 0; i < n && seen.n_notes < NOTES_MAX; i++)
        seen.notes[seen.n_notes++] = notes[i];
}

static int begin(void **state)
{
    struct err e = {0};
    rig_begin(state);
    memset(&seen, 0, sizeof seen);
    memset(&reaper, 0, sizeof reaper);
    reaper.signal_fd = -1;
    reaper.on_zombie = on_zombie;
    reaper.on_slice = on_slice;
    return reaper_start(&reaper, rig.loop, &e) ? 0 : -1;
}

static int end(void **state)
{
    reaper_stop(&reaper);
    return rig_end(state);
}

static bool is_let_go(void *data)
{
    (void)data;
    return !unzombie_is_pending();
}

static bool has_note(void *data)
{
    (void)data;
    return seen.n_notes > 0;
}

/* Two gates: behind the first the thread can be stopped, behind the second it ends. */
struct walk {
    struct rig_gate stop;
    struct rig_gate leave;
    int tell; /* the pid of the child below */
};

static void walk_begin(struct walk *w)
{
    rig_gate_close(&w->stop);
    rig_gate_close(&w->leave);
}

static void close_ends(const struct walk *w)
{
    close(w->stop.fds[1]);
    close(w->leave.fds[1]);
}

static void wait_at(const struct rig_gate *g)
{
    char c;
    while (read(g->fds[0], &c, 1) < 0 && errno == EINTR)
        continue;
}

/* In state D as long as its child has its memory. */
static int walk(void *data)
{
    const struct walk *w = data;
    close_ends(w);
    pid_t child = vfork();
    if (child == 0) {
        wait_at(&w->stop);
        _exit(0);
    }
    wait_at(&w->leave);
    return child > 0 && waitpid(child, NULL, 0) == child ? 5 : 1;
}

static int walk_below(void *data)
{
    struct walk *w = data;
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(walk(data));
    close_ends(w);
    if (write(w->tell, &child, sizeof child) != (ssize_t)sizeof child || waitpid(child, &status, 0) != child)
        return 1;
    return WIFSIGNALED(status) ? 6 : WEXITSTATUS(status);
}

static char state_of(pid_t pid)
{
    struct procstat st;
    return procfs_stat(pid, &st) ? st.state : '-';
}

/* Traces PID, which cannot stop, and gives up. */
static void hold(pid_t pid)
{
    time_t guard = time(NULL) + RIG_HANG_S;
    while (state_of(pid) != 'D')
        assert_true(time(NULL) <= guard);
    struct unzombie_hold *h = unzombie_hold_begin(&(struct unzombie_target){.pid = pid, .tid = pid});
    assert_non_null(h);
    unzombie_hold_end(h, 0);
    assert_true(unzombie_is_pending());
    rig_turns(3);
    assert_true(unzombie_is_pending());
}

static pid_t start_below(struct walk *w, pid_t *inner)
{
    int told[2];
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    w->tell = told[1];
    pid_t outer = rig_fork(walk_below, w);
    assert_int_equal(read(told[0], inner, sizeof *inner), sizeof *inner);
    close(told[0]);
    close(told[1]);
    return outer;
}

static void assert_single_note(pid_t pid, int wstatus)
{
    assert_int_equal(seen.n_notes, 1);
    assert_int_equal(seen.notes[0].pid, pid);
    assert_int_equal(seen.notes[0].wstatus, wstatus);
    assert_int_equal(seen.n_zombies, 1);
    assert_int_equal(reaper.n_reaped, 1);
}

/* Our child, which walks, or one whose child does; whoever walks is HELD, and nothing has been seen yet. */
static pid_t start_held(struct walk *w, bool is_below, pid_t *held)
{
    memset(&seen, 0, sizeof seen);
    reaper.n_reaped = 0;
    walk_begin(w);
    pid_t pid = is_below ? start_below(w, held) : rig_fork(walk, w);
    if (!is_below)
        *held = pid;
    hold(*held);
    return pid;
}

static void late_stops_are_nobodys_news(void **state)
{
    (void)state;
    for (int is_below = 0; is_below <= 1; is_below++) {
        struct walk w;
        pid_t held;
        pid_t pid = start_held(&w, is_below, &held);
        rig_gate_open(&w.stop);
        rig_run_until(is_let_go, NULL);
        assert_int_equal(seen.n_notes, 0);
        rig_gate_open(&w.leave);
        rig_run_until(has_note, NULL);
        assert_single_note(pid, 5 << 8);
    }
}

static void deaths_are_told_to_whom_they_belong(void **state)
{
    (void)state;
    for (int is_below = 0; is_below <= 1; is_below++) {
        struct walk w;
        pid_t held;
        pid_t pid = start_held(&w, is_below, &held);
        assert_int_equal(kill(held, SIGKILL), 0);
        rig_run_until(has_note, NULL);
        assert_false(unzombie_is_pending());
        assert_single_note(pid, is_below ? 6 << 8 : SIGKILL);
        rig_gate_open(&w.stop);
        rig_gate_open(&w.leave);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(late_stops_are_nobodys_news, begin, end),
        cmocka_unit_test_setup_teardown(deaths_are_told_to_whom_they_belong, begin, end),
    };
    if (unzombie_probe() != 0) {
        printf("SKIP: %s\n", strerror(unzombie_probe()));
        return 77;
    }
    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
