/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A random configuration: services with every combination of policies, dependencies and kill modes that the
 * file allows, as long as a calm world comes to rest under it.
 */
#include "sim.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static char *const plan_command[] = {(char *)(uintptr_t) "program", NULL};
static const char *const plan_names[SIM_SERVICES_MAX] = {"alfa", "bravo", "charlie", "delta", "echo", "fox", "golf"};

static void plan_restart(struct sim *m, struct spec *s, bool is_job)
{
    static const int64_t delays[] = {0, 10, 500, 2000};
    struct spec_restart *r = &s->restart;

    r->policy = (enum spec_restart_policy)sim_random(m, SPEC_RESTART_N);
    r->delay_ms = delays[sim_random(m, ARRAY_LEN(delays))];
    r->factor = 1 + sim_random(m, 5) / 2.0;
    r->max_delay_ms = r->delay_ms + sim_random(m, 4) * 1500;
    r->jitter = sim_random(m, 3) / 5.0;
    r->max_attempts = sim_random(m, 4);
    r->reset_after_ms = sim_random(m, 3) * 5000;
    /* A job that is started again whenever it is done never comes to rest. */
    if (is_job && r->policy >= SPEC_RESTART_ALWAYS) {
        r->max_attempts = 1 + sim_random(m, 3);
        r->reset_after_ms = 1000000;
    }
}

static bool plan_stop(struct sim *m, struct spec *s)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};

    s->n_stop_signal = 1 + sim_random(m, 3);
    s->stop_signal = calloc(s->n_stop_signal, sizeof *s->stop_signal);
    if (!s->stop_signal)
        return false;
    for (size_t i = 0; i < s->n_stop_signal; i++) {
        s->stop_signal[i].signal = signals[sim_random(m, ARRAY_LEN(signals))];
        s->stop_signal[i].wait_ms = sim_chance(m, 40) ? -1 : (int64_t)sim_random(m, 6) * 500;
    }
    s->stop_grace_period_ms = sim_chance(m, 15) ? 0 : 1 + sim_random(m, 10) * 1000;
    s->kill_mode = (enum spec_kill_mode)sim_random(m, SPEC_KILL_N);
    s->orphans = (enum spec_orphans)sim_random(m, SPEC_ORPHANS_N);
    return true;
}

/* Dependencies lead to services of lower RANK only, wherever they are in the file. */
static bool plan_deps(struct sim *m, unsigned i, const unsigned *rank)
{
    struct spec *s = &m->specs[i];

    s->depends_on = calloc(m->set.n_services, sizeof *s->depends_on);
    if (!s->depends_on)
        return false;
    for (unsigned k = 0; k < m->set.n_services; k++) {
        struct spec_dep *d = &s->depends_on[s->n_depends_on];
        if (rank[k] >= rank[i] || sim_chance(m, 55))
            continue;
        d->service = m->specs[k].name;
        d->required = sim_chance(m, 75);
        d->condition = (enum spec_condition)sim_random(m, SPEC_COND_N);
        if (d->condition >= SPEC_COND_COMPLETED_OK && m->kinds[k] != SIM_JOB && sim_chance(m, 80))
            d->condition = SPEC_COND_READY;
        s->n_depends_on++;
    }
    if (sim_chance(m, 3)) {
        s->depends_on[s->n_depends_on].service = "nowhere";
        s->depends_on[s->n_depends_on].required = false;
        if (s->n_depends_on + 1 < m->set.n_services)
            s->n_depends_on++;
    }
    return true;
}

static bool plan_service(struct sim *m, unsigned i)
{
    struct spec *s = &m->specs[i];
    enum sim_kind kind = SIM_SERVER;

    spec_defaults(s);
    s->name = plan_names[i];
    s->command = (char **)(uintptr_t)plan_command;
    s->n_command = 1;
    s->type = (enum spec_type)sim_random(m, SPEC_TYPE_N);
    if (s->type == SPEC_TYPE_FORKING || (s->type == SPEC_TYPE_AUTO && sim_chance(m, 40)))
        kind = SIM_DAEMON;
    else if (s->type == SPEC_TYPE_ONESHOT || sim_chance(m, 20))
        kind = SIM_JOB;
    m->kinds[i] = kind;
    plan_restart(m, s, kind == SIM_JOB);
    if (sim_chance(m, 30))
        spec_exits_add_code(&s->success_exit_codes, 3);
    if (sim_chance(m, 20))
        spec_exits_add_signal(&s->success_exit_codes, SIGTERM);
    if (sim_chance(m, 20))
        spec_exits_add_code(&s->no_restart_exit_codes, 4);
    s->essential = sim_chance(m, 3);
    s->on_success = sim_chance(m, 2) ? SPEC_END_SHUTDOWN : SPEC_END_IGNORE;
    s->on_failure = sim_chance(m, 2) ? SPEC_END_SHUTDOWN : SPEC_END_IGNORE;
    s->start_timeout_ms = sim_chance(m, 30) ? 0 : 1000 + sim_random(m, 3) * 4000;
    s->scale = sim_chance(m, 5) ? 0 : 1 + (sim_chance(m, 20) ? sim_random(m, 3) : 0);
    s->enabled = !sim_chance(m, 8);
    s->autostart = !sim_chance(m, 12);
    return plan_stop(m, s);
}

void sim_plan(struct sim *m)
{
    unsigned rank[SIM_SERVICES_MAX];
    bool ok = true;

    m->set.name = "sim";
    m->set.services = m->specs;
    m->set.n_services = 1 + sim_random(m, SIM_SERVICES_MAX);
    spec_supervisor_defaults(&m->set.supervisor);
    m->set.supervisor.exit_when = sim_chance(m, 70) ? SPEC_EXIT_NEVER : (enum spec_exit_when)sim_random(m, SPEC_EXIT_N);
    m->set.supervisor.stop_timeout_ms = sim_chance(m, 50) ? 0 : 2000 + sim_random(m, 10) * 1000;
    for (unsigned i = 0; i < m->set.n_services; i++) {
        unsigned at = sim_random(m, i + 1);
        rank[i] = at == i ? i : rank[at];
        rank[at] = i;
    }
    for (unsigned i = 0; i < m->set.n_services && ok; i++)
        ok = plan_service(m, i);
    for (unsigned i = 0; i < m->set.n_services && ok; i++)
        ok = plan_deps(m, i, rank);
    if (!ok)
        sim_fail(m, "no memory for the plan");
}

void sim_plan_done(struct sim *m)
{
    for (unsigned i = 0; i < m->set.n_services; i++) {
        free(m->specs[i].stop_signal);
        free(m->specs[i].depends_on);
    }
}
