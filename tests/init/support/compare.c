/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * See compare.h: running and judging.
 */
#include "init/support/compare.h"

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3, VARIABLES_MAX = 8 };

#define ON_TINI      (1u << FORM_TINI)
#define ON_DUMB_INIT (1u << FORM_DUMB_INIT)
#define ON_CATATONIT (1u << FORM_CATATONIT)
#define ON_FOSTERD   (1u << FORM_FOSTERD)

static const struct difference differences[] = {
#define DIFFERENCE(situations, forms, kind, why) {situations, forms, DIFFERENCE_##kind, why},
#include "init/differences.def"
    {NULL, 0, DIFFERENCE_OWN, NULL},
};

/** A peer that does now this, now that. */
struct race {
    const char *situations;
    unsigned forms;
    const char *outcomes[2];
};

static const struct race races[] = {
#define RACE(situations, forms, one, other) {situations, forms, {one, other}},
#include "init/differences.def"
};

/** What the workers share: which row comes next, and the rows. */
struct shared {
    atomic_size_t next;
    size_t n;
    struct row rows[];
};

static void run_one(const struct situation *s, enum form form, bool ours, char *ret)
{
    static struct trial t;
    const char *env[VARIABLES_MAX + 1] = {NULL};
    char variables[256];
    char *rest = NULL;
    size_t n = 0;
    t = (struct trial){.form = form, .ours = ours, .options = s->options[form], .pid1 = s->pid1};
    t.pidfd = t.talk = t.gate = t.out = t.err = -1;
    (void)snprintf(variables, sizeof(variables), "%s", s->env ? s->env : "");
    for (char *v = strtok_r(variables, " ", &rest); v && n < VARIABLES_MAX; v = strtok_r(NULL, " ", &rest)) {
        env[n++] = v;
    }
    t.env = env;
    if (!setjmp(t.failed)) {
        s->drive(&t, s);
    }
    (void)snprintf(ret, OUTCOME_MAX, "%s", t.outcome);
    trial_done(&t);
}

/** Puts both outcomes of a race in the place of the one that the PEER has shown this time. */
static void settle_race(const struct situation *s, enum form form, char *peer)
{
    for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
        const struct race *r = &races[i];
        if (r->forms & 1u << form && !fnmatch(r->situations, s->name, 0) &&
            (!strcmp(peer, r->outcomes[0]) || !strcmp(peer, r->outcomes[1]))) {
            (void)snprintf(peer, OUTCOME_MAX, "%s, or %s", r->outcomes[0], r->outcomes[1]);
        }
    }
}

static void run_row(struct row *row)
{
    const struct situation *s = row->situation;
    if (s->pid1 && !trial_can_pid1()) {
        return;
    }
    for (enum form form = 0; form < FORM_N; form++) {
        if (s->options[form] && trial_peer_path(form)) {
            run_one(s, form, false, row->form[form].side[SIDE_PEER]);
            settle_race(s, form, row->form[form].side[SIDE_PEER]);
        }
        if (s->options[form]) {
            run_one(s, form, true, row->form[form].side[SIDE_OURS]);
        }
    }
}

static _Noreturn void work(struct shared *all)
{
    size_t i;
    trial_process_setup();
    while ((i = atomic_fetch_add(&all->next, 1)) < all->n) {
        run_row(&all->rows[i]);
    }
    _exit(0);
}

static int run_workers(void *all)
{
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            work(all);
        }
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}

/** Room for as many rows as there are situations that fit FILTER, seen by all our children. */
static struct shared *make_rows(const char *filter)
{
    size_t n = 0;
    for (const struct room *const *room = compare_rooms; *room; room++) {
        n += (*room)->n;
    }
    struct shared *all =
        mmap(NULL, sizeof(*all) + n * sizeof(all->rows[0]), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) {
        abort();
    }
    for (const struct room *const *room = compare_rooms; *room; room++) {
        for (size_t i = 0; i < (*room)->n; i++) {
            if (!filter || !fnmatch(filter, (*room)->rows[i].name, 0)) {
                all->rows[all->n].situation = &(*room)->rows[i];
                all->rows[all->n++].room = *room;
            }
        }
    }
    return all;
}

struct row *compare_run(const char *filter, size_t *ret_n)
{
    struct shared *all = make_rows(filter);
    (void)trial_apart(run_workers, all);
    *ret_n = all->n;
    return all->rows;
}

static const char *unless_skipped(const char *outcome)
{
    return strcmp(outcome, TRIAL_SKIPPED) != 0 ? outcome : "";
}

static enum form peer_of(enum form form)
{
    return form == FORM_FOSTERD ? FORM_TINI : form;
}

const char *compare_peer(const struct row *row, enum form form)
{
    return unless_skipped(row->form[peer_of(form)].side[SIDE_PEER]);
}

const char *compare_ours(const struct row *row, enum form form)
{
    return unless_skipped(row->form[form].side[SIDE_OURS]);
}

const char *compare_missing(const struct row *row)
{
    static char why[100];
    if (row->situation->pid1 && !trial_can_pid1()) {
        return "no pid namespaces here";
    }
    for (enum form form = 0; form < FORM_N; form++) {
        bool compared = *compare_peer(row, form) && *compare_ours(row, form);
        if (row->situation->options[form] && row->situation->options[peer_of(form)] && !compared) {
            (void)snprintf(why, sizeof(why), "%s is not installed in the version that is compared%s",
                           trial_form_name(peer_of(form)),
                           trial_peer_path(peer_of(form)) ? " with all that it needs here" : "");
            return why;
        }
    }
    return NULL;
}

const struct difference *compare_declared(const char *situation, enum form form)
{
    for (const struct difference *d = differences; d->situations; d++) {
        if (d->forms & 1u << form && !fnmatch(d->situations, situation, 0)) {
            return d;
        }
    }
    return NULL;
}

void compare_show(const struct row *row)
{
    printf("%s\n", row->situation->name);
    for (enum form form = 0; form < FORM_N; form++) {
        const struct outcome *o = &row->form[form];
        if (row->situation->options[form]) {
            printf("    %-10s %s\n    %10s %s\n", trial_form_name(form), o->side[SIDE_PEER], "ours",
                   o->side[SIDE_OURS]);
        }
    }
}

static size_t complain(const struct row *row, enum form form, const char *what)
{
    (void)fprintf(stderr, "%s, as %s: %s\n    the peer: %s\n    ours:     %s\n", row->situation->name,
                  trial_form_name(form), what, compare_peer(row, form), row->form[form].side[SIDE_OURS]);
    return 1;
}

size_t compare_judge(const struct row *row)
{
    size_t errors = 0;
    for (enum form form = 0; form < FORM_N; form++) {
        const char *peer = compare_peer(row, form);
        const char *ours = row->form[form].side[SIDE_OURS];
        const struct difference *d = compare_declared(row->situation->name, form);
        bool same = !strcmp(peer, ours);
        if (!row->situation->options[form] || !strcmp(ours, TRIAL_SKIPPED) ||
            (row->situation->pid1 && !trial_can_pid1())) {
            continue;
        }
        if (!*ours || !strncmp(ours, "FAILED", 6) || !strncmp(peer, "FAILED", 6)) {
            errors += complain(row, form, "the trial failed");
        } else if (*peer && same && d) {
            errors += complain(row, form, "is declared as different, and is not");
        } else if (*peer && !same && !d) {
            errors += complain(row, form, "differs, and differences.def does not say why");
        }
    }
    return errors;
}

static bool is_seen(const struct difference *d, enum form form, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].situation->options[form] && compare_declared(rows[i].situation->name, form) == d) {
            return true;
        }
    }
    return false;
}

size_t compare_judge_unseen(const struct row *rows, size_t n)
{
    size_t errors = 0;
    for (const struct difference *d = differences; d->situations; d++) {
        for (enum form form = 0; form < FORM_N; form++) {
            if (d->forms & 1u << form && !is_seen(d, form, rows, n)) {
                (void)fprintf(stderr, "no situation for %s shows: %s\n", trial_form_name(form), d->why);
                errors++;
            }
        }
    }
    return errors;
}
