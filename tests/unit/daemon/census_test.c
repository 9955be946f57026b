/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Finding and signalling real processes: members that have left their session, that live below others, that
 * fork while they are being ended; and leaving everybody else alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "daemon/census.h"

#include "unit/daemon/bench.h"

enum { DEPTH_MAX = 4, BROOD = 200, NOBODY = 1 << 23, NOT_ROOT = 65534 };

/* What a child is to do. */
struct order {
    rlim_t tag;  /* 0: none */
    int depth;   /* so many generations below it */
    bool leaves; /* all but the last generation end at once */
    bool detaches;
    bool breeds; /* forks children as fast as it can */
    int tell;
};

static struct rig_gate gate;
static pid_t family[DEPTH_MAX]; /* of the last start(), oldest first */

static int begin(void **state)
{
    int r = bench_begin(state);
    rig_gate_close(&gate);
    return r;
}

static int end(void **state)
{
    if (gate.fds[0] >= 0)
        rig_gate_open(&gate);
    return bench_end(state);
}

static bool tell_pid(const struct order *o)
{
    pid_t self = getpid();
    return write(o->tell, &self, sizeof self) == (ssize_t)sizeof self;
}

static void breed(const struct order *o)
{
    for (int i = 0; i < BROOD; i++)
        if (fork() == 0) {
            if (tell_pid(o))
                rig_gate_wait(&gate);
            _exit(0);
        }
}

static int obey(void *data)
{
    const struct order *o = data;
    struct rlimit lim = {.rlim_cur = o->tag, .rlim_max = o->tag};
    if (o->tag != 0 && setrlimit(RLIMIT_LOCKS, &lim) != 0)
        return 1;
    if (!tell_pid(o))
        return 1;
    for (int i = 0; i < o->depth; i++) {
        if (fork() != 0) {
            if (o->leaves)
                return 0;
            break;
        }
        if (o->detaches)
            setsid();
        if (!tell_pid(o))
            return 1;
    }
    if (o->breeds)
        breed(o);
    rig_gate_wait(&gate);
    return 0;
}

/* Starts what O says and waits until all of the family is there. Returns the oldest. */
static pid_t start(struct order o)
{
    int told[2];
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    o.tell = told[1];
    pid_t pid = rig_fork(obey, &o);
    close(told[1]);
    for (int i = 0; i <= o.depth; i++)
        assert_int_equal(read(told[0], &family[i], sizeof family[i]), sizeof family[i]);
    close(told[0]);
    assert_int_equal(family[0], pid);
    return pid;
}

static rlim_t tag_of(const struct attrib_run *r)
{
    return attrib_run_tag(&bench.attrib, r);
}

/* Starts a main process of unit I, in its present run. */
static pid_t start_main(unsigned i, struct order o)
{
    struct attrib_run *r = bench_units[i].run;
    o.tag = tag_of(r);
    bench_units[i].main_pid = start(o);
    assert_non_null(attrib_add(&bench.attrib, bench_units[i].main_pid, r, ATTRIB_MAIN, ATTRIB_BORN, 0));
    return bench_units[i].main_pid;
}

static void assert_logged(const char *word, size_t n)
{
    if (rig_count(rig_log(), word) != n)
        fail_msg("the log has not %zu times [%s]: [%s]", n, word, rig_log());
}

/* The gate opens: whoever is left ends by itself, with 0, if no signal has ended it before. */
static void assert_unharmed(const pid_t *pids, size_t n)
{
    rig_gate_open(&gate);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(bench_reap(pids[i]), 0);
}

static void a_stranger_is_known_by_its_tag(void **state)
{
    (void)state;
    struct attrib_run *runs[] = {bench_run(0, 1), bench_run(1, 2)};
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        pid_t pid = start((struct order){.tag = tag_of(runs[i])});
        census_meet(&bench, pid);
        census_meet(&bench, pid);
        const struct attrib_proc *p = attrib_find(&bench.attrib, pid);
        assert_non_null(p);
        assert_ptr_equal(p->run, runs[i]);
        assert_int_equal(p->role, ATTRIB_MEMBER);
        assert_int_equal(p->evidence, ATTRIB_TAG);
        assert_int_equal(bench.n_adopted, i + 1);
        assert_logged("adopted process", i + 1);
    }
    assert_logged("web: adopted process", 1);
    assert_logged("recognised by its tag", 2);
}

/* The start environment can only be set by exec. */
static int become_cat(void *data)
{
    char *argv[] = {data, NULL};
    char *envp[] = {data, NULL};
    close(gate.fds[1]);
    if (dup2(gate.fds[0], STDIN_FILENO) != STDIN_FILENO)
        return 1;
    execve("/bin/cat", argv, envp);
    return 1;
}

static void without_a_tag_the_environment_tells(void **state)
{
    char variable[256] = "FOSTER_RUN=";
    (void)state;
    struct attrib_run *run = bench_run(1, 1);
    size_t at = strlen(variable);
    assert_non_null(attrib_run_marker(&bench.attrib, run, "0123:4", variable + at, sizeof variable - at));
    int exec[2];
    char c;
    assert_int_equal(pipe2(exec, O_CLOEXEC), 0);
    pid_t pid = rig_fork(become_cat, variable);
    close(exec[1]);
    assert_int_equal(read(exec[0], &c, 1), 0);
    close(exec[0]);
    census_meet(&bench, pid);
    const struct attrib_proc *p = attrib_find(&bench.attrib, pid);
    assert_non_null(p);
    assert_ptr_equal(p->run, run);
    assert_int_equal(p->evidence, ATTRIB_ENV);
    assert_logged("db: adopted process", 1);
    rig_gate_open(&gate);
    assert_int_equal(bench_reap(pid), 0);
}

static void a_process_of_nobody_is_kept_as_unclaimed(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t pid = start((struct order){0});
    census_meet(&bench, pid);
    const struct attrib_proc *p = attrib_find(&bench.attrib, pid);
    assert_non_null(p);
    assert_null(p->run);
    assert_int_equal(p->evidence, ATTRIB_NONE);
    assert_int_equal(bench.attrib.n_unclaimed_total, 1);
    assert_logged("which no service of ours started", 1);
}

static void the_dead_are_claimed_and_not_announced(void **state)
{
    (void)state;
    struct attrib_run *run = bench_run(0, 1);
    pid_t pid = start((struct order){.tag = tag_of(run)});
    rig_gate_open(&gate);
    rig_await_zombie(pid);
    census_meet(&bench, pid);
    const struct attrib_proc *p = attrib_find(&bench.attrib, pid);
    assert_non_null(p);
    assert_ptr_equal(p->run, run);
    assert_int_equal(p->evidence, ATTRIB_TAG);
    assert_logged("\n", 0);
}

static void a_refresh_finds_what_a_launcher_left(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t launcher = start_main(0, (struct order){.depth = 2, .leaves = true, .detaches = true});
    rig_await_zombie(launcher);
    /* The one in the middle has become ours as well, and ends. */
    rig_await_zombie(family[1]);
    pid_t daemon = family[2];
    census_refresh(&bench);
    const struct attrib_proc *p = attrib_find(&bench.attrib, daemon);
    assert_non_null(p);
    assert_ptr_equal(p->run, bench_units[0].run);
    assert_int_equal(p->role, ATTRIB_MEMBER);
    /* The launcher keeps its place. */
    assert_int_equal(attrib_find(&bench.attrib, launcher)->role, ATTRIB_MAIN);
    size_t n = bench_units[0].run->n_members;
    census_refresh(&bench);
    assert_int_equal(bench_units[0].run->n_members, n);
    /* The one in the middle is known, but of the dead there is nothing to say. */
    assert_int_equal(bench.n_adopted, 2);
    assert_logged("adopted process", 1);
}

static void where_nothing_can_be_seen_nothing_is_said(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t pid = start((struct order){.tag = tag_of(bench_units[0].run)});
    enum procfs_children_source source = bench.children_source;
    bench.children_source = PROCFS_CHILDREN_NONE;
    census_refresh(&bench);
    assert_null(attrib_find(&bench.attrib, pid));
    assert_logged("\n", 0);
    bench.children_source = source;
    /* Without descriptors there is a warning, and the next look succeeds. */
    rlim_t before = rig_limit_fds(1);
    census_refresh(&bench);
    rig_limit_fds(before);
    assert_null(attrib_find(&bench.attrib, pid));
    assert_logged("new orphans are seen when they end", 1);
    census_refresh(&bench);
    assert_non_null(attrib_find(&bench.attrib, pid));
}

/* A full table of descriptors does not hide what a service leaves behind, if there is a reserve. */
static void the_reserve_serves_when_descriptors_are_out(void **state)
{
    (void)state;
    bench_run(0, 1);
    pid_t pid = start((struct order){.tag = tag_of(bench_units[0].run)});
    census_reserve(&bench);
    int lowest = dup(STDIN_FILENO);
    assert_true(lowest > bench.reserve_fds[3]);
    close(lowest);
    rlim_t before = rig_limit_fds((rlim_t)lowest);
    census_refresh(&bench);
    rig_limit_fds(before);
    assert_non_null(attrib_find(&bench.attrib, pid));
    assert_logged("new orphans are seen when they end", 0);
    for (size_t i = 0; i < ARRAY_LEN(bench.reserve_fds); i++)
        assert_true(bench.reserve_fds[i] >= 0);
}

/* A thousand stops in one turn of the loop look once; the next turn looks again. */
static void one_look_a_turn_is_enough_for_signals(void **state)
{
    (void)state;
    bench_run(0, 1);
    census_refresh_once(&bench);
    pid_t pid = start((struct order){.tag = tag_of(bench_units[0].run)});
    census_refresh_once(&bench);
    assert_null(attrib_find(&bench.attrib, pid));
    ev_run(rig.loop, EVRUN_NOWAIT);
    census_refresh_once(&bench);
    assert_non_null(attrib_find(&bench.attrib, pid));
}

/* The living but the main process, with what is needed to choose among them. */
static void left_are_the_living_members(void **state)
{
    const struct attrib_candidate *c;
    struct procstat st;
    size_t n;
    (void)state;
    struct attrib_run *run = bench_run(0, 1);
    (void)census_left(&bench, run, &n);
    assert_int_equal(n, 0);
    start_main(0, (struct order){0});
    (void)census_left(&bench, run, &n);
    assert_int_equal(n, 0);
    pid_t members[2];
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        members[i] = start((struct order){.tag = tag_of(run)});
        census_meet(&bench, members[i]);
    }
    pid_t dead = start((struct order){.tag = tag_of(run)});
    census_meet(&bench, dead);
    kill(dead, SIGKILL);
    rig_await_zombie(dead);
    c = census_left(&bench, run, &n);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        assert_int_equal(c[i].pid, members[i]);
        assert_int_equal(c[i].session, getsid(members[i]));
        assert_true(procfs_stat(members[i], &st));
        assert_int_equal(c[i].start_ticks, st.start_ticks);
    }
}

/* The middle one of a daemon that forks twice may end between two looks: it is dead then, and its child not known yet.
 */
static void left_are_the_heirs_of_the_dead_too(void **state)
{
    size_t n;
    (void)state;
    struct attrib_run *run = bench_run(0, 1);
    pid_t middle = start((struct order){.tag = tag_of(run), .depth = 2, .leaves = true, .detaches = true});
    assert_non_null(attrib_add(&bench.attrib, middle, run, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    rig_await_zombie(middle);
    rig_await_zombie(family[1]);
    const struct attrib_candidate *c = census_left(&bench, run, &n);
    assert_int_equal(n, 1);
    assert_int_equal(c[0].pid, family[2]);
    assert_int_equal(run->n_members, 3);
}

/* Which runs count depends on what is to become of orphans. */
static void counts_the_runs_that_matter(void **state)
{
    static const struct {
        enum spec_orphans orphans;
        bool has_run;
        size_t expected;
    } cases[] = {
        {SPEC_ORPHANS_KILL, true, 2},  {SPEC_ORPHANS_ADOPT, true, 5},  {SPEC_ORPHANS_IGNORE, true, 2},
        {SPEC_ORPHANS_KILL, false, 5}, {SPEC_ORPHANS_ADOPT, false, 5}, {SPEC_ORPHANS_IGNORE, false, 0},
    };
    pid_t nobody = NOBODY;
    (void)state;
    struct attrib_run *other = bench_run(1, 1);
    struct attrib_run *old = bench_run(0, 2);
    struct attrib_run *present = bench_run(0, 3);
    for (int i = 0; i < 3; i++)
        assert_non_null(attrib_add(&bench.attrib, nobody++, old, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    attrib_run_close(&bench.attrib, old);
    assert_non_null(attrib_add(&bench.attrib, nobody++, present, ATTRIB_MAIN, ATTRIB_BORN, 0));
    assert_non_null(attrib_add(&bench.attrib, nobody++, present, ATTRIB_MEMBER, ATTRIB_TAG, 0));
    assert_non_null(attrib_add(&bench.attrib, nobody++, other, ATTRIB_MAIN, ATTRIB_BORN, 0));
    assert_non_null(attrib_add(&bench.attrib, nobody++, NULL, ATTRIB_MEMBER, ATTRIB_NONE, 0));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bench_specs[0].orphans = cases[i].orphans;
        bench_units[0].run = cases[i].has_run ? present : NULL;
        if (census_count(&bench, &bench_units[0]) != cases[i].expected)
            fail_msg("case %zu: %zu, not %zu", i, census_count(&bench, &bench_units[0]), cases[i].expected);
    }
    assert_int_equal(census_count(&bench, &bench_units[1]), 1);
}

/* One unit with a main process, a member that has left the session, and somebody below that one; a second unit;
 * and one of nobody. */
struct cast {
    pid_t main, member, deep, other, nobody;
};

static struct cast make_cast(void)
{
    struct cast c;
    struct attrib_run *run = bench_run(0, 1);
    bench_run(1, 2);
    c.main = start_main(0, (struct order){0});
    c.member = start((struct order){.tag = tag_of(run), .depth = 1, .detaches = true});
    c.deep = family[1];
    c.other = start_main(1, (struct order){0});
    c.nobody = start((struct order){0});
    return c;
}

static void a_signal_reaches_whom_it_is_for(void **state)
{
    static const struct {
        enum effect_scope scope;
        size_t n;
        bool main, rest;
    } cases[] = {{SCOPE_MAIN, 1, true, false}, {SCOPE_REST, 2, false, true}, {SCOPE_ALL, 3, true, true}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cast c = make_cast();
        pid_t spared[5];
        size_t n_spared = 0;
        ev_run(rig.loop, EVRUN_NOWAIT); /* a new turn: we look again */
        assert_int_equal(census_signal(&bench, &bench_units[0], SIGTERM, cases[i].scope), cases[i].n);
        if (cases[i].main)
            assert_int_equal(bench_reap(c.main), SIGTERM);
        else
            spared[n_spared++] = c.main;
        if (cases[i].rest) {
            assert_int_equal(bench_reap(c.member), SIGTERM);
            assert_int_equal(bench_reap(c.deep), SIGTERM);
        } else {
            spared[n_spared++] = c.member;
            spared[n_spared++] = c.deep;
        }
        spared[n_spared++] = c.other;
        spared[n_spared++] = c.nobody;
        assert_unharmed(spared, n_spared);
        rig_gate_close(&gate);
        bench_units[0].main_pid = bench_units[1].main_pid = 0;
    }
}

static void await_stop(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

/* A process that is stopped would keep its TERM for later. */
static void the_stopped_are_woken_to_hear_it(void **state)
{
    static const enum effect_scope scopes[] = {SCOPE_MAIN, SCOPE_ALL};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        bench_run(0, i + 1);
        pid_t pid = start_main(0, (struct order){0});
        kill(pid, SIGSTOP);
        await_stop(pid);
        assert_int_equal(census_signal(&bench, &bench_units[0], SIGTERM, scopes[i]), 1);
        assert_int_equal(bench_reap(pid), SIGTERM);
    }
}

static void nobody_there_is_fine(void **state)
{
    (void)state;
    for (enum effect_scope scope = 0; scope < SCOPE_N; scope++) {
        assert_int_equal(census_signal(&bench, &bench_units[0], SIGTERM, scope), 0);
        census_kill(&bench, &bench_units[0], scope);
    }
    bench_run(0, 1);
    for (enum effect_scope scope = 0; scope < SCOPE_N; scope++) {
        assert_int_equal(census_signal(&bench, &bench_units[0], SIGTERM, scope), 0);
        census_kill(&bench, &bench_units[0], scope);
    }
    assert_logged("\n", 0);
}

static void a_kill_reaches_whom_it_is_for(void **state)
{
    (void)state;
    for (enum effect_scope scope = 0; scope < SCOPE_N; scope++) {
        struct cast c = make_cast();
        pid_t spared[5];
        size_t n_spared = 0;
        ev_run(rig.loop, EVRUN_NOWAIT); /* a new turn: we look again */
        census_kill(&bench, &bench_units[0], scope);
        if (scope != SCOPE_REST)
            assert_int_equal(bench_reap(c.main), SIGKILL);
        else
            spared[n_spared++] = c.main;
        if (scope != SCOPE_MAIN) {
            assert_int_equal(bench_reap(c.member), SIGKILL);
            assert_int_equal(bench_reap(c.deep), SIGKILL);
        } else {
            spared[n_spared++] = c.member;
            spared[n_spared++] = c.deep;
        }
        spared[n_spared++] = c.other;
        spared[n_spared++] = c.nobody;
        assert_unharmed(spared, n_spared);
        rig_gate_close(&gate);
        bench_units[0].main_pid = bench_units[1].main_pid = 0;
    }
}

/* It forks as fast as it can while it is being ended; the second unit sees nothing of that. */
static void a_breeder_is_not_faster_than_the_kill(void **state)
{
    pid_t brood[4];
    int told[2];
    (void)state;
    struct attrib_run *run = bench_run(0, 1);
    bench_run(1, 2);
    pid_t other = start_main(1, (struct order){0});
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    struct order o = {.tag = tag_of(run), .breeds = true, .tell = told[1]};
    pid_t breeder = rig_fork(obey, &o);
    bench_units[0].main_pid = breeder;
    assert_non_null(attrib_add(&bench.attrib, breeder, run, ATTRIB_MAIN, ATTRIB_BORN, 0));
    close(told[1]);
    for (size_t i = 0; i < ARRAY_LEN(brood); i++)
        assert_int_equal(read(told[0], &brood[i], sizeof brood[i]), sizeof brood[i]);
    size_t n_reaped = 0;
    for (int turn = 0; turn == 0 || census_count(&bench, &bench_units[0]) > 0; turn++) {
        assert_true(turn < BROOD);
        census_kill(&bench, &bench_units[0], SCOPE_ALL);
        /* All that the kill has hit, as one slice of deaths. */
        siginfo_t info = {0};
        assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
        while (info.si_pid != 0 && info.si_pid != other) {
            census_meet(&bench, info.si_pid);
            assert_int_equal(bench_reap(info.si_pid), SIGKILL);
            n_reaped++;
            info.si_pid = 0;
            assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG), 0);
        }
        census_refresh(&bench);
    }
    assert_true(n_reaped >= ARRAY_LEN(brood));
    /* Nobody is left who could still say something. */
    while (read(told[0], &brood[0], sizeof brood[0]) > 0)
        continue;
    close(told[0]);
    assert_unharmed(&other, 1);
}

static void everything_below_us_can_be_signalled(void **state)
{
    (void)state;
    struct cast c = make_cast();
    pid_t stopped = start((struct order){0});
    kill(stopped, SIGSTOP);
    await_stop(stopped);
    pid_t below_nobody = start((struct order){.depth = 2});
    pid_t deeper[] = {family[1], family[2]};
    assert_int_equal(census_signal_everything(&bench, SIGTERM), 9);
    const pid_t all[] = {c.main, c.member, c.deep, c.other, c.nobody, stopped, below_nobody, deeper[0], deeper[1]};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        assert_int_equal(bench_reap(all[i]), SIGTERM);
    assert_int_equal(census_signal_everything(&bench, SIGKILL), 0);
}

/* Whoever has other rights than we is known to be there, but waiting for it could last for ever. */
static void who_is_out_of_reach_is_told_of_once_and_not_waited_for(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("SKIP: processes with other rights need root\n");
        skip();
    }
    struct engine_unit *u = &bench_units[0];
    struct attrib_run *run = bench_run(0, 1);
    pid_t pid = start((struct order){.tag = tag_of(run)});
    census_meet(&bench, pid);
    assert_int_equal(setresuid(NOT_ROOT, NOT_ROOT, 0), 0);
    size_t n_reached = census_signal(&bench, u, SIGTERM, SCOPE_ALL);
    size_t n_before = census_count(&bench, u);
    u->killing = true;
    census_kill(&bench, u, SCOPE_ALL);
    assert_int_equal(setresuid(0, 0, 0), 0);
    assert_int_equal(n_reached, 0);
    assert_int_equal(n_before, 1);
    assert_int_equal(census_count(&bench, u), 0);
    assert_logged("may not be signalled", 1);
    assert_unharmed(&pid, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_is_known_by_its_tag),
        TEST(without_a_tag_the_environment_tells),
        TEST(a_process_of_nobody_is_kept_as_unclaimed),
        TEST(the_dead_are_claimed_and_not_announced),
        TEST(a_refresh_finds_what_a_launcher_left),
        TEST(where_nothing_can_be_seen_nothing_is_said),
        TEST(the_reserve_serves_when_descriptors_are_out),
        TEST(one_look_a_turn_is_enough_for_signals),
        TEST(left_are_the_living_members),
        TEST(left_are_the_heirs_of_the_dead_too),
        TEST(counts_the_runs_that_matter),
        TEST(a_signal_reaches_whom_it_is_for),
        TEST(the_stopped_are_woken_to_hear_it),
        TEST(nobody_there_is_fine),
        TEST(a_kill_reaches_whom_it_is_for),
        TEST(a_breeder_is_not_faster_than_the_kill),
        TEST(everything_below_us_can_be_signalled),
        TEST(who_is_out_of_reach_is_told_of_once_and_not_waited_for),
    };

    return cmocka_run_group_tests(tests, rig_open_loop, rig_close_loop);
}
