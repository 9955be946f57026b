/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Cycles and orders of the dependency graph, small ones by hand and large ones by the rule.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "support/seed.h"

#include "core/backoff.h"
#include "core/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_MAX = 8 };

/* A graph written as "a:b,c b: c:a": names of one letter; a capital first is a service that is not enabled. */
struct drawing {
    struct spec_set set;
    struct spec specs[N_MAX];
    struct spec_dep deps[N_MAX][N_MAX];
    char names[N_MAX][2];
    char targets[N_MAX][N_MAX][2];
};

static void draw(struct drawing *d, const char *text)
{
    struct spec *s = NULL;

    memset(d, 0, sizeof *d);
    d->set.services = d->specs;
    for (const char *p = text; *p; p++) {
        size_t i = d->set.n_services;
        if (p[1] == ':') {
            s = &d->specs[i];
            d->names[i][0] = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
            s->enabled = d->names[i][0] == *p;
            s->name = d->names[i];
            s->depends_on = d->deps[i];
            d->set.n_services++;
            p++;
        } else if (*p != ' ' && *p != ',' && s) {
            size_t own = i - 1;
            d->targets[own][s->n_depends_on][0] = *p;
            s->depends_on[s->n_depends_on].service = d->targets[own][s->n_depends_on];
            s->n_depends_on++;
        }
    }
}

/* What was told of: the paths, and each with the dependency that closes it ("a -> b -> a (b:a); "). */
struct told {
    const struct spec_set *set;
    char text[4 * GRAPH_PATH_MAX];
    size_t n;
};

static void tell(const char *path, const struct spec_dep *dep, void *data)
{
    struct told *told = data;
    size_t len = strlen(told->text);

    told->n++;
    for (size_t i = 0; i < told->set->n_services; i++) {
        const struct spec *s = &told->set->services[i];
        if (dep >= s->depends_on && dep < s->depends_on + s->n_depends_on)
            snprintf(told->text + len, sizeof told->text - len, "%s%s (%s:%s)", len > 0 ? "; " : "", path, s->name,
                     dep->service);
    }
}

static void test_cycles(void **state)
{
    static const struct {
        const char *graph;
        const char *told;
    } cases[] = {
        {"", ""},
        {"a:", ""},
        {"a:a", ""}, /* the checks of a single service tell of that */
        {"a:b b:a", "a -> b -> a (b:a)"},
        {"a:b b:c c:a", "a -> b -> c -> a (c:a)"},
        {"a:b b:c c:b", "b -> c -> b (c:b)"},
        {"a:b,c b:d c:d d:", ""},
        {"a:b,c b:d c:d d:c", "d -> c -> d (c:d)"},
        {"a: b: c:d d:e e:c", "c -> d -> e -> c (e:c)"},
        {"a:b b:a c:d d:c", "a -> b -> a (b:a); c -> d -> c (d:c)"},
        {"a:b b:a,c c:b", "a -> b -> a (b:a); b -> c -> b (c:b)"},
        {"a:a,b b:a", "a -> b -> a (b:a)"},
        {"a:z b:a", ""},
        {"a:B B:a", ""},
        {"A:b b:a", ""},
        {"a:b,b,b b:", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct drawing d;
        struct told told = {0};
        draw(&d, cases[i].graph);
        told.set = &d.set;
        assert_true(graph_cycles(&d.set, tell, &told));
        assert_string_equal(told.text, cases[i].told);
    }
}

/* A set of N services named s0 … with room for M dependencies in all. */
struct crowd {
    struct spec_set set;
    struct spec *specs;
    struct spec_dep *deps;
    char (*names)[24];
};

static void crowd_init(struct crowd *c, size_t n, size_t m)
{
    *c = (struct crowd){.specs = calloc(n, sizeof *c->specs), .deps = calloc(m, sizeof *c->deps)};
    c->names = calloc(n, sizeof *c->names);
    assert_true(c->specs && c->deps && c->names);
    for (size_t i = 0; i < n; i++) {
        snprintf(c->names[i], sizeof c->names[i], "s%zu", i);
        c->specs[i].name = c->names[i];
        c->specs[i].enabled = true;
    }
    c->set.services = c->specs;
    c->set.n_services = n;
}

static void crowd_done(struct crowd *c)
{
    free(c->specs);
    free(c->deps);
    free(c->names);
}

static void test_depth_costs_no_stack(void **state)
{
    enum { N = SPEC_SERVICES_MAX };
    struct told told = {0};
    struct crowd c;

    (void)state;
    crowd_init(&c, N, N);
    told.set = &c.set;
    for (size_t i = 0; i < N; i++) {
        c.deps[i].service = c.names[(i + 1) % N];
        c.specs[i].depends_on = &c.deps[i];
        c.specs[i].n_depends_on = i + 1 < N;
    }
    assert_true(graph_cycles(&c.set, tell, &told));
    assert_int_equal(told.n, 0);
    c.specs[N - 1].n_depends_on = 1;
    assert_true(graph_cycles(&c.set, tell, &told));
    assert_int_equal(told.n, 1);
    assert_true(strncmp(told.text, "s0 -> s1 -> s2 -> s3 -> s4 -> s5 -> ", 36) == 0);
    assert_non_null(strstr(told.text, "..."));
    assert_non_null(strstr(told.text, " (s4095:s0)"));
    crowd_done(&c);
}

/* Random graphs whose edges lead to lower numbers of a shuffle have no cycle; one edge back along another makes one. */
static void test_random_graphs(void **state)
{
    enum { N = 40, ROUNDS = 200 };
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t rank[N], m = 0;
        struct told told = {0};
        struct crowd c;
        crowd_init(&c, N, (size_t)N * N);
        told.set = &c.set;
        for (size_t i = 0; i < N; i++) {
            size_t k = backoff_random(&seed) % (i + 1);
            rank[i] = rank[k];
            rank[k] = i;
        }
        for (size_t i = 0; i < N; i++) {
            c.specs[i].depends_on = &c.deps[m];
            for (size_t k = 0; k < N; k++)
                if (rank[k] < rank[i] && backoff_random(&seed) % 8 == 0) {
                    c.deps[m++].service = c.names[k];
                    c.specs[i].n_depends_on++;
                }
        }
        assert_true(graph_cycles(&c.set, tell, &told));
        assert_int_equal(told.n, 0);
        if (m > 0) {
            struct spec *to = &c.specs[(size_t)(spec_find(&c.set, c.deps[0].service) - c.specs)];
            size_t from = 0;
            while (c.specs[from].n_depends_on == 0 || c.specs[from].depends_on != &c.deps[0])
                from++;
            struct spec_dep back = {.service = c.names[from]};
            to->depends_on = &back;
            to->n_depends_on = 1;
            assert_true(graph_cycles(&c.set, tell, &told));
            assert_true(told.n > 0);
        }
        crowd_done(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_depth_costs_no_stack),
        cmocka_unit_test(test_random_graphs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
