/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Which zombies are found and how old they are, and what policies say and do, how often.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zombies_kit.h"

enum { FIRST_MS = 1000, LATER_MS = 9000 };

static void take(struct zombie_record *r, unsigned unit, int64_t now_ms)
{
    struct zombie_look look;
    zombie_look_begin(&look, &bench, unit);
    while (zombie_look_step(&look))
        continue;
    zombie_look_take(&look, r, now_ms);
}

static void a_look_finds_what_a_parent_does_not_wait_for(void **state)
{
    struct zombie_record r = {0};
    size_t n;
    (void)state;
    zk_start(0);
    zk_start(1);
    take(&r, 0, FIRST_MS);
    assert_int_equal(r.n, 0);
    assert_int_equal(r.n_tasks, 1);
    pid_t pid = zk_order(0, ZK_ZOMBIE, 1);
    (void)zk_order(1, ZK_ZOMBIE, 3);
    take(&r, 0, FIRST_MS);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.n_unwaited, 1);
    assert_int_equal(r.n_tasks, 2);
    assert_false(r.is_cut);
    assert_int_equal(r.list[0].pid, pid);
    assert_int_equal(r.list[0].parent, zk.parents[0].pid);
    assert_false(zombie_is_leader(&r.list[0]));
    assert_int_equal(zombie_record_of(&r, zk.parents[0].pid, &n), 0);
    assert_int_equal(n, 1);
    (void)zombie_record_of(&r, zk.parents[1].pid, &n);
    assert_int_equal(n, 0);
    zombie_record_done(&r);
}

/* The reaper has those. */
static void our_own_zombies_are_none(void **state)
{
    struct zombie_record r = {0};
    (void)state;
    zk_start(0);
    kill(zk.parents[0].pid, SIGKILL);
    rig_await_zombie(zk.parents[0].pid);
    take(&r, 0, FIRST_MS);
    assert_int_equal(r.n, 0);
    assert_int_equal(r.n_tasks, 1);
    zombie_record_done(&r);
}

static void a_leader_is_told_apart(void **state)
{
    struct zombie_record r = {0};
    (void)state;
    zk_start(0);
    pid_t pid = zk_order(0, ZK_LEADER, 1);
    take(&r, 0, FIRST_MS);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.n_unwaited, 0);
    assert_true(zombie_is_leader(&r.list[0]));
    assert_int_equal(r.list[0].n_threads, 2);
    assert_int_equal(kill(pid, SIGKILL), 0);
    zombie_record_done(&r);
}

static void age_counts_from_the_first_sight(void **state)
{
    struct zombie_record r = {0};
    (void)state;
    zk_start(0);
    pid_t old = zk_order(0, ZK_ZOMBIE, 1);
    take(&r, 0, FIRST_MS);
    pid_t young = zk_order(0, ZK_ZOMBIE, 1);
    take(&r, 0, LATER_MS);
    assert_int_equal(r.n, 2);
    for (size_t i = 0; i < r.n; i++)
        assert_int_equal(r.list[i].seen_ms, r.list[i].pid == old ? FIRST_MS : LATER_MS);
    assert_int_not_equal(old, young);
    /* A later one with its number is another. */
    r.list[0].start_ticks++;
    take(&r, 0, LATER_MS + 1);
    assert_int_equal(r.list[0].seen_ms, LATER_MS + 1);
    (void)zk_order(0, ZK_WAIT, 1);
    take(&r, 0, LATER_MS + 2);
    assert_int_equal(r.n, 0);
    zombie_record_done(&r);
}

/* How often the log warns of zombies so far. */
static size_t n_warned(void)
{
    return rig_count(rig_log(), "zombies held by");
}

static void a_number_is_told_once_and_when_it_has_doubled(void **state)
{
    static const struct {
        char order;
        unsigned n;
        size_t n_warned; /* in all, behind the next look */
    } steps[] = {
        {ZK_ZOMBIE, 1, 0}, {ZK_ZOMBIE, 1, 1}, {ZK_ZOMBIE, 1, 1}, {ZK_ZOMBIE, 1, 2}, {ZK_ZOMBIE, 3, 2},
        {ZK_ZOMBIE, 1, 3}, {ZK_WAIT, 1, 3},   {ZK_ZOMBIE, 1, 3}, {ZK_ZOMBIE, 1, 4},
    };
    char text[64];
    (void)state;
    zk_start(0);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        (void)zk_order(0, steps[i].order, steps[i].n);
        zk_look();
        if (n_warned() != steps[i].n_warned)
            fail_msg("step %zu: %zu warnings, not %zu:\n%s", i, n_warned(), steps[i].n_warned, rig_log());
    }
    snprintf(text, sizeof text, "web: warning: 8 zombies held by %d (", (int)zk.parents[0].pid);
    assert_non_null(strstr(rig_log(), text));
    assert_int_equal(zk.n_posted, 0);
}

static void each_unit_has_its_own_policy(void **state)
{
    (void)state;
    zk_start(0);
    zk_start(1);
    bench_specs[0].zombies.action = SPEC_ZOMBIES_OFF;
    bench_specs[1].zombies.limit = 4;
    (void)zk_order(0, ZK_ZOMBIE, 9);
    (void)zk_order(1, ZK_ZOMBIE, 3);
    zk_look();
    assert_int_equal(n_warned(), 0);
    assert_int_equal(zk_record(0)->n, 9);
    (void)zk_order(1, ZK_ZOMBIE, 1);
    zk_look();
    assert_int_equal(n_warned(), 1);
    assert_non_null(strstr(rig_log(), "db: warning: 4 zombies"));
}

static void a_nudge_comes_before_a_warning(void **state)
{
    (void)state;
    zk_start(0);
    zk_start(1);
    zk.set.supervisor.zombies.action = SPEC_ZOMBIES_NUDGE;
    (void)zk_order(0, ZK_ZOMBIE, 2);
    assert_int_equal(zk_order(0, ZK_CATCH, 1), 0);
    (void)zk_order(1, ZK_ZOMBIE, 2);
    zk_look();
    assert_int_equal(rig_count(rig_log(), "sent it SIGCHLD"), 2);
    assert_int_equal(rig_count(rig_log(), "warning"), 0);
    /* By the time of its answer the one with a handler has run it. */
    (void)zk_order(0, ' ', 1);
    zk_look();
    assert_int_equal(zk_record(0)->n, 0);
    assert_int_equal(rig_count(rig_log(), "sent it SIGCHLD"), 2);
    assert_int_equal(rig_count(rig_log(), "warning"), 1);
    assert_non_null(strstr(rig_log(), "db: warning: 2 zombies"));
}

static void the_timer_runs_while_a_policy_wants_it(void **state)
{
    struct ev_timer *check = &bench.zombies->check;
    (void)state;
    zk_start(0);
    zk.set.supervisor.zombies.action = SPEC_ZOMBIES_OFF;
    zombies_watch(&bench_units[0]);
    assert_false(ev_is_active(check));
    bench_specs[0].zombies.action = SPEC_ZOMBIES_WARN;
    zombies_watch(&bench_units[0]);
    assert_true(ev_is_active(check));
    ev_invoke(rig.loop, check, EV_TIMER);
    assert_false(ev_is_active(check));
    rig_run_until(zk_is_idle, NULL);
    assert_true(ev_is_active(check));
    /* Nothing of it is left. */
    zk_end(0);
    ev_invoke(rig.loop, check, EV_TIMER);
    assert_true(zk_is_idle(NULL));
    assert_false(ev_is_active(check));
}

static void a_refusal_is_told_once_for_each_reason(void **state)
{
    struct zombie_note note = {0};
    (void)state;
    assert_true(zombie_note_refusal(&note, 5, 1, UNZOMBIE_TRACED));
    assert_false(zombie_note_refusal(&note, 5, 1, UNZOMBIE_TRACED));
    assert_true(zombie_note_refusal(&note, 5, 1, UNZOMBIE_BUSY));
    assert_true(zombie_note_refusal(&note, 5, 2, UNZOMBIE_TRACED));
    for (int i = 0; i < ZOMBIE_REFUSALS_MAX; i++)
        assert_true(zombie_note_refusal(&note, 100 + i, 1, UNZOMBIE_BUSY));
    assert_true(zombie_note_refusal(&note, 5, 1, UNZOMBIE_TRACED));
    assert_false(zombie_note_refusal(&note, 100 + ZOMBIE_REFUSALS_MAX - 1, 1, UNZOMBIE_BUSY));
}

static void a_cure_is_for_what_was_there_when_it_began(void **state)
{
    struct zombie_cure cure = {.since_ms = FIRST_MS};
    (void)state;
    zk_start(0);
    (void)zk_order(0, ZK_ZOMBIE, 2);
    struct zombie_note *note = zombie_note_of(&bench, 0, true);
    take(&note->record, 0, FIRST_MS);
    zombie_cure_admit(&cure, &note->record, 0, 0);
    assert_int_equal(cure.n, 1);
    assert_int_equal(cure.list[0].pid, zk.parents[0].pid);
    assert_int_equal(cure.list[0].n_before, 2);
    assert_int_equal(cure.ripe_ms, FIRST_MS + ZOMBIE_RIPE_MS);
    (void)zk_order(0, ZK_ZOMBIE, 3);
    take(&note->record, 0, LATER_MS);
    assert_int_equal(zombie_cure_assess(&cure, &bench), 2);
    (void)zk_order(0, ZK_WAIT, 1);
    (void)zk_order(0, ZK_ZOMBIE, 1);
    take(&note->record, 0, LATER_MS + 1);
    assert_int_equal(zombie_cure_assess(&cure, &bench), 0);
    zombie_cure_done(&cure);
}

static void nobody_is_signalled_by_a_number_alone(void **state)
{
    struct procstat st;
    (void)state;
    zk_start(0);
    assert_true(procfs_stat(zk.parents[0].pid, &st));
    assert_false(zombie_cure_send(zk.parents[0].pid, st.start_ticks + 1));
    assert_true(zombie_cure_send(zk.parents[0].pid, st.start_ticks));
}

static unsigned n_done;

static void count_done(struct zombie_job *job)
{
    (void)job;
    n_done++;
}

static void a_job_can_be_called_off(void **state)
{
    const unsigned units[] = {0, 1, SUPER_NO_UNIT};
    (void)state;
    n_done = 0;
    zk_start(0);
    (void)zk_order(0, ZK_ZOMBIE, 2);
    struct zombie_job *resting = zombie_job_new(&bench, ZOMBIE_REAP, units, ARRAY_LEN(units));
    struct zombie_job *ready = zombie_job_new(&bench, ZOMBIE_LOOK, units, ARRAY_LEN(units));
    assert_non_null(resting);
    assert_non_null(ready);
    resting->on_done = ready->on_done = count_done;
    zombie_job_begin(resting);
    zombie_job_begin(ready);
    zombie_job_free(ready);
    while (list_is_empty(&bench.zombies->jobs.resting))
        ev_run(rig.loop, EVRUN_ONCE);
    zombie_job_free(resting);
    assert_int_equal(rig_turns(3), 0);
    assert_int_equal(n_done, 0);
}

/* A unit that is gone has no zombies; another one with its number is none of the job's business. */
static void a_job_passes_over_units_that_are_gone(void **state)
{
    const unsigned units[] = {0, 1};
    (void)state;
    n_done = 0;
    zk_start(0);
    (void)zk_order(0, ZK_ZOMBIE, 2);
    struct zombie_job *job = zombie_job_new(&bench, ZOMBIE_LOOK, units, ARRAY_LEN(units));
    assert_non_null(job);
    job->on_done = count_done;
    bench_units[0].id++;
    bench_slots[1] = NULL;
    zombie_job_begin(job);
    rig_run_until(zk_is_idle, NULL);
    bench_slots[1] = &bench_units[1];
    assert_int_equal(n_done, 1);
    assert_null(bench_units[0].zombies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_look_finds_what_a_parent_does_not_wait_for, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(our_own_zombies_are_none, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(a_leader_is_told_apart, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(age_counts_from_the_first_sight, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(a_number_is_told_once_and_when_it_has_doubled, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(each_unit_has_its_own_policy, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(a_nudge_comes_before_a_warning, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(the_timer_runs_while_a_policy_wants_it, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(a_refusal_is_told_once_for_each_reason, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(a_cure_is_for_what_was_there_when_it_began, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(nobody_is_signalled_by_a_number_alone, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(a_job_can_be_called_off, zk_begin, zk_done),
        cmocka_unit_test_setup_teardown(a_job_passes_over_units_that_are_gone, zk_begin, zk_done),
    };
    return cmocka_run_group_tests_name("zombies", tests, rig_open_loop, rig_close_loop);
}
