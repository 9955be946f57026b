/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Runs the simulator over many seeds. FOSTER_SIM_SEEDS says how many (2,000), FOSTER_SIM_SEED runs one alone, with
 * its trace. A failure prints the seed, then the trace of that seed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEEDS = 2000, CHAOS_MIN = 30, CHAOS_VARY = 1800, CALM_ROUNDS_MAX = 4000 };

unsigned sim_random(struct sim *m, unsigned n)
{
    uint64_t z = m->rng += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n == 0 ? 0 : (unsigned)((z ^ (z >> 31)) % n);
}

bool sim_chance(struct sim *m, unsigned percent)
{
    return sim_random(m, 100) < percent;
}

void sim_fail(struct sim *m, const char *fmt, ...)
{
    va_list ap;

    if (m->failed)
        return;
    m->failed = true;
    va_start(ap, fmt);
    vsnprintf(m->why, sizeof m->why, fmt, ap);
    va_end(ap);
    sim_trace(m, "FAILED: %s", m->why);
}

void sim_trace(struct sim *m, const char *fmt, ...)
{
    va_list ap;

    if (!m->trace)
        return;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static pid_t random_pid(struct sim *m)
{
    pid_t pid = SIM_FIRST_PID + (pid_t)sim_random(m, SIM_PIDS - SIM_FIRST_PID);

    for (int i = 0; i < SIM_PIDS && !m->procs[pid].used; i++)
        pid = pid + 1 < SIM_PIDS ? pid + 1 : SIM_FIRST_PID;
    return pid;
}

static int64_t next_wake(const struct sim *m)
{
    int64_t next = m->super_wake_ms;

    for (unsigned i = 0; i < m->n_units; i++)
        if (m->units[i].wake_ms >= 0 && (next < 0 || m->units[i].wake_ms < next))
            next = m->units[i].wake_ms;
    return next;
}

static void post_kind(struct sim *m, enum event_kind kind, unsigned unit, int code)
{
    struct event e = {.kind = kind, .unit = unit, .exit_code = code};

    executor_post(m, &e);
}

/* A report of an earlier life, or a timer that nobody waits for: must lead to nothing. */
static void gossip(struct sim *m)
{
    static const enum event_kind kinds[] = {
        EVENT_SPAWNED,      EVENT_EXEC_OK,       EVENT_EXEC_FAILED, EVENT_MAIN_EXITED, EVENT_SPAWN_FAILED,
        EVENT_MAIN_STOPPED, EVENT_MEMBER_EXITED, EVENT_READY,       EVENT_UNREADY,     EVENT_HEALTH,
        EVENT_WATCHDOG,     EVENT_MAIN_PID,      EVENT_EXTEND,      EVENT_HOOKS_DONE};
    unsigned unit = sim_random(m, m->n_units);
    struct event e = {.kind = kinds[sim_random(m, ARRAY_LEN(kinds))], .unit = unit, .pid = 5, .wstatus = 7 << 8};
    struct unit_view before, after;
    struct effect f;

    if (!super_view(m->super, unit, &before)) {
        e.kind = (enum event_kind)sim_random(m, EVENT_SHUTDOWN);
        super_post(m->super, &e, m->now_ms);
        if (super_next_effect(m->super, &f))
            sim_fail(m, "an event for a free number has effects");
        return;
    }
    e.run = before.run + 1;
    if (before.run > 0 && (e.kind == EVENT_MAIN_EXITED || e.kind == EVENT_MEMBER_EXITED))
        e.run = before.run - sim_random(m, 2); /* the right run, but a pid that it never had */
    super_post(m->super, &e, m->now_ms);
    super_view(m->super, unit, &after);
    if (super_next_effect(m->super, &f) || before.state != after.state || before.main_pid != after.main_pid ||
        before.last_wstatus != after.last_wstatus)
        sim_fail(m, "%s listens to gossip of kind %d", before.name, (int)e.kind);
    if (m->units[unit].timer_ms < 0)
        post_kind(m, EVENT_TIMER, unit, 0);
}

/* What an operator may ask for. */
static struct event request(struct sim *m, enum event_kind kind)
{
    struct event e = {.kind = kind, .unit = sim_random(m, m->n_units)};

    e.no_deps = sim_chance(m, 20);
    e.has_grace = kind != EVENT_START && kind != EVENT_RESET && sim_chance(m, 25);
    e.grace_ms = sim_chance(m, 30) ? 0 : (int64_t)sim_random(m, 4000);
    return e;
}

/* Several restarts at once, as for a service with many instances or a pattern. */
static void restart_some(struct sim *m)
{
    for (unsigned n = 1 + sim_random(m, 4); n > 0 && !m->failed; n--) {
        struct event e = request(m, EVENT_RESTART);
        e.no_deps = false;
        e.has_grace = e.has_grace && n == 1; /* effects are judged by the last word alone */
        if (n > 1)
            executor_say(m, &e);
        else
            executor_post(m, &e);
    }
}

static void operate(struct sim *m)
{
    static const enum event_kind kinds[] = {EVENT_START, EVENT_STOP, EVENT_RESTART, EVENT_RESET};
    unsigned roll = sim_random(m, 100);
    struct event e = request(m, kinds[sim_random(m, ARRAY_LEN(kinds))]);

    if (roll < 20)
        restart_some(m);
    else if (roll < 32)
        executor_replace(m);
    else
        executor_post(m, &e);
}

static void make_pending_exec(struct sim *m)
{
    pid_t pid = random_pid(m);

    if (m->procs[pid].used && !m->procs[pid].zombie && !m->procs[pid].execed)
        kernel_exec(m, pid);
}

static void chaos_step(struct sim *m)
{
    unsigned roll = sim_random(m, 4900);

    if (roll < 1320)
        kernel_act(m, random_pid(m));
    else if (roll < 1920)
        make_pending_exec(m);
    else if (roll < 2560)
        executor_reap(m, 1 + sim_random(m, 5));
    else if (roll < 2960)
        executor_read_status(m, sim_random(m, m->n_units));
    else if (roll < 3200)
        executor_carry(m, SIM_EFFECTS_MAX);
    else if (roll < 3520 && next_wake(m) > m->now_ms)
        m->now_ms = next_wake(m);
    else if (roll < 3600)
        m->now_ms += sim_random(m, 20000);
    else if (roll < 3780)
        operate(m);
    else if (roll < 3960)
        gossip(m);
    else if (roll < 3963)
        post_kind(m, EVENT_SHUTDOWN, SUPER_NO_UNIT, (int)sim_random(m, 3));
    else if (roll < 3964)
        post_kind(m, EVENT_KILL_NOW, SUPER_NO_UNIT, (int)sim_random(m, 3));
    else if (roll < 4500)
        executor_show(m, sim_random(m, m->n_units));
    else
        executor_end_hooks(m, sim_random(m, m->n_units), sim_chance(m, 80));
    m->now_ms += sim_random(m, 100);
    if (sim_chance(m, 60))
        executor_fire(m);
    check_step(m);
}

/* Faults have stopped: runs until nothing moves and no timer is armed. */
static void calm_down(struct sim *m)
{
    unsigned rounds = 0;

    m->calm = true;
    for (;;) {
        uint64_t before = m->progress;
        for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++)
            if (m->procs[pid].used && !m->procs[pid].zombie && !m->procs[pid].execed)
                kernel_exec(m, pid);
        if (m->failed)
            return;
        for (unsigned i = 0; i < m->n_units; i++)
            executor_read_status(m, i);
        for (pid_t pid = SIM_FIRST_PID; pid < SIM_PIDS; pid++)
            kernel_act(m, pid);
        executor_reap(m, SIM_PIDS);
        executor_carry(m, SIM_EFFECTS_MAX);
        for (unsigned i = 0; i < m->n_units && !m->failed; i++)
            executor_show_well(m, i);
        executor_fire(m);
        check_step(m);
        if (m->failed || m->over)
            return;
        if (++rounds > CALM_ROUNDS_MAX) {
            sim_fail(m, "does not come to rest");
            return;
        }
        if (m->progress != before)
            continue;
        if (next_wake(m) < 0)
            return;
        if (m->now_ms < next_wake(m))
            m->now_ms = next_wake(m);
    }
}

static bool prepare(struct sim *m, uint64_t seed, bool trace)
{
    struct super_params params = {.seed = seed};

    memset(m, 0, sizeof *m);
    m->seed = m->rng = seed;
    m->trace = trace;
    m->super_wake_ms = m->super_timer_ms = -1;
    m->last_pid = SIM_FIRST_PID - 1;
    m->now_ms = 1000;
    m->config = sim_plan(m);
    if (!m->config)
        return false;
    attrib_init(&m->attrib, sim_chance(m, 50) ? UINT64_MAX : UINT64_C(5) << 40, seed, 1);
    m->super = super_new(&m->config->set, &params);
    if (!m->super)
        return false;
    check_start(m);
    return true;
}

bool sim_run(struct sim *m, uint64_t seed, bool trace)
{
    if (!prepare(m, seed, trace)) {
        sim_fail(m, "super_new failed");
    } else {
        unsigned steps = CHAOS_MIN + sim_random(m, CHAOS_VARY);
        super_start(m->super, m->now_ms);
        post_kind(m, EVENT_TIMER, SUPER_NO_UNIT, 0);
        for (unsigned i = 0; i < steps && !m->over && !m->failed; i++)
            chaos_step(m);
        calm_down(m);
        if (!m->over && !m->failed)
            check_quiet(m);
        if (!m->over && !m->failed)
            post_kind(m, EVENT_SHUTDOWN, SUPER_NO_UNIT, 0);
        calm_down(m);
        if (!m->failed)
            check_end(m);
    }
    super_free(m->super);
    attrib_done(&m->attrib);
    sim_plan_done(m->config);
    sim_plan_done(m->next);
    return !m->failed;
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* The seed at work, for the last words of a test that aborts. */
static volatile uint64_t seed_at_work;

static void on_abort(int sig)
{
    char text[64] = "aborted in seed ";
    size_t len = strlen(text), digits = len + 20;

    for (size_t i = 0; i < 20; i++, seed_at_work /= 10)
        text[digits - 1 - i] = (char)('0' + seed_at_work % 10);
    text[digits] = '\n';
    if (write(STDOUT_FILENO, text, digits + 1) < 0)
        _exit(1);
    signal(sig, SIG_DFL);
    raise(sig);
}

static void test_seeds(void **state)
{
    uint64_t single = env_number("FOSTER_SIM_SEED", 0), n = env_number("FOSTER_SIM_SEEDS", SEEDS), spawns = 0;
    uint64_t replaced = 0;
    struct sim *m = malloc(sizeof *m);

    (void)state;
    assert_non_null(m);
    signal(SIGABRT, on_abort);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t seed = single ? single : 1; seed <= (single ? single : n); seed++) {
        bool ok;
        seed_at_work = seed;
        ok = sim_run(m, seed, single != 0);
        spawns += m->n_spawns;
        replaced += m->n_replaced;
        if (ok)
            continue;
        printf("seed %llu: %s\n", (unsigned long long)seed, m->why);
        if (!single)
            (void)sim_run(m, seed, true);
        free(m);
        fail_msg("FOSTER_SIM_SEED=%llu reproduces it", (unsigned long long)seed);
    }
    printf("%llu seeds, %llu processes started by the supervisor, %llu configurations replaced\n",
           (unsigned long long)(single ? 1 : n), (unsigned long long)spawns, (unsigned long long)replaced);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
