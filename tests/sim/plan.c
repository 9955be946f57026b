/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A random configuration: services with every combination of policies, dependencies and kill modes that the
 * file allows, as long as a calm world comes to rest under it.
 */
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Dependencies lead to services of lower rank only, wherever they are in the file. */
static const enum spec_condition plan_conditions[] = {SPEC_COND_STARTED, SPEC_COND_READY, SPEC_COND_HEALTHY,
                                                      SPEC_COND_COMPLETED_OK, SPEC_COND_COMPLETED};

/* A check that is not there never succeeds. */
static void plan_fit_condition(struct spec_dep *d, const struct spec *on)
{
    if (d->condition == SPEC_COND_HEALTHY && on->healthcheck.probe.kind == SPEC_PROBE_NONE)
        d->condition = SPEC_COND_READY;
}

static bool plan_deps(struct sim *m, struct sim_config *c, unsigned i)
{
    struct spec *s = &c->specs[i];

    s->depends_on = calloc(c->set.n_services, sizeof *s->depends_on);
    s->n_depends_on = 0;
    if (!s->depends_on)
        return false;
    for (unsigned k = 0; k < c->set.n_services; k++) {
        struct spec_dep *d = &s->depends_on[s->n_depends_on];
        if (m->rank[c->names[k]] >= m->rank[c->names[i]] || sim_chance(m, 55))
            continue;
        d->service = c->specs[k].name;
        d->required = sim_chance(m, 75);
        d->condition = plan_conditions[sim_random(m, ARRAY_LEN(plan_conditions))];
        if (d->condition >= SPEC_COND_COMPLETED_OK && c->kinds[k] != SIM_JOB && sim_chance(m, 80))
            d->condition = SPEC_COND_READY;
        d->restart = sim_chance(m, 25);
        plan_fit_condition(d, &c->specs[k]);
        s->n_depends_on++;
    }
    if (sim_chance(m, 3)) {
        s->depends_on[s->n_depends_on].service = "nowhere";
        s->depends_on[s->n_depends_on].required = false;
        if (s->n_depends_on + 1 < c->set.n_services)
            s->n_depends_on++;
    }
    return true;
}

static const enum spec_type plan_types[] = {SPEC_TYPE_AUTO, SPEC_TYPE_SIMPLE, SPEC_TYPE_FORKING, SPEC_TYPE_ONESHOT,
                                            SPEC_TYPE_NOTIFY};

static bool plan_command(struct sim *m, struct spec *s)
{
    char text[32];

    snprintf(text, sizeof text, "program-%u", m->n_programs++);
    s->command = calloc(2, sizeof *s->command);
    if (!s->command)
        return false;
    s->command[0] = strdup(text);
    s->n_command = 1;
    return s->command[0] != NULL;
}

static int64_t plan_scale(struct sim *m)
{
    return sim_chance(m, 5) ? 0 : 1 + (sim_chance(m, 20) ? sim_random(m, 3) : 0);
}

static void plan_ready(struct sim *m, struct spec *s)
{
    s->ready = (struct spec_ready){0};
    if (sim_chance(m, 15))
        s->ready = (struct spec_ready){.kind = SPEC_READY_AFTER, .after_ms = 100};
}

static void plan_schedule(struct sim *m, struct spec *s)
{
    s->schedule.every_ms = (int64_t)sim_random(m, 2) * 60000;
    s->schedule.overlap = (enum spec_overlap)sim_random(m, SPEC_OVERLAP_N);
}

static char plan_true[] = "true";
static char *plan_true_argv[] = {plan_true, NULL};

static void plan_health(struct sim *m, struct spec *s)
{
    static const enum spec_unhealthy_action rare[] = {SPEC_UNHEALTHY_IGNORE, SPEC_UNHEALTHY_SHUTDOWN};

    s->healthcheck.probe = (struct spec_probe){0};
    if (sim_chance(m, 25))
        s->healthcheck.probe = (struct spec_probe){.kind = SPEC_PROBE_EXEC, .exec = {plan_true_argv, 1}};
    s->on_unhealthy = sim_chance(m, 80) ? SPEC_UNHEALTHY_RESTART : rare[sim_chance(m, 20)];
}

static void plan_hooks(struct sim *m, struct spec *s)
{
    static struct spec_hook hook = {.command = {plan_true_argv, 1}};

    for (unsigned p = 0; p < SPEC_HOOK_N; p++)
        s->hooks[p] = (struct spec_hooks){.items = &hook, .n = sim_chance(m, 18)};
}

/* One more service in C, named NAME. */
static bool plan_one(struct sim *m, struct sim_config *c, unsigned name)
{
    unsigned i = (unsigned)c->set.n_services++;
    struct spec *s = &c->specs[i];
    enum sim_kind kind = SIM_SERVER;

    spec_defaults(s);
    s->stop_signal = NULL;
    s->name = strdup(plan_names[name]);
    c->names[i] = name;
    s->type = plan_types[sim_random(m, ARRAY_LEN(plan_types))];
    if (s->type == SPEC_TYPE_FORKING || (s->type == SPEC_TYPE_AUTO && sim_chance(m, 40)))
        kind = SIM_DAEMON;
    else if (s->type == SPEC_TYPE_ONESHOT || (s->type != SPEC_TYPE_NOTIFY && sim_chance(m, 20)))
        kind = SIM_JOB;
    c->kinds[i] = kind;
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
    s->scale = plan_scale(m);
    s->enabled = !sim_chance(m, 8);
    s->autostart = !sim_chance(m, 12);
    if (kind != SIM_JOB)
        plan_ready(m, s);
    else if (s->type == SPEC_TYPE_ONESHOT && sim_chance(m, 25))
        plan_schedule(m, s);
    plan_health(m, s);
    plan_hooks(m, s);
    s->watchdog_ms = sim_chance(m, 10) ? 3000 : 0;
    return s->name && plan_command(m, s) && plan_stop(m, s);
}

static void plan_supervisor(struct sim *m, struct sim_config *c)
{
    struct spec_supervisor *v = &c->set.supervisor;

    spec_supervisor_defaults(v);
    v->exit_when = sim_chance(m, 70) ? SPEC_EXIT_NEVER : (enum spec_exit_when)sim_random(m, SPEC_EXIT_N);
    v->stop_timeout_ms = sim_chance(m, 50) ? 0 : 2000 + sim_random(m, 10) * 1000;
}

static struct sim_config *plan_new(void)
{
    struct sim_config *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->set.name = "sim";
    c->set.services = c->specs;
    return c;
}

/* C, unless it is not COMPLETE. */
static struct sim_config *plan_given(struct sim_config *c, bool complete)
{
    if (complete)
        return c;
    sim_plan_done(c);
    return NULL;
}

struct sim_config *sim_plan(struct sim *m)
{
    struct sim_config *c = plan_new();
    unsigned n = 1 + sim_random(m, SIM_SERVICES_MAX);
    bool ok = c != NULL;

    for (unsigned i = 0; i < SIM_SERVICES_MAX; i++) {
        unsigned at = sim_random(m, i + 1);
        m->rank[i] = at == i ? i : m->rank[at];
        m->rank[at] = i;
    }
    if (ok)
        plan_supervisor(m, c);
    for (unsigned i = 0; i < n && ok; i++)
        ok = plan_one(m, c, i);
    for (unsigned i = 0; i < n && ok; i++)
        ok = plan_deps(m, c, i);
    return plan_given(c, ok);
}

/* S is a copy of OLD as yet: gives it memory of its own. */
static bool plan_detach(struct spec *s, const struct spec *old)
{
    s->name = strdup(old->name);
    s->command = calloc(2, sizeof *s->command);
    s->stop_signal = calloc(old->n_stop_signal, sizeof *s->stop_signal);
    s->depends_on = NULL;
    if (!s->name || !s->command || !s->stop_signal)
        return false;
    s->command[0] = strdup(old->command[0]);
    memcpy(s->stop_signal, old->stop_signal, old->n_stop_signal * sizeof *s->stop_signal);
    return s->command[0] != NULL;
}

/* Some keys of S change. */
static bool plan_vary(struct sim *m, struct spec *s, enum sim_kind kind)
{
    if (sim_chance(m, 12)) {
        free(s->command[0]);
        free(s->command);
        if (!plan_command(m, s))
            return false;
    }
    if (sim_chance(m, 10))
        s->scale = plan_scale(m);
    if (sim_chance(m, 6))
        s->enabled = !s->enabled;
    if (sim_chance(m, 10))
        s->autostart = !s->autostart;
    if (sim_chance(m, 10))
        s->start_timeout_ms = sim_chance(m, 30) ? 0 : 1000 + sim_random(m, 3) * 4000;
    if (sim_chance(m, 10))
        plan_restart(m, s, kind == SIM_JOB);
    if (sim_chance(m, 10))
        plan_hooks(m, s);
    if (sim_chance(m, 10))
        plan_health(m, s);
    if (sim_chance(m, 10) && kind != SIM_JOB)
        plan_ready(m, s);
    if (sim_chance(m, 10) && s->type == SPEC_TYPE_ONESHOT)
        plan_schedule(m, s);
    if (!sim_chance(m, 10))
        return true;
    free(s->stop_signal);
    s->stop_signal = NULL;
    return plan_stop(m, s);
}

/* The dependencies of the I-th service of C as those of OLD were, as far as there are such services. */
static bool plan_keep_deps(struct sim_config *c, unsigned i, const struct spec *old)
{
    struct spec *s = &c->specs[i];

    s->n_depends_on = 0;
    s->depends_on = calloc(old->n_depends_on + 1, sizeof *s->depends_on);
    if (!s->depends_on)
        return false;
    for (size_t k = 0; k < old->n_depends_on; k++) {
        const struct spec *on = spec_find(&c->set, old->depends_on[k].service);
        if (!on)
            continue;
        s->depends_on[s->n_depends_on] = old->depends_on[k];
        plan_fit_condition(&s->depends_on[s->n_depends_on], on);
        s->depends_on[s->n_depends_on++].service = on->name;
    }
    return true;
}

static bool plan_carry_over(struct sim *m, struct sim_config *c, unsigned old)
{
    unsigned i = (unsigned)c->set.n_services++;

    c->specs[i] = m->config->specs[old];
    c->kinds[i] = m->config->kinds[old];
    c->names[i] = m->config->names[old];
    return plan_detach(&c->specs[i], &m->config->specs[old]) && plan_vary(m, &c->specs[i], c->kinds[i]);
}

struct sim_config *sim_plan_change(struct sim *m)
{
    struct sim_config *c = plan_new();
    bool ok = c != NULL;

    if (!ok)
        return NULL;
    c->set.supervisor = m->config->set.supervisor;
    if (sim_chance(m, 10))
        plan_supervisor(m, c);
    for (unsigned name = 0; name < SIM_SERVICES_MAX && ok; name++) {
        unsigned old = 0;
        while (old < m->config->set.n_services && m->config->names[old] != name)
            old++;
        if (old == m->config->set.n_services)
            ok = !sim_chance(m, 15) || plan_one(m, c, name);
        else
            ok = sim_chance(m, 10) || plan_carry_over(m, c, old);
    }
    for (unsigned i = 0; i < c->set.n_services && ok; i++) {
        const struct spec *old = spec_find(&m->config->set, c->specs[i].name);
        ok = old && sim_chance(m, 80) ? plan_keep_deps(c, i, old) : plan_deps(m, c, i);
    }
    return plan_given(c, ok);
}

void sim_plan_done(struct sim_config *c)
{
    for (unsigned i = 0; c && i < c->set.n_services; i++) {
        struct spec *s = &c->specs[i];
        if (s->command)
            free(s->command[0]);
        free(s->command);
        free((char *)(uintptr_t)s->name);
        free(s->stop_signal);
        free(s->depends_on);
    }
    free(c);
}
